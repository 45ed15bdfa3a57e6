/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/app/window-fixture.h"

#include "app/tare-inspector-sites.h"
#include "app/tare-map-view.h"
#include "app/tare-scale-bar.h"
#include "tests/tare-test.h"
#include "tests/widgets/widget-test.h"

static GtkWidget *
find (WindowFixture *fixture,
      GType          type)
{
  GtkWidget *widget = window_fixture_find (GTK_WIDGET (fixture->window), type, NULL);

  g_assert_nonnull (widget);

  return widget;
}

static guint
find_site (WindowFixture *fixture,
           const char    *name)
{
  for (guint i = 0; i < tare_session_get_n_sites (fixture->session); i++)
    if (g_str_equal (tare_session_get_site (fixture->session, i)->name, name))
      return i;
  g_assert_not_reached ();
}

static const char *
get_format (WindowFixture *fixture,
            const char    *name)
{
  const TareFormat *format =
    tare_session_get_site_assignment (fixture->session, find_site (fixture, name)).format;

  return format != NULL ? format->id : "none";
}

static void
load_preset (WindowFixture *fixture,
             const char    *id)
{
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_session_load_recipe (fixture->session, id, &error));
  g_assert_no_error (error);
}

/* The rows come with a recipe that rounds activations, and go with it. */
static void
test_rows (WindowFixture *fixture,
           gconstpointer  data)
{
  TareMapView *view;
  TareFormatMap *map;
  GtkWidget *button;
  guint n_rows, layer = 3, n;

  window_fixture_open_sample (fixture);
  view = TARE_MAP_VIEW (find (fixture, TARE_TYPE_MAP_VIEW));
  map = tare_window_get_map (fixture->window);
  button = tare_map_view_get_sites_button (view);
  n_rows = tare_format_map_get_rows (map);
  /* Of the sample's 6 blocks: 4 inputs, queries, keys and values, and the output's input. */
  g_assert_cmpuint (tare_session_get_n_sites (fixture->session), ==, 6 * 7 + 1);
  g_assert_false (gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (button)));

  load_preset (fixture, "w4a4kv4");
  g_assert_cmpuint (tare_format_map_get_rows (map), ==, n_rows + 6 + 7);
  g_assert_true (gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (button)));
  g_assert_false (gtk_widget_get_sensitive (button));
  g_assert_cmpstr (get_format (fixture, "blk.2.attn_output.input"), ==, "int4_asym_g128");
  g_assert_cmpstr (get_format (fixture, "blk.2.attn.key"), ==, "int4_asym_g64");
  g_assert_cmpstr (get_format (fixture, "blk.2.attn.query"), ==, "none");

  tare_session_undo (fixture->session);
  g_assert_cmpuint (tare_format_map_get_rows (map), ==, n_rows);
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (button), TRUE);
  g_assert_cmpuint (tare_format_map_get_rows (map), ==, n_rows + 6 + 7);
  /* Layers that are selected stay so when the rows go. */
  tare_session_set_selection (fixture->session, &layer, 1);
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (button), FALSE);
  g_assert_cmpuint (tare_format_map_get_rows (map), ==, n_rows);
  tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 1);

  tare_session_close (fixture->session);
  g_assert_cmpuint (tare_session_get_n_sites (fixture->session), ==, 0);
}

