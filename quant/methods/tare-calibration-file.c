/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Calibrations as GGUF files, the importance matrices of llama.cpp since 2025: for every layer the
 * F32 tensors NAME.in_sum2, Σx² of its columns, and NAME.counts, its tokens, each with a row for
 * every expert of a stacked layer, as has NAME.maximum below. More that other
 * readers pass over: NAME.maximum, the largest |x| of its columns, and, for the first only of the
 * layers that share an input, NAME.hessian, Σxx', or NAME.hessian_sketch, its product with a matrix
 * of random signs, a row for each of its columns, and the four parts of a profile, NAME.mean,
 * NAME.magnitude, NAME.histogram and NAME.tokens, and NAME.positions, the largest |x| at
 * each position of a sequence; of block N, blk.N.stream, its cosine and its
 * gain, and blk.N.attention, its spread and its sink.
 */
#include "quant/methods/tare-calibration-private.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "quant/model/tare-gguf.h"
#include "quant/tare-error.h"

#define SUFFIX_SUMS    ".in_sum2"
#define SUFFIX_COUNTS  ".counts"
#define SUFFIX_MAXIMUM ".maximum"
#define SUFFIX_GRAM    ".hessian"
#define SUFFIX_SKETCH  ".hessian_sketch"

/* What sums in binary32 may be off. */
#define SKETCH_ROUNDING 1e-3

#define SUFFIX_MEAN      ".mean"
#define SUFFIX_MAGNITUDE ".magnitude"
#define SUFFIX_HISTOGRAM ".histogram"
#define SUFFIX_TOKENS    ".tokens"
#define SUFFIX_POSITIONS ".positions"

#define SUFFIX_STREAM    ".stream"
#define SUFFIX_ATTENTION ".attention"

/* More blocks than any network has. */
#define MOST_BLOCKS 65536

#define KEY_TYPE        "general.type"
#define KEY_DATASETS    "imatrix.datasets"
#define KEY_CHUNK_COUNT "imatrix.chunk_count"
#define KEY_CHUNK_SIZE  "imatrix.chunk_size"
#define TYPE_IMATRIX    "imatrix"

#define GGML_TYPE_F32 0

typedef struct
{
  TareFile        *file;
  GHashTable      *tensors;
  TareCalibration *calibration;
} Loader;

static gboolean
refuse (const Loader     *loader,
        const char       *tensor,
        const char       *suffix,
        const char       *what,
        GError          **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: %s%s: %s",
               tare_file_get_path (loader->file), tensor, suffix, what);

  return FALSE;
}

/* (nullable): the tensor of @layer with @suffix */
static const TareTensor *
find_tensor (const Loader *loader,
             const char   *layer,
             const char   *suffix)
{
  g_autofree char *name = g_strconcat (layer, suffix, NULL);

  return g_hash_table_lookup (loader->tensors, name);
}

static gboolean
check_numbers (const float *x,
               gsize        n,
               gboolean     signed_too)
{
  gboolean good = TRUE;

#pragma omp parallel for simd reduction(&&:good)
  for (gsize i = 0; i < n; i++)
    good = good && isfinite (x[i]) && (signed_too || x[i] >= 0.0f);

  return good;
}

/* Reads rows x columns finite numbers into @out. */
static gboolean
read_signed (const Loader      *loader,
             const char        *layer,
             const char        *suffix,
             const TareTensor  *tensor,
             gsize              rows,
             gsize              columns,
             float             *out,
             GError           **error)
{
  if (tensor->rows != rows || tensor->columns != columns)
    return refuse (loader, layer, suffix, "its shape is not that of its layer", error);

  if (!tare_tensor_read (tensor, out, error))
    return FALSE;

  return check_numbers (out, rows * columns, TRUE)
         || refuse (loader, layer, suffix, "a value is not finite", error);
}

/* The same, where none may be negative. */
static gboolean
read_numbers (const Loader      *loader,
              const char        *layer,
              const char        *suffix,
              const TareTensor  *tensor,
              gsize              rows,
              gsize              columns,
              float             *out,
              GError           **error)
{
  return read_signed (loader, layer, suffix, tensor, rows, columns, out, error)
         && (check_numbers (out, rows * columns, FALSE)
             || refuse (loader, layer, suffix, "a value is negative", error));
}

