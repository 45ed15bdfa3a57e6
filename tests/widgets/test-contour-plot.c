/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/chart-fixture.h"

#include <math.h>
#include <string.h>

#include "widgets/tare-contour-plot.h"
#include "widgets/tare-heat-plot.h"

typedef struct
{
  double length;
  double worst;    /* distance of an end from the circle */
  guint  n;
} Circle;

static void
measure (const double  x[2],
         const double  y[2],
         gpointer      data)
{
  Circle *circle = data;

  circle->length += hypot (x[1] - x[0], y[1] - y[0]);
  for (guint k = 0; k < 2; k++)
    circle->worst = MAX (circle->worst, fabs (hypot (x[k] - 50.0, y[k] - 50.0) - 30.0));
  circle->n++;
}

/* The line of a cone at a height is a circle, as long as a circle is. */
static void
test_circle (void)
{
  g_autofree double *values = g_new (double, 101 * 101);
  Circle circle = { 0 };

  for (guint i = 0; i < 101; i++)
    for (guint j = 0; j < 101; j++)
      values[i * 101 + j] = hypot (j - 50.0, i - 50.0);
  tare_contour_trace (values, 101, 101, 30.0, measure, &circle);
  g_assert_cmpfloat (circle.worst, <, 0.01);
  g_assert_cmpfloat_with_epsilon (circle.length, 2.0 * G_PI * 30.0, 0.1);

  /* A cell without one of its values has no line. */
  values[50 * 101 + 80] = NAN;
  circle = (Circle) { 0 };
  tare_contour_trace (values, 101, 101, 30.0, measure, &circle);
  g_assert_cmpfloat (circle.length, <, 2.0 * G_PI * 30.0 - 0.9);
}

static void
count_sides (const double  x[2],
             const double  y[2],
             gpointer      data)
{
  double *sum = data;

  /* Which corner a piece cuts off. */
  sum[0] += (x[0] + x[1]) / 2.0;
  sum[1] += (y[0] + y[1]) / 2.0;
  sum[2] += 1.0;
  sum[3] += fabs (x[1] - x[0]) + fabs (y[1] - y[0]);
}

/* All sixteen cases: every side that the level crosses is met once, and no other. */
static void
test_cases (void)
{
  for (guint mask = 0; mask < 16; mask++)
    {
      double cell[4] = { mask & 1 ? 1.0 : -1.0, mask & 2 ? 1.0 : -1.0, mask & 8 ? 1.0 : -1.0,
                         mask & 4 ? 1.0 : -1.0 };
      double sum[4] = { 0.0, 0.0, 0.0, 0.0 };
      guint bits = (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1);

      tare_contour_trace (cell, 2, 2, 0.0, count_sides, sum);
      if (bits == 0 || bits == 4)
        g_assert_cmpfloat (sum[2], ==, 0.0);
      else if (mask == 5 || mask == 10)
        {
          g_assert_cmpfloat (sum[2], ==, 2.0);
          g_assert_cmpfloat (sum[0] / 2.0, ==, 0.5);
          g_assert_cmpfloat (sum[1] / 2.0, ==, 0.5);
          g_assert_cmpfloat (sum[3], ==, 2.0);
        }
      else
        {
          g_assert_cmpfloat (sum[2], ==, 1.0);
          g_assert_cmpfloat (sum[3], ==, 1.0);
          if (bits == 1)
            {
              g_assert_cmpint (sum[0] > 0.5, ==, (mask & 6) != 0);
              g_assert_cmpint (sum[1] > 0.5, ==, (mask & 12) != 0);
            }
        }
    }
}

/* At a saddle the middle tells which corners belong together. */
static void
test_saddle (void)
{
  static const double high[4] = { 3.0, -1.0, -1.0, 3.0 }, low[4] = { 1.0, -3.0, -3.0, 1.0 };
  double sum[4] = { 0.0, 0.0, 0.0, 0.0 };

  /* Of a high saddle the low corners are cut off, by short lines near them. */
  tare_contour_trace (high, 2, 2, 0.0, count_sides, sum);
  g_assert_cmpfloat (sum[2], ==, 2.0);
  g_assert_cmpfloat (sum[3], ==, 1.0);
  memset (sum, 0, sizeof sum);
  tare_contour_trace (low, 2, 2, 0.0, count_sides, sum);
  g_assert_cmpfloat (sum[2], ==, 2.0);
  g_assert_cmpfloat (sum[3], ==, 1.0);
}

