/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-engine.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "quant/recipe/tare-engine-private.h"
#include "quant/tare-error.h"

/* Weights that are in fp32 at once, twice: before rounding and after. The slowest search takes
 * some 40 ms for them on two cores, which is how long a cancelled job goes on. */
#define CHUNK_WEIGHTS ((gsize) 1 << 20)

/* How often a thread that waits for another's result asks whether it is still wanted. */
#define WAIT_USEC 20000

/* One result, or the promise of one while a thread is at work on it. */
typedef struct
{
  char          *key;
  TareQuantized *quantized;
  GList          link;
} Entry;

struct _TareEngine
{
  gatomicrefcount  ref_count;
  TareModel       *model;
  GMutex           mutex;
  GCond            finished;
  GHashTable      *entries;
  GQueue           recent;
  guint64          used;
  guint64          budget;
};

static void
entry_free (gpointer data)
{
  Entry *self = data;

  g_clear_pointer (&self->quantized, tare_quantized_unref);
  g_free (self->key);
  g_free (self);
}

static void
quantized_clear (gpointer data)
{
  TareQuantized *self = data;

  g_clear_pointer (&self->bytes, g_bytes_unref);
}

/**
 * tare_quantized_ref:
 * @quantized: a quantized tensor
 *
 * Returns: (transfer full): the same
 */
TareQuantized *
tare_quantized_ref (TareQuantized *quantized)
{
  return g_atomic_rc_box_acquire (quantized);
}

/**
 * tare_quantized_unref:
 * @quantized: (transfer full): a quantized tensor
 */
void
tare_quantized_unref (TareQuantized *quantized)
{
  g_atomic_rc_box_release_full (quantized, quantized_clear);
}

/**
 * tare_quantized_decode:
 * @quantized: what an engine made of @tensor
 * @tensor: the tensor
 * @out: (out caller-allocates): rows x columns values
 * @error: names the file and the tensor
 *
 * Decodes the very bytes that an export writes, so what is weighed is what is written.
 */
gboolean
tare_quantized_decode (TareQuantized     *quantized,
                       const TareTensor  *tensor,
                       float             *out,
                       GError           **error)
{
  if (quantized->bytes == NULL)
    return tare_tensor_read (tensor, out, error);

  tare_format_decode (quantized->format, g_bytes_get_data (quantized->bytes, NULL),
                      tensor->rows, tensor->columns, out);

  return TRUE;
}

/* A quarter of the machine's memory: the model is mapped, not held, and so leaves room. */
static guint64
default_budget (void)
{
  long pages = sysconf (_SC_PHYS_PAGES);
  long page_bytes = sysconf (_SC_PAGESIZE);

  if (pages <= 0 || page_bytes <= 0)
    return G_GUINT64_CONSTANT (1) << 30;

  return (guint64) pages * (guint64) page_bytes / 4;
}

/**
 * tare_engine_new:
 * @model: the model whose tensors it quantizes
 *
 * Returns: (transfer full): an engine that keeps results up to a quarter of the machine's memory
 */
TareEngine *
tare_engine_new (TareModel *model)
{
  TareEngine *self = g_new0 (TareEngine, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->model = tare_model_ref (model);
  g_mutex_init (&self->mutex);
  g_cond_init (&self->finished);
  self->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, entry_free);
  g_queue_init (&self->recent);
  self->budget = default_budget ();

  return self;
}

/**
 * tare_engine_ref:
 * @self: an engine
 *
 * Returns: (transfer full): the same
 */
