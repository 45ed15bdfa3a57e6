/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the parts of a tokenizer.json do, worked out by hand. */
#include <string.h>

#include "tests/quant/tokenizer-fixture.h"
#include "tests/tare-test.h"

#define PRE(steps)                                                                      \
  ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" steps                 \
  ",{\"type\":\"ByteLevel\",\"use_regex\":false,\"add_prefix_space\":false}]}"

/* With "ab" and "bc" merged wherever nothing parts them. */
static void
test_pre_tokenizers (void)
{
  static const struct
  {
    const char *steps;
    const char *text;
    const char *expected;
  } cases[] = {
    { "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Isolated\"}", "abc",
      "97 257" },
    { "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"b\"},\"behavior\":\"MergedWithPrevious\"}",
      "abc", "256 99" },
    { "{\"type\":\"Split\",\"pattern\":{\"String\":\"b\"},\"behavior\":\"MergedWithNext\"}",
      "abc", "97 257" },
    { "{\"type\":\"Split\",\"pattern\":{\"String\":\"|\"},\"behavior\":\"Removed\"}", "a|bc|ab",
      "97 257 256" },
    { "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a-b]+\"},\"behavior\":\"Removed\","
      "\"invert\":true}", "abcab", "256 256" },
    { "{\"type\":\"WhitespaceSplit\"}", " a \n bc\t", "97 257" },
    { "{\"type\":\"Whitespace\"}", "ab!? c", "256 33 63 99" },
    { "{\"type\":\"BertPreTokenizer\"}", "ab !c", "256 33 99" },
    { "{\"type\":\"Punctuation\"}", "ab!c", "256 33 99" },
    { "{\"type\":\"Punctuation\",\"behavior\":\"Removed\"}", "ab!c", "256 99" },
    { "{\"type\":\"Digits\"}", "ab12c", "256 49 50 99" },
    { "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"-\"}", "a-bc", "97 257" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *pre = g_strdup_printf (PRE ("%s"), cases[i].steps);
      g_autofree char *json = tokenizer_bytes_json (",\"ab\":256,\"bc\":257", "\"a b\",\"b c\"",
                                                    pre);
      g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
      g_autoptr(TareMetadata) metadata = tare_metadata_new ();
      g_autoptr(TareTokenizer) again = NULL;
      g_autoptr(GError) error = NULL;

      g_test_message ("%s", cases[i].steps);
      tokenizer_check (tokenizer, cases[i].text, TARE_TOKEN_FLAGS_NONE, cases[i].expected);

      /* llama.cpp has no name for any of these, so the GGUF keeps the file. */
      tare_tokenizer_write_metadata (tokenizer, 300, metadata);
      g_assert_false (tare_metadata_has (metadata, "tokenizer.ggml.pre"));
      again = tare_tokenizer_new_from_metadata (metadata, "written", &error);
      g_assert_no_error (error);
      tokenizer_check (again, cases[i].text, TARE_TOKEN_FLAGS_NONE, cases[i].expected);
    }
}

/* Files as they are on the hub, known by what they do however they spell it. */
static void
test_detected (void)
{
  static const struct
  {
    const char *steps;
    const char *pre;
  } cases[] = {
    { "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[\\r\\n]\"},\"behavior\":\"Isolated\"},"
      "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s?\\\\p{L}+\"},\"behavior\":\"Isolated\"},"
      "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s?\\\\p{P}+\"},\"behavior\":\"Isolated\"},"
      "{\"type\":\"Split\",\"pattern\":{\"Regex\":"
      "\"[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+\"},\"behavior\":\"Isolated\"},"
      "{\"type\":\"Digits\",\"individual_digits\":true}",
      "deepseek-coder" },
    { "{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"},{\"type\":\"ByteLevel\"},"
      "{\"type\":\"Digits\",\"individual_digits\":false},"
      "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[0-9][0-9][0-9]\"},\"behavior\":\"Isolated\"}",
      "falcon" },
    { "{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\"}", "smollm" },
    { "{\"type\":\"Split\",\"pattern\":{\"Regex\":\" ?[^(\\\\s|[.,!?\\u2026\\u3002\\uff0c\\u3001"
      "\\u0964\\u06d4\\u060c])]+\"},\"behavior\":\"Isolated\"}", "bloom" },
    { "{\"type\":\"Split\",\"pattern\":{\"Regex\":\" ?[^(\\\\s|.,!?\\u2026\\u3002\\uff0c\\u3001"
      "\\u0964\\u06d4\\u060c)]+\"},\"behavior\":\"Isolated\"}", "bloom" },
    { "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x\"},\"behavior\":\"Isolated\"}", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *pre = g_strdup_printf (PRE ("%s"), cases[i].steps);
      g_autofree char *json = tokenizer_bytes_json ("", "", pre);
      g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
      g_autoptr(TareMetadata) metadata = tare_metadata_new ();

      tare_tokenizer_write_metadata (tokenizer, 256, metadata);
      g_assert_cmpstr (tare_metadata_get_string (metadata, "tokenizer.ggml.pre"), ==,
                       cases[i].pre);
    }
}

#define ADDED(name, id, rest) \
  "{\"content\":\"" name "\",\"id\":" id ",\"special\":true," rest "\"normalized\":false}"

/* Added tokens as Hugging Face's AddedToken documents each of its four switches. */
static void
test_added (void)
{
  static const struct
  {
    const char *text;
    const char *expected;
  } cases[] = {
    /* White space on the left, on the right, on neither side. */
    { "a \t<l> b", "97 256 32 98" },
    { "a <r> \xe2\x80\x83\nb", "97 32 257 98" },
    { "a <n> b", "97 32 261 32 98" },
    { "<r>  <l>", "257 256" },
    { " <l><l> <r>", "256 256 32 257" },
    /* A word by itself: no letter, digit, mark or underscore beside it. */
    { "it", "258" },
    { "it's", "258 39 115" },
    { "its it", "105 116 115 32 258" },
    { "_it \xc3\xa9it it1", "95 105 116 32 195 169 105 116 32 105 116 49" },
    { "(it)", "40 258 41" },
    { "itit", "105 116 105 116" },
    { "it\xcc\x81", "105 116 204 129" },
    /* After normalizing, and not. */
    { "ABC", "259" },
    { "abc", "259" },
    { "<X> <x>", "260 32 60 120 62" },
    /* The longest first. */
    { "<long><n>", "262" },
  };
  g_autofree char *json =
    tokenizer_bytes_json (",\"<l>\":256,\"<r>\":257,\"it\":258,\"Abc\":259,\"<X>\":260,"
                          "\"<n>\":261,\"<long><n>\":262", "",
                          ",\"normalizer\":{\"type\":\"Lowercase\"},\"added_tokens\":["
                          ADDED ("<l>", "256", "\"lstrip\":true,") ","
                          ADDED ("<r>", "257", "\"rstrip\":true,") ","
                          ADDED ("it", "258", "\"single_word\":true,") ","
                          "{\"content\":\"Abc\",\"id\":259,\"normalized\":true},"
                          ADDED ("<X>", "260", "") "," ADDED ("<n>", "261", "") ","
                          ADDED ("<long><n>", "262", "") "]");
  g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareTokenizer) again = NULL;
  g_autoptr(GError) error = NULL;

  tare_tokenizer_write_metadata (tokenizer, 263, metadata);
  again = tare_tokenizer_new_from_metadata (metadata, "written", &error);
  g_assert_no_error (error);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i].text);
      tokenizer_check (tokenizer, cases[i].text, TARE_TOKEN_FLAGS_PARSE_SPECIAL,
                       cases[i].expected);
      tokenizer_check (again, cases[i].text, TARE_TOKEN_FLAGS_PARSE_SPECIAL, cases[i].expected);
    }
  /* What is special is text where it is not asked for; what a user added never is. */
  tokenizer_check (tokenizer, "<l>abc", TARE_TOKEN_FLAGS_NONE, "60 108 62 259");
}

