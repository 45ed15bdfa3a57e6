/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The sweep of all formats: what it says of each is what encoding it says. */
#include "tests/tare-test.h"

#include "analysis/sensitivity/tare-sweep.h"
#include "quant/model/tare-model.h"

static TareModel *
open_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");
  g_autoptr(GError) error = NULL;
  TareModel *model = tare_model_open (path, &error);

  g_assert_no_error (error);

  return model;
}

static void
gather (const TareSweepPoint *point,
        gpointer              data)
{
  g_array_append_vals (data, point, 1);
}

static void
check_point (const TareSweepPoint *point,
             const TareTensor     *tensor,
             const float          *x)
{
  const TareEncoding encoding = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  gsize n = tare_tensor_get_n_weights (tensor);
  gsize bytes = tare_format_get_bytes (point->format, tensor->rows, tensor->columns);
  g_autofree guint8 *codes = g_malloc (bytes);
  g_autofree float *y = g_new (float, n);
  TareDistortion distortion;

  g_assert_true (tare_format_encode (point->format, &encoding, x, tensor->rows, tensor->columns,
                                     codes, NULL, NULL));
  tare_format_decode (point->format, codes, tensor->rows, tensor->columns, y);
  distortion = tare_distortion_measure (x, y, tensor->rows, tensor->columns, NULL);
  g_assert_cmpfloat (point->distortion.relative, ==, distortion.relative);
  g_assert_cmpfloat_with_epsilon (point->bits_per_weight,
                                  8.0 * (double) bytes / (double) n, 1e-9);
}

/* A small tensor is looked at whole. */
static void
test_points (void)
{
  g_autoptr(TareModel) model = open_sample ();
  const TareTensor *tensor = tare_model_lookup (model, "blk.0.attn_k.weight");
  g_autofree float *x = g_new (float, tare_tensor_get_n_weights (tensor));
  g_autoptr(GArray) points = g_array_new (FALSE, FALSE, sizeof (TareSweepPoint));
  g_autoptr(GError) error = NULL;
  guint accepted = 0;

  g_assert_cmpuint (tare_sweep_count_rows (tensor), ==, tensor->rows);
  tare_sweep_run (tensor, TARE_RANGE_MINIMUM_MAXIMUM, NULL, gather, points, NULL, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    accepted += tare_format_accepts (tare_format_get (i), tensor->columns);
  g_assert_cmpuint (points->len, ==, accepted);

  g_assert_true (tare_tensor_read (tensor, x, &error));
  for (guint i = 0; i < points->len; i++)
    check_point (&g_array_index (points, TareSweepPoint, i), tensor, x);
}

/* Only what a container holds, and that as among all. */
static void
test_container (void)
{
  g_autoptr(TareModel) model = open_sample ();
  const TareTensor *tensor = tare_model_lookup (model, "blk.0.attn_k.weight");
  g_autoptr(GArray) all = g_array_new (FALSE, FALSE, sizeof (TareSweepPoint));
  g_autoptr(GArray) points = g_array_new (FALSE, FALSE, sizeof (TareSweepPoint));
  g_autoptr(GError) error = NULL;
  guint found = 0;

  tare_sweep_run_for (tensor, TARE_CONTAINER_GPTQ | TARE_CONTAINER_AWQ, TARE_RANGE_MINIMUM_MAXIMUM,
                      NULL, gather, points, NULL, &error);
  g_assert_no_error (error);
  tare_sweep_run (tensor, TARE_RANGE_MINIMUM_MAXIMUM, NULL, gather, all, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (points->len, >, 0);
  g_assert_cmpuint (points->len, <, all->len);
  for (guint i = 0; i < all->len; i++)
    {
      const TareSweepPoint *point = &g_array_index (all, TareSweepPoint, i);

      if ((point->format->containers & (TARE_CONTAINER_GPTQ | TARE_CONTAINER_AWQ)) == 0)
        continue;
      g_assert_true (g_array_index (points, TareSweepPoint, found).format == point->format);
      g_assert_cmpfloat (g_array_index (points, TareSweepPoint, found).distortion.relative, ==,
                         point->distortion.relative);
      found++;
    }
  g_assert_cmpuint (found, ==, points->len);
}

static void
test_cancelled (void)
{
  g_autoptr(TareModel) model = open_sample ();
  const TareTensor *tensor = tare_model_lookup (model, "blk.0.attn_k.weight");
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GArray) points = g_array_new (FALSE, FALSE, sizeof (TareSweepPoint));
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (tare_sweep_run (tensor, TARE_RANGE_SEARCH, NULL, gather, points, &progress,
                                  &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (points->len, ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sweep/points", test_points);
  g_test_add_func ("/sweep/container", test_container);
  g_test_add_func ("/sweep/cancelled", test_cancelled);

  return g_test_run ();
}
