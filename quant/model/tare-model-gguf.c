/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-gguf.h"
#include "quant/model/tare-model-private.h"

/* The end of the name of each part of a split file, with its number from 1 and their count. */
#define PART_FORMAT "-%05u-of-%05u.gguf"
#define PART_LENGTH (1 + 5 + 4 + 5 + 5)

static gboolean
get_count (TareMetadata *metadata,
           const char   *key,
           gint64        maximum,
           gint64       *count)
{
  *count = 0;

  return tare_metadata_get_integer (metadata, key, count) && *count >= 0 && *count <= maximum;
}

static gboolean
load_part (TareModel   *self,
           const char  *path,
           gint64       number,
           gint64       n_parts,
           GError     **error)
{
  g_autoptr(TareFile) file = tare_file_open (path, error);
  g_autoptr(TareMetadata) metadata = NULL;
  gint64 no = 0;
  gint64 count = 0;

  if (file == NULL || !tare_gguf_read (file, self->tensors, &metadata, error))
    return FALSE;

  if (!get_count (metadata, "split.no", G_MAXUINT16, &no) || no != number
      || !get_count (metadata, "split.count", G_MAXUINT16, &count) || count != n_parts)
    return _tare_file_fail (file, error, TARE_ERROR_INVALID,
                            "not part %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                            " by its keys 'split.no' and 'split.count'", number + 1, n_parts);

  return TRUE;
}

static gboolean
load_parts (TareModel  *self,
            TareFile   *file,
            gint64      n_parts,
            GError    **error)
{
  const char *path = tare_file_get_path (file);
  g_autofree char *suffix = g_strdup_printf (PART_FORMAT, 1u, (guint) n_parts);
  gint64 no = 0;
  gint64 n_tensors = 0;

  if (!get_count (self->metadata, "split.no", G_MAXUINT16, &no) || no != 0)
    return _tare_file_fail (file, error, TARE_ERROR_UNSUPPORTED,
                            "part %" G_GINT64_FORMAT " of a split GGUF file; open part 1", no + 1);
  if (!g_str_has_suffix (path, suffix))
    return _tare_file_fail (file, error, TARE_ERROR_UNSUPPORTED,
                            "the first of %" G_GINT64_FORMAT " parts, but its name does not end "
                            "in '%s', so the others cannot be found", n_parts, suffix);

  for (gint64 i = 1; i < n_parts; i++)
    {
      g_autofree char *part = g_strdup_printf ("%.*s" PART_FORMAT,
                                               (int) (strlen (path) - PART_LENGTH), path,
                                               (guint) i + 1, (guint) n_parts);

      if (!load_part (self, part, i, n_parts, error))
        return FALSE;
    }

  if (!get_count (self->metadata, "split.tensors.count", G_MAXINT32, &n_tensors)
      || n_tensors != (gint64) self->tensors->len)
    return _tare_file_fail (file, error, TARE_ERROR_INVALID,
                            "key 'split.tensors.count' is %" G_GINT64_FORMAT
                            ", but the parts hold %u tensors", n_tensors, self->tensors->len);

  return TRUE;
}

static void
take_name (TareModel *self,
           TareFile  *file)
{
  const char *name = tare_metadata_get_string (self->metadata, "general.name");
  g_autofree char *base = g_path_get_basename (tare_file_get_path (file));

  if (name == NULL || *name == '\0')
    {
      if (g_str_has_suffix (base, ".gguf"))
        base[strlen (base) - strlen (".gguf")] = '\0';
      name = base;
    }

  self->name = g_utf8_make_valid (name, -1);
}

/* llama.cpp writes Phi-3's divisors and what goes with them, but not that it is longrope. */
static void
take_factors (TareModel *self)
{
  TareConfig *config = &self->config;
  g_autofree char *key = g_strconcat (self->architecture->id, ".rope.scaling.attn_factor", NULL);
  double attention = 1.0;

  if (config->rope_scaling != TARE_ROPE_SCALING_NONE
      || tare_architecture_find (self->architecture, "rope_factors_long") == NULL)
    return;

  tare_metadata_get_number (self->metadata, key, &attention);
  config->rope_scaling = TARE_ROPE_SCALING_LONGROPE;
  config->rope_attention_factor = (float) attention;
}

/* The embedding's rows are the vocabulary, whatever the keys say: llama.cpp goes by them too. */
static void
complete_config (TareModel *self)
{
  TareConfig *config = &self->config;
  gboolean divisors = FALSE;
  gboolean output = FALSE;

  for (guint i = 0; i < self->tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (self->tensors, i);

      if (strcmp (tensor->canonical, "token_embd.weight") == 0)
        config->vocabulary = (guint) MIN (tensor->rows, G_MAXUINT);
      else if (strcmp (tensor->canonical, "output.weight") == 0)
        output = TRUE;
      else if (strcmp (tensor->canonical, "rope_freqs.weight") == 0)
        divisors = TRUE;
      else if (strcmp (tensor->canonical, "rope_factors_long.weight") == 0)
        take_factors (self);
    }

  config->tied = !output;
  if (divisors && config->rope_scaling == TARE_ROPE_SCALING_NONE)
    config->rope_scaling = TARE_ROPE_SCALING_LLAMA3;
}

static gboolean
load_config (TareModel  *self,
             TareFile   *file,
             GError    **error)
{
  const char *name = tare_metadata_get_string (self->metadata, "general.architecture");
  GError *fault = NULL;
  gboolean read = FALSE;

  self->architecture_name = name != NULL ? g_utf8_make_valid (name, -1) : g_strdup ("unknown");
  self->architecture = name != NULL ? tare_architecture_lookup (name) : NULL;
  if (self->architecture == NULL)
    return TRUE;

  read = tare_config_read_metadata (&self->config, self->architecture, self->metadata,
                                    tare_file_get_path (file), &fault);
  complete_config (self);

  return _tare_model_take_config (self, read, fault, error);
}

/* llama.cpp's name for what a weight's matrix, or each of its experts', is multiplied with. */
static char *
dup_scale_name (const TareTensor *tensor)
{
  gsize stem = strlen (tensor->name);

  if (g_str_has_suffix (tensor->name, ".weight"))
    stem -= strlen (".weight");

  return g_strdup_printf ("%.*s.scale", (int) stem, tensor->name);
}

/* One binary32 for all of the tensor's matrices, or one for each. */
static gboolean
take_scale (TareTensor        *tensor,
            const TareTensor  *scale,
            GError           **error)
{
  gsize n_bytes = tare_tensor_get_parameter_bytes (tensor);
  gsize n = n_bytes / sizeof (float);
  const guint8 *bytes = tare_file_get_data (scale->file) + scale->offset;

  if (scale->format != tare_format_lookup_ggml (0)
      || (scale->bytes != sizeof (float) && scale->bytes != n_bytes))
    {
      g_autofree char *name = _tare_file_quote (scale->name, strlen (scale->name));

      return _tare_file_fail (scale->file, error, TARE_ERROR_INVALID,
                              "tensor %s is no scale in F32 for %" G_GSIZE_FORMAT " matrices",
                              name, n);
    }

  for (gsize i = 0; i < n_bytes; i += sizeof (float))
    memcpy (tensor->parameters + i, bytes + i % scale->bytes, sizeof (float));

  return TRUE;
}

/* What a format keeps once for a matrix is in a tensor of its own here, which is none to the
 * model. */
static gboolean
take_scales (TareModel  *self,
             GError    **error)
{
  g_autoptr(GHashTable) by_name = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr(GHashTable) taken = g_hash_table_new (NULL, NULL);
  g_autoptr(GPtrArray) all = NULL;

  for (guint i = 0; i < self->tensors->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (self->tensors, i);

      g_hash_table_insert (by_name, tensor->name, tensor);
    }
  for (guint i = 0; i < self->tensors->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (self->tensors, i);
      g_autofree char *name = NULL;
      const TareTensor *scale = NULL;

      if (tensor->parameters == NULL)
        continue;
      name = dup_scale_name (tensor);
      scale = g_hash_table_lookup (by_name, name);
      if (scale == NULL)
        continue;
      if (!take_scale (tensor, scale, error))
        return FALSE;
      g_hash_table_add (taken, (gpointer) scale);
    }

  all = g_steal_pointer (&self->tensors);
  self->tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_ptr_array_set_free_func (all, NULL);
  for (guint i = 0; i < all->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (all, i);

      if (g_hash_table_contains (taken, tensor))
        tare_tensor_free (tensor);
      else
        g_ptr_array_add (self->tensors, tensor);
    }

  return TRUE;
}

/**
 * _tare_model_load_gguf:
 * @self: a model that is being opened
 * @file: a GGUF file, of a split one the first part
 * @error: return location
 *
 * Returns: %FALSE with @error set where the file or one of its other parts is at fault
 */
gboolean
_tare_model_load_gguf (TareModel  *self,
                       TareFile   *file,
                       GError    **error)
{
  gint64 n_parts = 0;

  self->container = "gguf";
  self->folder = g_path_get_dirname (tare_file_get_path (file));
  if (!tare_gguf_read (file, self->tensors, &self->metadata, error))
    return FALSE;

  take_name (self, file);
  if (tare_metadata_has (self->metadata, "split.count")
      && !get_count (self->metadata, "split.count", G_MAXUINT16, &n_parts))
    return _tare_file_fail (file, error, TARE_ERROR_INVALID,
                            "key 'split.count' is no number of parts");
  if (n_parts > 1 && !load_parts (self, file, n_parts, error))
    return FALSE;

  if (!take_scales (self, error) || !load_config (self, file, error))
    return FALSE;

  _tare_model_part_experts (self);

  return TRUE;
}
