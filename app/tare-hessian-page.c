/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-hessian-page.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "analysis/sensitivity/tare-hessian-loss.h"
#include "analysis/sensitivity/tare-hessian.h"
#include "analysis/statistics/tare-spectrum.h"
#include "app/tare-landscape-study.h"
#include "app/tare-text.h"
#include "widgets/tare-bar-plot.h"
#include "widgets/tare-contour-plot.h"
#include "widgets/tare-line-plot.h"

/* More probes than that are for a report, not for a look. */
#define PROBES 50

/* Points of the line that shows a spectral density. */
#define DENSITY_POINTS 2001

/* Of its peak, the least that is shown: far from every eigenvalue its Gaussians come to nothing. */
#define DENSITY_FLOOR 1e-6

/* The shares of the trace of which the caption tells how many directions hold them. */
#define MOST   0.9
#define NEARLY 0.99

struct _TareHessianPage
{
  TareLayerPage    parent_instance;

  TareChart       *spectrum_chart;
  TareChart       *trace_chart;
  TarePlot        *shares;
  TarePlot        *cumulative;
  TareChart       *landscape_chart;
  TareChart       *density_chart;
  TarePlot        *traces;
  TarePlot        *landscape;
  TarePlot        *density;
  GtkToggleButton *probe_button;
  GtkToggleButton *landscape_button;

  TareStudy       *study;
  TareStudy       *probing;
  TareStudy       *surveying;
  gsize            n_losses;
  gsize            n_values;
  gsize            n_probes;
  char            *found;
};

G_DEFINE_FINAL_TYPE (TareHessianPage, tare_hessian_page, TARE_TYPE_LAYER_PAGE)

static gboolean is_surveying  (TareHessianPage *self);
static void     update_charts (TareHessianPage *self);

static void
update_caption (TareHessianPage *self)
{
  g_autofree char *probes =
    g_strdup_printf (ngettext ("%u probe", "%u probes", (gulong) self->n_probes),
                     (guint) self->n_probes);
  g_autofree char *caption = NULL;

  if (self->n_probes == 0)
    caption = g_strdup_printf (_("%s Probe Loss estimates the trace of the loss's Hessian over "
                                 "every layer (Hutchinson 1990; HAWQ-V2, 1911.03852)."),
                               self->found != NULL ? self->found : "");
  else
    caption = g_strdup_printf (_("%s Below, the trace of the loss's Hessian over each layer after "
                                 "%s, with its standard error."),
                               self->found != NULL ? self->found : "", probes);
  tare_layer_page_set_caption (TARE_LAYER_PAGE (self), caption);
}

/* --- the spectrum of one layer's input --- */

static gboolean
study_spectrum (TareStudyTask  *task,
                GError        **error)
{
  const TareLayerActivations *activations =
    tare_calibration_lookup (task->calibration, task->tensor->canonical);
  TareSpectrum *spectrum = tare_hessian_find_spectrum (activations, task->progress, error);

  if (spectrum == NULL)
    return FALSE;
  tare_study_post (task, spectrum);

  return TRUE;
}

/* How many of the largest eigenvalues hold a share of the trace. */
static gsize
count_directions (const TareSpectrum *spectrum,
                  double              share)
{
  gsize k = 1;

  while (k < spectrum->n_values && tare_spectrum_get_energy (spectrum, k) < share)
    k++;

  return k;
}

static void
describe_spectrum (TareHessianPage    *self,
                   const TareSpectrum *spectrum)
{
  g_autofree char *rank = tare_text_number (tare_spectrum_get_effective_rank (spectrum), 3);
  gsize most = count_directions (spectrum, MOST);
  gsize nearly = count_directions (spectrum, NEARLY);

  g_free (self->found);
  if (spectrum->n_values < spectrum->n)
    {
      g_autofree char *held =
        tare_text_share (tare_spectrum_get_energy (spectrum, spectrum->n_values), 1);

      self->found = g_strdup_printf (_("Eigenvalues of the input Hessian, as shares of its trace, "
                                       "and their sum: of %" G_GSIZE_FORMAT " only the %"
                                       G_GSIZE_FORMAT " largest were looked for, which hold %s; "
                                       "effective rank about %s."),
                                     spectrum->n, spectrum->n_values, held, rank);
      return;
    }
  self->found = g_strdup_printf (_("Eigenvalues of the input Hessian, as shares of its trace, and "
                                   "their sum: %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                                   " directions hold 90 %%, %" G_GSIZE_FORMAT " hold 99 %%; "
                                   "effective rank %s."),
                                 most, spectrum->n, nearly, rank);
}

