/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-target-private.h"

#include <string.h>

#include "quant/model/tare-gguf.h"
#include "quant/recipe/tare-checksum-private.h"
#include "quant/tare-error.h"

#define N_(s) (s)

/* Weights that are converted, and bytes that are copied, between two looks at the cancellable. */
#define CHUNK_WEIGHTS ((gsize) 1 << 20)
#define CHUNK_BYTES ((gsize) 4 << 20)

/* Writing takes this share of the progress, reading back the rest. */
#define WRITE_SHARE 0.9

/* Tensors that an error names before it says how many more there are. */
#define MAX_NAMED 3

/* llama.cpp's numbers for what a file mostly holds (LLAMA_FTYPE), by tensor type. K-quants go by
 * the names of their usual mixtures, as llama-quantize's own aliases do. */
static const struct
{
  int     ggml_type;
  guint32 file_type;
} file_types[] = {
  { 0, 0 }, { 1, 1 }, { 2, 2 }, { 3, 3 }, { 6, 8 }, { 7, 9 }, { 8, 7 }, { 10, 10 }, { 11, 12 },
  { 12, 15 }, { 13, 17 }, { 14, 18 }, { 16, 19 }, { 17, 20 }, { 18, 23 }, { 19, 24 }, { 20, 25 },
  { 21, 26 }, { 22, 28 }, { 23, 30 }, { 29, 31 }, { 30, 32 }, { 34, 36 }, { 35, 37 },
  { 39, 38 }, { 40, 39 },
};

/* What goes into the file for one tensor, and what must be found there again. What its format keeps
 * once for each matrix follows it, in a tensor of its own. */
typedef struct
{
  const TareTensor *tensor;
  char             *name;
  int               ggml_type;
  guint             n_dimensions;
  guint64           shape[TARE_TENSOR_MAX_DIMENSIONS];
  guint64           bytes;
  guint64           checksum;
  gboolean          apart;
} Item;

/* An export on its way. */
typedef struct
{
  TareEngine         *engine;
  TareRecipe         *recipe;
  TareCalibration    *calibration;
  TareGgufWriter     *writer;
  GArray             *items;
  guint8             *parameters;
  guint64             bytes;
  guint64             written;
  TareChecksum        checksum;
  const TareProgress *progress;
} Export;

/* The number of the tensor's type in the file; -1 where GGUF has none. Types that no codec here
 * reads are passed on under the name that they came with. */
static int
find_ggml_type (TareModel        *model,
                TareRecipe       *recipe,
                const TareTensor *tensor)
{
  const TareFormat *format = tare_target_get_format (&_tare_target_gguf, recipe, tensor);

  if (format != NULL)
    return format->ggml_type;
  if (!g_str_equal (tare_model_get_container (model), "gguf"))
    return -1;

  for (int type = 0; type < 64; type++)
    {
      const TareGgufType *info = tare_gguf_type_lookup (type);

      if (info != NULL && g_ascii_strcasecmp (info->name, tensor->type_name) == 0)
        return type;
    }

  return -1;
}

static gboolean
check_model (TareModel   *model,
             TareRecipe  *recipe,
             GError     **error)
{
  g_autoptr(GString) names = g_string_new (NULL);
  guint n_bad = 0;

  if (tare_model_get_architecture (model) == NULL &&
      !g_str_equal (tare_model_get_container (model), "gguf"))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
                   "%s: GGUF's names for the tensors of architecture '%s' are not known, so it "
                   "cannot be written", tare_model_get_path (model),
                   tare_model_get_architecture_name (model));
      return FALSE;
    }

  if (tare_model_get_architecture (model) != NULL
      && tare_model_get_architecture (model)->hugging_face_only)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
                   "%s: llama.cpp does not run the architecture '%s', so no GGUF file is written",
                   tare_model_get_path (model), tare_model_get_architecture_name (model));
      return FALSE;
    }

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareFormat *format = tare_target_get_format (&_tare_target_gguf, recipe, tensor);

      if (find_ggml_type (model, recipe, tensor) >= 0)
        continue;
      if (n_bad++ < MAX_NAMED)
        g_string_append_printf (names, "%s%s (%s)", names->len > 0 ? ", " : "",
                                tensor->canonical,
                                format != NULL ? format->label : tensor->type_name);
    }
  if (n_bad == 0)
    return TRUE;

  if (n_bad > MAX_NAMED)
    g_string_append_printf (names, " and %u more", n_bad - MAX_NAMED);
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: GGUF cannot hold the format of %s; choose another for them, such as Q4_K "
               "or Q8_0", tare_model_get_path (model), names->str);

  return FALSE;
}

