/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareMoments:
 * @n: finite values that were added
 * @n_not_finite: others, which nothing else counts
 * @first_not_finite: how many values had been added before the first of those
 * @mean: the mean
 * @m2: Σ(x - mean)²
 * @m3: Σ(x - mean)³
 * @m4: Σ(x - mean)⁴
 * @minimum: the smallest
 * @maximum: the largest
 *
 * Central power sums of a stream of numbers. All zero is the empty stream.
 */
typedef struct
{
  gsize  n;
  gsize  n_not_finite;
  gsize  first_not_finite;
  double mean;
  double m2;
  double m3;
  double m4;
  float  minimum;
  float  maximum;
} TareMoments;

void   tare_moments_add          (TareMoments       *self,
                                  const float       *x,
                                  gsize              n);
void   tare_moments_append       (TareMoments       *self,
                                  const TareMoments *other);
double tare_moments_get_mean     (const TareMoments *self);
double tare_moments_get_variance (const TareMoments *self);
double tare_moments_get_skewness (const TareMoments *self);
double tare_moments_get_kurtosis (const TareMoments *self);

gsize  tare_finite_copy          (const float       *x,
                                  gsize              n,
                                  float             *finite,
                                  gsize             *first_other);

G_END_DECLS
