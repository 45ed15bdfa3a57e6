/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-statistics.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

#include "analysis/statistics/tare-histogram.h"
#include "analysis/statistics/tare-moments.h"
#include "analysis/statistics/tare-words.h"
#include "quant/tare-error.h"
#include "quant/tare-simd.h"

/* Weights that one thread decodes at a time: 256 kB of floats stay in a second level cache. A
 * multiple of every block, so that a long row can be cut there. */
#define PIECE 65536

/* Weights that are measured together, within a first level cache. */
#define TILE 2048

/* Pieces of each thread between two looks at the progress: a few milliseconds. */
#define PIECES_PER_STEP 16

/* A smaller tensor stays in memory between the passes. */
#define RELEASE_BYTES (G_GUINT64_CONSTANT (64) << 20)

/* Outliers are this many standard deviations from the mean. */
#define OUTLIER_DEVIATIONS 6.0

/* What one thread works with, kept from step to step: fresh memory is a fault on every page. */
typedef struct
{
  float         buffer[PIECE];
  guint32       maxima[PIECE];
  TareHistogram histogram;
} Worker;

/* What pieces a tensor falls into, some rows at a time or some columns of one row, and who works on
 * them. */
typedef struct
{
  const TareTensor *tensor;
  gsize             rows;
  gsize             columns;
  gsize             rows_per_piece;
  gsize             pieces_per_row;
  gsize             n_pieces;
  int               n_workers;
  Worker          **workers;
} Plan;

typedef struct
{
  gsize row;
  gsize n_rows;
  gsize column;
  gsize n_columns;
} Piece;

typedef struct
{
  TareMoments moments;
  float       row_maximum;
} PieceResult;

/* What one pass does with a step, a run of pieces: which of them are worked on in parallel is the
 * pass's own affair. */
typedef gboolean (*StepFunc) (const Plan      *plan,
                              gsize            first,
                              gsize            n,
                              TareStatistics  *self,
                              gpointer         data,
                              GError         **error);

static void
plan_init (Plan             *plan,
           const TareTensor *tensor)
{
  *plan = (Plan) {
    .tensor = tensor,
    .rows = tensor->rows,
    .columns = tensor->columns,
    .n_workers = omp_get_max_threads (),
  };
  plan->workers = g_new0 (Worker *, plan->n_workers);

  if (plan->rows == 0 || plan->columns == 0)
    return;

  if (plan->columns <= PIECE)
    {
      plan->rows_per_piece = PIECE / plan->columns;
      plan->n_pieces = (plan->rows - 1) / plan->rows_per_piece + 1;
    }
  else
    {
      plan->pieces_per_row = (plan->columns - 1) / PIECE + 1;
      plan->n_pieces = plan->rows * plan->pieces_per_row;
    }
}

static void
plan_clear (Plan *plan)
{
  for (int i = 0; i < plan->n_workers; i++)
    g_free (plan->workers[i]);
  g_free (plan->workers);
}

static Piece
plan_get (const Plan *plan,
          gsize       index)
{
  gsize row;
  gsize column;

  if (plan->rows_per_piece > 0)
    {
      row = index * plan->rows_per_piece;
      return (Piece) { row, MIN (plan->rows_per_piece, plan->rows - row), 0, plan->columns };
    }

  row = index / plan->pieces_per_row;
  column = index % plan->pieces_per_row * PIECE;

  return (Piece) { row, 1, column, MIN ((gsize) PIECE, plan->columns - column) };
}

/* How many pieces from @first make the next step. A step stays within a long row, so that its
 * threads meet different columns. */
static gsize
plan_step (const Plan *plan,
           gsize       first)
{
  gsize n = MIN ((gsize) plan->n_workers * PIECES_PER_STEP, plan->n_pieces - first);

  if (plan->pieces_per_row > 0)
    n = MIN (n, plan->pieces_per_row - first % plan->pieces_per_row);

  return n;
}

