/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-marker-plot.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "widgets/tare-ink-private.h"

/* One line in three pixels is the most that can be told apart; beyond that, a rug. */
#define PIXELS_PER_LINE 3.0
#define RUG_HEIGHT 8.0

/**
 * TareMarkerPlot:
 *
 * Vertical lines at given values, such as the levels of a quantized format. When there are too
 * many to be told apart they become short ticks at the foot.
 */
struct _TareMarkerPlot
{
  TarePlot   parent_instance;

  double    *values;
  char     **labels;
  guint      n;
};

G_DEFINE_FINAL_TYPE (TareMarkerPlot, tare_marker_plot, TARE_TYPE_PLOT)

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareMarkerPlot *self = (TareMarkerPlot *) plot;

  for (guint i = 0; i < self->n; i++)
    {
      if (!isfinite (self->values[i])
          || (x_scale == TARE_AXIS_SCALE_LOG && self->values[i] <= 0.0))
        continue;

      x[0] = isnan (x[0]) ? self->values[i] : MIN (x[0], self->values[i]);
      x[1] = isnan (x[1]) ? self->values[i] : MAX (x[1], self->values[i]);
    }
}

static gboolean
is_shown (const TarePlotFrame *frame,
          double               value,
          double              *x)
{
  double position = tare_axis_normalize (frame->x, value);

  *x = position * frame->width;

  return position >= 0.0 && position <= 1.0;
}

/* Whether the lines in sight stand closer than they can be told apart, however wide the chart. */
static gboolean
is_rug (TareMarkerPlot      *self,
        const TarePlotFrame *frame,
        guint               *shown)
{
  double first = INFINITY, last = -INFINITY, x;

  *shown = 0;
  for (guint i = 0; i < self->n; i++)
    if (is_shown (frame, self->values[i], &x))
      {
        first = MIN (first, x);
        last = MAX (last, x);
        (*shown)++;
      }

  return *shown > 1 && last - first < (*shown - 1) * PIXELS_PER_LINE;
}

static void
draw_label (GtkSnapshot         *snapshot,
            const TarePlotFrame *frame,
            const char          *label,
            double               x,
            double              *end)
{
  GdkRGBA behind = frame->background;
  int width, height;

  pango_layout_set_text (frame->layout, label, -1);
  pango_layout_get_pixel_size (frame->layout, &width, &height);
  if (x + 3.0 < *end || x + 3.0 + width > frame->width)
    return;

  behind.alpha = 0.75f;
  _tare_ink_box (snapshot, &behind, floor (x) + 1.0, 1.0, width + 4.0, height);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float) floor (x) + 3.0f, 1.0f));
  gtk_snapshot_append_layout (snapshot, frame->layout, &frame->foreground);
  gtk_snapshot_restore (snapshot);
  *end = x + 3.0 + width + 6.0;
}

static void
snapshot (TarePlot            *plot,
          GtkSnapshot         *target,
          const TarePlotFrame *frame)
{
  TareMarkerPlot *self = (TareMarkerPlot *) plot;
  guint width = (guint) ceil (frame->width) + 1;
  g_autofree guint8 *columns = g_new0 (guint8, width);
  double end = -INFINITY, x;
  guint shown;
  gboolean rug = is_rug (self, frame, &shown);

  for (guint i = 0; i < self->n; i++)
    {
      if (!is_shown (frame, self->values[i], &x))
        continue;

      /* Once for each column of pixels, however many fall into it. */
      x = floor (MIN (x, frame->width - 1.0));
      if (columns[(guint) x])
        continue;

      columns[(guint) x] = TRUE;
      _tare_ink_box (target, &frame->color, x, rug ? frame->height - RUG_HEIGHT : 0.0, 1.0,
                     rug ? RUG_HEIGHT : frame->height);
      if (!rug && self->labels != NULL && frame->layout != NULL)
        draw_label (target, frame, self->labels[i], x, &end);
    }
}

static guint
get_n_points (TarePlot *plot)
{
  return ((TareMarkerPlot *) plot)->n;
}

static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  *x = ((TareMarkerPlot *) plot)->values[point];
  *y = NAN;

  return isfinite (*x);
}

