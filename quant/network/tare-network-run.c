/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * One block over all sequences. Where there are enough of them every thread takes groups of its
 * own from norm to norm: nothing waits for anything, so that a machine with other work to do loses
 * no more than its share of time, and OpenBLAS, which runs on one thread where it finds itself in
 * a parallel region, is at its best. Otherwise, and where an observer wants the inputs in their
 * order, all threads share each step of one group.
 */
#include "quant/network/tare-network-private.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* Tokens of a group that all threads share: enough for OpenBLAS's full speed, which 512 reach at
 * a width of 2048 and 1024 at 256. Also the most that go through a feed-forward part at a time. */
#define SHARED_TOKENS 1024

/* Tokens of a group that goes through experts: each is loaded once for all of them, and gets but a
 * few of them where there are many. */
#define ROUTED_TOKENS 4096

/* Tokens of a group of one thread, whose activations should stay in its own cache, and the least
 * that are worth a product. */
#define OWN_TOKENS       512
#define OWN_TOKENS_LEAST 128

/* Bytes of activations that the threads' own groups may take together. */
#define OWN_BYTES (1024.0 * 1024.0 * 1024.0)

/* How groups are shared out: @own is whether each thread takes groups of its own. */
typedef struct
{
  gboolean own;
  gsize    n_threads;
  gsize    group;
  gsize    n_groups;
} Plan;

/* Norm of some rows, in place where @y is @x; layer norms never are. Where there is no norm, the
 * rows as they are. */
void
_tare_network_norm (TareNetwork       *self,
                    const TareScaling *norm,
                    const float       *x,
                    gsize              rows,
                    gsize              columns,
                    float             *y)
{
  float epsilon = self->config->norm_epsilon;

  if (norm->weight == NULL)
    {
      memcpy (y, x, rows * columns * sizeof *y);
      return;
    }

  if (self->architecture->norm == TARE_NORM_RMS)
    tare_kernel_rms_norm (x, norm->weight, epsilon, rows, columns, y);
  else
    tare_kernel_layer_norm (x, norm->weight, norm->bias, epsilon, rows, columns, y);
}

/* Tells of the input of a layer, of which one expert may be meant, to which @tokens go. */
void
_tare_network_observe (const TareObserver *observer,
                       const TareLinear   *linear,
                       gsize               expert,
                       const float        *x,
                       const guint32      *tokens,
                       gsize               n_tokens)
{
  if (observer != NULL && observer->observe != NULL)
    observer->observe (linear->tensor, expert, x, tokens, n_tokens, linear->columns,
                       observer->data);
}

/* Rounds activations; FALSE with the network's failure set. Safe in any thread. */
gboolean
_tare_network_round (TareNetwork                *self,
                     const TareActivationFormat *rounding,
                     float                      *x,
                     gsize                       rows,
                     gsize                       columns,
                     gsize                       stride)
{
  GError *error = NULL;

  if (rounding->format == NULL
      || tare_activation_format_apply (rounding, x, rows, columns, stride, &error))
    return TRUE;

#pragma omp critical (tare_network_failure)
  if (self->failure == NULL)
    self->failure = g_steal_pointer (&error);
  g_clear_error (&error);

  return FALSE;
}

/* Rounds the input of a layer, each token by itself. */
static gboolean
round_input (TareNetwork      *self,
             const TareLinear *linear,
             float            *x,
             gsize             n_tokens)
{
  return _tare_network_round (self, &linear->input, x, n_tokens, linear->columns,
                              linear->columns);
}

/* Rounds some heads of all tokens, each by itself. */
static gboolean
round_heads (TareNetwork                *self,
             const TareActivationFormat *rounding,
             const TareAttentionShape   *shape,
             gsize                       first,
             gsize                       n_heads,
             float                      *qkv)
{
  gsize d = shape->head_width;
  gsize stride = (shape->n_heads + 2 * shape->n_key_value_heads) * d;
  gboolean done = TRUE;

  if (rounding->format == NULL)
    return TRUE;

#pragma omp parallel for schedule(static) reduction(&&:done)
  for (gsize i = 0; i < shape->n_sequences * n_heads; i++)
    done = _tare_network_round (self, rounding,
                                qkv + i / n_heads * shape->length * stride
                                  + (first + i % n_heads) * d, shape->length, d, stride)
           && done;

  return done;
}

