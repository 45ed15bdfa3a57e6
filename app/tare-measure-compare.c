/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-measure-compare.h"

#include <glib/gi18n.h>
#include <math.h>

#include "analysis/sensitivity/tare-correlation.h"
#include "app/tare-text.h"
#include "widgets/tare-heat-plot.h"
#include "widgets/tare-scatter-plot.h"

/* Of the height, the matrix has three parts and the layers have two. */
#define MATRIX_PARTS  3
#define SCATTER_PARTS 2

struct _TareMeasureCompare
{
  AdwBin            parent_instance;

  TareChart        *matrix_chart;
  TareChart        *scatter_chart;
  TarePlot         *matrix;
  TarePlot         *scatter;

  TareMeasurements *measurements;
  TareMeasureShow   show;
  gsize             n;
  /* Of all measures of the table, n x n, and the revisions of the values they are from. */
  double           *correlations;
  guint            *revisions;
  /* Those that the matrix has. */
  GArray           *shown;
  gsize             chosen[2];
};

enum
{
  CHOSEN,
  N_SIGNALS
};

G_DEFINE_FINAL_TYPE (TareMeasureCompare, tare_measure_compare, ADW_TYPE_BIN)

static guint signals[N_SIGNALS];

/* --- correlations --- */

static void
correlate (TareMeasureCompare *self,
           gsize               measure)
{
  const double *values = tare_measurements_get_values (self->measurements, measure);

  for (gsize i = 0; i < self->n; i++)
    {
      double correlation =
        tare_correlation_spearman (values, tare_measurements_get_values (self->measurements, i),
                                   tare_measurements_get_n_rows (self->measurements));

      self->correlations[measure * self->n + i] = correlation;
      self->correlations[i * self->n + measure] = correlation;
    }
}

static gboolean
update_correlations (TareMeasureCompare *self)
{
  gboolean changed = FALSE;

  for (gsize i = 0; i < self->n; i++)
    {
      guint revision = tare_measurements_get_revision (self->measurements, i);

      if (revision == self->revisions[i])
        continue;
      self->revisions[i] = revision;
      correlate (self, i);
      changed = TRUE;
    }

  return changed;
}

/* One that has the same value everywhere has no ranks, not even with itself. */
static gboolean
is_shown (TareMeasureCompare *self,
          gsize               measure)
{
  gboolean by_format = tare_measure_is_by_format (tare_measure_get (measure));

  return !isnan (self->correlations[measure * self->n + measure])
         && (self->show == TARE_MEASURE_SHOW_ALL
             || by_format == (self->show == TARE_MEASURE_SHOW_BY_FORMAT));
}

static void
list_shown (TareMeasureCompare *self)
{
  g_array_set_size (self->shown, 0);
  for (gsize i = 0; i < self->n; i++)
    if (is_shown (self, i))
      g_array_append_val (self->shown, i);
}

static gsize
get_shown (TareMeasureCompare *self,
           guint               index)
{
  return g_array_index (self->shown, gsize, index);
}

/* --- the matrix --- */

/* Rows have names with a number in front, and columns the numbers: names would take more room than
 * the cells. */
static void
label_matrix (TareMeasureCompare *self)
{
  guint n = self->shown->len;
  g_auto(GStrv) rows = g_new0 (char *, n + 1);
  g_auto(GStrv) columns = g_new0 (char *, n + 1);

  for (guint i = 0; i < n; i++)
    {
      columns[i] = g_strdup_printf ("%u", i + 1);
      rows[i] = g_strdup_printf ("%u %s", i + 1, _(tare_measure_get (get_shown (self, i))->label));
    }
  tare_heat_plot_set_labels (TARE_HEAT_PLOT (self->matrix), (const char *const *) rows,
                             (const char *const *) columns);
}

static void
fill_matrix (TareMeasureCompare *self)
{
  guint n = self->shown->len;
  g_autofree float *values = g_new (float, MAX (n * n, 1));

  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < n; k++)
      values[i * n + k] =
        (float) self->correlations[get_shown (self, i) * self->n + get_shown (self, k)];
  label_matrix (self);
  tare_heat_plot_set_values (TARE_HEAT_PLOT (self->matrix), values, n, n);
}

/* The first two, until a cell is clicked; what is clicked stays while it is shown. */
static void
mend_choice (TareMeasureCompare *self)
{
  for (guint k = 0; k < 2; k++)
    {
      gboolean found = FALSE;

      for (guint i = 0; i < self->shown->len; i++)
        found = found || get_shown (self, i) == self->chosen[k];
      if (!found && self->shown->len > 0)
        self->chosen[k] = get_shown (self, MIN (k, self->shown->len - 1));
    }
}

