/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-heat-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>

/* Elements among which the readout looks for the greatest. */
#define MOST_SEARCHED 16384

/* A logarithmic scale of magnitudes reaches so far below its maximum: more than the fraction of a
 * 16-bit float tells apart. */
#define LOG_REACH 1e-4

/**
 * TareHeatPlot:
 *
 * A matrix as a picture, the first row at the top. What one pixel stands for is shown by its
 * greatest magnitude, so that a single outlier is seen from as far away as one likes; nearby,
 * every element has a cell, and its value is printed there. What is not at hand is looked up in a
 * thread while a coarser picture is shown.
 */
G_DEFINE_FINAL_TYPE (TareHeatPlot, tare_heat_plot, TARE_TYPE_PLOT)

static void
get_bounds (TarePlot      *plot,
            TareAxisScale  x_scale,
            TareAxisScale  y_scale,
            double         x[2],
            double         y[2])
{
  TareHeatPlot *self = (TareHeatPlot *) plot;

  if (self->source == NULL)
    return;

  x[0] = y[0] = -0.5;
  x[1] = (double) self->source->columns - 0.5;
  y[1] = (double) self->source->rows - 0.5;
}

static char **
dup_categories (TarePlot *plot)
{
  return g_strdupv (((TareHeatPlot *) plot)->labels[1]);
}

static char **
dup_row_names (TarePlot *plot)
{
  return g_strdupv (((TareHeatPlot *) plot)->labels[0]);
}

static guint
get_n_points (TarePlot *plot)
{
  TareHeatPlot *self = (TareHeatPlot *) plot;

  if (self->source == NULL)
    return 0;

  return (guint) (((self->source->rows - 1) / self->row_unit + 1) * self->source->columns);
}

static gboolean
get_point (TarePlot *plot,
           guint     point,
           double   *x,
           double   *y)
{
  guint64 row, column;

  tare_heat_plot_get_cell ((TareHeatPlot *) plot, point, &row, &column);
  *x = (double) column;
  *y = (double) row;

  return TRUE;
}

static guint
make_point (TareHeatPlot *self,
            guint64       row,
            guint64       column)
{
  return (guint) (row / self->row_unit * self->source->columns + column);
}

static guint
lookup (TarePlot            *plot,
        const TarePlotFrame *frame,
        double               x,
        double               y)
{
  TareHeatPlot *self = (TareHeatPlot *) plot;
  double column = floor (tare_axis_denormalize (frame->x, x / frame->width) + 0.5);
  double row = floor (tare_axis_denormalize (frame->y, 1.0 - y / frame->height) + 0.5);

  if (self->source == NULL || !(column >= 0.0 && column < (double) self->source->columns)
      || !(row >= 0.0 && row < (double) self->source->rows))
    return TARE_PLOT_NO_POINT;

  return make_point (self, (guint64) row, (guint64) column);
}

/* What the value of the view at an element stands for: from @first to before @end. */
static guint
find_value (guint64  element,
            guint64  begin,
            guint64  count,
            guint    values,
            guint64 *first,
            guint64 *end)
{
  guint value = _tare_heat_find (element - begin, count, values);

  *first = begin + value * count / values;
  *end = begin + (value + 1) * count / values;

  return value;
}

/* "columns 12–15" or "column 12", or its own name */
static char *
describe_span (const char  *name,
               char       **labels,
               guint64      first,
               guint64      end)
{
  if (labels != NULL && end - first <= 1 && first < g_strv_length (labels))
    return g_strdup (labels[first]);
  if (end - first <= 1)
    return g_strdup_printf ("%s %" G_GUINT64_FORMAT, name, first);

  return g_strdup_printf ("%s %" G_GUINT64_FORMAT "–%" G_GUINT64_FORMAT, name, first, end - 1);
}

/* Finds the element of the greatest magnitude in a part, if that is at hand and small. */
static gboolean
find_extreme (TareHeatPlot *self,
              TareHeatArea *area)
{
  gsize n = (gsize) area->width * area->height, greatest = 0;
  g_autofree float *values = NULL;

  if (n <= 1 || n > MOST_SEARCHED)
    return FALSE;

  values = g_new (float, n);
  if (self->source->func (self->source->data, area, NULL, values) != TARE_HEAT_STATE_EXACT)
    return FALSE;

  for (gsize i = 1; i < n; i++)
    if (isnan (values[i]) || fabsf (values[i]) > fabsf (values[greatest]))
      greatest = i;
  area->row += greatest / area->width;
  area->column += greatest % area->width;

  return TRUE;
}

