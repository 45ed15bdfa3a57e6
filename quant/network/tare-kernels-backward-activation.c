/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The slopes of the activations of feed-forward parts, with a gate and without. */
#include "quant/network/tare-kernels-backward.h"

#include <math.h>

#include "quant/network/tare-exp-private.h"

TARE_CONTRACT

/* Below so many numbers the threads cost more than they save. */
#define PARALLEL_LEAST 16384

/* Numbers whose value, slope and curvature are held at a time. */
#define RUN 256

/* sqrt (2 / π) and the cubic term: Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016). */
#define GELU_SLOPE 0.79788456080286535588f
#define GELU_CUBE  0.044715f

/* An activation, its first and its second derivative. */
typedef struct
{
  float value[RUN];
  float slope[RUN];
  float curvature[RUN];
} Jet;

typedef void (*JetFunc) (const float *x,
                         gsize        n,
                         Jet         *jet);

/* With σ = 1 / (1 + exp (-x)): σ (1 + x (1 - σ)) and σ (1 - σ) (2 + x (1 - 2σ)). */
static TARE_CLONES void
silu_jet (const float *restrict x,
          gsize                 n,
          Jet         *restrict jet)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    {
      float s = 1.0f / (1.0f + _tare_exp (-x[i]));
      float r = 1.0f / (1.0f + _tare_exp (x[i]));

      jet->value[i] = x[i] * s;
      jet->slope[i] = s * (1.0f + x[i] * r);
      jet->curvature[i] = s * r * (2.0f + x[i] * (r - s));
    }
}

/* x σ (2u), whose σ' is 2u' σ (1 - σ). */
static TARE_CLONES void
gelu_tanh_jet (const float *restrict x,
               gsize                 n,
               Jet         *restrict jet)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    {
      float square = x[i] * x[i];
      float u = GELU_SLOPE * x[i] * (1.0f + GELU_CUBE * square);
      float u1 = GELU_SLOPE * (1.0f + 3.0f * GELU_CUBE * square);
      float u2 = GELU_SLOPE * 6.0f * GELU_CUBE * x[i];
      float s = 1.0f / (1.0f + _tare_exp (-2.0f * u));
      float r = 1.0f / (1.0f + _tare_exp (2.0f * u));
      float s1 = 2.0f * u1 * s * r;
      float s2 = 2.0f * s * r * (u2 + 2.0f * u1 * u1 * (r - s));

      jet->value[i] = x[i] * s;
      jet->slope[i] = s + x[i] * s1;
      jet->curvature[i] = 2.0f * s1 + x[i] * s2;
    }
}

/* Φ + x φ and φ (2 - x²) */
static void
gelu_erf_jet (const float *restrict x,
              gsize                 n,
              Jet         *restrict jet)
{
  for (gsize i = 0; i < n; i++)
    {
      float below = 0.5f * erfcf (x[i] * -0.70710678118654752440f);
      float density = 0.39894228040143267794f * expf (-0.5f * x[i] * x[i]);

      jet->value[i] = x[i] * below;
      jet->slope[i] = below + x[i] * density;
      jet->curvature[i] = density * (2.0f - x[i] * x[i]);
    }
}

/* At 0, which has no slope, that of the left. */
static void
relu_jet (const float *restrict x,
          gsize                 n,
          Jet         *restrict jet)
{
  for (gsize i = 0; i < n; i++)
    {
      jet->value[i] = x[i] < 0.0f ? 0.0f : x[i];
      jet->slope[i] = x[i] > 0.0f ? 1.0f : 0.0f;
      jet->curvature[i] = 0.0f;
    }
}

static const JetFunc jets[] = {
  [TARE_ACTIVATION_SILU] = silu_jet,
  [TARE_ACTIVATION_GELU_TANH] = gelu_tanh_jet,
  [TARE_ACTIVATION_GELU_ERF] = gelu_erf_jet,
  [TARE_ACTIVATION_RELU] = relu_jet,
};

static TARE_CLONES void
gate_tangent (const Jet *jet,
              TareDual   gate,
              TareDual   up,
              gsize      n,
              float     *y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = jet->slope[i] * gate.tangent[i] * up.value[i] + jet->value[i] * up.tangent[i];
}

/**
 * tare_kernel_gate_tangent:
 * @activation: of the gates
 * @gate_up: rows x 2 width, a row's gates before its values, with a tangent
 * @rows: tokens
 * @width: of the feed-forward part
 * @y_tangent: (out caller-allocates): rows x width, that of activation (gate) up
 */
void
tare_kernel_gate_tangent (TareActivation  activation,
                          TareDual        gate_up,
                          gsize           rows,
                          gsize           width,
                          float          *y_tangent)
{
#pragma omp parallel for schedule(static) if (rows * width >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    for (gsize i = 0; i < width; i += RUN)
      {
        TareDual gate = tare_dual_at (gate_up, row * 2 * width + i);
        Jet jet;

        jets[activation] (gate.value, MIN (RUN, width - i), &jet);
        gate_tangent (&jet, gate, tare_dual_at (gate, width), MIN (RUN, width - i),
                      y_tangent + row * width + i);
      }
}

