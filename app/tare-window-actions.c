/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-window-private.h"

#include <glib/gi18n.h>

#include "app/tare-compare-sheet.h"
#include "app/tare-export-dialog.h"

typedef void (*Chosen) (TareWindow *self,
                        const char *path);

/* A file dialog that is answered: what to do with the file. */
typedef struct
{
  TareWindow *window;
  Chosen      chosen;
} Choice;

static void
choice_response_cb (GtkNativeDialog *dialog,
                    int              response,
                    gpointer         data)
{
  Choice *choice = data;
  TareWindow *self = choice->window;
  g_autoptr(GFile) file = NULL;
  g_autofree char *path = NULL;

  if (response == GTK_RESPONSE_ACCEPT)
    file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
  if (file != NULL)
    path = g_file_get_path (file);
  if (self->dialog == dialog)
    self->dialog = NULL;

  if (path != NULL)
    choice->chosen (self, path);
  else
    self->pending = TARE_WINDOW_PENDING_NONE;
  g_object_unref (dialog);
}

static void
choice_free (gpointer  data,
             GClosure *closure)
{
  g_free (data);
}

static GtkFileChooserNative *
new_chooser (TareWindow           *self,
             const char           *title,
             GtkFileChooserAction  action,
             const char           *accept,
             Chosen                chosen)
{
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (title, GTK_WINDOW (self), action,
                                                              accept, _("_Cancel"));
  Choice *choice = g_new0 (Choice, 1);

  /* One dialog at a time; the one before it is dismissed. */
  if (self->dialog != NULL)
    gtk_native_dialog_destroy (self->dialog);
  g_clear_object (&self->dialog);

  choice->window = self;
  choice->chosen = chosen;
  g_signal_connect_data (dialog, "response", G_CALLBACK (choice_response_cb), choice, choice_free,
                         0);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  self->dialog = GTK_NATIVE_DIALOG (dialog);

  return dialog;
}

static void
add_filter (GtkFileChooserNative *dialog,
            const char           *name,
            const char *const    *patterns)
{
  g_autoptr(GtkFileFilter) filter = gtk_file_filter_new ();

  gtk_file_filter_set_name (filter, name);
  for (; *patterns != NULL; patterns++)
    gtk_file_filter_add_pattern (filter, *patterns);
  gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), filter);
}

