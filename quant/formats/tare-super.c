/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-super-private.h"

#include <float.h>
#include <math.h>

#include "quant/formats/tare-search-private.h"
#include "quant/formats/tare-side-private.h"

/* Super-blocks whose groups have a scale only, searched side by side as those with a minimum are:
 * each group finds a scale of its own, the super-block's follows from their codes, and then the
 * neighbours of each group's multiple are judged by their true error.
 *
 * x: [n][LANES] weights of a group; w: [n][LANES] their importance */

#define LANES TARE_SIDE_LANES

/* The longest group. */
#define LONGEST 32

/* A reach is the number of steps from 0 to the weight of largest magnitude, on the side of the
 * lowest code or, with the other sign, of the highest: a little less than all the codes spreads
 * them thinner, more clips that weight. */
#define N_DOWNWARD 16
#define N_REACHES 32
#define DOWNWARD_FROM -1.65f
#define DOWNWARD_STEP 0.3f
#define UPWARD_FROM -0.9f
#define UPWARD_STEP 0.25f

/* The same as a share of the last uneven level. */
#define UNEVEN_FROM 0.66f
#define UNEVEN_STEP 0.036f

/* Rounds of least squares for the scale of a super-block; later ones change next to nothing. A
 * start after the first gives the widest group a code that is lower by this share. */
#define N_ROUNDS 3
#define N_STARTS 3
#define START_STEP 0.07f

/* How many multiples to either side of a group's are tried: of the plain scale, of the one searched
 * and after least squares for that. Where few groups are much wider than the others only the plain
 * one may hold them all. */
#define WIDTH_PLAIN 2
#define WIDTH_FIRST 8
#define WIDTH_AGAIN 2

typedef struct
{
  float x[LONGEST * LANES];
  float w[LONGEST * LANES];
  float extreme[LANES];
} Groups;

typedef struct
{
  float d[LANES];
  float scale[LANES];
} Supers;

/* Of each group the scale that it would take for itself, and Σwxq and Σwq² of its codes. */
typedef struct
{
  float scale[LANES];
  float xq[LANES];
  float qq[LANES];
} Wanted;

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

TARE_INLINE float
clamp (float value,
       float lowest,
       float highest)
{
  value = value > lowest ? value : lowest;

  return value < highest ? value : highest;
}

/* Rounds the scales of the groups to multiples of the super-block's, of which the widest is so
 * many. */
TARE_INLINE void
choose_multiples (const TareSuperShape *shape,
                  gsize                 n_groups,
                  const float          *scale,
                  float                 most,
                  Supers               *super)
{
  float above[LANES], below[LANES], inverse[LANES];

  TARE_SIDE_LOOP (k)
    {
      above[k] = scale[k] > 0.0f ? scale[k] : 0.0f;
      below[k] = scale[k] < 0.0f ? -scale[k] : 0.0f;
    }
  side_spread_largest (above, n_groups);
  side_spread_largest (below, n_groups);

  TARE_SIDE_LOOP (k)
    super->d[k] = round_scale ((above[k] > below[k] ? above[k] : -below[k]) / most);
  side_invert (super->d, inverse);
  TARE_SIDE_LOOP (k)
    super->scale[k] = rintf (clamp (scale[k] * inverse[k], shape->min_scale, shape->max_scale));
}

/* The best scale of each group: what the most promising reach leads to. */
TARE_INLINE void
try_reaches (const TareSuperShape *shape,
             const Groups         *groups,
             gsize                 n,
             gboolean              uneven,
             Wanted               *wanted)
{
  float least[LANES], reciprocal[LANES];

  TARE_SIDE_LOOP (k)
    least[k] = wanted->scale[k] = wanted->xq[k] = wanted->qq[k] = 0.0f;
  side_invert (groups->extreme, reciprocal);

  for (int c = 0; c < N_REACHES; c++)
    {
      float inverse[LANES], xq[LANES], qq[LANES], reach;
      int side = c % N_DOWNWARD;

      if (uneven)
        reach = (UNEVEN_FROM + UNEVEN_STEP * (float) side)
                * (c < N_DOWNWARD ? shape->lowest : shape->highest);
      else if (c < N_DOWNWARD)
        reach = shape->lowest - (DOWNWARD_FROM + DOWNWARD_STEP * (float) side);
      else
        reach = shape->highest + UPWARD_FROM + UPWARD_STEP * (float) side;

      TARE_SIDE_LOOP (k)
        inverse[k] = reach * reciprocal[k];
      side_sum_symmetric (groups->x, groups->w, n, uneven, inverse, shape->lowest, shape->highest,
                          xq, qq);
      TARE_SIDE_LOOP (k)
        {
          float scale = xq[k] / (qq[k] > FLT_MIN ? qq[k] : FLT_MIN), loss = -xq[k] * scale;
          gboolean better = loss < least[k];

          least[k] = better ? loss : least[k];
          wanted->scale[k] = better ? scale : wanted->scale[k];
          wanted->xq[k] = better ? xq[k] : wanted->xq[k];
          wanted->qq[k] = better ? qq[k] : wanted->qq[k];
        }
    }
}