/* Rounds keys and values: in place, or, where a window of the last tokens stays as they are, in a
 * copy that @past then tells of. */
static gboolean
round_past (TareNetwork              *self,
            TareWorkspace            *space,
            const TareBlock          *block,
            const TareAttentionShape *shape,
            float                    *qkv,
            TareAttentionPast        *past)
{
  const struct { const TareActivationFormat *rounding; gsize first; } parts[] = {
    { &block->keys, shape->n_heads },
    { &block->values, shape->n_heads + shape->n_key_value_heads },
  };
  gsize n = shape->n_key_value_heads;
  gboolean done = TRUE;

  past->key_window = block->keys.format != NULL ? block->keys.window : 0;
  past->value_window = block->values.format != NULL ? block->values.window : 0;
  for (gsize i = 0; done && i < G_N_ELEMENTS (parts); i++)
    if (parts[i].rounding->window == 0)
      done = round_heads (self, parts[i].rounding, shape, parts[i].first, n, qkv);
  if (!done || (past->key_window == 0 && past->value_window == 0))
    return done;

  past->qkv = memcpy (space->past.data, qkv,
                      shape->n_sequences * shape->length * block->qkv.outputs * sizeof *qkv);
  for (gsize i = 0; done && i < G_N_ELEMENTS (parts); i++)
    if (parts[i].rounding->window > 0)
      done = round_heads (self, parts[i].rounding, shape, parts[i].first, n, space->past.data);

  return done;
}

/* x += norm (y), or y itself where there is no such norm. */
static void
add_branch (TareNetwork       *self,
            const TareScaling *norm,
            float             *y,
            gsize              n_tokens,
            float             *x)
{
  if (norm->weight != NULL)
    _tare_network_norm (self, norm, y, n_tokens, self->config->width, y);
  tare_kernel_add (y, n_tokens, self->config->width, x);
}

/* The heads of a sequence are added up where the first of them is, those places moved together. */
static void
tell_received (const TareObserver       *observer,
               guint                     block,
               const TareAttentionShape *shape,
               double                   *received)
{
  gsize length = shape->length;

  for (gsize s = 0; s < shape->n_sequences; s++)
    for (gsize h = 0; h < shape->n_heads; h++)
      for (gsize i = 0; i < length; i++)
        {
          double share = received[(s * shape->n_heads + h) * length + i];

          received[s * length + i] = h == 0 ? share : received[s * length + i] + share;
        }
  observer->attend (block, received, shape->n_sequences, length, observer->data);
}

