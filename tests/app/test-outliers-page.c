/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The page of outliers: its pictures of a matrix, and its channels. */
#include "tests/app/window-fixture.h"

#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-input-reader.h"
#include "app/tare-outliers-page.h"
#include "tests/widgets/widget-test.h"

static guint
count_lines (TareChart *chart)
{
  g_autofree char *csv = tare_chart_dup_csv (chart);
  g_auto(GStrv) lines = g_strsplit (csv, "\n", -1);

  return g_strv_length (lines);
}

static void
test_outliers (WindowFixture *fixture,
               gconstpointer  data)
{
  TareOutliersPage *page;
  g_autofree char *csv = NULL;
  g_auto(GStrv) lines = NULL;
  GdkRectangle area;

  window_fixture_open_sample (fixture);
  page = TARE_OUTLIERS_PAGE (window_fixture_show_page (fixture, "outliers"));
  g_assert_cmpstr (tare_layer_page_get_state (TARE_LAYER_PAGE (page)), ==, "empty");

  window_fixture_select_layer (fixture, "blk.1.ffn_down.weight");
  window_fixture_show_page (fixture, "outliers");
  g_assert_cmpstr (tare_layer_page_get_state (TARE_LAYER_PAGE (page)), ==, "charts");
  csv = tare_chart_dup_csv (tare_outliers_page_get_ranges (page));
  lines = g_strsplit (csv, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), >, 256);
  g_assert_true (tare_chart_get_plot_area (tare_outliers_page_get_map (page), &area));

  /* A vector has no picture. */
  window_fixture_select_layer (fixture, "blk.1.attn_norm.weight");
  window_fixture_show_page (fixture, "outliers");
  g_assert_cmpstr (tare_layer_page_get_state (TARE_LAYER_PAGE (page)), ==, "empty");
}

/* What the picture has at a row and a column, from the data behind it. */
static char *
describe_cell (TareChart *chart,
               guint      row,
               guint      column)
{
  g_autofree char *csv = tare_chart_dup_csv (chart);
  g_autofree char *begin = g_strdup_printf ("\n%u,%u,1,1,", row, column);
  const char *found = strstr (csv, begin);

  return found != NULL ? g_strndup (found + strlen (begin), strcspn (found + strlen (begin), "\n"))
                       : NULL;
}

/* Asks the network by itself. */
static void
assert_enters (WindowFixture *fixture,
               const char    *canonical,
               guint          token,
               guint          column,
               double         number)
{
  TareModel *model = tare_session_get_model (fixture->session);
  const char *path = tare_session_get_calibration_text (fixture->session);
  g_autoptr(TareInputReader) reader = NULL;
  g_autoptr(TareInputs) inputs = NULL;
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  text[4096] = '\0';
  reader = tare_input_reader_new (model, text, strlen (text), 256, path, NULL);
  inputs = tare_input_reader_read (reader, tare_model_lookup (model, canonical), NULL, NULL);
  g_assert_nonnull (inputs);
  g_assert_cmpfloat_with_epsilon (number, fabs (inputs->x[token * inputs->columns + column]),
                                  1e-5 * number);
}

/* Zooms in until every number has a cell of its own. */
static void
look_closely (WindowFixture *fixture,
              TareChart     *chart)
{
  tare_axis_set_range (tare_chart_get_x_axis (chart), 100.0, 106.0);
  tare_axis_set_range (tare_chart_get_y_axis (chart), 2.0, 8.0);
  window_fixture_settle (fixture, 300);
}

/* The inputs as a picture are those of the calibration text, and those of a layer that shares them
 * are the same. */
static void
test_input_picture (WindowFixture *fixture,
                    gconstpointer  data)
{
  static const char *const layers[] = { "blk.1.attn_q.weight", "blk.1.attn_v.weight" };
  TareOutliersPage *page;
  g_auto(GStrv) numbers = g_new0 (char *, 3);
  double lower, upper;

  window_fixture_open_sample (fixture);
  window_fixture_select_layer (fixture, "blk.3.ffn_down.weight");
  page = TARE_OUTLIERS_PAGE (window_fixture_show_page (fixture, "outliers"));
  tare_outliers_page_set_picture (page, "inputs");
  for (guint i = 0; i < 2; i++)
    {
      TareChart *chart = tare_outliers_page_get_map (page);

      window_fixture_select_layer (fixture, layers[i]);
      window_fixture_show_page (fixture, "outliers");
      g_assert_cmpstr (tare_layer_page_get_state (TARE_LAYER_PAGE (page)), ==, "charts");
      tare_axis_get_bounds (tare_chart_get_y_axis (chart), &lower, &upper);
      g_assert_cmpfloat (upper - lower, ==, 256.0);
      look_closely (fixture, chart);
      numbers[i] = describe_cell (chart, 5, 103);
      g_assert_nonnull (numbers[i]);
    }
  g_assert_cmpstr (numbers[0], ==, numbers[1]);
  assert_enters (fixture, layers[0], 5, 103, g_ascii_strtod (numbers[0], NULL));
  window_fixture_shoot (fixture, GTK_WIDGET (fixture->window), "inputs-close", FALSE);

  /* Nothing enters a table: its channels are shown, and no old picture. */
  window_fixture_select_layer (fixture, "token_embd.weight");
  window_fixture_show_page (fixture, "outliers");
  g_assert_cmpuint (count_lines (tare_outliers_page_get_ranges (page)), >, 1024);
  g_assert_cmpuint (count_lines (tare_outliers_page_get_map (page)), <=, 2);
  g_assert_nonnull (window_fixture_find (GTK_WIDGET (page), GTK_TYPE_LABEL,
                                         "token_embd.weight: not a linear layer, nothing enters "
                                         "it"));
}

