/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "widgets/tare-axis.h"
#include "widgets/tare-color-scale.h"

G_BEGIN_DECLS

/* The point that is none. */
#define TARE_PLOT_NO_POINT G_MAXUINT

/* The colour of text, for what belongs to no category. */
#define TARE_PLOT_COLOR_INK G_MAXUINT

/* How far from a point, in pixels, the pointer still finds it. */
#define TARE_PLOT_REACH 8.0

/**
 * TarePlotFrame:
 * @x: the axis along the width
 * @y: the axis along the height, upwards
 * @width: of the area for plots, in pixels
 * @height: of it
 * @color: what the plot is drawn in
 * @foreground: of text
 * @background: behind the plot
 * @accent: of what is highlighted
 * @dark: whether @background is dark
 * @high_contrast: whether the person asks for more contrast
 * @scale: pixels of the screen in a pixel of the frame, along either side
 * @exporting: whether it goes into a file, where lines stay lines
 * @reach: how far from a point, in pixels, a pointer finds it
 * @layout: (nullable): for labels; its text may be changed
 * @taken: (nullable) (element-type graphene_rect_t): where names of points stand already, of all
 *   plots of the chart
 *
 * Where and with what a plot draws. The area's top left is at 0, 0.
 */
typedef struct
{
  TareAxis    *x;
  TareAxis    *y;
  double       width;
  double       height;
  GdkRGBA      color;
  GdkRGBA      foreground;
  GdkRGBA      background;
  GdkRGBA      accent;
  gboolean     dark;
  gboolean     high_contrast;
  int          scale;
  gboolean     exporting;
  double       reach;
  PangoLayout *layout;
  GArray      *taken;
} TarePlotFrame;

#define TARE_TYPE_PLOT (tare_plot_get_type ())
G_DECLARE_DERIVABLE_TYPE (TarePlot, tare_plot, TARE, PLOT, GObject)

/**
 * TarePlotClass:
 * @get_bounds: extent of the data; a direction it says nothing about is left as it is (NaN)
 * @dup_categories: (nullable): names of x = 0, 1, 2, ..., if the plot counts things
 * @snapshot: draws
 * @snapshot_names: (nullable): draws names of points, below all that is drawn; the last plot's come
 *   first, as its points lie above the others'
 * @snapshot_mark: (nullable): draws what stands before its label in the legend, where it is not a
 *   square of its colour
 * @get_n_points: how many points the keyboard walks over
 * @get_point: where a point is, in the units of the data
 * @lookup: the point at a pixel of the frame, or %TARE_PLOT_NO_POINT
 * @describe_point: one line with the exact numbers
 * @describe: a sentence on what is to be seen
 * @write_csv: appends the data as a table, the heading first
 * @activate: (nullable): a point was clicked or chosen with Return
 * @dup_row_names: (nullable): names of y = 0, 1, 2, ...
 * @get_color_scale: (nullable): what its colours stand for, shown beside the plots
 * @move: (nullable): the point that an arrow leads to from another; without it the arrows lead to
 *   the next and the previous one
 * @planar: whether x and y are alike, so that wheel and band zoom both
 * @grid: whether it is made of cells, of which the pointer shows one
 * @columns: whether x counts things
 * @rows: whether y counts things, the first at the top
 *
 * What is drawn in a chart: one set of data by one technique.
 */
struct _TarePlotClass
{
  GObjectClass parent_class;

