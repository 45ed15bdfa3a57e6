/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

/* The largest finite and the smallest positive IEEE binary16. */
#define TARE_HALF_MAX 65504.0f
#define TARE_HALF_MIN 0x1p-24f

static inline guint32
tare_float_to_bits (float x)
{
  guint32 bits;

  memcpy (&bits, &x, sizeof bits);

  return bits;
}

static inline float
tare_float_from_bits (guint32 bits)
{
  float x;

  memcpy (&x, &bits, sizeof x);

  return x;
}

/**
 * tare_half_to_float:
 * @half: an IEEE binary16
 *
 * Exact. The exponent is moved to its new place and a product with 2^112 makes up for the two
 * biases, which normalises subnormal numbers on the way.
 *
 * Returns: the same number
 */
static inline float
tare_half_to_float (guint16 half)
{
  guint32 magnitude = ((guint32) half & 0x7fff) << 13;
  guint32 sign = ((guint32) half & 0x8000) << 16;
  guint32 special = magnitude >= 0x0f800000 ? 0x7f800000 : 0;

  return tare_float_from_bits (tare_float_to_bits (tare_float_from_bits (magnitude) * 0x1p112f) |
                               special | sign);
}

/**
 * tare_half_from_float:
 * @x: a number
 *
 * Rounds to nearest, ties to even; what is too large becomes infinite, a NaN the quiet NaN of the
 * same sign.
 *
 * Returns: the nearest IEEE binary16
 */
static inline guint16
tare_half_from_float (float x)
{
  guint32 bits = tare_float_to_bits (x);
  guint32 magnitude = bits & 0x7fffffff;
  guint32 normal = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  guint32 subnormal = tare_float_to_bits (tare_float_from_bits (magnitude) + 0.5f) - 0x3f000000;
  guint32 half = magnitude < 0x38800000 ? subnormal : normal;

  half = magnitude >= 0x47800000 ? 0x7c00 : half;
  half = magnitude > 0x7f800000 ? 0x7e00 : half;

  return (guint16) (half | ((bits >> 16) & 0x8000));
}

static inline float
tare_bfloat_to_float (guint16 bfloat)
{
  return tare_float_from_bits ((guint32) bfloat << 16);
}

/**
 * tare_bfloat_from_float:
 * @x: a number
 *
 * Rounds to nearest, ties to even; a NaN stays one.
 *
 * Returns: the nearest bfloat16
 */
static inline guint16
tare_bfloat_from_float (float x)
{
  guint32 bits = tare_float_to_bits (x);
  guint32 rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;

  return (guint16) ((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

void tare_half_to_floats     (const void  *halves,
                              gsize        n,
                              float       *y);
void tare_half_from_floats   (const float *x,
                              gsize        n,
                              void        *halves);
void tare_bfloat_to_floats   (const void  *bfloats,
                              gsize        n,
                              float       *y);
void tare_bfloat_from_floats (const float *x,
                              gsize        n,
                              void        *bfloats);

G_END_DECLS
