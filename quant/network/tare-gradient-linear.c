/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Linear layers and norms, both ways, and what is collected of them over all sequences. */
#include "quant/network/tare-gradient-private.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Multiplications and additions between two looks at the cancellable, per thread: 20 ms at the
 * 130 Gflop/s that an AVX-512 core was seen to reach. */
#define PRODUCT_FLOPS 2.5e9

/* Slabs of a product are a multiple of this, which OpenBLAS's own blocks are of. */
#define SLAB 64

/* Numbers that start at a cache line. */
#define LINE 16

/* Tensors whose rows are below those of the first in one matrix. */
static const char *const followers[][TARE_LINEAR_PARTS] = {
  { "attn_q", "attn_k", "attn_v" },
  { "ffn_gate", "ffn_up", NULL },
  { "ffn_gate_exps", "ffn_up_exps", NULL },
  { "ffn_gate_shexp", "ffn_up_shexp", NULL },
};

/* Takes numbers from @room. */
TareDual
_tare_dual_carve (TareRoom *room,
                  gsize     n,
                  gboolean  tangent)
{
  gsize rounded = (n + LINE - 1) / LINE * LINE;
  TareDual dual = { NULL, NULL };

  if (room->data != NULL)
    {
      dual.value = room->data + room->used;
      dual.tangent = tangent ? dual.value + rounded : NULL;
    }
  room->used += tangent ? 2 * rounded : rounded;

  return dual;
}

void
_tare_dual_add (TareDual x,
                gsize    rows,
                gsize    columns,
                TareDual y)
{
  tare_kernel_add (x.value, rows, columns, y.value);
  if (y.tangent != NULL)
    tare_kernel_add (x.tangent, rows, columns, y.tangent);
}

/* Rows of one of its matrices. */
static gsize
rows_of (const TareTensor *tensor)
{
  return tensor->rows / tare_tensor_get_n_matrices (tensor);
}

/* Whether a tensor moves. */
gboolean
_tare_reverse_moves (const TareReverse *self,
                     const TareTensor  *tensor)
{
  return self->moves != NULL && self->moves->covers (self->moves->data, tensor);
}

/* A tensor of @linear, and the first of its rows; NULL where it has no more. */
static const TareTensor *
get_part (const TareReverse *self,
          const TareLinear  *linear,
          gsize              part,
          gsize             *first)
{
  TareModel *model = tare_network_get_model (self->network);
  const TareTensor *tensor = linear->tensor;

  *first = 0;
  if (part == 0)
    return tensor;

  for (gsize i = 0; i < G_N_ELEMENTS (followers); i++)
    {
      if (tensor->role == NULL || strcmp (tensor->role->id, followers[i][0]) != 0)
        continue;

      for (gsize j = 1; j <= part && followers[i][j] != NULL; j++)
        {
          const TareTensor *next = tare_model_lookup_role (model, followers[i][j], tensor->block,
                                                           FALSE);

          *first += rows_of (j == 1 ? linear->tensor
                                    : tare_model_lookup_role (model, followers[i][j - 1],
                                                              tensor->block, FALSE));
          if (j == part)
            return *first < linear->outputs ? next : NULL;
        }
    }

  return NULL;
}

/* c = keep c + a b or a' b, with c m x n; in slabs, so that it can be left in the middle. */
static gboolean
multiply (gboolean            crossed,
          const float        *a,
          gsize               a_stride,
          const float        *b,
          gsize               m,
          gsize               n,
          gsize               k,
          float               keep,
          float              *c,
          const TareProgress *progress)
{
  double flops = 2.0 * (double) m * (double) n * (double) k;
  double slabs = ceil (flops / (PRODUCT_FLOPS * (double) omp_get_max_threads ()));
  gsize even = (gsize) ceil ((double) n / MAX (slabs, 1.0));
  gsize step = (even + SLAB - 1) / SLAB * SLAB;

  for (gsize i = 0; i < n; i += step)
    {
      if (tare_progress_cancelled (progress))
        return FALSE;

      cblas_sgemm (CblasRowMajor, crossed ? CblasTrans : CblasNoTrans, CblasNoTrans, (blasint) m,
                   (blasint) MIN (step, n - i), (blasint) k, 1.0f, a, (blasint) a_stride, b + i,
                   (blasint) n, keep, c + i, (blasint) n);
    }

  return !tare_progress_cancelled (progress);
}

