/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/app/window-fixture.h"

#include "tests/tare-test.h"

/**
 * window_fixture_begin:
 * @argc: of main
 * @argv: of main
 *
 * Returns: whether there is a display to test on; if not, says so as TAP
 */
gboolean
window_fixture_begin (int    *argc,
                      char ***argv)
{
  g_autofree char *data = tare_test_temporary ("data");
  g_autofree char *settings = tare_test_temporary ("config");
  g_autofree char *state = tare_test_temporary ("state");

  /* What the user opened lately is none of the test's business, nor the other way round. The
   * system's icons and types of files are, so the folders of all users stay. */
  g_setenv ("XDG_DATA_HOME", data, TRUE);
  g_setenv ("XDG_CONFIG_HOME", settings, TRUE);
  g_setenv ("XDG_STATE_HOME", state, TRUE);
  if (!gtk_init_check ())
    {
      g_print ("1..0 # SKIP no display\n");
      return FALSE;
    }
  g_test_init (argc, argv, NULL);

  return TRUE;
}

/* One for all tests: a program that was registered but never run cannot be finalized. */
static TareApplication *
get_application (void)
{
  static TareApplication *application = NULL;
  g_autoptr(GError) error = NULL;

  if (application != NULL)
    return application;

  application = tare_application_new ();
  g_application_set_flags (G_APPLICATION (application),
                           G_APPLICATION_HANDLES_OPEN | G_APPLICATION_NON_UNIQUE);
  g_application_register (G_APPLICATION (application), NULL, &error);
  g_assert_no_error (error);

  return application;
}

void
window_fixture_set_up (WindowFixture *fixture,
                       gconstpointer  data)
{
  fixture->application = get_application ();
  fixture->window = tare_window_new (GTK_APPLICATION (fixture->application));
  g_object_add_weak_pointer (G_OBJECT (fixture->window), (gpointer *) &fixture->window);
  fixture->session = tare_window_get_session (fixture->window);
  g_object_add_weak_pointer (G_OBJECT (fixture->session), (gpointer *) &fixture->session);
  gtk_window_present (GTK_WINDOW (fixture->window));
  window_fixture_resize (fixture, 1280, 800);
}

static gboolean
is_window_gone (WindowFixture *fixture)
{
  return fixture->window == NULL;
}

static gboolean
is_session_gone (WindowFixture *fixture)
{
  return fixture->session == NULL;
}

/* The window and the session must go: whoever still held one would leak it. */
void
window_fixture_tear_down (WindowFixture *fixture,
                          gconstpointer  data)
{
  if (fixture->window != NULL)
    gtk_window_destroy (GTK_WINDOW (fixture->window));
  window_fixture_wait (fixture, is_window_gone, 20.0);
  window_fixture_wait (fixture, is_session_gone, 20.0);
}

static gboolean
expire_cb (gpointer data)
{
  *(gboolean *) data = TRUE;

  return G_SOURCE_REMOVE;
}

/* Lets the main loop run for a while. */
void
window_fixture_settle (WindowFixture *fixture,
                       guint          milliseconds)
{
  gboolean expired = FALSE;

  g_timeout_add (milliseconds, expire_cb, &expired);
  while (!expired)
    g_main_context_iteration (NULL, TRUE);
}

/* Under a sanitizer everything takes several times as long: the build says how many. */
static double
get_patience (void)
{
  const char *patience = g_getenv ("TARE_TEST_PATIENCE");

  return patience != NULL ? g_ascii_strtod (patience, NULL) : 1.0;
}

/* Waits for something to come true, and fails when it takes too long. */
void
window_fixture_wait (WindowFixture   *fixture,
                     WindowCondition  condition,
                     double           seconds)
{
  gint64 end = g_get_monotonic_time () + (gint64) (seconds * get_patience () * G_USEC_PER_SEC);

  while (!condition (fixture) && g_get_monotonic_time () < end)
    {
      if (!g_main_context_iteration (NULL, FALSE))
        g_usleep (1000);
    }
  if (!condition (fixture))
    g_test_message ("waited in vain for %.0f seconds", seconds);
  g_assert_true (condition (fixture));
}

