/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-session-jobs-private.h"

#include <glib/gi18n.h>
#include <math.h>

#include "analysis/sensitivity/tare-measure.h"
#include "analysis/statistics/tare-statistics-cache.h"
#include "app/tare-text.h"

/*
 * Work in other threads. Each job gets a TareErrand: all that it needs, held by references, so that
 * it never touches the session; what it finds comes back through the main loop, where it is
 * dropped when the session has moved on.
 */

/* A change is measured once the hand has rested this long. */
#define MEASURE_AFTER_MS 200

/* Up to here a measurement starts by itself. */
#define MEASURE_UNASKED 5e11

typedef enum
{
  NEWS_STATISTICS,
  NEWS_ERROR,
  NEWS_LOSS,
  NEWS_SENSITIVITY,
} NewsKind;

/* What a worker found out about one layer. */
typedef struct
{
  TareMailbox     *mailbox;
  TareModel       *model;
  guint            index;
  NewsKind         kind;
  TareStatistics  *statistics;
  TareAssignment   assignment;
  TareCalibration *calibration;
  double           value;
} News;

static void
errand_free (gpointer data)
{
  TareErrand *errand = data;

  g_clear_pointer (&errand->mailbox, g_atomic_rc_box_release);
  g_clear_pointer (&errand->calibrator, tare_calibrator_free);
  g_clear_pointer (&errand->evaluation, _tare_evaluation_unref);
  g_clear_pointer (&errand->engine, tare_engine_unref);
  g_clear_pointer (&errand->model, tare_model_unref);
  g_clear_pointer (&errand->recipe, tare_recipe_unref);
  g_clear_pointer (&errand->calibration, tare_calibration_unref);
  g_clear_pointer (&errand->new_calibration, tare_calibration_unref);
  g_clear_pointer (&errand->new_model, tare_model_unref);
  g_clear_pointer (&errand->token_scores, tare_token_scores_unref);
  g_clear_pointer (&errand->wanted, g_array_unref);
  g_clear_pointer (&errand->exported, g_array_unref);
  g_free (errand->path);
  g_free (errand);
}

TareErrand *
_tare_errand_new (TareSession *self)
{
  TareErrand *errand = g_new0 (TareErrand, 1);

  errand->mailbox = g_atomic_rc_box_acquire (self->mailbox);
  errand->model = self->model != NULL ? tare_model_ref (self->model) : NULL;
  errand->engine = self->engine != NULL ? tare_engine_ref (self->engine) : NULL;
  errand->recipe = tare_recipe_ref (tare_session_get_recipe (self));
  errand->calibration = self->calibration != NULL ? tare_calibration_ref (self->calibration) : NULL;

  return errand;
}

TareJob *
_tare_session_send_errand (TareSession      *self,
                           TareJobLane       lane,
                           TareJobPriority   priority,
                           const char       *title,
                           TareJobWork       work,
                           TareJobDone       done,
                           TareErrand       *errand)
{
  g_autoptr(TareJob) job = tare_job_new (title, work, done, errand, errand_free);

  tare_job_queue_push (self->jobs, lane, priority, job);

  return g_steal_pointer (&job);
}

static void
news_free (gpointer data)
{
  News *news = data;

  g_clear_pointer (&news->mailbox, g_atomic_rc_box_release);
  g_clear_pointer (&news->model, tare_model_unref);
  g_clear_pointer (&news->statistics, tare_statistics_unref);
  g_clear_pointer (&news->calibration, tare_calibration_unref);
  g_free (news);
}

static gboolean
is_assigned (TareLayer            *layer,
             const TareAssignment *assignment)
{
  TareAssignment present = tare_layer_get_assignment (layer);

  return present.format == assignment->format && present.method == assignment->method
         && present.range == assignment->range;
}

static gboolean
is_for_present (TareSession *session,
                TareLayer   *layer,
                const News  *news)
{
  if (news->kind == NEWS_STATISTICS)
    return TRUE;
  if (session->calibration != news->calibration)
    return FALSE;
  if (news->kind == NEWS_SENSITIVITY)
    return session->reference == news->assignment.format;

  return is_assigned (layer, &news->assignment);
}