/* Of the calling thread, which makes it when it is first needed. */
static Worker *
plan_get_worker (const Plan *plan)
{
  Worker **worker = &plan->workers[omp_get_thread_num ()];

  if (*worker == NULL)
    *worker = g_new0 (Worker, 1);

  return *worker;
}

/* Rows that are done with once the pieces up to @end are. */
static gsize
plan_get_finished_rows (const Plan *plan,
                        gsize       end)
{
  if (plan->rows_per_piece > 0)
    return MIN (end * plan->rows_per_piece, plan->rows);

  return end / plan->pieces_per_row;
}

/* Part of a row that is spread over the file or several parts of it, or cannot be decoded in
 * part. */
static gboolean
read_whole_row (const TareTensor  *tensor,
                const Piece       *piece,
                float             *out,
                GError           **error)
{
  g_autofree float *row = g_new (float, tensor->columns);

  if (!tare_tensor_read_rows (tensor, piece->row, 1, row, error))
    return FALSE;
  memcpy (out, row + piece->column, piece->n_columns * sizeof *out);

  return TRUE;
}

static gboolean
read_piece (const Plan   *plan,
            const Piece  *piece,
            float        *out,
            GError      **error)
{
  const TareTensor *tensor = plan->tensor;
  const guint8 *row;

  if (plan->rows_per_piece > 0)
    return tare_tensor_read_rows (tensor, piece->row, piece->n_rows, out, error);
  if (tensor->transposed || tensor->stored != NULL || !tare_format_has_blocks (tensor->format))
    return read_whole_row (tensor, piece, out, error);

  row = tare_tensor_get_row (tensor, piece->row);
  tare_format_decode (tensor->format,
                      row + tare_format_get_row_bytes (tensor->format, piece->column),
                      1, piece->n_columns, out);

  return TRUE;
}

/* (nullable): the piece where it lies in the file, if it is floats in the right order there */
static const float *
find_piece (const Plan  *plan,
            const Piece *piece)
{
  const TareTensor *tensor = plan->tensor;
  const guint8 *bytes;

  if (G_BYTE_ORDER != G_LITTLE_ENDIAN || tensor->head_rows > 0
      || tensor->transposed || tensor->stored != NULL || tensor->n_slices > 0
      || tensor->format->family != TARE_FORMAT_FAMILY_FLOAT
      || tensor->format->bits != 32)
    return NULL;

  bytes = tare_tensor_get_row (tensor, piece->row) + piece->column * sizeof (float);

  return (uintptr_t) bytes % sizeof (float) == 0 ? (const float *) bytes : NULL;
}

/* Reads in one of several threads, of which the first to fail tells why. Returns the weights of the
 * piece, in the file or in @buffer, or NULL. */
static const float *
view_piece (const Plan   *plan,
            const Piece  *piece,
            float        *buffer,
            GError      **failure)
{
  const float *mapped = find_piece (plan, piece);
  GError *error = NULL;

  if (mapped != NULL)
    return mapped;

  if (read_piece (plan, piece, buffer, &error))
    return buffer;

#pragma omp critical (tare_statistics)
  if (*failure == NULL)
    *failure = g_steal_pointer (&error);

  g_clear_error (&error);

  return NULL;
}

static gboolean
give_failure (GError  *failure,
              GError **error)
{
  if (failure == NULL)
    return TRUE;

  g_propagate_error (error, failure);

  return FALSE;
}

/* Raises every maximum to |x|, and returns the largest |x|, all as bits, which are in the order of
 * the magnitudes. */
TARE_CLONES static guint32
raise_maxima (const float *x,
              gsize        n,
              guint32     *maxima)
{
  guint32 largest = 0;

#pragma omp simd reduction(max:largest)
  for (gsize i = 0; i < n; i++)
    {
      guint32 bits;

      memcpy (&bits, x + i, sizeof bits);
      bits &= 0x7fffffffu;
      maxima[i] = bits > maxima[i] ? bits : maxima[i];
      largest = bits > largest ? bits : largest;
    }

  return largest;
}