/* Without a window manager a frame takes some pixels away; they are added. */
void
window_fixture_resize (WindowFixture *fixture,
                       int            width,
                       int            height)
{
  GtkWidget *widget = GTK_WIDGET (fixture->window);
  int default_width;
  int default_height;

  gtk_window_set_default_size (GTK_WINDOW (widget), width, height);
  window_fixture_settle (fixture, 200);
  gtk_window_get_default_size (GTK_WINDOW (widget), &default_width, &default_height);
  gtk_window_set_default_size (GTK_WINDOW (widget),
                               default_width + width - gtk_widget_get_width (widget),
                               default_height + height - gtk_widget_get_height (widget));
  window_fixture_settle (fixture, 300);
}

static gboolean
is_surveyed (WindowFixture *fixture)
{
  guint n = tare_session_get_n_layers (fixture->session);

  for (guint i = 0; i < n; i++)
    if (tare_layer_get_statistics (tare_session_get_layer (fixture->session, i)) == NULL)
      return FALSE;

  return n > 0;
}

/* As the button of the greeter does, until every layer has its statistics. */
void
window_fixture_open_sample (WindowFixture *fixture)
{
  g_action_group_activate_action (G_ACTION_GROUP (fixture->application), "open-sample", NULL);
  window_fixture_wait (fixture, is_surveyed, 30.0);
  window_fixture_settle (fixture, 100);
}

/* Short texts, so that a test does not wait for a whole novel. */
void
window_fixture_use_excerpts (WindowFixture *fixture,
                             gsize          length)
{
  g_autofree char *evaluation = tare_test_write_excerpt ("alice.txt", length);
  g_autofree char *calibration = tare_test_write_excerpt ("treasure-island.txt", length);

  tare_session_set_evaluation_text (fixture->session, evaluation);
  tare_session_calibrate (fixture->session, calibration);
}

/**
 * window_fixture_get_dialog:
 * @fixture: the fixture
 *
 * Returns: (nullable): the message that lies over the window
 */
GtkWindow *
window_fixture_get_dialog (WindowFixture *fixture)
{
  GListModel *windows = gtk_window_get_toplevels ();

  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr(GtkWindow) window = g_list_model_get_item (windows, i);

      if (ADW_IS_MESSAGE_DIALOG (window)
          && gtk_window_get_transient_for (window) == GTK_WINDOW (fixture->window)
          && gtk_widget_get_visible (GTK_WIDGET (window)))
        return window;
    }

  return NULL;
}

/**
 * window_fixture_find:
 * @root: where to look
 * @type: of the widget
 * @text: (nullable): the text of a label
 *
 * Returns: (nullable): the first such widget below @root
 */
GtkWidget *
window_fixture_find (GtkWidget  *root,
                     GType       type,
                     const char *text)
{
  GtkWidget *child;

  if (g_type_is_a (G_OBJECT_TYPE (root), type)
      && (text == NULL
          || (GTK_IS_LABEL (root)
              && g_strcmp0 (gtk_label_get_label (GTK_LABEL (root)), text) == 0)))
    return root;

  for (child = gtk_widget_get_first_child (root); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = window_fixture_find (child, type, text);

      if (found != NULL)
        return found;
    }

  return NULL;
}

static GskRenderNode *
snapshot (GtkWidget *widget)
{
  g_autoptr(GdkPaintable) paintable = gtk_widget_paintable_new (widget);
  GtkSnapshot *snapshot = gtk_snapshot_new ();

  gdk_paintable_snapshot (paintable, snapshot, gtk_widget_get_width (widget),
                          gtk_widget_get_height (widget));

  return gtk_snapshot_free_to_node (snapshot);
}

static GdkTexture *
draw (WindowFixture *fixture,
      GtkWidget     *widget)
{
  graphene_rect_t area = GRAPHENE_RECT_INIT (0, 0, (float) gtk_widget_get_width (widget),
                                             (float) gtk_widget_get_height (widget));
  g_autoptr(GskRenderNode) node = NULL;

  /* Nothing is there while a layout is pending; the next frames have it. */
  for (int i = 0; i < 100 && node == NULL; i++)
    {
      gtk_widget_queue_draw (widget);
      window_fixture_settle (fixture, 30);
      node = snapshot (widget);
    }
  g_assert_nonnull (node);

  return gsk_renderer_render_texture (gtk_native_get_renderer (GTK_NATIVE (widget)), node, &area);
}

