/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "analysis/evaluation/tare-evaluator.h"
#include "app/tare-channel-selection.h"
#include "app/tare-history.h"
#include "app/tare-job-queue.h"
#include "app/tare-layer.h"
#include "quant/network/tare-activation-site.h"
#include "quant/recipe/tare-target.h"

G_BEGIN_DECLS

/**
 * TareFigureState:
 * @TARE_FIGURE_STATE_NONE: there is no figure yet
 * @TARE_FIGURE_STATE_STALE: it belongs to an earlier recipe
 * @TARE_FIGURE_STATE_CURRENT: it is of the recipe as it stands
 */
typedef enum
{
  TARE_FIGURE_STATE_NONE,
  TARE_FIGURE_STATE_STALE,
  TARE_FIGURE_STATE_CURRENT,
} TareFigureState;

/**
 * TareSession:
 *
 * What one window works on: a model, the recipe with its history, the selection, and all that has
 * been measured. Every view binds to it and changes it; none talks to another.
 *
 * Signals:
 * "model-changed": another model is open (or none); layers and figures are new
 * "recipe-changed": the present recipe, its undo labels or its saved mark moved
 * "selection-changed": other layers or activations are selected
 * "layer-changed" (guint index): something about one layer is known anew
 * "figures-changed": size, perplexity, KL or their states
 * "calibration-changed": a calibration was made or dropped
 * "calibration-halted": where the next calibration begins is another block
 * "failed" (const char *title, const char *message): something that the user asked for went wrong
 * "notice" (const char *message): something that the user asked for is done
 * "locks-kept" (guint n): a change left so many locked layers alone
 *
 * For the main thread only.
 */
#define TARE_TYPE_SESSION (tare_session_get_type ())
G_DECLARE_FINAL_TYPE (TareSession, tare_session, TARE, SESSION, GObject)

TareSession        *tare_session_new                  (void);
TareJobQueue       *tare_session_get_jobs             (TareSession           *self);

void                tare_session_open                 (TareSession           *self,
                                                       const char            *path);
void                tare_session_close                (TareSession           *self);
gboolean            tare_session_is_opening           (TareSession           *self);
TareModel          *tare_session_get_model            (TareSession           *self);
TareEngine         *tare_session_get_engine           (TareSession           *self);
GListModel         *tare_session_get_layers           (TareSession           *self);
TareLayer          *tare_session_get_layer            (TareSession           *self,
                                                       guint                  index);
guint               tare_session_get_n_layers         (TareSession           *self);

const guint        *tare_session_get_selection        (TareSession           *self,
                                                       guint                 *n_selected);
void                tare_session_set_selection        (TareSession           *self,
                                                       const guint           *indices,
                                                       guint                  n_indices);

TareChannelSelection *
                    tare_session_get_channel_selection (TareSession          *self);

guint               tare_session_get_n_sites          (TareSession           *self);
const TareActivationSite *
                    tare_session_get_site             (TareSession           *self,
                                                       guint                  index);
TareAssignment      tare_session_get_site_assignment  (TareSession           *self,
                                                       guint                  index);
const guint        *tare_session_get_site_selection   (TareSession           *self,
                                                       guint                 *n_selected);
void                tare_session_set_site_selection   (TareSession           *self,
                                                       const guint           *indices,
                                                       guint                  n_indices);
void                tare_session_assign_sites         (TareSession           *self,
                                                       const guint           *indices,
                                                       guint                  n_indices,
                                                       const TareAssignment  *assignment,
                                                       const char            *label);
TareAssignment      tare_session_get_site_brush       (TareSession           *self);
void                tare_session_set_site_brush       (TareSession           *self,
                                                       const TareAssignment  *assignment);
guint64             tare_session_get_cache_bytes      (TareSession           *self);

TareRecipe         *tare_session_get_recipe           (TareSession           *self);
TareHistory        *tare_session_get_history          (TareSession           *self);
void                tare_session_assign               (TareSession           *self,
                                                       const guint           *indices,
                                                       guint                  n_indices,
                                                       const TareAssignment  *assignment);
void                tare_session_assign_each          (TareSession           *self,
                                                       const guint           *indices,
                                                       guint                  n_indices,
                                                       const TareAssignment  *assignments,
                                                       const char            *label);
GArray             *tare_session_leave_locked         (TareSession           *self,
                                                       const guint           *indices,
                                                       guint                  n_indices);
void                tare_session_unlock_kept          (TareSession           *self);
void                tare_session_assign_rule          (TareSession           *self,
                                                       const char            *match,
                                                       const TareAssignment  *assignment);
TareAssignment      tare_session_get_brush            (TareSession           *self);
void                tare_session_set_brush            (TareSession           *self,
                                                       const TareAssignment  *assignment);
void                tare_session_undo                 (TareSession           *self);
void                tare_session_redo                 (TareSession           *self);
gboolean            tare_session_load_recipe          (TareSession           *self,
                                                       const char            *path,
                                                       GError               **error);
gboolean            tare_session_save_recipe          (TareSession           *self,
                                                       const char            *path,
                                                       GError               **error);
const char         *tare_session_get_recipe_path      (TareSession           *self);

void                tare_session_calibrate            (TareSession           *self,
                                                       const char            *text_path);
gboolean            tare_session_is_calibrating       (TareSession           *self);
int                 tare_session_get_halted_block     (TareSession           *self);
TareCalibration    *tare_session_get_calibration      (TareSession           *self);
void                tare_session_set_evaluation_text  (TareSession           *self,
                                                       const char            *text_path);
const char         *tare_session_get_evaluation_text  (TareSession           *self);
char               *tare_session_dup_sample_text      (gboolean               calibration);
const char         *tare_session_get_trouble          (TareSession           *self);
const char         *tare_session_get_calibration_text (TareSession           *self);
const TareFormat   *tare_session_get_reference        (TareSession           *self);
void                tare_session_set_reference        (TareSession           *self,
                                                       const TareFormat      *format);
void                tare_session_measure              (TareSession           *self);
gboolean            tare_session_is_measuring         (TareSession           *self);

TareRecipeSize      tare_session_get_size             (TareSession           *self);
TareFigureState     tare_session_get_base_accuracy    (TareSession           *self,
                                                       TareAccuracy          *accuracy);
TareFigureState     tare_session_get_accuracy         (TareSession           *self,
                                                       TareAccuracy          *accuracy);
TareTokenScores    *tare_session_get_token_scores     (TareSession           *self);

void                tare_session_export               (TareSession           *self,
                                                       const TareTarget      *target,
                                                       const char            *path);

G_END_DECLS
