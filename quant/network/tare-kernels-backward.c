/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What every step of the forward pass but attention and activations hands back, and how both ways
 * move along a direction. A row's sums are in binary64.
 */
#include "quant/network/tare-kernels-backward.h"

#include <math.h>
#include <string.h>

#include "quant/network/tare-exp-private.h"

TARE_CONTRACT

/* Below so many numbers the threads cost more than they save. */
#define PARALLEL_LEAST 16384

/* Columns whose sums over rows one task takes: a cache line of the rows, and then some. */
#define COLUMN_RUN 256

/* Of a row of a norm: what is taken away and multiplied by, and the same of its tangent: the mean,
 * and how fast the root grows, relative to itself. */
typedef struct
{
  double mean;
  double factor;
  double tangent_mean;
  double growth;
} Row;

static TARE_CLONES double
sum_of (const float *x,
        gsize        n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) x[i];

  return sum;
}

static TARE_CLONES double
sum_of_products (const float *x,
                 double       x_mean,
                 const float *y,
                 double       y_mean,
                 gsize        n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += ((double) x[i] - x_mean) * ((double) y[i] - y_mean);

  return sum;
}

static Row
measure_row (const TareNormShape *shape,
             const float         *x,
             const float         *tangent)
{
  gsize n = shape->columns;
  Row row = { 0.0, 0.0, 0.0, 0.0 };

  if (shape->centered)
    row.mean = sum_of (x, n) / (double) n;
  row.factor = 1.0 / sqrt (sum_of_products (x, row.mean, x, row.mean, n) / (double) n
                           + (double) shape->epsilon);
  if (tangent == NULL)
    return row;

  if (shape->centered)
    row.tangent_mean = sum_of (tangent, n) / (double) n;
  row.growth = sum_of_products (x, row.mean, tangent, row.tangent_mean, n) / (double) n
               * row.factor * row.factor;

  return row;
}

/* n' = x' / r - n r' / r */
static TARE_CLONES void
tangent_row (const Row             row,
             const float *restrict weight,
             const float          *x,
             const float          *tangent,
             gsize                 n,
             float                *y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = (float) ((double) weight[i] * row.factor
                    * ((double) tangent[i] - row.tangent_mean
                       - ((double) x[i] - row.mean) * row.growth));
}

/**
 * tare_kernel_norm_tangent:
 * @shape: the norm
 * @x: rows x columns, with a tangent
 * @y_tangent: (out caller-allocates): rows x columns, that of the norm; may be the tangent of @x
 */
void
tare_kernel_norm_tangent (const TareNormShape *shape,
                          TareDual             x,
                          float               *y_tangent)
{
  gsize n = shape->columns;

#pragma omp parallel for schedule(static) if (shape->rows * n >= PARALLEL_LEAST)
  for (gsize i = 0; i < shape->rows; i++)
    tangent_row (measure_row (shape, x.value + i * n, x.tangent + i * n), shape->weight,
                 x.value + i * n, x.tangent + i * n, n, y_tangent + i * n);
}

/* Sums of a row that goes back: n · w g, w g, and of their tangents. */
typedef struct
{
  double along;
  double mean;
  double tangent_along;
  double tangent_mean;
} Sums;

static TARE_CLONES Sums
sum_back (const Row             row,
          const float *restrict weight,
          const float          *x,
          const float          *g,
          gsize                 n)
{
  double along = 0.0, mean = 0.0;

#pragma omp simd reduction(+:along, mean)
  for (gsize i = 0; i < n; i++)
    {
      double inner = (double) weight[i] * (double) g[i];

      along += inner * ((double) x[i] - row.mean);
      mean += inner;
    }

  return (Sums) { along * row.factor / (double) n, mean / (double) n, 0.0, 0.0 };
}

static TARE_CLONES void
sum_back_tangent (const Row             row,
                  const float *restrict weight,
                  TareDual              x,
                  TareDual              g,
                  gsize                 n,
                  Sums                 *sums)
{
  const float *value = x.value, *tangent = x.tangent;
  const float *g_value = g.value, *g_tangent = g.tangent;
  double along = 0.0, mean = 0.0;

#pragma omp simd reduction(+:along, mean)
  for (gsize i = 0; i < n; i++)
    {
      double center = (double) value[i] - row.mean;
      double turn = (double) tangent[i] - row.tangent_mean - center * row.growth;
      double inner = (double) weight[i] * (double) g_tangent[i];

      along += turn * (double) weight[i] * (double) g_value[i] + center * inner;
      mean += inner;
    }

  sums->tangent_along = along * row.factor / (double) n;
  sums->tangent_mean = mean / (double) n;
}

