/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-kernels.h"
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
} TareWorkspace;

struct _TareNetwork
{
  TareModel              *model;
  const TareConfig       *config;
  const TareArchitecture *architecture;
  double                 *frequencies;
  double                  magnitude;
  TareAngles             *angles;
  TareWorkspace          *workspaces;
  gsize                   n_workspaces;
};

/**
 * TareLinear:
 * @tensor: the first of the tensors that make it up, of which observers are told
 * @weight: outputs x columns
 * @bias: (nullable): outputs
 * @columns: inputs
 * @outputs: outputs
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
} TareLinear;

/**
 * TareScaling:
 * @weight: (nullable): width, %NULL where there is no such norm
 * @bias: (nullable): width
 *
 * What a norm multiplies by, and adds.
 */
typedef struct
{
  float *weight;
  float *bias;
} TareScaling;

/* A block, or the output: that has a norm and a linear layer, here @attention_norm and @qkv. */
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
void                _tare_network_read_ahead     (TareNetwork         *self,
                                                  guint                block);

G_END_DECLS
