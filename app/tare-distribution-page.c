/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-distribution-page.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/tare-weight-histogram.h"

struct _TareDistributionPage
{
  AdwBin               parent_instance;

  GtkStack            *stack;
  GtkLabel            *name_label;
  GtkLabel            *caption_label;
  GtkToggleButton     *linear_button;
  GtkToggleButton     *log_button;
  TareChart           *chart;

  TareWeightHistogram *histogram;
  TareSession         *session;
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

static void
update (TareDistributionPage *self)
{
  TareLayer *layer = get_layer (self);

  if (!tare_weight_histogram_show (self->histogram, layer))
    {
      gtk_stack_set_visible_child_name (self->stack, layer == NULL ? "empty" : "waiting");
      return;
    }

  gtk_stack_set_visible_child_name (self->stack, "chart");
  update_name (self, layer);
  gtk_label_set_label (self->caption_label, tare_weight_histogram_get_caption (self->histogram));
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
  tare_axis_set_scale (tare_chart_get_y_axis (self->chart),
                       gtk_toggle_button_get_active (self->log_button) ? TARE_AXIS_SCALE_LOG
                                                                       : TARE_AXIS_SCALE_LINEAR);
}

static void
fit_cb (TareDistributionPage *self)
{
  tare_chart_fit (self->chart);
}

static void
copy_cb (TareDistributionPage *self)
{
  tare_chart_copy_csv (self->chart);
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

  adw_bin_set_child (ADW_BIN (self), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_DISTRIBUTION_PAGE);
  g_clear_pointer (&self->histogram, tare_weight_histogram_free);

  G_OBJECT_CLASS (tare_distribution_page_parent_class)->dispose (object);
}

static void
tare_distribution_page_class_init (TareDistributionPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_distribution_page_dispose;

  g_type_ensure (TARE_TYPE_CHART);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-distribution-page.ui");
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, stack);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, name_label);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, caption_label);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, linear_button);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, log_button);
  gtk_widget_class_bind_template_child (widget_class, TareDistributionPage, chart);
  gtk_widget_class_bind_template_callback (widget_class, scale_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, fit_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_cb);
  gtk_widget_class_bind_template_callback (widget_class, select_cb);
}

static void
tare_distribution_page_init (TareDistributionPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));

  self->histogram = tare_weight_histogram_new (self->chart);
  tare_axis_set_title (tare_chart_get_x_axis (self->chart), _("weight"));
  tare_axis_set_title (tare_chart_get_y_axis (self->chart), _("count"));
  scale_changed_cb (self);
}

static void
set_session (TarePage    *page,
             TareSession *session)
{
  TareDistributionPage *self = (TareDistributionPage *) page;

  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
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
 * Returns: (transfer none): the histogram
 */
TareChart *
tare_distribution_page_get_chart (TareDistributionPage *self)
{
  g_return_val_if_fail (TARE_IS_DISTRIBUTION_PAGE (self), NULL);

  return self->chart;
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
