/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-contour-plot.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "widgets/tare-ink-private.h"

/* As many levels as can be told apart. */
#define MOST_LEVELS 14

/* Half the length of the cross at the centre, in pixels. */
#define CROSS 6.0

/**
 * TareContourPlot:
 *
 * A function of two variables on a grid, such as the loss along two directions: bands of colour
 * between the levels of its colour scale's ticks, lines along them with their values, and a cross
 * at the point about which it was taken.
 */
struct _TareContourPlot
{
  TarePlot        parent_instance;

  double         *values;     /* rows x columns, the first row at the least y */
  guint           rows;
  guint           columns;
  double          x[2];
  double          y[2];
  double          center[2];
  char           *name;
  TareColorScale *scale;
};

G_DEFINE_FINAL_TYPE (TareContourPlot, tare_contour_plot, TARE_TYPE_PLOT)

/* The sides of a cell on which a level lies, by which of its corners are above it: bit 0 is the
 * corner at the least x and y, then on around it. A side goes from the corner of its number to the
 * next. The two cases with two lines are told apart by the middle. */
static const gint8 sides[16][4] = {
  { -1, -1, -1, -1 }, { 3, 0, -1, -1 }, { 0, 1, -1, -1 }, { 3, 1, -1, -1 },
  { 1, 2, -1, -1 },   { 3, 2, 0, 1 },   { 0, 2, -1, -1 }, { 3, 2, -1, -1 },
  { 2, 3, -1, -1 },   { 2, 0, -1, -1 }, { 0, 3, 1, 2 },   { 2, 1, -1, -1 },
  { 1, 3, -1, -1 },   { 1, 0, -1, -1 }, { 0, 3, -1, -1 }, { -1, -1, -1, -1 },
};

static const gint8 low_saddles[2][4] = { { 3, 0, 1, 2 }, { 0, 1, 2, 3 } };

/* Where a level lies on a side of a cell, from 0 to 1 either way. */
static void
cross_side (const double corners[4],
            int          side,
            double       level,
            double      *x,
            double      *y)
{
  static const double places[4][2] = { { 0.0, 0.0 }, { 1.0, 0.0 }, { 1.0, 1.0 }, { 0.0, 1.0 } };
  const double *from = places[side], *to = places[(side + 1) % 4];
  double a = corners[side], b = corners[(side + 1) % 4];
  double part = b != a ? CLAMP ((level - a) / (b - a), 0.0, 1.0) : 0.5;

  *x = from[0] + part * (to[0] - from[0]);
  *y = from[1] + part * (to[1] - from[1]);
}

static void
trace_cell (const double     corners[4],
            double           left,
            double           foot,
            double           level,
            TareContourFunc  func,
            gpointer         data)
{
  const gint8 *crossed;
  guint above = 0;

  for (guint i = 0; i < 4; i++)
    {
      if (!isfinite (corners[i]))
        return;
      above |= (guint) (corners[i] > level) << i;
    }

  crossed = sides[above];
  if ((above == 5 || above == 10)
      && (corners[0] + corners[1] + corners[2] + corners[3]) / 4.0 <= level)
    crossed = low_saddles[above == 10];

  for (guint i = 0; i < 4 && crossed[i] >= 0; i += 2)
    {
      double x[2], y[2];

      for (guint k = 0; k < 2; k++)
        {
          cross_side (corners, crossed[i + k], level, &x[k], &y[k]);
          x[k] += left;
          y[k] += foot;
        }
      func (x, y, data);
    }
}

/**
 * tare_contour_trace:
 * @values: (array): @rows x @columns, row-major; cells with a value that is not finite have no line
 * @rows: of the grid
 * @columns: of it
 * @level: a value
 * @func: called with every piece of the line on which the values are @level
 * @data: closure of @func
 *
 * Marching squares: a piece goes straight through a cell between the sides on which values above
 * and not above the level meet, where they reach it if they change evenly.
 */
void
tare_contour_trace (const double    *values,
                    guint            rows,
                    guint            columns,
                    double           level,
                    TareContourFunc  func,
                    gpointer         data)
{
  for (guint i = 0; i + 1 < rows; i++)
    for (guint j = 0; j + 1 < columns; j++)
      {
        const double *cell = values + (gsize) i * columns + j;
        const double corners[4] = { cell[0], cell[1], cell[columns + 1], cell[columns] };

        trace_cell (corners, j, i, level, func, data);
      }
}

