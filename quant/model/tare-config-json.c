/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From the numbers of a network to the config.json that says them: what reading undoes is done. */
#include <math.h>
#include <string.h>

#include "quant/model/tare-config-private.h"
#include "quant/model/tare-json.h"

/* An attention factor this much off the one that the contexts imply is another. */
#define ATTENTION_TOLERANCE 1e-5

/* Numbers about 1 / scale², of which one has the scale exactly. */
#define MAX_SCALAR_STEPS 8

/* What is being written. */
typedef struct
{
  const TareConfig       *config;
  const TareArchitecture *architecture;
  JsonObject             *object;
  const char             *path;
  GError                **error;
} Writer;

/* transformers' names of the activations, as its own configurations have them. */
static const struct
{
  TareActivation  activation;
  const char     *key;
  const char     *name;
} activations[] = {
  { TARE_ACTIVATION_SILU, NULL, "silu" },
  { TARE_ACTIVATION_GELU_TANH, "activation_function", "gelu_new" },
  { TARE_ACTIVATION_GELU_TANH, NULL, "gelu_pytorch_tanh" },
  { TARE_ACTIVATION_GELU_ERF, NULL, "gelu" },
  { TARE_ACTIVATION_RELU, NULL, "relu" },
};

static gboolean
refuse (const Writer *self,
        const char   *what)
{
  g_set_error (self->error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: a config.json for the architecture %s cannot say %s", self->path,
               self->architecture->id, what);

  return FALSE;
}

/* The name that the architecture's own configurations have for a key. */
static const char *
rename_key (const Writer *self,
            const char   *key)
{
  const char *const *name = self->architecture->renames;

  for (; name != NULL && *name != NULL; name += 2)
    if (strcmp (name[1], key) == 0)
      return name[0];

  return key;
}

static void
set_count (const Writer *self,
           const char   *key,
           guint         value)
{
  json_object_set_int_member (self->object, rename_key (self, key), value);
}

/* With as few digits as tell the number from its neighbours, so that 1e-5 is written so. */
static double
shorten (float x)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  double value = (double) x;

  for (int digits = 6; digits < 10; digits++)
    {
      g_autofree char *format = g_strdup_printf ("%%.%dg", digits);

      value = g_ascii_strtod (g_ascii_formatd (text, sizeof text, format, (double) x), NULL);
      if ((float) value == x)
        break;
    }

  return value;
}

static void
set_number (JsonObject *object,
            const char *key,
            float       value)
{
  json_object_set_double_member (object, key, shorten (value));
}

static void
write_counts (const Writer *self)
{
  const TareConfig *config = self->config;
  gboolean experts = config->n_experts > 0 && self->architecture->expert_norm_key == NULL;

  set_count (self, "hidden_size", config->width);
  set_count (self, "num_hidden_layers", config->n_blocks);
  set_count (self, "num_attention_heads", config->n_heads);
  set_count (self, "num_key_value_heads", config->n_key_value_heads);
  if (self->architecture->writes_head_width
      || (guint64) config->n_heads * config->head_width != config->width)
    set_count (self, "head_dim", config->head_width);
  set_count (self, "intermediate_size", experts ? config->expert_width
                                                : config->feed_forward_width);
  set_count (self, "max_position_embeddings", config->context);
  if (config->vocabulary > 0)
    set_count (self, "vocab_size", config->vocabulary);
}

static void
write_activation (const Writer *self)
{
  const char *key = self->architecture->activation_key;

  for (gsize i = 0; i < G_N_ELEMENTS (activations); i++)
    {
      if (activations[i].activation != self->config->activation
          || (activations[i].key != NULL && g_strcmp0 (activations[i].key, key) != 0))
        continue;
      json_object_set_string_member (self->object, key != NULL ? key : "hidden_act",
                                     activations[i].name);
      return;
    }
}

static gboolean
write_experts (const Writer *self)
{
  const TareConfig *config = self->config;
  const TareArchitecture *architecture = self->architecture;
  const char *key = architecture->expert_norm_key;

  if (config->n_experts == 0)
    return TRUE;
  if (key == NULL && !config->normalises_experts != !architecture->normalises_experts)
    return refuse (self, "that the shares of the experts are not made to add up to 1");

  set_count (self, key != NULL ? "num_experts" : "num_local_experts", config->n_experts);
  set_count (self, "num_experts_per_tok", config->n_experts_used);
  if (key == NULL)
    return TRUE;

  set_count (self, "moe_intermediate_size", config->expert_width);
  if (config->shared_width > 0)
    set_count (self, "shared_expert_intermediate_size", config->shared_width);
  json_object_set_boolean_member (self->object, key, config->normalises_experts);

  return TRUE;
}

