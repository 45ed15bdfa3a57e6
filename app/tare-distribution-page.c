/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-distribution-page.h"

#include <glib/gi18n.h>
#include <math.h>

#include "analysis/statistics/tare-channels.h"
#include "analysis/statistics/tare-shape.h"
#include "app/tare-input-density.h"
#include "app/tare-study.h"
#include "app/tare-text.h"
#include "app/tare-weight-histogram.h"
#include "widgets/tare-line-plot.h"
#include "widgets/tare-ridge-plot.h"
#include "widgets/tare-scatter-plot.h"

/* In the order of the list that one is chosen from. */
typedef enum
{
  VIEW_HISTOGRAM,
  VIEW_NORMAL,
  VIEW_CHANNELS,
  VIEW_INPUTS,
  VIEW_POSITIONS,
} View;

/* Ridges that can still be told apart when zoomed to. */
#define MOST_RIDGES 256

/* Points of the normal plot. */
#define QUANTILES 201

/* An input beyond it is an outlier (Dettmers et al., LLM.int8(), 2208.07339, section 4). */
#define OUTLIER 6.0

struct _TareDistributionPage
{
  AdwBin                parent_instance;

  GtkStack             *stack;
  GtkStack             *views;
  GtkLabel             *name_label;
  GtkLabel             *caption_label;
  GtkSpinner           *spinner;
  GtkDropDown          *view_drop;
  GtkBox               *scale_box;
  GtkToggleButton      *linear_button;
  GtkToggleButton      *log_button;
  TareChart            *chart;
  TareChart            *normal_chart;
  TareChart            *channels_chart;
  TareChart            *inputs_chart;
  TareChart            *columns_chart;
  TareChart            *positions_chart;
  AdwStatusPage        *missing;
  GtkWidget            *missing_button;

  TareWeightHistogram  *histogram;
  TarePlot             *quantiles;
  TarePlot             *ridges;
  TarePlot             *inputs;
  TarePlot             *maxima;
  TarePlot             *means;
  TarePlot             *positions;
  TarePlot             *first;

  TareSession          *session;
  TareStudy            *study;
  const TareStatistics *of_channels;   /* whose channels are shown or asked for */
};

static void page_iface_init (TarePageInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TareDistributionPage, tare_distribution_page, ADW_TYPE_BIN,
                               G_IMPLEMENT_INTERFACE (TARE_TYPE_PAGE, page_iface_init))

static TareLayer *
get_layer (TareDistributionPage *self)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);

  return n > 0 ? tare_session_get_layer (self->session, selection[0]) : NULL;
}

static void
update_name (TareDistributionPage *self,
             TareLayer            *layer)
{
  const TareTensor *tensor = tare_layer_get_tensor (layer);
  g_autofree char *name = NULL;
  guint n;

  tare_session_get_selection (self->session, &n);
  if (n > 1)
    /* translators: the first of several selected layers, and how many more */
    name = g_strdup_printf (ngettext ("%s (and %u more)", "%s (and %u more)", n - 1),
                            tensor->canonical, n - 1);
  else
    name = g_strdup (tensor->canonical);
  gtk_label_set_label (self->name_label, name);
}

/* --- the normal plot --- */

/* Quantiles as far out as the weights go: the middle of the last of n equal shares. */
static void
show_normal (TareDistributionPage *self,
             TareLayer            *layer)
{
  const TareStatistics *statistics = tare_layer_get_statistics (layer);
  double reach = tare_gaussian_get_quantile (1.0 - 0.5 / (double) MAX (statistics->n, 2));
  g_autofree char *normality = NULL;
  g_autofree char *caption = NULL;
  double x[QUANTILES];
  double y[QUANTILES];
  TareShape shape;

  for (guint i = 0; i < QUANTILES; i++)
    {
      x[i] = reach * (2.0 * i / (QUANTILES - 1) - 1.0);
      y[i] = tare_shape_get_quantile (statistics, tare_gaussian_get_share (x[i]));
    }
  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (self->quantiles), NULL, x, y,
                                statistics->n > 0 ? QUANTILES : 0);
  tare_scatter_plot_set_line (TARE_SCATTER_PLOT (self->quantiles), statistics->standard_deviation,
                              statistics->mean, _("Gaussian"));
  tare_chart_fit (self->normal_chart);

  tare_shape_measure (&shape, statistics);
  normality = tare_text_number (shape.normality, 3);
  caption = g_strdup_printf (_("Each quantile of the weights over that of a Gaussian, which has "
                               "them all on the line. Tails that bend away from it are heavier. "
                               "The two distribution functions differ by %s at most."),
                             normality);
  gtk_label_set_label (self->caption_label, caption);
}

