/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-scale-private.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How the scale of a group is stored: as a binary16, a binary32 or a power of two in its row; once
 * for the whole matrix; or in 8 bits that are relative to what is kept for more than the group. */

/* Below it a reciprocal is infinite. */
#define SINGLE_LEAST FLT_MIN

/* E8M0. */
#define POWER_BIAS 127
#define POWER_MOST 254

static float
load_single (const guint8 *bytes)
{
  guint32 bits = (guint32) bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16
                 | (guint32) bytes[3] << 24;

  return tare_float_from_bits (bits);
}

static void
store_single (guint8 *bytes,
              float   x)
{
  guint32 bits = tare_float_to_bits (x);

  for (guint k = 0; k < 4; k++)
    bytes[k] = (guint8) (bits >> 8 * k);
}

/* 16 bits of precision: products with all levels of a minifloat are exact, so that a row's scale is
 * found again in what it decodes to; and the largest level does not become infinite. */
static float
round_single (float scale,
              float largest)
{
  guint32 bits = tare_float_to_bits (scale);
  guint32 most = tare_float_to_bits (FLT_MAX / MAX (largest, 1.0f)) & 0xffffff00;
  guint32 least = tare_float_to_bits (SINGLE_LEAST);

  if (bits == 0)
    return 0.0f;

  bits = (bits + 0x7f + ((bits >> 8) & 1)) & 0xffffff00;

  return tare_float_from_bits (CLAMP (bits, least, most));
}

/* --- binary16 --- */

TARE_CLONES static void
round_halves (const TareScalePlace *place,
              gsize                 m,
              float                *scale)
{
  #pragma omp simd
  for (gsize c = 0; c < m; c++)
    scale[c] = round_scale (scale[c]);
}

static float
load_half_scale (const TareScalePlace *place,
                 const guint8         *bytes)
{
  return load_half (bytes);
}

static void
store_half_scale (const TareScalePlace *place,
                  float                 scale,
                  guint8               *bytes)
{
  store_half (bytes, scale);
}

const TareScaleClass _tare_scale_half = {
  .bytes = 2,
  .round = round_halves,
  .load = load_half_scale,
  .store = store_half_scale,
};

/* --- binary32 --- */

static void
round_singles (const TareScalePlace *place,
               gsize                 m,
               float                *scale)
{
  for (gsize c = 0; c < m; c++)
    scale[c] = round_single (scale[c], place->largest);
}

static float
load_single_scale (const TareScalePlace *place,
                   const guint8         *bytes)
{
  return load_single (bytes);
}

static void
store_single_scale (const TareScalePlace *place,
                    float                 scale,
                    guint8               *bytes)
{
  store_single (bytes, scale);
}

const TareScaleClass _tare_scale_single = {
  .bytes = 4,
  .round = round_singles,
  .load = load_single_scale,
  .store = store_single_scale,
};

/* --- powers of two, E8M0 --- */

/* Returns: 2^(byte - 127), of which the least is subnormal; NaN for the last byte */
float
_tare_power_load (guint8 byte)
{
  if (byte == 0)
    return 0x1p-127f;

  return byte > POWER_MOST ? NAN : tare_float_from_bits ((guint32) byte << 23);
}

/* Returns: whether the byte stands for that very scale */
gboolean
_tare_power_store (float   scale,
                   guint8 *byte)
{
  *byte = isnan (scale) ? POWER_MOST + 1 : (guint8) (tare_float_to_bits (scale) >> 23);

  return isnan (scale) || (scale > 0.0f && _tare_power_load (*byte) == scale);
}

/* Returns: the power of two, from 2^-127 to 2^127 */
float
_tare_power_get (int exponent)
{
  return exponent <= -POWER_BIAS
         ? 0x1p-127f : tare_float_from_bits ((guint32) (MIN (exponent, 127) + POWER_BIAS) << 23);
}

/* Returns: of a magnitude that is normal, its power of two */
int
_tare_get_exponent (float magnitude)
{
  return (int) (tare_float_to_bits (magnitude) >> 23) - POWER_BIAS;
}