static void
take_spectrum (gpointer owner,
               gpointer item)
{
  TareHessianPage *self = owner;
  const TareSpectrum *spectrum = item;
  gsize n = spectrum->n_values;
  g_autofree double *x = g_new (double, MAX (n, 1));
  g_autofree double *share = g_new (double, MAX (n, 1));
  g_autofree double *sum = g_new (double, MAX (n, 1));

  for (gsize i = 0; i < n; i++)
    {
      x[i] = (double) (i + 1);
      share[i] = spectrum->values[i] > 0.0 ? spectrum->values[i] / spectrum->trace : (double) NAN;
      sum[i] = tare_spectrum_get_energy (spectrum, i + 1);
    }
  tare_line_plot_set_points (TARE_LINE_PLOT (self->shares), x, share, (guint) n);
  tare_line_plot_set_points (TARE_LINE_PLOT (self->cumulative), x, sum, (guint) n);
  tare_chart_fit (self->spectrum_chart);
  self->n_values = n;
  describe_spectrum (self, spectrum);
  update_caption (self);
  tare_layer_page_show_charts (TARE_LAYER_PAGE (self));
}

static void
spectrum_done (gpointer      owner,
               const GError *error)
{
  tare_layer_page_set_busy (owner, FALSE);
  if (error != NULL)
    tare_layer_page_set_caption (owner, error->message);
}

static const TareStudyClass spectrum_class = {
  .title = N_("Finding the spectrum of an input"),
  .work = study_spectrum,
  .news = take_spectrum,
  .free_news = (GDestroyNotify) tare_spectrum_free,
  .done = spectrum_done,
};

/* --- the trace over every layer --- */

typedef struct
{
  char  **names;
  double *values;
  double *errors;
  guint   n;
  gsize   n_probes;
} Traces;

typedef struct
{
  TareStudyTask   *task;
  TareHessianLoss *hessian;
} Probing;

static void
traces_free (gpointer data)
{
  Traces *traces = data;

  g_strfreev (traces->names);
  g_free (traces->values);
  g_free (traces->errors);
  g_free (traces);
}

static char *
dup_short_name (const char *canonical)
{
  gsize length = strlen (canonical);

  return g_strndup (canonical, g_str_has_suffix (canonical, ".weight") ? length - 7 : length);
}

static void
post_traces (const TareTrace *trace,
             gpointer         data)
{
  const Probing *probing = data;
  Traces *traces = g_new0 (Traces, 1);

  traces->n = (guint) trace->n_parts;
  traces->n_probes = trace->n_probes;
  traces->names = g_new0 (char *, trace->n_parts + 1);
  traces->values = g_memdup2 (trace->means, trace->n_parts * sizeof *trace->means);
  traces->errors = g_memdup2 (trace->errors, trace->n_parts * sizeof *trace->errors);
  for (gsize i = 0; i < trace->n_parts; i++)
    {
      const TareTensor *tensor = tare_hessian_loss_get_tensor (probing->hessian, i);

      traces->names[i] = dup_short_name (tensor->canonical);
    }
  tare_study_post (probing->task, traces);
}

