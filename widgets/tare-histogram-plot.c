/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-histogram-plot.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "widgets/tare-ink-private.h"

/*
 * At most so many bars are drawn. Weights that were rounded once lie on a grid of their own, and
 * bars hardly wider than its steps would show the beat of the two grids and not the weights: BF16
 * has steps of up to 1/128 of the value, about half of such a bar at the end of the axis.
 */
#define MAX_BARS 256

/* Bars this wide, in pixels, are set apart by a gap. */
#define GAP_FROM 5.0

/* What a file may scale has no whole pixels: there a bar reaches so far into the next. */
#define OVERLAP 0.5

/* How thick an outline is, in pixels. */
#define LINE 2.0

/**
 * TareHistogramPlot:
 *
 * How many values fall into each of many equal bins. Where there are too many to draw, each bar
 * stands for the same number of neighbouring bins and shows their sum; zooming in parts them again.
 * Where even bars are narrower than a pixel, each column of pixels shows the highest of its bars,
 * so that no outlier vanishes.
 */
struct _TareHistogramPlot
{
  TarePlot  parent_instance;

  guint64  *counts;
  guint     n;
  double    minimum;
  double    maximum;
  guint     merge;
  guint64   most;
  guint64   total;
  guint     mode;
  gboolean  outline;
};

G_DEFINE_FINAL_TYPE (TareHistogramPlot, tare_histogram_plot, TARE_TYPE_PLOT)

static double
bin_edge (TareHistogramPlot *self,
          guint              bin)
{
  return self->minimum + (self->maximum - self->minimum) * MIN (bin, self->n) / self->n;
}

/* How many bins a bar covers where @n of them are in sight: a power of two, so that bars part and
 * join but never shift. */
static guint
choose_merge (guint n)
{
  guint merge = 1;

  while (n > MAX_BARS * merge)
    merge *= 2;

  return merge;
}

/* The first bin of the bar that holds @bin. */
static guint
bar_begin (TareHistogramPlot *self,
           guint              bin)
{
  return bin - bin % self->merge;
}

/* Of all values in the bar that begins at @bin. */
static guint64
bar_count (TareHistogramPlot *self,
           guint              bin)
{
  guint64 count = 0;

  for (guint i = bin; i < self->n && i < bin + self->merge; i++)
    count += self->counts[i];

  return count;
}

/* The bin that holds @value; the last one also holds its end. */
static guint
find_bin (TareHistogramPlot *self,
          double             value)
{
  double place = (value - self->minimum) / (self->maximum - self->minimum) * self->n;

  return (guint) CLAMP (floor (place), 0.0, self->n - 1.0);
}

/* Bars part and join with what is in sight. */
static void
update_merge (TareHistogramPlot   *self,
              const TarePlotFrame *frame)
{
  double minimum, maximum;

  tare_axis_get_range (frame->x, &minimum, &maximum);
  self->merge = choose_merge (find_bin (self, maximum) - find_bin (self, minimum) + 1);
}

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareHistogramPlot *self = (TareHistogramPlot *) plot;

  if (self->n == 0)
    return;

  x[0] = self->minimum;
  x[1] = self->maximum;
  y[0] = y_scale == TARE_AXIS_SCALE_LOG ? 0.5 : 0.0;
  y[1] = MAX (1.0, (double) self->most) * (y_scale == TARE_AXIS_SCALE_LOG ? 1.6 : 1.05);
}

/* Draws one column; where only an outline is wanted, its top and the step from @before. */
static void
draw_column (TareHistogramPlot   *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame,
             guint64              count,
             double               left,
             double               right,
             double              *before)
{
  double top = count == 0 ? frame->height
                          : CLAMP (tare_plot_frame_get_y (frame, (double) count),
                                   0.0, frame->height - 1.0);

  left = CLAMP (left, 0.0, frame->width);
  right = CLAMP (right, 0.0, frame->width);
  if (right <= left)
    return;

  if (!self->outline)
    {
      if (count > 0)
        _tare_ink_box (snapshot, &frame->color, left, top, right - left, frame->height - top);
      return;
    }

  /* On whole pixels, or the line would blur. */
  top = floor (top);
  left = floor (left);
  if (count > 0)
    _tare_ink_box (snapshot, &frame->color, left, top, floor (right) - left, LINE);
  if (*before != top)
    _tare_ink_box (snapshot, &frame->color, left, MIN (top, *before), LINE,
                   fabs (*before - top) + LINE);
  *before = top;
}

