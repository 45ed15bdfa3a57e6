/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Unigram against all ways to part a text, WordPiece against BERT's own tests, normalizers. */
#include <math.h>
#include <string.h>

#include "quant/tare-error.h"
#include "tests/quant/tokenizer-fixture.h"
#include "tests/tare-test.h"

#define MARK "\xe2\x96\x81"

/* A vocabulary of pieces of a, b and spaces, and what each counts. */
typedef struct
{
  GPtrArray *pieces;
  double     scores[64];
  double     least;
} Pieces;

static void
pieces_fill (Pieces *self,
             GRand  *random)
{
  static const char *const letters[] = { "a", "b", "\xc3\xa9", MARK };

  self->pieces = g_ptr_array_new_with_free_func (g_free);
  self->least = INFINITY;
  g_ptr_array_add (self->pieces, g_strdup ("<unk>"));
  for (guint i = 0; i < 40; i++)
    {
      g_autoptr(GString) piece = g_string_new (NULL);
      int n = i < 4 ? 1 : g_rand_int_range (random, 2, 5);

      for (int j = 0; j < n; j++)
        g_string_append (piece, letters[i < 4 ? (int) i : g_rand_int_range (random, 0, 4)]);
      if (g_ptr_array_find_with_equal_func (self->pieces, piece->str, g_str_equal, NULL))
        continue;
      self->scores[self->pieces->len] = (double) (float) -g_rand_double_range (random, 1.0, 9.0);
      self->least = MIN (self->least, self->scores[self->pieces->len]);
      g_ptr_array_add (self->pieces, g_strdup (piece->str));
    }
}

static TareTokenizer *
pieces_make (const Pieces *self,
             const char   *rest)
{
  g_autoptr(GString) json = g_string_new ("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,"
                                          "\"vocab\":[[\"<unk>\",0.0]");

  for (guint i = 1; i < self->pieces->len; i++)
    {
      char number[G_ASCII_DTOSTR_BUF_SIZE];

      g_string_append_printf (json, ",[\"%s\",%s]", (char *) self->pieces->pdata[i],
                              g_ascii_dtostr (number, sizeof number, self->scores[i]));
    }
  g_string_append_printf (json, "]}%s}", rest);

  return tokenizer_parse (json->str, NULL);
}

/* The best sum of all ways to part a text; z is in no piece. */
static double
best_of_all (const Pieces *self,
             const char   *text)
{
  double best = -INFINITY;

  if (*text == '\0')
    return 0.0;
  if (*text == 'z')
    return self->least - 10.0 + best_of_all (self, text + 1);
  for (guint i = 1; i < self->pieces->len; i++)
    if (g_str_has_prefix (text, self->pieces->pdata[i]))
      best = MAX (best, self->scores[i]
                        + best_of_all (self, text + strlen (self->pieces->pdata[i])));

  return best;
}

static void
check_unigram (const Pieces  *pieces,
               TareTokenizer *tokenizer,
               const char    *text)
{
  g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, text, strlen (text),
                                                    TARE_TOKEN_FLAGS_NONE);
  g_auto(GStrv) parts = g_strsplit (text, " ", -1);
  g_autofree char *marked = g_strjoinv (MARK, parts);
  g_autoptr(GString) spelled = g_string_new (NULL);
  const char *rest = marked;
  double sum = 0.0;

  for (guint i = 0; i < tokens->len; i++)
    {
      guint32 token = g_array_index (tokens, guint32, i);

      if (token == 0)
        {
          /* One unknown token for all that stand side by side. */
          g_assert_true (*rest == 'z');
          for (; *rest == 'z'; rest++)
            sum += pieces->least - 10.0;
          continue;
        }
      g_assert_true (g_str_has_prefix (rest, pieces->pieces->pdata[token]));
      rest += strlen (pieces->pieces->pdata[token]);
      sum += pieces->scores[token];
    }
  g_assert_cmpstr (rest, ==, "");
  g_assert_cmpfloat_with_epsilon (sum, best_of_all (pieces, marked), 1e-6);
}