/* --- the channels --- */

typedef struct
{
  float minimum;
  float maximum;
} Request;

static gboolean
study_channels (TareStudyTask  *task,
                GError        **error)
{
  const Request *request = task->request;
  TareChannels *channels = tare_channels_measure (task->tensor, MOST_RIDGES, request->minimum,
                                                  request->maximum, task->progress, error);

  if (channels == NULL)
    return FALSE;
  tare_study_post (task, channels);

  return TRUE;
}

static void
describe_channels (TareDistributionPage *self,
                   gsize                 rows_each)
{
  g_autofree char *caption = NULL;

  if (rows_each <= 1)
    caption = g_strdup (_("The weights of every output, each as high as its most frequent value; "
                          "a line reaches from the smallest weight to the largest."));
  else
    caption = g_strdup_printf (_("The weights of the outputs, %" G_GSIZE_FORMAT " neighbours "
                                 "to a ridge, each as high as its most frequent value; a line "
                                 "reaches from the smallest weight to the largest."),
                               rows_each);
  gtk_label_set_label (self->caption_label, caption);
}

static void
take_channels (gpointer owner,
               gpointer item)
{
  TareDistributionPage *self = owner;
  const TareChannels *channels = item;
  g_autofree guint *ids = g_new (guint, MAX (channels->n, 1));

  for (gsize i = 0; i < channels->n; i++)
    ids[i] = (guint) (i * channels->rows_each);
  tare_ridge_plot_set_ridges (TARE_RIDGE_PLOT (self->ridges), channels->counts,
                              (guint) channels->n, (guint) channels->n_bins,
                              (double) channels->minimum, (double) channels->maximum);
  tare_plot_set_ids (self->ridges, ids, (guint) channels->n);
  tare_axis_set_title (tare_chart_get_y_axis (self->channels_chart),
                       channels->rows_each > 1 ? _("group of outputs") : _("output"));
  tare_chart_fit (self->channels_chart);
  if (gtk_drop_down_get_selected (self->view_drop) == VIEW_CHANNELS)
    describe_channels (self, channels->rows_each);
}

static void
channels_done (gpointer      owner,
               const GError *error)
{
  TareDistributionPage *self = owner;

  gtk_spinner_stop (self->spinner);
  if (error != NULL && gtk_drop_down_get_selected (self->view_drop) == VIEW_CHANNELS)
    gtk_label_set_label (self->caption_label, error->message);
}

static const TareStudyClass channels_class = {
  .title = N_("Counting the weights of channels"),
  .work = study_channels,
  .news = take_channels,
  .free_news = (GDestroyNotify) tare_channels_free,
  .done = channels_done,
};

static void
show_channels (TareDistributionPage *self,
               TareLayer            *layer)
{
  const TareTensor *tensor = tare_layer_get_tensor (layer);
  const TareStatistics *statistics = tare_layer_get_statistics (layer);
  Request *request;

  describe_channels (self, (tensor->rows + MOST_RIDGES - 1) / MOST_RIDGES);
  if (statistics == self->of_channels)
    return;

  self->of_channels = statistics;
  tare_ridge_plot_set_ridges (TARE_RIDGE_PLOT (self->ridges), NULL, 0, 0, 0.0, 0.0);
  if (!(statistics->minimum < statistics->maximum))
    {
      tare_study_stop (self->study);
      gtk_spinner_stop (self->spinner);
      gtk_label_set_label (self->caption_label, _("All weights are the same."));
      return;
    }

  request = g_new (Request, 1);
  *request = (Request) { statistics->minimum, statistics->maximum };
  gtk_spinner_start (self->spinner);
  tare_study_start (self->study, tensor, request, g_free);
}

