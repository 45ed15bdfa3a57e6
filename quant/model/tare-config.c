/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-config.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-config-private.h"
#include "quant/model/tare-file-private.h"
#include "quant/model/tare-json.h"

/* Bounds far above every model that exists, and low enough for their products to fit. */
#define MAX_WIDTH      (1u << 20)
#define MAX_BLOCKS     (1u << 14)
#define MAX_VOCABULARY (1u << 24)
#define MAX_CONTEXT    (1u << 28)

#define DEFAULT_ROPE_BASE 10000.0f

/* Where the numbers come from: config.json or GGUF keys, read the same way. */
typedef struct
{
  const char   *path;
  JsonObject   *object;
  TareMetadata *metadata;
  const char   *prefix;
  GError      **error;
} Source;

/* One row per count: its names in either source, what it is bounded by, and where it goes. */
typedef struct
{
  const char *json;
  const char *alias;
  const char *key;
  gsize       offset;
  guint       maximum;
  gboolean    optional;
} Count;

#define FIELD(name) G_STRUCT_OFFSET (TareConfig, name)

static const Count counts[] = {
  { "hidden_size", "n_embd", "embedding_length", FIELD (width), MAX_WIDTH, FALSE },
  { "num_hidden_layers", "n_layer", "block_count", FIELD (n_blocks), MAX_BLOCKS, FALSE },
  { "num_attention_heads", "n_head", "attention.head_count", FIELD (n_heads), MAX_WIDTH, FALSE },
  { "num_key_value_heads", NULL, "attention.head_count_kv", FIELD (n_key_value_heads),
    MAX_WIDTH, TRUE },
  { "head_dim", NULL, "attention.key_length", FIELD (head_width), MAX_WIDTH, TRUE },
  { "intermediate_size", "n_inner", "feed_forward_length", FIELD (feed_forward_width),
    MAX_WIDTH, TRUE },
  { "max_position_embeddings", "n_positions", "context_length", FIELD (context),
    MAX_CONTEXT, FALSE },
  { "vocab_size", NULL, "vocab_size", FIELD (vocabulary), MAX_VOCABULARY, TRUE },
};

/* What config.json calls the number that keeps a norm from dividing by 0. */
static const char *const layer_epsilons[] = {
  "layer_norm_epsilon", "layer_norm_eps", "norm_epsilon",
};

/* By transformers' names for its activations. */
static const struct
{
  const char     *name;
  TareActivation  activation;
} activations[] = {
  { "silu", TARE_ACTIVATION_SILU },
  { "swish", TARE_ACTIVATION_SILU },
  { "gelu", TARE_ACTIVATION_GELU_ERF },
  { "gelu_new", TARE_ACTIVATION_GELU_TANH },
  { "gelu_fast", TARE_ACTIVATION_GELU_TANH },
  { "gelu_pytorch_tanh", TARE_ACTIVATION_GELU_TANH },
};

static gboolean
fail (const Source *source,
      TareError     code,
      const char   *key,
      const char   *what)
{
  return _tare_file_fail_path (source->path, source->error, code, "key '%s%s' %s",
                               source->object == NULL ? source->prefix : "", key, what);
}

static char *
full_key (const Source *source,
          const char   *key)
{
  return g_strconcat (source->prefix, key, NULL);
}

/* A key of GGUF may hold one number for every block; only equal ones make one network of it. */
static gboolean
find_per_block (const Source *source,
                const char   *key,
                gboolean     *found,
                double       *value)
{
  g_autofree char *full = full_key (source, key);
  gsize n = tare_metadata_get_length (source->metadata, full);
  double other = 0.0;

  *found = tare_metadata_get_number (source->metadata, full, value);
  if (*found || n == 0)
    return TRUE;

  *found = tare_metadata_get_number_at (source->metadata, full, 0, value);
  for (gsize i = 1; *found && i < n; i++)
    {
      if (!tare_metadata_get_number_at (source->metadata, full, i, &other) || other != *value)
        return fail (source, TARE_ERROR_UNSUPPORTED, key, "differs from block to block");
    }

  return TRUE;
}

