/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-distribution-page.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "app/tare-text.h"
#include "widgets/tare-histogram-plot.h"
#include "widgets/tare-marker-plot.h"

struct _TareDistributionPage
{
  AdwBin           parent_instance;

  GtkStack        *stack;
  GtkLabel        *name_label;
  GtkLabel        *caption_label;
  GtkToggleButton *linear_button;
  GtkToggleButton *log_button;
  TareChart       *chart;

  TarePlot        *histogram;
  TarePlot        *levels;
  TareSession     *session;
  TareStatistics  *shown;
  guint            n_levels;
};

G_DEFINE_FINAL_TYPE (TareDistributionPage, tare_distribution_page, ADW_TYPE_BIN)

static TareLayer *
get_layer (TareDistributionPage *self)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);

  return n > 0 ? tare_session_get_layer (self->session, selection[0]) : NULL;
}

/* The value below which a share of the weights lies, by the histogram. */
static double
find_quantile (const TareStatistics *statistics,
               double                share)
{
  double width = ((double) statistics->maximum - (double) statistics->minimum)
                 / TARE_HISTOGRAM_BINS;
  double wanted = share * (double) statistics->n;
  double below = 0.0;

  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i++)
    {
      double count = (double) statistics->histogram[i];

      if (count > 0.0 && below + count >= wanted)
        return (double) statistics->minimum
               + width * ((double) i + CLAMP ((wanted - below) / count, 0.0, 1.0));
      below += count;
    }

  return (double) statistics->maximum;
}

static int
compare_floats (gconstpointer a,
                gconstpointer b)
{
  float first = *(const float *) a;
  float second = *(const float *) b;

  return (first > second) - (first < second);
}

static double
find_median_row (const TareStatistics *statistics)
{
  g_autofree float *rows = g_memdup2 (statistics->row_maximum, statistics->rows * sizeof (float));

  if (statistics->rows == 0)
    return (double) statistics->absolute_maximum;

  qsort (rows, statistics->rows, sizeof (float), compare_floats);

  return (double) rows[statistics->rows / 2];
}

/**
 * tare_distribution_page_typical_range:
 * @statistics: of a layer
 * @group: weights that share a scale, or 0 for a whole row
 * @minimum: (out): the smallest weight of a typical group
 * @maximum: (out): the largest
 *
 * The range over which to draw the levels of a format whose scale differs from group to group.
 * For a row, plus and minus the median of the rows' largest magnitudes. For a group of g weights,
 * the medians of the smallest and the largest of g independent draws from the layer's histogram:
 * P(max < x) = F(x)^g = 1/2 at the quantile 2^(-1/g).
 */
void
tare_distribution_page_typical_range (const TareStatistics *statistics,
                                      guint                 group,
                                      double               *minimum,
                                      double               *maximum)
{
  double share = group > 0 ? exp2 (-1.0 / (double) group) : 1.0;

  if (group == 0 || group >= statistics->columns)
    {
      *maximum = find_median_row (statistics);
      *minimum = -*maximum;
      return;
    }

  *minimum = find_quantile (statistics, 1.0 - share);
  *maximum = find_quantile (statistics, share);
}

static char *
describe_levels (const TareFormat *format,
                 guint             n,
                 double            minimum,
                 double            maximum)
{
  if (format->group > 0)
    return g_strdup_printf (_("The %u levels of %s, drawn for a typical group of %u weights: from "
                              "%.3g to %.3g, the median smallest and largest of so many draws "
                              "from this histogram. Every group has its own scale."),
                            n, format->label, format->group, minimum, maximum);

  return g_strdup_printf (_("The %u levels of %s, drawn for a typical row: from %.3g to %.3g, by "
                            "the median of the rows' largest magnitudes. Every row has its own "
                            "scale."),
                          n, format->label, minimum, maximum);
}

