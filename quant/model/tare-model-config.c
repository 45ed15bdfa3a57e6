/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a Hugging Face folder has beside the weights, made from a GGUF file. */
#include <string.h>

#include "quant/model/tare-config-private.h"
#include "quant/model/tare-file-private.h"
#include "quant/model/tare-model-private.h"

/* The keys by which both sides name tokens; ids are the same. */
static const struct
{
  const char *json;
  const char *key;
} tokens[] = {
  { "bos_token_id", "tokenizer.ggml.bos_token_id" },
  { "eos_token_id", "tokenizer.ggml.eos_token_id" },
  { "pad_token_id", "tokenizer.ggml.padding_token_id" },
};

/* Where a turn ends, besides the end of a text. */
#define TURN_KEY "tokenizer.ggml.eot_token_id"

/* Whether the values of a vector of divisors are there, as many as pairs rotate. */
static gboolean
read_divisors (TareModel  *self,
               const char *canonical,
               float      *divisors)
{
  const TareTensor *tensor = tare_model_lookup (self, canonical);

  return tensor != NULL && tensor->n_dimensions == 1
         && tensor->columns == self->config.rope_width / 2
         && tare_tensor_read (tensor, divisors, NULL);
}

/* GGUF has the numbers of some scalings only as the tensors that they make. */
static void
complete_rope (TareModel  *self,
               TareConfig *config)
{
  guint n = config->rope_width / 2;
  g_autofree float *divisors = g_new (float, n + 1);

  if (config->rope_scaling == TARE_ROPE_SCALING_LLAMA3
      && (!read_divisors (self, "rope_freqs.weight", divisors)
          || !_tare_config_take_divisors (config, divisors)))
    config->rope_low_frequency = config->rope_high_frequency = 0.0f;

  if (config->rope_scaling != TARE_ROPE_SCALING_LONGROPE || n > TARE_CONFIG_MAX_FACTORS)
    return;
  read_divisors (self, "rope_factors_short.weight", config->rope_short_factors);
  read_divisors (self, "rope_factors_long.weight", config->rope_long_factors);
}

static void
write_biases (TareModel  *self,
              JsonObject *object)
{
  static const char *const roles[] = { "attn_q", "attn_qkv", "attn_output" };
  const char *key = self->architecture->bias_key;
  gboolean biased = FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (roles); i++)
    biased = biased || tare_model_lookup_role (self, roles[i], 0, TRUE) != NULL;
  if (key != NULL)
    json_object_set_boolean_member (object, key, biased);
  if (strcmp (self->architecture->id, "llama") == 0)
    json_object_set_boolean_member (object, "mlp_bias",
                                    tare_model_lookup_role (self, "ffn_up", 0, TRUE) != NULL);
  if (self->architecture->multi_query)
    json_object_set_int_member (object, "num_ln_in_parallel_attn",
                                tare_model_lookup_role (self, "attn_norm_2", 0, FALSE) != NULL
                                ? 2 : 1);
}

static void
write_tokens (TareModel  *self,
              JsonObject *object,
              gboolean    turns)
{
  gint64 turn = -1, id = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (tokens); i++)
    if (tare_metadata_get_integer (self->metadata, tokens[i].key, &id) && id >= 0
        && id < self->config.vocabulary)
      json_object_set_int_member (object, tokens[i].json, id);

  if (!turns || !tare_metadata_get_integer (self->metadata, TURN_KEY, &turn) || turn < 0
      || turn >= self->config.vocabulary || !json_object_has_member (object, "eos_token_id")
      || json_object_get_int_member (object, "eos_token_id") == turn)
    return;

  {
    JsonArray *ends = json_array_new ();

    json_array_add_int_element (ends, json_object_get_int_member (object, "eos_token_id"));
    json_array_add_int_element (ends, turn);
    json_object_set_array_member (object, "eos_token_id", ends);
  }
}

/**
 * tare_model_dup_config:
 * @self: a model from a GGUF file
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the config.json that says of a Hugging Face folder what the
 *   file says of itself, or %NULL with %TARE_ERROR_UNSUPPORTED where none can
 */
JsonObject *
tare_model_dup_config (TareModel  *self,
                       GError    **error)
{
  g_autoptr(JsonObject) object = json_object_new ();
  TareConfig config;

  g_return_val_if_fail (self != NULL && self->metadata != NULL, NULL);

  if (!tare_model_check_runnable (self, error))
    return NULL;

  config = self->config;
  config.tied = config.tied || _tare_model_repeats_embedding (self);
  complete_rope (self, &config);
  if (!tare_config_write_json (&config, self->architecture, object, self->path, error))
    return NULL;
  write_biases (self, object);
  write_tokens (self, object, FALSE);

  return g_steal_pointer (&object);
}

/**
 * tare_model_dup_generation_config:
 * @self: a model from a GGUF file
 *
 * Returns: (transfer full): the generation_config.json of such a folder: where a text begins and
 *   ends
 */
JsonObject *
tare_model_dup_generation_config (TareModel *self)
{
  JsonObject *object = json_object_new ();

  g_return_val_if_fail (self != NULL && self->metadata != NULL, object);

  write_tokens (self, object, TRUE);

  return object;
}
