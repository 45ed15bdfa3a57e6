/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

#define TARE_TYPE_RIDGE_PLOT (tare_ridge_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareRidgePlot, tare_ridge_plot, TARE, RIDGE_PLOT, TarePlot)

TarePlot *tare_ridge_plot_new        (void);
void      tare_ridge_plot_set_ridges (TareRidgePlot *self,
                                      const float   *heights,
                                      guint          n,
                                      guint          n_bins,
                                      double         minimum,
                                      double         maximum);
void      tare_ridge_plot_set_name   (TareRidgePlot *self,
                                      const char    *name);

G_END_DECLS
