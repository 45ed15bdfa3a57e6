/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-line-plot.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "widgets/tare-ink-private.h"

#define LINE_WIDTH 1.75
#define FILL_ALPHA 0.22
#define BAND_ALPHA 0.25
#define DASH 6.0

/* Marked points stand at least so far apart, in pixels. */
#define DOT_ROOM 8.0
#define DOT 5.0

/* A selected one with the line of the background round it. */
#define SELECTED 11.0

/* Room above the highest point, as a part of what is shown. */
#define HEADROOM 0.05

/**
 * TareLinePlot:
 *
 * A line through points of rising x, such as a spectrum, with a band of doubt about it where one is
 * known. Of the points in one column of pixels the first, the lowest, the highest and the last are
 * drawn, so that no peak is lost however many there are.
 */
struct _TareLinePlot
{
  TarePlot       parent_instance;

  double        *x;
  double        *y;
  double        *low;    /* (nullable) */
  double        *high;
  guint          n;
  TareLineStyle  style;
};

G_DEFINE_FINAL_TYPE (TareLinePlot, tare_line_plot, TARE_TYPE_PLOT)

static void
widen (double   bounds[2],
       double   value,
       gboolean log)
{
  if (!isfinite (value) || (log && value <= 0.0))
    return;

  bounds[0] = isnan (bounds[0]) ? value : MIN (bounds[0], value);
  bounds[1] = isnan (bounds[1]) ? value : MAX (bounds[1], value);
}

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareLinePlot *self = (TareLinePlot *) plot;
  gboolean log = y_scale == TARE_AXIS_SCALE_LOG;

  for (guint i = 0; i < self->n; i++)
    {
      if (!isfinite (self->y[i]) || (log && self->y[i] <= 0.0))
        continue;
      widen (x, self->x[i], x_scale == TARE_AXIS_SCALE_LOG);
      widen (y, self->y[i], log);
      if (self->low != NULL)
        {
          widen (y, self->low[i], log);
          widen (y, self->high[i], log);
        }
    }

  if (isnan (y[0]))
    return;

  if (log)
    {
      y[1] *= pow (y[1] / y[0], HEADROOM);
      return;
    }
  if ((self->style & TARE_LINE_STYLE_FILLED) != 0)
    {
      y[0] = MIN (y[0], 0.0);
      y[1] = MAX (y[1], 0.0);
    }
  y[1] += HEADROOM * (y[1] - y[0]);
}

/* The first point at or beyond a value of x. */
static guint
find_x (TareLinePlot *self,
        double        value)
{
  guint low = 0, high = self->n;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (self->x[middle] < value)
        low = middle + 1;
      else
        high = middle;
    }

  return low;
}

/* Those in sight, and one beyond on either side. */
static void
get_shown (TareLinePlot        *self,
           const TarePlotFrame *frame,
           guint               *first,
           guint               *end)
{
  double lower, upper;

  tare_axis_get_range (frame->x, &lower, &upper);
  *first = find_x (self, lower);
  *first -= MIN (*first, 1u);
  *end = find_x (self, upper);
  while (*end < self->n && self->x[*end] <= upper)
    (*end)++;
  *end = MIN (*end + 1, self->n);
}

static gboolean
is_drawn (const TarePlotFrame *frame,
          double               x,
          double               y)
{
  return isfinite (x) && isfinite (y)
         && (tare_axis_get_scale (frame->x) != TARE_AXIS_SCALE_LOG || x > 0.0)
         && (tare_axis_get_scale (frame->y) != TARE_AXIS_SCALE_LOG || y > 0.0);
}

/* What of one column of pixels has been seen and not drawn. */
typedef struct
{
  double   column;
  double   entry;     /* where the line came in */
  double   last[2];
  double   lowest;
  double   highest;
  gboolean begun;     /* the path has a point */
  gboolean pending;
  double   origin[2]; /* where the piece of the path began */
} Pen;

