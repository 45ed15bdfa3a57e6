/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-sensitivity-page.h"

#include <glib/gi18n.h>
#include <math.h>
#include <stdlib.h>

#include "app/tare-measure-caption.h"
#include "app/tare-measure-choice.h"
#include "widgets/tare-bar-plot.h"
#include "widgets/tare-colormap.h"

/* How long news of single layers is gathered before the bars are drawn again, in milliseconds. */
#define REFRESH_DELAY 100

/* Classes of cost, a bit for each: what is computed without being asked for, and by the buttons. */
#define AT_ONCE  (1u << TARE_MEASURE_COST_WEIGHTS | 1u << TARE_MEASURE_COST_CALIBRATION)
#define GRADIENT (1u << TARE_MEASURE_COST_GRADIENT)
#define FORWARD  (1u << TARE_MEASURE_COST_FORWARD | 1u << TARE_MEASURE_COST_HESSIAN)

struct _TareSensitivityPage
{
  AdwBin              parent_instance;

  GtkStack           *stack;
  AdwStatusPage      *empty_page;
  AdwStatusPage      *waiting_page;
  GtkWidget          *calibrate_button;
  GtkStack           *view_stack;
  GtkDropDown        *measure_drop;
  GtkDropDown        *show_drop;
  GtkWidget          *scale_box;
  GtkToggleButton    *bars_button;
  GtkToggleButton    *compare_button;
  GtkToggleButton    *gradient_button;
  GtkToggleButton    *forward_button;
  GtkSpinner         *spinner;
  TareMeasureCompare *compare;
  GtkDropDown        *reference_drop;
  GtkDropDown        *color_drop;
  GtkToggleButton    *linear_button;
  GtkToggleButton    *log_button;
  TareChart          *chart;
  /* No label: GTK 4.8 asks that for widths by height, and is told different ones. */
  GtkInscription     *caption;

  TareSession        *session;
  TareMeasurements   *measurements;
  /* One plot for each colour; the others' bars are NaN in it. */
  GPtrArray          *plots;
  char              **groups;
  /* The costs of what a button began, whose outcome is shown when it ends. */
  guint               awaited;
  guint               refresh;
  gboolean            updating;
};

static void page_iface_init (TarePageInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TareSensitivityPage, tare_sensitivity_page, ADW_TYPE_BIN,
                               G_IMPLEMENT_INTERFACE (TARE_TYPE_PAGE, page_iface_init))

static TareLayer *
get_layer (TareSensitivityPage *self,
           guint                bar)
{
  return tare_session_get_layer (self->session,
                                 tare_measurements_get_layers (self->measurements)[bar]);
}

/* What a bar's colour stands for. */
static char *
dup_group (TareSensitivityPage *self,
           TareLayer           *layer)
{
  const TareTensor *tensor = tare_layer_get_tensor (layer);

  if (gtk_drop_down_get_selected (self->color_drop) == 0)
    return g_strdup (tensor->role != NULL ? tensor->role->label : _("unknown role"));
  if (tensor->block < 0)
    return g_strdup (_("outside the blocks"));

  return g_strdup_printf (_("block %d"), tensor->block);
}

static void
bar_activated_cb (TareSensitivityPage *self,
                  guint                layer,
                  GdkModifierType      state)
{
  tare_measurements_select (self->measurements, layer, (state & GDK_CONTROL_MASK) != 0);
}

static TarePlot *
add_plot (TareSensitivityPage *self,
          const char          *label)
{
  TarePlot *plot = tare_bar_plot_new ();

  tare_plot_set_label (plot, label);
  tare_plot_set_color_index (plot, self->plots->len % TARE_COLORMAP_N_CATEGORIES);
  g_signal_connect_object (plot, "point-activated", G_CALLBACK (bar_activated_cb), self,
                           G_CONNECT_SWAPPED);
  g_ptr_array_add (self->plots, plot);
  tare_chart_add_plot (self->chart, plot);

  return plot;
}

