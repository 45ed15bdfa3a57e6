/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-gguf.h"
#include "quant/model/tare-tokenizer.h"
#include "tests/quant/tokenizer-fixture.h"
#include "tests/tare-test.h"

/* TARE_TEST_NEED_SHARED for a name that is made here. */
#define NEED(variable, name)                                                           \
  g_autofree char *variable = tare_test_shared (name);                                 \
  if (variable == NULL)                                                                \
    {                                                                                  \
      g_test_skip ("no reference data");                                               \
      return;                                                                          \
    }

#define SEPARATOR "\n__ggml_vocab_test__\n"

static TareTokenizer *
load_gguf (const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareFile) file = tare_file_open (path, &error);
  g_autoptr(GPtrArray) tensors = NULL;
  g_autoptr(TareMetadata) metadata = NULL;
  TareTokenizer *tokenizer;

  g_assert_no_error (error);
  tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  tare_gguf_read (file, tensors, &metadata, &error);
  g_assert_no_error (error);
  tokenizer = tare_tokenizer_new_from_metadata (metadata, path, &error);
  g_assert_no_error (error);

  return tokenizer;
}

static TareTokenizer *
load_json (const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = tare_test_load_bytes (path);
  gsize length = 0;
  const char *json = g_bytes_get_data (bytes, &length);
  TareTokenizer *tokenizer;

  tokenizer = tare_tokenizer_new_from_json (json, length, NULL, 0, path, &error);
  g_assert_no_error (error);

  return tokenizer;
}

static TareTokenizer *
load_folder (const char *path)
{
  g_autoptr(GError) error = NULL;
  TareTokenizer *tokenizer = tare_tokenizer_new_from_folder (path, &error);

  g_assert_no_error (error);

  return tokenizer;
}

/* Holds the first of @tokens against a line of numbers; @whole: that these are all. */
static void
check_tokens (GArray     *tokens,
              const char *line,
              gboolean    whole)
{
  g_auto(GStrv) words = g_strsplit (line, " ", -1);
  guint n = 0;

  for (guint i = 0; words[i] != NULL; i++)
    if (words[i][0] != '\0')
      {
        g_assert_cmpuint (n, <, tokens->len);
        g_assert_cmpuint (g_array_index (tokens, guint32, n), ==,
                          g_ascii_strtoull (words[i], NULL, 10));
        n++;
      }
  if (whole)
    g_assert_cmpuint (tokens->len, ==, n);
}

static void
check_cases (TareTokenizer *tokenizer,
             const char    *name)
{
  TARE_TEST_NEED_SHARED (cases_path, "reference/tokenizers/cases.inp");
  g_autofree char *tokens_name = g_strdup_printf ("reference/tokenizers/%s.tokens", name);
  NEED (tokens_path, tokens_name);
  g_autoptr(GBytes) cases_bytes = tare_test_load_bytes (cases_path);
  g_autoptr(GBytes) tokens_bytes = tare_test_load_bytes (tokens_path);
  g_autofree char *cases = g_strndup (g_bytes_get_data (cases_bytes, NULL),
                                      g_bytes_get_size (cases_bytes));
  g_autofree char *lines = g_strndup (g_bytes_get_data (tokens_bytes, NULL),
                                      g_bytes_get_size (tokens_bytes));
  g_auto(GStrv) texts = g_strsplit (cases, SEPARATOR, -1);
  g_auto(GStrv) expected = g_strsplit (lines, "\n", -1);
  guint n = g_strv_length (texts) - 1;

  g_assert_cmpuint (n, >, 40);
  g_assert_cmpuint (g_strv_length (expected), >=, n);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, texts[i], strlen (texts[i]),
                                                        TARE_TOKEN_FLAGS_NONE);
      g_autoptr(GString) back = tare_tokenizer_decode (tokenizer, (const guint32 *) tokens->data,
                                                       tokens->len);

      g_test_message ("%s, case %u", name, i);
      check_tokens (tokens, expected[i], TRUE);
      g_assert_cmpstr (back->str, ==, texts[i]);
    }
}

static void
test_cases (gconstpointer data)
{
  const char *name = data;
  g_autofree char *gguf_name = g_strdup_printf ("reference/tokenizers/%s.gguf", name);
  g_autofree char *json_name = g_strdup_printf ("reference/tokenizers/%s.tokenizer.json", name);
  NEED (gguf_path, gguf_name);
  NEED (json_path, json_name);
  g_autoptr(TareTokenizer) from_gguf = load_gguf (gguf_path);
  g_autoptr(TareTokenizer) from_json = load_json (json_path);
  g_autoptr(TareTokenizer) from_made = tokenizer_rewrite (from_gguf);
  g_autoptr(TareMetadata) written = tare_metadata_new ();

  check_cases (from_gguf, name);
  check_cases (from_made, name);
  check_cases (from_json, name);

  tare_tokenizer_write_metadata (from_json, (guint) tare_tokenizer_get_n_tokens (from_json),
                                 written);
  g_assert_cmpstr (tare_metadata_get_string (written, "tokenizer.ggml.pre"), ==, name);
}

