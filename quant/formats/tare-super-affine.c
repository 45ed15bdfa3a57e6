/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-super-private.h"

#include <math.h>
#include <stdlib.h>

#include "quant/formats/tare-search-private.h"
#include "quant/formats/tare-side-grid-private.h"

/* Super-blocks whose groups have a scale and a minimum. As many of them as fill the lanes are
 * searched side by side, a group to a lane; what belongs to a super-block stands in all of its
 * lanes.
 *
 * 1. Each group finds a grid of its own: from several that end around its weights, by what least
 *    squares promise for their codes.
 * 2. The super-block's scales follow from those codes: rounding to multiples and least squares in
 *    turn, from several beginnings.
 * 3. The neighbours of each group's multiples are judged by their true error, and 2 and 3 repeated
 *    for the codes that they give.
 *
 * x: [n][LANES] weights of a group; w: [n][LANES] their importance */

/* Rounds of least squares for the scales of a super-block; later ones change next to nothing. A
 * start after the first gives the widest group a code that is lower by this share. */
#define N_ROUNDS 3
#define N_STARTS 3
#define START_STEP 0.07f

/* How often the neighbours of multiples are tried again. */
#define N_REPEATS 2

typedef struct
{
  float d[LANES];
  float dmin[LANES];
  float scale[LANES];
  float minimum[LANES];
} Supers;

TARE_INLINE float
clamp (float value,
       float limit)
{
  value = value > 0.0f ? value : 0.0f;

  return value < limit ? value : limit;
}

TARE_INLINE void
round_supers (Supers *super)
{
  TARE_SIDE_LOOP (k)
    {
      super->d[k] = round_scale (super->d[k]);
      super->dmin[k] = round_scale (super->dmin[k]);
    }
}

/* Rounds the scales and minimums of the groups to multiples of the super-block's, which the widest
 * needs so many times. */
TARE_INLINE void
choose_multiples (Supers      *super,
                  gsize        n_groups,
                  float        limit,
                  float        most,
                  const Grids *wanted)
{
  float largest[LANES], lowest[LANES], inverse[LANES], inverse_min[LANES];

  TARE_SIDE_LOOP (k)
    {
      largest[k] = wanted->scale[k] > 0.0f ? wanted->scale[k] : 0.0f;
      lowest[k] = wanted->offset[k] < 0.0f ? -wanted->offset[k] : 0.0f;
    }
  side_spread_largest (largest, n_groups);
  side_spread_largest (lowest, n_groups);

  TARE_SIDE_LOOP (k)
    {
      super->d[k] = largest[k] / most;
      super->dmin[k] = lowest[k] / most;
    }
  round_supers (super);
  side_invert (super->d, inverse);
  side_invert (super->dmin, inverse_min);

  TARE_SIDE_LOOP (k)
    {
      super->scale[k] = rintf (clamp (wanted->scale[k] * inverse[k], limit));
      super->minimum[k] = rintf (clamp (-wanted->offset[k] * inverse_min[k], limit));
    }
}

TARE_INLINE void
expand (const Supers *super,
        Grids        *grids)
{
  TARE_SIDE_LOOP (k)
    {
      grids->scale[k] = super->d[k] * super->scale[k];
      grids->offset[k] = -(super->dmin[k] * super->minimum[k]);
    }
}

/* The codes of each group with a grid. */
TARE_INLINE void
sum_codes (const TareSuperShape *shape,
           const Groups         *groups,
           gsize                 n,
           const Grids          *grids,
           TareSideSums         *sums)
{
  float inverse[LANES];

  side_invert (grids->scale, inverse);
  side_sum_affine (groups->x, groups->w, n, inverse, grids->offset, shape->lowest,
                   shape->highest, sums);
}

/* Least squares for d and dmin with all codes as they are: with u = s q and v = m, the weights are
 * x ~ d u - dmin v. */
