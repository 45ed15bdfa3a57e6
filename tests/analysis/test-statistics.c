/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-statistics.h"

#include <math.h>
#include <string.h>

#include "analysis/statistics/tare-histogram.h"
#include "analysis/statistics/tare-moments.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

/* The reference: two passes, one number at a time. */
static TareMoments
naive_moments (const float *x,
               gsize        n)
{
  TareMoments self = { .minimum = INFINITY, .maximum = -INFINITY };

  for (gsize i = 0; i < n; i++)
    {
      if (!isfinite (x[i]))
        {
          if (self.n_not_finite++ == 0)
            self.first_not_finite = i;
          continue;
        }

      self.n++;
      self.mean += (double) x[i];
      self.minimum = MIN (self.minimum, x[i]);
      self.maximum = MAX (self.maximum, x[i]);
    }
  self.mean /= (double) MAX (self.n, 1);

  for (gsize i = 0; i < n; i++)
    {
      double d = (double) x[i] - self.mean;

      if (!isfinite (x[i]))
        continue;
      self.m2 += d * d;
      self.m3 += d * d * d;
      self.m4 += d * d * d * d;
    }

  return self;
}

static void
assert_moments (const TareMoments *a,
                const TareMoments *b,
                double             tolerance)
{
  double scale = pow (b->m2, 1.5) / sqrt ((double) MAX (b->n, 1));

  g_assert_cmpuint (a->n, ==, b->n);
  g_assert_cmpuint (a->n_not_finite, ==, b->n_not_finite);
  g_assert_cmpuint (a->first_not_finite, ==, b->first_not_finite);
  if (b->n == 0)
    return;

  g_assert_cmpfloat (a->minimum, ==, b->minimum);
  g_assert_cmpfloat (a->maximum, ==, b->maximum);
  g_assert_cmpfloat (fabs (a->mean - b->mean), <=,
                     tolerance * (fabs (b->mean) + sqrt (b->m2 / (double) b->n)));
  g_assert_cmpfloat (fabs (a->m2 - b->m2), <=, tolerance * b->m2);
  g_assert_cmpfloat (fabs (a->m3 - b->m3), <=, tolerance * (scale + fabs (b->m3)));
  g_assert_cmpfloat (fabs (a->m4 - b->m4), <=, tolerance * b->m4);
}

static void
test_moments_reference (void)
{
  const gsize lengths[] = { 1, 2, 3, 15, 16, 17, 2047, 2048, 2049, 20000 };
  const double shifts[] = { 0.0, 1.0, -1000.0 };

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      for (gsize k = 0; k < G_N_ELEMENTS (shifts); k++)
        {
          g_autofree float *x = g_new (float, lengths[i]);
          TareMoments fast = { 0 };
          TareMoments naive;

          tare_test_fill_gaussian (x, lengths[i], (guint32) (i + 1));
          for (gsize j = 0; j < lengths[i]; j++)
            x[j] = x[j] * x[j] + (float) shifts[k];

          tare_moments_add (&fast, x, lengths[i]);
          naive = naive_moments (x, lengths[i]);
          assert_moments (&fast, &naive, 1e-9);
        }
    }
}

static void
test_moments_not_finite (void)
{
  const float others[] = { NAN, INFINITY, -INFINITY, -NAN };
  g_autofree float *x = g_new (float, 10000);

  tare_test_fill_gaussian (x, 10000, 5);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      TareMoments fast = { 0 };
      TareMoments naive;

      x[9000 - 1500 * i] = others[i];
      naive = naive_moments (x, 10000);
      tare_moments_add (&fast, x, 10000);
      g_assert_cmpuint (fast.n_not_finite, ==, i + 1);
      assert_moments (&fast, &naive, 1e-9);
    }
}

