/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-outliers-page.h"

#include <glib/gi18n.h>
#include <string.h>

#include "analysis/calibration/tare-input-reader.h"
#include "analysis/statistics/tare-pyramid.h"
#include "analysis/statistics/tare-ranges.h"
#include "app/tare-text.h"
#include "app/tare-weight-ranges.h"
#include "widgets/tare-heat-plot.h"
#include "widgets/tare-range-plot.h"

/* In the order of the list that one is chosen from. */
typedef enum
{
  SHOW_WEIGHTS,
  SHOW_ERROR,
  SHOW_INPUTS,
  SHOW_N
} Show;

typedef enum
{
  CHANNELS_OUTPUTS,
  CHANNELS_INPUTS,
} Channels;

/* Weights that are decoded within a frame: a millisecond or so. */
#define AT_ONCE ((gsize) 1 << 18)

/* Of a text, whose inputs are shown: the first ones, which are often like no others, and enough
 * for what channels have in common to be seen. */
#define TOKENS 256

/* How one of them is told. */
static const struct
{
  const char *id;
  const char *title;
  const char *row;
  const char *value;
  const char *caption;
} pictures[SHOW_N] = {
  [SHOW_WEIGHTS] = {
    "weights", N_("Weights"), N_("output"), N_("weight"),
    N_("Above, the magnitude of each weight; every dot is the largest of the weights it stands "
       "for. Below, how the weights of each channel are spread: all, 98 % and half of them, and "
       "their middle."),
  },
  [SHOW_ERROR] = {
    "error", N_("Error of the format"), N_("output"), N_("error"),
    N_("Above, the error of each weight in the layer's format; every dot is the largest of the "
       "weights it stands for. Below, how the weights of each channel are spread: all, 98 % and "
       "half of them, and their middle."),
  },
  [SHOW_INPUTS] = {
    "inputs", N_("Inputs"), N_("token"), N_("activation"),
    N_("Above, what enters the layer at the first tokens of the calibration text; every dot is "
       "the largest of the numbers it stands for. Below, how the weights of each channel are "
       "spread: all, 98 % and half of them, and their middle."),
  },
};

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
  TareAxis        *channel_axis; /* of the ranges where they are not in line with the picture */
  TareInputReader *reader;       /* (nullable): of @reader_text */
  char            *reader_text;  /* (nullable): a path */
};

G_DEFINE_FINAL_TYPE (TareOutliersPage, tare_outliers_page, TARE_TYPE_LAYER_PAGE)

/* A matrix that is looked at, from any thread: a tensor, what its format makes of it less what it
 * is, or what enters it. */
typedef struct
{
  TareModel        *model;
  const TareTensor *tensor;
  TareQuantized    *quantized;  /* (nullable) */
  TareInputs       *inputs;     /* (nullable) */
  TarePyramid      *pyramid;
} Matrix;

static void
matrix_clear (gpointer data)
{
  Matrix *self = data;

  g_clear_pointer (&self->pyramid, tare_pyramid_unref);
  g_clear_pointer (&self->quantized, tare_quantized_unref);
  g_clear_pointer (&self->inputs, tare_inputs_free);
  g_clear_pointer (&self->model, tare_model_unref);
}

static void
matrix_unref (gpointer data)
{
  g_atomic_rc_box_release_full (data, matrix_clear);
}

/* Rows of the tensor, of its error or of its inputs. */
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

  if (self->inputs != NULL)
    {
      memcpy (out, self->inputs->x + first * tensor->columns, count * sizeof *out);
      return TRUE;
    }
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
  TareAssignment   assignment;
  Show             show;
  Channels         channels;
  char            *text;      /* (nullable): a path */
  TareInputReader *reader;    /* (nullable): of @text, if there is one already */
} Request;

static void
request_free (gpointer data)
{
  Request *request = data;

  g_clear_pointer (&request->reader, tare_input_reader_unref);
  g_free (request->text);
  g_free (request);
}

