/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-super-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-format-private.h"
#include "quant/formats/tare-search-private.h"

/* The scales of a super-block: what each group wants is rounded to a multiple of the super-block's
 * scale, its neighbours are tried, and the super-block's scale is refit to what came of it.
 *
 * x: [256] weights; w: [256] their importance; q: [256] codes as floats */

#define LANES TARE_SEARCH_LANES
#define GROUPS TARE_SUPER_GROUPS

/* Rounds of least squares for the scales of a super-block; later ones change next to nothing. */
#define N_ROUNDS 4

/* A start after the first gives the widest group a code that is lower by this share. */
#define N_STARTS 3
#define START_STEP 0.07f

TARE_INLINE float
group_scale (const TareSuper *super,
             gsize            b)
{
  return super->d * super->scale[b];
}

TARE_INLINE float
group_offset (const TareSuper *super,
              gsize            b)
{
  return -(super->dmin * super->minimum[b]);
}

/**
 * _tare_super_span:
 * @minimum: the smallest weight of a group
 * @maximum: the largest
 * @scale: (out): from end to end, or to the lowest code where codes have a sign
 * @offset: (out): what code 0 stands for; zero or less, so that the grid holds zero or lies below
 *   it
 */
void
_tare_super_span (const TareSuperShape *shape,
                  float                 minimum,
                  float                 maximum,
                  float                *scale,
                  float                *offset)
{
  if (shape->lowest < 0.0f)
    {
      *offset = 0.0f;
      *scale = (-minimum > maximum ? minimum : maximum) / shape->lowest;
    }
  else
    {
      *offset = MIN (minimum, 0.0f);
      *scale = MAX (maximum, *offset) / shape->highest - *offset / shape->highest;
    }
}

/* Rounds the scales and minimums of the groups to multiples of the super-block's.
 * scale, offset: [n_groups]; start: how much more than the widest group needs */
TARE_CLONES static void
choose_affine (const TareSuperShape *shape,
               TareSuper            *super,
               const float          *scale,
               const float          *offset,
               float                 start)
{
  float largest = 0.0f, lowest = 0.0f, inverse, inverse_min;

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      largest = MAX (largest, scale[b]);
      lowest = MIN (lowest, offset[b]);
    }

  super->d = round_scale (largest / shape->max_scale * start);
  super->dmin = round_scale (-lowest / shape->max_scale * start);
  inverse = invert (super->d);
  inverse_min = invert (super->dmin);

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      super->scale[b] = rintf (MIN (scale[b] * inverse, shape->max_scale));
      super->minimum[b] = rintf (MIN (-offset[b] * inverse_min, shape->max_scale));
    }
}

/* Tries the neighbours of each group's scale and minimum.
 *
 * Returns: the error of the super-block */
TARE_CLONES static double
refine_affine (const TareSuperShape *shape,
               TareSuper            *super,
               const float          *x,
               const float          *w,
               const float          *scale,
               const float          *offset)
{
  double total = 0.0;
  float limit = shape->max_scale;

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      float s[LANES], m[LANES], error[LANES], scales[LANES], offsets[LANES];
      float s0 = floorf (MIN (scale[b] * invert (super->d), limit)) - 1.0f;
      float m0 = floorf (MIN (-offset[b] * invert (super->dmin), limit)) - 1.0f;
      gsize best;

      for (gsize c = 0; c < LANES; c++)
        {
          s[c] = CLAMP (s0 + (float) (c / 4), 0.0f, limit);
          m[c] = CLAMP (m0 + (float) (c % 4), 0.0f, limit);
          scales[c] = super->d * s[c];
          offsets[c] = -(super->dmin * m[c]);
        }

      _tare_search_error_affine (x + b * shape->group, w + b * shape->group, shape->group, LANES,
                                 scales, offsets, shape->highest, error);
      best = _tare_search_find_least (error, LANES);

      super->scale[b] = s[best];
      super->minimum[b] = m[best];
      total += (double) error[best];
    }

  return total;
}

/* What least squares need to know about codes, a group to a lane; see #TareSearchSums. */
typedef struct
{
  float w[GROUPS];
  float x[GROUPS];
  float q[GROUPS];
  float qq[GROUPS];
  float xq[GROUPS];
} Sums;

