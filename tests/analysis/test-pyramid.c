/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-pyramid.h"

#include <math.h>
#include <string.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

/* The reference: of a rectangle the number of the greatest magnitude, NaN before all. */
static float
naive_extreme (const float *x,
               gsize        columns,
               gsize        top,
               gsize        bottom,
               gsize        left,
               gsize        right)
{
  float extreme = 0.0f;

  for (gsize i = top; i < bottom; i++)
    for (gsize j = left; j < right; j++)
      {
        float value = x[i * columns + j];

        if (isnan (value))
          return value;
        if (fabsf (value) > fabsf (extreme)
            || (fabsf (value) == fabsf (extreme) && signbit (value)))
          extreme = value;
      }

  return extreme;
}

typedef struct
{
  const float *x;
  gsize        columns;
  gsize        fails_at;
} Matrix;

static gboolean
read_matrix (gpointer   data,
             gsize      first,
             gsize      n,
             float     *out,
             GError   **error)
{
  const Matrix *matrix = data;

  if (matrix->fails_at > 0 && first + n > matrix->fails_at)
    {
      g_set_error_literal (error, TARE_ERROR, TARE_ERROR_LIMIT, "row is broken");
      return FALSE;
    }
  memcpy (out, matrix->x + first * matrix->columns, n * matrix->columns * sizeof *out);

  return TRUE;
}

static float *
make_matrix (gsize   rows,
             gsize   columns,
             guint32 state)
{
  float *x = g_new (float, rows * columns);

  for (gsize i = 0; i < rows * columns; i++)
    {
      state = state * 1664525u + 1013904223u;
      x[i] = (float) ((double) (state >> 8) / 16777216.0 - 0.5);
    }

  return x;
}

static void
assert_same (float a,
             float b)
{
  if (isnan (b))
    g_assert_true (isnan (a));
  else
    g_assert_cmpfloat (a, ==, b);
}