/* y = keep y + attention (norm (x)) for some sequences; FALSE when it was cancelled. */
static gboolean
run_attention (TareNetwork        *self,
               TareWorkspace      *space,
               const TareBlock    *block,
               const float        *x,
               gsize               n_sequences,
               gsize               length,
               float               keep,
               float              *y,
               const TareObserver *observer,
               const TareProgress *progress)
{
  const TareConfig *config = self->config;
  const TareBranches *branches = space->branches.shared != NULL ? &space->branches : NULL;
  TareAttentionShape shape = _tare_network_get_shape (self, block->index, n_sequences, length);
  gsize n_tokens = n_sequences * length;
  gsize before = self->cache != NULL ? tare_cache_get_length (self->cache) : 0;
  float *qkv = space->wide.data;
  TareAttentionPast past = { NULL, 0, 0 };
  g_autofree double *received = NULL;

  shape.branches = branches;
  _tare_network_norm (self, &block->attention_norm, x, n_tokens, config->width,
                      space->input.data);
  _tare_network_observe (observer, &block->qkv, 0, space->input.data, NULL, n_tokens);
  if (!round_input (self, &block->qkv, space->input.data, n_tokens)
      || !_tare_linear_run (&block->qkv, space->input.data, n_tokens, 0.0f, qkv, progress))
    return FALSE;

#pragma omp parallel for schedule(static)
  for (gsize i = 0; i < n_tokens; i++)
    _tare_network_prepare_heads (self, block,
                                 branches != NULL
                                 ? tare_branches_get_position (branches, i / length, i % length)
                                 : before + i % length,
                                 qkv + i * block->qkv.outputs);
  if (!round_heads (self, &block->queries, &shape, 0, shape.n_heads, qkv)
      || !round_past (self, space, block, &shape, qkv, &past))
    return FALSE;

  if (observer != NULL && observer->attend != NULL)
    received = g_new0 (double, n_sequences * config->n_heads * length);
  if (self->cache == NULL)
    tare_kernel_attention_past (&shape, qkv, past.qkv != NULL ? &past : NULL,
                                config->attention_scale, space->scratch.data, space->mixed.data,
                                received, progress);
  else if (!_tare_cache_attend (self->cache, block->index, &shape, qkv,
                                past.qkv != NULL ? &past : NULL, config->attention_scale,
                                space->mixed.data, &self->failure))
    return FALSE;
  if (tare_progress_cancelled (progress))
    return FALSE;

  if (received != NULL)
    tell_received (observer, block->index, &shape, received);
  _tare_network_observe (observer, &block->attention_output, 0, space->mixed.data, NULL, n_tokens);

  return round_input (self, &block->attention_output, space->mixed.data, n_tokens)
         && _tare_linear_run (&block->attention_output, space->mixed.data, n_tokens, keep, y,
                           progress);
}

/* y = keep y + down (gate (norm (x)) up (norm (x))) for some tokens, or without a gate; FALSE when
 * cancelled. */
static gboolean
run_feed_forward (TareNetwork        *self,
                  TareWorkspace      *space,
                  const TareBlock    *block,
                  const float        *x,
                  gsize               n_tokens,
                  float               keep,
                  float              *y,
                  const TareObserver *observer,
                  const TareProgress *progress)
{
  const TareConfig *config = self->config;
  gsize width = block->down.columns;

  _tare_network_norm (self, &block->feed_forward_norm, x, n_tokens, config->width,
                      space->input.data);
  _tare_network_observe (observer, &block->gate_up, 0, space->input.data, NULL, n_tokens);
  if (!round_input (self, &block->gate_up, space->input.data, n_tokens)
      || !_tare_linear_run (&block->gate_up, space->input.data, n_tokens, 0.0f, space->wide.data,
                         progress))
    return FALSE;

  if (block->gate_up.outputs == 2 * width)
    tare_kernel_gate (config->activation, space->wide.data, n_tokens, width, space->mixed.data);
  else
    tare_kernel_activate (config->activation, space->wide.data, n_tokens, width,
                          space->mixed.data);
  _tare_network_observe (observer, &block->down, 0, space->mixed.data, NULL, n_tokens);

  return round_input (self, &block->down, space->mixed.data, n_tokens)
         && _tare_linear_run (&block->down, space->mixed.data, n_tokens, keep, y, progress);
}

/* x += ... of the feed-forward part for some tokens; FALSE when it was cancelled. */
static gboolean
run_feed_forward_slice (TareNetwork        *self,
                        TareWorkspace      *space,
                        const TareBlock    *block,
                        float              *x,
                        gsize               n_tokens,
                        const TareObserver *observer,
                        const TareProgress *progress)
{
  float *branch = space->branch.data;

  if (block->feed_forward_post_norm.weight == NULL)
    return run_feed_forward (self, space, block, x, n_tokens, 1.0f, x, observer, progress);

  if (!run_feed_forward (self, space, block, x, n_tokens, 0.0f, branch, observer, progress))
    return FALSE;
  add_branch (self, &block->feed_forward_post_norm, branch, n_tokens, x);

  return TRUE;
}

