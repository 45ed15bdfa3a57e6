/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-axis.h"

#include <math.h>

static void
count_cb (TareAxis *axis,
          guint    *n)
{
  (*n)++;
}

static void
assert_range (TareAxis *axis,
              double    minimum,
              double    maximum)
{
  double found[2];

  tare_axis_get_range (axis, &found[0], &found[1]);
  g_assert_cmpfloat_with_epsilon (found[0], minimum, 1e-9 * fmax (1.0, fabs (minimum)));
  g_assert_cmpfloat_with_epsilon (found[1], maximum, 1e-9 * fmax (1.0, fabs (maximum)));
}

static void
test_range (void)
{
  TareAxis *axis = tare_axis_new ("weight");
  guint n = 0;

  g_signal_connect (axis, "range-changed", G_CALLBACK (count_cb), &n);
  g_assert_cmpstr (tare_axis_get_title (axis), ==, "weight");
  g_assert_true (tare_axis_is_fitted (axis));

  tare_axis_set_bounds (axis, -2.0, 6.0);
  g_assert_cmpuint (n, ==, 1);
  assert_range (axis, -2.0, 6.0);
  g_assert_cmpfloat (tare_axis_normalize (axis, 0.0), ==, 0.25);
  g_assert_cmpfloat (tare_axis_denormalize (axis, 0.25), ==, 0.0);

  tare_axis_set_bounds (axis, -2.0, 6.0);
  g_assert_cmpuint (n, ==, 1);

  tare_axis_set_range (axis, 0.0, 2.0);
  g_assert_cmpuint (n, ==, 2);
  g_assert_false (tare_axis_is_fitted (axis));

  /* What is zoomed stays where it is when the data grow, and is moved in when they shrink. */
  tare_axis_set_bounds (axis, -10.0, 10.0);
  assert_range (axis, 0.0, 2.0);
  tare_axis_set_bounds (axis, 1.0, 10.0);
  assert_range (axis, 1.0, 3.0);
  tare_axis_set_bounds (axis, 20.0, 30.0);
  assert_range (axis, 20.0, 30.0);
  tare_axis_set_range (axis, 22.0, 23.0);
  tare_axis_fit (axis);
  assert_range (axis, 20.0, 30.0);

  g_assert_finalize_object (axis);
}

static void
test_mended (void)
{
  TareAxis *axis = tare_axis_new (NULL);
  double found[2];

  tare_axis_set_bounds (axis, 4.0, 4.0);
  assert_range (axis, 2.0, 6.0);
  tare_axis_set_bounds (axis, 0.0, 0.0);
  assert_range (axis, -0.5, 0.5);
  tare_axis_set_bounds (axis, 3.0, 1.0);
  assert_range (axis, 1.0, 3.0);
  tare_axis_set_bounds (axis, NAN, 1.0);
  tare_axis_set_bounds (axis, 0.0, INFINITY);
  tare_axis_set_bounds (axis, -1e308, 1e308);
  assert_range (axis, 1.0, 3.0);
  tare_axis_set_range (axis, NAN, 2.0);
  assert_range (axis, 1.0, 3.0);
  tare_axis_set_range (axis, 2.0, 2.0);
  tare_axis_get_range (axis, &found[0], &found[1]);
  g_assert_cmpfloat (found[0], <, found[1]);

  tare_axis_set_scale (axis, TARE_AXIS_SCALE_LOG);
  tare_axis_set_bounds (axis, -5.0, 100.0);
  assert_range (axis, 1e-4, 100.0);
  tare_axis_set_bounds (axis, -5.0, -1.0);
  tare_axis_get_range (axis, &found[0], &found[1]);
  g_assert_cmpfloat (found[0], >, 0.0);
  g_assert_cmpfloat (found[1], >, found[0]);
  g_assert_true (isinf (tare_axis_normalize (axis, 0.0)));
  g_assert_true (isinf (tare_axis_normalize (axis, -1.0)));

  g_assert_finalize_object (axis);
}

