/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "quant/model/tare-config-private.h"
#include "quant/model/tare-json.h"

#define DEFAULT_ROPE_BASE 10000.0f

#define FIELD(name) G_STRUCT_OFFSET (TareConfig, name)

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

  self->rope_original_context = self->context;
  if (value >= 1.0 && value <= (double) TARE_CONFIG_MAX_CONTEXT)
    self->rope_original_context = (guint) value;
}

static gboolean
read_llama3 (const TareConfigSource *source,
             const TareArchitecture *architecture,
             const TareConfigSource *rope,
             TareConfig             *self)
{
  self->rope_scaling = TARE_ROPE_SCALING_LLAMA3;
  if (!_tare_config_read_positive (rope, "factor", "", &self->rope_factor)
      || !_tare_config_read_positive (rope, "low_freq_factor", "", &self->rope_low_frequency)
      || !_tare_config_read_positive (rope, "high_freq_factor", "", &self->rope_high_frequency))
    return FALSE;

  if (self->rope_high_frequency <= self->rope_low_frequency)
    return _tare_config_fail (source, TARE_ERROR_INVALID, "high_freq_factor",
                              "is not above low_freq_factor");

  return tare_architecture_find (architecture, "rope_freqs") != NULL
         || _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "rope_type",
                               "is 'llama3', which only Llama takes");
}

static gboolean
read_yarn (const TareConfigSource *source,
           const TareConfigSource *rope,
           TareConfig             *self)
{
  double fast = 32.0;
  double slow = 1.0;
  double attention = 0.0;

  self->rope_scaling = TARE_ROPE_SCALING_YARN;
  if (!_tare_config_read_positive (rope, "factor", "", &self->rope_factor))
    return FALSE;
  /* It stretches; GGUF's way of writing the attention factor takes the logarithm of it. */
  if (self->rope_factor < 1.0f)
    return _tare_config_fail (source, TARE_ERROR_INVALID, "factor", "is less than 1");

  if (tare_json_get_number (rope->object, "attention_factor", &attention))
    {
      if (!(attention > 0.0 && attention < (double) G_MAXFLOAT))
        return _tare_config_fail (source, TARE_ERROR_INVALID, "attention_factor",
                                  "is not a positive number");
      self->rope_attention_factor = (float) attention;
    }

  tare_json_get_number (rope->object, "beta_fast", &fast);
  tare_json_get_number (rope->object, "beta_slow", &slow);
  if (fast != 32.0 || slow != 1.0)
    return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "beta_fast",
                              "and 'beta_slow' are not 32 and 1");

  return TRUE;
}

static gboolean
read_factors (const TareConfigSource *source,
              JsonObject             *rope,
              const char             *key,
              guint                   n,
              float                  *factors)
{
  JsonArray *array = tare_json_get_array (rope, key);

  if (array == NULL || json_array_get_length (array) != n || n > TARE_CONFIG_MAX_FACTORS)
    return _tare_config_fail (source, TARE_ERROR_INVALID, key,
                              "does not have a number for every pair of a head's elements");

  for (guint i = 0; i < n; i++)
    {
      JsonNode *node = json_array_get_element (array, i);

      factors[i] = JSON_NODE_HOLDS_VALUE (node) ? (float) json_node_get_double (node) : 0.0f;
      if (!(factors[i] > 0.0f && factors[i] < G_MAXFLOAT))
        return _tare_config_fail (source, TARE_ERROR_INVALID, key,
                                  "has a number that is not positive");
    }

  return TRUE;
}

/* Ding et al., "LongRoPE: Extending LLM Context Window Beyond 2 Million Tokens" (2024): what cosine
 * and sine are multiplied by, sqrt (1 + ln (context / original) / ln (original)). */
double
_tare_config_longrope_attention (guint context,
                                 guint original)
{
  double stretch = (double) context / (double) original;

  if (stretch > 1.0 && original > 1)
    return sqrt (1.0 + log (stretch) / log ((double) original));

  return 1.0;
}

static gboolean
read_longrope (const TareConfigSource *source,
               const TareArchitecture *architecture,
               JsonObject             *rope,
               TareConfig             *self)
{
  guint n = self->rope_width / 2;

  self->rope_scaling = TARE_ROPE_SCALING_LONGROPE;
  self->rope_factor = 1.0f;
  if (tare_architecture_find (architecture, "rope_factors_long") == NULL)
    return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "rope_type",
                              "is 'longrope', which only Phi-3 takes");

  self->rope_attention_factor = (float) _tare_config_longrope_attention (
    self->context, self->rope_original_context);

  return read_factors (source, rope, "short_factor", n, self->rope_short_factors)
         && read_factors (source, rope, "long_factor", n, self->rope_long_factors);
}

/* The base of blocks in a window, which transformers 5 has in a set of its own. */
static gboolean
read_local_base (const TareConfigSource *source,
                 const TareArchitecture *architecture,
                 TareConfig             *self)
{
  JsonObject *sets = tare_json_get_object (source->object, "rope_parameters");
  JsonObject *local = tare_json_get_object (sets, "sliding_attention");
  double base = (double) architecture->local_rope_base;

  if (architecture->local_rope_base == 0.0f)
    return TRUE;

  tare_json_get_number (source->object, "rope_local_base_freq", &base);
  tare_json_get_number (local, "rope_theta", &base);
  self->rope_local_base = (float) base;

  return (self->rope_local_base > 0.0f && self->rope_local_base < G_MAXFLOAT)
         || _tare_config_fail (source, TARE_ERROR_INVALID, "rope_local_base_freq",
                               "is not a positive number");
}

