/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"
#include "quant/formats/tare-metric.h"

#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

/* What formats make of weights for which the answer is known. */

#define N (1 << 19)

static const TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };

static void
round_trip (const char         *id,
            const TareEncoding *encoding,
            const float        *x,
            gsize               rows,
            gsize               columns,
            float              *y)
{
  const TareFormat *format = tare_format_lookup (id);
  g_autofree guint8 *codes = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_nonnull (format);
  codes = g_malloc (tare_format_get_bytes (format, rows, columns));
  g_assert_true (tare_format_encode (format, encoding, x, rows, columns, codes, NULL, &error));
  g_assert_no_error (error);
  tare_format_decode (format, codes, rows, columns, y);
}

/* The middle of every of n parts of the normal distribution: from its median outwards, by Newton's
 * method from the neighbour, mirrored, and in an order that has no trend. x: [n] */
static void
fill_quantiles (float *x,
                gsize  n)
{
  double value = 0.0;

  for (gsize i = n / 2; i < n; i++)
    {
      double upper = 1.0 - ((double) i + 0.5) / (double) n;

      for (int k = 0; k < 8; k++)
        value += (0.5 * erfc (value / G_SQRT2) - upper)
                 / (exp (-0.5 * value * value) / sqrt (2.0 * G_PI));
      x[i * 40503 % n] = (float) value;
      x[(n - 1 - i) * 40503 % n] = (float) -value;
    }
}

/* The least squared error that a grid can have with one scale for a unit Gaussian: closed
 * integrals, of which those for integers without a level at zero agree with Max (1960). The sample
 * is the quantiles of the distribution, which have next to no error of their own. */
static void
test_gaussian (void)
{
  static const struct
  {
    const char *id;
    double      error;
  } anchors[] = {
    { "int2_channel", 0.149431 }, { "int3_channel", 0.040638 }, { "int4_channel", 0.011864 },
    { "int5_channel", 0.003526 }, { "int6_channel", 0.001043 }, { "int7_channel", 0.000305 },
    { "int8_channel", 0.0000877 }, { "int4_tensor", 0.011864 },
    { "int2_restricted_channel", 0.190174 }, { "int3_restricted_channel", 0.046860 },
    { "int4_restricted_channel", 0.012889 }, { "int8_restricted_channel", 0.0000883 },
    { "bipolar2_channel", 0.118846 }, { "bipolar3_channel", 0.037440 },
    { "bipolar4_channel", 0.011543 }, { "bipolar8_channel", 0.0000877 },
    { "binary_channel", 0.363380 }, { "binary_tensor", 0.363380 },
    { "ternary_channel", 0.190174 }, { "ternary_absmean_channel", 0.263382 },
    { "ternary_absmean_tensor", 0.263382 }, { "ternary_twn_channel", 0.191625 },
    { "fp4_e2m1_channel", 0.0126849 }, { "fp4_e2m1_tensor", 0.0126849 },
    { "fp4_e1m2_channel", 0.0128894 }, { "fp4_e3m0_channel", 0.0377450 },
    { "fp5_e2m2_channel", 0.0032560 }, { "fp6_e2m3_channel", 0.00082915 },
    { "fp6_e3m2_channel", 0.0027661 }, { "fp8_e2m5_channel", 0.0000541 },
    { "fp8_e3m4_channel", 0.00017520 }, { "fp8_e4m3_channel", 0.00069875 },
    { "fp8_e4m3_none_channel", 0.00069875 }, { "fp8_e5m2_channel", 0.00276557 },
    { "post4_channel", 0.0129770 }, { "pot4_channel", 0.0377450 },
  };
  g_autofree float *x = g_new (float, N);
  g_autofree float *y = g_new (float, N);

  fill_quantiles (x, N);
  for (gsize i = 0; i < G_N_ELEMENTS (anchors); i++)
    {
      double error;

      round_trip (anchors[i].id, NULL, x, 1, N, y);
      error = tare_distortion_measure (x, y, 1, N, NULL).squared / N;
      g_test_message ("%s: %.7g, closed form %.7g", anchors[i].id, error, anchors[i].error);
      g_assert_cmpfloat_with_epsilon (error, anchors[i].error, 0.01 * anchors[i].error);
    }
}

/* Codebooks come with a scale for 64 weights: what their grids are worth with one scale for all is
 * found by giving every block the same ends, so that the range reaches to where the best scale
 * would be. */
