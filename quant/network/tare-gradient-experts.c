/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A feed-forward part of experts, both ways. Who goes where is found on the way there and is no
 * function of anything; how much a token takes of an expert is: the router's softmax, of all
 * scores or of those of the chosen, and a sigmoid for the expert that all tokens share. That one is
 * treated as one through which all of them go.
 */
#include "quant/network/tare-gradient-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of one expert that are gathered at a time: enough for OpenBLAS's full speed. */
#define GATHERED_TOKENS 512

/* Below so many numbers the threads cost more than they save. */
#define PARALLEL_LEAST 16384

/* What a group makes, tokens x ...; from @gathered on, of some tokens of one expert. */
typedef struct
{
  TareDual input;
  TareDual input_gradient;
  TareDual aside;
  TareDual scores;
  TareDual shares;
  TareDual shares_gradient;
  TareDual opened;
  TareDual opened_gradient;
  TareDual gathered;
  TareDual wide;
  TareDual inner;
  TareDual output;
  TareDual branch_gradient;
  TareDual inner_gradient;
  TareDual wide_gradient;
  TareDual gathered_gradient;
  float   *wide_pushed;
  float   *output_pushed;
} Experts;

/* One expert and how it moves. */
typedef struct
{
  TareLinear    gate_up;
  TareLinear    down;
  TareLinear    gate_up_direction;
  TareLinear    down_direction;
  TareLinearSum gate_up_sum;
  TareLinearSum down_sum;
} Expert;

/* Some tokens that go through an expert, and what they take of it: every @stride, from the first
 * token of the group on. */
typedef struct
{
  TareLinearSum *gate_up;
  TareLinearSum *down;
  const guint32 *tokens;
  gsize          n;
  TareDual       shares;
  TareDual       shares_gradient;
  gsize          stride;
} Branch;

static float *
carve_floats (TareRoom *room,
              gsize     n)
{
  return _tare_dual_carve (room, n, FALSE).value;
}

static Experts
carve (const TareNetwork *network,
       gsize              n,
       gboolean           tangent,
       TareRoom          *room)
{
  const TareConfig *config = network->config;
  gsize width = config->width, inner = MAX (config->expert_width, config->shared_width);
  gsize some = MIN (n, GATHERED_TOKENS);
  Experts self;

  self.input = _tare_dual_carve (room, n * width, tangent);
  self.input_gradient = _tare_dual_carve (room, n * width, tangent);
  self.aside = _tare_dual_carve (room, n * width, tangent);
  self.scores = _tare_dual_carve (room, n * config->n_experts, tangent);
  self.shares = _tare_dual_carve (room, n * config->n_experts, tangent);
  self.shares_gradient = _tare_dual_carve (room, n * config->n_experts, tangent);
  self.opened = _tare_dual_carve (room, n, tangent);
  self.opened_gradient = _tare_dual_carve (room, n, tangent);
  self.gathered = _tare_dual_carve (room, some * width, tangent);
  self.wide = _tare_dual_carve (room, some * 2 * inner, tangent);
  self.inner = _tare_dual_carve (room, some * inner, tangent);
  self.output = _tare_dual_carve (room, some * width, tangent);
  self.branch_gradient = _tare_dual_carve (room, some * width, tangent);
  self.inner_gradient = _tare_dual_carve (room, some * inner, tangent);
  self.wide_gradient = _tare_dual_carve (room, some * 2 * inner, tangent);
  self.gathered_gradient = _tare_dual_carve (room, some * width, tangent);
  self.wide_pushed = carve_floats (room, tangent ? some * 2 * inner : 0);
  self.output_pushed = carve_floats (room, tangent ? some * width : 0);

  return self;
}

/* Numbers that a group of @n tokens takes. */
gsize
_tare_reverse_measure_experts (TareNetwork *network,
                               gsize        n,
                               gboolean     tangent)
{
  TareRoom room = { NULL, 0 };

  carve (network, n, tangent, &room);

  return room.used;
}

static const TareTensor *
get_tensor (const TareReverse *self,
            gsize              part)
{
  const TareExperts *experts = &self->block->experts;
  const TareTensor *const tensors[TARE_EXPERT_PARTS] = { experts->gate, experts->up,
                                                         experts->down };

  return tensors[part];
}

