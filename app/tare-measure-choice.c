/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A list that one of the measures of the table is chosen from, the cheap before the dear. */
#include "app/tare-measure-choice.h"

#include <glib/gi18n.h>

/* Wider names than this make room for others by being cut. */
#define WIDEST 24

/* The measure at a place of the list. */
static const TareMeasure *
get_nth (guint position)
{
  gsize n = tare_measure_get_n_measures ();

  for (guint cost = 0; cost <= TARE_MEASURE_COST_HESSIAN; cost++)
    for (gsize i = 0; i < n; i++)
      if (tare_measure_get (i)->cost == cost && position-- == 0)
        return tare_measure_get (i);

  return NULL;
}

static const TareMeasure *
find_by_label (const char *label)
{
  gsize n = tare_measure_get_n_measures ();

  for (gsize i = 0; i < n; i++)
    if (g_str_equal (_(tare_measure_get (i)->label), label))
      return tare_measure_get (i);

  return NULL;
}

static GtkLabel *
add_label (GtkBox     *box,
           const char *class)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0.0f);
  if (class != NULL)
    {
      gtk_widget_add_css_class (label, class);
      gtk_widget_add_css_class (label, "dim-label");
    }
  gtk_box_append (box, label);

  return GTK_LABEL (label);
}

static void
set_up_row_cb (GtkSignalListItemFactory *factory,
               GtkListItem              *item)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);

  add_label (GTK_BOX (box), NULL);
  add_label (GTK_BOX (box), "caption");
  gtk_list_item_set_child (item, box);
}

static void
bind_row_cb (GtkSignalListItemFactory *factory,
             GtkListItem              *item)
{
  GtkStringObject *string = gtk_list_item_get_item (item);
  const TareMeasure *measure = find_by_label (gtk_string_object_get_string (string));
  GtkWidget *box = gtk_list_item_get_child (item);
  g_autofree char *description = tare_measure_choice_describe (measure);

  gtk_label_set_label (GTK_LABEL (gtk_widget_get_first_child (box)), _(measure->label));
  gtk_label_set_label (GTK_LABEL (gtk_widget_get_last_child (box)),
                       _(tare_measure_cost_get_label (measure->cost)));
  gtk_widget_set_tooltip_text (box, description);
}

static void
set_up_button_cb (GtkSignalListItemFactory *factory,
                  GtkListItem              *item)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0.0f);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_label_set_max_width_chars (GTK_LABEL (label), WIDEST);
  gtk_list_item_set_child (item, label);
}

static void
bind_button_cb (GtkSignalListItemFactory *factory,
                GtkListItem              *item)
{
  GtkStringObject *string = gtk_list_item_get_item (item);

  gtk_label_set_label (GTK_LABEL (gtk_list_item_get_child (item)),
                       gtk_string_object_get_string (string));
}

/**
 * tare_measure_choice_set_up:
 * @drop: a list
 *
 * Fills it with the measures of the table, grouped by what they cost.
 */
void
tare_measure_choice_set_up (GtkDropDown *drop)
{
  g_autoptr(GtkStringList) labels = gtk_string_list_new (NULL);
  g_autoptr(GtkListItemFactory) rows = gtk_signal_list_item_factory_new ();
  g_autoptr(GtkListItemFactory) button = gtk_signal_list_item_factory_new ();
  g_autoptr(GtkExpression) expression =
    gtk_property_expression_new (GTK_TYPE_STRING_OBJECT, NULL, "string");
  gsize n = tare_measure_get_n_measures ();

  g_return_if_fail (GTK_IS_DROP_DOWN (drop));

  for (guint i = 0; i < n; i++)
    gtk_string_list_append (labels, _(get_nth (i)->label));
  g_signal_connect (rows, "setup", G_CALLBACK (set_up_row_cb), NULL);
  g_signal_connect (rows, "bind", G_CALLBACK (bind_row_cb), NULL);
  g_signal_connect (button, "setup", G_CALLBACK (set_up_button_cb), NULL);
  g_signal_connect (button, "bind", G_CALLBACK (bind_button_cb), NULL);
  gtk_drop_down_set_expression (drop, expression);
  gtk_drop_down_set_enable_search (drop, TRUE);
  gtk_drop_down_set_factory (drop, button);
  gtk_drop_down_set_list_factory (drop, rows);
  gtk_drop_down_set_model (drop, G_LIST_MODEL (labels));
}

/**
 * tare_measure_choice_get:
 * @drop: a list that was set up
 *
 * Returns: (transfer none) (nullable): the measure that is chosen
 */
const TareMeasure *
tare_measure_choice_get (GtkDropDown *drop)
{
  guint selected = gtk_drop_down_get_selected (drop);

  return selected != GTK_INVALID_LIST_POSITION ? get_nth (selected) : NULL;
}

/**
 * tare_measure_choice_set:
 * @drop: a list that was set up
 * @measure: of the table
 */
void
tare_measure_choice_set (GtkDropDown       *drop,
                         const TareMeasure *measure)
{
  gsize n = tare_measure_get_n_measures ();

  for (guint i = 0; i < n; i++)
    if (get_nth (i) == measure)
      gtk_drop_down_set_selected (drop, i);
}

/**
 * tare_measure_choice_describe:
 * @measure: of the table
 *
 * Returns: (transfer full): what it is, its unit and its source
 */
char *
tare_measure_choice_describe (const TareMeasure *measure)
{
  if (*measure->unit == '\0')
    return g_strdup_printf ("%s (%s)", _(measure->definition), measure->source);

  /* translators: what a measure is, its unit and who defined it */
  return g_strdup_printf (_("%s In %s. (%s)"), _(measure->definition), measure->unit,
                          measure->source);
}
