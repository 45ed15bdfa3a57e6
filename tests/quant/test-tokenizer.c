/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* memmem */

#include "quant/model/tare-tokenizer.h"

#include <string.h>

#include "quant/tare-error.h"
#include "tests/quant/tokenizer-fixture.h"
#include "tests/tare-test.h"

static void
check_inverse (TareTokenizer *tokenizer,
               const char    *text,
               gsize          length)
{
  g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, text, length,
                                                    TARE_TOKEN_FLAGS_NONE);
  g_autoptr(GString) back = tare_tokenizer_decode (tokenizer, (const guint32 *) tokens->data,
                                                   tokens->len);

  g_assert_cmpmem (back->str, back->len, text, length);
}

#define BYTE_LEVEL ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define SPECIALS                                                                            \
  ",\"added_tokens\":[{\"id\":300,\"content\":\"<s>\",\"special\":true},"                   \
  "{\"id\":301,\"content\":\"<s>>\",\"special\":true},"                                     \
  "{\"id\":302,\"content\":\"ab ab\",\"special\":false}]"

static void
test_merges (void)
{
  static const char *const spellings[] = {
    "\"a b\",\"ab c\",\"\xc4\xa0 ab\"",
    "[\"a\",\"b\"],[\"ab\",\"c\"],[\"\xc4\xa0\",\"ab\"]",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (spellings); i++)
    {
      g_autofree char *json = tokenizer_bytes_json (",\"ab\":256,\"abc\":257,\"\xc4\xa0" "ab\":258",
                                                    spellings[i], BYTE_LEVEL);
      g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);

      g_assert_cmpuint (tare_tokenizer_get_n_tokens (tokenizer), ==, 259);
      g_assert_cmpstr (tare_tokenizer_get_token (tokenizer, 257), ==, "abc");
      g_assert_null (tare_tokenizer_get_token (tokenizer, 259));
      tokenizer_check (tokenizer, "abc", TARE_TOKEN_FLAGS_NONE, "257");
      tokenizer_check (tokenizer, "abcab abab", TARE_TOKEN_FLAGS_NONE, "257 256 258 256");
      tokenizer_check (tokenizer, " abc", TARE_TOKEN_FLAGS_NONE, "32 257");
      tokenizer_check (tokenizer, "", TARE_TOKEN_FLAGS_ADD_SPECIAL, "");
    }
}

static void
test_special (void)
{
  g_autofree char *json = tokenizer_bytes_json (",\"ab\":256", "\"a b\"", BYTE_LEVEL SPECIALS);
  g_autoptr(TareTokenizer) plain = tokenizer_parse (json, NULL);
  g_autoptr(TareTokenizer) adding =
    tokenizer_parse (json, "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"<s>>\","
                     "\"add_bos_token\":true,\"add_eos_token\":true}");
  guint32 token = 0;

  g_assert_cmpuint (tare_tokenizer_get_n_tokens (plain), ==, 303);
  g_assert_null (tare_tokenizer_get_token (plain, 299));
  g_assert_false (tare_tokenizer_get_begin (plain, &token));
  tokenizer_check (plain, "<s>", TARE_TOKEN_FLAGS_NONE, "60 115 62");
  tokenizer_check (plain, "<s>", TARE_TOKEN_FLAGS_PARSE_SPECIAL, "300");
  tokenizer_check (plain, "x<s>>y<s>", TARE_TOKEN_FLAGS_PARSE_SPECIAL, "120 301 121 300");
  /* What a user defined counts always, and the longest first. */
  tokenizer_check (plain, "ab ab ab", TARE_TOKEN_FLAGS_NONE, "302 32 256");
  tokenizer_check (plain, "ab<s>ab", TARE_TOKEN_FLAGS_ADD_SPECIAL | TARE_TOKEN_FLAGS_PARSE_SPECIAL,
                   "256 300 256");

  g_assert_true (tare_tokenizer_get_begin (adding, &token));
  g_assert_cmpuint (token, ==, 300);
  g_assert_true (tare_tokenizer_adds_begin (adding));
  tokenizer_check (adding, "ab", TARE_TOKEN_FLAGS_ADD_SPECIAL, "300 256 301");
  tokenizer_check (adding, "ab", TARE_TOKEN_FLAGS_NONE, "256");
}