/* x V' in @pushed; FALSE when it was cancelled. */
gboolean
_tare_reverse_push (TareReverse         *self,
                    const TareLinearSum *sum,
                    const float         *x,
                    gsize                rows,
                    float               *pushed)
{
  TareLinear bare = *sum->direction;

  bare.bias = NULL;

  return _tare_linear_run (&bare, x, rows, 0.0f, pushed, self->progress);
}

/* y = x W' + b, y' = x' W' + x V'; @pushed is x V', if it moves. FALSE when it was cancelled. */
gboolean
_tare_reverse_linear (TareReverse         *self,
                      const TareLinearSum *sum,
                      TareDual             x,
                      gsize                rows,
                      TareDual             y,
                      float               *pushed)
{
  TareLinear bare = *sum->linear;

  if (!_tare_linear_run (sum->linear, x.value, rows, 0.0f, y.value, self->progress))
    return FALSE;
  if (!self->tangent)
    return TRUE;

  bare.bias = NULL;
  if (!_tare_linear_run (&bare, x.tangent, rows, 0.0f, y.tangent, self->progress))
    return FALSE;
  if (sum->direction == NULL)
    return TRUE;

  if (!_tare_reverse_push (self, sum, x.value, rows, pushed))
    return FALSE;
  tare_kernel_add (pushed, rows, bare.outputs, y.tangent);

  return TRUE;
}

static void
tell_linear (const TareReverse   *self,
             const TareLinearSum *sum,
             TareDual             x,
             TareDual             g,
             gsize                rows)
{
  const TareTensor *tensor;
  gsize first;

  if (self->observer == NULL || self->observer->linear == NULL)
    return;

  for (gsize i = 0; i < TARE_LINEAR_PARTS
                    && (tensor = get_part (self, sum->linear, i, &first)) != NULL; i++)
    {
      const TareLinearGradient gradient = {
        .tensor = tensor, .expert = sum->expert, .x = x, .g = tare_dual_at (g, first),
        .n_tokens = rows, .columns = sum->linear->columns, .outputs = rows_of (tensor),
        .stride = sum->linear->outputs, .length = sum->gathered ? 0 : self->length,
      };

      self->observer->linear (&gradient, self->observer->data);
    }
}

/* W̄ += ȳ'x, or its tangent; b̄ += Σ ȳ. */
static gboolean
collect_weight (const TareReverse *self,
                TareLinearSum     *sum,
                TareDual           x,
                TareDual           g,
                gsize              rows)
{
  gsize m = sum->linear->outputs, n = sum->linear->columns;
  gsize outputs = sum->split ? m / 2 : m;
  float *const parts[] = { sum->weight, sum->lower };

  if (sum->bias != NULL)
    tare_kernel_sum_rows (g.value, rows, m, sum->bias);

  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      const float *value = g.value + i * outputs;

      if (parts[i] == NULL)
        continue;
      if (!self->tangent)
        {
          if (!multiply (TRUE, value, m, x.value, outputs, n, rows, 1.0f, parts[i],
                         self->progress))
            return FALSE;
        }
      else if (!multiply (TRUE, g.tangent + i * outputs, m, x.value, outputs, n, rows, 1.0f,
                          parts[i], self->progress)
               || !multiply (TRUE, value, m, x.tangent, outputs, n, rows, 1.0f, parts[i],
                             self->progress))
        return FALSE;
    }

  return TRUE;
}

