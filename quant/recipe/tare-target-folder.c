/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-safetensors.h"
#include "quant/recipe/tare-checksum-private.h"
#include "quant/recipe/tare-target-folder-private.h"

#include <string.h>

#include "quant/formats/tare-half.h"
#include "quant/tare-error.h"

/* As transformers writes them. */
#define SHARD_BYTES (G_GUINT64_CONSTANT (5) * 1000 * 1000 * 1000)

/* Weights that are converted, and bytes that are copied, between two looks at the cancellable. */
#define CHUNK_WEIGHTS ((gsize) 1 << 20)
#define CHUNK_BYTES   ((gsize) 4 << 20)

/* Writing takes this share of the progress, reading back the rest. */
#define WRITE_SHARE 0.9

/* An export on its way. */
typedef struct
{
  const TareFolderKind  *kind;
  TareEngine            *engine;
  TareRecipe            *recipe;
  TareCalibration       *calibration;
  TareSafetensorsWriter *writer;
  GArray                *items;
  guint64                bytes;
  guint64                written;
  const TareProgress    *progress;
} Export;

/* One output on its way. */
typedef struct
{
  Export       *export;
  TareOutput   *output;
  guint64       offset;
  TareChecksum  checksum;
} Stream;

static gboolean
put (Stream        *self,
     const guint8  *bytes,
     gsize          n,
     GError       **error)
{
  for (gsize i = 0; i < n; i += CHUNK_BYTES)
    {
      gsize part = MIN (CHUNK_BYTES, n - i);
      double done;

      if (!tare_safetensors_writer_write (self->export->writer, self->output->index, self->offset,
                                          bytes + i, part, error))
        return FALSE;
      _tare_checksum_add (&self->checksum, bytes + i, part);
      self->offset += part;
      self->export->written += part;
      done = (double) self->export->written / (double) MAX (self->export->bytes, 1);
      if (!tare_progress_step (self->export->progress, done * WRITE_SHARE, NULL, error))
        return FALSE;
    }
  self->output->checksum = _tare_checksum_finish (&self->checksum);

  return TRUE;
}

/* Values in the type of the output. */
static gboolean
put_floats (Stream       *self,
            const float  *x,
            gsize         n,
            GError      **error)
{
  g_autofree guint16 *halves = NULL;

  if (strcmp (self->output->dtype, "F32") == 0)
    return put (self, (const guint8 *) x, n * sizeof *x, error);

  halves = g_new (guint16, MAX (n, 1));
  if (strcmp (self->output->dtype, "F16") == 0)
    tare_half_from_floats (x, n, halves);
  else
    tare_bfloat_from_floats (x, n, halves);

  return put (self, (const guint8 *) halves, n * sizeof *halves, error);
}

static gboolean
read_values (const TareItem  *item,
             TareQuantized   *quantized,
             gsize            first,
             gsize            n,
             float           *out,
             GError         **error)
{
  const TareTensor *tensor = item->tensor;

  first += item->first;
  if (quantized->bytes == NULL && !tare_tensor_read_rows (tensor, first, n, out, error))
    return FALSE;
  if (quantized->bytes != NULL)
    tare_format_decode_rows (quantized->format, g_bytes_get_data (quantized->bytes, NULL),
                             tensor->rows, tensor->columns, first, n, out);
  for (gsize i = 0; i < n * tensor->columns && item->offset != 0.0f; i++)
    out[i] -= item->offset;

  return TRUE;
}

/* Whether a folder has the values in another order than GGUF. */
static gboolean
is_reordered (const TareItem *item)
{
  return item->file->transposed || item->file->head_rows > 0;
}

static void
reorder (const TareItem *item,
         const float    *x,
         float          *out)
{
  const TareTensor *file = item->file;

  if (file->transposed)
    {
      for (gsize i = 0; i < file->rows; i++)
        for (gsize j = 0; j < file->columns; j++)
          out[j * file->rows + i] = x[i * file->columns + j];
      return;
    }
  if (file->n_dimensions == 1)
    {
      for (gsize i = 0; i < file->columns; i++)
        out[tare_tensor_get_file_row (file, i)] = x[i];
      return;
    }
  for (gsize i = 0; i < file->rows; i++)
    memcpy (out + tare_tensor_get_file_row (file, i) * file->columns, x + i * file->columns,
            file->columns * sizeof *out);
}

