/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-config.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-config-private.h"
#include "quant/model/tare-file-private.h"
#include "quant/model/tare-json.h"

#define FIELD(name) G_STRUCT_OFFSET (TareConfig, name)

static const TareConfigCount counts[] = {
  { "hidden_size", "n_embd", "embedding_length", FIELD (width), TARE_CONFIG_MAX_WIDTH, FALSE },
  { "num_hidden_layers", "n_layer", "block_count", FIELD (n_blocks), TARE_CONFIG_MAX_BLOCKS,
    FALSE },
  { "num_attention_heads", "n_head", "attention.head_count", FIELD (n_heads),
    TARE_CONFIG_MAX_WIDTH, FALSE },
  { "num_key_value_heads", NULL, "attention.head_count_kv", FIELD (n_key_value_heads),
    TARE_CONFIG_MAX_WIDTH, TRUE },
  { "head_dim", NULL, "attention.key_length", FIELD (head_width), TARE_CONFIG_MAX_WIDTH, TRUE },
  { "intermediate_size", "n_inner", "feed_forward_length", FIELD (feed_forward_width),
    TARE_CONFIG_MAX_WIDTH, TRUE },
  { "max_position_embeddings", "n_positions", "context_length", FIELD (context),
    TARE_CONFIG_MAX_CONTEXT, FALSE },
  { "vocab_size", NULL, "vocab_size", FIELD (vocabulary), TARE_CONFIG_MAX_VOCABULARY, TRUE },
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
  { "relu", TARE_ACTIVATION_RELU },
};

gboolean
_tare_config_fail (const TareConfigSource *source,
                   TareError               code,
                   const char             *key,
                   const char             *what)
{
  return _tare_file_fail_path (source->path, source->error, code, "key '%s%s' %s",
                               source->object == NULL ? source->prefix : "", key, what);
}

char *
_tare_config_full_key (const TareConfigSource *source,
                       const char             *key)
{
  return g_strconcat (source->prefix, key, NULL);
}

/* A key of GGUF may hold one number for every block; only equal ones make one network of it. */
static gboolean
find_per_block (const TareConfigSource *source,
                const char             *key,
                gboolean               *found,
                double                 *value)
{
  g_autofree char *full = _tare_config_full_key (source, key);
  gsize n = tare_metadata_get_length (source->metadata, full);
  double other = 0.0;

  *found = tare_metadata_get_number (source->metadata, full, value);
  if (*found || n == 0)
    return TRUE;

  *found = tare_metadata_get_number_at (source->metadata, full, 0, value);
  for (gsize i = 1; *found && i < n; i++)
    {
      if (!tare_metadata_get_number_at (source->metadata, full, i, &other) || other != *value)
        return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, key,
                                  "differs from block to block");
    }

  return TRUE;
}

gboolean
_tare_config_find_number (const TareConfigSource *source,
                          const char             *json,
                          const char             *key,
                          gboolean               *found,
                          double                 *value)
{
  if (source->object == NULL)
    return find_per_block (source, key, found, value);

  *found = tare_json_get_number (source->object, json, value);

  return TRUE;
}

gboolean
_tare_config_read_count (const TareConfigSource *source,
                         const TareConfigCount  *row,
                         TareConfig             *self)
{
  guint *count = &G_STRUCT_MEMBER (guint, self, row->offset);
  const char *key = source->object != NULL ? row->json : row->key;
  gboolean found = FALSE;
  double value = 0.0;

  if (!_tare_config_find_number (source, row->json, row->key, &found, &value))
    return FALSE;
  if (!found && source->object != NULL && row->alias != NULL)
    found = tare_json_get_number (source->object, row->alias, &value);

  if (!found)
    return row->optional
           || _tare_config_fail (source, TARE_ERROR_INVALID, key, "is missing, or is no number");

  if (!(value >= 1.0 && value <= (double) row->maximum) || value != floor (value))
    {
      g_autofree char *what = g_strdup_printf ("is %g, not a whole number from 1 to %u", value,
                                               row->maximum);

      return _tare_config_fail (source, TARE_ERROR_INVALID, key, what);
    }

  *count = (guint) value;

  return TRUE;
}

