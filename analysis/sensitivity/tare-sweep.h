/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-metric.h"
#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareSweepPoint:
 * @format: a format
 * @bits_per_weight: of the whole tensor in it, with everything that belongs to it
 * @distortion: what it does to the rows that were looked at
 *
 * What one format would cost a tensor, in bits and in error.
 */
typedef struct
{
  const TareFormat *format;
  double            bits_per_weight;
  TareDistortion    distortion;
} TareSweepPoint;

/**
 * TareSweepFunc:
 * @point: what was found; valid during the call
 * @data: the closure
 *
 * Told of each format as soon as it is known, in the thread of the sweep.
 */
typedef void (*TareSweepFunc) (const TareSweepPoint *point,
                               gpointer              data);

gsize    tare_sweep_count_rows (const TareTensor     *tensor);
gboolean tare_sweep_run        (const TareTensor     *tensor,
                                TareRange             range,
                                const float          *importance,
                                TareSweepFunc         func,
                                gpointer              data,
                                const TareProgress   *progress,
                                GError              **error);
gboolean tare_sweep_run_for    (const TareTensor     *tensor,
                                TareContainers        containers,
                                TareRange             range,
                                const float          *importance,
                                TareSweepFunc         func,
                                gpointer              data,
                                const TareProgress   *progress,
                                GError              **error);

G_END_DECLS
