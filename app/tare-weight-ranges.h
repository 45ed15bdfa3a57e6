/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/statistics/tare-ranges.h"
#include "widgets/tare-range-plot.h"

G_BEGIN_DECLS

void tare_weight_ranges_show (const TareRanges *ranges,
                              TareRangePlot    *plot);

G_END_DECLS