/* What llama.cpp has a scale for beside the tensor. */
static gboolean
has_scale (const TareTensor *tensor)
{
  return tensor->role != NULL && tensor->role->matrix && !tensor->bias
         && (tensor->role->in_block || strcmp (tensor->role->id, "output") == 0);
}

/* A format that keeps something once for a matrix becomes the next where llama.cpp has no place for
 * that, or wants longer blocks than a row has. */
static TareRecipe *
settle (TareModel  *model,
        TareRecipe *recipe,
        TarePlan   *plan)
{
  TareRecipe *settled = tare_recipe_ref (recipe);

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      TareAssignment assignment = tare_recipe_resolve (recipe, tensor);
      const TareFormat *asked = assignment.format;
      const char *names[] = { tensor->canonical, NULL };
      TareRecipe *next = NULL;

      if (asked == NULL || asked->ggml_type < 0 || tare_format_is_row_local (asked)
          || (has_scale (tensor)
              && tensor->columns % tare_gguf_type_lookup (asked->ggml_type)->block == 0))
        continue;
      assignment.format = tare_format_fit (tare_format_lookup (asked->fallback), tensor->columns);
      next = tare_recipe_with_tensors (settled, names, &assignment);
      tare_recipe_unref (settled);
      settled = next;
      tare_plan_add (plan, tensor, asked, assignment.format,
                     (gint64) tare_format_get_bytes (assignment.format, tensor->rows,
                                                     tensor->columns)
                     - (gint64) (tensor->columns % asked->block == 0
                                 ? tare_format_get_bytes (asked, tensor->rows, tensor->columns)
                                 : tensor->bytes),
                     has_scale (tensor)
                     ? N_("The length of its rows is no multiple of the format's blocks")
                     : N_("llama.cpp has no scale of the whole for it"));
    }

  return settled;
}

/* What rows of another length than a format's blocks make of it. */
static TarePlan *
plan (const TareTarget  *self,
      TareModel         *model,
      TareRecipe        *recipe,
      GError           **error)
{
  g_autoptr(TarePlan) result = tare_plan_new (recipe);
  g_autoptr(TareRecipe) settled = settle (model, recipe, result);

  if (!check_model (model, settled, error))
    return NULL;

  tare_recipe_unref (result->recipe);
  result->recipe = tare_recipe_ref (settled);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      TareAssignment assignment = tare_recipe_resolve (settled, tensor);
      const TareFormat *format = tare_target_get_format (&_tare_target_gguf, settled, tensor);
      guint64 bytes = tare_target_get_bytes (&_tare_target_gguf, settled, tensor);
      double wanted;

      /* Every expert has what the whole has once. */
      if (format != NULL && format != tensor->format)
        bytes += (tare_tensor_get_n_matrices (tensor) - 1)
                 * tare_format_get_parameter_bytes (format, tensor->rows, tensor->columns);
      result->bytes += bytes;
      if (assignment.format == NULL || format == assignment.format)
        continue;

      /* What as many weights take in rows of whole blocks. */
      wanted = tare_format_get_bits_per_weight (assignment.format, tensor->rows,
                                                assignment.format->block);
      wanted *= (double) tare_tensor_get_n_weights (tensor) / 8.0;
      tare_plan_add (result, tensor, assignment.format, format,
                     (gint64) bytes - (gint64) wanted,
                     N_("The length of its rows is no multiple of the format's blocks"));
    }

  return g_steal_pointer (&result);
}

static gboolean
write_chunk (Export        *self,
             const guint8  *bytes,
             gsize          n,
             GError       **error)
{
  double done;

  if (!tare_gguf_writer_write (self->writer, bytes, n, error))
    return FALSE;

  _tare_checksum_add (&self->checksum, bytes, n);
  self->written += n;
  done = (double) self->written / (double) MAX (self->bytes, 1);

  return tare_progress_step (self->progress, done * WRITE_SHARE, NULL, error);
}

