/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-correlation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What two measures say of one layer. */
typedef struct
{
  double a;
  double b;
} Pair;

/* (transfer full): the pairs of which both are known */
static Pair *
collect_pairs (const double *a,
               const double *b,
               gsize         n,
               gsize        *n_pairs)
{
  Pair *pairs = g_new (Pair, MAX (n, 1));

  *n_pairs = 0;
  for (gsize i = 0; i < n; i++)
    {
      if (!isnan (a[i]) && !isnan (b[i]))
        pairs[(*n_pairs)++] = (Pair) { a[i], b[i] };
    }

  return pairs;
}

static int
compare_numbers (double x,
                 double y)
{
  return (x > y) - (x < y);
}

static int
compare_pairs (gconstpointer first,
               gconstpointer second)
{
  const Pair *x = first;
  const Pair *y = second;
  int order = compare_numbers (x->a, y->a);

  return order != 0 ? order : compare_numbers (x->b, y->b);
}

static int
compare_by_b (gconstpointer first,
              gconstpointer second)
{
  return compare_numbers (((const Pair *) first)->b, ((const Pair *) second)->b);
}

/* One past the last pair whose @a is that of the pair at @first; pairs are sorted by it. */
static gsize
end_of_run (const Pair *pairs,
            gsize       n,
            gsize       first)
{
  gsize end = first + 1;

  while (end < n && pairs[end].a == pairs[first].a)
    end++;

  return end;
}

/* Puts the rank of every @a in its place, from 0, equal ones sharing the mean of theirs, and swaps
 * the two sides; the pairs are sorted by @a. */
static void
rank_and_swap (Pair  *pairs,
               gsize  n)
{
  for (gsize i = 0; i < n;)
    {
      gsize end = end_of_run (pairs, n, i);
      double rank = 0.5 * (double) (i + end - 1);

      for (; i < end; i++)
        pairs[i] = (Pair) { pairs[i].b, rank };
    }
}

static double
correlate (const Pair *pairs,
           gsize       n)
{
  double mean = 0.5 * ((double) n - 1.0);
  double aa = 0.0;
  double bb = 0.0;
  double ab = 0.0;

  for (gsize i = 0; i < n; i++)
    {
      double a = pairs[i].a - mean;
      double b = pairs[i].b - mean;

      aa += a * a;
      bb += b * b;
      ab += a * b;
    }

  return aa > 0.0 && bb > 0.0 ? ab / sqrt (aa * bb) : (double) NAN;
}

/**
 * tare_correlation_spearman:
 * @a: (array length=n): what one measure says of every layer, NaN where it does not know
 * @b: (array length=n): what another says
 * @n: how many layers
 *
 * Spearman's rank correlation over the layers of which both know something: the correlation of the
 * ranks, equal values sharing the mean of their ranks. (C. Spearman, "The proof and measurement of
 * association between two things", 1904.)
 *
 * Returns: from -1 to 1; NaN where all values of a side are the same
 */
double
tare_correlation_spearman (const double *a,
                           const double *b,
                           gsize         n)
{
  gsize n_pairs;
  g_autofree Pair *pairs = collect_pairs (a, b, n, &n_pairs);

  for (int side = 0; side < 2; side++)
    {
      qsort (pairs, n_pairs, sizeof *pairs, compare_pairs);
      rank_and_swap (pairs, n_pairs);
    }

  return correlate (pairs, n_pairs);
}

/* Merges two runs that are each sorted by @b, and tells how many pairs of the second had to pass
 * pairs of the first. */
static guint64
merge (Pair  *pairs,
       gsize  n_first,
       gsize  n,
       Pair  *out)
{
  guint64 passed = 0;
  gsize i = 0;
  gsize j = n_first;

  for (gsize k = 0; k < n; k++)
    {
      if (j == n || (i < n_first && pairs[i].b <= pairs[j].b))
        {
          out[k] = pairs[i++];
        }
      else
        {
          out[k] = pairs[j++];
          passed += n_first - i;
        }
    }

  memcpy (pairs, out, n * sizeof *out);

  return passed;
}

/* Sorts by @b, and tells how many exchanges of neighbours that takes. */
static guint64
count_exchanges (Pair  *pairs,
                 gsize  n,
                 Pair  *room)
{
  gsize half = n / 2;

  if (n < 2)
    return 0;

  return count_exchanges (pairs, half, room) + count_exchanges (pairs + half, n - half, room)
         + merge (pairs, half, n, room);
}

/* Of all pairs of pairs, how many are equal in the eyes of @compare; the pairs are sorted by it. */
static guint64
count_ties (const Pair   *pairs,
            gsize         n,
            GCompareFunc  compare)
{
  guint64 ties = 0;
  guint64 before = 0;

  for (gsize i = 1; i < n; i++)
    {
      before = compare (pairs + i - 1, pairs + i) == 0 ? before + 1 : 0;
      ties += before;
    }

  return ties;
}

static int
compare_by_a (gconstpointer first,
              gconstpointer second)
{
  return compare_numbers (((const Pair *) first)->a, ((const Pair *) second)->a);
}

/**
 * tare_correlation_kendall:
 * @a: (array length=n): what one measure says of every layer, NaN where it does not know
 * @b: (array length=n): what another says
 * @n: how many layers
 *
 * Kendall's τ_b over the layers of which both know something: the pairs that the two order alike
 * less those that they order differently, over the geometric mean of the pairs that each of them
 * orders at all. In n log n steps. (W. R. Knight, "A computer method for calculating Kendall's tau
 * with ungrouped data", 1966.)
 *
 * Returns: from -1 to 1; NaN where all values of a side are the same
 */
double
tare_correlation_kendall (const double *a,
                          const double *b,
                          gsize         n)
{
  gsize n_pairs;
  g_autofree Pair *pairs = collect_pairs (a, b, n, &n_pairs);
  g_autofree Pair *room = g_new (Pair, MAX (n_pairs, 1));
  double all = 0.5 * (double) n_pairs * ((double) n_pairs - 1.0);
  double ties_a;
  double ties_b;
  double ties_both;
  double exchanges;
  double norm;

  qsort (pairs, n_pairs, sizeof *pairs, compare_pairs);
  ties_a = (double) count_ties (pairs, n_pairs, compare_by_a);
  ties_both = (double) count_ties (pairs, n_pairs, compare_pairs);
  exchanges = (double) count_exchanges (pairs, n_pairs, room);
  ties_b = (double) count_ties (pairs, n_pairs, compare_by_b);
  norm = sqrt ((all - ties_a) * (all - ties_b));

  return norm > 0.0 ? (all - ties_a - ties_b + ties_both - 2.0 * exchanges) / norm : (double) NAN;
}
