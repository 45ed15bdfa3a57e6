/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-role.h"

G_BEGIN_DECLS

/**
 * TareRotary:
 * @TARE_ROTARY_INTERLEAVED: pairs are neighbours, (0, 1), (2, 3), ...
 * @TARE_ROTARY_HALVES: pairs are half a head apart, (0, r/2), (1, r/2 + 1), ...
 *
 * Which elements of a head rotate together, in GGUF's row order.
 */
typedef enum
{
  TARE_ROTARY_INTERLEAVED,
  TARE_ROTARY_HALVES,
} TareRotary;

/**
 * TareNorm:
 * @TARE_NORM_RMS: x / sqrt (mean (x²) + ε) w
 * @TARE_NORM_LAYER: (x - mean (x)) / sqrt (variance (x) + ε) w + b
 *
 * How the stream is normalised.
 */
typedef enum
{
  TARE_NORM_RMS,
  TARE_NORM_LAYER,
} TareNorm;

/**
 * TareActivation:
 * @TARE_ACTIVATION_SILU: x / (1 + exp (-x))
 * @TARE_ACTIVATION_GELU_TANH: x / 2 (1 + tanh (sqrt (2 / π) (x + 0.044715 x³)))
 * @TARE_ACTIVATION_GELU_ERF: x / 2 (1 + erf (x / sqrt (2)))
 * @TARE_ACTIVATION_RELU: the larger of x and 0
 *
 * What makes the feed-forward part more than a product.
 */
typedef enum
{
  TARE_ACTIVATION_SILU,
  TARE_ACTIVATION_GELU_TANH,
  TARE_ACTIVATION_GELU_ERF,
  TARE_ACTIVATION_RELU,
} TareActivation;

/**
 * TareTensorFlags:
 * @TARE_TENSOR_OPTIONAL: a model may lack it
 * @TARE_TENSOR_BIASED: it must have a bias
 * @TARE_TENSOR_TRANSPOSED: a Hugging Face file has inputs x outputs
 * @TARE_TENSOR_GROUPED: a Hugging Face file has query, key and value of a head together, and GGUF
 *   all queries before all keys before all values
 * @TARE_TENSOR_DENSE: only a model without experts has it
 * @TARE_TENSOR_ROUTED: only a model with experts has it
 */
typedef enum
{
  TARE_TENSOR_OPTIONAL = 1 << 0,
  TARE_TENSOR_BIASED = 1 << 1,
  TARE_TENSOR_TRANSPOSED = 1 << 2,
  TARE_TENSOR_GROUPED = 1 << 3,
  TARE_TENSOR_DENSE = 1 << 4,
  TARE_TENSOR_ROUTED = 1 << 5,
} TareTensorFlags;

/**
 * TareTensorName:
 * @role: id of the role
 * @hugging_face: the name in a Hugging Face file, %d for the block; a second %d for the expert, or
 *   the head, where each has a tensor of its own, which GGUF has one over the other
 * @flags: what is particular about it
 * @stacked: (nullable): what newer Hugging Face files call the experts' matrices in one tensor, in
 *   full: experts x rows x columns, which for gate and up are both in it, gate over up
 * @joined: (nullable): the stem of what some GGUF files call the same
 *
 * Without the ".weight" or ".bias" at its end. A norm has a bias only where it must have one.
 */
typedef struct
{
  const char      *role;
  const char      *hugging_face;
  TareTensorFlags  flags;
  const char      *stacked;
  const char      *joined;
} TareTensorName;