/* --- the inputs --- */

static void
show_no_inputs (TareDistributionPage *self,
                const char           *reason)
{
  gboolean calibrated = tare_session_get_calibration (self->session) != NULL;

  gtk_label_set_label (self->caption_label, "");
  gtk_widget_set_visible (self->missing_button, !calibrated);
  adw_status_page_set_title (self->missing, calibrated ? _("Inputs Not Known")
                                                       : _("Not Calibrated"));
  adw_status_page_set_description (self->missing, calibrated
    ? reason
    : _("What flows into a layer shows here once calibration has recorded it on a text"));
  gtk_stack_set_visible_child_name (self->views, "missing");
}

static void
draw_columns (TareDistributionPage       *self,
              const TareLayerActivations *activations)
{
  guint n = (guint) activations->columns;
  g_autofree double *x = g_new (double, MAX (n, 1));
  g_autofree double *maxima = g_new (double, MAX (n, 1));
  g_autofree double *means = g_new (double, MAX (n, 1));

  for (guint i = 0; i < n; i++)
    {
      x[i] = i;
      maxima[i] = activations->maximum != NULL ? (double) activations->maximum[i] : (double) NAN;
      means[i] = (double) activations->profile->magnitude[i];
    }
  tare_line_plot_set_points (TARE_LINE_PLOT (self->maxima), x, maxima, n);
  tare_line_plot_set_points (TARE_LINE_PLOT (self->means), x, means, n);
  tare_chart_fit (self->columns_chart);
}

static void
describe_inputs (TareDistributionPage       *self,
                 const TareLayerActivations *activations)
{
  const TareActivationProfile *profile = activations->profile;
  double beyond = tare_activation_profile_get_share_above (profile, OUTLIER);
  double tokens = tare_activation_profile_get_token_share_above (profile, OUTLIER);
  g_autofree char *beyond_text = tare_text_percent (beyond);
  g_autofree char *token_text = tare_text_percent (tokens);
  g_autofree char *caption = NULL;
  gsize channels = 0;

  for (gsize i = 0; activations->maximum != NULL && i < activations->columns; i++)
    channels += (double) activations->maximum[i] > OUTLIER;
  caption = g_strdup_printf (_("Above, what flowed into the layer in calibration, in eighths of an "
                               "octave: %s of the inputs are beyond 6 (LLM.int8(), 2208.07339), "
                               "in %s of the tokens and %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                               " channels. Below, the largest and the mean magnitude of every "
                               "input channel."),
                             beyond_text, token_text, channels, activations->columns);
  gtk_label_set_label (self->caption_label, caption);
}

static void
show_inputs (TareDistributionPage *self,
             TareLayer            *layer)
{
  const TareLayerActivations *activations =
    tare_calibration_lookup (tare_session_get_calibration (self->session),
                             tare_layer_get_tensor (layer)->canonical);

  if (activations == NULL || activations->profile == NULL)
    {
      show_no_inputs (self, _("The calibration does not tell how the inputs of this layer are "
                              "spread: its file does not say, or nothing is multiplied with this "
                              "layer"));
      return;
    }

  tare_input_density_show (activations->profile, self->inputs_chart,
                           TARE_LINE_PLOT (self->inputs));
  draw_columns (self, activations);
  describe_inputs (self, activations);
}