TareEngine *
tare_engine_ref (TareEngine *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

/**
 * tare_engine_unref:
 * @self: (transfer full): an engine
 */
void
tare_engine_unref (TareEngine *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_hash_table_unref (self->entries);
  g_cond_clear (&self->finished);
  g_mutex_clear (&self->mutex);
  tare_model_unref (self->model);
  g_free (self);
}

/**
 * tare_engine_get_model:
 * @self: an engine
 *
 * Returns: (transfer none): the model whose tensors it quantizes
 */
TareModel *
tare_engine_get_model (TareEngine *self)
{
  return self->model;
}

static guint64
count_bytes (const TareQuantized *quantized)
{
  return sizeof *quantized + (quantized->bytes != NULL ? g_bytes_get_size (quantized->bytes) : 0);
}

/* With the mutex held. What has not been asked for the longest goes first. */
static void
trim (TareEngine *self)
{
  while (self->used > self->budget && !g_queue_is_empty (&self->recent))
    {
      Entry *oldest = g_queue_peek_tail (&self->recent);

      g_queue_unlink (&self->recent, &oldest->link);
      self->used -= count_bytes (oldest->quantized);
      g_hash_table_remove (self->entries, oldest->key);
    }
}

/**
 * tare_engine_set_budget:
 * @self: an engine
 * @bytes: how much it may keep; 0 for nothing
 *
 * What has been handed out stays valid.
 */
void
tare_engine_set_budget (TareEngine *self,
                        guint64     bytes)
{
  g_mutex_lock (&self->mutex);
  self->budget = bytes;
  trim (self);
  g_mutex_unlock (&self->mutex);
}

/* One tensor on its way through a method; @importance is of each of its experts, where the
 * calibration tells them apart. */
typedef struct
{
  const TareTensor           *tensor;
  const TareFormat           *format;
  const TareAssignment       *assignment;
  const TareLayerActivations *activations;
  const float                *importance;
} Work;

static gboolean
check_finite (const Work   *work,
              const float  *x,
              gsize         first,
              gsize         n,
              GError      **error)
{
  gsize columns = work->tensor->columns;

  for (gsize i = 0; i < n * columns; i++)
    if (!isfinite (x[i]))
      {
        g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
                     "%s: %s: row %" G_GSIZE_FORMAT ", column %" G_GSIZE_FORMAT
                     " is %s, which cannot be quantized",
                     tare_file_get_path (work->tensor->file), work->tensor->canonical,
                     first + i / columns, i % columns, isnan (x[i]) ? "not a number" : "infinite");
        return FALSE;
      }

  return TRUE;
}

/* The relative figures are means over rows, so chunks weigh by the rows that they counted. */
static void
merge (TareDistortion       *sum,
       const TareDistortion *part)
{
  gsize rows = sum->rows + part->rows;

  if (part->rows > 0)
    {
      double share = (double) part->rows / (double) rows;

      sum->relative += (part->relative - sum->relative) * share;
      sum->weighted += (part->weighted - sum->weighted) * share;
    }
  sum->squared += part->squared;
  sum->maximum = MAX (sum->maximum, part->maximum);
  sum->rows = rows;
}

/* From row @first on, at most @n rows of one expert, and what is to be known of that one alone. */
static gsize
enter_expert (const Work            *work,
              gsize                  first,
              gsize                  n,
              Work                  *part,
              TareLayerActivations  *activations)
{
  gsize rows = work->tensor->rows;
  gsize expert;

  n = MIN (n, rows - first);
  *part = *work;
  if (work->activations == NULL || work->activations->experts == NULL)
    return n;

  rows /= work->activations->experts->n;
  expert = first / rows;
  *activations = tare_layer_activations_get_expert (work->activations, expert);
  part->activations = activations;
  part->importance = work->importance + expert * work->tensor->columns;

  return MIN (n, (expert + 1) * rows - first);
}

static gboolean
read_rows (const Work  *work,
           gsize        first,
           gsize        n,
           float       *x,
           GError     **error)
{
  if (!tare_tensor_read_rows (work->tensor, first, n, x, error) ||
      !check_finite (work, x, first, n, error))
    return FALSE;
  tare_tensor_release_rows (work->tensor, first, n);

  return TRUE;
}

