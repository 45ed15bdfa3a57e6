/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-chart-private.h"

#include <math.h>

#include "widgets/tare-colormap.h"

/* Pixels. */
#define PADDING 6.0
#define TICK 4.0
#define MINOR_TICK 2.0
#define RIGHT_MARGIN 12.0
#define OVERHANG 3.0  /* of ink over the width that a text is said to have */
#define LONGEST_LABEL 110.0

/* Of a chart that is wide, names of rows may take this part. */
#define LABEL_SHARE 0.25

/* The bar that tells what colours stand for, and what is left free before it. */
#define COLOR_BAR 12.0
#define COLOR_GAP 10.0

/* The legend: what stands before a name, after it, and how high it may grow. */
#define LEGEND_SWATCH 14.0
#define LEGEND_GAP 14.0
#define LEGEND_LINES 3

static PangoLayout *
get_layout (TareChart *self)
{
  if (self->layout == NULL)
    self->layout = gtk_widget_create_pango_layout (GTK_WIDGET (self), NULL);

  return self->layout;
}

/* Sets the text of the shared layout, cut at @most pixels, and tells its size. */
static PangoLayout *
set_text (TareChart  *self,
          const char *text,
          double      most,
          int        *width,
          int        *height)
{
  PangoLayout *layout = get_layout (self);

  pango_layout_set_width (layout, most > 0.0 ? (int) (most * PANGO_SCALE) : -1);
  pango_layout_set_ellipsize (layout, most > 0.0 ? PANGO_ELLIPSIZE_END : PANGO_ELLIPSIZE_NONE);
  pango_layout_set_text (layout, text, -1);
  pango_layout_get_pixel_size (layout, width, height);

  return layout;
}

static void
draw_layout (TareChart     *self,
             GtkSnapshot   *snapshot,
             const GdkRGBA *color,
             double         x,
             double         y)
{
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot,
                          &GRAPHENE_POINT_INIT ((float) floor (x), (float) floor (y)));
  gtk_snapshot_append_layout (snapshot, get_layout (self), color);
  gtk_snapshot_restore (snapshot);
}

/* Draws the text of the layout upwards, its end or its begin at @y. */
static void
draw_layout_upwards (TareChart     *self,
                     GtkSnapshot   *snapshot,
                     const GdkRGBA *color,
                     double         x,
                     double         y)
{
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot,
                          &GRAPHENE_POINT_INIT ((float) floor (x), (float) floor (y)));
  gtk_snapshot_rotate (snapshot, -90.0f);
  gtk_snapshot_append_layout (snapshot, get_layout (self), color);
  gtk_snapshot_restore (snapshot);
}

static double
widest_label (TareChart      *self,
              const TareTick *ticks,
              guint           n,
              guint          *labelled)
{
  double widest = 0.0;

  *labelled = 0;
  for (guint i = 0; i < n; i++)
    if (!ticks[i].minor)
      {
        int width, height;

        set_text (self, ticks[i].label, 0.0, &width, &height);
        widest = MAX (widest, width);
        (*labelled)++;
      }

  return widest;
}

/* Finds as many ticks for x as their labels leave room for; stands them on end before leaving
 * out things that have a name. */
static guint
make_x_ticks (TareChart *self,
              double     width,
              TareTick  *ticks,
              double    *label_height)
{
  gboolean categories = tare_axis_get_categories (self->axes[0]) != NULL;
  guint most = categories ? TARE_TICKS_MAX : (guint) CLAMP (width / 48.0, 2.0, 40.0);
  double text = self->area.text_height;

  self->area.rotated = FALSE;
  *label_height = text;
  for (;;)
    {
      guint labelled;
      guint n = tare_axis_make_ticks (self->axes[0], most, ticks);
      double widest = widest_label (self, ticks, n, &labelled);
      double lower, upper, room;

      tare_axis_get_range (self->axes[0], &lower, &upper);
      room = categories && labelled > 1
               ? width * (ticks[1].value - ticks[0].value) / (upper - lower)
               : width / MAX (labelled, 1u);
      if (widest + 10.0 <= room || labelled <= 1)
        return n;

      if (categories && text <= room)
        {
          self->area.rotated = TRUE;
          *label_height = MIN (widest, LONGEST_LABEL);
          return n;
        }
      if (most <= 2)
        return n;
      most = MIN (most - 1, categories ? most * 3 / 4 : most - 1);
    }
}

