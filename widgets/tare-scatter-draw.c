/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-scatter-private.h"

#include <math.h>

#include "widgets/tare-colormap.h"
#include "widgets/tare-ink-private.h"

/* Diameter of a point in pixels, of one that is selected, and of one among very many. */
#define POINT 7.0
#define SELECTED 11.0
#define CROWDED 3

/* More points than this are drawn as squares of a few pixels in one picture. */
#define MOST_DISCS 3000

/* Pieces of the reference line, which is not straight on every scale. */
#define LINE_PIECES 64

gboolean
_tare_scatter_place (TareScatterPlot     *self,
                     const TarePlotFrame *frame,
                     guint                point,
                     double              *x,
                     double              *y)
{
  if (!_tare_scatter_is_drawable (self, point, tare_axis_get_scale (frame->x),
                                  tare_axis_get_scale (frame->y)))
    return FALSE;

  *x = tare_plot_frame_get_x (frame, self->values[0][point]);
  *y = tare_plot_frame_get_y (frame, self->values[1][point]);

  return *x >= -SELECTED && *x <= frame->width + SELECTED && *y >= -SELECTED
         && *y <= frame->height + SELECTED;
}

/* One disc as a picture, which costs far less to repeat than a path. */
static GdkTexture *
make_disc (const TarePlotFrame *frame)
{
  int size = (int) POINT * frame->scale;
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, size, size);
  cairo_t *cr = cairo_create (surface);
  g_autoptr(GBytes) bytes = NULL;
  int stride;

  gdk_cairo_set_source_rgba (cr, &frame->color);
  cairo_arc (cr, size / 2.0, size / 2.0, size / 2.0, 0.0, 2.0 * G_PI);
  cairo_fill (cr);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  stride = cairo_image_surface_get_stride (surface);
  bytes = g_bytes_new (cairo_image_surface_get_data (surface), (gsize) stride * (gsize) size);
  cairo_surface_destroy (surface);

  return gdk_memory_texture_new (size, size, GDK_MEMORY_DEFAULT, bytes, (gsize) stride);
}

static void
draw_discs (TareScatterPlot     *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame)
{
  g_autoptr(GdkTexture) disc = make_disc (frame);
  double x, y;

  for (guint i = 0; i < self->n; i++)
    if (_tare_scatter_place (self, frame, i, &x, &y))
      gtk_snapshot_append_texture (snapshot, disc,
                                   &GRAPHENE_RECT_INIT ((float) round (x - POINT / 2.0),
                                                        (float) round (y - POINT / 2.0),
                                                        (float) POINT, (float) POINT));
}

/* The same as paths, for files. */
static void
draw_paths (TareScatterPlot     *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame)
{
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot,
                                           &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) frame->width,
                                                                (float) frame->height));
  double x, y;

  gdk_cairo_set_source_rgba (cr, &frame->color);
  for (guint i = 0; i < self->n; i++)
    if (_tare_scatter_place (self, frame, i, &x, &y))
      {
        cairo_arc (cr, x, y, POINT / 2.0, 0.0, 2.0 * G_PI);
        cairo_fill (cr);
      }
  cairo_destroy (cr);
}

/* Very many points, as small squares in one picture. */
static void
draw_crowd (TareScatterPlot     *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame)
{
  int width = (int) ceil (frame->width), height = (int) ceil (frame->height);
  guint32 *pixels = g_new0 (guint32, (gsize) width * (gsize) height);
  g_autoptr(GdkTexture) texture = NULL;
  guint32 color = tare_colormap_pack (&frame->color);
  double x, y;

  for (guint i = 0; i < self->n; i++)
    {
      if (!_tare_scatter_place (self, frame, i, &x, &y))
        continue;
      for (int row = (int) floor (y) - 1; row < (int) floor (y) - 1 + CROWDED; row++)
        for (int column = (int) floor (x) - 1; column < (int) floor (x) - 1 + CROWDED; column++)
          if (row >= 0 && row < height && column >= 0 && column < width)
            pixels[row * width + column] = color;
    }
  texture = _tare_ink_picture (pixels, width, height);
  gtk_snapshot_append_texture (snapshot, texture,
                               &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) width, (float) height));
}

