/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Causal attention in blocks of a few queries. The keys of a head are packed so that one vector
 * holds the same element of several keys, its values so that one holds several elements of the
 * same key; scores and mixtures are then the same small product, whose result stays in registers.
 * Only the scores of one block of queries exist at a time, in each thread. Tasks are many and
 * small, heads x blocks of queries, and each writes its own part, so that the result does not
 * depend on who does what.
 */
#include "quant/network/tare-kernels.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "quant/network/tare-exp-private.h"

TARE_CONTRACT

/* Queries and keys of one product: 8 x 2 vectors of 16 fill half of AVX-512's registers and were
 * the fastest of the shapes tried, 1.05 of OpenBLAS's speed on one core. */
#define TILE_ROWS 8
#define PANEL     32

/* Numbers that are summed in binary32, in the lanes of one vector, before binary64 takes over. */
#define SUM_RUN 256

/* Blocks of queries that one task takes. */
#define TASK_TILES 8

#define ROUND_UP(n, step) (((n) + (step) - 1) / (step) * (step))

typedef struct
{
  const TareAttentionShape *shape;
  const float              *qkv;
  float                     scale;
  double                   *received;
  float                    *keys;
  float                    *values;
  gsize                     padded_length;
  gsize                     padded_width;
} Attention;

/* c = a b for TILE_ROWS x n and n x PANEL. */
static TARE_CLONES void
multiply_panel (const float *restrict a,
                gsize                 a_stride,
                const float *restrict b,
                gsize                 n,
                float       *restrict c,
                gsize                 c_stride)
{
  float sums[TILE_ROWS][PANEL];

  memset (sums, 0, sizeof sums);
  for (gsize k = 0; k < n; k++)
    for (gsize i = 0; i < TILE_ROWS; i++)
      {
        const float factor = a[i * a_stride + k];

#pragma omp simd
        for (gsize j = 0; j < PANEL; j++)
          sums[i][j] += factor * b[k * PANEL + j];
      }

  for (gsize i = 0; i < TILE_ROWS; i++)
    for (gsize j = 0; j < PANEL; j++)
      c[i * c_stride + j] = sums[i][j];
}

/* Scores to e^(score - largest), those from @n to @end to 0; returns their sum. */
static TARE_CLONES double
exponentiate (float *scores,
              gsize  n,
              gsize  end)
{
  float maximum = -INFINITY;
  double sum = 0.0;

#pragma omp simd reduction(max:maximum)
  for (gsize j = 0; j < n; j++)
    maximum = scores[j] > maximum ? scores[j] : maximum;

  for (gsize begin = 0; begin < n; begin += SUM_RUN)
    {
      gsize stop = MIN (n, begin + SUM_RUN);
      float part = 0.0f;

#pragma omp simd reduction(+:part)
      for (gsize j = begin; j < stop; j++)
        {
          float e = _tare_exp (scores[j] - maximum);

          scores[j] = e;
          part += e;
        }
      sum += (double) part;
    }
  for (gsize j = n; j < end; j++)
    scores[j] = 0.0f;

  return sum;
}

static TARE_CLONES void
cap_scores (float *scores,
            gsize  n,
            float  cap)
{
#pragma omp simd
  for (gsize j = 0; j < n; j++)
    scores[j] = cap * _tare_tanh (scores[j] / cap);
}

/* The scores of a query at @position, which are of the keys from @begin to @end, to what its
 * window lets through of e^score; returns their sum. */
static double
weigh (const TareAttentionShape *shape,
       float                    *scores,
       gsize                     begin,
       gsize                     position,
       gsize                     end)
{
  gsize stop = MIN (position + 1, end);
  gsize start = shape->window > 0 && stop > shape->window ? stop - shape->window : begin;

  for (gsize j = begin; j < start; j++)
    scores[j] = 0.0f;
  if (shape->soft_cap > 0.0f)
    cap_scores (scores + start, stop - start, shape->soft_cap);

  return exponentiate (scores + start, stop - start, end - start);
}

static void
pack_keys (const Attention *self,
           const float     *from,
           gsize            stride,
           gsize            n,
           float           *panel)
{
  gsize d = self->shape->head_width;

  if (n < PANEL)
    memset (panel, 0, d * PANEL * sizeof *panel);
  for (gsize j = 0; j < n; j++)
    for (gsize e = 0; e < d; e++)
      panel[e * PANEL + j] = from[j * stride + e];
}