static void
choose_model (TareWindow *self,
              const char *title,
              const char *accept,
              Chosen      chosen)
{
  static const char *const patterns[] = {
    "*.gguf", "*.safetensors", "*.safetensors.index.json", "config.json", NULL,
  };
  GtkFileChooserNative *dialog = new_chooser (self, title, GTK_FILE_CHOOSER_ACTION_OPEN, accept,
                                              chosen);

  add_filter (dialog, _("Models"), patterns);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
choose_recipe (TareWindow *self,
               const char *title,
               const char *accept,
               Chosen      chosen)
{
  static const char *const patterns[] = { "*.json", NULL };
  GtkFileChooserNative *dialog = new_chooser (self, title, GTK_FILE_CHOOSER_ACTION_OPEN, accept,
                                              chosen);

  add_filter (dialog, _("Recipes"), patterns);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
open_cb (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       user_data)
{
  choose_model (user_data, _("Open a Model"), _("_Open"), tare_window_open);
}

static void
open_folder_cb (GSimpleAction *action,
                GVariant      *parameter,
                gpointer       user_data)
{
  GtkFileChooserNative *dialog = new_chooser (user_data, _("Open a Model's Folder"),
                                              GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _("_Open"),
                                              tare_window_open);

  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
compare_models (TareWindow *self,
                const char *path)
{
  g_autofree char *model_path = _tare_window_find_model (path);

  gtk_window_present (GTK_WINDOW (tare_compare_sheet_new_models (GTK_WINDOW (self), self->session,
                                                                 model_path)));
}

static void
compare_recipes (TareWindow *self,
                 const char *path)
{
  gtk_window_present (GTK_WINDOW (tare_compare_sheet_new_recipes (GTK_WINDOW (self), self->session,
                                                                  path)));
}

static void
compare_model_cb (GSimpleAction *action,
                  GVariant      *parameter,
                  gpointer       user_data)
{
  choose_model (user_data, _("Compare with Another Model"), _("_Compare"), compare_models);
}

static void
compare_folder_cb (GSimpleAction *action,
                   GVariant      *parameter,
                   gpointer       user_data)
{
  GtkFileChooserNative *dialog = new_chooser (user_data, _("Compare with a Model's Folder"),
                                              GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER,
                                              _("_Compare"), compare_models);

  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
compare_recipe_cb (GSimpleAction *action,
                   GVariant      *parameter,
                   gpointer       user_data)
{
  choose_recipe (user_data, _("Compare with Another Recipe"), _("_Compare"), compare_recipes);
}

static void
open_path_cb (GSimpleAction *action,
              GVariant      *parameter,
              gpointer       user_data)
{
  tare_window_open (user_data, g_variant_get_string (parameter, NULL));
}

/* Keys of the program come before those of the widget that has the focus. */
static gboolean
act_on_text (TareWindow *self,
             const char *name)
{
  GtkWidget *focus = gtk_window_get_focus (GTK_WINDOW (self));

  if (!GTK_IS_TEXT (focus))
    return FALSE;

  gtk_widget_activate_action (focus, name, NULL);

  return TRUE;
}

static void
undo_cb (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       user_data)
{
  if (!act_on_text (user_data, "text.undo"))
    tare_session_undo (((TareWindow *) user_data)->session);
}

static void
redo_cb (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       user_data)
{
  if (!act_on_text (user_data, "text.redo"))
    tare_session_redo (((TareWindow *) user_data)->session);
}

static void
unlock_kept_cb (GSimpleAction *action,
                GVariant      *parameter,
                gpointer       user_data)
{
  tare_session_unlock_kept (((TareWindow *) user_data)->session);
}

static void
choose_text (TareWindow *self,
             const char *title,
             const char *present,
             Chosen      chosen)
{
  static const char *const patterns[] = { "*.txt", "*.md", "*.raw", NULL };
  static const char *const all[] = { "*", NULL };
  GtkFileChooserNative *dialog = new_chooser (self, title, GTK_FILE_CHOOSER_ACTION_OPEN,
                                              _("_Choose"), chosen);
  g_autoptr(GFile) file = present != NULL ? g_file_new_for_path (present) : NULL;

  add_filter (dialog, _("Texts"), patterns);
  add_filter (dialog, _("All Files"), all);
  if (file != NULL && g_file_query_exists (file, NULL))
    gtk_file_chooser_set_file (GTK_FILE_CHOOSER (dialog), file, NULL);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
calibrate_with (TareWindow *self,
                const char *path)
{
  tare_session_calibrate (self->session, path);
}

static void
calibrate_cb (GSimpleAction *action,
              GVariant      *parameter,
              gpointer       user_data)
{
  TareWindow *self = user_data;

  tare_session_calibrate (self->session, tare_session_get_calibration_text (self->session));
}

static void
calibrate_with_cb (GSimpleAction *action,
                   GVariant      *parameter,
                   gpointer       user_data)
{
  TareWindow *self = user_data;

  choose_text (self, _("Calibrate on a Text"), tare_session_get_calibration_text (self->session),
               calibrate_with);
}

static void
calibrate_sample_cb (GSimpleAction *action,
                     GVariant      *parameter,
                     gpointer       user_data)
{
  g_autofree char *path = tare_session_dup_sample_text (TRUE);

  tare_session_calibrate (((TareWindow *) user_data)->session, path);
}

static void
evaluate_with (TareWindow *self,
               const char *path)
{
  tare_session_set_evaluation_text (self->session, path);
}

static void
evaluate_with_cb (GSimpleAction *action,
                  GVariant      *parameter,
                  gpointer       user_data)
{
  TareWindow *self = user_data;

  choose_text (self, _("Evaluate on a Text"), tare_session_get_evaluation_text (self->session),
               evaluate_with);
}

static void
evaluate_sample_cb (GSimpleAction *action,
                    GVariant      *parameter,
                    gpointer       user_data)
{
  g_autofree char *path = tare_session_dup_sample_text (FALSE);

  tare_session_set_evaluation_text (((TareWindow *) user_data)->session, path);
}

static void
measure_cb (GSimpleAction *action,
            GVariant      *parameter,
            gpointer       user_data)
{
  tare_session_measure (((TareWindow *) user_data)->session);
}

static void
ask_where (TareWindow       *self,
           const TareTarget *target)
{
  if (self->dialog != NULL)
    gtk_native_dialog_destroy (self->dialog);
  g_clear_object (&self->dialog);
  self->dialog = tare_export_dialog_new (GTK_WINDOW (self), self->session, target);
  gtk_native_dialog_show (self->dialog);
}

static void
changes_cb (GtkWidget  *dialog,
            const char *response,
            gpointer    user_data)
{
  TareWindow *self = user_data;
  const TareTarget *target = g_object_get_data (G_OBJECT (dialog), "target");

  gtk_window_destroy (GTK_WINDOW (dialog));
  if (g_str_equal (response, "export"))
    ask_where (self, target);
}

/* What the target makes of the recipe is told first, and never only done. */
void
_tare_window_export (TareWindow       *self,
                     const TareTarget *target)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (target, tare_session_get_model (self->session),
                                               tare_session_get_recipe (self->session),
                                               tare_session_get_calibration (self->session),
                                               &error);
  GtkWidget *dialog = NULL;

  if (plan == NULL)
    {
      _tare_window_fail (self, _("This recipe cannot be exported"), error->message);
      return;
    }
  if (plan->changes->len == 0)
    {
      ask_where (self, target);
      return;
    }

  dialog = tare_export_dialog_new_changes (GTK_WINDOW (self), target, plan);
  g_object_set_data (G_OBJECT (dialog), "target", (gpointer) target);
  g_signal_connect_object (dialog, "response", G_CALLBACK (changes_cb), self, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
export_cb (GSimpleAction *action,
           GVariant      *parameter,
           gpointer       user_data)
{
  _tare_window_export (user_data, tare_target_get (0));
}

static void
export_to_cb (GSimpleAction *action,
              GVariant      *parameter,
              gpointer       user_data)
{
  const TareTarget *target = tare_target_lookup (g_variant_get_string (parameter, NULL));

  if (target != NULL)
    _tare_window_export (user_data, target);
}

void
_tare_window_open_recipe (TareWindow *self,
                          const char *path)
{
  g_autoptr(GError) error = NULL;

  if (tare_session_get_model (self->session) == NULL)
    {
      _tare_window_notice (self, _("Open a model first, then its recipe"));
      return;
    }
  if (!tare_session_load_recipe (self->session, path, &error))
    _tare_window_fail (self, _("The recipe could not be opened"), error->message);
}

static void
open_recipe_cb (GSimpleAction *action,
                GVariant      *parameter,
                gpointer       user_data)
{
  choose_recipe (user_data, _("Open a Recipe"), _("_Open"), _tare_window_open_recipe);
}

static void
write_recipe (TareWindow *self,
              const char *path)
{
  g_autoptr(GError) error = NULL;

  if (!tare_session_save_recipe (self->session, path, &error))
    {
      self->pending = TARE_WINDOW_PENDING_NONE;
      _tare_window_fail (self, _("The recipe could not be saved"), error->message);
      return;
    }
  if (self->pending == TARE_WINDOW_PENDING_NONE)
    _tare_window_notice (self, _("Recipe saved"));
  _tare_window_resume (self);
}

/* To the file that it came from, or where the user says. */
void
_tare_window_save_recipe (TareWindow *self,
                          gboolean    choose)
{
  const char *path = tare_session_get_recipe_path (self->session);
  TareModel *model = tare_session_get_model (self->session);
  g_autoptr(GFile) file = NULL;
  g_autofree char *name = NULL;
  GtkFileChooserNative *dialog;

  if (path != NULL && !choose)
    {
      write_recipe (self, path);
      return;
    }

  dialog = new_chooser (self, _("Save the Recipe"), GTK_FILE_CHOOSER_ACTION_SAVE, _("_Save"),
                        write_recipe);
  name = g_strdup_printf ("%s.recipe.json", tare_model_get_name (model));
  if (path != NULL)
    {
      file = g_file_new_for_path (path);
      gtk_file_chooser_set_file (GTK_FILE_CHOOSER (dialog), file, NULL);
    }
  else
    {
      gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
    }
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
save_recipe_cb (GSimpleAction *action,
                GVariant      *parameter,
                gpointer       user_data)
{
  _tare_window_save_recipe (user_data, FALSE);
}

static void
save_recipe_as_cb (GSimpleAction *action,
                   GVariant      *parameter,
                   gpointer       user_data)
{
  _tare_window_save_recipe (user_data, TRUE);
}

static void
print_dossier_cb (GSimpleAction *action,
                  GVariant      *parameter,
                  gpointer       user_data)
{
  _tare_window_make_dossier (user_data, NULL);
}

static void
save_dossier_cb (GSimpleAction *action,
                 GVariant      *parameter,
                 gpointer       user_data)
{
  TareWindow *self = user_data;
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);
  GtkFileChooserNative *dialog;
  g_autofree char *name = NULL;

  if (n == 0)
    {
      _tare_window_notice (self, _("Select a layer first"));
      return;
    }

  dialog = new_chooser (self, _("Save the Dossier of the Layer"), GTK_FILE_CHOOSER_ACTION_SAVE,
                        _("_Save"), _tare_window_make_dossier);
  name = g_strdup_printf ("%s.pdf", tare_layer_get_tensor (
                                      tare_session_get_layer (self->session, selection[0]))
                                      ->canonical);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
show_page_cb (GSimpleAction *action,
              GVariant      *parameter,
              gpointer       user_data)
{
  tare_window_show_page (user_data, g_variant_get_string (parameter, NULL));
}

/* The map by a measure, out of its hiding place. */
static void
show_on_map_cb (GSimpleAction *action,
                GVariant      *parameter,
                gpointer       user_data)
{
  TareWindow *self = user_data;

  adw_flap_set_reveal_flap (self->flap, TRUE);
  tare_map_view_set_measure (TARE_MAP_VIEW (self->map_view),
                             g_variant_get_string (parameter, NULL));
  gtk_widget_grab_focus (GTK_WIDGET (tare_window_get_map (self)));
}

/* From 1 on, in the order of the switcher. */
static void
show_nth_page_cb (GSimpleAction *action,
                  GVariant      *parameter,
                  gpointer       user_data)
{
  TareWindow *self = user_data;
  g_autoptr(GtkSelectionModel) pages = adw_view_stack_get_pages (self->pages);
  guint n = (guint) g_variant_get_int32 (parameter);

  if (n >= 1)
    gtk_selection_model_select_item (pages, n - 1, TRUE);
}

static void
find_cb (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       user_data)
{
  TareWindow *self = user_data;

  tare_window_show_page (self, "layers");
  tare_layers_page_focus_filter (TARE_LAYERS_PAGE (self->layers_page));
}

static void
select_all_cb (GSimpleAction *action,
               GVariant      *parameter,
               gpointer       user_data)
{
  tare_format_map_select_all (tare_window_get_map (user_data));
}

static void
close_cb (GSimpleAction *action,
          GVariant      *parameter,
          gpointer       user_data)
{
  gtk_window_close (user_data);
}

static const GActionEntry entries[] = {
  { .name = "open", .activate = open_cb },
  { .name = "open-folder", .activate = open_folder_cb },
  { .name = "open-path", .activate = open_path_cb, .parameter_type = "s" },
  { .name = "undo", .activate = undo_cb },
  { .name = "redo", .activate = redo_cb },
  { .name = "unlock-kept", .activate = unlock_kept_cb },
  { .name = "calibrate", .activate = calibrate_cb },
  { .name = "calibrate-with", .activate = calibrate_with_cb },
  { .name = "calibrate-sample", .activate = calibrate_sample_cb },
  { .name = "evaluate-sample", .activate = evaluate_sample_cb },
  { .name = "evaluate-with", .activate = evaluate_with_cb },
  { .name = "measure", .activate = measure_cb },
  { .name = "export", .activate = export_cb },
  { .name = "export-to", .activate = export_to_cb, .parameter_type = "s" },
  { .name = "open-recipe", .activate = open_recipe_cb },
  { .name = "save-recipe", .activate = save_recipe_cb },
  { .name = "save-recipe-as", .activate = save_recipe_as_cb },
  { .name = "compare-model", .activate = compare_model_cb },
  { .name = "compare-folder", .activate = compare_folder_cb },
  { .name = "compare-recipe", .activate = compare_recipe_cb },
  { .name = "print-dossier", .activate = print_dossier_cb },
  { .name = "save-dossier", .activate = save_dossier_cb },
  { .name = "show-page", .activate = show_page_cb, .parameter_type = "s" },
  { .name = "show-on-map", .activate = show_on_map_cb, .parameter_type = "s" },
  { .name = "show-nth-page", .activate = show_nth_page_cb, .parameter_type = "i" },
  { .name = "find", .activate = find_cb },
  { .name = "select-all", .activate = select_all_cb },
  { .name = "close", .activate = close_cb },
};

static void
enable (TareWindow *self,
        const char *name,
        gboolean    enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);

  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

/* What can be done depends on what is open. */
void
_tare_window_update_actions (TareWindow *self)
{
  static const char *const of_model[] = {
    "export", "export-to", "open-recipe", "save-recipe", "save-recipe-as", "find", "select-all",
    "show-page", "show-nth-page", "compare-model", "compare-folder", "compare-recipe",
    "print-dossier", "save-dossier", "show-on-map",
  };
  static const char *const of_runnable[] = {
    "calibrate", "calibrate-with", "calibrate-sample", "measure",
  };
  g_autofree char *sample = tare_session_dup_sample_text (FALSE);
  TareModel *model = tare_session_get_model (self->session);
  TareHistory *history = tare_session_get_history (self->session);
  gboolean runnable = model != NULL && tare_model_check_runnable (model, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (of_model); i++)
    enable (self, of_model[i], model != NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (of_runnable); i++)
    enable (self, of_runnable[i], runnable);
  enable (self, "evaluate-sample",
          g_strcmp0 (tare_session_get_evaluation_text (self->session), sample) != 0);
  enable (self, "undo", tare_history_get_undo_label (history) != NULL);
  enable (self, "redo", tare_history_get_redo_label (history) != NULL);
  gtk_widget_set_sensitive (self->export_button, model != NULL);
  gtk_widget_set_sensitive (self->calibrate_button, runnable);
  gtk_widget_set_visible (self->map_button, model != NULL);
}

void
_tare_window_init_actions (TareWindow *self)
{
  g_autoptr(GPropertyAction) show_map = g_property_action_new ("show-map", self->flap,
                                                               "reveal-flap");
  g_autoptr(GPropertyAction) brush = g_property_action_new ("brush", tare_window_get_map (self),
                                                            "brush");

  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (show_map));
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (brush));
}

static void
ask_response_cb (TareWindow *self,
                 const char *response,
                 GtkWindow  *dialog)
{
  /* It must be gone before the window that it lies over may go. */
  gtk_window_set_transient_for (dialog, NULL);
  gtk_window_destroy (dialog);
  if (g_str_equal (response, "save"))
    {
      _tare_window_save_recipe (self, FALSE);
    }
  else if (g_str_equal (response, "discard"))
    {
      _tare_window_resume (self);
    }
  else
    {
      self->pending = TARE_WINDOW_PENDING_NONE;
    }
}

/* Asks about the recipe that would be lost, and then goes on with what was asked for. */
void
_tare_window_ask_to_save (TareWindow        *self,
                          TareWindowPending  pending,
                          const char        *path)
{
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), _("Save the Recipe?"),
                                              _("Its changes are lost if you don't save them."));

  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog),
                                    "cancel", _("_Cancel"),
                                    "discard", _("_Discard"),
                                    "save", _("_Save"),
                                    NULL);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "discard",
                                              ADW_RESPONSE_DESTRUCTIVE);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "save",
                                              ADW_RESPONSE_SUGGESTED);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), "save");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  gtk_window_set_destroy_with_parent (GTK_WINDOW (dialog), TRUE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (ask_response_cb), self,
                           G_CONNECT_SWAPPED);

  self->pending = pending;
  g_free (self->pending_path);
  self->pending_path = g_strdup (path);
  gtk_window_present (GTK_WINDOW (dialog));
}

/* The recipe is saved or given up. What was asked for sees by @pending not to ask again. */
void
_tare_window_resume (TareWindow *self)
{
  g_autoptr(TareWindow) alive = g_object_ref (self);
  g_autofree char *path = g_steal_pointer (&self->pending_path);

  if (self->pending == TARE_WINDOW_PENDING_CLOSE)
    gtk_window_close (GTK_WINDOW (self));
  else if (self->pending == TARE_WINDOW_PENDING_OPEN && path != NULL)
    tare_window_open (self, path);
  self->pending = TARE_WINDOW_PENDING_NONE;
}