static void
test_moments_append (void)
{
  g_autofree float *x = g_new (float, 30000);
  TareMoments whole;

  tare_test_fill_gaussian (x, 30000, 6);
  x[20001] = NAN;
  for (gsize i = 0; i < 30000; i++)
    x[i] += i < 10000 ? 100.0f : 0.0f;
  whole = naive_moments (x, 30000);

  for (gsize cut = 0; cut <= 30000; cut += 7500)
    {
      TareMoments a = { 0 };
      TareMoments b = { 0 };

      tare_moments_add (&a, x, cut);
      tare_moments_add (&b, x + cut, 30000 - cut);
      tare_moments_append (&a, &b);
      assert_moments (&a, &whole, 1e-9);
    }
}

/* The largest and the smallest numbers that there are: nothing may overflow or turn into noise. */
static void
test_moments_extremes (void)
{
  const float units[] = { G_MAXFLOAT, 1e-45f, 1.0f };

  for (gsize k = 0; k < G_N_ELEMENTS (units); k++)
    {
      g_autofree float *x = g_new (float, 8192);
      TareMoments moments = { 0 };

      for (gsize i = 0; i < 8192; i++)
        x[i] = i % 2 == 0 ? units[k] : -units[k];
      tare_moments_add (&moments, x, 8192);

      g_assert_cmpfloat (tare_moments_get_mean (&moments), ==, 0.0);
      g_assert_cmpfloat_with_epsilon (sqrt (tare_moments_get_variance (&moments))
                                      / (double) units[k], 1.0, 1e-12);
      g_assert_cmpfloat_with_epsilon (tare_moments_get_kurtosis (&moments), 1.0, 1e-12);
      g_assert_cmpfloat_with_epsilon (tare_moments_get_skewness (&moments), 0.0, 1e-12);
    }
}

static void
test_moments_constant (void)
{
  const float constants[] = { 0.0f, -0.0f, 0.1f, -3e38f, 1e-45f };

  for (gsize k = 0; k < G_N_ELEMENTS (constants); k++)
    {
      g_autofree float *x = g_new (float, 5000);
      TareMoments moments = { 0 };

      for (gsize i = 0; i < 5000; i++)
        x[i] = constants[k];
      tare_moments_add (&moments, x, 5000);

      g_assert_cmpfloat (tare_moments_get_mean (&moments), ==, (double) constants[k]);
      g_assert_cmpfloat (tare_moments_get_variance (&moments), ==, 0.0);
      g_assert_cmpfloat (tare_moments_get_skewness (&moments), ==, 0.0);
      g_assert_cmpfloat (tare_moments_get_kurtosis (&moments), ==, 0.0);
    }
}

/* Quantiles of a distribution have its moments without a sample's noise. */
static void
test_moments_shapes (void)
{
  const gsize n = 1 << 20;
  g_autofree float *x = g_new (float, n);
  TareMoments uniform = { 0 };
  TareMoments laplace = { 0 };
  TareMoments exponential = { 0 };
  TareMoments gaussian = { 0 };

  for (gsize i = 0; i < n; i++)
    x[i] = (float) (((double) i + 0.5) / (double) n);
  tare_moments_add (&uniform, x, n);
  g_assert_cmpfloat_with_epsilon (tare_moments_get_kurtosis (&uniform), 1.8, 1e-6);
  g_assert_cmpfloat_with_epsilon (tare_moments_get_variance (&uniform), 1.0 / 12.0, 1e-7);
  g_assert_cmpfloat_with_epsilon (tare_moments_get_skewness (&uniform), 0.0, 1e-6);

  for (gsize i = 0; i < n; i++)
    {
      double u = ((double) i + 0.5) / (double) n;

      x[i] = (float) (u < 0.5 ? log (2.0 * u) : -log (2.0 * (1.0 - u)));
    }
  tare_moments_add (&laplace, x, n);
  g_assert_cmpfloat_with_epsilon (tare_moments_get_kurtosis (&laplace), 6.0, 0.02);
  g_assert_cmpfloat_with_epsilon (tare_moments_get_variance (&laplace), 2.0, 1e-3);

  for (gsize i = 0; i < n; i++)
    x[i] = (float) -log (1.0 - ((double) i + 0.5) / (double) n);
  tare_moments_add (&exponential, x, n);
  g_assert_cmpfloat_with_epsilon (tare_moments_get_skewness (&exponential), 2.0, 0.01);
  g_assert_cmpfloat_with_epsilon (tare_moments_get_kurtosis (&exponential), 9.0, 0.1);

  tare_test_fill_gaussian (x, n, 7);
  tare_moments_add (&gaussian, x, n);
  g_assert_cmpfloat_with_epsilon (tare_moments_get_kurtosis (&gaussian), 3.0, 0.03);
}

