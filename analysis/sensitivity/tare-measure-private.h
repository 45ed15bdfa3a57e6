/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-measure.h"

G_BEGIN_DECLS

/* The rows of the measure table, one array for each file, ended by a row without an id. */
extern const TareMeasure _tare_measures_of_rounding[];
extern const TareMeasure _tare_measures_of_divergence[];
extern const TareMeasure _tare_measures_of_hessian[];
extern const TareMeasure _tare_measures_of_inputs[];
extern const TareMeasure _tare_measures_of_weights[];

G_END_DECLS
