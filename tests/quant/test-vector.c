/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-vector-means-private.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/formats/tare-format.h"
#include "quant/formats/tare-half.h"
#include "quant/formats/tare-metric.h"
#include "tests/tare-test.h"

static const char *const ids[] = {
  "vq_v4_k4096", "vq_v6_k4096", "vq_v6_k4096_outliers", "vq_v4_k256", "vq_v8_k256",
  "vq_v4_k256_residual", "vq_v8_k256_residual",
};

/* Returns: the squared error */
static double
round_trip (const char         *id,
            const TareEncoding *encoding,
            const float        *x,
            gsize               rows,
            gsize               columns,
            float              *y)
{
  const TareFormat *format = tare_format_lookup (id);
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, rows, columns));
  g_autoptr(GError) error = NULL;

  tare_format_encode (format, encoding, x, rows, columns, codes, NULL, &error);
  g_assert_no_error (error);
  tare_format_decode (format, codes, rows, columns, y);

  return tare_distortion_measure (x, y, rows, columns, NULL).squared;
}

static void
assert_again (const char  *id,
              const float *x,
              gsize        rows,
              gsize        columns)
{
  g_autofree float *y = g_new (float, rows * columns);
  g_autofree float *z = g_new (float, rows * columns);

  round_trip (id, NULL, x, rows, columns, y);
  round_trip (id, NULL, y, rows, columns, z);
  for (gsize i = 0; i < rows * columns; i++)
    g_assert_cmpfloat (y[i], ==, z[i]);
}

static void
test_assign (void)
{
  static const gsize lengths[] = { 2, 4, 6, 8 };
  gsize n = 333, k = 77;
  float x[333 * 8], book[77 * 8], errors[333], naive_errors[333];
  guint16 codes[333], naive[333];

  tare_test_fill_gaussian (x, G_N_ELEMENTS (x), 1);
  tare_test_fill_gaussian (book, G_N_ELEMENTS (book), 2);

  for (gsize l = 0; l < G_N_ELEMENTS (lengths); l++)
    {
      _tare_vectors_assign (x, n, lengths[l], book, k, codes, errors);
      _tare_vectors_assign_naive (x, n, lengths[l], book, k, naive, naive_errors);
      g_assert_cmpmem (codes, sizeof codes, naive, sizeof naive);
      g_assert_cmpmem (errors, sizeof errors, naive_errors, sizeof naive_errors);
    }
}

/* Whatever the order of the book, and with vectors in it several times. */
static void
test_cells (void)
{
  static const gsize lengths[] = { 1, 2, 3, 4, 6, 8 };
  gsize n = 500, k = 1024;
  g_autofree float *x = g_new (float, n * 8);
  g_autofree float *book = g_new (float, k * 8);
  float errors[500], naive_errors[500];
  guint16 codes[500], naive[500];

  g_assert_false (_tare_vector_cells_suit (256));
  g_assert_false (_tare_vector_cells_suit (1024 + 32));
  g_assert_true (_tare_vector_cells_suit (k));

  for (gsize l = 0; l < 2 * G_N_ELEMENTS (lengths); l++)
    {
      gsize length = lengths[l / 2];
      g_autoptr(TareVectorCells) cells = NULL;

      tare_test_fill_gaussian (x, n * length, 3);
      tare_test_fill_gaussian (book, k * length, 4);
      memcpy (book + k / 2 * length, book, k / 4 * length * sizeof (float));
      memcpy (x, book + 100 * length, 50 * length * sizeof (float));
      if (l % 2 == 1)
        _tare_vector_cells_sort (book, length, k);

      cells = _tare_vector_cells_new (book, length, k);
      _tare_vector_cells_assign (cells, x, n, codes, errors);
      _tare_vectors_assign_naive (x, n, length, book, k, naive, naive_errors);
      g_assert_cmpmem (codes, sizeof codes, naive, sizeof naive);
      g_assert_cmpmem (errors, sizeof errors, naive_errors, sizeof naive_errors);
    }
}

