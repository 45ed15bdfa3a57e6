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
  const TareAttentionPast  *past;
  float                    *old_keys;
  float                    *old_values;
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

/* weigh() for the query of a @row, to which the keys of other branches are not there: its own come
 * after the shared ones meanwhile, so that sums are made as if there were no others. */
static double
weigh_row (const TareAttentionShape *shape,
           float                    *scores,
           gsize                     sequence,
           gsize                     begin,
           gsize                     row,
           gsize                     end)
{
  gsize gap = shape->branches != NULL
              ? tare_branches_get_gap (shape->branches, sequence, MIN (row, end - 1)) : 0;
  gsize shared, n_own;
  double sum;

  if (gap == 0)
    return weigh (shape, scores, begin, row, end);

  row = MIN (row, end - 1);
  shared = shape->branches->shared[sequence];
  n_own = row + 1 - gap - shared;
  memmove (scores + shared, scores + shared + gap, n_own * sizeof *scores);
  sum = weigh (shape, scores, MIN (begin, shared), row - gap, row + 1 - gap);
  memmove (scores + shared + gap, scores + shared, n_own * sizeof *scores);
  memset (scores + shared, 0, gap * sizeof *scores);
  memset (scores + row + 1, 0, (end - row - 1) * sizeof *scores);

  return sum;
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
      const float     *qkv,
      float           *keys,
      float           *values,
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
  const float *row = qkv + (sequence * shape->length + first) * stride
                     + (shape->n_heads + group) * d;

  pack_keys (self, row, stride, n, keys + place * self->padded_length * d + first * d);
  pack_values (self, row + shape->n_key_value_heads * d, stride, first, n,
               values + place * self->padded_length * self->padded_width);
}

/* How many of the first keys or values are old ones to a query, where @window are not. */
static gsize
count_old (gsize position,
           gsize window)
{
  return window > 0 && position + 1 > window ? position + 1 - window : 0;
}

/* Scores of one block of queries and one panel of keys, of which some may be old to some of the
 * queries. */
static void
score_panel (const Attention *self,
             const float     *queries,
             gsize            place,
             gsize            first,
             gsize            panel,
             float           *scores)
{
  gsize d = self->shape->head_width;
  gsize window = self->past != NULL ? self->past->key_window : 0;
  gsize least = count_old (first, window), most = count_old (first + TILE_ROWS - 1, window);
  gsize offset = place * self->padded_length * d + panel * d;
  float old[TILE_ROWS][PANEL];

  if (panel < most && panel + PANEL <= least)
    {
      multiply_panel (queries, d, self->old_keys + offset, d, scores, self->padded_length);
      return;
    }

  multiply_panel (queries, d, self->keys + offset, d, scores, self->padded_length);
  if (panel >= most)
    return;

  multiply_panel (queries, d, self->old_keys + offset, d, old[0], PANEL);
  for (gsize i = 0; i < TILE_ROWS; i++)
    {
      gsize end = count_old (first + i, window);

      if (end > panel)
        memcpy (scores + i * self->padded_length, old[i],
                MIN (end - panel, PANEL) * sizeof *scores);
    }
}

/* Takes the weights of old values out of the block's, for those that are old to some queries only:
 * from @least to @most. */
static void
split_weights (const Attention *self,
               gsize            first,
               gsize            least,
               gsize            most,
               float           *weights,
               float            old[TILE_ROWS][TILE_ROWS])
{
  memset (old, 0, TILE_ROWS * sizeof *old);
  for (gsize i = 0; i < TILE_ROWS; i++)
    {
      gsize end = MIN (count_old (first + i, self->past->value_window), most);

      for (gsize j = least; j < end; j++)
        {
          old[i][j - least] = weights[i * self->padded_length + j];
          weights[i * self->padded_length + j] = 0.0f;
        }
    }
}