/* Whether what attention hands back does not go straight into the stream. */
static gboolean
branches (TareNetwork *self)
{
  return self->config->parallel
         || tare_architecture_find (self->architecture, "post_attention_norm") != NULL;
}

/* x += ... of a whole block for some sequences; FALSE when it was cancelled. */
static gboolean
run_group (TareNetwork        *self,
           TareWorkspace      *space,
           const TareBlock    *block,
           float              *x,
           gsize               n_sequences,
           gsize               length,
           const TareObserver *observer,
           const TareProgress *progress)
{
  gsize n_tokens = n_sequences * length;
  gboolean apart = branches (self);
  gboolean parallel = self->config->parallel;
  gboolean done = run_attention (self, space, block, x, n_sequences, length, apart ? 0.0f : 1.0f,
                                 apart ? space->branch.data : x, observer, progress);

  if (done && apart && !parallel)
    add_branch (self, &block->attention_post_norm, space->branch.data, n_tokens, x);
  if (done && block->experts.n > 0)
    done = _tare_network_run_experts (self, space, block, x, n_tokens, observer, progress);
  for (gsize i = 0; done && block->experts.n == 0 && i < n_tokens; i += SHARED_TOKENS)
    done = run_feed_forward_slice (self, space, block, x + i * self->config->width,
                                   MIN (SHARED_TOKENS, n_tokens - i), observer, progress);
  if (done && parallel)
    add_branch (self, &block->attention_post_norm, space->branch.data, n_tokens, x);

  return done;
}

/* Numbers that @wide and @mixed must hold for some tokens. */
static void
measure (TareNetwork *self,
         gsize        n_tokens,
         gsize       *wide,
         gsize       *mixed)
{
  const TareConfig *config = self->config;
  gsize slice = MIN (n_tokens, SHARED_TOKENS);
  gsize queries = (gsize) config->n_heads * config->head_width;
  gsize qkv = queries + 2 * (gsize) config->n_key_value_heads * config->head_width;
  gsize inner = config->n_experts > 0 ? MAX (config->expert_width, config->shared_width)
                                      : config->feed_forward_width;

  *wide = MAX (MAX (n_tokens * qkv, slice * 2 * inner), n_tokens * config->n_experts);
  *mixed = MAX (n_tokens * queries, slice * inner);
}

static Plan
make_plan (TareNetwork *self,
           gsize        n_sequences,
           gsize        length,
           gboolean     observed)
{
  gsize n_threads = (gsize) omp_get_max_threads ();
  gsize least = (OWN_TOKENS_LEAST + length - 1) / length;
  gsize most = MAX (OWN_TOKENS / length, 1);
  Plan plan = { FALSE, n_threads, 0, 0 };
  gsize wide, mixed, rounds;

  /* Some groups for each thread, so that the last to finish is not long alone. */
  plan.group = CLAMP (n_sequences / (4 * n_threads), MIN (least, most), most);
  plan.n_groups = (n_sequences + plan.group - 1) / plan.group;
  rounds = (plan.n_groups + n_threads - 1) / n_threads;
  measure (self, plan.group * length, &wide, &mixed);
  plan.own = !observed && n_threads > 1 && self->config->n_experts == 0
             && (double) plan.n_groups > 0.8 * (double) (rounds * n_threads)
             && (double) (wide + mixed) * sizeof (float) * (double) n_threads < OWN_BYTES;

  if (!plan.own)
    {
      plan.n_threads = 1;
      gsize tokens = self->config->n_experts > 0 ? ROUTED_TOKENS : SHARED_TOKENS;

      plan.group = MIN (MAX (tokens / length, 1), n_sequences);
      plan.n_groups = (n_sequences + plan.group - 1) / plan.group;
    }

  return plan;
}

static void
reserve_workspaces (TareNetwork *self,
                    gsize        n)
{
  if (n <= self->n_workspaces)
    return;

  self->workspaces = g_renew (TareWorkspace, self->workspaces, n);
  memset (self->workspaces + self->n_workspaces, 0,
          (n - self->n_workspaces) * sizeof *self->workspaces);
  self->n_workspaces = n;
}

