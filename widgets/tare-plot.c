/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-plot.h"

#include <math.h>
#include <string.h>

#include "widgets/tare-ink-private.h"

typedef struct
{
  char       *label;
  guint       color_index;
  guint      *ids;       /* (nullable): of the points; without them a point is its own */
  guint       n_ids;
  GHashTable *selected;  /* set of ids */
} TarePlotPrivate;

enum
{
  CHANGED,
  POINT_ACTIVATED,
  N_SIGNALS
};

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (TarePlot, tare_plot, G_TYPE_OBJECT)

static guint signals[N_SIGNALS];

static TarePlotPrivate *
get_private (TarePlot *self)
{
  return tare_plot_get_instance_private (self);
}

static void
tare_plot_finalize (GObject *object)
{
  TarePlotPrivate *private = get_private ((TarePlot *) object);

  g_free (private->label);
  g_free (private->ids);
  g_hash_table_unref (private->selected);

  G_OBJECT_CLASS (tare_plot_parent_class)->finalize (object);
}

static void
tare_plot_class_init (TarePlotClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = tare_plot_finalize;

  /**
   * TarePlot::changed:
   *
   * It has to be drawn anew, and its bounds may be others.
   */
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                   NULL, NULL, NULL, G_TYPE_NONE, 0);

  /**
   * TarePlot::point-activated:
   * @id: of the point that was clicked, or chosen with Return
   * @state: the modifiers that were held, so that Control can add to a selection
   */
  signals[POINT_ACTIVATED] = g_signal_new ("point-activated", G_TYPE_FROM_CLASS (klass),
                                           G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                           G_TYPE_NONE, 2, G_TYPE_UINT, GDK_TYPE_MODIFIER_TYPE);
}

static void
tare_plot_init (TarePlot *self)
{
  get_private (self)->selected = g_hash_table_new (NULL, NULL);
}

/**
 * tare_plot_get_label:
 * @self: the plot
 *
 * Returns: (nullable) (transfer none): its name in the legend
 */
const char *
tare_plot_get_label (TarePlot *self)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), NULL);

  return get_private (self)->label;
}

/**
 * tare_plot_set_label:
 * @self: the plot
 * @label: (nullable): its name in the legend
 */
void
tare_plot_set_label (TarePlot   *self,
                     const char *label)
{
  TarePlotPrivate *private;

  g_return_if_fail (TARE_IS_PLOT (self));

  private = get_private (self);
  if (g_strcmp0 (private->label, label) == 0)
    return;

  g_free (private->label);
  private->label = g_strdup (label);
  tare_plot_changed (self);
}

/**
 * tare_plot_get_color_index:
 * @self: the plot
 *
 * Returns: which of the colours of tare_colormap_get_category() it is drawn in, or
 *   %TARE_PLOT_COLOR_INK
 */
guint
tare_plot_get_color_index (TarePlot *self)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), 0);

  return get_private (self)->color_index;
}

/**
 * tare_plot_set_color_index:
 * @self: the plot
 * @index: which of the colours of tare_colormap_get_category() to draw in, or
 *   %TARE_PLOT_COLOR_INK
 */
void
tare_plot_set_color_index (TarePlot *self,
                           guint     index)
{
  g_return_if_fail (TARE_IS_PLOT (self));

  if (get_private (self)->color_index == index)
    return;

  get_private (self)->color_index = index;
  tare_plot_changed (self);
}

/**
 * tare_plot_changed:
 * @self: the plot
 *
 * For classes of plots: tells the chart that the data are others.
 */
void
tare_plot_changed (TarePlot *self)
{
  g_return_if_fail (TARE_IS_PLOT (self));

  g_signal_emit (self, signals[CHANGED], 0);
}

/**
 * tare_plot_set_ids:
 * @self: the plot
 * @ids: (nullable) (array length=n): what each point is called in a selection; copied. Without them
 *   a point is called by its number.
 * @n: how many
 *
 * Several points may bear one id, as those of a layer in several series do.
 */
void
tare_plot_set_ids (TarePlot    *self,
                   const guint *ids,
                   guint        n)
{
  TarePlotPrivate *private;

  g_return_if_fail (TARE_IS_PLOT (self));
  g_return_if_fail (ids != NULL || n == 0);

  private = get_private (self);
  g_free (private->ids);
  private->ids = n > 0 ? g_memdup2 (ids, n * sizeof *ids) : NULL;
  private->n_ids = n;
  if (g_hash_table_size (private->selected) > 0)
    tare_plot_changed (self);
}

