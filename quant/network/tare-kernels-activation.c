/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The activations of feed-forward parts, with a gate and without. */
#include "quant/network/tare-kernels.h"

#include <math.h>

#include "quant/network/tare-exp-private.h"

TARE_CONTRACT

/* Below so many numbers the threads cost more than they save. */
#define PARALLEL_LEAST 16384

/* sqrt (2 / π) and the cubic term: Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016). */
#define GELU_SLOPE 0.79788456080286535588f
#define GELU_CUBE  0.044715f

typedef void (*RowFunc) (const float *x,
                         gsize        n,
                         float       *y);

/* x / (1 + exp (-x)) */
static TARE_CLONES void
silu_row (const float *restrict x,
          gsize                 n,
          float       *restrict y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = x[i] / (1.0f + _tare_exp (-x[i]));
}

/* 1 + tanh (u) = 2 / (1 + exp (-2u)), which does not lose the small values on the left. */
static TARE_CLONES void
gelu_tanh_row (const float *restrict x,
               gsize                 n,
               float       *restrict y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    {
      float u = GELU_SLOPE * (x[i] + GELU_CUBE * x[i] * x[i] * x[i]);

      y[i] = x[i] / (1.0f + _tare_exp (-2.0f * u));
    }
}

static void
gelu_erf_row (const float *restrict x,
              gsize                 n,
              float       *restrict y)
{
  for (gsize i = 0; i < n; i++)
    y[i] = 0.5f * x[i] * erfcf (x[i] * -0.70710678118654752440f);
}

static TARE_CLONES void
relu_row (const float *restrict x,
          gsize                 n,
          float       *restrict y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

static TARE_CLONES void
multiply_row (const float *restrict x,
              gsize                 n,
              float       *restrict y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] *= x[i];
}

static const RowFunc rows_of[] = {
  [TARE_ACTIVATION_SILU] = silu_row,
  [TARE_ACTIVATION_GELU_TANH] = gelu_tanh_row,
  [TARE_ACTIVATION_GELU_ERF] = gelu_erf_row,
  [TARE_ACTIVATION_RELU] = relu_row,
};

/**
 * tare_kernel_gate:
 * @activation: of the gates
 * @gate_up: rows x 2 width, a row's gates before its values
 * @rows: tokens
 * @width: of the feed-forward part
 * @y: (out caller-allocates): rows x width, activation (gate) up
 *
 * Shazeer, "GLU Variants Improve Transformer" (2020).
 */
void
tare_kernel_gate (TareActivation  activation,
                  const float    *gate_up,
                  gsize           rows,
                  gsize           width,
                  float          *y)
{
  if (activation == TARE_ACTIVATION_SILU)
    {
      tare_kernel_silu_gate (gate_up, rows, width, y);
      return;
    }

#pragma omp parallel for schedule(static) if (rows * width >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    {
      rows_of[activation] (gate_up + row * 2 * width, width, y + row * width);
      multiply_row (gate_up + row * 2 * width + width, width, y + row * width);
    }
}

/**
 * tare_kernel_activate:
 * @activation: which
 * @x: rows x width
 * @rows: tokens
 * @width: of the feed-forward part
 * @y: (out caller-allocates): rows x width, activation (x)
 */
void
tare_kernel_activate (TareActivation  activation,
                      const float    *x,
                      gsize           rows,
                      gsize           width,
                      float          *y)
{
#pragma omp parallel for schedule(static) if (rows * width >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    rows_of[activation] (x + row * width, width, y + row * width);
}
