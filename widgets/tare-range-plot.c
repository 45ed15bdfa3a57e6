/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-range-plot.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "widgets/tare-ink-private.h"

/* How strong the bands are, from the outermost inwards. */
static const float alphas[3] = { 0.28f, 0.5f, 0.85f };

/**
 * TareRangePlot:
 *
 * The spread of many channels: from the least value to the greatest, from the first percentile to
 * the last and over the middle half, one inside the other, with the median. In the order of the
 * channels or by falling magnitude. Where several fall into a column of pixels it shows the least
 * and the greatest of all of them.
 */
struct _TareRangePlot
{
  TarePlot    parent_instance;

  TareRangeBand  *ranges;
  guint       n;
  guint      *order;   /* channel at each place */
  char       *name;
};

G_DEFINE_FINAL_TYPE (TareRangePlot, tare_range_plot, TARE_TYPE_PLOT)

/* The bands by their lower and upper edges. */
static void
get_band (const TareRangeBand *range,
          guint            band,
          float           *low,
          float           *high)
{
  const float lows[3] = { range->minimum, range->low, range->lower };
  const float highs[3] = { range->maximum, range->high, range->upper };

  *low = lows[band];
  *high = highs[band];
}

static float
get_magnitude (const TareRangeBand *range)
{
  return MAX (fabsf (range->minimum), fabsf (range->maximum));
}

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareRangePlot *self = (TareRangePlot *) plot;
  gboolean log = y_scale == TARE_AXIS_SCALE_LOG;

  if (self->n == 0)
    return;

  x[0] = -0.5;
  x[1] = self->n - 0.5;
  for (guint i = 0; i < self->n; i++)
    {
      const TareRangeBand *range = &self->ranges[i];

      if (!isfinite (range->minimum) || !isfinite (range->maximum)
          || (log && range->maximum <= 0.0f))
        continue;
      if (!log || range->minimum > 0.0f)
        y[0] = isnan (y[0]) ? (double) range->minimum : MIN (y[0], (double) range->minimum);
      y[1] = isnan (y[1]) ? (double) range->maximum : MAX (y[1], (double) range->maximum);
      y[0] = isnan (y[0]) ? y[1] : y[0];
    }
}

/* Of the channels at the places from @first to before @end, the outermost edge of each band. */
static void
pool (TareRangePlot *self,
      guint          first,
      guint          end,
      float          lows[3],
      float          highs[3])
{
  for (guint band = 0; band < 3; band++)
    {
      lows[band] = INFINITY;
      highs[band] = -INFINITY;
      for (guint place = first; place < end; place++)
        {
          float low, high;

          get_band (&self->ranges[self->order[place]], band, &low, &high);
          lows[band] = low < lows[band] ? low : lows[band];
          highs[band] = high > highs[band] ? high : highs[band];
        }
    }
}

static void
draw_places (TareRangePlot       *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame,
             guint                first,
             guint                end,
             double               left,
             double               width)
{
  float lows[3], highs[3];

  pool (self, first, end, lows, highs);
  for (guint band = 0; band < 3; band++)
    {
      GdkRGBA color = frame->color;
      double top, foot;

      if (!(lows[band] <= highs[band]))
        continue;
      top = CLAMP (tare_plot_frame_get_y (frame, (double) highs[band]), 0.0, frame->height);
      foot = CLAMP (tare_plot_frame_get_y (frame, (double) lows[band]), 0.0, frame->height);
      color.alpha = frame->high_contrast ? alphas[band] * 0.7f + 0.3f : alphas[band];
      _tare_ink_box (snapshot, &color, left, MIN (top, frame->height - 1.0), width,
                     MAX (1.0, foot - top));
    }
}

static void
draw_median (TareRangePlot       *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame,
             guint                place,
             double               left,
             double               width)
{
  float median = self->ranges[self->order[place]].median;
  double y = tare_plot_frame_get_y (frame, (double) median);

  if (!isnan (median) && y >= 0.0 && y < frame->height)
    _tare_ink_box (snapshot, &frame->background, left, floor (y), width, 1.0);
}

/* A light band behind what is selected, from top to foot, and a mark at the top. */
static void
draw_selected (TareRangePlot       *self,
               GtkSnapshot         *snapshot,
               const TarePlotFrame *frame,
               double               pitch)
{
  GdkRGBA band = frame->foreground;

  if (!tare_plot_has_selected ((TarePlot *) self))
    return;

  band.alpha *= 0.14f;
  for (guint place = 0; place < self->n; place++)
    {
      double width = MAX (1.0, pitch);
      double left = tare_plot_frame_get_x (frame, place) - width / 2.0;

      if (!tare_plot_is_selected ((TarePlot *) self, place) || left > frame->width
          || left + width < 0.0)
        continue;
      _tare_ink_box (snapshot, &band, floor (left) - 1.0, 0.0, width + 2.0, frame->height);
      _tare_ink_box (snapshot, &frame->accent, floor (left) - 1.0, 0.0, width + 2.0, 4.0);
    }
}