static void
sum_affine (const TareSuperShape *shape,
            const float          *x,
            const float          *w,
            const float          *scale,
            const float          *offset,
            Sums                 *sums)
{
  memset (sums, 0, sizeof *sums);

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      float q[TARE_SEARCH_PIECE];
      TareSearchSums sum;

      _tare_search_encode (x + b * shape->group, shape->group, scale[b], offset[b], 0.0f,
                           shape->highest, q);
      sum = _tare_search_sum (x + b * shape->group, w + b * shape->group, q, shape->group);
      sums->w[b] = (float) sum.w;
      sums->x[b] = (float) sum.x;
      sums->q[b] = (float) sum.q;
      sums->qq[b] = (float) sum.qq;
      sums->xq[b] = (float) sum.xq;
    }
}

/* The best scale and minimum of each group with the codes as they are, the minimum near the one
 * that is wanted.
 *
 * offset: [GROUPS]
 *
 * Returns: the error of the super-block, less Σwx² */
TARE_CLONES static double
assign_affine (const TareSuperShape *shape,
               TareSuper            *super,
               const float          *offset,
               const Sums           *sums)
{
  float limit = shape->max_scale, d = super->d, dmin = super->dmin;
  float least[GROUPS], near[GROUPS], scale[GROUPS], minimum[GROUPS];
  float inverse = invert (dmin);
  double total = 0.0;

  for (gsize b = 0; b < GROUPS; b++)
    {
      float wanted = -offset[b] * inverse;

      near[b] = floorf (wanted < limit ? wanted : limit) - 1.0f;
      least[b] = INFINITY;
      scale[b] = minimum[b] = 0.0f;
    }

  for (int c = 0; c < 4; c++)
    {
      #pragma omp simd
      for (gsize b = 0; b < GROUPS; b++)
        {
          float m = near[b] + (float) c, divisor = d * sums->qq[b], o, s, loss;

          m = m > 0.0f ? m : 0.0f;
          m = m < limit ? m : limit;
          o = -(dmin * m);
          s = (sums->xq[b] - o * sums->q[b]) / (divisor > 0.0f ? divisor : INFINITY);
          s = s > 0.0f ? s : 0.0f;
          s = rintf (s < limit ? s : limit);
          loss = d * s * (d * s * sums->qq[b] + 2.0f * (o * sums->q[b] - sums->xq[b])) +
                 o * (o * sums->w[b] - 2.0f * sums->x[b]);

          scale[b] = loss < least[b] ? s : scale[b];
          minimum[b] = loss < least[b] ? m : minimum[b];
          least[b] = loss < least[b] ? loss : least[b];
        }
    }

  for (gsize b = 0; b < shape->n_groups; b++)
    total += (double) least[b];
  memcpy (super->scale, scale, sizeof scale);
  memcpy (super->minimum, minimum, sizeof minimum);

  return total;
}

/* Least squares for d and dmin with all codes as they are: with u = s q and v = m, the weights are
 * x ~ d u - dmin v. */
TARE_CLONES static void
refit_affine (const TareSuperShape *shape,
              TareSuper            *super,
              const Sums           *sums)
{
  double products[5][GROUPS], uu, uv, vv, xu, xv, determinant;

  #pragma omp simd
  for (gsize b = 0; b < GROUPS; b++)
    {
      double s = (double) super->scale[b], m = (double) super->minimum[b];

      products[0][b] = s * s * (double) sums->qq[b];
      products[1][b] = s * m * (double) sums->q[b];
      products[2][b] = m * m * (double) sums->w[b];
      products[3][b] = s * (double) sums->xq[b];
      products[4][b] = m * (double) sums->x[b];
    }

  for (gsize i = 0; i < 5; i++)
    for (gsize width = GROUPS / 2; width > 0; width /= 2)
      for (gsize b = 0; b < width; b++)
        products[i][b] += products[i][b + width];

  uu = products[0][0], uv = products[1][0], vv = products[2][0];
  xu = products[3][0], xv = products[4][0];
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
encode_affine (const TareSuperShape *shape,
               const TareSuper      *super,
               const float          *x,
               float                *q)
{
  for (gsize b = 0; b < shape->n_groups; b++)
    _tare_search_encode (x + b * shape->group, shape->group, group_scale (super, b),
                         group_offset (super, b), 0.0f, shape->highest, q + b * shape->group);
}

/* Returns: the error of the super-block */
TARE_CLONES static double
measure_affine (const TareSuperShape *shape,
                const TareSuper      *super,
                const float          *x,
                const float          *w)
{
  float q[TARE_SUPER_BLOCK];
  double total = 0.0;

  encode_affine (shape, super, x, q);

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      float scale = group_scale (super, b), offset = group_offset (super, b);
      float sum[LANES] = { 0.0f };

      for (gsize j = b * shape->group; j < (b + 1) * shape->group; j += LANES)
        for (gsize k = 0; k < LANES; k++)
          {
            float difference = x[j + k] - (scale * q[j + k] + offset);

            sum[k] += w[j + k] * difference * difference;
          }

      for (gsize k = 0; k < LANES; k++)
        total += (double) sum[k];
    }

  return total;
}

