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
TARE_INLINE float
round_single (float scale,
              float largest)
{
  gint32 most = (gint32) tare_float_to_bits (FLT_MAX / MAX (largest, 1.0f)) & ~0xff;
  gint32 least = (gint32) tare_float_to_bits (SINGLE_LEAST);
  gint32 bits = (gint32) tare_float_to_bits (scale);
  gint32 rounded = (bits + 0x7f + ((bits >> 8) & 1)) & ~0xff;

  rounded = rounded < least ? least : rounded;
  rounded = rounded > most ? most : rounded;

  return tare_float_from_bits (bits == 0 ? 0 : (guint32) rounded);
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

static void
load_halves (const TareScalePlace *place,
             gsize                 n,
             const guint8         *bytes,
             float                *scales)
{
  tare_half_to_floats (bytes, n, scales);
}

static void
store_halves (const TareScalePlace *place,
              gsize                 n,
              const float          *scales,
              guint8               *bytes)
{
  tare_half_from_floats (scales, n, bytes);
}

const TareScaleClass _tare_scale_half = {
  .bytes = 2,
  .round = round_halves,
  .load = load_halves,
  .store = store_halves,
};

/* --- binary32 --- */

TARE_CLONES static void
round_singles (const TareScalePlace *place,
               gsize                 m,
               float                *scale)
{
  float largest = place->largest;

  #pragma omp simd
  for (gsize c = 0; c < m; c++)
    scale[c] = round_single (scale[c], largest);
}

static void
load_singles (const TareScalePlace *place,
              gsize                 n,
              const guint8         *bytes,
              float                *scales)
{
  for (gsize g = 0; g < n; g++)
    scales[g] = load_single (bytes + 4 * g);
}

static void
store_singles (const TareScalePlace *place,
               gsize                 n,
               const float          *scales,
               guint8               *bytes)
{
  for (gsize g = 0; g < n; g++)
    store_single (bytes + 4 * g, scales[g]);
}

const TareScaleClass _tare_scale_single = {
  .bytes = 4,
  .round = round_singles,
  .load = load_singles,
  .store = store_singles,
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

TARE_CLONES static void
round_powers (const TareScalePlace *place,
              gsize                 m,
              float                *scale)
{
  float most = 0x1p127f;

  while (!isfinite (most * place->largest))
    most *= 0.5f;

  #pragma omp simd
  for (gsize c = 0; c < m; c++)
    {
      gint32 bits = (gint32) tare_float_to_bits (scale[c]);
      gint32 byte = (bits >> 23) + ((bits & 0x7fffff) != 0 ? 1 : 0);
      float power = tare_float_from_bits ((guint32) (byte > POWER_MOST ? POWER_MOST : byte) << 23);

      power = byte > 0 ? power : 0x1p-127f;
      scale[c] = power < most ? power : most;
    }
}

TARE_CLONES static void
load_powers (const TareScalePlace *place,
             gsize                 n,
             const guint8         *bytes,
             float                *scales)
{
  const guint8 *restrict in = bytes;
  float *restrict out = scales;

  #pragma omp simd
  for (gsize g = 0; g < n; g++)
    {
      float power = in[g] == 0 ? 0x1p-127f : tare_float_from_bits ((guint32) in[g] << 23);

      out[g] = in[g] > POWER_MOST ? NAN : power;
    }
}

static void
store_powers (const TareScalePlace *place,
              gsize                 n,
              const float          *scales,
              guint8               *bytes)
{
  for (gsize g = 0; g < n; g++)
    bytes[g] = isnan (scales[g]) ? POWER_MOST + 1 : (guint8) (tare_float_to_bits (scales[g]) >> 23);
}

const TareScaleClass _tare_scale_power = {
  .bytes = 1,
  .powers = TRUE,
  .round = round_powers,
  .load = load_powers,
  .store = store_powers,
};

const TareScaleClass _tare_scale_power_up = {
  .bytes = 1,
  .powers = TRUE,
  .upward = TRUE,
  .round = round_powers,
  .load = load_powers,
  .store = store_powers,
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

static void
load_tensor (const TareScalePlace *place,
             gsize                 n,
             const guint8         *bytes,
             float                *scales)
{
  for (gsize g = 0; g < n; g++)
    scales[g] = load_single (place->parameters);
}

static void
store_nothing (const TareScalePlace *place,
               gsize                 n,
               const float          *scales,
               guint8               *bytes)
{
}

const TareScaleClass _tare_scale_tensor = {
  .shared = TRUE,
  .get_parameter_bytes = get_single_bytes,
  .fit = fit_tensor,
  .round = round_singles,
  .load = load_tensor,
  .store = store_nothing,
};

/* --- E4M3 times one for the matrix (NVFP4) --- */

/* Positive E4M3 as the OCP defines it: 448 is the largest, 2^-9 the least. */
#define E4M3_MOST 0x7e

/* Between its bits and those of single precision. */
#define E4M3_SHIFT 20
#define E4M3_BIAS 0x3c000000

/* byte: one without a sign */
TARE_INLINE float
load_e4m3 (gint32 byte)
{
  float magnitude = byte < 8 ? (float) byte * 0x1p-9f
                             : tare_float_from_bits ((guint32) (byte << E4M3_SHIFT) + E4M3_BIAS);

  return byte > E4M3_MOST ? NAN : magnitude;
}

/* The nearest, ties to even, and not zero. */
TARE_INLINE gint32
find_e4m3 (float x)
{
  gint32 bits = (gint32) tare_float_to_bits (x);
  gint32 normal = (bits - E4M3_BIAS + (1 << (E4M3_SHIFT - 1)) - 1 + ((bits >> E4M3_SHIFT) & 1))
                  >> E4M3_SHIFT;
  gint32 subnormal = (gint32) rintf ((x < 0x1p-6f ? x : 0.0f) * 0x1p9f);
  gint32 code = x < 0x1p-6f ? subnormal : normal;

  code = x >= 448.0f ? E4M3_MOST : code;
  code = code < 1 ? 1 : code;

  return code > E4M3_MOST ? E4M3_MOST : code;
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

TARE_CLONES static void
round_e4m3 (const TareScalePlace *place,
            gsize                 m,
            float                *scale)
{
  float unit = load_single (place->parameters);
  float divisor = unit > 0.0f ? unit : 1.0f;

  #pragma omp simd
  for (gsize c = 0; c < m; c++)
    {
      float rounded = load_e4m3 (find_e4m3 (scale[c] / divisor)) * unit;

      scale[c] = scale[c] > 0.0f && unit > 0.0f ? rounded : 0.0f;
    }
}

TARE_CLONES static void
load_e4m3_scales (const TareScalePlace *place,
                  gsize                 n,
                  const guint8         *bytes,
                  float                *scales)
{
  float unit = load_single (place->parameters);
  const guint8 *restrict in = bytes;
  float *restrict out = scales;

  #pragma omp simd
  for (gsize g = 0; g < n; g++)
    out[g] = load_e4m3 (in[g] & 0x7f) * unit;
}

/* A group of zeros has a scale of one, as in NVIDIA's Model Optimizer. */
TARE_CLONES static void
store_e4m3_scales (const TareScalePlace *place,
                   gsize                 n,
                   const float          *scales,
                   guint8               *bytes)
{
  float unit = load_single (place->parameters);
  float divisor = unit > 0.0f ? unit : 1.0f;
  const float *restrict in = scales;
  guint8 *restrict out = bytes;

  #pragma omp simd
  for (gsize g = 0; g < n; g++)
    {
      gint32 code = find_e4m3 (in[g] / divisor);

      out[g] = (guint8) (in[g] > 0.0f && unit > 0.0f ? code : 0x38);
    }
}

const TareScaleClass _tare_scale_e4m3 = {
  .bytes = 1,
  .get_parameter_bytes = get_single_bytes,
  .fit = fit_e4m3,
  .round = round_e4m3,
  .load = load_e4m3_scales,
  .store = store_e4m3_scales,
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

/* What the codes of some groups stand for: map times reach and mean, within bounds. */
typedef struct
{
  float scales[MAP];
} Nest;

static gsize
find_block (const TareScalePlace *place,
            gsize                 group)
{
  return (place->row * place->n_groups + group) / NESTED;
}

TARE_INLINE float
get_nested (float level,
            float reach,
            float mean,
            float most)
{
  float scale = level * reach + mean;

  scale = scale > 0.0f ? scale : 0.0f;

  return scale < most ? scale : most;
}

static float
load_reach (const TareScalePlace *place,
            gsize                 block)
{
  return load_single (place->parameters + 4 * (1 + block));
}

TARE_CLONES static void
list_nested (const float *map,
             float        reach,
             float        mean,
             float        most,
             Nest        *nest)
{
  #pragma omp simd
  for (gsize k = 0; k < MAP; k++)
    nest->scales[k] = get_nested (map[k], reach, mean, most);
}

static void
open_nest (const TareScalePlace *place,
           gsize                 block,
           Nest                 *nest)
{
  list_nested (get_map (), load_reach (place, block), load_single (place->parameters),
               FLT_MAX / place->largest, nest);
}

/* The code whose scale is nearest; a scale that is not zero stays so if any code allows it. */
static guint
find_nested (const Nest *nest,
             float       scale)
{
  const float *scales = nest->scales;
  guint low = 0;

  if (!(scale > 0.0f))
    {
      while (low + 1 < MAP && scales[low + 1] <= 0.0f)
        low++;
      return low;
    }

  for (guint step = MAP / 2; step > 0; step /= 2)
    low += low + step < MAP - 1 && scales[low + step] <= scale ? step : 0;

  return scales[low] > 0.0f && scale - scales[low] <= scales[low + 1] - scale ? low : low + 1;
}

static void
round_double (const TareScalePlace *place,
              gsize                 m,
              float                *scale)
{
  Nest nest;

  open_nest (place, find_block (place, place->group), &nest);
  for (gsize c = 0; c < m; c++)
    scale[c] = nest.scales[find_nested (&nest, scale[c])];
}

static void
load_doubles (const TareScalePlace *place,
              gsize                 n,
              const guint8         *bytes,
              float                *scales)
{
  const float *map = get_map ();
  float mean = load_single (place->parameters), most = FLT_MAX / place->largest;

  for (gsize g = 0; g < n; g++)
    scales[g] = get_nested (map[bytes[g]], load_reach (place, find_block (place, place->group + g)),
                            mean, most);
}

static void
store_doubles (const TareScalePlace *place,
               gsize                 n,
               const float          *scales,
               guint8               *bytes)
{
  gsize listed = 0;
  Nest nest;

  for (gsize g = 0; g < n; g++)
    {
      gsize block = find_block (place, place->group + g);

      if (g == 0 || block != listed)
        open_nest (place, block, &nest);
      listed = block;
      bytes[g] = (guint8) find_nested (&nest, scales[g]);
    }
}

const TareScaleClass _tare_scale_double = {
  .bytes = 1,
  .fits_scales = TRUE,
  .together = NESTED,
  .get_parameter_bytes = get_double_bytes,
  .fit = fit_double,
  .round = round_double,
  .load = load_doubles,
  .store = store_doubles,
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

static void
load_shifts (const TareScalePlace *place,
             gsize                 n,
             const guint8         *bytes,
             float                *scales)
{
  float most = load_single (place->parameters + place->row / TILE * 4);

  for (gsize g = 0; g < n; g++)
    scales[g] = ldexpf (most, -(int) bytes[g]);
}

static void
round_shift (const TareScalePlace *place,
             gsize                 m,
             float                *scale)
{
  for (gsize c = 0; c < m; c++)
    {
      guint8 shift = (guint8) find_shift (place, scale[c]);
      float rounded;

      load_shifts (place, 1, &shift, &rounded);
      scale[c] = scale[c] > 0.0f ? rounded : 0.0f;
    }
}

static void
store_shifts (const TareScalePlace *place,
              gsize                 n,
              const float          *scales,
              guint8               *bytes)
{
  for (gsize g = 0; g < n; g++)
    bytes[g] = (guint8) find_shift (place, scales[g]);
}

const TareScaleClass _tare_scale_shift = {
  .bytes = 1,
  .fits_scales = TRUE,
  .get_parameter_bytes = get_shift_bytes,
  .fit = fit_shift,
  .round = round_shift,
  .load = load_shifts,
  .store = store_shifts,
};

/**
 * _tare_scale_round_groups:
 * @klass: how scales are stored
 * @place: of the first of @n consecutive groups
 * @n: how many
 * @scales: (inout): one for each
 *
 * Rounds the scale of every group to one that can be stored there.
 */
void
_tare_scale_round_groups (const TareScaleClass *klass,
                          TareScalePlace        place,
                          gsize                 n,
                          float                *scales)
{
  while (n > 0)
    {
      gsize index = place.row * place.n_groups + place.group;
      gsize m = klass->together == 0 ? n : MIN (klass->together - index % klass->together, n);

      klass->round (&place, m, scales);
      place.group += m;
      scales += m;
      n -= m;
    }
}
