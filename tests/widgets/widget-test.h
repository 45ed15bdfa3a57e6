/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/**
 * WidgetPixels:
 * @data: premultiplied, in the byte order of the machine: 0xAARRGGBB
 * @width: pixels
 * @height: pixels
 *
 * What a widget draws.
 */
typedef struct
{
  guint32 *data;
  int      width;
  int      height;
} WidgetPixels;

gboolean            widget_test_init       (int           *argc,
                                            char        ***argv);
GtkWindow          *widget_test_show       (GtkWidget     *widget,
                                            int            width,
                                            int            height);
void                widget_test_settle     (GtkWidget     *widget);
WidgetPixels       *widget_test_render     (GtkWidget     *widget);
void                widget_pixels_free     (WidgetPixels  *self);
guint32             widget_pixels_get      (WidgetPixels  *self,
                                            int            x,
                                            int            y);
guint               widget_pixels_count    (WidgetPixels  *self,
                                            guint32        color,
                                            int            x,
                                            int            y,
                                            int            width,
                                            int            height);
guint32             widget_test_color      (const GdkRGBA *color);
GtkEventController *widget_test_controller (GtkWidget     *widget,
                                            GType          type);
gboolean            widget_test_press_key  (GtkWidget     *widget,
                                            guint          keyval,
                                            GdkModifierType state);
void                widget_test_drag       (GtkWidget     *widget,
                                            const double   points[][2],
                                            guint          n);
gboolean            widget_test_has_input  (GtkWidget     *widget);
void                widget_test_point      (GtkWidget     *widget,
                                            double         x,
                                            double         y);
void                widget_test_button     (GtkWidget     *widget,
                                            guint          button,
                                            gboolean       down);
void                widget_test_modifier   (GtkWidget     *widget,
                                            guint          keyval,
                                            gboolean       down);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (WidgetPixels, widget_pixels_free)

G_END_DECLS
