/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

/**
 * TareContourFunc:
 * @x: of both ends of a piece of a line, in columns of the grid
 * @y: of both ends, in rows of the grid
 * @data: the closure
 */
typedef void (*TareContourFunc) (const double  x[2],
                                 const double  y[2],
                                 gpointer      data);

void tare_contour_trace (const double    *values,
                         guint            rows,
                         guint            columns,
                         double           level,
                         TareContourFunc  func,
                         gpointer         data);

#define TARE_TYPE_CONTOUR_PLOT (tare_contour_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareContourPlot, tare_contour_plot, TARE, CONTOUR_PLOT, TarePlot)

TarePlot *tare_contour_plot_new        (void);
void      tare_contour_plot_set_values (TareContourPlot *self,
                                        const double    *values,
                                        guint            rows,
                                        guint            columns,
                                        const double     x[2],
                                        const double     y[2]);
void      tare_contour_plot_set_center (TareContourPlot *self,
                                        double           x,
                                        double           y);
void      tare_contour_plot_set_name   (TareContourPlot *self,
                                        const char      *name);

G_END_DECLS
