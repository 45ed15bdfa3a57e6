/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/formats/tare-search-private.h"
#include "quant/tare-error.h"

/* What a grid keeps once for a matrix: the exponent of its levels, or the split of its bits, the
 * order of its columns, and what its scales are relative to. */

/* Rows between two looks at whether to go on. */
#define BAND 64

/* NUPES and PowerQuant search the exponent from 0.2 to 1.5; here in such steps, and then between
 * them by the golden section. */
#define LEAST_EXPONENT 0.2f
#define MOST_EXPONENT 1.5f
#define EXPONENT_STEP 0.1f
#define N_SECTIONS 6
#define GOLDEN 0.61803399f

/* Weights that judge an exponent. */
#define EXPONENT_SAMPLE ((gsize) 1 << 12)

/* Weights that judge a split. */
#define SPLIT_SAMPLE ((gsize) 1 << 16)

static gsize
count_groups (const TareFormat *self,
              gsize             columns)
{
  return self->group != 0 ? (columns - 1) / self->group + 1 : 1;
}

/* --- the exponent --- */

/* What an exponent would cost, with a scale for each group of some of the rows. */
static double
measure_exponent (const TareFormat *self,
                  const TareMatrix *matrix,
                  float             exponent)
{
  TareCodebook codebook;
  TareGrid grid = *self->grid;
  TareScalePlace place = { NULL, grid.most, 0, 0, 1 };
  gsize columns = matrix->columns;
  gsize length = self->group != 0 ? self->group : columns;
  gsize wanted = MAX (EXPONENT_SAMPLE / columns, 1);
  gsize step = MAX (matrix->rows / wanted, 1);
  double error = 0.0;

  grid.codebook = &codebook;
  grid.n_factors = TARE_SEARCH_LANES * 2;
  for (gsize c = 0; c < grid.n_factors; c++)
    grid.factors[c] = self->grid->factors[c * self->grid->n_factors / grid.n_factors];
  _tare_power_list (grid.n_codes, exponent, &codebook);
  for (gsize i = 0; i < matrix->rows; i += step)
    for (gsize begin = 0; begin < columns; begin += length)
      {
        TareGridSample sample = { matrix->x + i * columns + begin, matrix->weights + begin,
                                  MIN (length, columns - begin), 1, 0, NULL };
        float scale = _tare_grid_find_scale (&grid, &_tare_scale_single, &place, matrix->range,
                                             &sample);

        error += _tare_grid_measure (&grid, &sample, scale);
      }

  return error;
}

static gboolean
fit_exponent (const TareFormat  *self,
              const TareMatrix  *matrix,
              guint8            *parameters,
              GError           **error)
{
  int n_steps = (int) ((MOST_EXPONENT - LEAST_EXPONENT) / EXPONENT_STEP + 0.5f);
  double least = (double) INFINITY;
  float best = 1.0f, low, high;

  for (int i = 0; i <= n_steps; i++)
    {
      float exponent = LEAST_EXPONENT + EXPONENT_STEP * (float) i;
      double cost = 0.0;

      if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
        return FALSE;
      cost = measure_exponent (self, matrix, exponent);
      if (cost < least)
        {
          least = cost;
          best = exponent;
        }
    }

  low = best - EXPONENT_STEP;
  high = best + EXPONENT_STEP;
  for (int i = 0; i < N_SECTIONS; i++)
    {
      float left = high - GOLDEN * (high - low);
      float right = low + GOLDEN * (high - low);
      double of_left, of_right;

      if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
        return FALSE;
      of_left = measure_exponent (self, matrix, left);
      of_right = measure_exponent (self, matrix, right);
      if (MIN (of_left, of_right) < least)
        {
          least = MIN (of_left, of_right);
          best = of_left <= of_right ? left : right;
        }
      if (of_left <= of_right)
        high = right;
      else
        low = left;
    }

  memcpy (parameters, &best, sizeof best);

  return TRUE;
}

/* --- the order of columns --- */

typedef struct
{
  float   magnitude;
  guint32 column;
} Column;

static int
compare_columns (gconstpointer a,
                 gconstpointer b)
{
  const Column *x = a, *y = b;

  if (x->magnitude != y->magnitude)
    return x->magnitude < y->magnitude ? 1 : -1;

  return (x->column > y->column) - (x->column < y->column);
}

