/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-search-private.h"
#include "quant/formats/tare-side-grid-private.h"

/* ggml's blocks of 32 weights.
 *
 *   q4_0: scale f16, codes[16]           x = d (q - 8)
 *   q4_1: scale f16, minimum f16, codes  x = d q + m
 *   q5_0: scale f16, high u32, codes     x = d (q - 16)
 *   q5_1: scale f16, minimum f16, high u32, codes
 *   q8_0: scale f16, codes i8[32]        x = d q
 *
 * A byte of codes holds the low four bits of weights j and j + 16; bit j of the high word is the
 * fifth of weight j. */

#define N 32

/* Codes of q8_0 leave out -128, whose magnitude no byte can hold: kernels that split codes into
 * sign and magnitude stumble over it. */
#define Q8_HIGHEST 127.0f

/* How many scales and offsets are tried around the best, and how far apart: shares of the scale for
 * the highest code, and of a step. */
#define N_LOCAL 4
#define SCALE_STEP 0.1f
#define OFFSET_STEP 0.08f

/* Rounds of least squares and rounding anew; later ones change next to nothing. */
#define N_REFITS 2

TARE_INLINE gsize
header_bytes (gboolean asymmetric,
              gboolean high)
{
  return 2 + (asymmetric ? 2 : 0) + (high ? 4 : 0);
}

TARE_INLINE guint32
load_high (const guint8 *bytes)
{
  return (guint32) bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16 |
         (guint32) bytes[3] << 24;
}

/* y: [columns]; with constant arguments this becomes one kernel for each format. */
TARE_INLINE void
decode_nibbles (const guint8 *restrict codes,
                gsize                  columns,
                gboolean               asymmetric,
                gboolean               five,
                float        *restrict y)
{
  gsize header = header_bytes (asymmetric, five);
  int center = asymmetric ? 0 : five ? 16 : 8;

  for (gsize i = 0; i < columns / N; i++)
    {
      const guint8 *q = codes + header;
      float scale = load_half (codes);
      float minimum = asymmetric ? load_half (codes + 2) : 0.0f;
      guint32 high = five ? load_high (codes + header - 4) : 0;

      #pragma omp simd
      for (int j = 0; j < N / 2; j++)
        {
          int code = (q[j] & 15) | (five ? (int) ((high >> j) & 1) << 4 : 0);
          float product = (float) (code - center) * scale;

          y[j] = asymmetric ? product + minimum : product;
        }

      #pragma omp simd
      for (int j = 0; j < N / 2; j++)
        {
          int code = (q[j] >> 4) | (five ? (int) ((high >> (j + 16)) & 1) << 4 : 0);
          float product = (float) (code - center) * scale;

          y[j + N / 2] = asymmetric ? product + minimum : product;
        }

      codes += header + N / 2;
      y += N;
    }
}

TARE_CLONES static void
decode_q4_0 (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  decode_nibbles (codes, columns, FALSE, FALSE, y);
}

TARE_CLONES static void
decode_q4_1 (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  decode_nibbles (codes, columns, TRUE, FALSE, y);
}

TARE_CLONES static void
decode_q5_0 (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  decode_nibbles (codes, columns, FALSE, TRUE, y);
}

TARE_CLONES static void
decode_q5_1 (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  decode_nibbles (codes, columns, TRUE, TRUE, y);
}

TARE_CLONES static void
decode_q8_0 (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             float            *y)
{
  const guint8 *restrict in = codes;
  float *restrict out = y;

  for (gsize i = 0; i < columns / N; i++)
    {
      float scale = load_half (in);

      #pragma omp simd
      for (int j = 0; j < N; j++)
        out[j] = (float) (gint8) in[2 + j] * scale;

      in += 2 + N;
      out += N;
    }
}

/* q: [32] codes from 0 */
static void
pack_nibbles (const float *q,
              float        scale,
              float        minimum,
              gboolean     asymmetric,
              gboolean     five,
              guint8      *codes)
{
  gsize header = header_bytes (asymmetric, five);
  guint32 high = 0;

  store_half (codes, scale);
  if (asymmetric)
    store_half (codes + 2, minimum);

  for (gsize j = 0; j < N / 2; j++)
    {
      guint low_code = (guint) q[j];
      guint high_code = (guint) q[j + N / 2];

      codes[header + j] = (guint8) ((low_code & 15) | (high_code & 15) << 4);
      high |= (guint32) (low_code >> 4) << j | (guint32) (high_code >> 4) << (j + N / 2);
    }

  for (gsize k = 0; five && k < 4; k++)
    codes[header - 4 + k] = (guint8) (high >> 8 * k);
}

