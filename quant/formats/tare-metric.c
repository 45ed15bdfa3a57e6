/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-metric.h"

#include "quant/tare-simd.h"

#include <math.h>

/* Sums run in this many lanes, so that they are the same whatever the width of the vectors. */
#define LANES 16

/* Fewer weights than this are not worth a second thread. */
#define PARALLEL 32768

typedef struct
{
  double norm;
  double error;
  double weighted_norm;
  double weighted_error;
  float  maximum;
} RowSums;

/* x, y, w: [n]; w may be NULL for ones, and then the weighted sums are left at zero. */
TARE_CLONES static void
sum_row (const float *restrict x,
         const float *restrict y,
         const float *restrict w,
         gsize                 n,
         RowSums              *sums)
{
  double norm[LANES] = { 0.0 }, error[LANES] = { 0.0 };
  double weighted_norm[LANES] = { 0.0 }, weighted_error[LANES] = { 0.0 };
  float maximum[LANES] = { 0.0f };

  for (gsize j = 0; j < n; j += LANES)
    {
      float a[LANES] = { 0.0f }, b[LANES] = { 0.0f }, c[LANES] = { 0.0f };
      gsize m = MIN (n - j, LANES);

      for (gsize k = 0; k < m; k++)
        {
          a[k] = x[j + k];
          b[k] = x[j + k] - y[j + k];
          c[k] = w != NULL ? w[j + k] : 0.0f;
        }

      for (gsize k = 0; k < LANES; k++)
        {
          double square = (double) a[k] * (double) a[k];
          double squared = (double) b[k] * (double) b[k];

          norm[k] += square;
          error[k] += squared;
          weighted_norm[k] += (double) c[k] * square;
          weighted_error[k] += (double) c[k] * squared;
          maximum[k] = fabsf (b[k]) > maximum[k] ? fabsf (b[k]) : maximum[k];
        }
    }

  for (gsize k = 0; k < LANES; k++)
    {
      sums->norm += norm[k];
      sums->error += error[k];
      sums->weighted_norm += weighted_norm[k];
      sums->weighted_error += weighted_error[k];
      sums->maximum = MAX (sums->maximum, maximum[k]);
    }
}

/**
 * tare_distortion_measure:
 * @x: the weights, rows x columns
 * @y: what became of them
 * @rows: outputs
 * @columns: inputs
 * @importance: (nullable): one weight a column
 *
 * Measures what rounding did. A row of zeros has no relative error and is left out of the means; so
 * is, of the weighted mean alone, a row whose important columns are all zero.
 *
 * Returns: the figures of #TareDistortion
 */
TareDistortion
tare_distortion_measure (const float *x,
                         const float *y,
                         gsize        rows,
                         gsize        columns,
                         const float *importance)
{
  TareDistortion distortion = { 0 };
  g_autofree RowSums *sums = g_new0 (RowSums, MAX (rows, 1));
  gsize n_weighted = 0;

  #pragma omp parallel for schedule (static) if (rows * columns > PARALLEL)
  for (gsize i = 0; i < rows; i++)
    sum_row (x + i * columns, y + i * columns, importance, columns, &sums[i]);

  for (gsize i = 0; i < rows; i++)
    {
      distortion.squared += sums[i].error;
      distortion.maximum = MAX (distortion.maximum, (double) sums[i].maximum);

      if (sums[i].norm > 0.0)
        {
          distortion.relative += sums[i].error / sums[i].norm;
          distortion.rows++;
        }

      if (sums[i].weighted_norm > 0.0)
        {
          distortion.weighted += sums[i].weighted_error / sums[i].weighted_norm;
          n_weighted++;
        }
    }

  if (distortion.rows > 0)
    distortion.relative /= (double) distortion.rows;

  if (importance == NULL)
    distortion.weighted = distortion.relative;
  else if (n_weighted > 0)
    distortion.weighted /= (double) n_weighted;

  return distortion;
}
