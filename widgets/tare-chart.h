/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

#define TARE_TYPE_CHART (tare_chart_get_type ())
G_DECLARE_FINAL_TYPE (TareChart, tare_chart, TARE, CHART, GtkWidget)

GtkWidget  *tare_chart_new                (void);
TareAxis   *tare_chart_get_x_axis         (TareChart   *self);
void        tare_chart_set_x_axis         (TareChart   *self,
                                           TareAxis    *axis);
TareAxis   *tare_chart_get_y_axis         (TareChart   *self);
void        tare_chart_set_y_axis         (TareChart   *self,
                                           TareAxis    *axis);
void        tare_chart_set_automatic      (TareChart   *self,
                                           gboolean     x,
                                           gboolean     y);
void        tare_chart_add_plot           (TareChart   *self,
                                           TarePlot    *plot);
void        tare_chart_remove_plot        (TareChart   *self,
                                           TarePlot    *plot);
const char *tare_chart_get_title          (TareChart   *self);
void        tare_chart_set_title          (TareChart   *self,
                                           const char  *title);
void        tare_chart_set_description    (TareChart   *self,
                                           const char  *description);
char       *tare_chart_dup_description    (TareChart   *self);
void        tare_chart_set_empty_text     (TareChart   *self,
                                           const char  *text);
const char *tare_chart_get_readout        (TareChart   *self);
void        tare_chart_fit                (TareChart   *self);
gboolean    tare_chart_get_plot_area      (TareChart   *self,
                                           GdkRectangle *area);
char       *tare_chart_dup_csv            (TareChart   *self);
void        tare_chart_copy_csv           (TareChart   *self);
void        tare_chart_copy_picture       (TareChart   *self);
GtkWindow  *tare_chart_show_table         (TareChart   *self);
gboolean    tare_chart_save               (TareChart   *self,
                                           const char  *path,
                                           int          width,
                                           int          height,
                                           GError     **error);
void        tare_chart_print              (TareChart   *self,
                                           cairo_t     *cr,
                                           int          width,
                                           int          height);

G_END_DECLS