static TARE_CLONES void
gate_back (const Jet   *jet,
           const float *up,
           const float *g,
           gsize        n,
           float       *gate_gradient,
           float       *up_gradient)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    {
      gate_gradient[i] = jet->slope[i] * up[i] * g[i];
      up_gradient[i] = jet->value[i] * g[i];
    }
}

static TARE_CLONES void
gate_back_tangent (const Jet *jet,
                   TareDual   gate,
                   TareDual   up,
                   TareDual   g,
                   gsize      n,
                   float     *gate_gradient,
                   float     *up_gradient)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    {
      gate_gradient[i] = (jet->curvature[i] * gate.tangent[i] * up.value[i]
                          + jet->slope[i] * up.tangent[i]) * g.value[i]
                         + jet->slope[i] * up.value[i] * g.tangent[i];
      up_gradient[i] = jet->slope[i] * gate.tangent[i] * g.value[i] + jet->value[i] * g.tangent[i];
    }
}

/**
 * tare_kernel_gate_backward:
 * @activation: of the gates
 * @gate_up: rows x 2 width, a row's gates before its values
 * @rows: tokens
 * @width: of the feed-forward part
 * @g: rows x width, the loss's gradient by activation (gate) up
 * @gradient: (out caller-allocates): rows x 2 width, that by @gate_up
 */
void
tare_kernel_gate_backward (TareActivation activation,
                           TareDual       gate_up,
                           gsize          rows,
                           gsize          width,
                           TareDual       g,
                           TareDual       gradient)
{
#pragma omp parallel for schedule(static) if (rows * width >= PARALLEL_LEAST)
  for (gsize row = 0; row < rows; row++)
    for (gsize i = 0; i < width; i += RUN)
      {
        TareDual gate = tare_dual_at (gate_up, row * 2 * width + i);
        TareDual from = tare_dual_at (g, row * width + i);
        TareDual to = tare_dual_at (gradient, row * 2 * width + i);
        gsize n = MIN (RUN, width - i);
        Jet jet;

        jets[activation] (gate.value, n, &jet);
        gate_back (&jet, gate.value + width, from.value, n, to.value, to.value + width);
        if (gate_up.tangent != NULL)
          gate_back_tangent (&jet, gate, tare_dual_at (gate, width), from, n, to.tangent,
                             to.tangent + width);
      }
}

static TARE_CLONES void
multiply (const float *a,
          const float *b,
          gsize        n,
          float       *y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = a[i] * b[i];
}

/**
 * tare_kernel_activate_tangent:
 * @activation: which
 * @x: rows x width, with a tangent
 * @rows: tokens
 * @width: of the feed-forward part
 * @y_tangent: (out caller-allocates): rows x width, that of activation (x)
 */
void
tare_kernel_activate_tangent (TareActivation  activation,
                              TareDual        x,
                              gsize           rows,
                              gsize           width,
                              float          *y_tangent)
{
  gsize all = rows * width;

#pragma omp parallel for schedule(static) if (all >= PARALLEL_LEAST)
  for (gsize i = 0; i < all; i += RUN)
    {
      gsize n = MIN (RUN, all - i);
      Jet jet;

      jets[activation] (x.value + i, n, &jet);
      multiply (jet.slope, x.tangent + i, n, y_tangent + i);
    }
}

static TARE_CLONES void
activate_back_tangent (const Jet   *jet,
                       const float *tangent,
                       TareDual     g,
                       gsize        n,
                       float       *y)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] = jet->slope[i] * g.tangent[i] + jet->curvature[i] * tangent[i] * g.value[i];
}

/**
 * tare_kernel_activate_backward:
 * @activation: which
 * @x: rows x width
 * @rows: tokens
 * @width: of the feed-forward part
 * @g: rows x width, the loss's gradient by activation (x)
 * @gradient: (out caller-allocates): rows x width, that by @x
 */
void
tare_kernel_activate_backward (TareActivation activation,
                               TareDual       x,
                               gsize          rows,
                               gsize          width,
                               TareDual       g,
                               TareDual       gradient)
{
  gsize all = rows * width;

#pragma omp parallel for schedule(static) if (all >= PARALLEL_LEAST)
  for (gsize i = 0; i < all; i += RUN)
    {
      gsize n = MIN (RUN, all - i);
      Jet jet;

      jets[activation] (x.value + i, n, &jet);
      if (x.tangent != NULL)
        activate_back_tangent (&jet, x.tangent + i, tare_dual_at (g, i), n, gradient.tangent + i);
      multiply (jet.slope, g.value + i, n, gradient.value + i);
    }
}
