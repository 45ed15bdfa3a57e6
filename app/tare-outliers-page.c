/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-outliers-page.h"

#include <glib/gi18n.h>
#include <string.h>

#include "analysis/statistics/tare-pyramid.h"
#include "analysis/statistics/tare-ranges.h"
#include "widgets/tare-heat-plot.h"
#include "widgets/tare-range-plot.h"

/* In the order of the list that one is chosen from. */
typedef enum
{
  SHOW_WEIGHTS,
  SHOW_ERROR,
} Show;

typedef enum
{
  CHANNELS_OUTPUTS,
  CHANNELS_INPUTS,
} Channels;

/* Weights that are decoded within a frame: a millisecond or so. */
#define AT_ONCE ((gsize) 1 << 18)

struct _TareOutliersPage
{
  TareLayerPage    parent_instance;

  TareChart       *map_chart;
  TareChart       *range_chart;
  TarePlot        *map;
  TarePlot        *ranges;
  GtkDropDown     *show_drop;
  GtkDropDown     *channels_drop;
  GtkToggleButton *sort_button;

  TareStudy       *study;
};

G_DEFINE_FINAL_TYPE (TareOutliersPage, tare_outliers_page, TARE_TYPE_LAYER_PAGE)

/* A matrix that is looked at, from any thread: a tensor, or what its format makes of it less what
 * it is. */
typedef struct
{
  TareModel        *model;
  const TareTensor *tensor;
  TareQuantized    *quantized;
  TarePyramid      *pyramid;
} Matrix;

static void
matrix_clear (gpointer data)
{
  Matrix *self = data;

  g_clear_pointer (&self->pyramid, tare_pyramid_unref);
  g_clear_pointer (&self->quantized, tare_quantized_unref);
  g_clear_pointer (&self->model, tare_model_unref);
}

static void
matrix_unref (gpointer data)
{
  g_atomic_rc_box_release_full (data, matrix_clear);
}

/* Rows of the tensor, or of its error. */
static gboolean
read_rows (gpointer   data,
           gsize      first,
           gsize      n,
           float     *out,
           GError   **error)
{
  const Matrix *self = data;
  const TareTensor *tensor = self->tensor;
  gsize count = n * tensor->columns;
  g_autofree float *rounded = NULL;

  if (!tare_tensor_read_rows (tensor, first, n, out, error))
    return FALSE;
  if (self->quantized == NULL)
    return TRUE;
  if (self->quantized->bytes == NULL)
    {
      memset (out, 0, count * sizeof *out);
      return TRUE;
    }

  rounded = g_new (float, MAX (count, 1));
  tare_format_decode_rows (self->quantized->format,
                           g_bytes_get_data (self->quantized->bytes, NULL), tensor->rows,
                           tensor->columns, first, n, rounded);
  for (gsize i = 0; i < count; i++)
    out[i] = rounded[i] - out[i];

  return TRUE;
}

static TareHeatState
sample (gpointer            data,
        const TareHeatArea *area,
        GCancellable       *cancellable,
        float              *values)
{
  const Matrix *self = data;
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  const TarePool pool = {
    .row = area->row, .n_rows = area->n_rows, .column = area->column,
    .n_columns = area->n_columns, .width = area->width, .height = area->height,
  };

  if (tare_pyramid_sample (self->pyramid, &pool, values))
    return TARE_HEAT_STATE_EXACT;

  /* A few rows are read at once, from which the picture says where its extremes are. */
  if ((cancellable != NULL || area->n_rows <= AT_ONCE / self->tensor->columns)
      && tare_pool_rows (self->tensor->columns, read_rows, data, &pool, &progress, values, NULL))
    return TARE_HEAT_STATE_EXACT;

  return TARE_HEAT_STATE_COARSE;
}

/* --- the study --- */

typedef struct
{
  TareAssignment assignment;
  Show           show;
  Channels       channels;
} Request;

/* Either of the two. */
typedef struct
{
  Matrix     *matrix;
  TareRanges *ranges;
} Finding;

static void
finding_free (gpointer data)
{
  Finding *finding = data;

  g_clear_pointer (&finding->matrix, matrix_unref);
  g_clear_pointer (&finding->ranges, tare_ranges_free);
  g_free (finding);
}

static void
post (TareStudyTask *task,
      Matrix        *matrix,
      TareRanges    *ranges)
{
  Finding *finding = g_new0 (Finding, 1);

  finding->matrix = matrix;
  finding->ranges = ranges;
  tare_study_post (task, finding);
}

static gboolean
study_matrix (TareStudyTask       *task,
              const Request       *request,
              const TareProgress  *progress,
              GError             **error)
{
  Matrix *matrix = g_atomic_rc_box_new0 (Matrix);
  TareProgress first = tare_progress_part (progress, 0.0, 0.7);
  TareProgress second = tare_progress_part (progress, request->show == SHOW_ERROR ? 0.7 : 0.0, 1.0);

  matrix->model = tare_model_ref (task->model);
  matrix->tensor = task->tensor;
  if (request->show == SHOW_ERROR)
    {
      matrix->quantized = tare_engine_quantize (task->engine, task->tensor, &request->assignment,
                                                task->calibration, &first, error);
      if (matrix->quantized == NULL)
        {
          matrix_unref (matrix);
          return FALSE;
        }
    }

  matrix->pyramid = tare_pyramid_build_rows (task->tensor->rows, task->tensor->columns, read_rows,
                                             matrix, &second, error);
  if (matrix->pyramid == NULL)
    {
      matrix_unref (matrix);
      return FALSE;
    }
  post (task, matrix, NULL);

  return TRUE;
}