/* The levels are the ticks of the colours, so that the bar at the side names them. */
static guint
get_levels (TareContourPlot *self,
            TareTick        *ticks)
{
  guint n = tare_axis_make_ticks (tare_color_scale_get_axis (self->scale), MOST_LEVELS, ticks);
  guint kept = 0;

  for (guint i = 0; i < n; i++)
    if (!ticks[i].minor)
      ticks[kept++] = ticks[i];

  return kept;
}

/* The value at a place of the grid, even between its points; NaN beyond. */
static double
interpolate (TareContourPlot *self,
             double           x,
             double           y)
{
  guint i, j;
  const double *cell;
  double low, high;

  if (!(x >= 0.0 && x <= self->columns - 1.0 && y >= 0.0 && y <= self->rows - 1.0))
    return NAN;

  j = MIN ((guint) x, self->columns - 2);
  i = MIN ((guint) y, self->rows - 2);
  cell = self->values + (gsize) i * self->columns + j;
  x -= j;
  y -= i;
  low = cell[0] + x * (cell[1] - cell[0]);
  high = cell[self->columns] + x * (cell[self->columns + 1] - cell[self->columns]);

  return low + y * (high - low);
}

static double
to_column (TareContourPlot *self,
           double           x)
{
  return (x - self->x[0]) / (self->x[1] - self->x[0]) * (self->columns - 1.0);
}

static double
to_row (TareContourPlot *self,
        double           y)
{
  return (y - self->y[0]) / (self->y[1] - self->y[0]) * (self->rows - 1.0);
}

/* The colours of the bands below the first level, between two and above the last. */
static guint32 *
make_bands (TareContourPlot     *self,
            const TarePlotFrame *frame,
            const TareTick      *levels,
            guint                n)
{
  guint32 *bands = g_new (guint32, n + 1);
  double bounds[2];

  tare_axis_get_range (tare_color_scale_get_axis (self->scale), &bounds[0], &bounds[1]);
  for (guint i = 0; i <= n; i++)
    {
      double low = i == 0 ? bounds[0] : levels[i - 1].value;
      double high = i == n ? bounds[1] : levels[i].value;
      TareAxis *axis = tare_color_scale_get_axis (self->scale);
      float middle = (float) tare_axis_denormalize (axis, (tare_axis_normalize (axis, low)
                                                           + tare_axis_normalize (axis, high))
                                                          / 2.0);

      tare_color_scale_map (self->scale, &middle, 1, frame->dark, &bands[i]);
    }

  return bands;
}

static void
draw_bands (TareContourPlot     *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame,
            const TareTick      *levels,
            guint                n)
{
  int width = (int) ceil (frame->width), height = (int) ceil (frame->height);
  guint32 *pixels = g_new0 (guint32, (gsize) width * (gsize) height);
  g_autoptr(GdkTexture) texture = NULL;
  g_autofree guint32 *bands = make_bands (self, frame, levels, n);
  g_autofree double *columns = g_new (double, width);

  for (int x = 0; x < width; x++)
    columns[x] = to_column (self, tare_axis_denormalize (frame->x, (x + 0.5) / width));
  for (int y = 0; y < height; y++)
    {
      double row = to_row (self, tare_axis_denormalize (frame->y, 1.0 - (y + 0.5) / height));

      guint band = 0;

      for (int x = 0; x < width; x++)
        {
          double value = interpolate (self, columns[x], row);

          if (isnan (value))
            continue;

          /* The neighbour's band is the same or nearly so. */
          while (band < n && value > levels[band].value)
            band++;
          while (band > 0 && value <= levels[band - 1].value)
            band--;
          pixels[y * width + x] = bands[band];
        }
    }
  texture = _tare_ink_picture (pixels, width, height);
  gtk_snapshot_append_texture (snapshot, texture,
                               &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) width, (float) height));
}

