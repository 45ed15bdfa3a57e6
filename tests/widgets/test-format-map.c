/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/widget-test.h"

#include <math.h>
#include <string.h>

#include "widgets/tare-colormap.h"
#include "widgets/tare-format-map.h"

#define N_BLOCKS 6
#define N_ROWS (N_BLOCKS + 2)
#define N_COLUMNS 7

/* What the signals of a map told. */
typedef struct
{
  guint n_selections;
  guint n_painting;
  guint n_painted;
  guint cells[64];
  guint n_cells;
  guint bits;
  guint activated;
} Heard;

static void
selection_changed_cb (TareFormatMap *map,
                      Heard         *heard)
{
  heard->n_selections++;
}

static void
painting_cb (TareFormatMap *map,
             guint          cell,
             Heard         *heard)
{
  heard->n_painting++;
}

static void
painted_cb (TareFormatMap *map,
            const guint   *cells,
            guint          n,
            Heard         *heard)
{
  heard->n_painted++;
  heard->n_cells = n;
  g_assert_cmpuint (n, <=, G_N_ELEMENTS (heard->cells));
  memcpy (heard->cells, cells, n * sizeof *cells);
}

static void
bits_requested_cb (TareFormatMap *map,
                   guint          bits,
                   Heard         *heard)
{
  heard->bits = bits;
}

static void
cell_activated_cb (TareFormatMap *map,
                   guint          cell,
                   Heard         *heard)
{
  heard->activated = cell;
}

/* A model of six blocks; the first and the last row have one cell, cell 17 has no value. */
static TareFormatMap *
make_map (Heard *heard)
{
  static const char *const rows[] = { "embed", "0", "1", "2", "3", "4", "5", "output", NULL };
  static const char *const columns[] = { "q", "k", "v", "o", "gate", "up", "down", NULL };
  static const char *const tooltips[] = {
    "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", NULL,
  };
  TareFormatMap *map = TARE_FORMAT_MAP (tare_format_map_new ());
  TareFormatCell cells[N_ROWS * N_COLUMNS] = { 0 };

  tare_format_map_set_shape (map, rows, columns, tooltips);
  tare_format_map_set_scale (map, 2.0, 8.0, "bits");
  for (guint i = 0; i < G_N_ELEMENTS (cells); i++)
    {
      guint row = i / N_COLUMNS;

      cells[i].present = (row > 0 && row < N_ROWS - 1) || i % N_COLUMNS == 0;
      cells[i].value = i == 17 ? (double) NAN : 2.0 + i % 7;
      cells[i].label = i % 2 == 0 ? "Q4" : NULL;
      cells[i].mark = (TareFormatMark) (i % TARE_FORMAT_MARK_N);
      cells[i].locked = i % 9 == 0;
      cells[i].stale = i % 10 == 3;
    }
  tare_format_map_set_cells (map, cells, G_N_ELEMENTS (cells));

  memset (heard, 0, sizeof *heard);
  g_signal_connect (map, "selection-changed", G_CALLBACK (selection_changed_cb), heard);
  g_signal_connect (map, "painting", G_CALLBACK (painting_cb), heard);
  g_signal_connect (map, "painted", G_CALLBACK (painted_cb), heard);
  g_signal_connect (map, "bits-requested", G_CALLBACK (bits_requested_cb), heard);
  g_signal_connect (map, "cell-activated", G_CALLBACK (cell_activated_cb), heard);

  return map;
}

static guint
at (guint row,
    guint column)
{
  return row * N_COLUMNS + column;
}

static void
find_center (TareFormatMap *map,
             guint          cell,
             double         point[2])
{
  GdkRectangle area;

  g_assert_true (tare_format_map_get_cell_area (map, cell, &area));
  point[0] = area.x + area.width / 2.0;
  point[1] = area.y + area.height / 2.0;
}

static void
drag_cells (TareFormatMap *map,
            guint          from,
            guint          to)
{
  double points[2][2];

  find_center (map, from, points[0]);
  find_center (map, to, points[1]);
  widget_test_drag (GTK_WIDGET (map), points, from == to ? 1 : 2);
}

