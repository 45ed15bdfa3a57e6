/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-layers-page.h"

#include <glib/gi18n.h>

#include "app/tare-layers-page-private.h"
#include "app/tare-text.h"

/* More rows than a screen shows; what a frame has time for; and what GTK makes at most, whatever
 * the length of a list (GTK_LIST_VIEW_MAX_LIST_ITEMS in its gtklistview.c). */
#define FIRST_ROWS 40
#define ROWS_A_FRAME 16
#define MOST_ROWS_MADE 220

struct _TareLayersPage
{
  AdwBin              parent_instance;

  GtkSearchEntry     *entry;
  GtkLabel           *count_label;
  GtkStack           *stack;
  GtkColumnView      *table;
  GtkWidget          *menu;

  TareSession        *session;
  GtkFilterListModel *filtered;
  GtkSliceListModel  *slice;
  GtkFilter          *filter;
  GtkMultiSelection  *selection;
  char               *needle;
  guint               resort;
  guint               growing;
  gboolean            syncing;
};

static void page_iface_init (TarePageInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TareLayersPage, tare_layers_page, ADW_TYPE_BIN,
                               G_IMPLEMENT_INTERFACE (TARE_TYPE_PAGE, page_iface_init))

/* --- order and filter --- */

static gboolean
resort_cb (gpointer data)
{
  TareLayersPage *self = data;

  self->resort = 0;
  gtk_sorter_changed (gtk_column_view_get_sorter (self->table), GTK_SORTER_CHANGE_DIFFERENT);

  return G_SOURCE_REMOVE;
}

/* Figures stream in one by one; rows find their new places a few times a second. */
static void
layer_changed_cb (TareLayersPage *self)
{
  if (self->resort == 0)
    self->resort = g_timeout_add (300, resort_cb, self);
}

static gboolean
match_cb (gpointer item,
          gpointer data)
{
  static const char *const properties[] = { "name", "role", "kind", "format" };
  TareLayersPage *self = data;

  if (self->needle == NULL)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (properties); i++)
    {
      g_autofree char *text = NULL;

      g_object_get (item, properties[i], &text, NULL);
      if (tare_text_contains (text, self->needle))
        return TRUE;
    }

  return FALSE;
}

/* --- selection --- */

static void
scroll_to (TareLayersPage *self,
           guint           position)
{
  /* The list of a column view is its last child; the head is the first. */
  GtkWidget *list = gtk_widget_get_last_child (GTK_WIDGET (self->table));

  if (list != NULL && gtk_widget_get_mapped (list))
    gtk_widget_activate_action (list, "list.scroll-to-item", "u", position);
}

static void
session_selection_cb (TareLayersPage *self)
{
  guint n;
  const guint *selected = tare_session_get_selection (self->session, &n);
  guint n_items = g_list_model_get_n_items (G_LIST_MODEL (self->selection));
  g_autoptr(GtkBitset) wanted = gtk_bitset_new_empty ();
  g_autoptr(GtkBitset) rows = gtk_bitset_new_empty ();
  g_autoptr(GtkBitset) all = gtk_bitset_new_range (0, n_items);

  if (self->syncing)
    return;

  for (guint i = 0; i < n; i++)
    gtk_bitset_add (wanted, selected[i]);
  for (guint i = 0; i < n_items; i++)
    {
      g_autoptr(TareLayer) layer = g_list_model_get_item (G_LIST_MODEL (self->selection), i);

      if (gtk_bitset_contains (wanted, tare_layer_get_index (layer)))
        gtk_bitset_add (rows, i);
    }

  self->syncing = TRUE;
  gtk_selection_model_set_selection (GTK_SELECTION_MODEL (self->selection), rows, all);
  self->syncing = FALSE;
  if (!gtk_bitset_is_empty (rows))
    scroll_to (self, gtk_bitset_get_minimum (rows));
}

static gboolean
grow_cb (GtkWidget     *widget,
         GdkFrameClock *clock,
         gpointer       data)
{
  TareLayersPage *self = (TareLayersPage *) widget;
  guint size = gtk_slice_list_model_get_size (self->slice) + ROWS_A_FRAME;

  if (size < MOST_ROWS_MADE)
    {
      gtk_slice_list_model_set_size (self->slice, size);
      return G_SOURCE_CONTINUE;
    }

  gtk_slice_list_model_set_size (self->slice, G_MAXUINT);
  self->growing = 0;
  session_selection_cb (self);

  return G_SOURCE_REMOVE;
}

