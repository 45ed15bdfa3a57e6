/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-model.h"

#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-gguf.h"
#include "quant/model/tare-json.h"
#include "quant/model/tare-layout.h"
#include "quant/model/tare-model-private.h"

/* How many bytes of a tensor's beginning and of its middle go into the hash. */
#define SAMPLE_BYTES 64

static void
model_free (TareModel *self)
{
  g_clear_pointer (&self->tokenizer, tare_tokenizer_unref);
  g_clear_error (&self->tokenizer_error);
  g_clear_error (&self->runnable_error);
  g_clear_pointer (&self->metadata, tare_metadata_unref);
  g_clear_pointer (&self->quantization, json_object_unref);
  g_free (self->quantization_path);
  g_hash_table_unref (self->by_name);
  g_ptr_array_unref (self->tensors);
  g_mutex_clear (&self->lock);
  g_free (self->path);
  g_free (self->folder);
  g_free (self->name);
  g_free (self->architecture_name);
  g_free (self);
}

/**
 * tare_model_open:
 * @path: a Hugging Face folder, a GGUF file (of a split one, the first part), a file of
 *   safetensors, the index of several, or a folder with one GGUF file
 * @error: return location
 *
 * Opens a model: its headers are read and checked, its weights only mapped. A model of an unknown
 * architecture opens as well; see tare_model_check_runnable().
 *
 * Returns: (transfer full): the model, or %NULL with @error set
 */
TareModel *
tare_model_open (const char  *path,
                 GError     **error)
{
  g_autoptr(TareModel) self = NULL;

  g_return_val_if_fail (path != NULL, NULL);

  self = g_new0 (TareModel, 1);
  self->ref_count = 1;
  self->path = g_strdup (path);
  self->tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  g_mutex_init (&self->lock);

  if (!_tare_model_load (self, error) || !_tare_model_arrange (self, error))
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_model_ref:
 * @self: a model
 *
 * Returns: (transfer full): @self
 */
TareModel *
tare_model_ref (TareModel *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_int_inc (&self->ref_count);

  return self;
}

/**
 * tare_model_unref:
 * @self: (transfer full): a model
 */
void
tare_model_unref (TareModel *self)
{
  g_return_if_fail (self != NULL);

  if (g_atomic_int_dec_and_test (&self->ref_count))
    model_free (self);
}

/**
 * tare_model_get_path:
 * @self: a model
 *
 * Returns: the path that it was opened with
 */
const char *
tare_model_get_path (TareModel *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->path;
}

/**
 * tare_model_get_folder:
 * @self: a model
 *
 * Returns: (transfer none): where its other files are
 */
const char *
tare_model_get_folder (TareModel *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->folder;
}

/**
 * tare_model_get_name:
 * @self: a model
 *
 * Returns: what a person calls it: the file's general.name, or the name of the folder or file
 */
const char *
tare_model_get_name (TareModel *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->name;
}

/**
 * tare_model_get_container:
 * @self: a model
 *
 * Returns: "gguf" or "safetensors"
 */
const char *
tare_model_get_container (TareModel *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->container;
}

/**
 * tare_model_get_architecture_name:
 * @self: a model
 *
 * Returns: what its files say that it is, "unknown" where they do not
 */
const char *
tare_model_get_architecture_name (TareModel *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->architecture_name;
}

/**
 * tare_model_get_architecture:
 * @self: a model
 *
 * Returns: (nullable) (transfer none): its row of the architecture table, or %NULL
 */
const TareArchitecture *
tare_model_get_architecture (TareModel *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->architecture;
}

/**
 * tare_model_get_config:
 * @self: a model
 *
 * Returns: (nullable) (transfer none): the numbers of its network, or %NULL where it cannot be run
 */
const TareConfig *
tare_model_get_config (TareModel *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->architecture != NULL && self->runnable_error == NULL ? &self->config : NULL;
}

/**
 * tare_model_get_n_tensors:
 * @self: a model
 *
 * Returns: the number of its tensors
 */
gsize
tare_model_get_n_tensors (TareModel *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->tensors->len;
}

/**
 * tare_model_get_tensor:
 * @self: a model
 * @index: less than tare_model_get_n_tensors(), in the order of data flow
 *
 * Returns: (transfer none): a tensor, which lives as long as the model
 */
const TareTensor *
tare_model_get_tensor (TareModel *self,
                       gsize      index)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (index < self->tensors->len, NULL);

  return g_ptr_array_index (self->tensors, index);
}

/**
 * tare_model_lookup:
 * @self: a model
 * @canonical: a canonical name
 *
 * Returns: (nullable) (transfer none): the tensor, or %NULL where there is none
 */