static void
update_levels (TareDistributionPage *self,
               TareLayer            *layer)
{
  TareStatistics *statistics = tare_layer_get_statistics (layer);
  const TareFormat *format = tare_layer_get_assignment (layer).format != NULL
                               ? tare_layer_get_format (layer)
                               : NULL;
  float levels[TARE_FORMAT_MAX_LEVELS];
  double values[TARE_FORMAT_MAX_LEVELS];
  double minimum = 0.0;
  double maximum = 0.0;
  g_autofree char *caption = NULL;

  self->n_levels = 0;
  if (format != NULL)
    {
      tare_distribution_page_typical_range (statistics, format->group, &minimum, &maximum);
      self->n_levels = (guint) tare_format_get_levels (format, (float) minimum, (float) maximum,
                                                       levels);
    }
  for (guint i = 0; i < self->n_levels; i++)
    values[i] = (double) levels[i];
  tare_marker_plot_set_markers (TARE_MARKER_PLOT (self->levels), values, self->n_levels, NULL);

  if (self->n_levels > 0)
    caption = describe_levels (format, self->n_levels, minimum, maximum);
  else if (format != NULL)
    caption = g_strdup_printf (_("%s has too many levels to draw."), format->label);
  else
    caption = g_strdup (_("Kept as the source stores it. Choose a format to see where its levels "
                          "fall."));
  gtk_label_set_label (self->caption_label, caption);
}

static void
update_name (TareDistributionPage *self,
             TareLayer            *layer)
{
  const TareTensor *tensor = tare_layer_get_tensor (layer);
  g_autofree char *name = NULL;
  g_autofree char *title = NULL;
  guint n;

  tare_session_get_selection (self->session, &n);
  if (n > 1)
    /* translators: the first of several selected layers, and how many more */
    name = g_strdup_printf (ngettext ("%s (and %u more)", "%s (and %u more)", n - 1),
                            tensor->canonical, n - 1);
  else
    name = g_strdup (tensor->canonical);
  gtk_label_set_label (self->name_label, name);

  title = g_strdup_printf (_("Histogram of the weights of %s"), tensor->canonical);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->chart), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  title, -1);
}

static void
update (TareDistributionPage *self)
{
  TareLayer *layer = get_layer (self);
  TareStatistics *statistics = layer != NULL ? tare_layer_get_statistics (layer) : NULL;

  if (statistics == NULL)
    {
      gtk_stack_set_visible_child_name (self->stack, layer == NULL ? "empty" : "waiting");
      g_clear_pointer (&self->shown, tare_statistics_unref);
      return;
    }

  gtk_stack_set_visible_child_name (self->stack, "chart");
  update_name (self, layer);
  if (self->shown != statistics)
    {
      g_clear_pointer (&self->shown, tare_statistics_unref);
      self->shown = tare_statistics_ref (statistics);
      tare_histogram_plot_set_counts (TARE_HISTOGRAM_PLOT (self->histogram), statistics->histogram,
                                      TARE_HISTOGRAM_BINS, (double) statistics->minimum,
                                      (double) statistics->maximum);
      tare_chart_fit (self->chart);
    }
  update_levels (self, layer);
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
  g_clear_object (&self->histogram);
  g_clear_object (&self->levels);
  g_clear_pointer (&self->shown, tare_statistics_unref);

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

  self->histogram = tare_histogram_plot_new ();
  tare_plot_set_label (self->histogram, _("Weights"));
  self->levels = tare_marker_plot_new ();
  tare_plot_set_label (self->levels, _("Levels"));
  tare_plot_set_color_index (self->levels, 1);
  tare_chart_add_plot (self->chart, self->histogram);
  tare_chart_add_plot (self->chart, self->levels);
  tare_axis_set_title (tare_chart_get_x_axis (self->chart), _("weight"));
  tare_axis_set_title (tare_chart_get_y_axis (self->chart), _("count"));
  scale_changed_cb (self);
}

/**
 * tare_distribution_page_set_session:
 * @self: the page
 * @session: whose selection to show; to be set once
 */
void
tare_distribution_page_set_session (TareDistributionPage *self,
                                    TareSession          *session)
{
  g_return_if_fail (TARE_IS_DISTRIBUTION_PAGE (self));
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

  return self->n_levels;
}