static void
pen_flush (Pen     *pen,
           cairo_t *cr)
{
  if (!pen->pending)
    return;

  if (pen->highest != pen->last[1] || pen->lowest != pen->last[1])
    {
      cairo_line_to (cr, pen->last[0], pen->entry);
      cairo_line_to (cr, pen->last[0], pen->highest);
      cairo_line_to (cr, pen->last[0], pen->lowest);
    }
  cairo_line_to (cr, pen->last[0], pen->last[1]);
  pen->pending = FALSE;
}

static void
pen_add (Pen     *pen,
         cairo_t *cr,
         double   x,
         double   y)
{
  if (!pen->begun)
    {
      cairo_move_to (cr, x, y);
      pen->origin[0] = x;
      pen->origin[1] = y;
      pen->begun = TRUE;
    }
  if (pen->pending && floor (x) != pen->column)
    pen_flush (pen, cr);
  if (!pen->pending)
    {
      pen->column = floor (x);
      pen->entry = pen->lowest = pen->highest = y;
    }
  pen->lowest = MAX (pen->lowest, y);
  pen->highest = MIN (pen->highest, y);
  pen->last[0] = x;
  pen->last[1] = y;
  pen->pending = TRUE;
}

/* Ends a piece of the line; @base: where to close it for filling, or NaN */
static void
pen_lift (Pen     *pen,
          cairo_t *cr,
          double   base)
{
  pen_flush (pen, cr);
  if (pen->begun && !isnan (base))
    {
      cairo_line_to (cr, pen->last[0], base);
      cairo_line_to (cr, pen->origin[0], base);
      cairo_close_path (cr);
    }
  pen->begun = FALSE;
}

static void
trace (TareLinePlot        *self,
       const TarePlotFrame *frame,
       const double        *values,
       cairo_t             *cr,
       double               base)
{
  Pen pen = { 0 };
  guint first, end;
  double before = NAN;

  get_shown (self, frame, &first, &end);
  for (guint i = first; i < end; i++)
    {
      double x = tare_plot_frame_get_x (frame, self->x[i]);
      double y = tare_plot_frame_get_y (frame, values[i]);

      if (!is_drawn (frame, self->x[i], values[i]))
        {
          pen_lift (&pen, cr, base);
          continue;
        }
      if ((self->style & TARE_LINE_STYLE_STEPS) != 0 && pen.begun)
        pen_add (&pen, cr, x, before);
      pen_add (&pen, cr, x, y);
      before = y;
    }
  pen_lift (&pen, cr, base);
}

static double
get_base (const TarePlotFrame *frame)
{
  if (tare_axis_get_scale (frame->y) == TARE_AXIS_SCALE_LOG)
    return frame->height;

  return CLAMP (tare_plot_frame_get_y (frame, 0.0), 0.0, frame->height);
}

static void
set_color (cairo_t       *cr,
           const GdkRGBA *color,
           double         alpha)
{
  cairo_set_source_rgba (cr, (double) color->red, (double) color->green, (double) color->blue,
                         (double) color->alpha * alpha);
}