static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareMarkerPlot *self = (TareMarkerPlot *) plot;
  guint shown, nearest = TARE_PLOT_NO_POINT;
  gboolean rug = is_rug (self, frame, &shown);
  double least = TARE_PLOT_REACH, place;

  for (guint i = 0; i < self->n; i++)
    if (is_shown (frame, self->values[i], &place) && fabs (place - x) < least)
      {
        least = fabs (place - x);
        nearest = i;
      }

  /* Dense lines leave room between them for what is behind; a rug is found at the foot only. */
  if (rug)
    return y >= frame->height - RUG_HEIGHT ? nearest : TARE_PLOT_NO_POINT;

  return least <= MIN (TARE_PLOT_REACH, frame->width / (4.0 * MAX (shown, 1u)))
           ? nearest : TARE_PLOT_NO_POINT;
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareMarkerPlot *self = (TareMarkerPlot *) plot;
  const char *label = tare_plot_get_label (plot);
  char number[TARE_TICK_LABEL_SIZE];

  tare_ticks_format_exact (self->values[point], number);
  if (self->labels != NULL && g_strcmp0 (self->labels[point], number) != 0)
    return g_strdup_printf ("%s%s%s = %s", label != NULL ? label : "", label != NULL ? " " : "",
                            self->labels[point], number);

  return g_strdup_printf ("%s%s%s", label != NULL ? label : "", label != NULL ? " " : "", number);
}

static char *
describe (TarePlot *plot)
{
  TareMarkerPlot *self = (TareMarkerPlot *) plot;
  char from[TARE_TICK_LABEL_SIZE], to[TARE_TICK_LABEL_SIZE];
  const char *label = tare_plot_get_label (plot);
  double x[2] = { NAN, NAN }, y[2] = { NAN, NAN };

  get_bounds (plot, TARE_AXIS_SCALE_LINEAR, TARE_AXIS_SCALE_LINEAR, x, y);
  if (isnan (x[0]))
    return g_strdup (_("No markers."));

  tare_ticks_format_exact (x[0], from);
  tare_ticks_format_exact (x[1], to);

  return g_strdup_printf (_("%s: %u lines from %s to %s."), label != NULL ? label : _("Markers"),
                          self->n, from, to);
}

static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareMarkerPlot *self = (TareMarkerPlot *) plot;

  g_string_append (csv, "marker,value\n");
  for (guint i = 0; i < self->n; i++)
    {
      if (self->labels != NULL)
        tare_plot_csv_text (csv, self->labels[i]);
      g_string_append_c (csv, ',');
      tare_plot_csv_number (csv, self->values[i]);
      g_string_append_c (csv, '\n');
    }
}

static void
tare_marker_plot_finalize (GObject *object)
{
  TareMarkerPlot *self = (TareMarkerPlot *) object;

  g_free (self->values);
  g_strfreev (self->labels);

  G_OBJECT_CLASS (tare_marker_plot_parent_class)->finalize (object);
}

static void
tare_marker_plot_class_init (TareMarkerPlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = tare_marker_plot_finalize;

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
tare_marker_plot_init (TareMarkerPlot *self)
{
  tare_plot_set_color_index (TARE_PLOT (self), 1);
}

/**
 * tare_marker_plot_new:
 *
 * Returns: (transfer full): a plot without lines
 */
TarePlot *
tare_marker_plot_new (void)
{
  return g_object_new (TARE_TYPE_MARKER_PLOT, NULL);
}

/**
 * tare_marker_plot_set_markers:
 * @self: the plot
 * @values: (nullable) (array length=n): where the lines stand, in rising order; copied
 * @n: how many
 * @labels: (nullable): as many names, drawn where there is room
 */
void
tare_marker_plot_set_markers (TareMarkerPlot    *self,
                              const double      *values,
                              guint              n,
                              const char *const *labels)
{
  g_return_if_fail (TARE_IS_MARKER_PLOT (self));
  g_return_if_fail (values != NULL || n == 0);
  g_return_if_fail (labels == NULL || g_strv_length ((char **) labels) == n);

  g_free (self->values);
  g_strfreev (self->labels);
  self->values = g_memdup2 (values, n * sizeof *values);
  self->labels = g_strdupv ((char **) labels);
  self->n = n;
  tare_plot_changed (TARE_PLOT (self));
}
