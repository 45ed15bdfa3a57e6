/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/formats/tare-search-private.h"
#include "quant/formats/tare-side-private.h"
#include "quant/formats/tare-super-private.h"

/* ggml's types of sixteen uneven levels L; those of mxfp4 are twice FP4 E2M1's.
 *
 *   iq4_nl: d f16, codes[16], blocks of 32                   x = d L[q]
 *   mxfp4:  e u8, codes[16], blocks of 32                    x = 2^(e - 128) L[q]
 *   iq4_xs: d f16, high u16, low[4], codes[128]              x = d (s - 32) L[q]
 *
 * In iq4_xs, 8 groups of 32 have a 6-bit scale: four bits in low, two in high. */

#define N 32
#define N_LEVELS 16
#define N_GROUPS 8
#define SUPER TARE_SUPER_BLOCK
#define LANES TARE_SIDE_LANES

/* Where the parts of a super-block begin. */
#define HIGH_AT 2
#define LOW_AT 4
#define CODES_AT 8

/* Reaches put the weight of largest magnitude near the first level or, with the other sign, near
 * the last: beyond it, which clips that weight, or within. */
#define N_REACHES 32
#define REACH_FROM 0.66f
#define REACH_STEP 0.04f
#define LOCAL_STEP 0.003f

/* Half-way between each level and the one before. */
static const float middles[N_LEVELS] = {
  -INFINITY, -115.5f, -93.5f, -74.0f, -57.0f, -42.0f, -28.5f, -16.0f,
  -4.5f, 7.0f, 19.0f, 31.5f, 45.5f, 61.0f, 79.0f, 101.0f,
};

