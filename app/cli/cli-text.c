/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include "quant/network/tare-network.h"
#include "quant/tare-error.h"

/* A tokenizer by itself is model enough for its tokens: its file, or a folder
 * whose weights are missing or broken. */
static TareTokenizer *
open_tokenizer (const char  *path,
                GError     **error)
{
  g_autofree char *inside = g_build_filename (path, "tokenizer.json", NULL);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(GError) local = NULL;
  TareTokenizer *tokenizer;

  if (g_str_has_suffix (path, "tokenizer.json"))
    {
      g_autofree char *json = NULL;
      gsize length;

      if (!g_file_get_contents (path, &json, &length, error))
        return NULL;

      return tare_tokenizer_new_from_json (json, length, NULL, 0, path, error);
    }

  model = tare_model_open (path, &local);
  if (model == NULL && g_file_test (inside, G_FILE_TEST_IS_REGULAR))
    return tare_tokenizer_new_from_folder (path, error);
  if (model == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }

  tokenizer = tare_model_get_tokenizer (model, error);

  return tokenizer != NULL ? tare_tokenizer_ref (tokenizer) : NULL;
}

/* Text as a model reads it; with specials they are both added and recognised. */
static GArray *
tokenize_file (TareTokenizer  *tokenizer,
               const char     *path,
               gboolean        special,
               GError        **error)
{
  g_autofree char *text = NULL;
  gsize length = 0;

  text = cli_load_text (path, &length, error);
  if (text == NULL)
    return NULL;

  return tare_tokenizer_encode (tokenizer, text, length,
                                special ? TARE_TOKEN_FLAGS_ADD_SPECIAL |
                                          TARE_TOKEN_FLAGS_PARSE_SPECIAL
                                        : TARE_TOKEN_FLAGS_NONE);
}

static const CliField tokenize_fields[] = {
  { "tokens", "Tokens", CLI_INTEGER },
  { "count", "Count", CLI_INTEGER },
  { NULL },
};

static const CliView tokenize_view = { tokenize_fields, NULL, NULL };

static gboolean
tokenize (const CliCommand  *self,
          int                argc,
          char             **argv,
          GError           **error)
{
  gboolean json = FALSE;
  gboolean no_special = FALSE;
  g_autofree char *text_path = NULL;
  const GOptionEntry entries[] = {
    { "text", 0, 0, G_OPTION_ARG_FILENAME, &text_path, "The text", "FILE" },
    { "no-special", 0, 0, G_OPTION_ARG_NONE, &no_special,
      "Neither add control tokens nor recognise their names", NULL },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse (self, argc, argv, entries, 1, &json, error);
  g_autoptr(TareTokenizer) tokenizer = NULL;
  g_autoptr(GArray) tokens = NULL;
  g_autoptr(JsonObject) root = json_object_new ();

  if (paths == NULL || !cli_require (text_path, "--text", error))
    return FALSE;

  tokenizer = open_tokenizer (paths[0], error);
  if (tokenizer == NULL)
    return FALSE;
  tokens = tokenize_file (tokenizer, text_path, !no_special, error);
  if (tokens == NULL)
    return FALSE;

  cli_set_tokens (root, "tokens", (const guint32 *) (gpointer) tokens->data, tokens->len);
  cli_set_size (root, "count", tokens->len);

  return cli_print (root, json, &tokenize_view, error);
}

const CliCommand cli_command_tokenize = {
  .name = "tokenize",
  .arguments = "MODEL --text FILE [--no-special] [--json]",
  .description = "The tokens of a text",
  .run = tokenize,
};

static const CliField logits_fields[] = {
  { "tokens", "Tokens", CLI_INTEGER },
  { "vocabulary", "Vocabulary", CLI_INTEGER },
  { "output", "Written to", CLI_TEXT },
  { NULL },
};

static const CliView logits_view = { logits_fields, NULL, NULL };

static gboolean
save_logits (TareModel     *model,
             const guint32 *tokens,
             gsize          n_tokens,
             const char    *path,
             GError       **error)
{
  g_autoptr(TareNetwork) network = tare_network_new (model, error);
  g_autofree float *logits = NULL;
  gsize vocabulary;

  if (network == NULL)
    return FALSE;

  vocabulary = tare_network_get_config (network)->vocabulary;
  logits = g_try_malloc_n (n_tokens, vocabulary * sizeof (float));
  if (logits == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: no memory for the logits of %" G_GSIZE_FORMAT " tokens",
                   tare_model_get_path (model), n_tokens);
      return FALSE;
    }
  if (!tare_network_run (network, &tare_weights_of_file, tokens, n_tokens, logits,
                         cli_progress_start (), error))
    return FALSE;
  cli_progress_finish ();

  return cli_save (path, logits, n_tokens * vocabulary * sizeof (float), error);
}

/* The first @n tokens of a text, from a supported model. */
static GArray *
take_tokens (TareModel   *model,
             const char  *path,
             gint64       n,
             GError     **error)
{
  TareTokenizer *tokenizer;
  g_autoptr(GArray) tokens = NULL;

  if (!tare_model_check_runnable (model, error))
    return NULL;
  tokenizer = tare_model_get_tokenizer (model, error);
  if (tokenizer == NULL)
    return NULL;
  tokens = tokenize_file (tokenizer, path, TRUE, error);
  if (tokens == NULL)
    return NULL;
  if (tokens->len < n)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: has %u tokens, fewer than the %" G_GINT64_FORMAT " asked for", path,
                   tokens->len, n);
      return NULL;
    }
  g_array_set_size (tokens, (guint) n);

  return g_steal_pointer (&tokens);
}

static gboolean
logits (const CliCommand  *self,
        int                argc,
        char             **argv,
        GError           **error)
{
  gboolean json = FALSE;
  g_autofree char *text_path = NULL;
  g_autofree char *output = NULL;
  gint64 n = CLI_NOT_GIVEN;
  const GOptionEntry entries[] = {
    { "text", 0, 0, G_OPTION_ARG_FILENAME, &text_path, "The text", "FILE" },
    { "output", 0, 0, G_OPTION_ARG_FILENAME, &output, "Where to write the logits", "FILE" },
    { NULL },
  };
  const CliNumber numbers[] = {
    { "tokens", "How many tokens of it", &n, 1, G_MAXINT32, 0, NULL },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse_with (self, argc, argv, entries, numbers, NULL, 1,
                                        &json, error);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(GArray) tokens = NULL;
  g_autoptr(JsonObject) root = json_object_new ();
  const guint32 *values;

  if (paths == NULL || !cli_require (text_path, "--text", error) ||
      !cli_require (output, "--output", error))
    return FALSE;

  model = tare_model_open (paths[0], error);
  if (model == NULL)
    return FALSE;
  tokens = take_tokens (model, text_path, n, error);
  if (tokens == NULL)
    return FALSE;
  values = (const guint32 *) (gpointer) tokens->data;
  if (!save_logits (model, values, tokens->len, output, error))
    return FALSE;

  cli_set_tokens (root, "tokens", values, tokens->len);
  cli_set_size (root, "vocabulary", tare_model_get_config (model)->vocabulary);
  cli_set_string (root, "output", output);

  return cli_print (root, json, &logits_view, error);
}

const CliCommand cli_command_logits = {
  .name = "logits",
  .arguments = "MODEL --text FILE --tokens N --output FILE [--json]",
  .description = "The logits of a text, row-major F32",
  .run = logits,
};
