/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <math.h>

#include "analysis/statistics/tare-statistics.h"

static const CliField fields[] = {
  { "name", "Name", CLI_TEXT },
  { "architecture", "Architecture", CLI_TEXT },
  { "unsupported", "Cannot run", CLI_TEXT },
  { "container", "Container", CLI_TEXT },
  { "parameters", "Parameters", CLI_INTEGER },
  { "bytes", "Size", CLI_SIZE },
  { "bits_per_weight", "Bits per weight", CLI_NUMBER },
  { "blocks", "Blocks", CLI_INTEGER },
  { "vocabulary", "Vocabulary", CLI_INTEGER },
  { "context", "Context", CLI_INTEGER },
  { NULL },
};

static const CliField columns[] = {
  { "canonical", "TENSOR", CLI_TEXT },
  { "dtype", "TYPE", CLI_TEXT },
  { "shape", "SHAPE", CLI_SHAPE },
  { "bytes", "SIZE", CLI_SIZE },
  { "minimum", "MINIMUM", CLI_NUMBER },
  { "maximum", "MAXIMUM", CLI_NUMBER },
  { "standard_deviation", "DEVIATION", CLI_NUMBER },
  { "kurtosis", "KURTOSIS", CLI_NUMBER },
  { "outlier_ratio", "OUTLIERS", CLI_PERCENT },
  { NULL },
};

static const CliView view = { fields, "tensors", columns };

/* NULL statistics leave the keys there, without values. */
static void
add_statistics (JsonObject           *object,
                const TareStatistics *statistics)
{
  const TareStatistics none = { .n = 0 };
  const TareStatistics *s = statistics != NULL && statistics->n > 0 ? statistics : &none;
  double unknown = s->n > 0 ? 0.0 : (double) NAN;

  cli_set_number (object, "minimum", (double) s->minimum + unknown);
  cli_set_number (object, "maximum", (double) s->maximum + unknown);
  cli_set_number (object, "mean", s->mean + unknown);
  cli_set_number (object, "standard_deviation", s->standard_deviation + unknown);
  cli_set_number (object, "skewness", s->skewness + unknown);
  cli_set_number (object, "kurtosis", s->kurtosis + unknown);
  cli_set_number (object, "absolute_maximum", (double) s->absolute_maximum + unknown);
  cli_set_number (object, "outlier_ratio", s->outlier_ratio + unknown);
  if (statistics != NULL && statistics->n_not_finite > 0)
    cli_set_size (object, "not_finite", statistics->n_not_finite);
}

static JsonObject *
describe_tensor (const TareTensor *tensor)
{
  JsonObject *object = json_object_new ();
  JsonArray *shape = json_array_new ();

  for (guint i = 0; i < tensor->n_dimensions; i++)
    json_array_add_int_element (shape, (gint64) tensor->shape[i]);

  cli_set_string (object, "name", tensor->name);
  cli_set_string (object, "canonical", tensor->canonical);
  cli_set_string (object, "role", tensor->role != NULL ? tensor->role->id : NULL);
  if (tensor->block >= 0)
    json_object_set_int_member (object, "block", tensor->block);
  else
    json_object_set_null_member (object, "block");
  json_object_set_array_member (object, "shape", shape);
  cli_set_string (object, "dtype", tensor->type_name);
  cli_set_size (object, "bytes", tensor->bytes);

  return object;
}

/* Every tensor, without its statistics. */
static JsonArray *
describe_tensors (TareModel *model)
{
  JsonArray *tensors = json_array_new ();

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    json_array_add_object_element (tensors, describe_tensor (tare_model_get_tensor (model, i)));

  return tensors;
}

