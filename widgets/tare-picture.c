/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-picture.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static cairo_surface_t *
create_pdf (const char *path,
            double      width,
            double      height)
{
  return cairo_pdf_surface_create (path, width, height);
}

static cairo_surface_t *
create_svg (const char *path,
            double      width,
            double      height)
{
  return cairo_svg_surface_create (path, width, height);
}

static cairo_surface_t *
create_pixels (const char *path,
               double      width,
               double      height)
{
  cairo_surface_t *surface =
    cairo_image_surface_create (CAIRO_FORMAT_ARGB32, (int) ceil (width * TARE_PICTURE_SCALE),
                                (int) ceil (height * TARE_PICTURE_SCALE));

  cairo_surface_set_device_scale (surface, TARE_PICTURE_SCALE, TARE_PICTURE_SCALE);

  return surface;
}

/* @pixels: it is written when it is drawn, the others as they are drawn */
static const struct
{
  const char        *suffix;
  gboolean           pixels;
  cairo_surface_t *(*create) (const char *path,
                              double      width,
                              double      height);
} kinds[] = {
  { ".pdf", FALSE, create_pdf },
  { ".svg", FALSE, create_svg },
  { ".png", TRUE, create_pixels },
};

static cairo_status_t
draw (gsize            kind,
      const char      *path,
      double           width,
      double           height,
      TarePictureFunc  func,
      gpointer         data)
{
  cairo_surface_t *surface = kinds[kind].create (path, width, height);
  cairo_t *cr = cairo_create (surface);
  cairo_status_t status;

  func (cr, data);
  status = cairo_status (cr);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  if (status == CAIRO_STATUS_SUCCESS && kinds[kind].pixels)
    status = cairo_surface_write_to_png (surface, path);
  cairo_surface_finish (surface);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_status (surface);
  cairo_surface_destroy (surface);

  return status;
}

/**
 * tare_picture_save:
 * @path: a file that ends in .pdf, .svg or .png
 * @width: how wide, in points in a PDF and in pixels of the screen otherwise
 * @height: how high
 * @func: draws it
 * @data: closure of @func
 * @error: set when the file cannot be written or is of another kind
 *
 * Draws a picture into a file, as lines and letters where the kind has them. The file takes its
 * name only when it is whole.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_picture_save (const char       *path,
                   double            width,
                   double            height,
                   TarePictureFunc   func,
                   gpointer          data,
                   GError          **error)
{
  g_autofree char *partial = NULL;
  cairo_status_t status;
  gsize kind = 0;

  g_return_val_if_fail (path != NULL && func != NULL, FALSE);

  while (kind < G_N_ELEMENTS (kinds) && !g_str_has_suffix (path, kinds[kind].suffix))
    kind++;
  if (kind == G_N_ELEMENTS (kinds))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   _("%s: a picture is saved as .svg, .pdf or .png"), path);
      return FALSE;
    }

  partial = g_strdup_printf ("%s.part", path);
  status = draw (kind, partial, width, height, func, data);
  if (status != CAIRO_STATUS_SUCCESS || g_rename (partial, path) != 0)
    {
      int code = errno;

      g_unlink (partial);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", path,
                   status != CAIRO_STATUS_SUCCESS ? cairo_status_to_string (status)
                                                  : g_strerror (code));
      return FALSE;
    }

  return TRUE;
}
