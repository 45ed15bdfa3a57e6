/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-config.h"

#include <math.h>
#include <string.h>

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

/* One row per count: its name in either source, what it is bounded by, and where it goes. */
typedef struct
{
  const char *json;
  const char *key;
  gsize       offset;
  guint       maximum;
  gboolean    optional;
} Count;

static const Count counts[] = {
  { "hidden_size", "embedding_length", G_STRUCT_OFFSET (TareConfig, width), MAX_WIDTH, FALSE },
  { "num_hidden_layers", "block_count", G_STRUCT_OFFSET (TareConfig, n_blocks),
    MAX_BLOCKS, FALSE },
  { "num_attention_heads", "attention.head_count", G_STRUCT_OFFSET (TareConfig, n_heads),
    MAX_WIDTH, FALSE },
  { "num_key_value_heads", "attention.head_count_kv",
    G_STRUCT_OFFSET (TareConfig, n_key_value_heads), MAX_WIDTH, TRUE },
  { "head_dim", "attention.key_length", G_STRUCT_OFFSET (TareConfig, head_width),
    MAX_WIDTH, TRUE },
  { "intermediate_size", "feed_forward_length",
    G_STRUCT_OFFSET (TareConfig, feed_forward_width), MAX_WIDTH, FALSE },
  { "max_position_embeddings", "context_length", G_STRUCT_OFFSET (TareConfig, context),
    MAX_CONTEXT, FALSE },
  { "vocab_size", "vocab_size", G_STRUCT_OFFSET (TareConfig, vocabulary), MAX_VOCABULARY, TRUE },
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

static gboolean
check_heads (const Source *source,
             TareConfig   *self)
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

  if (self->head_width % 2 != 0)
    return fail (source, TARE_ERROR_INVALID, json ? "head_dim" : "attention.key_length",
                 "is odd, so its elements do not pair up");

  return TRUE;
}

static gboolean
read_numbers (const Source *source,
              TareConfig   *self)
{
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      if (!read_count (source, &counts[i], self))
        return FALSE;
    }

  return check_heads (source, self)
         && read_positive (source, "rms_norm_eps", "attention.layer_norm_rms_epsilon",
                           &self->norm_epsilon);
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

  for (const TareTensorName *row = architecture->names; row->role != NULL; row++)
    {
      if (strcmp (row->role, "rope_freqs") == 0)
        return TRUE;
    }

  return fail (source, TARE_ERROR_UNSUPPORTED, "rope_type",
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
  self->rope_width = self->head_width;
  if (!read_positive (base_source != NULL ? base_source : source, "rope_theta", "",
                      &self->rope_base))
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
check_json_features (const Source *source)
{
  const char *activation = tare_json_get_string (source->object, "hidden_act");
  double partial = 1.0;

  if (activation != NULL && strcmp (activation, "silu") != 0 && strcmp (activation, "swish") != 0)
    return fail (source, TARE_ERROR_UNSUPPORTED, "hidden_act", "is not 'silu'");

  tare_json_get_number (source->object, "partial_rotary_factor", &partial);
  if (partial != 1.0)
    return fail (source, TARE_ERROR_UNSUPPORTED, "partial_rotary_factor", "is not 1");

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
  self->tied = tare_json_get_boolean (object, "tie_word_embeddings", FALSE);

  return read_numbers (&source, self)
         && read_json_rope (&source, architecture, self)
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
    "", "rope.scaling.original_context_length",
    G_STRUCT_OFFSET (TareConfig, rope_original_context), MAX_CONTEXT, TRUE,
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
read_metadata_rope (const Source *source,
                    TareConfig   *self)
{
  static const Count row = {
    "", "rope.dimension_count", G_STRUCT_OFFSET (TareConfig, rope_width), MAX_WIDTH, TRUE,
  };

  self->rope_base = DEFAULT_ROPE_BASE;
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

  return read_numbers (&source, self)
         && read_metadata_rope (&source, self)
         && check_metadata_features (&source, self);
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

  /* Llama 3's is a tensor. */
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
  set_f32 (metadata, prefix, "attention.layer_norm_rms_epsilon", self->norm_epsilon);
  if ((guint64) self->head_width * self->n_heads != self->width || architecture->head_norm)
    {
      set_u32 (metadata, prefix, "attention.key_length", self->head_width);
      set_u32 (metadata, prefix, "attention.value_length", self->head_width);
    }
  set_u32 (metadata, prefix, "rope.dimension_count", self->rope_width);
  set_f32 (metadata, prefix, "rope.freq_base", self->rope_base);
  write_scaling (self, prefix, metadata);
  if (self->vocabulary > 0)
    set_u32 (metadata, prefix, "vocab_size", self->vocabulary);
}