static void
test_unigram (void)
{
  static const char *const parts[] = { "a", "b", "\xc3\xa9", " ", "z", "ab", "aab" };
  g_autoptr(GRand) random = g_rand_new_with_seed (41);

  for (guint round = 0; round < 60; round++)
    {
      Pieces pieces;
      g_autoptr(TareTokenizer) tokenizer = NULL;

      pieces_fill (&pieces, random);
      tokenizer = pieces_make (&pieces, ",\"pre_tokenizer\":{\"type\":\"Metaspace\","
                                        "\"split\":false,\"prepend_scheme\":\"never\"}");
      for (guint i = 0; i < 20; i++)
        {
          g_autoptr(GString) text = g_string_new (NULL);

          for (int j = g_rand_int_range (random, 1, 9); j > 0; j--)
            g_string_append (text, parts[g_rand_int_range (random, 0, G_N_ELEMENTS (parts))]);
          check_unigram (&pieces, tokenizer, text->str);
        }
      g_ptr_array_unref (pieces.pieces);
    }
}

#define SMALL                                                                           \
  "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":["                              \
  "[\"<unk>\",0.0],[\"" MARK "\",-2.0],"                                               \
  "[\"a\",-3.0],[\"b\",-3.5],[\"" MARK "a\",-4.0],[\"ab\",-6.0],[\"" MARK "ab\",-9.0],"  \
  "[\"b" MARK "a\",-1.0]]}"

static void
test_unigram_words (void)
{
  /* Words are parted first, so "b a" is never one piece; a mark comes before every word. */
  g_autoptr(TareTokenizer) words =
    tokenizer_parse (SMALL ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
                     "{\"type\":\"WhitespaceSplit\"},{\"type\":\"Metaspace\","
                     "\"prepend_scheme\":\"always\"}]}}", NULL);
  g_autoptr(TareTokenizer) whole =
    tokenizer_parse (SMALL ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"split\":false}}", NULL);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareTokenizer) again = NULL;
  g_autoptr(GError) error = NULL;

  tokenizer_check (words, "b  a\n", TARE_TOKEN_FLAGS_NONE, "1 3 4");
  tokenizer_check (words, "abz", TARE_TOKEN_FLAGS_NONE, "4 3 0");
  tokenizer_check (whole, "b a", TARE_TOKEN_FLAGS_NONE, "1 7");
  tokenizer_check (whole, " b", TARE_TOKEN_FLAGS_NONE, "1 3");
  tokenizer_check (whole, "", TARE_TOKEN_FLAGS_NONE, "");

  tare_tokenizer_write_metadata (words, 8, metadata);
  g_assert_cmpstr (tare_metadata_get_string (metadata, "tokenizer.ggml.model"), ==, "t5");
  again = tare_tokenizer_new_from_metadata (metadata, "written", &error);
  g_assert_no_error (error);
  tokenizer_check (again, "b  a\n", TARE_TOKEN_FLAGS_NONE, "1 3 4");

  /* Without the file that came along it is what llama.cpp makes of it: one whole. */
  tare_tokenizer_unref (again);
  tare_metadata_remove (metadata, "tokenizer.huggingface.json");
  again = tare_tokenizer_new_from_metadata (metadata, "written", &error);
  g_assert_no_error (error);
  tokenizer_check (again, "b a", TARE_TOKEN_FLAGS_NONE, "1 7");
}

/* With a token for every byte any bytes come back. */
static void
test_unigram_bytes (void)
{
  g_autoptr(GString) json = g_string_new ("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,"
                                          "\"byte_fallback\":true,\"vocab\":[[\"<unk>\",0.0]");
  g_autoptr(GRand) random = g_rand_new_with_seed (2);
  g_autoptr(TareTokenizer) tokenizer = NULL;

  for (guint i = 0; i < 256; i++)
    g_string_append_printf (json, ",[\"<0x%02X>\",0.0]", i);
  g_string_append (json, ",[\"ab\",-1.0],[\"" MARK "\",-1.0]]},\"pre_tokenizer\":"
                         "{\"type\":\"Metaspace\"}}");
  tokenizer = tokenizer_parse (json->str, NULL);
  tokenizer_check (tokenizer, "ab\xc3\xa9", TARE_TOKEN_FLAGS_NONE, "258 257 196 170");
  for (guint round = 0; round < 500; round++)
    {
      char text[40];
      gsize n = (gsize) g_rand_int_range (random, 1, sizeof text);
      g_autoptr(GArray) tokens = NULL;
      g_autoptr(GString) back = NULL;

      for (gsize i = 0; i < n; i++)
        text[i] = (char) g_rand_int_range (random, i == 0 ? '!' : 0, 256);
      tokens = tare_tokenizer_encode (tokenizer, text, n, TARE_TOKEN_FLAGS_NONE);
      back = tare_tokenizer_decode (tokenizer, (const guint32 *) (gpointer) tokens->data,
                                    tokens->len);
      g_assert_cmpmem (back->str, back->len, text, n);
    }
}

#define BERT(vocab)                                                                     \
  "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{" vocab "}},"            \
  "\"normalizer\":{\"type\":\"BertNormalizer\"},"                                        \
  "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"                                   \
  "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],"                 \
  "\"cls\":[\"[CLS]\",1]},"                                                              \
  "\"added_tokens\":[{\"id\":1,\"content\":\"[CLS]\",\"special\":true},"                      \
  "{\"id\":2,\"content\":\"[SEP]\",\"special\":true}]}"

/* The cases of google-research/bert, tokenization_test.py. */
static void
test_words (void)
{
  g_autoptr(TareTokenizer) tokenizer =
    tokenizer_parse (BERT ("\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"want\":3,\"##want\":4,\"##ed\":5,"
                           "\"wa\":6,\"un\":7,\"runn\":8,\"##ing\":9,\",\":10,\"hello\":11,"
                           "\"!\":12,\"how\":13,\"are\":14,\"you\":15,\"?\":16,\"ah\":17,"
                           "\"\xe5\x8d\x9a\":18,\"\xe6\x8e\xa8\":19,\"zz\":20"), NULL);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareTokenizer) again = NULL;
  g_autoptr(TareTokenizer) json = NULL;
  g_autoptr(GError) error = NULL;
  static const guint32 tokens[] = { 7, 4, 5, 10, 8, 9 };
  g_autoptr(GString) back = tare_tokenizer_decode (tokenizer, tokens, G_N_ELEMENTS (tokens));
  g_autofree char *longest = g_strnfill (101, 'z');

  tare_tokenizer_write_metadata (tokenizer, 21, metadata);
  g_assert_cmpstr (tare_metadata_get_string (metadata, "tokenizer.ggml.model"), ==, "bert");
  tare_metadata_remove (metadata, "tokenizer.huggingface.json");
  again = tare_tokenizer_new_from_metadata (metadata, "written", &error);
  g_assert_no_error (error);

  json = tokenizer_rewrite (again);
  for (guint i = 0; i < 3; i++)
    {
      TareTokenizer *which = i == 0 ? tokenizer : i == 1 ? again : json;

      tokenizer_check (which, "UNwant\xc3\xa9" "d,running", TARE_TOKEN_FLAGS_NONE, "7 4 5 10 8 9");
      tokenizer_check (which, "", TARE_TOKEN_FLAGS_NONE, "");
      tokenizer_check (which, "unwanted running", TARE_TOKEN_FLAGS_NONE, "7 4 5 8 9");
      tokenizer_check (which, "unwantedX running", TARE_TOKEN_FLAGS_NONE, "0 8 9");
      tokenizer_check (which, " \tHeLLo!how  \n Are yoU?  ", TARE_TOKEN_FLAGS_NONE,
                       "11 12 13 14 15 16");
      tokenizer_check (which, "H\xc3\xa9llo", TARE_TOKEN_FLAGS_NONE, "11");
      tokenizer_check (which, "ah\xe5\x8d\x9a\xe6\x8e\xa8zz", TARE_TOKEN_FLAGS_NONE,
                       "17 18 19 20");
      tokenizer_check (which, "hello", TARE_TOKEN_FLAGS_ADD_SPECIAL, "1 11 2");
      tokenizer_check (which, longest, TARE_TOKEN_FLAGS_NONE, "0");
    }
  g_assert_cmpstr (back->str, ==, "unwanted , running");
}