static void
mark_choice (TareMeasureCompare *self)
{
  for (guint64 i = 0; i < self->shown->len; i++)
    {
      gsize measure = get_shown (self, (guint) i);

      if (measure == self->chosen[0])
        tare_heat_plot_set_marked (TARE_HEAT_PLOT (self->matrix), GTK_ORIENTATION_VERTICAL, &i, 1);
      if (measure == self->chosen[1])
        tare_heat_plot_set_marked (TARE_HEAT_PLOT (self->matrix), GTK_ORIENTATION_HORIZONTAL, &i,
                                   1);
    }
}

/* --- the scatter --- */

static gboolean
is_positive (TareMeasureCompare *self,
             gsize               measure)
{
  const double *values = tare_measurements_get_values (self->measurements, measure);
  guint n = tare_measurements_get_n_rows (self->measurements);

  for (guint i = 0; i < n; i++)
    if (values[i] <= 0.0)
      return FALSE;

  return TRUE;
}

static void
set_up_axis (TareMeasureCompare *self,
             TareAxis           *axis,
             gsize               measure)
{
  const TareMeasure *row = tare_measure_get (measure);
  g_autofree char *title = *row->unit != '\0' ? g_strdup_printf ("%s, %s", _(row->label), row->unit)
                                              : g_strdup (_(row->label));

  tare_axis_set_title (axis, title);
  tare_axis_set_scale (axis, is_positive (self, measure) ? TARE_AXIS_SCALE_LOG
                                                         : TARE_AXIS_SCALE_LINEAR);
}

/* Where no standard error is known, there is no line. */
static double *
dup_errors (TareMeasureCompare *self,
            gsize               measure)
{
  const double *errors = tare_measurements_get_errors (self->measurements, measure);
  guint n = tare_measurements_get_n_rows (self->measurements);
  double *known = g_new (double, MAX (n, 1));

  for (guint i = 0; i < n; i++)
    known[i] = isfinite (errors[i]) ? errors[i] : 0.0;

  return known;
}

static void
fill_scatter (TareMeasureCompare *self)
{
  guint n = tare_measurements_get_n_rows (self->measurements);
  g_auto(GStrv) names = tare_measurements_dup_names (self->measurements);
  g_autofree double *x_errors = NULL;
  g_autofree double *y_errors = NULL;

  if (self->shown->len == 0)
    {
      tare_scatter_plot_set_points (TARE_SCATTER_PLOT (self->scatter), NULL, NULL, NULL, 0);
      return;
    }

  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (self->scatter), (const char *const *) names,
                                tare_measurements_get_values (self->measurements, self->chosen[0]),
                                tare_measurements_get_values (self->measurements, self->chosen[1]),
                                n);
  x_errors = dup_errors (self, self->chosen[0]);
  y_errors = dup_errors (self, self->chosen[1]);
  tare_scatter_plot_set_errors (TARE_SCATTER_PLOT (self->scatter), x_errors, y_errors);
  tare_plot_set_ids (self->scatter, tare_measurements_get_layers (self->measurements), n);
  set_up_axis (self, tare_chart_get_x_axis (self->scatter_chart), self->chosen[0]);
  set_up_axis (self, tare_chart_get_y_axis (self->scatter_chart), self->chosen[1]);
}

static guint
count_pairs (TareMeasureCompare *self)
{
  const double *x = tare_measurements_get_values (self->measurements, self->chosen[0]);
  const double *y = tare_measurements_get_values (self->measurements, self->chosen[1]);
  guint pairs = 0;

  for (guint i = 0; i < tare_measurements_get_n_rows (self->measurements); i++)
    pairs += isnan (x[i]) || isnan (y[i]) ? 0 : 1;

  return pairs;
}

static void
highlight (TareMeasureCompare *self)
{
  const guint *selection;
  guint n;

  if (self->measurements == NULL)
    return;

  selection = tare_session_get_selection (tare_measurements_get_session (self->measurements), &n);
  tare_plot_set_selected (self->scatter, selection, n);
}

/* --- the widget --- */

static void
fill (TareMeasureCompare *self)
{
  if (self->measurements == NULL)
    return;

  list_shown (self);
  mend_choice (self);
  fill_matrix (self);
  mark_choice (self);
  fill_scatter (self);
  highlight (self);
}

static void
cell_activated_cb (TareMeasureCompare *self,
                   guint               point,
                   GdkModifierType     state)
{
  guint64 row, column;

  tare_heat_plot_get_cell (TARE_HEAT_PLOT (self->matrix), point, &row, &column);
  if (row < self->shown->len && column < self->shown->len)
    tare_measure_compare_choose (self, tare_measure_get (get_shown (self, (guint) column)),
                                 tare_measure_get (get_shown (self, (guint) row)));
}

static void
point_activated_cb (TareMeasureCompare *self,
                    guint               layer,
                    GdkModifierType     state)
{
  tare_measurements_select (self->measurements, layer, (state & GDK_CONTROL_MASK) != 0);
}

