/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/* Of a step, on either side of where rounding turns from one level to the next. */
#define TARE_BOUNDARY_REACH 0.05

gboolean tare_boundary_measure (const TareTensor    *tensor,
                                const TareFormat    *format,
                                double              *share,
                                double              *standard_error,
                                const TareProgress  *progress,
                                GError             **error);

G_END_DECLS
