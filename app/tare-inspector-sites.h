/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TareInspectorSites:
 *
 * What the recipe does to the selected activations, with pickers to change it.
 */
#define TARE_TYPE_INSPECTOR_SITES (tare_inspector_sites_get_type ())
G_DECLARE_FINAL_TYPE (TareInspectorSites, tare_inspector_sites, TARE, INSPECTOR_SITES, AdwBin)

void        tare_inspector_sites_set_session   (TareInspectorSites *self,
                                                TareSession        *session);
gboolean    tare_inspector_sites_update        (TareInspectorSites *self);
const char *tare_inspector_sites_get_title     (TareInspectorSites *self);
void        tare_inspector_sites_choose_format (TareInspectorSites *self,
                                                const TareFormat   *format);

G_END_DECLS
