/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <math.h>
#include <string.h>

/* ggml's blocks of 256 weights with three levels, -d, 0 and d.
 *
 *   tq1_0: codes[48], rest[4], d f16     five weights to a byte, four in the rest
 *   tq2_0: codes[64], d f16              four weights to a byte
 *
 * A byte b of tq1_0 holds a fraction: the digits before the point of 3 b / 256, then of three times
 * what is left, and so on. */

#define BLOCK 256
#define DIGITS 5
#define TQ1_REST_AT 48
#define TQ1_D_AT 52
#define TQ2_D_AT 64

/* Weights of a block of tq1_0: where they begin, where their bytes do, and how many bytes there
 * are; digits of a byte belong to weights that lie so many apart. */
static const struct
{
  gsize first;
  gsize byte;
  gsize n;
  gsize digits;
} parts[] = {
  { 0, 0, 32, DIGITS },
  { 160, 32, 16, DIGITS },
  { 240, TQ1_REST_AT, 4, 4 },
};

static const guint8 powers[DIGITS] = { 1, 3, 9, 27, 81 };

TARE_INLINE void
decode_part (const guint8 *restrict codes,
             gsize                  n,
             gsize                  n_digits,
             float                  d,
             float        *restrict y)
{
  #pragma GCC unroll 5
  for (gsize digit = 0; digit < n_digits; digit++)
    {
      #pragma omp simd
      for (gsize j = 0; j < n; j++)
        {
          int fraction = (codes[j] * powers[digit]) & 0xff;

          y[digit * n + j] = (float) ((fraction * 3 >> 8) - 1) * d;
        }
    }
}

TARE_CLONES static void
decode_tq1_0 (const TareFormat *self,
              const guint8     *codes,
              gsize             columns,
              float            *y)
{
  for (gsize i = 0; i < columns / BLOCK; i++)
    {
      float d = load_half (codes + TQ1_D_AT);

      decode_part (codes, 32, 5, d, y);
      decode_part (codes + 32, 16, 5, d, y + 160);
      decode_part (codes + TQ1_REST_AT, 4, 4, d, y + 240);

      codes += TQ1_D_AT + 2;
      y += BLOCK;
    }
}

TARE_CLONES static void
decode_tq2_0 (const TareFormat *self,
              const guint8     *codes,
              gsize             columns,
              float            *y)
{
  for (gsize i = 0; i < columns / BLOCK; i++)
    {
      float d = load_half (codes + TQ2_D_AT);

      #pragma GCC unroll 8
      for (gsize b = 0; b < 8; b++)
        {
          const guint8 *pairs = codes + 32 * (b / 4);

          #pragma omp simd
          for (gsize j = 0; j < 32; j++)
            y[32 * b + j] = (float) (((pairs[j] >> 2 * (b % 4)) & 3) - 1) * d;
        }

      codes += TQ2_D_AT + 2;
      y += BLOCK;
    }
}

/* Sorts the places of weights by falling magnitude; of magnitudes that differ in the last eight of
 * their bits, either may come first. order: (out): [256] */
static void
sort_magnitudes (const float *x,
                 guint8      *order)
{
  guint32 keys[2][BLOCK];

  for (guint j = 0; j < BLOCK; j++)
    keys[0][j] = (~tare_float_to_bits (x[j]) & 0x7fffff00) | j;

  for (guint pass = 0; pass < 3; pass++)
    {
      const guint32 *from = keys[pass % 2];
      guint32 *to = keys[1 - pass % 2];
      guint shift = 8 + 8 * pass, count[256] = { 0 }, at = 0;

      for (guint j = 0; j < BLOCK; j++)
        count[(from[j] >> shift) & 255]++;
      for (guint k = 0; k < 256; k++)
        {
          guint n = count[k];

          count[k] = at;
          at += n;
        }
      for (guint j = 0; j < BLOCK; j++)
        to[count[(from[j] >> shift) & 255]++] = from[j];
    }

  for (guint j = 0; j < BLOCK; j++)
    order[j] = keys[1][j] & 255;
}

static double
measure (const float *x,
         const float *w,
         float        d)
{
  double error = 0.0;

  for (gsize j = 0; j < BLOCK; j++)
    {
      double magnitude = fabs ((double) x[j]);
      double difference = magnitude > 0.5 * (double) d ? magnitude - (double) d : magnitude;

      error += (double) w[j] * difference * difference;
    }

  return error;
}

