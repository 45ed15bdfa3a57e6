/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/tare-test.h"
#include "tests/widgets/chart-fixture.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "widgets/tare-bar-plot.h"
#include "widgets/tare-histogram-plot.h"
#include "widgets/tare-marker-plot.h"

static void
test_histogram (void)
{
  static const guint64 counts[4] = { 100, 50, 0, 25 };
  g_autoptr(TarePlot) plot = tare_histogram_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) pixels = NULL;
  GdkRectangle area;

  g_assert_false (tare_chart_get_plot_area (chart, &area));
  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (plot), counts, 4, -1.0, 1.0);
  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_true (tare_chart_get_plot_area (chart, &area));

  /* 105 is the top of the axis. */
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (ABS ((int) chart_fixture_height (chart, pixels, chart_fixture_category (0),
                                                      -0.75 + 0.5 * i)
                          - (int) (counts[i] * (guint) area.height / 105)), <=, 2);

  chart_fixture_finish (chart, window);
}

/* One value in a bin far narrower than a pixel is still there, on either scale. */
static void
test_outliers (void)
{
  g_autofree guint64 *counts = g_new0 (guint64, 2048);
  g_autoptr(TarePlot) plot = tare_histogram_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;
  g_autoptr(WidgetPixels) log = NULL;

  for (guint i = 900; i < 1100; i++)
    counts[i] = 1000000;
  counts[3] = 1;
  counts[2047] = 1;
  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (plot), counts, 2048, 0.0, 2048.0);
  window = widget_test_show (GTK_WIDGET (chart), 400, 260);

  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (0), 3.5), ==, 1);
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (0), 2047.5),
                    ==, 1);
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (0), 500.0), ==, 0);
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (0), 1000.0),
                    >, 100);

  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);
  log = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmpuint (chart_fixture_height (chart, log, chart_fixture_category (0), 3.5), >, 3);
  g_assert_cmpuint (chart_fixture_height (chart, log, chart_fixture_category (0), 500.0), ==, 0);

  chart_fixture_finish (chart, window);
}

/* Bars stand for the same number of bins each, and show and say their sum. */
static void
test_histogram_merged (void)
{
  g_autofree guint64 *counts = g_new0 (guint64, 2048);
  g_autoptr(TarePlot) plot = tare_histogram_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autofree char *text = NULL;
  gboolean taken;
  double x, y, next;

  /* A comb, such as values on a coarser grid than the bins leave: as a whole it is flat. */
  for (guint i = 0; i < 2048; i += 4)
    counts[i] = 100;
  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (plot), counts, 2048, 0.0, 2048.0);
  window = widget_test_show (GTK_WIDGET (chart), 700, 300);
  widget_test_settle (GTK_WIDGET (chart));
  for (guint i = 0; i < 2048; i++)
    {
      g_assert_true (tare_plot_get_point (plot, i, &x, &y));
      g_assert_cmpfloat (y, ==, 200.0);
      g_assert_cmpfloat (x, ==, 8.0 * (i / 8) + 4.0);
    }
  text = tare_plot_describe_point (plot, 13);
  g_assert_cmpstr (text, ==, "8 to 16: 200 (0.391 %)");

  /* The keyboard goes from bar to bar. */
  widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Home, 0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "0 to 8: 200 (0.391 %)");
  widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Right, 0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "8 to 16: 200 (0.391 %)");
  widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Left, 0);
  widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Left, 0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "0 to 8: 200 (0.391 %)");

  /* The wheel parts the bins below the pointer. */
  g_signal_emit_by_name (widget_test_controller (GTK_WIDGET (chart),
                                                 GTK_TYPE_EVENT_CONTROLLER_MOTION),
                         "motion", (double) chart_fixture_get_x (chart, 1026.0), 100.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "1024 to 1032: 200 (0.391 %)");
  for (guint i = 0; i < 4; i++)
    g_signal_emit_by_name (widget_test_controller (GTK_WIDGET (chart),
                                                   GTK_TYPE_EVENT_CONTROLLER_SCROLL),
                           "scroll", 0.0, -1.0, &taken);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "1024 to 1028: 100 (0.195 %)");

  /* Nearer by, the bins part. */
  tare_axis_set_range (tare_chart_get_x_axis (chart), 0.0, 100.0);
  widget_test_settle (GTK_WIDGET (chart));
  g_assert_true (tare_plot_get_point (plot, 8, &x, &y));
  g_assert_true (tare_plot_get_point (plot, 9, &next, &y));
  g_assert_cmpfloat (x, ==, 8.5);
  g_assert_cmpfloat (next, ==, 9.5);
  g_assert_cmpfloat (y, ==, 0.0);

  chart_fixture_finish (chart, window);
}

