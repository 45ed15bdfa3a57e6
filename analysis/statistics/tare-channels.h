/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareChannels:
 * @n: histograms
 * @rows_each: neighbouring rows that each is of; the last may have fewer
 * @n_bins: bins of each
 * @minimum: where the first bin begins
 * @maximum: where the last ends, which belongs to it
 * @counts: n x n_bins: finite weights in each
 *
 * The distributions of a tensor's rows, or of groups of neighbours, in equal bins.
 */
typedef struct
{
  gsize  n;
  gsize  rows_each;
  gsize  n_bins;
  float  minimum;
  float  maximum;
  float *counts;
} TareChannels;

TareChannels *tare_channels_measure (const TareTensor    *tensor,
                                     gsize                most,
                                     float                minimum,
                                     float                maximum,
                                     const TareProgress  *progress,
                                     GError             **error);
void          tare_channels_free    (TareChannels        *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareChannels, tare_channels_free)

G_END_DECLS
