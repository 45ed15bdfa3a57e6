/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-metric.h"
#include "tests/tare-test.h"

#define ROWS    6
#define COLUMNS 400

/* Beyond that no split is tried. */
#define MOST_EXPONENT 5

static const char *const scalings[] = { "tensor", "channel", "g128" };

static const TareRange ranges[] = { TARE_RANGE_SEARCH, TARE_RANGE_MINIMUM_MAXIMUM };

/* Returns: the squared error. codes: (out); y: (out): ROWS x COLUMNS */
static double
round_trip (const TareFormat  *format,
            TareRange          range,
            const float       *x,
            guint8           **codes,
            float             *y)
{
  const TareEncoding encoding = { .range = range };
  g_autofree guint8 *bytes = g_malloc (tare_format_get_bytes (format, ROWS, COLUMNS));
  g_autoptr(GError) error = NULL;

  tare_format_encode (format, &encoding, x, ROWS, COLUMNS, bytes, NULL, &error);
  g_assert_no_error (error);
  tare_format_decode (format, bytes, ROWS, COLUMNS, y);
  if (codes != NULL)
    *codes = g_steal_pointer (&bytes);

  return tare_distortion_measure (x, y, ROWS, COLUMNS, NULL).squared;
}

static const TareFormat *
lookup_split (guint       bits,
              const char *scaling)
{
  g_autofree char *id = g_strdup_printf ("fp%u_split_%s", bits, scaling);

  return tare_format_lookup (id);
}

/* Of splits whose exponent has four bits only some have special codes. */
static const TareFormat *
lookup_fixed (guint       bits,
              guint       exponent,
              const char *scaling)
{
  g_autofree char *base = g_strdup_printf ("fp%u_e%um%u", bits, exponent, bits - 1 - exponent);
  g_autofree char *plain = g_strdup_printf ("%s_%s", base, scaling);
  g_autofree char *none = g_strdup_printf ("%s_none_%s", base, scaling);
  const TareFormat *format = tare_format_lookup (none);

  return format != NULL ? format : tare_format_lookup (plain);
}

static void
fill (guint  kind,
      float *x)
{
  tare_test_fill_gaussian (x, ROWS * COLUMNS, kind);
  for (gsize i = 0; i < ROWS * COLUMNS; i++)
    {
      float sign = x[i] < 0.0f ? -1.0f : 1.0f;

      if (kind == 1)
        x[i] = x[i] * x[i] * x[i];
      else if (kind == 2)
        x[i] = 0.02f * sign * expf (-4.0f * fabsf (x[i]));
      else if (kind == 3)
        x[i] = (float) (i * 7919 % 1000) / 500.0f - 1.0f;
      else if (kind == 4)
        x[i] *= 1.0f + (float) (i / COLUMNS);
    }
}

/* Every split of the table with the same bits and scales, whatever its special codes. Returns: how
 * many there are */
static guint
check_table (guint        bits,
             const char  *scaling,
             TareRange    range,
             const float *x,
             double       found)
{
  g_autofree char *prefix = g_strdup_printf ("fp%u_e", bits);
  g_autofree char *suffix = g_strconcat ("_", scaling, NULL);
  g_autofree float *y = g_new (float, ROWS * COLUMNS);
  guint n_checked = 0;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      double error;

      if (!g_str_has_prefix (format->id, prefix) || !g_str_has_suffix (format->id, suffix)
          || strstr (format->id, "_m1_") != NULL || strstr (format->id, "_m2_") != NULL)
        continue;

      /* Those of groups may have scales in half precision, which is more or less by chance. */
      error = round_trip (format, range, x, NULL, y);
      if (found > error)
        g_test_message ("%s: %.6g, best split %.6g", format->id, error, found);
      g_assert_cmpfloat (found, <=, error * (g_str_equal (scaling, "g128") ? 1.01 : 1.0));
      n_checked++;
    }

  return n_checked;
}

/* Never worse than the best of the fixed splits, and where the scales are the same as good. */
static void
test_best (void)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  g_autofree float *y = g_new (float, ROWS * COLUMNS);
  guint n_checked = 0;

  for (guint bits = 4; bits <= 8; bits++)
    for (gsize c = 0; c < 5 * G_N_ELEMENTS (scalings) * G_N_ELEMENTS (ranges); c++)
      {
        const char *scaling = scalings[c % G_N_ELEMENTS (scalings)];
        TareRange range = ranges[c / G_N_ELEMENTS (scalings) % G_N_ELEMENTS (ranges)];
        double found, least = INFINITY;

        fill (c / G_N_ELEMENTS (scalings) / G_N_ELEMENTS (ranges), x);
        found = round_trip (lookup_split (bits, scaling), range, x, NULL, y);
        n_checked += check_table (bits, scaling, range, x, found);

        for (guint e = 1; e <= MIN (bits - 1, MOST_EXPONENT); e++)
          least = MIN (least, round_trip (lookup_fixed (bits, e, "channel"), range, x, NULL, y));
        if (g_str_equal (scaling, "channel"))
          g_assert_cmpfloat (found, ==, least);
      }
  g_assert_cmpuint (n_checked, >, 500);
}

