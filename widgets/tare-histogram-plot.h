/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

#define TARE_TYPE_HISTOGRAM_PLOT (tare_histogram_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareHistogramPlot, tare_histogram_plot, TARE, HISTOGRAM_PLOT, TarePlot)

TarePlot *tare_histogram_plot_new         (void);
void      tare_histogram_plot_set_counts  (TareHistogramPlot *self,
                                           const guint64     *counts,
                                           guint              n,
                                           double             minimum,
                                           double             maximum);
void      tare_histogram_plot_set_outline (TareHistogramPlot *self,
                                           gboolean           outline);

G_END_DECLS
