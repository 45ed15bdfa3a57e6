/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/tare-simd.h"

/* Floats in a cache line. */
#define TARE_PREFETCH_LINE 16

/**
 * tare_prefetch:
 * @x: numbers that will be read soon, if they are there
 * @n: how many
 *
 * Asks memory for numbers. The processor's own prefetcher stops at the end of every page, and
 * leaves arithmetic waiting there.
 */
TARE_INLINE void
tare_prefetch (const float *x,
               gsize        n)
{
  for (gsize i = 0; i < n; i += TARE_PREFETCH_LINE)
    __builtin_prefetch ((const char *) x + i * sizeof (float));
}
