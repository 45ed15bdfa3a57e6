/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <math.h>

#include "analysis/evaluation/tare-evaluator.h"

static const CliField fields[] = {
  { "perplexity", "Perplexity", CLI_NUMBER },
  { "perplexity_error", "  its standard error", CLI_NUMBER },
  { "nll", "Negative log-likelihood", CLI_NUMBER },
  { "base_perplexity", "Perplexity of the base", CLI_NUMBER },
  { "base_name", "  which was", CLI_TEXT },
  { "kl_mean", "KL divergence, mean", CLI_NUMBER },
  { "kl_error", "  its standard error", CLI_NUMBER },
  { "kl_p50", "KL divergence, median", CLI_NUMBER },
  { "kl_p99", "KL divergence, 99 %", CLI_NUMBER },
  { "kl_max", "KL divergence, maximum", CLI_NUMBER },
  { "kl_kind", "Kind of KL figures", CLI_TEXT },
  { "same_top", "Same likeliest token", CLI_PERCENT },
  { "same_top_error", "  its standard error", CLI_PERCENT },
  { "tokens", "Predictions scored", CLI_INTEGER },
  { "chunks", "Chunks", CLI_INTEGER },
  { "context", "Tokens of a chunk", CLI_INTEGER },
  { "mode", "Convention", CLI_TEXT },
  { "boundaries", "Boundary states kept", CLI_INTEGER },
  { "boundaries_in_files", "  of them in files", CLI_INTEGER },
  { "tasks", "Questions", CLI_INTEGER },
  { "accuracy", "Answered right", CLI_PERCENT },
  { "accuracy_interval", "  95 % interval", CLI_PERCENT },
  { "normalized_accuracy", "  by character", CLI_PERCENT },
  { "normalized_accuracy_interval", "  95 % interval", CLI_PERCENT },
  { "task_agreement", "Answered as the base does", CLI_PERCENT },
  { "base_accuracy", "Answered right by the base", CLI_PERCENT },
  { "base_statistics_bytes", "Base statistics written", CLI_SIZE },
  { "bytes_per_prediction", "  bytes of a prediction", CLI_INTEGER },
  { "bytes", "Size", CLI_SIZE },
  { "bits_per_weight", "Bits per weight", CLI_NUMBER },
  { "seconds", "Seconds", CLI_NUMBER },
  { NULL },
};

static const CliView view = { fields, NULL, NULL };

/* What was asked for. */
typedef struct
{
  char                  *text;
  char                  *tasks;
  char                  *mode;
  char                  *recipe;
  char                  *base;
  char                  *base_statistics;
  char                  *save_base;
  char                  *calibration;
  char                  *memory;
  gint64                 context;
  gint64                 chunks;
  gint64                 questions;
  gint64                 base_tokens;
  gboolean               json;
  TareEvaluationOptions  options;
} Request;

