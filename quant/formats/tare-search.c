/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-search-private.h"

#include <math.h>

#include "quant/formats/tare-format-private.h"

/* Kernels of the search for scales. Each judges many candidates at once, a candidate to a lane, so
 * that no sum depends on the width of the machine's vectors.
 *
 * x: [n] weights; w: [n] their importance; q: [n] codes as floats; per candidate: [m] */

#define LANES TARE_SEARCH_LANES

TARE_INLINE float
round_code (float value,
            float lowest,
            float highest)
{
  value = value < lowest ? lowest : value;
  value = value > highest ? highest : value;

  return rintf (value);
}

/**
 * _tare_search_sum_symmetric:
 * @inverse: reciprocals of candidate scales, of either sign
 * @xq: (out): Σwxq of the codes q that each gives
 * @qq: (out): Σwq²
 *
 * The scale of least squared error with those codes is xq / qq, and it takes xq² / qq off Σwx².
 */
TARE_CLONES void
_tare_search_sum_symmetric (const float *x,
                            const float *w,
                            gsize        n,
                            gsize        m,
                            const float *inverse,
                            float        lowest,
                            float        highest,
                            float       *xq,
                            float       *qq)
{
  for (gsize c = 0; c < m; c += LANES)
    {
      float a[LANES] = { 0.0f }, b[LANES] = { 0.0f };

      for (gsize j = 0; j < n; j++)
        {
          #pragma omp simd
          for (gsize k = 0; k < LANES; k++)
            {
              float code = round_code (x[j] * inverse[c + k], lowest, highest);
              float product = w[j] * code;

              a[k] += product * x[j];
              b[k] += product * code;
            }
        }

      for (gsize k = 0; k < LANES; k++)
        {
          xq[c + k] = a[k];
          qq[c + k] = b[k];
        }
    }
}

/**
 * _tare_search_sum_affine:
 * @inverse: reciprocals of candidate scales
 * @low: what code 0 stands for in each
 * @q: (out): Σwq of the codes q in 0..@highest that each gives
 * @qq: (out): Σwq²
 * @xq: (out): Σwxq
 */
TARE_CLONES void
_tare_search_sum_affine (const float *x,
                         const float *w,
                         gsize        n,
                         gsize        m,
                         const float *inverse,
                         const float *low,
                         float        highest,
                         float       *q,
                         float       *qq,
                         float       *xq)
{
  for (gsize c = 0; c < m; c += LANES)
    {
      float a[LANES] = { 0.0f }, b[LANES] = { 0.0f }, d[LANES] = { 0.0f };

      for (gsize j = 0; j < n; j++)
        {
          #pragma omp simd
          for (gsize k = 0; k < LANES; k++)
            {
              float code = round_code ((x[j] - low[c + k]) * inverse[c + k], 0.0f, highest);
              float product = w[j] * code;

              a[k] += product;
              b[k] += product * code;
              d[k] += product * x[j];
            }
        }

      for (gsize k = 0; k < LANES; k++)
        {
          q[c + k] = a[k];
          qq[c + k] = b[k];
          xq[c + k] = d[k];
        }
    }
}

/**
 * _tare_search_error_symmetric:
 * @scale: candidate scales as they will be stored
 * @lowest: the lowest code of each
 * @highest: the highest
 * @error: (out): Σw(x - scale q)²
 */
TARE_CLONES void
_tare_search_error_symmetric (const float *x,
                              const float *w,
                              gsize        n,
                              gsize        m,
                              const float *scale,
                              const float *lowest,
                              const float *highest,
                              float       *error)
{
  for (gsize c = 0; c < m; c += LANES)
    {
      float sum[LANES] = { 0.0f }, inverse[LANES];

      for (gsize k = 0; k < LANES; k++)
        inverse[k] = invert (scale[c + k]);

      for (gsize j = 0; j < n; j++)
        {
          #pragma omp simd
          for (gsize k = 0; k < LANES; k++)
            {
              float code = round_code (x[j] * inverse[k], lowest[c + k], highest[c + k]);
              float difference = x[j] - scale[c + k] * code;

              sum[k] += w[j] * difference * difference;
            }
        }

      for (gsize k = 0; k < LANES; k++)
        error[c + k] = sum[k];
    }
}