/* The reference: each number by itself, and in binary64 which bins it may be in. */
static void
assert_histogram (const float   *x,
                  gsize          n,
                  const guint64 *bins,
                  float          minimum,
                  float          maximum)
{
  double range = (double) maximum - (double) minimum;
  gint64 balance = 0;
  guint64 total = 0;
  g_autofree gint64 *surplus = g_new0 (gint64, TARE_HISTOGRAM_BINS + 1);

  /* A number within 2^-10 of an edge may be on either side of it. */
  for (gsize i = 0; i < n; i++)
    {
      double position = ((double) x[i] - (double) minimum) / range * TARE_HISTOGRAM_BINS;
      double bin = MIN (floor (position), TARE_HISTOGRAM_BINS - 1);

      surplus[(gsize) bin]--;
    }

  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i++)
    {
      gint64 allowed = 1;

      total += bins[i];
      balance += (gint64) bins[i] + surplus[i];
      for (gsize j = 0; j < n && balance != 0; j++)
        {
          double position = ((double) x[j] - (double) minimum) / range * TARE_HISTOGRAM_BINS;

          allowed += fabs (position - (double) (i + 1)) < 1.0 / 1024.0;
        }
      g_assert_cmpint (ABS (balance), <=, allowed - 1);
    }
  g_assert_cmpuint (total, ==, n);
}

static void
test_histogram_reference (void)
{
  const float units[] = { 1.0f, 3e38f, 1e-30f, 1e-44f };
  const float shifts[] = { 0.0f, 10.0f, 0.0f, 0.0f };

  for (gsize k = 0; k < G_N_ELEMENTS (units); k++)
    {
      const gsize n = 20011;
      g_autofree float *x = g_new (float, n);
      g_autofree TareHistogram *histogram = g_new (TareHistogram, 1);
      guint64 bins[TARE_HISTOGRAM_BINS] = { 0 };
      float minimum = INFINITY;
      float maximum = -INFINITY;

      tare_test_fill_gaussian (x, n, 11);
      for (gsize i = 0; i < n; i++)
        {
          x[i] = CLAMP (x[i] / 4.0f, -1.0f, 1.0f) * units[k] + shifts[k];
          minimum = MIN (minimum, x[i]);
          maximum = MAX (maximum, x[i]);
        }

      tare_histogram_init (histogram, minimum, maximum, -INFINITY, INFINITY);
      tare_histogram_add (histogram, x, 5000);
      tare_histogram_add (histogram, x + 5000, n - 5000);
      tare_histogram_add_to (histogram, bins);

      assert_histogram (x, n, bins, minimum, maximum);
      g_assert_cmpuint (bins[0], >, 0);
      g_assert_cmpuint (bins[TARE_HISTOGRAM_BINS - 1], >, 0);
      g_assert_cmpuint (histogram->n_outliers, ==, 0);
    }
}

/* Thresholds that no float hits exactly. */
static void
test_histogram_outliers (void)
{
  const gsize n = 100003;
  g_autofree float *x = g_new (float, n);
  g_autofree TareHistogram *histogram = g_new (TareHistogram, 1);
  const double low = -2.0 - 1e-9;
  const double high = 1.0 / 3.0;
  gsize n_outliers = 0;

  tare_test_fill_gaussian (x, n, 12);
  x[17] = -2.0f;
  x[18] = (float) high;
  for (gsize i = 0; i < n; i++)
    n_outliers += (double) x[i] < low || (double) x[i] > high;

  tare_histogram_init (histogram, -10.0f, 10.0f, low, high);
  tare_histogram_add (histogram, x, n);
  g_assert_cmpuint (histogram->n_outliers, ==, n_outliers);
}