static void
assert_selection (TareFormatMap *map,
                  const char    *expected)
{
  g_autoptr(GString) string = g_string_new (NULL);
  guint n;
  g_autofree guint *cells = tare_format_map_dup_selection (map, &n);

  for (guint i = 0; i < n; i++)
    {
      g_assert_true (tare_format_map_is_selected (map, cells[i]));
      g_string_append_printf (string, "%s%u.%u", i > 0 ? " " : "", cells[i] / N_COLUMNS,
                              cells[i] % N_COLUMNS);
    }

  g_assert_cmpstr (string->str, ==, expected);
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

/* Each cell is where it says it is, in the colour of its value; row 0 is the lowest. */
static void
test_pixels (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);
  g_autoptr(WidgetPixels) pixels = widget_test_render (GTK_WIDGET (map));
  GdkRectangle first, last;

  for (guint cell = 0; cell < N_ROWS * N_COLUMNS; cell++)
    {
      GdkRectangle area;
      GdkRGBA color, expected;

      if (!tare_format_map_get_cell_area (map, cell, &area))
        {
          g_assert_cmpuint (cell % N_COLUMNS, !=, 0);
          continue;
        }

      g_assert_cmpuint (tare_format_map_get_cell_at (map, area.x + 3, area.y + 3), ==, cell);
      if (cell == 17)
        continue;

      tare_format_map_get_cell_color (map, cell, &color);
      tare_colormap_get ((cell % 7) / 6.0, FALSE, &expected);
      g_assert_true (gdk_rgba_equal (&color, &expected));
      g_assert_cmpuint (widget_pixels_count (pixels, widget_test_color (&color), area.x, area.y,
                                             area.width, area.height),
                        >, (guint) (area.width * area.height / 3));
    }

  g_assert_true (tare_format_map_get_cell_area (map, at (0, 0), &first));
  g_assert_true (tare_format_map_get_cell_area (map, at (N_ROWS - 1, 0), &last));
  g_assert_cmpint (first.y, >, last.y);
  g_assert_false (tare_format_map_get_cell_area (map, at (0, 1), &first));
  g_assert_cmpuint (tare_format_map_get_cell_at (map, 0, 0), ==, TARE_FORMAT_MAP_NO_CELL);

  finish (map, window);
}

/* The outline goes around a group and not between its cells. */
static void
test_outline (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);
  guint cells[2] = { at (2, 3), at (2, 4) };
  GdkRectangle area;
  GdkRGBA black = { 0.0f, 0.0f, 0.0f, 1.0f };
  guint32 line = widget_test_color (&black);
  g_autoptr(WidgetPixels) before = widget_test_render (GTK_WIDGET (map));
  g_autoptr(WidgetPixels) pixels = NULL;

  tare_format_map_set_selection (map, cells, 2);
  pixels = widget_test_render (GTK_WIDGET (map));
  g_assert_true (tare_format_map_get_cell_area (map, cells[0], &area));

  g_assert_cmpuint (widget_pixels_count (before, line, area.x, area.y, 1, area.height), ==, 0);
  g_assert_cmpuint (widget_pixels_count (pixels, line, area.x, area.y, 1, area.height), ==,
                    (guint) area.height);
  g_assert_cmpuint (widget_pixels_count (pixels, line, area.x, area.y, area.width, 1), ==,
                    (guint) area.width);
  g_assert_cmpuint (widget_pixels_count (pixels, line, area.x, area.y + area.height, area.width, 1),
                    ==, (guint) area.width);
  g_assert_cmpuint (widget_pixels_count (pixels, line, area.x + area.width, area.y + 4, 1,
                                         area.height - 8), ==, 0);

  finish (map, window);
}

static void
test_drag (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);
  double points[3][2];

  drag_cells (map, at (2, 1), at (2, 1));
  assert_selection (map, "2.1");
  g_assert_cmpuint (heard.n_selections, ==, 1);
  g_assert_cmpuint (tare_format_map_get_cursor (map), ==, at (2, 1));
  drag_cells (map, at (2, 1), at (2, 1));
  g_assert_cmpuint (heard.n_selections, ==, 1);

  drag_cells (map, at (3, 2), at (2, 1));
  assert_selection (map, "2.1 2.2 3.1 3.2");

  /* Out of the map is as far as it goes; holes are left out. */
  find_center (map, at (5, 5), points[0]);
  points[1][0] = 5000.0;
  points[1][1] = -500.0;
  widget_test_drag (GTK_WIDGET (map), (const double (*)[2]) points, 2);
  assert_selection (map, "5.5 5.6 6.5 6.6");

  /* Back to where it began gives the rectangle back. */
  find_center (map, at (2, 2), points[0]);
  find_center (map, at (4, 4), points[1]);
  find_center (map, at (2, 2), points[2]);
  widget_test_drag (GTK_WIDGET (map), (const double (*)[2]) points, 3);
  assert_selection (map, "2.2");

  /* Beside the cells: nothing is selected. */
  find_center (map, at (0, 0), points[0]);
  points[0][0] += 150.0;
  widget_test_drag (GTK_WIDGET (map), (const double (*)[2]) points, 1);
  assert_selection (map, "");

  finish (map, window);
}

