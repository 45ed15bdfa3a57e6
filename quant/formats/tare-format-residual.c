/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-pack-private.h"
#include "quant/formats/tare-search-private.h"

/* Residual binary codes: a weight is the sum of a few scales, each with a sign of its own. A row of
 * n weights with r signs in G groups is r times
 *
 *   signs:  ceil (n / 8) bytes; that of weight i is bit i mod 8 of byte i / 8, set where it is plus
 *   scales: G IEEE binary16
 *
 * and the last group may be short. */

#define MOST 8

/* Weights whose signs are one word. */
#define WORD 32

/* Rounds of least squares and signs anew. */
#define N_REFITS 4

static gsize
group_length (const TareFormat *self,
              gsize             columns)
{
  return self->group != 0 ? self->group : columns;
}

static gsize
plane_bytes (const TareFormat *self,
             gsize             columns)
{
  gsize n_groups = columns == 0 ? 0 : (columns - 1) / group_length (self, columns) + 1;

  return _tare_packed_bytes (columns, 1) + n_groups * sizeof (guint16);
}

static gsize
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  return self->bits * plane_bytes (self, columns);
}

/* Scales that make the sums equally spaced from end to end. */
static void
span_scales (const TareFormat *self,
             float             minimum,
             float             maximum,
             float            *scales)
{
  float unit = MAX (MAX (-minimum, maximum), 0.0f) / (float) ((1u << self->bits) - 1);

  /* They stay in proportion where the largest is all that can be stored. */
  unit = MIN (unit, TARE_HALF_MAX / (float) (1u << (self->bits - 1)));
  for (guint r = 0; r < self->bits; r++)
    scales[r] = round_scale (unit * (float) (1u << (self->bits - 1 - r)));
}

/* Of what the scales before leave, signs and the mean magnitude: the best that one more can do. */
static void
search_scales (const TareFormat *self,
               const float      *x,
               const float      *w,
               gsize             n,
               float            *rest,
               float            *scales)
{
  double total = 0.0;

  memcpy (rest, x, n * sizeof (float));
  for (gsize j = 0; j < n; j++)
    total += (double) w[j];

  for (guint r = 0; r < self->bits; r++)
    {
      double sum = 0.0;

      for (gsize j = 0; j < n; j++)
        sum += (double) w[j] * (double) fabsf (rest[j]);
      scales[r] = round_scale ((float) (sum / total));
      for (gsize j = 0; j < n; j++)
        rest[j] -= rest[j] < 0.0f ? -scales[r] : scales[r];
    }
}

/* Σw(x - y)² */
TARE_CLONES static double
measure (const TareFormat *self,
         const float      *x,
         const float      *w,
         gsize             n,
         const float      *scales)
{
  double error = 0.0;

  for (gsize begin = 0; begin < n; begin += TARE_SEARCH_PIECE)
    {
      gsize length = MIN (TARE_SEARCH_PIECE, n - begin);
      float rest[TARE_SEARCH_PIECE];

      memcpy (rest, x + begin, length * sizeof (float));
      for (guint r = 0; r < self->bits; r++)
        {
          float scale = scales[r];

          #pragma omp simd
          for (gsize j = 0; j < length; j++)
            rest[j] -= rest[j] < 0.0f ? -scale : scale;
        }
      for (gsize j = 0; j < length; j++)
        error += (double) w[begin + j] * (double) rest[j] * (double) rest[j];
    }

  return error;
}

/* Least squares for all scales with the signs that they give, by Gauss's elimination; %FALSE where
 * signs always agree, so that there are many. */
static gboolean
refit_scales (const TareFormat *self,
              const float      *x,
              const float      *w,
              gsize             n,
              const float      *scales,
              float            *better)
{
  double a[MOST][MOST + 1] = { { 0.0 } };
  guint m = self->bits;

  for (gsize j = 0; j < n; j++)
    {
      double sign[MOST + 1];
      float rest = x[j];

      for (guint r = 0; r < m; r++)
        {
          sign[r] = rest < 0.0f ? -1.0 : 1.0;
          rest -= (float) sign[r] * scales[r];
        }
      sign[m] = (double) x[j];
      for (guint r = 0; r < m; r++)
        for (guint k = r; k <= m; k++)
          a[r][k] += (double) w[j] * sign[r] * sign[k];
    }

  for (guint r = 0; r < m; r++)
    {
      for (guint k = 0; k < r; k++)
        {
          double factor = a[k][r] / a[k][k];

          for (guint l = r; l <= m; l++)
            a[r][l] -= factor * a[k][l];
        }
      if (a[r][r] <= 1e-9 * a[0][0])
        return FALSE;
    }

  for (guint r = m; r-- > 0;)
    {
      for (guint k = r + 1; k < m; k++)
        a[r][m] -= a[r][k] * (double) better[k];
      better[r] = round_scale ((float) fabs (a[r][m] / a[r][r]));
    }

  return TRUE;
}

/* The best of what spans the weights, of the greedy choice, and of what least squares make of
 * either. */
static void
improve_scales (const TareFormat *self,
                const float      *x,
                const float      *w,
                gsize             n,
                float            *rest,
                float            *scales)
{
  float starts[2][MOST] = { { 0.0f } };
  double least;

  memcpy (starts[0], scales, self->bits * sizeof (float));
  search_scales (self, x, w, n, rest, starts[1]);
  least = measure (self, x, w, n, scales);

  for (gsize i = 0; i < G_N_ELEMENTS (starts); i++)
    for (gsize k = 0; k <= N_REFITS; k++)
      {
        double error = measure (self, x, w, n, starts[i]);
        float better[MOST] = { 0.0f };

        if (error < least)
          memcpy (scales, starts[i], self->bits * sizeof (float));
        if (error >= least && k > 0)
          break;
        least = MIN (least, error);
        if (!refit_scales (self, x, w, n, starts[i], better))
          break;
        memcpy (starts[i], better, sizeof better);
      }
}