  void     (*get_bounds)     (TarePlot            *self,
                              TareAxisScale        x_scale,
                              TareAxisScale        y_scale,
                              double               x[2],
                              double               y[2]);
  char   **(*dup_categories) (TarePlot            *self);
  void     (*snapshot)       (TarePlot            *self,
                              GtkSnapshot         *snapshot,
                              const TarePlotFrame *frame);
  void     (*snapshot_names) (TarePlot            *self,
                              GtkSnapshot         *snapshot,
                              const TarePlotFrame *frame);
  void     (*snapshot_mark)  (TarePlot            *self,
                              GtkSnapshot         *snapshot,
                              const TarePlotFrame *frame,
                              double               x,
                              double               y);
  guint    (*get_n_points)   (TarePlot            *self);
  gboolean (*get_point)      (TarePlot            *self,
                              guint                point,
                              double              *x,
                              double              *y);
  guint    (*lookup)         (TarePlot            *self,
                              const TarePlotFrame *frame,
                              double               x,
                              double               y);
  char    *(*describe_point) (TarePlot            *self,
                              guint                point);
  char    *(*describe)       (TarePlot            *self);
  void     (*write_csv)      (TarePlot            *self,
                              GString             *csv);
  void     (*activate)       (TarePlot            *self,
                              guint                point,
                              GdkModifierType      state);
  char   **(*dup_row_names)  (TarePlot            *self);
  TareColorScale *
           (*get_color_scale) (TarePlot           *self);
  guint    (*move)           (TarePlot            *self,
                              guint                point,
                              GtkDirectionType     direction);

  guint      planar : 1;
  guint      grid : 1;
  guint      columns : 1;
  guint      rows : 1;
};

const char *tare_plot_get_label       (TarePlot            *self);
void        tare_plot_set_label       (TarePlot            *self,
                                       const char          *label);
guint       tare_plot_get_color_index (TarePlot            *self);
void        tare_plot_set_color_index (TarePlot            *self,
                                       guint                index);
void        tare_plot_changed         (TarePlot            *self);
void        tare_plot_set_ids         (TarePlot            *self,
                                       const guint         *ids,
                                       guint                n);
guint       tare_plot_get_id          (TarePlot            *self,
                                       guint                point);
void        tare_plot_set_selected    (TarePlot            *self,
                                       const guint         *ids,
                                       guint                n);
gboolean    tare_plot_is_selected     (TarePlot            *self,
                                       guint                point);
gboolean    tare_plot_has_selected    (TarePlot            *self);

void        tare_plot_get_bounds      (TarePlot            *self,
                                       TareAxisScale        x_scale,
                                       TareAxisScale        y_scale,
                                       double               x[2],
                                       double               y[2]);
char      **tare_plot_dup_categories  (TarePlot            *self);
char      **tare_plot_dup_row_names   (TarePlot            *self);
void        tare_plot_snapshot        (TarePlot            *self,
                                       GtkSnapshot         *snapshot,
                                       const TarePlotFrame *frame);
void        tare_plot_snapshot_names  (TarePlot            *self,
                                       GtkSnapshot         *snapshot,
                                       const TarePlotFrame *frame);
void        tare_plot_snapshot_mark   (TarePlot            *self,
                                       GtkSnapshot         *snapshot,
                                       const TarePlotFrame *frame,
                                       double               x,
                                       double               y);
guint       tare_plot_get_n_points    (TarePlot            *self);
gboolean    tare_plot_get_point       (TarePlot            *self,
                                       guint                point,
                                       double              *x,
                                       double              *y);
guint       tare_plot_lookup          (TarePlot            *self,
                                       const TarePlotFrame *frame,
                                       double               x,
                                       double               y);
char       *tare_plot_describe_point  (TarePlot            *self,
                                       guint                point);
char       *tare_plot_describe        (TarePlot            *self);
void        tare_plot_write_csv       (TarePlot            *self,
                                       GString             *csv);
void        tare_plot_activate        (TarePlot            *self,
                                       guint                point,
                                       GdkModifierType      state);
TareColorScale *
            tare_plot_get_color_scale (TarePlot            *self);
guint       tare_plot_move            (TarePlot            *self,
                                       guint                point,
                                       GtkDirectionType     direction);

double      tare_plot_frame_get_x     (const TarePlotFrame *frame,
                                       double               value);
double      tare_plot_frame_get_y     (const TarePlotFrame *frame,
                                       double               value);
gboolean    tare_plot_frame_draw_label
                                      (const TarePlotFrame *frame,
                                       GtkSnapshot         *snapshot,
                                       double               x,
                                       double               y,
                                       GArray              *taken);
void        tare_plot_csv_number      (GString             *csv,
                                       double               value);
void        tare_plot_csv_text        (GString             *csv,
                                       const char          *text);

G_END_DECLS