static guint
make_y_ticks (TareChart *self,
              double     height,
              TareTick  *ticks,
              double    *label_width)
{
  /* Numbers want air between them, but a thing without its name is nothing. */
  gboolean categories = tare_axis_get_categories (self->axes[1]) != NULL;
  double pitch = self->area.text_height * (categories ? 1.1 : 2.4);
  guint most = (guint) CLAMP (height / pitch, 2.0, categories ? TARE_TICKS_MAX : 24.0);
  guint n = tare_axis_make_ticks (self->axes[1], most, ticks);
  guint labelled;

  *label_width = MIN (widest_label (self, ticks, n, &labelled), self->area.longest);

  return n;
}

static void
draw_x_ticks (TareChart      *self,
              GtkSnapshot    *snapshot,
              const TareTick *ticks,
              guint           n,
              double          width)
{
  const Area *area = &self->area;
  double bottom = area->top + area->height;
  gboolean categories = tare_axis_get_categories (self->axes[0]) != NULL;

  for (guint i = 0; i < n; i++)
    {
      double x = area->left
                 + round (tare_axis_normalize (self->axes[0], ticks[i].value) * area->width);
      int text_width, text_height;

      if (!categories && !ticks[i].minor)
        _tare_ink_box (snapshot, &self->ink.grid, x, area->top, 1.0, area->height);
      _tare_ink_box (snapshot, &self->ink.dim, x, bottom, 1.0,
                     ticks[i].minor ? MINOR_TICK : TICK);
      if (ticks[i].minor)
        continue;

      if (area->rotated)
        {
          set_text (self, ticks[i].label, LONGEST_LABEL, &text_width, &text_height);
          draw_layout_upwards (self, snapshot, &self->ink.dim, x - text_height / 2.0,
                               bottom + TICK + 3.0 + text_width);
          continue;
        }

      set_text (self, ticks[i].label, 0.0, &text_width, &text_height);
      draw_layout (self, snapshot, &self->ink.dim,
                   CLAMP (x - text_width / 2.0, 0.0, MAX (0.0, width - text_width - OVERHANG)),
                   bottom + TICK + 2.0);
    }
}

static void
draw_y_ticks (TareChart      *self,
              GtkSnapshot    *snapshot,
              const TareTick *ticks,
              guint           n)
{
  const Area *area = &self->area;
  gboolean categories = tare_axis_get_categories (self->axes[1]) != NULL;

  for (guint i = 0; i < n; i++)
    {
      double y = area->top
                 + round ((1.0 - tare_axis_normalize (self->axes[1], ticks[i].value))
                          * area->height);
      double tick = ticks[i].minor ? MINOR_TICK : TICK;
      int width, height;

      if (!ticks[i].minor && !categories)
        _tare_ink_box (snapshot, &self->ink.grid, area->left, y, area->width, 1.0);
      _tare_ink_box (snapshot, &self->ink.dim, area->left - tick, y, tick, 1.0);
      if (ticks[i].minor)
        continue;

      set_text (self, ticks[i].label, categories ? area->longest : 0.0, &width, &height);
      draw_layout (self, snapshot, &self->ink.dim, area->left - TICK - 3.0 - width,
                   y - height / 2.0);
    }
}

