/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-k-means-private.h"

#include <math.h>

#include "quant/formats/tare-format.h"
#include "quant/formats/tare-metric.h"
#include "tests/tare-test.h"

/* The least error of points from begin on with k runs at most. */
static double
try_all (const TarePoints *points,
         gsize             begin,
         gsize             k)
{
  double least = INFINITY;

  if (begin == points->n)
    return 0.0;
  if (k == 0)
    return INFINITY;

  for (gsize end = begin + 1; end <= points->n; end++)
    {
      double w = 0.0, mean = 0.0, error = 0.0;

      for (gsize i = begin; i < end; i++)
        {
          w += points->weights[i];
          mean += points->weights[i] * points->values[i];
        }
      mean /= w;
      for (gsize i = begin; i < end; i++)
        error += points->weights[i] * (points->values[i] - mean) * (points->values[i] - mean);

      least = MIN (least, error + try_all (points, end, k - 1));
    }

  return least;
}

static TarePoints *
make_points (gsize   n,
             guint32 seed)
{
  g_autofree float *x = g_new (float, n);
  g_autofree float *w = g_new (float, n);
  TarePoints *points = _tare_points_new (n);

  tare_test_fill_gaussian (x, n, seed);
  tare_test_fill_gaussian (w, n, seed + 1);
  for (gsize i = 0; i < n; i++)
    w[i] = 0.1f + fabsf (w[i]);
  _tare_points_take (points, x, w, n);

  return points;
}

static void
test_brute_force (void)
{
  for (gsize n = 1; n <= 11; n++)
    for (gsize k = 1; k <= 5; k++)
      {
        g_autoptr(TarePoints) points = make_points (n, (guint32) (100 * n + k));
        double levels[5], found;
        gsize n_levels = _tare_k_means_exact (points, k, levels);

        g_assert_cmpuint (n_levels, ==, MIN (n, k));
        for (gsize c = 1; c < n_levels; c++)
          g_assert_cmpfloat (levels[c - 1], <, levels[c]);

        found = _tare_points_measure (points, levels, n_levels);
        g_assert_cmpfloat_with_epsilon (found, try_all (points, 0, k), 1e-12);
      }
}

static void
test_lloyd (void)
{
  double gain = 0.0;

  for (guint32 seed = 0; seed < 40; seed++)
    {
      gsize n = 20 + 37 * (gsize) seed, k = 2 + seed % 15;
      g_autoptr(TarePoints) points = make_points (n, 5 * seed);
      double best[16], levels[16], least, error;

      g_assert_cmpuint (_tare_k_means_exact (points, k, best), ==, k);
      g_assert_cmpuint (_tare_k_means_lloyd (points, k, levels), ==, k);
      least = _tare_points_measure (points, best, k);
      error = _tare_points_measure (points, levels, k);

      g_assert_cmpfloat (least, <=, error * (1.0 + 1e-12));
      gain += error / least - 1.0;
    }

  g_test_message ("exact levels: %.2f %% less error than Lloyd's", 100.0 * gain / 40.0);
  g_assert_cmpfloat (gain, >, 0.0);
}

/* Returns: the value nearest to a level */
static double
find_nearest (const float *y,
              gsize        n,
              double       level)
{
  double nearest = INFINITY;

  for (gsize j = 0; j < n; j++)
    if (fabs ((double) y[j] - level) < fabs (nearest - level))
      nearest = (double) y[j];

  return nearest;
}

/* Errors and levels of methods.md 11.1 (Max, Quantizing for Minimum Distortion, 1960). */
static void
test_gaussian (void)
{
  static const struct
  {
    guint  bits;
    double error;
    double levels[8];
  } truths[] = {
    { 2, 0.117482, { 0.45278, 1.51042 } },
    { 3, 0.034548, { 0.245094, 0.756005, 1.343909, 2.151946 } },
    { 4, 0.009501, { 0.128395, 0.388048, 0.656759, 0.942340, 1.256231, 1.618046, 2.069017,
                     2.732590 } },
  };
  gsize n = 1 << 19;
  g_autofree float *x = g_new (float, n);
  g_autofree float *y = g_new (float, n);

  tare_test_fill_gaussian (x, n, 77);

  for (gsize i = 0; i < G_N_ELEMENTS (truths); i++)
    {
      g_autofree char *id = g_strdup_printf ("kmeans%u_tensor", truths[i].bits);
      const TareFormat *format = tare_format_lookup (id);
      g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, 512, n / 512));
      gsize half = (gsize) 1 << (truths[i].bits - 1);
      g_autoptr(GError) error = NULL;
      double found;

      tare_format_encode (format, NULL, x, 512, n / 512, codes, NULL, &error);
      g_assert_no_error (error);
      tare_format_decode (format, codes, 512, n / 512, y);
      found = tare_distortion_measure (x, y, 1, n, NULL).squared / (double) n;

      g_test_message ("%s: %.6f, Lloyd-Max %.6f", id, found, truths[i].error);
      g_assert_cmpfloat_with_epsilon (found, truths[i].error, 0.01 * truths[i].error);

      for (gsize c = 0; c < half; c++)
        {
          double above = find_nearest (y, n, truths[i].levels[c]);
          double below = find_nearest (y, n, -truths[i].levels[c]);

          g_assert_cmpfloat_with_epsilon (0.5 * (above - below), truths[i].levels[c],
                                          0.004 + 0.01 * truths[i].levels[c]);
        }
    }
}

