/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-chart-private.h"

#include <math.h>
#include <string.h>

/* How much one notch of the wheel or one key zooms, and how far one key pans. */
#define ZOOM_STEP 1.25
#define PAN_STEP 0.1

/* A press that goes no further than this is a click, in pixels. */
#define CLICK_REACH 4.0

static const struct
{
  guint            keyval;
  GtkDirectionType direction;
} arrows[] = {
  { GDK_KEY_Left, GTK_DIR_LEFT },
  { GDK_KEY_Right, GTK_DIR_RIGHT },
  { GDK_KEY_Up, GTK_DIR_UP },
  { GDK_KEY_Down, GTK_DIR_DOWN },
};

/* Of plots that share their places, such as bars of several colours, the one with a value there. */
static TarePlot *
find_valued (TareChart *self,
             TarePlot  *plot,
             guint      point)
{
  double x, y, place, value;

  if (!tare_plot_get_point (plot, point, &x, &y) || !isnan (y))
    return plot;

  for (guint i = 0; i < self->plots->len; i++)
    {
      TarePlot *other = g_ptr_array_index (self->plots, i);

      if (G_OBJECT_TYPE (other) == G_OBJECT_TYPE (plot)
          && point < tare_plot_get_n_points (other)
          && tare_plot_get_point (other, point, &place, &value) && place == x && !isnan (value))
        return other;
    }

  return plot;
}

static guint
find_point (TareChart *self,
            double     x,
            double     y,
            double     reach,
            TarePlot **plot)
{
  /* What is drawn last lies on top. */
  for (guint i = self->plots->len; i > 0; i--)
    {
      TarePlot *candidate = g_ptr_array_index (self->plots, i - 1);
      TarePlotFrame frame;
      guint point;

      if (tare_plot_get_n_points (candidate) == 0)
        continue;
      _tare_chart_make_frame (self, candidate, &frame);
      frame.reach = reach;
      point = tare_plot_lookup (candidate, &frame, x, y);
      if (point != TARE_PLOT_NO_POINT)
        {
          *plot = candidate;
          return point;
        }
    }

  return TARE_PLOT_NO_POINT;
}

static void
find_hit (TareChart *self,
          double     x,
          double     y,
          TarePlot **plot,
          guint     *point)
{
  const Area *area = &self->area;

  *plot = NULL;
  *point = TARE_PLOT_NO_POINT;
  x -= area->left;
  y -= area->top;
  if (x < 0.0 || x >= area->width || y < 0.0 || y >= area->height)
    return;

  /* Where nothing is near, the plots that answer from afar do. */
  *point = find_point (self, x, y, TARE_PLOT_REACH, plot);
  if (*plot == NULL)
    *point = find_point (self, x, y, INFINITY, plot);
  if (*plot != NULL)
    *plot = find_valued (self, *plot, *point);
}

static void
motion_cb (GtkEventControllerMotion *controller,
           double                    x,
           double                    y,
           TareChart                *self)
{
  TarePlot *plot;
  guint point;

  self->pointer[0] = x;
  self->pointer[1] = y;
  find_hit (self, x, y, &plot, &point);
  _tare_chart_set_hit (self, plot, point);
}

static void
leave_cb (GtkEventControllerMotion *controller,
          TareChart                *self)
{
  _tare_chart_set_hit (self, NULL, TARE_PLOT_NO_POINT);
}

/* The pointer stays, and what lies below it is another. */
static void
point_again (TareChart *self)
{
  TarePlot *plot;
  guint point;

  if (self->hit == NULL)
    return;

  _tare_chart_set_hit (self, NULL, TARE_PLOT_NO_POINT);
  find_hit (self, self->pointer[0], self->pointer[1], &plot, &point);
  _tare_chart_set_hit (self, plot, point);
}

/* Zooms x, and y with it where they are alike. */
static void
zoom_at (TareChart *self,
         double     factor,
         double     x,
         double     y)
{
  tare_axis_zoom (self->axes[0], factor, x);
  if (_tare_chart_is_planar (self))
    tare_axis_zoom (self->axes[1], factor, y);
}

