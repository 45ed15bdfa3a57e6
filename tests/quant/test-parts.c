/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"
#include "quant/tare-error.h"

#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

#define ROWS 5
#define COLUMNS 160

static const TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };

static guint8 *
encode (const TareFormat *format,
        const float      *x)
{
  guint8 *codes = g_malloc (tare_format_get_bytes (format, ROWS, COLUMNS));

  g_assert_true (tare_format_encode (format, &plain, x, ROWS, COLUMNS, codes, NULL, NULL));

  return codes;
}

static gsize
get_scale (const TareFormat *format,
           const TareParts  *parts,
           gsize             index)
{
  gsize row = index / COLUMNS, column = index % COLUMNS;

  return format->per_tensor ? 0 : row * parts->n_groups + column / parts->group;
}

/* Parts are put together to the very bytes that they were taken from. */
static void
test_round_trip (void)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  guint n_checked = 0;

  tare_test_fill_gaussian (x, ROWS * COLUMNS, 3);
  memset (x + 64, 0, 64 * sizeof (float));

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gsize n_bytes;
      g_autofree guint8 *codes = NULL;
      g_autofree guint8 *again = NULL;
      g_autoptr(TareParts) parts = NULL;
      g_autoptr(GError) error = NULL;

      if (!tare_format_has_parts (format))
        continue;

      n_bytes = tare_format_get_bytes (format, ROWS, COLUMNS);
      codes = encode (format, x);
      again = g_malloc (n_bytes);
      memset (again, 0xa5, n_bytes);
      parts = tare_parts_new (format, ROWS, COLUMNS);
      g_assert_true (tare_format_take_apart (format, codes, parts, &error));
      g_assert_no_error (error);
      g_assert_true (tare_format_put_together (format, parts, again, &error));
      g_assert_no_error (error);
      g_assert_cmpmem (codes, n_bytes, again, n_bytes);
      n_checked++;
    }

  g_assert_cmpuint (n_checked, >, 60);
}

/* Of integers the parts are the numbers whose products are the weights. */
static void
test_integers (void)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  g_autofree float *y = g_new (float, ROWS * COLUMNS);

  tare_test_fill_gaussian (x, ROWS * COLUMNS, 5);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      g_autoptr(TareParts) parts = NULL;
      g_autofree guint8 *codes = NULL;

      if (format->family != TARE_FORMAT_FAMILY_INTEGER || !tare_format_has_parts (format))
        continue;

      codes = encode (format, x);
      parts = tare_parts_new (format, ROWS, COLUMNS);
      tare_format_decode (format, codes, ROWS, COLUMNS, y);
      g_assert_true (tare_format_take_apart (format, codes, parts, NULL));
      for (gsize j = 0; j < ROWS * COLUMNS; j++)
        {
          gsize k = get_scale (format, parts, j);
          int zero = parts->zeros != NULL ? parts->zeros[k] : 0;
          int least = parts->zeros != NULL ? 0 : -(1 << (format->bits - 1));

          g_assert_cmpint (parts->codes[j], >=, least);
          g_assert_cmpint (parts->codes[j], <, least + (1 << format->bits));
          g_assert_cmpfloat (y[j], ==, (float) (parts->codes[j] - zero) * parts->scales[k]
                                       * parts->tensor_scale);
        }
    }
}

/* The codes of E2M1 by the OCP's table, in both of the layouts that MXFP4 has, and scales that are
 * powers of two. */
static void
test_elements (void)
{
  static const char *const ids[] = { "mxfp4", "fp4_e2m1_g32" };
  static const float levels[] = { 0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f };
  g_autofree float *x = g_new0 (float, ROWS * COLUMNS);

  for (gsize j = 0; j < ROWS * COLUMNS; j++)
    x[j] = (j / 8 % 2 == 0 ? 1.0f : -1.0f) * levels[j % 8] * 0.25f;

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      const TareFormat *format = tare_format_lookup (ids[i]);
      g_autoptr(TareParts) parts = tare_parts_new (format, ROWS, COLUMNS);
      g_autofree guint8 *codes = encode (format, x);

      g_assert_true (tare_format_take_apart (format, codes, parts, NULL));
      for (gsize j = 0; j < ROWS * COLUMNS; j++)
        {
          g_assert_cmpfloat (parts->scales[get_scale (format, parts, j)], ==, 0.25f);
          if (j % 8 != 0)
            g_assert_cmpint (parts->codes[j], ==, (gint16) (j % 8 + (j / 8 % 2 == 0 ? 0 : 8)));
        }
    }
}

/* What a format cannot store exactly is refused with its place. */
static void
test_refused (void)
{
  const TareFormat *format = tare_format_lookup ("int4_asym_g32");
  g_autoptr(TareParts) parts = tare_parts_new (format, ROWS, COLUMNS);
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, ROWS, COLUMNS));
  g_autoptr(GError) error = NULL;

  parts->codes[2 * COLUMNS + 7] = 16;
  g_assert_false (tare_format_put_together (format, parts, codes, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "row 2, column 7"));
  g_clear_error (&error);

  parts->codes[2 * COLUMNS + 7] = 15;
  parts->scales[3 * parts->n_groups + 1] = 1.0f / 3.0f;
  g_assert_false (tare_format_put_together (format, parts, codes, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "row 3, group 1"));
  g_clear_error (&error);

  parts->scales[3 * parts->n_groups + 1] = 0.5f;
  parts->zeros[4 * parts->n_groups] = -1;
  g_assert_false (tare_format_put_together (format, parts, codes, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_clear_error (&error);

  g_assert_false (tare_format_has_parts (tare_format_lookup ("q4_k")));
  g_assert_false (tare_format_take_apart (tare_format_lookup ("q4_k"), codes, parts, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/parts/round-trip", test_round_trip);
  g_test_add_func ("/parts/integers", test_integers);
  g_test_add_func ("/parts/elements", test_elements);
  g_test_add_func ("/parts/refused", test_refused);

  return g_test_run ();
}
