/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

#define TARE_HISTOGRAM_BINS 2048

/**
 * TareStatistics:
 * @n: finite weights
 * @n_not_finite: NaN and infinite ones, which no other figure counts
 * @first_not_finite: index of the first of them, row-major
 * @minimum: the smallest
 * @maximum: the largest
 * @mean: the mean
 * @standard_deviation: root of the mean squared deviation (divided by n)
 * @skewness: third standardised moment
 * @kurtosis: fourth standardised moment, 3 for a Gaussian, 0 for a constant
 * @absolute_maximum: the largest magnitude
 * @outlier_ratio: share of weights more than 6 standard deviations from the mean
 * @histogram: counts in equal bins from @minimum to @maximum; the last includes its end
 * @row_maximum: (array length=rows): largest magnitude of every row
 * @column_maximum: (array length=columns): largest magnitude of every column
 * @rows: rows of the tensor
 * @columns: columns of the tensor
 *
 * What one tensor's weights look like. Immutable, reference counted.
 */
typedef struct
{
  gint     ref_count;
  gsize    n;
  gsize    n_not_finite;
  gsize    first_not_finite;
  float    minimum;
  float    maximum;
  double   mean;
  double   standard_deviation;
  double   skewness;
  double   kurtosis;
  float    absolute_maximum;
  double   outlier_ratio;
  guint64  histogram[TARE_HISTOGRAM_BINS];
  float   *row_maximum;
  float   *column_maximum;
  gsize    rows;
  gsize    columns;
} TareStatistics;

TareStatistics *tare_statistics_measure (const TareTensor    *tensor,
                                         const TareProgress  *progress,
                                         GError             **error);
TareStatistics *tare_statistics_ref     (TareStatistics      *self);
void            tare_statistics_unref   (TareStatistics      *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareStatistics, tare_statistics_unref)

G_END_DECLS
