/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-heat-plot.h"

G_BEGIN_DECLS

/* Where the values come from; a thread may look at it longer than the plot does. */
typedef struct
{
  gatomicrefcount ref_count;
  TareHeatFunc    func;
  gpointer        data;
  GDestroyNotify  destroy;
  guint64         rows;
  guint64         columns;
} Source;

/* A part of the matrix as it was last looked at. */
typedef struct
{
  TareHeatArea  area;
  TareHeatState state;
  float        *values;
  gsize         greatest;  /* of the values, by magnitude; NaN exceeds all */
} View;

struct _TareHeatPlot
{
  TarePlot        parent_instance;

  Source         *source;      /* (nullable) */
  TareColorScale *scale;
  char           *names[3];    /* row, column, value */
  char          **labels[2];   /* (nullable): of the rows and of the columns */
  guint64        *marked[2];   /* (nullable): rows and columns that are set apart */
  guint           n_marked[2];
  gboolean        is_signed;
  double          maximum;     /* as given; NaN for that of the data */
  guint64         row_unit;    /* rows that one line of points stands for */

  View           *view;        /* (nullable): what is drawn */
  GCancellable   *looking;     /* (nullable): the thread that fetches what is asked for */
  TareHeatArea    asked;

  GdkTexture     *texture;     /* (nullable): of @view as it was last drawn */
  double          drawn[4];    /* ranges of x and y */
  int             size[2];
  gboolean        dark;
};

/* Which value of a line of @values stands for an element of @count. */
static inline guint
_tare_heat_find (guint64 element,
                 guint64 count,
                 guint   values)
{
  return (guint) (((element + 1) * values - 1) / count);
}

void   _tare_heat_source_unref (Source              *self);
void   _tare_heat_view_free    (View                *self);
void   _tare_heat_stop         (TareHeatPlot        *self);
double _tare_heat_get_shown    (TareHeatPlot        *self,
                                float                value);
void   _tare_heat_snapshot     (TarePlot            *plot,
                                GtkSnapshot         *snapshot,
                                const TarePlotFrame *frame);

G_END_DECLS