/* Points at the gram where it lies in the file if that is as it is needed, else reads it. */
static gboolean
take_gram (const Loader          *loader,
           const char            *layer,
           const TareTensor      *tensor,
           TareCalibrationRecord *record,
           GError               **error)
{
  TareLayerActivations *activations = &record->activations;
  gsize columns = activations->columns;
  const guint8 *bytes;

  if (tensor->rows != columns || tensor->columns != columns)
    return refuse (loader, layer, SUFFIX_GRAM, "its shape is not that of its layer", error);

  bytes = tensor->format == tare_format_lookup_ggml (GGML_TYPE_F32)
            ? tare_tensor_get_row (tensor, 0) : NULL;

  if (bytes != NULL && G_BYTE_ORDER == G_LITTLE_ENDIAN
      && (uintptr_t) bytes % sizeof (float) == 0)
    {
      activations->gram = (float *) bytes;
      record->gram_file = tare_file_ref (loader->file);
    }
  else
    {
      activations->gram = g_try_new (float, columns * columns);
      if (activations->gram == NULL)
        return refuse (loader, layer, SUFFIX_GRAM, "no memory for it", error);
      if (!tare_tensor_read (tensor, activations->gram, error))
        return FALSE;
    }

  if (!check_numbers (activations->gram, columns * columns, TRUE))
    return refuse (loader, layer, SUFFIX_GRAM, "a value is not finite", error);

  tare_tensor_release_rows (tensor, 0, columns);

  return TRUE;
}

/* Which has no more columns than the gram would. */
static gboolean
load_sketch (const Loader          *loader,
             const char            *layer,
             const TareTensor      *tensor,
             TareLayerActivations  *activations,
             GError               **error)
{
  if (tensor->rows != activations->columns || tensor->columns == 0
      || tensor->columns > activations->columns)
    return refuse (loader, layer, SUFFIX_SKETCH, "its shape is not that of its layer", error);

  if (!tare_layer_activations_sketch (activations, tensor->columns))
    return refuse (loader, layer, SUFFIX_SKETCH, "no memory for it", error);

  return read_signed (loader, layer, SUFFIX_SKETCH, tensor, tensor->rows, tensor->columns,
                      activations->sketch, error);
}

/* No |aᵢ'ω| of a row of the gram and signs is above √Aᵢᵢ Σ √Aⱼⱼ, by Cauchy and Schwarz. */
static gboolean
check_sketch (const Loader                *loader,
              const char                  *layer,
              const TareLayerActivations  *activations,
              GError                     **error)
{
  gsize n = activations->columns, k = activations->n_sketch;
  double sum = 0.0;

  for (gsize i = 0; i < n; i++)
    sum += sqrt ((double) activations->sum_squares[i]);
  for (gsize i = 0; i < n; i++)
    {
      double most = (1.0 + SKETCH_ROUNDING) * sqrt ((double) activations->sum_squares[i]) * sum;

      for (gsize j = 0; j < k; j++)
        {
          if (fabs ((double) activations->sketch[i * k + j]) > most)
            return refuse (loader, layer, SUFFIX_SKETCH,
                           "a value is larger than " SUFFIX_SUMS " allows", error);
        }
    }

  return TRUE;
}

/* All parts of it or none. */
static gboolean
load_profile (const Loader          *loader,
              const char            *layer,
              TareLayerActivations  *activations,
              GError               **error)
{
  const TareTensor *mean = find_tensor (loader, layer, SUFFIX_MEAN);
  const TareTensor *magnitude = find_tensor (loader, layer, SUFFIX_MAGNITUDE);
  const TareTensor *histogram = find_tensor (loader, layer, SUFFIX_HISTOGRAM);
  const TareTensor *tokens = find_tensor (loader, layer, SUFFIX_TOKENS);
  gsize columns = activations->columns;
  TareActivationProfile *profile;

  if (mean == NULL || magnitude == NULL || histogram == NULL || tokens == NULL)
    return TRUE;

  profile = activations->profile = tare_activation_profile_new (columns);
  if (profile == NULL)
    return refuse (loader, layer, SUFFIX_MEAN, "no memory for it", error);

  return read_signed (loader, layer, SUFFIX_MEAN, mean, 1, columns, profile->mean, error)
         && read_numbers (loader, layer, SUFFIX_MAGNITUDE, magnitude, 1, columns,
                          profile->magnitude, error)
         && read_numbers (loader, layer, SUFFIX_HISTOGRAM, histogram, 1,
                          G_N_ELEMENTS (profile->histogram), profile->histogram, error)
         && read_numbers (loader, layer, SUFFIX_TOKENS, tokens, 1,
                          G_N_ELEMENTS (profile->tokens), profile->tokens, error);
}