static void
test_histogram_extremes (void)
{
  static const guint64 one[1] = { 7 };
  static const guint64 huge[2] = { G_MAXUINT64 / 2, 1 };
  g_autoptr(TarePlot) plot = tare_histogram_plot_new ();
  TareHistogramPlot *histogram = TARE_HISTOGRAM_PLOT (plot);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 400, 260);

  tare_histogram_plot_set_counts (histogram, one, 1, 3.0, 3.0);
  widget_test_settle (GTK_WIDGET (chart));
  g_assert_cmpuint (tare_plot_get_n_points (plot), ==, 1);
  tare_histogram_plot_set_counts (histogram, one, 1, NAN, 3.0);
  g_assert_cmpuint (tare_plot_get_n_points (plot), ==, 0);
  tare_histogram_plot_set_counts (histogram, one, 1, -INFINITY, INFINITY);
  g_assert_cmpuint (tare_plot_get_n_points (plot), ==, 0);
  tare_histogram_plot_set_counts (histogram, huge, 2, 0.0, 1e-30);
  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);
  tare_axis_set_scale (tare_chart_get_x_axis (chart), TARE_AXIS_SCALE_LOG);
  widget_test_settle (GTK_WIDGET (chart));
  tare_axis_set_scale (tare_chart_get_x_axis (chart), TARE_AXIS_SCALE_SYMLOG);
  widget_test_settle (GTK_WIDGET (chart));
  tare_histogram_plot_set_counts (histogram, NULL, 0, 0.0, 0.0);
  widget_test_settle (GTK_WIDGET (chart));

  chart_fixture_finish (chart, window);
}

static void
test_outline (void)
{
  static const guint64 counts[2] = { 100, 50 };
  g_autoptr(TarePlot) plot = tare_histogram_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) pixels = NULL;

  tare_plot_set_color_index (plot, 2);
  tare_histogram_plot_set_outline (TARE_HISTOGRAM_PLOT (plot), TRUE);
  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (plot), counts, 2, -1.0, 1.0);
  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (2), -0.5), <=, 2);
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (2), -0.5), >=, 1);

  chart_fixture_finish (chart, window);
}

static void
test_markers (void)
{
  static const double few[3] = { -0.5, 0.0, 0.5 };
  static const guint64 counts[1] = { 1 };
  double many[1000];
  g_autoptr(TarePlot) histogram = tare_histogram_plot_new ();
  g_autoptr(TarePlot) plot = tare_marker_plot_new ();
  TareChart *chart = chart_fixture_new (histogram);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;
  g_autoptr(WidgetPixels) rug = NULL;
  g_autoptr(WidgetPixels) close = NULL;
  GdkRectangle area;

  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (histogram), counts, 1, -1.0, 1.0);
  tare_marker_plot_set_markers (TARE_MARKER_PLOT (plot), few, 3, NULL);
  tare_chart_add_plot (chart, plot);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);

  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_true (tare_chart_get_plot_area (chart, &area));
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (1), few[i]), >=,
                      (guint) area.height - 1);
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (1), 0.25), ==, 0);

  /* Too many to be told apart: a rug at the foot. */
  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = -1.0 + i / 500.0;
  tare_marker_plot_set_markers (TARE_MARKER_PLOT (plot), many, G_N_ELEMENTS (many), NULL);
  rug = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmpuint (chart_fixture_height (chart, rug, chart_fixture_category (1), 0.25), <=, 8);
  g_assert_cmpuint (chart_fixture_height (chart, rug, chart_fixture_category (1), 0.25), >=, 7);

  /* So are a few that stand close, however wide the chart. */
  for (guint i = 0; i < 20; i++)
    many[i] = 0.25 + i / 500.0;
  tare_marker_plot_set_markers (TARE_MARKER_PLOT (plot), many, 20, NULL);
  close = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmpuint (chart_fixture_height (chart, close, chart_fixture_category (1), 0.25), <=, 8);

  chart_fixture_finish (chart, window);
}