/* Room for the gradients that are wanted. */
gboolean
_tare_reverse_init_experts (TareReverse  *self,
                            GError      **error)
{
  gboolean wanted = self->observer != NULL && self->observer->weight != NULL;

  for (gsize i = 0; wanted && self->block->experts.n > 0 && i < TARE_EXPERT_PARTS; i++)
    {
      const TareTensor *tensor = get_tensor (self, i);

      if (self->tangent && !_tare_reverse_moves (self, tensor))
        continue;
      self->experts[i] = _tare_floats_new (tensor->rows, tensor->columns,
                                           tare_model_get_path (self->network->model), error);
      if (self->experts[i] == NULL)
        return FALSE;
      memset (self->experts[i], 0, tensor->rows * tensor->columns * sizeof (float));
    }

  return TRUE;
}

/* Tells the observer of what was collected; adds v'(Hv) to @curvature. */
void
_tare_reverse_report_experts (TareReverse *self,
                              double      *curvature)
{
  const TareGradientObserver *observer = self->observer;

  for (gsize i = 0; self->block->experts.n > 0 && i < TARE_EXPERT_PARTS; i++)
    {
      const TareTensor *tensor = get_tensor (self, i);

      if (self->experts[i] != NULL)
        observer->weight (tensor, self->experts[i], observer->data);
      if (!_tare_reverse_moves (self, tensor))
        continue;
      *curvature += self->expert_curvature[i];
      if (observer != NULL && observer->curvature != NULL)
        observer->curvature (tensor, self->expert_curvature[i], observer->data);
    }
}

static gboolean
any_moves (const TareReverse *self)
{
  gboolean any = FALSE;

  for (gsize i = 0; self->direction != NULL && i < TARE_EXPERT_PARTS; i++)
    any |= _tare_reverse_moves (self, get_tensor (self, i));

  return any;
}

/* Where the gradient by a matrix of an expert goes. */
static float *
get_gradient (const TareReverse *self,
              gsize              part,
              gsize              expert)
{
  const TareTensor *tensor = get_tensor (self, part);
  gsize size = tensor->rows / self->block->experts.n * tensor->columns;

  return self->experts[part] != NULL ? self->experts[part] + expert * size : NULL;
}

/* The matrices of an expert, which stay until the next one is asked for; FALSE with the network's
 * failure set. */
static gboolean
open_expert (TareReverse     *self,
             TareReverseRoom *room,
             gsize            expert,
             Expert          *opened)
{
  gboolean any = any_moves (self);

  *opened = (Expert) {
    .gate_up_sum = { .linear = &opened->gate_up, .weight = get_gradient (self, 0, expert),
                     .split = TRUE, .lower = get_gradient (self, 1, expert), .expert = expert,
                     .gathered = TRUE, .direction = any ? &opened->gate_up_direction : NULL },
    .down_sum = { .linear = &opened->down, .weight = get_gradient (self, 2, expert),
                  .expert = expert, .gathered = TRUE,
                  .direction = any ? &opened->down_direction : NULL },
  };

  return _tare_experts_get (&self->block->experts, expert, &room->expert, &opened->gate_up,
                            &opened->down, self->progress, &self->network->failure)
         && (!any
             || _tare_experts_get (&self->direction->experts, expert, &room->expert_direction,
                                   &opened->gate_up_direction, &opened->down_direction,
                                   self->progress, &self->network->failure));
}

static void
close_expert (TareReverse  *self,
              const Expert *opened)
{
  self->expert_curvature[0] += opened->gate_up_sum.curvature[0];
  self->expert_curvature[1] += opened->gate_up_sum.curvature[1];
  self->expert_curvature[2] += opened->down_sum.curvature[0];
}

/* What a token takes of all experts, by the router's scores: nothing of those that were not chosen
 * where the chosen ones' shares are made to add up to 1, and otherwise what it would take. Either
 * way q is a softmax, so that q' = q (s' - q·s'). */
static void
share_out (const TareReverse *self,
           const TareRoutes  *routes,
           Experts           *room,
           gsize              n_tokens)
{
  const TareConfig *config = self->network->config;
  gsize n = config->n_experts;

  memset (room->shares.value, 0, n_tokens * n * sizeof (float));
  for (gsize e = 0; config->normalises_experts && e < n; e++)
    for (gsize i = routes->begin[e]; i < routes->begin[e + 1]; i++)
      room->shares.value[routes->tokens[i] * n + e] = routes->shares[i];

#pragma omp parallel for schedule(static) if (n_tokens * n >= PARALLEL_LEAST)
  for (gsize t = 0; t < n_tokens; t++)
    {
      TareDual s = tare_dual_at (room->scores, t * n), q = tare_dual_at (room->shares, t * n);
      double maximum = -INFINITY, sum = 0.0, mean = 0.0;

      for (gsize e = 0; !config->normalises_experts && e < n; e++)
        maximum = MAX (maximum, (double) s.value[e]);
      for (gsize e = 0; !config->normalises_experts && e < n; e++)
        sum += exp ((double) s.value[e] - maximum);
      for (gsize e = 0; !config->normalises_experts && e < n; e++)
        q.value[e] = (float) (exp ((double) s.value[e] - maximum) / sum);

      for (gsize e = 0; self->tangent && e < n; e++)
        mean += (double) q.value[e] * (double) s.tangent[e];
      for (gsize e = 0; self->tangent && e < n; e++)
        q.tangent[e] = (float) ((double) q.value[e] * ((double) s.tangent[e] - mean));
    }
}

