/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-layer.h"
#include "widgets/tare-chart.h"

G_BEGIN_DECLS

/**
 * TareWeightHistogram:
 *
 * Puts the weights of a layer into a chart, with the levels of its format on them: what the
 * distribution page and the inspector both show.
 */
typedef struct _TareWeightHistogram TareWeightHistogram;

TareWeightHistogram *tare_weight_histogram_new                (TareChart            *chart);
void                 tare_weight_histogram_free               (TareWeightHistogram  *self);
gboolean             tare_weight_histogram_show               (TareWeightHistogram  *self,
                                                               TareLayer            *layer);
const char          *tare_weight_histogram_get_caption        (TareWeightHistogram  *self);
guint                tare_weight_histogram_get_n_levels       (TareWeightHistogram  *self);
void                 tare_weight_histogram_find_typical_range (const TareStatistics *statistics,
                                                               guint                 group,
                                                               double               *minimum,
                                                               double               *maximum);

G_END_DECLS
