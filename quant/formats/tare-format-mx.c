/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

/* Blocks of 32 weights that share a power of two: those of the OCP Microscaling Formats (MX)
 * Specification, version 1.0, and block floating point, which is the same with integers of a few
 * bits in sign and magnitude. A row is laid out as tare-format-grid.c says, the scales after the
 * codes.
 *
 * The plain rule is that of the specification: the exponent of a block is that of its weight of
 * largest magnitude less that of the largest level, so that a weight past that level is clipped to
 * it. A block of zeros takes the least scale. */

/* Integers in two's complement and units of 1/64. The lowest, -2, has no counterpart: it is read
 * but not written. */
static void
encode_bytes (const TareGrid *self,
              const float    *x,
              gsize           n,
              float           scale,
              guint8         *codes)
{
  _tare_minifloat_class.encode (self, x, n, scale, codes);

  for (gsize j = 0; j < n; j++)
    codes[j] = (guint8) (codes[j] & 0x80 ? -(codes[j] & 0x7f) : codes[j]);
}

TARE_CLONES static void
decode_bytes (const TareGrid *self,
              const guint8   *codes,
              gsize           n,
              float           scale,
              float          *y)
{
  const guint8 *restrict in = codes;
  float *restrict out = y;

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    out[j] = (float) (gint8) in[j] * (1.0f / 64.0f) * scale;
}

static void
measure_bytes (const TareGrid *self,
               const float    *x,
               const float    *w,
               gsize           n,
               gsize           m,
               const float    *scale,
               float          *error)
{
  _tare_minifloat_class.measure (self, x, w, n, m, scale, error);
}

const TareGridClass _tare_byte_class = {
  .encode = encode_bytes,
  .decode = decode_bytes,
  .measure = measure_bytes,
};

#define MX(id, elements, exponent, mantissa, offset, code, magnitude, infinity)           \
  const TareGrid _tare_format_##id##_grid = {                                             \
    .parent = TARE_GRID_PARENT,                                                           \
    .klass = &elements,                                                                   \
    .powers = TRUE,                                                                       \
    .largest = magnitude,                                                                 \
    .bits = 1 + exponent + mantissa,                                                      \
    .mantissa_bits = mantissa,                                                            \
    .bias = offset,                                                                       \
    .highest = code,                                                                      \
    .infinite = infinity,                                                                 \
    .signed_codes = &elements == &_tare_byte_class,                                       \
  }

MX (mxfp8_e5m2, _tare_minifloat_class, 5, 2, 15, 0x7b, 57344.0f, TRUE);
MX (mxfp8_e4m3, _tare_minifloat_class, 4, 3, 7, 0x7e, 448.0f, FALSE);
MX (mxfp6_e3m2, _tare_minifloat_class, 3, 2, 3, 0x1f, 28.0f, FALSE);
MX (mxfp6_e2m3, _tare_minifloat_class, 2, 3, 1, 0x1f, 7.5f, FALSE);
MX (mxint8, _tare_byte_class, 1, 6, 1, 0x7f, 127.0f / 64.0f, FALSE);
MX (bfp6, _tare_minifloat_class, 1, 4, 1, 0x1f, 31.0f / 16.0f, FALSE);
MX (bfp4, _tare_minifloat_class, 1, 2, 1, 0x07, 7.0f / 4.0f, FALSE);

/* ggml's own layout of MXFP4: the scale, and then the codes of a block's first half in the low
 * halves of 16 bytes and those of its second half in the high ones. */
#define BLOCK 32
#define BLOCK_BYTES 17

void
_tare_mxfp4_take_apart (const TareFormat *self,
                        const guint8     *codes,
                        TareParts        *parts)
{
  for (gsize b = 0; b < parts->rows * parts->n_groups; b++)
    {
      const guint8 *block = codes + b * BLOCK_BYTES;

      parts->scales[b] = _tare_power_load (block[0]);
      for (gsize k = 0; k < BLOCK / 2; k++)
        {
          parts->codes[b * BLOCK + k] = block[1 + k] & 0xf;
          parts->codes[b * BLOCK + BLOCK / 2 + k] = block[1 + k] >> 4;
        }
    }
}

gboolean
_tare_mxfp4_put_together (const TareFormat  *self,
                          const TareParts   *parts,
                          guint8            *codes,
                          GError           **error)
{
  for (gsize b = 0; b < parts->rows * parts->n_groups; b++)
    {
      guint8 *block = codes + b * BLOCK_BYTES;

      if (!_tare_power_store (parts->scales[b], block))
        return _tare_parts_fail_scale (self, parts, b, error);
      for (gsize k = 0; k < BLOCK; k++)
        if (parts->codes[b * BLOCK + k] >> 4 != 0)
          return _tare_parts_fail_code (self, parts, b * BLOCK + k, error);
      for (gsize k = 0; k < BLOCK / 2; k++)
        block[1 + k] = (guint8) (parts->codes[b * BLOCK + k]
                                 | parts->codes[b * BLOCK + BLOCK / 2 + k] << 4);
    }

  return TRUE;
}
