/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-session-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

/* The format that layers are compared in until the user picks another. */
#define REFERENCE_FORMAT "q4_k"
#define DEFAULT_METHOD "rtn"

G_DEFINE_FINAL_TYPE (TareSession, tare_session, G_TYPE_OBJECT)

static guint signals[TARE_SESSION_N_SIGNALS];

static void
tare_session_dispose (GObject *object)
{
  TareSession *self = (TareSession *) object;

  _tare_session_cancel_work (self);
  _tare_session_forget (self);
  self->mailbox->session = NULL;
  g_clear_object (&self->jobs);

  G_OBJECT_CLASS (tare_session_parent_class)->dispose (object);
}

static void
tare_session_finalize (GObject *object)
{
  TareSession *self = (TareSession *) object;

  _tare_session_drop_evaluation (self);
  _tare_session_drop_halted (self);
  g_clear_object (&self->history);
  g_clear_object (&self->layers);
  g_clear_pointer (&self->selection, g_array_unref);
  g_clear_object (&self->channels);
  g_clear_pointer (&self->kept, g_array_unref);
  _tare_session_clear_sites (self);
  g_clear_pointer (&self->token_scores, tare_token_scores_unref);
  g_clear_pointer (&self->measured, tare_recipe_unref);
  g_clear_pointer (&self->measured_calibration, tare_calibration_unref);
  g_clear_pointer (&self->scheduled, tare_recipe_unref);
  g_clear_pointer (&self->calibration, tare_calibration_unref);
  g_clear_pointer (&self->engine, tare_engine_unref);
  g_clear_pointer (&self->model, tare_model_unref);
  g_clear_pointer (&self->recipe_path, g_free);
  g_clear_pointer (&self->evaluation_text, g_free);
  g_clear_pointer (&self->trouble, g_free);
  g_clear_pointer (&self->calibration_text, g_free);
  g_clear_pointer (&self->mailbox, g_atomic_rc_box_release);

  G_OBJECT_CLASS (tare_session_parent_class)->finalize (object);
}

static void
add_signal (TareSessionSignal  signal,
            const char        *name,
            guint              n_params,
            GType              first,
            GType              second)
{
  signals[signal] = g_signal_new (name, TARE_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, n_params, first, second);
}

static void
tare_session_class_init (TareSessionClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = tare_session_dispose;
  object_class->finalize = tare_session_finalize;

  add_signal (TARE_SESSION_SIGNAL_MODEL_CHANGED, "model-changed", 0, 0, 0);
  add_signal (TARE_SESSION_SIGNAL_RECIPE_CHANGED, "recipe-changed", 0, 0, 0);
  add_signal (TARE_SESSION_SIGNAL_SELECTION_CHANGED, "selection-changed", 0, 0, 0);
  add_signal (TARE_SESSION_SIGNAL_LAYER_CHANGED, "layer-changed", 1, G_TYPE_UINT, 0);
  add_signal (TARE_SESSION_SIGNAL_FIGURES_CHANGED, "figures-changed", 0, 0, 0);
  add_signal (TARE_SESSION_SIGNAL_CALIBRATION_CHANGED, "calibration-changed", 0, 0, 0);
  add_signal (TARE_SESSION_SIGNAL_CALIBRATION_HALTED, "calibration-halted", 0, 0, 0);
  add_signal (TARE_SESSION_SIGNAL_FAILED, "failed", 2, G_TYPE_STRING, G_TYPE_STRING);
  add_signal (TARE_SESSION_SIGNAL_NOTICE, "notice", 1, G_TYPE_STRING, 0);
  add_signal (TARE_SESSION_SIGNAL_LOCKS_KEPT, "locks-kept", 1, G_TYPE_UINT, 0);
}

