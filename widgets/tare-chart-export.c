/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-chart-private.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <errno.h>
#include <string.h>

/* What is drawn is no smaller than this, even off the screen. */
#define LEAST_WIDTH 160
#define LEAST_HEIGHT 120

/**
 * tare_chart_dup_csv:
 * @self: the chart
 *
 * Returns: (transfer full): the data of its plots as tables, an empty line between them
 */
char *
tare_chart_dup_csv (TareChart *self)
{
  GString *csv;

  g_return_val_if_fail (TARE_IS_CHART (self), NULL);

  csv = g_string_new (NULL);
  for (guint i = 0; i < self->plots->len; i++)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i);

      if (tare_plot_get_n_points (plot) == 0)
        continue;
      if (csv->len > 0)
        g_string_append_c (csv, '\n');
      tare_plot_write_csv (plot, csv);
    }

  return g_string_free (csv, FALSE);
}

/**
 * tare_chart_copy_csv:
 * @self: the chart
 *
 * Puts the data of its plots on the clipboard.
 */
void
tare_chart_copy_csv (TareChart *self)
{
  g_autofree char *csv = NULL;

  g_return_if_fail (TARE_IS_CHART (self));

  csv = tare_chart_dup_csv (self);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), csv);
}

/* The chart at a size of its own, on its background; the one on the screen stays as it is. */
static GskRenderNode *
make_node (TareChart *self,
           int        width,
           int        height)
{
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  Area area = self->area;
  char *readout = g_steal_pointer (&self->readout);
  GdkRGBA background = self->ink.background;

  background.alpha = 1.0f;
  _tare_ink_box (snapshot, &background, 0.0, 0.0, width, height);
  self->exporting = TRUE;
  _tare_chart_draw (self, snapshot, width, height);
  self->exporting = FALSE;
  self->area = area;
  self->readout = readout;

  return gtk_snapshot_free_to_node (snapshot);
}

/**
 * tare_chart_copy_picture:
 * @self: the chart
 *
 * Puts a picture of it on the clipboard.
 */
void
tare_chart_copy_picture (TareChart *self)
{
  int width, height;
  cairo_surface_t *surface;
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(GdkTexture) texture = NULL;
  GskRenderNode *node;
  cairo_t *cr;
  gsize stride;

  g_return_if_fail (TARE_IS_CHART (self));

  width = MAX (gtk_widget_get_width (GTK_WIDGET (self)), LEAST_WIDTH);
  height = MAX (gtk_widget_get_height (GTK_WIDGET (self)), LEAST_HEIGHT);
  surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, width * EXPORT_SCALE,
                                        height * EXPORT_SCALE);
  cairo_surface_set_device_scale (surface, EXPORT_SCALE, EXPORT_SCALE);
  node = make_node (self, width, height);
  cr = cairo_create (surface);
  gsk_render_node_draw (node, cr);
  cairo_destroy (cr);
  gsk_render_node_unref (node);
  cairo_surface_flush (surface);
  stride = (gsize) cairo_image_surface_get_stride (surface);
  bytes = g_bytes_new (cairo_image_surface_get_data (surface),
                       stride * (gsize) (height * EXPORT_SCALE));
  cairo_surface_destroy (surface);
  texture = gdk_memory_texture_new (width * EXPORT_SCALE, height * EXPORT_SCALE,
                                    GDK_MEMORY_DEFAULT, bytes, stride);
  gdk_clipboard_set_texture (gtk_widget_get_clipboard (GTK_WIDGET (self)), texture);
}

static cairo_status_t
draw_file (GskRenderNode *node,
           const char    *path,
           int            width,
           int            height)
{
  gboolean svg = g_str_has_suffix (path, ".svg"), pdf = g_str_has_suffix (path, ".pdf");
  cairo_surface_t *surface;
  cairo_status_t status;
  cairo_t *cr;

  if (svg)
    surface = cairo_svg_surface_create (path, width, height);
  else if (pdf)
    surface = cairo_pdf_surface_create (path, width, height);
  else
    {
      surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, width * EXPORT_SCALE,
                                            height * EXPORT_SCALE);
      cairo_surface_set_device_scale (surface, EXPORT_SCALE, EXPORT_SCALE);
    }

  cr = cairo_create (surface);
  gsk_render_node_draw (node, cr);
  status = cairo_status (cr);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  if (status == CAIRO_STATUS_SUCCESS && !svg && !pdf)
    status = cairo_surface_write_to_png (surface, path);
  cairo_surface_finish (surface);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_status (surface);
  cairo_surface_destroy (surface);

  return status;
}

/**
 * tare_chart_save:
 * @self: the chart
 * @path: a file that ends in .svg, .pdf or .png, or in .csv for the data
 * @width: how wide, in the pixels of the screen; 0 for as wide as it is there
 * @height: how high; 0 for as high as it is there
 * @error: set when the file cannot be written or is of another kind
 *
 * Draws the chart into a file, as lines and letters where the kind has them. The file takes its
 * name only when it is whole.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_chart_save (TareChart   *self,
                 const char  *path,
                 int          width,
                 int          height,
                 GError     **error)
{
  g_autofree char *partial = NULL;
  const char *dot;
  GskRenderNode *node;
  cairo_status_t status;

  g_return_val_if_fail (TARE_IS_CHART (self) && path != NULL, FALSE);

  dot = strrchr (path, '.');
  if (g_strcmp0 (dot, ".csv") == 0)
    {
      g_autofree char *csv = tare_chart_dup_csv (self);

      return g_file_set_contents (path, csv, -1, error);
    }
  if (dot == NULL || (g_strcmp0 (dot, ".svg") != 0 && g_strcmp0 (dot, ".pdf") != 0
                      && g_strcmp0 (dot, ".png") != 0))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   _("%s: a chart is saved as .svg, .pdf, .png or .csv"), path);
      return FALSE;
    }

  if (width <= 0)
    width = MAX (gtk_widget_get_width (GTK_WIDGET (self)), LEAST_WIDTH);
  if (height <= 0)
    height = MAX (gtk_widget_get_height (GTK_WIDGET (self)), LEAST_HEIGHT);

  partial = g_strdup_printf ("%s.part%s", path, dot);
  node = make_node (self, width, height);
  status = draw_file (node, partial, width, height);
  gsk_render_node_unref (node);

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