/* A layer or activations are selected, never both, and the inspector shows which. */
static void
test_selection (WindowFixture *fixture,
                gconstpointer  data)
{
  TareInspectorSites *inspector;
  TareMapView *view;
  TareFormatMap *map;
  GtkWidget *spin;
  guint sites[2], layer = 3, n, cell;

  window_fixture_open_sample (fixture);
  load_preset (fixture, "w4a8");
  view = TARE_MAP_VIEW (find (fixture, TARE_TYPE_MAP_VIEW));
  map = tare_window_get_map (fixture->window);
  inspector = TARE_INSPECTOR_SITES (find (fixture, TARE_TYPE_INSPECTOR_SITES));
  sites[0] = find_site (fixture, "blk.1.ffn_down.input");
  sites[1] = find_site (fixture, "blk.4.ffn_down.input");

  tare_session_set_selection (fixture->session, &layer, 1);
  tare_session_set_site_selection (fixture->session, sites, 2);
  tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 0);
  cell = tare_map_view_get_site_cell (view, sites[1]);
  g_assert_true (tare_format_map_is_selected (map, cell));
  g_assert_cmpstr (tare_inspector_sites_get_title (inspector), ==, "2 activations");
  g_assert_true (gtk_widget_get_mapped (GTK_WIDGET (inspector)));

  /* The picker sets both in one step. */
  tare_inspector_sites_choose_format (inspector, tare_format_lookup ("int8_g64"));
  g_assert_cmpstr (get_format (fixture, "blk.1.ffn_down.input"), ==, "int8_g64");
  g_assert_cmpstr (get_format (fixture, "blk.4.ffn_down.input"), ==, "int8_g64");
  g_assert_cmpstr (get_format (fixture, "blk.2.ffn_down.input"), ==, "int8_channel");
  window_fixture_settle (fixture, 20);
  tare_session_undo (fixture->session);
  g_assert_cmpstr (get_format (fixture, "blk.4.ffn_down.input"), ==, "int8_channel");

  /* What has scales beyond a token is not among the choices. */
  tare_inspector_sites_choose_format (inspector, tare_format_lookup ("int8_tensor"));
  g_assert_cmpstr (get_format (fixture, "blk.4.ffn_down.input"), ==, "int8_channel");

  /* A window is for what a cache keeps. */
  spin = window_fixture_find (GTK_WIDGET (inspector), GTK_TYPE_SPIN_BUTTON, NULL);
  g_assert_false (gtk_widget_get_mapped (spin));
  sites[0] = find_site (fixture, "blk.1.attn.key");
  tare_session_set_site_selection (fixture->session, sites, 1);
  window_fixture_settle (fixture, 50);
  g_assert_true (gtk_widget_get_mapped (spin));
  g_assert_false (gtk_widget_is_sensitive (spin));
  tare_inspector_sites_choose_format (inspector, tare_format_lookup ("int4_channel"));
  window_fixture_settle (fixture, 20);
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (spin), 64.0);
  g_assert_cmpuint (tare_session_get_site_assignment (fixture->session, sites[0]).window, ==, 64);
  g_assert_cmpstr (get_format (fixture, "blk.1.attn.key"), ==, "int4_channel");
  window_fixture_settle (fixture, 20);
  tare_session_undo (fixture->session);
  window_fixture_settle (fixture, 20);
  g_assert_cmpint (gtk_spin_button_get_value_as_int (GTK_SPIN_BUTTON (spin)), ==, 0);

  tare_session_set_selection (fixture->session, &layer, 1);
  tare_session_get_site_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 0);
  g_assert_false (tare_format_map_is_selected (map, cell));
  g_assert_false (gtk_widget_get_mapped (GTK_WIDGET (inspector)));
}

static void
click (WindowFixture *fixture,
       TareFormatMap *map,
       guint          cell)
{
  GdkRectangle area;

  tare_format_map_set_cursor (map, cell);
  window_fixture_settle (fixture, 50);
  g_assert_true (tare_format_map_get_cell_area (map, cell, &area));
  widget_test_point (GTK_WIDGET (map), area.x + area.width / 2.0, area.y + area.height / 2.0);
  widget_test_button (GTK_WIDGET (map), 1, TRUE);
  widget_test_button (GTK_WIDGET (map), 1, FALSE);
  window_fixture_settle (fixture, 20);
}