static gboolean
study_traces (TareStudyTask  *task,
              GError        **error)
{
  TareObjective objective = { 0 };
  g_autofree guint32 *tokens = tare_landscape_load_tokens (task->model, task->request, &objective,
                                                          error);
  g_autoptr(TareHessianLoss) hessian = NULL;
  g_autoptr(TareTrace) trace = NULL;
  Probing probing = { task, NULL };
  const TareTraceOptions options = {
    .maximum = PROBES, .seed = 1, .func = post_traces, .data = &probing,
  };
  TareProbe probe;

  if (tokens == NULL)
    return FALSE;
  hessian = tare_hessian_loss_new (task->model, &objective, TARE_HESSIAN_EXACT, 0, error);
  if (hessian == NULL)
    return FALSE;

  probing.hessian = hessian;
  probe = tare_hessian_loss_get_probe (hessian);
  trace = tare_trace_estimate (&probe, &options, task->progress, error);

  return trace != NULL;
}

static void
take_traces (gpointer owner,
             gpointer item)
{
  TareHessianPage *self = owner;
  const Traces *traces = item;

  self->n_probes = traces->n_probes;
  tare_bar_plot_set_bars (TARE_BAR_PLOT (self->traces), (const char *const *) traces->names,
                          traces->values, traces->errors, traces->n);
  update_charts (self);
  if (!is_surveying (self))
    update_caption (self);
}