/* Blocks that overlap in time count what single numbers do, however many there are. */
static void
test_histogram_blocks (void)
{
  const gsize lengths[] = { 1, 63, 64, 65, 127, 128, 129, 192, 5000 };

  for (gsize k = 0; k < G_N_ELEMENTS (lengths); k++)
    {
      g_autofree float *x = g_new (float, lengths[k]);
      g_autofree TareHistogram *blocks = g_new (TareHistogram, 1);
      g_autofree TareHistogram *single = g_new (TareHistogram, 1);
      guint64 block_bins[TARE_HISTOGRAM_BINS] = { 0 };
      guint64 single_bins[TARE_HISTOGRAM_BINS] = { 0 };

      tare_test_fill_gaussian (x, lengths[k], (guint32) k);
      tare_histogram_init (blocks, -10.0f, 10.0f, -2.0, 1.0);
      tare_histogram_init (single, -10.0f, 10.0f, -2.0, 1.0);

      tare_histogram_add (blocks, x, lengths[k]);
      for (gsize i = 0; i < lengths[k]; i++)
        tare_histogram_add (single, x + i, 1);

      tare_histogram_add_to (blocks, block_bins);
      tare_histogram_add_to (single, single_bins);
      g_assert_cmpmem (block_bins, sizeof block_bins, single_bins, sizeof single_bins);
      g_assert_cmpuint (blocks->n_outliers, ==, single->n_outliers);
    }
}

static void
test_histogram_constant (void)
{
  g_autofree TareHistogram *histogram = g_new (TareHistogram, 1);
  const float x[] = { 0.1f, 0.1f, 0.1f };
  guint64 bins[TARE_HISTOGRAM_BINS] = { 0 };

  tare_histogram_init (histogram, 0.1f, 0.1f, (double) 0.1f, (double) 0.1f);
  tare_histogram_add (histogram, x, 3);
  tare_histogram_add_to (histogram, bins);
  g_assert_cmpuint (bins[0], ==, 3);
  g_assert_cmpuint (histogram->n_outliers, ==, 0);
}

/* A tensor of x as @id stores it, in bytes of its own. */
static TareTensor
make_tensor (const char  *id,
             const float *x,
             gsize        rows,
             gsize        columns)
{
  const TareFormat *format = tare_format_lookup (id);
  gsize size = tare_format_get_bytes (format, rows, columns);
  guint8 *codes = g_malloc (size);
  g_autoptr(GBytes) bytes = g_bytes_new_take (codes, size);
  TareEncoding encoding = { TARE_RANGE_MINIMUM_MAXIMUM, 0.0, NULL };

  if (format->bits == 32)
    memcpy (codes, x, size);
  else
    g_assert_true (tare_format_encode (format, &encoding, x, rows, columns, codes, NULL, NULL));

  return (TareTensor) {
    .name = (char *) "tensor",
    .canonical = (char *) "tensor",
    .block = -1,
    .type_name = (char *) id,
    .format = format,
    .n_dimensions = 2,
    .shape = { rows, columns },
    .columns = columns,
    .rows = rows,
    .file = tare_file_new_bytes ("bytes", bytes),
    .bytes = size,
  };
}

