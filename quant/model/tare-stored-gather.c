/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-layout.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-json.h"
#include "quant/model/tare-layout-private.h"
#include "quant/model/tare-tensor-private.h"

/* The values of quant_method of which the layouts are in the table. */
static const char *const methods[] = {
  "compressed-tensors", "gptq", "awq", "auto-round", "fp8", "fbgemm_fp8", "modelopt", "quark",
  "tare", NULL,
};

/* The formats of compressed-tensors, likewise. */
static const char *const formats[] = {
  "dense", "pack-quantized", "int-quantized", "float-quantized", "naive-quantized",
  "nvfp4-pack-quantized", "mxfp4-pack-quantized", "mxfp8-quantized", "mixed-precision", NULL,
};

/* What is beside the weights for other numbers: activations and the cache of keys and values. Of
 * these only the scales of inputs count, where a layout has them. */
static const char *const aside[] = {
  ".input_scale", ".input_zero_point", ".input_global_scale", ".output_scale",
  ".output_zero_point", ".k_scale", ".v_scale", ".q_scale", ".prob_scale",
};

/* One target of a group of compressed-tensors: a name, "re:" and an expression, or a class. */
typedef struct
{
  char       *name;
  GRegex     *regex;
  TareScheme  scheme;
} Target;

/* A list of tensors that is being put together. */
typedef struct
{
  GPtrArray  *tensors;
  JsonObject *config;
  const char *path;
  GHashTable *by_name;
  GHashTable *taken;
  GHashTable *merged;
  GArray     *targets;
  TareScheme  scheme;
  GError     *fault;
} Gather;

static void
target_clear (gpointer data)
{
  Target *self = data;

  g_free (self->name);
  g_clear_pointer (&self->regex, g_regex_unref);
}

/* Only the first fault is told. */
static void
blame (Gather     *self,
       TareError   code,
       const char *what)
{
  if (self->fault == NULL)
    _tare_file_fail_path (self->path, &self->fault, code, "%s", what);
}

static guint
read_count (JsonObject *object,
            const char *key)
{
  double value = 0.0;

  if (!tare_json_get_number (object, key, &value) || !(value >= 1.0) || value > 1 << 20)
    return 0;

  return (guint) value;
}

static void
read_block (JsonObject *object,
            const char *key,
            TareScheme *scheme)
{
  JsonArray *block = tare_json_get_array (object, key);
  gint64 sizes[2] = { 0 };

  if (block == NULL || json_array_get_length (block) != 2)
    return;

  for (guint i = 0; i < 2; i++)
    {
      JsonNode *node = json_array_get_element (block, i);

      if (JSON_NODE_HOLDS_VALUE (node))
        sizes[i] = json_node_get_int (node);
    }
  if (sizes[0] < 1 || sizes[1] < 1 || sizes[0] > 1 << 20 || sizes[1] > 1 << 20)
    return;

  scheme->block_rows = (gsize) sizes[0];
  scheme->block_columns = (gsize) sizes[1];
}

static void
add_target (Gather           *self,
            const char       *name,
            const TareScheme *scheme)
{
  Target target = { .name = g_strdup (name), .scheme = *scheme };

  if (g_str_has_prefix (name, "re:"))
    target.regex = g_regex_new (name + 3, G_REGEX_ANCHORED, G_REGEX_MATCH_ANCHORED, NULL);
  if (g_str_has_prefix (name, "re:") && target.regex == NULL)
    {
      g_autofree char *what = g_strdup_printf ("key 'quantization_config.config_groups': target "
                                               "'%s' is no expression", name);

      blame (self, TARE_ERROR_INVALID, what);
    }
  g_array_append_val (self->targets, target);
}

/* What inputs are rounded to, of what compressed-tensors can say only that which a token can be
 * rounded to by itself. */
static void
read_inputs (JsonObject *inputs,
             TareScheme *scheme)
{
  const char *strategy = inputs != NULL ? tare_json_get_string (inputs, "strategy") : NULL;
  gboolean dynamic = FALSE, symmetric = TRUE, floats = FALSE;
  g_autofree char *id = NULL;

  if (strategy == NULL)
    return;

  dynamic = tare_json_get_boolean (inputs, "dynamic", FALSE);
  symmetric = tare_json_get_boolean (inputs, "symmetric", TRUE);
  floats = g_strcmp0 (tare_json_get_string (inputs, "type"), "float") == 0;
  if (strcmp (strategy, dynamic ? "token" : "tensor") != 0 || (!dynamic && !symmetric)
      || (floats && read_count (inputs, "num_bits") != 8))
    return;

  id = floats ? g_strdup ("fp8_e4m3_channel")
              : g_strdup_printf ("int%u%s_channel", read_count (inputs, "num_bits"),
                                 symmetric ? "" : "_asym");
  scheme->input = tare_format_lookup (id);
  scheme->input_static = !dynamic;
}

