/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "quant/tare-simd.h"

G_BEGIN_DECLS

/* Codes of the same number of bits, up to 16, one after the other, from the lowest bit of each byte
 * on. */

TARE_INLINE gsize
count_packed_bytes (gsize n,
                    guint bits)
{
  return n / 8 * bits + (n % 8 * bits + 7) / 8;
}

/* packed: (out): all of its bytes are written */
static inline void
pack_codes (const guint16 *codes,
            gsize          n,
            guint          bits,
            guint8        *packed)
{
  guint32 word = 0;
  guint n_bits = 0;

  for (gsize i = 0; i < n; i++)
    {
      word |= (guint32) codes[i] << n_bits;
      for (n_bits += bits; n_bits >= 8; n_bits -= 8, word >>= 8)
        *packed++ = word & 0xff;
    }

  if (n_bits > 0)
    *packed = word & 0xff;
}

/* Eight codes of a constant number of bits, up to 8, are a word. */
TARE_INLINE void
unpack_eight (const guint8 *restrict packed,
              guint                  bits,
              guint16      *restrict codes)
{
  guint64 word = 0;

  for (guint k = 0; k < bits; k++)
    word |= (guint64) packed[k] << 8 * k;

  for (guint k = 0; k < 8; k++)
    codes[k] = (guint16) (word >> bits * k & ((1u << bits) - 1));
}

TARE_INLINE void
unpack_codes (const guint8 *restrict packed,
              gsize                  n,
              guint                  bits,
              guint16      *restrict codes)
{
  guint32 word = 0, mask = (1u << bits) - 1;
  guint n_bits = 0;
  gsize whole = bits <= 8 ? n & ~(gsize) 7 : 0;

  for (gsize i = 0; i < whole; i += 8, packed += bits)
    unpack_eight (packed, bits, codes + i);

  for (gsize i = whole; i < n; i++)
    {
      for (; n_bits < bits; n_bits += 8)
        word |= (guint32) *packed++ << n_bits;
      codes[i] = (guint16) (word & mask);
      word >>= bits;
      n_bits -= bits;
    }
}

G_END_DECLS
