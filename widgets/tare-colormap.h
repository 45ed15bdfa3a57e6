/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gdk/gdk.h>

G_BEGIN_DECLS

/* How many colours tare_colormap_get_category() has before it begins again. */
#define TARE_COLORMAP_N_CATEGORIES 10

void    tare_colormap_get           (double         position,
                                     gboolean       dark,
                                     GdkRGBA       *color);
void    tare_colormap_get_calm      (double         position,
                                     gboolean       dark,
                                     GdkRGBA       *color);
void    tare_colormap_get_diverging (double         position,
                                     gboolean       dark,
                                     GdkRGBA       *color);
void    tare_colormap_get_text      (const GdkRGBA *fill,
                                     GdkRGBA       *text);
void    tare_colormap_get_category  (guint          index,
                                     gboolean       dark,
                                     GdkRGBA       *color);
guint32 tare_colormap_pack          (const GdkRGBA *color);
double  tare_colormap_contrast      (const GdkRGBA *a,
                                     const GdkRGBA *b);

G_END_DECLS