/* From several scales of the super-block, for the codes that the groups want: the best that
 * rounding to multiples and least squares in turn come to. */
static void
start_affine (const TareSuperShape *shape,
              TareSuper            *super,
              const float          *scale,
              const float          *offset,
              const Sums           *sums)
{
  TareSuper best = *super;
  double least = (double) INFINITY;

  for (gsize start = 0; start < N_STARTS; start++)
    {
      choose_affine (shape, super, scale, offset, 1.0f + START_STEP * (float) start);

      for (gsize i = 0; i < N_ROUNDS; i++)
        {
          double loss;

          refit_affine (shape, super, sums);
          loss = assign_affine (shape, super, offset, sums);
          if (loss >= least)
            break;

          least = loss;
          best = *super;
        }
    }

  *super = best;
}

static void
search_affine (const TareSuperShape *shape,
               TareSuper            *super,
               const float          *x,
               const float          *w,
               float                *scale,
               float                *offset)
{
  double least = measure_affine (shape, super, x, w), error;
  Sums sums;
  TareSuper best = *super;

  for (gsize b = 0; b < shape->n_groups; b++)
    _tare_search_affine (x + b * shape->group, w + b * shape->group, shape->group, shape->highest,
                         FALSE, &scale[b], &offset[b]);

  sum_affine (shape, x, w, scale, offset, &sums);
  start_affine (shape, super, scale, offset, &sums);

  error = refine_affine (shape, super, x, w, scale, offset);
  if (error < least)
    {
      least = error;
      best = *super;
    }

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      scale[b] = group_scale (super, b);
      offset[b] = group_offset (super, b);
    }
  sum_affine (shape, x, w, scale, offset, &sums);
  refit_affine (shape, super, &sums);
  assign_affine (shape, super, offset, &sums);

  if (measure_affine (shape, super, x, w) < least)
    best = *super;

  *super = best;
}

/**
 * _tare_super_affine:
 * @search: whether to search, else each group reaches from end to end
 * @super: (out): the scales
 * @q: (out): the codes
 *
 * Encodes a super-block whose groups have a scale and a minimum.
 */
void
_tare_super_affine (const TareSuperShape *shape,
                    gboolean              search,
                    const float          *x,
                    const float          *w,
                    TareSuper            *super,
                    float                *q)
{
  float scale[GROUPS] = { 0.0f }, offset[GROUPS] = { 0.0f };

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      float minimum, maximum;

      _tare_search_range (x + b * shape->group, shape->group, &minimum, &maximum);
      _tare_super_span (shape, minimum, maximum, &scale[b], &offset[b]);
    }

  choose_affine (shape, super, scale, offset, 1.0f);
  if (search)
    search_affine (shape, super, x, w, scale, offset);

  encode_affine (shape, super, x, q);
}

static void
choose_symmetric (const TareSuperShape *shape,
                  TareSuper            *super,
                  const float          *scale,
                  float                 start)
{
  float extreme = 0.0f;

  for (gsize b = 0; b < shape->n_groups; b++)
    if (fabsf (scale[b]) > fabsf (extreme))
      extreme = scale[b];

  super->d = round_scale (extreme / shape->min_scale * start);
  for (gsize b = 0; b < shape->n_groups; b++)
    super->scale[b] = rintf (CLAMP (scale[b] * invert (super->d), shape->min_scale,
                                    shape->max_scale));
}