/* The band between the lower and the upper end of the doubt. */
static void
draw_band (TareLinePlot        *self,
           const TarePlotFrame *frame,
           cairo_t             *cr)
{
  guint first, end;
  double last = -INFINITY;

  get_shown (self, frame, &first, &end);
  for (guint i = first; i + 1 < end; i++)
    {
      double left = tare_plot_frame_get_x (frame, self->x[i]);
      double right = tare_plot_frame_get_x (frame, self->x[i + 1]);
      double lows[2] = { self->low[i], self->low[i + 1] };
      double highs[2] = { self->high[i], self->high[i + 1] };

      if (!is_drawn (frame, self->x[i], highs[0]) || !is_drawn (frame, self->x[i + 1], highs[1])
          || isnan (lows[0]) || isnan (lows[1]))
        continue;
      if ((self->style & TARE_LINE_STYLE_STEPS) != 0)
        {
          lows[1] = lows[0];
          highs[1] = highs[0];
        }

      /* What is narrower than half a pixel is part of the next. */
      if (right - last < 0.5 && i + 2 < end)
        continue;
      left = isinf (last) ? left : MIN (left, MAX (last, left - 1.0));
      cairo_move_to (cr, left, tare_plot_frame_get_y (frame, highs[0]));
      cairo_line_to (cr, right, tare_plot_frame_get_y (frame, highs[1]));
      cairo_line_to (cr, right, MIN (frame->height, tare_plot_frame_get_y (frame, lows[1])));
      cairo_line_to (cr, left, MIN (frame->height, tare_plot_frame_get_y (frame, lows[0])));
      cairo_close_path (cr);
      last = right;
    }
  set_color (cr, &frame->color, BAND_ALPHA);
  cairo_fill (cr);
}

/* Where a mark of that size about a place begins: at the edge it is whole, though beside it. */
static double
place_mark (double place,
            double size,
            double extent)
{
  double begin = floor (place - size / 2.0);

  return place < 0.0 || place > extent ? begin : CLAMP (begin, 0.0, MAX (0.0, extent - size));
}

static void
draw_dots (TareLinePlot        *self,
           GtkSnapshot         *snapshot,
           const TarePlotFrame *frame)
{
  double last = -INFINITY;
  guint first, end;

  get_shown (self, frame, &first, &end);
  for (guint i = first; i < end; i++)
    {
      double x = tare_plot_frame_get_x (frame, self->x[i]);

      if (!is_drawn (frame, self->x[i], self->y[i])
          || (x - last < DOT_ROOM && !tare_plot_is_selected ((TarePlot *) self, i)))
        continue;
      _tare_ink_box (snapshot, &frame->color, place_mark (x, DOT, frame->width),
                     place_mark (tare_plot_frame_get_y (frame, self->y[i]), DOT, frame->height),
                     DOT, DOT);
      last = x;
    }
}

static void
draw_selected (TareLinePlot        *self,
               GtkSnapshot         *snapshot,
               const TarePlotFrame *frame)
{
  guint first, end;

  if (!tare_plot_has_selected ((TarePlot *) self))
    return;

  get_shown (self, frame, &first, &end);
  for (guint i = first; i < end; i++)
    if (tare_plot_is_selected ((TarePlot *) self, i) && is_drawn (frame, self->x[i], self->y[i]))
      {
        double x = place_mark (tare_plot_frame_get_x (frame, self->x[i]), SELECTED, frame->width);
        double y = place_mark (tare_plot_frame_get_y (frame, self->y[i]), SELECTED, frame->height);

        _tare_ink_box (snapshot, &frame->background, x, y, SELECTED, SELECTED);
        _tare_ink_box (snapshot, &frame->accent, x + 1.0, y + 1.0, SELECTED - 2.0, SELECTED - 2.0);
      }
}

static void
snapshot (TarePlot            *plot,
          GtkSnapshot         *target,
          const TarePlotFrame *frame)
{
  TareLinePlot *self = (TareLinePlot *) plot;
  cairo_t *cr;

  if (self->n == 0)
    return;

  cr = gtk_snapshot_append_cairo (target, &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) frame->width,
                                                               (float) frame->height));
  if (self->low != NULL)
    draw_band (self, frame, cr);
  if ((self->style & TARE_LINE_STYLE_FILLED) != 0)
    {
      trace (self, frame, self->y, cr, get_base (frame));
      set_color (cr, &frame->color, FILL_ALPHA);
      cairo_fill (cr);
    }
  if ((self->style & TARE_LINE_STYLE_DASHED) != 0)
    cairo_set_dash (cr, (const double[]) { DASH, DASH / 2.0 }, 2, 0.0);

  trace (self, frame, self->y, cr, NAN);
  set_color (cr, &frame->color, 1.0);
  cairo_set_line_width (cr, frame->high_contrast ? LINE_WIDTH + 1.0 : LINE_WIDTH);
  cairo_set_line_join (cr, CAIRO_LINE_JOIN_BEVEL);
  cairo_stroke (cr);
  cairo_destroy (cr);

  if ((self->style & TARE_LINE_STYLE_DOTS) != 0 || self->n == 1)
    draw_dots (self, target, frame);
  draw_selected (self, target, frame);
}

