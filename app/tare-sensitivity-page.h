/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-measure-compare.h"
#include "app/tare-page.h"
#include "widgets/tare-chart.h"

G_BEGIN_DECLS

/**
 * TareSensitivityPage:
 *
 * What does rounding each layer cost, and how do I know: a bar for each layer by any measure of the
 * table, the proxy loss in one format from calibration at first, and how measures go together.
 */
#define TARE_TYPE_SENSITIVITY_PAGE (tare_sensitivity_page_get_type ())
G_DECLARE_FINAL_TYPE (TareSensitivityPage, tare_sensitivity_page, TARE, SENSITIVITY_PAGE, AdwBin)

TareChart          *tare_sensitivity_page_get_chart        (TareSensitivityPage *self);
const char         *tare_sensitivity_page_get_state        (TareSensitivityPage *self);
void                tare_sensitivity_page_set_measure      (TareSensitivityPage *self,
                                                            const TareMeasure   *measure);
void                tare_sensitivity_page_set_comparing    (TareSensitivityPage *self,
                                                            gboolean             comparing);
TareMeasureCompare *tare_sensitivity_page_get_compare      (TareSensitivityPage *self);
TareMeasurements   *tare_sensitivity_page_get_measurements (TareSensitivityPage *self);

G_END_DECLS
