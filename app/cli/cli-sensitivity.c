/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-calibrator.h"
#include "analysis/sensitivity/tare-correlation.h"
#include "analysis/sensitivity/tare-divergence.h"

#define DEFAULT_FORMAT "q4_k"

/* What cheap measures are held against. */
#define TRUTH "measured_kl"

/* What was asked for. */
typedef struct
{
  char           *text;
  char           *measures;
  char           *format;
  char           *recipe;
  char           *method;
  char           *range;
  char           *calibration;
  char           *memory;
  guint64         budget;
  gint64          context;
  gint64          n_tokens;
  gint64          n_interacting;
  gboolean        json;
  GPtrArray      *table;
  TareAssignment  assignment;
} Request;

/* What is measured: the layers, and what every measure says of each, a row for each measure. */
typedef struct
{
  TareModel          *model;
  TareRecipe         *recipe;
  TareMeasureContext *context;
  GArray             *roundings;
  TareMeasureValue   *values;
} Survey;

static void
request_clear (Request *self)
{
  g_free (self->text);
  g_free (self->measures);
  g_free (self->format);
  g_free (self->recipe);
  g_free (self->method);
  g_free (self->range);
  g_free (self->calibration);
  g_free (self->memory);
  g_clear_pointer (&self->table, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

static void
survey_clear (Survey *self)
{
  g_clear_pointer (&self->context, tare_measure_context_free);
  g_clear_pointer (&self->recipe, tare_recipe_unref);
  g_clear_pointer (&self->model, tare_model_unref);
  g_clear_pointer (&self->roundings, g_array_unref);
  g_free (self->values);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Survey, survey_clear)

/* All measures, or, for a person's eyes, those that look at the format. */
static void
take_table (Request  *self,
            gboolean  all)
{
  for (gsize i = 0; i < tare_measure_get_n_measures (); i++)
    {
      const TareMeasure *measure = tare_measure_get (i);

      if (all || tare_measure_is_by_format (measure))
        g_ptr_array_add (self->table, (gpointer) measure);
    }
}

static gboolean
find_measures (Request  *self,
               GError  **error)
{
  g_auto(GStrv) ids = NULL;

  self->table = g_ptr_array_new ();
  if (self->measures == NULL || strcmp (self->measures, "all") == 0)
    {
      take_table (self, self->json || self->measures != NULL);
      return TRUE;
    }

  ids = g_strsplit (self->measures, ",", -1);
  for (gsize i = 0; ids[i] != NULL; i++)
    {
      const TareMeasure *measure = tare_measure_lookup (g_strstrip (ids[i]));

      if (measure == NULL)
        return cli_unknown_error (error, "measure", ids[i], tare_measure_name_at);
      if (!g_ptr_array_find (self->table, measure, NULL))
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

  if (self->text == NULL && self->calibration == NULL)
    return cli_usage_error (error, "either --text or --calibration is needed");
  if (self->format != NULL && self->recipe != NULL)
    return cli_usage_error (error, "--format and --recipe exclude each other");
  if (self->n_interacting > 0 && self->text == NULL)
    return cli_usage_error (error, "--interactions needs --text");
  if (!cli_parse_size (self->memory, "--memory", &self->budget, error) ||
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
                 const char          *text,
                 gsize                length,
                 const TareProgress  *progress,
                 GError             **error)
{
  const TareCalibratorOptions options = {
    .context = (guint) request->context,
    .maximum_tokens = (gsize) request->n_tokens,
    .dataset = request->text,
    .memory_budget = request->budget,
  };

  if (request->calibration != NULL)
    return tare_calibration_load (request->calibration, error);

  return tare_calibrate (model, text, length, &options, progress, error);
}

static TareRecipe *
get_recipe (const Request  *request,
            GError        **error)
{
  g_autoptr(TareRecipe) none = NULL;

  if (request->recipe != NULL)
    return tare_recipe_load (request->recipe, error);

  none = tare_recipe_new ();

  return tare_recipe_with_rule (none, "*", &request->assignment);
}

/* Every matrix that the calibration saw the input of. */
static void
find_layers (Survey          *self,
             TareCalibration *calibration)
{
  gsize n_tensors = tare_model_get_n_tensors (self->model);

  self->roundings = g_array_new (FALSE, FALSE, sizeof (TareRounding));
  for (gsize i = 0; i < n_tensors; i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (self->model, i);
      TareRounding rounding = { tensor, tare_recipe_resolve (self->recipe, tensor) };

      if (tare_tensor_is_weight (tensor) && tare_tensor_can_read (tensor) &&
          tare_calibration_lookup (calibration, tensor->canonical) != NULL)
        g_array_append_val (self->roundings, rounding);
    }
}

static gboolean
survey_init (Survey              *self,
             const Request       *request,
             const char          *path,
             JsonObject          *root,
             const TareProgress  *progress,
             GError             **error)
{
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(TareEngine) engine = NULL;
  g_autofree char *text = NULL;
  gsize length = 0;

  self->model = tare_model_open (path, error);
  if (self->model == NULL)
    return FALSE;
  if (request->text != NULL)
    {
      text = cli_load_text (request->text, &length, error);
      if (text == NULL)
        return FALSE;
    }

  calibration = get_calibration (request, self->model, text, length, progress, error);
  self->recipe = calibration != NULL ? get_recipe (request, error) : NULL;
  if (self->recipe == NULL)
    return FALSE;

  cli_tell_unmatched (request->recipe, self->recipe, self->model, request->json, root);
  engine = tare_engine_new (self->model);
  if (request->budget > 0)
    tare_engine_set_budget (engine, request->budget / 4);
  self->context = tare_measure_context_new (engine, calibration);
  tare_measure_context_set_memory (self->context, request->budget);
  if (text != NULL)
    tare_measure_context_set_text (self->context, text, length, (guint) request->context,
                                   (gsize) request->n_tokens);
  find_layers (self, calibration);
  self->values = g_new0 (TareMeasureValue, MAX (self->roundings->len * request->table->len, 1));

  return TRUE;
}

static gboolean
measure_layers (Survey              *self,
                const Request       *request,
                const TareProgress  *progress,
                GError             **error)
{
  guint n_layers = self->roundings->len;
  guint n = request->table->len * n_layers;

  for (guint i = 0; i < n; i++)
    {
      const TareMeasure *measure = g_ptr_array_index (request->table, i / n_layers);
      const TareRounding *rounding = &g_array_index (self->roundings, TareRounding, i % n_layers);
      TareProgress part = tare_progress_part (progress, (double) i / n, (double) (i + 1) / n);

      if (!tare_progress_step (&part, 0.0, measure->label, error) ||
          !tare_measure_compute (measure, self->context, rounding->tensor, &rounding->assignment,
                                 &part, &self->values[i], error))
        return FALSE;
    }

  return TRUE;
}

static void
add_layers (const Survey  *self,
            const Request *request,
            JsonObject    *root)
{
  JsonArray *layers = json_array_new ();
  guint n_layers = self->roundings->len;

  for (guint i = 0; i < n_layers; i++)
    {
      const TareTensor *tensor = g_array_index (self->roundings, TareRounding, i).tensor;
      JsonObject *layer = json_object_new ();
      JsonObject *measures = json_object_new ();
      JsonObject *errors = json_object_new ();

      cli_set_string (layer, "canonical", tensor->canonical);
      cli_set_string (layer, "format", tare_recipe_effective_format (self->recipe, tensor)->id);
      for (guint k = 0; k < request->table->len; k++)
        {
          const TareMeasure *measure = g_ptr_array_index (request->table, k);
          const TareMeasureValue *value = &self->values[k * n_layers + i];

          cli_set_number (measures, measure->id, value->value);
          cli_set_number (errors, measure->id, value->error);
        }
      json_object_set_object_member (layer, "measures", measures);
      json_object_set_object_member (layer, "errors", errors);
      json_array_add_object_element (layers, layer);
    }
  json_object_set_array_member (root, "layers", layers);
}

static void
add_measures (const Request *request,
              JsonObject    *root)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < request->table->len; i++)
    {
      const TareMeasure *measure = g_ptr_array_index (request->table, i);
      JsonObject *object = json_object_new ();

      cli_set_string (object, "id", measure->id);
      cli_set_string (object, "label", measure->label);
      cli_set_string (object, "definition", measure->definition);
      cli_set_string (object, "unit", measure->unit);
      cli_set_string (object, "source", measure->source);
      cli_set_string (object, "cost", tare_measure_cost_get_id (measure->cost));
      cli_set_string (object, "direction", tare_measure_direction_get_id (measure->direction));
      json_object_set_boolean_member (object, "by_format", tare_measure_is_by_format (measure));
      json_array_add_object_element (array, object);
    }
  json_object_set_array_member (root, "measures", array);
}

/* (transfer full): what one measure says, from the first layer to the last */
static double *
dup_values (const Survey *self,
            guint         measure)
{
  guint n_layers = self->roundings->len;
  double *values = g_new (double, MAX (n_layers, 1));

  for (guint i = 0; i < n_layers; i++)
    values[i] = self->values[measure * n_layers + i].value;

  return values;
}

typedef double (*Correlation) (const double *a,
                               const double *b,
                               gsize         n);

static JsonArray *
make_matrix (const Survey  *self,
             const Request *request,
             Correlation    correlation)
{
  JsonArray *matrix = json_array_new ();

  for (guint i = 0; i < request->table->len; i++)
    {
      g_autofree double *a = dup_values (self, i);
      JsonArray *row = json_array_new ();

      for (guint k = 0; k < request->table->len; k++)
        {
          g_autofree double *b = dup_values (self, k);
          double value = correlation (a, b, self->roundings->len);

          if (isfinite (value))
            json_array_add_double_element (row, value);
          else
            json_array_add_null_element (row);
        }
      json_array_add_array_element (matrix, row);
    }

  return matrix;
}

static void
add_correlations (const Survey  *self,
                  const Request *request,
                  JsonObject    *root)
{
  JsonObject *object = json_object_new ();
  JsonArray *ids = json_array_new ();

  for (guint i = 0; i < request->table->len; i++)
    {
      const TareMeasure *measure = g_ptr_array_index (request->table, i);

      json_array_add_string_element (ids, measure->id);
    }
  json_object_set_array_member (object, "measures", ids);
  json_object_set_array_member (object, "spearman",
                                make_matrix (self, request, tare_correlation_spearman));
  json_object_set_array_member (object, "kendall",
                                make_matrix (self, request, tare_correlation_kendall));
  json_object_set_object_member (root, "correlations", object);
}

/* Of the measures that do not run the network for every layer, the one that orders the layers most
 * as the measured divergence does; one of which less is worse should order them the other way
 * round. */
static void
add_best_cheap (const Survey  *self,
                const Request *request,
                JsonObject    *root)
{
  JsonObject *object = json_object_new ();
  const TareMeasure *best = NULL;
  double highest = (double) NAN;
  guint truth;

  if (!g_ptr_array_find (request->table, tare_measure_lookup (TRUTH), &truth))
    truth = request->table->len;

  for (guint i = 0; i < request->table->len && truth < request->table->len; i++)
    {
      const TareMeasure *measure = g_ptr_array_index (request->table, i);
      double sign = measure->direction == TARE_MEASURE_DIRECTION_LESS_IS_WORSE ? -1.0 : 1.0;
      g_autofree double *a = dup_values (self, i);
      g_autofree double *b = dup_values (self, truth);
      double value = sign * tare_correlation_spearman (a, b, self->roundings->len);

      if (measure->cost >= TARE_MEASURE_COST_FORWARD || !isfinite (value) || value <= highest)
        continue;
      best = measure;
      highest = value;
    }

  cli_set_string (object, "measure", best != NULL ? best->id : NULL);
  cli_set_string (object, "against", TRUTH);
  cli_set_number (object, "spearman", highest);
  json_object_set_object_member (root, "best_cheap", object);
}

static int
compare_values (gconstpointer a,
                gconstpointer b,
                gpointer      data)
{
  const double *values = data;
  double x = values[*(const guint *) a];
  double y = values[*(const guint *) b];

  return (x < y) - (x > y);
}

/* (transfer full): the indices of the layers, those that cost most first */
static guint *
rank_layers (const Survey *self,
             guint         truth)
{
  guint n = self->roundings->len;
  guint *order = g_new (guint, MAX (n, 1));
  g_autofree double *values = dup_values (self, truth);

  for (guint i = 0; i < n; i++)
    order[i] = i;
  g_qsort_with_data (order, (int) n, sizeof *order, compare_values, values);

  return order;
}

/* What the dearest layers cost in pairs beyond what they cost alone. */
static gboolean
add_interactions (const Survey        *self,
                  const Request       *request,
                  guint                truth,
                  TareDivergence      *divergence,
                  JsonObject          *object,
                  const TareProgress  *progress,
                  GError             **error)
{
  g_autofree guint *order = rank_layers (self, truth);
  guint n = MIN ((guint) request->n_interacting, self->roundings->len);
  JsonArray *array = json_array_new ();

  json_object_set_array_member (object, "interactions", array);
  for (guint i = 0; i < n; i++)
    {
      for (guint k = i + 1; k < n; k++)
        {
          const TareRounding *a = &g_array_index (self->roundings, TareRounding, order[i]);
          const TareRounding *b = &g_array_index (self->roundings, TareRounding, order[k]);
          JsonObject *pair = json_object_new ();
          double value = 0.0;

          json_array_add_object_element (array, pair);
          cli_set_string (pair, "first", a->tensor->canonical);
          cli_set_string (pair, "second", b->tensor->canonical);
          if (!tare_divergence_interact (divergence, a, b, &value, progress, error))
            return FALSE;
          cli_set_number (pair, "value", value);
        }
    }

  return TRUE;
}

/* How far the measured divergence can be trusted, and whether it adds up. */
static gboolean
add_divergence (const Survey        *self,
                const Request       *request,
                JsonObject          *root,
                const TareProgress  *progress,
                GError             **error)
{
  JsonObject *object;
  TareDivergence *divergence;
  TareMeasureValue floor;
  TareAdditivity additivity;
  guint truth;

  if (request->text == NULL || self->roundings->len == 0 ||
      !g_ptr_array_find (request->table, tare_measure_lookup (TRUTH), &truth))
    return TRUE;

  object = json_object_new ();
  json_object_set_object_member (root, TRUTH, object);
  divergence = tare_divergence_get (self->context, progress, error);
  if (divergence == NULL ||
      !tare_divergence_find_floor (divergence, &floor, progress, error) ||
      !tare_divergence_add_up (divergence, (const TareRounding *) self->roundings->data,
                               self->roundings->len, &additivity, progress, error))
    return FALSE;

  cli_set_size (object, "tokens", tare_divergence_get_n_tokens (divergence));
  cli_set_number (object, "noise_floor", floor.value);
  cli_set_number (object, "sum", additivity.sum);
  cli_set_number (object, "together", additivity.together.value);
  cli_set_number (object, "together_error", additivity.together.error);
  cli_set_number (object, "additivity", additivity.ratio);

  return add_interactions (self, request, truth, divergence, object, progress, error);
}

static gboolean
print (const Request  *request,
       JsonObject     *root,
       GError        **error)
{
  const CliField fields[] = {
    { "best_cheap.measure", "Best cheap measure", CLI_TEXT },
    { "best_cheap.spearman", "Its rank correlation with the measured divergence", CLI_NUMBER },
    { NULL },
  };
  const CliField no_fields[] = { { NULL } };
  g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
  g_autofree CliField *columns = g_new0 (CliField, request->table->len + 3);
  JsonObject *best = json_object_get_object_member (root, "best_cheap");
  gboolean known = !json_object_get_null_member (best, "measure");
  const CliView view = { known ? fields : no_fields, "layers", columns };

  columns[0] = (CliField) { "canonical", "LAYER", CLI_TEXT };
  columns[1] = (CliField) { "format", "FORMAT", CLI_TEXT };
  for (guint i = 0; i < request->table->len; i++)
    {
      const TareMeasure *measure = g_ptr_array_index (request->table, i);
      char *key = g_strconcat ("measures.", measure->id, NULL);

      g_ptr_array_add (keys, key);
      columns[i + 2] = (CliField) { key, measure->label, CLI_NUMBER };
    }

  return cli_print (root, request->json, &view, error);
}

static gboolean
run (const Request  *request,
     const char     *path,
     JsonObject     *root,
     GError        **error)
{
  const TareProgress *progress = cli_progress_start ();
  TareProgress first = tare_progress_part (progress, 0.0, 0.2);
  TareProgress second = tare_progress_part (progress, 0.2, 0.9);
  TareProgress third = tare_progress_part (progress, 0.9, 1.0);
  g_auto(Survey) survey = { 0 };

  if (!survey_init (&survey, request, path, root, &first, error) ||
      !measure_layers (&survey, request, &second, error) ||
      !add_divergence (&survey, request, root, &third, error))
    return FALSE;
  cli_progress_finish ();

  add_measures (request, root);
  add_layers (&survey, request, root);
  add_correlations (&survey, request, root);
  add_best_cheap (&survey, request, root);

  return TRUE;
}

static gboolean
sensitivity (const CliCommand  *self,
             int                argc,
             char             **argv,
             GError           **error)
{
  g_auto(Request) request = {
    .context = CLI_NOT_GIVEN, .n_tokens = CLI_NOT_GIVEN, .n_interacting = CLI_NOT_GIVEN,
  };
  const GOptionEntry entries[] = {
    { "text", 0, 0, G_OPTION_ARG_FILENAME, &request.text, "The text to calibrate and to measure "
      "on", "FILE" },
    { "calibration", 0, 0, G_OPTION_ARG_FILENAME, &request.calibration,
      "A calibration, so that the text is only measured on", "FILE" },
    { "measure", 0, 0, G_OPTION_ARG_STRING, &request.measures, "Which measures, or all; with "
      "--json all if none is named, else those that look at the format", "M,..." },
    { "format", 0, 0, G_OPTION_ARG_STRING, &request.format, "What to round to, q4_k if none is "
      "named", "F" },
    { "recipe", 0, 0, G_OPTION_ARG_FILENAME, &request.recipe, "What to round to, layer by layer",
      "FILE" },
    { "memory", 0, 0, G_OPTION_ARG_STRING, &request.memory,
      "Memory to get by with when the network is run, 4GiB; half of what is free if not given",
      "SIZE" },
    { NULL },
  };
  const CliNumber numbers[] = {
    { "context", "Tokens of one sequence", &request.context, 1, G_MAXINT32, 0,
      CLI_USUAL_CONTEXT },
    { "tokens", "Tokens at most", &request.n_tokens, 1, G_MAXINT32, 0, "all" },
    { "interactions", "Measure every pair of so many of the most sensitive layers",
      &request.n_interacting, 2, G_MAXINT32, 0, "none" },
    { NULL },
  };
  const CliChoice choices[] = {
    { "method", "How to round", &request.method, tare_method_name_at, tare_method_name_at (0) },
    { "range", "How ranges are chosen", &request.range, tare_range_name_at,
      tare_range_name_at (0) },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse_with (self, argc, argv, entries, numbers, choices, 1,
                                        &request.json, error);
  g_autoptr(JsonObject) root = json_object_new ();

  return paths != NULL &&
         check_request (&request, error) &&
         run (&request, paths[0], root, error) &&
         print (&request, root, error);
}

const CliCommand cli_command_sensitivity = {
  .name = "sensitivity",
  .arguments = "MODEL (--text FILE | --calibration FILE) [--measure M,...|all] [--format F | "
               "--recipe FILE] [--method M] [--range R] [--context N] [--tokens N] "
               "[--interactions K] [--memory SIZE] [--json]",
  .description = "What makes each layer hard to round, and what rounding it costs",
  .run = sensitivity,
};
