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
 * Returns: (transfer full): @path, with the suffix of @target if it lacks that; a folder may have
 *   any name
 */
char *
tare_export_dialog_dup_path (const TareTarget *target,
                             const char       *path)
{
  gsize length = strlen (path);
  gsize suffix = strlen (target->suffix);

  if (target->folder)
    return g_strdup (path);

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

/* Changes alike in all but the tensor. */
static gboolean
is_alike (const TareChange *a,
          const TareChange *b)
{
  if (a->from != b->from || a->to != b->to || a->reason != b->reason
      || (a->tensor == NULL) != (b->tensor == NULL))
    return FALSE;

  return a->tensor == NULL || g_str_equal (a->tensor->type_name, b->tensor->type_name);
}

static const char *
name_format (const TareFormat *format,
             const TareTensor *tensor)
{
  return format != NULL ? format->label : tensor->type_name;
}

static void
append_change (GString          *text,
               const TareChange *change,
               gint64            bytes)
{
  g_autofree char *size = g_format_size ((guint64) ABS (bytes));

  if (change->tensor == NULL)
    /* Translators: activations stay as they are; a format. */
    g_string_append_printf (text, _("Not rounded to %s."), change->from->label);
  else
    /* Translators: formats: what is written, instead of what was asked for; then a size. */
    g_string_append_printf (text, _("%s instead of %s, %s%s."),
                            name_format (change->to, change->tensor),
                            name_format (change->from, change->tensor), bytes < 0 ? "−" : "+",
                            size);
  g_string_append_printf (text, " %s.", _(change->reason));
}

static void
describe_changes (const TarePlan *plan,
                  guint           first,
                  GString        *text)
{
  const TareChange *change = &g_array_index (plan->changes, TareChange, first);
  gint64 bytes = 0;
  guint n = 0;

  for (guint i = first; i < plan->changes->len; i++)
    {
      const TareChange *other = &g_array_index (plan->changes, TareChange, i);

      bytes += is_alike (change, other) ? other->bytes : 0;
      n += is_alike (change, other) ? 1 : 0;
    }

  g_string_append_printf (text, "%s%s", text->len > 0 ? "\n\n" : "", change->name);
  if (n > 1)
    g_string_append_printf (text, ngettext (" and %u more", " and %u more", n - 1), n - 1);
  g_string_append_c (text, '\n');
  append_change (text, change, bytes);
}

/**
 * tare_export_dialog_dup_changes:
 * @plan: of an export
 *
 * Returns: (transfer full): every change that it makes of the recipe, those alike together; empty
 *   where it makes none
 */
char *
tare_export_dialog_dup_changes (const TarePlan *plan)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < plan->changes->len; i++)
    {
      gboolean told = FALSE;

      for (guint j = 0; j < i && !told; j++)
        told = is_alike (&g_array_index (plan->changes, TareChange, i),
                         &g_array_index (plan->changes, TareChange, j));
      if (!told)
        describe_changes (plan, i, text);
    }

  return g_string_free (text, FALSE);
}

/**
 * tare_export_dialog_new_changes:
 * @parent: the window it belongs to
 * @target: what to write
 * @plan: with changes
 *
 * Returns: (transfer floating): a dialog that tells of them; its response is "export" where the
 *   user wants to go on
 */
GtkWidget *
tare_export_dialog_new_changes (GtkWindow        *parent,
                                const TareTarget *target,
                                const TarePlan   *plan)
{
  g_autofree char *text = tare_export_dialog_dup_changes (plan);
  GtkWidget *dialog = adw_message_dialog_new (parent, _("Not All Can Be Written as Asked"),
                                              _(target->label));
  GtkWidget *label = gtk_label_new (text);
  GtkWidget *scrolled = gtk_scrolled_window_new ();

  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_xalign (GTK_LABEL (label), 0.0f);
  gtk_label_set_selectable (GTK_LABEL (label), TRUE);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), label);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scrolled), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scrolled), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scrolled), 320);
  adw_message_dialog_set_extra_child (ADW_MESSAGE_DIALOG (dialog), scrolled);
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog),
                                    "cancel", _("_Cancel"),
                                    "export", _("_Export…"),
                                    NULL);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), "export");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  gtk_window_set_destroy_with_parent (GTK_WINDOW (dialog), TRUE);

  return dialog;
}

static void
add_filter (GtkFileChooser   *chooser,
            const TareTarget *target)
{
  g_autoptr(GtkFileFilter) filter = gtk_file_filter_new ();
  g_autofree char *pattern = g_strconcat ("*", target->suffix, NULL);

  gtk_file_filter_set_name (filter, _(target->label));
  gtk_file_filter_add_pattern (filter, pattern);
  gtk_file_chooser_add_filter (chooser, filter);
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
  g_autofree char *title = g_strdup_printf (_("Export %s"), _(target->label));
  g_autofree char *name = tare_export_dialog_dup_name (session, target);
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (title, parent,
                                                              GTK_FILE_CHOOSER_ACTION_SAVE,
                                                              _("_Export"), _("_Cancel"));
  Export *export = export_new (session, target);

  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
  if (!target->folder)
    add_filter (GTK_FILE_CHOOSER (dialog), target);
  g_signal_connect_data (dialog, "response", G_CALLBACK (response_cb), export, export_free, 0);

  return GTK_NATIVE_DIALOG (dialog);
}
