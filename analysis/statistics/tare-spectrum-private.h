/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/statistics/tare-spectrum.h"

G_BEGIN_DECLS

/* How many eigenvalues are found where not all are. */
#define TARE_SPECTRUM_LARGEST 32

gboolean _tare_spectrum_refuse_size   (gsize                n,
                                       GError             **error);
double   _tare_spectrum_sum_squares   (const float         *x,
                                       gsize                n);
double   _tare_spectrum_get_term      (double               value,
                                       double               trace);
double   _tare_spectrum_estimate_unseen (const double       *seen,
                                         gsize               k,
                                         gsize               n);
gboolean _tare_spectrum_search_matrix (TareSpectrum        *self,
                                       const float         *a,
                                       const TareProgress  *progress,
                                       GError             **error);
gboolean _tare_spectrum_search_tensor (TareSpectrum        *self,
                                       const TareTensor    *tensor,
                                       const TareProgress  *progress,
                                       GError             **error);

G_END_DECLS
