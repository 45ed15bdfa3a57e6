/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/widget-test.h"

#include <math.h>

#include "widgets/tare-format-map.h"

static TareFormatMap *
make_map (void)
{
  static const char *const rows[] = { "0", "1", NULL };
  static const char *const columns[] = { "q", "experts", "in", "kv", NULL };
  TareFormatMap *map = TARE_FORMAT_MAP (tare_format_map_new ());
  TareFormatCell cells[8];

  for (guint i = 0; i < 8; i++)
    cells[i] = (TareFormatCell) { .present = TRUE, .value = 4.0, .folded = i % 4 == 1 ? 8 : 0 };
  tare_format_map_set_shape (map, rows, columns, NULL);
  tare_format_map_set_scale (map, 2.0, 16.0, "bits");
  tare_format_map_set_cells (map, cells, 8);

  return map;
}

static void
finish (TareFormatMap *map,
        GtkWindow     *window)
{
  g_object_ref (map);
  gtk_window_destroy (window);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_finalize_object (map);
}

/* Pixels of a cell that are not of its colour. */
static guint
count_signs (TareFormatMap *map,
             WidgetPixels  *pixels,
             guint          cell)
{
  GdkRectangle area;
  GdkRGBA color;

  g_assert_true (tare_format_map_get_cell_area (map, cell, &area));
  tare_format_map_get_cell_color (map, cell, &color);

  return (guint) (area.width * area.height)
         - widget_pixels_count (pixels, widget_test_color (&color), area.x, area.y, area.width,
                                area.height);
}

/* A cell that several things share looks like a pile; a line parts the groups of columns. */
static void
test_signs (void)
{
  static const guint breaks[1] = { 2 };
  TareFormatMap *map = make_map ();
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 300);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (map));
  g_autoptr(WidgetPixels) parted = NULL;
  GdkRectangle area;

  g_assert_cmpuint (count_signs (map, pixels, 5), >, count_signs (map, pixels, 4) + 40);

  tare_format_map_set_breaks (map, breaks, 1);
  parted = widget_test_render (GTK_WIDGET (map));
  g_assert_true (tare_format_map_get_cell_area (map, 6, &area));
  for (int y = area.y; y < area.y + area.height; y++)
    g_assert_cmphex (widget_pixels_get (parted, area.x - 1, y), !=,
                     widget_pixels_get (pixels, area.x - 1, y));

  finish (map, window);
}

static void
activated_cb (TareFormatMap *map,
              guint          cell,
              guint         *last)
{
  *last = cell;
}

/* A cell opens into a map of its parts, on which the keyboard works as on the whole. */
static void
test_parts (void)
{
  TareFormatMap *map = make_map ();
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 300);
  TareFormatCell parts[7];
  TareFormatMap *opened;
  GdkRGBA colors[2];
  guint last = 99;

  for (guint i = 0; i < 7; i++)
    parts[i] = (TareFormatCell) { .present = TRUE, .value = 2.0 + 2.0 * i };
  opened = tare_format_map_open_parts (map, 5, parts, 7);
  widget_test_settle (GTK_WIDGET (map));
  g_assert_cmpuint (tare_format_map_get_columns (opened), ==, 3);
  g_assert_cmpuint (tare_format_map_get_rows (opened), ==, 3);
  g_assert_true (gtk_widget_get_mapped (GTK_WIDGET (opened)));

  /* By the colours of the whole. */
  tare_format_map_get_cell_color (opened, 1, &colors[0]);
  tare_format_map_get_cell_color (map, 0, &colors[1]);
  g_assert_true (gdk_rgba_equal (&colors[0], &colors[1]));
  tare_format_map_get_cell_color (opened, 8, &colors[0]);
  g_assert_cmpfloat (colors[0].alpha, ==, 0.0f);

  g_signal_connect (opened, "cell-activated", G_CALLBACK (activated_cb), &last);
  tare_format_map_set_cursor (opened, 4);
  g_assert_true (widget_test_press_key (GTK_WIDGET (opened), GDK_KEY_Return, 0));
  g_assert_cmpuint (last, ==, 4);

  /* Another takes its place. */
  opened = tare_format_map_open_parts (map, 1, parts, 1);
  g_assert_cmpuint (tare_format_map_get_columns (opened), ==, 1);
  gtk_popover_popdown (GTK_POPOVER (gtk_widget_get_ancestor (GTK_WIDGET (opened),
                                                             GTK_TYPE_POPOVER)));
  widget_test_settle (GTK_WIDGET (map));

  finish (map, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/format-map-parts/signs", test_signs);
  g_test_add_func ("/format-map-parts/parts", test_parts);

  return g_test_run ();
}