static TarePlot *
make_bowl (void)
{
  static const double x[2] = { -2.0, 2.0 }, y[2] = { -1.0, 1.0 };
  double values[21 * 21];
  TarePlot *plot = tare_contour_plot_new ();

  for (guint i = 0; i < 21; i++)
    for (guint j = 0; j < 21; j++)
      values[i * 21 + j] = pow ((j - 10.0) / 5.0, 2.0) + pow ((i - 10.0) / 10.0, 2.0);
  tare_contour_plot_set_values (TARE_CONTOUR_PLOT (plot), values, 21, 21, x, y);
  tare_contour_plot_set_name (TARE_CONTOUR_PLOT (plot), "loss");

  return plot;
}

/* Bands are of one colour, more in the middle than at the rim in order of the scale. */
static void
test_plot (void)
{
  g_autoptr(TarePlot) plot = make_bowl ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 400);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (chart));
  g_autoptr(WidgetPixels) marked = NULL;
  int x = chart_fixture_get_x (chart, 0.1), y = chart_fixture_get_y (chart, 0.1);
  guint32 middle = widget_pixels_get (pixels, x, y);

  g_assert_cmphex (middle, ==, widget_pixels_get (pixels, chart_fixture_get_x (chart, -0.2), y));
  g_assert_cmphex (middle, !=, widget_pixels_get (pixels, chart_fixture_get_x (chart, 1.9), y));
  g_assert_cmphex (widget_pixels_get (pixels, chart_fixture_get_x (chart, 1.9), y), ==,
                   widget_pixels_get (pixels, chart_fixture_get_x (chart, -1.9), y));

  tare_contour_plot_set_center (TARE_CONTOUR_PLOT (plot), 0.0, 0.0);
  marked = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmphex (widget_pixels_get (marked, chart_fixture_get_x (chart, 0.0),
                                      chart_fixture_get_y (chart, 0.0)), !=, middle);

  chart_fixture_point (chart, 0.0, 0.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "0, 0: loss = 0");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Right, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "0.2, 0: loss = 0.04");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Up, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "0.2, 0.1: loss = 0.05");

  chart_fixture_finish (chart, window);
}

/* A matrix with names, of which one value is missing. */
static void
test_names (void)
{
  static const char *const names[] = { "one", "two", "three", NULL };
  static const float values[9] = { 1.0f, 0.5f, NAN, 0.5f, 1.0f, -0.25f, NAN, -0.25f, 1.0f };
  g_autoptr(TarePlot) plot = tare_heat_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;

  tare_heat_plot_set_values (TARE_HEAT_PLOT (plot), values, 3, 3);
  tare_heat_plot_set_signed (TARE_HEAT_PLOT (plot), TRUE);
  tare_heat_plot_set_maximum (TARE_HEAT_PLOT (plot), 1.0);
  tare_heat_plot_set_names (TARE_HEAT_PLOT (plot), "measure", "measure", "rho");
  tare_heat_plot_set_labels (TARE_HEAT_PLOT (plot), names, names);
  window = widget_test_show (GTK_WIDGET (chart), 500, 400);
  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmpstr (tare_axis_get_categories (tare_chart_get_y_axis (chart))[1], ==, "two");
  g_assert_cmpuint (widget_pixels_get (pixels, chart_fixture_get_x (chart, 2.0),
                                       chart_fixture_get_y (chart, 0.0)) >> 24, <, 0x30);
  g_assert_cmpuint (widget_pixels_get (pixels, chart_fixture_get_x (chart, 2.3),
                                       chart_fixture_get_y (chart, 1.3)) >> 24, ==, 0xff);
  chart_fixture_point (chart, 2.0, 1.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "two, three: rho = −0.25");
  chart_fixture_point (chart, 2.0, 0.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "one, three: no value");

  chart_fixture_finish (chart, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/contour-plot/circle", test_circle);
  g_test_add_func ("/contour-plot/cases", test_cases);
  g_test_add_func ("/contour-plot/saddle", test_saddle);
  g_test_add_func ("/contour-plot/plot", test_plot);
  g_test_add_func ("/contour-plot/names", test_names);

  return g_test_run ();
}
