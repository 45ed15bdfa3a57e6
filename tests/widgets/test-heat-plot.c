/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/tare-test.h"
#include "tests/widgets/chart-fixture.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "widgets/tare-heat-plot.h"

static guint32
color_of (TarePlot *plot,
          double    value)
{
  GdkRGBA color;

  tare_color_scale_get_color (tare_plot_get_color_scale (plot), value, FALSE, &color);

  return widget_test_color (&color);
}

static TarePlot *
make_matrix (guint        rows,
             guint        columns,
             const float *values)
{
  TarePlot *plot = tare_heat_plot_new ();

  tare_heat_plot_set_values (TARE_HEAT_PLOT (plot), values, rows, columns);

  return plot;
}

static guint32
pixel_of (TareChart    *chart,
          WidgetPixels *pixels,
          double        column,
          double        row)
{
  return widget_pixels_get (pixels, chart_fixture_get_x (chart, column),
                            chart_fixture_get_y (chart, row));
}

/* Every cell has the colour of its value, the first row at the top. */
static void
test_cells (void)
{
  static const float values[6] = { 0.0f, 1.0f, -2.0f, 3.0f, 4.0f, NAN };
  g_autoptr(TarePlot) plot = make_matrix (2, 3, values);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (chart));
  g_autoptr(WidgetPixels) with_sign = NULL;

  g_assert_cmpint (chart_fixture_get_y (chart, 0.0), <, chart_fixture_get_y (chart, 1.0));
  for (guint row = 0; row < 2; row++)
    for (guint column = 0; column < 3; column++)
      g_assert_cmphex (pixel_of (chart, pixels, column + 0.4, row + 0.4), ==,
                       color_of (plot, fabs ((double) values[row * 3 + column])));

  tare_heat_plot_set_signed (TARE_HEAT_PLOT (plot), TRUE);
  with_sign = widget_test_render (GTK_WIDGET (chart));
  for (guint row = 0; row < 2; row++)
    for (guint column = 0; column < 3; column++)
      g_assert_cmphex (pixel_of (chart, with_sign, column + 0.4, row + 0.4), ==,
                       color_of (plot, (double) values[row * 3 + column]));
  g_assert_cmphex (color_of (plot, -2.0), !=, color_of (plot, 2.0));

  chart_fixture_finish (chart, window);
}

/* One weight among millions keeps its colour wherever it lies. */
static void
test_outlier (void)
{
  static const guint places[][2] = { { 0, 0 }, { 1499, 1999 }, { 777, 1234 }, { 1, 1998 } };
  g_autofree float *values = g_new0 (float, 1500 * 2000);
  g_autoptr(TarePlot) plot = NULL;
  TareChart *chart;
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;
  GdkRectangle area;

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    values[places[i][0] * 2000 + places[i][1]] = -5.0f;
  plot = make_matrix (1500, 2000, values);
  chart = chart_fixture_new (plot);
  window = widget_test_show (GTK_WIDGET (chart), 300, 220);
  pixels = widget_test_render (GTK_WIDGET (chart));

  g_assert_true (tare_chart_get_plot_area (chart, &area));
  g_assert_cmpuint (widget_pixels_count (pixels, color_of (plot, 5.0), area.x, area.y, area.width,
                                         area.height), ==, 4);
  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    {
      int x = chart_fixture_get_x (chart, places[i][1]);
      int y = chart_fixture_get_y (chart, places[i][0]);

      g_assert_cmpuint (widget_pixels_count (pixels, color_of (plot, 5.0), x - 1, y - 1, 3, 3),
                        ==, 1);
    }

  chart_fixture_finish (chart, window);
}

