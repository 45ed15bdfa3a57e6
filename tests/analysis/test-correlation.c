/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-correlation.h"

#include <math.h>

#include "tests/tare-test.h"

/* 1 more than the numbers below x, and half of those equal to it besides itself. */
static double
naive_rank (const double *x,
            gsize         n,
            gsize         i)
{
  double rank = 1.0;

  for (gsize k = 0; k < n; k++)
    rank += x[k] < x[i] ? 1.0 : x[k] == x[i] && k != i ? 0.5 : 0.0;

  return rank;
}

static double
naive_spearman (const double *a,
                const double *b,
                gsize         n)
{
  double mean = 0.5 * ((double) n + 1.0);
  double aa = 0.0;
  double bb = 0.0;
  double ab = 0.0;

  for (gsize i = 0; i < n; i++)
    {
      double x = naive_rank (a, n, i) - mean;
      double y = naive_rank (b, n, i) - mean;

      aa += x * x;
      bb += y * y;
      ab += x * y;
    }

  return ab / sqrt (aa * bb);
}

static double
naive_kendall (const double *a,
               const double *b,
               gsize         n)
{
  double order = 0.0;
  double ordered_a = 0.0;
  double ordered_b = 0.0;

  for (gsize i = 0; i < n; i++)
    {
      for (gsize k = 0; k < i; k++)
        {
          double x = (a[i] > a[k]) - (a[i] < a[k]);
          double y = (b[i] > b[k]) - (b[i] < b[k]);

          order += x * y;
          ordered_a += x * x;
          ordered_b += y * y;
        }
    }

  return order / sqrt (ordered_a * ordered_b);
}

/* Against the definitions, with many ties, few, and none. */
static void
test_random (void)
{
  const gsize sizes[] = { 2, 3, 7, 64, 333 };
  const double steps[] = { 1.0, 0.2, 1e-9 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      for (gsize s = 0; s < G_N_ELEMENTS (steps); s++)
        {
          gsize n = sizes[i];
          g_autofree float *noise = g_new (float, 2 * n);
          g_autofree double *a = g_new (double, n);
          g_autofree double *b = g_new (double, n);
          double spearman;

          tare_test_fill_gaussian (noise, 2 * n, (guint32) (i * 3 + s));
          for (gsize k = 0; k < n; k++)
            {
              a[k] = floor ((double) noise[k] / steps[s]);
              b[k] = floor ((double) (noise[k] + noise[n + k]) / steps[s]);
            }

          spearman = naive_spearman (a, b, n);
          if (isnan (spearman))
            {
              g_assert_true (isnan (tare_correlation_spearman (a, b, n)));
              g_assert_true (isnan (tare_correlation_kendall (a, b, n)));
              continue;
            }
          g_assert_cmpfloat_with_epsilon (tare_correlation_spearman (a, b, n), spearman, 1e-12);
          g_assert_cmpfloat_with_epsilon (tare_correlation_kendall (a, b, n),
                                          naive_kendall (a, b, n), 1e-12);
          g_assert_cmpfloat (tare_correlation_spearman (a, a, n), ==, 1.0);
          g_assert_cmpfloat (tare_correlation_kendall (b, b, n), ==, 1.0);
        }
    }
}

/* By hand: five layers, one tie on either side. */
static void
test_closed (void)
{
  const double a[] = { 1.0, 2.0, 2.0, 3.0, 4.0 };
  const double b[] = { 10.0, 30.0, 20.0, 40.0, 40.0 };
  const double down[] = { 5.0, 4.0, 3.0, 2.0, -1e300 };
  const double up[] = { 1.0, 2.0, 3.0, 4.0, 5.0 };

  /* Ranks 1, 2.5, 2.5, 4, 5 and 1, 3, 2, 4.5, 4.5: 9.25 over √(9.5 · 9.5). */
  g_assert_cmpfloat_with_epsilon (tare_correlation_spearman (a, b, 5), 9.0 / 9.5, 1e-12);
  /* Eight pairs ordered alike, one tied on either side: 8 / √(9 · 9). */
  g_assert_cmpfloat_with_epsilon (tare_correlation_kendall (a, b, 5), 8.0 / 9.0, 1e-12);
  g_assert_cmpfloat (tare_correlation_spearman (up, down, 5), ==, -1.0);
  g_assert_cmpfloat (tare_correlation_kendall (up, down, 5), ==, -1.0);
}

/* Layers of which one measure says nothing do not count; a constant orders nothing. */
static void
test_undefined (void)
{
  const double a[] = { 1.0, (double) NAN, 2.0, 3.0, 9.0 };
  const double b[] = { 2.0, 100.0, 5.0, 7.0, (double) NAN };
  const double same[] = { 1.0, 1.0, 1.0, 1.0, 1.0 };

  g_assert_cmpfloat (tare_correlation_spearman (a, b, 5), ==, 1.0);
  g_assert_cmpfloat (tare_correlation_kendall (a, b, 5), ==, 1.0);
  g_assert_true (isnan (tare_correlation_spearman (a, same, 5)));
  g_assert_true (isnan (tare_correlation_kendall (same, b, 5)));
  g_assert_true (isnan (tare_correlation_spearman (a, b, 1)));
  g_assert_true (isnan (tare_correlation_kendall (a, b, 0)));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/correlation/random", test_random);
  g_test_add_func ("/correlation/closed", test_closed);
  g_test_add_func ("/correlation/undefined", test_undefined);

  return g_test_run ();
}
