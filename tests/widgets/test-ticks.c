/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-ticks.h"

#include <math.h>

static void
assert_labels (const TareTick *ticks,
               guint           n,
               const char     *expected)
{
  g_autoptr(GString) string = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    if (!ticks[i].minor)
      g_string_append_printf (string, "%s%s", string->len > 0 ? " " : "", ticks[i].label);

  g_assert_cmpstr (string->str, ==, expected);
}

static void
test_step (void)
{
  g_assert_cmpfloat (tare_ticks_step (1.0, 10), ==, 0.1);
  g_assert_cmpfloat (tare_ticks_step (1.0, 9), ==, 0.2);
  g_assert_cmpfloat (tare_ticks_step (1.0, 4), ==, 0.5);
  g_assert_cmpfloat (tare_ticks_step (1.0, 1), ==, 1.0);
  g_assert_cmpfloat (tare_ticks_step (6.0, 1), ==, 10.0);
  g_assert_cmpfloat (tare_ticks_step (4e9, 8), ==, 5e8);
  g_assert_cmpfloat (tare_ticks_step (0.0, 5), ==, 0.0);
  g_assert_cmpfloat (tare_ticks_step (-1.0, 5), ==, 0.0);
  g_assert_cmpfloat (tare_ticks_step (INFINITY, 5), ==, 0.0);
  g_assert_cmpfloat (tare_ticks_step (NAN, 5), ==, 0.0);
}

/* Every step is the smallest of its kind that keeps to the number of ticks asked for. */
static void
test_step_is_least (void)
{
  for (int exponent = -12; exponent <= 12; exponent++)
    for (guint most = 1; most <= 20; most++)
      for (double lead = 1.0; lead < 10.0; lead += 0.37)
        {
          double span = lead * pow (10.0, exponent);
          double step = tare_ticks_step (span, most);
          double decade = pow (10.0, floor (log10 (step) + 1e-9));
          double digit = round (step / decade);
          double smaller = digit == 5.0 ? step * 0.4 : step / 2.0;

          g_assert_true (digit == 1.0 || digit == 2.0 || digit == 5.0);
          g_assert_cmpfloat (span / step, <=, most * (1.0 + 1e-6));
          g_assert_cmpfloat (span / smaller, >, most * (1.0 - 1e-6));
        }
}

static void
test_linear (void)
{
  TareTick ticks[TARE_TICKS_MAX];
  guint n;

  n = tare_ticks_make_linear (-0.31, 0.29, 6, ticks);
  assert_labels (ticks, n, "−0.3 −0.2 −0.1 0 0.1 0.2");
  g_assert_cmpfloat (ticks[3].value, ==, 0.0);
  g_assert_cmpfloat (ticks[4].value, ==, 0.1);

  n = tare_ticks_make_linear (0.0, 1.0, 4, ticks);
  assert_labels (ticks, n, "0 0.5 1.0");
}