/**
 * tare_plot_get_id:
 * @self: the plot
 * @point: one of its points
 *
 * Returns: what the point is called in a selection
 */
guint
tare_plot_get_id (TarePlot *self,
                  guint     point)
{
  TarePlotPrivate *private;

  g_return_val_if_fail (TARE_IS_PLOT (self), point);

  private = get_private (self);

  return point < private->n_ids ? private->ids[point] : point;
}

/**
 * tare_plot_set_selected:
 * @self: the plot
 * @ids: (nullable) (array length=n): what to set apart from the rest
 * @n: how many
 */
void
tare_plot_set_selected (TarePlot    *self,
                        const guint *ids,
                        guint        n)
{
  g_autoptr(GHashTable) selected = NULL;
  TarePlotPrivate *private;
  gboolean same;

  g_return_if_fail (TARE_IS_PLOT (self));

  private = get_private (self);
  selected = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < n; i++)
    g_hash_table_add (selected, GUINT_TO_POINTER (ids[i]));

  same = g_hash_table_size (selected) == g_hash_table_size (private->selected);
  for (guint i = 0; same && i < n; i++)
    same = g_hash_table_contains (private->selected, GUINT_TO_POINTER (ids[i]));
  if (same)
    return;

  g_hash_table_unref (private->selected);
  private->selected = g_steal_pointer (&selected);
  tare_plot_changed (self);
}

/**
 * tare_plot_is_selected:
 * @self: the plot
 * @point: one of its points
 *
 * Returns: whether it is set apart from the rest
 */
gboolean
tare_plot_is_selected (TarePlot *self,
                       guint     point)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), FALSE);

  return g_hash_table_contains (get_private (self)->selected,
                                GUINT_TO_POINTER (tare_plot_get_id (self, point)));
}

/**
 * tare_plot_has_selected:
 * @self: the plot
 *
 * Returns: whether anything is set apart
 */
gboolean
tare_plot_has_selected (TarePlot *self)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), FALSE);

  return g_hash_table_size (get_private (self)->selected) > 0;
}

/**
 * tare_plot_get_bounds:
 * @self: the plot
 * @x_scale: how x is mapped: a logarithmic axis has no room for zero
 * @y_scale: how y is mapped
 * @x: (out caller-allocates): least and greatest x, NaN if the plot has no say
 * @y: (out caller-allocates): least and greatest y, NaN if the plot has no say
 */
void
tare_plot_get_bounds (TarePlot      *self,
                      TareAxisScale  x_scale,
                      TareAxisScale  y_scale,
                      double         x[2],
                      double         y[2])
{
  g_return_if_fail (TARE_IS_PLOT (self));

  x[0] = x[1] = y[0] = y[1] = NAN;
  TARE_PLOT_GET_CLASS (self)->get_bounds (self, x_scale, y_scale, x, y);
}

/**
 * tare_plot_dup_categories:
 * @self: the plot
 *
 * Returns: (nullable) (transfer full): names of x = 0, 1, 2, ..., if it counts things
 */
char **
tare_plot_dup_categories (TarePlot *self)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), NULL);

  if (TARE_PLOT_GET_CLASS (self)->dup_categories == NULL)
    return NULL;

  return TARE_PLOT_GET_CLASS (self)->dup_categories (self);
}

/**
 * tare_plot_dup_row_names:
 * @self: the plot
 *
 * Returns: (nullable) (transfer full): names of y = 0, 1, 2, ..., if its rows have any
 */
char **
tare_plot_dup_row_names (TarePlot *self)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), NULL);

  if (TARE_PLOT_GET_CLASS (self)->dup_row_names == NULL)
    return NULL;

  return TARE_PLOT_GET_CLASS (self)->dup_row_names (self);
}

/**
 * tare_plot_get_color_scale:
 * @self: the plot
 *
 * Returns: (nullable) (transfer none): what its colours stand for
 */
TareColorScale *
tare_plot_get_color_scale (TarePlot *self)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), NULL);

  if (TARE_PLOT_GET_CLASS (self)->get_color_scale == NULL)
    return NULL;

  return TARE_PLOT_GET_CLASS (self)->get_color_scale (self);
}

/**
 * tare_plot_move:
 * @self: the plot
 * @point: one of its points
 * @direction: where an arrow points
 *
 * Returns: the point that lies there, @point itself where there is none, or %TARE_PLOT_NO_POINT if
 *   the plot leaves it to the order of its points
 */
