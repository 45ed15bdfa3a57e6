/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-compare-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "app/tare-text.h"

#define OF_MODELS (1u << TARE_COMPARE_KIND_MODELS)
#define OF_RECIPES (1u << TARE_COMPARE_KIND_RECIPES)
#define OF_BOTH (OF_MODELS | OF_RECIPES)

/**
 * Column:
 * @id: what it is called in tables that are copied
 * @title: its head
 * @definition: what it says
 * @kinds: of which sheets it is
 * @number: (nullable): what it sorts by and is copied as, for columns of numbers
 * @write: how it is shown
 * @explain: (nullable): its tooltip
 * @width: in characters; what the table has to spare goes to the first
 *
 * One column of the sheet.
 */
typedef struct
{
  const char *id;
  const char *title;
  const char *definition;
  guint       kinds;
  double    (*number)  (TareCompareRow *row);
  char     *(*write)   (TareCompareRow *row);
  char     *(*explain) (TareCompareRow *row);
  int         width;
} Column;

static double get_size_a     (TareCompareRow *row);
static double get_size_b     (TareCompareRow *row);
static double get_difference (TareCompareRow *row);
static double get_first      (TareCompareRow *row);
static double get_second     (TareCompareRow *row);
static char  *write_name     (TareCompareRow *row);
static char  *write_format_a (TareCompareRow *row);
static char  *write_format_b (TareCompareRow *row);
static char  *write_size_a   (TareCompareRow *row);
static char  *write_size_b   (TareCompareRow *row);
static char  *write_difference (TareCompareRow *row);
static char  *write_first    (TareCompareRow *row);
static char  *write_second   (TareCompareRow *row);
static char  *explain_size_a (TareCompareRow *row);
static char  *explain_size_b (TareCompareRow *row);
static char  *explain_figure (TareCompareRow *row);

static const Column columns[] = {
  { "tensor", N_("Tensor"),
    N_("Name of the tensor in GGUF; sorts in the order in which data flows"), OF_BOTH, NULL,
    write_name, NULL, 24 },
  { "format_a", N_("Format in A"), N_("What A stores it as"), OF_BOTH, NULL, write_format_a,
    write_format_a, 11 },
  { "format_b", N_("Format in B"), N_("What B stores it as"), OF_BOTH, NULL, write_format_b,
    write_format_b, 11 },
  { "size_a", N_("Size in A"), N_("Bytes in A"), OF_BOTH, get_size_a, write_size_a,
    explain_size_a, 9 },
  { "size_b", N_("Size in B"), N_("Bytes in B"), OF_BOTH, get_size_b, write_size_b,
    explain_size_b, 9 },
  { "difference", N_("Difference"), N_("Bytes in B less bytes in A"), OF_BOTH, get_difference,
    write_difference, NULL, 10 },
  { "relative_error", N_("Error"),
    N_("How far B is from A: mean over rows of squared difference / squared norm in A"),
    OF_MODELS, get_first, write_first, explain_figure, 10 },
  { "maximum_error", N_("Largest"), N_("The largest difference of one weight"), OF_MODELS,
    get_second, write_second, explain_figure, 10 },
  { "error_a", N_("Error by A"),
    N_("Relative error of rounding by A: mean over rows of squared error / squared norm"),
    OF_RECIPES, get_first, write_first, explain_figure, 10 },
  { "error_b", N_("Error by B"),
    N_("Relative error of rounding by B: mean over rows of squared error / squared norm"),
    OF_RECIPES, get_second, write_second, explain_figure, 10 },
};

static double
get_size (const TareCompareSide *side)
{
  return side->tensor != NULL ? (double) side->bytes : (double) NAN;
}

static double
get_size_a (TareCompareRow *row)
{
  return get_size (&row->sides[0]);
}

static double
get_size_b (TareCompareRow *row)
{
  return get_size (&row->sides[1]);
}

static double
get_difference (TareCompareRow *row)
{
  return get_size_b (row) - get_size_a (row);
}

static double
get_first (TareCompareRow *row)
{
  return row->figures[0];
}

static double
get_second (TareCompareRow *row)
{
  return row->figures[1];
}

static char *
write_name (TareCompareRow *row)
{
  return g_strdup (row->name);
}

static char *
write_format_a (TareCompareRow *row)
{
  return g_strdup (row->sides[0].tensor != NULL ? row->sides[0].format : _("only in B"));
}

static char *
write_format_b (TareCompareRow *row)
{
  return g_strdup (row->sides[1].tensor != NULL ? row->sides[1].format : _("only in A"));
}

