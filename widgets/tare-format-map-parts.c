/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-format-map-private.h"

#include <math.h>

/* What is opened is about as wide as it is high, and no wider than this many cells. */
#define MOST_COLUMNS 16

/* The size of a cell that is opened, in pixels. */
#define PART_WIDTH 44
#define PART_HEIGHT 30

static void
closed_cb (TareFormatMap *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self));
}

/* Names of the rows and columns: the number of the first part of a row, and how many follow it. */
static char **
number (guint n,
        guint step)
{
  char **names = g_new0 (char *, n + 1);

  for (guint i = 0; i < n; i++)
    names[i] = g_strdup_printf ("%u", i * step);

  return names;
}

/* The map reads upwards from its first row, and so do the parts. */
static void
fill (TareFormatMap        *map,
      const TareFormatCell *parts,
      guint                 n)
{
  guint columns = MIN ((guint) ceil (sqrt (n)), MOST_COLUMNS);
  guint rows = (n + columns - 1) / columns;
  g_auto(GStrv) row_names = number (rows, columns);
  g_auto(GStrv) column_names = number (columns, 1);
  g_autofree TareFormatCell *cells = g_new0 (TareFormatCell, rows * columns);

  for (guint i = 0; i < rows * columns; i++)
    cells[i] = i < n ? parts[i] : (TareFormatCell) { .value = (double) NAN };
  tare_format_map_set_shape (map, (const char *const *) row_names,
                             (const char *const *) column_names, NULL);
  tare_format_map_set_cells (map, cells, rows * columns);
  gtk_widget_set_size_request (GTK_WIDGET (map), (int) columns * PART_WIDTH + PART_WIDTH,
                               (int) rows * PART_HEIGHT + 2 * PART_HEIGHT);
}

/**
 * tare_format_map_open_parts:
 * @self: the map
 * @cell: a cell that is present
 * @parts: (array length=n): what the things look like that are folded into it, such as experts
 * @n: how many, at least one
 *
 * Opens a cell: a popover beside it with a map of its parts, part i in its cell i, by the colours
 * of this one. Opening another cell closes it.
 *
 * Returns: (transfer none): the map of the parts, whose signals tell what is done with them
 */
TareFormatMap *
tare_format_map_open_parts (TareFormatMap        *self,
                            guint                 cell,
                            const TareFormatCell *parts,
                            guint                 n)
{
  TareFormatMap *map;
  GdkRectangle area;

  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), NULL);
  g_return_val_if_fail (parts != NULL && n > 0, NULL);
  g_return_val_if_fail (tare_format_map_get_cell_area (self, cell, &area), NULL);

  g_clear_pointer (&self->popover, gtk_widget_unparent);
  map = TARE_FORMAT_MAP (tare_format_map_new ());
  tare_format_map_set_scale (map, self->minimum, self->maximum, NULL);
  tare_format_map_set_calm (map, self->calm);
  fill (map, parts, n);

  self->popover = gtk_popover_new ();
  gtk_widget_set_parent (self->popover, GTK_WIDGET (self));
  gtk_popover_set_child (GTK_POPOVER (self->popover), GTK_WIDGET (map));
  gtk_popover_set_pointing_to (GTK_POPOVER (self->popover), &area);
  g_signal_connect_object (self->popover, "closed", G_CALLBACK (closed_cb), self,
                           G_CONNECT_SWAPPED);
  gtk_popover_popup (GTK_POPOVER (self->popover));
  gtk_widget_grab_focus (GTK_WIDGET (map));

  return map;
}

/**
 * tare_format_map_set_breaks:
 * @self: the map
 * @columns: (nullable) (array length=n): columns before which a line parts two groups, such as
 *   weights from activations and the cache
 * @n: how many
 */
void
tare_format_map_set_breaks (TareFormatMap *self,
                            const guint   *columns,
                            guint          n)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail (columns != NULL || n == 0);

  g_free (self->breaks);
  self->breaks = n > 0 ? g_memdup2 (columns, n * sizeof *columns) : NULL;
  self->n_breaks = n;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* The lines between groups of columns, over the whole height of @height. */
void
_tare_format_map_draw_breaks (TareFormatMap *self,
                              GtkSnapshot   *snapshot,
                              int            height)
{
  double scroll = _tare_format_map_get_scroll (self, GTK_ORIENTATION_HORIZONTAL);

  for (guint i = 0; i < self->n_breaks; i++)
    {
      double x = self->label_width + (double) self->breaks[i] * self->cell_width - scroll;

      if (x >= self->label_width && self->breaks[i] < self->n_columns)
        _tare_ink_box (snapshot, &self->ink.dim, floor (x) - 1.0, 0.0, 2.0, height);
    }
}