static gboolean
load_positions (const Loader          *loader,
                const char            *layer,
                TareLayerActivations  *activations,
                GError               **error)
{
  const TareTensor *positions = find_tensor (loader, layer, SUFFIX_POSITIONS);

  if (positions == NULL)
    return TRUE;

  if (tare_tensor_get_n_weights (positions) == 0)
    return refuse (loader, layer, SUFFIX_POSITIONS, "it has no columns", error);

  if (!tare_layer_activations_set_positions (activations, positions->columns))
    return refuse (loader, layer, SUFFIX_POSITIONS, "no memory for it", error);

  return read_numbers (loader, layer, SUFFIX_POSITIONS, positions, 1, activations->n_positions,
                       activations->positions, error);
}

/* Of every matrix or of none. */
static gboolean
load_maximum (const Loader          *loader,
              const char            *layer,
              TareLayerActivations  *activations,
              GError               **error)
{
  const TareTensor *maximum = find_tensor (loader, layer, SUFFIX_MAXIMUM);
  TareExpertActivations *experts = activations->experts;

  if (maximum != NULL)
    return read_numbers (loader, layer, SUFFIX_MAXIMUM, maximum, experts != NULL ? experts->n : 1,
                         activations->columns,
                         experts != NULL ? experts->maximum : activations->maximum, error);

  g_clear_pointer (&activations->maximum, g_free);
  if (experts != NULL)
    g_clear_pointer (&experts->maximum, g_free);

  return TRUE;
}

static gboolean
load_extras (const Loader          *loader,
             const char            *layer,
             TareCalibrationRecord *record,
             GError               **error)
{
  TareLayerActivations *activations = &record->activations;
  const TareTensor *gram = find_tensor (loader, layer, SUFFIX_GRAM);
  const TareTensor *sketch = find_tensor (loader, layer, SUFFIX_SKETCH);

  if (!load_maximum (loader, layer, activations, error))
    return FALSE;

  if (gram != NULL && sketch != NULL)
    return refuse (loader, layer, SUFFIX_SKETCH, "there is a " SUFFIX_GRAM " beside it", error);

  return load_profile (loader, layer, activations, error)
         && load_positions (loader, layer, activations, error)
         && (gram == NULL || take_gram (loader, layer, gram, record, error))
         && (sketch == NULL || load_sketch (loader, layer, sketch, activations, error));
}

/* blk.N.stream and blk.N.attention of one block, if there is either. */
static gboolean
load_block (Loader      *loader,
            guint        index,
            gboolean    *found,
            GError     **error)
{
  g_autofree char *name = g_strdup_printf ("blk.%u", index);
  const TareTensor *stream = find_tensor (loader, name, SUFFIX_STREAM);
  const TareTensor *attention = find_tensor (loader, name, SUFFIX_ATTENTION);
  float numbers[4] = { NAN, NAN, NAN, NAN };
  TareBlockActivity activity;

  *found = stream != NULL || attention != NULL;
  if ((stream != NULL
       && !read_signed (loader, name, SUFFIX_STREAM, stream, 1, 2, numbers, error))
      || (attention != NULL
          && !read_numbers (loader, name, SUFFIX_ATTENTION, attention, 1, 2, numbers + 2,
                             error)))
    return FALSE;

  activity = (TareBlockActivity) { (double) numbers[0], (double) numbers[1], (double) numbers[2],
                                   (double) numbers[3] };
  if (*found)
    tare_calibration_set_block (loader->calibration, index, &activity);

  return TRUE;
}

