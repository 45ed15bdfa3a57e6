/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-export-dialog.h"

#include <adwaita.h>
#include <glib/gi18n.h>
#include <string.h>

/* What is exported where; lives as long as the dialog. */
typedef struct
{
  TareSession      *session;
  const TareTarget *target;
  char             *path;
} Export;

static Export *
export_new (TareSession      *session,
            const TareTarget *target)
{
  Export *export = g_new0 (Export, 1);

  export->session = g_object_ref (session);
  export->target = target;

  return export;
}

static void
export_free (gpointer  data,
             GClosure *closure)
{
  Export *export = data;

  g_object_unref (export->session);
  g_free (export->path);
  g_free (export);
}

/**
 * tare_export_dialog_dup_path:
 * @target: what to write
 * @path: where the user says
 *
 * Returns: (transfer full): @path, with the suffix of @target if it lacks that
 */
char *
tare_export_dialog_dup_path (const TareTarget *target,
                             const char       *path)
{
  gsize length = strlen (path);
  gsize suffix = strlen (target->suffix);

  if (length >= suffix && g_ascii_strcasecmp (path + length - suffix, target->suffix) == 0)
    return g_strdup (path);

  return g_strconcat (path, target->suffix, NULL);
}

static void
replace_cb (GtkWidget  *dialog,
            const char *response,
            gpointer    data)
{
  Export *export = data;

  if (g_str_equal (response, "replace"))
    tare_session_export (export->session, export->target, export->path);
  gtk_window_destroy (GTK_WINDOW (dialog));
}

/* The file dialog asked about the file that was named, which is not the one with the suffix. */
static void
ask_to_replace (Export    *export,
                GtkWindow *parent)
{
  g_autofree char *name = g_path_get_basename (export->path);
  g_autofree char *title = g_strdup_printf (_("Replace “%s”?"), name);
  GtkWidget *dialog = adw_message_dialog_new (parent, title,
                                              _("A file of that name is there already."));
  Export *copy = export_new (export->session, export->target);

  copy->path = g_strdup (export->path);
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog),
                                    "cancel", _("_Cancel"),
                                    "replace", _("_Replace"),
                                    NULL);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "replace",
                                              ADW_RESPONSE_DESTRUCTIVE);
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  gtk_window_set_destroy_with_parent (GTK_WINDOW (dialog), TRUE);
  g_signal_connect_data (dialog, "response", G_CALLBACK (replace_cb), copy, export_free, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
response_cb (GtkNativeDialog *dialog,
             int              response,
             gpointer         data)
{
  Export *export = data;
  g_autoptr(GFile) file = NULL;
  g_autofree char *path = NULL;

  if (response != GTK_RESPONSE_ACCEPT)
    return;

  file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
  path = file != NULL ? g_file_get_path (file) : NULL;
  if (path == NULL)
    return;

  g_free (export->path);
  export->path = tare_export_dialog_dup_path (export->target, path);
  if (!g_str_equal (export->path, path) && g_file_test (export->path, G_FILE_TEST_EXISTS))
    ask_to_replace (export, gtk_native_dialog_get_transient_for (dialog));
  else
    tare_session_export (export->session, export->target, export->path);
}

/**
 * tare_export_dialog_check:
 * @session: with a model
 * @target: what to write
 * @error: says what keeps the recipe from being written
 *
 * Returns: whether there is a point in asking where to
 */
gboolean
tare_export_dialog_check (TareSession       *session,
                          const TareTarget  *target,
                          GError           **error)
{
  return tare_target_check (target, tare_session_get_model (session),
                            tare_session_get_recipe (session), error);
}

/**
 * tare_export_dialog_dup_name:
 * @session: with a model
 * @target: what to write
 *
 * Returns: (transfer full): a name for the file: the model's, its bits per weight, the suffix
 */
char *
tare_export_dialog_dup_name (TareSession      *session,
                             const TareTarget *target)
{
  TareRecipeSize size = tare_session_get_size (session);
  g_autofree char *name = g_strdup (tare_model_get_name (tare_session_get_model (session)));
  char bits[G_ASCII_DTOSTR_BUF_SIZE];

  g_strdelimit (name, "/\\", '-');
  g_ascii_formatd (bits, sizeof bits, "%.2f", size.bits_per_weight);

  return g_strdup_printf ("%s-%sbpw%s", name, bits, target->suffix);
}

/**
 * tare_export_dialog_new:
 * @parent: the window it belongs to
 * @session: with a model
 * @target: what to write
 *
 * Returns: (transfer full): a dialog that asks where to, and then exports there
 */
GtkNativeDialog *
tare_export_dialog_new (GtkWindow        *parent,
                        TareSession      *session,
                        const TareTarget *target)
{
  g_autofree char *title = g_strdup_printf (_("Export %s"), target->label);
  g_autofree char *name = tare_export_dialog_dup_name (session, target);
  g_autofree char *pattern = g_strconcat ("*", target->suffix, NULL);
  g_autoptr(GtkFileFilter) filter = gtk_file_filter_new ();
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (title, parent,
                                                              GTK_FILE_CHOOSER_ACTION_SAVE,
                                                              _("_Export"), _("_Cancel"));
  Export *export = export_new (session, target);

  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
  gtk_file_filter_set_name (filter, target->label);
  gtk_file_filter_add_pattern (filter, pattern);
  gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), filter);
  g_signal_connect_data (dialog, "response", G_CALLBACK (response_cb), export, export_free, 0);

  return GTK_NATIVE_DIALOG (dialog);
}