/* One of the three. */
typedef struct
{
  Matrix          *matrix;
  char           **rows;      /* (nullable): their names */
  TareRanges      *ranges;
  TareInputReader *reader;
} Finding;

static void
finding_free (gpointer data)
{
  Finding *finding = data;

  g_clear_pointer (&finding->matrix, matrix_unref);
  g_clear_pointer (&finding->ranges, tare_ranges_free);
  g_clear_pointer (&finding->reader, tare_input_reader_unref);
  g_strfreev (finding->rows);
  g_free (finding);
}

static void
post (TareStudyTask *task,
      const Finding *finding)
{
  tare_study_post (task, g_memdup2 (finding, sizeof *finding));
}

/* The reader of the request, or one that the page can ask for the next layer. */
static TareInputReader *
get_reader (TareStudyTask  *task,
            const Request  *request,
            GError        **error)
{
  g_autoptr(TareInputReader) reader = NULL;
  g_autofree char *text = NULL;
  gsize length;

  if (request->reader != NULL)
    return tare_input_reader_ref (request->reader);
  if (request->text == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                           _("Choose a text to calibrate on: there is none."));
      return NULL;
    }
  if (!g_file_get_contents (request->text, &text, &length, error))
    return NULL;

  /* No tokenizer makes fewer tokens of a text than one for 16 bytes. */
  reader = tare_input_reader_new (task->model, text, MIN (length, TOKENS * 16), TOKENS,
                                  request->text, error);
  if (reader != NULL)
    post (task, &(Finding) { .reader = tare_input_reader_ref (reader) });

  return g_steal_pointer (&reader);
}

/* (nullable): the tokens by number and text, where every row is one */
static char **
name_tokens (TareInputReader  *reader,
             const TareInputs *inputs)
{
  g_auto(GStrv) texts = tare_input_reader_dup_texts (reader);

  if (g_strv_length (texts) != inputs->n_tokens)
    return NULL;

  for (guint i = 0; texts[i] != NULL; i++)
    {
      g_autofree char *visible = tare_text_visible (texts[i]);

      g_free (texts[i]);
      texts[i] = g_strdup_printf ("%u “%s”", i, visible);
    }

  return g_steal_pointer (&texts);
}

/* What the matrix has beside its tensor. */
static gboolean
fill_matrix (Matrix               *matrix,
             char               ***names,
             TareStudyTask        *task,
             const Request        *request,
             const TareProgress   *progress,
             GError              **error)
{
  g_autoptr(TareInputReader) reader = NULL;

  if (request->show == SHOW_WEIGHTS)
    return TRUE;
  if (request->show == SHOW_ERROR)
    {
      matrix->quantized = tare_engine_quantize (task->engine, task->tensor, &request->assignment,
                                                task->calibration, progress, error);
      return matrix->quantized != NULL;
    }

  reader = get_reader (task, request, error);
  if (reader == NULL)
    return FALSE;
  matrix->inputs = tare_input_reader_read (reader, task->tensor, progress, error);
  if (matrix->inputs != NULL && !tare_tensor_is_stacked (task->tensor))
    *names = name_tokens (reader, matrix->inputs);

  return matrix->inputs != NULL;
}

static gsize
get_n_rows (const Matrix *self)
{
  return self->inputs != NULL ? self->inputs->n_tokens : self->tensor->rows;
}

static gboolean
study_matrix (TareStudyTask       *task,
              const Request       *request,
              const TareProgress  *progress,
              GError             **error)
{
  Matrix *matrix = g_atomic_rc_box_new0 (Matrix);
  double middle = request->show == SHOW_WEIGHTS ? 0.0 : 0.7;
  TareProgress first = tare_progress_part (progress, 0.0, middle);
  TareProgress second = tare_progress_part (progress, middle, 1.0);
  g_auto(GStrv) names = NULL;

  matrix->model = tare_model_ref (task->model);
  matrix->tensor = task->tensor;
  if (fill_matrix (matrix, &names, task, request, &first, error))
    matrix->pyramid = tare_pyramid_build_rows (get_n_rows (matrix), task->tensor->columns,
                                               read_rows, matrix, &second, error);
  if (matrix->pyramid == NULL)
    {
      matrix_unref (matrix);
      return FALSE;
    }
  post (task, &(Finding) { .matrix = matrix, .rows = g_steal_pointer (&names) });

  return TRUE;
}

