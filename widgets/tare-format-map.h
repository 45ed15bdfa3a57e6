/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* The cell that is none, where a cell is asked for. */
#define TARE_FORMAT_MAP_NO_CELL G_MAXUINT

/**
 * TareFormatMark:
 * @TARE_FORMAT_MARK_NONE: no mark
 * @TARE_FORMAT_MARK_DOT: a disc
 * @TARE_FORMAT_MARK_TRIANGLE: a triangle
 * @TARE_FORMAT_MARK_SQUARE: a square
 * @TARE_FORMAT_MARK_DIAMOND: a square on its corner
 * @TARE_FORMAT_MARK_CROSS: an upright cross
 * @TARE_FORMAT_MARK_HOURGLASS: two triangles, tip to tip
 * @TARE_FORMAT_MARK_FUNNEL: a triangle on its tip
 * @TARE_FORMAT_MARK_BEAM: an I
 * @TARE_FORMAT_MARK_STROKE: an upright line
 * @TARE_FORMAT_MARK_BAR: a line across
 * @TARE_FORMAT_MARK_STRIPES: three lines across
 * @TARE_FORMAT_MARK_ARROW: an arrow upwards
 *
 * The sign of a family of formats, for those who do not go by colour.
 */
typedef enum
{
  TARE_FORMAT_MARK_NONE,
  TARE_FORMAT_MARK_DOT,
  TARE_FORMAT_MARK_TRIANGLE,
  TARE_FORMAT_MARK_SQUARE,
  TARE_FORMAT_MARK_DIAMOND,
  TARE_FORMAT_MARK_CROSS,
  TARE_FORMAT_MARK_HOURGLASS,
  TARE_FORMAT_MARK_FUNNEL,
  TARE_FORMAT_MARK_BEAM,
  TARE_FORMAT_MARK_STROKE,
  TARE_FORMAT_MARK_BAR,
  TARE_FORMAT_MARK_STRIPES,
  TARE_FORMAT_MARK_ARROW,
} TareFormatMark;

#define TARE_FORMAT_MARK_N 13

/**
 * TareFormatCell:
 * @present: %FALSE where the model has nothing in this place
 * @value: what the colour shows, NaN when there is none
 * @label: (nullable): a few letters for the cell
 * @tooltip: (nullable): the exact figures
 * @locked: whether a lock is drawn
 * @stale: whether the cell is hatched: not measured, or not any more
 * @mark: the sign of its family
 * @folded: how many things share the cell, such as experts; drawn as a pile from 2 on
 *
 * What one cell shows. The map copies it.
 */
typedef struct
{
  gboolean        present;
  double          value;
  const char     *label;
  const char     *tooltip;
  gboolean        locked;
  gboolean        stale;
  TareFormatMark  mark;
  guint           folded;
} TareFormatCell;

#define TARE_TYPE_FORMAT_MAP (tare_format_map_get_type ())
G_DECLARE_FINAL_TYPE (TareFormatMap, tare_format_map, TARE, FORMAT_MAP, GtkWidget)

GtkWidget *tare_format_map_new            (void);
void       tare_format_map_set_shape      (TareFormatMap        *self,
                                           const char *const    *rows,
                                           const char *const    *columns,
                                           const char *const    *tooltips);
guint      tare_format_map_get_rows       (TareFormatMap        *self);
guint      tare_format_map_get_columns    (TareFormatMap        *self);
void       tare_format_map_set_cells      (TareFormatMap        *self,
                                           const TareFormatCell *cells,
                                           guint                 n);
void       tare_format_map_set_cell       (TareFormatMap        *self,
                                           guint                 cell,
                                           const TareFormatCell *value);
void       tare_format_map_set_scale      (TareFormatMap        *self,
                                           double                minimum,
                                           double                maximum,
                                           const char           *unit);
void       tare_format_map_set_calm       (TareFormatMap        *self,
                                           gboolean              calm);
void       tare_format_map_set_mark_name  (TareFormatMap        *self,
                                           TareFormatMark        mark,
                                           const char           *name);
void       tare_format_map_set_stale_name (TareFormatMap        *self,
                                           const char           *name);
guint     *tare_format_map_dup_selection  (TareFormatMap        *self,
                                           guint                *n);
void       tare_format_map_set_selection  (TareFormatMap        *self,
                                           const guint          *cells,
                                           guint                 n);
gboolean   tare_format_map_is_selected    (TareFormatMap        *self,
                                           guint                 cell);
void       tare_format_map_select_all     (TareFormatMap        *self);
void       tare_format_map_unselect_all   (TareFormatMap        *self);
guint      tare_format_map_get_cursor     (TareFormatMap        *self);
void       tare_format_map_set_cursor     (TareFormatMap        *self,
                                           guint                 cell);
gboolean   tare_format_map_get_brush      (TareFormatMap        *self);
void       tare_format_map_set_brush      (TareFormatMap        *self,
                                           gboolean              brush);
guint      tare_format_map_get_cell_at    (TareFormatMap        *self,
                                           double                x,
                                           double                y);
gboolean   tare_format_map_get_cell_area  (TareFormatMap        *self,
                                           guint                 cell,
                                           GdkRectangle         *area);
void       tare_format_map_get_cell_color (TareFormatMap        *self,
                                           guint                 cell,
                                           GdkRGBA              *color);
TareFormatMap *
           tare_format_map_open_parts     (TareFormatMap        *self,
                                           guint                 cell,
                                           const TareFormatCell *parts,
                                           guint                 n);
void       tare_format_map_set_breaks     (TareFormatMap        *self,
                                           const guint          *columns,
                                           guint                 n);
void       tare_format_map_set_row_breaks (TareFormatMap        *self,
                                           const guint          *rows,
                                           const char *const    *names,
                                           guint                 n);
void       tare_format_map_set_wide_rows  (TareFormatMap        *self,
                                           const guint          *rows,
                                           guint                 n);
void       tare_format_map_get_section    (TareFormatMap        *self,
                                           guint                 row,
                                           guint                *first,
                                           guint                *last);

G_END_DECLS