static gboolean
find_number (const Source *source,
             const char   *json,
             const char   *key,
             gboolean     *found,
             double       *value)
{
  if (source->object == NULL)
    return find_per_block (source, key, found, value);

  *found = tare_json_get_number (source->object, json, value);

  return TRUE;
}

static gboolean
read_count (const Source *source,
            const Count  *row,
            TareConfig   *self)
{
  guint *count = &G_STRUCT_MEMBER (guint, self, row->offset);
  const char *key = source->object != NULL ? row->json : row->key;
  gboolean found = FALSE;
  double value = 0.0;

  if (!find_number (source, row->json, row->key, &found, &value))
    return FALSE;
  if (!found && source->object != NULL && row->alias != NULL)
    found = tare_json_get_number (source->object, row->alias, &value);

  if (!found)
    return row->optional
           || fail (source, TARE_ERROR_INVALID, key, "is missing, or is no number");

  if (!(value >= 1.0 && value <= (double) row->maximum) || value != floor (value))
    {
      g_autofree char *what = g_strdup_printf ("is %g, not a whole number from 1 to %u", value,
                                               row->maximum);

      return fail (source, TARE_ERROR_INVALID, key, what);
    }

  *count = (guint) value;

  return TRUE;
}

static gboolean
read_positive (const Source *source,
               const char   *json,
               const char   *key,
               float        *number)
{
  gboolean found = FALSE;
  double value = (double) *number;

  if (!find_number (source, json, key, &found, &value))
    return FALSE;

  *number = (float) value;
  if (!(*number > 0.0f && *number < G_MAXFLOAT))
    return fail (source, TARE_ERROR_INVALID, source->object != NULL ? json : key,
                 found ? "is not a positive number" : "is missing");

  return TRUE;
}

/* A number that may be missing, and then is @fallback, or be 0 or null for none. */
static gboolean
read_or_none (const Source *source,
              const char   *json,
              const char   *key,
              double        fallback,
              double        maximum,
              double       *value)
{
  gboolean found = FALSE;

  *value = fallback;
  if (!find_number (source, json, key, &found, value))
    return FALSE;
  if (!found && source->object != NULL && json_object_has_member (source->object, json)
      && json_object_get_null_member (source->object, json))
    *value = 0.0;

  return (*value >= 0.0 && *value <= maximum)
         || fail (source, TARE_ERROR_INVALID, source->object != NULL ? json : key,
                  "is out of bounds");
}

static gboolean
check_heads (const Source           *source,
             const TareArchitecture *architecture,
             TareConfig             *self)
{
  gboolean json = source->object != NULL;

  if (self->n_key_value_heads == 0)
    self->n_key_value_heads = self->n_heads;

  if (self->n_heads % self->n_key_value_heads != 0)
    return fail (source, TARE_ERROR_INVALID,
                 json ? "num_key_value_heads" : "attention.head_count_kv",
                 "does not divide the number of heads");

  if (self->head_width == 0)
    {
      if (self->width % self->n_heads != 0)
        return fail (source, TARE_ERROR_INVALID,
                     json ? "num_attention_heads" : "attention.head_count",
                     "does not divide the width");
      self->head_width = self->width / self->n_heads;
    }

  if ((guint64) self->n_heads * self->head_width > MAX_WIDTH)
    return fail (source, TARE_ERROR_INVALID, json ? "head_dim" : "attention.key_length",
                 "makes the heads together too wide");

  if (_tare_config_rotates (architecture) && self->head_width % 2 != 0)
    return fail (source, TARE_ERROR_INVALID, json ? "head_dim" : "attention.key_length",
                 "is odd, so its elements do not pair up");

  return TRUE;
}

static gboolean
read_epsilon (const Source           *source,
              const TareArchitecture *architecture,
              TareConfig             *self)
{
  const char *name = layer_epsilons[0];
  double value = 0.0;

  if (architecture->norm == TARE_NORM_RMS)
    return read_positive (source, "rms_norm_eps", "attention.layer_norm_rms_epsilon",
                          &self->norm_epsilon);

  for (gsize i = 0; source->object != NULL && i < G_N_ELEMENTS (layer_epsilons); i++)
    {
      if (tare_json_get_number (source->object, layer_epsilons[i], &value))
        name = layer_epsilons[i];
    }

  return read_positive (source, name, "attention.layer_norm_epsilon", &self->norm_epsilon);
}