static void
test_linear_ends (void)
{
  TareTick ticks[TARE_TICKS_MAX];

  g_assert_cmpuint (tare_ticks_make_linear (0.3, 0.6, 3, ticks), ==, 4);
  assert_labels (ticks, 4, "0.3 0.4 0.5 0.6");
  g_assert_cmpuint (tare_ticks_make_linear (1.0, 1.0, 5, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_linear (2.0, 1.0, 5, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_linear (NAN, 1.0, 5, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_linear (-INFINITY, 1.0, 5, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_linear (-1e308, 1e308, 5, ticks), ==, 0);

  /* So near to each other that doubles do not tell them apart: nothing, but no endless loop. */
  g_assert_cmpuint (tare_ticks_make_linear (1e15, 1e15 + 0.125, 5, ticks), <=, 6);
  g_assert_cmpuint (tare_ticks_make_linear (0.0, 1.0, 100000, ticks), <=, TARE_TICKS_MAX);
}

static void
test_linear_powers (void)
{
  TareTick ticks[TARE_TICKS_MAX];
  guint n;

  n = tare_ticks_make_linear (0.0, 5e6, 5, ticks);
  assert_labels (ticks, n, "0 10⁶ 2×10⁶ 3×10⁶ 4×10⁶ 5×10⁶");
  n = tare_ticks_make_linear (0.0, 2.5e-5, 5, ticks);
  assert_labels (ticks, n, "0 0.5×10⁻⁵ 1.0×10⁻⁵ 1.5×10⁻⁵ 2.0×10⁻⁵ 2.5×10⁻⁵");
  n = tare_ticks_make_linear (0.0, 100000.0, 2, ticks);
  assert_labels (ticks, n, "0 50000 100000");
}

static void
test_log (void)
{
  TareTick ticks[TARE_TICKS_MAX];
  guint n;

  n = tare_ticks_make_log (1.0, 1000.0, 4, ticks);
  assert_labels (ticks, n, "1 10 100 1000");
  n = tare_ticks_make_log (1.0, 100.0, 9, ticks);
  assert_labels (ticks, n, "1 2 5 10 20 50 100");
  g_assert_cmpuint (n, ==, 19);
  n = tare_ticks_make_log (1e-9, 1e3, 4, ticks);
  assert_labels (ticks, n, "10⁻⁹ 10⁻⁶ 10⁻³ 10⁰ 10³");
  n = tare_ticks_make_log (1e-5, 1e-4, 9, ticks);
  assert_labels (ticks, n, "10⁻⁵ 2×10⁻⁵ 5×10⁻⁵ 10⁻⁴");

  /* Where every so many decades leave one in sight, more of them: a linear division has all its
   * labels at the top. */
  n = tare_ticks_make_log (4e-9, 4e-3, 2, ticks);
  assert_labels (ticks, n, "10⁻⁶ 10⁻³");
  n = tare_ticks_make_log (4e-6, 4e-3, 2, ticks);
  assert_labels (ticks, n, "10⁻⁵ 10⁻⁴ 10⁻³");
  n = tare_ticks_make_log (4e-3, 0.06, 2, ticks);
  assert_labels (ticks, n, "0.005 0.01 0.02 0.05");

  /* Less than a decade: as a linear axis. */
  n = tare_ticks_make_log (3.1, 3.4, 4, ticks);
  assert_labels (ticks, n, "3.1 3.2 3.3 3.4");

  for (guint i = 1; i < n; i++)
    g_assert_cmpfloat (ticks[i].value, >, ticks[i - 1].value);

  g_assert_cmpuint (tare_ticks_make_log (0.0, 10.0, 4, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_log (-1.0, 10.0, 4, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_log (10.0, 1.0, 4, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_log (1.0, INFINITY, 4, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_log (1e-300, 1e300, 64, ticks), <=, TARE_TICKS_MAX);
}

static void
test_symlog (void)
{
  TareTick ticks[TARE_TICKS_MAX];
  guint n;

  n = tare_ticks_make_symlog (-100.0, 100.0, 1.0, 9, ticks);
  assert_labels (ticks, n, "−100 −10 −1 0 1 10 100");
  for (guint i = 1; i < n; i++)
    g_assert_cmpfloat (ticks[i].value, >, ticks[i - 1].value);

  n = tare_ticks_make_symlog (-1.0, 1.0, 1.0, 4, ticks);
  assert_labels (ticks, n, "−1.0 −0.5 0 0.5 1.0");
  g_assert_cmpuint (tare_ticks_make_symlog (-1.0, 1.0, 0.0, 4, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_symlog (1.0, -1.0, 1.0, 4, ticks), ==, 0);
  g_assert_cmpuint (tare_ticks_make_symlog (-1e300, 1e300, 1e-300, 64, ticks), <=, TARE_TICKS_MAX);
}

static void
assert_exact (double      value,
              const char *expected)
{
  char label[TARE_TICK_LABEL_SIZE];

  tare_ticks_format_exact (value, label);
  g_assert_cmpstr (label, ==, expected);
}

static void
test_exact (void)
{
  assert_exact (0.0, "0");
  assert_exact (-0.25, "−0.25");
  assert_exact (123456789.0, "123456789");
  assert_exact (1.0 / 3.0, "0.333333");
  assert_exact (1.25e-7, "1.25×10⁻⁷");
  assert_exact (-1e300, "−1×10³⁰⁰");
  assert_exact (NAN, "?");
  assert_exact (INFINITY, "∞");
  assert_exact (-INFINITY, "−∞");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ticks/step", test_step);
  g_test_add_func ("/ticks/step-is-least", test_step_is_least);
  g_test_add_func ("/ticks/linear", test_linear);
  g_test_add_func ("/ticks/linear-ends", test_linear_ends);
  g_test_add_func ("/ticks/linear-powers", test_linear_powers);
  g_test_add_func ("/ticks/log", test_log);
  g_test_add_func ("/ticks/symlog", test_symlog);
  g_test_add_func ("/ticks/exact", test_exact);

  return g_test_run ();
}