/* As GLM's: two before a text, and here two after it, of which one special token is two ids. */
static void
test_template (void)
{
  g_autofree char *json =
    tokenizer_bytes_json (",\"[gMASK]\":256,\"<sop>\":257,\"<eop>\":258", "",
                          ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\""
                          "\\\\p{L}+\"},\"behavior\":\"Isolated\"},"
                          "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
                          "{\"SpecialToken\":{\"id\":\"[gMASK]\"}},"
                          "{\"SpecialToken\":{\"id\":\"<sop>\"}},{\"Sequence\":{\"id\":\"A\"}},"
                          "{\"SpecialToken\":{\"id\":\"ends\"}}],"
                          "\"special_tokens\":{\"ends\":{\"id\":\"ends\",\"ids\":[258,256]}}}");
  g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
  g_autoptr(TareTokenizer) bare = tokenizer_parse (json, "{\"add_bos_token\":false}");
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareTokenizer) again = NULL;
  g_autoptr(GError) error = NULL;

  tare_tokenizer_write_metadata (tokenizer, 300, metadata);
  again = tare_tokenizer_new_from_metadata (metadata, "written", &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++)
    {
      TareTokenizer *which = i == 0 ? tokenizer : again;

      tokenizer_check (which, "a", TARE_TOKEN_FLAGS_ADD_SPECIAL, "256 257 97 258 256");
      tokenizer_check (which, "a", TARE_TOKEN_FLAGS_ADD_BEGIN, "256 257 97");
      tokenizer_check (which, "a", TARE_TOKEN_FLAGS_NONE, "97");
    }
  tokenizer_check (bare, "a", TARE_TOKEN_FLAGS_ADD_SPECIAL, "97 258 256");
}