/* Before another model's rows arrive: the first screenful is made at once, the rest frame by frame,
 * so that the table is there at once and nothing waits for what is out of sight. */
static void
layers_changed_cb (TareLayersPage *self,
                   guint           position,
                   guint           removed,
                   guint           added)
{
  if (added == 0)
    return;

  gtk_slice_list_model_set_size (self->slice, FIRST_ROWS);
  if (self->growing == 0)
    self->growing = gtk_widget_add_tick_callback (GTK_WIDGET (self), grow_cb, NULL, NULL);
}

static GArray *
list_selected (TareLayersPage *self)
{
  g_autoptr(GtkBitset) rows = gtk_selection_model_get_selection (
    GTK_SELECTION_MODEL (self->selection));
  g_autoptr(GArray) indices = g_array_new (FALSE, FALSE, sizeof (guint));
  guint n = (guint) gtk_bitset_get_size (rows);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr(TareLayer) layer = g_list_model_get_item (G_LIST_MODEL (self->selection),
                                                          gtk_bitset_get_nth (rows, i));
      guint index = tare_layer_get_index (layer);

      g_array_append_val (indices, index);
    }

  return g_steal_pointer (&indices);
}

static void
table_selection_cb (TareLayersPage *self)
{
  g_autoptr(GArray) indices = NULL;

  if (self->syncing)
    return;

  indices = list_selected (self);
  self->syncing = TRUE;
  tare_session_set_selection (self->session, (const guint *) indices->data, indices->len);
  self->syncing = FALSE;
}

static void
update_count (TareLayersPage *self)
{
  guint shown = g_list_model_get_n_items (G_LIST_MODEL (self->filtered));
  guint total = tare_session_get_n_layers (self->session);
  g_autofree char *text = NULL;

  if (shown == total)
    text = g_strdup_printf (ngettext ("%u tensor", "%u tensors", total), total);
  else
    /* translators: how many of how many tensors pass the filter */
    text = g_strdup_printf (_("%u of %u"), shown, total);
  gtk_label_set_label (self->count_label, text);
  gtk_stack_set_visible_child_name (self->stack, shown == 0 && total > 0 ? "nothing" : "table");
}

static void
filter_changed_cb (TareLayersPage *self)
{
  const char *text = gtk_editable_get_text (GTK_EDITABLE (self->entry));

  g_clear_pointer (&self->needle, g_free);
  if (*text != '\0')
    self->needle = g_utf8_casefold (text, -1);

  /* What the filter hides stays selected in the session, and is selected here when it is back. */
  self->syncing = TRUE;
  gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
  self->syncing = FALSE;
  session_selection_cb (self);
  update_count (self);
}

static void
clear_filter_cb (TareLayersPage *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->entry), "");
  filter_changed_cb (self);
}

static void
stop_search_cb (TareLayersPage *self)
{
  clear_filter_cb (self);
  gtk_widget_grab_focus (GTK_WIDGET (self->table));
}

/* Return selects all that the filter found. */
static void
filter_activate_cb (TareLayersPage *self)
{
  gtk_selection_model_select_all (GTK_SELECTION_MODEL (self->selection));
  gtk_widget_grab_focus (GTK_WIDGET (self->table));
}

/* --- actions --- */

static void
set_format_cb (GtkWidget  *widget,
               const char *name,
               GVariant   *parameter)
{
  TareLayersPage *self = (TareLayersPage *) widget;
  TareAssignment assignment = tare_session_get_brush (self->session);
  const char *id = g_variant_get_string (parameter, NULL);
  guint n;
  const guint *selected = tare_session_get_selection (self->session, &n);
  g_autofree guint *indices = g_memdup2 (selected, n * sizeof (guint));

  assignment.format = *id != '\0' ? tare_format_lookup (id) : NULL;
  if (*id != '\0' && assignment.format == NULL)
    return;

  tare_session_set_brush (self->session, &assignment);
  tare_session_assign (self->session, indices, n, &assignment);
}

