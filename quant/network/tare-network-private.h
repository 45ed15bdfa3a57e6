/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-kernels.h"
#include "quant/network/tare-cache.h"
#include "quant/network/tare-network.h"

G_BEGIN_DECLS

/**
 * TareBuffer:
 * @data: aligned to 64 bytes
 * @size: how many numbers
 *
 * Room that is kept from one block to the next, since mapping it anew costs more than a small
 * block's arithmetic.
 */
typedef struct
{
  float *data;
  gsize  size;
} TareBuffer;

/**
 * TareWorkspace:
 * @input: what a linear layer takes, tokens x width
 * @wide: queries, keys and values, or gates and ups
 * @mixed: what attention or the gates make of @wide
 * @branch: what attention or the feed-forward part hands back, where it does not go straight into
 *   the stream
 * @scratch: of the attention kernel
 * @past: what attention sees of tokens beyond the window of a cache, in the form of @wide
 * @expert: the matrices of one expert that is loaded when it is wanted
 * @branches: how the sequences branch; zeros where they do not
 *
 * The activations of one group of sequences.
 */
typedef struct
{
  TareBuffer input;
  TareBuffer wide;
  TareBuffer mixed;
  TareBuffer branch;
  TareBuffer scratch;
  TareBuffer past;
  TareBuffer expert;

  TareBranches branches;
} TareWorkspace;

struct _TareNetwork
{
  TareModel              *model;
  const TareConfig       *config;
  const TareArchitecture *architecture;
  double                 *frequencies;
  double                 *long_frequencies;
  double                 *local_frequencies;
  double                  magnitude;
  TareAngles             *angles;
  TareAngles             *local_angles;
  gboolean                angles_are_long;
  TareWorkspace          *workspaces;
  gsize                   n_workspaces;
  GError                 *failure;
  double                  expert_bytes;
  TareCache              *cache;
  const TareBranches     *branches;
};

/**
 * TareLinear:
 * @tensor: the first of the tensors that make it up, of which observers are told
 * @weight: outputs x columns
 * @bias: (nullable): outputs
 * @columns: inputs
 * @outputs: outputs
 * @input: what its input is rounded to
 *
 * Layers that share an input are one matrix, query over key over value and gate over up: fewer and
 * larger products.
 */
typedef struct
{
  const TareTensor *tensor;
  float            *weight;
  float            *bias;
  gsize             columns;
  gsize             outputs;

  TareActivationFormat input;
} TareLinear;

/**
 * TareScaling:
 * @role: (nullable): what its tensors are, %NULL where there is no such norm
 * @weight: (nullable): width, %NULL where there is no such norm
 * @bias: (nullable): width
 *
 * What a norm multiplies by, and adds.
 */
typedef struct
{
  const char *role;
  float      *weight;
  float      *bias;
} TareScaling;

/**
 * TareExperts:
 * @n: how many there are, 0 where a block has none
 * @n_used: how many a token goes to
 * @width: inner width of one
 * @gate: experts x @width rows
 * @up: likewise
 * @down: experts x stream rows of @width
 * @weights: where their values come from, which outlives the block
 * @gate_input: what the input of @gate and @up is rounded to
 * @down_input: what that of @down is
 * @resident: (nullable): the values of all, each expert's gate over its up over its down; %NULL
 *   where there are too many of them, and each is loaded when it is wanted
 *
 * The matrices of a block of which each token goes through a few.
 */
typedef struct
{
  gsize             n;
  gsize             n_used;
  gsize             width;
  const TareTensor *gate;
  const TareTensor *up;
  const TareTensor *down;
  TareWeights       weights;
  float            *resident;

  TareActivationFormat gate_input;
  TareActivationFormat down_input;
} TareExperts;

/**
 * TareRoutes:
 * @begin: n_experts + 1: where the tokens of each expert begin, and the end
 * @tokens: which they are, in their order
 * @shares: what multiplies what the expert makes of each
 *
 * Which tokens go to which expert.
 */
typedef struct
{
  gsize   *begin;
  guint32 *tokens;
  float   *shares;
} TareRoutes;

/* A block, or the output: that has a norm and a linear layer, here @attention_norm and @qkv. Where
 * there are experts, @router tells which of them a token goes to, @gate_up and @down are of the
 * expert that all tokens share, if any, and @shared_router tells how much of that one they take. */
