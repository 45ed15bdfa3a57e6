/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-chart.h"
#include "widgets/tare-ink-private.h"
#include "widgets/tare-picture.h"

G_BEGIN_DECLS

/* Where things are, in the pixels of the chart. */
typedef struct
{
  double left;
  double top;
  double width;
  double height;
  double header;      /* height of the line above the plots */
  double text_height;
  double margin;      /* width at the right, with what the colours stand for */
  double longest;     /* width that a label of y takes at the most */
  gboolean rotated;   /* labels of x stand on end */
} Area;

struct _TareChart
{
  GtkWidget      parent_instance;

  TareAxis      *axes[2];     /* by GtkOrientation */
  gboolean       automatic[2];
  GPtrArray     *plots;       /* of TarePlot */
  char          *title;
  char          *description;
  char          *empty_text;
  char          *readout;

  /* the point under the pointer or the cursor */
  TarePlot      *hit;         /* borrowed from plots */
  guint          point;
  double         panned[2];
  double         pointer[2];
  gboolean       moved;
  gboolean       banding;     /* the drag marks what to zoom to */
  double         start;       /* where it began */
  double         band;        /* where it has got to */
  double         start_y;
  double         band_y;

  Area           area;
  TareInk        ink;
  PangoLayout   *layout;
  GskRenderNode *node;        /* all but what follows the pointer */
  gboolean       updating;
  gboolean       exporting;   /* what is drawn now goes into a file */
  GtkWidget     *menu;        /* (nullable) */
  GtkFileChooserNative *dialog; /* (nullable) */
};

void     _tare_chart_draw       (TareChart     *self,
                                 GtkSnapshot   *snapshot,
                                 double         width,
                                 double         height);
void     _tare_chart_draw_hit   (TareChart     *self,
                                 GtkSnapshot   *snapshot,
                                 double         width);
void     _tare_chart_make_frame (TareChart     *self,
                                 TarePlot      *plot,
                                 TarePlotFrame *frame);
gboolean _tare_chart_is_empty   (TareChart     *self);
gboolean _tare_chart_is_planar  (TareChart     *self);
TareColorScale *
         _tare_chart_get_color_scale (TareChart *self);
void     _tare_chart_open_menu  (TareChart     *self,
                                 double         x,
                                 double         y);
void     _tare_chart_set_hit    (TareChart     *self,
                                 TarePlot      *plot,
                                 guint          point);
void     _tare_chart_add_input  (TareChart     *self);

G_END_DECLS
