/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-page.h"
#include "widgets/tare-chart.h"

G_BEGIN_DECLS

/**
 * TareFormatsPage:
 *
 * What every format would cost the selected layer: its error against its bits, with the front of
 * those that nothing beats. A point is a format; choosing one offers to assign it.
 */
#define TARE_TYPE_FORMATS_PAGE (tare_formats_page_get_type ())
G_DECLARE_FINAL_TYPE (TareFormatsPage, tare_formats_page, TARE, FORMATS_PAGE, AdwBin)

TareChart  *tare_formats_page_get_chart    (TareFormatsPage  *self);
guint       tare_formats_page_get_n_points (TareFormatsPage  *self);
void        tare_formats_page_choose       (TareFormatsPage  *self,
                                            const TareFormat *format);

G_END_DECLS
