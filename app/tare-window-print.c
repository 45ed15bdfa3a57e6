/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-window-private.h"

#include <glib/gi18n.h>

#include "app/tare-dossier.h"
#include "app/tare-sensitivity-page.h"

/* --- the printer --- */

static void
print_done_cb (GtkPrintOperation       *operation,
               GtkPrintOperationResult  result,
               TareWindow              *self)
{
  g_autoptr(GError) error = NULL;

  if (result != GTK_PRINT_OPERATION_RESULT_ERROR)
    return;
  gtk_print_operation_get_error (operation, &error);
  _tare_window_fail (self, _("The dossier could not be printed"),
                     error != NULL ? error->message : "");
}

/* --- what is asked for --- */

static void
save (TareWindow  *self,
      TareDossier *dossier)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *name = g_path_get_basename (self->dossier_path);
  g_autofree char *notice = NULL;

  if (!tare_dossier_save (dossier, self->dossier_path, &error))
    {
      _tare_window_fail (self, _("The dossier could not be saved"), error->message);
      return;
    }
  /* translators: %s is the name of a file */
  notice = g_strdup_printf (_("Saved %s"), name);
  _tare_window_notice (self, notice);
}

static void
take_findings (gpointer owner,
               gpointer item)
{
  TareWindow *self = owner;

  g_clear_pointer (&self->dossier, tare_dossier_free);
  self->dossier = tare_dossier_new (self->session, item);
}

static void
print (TareWindow  *self,
       TareDossier *dossier)
{
  g_autoptr(GtkPrintOperation) operation = tare_dossier_new_print (dossier);

  g_signal_connect_object (operation, "done", G_CALLBACK (print_done_cb), self, 0);
  gtk_print_operation_set_allow_async (operation, TRUE);
  gtk_print_operation_run (operation, GTK_PRINT_OPERATION_ACTION_PRINT_DIALOG, GTK_WINDOW (self),
                           NULL);
}

/* Only here is it sure that it was not cancelled: no dialog opens for what nobody wants. */
static void
study_done (gpointer      owner,
            const GError *error)
{
  TareWindow *self = owner;
  g_autoptr(TareDossier) dossier = g_steal_pointer (&self->dossier);

  if (error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    _tare_window_fail (self, _("The dossier could not be made"), error->message);
  if (error != NULL || dossier == NULL)
    return;

  if (self->dossier_path != NULL)
    save (self, dossier);
  else
    print (self, g_steal_pointer (&dossier));
}

static const TareStudyClass dossier_class = {
  .title = N_("Gathering a dossier"),
  .work = tare_dossier_study,
  .news = take_findings,
  .free_news = tare_dossier_findings_free,
  .done = study_done,
};

/* Escape gives up a dossier that is being gathered, and is free otherwise. */
static gboolean
key_pressed_cb (TareWindow *self,
                guint       keyval)
{
  if (keyval != GDK_KEY_Escape || self->dossier_study == NULL
      || !tare_study_is_running (self->dossier_study))
    return GDK_EVENT_PROPAGATE;

  tare_study_stop (self->dossier_study);
  g_clear_pointer (&self->dossier, tare_dossier_free);
  _tare_window_notice (self, _("The dossier was given up"));

  return GDK_EVENT_STOP;
}

void
_tare_window_init_print (TareWindow *self)
{
  GtkEventController *keys = gtk_event_controller_key_new ();

  /* Before whatever has the focus. */
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (key_pressed_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
}

/* (nullable): of what is selected, the first matrix */
static TareLayer *
get_matrix (TareWindow *self)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);

  for (guint i = 0; i < n; i++)
    {
      TareLayer *layer = tare_session_get_layer (self->session, selection[i]);

      if (tare_layer_is_assignable (layer) && tare_layer_get_statistics (layer) != NULL)
        return layer;
    }
  _tare_window_notice (self, n > 0 ? _("The weights are still being counted")
                                   : _("Select a layer first"));

  return NULL;
}

/* Gathers what is known of the selected layer, and then saves it, or prints it where @path is
 * %NULL. */
void
_tare_window_make_dossier (TareWindow *self,
                           const char *path)
{
  TareSensitivityPage *page = TARE_SENSITIVITY_PAGE (tare_window_get_page (self, "sensitivity"));
  TareLayer *layer = get_matrix (self);

  if (layer == NULL)
    return;

  if (self->dossier_study == NULL)
    self->dossier_study = tare_study_new (&dossier_class, self->session, self);
  g_free (self->dossier_path);
  self->dossier_path = g_strdup (path);
  tare_study_start (self->dossier_study, tare_layer_get_tensor (layer),
                    tare_dossier_request_new (layer, tare_sensitivity_page_get_measurements (page)),
                    tare_dossier_request_free);
}