/* Clicks on the middle of what stands at a place of a chart. */
static void
click_chart (TareChart *chart,
             double     x)
{
  GdkRectangle area;

  g_assert_true (tare_chart_get_plot_area (chart, &area));
  widget_test_point (GTK_WIDGET (chart),
                     area.x + area.width * tare_axis_normalize (tare_chart_get_x_axis (chart), x),
                     area.y + area.height / 2.0);
  widget_test_button (GTK_WIDGET (chart), 1, TRUE);
  widget_test_button (GTK_WIDGET (chart), 1, FALSE);
}

static void
assert_selected (WindowFixture *fixture,
                 TareChannel    kind,
                 const char    *expected)
{
  TareChannelSelection *selection = tare_session_get_channel_selection (fixture->session);
  g_autoptr(GString) found = g_string_new (NULL);
  guint n;
  const guint *channels = tare_channel_selection_get (selection, kind, &n);

  for (guint i = 0; i < n; i++)
    g_string_append_printf (found, "%u ", channels[i]);
  g_assert_cmpstr (found->str, ==, expected);
}

static gboolean
has_768_channels (WindowFixture *fixture)
{
  GtkWidget *page = tare_window_get_page (fixture->window, "outliers");
  TareChart *ranges = tare_outliers_page_get_ranges (TARE_OUTLIERS_PAGE (page));
  double lower, upper;

  tare_axis_get_range (tare_chart_get_x_axis (ranges), &lower, &upper);

  return upper - lower >= 768.0;
}

/* A channel that is set apart in one chart is so in all of them, and in the next layer that has as
 * many; inputs lie below the columns of the picture, and are zoomed with it. */
static void
test_channels (WindowFixture *fixture,
               gconstpointer  data)
{
  TareOutliersPage *page;
  TareChart *map, *ranges;

  if (!widget_test_has_input (GTK_WIDGET (fixture->window)))
    {
      g_test_skip ("no XTest");
      return;
    }

  window_fixture_open_sample (fixture);
  window_fixture_select_layer (fixture, "blk.1.ffn_gate.weight");
  page = TARE_OUTLIERS_PAGE (window_fixture_show_page (fixture, "outliers"));
  map = tare_outliers_page_get_map (page);
  ranges = tare_outliers_page_get_ranges (page);
  g_assert_true (tare_chart_get_x_axis (map) != tare_chart_get_x_axis (ranges));
  tare_outliers_page_set_channels (page, "inputs");
  window_fixture_show_page (fixture, "outliers");
  g_assert_true (tare_chart_get_x_axis (map) == tare_chart_get_x_axis (ranges));
  tare_axis_set_range (tare_chart_get_x_axis (map), 99.5, 119.5);
  window_fixture_settle (fixture, 100);

  click_chart (ranges, 105.0);
  window_fixture_settle (fixture, 100);
  assert_selected (fixture, TARE_CHANNEL_INPUT, "105 ");
  window_fixture_shoot (fixture, GTK_WIDGET (fixture->window), "channels", FALSE);
  click_chart (map, 117.0);
  window_fixture_settle (fixture, 100);
  assert_selected (fixture, TARE_CHANNEL_INPUT, "117 ");
  assert_selected (fixture, TARE_CHANNEL_OUTPUT, "");

  /* The next layer reads the same stream, down another. */
  window_fixture_select_layer (fixture, "blk.2.attn_q.weight");
  window_fixture_show_page (fixture, "outliers");
  assert_selected (fixture, TARE_CHANNEL_INPUT, "117 ");
  window_fixture_select_layer (fixture, "blk.2.ffn_down.weight");
  window_fixture_show_page (fixture, "outliers");
  assert_selected (fixture, TARE_CHANNEL_INPUT, "");

  /* Both have the whole of the new layer in sight again. */
  window_fixture_wait (fixture, has_768_channels, 60.0);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

  g_test_add ("/outliers-page/ranges", WindowFixture, NULL, window_fixture_set_up, test_outliers,
              window_fixture_tear_down);
  g_test_add ("/outliers-page/inputs", WindowFixture, NULL, window_fixture_set_up,
              test_input_picture, window_fixture_tear_down);
  g_test_add ("/outliers-page/channels", WindowFixture, NULL, window_fixture_set_up,
              test_channels, window_fixture_tear_down);

  return g_test_run ();
}
