/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TareCompareSheet:
 *
 * A window that holds the session's model against another, or its present recipe against another,
 * tensor by tensor. Formats and sizes are there at once; errors stream in, in the order in which
 * the rows are shown. Goes when the session's model does.
 */
#define TARE_TYPE_COMPARE_SHEET (tare_compare_sheet_get_type ())
G_DECLARE_FINAL_TYPE (TareCompareSheet, tare_compare_sheet, TARE, COMPARE_SHEET, AdwWindow)

TareCompareSheet *tare_compare_sheet_new_models         (GtkWindow        *parent,
                                                         TareSession      *session,
                                                         const char       *path);
TareCompareSheet *tare_compare_sheet_new_recipes        (GtkWindow        *parent,
                                                         TareSession      *session,
                                                         const char       *path);
const char       *tare_compare_sheet_get_state          (TareCompareSheet *self);
const char       *tare_compare_sheet_get_message        (TareCompareSheet *self);
gboolean          tare_compare_sheet_is_busy            (TareCompareSheet *self);
GtkColumnView    *tare_compare_sheet_get_table          (TareCompareSheet *self);
guint             tare_compare_sheet_get_n_shown        (TareCompareSheet *self);
guint             tare_compare_sheet_count_differing    (TareCompareSheet *self);
void              tare_compare_sheet_set_filter         (TareCompareSheet *self,
                                                         const char       *text);
void              tare_compare_sheet_set_only_differing (TareCompareSheet *self,
                                                         gboolean          only);
char             *tare_compare_sheet_dup_csv            (TareCompareSheet *self);

G_END_DECLS
