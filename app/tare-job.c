/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-job-private.h"

#include <math.h>

/*
 * The worker writes what it has reached under a lock; one idle at a time carries it to the main
 * thread, however often the worker reports.
 */
struct _TareJob
{
  GObject         parent_instance;

  char           *title;
  TareJobWork     work;
  TareJobDone     done;
  gpointer        data;
  GDestroyNotify  destroy;
  GCancellable   *cancellable;
  GError         *error;

  TareJobState    state;
  double          progress;
  double          remaining;
  char           *stage;
  gint64          started;

  GMutex          lock;
  double          reached;
  char           *reached_stage;
  gboolean        report_pending;
};

enum
{
  PROP_0,
  PROP_TITLE,
  PROP_STAGE,
  PROP_PROGRESS,
  PROP_REMAINING,
  PROP_STATE,
  N_PROPS,
};

G_DEFINE_FINAL_TYPE (TareJob, tare_job, G_TYPE_OBJECT)

static GParamSpec *properties[N_PROPS];

/* Before this many seconds a guess at the rest would only flicker. */
#define REMAINING_AFTER 0.7

static void
tare_job_finalize (GObject *object)
{
  TareJob *self = (TareJob *) object;

  if (self->destroy != NULL)
    self->destroy (self->data);
  g_clear_pointer (&self->title, g_free);
  g_clear_pointer (&self->stage, g_free);
  g_clear_pointer (&self->reached_stage, g_free);
  g_clear_object (&self->cancellable);
  g_clear_error (&self->error);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (tare_job_parent_class)->finalize (object);
}

static void
tare_job_get_property (GObject    *object,
                       guint       prop_id,
                       GValue     *value,
                       GParamSpec *pspec)
{
  TareJob *self = (TareJob *) object;

  switch (prop_id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;

    case PROP_STAGE:
      g_value_set_string (value, self->stage);
      break;

    case PROP_PROGRESS:
      g_value_set_double (value, self->progress);
      break;

    case PROP_REMAINING:
      g_value_set_double (value, self->remaining);
      break;

    case PROP_STATE:
      g_value_set_int (value, self->state);
      break;

    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
tare_job_class_init (TareJobClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->finalize = tare_job_finalize;
  object_class->get_property = tare_job_get_property;

  properties[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  properties[PROP_STAGE] = g_param_spec_string ("stage", NULL, NULL, NULL, flags);
  properties[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, 0.0, 1.0, 0.0, flags);
  properties[PROP_REMAINING] =
    g_param_spec_double ("remaining", NULL, NULL, -1.0, G_MAXDOUBLE, -1.0, flags);
  properties[PROP_STATE] =
    g_param_spec_int ("state", NULL, NULL, TARE_JOB_STATE_QUEUED, TARE_JOB_STATE_CANCELLED,
                      TARE_JOB_STATE_QUEUED, flags);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
tare_job_init (TareJob *self)
{
  g_mutex_init (&self->lock);
  self->cancellable = g_cancellable_new ();
  self->remaining = -1.0;
}

static void
set_state (TareJob      *self,
           TareJobState  state)
{
  if (self->state == state)
    return;

  self->state = state;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
}

static void
update_remaining (TareJob *self)
{
  double elapsed = (double) (g_get_monotonic_time () - self->started) / G_USEC_PER_SEC;
  double remaining = -1.0;

  if (elapsed > REMAINING_AFTER && self->progress > 0.01)
    remaining = ceil (elapsed * (1.0 - self->progress) / self->progress);
  if (self->remaining != remaining)
    {
      self->remaining = remaining;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_REMAINING]);
    }
}

static gboolean
report_cb (gpointer user_data)
{
  TareJob *self = user_data;
  g_autofree char *stage = NULL;
  double reached;

  g_mutex_lock (&self->lock);
  reached = self->reached;
  stage = g_steal_pointer (&self->reached_stage);
  self->report_pending = FALSE;
  g_mutex_unlock (&self->lock);

  if (self->state != TARE_JOB_STATE_QUEUED && self->state != TARE_JOB_STATE_RUNNING)
    return G_SOURCE_REMOVE;

  if (self->state == TARE_JOB_STATE_QUEUED)
    self->started = g_get_monotonic_time ();
  set_state (self, TARE_JOB_STATE_RUNNING);

  if (stage != NULL && g_strcmp0 (stage, self->stage) != 0)
    {
      g_free (self->stage);
      self->stage = g_steal_pointer (&stage);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STAGE]);
    }
  if (self->progress != reached)
    {
      self->progress = reached;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PROGRESS]);
    }
  update_remaining (self);

  return G_SOURCE_REMOVE;
}

