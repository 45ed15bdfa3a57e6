/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-format-map-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "widgets/tare-colormap.h"
#include "widgets/tare-ticks.h"

/* Pixels. */
#define GAP 1
#define PADDING 6
#define MARK_SIZE 5
#define LOCK_WIDTH 7
#define SIGN_HEIGHT 8
#define SIGN_TEXT 14  /* how high the text is for which signs have this size */
#define HATCH_STEP 6
#define LEGEND_STRIP 96
#define LEGEND_STOPS 17

/* Numbers as labels would fill it with texts that are not seen again. */
#define MOST_TEXTS 1024

/* Edges of what lies below in a cell that several things share. */
#define PILE 2

/* A text in black and in white, at the origin, kept as it is drawn in many cells. */
typedef struct
{
  GskRenderNode *nodes[2];
  int            width;
  int            height;
} Text;

static void
text_free (gpointer data)
{
  Text *text = data;

  g_clear_pointer (&text->nodes[0], gsk_render_node_unref);
  g_clear_pointer (&text->nodes[1], gsk_render_node_unref);
  g_free (text);
}

static PangoLayout *
get_layout (TareFormatMap *self)
{
  if (self->layout == NULL)
    self->layout = gtk_widget_create_pango_layout (GTK_WIDGET (self), NULL);

  return self->layout;
}

static Text *
get_text (TareFormatMap *self,
          const char    *string)
{
  static const GdkRGBA colors[2] = { { 0.0f, 0.0f, 0.0f, 1.0f }, { 1.0f, 1.0f, 1.0f, 1.0f } };
  PangoLayout *layout;
  Text *text;

  if (self->texts == NULL)
    self->texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, text_free);

  text = g_hash_table_lookup (self->texts, string);
  if (text != NULL)
    return text;

  if (g_hash_table_size (self->texts) >= MOST_TEXTS)
    g_hash_table_remove_all (self->texts);

  text = g_new0 (Text, 1);
  layout = get_layout (self);
  pango_layout_set_text (layout, string, -1);
  pango_layout_get_pixel_size (layout, &text->width, &text->height);
  for (guint i = 0; i < 2; i++)
    {
      GtkSnapshot *snapshot = gtk_snapshot_new ();

      gtk_snapshot_append_layout (snapshot, layout, &colors[i]);
      text->nodes[i] = gtk_snapshot_free_to_node (snapshot);
    }
  g_hash_table_insert (self->texts, g_strdup (string), text);

  return text;
}

/* Forgets how the cells look, but not their texts. */
void
_tare_format_map_drop_cells (TareFormatMap *self)
{
  g_clear_pointer (&self->cells_node, gsk_render_node_unref);
}

/* Forgets all that depends on the font, the theme or the size of a cell. */
void
_tare_format_map_drop_nodes (TareFormatMap *self)
{
  _tare_format_map_drop_cells (self);
  g_clear_pointer (&self->hatch[0], gsk_render_node_unref);
  g_clear_pointer (&self->hatch[1], gsk_render_node_unref);
  g_clear_pointer (&self->texts, g_hash_table_unref);
  g_clear_object (&self->layout);
}

/* Marks and locks grow with the text. */
static int
get_sign_scale (TareFormatMap *self)
{
  return MAX (1, (self->text_height + SIGN_TEXT / 2) / SIGN_TEXT);
}

static int
widest (TareFormatMap *self,
        char         **strings)
{
  int width = 0;

  for (guint i = 0; strings != NULL && strings[i] != NULL; i++)
    width = MAX (width, get_text (self, strings[i])->width);

  return width;
}

