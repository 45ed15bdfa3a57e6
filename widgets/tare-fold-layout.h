/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/**
 * TareFoldLayout:
 *
 * Puts children in a row. Where there is no room for all of them, those of the highest rank are
 * left out first; those without a rank stay, and share what there is.
 */
#define TARE_TYPE_FOLD_LAYOUT (tare_fold_layout_get_type ())
G_DECLARE_FINAL_TYPE (TareFoldLayout, tare_fold_layout, TARE, FOLD_LAYOUT, GtkLayoutManager)

GtkLayoutManager *tare_fold_layout_new      (int        spacing);
void              tare_fold_layout_set_rank (GtkWidget *child,
                                             guint      rank);

G_END_DECLS
