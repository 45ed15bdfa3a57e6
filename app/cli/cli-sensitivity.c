/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include "analysis/calibration/tare-calibrator.h"
#include "analysis/sensitivity/tare-measure.h"

#define DEFAULT_FORMAT "q4_k"

/* What was asked for. */
typedef struct
{
  char           *text;
  char           *measures;
  char           *format;
  char           *method;
  char           *range;
  char           *calibration;
  gint64          context;
  gint64          n_tokens;
  GPtrArray      *table;
  TareAssignment  assignment;
} Request;

static void
request_clear (Request *self)
{
  g_free (self->text);
  g_free (self->measures);
  g_free (self->format);
  g_free (self->method);
  g_free (self->range);
  g_free (self->calibration);
  g_clear_pointer (&self->table, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

static gboolean
find_measures (Request  *self,
               GError  **error)
{
  g_auto(GStrv) ids = NULL;

  self->table = g_ptr_array_new ();
  if (self->measures == NULL)
    {
      for (gsize i = 0; i < tare_measure_get_n_measures (); i++)
        g_ptr_array_add (self->table, (gpointer) tare_measure_get (i));
      return TRUE;
    }

  ids = g_strsplit (self->measures, ",", -1);
  for (gsize i = 0; ids[i] != NULL; i++)
    {
      const TareMeasure *measure = tare_measure_lookup (g_strstrip (ids[i]));

      if (measure == NULL)
        return cli_usage_error (error, "unknown measure '%s'", ids[i]);
      g_ptr_array_add (self->table, (gpointer) measure);
    }

  return TRUE;
}

static gboolean
check_request (Request  *self,
               GError  **error)
{
  self->assignment.method = tare_method_get (0);
  self->assignment.range = TARE_RANGE_SEARCH;

  if ((self->text == NULL) == (self->calibration == NULL))
    return cli_usage_error (error, "either --text or --calibration is needed");
  if (!cli_parse_count (self->context, "--context", 0, G_MAXINT32, error) ||
      !cli_parse_count (self->n_tokens, "--tokens", 0, G_MAXINT32, error) ||
      !find_measures (self, error) ||
      !cli_parse_method (self->method, &self->assignment.method, error) ||
      !cli_parse_range (self->range, &self->assignment.range, error))
    return FALSE;

  self->assignment.format = cli_parse_format (self->format != NULL ? self->format : DEFAULT_FORMAT,
                                              error);

  return self->assignment.format != NULL;
}

static TareCalibration *
get_calibration (const Request       *request,
                 TareModel           *model,
                 const TareProgress  *progress,
                 GError             **error)
{
  TareCalibratorOptions options = {
    .context = (guint) request->context,
    .maximum_tokens = (gsize) request->n_tokens,
  };
  g_autofree char *text = NULL;
  gsize length = 0;

  if (request->calibration != NULL)
    return tare_calibration_load (request->calibration, error);

  text = cli_load_text (request->text, &length, error);
  if (text == NULL)
    return NULL;
  options.dataset = request->text;

  return tare_calibrator_run (model, text, length, &options, progress, error);
}

static JsonObject *
measure_layer (const Request       *request,
               TareMeasureContext  *context,
               const TareTensor    *tensor,
               TareRecipe          *recipe,
               GError             **error)
{
  TareAssignment assignment = tare_recipe_resolve (recipe, tensor);
  g_autoptr(JsonObject) object = json_object_new ();
  JsonObject *measures = json_object_new ();

  cli_set_string (object, "canonical", tensor->canonical);
  cli_set_string (object, "format", tare_recipe_effective_format (recipe, tensor)->id);
  json_object_set_object_member (object, "measures", measures);
  for (guint i = 0; i < request->table->len; i++)
    {
      const TareMeasure *measure = g_ptr_array_index (request->table, i);
      TareMeasureValue value;

      if (!tare_measure_compute (measure, context, tensor, &assignment, NULL, &value, error))
        return NULL;
      cli_set_number (measures, measure->id, value.value);
    }

  return g_steal_pointer (&object);
}

/* Every matrix that the calibration saw the input of. */
static gboolean
measure_layers (const Request       *request,
                TareModel           *model,
                TareCalibration     *calibration,
                JsonArray           *layers,
                const TareProgress  *progress,
                GError             **error)
{
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareMeasureContext) context = tare_measure_context_new (engine, calibration);
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(TareRecipe) recipe = tare_recipe_with_rule (none, "*", &request->assignment);
  gsize n_tensors = tare_model_get_n_tensors (model);

  for (gsize i = 0; i < n_tensors; i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      JsonObject *object;

      if (!tare_progress_step (progress, (double) i / (double) n_tensors, tensor->canonical,
                               error))
        return FALSE;
      if (tare_recipe_resolve (recipe, tensor).format == NULL ||
          tare_calibration_lookup (calibration, tensor->canonical) == NULL)
        continue;
      object = measure_layer (request, context, tensor, recipe, error);
      if (object == NULL)
        return FALSE;
      json_array_add_object_element (layers, object);
    }

  return TRUE;
}

static gboolean
print (const Request  *request,
       JsonObject     *root,
       gboolean        json,
       GError        **error)
{
  g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
  g_autofree CliField *columns = g_new0 (CliField, request->table->len + 3);
  const CliView view = { NULL, "layers", columns };

  columns[0] = (CliField) { "canonical", "LAYER", CLI_TEXT };
  columns[1] = (CliField) { "format", "FORMAT", CLI_TEXT };
  for (guint i = 0; i < request->table->len; i++)
    {
      const TareMeasure *measure = g_ptr_array_index (request->table, i);
      char *key = g_strconcat ("measures.", measure->id, NULL);

      g_ptr_array_add (keys, key);
      columns[i + 2] = (CliField) { key, measure->label, CLI_NUMBER };
    }

  return cli_print (root, json, &view, error);
}

static gboolean
sensitivity (const CliCommand  *self,
             int                argc,
             char             **argv,
             GError           **error)
{
  gboolean json = FALSE;
  g_auto(Request) request = { 0 };
  const GOptionEntry entries[] = {
    { "text", 0, 0, G_OPTION_ARG_FILENAME, &request.text, "The text to calibrate on", "FILE" },
    { "calibration", 0, 0, G_OPTION_ARG_FILENAME, &request.calibration,
      "A calibration instead of a text", "FILE" },
    { "measure", 0, 0, G_OPTION_ARG_STRING, &request.measures, "Which measures; all if none is "
      "named", "M,..." },
    { "format", 0, 0, G_OPTION_ARG_STRING, &request.format, "What to round to, q4_k if none is "
      "named", "F" },
    { "method", 0, 0, G_OPTION_ARG_STRING, &request.method, "How to round", "M" },
    { "range", 0, 0, G_OPTION_ARG_STRING, &request.range, "How ranges are chosen", "R" },
    { "context", 0, 0, G_OPTION_ARG_INT64, &request.context, "Tokens of one sequence", "N" },
    { "tokens", 0, 0, G_OPTION_ARG_INT64, &request.n_tokens, "Tokens at most", "N" },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse (self, argc, argv, entries, 1, &json, error);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(JsonObject) root = json_object_new ();
  JsonArray *layers = json_array_new ();
  const TareProgress *progress;
  TareProgress first;
  TareProgress second;

  json_object_set_array_member (root, "layers", layers);
  if (paths == NULL || !check_request (&request, error))
    return FALSE;

  model = tare_model_open (paths[0], error);
  if (model == NULL)
    return FALSE;
  progress = cli_progress_start ();
  first = tare_progress_part (progress, 0.0, 0.5);
  second = tare_progress_part (progress, 0.5, 1.0);
  calibration = get_calibration (&request, model, &first, error);
  if (calibration == NULL ||
      !measure_layers (&request, model, calibration, layers, &second, error))
    return FALSE;
  cli_progress_finish ();

  return print (&request, root, json, error);
}

const CliCommand cli_command_sensitivity = {
  .name = "sensitivity",
  .arguments = "MODEL (--text FILE | --calibration FILE) [--measure M,...] [--format F] "
               "[--method M] [--range R] [--context N] [--tokens N] [--json]",
  .description = "What rounding each layer costs",
  .run = sensitivity,
};
