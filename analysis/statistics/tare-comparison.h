/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-metric.h"
#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

gboolean tare_comparison_can_measure (const TareTensor    *a,
                                      const TareTensor    *b,
                                      GError             **error);
gboolean tare_comparison_measure     (const TareTensor    *a,
                                      const TareTensor    *b,
                                      TareDistortion      *distortion,
                                      const TareProgress  *progress,
                                      GError             **error);

G_END_DECLS