static TareTokenizer *
write_and_read (TareTokenizer *tokenizer)
{
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(GError) error = NULL;
  TareTokenizer *back;

  tare_tokenizer_write_metadata (tokenizer, (guint) tare_tokenizer_get_n_tokens (tokenizer) + 7,
                                 metadata);
  back = tare_tokenizer_new_from_metadata (metadata, "written", &error);
  g_assert_no_error (error);

  return back;
}

static void
test_pieces (void)
{
  TARE_TEST_NEED_SHARED (gguf_path, "models/stories260K/stories260K-f32.gguf");
  TARE_TEST_NEED_SHARED (folder_path, "models/stories260K");
  g_autoptr(TareTokenizer) from_gguf = load_gguf (gguf_path);
  g_autoptr(TareTokenizer) from_folder = load_folder (folder_path);
  g_autoptr(TareTokenizer) from_written = write_and_read (from_folder);
  g_autoptr(TareTokenizer) from_made = tokenizer_rewrite (from_gguf);

  check_cases (from_gguf, "stories260K");
  check_cases (from_folder, "stories260K");
  check_cases (from_written, "stories260K");
  check_cases (from_made, "stories260K");
}

typedef struct
{
  const char *folder;
  const char *gguf;
  const char *text;
} Model;

static const Model models[] = {
  { "tare-sample", "tare-sample-bf16.gguf", "texts/alice-3k.txt" },
  { "stories260K", "stories260K-f32.gguf", "texts/tinystories.txt" },
  { "llama3-random", "llama3-f32.gguf", "texts/alice-3k.txt" },
  { "qwen2-random", "qwen2-f32.gguf", "texts/alice-3k.txt" },
  { "qwen3-random", "qwen3-f32.gguf", "texts/alice-3k.txt" },
  { "gpt2-random", "gpt2-f32.gguf", "texts/alice-3k.txt" },
  { "gemma2-random", "gemma2-f32.gguf", "texts/alice-3k.txt" },
};

static void
test_model (gconstpointer data)
{
  const Model *model = data;
  g_autofree char *folder_name = g_build_filename ("models", model->folder, NULL);
  NEED (folder, folder_name);
  NEED (text_path, model->text);
  g_autofree char *gguf_path = g_build_filename (folder, model->gguf, NULL);
  g_autofree char *tokens_path = g_build_filename (folder, "tokens.txt", NULL);
  g_autoptr(GBytes) text = tare_test_load_bytes (text_path);
  g_autoptr(GBytes) tokens_bytes = tare_test_load_bytes (tokens_path);
  g_autofree char *line = g_strndup (g_bytes_get_data (tokens_bytes, NULL),
                                     g_bytes_get_size (tokens_bytes));
  g_autoptr(TareTokenizer) from_folder = load_folder (folder);
  g_autoptr(TareTokenizer) from_gguf = load_gguf (gguf_path);
  g_autoptr(TareTokenizer) from_written = write_and_read (from_folder);
  TareTokenizer *tokenizers[] = { from_folder, from_gguf, from_written };

  for (gsize i = 0; i < G_N_ELEMENTS (tokenizers); i++)
    {
      gsize length = 0;
      const char *bytes = g_bytes_get_data (text, &length);
      g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizers[i], bytes, length,
                                                        TARE_TOKEN_FLAGS_ADD_SPECIAL);
      g_autoptr(GString) back = NULL;
      guint skipped = tare_tokenizer_adds_begin (tokenizers[i]);

      check_tokens (tokens, g_strchomp (line), FALSE);
      back = tare_tokenizer_decode (tokenizers[i], (const guint32 *) tokens->data + skipped,
                                    tokens->len - skipped);
      g_assert_cmpmem (back->str, back->len, bytes, length);
    }
}

int
main (int   argc,
      char *argv[])
{
  static const char *const names[] = { "gpt-2", "llama-bpe", "qwen2" };

  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_strconcat ("/tokenizer/cases/", names[i], NULL);

      g_test_add_data_func (path, names[i], test_cases);
    }
  g_test_add_func ("/tokenizer/cases/stories260K", test_pieces);
  for (gsize i = 0; i < G_N_ELEMENTS (models); i++)
    {
      g_autofree char *path = g_strconcat ("/tokenizer/model/", models[i].folder, NULL);

      g_test_add_data_func (path, &models[i], test_model);
    }

  return g_test_run ();
}
