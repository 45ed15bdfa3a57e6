/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Prints one JSON object of frame times in milliseconds: bench-frames [--quick] [SCENE...]
 *
 * Drives pan, zoom, selection and pointing over 2,000 layers in bars, points and the map, and over
 * every view of a tensor of 4096 x 14336, in a window of 1280 x 800. A frame is the handling of
 * what the person did and all that the frame clock does for it up to the end of its drawing; the
 * wait for the next frame is none of it. Beside the time on the clock stands that of the processor
 * in the main thread, which says the same on a busy machine. Fails only where a frame takes longer
 * than anyone would wait.
 */
#include <adwaita.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "analysis/statistics/tare-channels.h"
#include "analysis/statistics/tare-pyramid.h"
#include "analysis/statistics/tare-ranges.h"
#include "analysis/statistics/tare-shape.h"
#include "app/tare-weight-ranges.h"
#include "widgets/tare-bar-plot.h"
#include "widgets/tare-chart.h"
#include "widgets/tare-format-map.h"
#include "widgets/tare-heat-plot.h"
#include "widgets/tare-histogram-plot.h"
#include "widgets/tare-line-plot.h"
#include "widgets/tare-range-plot.h"
#include "widgets/tare-ridge-plot.h"
#include "widgets/tare-scatter-plot.h"
#include "widgets/tare-widgets-init.h"

#define N_LAYERS 2000
#define N_FRAMES 100
#define QUICK_FRAMES 12

#define WIDTH 1280
#define HEIGHT 800

/* Rows and columns of the tensor that is looked at. */
#define ROWS 4096
#define COLUMNS 14336

/* As the pages of the window have them. */
#define RIDGES 256
#define QUANTILES 201

/* Milliseconds of the processor that no frame takes unless something is broken. */
#define HOPELESS 2000.0

typedef struct
{
  GtkWidget *widget;
  TarePlot  *plot;     /* (nullable) */
  TareAxis  *axes[2];  /* (nullable) */
  double     begun[2];
  double     seconds[2];  /* by the clock and of the processor */
  gboolean   painted;
} Scene;

/* What a person does in one frame. */
typedef void (*Step) (Scene *scene,
                      guint  frame);

static void
get_times (double times[2])
{
  struct timespec used;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
  times[0] = (double) g_get_monotonic_time () / 1e6;
  times[1] = (double) used.tv_sec + (double) used.tv_nsec / 1e9;
}

static void
begin_cb (GdkFrameClock *clock,
          Scene         *scene)
{
  get_times (scene->begun);
}

static void
add_times (Scene *scene)
{
  double times[2];

  get_times (times);
  for (guint k = 0; k < 2; k++)
    scene->seconds[k] += times[k] - scene->begun[k];
}

static void
end_cb (GdkFrameClock *clock,
        Scene         *scene)
{
  add_times (scene);
  scene->painted = TRUE;
}

static int
compare_doubles (gconstpointer a,
                 gconstpointer b)
{
  double first = *(const double *) a, second = *(const double *) b;

  return (first > second) - (first < second);
}

static void
add_percentiles (JsonBuilder *json,
                 const char  *median,
                 const char  *last,
                 double      *times,
                 guint        n)
{
  qsort (times, n, sizeof *times, compare_doubles);
  json_builder_set_member_name (json, median);
  json_builder_add_double_value (json, times[n / 2] * 1e3);
  json_builder_set_member_name (json, last);
  json_builder_add_double_value (json, times[MIN (n - 1, n * 99 / 100)] * 1e3);
}

/* Returns the longest of a run of frames, in milliseconds of the processor. */
static double
drive (Scene       *scene,
       Step         step,
       guint        n,
       JsonBuilder *json,
       const char  *name)
{
  GdkFrameClock *clock = gtk_widget_get_frame_clock (scene->widget);
  gulong begin = g_signal_connect (clock, "before-paint", G_CALLBACK (begin_cb), scene);
  gulong end = g_signal_connect (clock, "after-paint", G_CALLBACK (end_cb), scene);
  g_autofree double *clocks = g_new (double, n);
  g_autofree double *processor = g_new (double, n);

  for (guint i = 0; i < n; i++)
    {
      scene->seconds[0] = scene->seconds[1] = 0.0;
      scene->painted = FALSE;
      get_times (scene->begun);
      step (scene, i);
      add_times (scene);
      gtk_widget_queue_draw (scene->widget);
      while (!scene->painted)
        g_main_context_iteration (NULL, TRUE);
      clocks[i] = scene->seconds[0];
      processor[i] = scene->seconds[1];
    }
  g_signal_handler_disconnect (clock, begin);
  g_signal_handler_disconnect (clock, end);

  json_builder_set_member_name (json, name);
  json_builder_begin_object (json);
  add_percentiles (json, "median_ms", "p99_ms", clocks, n);
  add_percentiles (json, "processor_median_ms", "processor_p99_ms", processor, n);
  json_builder_end_object (json);

  return processor[n - 1] * 1e3;
}