static void
test_template (void)
{
  static const char rest[] =
    BYTE_LEVEL SPECIALS ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":["
    "{\"type\":\"ByteLevel\"},{\"type\":\"TemplateProcessing\",\"single\":["
    "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\"}}]}]}";
  g_autofree char *json = tokenizer_bytes_json ("", "", rest);
  g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
  g_autoptr(TareTokenizer) refusing = tokenizer_parse (json, "{\"add_bos_token\":false}");

  tokenizer_check (tokenizer, "a", TARE_TOKEN_FLAGS_ADD_SPECIAL, "300 97");
  tokenizer_check (refusing, "a", TARE_TOKEN_FLAGS_ADD_SPECIAL, "97");
}

/* A normalizer of the file's composes; ids are those of the bytes. */
static void
test_normalizer (void)
{
  g_autofree char *json = tokenizer_bytes_json ("", "", BYTE_LEVEL
                                                ",\"normalizer\":{\"type\":\"NFC\"}");
  g_autofree char *bare = tokenizer_bytes_json ("", "", BYTE_LEVEL ",\"normalizer\":null");
  g_autoptr(TareTokenizer) composing = tokenizer_parse (json, NULL);
  g_autoptr(TareTokenizer) keeping = tokenizer_parse (bare, NULL);

  tokenizer_check (composing, "e\xcc\x81", TARE_TOKEN_FLAGS_NONE, "195 169");
  tokenizer_check (keeping, "e\xcc\x81", TARE_TOKEN_FLAGS_NONE, "101 204 129");
  tokenizer_check (composing, "\xff", TARE_TOKEN_FLAGS_NONE, "255");
}

static void
test_ignore_merges (void)
{
#define LLAMA3                                                                              \
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}"      \
  "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
  static const char rest[] =
    ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
    "\"pattern\":{\"Regex\":\"" LLAMA3 "\"},\"behavior\":\"Isolated\",\"invert\":false},"
    "{\"type\":\"ByteLevel\",\"use_regex\":false}]}";
  static const struct
  {
    const char *member;
    const char *pre;
    const char *tokens;
  } cases[] = {
    { "", "llama-bpe", "256" },
    { "],\"ignore_merges\":true,\"x\":[", "llama-bpe", "256" },
    { "],\"ignore_merges\":false,\"x\":[", "dbrx", "97 98 99" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *json = tokenizer_bytes_json (",\"abc\":256", cases[i].member, rest);
      g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
      g_autoptr(TareMetadata) metadata = tare_metadata_new ();

      tokenizer_check (tokenizer, "abc", TARE_TOKEN_FLAGS_NONE, cases[i].tokens);
      tare_tokenizer_write_metadata (tokenizer, 257, metadata);
      g_assert_cmpstr (tare_metadata_get_string (metadata, "tokenizer.ggml.pre"), ==,
                       cases[i].pre);
    }
}

static void
test_digits (void)
{
  g_autofree char *json = tokenizer_bytes_json (",\"12\":256", "\"1 2\"",
                                                ",\"pre_tokenizer\":{\"type\":\"Sequence\","
                                                "\"pretokenizers\":[{\"type\":\"Digits\","
                                                "\"individual_digits\":true},"
                                                "{\"type\":\"ByteLevel\"}]}");
  g_autofree char *whole = tokenizer_bytes_json (",\"12\":256", "\"1 2\"", BYTE_LEVEL);
  g_autoptr(TareTokenizer) apart = tokenizer_parse (json, NULL);
  g_autoptr(TareTokenizer) together = tokenizer_parse (whole, NULL);

  tokenizer_check (apart, "12", TARE_TOKEN_FLAGS_NONE, "49 50");
  tokenizer_check (together, "12", TARE_TOKEN_FLAGS_NONE, "256");
}

static void
test_inverse (void)
{
  g_autofree char *json = tokenizer_bytes_json (",\"ab\":256,\"\xc4\xa0\xc4\xa0\":257",
                                                "\"a b\",\"\xc4\xa0 \xc4\xa0\"", BYTE_LEVEL);
  g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
  g_autoptr(GRand) random = g_rand_new_with_seed (11);
  char text[200];

  for (guint round = 0; round < 2000; round++)
    {
      gsize n = (gsize) g_rand_int_range (random, 0, sizeof text);
      gboolean narrow = g_rand_boolean (random);

      for (gsize i = 0; i < n; i++)
        text[i] = narrow ? "ab \n'\xc3\xa9"[g_rand_int_range (random, 0, 7)]
                         : (char) g_rand_int_range (random, 0, 256);
      check_inverse (tokenizer, text, n);
    }
}