/**
 * _tare_search_error_affine:
 * @scale: candidate scales as they will be stored
 * @offset: what code 0 stands for in each
 * @highest: the highest code
 * @error: (out): Σw(x - scale q - offset)²
 */
TARE_CLONES void
_tare_search_error_affine (const float *x,
                           const float *w,
                           gsize        n,
                           gsize        m,
                           const float *scale,
                           const float *offset,
                           float        highest,
                           float       *error)
{
  for (gsize c = 0; c < m; c += LANES)
    {
      float sum[LANES] = { 0.0f }, inverse[LANES];

      for (gsize k = 0; k < LANES; k++)
        inverse[k] = invert (scale[c + k]);

      for (gsize j = 0; j < n; j++)
        {
          #pragma omp simd
          for (gsize k = 0; k < LANES; k++)
            {
              float code = round_code ((x[j] - offset[c + k]) * inverse[k], 0.0f, highest);
              float difference = x[j] - (scale[c + k] * code + offset[c + k]);

              sum[k] += w[j] * difference * difference;
            }
        }

      for (gsize k = 0; k < LANES; k++)
        error[c + k] = sum[k];
    }
}

/**
 * _tare_search_encode:
 * @scale: as it will be stored; all codes are 0, or the nearest to it, where it is 0
 * @offset: what code 0 stands for
 * @q: (out): the nearest codes in @lowest..@highest
 */
TARE_CLONES void
_tare_search_encode (const float *x,
                     gsize        n,
                     float        scale,
                     float        offset,
                     float        lowest,
                     float        highest,
                     float       *q)
{
  float inverse = invert (scale);

  for (gsize j = 0; j < n; j++)
    q[j] = round_code ((x[j] - offset) * inverse, lowest, highest);
}

/**
 * _tare_search_sum:
 *
 * Returns: the sums of least squares over weights and their codes
 */
TARE_CLONES TareSearchSums
_tare_search_sum (const float *x,
                  const float *w,
                  const float *q,
                  gsize        n)
{
  TareSearchSums sums = { 0 };

  for (gsize begin = 0; begin < n; begin += LANES)
    {
      gsize m = MIN (LANES, n - begin);

      for (gsize j = begin; j < begin + m; j++)
        {
          double product = (double) w[j] * (double) x[j];
          double code = (double) w[j] * (double) q[j];

          sums.w += (double) w[j];
          sums.x += product;
          sums.xx += product * (double) x[j];
          sums.q += code;
          sums.qq += code * (double) q[j];
          sums.xq += product * (double) q[j];
        }
    }

  return sums;
}

/**
 * _tare_search_range:
 * @minimum: (out): the smallest of the weights
 * @maximum: (out): the largest
 */
TARE_CLONES void
_tare_search_range (const float *x,
                    gsize        n,
                    float       *minimum,
                    float       *maximum)
{
  float low[LANES], high[LANES];

  for (gsize k = 0; k < LANES; k++)
    low[k] = high[k] = x[0];

  for (gsize begin = 0; begin < n; begin += LANES)
    {
      gsize m = MIN (LANES, n - begin);

      for (gsize k = 0; k < m; k++)
        {
          low[k] = x[begin + k] < low[k] ? x[begin + k] : low[k];
          high[k] = x[begin + k] > high[k] ? x[begin + k] : high[k];
        }
    }

  *minimum = low[0];
  *maximum = high[0];

  for (gsize k = 1; k < LANES; k++)
    {
      *minimum = MIN (*minimum, low[k]);
      *maximum = MAX (*maximum, high[k]);
    }
}

/* Of least-squares refits of one group's scale: more change next to nothing. */
#define N_REFITS 3

/* Reaches are numbers of steps from 0 to the weight of largest magnitude: a little less than all
 * codes in one direction spreads them thinner, more clips that weight. */
#define N_REACHES 48
#define N_DOWNWARD 32
#define DOWNWARD_FROM -1.65f
#define DOWNWARD_STEP 0.15f
#define UPWARD_FROM -0.9f
#define UPWARD_STEP 0.25f

