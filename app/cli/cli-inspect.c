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

static gboolean
add_tensors (JsonObject          *root,
             TareModel           *model,
             gboolean             with_statistics,
             const TareProgress  *progress,
             GError             **error)
{
  g_autoptr(JsonArray) tensors = json_array_new ();
  gsize n_tensors = tare_model_get_n_tensors (model);

  for (gsize i = 0; i < n_tensors; i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      TareProgress part = tare_progress_part (progress, (double) i / (double) n_tensors,
                                              (double) (i + 1) / (double) n_tensors);
      g_autoptr(TareStatistics) statistics = NULL;
      g_autoptr(JsonObject) object = describe_tensor (tensor);

      if (with_statistics && tare_tensor_can_read (tensor))
        {
          statistics = tare_statistics_measure (tensor, &part, error);
          if (statistics == NULL)
            return FALSE;
        }
      add_statistics (object, statistics);
      json_array_add_object_element (tensors, g_steal_pointer (&object));
    }
  json_object_set_array_member (root, "tensors", g_steal_pointer (&tensors));

  return TRUE;
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
  if (!add_tensors (root, model, !no_statistics, cli_progress_start (), error))
    return FALSE;
  cli_progress_finish ();

  return cli_print (root, json, &view, error);
}

const CliCommand cli_command_inspect = {
  .name = "inspect",
  .arguments = "MODEL [--no-statistics] [--json]",
  .description = "What a model is, layer by layer",
  .run = inspect,
};
