/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-weight-histogram.h"

#include <glib/gi18n.h>
#include <math.h>

#include "analysis/statistics/tare-shape.h"
#include "app/tare-text.h"
#include "widgets/tare-histogram-plot.h"
#include "widgets/tare-marker-plot.h"

struct _TareWeightHistogram
{
  TareChart      *chart;
  TarePlot       *histogram;
  TarePlot       *levels;
  TareStatistics *shown;
  guint           n_levels;
  char           *caption;
};

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
 * tare_weight_histogram_find_typical_range:
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
tare_weight_histogram_find_typical_range (const TareStatistics *statistics,
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

  *minimum = tare_shape_get_quantile (statistics, 1.0 - share);
  *maximum = tare_shape_get_quantile (statistics, share);
}

static char *
describe_levels (const TareFormat *format,
                 guint             n,
                 double            minimum,
                 double            maximum)
{
  g_autofree char *from = tare_text_number (minimum, 3);
  g_autofree char *to = tare_text_number (maximum, 3);

  if (format->group > 0)
    return g_strdup_printf (_("The %u levels of %s, drawn for a typical group of %u weights: from "
                              "%s to %s, the median smallest and largest of so many draws "
                              "from this histogram. Every group has its own scale."),
                            n, format->label, format->group, from, to);

  return g_strdup_printf (_("The %u levels of %s, drawn for a typical row: from %s to %s, by "
                            "the median of the rows' largest magnitudes. Every row has its own "
                            "scale."),
                          n, format->label, from, to);
}

static void
update_levels (TareWeightHistogram *self,
               TareLayer           *layer)
{
  TareStatistics *statistics = tare_layer_get_statistics (layer);
  const TareFormat *format = tare_layer_get_assignment (layer).format != NULL
                               ? tare_layer_get_format (layer)
                               : NULL;
  float levels[TARE_FORMAT_MAX_LEVELS];
  double values[TARE_FORMAT_MAX_LEVELS];
  double minimum = 0.0;
  double maximum = 0.0;

  self->n_levels = 0;
  if (format != NULL)
    {
      tare_weight_histogram_find_typical_range (statistics, format->group, &minimum, &maximum);
      self->n_levels = (guint) tare_format_get_levels (format, (float) minimum, (float) maximum,
                                                       levels);
    }
  for (guint i = 0; i < self->n_levels; i++)
    values[i] = (double) levels[i];
  tare_marker_plot_set_markers (TARE_MARKER_PLOT (self->levels), values, self->n_levels, NULL);

  g_free (self->caption);
  if (self->n_levels > 0)
    self->caption = describe_levels (format, self->n_levels, minimum, maximum);
  else if (format != NULL)
    self->caption = g_strdup_printf (_("%s has too many levels to draw."), format->label);
  else
    self->caption = g_strdup (_("Kept as the source stores it. Choose a format to see where its "
                                "levels fall."));
}

static void
describe_chart (TareWeightHistogram *self,
                TareLayer           *layer)
{
  g_autofree char *title = g_strdup_printf (_("Histogram of the weights of %s"),
                                            tare_layer_get_tensor (layer)->canonical);

  gtk_accessible_update_property (GTK_ACCESSIBLE (self->chart), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  title, -1);
}

/**
 * tare_weight_histogram_new:
 * @chart: what to draw in; it must outlive the histogram
 *
 * Returns: (transfer full): a histogram of nothing, on a logarithmic count
 */
TareWeightHistogram *
tare_weight_histogram_new (TareChart *chart)
{
  TareWeightHistogram *self = g_new0 (TareWeightHistogram, 1);

  self->chart = chart;
  self->histogram = tare_histogram_plot_new ();
  tare_plot_set_label (self->histogram, _("Weights"));
  self->levels = tare_marker_plot_new ();
  tare_plot_set_label (self->levels, _("Levels"));
  tare_plot_set_color_index (self->levels, 1);
  tare_chart_add_plot (chart, self->histogram);
  tare_chart_add_plot (chart, self->levels);
  tare_axis_set_scale (tare_chart_get_y_axis (chart), TARE_AXIS_SCALE_LOG);

  return self;
}

/**
 * tare_weight_histogram_free:
 * @self: (transfer full): the histogram
 */
void
tare_weight_histogram_free (TareWeightHistogram *self)
{
  g_clear_object (&self->histogram);
  g_clear_object (&self->levels);
  g_clear_pointer (&self->shown, tare_statistics_unref);
  g_free (self->caption);
  g_free (self);
}

/**
 * tare_weight_histogram_show:
 * @self: the histogram
 * @layer: (nullable): a layer
 *
 * Draws the weights of @layer and the levels of the format that the recipe gives it.
 *
 * Returns: %FALSE when its statistics are not known yet
 */
gboolean
tare_weight_histogram_show (TareWeightHistogram *self,
                            TareLayer           *layer)
{
  TareStatistics *statistics = layer != NULL ? tare_layer_get_statistics (layer) : NULL;

  if (statistics == NULL)
    {
      g_clear_pointer (&self->shown, tare_statistics_unref);
      return FALSE;
    }

  describe_chart (self, layer);
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

  return TRUE;
}

/**
 * tare_weight_histogram_get_caption:
 * @self: the histogram
 *
 * Returns: (nullable): what the levels that are drawn stand for
 */
const char *
tare_weight_histogram_get_caption (TareWeightHistogram *self)
{
  return self->caption;
}

/**
 * tare_weight_histogram_get_n_levels:
 * @self: the histogram
 *
 * Returns: how many levels are drawn
 */
guint
tare_weight_histogram_get_n_levels (TareWeightHistogram *self)
{
  return self->n_levels;
}