/* The statistics of a tensor against those of the numbers that it decodes to, one by one. */
static void
assert_statistics (const TareTensor *tensor)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareStatistics) self = tare_statistics_measure (tensor, NULL, &error);
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *x = g_new (float, n);
  g_autofree float *columns = g_new0 (float, tensor->columns);
  TareMoments naive;
  double deviation;
  gsize outliers = 0;
  guint64 total = 0;

  g_assert_no_error (error);
  g_assert_true (tare_tensor_read (tensor, x, &error));
  naive = naive_moments (x, n);
  deviation = sqrt (naive.m2 / (double) MAX (naive.n, 1));

  g_assert_cmpuint (self->n, ==, naive.n);
  g_assert_cmpuint (self->n_not_finite, ==, naive.n_not_finite);
  g_assert_cmpuint (self->first_not_finite, ==, naive.first_not_finite);
  g_assert_cmpfloat (self->minimum, ==, naive.n > 0 ? naive.minimum : 0.0f);
  g_assert_cmpfloat (self->maximum, ==, naive.n > 0 ? naive.maximum : 0.0f);
  g_assert_cmpfloat_with_epsilon (self->mean, naive.mean,
                                  1e-9 * (deviation + fabs (naive.mean)) + 1e-300);
  g_assert_cmpfloat_with_epsilon (self->standard_deviation, deviation, 1e-9 * deviation + 1e-300);
  if (deviation > 0.0)
    g_assert_cmpfloat_with_epsilon (self->kurtosis,
                                    (double) naive.n * naive.m4 / (naive.m2 * naive.m2),
                                    1e-8 * self->kurtosis);

  for (gsize i = 0; i < tensor->rows; i++)
    {
      float largest = 0.0f;

      for (gsize j = 0; j < tensor->columns; j++)
        {
          float value = x[i * tensor->columns + j];

          if (!isfinite (value))
            continue;
          largest = MAX (largest, fabsf (value));
          columns[j] = MAX (columns[j], fabsf (value));
          outliers += fabs ((double) value - naive.mean) > 6.0 * deviation;
        }
      g_assert_cmpfloat (self->row_maximum[i], ==, largest);
    }
  g_assert_cmpmem (self->column_maximum, tensor->columns * sizeof (float),
                   columns, tensor->columns * sizeof (float));
  g_assert_cmpfloat_with_epsilon (self->outlier_ratio,
                                  (double) outliers / (double) MAX (naive.n, 1),
                                  1.5 / (double) n);

  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i++)
    total += self->histogram[i];
  g_assert_cmpuint (total, ==, naive.n);
  if (naive.n_not_finite == 0 && n <= 20000 && naive.minimum < naive.maximum)
    assert_histogram (x, n, self->histogram, self->minimum, self->maximum);
}

/* One element, one row, one column, more than a piece of either, rows cut into pieces. */
static void
test_tensor_shapes (void)
{
  const gsize shapes[][2] = {
    { 1, 1 }, { 1, 100 }, { 100, 1 }, { 3, 65536 }, { 3, 65537 }, { 1, 300000 }, { 2, 200001 },
    { 70000, 3 }, { 1000, 257 }, { 65536, 1 }, { 100, 100 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      gsize n = shapes[i][0] * shapes[i][1];
      g_autofree float *x = g_new (float, n);
      TareTensor tensor;

      tare_test_fill_gaussian (x, n, (guint32) i);
      x[n / 2] = 40.0f;
      tensor = make_tensor ("f32", x, shapes[i][0], shapes[i][1]);
      assert_statistics (&tensor);
      tare_file_unref (tensor.file);
    }
}

static void
test_tensor_formats (void)
{
  const char *const formats[] = { "f32", "f16", "bf16", "q4_0", "q8_0", "q6_k" };
  const gsize shapes[][2] = { { 1, 256 }, { 300, 1024 }, { 2, 131072 }, { 100, 3072 } };

  for (gsize i = 0; i < G_N_ELEMENTS (formats) * G_N_ELEMENTS (shapes); i++)
    {
      const gsize *shape = shapes[i % G_N_ELEMENTS (shapes)];
      g_autofree float *x = g_new (float, shape[0] * shape[1]);
      TareTensor tensor;

      tare_test_fill_gaussian (x, shape[0] * shape[1], (guint32) i);
      tensor = make_tensor (formats[i / G_N_ELEMENTS (shapes)], x, shape[0], shape[1]);
      tensor.head_rows = shape[0] % 20 == 0 ? 20 : 0;
      assert_statistics (&tensor);
      tare_file_unref (tensor.file);
    }
}

static void
test_tensor_not_finite (void)
{
  const gsize shapes[][2] = { { 400, 300 }, { 2, 70000 }, { 1, 1 }, { 1, 5 } };

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      gsize n = shapes[i][0] * shapes[i][1];
      g_autofree float *x = g_new (float, n);
      TareTensor tensor;

      tare_test_fill_gaussian (x, n, 3);
      x[n / 3] = NAN;
      x[n / 2] = -INFINITY;
      x[n - 1] = INFINITY;
      tensor = make_tensor ("f32", x, shapes[i][0], shapes[i][1]);
      assert_statistics (&tensor);
      tare_file_unref (tensor.file);
    }
}