static void
round_powers (const TareScalePlace *place,
              gsize                 m,
              float                *scale)
{
  for (gsize c = 0; c < m; c++)
    {
      int exponent = _tare_get_exponent (scale[c]);
      gboolean more = (tare_float_to_bits (scale[c]) & 0x7fffff) != 0;

      scale[c] = _tare_power_get (exponent + (more ? 1 : 0));
      while (!isfinite (scale[c] * place->largest))
        scale[c] *= 0.5f;
    }
}

static float
load_power_scale (const TareScalePlace *place,
                  const guint8         *bytes)
{
  return _tare_power_load (bytes[0]);
}

static void
store_power_scale (const TareScalePlace *place,
                   float                 scale,
                   guint8               *bytes)
{
  _tare_power_store (scale, bytes);
}

const TareScaleClass _tare_scale_power = {
  .bytes = 1,
  .powers = TRUE,
  .round = round_powers,
  .load = load_power_scale,
  .store = store_power_scale,
};

const TareScaleClass _tare_scale_power_up = {
  .bytes = 1,
  .powers = TRUE,
  .upward = TRUE,
  .round = round_powers,
  .load = load_power_scale,
  .store = store_power_scale,
};

/* --- one for the matrix --- */

static gsize
get_single_bytes (gsize rows,
                  gsize n_groups)
{
  return sizeof (float);
}

static void
fit_tensor (const float *scales,
            gsize        rows,
            gsize        n_groups,
            float        largest,
            guint8      *parameters)
{
  store_single (parameters, scales[0]);
}

static float
load_tensor_scale (const TareScalePlace *place,
                   const guint8         *bytes)
{
  return load_single (place->parameters);
}

static void
store_nothing (const TareScalePlace *place,
               float                 scale,
               guint8               *bytes)
{
}

const TareScaleClass _tare_scale_tensor = {
  .shared = TRUE,
  .get_parameter_bytes = get_single_bytes,
  .fit = fit_tensor,
  .round = round_singles,
  .load = load_tensor_scale,
  .store = store_nothing,
};

/* --- E4M3 times one for the matrix (NVFP4) --- */

/* Positive E4M3 as the OCP defines it: 448 is the largest, 2^-9 the least. */
#define E4M3_MOST 0x7e

/* Between its bits and those of single precision. */
#define E4M3_SHIFT 20
#define E4M3_BIAS 0x3c000000

static float
load_e4m3 (guint8 byte)
{
  guint code = byte & 0x7f;

  if (code > E4M3_MOST)
    return NAN;

  return code < 8 ? (float) code * 0x1p-9f
                  : tare_float_from_bits ((code << E4M3_SHIFT) + E4M3_BIAS);
}

/* The nearest, ties to even, and not zero. */
static guint8
find_e4m3 (float x)
{
  guint32 bits = tare_float_to_bits (x);
  guint code;

  if (x >= 448.0f)
    return E4M3_MOST;

  if (x < 0x1p-6f)
    code = (guint) rintf (x * 0x1p9f);
  else
    code = (bits - E4M3_BIAS + (1u << (E4M3_SHIFT - 1)) - 1 + ((bits >> E4M3_SHIFT) & 1))
           >> E4M3_SHIFT;

  return (guint8) CLAMP (code, 1, E4M3_MOST);
}

/* The scale of the group that has the largest weight becomes 448. */
static void
fit_e4m3 (const float *scales,
          gsize        rows,
          gsize        n_groups,
          float        largest,
          guint8      *parameters)
{
  store_single (parameters, round_single (scales[0] / 448.0f, 448.0f * largest));
}

static void
round_e4m3 (const TareScalePlace *place,
            gsize                 m,
            float                *scale)
{
  float unit = load_single (place->parameters);

  for (gsize c = 0; c < m; c++)
    scale[c] = scale[c] > 0.0f && unit > 0.0f ? load_e4m3 (find_e4m3 (scale[c] / unit)) * unit
                                              : 0.0f;
}