static gboolean
write_values (Export         *self,
              TareItem       *item,
              TareQuantized  *quantized,
              GError        **error)
{
  const TareTensor *file = item->file;
  Stream stream = { .export = self, .output = &item->outputs[0] };
  gsize chunk = CLAMP (CHUNK_WEIGHTS / MAX (file->columns, 1), 1, MAX (file->rows, 1));
  g_autofree float *x = NULL, *ordered = NULL;

  if (is_reordered (item))
    {
      chunk = file->rows;
      ordered = g_malloc_n (chunk * sizeof (float), file->columns);
    }
  x = g_malloc_n (chunk * sizeof (float), file->columns);
  for (gsize first = 0; first < file->rows; first += chunk)
    {
      gsize n = MIN (chunk, file->rows - first);

      if (!read_values (item, quantized, first, n, x, error))
        return FALSE;
      if (ordered != NULL)
        reorder (item, x, ordered);
      if (!put_floats (&stream, ordered != NULL ? ordered : x, n * file->columns, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
write_raw (Export    *self,
           TareItem  *item,
           GError   **error)
{
  const TareTensor *tensor = item->tensor;
  Stream stream = { .export = self, .output = &item->outputs[0] };
  const guint8 *bytes = tare_file_get_data (tensor->file) + tensor->offset;

  if (tensor->n_slices > 0)
    bytes = tare_file_get_data (tensor->slices[item->expert].file)
            + tensor->slices[item->expert].offset;
  else
    bytes += item->expert * item->file->bytes;

  return put (&stream, bytes, item->file->bytes, error);
}

/* The numbers of the item's rows, in the file's order. */
static TareParts *
select_parts (const TareItem  *item,
              const TareParts *parts,
              gsize            first)
{
  TareParts *ordered = tare_parts_new (item->format, item->file->rows, parts->columns);

  ordered->tensor_scale = parts->tensor_scale;
  if (item->format->per_tensor)
    {
      ordered->scales[0] = parts->scales[0];
      if (parts->zeros != NULL)
        ordered->zeros[0] = parts->zeros[0];
    }
  for (gsize i = 0; i < ordered->rows; i++)
    {
      gsize row = tare_tensor_get_file_row (item->file, i);

      memcpy (ordered->codes + row * parts->columns, parts->codes + (first + i) * parts->columns,
              parts->columns * sizeof *parts->codes);
      if (item->format->per_tensor)
        continue;
      memcpy (ordered->scales + row * parts->n_groups,
              parts->scales + (first + i) * parts->n_groups,
              parts->n_groups * sizeof *parts->scales);
      if (parts->zeros != NULL)
        memcpy (ordered->zeros + row * parts->n_groups,
                parts->zeros + (first + i) * parts->n_groups,
                parts->n_groups * sizeof *parts->zeros);
    }

  return ordered;
}

/* The encoded matrix, of what is kept as the source has it; @copy is its memory where that is in
 * pieces. */
static const guint8 *
get_codes (const TareItem  *item,
           TareQuantized   *quantized,
           guint8         **copy)
{
  const TareTensor *tensor = item->tensor;

  if (quantized->bytes != NULL)
    return g_bytes_get_data (quantized->bytes, NULL);
  if (tensor->n_slices == 0)
    return tare_file_get_data (tensor->file) + tensor->offset;

  *copy = g_malloc (tensor->bytes);
  tare_tensor_copy_rows (tensor, 0, tensor->rows, *copy);

  return *copy;
}

/* Of an expert its own rows alone, where these are encoded by themselves. */
static TareParts *
take_apart (const TareItem  *item,
            TareQuantized   *quantized,
            GError         **error)
{
  const TareTensor *tensor = item->tensor;
  gboolean alone = tare_format_is_row_local (item->format);
  gsize rows = alone ? item->file->rows : tensor->rows;
  gsize skipped = alone ? tare_format_get_bytes (item->format, item->first, tensor->columns) : 0;
  g_autoptr(TareParts) parts = tare_parts_new (item->format, rows, tensor->columns);
  g_autofree guint8 *copy = NULL;

  if (!tare_format_take_apart (item->format, get_codes (item, quantized, &copy) + skipped, parts,
                               error))
    {
      g_prefix_error (error, "%s: %s: ", tare_file_get_path (tensor->file), tensor->canonical);
      return NULL;
    }
  if (item->file->head_rows == 0 && rows == item->file->rows)
    return g_steal_pointer (&parts);

  return select_parts (item, parts, alone ? 0 : item->first);
}

static gboolean
put_outputs (Export    *self,
             TareItem  *item,
             guint8   **outputs,
             GError   **error)
{
  for (guint i = 0; i < TARE_N_PARTS; i++)
    {
      Stream stream = { .export = self, .output = &item->outputs[i] };

      if (outputs[i] != NULL && !put (&stream, outputs[i], item->outputs[i].bytes, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
write_packed (Export         *self,
              TareItem       *item,
              TareQuantized  *quantized,
              GError        **error)
{
  guint8 *outputs[TARE_N_PARTS] = { NULL };
  g_autoptr(TareParts) parts = NULL;
  Stream stream = { .export = self, .output = &item->outputs[0] };
  g_autofree guint8 *copy = NULL;
  guint8 *input = NULL;
  gboolean done;

  if (item->packer->whole)
    return put (&stream, get_codes (item, quantized, &copy), item->outputs[0].bytes, error);

  parts = take_apart (item, quantized, error);
  if (parts == NULL)
    return FALSE;

  for (guint i = 0; i < TARE_N_PARTS; i++)
    if (item->outputs[i].name != NULL)
      outputs[i] = g_malloc0 (item->outputs[i].bytes);
  item->packer->pack (item, parts, outputs);
  input = outputs[TARE_PART_INPUT_SCALE];
  done = (input == NULL || _tare_folder_measure_input (item, self->calibration, input, error))
         && put_outputs (self, item, outputs, error);
  for (guint i = 0; i < TARE_N_PARTS; i++)
    g_free (outputs[i]);

  return done;
}

static gboolean
write_item (Export         *self,
            TareItem       *item,
            TareQuantized  *quantized,
            GError        **error)
{
  if (item->raw)
    return write_raw (self, item, error);

  return item->packer != NULL ? write_packed (self, item, quantized, error)
                              : write_values (self, item, quantized, error);
}

/* The items of one tensor, which is rounded once. */
static gboolean
write_items (Export    *self,
             TareItem  *items,
             guint      n,
             GArray    *exported,
             GError   **error)
{
  const TareTensor *tensor = items->tensor;
  TareAssignment assignment = tare_recipe_resolve (self->recipe, tensor);
  g_autoptr(TareQuantized) quantized = NULL;
  TareExported row = { .canonical = tensor->canonical };
  double bytes = (double) MAX (self->bytes, 1);
  TareProgress part;

  for (guint i = 0; i < n; i++)
    row.bytes += _tare_item_get_bytes (&items[i]);
  part = tare_progress_part (self->progress, (double) self->written / bytes * WRITE_SHARE,
                             (double) (self->written + row.bytes) / bytes * WRITE_SHARE);
  if (!tare_progress_step (&part, 0.0, tensor->canonical, error))
    return FALSE;

  quantized = tare_engine_quantize (self->engine, tensor, &assignment, self->calibration, &part,
                                    error);
  for (guint i = 0; i < n; i++)
    if (quantized == NULL || !write_item (self, &items[i], quantized, error))
      return FALSE;
  tare_tensor_release_rows (tensor, 0, tensor->rows);

  row.format = items->format != NULL ? items->format : tensor->format;
  row.method = quantized->bytes != NULL ? assignment.method : NULL;
  row.distortion = quantized->distortion;
  if (exported != NULL)
    g_array_append_val (exported, row);

  return TRUE;
}

static gboolean
check_output (const TareOutput  *output,
              const TareTensor  *tensor,
              const char        *path,
              GError           **error)
{
  TareChecksum checksum = { 0 };

  if (tensor != NULL && tensor->bytes == output->bytes)
    {
      _tare_checksum_add (&checksum, tare_file_get_data (tensor->file) + tensor->offset,
                          tensor->bytes);
      if (_tare_checksum_finish (&checksum) == output->checksum)
        return TRUE;
    }
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: %s: read back with another %s than was "
               "written", path, output->name, tensor == NULL ? "name" : "content");

  return FALSE;
}

/* Every tensor that lies in the files of a folder, by name. */
static GHashTable *
read_files (const char  *folder,
            GError     **error)
{
  g_autoptr(GHashTable) found = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                                       (GDestroyNotify) tare_tensor_free);
  g_autoptr(GDir) dir = g_dir_open (folder, 0, error);
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autoptr(GPtrArray) tensors = g_ptr_array_new ();
      g_autoptr(TareFile) file = NULL;

      if (!g_str_has_suffix (name, ".safetensors"))
        continue;
      file = tare_file_open (path, error);
      if (file == NULL || !tare_safetensors_read (file, tensors, error))
        return NULL;
      for (guint i = 0; i < tensors->len; i++)
        {
          TareTensor *tensor = g_ptr_array_index (tensors, i);

          g_hash_table_insert (found, tensor->name, tensor);
        }
    }

  return dir != NULL ? g_steal_pointer (&found) : NULL;
}

/* Reads the folder as anyone else would, before it takes its name: every byte, and then as a
 * model, which must have every tensor in its shape and be as fit to run as the source. */
static gboolean
verify (Export      *self,
        const char  *folder,
        GError     **error)
{
  g_autoptr(GHashTable) found = read_files (folder, error);
  g_autoptr(TareModel) model = NULL;
  double n = (double) MAX (self->items->len, 1);

  for (guint i = 0; found != NULL && i < self->items->len; i++)
    {
      const TareItem *item = &g_array_index (self->items, TareItem, i);

      for (guint j = 0; j < TARE_N_PARTS; j++)
        if (item->outputs[j].name != NULL
            && !check_output (&item->outputs[j],
                              g_hash_table_lookup (found, item->outputs[j].name), folder, error))
          return FALSE;
      if (!tare_progress_step (self->progress, WRITE_SHARE + (1.0 - WRITE_SHARE) * i / n, NULL,
                               error))
        return FALSE;
    }

  model = found != NULL ? tare_model_open (folder, error) : NULL;
  for (guint i = 0; model != NULL && i < self->items->len; i++)
    {
      const TareTensor *tensor = g_array_index (self->items, TareItem, i).tensor;
      const TareTensor *other = tare_model_lookup (model, tensor->canonical);

      if (other != NULL && other->rows == tensor->rows && other->columns == tensor->columns)
        continue;
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: %s: not there when read back",
                   folder, tensor->canonical);
      return FALSE;
    }

  return model != NULL
         && (!tare_model_check_runnable (tare_engine_get_model (self->engine), NULL)
             || tare_model_check_runnable (model, error));
}

static gboolean
write_all (Export   *self,
           GArray   *exported,
           GError  **error)
{
  const char *temporary;

  for (guint i = 0; i < self->items->len; i++)
    {
      TareItem *item = &g_array_index (self->items, TareItem, i);

      self->bytes += _tare_item_get_bytes (item);
      for (guint j = 0; j < TARE_N_PARTS; j++)
        {
          TareOutput *output = &item->outputs[j];

          if (output->name != NULL
              && !tare_safetensors_writer_add (self->writer, output->name, output->dtype,
                                               output->n_dimensions, output->shape,
                                               &output->index, error))
            return FALSE;
        }
    }
  for (guint i = 0, n = 0; i < self->items->len; i += n)
    {
      TareItem *first = &g_array_index (self->items, TareItem, i);

      for (n = 1; i + n < self->items->len && first[n].tensor == first->tensor;)
        n++;
      if (!write_items (self, first, n, exported, error))
        return FALSE;
    }

  if (!_tare_folder_describe (self->kind, tare_engine_get_model (self->engine), self->items,
                              self->writer, error))
    return FALSE;
  temporary = tare_safetensors_writer_finish (self->writer, error);
  if (temporary == NULL || !verify (self, temporary, error))
    return FALSE;

  return tare_safetensors_writer_commit (self->writer, error);
}

/* See tare_target_write(). */
gboolean
_tare_folder_write (const TareTarget    *self,
                    TareEngine          *engine,
                    TareRecipe          *recipe,
                    TareCalibration     *calibration,
                    const char          *path,
                    GArray              *exported,
                    const TareProgress  *progress,
                    GError             **error)
{
  const TareFolderKind *kind = self->variant;
  TareModel *model = tare_engine_get_model (engine);
  g_autoptr(TarePlan) plan = tare_target_plan (self, model, recipe, calibration, error);
  g_autoptr(TareSafetensorsWriter) writer = NULL;
  g_autoptr(GArray) items = NULL;
  Export export = { 0 };

  if (plan == NULL)
    return FALSE;
  writer = tare_safetensors_writer_new (path, SHARD_BYTES, error);
  if (writer == NULL)
    return FALSE;

  items = _tare_folder_list_items (kind, model, plan->recipe);
  export = (Export) {
    .kind = kind,
    .engine = engine,
    .recipe = plan->recipe,
    .calibration = calibration,
    .writer = writer,
    .items = items,
    .progress = progress,
  };

  return write_all (&export, exported, error);
}