static void
traces_done (gpointer      owner,
             const GError *error)
{
  TareHessianPage *self = owner;

  gtk_toggle_button_set_active (self->probe_button, FALSE);
  if (error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    tare_layer_page_set_caption (TARE_LAYER_PAGE (self), error->message);
}

static const TareStudyClass traces_class = {
  .title = N_("Probing the loss"),
  .work = study_traces,
  .news = take_traces,
  .free_news = traces_free,
  .done = traces_done,
};

static void
probe_cb (TareHessianPage *self)
{
  TareSession *session = tare_layer_page_get_session (TARE_LAYER_PAGE (self));
  gboolean active = gtk_toggle_button_get_active (self->probe_button);

  gtk_button_set_label (GTK_BUTTON (self->probe_button), active ? _("Stop") : _("Probe Loss"));
  if (!active)
    tare_study_stop (self->probing);
  else if (!tare_study_is_running (self->probing))
    tare_study_start (self->probing, NULL, g_strdup (tare_session_get_calibration_text (session)),
                      g_free);
}

/* --- the loss around one layer's weights --- */

static void
show_density (TareHessianPage        *self,
              const TareEigenDensity *density)
{
  double margin = 0.02 * (density->highest - density->lowest);
  double peak = 0.0;
  double x[DENSITY_POINTS];
  double y[DENSITY_POINTS];

  for (guint i = 0; i < DENSITY_POINTS; i++)
    {
      x[i] = density->lowest - margin
             + (density->highest - density->lowest + 2.0 * margin) * i / (DENSITY_POINTS - 1);
      y[i] = tare_eigen_density_get (density, x[i]);
      peak = MAX (peak, y[i]);
    }
  for (guint i = 0; i < DENSITY_POINTS; i++)
    y[i] = y[i] >= DENSITY_FLOOR * peak ? y[i] : (double) NAN;
  tare_line_plot_set_points (TARE_LINE_PLOT (self->density), x, y, DENSITY_POINTS);
  gtk_widget_set_visible (GTK_WIDGET (self->density_chart), TRUE);
  tare_chart_fit (self->density_chart);
}

static void
show_landscape (TareHessianPage         *self,
                const TareLandscapeView *view)
{
  g_autofree char *first = tare_text_number (view->values[0], 3);
  g_autofree char *second = tare_text_number (view->values[1], 3);
  g_autofree char *caption = NULL;

  tare_contour_plot_set_values (TARE_CONTOUR_PLOT (self->landscape), view->losses,
                                TARE_LANDSCAPE_SIDE, TARE_LANDSCAPE_SIDE, view->x, view->y);
  tare_contour_plot_set_center (TARE_CONTOUR_PLOT (self->landscape), 0.0, 0.0);
  self->n_losses = view->n_losses;
  if (isnan (view->values[0]))
    caption = g_strdup (_("The loss around the network's weights, along two random directions "
                          "with rows as long as theirs (Li et al. 2018)."));
  else
    caption = g_strdup_printf (_("The loss around this layer's weights, roughly along the two "
                                 "directions of the largest curvature, by which it bends by about "
                                 "%s and %s; below, the density of all eigenvalues (Lanczos)."),
                               first, second);
  tare_layer_page_set_caption (TARE_LAYER_PAGE (self), caption);
}

static void
take_view (gpointer owner,
           gpointer item)
{
  TareHessianPage *self = owner;
  const TareLandscapeView *view = item;

  if (view->density != NULL)
    show_density (self, view->density);
  else
    show_landscape (self, view);
}

/* Whoever cancels it wants what was there before. */
static void
survey_done (gpointer      owner,
             const GError *error)
{
  TareHessianPage *self = owner;

  spectrum_done (owner, error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    gtk_toggle_button_set_active (self->landscape_button, FALSE);
}

static const TareStudyClass landscape_class = {
  .title = N_("Surveying the loss"),
  .work = tare_landscape_study,
  .news = take_view,
  .free_news = tare_landscape_view_free,
  .done = survey_done,
};

static gboolean
is_surveying (TareHessianPage *self)
{
  return gtk_toggle_button_get_active (self->landscape_button);
}

/* One side of the page or the other. */
static void
update_charts (TareHessianPage *self)
{
  gboolean surveying = is_surveying (self);

  gtk_widget_set_visible (GTK_WIDGET (self->spectrum_chart), !surveying);
  gtk_widget_set_visible (GTK_WIDGET (self->trace_chart), !surveying && self->n_probes > 0);
  gtk_widget_set_visible (GTK_WIDGET (self->landscape_chart), surveying);
  gtk_widget_set_visible (GTK_WIDGET (self->density_chart), FALSE);
  gtk_widget_set_visible (GTK_WIDGET (self->probe_button), !surveying);
}

static void
clear_landscape (TareHessianPage *self)
{
  const double none[2] = { 0.0, 0.0 };

  tare_study_stop (self->surveying);
  tare_contour_plot_set_values (TARE_CONTOUR_PLOT (self->landscape), NULL, 0, 0, none, none);
  gtk_widget_set_visible (GTK_WIDGET (self->density_chart), FALSE);
  self->n_losses = 0;
}

static void
survey (TareHessianPage *self,
        TareLayer       *layer)
{
  TareLayerPage *page = TARE_LAYER_PAGE (self);
  TareSession *session = tare_layer_page_get_session (page);
  gpointer site = tare_landscape_site_new (tare_session_get_calibration_text (session),
                                           tare_layer_get_statistics (layer));

  tare_layer_page_set_caption (page, _("Looking for the directions of the largest curvature…"));
  tare_layer_page_set_busy (page, TRUE);
  tare_layer_page_show_charts (page);
  tare_study_start (self->surveying, tare_layer_get_tensor (layer), site,
                    tare_landscape_site_free);
}

static void
landscape_cb (TareHessianPage *self)
{
  update_charts (self);
  tare_layer_page_refresh (TARE_LAYER_PAGE (self));
}

/* --- the page --- */

static void
show_missing (TareHessianPage *self,
              TareSession     *session)
{
  TareLayerPage *page = TARE_LAYER_PAGE (self);

  if (tare_session_get_calibration (session) == NULL)
    tare_layer_page_set_empty (page, NULL, _("Not Calibrated"),
                               _("The Hessian of a layer's input is made from what flows into it. "
                                 "Calibration records that on a text."),
                               _("_Calibrate"), "win.calibrate");
  else
    tare_layer_page_set_empty (page, NULL, _("No Input Hessian"),
                               _("The calibration has neither the Hessian of this layer nor a "
                                 "sketch of it, or did not see it."), NULL, NULL);
  tare_layer_page_show_empty (page);
}

static void
show (TareLayerPage *page,
      TareLayer     *layer)
{
  TareHessianPage *self = TARE_HESSIAN_PAGE (page);
  TareSession *session = tare_layer_page_get_session (page);
  TareCalibration *calibration = session != NULL ? tare_session_get_calibration (session) : NULL;
  const TareLayerActivations *activations = NULL;

  tare_study_stop (self->study);
  clear_landscape (self);
  g_clear_pointer (&self->found, g_free);
  self->n_values = 0;
  if (layer == NULL)
    {
      tare_layer_page_set_empty (page, "tare-hessian-symbolic", _("No Layer Is Selected"),
                                 _("Select a matrix: which directions of its input matter shows "
                                   "here"), NULL, NULL);
      return;
    }
  if (is_surveying (self))
    {
      survey (self, layer);
      return;
    }

  if (calibration != NULL)
    activations = tare_calibration_lookup (calibration, tare_layer_get_tensor (layer)->canonical);
  if (activations == NULL || !tare_hessian_has_spectrum (activations))
    {
      show_missing (self, session);
      return;
    }

  tare_layer_page_set_busy (page, TRUE);
  tare_study_start (self->study, tare_layer_get_tensor (layer), NULL, NULL);
}

static void
model_changed_cb (TareHessianPage *self)
{
  tare_study_stop (self->probing);
  gtk_toggle_button_set_active (self->probe_button, FALSE);
  tare_bar_plot_set_bars (TARE_BAR_PLOT (self->traces), NULL, NULL, NULL, 0);
  self->n_probes = 0;
  update_charts (self);
}

static void
session_set (TareLayerPage *page,
             TareSession   *session)
{
  TareHessianPage *self = TARE_HESSIAN_PAGE (page);

  self->study = tare_study_new (&spectrum_class, session, self);
  self->probing = tare_study_new (&traces_class, session, self);
  self->surveying = tare_study_new (&landscape_class, session, self);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (tare_layer_page_refresh),
                           self, G_CONNECT_SWAPPED);
}

static void
tare_hessian_page_dispose (GObject *object)
{
  TareHessianPage *self = (TareHessianPage *) object;

  g_clear_pointer (&self->study, tare_study_free);
  g_clear_pointer (&self->probing, tare_study_free);
  g_clear_pointer (&self->surveying, tare_study_free);

  G_OBJECT_CLASS (tare_hessian_page_parent_class)->dispose (object);
}

static void
tare_hessian_page_finalize (GObject *object)
{
  TareHessianPage *self = (TareHessianPage *) object;

  g_clear_object (&self->shares);
  g_clear_object (&self->cumulative);
  g_clear_object (&self->traces);
  g_clear_object (&self->landscape);
  g_clear_object (&self->density);
  g_free (self->found);

  G_OBJECT_CLASS (tare_hessian_page_parent_class)->finalize (object);
}

static void
tare_hessian_page_class_init (TareHessianPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  TareLayerPageClass *page_class = TARE_LAYER_PAGE_CLASS (klass);

  object_class->dispose = tare_hessian_page_dispose;
  object_class->finalize = tare_hessian_page_finalize;
  page_class->show = show;
  page_class->session_set = session_set;
}

static void
add_landscape (TareHessianPage *self)
{
  TareLayerPage *page = TARE_LAYER_PAGE (self);

  self->landscape_chart = tare_layer_page_add_chart (page, _("The loss around the weights"));
  self->landscape = tare_contour_plot_new ();
  tare_contour_plot_set_name (TARE_CONTOUR_PLOT (self->landscape), _("loss, in nats"));
  tare_chart_add_plot (self->landscape_chart, self->landscape);
  tare_axis_set_title (tare_chart_get_x_axis (self->landscape_chart), _("first direction"));
  tare_axis_set_title (tare_chart_get_y_axis (self->landscape_chart), _("second direction"));

  self->density_chart = tare_layer_page_add_chart (page, _("The density of the eigenvalues"));
  self->density = tare_line_plot_new ();
  tare_line_plot_set_style (TARE_LINE_PLOT (self->density), TARE_LINE_STYLE_FILLED);
  tare_chart_add_plot (self->density_chart, self->density);
  tare_axis_set_title (tare_chart_get_x_axis (self->density_chart), _("eigenvalue"));
  tare_axis_set_title (tare_chart_get_y_axis (self->density_chart), _("density"));
  tare_axis_set_scale (tare_chart_get_y_axis (self->density_chart), TARE_AXIS_SCALE_LOG);

  self->landscape_button = GTK_TOGGLE_BUTTON (gtk_toggle_button_new_with_label (_("Landscape")));
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->landscape_button),
                               _("The Loss around the Weights of This Layer"));
  g_signal_connect_swapped (self->landscape_button, "toggled", G_CALLBACK (landscape_cb), self);
  tare_layer_page_add_control (page, GTK_WIDGET (self->landscape_button));
}

