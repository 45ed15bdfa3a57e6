/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

#define TARE_TYPE_MARKER_PLOT (tare_marker_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareMarkerPlot, tare_marker_plot, TARE, MARKER_PLOT, TarePlot)

TarePlot *tare_marker_plot_new         (void);
void      tare_marker_plot_set_markers (TareMarkerPlot    *self,
                                        const double      *values,
                                        guint              n,
                                        const char *const *labels);

G_END_DECLS
