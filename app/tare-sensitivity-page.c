/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-sensitivity-page.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "widgets/tare-bar-plot.h"
#include "widgets/tare-colormap.h"

/* How long news of single layers is gathered before the bars are drawn again, in milliseconds. */
#define REFRESH_DELAY 100

struct _TareSensitivityPage
{
  AdwBin           parent_instance;

  GtkStack        *stack;
  AdwStatusPage   *empty_page;
  AdwStatusPage   *waiting_page;
  GtkWidget       *calibrate_button;
  GtkDropDown     *reference_drop;
  GtkDropDown     *color_drop;
  GtkToggleButton *linear_button;
  GtkToggleButton *log_button;
  TareChart       *chart;
  GtkLabel        *caption_label;

  TareSession     *session;
  /* The layers that have a bar, and one plot for each colour; the others' bars are NaN in it. */
  GArray          *layers;
  GPtrArray       *plots;
  char           **groups;
  guint            refresh;
  gboolean         updating;
};

static void page_iface_init (TarePageInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TareSensitivityPage, tare_sensitivity_page, ADW_TYPE_BIN,
                               G_IMPLEMENT_INTERFACE (TARE_TYPE_PAGE, page_iface_init))

static TareLayer *
get_layer (TareSensitivityPage *self,
           guint                bar)
{
  return tare_session_get_layer (self->session, g_array_index (self->layers, guint, bar));
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
                  guint                bar,
                  GdkModifierType      state)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);
  g_autoptr(GArray) indices = g_array_new (FALSE, FALSE, sizeof (guint));
  guint index;
  gboolean there = FALSE;

  if (bar >= self->layers->len)
    return;

  /* With Control a bar joins or leaves the selection. */
  index = g_array_index (self->layers, guint, bar);
  for (guint i = 0; i < n && (state & GDK_CONTROL_MASK) != 0; i++)
    {
      there = there || selection[i] == index;
      if (selection[i] != index)
        g_array_append_val (indices, selection[i]);
    }
  if (!there)
    g_array_append_val (indices, index);
  tare_session_set_selection (self->session, (const guint *) indices->data, indices->len);
}

static TarePlot *
add_plot (TareSensitivityPage *self,
          const char          *label)
{
  TarePlot *plot = tare_bar_plot_new ();

  tare_plot_set_label (plot, label);
  tare_plot_set_color_index (plot, self->plots->len % TARE_COLORMAP_N_CATEGORIES);
  g_signal_connect_object (plot, "bar-activated", G_CALLBACK (bar_activated_cb), self,
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

static void
list_layers (TareSensitivityPage *self)
{
  guint n = tare_session_get_n_layers (self->session);

  g_array_set_size (self->layers, 0);
  for (guint i = 0; i < n; i++)
    if (tare_layer_is_assignable (tare_session_get_layer (self->session, i)))
      g_array_append_val (self->layers, i);
}

static gboolean
owns (TareSensitivityPage *self,
      TarePlot            *plot,
      guint                bar)
{
  return self->groups != NULL && g_str_equal (self->groups[bar], tare_plot_get_label (plot));
}

/* All of them end in ".weight". */
static char *
dup_short_name (const char *canonical)
{
  gsize length = strlen (canonical);

  return g_strndup (canonical, g_str_has_suffix (canonical, ".weight") ? length - 7 : length);
}

static void
fill_plot (TareSensitivityPage *self,
           TarePlot            *plot)
{
  guint n = self->layers->len;
  g_autofree double *values = g_new (double, MAX (n, 1));
  g_auto(GStrv) names = g_new0 (char *, n + 1);

  for (guint i = 0; i < n; i++)
    {
      TareLayer *layer = get_layer (self, i);

      names[i] = dup_short_name (tare_layer_get_tensor (layer)->canonical);
      values[i] = owns (self, plot, i) ? tare_layer_get_sensitivity (layer) : (double) NAN;
    }
  tare_bar_plot_set_bars (TARE_BAR_PLOT (plot), (const char *const *) names, values, NULL, n);
}

static int
compare_indices (gconstpointer a,
                 gconstpointer b)
{
  guint first = *(const guint *) a;
  guint second = *(const guint *) b;

  return (first > second) - (first < second);
}

static void
highlight (TareSensitivityPage *self)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);

  for (guint i = 0; i < self->plots->len; i++)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i);
      g_autoptr(GArray) bars = g_array_new (FALSE, FALSE, sizeof (guint));

      for (guint bar = 0; bar < self->layers->len; bar++)
        if (n > 0 && owns (self, plot, bar)
            && bsearch (&g_array_index (self->layers, guint, bar), selection, n, sizeof (guint),
                        compare_indices) != NULL)
          g_array_append_val (bars, bar);
      tare_bar_plot_set_highlighted (TARE_BAR_PLOT (plot), (const guint *) bars->data, bars->len);
    }
}

