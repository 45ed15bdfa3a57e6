/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-bar-plot.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "widgets/tare-ink-private.h"

/* Part of its place that a bar fills, and the width in pixels from which there is a gap at all. */
#define FILLED 0.8
#define GAP_FROM 4.0

/**
 * TareBarPlot:
 *
 * One bar for each of many things, at x = 0, 1, 2, ..., with an error where one is known. Where
 * bars are narrower than a pixel, each column of pixels shows the highest of its bars.
 */
struct _TareBarPlot
{
  TarePlot   parent_instance;

  char     **labels;
  double    *values;
  double    *errors;
  guint      n;
};

enum
{
  BAR_ACTIVATED,
  N_SIGNALS
};

G_DEFINE_FINAL_TYPE (TareBarPlot, tare_bar_plot, TARE_TYPE_PLOT)

static guint signals[N_SIGNALS];

static double
get_error (TareBarPlot *self,
           guint        bar)
{
  double error = self->errors != NULL ? self->errors[bar] : 0.0;

  return isfinite (error) && error > 0.0 ? error : 0.0;
}

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareBarPlot *self = (TareBarPlot *) plot;
  gboolean log = y_scale == TARE_AXIS_SCALE_LOG;
  double least = INFINITY, greatest = -INFINITY;

  for (guint i = 0; i < self->n; i++)
    {
      double value = self->values[i];

      if (!isfinite (value) || (log && value <= 0.0))
        continue;
      least = MIN (least, log ? value : value - get_error (self, i));
      greatest = MAX (greatest, value + get_error (self, i));
    }

  if (self->n > 0)
    {
      x[0] = -0.5;
      x[1] = self->n - 0.5;
    }
  if (least > greatest)
    return;

  if (log)
    {
      /* Below the least bar there is room, or it would look like nothing. */
      y[0] = least / MAX (2.0, pow (greatest / least, 0.1));
      y[1] = greatest * MAX (1.2, pow (greatest / least, 0.05));
    }
  else
    {
      y[0] = MIN (0.0, least * 1.05);
      y[1] = MAX (0.0, greatest * 1.05);
    }
}

static char **
dup_categories (TarePlot *plot)
{
  TareBarPlot *self = (TareBarPlot *) plot;

  return self->n > 0 ? g_strdupv (self->labels) : NULL;
}

static void
draw_error (TareBarPlot         *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame,
            guint                bar,
            double               middle,
            double               width)
{
  double error = get_error (self, bar);
  double top = tare_plot_frame_get_y (frame, self->values[bar] + error);
  double bottom = MIN (tare_plot_frame_get_y (frame, self->values[bar] - error), frame->height);
  double cap = CLAMP (floor (width * 0.4), 1.0, 7.0);
  double value = CLAMP (tare_plot_frame_get_y (frame, self->values[bar]), 0.0, frame->height);

  if (error == 0.0)
    return;

  middle = floor (middle);
  top = MAX (top, 0.0);
  _tare_ink_box (snapshot, &frame->foreground, middle, top, 1.0, MAX (1.0, bottom - top));
  _tare_ink_box (snapshot, &frame->foreground, middle - floor (cap / 2.0), top, cap, 1.0);
  _tare_ink_box (snapshot, &frame->foreground, middle - floor (cap / 2.0), bottom - 1.0, cap, 1.0);

  /* A bar that is set apart has the colour of the line, which would be lost on it. */
  if (tare_plot_is_selected ((TarePlot *) self, bar) && self->values[bar] > 0.0)
    {
      _tare_ink_box (snapshot, &frame->background, middle, value + 1.0, 1.0,
                     MAX (0.0, bottom - value - 1.0));
      _tare_ink_box (snapshot, &frame->background, middle - floor (cap / 2.0), bottom - 1.0, cap,
                     1.0);
    }
}

/* A bar from the base line to its value; a value that is there shows at least a line. */
static void
draw_bar (GtkSnapshot         *snapshot,
          const TarePlotFrame *frame,
          double               value,
          gboolean             highlighted,
          double               left,
          double               width)
{
  GdkRGBA band = frame->foreground;
  double base, top, low;

  if (highlighted)
    {
      band.alpha *= 0.14f;
      _tare_ink_box (snapshot, &band, left - 1.0, 0.0, width + 2.0, frame->height);
    }
  if (!isfinite (value))
    return;

  base = tare_axis_get_scale (frame->y) == TARE_AXIS_SCALE_LOG
           ? frame->height : CLAMP (tare_plot_frame_get_y (frame, 0.0), 0.0, frame->height);
  top = CLAMP (tare_plot_frame_get_y (frame, value), 0.0, frame->height);
  low = MAX (base, top);
  top = MIN (base, top);
  if (low - top < 1.0)
    top = MAX (0.0, low - 1.0);

  _tare_ink_box (snapshot, highlighted ? &frame->accent : &frame->color, left, top, width,
                 MAX (1.0, low - top));
  if (highlighted && width >= GAP_FROM)
    _tare_ink_ring (snapshot, &frame->foreground, left - 1.0, top - 1.0, width + 2.0,
                    low - top + 1.0, 1.0);
}