static void
add_tile (const float *x,
          gsize        stride,
          float       *y)
{
  for (gsize i = 0; i < TILE_ROWS; i++)
    for (gsize j = 0; j < PANEL; j++)
      y[i * stride + j] += x[i * PANEL + j];
}

/* What a block of queries makes of the values of the keys from @begin to @n_keys by its weights. */
static void
mix (const Attention *self,
     gsize            place,
     gsize            first,
     gsize            begin,
     gsize            n_keys,
     float           *weights,
     float           *mixed)
{
  gsize window = self->past != NULL ? self->past->value_window : 0;
  gsize least = CLAMP (count_old (first, window), begin, n_keys);
  gsize most = CLAMP (count_old (first + TILE_ROWS - 1, window), least, n_keys);
  gsize offset = place * self->padded_length * self->padded_width;
  float old[TILE_ROWS][TILE_ROWS];
  float part[TILE_ROWS * PANEL];

  if (most > least)
    split_weights (self, first, least, most, weights, old);
  for (gsize e = 0; e < self->padded_width; e += PANEL)
    {
      gsize column = offset + e * self->padded_length;

      multiply_panel (weights + least, self->padded_length, self->values + column + least * PANEL,
                      n_keys - least, mixed + e, self->padded_width);
      if (least > begin)
        {
          multiply_panel (weights + begin, self->padded_length,
                          self->old_values + column + begin * PANEL, least - begin, part, PANEL);
          add_tile (part, self->padded_width, mixed + e);
        }
      if (most > least)
        {
          multiply_panel (old[0], TILE_ROWS, self->old_values + column + least * PANEL,
                          most - least, part, PANEL);
          add_tile (part, self->padded_width, mixed + e);
        }
    }
}

/* mix() where no query of the block sees the keys from @hole to @hole_end. */
static void
mix_around (const Attention *self,
            gsize            place,
            gsize            begin,
            gsize            hole,
            gsize            hole_end,
            gsize            n_keys,
            const float     *weights,
            float           *mixed)
{
  gsize offset = place * self->padded_length * self->padded_width;
  float part[TILE_ROWS * PANEL];

  for (gsize e = 0; e < self->padded_width; e += PANEL)
    {
      const float *values = self->values + offset + e * self->padded_length;

      multiply_panel (weights + hole_end, self->padded_length, values + hole_end * PANEL,
                      n_keys - hole_end, mixed + e, self->padded_width);
      if (begin >= hole)
        continue;
      multiply_panel (weights + begin, self->padded_length, values + begin * PANEL, hole - begin,
                      part, PANEL);
      add_tile (part, self->padded_width, mixed + e);
    }
}

/* The keys that no query from @first to @end sees, between the shared ones and their branches:
 * from here to @hole_end. */
static gsize
find_hole (const TareAttentionShape *shape,
           gsize                     sequence,
           gsize                     first,
           gsize                     end,
           gsize                    *hole_end)
{
  gsize gap = G_MAXSIZE;

  *hole_end = 0;
  if (shape->branches == NULL)
    return 0;

  for (gsize i = first; i < end; i++)
    gap = MIN (gap, tare_branches_get_gap (shape->branches, sequence, i));
  *hole_end = shape->branches->shared[sequence] + gap;

  return shape->branches->shared[sequence];
}

