/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/chart-fixture.h"

#include <math.h>
#include <string.h>

#include "widgets/tare-scatter-plot.h"

static const char *const names[] = { "a", "b", "c", "d", "e", NULL };
static const double xs[5] = { 1.0, 2.0, 3.0, 4.0, NAN };
static const double ys[5] = { 8.0, 4.0, 6.0, 1.0, 2.0 };

static TarePlot *
make_points (void)
{
  TarePlot *plot = tare_scatter_plot_new ();

  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (plot), names, xs, ys, 5);

  return plot;
}

static void
activated_cb (TarePlot        *plot,
              guint            id,
              GdkModifierType  state,
              guint           *last)
{
  *last = id;
}

static void
test_points (void)
{
  g_autoptr(TarePlot) plot = make_points ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (chart));

  for (guint i = 0; i < 4; i++)
    {
      int x = chart_fixture_get_x (chart, xs[i]), y = chart_fixture_get_y (chart, ys[i]);
      guint inked = widget_pixels_count (pixels, chart_fixture_category (0), x - 5, y - 5, 11, 11);

      /* The area of a disc 7 pixels wide, less what is mixed at its edge. */
      g_assert_cmpuint (inked, >=, 20);
      g_assert_cmpuint (inked, <=, 40);
    }

  chart_fixture_finish (chart, window);
}

/* A point is chosen by a click and by the keyboard, under its own id, and shown as chosen. */
static void
test_selection (void)
{
  static const guint ids[5] = { 100, 200, 300, 400, 500 };
  static const guint chosen[1] = { 300 };
  g_autoptr(TarePlot) plot = make_points ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) before = NULL;
  g_autoptr(WidgetPixels) after = NULL;
  double at[1][2];
  guint last = 0;

  tare_plot_set_ids (plot, ids, 5);
  g_signal_connect (plot, "point-activated", G_CALLBACK (activated_cb), &last);
  before = widget_test_render (GTK_WIDGET (chart));
  at[0][0] = chart_fixture_get_x (chart, 3.0) + 2.0;
  at[0][1] = chart_fixture_get_y (chart, 6.0) - 2.0;
  widget_test_drag (GTK_WIDGET (chart), (const double (*)[2]) at, 1);
  g_assert_cmpuint (last, ==, 300);

  chart_fixture_point (chart, 3.0, 6.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "c: 3, 6");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Left, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "b: 2, 4");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Up, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "c: 3, 6");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Up, 0));
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "a: 1, 8");
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Return, 0));
  g_assert_cmpuint (last, ==, 100);
  g_assert_true (widget_test_press_key (GTK_WIDGET (chart), GDK_KEY_Escape, 0));

  g_assert_false (tare_plot_has_selected (plot));
  tare_plot_set_selected (plot, chosen, 1);
  g_assert_true (tare_plot_is_selected (plot, 2));
  g_assert_false (tare_plot_is_selected (plot, 1));
  after = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmphex (widget_pixels_get (after, chart_fixture_get_x (chart, 3.0) - 5,
                                      chart_fixture_get_y (chart, 6.0)), !=,
                   widget_pixels_get (before, chart_fixture_get_x (chart, 3.0) - 5,
                                      chart_fixture_get_y (chart, 6.0)));

  chart_fixture_finish (chart, window);
}

/* Where text is drawn, in pixels of the widget. */
static void
find_texts (GskRenderNode *node,
            float          x,
            float          y,
            GArray        *texts)
{
  graphene_rect_t bounds;

  gsk_render_node_get_bounds (node, &bounds);
  if (gsk_render_node_get_node_type (node) == GSK_TEXT_NODE)
    {
      graphene_rect_offset (&bounds, x, y);
      g_array_append_val (texts, bounds);
    }
  else if (gsk_render_node_get_node_type (node) == GSK_TRANSFORM_NODE)
    {
      GskTransform *transform = gsk_transform_node_get_transform (node);
      float dx = 0.0f, dy = 0.0f;

      /* The title of the height is turned, and stands aside. */
      if (gsk_transform_get_category (transform) < GSK_TRANSFORM_CATEGORY_2D_TRANSLATE)
        return;
      gsk_transform_to_translate (transform, &dx, &dy);
      find_texts (gsk_transform_node_get_child (node), x + dx, y + dy, texts);
    }
  else if (gsk_render_node_get_node_type (node) == GSK_CONTAINER_NODE)
    for (guint i = 0; i < gsk_container_node_get_n_children (node); i++)
      find_texts (gsk_container_node_get_child (node, i), x, y, texts);
  else if (gsk_render_node_get_node_type (node) == GSK_CLIP_NODE)
    find_texts (gsk_clip_node_get_child (node), x, y, texts);
}

