/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-k-means-private.h"

#include <math.h>
#include <stdlib.h>

/* Levels for points on a line, of least Σw(x - level)² with each point at its nearest level.
 *
 * Some best choice gives each level a run of neighbours, so that dynamic programming over where the
 * runs end finds it (Fisher, On Grouping for Maximum Homogeneity, 1958). Where the last run of the
 * best choice begins never moves back as points are added, which halves the search again and again
 * (Wu, Optimal Quantization by Matrix Searching, 1991). */

/* The most levels, and points times levels, for which the best choice is sought: more take too
 * long, and gain less. */
#define MOST_LEVELS 32
#define MOST_CELLS ((gsize) 1 << 20)

/* Rounds of Lloyd's method (1957, published 1982) at most. */
#define N_ROUNDS 100

/* Sums over the first points. */
typedef struct
{
  double *w;
  double *wx;
} Prefix;

/**
 * _tare_points_new:
 * @room: how many points there are at most
 *
 * Returns: (transfer full): no points yet
 */
TarePoints *
_tare_points_new (gsize room)
{
  TarePoints *self = g_new0 (TarePoints, 1);

  self->room = room;
  self->values = g_new (double, MAX (room, 1));
  self->weights = g_new (double, MAX (room, 1));

  return self;
}

void
_tare_points_free (TarePoints *self)
{
  if (self == NULL)
    return;

  g_free (self->values);
  g_free (self->weights);
  g_free (self);
}

typedef struct
{
  float x;
  float w;
} Pair;

static int
compare_pairs (gconstpointer a,
               gconstpointer b)
{
  float x = ((const Pair *) a)->x;
  float y = ((const Pair *) b)->x;

  return (x > y) - (x < y);
}

/**
 * _tare_points_take:
 * @self: with room for @n points
 * @x: finite values in any order
 * @w: (nullable): their positive weights; %NULL for ones
 * @n: how many
 *
 * Makes points of values. Equal ones become one point.
 */
void
_tare_points_take (TarePoints  *self,
                   const float *x,
                   const float *w,
                   gsize        n)
{
  g_autofree Pair *pairs = g_new (Pair, MAX (n, 1));

  for (gsize i = 0; i < n; i++)
    {
      pairs[i].x = x[i];
      pairs[i].w = w != NULL ? w[i] : 1.0f;
    }
  qsort (pairs, n, sizeof (Pair), compare_pairs);

  self->n = 0;
  for (gsize i = 0; i < n; i++)
    {
      if (i == 0 || pairs[i].x != pairs[i - 1].x)
        {
          self->values[self->n] = (double) pairs[i].x;
          self->weights[self->n++] = 0.0;
        }
      self->weights[self->n - 1] += (double) pairs[i].w;
    }
}

/**
 * _tare_points_measure:
 * @levels: in ascending order
 * @n_levels: at least one
 *
 * Returns: Σw(x - level)² with each point at its nearest level
 */
double
_tare_points_measure (const TarePoints *self,
                      const double     *levels,
                      gsize             n_levels)
{
  double error = 0.0;
  gsize at = 0;

  for (gsize i = 0; i < self->n; i++)
    {
      double difference;

      while (at + 1 < n_levels && self->values[i] > 0.5 * (levels[at] + levels[at + 1]))
        at++;
      difference = self->values[i] - levels[at];
      error += self->weights[i] * difference * difference;
    }

  return error;
}

/* Sums of values less their mean, so that no digits are lost. Returns: the mean */
static double
sum_prefixes (const TarePoints *points,
              Prefix           *prefix)
{
  double w = 0.0, wx = 0.0, mean;

  for (gsize i = 0; i < points->n; i++)
    {
      w += points->weights[i];
      wx += points->weights[i] * points->values[i];
    }
  mean = w > 0.0 ? wx / w : 0.0;

  prefix->w = g_new (double, points->n + 1);
  prefix->wx = g_new (double, points->n + 1);
  prefix->w[0] = prefix->wx[0] = 0.0;
  for (gsize i = 0; i < points->n; i++)
    {
      prefix->w[i + 1] = prefix->w[i] + points->weights[i];
      prefix->wx[i + 1] = prefix->wx[i] + points->weights[i] * (points->values[i] - mean);
    }

  return mean;
}

static void
clear_prefix (Prefix *prefix)
{
  g_free (prefix->w);
  g_free (prefix->wx);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Prefix, clear_prefix)

/* The error of a run with one level, less Σwx², which all choices have in common. */
static inline double
get_loss (const Prefix *prefix,
          gsize         begin,
          gsize         end)
{
  double wx = prefix->wx[end] - prefix->wx[begin];

  return -wx * wx / (prefix->w[end] - prefix->w[begin]);
}

/* The least losses of the first begin..end points in one run more, of which the last begins at
 * first..last.
 *
 * before: [n + 1] with one run less; after, start: (out): [n + 1] */
static void
add_run (const Prefix *prefix,
         const double *before,
         gsize         begin,
         gsize         end,
         gsize         first,
         gsize         last,
         double       *after,
         guint32      *start)
{
  while (begin <= end)
    {
      gsize middle = begin + (end - begin) / 2, best = first;
      double least = INFINITY;

      for (gsize i = first; i <= MIN (last, middle - 1); i++)
        {
          double loss = before[i] + get_loss (prefix, i, middle);

          if (loss < least)
            {
              least = loss;
              best = i;
            }
        }

      after[middle] = least;
      start[middle] = (guint32) best;

      if (middle > begin)
        add_run (prefix, before, begin, middle - 1, first, best, after, start);
      begin = middle + 1;
      first = best;
    }
}

