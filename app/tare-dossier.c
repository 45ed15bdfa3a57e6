/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-dossier.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "app/tare-text.h"
#include "app/tare-weight-histogram.h"
#include "app/tare-weight-ranges.h"
#include "widgets/tare-bar-plot.h"
#include "widgets/tare-heat-plot.h"
#include "widgets/tare-line-plot.h"
#include "widgets/tare-picture.h"
#include "widgets/tare-range-plot.h"

/* Points, of which an inch has 72: the margin of a file's page, the least that a page is laid out
 * for, and the letters. */
#define MARGIN       36.0
#define LEAST_WIDTH  500.0
#define LEAST_HEIGHT 680.0
#define NAME_SIZE    15.0
#define TEXT_SIZE    8.0
#define SMALL_SIZE   6.6
#define LINE         1.3
#define GAP          10.0

/* A pixel of a chart on paper, in points: its letters become as large as the text. */
#define PIXEL 0.6

/* The measures stand in so many columns. */
#define COLUMNS 3

/* The row of the formats, whose names stand on end, is so much higher than the others. */
#define LAST_ROW 1.2

/* Weights up to which the picture shows every one and not its neighbours' largest. */
#define MOST_WEIGHTS ((gsize) 1 << 24)

/* The channels that a caption names. */
#define NAMED 3

typedef enum
{
  CHART_HISTOGRAM,
  CHART_PICTURE,
  CHART_RANGES,
  CHART_SPECTRUM,
  CHART_FORMATS,
  N_CHARTS,
} Chart;

struct _TareDossier
{
  TareModel            *model;
  TareLayer            *layer;
  char                 *place;
  char                 *date;
  GPtrArray            *facts;        /* of strings: a caption and a value by turns */
  GPtrArray            *measures;     /* likewise */
  TareChart            *charts[N_CHARTS];
  TareWeightHistogram  *histogram;
  char                 *captions[2];  /* of the charts above */
  char                 *note;
};

/* --- what it says --- */

static void
add_fact (TareDossier *self,
          const char  *caption,
          char        *value)
{
  g_ptr_array_add (self->facts, g_strdup (caption));
  g_ptr_array_add (self->facts, value);
}

static void
add_facts (TareDossier *self)
{
  TareLayer *layer = self->layer;
  const TareTensor *tensor = tare_layer_get_tensor (layer);
  const TareMethod *method = tare_layer_get_assignment (layer).method;
  const TareFormat *format = tare_layer_get_format (layer);
  char *shape;

  g_object_get (layer, "shape", &shape, NULL);
  add_fact (self, _("Shape"), shape);
  add_fact (self, _("Weights"), tare_text_whole (tare_tensor_get_n_weights (tensor)));
  add_fact (self, _("Stored as"), g_strdup (tensor->type_name));
  add_fact (self, _("Source size"), tare_text_bytes (tensor->bytes));
  add_fact (self, _("Format"), g_strdup (format != NULL ? format->label : tensor->type_name));
  add_fact (self, _("Method"), g_strdup (method != NULL ? _(method->label) : TARE_TEXT_UNKNOWN));
  add_fact (self, _("Size"), tare_text_bytes (tare_layer_get_size (layer)));
  add_fact (self, _("Bits per weight"), tare_text_bits (tare_layer_get_bits (layer)));
}

static char *
write_value (const TareMeasure      *measure,
             const TareMeasureValue *value,
             gboolean                known)
{
  g_autofree char *number = NULL;

  if (!known)
    return g_strdup (_("not measured"));
  if (!isfinite (value->value))
    return g_strdup (TARE_TEXT_UNKNOWN);
  number = tare_text_doubtful (value->value, value->error);

  return *measure->unit != '\0' ? g_strdup_printf ("%s %s", number, measure->unit)
                                : g_steal_pointer (&number);
}

static void
add_measures (TareDossier               *self,
              const TareDossierFindings *findings)
{
  guint missing = 0;

  for (gsize i = 0; i < tare_measure_get_n_measures (); i++)
    {
      const TareMeasure *measure = tare_measure_get (i);
      const char *label = _(measure->label);

      g_ptr_array_add (self->measures, findings->at_reference[i]
                                         ? tare_text_at (label, findings->reference->label)
                                         : g_strdup (label));
      g_ptr_array_add (self->measures, write_value (measure, &findings->values[i],
                                                    findings->known[i]));
      missing += findings->known[i] ? 0 : 1;
    }

  self->note = g_strdup_printf (_("Measures of rounding are of the format above where they name "
                                  "no other. %s is not defined for this layer, or wants a "
                                  "calibration; %u measures have not been asked for."),
                                TARE_TEXT_UNKNOWN, missing);
}

