/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-format-map-private.h"

#include <math.h>
#include <string.h>

static guint
n_cells (TareFormatMap *self)
{
  return self->n_rows * self->n_columns;
}

static guint
get_column (TareFormatMap *self,
            double         x)
{
  double column = floor ((x - self->label_width
                          + _tare_format_map_get_scroll (self, GTK_ORIENTATION_HORIZONTAL))
                         / self->cell_width);

  return (guint) CLAMP (column, 0.0, self->n_columns - 1.0);
}

/* The grid's cell nearest to a point, present or not. */
static guint
nearest_cell (TareFormatMap *self,
              double         x,
              double         y)
{
  double top = _tare_format_map_get_scroll (self, GTK_ORIENTATION_VERTICAL);
  guint first = _tare_format_map_get_row_at (self, y - self->header_height + top, NULL)
                * self->n_columns;

  if (_tare_format_map_is_wide (self, first))
    return first;

  return first + get_column (self, x);
}

/* Selects the rectangle between two cells, on top of @base if there is one; no more of either than
 * the section of the first. */
static void
select_rectangle (TareFormatMap *self,
                  guint          from,
                  guint          to,
                  const guint8  *base)
{
  g_autofree guint8 *selected = g_new0 (guint8, n_cells (self));
  guint rows[2] = { from / self->n_columns, to / self->n_columns };
  guint columns[2] = { from % self->n_columns, to % self->n_columns };

  /* What stands in no column reaches over those of the other. */
  for (guint i = 0; i < 2; i++)
    if (_tare_format_map_is_wide (self, i == 0 ? from : to))
      columns[i] = columns[1 - i];

  if (base != NULL)
    memcpy (selected, base, n_cells (self));

  for (guint row = MIN (rows[0], rows[1]); row <= MAX (rows[0], rows[1]); row++)
    {
      guint first = row * self->n_columns;
      gboolean wide = _tare_format_map_is_wide (self, first);

      for (guint column = MIN (columns[0], columns[1]); column <= MAX (columns[0], columns[1]);
           column++)
        {
          guint cell = wide ? first : first + column;

          selected[cell] |= self->cells[cell].present;
        }
    }

  _tare_format_map_keep_section (self, selected, from / self->n_columns);
  _tare_format_map_select (self, selected);
}

static void
toggle (TareFormatMap *self,
        guint          cell)
{
  g_autofree guint8 *selected = g_memdup2 (self->selected, n_cells (self));

  selected[cell] = !selected[cell];
  _tare_format_map_keep_section (self, selected, cell / self->n_columns);
  _tare_format_map_select (self, selected);
}

static void
paint_cell (TareFormatMap *self,
            guint          cell)
{
  guint first, last;

  if (self->stroke[cell] || !self->cells[cell].present)
    return;
  if (self->stroke_row == TARE_FORMAT_MAP_NO_CELL)
    self->stroke_row = cell / self->n_columns;
  tare_format_map_get_section (self, self->stroke_row, &first, &last);
  if (cell / self->n_columns < first || cell / self->n_columns > last)
    return;

  self->stroke[cell] = TRUE;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  _tare_format_map_emit_painting (self, cell);
}

/* A fast hand skips cells between two events; the brush does not. */
static void
paint_line (TareFormatMap *self,
            double         x,
            double         y)
{
  double dx = x - self->last[0], dy = y - self->last[1];
  guint steps = 1 + (guint) (2.0 * MAX (fabs (dx) / self->cell_width,
                                        fabs (dy) / self->cell_height));

  for (guint i = 1; i <= MIN (steps, 4096u); i++)
    {
      guint cell = tare_format_map_get_cell_at (self, self->last[0] + dx * i / steps,
                                                self->last[1] + dy * i / steps);

      if (cell != TARE_FORMAT_MAP_NO_CELL)
        paint_cell (self, cell);
      if (self->drag != DRAG_PAINT)
        return;
    }

  self->last[0] = x;
  self->last[1] = y;
}

static void
end_stroke (TareFormatMap *self)
{
  g_autofree guint *cells = g_new (guint, MAX (1, n_cells (self)));
  guint n = 0;

  for (guint i = 0; i < n_cells (self); i++)
    if (self->stroke[i])
      cells[n++] = i;

  self->drag = DRAG_NONE;
  memset (self->stroke, 0, n_cells (self));
  gtk_widget_queue_draw (GTK_WIDGET (self));
  if (n > 0)
    _tare_format_map_emit_painted (self, cells, n);
}

