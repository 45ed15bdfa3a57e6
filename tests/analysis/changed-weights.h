/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-network.h"

G_BEGIN_DECLS

/**
 * ChangedWeights:
 * @canonical: tensors
 * @noise: standard deviation of what is added to them
 * @seed: of the noise, and their fingerprint
 *
 * The file's weights, some tensors of them with noise on top.
 */
typedef struct
{
  const char *canonical[3];
  float       noise;
  guint32     seed;
} ChangedWeights;

TareWeights changed_weights     (ChangedWeights *self);
TareModel  *changed_open_sample (void);
char       *changed_load_text   (gsize          *length);

G_END_DECLS