static void
draw_bins (TareHistogramPlot   *self,
           GtkSnapshot         *snapshot,
           const TarePlotFrame *frame,
           guint                first,
           guint                last)
{
  double before = frame->height;

  for (guint bin = bar_begin (self, first); bin <= last; bin += self->merge)
    {
      double left = tare_plot_frame_get_x (frame, bin_edge (self, bin));
      double right = tare_plot_frame_get_x (frame, bin_edge (self, bin + self->merge));

      /* On whole pixels, or there would be a pale seam between any two bars. */
      if (!self->outline)
        {
          gboolean gap = right - left >= GAP_FROM;

          left = round (left);
          right = round (right) - (gap ? 1.0 : frame->exporting ? -OVERLAP : 0.0);
        }
      draw_column (self, snapshot, frame, bar_count (self, bin), left, right, &before);
    }
}

static void
draw_pixels (TareHistogramPlot   *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame)
{
  guint width = (guint) ceil (frame->width);
  double before = frame->height;

  for (guint pixel = 0; pixel < width; pixel++)
    {
      double begin = tare_axis_denormalize (frame->x, pixel / frame->width);
      double end = tare_axis_denormalize (frame->x, (pixel + 1) / frame->width);
      guint64 most = 0;

      if (end > self->minimum && begin < self->maximum)
        {
          guint first = find_bin (self, begin);
          guint last = find_bin (self, end);

          /* A bin that begins where this column ends belongs to the next. */
          if (last > first && bin_edge (self, last) >= end)
            last--;
          for (guint bin = bar_begin (self, first); bin <= last; bin += self->merge)
            most = MAX (most, bar_count (self, bin));
        }
      draw_column (self, snapshot, frame, most, pixel,
                   pixel + 1 + (frame->exporting && !self->outline ? OVERLAP : 0.0), &before);
    }
}

static void
snapshot (TarePlot            *plot,
          GtkSnapshot         *target,
          const TarePlotFrame *frame)
{
  TareHistogramPlot *self = (TareHistogramPlot *) plot;
  double minimum, maximum;
  guint first, last;

  tare_axis_get_range (frame->x, &minimum, &maximum);
  if (self->n == 0 || maximum < self->minimum || minimum > self->maximum)
    return;

  update_merge (self, frame);
  first = find_bin (self, minimum);
  last = find_bin (self, maximum);
  if ((last - first) / self->merge + 1 > frame->width)
    draw_pixels (self, target, frame);
  else
    draw_bins (self, target, frame, first, last);
}

static guint
get_n_points (TarePlot *plot)
{
  return ((TareHistogramPlot *) plot)->n;
}

static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  TareHistogramPlot *self = (TareHistogramPlot *) plot;

  point = bar_begin (self, point);
  *x = (bin_edge (self, point) + bin_edge (self, point + self->merge)) / 2.0;
  *y = (double) bar_count (self, point);

  return TRUE;
}

static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareHistogramPlot *self = (TareHistogramPlot *) plot;
  double value = tare_axis_denormalize (frame->x, x / frame->width);

  if (self->n == 0 || value < self->minimum || value > self->maximum)
    return TARE_PLOT_NO_POINT;

  update_merge (self, frame);

  return bar_begin (self, find_bin (self, value));
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareHistogramPlot *self = (TareHistogramPlot *) plot;
  char from[TARE_TICK_LABEL_SIZE], to[TARE_TICK_LABEL_SIZE], count[TARE_TICK_LABEL_SIZE];
  const char *label = tare_plot_get_label (plot);
  guint64 inside = bar_count (self, bar_begin (self, point));
  double share = self->total > 0 ? (double) inside / (double) self->total : 0.0;
  g_autofree char *text = NULL;

  point = bar_begin (self, point);
  tare_ticks_format_exact (bin_edge (self, point), from);
  tare_ticks_format_exact (bin_edge (self, point + self->merge), to);
  tare_ticks_format_exact ((double) inside, count);

  /* Translators: from one number to another there are so many values, a share of all of them. */
  text = g_strdup_printf (_("%s to %s: %s (%.3g %%)"), from, to, count, 100.0 * share);
  if (label == NULL)
    return g_steal_pointer (&text);

  return g_strdup_printf ("%s  %s", label, text);
}