/* The scale that puts the weight of largest magnitude on the lowest code. */
static float
span_symmetric (float minimum,
                float maximum,
                float lowest)
{
  return round_scale ((-minimum > maximum ? minimum : maximum) / lowest);
}

static void
span_affine (float  minimum,
             float  maximum,
             float  highest,
             float *scale,
             float *offset)
{
  *scale = round_scale (maximum / highest - minimum / highest);
  *offset = round_offset (minimum);
}

/* What the search weighs a block's errors by: their weights times the fourth root of the weights'
 * own energy, (mean x² + x²)^(1/4), halfway between all alike and ggml's square root. Large weights
 * carry more of a layer's output; on the sample model the divergence is that of plain least
 * squares, and the perplexity nearer to the full-precision one. */
static void
emphasise (const float *x,
           float        largest,
           const float *weights,
           float       *emphasised)
{
  float energy = 0.0f;

  /* In units of the largest, so that no square overflows or vanishes. */
  for (gsize j = 0; j < N; j++)
    {
      emphasised[j] = largest > 0.0f ? x[j] / largest : 0.0f;
      energy += emphasised[j] * emphasised[j];
    }
  energy = energy > 0.0f ? energy / (float) N : 1.0f;

  for (gsize j = 0; j < N; j++)
    emphasised[j] = weights[j] * sqrtf (sqrtf (energy + emphasised[j] * emphasised[j]));
}

static void
encode_symmetric (const TareFormat *self,
                  gboolean          search,
                  const float      *x,
                  const float      *weights,
                  gsize             columns,
                  guint8           *codes)
{
  float half = self->bits == 5 ? 16.0f : 8.0f;

  for (gsize i = 0; i < columns; i += N)
    {
      float minimum, maximum, scale, q[N], emphasised[N];

      _tare_search_range (x + i, N, &minimum, &maximum);
      scale = span_symmetric (minimum, maximum, -half);
      if (search)
        {
          emphasise (x + i, MAX (-minimum, maximum), weights + i, emphasised);
          scale = _tare_search_symmetric (x + i, emphasised, N, -half, half - 1.0f, scale);
        }

      _tare_search_encode (x + i, N, scale, 0.0f, -half, half - 1.0f, q);
      for (gsize j = 0; j < N; j++)
        q[j] += half;

      pack_nibbles (q, scale, 0.0f, FALSE, self->bits == 5, codes);
      codes += self->klass->block_bytes;
    }
}

/* Keeps grids, as they are stored, where their true error is less. */
TARE_INLINE void
judge_grids (const Groups *groups,
             float         lowest,
             float         highest,
             Grids        *grids,
             Grids        *best)
{
  TARE_SIDE_LOOP (k)
    {
      grids->scale[k] = round_scale (grids->scale[k]);
      grids->offset[k] = round_offset (grids->offset[k]);
    }
  side_measure_affine (groups->x, groups->w, N, grids->scale, grids->offset, lowest, highest,
                       grids->loss);
  keep_better (best, grids);
}

/* Searches the grids of up to sixteen blocks side by side: the most promising ones, those around
 * and what least squares then make of the best. The lowest code is 0, see side_sum_affine().
 *
 * grids: (inout): from end to end, and then better ones if there are any */
TARE_CLONES static void
search_blocks (const float *x,
               const float *w,
               gsize        n_blocks,
               float        lowest,
               float        highest,
               Grids       *grids)
{
  float infinite[LANES];
  Groups groups;
  Grids best = *grids, found = best, next;
  TareSideSums sums;

  load_groups (x, w, n_blocks, N, &groups);
  judge_grids (&groups, lowest, highest, &best, &best);
  search_grids (&groups, N, lowest, highest, FALSE, &found);

  for (int c = 0; c < N_LOCAL * N_LOCAL; c++)
    {
      TARE_SIDE_LOOP (k)
        {
          float s = (float) (c % N_LOCAL) - 0.5f * (N_LOCAL - 1);
          float m = (float) (c / N_LOCAL) - 0.5f * (N_LOCAL - 1);

          next.scale[k] = found.scale[k] * (1.0f + s * (SCALE_STEP / highest));
          next.offset[k] = found.offset[k] + found.scale[k] * (m * OFFSET_STEP);
        }
      judge_grids (&groups, lowest, highest, &next, &best);
    }

  TARE_SIDE_LOOP (k)
    infinite[k] = INFINITY;
  side_sum_weights (groups.x, groups.w, N, &sums);
  for (int i = 0; i < N_REFITS; i++)
    {
      next = best;
      move_grids (groups.x, &groups, N, infinite, lowest, highest, &sums, &next);
      judge_grids (&groups, lowest, highest, &next, &best);
    }

  keep_ends (&groups, grids, &best);
  *grids = best;
}