static void
tare_hessian_page_init (TareHessianPage *self)
{
  TareLayerPage *page = TARE_LAYER_PAGE (self);

  self->spectrum_chart = tare_layer_page_add_chart (page, _("The spectrum of the input Hessian"));
  self->shares = tare_line_plot_new ();
  self->cumulative = tare_line_plot_new ();
  tare_plot_set_label (self->shares, _("Eigenvalue"));
  tare_plot_set_label (self->cumulative, _("Sum so far"));
  tare_plot_set_color_index (self->cumulative, 1);
  tare_line_plot_set_style (TARE_LINE_PLOT (self->cumulative), TARE_LINE_STYLE_DASHED);
  tare_chart_add_plot (self->spectrum_chart, self->shares);
  tare_chart_add_plot (self->spectrum_chart, self->cumulative);
  tare_axis_set_title (tare_chart_get_x_axis (self->spectrum_chart), _("direction"));
  tare_axis_set_title (tare_chart_get_y_axis (self->spectrum_chart), _("share of the trace"));
  tare_axis_set_scale (tare_chart_get_y_axis (self->spectrum_chart), TARE_AXIS_SCALE_LOG);

  self->trace_chart = tare_layer_page_add_chart (page, _("The loss's Hessian over every layer"));
  self->traces = tare_bar_plot_new ();
  tare_chart_add_plot (self->trace_chart, self->traces);
  tare_axis_set_title (tare_chart_get_y_axis (self->trace_chart), _("trace, in nats"));

  self->probe_button = GTK_TOGGLE_BUTTON (gtk_toggle_button_new_with_label (_("Probe Loss")));
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->probe_button),
                               _("Estimate the Trace of the Loss's Hessian over Every Layer"));
  g_signal_connect_swapped (self->probe_button, "toggled", G_CALLBACK (probe_cb), self);
  tare_layer_page_add_control (page, GTK_WIDGET (self->probe_button));
  add_landscape (self);
  update_charts (self);
}

