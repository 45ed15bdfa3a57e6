/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-measure.h"

#include <math.h>
#include <string.h>

#include "analysis/sensitivity/tare-hessian.h"
#include "analysis/sensitivity/tare-measure-private.h"

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* The table's parts, in the order in which a person meets them. */
static const TareMeasure *const parts[] = {
  _tare_measures_of_rounding,
  _tare_measures_of_weights,
  _tare_measures_of_inputs,
  _tare_measures_of_hessian,
  _tare_measures_of_gradient,
  _tare_measures_of_divergence,
};

static const struct
{
  const char *id;
  const char *label;
} costs[] = {
  [TARE_MEASURE_COST_WEIGHTS] = { "weights", N_("Weights") },
  [TARE_MEASURE_COST_CALIBRATION] = { "calibration", N_("Calibration") },
  [TARE_MEASURE_COST_GRADIENT] = { "gradient", N_("Gradients") },
  [TARE_MEASURE_COST_FORWARD] = { "forward", N_("Forward passes") },
  [TARE_MEASURE_COST_HESSIAN] = { "hessian", N_("Hessian of the loss") },
};

static const char *const directions[] = {
  [TARE_MEASURE_DIRECTION_NEITHER] = "neither",
  [TARE_MEASURE_DIRECTION_MORE_IS_WORSE] = "more_is_worse",
  [TARE_MEASURE_DIRECTION_LESS_IS_WORSE] = "less_is_worse",
};

/**
 * tare_measure_get_n_measures:
 *
 * Returns: rows of the measure table
 */
gsize
tare_measure_get_n_measures (void)
{
  gsize n = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      for (const TareMeasure *measure = parts[i]; measure->id != NULL; measure++)
        n++;
    }

  return n;
}

/**
 * tare_measure_get:
 * @index: below the number of measures
 *
 * Returns: (transfer none): one measure; the first is the default
 */
const TareMeasure *
tare_measure_get (gsize index)
{
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      for (const TareMeasure *measure = parts[i]; measure->id != NULL; measure++)
        {
          if (index-- == 0)
            return measure;
        }
    }

  g_return_val_if_reached (NULL);
}

/**
 * tare_measure_name_at:
 * @index: from 0
 *
 * Returns: (transfer none) (nullable): the id of a row, %NULL behind the last; a #TareNameAt
 */
const char *
tare_measure_name_at (gsize index)
{
  return index < tare_measure_get_n_measures () ? tare_measure_get (index)->id : NULL;
}

/**
 * tare_measure_lookup:
 * @id: what the command line calls it
 *
 * Returns: (transfer none) (nullable): the measure, or %NULL when there is none of that name
 */
const TareMeasure *
tare_measure_lookup (const char *id)
{
  g_return_val_if_fail (id != NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      for (const TareMeasure *measure = parts[i]; measure->id != NULL; measure++)
        {
          if (strcmp (measure->id, id) == 0)
            return measure;
        }
    }

  return NULL;
}

/**
 * tare_measure_is_by_format:
 * @self: a measure
 *
 * Returns: whether its values depend on what a layer is assigned, and become stale with that
 */
gboolean
tare_measure_is_by_format (const TareMeasure *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return (self->needs & TARE_MEASURE_NEEDS_FORMAT) != 0;
}

/* Whether all is there that the measure is made from. */
static gboolean
is_served (const TareMeasure    *self,
           TareMeasureContext   *context,
           const TareTensor     *tensor,
           const TareAssignment *assignment)
{
  const TareMeasureNeeds with_calibration =
    TARE_MEASURE_NEEDS_CALIBRATION | TARE_MEASURE_NEEDS_GRAM | TARE_MEASURE_NEEDS_SPECTRUM;
  const TareLayerActivations *activations;

  if (!tare_tensor_can_read (tensor)
      || ((self->needs & TARE_MEASURE_NEEDS_FORMAT) != 0 && assignment == NULL)
      || ((self->needs & TARE_MEASURE_NEEDS_TEXT) != 0
          && tare_measure_context_get_text (context, NULL, NULL, NULL) == NULL))
    return FALSE;

  if ((self->needs & with_calibration) == 0)
    return TRUE;

  activations = tare_calibration_lookup (tare_measure_context_get_calibration (context),
                                         tensor->canonical);

  return activations != NULL && activations->columns == tensor->columns
         && activations->n_tokens > 0.0
         && (activations->gram != NULL || (self->needs & TARE_MEASURE_NEEDS_GRAM) == 0)
         && (tare_hessian_has_spectrum (activations)
             || (self->needs & TARE_MEASURE_NEEDS_SPECTRUM) == 0);
}

/**
 * tare_measure_compute:
 * @self: a measure
 * @context: what it is computed from
 * @tensor: a matrix of the context's model
 * @assignment: (nullable): what the matrix is rounded to, for those measures that ask
 * @progress: (nullable): told of the work and asked whether to go on
 * @value: (out): the value and its standard error; both NaN where something is missing that the
 *   measure needs, or where it is not defined
 * @error: return location for an error
 *
 * Computes one measure of one tensor.
 *
 * Returns: whether that went well; a value that is not defined is no error
 */
gboolean
tare_measure_compute (const TareMeasure     *self,
                      TareMeasureContext    *context,
                      const TareTensor      *tensor,
                      const TareAssignment  *assignment,
                      const TareProgress    *progress,
                      TareMeasureValue      *value,
                      GError               **error)
{
  g_return_val_if_fail (self != NULL && context != NULL, FALSE);
  g_return_val_if_fail (tensor != NULL && value != NULL, FALSE);

  *value = (TareMeasureValue) { NAN, NAN };

  return !is_served (self, context, tensor, assignment)
         || self->compute (self, context, tensor, assignment, progress, value, error);
}

/**
 * tare_measure_cost_get_id:
 * @cost: a class of cost
 *
 * Returns: (transfer none): what the command line calls it
 */
const char *
tare_measure_cost_get_id (TareMeasureCost cost)
{
  g_return_val_if_fail ((gsize) cost < G_N_ELEMENTS (costs), NULL);

  return costs[cost].id;
}

/**
 * tare_measure_cost_get_label:
 * @cost: a class of cost
 *
 * Returns: (transfer none): what a person reads, to be translated
 */
const char *
tare_measure_cost_get_label (TareMeasureCost cost)
{
  g_return_val_if_fail ((gsize) cost < G_N_ELEMENTS (costs), NULL);

  return costs[cost].label;
}

/**
 * tare_measure_direction_get_id:
 * @direction: a direction
 *
 * Returns: (transfer none): what the command line calls it
 */
const char *
tare_measure_direction_get_id (TareMeasureDirection direction)
{
  g_return_val_if_fail ((gsize) direction < G_N_ELEMENTS (directions), NULL);

  return directions[direction];
}
