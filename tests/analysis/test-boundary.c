/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-boundary.h"

#include <math.h>

#include "tests/analysis/tensor-fixture.h"
#include "tests/tare-test.h"

static double
measure (const float *x,
         gsize        rows,
         gsize        columns,
         const char  *format,
         double      *error_of_share)
{
  g_autoptr(TareTensor) tensor = tensor_fixture_new (x, rows, columns);
  g_autoptr(GError) error = NULL;
  double share = -1.0;

  g_assert_true (tare_boundary_measure (tensor, tare_format_lookup (format), &share,
                                        error_of_share, NULL, &error));
  g_assert_no_error (error);

  return share;
}

/* Evenly spread weights, of which a tenth are within a twentieth of a step on either side. */
static void
test_uniform (void)
{
  const char *const formats[] = { "q4_0", "q4_1", "q8_0", "int4_g32" };
  const gsize rows = 64;
  const gsize columns = 1024;
  g_autofree float *x = g_new (float, rows * columns);
  g_autoptr(GRand) random = g_rand_new_with_seed (7);

  for (gsize i = 0; i < rows * columns; i++)
    x[i] = (float) g_rand_double_range (random, -1.0, 1.0);

  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      double error;

      if (tare_format_lookup (formats[i]) == NULL)
        continue;
      g_assert_cmpfloat_with_epsilon (measure (x, rows, columns, formats[i], &error), 0.1, 0.015);
      g_assert_cmpfloat (error, ==, 0.0);
    }
}

/* The levels themselves are far from every boundary, and the middles between them are on it. */
static void
test_levels (void)
{
  const TareFormat *format = tare_format_lookup ("q4_1");
  float levels[TARE_FORMAT_MAX_LEVELS];
  gsize n = tare_format_get_levels (format, -1.0f, 1.0f, levels);
  float x[32];
  double error;

  for (gsize i = 0; i < G_N_ELEMENTS (x); i++)
    x[i] = levels[i % n];
  x[0] = -1.0f;
  x[1] = 1.0f;
  g_assert_cmpfloat (measure (x, 1, G_N_ELEMENTS (x), "q4_1", &error), ==, 0.0);

  for (gsize i = 2; i < G_N_ELEMENTS (x); i++)
    x[i] = 0.5f * (levels[i % (n - 1)] + levels[i % (n - 1) + 1]);
  g_assert_cmpfloat (measure (x, 1, G_N_ELEMENTS (x), "q4_1", &error), ==, 30.0 / 32.0);
}

static void
test_without_grid (void)
{
  const float x[] = { 1.0f, 2.0f, 3.0f, 4.0f };
  double error;

  g_assert_true (isnan (measure (x, 2, 2, "bf16", &error)));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/boundary/uniform", test_uniform);
  g_test_add_func ("/boundary/levels", test_levels);
  g_test_add_func ("/boundary/without-grid", test_without_grid);

  return g_test_run ();
}
