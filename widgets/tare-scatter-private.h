/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-scatter-plot.h"

G_BEGIN_DECLS

struct _TareScatterPlot
{
  TarePlot   parent_instance;

  char     **labels;      /* (nullable) */
  double    *values[2];
  double    *errors[2];   /* (nullable) */
  guint      n;
  guint     *order[2];    /* (nullable): points by rising x and by rising y */
  guint     *front;
  guint      n_front;
  double     line[2];     /* slope and intercept; NaN for no line */
  char      *line_label;
};

double   _tare_scatter_get_error   (TareScatterPlot     *self,
                                    guint                direction,
                                    guint                point);
gboolean _tare_scatter_is_drawable (TareScatterPlot     *self,
                                    guint                point,
                                    TareAxisScale        x_scale,
                                    TareAxisScale        y_scale);
gboolean _tare_scatter_place       (TareScatterPlot     *self,
                                    const TarePlotFrame *frame,
                                    guint                point,
                                    double              *x,
                                    double              *y);
void     _tare_scatter_snapshot    (TarePlot            *plot,
                                    GtkSnapshot         *snapshot,
                                    const TarePlotFrame *frame);
void     _tare_scatter_snapshot_names
                                   (TarePlot            *plot,
                                    GtkSnapshot         *snapshot,
                                    const TarePlotFrame *frame);
void     _tare_scatter_snapshot_mark
                                   (TarePlot            *plot,
                                    GtkSnapshot         *snapshot,
                                    const TarePlotFrame *frame,
                                    double               x,
                                    double               y);

G_END_DECLS