static void
zoom (Scene *scene,
      guint  frame)
{
  double factor = frame % 60 < 30 ? 1.08 : 1.0 / 1.08;

  tare_axis_zoom (scene->axes[0], factor, 0.4);
  if (TARE_PLOT_GET_CLASS (scene->plot)->planar)
    tare_axis_zoom (scene->axes[1], factor, 0.6);
}

/* From the whole matrix to single numbers, printed in their cells, and back. */
static void
dive (Scene *scene,
      guint  frame)
{
  double factor = frame % 60 < 30 ? 1.25 : 1.0 / 1.25;

  for (guint k = 0; k < 2; k++)
    tare_axis_zoom (scene->axes[k], factor, 0.4);
}

static void
pan (Scene *scene,
     guint  frame)
{
  if (tare_axis_is_fitted (scene->axes[0]))
    tare_axis_zoom (scene->axes[0], 4.0, 0.5);
  tare_axis_pan (scene->axes[0], frame % 40 < 20 ? 0.04 : -0.04);
  tare_axis_pan (scene->axes[1], frame % 40 < 20 ? -0.02 : 0.02);
}

static void
select_plot (Scene *scene,
             guint  frame)
{
  guint ids[40];

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    ids[i] = (frame * 37 + i * 11) % N_LAYERS;
  tare_plot_set_selected (scene->plot, ids, G_N_ELEMENTS (ids));
}

static GtkEventController *
find_motion (GtkWidget *widget)
{
  g_autoptr(GListModel) controllers = gtk_widget_observe_controllers (widget);

  for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr(GtkEventController) controller = g_list_model_get_item (controllers, i);

      if (GTK_IS_EVENT_CONTROLLER_MOTION (controller))
        return controller;
    }

  return NULL;
}

static void
point (Scene *scene,
       guint  frame)
{
  g_signal_emit_by_name (find_motion (scene->widget), "motion", 100.0 + frame * 7 % (WIDTH - 200),
                         100.0 + frame * 5 % (HEIGHT - 200));
}

static void
select_cells (Scene *scene,
              guint  frame)
{
  guint cells[40];

  for (guint i = 0; i < G_N_ELEMENTS (cells); i++)
    cells[i] = (frame * 37 + i * 11) % N_LAYERS;
  tare_format_map_set_selection (TARE_FORMAT_MAP (scene->widget), cells, G_N_ELEMENTS (cells));
}

static void
scroll_map (Scene *scene,
            guint  frame)
{
  GtkAdjustment *adjustment = gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (scene->widget));

  gtk_adjustment_set_value (adjustment, frame * 11 % 600);
}

static void
paint_map (Scene *scene,
           guint  frame)
{
  TareFormatCell cell = { .present = TRUE, .value = 2.0 + frame % 8, .label = "4.5" };

  for (guint i = 0; i < 20; i++)
    tare_format_map_set_cell (TARE_FORMAT_MAP (scene->widget), (frame * 20 + i) % N_LAYERS, &cell);
}

static GtkWindow *
show (Scene *scene)
{
  GtkWindow *window = GTK_WINDOW (gtk_window_new ());
  GtkWidget *child = scene->widget;

  if (GTK_IS_SCROLLABLE (child))
    {
      child = gtk_scrolled_window_new ();
      gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (child), scene->widget);
    }
  gtk_window_set_default_size (window, WIDTH, HEIGHT);
  gtk_window_set_decorated (window, FALSE);
  gtk_window_set_child (window, child);
  gtk_window_present (window);
  while (gtk_widget_get_width (scene->widget) == 0)
    g_main_context_iteration (NULL, TRUE);

  return window;
}