static void
test_readout (void)
{
  g_autofree float *values = g_new0 (float, 1500 * 2000);
  g_autoptr(TarePlot) plot = NULL;
  TareChart *chart;
  GtkWindow *window;
  double range[2];

  values[777 * 2000 + 1234] = -5.0f;
  values[100 * 2000 + 200] = NAN;
  plot = make_matrix (1500, 2000, values);
  tare_heat_plot_set_maximum (TARE_HEAT_PLOT (plot), 5.0);
  chart = chart_fixture_new (plot);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  chart_fixture_point (chart, 202.0, 100.0);
  g_assert_true (g_str_has_suffix (tare_chart_get_readout (chart), ": not a number at 100, 200"));
  chart_fixture_point (chart, 1234.0, 777.0);
  g_assert_true (g_str_has_suffix (tare_chart_get_readout (chart), ": |w| up to 5 at 777, 1234"));
  g_assert_true (g_str_has_prefix (tare_chart_get_readout (chart), "row 77"));

  /* The wheel goes down to single weights, along both sides, and stops there. */
  for (guint i = 0; i < 60; i++)
    chart_fixture_scroll (chart, -1.0);
  tare_axis_get_range (tare_chart_get_x_axis (chart), &range[0], &range[1]);
  g_assert_cmpfloat_with_epsilon (range[1] - range[0], 4.0, 1e-6);
  tare_axis_get_range (tare_chart_get_y_axis (chart), &range[0], &range[1]);
  g_assert_cmpfloat_with_epsilon (range[1] - range[0], 4.0, 1e-6);
  tare_axis_set_range (tare_chart_get_x_axis (chart), 1231.5, 1236.5);
  tare_axis_set_range (tare_chart_get_y_axis (chart), 774.5, 779.5);
  widget_test_settle (GTK_WIDGET (chart));
  chart_fixture_point (chart, 1234.0, 777.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "row 777, column 1234: |w| = 5");

  /* Arrows go from weight to weight, and take what is shown along. */
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Right, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "row 777, column 1235: |w| = 0");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Up, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "row 776, column 1235: |w| = 0");
  for (guint i = 0; i < 10; i++)
    widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Down, 0);
  widget_test_settle (GTK_WIDGET (chart));
  tare_axis_get_range (tare_chart_get_y_axis (chart), &range[0], &range[1]);
  g_assert_cmpfloat (range[0], <=, 786.0);
  g_assert_cmpfloat (range[1], >=, 786.0);

  chart_fixture_finish (chart, window);
}

/* A band marks a part of both sides. */
static void
test_band (void)
{
  g_autofree float *values = g_new0 (float, 100 * 100);
  g_autoptr(TarePlot) plot = make_matrix (100, 100, values);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  double points[2][2], range[4];

  widget_test_settle (GTK_WIDGET (chart));
  points[0][0] = chart_fixture_get_x (chart, 20.0);
  points[0][1] = chart_fixture_get_y (chart, 70.0);
  points[1][0] = chart_fixture_get_x (chart, 60.0);
  points[1][1] = chart_fixture_get_y (chart, 50.0);
  widget_test_drag (GTK_WIDGET (chart), (const double (*)[2]) points, 2);
  tare_axis_get_range (tare_chart_get_x_axis (chart), &range[0], &range[1]);
  tare_axis_get_range (tare_chart_get_y_axis (chart), &range[2], &range[3]);
  g_assert_cmpfloat_with_epsilon (range[0], 20.0, 1.0);
  g_assert_cmpfloat_with_epsilon (range[1], 60.0, 1.0);
  g_assert_cmpfloat_with_epsilon (range[2], 50.0, 1.0);
  g_assert_cmpfloat_with_epsilon (range[3], 70.0, 1.0);

  chart_fixture_finish (chart, window);
}

/* A source that answers at once only with one value for all, and exactly in a thread. */
typedef struct
{
  gint exact;
  gint freed;
} Slow;

static TareHeatState
sample_slowly (gpointer            data,
               const TareHeatArea *area,
               GCancellable       *cancellable,
               float              *values)
{
  Slow *slow = data;

  for (guint i = 0; i < area->width * area->height; i++)
    values[i] = cancellable == NULL ? 4.0f : (float) (i % 4);
  if (cancellable == NULL)
    return area->width * area->height == 1 ? TARE_HEAT_STATE_EXACT : TARE_HEAT_STATE_COARSE;

  g_atomic_int_inc (&slow->exact);

  return TARE_HEAT_STATE_EXACT;
}