static gboolean
round_rows (const Work          *work,
            const float         *x,
            gsize                n,
            guint8              *codes,
            const TareProgress  *progress,
            GError             **error)
{
  const TareMethod *method = work->assignment->method;

  if (method->round (method, work->format, work->assignment->range, x, n, work->tensor->columns,
                     work->activations, codes, progress, error))
    return TRUE;

  if (!tare_progress_cancelled (progress))
    g_prefix_error (error, "%s: %s: ", tare_file_get_path (work->tensor->file),
                    work->tensor->canonical);

  return FALSE;
}

/* What became of rows x, of which y is room for as many. */
static gboolean
weigh_rows (const Work      *work,
            gsize            first,
            gsize            n,
            const float     *x,
            float           *y,
            TareDistortion  *distortion,
            GError         **error)
{
  TareDistortion part = tare_distortion_measure (x, y, n, work->tensor->columns,
                                                 work->importance);

  merge (distortion, &part);
  if (isfinite (part.squared))
    return TRUE;

  /* A scale beyond what its half-precision field can hold. */
  g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
               "%s: %s: weights of rows %" G_GSIZE_FORMAT " to %" G_GSIZE_FORMAT
               " are too large for %s", tare_file_get_path (work->tensor->file),
               work->tensor->canonical, first, first + n - 1, work->format->label);

  return FALSE;
}

/* Rows that are independent of each other: a tensor of any size goes through a bounded part of
 * memory. x, y: [chunk, columns] */
static gboolean
quantize_rows (const Work          *work,
               gsize                chunk,
               float               *x,
               float               *y,
               guint8              *codes,
               TareDistortion      *distortion,
               const TareProgress  *progress,
               GError             **error)
{
  const TareTensor *tensor = work->tensor;
  gsize row_bytes = tare_format_get_row_bytes (work->format, tensor->columns);
  gsize n;

  for (gsize first = 0; first < tensor->rows; first += n)
    {
      TareLayerActivations activations;
      Work own;
      guint8 *row = codes + first * row_bytes;
      TareProgress part;

      n = enter_expert (work, first, chunk, &own, &activations);
      part = tare_progress_part (progress, (double) first / (double) tensor->rows,
                                 (double) (first + n) / (double) tensor->rows);
      if (!tare_progress_step (&part, 0.0, NULL, error) || !read_rows (work, first, n, x, error)
          || !round_rows (&own, x, n, row, &part, error))
        return FALSE;

      tare_format_decode (work->format, row, n, tensor->columns, y);
      if (!weigh_rows (&own, first, n, x, y, distortion, error))
        return FALSE;
    }

  return TRUE;
}

/* Rows that share something: all of them are in memory at once, twice, as some formats can only be
 * decoded as a whole. x, y: [rows, columns] */
static gboolean
quantize_matrix (const Work          *work,
                 gsize                chunk,
                 float               *x,
                 float               *y,
                 guint8              *codes,
                 TareDistortion      *distortion,
                 const TareProgress  *progress,
                 GError             **error)
{
  const TareTensor *tensor = work->tensor;
  gsize columns = tensor->columns, n;
  TareProgress part = tare_progress_part (progress, 0.1, 0.9);

  for (gsize first = 0; first < tensor->rows; first += chunk)
    if (!tare_progress_step (progress, 0.1 * (double) first / (double) tensor->rows, NULL, error)
        || !read_rows (work, first, MIN (chunk, tensor->rows - first), x + first * columns, error))
      return FALSE;

  if (!round_rows (work, x, tensor->rows, codes, &part, error))
    return FALSE;

  tare_format_decode (work->format, codes, tensor->rows, columns, y);
  for (gsize first = 0; first < tensor->rows; first += n)
    {
      TareLayerActivations activations;
      Work own;

      n = enter_expert (work, first, chunk, &own, &activations);
      if (!tare_progress_step (progress, 0.9 + 0.1 * (double) first / (double) tensor->rows, NULL,
                               error)
          || !weigh_rows (&own, first, n, x + first * columns, y + first * columns, distortion,
                          error))
        return FALSE;
    }

  return TRUE;
}

