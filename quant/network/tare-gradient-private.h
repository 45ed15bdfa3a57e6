/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-gradient.h"
#include "quant/network/tare-network-private.h"
#include "quant/network/tare-states.h"

G_BEGIN_DECLS

/* Tensors that one matrix may be made of: query, key and value. */
#define TARE_LINEAR_PARTS 3

/* Tensors of all experts: gates, ups and downs. */
#define TARE_EXPERT_PARTS 3

/**
 * TareLinearSum:
 * @linear: the layer
 * @direction: (nullable): how it moves
 * @weight: (nullable): outputs x columns, the gradient by its weights
 * @split: whether @weight is only the upper half of that
 * @lower: (nullable): the other half then
 * @bias: (nullable): outputs, that by its bias
 * @expert: whose matrix it is, 0 where there is but one
 * @gathered: whether its tokens are not whole sequences
 * @curvature: v'(Hv) of each of its tensors
 *
 * What is collected of a linear layer over all sequences.
 */
typedef struct
{
  const TareLinear *linear;
  const TareLinear *direction;
  float            *weight;
  gboolean          split;
  float            *lower;
  double           *bias;
  gsize             expert;
  gboolean          gathered;
  double            curvature[TARE_LINEAR_PARTS];
} TareLinearSum;

/**
 * TareNormSum:
 * @norm: the norm, or the norms of all heads
 * @columns: width
 * @weight: (nullable): columns of each, the gradient by its weight
 * @bias: (nullable): columns, that by its bias
 */
typedef struct
{
  const TareScaling *norm;
  gsize              columns;
  double            *weight;
  double            *bias;
} TareNormSum;

/**
 * TareReverse:
 * @network: the network
 * @block: the block that is worked on, or the output
 * @direction: (nullable): a block of how its weights move
 * @moves: (nullable): which of them do
 * @tangent: whether tangents are made
 * @output: whether @block is the output
 * @observer: who is told
 * @length: tokens of a sequence
 * @progress: asked whether to go on
 * @qkv: what is collected; the only one of the output
 * @attention_output: likewise
 * @gate_up: likewise
 * @down: likewise
 * @router: likewise
 * @shared_router: likewise
 * @experts: (nullable): the gradients by the gates, the ups and the downs of all experts
 * @expert_curvature: v'(Hv) of each of these
 * @attention_norm: what is collected of it, and so on
 */
typedef struct
{
  TareNetwork                *network;
  const TareBlock            *block;
  const TareBlock            *direction;
  const TareDirection        *moves;
  gboolean                    tangent;
  gboolean                    output;
  const TareGradientObserver *observer;
  gsize                       length;
  const TareProgress         *progress;
  TareLinearSum               qkv;
  TareLinearSum               attention_output;
  TareLinearSum               gate_up;
  TareLinearSum               down;
  TareLinearSum               router;
  TareLinearSum               shared_router;
  float                      *experts[TARE_EXPERT_PARTS];
  double                      expert_curvature[TARE_EXPERT_PARTS];
  TareNormSum                 attention_norm;
  TareNormSum                 attention_post_norm;
  TareNormSum                 feed_forward_norm;
  TareNormSum                 feed_forward_post_norm;
  TareNormSum                 query_norm;
  TareNormSum                 key_norm;
} TareReverse;

/**
 * TareRoom:
 * @data: (nullable): numbers; %NULL to find out how many it takes
 * @used: how many are given away
 */
typedef struct
{
  float *data;
  gsize  used;
} TareRoom;

/**
 * TareReverseRoom:
 * @attention: activations and gradients of a group's attention
 * @feed_forward: of a slice of its feed-forward part, or of all that goes through experts
 * @expert: the matrices of an expert that is loaded when it is wanted
 * @expert_direction: how they move
 * @scratch: of the attention kernels
 *
 * Room that is kept from one block to the next.
 */
typedef struct
{
  TareBuffer attention;
  TareBuffer feed_forward;
  TareBuffer expert;
  TareBuffer expert_direction;
  TareBuffer scratch;
} TareReverseRoom;

/**
 * TarePass:
 * @self: whose room is used
 * @network: the network
 * @weights: where the values come from
 * @direction: (nullable): which way they move
 * @objective: the loss
 * @observer: (nullable): who is told
 * @states: TareStates: the stream at every boundary and its tangent, then the loss's gradient by
 *   it and its tangent
 * @n_states: boundaries that are kept
 * @n_tokens: of the whole text
 * @first: the first block that moves; -1 if the embedding does, the number of blocks if only the
 *   output does; -1 without a direction
 * @result: what is found
 *
 * One way through the network and back.
 */