/* (w g - n (n · w g) / d) / r, in place where @to is @g. */
static TARE_CLONES void
back_row (const Row             row,
          const Sums            sums,
          const float *restrict weight,
          const float          *x,
          const float          *g,
          gsize                 n,
          float                *to)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    to[i] = (float) (((double) weight[i] * (double) g[i] - sums.mean
                      - ((double) x[i] - row.mean) * row.factor * sums.along) * row.factor);
}

/* Likewise with the tangent: (w g' - n' c - n c') / r - x̄ r' / r. */
static TARE_CLONES void
back_row_tangent (const Row             row,
                  const Sums            sums,
                  const float *restrict weight,
                  TareDual              x,
                  TareDual              g,
                  gsize                 n,
                  TareDual              to)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    {
      double unit = ((double) x.value[i] - row.mean) * row.factor;
      double turn = ((double) x.tangent[i] - row.tangent_mean) * row.factor - unit * row.growth;
      double value = ((double) weight[i] * (double) g.value[i] - sums.mean - unit * sums.along)
                     * row.factor;

      to.tangent[i] = (float) (((double) weight[i] * (double) g.tangent[i] - sums.tangent_mean
                                - turn * sums.along - unit * sums.tangent_along) * row.factor
                               - value * row.growth);
      to.value[i] = (float) value;
    }
}

/**
 * tare_kernel_norm_backward:
 * @shape: the norm
 * @x: rows x columns, what was normalised
 * @g: rows x columns, the loss's gradient by the result
 * @x_gradient: (out caller-allocates): rows x columns, that by @x; may be @g
 */
void
tare_kernel_norm_backward (const TareNormShape *shape,
                           TareDual             x,
                           TareDual             g,
                           TareDual             x_gradient)
{
  gsize n = shape->columns;

#pragma omp parallel for schedule(static) if (shape->rows * n >= PARALLEL_LEAST)
  for (gsize i = 0; i < shape->rows; i++)
    {
      TareDual x_row = tare_dual_at (x, i * n), g_row = tare_dual_at (g, i * n);
      TareDual to = tare_dual_at (x_gradient, i * n);
      Row row = measure_row (shape, x_row.value, x_row.tangent);
      Sums sums = sum_back (row, shape->weight, x_row.value, g_row.value, n);

      if (x.tangent != NULL)
        sum_back_tangent (row, shape->weight, x_row, g_row, n, &sums);
      if (!shape->centered)
        sums.mean = sums.tangent_mean = 0.0;

      if (x.tangent != NULL)
        back_row_tangent (row, sums, shape->weight, x_row, g_row, n, to);
      else
        back_row (row, sums, shape->weight, x_row.value, g_row.value, n, to.value);
    }
}

static TARE_CLONES void
add_products (const Row    row,
              const float *x,
              const float *g,
              gsize        n,
              double      *sums)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    sums[i] += ((double) x[i] - row.mean) * row.factor * (double) g[i];
}

/**
 * tare_kernel_norm_weight:
 * @shape: the norm
 * @x: rows x columns, what was normalised
 * @g: rows x columns, the loss's gradient by the result
 * @sums: (inout): columns, to which that by the norm's weight is added
 */
void
tare_kernel_norm_weight (const TareNormShape *shape,
                         const float         *x,
                         const float         *g,
                         double              *sums)
{
  gsize n = shape->columns;
  g_autofree Row *rows = g_new (Row, MAX (shape->rows, 1));

#pragma omp parallel for schedule(static) if (shape->rows * n >= PARALLEL_LEAST)
  for (gsize i = 0; i < shape->rows; i++)
    rows[i] = measure_row (shape, x + i * n, NULL);

#pragma omp parallel for schedule(static) if (shape->rows * n >= PARALLEL_LEAST)
  for (gsize first = 0; first < n; first += COLUMN_RUN)
    for (gsize i = 0; i < shape->rows; i++)
      add_products (rows[i], x + i * n + first, g + i * n + first, MIN (COLUMN_RUN, n - first),
                    sums + first);
}

