/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-search-private.h"
#include "quant/formats/tare-super-private.h"

/* ggml's super-blocks of 256 weights, whose groups have quantized scales.
 *
 *   q2_k: scales[16], codes[64], d f16, dmin f16             x = d s q - dmin m
 *   q3_k: high[32], codes[64], scales[12], d f16             x = d (s - 32) (q - 4)
 *   q4_k: d f16, dmin f16, scales[12], codes[128]            x = d s q - dmin m
 *   q5_k: d f16, dmin f16, scales[12], high[32], codes[128]
 *   q6_k: low[128], high[64], scales i8[16], d f16           x = d s (q - 32)
 *
 * In q4_k and q5_k, 8 groups of 32 have a 6-bit scale s and minimum m each, in q2_k 16 groups of 16
 * one of 4 bits; in q3_k and q6_k, 16 groups of 16 have a scale of 6 and of 8 bits. */

#define SUPER TARE_SUPER_BLOCK
#define N_GROUPS 8
#define GROUP 32

/* Groups of q2_k, q3_k and q6_k. */
#define N_SMALL 16
#define SMALL 16

/* Where the parts of a block begin. */
#define SCALES_AT 4
#define HIGH_AT 16
#define HIGH_6_AT 128
#define SCALES_6_AT 192
#define D_6_AT 208
#define CODES_2_AT 16
#define D_2_AT 80
#define CODES_3_AT 32
#define SCALES_3_AT 96
#define D_3_AT 108

static const TareSuperShape shapes[] = {
  [2] = { .n_groups = 16, .group = 16, .highest = 3.0f,
          .max_scale = 15.0f },
  [3] = { .n_groups = 16, .group = 16, .lowest = -4.0f, .highest = 3.0f, .min_scale = -32.0f,
          .max_scale = 31.0f },
  [4] = { .n_groups = 8, .group = 32, .highest = 15.0f, .max_scale = 63.0f },
  [5] = { .n_groups = 8, .group = 32, .highest = 31.0f, .max_scale = 63.0f },
  [6] = { .n_groups = 16, .group = 16, .lowest = -32.0f, .highest = 31.0f, .min_scale = -128.0f,
          .max_scale = 127.0f },
};

/* Scale and minimum of group b out of the twelve bytes. */
TARE_INLINE void
unpack_scale (const guint8 *bytes,
              gsize         b,
              int          *scale,
              int          *minimum)
{
  if (b < 4)
    {
      *scale = bytes[b] & 63;
      *minimum = bytes[b + 4] & 63;
    }
  else
    {
      *scale = (bytes[b + 4] & 15) | (bytes[b - 4] >> 6) << 4;
      *minimum = (bytes[b + 4] >> 4) | (bytes[b] >> 6) << 4;
    }
}

static void
pack_scales (const TareSuper *super,
             guint8          *bytes)
{
  for (gsize b = 0; b < 4; b++)
    {
      guint s = (guint) super->scale[b], m = (guint) super->minimum[b];
      guint s4 = (guint) super->scale[b + 4], m4 = (guint) super->minimum[b + 4];

      bytes[b] = (guint8) (s | (s4 >> 4) << 6);
      bytes[b + 4] = (guint8) (m | (m4 >> 4) << 6);
      bytes[b + 8] = (guint8) ((s4 & 15) | (m4 & 15) << 4);
    }
}

/* y: [columns]; with constant @five this becomes one kernel for each format. */
TARE_INLINE void
decode_affine (const guint8 *restrict codes,
               gsize                  columns,
               gboolean               five,
               float        *restrict y)
{
  for (gsize i = 0; i < columns / SUPER; i++)
    {
      const guint8 *high = codes + HIGH_AT;
      const guint8 *q = codes + HIGH_AT + (five ? GROUP : 0);
      float d = load_half (codes);
      float dmin = load_half (codes + 2);

      #pragma GCC unroll 8
      for (gsize b = 0; b < N_GROUPS; b++)
        {
          const guint8 *nibbles = q + b / 2 * GROUP;
          int shift = b % 2 * 4;
          int s, m;
          float scale, minimum;

          unpack_scale (codes + SCALES_AT, b, &s, &m);
          scale = d * (float) s;
          minimum = dmin * (float) m;

          #pragma omp simd
          for (gsize j = 0; j < GROUP; j++)
            {
              int code = (nibbles[j] >> shift) & 15;

              if (five)
                code |= ((high[j] >> b) & 1) << 4;

              y[j] = scale * (float) code - minimum;
            }

          y += GROUP;
        }

      codes = q + SUPER / 2;
    }
}

