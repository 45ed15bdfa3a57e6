/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What stands for a byte that is not part of any well-formed character. */
#define TARE_UNICODE_INVALID ((gunichar) -1)

/**
 * TareUnicodeClass:
 * @TARE_UNICODE_LETTER: general category L*, the \p{L} of a regular expression
 * @TARE_UNICODE_NUMBER: general category N*, \p{N}
 * @TARE_UNICODE_SPACE: property White_Space, \s
 * @TARE_UNICODE_NEWLINE: carriage return or line feed
 * @TARE_UNICODE_PUNCTUATION: general category P*, \p{P}
 */
typedef enum
{
  TARE_UNICODE_LETTER      = 1 << 0,
  TARE_UNICODE_NUMBER      = 1 << 1,
  TARE_UNICODE_SPACE       = 1 << 2,
  TARE_UNICODE_NEWLINE     = 1 << 3,
  TARE_UNICODE_PUNCTUATION = 1 << 4,
} TareUnicodeClass;

guint            tare_unicode_decode    (const char       *text,
                                         gsize             length,
                                         gunichar         *character);
TareUnicodeClass tare_unicode_classify  (gunichar          character);
guint            tare_unicode_scan      (const char       *text,
                                         gsize             length,
                                         TareUnicodeClass *class);
gunichar         tare_unicode_from_byte (guint8            byte);
int              tare_unicode_to_byte   (gunichar          character);
GString         *tare_unicode_normalize (const char       *text,
                                         gsize             length,
                                         GNormalizeMode    mode);

G_END_DECLS