/* BERT's limit on a word counts characters. */
static void
test_longest_word (void)
{
  g_autoptr(TareTokenizer) tokenizer =
    tokenizer_parse ("{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\","
                     "\"max_input_chars_per_word\":3,\"vocab\":{\"?\":0,\"\u00e9\":1,"
                     "\"##\u00e9\":2}},\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}}", NULL);

  tokenizer_check (tokenizer, "\xc3\xa9\xc3\xa9\xc3\xa9", TARE_TOKEN_FLAGS_NONE, "1 2 2");
  tokenizer_check (tokenizer, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 \xc3\xa9", TARE_TOKEN_FLAGS_NONE,
                   "0 1");
}

/* What each step makes of "_a", "##b", "<0xC3>", "<0xA9>", "x", "n't" and "." by hand. */
static void
test_decoders (void)
{
  static const guint32 tokens[] = { 1, 2, 3, 4, 5, 6, 7, 99 };
  static const struct
  {
    const char *steps;
    const char *expected;
  } cases[] = {
    { "{\"type\":\"WordPiece\"}", "\xe2\x96\x81" "ab <0xC3> <0xA9> x</w>n't." },
    { "{\"type\":\"WordPiece\",\"prefix\":\"<0x\",\"cleanup\":false}",
      "\xe2\x96\x81" "a ##bC3>A9> x</w> n't ." },
    { "{\"type\":\"Fuse\"}", "\xe2\x96\x81" "a##b<0xC3><0xA9>x</w>n't." },
    { "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
      "\"\xe2\x96\x81\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
      "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}",
      "a##b\xc3\xa9x</w>n't." },
    { "{\"type\":\"Metaspace\",\"prepend_scheme\":\"never\"}", " a##b<0xC3><0xA9>x</w>n't." },
    { "{\"type\":\"Metaspace\",\"prepend_scheme\":\"always\"}", "a##b<0xC3><0xA9>x</w>n't." },
    { "{\"type\":\"BPEDecoder\"}", "\xe2\x96\x81" "a##b<0xC3><0xA9>x n't." },
    { "{\"type\":\"Strip\",\"content\":\"#\",\"start\":1,\"stop\":0}",
      "\xe2\x96\x81" "a#b<0xC3><0xA9>x</w>n't." },
    { "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":"
      "\".\",\"start\":0,\"stop\":2}]}", "\xe2\x96\x81" "a##b<0xC3><0xA9>x</w>n't" },
    { "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"#+\"},\"content\":\"+\"}",
      "\xe2\x96\x81" "a+b<0xC3><0xA9>x</w>n't." },
    { "{\"type\":\"ByteLevel\"}", "\xe2\x96\x81" "a##b<0xC3><0xA9>x</w>n't." },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *json =
        g_strdup_printf ("{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"vocab\":{"
                         "\"?\":0,\"\xe2\x96\x81" "a\":1,\"##b\":2,\"<0xC3>\":3,\"<0xA9>\":4,"
                         "\"x</w>\":5,\"n't\":6,\".\":7}},\"decoder\":%s}", cases[i].steps);
      g_autoptr(TareTokenizer) tokenizer = tokenizer_parse (json, NULL);
      g_autoptr(GString) text = tare_tokenizer_decode (tokenizer, tokens, G_N_ELEMENTS (tokens));

      g_test_message ("%s", cases[i].steps);
      g_assert_cmpstr (text->str, ==, cases[i].expected);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/tokenizer-json/pre-tokenizers", test_pre_tokenizers);
  g_test_add_func ("/tokenizer-json/detected", test_detected);

  g_test_add_func ("/tokenizer-json/added", test_added);
  g_test_add_func ("/tokenizer-json/decoders", test_decoders);
  g_test_add_func ("/tokenizer-json/template", test_template);
  g_test_add_func ("/tokenizer-json/longest-word", test_longest_word);

  return g_test_run ();
}