/**
 * tare_hessian_page_set_probing:
 * @self: the page
 * @probing: whether to estimate the trace of the loss's Hessian
 */
void
tare_hessian_page_set_probing (TareHessianPage *self,
                               gboolean         probing)
{
  g_return_if_fail (TARE_IS_HESSIAN_PAGE (self));

  gtk_toggle_button_set_active (self->probe_button, probing);
}

/**
 * tare_hessian_page_get_n_probes:
 * @self: the page
 *
 * Returns: how many probes the traces are from
 */
gsize
tare_hessian_page_get_n_probes (TareHessianPage *self)
{
  g_return_val_if_fail (TARE_IS_HESSIAN_PAGE (self), 0);

  return self->n_probes;
}

/**
 * tare_hessian_page_get_n_values:
 * @self: the page
 *
 * Returns: how many eigenvalues are shown
 */
gsize
tare_hessian_page_get_n_values (TareHessianPage *self)
{
  g_return_val_if_fail (TARE_IS_HESSIAN_PAGE (self), 0);

  return self->n_values;
}

/**
 * tare_hessian_page_set_surveying:
 * @self: the page
 * @surveying: whether to show the loss around the weights of the layer
 */
void
tare_hessian_page_set_surveying (TareHessianPage *self,
                                 gboolean         surveying)
{
  g_return_if_fail (TARE_IS_HESSIAN_PAGE (self));

  gtk_toggle_button_set_active (self->landscape_button, surveying);
}

/**
 * tare_hessian_page_get_n_losses:
 * @self: the page
 *
 * Returns: at how many points around the weights the loss is shown
 */
gsize
tare_hessian_page_get_n_losses (TareHessianPage *self)
{
  g_return_val_if_fail (TARE_IS_HESSIAN_PAGE (self), 0);

  return self->n_losses;
}
