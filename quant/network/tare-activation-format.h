/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format.h"

G_BEGIN_DECLS

/**
 * TareActivationFormat:
 * @format: (nullable): what activations are rounded to, %NULL for not at all
 * @range: how the range of what shares a scale is chosen
 *
 * What stands for the arithmetic of fewer bits in a forward pass. A row of activations is a token,
 * so that a format with a scale for each row has one for each token, one with groups has one for
 * each group of a token, and scales are dynamic: they follow what comes.
 */
typedef struct
{
  const TareFormat *format;
  TareRange         range;
} TareActivationFormat;

gboolean tare_activation_format_apply (const TareActivationFormat  *self,
                                       float                       *x,
                                       gsize                        rows,
                                       gsize                        columns,
                                       gsize                        stride,
                                       GError                     **error);

G_END_DECLS
