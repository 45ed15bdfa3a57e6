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
 * Specification, revision 1.0); and in the fnuz variants only that of minus zero. Weights are
 * rounded from single precision directly: by way of half precision they would be rounded twice. No
 * weight becomes infinite or NaN.
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
  gint32  unsigned_zero;
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
    .unsigned_zero = self->unsigned_zero ? 1 : 0,
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
        guint8         *codes)
{
  Layout layout = lay_out (self);
  const float *restrict in = x;
  guint8 *restrict out = codes;

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    {
      guint32 sign = tare_float_to_bits (in[j]) >> 31;
      float magnitude = fabsf (in[j]);
      gint32 exponent, code;
      float magic;

      magnitude = magnitude < layout.largest ? magnitude : layout.largest;
      exponent = find_exponent (magnitude, layout.least);
      magic = find_magic (exponent, layout.shift);
      code = (exponent - layout.least) >> layout.shift;
      code += (gint32) (tare_float_to_bits (magnitude + magic) - tare_float_to_bits (magic));
      sign = layout.unsigned_zero && code == 0 ? 0 : sign;
      out[j] = (guint8) ((guint32) code | sign << layout.sign_shift);
    }
}

/* special: whether there are codes that stand for no number */
TARE_INLINE void
decode_levels (const TareGrid *self,
               gboolean        special,
               const guint8   *codes,
               gsize           n,
               float          *y)
{
  Layout layout = lay_out (self);
  gint32 base = (127 - self->bias) << FRACTION;
  gint32 mask = (1 << layout.sign_shift) - 1;
  gint32 highest = (gint32) self->highest;
  gint32 infinite = self->infinite ? highest + 1 : 0x100;
  gint32 minus_zero = self->unsigned_zero ? 1 << layout.sign_shift : 0x100;
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
      float other = code == infinite ? INFINITY : NAN;

      if (special)
        magnitude = code > highest || in[j] == minus_zero ? other : magnitude;
      out[j] = tare_float_from_bits (tare_float_to_bits (magnitude) | sign);
    }
}

TARE_CLONES static void
decode (const TareGrid *self,
        const guint8   *codes,
        gsize           n,
        float          *y)
{
  if (self->unsigned_zero || 2 * (self->highest + 1) < self->n_codes)
    decode_levels (self, TRUE, codes, n, y);
  else
    decode_levels (self, FALSE, codes, n, y);
}

TARE_INLINE void
measure_lanes (const TareGrid *self,
               gboolean        norm,
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
              sum[k] += weigh_difference (w[j], difference, norm);
            }
        }

      for (gsize k = 0; k < LANES; k++)
        error[c + k] = sum[k];
    }
}

TARE_CLONES static void
measure (const TareGrid *self,
         gboolean        norm,
         const float    *x,
         const float    *w,
         gsize           n,
         gsize           m,
         const float    *scale,
         float          *error)
{
  if (norm)
    measure_lanes (self, TRUE, x, w, n, m, scale, error);
  else
    measure_lanes (self, FALSE, x, w, n, m, scale, error);
}

const TareGridClass _tare_minifloat_class = {
  .divides = TRUE,
  .encode = encode,
  .decode = decode,
  .measure = measure,
};

/**
 * _tare_minifloat_new:
 * @exponent: bits of exponent, at least 1
 * @mantissa: bits of mantissa
 * @mode: "none", "ieee" (the last exponent is reserved), "fn" (the code of all ones is NaN) or
 *   "fnuz" (as "none", but the code of minus zero is NaN, and the bias one more)
 *
 * The bias is that of IEEE 754 but for one bit of exponent, which has none: 2^(E-1) - 1.
 *
 * Returns: (transfer full): a grid of floats with a sign
 */
TareGrid *
_tare_minifloat_new (guint       exponent,
                     guint       mantissa,
                     const char *mode)
{
  TareGrid *self = g_new0 (TareGrid, 1);
  gboolean ieee = g_str_equal (mode, "ieee");
  guint last = (1u << (exponent + mantissa)) - 1;

  self->klass = &_tare_minifloat_class;
  self->bits = 1 + exponent + mantissa;
  self->n_codes = 1u << self->bits;
  self->mantissa_bits = mantissa;
  self->unsigned_zero = g_str_equal (mode, "fnuz");
  self->bias = (1 << (exponent - 1)) - 1 + (self->unsigned_zero ? 1 : 0);
  self->highest = ieee ? last - (1u << mantissa) : g_str_equal (mode, "fn") ? last - 1 : last;
  self->infinite = ieee;
  self->largest = ldexpf ((float) ((self->highest & ((1u << mantissa) - 1)) + (1u << mantissa)),
                          (int) (self->highest >> mantissa) - self->bias - (int) mantissa);
  self->most = self->largest;
  _tare_grid_list_factors (self);

  return self;
}

/* Beyond that many bits the exponent reaches further than weights do. */
#define MOST_EXPONENT_BITS 5

/**
 * _tare_minifloat_new_split:
 * @bits: of a code, from 3 on
 *
 * Returns: (transfer full): floats without special codes whose split of exponent and mantissa a
 *   matrix chooses (Liu et al., LLM-FP4, 2023)
 */
TareGrid *
_tare_minifloat_new_split (guint bits)
{
  guint n = MIN (bits - 1, MOST_EXPONENT_BITS);
  const TareGrid **splits = g_new (const TareGrid *, n);
  TareGrid *self = _tare_minifloat_new (n, bits - 1 - n, "none");

  for (guint e = 1; e <= n; e++)
    splits[e - 1] = _tare_minifloat_new (e, bits - 1 - e, "none");
  self->splits = splits;
  self->n_splits = n;

  return self;
}