static gboolean
news_cb (gpointer data)
{
  News *news = data;
  TareSession *session = news->mailbox->session;
  TareLayer *layer;

  if (session == NULL || session->model != news->model)
    return G_SOURCE_REMOVE;

  layer = tare_session_get_layer (session, news->index);
  if (!is_for_present (session, layer, news))
    return G_SOURCE_REMOVE;

  if (news->kind == NEWS_STATISTICS)
    tare_layer_set_statistics (layer, news->statistics);
  else if (news->kind == NEWS_ERROR)
    tare_layer_set_error (layer, news->value);
  else if (news->kind == NEWS_SENSITIVITY)
    tare_layer_set_sensitivity (layer, news->value);
  /* The reference may be what the layer is assigned. */
  if (news->kind == NEWS_LOSS
      || (news->kind == NEWS_SENSITIVITY && is_assigned (layer, &news->assignment)))
    tare_layer_set_loss (layer, news->value);
  _tare_session_emit_layer (session, news->index);

  return G_SOURCE_REMOVE;
}

/* In a worker's thread. */
static void
send_news (TareErrand           *errand,
           NewsKind              kind,
           guint                 index,
           TareStatistics       *statistics,
           const TareAssignment *assignment,
           double                value)
{
  News *news = g_new0 (News, 1);

  news->mailbox = g_atomic_rc_box_acquire (errand->mailbox);
  news->model = tare_model_ref (errand->model);
  news->index = index;
  news->kind = kind;
  news->statistics = statistics;
  news->calibration =
    errand->calibration != NULL ? tare_calibration_ref (errand->calibration) : NULL;
  if (assignment != NULL)
    news->assignment = *assignment;
  news->value = value;
  g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, news_cb, news, news_free);
}

void
_tare_session_forget_job (TareJob **slot,
            TareJob  *job)
{
  if (*slot == job)
    g_clear_object (slot);
}

void
_tare_session_cancel_job (TareJob **slot)
{
  if (*slot != NULL)
    tare_job_cancel (*slot);
  g_clear_object (slot);
}

void
_tare_session_cancel_work (TareSession *self)
{
  g_clear_handle_id (&self->measure_source, g_source_remove);
  _tare_session_cancel_job (&self->surveying);
  _tare_session_cancel_job (&self->checking);
  _tare_session_cancel_job (&self->calibrating);
  _tare_session_cancel_job (&self->weighing);
  _tare_session_cancel_job (&self->weighing_recipe);
  _tare_session_cancel_job (&self->measuring);
}

/* --- opening --- */

static gboolean
open_work (const TareProgress  *progress,
           gpointer             data,
           GError             **error)
{
  TareErrand *errand = data;

  errand->new_model = tare_model_open (errand->path, error);

  return errand->new_model != NULL;
}

static void
open_done (TareJob      *job,
           const GError *error,
           gpointer      data)
{
  TareErrand *errand = data;
  TareSession *session = errand->mailbox->session;

  if (session == NULL || session->opening != job)
    return;

  g_clear_object (&session->opening);
  if (error != NULL)
    {
      _tare_session_fail (session, _("The model could not be opened"), error);
      _tare_session_emit (session, TARE_SESSION_SIGNAL_FIGURES_CHANGED);
      return;
    }

  _tare_session_set_model (session, errand->new_model);
  _tare_session_recover (session);
  _tare_session_start_survey (session);
  _tare_session_schedule (session);
}

/**
 * tare_session_open:
 * @self: the session
 * @path: a GGUF, a safetensors file or a Hugging Face folder
 *
 * Opens it in the background. The model that is open stays until the new one is, and stays for
 * good when the new one cannot be read.
 */
void
tare_session_open (TareSession *self,
                   const char  *path)
{
  TareErrand *errand;

  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (path != NULL);

  _tare_session_cancel_job (&self->opening);
  errand = _tare_errand_new (self);
  errand->path = g_strdup (path);
  self->opening = _tare_session_send_errand (self, TARE_JOB_LANE_FILES, TARE_JOB_PRIORITY_ASKED,
                                             _("Opening"), open_work, open_done, errand);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_FIGURES_CHANGED);
}

/* --- statistics, layer by layer --- */