static TarePlot *
make_bars (void)
{
  static const char *const names[] = { "a", "b", "c", "d", NULL };
  static const double values[4] = { 1.0, 10.0, 0.1, NAN };
  static const double errors[4] = { 0.5, 0.0, 0.0, 0.0 };
  TarePlot *plot = tare_bar_plot_new ();

  tare_bar_plot_set_bars (TARE_BAR_PLOT (plot), names, values, errors, 4);

  return plot;
}

static void
test_bars (void)
{
  g_autoptr(TarePlot) plot = make_bars ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (chart));
  g_autoptr(WidgetPixels) log = NULL;
  guint ten, one, tenth;
  guint highlighted[2] = { 1, 77 };
  GdkRectangle area;

  g_assert_true (tare_chart_get_plot_area (chart, &area));
  g_assert_cmpstr (tare_axis_get_categories (tare_chart_get_x_axis (chart))[2], ==, "c");
  ten = chart_fixture_height (chart, pixels, chart_fixture_category (0), 1.2);
  one = chart_fixture_height (chart, pixels, chart_fixture_category (0), 0.2);
  g_assert_cmpint (ABS ((int) ten - (int) (area.height / 1.05)), <=, 2);
  g_assert_cmpint (ABS ((int) one - (int) (area.height / 10.5)), <=, 2);
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (0), 3.2), ==, 0);

  /* On a logarithmic axis equal ratios are equal steps. */
  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);
  log = widget_test_render (GTK_WIDGET (chart));
  ten = chart_fixture_height (chart, log, chart_fixture_category (0), 1.2);
  one = chart_fixture_height (chart, log, chart_fixture_category (0), 0.2);
  tenth = chart_fixture_height (chart, log, chart_fixture_category (0), 2.2);
  g_assert_cmpint (ABS ((int) (ten - one) - (int) (one - tenth)), <=, 2);
  g_assert_cmpuint (tenth, >, 3);

  tare_bar_plot_set_highlighted (TARE_BAR_PLOT (plot), highlighted, 2);
  g_assert_true (tare_bar_plot_is_highlighted (TARE_BAR_PLOT (plot), 1));
  g_assert_false (tare_bar_plot_is_highlighted (TARE_BAR_PLOT (plot), 77));
  widget_pixels_free (g_steal_pointer (&log));
  log = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmpuint (chart_fixture_height (chart, log, chart_fixture_category (0), 1.2), ==, 0);

  chart_fixture_finish (chart, window);
}

/* More bars than pixels: the highest of each column is to be seen. */
/* Bars of two colours share their places; the readout tells of the one that is there. */
static void
test_interleaved_bars (void)
{
  static const char *const labels[] = { "a", "b", "c" };
  static const double first[] = { 1.0, NAN, NAN };
  static const double second[] = { NAN, 2.0, NAN };
  g_autoptr(TarePlot) plot = tare_bar_plot_new ();
  g_autoptr(TarePlot) other = tare_bar_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  GtkEventController *motion;

  tare_bar_plot_set_bars (TARE_BAR_PLOT (plot), labels, first, NULL, 3);
  tare_bar_plot_set_bars (TARE_BAR_PLOT (other), labels, second, NULL, 3);
  tare_chart_add_plot (chart, other);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  widget_test_settle (GTK_WIDGET (chart));
  motion = widget_test_controller (GTK_WIDGET (chart), GTK_TYPE_EVENT_CONTROLLER_MOTION);

  g_signal_emit_by_name (motion, "motion", (double) chart_fixture_get_x (chart, 0.0), 100.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "a: 1");
  g_signal_emit_by_name (motion, "motion", (double) chart_fixture_get_x (chart, 1.0), 100.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "b: 2");
  g_signal_emit_by_name (motion, "motion", (double) chart_fixture_get_x (chart, 2.0), 100.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "c: no value");
  widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Left, 0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "b: 2");
  widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Left, 0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "a: 1");

  chart_fixture_finish (chart, window);
}

