/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/chart-fixture.h"

#include <math.h>
#include <string.h>

#include "widgets/tare-range-plot.h"
#include "widgets/tare-ridge-plot.h"

#define BINS 20

static void
activated_cb (TarePlot        *plot,
              guint            id,
              GdkModifierType  state,
              guint           *last)
{
  *last = id;
}

/* Ridges from -1 to 1 with a peak in one bin, and an outlier of one count in one channel. */
static TarePlot *
make_ridges (guint n,
             guint outlier)
{
  g_autofree float *heights = g_new0 (float, n * BINS);
  TarePlot *plot = tare_ridge_plot_new ();

  for (guint i = 0; i < n; i++)
    {
      heights[i * BINS + 9] = 500.0f;
      heights[i * BINS + 10] = 1000.0f;
    }
  heights[outlier * BINS + 19] = 1.0f;
  tare_ridge_plot_set_ridges (TARE_RIDGE_PLOT (plot), heights, n, BINS, -1.0, 1.0);

  return plot;
}

/* Pixels in a row about a place that are more than the background. */
static guint
count_ink (WidgetPixels *pixels,
           int           x,
           int           y,
           int           reach)
{
  guint n = 0;

  for (int row = MAX (0, y - reach); row <= MIN (pixels->height - 1, y + reach); row++)
    n += (int) (widget_pixels_get (pixels, x, row) & 0xff)
         - (int) (widget_pixels_get (pixels, x, row) >> 16 & 0xff) > 60;

  return n;
}

static void
test_ridges (void)
{
  g_autoptr(TarePlot) plot = make_ridges (10, 3);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 400);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (chart));
  static const guint ids[10] = { 0, 11, 22, 33, 44, 55, 66, 77, 88, 99 };
  guint last = 0;

  /* The first channel is at the top; only the outlier's line goes to the right. */
  g_assert_cmpint (chart_fixture_get_y (chart, 0.0), <, chart_fixture_get_y (chart, 9.0));
  for (guint i = 0; i < 10; i++)
    {
      int y = chart_fixture_get_y (chart, i);

      g_assert_cmpuint (count_ink (pixels, chart_fixture_get_x (chart, 0.09), y, 2), >, 0);
      if (i == 3)
        g_assert_cmpuint (count_ink (pixels, chart_fixture_get_x (chart, 0.8), y, 2), >, 0);
      else
        g_assert_cmpuint (count_ink (pixels, chart_fixture_get_x (chart, 0.8), y, 2), ==, 0);
    }

  tare_plot_set_ids (plot, ids, 10);
  tare_ridge_plot_set_name (TARE_RIDGE_PLOT (plot), "input");
  g_signal_connect (plot, "point-activated", G_CALLBACK (activated_cb), &last);
  chart_fixture_point (chart, 0.3, 3.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==,
                   "input 33: from −0.1 to 1, most near 0.05");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Down, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==,
                   "input 44: from −0.1 to 0.1, most near 0.05");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Return, 0));
  g_assert_cmpuint (last, ==, 44);

  chart_fixture_finish (chart, window);
}

/* Among thousands pooled, the one outlier's ridge still reaches out. */
static void
test_many_ridges (void)
{
  g_autoptr(TarePlot) plot = make_ridges (4096, 2048);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 400);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (chart));
  GdkRectangle area;
  guint lines = 0;

  g_assert_true (tare_chart_get_plot_area (chart, &area));
  for (int y = area.y; y < area.y + area.height; y++)
    lines += count_ink (pixels, chart_fixture_get_x (chart, 0.8), y, 0);
  g_assert_cmpuint (lines, >=, 1);
  g_assert_cmpuint (lines, <=, 3);
  g_assert_cmpuint (count_ink (pixels, chart_fixture_get_x (chart, 0.8),
                               chart_fixture_get_y (chart, 2048.0), 8), >=, 1);

  chart_fixture_finish (chart, window);
}