static TareMetadata *
make_pieces (const char *const *extra,
             const float       *extra_scores,
             guint              n_extra)
{
  TareMetadata *metadata = tare_metadata_new ();
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GArray) scores = g_array_new (FALSE, TRUE, sizeof (float));
  g_autoptr(GArray) types = g_array_new (FALSE, TRUE, sizeof (gint32));
  static const char *const specials[] = { "<unk>", "<s>", "</s>" };

  for (guint i = 0; i < 259 + n_extra; i++)
    {
      gint32 type = i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1;
      float score = i < 259 ? 0.0f : extra_scores[i - 259];

      g_ptr_array_add (names, i < 3 ? g_strdup (specials[i])
                       : i < 259 ? g_strdup_printf ("<0x%02X>", i - 3)
                       : g_strdup (extra[i - 259]));
      g_array_append_val (types, type);
      g_array_append_val (scores, score);
    }
  tare_metadata_set_string (metadata, "tokenizer.ggml.model", "llama");
  tare_metadata_set_strings (metadata, "tokenizer.ggml.tokens", (const char **) names->pdata,
                             names->len);
  tare_metadata_set_f32s (metadata, "tokenizer.ggml.scores",
                          (const float *) (gpointer) scores->data, scores->len);
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.token_type",
                          (const gint32 *) (gpointer) types->data, types->len);

  return metadata;
}

#define SPACE "\xe2\x96\x81"

/* Ids: 259 onwards. Neither "x" nor e-acute alone is a token; "b_" reaches across words. */
static const char *const pieces[] = {
  SPACE, "a", "b", "c", "ab", "bc", SPACE "a", "b" SPACE, "n", "n\xc3\xa9", "xa",
};
static const float piece_scores[] = {
  -20.0f, -20.0f, -20.0f, -20.0f, -3.0f, -2.0f, -4.0f, -1.0f, -20.0f, -5.0f, -6.0f,
};

static void
test_pieces (void)
{
  g_autoptr(TareMetadata) metadata = make_pieces (pieces, piece_scores,
                                                  G_N_ELEMENTS (pieces) - 4);
  g_autoptr(TareMetadata) all = make_pieces (pieces, piece_scores, G_N_ELEMENTS (pieces));
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTokenizer) some = tare_tokenizer_new_from_metadata (metadata, "test", &error);
  g_autoptr(TareTokenizer) tokenizer = tare_tokenizer_new_from_metadata (all, "test", &error);
  g_autoptr(TareTokenizer) bare = NULL;

  g_assert_no_error (error);
  /* Higher scores first: "bc" before "ab", and "_a" last. */
  tokenizer_check (some, "abc", TARE_TOKEN_FLAGS_NONE, "265 264");
  tokenizer_check (some, "ab", TARE_TOKEN_FLAGS_NONE, "259 263");
  tokenizer_check (some, "b c", TARE_TOKEN_FLAGS_ADD_SPECIAL, "1 259 261 259 262");
  tokenizer_check (some, "<s>a", TARE_TOKEN_FLAGS_PARSE_SPECIAL, "1 265");
  tokenizer_check (some, "", TARE_TOKEN_FLAGS_NONE, "");
  /* Merges across words, and with characters that are no tokens. */
  tokenizer_check (tokenizer, "ab c", TARE_TOKEN_FLAGS_NONE, "265 266 262");
  tokenizer_check (tokenizer, "n\xc3\xa9xa", TARE_TOKEN_FLAGS_NONE, "259 268 269");
  tokenizer_check (tokenizer, "\xc3\xa9x", TARE_TOKEN_FLAGS_NONE, "259 198 172 123");
  tokenizer_check (tokenizer, "\xff\n", TARE_TOKEN_FLAGS_NONE, "259 258 13");

  tare_metadata_set_boolean (all, "tokenizer.ggml.add_space_prefix", FALSE);
  bare = tare_tokenizer_new_from_metadata (all, "test", &error);
  g_assert_no_error (error);
  tokenizer_check (bare, "ab", TARE_TOKEN_FLAGS_NONE, "263");
}