static void
draw_pixels (TareRangePlot       *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame)
{
  for (guint pixel = 0; pixel < (guint) frame->width; pixel++)
    {
      double begin = tare_axis_denormalize (frame->x, pixel / frame->width) + 0.5;
      double end = tare_axis_denormalize (frame->x, (pixel + 1) / frame->width) + 0.5;

      if (end <= 0.0 || begin >= self->n)
        continue;
      draw_places (self, snapshot, frame, (guint) MAX (0.0, floor (begin)),
                   (guint) CLAMP (ceil (end), 1.0, (double) self->n), pixel, 1.0);
    }
}

static void
snapshot (TarePlot            *plot,
          GtkSnapshot         *target,
          const TarePlotFrame *frame)
{
  TareRangePlot *self = (TareRangePlot *) plot;
  double lower, upper, pitch;

  if (self->n == 0)
    return;

  tare_axis_get_range (frame->x, &lower, &upper);
  pitch = frame->width / (upper - lower);
  draw_selected (self, target, frame, pitch);
  if (pitch < 1.0)
    {
      draw_pixels (self, target, frame);
      return;
    }

  for (guint place = (guint) MAX (0.0, floor (lower)); place < self->n && place <= upper + 1.0;
       place++)
    {
      double width = pitch >= 4.0 ? floor (pitch * 0.85) : pitch;
      double left = tare_plot_frame_get_x (frame, place) - pitch / 2.0;

      draw_places (self, target, frame, place, place + 1, left, width);
      draw_median (self, target, frame, place, left, width);
    }
}

static guint
get_n_points (TarePlot *plot)
{
  return ((TareRangePlot *) plot)->n;
}

/* A point is a place; what is farther from zero is where it is. */
static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  TareRangePlot *self = (TareRangePlot *) plot;
  const TareRangeBand *range = &self->ranges[self->order[point]];

  *x = point;
  *y = (double) (fabsf (range->minimum) > fabsf (range->maximum) ? range->minimum
                                                                 : range->maximum);

  return TRUE;
}

/* Of several channels in a column of pixels the one of the greatest magnitude. */
static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareRangePlot *self = (TareRangePlot *) plot;
  double begin = rint (tare_axis_denormalize (frame->x, floor (x) / frame->width));
  double end = rint (tare_axis_denormalize (frame->x, (floor (x) + 1.0) / frame->width));
  guint place, greatest;

  if (self->n == 0 || end < 0.0 || begin >= self->n)
    return TARE_PLOT_NO_POINT;

  greatest = place = (guint) MAX (begin, 0.0);
  for (; place < self->n && place < end; place++)
    if (get_magnitude (&self->ranges[self->order[place]])
        > get_magnitude (&self->ranges[self->order[greatest]]))
      greatest = place;

  return greatest;
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareRangePlot *self = (TareRangePlot *) plot;
  const TareRangeBand *range = &self->ranges[self->order[point]];
  const float values[5] = { range->minimum, range->low, range->median, range->high,
                            range->maximum };
  const char *name = self->name != NULL ? self->name : _("channel");
  char text[5][TARE_TICK_LABEL_SIZE];

  for (guint i = 0; i < 5; i++)
    tare_ticks_format_exact ((double) values[i], text[i]);
  if (isnan (range->median) || isnan (range->low))
    return g_strdup_printf (_("%s %u: from %s to %s"), name, self->order[point], text[0], text[4]);

  return g_strdup_printf (_("%s %u: from %s to %s, median %s, 98 %% from %s to %s"), name,
                          self->order[point], text[0], text[4], text[2], text[1], text[3]);
}

static char *
describe (TarePlot *plot)
{
  TareRangePlot *self = (TareRangePlot *) plot;
  guint greatest = 0;
  g_autofree char *text = NULL;

  if (self->n == 0)
    return g_strdup (_("No ranges."));

  for (guint place = 1; place < self->n; place++)
    if (get_magnitude (&self->ranges[self->order[place]])
        > get_magnitude (&self->ranges[self->order[greatest]]))
      greatest = place;
  text = describe_point (plot, greatest);

  return g_strdup_printf (_("Ranges of %u channels. Widest: %s."), self->n, text);
}

