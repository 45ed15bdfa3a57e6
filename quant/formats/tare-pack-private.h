/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* In place of a number of bits: codes from 0 to 2, five to a byte. */
#define TARE_PACK_TERNARY 0

gsize _tare_packed_bytes (gsize         n,
                          guint         bits);
void  _tare_pack         (const guint8 *codes,
                          gsize         n,
                          guint         bits,
                          guint8       *packed);
void  _tare_unpack       (const guint8 *packed,
                          gsize         n,
                          guint         bits,
                          guint8       *codes);

G_END_DECLS
