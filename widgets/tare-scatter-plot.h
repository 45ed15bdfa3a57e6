/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

#define TARE_TYPE_SCATTER_PLOT (tare_scatter_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareScatterPlot, tare_scatter_plot, TARE, SCATTER_PLOT, TarePlot)

TarePlot *tare_scatter_plot_new        (void);
void      tare_scatter_plot_set_points (TareScatterPlot   *self,
                                        const char *const *labels,
                                        const double      *x,
                                        const double      *y,
                                        guint              n);
void      tare_scatter_plot_set_errors (TareScatterPlot   *self,
                                        const double      *x_errors,
                                        const double      *y_errors);
void      tare_scatter_plot_set_front  (TareScatterPlot   *self,
                                        const guint       *points,
                                        guint              n);
guint    *tare_scatter_plot_dup_front  (TareScatterPlot   *self,
                                        guint             *n);
void      tare_scatter_plot_set_line   (TareScatterPlot   *self,
                                        double             slope,
                                        double             intercept,
                                        const char        *label);
void      tare_scatter_plot_fit_line   (TareScatterPlot   *self,
                                        const char        *label);

G_END_DECLS