static void
drop_plots (TareSensitivityPage *self)
{
  for (guint i = 0; i < self->plots->len; i++)
    tare_chart_remove_plot (self->chart, g_ptr_array_index (self->plots, i));
  g_ptr_array_set_size (self->plots, 0);
}

static gboolean
owns (TareSensitivityPage *self,
      TarePlot            *plot,
      guint                bar)
{
  return self->groups != NULL && g_str_equal (self->groups[bar], tare_plot_get_label (plot));
}

/* --- the measure --- */

static const TareMeasure *
get_measure (TareSensitivityPage *self)
{
  return tare_measure_choice_get (self->measure_drop);
}

/* The session weighs the layers by itself as soon as it is calibrated. */
static gboolean
is_default (TareSensitivityPage *self)
{
  return get_measure (self) == tare_measure_get (0);
}

static gboolean
is_comparing (TareSensitivityPage *self)
{
  return gtk_toggle_button_get_active (self->compare_button);
}

static gsize
get_column (TareSensitivityPage *self)
{
  gsize column = 0;

  while (tare_measure_get (column) != get_measure (self))
    column++;

  return column;
}

static double
get_value (TareSensitivityPage *self,
           guint                bar)
{
  if (is_default (self))
    return tare_layer_get_sensitivity (get_layer (self, bar));

  return tare_measurements_get_values (self->measurements, get_column (self))[bar];
}

/* 0 where no standard error is known: there is no line then. */
static double
get_error (TareSensitivityPage *self,
           guint                bar)
{
  double error = is_default (self)
                   ? 0.0
                   : tare_measurements_get_errors (self->measurements, get_column (self))[bar];

  return isfinite (error) ? error : 0.0;
}

/* --- the bars --- */

static int
compare_indices (gconstpointer a,
                 gconstpointer b)
{
  guint first = *(const guint *) a;
  guint second = *(const guint *) b;

  return (first > second) - (first < second);
}

static void
fill_plot (TareSensitivityPage *self,
           TarePlot            *plot)
{
  guint n = tare_measurements_get_n_rows (self->measurements);
  g_autofree double *values = g_new (double, MAX (n, 1));
  g_autofree double *errors = g_new (double, MAX (n, 1));
  g_auto(GStrv) names = tare_measurements_dup_names (self->measurements);
  gboolean doubtful = FALSE;

  for (guint i = 0; i < n; i++)
    {
      values[i] = owns (self, plot, i) ? get_value (self, i) : (double) NAN;
      errors[i] = get_error (self, i);
      doubtful = doubtful || errors[i] > 0.0;
    }
  tare_bar_plot_set_bars (TARE_BAR_PLOT (plot), (const char *const *) names, values,
                          doubtful ? errors : NULL, n);
  tare_plot_set_ids (plot, tare_measurements_get_layers (self->measurements), n);
}

static void
highlight (TareSensitivityPage *self)
{
  const guint *layers = tare_measurements_get_layers (self->measurements);
  guint n_rows = tare_measurements_get_n_rows (self->measurements);
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);

  for (guint i = 0; i < self->plots->len; i++)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i);
      g_autoptr(GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint));

      for (guint row = 0; row < n_rows; row++)
        if (n > 0 && owns (self, plot, row)
            && bsearch (&layers[row], selection, n, sizeof *selection, compare_indices) != NULL)
          g_array_append_val (ids, layers[row]);
      tare_plot_set_selected (plot, (const guint *) ids->data, ids->len);
    }
}

/* Less than nothing has no place on a logarithmic axis. */
static void
update_scale (TareSensitivityPage *self)
{
  guint n = self->measurements != NULL ? tare_measurements_get_n_rows (self->measurements) : 0;
  gboolean positive = TRUE;

  for (guint i = 0; i < n; i++)
    positive = positive && !(get_value (self, i) < 0.0);
  gtk_widget_set_sensitive (GTK_WIDGET (self->log_button), positive);
  tare_axis_set_scale (tare_chart_get_y_axis (self->chart),
                       positive && gtk_toggle_button_get_active (self->log_button)
                         ? TARE_AXIS_SCALE_LOG : TARE_AXIS_SCALE_LINEAR);
}