/* Finds the sizes that follow from the texts alone. */
void
_tare_format_map_measure (TareFormatMap *self)
{
  int column_width = widest (self, self->columns);
  int cell_width = 0;

  self->text_height = get_text (self, "Q8")->height;
  for (guint i = 0; i < self->n_rows * self->n_columns; i++)
    if (self->cells[i].present && self->cells[i].label != NULL)
      cell_width = MAX (cell_width, get_text (self, self->cells[i].label)->width);

  /* The mark and the lock stand in the corners above the text. */
  self->least_width = MAX (cell_width + PADDING, self->text_height + PADDING);
  self->least_height = self->text_height + SIGN_HEIGHT * get_sign_scale (self) + 2 * GAP;
  self->rotated = column_width > self->least_width * 1.25;
  if (!self->rotated)
    self->least_width = MAX (self->least_width, column_width + PADDING);

  self->header_height = (self->rotated ? column_width : self->text_height) + PADDING;
  self->label_width = widest (self, self->rows) + PADDING * 2;
}

static void
draw_text (TareFormatMap *self,
           GtkSnapshot   *snapshot,
           const char    *string,
           const GdkRGBA *color,
           double         x,
           double         y)
{
  PangoLayout *layout = get_layout (self);

  pango_layout_set_text (layout, string, -1);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float) x, (float) y));
  gtk_snapshot_append_layout (snapshot, layout, color);
  gtk_snapshot_restore (snapshot);
}

static void
draw_mark (TareFormatMap  *self,
           GtkSnapshot    *snapshot,
           TareFormatMark  mark,
           const GdkRGBA  *color,
           double          x,
           double          y)
{
  /* Rows of pixels are crisp at this size, cheap, and need no cairo node per cell. */
  static const guint8 shapes[TARE_FORMAT_MARK_N][MARK_SIZE] = {
    [TARE_FORMAT_MARK_DOT] = { 3, 5, 5, 5, 3 },
    [TARE_FORMAT_MARK_TRIANGLE] = { 1, 1, 3, 3, 5 },
    [TARE_FORMAT_MARK_SQUARE] = { 5, 5, 5, 5, 5 },
    [TARE_FORMAT_MARK_DIAMOND] = { 1, 3, 5, 3, 1 },
    [TARE_FORMAT_MARK_CROSS] = { 1, 1, 5, 1, 1 },
    [TARE_FORMAT_MARK_HOURGLASS] = { 5, 3, 1, 3, 5 },
    [TARE_FORMAT_MARK_FUNNEL] = { 5, 3, 3, 1, 1 },
    [TARE_FORMAT_MARK_BEAM] = { 5, 1, 1, 1, 5 },
    [TARE_FORMAT_MARK_STROKE] = { 1, 1, 1, 1, 1 },
    [TARE_FORMAT_MARK_BAR] = { 0, 5, 5, 0, 0 },
    [TARE_FORMAT_MARK_STRIPES] = { 5, 0, 5, 0, 5 },
    [TARE_FORMAT_MARK_ARROW] = { 1, 3, 5, 1, 1 },
  };

  int scale = get_sign_scale (self);

  if (mark == TARE_FORMAT_MARK_NONE || mark >= TARE_FORMAT_MARK_N)
    return;

  for (guint i = 0, j; i < MARK_SIZE; i = j)
    {
      guint8 width = shapes[mark][i];

      for (j = i + 1; j < MARK_SIZE && shapes[mark][j] == width; j++)
        ;
      _tare_ink_box (snapshot, color, x + (MARK_SIZE - width) / 2 * scale, y + i * (guint) scale,
                     width * scale, (j - i) * (guint) scale);
    }
}

static void
draw_lock (TareFormatMap *self,
           GtkSnapshot   *snapshot,
           const GdkRGBA *color,
           double         x,
           double         y)
{
  /* The body, the two sides of the shackle, and what joins them: x, y, width, height. */
  static const guint8 parts[4][4] = {
    { 0, 3, 7, 5 }, { 1, 1, 1, 2 }, { 5, 1, 1, 2 }, { 2, 0, 3, 1 },
  };
  int scale = get_sign_scale (self);

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    _tare_ink_box (snapshot, color, x + parts[i][0] * scale, y + parts[i][1] * scale,
                   parts[i][2] * scale, parts[i][3] * scale);
}