static TareQuantized *
quantize (const Work          *work,
          const TareProgress  *progress,
          GError             **error)
{
  const TareTensor *tensor = work->tensor;
  gboolean local = tare_format_is_row_local (work->format);
  gsize n_bytes = tare_format_get_bytes (work->format, tensor->rows, tensor->columns);
  gsize chunk = CLAMP (CHUNK_WEIGHTS / MAX (tensor->columns, 1), 1, MAX (tensor->rows, 1));
  gsize rows = local ? chunk : MAX (tensor->rows, 1);
  g_autofree guint8 *codes = g_try_malloc (MAX (n_bytes, 1));
  g_autofree float *x = g_try_malloc_n (rows * sizeof (float), MAX (tensor->columns, 1));
  g_autofree float *y = g_try_malloc_n (rows * sizeof (float), MAX (tensor->columns, 1));
  TareDistortion distortion = { 0 };
  TareQuantized *result;

  if (codes == NULL || x == NULL || y == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: %s: no memory to quantize it",
                   tare_file_get_path (tensor->file), tensor->canonical);
      return NULL;
    }

  if (!(local ? quantize_rows : quantize_matrix) (work, chunk, x, y, codes, &distortion, progress,
                                                  error))
    return NULL;

  result = g_atomic_rc_box_new0 (TareQuantized);
  result->format = work->format;
  result->bytes = g_bytes_new_take (g_steal_pointer (&codes), n_bytes);
  result->distortion = distortion;

  return result;
}

static TareQuantized *
keep (const TareTensor *tensor)
{
  TareQuantized *result = g_atomic_rc_box_new0 (TareQuantized);

  result->format = tensor->format;

  return result;
}

/* What a tensor is to be stored as; NULL where nothing is to be done, as where the source is in
 * that format already: rounding its values again could only lose. */
const TareFormat *
_tare_engine_find_format (const TareTensor     *tensor,
                          const TareAssignment *assignment)
{
  const TareFormat *format = NULL;

  if (assignment->format != NULL)
    format = tare_format_fit (assignment->format, tensor->columns);

  return format != tensor->format ? format : NULL;
}

/* (transfer full): what results are found again by */
char *
_tare_engine_make_key (const TareTensor     *tensor,
                       const TareFormat     *format,
                       const TareAssignment *assignment,
                       TareCalibration      *calibration)
{
  guint64 fingerprint = 0;

  if (calibration != NULL && tare_calibration_lookup (calibration, tensor->canonical) != NULL)
    fingerprint = tare_calibration_get_fingerprint (calibration);

  return g_strdup_printf ("%s|%s|%s|%d|%016" G_GINT64_MODIFIER "x", tensor->canonical,
                          format->id, assignment->method->id, (int) assignment->range,
                          fingerprint);
}

/* What columns matter, to each expert after the other where they are told apart. */
static float *
dup_importance (const TareLayerActivations *activations)
{
  gsize n = activations->experts != NULL ? activations->experts->n : 1;
  float *importance = g_new (float, n * activations->columns);

  for (gsize e = 0; e < n; e++)
    {
      const TareLayerActivations of = tare_layer_activations_get_expert (activations, e);
      g_autofree float *own = tare_layer_activations_dup_importance (&of);

      memcpy (importance + e * of.columns, own, of.columns * sizeof *own);
    }

  return importance;
}

static gboolean
check_experts (const Work  *work,
               GError     **error)
{
  const TareExpertActivations *experts = work->activations->experts;
  gsize n = tare_tensor_get_n_matrices (work->tensor);

  if (experts == NULL || experts->n == n)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "%s: %s: the calibration has %" G_GSIZE_FORMAT " experts for it, not %"
               G_GSIZE_FORMAT, tare_file_get_path (work->tensor->file), work->tensor->canonical,
               experts->n, n);

  return FALSE;
}