/* The channels with the largest magnitudes, "12 (0.3), 7 (0.2)". */
static char *
name_largest (const float *maxima,
              gsize        n)
{
  GString *text = g_string_new (NULL);
  gsize named[NAMED];

  for (gsize k = 0; k < MIN (n, NAMED); k++)
    {
      gsize best = G_MAXSIZE;
      g_autofree char *value = NULL;

      for (gsize i = 0; i < n; i++)
        {
          gboolean taken = FALSE;

          for (gsize j = 0; j < k; j++)
            taken = taken || named[j] == i;
          if (!taken && (best == G_MAXSIZE || maxima[i] > maxima[best]))
            best = i;
        }
      named[k] = best;
      value = tare_text_number ((double) maxima[best], 3);
      g_string_append_printf (text, "%s%" G_GSIZE_FORMAT " (%s)", k > 0 ? ", " : "", best, value);
    }

  return g_string_free (text, FALSE);
}

static char *
describe_outliers (const TareStatistics *statistics)
{
  g_autofree char *rows = name_largest (statistics->row_maximum, statistics->rows);
  g_autofree char *columns = name_largest (statistics->column_maximum, statistics->columns);
  g_autofree char *share = tare_text_percent (statistics->outlier_ratio);

  return g_strdup_printf (_("%s of the weights are beyond 6 standard deviations. The largest are "
                            "in the outputs %s and in the inputs %s."), share, rows, columns);
}

/* --- its charts --- */

static TareChart *
add_chart (TareDossier *self,
           Chart        chart,
           const char  *title,
           const char  *x,
           const char  *y)
{
  TareChart *made = g_object_ref_sink (TARE_CHART (tare_chart_new ()));

  tare_chart_set_title (made, title);
  tare_axis_set_title (tare_chart_get_x_axis (made), x);
  tare_axis_set_title (tare_chart_get_y_axis (made), y);
  self->charts[chart] = made;

  return made;
}

static void
take_plot (TareChart *chart,
           TarePlot  *plot)
{
  tare_chart_add_plot (chart, plot);
  tare_chart_fit (chart);
  g_object_unref (plot);
}

/* What the picture is made of. */
typedef struct
{
  TareModel        *model;
  const TareTensor *tensor;
  TarePyramid      *pyramid;
} Matrix;

static void
matrix_free (gpointer data)
{
  Matrix *self = data;

  tare_pyramid_unref (self->pyramid);
  tare_model_unref (self->model);
  g_free (self);
}

/* Exact always: what is coarse in a large matrix is as good as a page can show. */
static TareHeatState
sample (gpointer            data,
        const TareHeatArea *area,
        GCancellable       *cancellable,
        float              *values)
{
  const Matrix *self = data;
  const TarePool pool = {
    .row = area->row, .n_rows = area->n_rows, .column = area->column,
    .n_columns = area->n_columns, .width = area->width, .height = area->height,
  };

  if (!tare_pyramid_sample (self->pyramid, &pool, values)
      && area->n_rows * area->n_columns <= MOST_WEIGHTS)
    tare_pool_tensor (self->tensor, &pool, NULL, values, NULL);

  return TARE_HEAT_STATE_EXACT;
}

static void
add_picture (TareDossier               *self,
             const TareDossierFindings *findings)
{
  TareChart *chart = add_chart (self, CHART_PICTURE, _("Magnitudes"), _("input"), _("output"));
  TarePlot *plot = tare_heat_plot_new ();
  Matrix *matrix = g_new (Matrix, 1);

  *matrix = (Matrix) {
    tare_model_ref (self->model), tare_layer_get_tensor (self->layer),
    tare_pyramid_ref (findings->pyramid),
  };
  tare_heat_plot_set_source (TARE_HEAT_PLOT (plot), matrix->tensor->rows, matrix->tensor->columns,
                             sample, matrix, matrix_free);
  take_plot (chart, plot);
}

static void
add_ranges (TareDossier               *self,
            const TareDossierFindings *findings)
{
  TareChart *chart = add_chart (self, CHART_RANGES, _("Ranges of the outputs"), _("output"),
                                _("weight"));
  TarePlot *plot = tare_range_plot_new ();

  tare_weight_ranges_show (findings->ranges, TARE_RANGE_PLOT (plot));
  take_plot (chart, plot);
}

