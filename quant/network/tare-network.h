/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-model.h"
#include "quant/network/tare-branches.h"
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
 * @observe: (nullable): told of the input of every linear layer before it is used
 * @data: closure of all
 * @stream: (nullable): told of the residual stream before and after each block, both n_tokens x
 *   width
 * @attend: (nullable): told how much attention each position receives, n_sequences x length: the
 *   probabilities that all queries of all heads give to it, which for a sequence add up to heads x
 *   length
 *
 * @tensor is the first tensor that takes this input (attn_q for query, key and value; ffn_gate
 * for gate and up), and @expert which of its matrices, 0 where it is but one; @x is n_tokens x
 * columns. Called in the thread that runs the block, for a group of sequences at a time and these
 * in their order; the tokens of an expert are those that are routed to it, and @tokens tells which
 * they are, ascending, counted from the start of a sequence; %NULL where all tokens come.
 */
typedef struct
{
  void     (*observe) (const TareTensor *tensor,
                       gsize             expert,
                       const float      *x,
                       const guint32    *tokens,
                       gsize             n_tokens,
                       gsize             columns,
                       gpointer          data);
  gpointer   data;
  void     (*stream)  (guint             block,
                       const float      *before,
                       const float      *after,
                       gsize             n_tokens,
                       gsize             width,
                       gpointer          data);
  void     (*attend)  (guint             block,
                       const double     *received,
                       gsize             n_sequences,
                       gsize             length,
                       gpointer          data);
} TareObserver;

TareNetwork      *tare_network_new          (TareModel           *model,
                                             GError             **error);
void              tare_network_free         (TareNetwork         *self);
TareModel        *tare_network_get_model    (TareNetwork         *self);
const TareConfig *tare_network_get_config   (TareNetwork         *self);
guint64           tare_network_measure_memory (TareNetwork       *self);
gboolean          tare_network_check_memory (TareNetwork         *self,
                                             guint64              budget,
                                             GError             **error);
void              tare_network_set_expert_bytes (TareNetwork     *self,
                                                 guint64          bytes);

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
gboolean          tare_network_embed_branches (TareNetwork        *self,
                                             const TareWeights   *weights,
                                             const guint32       *tokens,
                                             const TareBranches  *branches,
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
gboolean          tare_network_can_branch   (TareNetwork         *self,
                                             const TareWeights   *weights);
gboolean          tare_network_run_branches (TareNetwork         *self,
                                             const TareBlock     *block,
                                             float               *x,
                                             const TareBranches  *branches,
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
