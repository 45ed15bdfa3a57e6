/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A pass forwards, which keeps the stream at every boundary, and backwards, which makes each block
 * anew from there. Where the weights move along a direction, everything has a tangent, on both
 * ways: the gradient's is then the Hessian times the direction, exactly. Of v'(Hv) a layer's share
 * falls out of products that are made anyway.
 */
#include "quant/network/tare-gradient-private.h"

#include <string.h>

#include "quant/tare-error.h"

/* What a block costs on the way back, by what it costs on the way there: made again, led back, and
 * its weights' gradient. */
#define BACK_COST 3.0

/**
 * tare_gradient_new:
 * @network: the network, which must outlive it
 * @memory: bytes of memory to get by with, weights at hand and states together; what does not fit
 *   goes to temporary files. 0 for the default. What observers are handed comes on top
 *
 * Returns: (transfer full): its reverse pass
 */
TareGradient *
tare_gradient_new (TareNetwork *network,
                   guint64      memory)
{
  TareGradient *self = NULL;

  g_return_val_if_fail (network != NULL, NULL);

  self = g_new0 (TareGradient, 1);
  self->network = network;
  self->memory = memory;

  return self;
}

/**
 * tare_gradient_free:
 * @self: (nullable): the reverse pass
 */
void
tare_gradient_free (TareGradient *self)
{
  if (self == NULL)
    return;

  _tare_buffer_clear (&self->room.attention);
  _tare_buffer_clear (&self->room.feed_forward);
  _tare_buffer_clear (&self->room.expert);
  _tare_buffer_clear (&self->room.expert_direction);
  _tare_buffer_clear (&self->room.scratch);
  _tare_buffer_clear (&self->output);
  g_free (self);
}

static TareDual
get_slot (const TarePass *self,
          gsize           slot)
{
  gpointer *states = self->states->pdata;

  if (self->direction == NULL)
    return (TareDual) { tare_states_get_rows (states[slot], 0), NULL };

  return (TareDual) { tare_states_get_rows (states[2 * slot], 0),
                      tare_states_get_rows (states[2 * slot + 1], 0) };
}

/* The stream at a boundary: 0 is what enters the first block. */
TareDual
_tare_pass_get_state (const TarePass *self,
                      gsize           boundary)
{
  return get_slot (self, MIN (boundary, self->n_states - 1));
}

/* The loss's gradient by the stream at the boundary that the way back has come to. */
TareDual
_tare_pass_get_gradient (const TarePass *self)
{
  return get_slot (self, self->n_states);
}

static gboolean
covers (const TareDirection *direction,
        const TareTensor    *tensor)
{
  return tensor->role != NULL && tensor->role->matrix && !tensor->bias
         && direction->covers (direction->data, tensor);
}

/* Whether a tensor moves: norms, biases and learned positions never do. */
gboolean
_tare_pass_covers (const TarePass   *self,
                   const TareTensor *tensor)
{
  return covers (self->direction, tensor);
}

static gboolean
load_move (gpointer             data,
           const TareTensor    *tensor,
           float               *out,
           const TareProgress  *progress,
           GError             **error)
{
  const TareDirection *direction = data;

  if (covers (direction, tensor))
    return direction->load (direction->data, tensor, out, progress, error);

  memset (out, 0, tensor->rows * tensor->columns * sizeof *out);

  return TRUE;
}

static gboolean
load_move_rows (gpointer             data,
                const TareTensor    *tensor,
                gsize                first,
                gsize                n,
                float               *out,
                const TareProgress  *progress,
                GError             **error)
{
  const TareDirection *direction = data;

  if (covers (direction, tensor))
    return direction->load_rows (direction->data, tensor, first, n, out, progress, error);

  memset (out, 0, n * tensor->columns * sizeof *out);

  return TRUE;
}

/* Never the file's own values, which 0 would say. */
static guint64
get_move_fingerprint (gpointer          data,
                      const TareTensor *tensor)
{
  return 1;
}