static gboolean
study (TareStudyTask  *task,
       GError        **error)
{
  const Request *request = task->request;
  TareProgress first = tare_progress_part (task->progress, 0.0, 0.5);
  TareProgress second = tare_progress_part (task->progress, 0.5, 1.0);
  TareRanges *ranges;

  if (!study_matrix (task, request, &first, error))
    return FALSE;

  ranges = request->channels == CHANNELS_OUTPUTS
           ? tare_ranges_of_rows (task->tensor, &second, error)
           : tare_ranges_of_columns (task->tensor, &second, error);
  if (ranges == NULL)
    return FALSE;
  post (task, NULL, ranges);

  return TRUE;
}

/* --- the page --- */

static void
show_ranges (TareOutliersPage *self,
             const TareRanges *ranges)
{
  g_autofree TareRangeBand *bands = g_new (TareRangeBand, MAX (ranges->n, 1));

  for (gsize i = 0; i < ranges->n; i++)
    {
      const float *levels = ranges->values[i];

      bands[i] = (TareRangeBand) {
        .minimum = levels[TARE_RANGE_LEVEL_MINIMUM], .low = levels[TARE_RANGE_LEVEL_1],
        .lower = levels[TARE_RANGE_LEVEL_25], .median = levels[TARE_RANGE_LEVEL_50],
        .upper = levels[TARE_RANGE_LEVEL_75], .high = levels[TARE_RANGE_LEVEL_99],
        .maximum = levels[TARE_RANGE_LEVEL_MAXIMUM],
      };
    }
  tare_range_plot_set_ranges (TARE_RANGE_PLOT (self->ranges), bands, (guint) ranges->n);
  tare_chart_fit (self->range_chart);
}

static void
news (gpointer owner,
      gpointer item)
{
  TareOutliersPage *self = owner;
  Finding *finding = item;

  if (finding->matrix != NULL)
    {
      const TareTensor *tensor = finding->matrix->tensor;

      tare_heat_plot_set_source (TARE_HEAT_PLOT (self->map), tensor->rows, tensor->columns, sample,
                                 g_steal_pointer (&finding->matrix), matrix_unref);
      tare_chart_fit (self->map_chart);
    }
  if (finding->ranges != NULL)
    show_ranges (self, finding->ranges);
  tare_layer_page_show_charts (TARE_LAYER_PAGE (self));
}

static void
done (gpointer      owner,
      const GError *error)
{
  tare_layer_page_set_busy (owner, FALSE);
  if (error != NULL)
    tare_layer_page_set_caption (owner, error->message);
}

static const TareStudyClass study_class = {
  .title = N_("Looking for outliers"),
  .work = study,
  .news = news,
  .free_news = finding_free,
  .done = done,
};

static void
update_caption (TareOutliersPage *self)
{
  gboolean error = gtk_drop_down_get_selected (self->show_drop) == SHOW_ERROR;

  tare_layer_page_set_caption (TARE_LAYER_PAGE (self), error
    ? _("Above, the error of each weight in the layer's format; every dot is the largest of the "
        "weights it stands for. Below, how the weights of each channel are spread: all, 98 % and "
        "half of them, and their middle.")
    : _("Above, the magnitude of each weight; every dot is the largest of the weights it stands "
        "for. Below, how the weights of each channel are spread: all, 98 % and half of them, and "
        "their middle."));
}

static void
show (TareLayerPage *page,
      TareLayer     *layer)
{
  TareOutliersPage *self = TARE_OUTLIERS_PAGE (page);
  Request *request;

  if (layer == NULL)
    {
      tare_study_stop (self->study);
      tare_heat_plot_set_source (TARE_HEAT_PLOT (self->map), 0, 0, NULL, NULL, NULL);
      return;
    }

  request = g_new0 (Request, 1);
  request->assignment = tare_layer_get_assignment (layer);
  request->show = gtk_drop_down_get_selected (self->show_drop);
  request->channels = gtk_drop_down_get_selected (self->channels_drop);
  tare_heat_plot_set_names (TARE_HEAT_PLOT (self->map), _("output"), _("input"),
                            request->show == SHOW_ERROR ? _("error") : _("weight"));
  tare_range_plot_set_name (TARE_RANGE_PLOT (self->ranges),
                            request->channels == CHANNELS_OUTPUTS ? _("output") : _("input"));
  tare_axis_set_title (tare_chart_get_x_axis (self->range_chart),
                       request->channels == CHANNELS_OUTPUTS ? _("output") : _("input"));
  update_caption (self);
  tare_layer_page_set_busy (page, TRUE);
  tare_study_start (self->study, tare_layer_get_tensor (layer), request, g_free);
}