static void
apply_recipe (TareSession *self)
{
  TareRecipe *recipe = tare_session_get_recipe (self);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->layers));

  for (guint i = 0; i < n; i++)
    {
      g_autoptr(TareLayer) layer = g_list_model_get_item (G_LIST_MODEL (self->layers), i);
      TareAssignment before = tare_layer_get_assignment (layer);
      TareAssignment after;

      tare_layer_set_recipe (layer, recipe);
      after = tare_layer_get_assignment (layer);
      if (memcmp (&before, &after, sizeof before) != 0)
        _tare_session_emit_layer (self, i);
    }

  if (self->model != NULL)
    self->size = tare_recipe_measure_size (recipe, self->model);
}

/* Figures hold of every recipe that makes the same of the model as the one that was measured. */
static void
update_state (TareSession *self)
{
  gboolean current;

  if (self->measured == NULL || self->state == TARE_FIGURE_STATE_NONE)
    return;

  current = self->measured_calibration == self->calibration
            && tare_recipe_equal_for (self->measured, tare_session_get_recipe (self), self->model);
  self->state = current ? TARE_FIGURE_STATE_CURRENT : TARE_FIGURE_STATE_STALE;
}

/* Notes what the accuracy is of from now on; %NULL where there is none. */
void
_tare_session_set_measured (TareSession     *self,
                            TareRecipe      *recipe,
                            TareCalibration *calibration)
{
  g_clear_pointer (&self->measured, tare_recipe_unref);
  g_clear_pointer (&self->measured_calibration, tare_calibration_unref);
  self->measured = recipe != NULL ? tare_recipe_ref (recipe) : NULL;
  self->measured_calibration = calibration != NULL ? tare_calibration_ref (calibration) : NULL;
  self->state = recipe != NULL ? TARE_FIGURE_STATE_STALE : TARE_FIGURE_STATE_NONE;
  update_state (self);
}

/* Locks, names and saving change nothing that is measured, and so end no measurement. */
static gboolean
wants_measuring (TareSession *self)
{
  return self->model != NULL
         && (self->scheduled == NULL
             || !tare_recipe_equal_for (self->scheduled, tare_session_get_recipe (self),
                                        self->model));
}

static void
history_changed_cb (TareSession *self)
{
  apply_recipe (self);
  update_state (self);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_RECIPE_CHANGED);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_FIGURES_CHANGED);
  if (wants_measuring (self))
    _tare_session_schedule (self);
  _tare_session_keep_soon (self);
}

static void
start_history (TareSession *self,
               TareRecipe  *recipe)
{
  if (self->history != NULL)
    g_signal_handlers_disconnect_by_func (self->history, history_changed_cb, self);
  g_clear_object (&self->history);

  self->history = tare_history_new (recipe);
  g_signal_connect_object (self->history, "changed", G_CALLBACK (history_changed_cb), self,
                           G_CONNECT_SWAPPED);
}

static void
tare_session_init (TareSession *self)
{
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();

  self->mailbox = g_atomic_rc_box_new0 (TareMailbox);
  self->mailbox->session = self;
  self->jobs = tare_job_queue_new ();
  self->layers = g_list_store_new (TARE_TYPE_LAYER);
  self->selection = g_array_new (FALSE, FALSE, sizeof (guint));
  self->channels = tare_channel_selection_new ();
  self->kept = g_array_new (FALSE, FALSE, sizeof (guint));
  _tare_session_init_sites (self);
  self->reference = tare_format_lookup (REFERENCE_FORMAT);
  self->brush = (TareAssignment) {
    .format = self->reference,
    .method = tare_method_lookup (DEFAULT_METHOD),
    .range = TARE_RANGE_SEARCH,
  };
  self->evaluation_text = tare_session_dup_sample_text (FALSE);
  self->calibration_text = tare_session_dup_sample_text (TRUE);
  start_history (self, recipe);
}

void
_tare_session_emit (TareSession       *self,
                    TareSessionSignal  signal)
{
  g_signal_emit (self, signals[signal], 0);
}

void
_tare_session_emit_layer (TareSession *self,
                          guint        index)
{
  g_signal_emit (self, signals[TARE_SESSION_SIGNAL_LAYER_CHANGED], 0, index);
}

