/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-inspector-choice.h"

#include <glib/gi18n.h>

struct _TareInspectorChoice
{
  GObject        parent_instance;

  char          *label;
  char          *detail;
  char          *note;
  char          *heading;
  gconstpointer  row;
};

enum
{
  PROP_0,
  PROP_LABEL,
  N_PROPS,
};

G_DEFINE_FINAL_TYPE (TareInspectorChoice, tare_inspector_choice, G_TYPE_OBJECT)

static GParamSpec *properties[N_PROPS];

static void
tare_inspector_choice_finalize (GObject *object)
{
  TareInspectorChoice *self = (TareInspectorChoice *) object;

  g_clear_pointer (&self->label, g_free);
  g_clear_pointer (&self->detail, g_free);
  g_clear_pointer (&self->note, g_free);
  g_clear_pointer (&self->heading, g_free);

  G_OBJECT_CLASS (tare_inspector_choice_parent_class)->finalize (object);
}

static void
tare_inspector_choice_get_property (GObject    *object,
                                    guint       prop_id,
                                    GValue     *value,
                                    GParamSpec *pspec)
{
  TareInspectorChoice *self = (TareInspectorChoice *) object;

  switch (prop_id)
    {
    case PROP_LABEL:
      g_value_set_string (value, self->label);
      break;

    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
tare_inspector_choice_class_init (TareInspectorChoiceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = tare_inspector_choice_finalize;
  object_class->get_property = tare_inspector_choice_get_property;

  properties[PROP_LABEL] =
    g_param_spec_string ("label", NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
tare_inspector_choice_init (TareInspectorChoice *self)
{
}

/* --- rows in the open picker --- */

static GtkWidget *
new_label (const char *style)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0.0f);
  if (style != NULL)
    gtk_widget_add_css_class (label, style);

  return label;
}

static void
setup_cb (GtkSignalListItemFactory *factory,
          GtkListItem              *item)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  GtkWidget *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  GtkWidget *heading = new_label ("heading");
  GtkWidget *label = new_label (NULL);
  GtkWidget *detail = new_label ("dim-label");
  GtkWidget *note = new_label ("caption");

  gtk_widget_set_hexpand (label, TRUE);
  gtk_widget_add_css_class (detail, "numeric");
  gtk_widget_add_css_class (note, "warning");
  gtk_box_append (GTK_BOX (line), label);
  gtk_box_append (GTK_BOX (line), detail);
  gtk_box_append (GTK_BOX (box), heading);
  gtk_box_append (GTK_BOX (box), line);
  gtk_box_append (GTK_BOX (box), note);

  g_object_set_data (G_OBJECT (item), "heading", heading);
  g_object_set_data (G_OBJECT (item), "label", label);
  g_object_set_data (G_OBJECT (item), "detail", detail);
  g_object_set_data (G_OBJECT (item), "note", note);
  gtk_list_item_set_child (item, box);
}

static void
show_text (GtkListItem *item,
           const char  *name,
           const char  *text)
{
  GtkWidget *label = g_object_get_data (G_OBJECT (item), name);

  gtk_label_set_label (GTK_LABEL (label), text != NULL ? text : "");
  gtk_widget_set_visible (label, text != NULL);
}

static void
bind_cb (GtkSignalListItemFactory *factory,
         GtkListItem              *item)
{
  TareInspectorChoice *self = gtk_list_item_get_item (item);

  show_text (item, "heading", self->heading);
  show_text (item, "label", self->label);
  show_text (item, "detail", self->detail);
  show_text (item, "note", self->note);
}

/**
 * tare_inspector_choice_new:
 * @label: what it is called
 * @detail: (nullable): a figure beside it
 * @note: (nullable): what happens when it is chosen, where that is not what it says
 * @heading: (nullable): above it, if it is the first of a group
 * @row: (nullable): the row of a table that it stands for
 *
 * Returns: (transfer full): the choice
 */
TareInspectorChoice *
tare_inspector_choice_new (const char    *label,
                           const char    *detail,
                           const char    *note,
                           const char    *heading,
                           gconstpointer  row)
{
  TareInspectorChoice *self = g_object_new (TARE_TYPE_INSPECTOR_CHOICE, NULL);

  self->label = g_strdup (label);
  self->detail = g_strdup (detail);
  self->note = g_strdup (note);
  self->heading = g_strdup (heading);
  self->row = row;

  return self;
}

const char *
tare_inspector_choice_get_label (TareInspectorChoice *self)
{
  g_return_val_if_fail (TARE_IS_INSPECTOR_CHOICE (self), NULL);

  return self->label;
}

gconstpointer
tare_inspector_choice_get_row (TareInspectorChoice *self)
{
  g_return_val_if_fail (TARE_IS_INSPECTOR_CHOICE (self), NULL);

  return self->row;
}

static void
append (GListStore    *store,
        const char    *label,
        gconstpointer  row)
{
  g_autoptr(TareInspectorChoice) choice = tare_inspector_choice_new (label, NULL, NULL, NULL, row);

  g_list_store_append (store, choice);
}

/**
 * tare_inspector_choice_fill_methods:
 * @store: of choices
 * @present: what is chosen
 * @mixed: whether several are, which then comes first
 *
 * Appends every way of rounding.
 *
 * Returns: which of them is chosen
 */
guint
tare_inspector_choice_fill_methods (GListStore       *store,
                                    const TareMethod *present,
                                    gboolean          mixed)
{
  guint selected = 0;

  if (mixed)
    append (store, _("mixed"), NULL);
  for (gsize i = 0; i < tare_method_get_n_methods (); i++)
    {
      const TareMethod *method = tare_method_get (i);

      if (method == present && !mixed)
        selected = g_list_model_get_n_items (G_LIST_MODEL (store));
      append (store, _(method->label), method);
    }

  return selected;
}

/**
 * tare_inspector_choice_fill_ranges:
 * @store: of choices
 * @present: what is chosen
 * @mixed: whether several are, which then comes first
 *
 * Appends every way of choosing ranges.
 *
 * Returns: which of them is chosen
 */
guint
tare_inspector_choice_fill_ranges (GListStore *store,
                                   TareRange   present,
                                   gboolean    mixed)
{
  guint selected = 0;

  if (mixed)
    append (store, _("mixed"), NULL);
  for (gsize i = 0; i < tare_range_get_n_ranges (); i++)
    {
      const TareRangeInfo *info = tare_range_get (i);

      if (info->range == present && !mixed)
        selected = g_list_model_get_n_items (G_LIST_MODEL (store));
      append (store, _(info->label), info);
    }

  return selected;
}

/**
 * tare_inspector_choice_dress:
 * @drop_down: whose model holds choices
 *
 * Shows the label on the button, and everything in the list; typing searches the labels.
 */
void
tare_inspector_choice_dress (GtkDropDown *drop_down)
{
  g_autoptr(GtkListItemFactory) factory = gtk_signal_list_item_factory_new ();
  g_autoptr(GtkExpression) expression =
    gtk_property_expression_new (TARE_TYPE_INSPECTOR_CHOICE, NULL, "label");

  g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_cb), NULL);
  gtk_drop_down_set_expression (drop_down, expression);
  gtk_drop_down_set_list_factory (drop_down, factory);
}
