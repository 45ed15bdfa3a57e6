/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareNameAt:
 * @index: from 0
 *
 * What a row of a table is called on the command line and in files.
 *
 * Returns: (transfer none) (nullable): the name; %NULL behind the last row
 */
typedef const char *(*TareNameAt) (gsize index);

guint tare_names_get_distance (const char *a,
                               const char *b);
char *tare_names_join         (TareNameAt  at,
                               const char *separator);
char *tare_names_explain      (const char *kind,
                               const char *name,
                               TareNameAt  at);

G_END_DECLS
