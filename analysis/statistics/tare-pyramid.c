/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-pyramid.h"

#include <omp.h>
#include <stdint.h>
#include <string.h>

#include "analysis/statistics/tare-prefetch-private.h"
#include "quant/tare-error.h"
#include "quant/tare-simd.h"

/* Columns that are pooled together: their keys stay in a first level cache. */
#define STRIP 1024

/* Weights of each thread between two looks at the progress: a few milliseconds. */
#define WEIGHTS_PER_STEP (1 << 22)

/* Floats ahead of which memory is asked. */
#define AHEAD 64

/* A smaller tensor stays in memory. */
#define RELEASE_BYTES (G_GUINT64_CONSTANT (64) << 20)

#define MOST_LEVELS 48

typedef struct
{
  gsize    rows;
  gsize    columns;
  guint32 *keys;
} Level;

/**
 * TarePyramid:
 *
 * A matrix at sizes from an eighth of its sides downwards, each half the one before. A cell holds
 * the number of the greatest magnitude of all that it stands for, with its sign, so that no outlier
 * is lost at any size; a NaN counts as greater than any number. Immutable, reference counted.
 *
 * Inside, numbers are keys: the bits of the float, turned so that the sign comes last. Their order
 * as integers is that of the magnitudes, so that one comparison of integers pools.
 */
struct _TarePyramid
{
  gint  ref_count;
  gsize rows;
  gsize columns;
  guint n_levels;
  Level levels[MOST_LEVELS];
};

TARE_INLINE guint32
to_key (const float *x)
{
  guint32 bits;

  memcpy (&bits, x, sizeof bits);

  return bits << 1 | bits >> 31;
}

static float
from_key (guint32 key)
{
  guint32 bits = key >> 1 | key << 31;
  float x;

  memcpy (&x, &bits, sizeof x);

  return x;
}

/* Raises every key to that of a number of a row. */
TARE_INLINE void
raise_keys (const float *x,
            gsize        n,
            guint32     *keys)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    {
      guint32 key = to_key (x + j);

      keys[j] = key > keys[j] ? key : keys[j];
    }
}

/* Raises every key to that of another line. */
TARE_CLONES static void
raise_line (const guint32 *line,
            gsize          n,
            guint32       *keys)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    keys[j] = line[j] > keys[j] ? line[j] : keys[j];
}

/* Pools whole cells along a line of keys, in three steps of two: vectors take that better than one
 * step of eight. @keys is used up. */
TARE_INLINE void
pool_line (guint32 *keys,
           gsize    n_cells,
           guint32 *cells)
{
  for (gsize n = n_cells * TARE_PYRAMID_BASE / 2; n >= n_cells && n > 0; n /= 2)
    {
      guint32 *to = n == n_cells ? cells : keys;

      for (gsize j = 0; j < n; j++)
        {
          guint32 a = keys[2 * j], b = keys[2 * j + 1];

          to[j] = a > b ? a : b;
        }
      if (n == n_cells)
        break;
    }
}

/* One line of cells out of up to 8 rows of @columns numbers, row-major. */
TARE_CLONES static void
pool_band (const float *x,
           gsize        n_rows,
           gsize        columns,
           guint32     *cells)
{
  guint32 keys[STRIP];

  for (gsize j = 0; j < columns; j += STRIP)
    {
      gsize n = MIN ((gsize) STRIP, columns - j);
      gsize n_cells = (n + TARE_PYRAMID_BASE - 1) / TARE_PYRAMID_BASE;

      memset (keys, 0, n_cells * TARE_PYRAMID_BASE * sizeof *keys);
      for (gsize i = 0; i < n_rows; i++)
        {
          const float *row = x + i * columns + j;

          if (i + 1 < n_rows)
            tare_prefetch (row + columns, MIN (n, (gsize) AHEAD));
          raise_keys (row, n, keys);
        }
      pool_line (keys, n_cells, cells + j / TARE_PYRAMID_BASE);
    }
}

static void
halve (const Level *from,
       Level       *to)
{
#pragma omp parallel for schedule(static)
  for (gsize i = 0; i < to->rows; i++)
    for (gsize j = 0; j < to->columns; j++)
      {
        guint32 greatest = 0;

        for (gsize row = 2 * i; row < MIN (2 * i + 2, from->rows); row++)
          for (gsize column = 2 * j; column < MIN (2 * j + 2, from->columns); column++)
            greatest = MAX (greatest, from->keys[row * from->columns + column]);
        to->keys[i * to->columns + j] = greatest;
      }
}

