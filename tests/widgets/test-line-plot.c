/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/chart-fixture.h"

#include <math.h>
#include <string.h>

#include "widgets/tare-line-plot.h"

/* The topmost pixel of a column that is drawn at all in the plot's colour, mixed or not. */
static gboolean
has_ink (WidgetPixels *pixels,
         int           x,
         int           y,
         int           reach)
{
  for (int row = MAX (0, y - reach); row <= MIN (pixels->height - 1, y + reach); row++)
    {
      guint32 pixel = widget_pixels_get (pixels, x, row);

      /* The first category is far more blue than red. */
      if ((pixel >> 24) > 0x60 && (int) (pixel & 0xff) - (int) (pixel >> 16 & 0xff) > 40)
        return TRUE;
    }

  return FALSE;
}

static void
test_line (void)
{
  static const double x[5] = { 0.0, 1.0, 2.0, 3.0, 4.0 };
  static const double y[5] = { 0.0, 4.0, NAN, 2.0, 1.0 };
  g_autoptr(TarePlot) plot = tare_line_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;
  g_autoptr(WidgetPixels) steps = NULL;

  tare_line_plot_set_points (TARE_LINE_PLOT (plot), x, y, 5);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_true (has_ink (pixels, chart_fixture_get_x (chart, 0.5),
                          chart_fixture_get_y (chart, 2.0), 3));
  g_assert_true (has_ink (pixels, chart_fixture_get_x (chart, 3.5),
                          chart_fixture_get_y (chart, 1.5), 3));
  g_assert_false (has_ink (pixels, chart_fixture_get_x (chart, 0.5),
                           chart_fixture_get_y (chart, 0.2), 4));

  /* There is nothing where a value is missing. */
  g_assert_false (has_ink (pixels, chart_fixture_get_x (chart, 2.0),
                           chart_fixture_get_y (chart, 2.0), 200));

  /* A step stays level up to the next point. */
  tare_line_plot_set_style (TARE_LINE_PLOT (plot), TARE_LINE_STYLE_STEPS);
  steps = widget_test_render (GTK_WIDGET (chart));
  g_assert_true (has_ink (steps, chart_fixture_get_x (chart, 3.9),
                          chart_fixture_get_y (chart, 2.0), 3));
  g_assert_false (has_ink (steps, chart_fixture_get_x (chart, 3.5),
                           chart_fixture_get_y (chart, 1.5), 3));

  chart_fixture_finish (chart, window);
}

/* Marks are whole at the edges of what is shown: of the first point, the last and the lowest. */
static void
test_edges (void)
{
  static const double x[4] = { 0.0, 1.0, 2.0, 3.0 };
  static const double y[4] = { 1.0, 0.0, 1.5, 2.0 };
  g_autoptr(TarePlot) line = tare_line_plot_new ();
  g_autoptr(TarePlot) marks = tare_line_plot_new ();
  TareChart *chart = chart_fixture_new (line);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;

  tare_line_plot_set_points (TARE_LINE_PLOT (line), x, y, 4);
  tare_plot_set_color_index (marks, 1);
  tare_line_plot_set_style (TARE_LINE_PLOT (marks), TARE_LINE_STYLE_DOTS);
  tare_chart_add_plot (chart, marks);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  for (guint i = 0; i < 4; i++)
    {
      tare_line_plot_set_points (TARE_LINE_PLOT (marks), x + i, y + i, 1);
      g_clear_pointer (&pixels, widget_pixels_free);
      pixels = widget_test_render (GTK_WIDGET (chart));
      g_assert_cmpuint (widget_pixels_count (pixels, chart_fixture_category (1),
                                             chart_fixture_get_x (chart, x[i]) - 5,
                                             chart_fixture_get_y (chart, y[i]) - 5, 11, 11), ==,
                        25);
    }

  chart_fixture_finish (chart, window);
}

