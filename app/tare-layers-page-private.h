/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "app/tare-session.h"

G_BEGIN_DECLS

gsize                _tare_layers_column_get_n_columns  (void);
const char          *_tare_layers_column_get_property   (gsize      index);
const char          *_tare_layers_column_get_definition (gsize      index);
char                *_tare_layers_column_dup_title      (gsize        index,
                                                         TareSession *session);
gboolean             _tare_layers_column_is_number      (gsize      index);
GtkColumnViewColumn *_tare_layers_column_new            (gsize      index);
GtkListItem         *_tare_layers_column_get_item       (GtkWidget *label);
char                *_tare_layers_column_dup_text       (gsize      index,
                                                         TareLayer *layer);

G_END_DECLS
