/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "quant/model/tare-config-private.h"
#include "quant/model/tare-json.h"

/* A count that may be missing or 0, by either of two names in config.json. */
static gboolean
read_count (const TareConfigSource *source,
            const char             *json,
            const char             *alias,
            const char             *key,
            guint                   maximum,
            guint                  *count)
{
  double value = 0.0;

  if (source->object != NULL && !json_object_has_member (source->object, json) && alias != NULL)
    json = alias;
  if (!_tare_config_read_or_none (source, json, key, 0.0, maximum, &value))
    return FALSE;
  if (value != floor (value))
    return _tare_config_fail (source, TARE_ERROR_INVALID, source->object != NULL ? json : key,
                              "is not a whole number");

  *count = (guint) value;

  return TRUE;
}

/* Blocks that have no experts among others that have some make no network of one kind. */
static gboolean
check_sparse (const TareConfigSource *source)
{
  JsonArray *dense = NULL;
  double step = 1.0;

  if (source->object == NULL)
    return TRUE;

  dense = tare_json_get_array (source->object, "mlp_only_layers");
  if (dense != NULL && json_array_get_length (dense) > 0)
    return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "mlp_only_layers", "is not empty");
  if (tare_json_get_number (source->object, "decoder_sparse_step", &step) && step != 1.0)
    return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "decoder_sparse_step", "is not 1");

  return TRUE;
}

static void
read_expert_norm (const TareConfigSource *source,
                  const TareArchitecture *architecture,
                  TareConfig             *self)
{
  g_autofree char *key = g_strconcat (source->prefix, "expert_weights_norm", NULL);

  self->normalises_experts = architecture->normalises_experts;
  if (source->object == NULL)
    tare_metadata_get_boolean (source->metadata, key, &self->normalises_experts);
  else if (architecture->expert_norm_key != NULL)
    self->normalises_experts = tare_json_get_boolean (source->object,
                                                      architecture->expert_norm_key, FALSE);
}

/* What config.json or GGUF calls a number. */
static const char *
name_of (const TareConfigSource *source,
         const char             *json,
         const char             *key)
{
  return source->object != NULL ? json : key;
}

static gboolean
check_experts (const TareConfigSource *source,
               const TareArchitecture *architecture,
               const TareConfig       *self)
{
  if (self->n_experts_used == 0 || self->n_experts_used > self->n_experts)
    return _tare_config_fail (source, TARE_ERROR_INVALID,
                              name_of (source, "num_experts_per_tok", "expert_used_count"),
                              "is no number of experts, or more than there are");
  if (self->shared_width == 0 && tare_architecture_find (architecture, "ffn_gate_shexp") != NULL)
    return _tare_config_fail (source, TARE_ERROR_INVALID,
                              name_of (source, "shared_expert_intermediate_size",
                                       "expert_shared_feed_forward_length"), "is missing");

  return check_sparse (source);
}

/* How many experts there are, and what they are like; nothing where there are none. */
gboolean
_tare_config_read_experts (const TareConfigSource *source,
                           const TareArchitecture *architecture,
                           TareConfig             *self)
{
  const TareTensorName *router = tare_architecture_find (architecture, "ffn_gate_inp");
  gboolean dense = router == NULL || tare_architecture_find (architecture, "ffn_gate") != NULL;

  if (!read_count (source, "num_local_experts", "num_experts", "expert_count",
                   TARE_CONFIG_MAX_EXPERTS, &self->n_experts))
    return FALSE;
  if (self->n_experts == 0)
    return dense || _tare_config_fail (source, TARE_ERROR_INVALID,
                                       name_of (source, "num_experts", "expert_count"),
                                       "is missing");
  if (router == NULL)
    return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED,
                              name_of (source, "num_local_experts", "expert_count"),
                              "makes it a mixture of experts");

  if (!read_count (source, "num_experts_per_tok", NULL, "expert_used_count",
                   TARE_CONFIG_MAX_EXPERTS, &self->n_experts_used)
      || !read_count (source, "moe_intermediate_size", NULL, "expert_feed_forward_length",
                      TARE_CONFIG_MAX_WIDTH, &self->expert_width)
      || !read_count (source, "shared_expert_intermediate_size", NULL,
                      "expert_shared_feed_forward_length", TARE_CONFIG_MAX_WIDTH,
                      &self->shared_width))
    return FALSE;

  if (self->expert_width == 0)
    self->expert_width = self->feed_forward_width;
  if (tare_architecture_find (architecture, "ffn_gate_shexp") == NULL)
    self->shared_width = 0;
  read_expert_norm (source, architecture, self);

  return check_experts (source, architecture, self);
}