/* Tells of a failure, unless it is only that the user no longer wanted it. */
void
_tare_session_fail (TareSession  *self,
                    const char   *title,
                    const GError *error)
{
  if (error == NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;

  g_signal_emit (self, signals[TARE_SESSION_SIGNAL_FAILED], 0, title, error->message);
}

void
_tare_session_notice (TareSession *self,
                      const char  *message)
{
  g_signal_emit (self, signals[TARE_SESSION_SIGNAL_NOTICE], 0, message);
}

void
_tare_session_emit_kept (TareSession *self,
                         guint        n)
{
  g_signal_emit (self, signals[TARE_SESSION_SIGNAL_LOCKS_KEPT], 0, n);
}

static void
fill_layers (TareSession *self)
{
  gsize n = self->model != NULL ? tare_model_get_n_tensors (self->model) : 0;
  g_autoptr(GPtrArray) layers = g_ptr_array_new_full ((guint) n, g_object_unref);

  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (layers, tare_layer_new (self->model, (guint) i,
                                             tare_session_get_recipe (self)));

  g_list_store_splice (self->layers, 0, g_list_model_get_n_items (G_LIST_MODEL (self->layers)),
                       layers->pdata, layers->len);
}

/* Takes over a model that was opened, or none; whatever belonged to the last one goes. */
void
_tare_session_set_model (TareSession *self,
                         TareModel   *model)
{
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();

  _tare_session_cancel_work (self);
  _tare_session_drop_evaluation (self);
  _tare_session_take_trouble (self, NULL);
  _tare_session_drop_halted (self);
  _tare_session_forget (self);
  g_clear_pointer (&self->token_scores, tare_token_scores_unref);
  g_clear_pointer (&self->measured, tare_recipe_unref);
  g_clear_pointer (&self->measured_calibration, tare_calibration_unref);
  g_clear_pointer (&self->scheduled, tare_recipe_unref);
  g_clear_pointer (&self->calibration, tare_calibration_unref);
  g_clear_pointer (&self->engine, tare_engine_unref);
  g_clear_pointer (&self->model, tare_model_unref);
  g_clear_pointer (&self->recipe_path, g_free);
  g_array_set_size (self->selection, 0);
  g_array_set_size (self->kept, 0);
  self->base_state = TARE_FIGURE_STATE_NONE;
  _tare_session_set_measured (self, NULL, NULL);
  self->size = (TareRecipeSize) { 0 };

  if (model != NULL)
    {
      self->model = tare_model_ref (model);
      self->engine = tare_engine_new (model);
    }
  start_history (self, recipe);
  fill_layers (self);
  _tare_session_list_sites (self);
  apply_recipe (self);

  _tare_session_emit (self, TARE_SESSION_SIGNAL_MODEL_CHANGED);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_RECIPE_CHANGED);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_SELECTION_CHANGED);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_CALIBRATION_CHANGED);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_CALIBRATION_HALTED);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_FIGURES_CHANGED);
}

/* Importance changes what every search finds, so all that was measured is stale. */
void
_tare_session_set_calibration (TareSession     *self,
                               TareCalibration *calibration)
{
  g_clear_pointer (&self->calibration, tare_calibration_unref);
  self->calibration = calibration != NULL ? tare_calibration_ref (calibration) : NULL;
  update_state (self);

  for (guint i = 0; i < tare_session_get_n_layers (self); i++)
    {
      tare_layer_set_error (tare_session_get_layer (self, i), (double) NAN);
      tare_layer_set_loss (tare_session_get_layer (self, i), (double) NAN);
      tare_layer_set_sensitivity (tare_session_get_layer (self, i), (double) NAN);
    }
  _tare_session_emit (self, TARE_SESSION_SIGNAL_CALIBRATION_CHANGED);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_FIGURES_CHANGED);
  _tare_session_start_weighing (self);
  _tare_session_schedule (self);
}

/**
 * tare_session_new:
 *
 * Returns: (transfer full): a session without a model
 */