static void
draw_titles (TareChart   *self,
             GtkSnapshot *snapshot,
             double       height)
{
  const Area *area = &self->area;
  const char *x_title = tare_axis_get_title (self->axes[0]);
  const char *y_title = tare_axis_get_title (self->axes[1]);
  int text_width, text_height;

  if (x_title != NULL && *x_title != '\0')
    {
      set_text (self, x_title, area->width, &text_width, &text_height);
      draw_layout (self, snapshot, &self->ink.foreground,
                   area->left + (area->width - text_width) / 2.0, height - text_height - 2.0);
    }
  if (y_title != NULL && *y_title != '\0')
    {
      /* Beside a low area a long title takes what is left below and above it. */
      set_text (self, y_title, height - 2.0 * OVERHANG, &text_width, &text_height);
      draw_layout_upwards (self, snapshot, &self->ink.foreground, 2.0,
                           CLAMP (area->top + (area->height + text_width) / 2.0,
                                  text_width + OVERHANG, height - OVERHANG));
    }
}

static void
draw_title (TareChart   *self,
            GtkSnapshot *snapshot,
            double       width)
{
  PangoAttrList *attributes;
  int text_width, text_height;

  if (self->title == NULL)
    return;

  attributes = pango_attr_list_new ();
  pango_attr_list_insert (attributes, pango_attr_weight_new (PANGO_WEIGHT_BOLD));
  pango_layout_set_attributes (get_layout (self), attributes);
  set_text (self, self->title, width * 0.5, &text_width, &text_height);
  draw_layout (self, snapshot, &self->ink.foreground, PADDING, 4.0);
  pango_layout_set_attributes (get_layout (self), NULL);
  pango_attr_list_unref (attributes);
}

static void
get_plot_color (TareChart *self,
                TarePlot  *plot,
                GdkRGBA   *color)
{
  guint index = tare_plot_get_color_index (plot);

  if (index == TARE_PLOT_COLOR_INK)
    *color = self->ink.foreground;
  else
    tare_colormap_get_category (index, self->ink.dark, color);
}

/* Where and with what @plot draws, in the area as it was last laid out. */
void
_tare_chart_make_frame (TareChart     *self,
                        TarePlot      *plot,
                        TarePlotFrame *frame)
{
  frame->x = self->axes[0];
  frame->y = self->axes[1];
  frame->width = self->area.width;
  frame->height = self->area.height;
  frame->foreground = self->ink.foreground;
  frame->background = self->ink.background;
  frame->accent = self->ink.foreground;
  frame->accent.alpha = 1.0f;
  frame->dark = self->ink.dark;
  frame->high_contrast = self->ink.high_contrast;
  frame->scale = self->exporting ? TARE_PICTURE_SCALE
                                 : gtk_widget_get_scale_factor (GTK_WIDGET (self));
  frame->exporting = self->exporting;
  frame->reach = TARE_PLOT_REACH;
  frame->layout = get_layout (self);
  frame->taken = NULL;
  get_plot_color (self, plot, &frame->color);
}

static void
draw_plots (TareChart   *self,
            GtkSnapshot *snapshot)
{
  const Area *area = &self->area;
  g_autoptr(GArray) taken = g_array_new (FALSE, FALSE, sizeof (graphene_rect_t));

  gtk_snapshot_push_clip (snapshot,
                          &GRAPHENE_RECT_INIT ((float) area->left, (float) area->top,
                                               (float) area->width, (float) area->height));
  gtk_snapshot_translate (snapshot,
                          &GRAPHENE_POINT_INIT ((float) area->left, (float) area->top));
  for (guint i = self->plots->len; i > 0; i--)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i - 1);
      TarePlotFrame frame;

      _tare_chart_make_frame (self, plot, &frame);
      pango_layout_set_width (frame.layout, -1);
      frame.taken = taken;
      tare_plot_snapshot_names (plot, snapshot, &frame);
    }
  for (guint i = 0; i < self->plots->len; i++)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i);
      TarePlotFrame frame;

      _tare_chart_make_frame (self, plot, &frame);
      pango_layout_set_width (frame.layout, -1);
      tare_plot_snapshot (plot, snapshot, &frame);
    }
  gtk_snapshot_pop (snapshot);
}

static gboolean
has_name (TarePlot *plot)
{
  return tare_plot_get_label (plot) != NULL && tare_plot_get_n_points (plot) > 0;
}