/* Of random short words: the longest piece first, as it is written down. */
static void
test_words_naive (void)
{
  static const char *const pieces[] = { "a", "b", "ab", "ba", "aab", "##a", "##b", "##ab", "##bb",
                                        "##aba" };
  g_autoptr(GString) vocab = g_string_new ("{\"model\":{\"type\":\"WordPiece\",\"unk_token\":"
                                           "\"[UNK]\",\"vocab\":{\"[UNK]\":0");
  g_autoptr(GRand) random = g_rand_new_with_seed (8);
  g_autoptr(TareTokenizer) tokenizer = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (pieces); i++)
    g_string_append_printf (vocab, ",\"%s\":%u", pieces[i], i + 1);
  g_string_append (vocab, "}}}");
  tokenizer = tokenizer_parse (vocab->str, NULL);

  for (guint round = 0; round < 500; round++)
    {
      g_autoptr(GString) word = g_string_new (NULL);
      g_autoptr(GString) expected = g_string_new (NULL);

      for (int j = g_rand_int_range (random, 1, 12); j > 0; j--)
        g_string_append_c (word, "abaabbabababz"[g_rand_int_range (random, 0, 13)]);
      for (gsize at = 0; at < word->len;)
        {
          guint best = 0;
          gsize longest = 0;

          for (guint i = 0; i < G_N_ELEMENTS (pieces); i++)
            {
              gboolean goes_on = pieces[i][0] == '#';
              const char *text = pieces[i] + (goes_on ? 2 : 0);

              if (goes_on == (at > 0) && g_str_has_prefix (word->str + at, text)
                  && strlen (text) > longest)
                {
                  best = i + 1;
                  longest = strlen (text);
                }
            }
          if (best == 0)
            {
              g_string_assign (expected, "0");
              break;
            }
          g_string_append_printf (expected, "%s%u", at > 0 ? " " : "", best);
          at += longest;
        }
      tokenizer_check (tokenizer, word->str, TARE_TOKEN_FLAGS_NONE, expected->str);
    }
}

