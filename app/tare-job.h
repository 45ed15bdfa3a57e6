/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareJobState:
 *
 * The life of a job: queued, running, then one of the last three for good.
 */
typedef enum
{
  TARE_JOB_STATE_QUEUED,
  TARE_JOB_STATE_RUNNING,
  TARE_JOB_STATE_DONE,
  TARE_JOB_STATE_FAILED,
  TARE_JOB_STATE_CANCELLED,
} TareJobState;

#define TARE_TYPE_JOB (tare_job_get_type ())
G_DECLARE_FINAL_TYPE (TareJob, tare_job, TARE, JOB, GObject)

/**
 * TareJobWork:
 * @progress: to hand down to the engine
 * @data: the job's closure
 * @error: set on failure or cancellation
 *
 * The work, in a thread of the queue's. It shares nothing with the main thread but @data.
 */
typedef gboolean (*TareJobWork) (const TareProgress  *progress,
                                 gpointer             data,
                                 GError             **error);

/**
 * TareJobDone:
 * @job: the job
 * @error: (nullable): why it failed; also set when it was cancelled
 * @data: the job's closure, freed after this
 *
 * Called once in the main thread when the work has returned, or when it never ran.
 */
typedef void     (*TareJobDone) (TareJob             *job,
                                 const GError        *error,
                                 gpointer             data);

TareJob      *tare_job_new           (const char      *title,
                                      TareJobWork      work,
                                      TareJobDone      done,
                                      gpointer         data,
                                      GDestroyNotify   destroy);
const char   *tare_job_get_title     (TareJob         *self);
const char   *tare_job_get_stage     (TareJob         *self);
double        tare_job_get_progress  (TareJob         *self);
double        tare_job_get_remaining (TareJob         *self);
TareJobState  tare_job_get_state     (TareJob         *self);
gboolean      tare_job_is_active     (TareJob         *self);
void          tare_job_cancel        (TareJob         *self);

G_END_DECLS