/* As many levels as points. */
static gsize
copy_values (const TarePoints *points,
             double           *levels)
{
  for (gsize i = 0; i < points->n; i++)
    levels[i] = points->values[i];

  return points->n;
}

/**
 * _tare_k_means_exact:
 * @points: any
 * @k: the most levels
 * @levels: (out caller-allocates): room for @k, in ascending order
 *
 * Finds the levels of least error, in O(k n log n) time and O(k n) memory.
 *
 * Returns: how many there are: fewer than @k only where there are fewer points
 */
gsize
_tare_k_means_exact (const TarePoints *points,
                     gsize             k,
                     double           *levels)
{
  gsize n = points->n, end = n;
  g_auto(Prefix) prefix = { NULL, NULL };
  g_autofree double *before = NULL, *after = NULL;
  g_autofree guint32 *start = NULL;
  double mean;

  if (n <= k)
    return copy_values (points, levels);

  mean = sum_prefixes (points, &prefix);
  before = g_new (double, n + 1);
  after = g_new (double, n + 1);
  start = g_new0 (guint32, k * (n + 1));

  for (gsize i = 1; i <= n; i++)
    before[i] = get_loss (&prefix, 0, i);

  /* The first c + 1 points at least make c + 1 runs. */
  for (gsize c = 1; c < k; c++)
    {
      double *other = before;

      add_run (&prefix, before, c + 1, n, c, n - 1, after, start + c * (n + 1));
      before = after;
      after = other;
    }

  for (gsize c = k; c-- > 0;)
    {
      gsize begin = c > 0 ? start[c * (n + 1) + end] : 0;

      levels[c] = mean + (prefix.wx[end] - prefix.wx[begin]) / (prefix.w[end] - prefix.w[begin]);
      end = begin;
    }

  return k;
}

/* Moves a level to the mean of each run. ends: [k]; empty runs keep their level. */
static void
move_levels (const Prefix *prefix,
             double        mean,
             const gsize  *ends,
             gsize         k,
             double       *levels)
{
  for (gsize c = 0; c < k; c++)
    {
      gsize begin = c > 0 ? ends[c - 1] : 0;

      if (ends[c] > begin)
        levels[c] = mean + (prefix->wx[ends[c]] - prefix->wx[begin]) /
                           (prefix->w[ends[c]] - prefix->w[begin]);
    }
}

/* Returns: the first point above a limit. */
static gsize
find_above (const double *values,
            gsize         n,
            double        limit)
{
  gsize low = 0, high = n;

  while (low < high)
    {
      gsize middle = low + (high - low) / 2;

      if (values[middle] > limit)
        high = middle;
      else
        low = middle + 1;
    }

  return low;
}

/**
 * _tare_k_means_lloyd:
 * @points: any
 * @k: the most levels
 * @levels: (out caller-allocates): room for @k, in ascending order
 *
 * Finds levels by Lloyd's method from quantiles of the weights: points go to their nearest level
 * and levels to the mean of their points, in turn.
 *
 * Returns: how many there are: fewer than @k only where there are fewer points
 */
gsize
_tare_k_means_lloyd (const TarePoints *points,
                     gsize             k,
                     double           *levels)
{
  gsize n = points->n;
  g_auto(Prefix) prefix = { NULL, NULL };
  g_autofree gsize *ends = g_new (gsize, MAX (k, 1));
  double mean;

  if (n <= k)
    return copy_values (points, levels);

  mean = sum_prefixes (points, &prefix);
  for (gsize c = 0; c < k; c++)
    {
      double share = prefix.w[n] * (double) (c + 1) / (double) k;
      gsize least = c > 0 ? ends[c - 1] + 1 : 1;

      ends[c] = find_above (prefix.w + 1, n, share);
      ends[c] = CLAMP (ends[c], least, n - (k - 1 - c));
    }
  ends[k - 1] = n;
  move_levels (&prefix, mean, ends, k, levels);

  for (int i = 0; i < N_ROUNDS; i++)
    {
      gboolean moved = FALSE;

      for (gsize c = 0; c + 1 < k; c++)
        {
          gsize end = find_above (points->values, n, 0.5 * (levels[c] + levels[c + 1]));

          moved |= end != ends[c];
          ends[c] = end;
        }
      if (!moved)
        break;
      move_levels (&prefix, mean, ends, k, levels);
    }

  return k;
}

/**
 * _tare_k_means:
 * @points: any
 * @k: the most levels
 * @levels: (out caller-allocates): room for @k, in ascending order
 *
 * Finds the best levels, or where there are too many points for that good ones.
 *
 * Returns: how many there are: fewer than @k only where there are fewer points
 */
gsize
_tare_k_means (const TarePoints *points,
               gsize             k,
               double           *levels)
{
  if (k <= MOST_LEVELS && points->n <= MOST_CELLS / k)
    return _tare_k_means_exact (points, k, levels);

  return _tare_k_means_lloyd (points, k, levels);
}
