/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-page.h"
#include "widgets/tare-chart.h"

G_BEGIN_DECLS

/**
 * TareSensitivityPage:
 *
 * What does rounding each layer cost, and how do I know: a bar for each layer's proxy loss in one
 * format, from calibration.
 */
#define TARE_TYPE_SENSITIVITY_PAGE (tare_sensitivity_page_get_type ())
G_DECLARE_FINAL_TYPE (TareSensitivityPage, tare_sensitivity_page, TARE, SENSITIVITY_PAGE, AdwBin)

TareChart  *tare_sensitivity_page_get_chart     (TareSensitivityPage *self);
const char *tare_sensitivity_page_get_state     (TareSensitivityPage *self);

G_END_DECLS
