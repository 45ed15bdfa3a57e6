/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/tare-test.h"
#include "tests/widgets/chart-fixture.h"

#include <adwaita.h>
#include <glib/gstdio.h>
#include <string.h>

#include "widgets/tare-bar-plot.h"
#include "widgets/tare-heat-plot.h"
#include "widgets/tare-line-plot.h"
#include "widgets/tare-table.h"

static TarePlot *
make_line (void)
{
  static const double x[3] = { 1.0, 2.0, 3.0 };
  static const double y[3] = { 1.0, 10.0, 100.0 };
  TarePlot *plot = tare_line_plot_new ();

  tare_line_plot_set_points (TARE_LINE_PLOT (plot), x, y, 3);

  return plot;
}

static void
test_table (void)
{
  g_autoptr(TareTable) table = tare_table_new ("name,value\n\"a,b\",1\n\"say \"\"c\"\"\n\",\n\n,5");
  g_autoptr(TareTable) empty = tare_table_new ("");
  g_autoptr(TareTable) bare = tare_table_new ("x,y\n");
  static const char *const cells[4][3] = {
    { "a,b", "1", "" }, { "say \"c\"\n", "", "" }, { "", "", "" }, { "", "5", "" },
  };

  g_assert_cmpstr (tare_table_get_heading (table)[0], ==, "name");
  g_assert_cmpstr (tare_table_get_heading (table)[1], ==, "value");
  g_assert_null (tare_table_get_heading (table)[2]);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (table)), ==, 4);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr(TareTableRow) row = g_list_model_get_item (G_LIST_MODEL (table), i);

      for (guint j = 0; j < 3; j++)
        g_assert_cmpstr (tare_table_row_get_cell (row, j), ==, cells[i][j]);
    }
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (empty)), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (bare)), ==, 0);
  g_assert_cmpstr (tare_table_get_heading (bare)[1], ==, "y");
}

static GtkWidget *
find_child (GtkWidget *widget,
            GType      type)
{
  if (G_TYPE_CHECK_INSTANCE_TYPE (widget, type))
    return widget;

  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find_child (child, type);

      if (found != NULL)
        return found;
    }

  return NULL;
}

static GtkWindow *
find_window (GtkWindow *other)
{
  g_autoptr(GListModel) windows = g_object_ref (gtk_window_get_toplevels ());

  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr(GtkWindow) window = g_list_model_get_item (windows, i);

      if (window != other)
        return window;
    }

  return NULL;
}

/* The keyboard opens a table of the data, and Escape closes it. */
static void
test_show_table (void)
{
  g_autoptr(TarePlot) plot = make_line ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  GtkWindow *opened;
  GtkColumnView *view;
  g_autoptr(GListModel) columns = NULL;

  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_t, GDK_CONTROL_MASK));
  opened = find_window (window);
  g_assert_nonnull (opened);
  g_assert_cmpstr (gtk_window_get_title (opened), ==, "Weights");
  widget_test_settle (GTK_WIDGET (opened));
  view = GTK_COLUMN_VIEW (find_child (GTK_WIDGET (opened), GTK_TYPE_COLUMN_VIEW));
  columns = g_object_ref (gtk_column_view_get_columns (view));
  g_assert_cmpuint (g_list_model_get_n_items (columns), ==, 2);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (gtk_column_view_get_model (view))),
                    ==, 3);

  gtk_window_close (opened);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_null (find_window (window));
  chart_fixture_finish (chart, window);
}

static void
set_scale (TareChart  *chart,
           const char *action,
           const char *scale)
{
  gtk_widget_activate_action (GTK_WIDGET (chart), action, "s", scale);
}

/* The menu sets the scales of what can have them, and only of that. */
static void
test_menu (void)
{
  static const float values[4] = { 1.0f, 2.0f, 3.0f, 4.0f };
  g_autoptr(TarePlot) line = make_line ();
  g_autoptr(TarePlot) heat = tare_heat_plot_new ();
  TareChart *chart = chart_fixture_new (line);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  TareAxis *colors = tare_color_scale_get_axis (tare_plot_get_color_scale (heat));

  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Menu, 0));
  g_assert_nonnull (find_child (GTK_WIDGET (chart), GTK_TYPE_POPOVER_MENU));
  set_scale (chart, "chart.y-scale", "log");
  g_assert_cmpint (tare_axis_get_scale (tare_chart_get_y_axis (chart)), ==, TARE_AXIS_SCALE_LOG);
  set_scale (chart, "chart.x-scale", "symlog");
  g_assert_cmpint (tare_axis_get_scale (tare_chart_get_x_axis (chart)), ==,
                   TARE_AXIS_SCALE_SYMLOG);
  tare_axis_zoom (tare_chart_get_x_axis (chart), 2.0, 0.5);
  gtk_widget_activate_action (GTK_WIDGET (chart), "chart.fit", NULL);
  g_assert_true (tare_axis_is_fitted (tare_chart_get_x_axis (chart)));
  set_scale (chart, "chart.x-scale", "linear");
  set_scale (chart, "chart.y-scale", "linear");

  /* Rows and columns have no scale but their colours do. */
  tare_chart_remove_plot (chart, line);
  tare_heat_plot_set_values (TARE_HEAT_PLOT (heat), values, 2, 2);
  tare_chart_add_plot (chart, heat);
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_F10, GDK_SHIFT_MASK));
  set_scale (chart, "chart.color-scale", "log");
  g_assert_cmpint (tare_axis_get_scale (colors), ==, TARE_AXIS_SCALE_LOG);
  g_assert_false (gtk_widget_activate_action (GTK_WIDGET (chart), "chart.y-scale", "s", "log"));
  gtk_popover_popdown (GTK_POPOVER (find_child (GTK_WIDGET (chart), GTK_TYPE_POPOVER_MENU)));
  widget_test_settle (GTK_WIDGET (chart));

  chart_fixture_finish (chart, window);
}

