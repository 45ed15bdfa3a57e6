/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-channels.h"

#include <math.h>

#include "tests/analysis/tensor-fixture.h"
#include "tests/tare-test.h"

/* Every finite weight is counted once, in its own row's histogram, between the edges of its bin. */
static void
test_counts (void)
{
  const gsize shapes[][3] = { { 1, 1, 8 }, { 5, 700, 256 }, { 1000, 33, 256 }, { 300, 2000, 7 } };

  for (gsize k = 0; k < G_N_ELEMENTS (shapes); k++)
    {
      gsize rows = shapes[k][0];
      gsize columns = shapes[k][1];
      g_autofree float *x = g_new (float, rows * columns);
      g_autofree double *expected = NULL;
      g_autoptr(TareTensor) tensor = NULL;
      g_autoptr(TareChannels) channels = NULL;
      g_autoptr(GError) error = NULL;
      double width;

      tare_test_fill_gaussian (x, rows * columns, (guint32) k);
      for (gsize i = 3; i < rows * columns; i += 31)
        x[i] = i % 2 != 0 ? INFINITY : NAN;
      x[0] = 8.0f;
      tensor = tensor_fixture_new (x, rows, columns);
      channels = tare_channels_measure (tensor, shapes[k][2], -8.0f, 8.0f, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (channels->n, <=, shapes[k][2]);
      g_assert_cmpuint (channels->n * channels->rows_each, >=, rows);
      g_assert_cmpuint ((channels->n - 1) * channels->rows_each, <, rows);

      expected = g_new0 (double, channels->n * channels->n_bins);
      width = 16.0 / (double) channels->n_bins;
      for (gsize i = 0; i < rows * columns; i++)
        {
          gsize bin = 0;

          while (bin + 1 < channels->n_bins
                 && (double) x[i] >= -8.0 + (double) (bin + 1) * width)
            bin++;
          if (isfinite (x[i]))
            expected[i / columns / channels->rows_each * channels->n_bins + bin] += 1.0;
        }
      for (gsize i = 0; i < channels->n * channels->n_bins; i++)
        {
          /* A weight at the very edge of a bin may be on either side of it. */
          g_assert_cmpfloat (fabs ((double) channels->counts[i] - expected[i]), <=, 1.0);
        }
      g_assert_cmpfloat (channels->counts[channels->n_bins - 1], ==, 1.0f);
    }
}

static void
test_cancelled (void)
{
  const float x[] = { 1.0f, 2.0f };
  g_autoptr(TareTensor) tensor = tensor_fixture_new (x, 2, 1);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(TareChannels) channels = NULL;
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  channels = tare_channels_measure (tensor, 2, 1.0f, 2.0f, &progress, &error);
  g_assert_null (channels);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/channels/counts", test_counts);
  g_test_add_func ("/channels/cancelled", test_cancelled);

  return g_test_run ();
}
