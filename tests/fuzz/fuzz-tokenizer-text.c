/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* memmem */

#include <string.h>

#include "quant/model/tare-tokenizer.h"
#include "tests/fuzz/fuzz.h"

#define SPACE "\xe2\x96\x81"

static const char *const pres[] = { "gpt-2", "llama-bpe", "qwen2", "smollm", "falcon", "default",
                                    "deepseek-llm", "deepseek-coder", "deepseek-v3", "tekken",
                                    "gpt-4o", "viking" };

/* After those of bytes. */
enum
{
  PIECES = G_N_ELEMENTS (pres),
  UNIGRAM,
  WORDS,
  N_TOKENIZERS,
};

#define UNKNOWN 256

static TareTokenizer *tokenizers[N_TOKENIZERS];

static void
set_tokens (TareMetadata      *metadata,
            const char        *model,
            const char *const *extra,
            guint              n_extra,
            gboolean           pieces)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autofree float *scores = g_new0 (float, 256 + n_extra);
  g_autofree gint32 *types = g_new0 (gint32, 256 + n_extra);
  gunichar other = 0x100;

  for (guint i = 0; i < 256 + n_extra; i++)
    {
      gboolean printable = (i >= 0x21 && i <= 0x7e) || (i >= 0xa1 && i != 0xad);
      char name[8] = { 0 };

      if (i < 256 && !pieces)
        g_unichar_to_utf8 (printable ? i : other++, name);
      g_ptr_array_add (names, i >= 256 ? g_strdup (extra[i - 256])
                       : pieces ? g_strdup_printf ("<0x%02X>", i) : g_strdup (name));
      types[i] = i < 256 && pieces ? 6 : 1;
      scores[i] = -(float) i;
    }
  tare_metadata_set_string (metadata, "tokenizer.ggml.model", model);
  tare_metadata_set_strings (metadata, "tokenizer.ggml.tokens", (const char **) names->pdata,
                             names->len);
  tare_metadata_set_f32s (metadata, "tokenizer.ggml.scores", scores, names->len);
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.token_type", types, names->len);
}

static void
make_words (TareMetadata *metadata)
{
  static const char *const words[] = {
    "[UNK]", SPACE "a", SPACE "ab", SPACE "b", "aa", "ba", SPACE "!", SPACE "1", SPACE "n",
    SPACE "\xe5\x8d\x9a",
  };

  set_tokens (metadata, "bert", words, G_N_ELEMENTS (words), FALSE);
  tare_metadata_set_u32 (metadata, "tokenizer.ggml.unknown_token_id", UNKNOWN);
}

static void
make_tokenizers (void)
{
  static const char *const words[] = {
    "aa", "ab", "\xc4\xa0" "a", "aaaa", "\xc4\xa0\xc4\xa0", "12",
  };
  static const char *merges[] = {
    "a a", "a b", "\xc4\xa0 a", "aa aa", "\xc4\xa0 \xc4\xa0", "1 2",
  };
  static const char *const pieces[] = {
    SPACE, "a", "aa", "b", "ab", "a" SPACE, SPACE "a", "n\xc3\xa9",
  };

  for (gsize i = 0; i < N_TOKENIZERS; i++)
    {
      g_autoptr(TareMetadata) metadata = tare_metadata_new ();
      g_autoptr(GError) error = NULL;

      if (i == WORDS)
        {
          make_words (metadata);
        }
      else if (i < PIECES)
        {
          set_tokens (metadata, "gpt2", words, G_N_ELEMENTS (words), FALSE);
          tare_metadata_set_strings (metadata, "tokenizer.ggml.merges", merges,
                                     G_N_ELEMENTS (merges));
          tare_metadata_set_string (metadata, "tokenizer.ggml.pre", pres[i]);
        }
      else
        {
          set_tokens (metadata, i == PIECES ? "llama" : "t5", pieces, G_N_ELEMENTS (pieces), TRUE);
        }
      tokenizers[i] = tare_tokenizer_new_from_metadata (metadata, pres[i % G_N_ELEMENTS (pres)],
                                                        &error);
      g_assert_no_error (error);
    }
}

/* Words that are known come back in another writing, which makes the same tokens again. */
static void
check_words (TareTokenizer *tokenizer,
             GArray        *tokens,
             GString       *back)
{
  g_autoptr(GArray) again = tare_tokenizer_encode (tokenizer, back->str, back->len,
                                                   TARE_TOKEN_FLAGS_PARSE_SPECIAL);

  for (guint i = 0; i < tokens->len; i++)
    if (g_array_index (tokens, guint32, i) == UNKNOWN)
      return;
  g_assert_cmpmem (again->data, again->len * sizeof (guint32),
                   tokens->data, tokens->len * sizeof (guint32));
}

/* Any bytes become tokens, and those the bytes again. */
int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  const char *text = (const char *) data;

  if (tokenizers[0] == NULL)
    make_tokenizers ();

  for (gsize i = 0; i < G_N_ELEMENTS (tokenizers); i++)
    {
      g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizers[i], text, size,
                                                        TARE_TOKEN_FLAGS_PARSE_SPECIAL);
      g_autoptr(GString) back = tare_tokenizer_decode (tokenizers[i],
                                                       (const guint32 *) tokens->data,
                                                       tokens->len);

      /* Pieces write a space and its mark alike. */
      if (i == WORDS)
        check_words (tokenizers[i], tokens, back);
      else if (i < PIECES || size == 0 || memmem (text, size, SPACE, 3) == NULL)
        g_assert_cmpmem (back->str, back->len, text, size);
    }

  return 0;
}