static void
show_positions (TareDistributionPage *self,
                TareLayer            *layer)
{
  const TareLayerActivations *activations =
    tare_calibration_lookup (tare_session_get_calibration (self->session),
                             tare_layer_get_tensor (layer)->canonical);
  guint n = activations != NULL ? (guint) activations->n_positions : 0;
  g_autofree double *x = g_new (double, MAX (n, 1));
  g_autofree double *y = g_new (double, MAX (n, 1));
  g_autofree char *first = NULL, *largest = NULL, *caption = NULL;
  guint at = 0;

  if (n == 0)
    {
      show_no_inputs (self, _("The calibration does not tell where the largest inputs of this "
                              "layer are: its file does not say"));
      return;
    }

  for (guint i = 0; i < n; i++)
    {
      x[i] = i;
      y[i] = (double) activations->positions[i];
      at = y[i] > y[at] ? i : at;
    }
  tare_line_plot_set_points (TARE_LINE_PLOT (self->positions), x, y, n);
  tare_line_plot_set_points (TARE_LINE_PLOT (self->first), x, y, 1);
  tare_chart_fit (self->positions_chart);

  first = tare_text_number (y[0], 3);
  largest = tare_text_number (y[at], 3);
  caption = g_strdup_printf (_("The largest magnitude that flowed into the layer in calibration at "
                               "each position of a sequence: %s at the first token, position 0, "
                               "and at most %s, at position %u."), first, largest, at);
  gtk_label_set_label (self->caption_label, caption);
}

/* --- the page --- */

static void
show_histogram (TareDistributionPage *self,
                TareLayer            *layer)
{
  gtk_label_set_label (self->caption_label, tare_weight_histogram_get_caption (self->histogram));
}

/* In the order of View. */
static const struct
{
  const char *name;
  gboolean    counts;
  void      (*show) (TareDistributionPage *self,
                     TareLayer            *layer);
} views[] = {
  { "histogram", TRUE, show_histogram },
  { "normal", FALSE, show_normal },
  { "channels", FALSE, show_channels },
  { "inputs", TRUE, show_inputs },
  { "positions", TRUE, show_positions },
};

static void
update (TareDistributionPage *self)
{
  TareLayer *layer = get_layer (self);
  guint view = gtk_drop_down_get_selected (self->view_drop);

  if (!tare_weight_histogram_show (self->histogram, layer))
    {
      gtk_stack_set_visible_child_name (self->stack, layer == NULL ? "empty" : "waiting");
      return;
    }

  gtk_stack_set_visible_child_name (self->stack, "chart");
  update_name (self, layer);
  if (view == VIEW_HISTOGRAM || gtk_widget_get_mapped (GTK_WIDGET (self)))
    {
      gtk_stack_set_visible_child_name (self->views, views[view].name);
      gtk_widget_set_visible (GTK_WIDGET (self->scale_box), views[view].counts);
      views[view].show (self, layer);
    }
}

static void
view_changed_cb (TareDistributionPage *self)
{
  if (self->session != NULL)
    update (self);
}

static void
tare_distribution_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (tare_distribution_page_parent_class)->map (widget);

  view_changed_cb (TARE_DISTRIBUTION_PAGE (widget));
}

static void
layer_changed_cb (TareDistributionPage *self,
                  guint                 index)
{
  TareLayer *layer = get_layer (self);

  if (layer != NULL && tare_layer_get_index (layer) == index)
    update (self);
}

static void
scale_changed_cb (TareDistributionPage *self)
{
  TareAxisScale scale = gtk_toggle_button_get_active (self->log_button) ? TARE_AXIS_SCALE_LOG
                                                                        : TARE_AXIS_SCALE_LINEAR;

  tare_axis_set_scale (tare_chart_get_y_axis (self->chart), scale);
  tare_axis_set_scale (tare_chart_get_y_axis (self->inputs_chart), scale);
  tare_axis_set_scale (tare_chart_get_y_axis (self->positions_chart), scale);
}

static TareChart *
get_chart (TareDistributionPage *self)
{
  TareChart *const charts[] = {
    self->chart, self->normal_chart, self->channels_chart, self->inputs_chart,
    self->positions_chart,
  };

  return charts[gtk_drop_down_get_selected (self->view_drop)];
}

static void
fit_cb (TareDistributionPage *self)
{
  tare_chart_fit (get_chart (self));
  tare_chart_fit (self->columns_chart);
}

