/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/methods/tare-activation-profile.h"
#include "widgets/tare-chart.h"
#include "widgets/tare-line-plot.h"

G_BEGIN_DECLS

void tare_input_density_show (const TareActivationProfile *profile,
                              TareChart                   *chart,
                              TareLinePlot                *plot);

G_END_DECLS
