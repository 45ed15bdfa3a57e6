/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "quant/model/tare-config-private.h"

/**
 * _tare_config_rotates:
 * @architecture: what the network is
 *
 * Returns: whether positions are told by rotation, not by a table that is learned
 */
gboolean
_tare_config_rotates (const TareArchitecture *architecture)
{
  return tare_architecture_find (architecture, "position_embd") == NULL;
}

/**
 * _tare_config_usual_scale:
 * @self: the numbers of a network
 * @architecture: what the network is
 *
 * Returns: what multiplies a score by GGUF, which does not say: llama.cpp goes by the model's size
 */
float
_tare_config_usual_scale (const TareConfig       *self,
                          const TareArchitecture *architecture)
{
  if (architecture->wide_query_blocks > 0 && self->n_blocks == architecture->wide_query_blocks)
    return 1.0f / sqrtf ((float) self->width / (float) self->n_heads);

  return 1.0f / sqrtf ((float) self->head_width);
}

static void
set_u32 (TareMetadata *metadata,
         const char   *prefix,
         const char   *key,
         guint         value)
{
  g_autofree char *full = g_strconcat (prefix, ".", key, NULL);

  tare_metadata_set_u32 (metadata, full, value);
}

static void
set_f32 (TareMetadata *metadata,
         const char   *prefix,
         const char   *key,
         float         value)
{
  g_autofree char *full = g_strconcat (prefix, ".", key, NULL);

  tare_metadata_set_f32 (metadata, full, value);
}

static void
write_scaling (const TareConfig *self,
               const char       *prefix,
               TareMetadata     *metadata)
{
  g_autofree char *type = g_strconcat (prefix, ".rope.scaling.type", NULL);
  gboolean yarn = self->rope_scaling == TARE_ROPE_SCALING_YARN;

  if (self->rope_scaling == TARE_ROPE_SCALING_LONGROPE)
    {
      tare_metadata_set_string (metadata, type, "longrope");
      set_u32 (metadata, prefix, "rope.scaling.original_context_length",
               self->rope_original_context);
      if (self->rope_attention_factor > 0.0f)
        set_f32 (metadata, prefix, "rope.scaling.attn_factor", self->rope_attention_factor);
    }

  /* Llama 3's is a tensor, and so are longrope's divisors. */
  if (!yarn && self->rope_scaling != TARE_ROPE_SCALING_LINEAR)
    return;

  tare_metadata_set_string (metadata, type, yarn ? "yarn" : "linear");
  set_f32 (metadata, prefix, "rope.scaling.factor", self->rope_factor);
  if (yarn)
    set_u32 (metadata, prefix, "rope.scaling.original_context_length",
             self->rope_original_context);
  if (yarn && self->rope_attention_factor > 0.0f)
    set_f32 (metadata, prefix, "rope.scaling.attn_factor",
             self->rope_attention_factor / (0.1f * logf (self->rope_factor) + 1.0f));
}

static void
write_bounds (const TareConfig       *self,
              const TareArchitecture *architecture,
              TareMetadata           *metadata)
{
  const char *prefix = architecture->id;

  if (architecture->windowed)
    set_u32 (metadata, prefix, "attention.sliding_window", self->window);
  if (architecture->attention_soft_cap > 0.0f)
    set_f32 (metadata, prefix, "attn_logit_softcapping", self->attention_soft_cap);
  if (architecture->final_soft_cap > 0.0f)
    set_f32 (metadata, prefix, "final_logit_softcapping", self->final_soft_cap);
  if (architecture->wide_query_blocks > 0
      && self->attention_scale != _tare_config_usual_scale (self, architecture))
    set_f32 (metadata, prefix, "attention.scale", self->attention_scale);
}

static void
write_experts (const TareConfig       *self,
               const TareArchitecture *architecture,
               TareMetadata           *metadata)
{
  const char *prefix = architecture->id;

  if (self->n_experts == 0)
    return;

  set_u32 (metadata, prefix, "expert_count", self->n_experts);
  set_u32 (metadata, prefix, "expert_used_count", self->n_experts_used);
  if (self->expert_width != self->feed_forward_width || architecture->expert_norm_key != NULL)
    set_u32 (metadata, prefix, "expert_feed_forward_length", self->expert_width);
  if (self->shared_width > 0)
    set_u32 (metadata, prefix, "expert_shared_feed_forward_length", self->shared_width);
  if (!self->normalises_experts != !architecture->normalises_experts)
    {
      g_autofree char *key = g_strconcat (prefix, ".expert_weights_norm", NULL);

      tare_metadata_set_boolean (metadata, key, self->normalises_experts);
    }
}

/**
 * tare_config_write_metadata:
 * @self: the numbers of a network
 * @architecture: what the network is
 * @metadata: keys that are not shared yet
 *
 * Sets GGUF's keys for the numbers, with the types that llama.cpp asks for.
 */
void
tare_config_write_metadata (const TareConfig       *self,
                            const TareArchitecture *architecture,
                            TareMetadata           *metadata)
{
  const char *prefix = NULL;

  g_return_if_fail (self != NULL);
  g_return_if_fail (architecture != NULL);
  g_return_if_fail (metadata != NULL);

  prefix = architecture->id;
  set_u32 (metadata, prefix, "context_length", self->context);
  set_u32 (metadata, prefix, "embedding_length", self->width);
  set_u32 (metadata, prefix, "block_count", self->n_blocks);
  set_u32 (metadata, prefix, "feed_forward_length", self->feed_forward_width);
  set_u32 (metadata, prefix, "attention.head_count", self->n_heads);
  set_u32 (metadata, prefix, "attention.head_count_kv", self->n_key_value_heads);
  set_f32 (metadata, prefix,
           architecture->norm == TARE_NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                               : "attention.layer_norm_epsilon",
           self->norm_epsilon);
  if ((guint64) self->head_width * self->n_heads != self->width
      || architecture->writes_head_width)
    {
      set_u32 (metadata, prefix, "attention.key_length", self->head_width);
      set_u32 (metadata, prefix, "attention.value_length", self->head_width);
    }
  if (_tare_config_rotates (architecture))
    {
      set_u32 (metadata, prefix, "rope.dimension_count", self->rope_width);
      set_f32 (metadata, prefix, "rope.freq_base", self->rope_base);
      if (self->rope_local_base > 0.0f)
        set_f32 (metadata, prefix, "rope.freq_base_swa", self->rope_local_base);
      write_scaling (self, prefix, metadata);
    }
  write_bounds (self, architecture, metadata);
  write_experts (self, architecture, metadata);
  if (architecture->parallel || architecture->may_be_parallel)
    {
      g_autofree char *key = g_strconcat (prefix, ".use_parallel_residual", NULL);

      tare_metadata_set_boolean (metadata, key, self->parallel);
    }
  if (self->vocabulary > 0)
    set_u32 (metadata, prefix, "vocab_size", self->vocabulary);
}
