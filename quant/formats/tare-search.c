/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-search-private.h"

#include <float.h>
#include <math.h>

#include "quant/formats/tare-format-private.h"

/* The search for scales. Many candidates are judged at once, a candidate to a lane, so that no sum
 * depends on the width of the machine's vectors and the same weights give the same codes
 * everywhere.
 *
 * x: [n] weights; w: [n] their importance; q: [n] codes as floats; per candidate: [m] */

#define LANES TARE_SEARCH_LANES

/* Lanes of the sums in double precision. */
#define WIDE 8

/* Rounds of least squares and rounding anew; later ones change next to nothing. */
#define N_REFITS 3

/* A reach is the number of steps from 0 to the weight of largest magnitude: a little less than all
 * the codes on a side spreads them thinner, more clips that weight. */
#define N_REACHES 48
#define N_DOWNWARD 32

#define DOWNWARD_FROM -1.65f
#define DOWNWARD_STEP 0.15f
#define UPWARD_FROM -0.9f
#define UPWARD_STEP 0.25f

/* Upwards, a grid with as many codes on either side would repeat itself: it spreads thinner. */
#define MIRRORED_STEP -0.5f

/* How far, in steps, the ends of an affine grid lie inside the ends of the weights, and how often
 * least squares then move each grid. */
#define N_INSETS 4
#define N_GRIDS (N_INSETS * N_INSETS)
#define N_MOVES 1

static const float insets[N_INSETS] = { -0.1f, 0.4f, 1.0f, 1.8f };

TARE_INLINE float
round_code (float value,
            float lowest,
            float highest)
{
  value = value < lowest ? lowest : value;
  value = value > highest ? highest : value;

  return rintf (value);
}

TARE_INLINE void
find_range (const float *x,
            gsize        n,
            float       *minimum,
            float       *maximum)
{
  gsize whole = n & ~(gsize) (LANES - 1);
  float low[LANES], high[LANES];

  for (gsize k = 0; k < LANES; k++)
    low[k] = high[k] = x[0];

  for (gsize begin = 0; begin < whole; begin += LANES)
    for (gsize k = 0; k < LANES; k++)
      {
        low[k] = x[begin + k] < low[k] ? x[begin + k] : low[k];
        high[k] = x[begin + k] > high[k] ? x[begin + k] : high[k];
      }

  for (gsize j = whole; j < n; j++)
    {
      low[0] = x[j] < low[0] ? x[j] : low[0];
      high[0] = x[j] > high[0] ? x[j] : high[0];
    }

  for (gsize width = LANES / 2; width > 0; width /= 2)
    for (gsize k = 0; k < width; k++)
      {
        low[k] = low[k + width] < low[k] ? low[k + width] : low[k];
        high[k] = high[k + width] > high[k] ? high[k + width] : high[k];
      }

  *minimum = low[0];
  *maximum = high[0];
}

