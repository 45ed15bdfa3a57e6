/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-format-map-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "widgets/tare-ticks.h"

/* Cells grow into the room there is, up to these sizes in pixels. */
#define LARGEST_WIDTH 72
#define LARGEST_HEIGHT 40

/**
 * TareFormatMap:
 *
 * A model at a glance: a grid with the blocks as rows, the roles as columns, and a colour for the
 * number in each cell. Rows are given in the order data flows and drawn upwards. It scrolls by
 * itself in a GtkScrolledWindow, its labels and its legend staying in sight.
 *
 * A click selects, Control adds or takes away, a drag or Shift selects a rectangle, a label its row
 * or column; arrows, Home, End, Page Up and Page Down move, Control+A selects all, Escape nothing.
 * With the brush (B) a drag paints. The digits 1 to 8 ask for that many bits.
 */
G_DEFINE_FINAL_TYPE_WITH_CODE (TareFormatMap, tare_format_map, GTK_TYPE_WIDGET,
                               G_IMPLEMENT_INTERFACE (GTK_TYPE_SCROLLABLE, NULL))

enum
{
  PROP_0,
  PROP_BRUSH,
  N_PROPS,
  PROP_HADJUSTMENT,
  PROP_VADJUSTMENT,
  PROP_HSCROLL_POLICY,
  PROP_VSCROLL_POLICY,
};

enum
{
  SELECTION_CHANGED,
  PAINTING,
  PAINTED,
  BITS_REQUESTED,
  CELL_ACTIVATED,
  N_SIGNALS
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

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

static void
clear_cells (TareFormatMap *self)
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
  self->n_rows = self->n_columns = 0;
  self->cursor = self->anchor = self->hover = TARE_FORMAT_MAP_NO_CELL;
  self->drag = DRAG_NONE;
}

static char *
describe_cell (TareFormatMap *self,
               guint          cell)
{
  const Cell *it = &self->cells[cell];
  const char *column = self->tooltips != NULL ? self->tooltips[cell % self->n_columns]
                                              : self->columns[cell % self->n_columns];
  char number[TARE_TICK_LABEL_SIZE];
  GString *string;

  if (it->tooltip != NULL)
    return g_strdup (it->tooltip);

  string = g_string_new (self->rows[cell / self->n_columns]);
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
    cell = describe_cell (self, self->cursor);

  text = g_strdup_printf (g_dngettext (GETTEXT_PACKAGE,
                                       "%s. %u cell selected, %u blocks by %u roles",
                                       "%s. %u cells selected, %u blocks by %u roles", n),
                          cell != NULL ? cell : _("No cell"), n, self->n_rows, self->n_columns);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self),
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
}

double
_tare_format_map_get_scroll (TareFormatMap  *self,
                             GtkOrientation  orientation)
{
  GtkAdjustment *adjustment = self->adjustments[orientation];

  return adjustment != NULL ? floor (gtk_adjustment_get_value (adjustment)) : 0.0;
}

/* The content in one direction, labels and legend included. */
static int
content_size (TareFormatMap  *self,
              GtkOrientation  orientation)
{
  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    return self->label_width + (int) self->n_columns * self->cell_width + 2;

  return self->header_height + (int) self->n_rows * self->cell_height + self->legend_height;
}

