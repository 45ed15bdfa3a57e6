/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Attention backwards, and along a direction, in blocks of queries whose scores are made anew: in
 * each thread no more than a few rows of them exist. One task is a head of a sequence. It writes
 * its queries' gradient where it belongs; its keys' and values' go to a place of its own and are
 * added up over the heads that share them afterwards, so that the result does not depend on who
 * does what.
 */
#include "quant/network/tare-kernels-backward.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "quant/network/tare-exp-private.h"

TARE_CONTRACT

/* Queries of one block: products of fewer rows were slower, of more no faster. */
#define TILE_ROWS 64

/* Multiplications of the scores of all heads below which threads cost more than they save. */
#define PARALLEL_LEAST (1u << 20)

#define ROUND_UP(n, step) (((n) + (step) - 1) / (step) * (step))

typedef struct
{
  const TareAttentionShape *shape;
  TareDual                  qkv;
  TareDual                  g;
  float                     scale;
  gsize                     stride;
  gsize                     mixed;
  TareDual                  pairs;
  float                    *threads;
} Attention;

/* A block of queries of one head: TILE_ROWS x n, of the keys from @begin on. @scores are
 * probabilities, @bend is score / cap after the cap, @pull the scores' own tangent. */
typedef struct
{
  gsize    first;
  gsize    rows;
  gsize    begin;
  gsize    n;
  TareDual scores;
  TareDual g;
  float   *bend;
  float   *pull;
} Tile;

static gsize
tile_numbers (const TareAttentionShape *shape)
{
  return TILE_ROWS * ROUND_UP (shape->length, 16);
}

/* c = keep c + factor a b' for m x k and n x k. */
static void
multiply_transposed (float        factor,
                     const float *a,
                     gsize        a_stride,
                     const float *b,
                     gsize        b_stride,
                     gsize        m,
                     gsize        n,
                     gsize        k,
                     float        keep,
                     float       *c,
                     gsize        c_stride)
{
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (blasint) m, (blasint) n, (blasint) k,
               factor, a, (blasint) a_stride, b, (blasint) b_stride, keep, c, (blasint) c_stride);
}

/* c = keep c + factor a b for m x k and k x n. */
static void
multiply (float        factor,
          const float *a,
          gsize        a_stride,
          const float *b,
          gsize        b_stride,
          gsize        m,
          gsize        n,
          gsize        k,
          float        keep,
          float       *c,
          gsize        c_stride)
{
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint) m, (blasint) n, (blasint) k,
               factor, a, (blasint) a_stride, b, (blasint) b_stride, keep, c, (blasint) c_stride);
}

/* c = c + factor a' b for k x m and k x n. */
static void
add_crossed (float        factor,
             const float *a,
             gsize        a_stride,
             const float *b,
             gsize        b_stride,
             gsize        m,
             gsize        n,
             gsize        k,
             float       *c,
             gsize        c_stride)
{
  cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, (blasint) m, (blasint) n, (blasint) k,
               factor, a, (blasint) a_stride, b, (blasint) b_stride, 1.0f, c, (blasint) c_stride);
}

static TARE_CLONES void
bend_row (float  cap,
          gsize  n,
          float *scores,
          float *bend)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    {
      bend[j] = _tare_tanh (scores[j] / cap);
      scores[j] = cap * bend[j];
    }
}

static TARE_CLONES double
exponentiate (float *scores,
              gsize  n)
{
  float maximum = -INFINITY;
  double sum = 0.0;

#pragma omp simd reduction(max:maximum)
  for (gsize j = 0; j < n; j++)
    maximum = scores[j] > maximum ? scores[j] : maximum;

#pragma omp simd reduction(+:sum)
  for (gsize j = 0; j < n; j++)
    {
      scores[j] = _tare_exp (scores[j] - maximum);
      sum += (double) scores[j];
    }

  return sum;
}

static TARE_CLONES void
scale_row (float  factor,
           gsize  n,
           float *y)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    y[j] *= factor;
}

static TARE_CLONES double
inner (const float *restrict a,
       const float *restrict b,
       gsize                 n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize j = 0; j < n; j++)
    sum += (double) a[j] * (double) b[j];

  return sum;
}

/* (1 - t²) z' of scores that are capped. */
static TARE_CLONES void
flatten_row (const float *restrict bend,
             gsize                 n,
             float       *restrict y)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    y[j] *= 1.0f - bend[j] * bend[j];
}