typedef struct
{
  TareGradient               *self;
  TareNetwork                *network;
  const TareWeights          *weights;
  const TareDirection        *direction;
  const TareObjective        *objective;
  const TareGradientObserver *observer;
  GPtrArray                  *states;
  gsize                       n_states;
  gsize                       n_tokens;
  int                         first;
  TareGradientResult         *result;
} TarePass;

struct _TareGradient
{
  TareNetwork     *network;
  guint64          memory;
  TareReverseRoom  room;
  TareBuffer       output;
};

/* Dual numbers. */
TareDual _tare_dual_carve          (TareRoom                   *room,
                                    gsize                       n,
                                    gboolean                    tangent);
void     _tare_dual_add            (TareDual                    x,
                                    gsize                       rows,
                                    gsize                       columns,
                                    TareDual                    y);

/* One step of the reverse pass, and what it collects. */
gboolean _tare_reverse_init        (TareReverse                *self,
                                    GError                    **error);
void     _tare_reverse_report      (TareReverse                *self,
                                    double                     *curvature);
void     _tare_reverse_clear       (TareReverse                *self);
gboolean _tare_reverse_moves       (const TareReverse          *self,
                                    const TareTensor           *tensor);
gboolean _tare_reverse_linear      (TareReverse                *self,
                                    const TareLinearSum        *sum,
                                    TareDual                    x,
                                    gsize                       rows,
                                    TareDual                    y,
                                    float                      *pushed);
gboolean _tare_reverse_push        (TareReverse                *self,
                                    const TareLinearSum        *sum,
                                    const float                *x,
                                    gsize                       rows,
                                    float                      *pushed);
gboolean _tare_reverse_linear_back (TareReverse                *self,
                                    TareLinearSum              *sum,
                                    TareDual                    x,
                                    TareDual                    g,
                                    gsize                       rows,
                                    const float                *pushed,
                                    TareDual                    gradient);
void     _tare_reverse_norm        (TareReverse                *self,
                                    const TareNormSum          *sum,
                                    TareDual                    x,
                                    gsize                       rows,
                                    TareDual                    y);
void     _tare_reverse_norm_back   (TareReverse                *self,
                                    TareNormSum                *sum,
                                    TareDual                    x,
                                    TareDual                    g,
                                    gsize                       rows,
                                    TareDual                    gradient);

/* Experts. */
gboolean _tare_reverse_init_experts
                                   (TareReverse                *self,
                                    GError                    **error);
void     _tare_reverse_report_experts
                                   (TareReverse                *self,
                                    double                     *curvature);
gsize    _tare_reverse_measure_experts
                                   (TareNetwork                *network,
                                    gsize                       n,
                                    gboolean                    tangent);
gboolean _tare_reverse_run_experts (TareReverse                *self,
                                    TareReverseRoom            *room,
                                    TareDual                    x,
                                    gsize                       n,
                                    TareDual                    y);
gboolean _tare_reverse_back_experts
                                   (TareReverse                *self,
                                    TareReverseRoom            *room,
                                    TareDual                    x,
                                    gsize                       n,
                                    TareDual                    g,
                                    TareDual                    to);

/* One block. */
gsize    _tare_reverse_group       (gsize                       n_sequences,
                                    gsize                       length);
gboolean _tare_reverse_reserve     (TareNetwork                *network,
                                    gsize                       n_sequences,
                                    gsize                       length,
                                    gboolean                    tangent,
                                    TareReverseRoom            *room,
                                    GError                    **error);
gboolean _tare_reverse_forward     (TareReverse                *self,
                                    TareReverseRoom            *room,
                                    TareDual                    x,
                                    gsize                       n_sequences,
                                    TareDual                    y);
gboolean _tare_reverse_backward    (TareReverse                *self,
                                    TareReverseRoom            *room,
                                    TareDual                    x,
                                    gsize                       n_sequences,
                                    TareDual                    g);

/* Where a pass turns, and where it ends. */
TareDual    _tare_pass_get_state    (const TarePass       *self,
                                     gsize                 boundary);
TareDual    _tare_pass_get_gradient (const TarePass       *self);
TareWeights _tare_pass_get_moves    (const TarePass       *self);
gboolean    _tare_pass_covers       (const TarePass       *self,
                                     const TareTensor     *tensor);
gboolean    _tare_pass_run_output   (TarePass             *self,
                                     gboolean              back,
                                     const TareProgress   *progress,
                                     GError              **error);
gboolean    _tare_pass_end          (TarePass             *self,
                                     const TareProgress   *progress,
                                     GError              **error);

G_END_DECLS