static gboolean
read_numbers (const Source           *source,
              const TareArchitecture *architecture,
              TareConfig             *self)
{
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      if (!read_count (source, &counts[i], self))
        return FALSE;
    }

  if (self->feed_forward_width == 0)
    self->feed_forward_width = self->width * architecture->inner_factor;
  if (self->feed_forward_width == 0 || self->feed_forward_width > MAX_WIDTH)
    return fail (source, TARE_ERROR_INVALID,
                 source->object != NULL ? "intermediate_size" : "feed_forward_length",
                 "is missing, is no number, or is beyond bounds");

  return check_heads (source, architecture, self) && read_epsilon (source, architecture, self);
}

/* What bounds scores and logits. */
static gboolean
read_bounds (const Source           *source,
             const TareArchitecture *architecture,
             TareConfig             *self)
{
  double window = 0.0, attention = 0.0, final = 0.0, scale = 0.0, scalar = 0.0;

  if (architecture->windowed
      && !read_or_none (source, "sliding_window", "attention.sliding_window",
                        architecture->window, MAX_CONTEXT, &window))
    return FALSE;
  if (architecture->attention_soft_cap > 0.0f
      && !read_or_none (source, "attn_logit_softcapping", "attn_logit_softcapping",
                        (double) architecture->attention_soft_cap, 1e6, &attention))
    return FALSE;
  if (architecture->final_soft_cap > 0.0f
      && !read_or_none (source, "final_logit_softcapping", "final_logit_softcapping",
                        (double) architecture->final_soft_cap, 1e6, &final))
    return FALSE;
  if (architecture->wide_query_blocks > 0
      && !(source->object != NULL
           ? read_or_none (source, "query_pre_attn_scalar", "", 0.0, MAX_WIDTH, &scalar)
           : read_or_none (source, "", "attention.scale", 0.0, 1e6, &scale)))
    return FALSE;

  self->window = (guint) window;
  self->attention_soft_cap = (float) attention;
  self->final_soft_cap = (float) final;
  self->attention_scale = _tare_config_usual_scale (self, architecture);
  if (scalar > 0.0)
    self->attention_scale = 1.0f / sqrtf ((float) scalar);
  else if (scale > 0.0)
    self->attention_scale = (float) scale;

  return TRUE;
}

/* The rotary settings of transformers 5 are in "rope_parameters", possibly one set for each kind
 * of layer; before, the base was at the top and the rest in "rope_scaling". */
static JsonObject *
find_rope (JsonObject *object)
{
  JsonObject *rope = tare_json_get_object (object, "rope_parameters");
  JsonObject *full = tare_json_get_object (rope, "full_attention");

  if (rope == NULL)
    return tare_json_get_object (object, "rope_scaling");

  return full != NULL ? full : rope;
}

static const char *
find_rope_type (JsonObject *rope)
{
  const char *type = tare_json_get_string (rope, "rope_type");

  if (type == NULL)
    type = tare_json_get_string (rope, "type");

  return type != NULL ? type : "default";
}

static void
read_original_context (JsonObject *object,
                       JsonObject *rope,
                       TareConfig *self)
{
  double value = 0.0;

  if (!tare_json_get_number (rope, "original_max_position_embeddings", &value))
    tare_json_get_number (object, "original_max_position_embeddings", &value);

  self->rope_original_context = value >= 1.0 && value <= (double) MAX_CONTEXT ? (guint) value
                                                                               : self->context;
}