static void
test_codebooks (void)
{
  static const struct
  {
    const char *id;
    float       reach;
    double      error;
  } anchors[] = {
    { "nf4", 2.86306f, 0.0098993 }, { "bnb_fp4", 2.56362f, 0.0165861 },
    { "nf4_dq", 2.86306f, 0.0098993 },
  };
  g_autofree float *x = g_new (float, N);
  g_autofree float *clipped = g_new (float, N);
  g_autofree float *y = g_new (float, N);

  fill_quantiles (x, N);
  for (gsize i = 0; i < G_N_ELEMENTS (anchors); i++)
    {
      double error = 0.0;
      gsize n = 0;

      for (gsize j = 0; j < N; j++)
        clipped[j] = j % 64 == 0 ? anchors[i].reach
                                 : CLAMP (x[j], -anchors[i].reach, anchors[i].reach);
      round_trip (anchors[i].id, &plain, clipped, N / 4096, 4096, y);
      for (gsize j = 0; j < N; j++)
        if (j % 64 != 0)
          {
            error += ((double) x[j] - (double) y[j]) * ((double) x[j] - (double) y[j]);
            n++;
          }
      error /= (double) n;
      g_test_message ("%s: %.7g, closed form %.7g", anchors[i].id, error, anchors[i].error);
      g_assert_cmpfloat_with_epsilon (error, anchors[i].error, 0.01 * anchors[i].error);
    }
}

static double
measure (const char         *id,
         const TareEncoding *encoding,
         const float        *x,
         gsize               rows,
         gsize               columns)
{
  g_autofree float *y = g_new (float, rows * columns);

  round_trip (id, encoding, x, rows, columns, y);

  return tare_distortion_measure (x, y, rows, columns, NULL).squared;
}

static double
measure_absolute (const char  *id,
                  const float *x,
                  float       *y)
{
  double sum = 0.0;

  round_trip (id, &plain, x, 1, N, y);
  for (gsize i = 0; i < N; i++)
    sum += fabs ((double) x[i] - (double) y[i]);

  return sum / N;
}

/* The levels of bitsandbytes, whose absolute error is near that of NF4. */
static void
test_absolute (void)
{
  static const float levels[] = {
    -1.0f, -0.69441008f, -0.51243739f, -0.3736951f, -0.25607552f, -0.14982478f, -0.04934812f, 0.0f,
    0.04273164f, 0.12934483f, 0.21961274f, 0.31675666f, 0.42563882f, 0.55496234f, 0.72424863f, 1.0f,
  };
  float found[TARE_FORMAT_MAX_LEVELS];
  g_autofree float *x = g_new (float, N);
  g_autofree float *y = g_new (float, N);
  double error;

  g_assert_cmpuint (tare_format_get_levels (tare_format_lookup ("af4"), -1.0f, 1.0f, found), ==,
                    G_N_ELEMENTS (levels));
  g_assert_cmpmem (found, sizeof levels, levels, sizeof levels);

  tare_test_fill_gaussian (x, N, 37);
  error = measure_absolute ("af4", x, y);
  g_assert_cmpfloat (error, <, 1.05 * measure_absolute ("nf4", x, y));
  g_assert_cmpfloat (error, <, 0.9 * measure_absolute ("bnb_fp4", x, y));
}