TareSession *
tare_session_new (void)
{
  return g_object_new (TARE_TYPE_SESSION, NULL);
}

/**
 * tare_session_get_jobs:
 * @self: the session
 *
 * Returns: (transfer none): the jobs that wait or run, a #GListModel of #TareJob
 */
TareJobQueue *
tare_session_get_jobs (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->jobs;
}

/**
 * tare_session_close:
 * @self: the session
 *
 * Lets go of the model, the recipe and all figures.
 */
void
tare_session_close (TareSession *self)
{
  g_return_if_fail (TARE_IS_SESSION (self));

  _tare_session_set_model (self, NULL);
}

gboolean
tare_session_is_opening (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), FALSE);

  return self->opening != NULL;
}

/**
 * tare_session_get_model:
 * @self: the session
 *
 * Returns: (transfer none) (nullable): the model that is open
 */
TareModel *
tare_session_get_model (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->model;
}

/**
 * tare_session_get_engine:
 * @self: the session
 *
 * Returns: (transfer none) (nullable): what quantizes the model that is open
 */
TareEngine *
tare_session_get_engine (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->engine;
}

/**
 * tare_session_get_layers:
 * @self: the session
 *
 * Returns: (transfer none): a list of #TareLayer in the order in which data flows; the same list
 *   for the life of the session
 */
GListModel *
tare_session_get_layers (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return G_LIST_MODEL (self->layers);
}

guint
tare_session_get_n_layers (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), 0);

  return g_list_model_get_n_items (G_LIST_MODEL (self->layers));
}

/**
 * tare_session_get_layer:
 * @self: the session
 * @index: of the tensor in its model
 *
 * Returns: (transfer none): the layer, owned by the session while its model is open
 */
TareLayer *
tare_session_get_layer (TareSession *self,
                        guint        index)
{
  g_autoptr(TareLayer) layer = NULL;

  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  layer = g_list_model_get_item (G_LIST_MODEL (self->layers), index);

  return layer;
}

/**
 * tare_session_get_selection:
 * @self: the session
 * @n_selected: (out): how many
 *
 * Returns: (transfer none) (array length=n_selected): indices of the selected layers, ascending
 */
const guint *
tare_session_get_selection (TareSession *self,
                            guint       *n_selected)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  *n_selected = self->selection->len;

  return (const guint *) self->selection->data;
}

/* The channels are those of the first layer that is selected, which the pages show. */
static void
count_channels (TareSession *self)
{
  const TareTensor *tensor;

  if (self->selection->len == 0)
    return;

  tensor = tare_layer_get_tensor (tare_session_get_layer
                                    (self, g_array_index (self->selection, guint, 0)));
  tare_channel_selection_set_count (self->channels, TARE_CHANNEL_OUTPUT, tensor->rows);
  tare_channel_selection_set_count (self->channels, TARE_CHANNEL_INPUT, tensor->columns);
}

/**
 * tare_session_set_selection:
 * @self: the session
 * @indices: (array length=n_indices): which layers, in any order
 * @n_indices: how many
 *
 * Selects these layers everywhere, and no activations.
 */
void
tare_session_set_selection (TareSession *self,
                            const guint *indices,
                            guint        n_indices)
{
  GArray *next;
  gboolean changed;

  g_return_if_fail (TARE_IS_SESSION (self));

  next = _tare_session_sort_indices (indices, n_indices, tare_session_get_n_layers (self));
  changed = self->site_selection->len > 0;
  g_array_set_size (self->site_selection, 0);
  changed = _tare_session_take_selection (&self->selection, next) || changed;
  count_channels (self);
  if (changed)
    _tare_session_emit (self, TARE_SESSION_SIGNAL_SELECTION_CHANGED);
}

/**
 * tare_session_get_channel_selection:
 * @self: the session
 *
 * Returns: (transfer none): the channels that are set apart in every chart
 */
TareChannelSelection *
tare_session_get_channel_selection (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->channels;
}

/**
 * tare_session_get_recipe:
 * @self: the session
 *
 * Returns: (transfer none): the present recipe
 */
