/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gdk/gdk.h>

#include "widgets/tare-axis.h"

G_BEGIN_DECLS

#define TARE_TYPE_COLOR_SCALE (tare_color_scale_get_type ())
G_DECLARE_FINAL_TYPE (TareColorScale, tare_color_scale, TARE, COLOR_SCALE, GObject)

TareColorScale *tare_color_scale_new           (const char     *title);
TareAxis       *tare_color_scale_get_axis      (TareColorScale *self);
gboolean        tare_color_scale_get_diverging (TareColorScale *self);
void            tare_color_scale_set_diverging (TareColorScale *self,
                                                gboolean        diverging);
void            tare_color_scale_get_color     (TareColorScale *self,
                                                double          value,
                                                gboolean        dark,
                                                GdkRGBA        *color);
void            tare_color_scale_map           (TareColorScale *self,
                                                const float    *values,
                                                gsize           n,
                                                gboolean        dark,
                                                guint32        *pixels);

G_END_DECLS
