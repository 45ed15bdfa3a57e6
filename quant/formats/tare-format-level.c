/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>
#include <stdlib.h>

#include "quant/formats/tare-search-private.h"

/* Equally spaced levels without a zero point: integers from lowest to top, each with a shift added
 * that is a half where there is no level at zero. A code is the integer with 2^(b-1) added. */

#define LANES TARE_SEARCH_LANES

TARE_INLINE float
round_level (float value,
             float lowest,
             float top)
{
  value = value < lowest ? lowest : value;
  value = value > top ? top : value;

  return rintf (value);
}

/* Double rounding: integers of more bits first, as they are stored, and of those what a reader of
 * fewer bits makes. */
TARE_INLINE void
encode_nested (const TareGrid *self,
               const float    *x,
               gsize           n,
               guint8         *codes)
{
  float ratio = (float) (1u << self->nested), lowest = (float) self->lowest;
  float top = (float) self->top, most = ((float) self->top + 1.0f) * ratio;
  gint32 offset = self->offset;
  const float *restrict in = x;
  guint8 *restrict out = codes;

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    {
      float fine = round_level (in[j] * ratio, -most, most - 1.0f);

      out[j] = (guint8) ((gint32) round_level (fine / ratio, lowest, top) + offset);
    }
}

TARE_CLONES static void
encode (const TareGrid *self,
        const float    *x,
        gsize           n,
        guint8         *codes)
{
  float lowest = (float) self->lowest, top = (float) self->top, shift = self->shift;
  gint32 offset = self->offset;
  const float *restrict in = x;
  guint8 *restrict out = codes;

  if (self->nested > 0)
    {
      encode_nested (self, x, n, codes);
      return;
    }

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    out[j] = (guint8) ((gint32) round_level (in[j] - shift, lowest, top) + offset);
}

TARE_CLONES static void
decode (const TareGrid *self,
        const guint8   *codes,
        gsize           n,
        float          *y)
{
  gint32 offset = self->offset;
  float shift = self->shift;
  const guint8 *restrict in = codes;
  float *restrict out = y;

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    out[j] = (float) ((gint32) in[j] - offset) + shift;
}