static GskRenderNode *
make_hatch (const GdkRGBA *color,
            double         width,
            double         height)
{
  graphene_rect_t bounds = GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) width, (float) height);
  GskRenderNode *node = gsk_cairo_node_new (&bounds);
  cairo_t *cr = gsk_cairo_node_get_draw_context (node);
  GdkRGBA faint = *color;

  faint.alpha = 0.38f;
  gdk_cairo_set_source_rgba (cr, &faint);
  cairo_set_line_width (cr, 1.2);
  for (double x = HATCH_STEP / 2.0; x < width + height; x += HATCH_STEP)
    {
      cairo_move_to (cr, x, 0.0);
      cairo_line_to (cr, x - height, height);
    }
  cairo_stroke (cr);
  cairo_destroy (cr);

  return node;
}

static void
find_color (TareFormatMap *self,
            double         position,
            GdkRGBA       *color)
{
  if (self->calm)
    tare_colormap_get_calm (position, self->ink.dark, color);
  else
    tare_colormap_get (position, self->ink.dark, color);
}

static void
find_fill (TareFormatMap *self,
           const Cell    *cell,
           GdkRGBA       *fill)
{
  double span = self->maximum - self->minimum;

  if (isnan (cell->value))
    {
      *fill = self->ink.foreground;
      fill->alpha *= 0.1f;
      return;
    }

  find_color (self, span > 0.0 ? (cell->value - self->minimum) / span : 0.5, fill);
}

/**
 * tare_format_map_get_cell_color:
 * @self: the map
 * @cell: a cell
 * @color: (out): what it is filled with, transparent where there is no cell
 */
void
tare_format_map_get_cell_color (TareFormatMap *self,
                                guint          cell,
                                GdkRGBA       *color)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));

  *color = (GdkRGBA) { 0.0f, 0.0f, 0.0f, 0.0f };
  if (cell < self->n_rows * self->n_columns && self->cells[cell].present)
    find_fill (self, &self->cells[cell], color);
}

static void
draw_cell (TareFormatMap *self,
           GtkSnapshot   *snapshot,
           guint          index,
           double         x,
           double         y)
{
  const Cell *cell = &self->cells[index];
  double width = _tare_format_map_get_width (self, index) - 2 * GAP;
  double height = self->cell_height - 2 * GAP;
  GdkRGBA fill, text;
  int scale = get_sign_scale (self);
  guint light;

  find_fill (self, cell, &fill);
  if (isnan (cell->value))
    text = self->ink.dark ? (GdkRGBA) { 1, 1, 1, 1 } : (GdkRGBA) { 0, 0, 0, 1 };
  else
    tare_colormap_get_text (&fill, &text);
  light = text.red > 0.5f;

  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float) x + GAP, (float) y + GAP));
  _tare_ink_box (snapshot, &fill, 0.0, 0.0, width, height);
  if (self->ink.high_contrast || isnan (cell->value))
    _tare_ink_ring (snapshot, &self->ink.dim, 0.0, 0.0, width, height, 1.0);

  if (cell->stale)
    {
      g_autoptr(GskRenderNode) hatch = NULL;

      if (_tare_format_map_is_wide (self, index))
        hatch = make_hatch (&text, width, height);
      else if (self->hatch[light] == NULL)
        self->hatch[light] = make_hatch (&text, width, height);
      gtk_snapshot_append_node (snapshot, hatch != NULL ? hatch : self->hatch[light]);
    }

  draw_mark (self, snapshot, cell->mark, &text, 2.0, 2.0);
  if (cell->folded > 1)
    for (guint i = 0; i < PILE; i++)
      _tare_ink_box (snapshot, &text, 2.0 + i, height - 2.0 - 2.0 * i, width - 4.0 - 2.0 * i, 1.0);
  if (cell->locked)
    draw_lock (self, snapshot, &text, width - 2.0 - LOCK_WIDTH * scale, 2.0);

  if (cell->label != NULL)
    {
      Text *label = get_text (self, cell->label);
      float left = floorf ((float) (width - label->width) / 2.0f);
      /* Beside its signs, or below them where it is too wide for that. */
      gboolean bare = !cell->locked && cell->mark == TARE_FORMAT_MARK_NONE;
      int sign = (cell->locked ? LOCK_WIDTH : MARK_SIZE) * scale;
      float room = bare ? 0.0f : 3.0f + (float) sign;
      gboolean beside = left >= room
                        || (!cell->locked && room + (float) label->width <= (float) width);
      double below = beside ? 0.0 : SIGN_HEIGHT * scale;
      float top = floorf ((float) MAX ((height - label->height) / 2.0,
                                       MIN (below, height - label->height)));

      if (beside)
        left = MAX (left, room);
      if (label->nodes[light] != NULL)
        {
          if (cell->stale)
            _tare_ink_box (snapshot, &fill, (double) left - 1.0, (double) top + 1.0,
                           label->width + 2.0, label->height - 2.0);
          gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (left, top));
          gtk_snapshot_append_node (snapshot, label->nodes[light]);
        }
    }
  gtk_snapshot_restore (snapshot);
}