static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareRangePlot *self = (TareRangePlot *) plot;

  g_string_append (csv, "channel,minimum,1 %,25 %,median,75 %,99 %,maximum\n");
  for (guint place = 0; place < self->n; place++)
    {
      const TareRangeBand *range = &self->ranges[self->order[place]];
      const float values[7] = { range->minimum, range->low, range->lower, range->median,
                                range->upper, range->high, range->maximum };

      g_string_append_printf (csv, "%u", self->order[place]);
      for (guint i = 0; i < 7; i++)
        {
          g_string_append_c (csv, ',');
          tare_plot_csv_number (csv, (double) values[i]);
        }
      g_string_append_c (csv, '\n');
    }
}

static void
tare_range_plot_finalize (GObject *object)
{
  TareRangePlot *self = (TareRangePlot *) object;

  g_free (self->ranges);
  g_free (self->order);
  g_free (self->name);

  G_OBJECT_CLASS (tare_range_plot_parent_class)->finalize (object);
}

static void
tare_range_plot_class_init (TareRangePlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = tare_range_plot_finalize;

  plot_class->get_bounds = get_bounds;
  plot_class->snapshot = snapshot;
  plot_class->get_n_points = get_n_points;
  plot_class->get_point = get_point;
  plot_class->lookup = lookup;
  plot_class->describe_point = describe_point;
  plot_class->describe = describe;
  plot_class->write_csv = write_csv;
  plot_class->columns = TRUE;
}

static void
tare_range_plot_init (TareRangePlot *self)
{
}

/**
 * tare_range_plot_new:
 *
 * Returns: (transfer full): a plot without channels
 */
TarePlot *
tare_range_plot_new (void)
{
  return g_object_new (TARE_TYPE_RANGE_PLOT, NULL);
}

/**
 * tare_range_plot_set_ranges:
 * @self: the plot
 * @ranges: (nullable) (array length=n): the spread of each channel; copied
 * @n: channels
 *
 * Puts them in their own order. A selection is of channels, whatever their order.
 */
void
tare_range_plot_set_ranges (TareRangePlot   *self,
                            const TareRangeBand *ranges,
                            guint            n)
{
  g_return_if_fail (TARE_IS_RANGE_PLOT (self));
  g_return_if_fail (ranges != NULL || n == 0);

  g_free (self->ranges);
  self->ranges = g_memdup2 (ranges, n * sizeof *ranges);
  self->n = n;
  tare_range_plot_set_order (self, NULL);
}

/**
 * tare_range_plot_set_order:
 * @self: the plot
 * @order: (nullable): the channel that stands at each place, as many as there are; %NULL for their
 *   own order; copied
 */
void
tare_range_plot_set_order (TareRangePlot *self,
                           const guint   *order)
{
  g_return_if_fail (TARE_IS_RANGE_PLOT (self));

  if (order == NULL || order != self->order)
    {
      g_free (self->order);
      self->order = g_new (guint, MAX (self->n, 1u));
      for (guint place = 0; place < self->n; place++)
        {
          self->order[place] = order != NULL ? order[place] : place;
          g_return_if_fail (self->order[place] < self->n);
        }
    }
  tare_plot_set_ids (TARE_PLOT (self), self->order, self->n);
  tare_plot_changed (TARE_PLOT (self));
}

static int
compare_magnitudes (gconstpointer a,
                    gconstpointer b,
                    gpointer      data)
{
  const TareRangeBand *ranges = data;
  float first = get_magnitude (&ranges[*(const guint *) a]);
  float second = get_magnitude (&ranges[*(const guint *) b]);

  return (second > first) - (second < first);
}

/**
 * tare_range_plot_set_sorted:
 * @self: the plot
 * @sorted: whether the channels stand by falling magnitude, or in their own order
 */
void
tare_range_plot_set_sorted (TareRangePlot *self,
                            gboolean       sorted)
{
  g_return_if_fail (TARE_IS_RANGE_PLOT (self));

  tare_range_plot_set_order (self, NULL);
  if (!sorted || self->n == 0)
    return;

  g_qsort_with_data (self->order, (gint) self->n, sizeof (guint), compare_magnitudes,
                     self->ranges);
  tare_range_plot_set_order (self, self->order);
}

/**
 * tare_range_plot_set_name:
 * @self: the plot
 * @name: (nullable): what one of the channels is called, "input"
 */
void
tare_range_plot_set_name (TareRangePlot *self,
                          const char    *name)
{
  g_return_if_fail (TARE_IS_RANGE_PLOT (self));

  g_free (self->name);
  self->name = g_strdup (name);
}