/* The columns by their largest magnitude, so that those with outliers share their blocks. */
static gboolean
fit_order (const TareMatrix  *matrix,
           guint8            *parameters,
           GError           **error)
{
  g_autofree Column *columns = g_new0 (Column, matrix->columns);

  for (gsize j = 0; j < matrix->columns; j++)
    columns[j].column = (guint32) j;
  for (gsize i = 0; i < matrix->rows; i++)
    {
      if (i % BAND == 0 && !tare_progress_step (matrix->progress, 0.0, NULL, error))
        return FALSE;
      for (gsize j = 0; j < matrix->columns; j++)
        columns[j].magnitude = MAX (columns[j].magnitude,
                                    fabsf (matrix->x[i * matrix->columns + j]));
    }

  qsort (columns, matrix->columns, sizeof (Column), compare_columns);
  for (gsize j = 0; j < matrix->columns; j++)
    for (guint k = 0; k < 4; k++)
      parameters[4 * j + k] = (guint8) (columns[j].column >> 8 * k);

  return TRUE;
}

/* --- scales --- */

/* The scale that every group would like to have. scales: [rows, n_groups] */
static gboolean
list_scales (const TareFormat  *self,
             const TareMatrix  *matrix,
             float             *scales,
             GError           **error)
{
  gsize columns = matrix->columns;
  gsize n_groups = count_groups (self, columns);
  gsize length = self->group != 0 ? self->group : columns;
  TareScalePlace place = { NULL, self->grid->most, 0, 0, n_groups };

  for (gsize first = 0; first < matrix->rows; first += BAND)
    {
      if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
        return FALSE;

      #pragma omp parallel for schedule (dynamic)
      for (gsize i = first; i < MIN (first + BAND, matrix->rows); i++)
        _tare_grid_find_scales (self->grid, &_tare_scale_single, &place, matrix->range,
                                matrix->x + i * columns, matrix->weights, columns, length,
                                scales + i * n_groups);
    }

  return TRUE;
}

/* One scale for all: the searched one by no more rows than tell, of so many weights. */
static float
find_shared_scale (const TareFormat *self,
                   const TareGrid   *grid,
                   const TareMatrix *matrix,
                   gsize             most)
{
  const TareScaleClass *klass = self->scaling->klass;
  TareScalePlace place = { NULL, grid->most, 0, 0, 1 };
  gboolean searches = klass->shared && matrix->range != TARE_RANGE_MINIMUM_MAXIMUM
                      && matrix->range != TARE_RANGE_ROUND_UP;
  gboolean samples = searches && grid->find_scale == NULL;
  gsize step = samples ? matrix->rows * matrix->columns / most + 1 : 1;
  TareGridSample sample = {
    matrix->x, matrix->weights, matrix->columns, (matrix->rows - 1) / step + 1,
    step * matrix->columns, matrix->progress,
  };
  TareRange range = klass->shared ? matrix->range : TARE_RANGE_MINIMUM_MAXIMUM;

  return _tare_grid_find_scale (grid, &_tare_scale_single, &place, range, &sample);
}

/* --- the split of bits --- */

/**
 * _tare_grid_choose_split:
 * @self: a grid, of several or by itself
 * @parameters: (nullable): what a matrix keeps
 *
 * Returns: (transfer none): the grid that the matrix has chosen
 */
const TareGrid *
_tare_grid_choose_split (const TareGrid *self,
                         const guint8   *parameters)
{
  if (self->n_splits == 0)
    return self;

  return self->splits[CLAMP (parameters[0], 1, self->n_splits) - 1];
}

/* Σw|x - y|^p of weights that share a scale: what they decode to, not what they should, since of
 * two grids that hold them without error none is the better. */
static double
measure_rounding (const TareGrid       *grid,
                  gboolean              norm,
                  const TareGridSample *sample,
                  float                 scale)
{
  double error = 0.0;

  for (gsize begin = 0; begin < sample->n; begin += TARE_GRID_SPAN)
    {
      const float *x = sample->x + begin;
      gsize n = MIN (TARE_GRID_SPAN, sample->n - begin);
      guint8 codes[TARE_GRID_SPAN];
      float y[TARE_GRID_SPAN];

      _tare_grid_encode (grid, x, n, n, &scale, codes);
      _tare_grid_decode (grid, codes, n, n, &scale, y);
      for (gsize j = 0; j < n; j++)
        error += (double) weigh_difference (sample->w[begin + j], x[j] - y[j], norm);
    }

  return error;
}