static double
measure_name (TareChart *self,
              TarePlot  *plot)
{
  int width, height;

  set_text (self, tare_plot_get_label (plot), 0.0, &width, &height);

  return width + LEGEND_SWATCH + LEGEND_GAP;
}

/*
 * Names the plots above them, at the right where one line holds them and on more lines from the
 * left where not. Only counts the lines where @snapshot is %NULL.
 */
static guint
lay_legend (TareChart   *self,
            GtkSnapshot *snapshot,
            double       width)
{
  double begin = self->title != NULL ? width * 0.5 + 2.0 * PADDING : PADDING;
  double end = width - RIGHT_MARGIN;
  double whole = 0.0, left;
  guint line = 0;

  for (guint i = 0; i < self->plots->len; i++)
    if (has_name (g_ptr_array_index (self->plots, i)))
      whole += measure_name (self, g_ptr_array_index (self->plots, i));

  left = MAX (begin, end - whole + LEGEND_GAP);
  for (guint i = 0; i < self->plots->len; i++)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i);
      double room = has_name (plot) ? measure_name (self, plot) : 0.0;
      double top = 4.0 + line * self->area.text_height;

      if (room == 0.0)
        continue;
      if (left > begin && left + room - LEGEND_GAP > end + 1.0)
        {
          if (line + 1 == LEGEND_LINES)
            break;
          left = begin;
          line++;
          top += self->area.text_height;
        }
      if (snapshot != NULL)
        {
          TarePlotFrame frame;
          int text_width, text_height;

          _tare_chart_make_frame (self, plot, &frame);
          set_text (self, tare_plot_get_label (plot), 0.0, &text_width, &text_height);
          draw_layout (self, snapshot, &self->ink.dim, left + LEGEND_SWATCH, top);
          tare_plot_snapshot_mark (plot, snapshot, &frame, floor (left) + 4.0,
                                   floor (top + text_height / 2.0));
        }
      left += room;
    }

  return line + 1;
}

/* (nullable): of the last plot that has points and one. */
TareColorScale *
_tare_chart_get_color_scale (TareChart *self)
{
  for (guint i = self->plots->len; i > 0; i--)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i - 1);
      TareColorScale *scale = tare_plot_get_color_scale (plot);

      if (scale != NULL && tare_plot_get_n_points (plot) > 0)
        return scale;
    }

  return NULL;
}

static guint
make_color_ticks (TareChart *self,
                  double     height,
                  TareTick  *ticks,
                  double    *label_width)
{
  TareAxis *axis = tare_color_scale_get_axis (_tare_chart_get_color_scale (self));
  guint most = (guint) CLAMP (height / (self->area.text_height * 2.0), 2.0, 12.0);
  guint n = tare_axis_make_ticks (axis, most, ticks);
  guint labelled;

  *label_width = widest_label (self, ticks, n, &labelled);

  return n;
}

/* The room that the colours and their numbers take at the right, or that is left free there. */
static double
measure_color_scale (TareChart *self,
                     double     height)
{
  TareTick ticks[TARE_TICKS_MAX];
  TareColorScale *scale = _tare_chart_get_color_scale (self);
  double label_width;

  if (scale == NULL)
    return RIGHT_MARGIN;

  make_color_ticks (self, height, ticks, &label_width);

  return COLOR_GAP + COLOR_BAR + TICK + 3.0 + ceil (label_width) + 4.0
         + (tare_axis_get_title (tare_color_scale_get_axis (scale)) != NULL
              ? self->area.text_height + 2.0 : 0.0);
}

