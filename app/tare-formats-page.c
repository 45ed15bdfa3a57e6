/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-formats-page.h"

#include <glib/gi18n.h>
#include <math.h>

#include "analysis/sensitivity/tare-sweep.h"
#include "app/tare-study.h"
#include "app/tare-text.h"
#include "widgets/tare-colormap.h"
#include "widgets/tare-scatter-plot.h"

/* How long news is gathered before the points are drawn again, in milliseconds. */
#define REFRESH_DELAY 60

struct _TareFormatsPage
{
  AdwBin            parent_instance;

  GtkStack         *stack;
  GtkLabel         *name_label;
  GtkDropDown      *error_drop;
  GtkDropDown      *range_drop;
  GtkDropDown      *target_drop;
  TareChart        *chart;
  GtkLabel         *caption_label;
  GtkLabel         *choice_label;
  GtkWidget        *assign_button;
  GtkSpinner       *spinner;

  TareSession      *session;
  TareStudy        *study;
  /* What is known of the layer that is shown, in the order of the table. */
  GArray           *points;
  gsize             n_rows;
  const TareTensor *tensor;
  TareCalibration  *calibration;
  TareRange         range;
  /* A plot for each family and one for the front; of each, which formats its points are. */
  GPtrArray        *plots;
  GPtrArray        *formats;
  guint             front;
  guint             chosen;
  const TareFormat *choice;
  guint             refresh;
};

static void page_iface_init (TarePageInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TareFormatsPage, tare_formats_page, ADW_TYPE_BIN,
                               G_IMPLEMENT_INTERFACE (TARE_TYPE_PAGE, page_iface_init))

/* --- the sweep --- */

typedef struct
{
  TareRange range;
} Request;

static void
post_point (const TareSweepPoint *point,
            gpointer              data)
{
  tare_study_post (data, g_memdup2 (point, sizeof *point));
}

static gboolean
sweep (TareStudyTask  *task,
       GError        **error)
{
  const Request *request = task->request;
  g_autofree float *importance = NULL;

  if (task->calibration != NULL)
    importance = tare_calibration_dup_importance (task->calibration, task->tensor->canonical,
                                                  task->tensor->columns);

  return tare_sweep_run (task->tensor, request->range, importance, post_point, task,
                         task->progress, error);
}

static void
take_point (gpointer owner,
            gpointer item);

static void
sweep_done (gpointer      owner,
            const GError *error);

static const TareStudyClass sweep_class = {
  .title = N_("Trying formats"),
  .priority = TARE_JOB_PRIORITY_BACKGROUND,
  .work = sweep,
  .news = take_point,
  .free_news = g_free,
  .done = sweep_done,
};

/* --- what is shown --- */

static TareLayer *
get_layer (TareFormatsPage *self)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);
  TareLayer *layer = n > 0 ? tare_session_get_layer (self->session, selection[0]) : NULL;

  return layer != NULL && tare_layer_is_assignable (layer) ? layer : NULL;
}

static gboolean
is_weighted (TareFormatsPage *self)
{
  return gtk_drop_down_get_selected (self->error_drop) == 1;
}

/* Whether the runtime that is chosen, if one is, reads a format. */
static gboolean
is_wanted (TareFormatsPage  *self,
           const TareFormat *format)
{
  guint selected = gtk_drop_down_get_selected (self->target_drop);

  /* Floats are where the others come from: their errors, next to none, would flatten the rest. */
  return format->family != TARE_FORMAT_FAMILY_FLOAT
         && (selected == 0 || selected > tare_target_get_n_targets ()
             || (format->containers & tare_target_get (selected - 1)->container) != 0);
}

static double
get_error (TareFormatsPage      *self,
           const TareSweepPoint *point)
{
  return is_weighted (self) ? point->distortion.weighted : point->distortion.relative;
}

static int
compare_points (gconstpointer a,
                gconstpointer b,
                gpointer      data)
{
  const TareSweepPoint *first = *(const TareSweepPoint *const *) a;
  const TareSweepPoint *second = *(const TareSweepPoint *const *) b;

  if (first->bits_per_weight != second->bits_per_weight)
    return first->bits_per_weight < second->bits_per_weight ? -1 : 1;

  return get_error (data, first) < get_error (data, second) ? -1
         : get_error (data, first) > get_error (data, second);
}