static void
list_reaches (const float *x,
              gsize        n,
              float        lowest,
              float        highest,
              float       *inverse)
{
  float minimum, maximum, extreme;

  _tare_search_range (x, n, &minimum, &maximum);
  extreme = -minimum > maximum ? minimum : maximum;

  for (gsize c = 0; c < N_REACHES; c++)
    {
      float downward = lowest - (DOWNWARD_FROM + DOWNWARD_STEP * (float) c);
      float upward = highest + UPWARD_FROM + UPWARD_STEP * (float) (c - N_DOWNWARD);

      inverse[c] = (c < N_DOWNWARD ? downward : upward) / extreme;
    }
}

static gsize
find_least (const float *error,
            gsize        n)
{
  gsize least = 0;

  for (gsize c = 1; c < n; c++)
    if (error[c] < error[least])
      least = c;

  return least;
}

static gboolean
can_search (const float *x,
            gsize        n)
{
  float minimum, maximum, largest;

  _tare_search_range (x, n, &minimum, &maximum);
  largest = MAX (-minimum, maximum);

  return largest >= TARE_SEARCH_SMALLEST && largest <= TARE_SEARCH_LARGEST;
}

/* The error of one scale, exactly. q: [n] its codes */
static double
measure_scale (const float *x,
               const float *w,
               const float *q,
               gsize        n,
               float        scale,
               float        offset)
{
  double error = 0.0;

  for (gsize j = 0; j < n; j++)
    {
      double difference = (double) x[j] - (double) (scale * q[j] + offset);

      error += (double) w[j] * difference * difference;
    }

  return error;
}

/**
 * _tare_search_symmetric:
 * @x: the weights of a group
 * @w: their importance
 * @n: at most 256
 * @lowest: the lowest code
 * @highest: the highest
 * @plain: the scale from end to end, which is returned unless there is a better one
 * @stored: whether the scale is stored in half precision
 *
 * Searches the scale, of either sign, of least squared error. Every candidate is refit to its own
 * codes by least squares before it is judged; the best is refit and rounded again in turn.
 *
 * Returns: the scale
 */
float
_tare_search_symmetric (const float *x,
                        const float *w,
                        gsize        n,
                        float        lowest,
                        float        highest,
                        float        plain,
                        gboolean     stored)
{
  float inverse[N_REACHES], xq[N_REACHES], qq[N_REACHES], scale[N_REACHES], error[N_REACHES];
  float low[N_REACHES], high[N_REACHES], q[256];
  double least;
  float best;

  if (!can_search (x, n))
    return plain;

  list_reaches (x, n, lowest, highest, inverse);
  _tare_search_sum_symmetric (x, w, n, N_REACHES, inverse, lowest, highest, xq, qq);

  for (gsize c = 0; c < N_REACHES; c++)
    {
      scale[c] = qq[c] > 0.0f ? xq[c] / qq[c] : plain;
      scale[c] = stored ? round_scale (scale[c]) : scale[c];
      low[c] = lowest;
      high[c] = highest;
    }
  scale[0] = plain;

  _tare_search_error_symmetric (x, w, n, N_REACHES, scale, low, high, error);
  best = scale[find_least (error, N_REACHES)];
  _tare_search_encode (x, n, best, 0.0f, lowest, highest, q);
  least = measure_scale (x, w, q, n, best, 0.0f);

  for (gsize i = 0; i < N_REFITS; i++)
    {
      TareSearchSums sums = _tare_search_sum (x, w, q, n);
      float refit = sums.qq > 0.0 ? (float) (sums.xq / sums.qq) : best;
      double refit_error;

      refit = stored ? round_scale (refit) : refit;
      _tare_search_encode (x, n, refit, 0.0f, lowest, highest, q);
      refit_error = measure_scale (x, w, q, n, refit, 0.0f);
      if (refit_error >= least)
        break;

      best = refit;
      least = refit_error;
    }

  return best;
}

/* How far, in steps, the ends of an affine grid lie inside the ends of the weights. */
#define N_INSETS 8
#define N_GRIDS (N_INSETS * N_INSETS)