static char *
make_charsmap (void)
{
  /* One entry, "A" to "a": from the root by its byte to a unit with a leaf, from there to it. */
  static guint8 data[4 + 4 * 512 + 2];
  guint32 units[512] = { [0] = 256u << 10, [256 ^ 'A'] = 256u << 10 | 1u << 8 | 'A',
                         ['A'] = 1u << 31 };

  data[1] = 8;
  for (gsize i = 0; i < 512; i++)
    for (guint k = 0; k < 4; k++)
      data[4 + 4 * i + k] = (guint8) (units[i] >> 8 * k);
  data[4 + 4 * 512] = 'a';

  return g_base64_encode (data, sizeof data);
}

/* What GGUF keeps of SentencePiece's normalizer: "A" becomes "a", and spaces become few. */
static void
test_gguf_normalizer (void)
{
  static const char *names[] = { "<unk>", MARK, "a", "b", MARK "a" };
  static const float scores[] = { 0.0f, -2.0f, -3.0f, -3.5f, -4.0f };
  static const gint32 types[] = { 2, 1, 1, 1, 1 };
  g_autofree char *text = make_charsmap ();
  gsize length = 0;
  g_autofree guint8 *map = g_base64_decode (text, &length);
  g_autofree gint32 *values = g_new (gint32, length);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareTokenizer) tokenizer = NULL;
  g_autoptr(TareTokenizer) plain = NULL;
  g_autoptr(TareTokenizer) plain_json = NULL;
  g_autoptr(TareTokenizer) json = NULL;
  g_autoptr(GError) error = NULL;

  tare_metadata_set_string (metadata, "tokenizer.ggml.model", "t5");
  tare_metadata_set_strings (metadata, "tokenizer.ggml.tokens", names, G_N_ELEMENTS (names));
  tare_metadata_set_f32s (metadata, "tokenizer.ggml.scores", scores, G_N_ELEMENTS (scores));
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.token_type", types, G_N_ELEMENTS (types));
  tare_metadata_set_u32 (metadata, "tokenizer.ggml.unknown_token_id", 0);
  plain = tare_tokenizer_new_from_metadata (metadata, "plain", &error);
  g_assert_no_error (error);
  plain_json = tokenizer_rewrite (plain);
  tokenizer_check (plain, " A  b ", TARE_TOKEN_FLAGS_NONE, "1 1 0 1 1 3 1");
  tokenizer_check (plain_json, " A  b ", TARE_TOKEN_FLAGS_NONE, "1 1 0 1 1 3 1");

  /* As signed bytes, as some writers have them. */
  for (gsize i = 0; i < length; i++)
    values[i] = (gint8) map[i];
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.precompiled_charsmap", values, length);
  tare_metadata_set_boolean (metadata, "tokenizer.ggml.remove_extra_whitespaces", TRUE);
  tokenizer = tare_tokenizer_new_from_metadata (metadata, "whole", &error);
  g_assert_no_error (error);
  tokenizer_check (tokenizer, " A  b ", TARE_TOKEN_FLAGS_NONE, "4 1 3");
  tokenizer_check (tokenizer, "  ", TARE_TOKEN_FLAGS_NONE, "");
  json = tokenizer_rewrite (tokenizer);
  tokenizer_check (json, " A  b ", TARE_TOKEN_FLAGS_NONE, "4 1 3");
  tokenizer_check (json, "  ", TARE_TOKEN_FLAGS_NONE, "");

  values[0] = 256;
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.precompiled_charsmap", values, length);
  g_assert_null (tare_tokenizer_new_from_metadata (metadata, "whole", &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
}

/* Of a GGUF file the tokenizer.json that is made splits as its own name for that says, whichever
 * it is, finds what is special, and says of both ends what the keys do. */
static void
test_rewritten (void)
{
  static const char *const texts[] = {
    "Hello world, it's 'REally 1234567 $5.00!!\r\n\r\n  x <|endoftext|> e\xcc\x81 \xe5\xb7\xa5",
    "  a  b\t\xc2\xa0(c) 12 345 y'all'LL \xe2\x80\xa6\n\n", "",
  };
  static const char *const names[] = {
    "gpt-2", "llama-bpe", "smaug-bpe", "qwen2", "smollm", "falcon", "deepseek-llm",
    "deepseek-coder", "deepseek-v3", "tekken", "gpt-4o", "bloom", "viking", "bailingmoe",
    "seed-coder", "default",
  };
  g_autofree char *folder = tare_test_source ("data/sample");
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTokenizer) sample = tare_tokenizer_new_from_folder (folder, &error);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();

  g_assert_no_error (error);
  tare_tokenizer_write_metadata (sample, 1030, metadata);
  tare_metadata_set_boolean (metadata, "tokenizer.ggml.add_eos_token", TRUE);
  tare_metadata_set_string (metadata, "tokenizer.chat_template", "{{ messages }}");
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr(TareMetadata) back = tare_metadata_new ();
      g_autoptr(TareTokenizer) gguf = NULL;
      g_autoptr(TareTokenizer) json = NULL;

      tare_metadata_set_string (metadata, "tokenizer.ggml.pre", names[i]);
      gguf = tare_tokenizer_new_from_metadata (metadata, names[i], &error);
      g_assert_no_error (error);
      json = tokenizer_rewrite (gguf);
      for (gsize j = 0; j < G_N_ELEMENTS (texts); j++)
        for (guint flags = 0; flags < 8; flags++)
          {
            g_autoptr(GArray) a = tare_tokenizer_encode (gguf, texts[j], strlen (texts[j]),
                                                         (TareTokenFlags) flags);
            g_autoptr(GArray) b = tare_tokenizer_encode (json, texts[j], strlen (texts[j]),
                                                         (TareTokenFlags) flags);

            g_assert_cmpmem (a->data, a->len * sizeof (guint32),
                             b->data, b->len * sizeof (guint32));
          }

      /* The first name of those that split alike. */
      tare_tokenizer_write_metadata (json, 1030, back);
      g_assert_cmpstr (tare_metadata_get_string (back, "tokenizer.ggml.pre"), ==,
                       g_str_equal (names[i], "smaug-bpe") ? "dbrx" : names[i]);
      g_assert_cmpstr (tare_metadata_get_string (back, "tokenizer.chat_template"), ==,
                       "{{ messages }}");
      g_assert_cmpuint (tare_tokenizer_get_n_tokens (json), ==, 1024);
    }
}