static void
draw_errors (TareScatterPlot     *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame)
{
  GdkRGBA ink = frame->color;
  double x, y;

  ink.alpha = frame->high_contrast ? 1.0f : 0.55f;
  for (guint i = 0; i < self->n; i++)
    {
      double error[2] = { _tare_scatter_get_error (self, 0, i),
                          _tare_scatter_get_error (self, 1, i) };

      if ((error[0] == 0.0 && error[1] == 0.0) || !_tare_scatter_place (self, frame, i, &x, &y))
        continue;
      if (error[0] > 0.0)
        {
          double left = MAX (0.0, tare_plot_frame_get_x (frame, self->values[0][i] - error[0]));
          double right = tare_plot_frame_get_x (frame, self->values[0][i] + error[0]);

          _tare_ink_box (snapshot, &ink, left, floor (y), MAX (1.0, right - left), 1.0);
        }
      if (error[1] > 0.0)
        {
          double top = tare_plot_frame_get_y (frame, self->values[1][i] + error[1]);
          double foot = MIN (frame->height,
                             tare_plot_frame_get_y (frame, self->values[1][i] - error[1]));

          _tare_ink_box (snapshot, &ink, floor (x), top, 1.0, MAX (1.0, foot - top));
        }
    }
}

static void
draw_selected (TareScatterPlot     *self,
               GtkSnapshot         *snapshot,
               const TarePlotFrame *frame)
{
  cairo_t *cr;
  double x, y;

  if (!tare_plot_has_selected ((TarePlot *) self))
    return;

  cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) frame->width,
                                                                 (float) frame->height));
  cairo_set_line_width (cr, 2.0);
  for (guint i = 0; i < self->n; i++)
    if (tare_plot_is_selected ((TarePlot *) self, i)
        && _tare_scatter_place (self, frame, i, &x, &y))
      {
        cairo_arc (cr, x, y, SELECTED / 2.0, 0.0, 2.0 * G_PI);
        gdk_cairo_set_source_rgba (cr, &frame->color);
        cairo_fill_preserve (cr);
        gdk_cairo_set_source_rgba (cr, &frame->accent);
        cairo_stroke (cr);
      }
  cairo_destroy (cr);
}

/* A name to the left of its point and below, where no other point can be when that is on the front,
 * unless another name is there; the first one has room above it. */
static void
draw_name (GtkSnapshot         *snapshot,
           const TarePlotFrame *frame,
           const char          *name,
           double               x,
           double               y,
           gboolean             first)
{
  int width, height;

  pango_layout_set_text (frame->layout, name, -1);
  pango_layout_get_pixel_size (frame->layout, &width, &height);
  if (x - POINT - width >= 0.0)
    tare_plot_frame_draw_label (frame, snapshot, x - POINT - width, y + 1.0, frame->taken);
  else if (first)
    tare_plot_frame_draw_label (frame, snapshot, x, y - height - POINT / 2.0, frame->taken);
}

/* Where a point of the front is; %FALSE where the scales have no place for it. */
static gboolean
place_front (TareScatterPlot     *self,
             const TarePlotFrame *frame,
             guint                index,
             double              *x,
             double              *y)
{
  guint point = self->front[index];

  if (!_tare_scatter_is_drawable (self, point, tare_axis_get_scale (frame->x),
                                  tare_axis_get_scale (frame->y)))
    return FALSE;

  *x = floor (tare_plot_frame_get_x (frame, self->values[0][point]));
  *y = floor (tare_plot_frame_get_y (frame, self->values[1][point]));

  return TRUE;
}

void
_tare_scatter_snapshot_names (TarePlot            *plot,
                              GtkSnapshot         *snapshot,
                              const TarePlotFrame *frame)
{
  TareScatterPlot *self = (TareScatterPlot *) plot;
  gboolean first = TRUE;
  double x, y;

  if (self->labels == NULL || frame->layout == NULL || frame->taken == NULL)
    return;

  for (guint i = 0; i < self->n_front; i++)
    if (place_front (self, frame, i, &x, &y) && x >= 0.0 && x <= frame->width && y >= 0.0
        && y <= frame->height)
      {
        draw_name (snapshot, frame, self->labels[self->front[i]], x, y, first);
        first = FALSE;
      }
}

static void
draw_front (TareScatterPlot     *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame)
{
  double before[2] = { NAN, NAN };

  for (guint i = 0; i < self->n_front; i++)
    {
      double x, y;

      if (!place_front (self, frame, i, &x, &y))
        continue;
      if (!isnan (before[0]))
        {
          /* What the next one costs is reached only there. */
          _tare_ink_box (snapshot, &frame->foreground, MIN (before[0], x), before[1],
                         fabs (x - before[0]) + 1.0, 1.0);
          _tare_ink_box (snapshot, &frame->foreground, x, MIN (before[1], y), 1.0,
                         fabs (y - before[1]) + 1.0);
        }
      before[0] = x;
      before[1] = y;
    }
}

