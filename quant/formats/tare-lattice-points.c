/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-lattice-points-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-half.h"
#include "quant/tare-simd.h"

/* The search for points.
 *
 * With a scale s, a point p and signs that agree, eight weights have the error
 * Σwx² + s (s b - a), where a = 2 Σw|x|p and b = Σwp². The best point for a scale is the one of
 * least s b - a, which is a sum over both halves of the point: it is found for all numbers that a
 * half can have, and then for each second half the least of the first halves that go with it. An
 * odd number of negative weights, where only even ones can be stored, costs the point the sign of
 * the element of least w|x|p, 4 w|x|p.
 *
 * Sixteen searches go side by side, a lane each: scales of one vector, or vectors. */

#define LANES TARE_SEARCH_LANES
#define HALVES TARE_LATTICE_HALVES
#define WIDTH TARE_LATTICE_WIDTH

/* The most different elements that half a point has, counted for each place. */
#define COSTS 16

/* Bits for the number of half a point. */
#define INDEX (guint32) 127

/* What the numbers of half a point cost: as they are, and with the cheapest of the signs lost. */
typedef struct
{
  float low[HALVES][LANES];
  float high[HALVES][LANES];
  float low_flipped[HALVES][LANES];
  float high_flipped[HALVES][LANES];
} Halves;

/* From what the elements cost what halves do: the sum, or the least.
 *
 * cost: [n_elements x n_magnitudes] */
TARE_INLINE void
join_costs (const float cost[][LANES],
            gsize       n_elements,
            gsize       n_magnitudes,
            gboolean    least,
            float       table[][LANES])
{
  gsize size = 1;

  for (gsize k = 0; k < LANES; k++)
    table[0][k] = least ? INFINITY : 0.0f;

  for (gsize e = 0; e < n_elements; e++, size *= n_magnitudes)
    for (gsize m = n_magnitudes; m-- > 0;)
      for (gsize i = 0; i < size; i++)
        {
          const float *from = table[i], *c = cost[e * n_magnitudes + m];
          float *to = table[m * size + i];

          TARE_VECTOR_LOOP
          for (gsize k = 0; k < LANES; k++)
            to[k] = !least ? from[k] + c[k] : c[k] < from[k] ? c[k] : from[k];
        }
}

/* Half a point: elements from at on. flips: (nullable): the lanes that must lose a sign */
TARE_INLINE void
cost_half (const TareLattice        *lattice,
           const TareLatticeVectors *vectors,
           gsize                     at,
           gsize                     n_elements,
           gsize                     n_magnitudes,
           gboolean                  sign,
           float                     shift,
           const float              *flips,
           float                     rest,
           float                     table[][LANES],
           float                     flipped[][LANES])
{
  float cost[COSTS][LANES], lost[COSTS][LANES];

  for (gsize e = 0; e < n_elements; e++)
    for (gsize m = 0; m < n_magnitudes; m++)
      {
        const float *restrict x = vectors->x[at + e], *restrict w = vectors->w[at + e];
        float *restrict c = cost[e * n_magnitudes + m], *restrict l = lost[e * n_magnitudes + m];
        float p = (float) lattice->magnitudes[m] + shift;

        TARE_VECTOR_LOOP
        for (gsize k = 0; k < LANES; k++)
          {
            float wx = w[k] * (sign ? x[k] : fabsf (x[k]));

            c[k] = p * (vectors->scale[k] * w[k] * p - 2.0f * wx);
            l[k] = 4.0f * p * wx;
          }
      }

  join_costs (cost, n_elements, n_magnitudes, FALSE, table);
  if (flips == NULL)
    return;

  join_costs (lost, n_elements, n_magnitudes, TRUE, flipped);
  for (gsize i = 0; i < lattice->n_halves; i++)
    {
      const float *from = table[i];
      float *to = flipped[i];

      TARE_VECTOR_LOOP
      for (gsize k = 0; k < LANES; k++)
        {
          float loss = to[k];

          to[k] = from[k] + (flips[k] != 0.0f ? loss : rest);
        }
    }
}

/* The number of a first half replaces the last bits of what it costs. */
TARE_INLINE void
tag_halves (float table[][LANES],
            gsize n)
{
  for (guint32 i = 0; i < (guint32) n; i++)
    {
      float *half = table[i];

      TARE_VECTOR_LOOP
      for (gsize k = 0; k < LANES; k++)
        half[k] = tare_float_from_bits ((tare_float_to_bits (half[k]) & ~INDEX) | i);
    }
}

