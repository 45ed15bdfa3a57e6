/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-session.h"
#include "widgets/tare-format-map.h"

G_BEGIN_DECLS

/**
 * TareMapView:
 *
 * The format map of a session: which layer is which cell, what its colour shows, and what painting
 * does to the recipe.
 */
#define TARE_TYPE_MAP_VIEW (tare_map_view_get_type ())
G_DECLARE_FINAL_TYPE (TareMapView, tare_map_view, TARE, MAP_VIEW, AdwBin)

void              tare_map_view_set_session     (TareMapView   *self,
                                                 TareSession   *session);
TareFormatMap    *tare_map_view_get_map         (TareMapView   *self);
guint             tare_map_view_get_cell        (TareMapView   *self,
                                                 guint          layer);
guint             tare_map_view_get_site_cell   (TareMapView   *self,
                                                 guint          site);
GtkWidget        *tare_map_view_get_sites_button
                                                (TareMapView   *self);
void              tare_map_view_set_measure     (TareMapView   *self,
                                                 const char    *id);
const TareFormat *tare_map_view_format_for_bits (guint          bits);

G_END_DECLS