static void
copy_cb (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  g_autofree char *text = tare_layers_page_dup_tsv ((TareLayersPage *) widget);

  gdk_clipboard_set_text (gtk_widget_get_clipboard (widget), text);
}

static GMenuModel *
new_menu (void)
{
  g_autoptr(GMenu) menu = g_menu_new ();
  g_autoptr(GMenu) formats = g_menu_new ();
  g_autoptr(GMenu) rest = g_menu_new ();
  g_autoptr(GMenuItem) keep = g_menu_item_new (_("_Keep as Stored"), NULL);
  g_autoptr(GMenu) section = NULL;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      g_autoptr(GMenuItem) item = g_menu_item_new (format->label, NULL);

      if (i == 0 || format->family != tare_format_get (i - 1)->family)
        {
          g_clear_object (&section);
          section = g_menu_new ();
          g_menu_append_submenu (formats, _(tare_format_family_get_label (format->family)),
                                 G_MENU_MODEL (section));
        }
      g_menu_item_set_action_and_target (item, "page.set-format", "s", format->id);
      g_menu_append_item (section, item);
    }
  g_menu_item_set_action_and_target (keep, "page.set-format", "s", "");
  g_menu_append_item (rest, keep);
  g_menu_append (rest, _("_Copy Rows"), "page.copy");
  g_menu_append (rest, _("_Print Dossier…"), "win.print-dossier");
  g_menu_append (rest, _("_Save Dossier…"), "win.save-dossier");
  g_menu_append_section (menu, _("Set Format"), G_MENU_MODEL (formats));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (rest));

  return G_MENU_MODEL (g_steal_pointer (&menu));
}

static void
show_menu (TareLayersPage     *self,
           const GdkRectangle *at)
{
  if (self->menu == NULL)
    {
      g_autoptr(GMenuModel) model = new_menu ();

      self->menu = gtk_popover_menu_new_from_model (model);
      gtk_popover_set_has_arrow (GTK_POPOVER (self->menu), FALSE);
      gtk_widget_set_halign (self->menu, GTK_ALIGN_START);
      gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
    }
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu), at);
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

static void
menu_cb (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  GdkRectangle at = { gtk_widget_get_width (widget) / 3, gtk_widget_get_height (widget) / 4, 1, 1 };

  show_menu ((TareLayersPage *) widget, &at);
}

/* The row that lies under a place of the page: its cells know their items. */
static GtkListItem *
pick_item (TareLayersPage *self,
           double          x,
           double          y)
{
  GtkWidget *widget = gtk_widget_pick (GTK_WIDGET (self), x, y, GTK_PICK_DEFAULT);

  for (; widget != NULL && widget != GTK_WIDGET (self->table);
       widget = gtk_widget_get_parent (widget))
    {
      GtkWidget *child = gtk_widget_get_first_child (widget);
      GtkListItem *item = _tare_layers_column_get_item (widget);

      if (item == NULL && child != NULL)
        item = _tare_layers_column_get_item (child);
      if (item != NULL)
        return item;
    }

  return NULL;
}

static void
pressed_cb (TareLayersPage *self,
            int             n_press,
            double          x,
            double          y,
            GtkGesture     *gesture)
{
  GdkRectangle at = { (int) x, (int) y, 1, 1 };
  GtkListItem *item = pick_item (self, x, y);

  if (item == NULL)
    return;

  if (!gtk_list_item_get_selected (item))
    gtk_selection_model_select_item (GTK_SELECTION_MODEL (self->selection),
                                     gtk_list_item_get_position (item), TRUE);
  gtk_gesture_set_state (gesture, GTK_EVENT_SEQUENCE_CLAIMED);
  show_menu (self, &at);
}

static void
tare_layers_page_size_allocate (GtkWidget *widget,
                                int        width,
                                int        height,
                                int        baseline)
{
  TareLayersPage *self = (TareLayersPage *) widget;

  GTK_WIDGET_CLASS (tare_layers_page_parent_class)->size_allocate (widget, width, height,
                                                                   baseline);
  if (self->menu != NULL)
    gtk_popover_present (GTK_POPOVER (self->menu));
}