TARE_CLONES static void
decode_q4_k (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  decode_affine (codes, columns, FALSE, y);
}

TARE_CLONES static void
decode_q5_k (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  decode_affine (codes, columns, TRUE, y);
}

/* Of 128 weights, groups r of 32 have their low four bits in nibbles, the high two in pairs. */
TARE_INLINE void
decode_quarter (const guint8 *restrict nibbles,
                const guint8 *restrict pairs,
                int                    r,
                float                  first,
                float                  second,
                float        *restrict y)
{
  int low_shift = r < 2 ? 0 : 4, high_shift = 2 * r;

  nibbles += GROUP * (r & 1);

  #pragma omp simd
  for (int j = 0; j < SMALL; j++)
    {
      int code = ((nibbles[j] >> low_shift) & 15) | ((pairs[j] >> high_shift) & 3) << 4;

      y[j] = first * (float) (code - 32);
    }

  #pragma omp simd
  for (int j = SMALL; j < GROUP; j++)
    {
      int code = ((nibbles[j] >> low_shift) & 15) | ((pairs[j] >> high_shift) & 3) << 4;

      y[j] = second * (float) (code - 32);
    }
}

TARE_CLONES static void
decode_q6_k (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  for (gsize i = 0; i < columns / SUPER; i++)
    {
      float d = load_half (codes + D_6_AT);

      for (gsize half = 0; half < 2; half++)
        {
          const guint8 *low = codes + 64 * half;
          const guint8 *high = codes + HIGH_6_AT + GROUP * half;
          const gint8 *scales = (const gint8 *) codes + SCALES_6_AT + 8 * half;

          #pragma GCC unroll 4
          for (int r = 0; r < 4; r++)
            decode_quarter (low, high, r, d * (float) scales[2 * r], d * (float) scales[2 * r + 1],
                            y + GROUP * r);

          y += SUPER / 2;
        }

      codes += D_6_AT + 2;
    }
}

/* Of 128 weights, groups r of 32 have their two bits at 2 r. */
TARE_INLINE void
decode_pairs (const guint8 *restrict pairs,
              const guint8 *restrict high,
              gsize                  r,
              gsize                  bit,
              const float           *scale,
              const float           *minimum,
              float        *restrict y)
{
  #pragma GCC unroll 2
  for (gsize k = 0; k < 2; k++)
    {
      #pragma omp simd
      for (gsize j = SMALL * k; j < SMALL * (k + 1); j++)
        {
          int code = (pairs[j] >> 2 * r) & 3;

          if (high != NULL)
            y[j] = scale[k] * (float) (code + ((high[j] >> bit) & 1) * 4 - 4);
          else
            y[j] = scale[k] * (float) code - minimum[k];
        }
    }
}

TARE_CLONES static void
decode_q2_k (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  for (gsize i = 0; i < columns / SUPER; i++)
    {
      float d = load_half (codes + D_2_AT), dmin = load_half (codes + D_2_AT + 2);
      float scale[N_SMALL], minimum[N_SMALL];

      #pragma omp simd
      for (gsize b = 0; b < N_SMALL; b++)
        {
          scale[b] = d * (float) (codes[b] & 15);
          minimum[b] = dmin * (float) (codes[b] >> 4);
        }

      #pragma GCC unroll 8
      for (gsize b = 0; b < N_GROUPS; b++)
        decode_pairs (codes + CODES_2_AT + GROUP * (b / 4), NULL, b % 4, b, scale + 2 * b,
                      minimum + 2 * b, y + GROUP * b);

      codes += D_2_AT + 4;
      y += SUPER;
    }
}

TARE_CLONES static void
decode_q3_k (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  for (gsize i = 0; i < columns / SUPER; i++)
    {
      const guint8 *scales = codes + SCALES_3_AT;
      float d = load_half (codes + D_3_AT);
      float scale[N_SMALL];

      #pragma GCC unroll 16
      for (gsize b = 0; b < N_SMALL; b++)
        {
          int low = b < 8 ? scales[b] & 15 : scales[b - 8] >> 4;
          int high = (scales[8 + b % 4] >> 2 * (b / 4)) & 3;

          scale[b] = d * (float) ((low | high << 4) - 32);
        }

      #pragma GCC unroll 8
      for (gsize b = 0; b < N_GROUPS; b++)
        decode_pairs (codes + CODES_3_AT + GROUP * (b / 4), codes, b % 4, b, scale + 2 * b, NULL,
                      y + GROUP * b);

      codes += D_3_AT + 2;
      y += SUPER;
    }
}

