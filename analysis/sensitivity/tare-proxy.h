/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/methods/tare-calibration.h"

G_BEGIN_DECLS

gboolean tare_proxy_form (const float                *d,
                          gsize                       rows,
                          const TareLayerActivations *activations,
                          float                      *product,
                          double                     *form);

G_END_DECLS