static double
measure_means (const float *x,
               const float *w,
               gsize        n,
               gsize        length,
               gsize        k,
               float       *book)
{
  g_autofree guint16 *codes = g_new (guint16, n);
  g_autofree float *errors = g_new (float, n);
  g_autoptr(GError) error = NULL;
  double sum = 0.0;

  g_assert_true (_tare_vector_means (x, w, n, length, k, book, NULL, &error));
  g_assert_no_error (error);
  _tare_vectors_assign (x, n, length, book, k, codes, errors);
  for (gsize i = 0; i < n; i++)
    sum += (double) w[i] * (double) errors[i];

  return sum / (double) n;
}

/* Of many centroids for standard normal pairs, hexagons are the best cells: Zador, Asymptotic
 * Quantization Error, 1982, with the second moment 5 / (36 √3) and the density's norm 8 π, gives
 * that error for each number. In more dimensions the moments are those of Conway and Sloane, Sphere
 * Packings, Lattices and Groups, table 2.3. A scalar codebook of as many bits has Max's. */
static void
test_gaussian (void)
{
  static const struct
  {
    gsize  length;
    gsize  k;
    double moment;
    double scalar;
  } truths[] = {
    { 2, 64, 0.080188, 0.034548 }, { 2, 256, 0.080188, 0.009501 }, { 4, 256, 0.076603, 0.117482 },
  };
  gsize n = 1 << 15;
  g_autofree float *x = g_new (float, n * 4);
  g_autofree float *w = g_new (float, n);
  float book[256 * 4];

  tare_test_fill_gaussian (x, n * 4, 5);
  for (gsize i = 0; i < n; i++)
    w[i] = 1.0f;

  for (gsize t = 0; t < G_N_ELEMENTS (truths); t++)
    {
      double m = (double) truths[t].length;
      double norm = 2.0 * G_PI * pow ((m + 2.0) / m, 0.5 * (m + 2.0));
      double zador = truths[t].moment * norm * pow ((double) truths[t].k, -2.0 / m);
      double found = measure_means (x, w, n, truths[t].length, truths[t].k, book) / m;

      g_test_message ("%u numbers, %u centroids: %.6f, asymptotic %.6f, scalar %.6f",
                      (guint) truths[t].length, (guint) truths[t].k, found, zador,
                      truths[t].scalar);
      g_assert_cmpfloat (found, >, 0.9 * zador);
      g_assert_cmpfloat (found, <, 1.02 * zador);
      g_assert_cmpfloat (found, <, 0.97 * truths[t].scalar);
    }
}

/* Clusters far apart are found, each with its weighted mean. */
static void
test_planted (void)
{
  gsize n = 6400, k = 64, length = 6;
  g_autofree float *x = g_new (float, n * length);
  g_autofree float *w = g_new (float, n);
  float centers[64 * 6], book[64 * 6];
  double within = 0.0;

  tare_test_fill_gaussian (centers, k * length, 6);
  tare_test_fill_gaussian (x, n * length, 7);
  for (gsize i = 0; i < n; i++)
    {
      w[i] = 0.5f + (float) (i % 7);
      for (gsize d = 0; d < length; d++)
        x[i * length + d] = centers[i % k * length + d] + 1e-3f * x[i * length + d];
    }

  for (gsize c = 0; c < k; c++)
    {
      double mean[6] = { 0.0 }, weight = 0.0;

      for (gsize i = c; i < n; i += k)
        for (gsize d = 0; d < length; d++)
          mean[d] += (double) w[i] * (double) x[i * length + d];
      for (gsize i = c; i < n; i += k)
        weight += (double) w[i];
      for (gsize i = c; i < n; i += k)
        for (gsize d = 0; d < length; d++)
          within += (double) w[i] * pow ((double) x[i * length + d] - mean[d] / weight, 2.0);
    }

  g_assert_cmpfloat_with_epsilon (measure_means (x, w, n, length, k, book) * (double) n, within,
                                  1e-3 * within);
}

/* No more different vectors than a book holds come back as they are, whatever the tail. */
static void
test_exact (void)
{
  gsize rows = 8 * 40 + 3, columns = 32;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);

  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      x[i * columns + j] = (float) ((i % 24 * 5 + (i / 24 * 7 + j * 3) % 60) % 61) / 64.0f;

  for (gsize k = 0; k < G_N_ELEMENTS (ids); k++)
    if (strstr (ids[k], "residual") == NULL)
      g_assert_cmpfloat (round_trip (ids[k], NULL, x, rows, columns, y), ==, 0.0);
}

/* Planted sums, of which the second term is small, are all but found; what is left is what the
 * lowest bits say. */