static void
copy_cb (TareDistributionPage *self)
{
  tare_chart_copy_csv (get_chart (self));
}

/* The layer with the heaviest tails, or the first while nothing is known. */
static void
select_cb (TareDistributionPage *self)
{
  guint n = tare_session_get_n_layers (self->session);
  double most = -INFINITY;
  guint best = 0;

  for (guint i = 0; i < n; i++)
    {
      TareLayer *layer = tare_session_get_layer (self->session, i);
      TareStatistics *statistics = tare_layer_get_statistics (layer);

      if (statistics != NULL && tare_layer_is_assignable (layer) && statistics->kurtosis > most)
        {
          most = statistics->kurtosis;
          best = i;
        }
    }
  if (n > 0)
    tare_session_set_selection (self->session, &best, 1);
}

static void
tare_distribution_page_dispose (GObject *object)
{
  TareDistributionPage *self = (TareDistributionPage *) object;
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  g_clear_pointer (&self->study, tare_study_free);
  adw_bin_set_child (ADW_BIN (self), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_DISTRIBUTION_PAGE);
  g_clear_pointer (&self->histogram, tare_weight_histogram_free);

  G_OBJECT_CLASS (tare_distribution_page_parent_class)->dispose (object);
}

static void
tare_distribution_page_finalize (GObject *object)
{
  TareDistributionPage *self = (TareDistributionPage *) object;

  g_clear_object (&self->quantiles);
  g_clear_object (&self->ridges);
  g_clear_object (&self->inputs);
  g_clear_object (&self->maxima);
  g_clear_object (&self->means);
  g_clear_object (&self->positions);
  g_clear_object (&self->first);

  G_OBJECT_CLASS (tare_distribution_page_parent_class)->finalize (object);
}

static void
tare_distribution_page_class_init (TareDistributionPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_distribution_page_dispose;
  object_class->finalize = tare_distribution_page_finalize;
  widget_class->map = tare_distribution_page_map;

  g_type_ensure (TARE_TYPE_CHART);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-distribution-page.ui");
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, stack);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, views);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, spinner);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, view_drop);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, scale_box);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, normal_chart);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, channels_chart);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, inputs_chart);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, columns_chart);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, positions_chart);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, missing);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, missing_button);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, name_label);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, caption_label);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, linear_button);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, log_button);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, chart);
  gtk_widget_class_bind_template_callback (widget_class, view_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, scale_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, fit_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_cb);
  gtk_widget_class_bind_template_callback (widget_class, select_cb);
}

static TarePlot *
add_plot (TareChart  *chart,
          TarePlot   *plot,
          const char *x,
          const char *y)
{
  tare_chart_add_plot (chart, plot);
  tare_axis_set_title (tare_chart_get_x_axis (chart), x);
  tare_axis_set_title (tare_chart_get_y_axis (chart), y);

  return plot;
}

static void
add_input_plots (TareDistributionPage *self)
{
  self->inputs = add_plot (self->inputs_chart, tare_line_plot_new (), _("input"), _("density"));
  tare_line_plot_set_style (TARE_LINE_PLOT (self->inputs),
                            TARE_LINE_STYLE_STEPS | TARE_LINE_STYLE_FILLED);
  tare_axis_set_scale (tare_chart_get_x_axis (self->inputs_chart), TARE_AXIS_SCALE_SYMLOG);

  self->maxima = add_plot (self->columns_chart, tare_line_plot_new (), _("input channel"),
                           _("magnitude"));
  tare_plot_set_label (self->maxima, _("Largest"));
  self->means = add_plot (self->columns_chart, tare_line_plot_new (), _("input channel"),
                          _("magnitude"));
  tare_plot_set_label (self->means, _("Mean"));
  tare_plot_set_color_index (self->means, 1);
  tare_line_plot_set_style (TARE_LINE_PLOT (self->means), TARE_LINE_STYLE_DASHED);
  tare_axis_set_scale (tare_chart_get_y_axis (self->columns_chart), TARE_AXIS_SCALE_LOG);

  self->positions = add_plot (self->positions_chart, tare_line_plot_new (),
                              _("position in the sequence"), _("largest input"));
  tare_plot_set_label (self->positions, _("All tokens"));
  self->first = add_plot (self->positions_chart, tare_line_plot_new (),
                          _("position in the sequence"), _("largest input"));
  tare_plot_set_label (self->first, _("First token"));
  tare_plot_set_color_index (self->first, 1);
  tare_line_plot_set_style (TARE_LINE_PLOT (self->first), TARE_LINE_STYLE_DOTS);
}