static char *
describe (TarePlot *plot)
{
  TareHistogramPlot *self = (TareHistogramPlot *) plot;
  char from[TARE_TICK_LABEL_SIZE], to[TARE_TICK_LABEL_SIZE], mode[TARE_TICK_LABEL_SIZE];
  char total[TARE_TICK_LABEL_SIZE];
  double x = 0.0, y = 0.0;

  if (self->n == 0)
    return g_strdup (_("A histogram without values."));

  get_point (plot, self->mode, &x, &y);
  tare_ticks_format_exact (self->minimum, from);
  tare_ticks_format_exact (self->maximum, to);
  tare_ticks_format_exact (x, mode);
  tare_ticks_format_exact ((double) self->total, total);

  return g_strdup_printf (_("Histogram of %s values from %s to %s, most of them near %s."),
                          total, from, to, mode);
}

static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareHistogramPlot *self = (TareHistogramPlot *) plot;

  g_string_append (csv, "from,to,count\n");
  for (guint bin = 0; bin < self->n; bin++)
    {
      tare_plot_csv_number (csv, bin_edge (self, bin));
      g_string_append_c (csv, ',');
      tare_plot_csv_number (csv, bin_edge (self, bin + 1));
      g_string_append_printf (csv, ",%" G_GUINT64_FORMAT "\n", self->counts[bin]);
    }
}

static void
tare_histogram_plot_finalize (GObject *object)
{
  g_free (((TareHistogramPlot *) object)->counts);

  G_OBJECT_CLASS (tare_histogram_plot_parent_class)->finalize (object);
}

static void
tare_histogram_plot_class_init (TareHistogramPlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = tare_histogram_plot_finalize;

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
tare_histogram_plot_init (TareHistogramPlot *self)
{
  self->merge = 1;
}

/**
 * tare_histogram_plot_new:
 *
 * Returns: (transfer full): a histogram without values
 */
TarePlot *
tare_histogram_plot_new (void)
{
  return g_object_new (TARE_TYPE_HISTOGRAM_PLOT, NULL);
}

/**
 * tare_histogram_plot_set_counts:
 * @self: the plot
 * @counts: (nullable) (array length=n): how many values each bin holds; copied
 * @n: how many bins; 0 for no histogram
 * @minimum: where the first bin begins
 * @maximum: where the last one ends, inclusive
 *
 * An extent that is not finite counts as no histogram; where it is a single value, the bins spread
 * about it.
 */
void
tare_histogram_plot_set_counts (TareHistogramPlot *self,
                                const guint64     *counts,
                                guint              n,
                                double             minimum,
                                double             maximum)
{
  g_return_if_fail (TARE_IS_HISTOGRAM_PLOT (self));
  g_return_if_fail (counts != NULL || n == 0);

  if (!isfinite (minimum) || !isfinite (maximum) || maximum < minimum)
    n = 0;
  if (maximum - minimum <= fabs (minimum) * 1e-12)
    {
      double half = minimum != 0.0 ? fabs (minimum) * 0.01 : 0.01;

      minimum -= half;
      maximum += half;
    }

  g_free (self->counts);
  self->counts = g_memdup2 (counts, n * sizeof *counts);
  self->n = n;
  self->minimum = minimum;
  self->maximum = maximum;
  self->merge = choose_merge (n);
  self->most = self->total = 0;
  self->mode = 0;
  for (guint bin = 0; bin < n; bin += self->merge)
    {
      guint64 count = bar_count (self, bin);

      self->total += count;
      if (count > self->most)
        {
          self->most = count;
          self->mode = bin;
        }
    }
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_histogram_plot_set_outline:
 * @self: the plot
 * @outline: whether only its outline is drawn, for laying it over another
 */
void
tare_histogram_plot_set_outline (TareHistogramPlot *self,
                                 gboolean           outline)
{
  g_return_if_fail (TARE_IS_HISTOGRAM_PLOT (self));

  if (self->outline == outline)
    return;

  self->outline = outline;
  tare_plot_changed (TARE_PLOT (self));
}