static void
test_labels (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);
  double point[1][2];

  find_center (map, at (2, 0), point[0]);
  point[0][0] = 3.0;
  widget_test_drag (GTK_WIDGET (map), (const double (*)[2]) point, 1);
  assert_selection (map, "2.0 2.1 2.2 2.3 2.4 2.5 2.6");

  find_center (map, at (2, 0), point[0]);
  point[0][1] = 3.0;
  widget_test_drag (GTK_WIDGET (map), (const double (*)[2]) point, 1);
  assert_selection (map, "0.0 1.0 2.0 3.0 4.0 5.0 6.0 7.0");

  finish (map, window);
}

static void
press (TareFormatMap   *map,
       guint            keyval,
       GdkModifierType  state)
{
  g_assert_true (widget_test_press_key (GTK_WIDGET (map), keyval, state));
}

static void
test_keys (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);

  press (map, GDK_KEY_Right, 0);
  assert_selection (map, "0.0");

  /* Up is where the data go; a row of one cell takes any column. */
  press (map, GDK_KEY_Up, 0);
  press (map, GDK_KEY_Right, 0);
  press (map, GDK_KEY_Right, 0);
  assert_selection (map, "1.2");
  press (map, GDK_KEY_Down, 0);
  assert_selection (map, "0.0");
  press (map, GDK_KEY_Page_Up, 0);
  assert_selection (map, "7.0");

  tare_format_map_set_cursor (map, at (3, 3));
  press (map, GDK_KEY_Right, GDK_SHIFT_MASK);
  press (map, GDK_KEY_Up, GDK_SHIFT_MASK);
  assert_selection (map, "3.3 3.4 4.3 4.4");
  press (map, GDK_KEY_Left, GDK_SHIFT_MASK);
  assert_selection (map, "3.3 4.3");
  press (map, GDK_KEY_End, 0);
  assert_selection (map, "4.6");
  press (map, GDK_KEY_Home, GDK_CONTROL_MASK);
  assert_selection (map, "0.0");

  press (map, GDK_KEY_a, GDK_CONTROL_MASK);
  g_assert_true (tare_format_map_is_selected (map, at (4, 4)));
  g_assert_false (tare_format_map_is_selected (map, at (0, 4)));
  press (map, GDK_KEY_Escape, 0);
  assert_selection (map, "");
  g_assert_false (widget_test_press_key (GTK_WIDGET (map), GDK_KEY_Escape, 0));
  g_assert_false (widget_test_press_key (GTK_WIDGET (map), GDK_KEY_Left, GDK_ALT_MASK));

  finish (map, window);
}

static void
test_keys_choose (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);

  g_assert_false (widget_test_press_key (GTK_WIDGET (map), GDK_KEY_4, 0));
  tare_format_map_set_cursor (map, at (3, 3));
  press (map, GDK_KEY_space, 0);
  assert_selection (map, "3.3");
  press (map, GDK_KEY_Right, GDK_CONTROL_MASK);
  assert_selection (map, "3.3");
  press (map, GDK_KEY_space, GDK_CONTROL_MASK);
  assert_selection (map, "3.3 3.4");
  press (map, GDK_KEY_space, GDK_CONTROL_MASK);
  assert_selection (map, "3.3");

  press (map, GDK_KEY_4, 0);
  g_assert_cmpuint (heard.bits, ==, 4);
  press (map, GDK_KEY_KP_8, 0);
  g_assert_cmpuint (heard.bits, ==, 8);
  g_assert_false (widget_test_press_key (GTK_WIDGET (map), GDK_KEY_9, 0));
  press (map, GDK_KEY_Return, 0);
  g_assert_cmpuint (heard.activated, ==, at (3, 4));

  finish (map, window);
}

