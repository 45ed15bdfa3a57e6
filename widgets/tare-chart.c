/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-chart-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>

/* What a chart asks for, in pixels; it is readable down to the first. */
#define LEAST_WIDTH 160
#define LEAST_HEIGHT 120
#define NATURAL_WIDTH 420
#define NATURAL_HEIGHT 260

/**
 * TareChart:
 *
 * Plots over two axes, with rulers, grid, titles and a readout of exact numbers. The wheel zooms at
 * the pointer (Control: y; Shift pans), and both axes of planar plots. A drag pans, or, where
 * everything is in sight or Shift is held, marks what to zoom to; a double click shows all again.
 * With the keyboard, Left, Right, Home and End walk over the points, with Shift the arrows pan, +
 * and - zoom, 0 shows all, Return chooses, Control+C copies the data, Control+T shows them as a
 * table and the menu key opens a menu. Charts that share an axis move together.
 */
enum
{
  PROP_0,
  PROP_TITLE,
  PROP_EMPTY_TEXT,
  PROP_READOUT,
  N_PROPS
};

G_DEFINE_FINAL_TYPE (TareChart, tare_chart, GTK_TYPE_WIDGET)

static GParamSpec *properties[N_PROPS];

static void
drop_node (TareChart *self)
{
  g_clear_pointer (&self->node, gsk_render_node_unref);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
update_description (TareChart *self)
{
  g_autofree char *description = tare_chart_dup_description (self);

  gtk_accessible_update_property (GTK_ACCESSIBLE (self),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  self->title != NULL ? self->title : _("Chart"),
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                  self->readout != NULL ? self->readout : description, -1);
}

/* Moves to another point, and says so in the readout. */
void
_tare_chart_set_hit (TareChart *self,
                     TarePlot  *plot,
                     guint      point)
{
  gboolean legend = self->readout == NULL;

  if (self->hit == plot && (plot == NULL || self->point == point))
    return;

  self->hit = plot;
  self->point = point;
  g_free (self->readout);
  self->readout = plot != NULL ? tare_plot_describe_point (plot, point) : NULL;

  /* The legend gives its place to the readout and takes it again. */
  if (legend != (self->readout == NULL))
    g_clear_pointer (&self->node, gsk_render_node_unref);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  update_description (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_READOUT]);
}

static void
widen (double        bounds[2],
       const double  by[2])
{
  if (isnan (by[0]) || isnan (by[1]))
    return;

  bounds[0] = isnan (bounds[0]) ? by[0] : MIN (bounds[0], by[0]);
  bounds[1] = isnan (bounds[1]) ? by[1] : MAX (bounds[1], by[1]);
}

static void
update_bounds (TareChart *self)
{
  double bounds[2][2] = { { NAN, NAN }, { NAN, NAN } };
  g_auto(GStrv) categories = NULL;
  g_auto(GStrv) rows = NULL;
  gboolean counts[2] = { FALSE, FALSE };

  if (self->updating)
    return;

  for (guint i = 0; i < self->plots->len; i++)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i);
      double x[2], y[2];

      tare_plot_get_bounds (plot, tare_axis_get_scale (self->axes[0]),
                            tare_axis_get_scale (self->axes[1]), x, y);
      widen (bounds[0], x);
      widen (bounds[1], y);
      if (categories == NULL)
        categories = tare_plot_dup_categories (plot);
      if (rows == NULL)
        rows = tare_plot_dup_row_names (plot);
      counts[0] |= TARE_PLOT_GET_CLASS (plot)->columns;
      counts[1] |= TARE_PLOT_GET_CLASS (plot)->rows;
    }

  self->updating = TRUE;
  if (self->automatic[0])
    {
      tare_axis_set_categories (self->axes[0], (const char *const *) categories);
      tare_axis_set_counting (self->axes[0], counts[0]);
    }
  if (self->automatic[1])
    {
      tare_axis_set_categories (self->axes[1], (const char *const *) rows);
      tare_axis_set_counting (self->axes[1], counts[1]);
      tare_axis_set_reversed (self->axes[1], counts[1]);
    }
  for (guint i = 0; i < 2; i++)
    if (self->automatic[i] && !isnan (bounds[i][0]))
      tare_axis_set_bounds (self->axes[i], bounds[i][0], bounds[i][1]);
  self->updating = FALSE;
}

static void
plot_changed_cb (TareChart *self,
                 TarePlot  *plot)
{
  if (self->hit == plot)
    {
      guint point = self->point;
      gboolean stays = point < tare_plot_get_n_points (plot);

      /* The same point may say something else now. */
      self->hit = NULL;
      self->point = TARE_PLOT_NO_POINT;
      if (stays)
        _tare_chart_set_hit (self, plot, point);
      else
        {
          self->hit = plot;
          _tare_chart_set_hit (self, NULL, TARE_PLOT_NO_POINT);
        }
    }

  update_bounds (self);
  update_description (self);
  drop_node (self);
}