static double
measure_row (const TareFormat *self,
             const TareGrid   *grid,
             const TareMatrix *matrix,
             gsize             row,
             float             shared)
{
  const TareScaleClass *klass = self->scaling->klass;
  gsize columns = matrix->columns;
  gsize length = self->group != 0 ? self->group : columns;
  gboolean norm = matrix->range == TARE_RANGE_NORM;
  TareScalePlace place = { NULL, grid->most, row, 0, count_groups (self, columns) };
  double error = 0.0;

  for (gsize begin = 0; begin < columns; begin += length, place.group++)
    {
      TareGridSample sample = { matrix->x + row * columns + begin, matrix->weights + begin,
                                MIN (length, columns - begin), 1, 0, NULL };
      float scale = klass->shared ? shared
                                  : _tare_grid_find_scale (grid, klass, &place, matrix->range,
                                                           &sample);

      error += measure_rounding (grid, norm, &sample, scale);
    }

  return error;
}

/* What a split would cost some of the rows, each of its groups with its own best scale, which is
 * the same as a best real bias of the exponent. */
static double
measure_split (const TareFormat *self,
               const TareGrid   *grid,
               const TareMatrix *matrix)
{
  gsize wanted = MAX (SPLIT_SAMPLE / matrix->columns, 1);
  gsize step = MAX (matrix->rows / wanted, 1);
  gsize n = (matrix->rows - 1) / step + 1;
  g_autofree double *errors = g_new (double, n);
  float shared = 0.0f;
  double error = 0.0;

  if (self->scaling->klass->shared)
    shared = find_shared_scale (self, grid, matrix, SPLIT_SAMPLE);

  #pragma omp parallel for schedule (dynamic)
  for (gsize i = 0; i < n; i++)
    errors[i] = measure_row (self, grid, matrix, i * step, shared);
  for (gsize i = 0; i < n; i++)
    error += errors[i];

  return error;
}

static gboolean
fit_split (const TareFormat  *self,
           const TareMatrix  *matrix,
           guint8            *parameters,
           GError           **error)
{
  double least = (double) INFINITY;

  parameters[0] = 1;
  for (guint s = 0; s < self->grid->n_splits; s++)
    {
      double cost;

      if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
        return FALSE;
      cost = measure_split (self, self->grid->splits[s], matrix);
      if (cost < least)
        {
          least = cost;
          parameters[0] = (guint8) (s + 1);
        }
    }

  return TRUE;
}

/**
 * _tare_grid_fit:
 * @self: a format of a grid
 * @matrix: the weights
 * @parameters: (out caller-allocates): what is kept once for them
 * @error: set where it was cancelled, or there is no memory
 *
 * Chooses what the grid and its scales keep once for a matrix.
 *
 * Returns: whether it was done
 */
gboolean
_tare_grid_fit (const TareFormat  *self,
                const TareMatrix  *matrix,
                guint8            *parameters,
                GError           **error)
{
  const TareScaleClass *klass = self->scaling->klass;
  gsize n_groups = count_groups (self, matrix->columns);
  gsize n_scales = klass->fits_scales ? matrix->rows * n_groups : 1;
  g_autofree float *scales = NULL;
  const TareGrid *grid;

  if (self->grid->n_splits > 0 && !fit_split (self, matrix, parameters, error))
    return FALSE;
  grid = _tare_grid_choose_split (self->grid, parameters);
  if (self->grid->power && !fit_exponent (self, matrix, parameters, error))
    return FALSE;
  if (self->grid->sorted && !fit_order (matrix, parameters, error))
    return FALSE;
  if (klass->fit == NULL)
    return TRUE;

  scales = g_try_new (float, n_scales);
  if (scales == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "no memory for its scales");
      return FALSE;
    }

  if (klass->fits_scales && !list_scales (self, matrix, scales, error))
    return FALSE;
  if (!klass->fits_scales)
    scales[0] = find_shared_scale (self, grid, matrix, TARE_GRID_SAMPLE);
  if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
    return FALSE;

  klass->fit (scales, matrix->rows, n_groups, grid->most,
              parameters + _tare_grid_get_fitted_bytes (self, matrix->columns));

  return TRUE;
}
