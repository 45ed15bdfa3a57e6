/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-map-measure.h"

#include <glib/gi18n.h>
#include <math.h>

static double
get_error (TareLayer *layer)
{
  return 100.0 * tare_layer_get_error (layer);
}

static double
get_outliers (TareLayer *layer)
{
  return 1000.0 * tare_layer_get_outliers (layer);
}

static double
get_sensitivity (TareLayer *layer)
{
  double loss = tare_layer_get_sensitivity (layer);

  return loss > 0.0 ? log10 (loss) : (double) NAN;
}

static char *
write_bits (double value)
{
  return isfinite (value) ? g_strdup_printf ("%.3g", value) : g_strdup ("");
}

/* Four letters at most, for a cell is small; the tooltip has them all. */
static char *
write_number (double value)
{
  double magnitude = fabs (value);
  int decimals = magnitude < 10.0 ? 2 : magnitude < 100.0 ? 1 : 0;

  if (!isfinite (value))
    return g_strdup ("");

  return g_strdup_printf ("%.*f", value < 0.0 ? MAX (decimals - 1, 0) : decimals, value);
}

static const TareMapMeasure measures[] = {
  { "bits", N_("Bits per weight"), N_("bits per weight"), 2.0, 16.0,
    tare_layer_get_bits, write_bits },
  { "error", N_("Relative error"), N_("relative error, %"), 0.0, NAN,
    get_error, write_number },
  { "outliers", N_("Outliers"), N_("weights beyond 6 σ, ‰"), 0.0, NAN,
    get_outliers, write_number },
  { "sensitivity", N_("Sensitivity"), N_("log₁₀ of the proxy loss"), NAN, NAN,
    get_sensitivity, write_number },
};

/**
 * tare_map_measure_get_n_measures:
 *
 * Returns: rows of the table of what the map can show
 */
gsize
tare_map_measure_get_n_measures (void)
{
  return G_N_ELEMENTS (measures);
}

/**
 * tare_map_measure_get:
 * @index: below the number of measures
 *
 * Returns: (transfer none): one of them; the first is bits per weight
 */
const TareMapMeasure *
tare_map_measure_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (measures), NULL);

  return &measures[index];
}
