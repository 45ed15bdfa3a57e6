/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-search-private.h"

/* ggml's super-blocks of 256 weights, whose groups have quantized scales.
 *
 *   q4_k: d f16, dmin f16, scales[12], codes[128]            x = d s q - dmin m
 *   q5_k: d f16, dmin f16, scales[12], high[32], codes[128]
 *   q6_k: low[128], high[64], scales i8[16], d f16           x = d s (q - 32)
 *
 * In q4_k and q5_k, 8 groups of 32 have a 6-bit scale s and minimum m each; in q6_k, 16 groups of
 * 16 an 8-bit scale. */

#define SUPER 256
#define N_GROUPS 8
#define GROUP 32
#define MAX_SCALE 63.0f

#define N_GROUPS_6 16
#define GROUP_6 16
#define LOWEST_6 -32.0f
#define HIGHEST_6 31.0f

/* Where the parts of a block begin. */
#define SCALES_AT 4
#define HIGH_AT 16
#define HIGH_6_AT 128
#define SCALES_6_AT 192
#define D_6_AT 208

/* Rounds of least squares for the scales of a super-block; later ones change next to nothing. */
#define N_ROUNDS 4

typedef struct
{
  float scale[N_GROUPS];
  float minimum[N_GROUPS];
  float d;
  float dmin;
} Super;

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
pack_scales (const Super *super,
             guint8      *bytes)
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
  for (int j = 0; j < GROUP_6; j++)
    {
      int code = ((nibbles[j] >> low_shift) & 15) | ((pairs[j] >> high_shift) & 3) << 4;

      y[j] = first * (float) (code - 32);
    }

  #pragma omp simd
  for (int j = GROUP_6; j < GROUP; j++)
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

/* What the super-block's scales say of one group. */
TARE_INLINE float
group_scale (const Super *super,
             gsize        b)
{
  return super->d * super->scale[b];
}

TARE_INLINE float
group_offset (const Super *super,
              gsize        b)
{
  return -(super->dmin * super->minimum[b]);
}

/* From end to end, where the grid must hold zero or lie below it. */
static void
span_group (float  minimum,
            float  maximum,
            float  highest,
            float *scale,
            float *offset)
{
  *offset = MIN (minimum, 0.0f);
  *scale = MAX (maximum, *offset) / highest - *offset / highest;
}

/* Rounds the scales and minimums of the groups to multiples of the super-block's.
 * scale, offset: [8] */
TARE_INLINE void
round_groups (Super       *super,
              const float *scale,
              const float *offset)
{
  float inverse = invert (super->d);
  float inverse_min = invert (super->dmin);

  for (gsize b = 0; b < N_GROUPS; b++)
    {
      super->scale[b] = rintf (MIN (scale[b] * inverse, MAX_SCALE));
      super->minimum[b] = rintf (MIN (-offset[b] * inverse_min, MAX_SCALE));
    }
}

TARE_CLONES static void
choose_super (Super       *super,
              const float *scale,
              const float *offset)
{
  float largest = 0.0f, lowest = 0.0f;

  for (gsize b = 0; b < N_GROUPS; b++)
    {
      largest = MAX (largest, scale[b]);
      lowest = MIN (lowest, offset[b]);
    }

  super->d = round_scale (largest / MAX_SCALE);
  super->dmin = round_scale (-lowest / MAX_SCALE);
  round_groups (super, scale, offset);
}

/* Tries the neighbours of each group's scale and minimum. x, w: [256]
 *
 * Returns: the error of the super-block */
TARE_CLONES static double
refine_groups (Super       *super,
               const float *x,
               const float *w,
               float        highest,
               const float *scale,
               const float *offset)
{
  double total = 0.0;

  for (gsize b = 0; b < N_GROUPS; b++)
    {
      float s[TARE_SEARCH_LANES], m[TARE_SEARCH_LANES], error[TARE_SEARCH_LANES];
      float scales[TARE_SEARCH_LANES], offsets[TARE_SEARCH_LANES];
      float s0 = floorf (MIN (scale[b] * invert (super->d), MAX_SCALE)) - 1.0f;
      float m0 = floorf (MIN (-offset[b] * invert (super->dmin), MAX_SCALE)) - 1.0f;
      gsize best;

      for (gsize c = 0; c < TARE_SEARCH_LANES; c++)
        {
          s[c] = CLAMP (s0 + (float) (c / 4), 0.0f, MAX_SCALE);
          m[c] = CLAMP (m0 + (float) (c % 4), 0.0f, MAX_SCALE);
          scales[c] = super->d * s[c];
          offsets[c] = -(super->dmin * m[c]);
        }

      _tare_search_error_affine (x + b * GROUP, w + b * GROUP, GROUP, TARE_SEARCH_LANES, scales,
                                 offsets, highest, error);
      best = _tare_search_find_least (error, TARE_SEARCH_LANES);

      super->scale[b] = s[best];
      super->minimum[b] = m[best];
      total += (double) error[best];
    }

  return total;
}

