/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-session.h"
#include "widgets/tare-format-map.h"

G_BEGIN_DECLS

guint          tare_map_experts_count (TareLayer     *layer);
TareFormatMap *tare_map_experts_open  (TareFormatMap *map,
                                       guint          cell,
                                       TareSession   *session,
                                       TareLayer     *layer);

G_END_DECLS
