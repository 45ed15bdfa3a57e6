/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-config-private.h"
#include "quant/model/tare-file-private.h"
#include "quant/model/tare-gguf.h"
#include "quant/model/tare-json.h"
#include "quant/model/tare-layout.h"
#include "quant/model/tare-model-private.h"
#include "quant/model/tare-safetensors.h"
#include "quant/model/tare-tensor-private.h"

#define INDEX_NAME  "model.safetensors.index.json"
#define SINGLE_NAME "model.safetensors"

/* What transformers saves besides weights: tables that follow from the configuration. */
static const char *const ignored[] = {
  ".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias", ".attn.bias",
  ".attn.masked_bias",
};

/**
 * _tare_model_take_config:
 * @self: a model that is being opened
 * @read: whether the numbers were read
 * @fault: (transfer full) (nullable): if not, why
 * @error: return location
 *
 * A network that nothing here can run still opens; numbers that make no sense do not.
 *
 * Returns: whether the model may open
 */
gboolean
_tare_model_take_config (TareModel  *self,
                         gboolean    read,
                         GError     *fault,
                         GError    **error)
{
  if (read)
    return TRUE;

  if (g_error_matches (fault, TARE_ERROR, TARE_ERROR_UNSUPPORTED))
    {
      self->runnable_error = fault;
      return TRUE;
    }

  g_propagate_error (error, fault);

  return FALSE;
}

static char *
dup_base_name (const char *path)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  g_autofree char *base = g_path_get_basename (absolute);

  return g_filename_display_name (base);
}

/* The class says what it is; a configuration without one at least has a type. */
static void
take_architecture (TareModel  *self,
                   JsonObject *object)
{
  JsonArray *classes = tare_json_get_array (object, "architectures");
  const char *type = tare_json_get_string (object, "model_type");
  const char *name = NULL;

  if (classes != NULL && json_array_get_length (classes) > 0)
    {
      JsonNode *first = json_array_get_element (classes, 0);

      if (JSON_NODE_HOLDS_VALUE (first) && json_node_get_value_type (first) == G_TYPE_STRING)
        name = json_node_get_string (first);
    }

  if (name != NULL)
    self->architecture = tare_architecture_lookup_class (name);
  else if (type != NULL)
    self->architecture = tare_architecture_lookup (type);

  if (self->architecture != NULL)
    type = self->architecture->id;
  else if (type == NULL)
    type = name;

  self->architecture_name = g_strdup (type != NULL ? type : "unknown");
}

static gboolean
load_config (TareModel  *self,
             GError    **error)
{
  g_autofree char *path = g_build_filename (self->folder, "config.json", NULL);
  g_autoptr(JsonNode) node = NULL;
  GError *fault = NULL;
  gboolean read = FALSE;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    {
      self->architecture_name = g_strdup ("unknown");
      _tare_model_take_quantization (self, NULL);
      return TRUE;
    }

  node = tare_json_load (path, error);
  if (node == NULL)
    return FALSE;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return _tare_file_fail_path (path, error, TARE_ERROR_INVALID, "not a JSON object");

  take_architecture (self, json_node_get_object (node));
  _tare_model_take_quantization (self, json_node_get_object (node));
  if (self->architecture == NULL)
    return TRUE;

  read = tare_config_read_json (&self->config, self->architecture, json_node_get_object (node),
                                path, &fault);

  return _tare_model_take_config (self, read, fault, error);
}

/* What a model that also sees has besides the text's. */
static const char *const unseen[] = {
  "vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.",
};

static gboolean
is_ignored (const TareModel *self,
            const char      *name)
{
  for (gsize i = 0; self->architecture != NULL && i < G_N_ELEMENTS (unseen); i++)
    {
      if (g_str_has_prefix (name, unseen[i]))
        return TRUE;
    }

  for (gsize i = 0; i < G_N_ELEMENTS (ignored); i++)
    {
      if (g_str_has_suffix (name, ignored[i]))
        return TRUE;
    }

  return FALSE;
}

/* Every type of safetensors has elements of whole bytes. */
static void
transpose (TareTensor *tensor)
{
  guint64 rows = tensor->shape[0];

  tensor->transposed = TRUE;
  tensor->shape[0] = tensor->shape[1];
  tensor->shape[1] = rows;
  tensor->rows = (gsize) tensor->shape[0];
  tensor->columns = (gsize) rows;
}

