/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <math.h>

#include "analysis/evaluation/tare-continuation.h"

static const CliField fields[] = {
  { "prompt", "Prompt", CLI_TEXT },
  { "base.text", "Goes on", CLI_TEXT },
  { "base.seconds", "  in seconds", CLI_NUMBER },
  { "recipe.text", "By the recipe", CLI_TEXT },
  { "recipe.seconds", "  in seconds", CLI_NUMBER },
  { "same_tokens", "The same for tokens", CLI_INTEGER },
  { "next_kl", "KL divergence where they part", CLI_NUMBER },
  { NULL },
};

static const CliField columns[] = {
  { "token", "Token", CLI_INTEGER },
  { "text", "Text", CLI_TEXT },
  { "base", "Base", CLI_PERCENT },
  { "recipe", "Recipe", CLI_PERCENT },
  { NULL },
};

static const CliView view = { fields, "next", columns };

/* What was asked for. */
typedef struct
{
  char                    *prompt;
  char                    *text;
  char                    *recipe;
  char                    *calibration;
  gint64                   n_tokens;
  gint64                   seed;
  gint64                   position;
  gboolean                 json;
  TareContinuationOptions  options;
} Request;

static void
request_clear (Request *self)
{
  g_free (self->prompt);
  g_free (self->text);
  g_free (self->recipe);
  g_free (self->calibration);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

static gboolean
check_request (Request  *self,
               GError  **error)
{
  if ((self->prompt == NULL) == (self->text == NULL))
    return cli_usage_error (error, "either --prompt or --text is needed");
  if (self->calibration != NULL && self->recipe == NULL)
    return cli_usage_error (error, "--calibration needs a --recipe");
  if (self->position >= 0 && self->recipe == NULL)
    return cli_usage_error (error, "--position compares with a --recipe");
  if (!(self->options.temperature >= 0.0) || !isfinite (self->options.temperature))
    return cli_usage_error (error, "--temperature must be 0 or more");
  if (!(self->options.top_p > 0.0 && self->options.top_p <= 1.0))
    return cli_usage_error (error, "--top-p must be above 0 and at most 1");
  self->options.n_tokens = (guint) self->n_tokens;
  self->options.seed = (guint32) self->seed;

  return TRUE;
}

static void
add_text (JsonObject             *root,
          const char             *key,
          const TareContinuation *text)
{
  JsonObject *object = json_object_new ();
  JsonArray *probabilities = json_array_new ();
  gsize first = tare_continuation_get_n_prompt (text);
  gsize n = tare_continuation_get_n_tokens (text);
  g_autofree char *added = tare_continuation_dup_text (text, first, n - first);

  for (gsize i = first; i < n; i++)
    json_array_add_double_element (probabilities, tare_continuation_get_probability (text, i));
  cli_set_string (object, "text", added);
  cli_set_tokens (object, "tokens", tare_continuation_get_tokens (text) + first, n - first);
  json_object_set_array_member (object, "probabilities", probabilities);
  cli_set_number (object, "seconds", tare_continuation_get_seconds (text));
  json_object_set_object_member (root, key, object);
}

/* Tokens that both begin with. */
static gsize
count_same (const TareContinuation *a,
            const TareContinuation *b)
{
  gsize n = MIN (tare_continuation_get_n_tokens (a), tare_continuation_get_n_tokens (b));
  gsize i = tare_continuation_get_n_prompt (a);

  while (i < n && tare_continuation_get_tokens (a)[i] == tare_continuation_get_tokens (b)[i])
    i++;

  return i - tare_continuation_get_n_prompt (a);
}

static gboolean
add_next (const Request           *request,
          TareModel               *model,
          const TareWeights       *weights,
          const TareContinuation  *base,
          gsize                    same,
          JsonObject              *root,
          const TareProgress      *progress,
          GError                 **error)
{
  gsize position = request->position >= 0 ? (gsize) request->position : same;
  gsize first = tare_continuation_get_n_prompt (base);
  gsize n = MIN (first + position, tare_continuation_get_n_tokens (base));
  JsonArray *rows = json_array_new ();
  g_autoptr(TareNextTokens) next = NULL;

  next = tare_next_tokens_new (model, &tare_weights_of_file, weights,
                               tare_continuation_get_tokens (base), n,
                               request->options.n_candidates, G_MAXUINT32, progress, error);
  for (gsize i = 0; next != NULL && i < next->n; i++)
    {
      JsonObject *row = json_object_new ();

      cli_set_size (row, "token", next->rows[i].token);
      cli_set_string (row, "text", next->rows[i].text);
      cli_set_number (row, "base", (double) next->rows[i].base);
      cli_set_number (row, "recipe", (double) next->rows[i].other);
      json_array_add_object_element (rows, row);
    }
  json_object_set_array_member (root, "next", rows);
  if (next == NULL)
    return FALSE;
  cli_set_size (root, "next_position", n - first);
  cli_set_number (root, "next_kl", next->divergence);

  return TRUE;
}

static gboolean
continue_recipe (const Request           *request,
                 TareModel               *model,
                 const char              *prompt,
                 gsize                    length,
                 const TareContinuation  *base,
                 JsonObject              *root,
                 GError                 **error)
{
  const TareProgress *progress = cli_progress_start ();
  TareProgress first = tare_progress_part (progress, 0.5, 0.9);
  TareProgress second = tare_progress_part (progress, 0.9, 1.0);
  g_autoptr(TareRecipe) recipe = tare_recipe_load (request->recipe, error);
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(TareEngine) engine = NULL;
  g_autoptr(TareRecipeWeights) weights = NULL;
  g_autoptr(TareContinuation) other = NULL;
  gsize same;

  if (recipe == NULL || !cli_open_calibration (request->calibration, &calibration, error))
    return FALSE;

  cli_tell_unmatched (request->recipe, recipe, model, request->json, root);
  engine = tare_engine_new (model);
  weights = tare_recipe_weights_new (engine, recipe, calibration);
  other = tare_continuation_new (model, &weights->weights, prompt, length, &request->options,
                                 &first, error);
  if (other == NULL)
    return FALSE;

  same = count_same (base, other);
  add_text (root, "recipe", other);
  cli_set_size (root, "same_tokens", same);

  return add_next (request, model, &weights->weights, base, same, root, &second, error);
}

static gboolean
run (const Request  *request,
     TareModel      *model,
     JsonObject     *root,
     GError        **error)
{
  const TareProgress *progress = cli_progress_start ();
  TareProgress first = tare_progress_part (progress, 0.0, request->recipe != NULL ? 0.5 : 1.0);
  g_autofree char *prompt = NULL;
  g_autoptr(TareContinuation) base = NULL;
  gsize length = 0;

  if (request->text != NULL)
    prompt = cli_load_text (request->text, &length, error);
  else
    prompt = g_strdup (request->prompt);
  if (prompt == NULL)
    return FALSE;
  if (request->text == NULL)
    length = strlen (prompt);

  base = tare_continuation_new (model, &tare_weights_of_file, prompt, length, &request->options,
                                &first, error);
  if (base == NULL)
    return FALSE;
  cli_set_string (root, "prompt", prompt);
  cli_set_size (root, "prompt_tokens", tare_continuation_get_n_prompt (base));
  add_text (root, "base", base);

  return request->recipe == NULL
         || continue_recipe (request, model, prompt, length, base, root, error);
}

static gboolean
continue_text (const CliCommand  *self,
               int                argc,
               char             **argv,
               GError           **error)
{
  g_auto(Request) request = {
    .n_tokens = CLI_NOT_GIVEN, .seed = CLI_NOT_GIVEN, .position = CLI_NOT_GIVEN,
    .options = TARE_CONTINUATION_OPTIONS_DEFAULT,
  };
  const GOptionEntry entries[] = {
    { "prompt", 0, 0, G_OPTION_ARG_STRING, &request.prompt, "The text to go on with", "TEXT" },
    { "text", 0, 0, G_OPTION_ARG_FILENAME, &request.text, "A file with that text", "FILE" },
    { "temperature", 0, 0, G_OPTION_ARG_DOUBLE, &request.options.temperature,
      "0 takes the likeliest token, 1 draws as likely as they are; 0 if not given", "T" },
    { "top-p", 0, 0, G_OPTION_ARG_DOUBLE, &request.options.top_p,
      "Draw from the likeliest tokens that have this probability together; 1 if not given", "P" },
    { "recipe", 0, 0, G_OPTION_ARG_FILENAME, &request.recipe,
      "Also by MODEL under this recipe", "FILE" },
    { "calibration", 0, 0, G_OPTION_ARG_FILENAME, &request.calibration,
      "Activations for the recipe", "FILE" },
    { NULL },
  };
  const CliNumber numbers[] = {
    { "tokens", "Tokens to add at most", &request.n_tokens, 1, 65536, 64, "64" },
    { "seed", "Of the drawing", &request.seed, 0, G_MAXUINT32, 1, "1" },
    { "position", "Compare what may come after so many added tokens", &request.position, 0,
      G_MAXINT32, -1, "where the two part" },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse_with (self, argc, argv, entries, numbers, NULL, 1,
                                        &request.json, error);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(JsonObject) root = json_object_new ();

  if (paths == NULL || !check_request (&request, error))
    return FALSE;

  model = tare_model_open (paths[0], error);
  if (model == NULL || !run (&request, model, root, error))
    return FALSE;
  cli_progress_finish ();

  return cli_print (root, request.json, &view, error);
}

const CliCommand cli_command_continue = {
  .name = "continue",
  .arguments = "MODEL (--prompt TEXT | --text FILE) [--tokens N] [--temperature T] [--top-p P] "
               "[--seed N] [--recipe FILE [--calibration FILE] [--position N]] [--json]",
  .description = "A text written on, and by a recipe beside it",
  .run = continue_text,
};
