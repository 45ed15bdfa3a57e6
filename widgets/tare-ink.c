/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-ink-private.h"

#include <adwaita.h>

static void
look_up (GtkStyleContext *context,
         const char      *name,
         const char      *otherwise,
         GdkRGBA         *color)
{
  if (!gtk_style_context_lookup_color (context, name, color))
    gdk_rgba_parse (color, otherwise);
}

/*
 * _tare_ink_read:
 * @self: (out caller-allocates): the colours
 * @widget: what draws with them
 */
void
_tare_ink_read (TareInk   *self,
                GtkWidget *widget)
{
  GtkStyleContext *context = gtk_widget_get_style_context (widget);
  AdwStyleManager *manager = adw_style_manager_get_for_display (gtk_widget_get_display (widget));

  gtk_style_context_get_color (context, &self->foreground);
  self->dark = self->foreground.red * 0.3f + self->foreground.green * 0.6f
               + self->foreground.blue * 0.1f > 0.5f;
  self->high_contrast = adw_style_manager_get_high_contrast (manager);

  self->dim = self->grid = self->foreground;
  self->dim.alpha *= self->high_contrast ? 1.0f : 0.8f;
  self->grid.alpha *= self->high_contrast ? 0.5f : 0.12f;
  look_up (context, "accent_color", self->dark ? "#78aeed" : "#1c71d8", &self->accent);
  look_up (context, "window_bg_color", self->dark ? "#242424" : "#fafafa", &self->background);
}

/*
 * _tare_ink_print:
 * @self: (out caller-allocates): the colours of paper
 */
void
_tare_ink_print (TareInk *self)
{
  *self = (TareInk) {
    .foreground = { 0.0f, 0.0f, 0.0f, 1.0f },
    .dim = { 0.25f, 0.25f, 0.25f, 1.0f },
    .grid = { 0.88f, 0.88f, 0.88f, 1.0f },
    .accent = { 0.0f, 0.0f, 0.0f, 1.0f },
    .background = { 1.0f, 1.0f, 1.0f, 1.0f },
  };
}

/* A filled rectangle. */
void
_tare_ink_box (GtkSnapshot   *snapshot,
               const GdkRGBA *color,
               double         x,
               double         y,
               double         width,
               double         height)
{
  gtk_snapshot_append_color (snapshot, color,
                             &GRAPHENE_RECT_INIT ((float) x, (float) y,
                                                  (float) width, (float) height));
}

/* The outline of a rectangle, drawn inside it. */
void
_tare_ink_ring (GtkSnapshot   *snapshot,
                const GdkRGBA *color,
                double         x,
                double         y,
                double         width,
                double         height,
                double         thickness)
{
  _tare_ink_box (snapshot, color, x, y, width, thickness);
  _tare_ink_box (snapshot, color, x, y + height - thickness, width, thickness);
  _tare_ink_box (snapshot, color, x, y + thickness, thickness, height - 2.0 * thickness);
  _tare_ink_box (snapshot, color, x + width - thickness, y + thickness,
                 thickness, height - 2.0 * thickness);
}

/* (transfer full): a picture of @pixels, (transfer full), as tare_colormap_pack() has them, or
 * 0 for nothing. */
GdkTexture *
_tare_ink_picture (guint32 *pixels,
                   int      width,
                   int      height)
{
  gsize stride = (gsize) width * sizeof *pixels;
  g_autoptr(GBytes) bytes = g_bytes_new_take (pixels, stride * (gsize) height);

  return gdk_memory_texture_new (width, height, GDK_MEMORY_R8G8B8A8, bytes, stride);
}