/* Keeps the cells of the rows in sight, and as many again, as one node. */
static void
update_cells_node (TareFormatMap *self,
                   guint          first,
                   guint          last)
{
  GtkSnapshot *snapshot;
  guint margin = (last - first) / 2 + 1;

  if (self->cells_node != NULL && first >= self->node_first && last <= self->node_last)
    return;

  g_clear_pointer (&self->cells_node, gsk_render_node_unref);
  self->node_first = first > margin ? first - margin : 0;
  self->node_last = MIN (last + margin, self->n_rows - 1);

  snapshot = gtk_snapshot_new ();
  for (guint row = self->node_first; row <= self->node_last; row++)
    for (guint column = 0; column < self->n_columns; column++)
      {
        guint cell = row * self->n_columns + column;

        if (self->cells[cell].present)
          draw_cell (self, snapshot, cell, column * self->cell_width,
                     _tare_format_map_get_row_top (self, row));
      }
  self->cells_node = gtk_snapshot_free_to_node (snapshot);
}

static gboolean
is_chosen (TareFormatMap *self,
           const guint8  *set,
           int            row,
           int            column)
{
  guint first = (guint) row * self->n_columns;

  return row >= 0 && row < (int) self->n_rows && column >= 0 && column < (int) self->n_columns
         && set[_tare_format_map_is_wide (self, first) ? first : first + (guint) column];
}

/* Draws one line around each group of neighbours, and leaves their inner borders alone. */
static void
draw_outline (TareFormatMap *self,
              GtkSnapshot   *snapshot,
              const guint8  *set,
              const GdkRGBA *color,
              double         thickness)
{
  for (int row = 0; row < (int) self->n_rows; row++)
    for (int column = 0; column < (int) self->n_columns; column++)
      {
        double x = column * self->cell_width;
        double y = _tare_format_map_get_row_top (self, (guint) row);
        double width = self->cell_width, height = self->cell_height;

        if (!is_chosen (self, set, row, column))
          continue;
        if (!is_chosen (self, set, row + 1, column))
          _tare_ink_box (snapshot, color, x - 1.0, y - 1.0, width + 2.0, thickness);
        if (!is_chosen (self, set, row - 1, column))
          _tare_ink_box (snapshot, color, x - 1.0, y + height + 1.0 - thickness,
                         width + 2.0, thickness);
        if (!is_chosen (self, set, row, column - 1))
          _tare_ink_box (snapshot, color, x - 1.0, y - 1.0, thickness, height + 2.0);
        if (!is_chosen (self, set, row, column + 1))
          _tare_ink_box (snapshot, color, x + width + 1.0 - thickness, y - 1.0,
                         thickness, height + 2.0);
      }
}