static void
test_brush (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);

  press (map, GDK_KEY_b, 0);
  g_assert_true (tare_format_map_get_brush (map));

  /* One jump over five cells paints them all, once each, and selects nothing. */
  drag_cells (map, at (3, 1), at (3, 5));
  g_assert_cmpuint (heard.n_painted, ==, 1);
  g_assert_cmpuint (heard.n_painting, ==, 5);
  g_assert_cmpuint (heard.n_cells, ==, 5);
  for (guint i = 0; i < 5; i++)
    g_assert_cmpuint (heard.cells[i], ==, at (3, 1 + i));
  assert_selection (map, "");
  g_assert_cmpuint (heard.n_selections, ==, 0);

  press (map, GDK_KEY_space, 0);
  g_assert_cmpuint (heard.n_painted, ==, 2);
  g_assert_cmpuint (heard.n_cells, ==, 1);

  press (map, GDK_KEY_Escape, 0);
  g_assert_false (tare_format_map_get_brush (map));

  finish (map, window);
}

/* The stroke is to be seen while it lasts; Escape takes it back. */
static void
test_brush_cancelled (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);
  GtkEventController *drag = widget_test_controller (GTK_WIDGET (map), GTK_TYPE_GESTURE_DRAG);
  double point[2];
  g_autoptr(WidgetPixels) before = widget_test_render (GTK_WIDGET (map));
  g_autoptr(WidgetPixels) pixels = NULL;
  GdkRectangle area;

  tare_format_map_set_brush (map, TRUE);
  find_center (map, at (3, 1), point);
  g_signal_emit_by_name (drag, "drag-begin", point[0], point[1]);
  g_assert_cmpuint (heard.n_painting, ==, 1);

  pixels = widget_test_render (GTK_WIDGET (map));
  g_assert_true (tare_format_map_get_cell_area (map, at (3, 1), &area));
  g_assert_cmpuint (widget_pixels_get (before, area.x, area.y + 4), !=,
                    widget_pixels_get (pixels, area.x, area.y + 4));

  press (map, GDK_KEY_Escape, 0);
  g_signal_emit_by_name (drag, "drag-end", 0.0, 0.0);
  g_assert_cmpuint (heard.n_painted, ==, 0);
  g_assert_true (tare_format_map_get_brush (map));

  finish (map, window);
}

/* Two views that set each other's selection come to rest. */
static void
mirror_cb (TareFormatMap *from,
           TareFormatMap *to)
{
  guint n;
  g_autofree guint *cells = tare_format_map_dup_selection (from, &n);

  tare_format_map_set_selection (to, cells, n);
}

static void
test_selection (void)
{
  Heard heard, other;
  TareFormatMap *map = g_object_ref_sink (make_map (&heard));
  TareFormatMap *mirror = g_object_ref_sink (make_map (&other));
  guint cells[4] = { at (3, 3), at (1, 1), at (0, 3), 9999 };

  g_signal_connect (map, "selection-changed", G_CALLBACK (mirror_cb), mirror);
  g_signal_connect (mirror, "selection-changed", G_CALLBACK (mirror_cb), map);
  tare_format_map_set_selection (map, cells, 4);
  assert_selection (map, "1.1 3.3");
  assert_selection (mirror, "1.1 3.3");
  g_assert_cmpuint (heard.n_selections, ==, 1);
  g_assert_cmpuint (other.n_selections, ==, 1);

  tare_format_map_unselect_all (mirror);
  assert_selection (map, "");
  tare_format_map_select_all (map);
  g_assert_true (tare_format_map_is_selected (mirror, at (4, 4)));

  /* A cell that goes away is not selected any more. */
  tare_format_map_set_selection (map, cells, 1);
  tare_format_map_set_cell (map, cells[0], &(TareFormatCell) { .present = FALSE });
  assert_selection (map, "");

  g_assert_finalize_object (mirror);
  g_assert_finalize_object (map);
}