static void
test_sums (void)
{
  gsize rows = 8 * 32 + 3, columns = 64;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  float first[256 * 8], second[9 * 8];

  tare_test_fill_gaussian (first, G_N_ELEMENTS (first), 20);
  tare_test_fill_gaussian (second, G_N_ELEMENTS (second), 21);
  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      {
        gsize vector = i / 8 * columns + j;

        x[i * columns + j] = first[vector % 256 * 8 + i % 8]
                             + 0.001f * second[vector / 256 * 8 + i % 8];
      }

  g_assert_cmpfloat (round_trip ("vq_v8_k256", NULL, x, rows, columns, y), >,
                     2e-7 * (double) (rows * columns));
  g_assert_cmpfloat (round_trip ("vq_v8_k256_residual", NULL, x, rows, columns, y), <,
                     1e-9 * (double) (rows * columns));
  assert_again ("vq_v8_k256_residual", x, rows, columns);
}

/* Outputs that go together: vectors beat levels of as many bits. */
static void
test_correlated (void)
{
  gsize rows = 256, columns = 128;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  double one, two;

  tare_test_fill_gaussian (x, rows * columns, 3);
  for (gsize i = 1; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      x[i * columns + j] = 0.9f * x[(i - 1) * columns + j] + 0.436f * x[i * columns + j];

  one = round_trip ("vq_v8_k256", NULL, x, rows, columns, y);
  two = round_trip ("vq_v4_k256", NULL, x, rows, columns, y);
  g_assert_cmpfloat (one, <, 0.7 * round_trip ("binary_channel", NULL, x, rows, columns, y));
  g_assert_cmpfloat (two, <, 0.5 * round_trip ("kmeans2_tensor", NULL, x, rows, columns, y));
  g_assert_cmpfloat (round_trip ("vq_v8_k256_residual", NULL, x, rows, columns, y), <, 0.7 * one);
  g_assert_cmpfloat (round_trip ("vq_v4_k256_residual", NULL, x, rows, columns, y), <, 0.3 * two);
}

/* Inputs on their own scale want their own book. */
static void
test_outliers (void)
{
  gsize rows = 192, columns = 256;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  double error;

  tare_test_fill_gaussian (x, rows * columns, 8);
  for (gsize i = 0; i < rows * columns; i++)
    x[i] *= i % columns % 64 == 5 ? 50.0f : 1.0f;

  error = round_trip ("vq_v6_k4096", NULL, x, rows, columns, y);
  g_assert_cmpfloat (round_trip ("vq_v6_k4096_outliers", NULL, x, rows, columns, y), <, error);
}

/* Importance moves the centroids to what matters. */
static void
test_importance (void)
{
  gsize rows = 256, columns = 64;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  float importance[64];
  TareEncoding encoding = { .range = TARE_RANGE_SEARCH, .importance = importance };

  tare_test_fill_gaussian (x, rows * columns, 9);
  for (gsize j = 0; j < columns; j++)
    importance[j] = j % 8 == 0 ? 100.0f : 1.0f;

  for (gsize k = 0; k < G_N_ELEMENTS (ids); k++)
    {
      double plain, weighed;

      /* As many centroids as there are vectors need not choose. */
      if (strstr (ids[k], "k256") == NULL)
        continue;

      round_trip (ids[k], NULL, x, rows, columns, y);
      plain = tare_distortion_measure (x, y, rows, columns, importance).weighted;
      round_trip (ids[k], &encoding, x, rows, columns, y);
      weighed = tare_distortion_measure (x, y, rows, columns, importance).weighted;
      g_test_message ("%s: %.4g, weighed %.4g", ids[k], plain, weighed);
      g_assert_cmpfloat (weighed, <, 0.9 * plain);
    }
}

typedef void (*FillFunc) (float *x,
                          gsize  n);

static void
fill_zeros (float *x,
            gsize  n)
{
  memset (x, 0, n * sizeof (float));
}

static void
fill_outlier (float *x,
              gsize  n)
{
  tare_test_fill_gaussian (x, n, 10);
  for (gsize i = 0; i < n; i += 100)
    x[i] = 1000.0f;
}

static void
fill_subnormal (float *x,
                gsize  n)
{
  tare_test_fill_gaussian (x, n, 11);
  for (gsize i = 0; i < n; i++)
    x[i] *= 1e-40f;
}

static void
fill_tiny (float *x,
           gsize  n)
{
  tare_test_fill_gaussian (x, n, 12);
  for (gsize i = 0; i < n; i++)
    x[i] *= 1e-6f;
}

static void
fill_extreme (float *x,
              gsize  n)
{
  tare_test_fill_gaussian (x, n, 13);
  for (gsize i = 0; i < n; i++)
    x[i] = i % 3 == 0 ? copysignf (FLT_MAX, x[i]) : x[i] * 1e30f;
}

static void
fill_gaussian (float *x,
               gsize  n)
{
  tare_test_fill_gaussian (x, n, 14);
}

/* Edges in matrices of which vectors and a tail are made: nothing finite becomes infinite or NaN,
 * zeros stay zeros, and what was decoded once is coded without error from then on. */
static void
test_edges (void)
{
  static const FillFunc fills[] = {
    fill_zeros, fill_outlier, fill_subnormal, fill_tiny, fill_extreme, fill_gaussian,
  };
  gsize rows = 67, columns = 130;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);

  for (gsize f = 0; f < G_N_ELEMENTS (fills); f++)
    for (gsize k = 0; k < G_N_ELEMENTS (ids); k++)
      {
        fills[f] (x, rows * columns);
        round_trip (ids[k], NULL, x, rows, columns, y);
        for (gsize i = 0; i < rows * columns; i++)
          {
            g_assert_true (isfinite (y[i]));
            if (fills[f] == fill_zeros)
              g_assert_cmpfloat (y[i], ==, 0.0f);
          }
        assert_again (ids[k], x, rows, columns);
      }
}