static TarePlot *
make_ranges (guint n,
             guint widest)
{
  g_autofree TareRangeBand *ranges = g_new (TareRangeBand, n);
  TarePlot *plot = tare_range_plot_new ();

  for (guint i = 0; i < n; i++)
    {
      float w = 1.0f + (float) i / (float) n;

      ranges[i] = (TareRangeBand) { -w, -0.5f * w, -0.2f * w, 0.0f, 0.2f * w, 0.5f * w, w };
    }
  ranges[widest].maximum = 10.0f;
  tare_range_plot_set_ranges (TARE_RANGE_PLOT (plot), ranges, n);

  return plot;
}

static void
test_ranges (void)
{
  static const guint selected[1] = { 2 };
  g_autoptr(TarePlot) plot = make_ranges (8, 2);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 400);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (chart));
  guint32 inner, outer;

  /* Bands lie one in another, the inmost strongest. */
  inner = widget_pixels_get (pixels, chart_fixture_get_x (chart, 2.0),
                             chart_fixture_get_y (chart, 0.15));
  outer = widget_pixels_get (pixels, chart_fixture_get_x (chart, 2.0),
                             chart_fixture_get_y (chart, 9.0));
  g_assert_cmpuint (inner >> 24, >, outer >> 24);
  g_assert_cmpuint (outer >> 24, >, 0x20);
  g_assert_cmpuint (widget_pixels_get (pixels, chart_fixture_get_x (chart, 3.0),
                                       chart_fixture_get_y (chart, 9.0)) >> 24, <, 0x20);

  chart_fixture_point (chart, 2.0, 5.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==,
                   "channel 2: from −1.25 to 10, median 0, 98 % from −0.625 to 0.625");

  /* By magnitude it comes first, the widest of the others next; the selection goes with it. */
  tare_plot_set_selected (plot, selected, 1);
  g_assert_true (tare_plot_is_selected (plot, 2));
  tare_range_plot_set_sorted (TARE_RANGE_PLOT (plot), TRUE);
  g_assert_cmpuint (tare_plot_get_id (plot, 0), ==, 2);
  g_assert_cmpuint (tare_plot_get_id (plot, 1), ==, 7);
  g_assert_cmpuint (tare_plot_get_id (plot, 7), ==, 0);
  g_assert_true (tare_plot_is_selected (plot, 0));
  g_assert_false (tare_plot_is_selected (plot, 2));
  tare_range_plot_set_sorted (TARE_RANGE_PLOT (plot), FALSE);
  g_assert_cmpuint (tare_plot_get_id (plot, 2), ==, 2);

  chart_fixture_finish (chart, window);
}

/* Of very many channels in a column of pixels the extremes show, and are found. */
static void
test_many_ranges (void)
{
  g_autoptr(TarePlot) plot = make_ranges (20000, 12345);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 400);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (chart));
  g_autofree char *csv = NULL;
  GdkRectangle area;
  guint columns = 0;

  g_assert_true (tare_chart_get_plot_area (chart, &area));
  for (int x = area.x; x < area.x + area.width; x++)
    columns += count_ink (pixels, x, chart_fixture_get_y (chart, 8.1), 0) > 0
               || widget_pixels_get (pixels, x, chart_fixture_get_y (chart, 8.1)) >> 24 > 0x40;
  g_assert_cmpuint (columns, >=, 1);
  g_assert_cmpuint (columns, <=, 2);
  chart_fixture_point (chart, 12345.0, 5.0);
  g_assert_true (g_str_has_prefix (tare_chart_get_readout (chart), "channel 12345: "));

  csv = tare_chart_dup_csv (chart);
  g_assert_true (g_str_has_prefix (csv, "channel,minimum,1 %,25 %,median,75 %,99 %,maximum\n"));

  chart_fixture_finish (chart, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/channel-plots/ridges", test_ridges);
  g_test_add_func ("/channel-plots/many-ridges", test_many_ridges);
  g_test_add_func ("/channel-plots/ranges", test_ranges);
  g_test_add_func ("/channel-plots/many-ranges", test_many_ranges);

  return g_test_run ();
}