/* p (z' - p · z') */
static TARE_CLONES void
weigh_tangent (const float *restrict weights,
               float                 mean,
               gsize                 n,
               float       *restrict tangent)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    tangent[j] = weights[j] * (tangent[j] - mean);
}

/* One row of scores to probabilities, and its tangent to theirs; 0 outside of what it sees. */
static void
weigh_row (const Attention *self,
           const Tile      *tile,
           gsize            row,
           gsize            stride)
{
  const TareAttentionShape *shape = self->shape;
  gsize stop = tile->first + row + 1;
  gsize start = shape->window > 0 && stop > shape->window ? stop - shape->window : 0;
  gsize skip = MAX (start, tile->begin) - tile->begin, n = stop - tile->begin - skip;
  TareDual scores = tare_dual_at (tile->scores, row * stride);
  float *bend = tile->bend + row * stride + skip;

  memset (scores.value, 0, skip * sizeof (float));
  memset (scores.value + skip + n, 0, (tile->n - skip - n) * sizeof (float));
  if (shape->soft_cap > 0.0f)
    bend_row (shape->soft_cap, n, scores.value + skip, bend);
  scale_row ((float) (1.0 / exponentiate (scores.value + skip, n)), n, scores.value + skip);

  if (scores.tangent == NULL)
    return;
  memset (scores.tangent, 0, skip * sizeof (float));
  memset (scores.tangent + skip + n, 0, (tile->n - skip - n) * sizeof (float));
  if (shape->soft_cap > 0.0f)
    flatten_row (bend, n, scores.tangent + skip);
  memcpy (tile->pull + row * stride + skip, scores.tangent + skip, n * sizeof (float));
  weigh_tangent (scores.value + skip,
                 (float) inner (scores.value + skip, scores.tangent + skip, n), n,
                 scores.tangent + skip);
}

/* The probabilities of a block of queries. */
static void
weigh_tile (const Attention *self,
            Tile            *tile,
            gsize            sequence,
            gsize            head)
{
  const TareAttentionShape *shape = self->shape;
  gsize d = shape->head_width, stride = ROUND_UP (shape->length, 16);
  gsize group = head / (shape->n_heads / shape->n_key_value_heads);
  TareDual all = tare_dual_at (self->qkv, sequence * shape->length * self->stride);
  TareDual q = tare_dual_at (all, tile->first * self->stride + head * d), k;

  tile->begin = shape->window > 0 && tile->first + 1 > shape->window
                ? tile->first + 1 - shape->window : 0;
  tile->rows = MIN (TILE_ROWS, shape->length - tile->first);
  tile->n = tile->first + tile->rows - tile->begin;
  k = tare_dual_at (all, tile->begin * self->stride + (shape->n_heads + group) * d);

  multiply_transposed (self->scale, q.value, self->stride, k.value, self->stride, tile->rows,
                       tile->n, d, 0.0f, tile->scores.value, stride);
  if (tile->scores.tangent != NULL)
    {
      multiply_transposed (self->scale, q.tangent, self->stride, k.value, self->stride,
                           tile->rows, tile->n, d, 0.0f, tile->scores.tangent, stride);
      multiply_transposed (self->scale, q.value, self->stride, k.tangent, self->stride,
                           tile->rows, tile->n, d, 1.0f, tile->scores.tangent, stride);
    }
  for (gsize i = 0; i < tile->rows; i++)
    weigh_row (self, tile, i, stride);
}

static void
tangent_tile (const Attention *self,
              Tile            *tile,
              gsize            sequence,
              gsize            head,
              float           *y)
{
  const TareAttentionShape *shape = self->shape;
  gsize d = shape->head_width, stride = ROUND_UP (shape->length, 16);
  gsize group = head / (shape->n_heads / shape->n_key_value_heads);
  TareDual v;

  weigh_tile (self, tile, sequence, head);
  v = tare_dual_at (self->qkv, (sequence * shape->length + tile->begin) * self->stride
                    + (shape->n_heads + shape->n_key_value_heads + group) * d);
  y += (sequence * shape->length + tile->first) * self->mixed + head * d;
  multiply (1.0f, tile->scores.tangent, stride, v.value, self->stride, tile->rows, d, tile->n,
            0.0f, y, self->mixed);
  multiply (1.0f, tile->scores.value, stride, v.tangent, self->stride, tile->rows, d, tile->n,
            1.0f, y, self->mixed);
}