static void
free_slow (gpointer data)
{
  g_atomic_int_inc (&((Slow *) data)->freed);
}

static void
test_refined (void)
{
  Slow slow = { 0 };
  g_autoptr(TarePlot) plot = tare_heat_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autoptr(WidgetPixels) coarse = NULL;
  g_autoptr(WidgetPixels) exact = NULL;

  tare_heat_plot_set_source (TARE_HEAT_PLOT (plot), 2, 2, sample_slowly, &slow, free_slow);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  for (guint i = 0; i < 2000 && !tare_heat_plot_is_exact (TARE_HEAT_PLOT (plot)); i++)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  g_assert_true (tare_heat_plot_is_exact (TARE_HEAT_PLOT (plot)));
  g_assert_cmpint (slow.exact, ==, 1);
  exact = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmphex (pixel_of (chart, exact, 1.4, 0.4), ==, color_of (plot, 1.0));
  g_assert_cmphex (pixel_of (chart, exact, 1.4, 1.4), ==, color_of (plot, 3.0));
  g_assert_cmpint (slow.exact, ==, 1);

  tare_heat_plot_set_source (TARE_HEAT_PLOT (plot), 0, 0, NULL, NULL, NULL);
  for (guint i = 0; i < 2000 && g_atomic_int_get (&slow.freed) == 0; i++)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  g_assert_cmpint (slow.freed, ==, 1);
  g_assert_cmpuint (tare_plot_get_n_points (plot), ==, 0);

  chart_fixture_finish (chart, window);
}

/* Off a linear scale, small magnitudes have colours of their own. */
static void
test_scales (void)
{
  static const float values[4] = { 0.0f, 0.001f, 0.1f, 1.0f };
  g_autoptr(TarePlot) plot = make_matrix (1, 4, values);
  TareAxis *axis = tare_color_scale_get_axis (tare_plot_get_color_scale (plot));
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) linear = widget_test_render (GTK_WIDGET (chart));
  double range[2];

  g_assert_cmphex (pixel_of (chart, linear, 0.4, 0.4), ==, pixel_of (chart, linear, 1.4, 0.4));
  for (TareAxisScale scale = TARE_AXIS_SCALE_LOG; scale <= TARE_AXIS_SCALE_SYMLOG; scale++)
    {
      g_autoptr(WidgetPixels) pixels = NULL;

      tare_axis_set_scale (axis, scale);
      pixels = widget_test_render (GTK_WIDGET (chart));
      tare_axis_get_range (axis, &range[0], &range[1]);
      g_assert_cmpfloat (range[1], ==, 1.0);
      g_assert_cmphex (pixel_of (chart, pixels, 0.4, 0.4), !=, pixel_of (chart, pixels, 1.4, 0.4));
      g_assert_cmphex (pixel_of (chart, pixels, 1.4, 0.4), !=, pixel_of (chart, pixels, 2.4, 0.4));
      g_assert_cmphex (pixel_of (chart, pixels, 3.4, 0.4), ==, color_of (plot, 1.0));
    }

  chart_fixture_finish (chart, window);
}