gboolean
_tare_config_read_positive (const TareConfigSource *source,
                            const char             *json,
                            const char             *key,
                            float                  *number)
{
  gboolean found = FALSE;
  double value = (double) *number;

  if (!_tare_config_find_number (source, json, key, &found, &value))
    return FALSE;

  *number = (float) value;
  if (!(*number > 0.0f && *number < G_MAXFLOAT))
    return _tare_config_fail (source, TARE_ERROR_INVALID, source->object != NULL ? json : key,
                              found ? "is not a positive number" : "is missing");

  return TRUE;
}

/* A number that may be missing, and then is @fallback, or be 0 or null for none. */
gboolean
_tare_config_read_or_none (const TareConfigSource *source,
                           const char             *json,
                           const char             *key,
                           double                  fallback,
                           double                  maximum,
                           double                 *value)
{
  gboolean found = FALSE;

  *value = fallback;
  if (!_tare_config_find_number (source, json, key, &found, value))
    return FALSE;
  if (!found && source->object != NULL && json_object_has_member (source->object, json)
      && json_object_get_null_member (source->object, json))
    *value = 0.0;

  return (*value >= 0.0 && *value <= maximum)
         || _tare_config_fail (source, TARE_ERROR_INVALID, source->object != NULL ? json : key,
                               "is out of bounds");
}

static gboolean
check_heads (const TareConfigSource *source,
             const TareArchitecture *architecture,
             TareConfig             *self)
{
  gboolean json = source->object != NULL;

  if (self->n_key_value_heads == 0)
    self->n_key_value_heads = self->n_heads;

  if (self->n_heads % self->n_key_value_heads != 0)
    return _tare_config_fail (source, TARE_ERROR_INVALID,
                              json ? "num_key_value_heads" : "attention.head_count_kv",
                              "does not divide the number of heads");

  if (self->head_width == 0)
    {
      if (self->width % self->n_heads != 0)
        return _tare_config_fail (source, TARE_ERROR_INVALID,
                                  json ? "num_attention_heads" : "attention.head_count",
                                  "does not divide the width");
      self->head_width = self->width / self->n_heads;
    }

  if ((guint64) self->n_heads * self->head_width > TARE_CONFIG_MAX_WIDTH)
    return _tare_config_fail (source, TARE_ERROR_INVALID,
                              json ? "head_dim" : "attention.key_length",
                              "makes the heads together too wide");

  if (_tare_config_rotates (architecture) && self->head_width % 2 != 0)
    return _tare_config_fail (source, TARE_ERROR_INVALID,
                              json ? "head_dim" : "attention.key_length",
                              "is odd, so its elements do not pair up");

  return TRUE;
}

static gboolean
read_epsilon (const TareConfigSource *source,
              const TareArchitecture *architecture,
              TareConfig             *self)
{
  const char *name = layer_epsilons[0];
  double value = 0.0;

  if (architecture->norm == TARE_NORM_RMS)
    return _tare_config_read_positive (source, "rms_norm_eps", "attention.layer_norm_rms_epsilon",
                                       &self->norm_epsilon);

  for (gsize i = 0; source->object != NULL && i < G_N_ELEMENTS (layer_epsilons); i++)
    {
      if (tare_json_get_number (source->object, layer_epsilons[i], &value))
        name = layer_epsilons[i];
    }

  return _tare_config_read_positive (source, name, "attention.layer_norm_epsilon",
                                     &self->norm_epsilon);
}

/* Falcon's ways of saying how many key and value heads there are. */
static void
count_key_value_heads (JsonObject *object,
                       TareConfig *self)
{
  if (!tare_json_get_boolean (object, "new_decoder_architecture", FALSE))
    self->n_key_value_heads = tare_json_get_boolean (object, "multi_query", TRUE) ? 1 : 0;
}