/* The least of the first halves of a run, four at a time. The compiler must not know how many there
 * are, or it takes two rounds at once and lanes one by one. */
TARE_INLINE void
find_least_half (const float   table[][LANES],
                 const guint8 *quads,
                 float        *half)
{
  float least[LANES];

  for (gsize k = 0; k < LANES; k++)
    least[k] = INFINITY;

  for (gboolean more = TRUE; more; quads += 4)
    {
      const float *restrict a = table[quads[0]], *restrict b = table[quads[1]];
      const float *restrict c = table[quads[2]], *restrict d = table[quads[3] & INDEX];

      TARE_VECTOR_LOOP
      for (gsize k = 0; k < LANES; k++)
        {
          float first = a[k] < b[k] ? a[k] : b[k], second = c[k] < d[k] ? c[k] : d[k];

          first = first < second ? first : second;
          least[k] = first < least[k] ? first : least[k];
        }

      more = (quads[3] & TARE_LATTICE_LAST) == 0;
    }

  memcpy (half, least, sizeof least);
}

/* The best point for each lane, as the number of its run and of its first half; with constant flip
 * this becomes two kernels. */
TARE_INLINE void
pick_runs (const TareLattice *lattice,
           const Halves      *halves,
           gboolean           flip,
           float             *value,
           gint32            *run,
           guint32           *low)
{
  float best[LANES], half[LANES], least[LANES], other[LANES];

  for (gsize k = 0; k < LANES; k++)
    {
      best[k] = INFINITY;
      half[k] = 0.0f;
      run[k] = 0;
    }

  for (gsize r = 0; r < lattice->n_runs; r++)
    {
      const float *restrict high = halves->high[lattice->run_high[r]];
      const float *restrict lost = halves->high_flipped[lattice->run_high[r]];
      const guint8 *quads = lattice->quads + lattice->run_quad[r];

      find_least_half (halves->low, quads, least);
      if (flip)
        find_least_half (halves->low_flipped, quads, other);

      TARE_VECTOR_LOOP
      for (gsize k = 0; k < LANES; k++)
        {
          float first = (flip ? lost[k] : high[k]) + least[k];
          float second = flip ? high[k] + other[k] : INFINITY;
          float total = second < first ? second : first;
          float found = second < first && flip ? other[k] : least[k];
          float last = best[k];

          half[k] = total < last ? found : half[k];
          run[k] = total < last ? (gint32) r : run[k];
          best[k] = total < last ? total : last;
        }
    }

  for (gsize k = 0; k < LANES; k++)
    {
      value[k] = best[k];
      low[k] = tare_float_to_bits (half[k]) & INDEX;
    }
}

TARE_CLONES static void
pick_plain (const TareLattice *lattice,
            const Halves      *halves,
            float             *value,
            gint32            *run,
            guint32           *low)
{
  pick_runs (lattice, halves, FALSE, value, run, low);
}

TARE_CLONES static void
pick_flipped (const TareLattice *lattice,
              const Halves      *halves,
              float             *value,
              gint32            *run,
              guint32           *low)
{
  pick_runs (lattice, halves, TRUE, value, run, low);
}

static void
pick_points (const TareLattice *lattice,
             const Halves      *halves,
             gboolean           flip,
             float             *value,
             guint16           *point)
{
  gint32 run[LANES];
  guint32 low[LANES];

  if (flip)
    pick_flipped (lattice, halves, value, run, low);
  else
    pick_plain (lattice, halves, value, run, low);

  for (gsize k = 0; k < LANES; k++)
    {
      gsize i = lattice->run_begin[run[k]];

      while (i + 1 < lattice->run_begin[run[k] + 1] && lattice->low[i] != low[k])
        i++;
      point[k] = (guint16) i;
    }
}

