/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/statistics/tare-statistics.h"

G_BEGIN_DECLS

/**
 * TareShape:
 * @maximum_ratio: the largest magnitude over the standard deviation
 * @beyond_3: share of weights more than 3 standard deviations from the mean
 * @beyond_6: share of weights more than 6 standard deviations from the mean
 * @tail_ratio: the largest magnitude over the one that 1 of 1000 weights exceeds
 * @columns_6: share of columns whose largest magnitude exceeds 6 times the median column's
 * @columns_20: the same with 20 times
 * @rows_6: share of rows whose largest magnitude exceeds 6 times the median row's
 * @dead_columns: share of columns whose largest magnitude is below a thousandth of the median
 *   column's, or 0
 * @dead_rows: the same of rows
 * @above_1: share of weights more than one standard deviation above the mean, one-sided
 * @entropy: of the density of the standardised weights, in bits, by bins of a sixteenth of a
 *   standard deviation
 * @normality: the largest distance between their distribution function and a Gaussian's
 *
 * What the distribution of a tensor's weights looks like, NaN where all are the same. What its
 * histogram tells is as exact as its bins, within which weights count as spread evenly.
 */
typedef struct
{
  double maximum_ratio;
  double beyond_3;
  double beyond_6;
  double tail_ratio;
  double columns_6;
  double columns_20;
  double rows_6;
  double dead_columns;
  double dead_rows;
  double above_1;
  double entropy;
  double normality;
} TareShape;

void   tare_shape_measure        (TareShape            *self,
                                  const TareStatistics *statistics);
double tare_shape_get_share      (const TareStatistics *statistics,
                                  double                x);
double tare_shape_get_quantile   (const TareStatistics *statistics,
                                  double                share);
double tare_gaussian_get_share    (double               z);
double tare_gaussian_get_quantile (double               share);

G_END_DECLS