/* Gradient by the probabilities to that by the scores before the cap: p (g - p · g) (1 - t²). */
static TARE_CLONES void
back_row (const float *restrict weights,
          float                 mean,
          gsize                 n,
          float       *restrict g)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    g[j] = weights[j] * (g[j] - mean);
}

/* p' (g - p · g) + p (g' - (p · g)'), with @g as it was before back_row(). */
static TARE_CLONES void
back_row_tangent (TareDual weights,
                  TareDual g,
                  float    mean,
                  float    tangent_mean,
                  gsize    n)
{
  const float *p = weights.value, *pull = weights.tangent, *value = g.value;
  float *to = g.tangent;

#pragma omp simd
  for (gsize j = 0; j < n; j++)
    to[j] = pull[j] * (value[j] - mean) + p[j] * (to[j] - tangent_mean);
}

/* -2 t z' g / cap, with z' after the cap: what the cap's own bend adds. */
static TARE_CLONES void
add_bend (const float *restrict bend,
          const float *restrict pull,
          const float *restrict g,
          float                 cap,
          gsize                 n,
          float       *restrict tangent)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    tangent[j] = (1.0f - bend[j] * bend[j]) * tangent[j] - 2.0f * bend[j] * pull[j] * g[j] / cap;
}

static void
back_tile_row (const Attention *self,
               const Tile      *tile,
               gsize            row,
               gsize            stride)
{
  const TareAttentionShape *shape = self->shape;
  gsize stop = tile->first + row + 1;
  gsize start = shape->window > 0 && stop > shape->window ? stop - shape->window : 0;
  gsize skip = MAX (start, tile->begin) - tile->begin, n = stop - tile->begin - skip;
  gsize offset = row * stride + skip;
  TareDual weights = tare_dual_at (tile->scores, offset), g = tare_dual_at (tile->g, offset);
  float mean = (float) inner (weights.value, g.value, n);

  memset (g.value - skip, 0, skip * sizeof (float));
  memset (g.value + n, 0, (tile->n - skip - n) * sizeof (float));
  if (g.tangent != NULL)
    {
      double turn = inner (weights.tangent, g.value, n) + inner (weights.value, g.tangent, n);

      memset (g.tangent - skip, 0, skip * sizeof (float));
      memset (g.tangent + n, 0, (tile->n - skip - n) * sizeof (float));
      back_row_tangent (weights, g, mean, (float) turn, n);
    }
  back_row (weights.value, mean, n, g.value);

  if (shape->soft_cap <= 0.0f)
    return;
  if (g.tangent != NULL)
    add_bend (tile->bend + offset, tile->pull + offset, g.value, shape->soft_cap, n, g.tangent);
  flatten_row (tile->bend + offset, n, g.value);
}

/* What goes back from a block's probabilities to its queries, keys and values. */
static void
put_gradients (const Attention *self,
               const Tile      *tile,
               TareDual         q,
               TareDual         k,
               TareDual         output,
               TareDual         q_gradient,
               TareDual         k_gradient,
               TareDual         v_gradient)
{
  gsize d = self->shape->head_width, stride = ROUND_UP (self->shape->length, 16);
  gsize rows = tile->rows, n = tile->n;
  TareDual p = tile->scores, z = tile->g;

  multiply (self->scale, z.value, stride, k.value, self->stride, rows, d, n, 0.0f,
            q_gradient.value, self->stride);
  add_crossed (self->scale, z.value, stride, q.value, self->stride, n, d, rows,
               k_gradient.value, d);
  add_crossed (1.0f, p.value, stride, output.value, self->mixed, n, d, rows, v_gradient.value, d);

  if (z.tangent == NULL)
    return;
  multiply (self->scale, z.tangent, stride, k.value, self->stride, rows, d, n, 0.0f,
            q_gradient.tangent, self->stride);
  multiply (self->scale, z.value, stride, k.tangent, self->stride, rows, d, n, 1.0f,
            q_gradient.tangent, self->stride);
  add_crossed (self->scale, z.tangent, stride, q.value, self->stride, n, d, rows,
               k_gradient.tangent, d);
  add_crossed (self->scale, z.value, stride, q.tangent, self->stride, n, d, rows,
               k_gradient.tangent, d);
  add_crossed (1.0f, p.tangent, stride, output.value, self->mixed, n, d, rows,
               v_gradient.tangent, d);
  add_crossed (1.0f, p.value, stride, output.tangent, self->mixed, n, d, rows,
               v_gradient.tangent, d);
}