static TareFormatMap *
make_large_map (guint n_rows,
                guint n_columns)
{
  g_autoptr(GStrvBuilder) rows = g_strv_builder_new ();
  g_autoptr(GStrvBuilder) columns = g_strv_builder_new ();
  g_auto(GStrv) row_names = NULL;
  g_auto(GStrv) column_names = NULL;
  g_autofree TareFormatCell *cells = g_new0 (TareFormatCell, n_rows * n_columns);
  TareFormatMap *map = TARE_FORMAT_MAP (tare_format_map_new ());

  for (guint i = 0; i < n_rows; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);

      g_strv_builder_add (rows, name);
    }
  for (guint i = 0; i < n_columns; i++)
    {
      g_autofree char *name = g_strdup_printf ("c%u", i);

      g_strv_builder_add (columns, name);
    }
  row_names = g_strv_builder_end (rows);
  column_names = g_strv_builder_end (columns);
  tare_format_map_set_shape (map, (const char *const *) row_names,
                             (const char *const *) column_names, NULL);
  for (guint i = 0; i < n_rows * n_columns; i++)
    cells[i] = (TareFormatCell) { .present = TRUE, .value = i % 9, .label = "Q4_K",
                                  .mark = TARE_FORMAT_MARK_DOT };
  tare_format_map_set_scale (map, 0.0, 8.0, NULL);
  tare_format_map_set_cells (map, cells, n_rows * n_columns);

  return map;
}

/* A model of 128 blocks keeps its labels and its legend in sight, and follows the cursor. */
static void
test_scrolled (void)
{
  TareFormatMap *map = make_large_map (128, 16);
  GtkWidget *scrolled = gtk_scrolled_window_new ();
  GtkWindow *window;
  GtkAdjustment *adjustment;
  GdkRectangle area;
  g_autoptr(WidgetPixels) before = NULL;
  g_autoptr(WidgetPixels) after = NULL;
  guint same = 0;

  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), GTK_WIDGET (map));
  window = widget_test_show (scrolled, 400, 400);
  adjustment = gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (scrolled));
  g_assert_cmpfloat (gtk_adjustment_get_upper (adjustment), >, 128 * 20);
  g_assert_cmpint (gtk_widget_get_height (GTK_WIDGET (map)), <=, 400);

  before = widget_test_render (GTK_WIDGET (map));
  tare_format_map_set_cursor (map, 5);
  g_assert_true (tare_format_map_get_cell_area (map, 5, &area));
  g_assert_cmpint (area.y, >, 0);
  g_assert_cmpint (area.y + area.height, <=, 400);
  g_assert_cmpuint (tare_format_map_get_cell_at (map, area.x + 2, area.y + 2), ==, 5);
  after = widget_test_render (GTK_WIDGET (map));
  for (int x = 60; x < before->width; x++)
    same += widget_pixels_get (before, x, 8) == widget_pixels_get (after, x, 8);
  g_assert_cmpuint (same, >, (guint) (before->width - 60) * 9 / 10);

  tare_format_map_set_cursor (map, 127 * 16 + 15);
  g_assert_true (tare_format_map_get_cell_area (map, 127 * 16 + 15, &area));
  g_assert_cmpint (area.y, >, 0);
  g_assert_cmpint (area.x + area.width, <=, 400);

  gtk_window_destroy (window);
}

/* What is drawn again costs the same time at a tenth of a frame: 2 ms at 60 Hz is an eighth. */
static void
test_speed (void)
{
  TareFormatMap *map = make_large_map (128, 16);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 900, 900);
  GtkWidgetClass *klass = GTK_WIDGET_GET_CLASS (map);
  double best = INFINITY, rebuilt = INFINITY;

  for (guint i = 0; i < 20; i++)
    {
      GtkSnapshot *snapshot = gtk_snapshot_new ();
      gint64 begin = g_get_monotonic_time ();

      klass->snapshot (GTK_WIDGET (map), snapshot);
      best = fmin (best, (double) (g_get_monotonic_time () - begin) / 1000.0);
      g_clear_pointer (&snapshot, g_object_unref);

      tare_format_map_set_cell (map, i, &(TareFormatCell) { .present = TRUE, .value = 3.0,
                                                            .label = "Q4_K" });
      snapshot = gtk_snapshot_new ();
      begin = g_get_monotonic_time ();
      klass->snapshot (GTK_WIDGET (map), snapshot);
      rebuilt = fmin (rebuilt, (double) (g_get_monotonic_time () - begin) / 1000.0);
      g_clear_pointer (&snapshot, g_object_unref);
    }

  g_test_message ("2048 cells: %.2f ms, %.2f ms after a change", best, rebuilt);
  g_test_minimized_result (best, "redraw of 2048 cells, ms: %.3f", best);
  g_assert_cmpfloat (best, <, 16.0);
  g_assert_cmpfloat (rebuilt, <, 100.0);

  gtk_window_destroy (window);
}

