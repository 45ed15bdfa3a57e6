/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-ridge-plot.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "widgets/tare-ink-private.h"

/* The least distance between two ridges in pixels; closer ones become one. */
#define LEAST_PITCH 7.0

/* How high a ridge rises, in distances to the next one, and in pixels at most. */
#define OVERLAP 2.2
#define HIGHEST 90.0

/* How much of what is behind a ridge it hides. */
#define HIDING 0.85

/* Room above the first ridge, as a part of all, where many are pooled. */
#define HEADROOM 0.05

/**
 * TareRidgePlot:
 *
 * The distributions of many channels, one behind the other: y counts the channels from the top, and
 * each rises above its line as high as its most frequent value. The line reaches from the least
 * value to the greatest, so that a channel's outliers show however few they are. Where channels are
 * too close to be told apart, one ridge stands for several and takes the highest of each bin.
 */
struct _TareRidgePlot
{
  TarePlot   parent_instance;

  float     *heights;   /* n x n_bins, the highest of each ridge 1 */
  guint      n;
  guint      n_bins;
  double     minimum;
  double     maximum;
  char      *name;
  guint      group;     /* channels that one ridge stood for when last drawn */
};

G_DEFINE_FINAL_TYPE (TareRidgePlot, tare_ridge_plot, TARE_TYPE_PLOT)

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareRidgePlot *self = (TareRidgePlot *) plot;

  if (self->n == 0)
    return;

  x[0] = self->minimum;
  x[1] = self->maximum;
  y[0] = -MAX (OVERLAP, self->n * HEADROOM);
  y[1] = self->n - 0.5;
}

static double
get_edge (TareRidgePlot *self,
          guint          bin)
{
  return self->minimum + (self->maximum - self->minimum) * bin / self->n_bins;
}

/* The distance between two channels in pixels. */
static double
get_pitch (const TarePlotFrame *frame)
{
  double lower, upper;

  tare_axis_get_range (frame->y, &lower, &upper);

  return frame->height / (upper - lower);
}

/* The ridge of the channels from @first to before @end: the highest of each bin. */
static void
pool (TareRidgePlot *self,
      guint          first,
      guint          end,
      float         *heights)
{
  for (guint bin = 0; bin < self->n_bins; bin++)
    heights[bin] = 0.0f;
  for (guint channel = first; channel < end; channel++)
    for (guint bin = 0; bin < self->n_bins; bin++)
      heights[bin] = MAX (heights[bin], self->heights[(gsize) channel * self->n_bins + bin]);
}

static gboolean
find_extent (const float *heights,
             guint        n_bins,
             guint       *first,
             guint       *last)
{
  *first = 0;
  while (*first < n_bins && heights[*first] <= 0.0f)
    (*first)++;
  if (*first == n_bins)
    return FALSE;

  *last = n_bins - 1;
  while (heights[*last] <= 0.0f)
    (*last)--;

  return TRUE;
}

/* The outline of a ridge above its line at @base. */
static void
trace_ridge (TareRidgePlot       *self,
             const TarePlotFrame *frame,
             const float         *heights,
             guint                first,
             guint                last,
             double               base,
             double               rise,
             cairo_t             *cr)
{
  double left = tare_plot_frame_get_x (frame, get_edge (self, first));
  double right = tare_plot_frame_get_x (frame, get_edge (self, last + 1));

  cairo_move_to (cr, left, base);
  for (guint bin = first; bin <= last; bin++)
    {
      double middle = (get_edge (self, bin) + get_edge (self, bin + 1)) / 2.0;

      cairo_line_to (cr, tare_plot_frame_get_x (frame, middle),
                     base - (double) heights[bin] * rise);
    }
  cairo_line_to (cr, right, base);
}

static gboolean
is_any_selected (TareRidgePlot *self,
                 guint          first,
                 guint          end)
{
  if (!tare_plot_has_selected ((TarePlot *) self))
    return FALSE;

  for (guint channel = first; channel < end; channel++)
    if (tare_plot_is_selected ((TarePlot *) self, channel))
      return TRUE;

  return FALSE;
}

/* What is behind is hidden, but not altogether. Both layers of it in one, for one fill of a ridge
 * with its hundreds of corners takes a fifth of a frame's time. */
