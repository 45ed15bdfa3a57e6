/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-measure-context.h"
#include "analysis/statistics/tare-spectrum.h"

G_BEGIN_DECLS

/* What GPTQ adds to the diagonal, as a share of its mean. */
#define TARE_HESSIAN_DAMPING 0.01

double             tare_hessian_get_trace      (const TareLayerActivations  *activations);
gboolean           tare_hessian_has_spectrum   (const TareLayerActivations  *activations);
TareSpectrum      *tare_hessian_find_spectrum  (const TareLayerActivations  *activations,
                                                const TareProgress          *progress,
                                                GError                     **error);
const TareSpectrum *tare_hessian_get_spectrum  (TareMeasureContext          *context,
                                                const TareTensor            *tensor,
                                                const TareProgress          *progress,
                                                GError                     **error);
const double      *tare_hessian_get_remainders (TareMeasureContext          *context,
                                                const TareTensor            *tensor,
                                                const TareProgress          *progress,
                                                GError                     **error);
gboolean           tare_hessian_factorize      (const float                 *gram,
                                                gsize                        n,
                                                double                       scale,
                                                double                      *remainders,
                                                const TareProgress          *progress,
                                                GError                     **error);

G_END_DECLS