/* One peak among a million points is drawn in full. */
static void
test_peak (void)
{
  guint n = 1000000;
  g_autofree double *x = g_new (double, n);
  g_autofree double *y = g_new (double, n);
  g_autoptr(TarePlot) plot = tare_line_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;

  for (guint i = 0; i < n; i++)
    {
      x[i] = i;
      y[i] = i == 345678 ? 10.0 : i == 654321 ? -10.0 : (i % 2) * 0.1;
    }
  tare_line_plot_set_points (TARE_LINE_PLOT (plot), x, y, n);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  pixels = widget_test_render (GTK_WIDGET (chart));
  for (double level = 1.0; level < 9.5; level += 1.0)
    {
      int at = chart_fixture_get_x (chart, 345678.0);
      int height = chart_fixture_get_y (chart, level);

      g_assert_true (has_ink (pixels, at, height, 0) || has_ink (pixels, at + 1, height, 0)
                     || has_ink (pixels, at - 1, height, 0));
      at = chart_fixture_get_x (chart, 654321.0);
      height = chart_fixture_get_y (chart, -level);
      g_assert_true (has_ink (pixels, at, height, 0) || has_ink (pixels, at + 1, height, 0)
                     || has_ink (pixels, at - 1, height, 0));
    }
  chart_fixture_point (chart, 345678.0, 9.9);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "345678: 10");

  chart_fixture_finish (chart, window);
}

/* The nearest of several lines is read out; far from all, the topmost answers. */
static void
test_readout (void)
{
  static const double x[3] = { 1.0, 2.0, 3.0 };
  static const double low[3] = { 1.0, 1.5, 1.0 };
  static const double high[3] = { 10.0, 9.0, 10.0 };
  static const double doubt[3] = { 8.5, 8.0, NAN };
  static const double hope[3] = { 11.0, 10.0, 11.0 };
  g_autoptr(TarePlot) below = tare_line_plot_new ();
  g_autoptr(TarePlot) above = tare_line_plot_new ();
  TareChart *chart = chart_fixture_new (below);
  GtkWindow *window;
  g_autofree char *csv = NULL;

  tare_line_plot_set_points (TARE_LINE_PLOT (below), x, low, 3);
  tare_line_plot_set_points (TARE_LINE_PLOT (above), x, high, 3);
  tare_line_plot_set_band (TARE_LINE_PLOT (above), doubt, hope);
  tare_plot_set_label (below, "below");
  tare_plot_set_label (above, "above");
  tare_chart_add_plot (chart, above);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);

  chart_fixture_point (chart, 2.0, 1.6);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "below, 2: 1.5");
  chart_fixture_point (chart, 2.0, 8.9);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "above, 2: 9 (8 to 10)");
  chart_fixture_point (chart, 2.05, 5.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "above, 2: 9 (8 to 10)");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Right, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "above, 3: 10");

  csv = tare_chart_dup_csv (chart);
  g_assert_nonnull (strstr (csv, "x,y,low,high\n1,10,8.5,11\n2,9,8,10\n3,10,,11\n"));
  g_assert_true (g_str_has_prefix (csv, "x,y\n1,1\n"));

  chart_fixture_finish (chart, window);
}

/* What is not positive has no place on a logarithmic axis. */
static void
test_log (void)
{
  static const double x[4] = { 0.0, 1.0, 10.0, 100.0 };
  static const double y[4] = { 5.0, -1.0, 0.01, 100.0 };
  g_autoptr(TarePlot) plot = tare_line_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  double range[2];

  tare_line_plot_set_points (TARE_LINE_PLOT (plot), x, y, 4);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  tare_axis_set_scale (tare_chart_get_x_axis (chart), TARE_AXIS_SCALE_LOG);
  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);
  widget_test_settle (GTK_WIDGET (chart));
  tare_axis_get_range (tare_chart_get_y_axis (chart), &range[0], &range[1]);
  g_assert_cmpfloat (range[0], ==, 0.01);
  tare_axis_get_range (tare_chart_get_x_axis (chart), &range[0], &range[1]);
  g_assert_cmpfloat (range[0], ==, 10.0);
  chart_fixture_point (chart, 10.5, 0.011);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "10: 0.01");

  chart_fixture_finish (chart, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/line-plot/line", test_line);
  g_test_add_func ("/line-plot/edges", test_edges);
  g_test_add_func ("/line-plot/peak", test_peak);
  g_test_add_func ("/line-plot/readout", test_readout);
  g_test_add_func ("/line-plot/log", test_log);

  return g_test_run ();
}