/* Least squares for d and dmin with all codes as they are: with u = s q and v = m, the weights are
 * x ~ d u - dmin v. */
static void
refit_super (Super       *super,
             const float *x,
             const float *w,
             float        highest)
{
  double uu = 0.0, uv = 0.0, vv = 0.0, xu = 0.0, xv = 0.0, determinant;

  for (gsize b = 0; b < N_GROUPS; b++)
    {
      double s = (double) super->scale[b], m = (double) super->minimum[b];
      TareSearchSums sums;
      float q[GROUP];

      _tare_search_encode (x + b * GROUP, GROUP, group_scale (super, b), group_offset (super, b),
                           0.0f, highest, q);
      sums = _tare_search_sum (x + b * GROUP, w + b * GROUP, q, GROUP);

      uu += s * s * sums.qq;
      uv += s * m * sums.q;
      vv += m * m * sums.w;
      xu += s * sums.xq;
      xv += m * sums.x;
    }

  determinant = uu * vv - uv * uv;
  if (determinant > 1e-9 * uu * vv)
    {
      super->d = round_scale ((float) ((xu * vv - xv * uv) / determinant));
      super->dmin = round_scale ((float) ((xu * uv - xv * uu) / determinant));
    }
  else if (uu > 0.0)
    {
      super->d = round_scale ((float) (xu / uu));
    }
}

static void
search_super (Super       *super,
              const float *x,
              const float *w,
              float        highest,
              float       *scale,
              float       *offset)
{
  Super best;
  double least;

  for (gsize b = 0; b < N_GROUPS; b++)
    _tare_search_affine (x + b * GROUP, w + b * GROUP, GROUP, highest, FALSE, &scale[b],
                         &offset[b]);

  least = refine_groups (super, x, w, highest, scale, offset);
  best = *super;
  choose_super (super, scale, offset);

  for (gsize i = 0; i <= N_ROUNDS; i++)
    {
      double error = refine_groups (super, x, w, highest, scale, offset);

      if (error < least)
        {
          least = error;
          best = *super;
        }
      else if (i > 0)
        {
          break;
        }

      refit_super (super, x, w, highest);
    }

  *super = best;
}

/* q: [256] codes */
static void
pack_affine (const Super *super,
             const float *q,
             gboolean     five,
             guint8      *codes)
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

static void
encode_affine (const TareFormat *self,
               gboolean          search,
               const float      *x,
               const float      *weights,
               gsize             columns,
               guint8           *codes)
{
  float highest = self->bits == 5 ? 31.0f : 15.0f;

  for (gsize i = 0; i < columns; i += SUPER)
    {
      float scale[N_GROUPS], offset[N_GROUPS], q[SUPER];
      Super super;

      for (gsize b = 0; b < N_GROUPS; b++)
        {
          float minimum, maximum;

          _tare_search_range (x + i + b * GROUP, GROUP, &minimum, &maximum);
          span_group (minimum, maximum, highest, &scale[b], &offset[b]);
        }

      choose_super (&super, scale, offset);
      if (search)
        search_super (&super, x + i, weights + i, highest, scale, offset);

      for (gsize b = 0; b < N_GROUPS; b++)
        _tare_search_encode (x + i + b * GROUP, GROUP, group_scale (&super, b),
                             group_offset (&super, b), 0.0f, highest, q + b * GROUP);

      pack_affine (&super, q, self->bits == 5, codes);
      codes += self->klass->block_bytes;
    }
}

/* The groups of a q6_k super-block: scale[b] is what they want, code[b] what d leaves of it. */
typedef struct
{
  float d;
  float code[N_GROUPS_6];
} Super6;

static void
choose_super_6 (Super6      *super,
                const float *scale)
{
  float extreme = 0.0f;

  for (gsize b = 0; b < N_GROUPS_6; b++)
    if (fabsf (scale[b]) > fabsf (extreme))
      extreme = scale[b];

  super->d = round_scale (extreme / -128.0f);
  for (gsize b = 0; b < N_GROUPS_6; b++)
    super->code[b] = rintf (CLAMP (scale[b] * invert (super->d), -128.0f, 127.0f));
}