static float
load_e4m3_scale (const TareScalePlace *place,
                 const guint8         *bytes)
{
  return load_e4m3 (bytes[0]) * load_single (place->parameters);
}

/* A group of zeros has a scale of one, as in NVIDIA's Model Optimizer. */
static void
store_e4m3_scale (const TareScalePlace *place,
                  float                 scale,
                  guint8               *bytes)
{
  float unit = load_single (place->parameters);

  bytes[0] = scale > 0.0f && unit > 0.0f ? find_e4m3 (scale / unit) : 0x38;
}

const TareScaleClass _tare_scale_e4m3 = {
  .bytes = 1,
  .get_parameter_bytes = get_single_bytes,
  .fit = fit_e4m3,
  .round = round_e4m3,
  .load = load_e4m3_scale,
  .store = store_e4m3_scale,
};

/* --- double quantization --- */

/* The dynamic map of bitsandbytes: for the exponents e = 0 .. 6, with the step of 2^e fractions
 * between 0.1 and 1, their middles times 10^(e - 6), with either sign; and 0 and 1. */
#define MAP 256
#define MAP_EXPONENTS 7

/* Groups, whatever their rows, whose scales share a binary32. */
#define NESTED 256

static float dynamic_map[MAP];

static int
compare_levels (gconstpointer a,
                gconstpointer b)
{
  float x = *(const float *) a;
  float y = *(const float *) b;

  return (x > y) - (x < y);
}

static const float *
get_map (void)
{
  static gsize ready = 0;

  if (g_once_init_enter (&ready))
    {
      gsize n = 0;

      for (int e = 0; e < MAP_EXPONENTS; e++)
        for (int i = 0; i < 1 << e; i++)
          {
            double middle = 0.1 + 0.9 * ((double) i + 0.5) / (double) (1 << e);
            float level = (float) (middle * pow (10.0, e - (MAP_EXPONENTS - 1)));

            dynamic_map[n++] = level;
            dynamic_map[n++] = -level;
          }
      dynamic_map[n++] = 0.0f;
      dynamic_map[n++] = 1.0f;
      qsort (dynamic_map, n, sizeof (float), compare_levels);
      g_once_init_leave (&ready, 1);
    }

  return dynamic_map;
}

static gsize
get_double_bytes (gsize rows,
                  gsize n_groups)
{
  return sizeof (float) * (1 + (rows * n_groups + NESTED - 1) / NESTED);
}

/* The mean of all scales, and of every 256 the largest distance from it. */
static void
fit_double (const float *scales,
            gsize        rows,
            gsize        n_groups,
            float        largest,
            guint8      *parameters)
{
  gsize n = rows * n_groups;
  double sum = 0.0;
  float mean;

  for (gsize i = 0; i < n; i++)
    sum += (double) scales[i];
  mean = (float) (sum / (double) MAX (n, 1));
  store_single (parameters, mean);

  for (gsize begin = 0; begin < n; begin += NESTED)
    {
      float reach = 0.0f;

      for (gsize i = begin; i < MIN (begin + NESTED, n); i++)
        reach = MAX (reach, fabsf (scales[i] - mean));
      store_single (parameters + 4 * (1 + begin / NESTED), reach);
    }
}

/* What the codes of one group stand for: map times reach and mean, within bounds. */
typedef struct
{
  const float *map;
  float        reach;
  float        mean;
  float        most;
} Nest;

static Nest
open_nest (const TareScalePlace *place)
{
  gsize block = (place->row * place->n_groups + place->group) / NESTED;

  return (Nest) {
    .map = get_map (),
    .reach = load_single (place->parameters + 4 * (1 + block)),
    .mean = load_single (place->parameters),
    .most = FLT_MAX / place->largest,
  };
}

static float
get_nested (const Nest *nest,
            guint       code)
{
  float scale = nest->map[code] * nest->reach + nest->mean;

  return MIN (MAX (scale, 0.0f), nest->most);
}