static gboolean
level_init (Level   *self,
            gsize    rows,
            gsize    columns,
            GError **error)
{
  self->rows = rows;
  self->columns = columns;
  if (rows < G_MAXSIZE / sizeof (guint32) / columns)
    self->keys = g_try_new (guint32, rows * columns);
  if (self->keys != NULL)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
               "no memory for a picture of %" G_GSIZE_FORMAT " x %" G_GSIZE_FORMAT " cells", rows,
               columns);

  return FALSE;
}

/* Where the rows come from, and where they lie in memory, if they do. */
typedef struct
{
  TareRowsFunc      func;
  gpointer          data;
  const TareTensor *tensor;  /* (nullable) */
  gsize             rows;
  gsize             columns;
} Rows;

static gboolean
read_tensor (gpointer   data,
             gsize      first,
             gsize      n,
             float     *out,
             GError   **error)
{
  return tare_tensor_read_rows (data, first, n, out, error);
}

/* (nullable): rows of a tensor where they lie in the file, if they are floats there */
static const float *
find_rows (const Rows *self,
           gsize       first)
{
  const TareTensor *tensor = self->tensor;
  const guint8 *bytes;

  if (G_BYTE_ORDER != G_LITTLE_ENDIAN || tensor == NULL || tensor->format == NULL
      || tensor->head_rows > 0 || tensor->transposed
      || tensor->format->family != TARE_FORMAT_FAMILY_FLOAT || tensor->format->bits != 32)
    return NULL;

  bytes = tare_tensor_get_row (tensor, first);

  return (uintptr_t) bytes % sizeof (float) == 0 ? (const float *) bytes : NULL;
}

/* @buffer: (inout): of the calling thread, for @n rows, made when it is first needed */
static const float *
view_rows (const Rows  *self,
           gsize        first,
           gsize        n,
           float      **buffer,
           GError     **error)
{
  const float *mapped = find_rows (self, first);

  if (mapped != NULL)
    return mapped;

  if (*buffer == NULL)
    *buffer = g_try_new (float, n * self->columns);
  if (*buffer == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "no memory for %" G_GSIZE_FORMAT " rows of %" G_GSIZE_FORMAT " weights", n,
                   self->columns);
      return NULL;
    }

  return self->func (self->data, first, n, *buffer, error) ? *buffer : NULL;
}

/* Pools some lines of cells, in as many threads as there are. */
static gboolean
pool_lines (const Rows  *rows,
            Level       *base,
            gsize        first,
            gsize        n,
            GError     **error)
{
  GError *failure = NULL;

#pragma omp parallel
  {
    float *buffer = NULL;
    GError *own = NULL;

#pragma omp for schedule(dynamic)
    for (gsize line = first; line < first + n; line++)
      {
        gsize row = line * TARE_PYRAMID_BASE;
        gsize n_rows = MIN ((gsize) TARE_PYRAMID_BASE, rows->rows - row);
        const float *x;

        if (own != NULL)
          continue;

        /* The first band has the most rows, so that the buffer serves all. */
        if (buffer == NULL && find_rows (rows, row) == NULL)
          buffer = g_try_new (float, MIN ((gsize) TARE_PYRAMID_BASE, rows->rows) * rows->columns);
        x = view_rows (rows, row, n_rows, &buffer, &own);
        if (x != NULL)
          pool_band (x, n_rows, rows->columns, base->keys + line * base->columns);
      }

    g_free (buffer);
    if (own != NULL)
      {
#pragma omp critical (tare_pyramid)
        if (failure == NULL)
          failure = g_steal_pointer (&own);

        g_clear_error (&own);
      }
  }

  if (failure != NULL)
    g_propagate_error (error, failure);

  return failure == NULL;
}