/* Rows and columns that are set apart have a mark at the edge. */
static void
test_marked (void)
{
  static const guint64 marked[1] = { 7 };
  g_autofree float *values = g_new0 (float, 20 * 30);
  g_autoptr(TarePlot) plot = make_matrix (20, 30, values);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) before = widget_test_render (GTK_WIDGET (chart));
  g_autoptr(WidgetPixels) after = NULL;
  GdkRectangle area;

  tare_heat_plot_set_marked (TARE_HEAT_PLOT (plot), GTK_ORIENTATION_HORIZONTAL, marked, 1);
  tare_heat_plot_set_marked (TARE_HEAT_PLOT (plot), GTK_ORIENTATION_VERTICAL, marked, 1);
  after = widget_test_render (GTK_WIDGET (chart));
  g_assert_true (tare_chart_get_plot_area (chart, &area));
  for (int y = area.y + 20; y < area.y + area.height; y++)
    {
      int away = ABS (y - chart_fixture_get_y (chart, 7.0));

      if (away <= 4)
        g_assert_cmphex (widget_pixels_get (after, area.x, y), !=,
                         widget_pixels_get (before, area.x, y));
      else if (away >= 8)
        g_assert_cmphex (widget_pixels_get (after, area.x, y), ==,
                         widget_pixels_get (before, area.x, y));
    }
  g_assert_cmphex (widget_pixels_get (after, chart_fixture_get_x (chart, 7.0), area.y), !=,
                   widget_pixels_get (before, chart_fixture_get_x (chart, 7.0), area.y));

  chart_fixture_finish (chart, window);
}

/* What is saved is exact at once, and finer than on the screen. */
static void
test_saved (void)
{
  Slow slow = { 0 };
  g_autoptr(TarePlot) plot = tare_heat_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  g_autofree char *path = tare_test_temporary ("heat.png");
  g_autoptr(GError) error = NULL;

  g_object_ref_sink (chart);
  tare_heat_plot_set_source (TARE_HEAT_PLOT (plot), 2, 2, sample_slowly, &slow, NULL);
  g_assert_true (tare_chart_save (chart, path, 400, 300, &error));
  g_assert_no_error (error);
  g_assert_cmpint (slow.exact, ==, 1);
  g_assert_true (tare_heat_plot_is_exact (TARE_HEAT_PLOT (plot)));
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_object_unref (chart);
}

static void
test_csv (void)
{
  static const float values[4] = { 0.5f, -1.0f, 0.25f, 2.0f };
  g_autoptr(TarePlot) plot = make_matrix (2, 2, values);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autofree char *csv = NULL;
  g_autofree char *text = tare_chart_dup_description (chart);

  widget_test_settle (GTK_WIDGET (chart));
  csv = tare_chart_dup_csv (chart);
  g_assert_cmpstr (csv, ==, "row,column,rows,columns,value\n"
                            "0,0,1,1,0.5\n0,1,1,1,1\n1,0,1,1,0.25\n1,1,1,1,2\n");
  g_assert_cmpstr (text, ==, "A heat map of 2 rows and 2 columns, |w| up to 2.");

  chart_fixture_finish (chart, window);
}

/* A matrix of more weights than points can number still has one for every place. */
static void
test_huge (void)
{
  Slow slow = { 0 };
  g_autoptr(TarePlot) plot = tare_heat_plot_new ();
  guint64 row, column;
  guint n;

  tare_heat_plot_set_source (TARE_HEAT_PLOT (plot), 300000, 16384, sample_slowly, &slow, NULL);
  n = tare_plot_get_n_points (plot);
  g_assert_cmpuint (n, ==, 150000u * 16384u);
  tare_heat_plot_get_cell (TARE_HEAT_PLOT (plot), n - 1, &row, &column);
  g_assert_cmpuint (row, ==, 299998);
  g_assert_cmpuint (column, ==, 16383);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/heat-plot/cells", test_cells);
  g_test_add_func ("/heat-plot/outlier", test_outlier);
  g_test_add_func ("/heat-plot/readout", test_readout);
  g_test_add_func ("/heat-plot/band", test_band);
  g_test_add_func ("/heat-plot/refined", test_refined);
  g_test_add_func ("/heat-plot/scales", test_scales);
  g_test_add_func ("/heat-plot/marked", test_marked);
  g_test_add_func ("/heat-plot/saved", test_saved);
  g_test_add_func ("/heat-plot/csv", test_csv);
  g_test_add_func ("/heat-plot/huge", test_huge);

  return g_test_run ();
}