static void
add_spectrum (TareDossier               *self,
              const TareDossierFindings *findings)
{
  const TareSpectrum *spectrum = findings->spectrum;
  TareChart *chart = add_chart (self, CHART_SPECTRUM, _("Spectrum of the input Hessian"),
                                _("direction"), _("share of the trace"));
  gsize n = spectrum != NULL ? spectrum->n_values : 0;
  g_autofree double *x = g_new (double, MAX (n, 1));
  g_autofree double *y = g_new (double, MAX (n, 1));
  TarePlot *plot = tare_line_plot_new ();

  for (gsize i = 0; i < n; i++)
    {
      x[i] = (double) (i + 1);
      y[i] = spectrum->values[i] > 0.0 ? spectrum->values[i] / spectrum->trace : (double) NAN;
    }
  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);
  tare_chart_set_empty_text (chart, _("Not measured: it wants a calibration"));
  tare_line_plot_set_points (TARE_LINE_PLOT (plot), x, y, (guint) n);
  take_plot (chart, plot);
}

typedef struct
{
  gboolean          weighted;
  const TareFormat *own;
} Order;

static double
get_error (const TareSweepPoint *point,
           gboolean              weighted)
{
  return weighted ? point->distortion.weighted : point->distortion.relative;
}

static int
compare_points (gconstpointer a,
                gconstpointer b,
                gpointer      order)
{
  const TareSweepPoint *first = a;
  const TareSweepPoint *second = b;
  gboolean weighted = ((const Order *) order)->weighted;

  if (first->bits_per_weight != second->bits_per_weight)
    return first->bits_per_weight < second->bits_per_weight ? 1 : -1;

  return get_error (first, weighted) < get_error (second, weighted) ? 1 : -1;
}

/* Those that none of their size or smaller beats, the largest first, and the layer's own. */
static GArray *
choose_points (const TareDossierFindings *findings,
               const Order               *order)
{
  GArray *chosen = g_array_new (FALSE, FALSE, sizeof (TareSweepPoint));
  g_autoptr(GArray) points = g_array_copy (findings->points);
  double least = INFINITY;

  g_array_sort_with_data (points, compare_points, (gpointer) order);
  for (guint i = points->len; i > 0; i--)
    {
      const TareSweepPoint *point = &g_array_index (points, TareSweepPoint, i - 1);
      double error = get_error (point, order->weighted);
      gboolean better = error < least && error > 0.0
                        && point->format->family != TARE_FORMAT_FAMILY_FLOAT;

      if (better)
        least = error;
      if (better || point->format == order->own)
        g_array_prepend_val (chosen, *point);
    }

  return chosen;
}

static void
add_formats (TareDossier               *self,
             const TareDossierFindings *findings)
{
  const Order order = { findings->weighted, tare_layer_get_format (self->layer) };
  TareChart *chart =
    add_chart (self, CHART_FORMATS,
               findings->weighted ? _("Error by format, weighted by the inputs")
                                  : _("Error by format"), NULL, _("relative error"));
  g_autoptr(GArray) points = choose_points (findings, &order);
  g_autoptr(GPtrArray) labels = g_ptr_array_new ();
  g_autofree double *errors = g_new (double, MAX (points->len, 1));
  TarePlot *plot = tare_bar_plot_new ();
  guint own = G_MAXUINT;

  for (guint i = 0; i < points->len; i++)
    {
      const TareSweepPoint *point = &g_array_index (points, TareSweepPoint, i);

      g_ptr_array_add (labels, (gpointer) point->format->label);
      errors[i] = get_error (point, order.weighted);
      own = point->format == order.own ? i : own;
    }
  g_ptr_array_add (labels, NULL);
  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);
  tare_bar_plot_set_bars (TARE_BAR_PLOT (plot), (const char *const *) labels->pdata, errors, NULL,
                          points->len);
  if (own != G_MAXUINT)
    tare_bar_plot_set_highlighted (TARE_BAR_PLOT (plot), &own, 1);
  take_plot (chart, plot);
}

static void
add_histogram (TareDossier *self)
{
  TareChart *chart = add_chart (self, CHART_HISTOGRAM, _("Weights"), _("weight"), _("count"));

  self->histogram = tare_weight_histogram_new (chart);
  tare_weight_histogram_show (self->histogram, self->layer);
  self->captions[0] = g_strdup (tare_weight_histogram_get_caption (self->histogram));
}

