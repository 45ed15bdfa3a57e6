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
TARE_CLONES static void
negate_bytes (guint8 *codes,
              gsize   n)
{
  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    codes[j] = (guint8) (codes[j] & 0x80 ? -(codes[j] & 0x7f) : codes[j]);
}

static void
encode_bytes (const TareGrid *self,
              const float    *x,
              gsize           n,
              guint8         *codes)
{
  _tare_minifloat_class.encode (self, x, n, codes);
  negate_bytes (codes, n);
}

TARE_CLONES static void
decode_bytes (const TareGrid *self,
              const guint8   *codes,
              gsize           n,
              float          *y)
{
  const guint8 *restrict in = codes;
  float *restrict out = y;

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    out[j] = (float) (gint8) in[j] * (1.0f / 64.0f);
}

static void
measure_bytes (const TareGrid *self,
               gboolean        norm,
               const float    *x,
               const float    *w,
               gsize           n,
               gsize           m,
               const float    *scale,
               float          *error)
{
  _tare_minifloat_class.measure (self, norm, x, w, n, m, scale, error);
}

const TareGridClass _tare_byte_class = {
  .divides = TRUE,
  .encode = encode_bytes,
  .decode = decode_bytes,
  .measure = measure_bytes,
};

/**
 * _tare_block_float_new:
 * @bits: of a code
 * @bytes: whether it is in two's complement, as in MXINT8, or in sign and magnitude
 *
 * Returns: (transfer full): a grid of integers in units of 2^(2 - bits), so that the largest is
 *   just below 2
 */
TareGrid *
_tare_block_float_new (guint    bits,
                       gboolean bytes)
{
  TareGrid *self = _tare_minifloat_new (1, bits - 2, "none");

  self->bias = 1;
  self->largest /= 2.0f;
  self->most = self->largest;
  if (bytes)
    {
      self->klass = &_tare_byte_class;
      self->signed_codes = TRUE;
    }
  _tare_grid_list_factors (self);

  return self;
}

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