static guint
get_n_points (TarePlot *plot)
{
  return ((TareLinePlot *) plot)->n;
}

static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  *x = ((TareLinePlot *) plot)->x[point];
  *y = ((TareLinePlot *) plot)->y[point];

  return isfinite (*x);
}

/* The nearest point along x; of several in one column of pixels the nearest of all. */
static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareLinePlot *self = (TareLinePlot *) plot;
  guint first, end, nearest = TARE_PLOT_NO_POINT;
  double least = INFINITY;

  get_shown (self, frame, &first, &end);
  for (guint i = first; i < end; i++)
    {
      double place = tare_plot_frame_get_x (frame, self->x[i]);
      double away;

      if (!is_drawn (frame, self->x[i], self->y[i]) || place < 0.0 || place > frame->width)
        continue;

      away = fabs (floor (place) - floor (x)) * frame->height
             + fabs (tare_plot_frame_get_y (frame, self->y[i]) - y);
      if (away < least)
        {
          least = away;
          nearest = i;
        }
    }

  if (nearest != TARE_PLOT_NO_POINT
      && fabs (tare_plot_frame_get_y (frame, self->y[nearest]) - y) > frame->reach)
    return TARE_PLOT_NO_POINT;

  return nearest;
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareLinePlot *self = (TareLinePlot *) plot;
  const char *label = tare_plot_get_label (plot);
  char x[TARE_TICK_LABEL_SIZE], y[TARE_TICK_LABEL_SIZE];
  g_autofree char *place = NULL;

  tare_ticks_format_exact (self->x[point], x);
  if (isnan (self->y[point]))
    return g_strdup_printf (_("%s: no value"), x);

  tare_ticks_format_exact (self->y[point], y);
  place = g_strdup_printf ("%s%s%s: %s", label != NULL ? label : "", label != NULL ? ", " : "",
                           x, y);
  if (self->low == NULL || isnan (self->low[point]) || isnan (self->high[point]))
    return g_steal_pointer (&place);

  tare_ticks_format_exact (self->low[point], x);
  tare_ticks_format_exact (self->high[point], y);

  /* translators: a value, and the least and the greatest that it may be */
  return g_strdup_printf (_("%s (%s to %s)"), place, x, y);
}

static char *
describe (TarePlot *plot)
{
  TareLinePlot *self = (TareLinePlot *) plot;
  const char *label = tare_plot_get_label (plot);
  char least_x[TARE_TICK_LABEL_SIZE], least[TARE_TICK_LABEL_SIZE];
  char greatest_x[TARE_TICK_LABEL_SIZE], greatest[TARE_TICK_LABEL_SIZE];
  guint low = TARE_PLOT_NO_POINT, high = TARE_PLOT_NO_POINT;

  for (guint i = 0; i < self->n; i++)
    {
      if (!isfinite (self->y[i]))
        continue;
      if (low == TARE_PLOT_NO_POINT || self->y[i] < self->y[low])
        low = i;
      if (high == TARE_PLOT_NO_POINT || self->y[i] > self->y[high])
        high = i;
    }
  if (low == TARE_PLOT_NO_POINT)
    return g_strdup (_("A line without points."));

  tare_ticks_format_exact (self->x[low], least_x);
  tare_ticks_format_exact (self->y[low], least);
  tare_ticks_format_exact (self->x[high], greatest_x);
  tare_ticks_format_exact (self->y[high], greatest);

  return g_strdup_printf (_("%s: %u points, greatest %s at %s, least %s at %s."),
                          label != NULL ? label : _("Line"), self->n, greatest, greatest_x, least,
                          least_x);
}