static void
test_many_bars (void)
{
  g_auto(GStrv) names = g_new0 (char *, 5001);
  g_autofree double *values = g_new0 (double, 5000);
  g_autoptr(TarePlot) plot = tare_bar_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;
  GdkRectangle area;

  for (guint i = 0; i < 5000; i++)
    {
      names[i] = g_strdup_printf ("blk.%u", i);
      values[i] = i == 2345 ? 100.0 : 1.0;
    }
  tare_bar_plot_set_bars (TARE_BAR_PLOT (plot), (const char *const *) names, values, NULL, 5000);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_true (tare_chart_get_plot_area (chart, &area));
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (0), 2345.0), >,
                    (guint) area.height * 9 / 10);
  g_assert_cmpuint (chart_fixture_height (chart, pixels, chart_fixture_category (0), 1000.0), <, 6);

  chart_fixture_finish (chart, window);
}

static void
count_cb (GObject    *object,
          GParamSpec *pspec,
          guint      *n)
{
  (*n)++;
}

static void
test_readout (void)
{
  static const guint64 counts[4] = { 100, 50, 0, 50 };
  g_autoptr(TarePlot) plot = tare_histogram_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  GtkEventController *motion;
  GdkRectangle area;
  guint n = 0;

  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (plot), counts, 4, -1.0, 1.0);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_signal_connect (chart, "notify::readout", G_CALLBACK (count_cb), &n);
  motion = widget_test_controller (GTK_WIDGET (chart), GTK_TYPE_EVENT_CONTROLLER_MOTION);
  g_assert_true (tare_chart_get_plot_area (chart, &area));

  g_assert_null (tare_chart_get_readout (chart));
  g_signal_emit_by_name (motion, "motion", (double) chart_fixture_get_x (chart, -0.25),
                         area.y + 20.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "−0.5 to 0: 50 (25 %)");
  g_signal_emit_by_name (motion, "motion", (double) chart_fixture_get_x (chart, -0.20),
                         area.y + 25.0);
  g_assert_cmpuint (n, ==, 1);
  widget_test_settle (GTK_WIDGET (chart));

  /* The pointer stays; the numbers below it are others. */
  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (plot), counts, 2, -1.0, 1.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "0 to 1: 50 (33.3 %)");
  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (plot), NULL, 0, -1.0, 1.0);
  g_assert_null (tare_chart_get_readout (chart));
  g_signal_emit_by_name (motion, "leave");

  chart_fixture_finish (chart, window);
}

static void
press (TareChart *chart,
       guint      keyval)
{
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), keyval, 0));
}

static void
activated_cb (TareBarPlot     *plot,
              guint            bar,
              GdkModifierType  state,
              guint           *activated)
{
  *activated = bar;
}

static void
test_keys (void)
{
  g_autoptr(TarePlot) plot = make_bars ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  TareAxis *axis = tare_chart_get_x_axis (chart);
  guint activated = 99;
  double before, after;

  g_signal_connect (plot, "bar-activated", G_CALLBACK (activated_cb), &activated);
  g_assert_false (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Return, 0));
  press (chart, GDK_KEY_Right);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "a: 1 ± 0.5");
  press (chart, GDK_KEY_Right);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "b: 10");
  press (chart, GDK_KEY_End);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "d: no value");
  press (chart, GDK_KEY_Right);
  press (chart, GDK_KEY_Left);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "c: 0.1");
  press (chart, GDK_KEY_Return);
  g_assert_cmpuint (activated, ==, 2);

  press (chart, GDK_KEY_plus);
  press (chart, GDK_KEY_plus);
  press (chart, GDK_KEY_plus);
  g_assert_false (tare_axis_is_fitted (axis));
  press (chart, GDK_KEY_Home);
  g_assert_cmpfloat (tare_axis_normalize (axis, 0.0), >=, 0.0);
  tare_axis_get_range (axis, &before, NULL);
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Right, GDK_SHIFT_MASK));
  tare_axis_get_range (axis, &after, NULL);
  g_assert_cmpfloat (after, >, before);
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Left, GDK_SHIFT_MASK));
  tare_axis_get_range (axis, &after, NULL);
  g_assert_cmpfloat_with_epsilon (after, before, 1e-9);
  press (chart, GDK_KEY_0);
  g_assert_true (tare_axis_is_fitted (axis));
  press (chart, GDK_KEY_Escape);
  g_assert_null (tare_chart_get_readout (chart));
  g_assert_false (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Escape, 0));
  g_assert_false (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Left, GDK_ALT_MASK));

  chart_fixture_finish (chart, window);
}

