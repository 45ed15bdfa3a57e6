/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-similarity.h"

#include <math.h>

#include "tests/analysis/tensor-fixture.h"
#include "tests/tare-test.h"

#define ROWS    60
#define COLUMNS 24

static TareSimilarity
compare (const float *x,
         const float *y,
         gsize        rows,
         gsize        columns)
{
  g_autoptr(TareTensor) first = tensor_fixture_new (x, rows, columns);
  g_autoptr(TareTensor) second = tensor_fixture_new (y, rows, columns);
  g_autoptr(GError) error = NULL;
  TareSimilarity similarity;

  g_assert_true (tare_similarity_measure (&similarity, first, second, NULL, &error));
  g_assert_no_error (error);

  return similarity;
}

/* |Y'X|² / (|X'X| |Y'Y|) of centred columns, by its definition. */
static double
naive_alignment (const float *x,
                 const float *y,
                 gsize        rows,
                 gsize        columns)
{
  const float *sides[2] = { x, y };
  double norms[3] = { 0.0 };

  for (int kind = 0; kind < 3; kind++)
    {
      const float *a = sides[kind == 1];
      const float *b = sides[kind != 0];

      for (gsize i = 0; i < columns * columns; i++)
        {
          double sum = 0.0;
          double mean_a = 0.0;
          double mean_b = 0.0;

          for (gsize k = 0; k < rows; k++)
            {
              mean_a += (double) a[k * columns + i / columns] / (double) rows;
              mean_b += (double) b[k * columns + i % columns] / (double) rows;
            }
          for (gsize k = 0; k < rows; k++)
            sum += ((double) a[k * columns + i / columns] - mean_a)
                   * ((double) b[k * columns + i % columns] - mean_b);
          norms[kind] += sum * sum;
        }
    }

  /* Kinds: X'X, Y'Y, X'Y. */
  return norms[2] / sqrt (norms[0] * norms[1]);
}

static void
test_definition (void)
{
  g_autofree float *noise = g_new (float, 2 * ROWS * COLUMNS);
  const float *x = noise;
  float *y = noise + ROWS * COLUMNS;
  TareSimilarity similarity;

  tare_test_fill_gaussian (noise, 2 * ROWS * COLUMNS, 3);
  for (gsize i = 0; i < ROWS * COLUMNS; i++)
    y[i] += x[i];

  similarity = compare (x, y, ROWS, COLUMNS);
  g_assert_cmpfloat_with_epsilon (similarity.alignment, naive_alignment (x, y, ROWS, COLUMNS),
                                  1e-5);
  g_assert_cmpfloat_with_epsilon (similarity.cosine, M_SQRT1_2, 0.05);
}

/* Itself, its opposite, its columns in another order, and nothing. */
static void
test_closed (void)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  g_autofree float *y = g_new0 (float, ROWS * COLUMNS);
  TareSimilarity similarity;

  tare_test_fill_gaussian (x, ROWS * COLUMNS, 4);
  similarity = compare (x, x, ROWS, COLUMNS);
  g_assert_cmpfloat_with_epsilon (similarity.cosine, 1.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (similarity.alignment, 1.0, 1e-6);

  g_assert_true (isnan (compare (x, y, ROWS, COLUMNS).cosine));
  g_assert_true (isnan (compare (x, y, ROWS, COLUMNS).alignment));

  for (gsize i = 0; i < ROWS * COLUMNS; i++)
    y[i] = -3.0f * x[i / COLUMNS * COLUMNS + (i % COLUMNS + 5) % COLUMNS];
  similarity = compare (x, y, ROWS, COLUMNS);
  g_assert_cmpfloat (fabs (similarity.cosine), <, 0.2);
  g_assert_cmpfloat_with_epsilon (similarity.alignment, 1.0, 1e-5);
}

/* More rows than are compared. */
static void
test_many_rows (void)
{
  const gsize rows = 2000;
  g_autofree float *x = g_new (float, rows * 3);

  tare_test_fill_gaussian (x, rows * 3, 5);
  g_assert_cmpfloat_with_epsilon (compare (x, x, rows, 3).alignment, 1.0, 1e-6);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/similarity/definition", test_definition);
  g_test_add_func ("/similarity/closed", test_closed);
  g_test_add_func ("/similarity/many-rows", test_many_rows);

  return g_test_run ();
}