static void
draw_line (TareScatterPlot     *self,
           GtkSnapshot         *snapshot,
           const TarePlotFrame *frame)
{
  cairo_t *cr;
  gboolean begun = FALSE;

  if (isnan (self->line[0]))
    return;

  cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) frame->width,
                                                                 (float) frame->height));
  for (guint i = 0; i <= LINE_PIECES; i++)
    {
      double part = (double) i / LINE_PIECES;
      double value = self->line[1] + self->line[0] * tare_axis_denormalize (frame->x, part);

      if (tare_axis_get_scale (frame->y) == TARE_AXIS_SCALE_LOG && value <= 0.0)
        {
          begun = FALSE;
          continue;
        }
      if (begun)
        cairo_line_to (cr, part * frame->width, tare_plot_frame_get_y (frame, value));
      else
        cairo_move_to (cr, part * frame->width, tare_plot_frame_get_y (frame, value));
      begun = TRUE;
    }
  gdk_cairo_set_source_rgba (cr, &frame->foreground);
  cairo_set_line_width (cr, 1.0);
  cairo_set_dash (cr, (const double[]) { 5.0, 4.0 }, 2, 0.0);
  cairo_stroke (cr);
  cairo_destroy (cr);
}

/* The name of the line, where it leaves the frame. */
static void
draw_line_name (TareScatterPlot     *self,
                GtkSnapshot         *snapshot,
                const TarePlotFrame *frame)
{
  int width, height;

  if (isnan (self->line[0]) || self->line_label == NULL || frame->layout == NULL)
    return;

  pango_layout_set_text (frame->layout, self->line_label, -1);
  pango_layout_get_pixel_size (frame->layout, &width, &height);
  for (double x = frame->width - width - 4.0; x > 0.0; x -= 8.0)
    {
      double value = self->line[1]
                     + self->line[0] * tare_axis_denormalize (frame->x, x / frame->width);
      double y = tare_plot_frame_get_y (frame, value) + (self->line[0] > 0.0 ? 6.0 : -height - 4.0);

      if (!(y >= 0.0 && y + height <= frame->height))
        continue;
      gtk_snapshot_save (snapshot);
      gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float) floor (x),
                                                              (float) floor (y)));
      gtk_snapshot_append_layout (snapshot, frame->layout, &frame->foreground);
      gtk_snapshot_restore (snapshot);
      return;
    }
}

void
_tare_scatter_snapshot (TarePlot            *plot,
                        GtkSnapshot         *target,
                        const TarePlotFrame *frame)
{
  TareScatterPlot *self = (TareScatterPlot *) plot;

  if (self->n == 0)
    return;

  draw_line (self, target, frame);
  draw_line_name (self, target, frame);
  draw_front (self, target, frame);
  draw_errors (self, target, frame);
  if (self->n > MOST_DISCS)
    draw_crowd (self, target, frame);
  else if (frame->exporting)
    draw_paths (self, target, frame);
  else
    draw_discs (self, target, frame);
  draw_selected (self, target, frame);
}

/* A step where a front is drawn, else a point as large as its own are. */
void
_tare_scatter_snapshot_mark (TarePlot            *plot,
                             GtkSnapshot         *snapshot,
                             const TarePlotFrame *frame,
                             double               x,
                             double               y)
{
  TareScatterPlot *self = (TareScatterPlot *) plot;
  double size = tare_plot_has_selected (plot) ? SELECTED : POINT;
  GskRoundedRect disc;

  x = floor (x);
  y = floor (y);
  if (self->n_front > 1)
    {
      _tare_ink_box (snapshot, &frame->foreground, x - 5.0, y - 3.0, 6.0, 1.0);
      _tare_ink_box (snapshot, &frame->foreground, x, y - 3.0, 1.0, 7.0);
      _tare_ink_box (snapshot, &frame->foreground, x, y + 3.0, 6.0, 1.0);
      return;
    }

  gsk_rounded_rect_init_from_rect (&disc,
                                   &GRAPHENE_RECT_INIT ((float) (x - floor (size / 2.0)),
                                                        (float) (y - floor (size / 2.0)),
                                                        (float) size, (float) size),
                                   (float) (size / 2.0));
  gtk_snapshot_push_rounded_clip (snapshot, &disc);
  gtk_snapshot_append_color (snapshot, &frame->color, &disc.bounds);
  gtk_snapshot_pop (snapshot);
}