/* What is known of one level while its line is drawn. */
typedef struct
{
  TareContourPlot     *self;
  const TarePlotFrame *frame;
  cairo_t             *cr;
  double               least;     /* of a piece, from where a label would be best */
  double               label[2];
} Trace;

static void
draw_piece (const double  x[2],
            const double  y[2],
            gpointer      data)
{
  Trace *trace = data;
  TareContourPlot *self = trace->self;
  double at[2][2], away;

  for (guint k = 0; k < 2; k++)
    {
      at[k][0] = tare_plot_frame_get_x (trace->frame, self->x[0] + x[k] / (self->columns - 1.0)
                                                                 * (self->x[1] - self->x[0]));
      at[k][1] = tare_plot_frame_get_y (trace->frame, self->y[0] + y[k] / (self->rows - 1.0)
                                                                 * (self->y[1] - self->y[0]));
    }
  cairo_move_to (trace->cr, at[0][0], at[0][1]);
  cairo_line_to (trace->cr, at[1][0], at[1][1]);

  /* Labels go along the way from the middle to the right. */
  away = fabs (at[0][1] - trace->frame->height * 0.4);
  if (at[0][0] > trace->frame->width * 0.5 && at[0][0] < trace->frame->width - 30.0
      && away < trace->least)
    {
      trace->least = away;
      trace->label[0] = at[0][0];
      trace->label[1] = at[0][1];
    }
}

static void
draw_label (GtkSnapshot         *snapshot,
            const TarePlotFrame *frame,
            const char          *text,
            const double         at[2],
            GArray              *taken)
{
  int width, height;

  pango_layout_set_text (frame->layout, text, -1);
  pango_layout_get_pixel_size (frame->layout, &width, &height);
  tare_plot_frame_draw_label (frame, snapshot, at[0] - width / 2.0, at[1] - height / 2.0, taken);
}

static void
draw_lines (TareContourPlot     *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame,
            const TareTick      *levels,
            guint                n)
{
  g_autoptr(GArray) taken = g_array_new (FALSE, FALSE, sizeof (graphene_rect_t));
  g_autofree Trace *traces = g_new0 (Trace, n);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot,
                                           &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) frame->width,
                                                                (float) frame->height));
  GdkRGBA ink = frame->foreground;

  ink.alpha = frame->high_contrast ? 1.0f : 0.6f;
  gdk_cairo_set_source_rgba (cr, &ink);
  cairo_set_line_width (cr, 1.0);
  for (guint i = 0; i < n; i++)
    {
      traces[i] = (Trace) { self, frame, cr, INFINITY, { 0.0, 0.0 } };
      tare_contour_trace (self->values, self->rows, self->columns, levels[i].value, draw_piece,
                          &traces[i]);
      cairo_stroke (cr);
    }
  cairo_destroy (cr);

  for (guint i = 0; frame->layout != NULL && i < n; i++)
    if (traces[i].least < frame->height)
      draw_label (snapshot, frame, levels[i].label, traces[i].label, taken);
}

static void
draw_center (TareContourPlot     *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame)
{
  double x = floor (tare_plot_frame_get_x (frame, self->center[0]));
  double y = floor (tare_plot_frame_get_y (frame, self->center[1]));

  if (isnan (self->center[0]) || isnan (self->center[1]))
    return;

  _tare_ink_box (snapshot, &frame->background, x - CROSS - 1.0, y - 2.0, 2.0 * CROSS + 3.0, 5.0);
  _tare_ink_box (snapshot, &frame->background, x - 2.0, y - CROSS - 1.0, 5.0, 2.0 * CROSS + 3.0);
  _tare_ink_box (snapshot, &frame->accent, x - CROSS, y - 1.0, 2.0 * CROSS + 1.0, 3.0);
  _tare_ink_box (snapshot, &frame->accent, x - 1.0, y - CROSS, 3.0, 2.0 * CROSS + 1.0);
}