static gboolean
read_llama3 (const Source           *source,
             const TareArchitecture *architecture,
             const Source           *rope,
             TareConfig             *self)
{
  self->rope_scaling = TARE_ROPE_SCALING_LLAMA3;
  if (!read_positive (rope, "factor", "", &self->rope_factor)
      || !read_positive (rope, "low_freq_factor", "", &self->rope_low_frequency)
      || !read_positive (rope, "high_freq_factor", "", &self->rope_high_frequency))
    return FALSE;

  if (self->rope_high_frequency <= self->rope_low_frequency)
    return fail (source, TARE_ERROR_INVALID, "high_freq_factor",
                 "is not above low_freq_factor");

  return tare_architecture_find (architecture, "rope_freqs") != NULL
         || fail (source, TARE_ERROR_UNSUPPORTED, "rope_type",
                  "is 'llama3', which only Llama takes");
}

static gboolean
read_yarn (const Source *source,
           const Source *rope,
           TareConfig   *self)
{
  double fast = 32.0;
  double slow = 1.0;
  double attention = 0.0;

  self->rope_scaling = TARE_ROPE_SCALING_YARN;
  if (!read_positive (rope, "factor", "", &self->rope_factor))
    return FALSE;

  if (tare_json_get_number (rope->object, "attention_factor", &attention))
    {
      if (!(attention > 0.0 && attention < (double) G_MAXFLOAT))
        return fail (source, TARE_ERROR_INVALID, "attention_factor", "is not a positive number");
      self->rope_attention_factor = (float) attention;
    }

  tare_json_get_number (rope->object, "beta_fast", &fast);
  tare_json_get_number (rope->object, "beta_slow", &slow);
  if (fast != 32.0 || slow != 1.0)
    return fail (source, TARE_ERROR_UNSUPPORTED, "beta_fast",
                 "and 'beta_slow' are not 32 and 1");

  return TRUE;
}

/* transformers has rounded it down since GPT-NeoX. */
static gboolean
read_rope_width (const Source           *source,
                 JsonObject             *rope,
                 const TareArchitecture *architecture,
                 TareConfig             *self)
{
  double share = architecture->rotary_share > 0.0f ? (double) architecture->rotary_share : 1.0;

  if (!tare_json_get_number (source->object, "partial_rotary_factor", &share)
      && !tare_json_get_number (source->object, "rotary_pct", &share))
    tare_json_get_number (rope, "partial_rotary_factor", &share);

  if (architecture->rotary_share == 0.0f && share != 1.0)
    {
      self->rope_width = self->head_width;
      return fail (source, TARE_ERROR_UNSUPPORTED, "partial_rotary_factor", "is not 1");
    }

  self->rope_width = share > 0.0 && share <= 1.0 ? (guint) (share * self->head_width) : 0;

  return (self->rope_width > 0 && self->rope_width % 2 == 0)
         || fail (source, TARE_ERROR_INVALID, "partial_rotary_factor",
                  "leaves no pairs of a head's elements");
}

static gboolean
read_json_rope (const Source           *source,
                const TareArchitecture *architecture,
                TareConfig             *self)
{
  JsonObject *object = find_rope (source->object);
  Source rope = { source->path, object, NULL, "", source->error };
  const char *type = find_rope_type (object);
  double base = 0.0;
  Source *base_source = tare_json_get_number (object, "rope_theta", &base) ? &rope : NULL;

  self->rope_base = DEFAULT_ROPE_BASE;
  if (!_tare_config_rotates (architecture))
    return TRUE;

  if (!read_positive (base_source != NULL ? base_source : source,
                      json_object_has_member (source->object, "rotary_emb_base")
                      ? "rotary_emb_base" : "rope_theta", "", &self->rope_base)
      || !read_rope_width (source, object, architecture, self))
    return FALSE;

  if (strcmp (type, "default") == 0 || strcmp (type, "dynamic") == 0)
    return TRUE;

  /* Every scaling has a factor. */
  self->rope_factor = 0.0f;
  read_original_context (source->object, object, self);
  if (strcmp (type, "linear") == 0)
    {
      self->rope_scaling = TARE_ROPE_SCALING_LINEAR;
      return read_positive (&rope, "factor", "", &self->rope_factor);
    }
  if (strcmp (type, "llama3") == 0)
    return read_llama3 (source, architecture, &rope, self);
  if (strcmp (type, "yarn") == 0)
    return read_yarn (source, &rope, self);

  return fail (source, TARE_ERROR_UNSUPPORTED, "rope_type", "names a scaling that is not known");
}

