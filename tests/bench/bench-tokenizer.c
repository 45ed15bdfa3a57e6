/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Bytes of text that one core makes tokens of in a second. The vocabularies of Unigram and
 * WordPiece are the words of the text and its characters; byte-level BPE has the sample's merges,
 * with the way of splitting of its row.
 */
#include "tests/bench/bench.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-tokenizer-private.h"
#include "tests/tare-test.h"

#define MARK "\xe2\x96\x81"

typedef struct
{
  TareTokenizer *tokenizer;
  const char    *text;
  gsize          length;
} Work;

static void
encode_once (gpointer data)
{
  const Work *work = data;
  g_autoptr(GArray) tokens = tare_tokenizer_encode (work->tokenizer, work->text, work->length,
                                                    TARE_TOKEN_FLAGS_NONE);

  if (tokens->len == 0)
    g_error ("no tokens");
}

static void
run (JsonBuilder   *json,
     const char    *name,
     TareTokenizer *tokenizer,
     const char    *text,
     gsize          length,
     gboolean       quick)
{
  Work work = { tokenizer, text, quick ? MIN (length, 10000) : length };

  bench_add_number (json, name, (double) work.length / bench_time (encode_once, &work, quick));
}

static TareTokenizer *
parse (const char *json)
{
  g_autoptr(GError) error = NULL;
  TareTokenizer *tokenizer = tare_tokenizer_new_from_json (json, strlen (json), NULL, 0, "bench",
                                                           &error);

  if (tokenizer == NULL)
    g_error ("%s", error->message);

  return tokenizer;
}

/* The words of a text, in small letters, and how often each occurs. */
static GHashTable *
count_words (const char *text,
             gsize       length)
{
  GHashTable *words = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *lower = g_ascii_strdown (text, (gssize) length);

  for (char *word = strtok (lower, " \r\n\t.,;:!?\"'()[]-_*"); word != NULL;
       word = strtok (NULL, " \r\n\t.,;:!?\"'()[]-_*"))
    if (g_str_is_ascii (word) && strchr (word, '\\') == NULL)
      {
        guint n = GPOINTER_TO_UINT (g_hash_table_lookup (words, word));

        g_hash_table_insert (words, g_strdup (word), GUINT_TO_POINTER (n + 1));
      }

  return words;
}

static TareTokenizer *
make_unigram (GHashTable *words)
{
  g_autoptr(GString) json = g_string_new ("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,"
                                          "\"vocab\":[[\"<unk>\",0]");
  GHashTableIter iter;
  gpointer word, n;

  for (char c = '!'; c <= '~'; c++)
    if (c != '"' && c != '\\')
      g_string_append_printf (json, ",[\"%c\",-12.0]", c);
  g_string_append (json, ",[\"" MARK "\",-6.0]");
  g_hash_table_iter_init (&iter, words);
  while (g_hash_table_iter_next (&iter, &word, &n))
    {
      int score = (int) (1000.0 * (log ((double) GPOINTER_TO_UINT (n)) - 13.0));

      g_string_append_printf (json, ",[\"" MARK "%s\",%de-3]", (char *) word, score);
    }
  g_string_append (json, "]},\"pre_tokenizer\":{\"type\":\"Metaspace\"}}");

  return parse (json->str);
}

static TareTokenizer *
make_words (GHashTable *words)
{
  g_autoptr(GString) json = g_string_new ("{\"model\":{\"type\":\"WordPiece\","
                                          "\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0");
  GHashTableIter iter;
  gpointer word;
  guint id = 1;

  for (char c = '!'; c <= '~'; c++)
    if (c != '"' && c != '\\' && !g_hash_table_contains (words, ((char[]) { c, '\0' })))
      g_string_append_printf (json, ",\"%c\":%u", c, id++);
  g_hash_table_iter_init (&iter, words);
  while (g_hash_table_iter_next (&iter, &word, NULL))
    g_string_append_printf (json, ",\"%s\":%u", (char *) word, id++);
  g_string_append (json, "}},\"normalizer\":{\"type\":\"BertNormalizer\"},"
                         "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}}");

  return parse (json->str);
}

static void
run_rows (JsonBuilder *json,
          const char  *text,
          gsize        length,
          gboolean     quick)
{
  g_autofree char *folder = tare_test_source ("data/sample");
  g_autoptr(TareTokenizer) sample = tare_tokenizer_new_from_folder (folder, NULL);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();

  tare_tokenizer_write_metadata (sample, (guint) tare_tokenizer_get_n_tokens (sample), metadata);
  for (gsize i = 0; i < _tare_pre_tokenizer_get_n_rows (); i++)
    {
      const char *name = _tare_pre_tokenizer_get (i)->names[0];
      g_autofree char *key = g_strconcat ("bpe_", name, NULL);
      g_autoptr(TareTokenizer) tokenizer = NULL;

      tare_metadata_set_string (metadata, "tokenizer.ggml.pre", name);
      tokenizer = tare_tokenizer_new_from_metadata (metadata, "bench", NULL);
      run (json, key, tokenizer, text, length, quick);
    }
}

void
bench_tokenizer (JsonBuilder *json,
                 gboolean     quick)
{
  g_autofree char *path = tare_test_source ("data/sample/treasure-island.txt");
  g_autofree char *stories = tare_test_shared ("models/stories260K");
  g_autofree char *text = NULL;
  g_autoptr(GHashTable) words = NULL;
  g_autoptr(TareTokenizer) unigram = NULL;
  g_autoptr(TareTokenizer) pieces = NULL;
  g_autoptr(TareTokenizer) wordpiece = NULL;
  gsize length = 0;

  if (!g_file_get_contents (path, &text, &length, NULL))
    g_error ("no %s", path);
  words = count_words (text, length);
  unigram = make_unigram (words);
  wordpiece = make_words (words);

  run_rows (json, text, length, quick);
  run (json, "unigram", unigram, text, length, quick);
  run (json, "wordpiece", wordpiece, text, length, quick);
  if (stories != NULL)
    {
      pieces = tare_tokenizer_new_from_folder (stories, NULL);
      run (json, "sentencepiece_bpe", pieces, text, length, quick);
    }
}
