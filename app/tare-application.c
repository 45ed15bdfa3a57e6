/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-application.h"

#include <glib/gi18n.h>

#include "app/tare-window.h"
#include "widgets/tare-widgets-init.h"

struct _TareApplication
{
  AdwApplication parent_instance;

  gboolean       exit_after_startup;
};

typedef struct
{
  const char *action;
  const char *keys[3];
} Accelerator;

static const Accelerator accelerators[] = {
  { "app.quit", { "<Ctrl>q" } },
  { "app.open-sample", { "<Shift><Ctrl>m" } },
  { "win.open", { "<Ctrl>o" } },
  { "win.open-folder", { "<Shift><Ctrl>o" } },
  { "win.save-recipe", { "<Ctrl>s" } },
  { "win.save-recipe-as", { "<Shift><Ctrl>s" } },
  { "win.open-recipe", { "<Ctrl>r" } },
  { "win.export", { "<Ctrl>e" } },
  { "win.print-dossier", { "<Ctrl>p" } },
  { "win.save-dossier", { "<Shift><Ctrl>p" } },
  { "win.calibrate", { "<Ctrl>k" } },
  { "win.measure", { "<Ctrl>m" } },
  { "win.undo", { "<Ctrl>z" } },
  { "win.redo", { "<Shift><Ctrl>z", "<Ctrl>y" } },
  { "win.find", { "<Ctrl>f" } },
  { "win.select-all", { "<Shift><Ctrl>a" } },
  { "win.show-map", { "F9" } },
  { "win.show-nth-page(1)", { "<Alt>1" } },
  { "win.show-nth-page(2)", { "<Alt>2" } },
  { "win.show-nth-page(3)", { "<Alt>3" } },
  { "win.show-nth-page(4)", { "<Alt>4" } },
  { "win.show-nth-page(5)", { "<Alt>5" } },
  { "win.show-nth-page(6)", { "<Alt>6" } },
  { "win.show-nth-page(7)", { "<Alt>7" } },
  { "win.show-help-overlay", { "F1", "<Ctrl>question" } },
  { "win.close", { "<Ctrl>w" } },
};

static const GOptionEntry option_entries[] = {
  { "version", 0, 0, G_OPTION_ARG_NONE, NULL, N_("Print the version and exit"), NULL },
  { "exit-after-startup", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, NULL, NULL, NULL },
  { NULL },
};

G_DEFINE_FINAL_TYPE (TareApplication, tare_application, ADW_TYPE_APPLICATION)

static TareWindow *
get_window (TareApplication *self)
{
  GtkWindow *active = gtk_application_get_active_window (GTK_APPLICATION (self));

  while (active != NULL && !TARE_IS_WINDOW (active))
    active = gtk_window_get_transient_for (active);
  if (active == NULL)
    active = GTK_WINDOW (tare_window_new (GTK_APPLICATION (self)));

  return TARE_WINDOW (active);
}

static void
open_sample_cb (GSimpleAction *action,
                GVariant      *parameter,
                gpointer       user_data)
{
  TareWindow *window = get_window (user_data);
  g_autofree char *path = tare_application_dup_sample_path ();

  gtk_window_present (GTK_WINDOW (window));
  tare_window_open (window, path);
}

static void
quit_cb (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       user_data)
{
  GList *windows = g_list_copy (gtk_application_get_windows (user_data));

  /* A window may ask about its recipe first; the program ends with the last of them. */
  for (GList *l = windows; l != NULL; l = l->next)
    gtk_window_close (l->data);
  g_list_free (windows);
}

static void
about_cb (GSimpleAction *action,
          GVariant      *parameter,
          gpointer       user_data)
{
  const char *developers[] = { _("The Tare developers"), NULL };

  adw_show_about_window (gtk_application_get_active_window (user_data),
                         "application-name", "Tare",
                         "application-icon", TARE_APPLICATION_ID,
                         "version", TARE_VERSION,
                         "developer-name", _("The Tare developers"),
                         "developers", developers,
                         "license-type", GTK_LICENSE_GPL_3_0,
                         "comments", _("Weighs every layer of a language model and lets you "
                                       "choose its number format."),
                         NULL);
}