static void
tare_measure_compare_dispose (GObject *object)
{
  TareMeasureCompare *self = (TareMeasureCompare *) object;

  g_clear_object (&self->matrix);
  g_clear_object (&self->scatter);
  g_clear_object (&self->measurements);

  G_OBJECT_CLASS (tare_measure_compare_parent_class)->dispose (object);
}

static void
tare_measure_compare_finalize (GObject *object)
{
  TareMeasureCompare *self = (TareMeasureCompare *) object;

  g_array_unref (self->shown);
  g_free (self->correlations);
  g_free (self->revisions);

  G_OBJECT_CLASS (tare_measure_compare_parent_class)->finalize (object);
}

static void
tare_measure_compare_class_init (TareMeasureCompareClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = tare_measure_compare_dispose;
  object_class->finalize = tare_measure_compare_finalize;

  signals[CHOSEN] = g_signal_new ("chosen", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static TareChart *
add_chart (GtkGrid    *grid,
           TarePlot   *plot,
           int         top,
           int         height,
           const char *name)
{
  TareChart *chart = TARE_CHART (tare_chart_new ());

  tare_chart_add_plot (chart, plot);
  gtk_widget_set_hexpand (GTK_WIDGET (chart), TRUE);
  gtk_widget_set_vexpand (GTK_WIDGET (chart), TRUE);
  gtk_accessible_update_property (GTK_ACCESSIBLE (chart), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  gtk_grid_attach (grid, GTK_WIDGET (chart), 0, top, 1, height);

  return chart;
}

static void
add_matrix (TareMeasureCompare *self,
            GtkGrid            *grid)
{
  self->matrix = tare_heat_plot_new ();
  tare_heat_plot_set_signed (TARE_HEAT_PLOT (self->matrix), TRUE);
  tare_heat_plot_set_maximum (TARE_HEAT_PLOT (self->matrix), 1.0);
  tare_heat_plot_set_names (TARE_HEAT_PLOT (self->matrix), _("measure"), _("measure"), "ρ");
  g_signal_connect_object (self->matrix, "point-activated", G_CALLBACK (cell_activated_cb), self,
                           G_CONNECT_SWAPPED);
  self->matrix_chart = add_chart (grid, self->matrix, 0, MATRIX_PARTS,
                                  _("How the measures go together"));
}

static void
add_scatter (TareMeasureCompare *self,
             GtkGrid            *grid)
{
  self->scatter = tare_scatter_plot_new ();
  g_signal_connect_object (self->scatter, "point-activated", G_CALLBACK (point_activated_cb), self,
                           G_CONNECT_SWAPPED);
  self->scatter_chart = add_chart (grid, self->scatter, MATRIX_PARTS, SCATTER_PARTS,
                                   _("The layers by two measures"));
}

static void
tare_measure_compare_init (TareMeasureCompare *self)
{
  GtkWidget *grid = gtk_grid_new ();

  self->n = tare_measure_get_n_measures ();
  self->correlations = g_new (double, self->n * self->n);
  self->revisions = g_new0 (guint, self->n);
  self->shown = g_array_new (FALSE, FALSE, sizeof (gsize));
  self->chosen[0] = self->chosen[1] = self->n;
  for (gsize i = 0; i < self->n * self->n; i++)
    self->correlations[i] = (double) NAN;
  gtk_grid_set_row_homogeneous (GTK_GRID (grid), TRUE);
  adw_bin_set_child (ADW_BIN (self), grid);
  add_matrix (self, GTK_GRID (grid));
  add_scatter (self, GTK_GRID (grid));
}

/**
 * tare_measure_compare_set_measurements:
 * @self: the widget
 * @measurements: what is compared; given once
 */
void
tare_measure_compare_set_measurements (TareMeasureCompare *self,
                                       TareMeasurements   *measurements)
{
  g_return_if_fail (TARE_IS_MEASURE_COMPARE (self));
  g_return_if_fail (self->measurements == NULL && TARE_IS_MEASUREMENTS (measurements));

  self->measurements = g_object_ref (measurements);
  g_signal_connect_object (tare_measurements_get_session (measurements), "selection-changed",
                           G_CALLBACK (highlight), self, G_CONNECT_SWAPPED);
}

/**
 * tare_measure_compare_refresh:
 * @self: the widget
 *
 * Shows what is known by now.
 */
void
tare_measure_compare_refresh (TareMeasureCompare *self)
{
  g_return_if_fail (TARE_IS_MEASURE_COMPARE (self));

  if (self->measurements != NULL && update_correlations (self))
    fill (self);
}

/**
 * tare_measure_compare_set_show:
 * @self: the widget
 * @show: which measures to compare
 */
void
tare_measure_compare_set_show (TareMeasureCompare *self,
                               TareMeasureShow     show)
{
  g_return_if_fail (TARE_IS_MEASURE_COMPARE (self));

  self->show = show;
  fill (self);
  tare_chart_fit (self->matrix_chart);
  g_signal_emit (self, signals[CHOSEN], 0);
}

/**
 * tare_measure_compare_dup_caption:
 * @self: the widget
 *
 * Returns: (transfer full): what the two measures that are chosen have to do with each other
 */
char *
tare_measure_compare_dup_caption (TareMeasureCompare *self)
{
  g_autofree char *number = NULL;
  guint pairs;

  g_return_val_if_fail (TARE_IS_MEASURE_COMPARE (self), NULL);

  if (self->shown->len == 0)
    return g_strdup (_("A measure shows as soon as it is known."));

  pairs = count_pairs (self);
  number = tare_text_number (self->correlations[self->chosen[0] * self->n + self->chosen[1]], 3);

  /* translators: two measures, a number from -1 to 1 and how many layers it is from */
  return g_strdup_printf (ngettext ("%s by %s: Spearman's rank correlation ρ = %s over %u layer. "
                                    "Click a cell to see its two measures, a point to select its "
                                    "layer.",
                                    "%s by %s: Spearman's rank correlation ρ = %s over %u layers. "
                                    "Click a cell to see its two measures, a point to select its "
                                    "layer.", pairs),
                          _(tare_measure_get (self->chosen[1])->label),
                          _(tare_measure_get (self->chosen[0])->label), number, pairs);
}

/**
 * tare_measure_compare_choose:
 * @self: the widget
 * @x: a measure for the width of the scatter
 * @y: and one for its height
 *
 * Shows the layers by two measures. One that the matrix does not have is replaced by one it has.
 */
void
tare_measure_compare_choose (TareMeasureCompare *self,
                             const TareMeasure  *x,
                             const TareMeasure  *y)
{
  g_return_if_fail (TARE_IS_MEASURE_COMPARE (self));

  for (gsize i = 0; i < self->n; i++)
    {
      if (tare_measure_get (i) == x)
        self->chosen[0] = i;
      if (tare_measure_get (i) == y)
        self->chosen[1] = i;
    }
  fill (self);
  tare_chart_fit (self->scatter_chart);
  g_signal_emit (self, signals[CHOSEN], 0);
}

/**
 * tare_measure_compare_get_n_measures:
 * @self: the widget
 *
 * Returns: how many rows and columns the matrix has
 */
guint
tare_measure_compare_get_n_measures (TareMeasureCompare *self)
{
  g_return_val_if_fail (TARE_IS_MEASURE_COMPARE (self), 0);

  return self->shown->len;
}

/**
 * tare_measure_compare_get_measure:
 * @self: the widget
 * @index: of a row of the matrix
 *
 * Returns: (transfer none): which measure it is
 */
const TareMeasure *
tare_measure_compare_get_measure (TareMeasureCompare *self,
                                  guint               index)
{
  g_return_val_if_fail (TARE_IS_MEASURE_COMPARE (self) && index < self->shown->len, NULL);

  return tare_measure_get (get_shown (self, index));
}

/**
 * tare_measure_compare_get_correlation:
 * @self: the widget
 * @row: of the matrix
 * @column: of it
 *
 * Returns: Spearman's rank correlation of the two; NaN where they share no layers
 */
double
tare_measure_compare_get_correlation (TareMeasureCompare *self,
                                      guint               row,
                                      guint               column)
{
  g_return_val_if_fail (TARE_IS_MEASURE_COMPARE (self), (double) NAN);
  g_return_val_if_fail (row < self->shown->len && column < self->shown->len, (double) NAN);

  return self->correlations[get_shown (self, row) * self->n + get_shown (self, column)];
}

/**
 * tare_measure_compare_get_matrix:
 * @self: the widget
 *
 * Returns: (transfer none): the matrix
 */
TareChart *
tare_measure_compare_get_matrix (TareMeasureCompare *self)
{
  g_return_val_if_fail (TARE_IS_MEASURE_COMPARE (self), NULL);

  return self->matrix_chart;
}

/**
 * tare_measure_compare_get_heat:
 * @self: the widget
 *
 * Returns: (transfer none): the cells of the matrix
 */
TarePlot *
tare_measure_compare_get_heat (TareMeasureCompare *self)
{
  g_return_val_if_fail (TARE_IS_MEASURE_COMPARE (self), NULL);

  return self->matrix;
}

/**
 * tare_measure_compare_get_scatter:
 * @self: the widget
 *
 * Returns: (transfer none): the layers by two measures
 */
TarePlot *
tare_measure_compare_get_scatter (TareMeasureCompare *self)
{
  g_return_val_if_fail (TARE_IS_MEASURE_COMPARE (self), NULL);

  return self->scatter;
}