TARE_INLINE void
refit_supers (Supers             *super,
              gsize               n_groups,
              const TareSideSums *sums)
{
  float uu[LANES], uv[LANES], vv[LANES], xu[LANES], xv[LANES];

  TARE_SIDE_LOOP (k)
    {
      float s = super->scale[k], m = super->minimum[k];

      uu[k] = s * s * sums->qq[k];
      uv[k] = s * m * sums->q[k];
      vv[k] = m * m * sums->w[k];
      xu[k] = s * sums->xq[k];
      xv[k] = m * sums->x[k];
    }
  side_spread_sum (uu, n_groups);
  side_spread_sum (uv, n_groups);
  side_spread_sum (vv, n_groups);
  side_spread_sum (xu, n_groups);
  side_spread_sum (xv, n_groups);

  TARE_SIDE_LOOP (k)
    {
      float determinant = uu[k] * vv[k] - uv[k] * uv[k];
      gboolean both = determinant > 1e-6f * uu[k] * vv[k], one = uu[k] > 0.0f;
      float inverse = 1.0f / (both ? determinant : one ? uu[k] : 1.0f);
      float d = both ? xu[k] * vv[k] - xv[k] * uv[k] : xu[k];
      float dmin = xu[k] * uv[k] - xv[k] * uu[k];

      super->d[k] = one ? d * inverse : super->d[k];
      super->dmin[k] = both ? dmin * inverse : super->dmin[k];
    }
  round_supers (super);
}

/* The best scale and minimum of each group with the codes as they are, the minimum near the one
 * that is wanted.
 *
 * loss: (out): the error of the super-block, less Σwx² */
TARE_INLINE void
assign_multiples (Supers             *super,
                  gsize               n_groups,
                  float               limit,
                  const Grids        *wanted,
                  const TareSideSums *sums,
                  float              *loss)
{
  float near[LANES], scale[LANES], minimum[LANES], inverse[LANES], least[LANES];

  side_invert (super->dmin, near);
  TARE_SIDE_LOOP (k)
    {
      float divisor = super->d[k] * sums->qq[k];

      inverse[k] = 1.0f / (divisor > 0.0f ? divisor : INFINITY);
      near[k] = floorf (clamp (-wanted->offset[k] * near[k], limit)) - 1.0f;
      least[k] = INFINITY;
      scale[k] = minimum[k] = 0.0f;
    }

  for (int c = 0; c < 4; c++)
    TARE_SIDE_LOOP (k)
      {
        float m = clamp (near[k] + (float) c, limit), o = -(super->dmin[k] * m);
        float s = rintf (clamp ((sums->xq[k] - o * sums->q[k]) * inverse[k], limit));
        float full = super->d[k] * s, sum;
        gboolean better;

        sum = full * (full * sums->qq[k] + 2.0f * (o * sums->q[k] - sums->xq[k]))
              + o * (o * sums->w[k] - 2.0f * sums->x[k]);
        better = sum < least[k];
        scale[k] = better ? s : scale[k];
        minimum[k] = better ? m : minimum[k];
        least[k] = better ? sum : least[k];
      }

  side_spread_sum (least, n_groups);
  TARE_SIDE_LOOP (k)
    {
      super->scale[k] = scale[k];
      super->minimum[k] = minimum[k];
      loss[k] = least[k];
    }
}

/* Keeps what is better, with its error. */
TARE_INLINE void
keep_supers (Supers       *best,
             float        *least,
             const Supers *super,
             const float  *error)
{
  TARE_SIDE_LOOP (k)
    {
      gboolean better = error[k] < least[k];

      best->d[k] = better ? super->d[k] : best->d[k];
      best->dmin[k] = better ? super->dmin[k] : best->dmin[k];
      best->scale[k] = better ? super->scale[k] : best->scale[k];
      best->minimum[k] = better ? super->minimum[k] : best->minimum[k];
      least[k] = better ? error[k] : least[k];
    }
}

/* From several scales of the super-block, for the codes that the groups want: the best that
 * rounding to multiples and least squares in turn come to. */
TARE_INLINE void
start_supers (Supers             *super,
              gsize               n_groups,
              float               limit,
              const Grids        *wanted,
              const TareSideSums *sums)
{
  Supers best = *super;
  float least[LANES], loss[LANES];

  TARE_SIDE_LOOP (k)
    least[k] = INFINITY;

  for (int start = 0; start < N_STARTS; start++)
    {
      choose_multiples (super, n_groups, limit, limit / (1.0f + START_STEP * (float) start),
                        wanted);
      for (int i = 0; i < N_ROUNDS; i++)
        {
          refit_supers (super, n_groups, sums);
          assign_multiples (super, n_groups, limit, wanted, sums, loss);
          keep_supers (&best, least, super, loss);
        }
    }

  *super = best;
}

