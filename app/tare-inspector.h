/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TareInspector:
 *
 * What is known of the selected layers, what they share, and what the recipe says of them.
 */
#define TARE_TYPE_INSPECTOR (tare_inspector_get_type ())
G_DECLARE_FINAL_TYPE (TareInspector, tare_inspector, TARE, INSPECTOR, AdwBin)

void        tare_inspector_set_session   (TareInspector    *self,
                                          TareSession      *session);
const char *tare_inspector_get_title     (TareInspector    *self);
const char *tare_inspector_get_fact      (TareInspector    *self,
                                          const char       *fact);
guint       tare_inspector_get_n_levels  (TareInspector    *self);
void        tare_inspector_choose_format (TareInspector    *self,
                                          const TareFormat *format);

G_END_DECLS
