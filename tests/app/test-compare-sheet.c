/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The sheet that holds two models or two recipes against each other, on the sample model. */
#include "tests/app/window-fixture.h"

#include <string.h>

#include "app/tare-compare-sheet.h"
#include "tests/tare-test.h"

static TareCompareSheet *sheet = NULL;

static gboolean
is_idle (WindowFixture *fixture)
{
  TareJobQueue *jobs = tare_session_get_jobs (fixture->session);

  return g_list_model_get_n_items (G_LIST_MODEL (jobs)) == 0;
}

static gboolean
is_compared (WindowFixture *fixture)
{
  return !tare_compare_sheet_is_busy (sheet);
}

static gboolean
is_sheet_gone (WindowFixture *fixture)
{
  return sheet == NULL;
}

static void
show (WindowFixture    *fixture,
      TareCompareSheet *shown)
{
  sheet = shown;
  g_object_add_weak_pointer (G_OBJECT (sheet), (gpointer *) &sheet);
  gtk_window_present (GTK_WINDOW (sheet));
  window_fixture_settle (fixture, 100);
  window_fixture_wait (fixture, is_compared, 60.0);
}

static void
show_models (WindowFixture *fixture,
             const char    *path)
{
  show (fixture, tare_compare_sheet_new_models (GTK_WINDOW (fixture->window), fixture->session,
                                                path));
}

static void
show_recipes (WindowFixture *fixture,
              const char    *path)
{
  show (fixture, tare_compare_sheet_new_recipes (GTK_WINDOW (fixture->window), fixture->session,
                                                 path));
}

static void
assign (WindowFixture *fixture,
        const char    *match,
        const char    *format)
{
  TareAssignment assignment = tare_session_get_brush (fixture->session);

  assignment.format = tare_format_lookup (format);
  tare_session_assign_rule (fixture->session, match, &assignment);
}

/* One cell of the copied table, by the name of the tensor and of the column. */
static char *
dup_cell (const char *tensor,
          const char *column)
{
  g_autofree char *csv = tare_compare_sheet_dup_csv (sheet);
  g_auto(GStrv) lines = g_strsplit (csv, "\n", -1);
  g_auto(GStrv) heads = g_strsplit (lines[0], ",", -1);

  for (gsize i = 1; lines[i] != NULL && *lines[i] != '\0'; i++)
    {
      g_auto(GStrv) cells = g_strsplit (lines[i], ",", -1);

      g_assert_cmpuint (g_strv_length (cells), ==, g_strv_length (heads));
      for (gsize k = 0; g_str_equal (cells[0], tensor) && heads[k] != NULL; k++)
        if (g_str_equal (heads[k], column))
          return g_strdup (cells[k]);
    }
  g_assert_not_reached ();
}

static double
get_number (const char *tensor,
            const char *column)
{
  g_autofree char *cell = dup_cell (tensor, column);

  g_assert_cmpstr (cell, !=, "");

  return g_ascii_strtod (cell, NULL);
}

static void
test_itself (WindowFixture *fixture,
             gconstpointer  data)
{
  guint n;

  window_fixture_open_sample (fixture);
  show_models (fixture, tare_model_get_path (tare_session_get_model (fixture->session)));
  n = tare_session_get_n_layers (fixture->session);
  g_assert_cmpstr (tare_compare_sheet_get_state (sheet), ==, "table");
  g_assert_cmpuint (tare_compare_sheet_get_n_shown (sheet), ==, n);
  g_assert_cmpuint (tare_compare_sheet_count_differing (sheet), ==, 0);
  g_assert_cmpfloat (get_number ("blk.2.ffn_down.weight", "relative_error"), ==, 0.0);
  g_assert_cmpfloat (get_number ("output_norm.weight", "maximum_error"), ==, 0.0);

  tare_compare_sheet_set_only_differing (sheet, TRUE);
  g_assert_cmpuint (tare_compare_sheet_get_n_shown (sheet), ==, 0);
  tare_compare_sheet_set_only_differing (sheet, FALSE);
  tare_compare_sheet_set_filter (sheet, "FFN_DOWN");
  g_assert_cmpuint (tare_compare_sheet_get_n_shown (sheet), ==,
                    tare_model_get_n_blocks (tare_session_get_model (fixture->session)));
  tare_compare_sheet_set_filter (sheet, "no such tensor");
  g_assert_cmpuint (tare_compare_sheet_get_n_shown (sheet), ==, 0);
}