/* @area: what the value stands for, an element for each of its values */
static char *
describe_value (TareHeatPlot *self,
                float         value,
                TareHeatArea *area)
{
  gboolean pooled = self->view->state != TARE_HEAT_STATE_EXACT || area->width > 1
                    || area->height > 1;
  char number[TARE_TICK_LABEL_SIZE];

  if (isnan (value) && self->labels[0] != NULL)
    return g_strdup (_("no value"));
  if (isnan (value) && find_extreme (self, area))
    /* translators: a row and a column */
    return g_strdup_printf (_("not a number at %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT),
                            area->row, area->column);
  if (isnan (value))
    return g_strdup (_("not a number"));

  tare_ticks_format_exact (_tare_heat_get_shown (self, value), number);
  if (pooled && find_extreme (self, area))
    /* translators: of many values, the one that is farthest from zero, its row and its column */
    return g_strdup_printf (_("%s up to %s at %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT),
                            self->names[2], number, area->row, area->column);
  if (pooled)
    /* translators: of many values, the one that is farthest from zero */
    return g_strdup_printf (_("%s up to %s"), self->names[2], number);

  return g_strdup_printf ("%s = %s", self->names[2], number);
}

static char *
describe_point (TarePlot *plot,
                guint     point)
{
  TareHeatPlot *self = (TareHeatPlot *) plot;
  const TareHeatArea *area;
  TareHeatArea part;
  g_autofree char *rows = NULL;
  g_autofree char *columns = NULL;
  g_autofree char *value = NULL;
  guint64 row, column, first[2], end[2];
  guint i, j;

  tare_heat_plot_get_cell (self, point, &row, &column);
  area = self->view != NULL ? &self->view->area : NULL;
  if (area == NULL || row < area->row || row >= area->row + area->n_rows
      || column < area->column || column >= area->column + area->n_columns)
    {
      rows = describe_span (self->names[0], self->labels[0], row, row);
      columns = describe_span (self->names[1], self->labels[1], column, column);
      return g_strdup_printf ("%s, %s", rows, columns);
    }

  i = find_value (row, area->row, area->n_rows, area->height, &first[0], &end[0]);
  j = find_value (column, area->column, area->n_columns, area->width, &first[1], &end[1]);
  rows = describe_span (self->names[0], self->labels[0], first[0], end[0]);
  columns = describe_span (self->names[1], self->labels[1], first[1], end[1]);
  part = (TareHeatArea) { first[0], end[0] - first[0], first[1], end[1] - first[1],
                          (guint) (end[1] - first[1]), (guint) (end[0] - first[0]) };
  value = describe_value (self, self->view->values[(gsize) i * area->width + j], &part);

  return g_strdup_printf ("%s, %s: %s", rows, columns, value);
}

/* Goes to the next value of the view, however many elements it stands for. */
static guint
move (TarePlot         *plot,
      guint             point,
      GtkDirectionType  direction)
{
  TareHeatPlot *self = (TareHeatPlot *) plot;
  gboolean down = direction == GTK_DIR_UP || direction == GTK_DIR_DOWN;
  gboolean back = direction == GTK_DIR_UP || direction == GTK_DIR_LEFT;
  guint64 place[2], limit, step = 1;

  if (self->source == NULL)
    return point;

  tare_heat_plot_get_cell (self, point, &place[0], &place[1]);
  limit = down ? self->source->rows : self->source->columns;
  if (self->view != NULL)
    step = down ? (self->view->area.n_rows - 1) / self->view->area.height + 1
                : (self->view->area.n_columns - 1) / self->view->area.width + 1;
  if (down)
    step = MAX (step, self->row_unit);
  if (back)
    place[!down] -= MIN (place[!down], step);
  else
    place[!down] = MIN (place[!down] + step, limit - 1);

  return make_point (self, place[0], place[1]);
}

static char *
describe (TarePlot *plot)
{
  TareHeatPlot *self = (TareHeatPlot *) plot;
  double lower, upper;
  char number[TARE_TICK_LABEL_SIZE];

  if (self->source == NULL)
    return g_strdup (_("No matrix."));

  tare_axis_get_bounds (tare_color_scale_get_axis (self->scale), &lower, &upper);
  tare_ticks_format_exact (upper, number);

  return g_strdup_printf (_("A heat map of %" G_GUINT64_FORMAT " rows and %" G_GUINT64_FORMAT
                            " columns, %s up to %s."),
                          self->source->rows, self->source->columns, self->names[2], number);
}

/* What is in sight, as finely as it is. */
static void
write_csv (TarePlot *plot,
           GString  *csv)
{
  TareHeatPlot *self = (TareHeatPlot *) plot;
  const TareHeatArea *area;

  g_string_append (csv, "row,column,rows,columns,value\n");
  if (self->view == NULL)
    return;

  area = &self->view->area;
  for (guint i = 0; i < area->height; i++)
    for (guint j = 0; j < area->width; j++)
      {
        guint64 row = i * area->n_rows / area->height;
        guint64 column = j * area->n_columns / area->width;

        g_string_append_printf (csv, "%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%"
                                G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",",
                                area->row + row, area->column + column,
                                (i + 1) * area->n_rows / area->height - row,
                                (j + 1) * area->n_columns / area->width - column);
        tare_plot_csv_number (csv, _tare_heat_get_shown (self,
                                              self->view->values[(gsize) i * area->width + j]));
        g_string_append_c (csv, '\n');
      }
}

static TareColorScale *
get_color_scale (TarePlot *plot)
{
  return ((TareHeatPlot *) plot)->scale;
}

static void
scale_changed_cb (TareHeatPlot *self)
{
  g_clear_object (&self->texture);
  tare_plot_changed (TARE_PLOT (self));
}

/* Makes the colours reach to the greatest magnitude of all. */
static void
update_scale (TareHeatPlot *self)
{
  TareAxis *axis = tare_color_scale_get_axis (self->scale);
  double maximum = self->maximum;
  float greatest = 0.0f;

  if (isnan (maximum) && self->source != NULL)
    {
      TareHeatArea all = { 0, self->source->rows, 0, self->source->columns, 1, 1 };

      if (self->source->func (self->source->data, &all, NULL, &greatest) == TARE_HEAT_STATE_NONE)
        return;
      maximum = fabs ((double) greatest);
    }
  if (!(maximum > 0.0) || !isfinite (maximum))
    maximum = 1.0;

  tare_axis_set_threshold (axis, maximum * LOG_REACH * 10.0);
  if (self->is_signed)
    tare_axis_set_bounds (axis, -maximum, maximum);
  else
    tare_axis_set_bounds (axis, tare_axis_get_scale (axis) == TARE_AXIS_SCALE_LOG
                                  ? maximum * LOG_REACH : 0.0, maximum);
}

static void
tare_heat_plot_dispose (GObject *object)
{
  TareHeatPlot *self = (TareHeatPlot *) object;

  _tare_heat_stop (self);
  g_clear_pointer (&self->source, _tare_heat_source_unref);
  g_clear_object (&self->texture);

  G_OBJECT_CLASS (tare_heat_plot_parent_class)->dispose (object);
}

static void
tare_heat_plot_finalize (GObject *object)
{
  TareHeatPlot *self = (TareHeatPlot *) object;

  g_clear_pointer (&self->view, _tare_heat_view_free);
  g_object_unref (self->scale);
  g_strfreev (self->labels[0]);
  g_strfreev (self->labels[1]);
  g_free (self->marked[0]);
  g_free (self->marked[1]);
  for (guint i = 0; i < G_N_ELEMENTS (self->names); i++)
    g_free (self->names[i]);

  G_OBJECT_CLASS (tare_heat_plot_parent_class)->finalize (object);
}

static void
tare_heat_plot_class_init (TareHeatPlotClass *klass)
{
  TarePlotClass *plot_class = TARE_PLOT_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = tare_heat_plot_dispose;
  G_OBJECT_CLASS (klass)->finalize = tare_heat_plot_finalize;

  plot_class->get_bounds = get_bounds;
  plot_class->snapshot = _tare_heat_snapshot;
  plot_class->get_n_points = get_n_points;
  plot_class->get_point = get_point;
  plot_class->lookup = lookup;
  plot_class->describe_point = describe_point;
  plot_class->describe = describe;
  plot_class->write_csv = write_csv;
  plot_class->get_color_scale = get_color_scale;
  plot_class->move = move;
  plot_class->planar = TRUE;
  plot_class->grid = TRUE;
  plot_class->columns = TRUE;
  plot_class->rows = TRUE;
  plot_class->dup_categories = dup_categories;
  plot_class->dup_row_names = dup_row_names;
}

static void
tare_heat_plot_init (TareHeatPlot *self)
{
  self->maximum = NAN;
  self->row_unit = 1;
  self->scale = tare_color_scale_new (NULL);
  g_signal_connect_object (self->scale, "changed", G_CALLBACK (scale_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (tare_color_scale_get_axis (self->scale), "notify::scale",
                           G_CALLBACK (update_scale), self, G_CONNECT_SWAPPED);
  tare_heat_plot_set_names (self, _("row"), _("column"), "|w|");
}

/**
 * tare_heat_plot_new:
 *
 * Returns: (transfer full): a heat map without a matrix
 */
TarePlot *
tare_heat_plot_new (void)
{
  return g_object_new (TARE_TYPE_HEAT_PLOT, NULL);
}

/**
 * tare_heat_plot_set_source:
 * @self: the plot
 * @rows: of the matrix
 * @columns: of it; no matrix without either
 * @func: (nullable): gives its values, in any thread, several at a time
 * @data: closure of @func
 * @destroy: (nullable): frees @data, in any thread
 */
void
tare_heat_plot_set_source (TareHeatPlot   *self,
                           guint64         rows,
                           guint64         columns,
                           TareHeatFunc    func,
                           gpointer        data,
                           GDestroyNotify  destroy)
{
  Source *source = NULL;

  g_return_if_fail (TARE_IS_HEAT_PLOT (self));
  g_return_if_fail (columns < G_MAXUINT);

  if (func != NULL)
    {
      source = g_new0 (Source, 1);
      g_atomic_ref_count_init (&source->ref_count);
      *source = (Source) { source->ref_count, func, data, destroy, rows, columns };
    }
  if (source != NULL && (rows == 0 || columns == 0))
    g_clear_pointer (&source, _tare_heat_source_unref);

  _tare_heat_stop (self);
  g_clear_pointer (&self->source, _tare_heat_source_unref);
  self->source = source;
  self->row_unit = source != NULL ? rows / ((G_MAXUINT - 1) / columns) + 1 : 1;
  tare_heat_plot_source_changed (self);
}

/* A matrix in memory. */
typedef struct
{
  float   *values;
  guint64  columns;
} Matrix;

static void
matrix_free (Matrix *matrix)
{
  g_free (matrix->values);
  g_free (matrix);
}

static TareHeatState
sample_matrix (gpointer            data,
               const TareHeatArea *area,
               GCancellable       *cancellable,
               float              *values)
{
  const Matrix *matrix = data;

  for (guint i = 0; i < area->height; i++)
    for (guint j = 0; j < area->width; j++)
      {
        float *value = values + (gsize) i * area->width + j;

        *value = 0.0f;
        for (guint64 row = i * area->n_rows / area->height;
             row < (i + 1) * area->n_rows / area->height; row++)
          for (guint64 column = j * area->n_columns / area->width;
               column < (j + 1) * area->n_columns / area->width; column++)
            {
              float x = matrix->values[(area->row + row) * matrix->columns + area->column + column];

              if (isnan (x) || fabsf (x) > fabsf (*value))
                *value = x;
            }
      }

  return TARE_HEAT_STATE_EXACT;
}

/**
 * tare_heat_plot_set_values:
 * @self: the plot
 * @values: (array): @rows x @columns, row-major; copied
 * @rows: of the matrix
 * @columns: of it
 *
 * Shows a matrix that is small enough to be looked at anew for every picture.
 */
void
tare_heat_plot_set_values (TareHeatPlot *self,
                           const float  *values,
                           guint         rows,
                           guint         columns)
{
  Matrix *matrix;

  g_return_if_fail (TARE_IS_HEAT_PLOT (self));
  g_return_if_fail (values != NULL || rows == 0 || columns == 0);

  matrix = g_new (Matrix, 1);
  matrix->values = g_memdup2 (values, (gsize) rows * columns * sizeof *values);
  matrix->columns = columns;
  tare_heat_plot_set_source (self, rows, columns, sample_matrix, matrix,
                             (GDestroyNotify) matrix_free);
}

/**
 * tare_heat_plot_source_changed:
 * @self: the plot
 *
 * The source knows more, or something else, than when it was last asked.
 */
void
tare_heat_plot_source_changed (TareHeatPlot *self)
{
  g_return_if_fail (TARE_IS_HEAT_PLOT (self));

  _tare_heat_stop (self);
  g_clear_pointer (&self->view, _tare_heat_view_free);
  g_clear_object (&self->texture);
  update_scale (self);
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_heat_plot_set_signed:
 * @self: the plot
 * @is_signed: whether the values keep their sign, in diverging colours, or show as magnitudes
 */
void
tare_heat_plot_set_signed (TareHeatPlot *self,
                           gboolean      is_signed)
{
  g_return_if_fail (TARE_IS_HEAT_PLOT (self));

  if (self->is_signed == !!is_signed)
    return;

  self->is_signed = !!is_signed;
  tare_color_scale_set_diverging (self->scale, self->is_signed);
  update_scale (self);
  scale_changed_cb (self);
}

/**
 * tare_heat_plot_set_names:
 * @self: the plot
 * @row: what a row is called, "output"
 * @column: what a column is called, "input"
 * @value: what a value is called, "|w|"; it also stands beside the colours
 */
void
tare_heat_plot_set_names (TareHeatPlot *self,
                          const char   *row,
                          const char   *column,
                          const char   *value)
{
  const char *const names[3] = { row, column, value };

  g_return_if_fail (TARE_IS_HEAT_PLOT (self));
  g_return_if_fail (row != NULL && column != NULL && value != NULL);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_free (self->names[i]);
      self->names[i] = g_strdup (names[i]);
    }
  tare_axis_set_title (tare_color_scale_get_axis (self->scale), value);
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_heat_plot_set_labels:
 * @self: the plot
 * @rows: (nullable): a name for each row
 * @columns: (nullable): a name for each column
 *
 * For small matrices, such as the correlations between measures. In a matrix with names, NaN stands
 * for a value that is not there, and its cell stays empty.
 */
void
tare_heat_plot_set_labels (TareHeatPlot      *self,
                           const char *const *rows,
                           const char *const *columns)
{
  g_return_if_fail (TARE_IS_HEAT_PLOT (self));

  g_strfreev (self->labels[0]);
  g_strfreev (self->labels[1]);
  self->labels[0] = g_strdupv ((char **) rows);
  self->labels[1] = g_strdupv ((char **) columns);
  g_clear_object (&self->texture);
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_heat_plot_set_maximum:
 * @self: the plot
 * @maximum: the magnitude that takes the last colour; NaN for the greatest of the matrix
 *
 * Two heat maps with one maximum can be compared.
 */
void
tare_heat_plot_set_maximum (TareHeatPlot *self,
                            double        maximum)
{
  g_return_if_fail (TARE_IS_HEAT_PLOT (self));

  if (self->maximum == maximum || (isnan (self->maximum) && isnan (maximum)))
    return;

  self->maximum = maximum;
  update_scale (self);
}

/**
 * tare_heat_plot_set_marked:
 * @self: the plot
 * @orientation: %GTK_ORIENTATION_HORIZONTAL for rows, which lie so, else columns
 * @indices: (nullable) (array length=n): which of them a mark at the edge sets apart, such as the
 *   channels that are selected elsewhere; copied
 * @n: how many
 */
void
tare_heat_plot_set_marked (TareHeatPlot   *self,
                           GtkOrientation  orientation,
                           const guint64  *indices,
                           guint           n)
{
  g_return_if_fail (TARE_IS_HEAT_PLOT (self));
  g_return_if_fail (indices != NULL || n == 0);

  g_free (self->marked[orientation]);
  self->marked[orientation] = n > 0 ? g_memdup2 (indices, n * sizeof *indices) : NULL;
  self->n_marked[orientation] = n;
  tare_plot_changed (TARE_PLOT (self));
}

/**
 * tare_heat_plot_get_cell:
 * @self: the plot
 * @point: one of its points, as signals have it
 * @row: (out): the row it lies in
 * @column: (out): the column
 */
void
tare_heat_plot_get_cell (TareHeatPlot *self,
                         guint         point,
                         guint64      *row,
                         guint64      *column)
{
  g_return_if_fail (TARE_IS_HEAT_PLOT (self));

  *row = *column = 0;
  if (self->source == NULL)
    return;

  *row = MIN (point / self->source->columns * self->row_unit, self->source->rows - 1);
  *column = point % self->source->columns;
}

/**
 * tare_heat_plot_is_exact:
 * @self: the plot
 *
 * Returns: whether what was last drawn is as fine as it can be
 */
gboolean
tare_heat_plot_is_exact (TareHeatPlot *self)
{
  g_return_val_if_fail (TARE_IS_HEAT_PLOT (self), FALSE);

  return self->view != NULL && self->view->state == TARE_HEAT_STATE_EXACT;
}
