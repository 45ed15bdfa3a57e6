/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-window-private.h"

#include <glib/gi18n.h>

#include "app/tare-app-resources.h"
#include "app/tare-application.h"
#include "app/tare-distribution-page.h"
#include "app/tare-greeter.h"
#include "app/tare-inspector.h"
#include "app/tare-scale-bar.h"
#include "app/tare-formats-page.h"
#include "app/tare-hessian-page.h"
#include "app/tare-outliers-page.h"
#include "app/tare-preview-page.h"
#include "app/tare-sensitivity-page.h"
#include "app/tare-text.h"

#define N_RECENTS 10

G_DEFINE_FINAL_TYPE (TareWindow, tare_window, ADW_TYPE_APPLICATION_WINDOW)

static const char *
get_stack_page (TareWindow *self)
{
  if (tare_session_get_model (self->session) != NULL)
    return "model";

  return tare_session_is_opening (self->session) ? "opening" : "greeter";
}

static char *
describe_model (TareModel *model)
{
  guint n = tare_model_get_n_blocks (model);
  g_autofree char *count = tare_text_count (tare_model_get_n_weights (model));
  g_autofree char *blocks = g_strdup_printf (ngettext ("%u block", "%u blocks", n), n);

  /* translators: "6 blocks, 5.2 M weights" */
  return g_strdup_printf (_("%s, %s weights"), blocks, count);
}

static void
update_title (TareWindow *self)
{
  TareModel *model = tare_session_get_model (self->session);
  gboolean modified = tare_history_is_modified (tare_session_get_history (self->session));
  const char *name = model != NULL ? tare_model_get_name (model) : NULL;
  g_autofree char *subtitle = model != NULL ? describe_model (model) : g_strdup ("");
  g_autofree char *marked = NULL;
  g_autofree char *title = NULL;

  if (model != NULL && tare_session_is_opening (self->session))
    {
      g_free (subtitle);
      subtitle = g_strdup (_("Opening another…"));
    }
  marked = name != NULL && modified ? g_strdup_printf ("• %s", name)
                                    : g_strdup (name != NULL ? name : "Tare");
  title = name != NULL ? g_strdup_printf ("%s – Tare", marked) : g_strdup ("Tare");

  adw_window_title_set_title (self->title, marked);
  adw_window_title_set_subtitle (self->title, subtitle);
  gtk_window_set_title (GTK_WINDOW (self), title);
}

static void
update_undo_tooltips (TareWindow *self)
{
  TareHistory *history = tare_session_get_history (self->session);
  const char *undo = tare_history_get_undo_label (history);
  const char *redo = tare_history_get_redo_label (history);
  /* translators: %s is a step such as "Set 12 layers to Q4_K" */
  g_autofree char *undo_text = undo != NULL ? g_strdup_printf (_("Undo %s"), undo)
                                            : g_strdup (_("Undo"));
  /* translators: %s is a step such as "Set 12 layers to Q4_K" */
  g_autofree char *redo_text = redo != NULL ? g_strdup_printf (_("Redo %s"), redo)
                                            : g_strdup (_("Redo"));

  gtk_widget_set_tooltip_text (self->undo_button, undo_text);
  gtk_widget_set_tooltip_text (self->redo_button, redo_text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->undo_button),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL, undo_text, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->redo_button),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL, redo_text, -1);
}

/* Where a calibration was cancelled the next goes on. */
static void
update_calibrate_button (TareWindow *self)
{
  int block = tare_session_get_halted_block (self->session);
  AdwSplitButton *button = ADW_SPLIT_BUTTON (self->calibrate_button);
  /* translators: %d is the number of a block */
  g_autofree char *resume = g_strdup_printf (_("_Resume at Block %d"), block);

  adw_split_button_set_label (button, block >= 0 ? resume : _("_Calibrate"));
  gtk_widget_set_tooltip_text (self->calibrate_button,
                               block >= 0 ? _("Go On with the Calibration Where It Was Cancelled")
                                          : _("Record the Activations of a Text"));
}