guint
tare_plot_move (TarePlot         *self,
                guint             point,
                GtkDirectionType  direction)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), TARE_PLOT_NO_POINT);

  if (TARE_PLOT_GET_CLASS (self)->move == NULL)
    return TARE_PLOT_NO_POINT;

  return TARE_PLOT_GET_CLASS (self)->move (self, point, direction);
}

/**
 * tare_plot_snapshot:
 * @self: the plot
 * @snapshot: what to draw on
 * @frame: where and with what
 */
void
tare_plot_snapshot (TarePlot            *self,
                    GtkSnapshot         *snapshot,
                    const TarePlotFrame *frame)
{
  g_return_if_fail (TARE_IS_PLOT (self));

  TARE_PLOT_GET_CLASS (self)->snapshot (self, snapshot, frame);
}

/**
 * tare_plot_snapshot_names:
 * @self: the plot
 * @snapshot: what to draw on
 * @frame: where and with what; its labels' places are told there
 *
 * Draws the names of points, if the plot writes any.
 */
void
tare_plot_snapshot_names (TarePlot            *self,
                          GtkSnapshot         *snapshot,
                          const TarePlotFrame *frame)
{
  g_return_if_fail (TARE_IS_PLOT (self));

  if (TARE_PLOT_GET_CLASS (self)->snapshot_names != NULL)
    TARE_PLOT_GET_CLASS (self)->snapshot_names (self, snapshot, frame);
}

/**
 * tare_plot_snapshot_mark:
 * @self: the plot
 * @snapshot: what to draw on
 * @frame: with what
 * @x: the middle of the mark, in pixels
 * @y: the middle of it
 *
 * Draws the mark by which the plot is known in the legend.
 */
void
tare_plot_snapshot_mark (TarePlot            *self,
                         GtkSnapshot         *snapshot,
                         const TarePlotFrame *frame,
                         double               x,
                         double               y)
{
  g_return_if_fail (TARE_IS_PLOT (self));

  if (TARE_PLOT_GET_CLASS (self)->snapshot_mark != NULL)
    TARE_PLOT_GET_CLASS (self)->snapshot_mark (self, snapshot, frame, x, y);
  else
    _tare_ink_box (snapshot, &frame->color, floor (x) - 4.0, floor (y) - 4.0, 9.0, 9.0);
}

/**
 * tare_plot_get_n_points:
 * @self: the plot
 *
 * Returns: how many points the keyboard walks over
 */
guint
tare_plot_get_n_points (TarePlot *self)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), 0);

  return TARE_PLOT_GET_CLASS (self)->get_n_points (self);
}

/**
 * tare_plot_get_point:
 * @self: the plot
 * @point: a point
 * @x: (out): where it is, in the units of the data
 * @y: (out): where it is
 *
 * Returns: %FALSE if there is no such point
 */
gboolean
tare_plot_get_point (TarePlot *self,
                     guint     point,
                     double   *x,
                     double   *y)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), FALSE);

  return point < tare_plot_get_n_points (self)
         && TARE_PLOT_GET_CLASS (self)->get_point (self, point, x, y);
}

/**
 * tare_plot_lookup:
 * @self: the plot
 * @frame: as it is drawn
 * @x: a pixel in the frame
 * @y: a pixel in the frame
 *
 * Returns: the point there, or %TARE_PLOT_NO_POINT
 */
guint
tare_plot_lookup (TarePlot            *self,
                  const TarePlotFrame *frame,
                  double               x,
                  double               y)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), TARE_PLOT_NO_POINT);

  return TARE_PLOT_GET_CLASS (self)->lookup (self, frame, x, y);
}

/**
 * tare_plot_describe_point:
 * @self: the plot
 * @point: one of its points
 *
 * Returns: (transfer full): one line with the exact numbers
 */
char *
tare_plot_describe_point (TarePlot *self,
                          guint     point)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), NULL);
  g_return_val_if_fail (point < tare_plot_get_n_points (self), NULL);

  return TARE_PLOT_GET_CLASS (self)->describe_point (self, point);
}

/**
 * tare_plot_describe:
 * @self: the plot
 *
 * Returns: (transfer full): a sentence on what is to be seen
 */
char *
tare_plot_describe (TarePlot *self)
{
  g_return_val_if_fail (TARE_IS_PLOT (self), NULL);

  return TARE_PLOT_GET_CLASS (self)->describe (self);
}