static void
test_zoom (void)
{
  TareAxis *axis = tare_axis_new (NULL);
  double before, found[2];

  tare_axis_set_bounds (axis, 0.0, 100.0);
  before = tare_axis_denormalize (axis, 0.3);
  tare_axis_zoom (axis, 4.0, 0.3);
  g_assert_cmpfloat_with_epsilon (tare_axis_denormalize (axis, 0.3), before, 1e-9);
  assert_range (axis, 22.5, 47.5);

  tare_axis_pan (axis, 1.0);
  assert_range (axis, 47.5, 72.5);
  tare_axis_pan (axis, 100.0);
  assert_range (axis, 75.0, 100.0);
  tare_axis_pan (axis, -100.0);
  assert_range (axis, 0.0, 25.0);

  tare_axis_zoom (axis, 0.01, 0.9);
  g_assert_true (tare_axis_is_fitted (axis));
  tare_axis_zoom (axis, -1.0, 0.5);
  tare_axis_zoom (axis, 0.0, 0.5);
  tare_axis_zoom (axis, NAN, 0.5);
  g_assert_true (tare_axis_is_fitted (axis));

  /* There is an end to it. */
  for (guint i = 0; i < 400; i++)
    tare_axis_zoom (axis, 2.0, 0.5);
  tare_axis_get_range (axis, &found[0], &found[1]);
  g_assert_cmpfloat (found[1] - found[0], >=, 0.9e-5);
  for (guint i = 0; i < 400; i++)
    tare_axis_zoom (axis, 0.5, 0.5);
  assert_range (axis, 0.0, 100.0);

  g_assert_finalize_object (axis);
}

static void
test_scales (void)
{
  static const TareAxisScale scales[] = {
    TARE_AXIS_SCALE_LINEAR, TARE_AXIS_SCALE_LOG, TARE_AXIS_SCALE_SYMLOG,
  };

  for (guint i = 0; i < G_N_ELEMENTS (scales); i++)
    {
      TareAxis *axis = tare_axis_new (NULL);
      double before = -INFINITY, anchor;

      tare_axis_set_scale (axis, scales[i]);
      tare_axis_set_threshold (axis, 0.01);
      tare_axis_set_bounds (axis, i == 1 ? 0.001 : -50.0, 80.0);
      for (double position = 0.0; position <= 1.0; position += 0.05)
        {
          double value = tare_axis_denormalize (axis, position);

          g_assert_cmpfloat (value, >, before);
          g_assert_cmpfloat_with_epsilon (tare_axis_normalize (axis, value), position, 1e-9);
          before = value;
        }

      anchor = tare_axis_denormalize (axis, 0.6);
      tare_axis_zoom (axis, 3.0, 0.6);
      g_assert_cmpfloat_with_epsilon (tare_axis_denormalize (axis, 0.6), anchor,
                                      1e-9 * fabs (anchor) + 1e-12);
      g_assert_finalize_object (axis);
    }
}

/* A part of the range that log cannot show is there again when the scale is linear again. */
static void
test_scale_changes (void)
{
  TareAxis *axis = tare_axis_new (NULL);
  guint n = 0;

  tare_axis_set_bounds (axis, 0.0, 1000.0);
  g_signal_connect (axis, "range-changed", G_CALLBACK (count_cb), &n);
  tare_axis_set_scale (axis, TARE_AXIS_SCALE_LOG);
  assert_range (axis, 1e-3, 1000.0);
  tare_axis_set_scale (axis, TARE_AXIS_SCALE_LOG);
  g_assert_cmpuint (n, ==, 1);
  tare_axis_set_scale (axis, TARE_AXIS_SCALE_LINEAR);
  assert_range (axis, 0.0, 1000.0);

  g_assert_finalize_object (axis);
}

