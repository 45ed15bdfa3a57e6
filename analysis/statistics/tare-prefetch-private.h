/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/tare-simd.h"

/* How far ahead of what is read: 4 kB, or the processor's own prefetcher, which stops at the end of
 * every page, leaves arithmetic to wait for memory. */
#define TARE_PREFETCH_AHEAD 1024

/* Floats in a cache line. */
#define TARE_PREFETCH_LINE 16

/**
 * tare_prefetch:
 * @x: numbers that are about to be read, in a stream of them
 * @n: how many
 *
 * Asks for those that follow them at some distance; it does not matter whether they are there.
 */
TARE_INLINE void
tare_prefetch (const float *x,
               gsize        n)
{
  for (gsize i = 0; i < n; i += TARE_PREFETCH_LINE)
    __builtin_prefetch ((const char *) x + (TARE_PREFETCH_AHEAD + i) * sizeof (float));
}
