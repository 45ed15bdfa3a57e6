/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-kernels.h"

G_BEGIN_DECLS

/* The formulas as they are written down, in double, one number after the other. */
void           tare_reference_rms_norm         (const float              *x,
                                                const float              *weight,
                                                float                     epsilon,
                                                gsize                     rows,
                                                gsize                     columns,
                                                float                    *y);
void           tare_reference_layer_norm       (const float              *x,
                                                const float              *weight,
                                                const float              *bias,
                                                float                     epsilon,
                                                gsize                     rows,
                                                gsize                     columns,
                                                float                    *y);
void           tare_reference_add_bias         (const float              *bias,
                                                gsize                     rows,
                                                gsize                     columns,
                                                float                    *y);
void           tare_reference_silu_gate        (const float              *gate_up,
                                                gsize                     rows,
                                                gsize                     width,
                                                float                    *y);
void           tare_reference_gate             (TareActivation            activation,
                                                const float              *gate_up,
                                                gsize                     rows,
                                                gsize                     width,
                                                float                    *y);
void           tare_reference_activate         (TareActivation            activation,
                                                const float              *x,
                                                gsize                     rows,
                                                gsize                     width,
                                                float                    *y);
void           tare_reference_soft_cap         (float                     cap,
                                                gsize                     rows,
                                                gsize                     columns,
                                                float                    *y);
void           tare_reference_rotate           (const TareAngles         *angles,
                                                gsize                     position,
                                                float                    *head);
void           tare_reference_attention        (const TareAttentionShape *shape,
                                                const float              *qkv,
                                                float                     scale,
                                                float                    *y);
void           tare_reference_attention_past   (const TareAttentionShape *shape,
                                                const float              *qkv,
                                                const TareAttentionPast  *past,
                                                float                     scale,
                                                float                    *y,
                                                double                   *received);
void           tare_reference_attention_tapped (const TareAttentionShape *shape,
                                                const float              *qkv,
                                                float                     scale,
                                                float                    *y,
                                                double                   *received);
TareLogSoftmax tare_reference_log_softmax      (const float              *logits,
                                                gsize                     n);
double         tare_reference_divergence       (const float              *base,
                                                const float              *other,
                                                gsize                     n);
void           tare_reference_linear           (const float              *x,
                                                const float              *weight,
                                                gsize                     rows,
                                                gsize                     columns,
                                                gsize                     outputs,
                                                float                    *y);

G_END_DECLS