static void
encode_asymmetric (const TareFormat *self,
                   gboolean          search,
                   const float      *x,
                   const float      *weights,
                   gsize             columns,
                   guint8           *codes)
{
  float highest = self->bits == 5 ? 31.0f : 15.0f;

  for (gsize i = 0; i < columns; i += LANES * N)
    {
      gsize n_blocks = MIN (LANES, (columns - i) / N);
      Grids grids = { .scale = { 0.0f } };

      for (gsize b = 0; b < n_blocks; b++)
        {
          float minimum, maximum;

          _tare_search_range (x + i + b * N, N, &minimum, &maximum);
          span_affine (minimum, maximum, highest, &grids.scale[b], &grids.offset[b]);
        }
      if (search)
        search_blocks (x + i, weights + i, n_blocks, 0.0f, highest, &grids);

      for (gsize b = 0; b < n_blocks; b++)
        {
          float q[N];

          _tare_search_encode (x + i + b * N, N, grids.scale[b], grids.offset[b], 0.0f, highest,
                               q);
          pack_nibbles (q, grids.scale[b], grids.offset[b], TRUE, self->bits == 5, codes);
          codes += self->klass->block_bytes;
        }
    }
}

static void
encode_q8_0 (const TareFormat *self,
             gboolean          search,
             const float      *x,
             const float      *weights,
             gsize             columns,
             guint8           *codes)
{
  for (gsize i = 0; i < columns; i += N)
    {
      float minimum, maximum, scale, q[N];

      _tare_search_range (x + i, N, &minimum, &maximum);
      scale = round_scale (MAX (-minimum, maximum) / Q8_HIGHEST);
      if (search)
        scale = _tare_search_symmetric (x + i, weights + i, N, -Q8_HIGHEST, Q8_HIGHEST, scale);

      _tare_search_encode (x + i, N, scale, 0.0f, -Q8_HIGHEST, Q8_HIGHEST, q);
      store_half (codes, scale);
      for (gsize j = 0; j < N; j++)
        codes[2 + j] = (guint8) (gint8) q[j];

      codes += self->klass->block_bytes;
    }
}

static gsize
get_symmetric_levels (const TareFormat *self,
                      float             minimum,
                      float             maximum,
                      float            *levels)
{
  int half = 1 << (self->bits - 1);
  float scale = span_symmetric (minimum, maximum, (float) -half);

  for (int code = -half; code < half; code++)
    levels[code + half] = (float) code * scale;

  return 2 * (gsize) half;
}

static gsize
get_asymmetric_levels (const TareFormat *self,
                       float             minimum,
                       float             maximum,
                       float            *levels)
{
  gsize n = (gsize) 1 << self->bits;
  float scale, offset;

  span_affine (minimum, maximum, (float) (n - 1), &scale, &offset);
  for (gsize code = 0; code < n; code++)
    levels[code] = (float) code * scale + offset;

  return n;
}

static gsize
get_q8_0_levels (const TareFormat *self,
                 float             minimum,
                 float             maximum,
                 float            *levels)
{
  float scale = round_scale (MAX (-minimum, maximum) / Q8_HIGHEST);
  gsize n = 0;

  for (int code = -127; code <= 127; code++)
    levels[n++] = (float) code * scale;

  return n;
}

const TareFormatClass _tare_format_q4_0_class = {
  .block_bytes = 18,
  .encode_row = encode_symmetric,
  .decode_row = decode_q4_0,
  .get_levels = get_symmetric_levels,
};

const TareFormatClass _tare_format_q4_1_class = {
  .block_bytes = 20,
  .encode_row = encode_asymmetric,
  .decode_row = decode_q4_1,
  .get_levels = get_asymmetric_levels,
};

const TareFormatClass _tare_format_q5_0_class = {
  .block_bytes = 22,
  .encode_row = encode_symmetric,
  .decode_row = decode_q5_0,
  .get_levels = get_symmetric_levels,
};

const TareFormatClass _tare_format_q5_1_class = {
  .block_bytes = 24,
  .encode_row = encode_asymmetric,
  .decode_row = decode_q5_1,
  .get_levels = get_asymmetric_levels,
};

const TareFormatClass _tare_format_q8_0_class = {
  .block_bytes = 34,
  .encode_row = encode_q8_0,
  .decode_row = decode_q8_0,
  .get_levels = get_q8_0_levels,
};