static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareLinePlot *self = (TareLinePlot *) plot;

  g_string_append (csv, self->low != NULL ? "x,y,low,high\n" : "x,y\n");
  for (guint i = 0; i < self->n; i++)
    {
      tare_plot_csv_number (csv, self->x[i]);
      g_string_append_c (csv, ',');
      tare_plot_csv_number (csv, self->y[i]);
      if (self->low != NULL)
        {
          g_string_append_c (csv, ',');
          tare_plot_csv_number (csv, self->low[i]);
          g_string_append_c (csv, ',');
          tare_plot_csv_number (csv, self->high[i]);
        }
      g_string_append_c (csv, '\n');
    }
}

static void
clear (TareLinePlot *self)
{
  g_clear_pointer (&self->x, g_free);
  g_clear_pointer (&self->y, g_free);
  g_clear_pointer (&self->low, g_free);
  g_clear_pointer (&self->high, g_free);
  self->n = 0;
}

static void
tare_line_plot_finalize (GObject *object)
{
  clear ((TareLinePlot *) object);

  G_OBJECT_CLASS (tare_line_plot_parent_class)->finalize (object);
}

static void
tare_line_plot_class_init (TareLinePlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = tare_line_plot_finalize;

  plot_class->get_bounds = get_bounds;
  plot_class->snapshot = snapshot;
  plot_class->get_n_points = get_n_points;
  plot_class->get_point = get_point;
  plot_class->lookup = lookup;
  plot_class->describe_point = describe_point;
  plot_class->describe = describe;
  plot_class->write_csv = write_csv;
}

static void
tare_line_plot_init (TareLinePlot *self)
{
}

/**
 * tare_line_plot_new:
 *
 * Returns: (transfer full): a line without points
 */
TarePlot *
tare_line_plot_new (void)
{
  return g_object_new (TARE_TYPE_LINE_PLOT, NULL);
}

/**
 * tare_line_plot_set_points:
 * @self: the plot
 * @x: (nullable) (array length=n): where the points are, never falling; copied
 * @y: (nullable) (array length=n): their values, NaN where the line is broken; copied
 * @n: how many
 *
 * Takes the band away.
 */
void
tare_line_plot_set_points (TareLinePlot *self,
                           const double *x,
                           const double *y,
                           guint         n)
{
  g_return_if_fail (TARE_IS_LINE_PLOT (self));
  g_return_if_fail (n == 0 || (x != NULL && y != NULL));

  clear (self);
  self->x = g_memdup2 (x, n * sizeof *x);
  self->y = g_memdup2 (y, n * sizeof *y);
  self->n = n;
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_line_plot_set_band:
 * @self: the plot
 * @low: (nullable): for each point the least that its value may be, NaN where that is not known;
 *   copied
 * @high: (nullable): for each the greatest
 */
void
tare_line_plot_set_band (TareLinePlot *self,
                         const double *low,
                         const double *high)
{
  g_return_if_fail (TARE_IS_LINE_PLOT (self));
  g_return_if_fail ((low == NULL) == (high == NULL));

  g_free (self->low);
  g_free (self->high);
  self->low = g_memdup2 (low, self->n * sizeof *low);
  self->high = g_memdup2 (high, self->n * sizeof *high);
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_line_plot_set_style:
 * @self: the plot
 * @style: how it is drawn
 */
void
tare_line_plot_set_style (TareLinePlot  *self,
                          TareLineStyle  style)
{
  g_return_if_fail (TARE_IS_LINE_PLOT (self));

  if (self->style == style)
    return;

  self->style = style;
  tare_plot_changed (TARE_PLOT (self));
}