/* A press on a label, or on the corner, selects all that belongs to it. */
static gboolean
press_label (TareFormatMap   *self,
             double           x,
             double           y,
             GdkModifierType  state)
{
  gboolean extend = (state & GDK_SHIFT_MASK) != 0 && self->anchor < n_cells (self);
  gboolean add = (state & GDK_CONTROL_MASK) != 0;
  guint cell = nearest_cell (self, x, y);
  guint from, to;

  if (x < self->label_width && y >= self->header_height)
    {
      from = cell - cell % self->n_columns;
      to = from + self->n_columns - 1;
      if (extend)
        from = self->anchor - self->anchor % self->n_columns;
    }
  else if (y < self->header_height && x >= self->label_width)
    {
      guint column = get_column (self, x);
      guint first, last;

      /* Of the section that begins under the label, what stands in columns. */
      cell = nearest_cell (self, x, self->header_height);
      tare_format_map_get_section (self, cell / self->n_columns, &first, &last);
      while (first < last && _tare_format_map_is_wide (self, first * self->n_columns))
        first++;
      while (last > first && _tare_format_map_is_wide (self, last * self->n_columns))
        last--;
      from = first * self->n_columns + (extend ? self->anchor % self->n_columns : column);
      to = last * self->n_columns + column;
    }
  else
    return FALSE;

  if (!extend)
    self->anchor = from;
  select_rectangle (self, from, to, add ? self->selected : NULL);

  return TRUE;
}

static void
press_cell (TareFormatMap   *self,
            guint            cell,
            GdkModifierType  state)
{
  self->drag = DRAG_SELECT;
  self->adding = (state & GDK_CONTROL_MASK) != 0;
  _tare_format_map_set_cursor (self, cell);

  if ((state & GDK_SHIFT_MASK) != 0 && self->anchor < n_cells (self))
    select_rectangle (self, self->anchor, cell, self->adding ? self->before : NULL);
  else
    {
      self->anchor = cell;
      if (self->adding)
        toggle (self, cell);
      else
        select_rectangle (self, cell, cell, NULL);
    }
}

static void
drag_begin_cb (GtkGestureDrag *gesture,
               double          x,
               double          y,
               TareFormatMap  *self)
{
  GtkEventController *controller = GTK_EVENT_CONTROLLER (gesture);
  GdkModifierType state = gtk_event_controller_get_current_event_state (controller);
  double bottom = gtk_widget_get_height (GTK_WIDGET (self)) - self->legend_height;
  guint cell = tare_format_map_get_cell_at (self, x, y);

  gtk_widget_grab_focus (GTK_WIDGET (self));
  self->drag = DRAG_NONE;
  if (n_cells (self) == 0 || y >= bottom)
    return;

  self->start[0] = self->last[0] = x;
  self->start[1] = self->last[1] = y;
  memcpy (self->before, self->selected, n_cells (self));

  if (press_label (self, x, y, state))
    return;

  if (self->brush)
    {
      self->drag = DRAG_PAINT;
      memset (self->stroke, 0, n_cells (self));
      self->stroke_row = TARE_FORMAT_MAP_NO_CELL;
      if (cell != TARE_FORMAT_MAP_NO_CELL)
        {
          self->cursor = self->anchor = cell;
          paint_cell (self, cell);
        }
    }
  else if (cell != TARE_FORMAT_MAP_NO_CELL)
    press_cell (self, cell, state);
  else if ((state & (GDK_CONTROL_MASK | GDK_SHIFT_MASK)) == 0)
    tare_format_map_unselect_all (self);
}

static void
drag_update_cb (GtkGestureDrag *gesture,
                double          dx,
                double          dy,
                TareFormatMap  *self)
{
  double x = self->start[0] + dx, y = self->start[1] + dy;
  guint cell;

  if (self->drag == DRAG_PAINT)
    paint_line (self, x, y);

  if (self->drag != DRAG_SELECT || self->anchor >= n_cells (self))
    return;
  cell = nearest_cell (self, x, y);
  if (cell == self->cursor)
    return;

  /* From the cell the drag began at: going back gives the rectangle back. */
  if (self->cells[cell].present)
    _tare_format_map_set_cursor (self, cell);
  select_rectangle (self, self->anchor, cell, self->adding ? self->before : NULL);
}

static void
drag_end_cb (GtkGestureDrag *gesture,
             double          dx,
             double          dy,
             TareFormatMap  *self)
{
  if (self->drag == DRAG_PAINT)
    {
      paint_line (self, self->start[0] + dx, self->start[1] + dy);
      if (self->drag == DRAG_PAINT)
        end_stroke (self);
    }
  self->drag = DRAG_NONE;
}

/* Gives up the drag and what it has done so far. */
static gboolean
cancel_drag (TareFormatMap *self)
{
  DragKind drag = self->drag;

  self->drag = DRAG_NONE;
  if (drag == DRAG_NONE)
    return FALSE;

  if (drag == DRAG_PAINT)
    memset (self->stroke, 0, n_cells (self));
  else
    _tare_format_map_select (self, self->before);
  gtk_widget_queue_draw (GTK_WIDGET (self));

  return TRUE;
}

