/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The window where there is little room: what folds, and that nothing shows through. */
#include "app/tare-map-view.h"
#include "app/tare-scale-bar.h"
#include "tests/app/window-fixture.h"
#include "tests/tare-test.h"

#define NARROW 860

static GtkWidget *
find (WindowFixture *fixture,
      GType          type)
{
  GtkWidget *widget = window_fixture_find (GTK_WIDGET (fixture->window), type, NULL);

  g_assert_nonnull (widget);

  return widget;
}

/* How many pixels of a widget let through what is behind it. */
static guint
count_transparent (GtkWidget *widget)
{
  int width = gtk_widget_get_width (widget);
  int height = gtk_widget_get_height (widget);
  g_autofree guint32 *pixels = g_new0 (guint32, (gsize) width * (gsize) height);
  g_autoptr(GdkPaintable) paintable = gtk_widget_paintable_new (widget);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  g_autoptr(GskRenderNode) node = NULL;
  g_autoptr(GdkTexture) texture = NULL;
  guint n = 0;

  gdk_paintable_snapshot (paintable, snapshot, width, height);
  node = gtk_snapshot_free_to_node (snapshot);
  g_assert_nonnull (node);
  texture = gsk_renderer_render_texture (
    gtk_native_get_renderer (gtk_widget_get_native (widget)), node,
    &GRAPHENE_RECT_INIT (0, 0, (float) width, (float) height));
  gdk_texture_download (texture, (guchar *) pixels, (gsize) width * 4);
  for (gsize i = 0; i < (gsize) width * (gsize) height; i++)
    n += pixels[i] >> 24 != 0xff;

  return n;
}

/* The map unfolds over the pages, and they must not be seen through it. */
static void
test_flap (WindowFixture *fixture,
           gconstpointer  data)
{
  GtkWidget *map;

  window_fixture_open_sample (fixture);
  window_fixture_resize (fixture, NARROW, 600);
  window_fixture_settle (fixture, 400);
  map = find (fixture, TARE_TYPE_MAP_VIEW);
  g_assert_false (gtk_widget_get_mapped (map));
  g_action_group_activate_action (G_ACTION_GROUP (fixture->window), "show-map", NULL);
  window_fixture_settle (fixture, 800);
  g_assert_true (gtk_widget_get_mapped (map));
  g_assert_cmpuint (count_transparent (map), ==, 0);
}

static gboolean
is_measured (WindowFixture *fixture)
{
  TareAccuracy accuracy;

  return tare_session_get_accuracy (fixture->session, &accuracy) == TARE_FIGURE_STATE_CURRENT;
}

static gboolean
wait_to_be_cancelled (const TareProgress  *progress,
                      gpointer             data,
                      GError             **error)
{
  while (tare_progress_step (progress, 0.5, "Waiting", error))
    g_usleep (10000);

  return FALSE;
}

static gboolean
is_shown (WindowFixture *fixture,
          const char    *caption)
{
  GtkWidget *label = window_fixture_find (find (fixture, TARE_TYPE_SCALE_BAR), GTK_TYPE_LABEL,
                                          caption);

  g_assert_nonnull (label);

  return gtk_widget_get_mapped (label);
}

static void
assign (WindowFixture *fixture,
        const char    *format)
{
  TareAssignment assignment = {
    .format = tare_format_lookup (format), .method = tare_method_lookup ("rtn"),
  };

  tare_session_assign_rule (fixture->session, "*", &assignment);
}

/* With stale figures and work under way a narrow window stays narrow: what matters least folds. */
static void
test_width (WindowFixture *fixture,
            gconstpointer  data)
{
  TareJobQueue *jobs = tare_session_get_jobs (fixture->session);
  g_autofree char *text = tare_test_write_excerpt ("alice.txt", 8000);
  g_autoptr(TareJob) job = tare_job_new ("Something that has a very long name",
                                         wait_to_be_cancelled, NULL, NULL, NULL);
  int least;

  tare_session_set_evaluation_text (fixture->session, text);
  window_fixture_open_sample (fixture);
  window_fixture_resize (fixture, 1280, 600);
  assign (fixture, "q4_0");
  window_fixture_wait (fixture, is_measured, 60.0);
  window_fixture_resize (fixture, NARROW, 600);
  g_assert_cmpint (gtk_widget_get_width (GTK_WIDGET (fixture->window)), ==, NARROW);

  tare_job_queue_push (jobs, TARE_JOB_LANE_ENGINE, TARE_JOB_PRIORITY_ASKED, job);
  assign (fixture, "q2_k");
  window_fixture_settle (fixture, 300);
  gtk_widget_measure (GTK_WIDGET (fixture->window), GTK_ORIENTATION_HORIZONTAL, -1, &least, NULL,
                      NULL, NULL);
  g_assert_cmpint (least, <=, NARROW);
  g_assert_cmpint (gtk_widget_get_width (GTK_WIDGET (fixture->window)), ==, NARROW);
  g_assert_true (is_shown (fixture, "size"));
  g_assert_true (is_shown (fixture, "KL divergence (stale)"));
  g_assert_false (is_shown (fixture, "vs. source"));

  window_fixture_resize (fixture, 1280, 600);
  g_assert_true (is_shown (fixture, "vs. source"));
  g_assert_true (is_shown (fixture, "same top (stale)"));
  tare_job_cancel (job);
}

/* News must not lie over the figures that they are about. */
static void
test_toast (WindowFixture *fixture,
            gconstpointer  data)
{
  GtkWidget *window = GTK_WIDGET (fixture->window);
  GtkWidget *label;
  graphene_rect_t toast;
  graphene_rect_t bar;

  window_fixture_open_sample (fixture);
  g_signal_emit_by_name (fixture->session, "notice", "Something is done");
  window_fixture_settle (fixture, 600);
  label = window_fixture_find (window, GTK_TYPE_LABEL, "Something is done");
  g_assert_nonnull (label);
  g_assert_true (gtk_widget_get_mapped (label));
  g_assert_true (gtk_widget_compute_bounds (label, window, &toast));
  g_assert_true (gtk_widget_compute_bounds (find (fixture, TARE_TYPE_SCALE_BAR), window, &bar));
  g_assert_cmpfloat (bar.size.height, >, 20.0);
  g_assert_cmpfloat (toast.origin.y + toast.size.height, <=, bar.origin.y);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

#define ADD(name, func) \
  g_test_add (name, WindowFixture, NULL, window_fixture_set_up, func, window_fixture_tear_down)
  ADD ("/window/flap", test_flap);
  ADD ("/window/toast", test_toast);
  ADD ("/window/width", test_width);
#undef ADD

  return g_test_run ();
}
