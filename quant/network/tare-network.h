/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-model.h"
#include "quant/network/tare-weights.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareNetwork:
 *
 * The forward pass of a model, a block at a time, in fp32. It holds no weights: those of one block
 * are loaded, used for all sequences, and let go. Not for two threads at once.
 */
typedef struct _TareNetwork TareNetwork;

/* The weights of one block in fp32. */
typedef struct _TareBlock TareBlock;

/**
 * TareObserver:
 * @observe: told of the input of every linear layer before it is used
 * @data: closure
 *
 * @tensor is the first tensor that takes this input (attn_q for query, key and value; ffn_gate
 * for gate and up); @x is n_tokens x columns. Called in the thread that runs the block.
 */
typedef struct
{
  void     (*observe) (const TareTensor *tensor,
                       const float      *x,
                       gsize             n_tokens,
                       gsize             columns,
                       gpointer          data);
  gpointer   data;
} TareObserver;

TareNetwork      *tare_network_new          (TareModel           *model,
                                             GError             **error);
void              tare_network_free         (TareNetwork         *self);
TareModel        *tare_network_get_model    (TareNetwork         *self);
const TareConfig *tare_network_get_config   (TareNetwork         *self);

guint64           tare_network_fingerprint  (TareNetwork         *self,
                                             const TareWeights   *weights,
                                             int                  block);
gboolean          tare_network_embed        (TareNetwork         *self,
                                             const TareWeights   *weights,
                                             const guint32       *tokens,
                                             gsize                n_tokens,
                                             gsize                length,
                                             float               *x,
                                             GError             **error);
TareBlock        *tare_network_load_block   (TareNetwork         *self,
                                             const TareWeights   *weights,
                                             guint                block,
                                             GError             **error);
TareBlock        *tare_network_load_output  (TareNetwork         *self,
                                             const TareWeights   *weights,
                                             GError             **error);
void              tare_block_free           (TareBlock           *block);
gboolean          tare_network_run_block    (TareNetwork         *self,
                                             const TareBlock     *block,
                                             float               *x,
                                             gsize                n_sequences,
                                             gsize                length,
                                             const TareObserver  *observer,
                                             const TareProgress  *progress,
                                             GError             **error);
gboolean          tare_network_run_output   (TareNetwork         *self,
                                             const TareBlock     *output,
                                             const float         *x,
                                             gsize                n_tokens,
                                             float               *logits,
                                             const TareObserver  *observer,
                                             GError             **error);
gboolean          tare_network_run          (TareNetwork         *self,
                                             const TareWeights   *weights,
                                             const guint32       *tokens,
                                             gsize                n_tokens,
                                             float               *logits,
                                             const TareProgress  *progress,
                                             GError             **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareNetwork, tare_network_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareBlock, tare_block_free)

G_END_DECLS
