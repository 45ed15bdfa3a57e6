/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/widget-test.h"

#include "widgets/tare-format-map.h"

#define N_COLUMNS 3
#define N_ROWS    6

/* The sections, from below: rows 0 and 1, rows 2 and 3, rows 4 and 5. */
static const guint breaks[] = { 1, 3 };
static const char *const names[] = { "cache", "inputs" };

static TareFormatMap *
make_map (void)
{
  static const char *const rows[] = { "0", "1", "0", "1", "0", "1", NULL };
  static const char *const columns[] = { "q", "k", "v", NULL };
  TareFormatMap *map = TARE_FORMAT_MAP (tare_format_map_new ());
  TareFormatCell cells[N_ROWS * N_COLUMNS];

  for (guint i = 0; i < N_ROWS * N_COLUMNS; i++)
    cells[i] = (TareFormatCell) { .present = TRUE, .value = 4.0, .label = "4.5" };
  tare_format_map_set_shape (map, rows, columns, NULL);
  tare_format_map_set_row_breaks (map, breaks, names, G_N_ELEMENTS (breaks));
  tare_format_map_set_scale (map, 2.0, 16.0, "bits");
  tare_format_map_set_cells (map, cells, G_N_ELEMENTS (cells));

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
assert_selection (TareFormatMap *map,
                  const char    *expected)
{
  g_autoptr(GString) text = g_string_new (NULL);
  g_autofree guint *cells = NULL;
  guint n;

  cells = tare_format_map_dup_selection (map, &n);
  for (guint i = 0; i < n; i++)
    g_string_append_printf (text, "%s%u.%u", i > 0 ? " " : "", cells[i] / N_COLUMNS,
                            cells[i] % N_COLUMNS);
  g_assert_cmpstr (text->str, ==, expected);
}

/* Every pixel down the first column belongs to the row that is drawn there, and to none between
 * two sections. */
static void
test_geometry (void)
{
  TareFormatMap *map = make_map ();
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 300, 420);
  GdkRectangle areas[N_ROWS];
  guint first, last, n_gaps = 0;

  for (guint row = 0; row < N_ROWS; row++)
    g_assert_true (tare_format_map_get_cell_area (map, at (row, 0), &areas[row]));
  for (guint row = 1; row < N_ROWS; row++)
    {
      int gap = areas[row - 1].y - areas[row].y - areas[row].height;
      gboolean parted = row == breaks[0] + 1 || row == breaks[1] + 1;

      g_assert_true (parted ? gap > 10 : gap == 0);
    }

  for (int y = areas[N_ROWS - 1].y; y < areas[0].y + areas[0].height; y++)
    {
      guint cell = tare_format_map_get_cell_at (map, areas[0].x + 3.0, y);
      guint row = cell / N_COLUMNS;

      if (cell == TARE_FORMAT_MAP_NO_CELL)
        n_gaps++;
      else
        g_assert_true (y >= areas[row].y && y < areas[row].y + areas[row].height);
    }
  g_assert_cmpuint (n_gaps, ==, (guint) (areas[0].y + areas[0].height - areas[N_ROWS - 1].y
                                         - N_ROWS * areas[0].height));

  tare_format_map_get_section (map, 2, &first, &last);
  g_assert_cmpuint (first, ==, 2);
  g_assert_cmpuint (last, ==, 3);
  tare_format_map_get_section (map, 5, &first, &last);
  g_assert_cmpuint (first, ==, 4);
  g_assert_cmpuint (last, ==, 5);

  finish (map, window);
}

/* The name of a section stands in the gap over it. */
static void
test_names (void)
{
  TareFormatMap *map = make_map ();
  GtkWindow *window = widget_test_show (GTK_WIDGET (map), 300, 420);
  g_autoptr(WidgetPixels) named = widget_test_render (GTK_WIDGET (map));
  g_autoptr(WidgetPixels) other = NULL;
  static const char *const others[] = { "cache", "" };
  GdkRectangle above, below;
  guint n[2] = { 0, 0 };

  tare_format_map_set_row_breaks (map, breaks, others, G_N_ELEMENTS (breaks));
  widget_test_settle (GTK_WIDGET (map));
  other = widget_test_render (GTK_WIDGET (map));
  g_assert_true (tare_format_map_get_cell_area (map, at (4, 0), &above));
  g_assert_true (tare_format_map_get_cell_area (map, at (3, 0), &below));
  for (int y = 0; y < named->height; y++)
    for (int x = 0; x < named->width; x++)
      if (widget_pixels_get (named, x, y) != widget_pixels_get (other, x, y))
        n[y >= above.y + above.height && y < below.y]++;
  g_assert_cmpuint (n[TRUE], >, 30);
  g_assert_cmpuint (n[FALSE], ==, 0);

  finish (map, window);
}

static void
painted_cb (TareFormatMap *map,
            const guint   *cells,
            guint          n,
            GArray        *all)
{
  g_array_append_vals (all, cells, n);
}

