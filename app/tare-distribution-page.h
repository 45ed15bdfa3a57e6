/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-page.h"
#include "widgets/tare-chart.h"

G_BEGIN_DECLS

/**
 * TareDistributionPage:
 *
 * What do the numbers look like, and where would the levels fall: the histogram of the selected
 * layer's weights, with the levels of the format that the recipe gives it; how far they are from
 * a Gaussian; how they are spread in every channel; and what flows into the layer.
 */
#define TARE_TYPE_DISTRIBUTION_PAGE (tare_distribution_page_get_type ())
G_DECLARE_FINAL_TYPE (TareDistributionPage, tare_distribution_page, TARE, DISTRIBUTION_PAGE, AdwBin)

TareChart *tare_distribution_page_get_chart    (TareDistributionPage *self);
guint      tare_distribution_page_get_n_levels (TareDistributionPage *self);
void       tare_distribution_page_set_view     (TareDistributionPage *self,
                                                const char           *name);
gboolean   tare_distribution_page_is_missing   (TareDistributionPage *self);

G_END_DECLS
