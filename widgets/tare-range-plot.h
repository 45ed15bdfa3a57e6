/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

/**
 * TareRangeBand:
 * @minimum: the least value
 * @low: what 1 % lie below
 * @lower: what 25 % lie below
 * @median: the middle
 * @upper: what 25 % lie above
 * @high: what 1 % lie above
 * @maximum: the greatest value
 *
 * How the values of one channel are spread. What is not known is NaN.
 */
typedef struct
{
  float minimum;
  float low;
  float lower;
  float median;
  float upper;
  float high;
  float maximum;
} TareRangeBand;

#define TARE_TYPE_RANGE_PLOT (tare_range_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareRangePlot, tare_range_plot, TARE, RANGE_PLOT, TarePlot)

TarePlot *tare_range_plot_new        (void);
void      tare_range_plot_set_ranges (TareRangePlot   *self,
                                      const TareRangeBand *ranges,
                                      guint            n);
void      tare_range_plot_set_order  (TareRangePlot   *self,
                                      const guint     *order);
void      tare_range_plot_set_sorted (TareRangePlot   *self,
                                      gboolean         sorted);
void      tare_range_plot_set_name   (TareRangePlot   *self,
                                      const char      *name);

G_END_DECLS