static const gint8 bytes_nl[N_LEVELS] = {
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

static const gint8 bytes_fp4[N_LEVELS] = {
  0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
};

/* Magnitudes of FP4, half-way between each and the one before, and the exponent of the largest, 8
 * and half as much again. */
#define N_MAGNITUDES 8
#define FP4_EXPONENT 3

static const float middles_fp4[N_MAGNITUDES] = {
  0.0f, 0.5f, 1.5f, 2.5f, 3.5f, 5.0f, 7.0f, 10.0f,
};

/* Exponents that a search tries: from so much below that of the plain rule. */
#define N_EXPONENTS 6
#define BELOW 3

TARE_INLINE guint
find_code (float level)
{
  guint code = 0;

  for (gsize i = 1; i < N_LEVELS; i++)
    code += level > middles[i];

  return code;
}

/* table: [16] levels; y: (out): [32] those of the codes, low halves of bytes first */
TARE_INLINE void
decode_levels (const gint8  *restrict table,
               const guint8 *restrict codes,
               float                  scale,
               float        *restrict y)
{
#if defined (__GNUC__) && !defined (__clang__)
  /* A table of sixteen bytes is what the machine's shuffles look up. */
  typedef gint8 Bytes __attribute__ ((vector_size (16)));
  Bytes all, packed, low, high;

  memcpy (&all, table, sizeof all);
  memcpy (&packed, codes, sizeof packed);
  low = __builtin_shuffle (all, packed & 15);
  high = __builtin_shuffle (all, (packed >> 4) & 15);

  #pragma omp simd
  for (gsize j = 0; j < N / 2; j++)
    y[j] = scale * (float) low[j];

  #pragma omp simd
  for (gsize j = 0; j < N / 2; j++)
    y[j + N / 2] = scale * (float) high[j];
#else
  for (gsize j = 0; j < N / 2; j++)
    {
      y[j] = scale * (float) table[codes[j] & 15];
      y[j + N / 2] = scale * (float) table[codes[j] >> 4];
    }
#endif
}

TARE_CLONES static void
decode_iq4_nl (const TareFormat *self,
               const guint8     *codes,
               gsize             columns,
               float            *y)
{
  for (gsize i = 0; i < columns / N; i++)
    decode_levels (bytes_nl, codes + i * (2 + N / 2) + 2,
                   load_half (codes + i * (2 + N / 2)), y + i * N);
}

TARE_CLONES static void
decode_iq4_xs (const TareFormat *self,
               const guint8     *codes,
               gsize             columns,
               float            *y)
{
  for (gsize i = 0; i < columns / SUPER; i++)
    {
      float d = load_half (codes);
      int high = codes[HIGH_AT] | codes[HIGH_AT + 1] << 8;

      for (gsize b = 0; b < N_GROUPS; b++)
        {
          int scale = ((codes[LOW_AT + b / 2] >> (b % 2 * 4)) & 15) | ((high >> 2 * b) & 3) << 4;

          decode_levels (bytes_nl, codes + CODES_AT + b * (N / 2), d * (float) (scale - 32),
                         y + b * N);
        }

      codes += CODES_AT + SUPER / 2;
      y += SUPER;
    }
}

/* 2^(e - 128) */
TARE_INLINE float
expand_exponent (guint e)
{
  return tare_float_from_bits (e > 1 ? (e - 1) << 23 : 0x00200000u << e);
}

TARE_CLONES static void
decode_mxfp4 (const TareFormat *self,
              const guint8     *codes,
              gsize             columns,
              float            *y)
{
  for (gsize i = 0; i < columns / N; i++)
    decode_levels (bytes_fp4, codes + i * (1 + N / 2) + 1, expand_exponent (codes[i * 17]),
                   y + i * N);
}

/* Returns: the weight of largest magnitude; on the first level it spans the group */
static float
find_extreme (const float *x)
{
  float minimum, maximum;

  _tare_search_range (x, N, &minimum, &maximum);

  return -minimum > maximum ? minimum : maximum;
}

/* The scale that puts the extreme weight on the first level or, as binary16 lies near it, clips it
 * a little: then that weight finds this scale again, however few digits the scale has. No level is
 * 0, so a scale may be: what is far below half precision is lost. */
static float
span_block (float extreme)
{
  float wanted = extreme / tare_levels_nl[0];
  float scale = round_offset (wanted);

  if (fabsf (scale) <= fabsf (wanted))
    return scale;

  return tare_half_to_float ((guint16) (tare_half_from_float (scale) - 1));
}

typedef struct
{
  float x[N * LANES];
  float w[N * LANES];
  float extreme[LANES];
} Blocks;

/* A scale of each block, and what its codes take off the error. */
typedef struct
{
  float scale[LANES];
  float loss[LANES];
} Scales;

/* Least squares for the codes that the scales give. */
TARE_INLINE void
move_scales (const Blocks *blocks,
             Scales       *scales)
{
  float inverse[LANES], xq[LANES], qq[LANES];

  side_invert (scales->scale, inverse);
  side_sum_symmetric (blocks->x, blocks->w, N, TRUE, inverse, 0.0f, 0.0f, xq, qq);
  TARE_SIDE_LOOP (k)
    {
      scales->scale[k] = xq[k] / (qq[k] > FLT_MIN ? qq[k] : FLT_MIN);
      scales->loss[k] = -xq[k] * scales->scale[k];
    }
}

TARE_INLINE void
keep_scales (Scales       *best,
             const Scales *scales)
{
  TARE_SIDE_LOOP (k)
    {
      gboolean better = scales->loss[k] < best->loss[k];

      best->scale[k] = better ? scales->scale[k] : best->scale[k];
      best->loss[k] = better ? scales->loss[k] : best->loss[k];
    }
}

/* Keeps the best two. */
TARE_INLINE void
keep_two (Scales       *first,
          Scales       *second,
          const Scales *scales)
{
  Scales worse;

  TARE_SIDE_LOOP (k)
    {
      gboolean better = scales->loss[k] < first->loss[k];

      worse.scale[k] = better ? first->scale[k] : scales->scale[k];
      worse.loss[k] = better ? first->loss[k] : scales->loss[k];
    }
  keep_scales (first, scales);
  keep_scales (second, &worse);
}

/* What the most promising reaches lead to. */
TARE_INLINE void
try_reaches (const Blocks *blocks,
             Scales       *best)
{
  Scales second = { .loss = { 0.0f } }, next;

  *best = second;
  for (int c = 0; c < N_REACHES; c++)
    {
      float reach = REACH_FROM + REACH_STEP * (float) (c / 2);

      reach *= tare_levels_nl[c % 2 == 0 ? 0 : N_LEVELS - 1];
      TARE_SIDE_LOOP (k)
        next.scale[k] = blocks->extreme[k] / reach;
      move_scales (blocks, &next);
      keep_two (best, &second, &next);
    }

  next = *best;
  move_scales (blocks, &next);
  keep_scales (best, &next);
  next = second;
  move_scales (blocks, &next);
  keep_scales (best, &next);
}

/* Keeps the scales, as they are stored, where their true error is less. */
TARE_INLINE void
judge_scales (const Blocks *blocks,
              Scales       *next,
              Scales       *best)
{
  TARE_SIDE_LOOP (k)
    next->scale[k] = round_scale (next->scale[k]);
  side_measure_symmetric (blocks->x, blocks->w, N, TRUE, next->scale, 0.0f, 0.0f, next->loss);
  keep_scales (best, next);
}

/* Searches the scales of up to sixteen blocks side by side, as those of super-blocks are: by what
 * least squares promise for the codes of several reaches, and then by the error of what half
 * precision has beside the best.
 *
 * scale: (inout): the plain scales, and then better ones if there are any */
TARE_CLONES static void
search_blocks (const float *x,
               const float *w,
               gsize        n_blocks,
               float       *scale)
{
  float minimum[LANES], maximum[LANES];
  Scales found, best, next;
  Blocks blocks;

  side_load (x, n_blocks, N, blocks.x);
  side_load (w, n_blocks, N, blocks.w);
  side_range (blocks.x, N, minimum, maximum);
  TARE_SIDE_LOOP (k)
    {
      blocks.extreme[k] = -minimum[k] > maximum[k] ? minimum[k] : maximum[k];
      best.scale[k] = scale[k];
    }
  side_measure_symmetric (blocks.x, blocks.w, N, TRUE, best.scale, 0.0f, 0.0f, best.loss);

  try_reaches (&blocks, &found);
  for (int c = -1; c <= 1; c++)
    {
      TARE_SIDE_LOOP (k)
        {
          float step = fabsf (found.scale[k]) * LOCAL_STEP;

          step = step > TARE_HALF_MIN ? step : TARE_HALF_MIN;
          next.scale[k] = found.scale[k] + step * (float) c;
        }
      judge_scales (&blocks, &next, &best);
    }

  next = best;
  move_scales (&blocks, &next);
  judge_scales (&blocks, &next, &best);

  TARE_SIDE_LOOP (k)
    {
      float largest = fabsf (blocks.extreme[k]);
      gboolean held = largest >= TARE_SEARCH_SMALLEST && largest <= TARE_SEARCH_LARGEST;

      scale[k] = held ? best.scale[k] : scale[k];
    }
}

/* codes: (out): [16] */
TARE_CLONES static void
encode_codes (const float *x,
              float        scale,
              guint8      *codes)
{
  float inverse = invert (scale);
  guint8 code[N];

  #pragma omp simd
  for (gsize j = 0; j < N; j++)
    code[j] = (guint8) find_code (x[j] * inverse);

  #pragma omp simd
  for (gsize j = 0; j < N / 2; j++)
    codes[j] = (guint8) (code[j] | code[j + N / 2] << 4);
}

static void
encode_iq4_nl (const TareFormat *self,
               gboolean          search,
               const float      *x,
               const float      *weights,
               gsize             columns,
               guint8           *codes)
{
  for (gsize i = 0; i < columns; i += LANES * N)
    {
      gsize n_blocks = MIN (LANES, (columns - i) / N);
      float scale[LANES] = { 0.0f };

      for (gsize b = 0; b < n_blocks; b++)
        scale[b] = span_block (find_extreme (x + i + b * N));
      if (search)
        search_blocks (x + i, weights + i, n_blocks, scale);

      for (gsize b = 0; b < n_blocks; b++)
        {
          store_half (codes, scale[b]);
          encode_codes (x + i + b * N, scale[b], codes + 2);
          codes += self->klass->block_bytes;
        }
    }
}

static const TareSuperShape shape = {
  .n_groups = N_GROUPS,
  .group = N,
  .lowest = -127.0f,
  .highest = 113.0f,
  .min_scale = -32.0f,
  .max_scale = 31.0f,
  .uneven = TRUE,
};

static void
pack_iq4_xs (const TareSuper *super,
             const float     *q,
             guint8          *codes)
{
  guint high = 0;

  store_half (codes, super->d);
  memset (codes + LOW_AT, 0, N_GROUPS / 2);

  for (gsize b = 0; b < N_GROUPS; b++)
    {
      guint scale = (guint) (super->scale[b] - shape.min_scale);

      codes[LOW_AT + b / 2] |= (guint8) ((scale & 15) << (b % 2 * 4));
      high |= scale >> 4 << 2 * b;
      encode_codes (q + b * N, 1.0f, codes + CODES_AT + b * (N / 2));
    }

  codes[HIGH_AT] = high & 0xff;
  codes[HIGH_AT + 1] = (guint8) (high >> 8);
}

static void
encode_iq4_xs (const TareFormat *self,
               gboolean          search,
               const float      *x,
               const float      *weights,
               gsize             columns,
               guint8           *codes)
{
  for (gsize i = 0; i < columns; i += 2 * SUPER)
    {
      gsize n_supers = MIN (2, (columns - i) / SUPER);
      float q[2 * SUPER];
      TareSuper super[2];

      _tare_super_symmetric (&shape, search, x + i, weights + i, n_supers, super, q);
      for (gsize k = 0; k < n_supers; k++)
        {
          pack_iq4_xs (&super[k], q + k * SUPER, codes);
          codes += self->klass->block_bytes;
        }
    }
}

/* Returns: the exponent that the specification of microscaling formats gives a block */
static guint
span_exponent (float largest)
{
  int exponent;

  if (largest == 0.0f)
    return 0;

  frexpf (largest, &exponent);

  return (guint) CLAMP (exponent - 1 - FP4_EXPONENT + 128, 0, 254);
}

/* Codes of magnitudes and signs; a zero is positive. */
TARE_INLINE guint
find_fp4 (float value)
{
  float magnitude = fabsf (value);
  guint code = 0;

  #pragma GCC unroll 8
  for (gsize i = 1; i < N_MAGNITUDES; i++)
    code += magnitude > middles_fp4[i];

  return code | (value < 0.0f && code > 0 ? 8 : 0);
}

/* The error in units of the exponent. */
TARE_CLONES static double
measure_fp4 (const float *x,
             const float *w,
             float        scale)
{
  float squares[N];
  double error = 0.0;

  #pragma omp simd
  for (gsize j = 0; j < N; j++)
    {
      float value = fabsf (x[j] / scale), level = 0.0f;

      #pragma GCC unroll 8
      for (gsize i = 1; i < N_MAGNITUDES; i++)
        level += value > middles_fp4[i] ? (float) (bytes_fp4[i] - bytes_fp4[i - 1]) : 0.0f;

      squares[j] = w[j] * (value - level) * (value - level);
    }

  for (gsize j = 0; j < N; j++)
    error += (double) squares[j];

  return error;
}

static guint
search_exponent (const float *x,
                 const float *w,
                 guint        plain)
{
  guint best = plain;
  double least = measure_fp4 (x, w, expand_exponent (plain));

  for (int c = 0; c < N_EXPONENTS; c++)
    {
      int e = (int) plain - BELOW + c;
      double error;

      if (e < 0 || e > 252 || e == (int) plain)
        continue;

      error = ldexp (measure_fp4 (x, w, expand_exponent ((guint) e)), 2 * (e - (int) plain));
      if (error < least)
        {
          least = error;
          best = (guint) e;
        }
    }

  return best;
}

static void
encode_mxfp4 (const TareFormat *self,
              gboolean          search,
              const float      *x,
              const float      *weights,
              gsize             columns,
              guint8           *codes)
{
  for (gsize i = 0; i < columns; i += N)
    {
      guint e = span_exponent (fabsf (find_extreme (x + i)));
      float scale;

      if (search)
        e = search_exponent (x + i, weights + i, e);

      scale = expand_exponent (e);
      codes[0] = (guint8) e;
      for (gsize j = 0; j < N / 2; j++)
        codes[1 + j] = (guint8) (find_fp4 (x[i + j] / scale) |
                                 find_fp4 (x[i + j + N / 2] / scale) << 4);
      codes += self->klass->block_bytes;
    }
}

static gsize
get_mxfp4_levels (const TareFormat *self,
                  float             minimum,
                  float             maximum,
                  float            *levels)
{
  float largest = MAX (-minimum, maximum);

  for (gsize code = 0; code < N_LEVELS; code++)
    levels[code] = largest > 0.0f ? expand_exponent (span_exponent (largest)) *
                                    (float) bytes_fp4[code] : 0.0f;

  return N_LEVELS;
}

static gsize
get_iq4_nl_levels (const TareFormat *self,
                   float             minimum,
                   float             maximum,
                   float            *levels)
{
  float scale = span_block (-minimum > maximum ? minimum : maximum);

  for (gsize code = 0; code < N_LEVELS; code++)
    levels[code] = scale * tare_levels_nl[code];

  return N_LEVELS;
}

static gsize
get_iq4_xs_levels (const TareFormat *self,
                   float             minimum,
                   float             maximum,
                   float            *levels)
{
  float extreme = -minimum > maximum ? minimum : maximum;
  float d = round_scale (extreme / tare_levels_nl[0] / shape.min_scale);

  for (gsize code = 0; code < N_LEVELS; code++)
    levels[code] = (d * shape.min_scale) * tare_levels_nl[code];

  return N_LEVELS;
}

const TareFormatClass _tare_format_iq4_nl_class = {
  .block_bytes = 18,
  .encode_row = encode_iq4_nl,
  .decode_row = decode_iq4_nl,
  .get_levels = get_iq4_nl_levels,
};

const TareFormatClass _tare_format_mxfp4_class = {
  .block_bytes = 17,
  .take_apart = _tare_mxfp4_take_apart,
  .put_together = _tare_mxfp4_put_together,
  .encode_row = encode_mxfp4,
  .decode_row = decode_mxfp4,
  .get_levels = get_mxfp4_levels,
};

const TareFormatClass _tare_format_iq4_xs_class = {
  .block_bytes = 136,
  .encode_row = encode_iq4_xs,
  .decode_row = decode_iq4_xs,
  .get_levels = get_iq4_xs_levels,
};