/* Names of two plots never stand on one another, and the upper plot's stay. */
static void
test_names (void)
{
  static const char *const labels[] = { "first of all", "second of all", "third of all" };
  static const char *const other_labels[] = { "chosen" };
  static const double x[] = { 5.0, 5.2, 9.0 }, y[] = { 5.0, 4.9, 1.0 };
  static const guint all[] = { 0, 1, 2 };
  g_autoptr(TarePlot) front = tare_scatter_plot_new ();
  g_autoptr(TarePlot) chosen = tare_scatter_plot_new ();
  TareChart *chart = chart_fixture_new (front);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(GArray) texts = g_array_new (FALSE, FALSE, sizeof (graphene_rect_t));
  g_autoptr(GdkPaintable) paintable = gtk_widget_paintable_new (GTK_WIDGET (chart));
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  g_autoptr(GskRenderNode) node = NULL;
  GdkRectangle area;
  guint inside = 0;

  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (front), labels, x, y, 3);
  tare_scatter_plot_set_front (TARE_SCATTER_PLOT (front), all, 3);
  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (chosen), other_labels, &x[1], &y[1], 1);
  tare_scatter_plot_set_front (TARE_SCATTER_PLOT (chosen), all, 1);
  tare_chart_add_plot (chart, chosen);
  widget_test_settle (GTK_WIDGET (chart));
  g_assert_true (tare_chart_get_plot_area (chart, &area));
  gdk_paintable_snapshot (paintable, snapshot, 500, 300);
  node = gtk_snapshot_free_to_node (snapshot);
  find_texts (node, 0.0f, 0.0f, texts);

  for (guint i = 0; i < texts->len; i++)
    {
      const graphene_rect_t *text = &g_array_index (texts, graphene_rect_t, i);

      inside += text->origin.x > (float) area.x && text->origin.y > (float) area.y
                && text->origin.y + text->size.height < (float) (area.y + area.height);
      for (guint k = 0; k < i; k++)
        g_assert_false (graphene_rect_intersection (text, &g_array_index (texts, graphene_rect_t,
                                                                          k), NULL));
    }
  /* What is chosen, and the third: the others' places are taken. */
  g_assert_cmpuint (inside, ==, 2);

  chart_fixture_finish (chart, window);
}

/* What no other point is better than by both figures. */
static void
test_front (void)
{
  g_autoptr(TarePlot) plot = make_points ();
  TareScatterPlot *scatter = TARE_SCATTER_PLOT (plot);
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) pixels = NULL;
  g_autofree guint *front = NULL;
  guint32 pixel;
  guint n;

  front = tare_scatter_plot_dup_front (scatter, &n);
  g_assert_cmpuint (n, ==, 3);
  g_assert_cmpuint (front[0], ==, 0);
  g_assert_cmpuint (front[1], ==, 1);
  g_assert_cmpuint (front[2], ==, 3);

  tare_scatter_plot_set_front (scatter, front, n);
  pixels = widget_test_render (GTK_WIDGET (chart));

  /* The staircase is level as far as the next point, and falls there. */
  pixel = widget_pixels_get (pixels, chart_fixture_get_x (chart, 3.2),
                             chart_fixture_get_y (chart, 4.0));
  g_assert_cmphex (pixel >> 24, >, 0x80);
  pixel = widget_pixels_get (pixels, chart_fixture_get_x (chart, 4.0),
                             chart_fixture_get_y (chart, 2.6));
  g_assert_cmphex (pixel >> 24, >, 0x80);

  chart_fixture_finish (chart, window);
}