TARE_INLINE void
encode (const float *x,
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

TARE_INLINE TareSearchSums
sum_codes (const float *x,
           const float *w,
           const float *q,
           gsize        n)
{
  gsize whole = n & ~(gsize) (WIDE - 1);
  double sums[6][WIDE] = { { 0.0 } };
  double total[6];

  for (gsize begin = 0; begin < whole; begin += WIDE)
    {
      #pragma omp simd
      for (gsize k = 0; k < WIDE; k++)
        {
          double weight = (double) w[begin + k], code = (double) q[begin + k];
          double value = (double) x[begin + k];

          sums[0][k] += weight;
          sums[1][k] += weight * value;
          sums[2][k] += weight * value * value;
          sums[3][k] += weight * code;
          sums[4][k] += weight * code * code;
          sums[5][k] += weight * code * value;
        }
    }

  for (gsize i = 0; i < 6; i++)
    {
      for (gsize width = WIDE / 2; width > 0; width /= 2)
        for (gsize k = 0; k < width; k++)
          sums[i][k] += sums[i][k + width];

      total[i] = sums[i][0];
    }

  for (gsize j = whole; j < n; j++)
    {
      double weight = (double) w[j], code = (double) q[j], value = (double) x[j];

      total[0] += weight;
      total[1] += weight * value;
      total[2] += weight * value * value;
      total[3] += weight * code;
      total[4] += weight * code * code;
      total[5] += weight * code * value;
    }

  return (TareSearchSums) { total[0], total[1], total[2], total[3], total[4], total[5] };
}

/* Σwxq and Σwq² of the codes that each candidate gives: the scale of least squared error with those
 * codes is xq / qq, and it takes xq² / qq off Σwx². */
TARE_INLINE void
sum_symmetric (const float *x,
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

/* Σwq, Σwq² and Σwxq of the codes from 0 that each candidate gives; low is what 0 stands for. */
TARE_INLINE void
sum_affine (const float *x,
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

TARE_INLINE void
measure_symmetric (const float *x,
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

TARE_INLINE void
measure_affine (const float *x,
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
  find_range (x, n, minimum, maximum);
}

TARE_INLINE void
find_ranges (const float *x,
             gsize        n_groups,
             gsize        length,
             float       *minimums,
             float       *maximums)
{
  for (gsize g = 0; g < n_groups; g++)
    find_range (x + g * length, length, minimums + g, maximums + g);
}

/**
 * _tare_search_ranges:
 * @length: of a group; the last may be short
 * @minimums: (out): the smallest weight of each group
 * @maximums: (out): the largest
 */
TARE_CLONES void
_tare_search_ranges (const float *x,
                     gsize        n,
                     gsize        length,
                     float       *minimums,
                     float       *maximums)
{
  gsize whole = n / length, rest = n % length;

  if (length == 16)
    find_ranges (x, whole, 16, minimums, maximums);
  else if (length == 32)
    find_ranges (x, whole, 32, minimums, maximums);
  else
    find_ranges (x, whole, length, minimums, maximums);
  if (rest > 0)
    find_range (x + n - rest, rest, minimums + whole, maximums + whole);
}

/**
 * _tare_search_encode:
 * @scale: as it will be stored; all codes are the nearest to 0 where it is 0
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
  encode (x, n, scale, offset, lowest, highest, q);
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
  return sum_codes (x, w, q, n);
}

TARE_INLINE gsize
find_least (const float *error,
            gsize        m)
{
  float least[LANES];
  guint32 first = (guint32) m;

  for (gsize k = 0; k < LANES; k++)
    least[k] = error[k];

  for (gsize c = LANES; c < m; c += LANES)
    for (gsize k = 0; k < LANES; k++)
      least[k] = error[c + k] < least[k] ? error[c + k] : least[k];

  for (gsize width = LANES / 2; width > 0; width /= 2)
    for (gsize k = 0; k < width; k++)
      least[k] = least[k + width] < least[k] ? least[k + width] : least[k];

  #pragma omp simd reduction (min:first)
  for (guint32 c = 0; c < (guint32) m; c++)
    {
      guint32 found = error[c] > least[0] ? (guint32) m : c;

      first = found < first ? found : first;
    }

  return first;
}

/**
 * _tare_search_find_least:
 *
 * Returns: the first candidate of least error
 */
TARE_CLONES gsize
_tare_search_find_least (const float *error,
                         gsize        m)
{
  return m == LANES ? find_least (error, LANES) : find_least (error, m);
}

static gboolean
can_search (float minimum,
            float maximum)
{
  float largest = MAX (-minimum, maximum);

  return largest >= TARE_SEARCH_SMALLEST && largest <= TARE_SEARCH_LARGEST;
}

TARE_INLINE void
round_scales (float *scale)
{
  #pragma omp simd
  for (int c = 0; c < LANES; c++)
    scale[c] = round_scale (scale[c]);
}

TARE_INLINE void
round_offsets (float *offset)
{
  #pragma omp simd
  for (int c = 0; c < LANES; c++)
    offset[c] = round_offset (offset[c]);
}

/* The scale that the most promising reach leads to, of which some lie downwards. */
TARE_INLINE float
try_reaches (const float *x,
             const float *w,
             gsize        n,
             float        extreme,
             float        lowest,
             float        highest)
{
  float inverse[N_REACHES], xq[N_REACHES], qq[N_REACHES], loss[N_REACHES];
  float from = lowest == -highest ? highest + DOWNWARD_FROM : highest + UPWARD_FROM;
  float step = lowest == -highest ? MIRRORED_STEP : UPWARD_STEP;
  gsize best;

  for (int c = 0; c < N_REACHES; c++)
    {
      float downward = lowest - (DOWNWARD_FROM + DOWNWARD_STEP * (float) c);
      float upward = from + step * (float) (c - N_DOWNWARD);

      inverse[c] = (c < N_DOWNWARD ? downward : upward) / extreme;
    }

  sum_symmetric (x, w, n, N_REACHES, inverse, lowest, highest, xq, qq);

  for (int c = 0; c < N_REACHES; c++)
    loss[c] = -xq[c] * (xq[c] / (qq[c] > FLT_MIN ? qq[c] : FLT_MIN));

  best = find_least (loss, N_REACHES);

  return qq[best] > 0.0f ? xq[best] / qq[best] : 0.0f;
}

/**
 * _tare_search_symmetric:
 * @x: the weights of a group
 * @w: their importance
 * @n: at most %TARE_SEARCH_PIECE
 * @lowest: the lowest code
 * @highest: the highest
 * @plain: the scale from end to end, which is returned unless there is a better one
 *
 * Searches the scale, of either sign, of least squared error. The most promising reach is found by
 * what least squares promise for its codes; then the scales around it are judged by their error,
 * and the best of them refit and rounded in turn.
 *
 * Returns: the scale
 */
TARE_CLONES float
_tare_search_symmetric (const float *x,
                        const float *w,
                        gsize        n,
                        float        lowest,
                        float        highest,
                        float        plain)
{
  float scale[LANES], low[LANES], high[LANES], error[LANES], q[TARE_SEARCH_PIECE];
  float minimum, maximum, extreme, best, near;
  double least = (double) INFINITY;

  find_range (x, n, &minimum, &maximum);
  if (!can_search (minimum, maximum))
    return plain;

  extreme = -minimum > maximum ? minimum : maximum;
  near = try_reaches (x, w, n, extreme, lowest, highest);
  for (int c = 0; c < LANES; c++)
    {
      scale[c] = near * (1.0f + (float) (c - LANES / 2) * (DOWNWARD_STEP / 5.0f / highest));
      low[c] = lowest;
      high[c] = highest;
    }
  round_scales (scale);
  scale[0] = plain;

  measure_symmetric (x, w, n, LANES, scale, low, high, error);
  near = best = scale[find_least (error, LANES)];

  for (int i = 0; i < N_REFITS; i++)
    {
      TareSearchSums sums;
      double loss;

      encode (x, n, near, 0.0f, lowest, highest, q);
      sums = sum_codes (x, w, q, n);
      loss = sums.xx - (double) near * (2.0 * sums.xq - (double) near * sums.qq);
      if (loss >= least || sums.qq <= 0.0)
        break;

      best = near;
      least = loss;
      near = round_scale ((float) (sums.xq / sums.qq));
    }

  return best;
}

/* Least squares of x ~ scale q + offset in half precision; they stay as they are where there is no
 * such solution. */
static void
solve_affine (const TareSearchSums *sums,
              float                *scale,
              float                *offset)
{
  double determinant = sums->w * sums->qq - sums->q * sums->q;
  double s = sums->w * sums->xq - sums->x * sums->q;
  double m = sums->qq * sums->x - sums->q * sums->xq;

  if (!(determinant > 1e-9 * sums->w * sums->qq) || !(s > 0.0))
    return;

  *scale = round_scale ((float) (s / determinant));
  *offset = round_offset ((float) (m / determinant));
}

/* Least squares for each grid over weights whose smallest has been moved to 0: sum_w and sum_x are
 * theirs.
 *
 * loss: (out): the error, less Σwx² */
TARE_INLINE void
solve_grids (float        sum_w,
             float        sum_x,
             const float *q,
             const float *qq,
             const float *xq,
             float       *scale,
             float       *offset,
             float       *loss)
{
  float solved[N_GRIDS], divisor[N_GRIDS];

  /* Divisors have a loop of their own, or the compiler branches around each division. */
  for (int c = 0; c < N_GRIDS; c++)
    {
      float determinant = sum_w * qq[c] - q[c] * q[c];

      solved[c] = determinant > 1e-6f * sum_w * qq[c] ? 1.0f : 0.0f;
      divisor[c] = determinant > 1e-6f * sum_w * qq[c] ? determinant : 1.0f;
    }

  #pragma omp simd
  for (int c = 0; c < N_GRIDS; c++)
    {
      scale[c] = (sum_w * xq[c] - sum_x * q[c]) / divisor[c];
      offset[c] = (qq[c] * sum_x - q[c] * xq[c]) / divisor[c];
    }

  #pragma omp simd
  for (int c = 0; c < N_GRIDS; c++)
    {
      float s = solved[c] * scale[c];
      float m = solved[c] * offset[c];
      float reached = s * (s * qq[c] + 2.0f * (m * q[c] - xq[c])) + m * (m * sum_w - 2.0f * sum_x);

      scale[c] = s;
      offset[c] = m;
      loss[c] = s > 0.0f ? reached : 0.0f;
    }
}

/* The scale and offset that the most promising grid leads to, or what they were. */
TARE_INLINE void
try_grids (const float *x,
           const float *w,
           gsize        n,
           float        minimum,
           float        maximum,
           float        highest,
           float       *scale,
           float       *offset)
{
  float inverse[N_GRIDS], low[N_GRIDS], q[N_GRIDS], qq[N_GRIDS], xq[N_GRIDS];
  float scales[N_GRIDS], loss[N_GRIDS], moved[TARE_SEARCH_PIECE];
  float step = (maximum - minimum) / highest;
  TareSearchSums sums;
  gsize best;

  for (gsize j = 0; j < n; j++)
    moved[j] = x[j] - minimum;

  for (int c = 0; c < N_GRIDS; c++)
    {
      float from = insets[c / N_INSETS] * step;
      float to = (maximum - minimum) - insets[c % N_INSETS] * step;

      low[c] = from;
      inverse[c] = to > from ? highest / (to - from) : 0.0f;
    }

  sums = sum_codes (moved, w, moved, n);
  for (int i = 0; i <= N_MOVES; i++)
    {
      sum_affine (moved, w, n, N_GRIDS, inverse, low, highest, q, qq, xq);
      solve_grids ((float) sums.w, (float) sums.x, q, qq, xq,
                   scales, low, loss);

      #pragma omp simd
      for (int c = 0; c < N_GRIDS; c++)
        inverse[c] = 1.0f / (scales[c] > FLT_MIN ? scales[c] : INFINITY);
    }

  best = find_least (loss, N_GRIDS);
  if (scales[best] > 0.0f)
    {
      *scale = scales[best];
      *offset = low[best] + minimum;
    }
}

/**
 * _tare_search_affine:
 * @x: the weights of a group
 * @w: their importance
 * @n: at most %TARE_SEARCH_PIECE
 * @highest: the highest code; the lowest is 0
 * @scale: (inout): the scale from end to end, and then a better one if there is any
 * @offset: (inout): what code 0 stands for
 *
 * Searches the scale and offset of least squared error over grids whose ends lie around those of
 * the weights, each moved by least squares for its own codes, in the way of
 * _tare_search_symmetric().
 */
TARE_CLONES void
_tare_search_affine (const float *x,
                     const float *w,
                     gsize        n,
                     float        highest,
                     float       *scale,
                     float       *offset)
{
  float scales[LANES], offsets[LANES], error[LANES], q[TARE_SEARCH_PIECE];
  float minimum, maximum, s = *scale, m = *offset;
  double least = (double) INFINITY;
  TareSearchSums sums;
  gsize best;

  find_range (x, n, &minimum, &maximum);
  if (!can_search (minimum, maximum))
    return;

  try_grids (x, w, n, minimum, maximum, highest, &s, &m);

  for (int c = 0; c < LANES; c++)
    {
      scales[c] = s * (1.0f + ((float) (c % 4) - 1.5f) * (0.1f / highest));
      offsets[c] = m + s * ((float) (c / 4) - 1.5f) * 0.08f;
    }
  round_scales (scales);
  round_offsets (offsets);
  scales[0] = *scale;
  offsets[0] = *offset;

  measure_affine (x, w, n, LANES, scales, offsets, highest, error);
  best = find_least (error, LANES);
  *scale = s = scales[best];
  *offset = m = offsets[best];

  for (int i = 0; i < N_REFITS; i++)
    {
      double loss;

      encode (x, n, s, m, 0.0f, highest, q);
      sums = sum_codes (x, w, q, n);
      loss = (double) s * ((double) s * sums.qq + 2.0 * (double) m * sums.q - 2.0 * sums.xq) +
             (double) m * ((double) m * sums.w - 2.0 * sums.x);
      if (loss >= least)
        break;

      *scale = s;
      *offset = m;
      least = loss;
      solve_affine (&sums, &s, &m);
    }
}