/* The code whose scale is nearest; a scale that is not zero stays so if any code allows it. */
static guint
find_nested (const Nest *nest,
             float       scale)
{
  guint low = 0, high = MAP - 1;

  if (!(scale > 0.0f))
    {
      while (low + 1 < MAP && get_nested (nest, low + 1) <= 0.0f)
        low++;
      return low;
    }

  while (high - low > 1)
    {
      guint middle = (low + high) / 2;

      if (get_nested (nest, middle) > scale)
        high = middle;
      else
        low = middle;
    }

  return get_nested (nest, low) > 0.0f
         && scale - get_nested (nest, low) <= get_nested (nest, high) - scale ? low : high;
}

static void
round_double (const TareScalePlace *place,
              gsize                 m,
              float                *scale)
{
  Nest nest = open_nest (place);

  for (gsize c = 0; c < m; c++)
    scale[c] = get_nested (&nest, find_nested (&nest, scale[c]));
}

static float
load_double_scale (const TareScalePlace *place,
                   const guint8         *bytes)
{
  Nest nest = open_nest (place);

  return get_nested (&nest, bytes[0]);
}

static void
store_double_scale (const TareScalePlace *place,
                    float                 scale,
                    guint8               *bytes)
{
  Nest nest = open_nest (place);

  bytes[0] = (guint8) find_nested (&nest, scale);
}

const TareScaleClass _tare_scale_double = {
  .bytes = 1,
  .fits_scales = TRUE,
  .get_parameter_bytes = get_double_bytes,
  .fit = fit_double,
  .round = round_double,
  .load = load_double_scale,
  .store = store_double_scale,
};

/* --- a scale for some rows, divided by powers of two (M2 of ZeroQuant-FP) --- */

#define TILE 32
#define MOST_SHIFT 255

static gsize
get_shift_bytes (gsize rows,
                 gsize n_groups)
{
  return sizeof (float) * ((rows + TILE - 1) / TILE);
}

static void
fit_shift (const float *scales,
           gsize        rows,
           gsize        n_groups,
           float        largest,
           guint8      *parameters)
{
  for (gsize begin = 0; begin < rows; begin += TILE)
    {
      float most = 0.0f;

      for (gsize i = begin * n_groups; i < MIN (begin + TILE, rows) * n_groups; i++)
        most = MAX (most, scales[i]);
      store_single (parameters + begin / TILE * 4, round_single (most, largest));
    }
}

/* The most that a scale can be divided without becoming less than what is wanted. */
static guint
find_shift (const TareScalePlace *place,
            float                 scale)
{
  float most = load_single (place->parameters + place->row / TILE * 4);
  int exponent = 0;

  if (!(scale > 0.0f) || scale >= most)
    return 0;

  exponent = (int) floorf (log2f (most / scale));
  while (exponent > 0 && ldexpf (most, -exponent) < scale)
    exponent--;
  while (exponent > 0 && ldexpf (most, -exponent) < SINGLE_LEAST)
    exponent--;

  return (guint) CLAMP (exponent, 0, MOST_SHIFT);
}

static float
load_shift (const TareScalePlace *place,
            const guint8         *bytes)
{
  return ldexpf (load_single (place->parameters + place->row / TILE * 4), -(int) bytes[0]);
}

static void
round_shift (const TareScalePlace *place,
             gsize                 m,
             float                *scale)
{
  for (gsize c = 0; c < m; c++)
    {
      guint8 shift = (guint8) find_shift (place, scale[c]);

      scale[c] = scale[c] > 0.0f ? load_shift (place, &shift) : 0.0f;
    }
}

static void
store_shift (const TareScalePlace *place,
             float                 scale,
             guint8               *bytes)
{
  bytes[0] = (guint8) find_shift (place, scale);
}

const TareScaleClass _tare_scale_shift = {
  .bytes = 1,
  .fits_scales = TRUE,
  .get_parameter_bytes = get_shift_bytes,
  .fit = fit_shift,
  .round = round_shift,
  .load = load_shift,
  .store = store_shift,
};