static void
update_calibrate_menu (TareWindow *self)
{
  const char *text = tare_session_get_calibration_text (self->session);
  g_autofree char *name = text != NULL ? g_path_get_basename (text) : NULL;
  g_autofree char *sample = tare_session_dup_sample_text (TRUE);

  g_menu_remove_all (self->calibrate_menu);
  if (name != NULL)
    {
      /* translators: %s is the name of a text file */
      g_autofree char *label = g_strdup_printf (_("Calibrate on %s"), name);
      g_autoptr(GMenuItem) item = g_menu_item_new (label, "win.calibrate");

      g_menu_append_item (self->calibrate_menu, item);
    }
  if (g_strcmp0 (text, sample) != 0)
    g_menu_append (self->calibrate_menu, _("Calibrate on _Sample Text"), "win.calibrate-sample");
  g_menu_append (self->calibrate_menu, _("Another _Text…"), "win.calibrate-with");
}

static void
fill_export_menu (TareWindow *self)
{
  for (gsize i = 0; i < tare_target_get_n_targets (); i++)
    {
      const TareTarget *target = tare_target_get (i);
      g_autofree char *label = g_strdup_printf ("%s…", _(target->label));
      g_autoptr(GMenuItem) item = g_menu_item_new (label, NULL);

      g_menu_item_set_action_and_target (item, "win.export-to", "s", target->id);
      g_menu_append_item (self->export_menu, item);
    }
}

static void
recents_changed_cb (TareWindow *self)
{
  GList *recents = tare_greeter_dup_recents (N_RECENTS);

  g_menu_remove_all (self->recent_menu);
  for (GList *l = recents; l != NULL; l = l->next)
    {
      g_autoptr(GFile) file = g_file_new_for_uri (gtk_recent_info_get_uri (l->data));
      g_autofree char *path = g_file_get_path (file);
      g_auto(GStrv) parts = g_strsplit (gtk_recent_info_get_display_name (l->data), "_", -1);
      /* An underscore in a name is no mnemonic. */
      g_autofree char *label = g_strjoinv ("__", parts);
      g_autoptr(GMenuItem) item = g_menu_item_new (label, NULL);

      g_menu_item_set_action_and_target (item, "win.open-path", "s", path);
      g_menu_append_item (self->recent_menu, item);
    }

  g_list_free_full (recents, (GDestroyNotify) gtk_recent_info_unref);
}

static void
update_stack (TareWindow *self)
{
  gtk_stack_set_visible_child_name (self->stack, get_stack_page (self));
  gtk_widget_set_visible (self->foot, tare_session_get_model (self->session) != NULL);
  update_title (self);
  _tare_window_update_actions (self);
}

static void
model_changed_cb (TareWindow *self)
{
  TareModel *model = tare_session_get_model (self->session);
  g_autofree char *sample = tare_application_dup_sample_path ();

  update_stack (self);
  /* Not to the first thing that takes it: the map answers to the arrows, and B, and numbers. */
  if (model != NULL)
    gtk_widget_grab_focus (GTK_WIDGET (tare_window_get_map (self)));
  if (model != NULL && g_strcmp0 (tare_model_get_path (model), sample) != 0)
    tare_greeter_add_recent (tare_model_get_path (model), tare_model_get_name (model),
                             tare_model_get_container (model));
}

/* What a page shows takes the focus, not the entry above it. */
static void
page_changed_cb (TareWindow *self)
{
  GtkWidget *page = adw_view_stack_get_visible_child (self->pages);

  if (page == self->layers_page)
    gtk_widget_grab_focus (GTK_WIDGET (tare_layers_page_get_table (TARE_LAYERS_PAGE (page))));
}

static void
recipe_changed_cb (TareWindow *self)
{
  update_title (self);
  update_undo_tooltips (self);
  _tare_window_update_actions (self);
}

static void
failed_cb (TareWindow *self,
           const char *title,
           const char *message)
{
  update_stack (self);
  _tare_window_fail (self, title, message);
}

