/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A feed-forward part of many experts, of which each token goes through a few (Shazeer et al.,
 * "Outrageously Large Neural Networks", 2017; Jiang et al., "Mixtral of Experts", 2024). Only what
 * is routed is computed: the tokens of one expert are gathered, multiplied, and what it makes of
 * them is added to the stream where they came from, one expert after the other, so that sums are
 * made in one order.
 */
#include "quant/network/tare-network-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of one expert that are gathered at a time. */
#define GATHERED_TOKENS 1024

/* Numbers of one expert. */
static gsize
expert_size (const TareExperts *self)
{
  return 3 * self->width * self->gate->columns;
}

/* Bytes of the experts of a block in fp32. */
double
_tare_experts_measure (const TareConfig *config)
{
  return 3.0 * config->n_experts * config->expert_width * config->width * sizeof (float);
}

static gboolean
load_expert (const TareExperts   *self,
             gsize                expert,
             float               *out,
             const TareProgress  *progress,
             GError             **error)
{
  gsize columns = self->gate->columns;
  gsize part = self->width * columns;

  return tare_weights_load_rows (&self->weights, self->gate, expert * self->width, self->width,
                                 out, progress, error)
         && tare_weights_load_rows (&self->weights, self->up, expert * self->width, self->width,
                                    out + part, progress, error)
         && tare_weights_load_rows (&self->weights, self->down, expert * columns, columns,
                                    out + 2 * part, progress, error);
}

/* One tensor of all experts to where each has its part, @offset from where the expert begins. */
static gboolean
load_whole (TareExperts         *self,
            const TareTensor    *tensor,
            gsize                offset,
            const TareProgress  *progress,
            GError             **error)
{
  gsize size = tensor->rows / self->n * tensor->columns;
  float *all = _tare_floats_new (tensor->rows, tensor->columns, tare_file_get_path (tensor->file),
                                 error);
  gboolean loaded = all != NULL
                    && self->weights.load (self->weights.data, tensor, all, progress, error);

  for (gsize i = 0; loaded && i < self->n; i++)
    memcpy (self->resident + i * expert_size (self) + offset, all + i * size,
            size * sizeof *all);
  free (all);

  return loaded;
}

/* All experts, in the order that their weights are best loaded in. */
static gboolean
load_all (TareExperts         *self,
          const TareProgress  *progress,
          GError             **error)
{
  gsize part = self->width * self->gate->columns;

  if (self->weights.load_rows == NULL)
    return load_whole (self, self->gate, 0, progress, error)
           && load_whole (self, self->up, part, progress, error)
           && load_whole (self, self->down, 2 * part, progress, error);

  for (gsize i = 0; i < self->n; i++)
    if (!load_expert (self, i, self->resident + i * expert_size (self), progress, error))
      return FALSE;

  return TRUE;
}

/* The experts of a block: all of them, or where to find them. Their tensors are there and of the
 * right shape, or the model would not run. */
gboolean
_tare_experts_load (TareNetwork        *network,
                    const TareWeights  *weights,
                    int                 block,
                    TareExperts        *self,
                    GError            **error)
{
  const TareConfig *config = network->config;
  TareModel *model = network->model;

  self->n = config->n_experts;
  self->n_used = config->n_experts_used;
  self->width = config->expert_width;
  self->gate = tare_model_lookup_role (model, "ffn_gate_exps", block, FALSE);
  self->up = tare_model_lookup_role (model, "ffn_up_exps", block, FALSE);
  self->down = tare_model_lookup_role (model, "ffn_down_exps", block, FALSE);
  self->weights = *weights;
  if (!_tare_weights_get_rounding (weights, self->gate, self->gate->columns, &self->gate_input,
                                   error)
      || !_tare_weights_get_rounding (weights, self->down, self->down->columns, &self->down_input,
                                      error))
    return FALSE;

  if (_tare_experts_measure (config) > network->expert_bytes)
    return TRUE;

  self->resident = _tare_floats_new (self->n, expert_size (self), tare_model_get_path (model),
                                     error);

  return self->resident != NULL && load_all (self, weights->progress, error);
}

