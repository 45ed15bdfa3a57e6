/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/chart-fixture.h"

#include <adwaita.h>
#include <math.h>
#include <string.h>

#include "widgets/tare-bar-plot.h"
#include "widgets/tare-contour-plot.h"
#include "widgets/tare-heat-plot.h"
#include "widgets/tare-line-plot.h"
#include "widgets/tare-range-plot.h"
#include "widgets/tare-ridge-plot.h"
#include "widgets/tare-scatter-plot.h"

/*
 * Draws every plot into PNG files in the build folder (TARE_BUILD_ROOT), light and dark, for a
 * person to look at, and holds that something is on them. With ADW_DEBUG_HIGH_CONTRAST=1 it draws
 * them in high contrast.
 */

#define WIDTH 640
#define HEIGHT 400

/* Numbers that look like chance, the same every time: the sum of four is nearly Gaussian. */
static double
draw_normal (guint32 *state)
{
  double sum = 0.0;

  for (int k = 0; k < 4; k++)
    {
      *state = *state * 1664525u + 1013904223u;
      sum += (double) (*state >> 8) / 16777216.0 - 0.5;
    }

  return sum * sqrt (3.0);
}

static TareChart *
make (TarePlot   *plot,
      const char *title,
      const char *x,
      const char *y)
{
  TareChart *chart = TARE_CHART (tare_chart_new ());

  tare_chart_set_title (chart, title);
  tare_axis_set_title (tare_chart_get_x_axis (chart), x);
  tare_axis_set_title (tare_chart_get_y_axis (chart), y);
  tare_chart_add_plot (chart, plot);

  return chart;
}

/* A matrix with a few heavy columns and one outlier. */
static TarePlot *
make_heat (guint rows,
           guint columns)
{
  g_autofree float *values = g_new (float, (gsize) rows * columns);
  TarePlot *plot = tare_heat_plot_new ();
  guint32 state = 7;

  for (guint i = 0; i < rows; i++)
    for (guint j = 0; j < columns; j++)
      values[(gsize) i * columns + j] = (float) (draw_normal (&state)
                                                 * (j % 97 == 13 ? 0.1 : 0.02));
  values[(gsize) (rows / 3) * columns + columns / 2] = -0.9f;
  tare_heat_plot_set_values (TARE_HEAT_PLOT (plot), values, rows, columns);

  return plot;
}

static TareChart *
make_magnitudes (void)
{
  g_autoptr(TarePlot) plot = make_heat (768, 2048);
  TareChart *chart = make (plot, "blk.3.ffn_down", "input", "output");

  tare_axis_set_scale (tare_color_scale_get_axis (tare_plot_get_color_scale (plot)),
                       TARE_AXIS_SCALE_LOG);

  return chart;
}

static TareChart *
make_signed (void)
{
  g_autoptr(TarePlot) plot = make_heat (768, 2048);
  TareChart *chart;

  tare_heat_plot_set_signed (TARE_HEAT_PLOT (plot), TRUE);
  tare_heat_plot_set_names (TARE_HEAT_PLOT (plot), "output", "input", "w");
  chart = make (plot, "blk.3.ffn_down", "input", "output");
  tare_axis_set_scale (tare_color_scale_get_axis (tare_plot_get_color_scale (plot)),
                       TARE_AXIS_SCALE_SYMLOG);

  return chart;
}

static TareChart *
make_cells (void)
{
  g_autoptr(TarePlot) plot = make_heat (768, 2048);
  TareChart *chart;

  tare_heat_plot_set_signed (TARE_HEAT_PLOT (plot), TRUE);
  tare_heat_plot_set_maximum (TARE_HEAT_PLOT (plot), 0.1);
  chart = make (plot, "blk.3.ffn_down", "input", "output");
  tare_axis_set_range (tare_chart_get_x_axis (chart), 1019.5, 1027.5);
  tare_axis_set_range (tare_chart_get_y_axis (chart), 250.5, 259.5);

  return chart;
}

