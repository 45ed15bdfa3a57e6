/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define TARE_TYPE_TABLE_ROW (tare_table_row_get_type ())
G_DECLARE_FINAL_TYPE (TareTableRow, tare_table_row, TARE, TABLE_ROW, GObject)

#define TARE_TYPE_TABLE (tare_table_get_type ())
G_DECLARE_FINAL_TYPE (TareTable, tare_table, TARE, TABLE, GObject)

TareTable         *tare_table_new             (const char   *csv);
const char *const *tare_table_get_heading     (TareTable    *self);
GtkWidget         *tare_table_create_view     (TareTable    *self);
const char        *tare_table_row_get_cell    (TareTableRow *self,
                                               guint         column);

G_END_DECLS