static void
cancel_cb (GtkGesture       *gesture,
           GdkEventSequence *sequence,
           TareFormatMap    *self)
{
  cancel_drag (self);
}

static void
pressed_cb (GtkGestureClick *gesture,
            int              n_press,
            double           x,
            double           y,
            TareFormatMap   *self)
{
  guint cell = tare_format_map_get_cell_at (self, x, y);

  if (n_press == 2 && !self->brush && cell != TARE_FORMAT_MAP_NO_CELL)
    _tare_format_map_emit_activated (self, cell);
}

static void
set_hover (TareFormatMap *self,
           guint          cell)
{
  if (self->hover == cell)
    return;

  self->hover = cell;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
motion_cb (GtkEventControllerMotion *controller,
           double                    x,
           double                    y,
           TareFormatMap            *self)
{
  set_hover (self, tare_format_map_get_cell_at (self, x, y));
}

static void
leave_cb (GtkEventControllerMotion *controller,
          TareFormatMap            *self)
{
  set_hover (self, TARE_FORMAT_MAP_NO_CELL);
}

/* The cell @columns to the right and @rows up, past holes; the same cell if there is none. */
static guint
neighbour (TareFormatMap *self,
           int            columns,
           int            rows)
{
  int column = (int) (self->cursor % self->n_columns);
  int row = (int) (self->cursor / self->n_columns);

  for (int c = column + columns; columns != 0 && c >= 0 && c < (int) self->n_columns; c += columns)
    if (self->cells[(guint) row * self->n_columns + (guint) c].present)
      return (guint) row * self->n_columns + (guint) c;

  for (int r = row + rows; rows != 0 && r >= 0 && r < (int) self->n_rows; r += rows)
    {
      guint first = (guint) r * self->n_columns;
      guint best = TARE_FORMAT_MAP_NO_CELL;

      for (guint c = 0; c < self->n_columns; c++)
        if (self->cells[first + c].present
            && (best == TARE_FORMAT_MAP_NO_CELL
                || ABS ((int) c - column) < ABS ((int) (best - first) - column)))
          best = first + c;
      if (best != TARE_FORMAT_MAP_NO_CELL)
        return best;
    }

  return self->cursor;
}

static guint
end_cell (TareFormatMap *self,
          gboolean       last)
{
  for (guint i = 0; i < n_cells (self); i++)
    {
      guint cell = last ? n_cells (self) - 1 - i : i;

      if (self->cells[cell].present)
        return cell;
    }

  return TARE_FORMAT_MAP_NO_CELL;
}

static const struct
{
  guint keyval;
  guint keypad;
  int   columns;
  int   rows;
  int   repeat;
} moves[] = {
  { GDK_KEY_Left, GDK_KEY_KP_Left, -1, 0, 1 },
  { GDK_KEY_Right, GDK_KEY_KP_Right, 1, 0, 1 },
  { GDK_KEY_Up, GDK_KEY_KP_Up, 0, 1, 1 },
  { GDK_KEY_Down, GDK_KEY_KP_Down, 0, -1, 1 },
  { GDK_KEY_Page_Up, GDK_KEY_KP_Page_Up, 0, 1, 8 },
  { GDK_KEY_Page_Down, GDK_KEY_KP_Page_Down, 0, -1, 8 },
  { GDK_KEY_Home, GDK_KEY_KP_Home, -1, 0, G_MAXINT },
  { GDK_KEY_End, GDK_KEY_KP_End, 1, 0, G_MAXINT },
};

static gboolean
move (TareFormatMap   *self,
      guint            keyval,
      GdkModifierType  state)
{
  guint i, cell;

  for (i = 0; i < G_N_ELEMENTS (moves); i++)
    if (moves[i].keyval == keyval || moves[i].keypad == keyval)
      break;
  if (i == G_N_ELEMENTS (moves))
    return FALSE;

  if (self->cursor >= n_cells (self) || !self->cells[self->cursor].present)
    {
      cell = end_cell (self, FALSE);
      if (cell == TARE_FORMAT_MAP_NO_CELL)
        return FALSE;
      self->anchor = cell;
    }
  else if (moves[i].repeat == G_MAXINT && (state & GDK_CONTROL_MASK) != 0)
    cell = end_cell (self, moves[i].columns > 0);
  else
    {
      guint before = self->cursor;

      cell = before;
      for (int step = 0; step < MIN (moves[i].repeat, (int) n_cells (self)); step++)
        {
          self->cursor = cell;
          cell = neighbour (self, moves[i].columns, moves[i].rows);
          if (cell == self->cursor)
            break;
        }
      self->cursor = before;
    }

  _tare_format_map_set_cursor (self, cell);
  if ((state & GDK_SHIFT_MASK) != 0 && self->anchor < n_cells (self))
    select_rectangle (self, self->anchor, cell, NULL);
  else if ((state & GDK_CONTROL_MASK) == 0 || moves[i].repeat == G_MAXINT)
    {
      self->anchor = cell;
      select_rectangle (self, cell, cell, NULL);
    }

  return TRUE;
}

static gboolean
escape (TareFormatMap *self)
{
  guint n;
  g_autofree guint *cells = NULL;

  if (cancel_drag (self))
    {
      gtk_gesture_set_state (self->gesture, GTK_EVENT_SEQUENCE_DENIED);
      return TRUE;
    }
  if (self->brush)
    {
      tare_format_map_set_brush (self, FALSE);
      return TRUE;
    }

  cells = tare_format_map_dup_selection (self, &n);
  tare_format_map_unselect_all (self);

  return n > 0;
}

static gboolean
press_space (TareFormatMap   *self,
             GdkModifierType  state)
{
  if (self->cursor >= n_cells (self) || !self->cells[self->cursor].present)
    return FALSE;

  if (self->brush)
    _tare_format_map_emit_painted (self, &self->cursor, 1);
  else if ((state & GDK_CONTROL_MASK) != 0)
    toggle (self, self->cursor);
  else
    select_rectangle (self, self->cursor, self->cursor, NULL);

  return TRUE;
}

static gboolean
ask_for_bits (TareFormatMap *self,
              guint          keyval)
{
  guint n;
  g_autofree guint *cells = tare_format_map_dup_selection (self, &n);

  if (n == 0)
    return FALSE;

  _tare_format_map_emit_bits (self, keyval >= GDK_KEY_KP_1 ? keyval - GDK_KEY_KP_0
                                                           : keyval - GDK_KEY_0);

  return TRUE;
}

static gboolean
key_pressed_cb (GtkEventControllerKey *controller,
                guint                  keyval,
                guint                  keycode,
                GdkModifierType        state,
                TareFormatMap         *self)
{
  gboolean plain = (state & (GDK_CONTROL_MASK | GDK_ALT_MASK | GDK_SUPER_MASK)) == 0;

  if (n_cells (self) == 0 || (state & (GDK_ALT_MASK | GDK_SUPER_MASK)) != 0)
    return FALSE;
  if (move (self, keyval, state))
    return TRUE;

  if (keyval == GDK_KEY_Escape)
    return escape (self);
  if (keyval == GDK_KEY_space || keyval == GDK_KEY_KP_Space)
    return press_space (self, state);
  if ((state & GDK_CONTROL_MASK) != 0 && gdk_keyval_to_lower (keyval) == GDK_KEY_a)
    {
      if ((state & GDK_SHIFT_MASK) != 0)
        tare_format_map_unselect_all (self);
      else
        tare_format_map_select_all (self);
      return TRUE;
    }
  if (plain && gdk_keyval_to_lower (keyval) == GDK_KEY_b)
    {
      tare_format_map_set_brush (self, !self->brush);
      return TRUE;
    }
  if (plain && ((keyval >= GDK_KEY_1 && keyval <= GDK_KEY_8)
                || (keyval >= GDK_KEY_KP_1 && keyval <= GDK_KEY_KP_8)))
    return ask_for_bits (self, keyval);
  if (plain && (keyval == GDK_KEY_Return || keyval == GDK_KEY_KP_Enter)
      && self->cursor < n_cells (self))
    {
      _tare_format_map_emit_activated (self, self->cursor);
      return TRUE;
    }

  return FALSE;
}

/* Connects the pointer and the keyboard. */
void
_tare_format_map_add_input (TareFormatMap *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  GtkEventController *controller;
  GtkGesture *click;

  self->gesture = gtk_gesture_drag_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (self->gesture), GDK_BUTTON_PRIMARY);
  g_signal_connect (self->gesture, "drag-begin", G_CALLBACK (drag_begin_cb), self);
  g_signal_connect (self->gesture, "drag-update", G_CALLBACK (drag_update_cb), self);
  g_signal_connect (self->gesture, "drag-end", G_CALLBACK (drag_end_cb), self);
  g_signal_connect (self->gesture, "cancel", G_CALLBACK (cancel_cb), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (self->gesture));

  click = gtk_gesture_click_new ();
  g_signal_connect (click, "pressed", G_CALLBACK (pressed_cb), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (click));

  controller = gtk_event_controller_motion_new ();
  g_signal_connect (controller, "enter", G_CALLBACK (motion_cb), self);
  g_signal_connect (controller, "motion", G_CALLBACK (motion_cb), self);
  g_signal_connect (controller, "leave", G_CALLBACK (leave_cb), self);
  gtk_widget_add_controller (widget, controller);

  controller = gtk_event_controller_key_new ();
  g_signal_connect (controller, "key-pressed", G_CALLBACK (key_pressed_cb), self);
  gtk_widget_add_controller (widget, controller);
}
