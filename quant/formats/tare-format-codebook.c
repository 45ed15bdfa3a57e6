/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-search-private.h"

/* Fixed codebooks: levels from -1 to 1 that a group's largest magnitude stretches.
 *
 * NF4, NF3 and NF2 put levels at quantiles of a normal distribution (Dettmers et al., QLoRA, 2023):
 * with o = 0.9677083, 2^(k-1) probabilities from 1 - o to 0.5 and 2^(k-1) + 1 from 0.5 to o,
 * equally spaced, and 0.5 once, the levels are probit (p) / probit (o).
 *
 * AF4 is meant for the absolute error of blocks of 64 weights whose largest is one of them
 * (Yoshida, NF4 Isn't Information Theoretically Optimal, 2023). As bitsandbytes has it, that error
 * is three hundredths above NF4's.
 *
 * The FP4 of bitsandbytes is not E2M1: its magnitudes are 0, 1/16, 8, 12, 4, 6, 2 and 3 twelfths in
 * the order of their codes, and bit 3 is the sign. */

#define LANES TARE_SEARCH_LANES
#define MOST TARE_CODEBOOK_MOST

/* Codes whose levels are looked up together. */
#define LOOK_UPS 64

const TareCodebook _tare_codebook_nf4 = {
  16,
  { -1.0f, -0.6961928010f, -0.5250730515f, -0.3949174881f, -0.2844413519f, -0.1847734302f,
    -0.0910500363f, 0.0f, 0.0795802996f, 0.1609302014f, 0.2461123019f, 0.3379152417f,
    0.4407098293f, 0.5626170039f, 0.7229568362f, 1.0f },
  { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
};

/* The lowest code is the highest level. */
const TareCodebook _tare_codebook_af4 = {
  16,
  { 1.0f, 0.72424863f, 0.55496234f, 0.42563882f, 0.31675666f, 0.21961274f, 0.12934483f, 0.04273164f,
    0.0f, -0.04934812f, -0.14982478f, -0.25607552f, -0.3736951f, -0.51243739f, -0.69441008f,
    -1.0f },
  { 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 },
};

const TareCodebook _tare_codebook_nf3 = {
  8,
  { -1.0f, -0.4786292f, -0.2171418f, 0.0f, 0.1609302f, 0.3379152f, 0.5626170f, 1.0f },
  { 0, 1, 2, 3, 4, 5, 6, 7 },
};

const TareCodebook _tare_codebook_nf2 = {
  4,
  { -1.0f, 0.0f, 0.3379152f, 1.0f },
  { 0, 1, 2, 3 },
};

/* Code 8, the second zero, is read but not written. */
const TareCodebook _tare_codebook_bnb_fp4 = {
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
  float thresholds[MOST];
} Steps;

TARE_INLINE void
list_steps (const TareCodebook *codebook,
            Steps              *steps)
{
  for (guint k = 0; k < MOST; k++)
    steps->levels[k] = codebook->levels[codebook->order[MIN (k, codebook->n - 1)]];
  for (guint k = 0; k + 1 < MOST; k++)
    steps->thresholds[k] = k + 1 < codebook->n
                           ? 0.5f * (steps->levels[k] + steps->levels[k + 1]) : INFINITY;
}

TARE_CLONES static void
encode (const TareGrid *self,
        const float    *x,
        gsize           n,
        guint8         *codes)
{
  const TareCodebook *codebook = self->codebook;
  Steps steps;
  const float *restrict in = x;
  guint8 *restrict out = codes;

  list_steps (codebook, &steps);

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    {
      gint32 count = 0;

      for (guint k = 0; k + 1 < MOST; k++)
        count += in[j] > steps.thresholds[k] ? 1 : 0;
      out[j] = (guint8) count;
    }

  #pragma GCC unroll 8
  for (gsize j = 0; j < n; j++)
    out[j] = codebook->order[out[j]];
}

#if defined (__GNUC__) && !defined (__clang__)
/* Sixteen levels are two registers of eight, which the machine's permutations look up. */
TARE_INLINE void
look_up (const float  *restrict levels,
         const guint8 *restrict codes,
         float        *restrict y)
{
  typedef gint32 Indices __attribute__ ((vector_size (32)));
  typedef float Eight __attribute__ ((vector_size (32)));
  gint32 wide[LOOK_UPS];
  Eight low, high;

  memcpy (&low, levels, sizeof low);
  memcpy (&high, levels + 8, sizeof high);

  #pragma omp simd
  for (gsize j = 0; j < LOOK_UPS; j++)
    wide[j] = codes[j];

  for (gsize j = 0; j < LOOK_UPS; j += 8)
    {
      Indices code;
      Eight level;

      memcpy (&code, wide + j, sizeof code);
      level = __builtin_shuffle (low, high, code);
      memcpy (y + j, &level, sizeof level);
    }
}
#else
TARE_INLINE void
look_up (const float  *restrict levels,
         const guint8 *restrict codes,
         float        *restrict y)
{
  for (gsize j = 0; j < LOOK_UPS; j++)
    y[j] = levels[codes[j]];
}
#endif

/**
 * _tare_codebook_look_up:
 * @levels: (array fixed-size=16): levels, or anything where no code points
 * @codes: (array length=n): each less than 16
 * @n: how many
 * @y: (out caller-allocates) (array length=n): their levels
 */
TARE_CLONES void
_tare_codebook_look_up (const float  *levels,
                        const guint8 *codes,
                        gsize         n,
                        float        *y)
{
  gsize whole = n - n % LOOK_UPS;

  for (gsize j = 0; j < whole; j += LOOK_UPS)
    look_up (levels, codes + j, y + j);
  for (gsize j = whole; j < n; j++)
    y[j] = levels[codes[j]];
}

static void
decode (const TareGrid *self,
        const guint8   *codes,
        gsize           n,
        float          *y)
{
  _tare_codebook_look_up (self->codebook->levels, codes, n, y);
}

TARE_INLINE void
measure_steps (const Steps *steps,
               guint        n_steps,
               gboolean     norm,
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
              float level = steps->levels[0], difference;

              #pragma GCC unroll 16
              for (guint i = 0; i + 1 < n_steps; i++)
                level = quotient > steps->thresholds[i] ? steps->levels[i + 1] : level;
              difference = x[j] - scale[c + k] * level;
              sum[k] += weigh_difference (w[j], difference, norm);
            }
        }

      for (gsize k = 0; k < LANES; k++)
        error[c + k] = sum[k];
    }
}