/* Tries width x width multiples of each group from the first on, but the corners that change one
 * far without the other.
 *
 * total: (out): the error of the super-block */
TARE_INLINE void
try_multiples (const TareSuperShape *shape,
               const Groups         *groups,
               gsize                 n_groups,
               gsize                 n,
               int                   width,
               const float          *first_scale,
               const float          *first_minimum,
               Supers               *super,
               float                *total)
{
  float scale[LANES], minimum[LANES], least[LANES], limit = shape->max_scale;

  TARE_SIDE_LOOP (k)
    {
      least[k] = INFINITY;
      scale[k] = minimum[k] = 0.0f;
    }

  for (int c = 0; c < width * width; c++)
    {
      float s[LANES], m[LANES], scales[LANES], offsets[LANES], error[LANES];

      if (abs (c / width - c % width) > 2)
        continue;

      TARE_SIDE_LOOP (k)
        {
          s[k] = clamp (first_scale[k] + (float) (c / width), limit);
          m[k] = clamp (first_minimum[k] + (float) (c % width), limit);
          scales[k] = super->d[k] * s[k];
          offsets[k] = -(super->dmin[k] * m[k]);
        }
      side_measure_affine (groups->x, groups->w, n, scales, offsets, shape->lowest, shape->highest,
                           error);
      TARE_SIDE_LOOP (k)
        {
          gboolean better = error[k] < least[k];

          scale[k] = better ? s[k] : scale[k];
          minimum[k] = better ? m[k] : minimum[k];
          least[k] = better ? error[k] : least[k];
        }
    }

  side_spread_sum (least, n_groups);
  TARE_SIDE_LOOP (k)
    {
      super->scale[k] = scale[k];
      super->minimum[k] = minimum[k];
      total[k] = least[k];
    }
}

/* Around what each group wants. */
TARE_INLINE void
refine_wanted (const TareSuperShape *shape,
               const Groups         *groups,
               gsize                 n_groups,
               gsize                 n,
               const Grids          *wanted,
               Supers               *super,
               float                *total)
{
  float scale[LANES], minimum[LANES];

  side_invert (super->d, scale);
  side_invert (super->dmin, minimum);
  TARE_SIDE_LOOP (k)
    {
      scale[k] = floorf (clamp (wanted->scale[k] * scale[k], shape->max_scale)) - 1.0f;
      minimum[k] = floorf (clamp (-wanted->offset[k] * minimum[k], shape->max_scale)) - 1.0f;
    }

  try_multiples (shape, groups, n_groups, n, 4, scale, minimum, super, total);
}

/* Around what each group has. */
TARE_INLINE void
refine_multiples (const TareSuperShape *shape,
                  const Groups         *groups,
                  gsize                 n_groups,
                  gsize                 n,
                  Supers               *super,
                  float                *total)
{
  float scale[LANES], minimum[LANES];

  TARE_SIDE_LOOP (k)
    {
      scale[k] = super->scale[k] - 1.0f;
      minimum[k] = super->minimum[k] - 1.0f;
    }

  try_multiples (shape, groups, n_groups, n, 3, scale, minimum, super, total);
}

/* From end to end of each group, as _tare_super_span() has it.
 *
 * grids: (out) */
TARE_INLINE void
span_groups (const TareSuperShape *shape,
             const Groups         *groups,
             Grids                *grids)
{
  TARE_SIDE_LOOP (k)
    {
      float low = groups->minimum[k] < 0.0f ? groups->minimum[k] : 0.0f;
      float high = groups->maximum[k] > low ? groups->maximum[k] : low;

      grids->scale[k] = high / shape->highest - low / shape->highest;
      grids->offset[k] = low;
    }
}