static float
bits_to_float (guint32 bits)
{
  float x;

  memcpy (&x, &bits, sizeof x);

  return x;
}

static void
zero_not_finite (const float *x,
                 gsize        n,
                 float       *out)
{
  for (gsize i = 0; i < n; i++)
    out[i] = isfinite (x[i]) ? x[i] : 0.0f;
}

/* A tile of a piece, of a few rows or a part of one, goes through all that is measured while it is
 * in the first level cache. @maxima: of its columns, as bits */
static void
measure_tile (const float   *x,
              gsize          n_rows,
              gsize          n_columns,
              TareMoments   *moments,
              guint32       *maxima,
              float         *row_maximum)
{
  float finite[TILE];
  gsize n_not_finite = moments->n_not_finite;

  tare_moments_add (moments, x, n_rows * n_columns);

  if (moments->n_not_finite > n_not_finite)
    {
      zero_not_finite (x, n_rows * n_columns, finite);
      x = finite;
    }

  for (gsize i = 0; i < n_rows; i++)
    {
      float largest = bits_to_float (raise_maxima (x + i * n_columns, n_columns, maxima));

      row_maximum[i] = MAX (row_maximum[i], largest);
    }
}

/* @maxima: of the columns of the piece, as bits; @row_maximum: of its rows */
static void
measure_piece (const Piece *piece,
               const float *x,
               TareMoments *moments,
               guint32     *maxima,
               float       *row_maximum)
{
  gsize rows = MAX (TILE / piece->n_columns, 1);

  for (gsize i = 0; i < piece->n_rows; i += rows)
    {
      gsize n_rows = MIN (rows, piece->n_rows - i);

      for (gsize j = 0; j < piece->n_columns; j += TILE)
        measure_tile (x + i * piece->n_columns + j, n_rows,
                      MIN ((gsize) TILE, piece->n_columns - j), moments, maxima + j,
                      row_maximum + i);
    }
}

/* Takes maxima, which begin again at 0. */
static void
take_maxima (float   *maxima,
             guint32 *bits,
             gsize    n)
{
  for (gsize i = 0; i < n; i++)
    maxima[i] = MAX (maxima[i], bits_to_float (bits[i]));

  memset (bits, 0, n * sizeof *bits);
}

/* Joins what the pieces of one step gave, in their order. */
static void
join_results (const Plan        *plan,
              gsize              first,
              gsize              n,
              const PieceResult *results,
              TareStatistics    *self,
              TareMoments       *moments)
{
  for (gsize i = 0; i < n; i++)
    {
      gsize row = plan_get (plan, first + i).row;

      tare_moments_append (moments, &results[i].moments);
      if (plan->pieces_per_row > 0)
        self->row_maximum[row] = MAX (self->row_maximum[row], results[i].row_maximum);
    }
}

/* First pass, over the pieces of one step: moments, extrema, maxima of rows and columns. */
static gboolean
step_moments (const Plan      *plan,
              gsize            first,
              gsize            n,
              TareStatistics  *self,
              gpointer         data,
              GError         **error)
{
  g_autofree PieceResult *results = g_new0 (PieceResult, n);
  GError *failure = NULL;

#pragma omp parallel num_threads (plan->n_workers)
  {
    Worker *worker = plan_get_worker (plan);
    guint32 *maxima = worker->maxima;

#pragma omp for schedule(dynamic)
    for (gsize i = 0; i < n; i++)
      {
        Piece piece = plan_get (plan, first + i);
        const float *x = view_piece (plan, &piece, worker->buffer, &failure);

        if (x == NULL)
          continue;

        measure_piece (&piece, x, &results[i].moments, maxima,
                       plan->rows_per_piece > 0 ? self->row_maximum + piece.row
                                                : &results[i].row_maximum);
        if (plan->pieces_per_row > 0)
          take_maxima (self->column_maximum + piece.column, maxima, piece.n_columns);
      }

    if (plan->rows_per_piece > 0)
      {
#pragma omp critical (tare_statistics)
        take_maxima (self->column_maximum, maxima, plan->columns);
      }
  }

  if (failure == NULL)
    join_results (plan, first, n, results, self, data);

  return give_failure (failure, error);
}