/* The largest finite numbers and all that are not, in 16 bits, at odd addresses, by one reading. */
static void
test_tensor_words (void)
{
  const char *const formats[] = { "f16", "bf16" };
  const gsize rows = 700;
  const gsize columns = 500;

  for (gsize k = 0; k < G_N_ELEMENTS (formats); k++)
    {
      gsize n = rows * columns;
      g_autofree guint16 *words = g_new (guint16, n + 1);
      g_autoptr(GBytes) bytes = NULL;
      TareTensor tensor;

      for (gsize i = 0; i < n; i++)
        words[i] = (guint16) (i * 7 % 65536);
      bytes = g_bytes_new (words, 2 * n + 1);
      tensor = (TareTensor) {
        .name = (char *) "words",
        .canonical = (char *) "words",
        .block = -1,
        .type_name = (char *) formats[k],
        .format = tare_format_lookup (formats[k]),
        .n_dimensions = 2,
        .shape = { rows, columns },
        .columns = columns,
        .rows = rows,
        .head_rows = k * 100,
        .file = tare_file_new_bytes ("bytes", bytes),
        .offset = 1,
        .bytes = 2 * n,
      };
      assert_statistics (&tensor);
      tare_file_unref (tensor.file);
    }
}

static void
test_tensor_constant (void)
{
  g_autofree float *x = g_new (float, 100 * 1000);
  g_autoptr(TareStatistics) self = NULL;
  TareTensor tensor;

  for (gsize i = 0; i < 100 * 1000; i++)
    x[i] = -0.3f;
  tensor = make_tensor ("f32", x, 100, 1000);
  self = tare_statistics_measure (&tensor, NULL, NULL);

  g_assert_cmpfloat (self->mean, ==, (double) -0.3f);
  g_assert_cmpfloat (self->standard_deviation, ==, 0.0);
  g_assert_cmpfloat (self->kurtosis, ==, 0.0);
  g_assert_cmpfloat (self->skewness, ==, 0.0);
  g_assert_cmpfloat (self->outlier_ratio, ==, 0.0);
  g_assert_cmpfloat (self->absolute_maximum, ==, 0.3f);
  g_assert_cmpuint (self->histogram[0], ==, 100 * 1000);
  tare_file_unref (tensor.file);
}

/* Uniform numbers with three far away: closed forms for all of it. */
static void
test_tensor_outliers (void)
{
  const gsize n = 1000 * 1000;
  g_autofree float *x = g_new (float, n);
  g_autoptr(TareStatistics) self = NULL;
  TareTensor tensor;

  for (gsize i = 0; i < n; i++)
    x[i] = (float) (((double) i + 0.5) / (double) n * 2.0 - 1.0);
  x[5] = 100.0f;
  x[500000] = -50.0f;
  x[999999] = 10.0f;
  tensor = make_tensor ("f32", x, 1000, 1000);
  self = tare_statistics_measure (&tensor, NULL, NULL);

  g_assert_cmpfloat_with_epsilon (self->outlier_ratio, 3e-6, 1e-12);
  g_assert_cmpfloat_with_epsilon (self->standard_deviation, sqrt (1.0 / 3.0 + 12600.0 / 1e6), 1e-4);
  g_assert_cmpfloat (self->absolute_maximum, ==, 100.0f);
  g_assert_cmpfloat (self->row_maximum[500], ==, 50.0f);
  g_assert_cmpfloat (self->column_maximum[5], ==, 100.0f);
  g_assert_cmpuint (self->histogram[0], ==, 1);
  g_assert_cmpuint (self->histogram[TARE_HISTOGRAM_BINS - 1], ==, 1);
  tare_file_unref (tensor.file);
}

