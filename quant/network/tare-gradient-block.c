/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * One block forwards and backwards for a group of sequences. What attention makes is kept from one
 * way to the other; the feed-forward part, which is the same for every token alone, is made again
 * and led back a slice of tokens at a time.
 */
#include "quant/network/tare-gradient-private.h"

#include <string.h>

/* Tokens of a group, and of a slice of its feed-forward part: enough for OpenBLAS's full speed. */
#define GROUP_TOKENS 1024
#define SLICE_TOKENS 512

/* Below so many numbers the threads cost more than they save. */
#define PARALLEL_LEAST 16384

/* What attention makes, tokens x ...; then the loss's gradients by some of it. */
typedef struct
{
  TareDual input;
  TareDual raw;
  TareDual qkv;
  TareDual mixed;
  TareDual output;
  TareDual middle;
  TareDual branch_gradient;
  TareDual mixed_gradient;
  TareDual qkv_gradient;
  TareDual input_gradient;
  TareDual aside;
  TareDual heads;
  TareDual heads_gradient;
  float   *qkv_pushed;
  float   *output_pushed;
} Attention;

/* Likewise of the feed-forward part. */
typedef struct
{
  TareDual input;
  TareDual wide;
  TareDual inner;
  TareDual output;
  TareDual branch_gradient;
  TareDual inner_gradient;
  TareDual wide_gradient;
  TareDual input_gradient;
  float   *wide_pushed;
  float   *output_pushed;
} FeedForward;

static gsize
get_queries (const TareNetwork *network)
{
  return (gsize) network->config->n_heads * network->config->head_width;
}

static gsize
get_qkv (const TareNetwork *network)
{
  return get_queries (network)
         + 2 * (gsize) network->config->n_key_value_heads * network->config->head_width;
}

static gsize
get_wide (const TareNetwork *network)
{
  gboolean gate = tare_architecture_find (network->architecture, "ffn_gate") != NULL
                  || network->architecture->fused_gate;

  return (gate ? 2 : 1) * (gsize) network->config->feed_forward_width;
}

static float *
carve_pushed (TareRoom *room,
              gsize     n,
              gboolean  tangent)
{
  return tangent ? _tare_dual_carve (room, n, FALSE).value : NULL;
}

static Attention
carve_attention (TareNetwork  *network,
                 gsize         n,
                 gboolean      tangent,
                 TareRoom     *room)
{
  gsize width = network->config->width, queries = get_queries (network), qkv = get_qkv (network);
  gboolean normed = network->architecture->head_norm || network->architecture->wide_head_norm
                    || network->architecture->own_head_norm;
  Attention self;

  self.input = _tare_dual_carve (room, n * width, tangent);
  self.raw = normed ? _tare_dual_carve (room, n * qkv, tangent) : (TareDual) { NULL, NULL };
  self.qkv = _tare_dual_carve (room, n * qkv, tangent);
  self.mixed = _tare_dual_carve (room, n * queries, tangent);
  self.output = _tare_dual_carve (room, n * width, tangent);
  self.middle = _tare_dual_carve (room, n * width, tangent);
  self.branch_gradient = _tare_dual_carve (room, n * width, tangent);
  self.mixed_gradient = _tare_dual_carve (room, n * queries, tangent);
  self.qkv_gradient = _tare_dual_carve (room, n * qkv, tangent);
  self.input_gradient = _tare_dual_carve (room, n * width, tangent);
  self.aside = _tare_dual_carve (room, n * width, tangent);
  self.heads = _tare_dual_carve (room, normed ? n * queries : 0, tangent);
  self.heads_gradient = _tare_dual_carve (room, normed ? n * queries : 0, tangent);
  self.qkv_pushed = carve_pushed (room, n * qkv, tangent);
  self.output_pushed = carve_pushed (room, n * width, tangent);

  return self;
}