/* Types of 0 are normal, and a space is only put before pieces. */
static void
test_metadata_bytes (void)
{
  static const char *tokens[] = { "a", "b", "ab", "\xc4\xa0", "\xc4\xa0" "ab" };
  static const char *merges[] = { "a b", "\xc4\xa0 ab" };
  static const gint32 types[5] = { 0 };
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareTokenizer) tokenizer = NULL;
  g_autoptr(GError) error = NULL;

  tare_metadata_set_string (metadata, "tokenizer.ggml.model", "gpt2");
  tare_metadata_set_strings (metadata, "tokenizer.ggml.tokens", tokens, G_N_ELEMENTS (tokens));
  tare_metadata_set_strings (metadata, "tokenizer.ggml.merges", merges, G_N_ELEMENTS (merges));
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.token_type", types, G_N_ELEMENTS (types));
  tare_metadata_set_boolean (metadata, "tokenizer.ggml.add_space_prefix", TRUE);
  tokenizer = tare_tokenizer_new_from_metadata (metadata, "test", &error);
  g_assert_no_error (error);

  tokenizer_check (tokenizer, "ab ab", TARE_TOKEN_FLAGS_NONE, "2 4");
  check_inverse (tokenizer, " ab", 3);
  /* A byte that no token stands for is left out. */
  tokenizer_check (tokenizer, "axb", TARE_TOKEN_FLAGS_NONE, "0 1");
}

static void
test_pieces_inverse (void)
{
  g_autoptr(TareMetadata) metadata = make_pieces (pieces, piece_scores, G_N_ELEMENTS (pieces));
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTokenizer) tokenizer = tare_tokenizer_new_from_metadata (metadata, "test", &error);
  g_autoptr(GRand) random = g_rand_new_with_seed (12);
  char text[100];

  g_assert_no_error (error);
  for (guint round = 0; round < 2000; round++)
    {
      gsize n = (gsize) g_rand_int_range (random, 0, sizeof text);

      for (gsize i = 0; i < n; i++)
        text[i] = g_rand_boolean (random) ? "abcnx \n\xc3\xa9"[g_rand_int_range (random, 0, 9)]
                                          : (char) g_rand_int_range (random, 0, 256);
      /* What spells the mark of a space comes back as one. */
      if (memmem (text, n, SPACE, 3) == NULL)
        check_inverse (tokenizer, text, n);
    }
}

