/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-layers-page-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "app/tare-text.h"

/* Characters of a name that are shown where there is room. */
#define NAME_WIDTH 36

/**
 * Column:
 * @property: of #TareLayer, told of when it changes
 * @title: its head
 * @definition: what the figure is
 * @number: (nullable): what it sorts by and is copied as, for columns of numbers
 * @write: (nullable): how it is shown, where that is not the property itself
 * @width: in characters, at the least
 * @at_reference: whether it is of the session's reference format, which the head then names
 *
 * One column of the table.
 */
typedef struct
{
  const char *property;
  const char *title;
  const char *definition;
  double    (*number) (TareLayer *layer);
  char     *(*write)  (TareLayer *layer);
  int         width;
  gboolean    at_reference;
} Column;

static double get_order   (TareLayer *layer);
static double get_size    (TareLayer *layer);
static double get_weights (TareLayer *layer);
static char  *write_name  (TareLayer *layer);
static char  *write_size  (TareLayer *layer);
static char  *write_bits  (TareLayer *layer);
static char  *write_outliers    (TareLayer *layer);
static char  *write_error       (TareLayer *layer);
static char  *write_sensitivity (TareLayer *layer);

static const Column columns[] = {
  { "name", N_("Name"), N_("Name of the tensor in GGUF; sorts in the order in which data flows"),
    get_order, write_name, 15 },
  { "format", N_("Format"), N_("What the recipe stores it as, after any fallback"), NULL, NULL,
    9 },
  { "bits", N_("Bits"), N_("Bits per weight under the recipe, scales and all"),
    tare_layer_get_bits, write_bits, 5 },
  { "size", N_("Size"), N_("Bytes under the recipe"), get_size, write_size, 9 },
  { "outliers", N_("Outliers"),
    N_("Share of weights more than 6 standard deviations from the mean"),
    tare_layer_get_outliers, write_outliers, 8 },
  { "error", N_("Error"),
    N_("Relative error of rounding: mean over rows of squared error / squared norm"),
    tare_layer_get_error, write_error, 7 },
  { "sensitivity", N_("Loss"),
    N_("Sensitivity: proxy loss tr(ΔW H ΔWᵀ) in the reference format, which is the same for all "
       "layers so that they can be compared, H from calibration (GPTQ, 2210.17323)"),
    tare_layer_get_sensitivity, write_sensitivity, 9, TRUE },
  { "shape", N_("Shape"), N_("Rows × columns; a row is what one output is computed from"),
    get_weights, NULL, 10 },
  { "kind", N_("Type"), N_("What the source stores it as"), NULL, NULL, 5 },
  { "role", N_("Role"), N_("What it does in the network"), NULL, NULL, 11 },
};

static double
get_order (TareLayer *layer)
{
  return (double) tare_layer_get_index (layer);
}

static double
get_size (TareLayer *layer)
{
  return (double) tare_layer_get_size (layer);
}

static double
get_weights (TareLayer *layer)
{
  return (double) tare_tensor_get_n_weights (tare_layer_get_tensor (layer));
}

static gboolean
is_figure (const Column *column)
{
  return column->write != NULL && column->write != write_name;
}

/* Nearly all of them end in ".weight", which says nothing here. */
static char *
write_name (TareLayer *layer)
{
  const char *canonical = tare_layer_get_tensor (layer)->canonical;
  gsize length = strlen (canonical);

  return g_strndup (canonical, g_str_has_suffix (canonical, ".weight") ? length - 7 : length);
}

static char *
write_size (TareLayer *layer)
{
  return tare_text_bytes (tare_layer_get_size (layer));
}

static char *
write_bits (TareLayer *layer)
{
  return tare_text_bits (tare_layer_get_bits (layer));
}

static char *
write_outliers (TareLayer *layer)
{
  return tare_text_percent (tare_layer_get_outliers (layer));
}

static char *
write_error (TareLayer *layer)
{
  return tare_text_percent (tare_layer_get_error (layer));
}

static char *
write_sensitivity (TareLayer *layer)
{
  return tare_text_number (tare_layer_get_sensitivity (layer), 4);
}

static char *
dup_text (TareLayer  *layer,
          const char *property)
{
  char *text = NULL;

  g_object_get (layer, property, &text, NULL);

  return text;
}

static void
show_cell (GtkListItem  *item,
           const Column *column)
{
  TareLayer *layer = gtk_list_item_get_item (item);
  GtkWidget *label = gtk_list_item_get_child (item);
  g_autofree char *text = column->write != NULL ? column->write (layer)
                                                : dup_text (layer, column->property);

  g_autofree char *whole = is_figure (column) ? NULL : dup_text (layer, column->property);

  gtk_label_set_label (GTK_LABEL (label), text);
  if (column->write == write_size)
    {
      g_autofree char *exact = tare_text_bytes_exact (tare_layer_get_size (layer));

      gtk_widget_set_tooltip_text (label, exact);
    }
  else
    {
      gtk_widget_set_tooltip_text (label, is_figure (column) ? NULL : whole);
    }
}