static void
pack_values (const Attention *self,
             const float     *from,
             gsize            stride,
             gsize            first,
             gsize            n,
             float           *values)
{
  gsize d = self->shape->head_width;

  for (gsize e = 0; e < self->padded_width; e += PANEL)
    for (gsize j = 0; j < n; j++)
      {
        float *to = values + (e / PANEL * self->padded_length + first + j) * PANEL;
        gsize width = MIN (PANEL, d - e);

        memcpy (to, from + j * stride + e, width * sizeof *to);
        if (width < PANEL)
          memset (to + width, 0, (PANEL - width) * sizeof *to);
      }
}

/* The keys and values of @panel of one head of one sequence. */
static void
pack (const Attention *self,
      gsize            sequence,
      gsize            group,
      gsize            panel)
{
  const TareAttentionShape *shape = self->shape;
  gsize d = shape->head_width;
  gsize stride = (shape->n_heads + 2 * shape->n_key_value_heads) * d;
  gsize first = panel * PANEL;
  gsize n = MIN (PANEL, shape->length - first);
  gsize place = sequence * shape->n_key_value_heads + group;
  const float *row = self->qkv + (sequence * shape->length + first) * stride
                     + (shape->n_heads + group) * d;

  pack_keys (self, row, stride, n, self->keys + place * self->padded_length * d + first * d);
  pack_values (self, row + shape->n_key_value_heads * d, stride, first, n,
               self->values + place * self->padded_length * self->padded_width);
}

/* What a query with these weights, whose sum is @sum, adds to what the positions receive. */
static void
add_received (const float *weights,
              gsize        begin,
              gsize        end,
              double       sum,
              double      *received)
{
  for (gsize j = begin; j < end; j++)
    received[j] += (double) weights[j] / sum;
}

/* One block of queries, from @first on, of one head of one sequence. */
static void
attend (const Attention *self,
        gsize            sequence,
        gsize            head,
        gsize            first,
        float           *scratch,
        float           *y)
{
  const TareAttentionShape *shape = self->shape;
  gsize d = shape->head_width;
  gsize stride = (shape->n_heads + 2 * shape->n_key_value_heads) * d;
  gsize rows = MIN (TILE_ROWS, shape->length - first);
  gsize n_keys = first + rows;
  gsize out_of_sight = shape->window > 0 && first + 1 > shape->window ? first + 1 - shape->window
                                                                      : 0;
  gsize begin = out_of_sight / PANEL * PANEL;
  gsize place = sequence * shape->n_key_value_heads
                + head / (shape->n_heads / shape->n_key_value_heads);
  const float *keys = self->keys + place * self->padded_length * d;
  const float *values = self->values + place * self->padded_length * self->padded_width;
  float *queries = scratch;
  float *mixed = queries + TILE_ROWS * d;
  float *scores = mixed + TILE_ROWS * self->padded_width;
  double sums[TILE_ROWS];

  if (rows < TILE_ROWS)
    memset (queries, 0, TILE_ROWS * d * sizeof *queries);
  for (gsize i = 0; i < rows; i++)
    for (gsize e = 0; e < d; e++)
      queries[i * d + e] = self->scale
        * self->qkv[(sequence * shape->length + first + i) * stride + head * d + e];

  for (gsize j = begin; j < n_keys; j += PANEL)
    multiply_panel (queries, d, keys + j * d, d, scores + j, self->padded_length);
  for (gsize i = 0; i < TILE_ROWS; i++)
    sums[i] = weigh (shape, scores + i * self->padded_length, begin, first + i, n_keys);
  for (gsize e = 0; e < self->padded_width; e += PANEL)
    multiply_panel (scores + begin, self->padded_length,
                    values + e * self->padded_length + begin * PANEL, n_keys - begin,
                    mixed + e, self->padded_width);

  for (gsize i = 0; self->received != NULL && i < rows; i++)
    add_received (scores + i * self->padded_length, begin, n_keys, sums[i],
                  self->received + (sequence * shape->n_heads + head) * shape->length);

  for (gsize i = 0; i < rows; i++)
    {
      float *to = y + ((sequence * shape->length + first + i) * shape->n_heads + head) * d;
      float factor = (float) (1.0 / sums[i]);

      for (gsize e = 0; e < d; e++)
        to[e] = mixed[i * self->padded_width + e] * factor;
    }
}

