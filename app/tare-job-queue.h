/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-job.h"

G_BEGIN_DECLS

/**
 * TareJobLane:
 * @TARE_JOB_LANE_FILES: reading files and statistics
 * @TARE_JOB_LANE_ENGINE: what keeps all cores busy
 * @TARE_JOB_LANE_VIEWS: what a page wants to show, which a person waits for
 *
 * Each lane runs one job at a time, in the order in which they came, so that a long evaluation
 * does not hold up the opening of a file and two evaluations do not fight for the cores.
 */
typedef enum
{
  TARE_JOB_LANE_FILES,
  TARE_JOB_LANE_ENGINE,
  TARE_JOB_LANE_VIEWS,
  TARE_JOB_N_LANES,
} TareJobLane;

/**
 * TareJobPriority:
 * @TARE_JOB_PRIORITY_ASKED: a person asked for it
 * @TARE_JOB_PRIORITY_FIGURES: it makes the figures of the recipe true again
 * @TARE_JOB_PRIORITY_BACKGROUND: nobody waits for it
 *
 * What goes first of the jobs that wait in a lane; of the same kind, the one that came first.
 */
typedef enum
{
  TARE_JOB_PRIORITY_ASKED,
  TARE_JOB_PRIORITY_FIGURES,
  TARE_JOB_PRIORITY_BACKGROUND,
} TareJobPriority;

#define TARE_TYPE_JOB_QUEUE (tare_job_queue_get_type ())
G_DECLARE_FINAL_TYPE (TareJobQueue, tare_job_queue, TARE, JOB_QUEUE, GObject)

TareJobQueue *tare_job_queue_new        (void);
void          tare_job_queue_push       (TareJobQueue    *self,
                                         TareJobLane      lane,
                                         TareJobPriority  priority,
                                         TareJob         *job);
void          tare_job_queue_cancel_all (TareJobQueue    *self);

G_END_DECLS
