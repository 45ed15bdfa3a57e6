/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/app/window-fixture.h"

#include <string.h>

#include "app/tare-distribution-page.h"
#include "app/tare-export-dialog.h"
#include "app/tare-greeter.h"
#include "app/tare-inspector.h"
#include "app/tare-layers-page.h"
#include "app/tare-map-view.h"
#include "app/tare-scale-bar.h"
#include "app/tare-sensitivity-page.h"
#include "app/tare-weight-histogram.h"
#include "tests/tare-test.h"

static GtkWidget *
find (WindowFixture *fixture,
      GType          type)
{
  GtkWidget *widget = window_fixture_find (GTK_WIDGET (fixture->window), type, NULL);

  g_assert_nonnull (widget);

  return widget;
}

static gboolean
is_enabled (WindowFixture *fixture,
            const char    *action)
{
  return g_action_group_get_action_enabled (G_ACTION_GROUP (fixture->window), action);
}

static void
act (WindowFixture *fixture,
     const char    *action)
{
  g_assert_true (is_enabled (fixture, action));
  g_action_group_activate_action (G_ACTION_GROUP (fixture->window), action, NULL);
}

static guint
find_layer (WindowFixture *fixture,
            const char    *canonical)
{
  guint n = tare_session_get_n_layers (fixture->session);

  for (guint i = 0; i < n; i++)
    {
      TareLayer *layer = tare_session_get_layer (fixture->session, i);

      if (g_str_equal (tare_layer_get_tensor (layer)->canonical, canonical))
        return i;
    }
  g_assert_not_reached ();
}

static const char *
get_format (WindowFixture *fixture,
            guint          layer)
{
  const TareFormat *format =
    tare_layer_get_assignment (tare_session_get_layer (fixture->session, layer)).format;

  return format != NULL ? format->id : "kept";
}

/* --- tests --- */

static void
test_empty (WindowFixture *fixture,
            gconstpointer  data)
{
  static const char *const disabled[] = { "export", "calibrate", "measure", "save-recipe", "undo",
                                          "redo", "find" };

  g_assert_true (gtk_widget_get_mapped (find (fixture, TARE_TYPE_GREETER)));
  for (gsize i = 0; i < G_N_ELEMENTS (disabled); i++)
    g_assert_false (is_enabled (fixture, disabled[i]));
  g_assert_true (is_enabled (fixture, "open"));
  g_assert_cmpstr (gtk_window_get_title (GTK_WINDOW (fixture->window)), ==, "Tare");

  window_fixture_open_sample (fixture);
  g_assert_true (is_enabled (fixture, "export"));
  g_assert_null (tare_inspector_get_title (TARE_INSPECTOR (find (fixture, TARE_TYPE_INSPECTOR))));
  g_assert_cmpstr (tare_sensitivity_page_get_state (TARE_SENSITIVITY_PAGE (
                     tare_window_get_page (fixture->window, "sensitivity"))), ==, "empty");
  tare_window_show_page (fixture->window, "distribution");
  window_fixture_settle (fixture, 50);
  g_assert_true (gtk_widget_get_mapped (
    window_fixture_find (tare_window_get_page (fixture->window, "distribution"), GTK_TYPE_LABEL,
                         "No Layer Selected")));
}

static void
test_table (WindowFixture *fixture,
            gconstpointer  data)
{
  TareLayersPage *page;
  GtkColumnView *table;
  GListModel *rows;
  GtkColumnViewColumn *size;
  guint n;

  window_fixture_open_sample (fixture);
  n = tare_session_get_n_layers (fixture->session);
  page = TARE_LAYERS_PAGE (tare_window_get_page (fixture->window, "layers"));
  table = tare_layers_page_get_table (page);
  rows = G_LIST_MODEL (gtk_column_view_get_model (table));
  g_assert_cmpuint (g_list_model_get_n_items (rows), ==, n);
  g_assert_cmpuint (n, >, 40);

  tare_layers_page_set_filter (page, "ATTN_Q");
  g_assert_cmpuint (g_list_model_get_n_items (rows), ==, 6);
  tare_layers_page_set_filter (page, "no such layer");
  g_assert_cmpuint (g_list_model_get_n_items (rows), ==, 0);
  tare_layers_page_set_filter (page, "");
  g_assert_cmpuint (g_list_model_get_n_items (rows), ==, n);

  size = g_list_model_get_item (gtk_column_view_get_columns (table), 3);
  g_assert_cmpstr (gtk_column_view_column_get_title (size), ==, "Size");
  gtk_column_view_sort_by_column (table, size, GTK_SORT_DESCENDING);
  for (guint i = 1; i < n; i++)
    {
      g_autoptr(TareLayer) before = g_list_model_get_item (rows, i - 1);
      g_autoptr(TareLayer) after = g_list_model_get_item (rows, i);

      g_assert_cmpuint (tare_layer_get_size (before), >=, tare_layer_get_size (after));
    }
  g_object_unref (size);
}