static gboolean
write_bytes (Export        *self,
             const guint8  *bytes,
             gsize          n,
             GError       **error)
{
  for (gsize i = 0; i < n; i += CHUNK_BYTES)
    if (!write_chunk (self, bytes + i, MIN (CHUNK_BYTES, n - i), error))
      return FALSE;

  return TRUE;
}

/* As the source has it, in GGUF's row order. */
static gboolean
write_kept (Export            *self,
            const TareTensor  *tensor,
            GError           **error)
{
  gsize row_bytes = tensor->rows > 0 ? tensor->bytes / tensor->rows : 0;
  gsize chunk = CLAMP (CHUNK_BYTES / MAX (row_bytes, 1), 1, MAX (tensor->rows, 1));
  g_autofree guint8 *rows = NULL;

  if (tensor->head_rows == 0 && !tensor->transposed && tensor->n_slices == 0)
    return write_bytes (self, tare_file_get_data (tensor->file) + tensor->offset, tensor->bytes,
                        error);

  rows = g_malloc (chunk * row_bytes);
  for (gsize first = 0; first < tensor->rows; first += chunk)
    {
      gsize n = MIN (chunk, tensor->rows - first);

      tare_tensor_copy_rows (tensor, first, n, rows);
      if (!write_chunk (self, rows, n * row_bytes, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
write_f32 (Export            *self,
           const TareTensor  *tensor,
           GError           **error)
{
  gsize chunk = CLAMP (CHUNK_WEIGHTS / MAX (tensor->columns, 1), 1, MAX (tensor->rows, 1));
  g_autofree float *x = g_malloc_n (chunk * sizeof (float), tensor->columns);

  for (gsize first = 0; first < tensor->rows; first += chunk)
    {
      gsize n = MIN (chunk, tensor->rows - first);

      if (!tare_tensor_read_rows (tensor, first, n, x, error) ||
          !write_chunk (self, (const guint8 *) x, n * tensor->columns * sizeof (float), error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
write_quantized (Export            *self,
                 const TareTensor  *tensor,
                 TareQuantized     *quantized,
                 GError           **error)
{
  gsize n = 0, n_apart;
  const guint8 *bytes;

  if (quantized->bytes != NULL)
    {
      bytes = g_bytes_get_data (quantized->bytes, &n);
      n_apart = tare_format_get_parameter_bytes (quantized->format, tensor->rows,
                                                 tensor->columns);
      return write_bytes (self, bytes + n_apart, n - n_apart, error);
    }
  if (tare_target_get_format (&_tare_target_gguf, self->recipe, tensor) != tensor->format)
    return write_f32 (self, tensor, error);

  return write_kept (self, tensor, error);
}

/* Of each matrix, where only the whole has it. */
static void
keep_parameters (Export           *self,
                 const TareTensor *tensor,
                 TareQuantized    *quantized,
                 gsize             n)
{
  const guint8 *bytes = tensor->parameters;
  gsize step = n;

  if (quantized->bytes != NULL)
    {
      bytes = g_bytes_get_data (quantized->bytes, NULL);
      step = tare_format_get_parameter_bytes (quantized->format, tensor->rows, tensor->columns);
    }

  g_free (self->parameters);
  self->parameters = g_malloc (n);
  for (gsize i = 0; i < n; i += step)
    memcpy (self->parameters + i, bytes, step);
}

/* What was kept of the tensor before. */
static gboolean
write_parameters (Export  *self,
                  Item    *item,
                  GError **error)
{
  self->checksum = (TareChecksum) { 0 };
  if (!write_bytes (self, self->parameters, item->bytes, error))
    return FALSE;
  item->checksum = _tare_checksum_finish (&self->checksum);

  return TRUE;
}

static gboolean
write_tensor (Export      *self,
              Item        *item,
              const Item  *apart,
              GArray      *exported,
              GError     **error)
{
  const TareTensor *tensor = item->tensor;
  TareAssignment assignment = tare_recipe_resolve (self->recipe, tensor);
  g_autoptr(TareQuantized) quantized = NULL;
  TareExported row = { .canonical = tensor->canonical, .bytes = item->bytes };
  double bytes = (double) MAX (self->bytes, 1);
  TareProgress part = tare_progress_part (self->progress,
                                          (double) self->written / bytes * WRITE_SHARE,
                                          (double) (self->written + item->bytes) / bytes
                                          * WRITE_SHARE);

  if (!tare_progress_step (&part, 0.0, tensor->canonical, error))
    return FALSE;

  self->checksum = (TareChecksum) { 0 };
  quantized = tare_engine_quantize (self->engine, tensor, &assignment, self->calibration, &part,
                                    error);
  if (quantized == NULL || !write_quantized (self, tensor, quantized, error))
    return FALSE;
  tare_tensor_release_rows (tensor, 0, tensor->rows);
  item->checksum = _tare_checksum_finish (&self->checksum);
  if (apart != NULL)
    {
      keep_parameters (self, tensor, quantized, apart->bytes);
      row.bytes += apart->bytes;
    }

  row.format = tare_target_get_format (&_tare_target_gguf, self->recipe, tensor);
  row.method = quantized->bytes != NULL ? assignment.method : NULL;
  row.distortion = quantized->distortion;
  if (exported != NULL)
    g_array_append_val (exported, row);

  return TRUE;
}

/* The type that most of the weights of matrices are in. */
static guint32
find_file_type (GArray *items)
{
  gsize best = 0;
  guint64 most = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (file_types); i++)
    {
      guint64 n = 0;

      for (guint j = 0; j < items->len; j++)
        {
          const Item *item = &g_array_index (items, Item, j);

          if (item->ggml_type == file_types[i].ggml_type && !item->apart &&
              tare_tensor_is_weight (item->tensor))
            n += tare_tensor_get_n_weights (item->tensor);
        }
      if (n > most)
        {
          most = n;
          best = i;
        }
    }

  return file_types[best].file_type;
}

static void
item_clear (gpointer data)
{
  g_free (((Item *) data)->name);
}

/* In F32, under the name of the weight but for its end. */
static void
add_parameters (GArray           *items,
                const TareTensor *tensor,
                guint64           bytes)
{
  gsize stem = strlen (tensor->canonical);
  Item item = { .tensor = tensor, .bytes = bytes, .n_dimensions = 1, .apart = TRUE };

  if (g_str_has_suffix (tensor->canonical, ".weight"))
    stem -= strlen (".weight");
  item.name = g_strdup_printf ("%.*s.scale", (int) stem, tensor->canonical);
  item.shape[0] = bytes / sizeof (float);
  g_array_append_val (items, item);
}

static GArray *
list_items (TareModel  *model,
            TareRecipe *recipe)
{
  GArray *items = g_array_new (FALSE, TRUE, sizeof (Item));

  g_array_set_clear_func (items, item_clear);

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareFormat *format = tare_target_get_format (&_tare_target_gguf, recipe, tensor);
      gsize n = format != NULL ? tare_format_get_parameter_bytes (format, tensor->rows,
                                                                  tensor->columns) : 0;
      Item item = {
        .tensor = tensor,
        .name = g_strdup (tensor->canonical),
        .ggml_type = find_ggml_type (model, recipe, tensor),
        .n_dimensions = tensor->n_dimensions,
        .bytes = tare_target_get_bytes (&_tare_target_gguf, recipe, tensor),
      };

      memcpy (item.shape, tensor->shape, sizeof item.shape);
      if (n > 0)
        item.bytes -= format == tensor->format ? tare_tensor_get_parameter_bytes (tensor) : n;
      g_array_append_val (items, item);
      if (n > 0)
        add_parameters (items, tensor, n * tare_tensor_get_n_matrices (tensor));
    }

  return items;
}

static TareMetadata *
make_metadata (TareModel  *model,
               GArray     *items,
               GError    **error)
{
  static const char *const of_splits[] = { "split.no", "split.count", "split.tensors.count" };
  g_autoptr(TareMetadata) metadata = tare_model_dup_metadata (model, error);

  if (metadata == NULL)
    return NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (of_splits); i++)
    tare_metadata_remove (metadata, of_splits[i]);
  tare_metadata_set_u32 (metadata, "general.file_type", find_file_type (items));
  tare_metadata_set_u32 (metadata, "general.quantization_version", 2);

  return g_steal_pointer (&metadata);
}

static gboolean
check_item (const Item        *item,
            const TareTensor  *tensor,
            GError           **error)
{
  const TareGgufType *type = tare_gguf_type_lookup (item->ggml_type);
  TareChecksum checksum = { 0 };
  const char *wrong = NULL;

  _tare_checksum_add (&checksum, tare_file_get_data (tensor->file) + tensor->offset, tensor->bytes);
  if (type == NULL || g_ascii_strcasecmp (type->name, tensor->type_name) != 0)
    wrong = "type";
  else if (tensor->n_dimensions != item->n_dimensions
           || memcmp (tensor->shape, item->shape, sizeof item->shape) != 0)
    wrong = "shape";
  else if (tensor->bytes != item->bytes)
    wrong = "length";
  else if (_tare_checksum_finish (&checksum) != item->checksum)
    wrong = "content";
  if (wrong == NULL)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "%s: %s: read back with another %s than was written",
               tare_file_get_path (tensor->file), item->name, wrong);

  return FALSE;
}

/* Reads the file as anyone else would, before it takes the place of the old one. */
static gboolean
verify (Export      *self,
        const char  *path,
        GError     **error)
{
  g_autoptr(TareFile) file = tare_file_open (path, error);
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(TareMetadata) metadata = NULL;

  if (file == NULL || !tare_gguf_read (file, tensors, &metadata, error))
    return FALSE;
  if (tensors->len != self->items->len)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: read back with %u tensors, %u were written", path, tensors->len,
                   self->items->len);
      return FALSE;
    }

  for (guint i = 0; i < tensors->len; i++)
    {
      double done = (double) i / tensors->len;
      const Item *item = &g_array_index (self->items, Item, i);
      const TareTensor *tensor = g_ptr_array_index (tensors, i);

      if (!g_str_equal (tensor->name, item->name))
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: %s: not there when read back",
                       path, item->name);
          return FALSE;
        }
      if (!check_item (item, tensor, error) ||
          !tare_progress_step (self->progress, WRITE_SHARE + (1.0 - WRITE_SHARE) * done, NULL,
                               error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
write_all (Export   *self,
           GArray   *exported,
           GError  **error)
{
  const char *temporary;

  for (guint i = 0; i < self->items->len; i++)
    {
      const Item *item = &g_array_index (self->items, Item, i);

      self->bytes += item->bytes;
      if (!tare_gguf_writer_add (self->writer, item->name, item->ggml_type, item->n_dimensions,
                                 item->shape, error))
        return FALSE;
    }
  for (guint i = 0; i < self->items->len; i++)
    {
      Item *item = &g_array_index (self->items, Item, i);
      const Item *next = i + 1 < self->items->len ? item + 1 : NULL;

      if (item->apart ? !write_parameters (self, item, error)
                      : !write_tensor (self, item, next != NULL && next->apart ? next : NULL,
                                       exported, error))
        return FALSE;
    }

  temporary = tare_gguf_writer_finish (self->writer, error);
  if (temporary == NULL || !verify (self, temporary, error))
    return FALSE;

  return tare_gguf_writer_commit (self->writer, error);
}

/* A source at @path stays mapped while the new file takes its name, so a model may be written over
 * itself; a folder may not. */
static gboolean
write_file (const TareTarget    *self,
            TareEngine          *engine,
            TareRecipe          *recipe,
            TareCalibration     *calibration,
            const char          *path,
            GArray              *exported,
            const TareProgress  *progress,
            GError             **error)
{
  TareModel *model = tare_engine_get_model (engine);
  g_autoptr(GArray) items = NULL;
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(TareGgufWriter) writer = NULL;
  g_autoptr(TarePlan) planned = NULL;
  Export export = { 0 };
  gboolean done;

  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: is a folder, not a file", path);
      return FALSE;
    }
  planned = tare_target_plan (self, model, recipe, calibration, error);
  if (planned == NULL)
    return FALSE;

  items = list_items (model, planned->recipe);
  metadata = make_metadata (model, items, error);
  if (metadata == NULL)
    return FALSE;
  writer = tare_gguf_writer_new (path, metadata, error);
  if (writer == NULL)
    return FALSE;

  export = (Export) {
    .engine = engine,
    .recipe = planned->recipe,
    .calibration = calibration,
    .writer = writer,
    .items = items,
    .progress = progress,
  };

  done = write_all (&export, exported, error);
  g_free (export.parameters);

  return done;
}

const TareTarget _tare_target_gguf = {
  .id = "gguf",
  .label = N_("GGUF for llama.cpp"),
  .container = TARE_CONTAINER_GGUF,
  .suffix = ".gguf",
  .vectors = "f32",
  .plan = plan,
  .write = write_file,
};