/* What is left after every sign decides the next; a plane at a time. */
TARE_CLONES static void
encode_piece (const float *x,
              gsize        n,
              guint        n_planes,
              const float *scales,
              gsize        plane,
              guint8      *codes)
{
  float rest[TARE_SEARCH_PIECE];
  guint8 signs[TARE_SEARCH_PIECE];

  memcpy (rest, x, n * sizeof (float));
  for (guint r = 0; r < n_planes; r++)
    {
      float scale = scales[r];

      #pragma omp simd
      for (gsize j = 0; j < n; j++)
        {
          signs[j] = rest[j] < 0.0f ? 0 : 1;
          rest[j] -= rest[j] < 0.0f ? -scale : scale;
        }
      _tare_pack (signs, n, 1, codes + r * plane);
    }
}

/* Groups begin at whole bytes. */
static void
encode_row (const TareFormat *self,
            gboolean          search,
            const float      *x,
            const float      *weights,
            gsize             columns,
            guint8           *codes)
{
  gsize length = group_length (self, columns);
  gsize plane = plane_bytes (self, columns);
  gsize sign_bytes = _tare_packed_bytes (columns, 1);
  g_autofree float *rest = search ? g_new (float, columns) : NULL;

  for (gsize g = 0, begin = 0; begin < columns; g++, begin += length)
    {
      gsize n = MIN (length, columns - begin);
      float minimum, maximum, scales[MOST];

      _tare_search_range (x + begin, n, &minimum, &maximum);
      span_scales (self, minimum, maximum, scales);
      if (search)
        improve_scales (self, x + begin, weights + begin, n, rest, scales);

      for (guint r = 0; r < self->bits; r++)
        store_half (codes + r * plane + sign_bytes + 2 * g, scales[r]);
      for (gsize j = begin; j < begin + n; j += TARE_SEARCH_PIECE)
        encode_piece (x + j, MIN (TARE_SEARCH_PIECE, begin + n - j), self->bits, scales, plane,
                      codes + j / 8);
    }
}

/* Adds ±scale to WORD weights, by their bits. */
TARE_INLINE void
add_signs (guint32 signs,
           float   scale,
           float  *sum)
{
  guint32 minus = tare_float_to_bits (-scale), plus = tare_float_to_bits (scale);

  #pragma omp simd
  for (guint k = 0; k < WORD; k++)
    sum[k] += tare_float_from_bits ((signs >> k & 1) != 0 ? plus : minus);
}

/* signs: the first of @n_planes planes; scales: one for each; y: (out): [n] */
TARE_INLINE void
add_planes (const guint8 *signs,
            gsize         plane,
            guint         n_planes,
            const float  *scales,
            gsize         n,
            float        *y)
{
  for (gsize j = 0; j < n; j += WORD)
    {
      gsize length = MIN (WORD, n - j);
      float sum[WORD] = { 0.0f };

      for (guint r = 0; r < n_planes; r++)
        {
          const guint8 *bytes = signs + r * plane + j / 8;
          guint32 word = 0;

          if (length == WORD)
            memcpy (&word, bytes, sizeof word);
          else
            memcpy (&word, bytes, _tare_packed_bytes (length, 1));
          add_signs (GUINT32_FROM_LE (word), scales[r], sum);
        }

      if (length == WORD)
        memcpy (y + j, sum, sizeof sum);
      else
        memcpy (y + j, sum, length * sizeof (float));
    }
}

TARE_CLONES static void
decode_group (const guint8 *signs,
              gsize         plane,
              guint         n_planes,
              const float  *scales,
              gsize         n,
              float        *y)
{
  if (n_planes == 2)
    add_planes (signs, plane, 2, scales, n, y);
  else if (n_planes == 3)
    add_planes (signs, plane, 3, scales, n, y);
  else if (n_planes == 4)
    add_planes (signs, plane, 4, scales, n, y);
  else
    add_planes (signs, plane, n_planes, scales, n, y);
}

/* Groups begin at whole bytes. */
static void
decode_row (const TareFormat *self,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  gsize length = group_length (self, columns);
  gsize plane = plane_bytes (self, columns);

  for (gsize g = 0, begin = 0; begin < columns; g++, begin += length)
    {
      float scales[MOST];

      for (guint r = 0; r < self->bits; r++)
        scales[r] = load_half (codes + r * plane + _tare_packed_bytes (columns, 1) + 2 * g);
      decode_group (codes + begin / 8, plane, self->bits, scales, MIN (length, columns - begin),
                    y + begin);
    }
}

static gsize
get_levels (const TareFormat *self,
            float             minimum,
            float             maximum,
            float            *levels)
{
  gsize n = (gsize) 1 << self->bits;
  float scales[MOST];

  span_scales (self, minimum, maximum, scales);
  for (gsize k = 0; k < n; k++)
    {
      levels[k] = 0.0f;
      for (guint r = 0; r < self->bits; r++)
        levels[k] += k >> r & 1 ? scales[r] : -scales[r];
    }

  return n;
}

const TareFormatClass _tare_format_residual_class = {
  .get_row_bytes = get_row_bytes,
  .get_levels = get_levels,
  .encode_row = encode_row,
  .decode_row = decode_row,
};