static FeedForward
carve_feed_forward (TareNetwork  *network,
                    gsize         n,
                    gboolean      tangent,
                    TareRoom     *room)
{
  gsize width = network->config->width, inner = network->config->feed_forward_width;
  gsize wide = get_wide (network);
  FeedForward self;

  self.input = _tare_dual_carve (room, n * width, tangent);
  self.wide = _tare_dual_carve (room, n * wide, tangent);
  self.inner = _tare_dual_carve (room, n * inner, tangent);
  self.output = _tare_dual_carve (room, n * width, tangent);
  self.branch_gradient = _tare_dual_carve (room, n * width, tangent);
  self.inner_gradient = _tare_dual_carve (room, n * inner, tangent);
  self.wide_gradient = _tare_dual_carve (room, n * wide, tangent);
  self.input_gradient = _tare_dual_carve (room, n * width, tangent);
  self.wide_pushed = carve_pushed (room, n * wide, tangent);
  self.output_pushed = carve_pushed (room, n * width, tangent);

  return self;
}

/* Sequences of one group. */
gsize
_tare_reverse_group (gsize n_sequences,
                     gsize length)
{
  return MIN (MAX (GROUP_TOKENS / length, 1), n_sequences);
}

/* Room for a group, and angles for its positions. */
gboolean
_tare_reverse_reserve (TareNetwork      *network,
                       gsize             n_sequences,
                       gsize             length,
                       gboolean          tangent,
                       TareReverseRoom  *room,
                       GError          **error)
{
  const TareAttentionShape shape = _tare_network_get_shape (network, 0, n_sequences, length);
  const char *path = tare_model_get_path (network->model);
  gsize n = n_sequences * length;
  gsize scratch = MAX (tare_kernel_attention_scratch (&shape),
                       tare_kernel_attention_backward_scratch (&shape, tangent));
  TareRoom attention = { NULL, 0 }, feed_forward = { NULL, 0 };

  _tare_network_reserve_angles (network, length);
  carve_attention (network, n, tangent, &attention);
  if (network->config->n_experts > 0)
    feed_forward.used = _tare_reverse_measure_experts (network, n, tangent);
  else
    carve_feed_forward (network, MIN (n, SLICE_TOKENS), tangent, &feed_forward);

  return _tare_buffer_reserve (&room->attention, 1, attention.used, path, error)
         && _tare_buffer_reserve (&room->feed_forward, 1, feed_forward.used, path, error)
         && _tare_buffer_reserve (&room->scratch, 1, scratch, path, error);
}

/* Some heads of every token from rows of queries, keys and values, or back to them. */
static void
move_heads (float    *rows,
            gsize     stride,
            gsize     n_tokens,
            gsize     first,
            gsize     n,
            gboolean  back,
            float    *heads)
{
  for (gsize i = 0; i < n_tokens; i++)
    {
      float *row = rows + i * stride + first;

      if (back)
        memcpy (row, heads + i * n, n * sizeof *row);
      else
        memcpy (heads + i * n, row, n * sizeof *row);
    }
}

static void
move_dual_heads (TareDual rows,
                 gsize    stride,
                 gsize    n_tokens,
                 gsize    first,
                 gsize    n,
                 gboolean back,
                 TareDual heads)
{
  move_heads (rows.value, stride, n_tokens, first, n, back, heads.value);
  if (rows.tangent != NULL)
    move_heads (rows.tangent, stride, n_tokens, first, n, back, heads.tangent);
}

/* A norm of queries or keys, where they are in a row, and how many it takes apart: each head, or
 * all of them together, or but one that has a norm of its own. */
typedef struct
{
  TareScaling norm;
  TareNormSum sum;
  gsize       first;
  gsize       n;
} Heads;