TARE_INLINE void
measure_lanes (const TareGrid *self,
               gboolean        norm,
               const float    *x,
               const float    *w,
               gsize           n,
               gsize           m,
               const float    *scale,
               float          *error)
{
  /* Nested integers have the scale that suits those of more bits. */
  float ratio = (float) (1u << self->nested), shift = self->shift;
  float lowest = (float) self->lowest * ratio, top = ((float) self->top + 1.0f) * ratio - 1.0f;

  for (gsize c = 0; c < m; c += LANES)
    {
      float sum[LANES] = { 0.0f }, inverse[LANES], step[LANES];

      for (gsize k = 0; k < LANES; k++)
        {
          step[k] = scale[c + k] / ratio;
          inverse[k] = invert (step[k]);
        }

      for (gsize j = 0; j < n; j++)
        {
          #pragma omp simd
          for (gsize k = 0; k < LANES; k++)
            {
              float level = round_level (x[j] * inverse[k] - shift, lowest, top) + shift;

              sum[k] += weigh_difference (w[j], x[j] - step[k] * level, norm);
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
  if (norm)
    measure_lanes (self, TRUE, x, w, n, m, scale, error);
  else
    measure_lanes (self, FALSE, x, w, n, m, scale, error);
}

const TareGridClass _tare_level_class = {
  .encode = encode,
  .decode = decode,
  .measure = measure,
};

/**
 * _tare_level_new:
 * @bits: of a code, or %TARE_PACK_TERNARY
 * @lowest: the least integer; the greatest is 2^(b-1) - 1
 * @largest: what a group's largest magnitude becomes, in steps
 * @shift: what is added to an integer for a level
 *
 * Returns: (transfer full): a grid of equally spaced levels
 */
TareGrid *
_tare_level_new (guint bits,
                 int   lowest,
                 float largest,
                 float shift)
{
  TareGrid *self = g_new0 (TareGrid, 1);

  self->klass = &_tare_level_class;
  self->bits = bits;
  self->n_codes = bits == 0 ? 3 : 1u << bits;
  self->lowest = lowest;
  self->offset = bits == 0 ? 1 : 1 << (bits - 1);
  self->top = bits == 0 ? 1 : self->offset - 1;
  self->shift = shift;
  self->largest = largest;
  self->most = MAX (-((float) lowest + shift), (float) self->top + shift);
  _tare_grid_list_factors (self);

  return self;
}

/* --- rules for the scale of two and three levels; w may be NULL where all weights count alike ---
 * */

/**
 * _tare_rule_mean:
 * @x: (array length=n): weights
 * @w: (nullable): their importance
 * @n: how many
 *
 * Returns: twice the mean magnitude, which is the step of least squared error for two levels
 */
float
_tare_rule_mean (const float *x,
                 const float *w,
                 gsize        n)
{
  double sum = 0.0, total = 0.0;

  for (gsize j = 0; j < n; j++)
    {
      double weight = w != NULL ? (double) w[j] : 1.0;

      sum += weight * (double) fabsf (x[j]);
      total += weight;
    }

  return total > 0.0 ? (float) (2.0 * sum / total) : 0.0f;
}

/**
 * _tare_rule_absmean:
 * @x: (array length=n): weights
 * @w: ignored
 * @n: how many
 *
 * Returns: the mean magnitude, by which BitNet b1.58 divides
 */
float
_tare_rule_absmean (const float *x,
                    const float *w,
                    gsize        n)
{
  return 0.5f * _tare_rule_mean (x, NULL, n);
}

/**
 * _tare_rule_threshold:
 * @x: (array length=n): weights
 * @w: ignored
 * @n: how many
 *
 * Returns: the mean of the magnitudes beyond 0.7 times the mean of all (Ternary Weight Networks)
 */
float
_tare_rule_threshold (const float *x,
                      const float *w,
                      gsize        n)
{
  float threshold = 0.7f * _tare_rule_absmean (x, NULL, n);
  double sum = 0.0;
  gsize above = 0;

  for (gsize j = 0; j < n; j++)
    if (fabsf (x[j]) > threshold)
      {
        sum += (double) fabsf (x[j]);
        above++;
      }

  return above > 0 ? (float) (sum / (double) above) : 0.0f;
}

typedef struct
{
  float magnitude;
  float weight;
} Weighted;

static int
compare_magnitudes (gconstpointer a,
                    gconstpointer b)
{
  float x = ((const Weighted *) a)->magnitude;
  float y = ((const Weighted *) b)->magnitude;

  return (x < y) - (x > y);
}

/**
 * _tare_rule_ternary:
 * @x: (array length=n): weights
 * @w: (nullable): their importance
 * @n: how many
 *
 * Returns: the scale of least squared error for three levels: the k largest magnitudes are kept,
 *   for the k of the largest (Σw|x|)² / Σw, and the scale is their mean
 */
float
_tare_rule_ternary (const float *x,
                    const float *w,
                    gsize        n)
{
  g_autofree Weighted *sorted = g_new (Weighted, MAX (n, 1));
  double sum = 0.0, total = 0.0, most = 0.0, scale = 0.0;

  for (gsize j = 0; j < n; j++)
    sorted[j] = (Weighted) { fabsf (x[j]), w != NULL ? w[j] : 1.0f };
  qsort (sorted, n, sizeof (Weighted), compare_magnitudes);

  for (gsize j = 0; j < n; j++)
    {
      sum += (double) sorted[j].weight * (double) sorted[j].magnitude;
      total += (double) sorted[j].weight;
      if (sum * sum / total > most)
        {
          most = sum * sum / total;
          scale = sum / total;
        }
    }

  return (float) scale;
}
