/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "quant/model/tare-architecture.h"
#include "quant/model/tare-metadata.h"

G_BEGIN_DECLS

/**
 * TareRopeScaling:
 *
 * How positions beyond the trained context are squeezed in. The frequencies of Llama 3 come as a
 * tensor of divisors, "rope_freqs.weight", from GGUF, and are derived as one from config.json;
 * those of longrope as two, for contexts up to the original one and beyond.
 */
typedef enum
{
  TARE_ROPE_SCALING_NONE,
  TARE_ROPE_SCALING_LINEAR,
  TARE_ROPE_SCALING_YARN,
  TARE_ROPE_SCALING_LLAMA3,
  TARE_ROPE_SCALING_LONGROPE,
} TareRopeScaling;

/* Pairs of a head that longrope's divisors are kept for. */
#define TARE_CONFIG_MAX_FACTORS 128

/**
 * TareConfig:
 * @width: of the residual stream
 * @n_blocks: number of blocks
 * @n_heads: query heads
 * @n_key_value_heads: key and value heads
 * @head_width: elements of a head
 * @feed_forward_width: inner width of the feed-forward part
 * @n_experts: experts of a block, of which each token goes to some; 0 for none
 * @n_experts_used: to how many
 * @expert_width: inner width of one
 * @shared_width: inner width of the expert that all tokens go to, 0 for none
 * @normalises_experts: whether the shares of the chosen experts are made to add up to 1
 * @vocabulary: rows of the embedding
 * @context: positions it was trained for
 * @norm_epsilon: added to the mean square or the variance before the root
 * @tied: whether the output is the embedding
 * @rope_base: base of the rotary frequencies
 * @rope_width: elements of a head that rotate, 0 where positions are learned
 * @rope_scaling: how positions are squeezed
 * @rope_factor: by how much
 * @rope_original_context: for yarn and Llama 3: the context before scaling
 * @rope_low_frequency: for Llama 3: low_freq_factor
 * @rope_high_frequency: for Llama 3: high_freq_factor
 * @rope_attention_factor: for yarn and longrope: what multiplies cosine and sine; 0 for the usual
 *   0.1 ln(factor) + 1, or 1
 * @rope_short_factors: for longrope from config.json: divisors of the frequencies
 * @rope_long_factors: likewise, beyond the original context
 * @rope_local_base: base of the rotary frequencies of blocks in a window, 0 for @rope_base
 * @activation: of the feed-forward part
 * @parallel: whether attention and feed-forward part start from the same stream
 * @attention_scale: what multiplies a score
 * @attention_soft_cap: c of c tanh (score / c), or 0 for none
 * @final_soft_cap: likewise, of the logits
 * @window: positions that a windowed block sees, its own among them; 0 for all
 *
 * The numbers of a network, all checked against bounds and against each other when read.
 */
typedef struct
{
  guint           width;
  guint           n_blocks;
  guint           n_heads;
  guint           n_key_value_heads;
  guint           head_width;
  guint           feed_forward_width;
  guint           n_experts;
  guint           n_experts_used;
  guint           expert_width;
  guint           shared_width;
  gboolean        normalises_experts;
  guint           vocabulary;
  guint           context;
  float           norm_epsilon;
  gboolean        tied;
  float           rope_base;
  guint           rope_width;
  TareRopeScaling rope_scaling;
  float           rope_factor;
  guint           rope_original_context;
  float           rope_low_frequency;
  float           rope_high_frequency;
  float           rope_attention_factor;
  float           rope_short_factors[TARE_CONFIG_MAX_FACTORS];
  float           rope_long_factors[TARE_CONFIG_MAX_FACTORS];
  float           rope_local_base;
  TareActivation  activation;
  gboolean        parallel;
  float           attention_scale;
  float           attention_soft_cap;
  float           final_soft_cap;
  guint           window;
} TareConfig;

gboolean tare_config_read_json      (TareConfig              *self,
                                     const TareArchitecture  *architecture,
                                     JsonObject              *object,
                                     const char              *path,
                                     GError                 **error);
gboolean tare_config_read_metadata  (TareConfig              *self,
                                     const TareArchitecture  *architecture,
                                     TareMetadata            *metadata,
                                     const char              *path,
                                     GError                 **error);
void     tare_config_write_metadata (const TareConfig        *self,
                                     const TareArchitecture  *architecture,
                                     TareMetadata            *metadata);
gboolean tare_config_write_json     (const TareConfig        *self,
                                     const TareArchitecture  *architecture,
                                     JsonObject              *object,
                                     const char              *path,
                                     GError                 **error);

G_END_DECLS
