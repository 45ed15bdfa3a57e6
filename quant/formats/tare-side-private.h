/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <math.h>
#include <string.h>

#include "quant/formats/tare-format-private.h"

G_BEGIN_DECLS

/* Sixteen groups side by side, a group to a lane: weight j of group k is x[16 j + k]. Each lane
 * judges a candidate of its own, no lane sums over another, and so the same weights give the same
 * codes whatever the machine's vectors and whichever groups are neighbours. */
#define TARE_SIDE_LANES 16

/* The levels of IQ4_NL as the GGUF specification has them. */
#define TARE_N_LEVELS 16

static const float tare_levels_nl[TARE_N_LEVELS] = {
  -127.0f, -104.0f, -83.0f, -65.0f, -49.0f, -35.0f, -22.0f, -10.0f,
  1.0f, 13.0f, 25.0f, 38.0f, 53.0f, 69.0f, 89.0f, 113.0f,
};

/* A loop over all lanes. */
#define TARE_SIDE_LOOP(k) \
  _Pragma ("omp simd") for (gsize k = 0; k < TARE_SIDE_LANES; k++)

/**
 * TareSideSums:
 *
 * What least squares need to know about each lane: Σw, Σwx, Σwq, Σwq² and Σwxq.
 */
typedef struct
{
  float w[TARE_SIDE_LANES];
  float x[TARE_SIDE_LANES];
  float q[TARE_SIDE_LANES];
  float qq[TARE_SIDE_LANES];
  float xq[TARE_SIDE_LANES];
} TareSideSums;

TARE_INLINE float
side_clamp (float value,
            float lowest,
            float highest)
{
  value = value > lowest ? value : lowest;

  return value < highest ? value : highest;
}

TARE_INLINE float
side_round (float value,
            float lowest,
            float highest)
{
  return rintf (side_clamp (value, lowest, highest));
}

/* Returns: of the sixteen levels of IQ4_NL the nearest */
TARE_INLINE float
side_round_level (float value)
{
  float level = tare_levels_nl[0];

  #pragma GCC unroll 16
  for (gsize i = 1; i < TARE_N_LEVELS; i++)
    level += value > 0.5f * (tare_levels_nl[i - 1] + tare_levels_nl[i])
             ? tare_levels_nl[i] - tare_levels_nl[i - 1] : 0.0f;

  return level;
}

/* The nearest levels for each lane, in fewer steps: a cubic comes within half an index of where one
 * level ends and the next begins, so that a single comparison remains. */
TARE_INLINE void
side_round_levels (const float *value,
                   float       *level)
{
#if defined (__GNUC__) && !defined (__clang__)
  /* Tables of sixteen are what the machine's permutations look up. */
  typedef float Sixteen __attribute__ ((vector_size (64)));
  typedef gint32 Index __attribute__ ((vector_size (64)));
  static const Sixteen levels = {
    -127.0f, -104.0f, -83.0f, -65.0f, -49.0f, -35.0f, -22.0f, -10.0f,
    1.0f, 13.0f, 25.0f, 38.0f, 53.0f, 69.0f, 89.0f, 113.0f,
  };
  Index index;
  Sixteen low, high;

  TARE_SIDE_LOOP (k)
    {
      float u = side_clamp (value[k], -127.0f, 113.0f) + 4.5f;

      index[k] = (gint32) (u * (0.084f - 1.59e-6f * (u * u)) + 8.5f);
    }

  low = __builtin_shuffle (levels, index - 1);
  high = __builtin_shuffle (levels, index);

  TARE_SIDE_LOOP (k)
    level[k] = value[k] > 0.5f * (low[k] + high[k]) ? high[k] : low[k];
#else
  TARE_SIDE_LOOP (k)
    level[k] = side_round_level (value[k]);
#endif
}

/* 1 / scale, and 0 for 0 */
TARE_INLINE void
side_invert (const float *scale,
             float       *inverse)
{
  TARE_SIDE_LOOP (k)
    {
      float divisor = scale[k] != 0.0f ? scale[k] : INFINITY;

      inverse[k] = 1.0f / divisor;
    }
}

/* x: [groups][n], y: (out): [n][lanes], zero where there is no group */
TARE_INLINE void
side_load (const float *x,
           gsize        n_groups,
           gsize        n,
           float       *y)
{
  for (gsize j = 0; j < n; j++)
    for (gsize k = 0; k < TARE_SIDE_LANES; k++)
      y[j * TARE_SIDE_LANES + k] = k < n_groups ? x[k * n + j] : 0.0f;
}

TARE_INLINE void
side_range (const float *x,
            gsize        n,
            float       *minimum,
            float       *maximum)
{
  float low[TARE_SIDE_LANES], high[TARE_SIDE_LANES];

  TARE_SIDE_LOOP (k)
    low[k] = high[k] = x[k];

  for (gsize j = 1; j < n; j++)
    TARE_SIDE_LOOP (k)
      {
        float value = x[j * TARE_SIDE_LANES + k];

        low[k] = value < low[k] ? value : low[k];
        high[k] = value > high[k] ? value : high[k];
      }

  TARE_SIDE_LOOP (k)
    {
      minimum[k] = low[k];
      maximum[k] = high[k];
    }
}

/* Σw and Σwx */
TARE_INLINE void
side_sum_weights (const float  *x,
                  const float  *w,
                  gsize         n,
                  TareSideSums *sums)
{
  float a[TARE_SIDE_LANES] = { 0.0f }, b[TARE_SIDE_LANES] = { 0.0f };

  for (gsize j = 0; j < n; j++)
    TARE_SIDE_LOOP (k)
      {
        a[k] += w[j * TARE_SIDE_LANES + k];
        b[k] += w[j * TARE_SIDE_LANES + k] * x[j * TARE_SIDE_LANES + k];
      }

  TARE_SIDE_LOOP (k)
    {
      sums->w[k] = a[k];
      sums->x[k] = b[k];
    }
}

