/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-session-jobs-private.h"

#include <glib/gi18n.h>

/* The text that recipes are measured on. */

/* Multiplications that two cores do while a person waits, a few seconds of them. Texts are cut
 * to that; every figure shows how sure it is, and the command line takes a text whole. */
#define EVALUATE_AT_MOST 3e11

static guint
get_context (TareModel *model)
{
  return MIN (TARE_SESSION_CONTEXT, tare_model_get_config (model)->context);
}

/* As many chunks as a person waits for. */
static gsize
limit_chunks (TareModel *model)
{
  double chunk = (double) tare_model_get_n_weights (model) * get_context (model);

  return (gsize) MAX (4.0, EVALUATE_AT_MOST / chunk);
}

static TareEvaluationOptions
get_options (TareModel  *model,
             const char *text_path)
{
  return (TareEvaluationOptions) {
    .mode = TARE_EVALUATION_MODE_LLAMA_CPP,
    .context = get_context (model),
    .maximum_chunks = limit_chunks (model),
    .text_name = text_path,
  };
}

/* Makes the evaluator, in the engine lane. */
gboolean
_tare_evaluation_prepare (TareEvaluation  *evaluation,
                          GError         **error)
{
  TareEvaluationOptions options = get_options (evaluation->model, evaluation->text_path);
  g_autofree char *text = NULL;
  gsize length = 0;

  if (evaluation->evaluator != NULL)
    return TRUE;
  if (!g_file_get_contents (evaluation->text_path, &text, &length, error))
    return FALSE;

  evaluation->evaluator = tare_evaluator_new (evaluation->model, text, length, &options, error);

  return evaluation->evaluator != NULL;
}

void
_tare_evaluation_unref (TareEvaluation *evaluation)
{
  if (!g_atomic_int_dec_and_test (&evaluation->ref_count))
    return;

  g_clear_pointer (&evaluation->evaluator, tare_evaluator_free);
  g_clear_pointer (&evaluation->model, tare_model_unref);
  g_free (evaluation->text_path);
  g_free (evaluation);
}

/* (transfer full) (nullable): what measures, where the model can be run */
TareEvaluation *
_tare_session_ref_evaluation (TareSession *self)
{
  if (!tare_model_check_runnable (self->model, NULL) || self->evaluation_text == NULL)
    return NULL;

  if (self->evaluation == NULL)
    {
      self->evaluation = g_new0 (TareEvaluation, 1);
      self->evaluation->ref_count = 1;
      self->evaluation->model = tare_model_ref (self->model);
      self->evaluation->text_path = g_strdup (self->evaluation_text);
    }
  g_atomic_int_inc (&self->evaluation->ref_count);

  return self->evaluation;
}

void
_tare_session_drop_evaluation (TareSession *self)
{
  g_clear_pointer (&self->evaluation, _tare_evaluation_unref);
}

/* Keeps why the recipe could not be measured; %NULL or a cancellation is no trouble. */
void
_tare_session_take_trouble (TareSession  *self,
                            const GError *error)
{
  g_clear_pointer (&self->trouble, g_free);
  if (error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    self->trouble = g_strdup (error->message);
}

/**
 * tare_session_get_trouble:
 * @self: the session
 *
 * Returns: (nullable): why the last measurement failed; %NULL once another has begun
 */
const char *
tare_session_get_trouble (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->trouble;
}

/**
 * tare_session_dup_sample_text:
 * @calibration: whether the one to calibrate on, or else the one to evaluate on
 *
 * Returns: (transfer full): where a text lies that comes with the program
 */
char *
tare_session_dup_sample_text (gboolean calibration)
{
  const char *name = calibration ? "treasure-island.txt" : "alice.txt";
  g_autofree char *source = g_build_filename (TARE_SOURCE_DATA_DIR, "sample", name, NULL);

  if (g_file_test (source, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&source);

  return g_build_filename (TARE_DATA_DIR, "sample", name, NULL);
}

const char *
tare_session_get_evaluation_text (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->evaluation_text;
}

/* Figures on another text are not comparable. */
static void
take_text (TareSession *self,
           const char  *text_path)
{
  char *kept = g_strdup (text_path);

  g_free (self->evaluation_text);
  self->evaluation_text = kept;
  _tare_session_drop_evaluation (self);
  _tare_session_take_trouble (self, NULL);
  self->base_state = TARE_FIGURE_STATE_NONE;
  _tare_session_set_measured (self, NULL, NULL);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_FIGURES_CHANGED);
  _tare_session_schedule (self);
}

static gboolean
check_work (const TareProgress  *progress,
            gpointer             data,
            GError             **error)
{
  TareErrand *errand = data;
  TareEvaluationOptions options = get_options (errand->model, errand->path);
  g_autofree char *text = NULL;
  gsize length = 0;

  return g_file_get_contents (errand->path, &text, &length, error)
         && tare_evaluator_check_text (errand->model, text, length, &options, error);
}

static void
check_done (TareJob      *job,
            const GError *error,
            gpointer      data)
{
  TareErrand *errand = data;
  TareSession *session = errand->mailbox->session;

  if (session == NULL || session->checking != job)
    return;

  _tare_session_forget_job (&session->checking, job);
  if (error == NULL)
    take_text (session, errand->path);
  else
    _tare_session_fail (session, _("This text cannot be evaluated on"), error);
}

/**
 * tare_session_set_evaluation_text:
 * @self: the session
 * @text_path: a text file
 *
 * Scores on this text from now on; figures on another text are not comparable and are dropped.
 * Where a model is open that can be run, the text is first looked at in the background; one that is
 * too short for it fails, and the last one stays.
 */
void
tare_session_set_evaluation_text (TareSession *self,
                                  const char  *text_path)
{
  TareErrand *errand;

  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (text_path != NULL);

  _tare_session_cancel_job (&self->checking);
  if (self->trouble == NULL && g_strcmp0 (self->evaluation_text, text_path) == 0)
    return;
  if (self->model == NULL || !tare_model_check_runnable (self->model, NULL))
    {
      take_text (self, text_path);
      return;
    }

  errand = _tare_errand_new (self);
  errand->path = g_strdup (text_path);
  self->checking = _tare_session_send_errand (self, TARE_JOB_LANE_VIEWS,
                                              TARE_JOB_PRIORITY_ASKED, _("Reading the text"),
                                              check_work, check_done, errand);
}