/* How many colours are on it: a blank picture has one, text alone some dozens. */
static guint
count_colors (GdkTexture *texture,
              double     *lightness)
{
  int width = gdk_texture_get_width (texture);
  int height = gdk_texture_get_height (texture);
  g_autofree guint32 *pixels = g_new (guint32, (gsize) width * (gsize) height);
  g_autoptr(GHashTable) colors = g_hash_table_new (NULL, NULL);
  double sum = 0.0;

  gdk_texture_download (texture, (guchar *) pixels, (gsize) width * 4);
  for (gsize i = 0; i < (gsize) width * (gsize) height; i++)
    {
      g_hash_table_add (colors, GUINT_TO_POINTER (pixels[i]));
      sum += (double) ((pixels[i] >> 8) & 0xff) / 255.0;
    }
  *lightness = sum / ((double) width * (double) height);

  return g_hash_table_size (colors);
}

/**
 * window_fixture_find_layer:
 * @fixture: the fixture
 * @canonical: a tensor of the model
 *
 * Returns: its index among the layers of the session
 */
guint
window_fixture_find_layer (WindowFixture *fixture,
                           const char    *canonical)
{
  for (guint i = 0; i < tare_session_get_n_layers (fixture->session); i++)
    {
      TareLayer *layer = tare_session_get_layer (fixture->session, i);

      if (g_str_equal (tare_layer_get_tensor (layer)->canonical, canonical))
        return i;
    }
  g_assert_not_reached ();
}

/**
 * window_fixture_select_layer:
 * @fixture: the fixture
 * @canonical: a tensor of the model
 *
 * Selects it alone.
 */
void
window_fixture_select_layer (WindowFixture *fixture,
                             const char    *canonical)
{
  guint index = window_fixture_find_layer (fixture, canonical);

  tare_session_set_selection (fixture->session, &index, 1);
}

static gboolean
is_idle (WindowFixture *fixture)
{
  TareJobQueue *jobs = tare_session_get_jobs (fixture->session);

  return g_list_model_get_n_items (G_LIST_MODEL (jobs)) == 0;
}

/**
 * window_fixture_show_page:
 * @fixture: the fixture
 * @name: of a page
 *
 * Shows a page and waits until it has found what it shows.
 *
 * Returns: (transfer none): the page
 */
GtkWidget *
window_fixture_show_page (WindowFixture *fixture,
                          const char    *name)
{
  tare_window_show_page (fixture->window, name);
  window_fixture_settle (fixture, 50);
  window_fixture_wait (fixture, is_idle, 60.0);
  window_fixture_settle (fixture, 200);

  return tare_window_get_page (fixture->window, name);
}

/**
 * window_fixture_shoot:
 * @fixture: the fixture
 * @window: a window of the program, presented
 * @name: of the picture
 * @dark: whether in the dark colours
 *
 * Draws a window into a PNG file in the build folder (TARE_BUILD_ROOT), and holds that something
 * is on it.
 */
void
window_fixture_shoot (WindowFixture *fixture,
                      GtkWidget     *window,
                      const char    *name,
                      gboolean       dark)
{
  const char *root = g_getenv ("TARE_BUILD_ROOT");
  g_autofree char *file = g_strdup_printf ("tare-%s-%s.png", name, dark ? "dark" : "light");
  g_autofree char *path = g_build_filename (root != NULL ? root : ".", file, NULL);
  g_autoptr(GdkTexture) texture = NULL;
  double lightness;

  adw_style_manager_set_color_scheme (adw_style_manager_get_default (),
                                      dark ? ADW_COLOR_SCHEME_FORCE_DARK
                                           : ADW_COLOR_SCHEME_FORCE_LIGHT);
  window_fixture_settle (fixture, 500);

  texture = draw (fixture, window);
  g_assert_cmpuint (count_colors (texture, &lightness), >, 100);
  if (dark)
    g_assert_cmpfloat (lightness, <, 0.4);
  else
    g_assert_cmpfloat (lightness, >, 0.6);
  g_assert_true (gdk_texture_save_to_png (texture, path));
  g_test_message ("%s: %d x %d", path, gdk_texture_get_width (texture),
                  gdk_texture_get_height (texture));
}