static void
fill (TareSensitivityPage *self)
{
  guint n = tare_measurements_get_n_rows (self->measurements);

  g_strfreev (self->groups);
  self->groups = g_new0 (char *, n + 1);
  for (guint i = 0; i < n; i++)
    self->groups[i] = dup_group (self, get_layer (self, i));
  if (self->plots->len == 0)
    {
      g_autoptr(GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);

      for (guint i = 0; i < n; i++)
        if (g_hash_table_add (known, self->groups[i]))
          add_plot (self, self->groups[i]);
    }
  for (guint i = 0; i < self->plots->len; i++)
    fill_plot (self, g_ptr_array_index (self->plots, i));
  update_scale (self);
  highlight (self);
}

static guint
count_known (TareSensitivityPage *self)
{
  guint known = 0;

  for (guint i = 0; i < tare_measurements_get_n_rows (self->measurements); i++)
    if (!isnan (get_value (self, i)))
      known++;

  return known;
}

static void
update_caption (TareSensitivityPage *self,
                guint                known)
{
  const char *problem = tare_measurements_get_problem (self->measurements);
  const char *text = tare_session_get_calibration_text (self->session);
  g_autofree char *name = text != NULL ? g_path_get_basename (text) : g_strdup ("");
  g_autofree char *caption = NULL;

  if (problem != NULL && (is_comparing (self) || !is_default (self)))
    caption = g_strdup (problem);
  else if (is_comparing (self))
    caption = tare_measure_compare_dup_caption (self->compare);
  else
    caption = is_default (self)
                ? tare_measure_caption_of_default (self->measurements, name, known)
                : tare_measure_caption_of (self->measurements, get_measure (self), name, known);
  gtk_inscription_set_text (self->caption, caption);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->caption), caption);
}

static void
update_axis (TareSensitivityPage *self)
{
  const TareMeasure *measure = get_measure (self);
  g_autofree char *title = *measure->unit != '\0'
                             ? g_strdup_printf ("%s, %s", _(measure->label), measure->unit)
                             : g_strdup (_(measure->label));

  tare_axis_set_title (tare_chart_get_y_axis (self->chart), title);
}

static void
update_button (TareSensitivityPage *self,
               GtkToggleButton     *button,
               guint                costs,
               const char          *label)
{
  gboolean running = tare_measurements_is_running (self->measurements, costs);

  self->updating = TRUE;
  gtk_toggle_button_set_active (button, running);
  gtk_button_set_label (GTK_BUTTON (button), running ? _("Stop") : label);
  self->updating = FALSE;
}

static void
update_buttons (TareSensitivityPage *self)
{
  gtk_spinner_set_spinning (self->spinner, tare_measurements_is_running (self->measurements,
                                                                         G_MAXUINT));
  update_button (self, self->gradient_button, GRADIENT, _("Weigh With Gradients"));
  update_button (self, self->forward_button, FORWARD, _("Measure Each Layer"));
}

/* What is cheap is found as soon as somebody looks. */
static void
ask (TareSensitivityPage *self)
{
  if (gtk_widget_get_mapped (GTK_WIDGET (self)) && (is_comparing (self) || !is_default (self))
      && !tare_session_is_calibrating (self->session)
      && tare_measurements_get_problem (self->measurements) == NULL)
    tare_measurements_ask (self->measurements, get_measure (self), AT_ONCE);
}

static void
update_empty (TareSensitivityPage *self)
{
  TareModel *model = tare_session_get_model (self->session);
  g_autoptr(GError) error = NULL;
  gboolean runnable = model == NULL || tare_model_check_runnable (model, &error);
  g_autofree char *reason = NULL;

  adw_status_page_set_title (self->empty_page,
                             runnable ? _("Not Calibrated") : _("Cannot Be Calibrated"));
  if (error != NULL)
    reason = g_markup_escape_text (error->message, -1);
  adw_status_page_set_description (self->empty_page,
                                   runnable ? _("What rounding a layer costs depends on what "
                                                "flows through it. Calibration records that on a "
                                                "text.")
                                            : reason);
  gtk_widget_set_visible (self->calibrate_button, runnable);
}

