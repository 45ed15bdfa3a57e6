/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-chart-private.h"

#include "widgets/tare-picture.h"

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
  surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, width * TARE_PICTURE_SCALE,
                                        height * TARE_PICTURE_SCALE);
  cairo_surface_set_device_scale (surface, TARE_PICTURE_SCALE, TARE_PICTURE_SCALE);
  node = make_node (self, width, height);
  cr = cairo_create (surface);
  gsk_render_node_draw (node, cr);
  cairo_destroy (cr);
  gsk_render_node_unref (node);
  cairo_surface_flush (surface);
  stride = (gsize) cairo_image_surface_get_stride (surface);
  bytes = g_bytes_new (cairo_image_surface_get_data (surface),
                       stride * (gsize) (height * TARE_PICTURE_SCALE));
  cairo_surface_destroy (surface);
  texture = gdk_memory_texture_new (width * TARE_PICTURE_SCALE, height * TARE_PICTURE_SCALE,
                                    GDK_MEMORY_DEFAULT, bytes, stride);
  gdk_clipboard_set_texture (gtk_widget_get_clipboard (GTK_WIDGET (self)), texture);
}

static void
draw_node (cairo_t  *cr,
           gpointer  node)
{
  gsk_render_node_draw (node, cr);
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
  GskRenderNode *node;
  gboolean saved;

  g_return_val_if_fail (TARE_IS_CHART (self) && path != NULL, FALSE);

  if (g_str_has_suffix (path, ".csv"))
    {
      g_autofree char *csv = tare_chart_dup_csv (self);

      return g_file_set_contents (path, csv, -1, error);
    }

  if (width <= 0)
    width = MAX (gtk_widget_get_width (GTK_WIDGET (self)), LEAST_WIDTH);
  if (height <= 0)
    height = MAX (gtk_widget_get_height (GTK_WIDGET (self)), LEAST_HEIGHT);

  node = make_node (self, width, height);
  saved = tare_picture_save (path, width, height, draw_node, node, error);
  gsk_render_node_unref (node);

  return saved;
}

/**
 * tare_chart_print:
 * @self: the chart, which need not be in a window
 * @cr: where to draw, from 0, 0 on
 * @width: how wide, in the pixels of the screen
 * @height: how high
 *
 * Draws the chart onto paper: black on white, whatever the colours of the theme are.
 */
void
tare_chart_print (TareChart *self,
                  cairo_t   *cr,
                  int        width,
                  int        height)
{
  TareInk ink;
  GskRenderNode *node;

  g_return_if_fail (TARE_IS_CHART (self) && cr != NULL);

  ink = self->ink;
  _tare_ink_print (&self->ink);
  node = make_node (self, MAX (width, LEAST_WIDTH), MAX (height, LEAST_HEIGHT));
  self->ink = ink;
  gsk_render_node_draw (node, cr);
  gsk_render_node_unref (node);
}
