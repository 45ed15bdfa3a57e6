/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <math.h>

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
side_round (float value,
            float lowest,
            float highest)
{
  value = value > lowest ? value : lowest;
  value = value < highest ? value : highest;

  return rintf (value);
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
    TARE_SIDE_LOOP (k)
      {
        float value = x[j * TARE_SIDE_LANES + k];
        float code = uneven ? side_round_level (value * inverse[k])
                            : side_round (value * inverse[k], lowest, highest);
        float product = w[j * TARE_SIDE_LANES + k] * code;

        a[k] += product * value;
        b[k] += product * code;
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
    TARE_SIDE_LOOP (k)
      {
        float value = x[j * TARE_SIDE_LANES + k];
        float code = uneven ? side_round_level (value * inverse[k])
                            : side_round (value * inverse[k], lowest, highest);
        float difference = value - scale[k] * code;

        sum[k] += w[j * TARE_SIDE_LANES + k] * difference * difference;
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