/* Where what is asked for lies on the edges of cells, the pyramid is exact. */
static void
test_aligned (void)
{
  static const gsize shapes[][2] = {
    { 1, 1 }, { 1, 5000 }, { 8, 8 }, { 9, 17 }, { 64, 256 }, { 100, 333 }, { 257, 1025 },
  };

  for (gsize k = 0; k < G_N_ELEMENTS (shapes); k++)
    {
      gsize rows = shapes[k][0], columns = shapes[k][1];
      g_autofree float *x = make_matrix (rows, columns, (guint32) k);
      Matrix matrix = { x, columns, 0 };
      g_autoptr(GError) error = NULL;
      g_autoptr(TarePyramid) pyramid = NULL;

      x[rows * columns / 2] = -7.0f;
      pyramid = tare_pyramid_build_rows (rows, columns, read_matrix, &matrix, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpfloat (tare_pyramid_get_extreme (pyramid), ==, -7.0f);
      for (gsize size = 8; size <= rows && size <= columns; size *= 2)
        {
          TarePool pool = { 0, rows / size * size, 0, columns / size * size, columns / size,
                            rows / size };
          g_autofree float *out = g_new (float, pool.width * pool.height);

          g_assert_true (tare_pyramid_sample (pyramid, &pool, out));
          for (gsize i = 0; i < pool.height; i++)
            for (gsize j = 0; j < pool.width; j++)
              g_assert_cmpfloat (out[i * pool.width + j], ==,
                                 naive_extreme (x, columns, i * size, (i + 1) * size, j * size,
                                                (j + 1) * size));
        }
    }
}

/* Anywhere, nothing is missing, and nothing comes from further than a cell away. */
static void
test_anywhere (void)
{
  gsize rows = 300, columns = 700;
  g_autofree float *x = make_matrix (rows, columns, 3);
  Matrix matrix = { x, columns, 0 };
  g_autoptr(TarePyramid) pyramid = tare_pyramid_build_rows (rows, columns, read_matrix, &matrix,
                                                            NULL, NULL);
  guint32 state = 9;

  for (guint trial = 0; trial < 200; trial++)
    {
      gsize numbers[6];
      TarePool pool;
      g_autofree float *out = NULL;
      gsize reach;

      for (guint k = 0; k < 6; k++)
        {
          state = state * 1664525u + 1013904223u;
          numbers[k] = state >> 8;
        }
      pool.row = numbers[0] % rows;
      pool.n_rows = 1 + numbers[1] % (rows - pool.row);
      pool.column = numbers[2] % columns;
      pool.n_columns = 1 + numbers[3] % (columns - pool.column);
      pool.width = 1 + numbers[4] % pool.n_columns;
      pool.height = 1 + numbers[5] % pool.n_rows;
      out = g_new (float, pool.width * pool.height);
      tare_pyramid_sample (pyramid, &pool, out);
      reach = MAX (8, MIN (pool.n_rows / pool.height, pool.n_columns / pool.width));
      for (gsize i = 0; i < pool.height; i++)
        for (gsize j = 0; j < pool.width; j++)
          {
            gsize top = pool.row + i * pool.n_rows / pool.height;
            gsize bottom = pool.row + (i + 1) * pool.n_rows / pool.height;
            gsize left = pool.column + j * pool.n_columns / pool.width;
            gsize right = pool.column + (j + 1) * pool.n_columns / pool.width;
            float least = naive_extreme (x, columns, top, bottom, left, right);
            float most = naive_extreme (x, columns, top - MIN (top, reach),
                                        MIN (bottom + reach, rows), left - MIN (left, reach),
                                        MIN (right + reach, columns));
            float value = out[i * pool.width + j];

            g_assert_cmpfloat (fabsf (value), >=, fabsf (least));
            g_assert_cmpfloat (fabsf (value), <=, fabsf (most));
          }
    }
}

/* Reading the rows is exact for any part. */
static void
test_exact (void)
{
  gsize rows = 50, columns = 90;
  g_autofree float *x = make_matrix (rows, columns, 5);
  Matrix matrix = { x, columns, 0 };

  for (gsize height = 1; height <= 31; height += 5)
    for (gsize width = 1; width <= 71; width += 7)
      {
        TarePool pool = { 11, 31, 13, 71, width, height };
        g_autofree float *out = g_new (float, width * height);
        g_autoptr(GError) error = NULL;

        g_assert_true (tare_pool_rows (columns, read_matrix, &matrix, &pool, NULL, out, &error));
        g_assert_no_error (error);
        for (gsize i = 0; i < height; i++)
          for (gsize j = 0; j < width; j++)
            g_assert_cmpfloat (out[i * width + j], ==,
                               naive_extreme (x, columns, 11 + i * 31 / height,
                                              11 + (i + 1) * 31 / height, 13 + j * 71 / width,
                                              13 + (j + 1) * 71 / width));
      }
}

/* What is no number is seen first, an infinity before what is finite; denormals count. */
static void
test_edges (void)
{
  gsize rows = 16, columns = 40;
  g_autofree float *x = g_new0 (float, rows * columns);
  Matrix matrix = { x, columns, 0 };
  g_autoptr(TarePyramid) pyramid = NULL;
  TarePool pool = { 0, 16, 0, 40, 5, 2 };
  float out[10];

  x[0] = NAN;
  x[1] = INFINITY;
  x[8] = -INFINITY;
  x[9] = 3e38f;
  x[16] = -1e-45f;
  x[24] = 2.0f;
  x[25] = -2.0f;
  pyramid = tare_pyramid_build_rows (rows, columns, read_matrix, &matrix, NULL, NULL);
  g_assert_true (tare_pyramid_sample (pyramid, &pool, out));
  for (gsize i = 0; i < 10; i++)
    assert_same (out[i], naive_extreme (x, columns, i / 5 * 8, i / 5 * 8 + 8, i % 5 * 8,
                                        i % 5 * 8 + 8));
  g_assert_true (isnan (tare_pyramid_get_extreme (pyramid)));
}

static void
test_failures (void)
{
  gsize rows = 100, columns = 64;
  g_autofree float *x = make_matrix (rows, columns, 7);
  Matrix matrix = { x, columns, 60 };
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);

  g_assert_null (tare_pyramid_build_rows (rows, columns, read_matrix, &matrix, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_LIMIT);
  g_clear_error (&error);

  matrix.fails_at = 0;
  g_cancellable_cancel (cancellable);
  g_assert_null (tare_pyramid_build_rows (rows, columns, read_matrix, &matrix, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* A stored tensor looks as its decoded rows do, whether it lies there as floats or not. */
static void
test_tensor (void)
{
  static const char *const formats[] = { "f32", "bf16", "q8_0" };
  gsize rows = 70, columns = 256;
  g_autofree float *x = make_matrix (rows, columns, 11);

  for (gsize k = 0; k < G_N_ELEMENTS (formats); k++)
    {
      const TareFormat *format = tare_format_lookup (formats[k]);
      gsize row_bytes = tare_format_get_row_bytes (format, columns);
      guint8 *codes = g_malloc (row_bytes * rows);
      g_autoptr(GBytes) bytes = g_bytes_new_take (codes, row_bytes * rows);
      g_autoptr(GError) error = NULL;
      g_autoptr(TarePyramid) pyramid = NULL;
      g_autofree float *decoded = g_new (float, rows * columns);
      TarePool coarse = { 0, 64, 0, 256, 16, 4 }, fine = { 3, 20, 5, 30, 30, 20 };
      float out[600];
      TareTensor tensor;

      tare_format_encode (format, NULL, x, rows, columns, codes, NULL, &error);
      g_assert_no_error (error);
      tensor = (TareTensor) {
        .name = (char *) "a", .canonical = (char *) "a", .block = -1, .type_name = (char *) "a",
        .format = format, .n_dimensions = 2, .shape = { rows, columns }, .columns = columns,
        .rows = rows, .file = tare_file_new_bytes ("a", bytes), .bytes = row_bytes * rows,
      };
      g_assert_true (tare_tensor_read (&tensor, decoded, &error));
      pyramid = tare_pyramid_build (&tensor, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (tare_pyramid_get_rows (pyramid), ==, rows);
      g_assert_cmpuint (tare_pyramid_get_columns (pyramid), ==, columns);
      g_assert_true (tare_pyramid_sample (pyramid, &coarse, out));
      for (gsize i = 0; i < 64; i++)
        g_assert_cmpfloat (out[i], ==, naive_extreme (decoded, columns, i / 16 * 16,
                                                      i / 16 * 16 + 16, i % 16 * 16,
                                                      i % 16 * 16 + 16));
      g_assert_false (tare_pyramid_sample (pyramid, &fine, out));
      g_assert_true (tare_pool_tensor (&tensor, &fine, NULL, out, &error));
      for (gsize i = 0; i < 600; i++)
        g_assert_cmpfloat (out[i], ==, decoded[(3 + i / 30) * columns + 5 + i % 30]);
      tare_file_unref (tensor.file);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pyramid/aligned", test_aligned);
  g_test_add_func ("/pyramid/anywhere", test_anywhere);
  g_test_add_func ("/pyramid/exact", test_exact);
  g_test_add_func ("/pyramid/edges", test_edges);
  g_test_add_func ("/pyramid/failures", test_failures);
  g_test_add_func ("/pyramid/tensor", test_tensor);

  return g_test_run ();
}