static void
test_write (void)
{
  static const struct
  {
    const char    *key;
    TareValueType  type;
    TareValueType  element_type;
    gsize          length;
  } keys[] = {
    { "tokenizer.ggml.model", TARE_VALUE_STRING, 0, 0 },
    { "tokenizer.ggml.pre", TARE_VALUE_STRING, 0, 0 },
    { "tokenizer.ggml.tokens", TARE_VALUE_ARRAY, TARE_VALUE_STRING, 310 },
    { "tokenizer.ggml.token_type", TARE_VALUE_ARRAY, TARE_VALUE_I32, 310 },
    { "tokenizer.ggml.merges", TARE_VALUE_ARRAY, TARE_VALUE_STRING, 1 },
    { "tokenizer.ggml.bos_token_id", TARE_VALUE_U32, 0, 0 },
    { "tokenizer.ggml.eos_token_id", TARE_VALUE_U32, 0, 0 },
    { "tokenizer.ggml.unknown_token_id", TARE_VALUE_U32, 0, 0 },
    { "tokenizer.ggml.padding_token_id", TARE_VALUE_U32, 0, 0 },
    { "tokenizer.ggml.add_bos_token", TARE_VALUE_BOOL, 0, 0 },
    { "tokenizer.ggml.add_eos_token", TARE_VALUE_BOOL, 0, 0 },
    { "tokenizer.ggml.add_space_prefix", TARE_VALUE_BOOL, 0, 0 },
  };
  g_autofree char *json = tokenizer_bytes_json (",\"[PAD305]\":256,\"ab\":257", "\"a b\"",
                                                BYTE_LEVEL SPECIALS);
  g_autoptr(TareTokenizer) tokenizer =
    tokenizer_parse (json, "{\"bos_token\":\"<s>\",\"eos_token\":\"<s>\",\"unk_token\":\"<s>\","
                     "\"pad_token\":\"<s>>\"}");
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  const char *tokens = "tokenizer.ggml.tokens";
  double type = 0.0;

  tare_tokenizer_write_metadata (tokenizer, 310, metadata);
  g_assert_cmpuint (tare_metadata_get_n_keys (metadata), ==, G_N_ELEMENTS (keys));
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      TareValueType found = 0;
      TareValueType element = 0;

      g_assert_true (tare_metadata_get_type (metadata, keys[i].key, &found, &element));
      g_assert_cmpint (found, ==, keys[i].type);
      if (found == TARE_VALUE_ARRAY)
        {
          g_assert_cmpint (element, ==, keys[i].element_type);
          g_assert_cmpuint (tare_metadata_get_length (metadata, keys[i].key), ==, keys[i].length);
        }
    }
  g_assert_cmpstr (tare_metadata_get_string_at (metadata, tokens, 298), ==, "[PAD298]");
  g_assert_cmpstr (tare_metadata_get_string_at (metadata, tokens, 305), ==, "[PAD305]_");
  g_assert_cmpstr (tare_metadata_get_string_at (metadata, "tokenizer.ggml.merges", 0), ==, "a b");
  tare_metadata_get_number_at (metadata, "tokenizer.ggml.token_type", 305, &type);
  g_assert_true (type == 5.0);
  tare_metadata_get_number_at (metadata, "tokenizer.ggml.token_type", 300, &type);
  g_assert_true (type == 3.0);
  tare_metadata_get_number_at (metadata, "tokenizer.ggml.token_type", 302, &type);
  g_assert_true (type == 4.0);
}

/* One word of a megabyte of each kind; what were quadratic would take hours. */
static void
test_long_words (void)
{
  g_autofree char *json = tokenizer_bytes_json (",\"aa\":256,\"aaaa\":257,\"ab\":258",
                                                "\"a a\",\"aa aa\",\"a b\"", BYTE_LEVEL);
  g_autoptr(TareMetadata) metadata = make_pieces (pieces, piece_scores, G_N_ELEMENTS (pieces));
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTokenizer) bytes = tokenizer_parse (json, NULL);
  g_autoptr(TareTokenizer) by_score = tare_tokenizer_new_from_metadata (metadata, "test", &error);
  const gsize n = 1 << 20;
  g_autofree char *text = g_malloc (n);
  g_autoptr(GArray) a = NULL;
  g_autoptr(GArray) b = NULL;
  g_autoptr(GArray) c = NULL;
  gint64 start = g_get_monotonic_time ();

  g_assert_no_error (error);
  memset (text, 'a', n);
  a = tare_tokenizer_encode (bytes, text, n, TARE_TOKEN_FLAGS_NONE);
  g_assert_cmpuint (a->len, ==, n / 4);
  for (gsize i = 0; i < n; i++)
    text[i] = i % 2 == 0 ? 'a' : 'b';
  b = tare_tokenizer_encode (by_score, text, n, TARE_TOKEN_FLAGS_NONE);
  g_assert_cmpuint (b->len, ==, n / 2 + 1);
  memset (text, ' ', n);
  c = tare_tokenizer_encode (by_score, text, n, TARE_TOKEN_FLAGS_NONE);
  g_assert_cmpuint (c->len, ==, n + 1);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 60 * G_USEC_PER_SEC);
}

static void
check_error (const char *json,
             const char *config,
             TareError   code,
             const char *part)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTokenizer) tokenizer = NULL;

  tokenizer = tare_tokenizer_new_from_json (json, strlen (json), config,
                                            config != NULL ? strlen (config) : 0, "test", &error);
  g_assert_error (error, TARE_ERROR, (int) code);
  g_assert_null (tokenizer);
  g_assert_true (g_str_has_prefix (error->message, "test"));
  if (strstr (error->message, part) == NULL)
    g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, part));
}