/* More vectors than two books hold, so that both are full. */
static void
test_two_books (void)
{
  gsize rows = 6 * 70 + 1, columns = 160;
  g_autofree float *x = g_new (float, rows * columns);

  tare_test_fill_gaussian (x, rows * columns, 15);
  for (gsize i = 0; i < rows * columns; i++)
    x[i] *= 1.0f + 0.01f * (float) (i % columns);
  assert_again ("vq_v6_k4096_outliers", x, rows, columns);
}

/* Indices of log2 k bits, the tail and books in half precision, and the book of each input. */
static void
test_bytes (void)
{
  g_assert_cmpuint (tare_format_get_bytes (tare_format_lookup ("vq_v8_k256"), 803, 7), ==,
                    2 * 256 * 8 + 7 * (100 + 2 * 3));
  g_assert_cmpuint (tare_format_get_bytes (tare_format_lookup ("vq_v6_k4096_outliers"), 61, 7), ==,
                    2 * 2 * 4096 * 6 + 7 + 7 * (15 + 2));
  g_assert_cmpuint (tare_format_get_bytes (tare_format_lookup ("vq_v8_k256_residual"), 803, 7), ==,
                    4 + 2 * 4 * 256 * 8 + 7 * (2 * 100 + 2 * 3));
  g_assert_cmpfloat (tare_format_get_bits_per_weight (tare_format_lookup ("vq_v4_k4096"), 4096,
                                                      4096), ==, 3.0 + 16.0 * 4.0 / 4096.0);
}

static void
test_cancelled (void)
{
  const TareFormat *format = tare_format_lookup ("vq_v4_k4096");
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, 8, 8));
  float x[64] = { 1.0f }, w[8] = { 1.0f }, book[16];
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (_tare_vector_means (x, w, 8, 8, 2, book, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (tare_format_encode (format, NULL, x, 8, 8, codes, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/vector/assign", test_assign);
  g_test_add_func ("/vector/cells", test_cells);
  g_test_add_func ("/vector/gaussian", test_gaussian);
  g_test_add_func ("/vector/planted", test_planted);
  g_test_add_func ("/vector/exact", test_exact);
  g_test_add_func ("/vector/sums", test_sums);
  g_test_add_func ("/vector/correlated", test_correlated);
  g_test_add_func ("/vector/outliers", test_outliers);
  g_test_add_func ("/vector/importance", test_importance);
  g_test_add_func ("/vector/edges", test_edges);
  g_test_add_func ("/vector/two-books", test_two_books);
  g_test_add_func ("/vector/bytes", test_bytes);
  g_test_add_func ("/vector/cancelled", test_cancelled);

  return g_test_run ();
}
