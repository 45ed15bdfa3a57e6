/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-ranges.h"

#include <math.h>
#include <stdlib.h>

#include "tests/analysis/tensor-fixture.h"
#include "tests/tare-test.h"

static int
compare_floats (gconstpointer a,
                gconstpointer b)
{
  float x = *(const float *) a;
  float y = *(const float *) b;

  return (x > y) - (x < y);
}

static void
check_channel (const float *x,
               gsize        n,
               gsize        stride,
               const float *levels)
{
  g_autofree float *sorted = g_new (float, n);
  gsize finite = 0;

  for (gsize i = 0; i < n; i++)
    {
      if (isfinite (x[i * stride]))
        sorted[finite++] = x[i * stride];
    }
  qsort (sorted, finite, sizeof *sorted, compare_floats);

  for (gsize i = 0; i < TARE_RANGE_LEVELS; i++)
    {
      double share = tare_range_level_get_share ((TareRangeLevel) i);
      gsize rank = 0;

      if (finite == 0)
        {
          g_assert_true (isnan (levels[i]));
          continue;
        }
      while (rank + 1 < finite && (double) (rank + 1) < share * (double) finite)
        rank++;
      g_assert_cmpfloat (levels[i], ==, sorted[rank]);
    }
}

/* Against a library's sorting, of all shapes, with infinities, ties and both zeros. */
static void
test_sorted (void)
{
  const gsize shapes[][2] = { { 1, 1 }, { 1, 5 }, { 7, 1 }, { 37, 101 }, { 900, 700 } };

  for (gsize k = 0; k < G_N_ELEMENTS (shapes); k++)
    {
      gsize rows = shapes[k][0];
      gsize columns = shapes[k][1];
      g_autofree float *x = g_new (float, rows * columns);
      g_autoptr(TareTensor) tensor = NULL;
      g_autoptr(TareRanges) of_rows = NULL;
      g_autoptr(TareRanges) of_columns = NULL;
      g_autoptr(GError) error = NULL;

      tare_test_fill_gaussian (x, rows * columns, (guint32) k);
      for (gsize i = 0; i < rows * columns; i++)
        {
          if (i % 7 == 3)
            x[i] = (float) (i % 2) - 0.5f;
          if (i % 31 == 5)
            x[i] = i % 2 != 0 ? INFINITY : NAN;
        }

      tensor = tensor_fixture_new (x, rows, columns);
      of_rows = tare_ranges_of_rows (tensor, NULL, &error);
      g_assert_no_error (error);
      of_columns = tare_ranges_of_columns (tensor, NULL, &error);
      g_assert_no_error (error);

      g_assert_cmpuint (of_rows->n, ==, rows);
      g_assert_cmpuint (of_columns->n, ==, columns);
      for (gsize i = 0; i < rows; i++)
        check_channel (x + i * columns, columns, 1, of_rows->values[i]);
      for (gsize j = 0; j < columns; j++)
        check_channel (x + j, rows, columns, of_columns->values[j]);
    }
}

/* 100 numbers from 1 to 100: the levels are the percentages themselves. */
static void
test_closed (void)
{
  const float expected[TARE_RANGE_LEVELS] = { 1, 1, 5, 25, 50, 75, 95, 99, 100 };
  g_autofree float *x = g_new (float, 200);
  g_autoptr(TareTensor) tensor = NULL;
  g_autoptr(TareRanges) ranges = NULL;

  for (gsize i = 0; i < 100; i++)
    {
      x[i] = (float) (i * 37 % 100 + 1);
      x[100 + i] = NAN;
    }
  tensor = tensor_fixture_new (x, 2, 100);
  ranges = tare_ranges_of_rows (tensor, NULL, NULL);
  for (gsize i = 0; i < TARE_RANGE_LEVELS; i++)
    {
      g_assert_cmpfloat (ranges->values[0][i], ==, expected[i]);
      g_assert_true (isnan (ranges->values[1][i]));
    }
}

static void
test_cancelled (void)
{
  const float x[] = { 1.0f, 2.0f };
  g_autoptr(TareTensor) tensor = tensor_fixture_new (x, 1, 2);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (tare_ranges_of_rows (tensor, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (tare_ranges_of_columns (tensor, &progress, NULL));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ranges/sorted", test_sorted);
  g_test_add_func ("/ranges/closed", test_closed);
  g_test_add_func ("/ranges/cancelled", test_cancelled);

  return g_test_run ();
}
