/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/**
 * TareInk:
 * @foreground: of text
 * @dim: of what is less important, still readable
 * @grid: of lines in the background
 * @accent: of focus and of what is being done
 * @background: what everything is drawn on
 * @dark: whether that is dark
 * @high_contrast: whether the person asks for more contrast
 *
 * The theme's colours as a widget draws with them. Read when the style changes, never per frame.
 */
typedef struct
{
  GdkRGBA  foreground;
  GdkRGBA  dim;
  GdkRGBA  grid;
  GdkRGBA  accent;
  GdkRGBA  background;
  gboolean dark;
  gboolean high_contrast;
} TareInk;

void _tare_ink_read (TareInk   *self,
                     GtkWidget *widget);
void _tare_ink_print (TareInk      *self);
void _tare_ink_box  (GtkSnapshot   *snapshot,
                     const GdkRGBA *color,
                     double         x,
                     double         y,
                     double         width,
                     double         height);
void _tare_ink_ring (GtkSnapshot   *snapshot,
                     const GdkRGBA *color,
                     double         x,
                     double         y,
                     double         width,
                     double         height,
                     double         thickness);
GdkTexture *
     _tare_ink_picture (guint32     *pixels,
                        int          width,
                        int          height);

G_END_DECLS