/* What must be the same, or not worse, whatever the weights. */
static void
test_identities (void)
{
  gsize rows = 64, columns = 512, n = rows * columns;
  g_autofree float *x = g_new (float, n);
  g_autofree float *y = g_new (float, n);
  g_autofree float *z = g_new (float, n);

  tare_test_fill_gaussian (x, n, 41);

  /* One bit of exponent spaces the levels equally; powers of two are floats without a mantissa; the
   * exponent of a power grid is at least as good as 1, which is integers. */
  g_assert_cmpfloat_with_epsilon (measure ("fp4_e1m2_g128", NULL, x, rows, columns),
                                  measure ("int4_restricted_g128", NULL, x, rows, columns), 2.0);
  round_trip ("pot4_g128", &plain, x, rows, columns, y);
  round_trip ("fp4_e3m0_g128", &plain, x, rows, columns, z);
  for (gsize j = 0; j < n; j++)
    g_assert_cmpfloat_with_epsilon (y[j], z[j], 0.002f * fabsf (y[j]) + 1e-6f);
  g_assert_cmpfloat (measure ("power4_g128", NULL, x, rows, columns), <=,
                     1.001 * measure ("int4_restricted_g128", NULL, x, rows, columns));

  /* Three levels: none is better than the least squares' own. */
  g_assert_cmpfloat (measure ("ternary_g128", NULL, x, rows, columns), <=,
                     measure ("ternary_twn_g128", NULL, x, rows, columns));
  g_assert_cmpfloat (measure ("ternary_g128", NULL, x, rows, columns), <=,
                     measure ("ternary_absmean_g128", NULL, x, rows, columns));

  /* One more sign is worth something every time. */
  g_assert_cmpfloat (measure ("binary_residual2_g128", NULL, x, rows, columns), <,
                     0.4 * measure ("binary_g128", NULL, x, rows, columns));
  g_assert_cmpfloat (measure ("binary_residual3_g128", NULL, x, rows, columns), <,
                     0.5 * measure ("binary_residual2_g128", NULL, x, rows, columns));
}

/* The upper bits of 8-bit integers differ from them by half a step of theirs, but for the highest
 * codes. */
static void
test_nested (void)
{
  gsize columns = 4096;
  g_autofree float *x = g_new (float, columns);
  g_autofree float *fine = g_new (float, columns);
  g_autofree float *coarse = g_new (float, columns);

  tare_test_fill_gaussian (x, columns, 43);
  x[0] = 127.0f / 32.0f;
  for (gsize j = 1; j < columns; j++)
    x[j] = CLAMP (x[j], -3.9f, 3.9f);

  round_trip ("int8_channel", &plain, x, 1, columns, fine);
  round_trip ("nested8_4_channel", &plain, x, 1, columns, coarse);
  for (gsize j = 0; j < columns; j++)
    {
      float code = fine[j] * 32.0f;

      g_assert_cmpfloat (code, ==, rintf (code));
      if (code <= 120.0f)
        g_assert_cmpfloat (fabsf (fine[j] - coarse[j]), <=, 0.25f);
      else
        g_assert_cmpfloat (coarse[j], ==, 3.5f);
    }
}

/* Groups along the outputs are those of the transposed matrix. */
static void
test_along_outputs (void)
{
  gsize rows = 300, columns = 70, n = rows * columns;
  g_autofree float *x = g_new (float, n);
  g_autofree float *transposed = g_new (float, n);
  g_autofree float *y = g_new (float, n);
  g_autofree float *z = g_new (float, n);
  g_autofree guint8 *codes = NULL;
  const TareFormat *format = tare_format_lookup ("int4_out_g128");

  tare_test_fill_gaussian (x, n, 47);
  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      transposed[j * rows + i] = x[i * columns + j];

  round_trip ("int4_out_g128", NULL, x, rows, columns, y);
  round_trip ("int4_g128", NULL, transposed, columns, rows, z);
  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      g_assert_cmpfloat (y[i * columns + j], ==, z[j * rows + i]);

  /* Any rows are the same as in the whole. */
  codes = g_malloc (tare_format_get_bytes (format, rows, columns));
  g_assert_true (tare_format_encode (format, NULL, x, rows, columns, codes, NULL, NULL));
  tare_format_decode_rows (format, codes, rows, columns, 123, 45, z);
  g_assert_cmpmem (z, 45 * columns * sizeof (float), y + 123 * columns,
                   45 * columns * sizeof (float));
}

/* Every format gives the same rows alone as with all others, and takes the bytes that it says. */
static void
test_rows_of_matrix (void)
{
  gsize rows = 9, columns = 512;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  g_autofree float *z = g_new (float, rows * columns);

  tare_test_fill_gaussian (x, rows * columns, 53);
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gsize n_bytes = tare_format_get_bytes (format, rows, columns);
      g_autofree guint8 *codes = g_malloc (n_bytes + 8);

      memset (codes, 0xa5, n_bytes + 8);
      g_assert_true (tare_format_encode (format, &plain, x, rows, columns, codes, NULL, NULL));
      for (gsize k = 0; k < 8; k++)
        g_assert_cmpuint (codes[n_bytes + k], ==, 0xa5);
      tare_format_decode (format, codes, rows, columns, y);
      for (gsize r = 0; r < rows; r += 3)
        tare_format_decode_rows (format, codes, rows, columns, r, 3, z + r * columns);
      g_assert_cmpmem (y, rows * columns * sizeof (float), z, rows * columns * sizeof (float));
    }
}