/* The wheel zooms at the pointer, a drag pans, a click chooses, a double click fits; and a chart
 * that shares the axis goes along. */
static void
test_pointer (void)
{
  g_autoptr(TarePlot) plot = make_bars ();
  TareChart *chart = chart_fixture_new (plot);
  TareChart *linked = g_object_ref_sink (chart_fixture_new (NULL));
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  GtkWidget *widget = GTK_WIDGET (chart);
  TareAxis *axis = tare_chart_get_x_axis (chart);
  GtkEventController *motion, *scroll, *click;
  GdkRectangle area;
  double before, minimum, points[2][2];
  guint activated = 99;
  gboolean taken;

  tare_chart_set_automatic (linked, FALSE, TRUE);
  tare_chart_set_x_axis (linked, axis);
  g_assert_true (tare_chart_get_x_axis (linked) == axis);
  g_signal_connect (plot, "bar-activated", G_CALLBACK (activated_cb), &activated);
  motion = widget_test_controller (widget, GTK_TYPE_EVENT_CONTROLLER_MOTION);
  scroll = widget_test_controller (widget, GTK_TYPE_EVENT_CONTROLLER_SCROLL);
  click = widget_test_controller (widget, GTK_TYPE_GESTURE_CLICK);
  g_assert_true (tare_chart_get_plot_area (chart, &area));

  g_signal_emit_by_name (motion, "motion", area.x + area.width * 0.75, area.y + 50.0);
  before = tare_axis_denormalize (axis, 0.75);
  g_signal_emit_by_name (scroll, "scroll", 0.0, -1.0, &taken);
  g_signal_emit_by_name (scroll, "scroll", 0.0, -1.0, &taken);
  g_assert_true (taken);
  g_assert_cmpfloat_with_epsilon (tare_axis_denormalize (axis, 0.75), before, 0.02);
  g_assert_false (tare_axis_is_fitted (axis));

  tare_axis_get_range (axis, &minimum, NULL);
  points[0][0] = area.x + 100.0;
  points[0][1] = points[1][1] = area.y + 50.0;
  points[1][0] = area.x + 150.0;
  before = tare_axis_denormalize (axis, 100.0 / area.width);
  widget_test_drag (widget, (const double (*)[2]) points, 2);
  g_assert_cmpfloat_with_epsilon (tare_axis_denormalize (axis, 150.0 / area.width), before, 0.02);
  g_assert_cmpuint (activated, ==, 99);

  g_signal_emit_by_name (click, "pressed", 2, points[0][0], points[0][1]);
  g_assert_true (tare_axis_is_fitted (axis));
  g_signal_emit_by_name (scroll, "scroll", 0.0, 1.0, &taken);
  g_assert_false (taken);

  points[0][0] = chart_fixture_get_x (chart, 1.0);
  widget_test_drag (widget, (const double (*)[2]) points, 1);
  g_assert_cmpuint (activated, ==, 1);

  g_assert_finalize_object (linked);
  chart_fixture_finish (chart, window);
}