static gboolean
scroll_cb (GtkEventControllerScroll *controller,
           double                    dx,
           double                    dy,
           TareChart                *self)
{
  GtkEventController *base = GTK_EVENT_CONTROLLER (controller);
  GdkModifierType state = gtk_event_controller_get_current_event_state (base);
  const Area *area = &self->area;
  double before[4], after[4];

  if (area->width < 1.0 || _tare_chart_is_empty (self))
    return FALSE;

  tare_axis_get_range (self->axes[0], &before[0], &before[1]);
  tare_axis_get_range (self->axes[1], &before[2], &before[3]);

  if ((state & GDK_SHIFT_MASK) != 0 || fabs (dx) > fabs (dy))
    tare_axis_pan (self->axes[0], PAN_STEP * (fabs (dx) > fabs (dy) ? dx : dy));
  else if ((state & GDK_CONTROL_MASK) != 0)
    tare_axis_zoom (self->axes[1], pow (ZOOM_STEP, -dy),
                    1.0 - CLAMP ((self->pointer[1] - area->top) / area->height, 0.0, 1.0));
  else
    zoom_at (self, pow (ZOOM_STEP, -dy),
             CLAMP ((self->pointer[0] - area->left) / area->width, 0.0, 1.0),
             1.0 - CLAMP ((self->pointer[1] - area->top) / area->height, 0.0, 1.0));

  /* What changes nothing here may scroll the page around the chart. */
  tare_axis_get_range (self->axes[0], &after[0], &after[1]);
  tare_axis_get_range (self->axes[1], &after[2], &after[3]);
  if (memcmp (before, after, sizeof before) == 0)
    return FALSE;

  point_again (self);

  return TRUE;
}

static void
drag_begin_cb (GtkGestureDrag *gesture,
               double          x,
               double          y,
               TareChart      *self)
{
  GtkEventController *base = GTK_EVENT_CONTROLLER (gesture);
  GdkModifierType state = gtk_event_controller_get_current_event_state (base);
  const Area *area = &self->area;

  gtk_widget_grab_focus (GTK_WIDGET (self));

  /* Where everything is in sight there is nowhere to pan to. */
  self->banding = area->width >= 1.0 && x >= area->left && x <= area->left + area->width
                  && ((state & GDK_SHIFT_MASK) != 0
                      || (tare_axis_is_fitted (self->axes[0])
                          && tare_axis_is_fitted (self->axes[1])));
  self->start = self->band = x;
  self->start_y = self->band_y = y;
  self->panned[0] = self->panned[1] = 0.0;
  self->pointer[0] = x;
  self->pointer[1] = y;
  self->moved = FALSE;
}

static void
drag_update_cb (GtkGestureDrag *gesture,
                double          dx,
                double          dy,
                TareChart      *self)
{
  if (hypot (dx, dy) > CLICK_REACH)
    self->moved = TRUE;
  if (!self->moved || self->area.width < 1.0)
    return;

  if (self->banding)
    {
      self->band = CLAMP (self->start + dx, self->area.left,
                          self->area.left + self->area.width);
      self->band_y = CLAMP (self->start_y + dy, self->area.top,
                            self->area.top + self->area.height);
      gtk_widget_queue_draw (GTK_WIDGET (self));
      return;
    }

  tare_axis_pan (self->axes[0], (self->panned[0] - dx) / self->area.width);
  tare_axis_pan (self->axes[1], (dy - self->panned[1]) / self->area.height);
  self->panned[0] = dx;
  self->panned[1] = dy;
}

static void
zoom_to_band (TareChart *self)
{
  double from = (self->start - self->area.left) / self->area.width;
  double to = (self->band - self->area.left) / self->area.width;

  tare_axis_set_range (self->axes[0],
                       tare_axis_denormalize (self->axes[0], MIN (from, to)),
                       tare_axis_denormalize (self->axes[0], MAX (from, to)));
  if (!_tare_chart_is_planar (self) || fabs (self->band_y - self->start_y) <= CLICK_REACH)
    return;

  from = 1.0 - (self->start_y - self->area.top) / self->area.height;
  to = 1.0 - (self->band_y - self->area.top) / self->area.height;
  tare_axis_set_range (self->axes[1], tare_axis_denormalize (self->axes[1], from),
                       tare_axis_denormalize (self->axes[1], to));
}

static void
drag_end_cb (GtkGestureDrag *gesture,
             double          dx,
             double          dy,
             TareChart      *self)
{
  GtkEventController *base = GTK_EVENT_CONTROLLER (gesture);
  GdkModifierType state = gtk_event_controller_get_current_event_state (base);
  gboolean banding = self->banding;
  TarePlot *plot;
  guint point;

  self->banding = FALSE;
  if (self->moved || hypot (dx, dy) > CLICK_REACH)
    {
      gtk_widget_queue_draw (GTK_WIDGET (self));
      if (banding && fabs (self->band - self->start) > CLICK_REACH)
        zoom_to_band (self);
      return;
    }

  find_hit (self, self->pointer[0], self->pointer[1], &plot, &point);
  if (plot != NULL)
    tare_plot_activate (plot, point,
                        state & (GDK_CONTROL_MASK | GDK_SHIFT_MASK | GDK_ALT_MASK));
}