static char *
write_size (const TareCompareSide *side)
{
  return side->tensor != NULL ? tare_text_bytes (side->bytes) : g_strdup (TARE_TEXT_UNKNOWN);
}

static char *
write_size_a (TareCompareRow *row)
{
  return write_size (&row->sides[0]);
}

static char *
write_size_b (TareCompareRow *row)
{
  return write_size (&row->sides[1]);
}

static char *
write_difference (TareCompareRow *row)
{
  double difference = get_difference (row);
  g_autofree char *size = NULL;

  if (isnan (difference))
    return g_strdup (TARE_TEXT_UNKNOWN);

  size = tare_text_bytes ((guint64) fabs (difference));

  return g_strconcat (difference < 0.0 ? "−" : difference > 0.0 ? "+" : "", size, NULL);
}

/* The first of two models is a relative error, the second the largest difference; of two recipes
 * both are errors. */
static char *
write_figure (TareCompareRow *row,
              double          figure,
              gboolean        error)
{
  if (row->pending)
    return g_strdup ("…");
  if (row->verdict != NULL)
    return g_strdup (row->verdict);

  return error ? tare_text_percent (figure) : tare_text_number (figure, 3);
}

static char *
write_first (TareCompareRow *row)
{
  return write_figure (row, row->figures[0], TRUE);
}

static char *
write_second (TareCompareRow *row)
{
  return row->verdict != NULL ? g_strdup (TARE_TEXT_UNKNOWN)
                              : write_figure (row, row->figures[1],
                                              row->kind == TARE_COMPARE_KIND_RECIPES);
}

static char *
explain_size (const TareCompareSide *side)
{
  return side->tensor != NULL ? tare_text_bytes_exact (side->bytes) : NULL;
}

static char *
explain_size_a (TareCompareRow *row)
{
  return explain_size (&row->sides[0]);
}

static char *
explain_size_b (TareCompareRow *row)
{
  return explain_size (&row->sides[1]);
}

static char *
explain_figure (TareCompareRow *row)
{
  return row->pending ? g_strdup (_("Not compared yet")) : g_strdup (row->note);
}

/* --- cells --- */

static void
show_cell (GtkListItem  *item,
           const Column *column)
{
  TareCompareRow *row = gtk_list_item_get_item (item);
  GtkWidget *label = gtk_list_item_get_child (item);
  g_autofree char *text = column->write (row);
  g_autofree char *tip = column->explain != NULL ? column->explain (row) : NULL;

  gtk_label_set_label (GTK_LABEL (label), text);
  gtk_widget_set_tooltip_text (label, column->write == write_name ? row->name : tip);
  if (_tare_compare_row_differs (row))
    gtk_widget_remove_css_class (label, "dim-label");
  else
    gtk_widget_add_css_class (label, "dim-label");
}

static void
row_changed_cb (TareCompareRow *row,
                GtkListItem    *item)
{
  show_cell (item, g_object_get_data (G_OBJECT (item), "tare-column"));
}

static void
setup_cb (GtkSignalListItemFactory *factory,
          GtkListItem              *item,
          gpointer                  data)
{
  const Column *column = data;
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), column->number != NULL ? 1.0f : 0.0f);
  gtk_label_set_ellipsize (GTK_LABEL (label), column->write == write_name
                                                ? PANGO_ELLIPSIZE_START
                                                : PANGO_ELLIPSIZE_END);
  /* Columns keep their widths while rows scroll by. */
  gtk_label_set_width_chars (GTK_LABEL (label), column->width);
  gtk_label_set_max_width_chars (GTK_LABEL (label), column->width);
  if (column->number != NULL)
    gtk_widget_add_css_class (label, "numeric");
  g_object_set_data (G_OBJECT (item), "tare-column", (gpointer) column);
  gtk_list_item_set_child (item, label);
}

static void
bind_cb (GtkSignalListItemFactory *factory,
         GtkListItem              *item,
         gpointer                  data)
{
  g_signal_connect (gtk_list_item_get_item (item), "changed", G_CALLBACK (row_changed_cb), item);
  show_cell (item, data);
}

static void
unbind_cb (GtkSignalListItemFactory *factory,
           GtkListItem              *item,
           gpointer                  data)
{
  g_signal_handlers_disconnect_by_func (gtk_list_item_get_item (item), row_changed_cb, item);
}

