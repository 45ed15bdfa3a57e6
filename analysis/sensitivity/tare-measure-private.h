/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-measure.h"

G_BEGIN_DECLS

/* The rows of the measure table, one array for each file, ended by a row without an id. */
extern const TareMeasure _tare_measures_of_rounding[];
extern const TareMeasure _tare_measures_of_divergence[];
extern const TareMeasure _tare_measures_of_gradient[];
extern const TareMeasure _tare_measures_of_hessian[];
extern const TareMeasure _tare_measures_of_inputs[];
extern const TareMeasure _tare_measures_of_weights[];

/* tr(B dW H dW') with B the diagonal of @row_weights, outputs of them. */
gboolean _tare_measure_weighted_loss (TareMeasureContext    *context,
                                      const TareTensor      *tensor,
                                      const TareAssignment  *assignment,
                                      const double          *row_weights,
                                      const TareProgress    *progress,
                                      double                *loss,
                                      GError               **error);

G_END_DECLS
