/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-half.h"

#include "quant/tare-simd.h"

/* Tensors in a file need not be aligned to their numbers. */
typedef guint16 Unaligned __attribute__ ((aligned (1), may_alias));

/**
 * tare_half_to_floats:
 * @halves: @n IEEE binary16 numbers, at any address
 * @n: how many
 * @y: (out caller-allocates): the same numbers
 */
TARE_CLONES void
tare_half_to_floats (const void *halves,
                     gsize       n,
                     float      *y)
{
  const Unaligned *restrict in = halves;
  float *restrict out = y;

  for (gsize i = 0; i < n; i++)
    out[i] = tare_half_to_float (in[i]);
}

/**
 * tare_half_from_floats:
 * @x: @n numbers
 * @n: how many
 * @halves: (out caller-allocates): the nearest IEEE binary16 numbers, at any address
 */
TARE_CLONES void
tare_half_from_floats (const float *x,
                       gsize        n,
                       void        *halves)
{
  const float *restrict in = x;
  Unaligned *restrict out = halves;

  for (gsize i = 0; i < n; i++)
    out[i] = tare_half_from_float (in[i]);
}

/**
 * tare_bfloat_to_floats:
 * @bfloats: @n bfloat16 numbers, at any address
 * @n: how many
 * @y: (out caller-allocates): the same numbers
 */
TARE_CLONES void
tare_bfloat_to_floats (const void *bfloats,
                       gsize       n,
                       float      *y)
{
  const Unaligned *restrict in = bfloats;
  float *restrict out = y;

  for (gsize i = 0; i < n; i++)
    out[i] = tare_bfloat_to_float (in[i]);
}

/**
 * tare_bfloat_from_floats:
 * @x: @n numbers
 * @n: how many
 * @bfloats: (out caller-allocates): the nearest bfloat16 numbers, at any address
 */
TARE_CLONES void
tare_bfloat_from_floats (const float *x,
                         gsize        n,
                         void        *bfloats)
{
  const float *restrict in = x;
  Unaligned *restrict out = bfloats;

  for (gsize i = 0; i < n; i++)
    out[i] = tare_bfloat_from_float (in[i]);
}