static gsize
thread_scratch (const Attention *self)
{
  return ROUND_UP (TILE_ROWS * (self->shape->head_width + self->padded_width
                                + self->padded_length), 16);
}

static Attention
attention_init (const TareAttentionShape *shape)
{
  Attention self = { .shape = shape };

  self.padded_length = ROUND_UP (shape->length, PANEL);
  self.padded_width = ROUND_UP (shape->head_width, PANEL);

  return self;
}

/**
 * tare_kernel_attention_scratch:
 * @shape: the sizes
 *
 * Returns: how many numbers tare_kernel_attention() needs to work in
 */
gsize
tare_kernel_attention_scratch (const TareAttentionShape *shape)
{
  Attention self = attention_init (shape);

  return shape->n_sequences * shape->n_key_value_heads * self.padded_length
           * (shape->head_width + self.padded_width)
         + (gsize) omp_get_max_threads () * thread_scratch (&self);
}

/**
 * tare_kernel_attention:
 * @shape: the sizes
 * @qkv: n_sequences x length x (n_heads + 2 n_key_value_heads) head_width, rotated
 * @scale: what multiplies a score, usually 1 / sqrt (head_width)
 * @scratch: tare_kernel_attention_scratch() numbers, aligned to 64 bytes for speed
 * @y: (out caller-allocates): n_sequences x length x n_heads head_width
 * @progress: (nullable): once it is cancelled the rest of @y is left as it was
 *
 * Causal attention with grouped queries: Vaswani et al. (2017), 3.2; Ainslie et al. (2023); in a
 * window: Beltagy, Peters and Cohan, "Longformer" (2020). The result is the same for any number of
 * threads.
 */
void
tare_kernel_attention (const TareAttentionShape *shape,
                       const float              *qkv,
                       float                     scale,
                       float                    *scratch,
                       float                    *y,
                       const TareProgress       *progress)
{
  tare_kernel_attention_tapped (shape, qkv, scale, scratch, y, NULL, progress);
}

/**
 * tare_kernel_attention_tapped:
 * @shape: the sizes
 * @qkv: as for tare_kernel_attention()
 * @scale: likewise
 * @scratch: likewise
 * @y: (out caller-allocates): likewise
 * @received: (nullable) (inout): n_sequences x n_heads x length, to which the probabilities that
 *   all queries of a head give to each position are added
 * @progress: (nullable): once it is cancelled the rest of @y is left as it was
 *
 * tare_kernel_attention(), telling what it attends to. One task then has a whole head, so that
 * sums are made in one order by whatever number of threads.
 */
void
tare_kernel_attention_tapped (const TareAttentionShape *shape,
                              const float              *qkv,
                              float                     scale,
                              float                    *scratch,
                              float                    *y,
                              double                   *received,
                              const TareProgress       *progress)
{
  Attention self = attention_init (shape);
  gsize n_panels = self.padded_length / PANEL;
  gsize n_groups = shape->n_sequences * shape->n_key_value_heads;
  gsize step = received == NULL ? TILE_ROWS * TASK_TILES : ROUND_UP (shape->length, TILE_ROWS);
  gsize n_blocks = shape->length / step + (shape->length % step > 0);
  gsize n_tasks = shape->n_sequences * shape->n_heads * n_blocks;
  float *threads;

  self.qkv = qkv;
  self.scale = scale;
  self.received = received;
  self.keys = scratch;
  self.values = self.keys + n_groups * self.padded_length * shape->head_width;
  threads = self.values + n_groups * self.padded_length * self.padded_width;

#pragma omp parallel
  {
    float *own = threads + (gsize) omp_get_thread_num () * thread_scratch (&self);

#pragma omp for schedule(static)
    for (gsize i = 0; i < n_groups * n_panels; i++)
      pack (&self, i / n_panels / shape->n_key_value_heads,
            i / n_panels % shape->n_key_value_heads, i % n_panels);

#pragma omp for schedule(dynamic)
    for (gsize i = 0; i < n_tasks; i++)
      {
        gsize begin = i % n_blocks * step;
        gsize end = MIN (shape->length, begin + step);

        if (tare_progress_cancelled (progress))
          continue;
        for (gsize first = begin; first < end; first += TILE_ROWS)
          attend (&self, i / n_blocks / shape->n_heads, i / n_blocks % shape->n_heads, first, own,
                  y);
      }
  }
}
