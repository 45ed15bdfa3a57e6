/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-weight-ranges.h"

/**
 * tare_weight_ranges_show:
 * @ranges: how the weights of every channel are spread
 * @plot: where to show it
 *
 * Puts the ranges of channels into a plot, of whose levels it draws seven.
 */
void
tare_weight_ranges_show (const TareRanges *ranges,
                         TareRangePlot    *plot)
{
  g_autofree TareRangeBand *bands = g_new (TareRangeBand, MAX (ranges->n, 1));

  for (gsize i = 0; i < ranges->n; i++)
    {
      const float *levels = ranges->values[i];

      bands[i] = (TareRangeBand) {
        .minimum = levels[TARE_RANGE_LEVEL_MINIMUM], .low = levels[TARE_RANGE_LEVEL_1],
        .lower = levels[TARE_RANGE_LEVEL_25], .median = levels[TARE_RANGE_LEVEL_50],
        .upper = levels[TARE_RANGE_LEVEL_75], .high = levels[TARE_RANGE_LEVEL_99],
        .maximum = levels[TARE_RANGE_LEVEL_MAXIMUM],
      };
    }
  tare_range_plot_set_ranges (plot, bands, (guint) ranges->n);
}
