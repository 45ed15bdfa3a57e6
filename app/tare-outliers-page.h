/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-layer-page.h"

G_BEGIN_DECLS

/**
 * TareOutliersPage:
 *
 * Where the few that hurt are: the matrix of the selected layer as a picture in which no single
 * outlier is lost, of its weights, of the error that its format makes or of what enters it, token
 * by token, and how the weights of every channel are spread.
 */
#define TARE_TYPE_OUTLIERS_PAGE (tare_outliers_page_get_type ())
G_DECLARE_FINAL_TYPE (TareOutliersPage, tare_outliers_page, TARE, OUTLIERS_PAGE, TareLayerPage)

void       tare_outliers_page_set_picture (TareOutliersPage *self,
                                           const char       *picture);
void       tare_outliers_page_set_channels (TareOutliersPage *self,
                                            const char       *channels);
TareChart *tare_outliers_page_get_map     (TareOutliersPage *self);
TareChart *tare_outliers_page_get_ranges  (TareOutliersPage *self);

G_END_DECLS