/* The weights stay what they are whatever the recipe says; errors do not. */
static void
recipe_changed_cb (TareOutliersPage *self)
{
  if (gtk_drop_down_get_selected (self->show_drop) == SHOW_ERROR)
    tare_layer_page_refresh (TARE_LAYER_PAGE (self));
}

static void
session_set (TareLayerPage *page,
             TareSession   *session)
{
  TareOutliersPage *self = TARE_OUTLIERS_PAGE (page);

  self->study = tare_study_new (&study_class, session, self);
  g_signal_connect_object (session, "recipe-changed", G_CALLBACK (recipe_changed_cb), self,
                           G_CONNECT_SWAPPED);
}

static void
sort_cb (TareOutliersPage *self)
{
  tare_range_plot_set_sorted (TARE_RANGE_PLOT (self->ranges),
                              gtk_toggle_button_get_active (self->sort_button));
}

static void
tare_outliers_page_dispose (GObject *object)
{
  TareOutliersPage *self = (TareOutliersPage *) object;

  g_clear_pointer (&self->study, tare_study_free);

  G_OBJECT_CLASS (tare_outliers_page_parent_class)->dispose (object);
}

static void
tare_outliers_page_finalize (GObject *object)
{
  TareOutliersPage *self = (TareOutliersPage *) object;

  g_clear_object (&self->map);
  g_clear_object (&self->ranges);

  G_OBJECT_CLASS (tare_outliers_page_parent_class)->finalize (object);
}

static void
tare_outliers_page_class_init (TareOutliersPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  TareLayerPageClass *page_class = TARE_LAYER_PAGE_CLASS (klass);

  object_class->dispose = tare_outliers_page_dispose;
  object_class->finalize = tare_outliers_page_finalize;
  page_class->show = show;
  page_class->session_set = session_set;
}

static void
add_controls (TareOutliersPage *self)
{
  TareLayerPage *page = TARE_LAYER_PAGE (self);
  const char *const shows[] = { _("Weights"), _("Error of the format"), NULL };
  const char *const channels[] = { _("By output"), _("By input"), NULL };
  GtkWidget *all_button;

  self->show_drop = tare_layer_page_add_choice (page, _("What the Picture Shows"), shows,
                                                G_CALLBACK (tare_layer_page_refresh));
  self->channels_drop = tare_layer_page_add_choice (page, _("Which Channels"), channels,
                                                    G_CALLBACK (tare_layer_page_refresh));
  self->sort_button = GTK_TOGGLE_BUTTON (gtk_toggle_button_new ());
  gtk_button_set_icon_name (GTK_BUTTON (self->sort_button), "view-sort-descending-symbolic");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->sort_button), _("Widest Channels First"));
  g_signal_connect_swapped (self->sort_button, "toggled", G_CALLBACK (sort_cb), self);
  tare_layer_page_add_control (page, GTK_WIDGET (self->sort_button));

  all_button = gtk_button_new_with_label (_("All Layers"));
  gtk_widget_set_tooltip_text (all_button, _("Outliers of All Layers on the Map"));
  gtk_actionable_set_action_name (GTK_ACTIONABLE (all_button), "win.show-on-map");
  gtk_actionable_set_action_target (GTK_ACTIONABLE (all_button), "s", "outliers");
  tare_layer_page_add_control (page, all_button);
}

static void
tare_outliers_page_init (TareOutliersPage *self)
{
  TareLayerPage *page = TARE_LAYER_PAGE (self);

  tare_layer_page_set_empty (page, "tare-outliers-symbolic", _("No Layer Is Selected"),
                             _("Select a matrix: where its outliers are shows here"), NULL, NULL);
  self->map_chart = tare_layer_page_add_chart (page, _("The matrix as a picture"));
  self->map = tare_heat_plot_new ();
  tare_chart_add_plot (self->map_chart, self->map);
  tare_axis_set_title (tare_chart_get_x_axis (self->map_chart), _("input"));
  tare_axis_set_title (tare_chart_get_y_axis (self->map_chart), _("output"));
  self->range_chart = tare_layer_page_add_chart (page, _("How the weights of channels are spread"));
  self->ranges = tare_range_plot_new ();
  tare_chart_add_plot (self->range_chart, self->ranges);
  tare_axis_set_title (tare_chart_get_y_axis (self->range_chart), _("weight"));
  add_controls (self);
}

/**
 * tare_outliers_page_get_map:
 * @self: the page
 *
 * Returns: (transfer none): the matrix as a picture
 */
TareChart *
tare_outliers_page_get_map (TareOutliersPage *self)
{
  g_return_val_if_fail (TARE_IS_OUTLIERS_PAGE (self), NULL);

  return self->map_chart;
}

/**
 * tare_outliers_page_get_ranges:
 * @self: the page
 *
 * Returns: (transfer none): the channels
 */
TareChart *
tare_outliers_page_get_ranges (TareOutliersPage *self)
{
  g_return_val_if_fail (TARE_IS_OUTLIERS_PAGE (self), NULL);

  return self->range_chart;
}
