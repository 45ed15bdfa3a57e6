/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-scatter-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>

/* Free room around the points, as a part of their extent. */
#define MARGIN 0.05

/**
 * TareScatterPlot:
 *
 * Things by two figures each, with errors where they are known. Some of them may form a front, of
 * which nothing else is better by both figures: a staircase with the names of the things on it. A
 * line may show what is expected, as in a plot of quantiles against those of a normal
 * distribution.
 */
G_DEFINE_FINAL_TYPE (TareScatterPlot, tare_scatter_plot, TARE_TYPE_PLOT)

double
_tare_scatter_get_error (TareScatterPlot *self,
                         guint            direction,
                         guint            point)
{
  double error = self->errors[direction] != NULL ? self->errors[direction][point] : 0.0;

  return isfinite (error) && error > 0.0 ? error : 0.0;
}

gboolean
_tare_scatter_is_drawable (TareScatterPlot *self,
                           guint            point,
                           TareAxisScale    x_scale,
                           TareAxisScale    y_scale)
{
  double x = self->values[0][point], y = self->values[1][point];

  return isfinite (x) && isfinite (y) && (x_scale != TARE_AXIS_SCALE_LOG || x > 0.0)
         && (y_scale != TARE_AXIS_SCALE_LOG || y > 0.0);
}

/* Leaves room around the outermost points, equal on either scale. */
static void
pad (double   bounds[2],
     gboolean log)
{
  double margin;

  if (isnan (bounds[0]))
    return;
  if (log)
    {
      margin = pow (bounds[1] / bounds[0], MARGIN);
      bounds[0] /= MAX (margin, 1.05);
      bounds[1] *= MAX (margin, 1.05);
      return;
    }

  margin = (bounds[1] - bounds[0]) * MARGIN;
  bounds[0] -= margin;
  bounds[1] += margin;
}

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareScatterPlot *self = (TareScatterPlot *) plot;
  double *const bounds[2] = { x, y };
  const gboolean log[2] = { x_scale == TARE_AXIS_SCALE_LOG, y_scale == TARE_AXIS_SCALE_LOG };

  for (guint i = 0; i < self->n; i++)
    {
      if (!_tare_scatter_is_drawable (self, i, x_scale, y_scale))
        continue;
      for (guint k = 0; k < 2; k++)
        {
          double value = self->values[k][i], error = _tare_scatter_get_error (self, k, i);
          double low = log[k] && value - error <= 0.0 ? value : value - error;

          bounds[k][0] = isnan (bounds[k][0]) ? low : MIN (bounds[k][0], low);
          bounds[k][1] = isnan (bounds[k][1]) ? value + error
                                              : MAX (bounds[k][1], value + error);
        }
    }
  pad (x, log[0]);
  pad (y, log[1]);
}

static guint
get_n_points (TarePlot *plot)
{
  return ((TareScatterPlot *) plot)->n;
}

static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  *x = ((TareScatterPlot *) plot)->values[0][point];
  *y = ((TareScatterPlot *) plot)->values[1][point];

  return isfinite (*x) && isfinite (*y);
}

static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareScatterPlot *self = (TareScatterPlot *) plot;
  guint nearest = TARE_PLOT_NO_POINT;
  double least = TARE_PLOT_REACH, at[2];

  for (guint i = 0; i < self->n; i++)
    if (_tare_scatter_place (self, frame, i, &at[0], &at[1])
        && hypot (at[0] - x, at[1] - y) < least)
      {
        least = hypot (at[0] - x, at[1] - y);
        nearest = i;
      }

  return nearest;
}

static int
compare_values (gconstpointer a,
                gconstpointer b,
                gpointer      data)
{
  const double *values = data;
  double first = values[*(const guint *) a], second = values[*(const guint *) b];

  /* What has no value comes last. */
  if (isnan (first) || isnan (second))
    return isnan (first) - isnan (second);

  return (first > second) - (first < second);
}

static const guint *
get_order (TareScatterPlot *self,
           guint            direction)
{
  if (self->order[direction] == NULL)
    {
      self->order[direction] = g_new (guint, MAX (self->n, 1u));
      for (guint i = 0; i < self->n; i++)
        self->order[direction][i] = i;
      g_qsort_with_data (self->order[direction], (gint) self->n, sizeof (guint), compare_values,
                         self->values[direction]);
    }

  return self->order[direction];
}

/* Left and right go by x, up and down by y. */
static guint
move (TarePlot         *plot,
      guint             point,
      GtkDirectionType  direction)
{
  TareScatterPlot *self = (TareScatterPlot *) plot;
  gboolean vertical = direction == GTK_DIR_UP || direction == GTK_DIR_DOWN;
  gboolean forward = direction == GTK_DIR_UP || direction == GTK_DIR_RIGHT;
  const guint *order = get_order (self, vertical ? 1 : 0);
  double x, y;

  for (guint i = 0; i < self->n; i++)
    if (order[i] == point)
      {
        guint next = forward ? i + 1 : i - 1;

        if (next < self->n && get_point (plot, order[next], &x, &y))
          return order[next];
        break;
      }

  return point;
}

