/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-session-private.h"

#include <glib/gi18n.h>

#include "app/tare-recovery.h"

/* A crash loses what was done in these. */
#define KEEP_AFTER_MS 2000

static gboolean
keep_cb (gpointer data)
{
  TareSession *self = data;

  self->keep_source = 0;
  if (tare_history_is_modified (self->history))
    tare_recovery_keep (self->model, tare_session_get_recipe (self));
  else
    tare_recovery_forget (self->model);

  return G_SOURCE_REMOVE;
}

/* The recipe has changed: it is kept once the hand has rested, and after two seconds at the
 * latest. */
void
_tare_session_keep_soon (TareSession *self)
{
  if (self->model != NULL && self->keep_source == 0)
    self->keep_source = g_timeout_add (KEEP_AFTER_MS, keep_cb, self);
}

/* The model is let go in an orderly way, and what was not saved with it. */
void
_tare_session_forget (TareSession *self)
{
  g_clear_handle_id (&self->keep_source, g_source_remove);
  if (self->model != NULL)
    tare_recovery_forget (self->model);
}

/* What a crash left behind comes back as a step that can be undone. */
void
_tare_session_recover (TareSession *self)
{
  g_autoptr(TareRecipe) recipe = tare_recovery_find (self->model);

  if (recipe == NULL)
    return;

  tare_history_push (self->history, recipe, _("Restore the unsaved recipe"));
  _tare_session_notice (self, _("The recipe that was not saved is back; undo takes it away"));
}