/* Where all is in sight a drag marks a part of x, to be seen while it lasts, and zooms to it. */
static void
test_band (void)
{
  g_autoptr(TarePlot) plot = make_bars ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWidget *widget = GTK_WIDGET (chart);
  GtkWindow *window = widget_test_show (widget, 500, 300);
  TareAxis *axis = tare_chart_get_x_axis (chart);
  GtkEventController *drag = widget_test_controller (widget, GTK_TYPE_GESTURE_DRAG);
  g_autoptr(WidgetPixels) before = widget_test_render (widget);
  g_autoptr(WidgetPixels) during = NULL;
  GdkRectangle area;
  double from, to, range[2];
  int middle;

  g_assert_true (tare_chart_get_plot_area (chart, &area));
  from = tare_axis_denormalize (axis, 0.75);
  to = tare_axis_denormalize (axis, 0.25);
  middle = area.x + area.width / 2;

  g_signal_emit_by_name (drag, "drag-begin", area.x + area.width * 0.75, area.y + 40.0);
  g_signal_emit_by_name (drag, "drag-update", -area.width * 0.5, 10.0);
  during = widget_test_render (widget);
  g_assert_cmpuint (widget_pixels_get (before, middle, area.y + 3), !=,
                    widget_pixels_get (during, middle, area.y + 3));
  g_assert_true (tare_axis_is_fitted (axis));

  /* Escape leaves everything as it was. */
  g_assert_true (widget_test_press_key (widget, GDK_KEY_Escape, 0));
  g_signal_emit_by_name (drag, "drag-end", -area.width * 0.5, 10.0);
  g_assert_true (tare_axis_is_fitted (axis));

  g_signal_emit_by_name (drag, "drag-begin", area.x + area.width * 0.75, area.y + 40.0);
  g_signal_emit_by_name (drag, "drag-update", -area.width * 0.5, 10.0);
  g_signal_emit_by_name (drag, "drag-end", -area.width * 0.5, 10.0);
  tare_axis_get_range (axis, &range[0], &range[1]);
  g_assert_cmpfloat_with_epsilon (range[0], to, 0.02);
  g_assert_cmpfloat_with_epsilon (range[1], from, 0.02);

  chart_fixture_finish (chart, window);
}

static void
test_real_pointer (void)
{
  g_autoptr(TarePlot) plot = make_bars ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWidget *widget = GTK_WIDGET (chart);
  GtkWindow *window = widget_test_show (widget, 500, 300);
  guint activated = 99;
  GdkRectangle area;

  if (!widget_test_has_input (widget))
    {
      g_test_skip ("no way to press real buttons");
      chart_fixture_finish (chart, window);
      return;
    }

  g_signal_connect (plot, "bar-activated", G_CALLBACK (activated_cb), &activated);
  g_assert_true (tare_chart_get_plot_area (chart, &area));
  widget_test_point (widget, chart_fixture_get_x (chart, 2.0), area.y + 30.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "c: 0.1");
  widget_test_button (widget, 1, TRUE);
  widget_test_button (widget, 1, FALSE);
  g_assert_cmpuint (activated, ==, 2);

  /* Button 4 is the wheel upwards. */
  widget_test_button (widget, 4, TRUE);
  widget_test_button (widget, 4, FALSE);
  g_assert_false (tare_axis_is_fitted (tare_chart_get_x_axis (chart)));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "c: 0.1");

  chart_fixture_finish (chart, window);
}