static void
test_json_errors (void)
{
  static const struct
  {
    const char *vocab;
    const char *merges;
    const char *rest;
    TareError   code;
    const char *part;
  } cases[] = {
    { ",\"x y\":1e3", "", BYTE_LEVEL, TARE_ERROR_INVALID, "x y" },
    { ",\"xy\":-1", "", BYTE_LEVEL, TARE_ERROR_INVALID, "xy" },
    { ",\"xy\":99999999999", "", BYTE_LEVEL, TARE_ERROR_LIMIT, "99999999999" },
    { ",\"xy\":65", "", BYTE_LEVEL, TARE_ERROR_INVALID, "token 65" },
    { "", "\"a b\"", BYTE_LEVEL, TARE_ERROR_INVALID, "\"ab\"" },
    { ",\"ab\":256", "\"a\"", BYTE_LEVEL, TARE_ERROR_INVALID, "merge 0" },
    { ",\"ab\":256", "\"a b\",\"ab zz\"", BYTE_LEVEL, TARE_ERROR_INVALID, "merge 1" },
    { ",\"ab\":256", "[\"a\"]", BYTE_LEVEL, TARE_ERROR_INVALID, "merge 0" },
    { ",\"ab\":256", "7", BYTE_LEVEL, TARE_ERROR_INVALID, "merge 0" },
    { "", "", BYTE_LEVEL ",\"added_tokens\":[{\"id\":5}]", TARE_ERROR_INVALID,
      "added_tokens[0]" },
    { "", "", BYTE_LEVEL ",\"added_tokens\":[{\"id\":97,\"content\":\"b\"}]",
      TARE_ERROR_INVALID, "token 97" },
    { "", "", BYTE_LEVEL ",\"added_tokens\":[{\"id\":300,\"content\":\"b\"}]",
      TARE_ERROR_INVALID, "300" },
    { "", "", BYTE_LEVEL ",\"normalizer\":{\"type\":\"Nmt\"}", TARE_ERROR_UNSUPPORTED, "Nmt" },
    { "", "", BYTE_LEVEL ",\"normalizer\":{\"type\":\"Replace\"}", TARE_ERROR_INVALID,
      "Replace" },
    { "", "", BYTE_LEVEL ",\"normalizer\":{\"type\":\"Precompiled\","
      "\"precompiled_charsmap\":\"/////w==\"}", TARE_ERROR_INVALID, "precompiled_charsmap" },
    { "", "", ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}", TARE_ERROR_UNSUPPORTED,
      "UnicodeScripts" },
    { "", "", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?<=x)+\"},"
      "\"behavior\":\"Isolated\"}", TARE_ERROR_UNSUPPORTED, "(?<=x)" },
    { "", "", ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x+\"},"
      "\"behavior\":\"Doubled\"}", TARE_ERROR_UNSUPPORTED, "Doubled" },
    { "", "", ",\"pre_tokenizer\":{\"type\":\"Split\"}", TARE_ERROR_INVALID, "Split" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *json = tokenizer_bytes_json (cases[i].vocab, cases[i].merges, cases[i].rest);

      check_error (json, NULL, cases[i].code, cases[i].part);
    }
  check_error ("{}", NULL, TARE_ERROR_INVALID, "no model");
  check_error ("[]", NULL, TARE_ERROR_INVALID, "not an object");
  check_error ("{", NULL, TARE_ERROR_INVALID, "JSON");
  check_error ("{\"x\":\"\\ud800\"}", NULL, TARE_ERROR_INVALID, "escape at offset 6");
  check_error ("{\"x\":\"\\udc00\\ud800\"}", NULL, TARE_ERROR_INVALID, "escape at offset 6");
  check_error ("{\"x\":\"\\u12\"}", NULL, TARE_ERROR_INVALID, "escape at offset 6");
  check_error ("{\"x\":\"\\\\ud800 \\ud83e\\udd99\"}", NULL, TARE_ERROR_INVALID, "no model");
  check_error ("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", NULL,
               TARE_ERROR_INVALID, "vocab[0]");
  check_error ("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}", NULL,
               TARE_ERROR_UNSUPPORTED, "WordLevel");
  check_error ("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", NULL,
               TARE_ERROR_UNSUPPORTED, "BPE without bytes");
  check_error ("{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":0}}}", NULL,
               TARE_ERROR_UNSUPPORTED, SPACE);
  check_error ("{\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{}}}",
               NULL, TARE_ERROR_INVALID, "no tokens");
}