static gboolean
build_base (TarePyramid         *self,
            const Rows          *rows,
            const TareProgress  *progress,
            GError             **error)
{
  Level *base = &self->levels[0];
  gsize weights = rows->columns * TARE_PYRAMID_BASE;
  gsize step = MAX (WEIGHTS_PER_STEP * (gsize) omp_get_max_threads () / weights, 1);
  gboolean release = rows->tensor != NULL && rows->tensor->bytes > RELEASE_BYTES;

  for (gsize line = 0; line < base->rows; line += step)
    {
      gsize n = MIN (step, base->rows - line);
      gsize row = line * TARE_PYRAMID_BASE;

      if (!tare_progress_step (progress, (double) line / (double) base->rows, NULL, error)
          || !pool_lines (rows, base, line, n, error))
        return FALSE;
      if (release)
        tare_tensor_release_rows (rows->tensor, row,
                                  MIN (n * TARE_PYRAMID_BASE, rows->rows - row));
    }

  return tare_progress_step (progress, 1.0, NULL, error);
}

static TarePyramid *
build (const Rows          *rows,
       const TareProgress  *progress,
       GError             **error)
{
  g_autoptr(TarePyramid) self = g_new0 (TarePyramid, 1);
  gsize n_rows, n_columns;

  self->ref_count = 1;
  self->rows = rows->rows;
  self->columns = rows->columns;
  if (rows->rows == 0 || rows->columns == 0)
    return g_steal_pointer (&self);

  n_rows = (rows->rows - 1) / TARE_PYRAMID_BASE + 1;
  n_columns = (rows->columns - 1) / TARE_PYRAMID_BASE + 1;
  for (;;)
    {
      if (!level_init (&self->levels[self->n_levels], n_rows, n_columns, error))
        return NULL;
      if (self->n_levels == 0 && !build_base (self, rows, progress, error))
        {
          self->n_levels = 1;
          return NULL;
        }
      if (self->n_levels > 0)
        halve (&self->levels[self->n_levels - 1], &self->levels[self->n_levels]);
      self->n_levels++;
      if ((n_rows == 1 && n_columns == 1) || self->n_levels == MOST_LEVELS)
        return g_steal_pointer (&self);
      n_rows = (n_rows + 1) / 2;
      n_columns = (n_columns + 1) / 2;
    }
}

static gboolean
check_tensor (const TareTensor  *tensor,
              GError           **error)
{
  if (tare_tensor_can_read (tensor))
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED, "%s: no decoder for type %s",
               tensor->name, tensor->type_name);

  return FALSE;
}

/**
 * tare_pyramid_build:
 * @tensor: a tensor of rows x columns weights
 * @progress: (nullable): told of every few megabytes, between which it may be cancelled
 * @error: return location for an error
 *
 * Reads a tensor once, a few megabytes at a time, in as many threads as OpenMP has. Takes a 48th of
 * the memory that the tensor does as floats.
 *
 * Returns: (transfer full): its pyramid, or %NULL with @error set
 */
TarePyramid *
tare_pyramid_build (const TareTensor    *tensor,
                    const TareProgress  *progress,
                    GError             **error)
{
  Rows rows;

  g_return_val_if_fail (tensor != NULL, NULL);

  if (!check_tensor (tensor, error))
    return NULL;

  rows = (Rows) { read_tensor, (gpointer) tensor, tensor, tensor->rows, tensor->columns };

  return build (&rows, progress, error);
}

/**
 * tare_pyramid_build_rows:
 * @rows: of the matrix
 * @columns: of it
 * @func: gives its rows, at most %TARE_PYRAMID_BASE at a time, from several threads at once
 * @data: closure of @func
 * @progress: (nullable): told of every few megabytes, between which it may be cancelled
 * @error: return location for an error
 *
 * As tare_pyramid_build(), of a matrix that is made as it is read.
 *
 * Returns: (transfer full): its pyramid, or %NULL with @error set
 */
TarePyramid *
tare_pyramid_build_rows (gsize                rows,
                         gsize                columns,
                         TareRowsFunc         func,
                         gpointer             data,
                         const TareProgress  *progress,
                         GError             **error)
{
  Rows source = { func, data, NULL, rows, columns };

  g_return_val_if_fail (func != NULL, NULL);

  return build (&source, progress, error);
}

/**
 * tare_pyramid_ref:
 * @self: the pyramid
 *
 * Returns: (transfer full): @self
 */
TarePyramid *
tare_pyramid_ref (TarePyramid *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_int_inc (&self->ref_count);

  return self;
}

/**
 * tare_pyramid_unref:
 * @self: (transfer full): the pyramid
 */