static void
export_as (WindowFixture *fixture,
           const char    *format,
           const char    *path)
{
  assign (fixture, "*", format);
  tare_session_export (fixture->session, tare_target_lookup ("gguf"), path);
  window_fixture_settle (fixture, 100);
  window_fixture_wait (fixture, is_idle, 60.0);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* Every column sorts, both ways, and nothing is lost by that. */
static void
sort_by_all (WindowFixture *fixture)
{
  GtkColumnView *table = tare_compare_sheet_get_table (sheet);
  GListModel *columns = gtk_column_view_get_columns (table);
  guint before = tare_compare_sheet_get_n_shown (sheet);

  for (guint i = 0; i < 2 * g_list_model_get_n_items (columns); i++)
    {
      g_autoptr(GtkColumnViewColumn) column = g_list_model_get_item (columns, i / 2);

      gtk_column_view_sort_by_column (table, column, i % 2 == 0 ? GTK_SORT_ASCENDING
                                                                : GTK_SORT_DESCENDING);
      window_fixture_settle (fixture, 10);
      g_assert_cmpuint (tare_compare_sheet_get_n_shown (sheet), ==, before);
    }
}

/* The greatest relative error comes first, down to what has none. */
static void
check_order (void)
{
  GtkColumnView *table = tare_compare_sheet_get_table (sheet);
  GListModel *columns = gtk_column_view_get_columns (table);
  g_autoptr(GtkColumnViewColumn) column = g_list_model_get_item (columns, 6);
  g_autofree char *csv = NULL;
  g_auto(GStrv) lines = NULL;
  double last = G_MAXDOUBLE;

  gtk_column_view_sort_by_column (table, column, GTK_SORT_DESCENDING);
  csv = tare_compare_sheet_dup_csv (sheet);
  lines = g_strsplit (csv, "\n", -1);
  for (gsize i = 1; lines[i] != NULL && *lines[i] != '\0'; i++)
    {
      g_auto(GStrv) cells = g_strsplit (lines[i], ",", -1);
      double error = g_ascii_strtod (cells[6], NULL);

      g_assert_cmpfloat (error, <=, last);
      last = error;
    }
  g_assert_cmpfloat (last, ==, 0.0);
}

static void
select_row (guint position)
{
  GtkSelectionModel *model = gtk_column_view_get_model (tare_compare_sheet_get_table (sheet));

  gtk_selection_model_select_item (model, position, TRUE);
}

static void
test_export (WindowFixture *fixture,
             gconstpointer  data)
{
  const char *name = "blk.2.ffn_down.weight";
  g_autofree char *path = tare_test_temporary ("compare-q8.gguf");
  g_autofree char *format = NULL;
  const guint *selection;
  guint n;

  window_fixture_open_sample (fixture);
  export_as (fixture, "q8_0", path);
  show_models (fixture, path);
  format = dup_cell (name, "format_b");
  g_assert_cmpstr (format, ==, "Q8_0");
  g_assert_cmpfloat (get_number (name, "relative_error"), >, 0.0);
  g_assert_cmpfloat (get_number (name, "relative_error"), <, 1e-3);
  g_assert_cmpfloat (get_number (name, "maximum_error"), >, 0.0);
  /* 34 bytes for 32 weights, as against 64 of BF16 */
  g_assert_cmpfloat_with_epsilon (get_number (name, "size_b") / get_number (name, "size_a"),
                                  34.0 / 64.0, 1e-12);
  g_assert_cmpfloat (get_number (name, "difference"), ==,
                     get_number (name, "size_b") - get_number (name, "size_a"));
  g_assert_cmpfloat (get_number ("output_norm.weight", "relative_error"), ==, 0.0);

  window_fixture_shoot (fixture, GTK_WIDGET (sheet), "compare-models", FALSE);
  window_fixture_shoot (fixture, GTK_WIDGET (sheet), "compare-models", TRUE);
  sort_by_all (fixture);
  check_order ();

  /* A row is a layer of the session. */
  tare_compare_sheet_set_filter (sheet, name);
  g_assert_cmpuint (tare_compare_sheet_get_n_shown (sheet), ==, 1);
  select_row (0);
  selection = tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpstr (tare_layer_get_tensor (tare_session_get_layer (fixture->session,
                                                                  selection[0]))->canonical,
                   ==, name);

  /* Another model, and the sheet is of no use any more. */
  tare_session_close (fixture->session);
  window_fixture_wait (fixture, is_sheet_gone, 10.0);
}

static void
test_recipes (WindowFixture *fixture,
              gconstpointer  data)
{
  const char *down = "blk.2.ffn_down.weight";
  const char *up = "blk.2.ffn_up.weight";
  const char *text = "{ \"tare\": 1, \"rules\": [ { \"match\": \"*\", \"format\": \"q4_0\" },"
                     "{ \"match\": \"*.ffn_down.weight\", \"format\": \"q8_0\" } ] }";
  g_autofree char *path = tare_test_temporary ("compare.recipe.json");
  g_autoptr(TareRecipe) other = NULL;
  g_autoptr(GError) error = NULL;
  double bytes = 0.0;
  guint n_blocks;

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  window_fixture_open_sample (fixture);
  n_blocks = tare_model_get_n_blocks (tare_session_get_model (fixture->session));
  assign (fixture, "*", "q4_0");
  window_fixture_wait (fixture, is_idle, 60.0);
  show_recipes (fixture, path);

  g_assert_cmpuint (tare_compare_sheet_count_differing (sheet), ==, n_blocks);
  g_assert_cmpfloat (get_number (down, "error_a"), >, 30.0 * get_number (down, "error_b"));
  g_assert_cmpfloat (get_number (down, "error_b"), >, 0.0);
  g_assert_cmpfloat (get_number (up, "error_a"), ==, get_number (up, "error_b"));
  window_fixture_shoot (fixture, GTK_WIDGET (sheet), "compare-recipes", FALSE);
  window_fixture_shoot (fixture, GTK_WIDGET (sheet), "compare-recipes", TRUE);

  other = tare_recipe_load (path, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < tare_session_get_n_layers (fixture->session); i++)
    bytes += get_number (tare_layer_get_tensor (tare_session_get_layer (fixture->session,
                                                                        i))->canonical,
                         "size_b");
  g_assert_cmpfloat (bytes, ==,
                     (double) tare_recipe_measure_size (other, tare_session_get_model (
                       fixture->session)).bytes);

  tare_compare_sheet_set_only_differing (sheet, TRUE);
  g_assert_cmpuint (tare_compare_sheet_get_n_shown (sheet), ==, n_blocks);

  /* A is the present recipe, whatever becomes of it. */
  assign (fixture, "*.ffn_down.weight", "q8_0");
  window_fixture_settle (fixture, 50);
  window_fixture_wait (fixture, is_compared, 60.0);
  g_assert_cmpuint (tare_compare_sheet_count_differing (sheet), ==, 0);
  tare_session_undo (fixture->session);
  window_fixture_settle (fixture, 50);
  window_fixture_wait (fixture, is_compared, 60.0);
  g_assert_cmpuint (tare_compare_sheet_count_differing (sheet), ==, n_blocks);
}

static void
test_broken (WindowFixture *fixture,
             gconstpointer  data)
{
  g_autofree char *model = tare_test_temporary ("compare-broken.gguf");
  g_autofree char *recipe = tare_test_temporary ("compare-broken.json");

  g_assert_true (g_file_set_contents (model, "GGUF\3\0\0\0", 8, NULL));
  g_assert_true (g_file_set_contents (recipe, "{ \"tare\": 1, \"rules\": [ { \"format\": 7 } ] }",
                                      -1, NULL));
  window_fixture_open_sample (fixture);
  show_models (fixture, model);
  g_assert_cmpstr (tare_compare_sheet_get_state (sheet), ==, "failed");
  g_assert_nonnull (strstr (tare_compare_sheet_get_message (sheet), "compare-broken.gguf"));
  gtk_window_destroy (GTK_WINDOW (sheet));
  window_fixture_wait (fixture, is_sheet_gone, 10.0);

  show_recipes (fixture, recipe);
  g_assert_cmpstr (tare_compare_sheet_get_state (sheet), ==, "failed");
  g_assert_nonnull (strstr (tare_compare_sheet_get_message (sheet), "compare-broken.json"));
}

static gboolean
is_open (WindowFixture *fixture)
{
  return tare_session_get_model (fixture->session) != NULL && is_idle (fixture);
}

/* Tensors of another shape and of one model alone say so; the others are compared. */
static void
test_other_shape (WindowFixture *fixture,
                  gconstpointer  data)
{
  g_autofree char *sample = tare_test_source ("data/sample/model.safetensors");
  g_autofree char *a = tare_test_temporary ("compare-a.safetensors");
  g_autofree char *b = tare_test_temporary ("compare-b.safetensors");
  g_autofree char *c = tare_test_temporary ("compare-c.safetensors");
  g_autofree char *absent = NULL;
  g_autofree char *figure = NULL;

  tare_test_copy_changed (sample, a, "{", "{");
  tare_test_copy_changed (sample, c, "[1024,256]", "[256,1024]");
  tare_test_copy_changed (c, b, "model.embed_tokens.weight", "model.embed_others.weight");
  tare_session_open (fixture->session, a);
  window_fixture_wait (fixture, is_open, 60.0);
  show_models (fixture, b);
  g_assert_cmpstr (tare_compare_sheet_get_state (sheet), ==, "table");
  g_assert_cmpuint (tare_compare_sheet_count_differing (sheet), ==, 3);
  g_assert_cmpuint (tare_compare_sheet_get_n_shown (sheet), ==,
                    tare_session_get_n_layers (fixture->session) + 1);
  g_assert_nonnull (strstr (tare_compare_sheet_get_message (sheet), "lm_head.weight"));
  absent = dup_cell ("model.embed_tokens.weight", "format_b");
  g_assert_cmpstr (absent, ==, "only in A");
  figure = dup_cell ("lm_head.weight", "relative_error");
  g_assert_cmpstr (figure, ==, "");
  g_assert_cmpfloat (get_number ("model.norm.weight", "relative_error"), ==, 0.0);
  window_fixture_shoot (fixture, GTK_WIDGET (sheet), "compare-shape", FALSE);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

#define ADD(path, func)                                                                        \
  g_test_add (path, WindowFixture, NULL, window_fixture_set_up, func, window_fixture_tear_down)
  ADD ("/compare-sheet/itself", test_itself);
  ADD ("/compare-sheet/export", test_export);
  ADD ("/compare-sheet/recipes", test_recipes);
  ADD ("/compare-sheet/broken", test_broken);
  ADD ("/compare-sheet/other-shape", test_other_shape);

  return g_test_run ();
}