static gboolean
study (TareStudyTask  *task,
       GError        **error)
{
  const Request *request = task->request;
  TareProgress first = tare_progress_part (task->progress, 0.0, 0.5);
  TareProgress second = tare_progress_part (task->progress, 0.5, 1.0);
  GError *failure = NULL;
  TareRanges *ranges;

  /* Channels have ranges, whether there is a picture or not. */
  if (!study_matrix (task, request, &first, &failure)
      && g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, failure);
      return FALSE;
    }

  ranges = request->channels == CHANNELS_OUTPUTS
           ? tare_ranges_of_rows (task->tensor, &second, failure == NULL ? &failure : NULL)
           : tare_ranges_of_columns (task->tensor, &second, failure == NULL ? &failure : NULL);
  if (ranges != NULL)
    post (task, &(Finding) { .ranges = ranges });
  if (failure != NULL)
    g_propagate_error (error, failure);

  return failure == NULL;
}

/* --- the page --- */

static void
show_ranges (TareOutliersPage *self,
             const TareRanges *ranges)
{
  tare_weight_ranges_show (ranges, TARE_RANGE_PLOT (self->ranges));
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
      TareHeatPlot *map = TARE_HEAT_PLOT (self->map);
      Matrix *matrix = g_steal_pointer (&finding->matrix);

      tare_heat_plot_set_labels (map, (const char *const *) finding->rows, NULL);
      tare_heat_plot_set_source (map, get_n_rows (matrix), matrix->tensor->columns, sample, matrix,
                                 matrix_unref);
      tare_chart_fit (self->map_chart);
    }
  if (finding->ranges != NULL)
    show_ranges (self, finding->ranges);
  if (finding->reader != NULL)
    {
      g_clear_pointer (&self->reader, tare_input_reader_unref);
      self->reader = g_steal_pointer (&finding->reader);
      return;
    }
  tare_layer_page_show_charts (TARE_LAYER_PAGE (self));
}

static void
done (gpointer      owner,
      const GError *error)
{
  TareOutliersPage *self = owner;

  tare_layer_page_set_busy (owner, FALSE);
  if (error == NULL)
    return;

  /* No picture is better than that of another matrix. */
  tare_heat_plot_set_source (TARE_HEAT_PLOT (self->map), 0, 0, NULL, NULL, NULL);
  tare_layer_page_show_charts (owner);
  tare_layer_page_set_caption (owner, error->message);
}

static const TareStudyClass study_class = {
  .title = N_("Looking for outliers"),
  .work = study,
  .news = news,
  .free_news = finding_free,
  .done = done,
};

/* (transfer full): the reader of the text that is calibrated on, if there is one already */
static TareInputReader *
find_reader (TareOutliersPage *self,
             const char       *text)
{
  if (g_strcmp0 (text, self->reader_text) == 0)
    return self->reader != NULL ? tare_input_reader_ref (self->reader) : NULL;

  g_clear_pointer (&self->reader, tare_input_reader_unref);
  g_free (self->reader_text);
  self->reader_text = g_strdup (text);

  return NULL;
}

static void
name_axes (TareOutliersPage *self,
           const Request    *request)
{
  const char *channel = request->channels == CHANNELS_OUTPUTS ? _("output") : _("input");
  const char *row = _(pictures[request->show].row);

  tare_heat_plot_set_names (TARE_HEAT_PLOT (self->map), row, _("input"),
                            _(pictures[request->show].value));
  tare_axis_set_title (tare_chart_get_y_axis (self->map_chart), row);
  tare_range_plot_set_name (TARE_RANGE_PLOT (self->ranges), channel);
  tare_axis_set_title (tare_chart_get_x_axis (self->range_chart), channel);
  tare_layer_page_set_caption (TARE_LAYER_PAGE (self), _(pictures[request->show].caption));
}

