/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-engine.h"

G_BEGIN_DECLS

const TareFormat *_tare_engine_find_format (const TareTensor      *tensor,
                                            const TareAssignment  *assignment);
char             *_tare_engine_make_key    (const TareTensor      *tensor,
                                            const TareFormat      *format,
                                            const TareAssignment  *assignment,
                                            TareCalibration       *calibration);

G_END_DECLS
