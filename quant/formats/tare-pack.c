/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-pack-private.h"

#include <string.h>

#include "quant/tare-simd.h"

/* Codes of 1 to 8 bits with no padding but to whole bytes: code i occupies the bits from i b on,
 * bit 0 the lowest of byte 0. Codes from 0 to 2 come five to a byte as digits to the base of 3, of
 * which the first counts least. */

#define TRITS 5

/* Of eight codes each, spread together. */
#define WORDS 16

/**
 * _tare_packed_bytes:
 * @n: how many codes
 * @bits: of each, or %TARE_PACK_TERNARY
 *
 * Returns: bytes that they take together
 */
gsize
_tare_packed_bytes (gsize n,
                    guint bits)
{
  if (bits == TARE_PACK_TERNARY)
    return n / TRITS + (n % TRITS != 0);

  return n / 8 * bits + (n % 8 * bits + 7) / 8;
}

/* Eight codes in the low bytes of a word each, and next to each other: by halves. */
TARE_INLINE guint64
spread (guint64 word,
        guint   bits)
{
  guint64 four = (1ull << 4 * bits) - 1;
  guint64 two = ((1ull << 2 * bits) - 1) * 0x0000000100000001ull;
  guint64 one = ((1ull << bits) - 1) * 0x0001000100010001ull;

  word = (word & four) | (word & four << 4 * bits) << (32 - 4 * bits);
  word = (word & two) | (word & two << 2 * bits) << (16 - 2 * bits);

  return (word & one) | (word & one << bits) << (8 - bits);
}

TARE_INLINE guint64
gather (guint64 word,
        guint   bits)
{
  guint64 four = (1ull << 4 * bits) - 1;
  guint64 two = ((1ull << 2 * bits) - 1) * 0x0000000100000001ull;
  guint64 one = ((1ull << bits) - 1) * 0x0001000100010001ull;

  word = (word & one) | ((word >> (8 - bits)) & one << bits);
  word = (word & two) | ((word >> (16 - 2 * bits)) & two << 2 * bits);

  return (word & four) | ((word >> (32 - 4 * bits)) & four << 4 * bits);
}

TARE_INLINE guint64
load_bytes (const guint8 *bytes,
            guint         n)
{
  guint64 word = 0;

  for (guint k = 0; k < n; k++)
    word |= (guint64) bytes[k] << 8 * k;

  return word;
}

TARE_INLINE void
store_bytes (guint8  *bytes,
             guint64  word,
             guint    n)
{
  for (guint k = 0; k < n; k++)
    bytes[k] = (guint8) (word >> 8 * k);
}

/* Words are loaded whole, with what follows of the next, and spread together, as long as there are
 * so many. */
TARE_INLINE void
unpack_bits (const guint8 *restrict packed,
             gsize                  n,
             guint                  bits,
             guint8       *restrict codes)
{
  gsize n_bytes = _tare_packed_bytes (n, bits), whole = n / 8, i = 0;

  for (; i + WORDS <= whole && (i + WORDS - 1) * bits + 8 <= n_bytes; i += WORDS)
    {
      guint64 words[WORDS];

      for (gsize k = 0; k < WORDS; k++)
        memcpy (words + k, packed + (i + k) * bits, sizeof *words);

      #pragma omp simd
      for (gsize k = 0; k < WORDS; k++)
        words[k] = GUINT64_TO_LE (spread (GUINT64_FROM_LE (words[k]), bits));
      memcpy (codes + 8 * i, words, sizeof words);
    }

  for (; i < whole; i++)
    store_bytes (codes + 8 * i, spread (load_bytes (packed + i * bits, bits), bits), 8);

  if (8 * whole < n)
    store_bytes (codes + 8 * whole,
                 spread (load_bytes (packed + whole * bits,
                                     (guint) _tare_packed_bytes (n - 8 * whole, bits)), bits),
                 (guint) (n - 8 * whole));
}