/* Inputs in their own order stand below the columns of the picture, and move with them. */
static void
update_axes (TareOutliersPage *self)
{
  gboolean inputs = gtk_drop_down_get_selected (self->channels_drop) == CHANNELS_INPUTS;
  TareAxis *axis = inputs && !gtk_toggle_button_get_active (self->sort_button)
                   ? tare_chart_get_x_axis (self->map_chart) : self->channel_axis;

  tare_chart_set_x_axis (self->range_chart, axis);
}

static void
channels_changed_cb (TareOutliersPage *self)
{
  update_axes (self);
  tare_layer_page_refresh (TARE_LAYER_PAGE (self));
}

static TareChannel
get_shown_channels (TareOutliersPage *self)
{
  return gtk_drop_down_get_selected (self->channels_drop) == CHANNELS_OUTPUTS
         ? TARE_CHANNEL_OUTPUT : TARE_CHANNEL_INPUT;
}

static TareChannelSelection *
get_selection (TareOutliersPage *self)
{
  return tare_session_get_channel_selection (tare_layer_page_get_session (TARE_LAYER_PAGE (self)));
}

static void
mark (TareOutliersPage *self,
      TareChannel       kind,
      GtkOrientation    orientation)
{
  guint n;
  const guint *selected = tare_channel_selection_get (get_selection (self), kind, &n);
  g_autofree guint64 *indices = g_new (guint64, MAX (n, 1u));

  for (guint i = 0; i < n; i++)
    indices[i] = selected[i];
  tare_heat_plot_set_marked (TARE_HEAT_PLOT (self->map), orientation, indices, n);
}

/* The rows of the picture are outputs where they are not tokens. */
static void
update_selection (TareOutliersPage *self)
{
  guint n;
  const guint *selected = tare_channel_selection_get (get_selection (self),
                                                      get_shown_channels (self), &n);

  tare_plot_set_selected (self->ranges, selected, n);
  mark (self, TARE_CHANNEL_INPUT, GTK_ORIENTATION_VERTICAL);
  if (gtk_drop_down_get_selected (self->show_drop) == SHOW_INPUTS)
    tare_heat_plot_set_marked (TARE_HEAT_PLOT (self->map), GTK_ORIENTATION_HORIZONTAL, NULL, 0);
  else
    mark (self, TARE_CHANNEL_OUTPUT, GTK_ORIENTATION_HORIZONTAL);
}

static void
channel_activated_cb (TareOutliersPage *self,
                      guint             channel,
                      GdkModifierType   state)
{
  tare_channel_selection_pick (get_selection (self), get_shown_channels (self), channel, state);
}

