/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

#define SIDE 128

static void
round_trip (const char  *id,
            TareRange    range,
            const float *x,
            gsize        rows,
            gsize        columns,
            float       *y)
{
  const TareFormat *format = tare_format_lookup (id);
  const TareEncoding encoding = { .range = range };
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, rows, columns));
  g_autoptr(GError) error = NULL;

  tare_format_encode (format, &encoding, x, rows, columns, codes, NULL, &error);
  g_assert_no_error (error);
  tare_format_decode (format, codes, rows, columns, y);
}

/* The square that begins with a weight. Returns: how many weights it has */
static gsize
copy_square (const float *x,
             gsize        rows,
             gsize        columns,
             gsize        row,
             gsize        column,
             float       *square)
{
  gsize height = MIN (SIDE, rows - row), width = MIN (SIDE, columns - column);

  for (gsize i = 0; i < height; i++)
    memcpy (square + i * width, x + (row + i) * columns + column, width * sizeof (float));

  return height * width;
}

/* A square is what one scale makes of it alone. */
static void
test_alone (void)
{
  static const TareRange ranges[] = {
    TARE_RANGE_SEARCH, TARE_RANGE_MINIMUM_MAXIMUM, TARE_RANGE_NORM,
  };
  gsize rows = 2 * SIDE + 5, columns = 11 * SIDE + 3;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  float square[SIDE * SIDE], expected[SIDE * SIDE], found[SIDE * SIDE];

  tare_test_fill_gaussian (x, rows * columns, 1);
  for (gsize i = 0; i < rows * columns; i++)
    x[i] *= ldexpf (1.0f, (int) (i % columns / SIDE) - (int) (i / columns / SIDE));

  for (gsize r = 0; r < G_N_ELEMENTS (ranges); r++)
    {
      round_trip ("fp8_e4m3_b128x128", ranges[r], x, rows, columns, y);
      for (gsize row = 0; row < rows; row += SIDE)
        for (gsize column = 0; column < columns; column += SIDE)
          {
            gsize n = copy_square (x, rows, columns, row, column, square);
            gsize width = MIN (SIDE, columns - column);

            round_trip ("fp8_e4m3_tensor", ranges[r], square, n / width, width, expected);
            copy_square (y, rows, columns, row, column, found);
            g_assert_cmpmem (found, n * sizeof (float), expected, n * sizeof (float));
          }
    }
}

/* What was decoded once is coded without error, whatever the weights. */
static void
test_again (void)
{
  static const float factors[] = { 0.0f, 1.0f, 1e-20f, 1e30f, FLT_MAX / 8.0f };
  gsize rows = SIDE + 1, columns = SIDE + 7;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  g_autofree float *z = g_new (float, rows * columns);

  for (gsize f = 0; f < G_N_ELEMENTS (factors); f++)
    {
      tare_test_fill_gaussian (x, rows * columns, 2);
      for (gsize i = 0; i < rows * columns; i++)
        x[i] *= factors[f];
      round_trip ("fp8_e4m3_b128x128", TARE_RANGE_MINIMUM_MAXIMUM, x, rows, columns, y);
      round_trip ("fp8_e4m3_b128x128", TARE_RANGE_MINIMUM_MAXIMUM, y, rows, columns, z);
      for (gsize i = 0; i < rows * columns; i++)
        {
          g_assert_true (isfinite (y[i]));
          g_assert_cmpfloat (y[i], ==, z[i]);
        }
    }
}

/* An outlier costs its own square alone. */
static void
test_outlier (void)
{
  gsize rows = 3 * SIDE, columns = 3 * SIDE;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  g_autofree float *z = g_new (float, rows * columns);

  tare_test_fill_gaussian (x, rows * columns, 3);
  round_trip ("fp8_e4m3_b128x128", TARE_RANGE_MINIMUM_MAXIMUM, x, rows, columns, y);
  x[(SIDE + 5) * columns + SIDE + 9] = 1e4f;
  round_trip ("fp8_e4m3_b128x128", TARE_RANGE_MINIMUM_MAXIMUM, x, rows, columns, z);

  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      if (i / SIDE != 1 || j / SIDE != 1)
        g_assert_cmpfloat (y[i * columns + j], ==, z[i * columns + j]);
  g_assert_cmpfloat_with_epsilon (z[(SIDE + 5) * columns + SIDE + 9], 1e4f, 1e4f / 16.0f);
}

static void
test_bytes (void)
{
  const TareFormat *format = tare_format_lookup ("fp8_e4m3_b128x128");

  g_assert_cmpuint (tare_format_get_bytes (format, 300, 260), ==, 3 * 3 * 4 + 300 * 260);
  g_assert_cmpfloat (tare_format_get_bits_per_weight (format, 4096, 4096), ==,
                     8.0 + 32.0 / (128.0 * 128.0));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/format/square/alone", test_alone);
  g_test_add_func ("/format/square/again", test_again);
  g_test_add_func ("/format/square/outlier", test_outlier);
  g_test_add_func ("/format/square/bytes", test_bytes);

  return g_test_run ();
}