/* What ȳV adds to the tangent of the gradient, and v'(Hv) = ȳ'·(Vx) + x'·(V'ȳ) of each tensor. */
static gboolean
follow_direction (const TareReverse *self,
                  TareLinearSum     *sum,
                  TareDual           x,
                  TareDual           g,
                  gsize              rows,
                  const float       *pushed,
                  TareDual           gradient)
{
  gsize m = sum->linear->outputs, n = sum->linear->columns;
  const TareTensor *tensor;
  gsize first;

  for (gsize i = 0; i < TARE_LINEAR_PARTS
                    && (tensor = get_part (self, sum->linear, i, &first)) != NULL; i++)
    {
      if (!_tare_reverse_moves (self, tensor))
        continue;
      if (!multiply (FALSE, g.value + first, m, sum->direction->weight + first * n, rows, n,
                     rows_of (tensor), 0.0f, gradient.value, self->progress))
        return FALSE;

      sum->curvature[i] += tare_kernel_inner (gradient.value, n, x.tangent, n, rows, n)
                           + tare_kernel_inner (g.tangent + first, m, pushed + first, m, rows,
                                                rows_of (tensor));
      tare_kernel_add (gradient.value, rows, n, gradient.tangent);
    }

  return TRUE;
}

/* x̄ = ȳW, collecting W̄ on the way; FALSE when it was cancelled. */
gboolean
_tare_reverse_linear_back (TareReverse   *self,
                           TareLinearSum *sum,
                           TareDual       x,
                           TareDual       g,
                           gsize          rows,
                           const float   *pushed,
                           TareDual       gradient)
{
  gsize m = sum->linear->outputs, n = sum->linear->columns;

  tell_linear (self, sum, x, g, rows);
  if (!collect_weight (self, sum, x, g, rows))
    return FALSE;

  if (self->tangent
      && !multiply (FALSE, g.tangent, m, sum->linear->weight, rows, n, m, 0.0f, gradient.tangent,
                    self->progress))
    return FALSE;
  if (sum->direction != NULL
      && !follow_direction (self, sum, x, g, rows, pushed, gradient))
    return FALSE;

  return multiply (FALSE, g.value, m, sum->linear->weight, rows, n, m, 0.0f, gradient.value,
                   self->progress);
}

static TareNormShape
get_norm_shape (const TareReverse *self,
                const TareNormSum *sum,
                gsize              rows)
{
  return (TareNormShape) { self->network->architecture->norm == TARE_NORM_LAYER,
                           sum->norm->weight, self->network->config->norm_epsilon, rows,
                           sum->columns };
}

/* y = norm (x), or x where there is no such norm. */
void
_tare_reverse_norm (TareReverse       *self,
                    const TareNormSum *sum,
                    TareDual           x,
                    gsize              rows,
                    TareDual           y)
{
  const TareNormShape shape = get_norm_shape (self, sum, rows);

  if (sum->norm->weight == NULL)
    {
      memcpy (y.value, x.value, rows * sum->columns * sizeof (float));
      if (y.tangent != NULL)
        memcpy (y.tangent, x.tangent, rows * sum->columns * sizeof (float));
      return;
    }

  _tare_network_norm (self->network, sum->norm, x.value, rows, sum->columns, y.value);
  if (y.tangent != NULL)
    tare_kernel_norm_tangent (&shape, x, y.tangent);
}

/* x̄ of norm (x), collecting what its weight and bias get; @gradient may be @g. */
void
_tare_reverse_norm_back (TareReverse *self,
                         TareNormSum *sum,
                         TareDual     x,
                         TareDual     g,
                         gsize        rows,
                         TareDual     gradient)
{
  const TareNormShape shape = get_norm_shape (self, sum, rows);

  if (sum->norm->weight == NULL)
    {
      memmove (gradient.value, g.value, rows * sum->columns * sizeof (float));
      if (g.tangent != NULL)
        memmove (gradient.tangent, g.tangent, rows * sum->columns * sizeof (float));
      return;
    }

  if (sum->weight != NULL)
    tare_kernel_norm_weight (&shape, x.value, g.value, sum->weight);
  if (sum->bias != NULL)
    tare_kernel_sum_rows (g.value, rows, sum->columns, sum->bias);
  tare_kernel_norm_backward (&shape, x, g, gradient);
}

