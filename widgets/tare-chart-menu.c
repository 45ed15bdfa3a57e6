/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-chart-private.h"

#include <adwaita.h>
#include <glib/gi18n-lib.h>

#include "widgets/tare-table.h"

#define TABLE_WIDTH 520
#define TABLE_HEIGHT 480

static const struct
{
  const char *nick;
  const char *label;
} scales[] = {
  { "linear", N_("Linear") },
  { "log", N_("Logarithmic") },
  { "symlog", N_("Logarithmic on Both Sides of Zero") },
};

static const struct
{
  const char *name;
  const char *suffix;
  const char *pattern;
} files[] = {
  { N_("PNG picture"), ".png", "*.png" },
  { N_("SVG drawing"), ".svg", "*.svg" },
  { N_("PDF document"), ".pdf", "*.pdf" },
  { N_("CSV table"), ".csv", "*.csv" },
};

static void
fit_cb (GSimpleAction *action,
        GVariant      *parameter,
        gpointer       data)
{
  tare_chart_fit (data);
}

static void
table_cb (GSimpleAction *action,
          GVariant      *parameter,
          gpointer       data)
{
  tare_chart_show_table (data);
}

static void
copy_data_cb (GSimpleAction *action,
              GVariant      *parameter,
              gpointer       data)
{
  tare_chart_copy_csv (data);
}

static void
copy_picture_cb (GSimpleAction *action,
                 GVariant      *parameter,
                 gpointer       data)
{
  tare_chart_copy_picture (data);
}

static void
tell_error (TareChart    *self,
            const GError *error)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkWidget *dialog = adw_message_dialog_new (GTK_IS_WINDOW (root) ? GTK_WINDOW (root) : NULL,
                                              _("The Chart Was Not Saved"), error->message);

  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

/* The path with the suffix of the kind that was chosen, where it has none that is known. */
static char *
complete_path (const char *path,
               gpointer    filter)
{
  const char *suffix = files[0].suffix;

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      if (g_str_has_suffix (path, files[i].suffix))
        return g_strdup (path);
      if (filter != NULL
          && g_strcmp0 (gtk_file_filter_get_name (filter), _(files[i].name)) == 0)
        suffix = files[i].suffix;
    }

  return g_strconcat (path, suffix, NULL);
}

static void
save_response_cb (TareChart            *self,
                  int                   response,
                  GtkFileChooserNative *dialog)
{
  g_autoptr(GFile) file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
  g_autofree char *chosen = file != NULL ? g_file_get_path (file) : NULL;
  g_autoptr(GError) error = NULL;

  if (response == GTK_RESPONSE_ACCEPT && chosen != NULL)
    {
      g_autofree char *path
        = complete_path (chosen, gtk_file_chooser_get_filter (GTK_FILE_CHOOSER (dialog)));

      if (!tare_chart_save (self, path, 0, 0, &error))
        tell_error (self, error);
    }
  g_clear_object (&self->dialog);
}

static void
save_cb (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       data)
{
  TareChart *self = data;
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  g_autofree char *name = g_strconcat (self->title != NULL ? self->title : _("Chart"),
                                       files[0].suffix, NULL);

  g_strdelimit (name, "/", '-');
  g_clear_object (&self->dialog);
  self->dialog = gtk_file_chooser_native_new (_("Save Chart"),
                                              GTK_IS_WINDOW (root) ? GTK_WINDOW (root) : NULL,
                                              GTK_FILE_CHOOSER_ACTION_SAVE, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autoptr(GtkFileFilter) filter = gtk_file_filter_new ();

      gtk_file_filter_set_name (filter, _(files[i].name));
      gtk_file_filter_add_pattern (filter, files[i].pattern);
      gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (self->dialog), filter);
    }
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (self->dialog), name);
  g_signal_connect_object (self->dialog, "response", G_CALLBACK (save_response_cb), self,
                           G_CONNECT_SWAPPED);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->dialog));
}

/* (nullable): of the colours, if they stand for something */
static TareAxis *
get_color_axis (TareChart *self)
{
  TareColorScale *scale = _tare_chart_get_color_scale (self);

  return scale != NULL ? tare_color_scale_get_axis (scale) : NULL;
}

/* Names or numbers of things have one scale only. */
static gboolean
has_scales (TareAxis *axis)
{
  return axis != NULL && tare_axis_get_categories (axis) == NULL
         && !tare_axis_get_counting (axis);
}

static void
add_actions (TareChart *self)
{
  static const GActionEntry entries[] = {
    { .name = "fit", .activate = fit_cb },
    { .name = "table", .activate = table_cb },
    { .name = "copy-data", .activate = copy_data_cb },
    { .name = "copy-picture", .activate = copy_picture_cb },
    { .name = "save", .activate = save_cb },
  };
  static const char *const names[] = { "x-scale", "y-scale", "color-scale" };
  TareAxis *axes[] = { self->axes[0], self->axes[1], get_color_axis (self) };
  g_autoptr(GSimpleActionGroup) group = g_simple_action_group_new ();

  g_action_map_add_action_entries (G_ACTION_MAP (group), entries, G_N_ELEMENTS (entries), self);
  for (guint i = 0; i < G_N_ELEMENTS (axes); i++)
    if (has_scales (axes[i]))
      {
        g_autoptr(GPropertyAction) action = g_property_action_new (names[i], axes[i], "scale");

        g_action_map_add_action (G_ACTION_MAP (group), G_ACTION (action));
      }
  gtk_widget_insert_action_group (GTK_WIDGET (self), "chart", G_ACTION_GROUP (group));
}