/* --- the page --- */

static void
tare_layers_page_dispose (GObject *object)
{
  TareLayersPage *self = (TareLayersPage *) object;
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  g_clear_handle_id (&self->resort, g_source_remove);
  if (self->growing != 0)
    gtk_widget_remove_tick_callback (GTK_WIDGET (self), self->growing);
  self->growing = 0;
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  if (self->table != NULL)
    gtk_column_view_set_model (self->table, NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_LAYERS_PAGE);
  g_clear_object (&self->selection);
  g_clear_object (&self->slice);
  g_clear_object (&self->filtered);
  g_clear_object (&self->filter);
  g_clear_pointer (&self->needle, g_free);

  G_OBJECT_CLASS (tare_layers_page_parent_class)->dispose (object);
}

static void
tare_layers_page_class_init (TareLayersPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_layers_page_dispose;
  widget_class->size_allocate = tare_layers_page_size_allocate;

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-layers-page.ui");
  gtk_widget_class_bind_template_child (widget_class, TareLayersPage, entry);
  gtk_widget_class_bind_template_child (widget_class, TareLayersPage, count_label);
  gtk_widget_class_bind_template_child (widget_class, TareLayersPage, stack);
  gtk_widget_class_bind_template_child (widget_class, TareLayersPage, table);
  gtk_widget_class_bind_template_callback (widget_class, filter_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, stop_search_cb);
  gtk_widget_class_bind_template_callback (widget_class, filter_activate_cb);
  gtk_widget_class_bind_template_callback (widget_class, clear_filter_cb);

  gtk_widget_class_install_action (widget_class, "page.set-format", "s", set_format_cb);
  gtk_widget_class_install_action (widget_class, "page.copy", NULL, copy_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_c, GDK_CONTROL_MASK, "page.copy",
                                       NULL);
  gtk_widget_class_install_action (widget_class, "page.menu", NULL, menu_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Menu, 0, "page.menu", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_F10, GDK_SHIFT_MASK, "page.menu",
                                       NULL);
}

/* Heads stand over their numbers, with what they mean. */
static void
dress_heads (TareLayersPage *self)
{
  GtkWidget *head = gtk_widget_get_first_child (GTK_WIDGET (self->table));
  GtkWidget *title = head != NULL ? gtk_widget_get_first_child (head) : NULL;

  for (gsize i = 0; i < _tare_layers_column_get_n_columns () && title != NULL; i++)
    {
      GtkWidget *box = gtk_widget_get_first_child (title);

      gtk_widget_set_tooltip_text (title, _tare_layers_column_get_definition (i));
      if (_tare_layers_column_is_number (i) && box != NULL)
        gtk_widget_set_halign (box, GTK_ALIGN_END);
      title = gtk_widget_get_next_sibling (title);
    }
}

