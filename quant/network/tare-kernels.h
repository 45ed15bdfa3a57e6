/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-branches.h"
#include "quant/network/tare-rotary.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareAttentionShape:
 * @n_sequences: sequences, which do not see each other
 * @length: tokens of each
 * @n_heads: query heads, a multiple of @n_key_value_heads
 * @n_key_value_heads: key and value heads
 * @head_width: elements of a head
 * @window: positions that a query sees, its own among them; 0 for all before it
 * @soft_cap: c of c tanh (score / c), or 0 for none
 * @branches: (nullable): of tare_kernel_attention() alone, how its sequences branch, as many and as
 *   long as the shape says
 *
 * A row of the attention's input is one token's queries, keys and values, one after the other:
 * (n_heads + 2 n_key_value_heads) head_width numbers.
 */
typedef struct
{
  gsize n_sequences;
  gsize length;
  gsize n_heads;
  gsize n_key_value_heads;
  gsize head_width;
  gsize window;
  float soft_cap;

  const TareBranches *branches;
} TareAttentionShape;

/**
 * TareAttentionPast:
 * @qkv: as what attention takes, with the keys and values that are seen of older tokens
 * @key_window: so many of the last keys that a query sees, its own among them, are as in the other
 *   one; 0 for all
 * @value_window: likewise of values
 *
 * A cache that keeps its last tokens as they are and rounds those before.
 */
typedef struct
{
  const float *qkv;
  gsize        key_window;
  gsize        value_window;
} TareAttentionPast;

/**
 * TareLogSoftmax:
 * @log_sum: ln Σ exp (logit), so that ln p = logit - log_sum
 * @top: index of the largest logit, the first of equals
 *
 * What turns a row of logits into log-probabilities.
 */
typedef struct
{
  double log_sum;
  gsize  top;
} TareLogSoftmax;

/* Each of these has a plain twin in tare-kernels-reference.h that the tests hold it against. */
void           tare_kernel_exp               (const float              *x,
                                              gsize                     n,
                                              float                    *y);
void           tare_kernel_rms_norm          (const float              *x,
                                              const float              *weight,
                                              float                     epsilon,
                                              gsize                     rows,
                                              gsize                     columns,
                                              float                    *y);
void           tare_kernel_layer_norm        (const float              *x,
                                              const float              *weight,
                                              const float              *bias,
                                              float                     epsilon,
                                              gsize                     rows,
                                              gsize                     columns,
                                              float                    *y);
void           tare_kernel_add               (const float              *x,
                                              gsize                     rows,
                                              gsize                     columns,
                                              float                    *y);
void           tare_kernel_scale             (float                     factor,
                                              gsize                     rows,
                                              gsize                     columns,
                                              float                    *y);
void           tare_kernel_soft_cap          (float                     cap,
                                              gsize                     rows,
                                              gsize                     columns,
                                              float                    *y);
void           tare_kernel_add_bias          (const float              *bias,
                                              gsize                     rows,
                                              gsize                     columns,
                                              float                    *y);
void           tare_kernel_silu_gate         (const float              *gate_up,
                                              gsize                     rows,
                                              gsize                     width,
                                              float                    *y);
void           tare_kernel_gate              (TareActivation            activation,
                                              const float              *gate_up,
                                              gsize                     rows,
                                              gsize                     width,
                                              float                    *y);
void           tare_kernel_activate          (TareActivation            activation,
                                              const float              *x,
                                              gsize                     rows,
                                              gsize                     width,
                                              float                    *y);
void           tare_kernel_rotate            (const TareAngles         *angles,
                                              gsize                     position,
                                              float                    *head);
gsize          tare_kernel_attention_scratch (const TareAttentionShape *shape);
void           tare_kernel_attention         (const TareAttentionShape *shape,
                                              const float              *qkv,
                                              float                     scale,
                                              float                    *scratch,
                                              float                    *y,
                                              const TareProgress       *progress);
void           tare_kernel_attention_tapped  (const TareAttentionShape *shape,
                                              const float              *qkv,
                                              float                     scale,
                                              float                    *scratch,
                                              float                    *y,
                                              double                   *received,
                                              const TareProgress       *progress);
gsize          tare_kernel_attention_past_scratch
                                             (const TareAttentionShape *shape);
void           tare_kernel_attention_past    (const TareAttentionShape *shape,
                                              const float              *qkv,
                                              const TareAttentionPast  *past,
                                              float                     scale,
                                              float                    *scratch,
                                              float                    *y,
                                              double                   *received,
                                              const TareProgress       *progress);
TareLogSoftmax tare_kernel_log_softmax       (const float              *logits,
                                              gsize                     n);
double         tare_kernel_divergence        (const float              *base,
                                              const TareLogSoftmax     *base_sum,
                                              const float              *other,
                                              const TareLogSoftmax     *other_sum,
                                              gsize                     n);

G_END_DECLS