static void
test_accessible (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 420, 460);

  gtk_test_accessible_assert_role (map, GTK_ACCESSIBLE_ROLE_GRID);
  gtk_test_accessible_assert_property (map, GTK_ACCESSIBLE_PROPERTY_LABEL, "Format map");
  tare_format_map_set_cursor (map, at (3, 3));
  gtk_test_accessible_assert_property (map, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "2 · attn_output\n5 bits. "
                                       "0 cells selected, 8 blocks by 7 roles");

  finish (map, window);
}

/* Real buttons and keys: Control adds, Shift extends, a double click activates. */
static void
test_pointer (void)
{
  Heard heard;
  TareFormatMap *map = make_map (&heard);
  GtkWidget *widget = GTK_WIDGET (map);
  GtkWindow *window = widget_test_show (widget, 420, 460);
  static const struct
  {
    guint       row;
    guint       column;
    guint       modifier;
    const char *expected;
  } clicks[] = {
    { 2, 1, 0, "2.1" },
    { 4, 3, GDK_KEY_Control_L, "2.1 4.3" },
    { 2, 1, GDK_KEY_Control_L, "4.3" },
    { 3, 2, 0, "3.2" },
    { 4, 4, GDK_KEY_Shift_L, "3.2 3.3 3.4 4.2 4.3 4.4" },
  };

  if (!widget_test_has_input (widget))
    {
      g_test_skip ("no way to press real buttons");
      finish (map, window);
      return;
    }

  for (guint i = 0; i < G_N_ELEMENTS (clicks); i++)
    {
      double point[2];

      find_center (map, at (clicks[i].row, clicks[i].column), point);
      widget_test_point (widget, point[0], point[1]);
      if (clicks[i].modifier != 0)
        widget_test_modifier (widget, clicks[i].modifier, TRUE);
      widget_test_button (widget, 1, TRUE);
      widget_test_button (widget, 1, FALSE);
      if (clicks[i].modifier != 0)
        widget_test_modifier (widget, clicks[i].modifier, FALSE);
      assert_selection (map, clicks[i].expected);
    }
  g_assert_true (gtk_widget_has_focus (widget));

  finish (map, window);
}

static void
test_nothing (void)
{
  static const char *const none[] = { NULL };
  TareFormatMap *map = TARE_FORMAT_MAP (tare_format_map_new ());
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 200, 200);

  widget_test_settle (GTK_WIDGET (map));
  tare_format_map_set_shape (map, none, none, NULL);
  tare_format_map_set_cells (map, NULL, 0);
  tare_format_map_select_all (map);
  tare_format_map_set_scale (map, NAN, 1.0, NULL);
  widget_test_settle (GTK_WIDGET (map));
  g_assert_false (widget_test_press_key (GTK_WIDGET (map), GDK_KEY_Left, 0));
  widget_test_drag (GTK_WIDGET (map), (const double[1][2]) { { 50.0, 50.0 } }, 1);
  g_assert_cmpuint (tare_format_map_get_cell_at (map, 50, 50), ==, TARE_FORMAT_MAP_NO_CELL);

  finish (map, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/format-map/pixels", test_pixels);
  g_test_add_func ("/format-map/outline", test_outline);
  g_test_add_func ("/format-map/drag", test_drag);
  g_test_add_func ("/format-map/labels", test_labels);
  g_test_add_func ("/format-map/keys", test_keys);
  g_test_add_func ("/format-map/keys-choose", test_keys_choose);
  g_test_add_func ("/format-map/brush", test_brush);
  g_test_add_func ("/format-map/brush-cancelled", test_brush_cancelled);
  g_test_add_func ("/format-map/selection", test_selection);
  g_test_add_func ("/format-map/scrolled", test_scrolled);
  g_test_add_func ("/format-map/speed", test_speed);
  g_test_add_func ("/format-map/accessible", test_accessible);
  g_test_add_func ("/format-map/pointer", test_pointer);
  g_test_add_func ("/format-map/nothing", test_nothing);

  return g_test_run ();
}