static char *
save (TareChart  *chart,
      const char *name,
      gsize      *length)
{
  g_autofree char *path = tare_test_temporary (name);
  g_autoptr(GError) error = NULL;
  char *contents = NULL;

  g_assert_true (tare_chart_save (chart, path, 400, 240, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &contents, length, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_unlink (path), ==, 0);

  return contents;
}

static void
test_save (void)
{
  g_autoptr(TarePlot) plot = make_bars ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autofree char *svg = NULL;
  g_autofree char *png = NULL;
  g_autofree char *pdf = NULL;
  g_autoptr(GError) error = NULL;
  gsize length;
  GdkRectangle before, after;

  g_assert_true (tare_chart_get_plot_area (chart, &before));
  svg = save (chart, "chart.svg", &length);
  g_assert_nonnull (strstr (svg, "<svg"));
  g_assert_nonnull (strstr (svg, "400"));
  g_assert_null (strstr (svg, "<image"));
  png = save (chart, "chart.png", &length);
  g_assert_cmpmem (png, 8, "\x89PNG\r\n\x1a\n", 8);

  /* Width and height, big-endian, at byte 16: twice the size on the screen. */
  g_assert_cmpint (((guchar) png[18] << 8) + (guchar) png[19], ==, 800);
  g_assert_cmpint (((guchar) png[22] << 8) + (guchar) png[23], ==, 480);
  pdf = save (chart, "chart.pdf", &length);
  g_assert_cmpmem (pdf, 5, "%PDF-", 5);

  g_assert_false (tare_chart_save (chart, "/nowhere/at/all.png", 0, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_false (tare_chart_save (chart, "chart.bmp", 0, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);

  /* What is on the screen stays as it was. */
  g_assert_true (tare_chart_get_plot_area (chart, &after));
  g_assert_cmpmem (&before, sizeof before, &after, sizeof after);

  chart_fixture_finish (chart, window);
}

static void
clipboard_cb (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr(GError) error = NULL;

  *(char **) data = gdk_clipboard_read_text_finish (GDK_CLIPBOARD (source), result, &error);
  g_assert_no_error (error);
}

static void
test_csv (void)
{
  static const char *const names[] = { "a,b", "say \"c\"", NULL };
  static const double values[2] = { 0.1, NAN };
  static const double markers[1] = { 1.0 / 3.0 };
  g_autoptr(TarePlot) plot = tare_bar_plot_new ();
  g_autoptr(TarePlot) marker = tare_marker_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autofree char *csv = NULL;
  g_autofree char *copied = NULL;

  tare_bar_plot_set_bars (TARE_BAR_PLOT (plot), names, values, NULL, 2);
  tare_marker_plot_set_markers (TARE_MARKER_PLOT (marker), markers, 1, NULL);
  tare_chart_add_plot (chart, marker);
  csv = tare_chart_dup_csv (chart);
  g_assert_cmpstr (csv, ==, "name,value\n\"a,b\",0.10000000000000001\n\"say \"\"c\"\"\",\n"
                            "\nmarker,value\n,0.33333333333333331\n");

  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_c, GDK_CONTROL_MASK));
  gdk_clipboard_read_text_async (gtk_widget_get_clipboard (GTK_WIDGET (chart)), NULL,
                                 clipboard_cb, &copied);
  for (guint i = 0; i < 2000 && copied == NULL; i++)
    {
      if (!g_main_context_iteration (NULL, FALSE))
        g_usleep (1000);
    }
  g_assert_cmpstr (copied, ==, csv);

  tare_chart_remove_plot (chart, marker);
  g_assert_finalize_object (g_steal_pointer (&marker));
  chart_fixture_finish (chart, window);
}

static void
test_accessible (void)
{
  static const guint64 counts[4] = { 100, 50, 0, 50 };
  g_autoptr(TarePlot) plot = tare_histogram_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);

  gtk_test_accessible_assert_role (chart, GTK_ACCESSIBLE_ROLE_IMG);
  gtk_test_accessible_assert_property (chart, GTK_ACCESSIBLE_PROPERTY_LABEL, "Weights");
  tare_chart_set_empty_text (chart, "Open a model.");
  gtk_test_accessible_assert_property (chart, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "Open a model.");
  widget_test_settle (GTK_WIDGET (chart));
  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (plot), counts, 4, -1.0, 1.0);
  gtk_test_accessible_assert_property (chart, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "Histogram of 200 values from −1 to 1, "
                                       "most of them near −0.75.");
  tare_chart_set_description (chart, "A hill.");
  gtk_test_accessible_assert_property (chart, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, "A hill.");

  chart_fixture_finish (chart, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/chart/histogram", test_histogram);
  g_test_add_func ("/chart/outliers", test_outliers);
  g_test_add_func ("/chart/histogram-merged", test_histogram_merged);
  g_test_add_func ("/chart/histogram-extremes", test_histogram_extremes);
  g_test_add_func ("/chart/outline", test_outline);
  g_test_add_func ("/chart/markers", test_markers);
  g_test_add_func ("/chart/bars", test_bars);
  g_test_add_func ("/chart/interleaved-bars", test_interleaved_bars);
  g_test_add_func ("/chart/many-bars", test_many_bars);
  g_test_add_func ("/chart/readout", test_readout);
  g_test_add_func ("/chart/keys", test_keys);
  g_test_add_func ("/chart/pointer", test_pointer);
  g_test_add_func ("/chart/band", test_band);
  g_test_add_func ("/chart/real-pointer", test_real_pointer);
  g_test_add_func ("/chart/save", test_save);
  g_test_add_func ("/chart/csv", test_csv);
  g_test_add_func ("/chart/accessible", test_accessible);

  return g_test_run ();
}
