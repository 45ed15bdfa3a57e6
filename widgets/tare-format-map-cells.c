/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-format-map-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "widgets/tare-ticks.h"

static guint
n_cells (TareFormatMap *self)
{
  return self->n_rows * self->n_columns;
}

static void
clear_cell (Cell *cell)
{
  g_clear_pointer (&cell->label, g_ref_string_release);
  g_clear_pointer (&cell->tooltip, g_free);
}

/* Gives up all cells and all that is chosen among them. */
void
_tare_format_map_clear (TareFormatMap *self)
{
  for (guint i = 0; i < n_cells (self); i++)
    clear_cell (&self->cells[i]);

  g_clear_pointer (&self->cells, g_free);
  g_clear_pointer (&self->selected, g_free);
  g_clear_pointer (&self->before, g_free);
  g_clear_pointer (&self->stroke, g_free);
  g_clear_pointer (&self->rows, g_strfreev);
  g_clear_pointer (&self->columns, g_strfreev);
  g_clear_pointer (&self->tooltips, g_strfreev);
  g_clear_pointer (&self->row_breaks, g_free);
  g_clear_pointer (&self->row_names, g_strfreev);
  g_clear_pointer (&self->wide, g_free);
  self->n_row_breaks = 0;
  self->n_rows = self->n_columns = 0;
  self->cursor = self->anchor = self->hover = TARE_FORMAT_MAP_NO_CELL;
  self->drag = DRAG_NONE;
}

/* What a cell shows, in words and exact figures. */
char *
_tare_format_map_describe (TareFormatMap *self,
                           guint          cell)
{
  const Cell *it = &self->cells[cell];
  const char *column = _tare_format_map_is_wide (self, cell) ? NULL
                       : self->tooltips != NULL ? self->tooltips[cell % self->n_columns]
                                                : self->columns[cell % self->n_columns];
  char number[TARE_TICK_LABEL_SIZE];
  GString *string;

  if (it->tooltip != NULL)
    return g_strdup (it->tooltip);

  string = g_string_new (self->rows[cell / self->n_columns]);
  if (column != NULL)
    g_string_append_printf (string, " · %s", column);
  if (!isnan (it->value))
    {
      tare_ticks_format_exact (it->value, number);
      g_string_append_printf (string, "\n%s %s", number, self->unit != NULL ? self->unit : "");
    }
  if (it->locked)
    g_string_append_printf (string, "\n%s", _("Locked"));

  return g_string_free (string, FALSE);
}

static void
update_description (TareFormatMap *self)
{
  g_autofree char *text = NULL;
  g_autofree char *cell = NULL;
  guint n = 0;

  for (guint i = 0; i < n_cells (self); i++)
    n += self->selected[i];

  if (self->cursor < n_cells (self))
    cell = _tare_format_map_describe (self, self->cursor);

  text = g_strdup_printf (g_dngettext (GETTEXT_PACKAGE,
                                       "%s. %u cell selected, %u blocks by %u roles",
                                       "%s. %u cells selected, %u blocks by %u roles", n),
                          cell != NULL ? cell : _("No cell"), n, self->n_rows, self->n_columns);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self),
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
}

static void
scroll_to (TareFormatMap *self,
           guint          cell)
{
  int frames[2] = { self->label_width, self->header_height + self->legend_height };
  int sizes[2] = { self->cell_width, self->cell_height };
  int begins[2];

  if (cell >= n_cells (self))
    return;

  begins[0] = (int) (cell % self->n_columns) * self->cell_width;
  begins[1] = _tare_format_map_get_row_top (self, cell / self->n_columns);
  for (guint i = 0; i < 2; i++)
    if (self->adjustments[i] != NULL)
      {
        double value = gtk_adjustment_get_value (self->adjustments[i]);
        double inner = gtk_adjustment_get_page_size (self->adjustments[i]) - frames[i];
        double begin = begins[i];

        if (begin < value)
          gtk_adjustment_set_value (self->adjustments[i], begin);
        else if (begin + sizes[i] > value + inner)
          gtk_adjustment_set_value (self->adjustments[i], begin + sizes[i] - inner);
      }
}