void
tare_pyramid_unref (TarePyramid *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;

  for (guint i = 0; i < MOST_LEVELS; i++)
    g_free (self->levels[i].keys);
  g_free (self);
}

/**
 * tare_pyramid_get_rows:
 * @self: the pyramid
 *
 * Returns: rows of the matrix
 */
gsize
tare_pyramid_get_rows (const TarePyramid *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->rows;
}

/**
 * tare_pyramid_get_columns:
 * @self: the pyramid
 *
 * Returns: columns of the matrix
 */
gsize
tare_pyramid_get_columns (const TarePyramid *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->columns;
}

/**
 * tare_pyramid_get_extreme:
 * @self: the pyramid
 *
 * Returns: the number of the greatest magnitude of all, with its sign; 0 for an empty matrix
 */
float
tare_pyramid_get_extreme (const TarePyramid *self)
{
  g_return_val_if_fail (self != NULL, 0.0f);

  return self->n_levels > 0 ? from_key (self->levels[self->n_levels - 1].keys[0]) : 0.0f;
}

static gboolean
is_within (const TarePool *pool,
           gsize           rows,
           gsize           columns)
{
  return pool->width >= 1 && pool->width <= pool->n_columns && pool->height >= 1
         && pool->height <= pool->n_rows && pool->row <= rows && pool->n_rows <= rows - pool->row
         && pool->column <= columns && pool->n_columns <= columns - pool->column;
}

/* The level whose cells are no larger than what a value stands for, or the finest. */
static guint
choose_level (const TarePyramid *self,
              const TarePool    *pool)
{
  gsize span = MIN (pool->n_rows / pool->height, pool->n_columns / pool->width);
  guint level = 0;

  while (level + 1 < self->n_levels && ((gsize) TARE_PYRAMID_BASE << (level + 1)) <= span)
    level++;

  return level;
}

/* What the values of a line stand for, in cells of a level. */
typedef struct
{
  gsize  first;
  gsize  n;
  gsize *left;   /* of each value, from @first on */
  gsize *right;
} Span;

static void
span_init (Span           *self,
           const TarePool *pool,
           gsize           shift)
{
  gsize width = pool->width;

  self->first = pool->column >> shift;
  self->n = ((pool->column + pool->n_columns - 1) >> shift) - self->first + 1;
  self->left = g_new (gsize, width);
  self->right = g_new (gsize, width);
  for (gsize j = 0; j < width; j++)
    {
      gsize begin = pool->column + j * pool->n_columns / width;
      gsize end = pool->column + (j + 1) * pool->n_columns / width;

      self->left[j] = (begin >> shift) - self->first;
      self->right[j] = ((end - 1) >> shift) - self->first;
    }
}

static void
span_clear (Span *self)
{
  g_free (self->left);
  g_free (self->right);
}

/* A line of values from the cells of rows @top to @foot; @keys: room for those of the span */
static void
sample_line (const Level *level,
             const Span  *span,
             gsize        top,
             gsize        foot,
             guint32     *keys,
             gsize        width,
             float       *out)
{
  memcpy (keys, level->keys + top * level->columns + span->first, span->n * sizeof *keys);
  for (gsize row = top + 1; row <= foot; row++)
    raise_line (level->keys + row * level->columns + span->first, span->n, keys);

  for (gsize j = 0; j < width; j++)
    {
      guint32 greatest = keys[span->left[j]];

      for (gsize cell = span->left[j] + 1; cell <= span->right[j]; cell++)
        greatest = MAX (greatest, keys[cell]);
      out[j] = from_key (greatest);
    }
}

/**
 * tare_pyramid_sample:
 * @self: the pyramid
 * @pool: a part of the matrix, and how finely it is wanted
 * @out: (out caller-allocates): height x width numbers, row-major
 *
 * Looks at a matrix from any distance: every value is the greatest, by magnitude, of what it stands
 * for and at most a cell around it. It reads a few cells for each value, however large the matrix.
 *
 * Returns: whether the cells were as small as what was asked for; if not, tare_pool_rows() or
 *   tare_pool_tensor() tell more
 */
