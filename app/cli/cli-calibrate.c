/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include "analysis/calibration/tare-calibrator.h"

static const CliField fields[] = {
  { "dataset", "Text", CLI_TEXT },
  { "tokens", "Tokens", CLI_INTEGER },
  { "output", "Written to", CLI_TEXT },
  { "seconds", "Seconds", CLI_NUMBER },
  { NULL },
};

static const CliField columns[] = {
  { "canonical", "LAYER", CLI_TEXT },
  { "columns", "COLUMNS", CLI_INTEGER },
  { "tokens", "TOKENS", CLI_INTEGER },
  { "mean_square", "MEAN SQUARE", CLI_NUMBER },
  { "absolute_maximum", "LARGEST", CLI_NUMBER },
  { "hessian", "HESSIAN", CLI_TEXT },
  { NULL },
};

static const CliView view = { fields, "layers", columns };

static JsonObject *
describe_layer (const char                 *canonical,
                const TareLayerActivations *layer)
{
  JsonObject *object = json_object_new ();
  double sum = 0.0;
  double maximum = 0.0;

  for (gsize i = 0; i < layer->columns; i++)
    {
      sum += (double) layer->sum_squares[i];
      if (layer->maximum != NULL)
        maximum = MAX (maximum, (double) layer->maximum[i]);
    }

  cli_set_string (object, "canonical", canonical);
  cli_set_size (object, "columns", layer->columns);
  cli_set_number (object, "tokens", layer->n_tokens);
  cli_set_number (object, "mean_square", sum / ((double) layer->columns * layer->n_tokens));
  if (layer->maximum != NULL)
    cli_set_number (object, "absolute_maximum", maximum);
  else
    json_object_set_null_member (object, "absolute_maximum");
  json_object_set_boolean_member (object, "hessian", layer->gram != NULL);
  if (layer->experts != NULL)
    {
      JsonArray *tokens = json_array_new ();

      for (gsize e = 0; e < layer->experts->n; e++)
        json_array_add_double_element (tokens, layer->experts->n_tokens[e]);
      json_object_set_array_member (object, "expert_tokens", tokens);
    }

  return object;
}

static JsonObject *
describe (TareCalibration *calibration)
{
  JsonObject *root = json_object_new ();
  JsonArray *layers = json_array_new ();

  cli_set_string (root, "dataset", tare_calibration_get_dataset (calibration));
  cli_set_number (root, "tokens", tare_calibration_get_n_tokens (calibration));
  for (gsize i = 0; i < tare_calibration_get_n_layers (calibration); i++)
    {
      const char *name = tare_calibration_get_name (calibration, i);

      json_array_add_object_element (layers,
                                     describe_layer (name, tare_calibration_lookup (calibration,
                                                                                    name)));
    }
  json_object_set_array_member (root, "layers", layers);

  return root;
}

static TareCalibration *
run (const char             *model_path,
     const char             *text_path,
     TareCalibratorOptions  *options,
     GError                **error)
{
  g_autoptr(TareModel) model = tare_model_open (model_path, error);
  g_autofree char *text = NULL;
  g_autofree char *dataset = g_path_get_basename (text_path);
  gsize length = 0;

  if (model == NULL)
    return NULL;
  text = cli_load_text (text_path, &length, error);
  if (text == NULL)
    return NULL;
  options->dataset = dataset;

  return tare_calibrate (model, text, length, options, cli_progress_start (), error);
}

static gboolean
calibrate (const CliCommand  *self,
           int                argc,
           char             **argv,
           GError           **error)
{
  gboolean json = FALSE;
  g_autofree char *text_path = NULL;
  g_autofree char *import = NULL;
  g_autofree char *output = NULL;
  g_autofree char *memory = NULL;
  gint64 context = CLI_NOT_GIVEN;
  gint64 n_tokens = CLI_NOT_GIVEN;
  const GOptionEntry entries[] = {
    { "text", 0, 0, G_OPTION_ARG_FILENAME, &text_path, "The text", "FILE" },
    { "import", 0, 0, G_OPTION_ARG_FILENAME, &import,
      "Read a calibration or an imatrix file instead of running a text", "FILE" },
    { "memory", 0, 0, G_OPTION_ARG_STRING, &memory,
      "Memory to get by with, 4GiB; half of what is free if not given", "SIZE" },
    { "output", 0, 0, G_OPTION_ARG_FILENAME, &output, "Where to write it", "FILE" },
    { NULL },
  };
  const CliNumber numbers[] = {
    { "context", "Tokens of one sequence", &context, 1, G_MAXINT32, 0, CLI_USUAL_CONTEXT },
    { "tokens", "Tokens at most", &n_tokens, 1, G_MAXINT32, 0, "all" },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse_with (self, argc, argv, entries, numbers, NULL, 1,
                                        &json, error);
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(JsonObject) root = NULL;
  TareCalibratorOptions options = { 0 };
  gint64 begin = g_get_monotonic_time ();

  if (paths == NULL || !cli_require (output, "--output", error) ||
      !cli_parse_size (memory, "--memory", &options.memory_budget, error))
    return FALSE;
  if ((text_path == NULL) == (import == NULL))
    return cli_usage_error (error, "either --text or --import is needed");

  options.context = (guint) context;
  options.maximum_tokens = (gsize) n_tokens;
  calibration = import != NULL ? tare_calibration_load (import, error)
                               : run (paths[0], text_path, &options, error);
  if (calibration == NULL || !tare_calibration_save (calibration, output, error))
    return FALSE;
  cli_progress_finish ();

  root = describe (calibration);
  cli_set_string (root, "output", output);
  cli_set_number (root, "seconds", (double) (g_get_monotonic_time () - begin) / G_USEC_PER_SEC);

  return cli_print (root, json, &view, error);
}

const CliCommand cli_command_calibrate = {
  .name = "calibrate",
  .arguments = "MODEL (--text FILE | --import FILE) --output FILE [--context N] [--tokens N] "
               "[--memory SIZE] [--json]",
  .description = "Activation statistics and input Hessians of a text",
  .run = calibrate,
};