static gboolean
init_linear (const TareReverse  *self,
             const TareLinear   *linear,
             const TareLinear   *direction,
             TareLinearSum      *sum,
             GError            **error)
{
  gboolean wanted = self->observer != NULL && self->observer->weight != NULL;

  *sum = (TareLinearSum) { .linear = linear };
  if (linear->weight == NULL)
    return TRUE;
  if (direction != NULL && direction->weight != NULL)
    sum->direction = direction;
  if (!wanted || (self->tangent && sum->direction == NULL))
    return TRUE;

  sum->weight = _tare_floats_new (linear->outputs, linear->columns,
                                  tare_model_get_path (self->network->model), error);
  if (sum->weight == NULL)
    return FALSE;
  memset (sum->weight, 0, linear->outputs * linear->columns * sizeof (float));
  if (linear->bias != NULL && !self->tangent)
    sum->bias = g_new0 (double, linear->outputs);

  return TRUE;
}

static void
init_norm (const TareReverse *self,
           const TareScaling *norm,
           gsize              n,
           gsize              columns,
           TareNormSum       *sum)
{
  gboolean wanted = self->observer != NULL && self->observer->weight != NULL && !self->tangent;

  *sum = (TareNormSum) { .norm = norm, .columns = columns };
  if (wanted && norm->weight != NULL)
    sum->weight = g_new0 (double, n * columns);
  if (wanted && norm->bias != NULL)
    sum->bias = g_new0 (double, columns);
}

/* With the fields before @qkv set. */
gboolean
_tare_reverse_init (TareReverse  *self,
                    GError      **error)
{
  const TareBlock *block = self->block, *direction = self->direction;
  const TareConfig *config = self->network->config;
  gboolean wide = self->network->architecture->wide_head_norm;
  gboolean own = self->network->architecture->own_head_norm;
  gsize d = config->head_width, queries = config->n_heads * d;

  init_norm (self, &block->attention_norm, 1, config->width, &self->attention_norm);
  init_norm (self, &block->attention_post_norm, 1, config->width, &self->attention_post_norm);
  init_norm (self, &block->feed_forward_norm, 1, config->width, &self->feed_forward_norm);
  init_norm (self, &block->feed_forward_post_norm, 1, config->width,
             &self->feed_forward_post_norm);
  init_norm (self, &block->query_norm, own ? config->n_heads : 1, wide ? queries : d,
             &self->query_norm);
  init_norm (self, &block->key_norm, own ? config->n_key_value_heads : 1,
             wide ? config->n_key_value_heads * d : d, &self->key_norm);

  return init_linear (self, &block->qkv, direction != NULL ? &direction->qkv : NULL, &self->qkv,
                      error)
         && init_linear (self, &block->attention_output,
                         direction != NULL ? &direction->attention_output : NULL,
                         &self->attention_output, error)
         && init_linear (self, &block->gate_up, direction != NULL ? &direction->gate_up : NULL,
                         &self->gate_up, error)
         && init_linear (self, &block->down, direction != NULL ? &direction->down : NULL,
                         &self->down, error)
         && init_linear (self, &block->router, NULL, &self->router, error)
         && init_linear (self, &block->shared_router, NULL, &self->shared_router, error)
         && _tare_reverse_init_experts (self, error);
}

static TareLinearSum *
get_linear (TareReverse *self,
            gsize        index)
{
  TareLinearSum *const linears[] = { &self->down, &self->gate_up, &self->shared_router,
                                     &self->router, &self->attention_output, &self->qkv };

  return index < G_N_ELEMENTS (linears) ? linears[index] : NULL;
}

static TareNormSum *
get_norm (TareReverse *self,
          gsize        index)
{
  TareNormSum *const norms[] = { &self->feed_forward_post_norm, &self->feed_forward_norm,
                                 &self->attention_post_norm, &self->query_norm, &self->key_norm,
                                 &self->attention_norm };

  return index < G_N_ELEMENTS (norms) ? norms[index] : NULL;
}