/* a, the gradient by what was taken of each expert and 0 of those that were not chosen, becomes
 * that by the router's scores: q (a - q·a). */
static void
share_back (const TareReverse *self,
            Experts           *room,
            gsize              n_tokens)
{
  gsize n = self->network->config->n_experts;

#pragma omp parallel for schedule(static) if (n_tokens * n >= PARALLEL_LEAST)
  for (gsize t = 0; t < n_tokens; t++)
    {
      TareDual q = tare_dual_at (room->shares, t * n);
      TareDual a = tare_dual_at (room->shares_gradient, t * n);
      double mean = 0.0, tangent = 0.0;

      for (gsize e = 0; e < n; e++)
        mean += (double) q.value[e] * (double) a.value[e];
      for (gsize e = 0; self->tangent && e < n; e++)
        tangent += (double) q.tangent[e] * (double) a.value[e]
                   + (double) q.value[e] * (double) a.tangent[e];
      for (gsize e = 0; self->tangent && e < n; e++)
        a.tangent[e] = (float) ((double) q.tangent[e] * ((double) a.value[e] - mean)
                                + (double) q.value[e] * ((double) a.tangent[e] - tangent));
      for (gsize e = 0; e < n; e++)
        a.value[e] = (float) ((double) q.value[e] * ((double) a.value[e] - mean));
    }
}

/* u = σ (x), u' = u (1 - u) x', where they lie. */
static void
open_shared (TareDual x,
             gsize    n)
{
  for (gsize i = 0; i < n; i++)
    {
      double u = 1.0 / (1.0 + exp (-(double) x.value[i]));

      x.value[i] = (float) u;
      if (x.tangent != NULL)
        x.tangent[i] = (float) (u * (1.0 - u) * (double) x.tangent[i]);
    }
}

/* a, the gradient by u, becomes that by x. */
static void
open_back (TareDual u,
           gsize    n,
           TareDual a)
{
  for (gsize i = 0; i < n; i++)
    {
      double value = u.value[i], slope = value * (1.0 - value);

      if (a.tangent != NULL)
        a.tangent[i] = (float) ((1.0 - 2.0 * value) * (double) u.tangent[i] * (double) a.value[i]
                                + slope * (double) a.tangent[i]);
      a.value[i] = (float) (slope * (double) a.value[i]);
    }
}

static void
gather (TareDual      from,
        const Branch *branch,
        gsize         width,
        TareDual      to)
{
  for (gsize i = 0; i < branch->n; i++)
    {
      gsize row = branch->tokens[i] * width;

      memcpy (to.value + i * width, from.value + row, width * sizeof (float));
      if (to.tangent != NULL)
        memcpy (to.tangent + i * width, from.tangent + row, width * sizeof (float));
    }
}

/* What an expert makes of its tokens. */
static gboolean
run_branch (TareReverse  *self,
            Experts      *room,
            const Branch *branch)
{
  const TareConfig *config = self->network->config;
  gsize inner = branch->down->linear->columns;

  gather (room->input, branch, config->width, room->gathered);
  if (!_tare_reverse_linear (self, branch->gate_up, room->gathered, branch->n, room->wide,
                             room->wide_pushed))
    return FALSE;

  tare_kernel_gate (config->activation, room->wide.value, branch->n, inner, room->inner.value);
  if (self->tangent)
    tare_kernel_gate_tangent (config->activation, room->wide, branch->n, inner,
                              room->inner.tangent);

  return _tare_reverse_linear (self, branch->down, room->inner, branch->n, room->output,
                               room->output_pushed);
}

/* y += a x, y' += a' x + a x'. */
static void
add_share (double   share,
           double   tangent,
           TareDual x,
           gsize    n,
           TareDual y)
{
  for (gsize i = 0; i < n; i++)
    {
      y.value[i] += (float) (share * (double) x.value[i]);
      if (y.tangent != NULL)
        y.tangent[i] += (float) (tangent * (double) x.value[i]
                                 + share * (double) x.tangent[i]);
    }
}