const TareTensor *
tare_model_lookup (TareModel  *self,
                   const char *canonical)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (canonical != NULL, NULL);

  return g_hash_table_lookup (self->by_name, canonical);
}

/**
 * tare_model_lookup_role:
 * @self: a model
 * @role: id of a role
 * @block: its block, or -1 where the role is in none
 * @bias: whether its bias is meant
 *
 * Returns: (nullable) (transfer none): the tensor, or %NULL where there is none
 */
const TareTensor *
tare_model_lookup_role (TareModel  *self,
                        const char *role,
                        int         block,
                        gboolean    bias)
{
  const char *suffix = bias ? "bias" : "weight";
  g_autofree char *canonical = NULL;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (role != NULL, NULL);

  canonical = block >= 0 ? g_strdup_printf ("blk.%d.%s.%s", block, role, suffix)
                         : g_strdup_printf ("%s.%s", role, suffix);

  return tare_model_lookup (self, canonical);
}

/**
 * tare_model_lookup_input:
 * @self: a model
 * @tensor: a tensor of it
 *
 * Layers that take one input are known by the first of them: query, key and value by attn_q.
 *
 * Returns: (nullable) (transfer none): the layer that the input of @tensor is named after, which
 *   may be itself; %NULL for what is no linear layer
 */
const TareTensor *
tare_model_lookup_input (TareModel        *self,
                         const TareTensor *tensor)
{
  const TareRole *role;
  const TareTensor *owner;

  g_return_val_if_fail (self != NULL && tensor != NULL, NULL);

  /* The embedding is the output too where there is no other. */
  role = tensor->role;
  if (tensor == tare_model_lookup_role (self, "token_embd", -1, FALSE)
      && tare_model_lookup_role (self, "output", -1, FALSE) == NULL)
    return tensor;
  if (role == NULL || !role->matrix || tensor->bias || role->input == NULL)
    return NULL;

  owner = tare_model_lookup_role (self, role->input, tensor->block, FALSE);

  return owner != NULL ? owner : tensor;
}

/**
 * tare_model_get_n_weights:
 * @self: a model
 *
 * Returns: the number of elements of all its tensors
 */
guint64
tare_model_get_n_weights (TareModel *self)
{
  guint64 n = 0;

  g_return_val_if_fail (self != NULL, 0);

  for (guint i = 0; i < self->tensors->len; i++)
    n += tare_tensor_get_n_weights (g_ptr_array_index (self->tensors, i));

  return n;
}

/**
 * tare_model_get_bytes:
 * @self: a model
 *
 * Returns: what all its tensors take as they are stored, without headers
 */
guint64
tare_model_get_bytes (TareModel *self)
{
  guint64 bytes = 0;

  g_return_val_if_fail (self != NULL, 0);

  for (guint i = 0; i < self->tensors->len; i++)
    bytes += tare_tensor_get_bytes (g_ptr_array_index (self->tensors, i));

  return bytes;
}

/**
 * tare_model_get_n_blocks:
 * @self: a model
 *
 * Returns: the number of blocks, which is one more than the highest that a tensor belongs to
 */
guint
tare_model_get_n_blocks (TareModel *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_blocks;
}

static void
hash_number (GChecksum *checksum,
             guint64    number)
{
  number = GUINT64_TO_LE (number);
  g_checksum_update (checksum, (const guchar *) &number, sizeof number);
}

static void
hash_tensor (GChecksum        *checksum,
             const TareTensor *tensor)
{
  /* What lies in one piece: of parts, the codes. */
  guint64 extent = tensor->stored != NULL ? tensor->stored->parts[TARE_PART_CODES]->bytes
                                          : tensor->bytes;
  gsize n = (gsize) MIN (extent / MAX (tensor->n_slices, 1), SAMPLE_BYTES);
  guint8 sample[SAMPLE_BYTES];

  /* With its NUL, so that names do not run together. */
  g_checksum_update (checksum, (const guchar *) tensor->canonical,
                     (gssize) strlen (tensor->canonical) + 1);
  g_checksum_update (checksum, (const guchar *) tensor->type_name,
                     (gssize) strlen (tensor->type_name) + 1);
  hash_number (checksum, tensor->n_dimensions);
  for (guint i = 0; i < tensor->n_dimensions; i++)
    hash_number (checksum, tensor->shape[i]);
  hash_number (checksum, tensor->bytes);
  _tare_file_peek (tensor->file, tensor->offset, n, sample);
  g_checksum_update (checksum, sample, (gssize) n);
  if (tensor->n_slices > 0)
    _tare_file_peek (tensor->slices[tensor->n_slices / 2].file,
                     tensor->slices[tensor->n_slices / 2].offset, n, sample);
  else
    _tare_file_peek (tensor->file, tensor->offset + (extent - n) / 2, n, sample);
  g_checksum_update (checksum, sample, (gssize) n);
}