static void
init_histogram (TareHistogram        *histogram,
                const TareStatistics *self)
{
  double reach = OUTLIER_DEVIATIONS * self->standard_deviation;

  tare_histogram_init (histogram, self->minimum, self->maximum,
                       self->mean - reach, self->mean + reach);
}

/* Second pass, over the pieces of one step: histogram and outliers. */
static gboolean
step_histogram (const Plan      *plan,
                gsize            first,
                gsize            n,
                TareStatistics  *self,
                gpointer         data,
                GError         **error)
{
  gsize *n_outliers = data;
  GError *failure = NULL;

#pragma omp parallel num_threads (plan->n_workers)
  {
    Worker *worker = plan_get_worker (plan);
    TareHistogram *histogram = &worker->histogram;

    init_histogram (histogram, self);

#pragma omp for schedule(dynamic)
    for (gsize i = 0; i < n; i++)
      {
        Piece piece = plan_get (plan, first + i);
        const float *x = view_piece (plan, &piece, worker->buffer, &failure);
        gsize count = piece.n_rows * piece.n_columns;
        gsize other;

        if (x == NULL)
          continue;

        if (self->n_not_finite > 0)
          {
            count = tare_finite_copy (x, count, worker->buffer, &other);
            x = worker->buffer;
          }
        tare_histogram_add (histogram, x, count);
      }

#pragma omp critical (tare_statistics)
    {
      tare_histogram_add_to (histogram, self->histogram);
      *n_outliers += histogram->n_outliers;
    }
  }

  return give_failure (failure, error);
}

static gboolean
run_pass (const Plan          *plan,
          StepFunc             func,
          gboolean             release,
          TareStatistics      *self,
          gpointer             data,
          const TareProgress  *progress,
          GError             **error)
{
  gsize released = 0;

  for (gsize i = 0; i < plan->n_pieces;)
    {
      gsize n = plan_step (plan, i);
      gsize finished = plan_get_finished_rows (plan, i + n);

      if (!tare_progress_step (progress, (double) i / (double) plan->n_pieces, NULL, error)
          || !func (plan, i, n, self, data, error))
        return FALSE;

      if (release && finished > released)
        tare_tensor_release_rows (plan->tensor, released, finished - released);
      released = finished;
      i += n;
    }

  return tare_progress_step (progress, 1.0, NULL, error);
}

static void
take_moments (TareStatistics    *self,
              const TareMoments *moments)
{
  self->n = moments->n;
  self->n_not_finite = moments->n_not_finite;
  self->first_not_finite = moments->first_not_finite;
  self->minimum = moments->minimum;
  self->maximum = moments->maximum;
  self->mean = tare_moments_get_mean (moments);
  self->standard_deviation = sqrt (tare_moments_get_variance (moments));
  self->skewness = tare_moments_get_skewness (moments);
  self->kurtosis = tare_moments_get_kurtosis (moments);
  self->absolute_maximum = MAX (fabsf (moments->minimum), fabsf (moments->maximum));
}

static TareStatistics *
statistics_new (const TareTensor  *tensor,
                GError           **error)
{
  g_autoptr(TareStatistics) self = g_new0 (TareStatistics, 1);

  self->ref_count = 1;
  self->rows = tensor->rows;
  self->columns = tensor->columns;
  self->row_maximum = g_try_new0 (float, tensor->rows);
  self->column_maximum = g_try_new0 (float, tensor->columns);

  if ((tensor->rows > 0 && self->row_maximum == NULL)
      || (tensor->columns > 0 && self->column_maximum == NULL))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: no memory for the maxima of %" G_GSIZE_FORMAT " rows and %"
                   G_GSIZE_FORMAT " columns", tensor->name, tensor->rows, tensor->columns);
      return NULL;
    }

  return g_steal_pointer (&self);
}

