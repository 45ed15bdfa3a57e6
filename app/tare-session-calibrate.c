/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-session-jobs-private.h"

#include <glib/gi18n.h>

#include "quant/tare-hash.h"

/* Multiplications that two cores do while a person waits, a few seconds of them. */
#define CALIBRATE_AT_MOST 1e11

/* What was cancelled goes on where it was, unless the text is another by now. */
static gboolean
prepare (TareErrand  *errand,
         GError     **error)
{
  g_autofree char *text = NULL;
  g_autofree char *dataset = g_path_get_basename (errand->path);
  TareCalibratorOptions options = { .dataset = dataset };
  guint64 hash;
  gsize length = 0;

  if (!g_file_get_contents (errand->path, &text, &length, error))
    return FALSE;

  hash = tare_hash_bytes (TARE_HASH_START, text, length);
  if (errand->calibrator != NULL && hash == errand->text_hash)
    return TRUE;

  g_clear_pointer (&errand->calibrator, tare_calibrator_free);
  errand->text_hash = hash;
  options.maximum_tokens =
    (gsize) MAX (512.0, CALIBRATE_AT_MOST / (double) tare_model_get_n_weights (errand->model));
  errand->calibrator = tare_calibrator_new (errand->model, text, length, &options, error);

  return errand->calibrator != NULL;
}

static gboolean
calibrate_work (const TareProgress  *progress,
                gpointer             data,
                GError             **error)
{
  TareErrand *errand = data;

  if (!prepare (errand, error))
    return FALSE;
  errand->new_calibration = tare_calibrator_run (errand->calibrator, progress, error);

  return errand->new_calibration != NULL;
}

/* Keeps what a cancelled calibration has done, for the same model and text. */
static void
keep (TareSession *session,
      TareErrand  *errand)
{
  if (session->calibrating != NULL || session->model != errand->model
      || errand->calibrator == NULL
      || g_strcmp0 (session->calibration_text, errand->path) != 0
      || tare_calibrator_get_n_blocks_done (errand->calibrator) == 0)
    return;

  _tare_session_drop_halted (session);
  session->halted = g_steal_pointer (&errand->calibrator);
  session->halted_hash = errand->text_hash;
  _tare_session_emit (session, TARE_SESSION_SIGNAL_CALIBRATION_HALTED);
}

/* Without a new calibration what it would have made stale is worth measuring after all. */
static void
resume (TareSession *session)
{
  if (session->calibrating == NULL && session->state != TARE_FIGURE_STATE_CURRENT
      && !tare_session_is_measuring (session) && session->trouble == NULL)
    _tare_session_schedule (session);
}

static void
calibrate_done (TareJob      *job,
                const GError *error,
                gpointer      data)
{
  TareErrand *errand = data;
  TareSession *session = errand->mailbox->session;

  if (session == NULL)
    return;

  _tare_session_forget_job (&session->calibrating, job);
  _tare_session_fail (session, _("The calibration failed"), error);
  if (error == NULL && session->model == errand->model)
    _tare_session_set_calibration (session, errand->new_calibration);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    keep (session, errand);
  if (error != NULL && session->model == errand->model)
    resume (session);
}

/* Lets go of a calibration that was cancelled. */
void
_tare_session_drop_halted (TareSession *self)
{
  g_clear_pointer (&self->halted, tare_calibrator_free);
}

/**
 * tare_session_get_halted_block:
 * @self: the session
 *
 * Returns: the block at which a calibration goes on that was cancelled, counted from 0; -1 where
 *   the next begins from the start
 */
int
tare_session_get_halted_block (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), -1);

  return self->halted != NULL ? (int) tare_calibrator_get_n_blocks_done (self->halted) : -1;
}

/**
 * tare_session_calibrate:
 * @self: the session
 * @text_path: (nullable): a text file; %NULL for the last one
 *
 * Sends a text through the model, which tells what every input is worth. Of the same text it goes
 * on at the block where it was cancelled last. A measurement under way is given up, for its figures
 * would be stale at once; the next follows the calibration.
 */
void
tare_session_calibrate (TareSession *self,
                        const char  *text_path)
{
  TareErrand *errand;

  g_return_if_fail (TARE_IS_SESSION (self));

  if (self->model == NULL)
    return;
  if (text_path != NULL && g_strcmp0 (text_path, self->calibration_text) != 0)
    {
      g_free (self->calibration_text);
      self->calibration_text = g_strdup (text_path);
      _tare_session_drop_halted (self);
    }

  _tare_session_cancel_job (&self->calibrating);
  g_clear_handle_id (&self->measure_source, g_source_remove);
  _tare_session_cancel_job (&self->measuring);
  errand = _tare_errand_new (self);
  errand->path = g_strdup (self->calibration_text);
  errand->calibrator = g_steal_pointer (&self->halted);
  errand->text_hash = self->halted_hash;
  self->calibrating = _tare_session_send_errand (self, TARE_JOB_LANE_ENGINE,
                                                 TARE_JOB_PRIORITY_ASKED, _("Calibrating"),
                                                 calibrate_work, calibrate_done, errand);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_CALIBRATION_HALTED);
}