static gboolean
read_numbers (const TareConfigSource *source,
              const TareArchitecture *architecture,
              TareConfig             *self)
{
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      if (!_tare_config_read_count (source, &counts[i], self))
        return FALSE;
    }
  if (architecture->multi_query && source->object != NULL)
    count_key_value_heads (source->object, self);

  if (self->feed_forward_width == 0)
    self->feed_forward_width = self->width * architecture->inner_factor;
  if (self->feed_forward_width == 0 || self->feed_forward_width > TARE_CONFIG_MAX_WIDTH)
    return _tare_config_fail (source, TARE_ERROR_INVALID,
                              source->object != NULL ? "intermediate_size" : "feed_forward_length",
                              "is missing, is no number, or is beyond bounds");

  return check_heads (source, architecture, self) && read_epsilon (source, architecture, self);
}

/* What bounds scores and logits. */
static gboolean
read_bounds (const TareConfigSource *source,
             const TareArchitecture *architecture,
             TareConfig             *self)
{
  double window = 0.0, attention = 0.0, final = 0.0, scale = 0.0, scalar = 0.0;

  if (architecture->windowed
      && !_tare_config_read_or_none (source, "sliding_window", "attention.sliding_window",
                                     architecture->window, TARE_CONFIG_MAX_CONTEXT, &window))
    return FALSE;
  if (architecture->attention_soft_cap > 0.0f
      && !_tare_config_read_or_none (source, "attn_logit_softcapping", "attn_logit_softcapping",
                                     (double) architecture->attention_soft_cap, 1e6, &attention))
    return FALSE;
  if (architecture->final_soft_cap > 0.0f
      && !_tare_config_read_or_none (source, "final_logit_softcapping", "final_logit_softcapping",
                                     (double) architecture->final_soft_cap, 1e6, &final))
    return FALSE;
  if (architecture->wide_query_blocks > 0
      && !(source->object != NULL
           ? _tare_config_read_or_none (source, "query_pre_attn_scalar", "", 0.0,
                                        TARE_CONFIG_MAX_WIDTH, &scalar)
           : _tare_config_read_or_none (source, "", "attention.scale", 0.0, 1e6, &scale)))
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

static gboolean
read_json_activation (const TareConfigSource *source,
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
          || (activations[i].activation == TARE_ACTIVATION_SILU) != silu
          || (activations[i].activation == TARE_ACTIVATION_RELU
              && architecture->activation != TARE_ACTIVATION_RELU))
        continue;

      self->activation = activations[i].activation;
      return TRUE;
    }

  return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, key != NULL ? key : "hidden_act",
                            silu ? "is not 'silu'" : "is no 'gelu'");
}

static gboolean
read_parallel (const TareConfigSource *source,
               const TareArchitecture *architecture,
               TareConfig             *self)
{
  g_autofree char *key = g_strconcat (source->prefix, "use_parallel_residual", NULL);

  self->parallel = architecture->parallel;
  if (source->object != NULL)
    self->parallel = tare_json_get_boolean (source->object, key, self->parallel);
  else
    tare_metadata_get_boolean (source->metadata, key, &self->parallel);

  return architecture->parallel || architecture->may_be_parallel || !self->parallel
         || _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "use_parallel_residual", "is set");
}

/* What no network here has, by the value that would ask for it. */
static const struct
{
  const char *key;
  gboolean    value;
} refused[] = {
  { "scale_attn_by_inverse_layer_idx", TRUE },
  { "use_sliding_window", TRUE },
  { "alibi", TRUE },
  { "parallel_attn", FALSE },
  { "do_layer_norm_before", FALSE },
  { "_remove_final_layer_norm", TRUE },
};

static gboolean
check_json_features (const TareConfigSource *source)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      if (tare_json_get_boolean (source->object, refused[i].key, !refused[i].value)
          == refused[i].value)
        return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, refused[i].key,
                                  refused[i].value ? "is set" : "is not set");
    }

  return TRUE;
}