/* Returns: the error with the best scales near those that the groups want */
TARE_CLONES static double
refine_symmetric (const TareSuperShape *shape,
                  TareSuper            *super,
                  const float          *x,
                  const float          *w,
                  const float          *scale)
{
  double total = 0.0;

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      float code[LANES], scales[LANES], error[LANES], lowest[LANES], highest[LANES];
      float near = rintf (CLAMP (scale[b] * invert (super->d), shape->min_scale,
                                 shape->max_scale));
      gsize at = b * shape->group, best;

      for (gsize c = 0; c < LANES; c++)
        {
          code[c] = CLAMP (near + (float) c - 8.0f, shape->min_scale, shape->max_scale);
          scales[c] = super->d * code[c];
          lowest[c] = shape->lowest;
          highest[c] = shape->highest;
        }

      if (shape->measure != NULL)
        shape->measure (x + at, w + at, shape->group, LANES, scales, error);
      else
        _tare_search_error_symmetric (x + at, w + at, shape->group, LANES, scales, lowest, highest,
                                      error);
      best = _tare_search_find_least (error, LANES);

      super->scale[b] = code[best];
      total += (double) error[best];
    }

  return total;
}

static void
encode_group (const TareSuperShape *shape,
              const TareSuper      *super,
              gsize                 b,
              const float          *x,
              float                *q)
{
  if (shape->encode != NULL)
    shape->encode (x + b * shape->group, shape->group, group_scale (super, b), q);
  else
    _tare_search_encode (x + b * shape->group, shape->group, group_scale (super, b), 0.0f,
                         shape->lowest, shape->highest, q);
}

static void
refit_symmetric (const TareSuperShape *shape,
                 TareSuper            *super,
                 const float          *x,
                 const float          *w)
{
  double uu = 0.0, xu = 0.0;

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      double s = (double) super->scale[b];
      TareSearchSums sums;
      float q[TARE_SEARCH_PIECE];

      encode_group (shape, super, b, x, q);
      sums = _tare_search_sum (x + b * shape->group, w + b * shape->group, q, shape->group);
      uu += s * s * sums.qq;
      xu += s * sums.xq;
    }

  if (uu > 0.0)
    super->d = round_scale ((float) (xu / uu));
}

static void
search_symmetric (const TareSuperShape *shape,
                  TareSuper            *super,
                  const float          *x,
                  const float          *w,
                  const float          *plain,
                  const float          *wanted)
{
  double least = refine_symmetric (shape, super, x, w, plain);
  TareSuper best = *super;

  for (gsize start = 0; start < MAX (shape->n_starts, 1); start++)
    {
      double last = (double) INFINITY;

      choose_symmetric (shape, super, wanted, 1.0f + START_STEP * (float) start);

      for (gsize i = 0; i <= N_ROUNDS; i++)
        {
          double error = refine_symmetric (shape, super, x, w, wanted);

          if (error < least)
            {
              least = error;
              best = *super;
            }
          else if (error >= last || (i > 0 && shape->n_starts <= 1))
            {
              break;
            }

          last = error;
          refit_symmetric (shape, super, x, w);
        }
    }

  *super = best;
}

/**
 * _tare_super_symmetric:
 * @search: whether to search, else each group reaches to its largest magnitude
 * @wanted: (nullable) (array): the scale that each group would take for itself; %NULL to search it
 *   on the even grid of the shape
 * @super: (out): the scales
 * @q: (out): the codes, or the levels of an uneven grid
 *
 * Encodes a super-block whose groups have a scale, and codes a sign.
 */
void
_tare_super_symmetric (const TareSuperShape *shape,
                       gboolean              search,
                       const float          *x,
                       const float          *w,
                       float                *wanted,
                       TareSuper            *super,
                       float                *q)
{
  float plain[GROUPS], found[GROUPS];

  for (gsize b = 0; b < shape->n_groups; b++)
    {
      float minimum, maximum, offset;

      _tare_search_range (x + b * shape->group, shape->group, &minimum, &maximum);
      _tare_super_span (shape, minimum, maximum, &plain[b], &offset);
    }

  choose_symmetric (shape, super, plain, 1.0f);

  for (gsize b = 0; search && wanted == NULL && b < shape->n_groups; b++)
    found[b] = _tare_search_symmetric (x + b * shape->group, w + b * shape->group, shape->group,
                                       shape->lowest, shape->highest, plain[b], FALSE);
  if (search)
    search_symmetric (shape, super, x, w, plain, wanted != NULL ? wanted : found);

  for (gsize b = 0; b < shape->n_groups; b++)
    encode_group (shape, super, b, x, q + b * shape->group);
}