static void
name_tensor (TareModel  *self,
             TareTensor *tensor)
{
  const TareTensorName *row = NULL;
  char *canonical = NULL;
  TareOrder order;

  if (self->architecture != NULL && tensor->n_slices == 0)
    canonical = tare_architecture_to_canonical (self->architecture, tensor->name);
  if (canonical != NULL)
    {
      g_free (tensor->canonical);
      tensor->canonical = canonical;
    }

  tensor->role = tare_role_from_canonical (tensor->canonical, &tensor->block, &tensor->bias);
  if (canonical == NULL || tensor->role == NULL || _tare_tensor_is_raw (tensor))
    return;

  row = tare_architecture_find (self->architecture, tensor->role->id);
  if ((row->flags & TARE_TENSOR_TRANSPOSED) != 0 && tensor->n_dimensions == 2 && tensor->rows > 0
      && (tensor->stored == NULL || !tensor->stored->layout->upright))
    transpose (tensor);
  _tare_model_find_order (self, tensor, &order);
  tensor->head_rows = order.head_rows;
  tensor->head_groups = order.head_groups;
}

static TareTensor *
new_floats (TareModel     *self,
            const char    *name,
            guint          n_dimensions,
            const guint64 *shape,
            float         *values,
            gsize          n)
{
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(TareFile) file = NULL;

  for (gsize i = 0; i < n; i++)
    {
      guint32 word;

      memcpy (&word, &values[i], sizeof word);
      word = GUINT32_TO_LE (word);
      memcpy (&values[i], &word, sizeof word);
    }

  bytes = g_bytes_new (values, n * sizeof *values);
  file = tare_file_new_bytes (self->path, bytes);

  return _tare_tensor_new (file, name, "F32", tare_format_lookup ("f32"), n_dimensions, shape, 0,
                           n * sizeof *values);
}

/* The divisors of the rotary frequencies as GGUF has them. */
static void
derive_rope_freqs (TareModel *self)
{
  guint n = self->config.rope_width / 2;
  guint64 shape[] = { n };
  g_autofree float *divisors = g_new (float, MAX (n, 1));

  _tare_config_make_divisors (&self->config, divisors);
  g_ptr_array_add (self->tensors, new_floats (self, "rope_freqs.weight", 1, shape, divisors, n));
}

/* Longrope's divisors as GGUF has them. */
static void
derive_factors (TareModel   *self,
                const char  *name,
                const float *factors)
{
  guint n = self->config.rope_width / 2;
  guint64 shape[] = { n };
  g_autofree float *values = g_memdup2 (factors, MAX (n, 1) * sizeof *factors);

  g_ptr_array_add (self->tensors, new_floats (self, name, 1, shape, values, n));
}

/* The norms of Gemma multiply by what is stored and 1 more; GGUF stores the sum. */
static gboolean
offset_norm (TareModel   *self,
             TareTensor **tensor,
             GError     **error)
{
  TareTensor *stored = *tensor;
  gsize n = tare_tensor_get_n_weights (stored);
  g_autofree float *values = NULL;

  if (self->architecture == NULL || self->architecture->norm_offset == 0.0f
      || stored->role == NULL || stored->bias || stored->n_dimensions != 1
      || stored->format == NULL || !g_str_has_suffix (stored->role->id, "norm"))
    return TRUE;

  values = g_new (float, MAX (n, 1));
  if (!tare_tensor_read (stored, values, error))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    values[i] += self->architecture->norm_offset;

  *tensor = new_floats (self, stored->name, 1, stored->shape, values, n);
  g_free ((*tensor)->canonical);
  (*tensor)->canonical = g_strdup (stored->canonical);
  (*tensor)->role = stored->role;
  (*tensor)->block = stored->block;
  tare_tensor_free (stored);

  return TRUE;
}

/* llama.cpp wants an output of its own even where it is the embedding. */
static void
copy_output (TareModel *self)
{
  const TareTensor *embedding = NULL;
  TareTensor *output = NULL;

  if (self->architecture == NULL || !self->architecture->copies_output || !self->config.tied)
    return;

  for (guint i = 0; i < self->tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (self->tensors, i);

      if (strcmp (tensor->canonical, "output.weight") == 0)
        return;
      if (strcmp (tensor->canonical, "token_embd.weight") == 0)
        embedding = tensor;
    }
  if (embedding == NULL)
    return;

  output = _tare_tensor_copy (embedding);
  g_free (output->name);
  g_free (output->canonical);
  output->name = g_strdup ("output.weight");
  output->canonical = g_strdup ("output.weight");
  g_ptr_array_add (self->tensors, output);
  name_tensor (self, g_ptr_array_index (self->tensors, self->tensors->len - 1));
}