/* Takes over a selection, and tells of it if it is another one. */
void
_tare_format_map_select (TareFormatMap *self,
                         const guint8  *selected)
{
  if (n_cells (self) == 0 || memcmp (self->selected, selected, n_cells (self)) == 0)
    return;

  memcpy (self->selected, selected, n_cells (self));
  update_description (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  _tare_format_map_emit_selection (self);
}

void
_tare_format_map_set_cursor (TareFormatMap *self,
                             guint          cell)
{
  scroll_to (self, cell);
  if (self->cursor == cell)
    return;

  self->cursor = cell;
  update_description (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/**
 * tare_format_map_set_shape:
 * @self: the map
 * @rows: names of the rows in the order that data flows, the first of them drawn at the bottom
 * @columns: short names of the columns
 * @tooltips: (nullable): what the columns' names stand for, as many
 *
 * Begins anew, with no cell present and nothing selected. Cells are numbered
 * row * columns + column.
 */
void
tare_format_map_set_shape (TareFormatMap     *self,
                           const char *const *rows,
                           const char *const *columns,
                           const char *const *tooltips)
{
  gboolean had_selection = FALSE;

  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail (rows != NULL && columns != NULL);
  g_return_if_fail (tooltips == NULL
                    || g_strv_length ((char **) tooltips) == g_strv_length ((char **) columns));

  for (guint i = 0; i < n_cells (self); i++)
    had_selection |= self->selected[i];

  _tare_format_map_clear (self);
  self->rows = g_strdupv ((char **) rows);
  self->columns = g_strdupv ((char **) columns);
  self->tooltips = g_strdupv ((char **) tooltips);
  self->n_rows = g_strv_length (self->rows);
  self->n_columns = g_strv_length (self->columns);
  self->cells = g_new0 (Cell, n_cells (self));
  self->selected = g_new0 (guint8, n_cells (self));
  self->before = g_new0 (guint8, n_cells (self));
  self->stroke = g_new0 (guint8, n_cells (self));

  _tare_format_map_drop_cells (self);
  update_description (self);
  gtk_widget_queue_resize (GTK_WIDGET (self));
  if (had_selection)
    _tare_format_map_emit_selection (self);
}

/**
 * tare_format_map_get_rows:
 * @self: the map
 *
 * Returns: how many rows it has
 */
guint
tare_format_map_get_rows (TareFormatMap *self)
{
  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), 0);

  return self->n_rows;
}

/**
 * tare_format_map_get_columns:
 * @self: the map
 *
 * Returns: how many columns it has
 */
guint
tare_format_map_get_columns (TareFormatMap *self)
{
  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), 0);

  return self->n_columns;
}

/* Takes over a cell; TRUE if its text changed and the sizes may have to. */
static gboolean
put_cell (TareFormatMap        *self,
          guint                 index,
          const TareFormatCell *value)
{
  Cell *cell = &self->cells[index];
  gboolean resized = g_strcmp0 (cell->label, value->label) != 0;

  clear_cell (cell);
  cell->present = value->present != FALSE;
  cell->locked = value->locked != FALSE;
  cell->stale = value->stale != FALSE;
  cell->mark = value->mark;
  cell->folded = value->folded;
  cell->value = value->value;
  cell->tooltip = g_strdup (value->tooltip);
  cell->label = value->label != NULL ? g_ref_string_new_intern (value->label) : NULL;
  if (!cell->present)
    self->selected[index] = FALSE;

  return resized;
}

static void
cells_changed (TareFormatMap *self,
               gboolean       texts)
{
  int least = self->least_width;

  _tare_format_map_drop_cells (self);
  if (texts)
    _tare_format_map_measure (self);
  if (least != self->least_width)
    gtk_widget_queue_resize (GTK_WIDGET (self));
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/**
 * tare_format_map_set_cells:
 * @self: the map
 * @cells: (array length=n): all of its cells, row after row from the first
 * @n: rows times columns
 */
void
tare_format_map_set_cells (TareFormatMap        *self,
                           const TareFormatCell *cells,
                           guint                 n)
{
  g_autofree guint8 *before = NULL;
  gboolean texts = FALSE;

  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail (n == n_cells (self));

  before = g_memdup2 (self->selected, n);
  for (guint i = 0; i < n; i++)
    texts |= put_cell (self, i, &cells[i]);

  cells_changed (self, texts);
  if (n > 0 && memcmp (before, self->selected, n) != 0)
    _tare_format_map_emit_selection (self);
}

/**
 * tare_format_map_set_cell:
 * @self: the map
 * @cell: which: row times columns plus column
 * @value: what it shows
 */
void
tare_format_map_set_cell (TareFormatMap        *self,
                          guint                 cell,
                          const TareFormatCell *value)
{
  gboolean was_selected;

  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail (cell < n_cells (self));

  was_selected = self->selected[cell];
  cells_changed (self, put_cell (self, cell, value));
  if (was_selected && !self->selected[cell])
    _tare_format_map_emit_selection (self);
}

/**
 * tare_format_map_set_scale:
 * @self: the map
 * @minimum: the value of the first colour
 * @maximum: the value of the last
 * @unit: (nullable): what the values are, for the legend
 *
 * Without a span there is no legend and every cell has the same colour.
 */
void
tare_format_map_set_scale (TareFormatMap *self,
                           double         minimum,
                           double         maximum,
                           const char    *unit)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));

  if (!isfinite (minimum) || !isfinite (maximum))
    minimum = maximum = 0.0;
  if (self->minimum == minimum && self->maximum == maximum && g_strcmp0 (self->unit, unit) == 0)
    return;

  self->minimum = minimum;
  self->maximum = maximum;
  g_free (self->unit);
  self->unit = g_strdup (unit);
  _tare_format_map_drop_cells (self);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

/**
 * tare_format_map_set_calm:
 * @self: the map
 * @calm: whether cells with the most, which are nearly all of them where nothing was done, are to
 *   be dark on a dark background too, as is right for bits; else more always stands out more
 */
