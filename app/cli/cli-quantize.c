/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <glib/gstdio.h>
#include <math.h>

static const CliField fields[] = {
  { "output", "Written to", CLI_TEXT },
  { "target", "Target", CLI_TEXT },
  { "file_bytes", "File", CLI_SIZE },
  { "bytes", "Tensors", CLI_SIZE },
  { "source_bytes", "Before", CLI_SIZE },
  { "bits_per_weight", "Bits per weight", CLI_NUMBER },
  { "fallbacks", "Fallbacks", CLI_INTEGER },
  { "seconds", "Seconds", CLI_NUMBER },
  { NULL },
};

static const CliField columns[] = {
  { "canonical", "TENSOR", CLI_TEXT },
  { "format", "FORMAT", CLI_TEXT },
  { "method", "METHOD", CLI_TEXT },
  { "bytes", "SIZE", CLI_SIZE },
  { "relative_error", "ERROR", CLI_NUMBER },
  { "weighted_relative_error", "WEIGHTED", CLI_NUMBER },
  { NULL },
};

static const CliView view = { fields, "tensors", columns };

/* What was asked for. */
typedef struct
{
  char             *format;
  char             *recipe;
  char             *method;
  char             *range;
  char             *calibration;
  char             *output;
  char             *target_id;
  gboolean          dry_run;
  const TareTarget *target;
} Request;

static void
request_clear (Request *self)
{
  g_free (self->format);
  g_free (self->recipe);
  g_free (self->method);
  g_free (self->range);
  g_free (self->calibration);
  g_free (self->output);
  g_free (self->target_id);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

static gboolean
check_request (Request  *self,
               GError  **error)
{
  if ((self->format == NULL) == (self->recipe == NULL))
    return cli_usage_error (error, "either --format or --recipe is needed");
  if (!self->dry_run && !cli_require (self->output, "--output", error))
    return FALSE;

  self->target = self->target_id != NULL ? tare_target_lookup (self->target_id)
                                         : tare_target_get (0);

  return TRUE;
}

/* The rules of a recipe with what the command line says over them. */
static TareRecipe *
override_rules (TareRecipe     *recipe,
                const Request  *request,
                GError        **error)
{
  g_autoptr(TareRecipe) result = tare_recipe_new ();

  for (gsize i = 0; i < tare_recipe_get_n_rules (recipe); i++)
    {
      const TareRule *rule = tare_recipe_get_rule (recipe, i);
      TareAssignment assignment = rule->assignment;
      TareRecipe *next;

      if (!cli_parse_method (request->method, &assignment.method, error) ||
          !cli_parse_range (request->range, &assignment.range, error))
        return NULL;
      next = tare_recipe_with_rule (result, rule->match, &assignment);
      tare_recipe_unref (result);
      result = next;
    }

  return g_steal_pointer (&result);
}

static TareRecipe *
make_recipe (const Request  *request,
             GError        **error)
{
  g_autoptr(TareRecipe) recipe = NULL;

  if (request->recipe != NULL)
    {
      recipe = tare_recipe_load (request->recipe, error);
    }
  else
    {
      TareAssignment assignment = { .range = TARE_RANGE_SEARCH };
      g_autoptr(TareRecipe) none = tare_recipe_new ();

      assignment.format = cli_parse_format (request->format, error);
      if (assignment.format != NULL)
        recipe = tare_recipe_with_rule (none, "*", &assignment);
    }
  if (recipe == NULL || (request->method == NULL && request->range == NULL))
    return g_steal_pointer (&recipe);

  return override_rules (recipe, request, error);
}

static void
add_tensor (JsonArray          *array,
            const TareExported *row,
            TareModel          *model)
{
  const TareTensor *tensor = tare_model_lookup (model, row->canonical);
  JsonObject *object = json_object_new ();

  cli_set_string (object, "canonical", row->canonical);
  cli_set_string (object, "format", row->format != NULL ? row->format->id : tensor->type_name);
  cli_set_string (object, "method", row->method != NULL ? row->method->id : NULL);
  cli_set_size (object, "bytes", row->bytes);
  cli_set_number (object, "relative_error", row->distortion.relative);
  cli_set_number (object, "weighted_relative_error", row->distortion.weighted);
  json_array_add_object_element (array, object);
}

/* NULL for activations that are not rounded. */
static const char *
name_format (const TareFormat *format,
             const TareTensor *tensor)
{
  if (format != NULL)
    return format->id;

  return tensor != NULL ? tensor->type_name : NULL;
}

static void
print_change (const TareChange *change)
{
  const char *from = name_format (change->from, change->tensor);
  const char *to = name_format (change->to, change->tensor);

  if (to == NULL)
    g_printerr ("%s: not rounded to %s: %s\n", change->name, from, change->reason);
  else
    g_printerr ("%s: %s instead of %s, %+" G_GINT64_FORMAT " bytes: %s\n", change->name, to, from,
                change->bytes, change->reason);
}

/* What the target makes of the recipe, before anything is written. */
static void
tell_changes (JsonObject     *root,
              const TarePlan *plan,
              gboolean        json)
{
  JsonArray *array = json_array_new ();

  json_object_set_array_member (root, "changes", array);
  for (guint i = 0; i < plan->changes->len; i++)
    {
      const TareChange *change = &g_array_index (plan->changes, TareChange, i);
      JsonObject *object = json_object_new ();

      cli_set_string (object, "canonical", change->name);
      cli_set_string (object, "from", name_format (change->from, change->tensor));
      cli_set_string (object, "to", name_format (change->to, change->tensor));
      json_object_set_int_member (object, "bytes", change->bytes);
      cli_set_string (object, "reason", change->reason);
      json_array_add_object_element (array, object);
      if (!json)
        print_change (change);
    }
}

/* What it would come to, without rounding anything. */
static void
add_plan (JsonArray        *array,
          const TareTarget *target,
          TareRecipe       *recipe,
          TareModel        *model)
{
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      TareAssignment assignment = tare_recipe_resolve (recipe, tensor);
      TareExported row = {
        .canonical = tensor->canonical,
        .format = tare_target_get_format (target, recipe, tensor),
        .method = assignment.format != NULL ? assignment.method : NULL,
        .bytes = tare_target_get_bytes (target, recipe, tensor),
        .distortion = { .relative = (double) NAN, .weighted = (double) NAN },
      };

      add_tensor (array, &row, model);
    }
}