static void
layer_notify_cb (TareLayer   *layer,
                 GParamSpec  *pspec,
                 GtkListItem *item)
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

  gtk_label_set_xalign (GTK_LABEL (label), is_figure (column) ? 1.0f : 0.0f);
  /* Columns keep their widths while rows scroll by, and widen with the text. */
  gtk_label_set_width_chars (GTK_LABEL (label), column->width);
  /* Only a name may be cut: its end tells most, and the number of its block stands there too.
   * Formats and figures that are cut are taken for others. */
  if (column->write == write_name)
    {
      gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_START);
      gtk_label_set_max_width_chars (GTK_LABEL (label), NAME_WIDTH);
    }
  if (is_figure (column))
    gtk_widget_add_css_class (label, "numeric");
  g_object_set_data (G_OBJECT (item), "tare-column", (gpointer) column);
  g_object_set_data (G_OBJECT (label), "tare-item", item);
  gtk_list_item_set_child (item, label);
}

static void
bind_cb (GtkSignalListItemFactory *factory,
         GtkListItem              *item,
         gpointer                  data)
{
  const Column *column = data;
  g_autofree char *detail = g_strconcat ("notify::", column->property, NULL);

  g_signal_connect (gtk_list_item_get_item (item), detail, G_CALLBACK (layer_notify_cb), item);
  show_cell (item, column);
}

static void
unbind_cb (GtkSignalListItemFactory *factory,
           GtkListItem              *item,
           gpointer                  data)
{
  g_signal_handlers_disconnect_by_func (gtk_list_item_get_item (item), layer_notify_cb, item);
}

/* What is unknown comes after all that is known when the greatest come first. */
static int
compare_numbers (gconstpointer a,
                 gconstpointer b,
                 gpointer      data)
{
  const Column *column = data;
  double first = column->number ((TareLayer *) a);
  double second = column->number ((TareLayer *) b);

  if (isnan (first) || isnan (second))
    return gtk_ordering_from_cmpfunc (!isnan (first) - !isnan (second));

  return gtk_ordering_from_cmpfunc ((first > second) - (first < second));
}

static GtkSorter *
new_sorter (const Column *column)
{
  if (column->number != NULL)
    return GTK_SORTER (gtk_custom_sorter_new (compare_numbers, (gpointer) column, NULL));

  return GTK_SORTER (gtk_string_sorter_new (gtk_property_expression_new (TARE_TYPE_LAYER, NULL,
                                                                         column->property)));
}

gsize
_tare_layers_column_get_n_columns (void)
{
  return G_N_ELEMENTS (columns);
}

/* Its name in tables that are copied, a property of #TareLayer. */
const char *
_tare_layers_column_get_property (gsize index)
{
  return columns[index].property;
}

/* One sentence on what it shows. */
const char *
_tare_layers_column_get_definition (gsize index)
{
  return _(columns[index].definition);
}

/* (transfer full): what stands at its head */
char *
_tare_layers_column_dup_title (gsize        index,
                               TareSession *session)
{
  const Column *column = &columns[index];

  if (!column->at_reference)
    return g_strdup (_(column->title));

  /* translators: the head of a narrow column: a figure, and the format that it is of */
  return g_strdup_printf (_("%s, %s"), _(column->title),
                          tare_session_get_reference (session)->label);
}

gboolean
_tare_layers_column_is_number (gsize index)
{
  return is_figure (&columns[index]);
}

/* (transfer full): the column for a view, sortable */
GtkColumnViewColumn *
_tare_layers_column_new (gsize index)
{
  const Column *column = &columns[index];
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_autoptr(GtkSorter) sorter = new_sorter (column);
  GtkColumnViewColumn *added;

  g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), (gpointer) column);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_cb), (gpointer) column);
  g_signal_connect (factory, "unbind", G_CALLBACK (unbind_cb), (gpointer) column);
  added = gtk_column_view_column_new (_(column->title), factory);
  gtk_column_view_column_set_resizable (added, TRUE);
  /* What is to spare stands after the last, so that what belongs together stays together. */
  gtk_column_view_column_set_expand (added, index == G_N_ELEMENTS (columns) - 1);
  gtk_column_view_column_set_sorter (added, sorter);

  return added;
}

/* What a label in a row belongs to; %NULL for other widgets. */
GtkListItem *
_tare_layers_column_get_item (GtkWidget *label)
{
  return g_object_get_data (G_OBJECT (label), "tare-item");
}

/* (transfer full): what a column says of a layer, numbers in full precision */
char *
_tare_layers_column_dup_text (gsize      index,
                              TareLayer *layer)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  if (!is_figure (&columns[index]))
    return dup_text (layer, columns[index].property);

  return g_strdup (g_ascii_dtostr (number, sizeof number, columns[index].number (layer)));
}