static void
make_chart (Scene    *scene,
            TarePlot *plot)
{
  TareChart *chart = TARE_CHART (tare_chart_new ());

  tare_chart_set_title (chart, "Layers");
  tare_chart_add_plot (chart, plot);
  *scene = (Scene) { .widget = GTK_WIDGET (chart), .plot = plot,
                     .axes = { tare_chart_get_x_axis (chart), tare_chart_get_y_axis (chart) } };
}

static double
run_chart (JsonBuilder *json,
           const char  *name,
           TarePlot    *plot,
           guint        n)
{
  double worst = 0.0;
  Scene scene;
  GtkWindow *window;

  make_chart (&scene, plot);
  window = show (&scene);
  json_builder_set_member_name (json, name);
  json_builder_begin_object (json);
  worst = MAX (worst, drive (&scene, zoom, n, json, "zoom"));
  if (TARE_PLOT_GET_CLASS (plot)->planar)
    worst = MAX (worst, drive (&scene, dive, n, json, "dive"));
  worst = MAX (worst, drive (&scene, pan, n, json, "pan"));
  worst = MAX (worst, drive (&scene, select_plot, n, json, "select"));
  worst = MAX (worst, drive (&scene, point, n, json, "point"));
  json_builder_end_object (json);
  gtk_window_destroy (window);

  return worst;
}

static double
run_layers (JsonBuilder *json,
            gboolean     quick,
            guint        n)
{
  g_auto(GStrv) names = g_new0 (char *, N_LAYERS + 1);
  g_autofree double *x = g_new (double, N_LAYERS);
  g_autofree double *y = g_new (double, N_LAYERS);
  g_autoptr(TarePlot) bars = tare_bar_plot_new ();
  g_autoptr(TarePlot) points = tare_scatter_plot_new ();
  double worst;

  for (guint i = 0; i < N_LAYERS; i++)
    {
      names[i] = g_strdup_printf ("blk.%u.ffn_down", i);
      x[i] = 2.0 + i % 97 * 0.06;
      y[i] = 0.1 + fabs (sin (i * 0.37)) * exp (-x[i]);
    }
  tare_bar_plot_set_bars (TARE_BAR_PLOT (bars), (const char *const *) names, y, y, N_LAYERS);
  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (points), (const char *const *) names, x, y,
                                N_LAYERS);
  tare_scatter_plot_set_errors (TARE_SCATTER_PLOT (points), NULL, x);
  worst = run_chart (json, "bars", bars, n);

  return MAX (worst, run_chart (json, "points", points, n));
}

static double
run_map (JsonBuilder *json,
         gboolean     quick,
         guint        n)
{
  enum { MAP_COLUMNS = 8, MAP_ROWS = N_LAYERS / MAP_COLUMNS };
  g_auto(GStrv) rows = g_new0 (char *, MAP_ROWS + 1);
  static const char *const columns[] = { "q", "k", "v", "o", "gate", "up", "down", "norm", NULL };
  g_autofree TareFormatCell *cells = g_new0 (TareFormatCell, N_LAYERS);
  Scene scene = { .widget = tare_format_map_new () };
  GtkWindow *window;
  double worst = 0.0;

  for (guint i = 0; i < MAP_ROWS; i++)
    rows[i] = g_strdup_printf ("%u", i);
  for (guint i = 0; i < N_LAYERS; i++)
    cells[i] = (TareFormatCell) { .present = TRUE, .value = 2.0 + i % 8, .label = "4.5",
                                  .stale = i % 5 == 0, .locked = i % 17 == 0,
                                  .mark = (TareFormatMark) (i % TARE_FORMAT_MARK_N) };
  tare_format_map_set_shape (TARE_FORMAT_MAP (scene.widget), (const char *const *) rows, columns,
                             NULL);
  tare_format_map_set_scale (TARE_FORMAT_MAP (scene.widget), 2.0, 16.0, "bits");
  tare_format_map_set_cells (TARE_FORMAT_MAP (scene.widget), cells, N_LAYERS);
  window = show (&scene);
  json_builder_set_member_name (json, "map");
  json_builder_begin_object (json);
  worst = MAX (worst, drive (&scene, scroll_map, n, json, "scroll"));
  worst = MAX (worst, drive (&scene, select_cells, n, json, "select"));
  worst = MAX (worst, drive (&scene, paint_map, n, json, "paint"));
  worst = MAX (worst, drive (&scene, point, n, json, "point"));
  json_builder_end_object (json);
  gtk_window_destroy (window);

  return worst;
}