/* The next such norm; FALSE where there is none. */
static gboolean
get_heads (TareReverse *self,
           gsize        index,
           Heads       *heads)
{
  const TareConfig *config = self->network->config;
  gboolean own = self->network->architecture->own_head_norm;
  gsize n_queries = own ? config->n_heads : 1, n_keys = own ? config->n_key_value_heads : 1;
  gboolean keys = index >= n_queries;
  gsize offset = (keys ? index - n_queries : index) * config->head_width;
  const TareNormSum *sum = keys ? &self->key_norm : &self->query_norm;

  if (index >= n_queries + n_keys)
    return FALSE;

  heads->norm = *sum->norm;
  heads->sum = *sum;
  heads->sum.norm = &heads->norm;
  if (heads->norm.weight != NULL)
    heads->norm.weight += offset;
  if (heads->sum.weight != NULL)
    heads->sum.weight += offset;
  heads->first = (keys ? get_queries (self->network) : 0) + offset;
  heads->n = own || self->network->architecture->wide_head_norm ? 1
             : keys ? config->n_key_value_heads : config->n_heads;

  return TRUE;
}

/* Turns the heads of all tokens, or turns their gradients back. */
static void
rotate (TareReverse *self,
        float       *rows,
        gsize        n_tokens,
        gboolean     back)
{
  const TareConfig *config = self->network->config;
  const TareAngles *angles = _tare_network_get_angles (self->network, self->block->index);
  gsize stride = get_qkv (self->network), length = self->length;
  gsize n = config->n_heads + config->n_key_value_heads;

#pragma omp parallel for schedule(static) if (n_tokens * stride >= PARALLEL_LEAST)
  for (gsize i = 0; i < n_tokens; i++)
    for (gsize h = 0; h < n; h++)
      {
        float *head = rows + i * stride + h * config->head_width;

        if (back)
          tare_kernel_rotate_back (angles, i % length, head);
        else
          tare_kernel_rotate (angles, i % length, head);
      }
}

/* Norms within heads, and rotation. */
static void
prepare_heads (TareReverse *self,
               Attention   *room,
               gsize        n_tokens)
{
  TareNetwork *network = self->network;
  gsize stride = get_qkv (network);
  Heads heads;

  if (room->raw.value != NULL)
    memcpy (room->qkv.value, room->raw.value, n_tokens * stride * sizeof (float));
#pragma omp parallel for schedule(static) if (n_tokens * stride >= PARALLEL_LEAST)
  for (gsize i = 0; i < n_tokens; i++)
    _tare_network_prepare_heads (network, self->block, i % self->length,
                                 room->qkv.value + i * stride);

  if (!self->tangent)
    return;
  if (room->raw.value != NULL)
    memcpy (room->qkv.tangent, room->raw.tangent, n_tokens * stride * sizeof (float));
  for (gsize i = 0; get_heads (self, i, &heads); i++)
    {
      const TareNormShape shape = { network->architecture->norm == TARE_NORM_LAYER,
                                    heads.norm.weight, network->config->norm_epsilon,
                                    n_tokens * heads.n, heads.sum.columns };
      gsize n = heads.n * heads.sum.columns;

      if (shape.weight == NULL)
        continue;
      move_dual_heads (room->raw, stride, n_tokens, heads.first, n, FALSE, room->heads);
      tare_kernel_norm_tangent (&shape, room->heads, room->heads.tangent);
      move_heads (room->qkv.tangent, stride, n_tokens, heads.first, n, TRUE,
                  room->heads.tangent);
    }
  rotate (self, room->qkv.tangent, n_tokens, FALSE);
}

/* Gradients by what attention takes to those by what the matrix made. */
static void
prepare_heads_back (TareReverse *self,
                    Attention   *room,
                    gsize        n_tokens)
{
  gsize stride = get_qkv (self->network);
  Heads heads;

  rotate (self, room->qkv_gradient.value, n_tokens, TRUE);
  if (self->tangent)
    rotate (self, room->qkv_gradient.tangent, n_tokens, TRUE);

  for (gsize i = 0; get_heads (self, i, &heads); i++)
    {
      gsize n = heads.n * heads.sum.columns;

      if (heads.norm.weight == NULL)
        continue;
      move_dual_heads (room->raw, stride, n_tokens, heads.first, n, FALSE, room->heads);
      move_dual_heads (room->qkv_gradient, stride, n_tokens, heads.first, n, FALSE,
                       room->heads_gradient);
      _tare_reverse_norm_back (self, &heads.sum, room->heads, room->heads_gradient,
                               n_tokens * heads.n, room->heads_gradient);
      move_dual_heads (room->qkv_gradient, stride, n_tokens, heads.first, n, TRUE,
                       room->heads_gradient);
    }
}

