/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-measure-private.h"

#include <math.h>

#include "analysis/statistics/tare-shape.h"
#include "analysis/statistics/tare-similarity.h"
#include "analysis/statistics/tare-spectrum.h"

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* Singular values that a low-rank correction might carry. */
#define RANK 32

static gboolean
compute_statistic (const TareMeasure     *self,
                   TareMeasureContext    *context,
                   const TareTensor      *tensor,
                   const TareAssignment  *assignment,
                   const TareProgress    *progress,
                   TareMeasureValue      *value,
                   GError               **error)
{
  TareStatistics *statistics = tare_measure_context_get_statistics (context, tensor, progress,
                                                                    error);

  if (statistics == NULL)
    return FALSE;

  if (statistics->n > 0)
    *value = (TareMeasureValue) { G_STRUCT_MEMBER (double, statistics, self->offset), 0.0 };

  return TRUE;
}

static gpointer
make_shape (TareMeasureContext  *context,
            const TareTensor    *tensor,
            const TareProgress  *progress,
            GError             **error)
{
  TareStatistics *statistics = tare_measure_context_get_statistics (context, tensor, progress,
                                                                    error);
  TareShape shape;

  if (statistics == NULL)
    return NULL;

  tare_shape_measure (&shape, statistics);

  return g_memdup2 (&shape, sizeof shape);
}

static gboolean
compute_shape (const TareMeasure     *self,
               TareMeasureContext    *context,
               const TareTensor      *tensor,
               const TareAssignment  *assignment,
               const TareProgress    *progress,
               TareMeasureValue      *value,
               GError               **error)
{
  TareShape *shape = tare_measure_context_find (context, "shape", tensor, make_shape, g_free,
                                                progress, error);

  if (shape == NULL)
    return FALSE;

  *value = (TareMeasureValue) { G_STRUCT_MEMBER (double, shape, self->offset), 0.0 };

  return TRUE;
}

/* What is kept of a spectrum. */
typedef struct
{
  double effective_rank;
  double stable_rank;
  double energy;
} Ranks;

static gpointer
make_ranks (TareMeasureContext  *context,
            const TareTensor    *tensor,
            const TareProgress  *progress,
            GError             **error)
{
  g_autoptr(TareSpectrum) spectrum = tare_spectrum_of_tensor (tensor, progress, error);
  Ranks *ranks;

  if (spectrum == NULL)
    return NULL;

  ranks = g_new0 (Ranks, 1);
  ranks->effective_rank = tare_spectrum_get_effective_rank (spectrum);
  ranks->stable_rank = tare_spectrum_get_stable_rank (spectrum);
  ranks->energy = tare_spectrum_get_energy (spectrum, RANK);

  return ranks;
}

static gboolean
compute_ranks (const TareMeasure     *self,
               TareMeasureContext    *context,
               const TareTensor      *tensor,
               const TareAssignment  *assignment,
               const TareProgress    *progress,
               TareMeasureValue      *value,
               GError               **error)
{
  Ranks *ranks = tare_measure_context_find (context, "ranks", tensor, make_ranks, g_free, progress,
                                            error);

  if (ranks == NULL)
    return FALSE;

  value->value = G_STRUCT_MEMBER (double, ranks, self->offset);

  return TRUE;
}

/* The layer of the same role in the block before, NaN where there is none of that shape. */
static gpointer
make_similarity (TareMeasureContext  *context,
                 const TareTensor    *tensor,
                 const TareProgress  *progress,
                 GError             **error)
{
  TareSimilarity similarity = { NAN, NAN };
  const TareTensor *before = NULL;

  if (tensor->role != NULL && tensor->block > 0)
    before = tare_model_lookup_role (tare_measure_context_get_model (context), tensor->role->id,
                                     tensor->block - 1, tensor->bias);
  if (before != NULL && tare_tensor_can_read (before)
      && before->rows == tensor->rows && before->columns == tensor->columns
      && !tare_similarity_measure (&similarity, before, tensor, progress, error))
    return NULL;

  return g_memdup2 (&similarity, sizeof similarity);
}

static gboolean
compute_similarity (const TareMeasure     *self,
                    TareMeasureContext    *context,
                    const TareTensor      *tensor,
                    const TareAssignment  *assignment,
                    const TareProgress    *progress,
                    TareMeasureValue      *value,
                    GError               **error)
{
  TareSimilarity *similarity = tare_measure_context_find (context, "similarity", tensor,
                                                          make_similarity, g_free, progress,
                                                          error);

  if (similarity == NULL)
    return FALSE;

  value->value = G_STRUCT_MEMBER (double, similarity, self->offset);

  return TRUE;
}

/* Rows that differ in their words and in the member that they show. */
#define ROW(id_, label_, definition_, unit_, source_, direction_, compute_, type_, member_) \
  {                                                                                         \
    .id = id_,                                                                              \
    .label = label_,                                                                        \
    .definition = definition_,                                                              \
    .unit = unit_,                                                                          \
    .source = source_,                                                                      \
    .cost = TARE_MEASURE_COST_WEIGHTS,                                                      \
    .direction = TARE_MEASURE_DIRECTION_ ## direction_,                                     \
    .needs = TARE_MEASURE_NEEDS_WEIGHTS,                                                    \
    .compute = compute_,                                                                    \
    .offset = G_STRUCT_OFFSET (type_, member_),                                             \
  }

