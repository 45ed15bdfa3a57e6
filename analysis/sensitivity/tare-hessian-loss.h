/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-trace.h"
#include "quant/network/tare-gradient.h"

G_BEGIN_DECLS

/**
 * TareHessianEngine:
 * @TARE_HESSIAN_EXACT: tangents of the forward and the reverse pass
 * @TARE_HESSIAN_DIFFERENCE: gradients a step ahead and a step behind, and again at twice the step,
 *   by which the first are improved and judged
 */
typedef enum
{
  TARE_HESSIAN_EXACT,
  TARE_HESSIAN_DIFFERENCE,
} TareHessianEngine;

/**
 * TareHessianLoss:
 *
 * The Hessian of a network's loss by its matrices, or by one of them, known by its products. Not
 * for two threads at once.
 */
typedef struct _TareHessianLoss TareHessianLoss;

/**
 * TareHessianVector:
 * @hessian: a Hessian
 * @v: as many numbers as its vectors have
 *
 * A vector as a direction in which weights can be moved.
 */
typedef struct
{
  TareHessianLoss *hessian;
  const float     *v;
} TareHessianVector;

TareHessianLoss  *tare_hessian_loss_new             (TareModel            *model,
                                                     const TareObjective  *objective,
                                                     TareHessianEngine     engine,
                                                     guint64               memory,
                                                     GError              **error);
void              tare_hessian_loss_free            (TareHessianLoss      *self);
gsize             tare_hessian_loss_get_n_tensors   (TareHessianLoss      *self);
const TareTensor *tare_hessian_loss_get_tensor      (TareHessianLoss      *self,
                                                     gsize                 index);
void              tare_hessian_loss_select          (TareHessianLoss      *self,
                                                     const TareTensor     *tensor);
gsize             tare_hessian_loss_get_size        (TareHessianLoss      *self);
TareProbe         tare_hessian_loss_get_probe       (TareHessianLoss      *self);
TareOperator      tare_hessian_loss_get_operator    (TareHessianLoss      *self);
TareDirection     tare_hessian_vector_get_direction (const TareHessianVector *self);
double            tare_hessian_loss_get_instability (TareHessianLoss      *self);
gboolean          tare_hessian_loss_get_gradient    (TareHessianLoss      *self,
                                                     float                *gradient,
                                                     TareGradientResult   *result,
                                                     const TareProgress   *progress,
                                                     GError              **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareHessianLoss, tare_hessian_loss_free)

G_END_DECLS
