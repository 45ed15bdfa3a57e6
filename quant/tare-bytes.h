/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * tare_bytes_append_u32:
 * @bytes: what is written so far
 * @number: what comes next
 *
 * Appends a number of four bytes, the least first, as GGUF and Tare's own files have them.
 */
static inline void
tare_bytes_append_u32 (GByteArray *bytes,
                       guint32     number)
{
  number = GUINT32_TO_LE (number);
  g_byte_array_append (bytes, (const guint8 *) &number, sizeof number);
}

/**
 * tare_bytes_append_u64:
 * @bytes: what is written so far
 * @number: what comes next
 *
 * Appends a number of eight bytes, the least first.
 */
static inline void
tare_bytes_append_u64 (GByteArray *bytes,
                       guint64     number)
{
  number = GUINT64_TO_LE (number);
  g_byte_array_append (bytes, (const guint8 *) &number, sizeof number);
}

G_END_DECLS