const TareMeasure _tare_measures_of_weights[] = {
  ROW ("standard_deviation", N_("Deviation"),
       N_("The standard deviation of the weights."),
       "", "analysis/statistics/tare-statistics.h", NEITHER,
       compute_statistic, TareStatistics, standard_deviation),
  ROW ("skewness", N_("Skewness"),
       N_("The third standardised moment of the weights: 0 where they are symmetric."),
       "", "analysis/statistics/tare-statistics.h", NEITHER,
       compute_statistic, TareStatistics, skewness),
  ROW ("kurtosis", N_("Kurtosis"),
       N_("The fourth standardised moment of the weights: 1.8 for uniform, 3 for Gaussian, 6 for "
          "Laplacian weights."),
       "", "analysis/statistics/tare-statistics.h", MORE_IS_WORSE,
       compute_statistic, TareStatistics, kurtosis),
  ROW ("maximum_ratio", N_("Maximum over deviation"),
       N_("The largest magnitude over the standard deviation."),
       "", "analysis/statistics/tare-shape.h", MORE_IS_WORSE,
       compute_shape, TareShape, maximum_ratio),
  ROW ("tail_ratio", N_("Maximum over tail"),
       N_("The largest magnitude over the one that 1 of 1000 weights exceeds."),
       "", "analysis/statistics/tare-shape.h", MORE_IS_WORSE,
       compute_shape, TareShape, tail_ratio),
  ROW ("outliers_3", N_("Beyond 3 σ"),
       N_("The share of weights more than 3 standard deviations from the mean: 0.0027 for Gaussian "
          "weights."),
       "", "analysis/statistics/tare-shape.h", MORE_IS_WORSE,
       compute_shape, TareShape, beyond_3),
  ROW ("outliers_6", N_("Beyond 6 σ"),
       N_("The share of weights more than 6 standard deviations from the mean."),
       "", "analysis/statistics/tare-statistics.h", MORE_IS_WORSE,
       compute_shape, TareShape, beyond_6),
  ROW ("outlier_columns_6", N_("Outlier columns, 6x"),
       N_("The share of columns whose largest magnitude exceeds 6 times the median column's."),
       "", "analysis/statistics/tare-shape.h", MORE_IS_WORSE,
       compute_shape, TareShape, columns_6),
  ROW ("outlier_columns_20", N_("Outlier columns, 20x"),
       N_("The share of columns whose largest magnitude exceeds 20 times the median column's."),
       "", "analysis/statistics/tare-shape.h", MORE_IS_WORSE,
       compute_shape, TareShape, columns_20),
  ROW ("outlier_rows_6", N_("Outlier rows, 6x"),
       N_("The share of rows whose largest magnitude exceeds 6 times the median row's."),
       "", "analysis/statistics/tare-shape.h", MORE_IS_WORSE,
       compute_shape, TareShape, rows_6),
  ROW ("dead_columns", N_("Dead columns"),
       N_("The share of columns that are 0 or below a thousandth of the median column."),
       "", "analysis/statistics/tare-shape.h", NEITHER,
       compute_shape, TareShape, dead_columns),
  ROW ("dead_rows", N_("Dead rows"),
       N_("The share of rows that are 0 or below a thousandth of the median row."),
       "", "analysis/statistics/tare-shape.h", NEITHER,
       compute_shape, TareShape, dead_rows),
  ROW ("zd", N_("ZD"),
       N_("The share of weights more than one standard deviation above the mean: 0.159 for "
          "Gaussian weights; the less, the more a layer matters."),
       "", "Dumitru et al., Layer-wise quantization, arXiv:2406.17415", LESS_IS_WORSE,
       compute_shape, TareShape, above_1),
  ROW ("entropy", N_("Entropy"),
       N_("The entropy of the density of the standardised weights: 2.05 bits for Gaussian weights, "
          "which no other distribution exceeds."),
       "bit", "Cover and Thomas, Elements of information theory, chapter 8", NEITHER,
       compute_shape, TareShape, entropy),
  ROW ("normality", N_("Distance from Gaussian"),
       N_("The largest distance between the distribution function of the weights and that of a "
          "Gaussian with their mean and deviation."),
       "", "Kolmogorov, 1933", NEITHER,
       compute_shape, TareShape, normality),
  ROW ("effective_rank", N_("Effective rank"),
       N_("How many directions the weights use: exp of the entropy of the squared singular "
          "values' shares; an estimate where both sides exceed 1024."),
       "", "Roy and Vetterli, The effective rank, EUSIPCO 2007", NEITHER,
       compute_ranks, Ranks, effective_rank),
  ROW ("stable_rank", N_("Stable rank"),
       N_("The squared norm of the weights over the square of their largest singular value."),
       "", "Rudelson and Vershynin, arXiv:math/0503442", NEITHER,
       compute_ranks, Ranks, stable_rank),
  ROW ("low_rank_energy", N_("Low-rank energy"),
       N_("The share of the weights' squared norm in their 32 largest singular values."),
       "", "Eckart and Young, 1936", NEITHER,
       compute_ranks, Ranks, energy),
  ROW ("similarity_cosine", N_("Cosine to the block before"),
       N_("The cosine between the layer's weights and those of the same role in the block before."),
       "", "analysis/statistics/tare-similarity.h", NEITHER,
       compute_similarity, TareSimilarity, cosine),
  ROW ("similarity_alignment", N_("Alignment with the block before"),
       N_("Linear CKA between the layer's rows and those of the same role in the block before, "
          "over at most 512 rows."),
       "", "Kornblith et al., arXiv:1905.00414, section 3", NEITHER,
       compute_similarity, TareSimilarity, alignment),
  { .id = NULL },
};