static void
pressed_cb (GtkGestureClick *gesture,
            int              n_press,
            double           x,
            double           y,
            TareChart       *self)
{
  if (n_press == 2)
    tare_chart_fit (self);
}

static void
menu_pressed_cb (GtkGestureClick *gesture,
                 int              n_press,
                 double           x,
                 double           y,
                 TareChart       *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self));
  _tare_chart_open_menu (self, x, y);
}

/* The plot whose points the cursor walks over: the one it is on, else the first that has any. */
static TarePlot *
get_walked (TareChart *self)
{
  if (self->hit != NULL)
    return self->hit;

  for (guint i = 0; i < self->plots->len; i++)
    if (tare_plot_get_n_points (g_ptr_array_index (self->plots, i)) > 0)
      return g_ptr_array_index (self->plots, i);

  return NULL;
}

/* Brings the point of the cursor into what is shown. */
static void
show_point (TareChart *self)
{
  double x, y, position;

  if (self->hit == NULL || !tare_plot_get_point (self->hit, self->point, &x, &y))
    return;

  for (guint i = 0; i < 2; i++)
    {
      if (i == 1 && !_tare_chart_is_planar (self))
        return;
      position = tare_axis_normalize (self->axes[i], i == 0 ? x : y);
      if (position < 0.0)
        tare_axis_pan (self->axes[i], position - 0.05);
      else if (position > 1.0)
        tare_axis_pan (self->axes[i], position - 0.95);
    }
}

/* The next point that lies elsewhere: some plots draw several points as one. */
static guint
step (TarePlot *plot,
      guint     point,
      int       direction)
{
  guint n = tare_plot_get_n_points (plot);
  double from = (double) NAN, x = (double) NAN, y;

  tare_plot_get_point (plot, point, &from, &y);
  for (guint next = point + (guint) direction; next < n; next += (guint) direction)
    if (!tare_plot_get_point (plot, next, &x, &y) || x != from)
      return next;

  return point;
}

/* Goes where an arrow points, if the plot knows what lies there. */
static gboolean
walk_to (TareChart        *self,
         TarePlot         *plot,
         GtkDirectionType  direction)
{
  guint point = self->hit == NULL ? 0 : tare_plot_move (plot, self->point, direction);

  if (point == TARE_PLOT_NO_POINT || TARE_PLOT_GET_CLASS (plot)->move == NULL)
    return FALSE;

  _tare_chart_set_hit (self, plot, point);
  show_point (self);

  return TRUE;
}

static gboolean
walk (TareChart *self,
      guint      keyval)
{
  TarePlot *plot = get_walked (self);
  guint n, point = 0;

  if (plot == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (arrows); i++)
    if (keyval == arrows[i].keyval && walk_to (self, plot, arrows[i].direction))
      return TRUE;
  if (keyval == GDK_KEY_Up || keyval == GDK_KEY_Down)
    return FALSE;

  n = tare_plot_get_n_points (plot);
  switch (keyval)
    {
    case GDK_KEY_Left:
      point = self->hit == NULL ? 0 : step (plot, self->point, -1);
      break;
    case GDK_KEY_Right:
      point = self->hit == NULL ? 0 : step (plot, self->point, 1);
      break;
    case GDK_KEY_End:
      point = n - 1;
      break;
    case GDK_KEY_Home:
    default:
      break;
    }
  _tare_chart_set_hit (self, find_valued (self, plot, point), point);
  show_point (self);

  return TRUE;
}

/* With Shift the arrows move what is in sight. */
static gboolean
pan (TareChart *self,
     guint      keyval)
{
  static const struct
  {
    guint          keyval;
    GtkOrientation axis;
    double         step;
  } steps[] = {
    { GDK_KEY_Left, GTK_ORIENTATION_HORIZONTAL, -PAN_STEP },
    { GDK_KEY_Right, GTK_ORIENTATION_HORIZONTAL, PAN_STEP },
    { GDK_KEY_Up, GTK_ORIENTATION_VERTICAL, PAN_STEP },
    { GDK_KEY_Down, GTK_ORIENTATION_VERTICAL, -PAN_STEP },
  };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    if (keyval == steps[i].keyval)
      {
        tare_axis_pan (self->axes[steps[i].axis], steps[i].step);
        return TRUE;
      }

  return FALSE;
}