static void
request_clear (Request *self)
{
  g_free (self->text);
  g_free (self->tasks);
  g_free (self->mode);
  g_free (self->recipe);
  g_free (self->base);
  g_free (self->base_statistics);
  g_free (self->save_base);
  g_free (self->calibration);
  g_free (self->memory);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

static gboolean
check_base (Request  *self,
            GError  **error)
{
  if (self->recipe != NULL && self->base != NULL)
    return cli_usage_error (error, "--recipe weighs against MODEL, so --base cannot be given too");
  if (self->base_statistics != NULL && self->base != NULL)
    return cli_usage_error (error, "--base-statistics stand for the base, so --base cannot be "
                            "given too");
  if (self->save_base != NULL
      && (self->recipe != NULL || self->base != NULL || self->base_statistics != NULL))
    return cli_usage_error (error, "--save-base is of MODEL as it is, with no --recipe, --base or "
                            "--base-statistics");
  if (self->base_tokens != 0 && self->save_base == NULL)
    return cli_usage_error (error, "--base-tokens needs --save-base");
  if (self->text == NULL && (self->save_base != NULL || self->base_statistics != NULL))
    return cli_usage_error (error, "statistics of a base need a --text");

  return TRUE;
}

static gboolean
check_request (Request  *self,
               GError  **error)
{
  const TareEvaluationModeInfo *mode = tare_evaluation_mode_get (0);

  if ((self->tasks == NULL && !cli_require (self->text, "--text", error)) ||
      !cli_parse_size (self->memory, "--memory", &self->options.memory_budget, error) ||
      !check_base (self, error))
    return FALSE;
  if (self->calibration != NULL && self->recipe == NULL)
    return cli_usage_error (error, "--calibration needs a --recipe");
  if (self->mode != NULL)
    mode = tare_evaluation_mode_lookup (self->mode);

  self->options.mode = mode->mode;
  self->options.context = (guint) self->context;
  self->options.maximum_chunks = (gsize) self->chunks;

  return TRUE;
}

static const char *
get_mode_id (TareEvaluationMode mode)
{
  for (gsize i = 0; i < tare_evaluation_mode_get_n_modes (); i++)
    if (tare_evaluation_mode_get (i)->mode == mode)
      return tare_evaluation_mode_get (i)->id;

  return NULL;
}

/* Figures against a base are null without one. */
static void
add_accuracy (JsonObject         *root,
              const TareAccuracy *accuracy)
{
  double unknown = accuracy->has_base ? 0.0 : (double) NAN;

  cli_set_number (root, "perplexity", accuracy->perplexity);
  cli_set_number (root, "perplexity_error", accuracy->perplexity_error);
  cli_set_number (root, "nll", accuracy->nll);
  cli_set_size (root, "tokens", accuracy->n_tokens);
  cli_set_size (root, "chunks", accuracy->n_chunks);
  cli_set_size (root, "context", accuracy->context);
  cli_set_string (root, "mode", get_mode_id (accuracy->mode));
  cli_set_size (root, "boundaries", accuracy->n_boundaries);
  cli_set_size (root, "boundaries_in_files", accuracy->n_in_files);
  cli_set_number (root, "kl_mean", accuracy->kl_mean + unknown);
  cli_set_number (root, "kl_error", accuracy->kl_error + unknown);
  cli_set_number (root, "kl_p50", accuracy->kl_median + unknown);
  cli_set_number (root, "kl_p99", accuracy->kl_p99 + unknown);
  cli_set_number (root, "kl_max", accuracy->kl_max + unknown);
  cli_set_number (root, "same_top", accuracy->same_top + unknown);
  cli_set_number (root, "same_top_error", accuracy->same_top_error + unknown);
  cli_set_number (root, "base_perplexity", accuracy->base_perplexity + unknown);
  if (accuracy->has_base)
    cli_set_string (root, "kl_kind", accuracy->has_bound ? "lower bound" : "exact");
}

/* What the base predicts, to be kept, or in place of a base. */
static gboolean
evaluate_statistics (const Request       *request,
                     const TareWeights   *weights,
                     TareEvaluator       *evaluator,
                     TareAccuracy        *accuracy,
                     JsonObject          *root,
                     const TareProgress  *progress,
                     GError             **error)
{
  g_autoptr(TareBaseStatistics) statistics = NULL;
  guint64 bytes = 0;

  if (request->base_statistics != NULL)
    {
      TareProgress reading = tare_progress_part (progress, 0.0, 0.0);

      statistics = tare_base_statistics_load (request->base_statistics, &reading, error);
      if (statistics == NULL)
        return FALSE;
      cli_set_string (root, "base_name", tare_base_statistics_get_identity (statistics)->name);
      return tare_evaluator_run_statistics (evaluator, weights, statistics, accuracy, progress,
                                            error);
    }

  if (!tare_evaluator_save_base (evaluator, request->save_base,
                                 request->base_tokens > 0 ? (guint32) request->base_tokens
                                                          : TARE_BASE_STATISTICS_KEPT,
                                 &bytes, accuracy, progress, error))
    return FALSE;
  cli_set_size (root, "base_statistics_bytes", bytes);
  cli_set_size (root, "bytes_per_prediction", bytes / accuracy->n_tokens);

  return TRUE;
}

/* What is evaluated: a model or a recipe of it, and what against. */
typedef struct
{
  TareModel         *model;
  TareModel         *base;
  TareRecipeWeights *weights;
  TareEngine        *engine;
} Subject;

static void
subject_clear (Subject *self)
{
  g_clear_pointer (&self->weights, tare_recipe_weights_free);
  g_clear_pointer (&self->engine, tare_engine_unref);
  g_clear_pointer (&self->base, tare_model_unref);
  g_clear_pointer (&self->model, tare_model_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Subject, subject_clear)

static gboolean
open_recipe (const Request  *request,
             Subject        *subject,
             JsonObject     *root,
             GError        **error)
{
  g_autoptr(TareRecipe) recipe = tare_recipe_load (request->recipe, error);
  g_autoptr(TareCalibration) calibration = NULL;
  guint64 bytes;

  if (recipe == NULL || !cli_open_calibration (request->calibration, &calibration, error))
    return FALSE;

  cli_tell_unmatched (request->recipe, recipe, subject->model, request->json, root);
  subject->engine = tare_engine_new (subject->model);
  if (request->options.memory_budget > 0)
    tare_engine_set_budget (subject->engine, request->options.memory_budget / 4);
  subject->weights = tare_recipe_weights_new (subject->engine, recipe, calibration);
  /* As quantize writes it unless told otherwise. */
  bytes = tare_target_measure_bytes (tare_target_get (0), recipe, subject->model);
  cli_set_size (root, "bytes", bytes);
  cli_set_number (root, "bits_per_weight",
                  8.0 * (double) bytes / (double) MAX (tare_model_get_n_weights (subject->model),
                                                       1));

  return TRUE;
}

static gboolean
evaluate_text (const Request       *request,
               const Subject       *subject,
               JsonObject          *root,
               const TareProgress  *progress,
               GError             **error)
{
  g_autoptr(TareEvaluator) evaluator = NULL;
  g_autofree char *text = NULL;
  TareEvaluationOptions options = request->options;
  TareAccuracy accuracy = { 0 };
  gsize length = 0;
  gboolean ok;

  text = cli_load_text (request->text, &length, error);
  if (text == NULL)
    return FALSE;
  options.text_name = request->text;
  evaluator = tare_evaluator_new (subject->base != NULL ? subject->base : subject->model, text,
                                  length, &options, error);
  if (evaluator == NULL)
    return FALSE;

  if (request->base_statistics != NULL || request->save_base != NULL)
    ok = evaluate_statistics (request, subject->weights != NULL ? &subject->weights->weights
                                                                : &tare_weights_of_file,
                              evaluator, &accuracy, root, progress, error);
  else if (subject->weights != NULL)
    ok = tare_evaluator_run (evaluator, &subject->weights->weights, &accuracy, progress, error);
  else if (subject->base != NULL)
    ok = tare_evaluator_run_model (evaluator, subject->model, &accuracy, progress, error);
  else
    ok = tare_evaluator_run_base (evaluator, &accuracy, progress, error);
  if (ok)
    add_accuracy (root, &accuracy);

  return ok;
}

static gboolean
evaluate_tasks (const Request       *request,
                const Subject       *subject,
                JsonObject          *root,
                const TareProgress  *progress,
                GError             **error)
{
  gboolean recipe = subject->weights != NULL;

  return cli_evaluate_tasks (request->tasks, (gsize) request->questions, subject->model,
                             recipe ? &subject->weights->weights : &tare_weights_of_file,
                             recipe ? subject->model : subject->base,
                             request->options.memory_budget, root, progress, error);
}

static gboolean
run (const Request  *request,
     Subject        *subject,
     JsonObject     *root,
     GError        **error)
{
  const TareProgress *progress = cli_progress_start ();
  TareProgress first = tare_progress_part (progress, 0.0, request->tasks != NULL ? 0.5 : 1.0);
  TareProgress second = tare_progress_part (progress, request->text != NULL ? 0.5 : 0.0, 1.0);

  if (request->base != NULL
      && (subject->base = tare_model_open (request->base, error)) == NULL)
    return FALSE;
  if (request->recipe != NULL && !open_recipe (request, subject, root, error))
    return FALSE;

  return (request->text == NULL || evaluate_text (request, subject, root, &first, error))
         && (request->tasks == NULL || evaluate_tasks (request, subject, root, &second, error));
}

static gboolean
evaluate (const CliCommand  *self,
          int                argc,
          char             **argv,
          GError           **error)
{
  g_auto(Request) request = {
    .context = CLI_NOT_GIVEN, .chunks = CLI_NOT_GIVEN, .questions = CLI_NOT_GIVEN,
    .base_tokens = CLI_NOT_GIVEN,
  };
  const GOptionEntry entries[] = {
    { "text", 0, 0, G_OPTION_ARG_FILENAME, &request.text, "The text", "FILE" },
    { "tasks", 0, 0, G_OPTION_ARG_FILENAME, &request.tasks,
      "Multiple-choice questions, one JSON object a line", "FILE" },
    { "recipe", 0, 0, G_OPTION_ARG_FILENAME, &request.recipe,
      "Evaluate MODEL under this recipe, against MODEL as it is", "FILE" },
    { "calibration", 0, 0, G_OPTION_ARG_FILENAME, &request.calibration,
      "Activations for the recipe", "FILE" },
    { "base", 0, 0, G_OPTION_ARG_FILENAME, &request.base, "What to evaluate against", "MODEL" },
    { "save-base", 0, 0, G_OPTION_ARG_FILENAME, &request.save_base,
      "Keep what MODEL predicts: its likeliest tokens, and the rest as one", "FILE" },
    { "base-statistics", 0, 0, G_OPTION_ARG_FILENAME, &request.base_statistics,
      "Evaluate against what --save-base kept; KL divergences are lower bounds", "FILE" },
    { "memory", 0, 0, G_OPTION_ARG_STRING, &request.memory,
      "Memory to get by with, 4GiB; half of what is free if not given", "SIZE" },
    { NULL },
  };
  const CliNumber numbers[] = {
    { "questions", "Questions at most", &request.questions, 1, G_MAXINT32, 0, "all" },
    { "context", "Tokens of a chunk, which perplexity depends on", &request.context, 2, G_MAXINT32,
      0, CLI_USUAL_CONTEXT },
    { "chunks", "Chunks at most", &request.chunks, 1, G_MAXINT32, 0, "all" },
    { "base-tokens", "Likeliest tokens to keep with --save-base", &request.base_tokens, 1,
      TARE_BASE_STATISTICS_KEPT_MOST, 0, G_STRINGIFY (TARE_BASE_STATISTICS_KEPT) },
    { NULL },
  };
  const CliChoice choices[] = {
    { "mode", "By which convention a text is scored", &request.mode, tare_evaluation_mode_name_at,
      tare_evaluation_mode_name_at (0) },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse_with (self, argc, argv, entries, numbers, choices, 1,
                                        &request.json, error);
  g_auto(Subject) subject = { NULL };
  g_autoptr(JsonObject) root = json_object_new ();
  gint64 begin = g_get_monotonic_time ();

  if (paths == NULL || !check_request (&request, error))
    return FALSE;

  subject.model = tare_model_open (paths[0], error);
  if (subject.model == NULL || !run (&request, &subject, root, error))
    return FALSE;
  cli_progress_finish ();

  cli_set_number (root, "seconds", (double) (g_get_monotonic_time () - begin) / G_USEC_PER_SEC);

  return cli_print (root, request.json, &view, error);
}

const CliCommand cli_command_evaluate = {
  .name = "evaluate",
  .arguments = "MODEL [--text FILE [--context N] [--mode llama.cpp|segments] [--chunks N]] "
               "[--tasks FILE [--questions N]] "
               "[--recipe FILE [--calibration FILE]] [--base MODEL | --base-statistics FILE | "
               "--save-base FILE [--base-tokens N]] [--memory SIZE] [--json]",
  .description = "Accuracy on a text and on questions, and divergence from a base",
  .run = evaluate,
};
