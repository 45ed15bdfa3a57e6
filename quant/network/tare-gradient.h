/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-kernels-backward.h"
#include "quant/network/tare-network.h"

G_BEGIN_DECLS

/* In the place of a target: this position is not scored. */
#define TARE_GRADIENT_UNSCORED G_MAXUINT32

/**
 * TareGradient:
 *
 * The reverse pass of a network, a block at a time: states at the boundaries of the blocks are
 * kept, in memory up to a budget and then in a file, and what lies between them is made anew. Not
 * for two threads at once.
 */
typedef struct _TareGradient TareGradient;

/**
 * TareLoss:
 * @TARE_LOSS_CROSS_ENTROPY: -ln p of the next token, the mean over what is scored
 * @TARE_LOSS_DIVERGENCE: KL (base || network), likewise
 */
typedef enum
{
  TARE_LOSS_CROSS_ENTROPY,
  TARE_LOSS_DIVERGENCE,
} TareLoss;

/**
 * TareObjective:
 * @loss: of which the gradient is wanted
 * @tokens: n_sequences x length
 * @targets: (nullable): as many, %TARE_GRADIENT_UNSCORED where nothing is to be predicted; %NULL
 *   for the next token of each sequence, whose last position is then not scored
 * @n_sequences: sequences, which do not see each other
 * @length: tokens of each
 * @base: (nullable): for a divergence: writes the base's logits of @n tokens from @first on;
 *   %NULL for the network itself, as it stands, whose gradient is 0 and whose Hessian is that of
 *   Gauss and Newton, which has no negative eigenvalue
 * @data: closure of @base
 *
 * A loss on a text, in nats.
 */
typedef struct
{
  TareLoss        loss;
  const guint32  *tokens;
  const guint32  *targets;
  gsize           n_sequences;
  gsize           length;
  gboolean      (*base) (gpointer   data,
                         gsize      first,
                         gsize      n,
                         float     *logits,
                         GError   **error);
  gpointer        data;
} TareObjective;

/**
 * TareDirection:
 * @covers: whether the tensor moves at all
 * @load: writes how it moves, rows x columns in GGUF's row order, to @out
 * @data: closure of all
 * @load_rows: (nullable): writes @n rows from @first on alone; without it an expert that is loaded
 *   when it is wanted costs as much as all of them
 *
 * A direction in the space of all matrices. Norms and biases stay.
 */
typedef struct
{
  gboolean (*covers) (gpointer             data,
                      const TareTensor    *tensor);
  gboolean (*load)   (gpointer             data,
                      const TareTensor    *tensor,
                      float               *out,
                      const TareProgress  *progress,
                      GError             **error);
  gpointer   data;
  gboolean (*load_rows) (gpointer             data,
                         const TareTensor    *tensor,
                         gsize                first,
                         gsize                n,
                         float               *out,
                         const TareProgress  *progress,
                         GError             **error);
} TareDirection;

/**
 * TareLinearGradient:
 * @tensor: whose input and output these are
 * @expert: which of its matrices, 0 where it is but one
 * @x: n_tokens x columns, the input
 * @g: the loss's gradient by the output: @outputs of every row of @stride
 * @n_tokens: how many; those of an expert are the ones that are routed to it
 * @columns: inputs
 * @outputs: outputs
 * @stride: from one row of @g to the next
 * @length: tokens of a sequence, of which there are whole ones; 0 where there are not: an expert's
 *   tokens are of several, and the output's logits may be too many
 *
 * What one matrix sees of a few sequences. The loss is a mean: times the number of scored tokens,
 * @g is a token's own gradient. Tangents are there if a direction is followed.
 */
typedef struct
{
  const TareTensor *tensor;
  gsize             expert;
  TareDual          x;
  TareDual          g;
  gsize             n_tokens;
  gsize             columns;
  gsize             outputs;
  gsize             stride;
  gsize             length;
} TareLinearGradient;

/**
 * TareGradientObserver:
 * @linear: (nullable): told of every linear layer, from the last to the first, for some sequences
 *   at a time and these in their order
 * @weight: (nullable): told of the gradient by a tensor, rows x columns, when all sequences are
 *   through: all tensors of a block in turn, from the last block to the first. What both the
 *   output and the embedding take comes in two parts. Where a direction is followed it is the
 *   Hessian times the direction instead, of those matrices that the direction covers
 * @curvature: (nullable): told v'(Hv) of one tensor, where a direction v is followed
 * @data: closure of all
 *
 * Called in the thread that runs the pass. What is handed over is gone after the call.
 */
typedef struct
{
  void     (*linear)    (const TareLinearGradient *gradient,
                         gpointer                  data);
  void     (*weight)    (const TareTensor         *tensor,
                         const float              *gradient,
                         gpointer                  data);
  void     (*curvature) (const TareTensor         *tensor,
                         double                    curvature,
                         gpointer                  data);
  gpointer   data;
} TareGradientObserver;

/**
 * TareGradientResult:
 * @loss: mean over what is scored, in nats
 * @n_scored: positions that are
 * @slope: how fast the loss grows along the direction: v'g
 * @curvature: v'Hv, the sum over all tensors
 */
typedef struct
{
  double loss;
  gsize  n_scored;
  double slope;
  double curvature;
} TareGradientResult;

TareGradient *tare_gradient_new  (TareNetwork                 *network,
                                  guint64                      memory);
void          tare_gradient_free (TareGradient                *self);
gboolean      tare_gradient_run  (TareGradient                *self,
                                  const TareWeights           *weights,
                                  const TareDirection         *direction,
                                  const TareObjective         *objective,
                                  const TareGradientObserver  *observer,
                                  TareGradientResult          *result,
                                  const TareProgress          *progress,
                                  GError                     **error);
gboolean      tare_gradient_loss (TareGradient                *self,
                                  const TareWeights           *weights,
                                  const TareObjective         *objective,
                                  TareGradientResult          *result,
                                  const TareProgress          *progress,
                                  GError                     **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareGradient, tare_gradient_free)

G_END_DECLS
