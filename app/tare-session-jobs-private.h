/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/calibration/tare-calibrator.h"
#include "app/tare-session-private.h"

G_BEGIN_DECLS

/* Tokens of a chunk: half the usual, so that twice as many chunks fit the same wait. */
#define TARE_SESSION_CONTEXT 256

/**
 * TareErrand:
 *
 * All that a job needs, and what it brings back. It never touches the session, which it reaches by
 * its mailbox in the main thread only.
 */
typedef struct
{
  TareMailbox       *mailbox;
  TareModel         *model;
  TareEngine        *engine;
  TareRecipe        *recipe;
  TareCalibration   *calibration;
  TareEvaluation    *evaluation;
  char              *path;
  const TareTarget  *target;
  TareAssignment     assignment;
  GArray            *wanted;
  GArray            *exported;
  TareCalibration   *new_calibration;
  TareCalibrator    *calibrator;
  guint64            text_hash;
  TareModel         *new_model;
  TareAccuracy       base_accuracy;
  TareAccuracy       accuracy;
  gboolean           has_accuracy;
  TareTokenScores   *token_scores;
} TareErrand;

TareErrand *_tare_errand_new          (TareSession      *self);
TareJob    *_tare_session_send_errand (TareSession      *self,
                                       TareJobLane       lane,
                                       TareJobPriority   priority,
                                       const char       *title,
                                       TareJobWork       work,
                                       TareJobDone       done,
                                       TareErrand       *errand);
void        _tare_session_forget_job  (TareJob         **slot,
                                       TareJob          *job);
void        _tare_session_cancel_job  (TareJob         **slot);

TareEvaluation *
            _tare_session_ref_evaluation (TareSession     *self);
gboolean    _tare_evaluation_prepare     (TareEvaluation  *evaluation,
                                          GError         **error);
void        _tare_evaluation_unref       (TareEvaluation  *evaluation);

G_END_DECLS