static void
scroll_to (TareFormatMap *self,
           guint          cell)
{
  int frames[2] = { self->label_width, self->header_height + self->legend_height };
  int sizes[2] = { self->cell_width, self->cell_height };
  guint places[2];

  if (cell >= n_cells (self))
    return;

  places[0] = cell % self->n_columns;
  places[1] = self->n_rows - 1 - cell / self->n_columns;
  for (guint i = 0; i < 2; i++)
    if (self->adjustments[i] != NULL)
      {
        double value = gtk_adjustment_get_value (self->adjustments[i]);
        double inner = gtk_adjustment_get_page_size (self->adjustments[i]) - frames[i];
        double begin = (double) places[i] * sizes[i];

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
  g_signal_emit (self, signals[SELECTION_CHANGED], 0);
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

void
_tare_format_map_emit_painting (TareFormatMap *self,
                                guint          cell)
{
  g_signal_emit (self, signals[PAINTING], 0, cell);
}

void
_tare_format_map_emit_painted (TareFormatMap *self,
                               const guint   *cells,
                               guint          n)
{
  g_signal_emit (self, signals[PAINTED], 0, cells, n);
}

void
_tare_format_map_emit_bits (TareFormatMap *self,
                            guint          bits)
{
  g_signal_emit (self, signals[BITS_REQUESTED], 0, bits);
}

void
_tare_format_map_emit_activated (TareFormatMap *self,
                                 guint          cell)
{
  g_signal_emit (self, signals[CELL_ACTIVATED], 0, cell);
}

static void
tare_format_map_measure (GtkWidget      *widget,
                         GtkOrientation  orientation,
                         int             for_size,
                         int            *minimum,
                         int            *natural,
                         int            *minimum_baseline,
                         int            *natural_baseline)
{
  TareFormatMap *self = (TareFormatMap *) widget;

  _tare_format_map_measure (self);
  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    {
      *minimum = self->label_width + (int) self->n_columns * self->least_width + 2;
      *natural = self->label_width + (int) self->n_columns * (self->least_width + 6) + 2;
    }
  else
    {
      int width = for_size > 0 ? for_size
                               : self->label_width + (int) self->n_columns * self->least_width;
      int frame = self->header_height + _tare_format_map_lay_legend (self, NULL, width, 0);

      *minimum = frame + (int) self->n_rows * self->least_height;
      *natural = frame + (int) self->n_rows * (self->least_height + 4);
    }
}

static void
configure (TareFormatMap  *self,
           GtkOrientation  orientation,
           int             page)
{
  int upper = MAX (page, content_size (self, orientation));
  int step = orientation == GTK_ORIENTATION_HORIZONTAL ? self->cell_width : self->cell_height;
  GtkAdjustment *adjustment = self->adjustments[orientation];

  if (adjustment != NULL)
    gtk_adjustment_configure (adjustment,
                              CLAMP (gtk_adjustment_get_value (adjustment), 0.0, upper - page),
                              0.0, upper, step, page * 0.9, page);
}

static void
tare_format_map_size_allocate (GtkWidget *widget,
                               int        width,
                               int        height,
                               int        baseline)
{
  TareFormatMap *self = (TareFormatMap *) widget;
  int cell_width, cell_height;

  if (n_cells (self) == 0)
    return;

  self->legend_height = _tare_format_map_lay_legend (self, NULL, width, 0);
  cell_width = (width - self->label_width - 2) / (int) self->n_columns;
  cell_height = (height - self->header_height - self->legend_height) / (int) self->n_rows;
  cell_width = CLAMP (cell_width, self->least_width, MAX (LARGEST_WIDTH, self->least_width));
  cell_height = CLAMP (cell_height, self->least_height, MAX (LARGEST_HEIGHT, self->least_height));

  if (cell_width != self->cell_width || cell_height != self->cell_height)
    {
      self->cell_width = cell_width;
      self->cell_height = cell_height;
      _tare_format_map_drop_cells (self);
      g_clear_pointer (&self->hatch[0], gsk_render_node_unref);
      g_clear_pointer (&self->hatch[1], gsk_render_node_unref);
    }

  configure (self, GTK_ORIENTATION_HORIZONTAL, width);
  configure (self, GTK_ORIENTATION_VERTICAL, height);
}

static gboolean
tare_format_map_query_tooltip (GtkWidget  *widget,
                               int         x,
                               int         y,
                               gboolean    keyboard,
                               GtkTooltip *tooltip)
{
  TareFormatMap *self = (TareFormatMap *) widget;
  guint cell = keyboard ? self->cursor : tare_format_map_get_cell_at (self, x, y);
  g_autofree char *text = NULL;
  GdkRectangle area;

  if (cell < n_cells (self) && tare_format_map_get_cell_area (self, cell, &area))
    {
      text = describe_cell (self, cell);
      gtk_tooltip_set_text (tooltip, text);
      gtk_tooltip_set_tip_area (tooltip, &area);

      return TRUE;
    }

  if (!keyboard && self->tooltips != NULL && y < self->header_height && x >= self->label_width)
    {
      double place = x - self->label_width
                     + _tare_format_map_get_scroll (self, GTK_ORIENTATION_HORIZONTAL);
      guint column = (guint) (place / MAX (1, self->cell_width));

      if (column < self->n_columns)
        {
          gtk_tooltip_set_text (tooltip, self->tooltips[column]);
          return TRUE;
        }
    }

  return FALSE;
}

static void
tare_format_map_css_changed (GtkWidget         *widget,
                             GtkCssStyleChange *change)
{
  TareFormatMap *self = (TareFormatMap *) widget;

  GTK_WIDGET_CLASS (tare_format_map_parent_class)->css_changed (widget, change);
  _tare_ink_read (&self->ink, widget);
  _tare_format_map_drop_nodes (self);
  gtk_widget_queue_resize (widget);
}

static void
tare_format_map_system_setting_changed (GtkWidget        *widget,
                                        GtkSystemSetting  setting)
{
  GTK_WIDGET_CLASS (tare_format_map_parent_class)->system_setting_changed (widget, setting);
  _tare_format_map_drop_nodes ((TareFormatMap *) widget);
  gtk_widget_queue_resize (widget);
}

static void
set_adjustment (TareFormatMap  *self,
                GtkOrientation  orientation,
                GtkAdjustment  *adjustment)
{
  if (self->adjustments[orientation] != NULL)
    g_signal_handlers_disconnect_by_func (self->adjustments[orientation],
                                          gtk_widget_queue_draw, self);

  g_set_object (&self->adjustments[orientation], adjustment);
  if (adjustment != NULL)
    g_signal_connect_object (adjustment, "value-changed",
                             G_CALLBACK (gtk_widget_queue_draw), self, G_CONNECT_SWAPPED);
  gtk_widget_queue_allocate (GTK_WIDGET (self));
}

static void
tare_format_map_get_property (GObject    *object,
                              guint       id,
                              GValue     *value,
                              GParamSpec *pspec)
{
  TareFormatMap *self = (TareFormatMap *) object;

  switch (id)
    {
    case PROP_BRUSH:
      g_value_set_boolean (value, self->brush);
      break;
    case PROP_HADJUSTMENT:
    case PROP_VADJUSTMENT:
      g_value_set_object (value, self->adjustments[id - PROP_HADJUSTMENT]);
      break;
    case PROP_HSCROLL_POLICY:
    case PROP_VSCROLL_POLICY:
      g_value_set_enum (value, self->policies[id - PROP_HSCROLL_POLICY]);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
tare_format_map_set_property (GObject      *object,
                              guint         id,
                              const GValue *value,
                              GParamSpec   *pspec)
{
  TareFormatMap *self = (TareFormatMap *) object;

  switch (id)
    {
    case PROP_BRUSH:
      tare_format_map_set_brush (self, g_value_get_boolean (value));
      break;
    case PROP_HADJUSTMENT:
    case PROP_VADJUSTMENT:
      set_adjustment (self, (GtkOrientation) (id - PROP_HADJUSTMENT), g_value_get_object (value));
      break;
    case PROP_HSCROLL_POLICY:
    case PROP_VSCROLL_POLICY:
      self->policies[id - PROP_HSCROLL_POLICY] = (GtkScrollablePolicy) g_value_get_enum (value);
      gtk_widget_queue_resize (GTK_WIDGET (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
tare_format_map_dispose (GObject *object)
{
  TareFormatMap *self = (TareFormatMap *) object;

  set_adjustment (self, GTK_ORIENTATION_HORIZONTAL, NULL);
  set_adjustment (self, GTK_ORIENTATION_VERTICAL, NULL);
  _tare_format_map_drop_nodes (self);

  G_OBJECT_CLASS (tare_format_map_parent_class)->dispose (object);
}

static void
tare_format_map_finalize (GObject *object)
{
  TareFormatMap *self = (TareFormatMap *) object;

  clear_cells (self);
  g_free (self->unit);
  g_free (self->stale_name);
  for (guint i = 0; i < TARE_FORMAT_MARK_N; i++)
    g_free (self->mark_names[i]);

  G_OBJECT_CLASS (tare_format_map_parent_class)->finalize (object);
}

static void
add_signals (TareFormatMapClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  /**
   * TareFormatMap::selection-changed:
   *
   * The selection is another one, through the person or through tare_format_map_set_selection().
   */
  signals[SELECTION_CHANGED] = g_signal_new ("selection-changed", type, G_SIGNAL_RUN_LAST, 0,
                                             NULL, NULL, NULL, G_TYPE_NONE, 0);

  /**
   * TareFormatMap::painting:
   * @cell: the cell that the brush has just reached, for the first time in this stroke
   */
  signals[PAINTING] = g_signal_new ("painting", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                    G_TYPE_NONE, 1, G_TYPE_UINT);

  /**
   * TareFormatMap::painted:
   * @cells: (array length=n): the cells of the stroke, each once, in rising order
   * @n: how many
   *
   * A stroke has ended. One that was broken off by Escape is not told.
   */
  signals[PAINTED] = g_signal_new ("painted", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 2, G_TYPE_POINTER, G_TYPE_UINT);

  /**
   * TareFormatMap::bits-requested:
   * @bits: from 1 to 8
   *
   * A digit was pressed, for the cells that are selected.
   */
  signals[BITS_REQUESTED] = g_signal_new ("bits-requested", type, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);

  /**
   * TareFormatMap::cell-activated:
   * @cell: a cell that was double-clicked, or at the cursor when Return was pressed
   */
  signals[CELL_ACTIVATED] = g_signal_new ("cell-activated", type, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
}

static void
tare_format_map_class_init (TareFormatMapClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_format_map_dispose;
  object_class->finalize = tare_format_map_finalize;
  object_class->get_property = tare_format_map_get_property;
  object_class->set_property = tare_format_map_set_property;

  widget_class->measure = tare_format_map_measure;
  widget_class->size_allocate = tare_format_map_size_allocate;
  widget_class->snapshot = _tare_format_map_snapshot;
  widget_class->css_changed = tare_format_map_css_changed;
  widget_class->system_setting_changed = tare_format_map_system_setting_changed;
  widget_class->query_tooltip = tare_format_map_query_tooltip;

  properties[PROP_BRUSH] = g_param_spec_boolean ("brush", NULL, NULL, FALSE,
                                                 G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY
                                                 | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  g_object_class_override_property (object_class, PROP_HADJUSTMENT, "hadjustment");
  g_object_class_override_property (object_class, PROP_VADJUSTMENT, "vadjustment");
  g_object_class_override_property (object_class, PROP_HSCROLL_POLICY, "hscroll-policy");
  g_object_class_override_property (object_class, PROP_VSCROLL_POLICY, "vscroll-policy");

  add_signals (klass);
  gtk_widget_class_set_css_name (widget_class, "formatmap");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GRID);
}

static void
tare_format_map_init (TareFormatMap *self)
{
  self->cursor = self->anchor = self->hover = TARE_FORMAT_MAP_NO_CELL;
  self->cell_width = self->cell_height = 1;
  self->maximum = 1.0;

  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_has_tooltip (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  _tare_ink_read (&self->ink, GTK_WIDGET (self));
  _tare_format_map_add_input (self);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL, _("Format map"),
                                  GTK_ACCESSIBLE_PROPERTY_MULTI_SELECTABLE, TRUE, -1);
}

/**
 * tare_format_map_new:
 *
 * Returns: (transfer floating): a map without cells
 */
GtkWidget *
tare_format_map_new (void)
{
  return g_object_new (TARE_TYPE_FORMAT_MAP, NULL);
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

  clear_cells (self);
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
    g_signal_emit (self, signals[SELECTION_CHANGED], 0);
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
    g_signal_emit (self, signals[SELECTION_CHANGED], 0);
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
    g_signal_emit (self, signals[SELECTION_CHANGED], 0);
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
 */
void
tare_format_map_select_all (TareFormatMap *self)
{
  g_autofree guint8 *selected = NULL;

  g_return_if_fail (TARE_IS_FORMAT_MAP (self));

  selected = g_new0 (guint8, MAX (1, n_cells (self)));
  for (guint i = 0; i < n_cells (self); i++)
    selected[i] = self->cells[i].present;
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

/**
 * tare_format_map_get_brush:
 * @self: the map
 *
 * Returns: whether a drag paints
 */
gboolean
tare_format_map_get_brush (TareFormatMap *self)
{
  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), FALSE);

  return self->brush;
}

/**
 * tare_format_map_set_brush:
 * @self: the map
 * @brush: whether a drag paints instead of selecting
 */
void
tare_format_map_set_brush (TareFormatMap *self,
                           gboolean       brush)
{
  g_return_if_fail (TARE_IS_FORMAT_MAP (self));

  if (self->brush == (brush != FALSE))
    return;

  self->brush = brush != FALSE;
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), self->brush ? "crosshair" : NULL);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BRUSH]);
}

/**
 * tare_format_map_get_cell_at:
 * @self: the map
 * @x: pixels from its left
 * @y: pixels from its top
 *
 * Returns: the cell that is drawn there, or %TARE_FORMAT_MAP_NO_CELL
 */
guint
tare_format_map_get_cell_at (TareFormatMap *self,
                             double         x,
                             double         y)
{
  double bottom, column, row;
  guint cell;

  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), TARE_FORMAT_MAP_NO_CELL);

  bottom = gtk_widget_get_height (GTK_WIDGET (self)) - self->legend_height;
  if (n_cells (self) == 0 || x < self->label_width || y < self->header_height || y >= bottom)
    return TARE_FORMAT_MAP_NO_CELL;

  column = floor ((x - self->label_width
                   + _tare_format_map_get_scroll (self, GTK_ORIENTATION_HORIZONTAL))
                  / self->cell_width);
  row = self->n_rows - 1
        - floor ((y - self->header_height
                  + _tare_format_map_get_scroll (self, GTK_ORIENTATION_VERTICAL))
                 / self->cell_height);
  if (column >= self->n_columns || row < 0.0)
    return TARE_FORMAT_MAP_NO_CELL;

  cell = (guint) row * self->n_columns + (guint) column;

  return self->cells[cell].present ? cell : TARE_FORMAT_MAP_NO_CELL;
}

/**
 * tare_format_map_get_cell_area:
 * @self: the map
 * @cell: a cell
 * @area: (out): where it is drawn, in the map's pixels; it may be out of sight
 *
 * Returns: %FALSE if there is no such cell
 */
gboolean
tare_format_map_get_cell_area (TareFormatMap *self,
                               guint          cell,
                               GdkRectangle  *area)
{
  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), FALSE);

  if (cell >= n_cells (self) || !self->cells[cell].present)
    return FALSE;

  area->x = self->label_width + (int) (cell % self->n_columns) * self->cell_width
            - (int) _tare_format_map_get_scroll (self, GTK_ORIENTATION_HORIZONTAL);
  area->y = self->header_height
            + (int) (self->n_rows - 1 - cell / self->n_columns) * self->cell_height
            - (int) _tare_format_map_get_scroll (self, GTK_ORIENTATION_VERTICAL);
  area->width = self->cell_width;
  area->height = self->cell_height;

  return TRUE;
}