static void
add_scales (GMenu      *menu,
            TareAxis   *axis,
            const char *action,
            const char *label)
{
  g_autoptr(GMenu) items = g_menu_new ();

  if (!has_scales (axis))
    return;

  for (guint i = 0; i < G_N_ELEMENTS (scales); i++)
    {
      g_autofree char *target = g_strdup_printf ("chart.%s::%s", action, scales[i].nick);

      g_menu_append (items, _(scales[i].label), target);
    }
  g_menu_append_submenu (menu, label, G_MENU_MODEL (items));
}

static GMenuModel *
make_menu (TareChart *self)
{
  GMenu *menu = g_menu_new ();
  g_autoptr(GMenu) view = g_menu_new ();
  g_autoptr(GMenu) axes = g_menu_new ();
  g_autoptr(GMenu) data = g_menu_new ();

  g_menu_append (view, _("Show _All"), "chart.fit");
  g_menu_append (view, _("Show as _Table"), "chart.table");
  add_scales (axes, self->axes[0], "x-scale", _("Scale A_cross"));
  add_scales (axes, self->axes[1], "y-scale", _("Scale _Up"));
  add_scales (axes, get_color_axis (self), "color-scale", _("Scale of C_olours"));
  g_menu_append (data, _("Copy _Data"), "chart.copy-data");
  g_menu_append (data, _("Copy _Picture"), "chart.copy-picture");
  g_menu_append (data, _("_Save…"), "chart.save");
  g_menu_append_section (menu, NULL, G_MENU_MODEL (view));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (axes));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (data));

  return G_MENU_MODEL (menu);
}

/* Opens the menu at a place of the chart. */
void
_tare_chart_open_menu (TareChart *self,
                       double     x,
                       double     y)
{
  g_autoptr(GMenuModel) model = NULL;

  if (_tare_chart_is_empty (self))
    return;

  add_actions (self);
  model = make_menu (self);
  if (self->menu == NULL)
    {
      self->menu = gtk_popover_menu_new_from_model (model);
      gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
      gtk_popover_set_has_arrow (GTK_POPOVER (self->menu), FALSE);
      gtk_widget_set_halign (self->menu, GTK_ALIGN_START);
    }
  else
    gtk_popover_menu_set_menu_model (GTK_POPOVER_MENU (self->menu), model);
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu),
                               &(GdkRectangle) { (int) x, (int) y, 1, 1 });
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

static gboolean
escape_cb (GtkWidget *window,
           GVariant  *arguments,
           gpointer   data)
{
  gtk_window_close (GTK_WINDOW (window));

  return TRUE;
}

/* One table for each plot that has data, with its name. */
static GtkWidget *
make_tables (TareChart *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *stack = gtk_stack_new ();
  GtkWidget *switcher = gtk_stack_switcher_new ();
  guint n = 0;

  for (guint i = 0; i < self->plots->len; i++)
    {
      TarePlot *plot = g_ptr_array_index (self->plots, i);
      g_autoptr(GString) csv = g_string_new (NULL);
      g_autoptr(TareTable) table = NULL;
      g_autofree char *name = g_strdup_printf ("%u", ++n);

      if (tare_plot_get_n_points (plot) == 0)
        continue;
      tare_plot_write_csv (plot, csv);
      table = tare_table_new (csv->str);
      gtk_stack_add_titled (GTK_STACK (stack), tare_table_create_view (table), name,
                            tare_plot_get_label (plot) != NULL ? tare_plot_get_label (plot) : name);
    }
  gtk_stack_switcher_set_stack (GTK_STACK_SWITCHER (switcher), GTK_STACK (stack));
  gtk_widget_set_visible (switcher,
                          g_list_model_get_n_items (G_LIST_MODEL (
                            gtk_stack_get_pages (GTK_STACK (stack)))) > 1);
  gtk_widget_set_halign (switcher, GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (box), switcher);
  gtk_box_append (GTK_BOX (box), stack);

  return box;
}

/**
 * tare_chart_show_table:
 * @self: the chart
 *
 * Opens a window with the data of the plots as tables.
 *
 * Returns: (transfer none): that window
 */
GtkWindow *
tare_chart_show_table (TareChart *self)
{
  GtkRoot *root;
  GtkWindow *window;
  GtkWidget *content;
  GtkEventController *keys;
  GtkShortcut *escape;

  g_return_val_if_fail (TARE_IS_CHART (self), NULL);

  root = gtk_widget_get_root (GTK_WIDGET (self));
  window = GTK_WINDOW (adw_window_new ());
  gtk_window_set_title (window, self->title != NULL ? self->title : _("Data"));
  gtk_window_set_default_size (window, TABLE_WIDTH, TABLE_HEIGHT);
  gtk_window_set_destroy_with_parent (window, TRUE);
  if (GTK_IS_WINDOW (root))
    gtk_window_set_transient_for (window, GTK_WINDOW (root));

  content = make_tables (self);
  gtk_box_prepend (GTK_BOX (content), adw_header_bar_new ());
  adw_window_set_content (ADW_WINDOW (window), content);

  keys = gtk_shortcut_controller_new ();
  escape = gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_Escape, 0),
                             gtk_callback_action_new (escape_cb, NULL, NULL));
  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys), escape);
  gtk_widget_add_controller (GTK_WIDGET (window), keys);
  gtk_window_present (window);

  return window;
}