/* transformers has rounded it down since GPT-NeoX. */
static gboolean
read_rope_width (const TareConfigSource *source,
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
      return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "partial_rotary_factor",
                                "is not 1");
    }

  self->rope_width = share > 0.0 && share <= 1.0 ? (guint) (share * self->head_width) : 0;

  return (self->rope_width > 0 && self->rope_width % 2 == 0)
         || _tare_config_fail (source, TARE_ERROR_INVALID, "partial_rotary_factor",
                               "leaves no pairs of a head's elements");
}

/* Positions by config.json. */
gboolean
_tare_config_read_json_rope (const TareConfigSource *source,
                             const TareArchitecture *architecture,
                             TareConfig             *self)
{
  JsonObject *object = find_rope (source->object);
  TareConfigSource rope = { source->path, object, NULL, "", source->error };
  const char *type = find_rope_type (object);
  double base = 0.0;
  TareConfigSource *base_source = tare_json_get_number (object, "rope_theta", &base) ? &rope : NULL;

  self->rope_base = DEFAULT_ROPE_BASE;
  if (!_tare_config_rotates (architecture))
    return TRUE;

  if (!_tare_config_read_positive (base_source != NULL ? base_source : source,
                                   json_object_has_member (source->object, "rotary_emb_base")
                                   ? "rotary_emb_base" : "rope_theta", "", &self->rope_base)
      || !read_rope_width (source, object, architecture, self)
      || !read_local_base (source, architecture, self))
    return FALSE;

  if (strcmp (type, "default") == 0 || strcmp (type, "dynamic") == 0)
    return TRUE;

  /* Every scaling has a factor. */
  self->rope_factor = 0.0f;
  read_original_context (source->object, object, self);
  if (strcmp (type, "linear") == 0)
    {
      self->rope_scaling = TARE_ROPE_SCALING_LINEAR;
      return _tare_config_read_positive (&rope, "factor", "", &self->rope_factor);
    }
  if (strcmp (type, "llama3") == 0)
    return read_llama3 (source, architecture, &rope, self);
  if (strcmp (type, "yarn") == 0)
    return read_yarn (source, &rope, self);
  if (strcmp (type, "longrope") == 0 || strcmp (type, "su") == 0)
    return read_longrope (source, architecture, object, self);

  return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "rope_type",
                            "names a scaling that is not known");
}

static gboolean
read_optional (const TareConfigSource *source,
               const char             *key,
               float                  *number)
{
  g_autofree char *full = _tare_config_full_key (source, key);

  return !tare_metadata_has (source->metadata, full)
         || _tare_config_read_positive (source, "", key, number);
}

static gboolean
read_original (const TareConfigSource *source,
               TareConfig             *self)
{
  static const TareConfigCount row = {
    "", NULL, "rope.scaling.original_context_length", FIELD (rope_original_context),
    TARE_CONFIG_MAX_CONTEXT, TRUE,
  };

  self->rope_original_context = self->context;

  return _tare_config_read_count (source, &row, self);
}

/* By llama.cpp's keys; cosine and sine are multiplied by attn_factor on top of yarn's own. */
static gboolean
read_metadata_scaling (const TareConfigSource *source,
                       TareConfig             *self)
{
  g_autofree char *key = _tare_config_full_key (source, "rope.scaling.type");
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
  else if (strcmp (type, "longrope") == 0)
    {
      self->rope_scaling = TARE_ROPE_SCALING_LONGROPE;
      self->rope_attention_factor = attention;
    }
  else
    {
      return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "rope.scaling.type",
                                "names a scaling that is not known");
    }

  return TRUE;
}

/* Positions by GGUF's keys. */
gboolean
_tare_config_read_metadata_rope (const TareConfigSource *source,
                                 const TareArchitecture *architecture,
                                 TareConfig             *self)
{
  static const TareConfigCount row = {
    "", NULL, "rope.dimension_count", FIELD (rope_width), TARE_CONFIG_MAX_WIDTH, TRUE,
  };

  self->rope_base = DEFAULT_ROPE_BASE;
  if (!_tare_config_rotates (architecture))
    return TRUE;

  self->rope_width = self->head_width;
  self->rope_local_base = architecture->local_rope_base;
  if (!read_optional (source, "rope.freq_base", &self->rope_base)
      || (architecture->local_rope_base > 0.0f
          && !read_optional (source, "rope.freq_base_swa", &self->rope_local_base))
      || !_tare_config_read_count (source, &row, self))
    return FALSE;

  if (self->rope_width > self->head_width || self->rope_width % 2 != 0)
    return _tare_config_fail (source, TARE_ERROR_INVALID, "rope.dimension_count",
                              "is odd or more than the width of a head");

  if (!read_metadata_scaling (source, self))
    return FALSE;

  return self->rope_scaling != TARE_ROPE_SCALING_LONGROPE
         || tare_architecture_find (architecture, "rope_factors_long") != NULL
         || _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "rope.scaling.type",
                               "is a scaling that is not known of it");
}
