/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>

#include "quant/formats/tare-search-private.h"

/* Fixed codebooks: levels from -1 to 1 that a group's largest magnitude stretches.
 *
 * NF4 and NF3 put levels at quantiles of a normal distribution (Dettmers et al., QLoRA, 2023): with
 * o = 0.9677083, 2^(k-1) probabilities from 1 - o to 0.5 and 2^(k-1) + 1 from 0.5 to o, equally
 * spaced, and 0.5 once, the levels are probit (p) / probit (o).
 *
 * The FP4 of bitsandbytes is not E2M1: its magnitudes are 0, 1/16, 8, 12, 4, 6, 2 and 3 twelfths in
 * the order of their codes, and bit 3 is the sign. */

#define LANES TARE_SEARCH_LANES
#define MOST 16

typedef struct _TareCodebook TareCodebook;

/**
 * TareCodebook:
 * @n: how many levels there are
 * @levels: by code
 * @order: the codes by ascending level
 */
struct _TareCodebook
{
  guint  n;
  float  levels[MOST];
  guint8 order[MOST];
};

static const TareCodebook nf4 = {
  16,
  { -1.0f, -0.6961928010f, -0.5250730515f, -0.3949174881f, -0.2844413519f, -0.1847734302f,
    -0.0910500363f, 0.0f, 0.0795802996f, 0.1609302014f, 0.2461123019f, 0.3379152417f,
    0.4407098293f, 0.5626170039f, 0.7229568362f, 1.0f },
  { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
};

static const TareCodebook nf3 = {
  8,
  { -1.0f, -0.4786292f, -0.2171418f, 0.0f, 0.1609302f, 0.3379152f, 0.5626170f, 1.0f },
  { 0, 1, 2, 3, 4, 5, 6, 7 },
};

/* Code 8, the second zero, is read but not written. */
static const TareCodebook bnb_fp4 = {
  15,
  { 0.0f, 0.0625f / 12.0f, 8.0f / 12.0f, 1.0f, 4.0f / 12.0f, 6.0f / 12.0f, 2.0f / 12.0f,
    3.0f / 12.0f, -0.0f, -0.0625f / 12.0f, -8.0f / 12.0f, -1.0f, -4.0f / 12.0f, -6.0f / 12.0f,
    -2.0f / 12.0f, -3.0f / 12.0f },
  { 11, 10, 13, 12, 15, 14, 9, 0, 1, 6, 7, 4, 5, 2, 3 },
};

/* Levels in order; and where, between two of them, the upper begins. */
typedef struct
{
  float levels[MOST];
  float thresholds[MOST - 1];
} Steps;

TARE_INLINE Steps
list_steps (const TareCodebook *codebook)
{
  Steps steps;

  for (guint k = 0; k < MOST; k++)
    steps.levels[k] = codebook->levels[codebook->order[MIN (k, codebook->n - 1)]];
  for (guint k = 0; k + 1 < MOST; k++)
    steps.thresholds[k] = k + 1 < codebook->n
                          ? 0.5f * (steps.levels[k] + steps.levels[k + 1]) : INFINITY;

  return steps;
}

TARE_CLONES static void
encode (const TareGrid *self,
        const float    *x,
        gsize           n,
        float           scale,
        guint8         *codes)
{
  const TareCodebook *codebook = self->codebook;
  Steps steps = list_steps (codebook);
  float divisor = scale != 0.0f ? scale : 1.0f;
  const float *restrict in = x;
  gint32 above[TARE_SEARCH_PIECE];

  for (gsize begin = 0; begin < n; begin += TARE_SEARCH_PIECE)
    {
      gsize length = MIN (TARE_SEARCH_PIECE, n - begin);

      #pragma omp simd
      for (gsize j = 0; j < length; j++)
        {
          float quotient = in[begin + j] / divisor;
          gint32 count = 0;

          for (guint k = 0; k + 1 < MOST; k++)
            count += quotient > steps.thresholds[k] ? 1 : 0;
          above[j] = count;
        }

      for (gsize j = 0; j < length; j++)
        codes[begin + j] = codebook->order[above[j]];
    }
}

/* Eight look-ups at a time, one by one: where the compiler gathers them, they are slower. */
static void
decode (const TareGrid *self,
        const guint8   *codes,
        gsize           n,
        float           scale,
        float          *y)
{
  const float *levels = self->codebook->levels;
  const guint8 *restrict in = codes;
  float *restrict out = y;
  float products[MOST];

  for (guint k = 0; k < MOST; k++)
    products[k] = levels[k] * scale;

  #pragma GCC unroll 8
  for (gsize j = 0; j < n; j++)
    out[j] = products[in[j]];
}

TARE_INLINE void
measure_steps (Steps        steps,
               guint        n_steps,
               const float *x,
               const float *w,
               gsize        n,
               gsize        m,
               const float *scale,
               float       *error)
{
  for (gsize c = 0; c < m; c += LANES)
    {
      float sum[LANES] = { 0.0f }, inverse[LANES];

      for (gsize k = 0; k < LANES; k++)
        inverse[k] = invert (scale[c + k]);

      for (gsize j = 0; j < n; j++)
        {
          #pragma omp simd
          for (gsize k = 0; k < LANES; k++)
            {
              float quotient = x[j] * inverse[k];
              float level = steps.levels[0], difference;

              #pragma GCC unroll 16
              for (guint i = 0; i + 1 < n_steps; i++)
                level = quotient > steps.thresholds[i] ? steps.levels[i + 1] : level;
              difference = x[j] - scale[c + k] * level;
              sum[k] += w[j] * difference * difference;
            }
        }

      for (gsize k = 0; k < LANES; k++)
        error[c + k] = sum[k];
    }
}

TARE_CLONES static void
measure (const TareGrid *self,
         const float    *x,
         const float    *w,
         gsize           n,
         gsize           m,
         const float    *scale,
         float          *error)
{
  Steps steps = list_steps (self->codebook);

  if (self->codebook->n <= MOST / 2)
    measure_steps (steps, MOST / 2, x, w, n, m, scale, error);
  else
    measure_steps (steps, MOST, x, w, n, m, scale, error);
}

const TareGridClass _tare_codebook_class = {
  .encode = encode,
  .decode = decode,
  .measure = measure,
};

#define CODEBOOK(id, n)                                                                   \
  const TareGrid _tare_format_##id##_grid = {                                             \
    .parent = TARE_GRID_PARENT,                                                           \
    .klass = &_tare_codebook_class,                                                       \
    .largest = 1.0f,                                                                      \
    .bits = n,                                                                            \
    .codebook = &id,                                                                      \
  }

CODEBOOK (nf4, 4);
CODEBOOK (nf3, 3);
CODEBOOK (bnb_fp4, 4);
