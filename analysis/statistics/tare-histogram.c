/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-histogram.h"

#include <math.h>
#include <string.h>

#include "analysis/statistics/tare-prefetch-private.h"
#include "quant/tare-simd.h"

/* Values whose bins are worked out together, before they are counted one by one: two blocks of them
 * are in flight within a processor's window, so that the one hides behind the other. */
#define BLOCK 64

/* How far ahead memory is asked for them: 4 kB. */
#define BLOCKS_AHEAD 16

/* The bin of x is floor ((x unit - minimum) scale) in binary32, kept within the table. Returns how
 * many are outliers. */
TARE_INLINE int
find_bins (const TareHistogram *self,
           const float         *x,
           gsize                n,
           guint16             *bins)
{
  const float unit = self->unit;
  const float minimum = self->minimum;
  const float scale = self->scale;
  const float low = self->low;
  const float high = self->high;
  const float last = TARE_HISTOGRAM_BINS - 1;
  int outliers = 0;

#pragma omp simd reduction(+:outliers)
  for (gsize i = 0; i < n; i++)
    {
      float position = (x[i] * unit - minimum) * scale;

      position = position < last ? position : last;
      position = position > 0.0f ? position : 0.0f;
      bins[i] = (guint16) (int) position;
      outliers += (x[i] < low) | (x[i] > high);
    }

  return outliers;
}

/* Neighbours are often in one bin: in one table each would wait for the count before it. */
TARE_INLINE void
count_bins (TareHistogram *self,
            const guint16 *bins)
{
  for (gsize i = 0; i < BLOCK; i += 4)
    {
      self->counts[0][bins[i]]++;
      self->counts[1][bins[i + 1]]++;
      self->counts[2][bins[i + 2]]++;
      self->counts[3][bins[i + 3]]++;
    }
}

/* x: [n_blocks, BLOCK], n_blocks > 0. Counts one block while the bins of the next are worked out: a
 * count cannot begin before its bin has been stored. */
TARE_CLONES static void
add_blocks (TareHistogram *self,
            const float   *x,
            gsize          n_blocks)
{
  guint16 bins[2][BLOCK];
  gsize outliers = (gsize) find_bins (self, x, BLOCK, bins[0]);

  for (gsize i = 1; i < n_blocks; i++)
    {
      tare_prefetch (x + (i + BLOCKS_AHEAD) * BLOCK, BLOCK);
      outliers += (gsize) find_bins (self, x + i * BLOCK, BLOCK, bins[i % 2]);
      count_bins (self, bins[(i - 1) % 2]);
    }

  count_bins (self, bins[(n_blocks - 1) % 2]);
  self->n_outliers += outliers;
}

/* n < BLOCK */
static void
add_rest (TareHistogram *self,
          const float   *x,
          gsize          n)
{
  guint16 bins[BLOCK];

  self->n_outliers += (gsize) find_bins (self, x, n, bins);
  for (gsize i = 0; i < n; i++)
    self->counts[0][bins[i]]++;
}

/**
 * tare_histogram_init:
 * @self: (out caller-allocates): the histogram
 * @minimum: the smallest of the numbers to come
 * @maximum: the largest
 * @low: outliers are below it
 * @high: or above it
 *
 * Begins an empty histogram of %TARE_HISTOGRAM_BINS equal bins from @minimum to @maximum. Numbers
 * are first brought near 1 by a power of two, which loses nothing and keeps the widest and the
 * narrowest range within binary32.
 */
void
tare_histogram_init (TareHistogram *self,
                     float          minimum,
                     float          maximum,
                     double         low,
                     double         high)
{
  double range = (double) maximum - (double) minimum;

  memset (self, 0, sizeof *self);
  if (range > 0.0)
    {
      double unit = ldexp (1.0, CLAMP (-ilogb (range), -140, 127));

      self->unit = (float) unit;
      self->minimum = (float) ((double) minimum * unit);
      self->scale = (float) (TARE_HISTOGRAM_BINS / (range * unit));
    }

  /* A float is below a double if and only if it is below the next float from there upwards. */
  self->low = (float) low;
  if ((double) self->low < low)
    self->low = nextafterf (self->low, INFINITY);
  self->high = (float) high;
  if ((double) self->high > high)
    self->high = nextafterf (self->high, -INFINITY);
}

/**
 * tare_histogram_add:
 * @self: the histogram
 * @x: finite numbers from its minimum to its maximum
 * @n: how many
 *
 * Counts numbers.
 */
void
tare_histogram_add (TareHistogram *self,
                    const float   *x,
                    gsize          n)
{
  gsize n_blocks = n / BLOCK;

  if (n_blocks > 0)
    add_blocks (self, x, n_blocks);
  add_rest (self, x + n_blocks * BLOCK, n % BLOCK);
}

/**
 * tare_histogram_add_counted:
 * @self: the histogram, of which only the bounds and the outliers are used
 * @x: finite numbers
 * @times: how often each of them is there; those that are not may be out of bounds
 * @n: how many
 * @bins: (inout) (array fixed-size=2048): counts that theirs are added to
 *
 * Counts numbers that come with their multiplicity, which no table of 32 bits could hold.
 */
void
tare_histogram_add_counted (TareHistogram *self,
                            const float   *x,
                            const guint64 *times,
                            gsize          n,
                            guint64       *bins)
{
  guint16 places[BLOCK];

  for (gsize i = 0; i < n; i += BLOCK)
    {
      gsize block = MIN ((gsize) BLOCK, n - i);

      find_bins (self, x + i, block, places);
      for (gsize j = 0; j < block; j++)
        {
          bins[places[j]] += times[i + j];
          if (x[i + j] < self->low || x[i + j] > self->high)
            self->n_outliers += times[i + j];
        }
    }
}

/**
 * tare_histogram_add_to:
 * @self: the histogram
 * @bins: (inout) (array fixed-size=2048): counts that its own are added to
 */
void
tare_histogram_add_to (const TareHistogram *self,
                       guint64             *bins)
{
  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i++)
    bins[i] += (guint64) self->counts[0][i] + self->counts[1][i]
               + self->counts[2][i] + self->counts[3][i];
}