static void
draw_overlays (TareFormatMap *self,
               GtkSnapshot   *snapshot)
{
  GtkStateFlags state = gtk_widget_get_state_flags (GTK_WIDGET (self));
  GdkRGBA line = self->ink.foreground, around = self->ink.background;
  guint n = self->n_rows * self->n_columns;

  line.alpha = around.alpha = 1.0f;
  if (self->drag == DRAG_PAINT)
    draw_outline (self, snapshot, self->stroke, &self->ink.accent, 3.0);

  draw_outline (self, snapshot, self->selected, &around, 3.0);
  draw_outline (self, snapshot, self->selected, &line, 2.0);

  if (self->hover < n && self->cells[self->hover].present)
    _tare_ink_ring (snapshot, self->brush ? &self->ink.accent : &line,
                    self->hover % self->n_columns * self->cell_width + GAP,
                    _tare_format_map_get_row_top (self, self->hover / self->n_columns) + GAP,
                    _tare_format_map_get_width (self, self->hover) - 2 * GAP,
                    self->cell_height - 2 * GAP, 1.0);

  if (self->cursor < n && (state & GTK_STATE_FLAG_FOCUS_VISIBLE) != 0)
    {
      double x = self->cursor % self->n_columns * self->cell_width;
      double y = _tare_format_map_get_row_top (self, self->cursor / self->n_columns);
      double width = _tare_format_map_get_width (self, self->cursor);

      _tare_ink_ring (snapshot, &around, x + 1.0, y + 1.0, width - 2.0, self->cell_height - 2.0,
                      1.0);
      _tare_ink_ring (snapshot, &self->ink.accent, x + 2.0, y + 2.0, width - 4.0,
                      self->cell_height - 4.0, 2.0);
    }
}

static void
draw_columns (TareFormatMap *self,
              GtkSnapshot   *snapshot,
              int            width)
{
  double scroll = _tare_format_map_get_scroll (self, GTK_ORIENTATION_HORIZONTAL);

  gtk_snapshot_push_clip (snapshot,
                          &GRAPHENE_RECT_INIT (self->label_width, 0,
                                               MAX (0, width - self->label_width),
                                               self->header_height));
  for (guint column = 0; column < self->n_columns; column++)
    {
      Text *text = get_text (self, self->columns[column]);
      gboolean here = self->cursor < self->n_rows * self->n_columns
                      && self->cursor % self->n_columns == column
                      && !_tare_format_map_is_wide (self, self->cursor);
      const GdkRGBA *color = here ? &self->ink.foreground : &self->ink.dim;
      double x = self->label_width + column * self->cell_width - scroll;

      gtk_snapshot_save (snapshot);
      if (self->rotated)
        {
          x += (self->cell_width - text->height) / 2.0;
          gtk_snapshot_translate (snapshot,
                                  &GRAPHENE_POINT_INIT ((float) floor (x),
                                                        self->header_height - PADDING / 2.0f));
          gtk_snapshot_rotate (snapshot, -90.0f);
          draw_text (self, snapshot, self->columns[column], color, 0.0, 0.0);
        }
      else
        draw_text (self, snapshot, self->columns[column], color,
                   floor (x + (self->cell_width - text->width) / 2.0), PADDING / 2.0);
      gtk_snapshot_restore (snapshot);
    }
  gtk_snapshot_pop (snapshot);
}