struct _TareBlock
{
  guint        index;
  TareScaling  attention_norm;
  TareScaling  attention_post_norm;
  TareScaling  feed_forward_norm;
  TareScaling  feed_forward_post_norm;
  TareScaling  query_norm;
  TareScaling  key_norm;
  TareLinear   qkv;
  TareLinear   attention_output;
  TareLinear   gate_up;
  TareLinear   down;
  TareLinear   router;
  TareLinear   shared_router;
  TareExperts  experts;

  TareActivationFormat queries;
  TareActivationFormat keys;
  TareActivationFormat values;
};

float              *_tare_floats_new             (gsize                n,
                                                  gsize                columns,
                                                  const char          *path,
                                                  GError             **error);
gboolean            _tare_buffer_reserve         (TareBuffer          *self,
                                                  gsize                n,
                                                  gsize                columns,
                                                  const char          *path,
                                                  GError             **error);
void                _tare_buffer_clear           (TareBuffer          *self);
gboolean            _tare_linear_run             (const TareLinear    *self,
                                                  const float         *x,
                                                  gsize                rows,
                                                  float                keep,
                                                  float               *y,
                                                  const TareProgress  *progress);
gboolean            _tare_network_round          (TareNetwork                 *self,
                                                  const TareActivationFormat  *format,
                                                  float                       *x,
                                                  gsize                        rows,
                                                  gsize                        columns,
                                                  gsize                        stride);
gboolean            _tare_weights_get_rounding   (const TareWeights           *weights,
                                                  const TareTensor            *tensor,
                                                  gsize                        columns,
                                                  TareActivationFormat        *rounding,
                                                  GError                     **error);
gboolean            _tare_weights_get_rounding_of
                                                 (const TareWeights           *weights,
                                                  const char                  *name,
                                                  gsize                        columns,
                                                  TareActivationFormat        *rounding,
                                                  GError                     **error);
double              _tare_experts_measure        (const TareConfig    *config);
gboolean            _tare_experts_load           (TareNetwork         *network,
                                                  const TareWeights   *weights,
                                                  int                  block,
                                                  TareExperts         *self,
                                                  GError             **error);
gboolean            _tare_experts_get            (const TareExperts   *self,
                                                  gsize                expert,
                                                  TareBuffer          *room,
                                                  TareLinear          *gate_up,
                                                  TareLinear          *down,
                                                  const TareProgress  *progress,
                                                  GError             **error);
void                _tare_routes_init            (TareRoutes          *self,
                                                  const TareConfig    *config,
                                                  const float         *scores,
                                                  gsize                n_tokens);
void                _tare_routes_clear           (TareRoutes          *self);
gboolean            _tare_network_run_experts    (TareNetwork         *self,
                                                  TareWorkspace       *space,
                                                  const TareBlock     *block,
                                                  float               *x,
                                                  gsize                n_tokens,
                                                  const TareObserver  *observer,
                                                  const TareProgress  *progress);

void                _tare_network_observe        (const TareObserver  *observer,
                                                  const TareLinear    *linear,
                                                  gsize                expert,
                                                  const float         *x,
                                                  const guint32       *tokens,
                                                  gsize                n_tokens);
void                _tare_network_norm           (TareNetwork         *self,
                                                  const TareScaling   *norm,
                                                  const float         *x,
                                                  gsize                rows,
                                                  gsize                columns,
                                                  float               *y);
void                _tare_network_reserve_angles (TareNetwork         *self,
                                                  gsize                length);
const TareAngles   *_tare_network_get_angles     (TareNetwork         *self,
                                                  guint                block);
void                _tare_network_prepare_heads  (TareNetwork         *self,
                                                  const TareBlock     *block,
                                                  gsize                position,
                                                  float               *row);
TareAttentionShape  _tare_network_get_shape      (TareNetwork         *self,
                                                  guint                block,
                                                  gsize                n_sequences,
                                                  gsize                length);
gboolean            _tare_network_check_blocks   (TareNetwork         *self,
                                                  guint64              budget,
                                                  guint                n_blocks,
                                                  GError             **error);
void                _tare_network_read_ahead     (TareNetwork         *self,
                                                  guint                block);

gboolean            _tare_cache_attend           (TareCache                *self,
                                                  guint                     block,
                                                  const TareAttentionShape *shape,
                                                  const float              *qkv,
                                                  const TareAttentionPast  *past,
                                                  float                     scale,
                                                  float                    *y,
                                                  GError                  **error);

G_END_DECLS