/* Least squares for d with all codes as they are. */
TARE_INLINE void
refit_supers (gsize         n_groups,
              const Wanted *sums,
              Supers       *super)
{
  float uu[LANES], xu[LANES];

  TARE_SIDE_LOOP (k)
    {
      uu[k] = super->scale[k] * super->scale[k] * sums->qq[k];
      xu[k] = super->scale[k] * sums->xq[k];
    }
  side_spread_sum (uu, n_groups);
  side_spread_sum (xu, n_groups);

  TARE_SIDE_LOOP (k)
    {
      float d = round_scale (xu[k] / (uu[k] > FLT_MIN ? uu[k] : FLT_MIN));

      super->d[k] = uu[k] > FLT_MIN ? d : super->d[k];
    }
}

/* The best multiple of each group with the codes as they are.
 *
 * loss: (out): the error of the super-block, less Σwx² */
TARE_INLINE void
assign_multiples (const TareSuperShape *shape,
                  gsize                 n_groups,
                  const Wanted         *sums,
                  Supers               *super,
                  float                *loss)
{
  TARE_SIDE_LOOP (k)
    {
      float divisor = super->d[k] * sums->qq[k];
      float s = sums->xq[k] / (divisor != 0.0f ? divisor : INFINITY), full;

      s = rintf (clamp (s, shape->min_scale, shape->max_scale));
      full = super->d[k] * s;
      super->scale[k] = s;
      loss[k] = full * (full * sums->qq[k] - 2.0f * sums->xq[k]);
    }
  side_spread_sum (loss, n_groups);
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
      best->scale[k] = better ? super->scale[k] : best->scale[k];
      least[k] = better ? error[k] : least[k];
    }
}

/* From several scales of the super-block, for the codes that the groups want: the best that
 * rounding to multiples and least squares in turn come to. */
TARE_INLINE void
start_supers (const TareSuperShape *shape,
              gsize                 n_groups,
              const Wanted         *wanted,
              Supers               *super)
{
  Supers best = *super;
  float least[LANES], loss[LANES];

  TARE_SIDE_LOOP (k)
    least[k] = INFINITY;

  for (int start = 0; start < N_STARTS; start++)
    {
      choose_multiples (shape, n_groups, wanted->scale,
                        shape->min_scale / (1.0f + START_STEP * (float) start), super);
      for (int i = 0; i < N_ROUNDS; i++)
        {
          refit_supers (n_groups, wanted, super);
          assign_multiples (shape, n_groups, wanted, super, loss);
          keep_supers (&best, least, super, loss);
        }
    }

  *super = best;
}

/* Tries so many multiples to either side of each group's.
 *
 * total: (out): the error of the super-block */
TARE_INLINE void
try_multiples (const TareSuperShape *shape,
               const Groups         *groups,
               gsize                 n_groups,
               gsize                 n,
               gboolean              uneven,
               int                   width,
               Supers               *super,
               float                *total)
{
  float scale[LANES], least[LANES];

  TARE_SIDE_LOOP (k)
    {
      least[k] = INFINITY;
      scale[k] = 0.0f;
    }

  for (int c = -width; c <= width; c++)
    {
      float s[LANES], scales[LANES], error[LANES];

      TARE_SIDE_LOOP (k)
        {
          s[k] = clamp (super->scale[k] + (float) c, shape->min_scale, shape->max_scale);
          scales[k] = super->d[k] * s[k];
        }
      side_measure_symmetric (groups->x, groups->w, n, uneven, scales, shape->lowest,
                              shape->highest, error);
      TARE_SIDE_LOOP (k)
        {
          gboolean better = error[k] < least[k];

          scale[k] = better ? s[k] : scale[k];
          least[k] = better ? error[k] : least[k];
        }
    }

  side_spread_sum (least, n_groups);
  TARE_SIDE_LOOP (k)
    {
      super->scale[k] = scale[k];
      total[k] = least[k];
    }
}

TARE_INLINE void
load_groups (const float *x,
             const float *w,
             gsize        n_groups,
             gsize        n,
             Groups      *groups)
{
  float minimum[LANES], maximum[LANES];

  side_load (x, n_groups, n, groups->x);
  side_load (w, n_groups, n, groups->w);
  side_range (groups->x, n, minimum, maximum);
  TARE_SIDE_LOOP (k)
    groups->extreme[k] = -minimum[k] > maximum[k] ? minimum[k] : maximum[k];
}

