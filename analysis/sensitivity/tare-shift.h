/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-gradient.h"

G_BEGIN_DECLS

/**
 * TareShift:
 * @base: where weights come from
 * @directions: ways that they are moved, %NULL for none
 * @factors: how far along each
 *
 * Weights that are moved off, made as they are loaded.
 */
typedef struct
{
  const TareWeights   *base;
  const TareDirection *directions[2];
  double               factors[2];
} TareShift;

TareWeights tare_shift_get_weights (const TareShift *self);

G_END_DECLS