static void
copy_dual (TareDual from,
           gsize    n,
           TareDual to)
{
  memcpy (to.value, from.value, n * sizeof (float));
  if (to.tangent != NULL)
    memcpy (to.tangent, from.tangent, n * sizeof (float));
}

/* Attention's branch, in @room->output, and, unless both parts start from the same stream, what
 * the stream is after it. FALSE when it was cancelled. */
static gboolean
run_attention (TareReverse *self,
               Attention   *room,
               float       *scratch,
               TareDual     x,
               gsize        n_sequences)
{
  TareNetwork *network = self->network;
  const TareConfig *config = network->config;
  const TareAttentionShape shape = _tare_network_get_shape (network, self->block->index,
                                                            n_sequences, self->length);
  gsize n = n_sequences * self->length;
  TareDual post = room->output;

  _tare_reverse_norm (self, &self->attention_norm, x, n, room->input);
  if (!_tare_reverse_linear (self, &self->qkv, room->input, n,
                             room->raw.value != NULL ? room->raw : room->qkv, room->qkv_pushed))
    return FALSE;

  prepare_heads (self, room, n);
  tare_kernel_attention (&shape, room->qkv.value, config->attention_scale, scratch,
                         room->mixed.value, self->progress);
  if (self->tangent)
    tare_kernel_attention_tangent (&shape, room->qkv, config->attention_scale, scratch,
                                   room->mixed.tangent, self->progress);
  if (!_tare_reverse_linear (self, &self->attention_output, room->mixed, n, room->output,
                             room->output_pushed))
    return FALSE;

  /* The gradient's room is free until the gradient is there. */
  if (self->attention_post_norm.norm->weight != NULL)
    {
      post = room->branch_gradient;
      _tare_reverse_norm (self, &self->attention_post_norm, room->output, n, post);
    }
  copy_dual (x, n * config->width, room->middle);
  _tare_dual_add (post, n, config->width, room->middle);

  return TRUE;
}

/* Adds to @g, the gradient by the stream after attention, what goes through it to @x. */
static gboolean
back_attention (TareReverse *self,
                Attention   *room,
                float       *scratch,
                TareDual     x,
                gsize        n_sequences,
                TareDual     g)
{
  TareNetwork *network = self->network;
  const TareConfig *config = network->config;
  const TareAttentionShape shape = _tare_network_get_shape (network, self->block->index,
                                                            n_sequences, self->length);
  gsize n = n_sequences * self->length;
  TareDual branch = g;

  if (self->attention_post_norm.norm->weight != NULL)
    {
      branch = room->branch_gradient;
      _tare_reverse_norm_back (self, &self->attention_post_norm, room->output, g, n, branch);
    }
  if (!_tare_reverse_linear_back (self, &self->attention_output, room->mixed, branch, n,
                                  room->output_pushed, room->mixed_gradient))
    return FALSE;

  tare_kernel_attention_backward (&shape, room->qkv, config->attention_scale,
                                  room->mixed_gradient, scratch, room->qkv_gradient,
                                  self->progress);
  if (tare_progress_cancelled (self->progress))
    return FALSE;
  prepare_heads_back (self, room, n);
  if (!_tare_reverse_linear_back (self, &self->qkv, room->input, room->qkv_gradient, n,
                                  room->qkv_pushed, room->input_gradient))
    return FALSE;

  _tare_reverse_norm_back (self, &self->attention_norm, x, room->input_gradient, n,
                           room->input_gradient);
  _tare_dual_add (room->input_gradient, n, config->width, g);

  return TRUE;
}