/* At its default size the window shows all columns up to the type. */
static void
test_columns (WindowFixture *fixture,
              gconstpointer  data)
{
  GtkWidget *page;
  GtkWidget *head;
  graphene_rect_t bounds;

  window_fixture_open_sample (fixture);
  window_fixture_resize (fixture, 1280, 800);
  window_fixture_settle (fixture, 100);
  page = tare_window_get_page (fixture->window, "layers");
  head = window_fixture_find (page, GTK_TYPE_LABEL, "Type");
  g_assert_true (gtk_widget_compute_bounds (head, page, &bounds));
  g_assert_cmpfloat (bounds.origin.x + bounds.size.width, <=, gtk_widget_get_width (page));
}

static void
test_selection (WindowFixture *fixture,
                gconstpointer  data)
{
  GtkSelectionModel *rows;
  TareInspector *inspector;
  TareFormatMap *map;
  TareMapView *view;
  guint layers[2];
  guint cell;
  guint n;

  window_fixture_open_sample (fixture);
  view = TARE_MAP_VIEW (find (fixture, TARE_TYPE_MAP_VIEW));
  map = tare_window_get_map (fixture->window);
  inspector = TARE_INSPECTOR (find (fixture, TARE_TYPE_INSPECTOR));
  rows = gtk_column_view_get_model (tare_layers_page_get_table (
    TARE_LAYERS_PAGE (tare_window_get_page (fixture->window, "layers"))));
  layers[0] = find_layer (fixture, "blk.2.ffn_down.weight");
  layers[1] = find_layer (fixture, "blk.2.attn_q.weight");

  /* From the session to the others. */
  tare_session_set_selection (fixture->session, layers, 1);
  cell = tare_map_view_get_cell (view, layers[0]);
  g_assert_true (tare_format_map_is_selected (map, cell));
  g_assert_true (gtk_selection_model_is_selected (rows, layers[0]));
  g_assert_cmpstr (tare_inspector_get_title (inspector), ==, "blk.2.ffn_down.weight");
  g_assert_cmpstr (tare_inspector_get_fact (inspector, "shape"), ==, "256 × 768");

  /* From the table. */
  gtk_selection_model_select_item (rows, layers[1], FALSE);
  tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 2);
  g_assert_true (tare_format_map_is_selected (map, tare_map_view_get_cell (view, layers[1])));
  g_assert_cmpstr (tare_inspector_get_fact (inspector, "shape"), ==, "mixed");
  g_assert_cmpstr (tare_inspector_get_fact (inspector, "kind"), ==, "BF16");

  /* From the map. */
  tare_format_map_select_all (map);
  tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 44);
  tare_format_map_unselect_all (map);
  tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 0);
  g_assert_null (tare_inspector_get_title (inspector));
}