static gboolean
survey_work (const TareProgress  *progress,
             gpointer             data,
             GError             **error)
{
  TareErrand *errand = data;
  gsize n = tare_model_get_n_tensors (errand->model);

  for (gsize i = 0; i < n; i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (errand->model, i);
      TareProgress part = tare_progress_part (progress, (double) i / (double) n,
                                              (double) (i + 1) / (double) n);
      g_autoptr(GError) local = NULL;
      TareStatistics *statistics;

      if (!tare_tensor_can_read (tensor))
        continue;

      statistics = tare_statistics_cache_measure (tare_statistics_cache_get_default (), tensor,
                                                  &part, &local);
      if (statistics != NULL)
        send_news (errand, NEWS_STATISTICS, (guint) i, statistics, NULL, 0.0);
      if (!tare_progress_step (&part, 1.0, tensor->canonical, error))
        return FALSE;
      if (local != NULL)
        g_debug ("%s: %s", tensor->canonical, local->message);
    }

  return TRUE;
}

/* For work whose findings came one by one: nothing is left to take over. */
static void
streamed_done (TareJob      *job,
               const GError *error,
               gpointer      data)
{
  TareErrand *errand = data;
  TareSession *session = errand->mailbox->session;

  if (session == NULL)
    return;

  _tare_session_forget_job (&session->surveying, job);
  _tare_session_forget_job (&session->weighing, job);
  _tare_session_forget_job (&session->weighing_recipe, job);
}

void
_tare_session_start_survey (TareSession *self)
{
  _tare_session_cancel_job (&self->surveying);
  if (self->model != NULL)
    self->surveying = _tare_session_send_errand (self, TARE_JOB_LANE_FILES,
                                                 TARE_JOB_PRIORITY_BACKGROUND,
                                                 _("Reading the weights"), survey_work,
                                                 streamed_done, _tare_errand_new (self));
}

/* --- the proxy loss, of every layer in one format and of what the recipe changed --- */

/* All layers in one format to compare them, or those that are wanted as the recipe has them. */
static TareAssignment
choose_assignment (TareErrand       *errand,
                   const TareTensor *tensor)
{
  return errand->wanted == NULL ? errand->assignment
                                : tare_recipe_resolve (errand->recipe, tensor);
}

static gboolean
weigh_work (const TareProgress  *progress,
            gpointer             data,
            GError             **error)
{
  TareErrand *errand = data;
  const TareMeasure *measure = tare_measure_lookup ("proxy_loss");
  g_autoptr(TareMeasureContext) context = tare_measure_context_new (errand->engine,
                                                                    errand->calibration);
  NewsKind kind = errand->wanted == NULL ? NEWS_SENSITIVITY : NEWS_LOSS;
  guint n = errand->wanted == NULL ? (guint) tare_model_get_n_tensors (errand->model)
                                   : errand->wanted->len;

  for (guint i = 0; i < n; i++)
    {
      guint index = errand->wanted == NULL ? i : g_array_index (errand->wanted, guint, i);
      const TareTensor *tensor = tare_model_get_tensor (errand->model, index);
      TareAssignment assignment = choose_assignment (errand, tensor);
      TareProgress part = tare_progress_part (progress, (double) i / n, (double) (i + 1) / n);
      g_autoptr(GError) local = NULL;
      TareMeasureValue value;

      if (!tare_progress_step (&part, 0.0, tensor->canonical, error))
        return FALSE;
      if (!tare_tensor_is_weight (tensor))
        continue;

      if (!tare_measure_compute (measure, context, tensor, &assignment, &part, &value, &local))
        g_debug ("%s: %s", tensor->canonical, local->message);
      send_news (errand, kind, index, NULL, &assignment, value.value);
    }

  return TRUE;
}

void
_tare_session_start_weighing (TareSession *self)
{
  TareErrand *errand;

  _tare_session_cancel_job (&self->weighing);
  if (self->model == NULL || self->calibration == NULL)
    return;

  errand = _tare_errand_new (self);
  errand->assignment = self->brush;
  errand->assignment.format = self->reference;
  self->weighing = _tare_session_send_errand (self, TARE_JOB_LANE_ENGINE,
                                              TARE_JOB_PRIORITY_BACKGROUND,
                                              _("Weighing the layers"), weigh_work, streamed_done,
                                              errand);
}

