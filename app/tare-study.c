/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-study.h"

#include <glib/gi18n.h>

/* What the tasks of a study share with it: only the main thread looks at @study. */
typedef struct
{
  TareStudy *study;
} Mailbox;

struct _TareStudy
{
  const TareStudyClass *klass;
  TareSession          *session;
  gpointer              owner;
  Mailbox              *mailbox;
  TareJob              *job;
  guint                 generation;
};

/* A question under way; @task comes first, so that one is found from the other. */
typedef struct
{
  TareStudyTask         task;
  const TareStudyClass *klass;
  Mailbox              *mailbox;
  guint                 generation;
  GDestroyNotify        free_request;
} Errand;

typedef struct
{
  Mailbox        *mailbox;
  guint           generation;
  gpointer        item;
  GDestroyNotify  free_item;
} Letter;

static void
errand_free (gpointer data)
{
  Errand *errand = data;

  if (errand->free_request != NULL)
    errand->free_request (errand->task.request);
  g_clear_pointer (&errand->task.calibration, tare_calibration_unref);
  g_clear_pointer (&errand->task.recipe, tare_recipe_unref);
  g_clear_pointer (&errand->task.engine, tare_engine_unref);
  g_clear_pointer (&errand->task.model, tare_model_unref);
  g_atomic_rc_box_release (errand->mailbox);
  g_free (errand);
}

static void
letter_free (gpointer data)
{
  Letter *letter = data;

  if (letter->free_item != NULL)
    letter->free_item (letter->item);
  g_atomic_rc_box_release (letter->mailbox);
  g_free (letter);
}

static gboolean
deliver_cb (gpointer data)
{
  Letter *letter = data;
  TareStudy *self = letter->mailbox->study;

  if (self != NULL && self->generation == letter->generation)
    self->klass->news (self->owner, letter->item);

  return G_SOURCE_REMOVE;
}

/**
 * tare_study_post:
 * @task: the task at work, in its thread
 * @item: (transfer full): what was found
 *
 * Sends something to the owner of the study, who gets it in the main thread, in order.
 */
void
tare_study_post (TareStudyTask *task,
                 gpointer       item)
{
  Errand *errand = (Errand *) task;
  Letter *letter = g_new (Letter, 1);

  letter->mailbox = g_atomic_rc_box_acquire (errand->mailbox);
  letter->generation = errand->generation;
  letter->item = item;
  letter->free_item = errand->klass->free_news;
  g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, deliver_cb, letter, letter_free);
}

static gboolean
work (const TareProgress  *progress,
      gpointer             data,
      GError             **error)
{
  Errand *errand = data;

  errand->task.progress = progress;

  return errand->klass->work (&errand->task, error);
}

/* The job ends in the main thread with a higher priority than letters have. What it posted last
 * must not come after its end, so that the end is posted, too. */
typedef struct
{
  Mailbox *mailbox;
  guint    generation;
  GError  *error;
} End;

static gboolean
end_cb (gpointer data)
{
  End *end = data;
  TareStudy *self = end->mailbox->study;

  if (self != NULL && self->generation == end->generation)
    {
      g_clear_object (&self->job);
      if (self->klass->done != NULL)
        self->klass->done (self->owner, end->error);
    }

  return G_SOURCE_REMOVE;
}

static void
end_free (gpointer data)
{
  End *end = data;

  g_clear_error (&end->error);
  g_atomic_rc_box_release (end->mailbox);
  g_free (end);
}

static void
done (TareJob      *job,
      const GError *error,
      gpointer      data)
{
  Errand *errand = data;
  End *end = g_new (End, 1);

  end->mailbox = g_atomic_rc_box_acquire (errand->mailbox);
  end->generation = errand->generation;
  end->error = error != NULL ? g_error_copy (error) : NULL;
  g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, end_cb, end, end_free);
}

/**
 * tare_study_new:
 * @klass: what it does; static
 * @session: whose model is studied; outlives the study
 * @owner: who is told; frees the study before it goes
 *
 * Returns: (transfer full): a study that has not begun
 */
TareStudy *
tare_study_new (const TareStudyClass *klass,
                TareSession          *session,
                gpointer              owner)
{
  TareStudy *self = g_new0 (TareStudy, 1);

  self->klass = klass;
  self->session = session;
  self->owner = owner;
  self->mailbox = g_atomic_rc_box_new0 (Mailbox);
  self->mailbox->study = self;

  return self;
}

/**
 * tare_study_free:
 * @self: (nullable): the study
 */
void
tare_study_free (TareStudy *self)
{
  if (self == NULL)
    return;

  tare_study_stop (self);
  self->mailbox->study = NULL;
  g_atomic_rc_box_release (self->mailbox);
  g_free (self);
}

/**
 * tare_study_start:
 * @self: the study
 * @tensor: (nullable): what to study, of the session's model
 * @request: (transfer full) (nullable): what is asked
 * @free_request: (nullable): frees it
 *
 * Asks. An earlier question that is still open is dropped. Without a model nothing happens.
 */
void
tare_study_start (TareStudy        *self,
                  const TareTensor *tensor,
                  gpointer          request,
                  GDestroyNotify    free_request)
{
  TareModel *model = tare_session_get_model (self->session);
  TareCalibration *calibration = tare_session_get_calibration (self->session);
  Errand *errand;

  tare_study_stop (self);
  if (model == NULL)
    {
      if (free_request != NULL)
        free_request (request);
      return;
    }

  errand = g_new0 (Errand, 1);
  errand->klass = self->klass;
  errand->mailbox = g_atomic_rc_box_acquire (self->mailbox);
  errand->generation = self->generation;
  errand->free_request = free_request;
  errand->task = (TareStudyTask) {
    .model = tare_model_ref (model),
    .engine = tare_engine_ref (tare_session_get_engine (self->session)),
    .recipe = tare_recipe_ref (tare_session_get_recipe (self->session)),
    .calibration = calibration != NULL ? tare_calibration_ref (calibration) : NULL,
    .tensor = tensor,
    .request = request,
  };
  self->job = tare_job_new (_(self->klass->title), work, done, errand, errand_free);
  tare_job_queue_push (tare_session_get_jobs (self->session), TARE_JOB_LANE_VIEWS,
                       self->klass->priority, self->job);
}

/**
 * tare_study_stop:
 * @self: the study
 *
 * Drops the question, if one is open; its owner hears nothing more of it.
 */
void
tare_study_stop (TareStudy *self)
{
  self->generation++;
  if (self->job != NULL)
    tare_job_cancel (self->job);
  g_clear_object (&self->job);
}

/**
 * tare_study_is_running:
 * @self: the study
 *
 * Returns: whether a question is open
 */
gboolean
tare_study_is_running (TareStudy *self)
{
  return self->job != NULL;
}