/* Adds the statistics to the tensors; prints each as it is ready if there are @widths. */
static gboolean
add_all_statistics (JsonArray           *tensors,
                    TareModel           *model,
                    gboolean             with_statistics,
                    const glong         *widths,
                    const TareProgress  *progress,
                    GError             **error)
{
  gsize n_tensors = tare_model_get_n_tensors (model);

  for (gsize i = 0; i < n_tensors; i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      JsonObject *object = json_array_get_object_element (tensors, (guint) i);
      TareProgress part = tare_progress_part (progress, (double) i / (double) n_tensors,
                                              (double) (i + 1) / (double) n_tensors);
      g_autoptr(TareStatistics) statistics = NULL;

      if (with_statistics && tare_tensor_can_read (tensor))
        {
          statistics = tare_statistics_measure (tensor, &part, error);
          if (statistics == NULL)
            return FALSE;
        }
      add_statistics (object, statistics);
      if (widths != NULL && !cli_print_row (object, columns, widths, error))
        return FALSE;
    }

  return TRUE;
}

/* The whole object at once, which is what JSON is. */
static gboolean
print_json (JsonObject  *root,
            TareModel   *model,
            gboolean     with_statistics,
            GError     **error)
{
  JsonArray *tensors = describe_tensors (model);

  json_object_set_array_member (root, "tensors", tensors);
  if (!add_all_statistics (tensors, model, with_statistics, NULL, cli_progress_start (), error))
    return FALSE;
  cli_progress_finish ();

  return cli_print (root, TRUE, &view, error);
}

/* A row after the other, which is all the progress that a person needs. */
static gboolean
print_rows (JsonObject  *root,
            TareModel   *model,
            gboolean     with_statistics,
            GError     **error)
{
  TareProgress silent = *cli_progress_start ();
  g_autoptr(JsonArray) tensors = describe_tensors (model);
  g_autofree glong *widths = cli_begin_table (tensors, columns, error);

  silent.func = NULL;

  return widths != NULL &&
         add_all_statistics (tensors, model, with_statistics, widths, &silent, error) &&
         cli_end_table (root, fields, error);
}

/* Where there is no configuration, the rows of the embedding tell. */
static void
add_vocabulary (JsonObject *root,
                TareModel  *model)
{
  const TareConfig *config = tare_model_get_config (model);
  const TareTensor *embedding = tare_model_lookup (model, "token_embd.weight");

  if (config != NULL)
    cli_set_size (root, "vocabulary", config->vocabulary);
  else if (embedding != NULL)
    cli_set_size (root, "vocabulary", embedding->rows);
  else
    json_object_set_null_member (root, "vocabulary");
}

static JsonObject *
describe_model (TareModel *model)
{
  const TareConfig *config = tare_model_get_config (model);
  guint64 n_weights = tare_model_get_n_weights (model);
  guint64 bytes = tare_model_get_bytes (model);
  g_autoptr(GError) reason = NULL;
  JsonObject *root = json_object_new ();

  cli_set_string (root, "name", tare_model_get_name (model));
  cli_set_string (root, "architecture", tare_model_get_architecture_name (model));
  if (!tare_model_check_runnable (model, &reason))
    cli_set_string (root, "unsupported", reason->message);
  cli_set_string (root, "container", tare_model_get_container (model));
  cli_set_size (root, "parameters", n_weights);
  cli_set_size (root, "bytes", bytes);
  cli_set_number (root, "bits_per_weight", 8.0 * (double) bytes / (double) n_weights);
  cli_set_size (root, "blocks", tare_model_get_n_blocks (model));
  add_vocabulary (root, model);
  if (config != NULL)
    cli_set_size (root, "context", config->context);

  return root;
}

static gboolean
inspect (const CliCommand  *self,
         int                argc,
         char             **argv,
         GError           **error)
{
  gboolean json = FALSE;
  gboolean no_statistics = FALSE;
  const GOptionEntry entries[] = {
    { "no-statistics", 0, 0, G_OPTION_ARG_NONE, &no_statistics, "Read the headers only", NULL },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse (self, argc, argv, entries, 1, &json, error);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(JsonObject) root = NULL;

  if (paths == NULL)
    return FALSE;

  model = tare_model_open (paths[0], error);
  if (model == NULL)
    return FALSE;

  root = describe_model (model);

  return json ? print_json (root, model, !no_statistics, error)
              : print_rows (root, model, !no_statistics, error);
}

const CliCommand cli_command_inspect = {
  .name = "inspect",
  .arguments = "MODEL [--no-statistics] [--json]",
  .description = "What a model is, layer by layer",
  .run = inspect,
};