static TareChart *
make_lines (void)
{
  enum { N = 400 };
  double x[N], y[N], low[N], high[N];
  g_autoptr(TarePlot) first = tare_line_plot_new ();
  g_autoptr(TarePlot) second = tare_line_plot_new ();
  guint32 state = 3;
  TareChart *chart;

  for (guint i = 0; i < N; i++)
    {
      x[i] = i + 1.0;
      y[i] = 40.0 * exp (i / -60.0) + 0.02 * exp (i / -400.0);
      low[i] = y[i] * 0.7;
      high[i] = y[i] * 1.4;
    }
  tare_line_plot_set_points (TARE_LINE_PLOT (first), x, y, N);
  tare_line_plot_set_band (TARE_LINE_PLOT (first), low, high);
  tare_plot_set_label (first, "attn_q");
  for (guint i = 0; i < N; i++)
    y[i] = 3.0 * exp (i / -90.0 + 0.05 * draw_normal (&state));
  tare_line_plot_set_points (TARE_LINE_PLOT (second), x, y, N);
  tare_line_plot_set_style (TARE_LINE_PLOT (second), TARE_LINE_STYLE_DASHED);
  tare_plot_set_label (second, "ffn_down");
  tare_plot_set_color_index (second, 1);

  chart = make (first, "Spectrum of the input Hessian", "eigenvalue number", "eigenvalue");
  tare_chart_add_plot (chart, second);
  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);

  return chart;
}

static TareChart *
make_density (void)
{
  enum { N = 60 };
  double x[N], y[N];
  g_autoptr(TarePlot) plot = tare_line_plot_new ();
  g_autoptr(TarePlot) steps = tare_line_plot_new ();
  TareChart *chart;

  for (guint i = 0; i < N; i++)
    {
      x[i] = -3.0 + i * 0.1;
      y[i] = exp (-x[i] * x[i] / 2.0);
    }
  tare_line_plot_set_points (TARE_LINE_PLOT (plot), x, y, N);
  tare_line_plot_set_style (TARE_LINE_PLOT (plot), TARE_LINE_STYLE_FILLED);
  tare_plot_set_label (plot, "density");
  for (guint i = 0; i < N; i++)
    y[i] = (i + 1.0) / N;
  tare_line_plot_set_points (TARE_LINE_PLOT (steps), x, y, N);
  tare_line_plot_set_style (TARE_LINE_PLOT (steps), TARE_LINE_STYLE_STEPS | TARE_LINE_STYLE_DOTS);
  tare_plot_set_color_index (steps, 1);
  tare_plot_set_label (steps, "cumulative");
  chart = make (plot, "Spectral density", "eigenvalue", "share");
  tare_chart_add_plot (chart, steps);

  return chart;
}

static TareChart *
make_front (void)
{
  enum { N = 40 };
  g_auto(GStrv) labels = g_new0 (char *, N + 1);
  double x[N], y[N], errors[N];
  g_autoptr(TarePlot) plot = tare_scatter_plot_new ();
  g_autofree guint *front = NULL;
  guint32 state = 11;
  guint n, selected = 17;
  TareChart *chart;

  for (guint i = 0; i < N; i++)
    {
      x[i] = 2.0 + 6.5 * i / N;
      y[i] = 0.4 * exp (-x[i] + 1.0) * (1.6 + 0.8 * draw_normal (&state)) + 1e-5;
      y[i] = fabs (y[i]);
      errors[i] = y[i] * 0.2;
      labels[i] = g_strdup_printf ("Q%u_%c", 2 + i * 7 / N, "KSM01"[i % 5]);
    }
  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (plot), (const char *const *) labels, x, y, N);
  tare_scatter_plot_set_errors (TARE_SCATTER_PLOT (plot), NULL, errors);
  front = tare_scatter_plot_dup_front (TARE_SCATTER_PLOT (plot), &n);
  tare_scatter_plot_set_front (TARE_SCATTER_PLOT (plot), front, n);
  tare_plot_set_selected (plot, &selected, 1);
  chart = make (plot, "Cost and loss", "bits per weight", "KL divergence");
  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);

  return chart;
}

static TareChart *
make_quantiles (void)
{
  enum { N = 1000 };
  double x[N], y[N];
  g_autoptr(TarePlot) plot = tare_scatter_plot_new ();

  /* The quantiles of a logistic distribution against those of a heavier one. */
  for (guint i = 0; i < N; i++)
    {
      double p = (i + 0.5) / N;

      x[i] = log (p / (1.0 - p)) / 1.7;
      y[i] = x[i] + 0.05 * x[i] * x[i] * x[i];
    }
  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (plot), NULL, x, y, N);
  tare_scatter_plot_set_line (TARE_SCATTER_PLOT (plot), 1.0, 0.0, "normal");

  return make (plot, "Q-Q", "standard normal quantile", "weight / standard deviation");
}

