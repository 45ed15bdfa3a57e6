/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <string.h>

/* f32, f16 and bf16: a row is its numbers, little-endian. */

typedef guint16 Unaligned __attribute__ ((aligned (1), may_alias));

/* A finite weight must not become infinite: it takes the largest number of the format instead. */
TARE_CLONES static void
saturate (guint8  *numbers,
          gsize    n,
          guint16  infinity)
{
  Unaligned *restrict out = (Unaligned *) numbers;

  for (gsize i = 0; i < n; i++)
    out[i] = (guint16) (out[i] - ((out[i] & 0x7fff) == infinity ? 1 : 0));
}

static void
encode_f32 (const TareFormat *self,
            gboolean          search,
            const float      *x,
            const float      *weights,
            gsize             columns,
            guint8           *codes)
{
  memcpy (codes, x, columns * sizeof (float));
}

static void
decode_f32 (const TareFormat *self,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  memcpy (y, codes, columns * sizeof (float));
}

static void
encode_f16 (const TareFormat *self,
            gboolean          search,
            const float      *x,
            const float      *weights,
            gsize             columns,
            guint8           *codes)
{
  tare_half_from_floats (x, columns, codes);
  saturate (codes, columns, 0x7c00);
}

static void
decode_f16 (const TareFormat *self,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  tare_half_to_floats (codes, columns, y);
}

static void
encode_bf16 (const TareFormat *self,
             gboolean          search,
             const float      *x,
             const float      *weights,
             gsize             columns,
             guint8           *codes)
{
  tare_bfloat_from_floats (x, columns, codes);
  saturate (codes, columns, 0x7f80);
}

static void
decode_bf16 (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  tare_bfloat_to_floats (codes, columns, y);
}

const TareFormatClass _tare_format_f32_class = {
  .block_bytes = sizeof (float),
  .encode_row = encode_f32,
  .decode_row = decode_f32,
};

const TareFormatClass _tare_format_f16_class = {
  .block_bytes = sizeof (guint16),
  .encode_row = encode_f16,
  .decode_row = decode_f16,
};

const TareFormatClass _tare_format_bf16_class = {
  .block_bytes = sizeof (guint16),
  .encode_row = encode_bf16,
  .decode_row = decode_bf16,
};