static void
fill (TareSensitivityPage *self)
{
  guint n = self->layers->len;

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
  highlight (self);
}

static guint
count_known (TareSensitivityPage *self)
{
  guint known = 0;

  for (guint i = 0; i < self->layers->len; i++)
    if (!isnan (tare_layer_get_sensitivity (get_layer (self, i))))
      known++;

  return known;
}

static void
update_caption (TareSensitivityPage *self,
                guint                known)
{
  const char *text = tare_session_get_calibration_text (self->session);
  g_autofree char *name = text != NULL ? g_path_get_basename (text) : g_strdup ("");
  const TareFormat *reference = tare_session_get_reference (self->session);
  g_autofree char *caption =
    g_strdup_printf (_("Proxy loss tr(ΔW H ΔWᵀ) of rounding each layer to %s (GPTQ, 2210.17323), H "
                       "from %s; %u of %u layers. Larger costs more; layers share no scale with "
                       "the perplexity. Click a bar to select its layer."),
                     reference->label, name, known, self->layers->len);

  gtk_label_set_label (self->caption_label, caption);
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

static void
update (TareSensitivityPage *self)
{
  guint known = count_known (self);

  g_clear_handle_id (&self->refresh, g_source_remove);
  update_waiting (self);
  if (known == 0 && tare_session_is_calibrating (self->session))
    {
      gtk_stack_set_visible_child_name (self->stack, "waiting");
      return;
    }
  if (tare_session_get_calibration (self->session) == NULL && known == 0)
    {
      update_empty (self);
      gtk_stack_set_visible_child_name (self->stack, "empty");
      return;
    }

  fill (self);
  update_caption (self, known);
  gtk_stack_set_visible_child_name (self->stack, known > 0 ? "chart" : "waiting");
}

static gboolean
refresh_cb (gpointer data)
{
  TareSensitivityPage *self = data;

  self->refresh = 0;
  update (self);

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
  list_layers (self);
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
scale_changed_cb (TareSensitivityPage *self)
{
  tare_axis_set_scale (tare_chart_get_y_axis (self->chart),
                       gtk_toggle_button_get_active (self->log_button) ? TARE_AXIS_SCALE_LOG
                                                                       : TARE_AXIS_SCALE_LINEAR);
}

static void
copy_cb (TareSensitivityPage *self)
{
  tare_chart_copy_csv (self->chart);
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
  g_clear_pointer (&self->layers, g_array_unref);
  g_clear_pointer (&self->groups, g_strfreev);

  G_OBJECT_CLASS (tare_sensitivity_page_parent_class)->dispose (object);
}

static void
tare_sensitivity_page_class_init (TareSensitivityPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_sensitivity_page_dispose;

  g_type_ensure (TARE_TYPE_CHART);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-sensitivity-page.ui");
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, stack);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, empty_page);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, waiting_page);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, calibrate_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, reference_drop);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, color_drop);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, linear_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, log_button);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, chart);
  gtk_widget_class_bind_template_child (widget_class, TareSensitivityPage, caption_label);
  gtk_widget_class_bind_template_callback (widget_class, reference_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, color_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, scale_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_cb);
}

static void
tare_sensitivity_page_init (TareSensitivityPage *self)
{
  g_autoptr(GtkStringList) formats = gtk_string_list_new (NULL);
  g_autoptr(GtkExpression) expression =
    gtk_property_expression_new (GTK_TYPE_STRING_OBJECT, NULL, "string");

  self->updating = TRUE;
  self->layers = g_array_new (FALSE, FALSE, sizeof (guint));
  self->plots = g_ptr_array_new_with_free_func (g_object_unref);
  gtk_widget_init_template (GTK_WIDGET (self));

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    gtk_string_list_append (formats, tare_format_get (i)->label);
  gtk_drop_down_set_expression (self->reference_drop, expression);
  gtk_drop_down_set_model (self->reference_drop, G_LIST_MODEL (formats));
  tare_axis_set_title (tare_chart_get_y_axis (self->chart), _("proxy loss"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->chart), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("What rounding each layer costs"), -1);
  scale_changed_cb (self);
  self->updating = FALSE;
}

static void
set_session (TarePage    *page,
             TareSession *session)
{
  TareSensitivityPage *self = (TareSensitivityPage *) page;

  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
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
  list_layers (self);
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