static void
update_waiting (TareSensitivityPage *self)
{
  gboolean calibrating = tare_session_is_calibrating (self->session);

  adw_status_page_set_title (self->waiting_page,
                             calibrating ? _("Calibrating") : _("Being Weighed"));
  adw_status_page_set_description (self->waiting_page,
                                   calibrating ? _("A text flows through the model; then each "
                                                   "layer is weighed")
                                               : _("Each layer is rounded and held against what "
                                                   "flows through it; bars show as they come"));
}

/* Which page of the stack to show; the bars that are the default come from a calibration. */
static const char *
find_state (TareSensitivityPage *self,
            guint                known)
{
  if (tare_measurements_get_n_rows (self->measurements) > 0
      && (is_comparing (self) || !is_default (self)))
    return "chart";
  if (known == 0 && tare_session_is_calibrating (self->session))
    return "waiting";
  if (tare_session_get_calibration (self->session) == NULL && known == 0)
    return "empty";

  return known > 0 ? "chart" : "waiting";
}

/* Of the measures that some work finds, the last of the table that is of a format and known: they
 * are in the order of what they take, and the later ones tell more. */
static const TareMeasure *
find_best (TareSensitivityPage *self,
           guint                costs)
{
  for (gsize i = tare_measure_get_n_measures (); i > 0; i--)
    {
      const TareMeasure *measure = tare_measure_get (i - 1);

      if ((costs & 1u << measure->cost) != 0 && tare_measure_is_by_format (measure)
          && tare_measurements_count_known (self->measurements, i - 1) > 0)
        return measure;
    }

  return NULL;
}

/* What a person has waited for shows when it is there, unless one of its measures already does. */
static void
show_awaited (TareSensitivityPage *self)
{
  guint costs = self->awaited;
  const TareMeasure *best;

  if (costs == 0 || tare_measurements_is_running (self->measurements, costs))
    return;

  self->awaited = 0;
  best = find_best (self, costs);
  if (best == NULL)
    return;
  if (is_comparing (self))
    {
      tare_measure_compare_refresh (self->compare);
      tare_measure_compare_choose (self->compare, tare_measure_get (0), best);
    }
  else if ((costs & 1u << get_measure (self)->cost) == 0)
    {
      tare_measure_choice_set (self->measure_drop, best);
    }
}

static void
update (TareSensitivityPage *self)
{
  guint known = count_known (self);
  const char *state = find_state (self, known);

  g_clear_handle_id (&self->refresh, g_source_remove);
  ask (self);
  update_waiting (self);
  update_buttons (self);
  if (g_str_equal (state, "empty"))
    update_empty (self);
  if (g_str_equal (state, "chart"))
    {
      fill (self);
      update_axis (self);
      if (is_comparing (self))
        tare_measure_compare_refresh (self->compare);
      update_caption (self, known);
    }
  gtk_stack_set_visible_child_name (self->stack, state);
}

static gboolean
refresh_cb (gpointer data)
{
  TareSensitivityPage *self = data;

  self->refresh = 0;
  update (self);
  show_awaited (self);

  return G_SOURCE_REMOVE;
}

static void
queue_refresh (TareSensitivityPage *self)
{
  if (self->refresh == 0)
    self->refresh = g_timeout_add (REFRESH_DELAY, refresh_cb, self);
}

static void
model_changed_cb (TareSensitivityPage *self)
{
  drop_plots (self);
  g_clear_pointer (&self->groups, g_strfreev);
  self->awaited = 0;
  update (self);
}

static void
calibration_changed_cb (TareSensitivityPage *self)
{
  const TareFormat *reference = tare_session_get_reference (self->session);

  self->updating = TRUE;
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    if (tare_format_get (i) == reference)
      gtk_drop_down_set_selected (self->reference_drop, (guint) i);
  self->updating = FALSE;
  update (self);
}