/* y = a x for every token, with its tangent, where one of them is of all tokens of the group. */
static void
spread (const TareReverse *self,
        const Branch      *branch,
        TareDual           x,
        gboolean           back,
        TareDual           y)
{
  gsize width = self->network->config->width;

#pragma omp parallel for schedule(static) if (branch->n * width >= PARALLEL_LEAST)
  for (gsize i = 0; i < branch->n; i++)
    {
      gsize token = branch->tokens[i], place = token * branch->stride;
      TareDual from = tare_dual_at (x, (back ? token : i) * width);
      TareDual to = tare_dual_at (y, (back ? i : token) * width);
      double tangent = self->tangent ? (double) branch->shares.tangent[place] : 0.0;

      if (back)
        memset (to.value, 0, width * sizeof (float));
      if (back && self->tangent)
        memset (to.tangent, 0, width * sizeof (float));
      add_share ((double) branch->shares.value[place], tangent, from, width, to);
    }
}

/* The gradient by what is taken of the expert: that by the stream times what it made. */
static void
measure_shares (const TareReverse *self,
                const Branch      *branch,
                TareDual           output,
                TareDual           g)
{
  gsize width = self->network->config->width;

  for (gsize i = 0; i < branch->n; i++)
    {
      gsize token = branch->tokens[i], place = token * branch->stride;
      TareDual y = tare_dual_at (output, i * width), by = tare_dual_at (g, token * width);

      branch->shares_gradient.value[place]
        = (float) tare_kernel_inner (by.value, width, y.value, width, 1, width);
      if (self->tangent)
        branch->shares_gradient.tangent[place]
          = (float) (tare_kernel_inner (by.tangent, width, y.value, width, 1, width)
                     + tare_kernel_inner (by.value, width, y.tangent, width, 1, width));
    }
}

/* Adds to the input's gradient what goes through an expert. */
static gboolean
back_branch (TareReverse  *self,
             Experts      *room,
             const Branch *branch,
             TareDual      g)
{
  const TareConfig *config = self->network->config;
  gsize width = config->width;

  if (!run_branch (self, room, branch))
    return FALSE;

  measure_shares (self, branch, room->output, g);
  spread (self, branch, g, TRUE, room->branch_gradient);
  if (!_tare_reverse_linear_back (self, branch->down, room->inner, room->branch_gradient,
                                  branch->n, room->output_pushed, room->inner_gradient))
    return FALSE;

  tare_kernel_gate_backward (config->activation, room->wide, branch->n,
                             branch->down->linear->columns, room->inner_gradient,
                             room->wide_gradient);
  if (!_tare_reverse_linear_back (self, branch->gate_up, room->gathered, room->wide_gradient,
                                  branch->n, room->wide_pushed, room->gathered_gradient))
    return FALSE;

  for (gsize i = 0; i < branch->n; i++)
    _tare_dual_add (tare_dual_at (room->gathered_gradient, i * width), 1, width,
                    tare_dual_at (room->input_gradient, branch->tokens[i] * width));

  return TRUE;
}

/* One expert and all that go there, some at a time: to the stream after it, @y, or, with @g that
 * is the gradient by it, back to the input. */
static gboolean
pass_branch (TareReverse    *self,
             Experts        *room,
             Branch          branch,
             const TareDual *g,
             TareDual        y)
{
  gsize n = branch.n;

  for (gsize i = 0; i < n; i += GATHERED_TOKENS, branch.tokens += GATHERED_TOKENS)
    {
      branch.n = MIN (GATHERED_TOKENS, n - i);
      if (!(g != NULL ? back_branch (self, room, &branch, *g)
                      : run_branch (self, room, &branch)))
        return FALSE;
      if (g == NULL)
        spread (self, &branch, room->output, FALSE, y);
    }

  return TRUE;
}

/* Likewise all experts that somebody goes to. */
static gboolean
pass_routed (TareReverse      *self,
             TareReverseRoom  *buffers,
             Experts          *room,
             const TareRoutes *routes,
             const TareDual   *g,
             TareDual          y)
{
  gsize n = self->network->config->n_experts;

  for (gsize e = 0; e < n; e++)
    {
      gsize begin = routes->begin[e];
      Expert opened;
      const Branch branch = {
        &opened.gate_up_sum, &opened.down_sum, routes->tokens + begin, routes->begin[e + 1] - begin,
        tare_dual_at (room->shares, e), tare_dual_at (room->shares_gradient, e), n,
      };

      if (branch.n == 0)
        continue;
      if (!open_expert (self, buffers, e, &opened)
          || !pass_branch (self, room, branch, g, y))
        return FALSE;
      close_expert (self, &opened);
    }

  return TRUE;
}