/* Groups of weights that no sum in single precision holds keep the plain scale. */
TARE_INLINE void
keep_plain (const Groups *groups,
            const float  *plain,
            Wanted       *wanted)
{
  TARE_SIDE_LOOP (k)
    {
      float largest = fabsf (groups->extreme[k]);
      gboolean held = largest >= TARE_SEARCH_SMALLEST && largest <= TARE_SEARCH_LARGEST;

      wanted->scale[k] = held ? wanted->scale[k] : plain[k];
      wanted->xq[k] = held ? wanted->xq[k] : 0.0f;
      wanted->qq[k] = held ? wanted->qq[k] : 0.0f;
    }
}

TARE_INLINE void
search_supers (const TareSuperShape *shape,
               gsize                 n_groups,
               gsize                 n,
               gboolean              uneven,
               const float          *x,
               const float          *w,
               gsize                 n_supers,
               Supers               *super)
{
  float plain[LANES], scale[LANES], least[LANES], error[LANES];
  Groups groups;
  Wanted wanted;
  Supers best;

  load_groups (x, w, n_supers * n_groups, n, &groups);
  TARE_SIDE_LOOP (k)
    plain[k] = groups.extreme[k] / shape->lowest;
  choose_multiples (shape, n_groups, plain, shape->min_scale, super);
  try_multiples (shape, &groups, n_groups, n, uneven, WIDTH_PLAIN, super, least);
  best = *super;

  try_reaches (shape, &groups, n, uneven, &wanted);
  keep_plain (&groups, plain, &wanted);
  start_supers (shape, n_groups, &wanted, super);
  try_multiples (shape, &groups, n_groups, n, uneven, WIDTH_FIRST, super, error);
  keep_supers (&best, least, super, error);

  TARE_SIDE_LOOP (k)
    scale[k] = super->d[k] * super->scale[k];
  side_invert (scale, scale);
  side_sum_symmetric (groups.x, groups.w, n, uneven, scale, shape->lowest, shape->highest,
                      wanted.xq, wanted.qq);
  refit_supers (n_groups, &wanted, super);
  try_multiples (shape, &groups, n_groups, n, uneven, WIDTH_AGAIN, super, error);
  keep_supers (&best, least, super, error);

  *super = best;
}

TARE_CLONES static void
search_even (const TareSuperShape *shape,
             const float          *x,
             const float          *w,
             gsize                 n_supers,
             Supers               *super)
{
  search_supers (shape, 16, 16, FALSE, x, w, n_supers, super);
}

TARE_CLONES static void
search_uneven (const TareSuperShape *shape,
               const float          *x,
               const float          *w,
               gsize                 n_supers,
               Supers               *super)
{
  search_supers (shape, 8, 32, TRUE, x, w, n_supers, super);
}

/* Each group to its largest magnitude. */
static void
span_supers (const TareSuperShape *shape,
             const float          *x,
             gsize                 n_supers,
             Supers               *super)
{
  float plain[LANES] = { 0.0f }, offset;

  for (gsize b = 0; b < n_supers * shape->n_groups; b++)
    {
      float minimum, maximum;

      _tare_search_range (x + b * shape->group, shape->group, &minimum, &maximum);
      _tare_super_span (shape, minimum, maximum, &plain[b], &offset);
    }

  if (shape->n_groups == 8)
    choose_multiples (shape, 8, plain, shape->min_scale, super);
  else
    choose_multiples (shape, 16, plain, shape->min_scale, super);
}

TARE_CLONES static void
encode_levels (const float *x,
               gsize        n,
               float        scale,
               float       *q)
{
  float inverse = invert (scale);

  #pragma omp simd
  for (gsize j = 0; j < n; j++)
    q[j] = side_round_level (x[j] * inverse);
}

/**
 * _tare_super_symmetric:
 * @search: whether to search, else each group reaches to its largest magnitude
 * @x: the weights of super-blocks, one after the other
 * @w: their importance
 * @n_supers: as many as fill the lanes, or fewer
 * @super: (out): their scales
 * @q: (out): their codes, or the levels of an uneven grid
 *
 * Encodes super-blocks whose groups have a scale, and codes a sign.
 */
void
_tare_super_symmetric (const TareSuperShape *shape,
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
  else if (shape->uneven)
    search_uneven (shape, x, w, n_supers, &supers);
  else
    search_even (shape, x, w, n_supers, &supers);

  for (gsize b = 0; b < n_supers * shape->n_groups; b++)
    {
      TareSuper *one = super + b / shape->n_groups;
      float scale = supers.d[b] * supers.scale[b];

      one->d = supers.d[b];
      one->scale[b % shape->n_groups] = supers.scale[b];
      if (shape->uneven)
        encode_levels (x + b * shape->group, shape->group, scale, q + b * shape->group);
      else
        _tare_search_encode (x + b * shape->group, shape->group, scale, 0.0f, shape->lowest,
                             shape->highest, q + b * shape->group);
    }
}
