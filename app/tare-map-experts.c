/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The experts of a stacked layer, which share a format and a cell of the map: what each is like. */
#include "app/tare-map-experts.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/tare-text.h"

/* Pixels in which the legend has its words, however few the experts are. */
#define LEGEND_WIDTH 230

/**
 * tare_map_experts_count:
 * @layer: a layer
 *
 * Returns: how many matrices share its cell, 1 where it is no stack
 */
guint
tare_map_experts_count (TareLayer *layer)
{
  return (guint) tare_tensor_get_n_matrices (tare_layer_get_tensor (layer));
}

/* The largest magnitude of an expert's weights; NaN where it is not known yet. */
static double
get_maximum (const TareStatistics *statistics,
             guint                 expert,
             guint                 n)
{
  double most = 0.0;
  gsize rows;

  if (statistics == NULL)
    return NAN;

  rows = statistics->rows / n;
  for (gsize i = expert * rows; i < (expert + 1) * rows; i++)
    most = MAX (most, (double) statistics->row_maximum[i]);

  return most;
}

/* (nullable): what calibration has sent to each of them */
static const TareExpertActivations *
find_activations (TareSession *session,
                  TareLayer   *layer)
{
  TareCalibration *calibration = tare_session_get_calibration (session);
  const TareLayerActivations *activations = NULL;

  if (calibration != NULL)
    activations = tare_calibration_lookup (calibration, tare_layer_get_tensor (layer)->canonical);

  return activations != NULL ? activations->experts : NULL;
}

static char *
describe (guint                        expert,
          double                       maximum,
          const TareExpertActivations *activations)
{
  g_autofree char *weight = tare_text_number (maximum, 4);
  g_autofree char *share = NULL;
  double total = 0.0;

  if (activations == NULL)
    return g_strdup_printf (_("Expert %u\nlargest weight %s"), expert, weight);

  for (gsize i = 0; i < activations->n; i++)
    total += activations->n_tokens[i];
  share = tare_text_share (total > 0.0 ? activations->n_tokens[expert] / total : (double) NAN, 1);

  return g_strdup_printf (_("Expert %u\nlargest weight %s\n%.0f tokens of calibration, %s of all"),
                          expert, weight, activations->n_tokens[expert], share);
}

/**
 * tare_map_experts_open:
 * @map: the map
 * @cell: the cell of @layer
 * @session: whose layer it is
 * @layer: a layer
 *
 * Opens the cell of a stacked layer: each of its experts by its largest weight, hatched where the
 * calibration has sent it no token, so that nothing is known of its inputs.
 *
 * Returns: (transfer none) (nullable): the map of the experts, %NULL where there are none
 */
TareFormatMap *
tare_map_experts_open (TareFormatMap *map,
                       guint          cell,
                       TareSession   *session,
                       TareLayer     *layer)
{
  guint n = tare_map_experts_count (layer);
  const TareStatistics *statistics = tare_layer_get_statistics (layer);
  const TareExpertActivations *activations = find_activations (session, layer);
  g_autofree TareFormatCell *cells = NULL;
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  TareFormatMap *opened;
  double most = 0.0;
  int width, height;

  if (n < 2)
    return NULL;
  if (activations != NULL && activations->n != n)
    activations = NULL;

  cells = g_new0 (TareFormatCell, n);
  for (guint i = 0; i < n; i++)
    {
      double maximum = get_maximum (statistics, i, n);

      cells[i] = (TareFormatCell) {
        .present = TRUE, .value = maximum,
        .label = isnan (maximum) ? g_strdup ("") : tare_text_number (maximum, 2),
        .tooltip = describe (i, maximum, activations),
        .stale = activations == NULL || !(activations->n_tokens[i] > 0.0),
      };
      most = MAX (most, maximum);
      g_ptr_array_add (texts, (gpointer) cells[i].label);
      g_ptr_array_add (texts, (gpointer) cells[i].tooltip);
    }
  opened = tare_format_map_open_parts (map, cell, cells, n);
  tare_format_map_set_scale (opened, 0.0, most > 0.0 ? most : 1.0, _("largest weight"));
  tare_format_map_set_stale_name (opened, _("no token in calibration"));
  gtk_widget_get_size_request (GTK_WIDGET (opened), &width, &height);
  gtk_widget_set_size_request (GTK_WIDGET (opened), MAX (width, LEGEND_WIDTH), height);

  return opened;
}