/* Of what experts make of tokens, a slice at a time. */
static gsize
rows_of_branch (TareNetwork *self,
                gsize        n_tokens)
{
  if (self->config->n_experts > 0)
    return MIN (n_tokens, SHARED_TOKENS);

  return branches (self) ? n_tokens : 1;
}

/* Whether the last tokens of a cache stay as they are. */
static gboolean
has_window (const TareBlock *block)
{
  return (block->keys.format != NULL && block->keys.window > 0)
         || (block->values.format != NULL && block->values.window > 0);
}

/* Room for the groups, and angles for their positions. */
static gboolean
reserve (TareNetwork      *self,
         const TareBlock  *block,
         const Plan       *plan,
         gsize             length,
         GError          **error)
{
  const TareConfig *config = self->config;
  const TareAttentionShape shape = _tare_network_get_shape (self, 0, plan->group, length);
  const char *path = tare_model_get_path (self->model);
  gboolean past = has_window (block);
  gsize scratch = past ? tare_kernel_attention_past_scratch (&shape)
                       : tare_kernel_attention_scratch (&shape);
  gboolean ok = TRUE;
  gsize wide, mixed;

  _tare_network_reserve_angles (self, self->branches != NULL
                                      ? self->branches->n_positions
                                      : length + (self->cache != NULL
                                                  ? tare_cache_get_length (self->cache) : 0));
  measure (self, plan->group * length, &wide, &mixed);
  reserve_workspaces (self, plan->n_threads);
  for (gsize i = 0; ok && i < plan->n_threads; i++)
    {
      TareWorkspace *space = &self->workspaces[i];

      ok = _tare_buffer_reserve (&space->input, plan->group * length, config->width, path, error)
           && _tare_buffer_reserve (&space->wide, 1, wide, path, error)
           && _tare_buffer_reserve (&space->mixed, 1, mixed, path, error)
           && _tare_buffer_reserve (&space->branch, rows_of_branch (self, plan->group * length),
                                    config->width, path, error)
           && _tare_buffer_reserve (&space->scratch, 1, scratch, path, error)
           && (!past || _tare_buffer_reserve (&space->past, plan->group * length,
                                              block->qkv.outputs, path, error));
    }

  return ok;
}

/* How the sequences of a group branch, if they do. */
static void
set_branches (TareNetwork   *self,
              TareWorkspace *space,
              gsize          first,
              gsize          n_sequences)
{
  space->branches = (TareBranches) { 0 };
  if (self->branches == NULL)
    return;

  space->branches = *self->branches;
  space->branches.n_sequences = n_sequences;
  space->branches.shared += first;
  space->branches.begin += first * self->branches->length;
}

static gboolean
run_shared (TareNetwork        *self,
            const Plan         *plan,
            const TareBlock    *block,
            float              *x,
            gsize               n_sequences,
            gsize               length,
            const TareObserver *observer,
            const TareProgress *progress)
{
  gsize stride = length * self->config->width;
  gboolean streams = observer != NULL && observer->stream != NULL;
  g_autofree float *before = streams ? g_new (float, plan->group * stride) : NULL;
  gboolean done = TRUE;

  for (gsize i = 0; done && i < plan->n_groups; i++)
    {
      gsize first = i * plan->group;
      gsize n = MIN (plan->group, n_sequences - first);

      tare_progress_step (progress, (double) i / (double) plan->n_groups, NULL, NULL);
      if (streams)
        memcpy (before, x + first * stride, n * stride * sizeof *before);
      set_branches (self, &self->workspaces[0], first, n);
      done = run_group (self, &self->workspaces[0], block, x + first * stride, n, length, observer,
                        progress);
      if (done && streams)
        observer->stream (block->index, before, x + first * stride, n * length,
                          self->config->width, observer->data);
    }

  return done;
}