/**
 * tare_plot_write_csv:
 * @self: the plot
 * @csv: takes the data as a table, the heading first
 */
void
tare_plot_write_csv (TarePlot *self,
                     GString  *csv)
{
  g_return_if_fail (TARE_IS_PLOT (self));

  TARE_PLOT_GET_CLASS (self)->write_csv (self, csv);
}

/**
 * tare_plot_activate:
 * @self: the plot
 * @point: one of its points
 * @state: the modifiers that were held
 *
 * A point was clicked, or chosen with Return.
 */
void
tare_plot_activate (TarePlot        *self,
                    guint            point,
                    GdkModifierType  state)
{
  g_return_if_fail (TARE_IS_PLOT (self));

  if (point >= tare_plot_get_n_points (self))
    return;

  g_signal_emit (self, signals[POINT_ACTIVATED], 0, tare_plot_get_id (self, point), state);
  if (TARE_PLOT_GET_CLASS (self)->activate != NULL)
    TARE_PLOT_GET_CLASS (self)->activate (self, point, state);
}

/**
 * tare_plot_frame_get_x:
 * @frame: a frame
 * @value: in units of its x axis
 *
 * Returns: pixels from the left, kept near the frame so that no infinity reaches the renderer
 */
double
tare_plot_frame_get_x (const TarePlotFrame *frame,
                       double               value)
{
  return CLAMP (tare_axis_normalize (frame->x, value), -1.0, 2.0) * frame->width;
}

/**
 * tare_plot_frame_get_y:
 * @frame: a frame
 * @value: in units of its y axis
 *
 * Returns: pixels from the top, kept near the frame so that no infinity reaches the renderer
 */
double
tare_plot_frame_get_y (const TarePlotFrame *frame,
                       double               value)
{
  return (1.0 - CLAMP (tare_axis_normalize (frame->y, value), -1.0, 2.0)) * frame->height;
}

/**
 * tare_plot_frame_draw_label:
 * @frame: a frame with a layout, whose text is drawn
 * @snapshot: what to draw on
 * @x: the left of the text, in pixels of the frame
 * @y: its top; moved into the frame
 * @taken: (element-type graphene_rect_t): where labels stand already; gets this one
 *
 * Draws a name over what is there, on a piece of background.
 *
 * Returns: %FALSE where another label leaves no room for it
 */
gboolean
tare_plot_frame_draw_label (const TarePlotFrame *frame,
                            GtkSnapshot         *snapshot,
                            double               x,
                            double               y,
                            GArray              *taken)
{
  GdkRGBA behind = frame->background;
  graphene_rect_t box, common;
  int width, height;

  pango_layout_get_pixel_size (frame->layout, &width, &height);
  y = CLAMP (y, 0.0, MAX (0.0, frame->height - height));
  graphene_rect_init (&box, (float) floor (x) - 2.0f, (float) floor (y), (float) width + 4.0f,
                      (float) height);
  for (guint i = 0; i < taken->len; i++)
    if (graphene_rect_intersection (&box, &g_array_index (taken, graphene_rect_t, i), &common))
      return FALSE;

  g_array_append_val (taken, box);
  behind.alpha = 0.8f;
  gtk_snapshot_append_color (snapshot, &behind, &box);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (box.origin.x + 2.0f, box.origin.y));
  gtk_snapshot_append_layout (snapshot, frame->layout, &frame->foreground);
  gtk_snapshot_restore (snapshot);

  return TRUE;
}

/**
 * tare_plot_csv_number:
 * @csv: a table
 * @value: appended with every digit it has, the same in every language; nothing for NaN
 */
void
tare_plot_csv_number (GString *csv,
                      double   value)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  if (!isnan (value))
    g_string_append (csv, g_ascii_dtostr (number, sizeof number, value));
}

/**
 * tare_plot_csv_text:
 * @csv: a table
 * @text: appended, in quotes where RFC 4180 wants them
 */
void
tare_plot_csv_text (GString    *csv,
                    const char *text)
{
  if (strpbrk (text, ",\"\r\n") == NULL)
    {
      g_string_append (csv, text);
      return;
    }

  g_string_append_c (csv, '"');
  for (const char *c = text; *c != '\0'; c++)
    {
      if (*c == '"')
        g_string_append_c (csv, '"');
      g_string_append_c (csv, *c);
    }
  g_string_append_c (csv, '"');
}
