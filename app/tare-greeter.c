/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-greeter.h"

#include <glib/gi18n.h>

/* What the system's list of recent files knows Tare's entries by. */
#define RECENT_GROUP "tare"
#define N_RECENTS 5

struct _TareGreeter
{
  AdwBin      parent_instance;

  GtkWidget  *sample_button;
  GtkWidget  *recent_group;
  GtkListBox *recent_list;
};

G_DEFINE_FINAL_TYPE (TareGreeter, tare_greeter, ADW_TYPE_BIN)

static GtkWidget *
create_row (GtkRecentInfo *info)
{
  g_autoptr(GFile) file = g_file_new_for_uri (gtk_recent_info_get_uri (info));
  g_autoptr(GFile) parent = g_file_get_parent (file);
  g_autofree char *folder = parent != NULL ? g_file_get_path (parent) : NULL;
  g_autofree char *path = g_file_get_path (file);
  GtkWidget *row = adw_action_row_new ();

  adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (row), FALSE);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row),
                                 gtk_recent_info_get_display_name (info));
  if (folder != NULL)
    {
      g_autofree char *subtitle = g_markup_escape_text (folder, -1);

      adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
    }
  gtk_widget_set_tooltip_text (row, path);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), TRUE);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (row), "win.open-path");
  gtk_actionable_set_action_target (GTK_ACTIONABLE (row), "s", path);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row),
                             gtk_image_new_from_icon_name ("go-next-symbolic"));

  return row;
}

static void
update_recents (TareGreeter *self)
{
  GList *recents = tare_greeter_dup_recents (N_RECENTS);
  GtkWidget *row;

  while ((row = gtk_widget_get_first_child (GTK_WIDGET (self->recent_list))) != NULL)
    gtk_list_box_remove (self->recent_list, row);
  for (GList *l = recents; l != NULL; l = l->next)
    gtk_list_box_append (self->recent_list, create_row (l->data));
  gtk_widget_set_visible (self->recent_group, recents != NULL);

  g_list_free_full (recents, (GDestroyNotify) gtk_recent_info_unref);
}

static void
tare_greeter_dispose (GObject *object)
{
  gtk_widget_dispose_template (GTK_WIDGET (object), TARE_TYPE_GREETER);

  G_OBJECT_CLASS (tare_greeter_parent_class)->dispose (object);
}

static void
tare_greeter_class_init (TareGreeterClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_greeter_dispose;

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-greeter.ui");
  gtk_widget_class_bind_template_child (widget_class, TareGreeter, sample_button);
  gtk_widget_class_bind_template_child (widget_class, TareGreeter, recent_group);
  gtk_widget_class_bind_template_child (widget_class, TareGreeter, recent_list);
}

static void
tare_greeter_init (TareGreeter *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  g_signal_connect_object (gtk_recent_manager_get_default (), "changed",
                           G_CALLBACK (update_recents), self, G_CONNECT_SWAPPED);
  update_recents (self);
}

/**
 * tare_greeter_add_recent:
 * @path: of a model that was opened
 * @name: its name
 * @container: what holds it
 *
 * Enters it in the system's list of recent files.
 */
void
tare_greeter_add_recent (const char *path,
                         const char *name,
                         const char *container)
{
  char *groups[] = { (char *) RECENT_GROUP, NULL };
  g_autoptr(GFile) file = g_file_new_for_path (path);
  g_autofree char *uri = g_file_get_uri (file);
  gboolean folder = g_file_test (path, G_FILE_TEST_IS_DIR);
  GtkRecentData data = {
    .display_name = (char *) name,
    .description = (char *) container,
    .mime_type = (char *) (folder ? "inode/directory" : "application/octet-stream"),
    .app_name = (char *) "tare",
    .app_exec = (char *) "tare %f",
    .groups = groups,
    .is_private = FALSE,
  };

  gtk_recent_manager_add_full (gtk_recent_manager_get_default (), uri, &data);
}

static int
compare_modified (gconstpointer a,
                  gconstpointer b)
{
  return g_date_time_compare (gtk_recent_info_get_modified ((GtkRecentInfo *) b),
                              gtk_recent_info_get_modified ((GtkRecentInfo *) a));
}

/**
 * tare_greeter_dup_recents:
 * @most: how many at most
 *
 * Returns: (transfer full) (element-type GtkRecentInfo): models that were opened and are still
 *   there, the latest first
 */
GList *
tare_greeter_dup_recents (guint most)
{
  GList *all = gtk_recent_manager_get_items (gtk_recent_manager_get_default ());
  GList *recents = NULL;
  guint n = 0;

  all = g_list_sort (all, compare_modified);
  for (GList *l = all; l != NULL; l = l->next)
    {
      GtkRecentInfo *info = l->data;

      if (n < most && gtk_recent_info_has_group (info, RECENT_GROUP)
          && gtk_recent_info_is_local (info) && gtk_recent_info_exists (info))
        {
          recents = g_list_prepend (recents, gtk_recent_info_ref (info));
          n++;
        }
    }
  g_list_free_full (all, (GDestroyNotify) gtk_recent_info_unref);

  return g_list_reverse (recents);
}
