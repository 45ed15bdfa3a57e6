/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <math.h>

#include "analysis/statistics/tare-comparison.h"

static const CliField fields[] = {
  { "only_in_a", "Only in the first", CLI_TEXT },
  { "only_in_b", "Only in the second", CLI_TEXT },
  { NULL },
};

static const CliField columns[] = {
  { "canonical", "TENSOR", CLI_TEXT },
  { "formats", "FORMATS", CLI_TEXT },
  { "relative_error", "ERROR", CLI_NUMBER },
  { "maximum_error", "LARGEST", CLI_NUMBER },
  { NULL },
};

static const CliView view = { fields, "tensors", columns };

static const char *
get_format_id (const TareTensor *tensor)
{
  return tensor->format != NULL ? tensor->format->id : tensor->type_name;
}

static gboolean
compare_tensors (JsonArray           *array,
                 const TareTensor    *a,
                 const TareTensor    *b,
                 const TareProgress  *progress,
                 GError             **error)
{
  g_autoptr(JsonObject) object = json_object_new ();
  JsonArray *formats = json_array_new ();
  TareDistortion distortion = { .relative = (double) NAN, .maximum = (double) NAN };

  json_array_add_string_element (formats, get_format_id (a));
  json_array_add_string_element (formats, get_format_id (b));
  cli_set_string (object, "canonical", a->canonical);
  json_object_set_array_member (object, "formats", formats);
  if (tare_comparison_can_measure (a, b, NULL)
      && !tare_comparison_measure (a, b, &distortion, progress, error))
    return FALSE;
  json_object_set_boolean_member (object, "same_shape",
                                  a->rows == b->rows && a->columns == b->columns);
  cli_set_number (object, "relative_error", distortion.relative);
  cli_set_number (object, "maximum_error", distortion.maximum);
  json_array_add_object_element (array, g_steal_pointer (&object));

  return TRUE;
}

static JsonArray *
list_missing (TareModel *model,
              TareModel *other)
{
  JsonArray *array = json_array_new ();

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const char *canonical = tare_model_get_tensor (model, i)->canonical;

      if (tare_model_lookup (other, canonical) == NULL)
        json_array_add_string_element (array, canonical);
    }

  return array;
}

static gboolean
compare_models (JsonObject          *root,
                TareModel           *a,
                TareModel           *b,
                const TareProgress  *progress,
                GError             **error)
{
  JsonArray *array = json_array_new ();
  double n_tensors = (double) tare_model_get_n_tensors (a);

  json_object_set_array_member (root, "tensors", array);
  json_object_set_array_member (root, "only_in_a", list_missing (a, b));
  json_object_set_array_member (root, "only_in_b", list_missing (b, a));
  for (gsize i = 0; i < tare_model_get_n_tensors (a); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (a, i);
      const TareTensor *other = tare_model_lookup (b, tensor->canonical);
      TareProgress part = tare_progress_part (progress, (double) i / n_tensors,
                                              (double) (i + 1) / n_tensors);

      if (other != NULL && !compare_tensors (array, tensor, other, &part, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
compare (const CliCommand  *self,
         int                argc,
         char             **argv,
         GError           **error)
{
  const GOptionEntry entries[] = { { NULL } };
  gboolean json = FALSE;
  g_auto(GStrv) paths = cli_parse (self, argc, argv, entries, 2, &json, error);
  g_autoptr(TareModel) a = NULL;
  g_autoptr(TareModel) b = NULL;
  g_autoptr(JsonObject) root = json_object_new ();

  if (paths == NULL)
    return FALSE;

  a = tare_model_open (paths[0], error);
  if (a == NULL)
    return FALSE;
  b = tare_model_open (paths[1], error);
  if (b == NULL || !compare_models (root, a, b, cli_progress_start (), error))
    return FALSE;
  cli_progress_finish ();

  return cli_print (root, json, &view, error);
}

const CliCommand cli_command_compare = {
  .name = "compare",
  .arguments = "A B [--json]",
  .description = "Two models, tensor by tensor",
  .run = compare,
};