/* A cell stands for the channel that is shown below. */
static void
cell_activated_cb (TareOutliersPage *self,
                   guint             point,
                   GdkModifierType   state)
{
  gboolean tokens = gtk_drop_down_get_selected (self->show_drop) == SHOW_INPUTS;
  TareChannel kind = tokens ? TARE_CHANNEL_INPUT : get_shown_channels (self);
  guint64 row, column;

  tare_heat_plot_get_cell (TARE_HEAT_PLOT (self->map), point, &row, &column);
  tare_channel_selection_pick (get_selection (self), kind,
                               (guint) (kind == TARE_CHANNEL_INPUT ? column : row), state);
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
  request->text = g_strdup (tare_session_get_calibration_text (tare_layer_page_get_session (page)));
  request->reader = find_reader (self, request->text);
  name_axes (self, request);
  update_selection (self);
  tare_layer_page_set_busy (page, TRUE);
  tare_study_start (self->study, tare_layer_get_tensor (layer), request, request_free);
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
  g_signal_connect_object (tare_session_get_channel_selection (session), "changed",
                           G_CALLBACK (update_selection), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->ranges, "point-activated", G_CALLBACK (channel_activated_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->map, "point-activated", G_CALLBACK (cell_activated_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "recipe-changed", G_CALLBACK (recipe_changed_cb), self,
                           G_CONNECT_SWAPPED);
}

static void
sort_cb (TareOutliersPage *self)
{
  tare_range_plot_set_sorted (TARE_RANGE_PLOT (self->ranges),
                              gtk_toggle_button_get_active (self->sort_button));
  update_axes (self);
}

static void
tare_outliers_page_dispose (GObject *object)
{
  TareOutliersPage *self = (TareOutliersPage *) object;

  g_clear_pointer (&self->study, tare_study_free);
  g_clear_pointer (&self->reader, tare_input_reader_unref);

  G_OBJECT_CLASS (tare_outliers_page_parent_class)->dispose (object);
}

static void
tare_outliers_page_finalize (GObject *object)
{
  TareOutliersPage *self = (TareOutliersPage *) object;

  g_clear_object (&self->map);
  g_clear_object (&self->ranges);
  g_clear_object (&self->channel_axis);
  g_free (self->reader_text);

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
  const char *const shows[] = { _(pictures[SHOW_WEIGHTS].title), _(pictures[SHOW_ERROR].title),
                                _(pictures[SHOW_INPUTS].title), NULL };
  const char *const channels[] = { _("By output"), _("By input"), NULL };
  GtkWidget *all_button;

  self->show_drop = tare_layer_page_add_choice (page, _("What the Picture Shows"), shows,
                                                G_CALLBACK (tare_layer_page_refresh));
  self->channels_drop = tare_layer_page_add_choice (page, _("Which Channels"), channels,
                                                    G_CALLBACK (channels_changed_cb));
  self->sort_button = GTK_TOGGLE_BUTTON (gtk_toggle_button_new ());
  gtk_button_set_icon_name (GTK_BUTTON (self->sort_button), "view-sort-descending-symbolic");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->sort_button), _("Widest Channels First"));
  g_signal_connect_swapped (self->sort_button, "toggled", G_CALLBACK (sort_cb), self);
  tare_layer_page_add_control (page, GTK_WIDGET (self->sort_button));

  all_button = gtk_button_new_with_label (_("Show on Map"));
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
  self->channel_axis = g_object_ref (tare_chart_get_x_axis (self->range_chart));
  self->ranges = tare_range_plot_new ();
  tare_chart_add_plot (self->range_chart, self->ranges);
  tare_axis_set_title (tare_chart_get_y_axis (self->range_chart), _("weight"));
  add_controls (self);
}

/**
 * tare_outliers_page_set_picture:
 * @self: the page
 * @picture: "weights", "error" of the layer's format, or "inputs", token by token
 *
 * Shows another matrix of the layer.
 */
void
tare_outliers_page_set_picture (TareOutliersPage *self,
                                const char       *picture)
{
  g_return_if_fail (TARE_IS_OUTLIERS_PAGE (self) && picture != NULL);

  for (guint i = 0; i < G_N_ELEMENTS (pictures); i++)
    if (g_str_equal (pictures[i].id, picture))
      gtk_drop_down_set_selected (self->show_drop, i);
}

/**
 * tare_outliers_page_set_channels:
 * @self: the page
 * @channels: "outputs" or "inputs"
 *
 * Shows how the weights of these are spread.
 */
void
tare_outliers_page_set_channels (TareOutliersPage *self,
                                 const char       *channels)
{
  g_return_if_fail (TARE_IS_OUTLIERS_PAGE (self) && channels != NULL);

  gtk_drop_down_set_selected (self->channels_drop, g_str_equal (channels, "inputs")
                                                   ? CHANNELS_INPUTS : CHANNELS_OUTPUTS);
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