static void
set_fill (const TarePlotFrame *frame,
          const GdkRGBA       *color,
          double               share,
          cairo_t             *cr)
{
  const GdkRGBA *back = &frame->background;
  double rest = HIDING * (1.0 - share);
  double alpha = share + rest;

  cairo_set_source_rgba (cr, (share * (double) color->red + rest * (double) back->red) / alpha,
                         (share * (double) color->green + rest * (double) back->green) / alpha,
                         (share * (double) color->blue + rest * (double) back->blue) / alpha,
                         alpha);
}

static void
draw_ridge (TareRidgePlot       *self,
            const TarePlotFrame *frame,
            guint                channel,
            guint                end,
            float               *heights,
            cairo_t             *cr)
{
  gboolean selected = is_any_selected (self, channel, end);
  const GdkRGBA *color = selected ? &frame->accent : &frame->color;
  double base = round (tare_plot_frame_get_y (frame, (channel + end - 1) / 2.0)) + 0.5;
  double rise = MIN (get_pitch (frame) * (end - channel) * OVERLAP, HIGHEST);
  guint first, last;

  pool (self, channel, end, heights);
  if (!find_extent (heights, self->n_bins, &first, &last))
    return;

  trace_ridge (self, frame, heights, first, last, base, rise, cr);
  set_fill (frame, color, selected ? 0.6 : 0.25, cr);
  cairo_fill_preserve (cr);
  gdk_cairo_set_source_rgba (cr, color);
  cairo_set_line_width (cr, selected ? 2.0 : 1.0);
  cairo_close_path (cr);
  cairo_stroke (cr);
}

static void
snapshot (TarePlot            *plot,
          GtkSnapshot         *target,
          const TarePlotFrame *frame)
{
  TareRidgePlot *self = (TareRidgePlot *) plot;
  g_autofree float *heights = NULL;
  double lower, upper, pitch;
  guint first, end;
  cairo_t *cr;

  if (self->n == 0)
    return;

  pitch = get_pitch (frame);
  self->group = (guint) CLAMP (ceil (LEAST_PITCH / pitch), 1.0, self->n);
  tare_axis_get_range (frame->y, &lower, &upper);
  first = (guint) CLAMP (floor (lower), 0.0, self->n - 1.0) / self->group * self->group;
  end = (guint) CLAMP (ceil (upper + 1.0 + HIGHEST / pitch), 0.0, (double) self->n);

  heights = g_new (float, self->n_bins);
  cr = gtk_snapshot_append_cairo (target, &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) frame->width,
                                                               (float) frame->height));
  for (guint channel = first; channel < end; channel += self->group)
    draw_ridge (self, frame, channel, MIN (channel + self->group, self->n), heights, cr);
  cairo_destroy (cr);
}

static guint
get_n_points (TarePlot *plot)
{
  return ((TareRidgePlot *) plot)->n;
}

static guint
find_mode (TareRidgePlot *self,
           guint          channel)
{
  const float *heights = self->heights + (gsize) channel * self->n_bins;
  guint mode = 0;

  for (guint bin = 1; bin < self->n_bins; bin++)
    if (heights[bin] > heights[mode])
      mode = bin;

  return mode;
}

static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  TareRidgePlot *self = (TareRidgePlot *) plot;
  guint mode = find_mode (self, point);

  *x = (get_edge (self, mode) + get_edge (self, mode + 1)) / 2.0;
  *y = point;

  return TRUE;
}

static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareRidgePlot *self = (TareRidgePlot *) plot;
  double channel = rint (tare_axis_denormalize (frame->y, 1.0 - y / frame->height));

  if (self->n == 0 || !(channel > -OVERLAP - 1.0 && channel < self->n))
    return TARE_PLOT_NO_POINT;

  return (guint) MAX (channel, 0.0);
}

static guint
move (TarePlot         *plot,
      guint             point,
      GtkDirectionType  direction)
{
  TareRidgePlot *self = (TareRidgePlot *) plot;
  guint group = MAX (self->group, 1u);

  if (direction == GTK_DIR_UP || direction == GTK_DIR_LEFT)
    return point - MIN (point, group);

  return MIN (point + group, self->n - 1);
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareRidgePlot *self = (TareRidgePlot *) plot;
  char from[TARE_TICK_LABEL_SIZE], to[TARE_TICK_LABEL_SIZE], mode[TARE_TICK_LABEL_SIZE];
  const char *name = self->name != NULL ? self->name : _("channel");
  guint first, last;
  double x, y;

  if (!find_extent (self->heights + (gsize) point * self->n_bins, self->n_bins, &first, &last))
    return g_strdup_printf (_("%s %u: no values"), name, tare_plot_get_id (plot, point));

  get_point (plot, point, &x, &y);
  tare_ticks_format_exact (get_edge (self, first), from);
  tare_ticks_format_exact (get_edge (self, last + 1), to);
  tare_ticks_format_exact (x, mode);

  return g_strdup_printf (_("%s %u: from %s to %s, most near %s"), name,
                          tare_plot_get_id (plot, point), from, to, mode);
}