static void
test_paint (WindowFixture *fixture,
            gconstpointer  data)
{
  TareAssignment brush;
  TareFormatMap *map;
  TareScaleBar *bar;
  g_autofree char *whole = NULL;
  guint layers[2];
  guint cells[2];

  window_fixture_open_sample (fixture);
  map = tare_window_get_map (fixture->window);
  bar = TARE_SCALE_BAR (find (fixture, TARE_TYPE_SCALE_BAR));
  whole = g_strdup (tare_scale_bar_get_text (bar, "size"));
  g_assert_cmpstr (tare_scale_bar_get_text (bar, "saving"), ==, "0 %");
  layers[0] = find_layer (fixture, "blk.1.ffn_up.weight");
  layers[1] = find_layer (fixture, "blk.1.ffn_down.weight");
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++)
    cells[i] = tare_map_view_get_cell (TARE_MAP_VIEW (find (fixture, TARE_TYPE_MAP_VIEW)),
                                       layers[i]);

  brush = tare_session_get_brush (fixture->session);
  brush.format = tare_format_lookup ("q5_k");
  tare_session_set_brush (fixture->session, &brush);
  g_signal_emit_by_name (map, "painting", cells[0]);
  g_signal_emit_by_name (map, "painted", cells, 2);
  g_assert_cmpstr (get_format (fixture, layers[0]), ==, "q5_k");
  g_assert_cmpstr (get_format (fixture, layers[1]), ==, "q5_k");
  g_assert_cmpstr (tare_scale_bar_get_text (bar, "size"), !=, whole);
  g_assert_true (g_str_has_prefix (tare_scale_bar_get_text (bar, "saving"), "−"));

  act (fixture, "undo");
  g_assert_cmpstr (get_format (fixture, layers[0]), ==, "kept");
  g_assert_cmpstr (tare_scale_bar_get_text (bar, "size"), ==, whole);
  g_assert_false (is_enabled (fixture, "undo"));
  act (fixture, "redo");
  g_assert_cmpstr (get_format (fixture, layers[1]), ==, "q5_k");

  /* Number keys ask for bits. */
  tare_session_set_selection (fixture->session, layers, 2);
  g_signal_emit_by_name (map, "bits-requested", 8u);
  g_assert_cmpstr (get_format (fixture, layers[0]), ==, "q8_0");
  g_signal_emit_by_name (map, "bits-requested", 4u);
  g_assert_cmpstr (get_format (fixture, layers[1]), ==, "q4_k");
  g_assert_null (tare_map_view_format_for_bits (9));
}

static void
test_inspector (WindowFixture *fixture,
                gconstpointer  data)
{
  TareInspector *inspector;
  TareDistributionPage *page;
  GtkSwitch *lock;
  guint layers[2];

  window_fixture_open_sample (fixture);
  inspector = TARE_INSPECTOR (find (fixture, TARE_TYPE_INSPECTOR));
  page = TARE_DISTRIBUTION_PAGE (tare_window_get_page (fixture->window, "distribution"));
  lock = GTK_SWITCH (window_fixture_find (GTK_WIDGET (inspector), GTK_TYPE_SWITCH, NULL));
  layers[0] = find_layer (fixture, "blk.0.attn_k.weight");
  layers[1] = find_layer (fixture, "blk.4.ffn_gate.weight");

  tare_session_set_selection (fixture->session, &layers[0], 1);
  g_assert_cmpuint (tare_distribution_page_get_n_levels (page), ==, 0);
  tare_inspector_choose_format (inspector, tare_format_lookup ("q4_0"));
  window_fixture_settle (fixture, 20);
  g_assert_cmpstr (get_format (fixture, layers[0]), ==, "q4_0");
  g_assert_cmpuint (tare_distribution_page_get_n_levels (page), ==, 16);
  g_assert_cmpuint (tare_inspector_get_n_levels (inspector), ==, 16);
  g_assert_cmpstr (tare_session_get_brush (fixture->session).format->id, ==, "q4_0");

  tare_session_set_selection (fixture->session, &layers[1], 1);
  tare_inspector_choose_format (inspector, tare_format_lookup ("q6_k"));

  /* A lock on layers that differ leaves what they differ in, in one step. */
  tare_session_set_selection (fixture->session, layers, 2);
  g_assert_cmpuint (tare_inspector_get_n_levels (inspector), ==, 0);
  gtk_switch_set_active (lock, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++)
    g_assert_true (tare_layer_get_assignment (tare_session_get_layer (fixture->session,
                                                                      layers[i])).locked);
  g_assert_cmpstr (get_format (fixture, layers[0]), ==, "q4_0");
  g_assert_cmpstr (get_format (fixture, layers[1]), ==, "q6_k");

  /* Neither the picker nor a number key takes a format from what is locked. */
  tare_inspector_choose_format (inspector, tare_format_lookup ("q8_0"));
  window_fixture_settle (fixture, 20);
  g_signal_emit_by_name (tare_window_get_map (fixture->window), "bits-requested", 4u);
  g_assert_cmpstr (get_format (fixture, layers[0]), ==, "q4_0");
  g_assert_cmpstr (get_format (fixture, layers[1]), ==, "q6_k");
  g_assert_true (gtk_switch_get_active (lock));
  window_fixture_settle (fixture, 100);
  g_assert_nonnull (window_fixture_find (GTK_WIDGET (fixture->window), GTK_TYPE_LABEL,
                                         "2 locked layers were left alone"));
  act (fixture, "unlock-kept");
  g_assert_false (gtk_switch_get_active (lock));
  act (fixture, "undo");
  g_assert_true (gtk_switch_get_active (lock));
  act (fixture, "undo");
  g_assert_false (gtk_switch_get_active (lock));
  g_assert_cmpstr (get_format (fixture, layers[1]), ==, "q6_k");

  tare_inspector_choose_format (inspector, NULL);
  g_assert_cmpstr (get_format (fixture, layers[0]), ==, "kept");
  g_assert_cmpstr (get_format (fixture, layers[1]), ==, "kept");
}