/* q: [256] codes */
static void
pack_affine (const TareSuper *super,
             const float     *q,
             gboolean         five,
             guint8          *codes)
{
  guint8 *high = codes + HIGH_AT;
  guint8 *nibbles = high + (five ? GROUP : 0);

  store_half (codes, super->d);
  store_half (codes + 2, super->dmin);
  pack_scales (super, codes + SCALES_AT);

  if (five)
    memset (high, 0, GROUP);

  for (gsize b = 0; b < N_GROUPS; b += 2)
    for (gsize j = 0; j < GROUP; j++)
      {
        guint a = (guint) q[b * GROUP + j], c = (guint) q[(b + 1) * GROUP + j];

        nibbles[b / 2 * GROUP + j] = (guint8) ((a & 15) | (c & 15) << 4);
        if (five)
          high[j] |= (guint8) ((a >> 4) << b | (c >> 4) << (b + 1));
      }
}

/* q: [256] codes from 0 */
static void
pack_q6_k (const TareSuper *super,
           const float     *q,
           guint8          *codes)
{
  for (gsize half = 0; half < 2; half++)
    for (gsize j = 0; j < GROUP; j++)
      {
        guint code[4];

        for (gsize r = 0; r < 4; r++)
          code[r] = (guint) q[128 * half + GROUP * r + j];

        codes[64 * half + j] = (guint8) ((code[0] & 15) | (code[2] & 15) << 4);
        codes[64 * half + GROUP + j] = (guint8) ((code[1] & 15) | (code[3] & 15) << 4);
        codes[HIGH_6_AT + GROUP * half + j] =
          (guint8) (code[0] >> 4 | (code[1] >> 4) << 2 | (code[2] >> 4) << 4 | (code[3] >> 4) << 6);
      }

  for (gsize b = 0; b < N_SMALL; b++)
    codes[SCALES_6_AT + b] = (guint8) (gint8) super->scale[b];

  store_half (codes + D_6_AT, super->d);
}

/* Two bits each of four groups of 32 weights to a byte. q: [256] codes from 0 */
static void
pack_pairs (const float *q,
            guint8      *codes)
{
  for (gsize half = 0; half < 2; half++)
    for (gsize j = 0; j < GROUP; j++)
      {
        guint byte = 0;

        for (gsize r = 0; r < 4; r++)
          byte |= ((guint) q[128 * half + GROUP * r + j] & 3) << 2 * r;

        codes[GROUP * half + j] = (guint8) byte;
      }
}

static void
pack_q2_k (const TareSuper *super,
           const float     *q,
           guint8          *codes)
{
  for (gsize b = 0; b < N_SMALL; b++)
    codes[b] = (guint8) ((guint) super->scale[b] | (guint) super->minimum[b] << 4);

  pack_pairs (q, codes + CODES_2_AT);
  store_half (codes + D_2_AT, super->d);
  store_half (codes + D_2_AT + 2, super->dmin);
}

static void
pack_q3_k (const TareSuper *super,
           const float     *q,
           guint8          *codes)
{
  guint8 *scales = codes + SCALES_3_AT;

  memset (codes, 0, CODES_3_AT);
  for (gsize j = 0; j < SUPER; j++)
    codes[j % GROUP] |= (guint8) ((guint) q[j] >> 2 << j / GROUP);

  pack_pairs (q, codes + CODES_3_AT);

  memset (scales, 0, 12);
  for (gsize b = 0; b < N_SMALL; b++)
    {
      guint code = (guint) (super->scale[b] - shapes[3].min_scale);

      scales[b % 8] |= (guint8) ((code & 15) << (b < 8 ? 0 : 4));
      scales[8 + b % 4] |= (guint8) (code >> 4 << 2 * (b / 4));
    }

  store_half (codes + D_3_AT, super->d);
}