static void
draw_color_scale (TareChart   *self,
                  GtkSnapshot *snapshot)
{
  const Area *area = &self->area;
  TareColorScale *scale = _tare_chart_get_color_scale (self);
  TareAxis *axis;
  TareTick ticks[TARE_TICKS_MAX];
  double left = area->left + area->width + COLOR_GAP, label_width;
  guint n;

  if (scale == NULL)
    return;

  axis = tare_color_scale_get_axis (scale);
  for (double y = 0.0; y < area->height; y += 1.0)
    {
      double value = tare_axis_denormalize (axis, 1.0 - (y + 0.5) / area->height);
      GdkRGBA color;

      tare_color_scale_get_color (scale, value, self->ink.dark, &color);
      /* Down into the next, or there would be seams where it is scaled. */
      _tare_ink_box (snapshot, &color, left, area->top + y, COLOR_BAR,
                     MIN (2.0, area->height - y));
    }
  _tare_ink_ring (snapshot, &self->ink.grid, left, area->top, COLOR_BAR, area->height, 1.0);

  n = make_color_ticks (self, area->height, ticks, &label_width);
  for (guint i = 0; i < n; i++)
    {
      double y = area->top + floor ((1.0 - tare_axis_normalize (axis, ticks[i].value))
                                    * (area->height - 1.0));
      double tick = ticks[i].minor ? MINOR_TICK : TICK;
      int width, height;

      _tare_ink_box (snapshot, &self->ink.dim, left + COLOR_BAR, y, tick, 1.0);
      if (ticks[i].minor)
        continue;
      set_text (self, ticks[i].label, 0.0, &width, &height);
      draw_layout (self, snapshot, &self->ink.dim, left + COLOR_BAR + TICK + 3.0,
                   CLAMP (y - height / 2.0, 0.0, area->top + area->height - height / 2.0));
    }

  if (tare_axis_get_title (axis) != NULL)
    {
      int width, height;

      set_text (self, tare_axis_get_title (axis), area->height, &width, &height);
      draw_layout_upwards (self, snapshot, &self->ink.foreground,
                           left + COLOR_BAR + TICK + 5.0 + ceil (label_width),
                           area->top + (area->height + width) / 2.0);
    }
}

/* Whether wheel and band zoom both axes. */
gboolean
_tare_chart_is_planar (TareChart *self)
{
  for (guint i = 0; i < self->plots->len; i++)
    if (TARE_PLOT_GET_CLASS (g_ptr_array_index (self->plots, i))->planar)
      return TRUE;

  return FALSE;
}

gboolean
_tare_chart_is_empty (TareChart *self)
{
  for (guint i = 0; i < self->plots->len; i++)
    if (tare_plot_get_n_points (g_ptr_array_index (self->plots, i)) > 0)
      return FALSE;

  return TRUE;
}

static void
draw_empty (TareChart   *self,
            GtkSnapshot *snapshot,
            double       width,
            double       height)
{
  int text_width, text_height;
  PangoLayout *layout;

  if (self->empty_text == NULL)
    return;

  layout = set_text (self, self->empty_text, MAX (40.0, width - 4.0 * PADDING),
                     &text_width, &text_height);
  pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_NONE);
  pango_layout_set_wrap (layout, PANGO_WRAP_WORD_CHAR);
  pango_layout_set_alignment (layout, PANGO_ALIGN_CENTER);
  pango_layout_get_pixel_size (layout, &text_width, &text_height);
  draw_layout (self, snapshot, &self->ink.dim, 2.0 * PADDING, (height - text_height) / 2.0);
  pango_layout_set_alignment (layout, PANGO_ALIGN_LEFT);
}