/* The number of which reading makes the scale: 1 / sqrt (number). */
static gboolean
write_scale (const Writer *self)
{
  float scale = self->config->attention_scale;
  double scalar = 1.0 / ((double) scale * (double) scale);
  float up = (float) scalar, down = up;

  if (!(scalar <= TARE_CONFIG_MAX_WIDTH))
    return refuse (self, "what scores are scaled by");
  if (1.0f / sqrtf ((float) round (scalar)) == scale)
    {
      json_object_set_int_member (self->object, "query_pre_attn_scalar", (gint64) round (scalar));
      return TRUE;
    }
  for (guint i = 0; i < MAX_SCALAR_STEPS && 1.0f / sqrtf (up) != scale; i++)
    {
      down = nextafterf (down, 0.0f);
      up = 1.0f / sqrtf (down) == scale ? down : nextafterf (up, G_MAXFLOAT);
    }
  json_object_set_double_member (self->object, "query_pre_attn_scalar", (double) up);

  return TRUE;
}

/* 0 is for none, which config.json says by null. */
static void
set_bound (const Writer *self,
           const char   *key,
           float         value)
{
  if (value > 0.0f)
    set_number (self->object, key, value);
  else
    json_object_set_null_member (self->object, key);
}

static gboolean
write_bounds (const Writer *self)
{
  const TareConfig *config = self->config;
  const TareArchitecture *architecture = self->architecture;

  if (architecture->windowed && config->window > 0)
    set_count (self, "sliding_window", config->window);
  else if (architecture->windowed)
    json_object_set_null_member (self->object, "sliding_window");
  if (architecture->attention_soft_cap > 0.0f)
    set_bound (self, "attn_logit_softcapping", config->attention_soft_cap);
  if (architecture->final_soft_cap > 0.0f)
    set_bound (self, "final_logit_softcapping", config->final_soft_cap);

  return architecture->wide_query_blocks == 0 || write_scale (self);
}

static JsonArray *
list_numbers (const float *values,
              guint        n)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < n; i++)
    json_array_add_double_element (array, shorten (values[i]));

  return array;
}

/* What reading makes of the contexts must be the attention factor, which has no key that older
 * programs take. */
static gboolean
write_longrope (const Writer *self,
                JsonObject   *rope)
{
  const TareConfig *config = self->config;
  guint n = MIN (config->rope_width / 2, TARE_CONFIG_MAX_FACTORS);
  double factor = config->rope_attention_factor > 0.0f ? (double) config->rope_attention_factor
                                                       : 1.0;
  double implied = _tare_config_longrope_attention (config->context,
                                                    config->rope_original_context);

  if (!(config->rope_short_factors[0] > 0.0f && config->rope_long_factors[0] > 0.0f))
    return refuse (self, "the divisors of its rotary frequencies, of which it has none");
  if (fabs (factor / implied - 1.0) > ATTENTION_TOLERANCE)
    return refuse (self, "another attention factor than its two contexts imply");

  json_object_set_string_member (rope, "type", "longrope");
  json_object_set_array_member (rope, "short_factor",
                                list_numbers (config->rope_short_factors, n));
  json_object_set_array_member (rope, "long_factor", list_numbers (config->rope_long_factors, n));
  set_count (self, "original_max_position_embeddings", config->rope_original_context);

  return TRUE;
}

static gboolean
write_llama3 (const Writer *self,
              JsonObject   *rope)
{
  const TareConfig *config = self->config;

  if (!(config->rope_high_frequency > config->rope_low_frequency))
    return refuse (self, "divisors of rotary frequencies that no Llama 3's scaling makes");

  json_object_set_string_member (rope, "rope_type", "llama3");
  set_number (rope, "factor", config->rope_factor);
  set_number (rope, "low_freq_factor", config->rope_low_frequency);
  set_number (rope, "high_freq_factor", config->rope_high_frequency);
  json_object_set_int_member (rope, "original_max_position_embeddings",
                              config->rope_original_context);

  return TRUE;
}

