/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TareScaleBar:
 *
 * The bar at the bottom of the window: what the recipe weighs and what it costs, always true, and
 * the work that is under way.
 */
#define TARE_TYPE_SCALE_BAR (tare_scale_bar_get_type ())
G_DECLARE_FINAL_TYPE (TareScaleBar, tare_scale_bar, TARE, SCALE_BAR, AdwBin)

void        tare_scale_bar_set_session (TareScaleBar *self,
                                        TareSession  *session);
const char *tare_scale_bar_get_text    (TareScaleBar *self,
                                        const char   *figure);

G_END_DECLS
