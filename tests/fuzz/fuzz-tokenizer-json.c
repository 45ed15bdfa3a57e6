/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-tokenizer.h"
#include "tests/fuzz/fuzz.h"

static const char text[] = "Hello  world's \xc3\xa9\xff 12345 <s> \n\n \xe2\x96\x81x";

static void
use (TareTokenizer *tokenizer)
{
  g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, text, sizeof text,
                                                    TARE_TOKEN_FLAGS_ADD_SPECIAL
                                                    | TARE_TOKEN_FLAGS_PARSE_SPECIAL);
  g_autoptr(GString) back = tare_tokenizer_decode (tokenizer, (const guint32 *) tokens->data,
                                                   tokens->len);

  for (guint i = 0; i < tokens->len; i++)
    g_assert_nonnull (tare_tokenizer_get_token (tokenizer, g_array_index (tokens, guint32, i)));
  g_assert_nonnull (back);
}

/* A tokenizer.json, and after a zero byte a tokenizer_config.json. */
int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  const char *json = (const char *) data;
  const char *zero = size > 0 ? memchr (json, '\0', size) : NULL;
  gsize length = zero != NULL ? (gsize) (zero - json) : size;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTokenizer) tokenizer = NULL;

  tokenizer = tare_tokenizer_new_from_json (json, length, zero != NULL ? zero + 1 : NULL,
                                            zero != NULL ? size - length - 1 : 0, "fuzz", &error);
  if (tokenizer != NULL)
    {
      g_autoptr(TareMetadata) metadata = tare_metadata_new ();
      g_autoptr(TareTokenizer) again = NULL;
      gsize n = tare_tokenizer_get_n_tokens (tokenizer);

      use (tokenizer);
      tare_tokenizer_write_metadata (tokenizer, (guint) n, metadata);
      again = tare_tokenizer_new_from_metadata (metadata, "fuzz", NULL);
      if (again != NULL)
        use (again);
    }
  else
    {
      g_assert_nonnull (error);
    }

  return 0;
}