/* Likewise the one that all tokens share. */
static gboolean
pass_shared (TareReverse    *self,
             Experts        *room,
             gsize           n,
             const TareDual *g,
             TareDual        y)
{
  g_autofree guint32 *tokens = g_new (guint32, n);
  const Branch branch = { &self->gate_up, &self->down, tokens, n, room->opened,
                          room->opened_gradient, 1 };

  for (gsize i = 0; i < n; i++)
    tokens[i] = (guint32) i;
  if (!_tare_reverse_linear (self, &self->shared_router, room->input, n, room->opened, NULL))
    return FALSE;
  open_shared (room->opened, n);

  return pass_branch (self, room, branch, g, y);
}

/* From the stream before, @x, to who goes where. */
static gboolean
route (TareReverse *self,
       Experts     *room,
       TareDual     x,
       gsize        n,
       TareRoutes  *routes)
{
  _tare_reverse_norm (self, &self->feed_forward_norm, x, n, room->input);
  if (!_tare_reverse_linear (self, &self->router, room->input, n, room->scores, NULL))
    return FALSE;

  _tare_routes_init (routes, self->network->config, room->scores.value, n);
  share_out (self, routes, room, n);

  return TRUE;
}

/* y += experts (norm (x)); FALSE when it was cancelled, or with the network's failure set. */
gboolean
_tare_reverse_run_experts (TareReverse     *self,
                           TareReverseRoom *room,
                           TareDual         x,
                           gsize            n,
                           TareDual         y)
{
  TareRoom rest = { room->feed_forward.data, 0 };
  Experts experts = carve (self->network, n, self->tangent, &rest);
  TareRoutes routes = { NULL, NULL, NULL };
  gboolean done = route (self, &experts, x, n, &routes)
                  && pass_routed (self, room, &experts, &routes, NULL, y)
                  && (self->block->down.weight == NULL
                      || pass_shared (self, &experts, n, NULL, y));

  _tare_routes_clear (&routes);

  return done;
}

static void
clear_dual (TareDual x,
            gsize    n)
{
  memset (x.value, 0, n * sizeof (float));
  if (x.tangent != NULL)
    memset (x.tangent, 0, n * sizeof (float));
}

/* Adds to @sum's input's gradient what goes from that by its output. */
static gboolean
back_router (TareReverse   *self,
             Experts       *room,
             TareLinearSum *sum,
             TareDual       g,
             gsize          n)
{
  if (!_tare_reverse_linear_back (self, sum, room->input, g, n, NULL, room->aside))
    return FALSE;

  _tare_dual_add (room->aside, n, self->network->config->width, room->input_gradient);

  return TRUE;
}

/* Adds to @to what goes from @g, the gradient by the stream after them, through the experts to @x;
 * FALSE when it was cancelled, or with the network's failure set. */
gboolean
_tare_reverse_back_experts (TareReverse     *self,
                            TareReverseRoom *room,
                            TareDual         x,
                            gsize            n,
                            TareDual         g,
                            TareDual         to)
{
  const TareConfig *config = self->network->config;
  gboolean shared = self->block->down.weight != NULL;
  TareRoom rest = { room->feed_forward.data, 0 };
  Experts experts = carve (self->network, n, self->tangent, &rest);
  TareRoutes routes = { NULL, NULL, NULL };
  gboolean done;

  clear_dual (experts.input_gradient, n * config->width);
  clear_dual (experts.shares_gradient, n * config->n_experts);
  done = route (self, &experts, x, n, &routes)
         && (!shared || pass_shared (self, &experts, n, &g, to))
         && pass_routed (self, room, &experts, &routes, &g, to);
  _tare_routes_clear (&routes);
  if (!done)
    return FALSE;

  open_back (experts.opened, shared ? n : 0, experts.opened_gradient);
  share_back (self, &experts, n);
  if ((shared && !back_router (self, &experts, &self->shared_router, experts.opened_gradient, n))
      || !back_router (self, &experts, &self->router, experts.shares_gradient, n))
    return FALSE;

  _tare_reverse_norm_back (self, &self->feed_forward_norm, x, experts.input_gradient, n,
                           experts.input_gradient);
  _tare_dual_add (experts.input_gradient, n, config->width, to);

  return TRUE;
}