static gboolean
run_own (TareNetwork        *self,
         const Plan         *plan,
         const TareBlock    *block,
         float              *x,
         gsize               n_sequences,
         gsize               length,
         const TareProgress *progress)
{
  gsize stride = length * self->config->width;
  gsize n_done = 0;

#pragma omp parallel for schedule(dynamic) num_threads ((int) plan->n_threads)
  for (gsize i = 0; i < plan->n_groups; i++)
    {
      TareWorkspace *space = &self->workspaces[omp_get_thread_num ()];
      gsize first = i * plan->group;
      gsize n = MIN (plan->group, n_sequences - first);
      gsize so_far;

      set_branches (self, space, first, n);
      if (!run_group (self, space, block, x + first * stride, n, length, NULL, progress))
        continue;

#pragma omp atomic capture
      so_far = ++n_done;
      /* Told from the caller's thread alone. */
      if (omp_get_thread_num () == 0)
        tare_progress_step (progress, (double) so_far / (double) plan->n_groups, NULL, NULL);
    }

  return n_done == plan->n_groups;
}

/**
 * tare_network_run_block:
 * @self: the network
 * @block: from tare_network_load_block()
 * @x: (inout): n_sequences x length x width, the residual stream
 * @n_sequences: sequences, which do not see each other
 * @length: tokens of each, at positions from 0 on
 * @observer: (nullable): told of the inputs of the linear layers, a group of tokens at a time
 * @progress: (nullable): the progress; looked at every few hundredths of a second
 * @error: cancelled, memory, or what the weights of experts report
 *
 * x += attention (norm (x)), x += feed_forward (norm (x)), in place. Activations are held for a
 * thousand tokens, four thousand where there are experts, or one sequence if that is longer, or for
 * a group a thread.
 * Deterministic for a number of threads.
 *
 * Returns: %FALSE on error; @x is then neither what it was nor what it would be
 */
gboolean
tare_network_run_block (TareNetwork         *self,
                        const TareBlock     *block,
                        float               *x,
                        gsize                n_sequences,
                        gsize                length,
                        const TareObserver  *observer,
                        const TareProgress  *progress,
                        GError             **error)
{
  gboolean done;
  Plan plan;

  g_return_val_if_fail (self != NULL && block != NULL, FALSE);
  g_return_val_if_fail (block->down.weight != NULL || block->experts.n > 0, FALSE);

  if (length == 0 || n_sequences == 0)
    return TRUE;

  plan = make_plan (self, n_sequences, length, observer != NULL);
  if (!reserve (self, block, &plan, length, error))
    return FALSE;

  done = plan.own
         ? run_own (self, &plan, block, x, n_sequences, length, progress)
         : run_shared (self, &plan, block, x, n_sequences, length, observer, progress);
  if (self->failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&self->failure));
      return FALSE;
    }
  if (!done)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                           "The forward pass was cancelled");
      return FALSE;
    }

  return tare_progress_step (progress, 1.0, NULL, error);
}

/**
 * tare_network_can_branch:
 * @self: the network
 * @weights: what it is run with
 *
 * Returns: whether tare_network_run_branches() takes all its blocks
 */
gboolean
tare_network_can_branch (TareNetwork       *self,
                         const TareWeights *weights)
{
  static const char *const parts[] = { "key", "value" };

  g_return_val_if_fail (self != NULL && weights != NULL, FALSE);

  for (guint i = 0; weights->round != NULL && i < self->config->n_blocks; i++)
    for (gsize j = 0; j < G_N_ELEMENTS (parts); j++)
      {
        g_autofree char *name = g_strdup_printf ("blk.%u.attn.%s", i, parts[j]);
        TareActivationFormat rounding = weights->round (weights->data, name);

        if (rounding.format != NULL && rounding.window > 0)
          return FALSE;
      }

  return TRUE;
}

