/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-shape.h"

#include <math.h>

#include "tests/analysis/tensor-fixture.h"
#include "tests/tare-test.h"

#define ROWS    250
#define COLUMNS 400

typedef double (*Quantile) (double share);

static double
uniform_quantile (double share)
{
  return share;
}

static double
laplace_quantile (double share)
{
  return share < 0.5 ? log (2.0 * share) : -log (2.0 * (1.0 - share));
}

static double
uniform_share (double z)
{
  return CLAMP (0.5 + z / sqrt (12.0), 0.0, 1.0);
}

static double
laplace_share (double z)
{
  return z < 0.0 ? 0.5 * exp (M_SQRT2 * z) : 1.0 - 0.5 * exp (-M_SQRT2 * z);
}

/* Statistics of numbers that are spread exactly as a distribution is. */
static TareStatistics *
measure (Quantile quantile)
{
  const gsize n = ROWS * COLUMNS;
  g_autofree float *x = g_new (float, n);
  g_autoptr(TareTensor) tensor = NULL;
  g_autoptr(GError) error = NULL;
  TareStatistics *statistics;

  /* 37 has no factor in common with n, so every share occurs once. */
  for (gsize i = 0; i < n; i++)
    x[i] = (float) quantile (((double) (i * 37 % n) + 0.5) / (double) n);
  tensor = tensor_fixture_new (x, ROWS, COLUMNS);
  statistics = tare_statistics_measure (tensor, NULL, &error);
  g_assert_no_error (error);

  return statistics;
}

static double
distance_from_gaussian (double (*share) (double z))
{
  double largest = 0.0;

  for (double z = -6.0; z < 6.0; z += 1e-3)
    largest = MAX (largest, fabs (share (z) - tare_gaussian_get_share (z)));

  return largest;
}

static void
test_closed (void)
{
  const struct
  {
    Quantile  quantile;
    double  (*share) (double z);
    double    entropy;
    double    above_1;
    double    beyond_3;
  } cases[] = {
    { tare_gaussian_get_quantile, tare_gaussian_get_share, 0.5 * log2 (2.0 * M_PI * M_E),
      0.158655, 0.0026998 },
    { uniform_quantile, uniform_share, 0.5 * log2 (12.0), 0.5 - 1.0 / sqrt (12.0), 0.0 },
    { laplace_quantile, laplace_share, log2 (M_SQRT2 * M_E), 0.5 * exp (-M_SQRT2),
      exp (-3.0 * M_SQRT2) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(TareStatistics) statistics = measure (cases[i].quantile);
      TareShape shape;

      tare_shape_measure (&shape, statistics);
      g_assert_cmpfloat_with_epsilon (shape.entropy, cases[i].entropy, 0.01);
      g_assert_cmpfloat_with_epsilon (shape.above_1, cases[i].above_1, 1e-3);
      g_assert_cmpfloat_with_epsilon (shape.beyond_3, cases[i].beyond_3, 2e-4);
      g_assert_cmpfloat_with_epsilon (shape.normality, distance_from_gaussian (cases[i].share),
                                      2e-3);
      g_assert_cmpfloat_with_epsilon (shape.maximum_ratio, (double) statistics->absolute_maximum
                                      / statistics->standard_deviation, 1e-12);
      g_assert_cmpfloat (shape.dead_columns, ==, 0.0);

      for (double share = 0.01; share < 1.0; share += 0.07)
        {
          double x = tare_shape_get_quantile (statistics, share);

          g_assert_cmpfloat_with_epsilon (x, cases[i].quantile (share),
                                          0.01 * statistics->standard_deviation);
          g_assert_cmpfloat_with_epsilon (tare_shape_get_share (statistics, x), share, 1e-9);
        }
    }
}

/* One column of a hundred is ten times as large, one number a hundred times, and some channels are
 * dead. */
static void
test_channels (void)
{
  const gsize n = 100;
  g_autofree float *x = g_new (float, n * n);
  g_autoptr(TareTensor) tensor = NULL;
  g_autoptr(TareStatistics) statistics = NULL;
  TareShape shape;

  for (gsize i = 0; i < n * n; i++)
    {
      gsize row = i / n;
      gsize column = i % n;

      x[i] = i % 2 == 0 ? 1.0f : -1.0f;
      if (column == 7)
        x[i] *= 10.0f;
      if (column == 11 && row == 3)
        x[i] *= 100.0f;
      if (column == 50 || column == 51 || row == 9)
        x[i] = 0.0f;
    }
  tensor = tensor_fixture_new (x, n, n);
  statistics = tare_statistics_measure (tensor, NULL, NULL);
  tare_shape_measure (&shape, statistics);

  g_assert_cmpfloat (shape.columns_6, ==, 0.02);
  g_assert_cmpfloat (shape.columns_20, ==, 0.01);
  g_assert_cmpfloat (shape.rows_6, ==, 0.01);
  g_assert_cmpfloat (shape.dead_columns, ==, 0.02);
  g_assert_cmpfloat (shape.dead_rows, ==, 0.01);
  g_assert_cmpfloat_with_epsilon (shape.tail_ratio, 10.0, 0.1);
}

static void
test_constant (void)
{
  const float x[] = { 2.0f, 2.0f, 2.0f, 2.0f };
  g_autoptr(TareTensor) tensor = tensor_fixture_new (x, 2, 2);
  g_autoptr(TareStatistics) statistics = tare_statistics_measure (tensor, NULL, NULL);
  TareShape shape;

  tare_shape_measure (&shape, statistics);
  g_assert_true (isnan (shape.entropy));
  g_assert_true (isnan (shape.normality));
  g_assert_true (isnan (shape.maximum_ratio));
  g_assert_cmpfloat (shape.columns_6, ==, 0.0);
}

/* Φ and its inverse, at the values of tables and against each other. */
static void
test_gaussian (void)
{
  g_assert_cmpfloat_with_epsilon (tare_gaussian_get_share (-1.0), 0.15865525393145707, 1e-15);
  g_assert_cmpfloat_with_epsilon (tare_gaussian_get_quantile (0.975), 1.959963984540054, 1e-12);
  g_assert_cmpfloat_with_epsilon (tare_gaussian_get_quantile (1e-9), -5.997807015007686, 1e-9);
  g_assert_cmpfloat (tare_gaussian_get_quantile (0.0), ==, -INFINITY);
  g_assert_cmpfloat (tare_gaussian_get_quantile (1.0), ==, INFINITY);
  for (double z = -7.0; z < 5.0; z += 0.1)
    g_assert_cmpfloat_with_epsilon (tare_gaussian_get_quantile (tare_gaussian_get_share (z)), z,
                                    1e-8);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/shape/closed", test_closed);
  g_test_add_func ("/shape/channels", test_channels);
  g_test_add_func ("/shape/constant", test_constant);
  g_test_add_func ("/shape/gaussian", test_gaussian);

  return g_test_run ();
}