void
tare_format_map_set_calm (TareFormatMap *self,
                          gboolean       calm)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));

  calm = calm != FALSE;
  if (self->calm == calm)
    return;

  self->calm = calm;
  _tare_format_map_drop_cells (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/**
 * tare_format_map_set_mark_name:
 * @self: the map
 * @mark: a mark other than %TARE_FORMAT_MARK_NONE
 * @name: (nullable): what the legend calls it; %NULL leaves it out
 */
void
tare_format_map_set_mark_name (TareFormatMap  *self,
                               TareFormatMark  mark,
                               const char     *name)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail (mark > TARE_FORMAT_MARK_NONE && mark < TARE_FORMAT_MARK_N);

  if (g_strcmp0 (self->mark_names[mark], name) == 0)
    return;

  g_free (self->mark_names[mark]);
  self->mark_names[mark] = g_strdup (name);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

/**
 * tare_format_map_set_stale_name:
 * @self: the map
 * @name: (nullable): what the legend says that hatching means; %NULL leaves it out
 */
void
tare_format_map_set_stale_name (TareFormatMap *self,
                                const char    *name)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));

  if (g_strcmp0 (self->stale_name, name) == 0)
    return;

  g_free (self->stale_name);
  self->stale_name = g_strdup (name);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

/**
 * tare_format_map_dup_selection:
 * @self: the map
 * @n: (out): how many cells are selected
 *
 * Returns: (transfer full) (array length=n): those cells in rising order; g_free() it
 */
guint *
tare_format_map_dup_selection (TareFormatMap *self,
                               guint         *n)
{
  guint *cells;

  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self) && n != NULL, NULL);

  cells = g_new (guint, MAX (1, n_cells (self)));
  *n = 0;
  for (guint i = 0; i < n_cells (self); i++)
    if (self->selected[i])
      cells[(*n)++] = i;

  return cells;
}

/**
 * tare_format_map_set_selection:
 * @self: the map
 * @cells: (array length=n): what to select; cells that are not present are left out
 * @n: how many
 *
 * Tells of it only if that is another selection, so two views may set each other's.
 */
void
tare_format_map_set_selection (TareFormatMap *self,
                               const guint   *cells,
                               guint          n)
{
  g_autofree guint8 *selected = NULL;
  guint only = TARE_FORMAT_MAP_NO_CELL;

  g_return_if_fail (TARE_IS_FORMAT_MAP (self));

  selected = g_new0 (guint8, MAX (1, n_cells (self)));
  for (guint i = 0; i < n; i++)
    if (cells[i] < n_cells (self) && self->cells[cells[i]].present)
      {
        selected[cells[i]] = TRUE;
        only = cells[i];
      }

  if (n == 1 && only != TARE_FORMAT_MAP_NO_CELL && self->cursor != only)
    {
      self->anchor = only;
      _tare_format_map_set_cursor (self, only);
    }
  _tare_format_map_select (self, selected);
}

/**
 * tare_format_map_is_selected:
 * @self: the map
 * @cell: a cell
 *
 * Returns: whether it is selected
 */
gboolean
tare_format_map_is_selected (TareFormatMap *self,
                             guint          cell)
{
  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), FALSE);

  return cell < n_cells (self) && self->selected[cell];
}

/**
 * tare_format_map_select_all:
 * @self: the map
 *
 * Selects all cells of the section that the cursor is in, of the last where there is no cursor.
 */
void
tare_format_map_select_all (TareFormatMap *self)
{
  g_autofree guint8 *selected = NULL;

  g_return_if_fail (TARE_IS_FORMAT_MAP (self));

  selected = g_new0 (guint8, MAX (1, n_cells (self)));
  for (guint i = 0; i < n_cells (self); i++)
    selected[i] = self->cells[i].present;
  if (n_cells (self) > 0)
    _tare_format_map_keep_section (self, selected,
                                   self->cursor < n_cells (self) ? self->cursor / self->n_columns
                                                                 : self->n_rows - 1);
  _tare_format_map_select (self, selected);
}

/**
 * tare_format_map_unselect_all:
 * @self: the map
 */
void
tare_format_map_unselect_all (TareFormatMap *self)
{
  tare_format_map_set_selection (self, NULL, 0);
}

/**
 * tare_format_map_get_cursor:
 * @self: the map
 *
 * Returns: the cell from which the keyboard goes on, or %TARE_FORMAT_MAP_NO_CELL
 */
guint
tare_format_map_get_cursor (TareFormatMap *self)
{
  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), TARE_FORMAT_MAP_NO_CELL);

  return self->cursor;
}

/**
 * tare_format_map_set_cursor:
 * @self: the map
 * @cell: a cell that is present; brought into sight
 */
void
tare_format_map_set_cursor (TareFormatMap *self,
                            guint          cell)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));
  g_return_if_fail (cell < n_cells (self) && self->cells[cell].present);

  self->anchor = cell;
  _tare_format_map_set_cursor (self, cell);
}
