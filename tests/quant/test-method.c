/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/methods/tare-method.h"

#include <string.h>

#include "quant/formats/tare-metric.h"
#include "tests/tare-test.h"

#define ROWS    8
#define COLUMNS 512

static void
test_table (void)
{
  g_assert_cmpuint (tare_method_get_n_methods (), >=, 1);
  g_assert_cmpstr (tare_method_get (0)->id, ==, "rtn");
  g_assert_null (tare_method_lookup ("no such method"));

  for (gsize i = 0; i < tare_method_get_n_methods (); i++)
    {
      const TareMethod *method = tare_method_get (i);

      g_assert_true (tare_method_lookup (method->id) == method);
      g_assert_cmpuint (strlen (method->label), >, 0);
      g_assert_cmpuint (strlen (method->description), >, 0);
    }
}

static double
round_and_weigh (const TareFormat           *format,
                 TareRange                   range,
                 const float                *x,
                 const TareLayerActivations *activations,
                 const float                *importance)
{
  const TareMethod *method = tare_method_lookup ("rtn");
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, ROWS, COLUMNS));
  g_autofree float *y = g_new (float, ROWS * COLUMNS);
  g_autoptr(GError) error = NULL;

  method->round (method, format, range, x, ROWS, COLUMNS, activations, codes, NULL, &error);
  g_assert_no_error (error);
  tare_format_decode (format, codes, ROWS, COLUMNS, y);

  return tare_distortion_measure (x, y, ROWS, COLUMNS, importance).weighted;
}

/* Knowing what matters must help, in every format that searches, and may never hurt. */
static void
test_importance (void)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  g_autofree float *sums = g_new (float, COLUMNS);
  TareLayerActivations activations = { COLUMNS, 10.0, sums, NULL, NULL };
  guint n_better = 0;

  tare_test_fill_gaussian (x, ROWS * COLUMNS, 1);
  for (gsize i = 0; i < COLUMNS; i++)
    sums[i] = i % 32 < 4 ? 100.0f : 0.1f;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      double plain = round_and_weigh (format, TARE_RANGE_SEARCH, x, NULL, sums);
      double weighed = round_and_weigh (format, TARE_RANGE_SEARCH, x, &activations, sums);

      g_test_message ("%s: %.4g, weighed %.4g", format->id, plain, weighed);
      g_assert_cmpfloat (weighed, <=, plain * 1.05);
      n_better += weighed < 0.9 * plain;
    }
  g_assert_cmpuint (n_better, >=, 3);
}

/* With every range rule, the bytes are those of the format's own encoder. */
static void
test_encoder (void)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  const TareMethod *method = tare_method_lookup ("rtn");

  tare_test_fill_gaussian (x, ROWS * COLUMNS, 2);
  for (gsize i = 0; i < tare_format_get_n_formats () * tare_range_get_n_ranges (); i++)
    {
      const TareFormat *format = tare_format_get (i / tare_range_get_n_ranges ());
      const TareRangeInfo *range = tare_range_get (i % tare_range_get_n_ranges ());
      TareEncoding encoding = { range->range, 99.9, NULL };
      gsize size = tare_format_get_bytes (format, ROWS, COLUMNS);
      g_autofree guint8 *a = g_malloc (size);
      g_autofree guint8 *b = g_malloc (size);

      g_assert_true (method->round (method, format, range->range, x, ROWS, COLUMNS, NULL, a, NULL,
                                    NULL));
      g_assert_true (tare_format_encode (format, &encoding, x, ROWS, COLUMNS, b, NULL, NULL));
      g_assert_cmpmem (a, size, b, size);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/method/table", test_table);
  g_test_add_func ("/method/importance", test_importance);
  g_test_add_func ("/method/encoder", test_encoder);

  return g_test_run ();
}