/* By real buttons and keys: shown, selected, given bits, painted, undone; sizes stay. */
static void
test_input (WindowFixture *fixture,
            gconstpointer  data)
{
  TareMapView *view;
  TareFormatMap *map;
  GtkWidget *button;
  TareRecipeSize before, after;
  guint cells[2], n;
  guint64 cache;

  window_fixture_open_sample (fixture);
  view = TARE_MAP_VIEW (find (fixture, TARE_TYPE_MAP_VIEW));
  map = tare_window_get_map (fixture->window);
  button = tare_map_view_get_sites_button (view);
  if (!widget_test_has_input (button))
    {
      g_test_skip ("no way to press real buttons");
      return;
    }

  before = tare_session_get_size (fixture->session);
  cache = tare_session_get_cache_bytes (fixture->session);
  widget_test_point (button, gtk_widget_get_width (button) / 2.0,
                     gtk_widget_get_height (button) / 2.0);
  widget_test_button (button, 1, TRUE);
  widget_test_button (button, 1, FALSE);
  window_fixture_settle (fixture, 100);
  cells[0] = tare_map_view_get_site_cell (view, find_site (fixture, "blk.5.attn_output.input"));
  cells[1] = tare_map_view_get_site_cell (view, find_site (fixture, "blk.5.attn.value"));
  g_assert_cmpuint (cells[0], !=, TARE_FORMAT_MAP_NO_CELL);

  click (fixture, map, cells[0]);
  tare_session_get_site_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 1);
  g_assert_true (widget_test_press_key (GTK_WIDGET (map), GDK_KEY_4, 0));
  g_assert_cmpstr (get_format (fixture, "blk.5.attn_output.input"), ==, "int4_channel");
  g_assert_cmpstr (get_format (fixture, "blk.4.attn_output.input"), ==, "none");
  g_assert_true (widget_test_press_key (GTK_WIDGET (map), GDK_KEY_b, 0));
  click (fixture, map, cells[1]);
  g_assert_cmpstr (get_format (fixture, "blk.5.attn.value"), ==, "int4_channel");
  g_assert_cmpuint (tare_session_get_cache_bytes (fixture->session), <, cache);

  after = tare_session_get_size (fixture->session);
  g_assert_cmpuint (after.bytes, ==, before.bytes);
  tare_session_undo (fixture->session);
  g_assert_cmpstr (get_format (fixture, "blk.5.attn.value"), ==, "none");
  g_assert_cmpuint (tare_session_get_cache_bytes (fixture->session), ==, cache);
  tare_session_undo (fixture->session);
  g_assert_cmpstr (get_format (fixture, "blk.5.attn_output.input"), ==, "none");
}

static gboolean
is_measured (WindowFixture *fixture)
{
  TareAccuracy accuracy;

  return tare_session_get_accuracy (fixture->session, &accuracy) == TARE_FIGURE_STATE_CURRENT;
}

/* A change of activations alone is measured, and costs something. */
static void
test_measured (WindowFixture *fixture,
               gconstpointer  data)
{
  TareAssignment assignment;
  TareAccuracy accuracy;
  guint site;

  window_fixture_open_sample (fixture);
  window_fixture_use_excerpts (fixture, 6000);
  window_fixture_wait (fixture, is_measured, 60.0);
  tare_session_get_accuracy (fixture->session, &accuracy);
  g_assert_cmpfloat (accuracy.kl_mean, <, 1e-9);

  site = find_site (fixture, "blk.3.ffn_down.input");
  assignment = tare_session_get_site_brush (fixture->session);
  assignment.format = tare_format_lookup ("int4_channel");
  tare_session_assign_sites (fixture->session, &site, 1, &assignment, NULL);
  g_assert_false (is_measured (fixture));
  window_fixture_wait (fixture, is_measured, 60.0);
  tare_session_get_accuracy (fixture->session, &accuracy);
  g_assert_cmpfloat (accuracy.kl_mean, >, 1e-6);
  g_assert_cmpuint (accuracy.first_block, ==, 3);
}

/* Both appearances, to be looked at. */
static void
test_shots (WindowFixture *fixture,
            gconstpointer  data)
{
  guint site;

  window_fixture_open_sample (fixture);
  load_preset (fixture, "w4a4kv4");
  site = find_site (fixture, "blk.2.attn.key");
  tare_session_set_site_selection (fixture->session, &site, 1);
  window_fixture_settle (fixture, 300);
  window_fixture_shoot (fixture, GTK_WIDGET (fixture->window), "activations", FALSE);
  window_fixture_shoot (fixture, GTK_WIDGET (fixture->window), "activations", TRUE);
  g_assert_cmpint (gtk_widget_get_width (GTK_WIDGET (fixture->window)), ==, 1280);
}

static void
add (const char *path,
     void      (*test) (WindowFixture *fixture,
                        gconstpointer  data))
{
  g_test_add (path, WindowFixture, NULL, window_fixture_set_up, test, window_fixture_tear_down);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

  add ("/window-sites/rows", test_rows);
  add ("/window-sites/selection", test_selection);
  add ("/window-sites/input", test_input);
  add ("/window-sites/measured", test_measured);
  add ("/window-sites/shots", test_shots);

  return g_test_run ();
}