/* Drags, strokes and keys stay within the section where they began. */
static void
test_sections (void)
{
  TareFormatMap *map = make_map ();
  GtkWidget *widget = GTK_WIDGET (map);
  GtkWindow *window = widget_test_show (widget, 300, 420);
  g_autoptr(GArray) painted = g_array_new (FALSE, FALSE, sizeof (guint));
  double points[2][2];

  find_center (map, at (3, 0), points[0]);
  find_center (map, at (0, 1), points[1]);
  widget_test_drag (widget, (const double (*)[2]) points, 2);
  assert_selection (map, "2.0 2.1 3.0 3.1");
  g_assert_true (widget_test_press_key (widget, GDK_KEY_a, GDK_CONTROL_MASK));
  g_assert_cmpuint (tare_format_map_get_cursor (map) / N_COLUMNS, <=, 3);

  /* Down from the last row of one to the first of the next. */
  tare_format_map_set_cursor (map, at (4, 2));
  g_assert_true (widget_test_press_key (widget, GDK_KEY_Down, 0));
  assert_selection (map, "3.2");
  g_assert_true (widget_test_press_key (widget, GDK_KEY_a, GDK_CONTROL_MASK));
  assert_selection (map, "2.0 2.1 2.2 3.0 3.1 3.2");
  g_assert_true (widget_test_press_key (widget, GDK_KEY_Down, GDK_SHIFT_MASK));

  g_signal_connect (map, "painted", G_CALLBACK (painted_cb), painted);
  tare_format_map_set_brush (map, TRUE);
  find_center (map, at (4, 1), points[0]);
  find_center (map, at (1, 1), points[1]);
  widget_test_drag (widget, (const double (*)[2]) points, 2);
  g_assert_cmpuint (painted->len, ==, 1);
  g_assert_cmpuint (g_array_index (painted, guint, 0), ==, at (4, 1));

  finish (map, window);
}

/* With a real pointer: a label's column, and Control adds only within a section. */
static void
test_buttons (void)
{
  TareFormatMap *map = make_map ();
  GtkWidget *widget = GTK_WIDGET (map);
  GtkWindow *window = widget_test_show (widget, 300, 420);
  static const struct
  {
    guint       row;
    guint       column;
    gboolean    label;
    guint       modifier;
    const char *expected;
  } clicks[] = {
    { 2, 1, FALSE, 0, "2.1" },
    { 3, 2, FALSE, GDK_KEY_Control_L, "2.1 3.2" },
    { 0, 0, FALSE, GDK_KEY_Control_L, "0.0" },
    { 5, 2, FALSE, GDK_KEY_Shift_L, "0.0 0.1 0.2 1.0 1.1 1.2" },
    { 5, 1, TRUE, 0, "4.1 5.1" },
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
      widget_test_point (widget, point[0], clicks[i].label ? 4.0 : point[1]);
      if (clicks[i].modifier != 0)
        widget_test_modifier (widget, clicks[i].modifier, TRUE);
      widget_test_button (widget, 1, TRUE);
      widget_test_button (widget, 1, FALSE);
      if (clicks[i].modifier != 0)
        widget_test_modifier (widget, clicks[i].modifier, FALSE);
      assert_selection (map, clicks[i].expected);
    }

  finish (map, window);
}

/* What stands in no column takes its whole row, and goes with no label of a column. */
static void
test_wide (void)
{
  static const guint wide[] = { 4 };
  TareFormatMap *map = make_map ();
  GtkWidget *widget = GTK_WIDGET (map);
  GtkWindow *window = widget_test_show (widget, 300, 420);
  TareFormatCell absent = { .present = FALSE };
  GdkRectangle areas[2];
  double point[2];

  for (guint column = 1; column < N_COLUMNS; column++)
    tare_format_map_set_cell (map, at (4, column), &absent);
  tare_format_map_set_wide_rows (map, wide, G_N_ELEMENTS (wide));
  widget_test_settle (widget);
  g_assert_true (tare_format_map_get_cell_area (map, at (4, 0), &areas[0]));
  g_assert_true (tare_format_map_get_cell_area (map, at (5, 2), &areas[1]));
  g_assert_cmpint (areas[0].width, ==, N_COLUMNS * areas[1].width);
  g_assert_cmpuint (tare_format_map_get_cell_at (map, areas[1].x + 3.0, areas[0].y + 3.0), ==,
                    at (4, 0));
  g_assert_cmpuint (tare_format_map_get_cell_at (map, areas[1].x + 3.0, areas[1].y + 3.0), ==,
                    at (5, 2));

  if (widget_test_has_input (widget))
    {
      find_center (map, at (5, 0), point);
      widget_test_point (widget, point[0], 4.0);
      widget_test_button (widget, 1, TRUE);
      widget_test_button (widget, 1, FALSE);
      assert_selection (map, "5.0");
    }

  /* A new shape has none. */
  tare_format_map_set_shape (map, (const char *const[]) { "0", NULL },
                             (const char *const[]) { "q", "k", NULL }, NULL);
  tare_format_map_set_cells (map, (TareFormatCell[]) { { .present = TRUE }, { .present = TRUE } },
                             2);
  widget_test_settle (widget);
  g_assert_true (tare_format_map_get_cell_area (map, 0, &areas[0]));
  g_assert_true (tare_format_map_get_cell_area (map, 1, &areas[1]));
  g_assert_cmpint (areas[0].width, ==, areas[1].width);

  finish (map, window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/format-map-rows/geometry", test_geometry);
  g_test_add_func ("/format-map-rows/names", test_names);
  g_test_add_func ("/format-map-rows/sections", test_sections);
  g_test_add_func ("/format-map-rows/buttons", test_buttons);
  g_test_add_func ("/format-map-rows/wide", test_wide);

  return g_test_run ();
}
