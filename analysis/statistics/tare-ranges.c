/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-ranges.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "quant/tare-error.h"

/* Weights that are read at a time, and weights of the columns that are sorted together: 64 MB of
 * floats. A wide tensor is read once for each of these. */
#define TILE_WEIGHTS  (1 << 18)
#define PANEL_WEIGHTS (1 << 24)

/* Digits of a key: three of them are 33 bits. */
#define DIGIT_BITS 11
#define DIGITS     (1 << DIGIT_BITS)

static const double shares[TARE_RANGE_LEVELS] = {
  [TARE_RANGE_LEVEL_MINIMUM] = 0.0,
  [TARE_RANGE_LEVEL_1] = 0.01,
  [TARE_RANGE_LEVEL_5] = 0.05,
  [TARE_RANGE_LEVEL_25] = 0.25,
  [TARE_RANGE_LEVEL_50] = 0.5,
  [TARE_RANGE_LEVEL_75] = 0.75,
  [TARE_RANGE_LEVEL_95] = 0.95,
  [TARE_RANGE_LEVEL_99] = 0.99,
  [TARE_RANGE_LEVEL_MAXIMUM] = 1.0,
};

/**
 * tare_range_level_get_share:
 * @level: a level
 *
 * Returns: the share of a channel's weights that is not above it
 */
double
tare_range_level_get_share (TareRangeLevel level)
{
  g_return_val_if_fail ((gsize) level < TARE_RANGE_LEVELS, NAN);

  return shares[level];
}

/* Keys in the order of the numbers: negative ones have all bits turned, the others the sign. */
static guint32
make_key (float x)
{
  guint32 bits;

  memcpy (&bits, &x, sizeof bits);

  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

static float
read_key (guint32 key)
{
  guint32 bits = key >> 31 != 0 ? key & 0x7fffffffu : ~key;
  float x;

  memcpy (&x, &bits, sizeof x);

  return x;
}

/* Sorts by one digit at a time, the lowest first; the result is in @room, an odd number of turns
 * later. */
static void
sort_keys (guint32 *keys,
           gsize    n,
           guint32 *room)
{
  for (guint shift = 0; shift < 32; shift += DIGIT_BITS)
    {
      guint32 starts[DIGITS] = { 0 };
      guint32 sum = 0;
      guint32 *swapped = keys;

      for (gsize i = 0; i < n; i++)
        starts[keys[i] >> shift & (DIGITS - 1)]++;
      for (gsize i = 0; i < DIGITS; i++)
        {
          guint32 count = starts[i];

          starts[i] = sum;
          sum += count;
        }
      for (gsize i = 0; i < n; i++)
        room[starts[keys[i] >> shift & (DIGITS - 1)]++] = keys[i];

      keys = room;
      room = swapped;
    }
}

/* Levels of @n numbers: of each share the least number that no smaller share of them exceeds.
 * @keys: room for 2 n of them */
static void
find_levels (const float *x,
             gsize        n,
             guint32     *keys,
             float        levels[TARE_RANGE_LEVELS])
{
  guint32 *sorted = keys + n;
  gsize finite = 0;

  for (gsize i = 0; i < n; i++)
    {
      if (isfinite (x[i]))
        keys[finite++] = make_key (x[i]);
    }
  sort_keys (keys, finite, sorted);

  for (gsize i = 0; i < TARE_RANGE_LEVELS; i++)
    {
      gsize rank = (gsize) ceil (shares[i] * (double) finite);

      levels[i] = finite > 0 ? read_key (sorted[MAX (rank, 1) - 1]) : NAN;
    }
}

static gboolean
refuse_memory (const TareTensor  *tensor,
               GError           **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: %s: no memory for its ranges",
               tare_file_get_path (tensor->file), tensor->canonical);

  return FALSE;
}

/* Sorts channels in parallel: @x has @n of them, @length numbers each. */
static gboolean
find_ranges (const float  *x,
             gsize         n,
             gsize         length,
             float       (*values)[TARE_RANGE_LEVELS])
{
  gsize n_threads = (gsize) omp_get_max_threads ();
  g_autofree guint32 *keys = g_try_malloc_n (n_threads * 2 * sizeof (guint32), length);

  if (keys == NULL)
    return FALSE;

#pragma omp parallel for schedule(dynamic)
  for (gsize i = 0; i < n; i++)
    find_levels (x + i * length, length, keys + 2 * length * (gsize) omp_get_thread_num (),
                 values[i]);

  return TRUE;
}

static TareRanges *
ranges_new (const TareTensor  *tensor,
            gsize              n,
            GError           **error)
{
  TareRanges *self = g_new0 (TareRanges, 1);

  self->n = n;
  self->values = g_try_malloc_n (MAX (n, 1), sizeof *self->values);
  if (self->values != NULL)
    return self;

  refuse_memory (tensor, error);
  tare_ranges_free (self);

  return NULL;
}