/* The layers of one expert, which stay where they are until @room is used again. */
gboolean
_tare_experts_get (const TareExperts   *self,
                   gsize                expert,
                   TareBuffer          *room,
                   TareLinear          *gate_up,
                   TareLinear          *down,
                   const TareProgress  *progress,
                   GError             **error)
{
  gsize columns = self->gate->columns;
  float *values = NULL;

  if (self->resident != NULL)
    values = self->resident + expert * expert_size (self);
  else if (_tare_buffer_reserve (room, 1, expert_size (self),
                                 tare_file_get_path (self->gate->file), error)
           && load_expert (self, expert, room->data, progress, error))
    values = room->data;
  if (values == NULL)
    return FALSE;

  *gate_up = (TareLinear) {
    .tensor = self->gate, .weight = values, .columns = columns, .outputs = 2 * self->width,
    .input = self->gate_input,
  };
  *down = (TareLinear) {
    .tensor = self->down, .weight = values + 2 * self->width * columns, .columns = self->width,
    .outputs = columns, .input = self->down_input,
  };

  return TRUE;
}

/* The experts of one token, the best first and of equals the first, and their shares. */
static void
choose (const TareConfig *config,
        const float      *scores,
        double           *probabilities,
        guint32          *experts,
        float            *shares)
{
  gsize n = config->n_experts, n_used = config->n_experts_used;
  double maximum = -INFINITY, sum = 0.0, chosen = 0.0;

  for (gsize i = 0; i < n; i++)
    maximum = MAX (maximum, (double) scores[i]);
  for (gsize i = 0; i < n; i++)
    {
      probabilities[i] = exp ((double) scores[i] - maximum);
      sum += probabilities[i];
    }

  for (gsize k = 0; k < n_used; k++)
    {
      gsize best = 0;

      for (gsize i = 1; i < n; i++)
        if (probabilities[i] > probabilities[best])
          best = i;
      experts[k] = (guint32) best;
      shares[k] = (float) (probabilities[best] / sum);
      chosen += probabilities[best] / sum;
      probabilities[best] = -1.0;
    }

  for (gsize k = 0; config->normalises_experts && k < n_used; k++)
    shares[k] = (float) ((double) shares[k] / chosen);
}

/* Who goes where by the router's scores, n_tokens x experts. */
void
_tare_routes_init (TareRoutes       *self,
                   const TareConfig *config,
                   const float      *scores,
                   gsize             n_tokens)
{
  gsize n = config->n_experts, n_used = config->n_experts_used;
  g_autofree double *probabilities = g_new (double, n);
  g_autofree guint32 *experts = g_new (guint32, n_tokens * n_used);
  g_autofree float *shares = g_new (float, n_tokens * n_used);
  g_autofree gsize *next = g_new0 (gsize, n);

  self->begin = g_new0 (gsize, n + 1);
  self->tokens = g_new (guint32, n_tokens * n_used);
  self->shares = g_new (float, n_tokens * n_used);

  for (gsize t = 0; t < n_tokens; t++)
    choose (config, scores + t * n, probabilities, experts + t * n_used, shares + t * n_used);
  for (gsize i = 0; i < n_tokens * n_used; i++)
    self->begin[experts[i] + 1]++;
  for (gsize i = 0; i < n; i++)
    {
      self->begin[i + 1] += self->begin[i];
      next[i] = self->begin[i];
    }
  for (gsize i = 0; i < n_tokens * n_used; i++)
    {
      gsize place = next[experts[i]]++;

      self->tokens[place] = (guint32) (i / n_used);
      self->shares[place] = shares[i];
    }
}

void
_tare_routes_clear (TareRoutes *self)
{
  g_clear_pointer (&self->begin, g_free);
  g_clear_pointer (&self->tokens, g_free);
  g_clear_pointer (&self->shares, g_free);
}

/* wide = gate and up of @x, mixed = gate (wide), y = down of mixed, the inputs rounded where they
 * lie; FALSE when cancelled. */
static gboolean
run_gated (TareNetwork        *self,
           TareWorkspace      *space,
           const TareLinear   *gate_up,
           const TareLinear   *down,
           gsize               expert,
           float              *x,
           const guint32      *tokens,
           gsize               n_tokens,
           float              *y,
           const TareObserver *observer,
           const TareProgress *progress)
{
  _tare_network_observe (observer, gate_up, expert, x, tokens, n_tokens);
  if (!_tare_network_round (self, &gate_up->input, x, n_tokens, gate_up->columns,
                            gate_up->columns)
      || !_tare_linear_run (gate_up, x, n_tokens, 0.0f, space->wide.data, progress))
    return FALSE;

  tare_kernel_gate (self->config->activation, space->wide.data, n_tokens, down->columns,
                    space->mixed.data);
  _tare_network_observe (observer, down, expert, space->mixed.data, tokens, n_tokens);

  return _tare_network_round (self, &down->input, space->mixed.data, n_tokens, down->columns,
                              down->columns)
         && _tare_linear_run (down, space->mixed.data, n_tokens, 0.0f, y, progress);
}