static char *
describe (TarePlot *plot)
{
  TareRidgePlot *self = (TareRidgePlot *) plot;
  char from[TARE_TICK_LABEL_SIZE], to[TARE_TICK_LABEL_SIZE];

  if (self->n == 0)
    return g_strdup (_("No distributions."));

  tare_ticks_format_exact (self->minimum, from);
  tare_ticks_format_exact (self->maximum, to);

  return g_strdup_printf (_("Distributions of %u channels from %s to %s."), self->n, from, to);
}

static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareRidgePlot *self = (TareRidgePlot *) plot;

  g_string_append (csv, "channel,from,to,height\n");
  for (guint channel = 0; channel < self->n; channel++)
    for (guint bin = 0; bin < self->n_bins; bin++)
      {
        g_string_append_printf (csv, "%u,", tare_plot_get_id (plot, channel));
        tare_plot_csv_number (csv, get_edge (self, bin));
        g_string_append_c (csv, ',');
        tare_plot_csv_number (csv, get_edge (self, bin + 1));
        g_string_append_c (csv, ',');
        tare_plot_csv_number (csv, (double) self->heights[(gsize) channel * self->n_bins + bin]);
        g_string_append_c (csv, '\n');
      }
}

static void
tare_ridge_plot_finalize (GObject *object)
{
  TareRidgePlot *self = (TareRidgePlot *) object;

  g_free (self->heights);
  g_free (self->name);

  G_OBJECT_CLASS (tare_ridge_plot_parent_class)->finalize (object);
}

static void
tare_ridge_plot_class_init (TareRidgePlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = tare_ridge_plot_finalize;

  plot_class->get_bounds = get_bounds;
  plot_class->snapshot = snapshot;
  plot_class->get_n_points = get_n_points;
  plot_class->get_point = get_point;
  plot_class->lookup = lookup;
  plot_class->describe_point = describe_point;
  plot_class->describe = describe;
  plot_class->write_csv = write_csv;
  plot_class->move = move;
  plot_class->planar = TRUE;
  plot_class->rows = TRUE;
}

static void
tare_ridge_plot_init (TareRidgePlot *self)
{
}

/**
 * tare_ridge_plot_new:
 *
 * Returns: (transfer full): a plot without ridges
 */
TarePlot *
tare_ridge_plot_new (void)
{
  return g_object_new (TARE_TYPE_RIDGE_PLOT, NULL);
}

/**
 * tare_ridge_plot_set_ridges:
 * @self: the plot
 * @heights: (nullable) (array): @n x @n_bins counts or densities, row-major; copied
 * @n: channels
 * @n_bins: equal bins from @minimum to @maximum, the same for all
 * @minimum: where the first begins
 * @maximum: where the last ends
 *
 * With tare_plot_set_ids() the channels may come in any order and be any part of all.
 */
void
tare_ridge_plot_set_ridges (TareRidgePlot *self,
                            const float   *heights,
                            guint          n,
                            guint          n_bins,
                            double         minimum,
                            double         maximum)
{
  g_return_if_fail (TARE_IS_RIDGE_PLOT (self));
  g_return_if_fail (heights != NULL || n == 0 || n_bins == 0);

  g_free (self->heights);
  self->heights = g_memdup2 (heights, (gsize) n * n_bins * sizeof *heights);
  self->n = n_bins > 0 && maximum > minimum ? n : 0;
  self->n_bins = n_bins;
  self->minimum = minimum;
  self->maximum = maximum;
  self->group = 1;
  for (guint channel = 0; channel < self->n; channel++)
    {
      float *ridge = self->heights + (gsize) channel * n_bins;
      float highest = ridge[find_mode (self, channel)];

      for (guint bin = 0; highest > 0.0f && bin < n_bins; bin++)
        ridge[bin] /= highest;
    }
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_ridge_plot_set_name:
 * @self: the plot
 * @name: (nullable): what one of the channels is called, "input"
 */
void
tare_ridge_plot_set_name (TareRidgePlot *self,
                          const char    *name)
{
  g_return_if_fail (TARE_IS_RIDGE_PLOT (self));

  g_free (self->name);
  self->name = g_strdup (name);
}