static void
tare_layers_page_init (TareLayersPage *self)
{
  GtkGesture *click = gtk_gesture_click_new ();

  gtk_widget_init_template (GTK_WIDGET (self));
  for (gsize i = 0; i < _tare_layers_column_get_n_columns (); i++)
    {
      g_autoptr(GtkColumnViewColumn) column = _tare_layers_column_new (i);

      gtk_column_view_append_column (self->table, column);
    }
  dress_heads (self);

  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  gtk_event_controller_set_propagation_phase (GTK_EVENT_CONTROLLER (click), GTK_PHASE_CAPTURE);
  g_signal_connect_object (click, "pressed", G_CALLBACK (pressed_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
  gtk_search_entry_set_key_capture_widget (self->entry, GTK_WIDGET (self->table));
}

/* Figures in the format that layers are compared in stand under its name. */
static void
name_columns (TareLayersPage *self)
{
  GListModel *columns = gtk_column_view_get_columns (self->table);

  for (guint i = 0; i < g_list_model_get_n_items (columns); i++)
    {
      g_autoptr(GtkColumnViewColumn) column = g_list_model_get_item (columns, i);
      g_autofree char *title = _tare_layers_column_dup_title (i, self->session);

      if (g_strcmp0 (gtk_column_view_column_get_title (column), title) != 0)
        gtk_column_view_column_set_title (column, title);
    }
}

static void
set_session (TarePage    *page,
             TareSession *session)
{
  TareLayersPage *self = (TareLayersPage *) page;
  GListModel *layers = tare_session_get_layers (session);
  GtkSortListModel *sorted;

  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  self->filter = GTK_FILTER (gtk_custom_filter_new (match_cb, self, NULL));
  /* First in line, so that it comes before the models that stand on the list. */
  g_signal_connect_object (layers, "items-changed", G_CALLBACK (layers_changed_cb), self,
                           G_CONNECT_SWAPPED);
  self->filtered = gtk_filter_list_model_new (g_object_ref (layers), g_object_ref (self->filter));
  sorted = gtk_sort_list_model_new (G_LIST_MODEL (g_object_ref (self->filtered)),
                                    g_object_ref (gtk_column_view_get_sorter (self->table)));
  self->slice = gtk_slice_list_model_new (G_LIST_MODEL (sorted), 0, G_MAXUINT);
  self->selection = gtk_multi_selection_new (G_LIST_MODEL (g_object_ref (self->slice)));
  gtk_column_view_set_model (self->table, GTK_SELECTION_MODEL (self->selection));

  g_signal_connect_object (self->selection, "selection-changed", G_CALLBACK (table_selection_cb),
                           self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->filtered, "items-changed", G_CALLBACK (update_count), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "selection-changed", G_CALLBACK (session_selection_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "layer-changed", G_CALLBACK (layer_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (name_columns), self,
                           G_CONNECT_SWAPPED);
  name_columns (self);
  update_count (self);
}

static void
page_iface_init (TarePageInterface *iface)
{
  iface->set_session = set_session;
}

/**
 * tare_layers_page_focus_filter:
 * @self: the page
 *
 * Lets the user type what to look for.
 */
void
tare_layers_page_focus_filter (TareLayersPage *self)
{
  g_return_if_fail (TARE_IS_LAYERS_PAGE (self));

  gtk_widget_grab_focus (GTK_WIDGET (self->entry));
}

/**
 * tare_layers_page_set_filter:
 * @self: the page
 * @text: part of a name, role, type or format; "" for all layers
 */
void
tare_layers_page_set_filter (TareLayersPage *self,
                             const char     *text)
{
  g_return_if_fail (TARE_IS_LAYERS_PAGE (self));

  gtk_editable_set_text (GTK_EDITABLE (self->entry), text);
  filter_changed_cb (self);
}

/**
 * tare_layers_page_get_table:
 * @self: the page
 *
 * Returns: (transfer none): the table
 */
GtkColumnView *
tare_layers_page_get_table (TareLayersPage *self)
{
  g_return_val_if_fail (TARE_IS_LAYERS_PAGE (self), NULL);

  return self->table;
}

static void
append_row (GString   *text,
            TareLayer *layer)
{
  gsize n = _tare_layers_column_get_n_columns ();

  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *cell = _tare_layers_column_dup_text (i, layer);

      g_string_append_printf (text, "%s%c", cell, i + 1 < n ? '\t' : '\n');
    }
}

/**
 * tare_layers_page_dup_tsv:
 * @self: the page
 *
 * Returns: (transfer full): the selected rows in the order shown, with a head, tabs between
 *   columns, numbers in full precision
 */
char *
tare_layers_page_dup_tsv (TareLayersPage *self)
{
  g_autoptr(GString) text = g_string_new (NULL);
  g_autoptr(GtkBitset) rows = NULL;
  guint n;

  g_return_val_if_fail (TARE_IS_LAYERS_PAGE (self), NULL);

  for (gsize i = 0; i < _tare_layers_column_get_n_columns (); i++)
    g_string_append_printf (text, "%s%s", i > 0 ? "\t" : "",
                            _tare_layers_column_get_property (i));
  g_string_append_c (text, '\n');

  rows = gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
  n = (guint) gtk_bitset_get_size (rows);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(TareLayer) layer = g_list_model_get_item (G_LIST_MODEL (self->selection),
                                                          gtk_bitset_get_nth (rows, i));

      append_row (text, layer);
    }

  return g_string_free (g_steal_pointer (&text), FALSE);
}