/* What is undone is text while text is being typed. */
static void
test_text_undo (WindowFixture *fixture,
                gconstpointer  data)
{
  TareAssignment brush;
  GtkWidget *entry;
  GtkText *text;
  guint layer;

  window_fixture_open_sample (fixture);
  g_assert_true (gtk_window_get_focus (GTK_WINDOW (fixture->window))
                 == GTK_WIDGET (tare_window_get_map (fixture->window)));
  layer = find_layer (fixture, "blk.0.attn_q.weight");
  brush = tare_session_get_brush (fixture->session);
  brush.format = tare_format_lookup ("q8_0");
  tare_session_assign (fixture->session, &layer, 1, &brush);

  entry = window_fixture_find (tare_window_get_page (fixture->window, "layers"),
                               GTK_TYPE_SEARCH_ENTRY, NULL);
  act (fixture, "find");
  text = GTK_TEXT (gtk_editable_get_delegate (GTK_EDITABLE (entry)));
  g_assert_true (gtk_window_get_focus (GTK_WINDOW (fixture->window)) == GTK_WIDGET (text));
  g_signal_emit_by_name (text, "insert-at-cursor", "up");
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "up");
  act (fixture, "undo");
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "");
  g_assert_cmpstr (get_format (fixture, layer), ==, "q8_0");

  gtk_widget_grab_focus (GTK_WIDGET (tare_window_get_map (fixture->window)));
  act (fixture, "undo");
  g_assert_cmpstr (get_format (fixture, layer), ==, "kept");
}

/* The map has a sign for every family, or two families would look alike. */
static void
test_marks (void)
{
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    g_assert_cmpuint ((guint) tare_format_get (i)->family + 1, <, TARE_FORMAT_MARK_N);
}

