/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-measure-private.h"

#include <math.h>
#include <stdlib.h>

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* LLM.int8()'s outliers, and the bar of massive activations, in medians. */
#define OUTLIER 6.0

/* What a calibration tells of what enters a layer. */
typedef struct
{
  double beyond_6;
  double tokens_6;
  double massive;
  double first;
  double mean;
  double bimodality;
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

/* The means of the two parts that sorted numbers fall into with the least squared distances from
 * them, the upper over the lower. */
static double
split_in_two (const float *sorted,
              gsize        n)
{
  double total = 0.0;
  double below = 0.0;
  double best = -INFINITY;
  double ratio = NAN;

  for (gsize i = 0; i < n; i++)
    total += (double) sorted[i];

  /* The least squared distances are the largest squares of the sums over their numbers. */
  for (gsize i = 1; i < n; i++)
    {
      double above;
      double squares;

      below += (double) sorted[i - 1];
      above = total - below;
      squares = below * below / (double) i + above * above / (double) (n - i);
      if (squares > best && below > 0.0)
        {
          best = squares;
          ratio = above / (double) (n - i) / (below / (double) i);
        }
    }

  return ratio;
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
  self->bimodality = split_in_two (sorted, n);

  self->outliers_6 = self->outliers_20 = 0.0;
  for (gsize i = 0; i < n; i++)
    {
      self->outliers_6 += (double) maximum[i] > 6.0 * median ? 1.0 / (double) n : 0.0;
      self->outliers_20 += (double) maximum[i] > 20.0 * median ? 1.0 / (double) n : 0.0;
    }
}

/* Of the first position over the median of the others. */
static double
measure_first (const float *positions,
               gsize        n)
{
  g_autofree float *rest = n > 1 ? g_memdup2 (positions + 1, (n - 1) * sizeof *positions) : NULL;
  double median;

  if (rest == NULL)
    return NAN;

  qsort (rest, n - 1, sizeof *rest, compare_floats);
  median = (double) rest[(n - 2) / 2];

  return median > 0.0 ? (double) positions[0] / median : (double) NAN;
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

static void
measure_profile (Inputs                     *self,
                 const TareLayerActivations *activations)
{
  const TareActivationProfile *profile = activations->profile;
  double median = tare_activation_profile_get_quantile (profile, 0.5);
  double energy = 0.0;
  double mean = 0.0;

  for (gsize i = 0; i < activations->columns; i++)
    {
      energy += (double) activations->sum_squares[i] / activations->n_tokens;
      mean += (double) profile->mean[i] * (double) profile->mean[i];
    }

  self->beyond_6 = tare_activation_profile_get_share_above (profile, OUTLIER);
  self->tokens_6 = tare_activation_profile_get_token_share_above (profile, OUTLIER);
  self->mean = energy > 0.0 ? mean / energy : (double) NAN;
  if (median > 0.0)
    self->massive = self->maximum / median;
}

static gpointer
make_inputs (TareMeasureContext  *context,
             const TareTensor    *tensor,
             const TareProgress  *progress,
             GError             **error)
{
  const TareLayerActivations *activations =
    tare_calibration_lookup (tare_measure_context_get_calibration (context), tensor->canonical);
  Inputs inputs = { NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN };

  inputs.spread = measure_spread (activations->sum_squares, activations->columns);
  if (activations->maximum != NULL)
    measure_maxima (&inputs, activations->maximum, activations->columns);
  if (activations->profile != NULL)
    measure_profile (&inputs, activations);
  if (activations->positions != NULL)
    inputs.first = measure_first (activations->positions, activations->n_positions);

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

static gboolean
compute_block (const TareMeasure     *self,
               TareMeasureContext    *context,
               const TareTensor      *tensor,
               const TareAssignment  *assignment,
               const TareProgress    *progress,
               TareMeasureValue      *value,
               GError               **error)
{
  TareCalibration *calibration = tare_measure_context_get_calibration (context);
  TareBlockActivity activity;

  if (tensor->block >= 0
      && tare_calibration_get_block (calibration, (guint) tensor->block, &activity))
    value->value = G_STRUCT_MEMBER (double, &activity, self->offset);

  return TRUE;
}

static gboolean
compute_importance (const TareMeasure     *self,
                    TareMeasureContext    *context,
                    const TareTensor      *tensor,
                    const TareAssignment  *assignment,
                    const TareProgress    *progress,
                    TareMeasureValue      *value,
                    GError               **error)
{
  if (!compute_block (self, context, tensor, assignment, progress, value, error))
    return FALSE;

  value->value = -value->value;

  return TRUE;
}

/* Rows that differ in their words and in the member that they show. */
#define ROW(id_, label_, definition_, source_, direction_, compute_, type_, member_) \
  {                                                                                  \
    .id = id_,                                                                       \
    .label = label_,                                                                 \
    .definition = definition_,                                                       \
    .unit = "",                                                                      \
    .source = source_,                                                               \
    .cost = TARE_MEASURE_COST_CALIBRATION,                                           \
    .direction = TARE_MEASURE_DIRECTION_ ## direction_,                              \
    .needs = TARE_MEASURE_NEEDS_CALIBRATION,                                         \
    .compute = compute_,                                                             \
    .offset = G_STRUCT_OFFSET (type_, member_),                                      \
  }

const TareMeasure _tare_measures_of_inputs[] = {
  ROW ("input_spread", N_("Input spread"),
       N_("The share of its columns that the input uses: exp of the entropy of their shares of the "
          "energy, over their number."),
       "Roy and Vetterli, The effective rank, EUSIPCO 2007, of the diagonal", LESS_IS_WORSE,
       compute_inputs, Inputs, spread),
  ROW ("input_maximum", N_("Input maximum"),
       N_("The largest |x| that entered the layer."),
       "Dettmers et al., LLM.int8(), arXiv:2208.07339, section 4", MORE_IS_WORSE,
       compute_inputs, Inputs, maximum),
  ROW ("input_maximum_ratio", N_("Input maximum over median"),
       N_("The largest |x| over that of the median column."),
       "Xiao et al., SmoothQuant, arXiv:2211.10438, section 3", MORE_IS_WORSE,
       compute_inputs, Inputs, maximum_ratio),
  ROW ("input_outliers_6", N_("Outlier inputs, 6x"),
       N_("The share of columns whose largest |x| exceeds 6 times the median column's."),
       "Xiao et al., SmoothQuant, arXiv:2211.10438, section 3", MORE_IS_WORSE,
       compute_inputs, Inputs, outliers_6),
  ROW ("input_outliers_20", N_("Outlier inputs, 20x"),
       N_("The share of columns whose largest |x| exceeds 20 times the median column's."),
       "Xiao et al., SmoothQuant, arXiv:2211.10438, section 3", MORE_IS_WORSE,
       compute_inputs, Inputs, outliers_20),
  ROW ("input_beyond_6", N_("Inputs beyond 6"),
       N_("The share of all |x| of at least 6."),
       "Dettmers et al., LLM.int8(), arXiv:2208.07339, section 4", MORE_IS_WORSE,
       compute_inputs, Inputs, beyond_6),
  ROW ("input_tokens_6", N_("Tokens beyond 6"),
       N_("The share of tokens whose largest |x| is at least 6."),
       "Dettmers et al., LLM.int8(), arXiv:2208.07339, section 4", MORE_IS_WORSE,
       compute_inputs, Inputs, tokens_6),
  ROW ("input_massive", N_("Massive inputs"),
       N_("The largest |x| over the median of all |x|; massive activations exceed 1000."),
       "Sun et al., Massive activations, arXiv:2402.17762, section 2", MORE_IS_WORSE,
       compute_inputs, Inputs, massive),
  ROW ("input_first", N_("First token's input"),
       N_("The largest |x| at the first position of the sequences over that at the median of their "
          "other positions; massive activations are mostly there."),
       "Sun et al., Massive activations, arXiv:2402.17762, section 2", MORE_IS_WORSE,
       compute_inputs, Inputs, first),
  ROW ("input_mean", N_("Input mean"),
       N_("The share of the inputs' energy that their means hold, which a bias could carry."),
       "quant/methods/tare-activation-profile.h", NEITHER,
       compute_inputs, Inputs, mean),
  ROW ("input_bimodality", N_("Input bimodality"),
       N_("How far apart the columns' largest |x| are when they are split into two groups by "
          "two-means: the upper mean over the lower; more than 4 calls for scales of their own."),
       "MacQueen, k-means, 1967, of two groups in one dimension", MORE_IS_WORSE,
       compute_inputs, Inputs, bimodality),
  ROW ("lim", N_("LIM"),
       N_("How much the layer's block changes its input: -cos of the residual stream before and "
          "after it, the mean over tokens; the more, the more the block matters."),
       "Dumitru et al., Layer-wise quantization, arXiv:2406.17415", MORE_IS_WORSE,
       compute_importance, TareBlockActivity, cosine),
  ROW ("block_gain", N_("Block gain"),
       N_("The root of the residual stream's energy after the layer's block over that before it."),
       "quant/methods/tare-calibration.h", NEITHER,
       compute_block, TareBlockActivity, gain),
  ROW ("attention_spread", N_("Attention spread"),
       N_("The share of its positions that a sequence's attention uses in the layer's block: exp "
          "of the entropy of what they receive, over their number."),
       "Sung et al., RSQ, arXiv:2503.01820, section 4", NEITHER,
       compute_block, TareBlockActivity, spread),
  ROW ("attention_sink", N_("Attention sink"),
       N_("The share of all attention in the layer's block that one position receives."),
       "Xiao et al., Attention sinks, arXiv:2309.17453, section 3", NEITHER,
       compute_block, TareBlockActivity, sink),
  { .id = NULL },
};