static void
read_group (Gather     *self,
            JsonObject *group)
{
  JsonObject *weights = tare_json_get_object (group, "weights");
  JsonArray *targets = tare_json_get_array (group, "targets");
  TareScheme scheme = { 0 };

  if (weights == NULL || targets == NULL)
    return;

  scheme.bits = read_count (weights, "num_bits");
  scheme.asymmetric = !tare_json_get_boolean (weights, "symmetric", TRUE);
  read_block (weights, "block_structure", &scheme);
  read_inputs (tare_json_get_object (group, "input_activations"), &scheme);
  for (guint i = 0; i < json_array_get_length (targets); i++)
    {
      JsonNode *node = json_array_get_element (targets, i);

      if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
        add_target (self, json_node_get_string (node), &scheme);
    }
}

static void
check_value (Gather            *self,
             const char        *key,
             const char        *value,
             const char *const *known)
{
  g_autofree char *what = NULL;

  if (value == NULL || g_strv_contains (known, value))
    return;

  what = g_strdup_printf ("key 'quantization_config.%s' is '%s', of which the layout is not known",
                          key, value);
  blame (self, TARE_ERROR_UNSUPPORTED, what);
}

static void
read_config (Gather *self)
{
  static const char *const awq_versions[] = { "gemm", "GEMM", NULL };
  const char *method = tare_json_get_string (self->config, "quant_method");
  JsonObject *groups = tare_json_get_object (self->config, "config_groups");
  JsonObjectIter iter;
  const char *name = NULL;
  JsonNode *node = NULL;

  check_value (self, "quant_method", method, methods);
  if (g_strcmp0 (method, "compressed-tensors") == 0)
    check_value (self, "format", tare_json_get_string (self->config, "format"), formats);
  if (g_strcmp0 (method, "awq") == 0)
    check_value (self, "version", tare_json_get_string (self->config, "version"), awq_versions);

  self->scheme.version
    = g_strcmp0 (tare_json_get_string (self->config, "checkpoint_format"), "gptq_v2") == 0 ? 2 : 1;
  read_block (self->config, "weight_block_size", &self->scheme);
  if (groups == NULL)
    return;

  json_object_iter_init_ordered (&iter, groups);
  while (json_object_iter_next_ordered (&iter, &name, &node))
    if (JSON_NODE_HOLDS_OBJECT (node))
      read_group (self, json_node_get_object (node));
}

/* The exact name counts before an expression, and that before the class of all linear layers. */
static TareScheme
find_scheme (const Gather *self,
             const char   *layer)
{
  for (guint kind = 0; kind < 3; kind++)
    for (guint i = 0; i < self->targets->len; i++)
      {
        const Target *target = &g_array_index (self->targets, Target, i);

        if ((kind == 0 && strcmp (target->name, layer) == 0)
            || (kind == 1 && target->regex != NULL
                && g_regex_match (target->regex, layer, G_REGEX_MATCH_ANCHORED, NULL))
            || (kind == 2 && strcmp (target->name, "Linear") == 0))
          return target->scheme;
      }

  return self->scheme;
}

static TareTensor *
find_part (const Gather *self,
           const char   *layer,
           const char   *suffix)
{
  g_autofree char *name = g_strconcat (layer, suffix, NULL);

  return g_hash_table_lookup (self->by_name, name);
}

static gboolean
is_one_of (const char        *type,
           const char *const *types)
{
  return types == NULL || g_strv_contains (types, type);
}

/* Whether a layer's codes and scales are of the types that a layout asks for. Scales that are
 * missing are another matter. */