/* Names what the files hold, drops what is no weight, adds what follows from the numbers. */
static gboolean
finish_safetensors (TareModel  *self,
                    GError    **error)
{
  g_autoptr(GError) fault = _tare_model_gather (self);
  g_autoptr(GPtrArray) all = g_steal_pointer (&self->tensors);

  self->tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_ptr_array_set_free_func (all, NULL);
  for (guint i = 0; i < all->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (all, i);

      if (is_ignored (self, tensor->name))
        tare_tensor_free (tensor);
      else
        g_ptr_array_add (self->tensors, tensor);
    }

  if (self->architecture != NULL && self->runnable_error == NULL
      && self->config.rope_scaling == TARE_ROPE_SCALING_LLAMA3)
    derive_rope_freqs (self);
  if (self->architecture != NULL && self->runnable_error == NULL
      && self->config.rope_scaling == TARE_ROPE_SCALING_LONGROPE)
    {
      derive_factors (self, "rope_factors_long.weight", self->config.rope_long_factors);
      derive_factors (self, "rope_factors_short.weight", self->config.rope_short_factors);
    }

  _tare_model_join_experts (self);
  for (guint i = 0; i < self->tensors->len; i++)
    {
      name_tensor (self, g_ptr_array_index (self->tensors, i));
      if (!offset_norm (self, (TareTensor **) &g_ptr_array_index (self->tensors, i), error))
        return FALSE;
    }
  copy_output (self);
  if (self->runnable_error == NULL)
    self->runnable_error = g_steal_pointer (&fault);

  return TRUE;
}

static void
begin_safetensors (TareModel  *self,
                   const char *path)
{
  self->container = "safetensors";
  self->folder = g_path_get_dirname (path);
  self->name = dup_base_name (self->folder);
}

/**
 * _tare_model_load_safetensors:
 * @self: a model that is being opened
 * @file: one file with all its tensors
 * @error: return location
 *
 * Returns: %FALSE with @error set where the file or the configuration beside it is at fault
 */
gboolean
_tare_model_load_safetensors (TareModel  *self,
                              TareFile   *file,
                              GError    **error)
{
  begin_safetensors (self, tare_file_get_path (file));
  if (!load_config (self, error) || !tare_safetensors_read (file, self->tensors, error))
    return FALSE;

  return finish_safetensors (self, error);
}

/* An index that is being followed: which shard each tensor is said to be in, and the shards. */
typedef struct
{
  TareModel  *model;
  const char *path;
  JsonObject *map;
  GHashTable *seen;
  GPtrArray  *shards;
} Index;

static gboolean
load_shard (Index       *self,
            const char  *name,
            GError     **error)
{
  g_autofree char *path = g_build_filename (self->model->folder, name, NULL);
  g_autoptr(TareFile) file = tare_file_open (path, error);
  guint first = self->model->tensors->len;

  if (file == NULL || !tare_safetensors_read (file, self->model->tensors, error))
    return FALSE;

  for (guint i = first; i < self->model->tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (self->model->tensors, i);
      const char *shard = tare_json_get_string (self->map, tensor->name);
      g_autofree char *quoted = _tare_file_quote (tensor->name, strlen (tensor->name));
      g_autofree char *said = shard != NULL ? _tare_file_quote (shard, strlen (shard)) : NULL;

      if (shard == NULL)
        return _tare_file_fail (file, error, TARE_ERROR_INVALID,
                                "tensor %s is not in the index", quoted);
      if (strcmp (shard, name) != 0)
        return _tare_file_fail (file, error, TARE_ERROR_INVALID,
                                "tensor %s is here, but in %s by the index", quoted, said);
    }

  return TRUE;
}

static gboolean
check_entry (Index       *self,
             const char  *tensor,
             JsonNode    *node,
             GError     **error)
{
  const char *shard = JSON_NODE_HOLDS_VALUE (node)
                      && json_node_get_value_type (node) == G_TYPE_STRING
                      ? json_node_get_string (node) : NULL;
  g_autofree char *quoted = _tare_file_quote (tensor, strlen (tensor));

  if (shard == NULL || *shard == '\0' || strchr (shard, '/') != NULL
      || strcmp (shard, ".") == 0 || strcmp (shard, "..") == 0)
    return _tare_file_fail_path (self->path, error, TARE_ERROR_INVALID,
                                 "tensor %s: its shard is not the name of a file", quoted);

  if (g_hash_table_add (self->seen, (gpointer) shard))
    g_ptr_array_add (self->shards, (gpointer) shard);

  return TRUE;
}

static gboolean
check_index (Index   *self,
             GError **error)
{
  g_autoptr(GHashTable) found = g_hash_table_new (g_str_hash, g_str_equal);
  JsonObjectIter iter;
  const char *name = NULL;

  /* A file has no name twice, and each tensor is in the shard that the index says. */
  for (guint i = 0; i < self->model->tensors->len; i++)
    g_hash_table_add (found, ((TareTensor *) g_ptr_array_index (self->model->tensors, i))->name);

  json_object_iter_init_ordered (&iter, self->map);
  while (json_object_iter_next_ordered (&iter, &name, NULL))
    {
      g_autofree char *quoted = _tare_file_quote (name, strlen (name));

      if (!g_hash_table_contains (found, name))
        return _tare_file_fail_path (self->path, error, TARE_ERROR_INVALID,
                                     "tensor %s is not in its shard", quoted);
    }

  return TRUE;
}

