/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <float.h>

#include "quant/formats/tare-search-private.h"
#include "quant/formats/tare-side-private.h"

G_BEGIN_DECLS

/* The search for a scale and an offset of sixteen groups side by side.
 *
 * x: [n][LANES] weights of a group; w: [n][LANES] their importance */

#define LANES TARE_SIDE_LANES

/* The longest group. */
#define LONGEST 32

/* How far, in steps, the ends of a grid lie inside the ends of the weights. Where importance
 * differs, the best grid may leave more outside, and more of the way to it is worth going; so it is
 * where the codes are few, and where nothing binds the offset. */
#define N_INSETS 5
#define N_INSETS_ALIKE 4

static const float insets[N_INSETS] = { -0.1f, 0.4f, 1.0f, 1.8f, 3.0f };

/* How often least squares move the grids that are kept. */
#define N_MOVES 2

/* Codes up to which all grids are moved once. */
#define FEW_CODES 3.0f

typedef struct
{
  float x[LONGEST * LANES];
  float w[LONGEST * LANES];
  float minimum[LANES];
  float maximum[LANES];
  gboolean weighted;
} Groups;

/* A grid of each group, and the error with it, less what does not depend on it. */
typedef struct
{
  float scale[LANES];
  float offset[LANES];
  float loss[LANES];
} Grids;

/* Least squares for each lane with an offset that must not exceed limit; weights have been moved so
 * that the smallest is 0. */
TARE_INLINE void
solve_grids (const TareSideSums *sums,
             const float        *limit,
             Grids              *grids)
{
  TARE_SIDE_LOOP (k)
    {
      float w = sums->w[k], x = sums->x[k], q = sums->q[k], qq = sums->qq[k], xq = sums->xq[k];
      float determinant = w * qq - q * q, most = limit[k];
      float solved = determinant > 1e-6f * w * qq ? 1.0f : 0.0f;
      float inverse = solved / (determinant > 1e-6f * w * qq ? determinant : 1.0f);
      float s = (w * xq - x * q) * inverse, m = (qq * x - q * xq) * inverse;
      float bound = solved * (xq - most * q) / (qq > FLT_MIN ? qq : FLT_MIN);
      float loss;

      s = m > most ? bound : s;
      m = m > most ? most : m;
      loss = s * (s * qq + 2.0f * (m * q - xq)) + m * (m * w - 2.0f * x);

      grids->scale[k] = s;
      grids->offset[k] = m;
      grids->loss[k] = s > 0.0f ? loss : 0.0f;
    }
}

/* Where no grid was found its scale is 0. */
TARE_INLINE void
move_grids (const float  *x,
            const Groups *groups,
            gsize         n,
            const float  *limit,
            float         lowest,
            float         highest,
            TareSideSums *sums,
            Grids        *grids)
{
  float inverse[LANES];

  TARE_SIDE_LOOP (k)
    inverse[k] = 1.0f / (grids->scale[k] > FLT_MIN ? grids->scale[k] : INFINITY);
  side_sum_affine (x, groups->w, n, inverse, grids->offset, lowest, highest, sums);
  solve_grids (sums, limit, grids);
}

TARE_INLINE void
keep_better (Grids       *best,
             const Grids *grids)
{
  TARE_SIDE_LOOP (k)
    {
      gboolean better = grids->loss[k] < best->loss[k];

      best->scale[k] = better ? grids->scale[k] : best->scale[k];
      best->offset[k] = better ? grids->offset[k] : best->offset[k];
      best->loss[k] = better ? grids->loss[k] : best->loss[k];
    }
}