static TARE_CLONES void
add_row (const float *g,
         gsize        n,
         double      *sums)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    sums[i] += (double) g[i];
}

/**
 * tare_kernel_sum_rows:
 * @g: rows x columns
 * @rows: tokens
 * @columns: width
 * @sums: (inout): columns, to which the sum over rows is added: the gradient by a bias
 */
void
tare_kernel_sum_rows (const float *g,
                      gsize        rows,
                      gsize        columns,
                      double      *sums)
{
#pragma omp parallel for schedule(static) if (rows * columns >= PARALLEL_LEAST)
  for (gsize first = 0; first < columns; first += COLUMN_RUN)
    for (gsize i = 0; i < rows; i++)
      add_row (g + i * columns + first, MIN (COLUMN_RUN, columns - first), sums + first);
}

/**
 * tare_kernel_inner:
 * @a: rows x columns
 * @a_stride: from one row of @a to the next
 * @b: rows x columns
 * @b_stride: from one row of @b to the next
 * @rows: tokens
 * @columns: width
 *
 * The rows' own sums are added up in their order, so that the number of threads does not matter.
 *
 * Returns: Σ a b
 */
double
tare_kernel_inner (const float *a,
                   gsize        a_stride,
                   const float *b,
                   gsize        b_stride,
                   gsize        rows,
                   gsize        columns)
{
  g_autofree double *sums = g_new (double, MAX (rows, 1));
  double sum = 0.0;

#pragma omp parallel for schedule(static) if (rows * columns >= PARALLEL_LEAST)
  for (gsize i = 0; i < rows; i++)
    sums[i] = sum_of_products (a + i * a_stride, 0.0, b + i * b_stride, 0.0, columns);
  for (gsize i = 0; i < rows; i++)
    sum += sums[i];

  return sum;
}

/**
 * tare_kernel_soft_cap_tangent:
 * @cap: the bound
 * @n: how many
 * @y: (inout): capped values; the tangent is what comes in on entry, what goes out on return
 */
void
tare_kernel_soft_cap_tangent (float    cap,
                              gsize    n,
                              TareDual y)
{
#pragma omp parallel for simd schedule(static) if (n >= PARALLEL_LEAST)
  for (gsize i = 0; i < n; i++)
    {
      float t = y.value[i] / cap;

      y.tangent[i] *= 1.0f - t * t;
    }
}

/**
 * tare_kernel_soft_cap_backward:
 * @cap: the bound
 * @n: how many
 * @y: what tare_kernel_soft_cap() and tare_kernel_soft_cap_tangent() made
 * @g: (inout): the loss's gradient by @y on entry, by what was capped on return
 */
void
tare_kernel_soft_cap_backward (float    cap,
                               gsize    n,
                               TareDual y,
                               TareDual g)
{
  if (y.tangent != NULL)
    {
#pragma omp parallel for simd schedule(static) if (n >= PARALLEL_LEAST)
      for (gsize i = 0; i < n; i++)
        {
          float t = y.value[i] / cap;

          g.tangent[i] = (1.0f - t * t) * g.tangent[i]
                         - 2.0f * t / cap * y.tangent[i] * g.value[i];
        }
    }

#pragma omp parallel for simd schedule(static) if (n >= PARALLEL_LEAST)
  for (gsize i = 0; i < n; i++)
    {
      float t = y.value[i] / cap;

      g.value[i] *= 1.0f - t * t;
    }
}

/**
 * tare_kernel_rotate_back:
 * @angles: the angles
 * @position: of the token
 * @head: (inout): a head's gradient after its rotation on entry, before it on return
 *
 * The transpose of tare_kernel_rotate(), magnitude and all. Not parallel.
 */