/* A sum in double, as the observer wants it. */
static void
report_sum (TareReverse      *self,
            const TareTensor *tensor,
            const double     *sum)
{
  gsize n = tensor != NULL ? tensor->rows * tensor->columns : 0;
  g_autofree float *rounded = g_new (float, MAX (n, 1));

  if (tensor == NULL)
    return;

  for (gsize i = 0; i < n; i++)
    rounded[i] = (float) sum[i];
  self->observer->weight (tensor, rounded, self->observer->data);
}

static void
report_linear (TareReverse   *self,
               TareLinearSum *sum,
               double        *curvature)
{
  TareModel *model = self->network->model;
  const TareTensor *tensor;
  gsize first;

  for (gsize i = 0; sum->linear->weight != NULL && i < TARE_LINEAR_PARTS
                    && (tensor = get_part (self, sum->linear, i, &first)) != NULL; i++)
    {
      if (self->tangent && !_tare_reverse_moves (self, tensor))
        continue;
      if (sum->weight != NULL)
        self->observer->weight (tensor, sum->weight + first * sum->linear->columns,
                                self->observer->data);
      if (sum->bias != NULL)
        report_sum (self, tare_model_lookup_role (model, tensor->role->id, tensor->block, TRUE),
                    sum->bias + first);
      if (sum->direction == NULL)
        continue;
      *curvature += sum->curvature[i];
      if (self->observer != NULL && self->observer->curvature != NULL)
        self->observer->curvature (tensor, sum->curvature[i], self->observer->data);
    }
}

/* Where both parts of a block start from one norm, what they collected of it is one sum. */
static void
join_norms (TareReverse *self)
{
  TareNormSum *from = &self->feed_forward_norm, *to = &self->attention_norm;

  if (from->norm->role == NULL || to->norm->role == NULL
      || strcmp (from->norm->role, to->norm->role) != 0)
    return;

  for (gsize i = 0; from->weight != NULL && i < from->columns; i++)
    to->weight[i] += from->weight[i];
  for (gsize i = 0; from->bias != NULL && i < from->columns; i++)
    to->bias[i] += from->bias[i];
  g_clear_pointer (&from->weight, g_free);
  g_clear_pointer (&from->bias, g_free);
}

/* Tells the observer of what was collected; adds v'(Hv) to @curvature. */
void
_tare_reverse_report (TareReverse *self,
                      double      *curvature)
{
  TareModel *model = self->network->model;
  int block = self->output ? -1 : (int) self->block->index;
  TareLinearSum *linear;
  TareNormSum *norm;

  join_norms (self);
  _tare_reverse_report_experts (self, curvature);
  for (gsize i = 0; (linear = get_linear (self, i)) != NULL; i++)
    report_linear (self, linear, curvature);
  for (gsize i = 0; (norm = get_norm (self, i)) != NULL; i++)
    {
      if (norm->weight != NULL)
        report_sum (self, tare_model_lookup_role (model, norm->norm->role, block, FALSE),
                    norm->weight);
      if (norm->bias != NULL)
        report_sum (self, tare_model_lookup_role (model, norm->norm->role, block, TRUE),
                    norm->bias);
    }
}

void
_tare_reverse_clear (TareReverse *self)
{
  TareLinearSum *linear;
  TareNormSum *norm;

  for (gsize i = 0; (linear = get_linear (self, i)) != NULL; i++)
    {
      g_clear_pointer (&linear->weight, free);
      g_clear_pointer (&linear->bias, g_free);
    }
  for (gsize i = 0; i < TARE_EXPERT_PARTS; i++)
    g_clear_pointer (&self->experts[i], free);
  for (gsize i = 0; (norm = get_norm (self, i)) != NULL; i++)
    {
      g_clear_pointer (&norm->weight, g_free);
      g_clear_pointer (&norm->bias, g_free);
    }
}