/* The same: what a word writes beyond its codes is what the next one overwrites. */
TARE_INLINE void
pack_bits (const guint8 *restrict codes,
           gsize                  n,
           guint                  bits,
           guint8       *restrict packed)
{
  gsize n_bytes = _tare_packed_bytes (n, bits), whole = n / 8, i = 0;

  for (; i + WORDS <= whole && (i + WORDS - 1) * bits + 8 <= n_bytes; i += WORDS)
    {
      guint64 words[WORDS];

      memcpy (words, codes + 8 * i, sizeof words);

      #pragma omp simd
      for (gsize k = 0; k < WORDS; k++)
        words[k] = GUINT64_TO_LE (gather (GUINT64_FROM_LE (words[k]), bits));
      for (gsize k = 0; k < WORDS; k++)
        memcpy (packed + (i + k) * bits, words + k, sizeof *words);
    }

  for (; i < whole; i++)
    store_bytes (packed + i * bits, gather (load_bytes (codes + 8 * i, 8), bits), bits);

  if (8 * whole < n)
    store_bytes (packed + whole * bits,
                 gather (load_bytes (codes + 8 * whole, (guint) (n - 8 * whole)), bits),
                 (guint) _tare_packed_bytes (n - 8 * whole, bits));
}

/* One kernel for every width, so that all shifts are constants. */
#define PACKING(bits)                                     \
  TARE_CLONES static void                                 \
  unpack_##bits (const guint8 *restrict packed,           \
                 gsize                  n,                \
                 guint8       *restrict codes)            \
  {                                                       \
    unpack_bits (packed, n, bits, codes);                 \
  }                                                       \
                                                          \
  TARE_CLONES static void                                 \
  pack_##bits (const guint8 *restrict codes,              \
               gsize                  n,                  \
               guint8       *restrict packed)             \
  {                                                       \
    pack_bits (codes, n, bits, packed);                   \
  }

PACKING (1)
PACKING (2)
PACKING (3)
PACKING (4)
PACKING (5)
PACKING (6)
PACKING (7)

static void
copy_codes (const guint8 *restrict in,
            gsize                  n,
            guint8       *restrict out)
{
  memcpy (out, in, n);
}

/* The digits of every byte, with room for a word; a byte beyond 3^5 - 1, which nothing here writes,
 * has a last digit of no more than 2 as well. */
static guint8 digits[256][8];

static void
list_digits (void)
{
  static gsize ready = 0;

  if (!g_once_init_enter (&ready))
    return;

  for (guint byte = 0; byte < 256; byte++)
    for (guint k = 0, value = byte; k < TRITS; k++, value /= 3)
      digits[byte][k] = (guint8) (k + 1 < TRITS ? value % 3 : MIN (value, 2));
  g_once_init_leave (&ready, 1);
}

/* Words reach beyond their five digits, into those of the next byte. */
static void
unpack_trits (const guint8 *restrict packed,
              gsize                  n,
              guint8       *restrict codes)
{
  gsize whole = n / TRITS, i = 0;

  list_digits ();
  for (; i < whole && TRITS * i + sizeof *digits <= n; i++)
    memcpy (codes + TRITS * i, digits[packed[i]], sizeof *digits);
  for (; TRITS * i < n; i++)
    memcpy (codes + TRITS * i, digits[packed[i]], MIN (TRITS, n - TRITS * i));
}

static void
pack_trits (const guint8 *restrict codes,
            gsize                  n,
            guint8       *restrict packed)
{
  for (gsize i = 0; i * TRITS < n; i++)
    {
      guint value = 0;

      for (gsize k = MIN (n - TRITS * i, TRITS); k > 0; k--)
        value = 3 * value + codes[TRITS * i + k - 1];
      packed[i] = (guint8) value;
    }
}

static void (*const unpackers[]) (const guint8 *restrict, gsize, guint8 *restrict) = {
  unpack_trits, unpack_1, unpack_2, unpack_3, unpack_4, unpack_5, unpack_6, unpack_7, copy_codes,
};

static void (*const packers[]) (const guint8 *restrict, gsize, guint8 *restrict) = {
  pack_trits, pack_1, pack_2, pack_3, pack_4, pack_5, pack_6, pack_7, copy_codes,
};

/**
 * _tare_pack:
 * @codes: (array length=n): each less than 2^bits
 * @n: how many
 * @bits: of each, or %TARE_PACK_TERNARY
 * @packed: (out caller-allocates): _tare_packed_bytes()
 */
void
_tare_pack (const guint8 *codes,
            gsize         n,
            guint         bits,
            guint8       *packed)
{
  packers[bits] (codes, n, packed);
}

/**
 * _tare_unpack:
 * @packed: _tare_packed_bytes()
 * @n: how many codes
 * @bits: of each, or %TARE_PACK_TERNARY
 * @codes: (out caller-allocates) (array length=n): room for them
 */
void
_tare_unpack (const guint8 *packed,
              gsize         n,
              guint         bits,
              guint8       *codes)
{
  unpackers[bits] (packed, n, codes);
}