/* In the worker's thread. */
static void
report (double      fraction,
        const char *stage,
        gpointer    data)
{
  TareJob *self = data;
  gboolean pending;

  g_mutex_lock (&self->lock);
  self->reached = CLAMP (fraction, 0.0, 1.0);
  if (stage != NULL && g_strcmp0 (stage, self->reached_stage) != 0)
    {
      g_free (self->reached_stage);
      self->reached_stage = g_strdup (stage);
    }
  pending = self->report_pending;
  self->report_pending = TRUE;
  g_mutex_unlock (&self->lock);

  if (!pending)
    g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, report_cb, g_object_ref (self), g_object_unref);
}

static gboolean
finish_cb (gpointer user_data)
{
  TareJob *self = user_data;
  TareJobState state = TARE_JOB_STATE_DONE;

  if (g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    state = TARE_JOB_STATE_CANCELLED;
  else if (self->error != NULL)
    state = TARE_JOB_STATE_FAILED;

  set_state (self, state);
  if (self->done != NULL)
    self->done (self, self->error, self->data);

  return G_SOURCE_REMOVE;
}

/**
 * _tare_job_run:
 * @self: (transfer full): the job
 *
 * Does the work in this thread and hands the outcome to the main thread, and the reference with
 * it, so that a job never ends in a worker's hands.
 */
void
_tare_job_run (TareJob *self)
{
  TareProgress progress = TARE_PROGRESS_INIT (self->cancellable, report, self);

  if (tare_progress_step (&progress, 0.0, NULL, &self->error)
      && !self->work (&progress, self->data, &self->error)
      && self->error == NULL)
    g_set_error_literal (&self->error, G_IO_ERROR, G_IO_ERROR_FAILED, "The work failed");

  g_idle_add_full (G_PRIORITY_DEFAULT, finish_cb, self, g_object_unref);
}

/**
 * tare_job_new:
 * @title: what a person reads
 * @work: what to do in another thread
 * @done: (nullable): what to do in the main thread afterwards
 * @data: closure of both
 * @destroy: (nullable): frees @data after @done, in the main thread
 *
 * Returns: (transfer full): a job to push to a queue
 */
TareJob *
tare_job_new (const char     *title,
              TareJobWork     work,
              TareJobDone     done,
              gpointer        data,
              GDestroyNotify  destroy)
{
  TareJob *self = g_object_new (TARE_TYPE_JOB, NULL);

  self->title = g_strdup (title);
  self->work = work;
  self->done = done;
  self->data = data;
  self->destroy = destroy;

  return self;
}

const char *
tare_job_get_title (TareJob *self)
{
  g_return_val_if_fail (TARE_IS_JOB (self), NULL);

  return self->title;
}

/**
 * tare_job_get_stage:
 * @self: the job
 *
 * Returns: (nullable): what it is doing
 */
const char *
tare_job_get_stage (TareJob *self)
{
  g_return_val_if_fail (TARE_IS_JOB (self), NULL);

  return self->stage;
}

double
tare_job_get_progress (TareJob *self)
{
  g_return_val_if_fail (TARE_IS_JOB (self), 0.0);

  return self->progress;
}

/**
 * tare_job_get_remaining:
 * @self: the job
 *
 * Returns: seconds that are left at the pace so far, or -1 while that is unknown
 */
double
tare_job_get_remaining (TareJob *self)
{
  g_return_val_if_fail (TARE_IS_JOB (self), -1.0);

  return self->remaining;
}

TareJobState
tare_job_get_state (TareJob *self)
{
  g_return_val_if_fail (TARE_IS_JOB (self), TARE_JOB_STATE_FAILED);

  return self->state;
}

/**
 * tare_job_is_active:
 * @self: the job
 *
 * Returns: whether it waits or runs
 */
gboolean
tare_job_is_active (TareJob *self)
{
  g_return_val_if_fail (TARE_IS_JOB (self), FALSE);

  return self->state == TARE_JOB_STATE_QUEUED || self->state == TARE_JOB_STATE_RUNNING;
}

/**
 * tare_job_cancel:
 * @self: the job
 *
 * Asks it to stop; it ends as cancelled within a tenth of a second, and keeps what it had.
 */
void
tare_job_cancel (TareJob *self)
{
  g_return_if_fail (TARE_IS_JOB (self));

  g_cancellable_cancel (self->cancellable);
}
