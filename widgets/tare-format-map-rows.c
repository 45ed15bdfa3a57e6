/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-format-map-private.h"

#include <math.h>
#include <string.h>

/* Above and below the name of a section, in pixels. */
#define PADDING 3

/* The height of one gap between sections. */
static int
get_gap (TareFormatMap *self)
{
  return self->text_height + 2 * PADDING;
}

/**
 * tare_format_map_set_row_breaks:
 * @self: the map
 * @rows: (nullable) (array length=n): rows over which a section ends, in rising order; none of
 *   them the last
 * @names: (nullable) (array length=n): what stands over each of these sections
 * @n: how many
 *
 * Parts the rows into sections, such as weights from activations, with a gap between them. Drags,
 * strokes of the brush, labels and Control+A stay within one. A new shape has none.
 */
void
tare_format_map_set_row_breaks (TareFormatMap     *self,
                                const guint       *rows,
                                const char *const *names,
                                guint              n)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail ((rows != NULL && names != NULL) || n == 0);

  for (guint i = 0; i < n; i++)
    g_return_if_fail (rows[i] + 1 < self->n_rows && (i == 0 || rows[i] > rows[i - 1]));

  g_clear_pointer (&self->row_breaks, g_free);
  g_clear_pointer (&self->row_names, g_strfreev);
  self->n_row_breaks = n;
  if (n > 0)
    {
      self->row_breaks = g_memdup2 (rows, n * sizeof *rows);
      self->row_names = g_new0 (char *, n + 1);
      for (guint i = 0; i < n; i++)
        self->row_names[i] = g_strdup (names[i]);
    }
  _tare_format_map_drop_cells (self);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

/**
 * tare_format_map_set_wide_rows:
 * @self: the map
 * @rows: (nullable) (array length=n): rows whose first cell, the only one they have, stands in no
 *   column
 * @n: how many
 *
 * Such a cell is as wide as the row. Labels of columns do not select it. A new shape has none.
 */
void
tare_format_map_set_wide_rows (TareFormatMap *self,
                               const guint   *rows,
                               guint          n)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail (rows != NULL || n == 0);

  for (guint i = 0; i < n; i++)
    g_return_if_fail (rows[i] < self->n_rows);

  g_free (self->wide);
  self->wide = n > 0 ? g_new0 (guint8, self->n_rows) : NULL;
  for (guint i = 0; i < n; i++)
    self->wide[rows[i]] = TRUE;
  _tare_format_map_drop_cells (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* Whether a cell is of a row that is one cell. */
gboolean
_tare_format_map_is_wide (TareFormatMap *self,
                          guint          cell)
{
  return self->wide != NULL && self->wide[cell / self->n_columns] != 0;
}

/* Of a cell, in pixels. */
int
_tare_format_map_get_width (TareFormatMap *self,
                            guint          cell)
{
  return _tare_format_map_is_wide (self, cell) ? (int) self->n_columns * self->cell_width
                                               : self->cell_width;
}

/**
 * tare_format_map_get_section:
 * @self: the map
 * @row: a row
 * @first: (out): the first row of its section
 * @last: (out): the last row of it
 */
void
tare_format_map_get_section (TareFormatMap *self,
                             guint          row,
                             guint         *first,
                             guint         *last)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail (row < self->n_rows);

  *first = 0;
  *last = self->n_rows - 1;
  for (guint i = 0; i < self->n_row_breaks; i++)
    if (self->row_breaks[i] < row)
      *first = self->row_breaks[i] + 1;
    else
      {
        *last = self->row_breaks[i];
        break;
      }
}

/* Where a row begins, from the top of the first that is drawn. */
int
_tare_format_map_get_row_top (TareFormatMap *self,
                              guint          row)
{
  int top = (int) (self->n_rows - 1 - row) * self->cell_height;

  for (guint i = self->n_row_breaks; i > 0 && self->row_breaks[i - 1] >= row; i--)
    top += get_gap (self);

  return top;
}

/* The row at some height, from the top of the first that is drawn; the one below where it is
 * @between two sections, the last there is beyond them. */
guint
_tare_format_map_get_row_at (TareFormatMap *self,
                             double         y,
                             gboolean      *between)
{
  guint row = self->n_rows - 1;
  gboolean gap = y < 0.0;

  for (guint i = self->n_row_breaks; i > 0; i--)
    {
      int top = _tare_format_map_get_row_top (self, self->row_breaks[i - 1]);

      if (y < top - get_gap (self))
        break;
      row = self->row_breaks[i - 1];
      gap = y < top;
    }
  if (!gap && self->cell_height > 0)
    {
      double below = floor ((y - _tare_format_map_get_row_top (self, row)) / self->cell_height);

      gap = below > row;
      row = gap ? 0 : row - (guint) below;
    }
  if (between != NULL)
    *between = gap;

  return row;
}

/* The heights of all gaps together. */
int
_tare_format_map_get_gaps (TareFormatMap *self)
{
  return (int) self->n_row_breaks * get_gap (self);
}

/* The names of the sections, where the gaps over them are in sight. */
void
_tare_format_map_draw_row_names (TareFormatMap *self,
                                 GtkSnapshot   *snapshot,
                                 int            width,
                                 int            height)
{
  double scroll = _tare_format_map_get_scroll (self, GTK_ORIENTATION_VERTICAL);
  g_autoptr(PangoLayout) layout = NULL;

  if (self->n_row_breaks == 0)
    return;

  layout = gtk_widget_create_pango_layout (GTK_WIDGET (self), NULL);
  pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_END);
  pango_layout_set_width (layout, MAX (width - 4 * PADDING, 0) * PANGO_SCALE);
  gtk_snapshot_push_clip (snapshot,
                          &GRAPHENE_RECT_INIT (0, (float) self->header_height, (float) width,
                                               (float) height));
  for (guint i = 0; i < self->n_row_breaks; i++)
    {
      double y = self->header_height - scroll - get_gap (self)
                 + _tare_format_map_get_row_top (self, self->row_breaks[i]);

      if (y + get_gap (self) < self->header_height || y > self->header_height + height)
        continue;
      pango_layout_set_text (layout, self->row_names[i] != NULL ? self->row_names[i] : "", -1);
      _tare_ink_box (snapshot, &self->ink.grid, 2 * PADDING, floor (y), width - 4 * PADDING, 1.0);
      gtk_snapshot_save (snapshot);
      gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (2 * PADDING,
                                                              (float) floor (y) + PADDING));
      gtk_snapshot_append_layout (snapshot, layout, &self->ink.dim);
      gtk_snapshot_restore (snapshot);
    }
  gtk_snapshot_pop (snapshot);
}

/* Takes out of a set of cells those that are not in the section of a row. */
void
_tare_format_map_keep_section (TareFormatMap *self,
                               guint8        *cells,
                               guint          row)
{
  guint first, last;

  tare_format_map_get_section (self, row, &first, &last);
  memset (cells, 0, first * self->n_columns);
  memset (cells + (last + 1) * self->n_columns, 0,
          (self->n_rows - 1 - last) * self->n_columns);
}
