/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-measure-private.h"

#include <math.h>
#include <stdlib.h>

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* What a calibration tells of a layer's input channels. */
typedef struct
{
  double spread;
  double maximum;
  double maximum_ratio;
  double outliers_6;
  double outliers_20;
} Inputs;

static int
compare_floats (gconstpointer a,
                gconstpointer b)
{
  float x = *(const float *) a;
  float y = *(const float *) b;

  return (x > y) - (x < y);
}

static void
measure_maxima (Inputs      *self,
                const float *maximum,
                gsize        n)
{
  g_autofree float *sorted = g_memdup2 (maximum, n * sizeof *maximum);
  double median;

  qsort (sorted, n, sizeof *sorted, compare_floats);
  median = (double) sorted[(n - 1) / 2];
  self->maximum = (double) sorted[n - 1];
  self->maximum_ratio = median > 0.0 ? self->maximum / median : (double) NAN;

  self->outliers_6 = self->outliers_20 = 0.0;
  for (gsize i = 0; i < n; i++)
    {
      self->outliers_6 += (double) maximum[i] > 6.0 * median ? 1.0 / (double) n : 0.0;
      self->outliers_20 += (double) maximum[i] > 20.0 * median ? 1.0 / (double) n : 0.0;
    }
}

/* exp of the entropy of the channels' shares of the energy, over their number. */
static double
measure_spread (const float *sum_squares,
                gsize        n)
{
  double total = 0.0;
  double entropy = 0.0;

  for (gsize i = 0; i < n; i++)
    total += (double) sum_squares[i];
  for (gsize i = 0; i < n; i++)
    {
      double share = (double) sum_squares[i] / total;

      if (share > 0.0)
        entropy -= share * log (share);
    }

  return total > 0.0 ? exp (entropy) / (double) n : (double) NAN;
}

static gpointer
make_inputs (TareMeasureContext  *context,
             const TareTensor    *tensor,
             const TareProgress  *progress,
             GError             **error)
{
  const TareLayerActivations *activations =
    tare_calibration_lookup (tare_measure_context_get_calibration (context), tensor->canonical);
  Inputs inputs = { NAN, NAN, NAN, NAN, NAN };

  inputs.spread = measure_spread (activations->sum_squares, activations->columns);
  if (activations->maximum != NULL)
    measure_maxima (&inputs, activations->maximum, activations->columns);

  return g_memdup2 (&inputs, sizeof inputs);
}

static gboolean
compute_inputs (const TareMeasure     *self,
                TareMeasureContext    *context,
                const TareTensor      *tensor,
                const TareAssignment  *assignment,
                const TareProgress    *progress,
                TareMeasureValue      *value,
                GError               **error)
{
  Inputs *inputs = tare_measure_context_find (context, "inputs", tensor, make_inputs, g_free,
                                              progress, error);

  if (inputs == NULL)
    return FALSE;

  value->value = G_STRUCT_MEMBER (double, inputs, self->offset);

  return TRUE;
}

/* Rows that differ in their words and in the member that they show. */
#define ROW(id_, label_, definition_, source_, direction_, member_) \
  {                                                                 \
    .id = id_,                                                      \
    .label = label_,                                                \
    .definition = definition_,                                      \
    .unit = "",                                                     \
    .source = source_,                                              \
    .cost = TARE_MEASURE_COST_CALIBRATION,                          \
    .direction = TARE_MEASURE_DIRECTION_ ## direction_,             \
    .needs = TARE_MEASURE_NEEDS_CALIBRATION,                        \
    .compute = compute_inputs,                                      \
    .offset = G_STRUCT_OFFSET (Inputs, member_),                    \
  }

const TareMeasure _tare_measures_of_inputs[] = {
  ROW ("input_spread", N_("Input spread"),
       N_("The share of its columns that the input uses: exp of the entropy of their shares of the "
          "energy, over their number."),
       "Roy and Vetterli, The effective rank, EUSIPCO 2007, of the diagonal", LESS_IS_WORSE,
       spread),
  ROW ("input_maximum", N_("Input maximum"),
       N_("The largest |x| that entered the layer."),
       "Dettmers et al., LLM.int8(), arXiv:2208.07339, section 4", MORE_IS_WORSE, maximum),
  ROW ("input_maximum_ratio", N_("Input maximum over median"),
       N_("The largest |x| over that of the median column."),
       "Xiao et al., SmoothQuant, arXiv:2211.10438, section 3", MORE_IS_WORSE, maximum_ratio),
  ROW ("input_outliers_6", N_("Outlier inputs, 6x"),
       N_("The share of columns whose largest |x| exceeds 6 times the median column's."),
       "Xiao et al., SmoothQuant, arXiv:2211.10438, section 3", MORE_IS_WORSE, outliers_6),
  ROW ("input_outliers_20", N_("Outlier inputs, 20x"),
       N_("The share of columns whose largest |x| exceeds 20 times the median column's."),
       "Xiao et al., SmoothQuant, arXiv:2211.10438, section 3", MORE_IS_WORSE, outliers_20),
  { .id = NULL },
};
