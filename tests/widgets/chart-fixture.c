/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/chart-fixture.h"

#include "widgets/tare-colormap.h"

TareChart *
chart_fixture_new (TarePlot *plot)
{
  TareChart *chart = TARE_CHART (tare_chart_new ());

  tare_chart_set_title (chart, "Weights");
  tare_axis_set_title (tare_chart_get_x_axis (chart), "weight");
  tare_axis_set_title (tare_chart_get_y_axis (chart), "count");
  if (plot != NULL)
    tare_chart_add_plot (chart, plot);

  return chart;
}

/* Closes the window and sees the chart go with it. */
void
chart_fixture_finish (TareChart *chart,
                      GtkWindow *window)
{
  g_object_ref (chart);
  gtk_window_destroy (window);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_finalize_object (chart);
}

guint32
chart_fixture_category (guint index)
{
  GdkRGBA color;

  tare_colormap_get_category (index, FALSE, &color);

  return widget_test_color (&color);
}

/* The pixel of the chart at a value of x. */
int
chart_fixture_get_x (TareChart *chart,
                     double     value)
{
  GdkRectangle area;

  g_assert_true (tare_chart_get_plot_area (chart, &area));

  return area.x + (int) (tare_axis_normalize (tare_chart_get_x_axis (chart), value) * area.width);
}

int
chart_fixture_get_y (TareChart *chart,
                     double     value)
{
  GdkRectangle area;

  g_assert_true (tare_chart_get_plot_area (chart, &area));

  return area.y + (int) ((1.0 - tare_axis_normalize (tare_chart_get_y_axis (chart), value))
                         * area.height);
}

/* Moves the pointer to a place in the units of the data. */
void
chart_fixture_point (TareChart *chart,
                     double     x,
                     double     y)
{
  g_signal_emit_by_name (widget_test_controller (GTK_WIDGET (chart),
                                                 GTK_TYPE_EVENT_CONTROLLER_MOTION),
                         "motion", (double) chart_fixture_get_x (chart, x),
                         (double) chart_fixture_get_y (chart, y));
}

/* Turns the wheel by a notch, upwards where @dy is negative. */
void
chart_fixture_scroll (TareChart *chart,
                      double     dy)
{
  gboolean taken;

  g_signal_emit_by_name (widget_test_controller (GTK_WIDGET (chart),
                                                 GTK_TYPE_EVENT_CONTROLLER_SCROLL),
                         "scroll", 0.0, dy, &taken);
}

/* How high the colour stands in a column of pixels of the plot area. */
guint
chart_fixture_height (TareChart    *chart,
                      WidgetPixels *pixels,
                      guint32       color,
                      double        value)
{
  GdkRectangle area;

  g_assert_true (tare_chart_get_plot_area (chart, &area));

  return widget_pixels_count (pixels, color, chart_fixture_get_x (chart, value), area.y, 1,
                              area.height);
}