static void
cancel_at_half (double      fraction,
                const char *stage,
                gpointer    data)
{
  if (fraction >= 0.5)
    g_cancellable_cancel (data);
}

static void
test_tensor_cancelled (void)
{
  g_autofree float *x = g_new0 (float, 1000 * 1000);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  TareProgress progress = TARE_PROGRESS_INIT (cancellable, cancel_at_half, cancellable);
  g_autoptr(GError) error = NULL;
  TareTensor tensor = make_tensor ("f32", x, 1000, 1000);

  g_assert_null (tare_statistics_measure (&tensor, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  tare_file_unref (tensor.file);
}

static void
test_tensor_empty (void)
{
  const float x[] = { 1.0f };
  TareTensor tensor = make_tensor ("f32", x, 1, 1);
  g_autoptr(TareStatistics) self = NULL;
  g_autoptr(GError) error = NULL;

  tensor.rows = 0;
  tensor.bytes = 0;
  self = tare_statistics_measure (&tensor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (self->n, ==, 0);
  g_assert_cmpfloat (self->minimum, ==, 0.0f);
  g_assert_cmpfloat (self->kurtosis, ==, 0.0);
  g_assert_cmpfloat (self->outlier_ratio, ==, 0.0);
  tare_file_unref (tensor.file);
}

static void
test_tensor_unsupported (void)
{
  const float x[] = { 1.0f };
  TareTensor tensor = make_tensor ("f32", x, 1, 1);
  g_autoptr(GError) error = NULL;

  tensor.format = NULL;
  tensor.type_name = (char *) "IQ1_S";
  g_assert_null (tare_statistics_measure (&tensor, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "IQ1_S"));
  tare_file_unref (tensor.file);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/statistics/moments/reference", test_moments_reference);
  g_test_add_func ("/statistics/moments/not-finite", test_moments_not_finite);
  g_test_add_func ("/statistics/moments/append", test_moments_append);
  g_test_add_func ("/statistics/moments/extremes", test_moments_extremes);
  g_test_add_func ("/statistics/moments/constant", test_moments_constant);
  g_test_add_func ("/statistics/moments/shapes", test_moments_shapes);
  g_test_add_func ("/statistics/histogram/reference", test_histogram_reference);
  g_test_add_func ("/statistics/histogram/outliers", test_histogram_outliers);
  g_test_add_func ("/statistics/histogram/blocks", test_histogram_blocks);
  g_test_add_func ("/statistics/histogram/constant", test_histogram_constant);
  g_test_add_func ("/statistics/tensor/shapes", test_tensor_shapes);
  g_test_add_func ("/statistics/tensor/formats", test_tensor_formats);
  g_test_add_func ("/statistics/tensor/not-finite", test_tensor_not_finite);
  g_test_add_func ("/statistics/tensor/words", test_tensor_words);
  g_test_add_func ("/statistics/tensor/constant", test_tensor_constant);
  g_test_add_func ("/statistics/tensor/outliers", test_tensor_outliers);
  g_test_add_func ("/statistics/tensor/cancelled", test_tensor_cancelled);
  g_test_add_func ("/statistics/tensor/empty", test_tensor_empty);
  g_test_add_func ("/statistics/tensor/unsupported", test_tensor_unsupported);

  return g_test_run ();
}
