/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-format-map.h"
#include "widgets/tare-ink-private.h"

G_BEGIN_DECLS

typedef struct
{
  GRefString     *label;
  char           *tooltip;
  double          value;
  TareFormatMark  mark;
  guint           folded;
  guint           present : 1;
  guint           locked : 1;
  guint           stale : 1;
} Cell;

typedef enum
{
  DRAG_NONE,
  DRAG_SELECT,
  DRAG_PAINT,
} DragKind;

struct _TareFormatMap
{
  GtkWidget       parent_instance;

  /* what is shown; cell = row * n_columns + column, row 0 at the bottom */
  guint           n_rows;
  guint           n_columns;
  char          **rows;
  char          **columns;
  char          **tooltips;
  Cell           *cells;
  double          minimum;
  double          maximum;
  char           *unit;
  char           *mark_names[TARE_FORMAT_MARK_N];
  char           *stale_name;
  guint          *breaks;    /* (nullable): columns that begin a group */
  guint           n_breaks;
  guint          *row_breaks;   /* (nullable): rows above which a section ends, rising */
  char          **row_names;    /* (nullable): of the sections below the breaks */
  guint           n_row_breaks;
  guint8         *wide;      /* (nullable): one byte a row: its first cell takes all of it */
  GtkWidget      *popover;   /* (nullable): with the parts of a cell */

  /* what is chosen; one byte per cell */
  guint8         *selected;
  guint8         *before;    /* the selection when the drag began */
  guint8         *stroke;    /* cells passed over by the brush */
  guint           stroke_row;   /* the first of them, whose section it stays in */
  guint           cursor;
  guint           anchor;
  guint           hover;
  DragKind        drag;
  gboolean        adding;
  double          start[2];
  double          last[2];
  GtkGesture     *gesture;

  /* where it is, in pixels */
  GtkAdjustment  *adjustments[2];
  GtkScrollablePolicy policies[2];
  int             label_width;
  int             header_height;
  int             legend_height;
  int             text_height;
  int             least_width;   /* of a cell */
  int             least_height;
  int             cell_width;
  int             cell_height;

  /* how it is drawn */
  TareInk         ink;
  GHashTable     *texts;         /* char * -> Text */
  PangoLayout    *layout;
  GskRenderNode  *cells_node;
  guint           node_first;    /* rows that cells_node holds */
  guint           node_last;
  GskRenderNode  *hatch[2];      /* black, white */

  guint           brush : 1;
  guint           calm : 1;      /* dark at the high end on every background */
  guint           rotated : 1;   /* column labels do not fit across */
};

gboolean _tare_format_map_is_wide       (TareFormatMap *self,
                                         guint          cell);
int     _tare_format_map_get_width      (TareFormatMap *self,
                                         guint          cell);
void    _tare_format_map_drop_nodes     (TareFormatMap *self);
void    _tare_format_map_drop_cells     (TareFormatMap *self);
void    _tare_format_map_measure        (TareFormatMap *self);
int     _tare_format_map_lay_legend     (TareFormatMap *self,
                                         GtkSnapshot   *snapshot,
                                         int            width,
                                         int            top);
void    _tare_format_map_snapshot       (GtkWidget   *widget,
                                         GtkSnapshot *snapshot);
void    _tare_format_map_add_input      (TareFormatMap *self);
void    _tare_format_map_draw_breaks    (TareFormatMap *self,
                                         GtkSnapshot   *snapshot,
                                         int            height);
int     _tare_format_map_get_row_top    (TareFormatMap *self,
                                         guint          row);
guint   _tare_format_map_get_row_at     (TareFormatMap *self,
                                         double         y,
                                         gboolean      *between);
int     _tare_format_map_get_gaps       (TareFormatMap *self);
void    _tare_format_map_draw_row_names (TareFormatMap *self,
                                         GtkSnapshot   *snapshot,
                                         int            width,
                                         int            height);
void    _tare_format_map_keep_section   (TareFormatMap *self,
                                         guint8        *cells,
                                         guint          row);
double  _tare_format_map_get_scroll     (TareFormatMap  *self,
                                         GtkOrientation  orientation);
void    _tare_format_map_clear          (TareFormatMap *self);
char   *_tare_format_map_describe       (TareFormatMap *self,
                                         guint          cell);
void    _tare_format_map_select         (TareFormatMap *self,
                                         const guint8  *selected);
void    _tare_format_map_set_cursor     (TareFormatMap *self,
                                         guint          cell);
void    _tare_format_map_emit_selection (TareFormatMap *self);
void    _tare_format_map_emit_painting  (TareFormatMap *self,
                                         guint          cell);
void    _tare_format_map_emit_painted   (TareFormatMap *self,
                                         const guint   *cells,
                                         guint          n);
void    _tare_format_map_emit_bits      (TareFormatMap *self,
                                         guint          bits);
void    _tare_format_map_emit_activated (TareFormatMap *self,
                                         guint          cell);

G_END_DECLS