static gboolean
read_json_activation (const Source           *source,
                      const TareArchitecture *architecture,
                      TareConfig             *self)
{
  const char *key = architecture->activation_key;
  const char *name = tare_json_get_string (source->object, key != NULL ? key : "hidden_act");
  gboolean silu = architecture->activation == TARE_ACTIVATION_SILU;

  self->activation = architecture->activation;
  if (name == NULL)
    return TRUE;

  for (gsize i = 0; i < G_N_ELEMENTS (activations); i++)
    {
      if (strcmp (activations[i].name, name) != 0
          || (activations[i].activation == TARE_ACTIVATION_SILU) != silu)
        continue;

      self->activation = activations[i].activation;
      return TRUE;
    }

  return fail (source, TARE_ERROR_UNSUPPORTED, key != NULL ? key : "hidden_act",
               silu ? "is not 'silu'" : "is no 'gelu'");
}

static gboolean
read_parallel (const Source           *source,
               const TareArchitecture *architecture,
               TareConfig             *self)
{
  g_autofree char *key = g_strconcat (source->prefix, "use_parallel_residual", NULL);

  self->parallel = architecture->parallel;
  if (source->object != NULL)
    self->parallel = tare_json_get_boolean (source->object, key, self->parallel);
  else
    tare_metadata_get_boolean (source->metadata, key, &self->parallel);

  return architecture->parallel || !self->parallel
         || fail (source, TARE_ERROR_UNSUPPORTED, "use_parallel_residual", "is set");
}

static gboolean
check_json_features (const Source *source)
{
  if (tare_json_get_boolean (source->object, "scale_attn_by_inverse_layer_idx", FALSE))
    return fail (source, TARE_ERROR_UNSUPPORTED, "scale_attn_by_inverse_layer_idx", "is set");

  if (tare_json_get_boolean (source->object, "use_sliding_window", FALSE))
    return fail (source, TARE_ERROR_UNSUPPORTED, "use_sliding_window", "is set");

  return TRUE;
}

/**
 * tare_config_read_json:
 * @self: (out caller-allocates): the numbers
 * @architecture: what the network is
 * @object: the content of config.json
 * @path: where it is, for messages
 * @error: return location
 *
 * Reads the numbers of a network from config.json. With %TARE_ERROR_UNSUPPORTED the shapes in
 * @self are right and only the network cannot be run.
 *
 * Returns: %FALSE with @error set where a number is missing, out of bounds or at odds with another
 */
gboolean
tare_config_read_json (TareConfig              *self,
                       const TareArchitecture  *architecture,
                       JsonObject              *object,
                       const char              *path,
                       GError                 **error)
{
  Source source = { path, object, NULL, "", error };

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (architecture != NULL, FALSE);
  g_return_val_if_fail (object != NULL, FALSE);

  memset (self, 0, sizeof *self);
  self->rope_factor = 1.0f;
  self->tied = tare_json_get_boolean (object, "tie_word_embeddings", architecture->tied);

  return read_numbers (&source, architecture, self)
         && read_bounds (&source, architecture, self)
         && read_json_rope (&source, architecture, self)
         && read_json_activation (&source, architecture, self)
         && read_parallel (&source, architecture, self)
         && check_json_features (&source);
}

static gboolean
read_optional (const Source *source,
               const char   *key,
               float        *number)
{
  g_autofree char *full = full_key (source, key);

  return !tare_metadata_has (source->metadata, full) || read_positive (source, "", key, number);
}

static gboolean
read_original (const Source *source,
               TareConfig   *self)
{
  static const Count row = {
    "", NULL, "rope.scaling.original_context_length", FIELD (rope_original_context),
    MAX_CONTEXT, TRUE,
  };

  self->rope_original_context = self->context;

  return read_count (source, &row, self);
}