static const GActionEntry action_entries[] = {
  { .name = "open-sample", .activate = open_sample_cb },
  { .name = "about", .activate = about_cb },
  { .name = "quit", .activate = quit_cb },
};

static void
tare_application_startup (GApplication *application)
{
  G_APPLICATION_CLASS (tare_application_parent_class)->startup (application);

  tare_widgets_init ();
  gtk_window_set_default_icon_name (TARE_APPLICATION_ID);
  g_action_map_add_action_entries (G_ACTION_MAP (application), action_entries,
                                   G_N_ELEMENTS (action_entries), application);
  for (gsize i = 0; i < G_N_ELEMENTS (accelerators); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (application), accelerators[i].action,
                                           (const char *const *) accelerators[i].keys);
}

static gboolean
quit_idle_cb (gpointer data)
{
  g_action_group_activate_action (G_ACTION_GROUP (data), "quit", NULL);

  return G_SOURCE_REMOVE;
}

static void
present_window (TareApplication *self,
                TareWindow      *window)
{
  gtk_window_present (GTK_WINDOW (window));
  if (self->exit_after_startup)
    g_idle_add (quit_idle_cb, self);
}

static void
tare_application_activate (GApplication *application)
{
  TareApplication *self = (TareApplication *) application;

  present_window (self, get_window (self));
}

static void
tare_application_open (GApplication  *application,
                       GFile        **files,
                       int            n_files,
                       const char    *hint)
{
  TareApplication *self = (TareApplication *) application;

  for (int i = 0; i < n_files; i++)
    {
      TareWindow *window = get_window (self);
      g_autofree char *path = g_file_get_path (files[i]);

      /* A second model gets a window of its own. */
      if (i > 0)
        window = tare_window_new (GTK_APPLICATION (self));
      present_window (self, window);
      if (path != NULL)
        tare_window_open (window, path);
    }
}

static void
print_version (void)
{
  g_print ("tare " TARE_VERSION "\n"
           "GTK %u.%u.%u, libadwaita %u.%u.%u, GLib %u.%u.%u\n",
           gtk_get_major_version (), gtk_get_minor_version (), gtk_get_micro_version (),
           adw_get_major_version (), adw_get_minor_version (), adw_get_micro_version (),
           glib_major_version, glib_minor_version, glib_micro_version);
}

static int
tare_application_handle_local_options (GApplication *application,
                                       GVariantDict *options)
{
  TareApplication *self = (TareApplication *) application;

  if (g_variant_dict_contains (options, "version"))
    {
      print_version ();
      return 0;
    }
  self->exit_after_startup = g_variant_dict_contains (options, "exit-after-startup");

  return -1;
}

static void
tare_application_class_init (TareApplicationClass *klass)
{
  GApplicationClass *application_class = G_APPLICATION_CLASS (klass);

  application_class->startup = tare_application_startup;
  application_class->activate = tare_application_activate;
  application_class->open = tare_application_open;
  application_class->handle_local_options = tare_application_handle_local_options;
}

static void
tare_application_init (TareApplication *self)
{
  g_application_add_main_option_entries (G_APPLICATION (self), option_entries);
  g_application_set_option_context_parameter_string (G_APPLICATION (self), _("[PATH…]"));
  g_application_set_option_context_summary (G_APPLICATION (self),
                                            _("Weigh every layer of a language model and choose "
                                              "its number format."));
}

/**
 * tare_application_new:
 *
 * Returns: (transfer full): the program
 */
TareApplication *
tare_application_new (void)
{
  return g_object_new (TARE_TYPE_APPLICATION,
                       "application-id", TARE_APPLICATION_ID,
                       "flags", G_APPLICATION_HANDLES_OPEN,
                       "resource-base-path", "/io/github/tare/Tare",
                       NULL);
}

/**
 * tare_application_dup_sample_path:
 *
 * Returns: (transfer full): the folder of the model that comes with Tare: the installed one, or
 *   that of the source tree
 */
char *
tare_application_dup_sample_path (void)
{
  g_autofree char *installed = g_build_filename (TARE_DATA_DIR, "sample", NULL);

  if (g_file_test (installed, G_FILE_TEST_IS_DIR))
    return g_steal_pointer (&installed);

  return g_build_filename (TARE_SOURCE_DATA_DIR, "sample", NULL);
}
