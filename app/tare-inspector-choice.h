/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "quant/methods/tare-method.h"

G_BEGIN_DECLS

/**
 * TareInspectorChoice:
 *
 * One row of a picker: what may be chosen, with what it means and what speaks against it.
 */
#define TARE_TYPE_INSPECTOR_CHOICE (tare_inspector_choice_get_type ())
G_DECLARE_FINAL_TYPE (TareInspectorChoice, tare_inspector_choice, TARE, INSPECTOR_CHOICE, GObject)

TareInspectorChoice *tare_inspector_choice_new         (const char          *label,
                                                        const char          *detail,
                                                        const char          *note,
                                                        const char          *heading,
                                                        gconstpointer        row);
const char          *tare_inspector_choice_get_label   (TareInspectorChoice *self);
gconstpointer        tare_inspector_choice_get_row     (TareInspectorChoice *self);
guint                tare_inspector_choice_fill_methods (GListStore        *store,
                                                         const TareMethod  *present,
                                                         gboolean           mixed);
guint                tare_inspector_choice_fill_ranges (GListStore         *store,
                                                        TareRange           present,
                                                        gboolean            mixed);
void                 tare_inspector_choice_dress       (GtkDropDown         *drop_down);

G_END_DECLS