void
tare_kernel_rotate_back (const TareAngles *angles,
                         gsize             position,
                         float            *head)
{
  gsize n = angles->n_pairs;
  const float *cosine = angles->cosine + position * n;
  const float *sine = angles->sine + position * n;
  gboolean interleaved = angles->rotary == TARE_ROTARY_INTERLEAVED;

  for (gsize i = 0; i < n; i++)
    {
      float *a = interleaved ? head + 2 * i : head + i;
      float *b = interleaved ? a + 1 : a + n;
      float x = *a, y = *b;

      *a = x * cosine[i] + y * sine[i];
      *b = y * cosine[i] - x * sine[i];
    }
}

/* Σ q z', of which every logit's own z' is then measured. */
static TARE_CLONES double
expect (const float *logits,
        const float *tangent,
        float        maximum,
        gsize        n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) _tare_exp (logits[i] - maximum) * (double) tangent[i];

  return sum;
}

/* Probabilities times @factor, in place of the logits where @to is them; their tangent before. */
static TARE_CLONES void
put_probabilities (TareDual logits,
                   float    maximum,
                   float    factor,
                   float    mean,
                   gsize    n,
                   TareDual to)
{
  const float *value = logits.value, *tangent = logits.tangent;
  float *to_value = to.value, *to_tangent = to.tangent;

  if (tangent != NULL)
    {
#pragma omp simd
      for (gsize i = 0; i < n; i++)
        to_tangent[i] = factor * _tare_exp (value[i] - maximum) * (tangent[i] - mean);
    }
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    to_value[i] = factor * _tare_exp (value[i] - maximum);
}

static void
put_softmax (TareDual              logits,
             const TareLogSoftmax *softmax,
             gsize                 n,
             float                 factor,
             TareDual              to)
{
  float maximum = logits.value[softmax->top];
  double sum = exp (softmax->log_sum - (double) maximum);
  double mean = logits.tangent != NULL ? expect (logits.value, logits.tangent, maximum, n) / sum
                                       : 0.0;

  put_probabilities (logits, maximum, (float) ((double) factor / sum), (float) mean, n, to);
}

/**
 * tare_kernel_cross_entropy:
 * @logits: one row
 * @n: vocabulary
 * @target: which token it was
 * @factor: what the row counts
 * @gradient: (out caller-allocates): that by the logits, factor (p - e); may be @logits
 *
 * Not parallel.
 *
 * Returns: -ln p of the target, not multiplied
 */
double
tare_kernel_cross_entropy (TareDual logits,
                           gsize    n,
                           gsize    target,
                           float    factor,
                           TareDual gradient)
{
  TareLogSoftmax softmax = tare_kernel_log_softmax (logits.value, n);
  double loss = softmax.log_sum - (double) logits.value[target];

  put_softmax (logits, &softmax, n, factor, gradient);
  gradient.value[target] -= factor;

  return loss;
}

static TARE_CLONES void
take_away (const float *base,
           float        maximum,
           float        factor,
           gsize        n,
           float       *gradient)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    gradient[i] -= factor * _tare_exp (base[i] - maximum);
}

/**
 * tare_kernel_divergence_back:
 * @logits: one row
 * @base: (nullable): a row of the logits it is measured against, %NULL for @logits' own values
 * @n: vocabulary
 * @factor: what the row counts
 * @gradient: (out caller-allocates): that by the logits, factor (q - p); may be @logits
 *
 * Against itself the gradient is 0 and its tangent the Gauss-Newton product. Not parallel.
 *
 * Returns: KL (base || logits), not multiplied
 */
double
tare_kernel_divergence_back (TareDual     logits,
                             const float *base,
                             gsize        n,
                             float        factor,
                             TareDual     gradient)
{
  TareLogSoftmax softmax = tare_kernel_log_softmax (logits.value, n);
  TareLogSoftmax base_softmax;
  float maximum;
  double loss;

  if (base == NULL)
    {
      put_softmax (logits, &softmax, n, factor, gradient);
      memset (gradient.value, 0, n * sizeof *gradient.value);
      return 0.0;
    }

  base_softmax = tare_kernel_log_softmax (base, n);
  maximum = base[base_softmax.top];
  loss = tare_kernel_divergence (base, &base_softmax, logits.value, &softmax, n);
  put_softmax (logits, &softmax, n, factor, gradient);
  take_away (base, maximum,
             (float) ((double) factor / exp (base_softmax.log_sum - (double) maximum)), n,
             gradient.value);

  return loss;
}