/* The feed-forward part of some tokens up to what its last matrix takes. */
static gboolean
run_inner (TareReverse *self,
           FeedForward *room,
           TareDual     x,
           gsize        n)
{
  const TareConfig *config = self->network->config;
  gsize width = config->feed_forward_width;
  gboolean gated = self->gate_up.linear->outputs == 2 * width;

  _tare_reverse_norm (self, &self->feed_forward_norm, x, n, room->input);
  if (!_tare_reverse_linear (self, &self->gate_up, room->input, n, room->wide,
                             room->wide_pushed))
    return FALSE;

  if (gated)
    tare_kernel_gate (config->activation, room->wide.value, n, width, room->inner.value);
  else
    tare_kernel_activate (config->activation, room->wide.value, n, width, room->inner.value);
  if (self->tangent && gated)
    tare_kernel_gate_tangent (config->activation, room->wide, n, width, room->inner.tangent);
  else if (self->tangent)
    tare_kernel_activate_tangent (config->activation, room->wide, n, width, room->inner.tangent);

  return TRUE;
}

/* Its branch goes to @room->output, and through its norm to @room->input_gradient, which is free
 * then. */
static gboolean
run_feed_forward (TareReverse *self,
                  FeedForward *room,
                  TareDual     x,
                  gsize        n,
                  TareDual    *branch)
{
  if (!run_inner (self, room, x, n)
      || !_tare_reverse_linear (self, &self->down, room->inner, n, room->output,
                                room->output_pushed))
    return FALSE;

  *branch = room->output;
  if (self->feed_forward_post_norm.norm->weight != NULL)
    {
      *branch = room->input_gradient;
      _tare_reverse_norm (self, &self->feed_forward_post_norm, room->output, n, *branch);
    }

  return TRUE;
}

/* Adds to @to what goes from @g, the gradient by the stream after it, through it to @x. */
static gboolean
back_feed_forward (TareReverse *self,
                   FeedForward *room,
                   TareDual     x,
                   gsize        n,
                   TareDual     g,
                   TareDual     to)
{
  const TareConfig *config = self->network->config;
  gsize width = config->feed_forward_width;
  TareDual branch = g;

  if (!run_inner (self, room, x, n)
      || (self->down.direction != NULL && self->feed_forward_post_norm.norm->weight == NULL
          && !_tare_reverse_push (self, &self->down, room->inner.value, n, room->output_pushed)))
    return FALSE;

  if (self->feed_forward_post_norm.norm->weight != NULL)
    {
      /* Such a norm wants what it was given, which is not made otherwise. */
      if (!_tare_reverse_linear (self, &self->down, room->inner, n, room->output,
                                 room->output_pushed))
        return FALSE;
      branch = room->branch_gradient;
      _tare_reverse_norm_back (self, &self->feed_forward_post_norm, room->output, g, n, branch);
    }
  if (!_tare_reverse_linear_back (self, &self->down, room->inner, branch, n,
                                  room->output_pushed, room->inner_gradient))
    return FALSE;

  if (self->gate_up.linear->outputs == 2 * width)
    tare_kernel_gate_backward (config->activation, room->wide, n, width, room->inner_gradient,
                               room->wide_gradient);
  else
    tare_kernel_activate_backward (config->activation, room->wide, n, width,
                                   room->inner_gradient, room->wide_gradient);
  if (!_tare_reverse_linear_back (self, &self->gate_up, room->input, room->wide_gradient, n,
                                  room->wide_pushed, room->input_gradient))
    return FALSE;

  _tare_reverse_norm_back (self, &self->feed_forward_norm, x, room->input_gradient, n,
                           room->input_gradient);
  _tare_dual_add (room->input_gradient, n, config->width, to);

  return TRUE;
}