/* The other sums, of the nearest codes of each lane's grid; low is what 0 stands for. The lowest
 * code is 0, but not a constant, for which the compiler would take two instructions. */
TARE_INLINE void
side_sum_affine (const float  *x,
                 const float  *w,
                 gsize         n,
                 const float  *inverse,
                 const float  *low,
                 float         lowest,
                 float         highest,
                 TareSideSums *sums)
{
  float a[TARE_SIDE_LANES] = { 0.0f }, b[TARE_SIDE_LANES] = { 0.0f };
  float c[TARE_SIDE_LANES] = { 0.0f };

  for (gsize j = 0; j < n; j++)
    TARE_SIDE_LOOP (k)
      {
        float value = x[j * TARE_SIDE_LANES + k];
        float code = side_round ((value - low[k]) * inverse[k], lowest, highest);
        float product = w[j * TARE_SIDE_LANES + k] * code;

        a[k] += product;
        b[k] += product * code;
        c[k] += product * value;
      }

  TARE_SIDE_LOOP (k)
    {
      sums->q[k] = a[k];
      sums->qq[k] = b[k];
      sums->xq[k] = c[k];
    }
}

/* x, code: (out): [lanes] */
TARE_INLINE void
side_find_codes (const float *x,
                 const float *inverse,
                 gboolean     uneven,
                 float        lowest,
                 float        highest,
                 float       *code)
{
  TARE_SIDE_LOOP (k)
    code[k] = uneven ? x[k] * inverse[k] : side_round (x[k] * inverse[k], lowest, highest);

  if (uneven)
    side_round_levels (code, code);
}

/* Σwxq and Σwq² */
TARE_INLINE void
side_sum_symmetric (const float *x,
                    const float *w,
                    gsize        n,
                    gboolean     uneven,
                    const float *inverse,
                    float        lowest,
                    float        highest,
                    float       *xq,
                    float       *qq)
{
  float a[TARE_SIDE_LANES] = { 0.0f }, b[TARE_SIDE_LANES] = { 0.0f };

  for (gsize j = 0; j < n; j++)
    {
      float code[TARE_SIDE_LANES];

      side_find_codes (x + j * TARE_SIDE_LANES, inverse, uneven, lowest, highest, code);
      TARE_SIDE_LOOP (k)
        {
          float product = w[j * TARE_SIDE_LANES + k] * code[k];

          a[k] += product * x[j * TARE_SIDE_LANES + k];
          b[k] += product * code[k];
        }
    }

  TARE_SIDE_LOOP (k)
    {
      xq[k] = a[k];
      qq[k] = b[k];
    }
}

/* Σw(x - scale q - offset)² */
TARE_INLINE void
side_measure_affine (const float *x,
                     const float *w,
                     gsize        n,
                     const float *scale,
                     const float *offset,
                     float        lowest,
                     float        highest,
                     float       *error)
{
  float inverse[TARE_SIDE_LANES], sum[TARE_SIDE_LANES] = { 0.0f };

  side_invert (scale, inverse);

  for (gsize j = 0; j < n; j++)
    TARE_SIDE_LOOP (k)
      {
        float value = x[j * TARE_SIDE_LANES + k] - offset[k];
        float difference = value - scale[k] * side_round (value * inverse[k], lowest, highest);

        sum[k] += w[j * TARE_SIDE_LANES + k] * difference * difference;
      }

  TARE_SIDE_LOOP (k)
    error[k] = sum[k];
}

/* Σw(x - scale q)² */
TARE_INLINE void
side_measure_symmetric (const float *x,
                        const float *w,
                        gsize        n,
                        gboolean     uneven,
                        const float *scale,
                        float        lowest,
                        float        highest,
                        float       *error)
{
  float inverse[TARE_SIDE_LANES], sum[TARE_SIDE_LANES] = { 0.0f };

  side_invert (scale, inverse);

  for (gsize j = 0; j < n; j++)
    {
      float code[TARE_SIDE_LANES];

      side_find_codes (x + j * TARE_SIDE_LANES, inverse, uneven, lowest, highest, code);
      TARE_SIDE_LOOP (k)
        {
          float difference = x[j * TARE_SIDE_LANES + k] - scale[k] * code[k];

          sum[k] += w[j * TARE_SIDE_LANES + k] * difference * difference;
        }
    }

  TARE_SIDE_LOOP (k)
    error[k] = sum[k];
}

/* The sum over every n_groups lanes, in all of them. */
TARE_INLINE void
side_spread_sum (float *v,
                 gsize  n_groups)
{
  #pragma GCC unroll 4
  for (gsize width = 1; width < n_groups; width *= 2)
    {
      float other[TARE_SIDE_LANES];

      for (gsize k = 0; k < TARE_SIDE_LANES; k++)
        other[k] = v[k ^ width];
      TARE_SIDE_LOOP (k)
        v[k] += other[k];
    }
}

TARE_INLINE void
side_spread_largest (float *v,
                     gsize  n_groups)
{
  #pragma GCC unroll 4
  for (gsize width = 1; width < n_groups; width *= 2)
    {
      float other[TARE_SIDE_LANES];

      for (gsize k = 0; k < TARE_SIDE_LANES; k++)
        other[k] = v[k ^ width];
      TARE_SIDE_LOOP (k)
        v[k] = other[k] > v[k] ? other[k] : v[k];
    }
}

G_END_DECLS