/* Points of which the first element is number at of a vector. */
TARE_CLONES static void
cost_halves (const TareLattice        *lattice,
             const TareLatticeVectors *vectors,
             gsize                     at,
             gboolean                  sign,
             float                     shift,
             const float              *flips,
             Halves                   *halves)
{
  if (lattice->n_elements == 8)
    {
      cost_half (lattice, vectors, at, 4, 3, sign, shift, flips, INFINITY, halves->low,
                 halves->low_flipped);
      cost_half (lattice, vectors, at + 4, 4, 3, sign, shift, flips, 0.0f, halves->high,
                 halves->high_flipped);
    }
  else
    {
      cost_half (lattice, vectors, at, 2, 8, sign, shift, flips, INFINITY, halves->low,
                 halves->low_flipped);
      cost_half (lattice, vectors, at + 2, 2, 8, sign, shift, flips, 0.0f, halves->high,
                 halves->high_flipped);
    }

  tag_halves (halves->low, lattice->n_halves);
  if (flips != NULL)
    tag_halves (halves->low_flipped, lattice->n_halves);
}

/* Returns: whether any vector has an odd number of negative weights */
static gboolean
find_odd (const TareLatticeVectors *vectors,
          float                    *odd)
{
  gboolean any = FALSE;

  for (gsize k = 0; k < LANES; k++)
    {
      guint n = 0;

      for (gsize e = 0; e < WIDTH; e++)
        n += vectors->x[e][k] < 0.0f;
      odd[k] = (float) (n % 2);
      any |= n % 2 != 0;
    }

  return any;
}

/* Of two points with half the signs each, one must lose a sign where their number is odd. */
static void
find_pairs (const TareLattice        *lattice,
            const TareLatticeVectors *vectors,
            const float              *odd,
            gboolean                  any_odd,
            TareLatticeBest          *best)
{
  float all[LANES];
  float value[2][2][LANES];
  guint16 point[2][2][LANES];
  Halves halves;

  for (gsize k = 0; k < LANES; k++)
    all[k] = 1.0f;

  for (gsize part = 0; part < 2; part++)
    {
      cost_halves (lattice, vectors, 4 * part, FALSE, 0.0f, any_odd ? all : NULL, &halves);
      pick_points (lattice, &halves, FALSE, value[part][0], point[part][0]);
      if (any_odd)
        pick_points (lattice, &halves, TRUE, value[part][1], point[part][1]);
    }

  for (gsize k = 0; k < LANES; k++)
    {
      gboolean flip[2] = { FALSE, FALSE };

      if (odd[k] != 0.0f)
        {
          flip[0] = value[0][1][k] + value[1][0][k] < value[0][0][k] + value[1][1][k];
          flip[1] = !flip[0];
        }

      best->value[k] = value[0][flip[0]][k] + value[1][flip[1]][k];
      for (gsize part = 0; part < 2; part++)
        {
          best->point[part][k] = point[part][flip[part]][k];
          best->flip[part][k] = (guint8) flip[part];
        }
    }
}

/**
 * _tare_lattice_find_signed:
 * @best: (out): the best points of each lane
 *
 * Finds points that have signs of their own.
 */
void
_tare_lattice_find_signed (const TareLatticeShape   *shape,
                           const TareLatticeVectors *vectors,
                           TareLatticeBest          *best)
{
  const TareLattice *lattice = _tare_lattice_get (shape->kind);
  float odd[LANES] = { 0.0f };
  gboolean any_odd = shape->even && find_odd (vectors, odd);
  Halves halves;

  memset (best, 0, sizeof *best);
  if (lattice->n_elements == 4)
    {
      find_pairs (lattice, vectors, odd, any_odd, best);
      return;
    }

  cost_halves (lattice, vectors, 0, FALSE, 0.0f, any_odd ? odd : NULL, &halves);
  pick_points (lattice, &halves, any_odd, best->value, best->point[0]);
  for (gsize k = 0; k < LANES; k++)
    best->flip[0][k] = odd[k] != 0.0f;
}

/**
 * _tare_lattice_find_shifted:
 * @best: (out) (array fixed-size=2): the best points of each lane, shifted up and then down
 *
 * Finds points that are all shifted, and have no signs.
 */
void
_tare_lattice_find_shifted (const TareLatticeShape   *shape,
                            const TareLatticeVectors *vectors,
                            TareLatticeBest          *best)
{
  const TareLattice *lattice = _tare_lattice_get (shape->kind);
  Halves halves;

  memset (best, 0, 2 * sizeof *best);
  for (gsize down = 0; down < 2; down++)
    {
      cost_halves (lattice, vectors, 0, TRUE, down ? -TARE_LATTICE_SHIFT : TARE_LATTICE_SHIFT,
                   NULL, &halves);
      pick_points (lattice, &halves, FALSE, best[down].value, best[down].point[0]);
    }
}