/* What is looked at. */
typedef struct
{
  TareTensor   tensor;
  TarePyramid *pyramid;
} Heat;

/* Noise of which some columns are louder. */
static void
heat_init (Heat     *self,
           gboolean  quick)
{
  gsize rows = quick ? 256 : ROWS, size = rows * COLUMNS;
  float *x = g_new (float, size);
  g_autoptr(GBytes) bytes = g_bytes_new_take (x, size * sizeof *x);
  guint32 state = 1;

  for (gsize i = 0; i < size; i++)
    {
      state = state * 1664525u + 1013904223u;
      x[i] = ((float) (state >> 8) / 16777216.0f - 0.5f) * (i % COLUMNS % 97 == 0 ? 5.0f : 1.0f);
    }
  self->pyramid = NULL;
  self->tensor = (TareTensor) {
    .name = (char *) "bench", .canonical = (char *) "bench", .block = -1,
    .type_name = (char *) "F32", .format = tare_format_lookup ("f32"), .n_dimensions = 2,
    .shape = { rows, COLUMNS }, .columns = COLUMNS, .rows = rows,
    .file = tare_file_new_bytes ("bench", bytes), .bytes = size * sizeof *x,
  };
}

static void
heat_clear (Heat *self)
{
  g_clear_pointer (&self->pyramid, tare_pyramid_unref);
  tare_file_unref (self->tensor.file);
}

/* Coarse at once, and exactly in a thread, as the pages of the window do. */
static TareHeatState
sample (gpointer            data,
        const TareHeatArea *area,
        GCancellable       *cancellable,
        float              *values)
{
  const Heat *heat = data;
  TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  TarePool part = { (gsize) area->row, (gsize) area->n_rows, (gsize) area->column,
                    (gsize) area->n_columns, area->width, area->height };

  if (tare_pyramid_sample (heat->pyramid, &part, values))
    return TARE_HEAT_STATE_EXACT;
  if (cancellable == NULL)
    return TARE_HEAT_STATE_COARSE;

  tare_pool_tensor (&heat->tensor, &part, &progress, values, NULL);

  return TARE_HEAT_STATE_EXACT;
}

static double
run_heat (JsonBuilder *json,
          gboolean     quick,
          guint        n)
{
  TarePlot *plot = tare_heat_plot_new ();
  Heat heat;
  double worst;

  heat_init (&heat, quick);
  heat.pyramid = tare_pyramid_build (&heat.tensor, NULL, NULL);
  tare_heat_plot_set_source (TARE_HEAT_PLOT (plot), heat.tensor.rows, COLUMNS, sample, &heat, NULL);
  worst = run_chart (json, "heat_map", plot, n);

  /* A thread may still be looking. */
  tare_heat_plot_set_source (TARE_HEAT_PLOT (plot), 0, 0, NULL, NULL, NULL);
  while (G_OBJECT (plot)->ref_count > 1)
    g_main_context_iteration (NULL, TRUE);
  g_object_unref (plot);
  heat_clear (&heat);

  return worst;
}

static double
run_ranges (JsonBuilder *json,
            const char  *name,
            TareRanges  *ranges,
            guint        n)
{
  g_autoptr(TarePlot) plot = tare_range_plot_new ();

  tare_weight_ranges_show (ranges, TARE_RANGE_PLOT (plot));
  tare_ranges_free (ranges);

  return run_chart (json, name, plot, n);
}

static double
run_ridges (JsonBuilder          *json,
            const TareTensor     *tensor,
            const TareStatistics *statistics,
            guint                 n)
{
  g_autoptr(TarePlot) plot = tare_ridge_plot_new ();
  g_autoptr(TareChannels) channels = tare_channels_measure (tensor, RIDGES, statistics->minimum,
                                                            statistics->maximum, NULL, NULL);

  tare_ridge_plot_set_ridges (TARE_RIDGE_PLOT (plot), channels->counts, (guint) channels->n,
                              (guint) channels->n_bins, (double) channels->minimum,
                              (double) channels->maximum);

  return run_chart (json, "ridges", plot, n);
}

/* What each input is like: as many points as there are columns, the eigenvalues of a full spectrum
 * being no more. */