static gboolean
press_with_control (TareChart *self,
                    guint      keyval)
{
  if (keyval == GDK_KEY_c)
    tare_chart_copy_csv (self);
  else if (keyval == GDK_KEY_t && !_tare_chart_is_empty (self))
    tare_chart_show_table (self);
  else
    return FALSE;

  return TRUE;
}

static gboolean
key_pressed_cb (GtkEventControllerKey *controller,
                guint                  keyval,
                guint                  keycode,
                GdkModifierType        state,
                TareChart             *self)
{
  double x = 0.0, y = 0.0, anchor = 0.5, across = 0.5;

  if (self->hit != NULL && tare_plot_get_point (self->hit, self->point, &x, &y))
    {
      anchor = CLAMP (tare_axis_normalize (self->axes[0], x), 0.0, 1.0);
      if (!isnan (y))
        across = CLAMP (tare_axis_normalize (self->axes[1], y), 0.0, 1.0);
    }

  if ((state & GDK_CONTROL_MASK) != 0)
    return press_with_control (self, gdk_keyval_to_lower (keyval));
  if ((state & (GDK_ALT_MASK | GDK_SUPER_MASK)) != 0)
    return FALSE;
  if ((state & GDK_SHIFT_MASK) != 0 && pan (self, keyval))
    return TRUE;

  switch (keyval)
    {
    case GDK_KEY_Left:
    case GDK_KEY_Right:
    case GDK_KEY_Up:
    case GDK_KEY_Down:
    case GDK_KEY_Home:
    case GDK_KEY_End:
      return walk (self, keyval);
    case GDK_KEY_plus:
    case GDK_KEY_equal:
    case GDK_KEY_KP_Add:
      zoom_at (self, ZOOM_STEP, anchor, across);
      return TRUE;
    case GDK_KEY_minus:
    case GDK_KEY_KP_Subtract:
      zoom_at (self, 1.0 / ZOOM_STEP, anchor, across);
      return TRUE;
    case GDK_KEY_0:
    case GDK_KEY_KP_0:
      tare_chart_fit (self);
      return TRUE;
    case GDK_KEY_Return:
    case GDK_KEY_KP_Enter:
    case GDK_KEY_space:
      if (self->hit == NULL)
        return FALSE;
      tare_plot_activate (self->hit, self->point, state & GDK_SHIFT_MASK);
      return TRUE;
    case GDK_KEY_F10:
      if ((state & GDK_SHIFT_MASK) == 0)
        return FALSE;
      /* fall through */
    case GDK_KEY_Menu:
      _tare_chart_open_menu (self, self->area.left + anchor * self->area.width,
                             self->area.top + (1.0 - across) * self->area.height);
      return TRUE;
    case GDK_KEY_Escape:
      if (self->banding)
        {
          self->banding = FALSE;
          gtk_widget_queue_draw (GTK_WIDGET (self));
          return TRUE;
        }
      if (self->hit == NULL)
        return FALSE;
      _tare_chart_set_hit (self, NULL, TARE_PLOT_NO_POINT);
      return TRUE;
    default:
      return FALSE;
    }
}

/* Connects the pointer and the keyboard. */
void
_tare_chart_add_input (TareChart *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  GtkEventController *controller;
  GtkGesture *gesture;

  controller = gtk_event_controller_motion_new ();
  g_signal_connect (controller, "enter", G_CALLBACK (motion_cb), self);
  g_signal_connect (controller, "motion", G_CALLBACK (motion_cb), self);
  g_signal_connect (controller, "leave", G_CALLBACK (leave_cb), self);
  gtk_widget_add_controller (widget, controller);

  controller = gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_BOTH_AXES);
  g_signal_connect (controller, "scroll", G_CALLBACK (scroll_cb), self);
  gtk_widget_add_controller (widget, controller);

  gesture = gtk_gesture_drag_new ();
  g_signal_connect (gesture, "drag-begin", G_CALLBACK (drag_begin_cb), self);
  g_signal_connect (gesture, "drag-update", G_CALLBACK (drag_update_cb), self);
  g_signal_connect (gesture, "drag-end", G_CALLBACK (drag_end_cb), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (gesture));

  gesture = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (gesture), GDK_BUTTON_SECONDARY);
  g_signal_connect (gesture, "pressed", G_CALLBACK (menu_pressed_cb), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (gesture));

  gesture = gtk_gesture_click_new ();
  g_signal_connect (gesture, "pressed", G_CALLBACK (pressed_cb), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (gesture));

  controller = gtk_event_controller_key_new ();
  g_signal_connect (controller, "key-pressed", G_CALLBACK (key_pressed_cb), self);
  gtk_widget_add_controller (widget, controller);
}
