/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

#define TARE_TYPE_BAR_PLOT (tare_bar_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareBarPlot, tare_bar_plot, TARE, BAR_PLOT, TarePlot)

TarePlot *tare_bar_plot_new             (void);
void      tare_bar_plot_set_bars        (TareBarPlot       *self,
                                         const char *const *labels,
                                         const double      *values,
                                         const double      *errors,
                                         guint              n);
void      tare_bar_plot_set_highlighted (TareBarPlot       *self,
                                         const guint       *bars,
                                         guint              n);
gboolean  tare_bar_plot_is_highlighted  (TareBarPlot       *self,
                                         guint              bar);

G_END_DECLS