/* Levels that are evenly spaced are those of integers. */
static void
test_uniform (void)
{
  const TareFormat *cluster = tare_format_lookup ("kmeans4_channel");
  const TareFormat *integer = tare_format_lookup ("int4_channel");
  gsize columns = 600;
  g_autofree float *x = g_new (float, columns);
  g_autofree float *y = g_new (float, columns);
  g_autofree float *z = g_new (float, columns);
  g_autofree guint8 *codes = g_malloc (columns * sizeof (float));
  TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };

  /* Weights of an integer grid whose scale is a power of two, and all its ends. */
  for (gsize j = 0; j < columns; j++)
    x[j] = 0.125f * (float) ((int) (j * 7 % 16) - 8) + (j % 16 < 12 ? 0.0f : 0.03f);
  for (gsize j = 0; j < columns; j++)
    x[j] = CLAMP (x[j], -1.0f, 0.875f);

  tare_format_encode (integer, NULL, x, 1, columns, codes, NULL, NULL);
  tare_format_decode (integer, codes, 1, columns, y);
  tare_format_encode (cluster, &plain, x, 1, columns, codes, NULL, NULL);
  tare_format_decode (cluster, codes, 1, columns, z);

  for (gsize j = 0; j < columns; j++)
    {
      g_assert_cmpfloat (z[j], ==, 0.125f * rintf (x[j] / 0.125f));
      g_assert_cmpfloat (fabsf (y[j] - z[j]), <, 0.02f);
    }
}

/* Rows of few values, out of several books in any order, come back as they were. */
static void
test_bands (void)
{
  const TareFormat *format = tare_format_lookup ("kmeans3_bands");
  gsize rows = 200, columns = 64;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  g_autofree float *z = g_new (float, rows * columns);
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, rows, columns));

  tare_test_fill_gaussian (x, rows * columns, 8);
  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      x[i * columns + j] *= 1.0f + 0.1f * (float) (i % 37);

  tare_format_encode (format, NULL, x, rows, columns, codes, NULL, NULL);
  tare_format_decode (format, codes, rows, columns, y);
  tare_format_encode (format, NULL, y, rows, columns, codes, NULL, NULL);
  tare_format_decode (format, codes, rows, columns, z);

  for (gsize i = 0; i < rows * columns; i++)
    g_assert_cmpfloat (y[i], ==, z[i]);
}

/* Finer books, and outliers kept apart, can only help. */
static void
test_order (void)
{
  static const char *const ids[] = {
    "kmeans4_tensor", "kmeans4_bands", "kmeans4_channel", "kmeans4_sparse",
  };
  gsize rows = 64, columns = 1024;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  double last = INFINITY;

  tare_test_fill_gaussian (x, rows * columns, 9);
  for (gsize i = 0; i < rows * columns; i++)
    x[i] *= (1.0f + 0.1f * (float) (i / columns)) * (i % 301 == 0 ? 6.0f : 1.0f);

  for (gsize k = 0; k < G_N_ELEMENTS (ids); k++)
    {
      const TareFormat *format = tare_format_lookup (ids[k]);
      g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, rows, columns));
      double error;

      tare_format_encode (format, NULL, x, rows, columns, codes, NULL, NULL);
      tare_format_decode (format, codes, rows, columns, y);
      error = tare_distortion_measure (x, y, rows, columns, NULL).squared;
      g_assert_cmpfloat (error, <, last);
      last = error;
    }
}

static void
test_cancelled (void)
{
  const TareFormat *format = tare_format_lookup ("kmeans4_bands");
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;
  float x[512] = { 1.0f };
  guint8 codes[2048];

  g_cancellable_cancel (cancellable);
  g_assert_cmpuint (tare_format_get_bytes (format, 2, 256), <=, sizeof codes);
  g_assert_false (tare_format_encode (format, NULL, x, 2, 256, codes, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/k-means/brute-force", test_brute_force);
  g_test_add_func ("/k-means/lloyd", test_lloyd);
  g_test_add_func ("/k-means/gaussian", test_gaussian);
  g_test_add_func ("/k-means/uniform", test_uniform);
  g_test_add_func ("/k-means/bands", test_bands);
  g_test_add_func ("/k-means/order", test_order);
  g_test_add_func ("/k-means/cancelled", test_cancelled);

  return g_test_run ();
}