static void
back_tile (const Attention *self,
           Tile            *tile,
           gsize            sequence,
           gsize            head,
           TareDual         gradient)
{
  const TareAttentionShape *shape = self->shape;
  gsize d = shape->head_width, stride = ROUND_UP (shape->length, 16);
  gsize group = head / (shape->n_heads / shape->n_key_value_heads);
  gsize row = sequence * shape->length;
  gsize pair = (sequence * shape->n_heads + head) * 2 * shape->length * d;
  TareDual k, v, output = tare_dual_at (self->g, (row + tile->first) * self->mixed + head * d);
  gsize place = (row + tile->first) * self->stride + head * d;

  weigh_tile (self, tile, sequence, head);
  k = tare_dual_at (self->qkv, (row + tile->begin) * self->stride + (shape->n_heads + group) * d);
  v = tare_dual_at (k, shape->n_key_value_heads * d);

  multiply_transposed (1.0f, output.value, self->mixed, v.value, self->stride, tile->rows,
                       tile->n, d, 0.0f, tile->g.value, stride);
  if (tile->g.tangent != NULL)
    {
      multiply_transposed (1.0f, output.tangent, self->mixed, v.value, self->stride, tile->rows,
                           tile->n, d, 0.0f, tile->g.tangent, stride);
      multiply_transposed (1.0f, output.value, self->mixed, v.tangent, self->stride, tile->rows,
                           tile->n, d, 1.0f, tile->g.tangent, stride);
    }
  for (gsize i = 0; i < tile->rows; i++)
    back_tile_row (self, tile, i, stride);

  put_gradients (self, tile, tare_dual_at (self->qkv, place), k, output,
                 tare_dual_at (gradient, place),
                 tare_dual_at (self->pairs, pair + tile->begin * d),
                 tare_dual_at (self->pairs, pair + (shape->length + tile->begin) * d));
}

/* A thread's own blocks: as many as there are kinds of numbers in them. */
static gsize
thread_tiles (const TareAttentionShape *shape,
              gboolean                  tangent)
{
  return (tangent ? 5 : 2) + (shape->soft_cap > 0.0f ? 1 : 0);
}

static Tile
tile_init (const Attention *self,
           gboolean         tangent)
{
  const TareAttentionShape *shape = self->shape;
  gsize n = tile_numbers (shape);
  float *own = self->threads + (gsize) omp_get_thread_num () * thread_tiles (shape, tangent) * n;
  Tile tile = { .scores = { own, tangent ? own + 2 * n : NULL },
                .g = { own + n, tangent ? own + 3 * n : NULL },
                .pull = tangent ? own + 4 * n : NULL };

  tile.bend = own + (tangent ? 5 : 2) * n;
  if (shape->soft_cap <= 0.0f)
    tile.bend = own;

  return tile;
}

/* The keys' and values' gradients of the heads of one group, of one token, added up. */
static void
gather (const Attention *self,
        const float     *pairs,
        gsize            token,
        float           *gradient)
{
  const TareAttentionShape *shape = self->shape;
  gsize d = shape->head_width, sequence = token / shape->length, position = token % shape->length;
  gsize shared = shape->n_heads / shape->n_key_value_heads;

  gradient += token * self->stride + shape->n_heads * d;
  for (gsize group = 0; group < shape->n_key_value_heads; group++)
    for (gsize part = 0; part < 2; part++)
      for (gsize i = 0; i < d; i++)
        {
          float sum = 0.0f;

          for (gsize h = group * shared; h < (group + 1) * shared; h++)
            sum += pairs[(((sequence * shape->n_heads + h) * 2 + part) * shape->length + position)
                         * d + i];
          gradient[(part * shape->n_key_value_heads + group) * d + i] = sum;
        }
}

static gboolean
is_large (const TareAttentionShape *shape)
{
  return shape->n_sequences * shape->n_heads * shape->length * shape->length * shape->head_width
         >= PARALLEL_LEAST;
}

/**
 * tare_kernel_attention_backward_scratch:
 * @shape: the sizes
 * @tangent: whether tangents are made
 *
 * Returns: how many numbers tare_kernel_attention_backward() and tare_kernel_attention_tangent()
 *   need to work in
 */
gsize
tare_kernel_attention_backward_scratch (const TareAttentionShape *shape,
                                        gboolean                  tangent)
{
  gsize pairs = shape->n_sequences * shape->n_heads * 2 * shape->length * shape->head_width;

  return ROUND_UP (pairs, 16) * (tangent ? 2 : 1)
         + (gsize) omp_get_max_threads () * thread_tiles (shape, tangent) * tile_numbers (shape);
}

