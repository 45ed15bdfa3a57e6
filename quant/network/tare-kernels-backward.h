/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-kernels.h"

G_BEGIN_DECLS

/**
 * TareDual:
 * @value: numbers
 * @tangent: (nullable): how they move as the weights move along a direction
 *
 * What the reverse pass works on. Where no tangent is wanted all are %NULL and only gradients are
 * made; where one is wanted every kernel makes both, and the tangents of the gradients are the
 * product of the Hessian and the direction: B. Pearlmutter, "Fast Exact Multiplication by the
 * Hessian" (1994).
 */
typedef struct
{
  float *value;
  float *tangent;
} TareDual;

/* From @offset on. */
static inline TareDual
tare_dual_at (TareDual self,
              gsize    offset)
{
  self.value += offset;
  if (self.tangent != NULL)
    self.tangent += offset;

  return self;
}

/**
 * TareNormShape:
 * @centered: whether the mean is taken away first: a layer norm
 * @weight: columns
 * @epsilon: added to the mean square
 * @rows: tokens, or heads
 * @columns: width
 *
 * y = weight (x - mean) / sqrt (variance + epsilon), whose bias has no part in a derivative.
 */
typedef struct
{
  gboolean     centered;
  const float *weight;
  float        epsilon;
  gsize        rows;
  gsize        columns;
} TareNormShape;

void   tare_kernel_norm_tangent       (const TareNormShape      *shape,
                                       TareDual                  x,
                                       float                    *y_tangent);
void   tare_kernel_norm_backward      (const TareNormShape      *shape,
                                       TareDual                  x,
                                       TareDual                  g,
                                       TareDual                  x_gradient);
void   tare_kernel_norm_weight        (const TareNormShape      *shape,
                                       const float              *x,
                                       const float              *g,
                                       double                   *sums);
void   tare_kernel_sum_rows           (const float              *g,
                                       gsize                     rows,
                                       gsize                     columns,
                                       double                   *sums);
double tare_kernel_inner              (const float              *a,
                                       gsize                     a_stride,
                                       const float              *b,
                                       gsize                     b_stride,
                                       gsize                     rows,
                                       gsize                     columns);
void   tare_kernel_gate_tangent       (TareActivation            activation,
                                       TareDual                  gate_up,
                                       gsize                     rows,
                                       gsize                     width,
                                       float                    *y_tangent);
void   tare_kernel_gate_backward      (TareActivation            activation,
                                       TareDual                  gate_up,
                                       gsize                     rows,
                                       gsize                     width,
                                       TareDual                  g,
                                       TareDual                  gradient);
void   tare_kernel_activate_tangent   (TareActivation            activation,
                                       TareDual                  x,
                                       gsize                     rows,
                                       gsize                     width,
                                       float                    *y_tangent);
void   tare_kernel_activate_backward  (TareActivation            activation,
                                       TareDual                  x,
                                       gsize                     rows,
                                       gsize                     width,
                                       TareDual                  g,
                                       TareDual                  gradient);
void   tare_kernel_soft_cap_tangent   (float                     cap,
                                       gsize                     n,
                                       TareDual                  y);
void   tare_kernel_soft_cap_backward  (float                     cap,
                                       gsize                     n,
                                       TareDual                  y,
                                       TareDual                  g);
void   tare_kernel_rotate_back        (const TareAngles         *angles,
                                       gsize                     position,
                                       float                    *head);
double tare_kernel_cross_entropy      (TareDual                  logits,
                                       gsize                     n,
                                       gsize                     target,
                                       float                     factor,
                                       TareDual                  gradient);
double tare_kernel_divergence_back    (TareDual                  logits,
                                       const float              *base,
                                       gsize                     n,
                                       float                     factor,
                                       TareDual                  gradient);
gsize  tare_kernel_attention_backward_scratch
                                      (const TareAttentionShape *shape,
                                       gboolean                  tangent);
void   tare_kernel_attention_tangent  (const TareAttentionShape *shape,
                                       TareDual                  qkv,
                                       float                     scale,
                                       float                    *scratch,
                                       float                    *y_tangent,
                                       const TareProgress       *progress);
void   tare_kernel_attention_backward (const TareAttentionShape *shape,
                                       TareDual                  qkv,
                                       float                     scale,
                                       TareDual                  g,
                                       float                    *scratch,
                                       TareDual                  gradient,
                                       const TareProgress       *progress);

G_END_DECLS