/* Those with less error than any with fewer bits, by rising bits. */
static GPtrArray *
find_front (TareFormatsPage *self)
{
  GPtrArray *front = g_ptr_array_new ();
  double least = INFINITY;
  guint kept = 0;

  for (guint i = 0; i < self->points->len; i++)
    {
      TareSweepPoint *point = &g_array_index (self->points, TareSweepPoint, i);

      if (is_wanted (self, point->format) && get_error (self, point) > 0.0)
        g_ptr_array_add (front, point);
    }
  g_ptr_array_sort_with_data (front, compare_points, self);
  for (guint i = 0; i < front->len; i++)
    {
      double error = get_error (self, front->pdata[i]);

      if (error < least)
        front->pdata[kept++] = front->pdata[i];
      least = MIN (least, error);
    }
  g_ptr_array_set_size (front, (int) kept);

  return front;
}

static void
point_activated_cb (TareFormatsPage *self,
                    guint            point,
                    GdkModifierType  state,
                    TarePlot        *plot)
{
  guint index;
  GPtrArray *formats;

  if (!g_ptr_array_find (self->plots, plot, &index))
    return;
  formats = self->formats->pdata[index];
  if (point < formats->len)
    tare_formats_page_choose (self, formats->pdata[point]);
}

static guint
find_plot (TareFormatsPage *self,
           const char      *label)
{
  for (guint i = 0; i < self->plots->len; i++)
    if (g_str_equal (tare_plot_get_label (self->plots->pdata[i]), label))
      return i;

  return G_MAXUINT;
}

static void
add_plot (TareFormatsPage *self,
          const char      *label,
          guint            color)
{
  TarePlot *plot = tare_scatter_plot_new ();

  tare_plot_set_label (plot, label);
  tare_plot_set_color_index (plot, color);
  g_signal_connect_object (plot, "point-activated", G_CALLBACK (point_activated_cb), self,
                           G_CONNECT_SWAPPED);
  g_ptr_array_add (self->plots, plot);
  g_ptr_array_add (self->formats, g_ptr_array_new ());
  tare_chart_add_plot (self->chart, plot);
}

/* The families in the order of the table, so that a colour stays what it is; the names of what
 * nothing beats are below them, what is chosen above. */
static void
add_plots (TareFormatsPage *self)
{
  self->front = 0;
  add_plot (self, _("Pareto front"), TARE_PLOT_COLOR_INK);
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      const char *label = tare_format_family_get_label (format->family);

      if (format->family != TARE_FORMAT_FAMILY_FLOAT && find_plot (self, label) == G_MAXUINT)
        add_plot (self, label, (self->plots->len - 1) % TARE_COLORMAP_N_CATEGORIES);
    }
  self->chosen = self->plots->len;
  add_plot (self, _("Chosen"), TARE_PLOT_COLOR_INK);
}

/* The points into one plot, and which formats they are. */
static void
fill_plot (TareFormatsPage *self,
           guint            index,
           GPtrArray       *points)
{
  GPtrArray *formats = self->formats->pdata[index];
  g_autoptr(GPtrArray) labels = g_ptr_array_new ();
  g_autofree double *x = g_new (double, MAX (points->len, 1));
  g_autofree double *y = g_new (double, MAX (points->len, 1));

  g_ptr_array_set_size (formats, 0);
  for (guint i = 0; i < points->len; i++)
    {
      const TareSweepPoint *point = points->pdata[i];

      g_ptr_array_add (formats, (gpointer) point->format);
      g_ptr_array_add (labels, (gpointer) point->format->label);
      x[i] = point->bits_per_weight;
      y[i] = get_error (self, point);
    }
  g_ptr_array_add (labels, NULL);
  tare_scatter_plot_set_points (self->plots->pdata[index], (const char *const *) labels->pdata,
                                x, y, points->len);
}