/* The first key that is in the window of any query from @first to @end, or one before it. */
static gsize
find_first_key (const TareAttentionShape *shape,
                gsize                     sequence,
                gsize                     first,
                gsize                     end)
{
  gsize position = first;

  for (gsize i = first; shape->branches != NULL && i < end; i++)
    position = MIN (position, tare_branches_get_position (shape->branches, sequence, i));

  return shape->window > 0 && position + 1 > shape->window ? position + 1 - shape->window : 0;
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
  gsize begin = find_first_key (shape, sequence, first, n_keys) / PANEL * PANEL;
  gsize hole_end;
  gsize hole = find_hole (shape, sequence, first, n_keys, &hole_end);
  gsize place = sequence * shape->n_key_value_heads
                + head / (shape->n_heads / shape->n_key_value_heads);
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
    if (j < hole || j + PANEL > hole_end)
      score_panel (self, queries, place, first, j, scores + j);
  for (gsize i = 0; i < TILE_ROWS; i++)
    sums[i] = weigh_row (shape, scores + i * self->padded_length, sequence, begin, first + i,
                         n_keys);
  for (gsize i = 0; self->received != NULL && i < rows; i++)
    add_received (scores + i * self->padded_length, begin, n_keys, sums[i],
                  self->received + (sequence * shape->n_heads + head) * shape->length);
  if (hole_end > hole)
    mix_around (self, place, begin, hole, hole_end, n_keys, scores, mixed);
  else
    mix (self, place, first, begin, n_keys, scores, mixed);

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

/* Numbers of the packed keys and values. */
static gsize
measure_packed (const Attention *self)
{
  return self->shape->n_sequences * self->shape->n_key_value_heads * self->padded_length
         * (self->shape->head_width + self->padded_width);
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

  return measure_packed (&self) + (gsize) omp_get_max_threads () * thread_scratch (&self);
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
  tare_kernel_attention_past (shape, qkv, NULL, scale, scratch, y, NULL, progress);
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
  tare_kernel_attention_past (shape, qkv, NULL, scale, scratch, y, received, progress);
}

/**
 * tare_kernel_attention_past_scratch:
 * @shape: the sizes
 *
 * Returns: how many numbers tare_kernel_attention_past() needs to work in
 */
gsize
tare_kernel_attention_past_scratch (const TareAttentionShape *shape)
{
  Attention self = attention_init (shape);

  return tare_kernel_attention_scratch (shape) + measure_packed (&self);
}

/**
 * tare_kernel_attention_past:
 * @shape: the sizes
 * @qkv: as for tare_kernel_attention()
 * @past: (nullable): what is seen of older tokens; %NULL for what is in @qkv
 * @scale: likewise
 * @scratch: tare_kernel_attention_past_scratch() numbers, without @past
 *   tare_kernel_attention_scratch(); aligned to 64 bytes for speed
 * @y: (out caller-allocates): likewise
 * @received: (nullable) (inout): as for tare_kernel_attention_tapped()
 * @progress: (nullable): likewise
 *
 * tare_kernel_attention() over a cache of which a window is kept as it is: which of two keys a
 * score is made of depends on how far it lies behind the query. The window slides by one token at
 * a time; Liu et al., "KIVI" (2024), 4.1, let it grow to a whole group before they round that.
 */
void
tare_kernel_attention_past (const TareAttentionShape *shape,
                            const float              *qkv,
                            const TareAttentionPast  *past,
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

  g_return_if_fail (shape->branches == NULL || (past == NULL && received == NULL));

  self.qkv = qkv;
  self.scale = scale;
  self.received = received;
  self.keys = scratch;
  self.values = self.keys + n_groups * self.padded_length * shape->head_width;
  threads = self.keys + measure_packed (&self);
  if (past != NULL)
    {
      self.past = past;
      self.old_keys = threads;
      self.old_values = self.old_keys + n_groups * self.padded_length * shape->head_width;
      threads += measure_packed (&self);
    }

#pragma omp parallel
  {
    float *own = threads + (gsize) omp_get_thread_num () * thread_scratch (&self);

#pragma omp for schedule(static)
    for (gsize i = 0; i < n_groups * n_panels; i++)
      pack (&self, qkv, self.keys, self.values, i / n_panels / shape->n_key_value_heads,
            i / n_panels % shape->n_key_value_heads, i % n_panels);
    if (past != NULL)
#pragma omp for schedule(static)
      for (gsize i = 0; i < n_groups * n_panels; i++)
        pack (&self, past->qkv, self.old_keys, self.old_values,
              i / n_panels / shape->n_key_value_heads, i / n_panels % shape->n_key_value_heads,
              i % n_panels);

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
