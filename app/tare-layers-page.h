/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-page.h"

G_BEGIN_DECLS

/**
 * TareLayersPage:
 *
 * Which layers are there and how do they compare: a table, to sort, filter, select and assign.
 * Actions: page.set-format (s, "" for none), page.copy, page.menu.
 */
#define TARE_TYPE_LAYERS_PAGE (tare_layers_page_get_type ())
G_DECLARE_FINAL_TYPE (TareLayersPage, tare_layers_page, TARE, LAYERS_PAGE, AdwBin)

void           tare_layers_page_focus_filter (TareLayersPage *self);
void           tare_layers_page_set_filter   (TareLayersPage *self,
                                              const char     *text);
GtkColumnView *tare_layers_page_get_table    (TareLayersPage *self);
char          *tare_layers_page_dup_tsv      (TareLayersPage *self);

G_END_DECLS