static void
take_outliers (TareStatistics *self,
               gsize           n_outliers)
{
  if (self->n > 0)
    self->outlier_ratio = (double) n_outliers / (double) self->n;
}

/* The shorter way, for 16-bit floats. */
static gboolean
measure_words (TareStatistics      *self,
               const TareTensor    *tensor,
               const TareProgress  *progress,
               GError             **error)
{
  g_autofree TareWords *words = NULL;
  g_autofree TareHistogram *histogram = g_new (TareHistogram, 1);
  TareMoments moments;

  words = tare_words_count (tensor, self->row_maximum, self->column_maximum, progress, error);
  if (words == NULL)
    return FALSE;

  tare_words_get_moments (words, tensor, &moments);
  take_moments (self, &moments);
  init_histogram (histogram, self);
  tare_words_get_histogram (words, histogram, self->histogram);
  take_outliers (self, histogram->n_outliers);

  return TRUE;
}

static gboolean
measure_passes (TareStatistics      *self,
                const TareTensor    *tensor,
                const TareProgress  *progress,
                GError             **error)
{
  TareProgress first = tare_progress_part (progress, 0.0, 0.5);
  TareProgress second = tare_progress_part (progress, 0.5, 1.0);
  TareMoments moments = { 0 };
  gsize n_outliers = 0;
  gboolean done;
  Plan plan;

  plan_init (&plan, tensor);
  done = run_pass (&plan, step_moments, tensor->bytes > RELEASE_BYTES, self, &moments,
                   &first, error);
  take_moments (self, &moments);

  done = done && run_pass (&plan, step_histogram, TRUE, self, &n_outliers, &second, error);
  take_outliers (self, n_outliers);
  plan_clear (&plan);

  return done;
}

/**
 * tare_statistics_measure:
 * @tensor: a tensor of @rows x @columns weights
 * @progress: (nullable): told of every few megabytes, between which it may be cancelled
 * @error: return location for an error
 *
 * Reads a tensor a few megabytes at a time, in as many threads as OpenMP has: twice, first for
 * moments, extrema and maxima, then for the histogram between those extrema; or once where the
 * weights are 16-bit floats, of which it counts how often each occurs. Of a large tensor no more
 * than what is being read stays in memory. Sums are in binary64 and joined in the order of the
 * weights, so the figures do not depend on the threads.
 *
 * Returns: (transfer full): the statistics, or %NULL with @error set
 */
TareStatistics *
tare_statistics_measure (const TareTensor    *tensor,
                         const TareProgress  *progress,
                         GError             **error)
{
  g_autoptr(TareStatistics) self = NULL;
  gboolean done;

  g_return_val_if_fail (tensor != NULL, NULL);

  if (!tare_tensor_can_read (tensor))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
                   "%s: no decoder for type %s", tensor->name, tensor->type_name);
      return NULL;
    }

  self = statistics_new (tensor, error);
  if (self == NULL)
    return NULL;

  done = tare_words_serve (tensor) ? measure_words (self, tensor, progress, error)
                                   : measure_passes (self, tensor, progress, error);

  return done ? g_steal_pointer (&self) : NULL;
}

/**
 * tare_statistics_ref:
 * @self: the statistics
 *
 * Returns: (transfer full): @self
 */
TareStatistics *
tare_statistics_ref (TareStatistics *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_int_inc (&self->ref_count);

  return self;
}

/**
 * tare_statistics_unref:
 * @self: (transfer full): the statistics
 */
void
tare_statistics_unref (TareStatistics *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;

  g_free (self->row_maximum);
  g_free (self->column_maximum);
  g_free (self);
}
