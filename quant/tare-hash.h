/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The hash of nothing: FNV-1a of 64 bits (Fowler, Noll, Vo; RFC draft-eastlake-fnv). */
#define TARE_HASH_START G_GUINT64_CONSTANT (0xcbf29ce484222325)

/**
 * tare_hash_bytes:
 * @hash: of what came before, or %TARE_HASH_START
 * @data: (array length=length) (element-type guint8): what comes next
 * @length: its bytes
 *
 * Returns: the FNV-1a hash of all of it, the same in any process and on any machine
 */
static inline guint64
tare_hash_bytes (guint64       hash,
                 gconstpointer data,
                 gsize         length)
{
  const guint8 *bytes = data;

  for (gsize i = 0; i < length; i++)
    hash = (hash ^ bytes[i]) * G_GUINT64_CONSTANT (0x100000001b3);

  return hash;
}

G_END_DECLS