static void
set_axis (TareChart      *self,
          GtkOrientation  orientation,
          TareAxis       *axis)
{
  if (self->axes[orientation] == axis)
    return;

  if (self->axes[orientation] != NULL)
    g_signal_handlers_disconnect_by_data (self->axes[orientation], self);

  g_set_object (&self->axes[orientation], axis);
  if (axis == NULL)
    return;

  g_signal_connect_object (axis, "range-changed", G_CALLBACK (drop_node), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (axis, "notify::title", G_CALLBACK (drop_node), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (axis, "notify::scale", G_CALLBACK (update_bounds), self,
                           G_CONNECT_SWAPPED);
  if (self->axes[0] != NULL && self->axes[1] != NULL)
    update_bounds (self);
  drop_node (self);
}

static void
tare_chart_measure (GtkWidget      *widget,
                    GtkOrientation  orientation,
                    int             for_size,
                    int            *minimum,
                    int            *natural,
                    int            *minimum_baseline,
                    int            *natural_baseline)
{
  gboolean across = orientation == GTK_ORIENTATION_HORIZONTAL;

  *minimum = across ? LEAST_WIDTH : LEAST_HEIGHT;
  *natural = across ? NATURAL_WIDTH : NATURAL_HEIGHT;
}

static void
tare_chart_size_allocate (GtkWidget *widget,
                          int        width,
                          int        height,
                          int        baseline)
{
  TareChart *self = (TareChart *) widget;

  drop_node (self);
  if (self->menu != NULL)
    gtk_popover_present (GTK_POPOVER (self->menu));
}

static void
tare_chart_snapshot (GtkWidget   *widget,
                     GtkSnapshot *snapshot)
{
  TareChart *self = (TareChart *) widget;
  int width = gtk_widget_get_width (widget);

  if (self->node == NULL)
    {
      GtkSnapshot *inner = gtk_snapshot_new ();

      _tare_chart_draw (self, inner, width, gtk_widget_get_height (widget));
      self->node = gtk_snapshot_free_to_node (inner);
    }
  if (self->node != NULL)
    gtk_snapshot_append_node (snapshot, self->node);
  _tare_chart_draw_hit (self, snapshot, width);
}

static void
tare_chart_css_changed (GtkWidget         *widget,
                        GtkCssStyleChange *change)
{
  TareChart *self = (TareChart *) widget;

  GTK_WIDGET_CLASS (tare_chart_parent_class)->css_changed (widget, change);
  _tare_ink_read (&self->ink, widget);
  g_clear_object (&self->layout);
  drop_node (self);
}

static void
tare_chart_system_setting_changed (GtkWidget        *widget,
                                   GtkSystemSetting  setting)
{
  GTK_WIDGET_CLASS (tare_chart_parent_class)->system_setting_changed (widget, setting);
  g_clear_object (&((TareChart *) widget)->layout);
  drop_node ((TareChart *) widget);
}

static void
tare_chart_get_property (GObject    *object,
                         guint       id,
                         GValue     *value,
                         GParamSpec *pspec)
{
  TareChart *self = (TareChart *) object;

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_EMPTY_TEXT:
      g_value_set_string (value, self->empty_text);
      break;
    case PROP_READOUT:
      g_value_set_string (value, self->readout);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
tare_chart_set_property (GObject      *object,
                         guint         id,
                         const GValue *value,
                         GParamSpec   *pspec)
{
  TareChart *self = (TareChart *) object;

  switch (id)
    {
    case PROP_TITLE:
      tare_chart_set_title (self, g_value_get_string (value));
      break;
    case PROP_EMPTY_TEXT:
      tare_chart_set_empty_text (self, g_value_get_string (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
tare_chart_dispose (GObject *object)
{
  TareChart *self = (TareChart *) object;

  self->hit = NULL;
  g_clear_object (&self->dialog);
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  for (guint i = 0; i < self->plots->len; i++)
    g_signal_handlers_disconnect_by_data (g_ptr_array_index (self->plots, i), self);
  g_ptr_array_set_size (self->plots, 0);
  set_axis (self, GTK_ORIENTATION_HORIZONTAL, NULL);
  set_axis (self, GTK_ORIENTATION_VERTICAL, NULL);
  g_clear_pointer (&self->node, gsk_render_node_unref);
  g_clear_object (&self->layout);

  G_OBJECT_CLASS (tare_chart_parent_class)->dispose (object);
}

static void
tare_chart_finalize (GObject *object)
{
  TareChart *self = (TareChart *) object;

  g_ptr_array_unref (self->plots);
  g_free (self->title);
  g_free (self->description);
  g_free (self->empty_text);
  g_free (self->readout);

  G_OBJECT_CLASS (tare_chart_parent_class)->finalize (object);
}

static void
tare_chart_class_init (TareChartClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->dispose = tare_chart_dispose;
  object_class->finalize = tare_chart_finalize;
  object_class->get_property = tare_chart_get_property;
  object_class->set_property = tare_chart_set_property;

  widget_class->measure = tare_chart_measure;
  widget_class->size_allocate = tare_chart_size_allocate;
  widget_class->snapshot = tare_chart_snapshot;
  widget_class->css_changed = tare_chart_css_changed;
  widget_class->system_setting_changed = tare_chart_system_setting_changed;

  properties[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  properties[PROP_EMPTY_TEXT] = g_param_spec_string ("empty-text", NULL, NULL, NULL, flags);
  properties[PROP_READOUT] = g_param_spec_string ("readout", NULL, NULL, NULL,
                                                  G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_set_css_name (widget_class, "chart");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
tare_chart_init (TareChart *self)
{
  g_autoptr(TareAxis) x = tare_axis_new (NULL);
  g_autoptr(TareAxis) y = tare_axis_new (NULL);

  self->plots = g_ptr_array_new_with_free_func (g_object_unref);
  self->automatic[0] = self->automatic[1] = TRUE;
  self->point = TARE_PLOT_NO_POINT;
  set_axis (self, GTK_ORIENTATION_HORIZONTAL, x);
  set_axis (self, GTK_ORIENTATION_VERTICAL, y);

  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  _tare_ink_read (&self->ink, GTK_WIDGET (self));
  _tare_chart_add_input (self);
  update_description (self);
}

/**
 * tare_chart_new:
 *
 * Returns: (transfer floating): a chart without plots, with two linear axes
 */
GtkWidget *
tare_chart_new (void)
{
  return g_object_new (TARE_TYPE_CHART, NULL);
}

/**
 * tare_chart_get_x_axis:
 * @self: the chart
 *
 * Returns: (transfer none): its axis along the width
 */
TareAxis *
tare_chart_get_x_axis (TareChart *self)
{
  g_return_val_if_fail (TARE_IS_CHART (self), NULL);

  return self->axes[GTK_ORIENTATION_HORIZONTAL];
}

/**
 * tare_chart_set_x_axis:
 * @self: the chart
 * @axis: its axis along the width; sharing one links charts
 */
void
tare_chart_set_x_axis (TareChart *self,
                       TareAxis  *axis)
{
  g_return_if_fail (TARE_IS_CHART (self) && TARE_IS_AXIS (axis));

  set_axis (self, GTK_ORIENTATION_HORIZONTAL, axis);
}

/**
 * tare_chart_get_y_axis:
 * @self: the chart
 *
 * Returns: (transfer none): its axis along the height
 */
TareAxis *
tare_chart_get_y_axis (TareChart *self)
{
  g_return_val_if_fail (TARE_IS_CHART (self), NULL);

  return self->axes[GTK_ORIENTATION_VERTICAL];
}

/**
 * tare_chart_set_y_axis:
 * @self: the chart
 * @axis: its axis along the height; sharing one links charts
 */
void
tare_chart_set_y_axis (TareChart *self,
                       TareAxis  *axis)
{
  g_return_if_fail (TARE_IS_CHART (self) && TARE_IS_AXIS (axis));

  set_axis (self, GTK_ORIENTATION_VERTICAL, axis);
}

/**
 * tare_chart_set_automatic:
 * @self: the chart
 * @x: whether the bounds and categories of the x axis follow the plots
 * @y: whether the bounds of the y axis do
 *
 * Both do at first. Charts that share an axis leave its bounds to whoever shares it.
 */
void
tare_chart_set_automatic (TareChart *self,
                          gboolean   x,
                          gboolean   y)
{
  g_return_if_fail (TARE_IS_CHART (self));

  self->automatic[0] = x;
  self->automatic[1] = y;
  update_bounds (self);
}

/**
 * tare_chart_add_plot:
 * @self: the chart
 * @plot: (transfer none): drawn on top of those before it
 */
void
tare_chart_add_plot (TareChart *self,
                     TarePlot  *plot)
{
  g_return_if_fail (TARE_IS_CHART (self) && TARE_IS_PLOT (plot));

  g_ptr_array_add (self->plots, g_object_ref (plot));
  g_signal_connect_object (plot, "changed", G_CALLBACK (plot_changed_cb), self, G_CONNECT_SWAPPED);
  plot_changed_cb (self, plot);
}

/**
 * tare_chart_remove_plot:
 * @self: the chart
 * @plot: one of its plots
 */
void
tare_chart_remove_plot (TareChart *self,
                        TarePlot  *plot)
{
  g_return_if_fail (TARE_IS_CHART (self) && TARE_IS_PLOT (plot));

  if (self->hit == plot)
    _tare_chart_set_hit (self, NULL, TARE_PLOT_NO_POINT);

  g_signal_handlers_disconnect_by_data (plot, self);
  g_ptr_array_remove (self->plots, plot);
  update_bounds (self);
  update_description (self);
  drop_node (self);
}

/**
 * tare_chart_get_title:
 * @self: the chart
 *
 * Returns: (nullable) (transfer none): what it shows
 */
const char *
tare_chart_get_title (TareChart *self)
{
  g_return_val_if_fail (TARE_IS_CHART (self), NULL);

  return self->title;
}

/**
 * tare_chart_set_title:
 * @self: the chart
 * @title: (nullable): what it shows, in a few words; drawn, and its accessible name
 */
void
tare_chart_set_title (TareChart  *self,
                      const char *title)
{
  g_return_if_fail (TARE_IS_CHART (self));

  if (g_strcmp0 (self->title, title) == 0)
    return;

  g_free (self->title);
  self->title = g_strdup (title);
  update_description (self);
  drop_node (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TITLE]);
}

/**
 * tare_chart_set_description:
 * @self: the chart
 * @description: (nullable): what is to be seen, in a sentence, for those who do not see it; %NULL
 *   leaves that to the plots
 */
void
tare_chart_set_description (TareChart  *self,
                            const char *description)
{
  g_return_if_fail (TARE_IS_CHART (self));

  g_free (self->description);
  self->description = g_strdup (description);
  update_description (self);
}

/**
 * tare_chart_dup_description:
 * @self: the chart
 *
 * Returns: (transfer full): what is to be seen, in a sentence or more
 */
char *
tare_chart_dup_description (TareChart *self)
{
  GString *string;

  g_return_val_if_fail (TARE_IS_CHART (self), NULL);

  if (self->description != NULL)
    return g_strdup (self->description);
  if (_tare_chart_is_empty (self))
    return g_strdup (self->empty_text != NULL ? self->empty_text : _("Nothing to show."));

  string = g_string_new (NULL);
  for (guint i = 0; i < self->plots->len; i++)
    {
      g_autofree char *one = NULL;

      if (tare_plot_get_n_points (g_ptr_array_index (self->plots, i)) == 0)
        continue;
      one = tare_plot_describe (g_ptr_array_index (self->plots, i));
      g_string_append_printf (string, "%s%s", string->len > 0 ? " " : "", one);
    }

  return g_string_free (string, FALSE);
}

/**
 * tare_chart_set_empty_text:
 * @self: the chart
 * @text: (nullable): what would fill the chart, shown while no plot has a point
 */
void
tare_chart_set_empty_text (TareChart  *self,
                           const char *text)
{
  g_return_if_fail (TARE_IS_CHART (self));

  if (g_strcmp0 (self->empty_text, text) == 0)
    return;

  g_free (self->empty_text);
  self->empty_text = g_strdup (text);
  update_description (self);
  drop_node (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_EMPTY_TEXT]);
}

/**
 * tare_chart_get_readout:
 * @self: the chart
 *
 * Returns: (nullable) (transfer none): the exact numbers at the pointer or the cursor
 */
const char *
tare_chart_get_readout (TareChart *self)
{
  g_return_val_if_fail (TARE_IS_CHART (self), NULL);

  return self->readout;
}

/**
 * tare_chart_fit:
 * @self: the chart
 *
 * Shows all of the data.
 */
void
tare_chart_fit (TareChart *self)
{
  g_return_if_fail (TARE_IS_CHART (self));

  tare_axis_fit (self->axes[GTK_ORIENTATION_HORIZONTAL]);
  tare_axis_fit (self->axes[GTK_ORIENTATION_VERTICAL]);
}

/**
 * tare_chart_get_plot_area:
 * @self: the chart
 * @area: (out): where the plots were last drawn, in the chart's pixels
 *
 * Returns: %FALSE if nothing was drawn
 */
gboolean
tare_chart_get_plot_area (TareChart    *self,
                          GdkRectangle *area)
{
  g_return_val_if_fail (TARE_IS_CHART (self), FALSE);

  area->x = (int) self->area.left;
  area->y = (int) self->area.top;
  area->width = (int) self->area.width;
  area->height = (int) self->area.height;

  return area->width > 0 && area->height > 0;
}