static void
snapshot (TarePlot            *plot,
          GtkSnapshot         *target,
          const TarePlotFrame *frame)
{
  TareContourPlot *self = (TareContourPlot *) plot;
  TareTick levels[TARE_TICKS_MAX];
  guint n;

  if (self->values == NULL)
    return;

  n = get_levels (self, levels);
  draw_bands (self, target, frame, levels, n);
  draw_lines (self, target, frame, levels, n);
  draw_center (self, target, frame);
}

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareContourPlot *self = (TareContourPlot *) plot;

  if (self->values == NULL)
    return;

  x[0] = self->x[0];
  x[1] = self->x[1];
  y[0] = self->y[0];
  y[1] = self->y[1];
}

static guint
get_n_points (TarePlot *plot)
{
  return ((TareContourPlot *) plot)->rows * ((TareContourPlot *) plot)->columns;
}

static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  TareContourPlot *self = (TareContourPlot *) plot;

  *x = self->x[0] + (point % self->columns) / (self->columns - 1.0) * (self->x[1] - self->x[0]);
  *y = self->y[0] + (point / self->columns) / (self->rows - 1.0) * (self->y[1] - self->y[0]);

  return TRUE;
}

static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareContourPlot *self = (TareContourPlot *) plot;
  double column, row;

  if (self->values == NULL)
    return TARE_PLOT_NO_POINT;

  column = rint (to_column (self, tare_axis_denormalize (frame->x, x / frame->width)));
  row = rint (to_row (self, tare_axis_denormalize (frame->y, 1.0 - y / frame->height)));
  if (!(column >= 0.0 && column < self->columns && row >= 0.0 && row < self->rows))
    return TARE_PLOT_NO_POINT;

  return (guint) row * self->columns + (guint) column;
}

static guint
move (TarePlot         *plot,
      guint             point,
      GtkDirectionType  direction)
{
  TareContourPlot *self = (TareContourPlot *) plot;
  guint row = point / self->columns, column = point % self->columns;

  switch (direction)
    {
    case GTK_DIR_LEFT:
      return column > 0 ? point - 1 : point;
    case GTK_DIR_RIGHT:
      return column + 1 < self->columns ? point + 1 : point;
    case GTK_DIR_UP:
      return row + 1 < self->rows ? point + self->columns : point;
    case GTK_DIR_DOWN:
      return row > 0 ? point - self->columns : point;
    case GTK_DIR_TAB_FORWARD:
    case GTK_DIR_TAB_BACKWARD:
    default:
      return point;
    }
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareContourPlot *self = (TareContourPlot *) plot;
  char x[TARE_TICK_LABEL_SIZE], y[TARE_TICK_LABEL_SIZE], value[TARE_TICK_LABEL_SIZE];
  double at[2];

  get_point (plot, point, &at[0], &at[1]);
  tare_ticks_format_exact (at[0], x);
  tare_ticks_format_exact (at[1], y);
  if (isnan (self->values[point]))
    return g_strdup_printf (_("%s, %s: no value"), x, y);

  tare_ticks_format_exact (self->values[point], value);

  return g_strdup_printf ("%s, %s: %s%s%s", x, y, self->name != NULL ? self->name : "",
                          self->name != NULL ? " = " : "", value);
}

static char *
describe (TarePlot *plot)
{
  TareContourPlot *self = (TareContourPlot *) plot;
  guint n = get_n_points (plot), least = TARE_PLOT_NO_POINT, greatest = TARE_PLOT_NO_POINT;
  g_autofree char *low = NULL;
  g_autofree char *high = NULL;

  for (guint i = 0; i < n; i++)
    {
      if (!isfinite (self->values[i]))
        continue;
      if (least == TARE_PLOT_NO_POINT || self->values[i] < self->values[least])
        least = i;
      if (greatest == TARE_PLOT_NO_POINT || self->values[i] > self->values[greatest])
        greatest = i;
    }
  if (least == TARE_PLOT_NO_POINT)
    return g_strdup (_("A contour plot without values."));

  low = describe_point (plot, least);
  high = describe_point (plot, greatest);

  return g_strdup_printf (_("A contour plot of %u by %u values. Least at %s. Greatest at %s."),
                          self->columns, self->rows, low, high);
}

static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareContourPlot *self = (TareContourPlot *) plot;
  guint n = get_n_points (plot);

  g_string_append (csv, "x,y,value\n");
  for (guint i = 0; i < n; i++)
    {
      double x, y;

      get_point (plot, i, &x, &y);
      tare_plot_csv_number (csv, x);
      g_string_append_c (csv, ',');
      tare_plot_csv_number (csv, y);
      g_string_append_c (csv, ',');
      tare_plot_csv_number (csv, self->values[i]);
      g_string_append_c (csv, '\n');
    }
}