/* Which blocks are in a window, where config.json says: the table knows one order only. */
static gboolean
check_windows (const TareConfigSource *source,
               const TareArchitecture *architecture)
{
  JsonArray *types = tare_json_get_array (source->object, "layer_types");
  guint period = architecture->window_period;
  double said = period;

  if (period == 0)
    return TRUE;

  tare_json_get_number (source->object, "sliding_window_pattern", &said);
  if (said != (double) period)
    return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "sliding_window_pattern",
                              "is not as usual");

  for (guint i = 0; types != NULL && i < json_array_get_length (types); i++)
    {
      JsonNode *node = json_array_get_element (types, i);
      gboolean full = JSON_NODE_HOLDS_VALUE (node)
                      && g_strcmp0 (json_node_get_string (node), "full_attention") == 0;

      if (full != (i % period == period - 1))
        return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "layer_types",
                                  "is not as usual");
    }

  return TRUE;
}

static void
copy_members (JsonObject *from,
              JsonObject *to)
{
  JsonObjectIter iter;
  const char *name = NULL;
  JsonNode *node = NULL;

  json_object_iter_init (&iter, from);
  while (json_object_iter_next (&iter, &name, &node))
    json_object_set_member (to, name, json_node_copy (node));
}

/* What config.json says of the text, by the names that most use, with what it leaves out. */
static JsonObject *
flatten (const TareArchitecture *architecture,
         JsonObject             *object)
{
  JsonObject *flat = json_object_new ();
  JsonObject *text = tare_json_get_object (object, "text_config");

  if (architecture->defaults != NULL)
    {
      g_autoptr(JsonNode) node = json_from_string (architecture->defaults, NULL);

      copy_members (json_node_get_object (node), flat);
    }
  copy_members (object, flat);
  if (text != NULL)
    copy_members (text, flat);
  for (const char *const *name = architecture->renames; name != NULL && *name != NULL; name += 2)
    {
      if (json_object_has_member (flat, name[0]))
        json_object_set_member (flat, name[1],
                                json_node_copy (json_object_get_member (flat, name[0])));
    }

  return flat;
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
tare_config_read_json (TareConfig             *self,
                       const TareArchitecture *architecture,
                       JsonObject             *object,
                       const char             *path,
                       GError                **error)
{
  TareConfigSource source = { path, NULL, NULL, "", error };
  g_autoptr(JsonObject) flat = NULL;

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (architecture != NULL, FALSE);
  g_return_val_if_fail (object != NULL, FALSE);

  flat = flatten (architecture, object);
  source.object = flat;
  memset (self, 0, sizeof *self);
  self->rope_factor = 1.0f;
  self->tied = tare_json_get_boolean (flat, "tie_word_embeddings", architecture->tied);

  return read_numbers (&source, architecture, self)
         && _tare_config_read_experts (&source, architecture, self)
         && read_bounds (&source, architecture, self)
         && _tare_config_read_json_rope (&source, architecture, self)
         && read_json_activation (&source, architecture, self)
         && read_parallel (&source, architecture, self)
         && check_windows (&source, architecture)
         && check_json_features (&source);
}

static gboolean
check_metadata_features (const TareConfigSource *source,
                         const TareConfig       *self)
{
  g_autofree char *value_key = _tare_config_full_key (source, "attention.value_length");
  gint64 number = 0;

  if (tare_metadata_get_integer (source->metadata, value_key, &number)
      && number != (gint64) self->head_width)
    return _tare_config_fail (source, TARE_ERROR_UNSUPPORTED, "attention.value_length",
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
tare_config_read_metadata (TareConfig             *self,
                           const TareArchitecture *architecture,
                           TareMetadata           *metadata,
                           const char             *path,
                           GError                **error)
{
  g_autofree char *prefix = NULL;
  TareConfigSource source = { path, NULL, metadata, NULL, error };

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (architecture != NULL, FALSE);
  g_return_val_if_fail (metadata != NULL, FALSE);

  memset (self, 0, sizeof *self);
  self->rope_factor = 1.0f;
  prefix = g_strconcat (architecture->id, ".", NULL);
  source.prefix = prefix;

  self->activation = architecture->activation;

  return read_numbers (&source, architecture, self)
         && _tare_config_read_experts (&source, architecture, self)
         && read_bounds (&source, architecture, self)
         && _tare_config_read_metadata_rope (&source, architecture, self)
         && read_parallel (&source, architecture, self)
         && check_metadata_features (&source, self);
}
