/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-super-private.h"

#include <math.h>

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
#define START_STEP 0.07f

TARE_INLINE float
group_scale (const TareSuper *super,
             gsize            b)
{
  return super->d * super->scale[b];
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