/* Keeps the best two. */
TARE_INLINE void
keep_two (Grids       *first,
          Grids       *second,
          const Grids *grids)
{
  Grids worse;

  TARE_SIDE_LOOP (k)
    {
      gboolean better = grids->loss[k] < first->loss[k];

      worse.scale[k] = better ? first->scale[k] : grids->scale[k];
      worse.offset[k] = better ? first->offset[k] : grids->offset[k];
      worse.loss[k] = better ? first->loss[k] : grids->loss[k];
      first->scale[k] = better ? grids->scale[k] : first->scale[k];
      first->offset[k] = better ? grids->offset[k] : first->offset[k];
      first->loss[k] = better ? grids->loss[k] : first->loss[k];
    }
  keep_better (second, &worse);
}

/* The grid that each group would take for itself, if bounded with an offset that is not positive.
 *
 * grids: (inout): kept where there is no better */
TARE_INLINE void
search_grids (const Groups *groups,
              gsize         n,
              float         lowest,
              float         highest,
              gboolean      bounded,
              Grids        *grids)
{
  float moved[LONGEST * LANES], limit[LANES], step[LANES];
  int n_insets = groups->weighted ? N_INSETS : N_INSETS_ALIKE;
  gboolean all = groups->weighted || highest <= FEW_CODES || !bounded;
  Grids first = { .loss = { 0.0f } }, second = first;
  TareSideSums sums;

  TARE_SIDE_LOOP (k)
    {
      step[k] = (groups->maximum[k] - groups->minimum[k]) / highest;
      limit[k] = bounded ? -groups->minimum[k] : INFINITY;
    }
  for (gsize j = 0; j < n; j++)
    TARE_SIDE_LOOP (k)
      moved[j * LANES + k] = groups->x[j * LANES + k] - groups->minimum[k];
  side_sum_weights (moved, groups->w, n, &sums);

  for (int c = 0; c < n_insets * n_insets; c++)
    {
      float from = insets[c / n_insets], steps = highest - from - insets[c % n_insets];
      Grids next;

      TARE_SIDE_LOOP (k)
        {
          next.scale[k] = steps > 0.0f ? steps / highest * step[k] : 0.0f;
          next.offset[k] = from * step[k];
        }
      move_grids (moved, groups, n, limit, lowest, highest, &sums, &next);
      if (all)
        move_grids (moved, groups, n, limit, lowest, highest, &sums, &next);
      keep_two (&first, &second, &next);
    }

  for (int i = 0; i < N_MOVES; i++)
    {
      Grids next = first, other = second;

      move_grids (moved, groups, n, limit, lowest, highest, &sums, &next);
      keep_better (&first, &next);
      move_grids (moved, groups, n, limit, lowest, highest, &sums, &other);
      keep_better (&second, &other);
    }
  keep_better (&first, &second);

  TARE_SIDE_LOOP (k)
    {
      gboolean found = first.scale[k] > 0.0f;

      grids->scale[k] = found ? first.scale[k] : grids->scale[k];
      grids->offset[k] = found ? first.offset[k] + groups->minimum[k] : grids->offset[k];
    }
}

TARE_INLINE void
load_groups (const float *x,
             const float *w,
             gsize        n_groups,
             gsize        n,
             Groups      *groups)
{
  side_load (x, n_groups, n, groups->x);
  side_load (w, n_groups, n, groups->w);
  side_range (groups->x, n, groups->minimum, groups->maximum);

  groups->weighted = FALSE;
  for (gsize j = 1; j < n_groups * n; j++)
    groups->weighted |= w[j] != w[0];
}

/* Groups of all weights that no sum in single precision holds keep their ends. */
TARE_INLINE void
keep_ends (const Groups *groups,
           const Grids  *ends,
           Grids        *grids)
{
  TARE_SIDE_LOOP (k)
    {
      float low = -groups->minimum[k], high = groups->maximum[k];
      float largest = low > high ? low : high;
      gboolean held = largest >= TARE_SEARCH_SMALLEST && largest <= TARE_SEARCH_LARGEST;

      grids->scale[k] = held ? grids->scale[k] : ends->scale[k];
      grids->offset[k] = held ? grids->offset[k] : ends->offset[k];
    }
}

G_END_DECLS