TareRecipe *
tare_session_get_recipe (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return tare_history_get_recipe (self->history);
}

/**
 * tare_session_get_history:
 * @self: the session
 *
 * Returns: (transfer none): the steps that can be undone; another after a model is opened
 */
TareHistory *
tare_session_get_history (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->history;
}

/**
 * tare_session_get_brush:
 * @self: the session
 *
 * Returns: what painting gives
 */
TareAssignment
tare_session_get_brush (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), (TareAssignment) { 0 });

  return self->brush;
}

void
tare_session_set_brush (TareSession          *self,
                        const TareAssignment *assignment)
{
  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (assignment != NULL);

  self->brush = *assignment;
}

void
tare_session_undo (TareSession *self)
{
  g_return_if_fail (TARE_IS_SESSION (self));

  tare_history_undo (self->history);
}

void
tare_session_redo (TareSession *self)
{
  g_return_if_fail (TARE_IS_SESSION (self));

  tare_history_redo (self->history);
}

/**
 * tare_session_load_recipe:
 * @self: the session
 * @path: a recipe file
 * @error: says what is wrong with it
 *
 * Makes it the present recipe, as one undoable step.
 *
 * Returns: whether it could be read
 */
gboolean
tare_session_load_recipe (TareSession  *self,
                          const char   *path,
                          GError      **error)
{
  g_autoptr(TareRecipe) recipe = NULL;
  g_autofree char *name = NULL;
  g_autofree char *label = NULL;

  g_return_val_if_fail (TARE_IS_SESSION (self), FALSE);

  recipe = tare_recipe_load (path, error);
  if (recipe == NULL)
    return FALSE;

  name = g_path_get_basename (path);
  label = g_strdup_printf (_("Open recipe %s"), name);
  tare_history_push (self->history, recipe, label);
  g_free (self->recipe_path);
  self->recipe_path = g_strdup (path);
  tare_history_mark_saved (self->history);
  _tare_session_tell_unmatched (self, recipe);

  return TRUE;
}

/**
 * tare_session_save_recipe:
 * @self: the session
 * @path: where to
 * @error: says why it could not be written; the old file is then untouched
 *
 * Returns: whether it was written
 */
gboolean
tare_session_save_recipe (TareSession  *self,
                          const char   *path,
                          GError      **error)
{
  g_autofree char *kept = NULL;

  g_return_val_if_fail (TARE_IS_SESSION (self), FALSE);
  g_return_val_if_fail (self->model != NULL, FALSE);

  if (!tare_recipe_save (tare_session_get_recipe (self), self->model, path, error))
    return FALSE;

  kept = g_strdup (path);
  g_free (self->recipe_path);
  self->recipe_path = g_steal_pointer (&kept);
  tare_history_mark_saved (self->history);

  return TRUE;
}

/**
 * tare_session_get_recipe_path:
 * @self: the session
 *
 * Returns: (nullable): the file that the recipe was read from or written to
 */
const char *
tare_session_get_recipe_path (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->recipe_path;
}

TareCalibration *
tare_session_get_calibration (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->calibration;
}

gboolean
tare_session_is_calibrating (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), FALSE);

  return self->calibrating != NULL;
}

const char *
tare_session_get_calibration_text (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->calibration_text;
}

/**
 * tare_session_get_reference:
 * @self: the session
 *
 * Returns: the format in which the sensitivities of layers are compared
 */
const TareFormat *
tare_session_get_reference (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->reference;
}

void
tare_session_set_reference (TareSession      *self,
                            const TareFormat *format)
{
  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (format != NULL);

  if (self->reference == format)
    return;

  self->reference = format;
  for (guint i = 0; i < tare_session_get_n_layers (self); i++)
    tare_layer_set_sensitivity (tare_session_get_layer (self, i), (double) NAN);
  _tare_session_emit (self, TARE_SESSION_SIGNAL_CALIBRATION_CHANGED);
  _tare_session_start_weighing (self);
}