/* The second button of the mouse opens it too. */
static void
test_button (void)
{
  g_autoptr(TarePlot) plot = make_line ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  GtkWidget *menu;

  if (!widget_test_has_input (GTK_WIDGET (chart)))
    g_test_skip ("no way to press real buttons");
  else
    {
      widget_test_point (GTK_WIDGET (chart), 250.0, 150.0);
      widget_test_button (GTK_WIDGET (chart), 3, TRUE);
      widget_test_button (GTK_WIDGET (chart), 3, FALSE);
      menu = find_child (GTK_WIDGET (chart), GTK_TYPE_POPOVER_MENU);
      g_assert_nonnull (menu);
      g_assert_true (gtk_widget_get_visible (menu));
      gtk_popover_popdown (GTK_POPOVER (menu));
      widget_test_settle (GTK_WIDGET (chart));
    }

  chart_fixture_finish (chart, window);
}

static void
test_save_data (void)
{
  g_autoptr(TarePlot) plot = make_line ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autofree char *path = tare_test_temporary ("chart.csv");
  g_autofree char *contents = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_chart_save (chart, path, 0, 0, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &contents, NULL, &error));
  g_assert_cmpstr (contents, ==, "x,y\n1,1\n2,10\n3,100\n");
  g_assert_cmpint (g_unlink (path), ==, 0);

  chart_fixture_finish (chart, window);
}

static void
read_texture_cb (GObject      *source,
                 GAsyncResult *result,
                 gpointer      data)
{
  *(GdkTexture **) data = gdk_clipboard_read_texture_finish (GDK_CLIPBOARD (source), result, NULL);
}

static void
test_copy_picture (void)
{
  g_autoptr(TarePlot) plot = make_line ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(GdkTexture) texture = NULL;

  tare_chart_copy_picture (chart);
  gdk_clipboard_read_texture_async (gtk_widget_get_clipboard (GTK_WIDGET (chart)), NULL,
                                    read_texture_cb, &texture);
  for (guint i = 0; i < 2000 && texture == NULL; i++)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  g_assert_nonnull (texture);
  g_assert_cmpint (gdk_texture_get_width (texture), ==, 1000);
  g_assert_cmpint (gdk_texture_get_height (texture), ==, 600);

  chart_fixture_finish (chart, window);
}

/* Charts that share an axis zoom and pan together, and one selection shows in all plots. */
static void
test_linked (void)
{
  static const char *const names[] = { "a", "b", "c", "d", NULL };
  static const double values[4] = { 1.0, 2.0, 3.0, 4.0 };
  static const guint ids[1] = { 2 };
  g_autoptr(TarePlot) line = make_line ();
  g_autoptr(TarePlot) bars = tare_bar_plot_new ();
  TareChart *first = chart_fixture_new (bars);
  TareChart *second = chart_fixture_new (line);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWindow *window;
  double range[4];

  tare_bar_plot_set_bars (TARE_BAR_PLOT (bars), names, values, NULL, 4);
  tare_chart_set_x_axis (second, tare_chart_get_x_axis (first));
  tare_chart_set_automatic (second, FALSE, TRUE);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (first));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (second));
  window = widget_test_show (box, 500, 600);
  widget_test_settle (GTK_WIDGET (first));

  chart_fixture_point (first, 2.0, 1.0);
  chart_fixture_scroll (first, -1.0);
  tare_axis_get_range (tare_chart_get_x_axis (first), &range[0], &range[1]);
  tare_axis_get_range (tare_chart_get_x_axis (second), &range[2], &range[3]);
  g_assert_cmpfloat (range[1] - range[0], <, 3.9);
  g_assert_cmpfloat (range[0], ==, range[2]);
  g_assert_cmpfloat (range[1], ==, range[3]);

  tare_plot_set_selected (bars, ids, 1);
  tare_plot_set_selected (line, ids, 1);
  g_assert_true (tare_bar_plot_is_highlighted (TARE_BAR_PLOT (bars), 2));
  g_assert_true (tare_plot_is_selected (line, 2));

  gtk_window_destroy (window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/chart-menu/table", test_table);
  g_test_add_func ("/chart-menu/show-table", test_show_table);
  g_test_add_func ("/chart-menu/menu", test_menu);
  g_test_add_func ("/chart-menu/button", test_button);
  g_test_add_func ("/chart-menu/save-data", test_save_data);
  g_test_add_func ("/chart-menu/copy-picture", test_copy_picture);
  g_test_add_func ("/chart-menu/linked", test_linked);

  return g_test_run ();
}