/**
 * tare_ranges_free:
 * @self: (transfer full): the ranges
 */
void
tare_ranges_free (TareRanges *self)
{
  g_return_if_fail (self != NULL);

  g_free (self->values);
  g_free (self);
}

/**
 * tare_ranges_of_rows:
 * @tensor: a matrix of fewer than 2³² columns
 * @progress: (nullable): told of the rows and asked whether to go on
 * @error: return location for an error
 *
 * Finds how the weights of every row are spread, exactly, by sorting them. What is not finite does
 * not count.
 *
 * Returns: (transfer full): the ranges, or %NULL with @error set
 */
TareRanges *
tare_ranges_of_rows (const TareTensor    *tensor,
                     const TareProgress  *progress,
                     GError             **error)
{
  gsize columns;
  gsize rows;
  g_autofree float *x = NULL;
  g_autoptr(TareRanges) self = NULL;

  g_return_val_if_fail (tensor != NULL && tensor->columns > 0, NULL);

  columns = tensor->columns;
  rows = MAX (TILE_WEIGHTS / columns, 1);
  self = ranges_new (tensor, tensor->rows, error);
  x = g_try_malloc_n (rows * sizeof (float), columns);
  if (self == NULL || (x == NULL && !refuse_memory (tensor, error)))
    return NULL;

  for (gsize first = 0; first < tensor->rows; first += rows)
    {
      gsize n = MIN (rows, tensor->rows - first);

      if (!tare_progress_step (progress, (double) first / (double) tensor->rows, NULL, error)
          || !tare_tensor_read_rows (tensor, first, n, x, error)
          || (!find_ranges (x, n, columns, self->values + first)
              && !refuse_memory (tensor, error)))
        return NULL;
      tare_tensor_release_rows (tensor, first, n);
    }

  return g_steal_pointer (&self);
}

/* Columns @first to @first + @n of all rows, turned: [n, rows]. */
static gboolean
read_columns (const TareTensor    *tensor,
              gsize                first,
              gsize                n,
              float               *out,
              const TareProgress  *progress,
              GError             **error)
{
  gsize columns = tensor->columns;
  gsize rows = MAX (TILE_WEIGHTS / columns, 1);
  g_autofree float *x = g_try_malloc_n (rows * sizeof (float), columns);

  if (x == NULL)
    return refuse_memory (tensor, error);

  for (gsize row = 0; row < tensor->rows; row += rows)
    {
      gsize count = MIN (rows, tensor->rows - row);

      if (!tare_progress_step (progress, (double) row / (double) tensor->rows, NULL, error)
          || !tare_tensor_read_rows (tensor, row, count, x, error))
        return FALSE;

      tare_tensor_release_rows (tensor, row, count);
#pragma omp parallel for
      for (gsize j = 0; j < n; j++)
        {
          for (gsize i = 0; i < count; i++)
            out[j * tensor->rows + row + i] = x[i * columns + first + j];
        }
    }

  return TRUE;
}

/**
 * tare_ranges_of_columns:
 * @tensor: a matrix of fewer than 2³² rows
 * @progress: (nullable): told of the rows and asked whether to go on
 * @error: return location for an error
 *
 * Finds how the weights of every column are spread, exactly, by sorting. A large tensor is read
 * several times, so that no more than 64 MB of it are held. What is not finite does not count.
 *
 * Returns: (transfer full): the ranges, or %NULL with @error set
 */
TareRanges *
tare_ranges_of_columns (const TareTensor    *tensor,
                        const TareProgress  *progress,
                        GError             **error)
{
  gsize columns;
  gsize panel;
  g_autofree float *x = NULL;
  g_autoptr(TareRanges) self = NULL;

  g_return_val_if_fail (tensor != NULL && tensor->rows > 0, NULL);

  columns = tensor->columns;
  panel = MIN (MAX (PANEL_WEIGHTS / tensor->rows, 1), columns);
  self = ranges_new (tensor, columns, error);
  x = g_try_malloc_n (MAX (panel, 1) * sizeof (float), tensor->rows);
  if (self == NULL || (x == NULL && !refuse_memory (tensor, error)))
    return NULL;

  for (gsize first = 0; first < columns; first += panel)
    {
      gsize n = MIN (panel, columns - first);
      TareProgress part = tare_progress_part (progress, (double) first / (double) columns,
                                              (double) (first + n) / (double) columns);

      if (!read_columns (tensor, first, n, x, &part, error)
          || (!find_ranges (x, n, tensor->rows, self->values + first)
              && !refuse_memory (tensor, error)))
        return NULL;
    }

  return g_steal_pointer (&self);
}
