/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-config.h"

G_BEGIN_DECLS

gboolean _tare_config_rotates     (const TareArchitecture *architecture);
float    _tare_config_usual_scale (const TareConfig       *self,
                                   const TareArchitecture *architecture);

G_END_DECLS