static gboolean
export (const Request   *request,
        TareModel       *model,
        const TarePlan  *plan,
        TareCalibration *calibration,
        JsonObject      *root,
        JsonArray       *array,
        GError         **error)
{
  g_autoptr(GArray) exported = g_array_new (FALSE, TRUE, sizeof (TareExported));
  g_autoptr(TareEngine) engine = NULL;
  GStatBuf status;

  if (request->dry_run)
    {
      add_plan (array, request->target, plan->recipe, model);
      return TRUE;
    }
  engine = tare_engine_new (model);
  tare_engine_set_budget (engine, 0);
  if (!tare_target_write (request->target, engine, plan->recipe, calibration, request->output,
                          exported, cli_progress_start (), error))
    return FALSE;
  cli_progress_finish ();

  for (guint i = 0; i < exported->len; i++)
    add_tensor (array, &g_array_index (exported, TareExported, i), model);
  cli_set_string (root, "output", request->output);
  if (!request->target->folder && g_stat (request->output, &status) == 0)
    cli_set_size (root, "file_bytes", (guint64) status.st_size);

  return TRUE;
}

static gboolean
quantize (const CliCommand  *self,
          int                argc,
          char             **argv,
          GError           **error)
{
  gboolean json = FALSE;
  g_auto(Request) request = { 0 };
  const GOptionEntry entries[] = {
    { "format", 0, 0, G_OPTION_ARG_STRING, &request.format, "One format for every matrix", "F" },
    { "recipe", 0, 0, G_OPTION_ARG_FILENAME, &request.recipe, "Which gets which", "FILE" },
    { "calibration", 0, 0, G_OPTION_ARG_FILENAME, &request.calibration,
      "Activations to weigh by, or an imatrix file", "FILE" },
    { "output", 0, 0, G_OPTION_ARG_FILENAME, &request.output, "What to write", "PATH" },
    { "dry-run", 0, 0, G_OPTION_ARG_NONE, &request.dry_run, "Tell the sizes, write nothing",
      NULL },
    { NULL },
  };
  const CliChoice choices[] = {
    { "method", "How to round, over all rules", &request.method, tare_method_name_at,
      "the rule's" },
    { "range", "How ranges are chosen, over all rules", &request.range, tare_range_name_at,
      "the rule's" },
    { "target", "What to write it for", &request.target_id, tare_target_name_at,
      tare_target_name_at (0) },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse_with (self, argc, argv, entries, NULL, choices, 1, &json, error);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareRecipe) recipe = NULL;
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(TarePlan) plan = NULL;
  g_autoptr(JsonObject) root = json_object_new ();
  g_autoptr(JsonArray) array = json_array_new ();
  gint64 begin = g_get_monotonic_time ();
  TareRecipeSize size;

  if (paths == NULL || !check_request (&request, error))
    return FALSE;
  recipe = make_recipe (&request, error);
  if (recipe == NULL)
    return FALSE;
  model = tare_model_open (paths[0], error);
  if (model == NULL || !cli_open_calibration (request.calibration, &calibration, error))
    return FALSE;
  cli_tell_unmatched (request.recipe, recipe, model, json, root);
  plan = tare_target_plan (request.target, model, recipe, calibration, error);
  if (plan == NULL)
    return FALSE;
  tell_changes (root, plan, json);
  if (!export (&request, model, plan, calibration, root, array, error))
    return FALSE;

  size = tare_recipe_measure_size (plan->recipe, model);
  cli_set_string (root, "target", request.target->id);
  cli_set_size (root, "bytes", plan->bytes);
  cli_set_size (root, "source_bytes", size.source_bytes);
  cli_set_number (root, "bits_per_weight",
                  8.0 * (double) plan->bytes / (double) MAX (size.weights, 1));
  cli_set_size (root, "fallbacks", size.n_fallbacks);
  cli_set_number (root, "seconds", (double) (g_get_monotonic_time () - begin) / G_USEC_PER_SEC);
  json_object_set_array_member (root, "tensors", g_steal_pointer (&array));

  return cli_print (root, json, &view, error);
}

const CliCommand cli_command_quantize = {
  .name = "quantize",
  .arguments = "MODEL (--format F | --recipe FILE) [--method M] [--range R] [--calibration FILE] "
               "(--output PATH | --dry-run) [--target T] [--json]",
  .description = "Round a model and write it",
  .run = quantize,
};
