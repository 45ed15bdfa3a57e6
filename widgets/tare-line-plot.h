/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

/**
 * TareLineStyle:
 * @TARE_LINE_STYLE_PLAIN: a line from point to point
 * @TARE_LINE_STYLE_STEPS: level from each point to the next
 * @TARE_LINE_STYLE_FILLED: filled down to zero, or to the foot of a logarithmic axis
 * @TARE_LINE_STYLE_DASHED: in dashes, so that colour is not all that tells two lines apart
 * @TARE_LINE_STYLE_DOTS: every point is marked, where there is room
 *
 * How a line is drawn.
 */
typedef enum
{
  TARE_LINE_STYLE_PLAIN  = 0,
  TARE_LINE_STYLE_STEPS  = 1 << 0,
  TARE_LINE_STYLE_FILLED = 1 << 1,
  TARE_LINE_STYLE_DASHED = 1 << 2,
  TARE_LINE_STYLE_DOTS   = 1 << 3,
} TareLineStyle;

#define TARE_TYPE_LINE_PLOT (tare_line_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareLinePlot, tare_line_plot, TARE, LINE_PLOT, TarePlot)

TarePlot *tare_line_plot_new        (void);
void      tare_line_plot_set_points (TareLinePlot  *self,
                                     const double  *x,
                                     const double  *y,
                                     guint          n);
void      tare_line_plot_set_band   (TareLinePlot  *self,
                                     const double  *low,
                                     const double  *high);
void      tare_line_plot_set_style  (TareLinePlot  *self,
                                     TareLineStyle  style);

G_END_DECLS