/* By llama.cpp's keys; cosine and sine are multiplied by attn_factor on top of yarn's own. */
static gboolean
read_metadata_scaling (const Source *source,
                       TareConfig   *self)
{
  g_autofree char *key = full_key (source, "rope.scaling.type");
  const char *type = tare_metadata_get_string (source->metadata, key);
  float attention = 1.0f;

  if (!read_optional (source, "rope.scale_linear", &self->rope_factor)
      || !read_optional (source, "rope.scaling.factor", &self->rope_factor)
      || !read_optional (source, "rope.scaling.attn_factor", &attention)
      || !read_original (source, self))
    return FALSE;

  if (type == NULL || strcmp (type, "linear") == 0)
    {
      self->rope_scaling = self->rope_factor == 1.0f ? TARE_ROPE_SCALING_NONE
                                                     : TARE_ROPE_SCALING_LINEAR;
    }
  else if (strcmp (type, "none") == 0)
    {
      self->rope_factor = 1.0f;
    }
  else if (strcmp (type, "yarn") == 0)
    {
      self->rope_scaling = TARE_ROPE_SCALING_YARN;
      if (attention != 1.0f)
        self->rope_attention_factor = attention * (0.1f * logf (self->rope_factor) + 1.0f);
    }
  else
    {
      return fail (source, TARE_ERROR_UNSUPPORTED, "rope.scaling.type",
                   "names a scaling that is not known");
    }

  return TRUE;
}

static gboolean
read_metadata_rope (const Source           *source,
                    const TareArchitecture *architecture,
                    TareConfig             *self)
{
  static const Count row = {
    "", NULL, "rope.dimension_count", FIELD (rope_width), MAX_WIDTH, TRUE,
  };

  self->rope_base = DEFAULT_ROPE_BASE;
  if (!_tare_config_rotates (architecture))
    return TRUE;

  self->rope_width = self->head_width;
  if (!read_optional (source, "rope.freq_base", &self->rope_base)
      || !read_count (source, &row, self))
    return FALSE;

  if (self->rope_width > self->head_width || self->rope_width % 2 != 0)
    return fail (source, TARE_ERROR_INVALID, "rope.dimension_count",
                 "is odd or more than the width of a head");

  return read_metadata_scaling (source, self);
}

static gboolean
check_metadata_features (const Source     *source,
                         const TareConfig *self)
{
  g_autofree char *value_key = full_key (source, "attention.value_length");
  g_autofree char *expert_key = full_key (source, "expert_count");
  gint64 number = 0;

  if (tare_metadata_get_integer (source->metadata, expert_key, &number) && number > 0)
    return fail (source, TARE_ERROR_UNSUPPORTED, "expert_count", "makes it a mixture of experts");

  if (tare_metadata_get_integer (source->metadata, value_key, &number)
      && number != (gint64) self->head_width)
    return fail (source, TARE_ERROR_UNSUPPORTED, "attention.value_length",
                 "is not the length of a key");

  return TRUE;
}

/**
 * tare_config_read_metadata:
 * @self: (out caller-allocates): the numbers
 * @architecture: what the network is
 * @metadata: the keys of a GGUF file
 * @path: where it is, for messages
 * @error: return location
 *
 * Reads the numbers of a network from GGUF's keys. The number of tokens may be missing there, and
 * is then 0; whether the output is the embedding is not said there at all, but by the tensors.
 * With %TARE_ERROR_UNSUPPORTED the shapes in @self are right and only the network cannot be run.
 *
 * Returns: %FALSE with @error set where a number is missing, out of bounds or at odds with another
 */
gboolean
tare_config_read_metadata (TareConfig              *self,
                           const TareArchitecture  *architecture,
                           TareMetadata            *metadata,
                           const char              *path,
                           GError                 **error)
{
  g_autofree char *prefix = NULL;
  Source source = { path, NULL, metadata, NULL, error };

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (architecture != NULL, FALSE);
  g_return_val_if_fail (metadata != NULL, FALSE);

  memset (self, 0, sizeof *self);
  self->rope_factor = 1.0f;
  prefix = g_strconcat (architecture->id, ".", NULL);
  source.prefix = prefix;

  self->activation = architecture->activation;

  return read_numbers (&source, architecture, self)
         && read_bounds (&source, architecture, self)
         && read_metadata_rope (&source, architecture, self)
         && read_parallel (&source, architecture, self)
         && check_metadata_features (&source, self);
}
