/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-kernels.h"

#include <math.h>

#include "quant/network/tare-exp-private.h"

TARE_CONTRACT

/* Below so many numbers the threads cost more than they save. */
#define PARALLEL_LEAST 16384

/**
 * tare_kernel_exp:
 * @x: numbers
 * @n: how many
 * @y: (out caller-allocates): e^x within 2 ulp; 0 where that would be denormal
 */
TARE_CLONES void
tare_kernel_exp (const float *x,
                 gsize        n,
                 float       *y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = _tare_exp (x[i]);
}

static TARE_CLONES void
norm_row (const float *restrict x,
          const float *restrict weight,
          float                 epsilon,
          gsize                 n,
          float       *restrict y)
{
  double sum = 0.0;
  float factor;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) x[i] * (double) x[i];

  factor = (float) (1.0 / sqrt (sum / (double) n + (double) epsilon));
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = x[i] * factor * weight[i];
}

/* As norm_row, but @x is also where it goes. */
static TARE_CLONES void
norm_row_in_place (float                *x,
                   const float *restrict weight,
                   float                 epsilon,
                   gsize                 n)
{
  double sum = 0.0;
  float factor;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) x[i] * (double) x[i];

  factor = (float) (1.0 / sqrt (sum / (double) n + (double) epsilon));
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    x[i] = x[i] * factor * weight[i];
}

/**
 * tare_kernel_rms_norm:
 * @x: rows x columns
 * @weight: columns
 * @epsilon: added to the mean square
 * @rows: tokens
 * @columns: width
 * @y: (out caller-allocates): rows x columns, x / sqrt (mean (x²) + epsilon) * weight; may be @x
 *
 * Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019).
 */
void
tare_kernel_rms_norm (const float *x,
                      const float *weight,
                      float        epsilon,
                      gsize        rows,
                      gsize        columns,
                      float       *y)
{
  gboolean in_place = x == y;

  /* One head of one token, from within a parallel loop: not even a team of one. */
  if (rows == 1 && in_place)
    {
      norm_row_in_place (y, weight, epsilon, columns);
      return;
    }

#pragma omp parallel for schedule(static) if (rows * columns >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    {
      if (in_place)
        norm_row_in_place (y + row * columns, weight, epsilon, columns);
      else
        norm_row (x + row * columns, weight, epsilon, columns, y + row * columns);
    }
}

static TARE_CLONES void
layer_norm_row (const float *restrict x,
                const float *restrict weight,
                const float *restrict bias,
                float                 epsilon,
                gsize                 n,
                float       *restrict y)
{
  double sum = 0.0, squares = 0.0, mean;
  float center, factor;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) x[i];
  mean = sum / (double) n;

#pragma omp simd reduction(+:squares)
  for (gsize i = 0; i < n; i++)
    squares += ((double) x[i] - mean) * ((double) x[i] - mean);

  center = (float) mean;
  factor = (float) (1.0 / sqrt (squares / (double) n + (double) epsilon));
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = (x[i] - center) * factor * weight[i];
  for (gsize i = 0; bias != NULL && i < n; i++)
    y[i] += bias[i];
}

/**
 * tare_kernel_layer_norm:
 * @x: rows x columns
 * @weight: columns
 * @bias: (nullable): columns
 * @epsilon: added to the variance
 * @rows: tokens
 * @columns: width
 * @y: (out caller-allocates): rows x columns, (x - mean (x)) / sqrt (variance (x) + epsilon)
 *   * weight + bias; not @x
 *
 * Ba, Kiros and Hinton, "Layer Normalization" (2016).
 */
void
tare_kernel_layer_norm (const float *x,
                        const float *weight,
                        const float *bias,
                        float        epsilon,
                        gsize        rows,
                        gsize        columns,
                        float       *y)
{
#pragma omp parallel for schedule(static) if (rows * columns >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    layer_norm_row (x + row * columns, weight, bias, epsilon, columns, y + row * columns);
}

static TARE_CLONES void
add_row (const float *restrict bias,
         gsize                 n,
         float       *restrict y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] += bias[i];
}

/**
 * tare_kernel_add_bias:
 * @bias: columns
 * @rows: tokens
 * @columns: width
 * @y: (inout): rows x columns, to each row of which @bias is added
 */
void
tare_kernel_add_bias (const float *bias,
                      gsize        rows,
                      gsize        columns,
                      float       *y)
{
#pragma omp parallel for schedule(static) if (rows * columns >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    add_row (bias, columns, y + row * columns);
}

/**
 * tare_kernel_add:
 * @x: rows x columns
 * @rows: tokens
 * @columns: width
 * @y: (inout): rows x columns, to which @x is added
 */
void
tare_kernel_add (const float *x,
                 gsize        rows,
                 gsize        columns,
                 float       *y)
{
#pragma omp parallel for schedule(static) if (rows * columns >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    add_row (x + row * columns, columns, y + row * columns);
}

/**
 * tare_kernel_scale:
 * @factor: by which every number is multiplied
 * @rows: tokens
 * @columns: width
 * @y: (inout): rows x columns
 */
void
tare_kernel_scale (float  factor,
                   gsize  rows,
                   gsize  columns,
                   float *y)
{
#pragma omp parallel for simd schedule(static) if (rows * columns >= PARALLEL_LEAST)
  for (gsize i = 0; i < rows * columns; i++)
    y[i] *= factor;
}