static void
fill_families (TareFormatsPage *self)
{
  for (guint k = self->front + 1; k < self->chosen; k++)
    {
      const char *label = tare_plot_get_label (self->plots->pdata[k]);
      g_autoptr(GPtrArray) points = g_ptr_array_new ();

      for (guint i = 0; i < self->points->len; i++)
        {
          TareSweepPoint *point = &g_array_index (self->points, TareSweepPoint, i);

          if (is_wanted (self, point->format) && get_error (self, point) > 0.0
              && g_str_equal (tare_format_family_get_label (point->format->family), label))
            g_ptr_array_add (points, point);
        }
      fill_plot (self, k, points);
    }
}

static void
fill_front (TareFormatsPage *self)
{
  g_autoptr(GPtrArray) front = find_front (self);
  g_autofree guint *all = g_new (guint, MAX (front->len, 1));

  for (guint i = 0; i < front->len; i++)
    all[i] = i;
  fill_plot (self, self->front, front);
  tare_scatter_plot_set_front (self->plots->pdata[self->front], all, front->len);
}

static const TareSweepPoint *
find_point (TareFormatsPage  *self,
            const TareFormat *format)
{
  for (guint i = 0; i < self->points->len; i++)
    if (g_array_index (self->points, TareSweepPoint, i).format == format)
      return &g_array_index (self->points, TareSweepPoint, i);

  return NULL;
}

static void
fill_chosen (TareFormatsPage      *self,
             const TareSweepPoint *point)
{
  g_autoptr(GPtrArray) points = g_ptr_array_new ();
  const guint first = 0;

  if (point != NULL && is_wanted (self, point->format))
    g_ptr_array_add (points, (gpointer) point);
  fill_plot (self, self->chosen, points);
  tare_plot_set_selected (self->plots->pdata[self->chosen], &first, points->len);
  tare_scatter_plot_set_front (self->plots->pdata[self->chosen], &first, points->len);
}

static void
update_choice (TareFormatsPage *self)
{
  const TareSweepPoint *point = self->choice != NULL ? find_point (self, self->choice) : NULL;
  g_autofree char *error = NULL;
  g_autofree char *bits = NULL;
  g_autofree char *text = NULL;

  gtk_widget_set_sensitive (self->assign_button, point != NULL);
  fill_chosen (self, point);
  if (point == NULL)
    {
      gtk_label_set_label (self->choice_label, _("Click a point to choose its format"));
      return;
    }

  error = tare_text_percent (get_error (self, point));
  bits = tare_text_bits (point->bits_per_weight);
  /* translators: a format, its bits per weight, its relative error */
  text = g_strdup_printf (_("%s: %s bits per weight, error %s"), point->format->label, bits,
                          error);
  gtk_label_set_label (self->choice_label, text);
}