static void
test_export_path (void)
{
  const TareTarget *gguf = tare_target_lookup ("gguf");
  static const char *const cases[][2] = {
    { "/tmp/a.gguf", "/tmp/a.gguf" },
    { "/tmp/a.GGUF", "/tmp/a.GGUF" },
    { "/tmp/a-4.5bpw", "/tmp/a-4.5bpw.gguf" },
    { "/tmp/gguf", "/tmp/gguf.gguf" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = tare_export_dialog_dup_path (gguf, cases[i][0]);

      g_assert_cmpstr (path, ==, cases[i][1]);
    }
}

/* A folder may have any name; changes alike are told once. */
static void
test_export_changes (void)
{
  const TareTarget *target = tare_target_lookup ("compressed-tensors");
  g_autofree char *sample = tare_application_dup_sample_path ();
  g_autofree char *path = tare_export_dialog_dup_path (target, "/tmp/a");
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (sample, &error);
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(TareRecipe) recipe = NULL;
  g_autoptr(TarePlan) plan = NULL;
  TareAssignment assignment = {
    .format = tare_format_lookup ("int4_g128"), .method = tare_method_get (0),
  };

  recipe = tare_recipe_with_rule (none, "*", &assignment);
  plan = tare_target_plan (target, model, recipe, NULL, &error);
  g_assert_no_error (error);
  text = tare_export_dialog_dup_changes (plan);
  g_assert_cmpstr (path, ==, "/tmp/a");
  g_assert_true (g_str_has_prefix (text, "token_embd.weight and 1 more\nBF16 instead of INT4 g128, "
                                         "+"));
  g_assert_null (strstr (text, "\n\n"));
}

/* The menu beside Open has what the greeter has. */
static void
test_recents (WindowFixture *fixture,
              gconstpointer  data)
{
  g_autofree char *path = tare_test_temporary ("recent.gguf");
  g_autoptr(GError) error = NULL;
  g_autoptr(GMenuModel) recents = NULL;
  g_autofree char *label = NULL;
  GMenuModel *menu;

  g_file_set_contents (path, "GGUF", -1, &error);
  g_assert_no_error (error);
  tare_greeter_add_recent (path, "a_model", "GGUF");
  window_fixture_settle (fixture, 500);
  menu = adw_split_button_get_menu_model (ADW_SPLIT_BUTTON (find (fixture, ADW_TYPE_SPLIT_BUTTON)));
  recents = g_menu_model_get_item_link (menu, 1, G_MENU_LINK_SECTION);
  g_assert_nonnull (recents);
  g_assert_cmpint (g_menu_model_get_n_items (recents), >=, 1);
  g_assert_true (g_menu_model_get_item_attribute (recents, 0, G_MENU_ATTRIBUTE_LABEL, "s", &label));
  g_assert_true (g_str_has_prefix (label, "a__model"));
}

static gboolean
has_dialog (WindowFixture *fixture)
{
  return window_fixture_get_dialog (fixture) != NULL;
}

static gboolean
has_no_dialog (WindowFixture *fixture)
{
  return !has_dialog (fixture);
}

static void
test_broken_file (WindowFixture *fixture,
                  gconstpointer  data)
{
  g_autofree char *path = tare_test_temporary ("broken.gguf");
  g_autoptr(GError) error = NULL;
  TareModel *model;
  GtkWindow *dialog;

  g_file_set_contents (path, "GGUF\003\000\000\000nonsense", 16, &error);
  g_assert_no_error (error);
  window_fixture_open_sample (fixture);
  model = tare_session_get_model (fixture->session);

  tare_window_open (fixture->window, path);
  window_fixture_wait (fixture, has_dialog, 10.0);
  dialog = window_fixture_get_dialog (fixture);
  g_assert_nonnull (strstr (adw_message_dialog_get_body (ADW_MESSAGE_DIALOG (dialog)),
                            "broken.gguf"));
  adw_message_dialog_response (ADW_MESSAGE_DIALOG (dialog), "close");
  g_assert_true (tare_session_get_model (fixture->session) == model);
  g_assert_false (tare_session_is_opening (fixture->session));
  g_assert_true (gtk_widget_get_mapped (find (fixture, TARE_TYPE_MAP_VIEW)));
}

/* What a target makes of a recipe is told before it is asked where to. */
static void
test_export_told (WindowFixture *fixture,
                  gconstpointer  data)
{
  TareAssignment assignment = {
    .format = tare_format_lookup ("int4_g128"), .method = tare_method_get (0),
  };
  GtkWindow *dialog;

  window_fixture_open_sample (fixture);
  tare_session_assign_rule (fixture->session, "*", &assignment);
  g_action_group_activate_action (G_ACTION_GROUP (fixture->window), "export-to",
                                  g_variant_new_string ("compressed-tensors"));
  window_fixture_wait (fixture, has_dialog, 10.0);
  dialog = window_fixture_get_dialog (fixture);
  g_assert_nonnull (window_fixture_find (GTK_WIDGET (dialog), GTK_TYPE_LABEL, NULL));
  g_assert_cmpstr (adw_message_dialog_get_response_label (ADW_MESSAGE_DIALOG (dialog), "export"),
                   ==, "_Export…");
  adw_message_dialog_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
}

static void
assign (WindowFixture       *fixture,
        const char          *match,
        const char          *format,
        TareActivationScale  scale)
{
  TareAssignment assignment = {
    .format = tare_format_lookup (format), .method = tare_method_get (0), .scale = scale,
    .range = TARE_RANGE_MINIMUM_MAXIMUM,
  };

  tare_session_assign_rule (fixture->session, match, &assignment);
}

static GtkWindow *
ask_to_export (WindowFixture *fixture,
               const char    *target)
{
  g_action_group_activate_action (G_ACTION_GROUP (fixture->window), "export-to",
                                  g_variant_new_string (target));
  window_fixture_wait (fixture, has_dialog, 10.0);

  return window_fixture_get_dialog (fixture);
}

/* Rules of the cache that no file keeps are told once, in words; a static range that no
 * calibration knows is refused, and what to do is said. */
static void
test_export_activations (WindowFixture *fixture,
                         gconstpointer  data)
{
  g_autoptr(TarePlan) plan = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;
  GtkWindow *dialog;

  window_fixture_open_sample (fixture);
  assign (fixture, "*.key", "int8_channel", TARE_ACTIVATION_SCALE_TOKEN);
  assign (fixture, "*.value", "int8_channel", TARE_ACTIVATION_SCALE_TOKEN);
  plan = tare_target_plan (tare_target_lookup ("gguf"), tare_session_get_model (fixture->session),
                           tare_session_get_recipe (fixture->session), NULL, &error);
  g_assert_no_error (error);
  text = tare_export_dialog_dup_changes (plan);
  g_assert_true (g_str_has_prefix (text, "*.key and 1 more\nNot rounded to INT8 channel. "
                                         "The container has no place for how keys"));
  g_assert_null (strstr (text, "\n\n"));
  dialog = ask_to_export (fixture, "gguf");
  g_assert_cmpstr (adw_message_dialog_get_response_label (ADW_MESSAGE_DIALOG (dialog), "export"),
                   ==, "_Export…");
  adw_message_dialog_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  window_fixture_wait (fixture, has_no_dialog, 10.0);

  assign (fixture, "blk.*.weight", "int8_channel", TARE_ACTIVATION_SCALE_TOKEN);
  assign (fixture, "blk.*.input", "int8_channel", TARE_ACTIVATION_SCALE_TENSOR);
  dialog = ask_to_export (fixture, "compressed-tensors");
  g_assert_nonnull (strstr (adw_message_dialog_get_body (ADW_MESSAGE_DIALOG (dialog)),
                            "calibrate first"));
  adw_message_dialog_response (ADW_MESSAGE_DIALOG (dialog), "close");
}

static gboolean
has_model (WindowFixture *fixture)
{
  return tare_session_get_model (fixture->session) != NULL;
}

/* A model that Tare cannot run says in sight why nothing is measured. */
static void
test_not_runnable (WindowFixture *fixture,
                   gconstpointer  data)
{
  static const char config[] = "{\"architectures\": [\"UnheardForCausalLM\"], "
                               "\"model_type\": \"unheard\"}";
  g_autofree char *sample = tare_application_dup_sample_path ();
  g_autofree char *weights = g_build_filename (sample, "model.safetensors", NULL);
  g_autofree char *path = tare_test_temporary ("unheard");
  g_autofree char *link = g_build_filename (path, "model.safetensors", NULL);
  g_autofree char *config_path = g_build_filename (path, "config.json", NULL);
  g_autoptr(GFile) file = g_file_new_for_path (link);
  g_autoptr(GError) error = NULL;
  TareScaleBar *bar;

  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
  g_file_make_symbolic_link (file, weights, NULL, &error);
  g_assert_no_error (error);
  g_file_set_contents (config_path, config, -1, &error);
  g_assert_no_error (error);

  tare_window_open (fixture->window, path);
  window_fixture_wait (fixture, has_model, 10.0);
  bar = TARE_SCALE_BAR (find (fixture, TARE_TYPE_SCALE_BAR));
  g_assert_false (is_enabled (fixture, "calibrate"));
  g_assert_false (gtk_widget_get_visible (gtk_widget_get_parent (
    window_fixture_find (GTK_WIDGET (bar), GTK_TYPE_LABEL, "perplexity"))));
  g_assert_nonnull (strstr (tare_scale_bar_get_text (bar, "obstacle"), "nheard"));
  g_assert_null (strstr (tare_scale_bar_get_text (bar, "obstacle"), path));

  window_fixture_open_sample (fixture);
  g_assert_null (tare_scale_bar_get_text (bar, "obstacle"));
  g_assert_true (is_enabled (fixture, "calibrate"));
}

static void
answer (WindowFixture *fixture,
        const char    *response)
{
  window_fixture_wait (fixture, has_dialog, 5.0);
  adw_message_dialog_response (ADW_MESSAGE_DIALOG (window_fixture_get_dialog (fixture)), response);
  window_fixture_settle (fixture, 100);
}

static void
test_unsaved (WindowFixture *fixture,
              gconstpointer  data)
{
  g_autofree char *path = tare_test_temporary ("kept.recipe.json");
  g_autofree char *sample = NULL;
  g_autoptr(GError) error = NULL;
  TareAssignment brush;
  guint layer;

  window_fixture_open_sample (fixture);
  layer = find_layer (fixture, "blk.5.attn_v.weight");
  brush = tare_session_get_brush (fixture->session);
  brush.format = tare_format_lookup ("q6_k");
  tare_session_assign (fixture->session, &layer, 1, &brush);
  g_assert_true (g_str_has_prefix (gtk_window_get_title (GTK_WINDOW (fixture->window)), "•"));

  /* Saved, taken back, and dropped onto the window again. */
  g_assert_true (tare_session_save_recipe (fixture->session, path, &error));
  g_assert_no_error (error);
  act (fixture, "undo");
  g_assert_cmpstr (get_format (fixture, layer), ==, "kept");
  tare_window_open (fixture->window, path);
  g_assert_cmpstr (get_format (fixture, layer), ==, "q6_k");
  g_assert_false (g_str_has_prefix (gtk_window_get_title (GTK_WINDOW (fixture->window)), "•"));

  /* Another model, or the end, would lose what is not saved. */
  act (fixture, "undo");
  sample = tare_application_dup_sample_path ();
  tare_window_open (fixture->window, sample);
  answer (fixture, "cancel");
  g_assert_false (tare_session_is_opening (fixture->session));
  act (fixture, "close");
  answer (fixture, "cancel");
  g_assert_nonnull (fixture->window);
  act (fixture, "close");
  answer (fixture, "discard");
  g_assert_null (fixture->window);
}

static void
test_copy (WindowFixture *fixture,
           gconstpointer  data)
{
  TareLayersPage *page;
  g_autofree char *text = NULL;
  g_auto(GStrv) lines = NULL;
  guint layer;

  window_fixture_open_sample (fixture);
  page = TARE_LAYERS_PAGE (tare_window_get_page (fixture->window, "layers"));
  layer = find_layer (fixture, "blk.0.attn_q.weight");
  tare_session_set_selection (fixture->session, &layer, 1);
  text = tare_layers_page_dup_tsv (page);
  lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  g_assert_true (g_str_has_prefix (lines[0], "name\tformat\tbits\tsize\t"));
  g_assert_true (g_str_has_prefix (lines[1], "blk.0.attn_q.weight\tBF16\t16\t131072\t"));
}

/* The range of a typical group: the medians of the smallest and the largest of n draws. */
static void
test_typical_range (void)
{
  g_autofree TareStatistics *statistics = g_new0 (TareStatistics, 1);
  double minimum;
  double maximum;

  statistics->minimum = 0.0f;
  statistics->maximum = 1.0f;
  statistics->n = TARE_HISTOGRAM_BINS * 10;
  statistics->columns = 4096;
  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i++)
    statistics->histogram[i] = 10;

  /* Of g uniform numbers the largest has the median 2^(-1/g). */
  tare_weight_histogram_find_typical_range (statistics, 1, &minimum, &maximum);
  g_assert_cmpfloat_with_epsilon (maximum, 0.5, 1e-9);
  g_assert_cmpfloat_with_epsilon (minimum, 0.5, 1e-9);
  tare_weight_histogram_find_typical_range (statistics, 32, &minimum, &maximum);
  g_assert_cmpfloat_with_epsilon (maximum, 0.97857206208770014, 1e-9);
  g_assert_cmpfloat_with_epsilon (minimum, 1.0 - 0.97857206208770014, 1e-9);
}