static void
draw_pixels (TareBarPlot         *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame)
{
  for (guint pixel = 0; pixel < (guint) frame->width; pixel++)
    {
      double begin = tare_axis_denormalize (frame->x, pixel / frame->width) + 0.5;
      double end = tare_axis_denormalize (frame->x, (pixel + 1) / frame->width) + 0.5;
      guint last = (guint) CLAMP (ceil (end) - 1.0, 0.0, self->n - 1.0);
      double extreme = NAN;
      gboolean highlighted = FALSE;

      if (end <= 0.0 || begin >= self->n)
        continue;

      for (guint bar = (guint) MAX (0.0, floor (begin)); bar <= last; bar++)
        {
          highlighted |= tare_plot_is_selected ((TarePlot *) self, bar);
          if (isnan (extreme) || fabs (self->values[bar]) > fabs (extreme))
            extreme = self->values[bar];
        }
      draw_bar (snapshot, frame, extreme, highlighted, pixel, 1.0);
    }
}

static void
snapshot (TarePlot            *plot,
          GtkSnapshot         *target,
          const TarePlotFrame *frame)
{
  TareBarPlot *self = (TareBarPlot *) plot;
  double minimum, maximum, place;

  if (self->n == 0)
    return;

  tare_axis_get_range (frame->x, &minimum, &maximum);
  place = frame->width / (maximum - minimum);
  if (place < 1.0)
    {
      draw_pixels (self, target, frame);
      return;
    }

  for (guint bar = (guint) MAX (0.0, floor (minimum)); bar < self->n && bar <= maximum + 1.0;
       bar++)
    {
      double filled = place >= GAP_FROM ? MAX (1.0, floor (place * FILLED)) : place;
      double middle = tare_plot_frame_get_x (frame, bar);
      double left = place >= GAP_FROM ? round (middle - filled / 2.0) : middle - filled / 2.0;

      draw_bar (target, frame, self->values[bar], tare_plot_is_selected (plot, bar), left, filled);
      if (isfinite (self->values[bar]))
        draw_error (self, target, frame, bar, middle, filled);
    }
}

static guint
get_n_points (TarePlot *plot)
{
  return ((TareBarPlot *) plot)->n;
}

static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  *x = point;
  *y = ((TareBarPlot *) plot)->values[point];

  return TRUE;
}

static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareBarPlot *self = (TareBarPlot *) plot;
  double place = round (tare_axis_denormalize (frame->x, x / frame->width));

  return place >= 0.0 && place < self->n ? (guint) place : TARE_PLOT_NO_POINT;
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareBarPlot *self = (TareBarPlot *) plot;
  char value[TARE_TICK_LABEL_SIZE], error[TARE_TICK_LABEL_SIZE];

  if (isnan (self->values[point]))
    return g_strdup_printf (_("%s: no value"), self->labels[point]);

  tare_ticks_format_exact (self->values[point], value);
  if (get_error (self, point) == 0.0)
    return g_strdup_printf ("%s: %s", self->labels[point], value);

  tare_ticks_format_exact (get_error (self, point), error);

  return g_strdup_printf ("%s: %s ± %s", self->labels[point], value, error);
}

static char *
describe (TarePlot *plot)
{
  TareBarPlot *self = (TareBarPlot *) plot;
  guint least = TARE_PLOT_NO_POINT, greatest = TARE_PLOT_NO_POINT;
  g_autofree char *low = NULL;
  g_autofree char *high = NULL;

  for (guint i = 0; i < self->n; i++)
    {
      if (!isfinite (self->values[i]))
        continue;
      if (least == TARE_PLOT_NO_POINT || self->values[i] < self->values[least])
        least = i;
      if (greatest == TARE_PLOT_NO_POINT || self->values[i] > self->values[greatest])
        greatest = i;
    }

  if (least == TARE_PLOT_NO_POINT)
    return g_strdup (_("A bar chart without values."));

  low = describe_point (plot, least);
  high = describe_point (plot, greatest);

  return g_strdup_printf (_("%u bars. Greatest: %s. Least: %s."), self->n, high, low);
}