static gboolean
suits (const Gather     *self,
       const TareLayout *layout,
       const char       *layer)
{
  const TareTensor *codes = find_part (self, layer, layout->names[TARE_PART_CODES]);
  const TareTensor *scales = find_part (self, layer, layout->names[TARE_PART_SCALES]);

  if (codes == NULL || !is_one_of (codes->type_name, layout->code_types)
      || (scales != NULL && !is_one_of (scales->type_name, layout->scale_types)))
    return FALSE;

  /* Of plain weights the scale is what makes them codes, other than where they are 8-bit floats,
   * which may do without. */
  if (strcmp (layout->names[TARE_PART_CODES], ".weight") != 0)
    return TRUE;
  if ((layout->required & 1u << TARE_PART_SCALES) != 0)
    return scales != NULL;

  return scales != NULL || (self->config == NULL
                            && find_part (self, layer, ".weight_scale_inv") == NULL);
}

static char *
find_missing (const TareStored *self,
              const TareScheme *scheme,
              const char       *layer)
{
  guint required = self->layout->required;

  if (scheme->asymmetric && self->layout->names[TARE_PART_ZEROS] != NULL)
    required |= 1u << TARE_PART_ZEROS;

  for (guint i = 0; i < TARE_N_PARTS; i++)
    {
      if ((required & 1u << i) != 0 && self->parts[i] == NULL)
        return g_strdup_printf ("tensor '%s%s' is missing", layer, self->layout->names[i]);
      if (self->parts[i] != NULL && i != TARE_PART_SHAPE
          && (i == TARE_PART_ZEROS || i == TARE_PART_GROUPS)
          && strcmp (self->parts[i]->type_name, "I32") != 0
          && strcmp (self->parts[i]->type_name, "I8") != 0)
        return g_strdup_printf ("tensor '%s' is stored as %s", self->parts[i]->name,
                                self->parts[i]->type_name);
    }

  return NULL;
}

/* OCP 8-bit floating point, E4M3; two's complement without its lowest number. */
static float
get_largest_level (const TareFormat *format)
{
  return format->family == TARE_FORMAT_FAMILY_MINIFLOAT
         ? 448.0f : (float) ((1 << (format->bits - 1)) - 1);
}

/* Of a static range what it reaches to: the scale times the largest level. */
static char *
take_inputs (TareStored       *self,
             const TareScheme *scheme)
{
  const TareTensor *part = self->parts[TARE_PART_INPUT_SCALE];
  float limit = 0.0f;

  if (scheme->input == NULL || (scheme->input_static && part == NULL))
    return NULL;

  self->input = scheme->input;
  if (!scheme->input_static)
    return NULL;

  if (tare_tensor_get_n_weights (part) == 1 && part->format != NULL)
    limit = _tare_layout_load_scalar (part, 0) * get_largest_level (scheme->input);
  if (!(limit > 0.0f && limit < G_MAXFLOAT))
    return g_strdup_printf ("tensor '%s' is not one positive number", part->name);

  self->input_limits = g_new (float, self->columns);
  for (gsize i = 0; i < self->columns; i++)
    self->input_limits[i] = limit;

  return NULL;
}

static TareStored *
try_layout (const Gather      *self,
            const TareLayout  *layout,
            const char        *layer,
            char             **fault)
{
  g_autoptr(TareStored) stored = g_atomic_rc_box_new0 (TareStored);
  TareScheme scheme = find_scheme (self, layer);

  stored->layout = layout;
  for (guint i = 0; i < TARE_N_PARTS; i++)
    {
      const TareTensor *part = layout->names[i] != NULL
                               ? find_part (self, layer, layout->names[i]) : NULL;

      if (part != NULL)
        stored->parts[i] = _tare_tensor_copy (part);
    }

  *fault = find_missing (stored, &scheme, layer);
  if (*fault == NULL)
    *fault = layout->take (stored, &scheme);
  if (*fault == NULL)
    *fault = take_inputs (stored, &scheme);

  return *fault == NULL ? g_steal_pointer (&stored) : NULL;
}

static void
merge (Gather     *self,
       const char *layer,
       TareStored *stored)
{
  const TareTensor *codes = stored->parts[TARE_PART_CODES];
  g_autofree char *name = g_strconcat (layer, ".weight", NULL);
  g_autoptr(GString) type = g_string_new (NULL);
  guint64 shape[] = { stored->rows, stored->columns };
  guint64 bytes = 0;
  TareTensor *tensor;

  for (guint i = 0; i < TARE_N_PARTS; i++)
    if (stored->parts[i] != NULL)
      {
        bytes += stored->parts[i]->bytes;
        g_hash_table_add (self->taken, g_hash_table_lookup (self->by_name, stored->parts[i]->name));
      }

  stored->layout->describe (stored, type);
  tensor = _tare_tensor_new (codes->file, name, type->str, NULL, 2, shape, codes->offset, bytes);
  tensor->stored = stored;
  g_hash_table_insert (self->merged, g_hash_table_lookup (self->by_name, codes->name), tensor);
}