static void
notice_cb (TareWindow *self,
           const char *message)
{
  _tare_window_notice (self, message);
}

/* A stroke that passes over a lock again says so once. */
static void
locks_kept_cb (TareWindow *self,
               guint       n)
{
  g_autofree char *text = g_strdup_printf (ngettext ("%u locked layer was left alone",
                                                     "%u locked layers were left alone", n), n);
  AdwToast *toast = adw_toast_new (text);

  if (self->locks_toast != NULL)
    adw_toast_dismiss (self->locks_toast);
  adw_toast_set_button_label (toast, _("Unlock"));
  adw_toast_set_action_name (toast, "win.unlock-kept");
  g_set_weak_pointer (&self->locks_toast, toast);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

static GSettings *
load_settings (void)
{
  GSettingsSchemaSource *source = g_settings_schema_source_get_default ();
  g_autoptr(GSettingsSchemaSource) built = NULL;
  g_autoptr(GSettingsSchema) schema = NULL;

  if (source != NULL)
    schema = g_settings_schema_source_lookup (source, TARE_APPLICATION_ID, TRUE);
  /* Not installed: the schema lies where it was built, and without it sizes are not kept. */
  if (schema == NULL)
    {
      built = g_settings_schema_source_new_from_directory (TARE_BUILD_DATA_DIR, source, TRUE, NULL);
      if (built != NULL)
        schema = g_settings_schema_source_lookup (built, TARE_APPLICATION_ID, FALSE);
    }
  if (schema == NULL)
    return NULL;

  return g_settings_new_full (schema, NULL, NULL);
}

static void
restore_size (TareWindow *self)
{
  self->settings = load_settings ();
  if (self->settings == NULL)
    return;

  gtk_window_set_default_size (GTK_WINDOW (self),
                               g_settings_get_int (self->settings, "window-width"),
                               g_settings_get_int (self->settings, "window-height"));
  if (g_settings_get_boolean (self->settings, "window-maximized"))
    gtk_window_maximize (GTK_WINDOW (self));
}

static void
keep_size (TareWindow *self)
{
  int width;
  int height;

  if (self->settings == NULL)
    return;

  gtk_window_get_default_size (GTK_WINDOW (self), &width, &height);
  if (width >= 360 && height >= 300)
    {
      g_settings_set_int (self->settings, "window-width", width);
      g_settings_set_int (self->settings, "window-height", height);
    }
  g_settings_set_boolean (self->settings, "window-maximized",
                          gtk_window_is_maximized (GTK_WINDOW (self)));
}

static gboolean
tare_window_close_request (GtkWindow *window)
{
  TareWindow *self = (TareWindow *) window;

  if (self->session != NULL && self->pending != TARE_WINDOW_PENDING_CLOSE
      && tare_session_get_model (self->session) != NULL
      && tare_history_is_modified (tare_session_get_history (self->session)))
    {
      _tare_window_ask_to_save (self, TARE_WINDOW_PENDING_CLOSE, NULL);
      return GDK_EVENT_STOP;
    }
  keep_size (self);

  return GTK_WINDOW_CLASS (tare_window_parent_class)->close_request (window);
}

static void
tare_window_constructed (GObject *object)
{
  TareWindow *self = (TareWindow *) object;

  G_OBJECT_CLASS (tare_window_parent_class)->constructed (object);

  restore_size (self);
}

static void
tare_window_dispose (GObject *object)
{
  TareWindow *self = (TareWindow *) object;
  /* Goes last: handlers that listen to it are cut off only when the parent class is through. */
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  g_clear_pointer (&self->dossier_study, tare_study_free);
  g_clear_pointer (&self->dossier, tare_dossier_free);
  g_clear_pointer (&self->dossier_path, g_free);
  g_clear_weak_pointer (&self->locks_toast);
  if (self->dialog != NULL)
    gtk_native_dialog_destroy (self->dialog);
  g_clear_object (&self->dialog);
  /* Actions on properties hold the widgets that have them, and menus may hold the actions. */
  g_action_map_remove_action (G_ACTION_MAP (self), "show-map");
  g_action_map_remove_action (G_ACTION_MAP (self), "brush");
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_WINDOW);
  g_clear_object (&self->settings);
  g_clear_pointer (&self->pending_path, g_free);

  G_OBJECT_CLASS (tare_window_parent_class)->dispose (object);
}

