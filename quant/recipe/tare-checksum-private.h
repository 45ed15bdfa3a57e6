/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareChecksum:
 * @value: of the words so far
 * @pending: bytes that make no word yet
 * @n_pending: how many
 *
 * The sum that says whether what is read back is what was written, all 0 at first. It guards
 * against a bad disk, not against an adversary.
 */
typedef struct
{
  guint64 value;
  guint8  pending[8];
  gsize   n_pending;
} TareChecksum;

void    _tare_checksum_add    (TareChecksum       *self,
                               const guint8       *bytes,
                               gsize               n);
guint64 _tare_checksum_finish (const TareChecksum *self);

G_END_DECLS