/* Takes the first layout that fits. Where none does, the fault is that of the layout which the
 * configuration names, or else of the last that had the right types. */
static void
gather_layer (Gather     *self,
              const char *layer,
              const char *suffix)
{
  const char *method = self->config != NULL
                       ? tare_json_get_string (self->config, "quant_method") : NULL;
  g_autofree char *told = NULL;

  for (gsize i = 0; i < tare_layout_get_n_layouts (); i++)
    {
      const TareLayout *layout = tare_layout_get (i);
      g_autofree char *fault = NULL;
      TareStored *stored;

      if (strcmp (layout->names[TARE_PART_CODES], suffix) != 0 || !suits (self, layout, layer))
        continue;

      stored = try_layout (self, layout, layer, &fault);
      if (stored != NULL)
        {
          merge (self, layer, stored);
          return;
        }
      if (told == NULL || g_strcmp0 (method, "awq") != 0)
        {
          g_free (told);
          told = g_steal_pointer (&fault);
        }
    }

  if (told == NULL && strcmp (suffix, ".weight") != 0)
    told = g_strdup_printf ("tensor '%s%s' is stored in no known layout", layer, suffix);
  if (told != NULL)
    blame (self, TARE_ERROR_INVALID, told);
}

static void
gather_layers (Gather *self)
{
  for (guint i = 0; i < self->tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (self->tensors, i);

      for (gsize j = 0; j < tare_layout_get_n_layouts (); j++)
        {
          const char *suffix = tare_layout_get (j)->names[TARE_PART_CODES];

          if (g_str_has_suffix (tensor->name, suffix))
            {
              g_autofree char *layer = g_strndup (tensor->name,
                                                  strlen (tensor->name) - strlen (suffix));

              gather_layer (self, layer, suffix);
              break;
            }
        }
    }
}

static guint
read_shape (JsonObject *row,
            guint64    *shape)
{
  JsonArray *array = tare_json_get_array (row, "shape");
  guint n = array != NULL ? json_array_get_length (array) : 0;

  for (guint i = 0; i < n && n <= TARE_TENSOR_MAX_DIMENSIONS; i++)
    {
      JsonNode *node = json_array_get_element (array, i);
      gint64 size = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_int (node) : 0;

      if (size < 1 || size > G_MAXINT32)
        return 0;
      shape[i] = (guint64) size;
    }

  return n <= TARE_TENSOR_MAX_DIMENSIONS ? n : 0;
}

/* What is wrong with one matrix of Tare's own layout, or NULL. */
static char *
take_raw (Gather     *self,
          const char *name,
          JsonObject *row)
{
  TareTensor *codes = g_hash_table_lookup (self->by_name, name);
  const char *id = tare_json_get_string (row, "format");
  const TareFormat *format = id != NULL ? tare_format_lookup (id) : NULL;
  guint64 shape[TARE_TENSOR_MAX_DIMENSIONS];
  guint n = read_shape (row, shape);
  guint64 rows = 1;
  TareTensor *tensor;

  if (codes == NULL)
    return g_strdup_printf ("tensor '%s' is missing", name);
  if (format == NULL || format->family == TARE_FORMAT_FAMILY_FLOAT)
    return g_strdup_printf ("tensor '%s' is in the format '%s', which is not known", name,
                            id != NULL ? id : "");
  for (guint i = 0; i + 1 < n; i++)
    if (!g_uint64_checked_mul (&rows, rows, shape[i]))
      n = 0;
  if (n < 2 || rows > codes->bytes || shape[n - 1] > 64 * codes->bytes
      || strcmp (codes->type_name, "U8") != 0
      || !tare_format_accepts (format, (gsize) shape[n - 1])
      || tare_format_get_bytes (format, (gsize) rows, (gsize) shape[n - 1]) != codes->bytes)
    return g_strdup_printf ("tensor '%s' is not as long as its format and shape say", name);

  tensor = _tare_tensor_new (codes->file, name, format->label, format, n, shape, codes->offset,
                             codes->bytes);
  g_hash_table_add (self->taken, codes);
  g_hash_table_insert (self->merged, codes, tensor);

  return NULL;
}