static TareChart *
make_bars (void)
{
  enum { N = 24 };
  g_auto(GStrv) labels = g_new0 (char *, N + 1);
  double values[N], errors[N];
  g_autoptr(TarePlot) plot = tare_bar_plot_new ();
  guint selected = 5;

  for (guint i = 0; i < N; i++)
    {
      labels[i] = g_strdup_printf ("blk.%u", i);
      values[i] = 0.3 + fabs (sin (i * 0.7));
      errors[i] = 0.08 * values[i];
    }
  tare_bar_plot_set_bars (TARE_BAR_PLOT (plot), (const char *const *) labels, values, errors, N);
  tare_plot_set_selected (plot, &selected, 1);

  return make (plot, "Sensitivity", "block", "trace");
}

/* The widths of the channels of a layer, a few of them far beyond the others. */
static double
get_width (guint channel)
{
  return 0.05 + 0.03 * fabs (sin (channel * 0.31)) + (channel % 41 == 7 ? 0.25 : 0.0);
}

static TareChart *
make_ridges (guint n)
{
  enum { BINS = 96 };
  g_autofree float *heights = g_new (float, n * BINS);
  g_autoptr(TarePlot) plot = tare_ridge_plot_new ();
  guint selected = 7;

  for (guint i = 0; i < n; i++)
    for (guint bin = 0; bin < BINS; bin++)
      {
        double x = ((bin + 0.5) / BINS * 2.0 - 1.0) / get_width (i);

        heights[i * BINS + bin] = (float) floor (2000.0 * exp (-x * x / 2.0));
      }
  tare_ridge_plot_set_ridges (TARE_RIDGE_PLOT (plot), heights, n, BINS, -1.0, 1.0);
  tare_plot_set_selected (plot, &selected, 1);

  return make (plot, "Channels of attn_q", "activation", "channel");
}

static TareChart *
make_few_ridges (void)
{
  return make_ridges (20);
}

static TareChart *
make_many_ridges (void)
{
  return make_ridges (1024);
}

static TareChart *
make_ranges (guint    n,
             gboolean sorted)
{
  g_autofree TareRangeBand *ranges = g_new (TareRangeBand, n);
  g_autoptr(TarePlot) plot = tare_range_plot_new ();
  guint selected = 48;

  for (guint i = 0; i < n; i++)
    {
      float w = (float) get_width (i), shift = 0.01f * (float) sin (i * 1.7);

      ranges[i] = (TareRangeBand) { -3.2f * w, -2.3f * w, -0.7f * w + shift, shift,
                                    0.7f * w + shift, 2.3f * w, 3.6f * w };
    }
  tare_range_plot_set_ranges (TARE_RANGE_PLOT (plot), ranges, n);
  tare_range_plot_set_sorted (TARE_RANGE_PLOT (plot), sorted);
  tare_plot_set_selected (plot, &selected, 1);

  return make (plot, "Ranges of attn_q", sorted ? "channel, by magnitude" : "channel", "weight");
}

static TareChart *
make_all_ranges (void)
{
  return make_ranges (4096, FALSE);
}

static TareChart *
make_sorted_ranges (void)
{
  return make_ranges (64, TRUE);
}

static TareChart *
make_landscape (void)
{
  enum { N = 31 };
  static const double x[2] = { -1.0, 1.0 }, y[2] = { -1.0, 1.0 };
  double values[N * N];
  g_autoptr(TarePlot) plot = tare_contour_plot_new ();
  TareChart *chart;

  for (guint i = 0; i < N; i++)
    for (guint j = 0; j < N; j++)
      {
        double a = -1.0 + 2.0 * j / (N - 1.0), b = -1.0 + 2.0 * i / (N - 1.0);

        values[i * N + j] = 3.2 + 1.4 * a * a + 0.4 * b * b + 0.3 * a * b + 0.2 * sin (4.0 * b) * a;
      }
  tare_contour_plot_set_values (TARE_CONTOUR_PLOT (plot), values, N, N, x, y);
  tare_contour_plot_set_center (TARE_CONTOUR_PLOT (plot), 0.0, 0.0);
  tare_contour_plot_set_name (TARE_CONTOUR_PLOT (plot), "loss");
  chart = make (plot, "Loss landscape", "first Hessian direction", "second Hessian direction");

  return chart;
}

static TareChart *
make_correlations (void)
{
  static const char *const names[] = { "kurtosis", "max/std", "HAWQ-V1", "HAWQ-V2", "proxy loss",
                                       "measured KL", NULL };
  enum { N = 6 };
  float values[N * N];
  g_autoptr(TarePlot) plot = tare_heat_plot_new ();

  for (guint i = 0; i < N; i++)
    for (guint j = 0; j < N; j++)
      values[i * N + j] = i == j ? 1.0f : (float) cos (0.9 * ((double) i - (double) j));
  values[1 * N + 4] = values[4 * N + 1] = NAN;
  tare_heat_plot_set_values (TARE_HEAT_PLOT (plot), values, N, N);
  tare_heat_plot_set_signed (TARE_HEAT_PLOT (plot), TRUE);
  tare_heat_plot_set_maximum (TARE_HEAT_PLOT (plot), 1.0);
  tare_heat_plot_set_names (TARE_HEAT_PLOT (plot), "measure", "measure", "rank correlation");
  tare_heat_plot_set_labels (TARE_HEAT_PLOT (plot), names, names);

  return make (plot, "Which measures agree", NULL, NULL);
}