static void
test_normalizers (void)
{
  g_autofree char *map = make_charsmap ();
  g_autofree char *precompiled =
    g_strdup_printf ("{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"%s\"}", map);
  const struct
  {
    const char *normalizer;
    const char *text;
    const char *expected;
  } cases[] = {
    { "{\"type\":\"NFC\"}", "e\xcc\x81", "\xc3\xa9" },
    { "{\"type\":\"NFD\"}", "\xc3\xa9", "e\xcc\x81" },
    { "{\"type\":\"NFKC\"}", "\xef\xac\x81", "fi" },
    { "{\"type\":\"NFKD\"}", "\xc2\xbd", "1\xe2\x81\x84" "2" },
    { "{\"type\":\"Lowercase\"}", "A\xc3\x89\xff\xc4\xb0", "a\xc3\xa9\xff" "i\xcc\x87" },
    { "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"}]}",
      "\xc3\xa9 a", "e a" },
    { "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a.\"},\"content\":\"b\"}", "a.aa.", "bab" },
    { "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}", "a   b c  ",
      "a b c " },
    { "{\"type\":\"Prepend\",\"prepend\":\">\"}", "a", ">a" },
    { "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", " \n a b\t", "a b" },
    { "{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}", " a ", " a" },
    { "{\"type\":\"BertNormalizer\",\"lowercase\":false}", "A\t\xc3\x89\x01\xe5\xb7\xa5",
      "A \xc3\x89 \xe5\xb7\xa5 " },
    { precompiled, "ABA\xc3\xa9", "aBa\xc3\xa9" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *rest = g_strdup_printf (",\"pre_tokenizer\":{\"type\":\"ByteLevel\"},"
                                               "\"normalizer\":%s", cases[i].normalizer);
      g_autofree char *json = tokenizer_bytes_json ("", "", rest);
      g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
      g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, cases[i].text,
                                                        strlen (cases[i].text),
                                                        TARE_TOKEN_FLAGS_NONE);
      g_autoptr(GString) back = tare_tokenizer_decode (tokenizer,
                                                       (const guint32 *) (gpointer) tokens->data,
                                                       tokens->len);

      g_test_message ("%s", cases[i].normalizer);
      g_assert_cmpmem (back->str, back->len, cases[i].expected, strlen (cases[i].expected));
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/tokenizer-kinds/unigram", test_unigram);
  g_test_add_func ("/tokenizer-kinds/unigram-words", test_unigram_words);
  g_test_add_func ("/tokenizer-kinds/unigram-bytes", test_unigram_bytes);
  g_test_add_func ("/tokenizer-kinds/words", test_words);
  g_test_add_func ("/tokenizer-kinds/words-naive", test_words_naive);
  g_test_add_func ("/tokenizer-kinds/gguf-normalizer", test_gguf_normalizer);
  g_test_add_func ("/tokenizer-kinds/normalizers", test_normalizers);
  g_test_add_func ("/tokenizer-kinds/rewritten", test_rewritten);

  return g_test_run ();
}