/* Weights that lie on one of the grids get that grid, and are what they were. */
static void
test_recovered (void)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  g_autofree float *y = g_new (float, ROWS * COLUMNS);

  for (guint bits = 4; bits <= 8; bits++)
    for (guint e = 1; e <= MIN (bits - 1, MOST_EXPONENT); e++)
      for (gsize r = 0; r < G_N_ELEMENTS (ranges); r++)
        {
          g_autofree guint8 *codes = NULL;

          /* Spread over all the levels that a grid has. */
          fill (0, x);
          for (gsize i = 0; i < ROWS * COLUMNS; i++)
            x[i] = copysignf (exp2f (-(float) (i * 37 % 101) / 100.0f * (float) (1u << e)), x[i]);
          round_trip (lookup_fixed (bits, e, "channel"), TARE_RANGE_MINIMUM_MAXIMUM, x, NULL, y);
          memcpy (x, y, ROWS * COLUMNS * sizeof (float));

          g_assert_cmpfloat (round_trip (lookup_split (bits, "channel"), ranges[r], x, &codes, y),
                             ==, 0.0);
          g_assert_cmpuint (codes[0], ==, e);
        }
}

static guint
find_split (guint        bits,
            const float *x)
{
  g_autofree float *y = g_new (float, ROWS * COLUMNS);
  g_autofree guint8 *codes = NULL;

  round_trip (lookup_split (bits, "channel"), TARE_RANGE_SEARCH, x, &codes, y);

  return codes[0];
}

/* Even weights want an even grid, normal ones two bits of exponent (whose errors methods.md has),
 * and those with outliers no fewer. */
static void
test_shapes (void)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);

  for (guint bits = 4; bits <= 8; bits++)
    {
      fill (3, x);
      g_assert_cmpuint (find_split (bits, x), ==, 1);
      fill (4, x);
      g_assert_cmpuint (find_split (bits, x), ==, 2);
      fill (1, x);
      g_assert_cmpuint (find_split (bits, x), >=, bits == 8 ? 3 : 2);
    }
}

/* Small weights that matter want an exponent that reaches down to them. */
static void
test_importance (void)
{
  const TareFormat *format = lookup_split (8, "channel");
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, ROWS, COLUMNS));
  float importance[COLUMNS];
  const TareEncoding encoding = { .range = TARE_RANGE_SEARCH, .importance = importance };

  fill (3, x);
  for (gsize i = 0; i < ROWS * COLUMNS; i++)
    x[i] *= i % 4 == 0 ? 1e-3f : 1.0f;
  g_assert_cmpuint (find_split (8, x), <=, 2);

  for (gsize j = 0; j < COLUMNS; j++)
    importance[j] = j % 4 == 0 ? 1e6f : 1e-6f;
  g_assert_true (tare_format_encode (format, &encoding, x, ROWS, COLUMNS, codes, NULL, NULL));
  g_assert_cmpuint (codes[0], >=, 3);
}

/* The split is a byte of the matrix, and what a stranger wrote there does no harm. */
static void
test_bytes (void)
{
  const TareFormat *format = lookup_split (4, "channel");
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  g_autofree float *y = g_new (float, ROWS * COLUMNS);
  g_autofree guint8 *codes = NULL;

  g_assert_cmpuint (tare_format_get_bytes (format, ROWS, COLUMNS), ==,
                    1 + tare_format_get_bytes (lookup_fixed (4, 2, "channel"), ROWS, COLUMNS));

  fill (0, x);
  round_trip (format, TARE_RANGE_SEARCH, x, &codes, y);
  for (guint byte = 0; byte < 256; byte += 51)
    {
      codes[0] = (guint8) byte;
      tare_format_decode (format, codes, ROWS, COLUMNS, y);
      for (gsize i = 0; i < ROWS * COLUMNS; i++)
        g_assert_true (isfinite (y[i]));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/format/split/best", test_best);
  g_test_add_func ("/format/split/recovered", test_recovered);
  g_test_add_func ("/format/split/shapes", test_shapes);
  g_test_add_func ("/format/split/importance", test_importance);
  g_test_add_func ("/format/split/bytes", test_bytes);

  return g_test_run ();
}