/* Draws everything but what follows the pointer, and lays the area out on the way. */
void
_tare_chart_draw (TareChart   *self,
                  GtkSnapshot *snapshot,
                  double       width,
                  double       height)
{
  TareTick x_ticks[TARE_TICKS_MAX], y_ticks[TARE_TICKS_MAX];
  Area *area = &self->area;
  double label_width, label_height;
  int text_width, text_height;
  guint n_x, n_y;

  set_text (self, "0", 0.0, &text_width, &text_height);
  area->text_height = text_height;
  area->header = text_height * lay_legend (self, NULL, width) + 8.0;
  draw_title (self, snapshot, width);
  if (_tare_chart_is_empty (self))
    {
      area->width = area->height = 0.0;
      draw_empty (self, snapshot, width, height);
      return;
    }

  /* The height decides on the labels of y, their width on the room for those of x. */
  area->top = area->header + 2.0;
  area->longest = MAX (LONGEST_LABEL, width * LABEL_SHARE);
  n_y = make_y_ticks (self, height - area->top - 3.0 * text_height, y_ticks, &label_width);
  area->left = ceil (label_width / 4.0) * 4.0 + TICK + 5.0
               + (tare_axis_get_title (self->axes[1]) != NULL ? text_height + 4.0 : 2.0);
  area->margin = measure_color_scale (self, height - area->top - 3.0 * text_height);
  area->width = MAX (1.0, floor (width - area->left - area->margin));
  n_x = make_x_ticks (self, area->width, x_ticks, &label_height);
  area->height = height - area->top - TICK - 5.0 - ceil (label_height)
                 - (tare_axis_get_title (self->axes[0]) != NULL ? text_height + 4.0 : 2.0);
  area->height = MAX (1.0, floor (area->height));

  draw_y_ticks (self, snapshot, y_ticks, n_y);
  draw_x_ticks (self, snapshot, x_ticks, n_x, width);
  draw_plots (self, snapshot);
  _tare_ink_box (snapshot, &self->ink.dim, area->left, area->top + area->height, area->width, 1.0);
  draw_color_scale (self, snapshot);
  draw_titles (self, snapshot, height);
  if (self->readout == NULL)
    lay_legend (self, snapshot, width);
}

/* Draws what follows the pointer: a line through the point, and its numbers above. */
void
_tare_chart_draw_hit (TareChart   *self,
                      GtkSnapshot *snapshot,
                      double       width)
{
  const Area *area = &self->area;
  int text_width, text_height;
  double x, y;

  if (self->readout != NULL)
    {
      double room = width * (self->title != NULL ? 0.5 : 1.0) - RIGHT_MARGIN - PADDING;

      set_text (self, self->readout, room, &text_width, &text_height);
      draw_layout (self, snapshot, &self->ink.foreground,
                   width - RIGHT_MARGIN - text_width, 4.0);
    }

  if (self->banding && self->band != self->start)
    {
      GdkRGBA fill = self->ink.accent;
      gboolean planar = _tare_chart_is_planar (self);
      double left = floor (MIN (self->start, self->band));
      double right = ceil (MAX (self->start, self->band));
      double top = planar ? floor (MIN (self->start_y, self->band_y)) : area->top;
      double bottom = planar ? ceil (MAX (self->start_y, self->band_y)) : area->top + area->height;

      fill.alpha = 0.2f;
      _tare_ink_box (snapshot, &fill, left, top, right - left, bottom - top);
      _tare_ink_ring (snapshot, &self->ink.accent, left, top, right - left, bottom - top, 1.0);
    }

  if (self->hit == NULL || area->width < 1.0
      || !tare_plot_get_point (self->hit, self->point, &x, &y))
    return;

  x = tare_axis_normalize (self->axes[0], x);
  if (!(x >= 0.0 && x <= 1.0))
    return;

  x = area->left + floor (MIN (x * area->width, area->width - 1.0));
  _tare_ink_box (snapshot, &self->ink.dim, x, area->top, 1.0, area->height);
  y = tare_axis_normalize (self->axes[1], y);
  if (!(y >= 0.0 && y <= 1.0))
    return;

  if (TARE_PLOT_GET_CLASS (self->hit)->planar)
    _tare_ink_box (snapshot, &self->ink.dim, area->left,
                   area->top + floor ((1.0 - y) * (area->height - 1.0)), area->width, 1.0);
  if (!TARE_PLOT_GET_CLASS (self->hit)->grid)
    {
      y = area->top + floor ((1.0 - y) * (area->height - 1.0));
      _tare_ink_box (snapshot, &self->ink.background, x - 4.0, y - 4.0, 9.0, 9.0);
      _tare_ink_box (snapshot, &self->ink.foreground, x - 3.0, y - 3.0, 7.0, 7.0);
    }
}