static void
update_caption (TareFormatsPage *self)
{
  const TareTensor *tensor = self->tensor;
  const char *measure = is_weighted (self)
    ? _("Mean over rows of Σh(w−ŵ)² / Σhw², h the mean square of each input on the "
        "calibration text")
    : _("Mean over rows of Σ(w−ŵ)² / Σw²");
  /* What is rounded for the one error is not best by the other. */
  const char *note = self->calibration != NULL && !is_weighted (self)
    ? _(" Since the calibration, ranges are chosen for the least error weighted by inputs, which "
        "raises this one.")
    : "";
  g_autofree char *caption = NULL;

  if (tensor == NULL)
    return;
  if (self->n_rows < tensor->rows)
    caption = g_strdup_printf (_("%s, on %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " rows.%s"),
                               measure, self->n_rows, tensor->rows, note);
  else
    caption = g_strdup_printf (_("%s, on all rows.%s"), measure, note);
  gtk_label_set_label (self->caption_label, caption);
}

static void
refresh (TareFormatsPage *self)
{
  fill_families (self);
  fill_front (self);
  update_choice (self);
  update_caption (self);
  if (self->points->len > 0)
    gtk_stack_set_visible_child_name (self->stack, "chart");
}

static gboolean
refresh_cb (gpointer data)
{
  TareFormatsPage *self = data;

  self->refresh = 0;
  refresh (self);

  return G_SOURCE_REMOVE;
}

static void
queue_refresh (TareFormatsPage *self)
{
  if (self->refresh == 0)
    self->refresh = g_timeout_add (REFRESH_DELAY, refresh_cb, self);
}

static void
take_point (gpointer owner,
            gpointer item)
{
  TareFormatsPage *self = owner;

  g_array_append_vals (self->points, item, 1);
  queue_refresh (self);
}

static void
sweep_done (gpointer      owner,
            const GError *error)
{
  TareFormatsPage *self = owner;

  gtk_spinner_stop (self->spinner);
  refresh (self);
  if (error != NULL)
    gtk_label_set_label (self->caption_label, error->message);
}

static void
update_name (TareFormatsPage *self)
{
  guint n;
  g_autofree char *name = NULL;

  tare_session_get_selection (self->session, &n);
  if (n > 1)
    /* translators: the first of several selected layers, and how many more */
    name = g_strdup_printf (ngettext ("%s (and %u more)", "%s (and %u more)", n - 1),
                            self->tensor->canonical, n - 1);
  else
    name = g_strdup (self->tensor->canonical);
  gtk_label_set_label (self->name_label, name);
}

/* Asks again if the page is looked at and what it shows is not what is selected. */
static void
update (TareFormatsPage *self)
{
  TareLayer *layer = get_layer (self);
  TareCalibration *calibration = tare_session_get_calibration (self->session);
  const TareRangeInfo *range = tare_range_get (gtk_drop_down_get_selected (self->range_drop));
  const TareTensor *tensor = layer != NULL ? tare_layer_get_tensor (layer) : NULL;
  Request *request;

  if (!gtk_widget_get_mapped (GTK_WIDGET (self)) && tensor != NULL)
    return;
  if (tensor != NULL && tensor == self->tensor && range->range == self->range
      && calibration == self->calibration)
    {
      update_name (self);
      return;
    }

  if (tensor != self->tensor)
    self->choice = layer != NULL ? tare_layer_get_format (layer) : NULL;
  self->tensor = tensor;
  self->range = range->range;
  g_clear_pointer (&self->calibration, tare_calibration_unref);
  self->calibration = calibration != NULL ? tare_calibration_ref (calibration) : NULL;
  g_array_set_size (self->points, 0);
  gtk_widget_set_sensitive (GTK_WIDGET (self->error_drop), calibration != NULL);
  if (tensor == NULL)
    {
      tare_study_stop (self->study);
      gtk_spinner_stop (self->spinner);
      gtk_stack_set_visible_child_name (self->stack, "empty");
      return;
    }

  self->n_rows = tare_sweep_count_rows (tensor);
  update_name (self);
  gtk_spinner_start (self->spinner);
  request = g_new0 (Request, 1);
  request->range = range->range;
  tare_study_start (self->study, tensor, request, g_free);
}

static void
option_changed_cb (TareFormatsPage *self)
{
  if (self->session == NULL)
    return;

  update (self);
  refresh (self);
}

static void
assign_cb (TareFormatsPage *self)
{
  TareAssignment assignment = tare_session_get_brush (self->session);
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);

  if (self->choice == NULL)
    return;
  assignment.format = self->choice;
  assignment.range = self->range;
  tare_session_assign (self->session, selection, n, &assignment);
}

static void
copy_cb (TareFormatsPage *self)
{
  tare_chart_copy_csv (self->chart);
}

/* Nothing that belonged to the last model is looked at again. */
static void
model_changed_cb (TareFormatsPage *self)
{
  tare_study_stop (self->study);
  gtk_spinner_stop (self->spinner);
  g_array_set_size (self->points, 0);
  self->tensor = NULL;
  self->choice = NULL;
  gtk_stack_set_visible_child_name (self->stack, "empty");
  update (self);
}

static void
tare_formats_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (tare_formats_page_parent_class)->map (widget);

  if (((TareFormatsPage *) widget)->session != NULL)
    update ((TareFormatsPage *) widget);
}

