/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-map-measure.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/tare-text.h"

/* What a cell has room for. */
#define LEAST_SHOWN 0.01

static double
get_error (TareLayer *layer)
{
  return 100.0 * tare_layer_get_error (layer);
}

static double
get_outliers (TareLayer *layer)
{
  return 100.0 * tare_layer_get_outliers (layer);
}

static double
get_sensitivity (TareLayer *layer)
{
  double loss = tare_layer_get_sensitivity (layer);

  return loss > 0.0 ? log10 (loss) : (double) NAN;
}

/* A cell is small; the tooltip has all decimals. */
static char *
write_bits (double value)
{
  return isfinite (value) ? tare_text_number (value, 3) : g_strdup ("");
}

/* Four letters at most and a hyphen for a minus, for a cell is small; the tooltip has them all. */
static char *
write_number (double value)
{
  double magnitude = fabs (value);
  int decimals = magnitude < 10.0 ? 2 : magnitude < 100.0 ? 1 : 0;

  if (!isfinite (value))
    return g_strdup ("");
  if (value == 0.0)
    return g_strdup ("0");
  if (value < 0.0)
    return g_strdup_printf ("-%.*f", MAX (decimals - 1, 0), magnitude);
  if (magnitude < LEAST_SHOWN)
    return g_strdup ("~0");

  return g_strdup_printf ("%.*f", decimals, magnitude);
}

static const TareMapMeasure measures[] = {
  { "bits", N_("Bits per weight"), N_("bits per weight"), FALSE, 2.0, 16.0,
    tare_layer_get_bits, write_bits },
  { "error", N_("Relative error"), N_("relative error, %"), FALSE, 0.0, NAN,
    get_error, write_number },
  { "outliers", N_("Outliers"), N_("weights beyond 6 σ, %"), FALSE, 0.0, NAN,
    get_outliers, write_number },
  { "sensitivity", N_("Sensitivity"), N_("log₁₀ of the proxy loss"), TRUE,
    NAN, NAN, get_sensitivity, write_number },
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

/**
 * tare_map_measure_dup_unit:
 * @self: what the map shows
 * @reference: the label of the format that layers are compared in
 *
 * Returns: (transfer full): what the legend says of its numbers, and of which format they are
 *   where that is not the assigned one
 */
char *
tare_map_measure_dup_unit (const TareMapMeasure *self,
                           const char           *reference)
{
  g_return_val_if_fail (self != NULL && reference != NULL, NULL);

  return self->at_reference ? tare_text_at (_(self->unit), reference) : g_strdup (_(self->unit));
}
