/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-statistics-cache.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* What the seed is kept under, and the shape of its tensor. */
static const guint8 key[4] = { 't', 'a', 'r', 'e' };

#define ROWS     3
#define COLUMNS  5
#define CHECKSUM 8

/* Bytes as they are, and with their checksum mended, so that what is behind it is reached too. */
int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  g_autoptr(TareStatistics) statistics = NULL;
  g_autoptr(TareStatistics) mended = NULL;
  g_autofree guint8 *copy = g_memdup2 (data, size);

  statistics = tare_statistics_from_bytes (data, size, key, sizeof key, ROWS, COLUMNS);
  if (size >= CHECKSUM)
    {
      g_autoptr(GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
      guint8 digest[32];
      gsize length = sizeof digest;

      g_checksum_update (checksum, copy, (gssize) (size - CHECKSUM));
      g_checksum_get_digest (checksum, digest, &length);
      memcpy (copy + size - CHECKSUM, digest, CHECKSUM);
      mended = tare_statistics_from_bytes (copy, size, key, sizeof key, ROWS, COLUMNS);
    }
  if (mended != NULL)
    g_assert_cmpuint (mended->n + mended->n_not_finite, ==, ROWS * COLUMNS);

  return 0;
}