/* The direction as if it were a network's weights, so that it is put together as they are. */
TareWeights
_tare_pass_get_moves (const TarePass *self)
{
  const TareDirection *direction = self->direction;
  gboolean by_rows = direction != NULL && direction->load_rows != NULL;

  return (TareWeights) { load_move, get_move_fingerprint, (gpointer) direction,
                         self->weights->progress, by_rows ? load_move_rows : NULL };
}

/* Where the first weight is that moves. */
static int
find_first (const TarePass *self)
{
  TareModel *model = self->network->model;
  int first = (int) self->network->config->n_blocks;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      gboolean output = tensor->role != NULL && strcmp (tensor->role->id, "output") == 0;

      if (!output && covers (self->direction, tensor))
        first = MIN (first, tensor->block);
    }

  return MAX (first, -1);
}

static gboolean
embed (TarePass  *self,
       GError   **error)
{
  const TareObjective *objective = self->objective;
  const TareWeights moves = _tare_pass_get_moves (self);
  TareDual x = _tare_pass_get_state (self, 0);

  if (!tare_network_embed (self->network, self->weights, objective->tokens, self->n_tokens,
                           objective->length, x.value, error))
    return FALSE;
  if (x.tangent == NULL)
    return TRUE;
  if (self->first < 0)
    return tare_network_embed (self->network, &moves, objective->tokens, self->n_tokens,
                               objective->length, x.tangent, error);

  memset (x.tangent, 0, self->n_tokens * self->network->config->width * sizeof (float));

  return TRUE;
}

/* A block and how it moves; both are freed by the caller. */
static gboolean
load_block (TarePass     *self,
            guint         index,
            gboolean      tangent,
            TareBlock   **block,
            TareBlock   **direction,
            GError      **error)
{
  const TareWeights moves = _tare_pass_get_moves (self);

  *direction = NULL;
  *block = tare_network_load_block (self->network, self->weights, index, error);
  if (*block == NULL || !tangent)
    return *block != NULL;

  *direction = tare_network_load_block (self->network, &moves, index, error);

  return *direction != NULL;
}

/* Why a group was left in the middle. */
static gboolean
tell_failure (TarePass            *self,
              const TareProgress  *progress,
              GError             **error)
{
  if (self->network->failure == NULL)
    return tare_progress_step (progress, 0.0, NULL, error);

  g_propagate_error (error, g_steal_pointer (&self->network->failure));

  return FALSE;
}

/* One block on the way there, a group of sequences after the other. */
static gboolean
run_groups (TarePass            *self,
            TareReverse         *reverse,
            TareDual             x,
            TareDual             y,
            const TareProgress  *progress,
            GError             **error)
{
  gsize n_sequences = self->objective->n_sequences, length = self->objective->length;
  gsize group = _tare_reverse_group (n_sequences, length);
  gsize stride = length * self->network->config->width;

  for (gsize i = 0; i < n_sequences; i += group)
    {
      if (!tare_progress_step (progress, (double) i / (double) n_sequences, NULL, error))
        return FALSE;
      if (!_tare_reverse_forward (reverse, &self->self->room, tare_dual_at (x, i * stride),
                                  MIN (group, n_sequences - i), tare_dual_at (y, i * stride)))
        return tell_failure (self, progress, error);
    }

  return TRUE;
}

static gboolean
run_block (TarePass            *self,
           guint                index,
           const TareProgress  *progress,
           GError             **error)
{
  gsize n = self->n_tokens * self->network->config->width;
  TareDual x = _tare_pass_get_state (self, index), y = _tare_pass_get_state (self, index + 1);
  gboolean moves = self->direction != NULL && (int) index >= self->first;
  g_autoptr(TareBlock) block = NULL;
  g_autoptr(TareBlock) direction = NULL;
  TareReverse reverse = { .network = self->network, .moves = self->direction, .tangent = TRUE,
                          .length = self->objective->length, .progress = progress };

  if (!load_block (self, index, moves, &block, &direction, error))
    return FALSE;

  if (!moves)
    {
      if (y.value != x.value)
        memcpy (y.value, x.value, n * sizeof (float));
      if (y.tangent != NULL)
        memset (y.tangent, 0, n * sizeof (float));
      return tare_network_run_block (self->network, block, y.value, self->objective->n_sequences,
                                     self->objective->length, NULL, progress, error);
    }

  reverse.block = block;
  reverse.direction = direction;

  return _tare_reverse_init (&reverse, error)
         && run_groups (self, &reverse, x, y, progress, error);
}

