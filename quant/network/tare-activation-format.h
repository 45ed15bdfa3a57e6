/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format.h"

G_BEGIN_DECLS

/**
 * TareActivationScale:
 * @TARE_ACTIVATION_SCALE_TOKEN: dynamic, of every token or group of a token as it comes
 * @TARE_ACTIVATION_SCALE_TENSOR: static, one for all, from the largest |x| of a calibration
 * @TARE_ACTIVATION_SCALE_CHANNEL: static, one for each column, likewise. No hardware multiplies so,
 *   as the scales are within the sum: it shows what scaling columns could gain
 *
 * What shares a scale.
 */
typedef enum
{
  TARE_ACTIVATION_SCALE_TOKEN,
  TARE_ACTIVATION_SCALE_TENSOR,
  TARE_ACTIVATION_SCALE_CHANNEL,
} TareActivationScale;

typedef struct
{
  TareActivationScale  scale;
  const char          *id;
  const char          *label;
} TareActivationScaleInfo;

gsize                          tare_activation_scale_get_n_scales (void);
const TareActivationScaleInfo *tare_activation_scale_get          (gsize       index);
const char                    *tare_activation_scale_name_at      (gsize       index);
const TareActivationScaleInfo *tare_activation_scale_lookup       (const char *id);

/**
 * TareActivationFormat:
 * @format: (nullable): what activations are rounded to, %NULL for not at all
 * @range: how the range of what shares a scale is chosen
 * @scale: what shares a scale
 * @clip: how much of the largest |x| the range reaches to, above 0 and below 1; 0 for all
 * @limits: (nullable): for the static scales, the largest |x| of every column, which outlive what
 *   is made of this
 * @n_limits: how many columns these are
 * @window: of keys and values, how many of the last tokens stay as they are, for a query and up to
 *   its own; 0 for none
 *
 * What stands for the arithmetic of fewer bits in a forward pass. A row of activations is a token,
 * so that a format with a scale for each row has one for each token, one with groups has one for
 * each group of a token, and scales are dynamic: they follow what comes. Static ones are known
 * before; what is beyond them is cut off.
 */
typedef struct
{
  const TareFormat    *format;
  TareRange            range;
  TareActivationScale  scale;
  double               clip;
  const float         *limits;
  gsize                n_limits;
  gsize                window;
} TareActivationFormat;

gboolean tare_activation_format_apply (const TareActivationFormat  *self,
                                       float                       *x,
                                       gsize                        rows,
                                       gsize                        columns,
                                       gsize                        stride,
                                       GError                     **error);

gboolean tare_activation_format_check (const TareActivationFormat  *self,
                                       const char                  *name,
                                       gsize                        columns,
                                       GError                     **error);
guint64  tare_activation_format_hash  (const TareActivationFormat  *self);

G_END_DECLS