static void
append_value (GString         *string,
              TareScatterPlot *self,
              guint            direction,
              guint            point)
{
  char number[TARE_TICK_LABEL_SIZE];

  tare_ticks_format_exact (self->values[direction][point], number);
  g_string_append (string, number);
  if (_tare_scatter_get_error (self, direction, point) > 0.0)
    {
      tare_ticks_format_exact (_tare_scatter_get_error (self, direction, point), number);
      g_string_append_printf (string, " ± %s", number);
    }
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareScatterPlot *self = (TareScatterPlot *) plot;
  GString *string = g_string_new (NULL);

  if (self->labels != NULL)
    g_string_append_printf (string, "%s: ", self->labels[point]);
  append_value (string, self, 0, point);
  g_string_append (string, ", ");
  append_value (string, self, 1, point);

  return g_string_free (string, FALSE);
}

static char *
describe (TarePlot *plot)
{
  TareScatterPlot *self = (TareScatterPlot *) plot;
  double x[2] = { NAN, NAN }, y[2] = { NAN, NAN };
  char from[2][TARE_TICK_LABEL_SIZE], to[2][TARE_TICK_LABEL_SIZE];
  guint drawn = 0;

  for (guint i = 0; i < self->n; i++)
    {
      double at[2];

      if (!get_point (plot, i, &at[0], &at[1]))
        continue;
      x[0] = drawn == 0 ? at[0] : MIN (x[0], at[0]);
      x[1] = drawn == 0 ? at[0] : MAX (x[1], at[0]);
      y[0] = drawn == 0 ? at[1] : MIN (y[0], at[1]);
      y[1] = drawn == 0 ? at[1] : MAX (y[1], at[1]);
      drawn++;
    }
  if (drawn == 0)
    return g_strdup (_("A scatter plot without points."));

  tare_ticks_format_exact (x[0], from[0]);
  tare_ticks_format_exact (x[1], to[0]);
  tare_ticks_format_exact (y[0], from[1]);
  tare_ticks_format_exact (y[1], to[1]);

  return g_strdup_printf (_("%u points, from %s to %s across and from %s to %s up."), drawn,
                          from[0], to[0], from[1], to[1]);
}

static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareScatterPlot *self = (TareScatterPlot *) plot;

  g_string_append_printf (csv, "name,x,y%s%s\n", self->errors[0] != NULL ? ",x error" : "",
                          self->errors[1] != NULL ? ",y error" : "");
  for (guint i = 0; i < self->n; i++)
    {
      if (self->labels != NULL)
        tare_plot_csv_text (csv, self->labels[i]);
      for (guint k = 0; k < 2; k++)
        {
          g_string_append_c (csv, ',');
          tare_plot_csv_number (csv, self->values[k][i]);
        }
      for (guint k = 0; k < 2; k++)
        if (self->errors[k] != NULL)
          {
            g_string_append_c (csv, ',');
            tare_plot_csv_number (csv, self->errors[k][i]);
          }
      g_string_append_c (csv, '\n');
    }
}

static void
clear (TareScatterPlot *self)
{
  g_clear_pointer (&self->labels, g_strfreev);
  for (guint k = 0; k < 2; k++)
    {
      g_clear_pointer (&self->values[k], g_free);
      g_clear_pointer (&self->errors[k], g_free);
      g_clear_pointer (&self->order[k], g_free);
    }
  g_clear_pointer (&self->front, g_free);
  self->n = self->n_front = 0;
}

static void
tare_scatter_plot_finalize (GObject *object)
{
  clear ((TareScatterPlot *) object);
  g_free (((TareScatterPlot *) object)->line_label);

  G_OBJECT_CLASS (tare_scatter_plot_parent_class)->finalize (object);
}

static void
tare_scatter_plot_class_init (TareScatterPlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = tare_scatter_plot_finalize;

  plot_class->get_bounds = get_bounds;
  plot_class->snapshot = _tare_scatter_snapshot;
  plot_class->snapshot_names = _tare_scatter_snapshot_names;
  plot_class->snapshot_mark = _tare_scatter_snapshot_mark;
  plot_class->get_n_points = get_n_points;
  plot_class->get_point = get_point;
  plot_class->lookup = lookup;
  plot_class->describe_point = describe_point;
  plot_class->describe = describe;
  plot_class->write_csv = write_csv;
  plot_class->move = move;
  plot_class->planar = TRUE;
}

static void
tare_scatter_plot_init (TareScatterPlot *self)
{
  self->line[0] = self->line[1] = NAN;
}

/**
 * tare_scatter_plot_new:
 *
 * Returns: (transfer full): a plot without points
 */
TarePlot *
tare_scatter_plot_new (void)
{
  return g_object_new (TARE_TYPE_SCATTER_PLOT, NULL);
}

/**
 * tare_scatter_plot_set_points:
 * @self: the plot
 * @labels: (nullable): a name for each point
 * @x: (nullable) (array length=n): figures along the width; NaN leaves a point out; copied
 * @y: (nullable) (array length=n): figures along the height; copied
 * @n: how many
 *
 * Takes the errors and the front away.
 */