static double
run_columns (JsonBuilder          *json,
             const TareStatistics *statistics,
             guint                 n)
{
  g_autoptr(TarePlot) plot = tare_line_plot_new ();
  g_autofree double *x = g_new (double, COLUMNS);
  g_autofree double *y = g_new (double, COLUMNS);

  for (gsize i = 0; i < COLUMNS; i++)
    {
      x[i] = (double) i;
      y[i] = (double) statistics->column_maximum[i];
    }
  tare_line_plot_set_points (TARE_LINE_PLOT (plot), x, y, COLUMNS);

  return run_chart (json, "spectrum", plot, n);
}

static double
run_quantiles (JsonBuilder          *json,
               const TareStatistics *statistics,
               guint                 n)
{
  g_autoptr(TarePlot) plot = tare_scatter_plot_new ();
  double x[QUANTILES], y[QUANTILES];

  for (guint i = 0; i < QUANTILES; i++)
    {
      x[i] = 5.0 * (2.0 * i / (QUANTILES - 1) - 1.0);
      y[i] = tare_shape_get_quantile (statistics, tare_gaussian_get_share (x[i]));
    }
  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (plot), NULL, x, y, QUANTILES);
  tare_scatter_plot_set_line (TARE_SCATTER_PLOT (plot), statistics->standard_deviation,
                              statistics->mean, "Gaussian");

  return run_chart (json, "quantiles", plot, n);
}

/* Whatever else a tensor's pages show. */
static double
run_views (JsonBuilder *json,
           gboolean     quick,
           guint        n)
{
  g_autoptr(TarePlot) histogram = tare_histogram_plot_new ();
  g_autoptr(TareStatistics) statistics = NULL;
  double worst;
  Heat heat;

  heat_init (&heat, quick);
  statistics = tare_statistics_measure (&heat.tensor, NULL, NULL);
  tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (histogram), statistics->histogram,
                                  TARE_HISTOGRAM_BINS, (double) statistics->minimum,
                                  (double) statistics->maximum);
  worst = run_chart (json, "histogram", histogram, n);
  worst = MAX (worst, run_ranges (json, "ranges_of_outputs",
                                  tare_ranges_of_rows (&heat.tensor, NULL, NULL), n));
  worst = MAX (worst, run_ranges (json, "ranges_of_inputs",
                                  tare_ranges_of_columns (&heat.tensor, NULL, NULL), n));
  worst = MAX (worst, run_ridges (json, &heat.tensor, statistics, n));
  worst = MAX (worst, run_columns (json, statistics, n));
  worst = MAX (worst, run_quantiles (json, statistics, n));
  heat_clear (&heat);

  return worst;
}

static void
print (JsonBuilder *json)
{
  g_autoptr(JsonNode) root = json_builder_get_root (json);
  g_autofree char *text = json_to_string (root, TRUE);

  g_print ("%s\n", text);
}

static const struct
{
  const char *name;
  double    (*run) (JsonBuilder *json,
                    gboolean     quick,
                    guint        n);
} scenes[] = {
  { "layers", run_layers },
  { "map", run_map },
  { "heat", run_heat },
  { "views", run_views },
};

/* Whether it is named on the command line, or nothing is. */
static gboolean
is_wanted (const char  *name,
           int          argc,
           char       **argv)
{
  gboolean named = FALSE;

  for (int i = 1; i < argc; i++)
    {
      if (g_str_equal (argv[i], name))
        return TRUE;
      named |= argv[i][0] != '-';
    }

  return !named;
}

int
main (int    argc,
      char **argv)
{
  gboolean quick = argc > 1 && g_str_equal (argv[1], "--quick");
  guint n = quick ? QUICK_FRAMES : N_FRAMES;
  g_autoptr(JsonBuilder) json = NULL;
  double worst = 0.0;

  if (!gtk_init_check ())
    {
      g_printerr ("no display\n");
      return 77;
    }

  adw_init ();
  tare_widgets_init ();
  json = json_builder_new ();
  json_builder_begin_object (json);
  for (gsize i = 0; i < G_N_ELEMENTS (scenes); i++)
    if (is_wanted (scenes[i].name, argc, argv))
      {
        double longest = scenes[i].run (json, quick, n);

        worst = MAX (worst, longest);
      }
  json_builder_end_object (json);
  print (json);

  return worst < HOPELESS ? 0 : 1;
}