/* The weights that are not 0 are those of largest magnitude, and their scale is their mean: of all
 * numbers of them the one of least error, Σwx² - (Σw|x|)² / Σw, is found. */
static float
search_scale (const float *x,
              const float *w,
              float        plain)
{
  guint8 order[BLOCK];
  double sum = 0.0, weight = 0.0, most = 0.0;
  float found = plain;

  sort_magnitudes (x, order);
  for (gsize i = 0; i < BLOCK; i++)
    {
      sum += (double) w[order[i]] * fabs ((double) x[order[i]]);
      weight += (double) w[order[i]];

      if (sum * (sum / weight) > most)
        {
          most = sum * (sum / weight);
          found = (float) (sum / weight);
        }
    }

  found = round_scale (found);

  return measure (x, w, found) < measure (x, w, plain) ? found : plain;
}

/* Digits of weights that lie n apart, from the most significant, as a fraction rounded up. */
static guint8
pack_digits (const guint8 *q,
             gsize         n,
             gsize         n_digits)
{
  guint value = 0;

  for (gsize digit = 0; digit < DIGITS; digit++)
    value = value * 3 + (digit < n_digits ? q[digit * n] : 0);

  return (guint8) ((value * 256 + 242) / 243);
}

static void
pack_tq1_0 (const guint8 *q,
            float         d,
            guint8       *codes)
{
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    for (gsize j = 0; j < parts[i].n; j++)
      codes[parts[i].byte + j] = pack_digits (q + parts[i].first + j, parts[i].n, parts[i].digits);

  store_half (codes + TQ1_D_AT, d);
}

static void
pack_tq2_0 (const guint8 *q,
            float         d,
            guint8       *codes)
{
  for (gsize half = 0; half < 2; half++)
    for (gsize j = 0; j < 32; j++)
      {
        const guint8 *first = q + 128 * half + j;

        codes[32 * half + j] =
          (guint8) (first[0] | first[32] << 2 | first[64] << 4 | first[96] << 6);
      }

  store_half (codes + TQ2_D_AT, d);
}

static float
span_block (const float *x)
{
  float largest = 0.0f;

  for (gsize j = 0; j < BLOCK; j++)
    largest = MAX (largest, fabsf (x[j]));

  return round_scale (largest);
}

TARE_INLINE void
encode_blocks (gboolean      search,
               const float  *x,
               const float  *weights,
               gsize         columns,
               gsize         block_bytes,
               void        (*pack) (const guint8 *q,
                                    float         d,
                                    guint8       *codes),
               guint8       *codes)
{
  for (gsize i = 0; i < columns; i += BLOCK)
    {
      float d = span_block (x + i);
      guint8 q[BLOCK];

      if (search)
        d = search_scale (x + i, weights + i, d);

      for (gsize j = 0; j < BLOCK; j++)
        q[j] = (guint8) (1 + (x[i + j] > 0.5f * d) - (x[i + j] < -0.5f * d));

      pack (q, d, codes);
      codes += block_bytes;
    }
}

TARE_CLONES static void
encode_tq1_0 (const TareFormat *self,
              gboolean          search,
              const float      *x,
              const float      *weights,
              gsize             columns,
              guint8           *codes)
{
  encode_blocks (search, x, weights, columns, self->klass->block_bytes, pack_tq1_0, codes);
}

TARE_CLONES static void
encode_tq2_0 (const TareFormat *self,
              gboolean          search,
              const float      *x,
              const float      *weights,
              gsize             columns,
              guint8           *codes)
{
  encode_blocks (search, x, weights, columns, self->klass->block_bytes, pack_tq2_0, codes);
}

static gsize
get_levels (const TareFormat *self,
            float             minimum,
            float             maximum,
            float            *levels)
{
  float d = round_scale (MAX (-minimum, maximum));

  levels[0] = -d;
  levels[1] = 0.0f;
  levels[2] = d;

  return 3;
}

const TareFormatClass _tare_format_tq1_0_class = {
  .block_bytes = 54,
  .encode_row = encode_tq1_0,
  .decode_row = decode_tq1_0,
  .get_levels = get_levels,
};

const TareFormatClass _tare_format_tq2_0_class = {
  .block_bytes = 66,
  .encode_row = encode_tq2_0,
  .decode_row = decode_tq2_0,
  .get_levels = get_levels,
};