/* From the first block to the last of which something is known. */
static gboolean
load_blocks (Loader  *loader,
             GError **error)
{
  gboolean found = TRUE;

  for (guint i = 0; found && i < MOST_BLOCKS; i++)
    {
      if (!load_block (loader, i, &found, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
load_sums (const Loader          *loader,
           const char            *layer,
           const TareTensor      *sums,
           const TareTensor      *counts,
           TareLayerActivations  *activations,
           GError               **error)
{
  float n_tokens;

  if (!read_numbers (loader, layer, SUFFIX_COUNTS, counts, 1, 1, &n_tokens, error)
      || !read_numbers (loader, layer, SUFFIX_SUMS, sums, 1, sums->columns,
                        activations->sum_squares, error))
    return FALSE;

  activations->n_tokens = (double) n_tokens;

  return TRUE;
}

/* One row, and one count, for each expert. */
static gboolean
load_experts (const Loader          *loader,
              const char            *layer,
              const TareTensor      *sums,
              const TareTensor      *counts,
              TareLayerActivations  *activations,
              GError               **error)
{
  gsize n = sums->rows;
  g_autofree float *n_tokens = g_try_new (float, n);

  if (n_tokens == NULL || !tare_layer_activations_split (activations, n))
    return refuse (loader, layer, SUFFIX_SUMS, "no memory for its experts", error);

  if (!read_numbers (loader, layer, SUFFIX_COUNTS, counts, n, 1, n_tokens, error)
      || !read_numbers (loader, layer, SUFFIX_SUMS, sums, n, sums->columns,
                        activations->experts->sum_squares, error))
    return FALSE;

  for (gsize e = 0; e < n; e++)
    activations->experts->n_tokens[e] = (double) n_tokens[e];

  return TRUE;
}

static gboolean
load_layer (const Loader      *loader,
            const char        *layer,
            const TareTensor  *sums,
            GError           **error)
{
  const TareTensor *counts = find_tensor (loader, layer, SUFFIX_COUNTS);
  TareLayerActivations *activations;

  if (counts == NULL)
    return refuse (loader, layer, SUFFIX_SUMS, "there is no " SUFFIX_COUNTS " beside it", error);

  if (tare_tensor_get_n_weights (sums) == 0)
    return refuse (loader, layer, SUFFIX_SUMS, "it has no columns", error);

  activations = tare_calibration_add (loader->calibration, layer, sums->columns, FALSE);
  if (activations == NULL)
    return refuse (loader, layer, SUFFIX_SUMS, "no memory for its columns", error);

  if (!(sums->rows > 1 ? load_experts : load_sums) (loader, layer, sums, counts, activations,
                                                    error)
      || !load_extras (loader, layer, _tare_calibration_get_layer (loader->calibration,
                                                                   layer)->record, error))
    return FALSE;

  if (activations->experts != NULL)
    tare_layer_activations_total (activations);

  return check_sketch (loader, layer, activations, error);
}

static gboolean
load_tensors (Loader     *loader,
              GPtrArray  *tensors,
              GError    **error)
{
  for (guint i = 0; i < tensors->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (tensors, i);

      g_hash_table_insert (loader->tensors, tensor->name, tensor);
    }

  for (guint i = 0; i < tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (tensors, i);
      gboolean is_sums = g_str_has_suffix (tensor->name, SUFFIX_SUMS);
      const char *suffix = is_sums ? SUFFIX_SUMS : SUFFIX_COUNTS;
      g_autofree char *layer = NULL;

      if (!g_str_has_suffix (tensor->name, suffix))
        continue;

      layer = g_strndup (tensor->name, strlen (tensor->name) - strlen (suffix));
      if (is_sums && !load_layer (loader, layer, tensor, error))
        return FALSE;

      if (!is_sums && find_tensor (loader, layer, SUFFIX_SUMS) == NULL)
        return refuse (loader, layer, SUFFIX_COUNTS, "there is no " SUFFIX_SUMS " beside it",
                       error);
    }

  return tare_calibration_get_n_layers (loader->calibration) > 0
         || refuse (loader, "", "", "the importance matrix has no entries", error);
}

static char *
dup_datasets (TareMetadata *metadata)
{
  GString *names = g_string_new (NULL);

  for (gsize i = 0; i < tare_metadata_get_length (metadata, KEY_DATASETS); i++)
    {
      const char *name = tare_metadata_get_string_at (metadata, KEY_DATASETS, i);

      if (name != NULL)
        g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", name);
    }

  return g_string_free (names, FALSE);
}

static TareCalibration *
load_gguf (TareFile  *file,
           GError   **error)
{
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(GHashTable) by_name = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(TareCalibration) self = NULL;
  g_autofree char *datasets = NULL;
  Loader loader = { file, by_name, NULL };
  gint64 context = 0;

  if (!tare_gguf_read (file, tensors, &metadata, error))
    return NULL;

  if (g_strcmp0 (tare_metadata_get_string (metadata, KEY_TYPE), TYPE_IMATRIX) != 0)
    {
      refuse (&loader, KEY_TYPE, "", "not \"" TYPE_IMATRIX "\": neither a calibration nor an "
              "importance matrix", error);
      return NULL;
    }

  if (tare_metadata_has (metadata, KEY_CHUNK_SIZE)
      && (!tare_metadata_get_integer (metadata, KEY_CHUNK_SIZE, &context)
          || context < 0 || context > G_MAXINT32))
    {
      refuse (&loader, KEY_CHUNK_SIZE, "", "out of bounds", error);
      return NULL;
    }

  datasets = dup_datasets (metadata);
  self = tare_calibration_new (datasets, (guint) context);
  loader.calibration = self;
  if (!load_tensors (&loader, tensors, error) || !load_blocks (&loader, error))
    return NULL;

  _tare_calibration_join_inputs (self);

  return g_steal_pointer (&self);
}

/**
 * tare_calibration_load:
 * @path: an importance matrix, in either of llama.cpp's formats, or what tare_calibration_save()
 *   wrote
 * @error: return location for an error
 *
 * Reads a calibration. Which format it is shows in its first bytes. Layers of which the role table
 * says that they share an input share a record again. Grams stay in the file, which is mapped.
 *
 * Returns: (transfer full): the calibration, or %NULL with @error set
 */
TareCalibration *
tare_calibration_load (const char  *path,
                       GError     **error)
{
  g_autoptr(TareFile) file = NULL;

  g_return_val_if_fail (path != NULL, NULL);

  file = tare_file_open (path, error);
  if (file == NULL)
    return NULL;

  return tare_gguf_probe (file) ? load_gguf (file, error)
                                : _tare_calibration_load_dat (file, error);
}

static int
compare_layers (gconstpointer a,
                gconstpointer b)
{
  const TareCalibrationLayer *const *first = a;
  const TareCalibrationLayer *const *second = b;

  return strcmp ((*first)->name, (*second)->name);
}

static GPtrArray *
sort_layers (TareCalibration *self)
{
  GPtrArray *layers = g_ptr_array_sized_new (self->layers->len);

  for (guint i = 0; i < self->layers->len; i++)
    g_ptr_array_add (layers, g_ptr_array_index (self->layers, i));
  g_ptr_array_sort (layers, compare_layers);

  return layers;
}

/* Announces one tensor, or, once all are, writes it. */
static gboolean
put_tensor (TareGgufWriter  *writer,
            gboolean         announce,
            const char      *layer,
            const char      *suffix,
            const float     *x,
            gsize            rows,
            gsize            columns,
            GError         **error)
{
  g_autofree char *name = g_strconcat (layer, suffix, NULL);
  const guint64 shape[2] = { rows, columns };

  if (announce)
    return tare_gguf_writer_add (writer, name, GGML_TYPE_F32, 2, shape, error);

  return tare_gguf_writer_write (writer, (const guint8 *) x, rows * columns * sizeof *x, error);
}

static gboolean
put_profile (TareGgufWriter               *writer,
             gboolean                      announce,
             const char                   *name,
             const TareActivationProfile  *profile,
             gsize                         columns,
             GError                      **error)
{
  return put_tensor (writer, announce, name, SUFFIX_MEAN, profile->mean, 1, columns, error)
         && put_tensor (writer, announce, name, SUFFIX_MAGNITUDE, profile->magnitude, 1, columns,
                        error)
         && put_tensor (writer, announce, name, SUFFIX_HISTOGRAM, profile->histogram, 1,
                        G_N_ELEMENTS (profile->histogram), error)
         && put_tensor (writer, announce, name, SUFFIX_TOKENS, profile->tokens, 1,
                        G_N_ELEMENTS (profile->tokens), error);
}

/* Σx², tokens and maxima: a row for each expert, where they are told apart. */
static gboolean
put_sums (TareGgufWriter              *writer,
          gboolean                     announce,
          const char                  *name,
          const TareLayerActivations  *activations,
          GError                     **error)
{
  const TareExpertActivations *experts = activations->experts;
  gsize n = experts != NULL ? experts->n : 1, columns = activations->columns;
  const float *maximum = experts != NULL ? experts->maximum : activations->maximum;
  g_autofree float *n_tokens = g_new (float, n);

  for (gsize e = 0; e < n; e++)
    n_tokens[e] = (float) (experts != NULL ? experts->n_tokens[e] : activations->n_tokens);

  return put_tensor (writer, announce, name, SUFFIX_SUMS,
                     experts != NULL ? experts->sum_squares : activations->sum_squares, n,
                     columns, error)
         && put_tensor (writer, announce, name, SUFFIX_COUNTS, n_tokens, n, 1, error)
         && (maximum == NULL
             || put_tensor (writer, announce, name, SUFFIX_MAXIMUM, maximum, n, columns, error));
}

static gboolean
put_layer (TareGgufWriter              *writer,
           gboolean                     announce,
           const TareCalibrationLayer  *layer,
           GError                     **error)
{
  const TareLayerActivations *activations = &layer->record->activations;
  const char *name = layer->name;
  gsize columns = activations->columns;

  if (!put_sums (writer, announce, name, activations, error))
    return FALSE;

  if (layer->same_as != NULL)
    return TRUE;

  return (activations->profile == NULL
          || put_profile (writer, announce, name, activations->profile, columns, error))
         && (activations->positions == NULL
             || put_tensor (writer, announce, name, SUFFIX_POSITIONS, activations->positions, 1,
                            activations->n_positions, error))
         && (activations->gram == NULL
             || put_tensor (writer, announce, name, SUFFIX_GRAM, activations->gram, columns,
                            columns, error))
         && (activations->sketch == NULL
             || put_tensor (writer, announce, name, SUFFIX_SKETCH, activations->sketch, columns,
                            activations->n_sketch, error));
}

static gboolean
put_block (TareGgufWriter           *writer,
           gboolean                  announce,
           guint                     index,
           const TareBlockActivity  *activity,
           GError                  **error)
{
  g_autofree char *name = g_strdup_printf ("blk.%u", index);
  const float stream[2] = { (float) activity->cosine, (float) activity->gain };
  const float attention[2] = { (float) activity->spread, (float) activity->sink };

  return (!isfinite (stream[0]) || !isfinite (stream[1])
          || put_tensor (writer, announce, name, SUFFIX_STREAM, stream, 1, 2, error))
         && (!isfinite (attention[0]) || !isfinite (attention[1])
             || put_tensor (writer, announce, name, SUFFIX_ATTENTION, attention, 1, 2, error));
}

static gboolean
put_blocks (TareGgufWriter   *writer,
            gboolean          announce,
            TareCalibration  *self,
            GError          **error)
{
  for (guint i = 0; i < self->blocks->len; i++)
    {
      if (!put_block (writer, announce, i, &g_array_index (self->blocks, TareBlockActivity, i),
                      error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
put_layers (TareGgufWriter  *writer,
            gboolean         announce,
            GPtrArray       *layers,
            GError         **error)
{
  for (guint i = 0; i < layers->len; i++)
    {
      if (!put_layer (writer, announce, g_ptr_array_index (layers, i), error))
        return FALSE;
    }

  return TRUE;
}

static TareMetadata *
make_metadata (TareCalibration *self)
{
  TareMetadata *metadata = tare_metadata_new ();
  const char *datasets[] = { self->dataset };
  double chunks = tare_calibration_get_n_tokens (self) / MAX (self->context, 1);

  tare_metadata_set_string (metadata, KEY_TYPE, TYPE_IMATRIX);
  tare_metadata_set_strings (metadata, KEY_DATASETS, datasets, 1);
  tare_metadata_set_u32 (metadata, KEY_CHUNK_COUNT, (guint32) CLAMP (chunks, 0.0, G_MAXUINT32));
  tare_metadata_set_u32 (metadata, KEY_CHUNK_SIZE, self->context);

  return metadata;
}

/**
 * tare_calibration_save:
 * @self: a calibration with at least one layer
 * @path: where to write it; a name that ends in ".dat" asks for llama.cpp's older format, which
 *   holds importances only
 * @error: return location for an error
 *
 * Writes a calibration, whole or not at all.
 *
 * Returns: whether that went well
 */
gboolean
tare_calibration_save (TareCalibration  *self,
                       const char       *path,
                       GError          **error)
{
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(TareGgufWriter) writer = NULL;
  g_autoptr(GPtrArray) layers = NULL;

  g_return_val_if_fail (self != NULL && path != NULL, FALSE);
  g_return_val_if_fail (self->layers->len > 0, FALSE);

  if (g_str_has_suffix (path, ".dat"))
    return _tare_calibration_save_dat (self, path, error);

  metadata = make_metadata (self);
  layers = sort_layers (self);
  writer = tare_gguf_writer_new (path, metadata, error);

  return writer != NULL
         && put_layers (writer, TRUE, layers, error)
         && put_blocks (writer, TRUE, self, error)
         && put_layers (writer, FALSE, layers, error)
         && put_blocks (writer, FALSE, self, error)
         && tare_gguf_writer_finish (writer, error) != NULL
         && tare_gguf_writer_commit (writer, error);
}