static void
tare_distribution_page_init (TareDistributionPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));

  self->histogram = tare_weight_histogram_new (self->chart);
  tare_axis_set_title (tare_chart_get_x_axis (self->chart), _("weight"));
  tare_axis_set_title (tare_chart_get_y_axis (self->chart), _("count"));
  self->quantiles = add_plot (self->normal_chart, tare_scatter_plot_new (),
                              _("quantile of a Gaussian, in standard deviations"),
                              _("quantile of the weights"));
  self->ridges = add_plot (self->channels_chart, tare_ridge_plot_new (), _("weight"),
                           _("output"));
  tare_ridge_plot_set_name (TARE_RIDGE_PLOT (self->ridges), _("output"));
  add_input_plots (self);
  scale_changed_cb (self);
}

static void
model_changed_cb (TareDistributionPage *self)
{
  tare_study_stop (self->study);
  gtk_spinner_stop (self->spinner);
  self->of_channels = NULL;
}

static void
set_session (TarePage    *page,
             TareSession *session)
{
  TareDistributionPage *self = (TareDistributionPage *) page;
  TareChannelSelection *channels = tare_session_get_channel_selection (session);

  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  tare_channel_selection_attach (channels, TARE_CHANNEL_OUTPUT, self->ridges);
  tare_channel_selection_attach (channels, TARE_CHANNEL_INPUT, self->maxima);
  tare_channel_selection_attach (channels, TARE_CHANNEL_INPUT, self->means);
  self->study = tare_study_new (&channels_class, session, self);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "selection-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "recipe-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "layer-changed", G_CALLBACK (layer_changed_cb), self,
                           G_CONNECT_SWAPPED);
  update (self);
}

static void
page_iface_init (TarePageInterface *iface)
{
  iface->set_session = set_session;
}

/**
 * tare_distribution_page_get_chart:
 * @self: the page
 *
 * Returns: (transfer none): what is shown; of two charts the upper
 */
TareChart *
tare_distribution_page_get_chart (TareDistributionPage *self)
{
  g_return_val_if_fail (TARE_IS_DISTRIBUTION_PAGE (self), NULL);

  return get_chart (self);
}

/**
 * tare_distribution_page_get_n_levels:
 * @self: the page
 *
 * Returns: how many levels are drawn
 */
guint
tare_distribution_page_get_n_levels (TareDistributionPage *self)
{
  g_return_val_if_fail (TARE_IS_DISTRIBUTION_PAGE (self), 0);

  return tare_weight_histogram_get_n_levels (self->histogram);
}

/**
 * tare_distribution_page_set_view:
 * @self: the page
 * @name: "histogram", "normal", "channels", "inputs" or "positions"
 *
 * Chooses what is shown.
 */
void
tare_distribution_page_set_view (TareDistributionPage *self,
                                 const char           *name)
{
  g_return_if_fail (TARE_IS_DISTRIBUTION_PAGE (self));

  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    if (g_str_equal (views[i].name, name))
      gtk_drop_down_set_selected (self->view_drop, i);
}

/**
 * tare_distribution_page_is_missing:
 * @self: the page
 *
 * Returns: whether it says what is missing for the chosen view
 */
gboolean
tare_distribution_page_is_missing (TareDistributionPage *self)
{
  g_return_val_if_fail (TARE_IS_DISTRIBUTION_PAGE (self), FALSE);

  return g_str_equal (gtk_stack_get_visible_child_name (self->views), "missing");
}