static void
reference_changed_cb (TareSensitivityPage *self)
{
  guint selected = gtk_drop_down_get_selected (self->reference_drop);

  if (!self->updating && self->session != NULL && selected < tare_format_get_n_formats ())
    tare_session_set_reference (self->session, tare_format_get (selected));
}

static void
color_changed_cb (TareSensitivityPage *self)
{
  if (self->session != NULL)
    model_changed_cb (self);
}

static void
measure_changed_cb (TareSensitivityPage *self)
{
  if (self->session == NULL)
    return;

  update (self);
  tare_chart_fit (self->chart);
}

static void
view_changed_cb (TareSensitivityPage *self)
{
  gboolean comparing = is_comparing (self);

  gtk_stack_set_visible_child_name (self->view_stack, comparing ? "compare" : "bars");
  gtk_widget_set_visible (GTK_WIDGET (self->measure_drop), !comparing);
  gtk_widget_set_visible (GTK_WIDGET (self->color_drop), !comparing);
  gtk_widget_set_visible (self->scale_box, !comparing);
  gtk_widget_set_visible (GTK_WIDGET (self->show_drop), comparing);
  if (self->session != NULL)
    update (self);
}

static void
show_changed_cb (TareSensitivityPage *self)
{
  tare_measure_compare_set_show (self->compare, gtk_drop_down_get_selected (self->show_drop));
}

static void
weights_cb (TareSensitivityPage *self)
{
  tare_sensitivity_page_set_measure (self, tare_measure_lookup ("relative_error"));
}

static void
work_toggled_cb (TareSensitivityPage *self,
                 GtkToggleButton     *button)
{
  if (self->updating || self->session == NULL)
    return;

  self->awaited = 0;
  if (gtk_toggle_button_get_active (button))
    {
      self->awaited = button == self->gradient_button ? GRADIENT : FORWARD;
      tare_measurements_ask (self->measurements, get_measure (self), self->awaited);
    }
  else
    {
      tare_measurements_stop (self->measurements);
    }
  update (self);
}

static void
copy_cb (TareSensitivityPage *self)
{
  tare_chart_copy_csv (is_comparing (self) ? tare_measure_compare_get_matrix (self->compare)
                                           : self->chart);
}

static void
tare_sensitivity_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (tare_sensitivity_page_parent_class)->map (widget);

  if (((TareSensitivityPage *) widget)->session != NULL)
    update ((TareSensitivityPage *) widget);
}

static void
tare_sensitivity_page_dispose (GObject *object)
{
  TareSensitivityPage *self = (TareSensitivityPage *) object;
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  g_clear_handle_id (&self->refresh, g_source_remove);
  self->updating = TRUE;
  adw_bin_set_child (ADW_BIN (self), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_SENSITIVITY_PAGE);
  g_clear_pointer (&self->plots, g_ptr_array_unref);
  g_clear_object (&self->measurements);
  g_clear_pointer (&self->groups, g_strfreev);

  G_OBJECT_CLASS (tare_sensitivity_page_parent_class)->dispose (object);
}

static void
tare_sensitivity_page_class_init (TareSensitivityPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_sensitivity_page_dispose;
  widget_class->map = tare_sensitivity_page_map;

  g_type_ensure (TARE_TYPE_CHART);
  g_type_ensure (TARE_TYPE_MEASURE_COMPARE);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-sensitivity-page.ui");
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, stack);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, empty_page);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, waiting_page);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, calibrate_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, view_stack);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, measure_drop);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, show_drop);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, scale_box);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, bars_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, compare_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, gradient_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, forward_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, spinner);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, compare);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, reference_drop);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, color_drop);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, linear_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, log_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, chart);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, caption);
  gtk_widget_class_bind_template_callback (widget_class, measure_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, view_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, show_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, weights_cb);
  gtk_widget_class_bind_template_callback (widget_class, work_toggled_cb);
  gtk_widget_class_bind_template_callback (widget_class, reference_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, color_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, update_scale);
  gtk_widget_class_bind_template_callback (widget_class, copy_cb);
}