/* Returns: the error with the best scales near those that the groups want */
TARE_CLONES static double
refine_groups_6 (Super6      *super,
                 const float *x,
                 const float *w,
                 const float *scale)
{
  double total = 0.0;

  for (gsize b = 0; b < N_GROUPS_6; b++)
    {
      float code[TARE_SEARCH_LANES], scales[TARE_SEARCH_LANES], error[TARE_SEARCH_LANES];
      float lowest[TARE_SEARCH_LANES], highest[TARE_SEARCH_LANES];
      float near = rintf (CLAMP (scale[b] * invert (super->d), -128.0f, 127.0f));
      gsize best;

      for (gsize c = 0; c < TARE_SEARCH_LANES; c++)
        {
          code[c] = CLAMP (near + (float) c - 8.0f, -128.0f, 127.0f);
          scales[c] = super->d * code[c];
          lowest[c] = LOWEST_6;
          highest[c] = HIGHEST_6;
        }

      _tare_search_error_symmetric (x + b * GROUP_6, w + b * GROUP_6, GROUP_6, TARE_SEARCH_LANES,
                                    scales, lowest, highest, error);
      best = _tare_search_find_least (error, TARE_SEARCH_LANES);

      super->code[b] = code[best];
      total += (double) error[best];
    }

  return total;
}

static void
refit_super_6 (Super6      *super,
               const float *x,
               const float *w)
{
  double uu = 0.0, xu = 0.0;

  for (gsize b = 0; b < N_GROUPS_6; b++)
    {
      double s = (double) super->code[b];
      TareSearchSums sums;
      float q[GROUP_6];

      _tare_search_encode (x + b * GROUP_6, GROUP_6, super->d * super->code[b], 0.0f, LOWEST_6,
                           HIGHEST_6, q);
      sums = _tare_search_sum (x + b * GROUP_6, w + b * GROUP_6, q, GROUP_6);
      uu += s * s * sums.qq;
      xu += s * sums.xq;
    }

  if (uu > 0.0)
    super->d = round_scale ((float) (xu / uu));
}

static void
search_super_6 (Super6      *super,
                const float *x,
                const float *w,
                float       *scale)
{
  Super6 best;
  double least;

  least = refine_groups_6 (super, x, w, scale);
  best = *super;

  for (gsize b = 0; b < N_GROUPS_6; b++)
    scale[b] = _tare_search_symmetric (x + b * GROUP_6, w + b * GROUP_6, GROUP_6, LOWEST_6,
                                       HIGHEST_6, scale[b], FALSE);
  choose_super_6 (super, scale);

  for (gsize i = 0; i <= N_ROUNDS; i++)
    {
      double error = refine_groups_6 (super, x, w, scale);

      if (error < least)
        {
          least = error;
          best = *super;
        }
      else if (i > 0)
        {
          break;
        }

      refit_super_6 (super, x, w);
    }

  *super = best;
}

/* q: [256] codes from 0 */
static void
pack_q6_k (const Super6 *super,
           const float  *q,
           guint8       *codes)
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

  for (gsize b = 0; b < N_GROUPS_6; b++)
    codes[SCALES_6_AT + b] = (guint8) (gint8) super->code[b];

  store_half (codes + D_6_AT, super->d);
}

static float
span_group_6 (float minimum,
              float maximum)
{
  return (-minimum > maximum ? minimum : maximum) / LOWEST_6;
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
      float scale[N_GROUPS_6], q[SUPER];
      Super6 super;

      for (gsize b = 0; b < N_GROUPS_6; b++)
        {
          float minimum, maximum;

          _tare_search_range (x + i + b * GROUP_6, GROUP_6, &minimum, &maximum);
          scale[b] = span_group_6 (minimum, maximum);
        }

      choose_super_6 (&super, scale);
      if (search)
        search_super_6 (&super, x + i, weights + i, scale);

      for (gsize b = 0; b < N_GROUPS_6; b++)
        _tare_search_encode (x + i + b * GROUP_6, GROUP_6, super.d * super.code[b], 0.0f, LOWEST_6,
                             HIGHEST_6, q + b * GROUP_6);
      for (gsize j = 0; j < SUPER; j++)
        q[j] -= LOWEST_6;

      pack_q6_k (&super, q, codes);
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
  gsize n = (gsize) 1 << self->bits;
  float scale, offset, d, dmin;

  span_group (minimum, maximum, (float) (n - 1), &scale, &offset);
  d = round_scale (scale / MAX_SCALE);
  dmin = round_scale (-offset / MAX_SCALE);

  for (gsize code = 0; code < n; code++)
    levels[code] = (d * MAX_SCALE) * (float) code - dmin * MAX_SCALE;

  return n;
}

static gsize
get_q6_k_levels (const TareFormat *self,
                 float             minimum,
                 float             maximum,
                 float            *levels)
{
  float d = round_scale (span_group_6 (minimum, maximum) / -128.0f);

  for (int code = 0; code < 64; code++)
    levels[code] = (d * -128.0f) * ((float) code + LOWEST_6);

  return 64;
}

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
  .get_levels = get_q6_k_levels,
};