/* QLoRA's figure for NF4, and others that follow from the layout. */
static void
test_bits (void)
{
  static const struct
  {
    const char *id;
    double      bits;
  } truths[] = {
    { "nf4", 4.25 }, { "nf4_dq", 4.0 + 8.0 / 64.0 + 32.0 / (64.0 * 256.0) }, { "nvfp4", 4.5 },
    { "int4_dq_g32", 4.25 + 32.0 / (32.0 * 256.0) }, { "ternary_g128", 1.725 },
    { "binary_g128", 1.125 }, { "binary_residual2_g128", 2.25 }, { "fp8_e4m3_g128", 8.25 },
    { "int4_tensor", 4.0 }, { "int4_out_g128", 4.125 }, { "int4_min_g32", 5.0 },
    { "fp4_e2m1_m1_g128", 4.0625 }, { "bfp4", 4.25 }, { "bfp4_sorted", 4.25 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (truths); i++)
    g_assert_cmpfloat_with_epsilon (
      tare_format_get_bits_per_weight (tare_format_lookup (truths[i].id), 0, 0), truths[i].bits,
      1e-5);
  g_assert_cmpfloat (
    tare_format_get_bits_per_weight (tare_format_lookup ("bfp4_sorted"), 64, 4096), ==, 4.75);
}

/* The OCP's rule clips a block's largest weight, rounding up does not, and the search does not
 * lose to either. */
static void
test_ranges (void)
{
  static const TareEncoding up = { .range = TARE_RANGE_ROUND_UP };
  static const TareEncoding norm = { .range = TARE_RANGE_NORM };
  gsize columns = 4096;
  float x[32] = { 7.9f, 1.0f }, y[32];
  g_autofree float *w = g_new (float, columns);
  double searched;

  round_trip ("mxfp8_e4m3", &plain, x, 1, 32, y);
  g_assert_cmpfloat (y[0], ==, 7.0f);
  round_trip ("mxfp8_e4m3", &up, x, 1, 32, y);
  g_assert_cmpfloat (y[0], ==, 8.0f);

  tare_test_fill_gaussian (w, columns, 59);
  searched = measure ("mxfp6_e3m2", NULL, w, 1, columns);
  g_assert_cmpfloat (searched, <=, measure ("mxfp6_e3m2", &plain, w, 1, columns));
  g_assert_cmpfloat (searched, <=, measure ("mxfp6_e3m2", &up, w, 1, columns));

  /* The 2.4-norm clips less than the squares do, and so costs a little more in squares. */
  searched = measure ("int3_channel", NULL, w, 1, columns);
  g_assert_cmpfloat (measure ("int3_channel", &norm, w, 1, columns), >=, searched);
  g_assert_cmpfloat (measure ("int3_channel", &norm, w, 1, columns), <, 1.2 * searched);
}

static void
test_cancelled (void)
{
  static const char *const ids[] = { "power4_g128", "nf4_dq", "int4_out_g128", "int4_tensor" };
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  gsize rows = 256, columns = 1024;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree guint8 *codes = g_malloc (rows * columns);

  tare_test_fill_gaussian (x, rows * columns, 61);
  g_cancellable_cancel (cancellable);
  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_autoptr(GError) error = NULL;

      g_assert_false (tare_format_encode (tare_format_lookup (ids[i]), NULL, x, rows, columns,
                                          codes, &progress, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/format/anchors/gaussian", test_gaussian);
  g_test_add_func ("/format/anchors/codebooks", test_codebooks);
  g_test_add_func ("/format/anchors/absolute", test_absolute);
  g_test_add_func ("/format/anchors/identities", test_identities);
  g_test_add_func ("/format/anchors/nested", test_nested);
  g_test_add_func ("/format/anchors/along-outputs", test_along_outputs);
  g_test_add_func ("/format/anchors/rows-of-matrix", test_rows_of_matrix);
  g_test_add_func ("/format/anchors/bits", test_bits);
  g_test_add_func ("/format/anchors/ranges", test_ranges);
  g_test_add_func ("/format/anchors/cancelled", test_cancelled);

  return g_test_run ();
}
