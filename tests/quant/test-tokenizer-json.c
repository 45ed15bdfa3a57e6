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

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/tokenizer-json/pre-tokenizers", test_pre_tokenizers);
  g_test_add_func ("/tokenizer-json/detected", test_detected);

  return g_test_run ();
}