/* What each layer that has a format costs in it, where that is not known yet. */
static void
weigh_recipe (TareSession *self)
{
  g_autoptr(GArray) wanted = g_array_new (FALSE, FALSE, sizeof (guint));
  TareErrand *errand;

  _tare_session_cancel_job (&self->weighing_recipe);
  for (guint i = 0; i < tare_session_get_n_layers (self); i++)
    {
      TareLayer *layer = tare_session_get_layer (self, i);

      if (tare_layer_get_assignment (layer).format != NULL && isnan (tare_layer_get_loss (layer)))
        g_array_append_val (wanted, i);
    }
  if (wanted->len == 0 || self->calibration == NULL)
    return;

  errand = _tare_errand_new (self);
  errand->wanted = g_steal_pointer (&wanted);
  self->weighing_recipe = _tare_session_send_errand (self, TARE_JOB_LANE_ENGINE,
                                                     TARE_JOB_PRIORITY_BACKGROUND,
                                                     _("Weighing the layers"), weigh_work,
                                                     streamed_done, errand);
}

/* --- measuring: errors of the layers, then accuracy --- */

static gboolean
quantize_layers (TareErrand          *errand,
                 const TareProgress  *progress,
                 GError             **error)
{
  for (guint i = 0; i < errand->wanted->len; i++)
    {
      guint index = g_array_index (errand->wanted, guint, i);
      const TareTensor *tensor = tare_model_get_tensor (errand->model, index);
      TareAssignment assignment = tare_recipe_resolve (errand->recipe, tensor);
      TareProgress part = tare_progress_part (progress, (double) i / errand->wanted->len,
                                              (double) (i + 1) / errand->wanted->len);
      g_autoptr(TareQuantized) quantized = NULL;

      if (!tare_progress_step (&part, 0.0, _("Quantizing"), error))
        return FALSE;
      if (assignment.format == NULL)
        continue;

      quantized = tare_engine_quantize (errand->engine, tensor, &assignment, errand->calibration,
                                        &part, error);
      if (quantized == NULL)
        return FALSE;
      send_news (errand, NEWS_ERROR, index, NULL, &assignment, quantized->distortion.relative);
    }

  return TRUE;
}

static gboolean
measure_work (const TareProgress  *progress,
              gpointer             data,
              GError             **error)
{
  TareErrand *errand = data;
  TareProgress first = tare_progress_part (progress, 0.0, 0.2);
  TareProgress second = tare_progress_part (progress, 0.2, 0.6);
  TareProgress third = tare_progress_part (progress, 0.6, 1.0);
  g_autoptr(TareRecipeWeights) weights = NULL;

  if (!quantize_layers (errand, &first, error))
    return FALSE;
  if (errand->evaluation == NULL)
    return TRUE;

  if (!tare_progress_step (&second, 0.0, _("Measuring the model as it is"), error)
      || !_tare_evaluation_prepare (errand->evaluation, error)
      || !tare_evaluator_run_base (errand->evaluation->evaluator, &errand->base_accuracy, &second,
                                   error)
      || !tare_progress_step (&third, 0.0, _("Measuring the recipe"), error))
    return FALSE;

  weights = tare_recipe_weights_new (errand->engine, errand->recipe, errand->calibration);
  errand->has_accuracy = tare_evaluator_run (errand->evaluation->evaluator, &weights->weights,
                                             &errand->accuracy, &third, error);
  if (errand->has_accuracy)
    errand->token_scores = tare_evaluator_get_token_scores (errand->evaluation->evaluator);

  return errand->has_accuracy;
}

static void
measure_done (TareJob      *job,
              const GError *error,
              gpointer      data)
{
  TareErrand *errand = data;
  TareSession *session = errand->mailbox->session;

  if (session == NULL)
    return;

  if (session->measuring == job)
    _tare_session_take_trouble (session, error);
  _tare_session_forget_job (&session->measuring, job);
  if (errand->has_accuracy && session->evaluation == errand->evaluation)
    {
      session->base_accuracy = errand->base_accuracy;
      session->base_state = TARE_FIGURE_STATE_CURRENT;
      session->accuracy = errand->accuracy;
      g_clear_pointer (&session->token_scores, tare_token_scores_unref);
      session->token_scores = g_steal_pointer (&errand->token_scores);
      _tare_session_set_measured (session, errand->recipe, errand->calibration);
    }
  if (error == NULL)
    weigh_recipe (session);
  _tare_session_emit (session, TARE_SESSION_SIGNAL_FIGURES_CHANGED);
}

static GArray *
list_unmeasured (TareSession *self)
{
  GArray *wanted = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < tare_session_get_n_layers (self); i++)
    if (!tare_layer_is_measured (tare_session_get_layer (self, i)))
      g_array_append_val (wanted, i);

  return wanted;
}