static const struct
{
  const char *name;
  TareChart *(*make) (void);
} plots[] = {
  { "heat-magnitudes", make_magnitudes },
  { "heat-signed", make_signed },
  { "heat-cells", make_cells },
  { "lines", make_lines },
  { "density", make_density },
  { "front", make_front },
  { "quantiles", make_quantiles },
  { "bars", make_bars },
  { "ridges", make_few_ridges },
  { "ridges-many", make_many_ridges },
  { "ranges", make_all_ranges },
  { "ranges-sorted", make_sorted_ranges },
  { "landscape", make_landscape },
  { "correlations", make_correlations },
};

static guint
count_colors (WidgetPixels *pixels)
{
  g_autoptr(GHashTable) colors = g_hash_table_new (NULL, NULL);

  for (gsize i = 0; i < (gsize) pixels->width * (gsize) pixels->height; i++)
    g_hash_table_add (colors, GUINT_TO_POINTER (pixels->data[i]));

  return g_hash_table_size (colors);
}

/* Over the background of the window, as a person sees it. */
static void
save (WidgetPixels *pixels,
      const char   *name,
      const char   *variant,
      const char   *background)
{
  const char *root = g_getenv ("TARE_BUILD_ROOT");
  gboolean contrast = adw_style_manager_get_high_contrast (adw_style_manager_get_default ());
  g_autofree char *file = g_strdup_printf ("tare-plot-%s-%s%s.png", name, variant,
                                           contrast ? "-contrast" : "");
  g_autofree char *path = g_build_filename (root != NULL ? root : ".", file, NULL);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, pixels->width,
                                                         pixels->height);
  cairo_surface_t *drawn = cairo_image_surface_create_for_data ((guchar *) pixels->data,
                                                                CAIRO_FORMAT_ARGB32,
                                                                pixels->width, pixels->height,
                                                                pixels->width * 4);
  cairo_t *cr = cairo_create (surface);
  GdkRGBA color;

  gdk_rgba_parse (&color, background);
  gdk_cairo_set_source_rgba (cr, &color);
  cairo_paint (cr);
  cairo_set_source_surface (cr, drawn, 0.0, 0.0);
  cairo_paint (cr);
  cairo_destroy (cr);
  g_assert_cmpint (cairo_surface_write_to_png (surface, path), ==, CAIRO_STATUS_SUCCESS);
  cairo_surface_destroy (drawn);
  cairo_surface_destroy (surface);
  g_test_message ("%s", path);
}

static void
test_plot (gconstpointer data)
{
  guint index = GPOINTER_TO_UINT (data);
  AdwStyleManager *manager = adw_style_manager_get_default ();
  TareChart *chart = plots[index].make ();
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), WIDTH, HEIGHT);
  g_autofree char *description = tare_chart_dup_description (chart);

  g_assert_cmpuint (strlen (description), >, 10);
  for (gboolean dark = FALSE; dark <= TRUE; dark++)
    {
      g_autoptr(WidgetPixels) pixels = NULL;

      adw_style_manager_set_color_scheme (manager, dark ? ADW_COLOR_SCHEME_FORCE_DARK
                                                        : ADW_COLOR_SCHEME_FORCE_LIGHT);
      widget_test_settle (GTK_WIDGET (chart));
      pixels = widget_test_render (GTK_WIDGET (chart));
      g_assert_cmpuint (count_colors (pixels), >, 30);
      save (pixels, plots[index].name, dark ? "dark" : "light", dark ? "#242424" : "#fafafa");
    }

  adw_style_manager_set_color_scheme (manager, ADW_COLOR_SCHEME_FORCE_LIGHT);
  chart_fixture_finish (chart, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  if (g_strcmp0 (g_getenv ("ADW_DEBUG_HIGH_CONTRAST"), "1") == 0)
    g_assert_true (adw_style_manager_get_high_contrast (adw_style_manager_get_default ()));
  for (guint i = 0; i < G_N_ELEMENTS (plots); i++)
    {
      g_autofree char *path = g_strconcat ("/gallery/", plots[i].name, NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_plot);
    }

  return g_test_run ();
}