static void
add (const char *path,
     void      (*test) (WindowFixture *fixture,
                        gconstpointer  data))
{
  g_test_add (path, WindowFixture, NULL, window_fixture_set_up, test, window_fixture_tear_down);
}

static double
get_top (GtkWidget *widget,
         GtkWidget *above)
{
  graphene_rect_t bounds;

  g_assert_true (gtk_widget_compute_bounds (widget, above, &bounds));

  return (double) bounds.origin.y;
}

/* The name stays in sight and the rows in place; what means nothing cannot be chosen. */
static void
test_inspector_rows (WindowFixture *fixture,
                     gconstpointer  data)
{
  static const char *const names[] = { "blk.0.attn_k.weight", "blk.4.ffn_down.weight" };
  TareInspector *inspector;
  GtkWidget *row, *name, *label;
  double top = 0.0;

  window_fixture_open_sample (fixture);
  inspector = TARE_INSPECTOR (find (fixture, TARE_TYPE_INSPECTOR));
  label = window_fixture_find (GTK_WIDGET (inspector), GTK_TYPE_LABEL, "Method");
  row = gtk_widget_get_ancestor (label, ADW_TYPE_ACTION_ROW);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      guint layer = find_layer (fixture, names[i]);

      tare_session_set_selection (fixture->session, &layer, 1);
      window_fixture_settle (fixture, 100);
      name = window_fixture_find (GTK_WIDGET (inspector), GTK_TYPE_LABEL, names[i]);
      g_assert_null (gtk_widget_get_ancestor (name, GTK_TYPE_SCROLLED_WINDOW));
      if (i > 0)
        g_assert_cmpfloat_with_epsilon (get_top (row, GTK_WIDGET (inspector)), top, 0.5);
      top = get_top (row, GTK_WIDGET (inspector));
    }

  g_assert_false (gtk_widget_get_sensitive (row));
  g_assert_nonnull (gtk_widget_get_tooltip_text (row));
  g_assert_cmpint (gtk_widget_get_visible (window_fixture_find (row, GTK_TYPE_DROP_DOWN, NULL)),
                   ==, tare_method_get_n_methods () > 1);
  tare_inspector_choose_format (inspector, tare_format_lookup ("q4_0"));
  for (guint i = 0; i < 200 && !gtk_widget_get_sensitive (row); i++)
    window_fixture_settle (fixture, 10);
  g_assert_true (gtk_widget_get_sensitive (row));
  g_assert_null (gtk_widget_get_tooltip_text (row));
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

  g_test_add_func ("/window/typical-range", test_typical_range);
  g_test_add_func ("/window/marks", test_marks);
  g_test_add_func ("/window/export-path", test_export_path);
  g_test_add_func ("/window/export-changes", test_export_changes);
  add ("/window/empty", test_empty);
  add ("/window/table", test_table);
  add ("/window/columns", test_columns);
  add ("/window/inspector-rows", test_inspector_rows);
  add ("/window/selection", test_selection);
  add ("/window/paint", test_paint);
  add ("/window/inspector", test_inspector);
  add ("/window/text-undo", test_text_undo);
  add ("/window/recents", test_recents);
  add ("/window/broken-file", test_broken_file);
  add ("/window/export-told", test_export_told);
  add ("/window/export-activations", test_export_activations);
  add ("/window/not-runnable", test_not_runnable);
  add ("/window/unsaved", test_unsaved);
  add ("/window/copy", test_copy);

  return g_test_run ();
}