static void
encode_q6_k (const TareFormat *self,
             gboolean          search,
             const float      *x,
             const float      *weights,
             gsize             columns,
             guint8           *codes)
{
  for (gsize i = 0; i < columns; i += SUPER)
    {
      float q[SUPER];
      TareSuper super;

      _tare_super_symmetric (&shapes[6], search, x + i, weights + i, 1, &super, q);
      for (gsize j = 0; j < SUPER; j++)
        q[j] -= shapes[6].lowest;

      pack_q6_k (&super, q, codes);
      codes += self->klass->block_bytes;
    }
}

static void
encode_affine (const TareFormat *self,
               gboolean          search,
               const float      *x,
               const float      *weights,
               gsize             columns,
               guint8           *codes)
{
  const TareSuperShape *shape = &shapes[self->bits];
  gsize n_beside = TARE_SUPER_GROUPS / shape->n_groups;

  for (gsize i = 0; i < columns; i += n_beside * SUPER)
    {
      gsize n_supers = MIN (n_beside, (columns - i) / SUPER);
      float q[2 * SUPER];
      TareSuper super[2];

      _tare_super_affine (shape, search, x + i, weights + i, n_supers, super, q);
      for (gsize k = 0; k < n_supers; k++)
        {
          if (self->bits == 2)
            pack_q2_k (&super[k], q + k * SUPER, codes);
          else
            pack_affine (&super[k], q + k * SUPER, self->bits == 5, codes);
          codes += self->klass->block_bytes;
        }
    }
}

static void
encode_q3_k (const TareFormat *self,
             gboolean          search,
             const float      *x,
             const float      *weights,
             gsize             columns,
             guint8           *codes)
{
  for (gsize i = 0; i < columns; i += SUPER)
    {
      float q[SUPER];
      TareSuper super;

      _tare_super_symmetric (&shapes[3], search, x + i, weights + i, 1, &super, q);
      for (gsize j = 0; j < SUPER; j++)
        q[j] -= shapes[3].lowest;

      pack_q3_k (&super, q, codes);
      codes += self->klass->block_bytes;
    }
}

/* The widest group of a super-block has the largest scale and, here, the largest minimum. */
static gsize
get_affine_levels (const TareFormat *self,
                   float             minimum,
                   float             maximum,
                   float            *levels)
{
  const TareSuperShape *shape = &shapes[self->bits];
  gsize n = (gsize) 1 << self->bits;
  float scale, offset, d, dmin;

  _tare_super_span (shape, minimum, maximum, &scale, &offset);
  d = round_scale (scale / shape->max_scale);
  dmin = round_scale (-offset / shape->max_scale);

  for (gsize code = 0; code < n; code++)
    levels[code] = (d * shape->max_scale) * (float) code - dmin * shape->max_scale;

  return n;
}

static gsize
get_symmetric_levels (const TareFormat *self,
                      float             minimum,
                      float             maximum,
                      float            *levels)
{
  const TareSuperShape *shape = &shapes[self->bits];
  gsize n = (gsize) 1 << self->bits;
  float scale, offset, d;

  _tare_super_span (shape, minimum, maximum, &scale, &offset);
  d = round_scale (scale / shape->min_scale);

  for (gsize code = 0; code < n; code++)
    levels[code] = (d * shape->min_scale) * ((float) code + shape->lowest);

  return n;
}

const TareFormatClass _tare_format_q2_k_class = {
  .block_bytes = 84,
  .encode_row = encode_affine,
  .decode_row = decode_q2_k,
  .get_levels = get_affine_levels,
};

const TareFormatClass _tare_format_q3_k_class = {
  .block_bytes = 110,
  .encode_row = encode_q3_k,
  .decode_row = decode_q3_k,
  .get_levels = get_symmetric_levels,
};

const TareFormatClass _tare_format_q4_k_class = {
  .block_bytes = 144,
  .encode_row = encode_affine,
  .decode_row = decode_q4_k,
  .get_levels = get_affine_levels,
};

const TareFormatClass _tare_format_q5_k_class = {
  .block_bytes = 176,
  .encode_row = encode_affine,
  .decode_row = decode_q5_k,
  .get_levels = get_affine_levels,
};

const TareFormatClass _tare_format_q6_k_class = {
  .block_bytes = 210,
  .encode_row = encode_q6_k,
  .decode_row = decode_q6_k,
  .get_levels = get_symmetric_levels,
};
