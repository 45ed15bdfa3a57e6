/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/widget-test.h"

#include <adwaita.h>
#include <dlfcn.h>
#include <gdk/x11/gdkx.h>

#include "widgets/tare-widgets-init.h"

/* A window that is not drawn after so many turns of the main loop never will be. */
#define MOST_TURNS 2000

/* The test extension of X, found at run time: a machine without it skips what needs it. */
static struct
{
  void *library;
  int (*motion) (Display *, int, int, int, unsigned long);
  int (*button) (Display *, unsigned int, int, unsigned long);
  int (*key) (Display *, unsigned int, int, unsigned long);
} xtest;

/* FALSE, with the plan that says so, where there is no display. */
gboolean
widget_test_init (int    *argc,
                  char ***argv)
{
  if (!gtk_init_check ())
    {
      g_print ("1..0 # SKIP no display\n");
      return FALSE;
    }

  g_test_init (argc, argv, NULL);
  adw_init ();
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (),
                                      ADW_COLOR_SCHEME_FORCE_LIGHT);
  tare_widgets_init ();
  tare_widgets_init ();

  return TRUE;
}

static void
drawn_cb (GdkFrameClock *clock,
          gboolean      *drawn)
{
  *drawn = TRUE;
}

/* Waits until what has changed is drawn. */
void
widget_test_settle (GtkWidget *widget)
{
  GdkFrameClock *clock = gtk_widget_get_frame_clock (widget);
  gboolean drawn = FALSE;
  gulong handler = g_signal_connect (clock, "after-paint", G_CALLBACK (drawn_cb), &drawn);

  gtk_widget_queue_draw (GTK_WIDGET (gtk_widget_get_root (widget)));
  for (guint i = 0; i < MOST_TURNS && !drawn; i++)
    {
      if (!g_main_context_iteration (NULL, FALSE))
        g_usleep (1000);
    }
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_signal_handler_disconnect (clock, handler);
  g_assert_true (drawn);
}

/* Puts @widget alone into a window of this size and draws it. */
GtkWindow *
widget_test_show (GtkWidget *widget,
                  int        width,
                  int        height)
{
  GtkWindow *window = GTK_WINDOW (gtk_window_new ());

  gtk_window_set_decorated (window, FALSE);
  gtk_window_set_default_size (window, width, height);
  gtk_window_set_child (window, widget);
  gtk_window_present (window);
  for (guint i = 0; i < MOST_TURNS && gtk_widget_get_width (widget) == 0; i++)
    {
      if (!g_main_context_iteration (NULL, FALSE))
        g_usleep (1000);
    }
  widget_test_settle (widget);

  return window;
}

/* Draws @widget with the renderer of its window, over nothing. */
WidgetPixels *
widget_test_render (GtkWidget *widget)
{
  g_autoptr(GdkPaintable) paintable = NULL;
  g_autoptr(GdkTexture) texture = NULL;
  GskRenderer *renderer = gtk_native_get_renderer (gtk_widget_get_native (widget));
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  WidgetPixels *self = g_new0 (WidgetPixels, 1);
  GskRenderNode *node;

  widget_test_settle (widget);
  paintable = gtk_widget_paintable_new (widget);
  self->width = gtk_widget_get_width (widget);
  self->height = gtk_widget_get_height (widget);
  gdk_paintable_snapshot (paintable, snapshot, self->width, self->height);
  node = gtk_snapshot_free_to_node (snapshot);
  g_assert_nonnull (node);
  texture = gsk_renderer_render_texture (renderer, node,
                                         &GRAPHENE_RECT_INIT (0, 0, self->width, self->height));
  self->data = g_new0 (guint32, (gsize) self->width * (gsize) self->height);
  gdk_texture_download (texture, (guchar *) self->data, (gsize) self->width * 4);
  gsk_render_node_unref (node);

  return self;
}

void
widget_pixels_free (WidgetPixels *self)
{
  g_free (self->data);
  g_free (self);
}

guint32
widget_pixels_get (WidgetPixels *self,
                   int           x,
                   int           y)
{
  g_assert_cmpint (x, >=, 0);
  g_assert_cmpint (x, <, self->width);
  g_assert_cmpint (y, >=, 0);
  g_assert_cmpint (y, <, self->height);

  return self->data[y * self->width + x];
}

/* How many pixels of a rectangle have this colour, give or take one step of each channel. */
guint
widget_pixels_count (WidgetPixels *self,
                     guint32       color,
                     int           x,
                     int           y,
                     int           width,
                     int           height)
{
  guint n = 0;

  for (int row = MAX (y, 0); row < MIN (y + height, self->height); row++)
    for (int column = MAX (x, 0); column < MIN (x + width, self->width); column++)
      {
        guint32 pixel = self->data[row * self->width + column];
        gboolean same = TRUE;

        for (guint shift = 0; shift < 32; shift += 8)
          same &= ABS ((int) (pixel >> shift & 0xff) - (int) (color >> shift & 0xff)) <= 1;
        n += same;
      }

  return n;
}