/* Adds what the feed-forward part makes of @x to @y, a slice of tokens after the other. */
static gboolean
run_slices (TareReverse     *self,
            TareReverseRoom *room,
            TareDual         x,
            gsize            n,
            TareDual         y)
{
  gsize width = self->network->config->width;
  TareRoom rest = { room->feed_forward.data, 0 };
  FeedForward feed_forward = carve_feed_forward (self->network, MIN (n, SLICE_TOKENS),
                                                 self->tangent, &rest);

  for (gsize i = 0; i < n; i += SLICE_TOKENS)
    {
      gsize slice = MIN (SLICE_TOKENS, n - i);
      TareDual branch;

      if (!run_feed_forward (self, &feed_forward, tare_dual_at (x, i * width), slice, &branch))
        return FALSE;
      _tare_dual_add (branch, slice, width, tare_dual_at (y, i * width));
    }

  return TRUE;
}

/* Adds to @to what goes from @g through it to @x, likewise. */
static gboolean
back_slices (TareReverse     *self,
             TareReverseRoom *room,
             TareDual         x,
             gsize            n,
             TareDual         g,
             TareDual         to)
{
  gsize width = self->network->config->width;
  TareRoom rest = { room->feed_forward.data, 0 };
  FeedForward feed_forward = carve_feed_forward (self->network, MIN (n, SLICE_TOKENS),
                                                 self->tangent, &rest);

  for (gsize i = 0; i < n; i += SLICE_TOKENS)
    if (!back_feed_forward (self, &feed_forward, tare_dual_at (x, i * width),
                            MIN (SLICE_TOKENS, n - i), tare_dual_at (g, i * width),
                            tare_dual_at (to, i * width)))
      return FALSE;

  return TRUE;
}

/* The stream after the block, of a group, in @y; FALSE when it was cancelled, or with the network's
 * failure set. */
gboolean
_tare_reverse_forward (TareReverse     *self,
                       TareReverseRoom *room,
                       TareDual         x,
                       gsize            n_sequences,
                       TareDual         y)
{
  TareNetwork *network = self->network;
  gsize n = n_sequences * self->length;
  TareRoom rest = { room->attention.data, 0 };
  Attention attention = carve_attention (network, n, self->tangent, &rest);
  TareDual from = network->config->parallel ? x : attention.middle;

  if (!run_attention (self, &attention, room->scratch.data, x, n_sequences))
    return FALSE;

  copy_dual (attention.middle, n * network->config->width, y);

  return network->config->n_experts > 0 ? _tare_reverse_run_experts (self, room, from, n, y)
                                        : run_slices (self, room, from, n, y);
}

/* Leads the gradient by the stream after the block, @g, back to that by @x, the stream before it,
 * of a group; FALSE when it was cancelled, or with the network's failure set. */
gboolean
_tare_reverse_backward (TareReverse     *self,
                        TareReverseRoom *room,
                        TareDual         x,
                        gsize            n_sequences,
                        TareDual         g)
{
  TareNetwork *network = self->network;
  gsize width = network->config->width, n = n_sequences * self->length;
  TareRoom rest = { room->attention.data, 0 };
  Attention attention = carve_attention (network, n, self->tangent, &rest);
  gboolean parallel = network->config->parallel;
  TareDual from = parallel ? x : attention.middle, to = parallel ? attention.aside : g;

  if (!run_attention (self, &attention, room->scratch.data, x, n_sequences))
    return FALSE;
  if (parallel)
    memset (to.value, 0, n * width * sizeof (float));
  if (parallel && self->tangent)
    memset (to.tangent, 0, n * width * sizeof (float));

  if (!(network->config->n_experts > 0 ? _tare_reverse_back_experts (self, room, from, n, g, to)
                                       : back_slices (self, room, from, n, g, to))
      || !back_attention (self, &attention, room->scratch.data, x, n_sequences, g))
    return FALSE;
  if (parallel)
    _tare_dual_add (to, n, width, g);

  return TRUE;
}