static void
gather_raw (Gather *self)
{
  JsonObject *rows = tare_json_get_object (self->config, "tensors");
  JsonObjectIter iter;
  const char *name = NULL;
  JsonNode *node = NULL;

  if (rows == NULL || g_strcmp0 (tare_json_get_string (self->config, "quant_method"), "tare") != 0)
    return;

  json_object_iter_init_ordered (&iter, rows);
  while (json_object_iter_next_ordered (&iter, &name, &node))
    {
      g_autofree char *fault = NULL;

      if (JSON_NODE_HOLDS_OBJECT (node))
        fault = take_raw (self, name, json_node_get_object (node));
      if (fault != NULL)
        blame (self, TARE_ERROR_INVALID, fault);
    }
}

/* Scales without codes would otherwise only be found to be in the way. */
static void
find_orphans (Gather *self)
{
  for (guint i = 0; i < self->tensors->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (self->tensors, i);
      g_autofree char *what = NULL;

      if (g_hash_table_contains (self->taken, tensor)
          || (!g_str_has_suffix (tensor->name, ".weight_scale")
              && !g_str_has_suffix (tensor->name, ".weight_scale_inv")
              && !g_str_has_suffix (tensor->name, ".scales")))
        continue;

      what = g_strdup_printf ("tensor '%s' has no codes beside it", tensor->name);
      blame (self, TARE_ERROR_INVALID, what);
    }
}

static gboolean
is_aside (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (aside); i++)
    if (g_str_has_suffix (name, aside[i]))
      return TRUE;

  return FALSE;
}

/* In place of the codes comes the matrix; the other parts go. */
static void
replace_tensors (Gather *self)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new ();

  for (guint i = 0; i < self->tensors->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (self->tensors, i);
      TareTensor *merged = g_hash_table_lookup (self->merged, tensor);

      if (merged != NULL)
        g_ptr_array_add (all, merged);
      if (g_hash_table_contains (self->taken, tensor) || is_aside (tensor->name))
        tare_tensor_free (tensor);
      else
        g_ptr_array_add (all, tensor);
    }

  g_ptr_array_set_free_func (self->tensors, NULL);
  g_ptr_array_set_size (self->tensors, 0);
  g_ptr_array_extend (self->tensors, all, NULL, NULL);
  g_ptr_array_set_free_func (self->tensors, (GDestroyNotify) tare_tensor_free);
}

/**
 * tare_stored_gather:
 * @tensors: (element-type TareTensor): those of safetensors files, under the files' names
 * @config: (nullable): the quantization_config
 * @path: of the configuration, for errors
 * @error: return location
 *
 * Puts the tensors together that hold one quantized matrix each, in place of them one tensor under
 * the name of its weight. What is wrong with a matrix leaves its parts as they are, and does not
 * keep the others from being put together.
 *
 * Returns: %FALSE with the first fault, which names the tensor or the key
 */
gboolean
tare_stored_gather (GPtrArray   *tensors,
                    JsonObject  *config,
                    const char  *path,
                    GError     **error)
{
  g_autoptr(GHashTable) by_name = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr(GHashTable) taken = g_hash_table_new (NULL, NULL);
  g_autoptr(GHashTable) merged = g_hash_table_new (NULL, NULL);
  g_autoptr(GArray) targets = g_array_new (FALSE, TRUE, sizeof (Target));
  Gather self = {
    .tensors = tensors,
    .config = config,
    .path = path,
    .by_name = by_name,
    .taken = taken,
    .merged = merged,
    .targets = targets,
    .scheme = { .version = 1 },
  };

  g_return_val_if_fail (tensors != NULL, FALSE);

  g_array_set_clear_func (targets, target_clear);
  for (guint i = 0; i < tensors->len; i++)
    g_hash_table_insert (by_name, ((TareTensor *) g_ptr_array_index (tensors, i))->name,
                         g_ptr_array_index (tensors, i));
  if (config != NULL)
    {
      read_config (&self);
      gather_raw (&self);
    }
  gather_layers (&self);
  if (config != NULL || g_hash_table_size (merged) > 0)
    {
      find_orphans (&self);
      replace_tensors (&self);
    }
  if (self.fault == NULL)
    return TRUE;

  g_propagate_error (error, self.fault);

  return FALSE;
}