TARE_INLINE void
search_supers (const TareSuperShape *shape,
               gsize                 n_groups,
               gsize                 n,
               const float          *x,
               const float          *w,
               gsize                 n_supers,
               Supers               *super)
{
  float least[LANES], error[LANES], limit = shape->max_scale;
  Groups groups;
  Grids ends, grids;
  TareSideSums sums;
  Supers best;

  load_groups (x, w, n_supers * n_groups, n, &groups);
  span_groups (shape, &groups, &ends);
  choose_multiples (super, n_groups, limit, limit, &ends);
  expand (super, &grids);
  side_measure_affine (groups.x, groups.w, n, grids.scale, grids.offset, shape->lowest,
                       shape->highest, least);
  side_spread_sum (least, n_groups);
  best = *super;

  grids = ends;
  search_grids (&groups, n, shape->lowest, shape->highest, TRUE, &grids);
  keep_ends (&groups, &ends, &grids);
  side_sum_weights (groups.x, groups.w, n, &sums);
  sum_codes (shape, &groups, n, &grids, &sums);
  start_supers (super, n_groups, limit, &grids, &sums);
  refine_wanted (shape, &groups, n_groups, n, &grids, super, error);
  keep_supers (&best, least, super, error);

  for (int i = 0; i < N_REPEATS; i++)
    {
      expand (super, &grids);
      sum_codes (shape, &groups, n, &grids, &sums);
      refit_supers (super, n_groups, &sums);
      assign_multiples (super, n_groups, limit, &grids, &sums, error);
      refine_multiples (shape, &groups, n_groups, n, super, error);
      keep_supers (&best, least, super, error);
    }

  *super = best;
}

/* The groups of super-blocks have one of two shapes, each with loops of its own. */
TARE_CLONES static void
search_eights (const TareSuperShape *shape,
               const float          *x,
               const float          *w,
               gsize                 n_supers,
               Supers               *super)
{
  search_supers (shape, 8, 32, x, w, n_supers, super);
}

TARE_CLONES static void
search_sixteens (const TareSuperShape *shape,
                 const float          *x,
                 const float          *w,
                 gsize                 n_supers,
                 Supers               *super)
{
  search_supers (shape, 16, 16, x, w, n_supers, super);
}

/* Each group from end to end. */
static void
span_supers (const TareSuperShape *shape,
             const float          *x,
             gsize                 n_supers,
             Supers               *super)
{
  Grids ends = { .scale = { 0.0f } };

  for (gsize b = 0; b < n_supers * shape->n_groups; b++)
    {
      float minimum, maximum;

      _tare_search_range (x + b * shape->group, shape->group, &minimum, &maximum);
      _tare_super_span (shape, minimum, maximum, &ends.scale[b], &ends.offset[b]);
    }

  if (shape->n_groups == 8)
    choose_multiples (super, 8, shape->max_scale, shape->max_scale, &ends);
  else
    choose_multiples (super, 16, shape->max_scale, shape->max_scale, &ends);
}

/**
 * _tare_super_affine:
 * @search: whether to search, else each group reaches from end to end
 * @x: the weights of super-blocks, one after the other
 * @w: their importance
 * @n_supers: as many as fill the lanes, or fewer
 * @super: (out): their scales
 * @q: (out): their codes
 *
 * Encodes super-blocks whose groups have a scale and a minimum.
 */
void
_tare_super_affine (const TareSuperShape *shape,
                    gboolean              search,
                    const float          *x,
                    const float          *w,
                    gsize                 n_supers,
                    TareSuper            *super,
                    float                *q)
{
  Supers supers;

  if (!search)
    span_supers (shape, x, n_supers, &supers);
  else if (shape->n_groups == 8)
    search_eights (shape, x, w, n_supers, &supers);
  else
    search_sixteens (shape, x, w, n_supers, &supers);

  for (gsize b = 0; b < n_supers * shape->n_groups; b++)
    {
      TareSuper *one = super + b / shape->n_groups;
      gsize at = b % shape->n_groups;

      one->d = supers.d[b];
      one->dmin = supers.dmin[b];
      one->scale[at] = supers.scale[b];
      one->minimum[at] = supers.minimum[b];
      _tare_search_encode (x + b * shape->group, shape->group, supers.d[b] * supers.scale[b],
                           -(supers.dmin[b] * supers.minimum[b]), 0.0f, shape->highest,
                           q + b * shape->group);
    }
}