static void
test_errors (void)
{
  static const double wide[5] = { 0.0, 0.0, 0.5, 0.0, 0.0 };
  static const double high[5] = { 0.0, 0.0, 1.5, NAN, 0.0 };
  g_autoptr(TarePlot) plot = make_points ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;
  g_autofree char *text = NULL;
  g_autofree char *csv = NULL;

  tare_scatter_plot_set_errors (TARE_SCATTER_PLOT (plot), wide, high);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmphex (widget_pixels_get (pixels, chart_fixture_get_x (chart, 3.0),
                                      chart_fixture_get_y (chart, 7.3)) >> 24, >, 0x80);
  g_assert_cmphex (widget_pixels_get (pixels, chart_fixture_get_x (chart, 2.6),
                                      chart_fixture_get_y (chart, 6.0)) >> 24, >, 0x80);
  text = tare_plot_describe_point (plot, 2);
  g_assert_cmpstr (text, ==, "c: 3 ± 0.5, 6 ± 1.5");
  csv = tare_chart_dup_csv (chart);
  g_assert_true (g_str_has_prefix (csv, "name,x,y,x error,y error\na,1,8,0,0\n"));

  chart_fixture_finish (chart, window);
}

/* The line of least squares through points on a line is that line. */
static void
test_line (void)
{
  g_autoptr(TarePlot) plot = tare_scatter_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  g_autoptr(WidgetPixels) pixels = NULL;
  double x[4], y[4];
  guint on = 0;

  for (guint i = 0; i < 4; i++)
    {
      x[i] = i;
      y[i] = 3.0 - 0.5 * i;
    }
  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (plot), NULL, x, y, 4);
  tare_scatter_plot_fit_line (TARE_SCATTER_PLOT (plot), "fit");
  pixels = widget_test_render (GTK_WIDGET (chart));

  /* Of the dashes more than half have ink. */
  for (guint i = 0; i < 100; i++)
    {
      double at = 1.2 + 0.006 * i;
      int column = chart_fixture_get_x (chart, at);
      int row = chart_fixture_get_y (chart, 3.0 - 0.5 * at);

      on += widget_pixels_get (pixels, column, row) >> 24 > 0x30
            || widget_pixels_get (pixels, column, row - 1) >> 24 > 0x30
            || widget_pixels_get (pixels, column, row + 1) >> 24 > 0x30;
    }
  g_assert_cmpuint (on, >=, 45);

  chart_fixture_finish (chart, window);
}

/* Very many points are drawn too, and each is found. */
static void
test_crowd (void)
{
  guint n = 100000;
  g_autofree double *x = g_new (double, n);
  g_autofree double *y = g_new (double, n);
  g_autoptr(TarePlot) plot = tare_scatter_plot_new ();
  TareChart *chart = chart_fixture_new (plot);
  GtkWindow *window;
  g_autoptr(WidgetPixels) pixels = NULL;

  for (guint i = 0; i < n; i++)
    {
      x[i] = i % 317;
      y[i] = i % 211;
    }
  x[500] = 600.0;
  y[500] = 400.0;
  tare_scatter_plot_set_points (TARE_SCATTER_PLOT (plot), NULL, x, y, n);
  window = widget_test_show (GTK_WIDGET (chart), 500, 300);
  pixels = widget_test_render (GTK_WIDGET (chart));
  g_assert_cmpuint (widget_pixels_count (pixels, chart_fixture_category (0),
                                         chart_fixture_get_x (chart, 600.0) - 3,
                                         chart_fixture_get_y (chart, 400.0) - 3, 7, 7), ==, 9);
  chart_fixture_point (chart, 600.0, 400.0);
  g_assert_cmpstr (tare_chart_get_readout (chart), ==, "600, 400");

  chart_fixture_finish (chart, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/scatter-plot/points", test_points);
  g_test_add_func ("/scatter-plot/selection", test_selection);
  g_test_add_func ("/scatter-plot/front", test_front);
  g_test_add_func ("/scatter-plot/names", test_names);
  g_test_add_func ("/scatter-plot/errors", test_errors);
  g_test_add_func ("/scatter-plot/line", test_line);
  g_test_add_func ("/scatter-plot/crowd", test_crowd);

  return g_test_run ();
}
