/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/calibration/tare-calibrator.h"
#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TareEvaluation:
 *
 * One evaluator with the text it scores. Made in the main thread without cost, filled and used in
 * the engine lane only, which runs one job at a time: it needs no lock.
 */
typedef struct
{
  gint           ref_count;
  TareModel     *model;
  char          *text_path;
  TareEvaluator *evaluator;
} TareEvaluation;

/**
 * TareMailbox:
 * @session: (nullable): who reads it; only the main thread looks
 *
 * Where workers send what they find. They hold the mailbox and never the session, which could
 * otherwise end in a worker's hands.
 */
typedef struct
{
  TareSession *session;
} TareMailbox;

typedef enum
{
  TARE_SESSION_SIGNAL_MODEL_CHANGED,
  TARE_SESSION_SIGNAL_RECIPE_CHANGED,
  TARE_SESSION_SIGNAL_SELECTION_CHANGED,
  TARE_SESSION_SIGNAL_LAYER_CHANGED,
  TARE_SESSION_SIGNAL_FIGURES_CHANGED,
  TARE_SESSION_SIGNAL_CALIBRATION_CHANGED,
  TARE_SESSION_SIGNAL_CALIBRATION_HALTED,
  TARE_SESSION_SIGNAL_FAILED,
  TARE_SESSION_SIGNAL_NOTICE,
  TARE_SESSION_SIGNAL_LOCKS_KEPT,
  TARE_SESSION_N_SIGNALS,
} TareSessionSignal;

struct _TareSession
{
  GObject           parent_instance;

  TareMailbox      *mailbox;
  TareJobQueue     *jobs;
  TareJob          *opening;
  TareJob          *surveying;
  TareJob          *checking;
  TareJob          *calibrating;
  TareJob          *weighing;
  TareJob          *weighing_recipe;
  TareJob          *measuring;
  guint             measure_source;
  guint             keep_source;

  TareModel        *model;
  TareEngine       *engine;
  GListStore       *layers;
  GArray           *selection;
  GArray           *kept;             /* locked layers that the last change left alone */
  GPtrArray        *sites;
  TareChannelSelection *channels;
  GArray           *site_selection;

  TareHistory      *history;
  TareAssignment    brush;
  TareAssignment    site_brush;
  char             *recipe_path;

  TareCalibration  *calibration;
  TareCalibrator   *halted;
  guint64           halted_hash;
  const TareFormat *reference;
  char             *evaluation_text;
  char             *calibration_text;
  TareEvaluation   *evaluation;
  char             *trouble;

  TareRecipeSize    size;
  TareAccuracy      base_accuracy;
  TareFigureState   base_state;
  TareAccuracy      accuracy;
  TareFigureState   state;
  TareTokenScores  *token_scores;
  /* What the accuracy is of, and the recipe that was to be measured last. */
  TareRecipe       *measured;
  TareCalibration  *measured_calibration;
  TareRecipe       *scheduled;
};

void _tare_session_emit            (TareSession       *self,
                                    TareSessionSignal  signal);
void _tare_session_emit_layer      (TareSession       *self,
                                    guint              index);
void _tare_session_emit_kept       (TareSession       *self,
                                    guint              n);
void _tare_session_fail            (TareSession       *self,
                                    const char        *title,
                                    const GError      *error);
void _tare_session_notice          (TareSession       *self,
                                    const char        *message);
void _tare_session_tell_unmatched  (TareSession       *self,
                                    TareRecipe        *recipe);
void _tare_session_set_model       (TareSession       *self,
                                    TareModel         *model);
void _tare_session_set_calibration (TareSession       *self,
                                    TareCalibration   *calibration);
void _tare_session_start_survey    (TareSession       *self);
void _tare_session_start_weighing  (TareSession       *self);
void _tare_session_cancel_work     (TareSession       *self);
void _tare_session_schedule        (TareSession       *self);
void _tare_session_set_measured    (TareSession       *self,
                                    TareRecipe        *recipe,
                                    TareCalibration   *calibration);
void _tare_session_drop_evaluation (TareSession       *self);
void _tare_session_take_trouble    (TareSession       *self,
                                    const GError      *error);
void _tare_session_drop_halted     (TareSession       *self);
void _tare_session_init_sites      (TareSession       *self);
void _tare_session_clear_sites     (TareSession       *self);
void _tare_session_list_sites      (TareSession       *self);
GArray *
     _tare_session_sort_indices    (const guint       *indices,
                                    guint              n_indices,
                                    guint              n);
gboolean
     _tare_session_take_selection  (GArray           **selection,
                                    GArray            *next);
void _tare_session_keep_soon       (TareSession       *self);
void _tare_session_forget          (TareSession       *self);
void _tare_session_recover         (TareSession       *self);

G_END_DECLS