static gboolean
back_groups (TarePass            *self,
             TareReverse         *reverse,
             TareDual             x,
             const TareProgress  *progress,
             GError             **error)
{
  gsize n_sequences = self->objective->n_sequences, length = self->objective->length;
  gsize group = _tare_reverse_group (n_sequences, length);
  gsize stride = length * self->network->config->width;
  TareDual g = _tare_pass_get_gradient (self);

  for (gsize i = 0; i < n_sequences; i += group)
    {
      if (!tare_progress_step (progress, (double) i / (double) n_sequences, NULL, error))
        return FALSE;
      if (!_tare_reverse_backward (reverse, &self->self->room, tare_dual_at (x, i * stride),
                                   MIN (group, n_sequences - i),
                                   tare_dual_at (g, i * stride)))
        return tell_failure (self, progress, error);
    }

  return TRUE;
}

static gboolean
back_block (TarePass            *self,
            guint                index,
            const TareProgress  *progress,
            GError             **error)
{
  g_autoptr(TareBlock) block = NULL;
  g_autoptr(TareBlock) direction = NULL;
  TareReverse reverse = { .network = self->network, .moves = self->direction,
                          .tangent = self->direction != NULL, .observer = self->observer,
                          .length = self->objective->length, .progress = progress };
  gboolean ok;

  if (!load_block (self, index, self->direction != NULL, &block, &direction, error))
    return FALSE;

  reverse.block = block;
  reverse.direction = direction;
  ok = _tare_reverse_init (&reverse, error)
       && back_groups (self, &reverse, _tare_pass_get_state (self, index), progress, error);
  if (ok)
    _tare_reverse_report (&reverse, &self->result->curvature);
  _tare_reverse_clear (&reverse);

  return ok;
}

static void
release_state (TarePass *self,
               gsize     boundary)
{
  gsize per_slot = self->direction != NULL ? 2 : 1;

  for (gsize i = 0; i < per_slot; i++)
    tare_states_release (g_ptr_array_index (self->states, per_slot * boundary + i), 0,
                         self->n_tokens);
}

static gboolean
run_there (TarePass            *self,
           double               whole,
           const TareProgress  *progress,
           GError             **error)
{
  guint n_blocks = self->network->config->n_blocks;

  if (!embed (self, error))
    return FALSE;

  for (guint i = 0; i < n_blocks; i++)
    {
      TareProgress part = tare_progress_part (progress, i / whole, (i + 1) / whole);

      if (!run_block (self, i, &part, error))
        return FALSE;
      if (self->n_states > 1)
        release_state (self, i);
    }

  return TRUE;
}

static gboolean
run_back (TarePass            *self,
          double               whole,
          const TareProgress  *progress,
          GError             **error)
{
  guint n_blocks = self->network->config->n_blocks;

  for (guint i = n_blocks; i-- > (guint) MAX (self->first, 0);)
    {
      double begin = n_blocks + BACK_COST * (n_blocks - i);
      TareProgress part = tare_progress_part (progress, begin / whole,
                                              (begin + BACK_COST) / whole);

      if (!back_block (self, i, &part, error))
        return FALSE;
      release_state (self, i + 1);
    }

  return self->first >= 0 || _tare_pass_end (self, progress, error);
}

/* Room for the states at @n boundaries. */
static GPtrArray *
reserve_states (const TarePass  *self,
                gsize            n,
                GError         **error)
{
  g_autoptr(GPtrArray) states = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_states_free);
  guint64 needed = tare_network_measure_memory (self->network);
  TareBudget budget = tare_budget_new (self->self->memory,
                                       self->direction != NULL ? 2 * needed : needed);

  if (self->direction != NULL)
    n *= 2;
  for (gsize i = 0; i < n; i++)
    {
      TareStates *one = tare_states_new (self->n_tokens, self->network->config->width, &budget,
                                         error);

      if (one == NULL)
        return NULL;
      g_ptr_array_add (states, one);
    }

  return g_steal_pointer (&states);
}