/* No file is opened before all of the map makes sense. */
static gboolean
follow_index (Index   *self,
              GError **error)
{
  JsonObjectIter iter;
  const char *tensor = NULL;
  JsonNode *node = NULL;

  json_object_iter_init_ordered (&iter, self->map);
  while (json_object_iter_next_ordered (&iter, &tensor, &node))
    {
      if (!check_entry (self, tensor, node, error))
        return FALSE;
    }

  for (guint i = 0; i < self->shards->len; i++)
    {
      if (!load_shard (self, g_ptr_array_index (self->shards, i), error))
        return FALSE;
    }

  return check_index (self, error);
}

/**
 * _tare_model_load_index:
 * @self: a model that is being opened
 * @path: model.safetensors.index.json
 * @error: return location
 *
 * Returns: %FALSE with @error set where the index, a shard or the configuration is at fault, or
 *   where the index and the shards differ
 */
gboolean
_tare_model_load_index (TareModel   *self,
                        const char  *path,
                        GError     **error)
{
  g_autoptr(JsonNode) node = tare_json_load (path, error);
  g_autoptr(GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr(GPtrArray) shards = g_ptr_array_new ();
  Index index = { .model = self, .path = path, .seen = seen, .shards = shards };

  if (node == NULL)
    return FALSE;

  if (JSON_NODE_HOLDS_OBJECT (node))
    index.map = tare_json_get_object (json_node_get_object (node), "weight_map");
  if (index.map == NULL)
    return _tare_file_fail_path (path, error, TARE_ERROR_INVALID,
                                 "key 'weight_map' is missing, or is no object");

  begin_safetensors (self, path);
  if (!load_config (self, error) || !follow_index (&index, error))
    return FALSE;

  return finish_safetensors (self, error);
}

/* Of the parts of a split file only the first counts. */
static gboolean
is_gguf_name (const char *name)
{
  static GRegex *part = NULL;

  if (g_once_init_enter (&part))
    g_once_init_leave (&part, g_regex_new ("-\\d{5}-of-\\d{5}\\.gguf$", G_REGEX_DEFAULT,
                                           G_REGEX_MATCH_DEFAULT, NULL));

  return g_str_has_suffix (name, ".gguf")
         && (!g_regex_match (part, name, G_REGEX_MATCH_DEFAULT, NULL)
             || strstr (name, "-00001-of-") != NULL);
}

/* A folder that holds one GGUF file and no safetensors stands for it. */
static char *
find_gguf (const char  *folder,
           GError     **error)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, error);
  g_autofree char *found = NULL;
  const char *name = NULL;
  guint n = 0;

  if (dir == NULL)
    return NULL;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      if (!is_gguf_name (name) || n++ > 0)
        continue;
      found = g_build_filename (folder, name, NULL);
    }

  if (n == 1)
    return g_steal_pointer (&found);

  _tare_file_fail_path (folder, error, TARE_ERROR_INVALID,
                        n == 0 ? "no model.safetensors, no index of several and no GGUF file in it"
                               : "%u GGUF files in it; open one of them", n);

  return NULL;
}

static gboolean
load_file (TareModel   *self,
           const char  *path,
           GError     **error)
{
  g_autoptr(TareFile) file = NULL;

  if (g_str_has_suffix (path, ".json"))
    return _tare_model_load_index (self, path, error);

  file = tare_file_open (path, error);
  if (file == NULL)
    return FALSE;

  if (tare_gguf_probe (file))
    return _tare_model_load_gguf (self, file, error);

  return _tare_model_load_safetensors (self, file, error);
}

/**
 * _tare_model_load:
 * @self: a model of which only the path is known
 * @error: return location
 *
 * Finds out what the path stands for, and reads the headers.
 *
 * Returns: %FALSE with @error set
 */
gboolean
_tare_model_load (TareModel  *self,
                  GError    **error)
{
  g_autofree char *index = g_build_filename (self->path, INDEX_NAME, NULL);
  g_autofree char *single = g_build_filename (self->path, SINGLE_NAME, NULL);
  g_autofree char *gguf = NULL;

  if (!g_file_test (self->path, G_FILE_TEST_IS_DIR))
    return load_file (self, self->path, error);

  if (g_file_test (index, G_FILE_TEST_EXISTS))
    return _tare_model_load_index (self, index, error);
  if (g_file_test (single, G_FILE_TEST_EXISTS))
    return load_file (self, single, error);

  gguf = find_gguf (self->path, error);

  return gguf != NULL && load_file (self, gguf, error);
}