static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareBarPlot *self = (TareBarPlot *) plot;

  g_string_append (csv, self->errors != NULL ? "name,value,error\n" : "name,value\n");
  for (guint i = 0; i < self->n; i++)
    {
      tare_plot_csv_text (csv, self->labels[i]);
      g_string_append_c (csv, ',');
      tare_plot_csv_number (csv, self->values[i]);
      if (self->errors != NULL)
        {
          g_string_append_c (csv, ',');
          tare_plot_csv_number (csv, self->errors[i]);
        }
      g_string_append_c (csv, '\n');
    }
}

static void
activate (TarePlot        *plot,
          guint            point,
          GdkModifierType  state)
{
  g_signal_emit (plot, signals[BAR_ACTIVATED], 0, point, state);
}

static void
tare_bar_plot_finalize (GObject *object)
{
  TareBarPlot *self = (TareBarPlot *) object;

  g_strfreev (self->labels);
  g_free (self->values);
  g_free (self->errors);

  G_OBJECT_CLASS (tare_bar_plot_parent_class)->finalize (object);
}

static void
tare_bar_plot_class_init (TareBarPlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = tare_bar_plot_finalize;

  plot_class->get_bounds = get_bounds;
  plot_class->dup_categories = dup_categories;
  plot_class->snapshot = snapshot;
  plot_class->get_n_points = get_n_points;
  plot_class->get_point = get_point;
  plot_class->lookup = lookup;
  plot_class->describe_point = describe_point;
  plot_class->describe = describe;
  plot_class->write_csv = write_csv;
  plot_class->activate = activate;

  /**
   * TareBarPlot::bar-activated:
   * @bar: the bar that was clicked, or chosen with Return
   * @state: the modifiers that were held, so that Control can add to a selection
   */
  signals[BAR_ACTIVATED] = g_signal_new ("bar-activated", G_TYPE_FROM_CLASS (klass),
                                         G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                         G_TYPE_NONE, 2, G_TYPE_UINT, GDK_TYPE_MODIFIER_TYPE);
}

static void
tare_bar_plot_init (TareBarPlot *self)
{
}

/**
 * tare_bar_plot_new:
 *
 * Returns: (transfer full): a plot without bars
 */
TarePlot *
tare_bar_plot_new (void)
{
  return g_object_new (TARE_TYPE_BAR_PLOT, NULL);
}

/**
 * tare_bar_plot_set_bars:
 * @self: the plot
 * @labels: (nullable): a name for each bar; may be %NULL only for no bars
 * @values: (nullable) (array length=n): their heights, NaN where there is none; copied
 * @errors: (nullable) (array length=n): half the length of the error lines; copied
 * @n: how many bars
 *
 * Takes the highlights away if the number of bars is another one.
 */
void
tare_bar_plot_set_bars (TareBarPlot       *self,
                        const char *const *labels,
                        const double      *values,
                        const double      *errors,
                        guint              n)
{
  g_return_if_fail (TARE_IS_BAR_PLOT (self));
  g_return_if_fail (n == 0 || (labels != NULL && values != NULL));
  g_return_if_fail (n == 0 || g_strv_length ((char **) labels) == n);

  if (n != self->n)
    tare_plot_set_selected (TARE_PLOT (self), NULL, 0);

  g_strfreev (self->labels);
  g_free (self->values);
  g_free (self->errors);
  self->labels = n > 0 ? g_strdupv ((char **) labels) : NULL;
  self->values = g_memdup2 (values, n * sizeof *values);
  self->errors = g_memdup2 (errors, n * sizeof *errors);
  self->n = n;
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_bar_plot_set_highlighted:
 * @self: the plot
 * @bars: (nullable) (array length=n): the bars to set apart from the others, by their ids
 * @n: how many
 */
void
tare_bar_plot_set_highlighted (TareBarPlot *self,
                               const guint *bars,
                               guint        n)
{
  g_return_if_fail (TARE_IS_BAR_PLOT (self));

  tare_plot_set_selected (TARE_PLOT (self), bars, n);
}

/**
 * tare_bar_plot_is_highlighted:
 * @self: the plot
 * @bar: a bar
 *
 * Returns: whether it is set apart
 */
gboolean
tare_bar_plot_is_highlighted (TareBarPlot *self,
                              guint        bar)
{
  g_return_val_if_fail (TARE_IS_BAR_PLOT (self), FALSE);

  return bar < self->n && tare_plot_is_selected (TARE_PLOT (self), bar);
}