static gboolean
run_pass (TarePass            *self,
          gboolean             back,
          const TareProgress  *progress,
          GError             **error)
{
  const TareObjective *objective = self->objective;
  guint n_blocks = self->network->config->n_blocks;
  double whole = back ? (1.0 + BACK_COST) * n_blocks + BACK_COST : n_blocks + 1.0;
  TareWeights weights = tare_weights_with_progress (self->weights, progress);
  TareProgress turn = tare_progress_part (progress, n_blocks / whole,
                                          (n_blocks + (back ? BACK_COST : 1.0)) / whole);
  g_autoptr(GPtrArray) states = NULL;

  if (!_tare_network_check_blocks (self->network, self->self->memory,
                                   self->direction != NULL ? 2 : 1, error))
    return FALSE;

  self->weights = &weights;
  self->n_tokens = objective->n_sequences * objective->length;
  self->n_states = back ? n_blocks + 1 : 1;
  self->first = self->direction != NULL ? find_first (self) : -1;
  memset (self->result, 0, sizeof *self->result);

  states = reserve_states (self, self->n_states + (back ? 1 : 0), error);
  self->states = states;

  return states != NULL
         && _tare_reverse_reserve (self->network,
                                   _tare_reverse_group (objective->n_sequences,
                                                        objective->length),
                                   objective->length, self->direction != NULL,
                                   &self->self->room, error)
         && run_there (self, whole, progress, error)
         && _tare_pass_run_output (self, back, &turn, error)
         && (!back || run_back (self, whole, progress, error))
         && tare_progress_step (progress, 1.0, NULL, error);
}

/**
 * tare_gradient_run:
 * @self: the reverse pass
 * @weights: where the values come from
 * @direction: (nullable): a direction to follow; then everything is made with its tangent
 * @objective: the loss
 * @observer: (nullable): told of the gradients
 * @result: (out caller-allocates): the loss
 * @progress: (nullable): the progress
 * @error: cancelled, a token beyond the vocabulary, nothing to predict, memory, what @weights
 *   and @direction report
 *
 * The loss and its gradients by weights and activations and, along a direction, the Hessian's
 * exact product with it: Pearlmutter, "Fast Exact Multiplication by the Hessian" (1994). Where a
 * direction is followed, nothing is told of what lies before the first weight that moves. Which
 * experts a token goes to stays, as it does within a small enough step almost everywhere; what it
 * takes of them moves.
 * Deterministic for a number of threads.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_gradient_run (TareGradient                *self,
                   const TareWeights           *weights,
                   const TareDirection         *direction,
                   const TareObjective         *objective,
                   const TareGradientObserver  *observer,
                   TareGradientResult          *result,
                   const TareProgress          *progress,
                   GError                     **error)
{
  TarePass pass = { .self = self, .weights = weights, .direction = direction,
                    .objective = objective, .observer = observer, .result = result };

  g_return_val_if_fail (self != NULL && weights != NULL && objective != NULL, FALSE);
  g_return_val_if_fail (result != NULL, FALSE);
  g_return_val_if_fail (objective->n_sequences > 0 && objective->length > 0, FALSE);

  pass.network = self->network;

  return run_pass (&pass, TRUE, progress, error);
}

/**
 * tare_gradient_loss:
 * @self: the reverse pass
 * @weights: where the values come from
 * @objective: the loss
 * @result: (out caller-allocates): the loss
 * @progress: (nullable): the progress
 * @error: as of tare_gradient_run()
 *
 * The way there alone, of which no states are kept.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_gradient_loss (TareGradient         *self,
                    const TareWeights    *weights,
                    const TareObjective  *objective,
                    TareGradientResult   *result,
                    const TareProgress   *progress,
                    GError              **error)
{
  TarePass pass = { .self = self, .weights = weights, .objective = objective, .result = result };

  g_return_val_if_fail (self != NULL && weights != NULL && objective != NULL, FALSE);
  g_return_val_if_fail (result != NULL, FALSE);
  g_return_val_if_fail (objective->n_sequences > 0 && objective->length > 0, FALSE);

  pass.network = self->network;

  return run_pass (&pass, FALSE, progress, error);
}
