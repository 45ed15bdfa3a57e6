/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

/**
 * TareHeatState:
 * @TARE_HEAT_STATE_NONE: nothing is known yet
 * @TARE_HEAT_STATE_COARSE: what was given stands for larger parts than were asked for; no extreme
 *   is missing
 * @TARE_HEAT_STATE_EXACT: what was given is what was asked for
 *
 * How good an answer of a #TareHeatFunc is.
 */
typedef enum
{
  TARE_HEAT_STATE_NONE,
  TARE_HEAT_STATE_COARSE,
  TARE_HEAT_STATE_EXACT,
} TareHeatState;

/**
 * TareHeatArea:
 * @row: the first row
 * @n_rows: how many
 * @column: the first column
 * @n_columns: how many
 * @width: values that are wanted along the columns, from 1 to @n_columns
 * @height: values that are wanted along the rows, from 1 to @n_rows
 *
 * A part of a matrix, and how finely it is looked at: value i of a line stands for the columns from
 * i * @n_columns / @width, rounded down, to before the first of value i + 1.
 */
typedef struct
{
  guint64 row;
  guint64 n_rows;
  guint64 column;
  guint64 n_columns;
  guint   width;
  guint   height;
} TareHeatArea;

/**
 * TareHeatFunc:
 * @data: the closure
 * @area: what to look at
 * @cancellable: (nullable): %NULL wants an answer at once, from what is at hand; otherwise the call
 *   comes from a thread and may take its time until it is cancelled
 * @values: (out caller-allocates): @height x @width, row-major: of all that each stands for, the
 *   one of the greatest magnitude, with its sign; NaN where one is no number
 *
 * Gives the values of a matrix to be drawn.
 *
 * Returns: how good they are
 */
typedef TareHeatState (*TareHeatFunc) (gpointer            data,
                                       const TareHeatArea *area,
                                       GCancellable       *cancellable,
                                       float              *values);

#define TARE_TYPE_HEAT_PLOT (tare_heat_plot_get_type ())
G_DECLARE_FINAL_TYPE (TareHeatPlot, tare_heat_plot, TARE, HEAT_PLOT, TarePlot)

TarePlot *tare_heat_plot_new            (void);
void      tare_heat_plot_set_source     (TareHeatPlot   *self,
                                         guint64         rows,
                                         guint64         columns,
                                         TareHeatFunc    func,
                                         gpointer        data,
                                         GDestroyNotify  destroy);
void      tare_heat_plot_set_values     (TareHeatPlot   *self,
                                         const float    *values,
                                         guint           rows,
                                         guint           columns);
void      tare_heat_plot_source_changed (TareHeatPlot   *self);
void      tare_heat_plot_set_signed     (TareHeatPlot   *self,
                                         gboolean        is_signed);
void      tare_heat_plot_set_names      (TareHeatPlot   *self,
                                         const char     *row,
                                         const char     *column,
                                         const char     *value);
void      tare_heat_plot_set_labels     (TareHeatPlot   *self,
                                         const char *const *rows,
                                         const char *const *columns);
void      tare_heat_plot_set_maximum    (TareHeatPlot   *self,
                                         double          maximum);
void      tare_heat_plot_set_marked     (TareHeatPlot   *self,
                                         GtkOrientation  orientation,
                                         const guint64  *indices,
                                         guint           n);
void      tare_heat_plot_get_cell       (TareHeatPlot   *self,
                                         guint           point,
                                         guint64        *row,
                                         guint64        *column);
gboolean  tare_heat_plot_is_exact       (TareHeatPlot   *self);

G_END_DECLS