static TareColorScale *
get_color_scale (TarePlot *plot)
{
  return ((TareContourPlot *) plot)->scale;
}

static void
tare_contour_plot_finalize (GObject *object)
{
  TareContourPlot *self = (TareContourPlot *) object;

  g_free (self->values);
  g_free (self->name);
  g_object_unref (self->scale);

  G_OBJECT_CLASS (tare_contour_plot_parent_class)->finalize (object);
}

static void
tare_contour_plot_class_init (TareContourPlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = tare_contour_plot_finalize;

  plot_class->get_bounds = get_bounds;
  plot_class->snapshot = snapshot;
  plot_class->get_n_points = get_n_points;
  plot_class->get_point = get_point;
  plot_class->lookup = lookup;
  plot_class->describe_point = describe_point;
  plot_class->describe = describe;
  plot_class->write_csv = write_csv;
  plot_class->get_color_scale = get_color_scale;
  plot_class->move = move;
  plot_class->planar = TRUE;
}

static void
tare_contour_plot_init (TareContourPlot *self)
{
  self->center[0] = self->center[1] = NAN;
  self->scale = tare_color_scale_new (NULL);
  g_signal_connect_object (self->scale, "changed", G_CALLBACK (tare_plot_changed), self,
                           G_CONNECT_SWAPPED);
}

/**
 * tare_contour_plot_new:
 *
 * Returns: (transfer full): a plot without values
 */
TarePlot *
tare_contour_plot_new (void)
{
  return g_object_new (TARE_TYPE_CONTOUR_PLOT, NULL);
}

/**
 * tare_contour_plot_set_values:
 * @self: the plot
 * @values: (nullable) (array): @rows x @columns, row-major, the first row at the least y; NaN where
 *   there is none; copied
 * @rows: of the grid; no plot with fewer than two
 * @columns: of it; likewise
 * @x: of the first and of the last column
 * @y: of the first and of the last row
 */
void
tare_contour_plot_set_values (TareContourPlot *self,
                              const double    *values,
                              guint            rows,
                              guint            columns,
                              const double     x[2],
                              const double     y[2])
{
  double least = INFINITY, greatest = -INFINITY;

  g_return_if_fail (TARE_IS_CONTOUR_PLOT (self));

  g_clear_pointer (&self->values, g_free);
  self->rows = self->columns = 0;
  if (values != NULL && rows > 1 && columns > 1)
    {
      self->values = g_memdup2 (values, (gsize) rows * columns * sizeof *values);
      self->rows = rows;
      self->columns = columns;
      self->x[0] = x[0];
      self->x[1] = x[1];
      self->y[0] = y[0];
      self->y[1] = y[1];
      for (gsize i = 0; i < (gsize) rows * columns; i++)
        if (isfinite (values[i]))
          {
            least = MIN (least, values[i]);
            greatest = MAX (greatest, values[i]);
          }
    }
  if (least <= greatest)
    tare_axis_set_bounds (tare_color_scale_get_axis (self->scale), least, greatest);
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_contour_plot_set_center:
 * @self: the plot
 * @x: where a cross is drawn, such as at the weights as they are; NaN for nowhere
 * @y: where
 */
void
tare_contour_plot_set_center (TareContourPlot *self,
                              double           x,
                              double           y)
{
  g_return_if_fail (TARE_IS_CONTOUR_PLOT (self));

  self->center[0] = x;
  self->center[1] = y;
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_contour_plot_set_name:
 * @self: the plot
 * @name: (nullable): what the values are; it also stands beside the colours
 */
void
tare_contour_plot_set_name (TareContourPlot *self,
                            const char      *name)
{
  g_return_if_fail (TARE_IS_CONTOUR_PLOT (self));

  g_free (self->name);
  self->name = g_strdup (name);
  tare_axis_set_title (tare_color_scale_get_axis (self->scale), name);
  tare_plot_changed (TARE_PLOT (self));
}