static void
bind_children (GtkWidgetClass *widget_class)
{
  gtk_widget_class_bind_template_child (widget_class, TareWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, title);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, opening_page);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, flap);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, map_button);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, undo_button);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, redo_button);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, calibrate_button);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, export_button);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, drop_cue);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, pages);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, map_view);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, layers_page);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, inspector);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, foot);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, scale_bar);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, recent_menu);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, calibrate_menu);
  gtk_widget_class_bind_template_child (widget_class, TareWindow, export_menu);
}

static void
tare_window_class_init (TareWindowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GtkWindowClass *window_class = GTK_WINDOW_CLASS (klass);

  object_class->constructed = tare_window_constructed;
  object_class->dispose = tare_window_dispose;
  window_class->close_request = tare_window_close_request;

  /* Also keeps the resources in a program that links this statically. */
  g_resources_register (tare_app_get_resource ());
  g_type_ensure (TARE_TYPE_GREETER);
  g_type_ensure (TARE_TYPE_MAP_VIEW);
  g_type_ensure (TARE_TYPE_LAYERS_PAGE);
  g_type_ensure (TARE_TYPE_DISTRIBUTION_PAGE);
  g_type_ensure (TARE_TYPE_OUTLIERS_PAGE);
  g_type_ensure (TARE_TYPE_HESSIAN_PAGE);
  g_type_ensure (TARE_TYPE_FORMATS_PAGE);
  g_type_ensure (TARE_TYPE_SENSITIVITY_PAGE);
  g_type_ensure (TARE_TYPE_PREVIEW_PAGE);
  g_type_ensure (TARE_TYPE_INSPECTOR);
  g_type_ensure (TARE_TYPE_SCALE_BAR);

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-window.ui");
  bind_children (widget_class);
}

static void
connect_session (TareWindow *self)
{
  g_signal_connect_object (self->session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->session, "recipe-changed", G_CALLBACK (recipe_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->session, "calibration-halted",
                           G_CALLBACK (update_calibrate_button), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->session, "calibration-changed",
                           G_CALLBACK (update_calibrate_menu), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->session, "failed", G_CALLBACK (failed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->session, "notice", G_CALLBACK (notice_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->session, "locks-kept", G_CALLBACK (locks_kept_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->pages, "notify::visible-child", G_CALLBACK (page_changed_cb),
                           self, G_CONNECT_SWAPPED);
  /* Also when an opening begins or fails. */
  g_signal_connect_object (self->session, "figures-changed", G_CALLBACK (update_stack), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (gtk_recent_manager_get_default (), "changed",
                           G_CALLBACK (recents_changed_cb), self, G_CONNECT_SWAPPED);
}

static void
fill_pages (TareWindow *self)
{
  g_autoptr(GtkSelectionModel) pages = adw_view_stack_get_pages (self->pages);

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (pages)); i++)
    {
      g_autoptr(AdwViewStackPage) page = g_list_model_get_item (G_LIST_MODEL (pages), i);

      tare_page_set_session (TARE_PAGE (adw_view_stack_page_get_child (page)), self->session);
    }
}

static void
tare_window_init (TareWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));

  self->session = tare_session_new ();
  tare_map_view_set_session (TARE_MAP_VIEW (self->map_view), self->session);
  fill_pages (self);
  tare_inspector_set_session (TARE_INSPECTOR (self->inspector), self->session);
  tare_scale_bar_set_session (TARE_SCALE_BAR (self->scale_bar), self->session);

  connect_session (self);
  _tare_window_init_actions (self);
  _tare_window_init_drop (self);
  _tare_window_init_print (self);
  fill_export_menu (self);
  update_calibrate_menu (self);
  recents_changed_cb (self);
  update_undo_tooltips (self);
  update_stack (self);
}

/* Small news. */
void
_tare_window_notice (TareWindow *self,
                     const char *message)
{
  g_autofree char *escaped = g_markup_escape_text (message, -1);

  adw_toast_overlay_add_toast (self->toasts, adw_toast_new (escaped));
}

/* Something that was asked for went wrong: the whole line, until it is read. */
void
_tare_window_fail (TareWindow *self,
                   const char *title,
                   const char *message)
{
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), title, message);

  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_set_destroy_with_parent (GTK_WINDOW (dialog), TRUE);
  gtk_window_present (GTK_WINDOW (dialog));
}