guint32
widget_test_color (const GdkRGBA *color)
{
  guint32 channels[4] = {
    (guint32) (color->blue * color->alpha * 255.0f + 0.5f),
    (guint32) (color->green * color->alpha * 255.0f + 0.5f),
    (guint32) (color->red * color->alpha * 255.0f + 0.5f),
    (guint32) (color->alpha * 255.0f + 0.5f),
  };

  return channels[3] << 24 | channels[2] << 16 | channels[1] << 8 | channels[0];
}

/* The first of the widget's controllers that is of this very type. */
GtkEventController *
widget_test_controller (GtkWidget *widget,
                        GType      type)
{
  g_autoptr(GListModel) controllers = gtk_widget_observe_controllers (widget);

  for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr(GtkEventController) controller = g_list_model_get_item (controllers, i);

      if (G_OBJECT_TYPE (controller) == type
          && g_strcmp0 (gtk_event_controller_get_name (controller), "gtk-widget-key") != 0)
        return controller;
    }

  g_assert_not_reached ();
}

/* Hands a key to the widget's own handler, and tells whether it took it. */
gboolean
widget_test_press_key (GtkWidget       *widget,
                       guint            keyval,
                       GdkModifierType  state)
{
  GtkEventController *controller = widget_test_controller (widget, GTK_TYPE_EVENT_CONTROLLER_KEY);
  gboolean taken = FALSE;

  g_signal_emit_by_name (controller, "key-pressed", keyval, 0, state, &taken);

  return taken;
}

/* Presses at the first point, moves over the others and lets go at the last. */
void
widget_test_drag (GtkWidget    *widget,
                  const double  points[][2],
                  guint         n)
{
  GtkEventController *controller = widget_test_controller (widget, GTK_TYPE_GESTURE_DRAG);

  g_signal_emit_by_name (controller, "drag-begin", points[0][0], points[0][1]);
  for (guint i = 1; i < n; i++)
    g_signal_emit_by_name (controller, "drag-update", points[i][0] - points[0][0],
                           points[i][1] - points[0][1]);
  g_signal_emit_by_name (controller, "drag-end", points[n - 1][0] - points[0][0],
                         points[n - 1][1] - points[0][1]);
}

/* Whether this machine can press real buttons. */
gboolean
widget_test_has_input (GtkWidget *widget)
{
  if (!GDK_IS_X11_DISPLAY (gtk_widget_get_display (widget)))
    return FALSE;

  if (xtest.library == NULL)
    xtest.library = dlopen ("libXtst.so.6", RTLD_NOW);
  if (xtest.library == NULL)
    return FALSE;

  *(void **) &xtest.motion = dlsym (xtest.library, "XTestFakeMotionEvent");
  *(void **) &xtest.button = dlsym (xtest.library, "XTestFakeButtonEvent");
  *(void **) &xtest.key = dlsym (xtest.library, "XTestFakeKeyEvent");

  return xtest.motion != NULL && xtest.button != NULL && xtest.key != NULL;
}

static Display *
get_display (GtkWidget *widget)
{
  return gdk_x11_display_get_xdisplay (gtk_widget_get_display (widget));
}

/* Lets the server act, and the window hear of it. */
static void
flush (GtkWidget *widget)
{
  XSync (get_display (widget), False);
  widget_test_settle (widget);
  widget_test_settle (widget);
}

/* Moves the real pointer. */
void
widget_test_point (GtkWidget *widget,
                   double     x,
                   double     y)
{
  GtkNative *native = gtk_widget_get_native (widget);
  Window window = gdk_x11_surface_get_xid (gtk_native_get_surface (native));
  Window child;
  double left, top;
  int root_x, root_y;

  gtk_native_get_surface_transform (native, &left, &top);
  gtk_widget_translate_coordinates (widget, GTK_WIDGET (native), x, y, &x, &y);
  XTranslateCoordinates (get_display (widget), window, DefaultRootWindow (get_display (widget)),
                         (int) (x + left), (int) (y + top), &root_x, &root_y, &child);
  xtest.motion (get_display (widget), -1, root_x, root_y, 0);
  flush (widget);
}

/* Presses a real button, or lets it go. */
void
widget_test_button (GtkWidget *widget,
                    guint      button,
                    gboolean   down)
{
  xtest.button (get_display (widget), button, down, 0);
  flush (widget);
}

/* Holds a real key, or lets it go. */
void
widget_test_modifier (GtkWidget *widget,
                      guint      keyval,
                      gboolean   down)
{
  xtest.key (get_display (widget), XKeysymToKeycode (get_display (widget), keyval), down, 0);
  flush (widget);
}
