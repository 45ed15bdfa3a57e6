/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-checksum-private.h"

#include <string.h>

/* FNV-1a over 64-bit words, with a shift that brings the high bits down. */
static guint64
mix (guint64 checksum,
     guint64 word)
{
  checksum = (checksum ^ word) * G_GUINT64_CONSTANT (0x100000001b3);

  return checksum ^ (checksum >> 29);
}

/**
 * _tare_checksum_add:
 * @self: a sum
 * @bytes: (array length=n): what comes next
 * @n: how many
 *
 * However the bytes are cut into pieces, the sum is the same.
 */
void
_tare_checksum_add (TareChecksum *self,
                    const guint8 *bytes,
                    gsize         n)
{
  guint64 word;

  for (; n > 0 && self->n_pending > 0; bytes++, n--)
    {
      self->pending[self->n_pending++] = *bytes;
      if (self->n_pending < sizeof word)
        continue;
      memcpy (&word, self->pending, sizeof word);
      self->value = mix (self->value, word);
      self->n_pending = 0;
    }
  for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word)
    {
      memcpy (&word, bytes, sizeof word);
      self->value = mix (self->value, word);
    }
  if (n > 0)
    {
      memcpy (self->pending, bytes, n);
      self->n_pending = n;
    }
}

/**
 * _tare_checksum_finish:
 * @self: a sum
 *
 * Returns: what it comes to
 */
guint64
_tare_checksum_finish (const TareChecksum *self)
{
  guint64 word = 0;

  memcpy (&word, self->pending, self->n_pending);

  return mix (self->value, word);
}