/* What is unknown comes after all that is known when the greatest come first. */
static int
compare_rows (gconstpointer a,
              gconstpointer b,
              gpointer      data)
{
  const Column *column = data;
  TareCompareRow *rows[2] = { (TareCompareRow *) a, (TareCompareRow *) b };
  double first;
  double second;

  if (column->write == write_name)
    return gtk_ordering_from_cmpfunc ((rows[0]->index > rows[1]->index)
                                      - (rows[0]->index < rows[1]->index));
  if (column->number == NULL)
    {
      g_autofree char *text = column->write (rows[0]);
      g_autofree char *other = column->write (rows[1]);

      return gtk_ordering_from_cmpfunc (g_utf8_collate (text, other));
    }

  first = column->number (rows[0]);
  second = column->number (rows[1]);
  if (isnan (first) || isnan (second))
    return gtk_ordering_from_cmpfunc (!isnan (first) - !isnan (second));

  return gtk_ordering_from_cmpfunc ((first > second) - (first < second));
}

static gboolean
is_of (const Column    *column,
       TareCompareKind  kind)
{
  return (column->kinds & (1u << kind)) != 0;
}

static GtkColumnViewColumn *
new_column (const Column *column)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_autoptr(GtkSorter) sorter = NULL;
  GtkColumnViewColumn *added;

  sorter = GTK_SORTER (gtk_custom_sorter_new (compare_rows, (gpointer) column, NULL));
  g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), (gpointer) column);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_cb), (gpointer) column);
  g_signal_connect (factory, "unbind", G_CALLBACK (unbind_cb), NULL);
  added = gtk_column_view_column_new (_(column->title), factory);
  gtk_column_view_column_set_resizable (added, TRUE);
  gtk_column_view_column_set_expand (added, column->write == write_name);
  gtk_column_view_column_set_sorter (added, sorter);

  return added;
}

/* (transfer full): a text in quotes where a table of commas needs them (RFC 4180) */
static char *
quote (const char *text)
{
  g_auto(GStrv) parts = NULL;
  g_autofree char *doubled = NULL;

  if (strpbrk (text, ",\"\r\n") == NULL)
    return g_strdup (text);

  parts = g_strsplit (text, "\"", -1);
  doubled = g_strjoinv ("\"\"", parts);

  return g_strdup_printf ("\"%s\"", doubled);
}

/* Numbers in full precision, nothing where there is none. */
static char *
dup_cell (const Column   *column,
          TareCompareRow *row)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  g_autofree char *text = NULL;

  if (column->number != NULL)
    return g_strdup (isnan (column->number (row))
                     ? "" : g_ascii_dtostr (number, sizeof number, column->number (row)));

  text = column->write (row);

  return quote (text);
}

static void
append_cells (GString         *text,
              TareCompareKind  kind,
              TareCompareRow  *row)
{
  for (gsize i = 0; i < G_N_ELEMENTS (columns); i++)
    if (is_of (&columns[i], kind))
      {
        g_autofree char *cell = row != NULL ? dup_cell (&columns[i], row)
                                            : g_strdup (columns[i].id);

        g_string_append_printf (text, "%s%s", i > 0 ? "," : "", cell);
      }
  g_string_append_c (text, '\n');
}

/* (transfer full): rows in their order as a table with a head and commas between columns */
char *
_tare_compare_columns_dup_csv (GListModel      *rows,
                               TareCompareKind  kind)
{
  GString *text = g_string_new (NULL);

  append_cells (text, kind, NULL);
  for (guint i = 0; i < g_list_model_get_n_items (rows); i++)
    {
      g_autoptr(TareCompareRow) row = g_list_model_get_item (rows, i);

      append_cells (text, kind, row);
    }

  return g_string_free (text, FALSE);
}

/* Heads stand over their numbers, with what they mean. */
static void
dress_head (GtkWidget    *title,
            const Column *column)
{
  GtkWidget *box = gtk_widget_get_first_child (title);

  gtk_widget_set_tooltip_text (title, _(column->definition));
  if (column->number != NULL && box != NULL)
    gtk_widget_set_halign (box, GTK_ALIGN_END);
}

/* All columns of one kind of sheet, into an empty table, sortable. */
void
_tare_compare_columns_add (GtkColumnView   *table,
                           TareCompareKind  kind)
{
  GtkWidget *head = gtk_widget_get_first_child (GTK_WIDGET (table));

  for (gsize i = 0; i < G_N_ELEMENTS (columns); i++)
    if (is_of (&columns[i], kind))
      {
        g_autoptr(GtkColumnViewColumn) column = new_column (&columns[i]);

        gtk_column_view_append_column (table, column);
        dress_head (gtk_widget_get_last_child (head), &columns[i]);
      }
}
