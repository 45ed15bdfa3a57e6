/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/statistics/tare-statistics.h"

G_BEGIN_DECLS

/**
 * TareHistogram:
 * @unit: a power of two that brings the range near 1; 0 puts all into the first bin
 * @minimum: lower end of the first bin, times @unit
 * @scale: bins for each unit
 * @low: numbers below are outliers
 * @high: numbers above are outliers
 * @n_outliers: how many there were
 * @counts: numbers in each bin, spread over four tables, whose sums are the histogram
 *
 * Counts of up to 2³² - 1 finite numbers in equal bins. One thread's; several are added up.
 */
typedef struct
{
  float   unit;
  float   minimum;
  float   scale;
  float   low;
  float   high;
  gsize   n_outliers;
  guint32 counts[4][TARE_HISTOGRAM_BINS];
} TareHistogram;

void tare_histogram_init        (TareHistogram       *self,
                                 float                minimum,
                                 float                maximum,
                                 double               low,
                                 double               high);
void tare_histogram_add         (TareHistogram       *self,
                                 const float         *x,
                                 gsize                n);
void tare_histogram_add_counted (TareHistogram       *self,
                                 const float         *x,
                                 const guint64       *times,
                                 gsize                n,
                                 guint64             *bins);
void tare_histogram_add_to      (const TareHistogram *self,
                                 guint64             *bins);

G_END_DECLS