static TARE_CLONES void
soft_cap_row (float  cap,
              gsize  n,
              float *y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = cap * _tare_tanh (y[i] / cap);
}

/**
 * tare_kernel_soft_cap:
 * @cap: the bound
 * @rows: tokens
 * @columns: width
 * @y: (inout): rows x columns, y to cap tanh (y / cap)
 *
 * Gemma Team, "Gemma 2: Improving Open Language Models at a Practical Size" (2024), section 2.
 */
void
tare_kernel_soft_cap (float  cap,
                      gsize  rows,
                      gsize  columns,
                      float *y)
{
#pragma omp parallel for schedule(static) if (rows * columns >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    soft_cap_row (cap, columns, y + row * columns);
}

static TARE_CLONES void
silu_gate_row (const float *restrict gate,
               const float *restrict up,
               gsize                 n,
               float       *restrict y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = gate[i] / (1.0f + _tare_exp (-gate[i])) * up[i];
}

/**
 * tare_kernel_silu_gate:
 * @gate_up: rows x 2 width, a row's gates before its values
 * @rows: tokens
 * @width: of the feed-forward part
 * @y: (out caller-allocates): rows x width, gate / (1 + exp (-gate)) * up
 *
 * Shazeer, "GLU Variants Improve Transformer" (2020).
 */
void
tare_kernel_silu_gate (const float *gate_up,
                       gsize        rows,
                       gsize        width,
                       float       *y)
{
#pragma omp parallel for schedule(static) if (rows * width >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    silu_gate_row (gate_up + row * 2 * width, gate_up + row * 2 * width + width, width,
                   y + row * width);
}

static TARE_CLONES void
rotate_halves (const float *restrict cosine,
               const float *restrict sine,
               gsize                 n,
               float       *restrict a,
               float       *restrict b)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    {
      float x = a[i];
      float y = b[i];

      a[i] = x * cosine[i] - y * sine[i];
      b[i] = x * sine[i] + y * cosine[i];
    }
}

static TARE_CLONES void
rotate_interleaved (const float *restrict cosine,
                    const float *restrict sine,
                    gsize                 n,
                    float       *restrict head)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    {
      float x = head[2 * i];
      float y = head[2 * i + 1];

      head[2 * i] = x * cosine[i] - y * sine[i];
      head[2 * i + 1] = x * sine[i] + y * cosine[i];
    }
}

/**
 * tare_kernel_rotate:
 * @angles: by how much to turn
 * @position: of the token, below the length of @angles
 * @head: (inout): one head of a query or key
 *
 * Su et al., "RoFormer" (2021), equation 34. Not parallel.
 */
void
tare_kernel_rotate (const TareAngles *angles,
                    gsize             position,
                    float            *head)
{
  const float *cosine = angles->cosine + position * angles->n_pairs;
  const float *sine = angles->sine + position * angles->n_pairs;

  if (angles->rotary == TARE_ROTARY_INTERLEAVED)
    rotate_interleaved (cosine, sine, angles->n_pairs, head);
  else
    rotate_halves (cosine, sine, angles->n_pairs, head, head + angles->n_pairs);
}

static TARE_CLONES float
maximum_of (const float *x,
            gsize        n)
{
  float maximum = -INFINITY;

#pragma omp simd reduction(max:maximum)
  for (gsize i = 0; i < n; i++)
    maximum = x[i] > maximum ? x[i] : maximum;

  return maximum;
}

static TARE_CLONES double
sum_of_exp (const float *x,
            gsize        n,
            float        maximum)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) _tare_exp (x[i] - maximum);

  return sum;
}

/**
 * tare_kernel_log_softmax:
 * @logits: one row
 * @n: vocabulary
 *
 * A NaN among the logits makes the sum NaN. Not parallel.
 *
 * Returns: what turns them into log-probabilities
 */
TareLogSoftmax
tare_kernel_log_softmax (const float *logits,
                         gsize        n)
{
  float maximum = maximum_of (logits, n);
  TareLogSoftmax result = { 0.0, 0 };

  result.log_sum = (double) maximum + log (sum_of_exp (logits, n, maximum));
  while (result.top + 1 < n && !(logits[result.top] >= maximum))
    result.top++;

  return result;
}

static TARE_CLONES double
divergence_sum (const float *restrict base,
                const float *restrict other,
                float                 base_log_sum,
                double                shift,
                gsize                 n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) _tare_exp (base[i] - base_log_sum)
           * ((double) base[i] - (double) other[i] - shift);

  return sum;
}

/**
 * tare_kernel_divergence:
 * @base: one row of logits
 * @base_sum: from tare_kernel_log_softmax()
 * @other: another row
 * @other_sum: from tare_kernel_log_softmax()
 * @n: vocabulary
 *
 * A probability below the least normal binary32 counts as 0. Not parallel.
 *
 * Returns: KL (base || other) = Σ p (ln p - ln q), in nats; exactly 0 for equal rows
 */
double
tare_kernel_divergence (const float          *base,
                        const TareLogSoftmax *base_sum,
                        const float          *other,
                        const TareLogSoftmax *other_sum,
                        gsize                 n)
{
  return divergence_sum (base, other, (float) base_sum->log_sum,
                         base_sum->log_sum - other_sum->log_sum, n);
}