static gboolean
write_scaling (const Writer *self)
{
  const TareConfig *config = self->config;
  JsonObject *rope = NULL;

  if (config->rope_scaling == TARE_ROPE_SCALING_NONE)
    return TRUE;

  rope = json_object_new ();
  json_object_set_object_member (self->object, "rope_scaling", rope);
  if (config->rope_scaling == TARE_ROPE_SCALING_LLAMA3)
    return write_llama3 (self, rope);
  if (config->rope_scaling == TARE_ROPE_SCALING_LONGROPE)
    return write_longrope (self, rope);

  set_number (rope, "factor", config->rope_factor);
  if (config->rope_scaling == TARE_ROPE_SCALING_LINEAR)
    {
      json_object_set_string_member (rope, "rope_type", "linear");
      return TRUE;
    }
  if (config->rope_factor < 1.0f)
    return refuse (self, "a factor of YaRN below 1");
  json_object_set_string_member (rope, "rope_type", "yarn");
  json_object_set_int_member (rope, "original_max_position_embeddings",
                              config->rope_original_context);
  if (config->rope_attention_factor > 0.0f)
    set_number (rope, "attention_factor", config->rope_attention_factor);

  return TRUE;
}

static gboolean
write_rope (const Writer *self)
{
  const TareConfig *config = self->config;
  const TareArchitecture *architecture = self->architecture;
  gboolean older = architecture->older_rope_keys;
  double share = (double) config->rope_width / config->head_width;

  if (!_tare_config_rotates (architecture))
    return TRUE;
  if (architecture->rotary_share == 0.0f && config->rope_width != config->head_width)
    return refuse (self, "that only a part of a head rotates");

  /* transformers rounds the product down. */
  if ((guint) (share * config->head_width) < config->rope_width)
    share = nextafter (share, 2.0);
  if (architecture->rotary_share > 0.0f)
    json_object_set_double_member (self->object, older ? "rotary_pct" : "partial_rotary_factor",
                                   share);
  set_number (self->object, older ? "rotary_emb_base" : "rope_theta", config->rope_base);
  if (config->rope_local_base > 0.0f)
    set_number (self->object, "rope_local_base_freq", config->rope_local_base);

  return write_scaling (self);
}

static void
write_constants (const Writer *self)
{
  g_autoptr(JsonNode) node = NULL;
  JsonObjectIter iter;
  const char *name = NULL;
  JsonNode *value = NULL;

  if (self->architecture->constants == NULL)
    return;

  node = json_from_string (self->architecture->constants, NULL);
  json_object_iter_init_ordered (&iter, json_node_get_object (node));
  while (json_object_iter_next_ordered (&iter, &name, &value))
    json_object_set_member (self->object, name, json_node_copy (value));
}

/**
 * tare_config_write_json:
 * @self: the numbers of a network
 * @architecture: what the network is
 * @object: where to
 * @path: what they are of, for messages
 * @error: return location
 *
 * Sets the keys of config.json for the numbers, by the names that the architecture's own
 * configurations have, so that tare_config_read_json() makes the same of them.
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED where config.json has no way to say one of them
 */
gboolean
tare_config_write_json (const TareConfig        *self,
                        const TareArchitecture  *architecture,
                        JsonObject              *object,
                        const char              *path,
                        GError                 **error)
{
  const Writer writer = { self, architecture, object, path, error };
  gboolean experts = FALSE;
  const char *type = NULL;
  JsonArray *classes = NULL;

  g_return_val_if_fail (self != NULL && architecture != NULL && object != NULL, FALSE);

  experts = self->n_experts > 0 && architecture->expert_type != NULL;
  type = architecture->model_type != NULL ? architecture->model_type : architecture->id;
  classes = json_array_new ();
  json_array_add_string_element (classes, experts ? architecture->expert_class
                                                  : architecture->classes[0]);
  json_object_set_array_member (object, "architectures", classes);
  json_object_set_string_member (object, "model_type", experts ? architecture->expert_type : type);
  write_counts (&writer);
  write_activation (&writer);
  write_constants (&writer);
  set_number (object, architecture->epsilon_key != NULL ? architecture->epsilon_key
                                                        : "rms_norm_eps", self->norm_epsilon);
  json_object_set_boolean_member (object, "tie_word_embeddings", self->tied);
  if (architecture->multi_query && !self->parallel)
    return refuse (&writer, "that attention comes before the feed-forward part");
  if (architecture->parallel || architecture->may_be_parallel)
    json_object_set_boolean_member (object, "use_parallel_residual", self->parallel);

  return write_experts (&writer) && write_bounds (&writer) && write_rope (&writer);
}