static void
test_categories (void)
{
  static const char *const names[] = { "a", "b", "c", "d", NULL };
  TareAxis *axis = tare_axis_new (NULL);
  TareTick ticks[TARE_TICKS_MAX];

  tare_axis_set_categories (axis, names);
  tare_axis_set_bounds (axis, -0.5, 3.5);
  g_assert_cmpuint (tare_axis_make_ticks (axis, 10, ticks), ==, 4);
  g_assert_cmpstr (ticks[3].label, ==, "d");
  g_assert_cmpfloat (ticks[3].value, ==, 3.0);
  g_assert_cmpuint (tare_axis_make_ticks (axis, 2, ticks), ==, 2);
  g_assert_cmpstr (ticks[1].label, ==, "c");
  tare_axis_set_range (axis, 0.6, 2.4);
  g_assert_cmpuint (tare_axis_make_ticks (axis, 10, ticks), ==, 2);
  g_assert_cmpstr (ticks[0].label, ==, "b");

  g_assert_finalize_object (axis);
}

/* The first row of a matrix stands at the top, and everything that goes by positions follows. */
static void
test_reversed (void)
{
  g_autoptr(TareAxis) axis = tare_axis_new (NULL);
  double range[2];

  tare_axis_set_bounds (axis, 0.0, 100.0);
  tare_axis_set_reversed (axis, TRUE);
  g_assert_cmpfloat (tare_axis_normalize (axis, 0.0), ==, 1.0);
  g_assert_cmpfloat (tare_axis_normalize (axis, 25.0), ==, 0.75);
  g_assert_cmpfloat (tare_axis_denormalize (axis, 0.75), ==, 25.0);

  /* What lies at the anchor stays there. */
  tare_axis_zoom (axis, 2.0, 0.75);
  g_assert_cmpfloat_with_epsilon (tare_axis_denormalize (axis, 0.75), 25.0, 1e-9);
  tare_axis_get_range (axis, &range[0], &range[1]);
  g_assert_cmpfloat_with_epsilon (range[0], 12.5, 1e-9);
  g_assert_cmpfloat_with_epsilon (range[1], 62.5, 1e-9);

  /* Towards position 1 lies less. */
  tare_axis_pan (axis, 0.1);
  tare_axis_get_range (axis, &range[0], &range[1]);
  g_assert_cmpfloat_with_epsilon (range[0], 7.5, 1e-9);
}

/* An axis that counts has ticks at whole numbers and is not zoomed between them. */
static void
test_counting (void)
{
  g_autoptr(TareAxis) axis = tare_axis_new (NULL);
  TareTick ticks[TARE_TICKS_MAX];
  double range[2];
  guint n, labelled = 0;

  tare_axis_set_bounds (axis, -0.5, 999.5);
  tare_axis_set_counting (axis, TRUE);
  g_assert_true (tare_axis_get_counting (axis));
  for (guint i = 0; i < 100; i++)
    tare_axis_zoom (axis, 1.5, 0.5);
  tare_axis_get_range (axis, &range[0], &range[1]);
  g_assert_cmpfloat_with_epsilon (range[1] - range[0], 4.0, 1e-9);
  n = tare_axis_make_ticks (axis, 20, ticks);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpfloat_with_epsilon (ticks[i].value, rint (ticks[i].value), 1e-9);
      labelled += !ticks[i].minor;
    }
  g_assert_cmpuint (labelled, >=, 3);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/axis/range", test_range);
  g_test_add_func ("/axis/mended", test_mended);
  g_test_add_func ("/axis/zoom", test_zoom);
  g_test_add_func ("/axis/scales", test_scales);
  g_test_add_func ("/axis/scale-changes", test_scale_changes);
  g_test_add_func ("/axis/categories", test_categories);
  g_test_add_func ("/axis/reversed", test_reversed);
  g_test_add_func ("/axis/counting", test_counting);

  return g_test_run ();
}
