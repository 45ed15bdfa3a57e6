/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-model.h"

G_BEGIN_DECLS

/**
 * TareSequences:
 * @tokens: n_sequences x context of them, and then the tail that is dropped
 * @context: tokens of one sequence
 * @n_sequences: how many
 *
 * A text as a network sees it.
 */
typedef struct
{
  GArray *tokens;
  guint   context;
  gsize   n_sequences;
} TareSequences;

gboolean tare_sequences_init         (TareSequences        *self,
                                      TareModel            *model,
                                      const char           *text,
                                      gsize                 length,
                                      guint                 context,
                                      gsize                 maximum_tokens,
                                      const char           *name,
                                      GError              **error);
void     tare_sequences_clear        (TareSequences        *self);
gsize    tare_sequences_get_n_tokens (const TareSequences  *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TareSequences, tare_sequences_clear)

G_END_DECLS
