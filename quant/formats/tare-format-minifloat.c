/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>

#include "quant/formats/tare-search-private.h"

/* Minifloats: a sign, E bits of exponent with a bias, M of mantissa. The magnitude with code
 * c = e 2^M + m is
 *
 *   2^(e - bias) (1 + m / 2^M)   for e > 0
 *   2^(1 - bias) m / 2^M         for e = 0, the subnormal numbers and zero
 *
 * without exception where no code is special; as in IEEE 754 the last exponent is that of infinity
 * and NaN in E5M2; in E4M3 (fn) only the code of all ones is NaN (OCP 8-bit Floating Point
 * Specification, revision 1.0). Weights are rounded from single precision directly: by way of half
 * precision they would be rounded twice. No weight becomes infinite or NaN.
 *
 * With one bit of exponent the levels are equally spaced: integers in sign and magnitude. */

#define LANES TARE_SEARCH_LANES
#define EXPONENT 0x7f800000
#define FRACTION 23

/* The numbers of a minifloat as the bits of single precision want them. */
typedef struct
{
  gint32  least;
  guint   shift;
  gint32  normal;
  float   largest;
  guint   sign_shift;
} Layout;

TARE_INLINE Layout
lay_out (const TareGrid *self)
{
  return (Layout) {
    .least = (128 - self->bias) << FRACTION,
    .shift = FRACTION - self->mantissa_bits,
    .normal = 1 << self->mantissa_bits,
    .largest = self->largest,
    .sign_shift = self->bits - 1,
  };
}

/* The power of two of a magnitude, or the least that a normal number has, as bits. */
TARE_INLINE gint32
find_exponent (float  magnitude,
               gint32 least)
{
  gint32 exponent = (gint32) tare_float_to_bits (magnitude) & EXPONENT;

  return exponent > least ? exponent : least;
}

/* A sum with this keeps as many bits of a magnitude as the mantissa has, and rounds them as any
 * sum in single precision: to nearest, ties to even. */
TARE_INLINE float
find_magic (gint32 exponent,
            guint  shift)
{
  return tare_float_from_bits ((guint32) exponent + (shift << FRACTION));
}

TARE_CLONES static void
encode (const TareGrid *self,
        const float    *x,
        gsize           n,
        float           scale,
        guint8         *codes)
{
  Layout layout = lay_out (self);
  float divisor = scale != 0.0f ? scale : 1.0f;
  const float *restrict in = x;
  guint8 *restrict out = codes;

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    {
      float quotient = in[j] / divisor;
      guint32 sign = tare_float_to_bits (quotient) >> 31;
      float magnitude = fabsf (quotient);
      gint32 exponent, code;
      float magic;

      magnitude = magnitude < layout.largest ? magnitude : layout.largest;
      exponent = find_exponent (magnitude, layout.least);
      magic = find_magic (exponent, layout.shift);
      code = (exponent - layout.least) >> layout.shift;
      code += (gint32) (tare_float_to_bits (magnitude + magic) - tare_float_to_bits (magic));
      out[j] = (guint8) ((guint32) code | sign << layout.sign_shift);
    }
}

TARE_CLONES static void
decode (const TareGrid *self,
        const guint8   *codes,
        gsize           n,
        float           scale,
        float          *y)
{
  Layout layout = lay_out (self);
  gint32 base = (127 - self->bias) << FRACTION;
  gint32 mask = (1 << layout.sign_shift) - 1;
  gint32 highest = (gint32) self->highest;
  gint32 infinite = self->infinite ? highest + 1 : 0x100;
  float zero = tare_float_from_bits ((guint32) base);
  const guint8 *restrict in = codes;
  float *restrict out = y;

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    {
      gint32 code = in[j] & mask;
      guint32 sign = (guint32) (in[j] >> layout.sign_shift) << 31;
      float normal = tare_float_from_bits ((guint32) ((code << layout.shift) + base));
      float subnormal = (normal - zero) * 2.0f;
      float magnitude = code < layout.normal ? subnormal : normal;
      float special = code == infinite ? INFINITY : NAN;

      magnitude = code > highest ? special : magnitude;
      out[j] = tare_float_from_bits (tare_float_to_bits (magnitude) | sign) * scale;
    }
}

TARE_CLONES static void
measure (const TareGrid *self,
         const float    *x,
         const float    *w,
         gsize           n,
         gsize           m,
         const float    *scale,
         float          *error)
{
  Layout layout = lay_out (self);

  for (gsize c = 0; c < m; c += LANES)
    {
      float sum[LANES] = { 0.0f }, inverse[LANES];

      for (gsize k = 0; k < LANES; k++)
        inverse[k] = invert (scale[c + k]);

      for (gsize j = 0; j < n; j++)
        {
          float magnitude = fabsf (x[j]);

          #pragma omp simd
          for (gsize k = 0; k < LANES; k++)
            {
              float quotient = magnitude * inverse[k];
              float level, magic, difference;

              quotient = quotient < layout.largest ? quotient : layout.largest;
              magic = find_magic (find_exponent (quotient, layout.least), layout.shift);
              level = (quotient + magic) - magic;
              difference = magnitude - scale[c + k] * level;
              sum[k] += w[j] * difference * difference;
            }
        }

      for (gsize k = 0; k < LANES; k++)
        error[c + k] = sum[k];
    }
}

const TareGridClass _tare_minifloat_class = {
  .encode = encode,
  .decode = decode,
  .measure = measure,
};

#define MINIFLOAT(id, exponent, mantissa, offset, code, magnitude, infinity)              \
  const TareGrid _tare_format_##id##_grid = {                                             \
    .parent = TARE_GRID_PARENT,                                                           \
    .klass = &_tare_minifloat_class,                                                      \
    .largest = magnitude,                                                                 \
    .bits = 1 + exponent + mantissa,                                                      \
    .mantissa_bits = mantissa,                                                            \
    .bias = offset,                                                                       \
    .highest = code,                                                                      \
    .infinite = infinity,                                                                 \
  }

MINIFLOAT (fp8_e5m2, 5, 2, 15, 0x7b, 57344.0f, TRUE);
MINIFLOAT (fp8_e4m3, 4, 3, 7, 0x7e, 448.0f, FALSE);
MINIFLOAT (fp8_e3m4, 3, 4, 3, 0x7f, 31.0f, FALSE);
MINIFLOAT (fp6_e3m2, 3, 2, 3, 0x1f, 28.0f, FALSE);
MINIFLOAT (fp6_e2m3, 2, 3, 1, 0x1f, 7.5f, FALSE);
MINIFLOAT (fp5_e3m1, 3, 1, 3, 0x0f, 24.0f, FALSE);
MINIFLOAT (fp5_e2m2, 2, 2, 1, 0x0f, 7.0f, FALSE);
MINIFLOAT (fp4_e3m0, 3, 0, 3, 0x07, 16.0f, FALSE);
MINIFLOAT (fp4_e2m1, 2, 1, 1, 0x07, 6.0f, FALSE);
MINIFLOAT (fp4_e1m2, 1, 2, 0, 0x07, 3.5f, FALSE);
MINIFLOAT (fp3_e2m0, 2, 0, 1, 0x03, 4.0f, FALSE);
MINIFLOAT (fp3_e1m1, 1, 1, 0, 0x03, 3.0f, FALSE);
