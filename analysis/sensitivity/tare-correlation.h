/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

double tare_correlation_spearman (const double *a,
                                  const double *b,
                                  gsize         n);
double tare_correlation_kendall  (const double *a,
                                  const double *b,
                                  gsize         n);

G_END_DECLS