/* --- the page --- */

typedef struct
{
  cairo_t     *cr;
  PangoLayout *layout;
  double       width;
} Pen;

/* Returns: how high the text is */
static double
write_text (const Pen  *pen,
            const char *text,
            double      size,
            gboolean    bold,
            double      x,
            double      y,
            double      width,
            gboolean    end)
{
  PangoFontDescription *font = pango_font_description_from_string ("Sans");
  int height;

  pango_font_description_set_absolute_size (font, size * PANGO_SCALE);
  pango_font_description_set_weight (font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
  pango_layout_set_font_description (pen->layout, font);
  pango_font_description_free (font);
  pango_layout_set_width (pen->layout, (int) (width * PANGO_SCALE));
  pango_layout_set_alignment (pen->layout, end ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT);
  pango_layout_set_text (pen->layout, text, -1);
  pango_layout_get_size (pen->layout, NULL, &height);
  cairo_move_to (pen->cr, x, y);
  pango_cairo_show_layout (pen->cr, pen->layout);

  return (double) height / PANGO_SCALE;
}

/* One line, cut where it does not fit. */
static void
write_line (const Pen  *pen,
            const char *text,
            double      size,
            double      x,
            double      y,
            double      width,
            gboolean    end)
{
  pango_layout_set_ellipsize (pen->layout, PANGO_ELLIPSIZE_END);
  pango_layout_set_height (pen->layout, 0);
  write_text (pen, text, size, FALSE, x, y, width, end);
  pango_layout_set_ellipsize (pen->layout, PANGO_ELLIPSIZE_NONE);
  pango_layout_set_height (pen->layout, -1);
}

static void
set_gray (const Pen *pen,
          double     gray)
{
  cairo_set_source_rgb (pen->cr, gray, gray, gray);
}

static void
draw_rule (const Pen *pen,
           double     y)
{
  set_gray (pen, 0.6);
  cairo_set_line_width (pen->cr, 0.5);
  cairo_move_to (pen->cr, 0.0, y);
  cairo_line_to (pen->cr, pen->width, y);
  cairo_stroke (pen->cr);
}

static double
draw_head (TareDossier *self,
           const Pen   *pen)
{
  const TareTensor *tensor = tare_layer_get_tensor (self->layer);
  double y;

  set_gray (pen, 0.0);
  y = write_text (pen, tensor->canonical, NAME_SIZE, TRUE, 0.0, 0.0, pen->width * 0.65, FALSE);
  set_gray (pen, 0.35);
  write_line (pen, self->place, TEXT_SIZE, pen->width * 0.66, 1.0, pen->width * 0.34, TRUE);
  write_line (pen, self->date, TEXT_SIZE, pen->width * 0.66, 1.0 + TEXT_SIZE * LINE,
              pen->width * 0.34, TRUE);
  y += write_text (pen, tensor->role != NULL ? _(tensor->role->description)
                                             : _("A tensor whose role is not known"),
                   TEXT_SIZE, FALSE, 0.0, y + 1.0, pen->width * 0.65, FALSE);
  draw_rule (pen, y + 5.0);

  return y + 10.0;
}

/* Four to a line, the caption above the value. */
static double
draw_facts (TareDossier *self,
            const Pen   *pen,
            double       top)
{
  double step = pen->width / 4.0;
  double line = SMALL_SIZE * LINE + TEXT_SIZE * LINE + 3.0;
  guint n = self->facts->len / 2;

  for (guint i = 0; i < n; i++)
    {
      double x = step * (i % 4);
      double y = top + line * (i / 4);

      set_gray (pen, 0.35);
      write_line (pen, self->facts->pdata[2 * i], SMALL_SIZE, x, y, step - GAP, FALSE);
      set_gray (pen, 0.0);
      write_line (pen, self->facts->pdata[2 * i + 1], TEXT_SIZE, x, y + SMALL_SIZE * LINE,
                  step - GAP, FALSE);
    }

  return top + line * ((n + 3) / 4) + 4.0;
}

static void
draw_chart (TareDossier *self,
            const Pen   *pen,
            Chart        chart,
            double       x,
            double       y,
            double       width,
            double       height)
{
  cairo_save (pen->cr);
  cairo_translate (pen->cr, x, y);
  cairo_scale (pen->cr, PIXEL, PIXEL);
  tare_chart_print (self->charts[chart], pen->cr, (int) (width / PIXEL), (int) (height / PIXEL));
  cairo_restore (pen->cr);
}

/* Two beside each other, twice, and one as wide as the page. */
static void
draw_charts (TareDossier *self,
             const Pen   *pen,
             double       top,
             double       height)
{
  double half = (pen->width - GAP) / 2.0;
  double caption = 3.0 * SMALL_SIZE * LINE;
  double row = (height - caption - 3.0 * GAP) / (2.0 + LAST_ROW);
  double y = top;

  draw_chart (self, pen, CHART_HISTOGRAM, 0.0, y, half, row);
  draw_chart (self, pen, CHART_PICTURE, half + GAP, y, half, row);
  y += row + 2.0;
  set_gray (pen, 0.35);
  for (guint i = 0; i < 2; i++)
    if (self->captions[i] != NULL)
      write_text (pen, self->captions[i], SMALL_SIZE, FALSE, (half + GAP) * i, y, half, FALSE);
  y += caption + GAP - 2.0;
  draw_chart (self, pen, CHART_RANGES, 0.0, y, half, row);
  draw_chart (self, pen, CHART_SPECTRUM, half + GAP, y, half, row);
  draw_chart (self, pen, CHART_FORMATS, 0.0, y + row + GAP, pen->width,
              row * LAST_ROW);
}

static double
measure_measures (TareDossier *self)
{
  guint rows = (self->measures->len / 2 + COLUMNS - 1) / COLUMNS;

  return TEXT_SIZE * LINE + 9.0 + rows * SMALL_SIZE * LINE + 2.0 * SMALL_SIZE * LINE + 4.0;
}

static void
draw_measures (TareDossier *self,
               const Pen   *pen,
               double       top)
{
  guint n = self->measures->len / 2;
  guint rows = (n + COLUMNS - 1) / COLUMNS;
  double column = (pen->width - GAP * (COLUMNS - 1)) / COLUMNS;
  double value = column * 0.37;
  double y;

  draw_rule (pen, top);
  set_gray (pen, 0.0);
  y = top + 4.0;
  y += write_text (pen, _("Measures"), TEXT_SIZE, TRUE, 0.0, y, pen->width, FALSE) + 2.0;
  for (guint i = 0; i < n; i++)
    {
      double x = (column + GAP) * (i / rows);
      double at = y + SMALL_SIZE * LINE * (i % rows);

      set_gray (pen, 0.35);
      write_line (pen, self->measures->pdata[2 * i], SMALL_SIZE, x, at, column - value, FALSE);
      set_gray (pen, 0.0);
      write_line (pen, self->measures->pdata[2 * i + 1], SMALL_SIZE, x + column - value, at, value,
                  TRUE);
    }
  set_gray (pen, 0.35);
  write_text (pen, self->note, SMALL_SIZE, FALSE, 0.0, y + rows * SMALL_SIZE * LINE + 3.0,
              pen->width, FALSE);
}

/**
 * tare_dossier_draw:
 * @self: the dossier
 * @cr: where to draw, from 0, 0 on
 * @width: of what can be drawn on, in points
 * @height: of it
 *
 * Draws the page; one that is small or lies on its side makes everything smaller.
 */
void
tare_dossier_draw (TareDossier *self,
                   cairo_t     *cr,
                   double       width,
                   double       height)
{
  double scale = MIN (1.0, MIN (width / LEAST_WIDTH, height / LEAST_HEIGHT));
  Pen pen = { cr, pango_cairo_create_layout (cr), width / scale };
  double measures = height / scale - measure_measures (self);
  double y;

  cairo_save (cr);
  cairo_scale (cr, scale, scale);
  y = draw_head (self, &pen);
  y = draw_facts (self, &pen, y);
  draw_charts (self, &pen, y, measures - y - GAP);
  draw_measures (self, &pen, measures);
  cairo_restore (cr);
  g_object_unref (pen.layout);
}

/* What is drawn onto the page of a file. */
typedef struct
{
  TareDossier *self;
  double       width;
  double       height;
} Sheet;

static void
draw_sheet (cairo_t  *cr,
            gpointer  data)
{
  const Sheet *sheet = data;

  cairo_set_source_rgb (cr, 1.0, 1.0, 1.0);
  cairo_paint (cr);
  cairo_translate (cr, MARGIN, MARGIN);
  tare_dossier_draw (sheet->self, cr, sheet->width - 2.0 * MARGIN, sheet->height - 2.0 * MARGIN);
}

/**
 * tare_dossier_save:
 * @self: the dossier
 * @path: a file that ends in .pdf, .svg or .png
 * @error: set when the file cannot be written or is of another kind
 *
 * Draws the page into a file, as large as paper is in this part of the world.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_dossier_save (TareDossier  *self,
                   const char   *path,
                   GError      **error)
{
  GtkPaperSize *paper = gtk_paper_size_new (NULL);
  Sheet sheet = {
    self, gtk_paper_size_get_width (paper, GTK_UNIT_POINTS),
    gtk_paper_size_get_height (paper, GTK_UNIT_POINTS),
  };

  gtk_paper_size_free (paper);

  return tare_picture_save (path, sheet.width, sheet.height, draw_sheet, &sheet, error);
}

static void
draw_page_cb (GtkPrintOperation *operation,
              GtkPrintContext   *context,
              int                page,
              gpointer           dossier)
{
  tare_dossier_draw (dossier, gtk_print_context_get_cairo_context (context),
                     gtk_print_context_get_width (context),
                     gtk_print_context_get_height (context));
}

static void
free_closure (gpointer  dossier,
              GClosure *closure)
{
  tare_dossier_free (dossier);
}

/**
 * tare_dossier_new_print:
 * @self: (transfer full): the dossier
 *
 * Returns: (transfer full): an operation that prints it on one page
 */
GtkPrintOperation *
tare_dossier_new_print (TareDossier *self)
{
  GtkPrintOperation *operation = gtk_print_operation_new ();

  gtk_print_operation_set_n_pages (operation, 1);
  gtk_print_operation_set_unit (operation, GTK_UNIT_POINTS);
  gtk_print_operation_set_job_name (operation, tare_layer_get_tensor (self->layer)->canonical);
  gtk_print_operation_set_embed_page_setup (operation, TRUE);
  g_signal_connect_data (operation, "draw-page", G_CALLBACK (draw_page_cb), self, free_closure, 0);

  return operation;
}

/**
 * tare_dossier_new:
 * @session: where the layer belongs
 * @findings: what was found out about it
 *
 * Returns: (transfer full): a dossier of what is known now
 */
TareDossier *
tare_dossier_new (TareSession               *session,
                  const TareDossierFindings *findings)
{
  TareDossier *self = g_new0 (TareDossier, 1);
  TareLayer *layer = findings->layer;
  TareStatistics *statistics = tare_layer_get_statistics (layer);
  g_autoptr(GDateTime) now = g_date_time_new_now_local ();

  self->model = tare_model_ref (tare_session_get_model (session));
  self->layer = g_object_ref (layer);
  self->place = g_strdup (tare_model_get_name (self->model));
  self->date = g_date_time_format (now, "%F");
  self->facts = g_ptr_array_new_with_free_func (g_free);
  self->measures = g_ptr_array_new_with_free_func (g_free);
  if (statistics != NULL)
    self->captions[1] = describe_outliers (statistics);
  add_facts (self);
  add_measures (self, findings);
  add_histogram (self);
  add_picture (self, findings);
  add_ranges (self, findings);
  add_spectrum (self, findings);
  add_formats (self, findings);

  return self;
}

/**
 * tare_dossier_get_text:
 * @self: the dossier
 * @caption: a fact or a measure as the page calls it, "Format" or "Proxy loss"
 *
 * Returns: (nullable): what the page says of it, %NULL where it has nothing of this name
 */
const char *
tare_dossier_get_text (TareDossier *self,
                       const char  *caption)
{
  GPtrArray *texts[] = { self->facts, self->measures };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    for (guint k = 0; k < texts[i]->len; k += 2)
      if (g_str_equal (texts[i]->pdata[k], caption))
        return texts[i]->pdata[k + 1];

  return NULL;
}

/**
 * tare_dossier_free:
 * @self: (nullable): a dossier
 */
void
tare_dossier_free (TareDossier *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->histogram, tare_weight_histogram_free);
  for (guint i = 0; i < N_CHARTS; i++)
    g_clear_object (&self->charts[i]);
  g_ptr_array_unref (self->facts);
  g_ptr_array_unref (self->measures);
  for (guint i = 0; i < G_N_ELEMENTS (self->captions); i++)
    g_free (self->captions[i]);
  g_free (self->note);
  g_free (self->place);
  g_free (self->date);
  g_object_unref (self->layer);
  tare_model_unref (self->model);
  g_free (self);
}