static void
check_metadata_error (TareMetadata *metadata,
                      TareError     code,
                      const char   *part)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTokenizer) tokenizer = NULL;

  tokenizer = tare_tokenizer_new_from_metadata (metadata, "test", &error);
  g_assert_error (error, TARE_ERROR, (int) code);
  g_assert_null (tokenizer);
  g_assert_nonnull (strstr (error->message, part));
}

static void
test_metadata_errors (void)
{
  static const char *tokens[] = { "a", "b", "ab" };
  static const char *twice[] = { "a", "b", "a" };
  static const char *merges[] = { "a b", "a x" };
  static const gint32 types[] = { 1, 1, 77 };
  static const float scores[] = { 0.0f, 1.0f };
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();

  check_metadata_error (metadata, TARE_ERROR_INVALID, "tokenizer.ggml.model");
  tare_metadata_set_string (metadata, "tokenizer.ggml.model", "rwkv");
  check_metadata_error (metadata, TARE_ERROR_UNSUPPORTED, "rwkv");
  tare_metadata_set_string (metadata, "tokenizer.ggml.model", "gpt2");
  check_metadata_error (metadata, TARE_ERROR_LIMIT, "tokenizer.ggml.tokens");
  tare_metadata_set_strings (metadata, "tokenizer.ggml.tokens", twice, 3);
  check_metadata_error (metadata, TARE_ERROR_INVALID, "tokens 0 and 2");
  tare_metadata_set_strings (metadata, "tokenizer.ggml.tokens", tokens, 3);
  tare_metadata_set_string (metadata, "tokenizer.ggml.pre", "nonsense");
  check_metadata_error (metadata, TARE_ERROR_UNSUPPORTED, "nonsense");
  tare_metadata_set_string (metadata, "tokenizer.ggml.pre", "gpt-2");
  tare_metadata_set_strings (metadata, "tokenizer.ggml.merges", merges, 2);
  check_metadata_error (metadata, TARE_ERROR_INVALID, "merge 1");
  tare_metadata_set_strings (metadata, "tokenizer.ggml.merges", merges, 1);
  tare_metadata_set_u32 (metadata, "tokenizer.ggml.bos_token_id", 3);
  check_metadata_error (metadata, TARE_ERROR_INVALID, "bos_token_id");
  tare_metadata_set_u32 (metadata, "tokenizer.ggml.bos_token_id", 2);
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.token_type", types, 3);
  check_metadata_error (metadata, TARE_ERROR_INVALID, "token 2");
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.token_type", types, 2);
  check_metadata_error (metadata, TARE_ERROR_INVALID, "token_type");
  tare_metadata_remove (metadata, "tokenizer.ggml.token_type");
  tare_metadata_set_f32s (metadata, "tokenizer.ggml.scores", scores, 2);
  check_metadata_error (metadata, TARE_ERROR_INVALID, "scores");
  tare_metadata_remove (metadata, "tokenizer.ggml.scores");
  g_assert_true (tare_metadata_has (metadata, "tokenizer.ggml.tokens"));
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/tokenizer/bytes/merges", test_merges);
  g_test_add_func ("/tokenizer/bytes/special", test_special);
  g_test_add_func ("/tokenizer/bytes/template", test_template);
  g_test_add_func ("/tokenizer/bytes/normalizer", test_normalizer);
  g_test_add_func ("/tokenizer/bytes/ignore-merges", test_ignore_merges);
  g_test_add_func ("/tokenizer/bytes/digits", test_digits);
  g_test_add_func ("/tokenizer/bytes/inverse", test_inverse);
  g_test_add_func ("/tokenizer/bytes/metadata", test_metadata_bytes);
  g_test_add_func ("/tokenizer/pieces", test_pieces);
  g_test_add_func ("/tokenizer/pieces/inverse", test_pieces_inverse);
  g_test_add_func ("/tokenizer/write", test_write);
  g_test_add_func ("/tokenizer/long-words", test_long_words);
  g_test_add_func ("/tokenizer/errors/json", test_json_errors);
  g_test_add_func ("/tokenizer/errors/metadata", test_metadata_errors);

  return g_test_run ();
}
