/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <cairo.h>
#include <glib.h>

G_BEGIN_DECLS

/* A picture of pixels is made this much finer than it is on the screen, to print well. */
#define TARE_PICTURE_SCALE 2

/**
 * TarePictureFunc:
 * @cr: where to draw, from 0, 0 on
 * @data: the closure
 *
 * Draws a picture.
 */
typedef void (*TarePictureFunc) (cairo_t  *cr,
                                 gpointer  data);

gboolean tare_picture_save (const char       *path,
                            double            width,
                            double            height,
                            TarePictureFunc   func,
                            gpointer          data,
                            GError          **error);

G_END_DECLS