static TareQuantized *
compute (const TareTensor      *tensor,
         const TareFormat      *format,
         const TareAssignment  *assignment,
         TareCalibration       *calibration,
         const TareProgress    *progress,
         GError               **error)
{
  g_autofree float *importance = NULL;
  Work work = {
    .tensor = tensor,
    .format = format,
    .assignment = assignment,
  };

  if (calibration != NULL)
    work.activations = tare_calibration_lookup (calibration, tensor->canonical);
  if (work.activations != NULL && work.activations->columns != tensor->columns)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %s: the calibration has %" G_GSIZE_FORMAT " columns for it, not %"
                   G_GSIZE_FORMAT, tare_file_get_path (tensor->file), tensor->canonical,
                   work.activations->columns, tensor->columns);
      return NULL;
    }
  if (work.activations != NULL)
    {
      if (!check_experts (&work, error))
        return NULL;
      importance = dup_importance (work.activations);
    }
  work.importance = importance;

  return quantize (&work, progress, error);
}

/* With the mutex held: what is there, after waiting for a thread that is at work on it; otherwise
 * a promise, which is now the caller's to keep. FALSE when it was cancelled while it waited. */
static gboolean
claim (TareEngine          *self,
       const char          *key,
       const TareProgress  *progress,
       TareQuantized      **quantized,
       GError             **error)
{
  Entry *entry;

  *quantized = NULL;
  while ((entry = g_hash_table_lookup (self->entries, key)) != NULL)
    {
      if (entry->quantized != NULL)
        {
          g_queue_unlink (&self->recent, &entry->link);
          g_queue_push_head_link (&self->recent, &entry->link);
          *quantized = tare_quantized_ref (entry->quantized);
          return TRUE;
        }
      if (!tare_progress_step (progress, 0.0, NULL, error))
        return FALSE;
      g_cond_wait_until (&self->finished, &self->mutex, g_get_monotonic_time () + WAIT_USEC);
    }

  entry = g_new0 (Entry, 1);
  entry->key = g_strdup (key);
  entry->link.data = entry;
  g_hash_table_insert (self->entries, entry->key, entry);

  return TRUE;
}

/* With the mutex held: keeps the promise, or takes it back after an error. */
static void
settle (TareEngine    *self,
        const char    *key,
        TareQuantized *quantized)
{
  Entry *entry = g_hash_table_lookup (self->entries, key);

  if (quantized != NULL)
    {
      entry->quantized = tare_quantized_ref (quantized);
      g_queue_push_head_link (&self->recent, &entry->link);
      self->used += count_bytes (quantized);
      trim (self);
    }
  else
    g_hash_table_remove (self->entries, key);
  g_cond_broadcast (&self->finished);
}

/**
 * tare_engine_quantize:
 * @self: an engine
 * @tensor: a tensor of its model
 * @assignment: what to make of it, as tare_recipe_resolve() gives it
 * @calibration: (nullable): activations, for methods and searches that weigh by them
 * @progress: (nullable): told of, and asked, every few rows
 * @error: names the file, the tensor and the place in it
 *
 * Rounds a tensor, or finds what it made of it before. A tensor that is in the wanted format
 * already is kept. Where two threads ask for the same, one works and the other waits. NaN and
 * infinity are refused with %TARE_ERROR_NOT_FINITE.
 *
 * Returns: (transfer full) (nullable): the result
 */
TareQuantized *
tare_engine_quantize (TareEngine            *self,
                      const TareTensor      *tensor,
                      const TareAssignment  *assignment,
                      TareCalibration       *calibration,
                      const TareProgress    *progress,
                      GError               **error)
{
  const TareFormat *format = _tare_engine_find_format (tensor, assignment);
  g_autofree char *key = NULL;
  TareQuantized *quantized;
  gboolean claimed;

  if (format == NULL)
    return keep (tensor);

  key = _tare_engine_make_key (tensor, format, assignment, calibration);
  g_mutex_lock (&self->mutex);
  claimed = claim (self, key, progress, &quantized, error);
  g_mutex_unlock (&self->mutex);
  if (!claimed || quantized != NULL)
    return quantized;

  quantized = compute (tensor, format, assignment, calibration, progress, error);
  g_mutex_lock (&self->mutex);
  settle (self, key, quantized);
  g_mutex_unlock (&self->mutex);

  return quantized;
}