/**
 * tare_window_new:
 * @application: the program
 *
 * Returns: (transfer none): a window without a model, owned by GTK until it is closed
 */
TareWindow *
tare_window_new (GtkApplication *application)
{
  return g_object_new (TARE_TYPE_WINDOW, "application", application, NULL);
}

/**
 * tare_window_get_session:
 * @self: the window
 *
 * Returns: (transfer none): what it works on
 */
TareSession *
tare_window_get_session (TareWindow *self)
{
  g_return_val_if_fail (TARE_IS_WINDOW (self), NULL);

  return self->session;
}

/**
 * tare_window_get_map:
 * @self: the window
 *
 * Returns: (transfer none): the format map
 */
TareFormatMap *
tare_window_get_map (TareWindow *self)
{
  g_return_val_if_fail (TARE_IS_WINDOW (self), NULL);

  return tare_map_view_get_map (TARE_MAP_VIEW (self->map_view));
}

/**
 * tare_window_get_page:
 * @self: the window
 * @name: its name in the template, such as "layers"
 *
 * Returns: (transfer none) (nullable): the page
 */
GtkWidget *
tare_window_get_page (TareWindow *self,
                      const char *name)
{
  g_return_val_if_fail (TARE_IS_WINDOW (self), NULL);

  return adw_view_stack_get_child_by_name (self->pages, name);
}

/**
 * tare_window_show_page:
 * @self: the window
 * @name: its name in the template, such as "layers"
 */
void
tare_window_show_page (TareWindow *self,
                       const char *name)
{
  g_return_if_fail (TARE_IS_WINDOW (self));

  if (tare_window_get_page (self, name) != NULL)
    adw_view_stack_set_visible_child_name (self->pages, name);
}

static gboolean
is_recipe (const char *path)
{
  g_autofree char *name = g_path_get_basename (path);

  return g_str_has_suffix (name, ".json") && !g_str_has_suffix (name, ".index.json")
         && !g_str_equal (name, "config.json");
}

/* (transfer full): a file of a Hugging Face folder stands for the folder. */
char *
_tare_window_find_model (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *config = g_build_filename (folder, "config.json", NULL);
  gboolean part = g_str_has_suffix (path, ".json") || g_str_has_suffix (path, ".safetensors");

  if (part && g_file_test (config, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&folder);

  return g_strdup (path);
}

/**
 * tare_window_open:
 * @self: the window
 * @path: a model or a recipe
 *
 * Opens it, after asking about a recipe that would be lost. A recipe is applied to the model that
 * is open. What is open stays where @path cannot be opened.
 */
void
tare_window_open (TareWindow *self,
                  const char *path)
{
  g_autofree char *model_path = NULL;

  g_return_if_fail (TARE_IS_WINDOW (self));
  g_return_if_fail (path != NULL);

  if (is_recipe (path))
    {
      _tare_window_open_recipe (self, path);
      return;
    }
  if (self->pending != TARE_WINDOW_PENDING_OPEN
      && tare_session_get_model (self->session) != NULL
      && tare_history_is_modified (tare_session_get_history (self->session)))
    {
      _tare_window_ask_to_save (self, TARE_WINDOW_PENDING_OPEN, path);
      return;
    }

  model_path = _tare_window_find_model (path);
  adw_status_page_set_description (self->opening_page, model_path);
  tare_session_open (self->session, model_path);
  update_stack (self);
}