static void
draw_rows (TareFormatMap *self,
           GtkSnapshot   *snapshot,
           guint          first,
           guint          last,
           int            height)
{
  double scroll = _tare_format_map_get_scroll (self, GTK_ORIENTATION_VERTICAL);

  gtk_snapshot_push_clip (snapshot,
                          &GRAPHENE_RECT_INIT (0, self->header_height, self->label_width,
                                               height));
  for (guint row = first; row <= last; row++)
    {
      Text *text = get_text (self, self->rows[row]);
      gboolean here = self->cursor < self->n_rows * self->n_columns
                      && self->cursor / self->n_columns == row;
      double y = self->header_height + _tare_format_map_get_row_top (self, row) - scroll;

      draw_text (self, snapshot, self->rows[row],
                 here ? &self->ink.foreground : &self->ink.dim,
                 self->label_width - PADDING - text->width,
                 floor (y + (self->cell_height - text->height) / 2.0));
    }
  gtk_snapshot_pop (snapshot);
}

static void
draw_strip (TareFormatMap *self,
            GtkSnapshot   *snapshot,
            double         x,
            double         y,
            double         height)
{
  GskColorStop stops[LEGEND_STOPS];
  graphene_rect_t area = GRAPHENE_RECT_INIT ((float) x, (float) y, LEGEND_STRIP, (float) height);

  for (guint i = 0; i < LEGEND_STOPS; i++)
    {
      stops[i].offset = (float) i / (LEGEND_STOPS - 1.0f);
      find_color (self, (double) stops[i].offset, &stops[i].color);
    }
  gtk_snapshot_append_linear_gradient (snapshot, &area,
                                       &GRAPHENE_POINT_INIT ((float) x, (float) y),
                                       &GRAPHENE_POINT_INIT ((float) x + LEGEND_STRIP, (float) y),
                                       stops, LEGEND_STOPS);
}

typedef struct
{
  int x;
  int y;
  int width;
} Flow;

/* Finds room for @width pixels, on the next line if need be. */
static void
flow_next (Flow *flow,
           int   width,
           int   line)
{
  if (flow->x > PADDING && flow->x + width > flow->width)
    {
      flow->x = PADDING;
      flow->y += line;
    }
}

/* Whether a cell has more than the last colour stands for. */
static gboolean
reaches_beyond (TareFormatMap *self)
{
  for (guint i = 0; i < self->n_rows * self->n_columns; i++)
    if (self->cells[i].present && self->cells[i].value > self->maximum)
      return TRUE;

  return FALSE;
}

static void
lay_scale (TareFormatMap *self,
           GtkSnapshot   *snapshot,
           Flow          *flow)
{
  char numbers[2][TARE_TICK_LABEL_SIZE];
  int width;

  tare_ticks_format_exact (self->minimum, numbers[0]);
  tare_ticks_format_exact (self->maximum, numbers[1]);
  if (reaches_beyond (self))
    g_strlcat (numbers[1], "+", sizeof numbers[1]);
  width = get_text (self, numbers[0])->width + LEGEND_STRIP + 2 * PADDING;
  width += get_text (self, numbers[1])->width;

  if (snapshot != NULL)
    {
      double x = flow->x;

      draw_text (self, snapshot, numbers[0], &self->ink.dim, x, flow->y);
      x += get_text (self, numbers[0])->width + PADDING;
      draw_strip (self, snapshot, x, flow->y + 3.0, self->text_height - 6.0);
      draw_text (self, snapshot, numbers[1], &self->ink.dim, x + LEGEND_STRIP + PADDING, flow->y);
    }
  flow->x += width + PADDING;
  if (self->unit == NULL)
    return;

  width = get_text (self, self->unit)->width;
  flow_next (flow, width, self->text_height + 4);
  if (snapshot != NULL)
    draw_text (self, snapshot, self->unit, &self->ink.dim, flow->x, flow->y);
  flow->x += width + 2 * PADDING;
}