static const float insets[N_INSETS] = { -0.35f, -0.1f, 0.15f, 0.4f, 0.7f, 1.0f, 1.4f, 1.9f };

static void
list_grids (const float *x,
            gsize        n,
            float        highest,
            float       *inverse,
            float       *low)
{
  float minimum, maximum, step;

  _tare_search_range (x, n, &minimum, &maximum);
  step = (maximum - minimum) / highest;

  for (gsize c = 0; c < N_GRIDS; c++)
    {
      float from = minimum + insets[c / N_INSETS] * step;
      float to = maximum - insets[c % N_INSETS] * step;

      low[c] = from;
      inverse[c] = to > from ? highest / (to - from) : 0.0f;
    }
}

/* Least squares of x ~ scale q + offset, with an offset of at most zero if it is not @stored. */
static void
solve_affine (const TareSearchSums *sums,
              gboolean              stored,
              float                *scale,
              float                *offset)
{
  double determinant = sums->w * sums->qq - sums->q * sums->q;
  double s, m;

  if (!(determinant > 1e-9 * sums->w * sums->qq))
    return;

  s = (sums->w * sums->xq - sums->x * sums->q) / determinant;
  m = (sums->qq * sums->x - sums->q * sums->xq) / determinant;

  if (!stored && m > 0.0)
    {
      m = 0.0;
      s = sums->xq / sums->qq;
    }
  if (!(s > 0.0))
    return;

  *scale = stored ? round_scale ((float) s) : (float) s;
  *offset = stored ? round_offset ((float) m) : (float) m;
}

/**
 * _tare_search_affine:
 * @x: the weights of a group
 * @w: their importance
 * @n: at most 256
 * @highest: the highest code; the lowest is 0
 * @stored: whether scale and offset are stored in half precision; if not, as in K-quants, the offset
 *   must not be positive
 * @scale: (inout): the scale from end to end, and then a better one if there is any
 * @offset: (inout): what code 0 stands for
 *
 * Searches the scale and offset of least squared error over grids whose ends lie around those of
 * the weights, in the way of _tare_search_symmetric().
 */
void
_tare_search_affine (const float *x,
                     const float *w,
                     gsize        n,
                     float        highest,
                     gboolean     stored,
                     float       *scale,
                     float       *offset)
{
  float inverse[N_GRIDS], low[N_GRIDS], sum_q[N_GRIDS], qq[N_GRIDS], xq[N_GRIDS];
  float scales[N_GRIDS], offsets[N_GRIDS], error[N_GRIDS], q[256];
  TareSearchSums sums;
  gsize best;
  double least;

  if (!can_search (x, n))
    return;

  list_grids (x, n, highest, inverse, low);
  _tare_search_sum_affine (x, w, n, N_GRIDS, inverse, low, highest, sum_q, qq, xq);
  _tare_search_encode (x, n, *scale, *offset, 0.0f, highest, q);
  sums = _tare_search_sum (x, w, q, n);

  for (gsize c = 0; c < N_GRIDS; c++)
    {
      sums.q = (double) sum_q[c];
      sums.qq = (double) qq[c];
      sums.xq = (double) xq[c];
      scales[c] = *scale;
      offsets[c] = *offset;
      if (c > 0)
        solve_affine (&sums, stored, &scales[c], &offsets[c]);
    }

  _tare_search_error_affine (x, w, n, N_GRIDS, scales, offsets, highest, error);
  best = find_least (error, N_GRIDS);
  *scale = scales[best];
  *offset = offsets[best];
  _tare_search_encode (x, n, *scale, *offset, 0.0f, highest, q);
  least = measure_scale (x, w, q, n, *scale, *offset);

  for (gsize i = 0; i < N_REFITS; i++)
    {
      float s = *scale, m = *offset;
      double refit_error;

      sums = _tare_search_sum (x, w, q, n);
      solve_affine (&sums, stored, &s, &m);
      _tare_search_encode (x, n, s, m, 0.0f, highest, q);
      refit_error = measure_scale (x, w, q, n, s, m);
      if (refit_error >= least)
        break;

      *scale = s;
      *offset = m;
      least = refit_error;
    }
}
