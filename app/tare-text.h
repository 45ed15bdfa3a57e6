/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What stands where a number is not known. */
#define TARE_TEXT_UNKNOWN "–"

char *tare_text_bytes       (guint64  bytes);
char *tare_text_bytes_exact (guint64  bytes);
char *tare_text_count       (guint64  count);
char *tare_text_whole       (guint64  number);
char *tare_text_number      (double   value,
                             int      digits);
char *tare_text_significant (double   value,
                             int      digits);
char *tare_text_bits        (double   bits);
char *tare_text_percent     (double   share);
char *tare_text_share       (double   share,
                             int      decimals);
char *tare_text_doubtful    (double   value,
                             double   error);
char *tare_text_duration    (double   seconds);
char *tare_text_visible     (const char *text);
char *tare_text_at          (const char *measure,
                             const char *format);

gboolean tare_text_contains (const char *text,
                             const char *folded);

G_END_DECLS