/**
 * tare_network_run_branches:
 * @self: the network
 * @block: from tare_network_load_block(), of weights that tare_network_can_branch()
 * @x: (inout): n_sequences x length x width, the residual stream
 * @branches: which sequences, and where they part
 * @progress: (nullable): the progress
 * @error: as tare_network_run_block()
 *
 * tare_network_run_block() for sequences that go on in several ways: what they share is computed
 * once.
 *
 * Returns: %FALSE on error; @x is then neither what it was nor what it would be
 */
gboolean
tare_network_run_branches (TareNetwork         *self,
                           const TareBlock     *block,
                           float               *x,
                           const TareBranches  *branches,
                           const TareProgress  *progress,
                           GError             **error)
{
  gboolean done;

  g_return_val_if_fail (self != NULL && block != NULL && branches != NULL, FALSE);
  g_return_val_if_fail (!has_window (block), FALSE);

  self->branches = branches;
  done = tare_network_run_block (self, block, x, branches->n_sequences, branches->length, NULL,
                                 progress, error);
  self->branches = NULL;

  return done;
}

static void
run_output_slice (TareNetwork        *self,
                  TareWorkspace      *space,
                  const TareBlock    *output,
                  const float        *x,
                  gsize               first,
                  gsize               n_tokens,
                  float              *logits,
                  const TareObserver *observer)
{
  const TareConfig *config = self->config;

  _tare_network_norm (self, &output->attention_norm, x + first * config->width, n_tokens,
                      config->width, space->input.data);
  _tare_network_observe (observer, &output->qkv, 0, space->input.data, NULL, n_tokens);
  if (!round_input (self, &output->qkv, space->input.data, n_tokens))
    return;
  _tare_linear_run (&output->qkv, space->input.data, n_tokens, 0.0f,
                    logits + first * config->vocabulary, NULL);
  if (config->final_soft_cap > 0.0f)
    tare_kernel_soft_cap (config->final_soft_cap, n_tokens, config->vocabulary,
                          logits + first * config->vocabulary);
}

/**
 * tare_network_run_output:
 * @self: the network
 * @output: from tare_network_load_output()
 * @x: n_tokens x width, the residual stream after the last block
 * @n_tokens: how many
 * @logits: (out caller-allocates): n_tokens x vocabulary
 * @observer: (nullable): told of the input of the output matrix
 * @error: memory
 *
 * Returns: %FALSE on error
 */
gboolean
tare_network_run_output (TareNetwork         *self,
                         const TareBlock     *output,
                         const float         *x,
                         gsize                n_tokens,
                         float               *logits,
                         const TareObserver  *observer,
                         GError             **error)
{
  gsize n_threads = (gsize) omp_get_max_threads ();
  gboolean own = observer == NULL && n_threads > 1 && n_tokens >= n_threads * OWN_TOKENS_LEAST;
  gsize slice = own ? MIN ((n_tokens + n_threads - 1) / n_threads, OWN_TOKENS) : SHARED_TOKENS;
  gsize n_slices = (n_tokens + slice - 1) / slice;

  g_return_val_if_fail (self != NULL && output != NULL && output->qkv.weight != NULL, FALSE);

  reserve_workspaces (self, own ? n_threads : 1);
  for (gsize i = 0; i < (own ? n_threads : 1); i++)
    if (!_tare_buffer_reserve (&self->workspaces[i].input, MIN (n_tokens, slice),
                               self->config->width, tare_model_get_path (self->model), error))
      return FALSE;

  if (own)
    {
#pragma omp parallel for schedule(dynamic) num_threads ((int) n_threads)
      for (gsize i = 0; i < n_slices; i++)
        run_output_slice (self, &self->workspaces[omp_get_thread_num ()], output, x, i * slice,
                          MIN (slice, n_tokens - i * slice), logits, NULL);
    }
  else
    {
      for (gsize i = 0; i < n_slices; i++)
        run_output_slice (self, &self->workspaces[0], output, x, i * slice,
                          MIN (slice, n_tokens - i * slice), logits, observer);
    }

  if (self->failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&self->failure));
      return FALSE;
    }

  return TRUE;
}