TARE_CLONES static void
measure (const TareGrid *self,
         gboolean        norm,
         const float    *x,
         const float    *w,
         gsize           n,
         gsize           m,
         const float    *scale,
         float          *error)
{
  Steps steps;

  list_steps (self->codebook, &steps);
  if (norm)
    measure_steps (&steps, MOST, TRUE, x, w, n, m, scale, error);
  else if (self->codebook->n <= MOST / 2)
    measure_steps (&steps, MOST / 2, FALSE, x, w, n, m, scale, error);
  else
    measure_steps (&steps, MOST, FALSE, x, w, n, m, scale, error);
}

/* Vectors of weights in place of vectors of scales; the sum is in their order. */
TARE_CLONES static float
measure_one (const TareGrid *self,
             const float    *x,
             const float    *w,
             gsize           n,
             float           scale)
{
  float inverse = invert (scale), sum = 0.0f, terms[TARE_SEARCH_PIECE];
  gboolean few = self->codebook->n <= MOST / 2;
  Steps steps;

  list_steps (self->codebook, &steps);

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    {
      float quotient = x[j] * inverse, level = steps.levels[0];

      for (guint i = 0; i + 1 < MOST / 2; i++)
        level = quotient > steps.thresholds[i] ? steps.levels[i + 1] : level;

      for (guint i = MOST / 2 - 1; !few && i + 1 < MOST; i++)
        level = quotient > steps.thresholds[i] ? steps.levels[i + 1] : level;
      terms[j] = weigh_difference (w[j], x[j] - scale * level, FALSE);
    }

  for (gsize j = 0; j < n; j++)
    sum += terms[j];

  return sum;
}

const TareGridClass _tare_codebook_class = {
  .divides = TRUE,
  .encode = encode,
  .decode = decode,
  .measure = measure,
  .measure_one = measure_one,
};

/**
 * _tare_codebook_new:
 * @bits: of a code
 * @codebook: (transfer none): levels from -1 to 1, which must stay
 *
 * Returns: (transfer full): a grid of these levels
 */
TareGrid *
_tare_codebook_new (guint               bits,
                    const TareCodebook *codebook)
{
  TareGrid *self = g_new0 (TareGrid, 1);

  self->klass = &_tare_codebook_class;
  self->bits = bits;
  self->n_codes = 1u << bits;
  self->codebook = codebook;
  for (guint k = 0; k < codebook->n; k++)
    self->most = MAX (self->most, fabsf (codebook->levels[codebook->order[k]]));
  self->largest = self->most;
  _tare_grid_list_factors (self);

  return self;
}

/* Levels of either sign and one zero; code 0 of the sign is zero again, and not written.
 * magnitudes: [n_codes / 2] by ascending size, the first of them zero */
static void
mirror (guint         n_codes,
        const float  *magnitudes,
        TareCodebook *codebook)
{
  guint half = MIN (n_codes, MOST) / 2;

  codebook->n = 2 * half - 1;
  for (guint k = 0; k < half; k++)
    {
      codebook->levels[k] = magnitudes[k];
      codebook->levels[half + k] = -magnitudes[k];
      codebook->order[half - 1 + k] = (guint8) k;
      codebook->order[half - 1 - k] = (guint8) (half + k);
    }
  codebook->order[half - 1] = 0;
}

/**
 * _tare_power_list:
 * @n_codes: a power of two
 * @exponent: a, positive
 * @codebook: (out): (i/N)^(1/a), N = @n_codes / 2 - 1, of either sign
 *
 * The grid of NUPES and PowerQuant: a code is round (N (|x| / A)^a), so a weight is rounded to the
 * nearest there; here it takes the nearest level, which is never worse.
 */
void
_tare_power_list (guint         n_codes,
                  float         exponent,
                  TareCodebook *codebook)
{
  float magnitudes[MOST / 2];
  guint n = n_codes / 2 - 1;

  /* A stranger's exponent may be anything: what is no power of a number is a level at zero. */
  for (guint k = 0; k <= n; k++)
    {
      float level = (float) pow ((double) k / (double) n, 1.0 / (double) exponent);

      magnitudes[k] = isfinite (level) && k > 0 ? level : 0.0f;
    }
  mirror (n_codes, magnitudes, codebook);
}

/**
 * _tare_root_list:
 * @n_codes: a power of two
 * @base: between two neighbouring levels
 * @codebook: (out): 0 and base^-i for i from 0 on, of either sign
 *
 * Powers of two (APoT's POT), or of its square root (POST, of ASQ).
 */
void
_tare_root_list (guint         n_codes,
                 double        base,
                 TareCodebook *codebook)
{
  float magnitudes[MOST / 2];
  guint n = n_codes / 2 - 1;

  magnitudes[0] = 0.0f;
  for (guint k = 1; k <= n; k++)
    magnitudes[k] = (float) pow (base, (double) k - (double) n);
  mirror (n_codes, magnitudes, codebook);
}
