/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What attention is given: how far each block sees, and heads that are normed and turned. */
#include "quant/network/tare-network-private.h"

/* Whether a block sees but a part of what is before. */
static gboolean
is_windowed (TareNetwork *self,
             guint        block)
{
  guint period = self->architecture->window_period;

  return period == 0 || block % period != period - 1;
}

/* By how much the heads of a block turn. */
const TareAngles *
_tare_network_get_angles (TareNetwork *self,
                          guint        block)
{
  return self->local_angles != NULL && is_windowed (self, block) ? self->local_angles
                                                                 : self->angles;
}

/* Norm (where the architecture has one) and rotation of the queries and keys of one token. */
void
_tare_network_prepare_heads (TareNetwork     *self,
                             const TareBlock *block,
                             gsize            position,
                             float           *row)
{
  const TareConfig *config = self->config;
  gsize n = config->n_heads + config->n_key_value_heads;
  gsize queries = (gsize) config->n_heads * config->head_width;
  gboolean wide = self->architecture->wide_head_norm;

  if (wide)
    {
      _tare_network_norm (self, &block->query_norm, row, 1, queries, row);
      _tare_network_norm (self, &block->key_norm, row + queries, 1,
                          (gsize) config->n_key_value_heads * config->head_width, row + queries);
    }

  for (gsize i = 0; i < n; i++)
    {
      gboolean key = i >= config->n_heads;
      TareScaling norm = key ? block->key_norm : block->query_norm;
      float *head = row + i * config->head_width;

      if (norm.weight != NULL && self->architecture->own_head_norm)
        norm.weight += (key ? i - config->n_heads : i) * config->head_width;
      if (norm.weight != NULL && !wide)
        _tare_network_norm (self, &norm, head, 1, config->head_width, head);
      tare_kernel_rotate (_tare_network_get_angles (self, block->index), position, head);
    }
}

/* What attention sees in one block. */
TareAttentionShape
_tare_network_get_shape (TareNetwork *self,
                         guint        block,
                         gsize        n_sequences,
                         gsize        length)
{
  const TareConfig *config = self->config;

  return (TareAttentionShape) {
    .n_sequences = n_sequences,
    .length = length,
    .n_heads = config->n_heads,
    .n_key_value_heads = config->n_key_value_heads,
    .head_width = config->head_width,
    .window = is_windowed (self, block) ? config->window : 0,
    .soft_cap = config->attention_soft_cap,
  };
}

/* Angles for so many positions; where the model knows two kinds, those for contexts of this
 * length. */
void
_tare_network_reserve_angles (TareNetwork *self,
                              gsize        length)
{
  gboolean is_long = self->long_frequencies != NULL
                     && length > self->config->rope_original_context;
  gsize n_pairs = self->config->rope_width / 2;

  if (self->angles != NULL && self->angles->length >= length && self->angles_are_long == is_long)
    return;

  tare_angles_free (self->angles);
  self->angles = tare_angles_new (self->architecture->rotary,
                                  is_long ? self->long_frequencies : self->frequencies,
                                  self->magnitude, n_pairs, length);
  self->angles_are_long = is_long;
  if (self->local_frequencies == NULL)
    return;

  tare_angles_free (self->local_angles);
  self->local_angles = tare_angles_new (self->architecture->rotary, self->local_frequencies, 1.0,
                                        n_pairs, length);
}