/* What was to be measured before is given up. */
static void
begin_measuring (TareSession *self)
{
  g_clear_handle_id (&self->measure_source, g_source_remove);
  _tare_session_cancel_job (&self->measuring);
  g_clear_pointer (&self->scheduled, tare_recipe_unref);
  self->scheduled = tare_recipe_ref (tare_session_get_recipe (self));
}

/**
 * tare_session_measure:
 * @self: the session
 *
 * Quantizes what changed and measures the recipe in the background. A measurement of an earlier
 * recipe that still runs is given up. What goes wrong is for tare_session_get_trouble() to say.
 */
void
tare_session_measure (TareSession *self)
{
  TareErrand *errand;

  g_return_if_fail (TARE_IS_SESSION (self));

  begin_measuring (self);
  _tare_session_take_trouble (self, NULL);
  if (self->model == NULL)
    return;

  errand = _tare_errand_new (self);
  errand->wanted = list_unmeasured (self);
  errand->evaluation = _tare_session_ref_evaluation (self);
  self->measuring = _tare_session_send_errand (self, TARE_JOB_LANE_ENGINE,
                                               TARE_JOB_PRIORITY_FIGURES, _("Measuring"),
                                               measure_work, measure_done, errand);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_FIGURES_CHANGED);
}

gboolean
tare_session_is_measuring (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), FALSE);

  return self->measuring != NULL || self->measure_source != 0;
}

static gboolean
measure_cb (gpointer data)
{
  TareSession *self = data;

  self->measure_source = 0;
  tare_session_measure (self);

  return G_SOURCE_REMOVE;
}

/* Measures soon, by itself, where that is cheap enough not to be asked for. */
void
_tare_session_schedule (TareSession *self)
{
  double chunk;

  begin_measuring (self);
  if (self->model == NULL)
    return;

  chunk = (double) tare_model_get_n_weights (self->model) * TARE_SESSION_CONTEXT;
  if (4.0 * chunk <= MEASURE_UNASKED)
    self->measure_source = g_timeout_add (MEASURE_AFTER_MS, measure_cb, self);
}

/* --- exporting --- */

static gboolean
export_work (const TareProgress  *progress,
             gpointer             data,
             GError             **error)
{
  TareErrand *errand = data;

  errand->exported = g_array_new (FALSE, FALSE, sizeof (TareExported));

  return tare_target_write (errand->target, errand->engine, errand->recipe, errand->calibration,
                            errand->path, errand->exported, progress, error);
}

static guint64
count_bytes (GArray *exported)
{
  guint64 bytes = 0;

  for (guint i = 0; i < exported->len; i++)
    bytes += g_array_index (exported, TareExported, i).bytes;

  return bytes;
}

static void
export_done (TareJob      *job,
             const GError *error,
             gpointer      data)
{
  TareErrand *errand = data;
  TareSession *session = errand->mailbox->session;
  g_autofree char *name = NULL;
  g_autofree char *size = NULL;
  g_autofree char *message = NULL;

  if (session == NULL)
    return;

  _tare_session_fail (session, _("The model could not be exported"), error);
  if (error != NULL)
    return;

  name = g_path_get_basename (errand->path);
  size = tare_text_bytes (count_bytes (errand->exported));
  /* translators: %s is a file name, then a size such as 2.96 MB */
  message = g_strdup_printf (_("Exported %s, %s of weights"), name, size);
  _tare_session_notice (session, message);
}

/**
 * tare_session_export:
 * @self: the session
 * @target: what to write
 * @path: where to
 *
 * Writes the model under the present recipe in the background. The signal "notice" or "failed"
 * says how it went; a file that was there before stays whole until the new one is.
 */
void
tare_session_export (TareSession      *self,
                     const TareTarget *target,
                     const char       *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareJob) job = NULL;
  TareErrand *errand;

  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (target != NULL && path != NULL);
  g_return_if_fail (self->model != NULL);

  if (!tare_target_check (target, self->model, tare_session_get_recipe (self), self->calibration,
                          &error))
    {
      _tare_session_fail (self, _("The recipe does not fit the target"), error);
      return;
    }

  errand = _tare_errand_new (self);
  errand->target = target;
  errand->path = g_strdup (path);
  job = _tare_session_send_errand (self, TARE_JOB_LANE_ENGINE, TARE_JOB_PRIORITY_ASKED,
                                   _("Exporting"), export_work, export_done, errand);
}