static Attention
attention_init (const TareAttentionShape *shape,
                TareDual                  qkv,
                float                     scale,
                float                    *scratch)
{
  gsize pairs = shape->n_sequences * shape->n_heads * 2 * shape->length * shape->head_width;
  gboolean tangent = qkv.tangent != NULL;
  Attention self = { .shape = shape, .qkv = qkv, .scale = scale };

  pairs = ROUND_UP (pairs, 16);
  self.stride = (shape->n_heads + 2 * shape->n_key_value_heads) * shape->head_width;
  self.mixed = shape->n_heads * shape->head_width;
  self.pairs = (TareDual) { scratch, tangent ? scratch + pairs : NULL };
  self.threads = scratch + pairs * (tangent ? 2 : 1);

  return self;
}

/**
 * tare_kernel_attention_tangent:
 * @shape: the sizes
 * @qkv: as for tare_kernel_attention(), with a tangent
 * @scale: what multiplies a score
 * @scratch: tare_kernel_attention_backward_scratch() numbers
 * @y_tangent: (out caller-allocates): n_sequences x length x n_heads head_width
 * @progress: (nullable): once it is cancelled the rest of @y_tangent is left as it was
 *
 * How the result of tare_kernel_attention() moves.
 */
void
tare_kernel_attention_tangent (const TareAttentionShape *shape,
                               TareDual                  qkv,
                               float                     scale,
                               float                    *scratch,
                               float                    *y_tangent,
                               const TareProgress       *progress)
{
  const Attention self = attention_init (shape, qkv, scale, scratch);
  gsize n_blocks = ROUND_UP (shape->length, TILE_ROWS) / TILE_ROWS;
  gsize n_tasks = shape->n_sequences * shape->n_heads * n_blocks;

#pragma omp parallel for schedule(dynamic) if (is_large (shape))
  for (gsize i = 0; i < n_tasks; i++)
    {
      Tile tile = tile_init (&self, TRUE);

      if (tare_progress_cancelled (progress))
        continue;
      tile.first = i % n_blocks * TILE_ROWS;
      tangent_tile (&self, &tile, i / n_blocks / shape->n_heads, i / n_blocks % shape->n_heads,
                    y_tangent);
    }
}

/**
 * tare_kernel_attention_backward:
 * @shape: the sizes
 * @qkv: as for tare_kernel_attention()
 * @scale: what multiplies a score
 * @g: n_sequences x length x n_heads head_width, the loss's gradient by its result
 * @scratch: tare_kernel_attention_backward_scratch() numbers
 * @gradient: (out caller-allocates): n_sequences x length x (n_heads + 2 n_key_value_heads)
 *   head_width, that by @qkv
 * @progress: (nullable): once it is cancelled the rest of @gradient is of no use
 *
 * With p the probabilities and ȳ the gradient by their mixture: v̄ = p'ȳ, p̄ = ȳv',
 * z̄ = p (p̄ - p · p̄), then through the cap to queries and keys. The result is the same for any
 * number of threads.
 */
void
tare_kernel_attention_backward (const TareAttentionShape *shape,
                                TareDual                  qkv,
                                float                     scale,
                                TareDual                  g,
                                float                    *scratch,
                                TareDual                  gradient,
                                const TareProgress       *progress)
{
  Attention self = attention_init (shape, qkv, scale, scratch);
  gboolean tangent = qkv.tangent != NULL;
  gsize pair = 2 * shape->length * shape->head_width;
  gsize n_tasks = shape->n_sequences * shape->n_heads;

  self.g = g;

#pragma omp parallel if (is_large (shape))
  {
#pragma omp for schedule(dynamic)
    for (gsize i = 0; i < n_tasks; i++)
      {
        Tile tile = tile_init (&self, tangent);

        memset (self.pairs.value + i * pair, 0, pair * sizeof (float));
        if (tangent)
          memset (self.pairs.tangent + i * pair, 0, pair * sizeof (float));
        for (tile.first = 0; tile.first < shape->length; tile.first += TILE_ROWS)
          if (!tare_progress_cancelled (progress))
            back_tile (&self, &tile, i / shape->n_heads, i % shape->n_heads, gradient);
      }

#pragma omp for schedule(static)
    for (gsize i = 0; i < shape->n_sequences * shape->length; i++)
      {
        gather (&self, self.pairs.value, i, gradient.value);
        if (tangent)
          gather (&self, self.pairs.tangent, i, gradient.tangent);
      }
  }
}