static void
tare_formats_page_dispose (GObject *object)
{
  TareFormatsPage *self = (TareFormatsPage *) object;
  g_autoptr(TareSession) session = NULL;

  g_clear_handle_id (&self->refresh, g_source_remove);
  g_clear_pointer (&self->study, tare_study_free);
  session = g_steal_pointer (&self->session);
  adw_bin_set_child (ADW_BIN (self), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_FORMATS_PAGE);
  g_clear_pointer (&self->plots, g_ptr_array_unref);
  g_clear_pointer (&self->formats, g_ptr_array_unref);
  g_clear_pointer (&self->points, g_array_unref);
  g_clear_pointer (&self->calibration, tare_calibration_unref);

  G_OBJECT_CLASS (tare_formats_page_parent_class)->dispose (object);
}

static void
tare_formats_page_class_init (TareFormatsPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_formats_page_dispose;
  widget_class->map = tare_formats_page_map;

  g_type_ensure (TARE_TYPE_CHART);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-formats-page.ui");
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, stack);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, name_label);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, error_drop);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, range_drop);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, target_drop);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, chart);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, caption_label);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, choice_label);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, assign_button);
  gtk_widget_class_bind_template_child (widget_class, TareFormatsPage, spinner);
  gtk_widget_class_bind_template_callback (widget_class, option_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, assign_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_cb);
}

static void
tare_formats_page_init (TareFormatsPage *self)
{
  g_autoptr(GtkStringList) ranges = gtk_string_list_new (NULL);
  g_autoptr(GtkStringList) targets = gtk_string_list_new (NULL);

  self->points = g_array_new (FALSE, FALSE, sizeof (TareSweepPoint));
  self->plots = g_ptr_array_new_with_free_func (g_object_unref);
  self->formats = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref);
  gtk_widget_init_template (GTK_WIDGET (self));

  for (gsize i = 0; i < tare_range_get_n_ranges (); i++)
    gtk_string_list_append (ranges, _(tare_range_get (i)->label));
  gtk_drop_down_set_model (self->range_drop, G_LIST_MODEL (ranges));
  gtk_string_list_append (targets, _("All formats"));
  for (gsize i = 0; i < tare_target_get_n_targets (); i++)
    gtk_string_list_append (targets, _(tare_target_get (i)->label));
  gtk_drop_down_set_model (self->target_drop, G_LIST_MODEL (targets));

  add_plots (self);
  tare_axis_set_title (tare_chart_get_x_axis (self->chart), _("bits per weight"));
  tare_axis_set_title (tare_chart_get_y_axis (self->chart), _("relative error"));
  tare_axis_set_scale (tare_chart_get_y_axis (self->chart), TARE_AXIS_SCALE_LOG);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->chart), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("What each format would cost this layer"), -1);
}

static void
set_session (TarePage    *page,
             TareSession *session)
{
  TareFormatsPage *self = (TareFormatsPage *) page;

  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  self->study = tare_study_new (&sweep_class, session, self);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "selection-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  update (self);
}

static void
page_iface_init (TarePageInterface *iface)
{
  iface->set_session = set_session;
}

/**
 * tare_formats_page_get_chart:
 * @self: the page
 *
 * Returns: (transfer none): the points
 */
TareChart *
tare_formats_page_get_chart (TareFormatsPage *self)
{
  g_return_val_if_fail (TARE_IS_FORMATS_PAGE (self), NULL);

  return self->chart;
}

/**
 * tare_formats_page_get_n_points:
 * @self: the page
 *
 * Returns: how many formats are known of the layer that is shown
 */
guint
tare_formats_page_get_n_points (TareFormatsPage *self)
{
  g_return_val_if_fail (TARE_IS_FORMATS_PAGE (self), 0);

  return self->points->len;
}

/**
 * tare_formats_page_choose:
 * @self: the page
 * @format: (nullable): the format that is offered to be assigned
 */
void
tare_formats_page_choose (TareFormatsPage  *self,
                          const TareFormat *format)
{
  g_return_if_fail (TARE_IS_FORMATS_PAGE (self));

  self->choice = format;
  update_choice (self);
}