static void
lay_sign (TareFormatMap  *self,
          GtkSnapshot    *snapshot,
          Flow           *flow,
          TareFormatMark  mark,
          const char     *name)
{
  const int sign = 12 * get_sign_scale (self);
  int line = self->text_height + 4;
  int width = sign + 4 + get_text (self, name)->width;

  flow_next (flow, width, line);
  if (snapshot != NULL)
    {
      double middle = flow->y + self->text_height / 2.0;

      if (mark != TARE_FORMAT_MARK_NONE)
        draw_mark (self, snapshot, mark, &self->ink.dim, flow->x + sign / 3,
                   floor (middle - sign / 6));
      else
        {
          GskRenderNode *hatch = make_hatch (&self->ink.foreground, sign, sign);

          gtk_snapshot_save (snapshot);
          gtk_snapshot_translate (snapshot,
                                  &GRAPHENE_POINT_INIT (flow->x,
                                                        (float) floor (middle - sign / 2.0)));
          gtk_snapshot_append_node (snapshot, hatch);
          _tare_ink_ring (snapshot, &self->ink.grid, 0.0, 0.0, sign, sign, 1.0);
          gtk_snapshot_restore (snapshot);
          gsk_render_node_unref (hatch);
        }
      draw_text (self, snapshot, name, &self->ink.dim, flow->x + sign + 4, flow->y);
    }
  flow->x += width + 2 * PADDING;
}

/* Draws the legend, or only finds how high it is where @snapshot is NULL. */
int
_tare_format_map_lay_legend (TareFormatMap *self,
                             GtkSnapshot   *snapshot,
                             int            width,
                             int            top)
{
  Flow flow = { PADDING, top + PADDING, width };

  if (!(self->maximum > self->minimum) || self->n_rows == 0)
    return 0;

  lay_scale (self, snapshot, &flow);
  for (TareFormatMark mark = TARE_FORMAT_MARK_DOT; mark < TARE_FORMAT_MARK_N; mark++)
    if (self->mark_names[mark] != NULL)
      lay_sign (self, snapshot, &flow, mark, self->mark_names[mark]);
  if (self->stale_name != NULL)
    lay_sign (self, snapshot, &flow, TARE_FORMAT_MARK_NONE, self->stale_name);

  return flow.y - top + self->text_height + PADDING;
}

void
_tare_format_map_snapshot (GtkWidget   *widget,
                           GtkSnapshot *snapshot)
{
  TareFormatMap *self = (TareFormatMap *) widget;
  double left = _tare_format_map_get_scroll (self, GTK_ORIENTATION_HORIZONTAL);
  double top = _tare_format_map_get_scroll (self, GTK_ORIENTATION_VERTICAL);
  int width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);
  int inner = MIN (height - self->header_height - self->legend_height,
                   (int) self->n_rows * self->cell_height + _tare_format_map_get_gaps (self));
  guint first, last;

  if (self->n_rows == 0 || self->n_columns == 0 || inner <= 0 || self->cell_height <= 0)
    return;

  /* Row 0 is at the bottom. */
  last = _tare_format_map_get_row_at (self, top, NULL);
  first = _tare_format_map_get_row_at (self, top + inner - 1.0, NULL);
  update_cells_node (self, first, last);

  /* One pixel more all around, for the outline of the cells at the border. */
  gtk_snapshot_push_clip (snapshot,
                          &GRAPHENE_RECT_INIT (self->label_width - 2, self->header_height - 2,
                                               MAX (0, width - self->label_width + 2),
                                               inner + 4));
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot,
                          &GRAPHENE_POINT_INIT ((float) (self->label_width - left),
                                                (float) (self->header_height - top)));
  if (self->cells_node != NULL)
    gtk_snapshot_append_node (snapshot, self->cells_node);
  draw_overlays (self, snapshot);
  gtk_snapshot_restore (snapshot);
  gtk_snapshot_pop (snapshot);

  _tare_format_map_draw_breaks (self, snapshot, self->header_height + inner);
  draw_columns (self, snapshot, width);
  draw_rows (self, snapshot, first, last, inner);
  _tare_format_map_draw_row_names (self, snapshot, width, inner);
  _tare_format_map_lay_legend (self, snapshot, width, self->header_height + inner);
}
