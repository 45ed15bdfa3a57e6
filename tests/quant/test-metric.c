/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-metric.h"

#include <math.h>

#include "tests/tare-test.h"

/* By hand: rows (3, 4), (0, 0), (0, 2) against (3, 3), (5, 0), (1, 2). */
static void
test_by_hand (void)
{
  static const float x[] = { 3.0f, 4.0f, 0.0f, 0.0f, 0.0f, 2.0f };
  static const float y[] = { 3.0f, 3.0f, 5.0f, 0.0f, 1.0f, 2.0f };
  static const float importance[] = { 4.0f, 1.0f };
  TareDistortion distortion = tare_distortion_measure (x, y, 3, 2, NULL);

  g_assert_cmpuint (distortion.rows, ==, 2);
  g_assert_cmpfloat_with_epsilon (distortion.relative, (1.0 / 25.0 + 1.0 / 4.0) / 2.0, 1e-15);
  g_assert_cmpfloat (distortion.weighted, ==, distortion.relative);
  g_assert_cmpfloat (distortion.squared, ==, 27.0);
  g_assert_cmpfloat (distortion.maximum, ==, 5.0);

  distortion = tare_distortion_measure (x, y, 3, 2, importance);
  g_assert_cmpfloat_with_epsilon (distortion.relative, (1.0 / 25.0 + 1.0 / 4.0) / 2.0, 1e-15);
  g_assert_cmpfloat_with_epsilon (distortion.weighted, (1.0 / 52.0 + 4.0 / 4.0) / 2.0, 1e-15);
}

static void
test_nothing (void)
{
  static const float zeros[8] = { 0.0f };
  TareDistortion distortion = tare_distortion_measure (zeros, zeros, 2, 4, NULL);

  g_assert_cmpuint (distortion.rows, ==, 0);
  g_assert_cmpfloat (distortion.relative, ==, 0.0);

  distortion = tare_distortion_measure (NULL, NULL, 0, 4, zeros);
  g_assert_cmpfloat (distortion.weighted, ==, 0.0);
}

/* A column that matters alone, in rows where it is zero, leaves no norm to divide by. */
static void
test_unimportant_row (void)
{
  static const float x[] = { 0.0f, 1.0f, 2.0f, 1.0f };
  static const float y[] = { 0.5f, 1.0f, 1.0f, 1.0f };
  static const float importance[] = { 1.0f, 0.0f };
  TareDistortion distortion = tare_distortion_measure (x, y, 2, 2, importance);

  g_assert_cmpuint (distortion.rows, ==, 2);
  g_assert_cmpfloat (distortion.weighted, ==, 0.25);
}

/* The kernel in lanes against one loop, at lengths around its width. */
static void
test_against_naive (void)
{
  for (gsize columns = 1; columns < 70; columns++)
    {
      gsize rows = 5, n = rows * columns;
      g_autofree float *x = g_new (float, n);
      g_autofree float *y = g_new (float, n);
      g_autofree float *importance = g_new (float, columns);
      double relative = 0.0, weighted = 0.0, squared = 0.0, maximum = 0.0;
      TareDistortion distortion;

      tare_test_fill_gaussian (x, n, (guint32) columns);
      tare_test_fill_gaussian (y, n, (guint32) columns + 100);
      for (gsize j = 0; j < columns; j++)
        importance[j] = (float) (j + 1);

      for (gsize i = 0; i < rows; i++)
        {
          double error = 0.0, norm = 0.0, weighted_error = 0.0, weighted_norm = 0.0;

          for (gsize j = 0; j < columns; j++)
            {
              double a = (double) x[i * columns + j];
              double d = (double) (x[i * columns + j] - y[i * columns + j]);

              norm += a * a;
              error += d * d;
              weighted_norm += (double) importance[j] * a * a;
              weighted_error += (double) importance[j] * d * d;
              maximum = MAX (maximum, fabs (d));
            }

          relative += error / norm / (double) rows;
          weighted += weighted_error / weighted_norm / (double) rows;
          squared += error;
        }

      distortion = tare_distortion_measure (x, y, rows, columns, importance);
      g_assert_cmpfloat_with_epsilon (distortion.relative, relative, 1e-12 * relative);
      g_assert_cmpfloat_with_epsilon (distortion.weighted, weighted, 1e-12 * weighted);
      g_assert_cmpfloat_with_epsilon (distortion.squared, squared, 1e-12 * squared);
      g_assert_cmpfloat (distortion.maximum, ==, maximum);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/metric/by-hand", test_by_hand);
  g_test_add_func ("/metric/nothing", test_nothing);
  g_test_add_func ("/metric/unimportant-row", test_unimportant_row);
  g_test_add_func ("/metric/against-naive", test_against_naive);

  return g_test_run ();
}