static void
tare_sensitivity_page_init (TareSensitivityPage *self)
{
  g_autoptr(GtkStringList) formats = gtk_string_list_new (NULL);
  g_autoptr(GtkExpression) expression =
    gtk_property_expression_new (GTK_TYPE_STRING_OBJECT, NULL, "string");

  self->updating = TRUE;
  self->plots = g_ptr_array_new_with_free_func (g_object_unref);
  gtk_widget_init_template (GTK_WIDGET (self));

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    gtk_string_list_append (formats, tare_format_get (i)->label);
  gtk_drop_down_set_expression (self->reference_drop, expression);
  gtk_drop_down_set_model (self->reference_drop, G_LIST_MODEL (formats));
  tare_measure_choice_set_up (self->measure_drop);
  tare_measure_choice_set (self->measure_drop, tare_measure_get (0));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->chart), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("What rounding each layer costs"), -1);
  self->updating = FALSE;
}

static void
set_session (TarePage    *page,
             TareSession *session)
{
  TareSensitivityPage *self = (TareSensitivityPage *) page;

  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  self->measurements = tare_measurements_new (session);
  tare_measure_compare_set_measurements (self->compare, self->measurements);
  g_signal_connect_object (self->compare, "chosen", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->measurements, "changed", G_CALLBACK (queue_refresh), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (calibration_changed_cb),
                           self, G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "selection-changed", G_CALLBACK (highlight), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "layer-changed", G_CALLBACK (queue_refresh), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (tare_session_get_jobs (session), "items-changed",
                           G_CALLBACK (queue_refresh), self, G_CONNECT_SWAPPED);
  calibration_changed_cb (self);
}

static void
page_iface_init (TarePageInterface *iface)
{
  iface->set_session = set_session;
}

/**
 * tare_sensitivity_page_get_chart:
 * @self: the page
 *
 * Returns: (transfer none): the bars
 */
TareChart *
tare_sensitivity_page_get_chart (TareSensitivityPage *self)
{
  g_return_val_if_fail (TARE_IS_SENSITIVITY_PAGE (self), NULL);

  return self->chart;
}

/**
 * tare_sensitivity_page_get_state:
 * @self: the page
 *
 * Returns: "empty", "waiting" or "chart"
 */
const char *
tare_sensitivity_page_get_state (TareSensitivityPage *self)
{
  g_return_val_if_fail (TARE_IS_SENSITIVITY_PAGE (self), NULL);

  return gtk_stack_get_visible_child_name (self->stack);
}

/**
 * tare_sensitivity_page_set_measure:
 * @self: the page
 * @measure: of the measure table: what the bars show
 */
void
tare_sensitivity_page_set_measure (TareSensitivityPage *self,
                                   const TareMeasure   *measure)
{
  g_return_if_fail (TARE_IS_SENSITIVITY_PAGE (self));
  g_return_if_fail (measure != NULL);

  tare_measure_choice_set (self->measure_drop, measure);
}

/**
 * tare_sensitivity_page_set_comparing:
 * @self: the page
 * @comparing: whether to compare measures, or to show the bars of one
 */
void
tare_sensitivity_page_set_comparing (TareSensitivityPage *self,
                                     gboolean             comparing)
{
  g_return_if_fail (TARE_IS_SENSITIVITY_PAGE (self));

  gtk_toggle_button_set_active (comparing ? self->compare_button : self->bars_button, TRUE);
}

/**
 * tare_sensitivity_page_get_compare:
 * @self: the page
 *
 * Returns: (transfer none): what compares measures
 */
TareMeasureCompare *
tare_sensitivity_page_get_compare (TareSensitivityPage *self)
{
  g_return_val_if_fail (TARE_IS_SENSITIVITY_PAGE (self), NULL);

  return self->compare;
}

/**
 * tare_sensitivity_page_get_measurements:
 * @self: the page
 *
 * Returns: (transfer none) (nullable): what is known of the layers, once there is a session
 */
TareMeasurements *
tare_sensitivity_page_get_measurements (TareSensitivityPage *self)
{
  g_return_val_if_fail (TARE_IS_SENSITIVITY_PAGE (self), NULL);

  return self->measurements;
}
