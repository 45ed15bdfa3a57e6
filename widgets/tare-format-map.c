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

  return self->header_height + (int) self->n_rows * self->cell_height
         + _tare_format_map_get_gaps (self) + self->legend_height;
}

void
_tare_format_map_emit_selection (TareFormatMap *self)
{
  g_signal_emit (self, signals[SELECTION_CHANGED], 0);
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
      int frame = self->header_height + _tare_format_map_lay_legend (self, NULL, width, 0)
                  + _tare_format_map_get_gaps (self);

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
  cell_height = (height - self->header_height - self->legend_height
                 - _tare_format_map_get_gaps (self)) / (int) self->n_rows;
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
  if (self->popover != NULL)
    gtk_popover_present (GTK_POPOVER (self->popover));
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
      text = _tare_format_map_describe (self, cell);
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

  g_clear_pointer (&self->popover, gtk_widget_unparent);
  set_adjustment (self, GTK_ORIENTATION_HORIZONTAL, NULL);
  set_adjustment (self, GTK_ORIENTATION_VERTICAL, NULL);
  _tare_format_map_drop_nodes (self);

  G_OBJECT_CLASS (tare_format_map_parent_class)->dispose (object);
}

static void
tare_format_map_finalize (GObject *object)
{
  TareFormatMap *self = (TareFormatMap *) object;

  _tare_format_map_clear (self);
  g_free (self->unit);
  g_free (self->stale_name);
  g_free (self->breaks);
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
  double bottom, column;
  gboolean between;
  guint cell, row;

  g_return_val_if_fail (TARE_IS_FORMAT_MAP (self), TARE_FORMAT_MAP_NO_CELL);

  bottom = gtk_widget_get_height (GTK_WIDGET (self)) - self->legend_height;
  if (n_cells (self) == 0 || x < self->label_width || y < self->header_height || y >= bottom)
    return TARE_FORMAT_MAP_NO_CELL;

  column = floor ((x - self->label_width
                   + _tare_format_map_get_scroll (self, GTK_ORIENTATION_HORIZONTAL))
                  / self->cell_width);
  row = _tare_format_map_get_row_at (self, y - self->header_height
                                       + _tare_format_map_get_scroll (self,
                                                                      GTK_ORIENTATION_VERTICAL),
                                     &between);
  if (column >= self->n_columns || between)
    return TARE_FORMAT_MAP_NO_CELL;

  cell = row * self->n_columns;
  if (!_tare_format_map_is_wide (self, cell))
    cell += (guint) column;

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
            + _tare_format_map_get_row_top (self, cell / self->n_columns)
            - (int) _tare_format_map_get_scroll (self, GTK_ORIENTATION_VERTICAL);
  area->width = _tare_format_map_get_width (self, cell);
  area->height = self->cell_height;

  return TRUE;
}