void
tare_scatter_plot_set_points (TareScatterPlot   *self,
                              const char *const *labels,
                              const double      *x,
                              const double      *y,
                              guint              n)
{
  g_return_if_fail (TARE_IS_SCATTER_PLOT (self));
  g_return_if_fail (n == 0 || (x != NULL && y != NULL));
  g_return_if_fail (labels == NULL || g_strv_length ((char **) labels) == n);

  clear (self);
  self->labels = g_strdupv ((char **) labels);
  self->values[0] = g_memdup2 (x, n * sizeof *x);
  self->values[1] = g_memdup2 (y, n * sizeof *y);
  self->n = n;
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_scatter_plot_set_errors:
 * @self: the plot
 * @x_errors: (nullable): for each point half the length of its line across; copied
 * @y_errors: (nullable): and of its line upwards
 */
void
tare_scatter_plot_set_errors (TareScatterPlot *self,
                              const double    *x_errors,
                              const double    *y_errors)
{
  g_return_if_fail (TARE_IS_SCATTER_PLOT (self));

  g_free (self->errors[0]);
  g_free (self->errors[1]);
  self->errors[0] = g_memdup2 (x_errors, self->n * sizeof *x_errors);
  self->errors[1] = g_memdup2 (y_errors, self->n * sizeof *y_errors);
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_scatter_plot_set_front:
 * @self: the plot
 * @points: (nullable) (array length=n): the points that a staircase joins, from left to right;
 *   their names are shown where there is room
 * @n: how many
 */
void
tare_scatter_plot_set_front (TareScatterPlot *self,
                             const guint     *points,
                             guint            n)
{
  g_return_if_fail (TARE_IS_SCATTER_PLOT (self));
  g_return_if_fail (points != NULL || n == 0);

  for (guint i = 0; i < n; i++)
    g_return_if_fail (points[i] < self->n);

  g_free (self->front);
  self->front = n > 0 ? g_memdup2 (points, n * sizeof *points) : NULL;
  self->n_front = n;
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_scatter_plot_dup_front:
 * @self: the plot
 * @n: (out): how many
 *
 * Finds the points of which no other has both a smaller x and a smaller y, such as cost and loss:
 * what is worth having when less is better by both. For tare_scatter_plot_set_front().
 *
 * Returns: (transfer full) (array length=n): those points, from left to right
 */
guint *
tare_scatter_plot_dup_front (TareScatterPlot *self,
                             guint           *n)
{
  const guint *order;
  guint *front;
  double least = INFINITY;

  g_return_val_if_fail (TARE_IS_SCATTER_PLOT (self), NULL);

  order = get_order (self, 0);
  front = g_new (guint, MAX (self->n, 1u));
  *n = 0;
  for (guint i = 0; i < self->n; i++)
    {
      double x, y, last_x, last_y;

      if (!get_point (TARE_PLOT (self), order[i], &x, &y) || y >= least)
        continue;

      /* Of those with one x only the lowest. */
      if (*n > 0 && get_point (TARE_PLOT (self), front[*n - 1], &last_x, &last_y) && last_x == x)
        (*n)--;
      front[(*n)++] = order[i];
      least = y;
    }

  return front;
}

/**
 * tare_scatter_plot_set_line:
 * @self: the plot
 * @slope: of a line of reference; NaN takes it away
 * @intercept: its y at x = 0
 * @label: (nullable): what it stands for
 */
void
tare_scatter_plot_set_line (TareScatterPlot *self,
                            double           slope,
                            double           intercept,
                            const char      *label)
{
  g_return_if_fail (TARE_IS_SCATTER_PLOT (self));

  self->line[0] = isfinite (intercept) && isfinite (slope) ? slope : (double) NAN;
  self->line[1] = intercept;
  g_free (self->line_label);
  self->line_label = g_strdup (label);
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_scatter_plot_fit_line:
 * @self: the plot
 * @label: (nullable): what the line stands for
 *
 * Draws the line of least squares of y over x through the points, if they determine one.
 */
void
tare_scatter_plot_fit_line (TareScatterPlot *self,
                            const char      *label)
{
  double sum[2] = { 0.0, 0.0 }, product = 0.0, square = 0.0, slope, x, y;
  guint n = 0;

  g_return_if_fail (TARE_IS_SCATTER_PLOT (self));

  for (guint i = 0; i < self->n; i++)
    if (get_point (TARE_PLOT (self), i, &x, &y))
      {
        sum[0] += x;
        sum[1] += y;
        n++;
      }
  for (guint i = 0; i < self->n; i++)
    if (get_point (TARE_PLOT (self), i, &x, &y))
      {
        product += (x - sum[0] / n) * (y - sum[1] / n);
        square += (x - sum[0] / n) * (x - sum[0] / n);
      }

  slope = square > 0.0 ? product / square : (double) NAN;
  tare_scatter_plot_set_line (self, slope, (sum[1] - slope * sum[0]) / n, label);
}
