/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-table.h"

#include <string.h>

/**
 * TareTableRow:
 *
 * One line of a table.
 */
struct _TareTableRow
{
  GObject   parent_instance;

  char    **cells;
};

G_DEFINE_FINAL_TYPE (TareTableRow, tare_table_row, G_TYPE_OBJECT)

/**
 * TareTable:
 *
 * Comma-separated values as a list of rows, which are made when they are looked at, so that a
 * table of a million lines opens at once.
 */
struct _TareTable
{
  GObject   parent_instance;

  char     *csv;
  GArray   *lines;    /* of gsize: where each begins, and the end */
  char    **heading;
};

static void list_model_init (GListModelInterface *interface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TareTable, tare_table, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

static void
tare_table_row_finalize (GObject *object)
{
  g_strfreev (((TareTableRow *) object)->cells);

  G_OBJECT_CLASS (tare_table_row_parent_class)->finalize (object);
}

static void
tare_table_row_class_init (TareTableRowClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = tare_table_row_finalize;
}

static void
tare_table_row_init (TareTableRow *self)
{
}

/* One cell, from its first letter to before the comma or the end; moves behind these. */
static char *
read_cell (const char **text,
           const char  *end)
{
  GString *cell = g_string_new (NULL);
  gboolean quoted = *text < end && **text == '"';
  const char *c = *text + (quoted ? 1 : 0);

  for (; c < end; c++)
    {
      if (quoted && *c == '"' && c + 1 < end && c[1] == '"')
        c++;
      else if (quoted && *c == '"')
        {
          quoted = FALSE;
          continue;
        }
      else if (!quoted && (*c == ',' || *c == '\r'))
        break;
      g_string_append_c (cell, *c);
    }
  *text = c + 1;

  return g_string_free (cell, FALSE);
}

/* The cells of a line; RFC 4180. */
static char **
read_line (const char *text,
           const char *end)
{
  g_autoptr(GPtrArray) cells = g_ptr_array_new ();

  do
    g_ptr_array_add (cells, read_cell (&text, end));
  while (text <= end);
  g_ptr_array_add (cells, NULL);

  return (char **) g_ptr_array_free (g_steal_pointer (&cells), FALSE);
}

static void
find_lines (TareTable *self)
{
  gboolean quoted = FALSE;
  gsize begin = 0, i;

  for (i = 0; self->csv[i] != '\0'; i++)
    {
      if (self->csv[i] == '"')
        quoted = !quoted;
      if (self->csv[i] != '\n' || quoted)
        continue;
      g_array_append_val (self->lines, begin);
      begin = i + 1;
    }
  if (begin < i)
    {
      g_array_append_val (self->lines, begin);
      begin = i + 1;
    }
  g_array_append_val (self->lines, begin);
}

static char **
get_line (TareTable *self,
          guint      line)
{
  gsize begin = g_array_index (self->lines, gsize, line);
  gsize end = g_array_index (self->lines, gsize, line + 1) - 1;

  return read_line (self->csv + begin, self->csv + end);
}

static GType
get_item_type (GListModel *model)
{
  return TARE_TYPE_TABLE_ROW;
}

/* The first line is the heading. */
static guint
get_n_items (GListModel *model)
{
  TareTable *self = (TareTable *) model;

  return self->lines->len > 2 ? self->lines->len - 2 : 0;
}

static gpointer
get_item (GListModel *model,
          guint       position)
{
  TareTableRow *row;

  if (position >= get_n_items (model))
    return NULL;

  row = g_object_new (TARE_TYPE_TABLE_ROW, NULL);
  row->cells = get_line ((TareTable *) model, position + 1);

  return row;
}

static void
list_model_init (GListModelInterface *interface)
{
  interface->get_item_type = get_item_type;
  interface->get_n_items = get_n_items;
  interface->get_item = get_item;
}

static void
tare_table_finalize (GObject *object)
{
  TareTable *self = (TareTable *) object;

  g_free (self->csv);
  g_array_unref (self->lines);
  g_strfreev (self->heading);

  G_OBJECT_CLASS (tare_table_parent_class)->finalize (object);
}

static void
tare_table_class_init (TareTableClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = tare_table_finalize;
}

static void
tare_table_init (TareTable *self)
{
  self->lines = g_array_new (FALSE, FALSE, sizeof (gsize));
}

static void
setup_cb (GtkSignalListItemFactory *factory,
          GtkListItem              *item,
          gpointer                  column)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0.0f);
  gtk_label_set_selectable (GTK_LABEL (label), TRUE);
  gtk_widget_add_css_class (label, "numeric");
  gtk_list_item_set_child (item, label);
}

static void
bind_cb (GtkSignalListItemFactory *factory,
         GtkListItem              *item,
         gpointer                  column)
{
  gtk_label_set_text (GTK_LABEL (gtk_list_item_get_child (item)),
                      tare_table_row_get_cell (gtk_list_item_get_item (item),
                                               GPOINTER_TO_UINT (column)));
}

/**
 * tare_table_new:
 * @csv: lines of comma-separated values, the heading first
 *
 * Returns: (transfer full): a #GListModel of #TareTableRow
 */
TareTable *
tare_table_new (const char *csv)
{
  TareTable *self = g_object_new (TARE_TYPE_TABLE, NULL);

  self->csv = g_strdup (csv);
  find_lines (self);
  self->heading = self->lines->len > 1 ? get_line (self, 0) : g_new0 (char *, 1);

  return self;
}

/**
 * tare_table_get_heading:
 * @self: the table
 *
 * Returns: (transfer none): the names of its columns
 */
const char *const *
tare_table_get_heading (TareTable *self)
{
  g_return_val_if_fail (TARE_IS_TABLE (self), NULL);

  return (const char *const *) self->heading;
}

/**
 * tare_table_create_view:
 * @self: the table
 *
 * Returns: (transfer floating): what shows it, within bars to scroll it by
 */
GtkWidget *
tare_table_create_view (TareTable *self)
{
  GtkSelectionModel *selection;
  GtkWidget *view, *window;

  g_return_val_if_fail (TARE_IS_TABLE (self), NULL);

  selection = GTK_SELECTION_MODEL (gtk_single_selection_new (G_LIST_MODEL (g_object_ref (self))));
  view = gtk_column_view_new (selection);
  for (guint i = 0; self->heading[i] != NULL; i++)
    {
      GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
      g_autoptr(GtkColumnViewColumn) column = NULL;

      g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), GUINT_TO_POINTER (i));
      g_signal_connect (factory, "bind", G_CALLBACK (bind_cb), GUINT_TO_POINTER (i));
      column = gtk_column_view_column_new (self->heading[i], factory);
      gtk_column_view_column_set_resizable (column, TRUE);
      gtk_column_view_column_set_expand (column, TRUE);
      gtk_column_view_append_column (GTK_COLUMN_VIEW (view), column);
    }
  gtk_column_view_set_show_column_separators (GTK_COLUMN_VIEW (view), TRUE);
  gtk_widget_add_css_class (view, "data-table");

  window = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (window), view);
  gtk_widget_set_vexpand (window, TRUE);

  return window;
}

/**
 * tare_table_row_get_cell:
 * @self: a row
 * @column: which of its cells
 *
 * Returns: (transfer none): its text, empty where the line is shorter
 */
const char *
tare_table_row_get_cell (TareTableRow *self,
                         guint         column)
{
  g_return_val_if_fail (TARE_IS_TABLE_ROW (self), "");

  return column < g_strv_length (self->cells) ? self->cells[column] : "";
}