gboolean
tare_pyramid_sample (const TarePyramid *self,
                     const TarePool    *pool,
                     float             *out)
{
  g_autofree guint32 *keys = NULL;
  const Level *level;
  gsize shift, last[2] = { G_MAXSIZE, G_MAXSIZE };
  Span span;

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (is_within (pool, self->rows, self->columns), FALSE);

  shift = choose_level (self, pool);
  level = &self->levels[shift];
  shift += 3;
  span_init (&span, pool, shift);
  keys = g_new (guint32, span.n);
  for (gsize i = 0; i < pool->height; i++, out += pool->width)
    {
      gsize top = (pool->row + i * pool->n_rows / pool->height) >> shift;
      gsize foot = (pool->row + (i + 1) * pool->n_rows / pool->height - 1) >> shift;

      if (top == last[0] && foot == last[1])
        memcpy (out, out - pool->width, pool->width * sizeof *out);
      else
        sample_line (level, &span, top, foot, keys, pool->width, out);
      last[0] = top;
      last[1] = foot;
    }
  span_clear (&span);

  return pool->n_rows / pool->height >= TARE_PYRAMID_BASE
         && pool->n_columns / pool->width >= TARE_PYRAMID_BASE;
}

/* Raises the values of a line by the row that lies in them. */
static void
pool_row (const float    *x,
          const TarePool *pool,
          guint32        *keys)
{
  gsize begin = 0;

  for (gsize j = 0; j < pool->width; j++)
    {
      gsize end = (j + 1) * pool->n_columns / pool->width;
      guint32 greatest = keys[j];

      for (gsize column = begin; column < end; column++)
        {
          guint32 key = to_key (x + pool->column + column);

          greatest = MAX (greatest, key);
        }
      keys[j] = greatest;
      begin = end;
    }
}

static gboolean
pool_source (const Rows          *rows,
             const TarePool      *pool,
             const TareProgress  *progress,
             float               *out,
             GError             **error)
{
  g_autofree guint32 *keys = g_new (guint32, pool->width);
  g_autofree float *buffer = NULL;
  gsize row = 0;

  for (gsize i = 0; i < pool->height; i++)
    {
      gsize end = (i + 1) * pool->n_rows / pool->height;

      if (!tare_progress_step (progress, (double) i / (double) pool->height, NULL, error))
        return FALSE;

      memset (keys, 0, pool->width * sizeof *keys);
      for (; row < end; row++)
        {
          const float *x = view_rows (rows, pool->row + row, 1, &buffer, error);

          if (x == NULL)
            return FALSE;
          pool_row (x, pool, keys);
        }
      for (gsize j = 0; j < pool->width; j++)
        out[i * pool->width + j] = from_key (keys[j]);
    }

  return TRUE;
}

/**
 * tare_pool_rows:
 * @columns: of a matrix
 * @func: gives its rows, one at a time
 * @data: closure of @func
 * @pool: a part of it, and how finely it is wanted
 * @progress: (nullable): may cancel it between two lines
 * @out: (out caller-allocates): height x width numbers, row-major
 * @error: return location for an error
 *
 * Pools a part of a matrix exactly, by reading all of its rows.
 *
 * Returns: %FALSE with @error set
 */
gboolean
tare_pool_rows (gsize                columns,
                TareRowsFunc         func,
                gpointer             data,
                const TarePool      *pool,
                const TareProgress  *progress,
                float               *out,
                GError             **error)
{
  Rows rows = { func, data, NULL, G_MAXSIZE, columns };

  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (is_within (pool, G_MAXSIZE, columns), FALSE);

  return pool_source (&rows, pool, progress, out, error);
}

/**
 * tare_pool_tensor:
 * @tensor: a tensor
 * @pool: a part of it, and how finely it is wanted
 * @progress: (nullable): may cancel it between two lines
 * @out: (out caller-allocates): height x width numbers, row-major
 * @error: return location for an error
 *
 * Pools a part of a tensor exactly, by reading all of its rows.
 *
 * Returns: %FALSE with @error set
 */
gboolean
tare_pool_tensor (const TareTensor    *tensor,
                  const TarePool      *pool,
                  const TareProgress  *progress,
                  float               *out,
                  GError             **error)
{
  Rows rows;

  g_return_val_if_fail (tensor != NULL, FALSE);
  g_return_val_if_fail (is_within (pool, tensor->rows, tensor->columns), FALSE);

  if (!check_tensor (tensor, error))
    return FALSE;

  rows = (Rows) { read_tensor, (gpointer) tensor, tensor, tensor->rows, tensor->columns };

  return pool_source (&rows, pool, progress, out, error);
}
