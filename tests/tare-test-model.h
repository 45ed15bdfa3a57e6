/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareTestShape:
 *
 * The shape of a Llama whose weights are all 0. Its file has holes instead of them, so that it can
 * be larger than the disk; it knows nothing, and its perplexity is exactly its vocabulary.
 */
typedef struct
{
  guint n_blocks;
  guint width;
  guint n_heads;
  guint n_key_value_heads;
  guint feed_forward_width;
  guint vocabulary;
} TareTestShape;

guint64  tare_test_write_llama  (const TareTestShape  *shape,
                                 const char           *tokenizer,
                                 const char           *folder);
void     tare_test_remove_llama (const char           *folder);

G_END_DECLS