/**
 * TareArchitecture:
 * @id: GGUF's general.architecture and the prefix of its keys
 * @label: what a person reads
 * @classes: the "architectures" of config.json that it stands for, %NULL-terminated, first the one
 *   to write
 * @model_type: (nullable): the "model_type" of config.json, @id if %NULL
 * @expert_class: (nullable): the class to write of a model with experts, where it is another
 * @expert_type: (nullable): likewise its "model_type"
 * @names: the tensors, ended by a %NULL role; they also tell whether query, key and value are one
 *   matrix (attn_qkv), whether there is a gate (ffn_gate), whether positions are learned
 *   (position_embd), and which norms there are
 * @prefix: (nullable): what some files put before every name, or after the "model." at its begin
 * @writes_prefix: whether newly written ones do, but for the output
 * @norm: how the stream is normalised
 * @activation: of the feed-forward part, where config.json does not say which
 * @activation_key: (nullable): the key of config.json that names it, "hidden_act" if %NULL
 * @rotary: which elements rotate together
 * @rotary_share: share of a head that rotates, where config.json does not say; 0 for all of it,
 *   and then config.json may not say otherwise
 * @interleaves_heads: whether GGUF interleaves the rotary halves of query and key rows
 * @head_norm: whether query and key are normalised within each head
 * @wide_head_norm: whether they are normalised over all heads together
 * @own_head_norm: whether they may be normalised within each head by a norm of its own
 * @norm_offset: what a Hugging Face file leaves out of every norm's weight
 * @fused_gate: whether ffn_up is the gate over the values, twice the inner width
 * @parallel: whether attention and feed-forward part both start from the same stream unless
 *   config.json or GGUF says otherwise ("use_parallel_residual"); where not, neither may ask for it
 * @may_be_parallel: whether they may be asked to although they usually do not; there is then one
 *   norm for both where the second is missing
 * @scales_embedding: whether the embedding is multiplied by sqrt (width)
 * @writes_head_width: whether GGUF always has the width of a head
 * @tied: whether the output is the embedding where config.json does not say
 * @copies_output: whether GGUF has an output of its own even then
 * @inner_factor: inner width of the feed-forward part by the width of the stream, where
 *   config.json does not say; 0 if it must
 * @windowed: whether blocks may see only so many positions back
 * @window: how many where the file does not say, 0 for all
 * @window_period: the last of so many blocks sees all positions; 0 where all blocks are windowed
 * @local_rope_base: base of the rotary frequencies of the blocks in a window, which are not scaled,
 *   where the file does not say; 0 where it is that of all
 * @position_offset: rows of the table of positions before the first position's
 * @multi_query: whether config.json says by "new_decoder_architecture" and "multi_query" how many
 *   key and value heads there are
 * @renames: (nullable): keys of config.json that have another name elsewhere, theirs and ours in
 *   turn, ended by %NULL
 * @defaults: (nullable): what is meant where config.json does not say, as JSON
 * @epsilon_key: (nullable): the key of config.json for what keeps norms from dividing by 0,
 *   "rms_norm_eps" if %NULL
 * @bias_key: (nullable): the key of config.json that says whether the matrices of attention have
 *   biases
 * @older_rope_keys: whether config.json has GPT-NeoX's keys for rotation
 * @constants: (nullable): what else config.json must say of every model, as JSON
 * @hugging_face_only: whether GGUF does not have it
 * @attention_soft_cap: where the file does not say; 0 where there is no such thing
 * @final_soft_cap: likewise, of the logits
 * @expert_norm_key: (nullable): the key of config.json that says whether the shares of the chosen
 *   experts are made to add up to 1, which they are not where it is missing
 * @normalises_experts: whether they are by GGUF, and where there is no such key
 * @wide_query_blocks: with so many blocks GGUF means scores to be scaled by the width over the
 *   number of heads instead of the width of a head; 0 for never
 *
 * One row of the architecture table: how a block is put together and what its parts are called.
 */
typedef struct
{
  const char           *id;
  const char           *label;
  const char *const    *classes;
  const char           *model_type;
  const char           *expert_class;
  const char           *expert_type;
  const TareTensorName *names;
  const char           *prefix;
  gboolean              writes_prefix;
  TareNorm              norm;
  TareActivation        activation;
  const char           *activation_key;
  TareRotary            rotary;
  float                 rotary_share;
  gboolean              interleaves_heads;
  gboolean              head_norm;
  gboolean              wide_head_norm;
  gboolean              own_head_norm;
  float                 norm_offset;
  gboolean              fused_gate;
  gboolean              parallel;
  gboolean              may_be_parallel;
  gboolean              scales_embedding;
  gboolean              writes_head_width;
  gboolean              tied;
  gboolean              copies_output;
  guint                 inner_factor;
  gboolean              windowed;
  guint                 window;
  guint                 window_period;
  float                 local_rope_base;
  guint                 position_offset;
  gboolean              multi_query;
  const char *const    *renames;
  const char           *defaults;
  const char           *epsilon_key;
  const char           *bias_key;
  gboolean              older_rope_keys;
  const char           *constants;
  gboolean              hugging_face_only;
  float                 attention_soft_cap;
  float                 final_soft_cap;
  const char           *expert_norm_key;
  gboolean              normalises_experts;
  guint                 wide_query_blocks;
} TareArchitecture;

gsize                   tare_architecture_get_n_architectures (void);
const TareArchitecture *tare_architecture_get                 (gsize                   index);
const TareArchitecture *tare_architecture_lookup              (const char             *id);
const TareArchitecture *tare_architecture_lookup_class        (const char             *class_name);
const TareTensorName   *tare_architecture_find                (const TareArchitecture *self,
                                                               const char             *role);
char                   *tare_architecture_to_canonical        (const TareArchitecture *self,
                                                               const char             *name);
char                   *tare_architecture_to_hugging_face     (const TareArchitecture *self,
                                                               const char             *canonical);
char                   *tare_architecture_expert_to_canonical (const TareArchitecture *self,
                                                               const char             *name,
                                                               guint                  *expert);
char                   *tare_architecture_expert_to_hugging_face
                                                              (const TareArchitecture *self,
                                                               const char             *canonical,
                                                               guint                   expert);
const TareTensorName   *tare_architecture_find_stacked        (const TareArchitecture *self,
                                                               const char             *name,
                                                               int                    *block);

G_END_DECLS