/* x += what one expert makes of its tokens; FALSE when cancelled. */
static gboolean
run_expert (TareNetwork        *self,
            TareWorkspace      *space,
            const TareLinear   *gate_up,
            const TareLinear   *down,
            gsize               expert,
            const TareRoutes   *routes,
            float              *x,
            const TareObserver *observer,
            const TareProgress *progress)
{
  gsize width = self->config->width;
  gsize end = routes->begin[expert + 1];
  float *branch = space->branch.data;

  for (gsize first = routes->begin[expert]; first < end; first += GATHERED_TOKENS)
    {
      gsize n = MIN (GATHERED_TOKENS, end - first);

      for (gsize i = 0; i < n; i++)
        memcpy (branch + i * width, space->input.data + routes->tokens[first + i] * width,
                width * sizeof *branch);
      if (!run_gated (self, space, gate_up, down, expert, branch, routes->tokens + first, n, branch,
                      observer, progress))
        return FALSE;

      for (gsize i = 0; i < n; i++)
        {
          float *to = x + routes->tokens[first + i] * width;
          float share = routes->shares[first + i];

#pragma omp simd
          for (gsize j = 0; j < width; j++)
            to[j] += share * branch[i * width + j];
        }
    }

  return TRUE;
}

/* x += σ (router) times what the expert that all tokens share makes of them; FALSE when
 * cancelled. */
static gboolean
run_shared_expert (TareNetwork        *self,
                   TareWorkspace      *space,
                   const TareBlock    *block,
                   float              *x,
                   gsize               n_tokens,
                   const TareObserver *observer,
                   const TareProgress *progress)
{
  gsize width = self->config->width;
  float *branch = space->branch.data;
  float shares[GATHERED_TOKENS];

  for (gsize first = 0; first < n_tokens; first += GATHERED_TOKENS)
    {
      gsize n = MIN (GATHERED_TOKENS, n_tokens - first);
      float *input = space->input.data + first * width;

      if (!_tare_linear_run (&block->shared_router, input, n, 0.0f, shares, progress)
          || !run_gated (self, space, &block->gate_up, &block->down, 0, input, NULL, n, branch,
                         observer, progress))
        return FALSE;

      for (gsize i = 0; i < n; i++)
        {
          float share = 1.0f / (1.0f + expf (-shares[i]));

#pragma omp simd
          for (gsize j = 0; j < width; j++)
            x[(first + i) * width + j] += share * branch[i * width + j];
        }
    }

  return TRUE;
}

/* x += experts (norm (x)) for some tokens, of which those of one expert after the other; FALSE when
 * it was cancelled, or with the network's failure set. */
gboolean
_tare_network_run_experts (TareNetwork        *self,
                           TareWorkspace      *space,
                           const TareBlock    *block,
                           float              *x,
                           gsize               n_tokens,
                           const TareObserver *observer,
                           const TareProgress *progress)
{
  const TareConfig *config = self->config;
  TareRoutes routes = { NULL, NULL, NULL };
  gboolean done;

  _tare_network_norm (self, &block->feed_forward_norm, x, n_tokens, config->width,
                      space->input.data);
  done = _tare_linear_run (&block->router, space->input.data, n_tokens, 0.0f, space->wide.data,
                           progress);
  if (done)
    _tare_routes_init (&routes, config, space->wide.data, n_tokens);

  for (gsize i = 0; done && i < block->experts.n; i++)
    {
      TareLinear gate_up, down;

      if (routes.begin[i] == routes.begin[i + 1])
        continue;
      done = _tare_experts_get (&block->experts, i, &space->expert, &gate_up, &down, progress,
                                &self->failure)
             && run_expert (self, space, &gate_up, &down, i, &routes, x, observer, progress);
    }
  if (done && block->down.weight != NULL)
    done = run_shared_expert (self, space, block, x, n_tokens, observer, progress);
  _tare_routes_clear (&routes);

  return done;
}