/**
 * tare_model_dup_hash:
 * @self: a model
 *
 * What tells models apart, for a recipe that was made for one: SHA-256 over the names, types,
 * shapes and sizes of the tensors and over 64 bytes each of their beginning and their middle.
 *
 * Returns: (transfer full): 64 hexadecimal digits
 */
char *
tare_model_dup_hash (TareModel *self)
{
  g_autoptr(GChecksum) checksum = NULL;

  g_return_val_if_fail (self != NULL, NULL);

  checksum = g_checksum_new (G_CHECKSUM_SHA256);
  for (guint i = 0; i < self->tensors->len; i++)
    hash_tensor (checksum, g_ptr_array_index (self->tensors, i));

  return g_strdup (g_checksum_get_string (checksum));
}

/**
 * tare_model_get_tokenizer:
 * @self: a model
 * @error: return location
 *
 * Makes the tokenizer when it is first asked for. Safe in any thread.
 *
 * Returns: (transfer none) (nullable): the tokenizer, or %NULL with @error set
 */
TareTokenizer *
tare_model_get_tokenizer (TareModel  *self,
                          GError    **error)
{
  TareTokenizer *tokenizer = NULL;

  g_return_val_if_fail (self != NULL, NULL);

  g_mutex_lock (&self->lock);
  if (self->tokenizer == NULL && self->tokenizer_error == NULL)
    self->tokenizer = self->metadata != NULL
                      ? tare_tokenizer_new_from_metadata (self->metadata, self->path,
                                                          &self->tokenizer_error)
                      : tare_tokenizer_new_from_folder (self->folder, &self->tokenizer_error);

  tokenizer = self->tokenizer;
  if (tokenizer == NULL && error != NULL)
    *error = g_error_copy (self->tokenizer_error);
  g_mutex_unlock (&self->lock);

  return tokenizer;
}

/* Newer folders keep the template in a file of its own. Neither need be there. */
static void
write_chat_template (TareModel    *self,
                     TareMetadata *metadata)
{
  g_autofree char *config = g_build_filename (self->folder, "tokenizer_config.json", NULL);
  g_autofree char *jinja = g_build_filename (self->folder, "chat_template.jinja", NULL);
  g_autoptr(TareFile) file = tare_file_open (jinja, NULL);
  g_autoptr(JsonNode) node = file == NULL ? tare_json_load (config, NULL) : NULL;
  g_autofree char *text = NULL;

  if (file != NULL)
    text = g_strndup ((const char *) tare_file_get_data (file), (gsize) tare_file_get_size (file));
  else if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    text = g_strdup (tare_json_get_string (json_node_get_object (node), "chat_template"));

  if (text != NULL && *text != '\0' && g_utf8_validate (text, -1, NULL))
    tare_metadata_set_string (metadata, "tokenizer.chat_template", text);
}

static TareMetadata *
make_metadata (TareModel  *self,
               GError    **error)
{
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  TareTokenizer *tokenizer = NULL;

  if (!tare_model_check_runnable (self, error))
    return NULL;

  tokenizer = tare_model_get_tokenizer (self, error);
  if (tokenizer == NULL)
    return NULL;

  tare_metadata_set_string (metadata, "general.architecture", self->architecture->id);
  tare_metadata_set_string (metadata, "general.type", "model");
  tare_metadata_set_string (metadata, "general.name", self->name);
  tare_config_write_metadata (&self->config, self->architecture, metadata);
  tare_tokenizer_write_metadata (tokenizer, self->config.vocabulary, metadata);
  write_chat_template (self, metadata);

  return g_steal_pointer (&metadata);
}

/**
 * tare_model_dup_metadata:
 * @self: a model
 * @error: return location
 *
 * The keys for a GGUF file of this model: a copy of its own, without what describes a split file;
 * or made from the configuration and the tokenizer of a Hugging Face folder, which then must be
 * of a known architecture.
 *
 * Returns: (transfer full): keys to be changed, or %NULL with @error set
 */
TareMetadata *
tare_model_dup_metadata (TareModel  *self,
                         GError    **error)
{
  TareMetadata *copy = NULL;

  g_return_val_if_fail (self != NULL, NULL);

  if (self->metadata == NULL)
    return make_metadata (self, error);

  copy = tare_metadata_copy (self->metadata);
  tare_metadata_remove (copy, "split.no");
  tare_metadata_remove (copy, "split.count");
  tare_metadata_remove (copy, "split.tensors.count");

  return copy;
}
