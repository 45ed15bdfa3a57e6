/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-shape.h"

#include <math.h>
#include <stdlib.h>

/* Of 1000 weights, how many are in the tail. */
#define TAIL_SHARE 1e-3

/* A channel is dead below this share of the median channel's magnitude. */
#define DEAD_SHARE 1e-3

/* Standard deviations within which a density counts as even. */
#define ENTROPY_WIDTH 0.0625

/* Halvings that bring a magnitude down to the last bit that matters. */
#define HALVINGS 60

/**
 * tare_gaussian_get_share:
 * @z: a number
 *
 * Returns: Φ(@z), the share of a unit Gaussian below it
 */
double
tare_gaussian_get_share (double z)
{
  return 0.5 * erfc (-z * M_SQRT1_2);
}

/* Of shares up to a half: a rational start (M. Abramowitz and I. Stegun, "Handbook of Mathematical
 * Functions", 26.2.23), then Newton's method, which doubles its three digits twice. */
static double
find_lower_quantile (double share)
{
  double t = sqrt (-2.0 * log (share));
  double z = (2.515517 + t * (0.802853 + t * 0.010328))
             / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;

  for (int i = 0; i < 3; i++)
    {
      double density = exp (-0.5 * z * z) / sqrt (2.0 * M_PI);

      z -= (tare_gaussian_get_share (z) - share) / density;
    }

  return z;
}

/**
 * tare_gaussian_get_quantile:
 * @share: from 0 to 1
 *
 * Returns: the number below which that share of a unit Gaussian is
 */
double
tare_gaussian_get_quantile (double share)
{
  if (!(share > 0.0))
    return -INFINITY;
  if (!(share < 1.0))
    return INFINITY;

  return share <= 0.5 ? find_lower_quantile (share) : -find_lower_quantile (1.0 - share);
}

/**
 * tare_shape_get_share:
 * @statistics: a tensor's statistics
 * @x: a number
 *
 * Returns: the share of its weights up to @x, by the histogram
 */
double
tare_shape_get_share (const TareStatistics *statistics,
                      double                x)
{
  double minimum = (double) statistics->minimum;
  double range = (double) statistics->maximum - minimum;
  double position = (x - minimum) / range * TARE_HISTOGRAM_BINS;
  double below = 0.0;
  gsize bin;

  if (x >= (double) statistics->maximum)
    return 1.0;
  if (!(x > minimum))
    return 0.0;

  bin = MIN ((gsize) position, TARE_HISTOGRAM_BINS - 1);
  for (gsize i = 0; i < bin; i++)
    below += (double) statistics->histogram[i];
  below += (position - (double) bin) * (double) statistics->histogram[bin];

  return MIN (below / (double) statistics->n, 1.0);
}

/**
 * tare_shape_get_quantile:
 * @statistics: a tensor's statistics, of at least one weight
 * @share: from 0 to 1
 *
 * Returns: the number up to which that share of its weights is, by the histogram
 */
double
tare_shape_get_quantile (const TareStatistics *statistics,
                         double                share)
{
  double minimum = (double) statistics->minimum;
  double width = ((double) statistics->maximum - minimum) / TARE_HISTOGRAM_BINS;
  double wanted = share * (double) statistics->n;
  double below = 0.0;

  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i++)
    {
      double count = (double) statistics->histogram[i];

      if (count > 0.0 && below + count >= wanted)
        return minimum + width * ((double) i + CLAMP ((wanted - below) / count, 0.0, 1.0));
      below += count;
    }

  return (double) statistics->maximum;
}

/* Share of weights whose distance from @centre exceeds @distance. */
static double
get_share_beyond (const TareStatistics *statistics,
                  double                centre,
                  double                distance)
{
  return tare_shape_get_share (statistics, centre - distance)
         + (1.0 - tare_shape_get_share (statistics, centre + distance));
}

/* The magnitude that this share of the weights exceeds. */
static double
find_tail (const TareStatistics *statistics,
           double                share)
{
  double low = 0.0;
  double high = (double) statistics->absolute_maximum;

  for (int i = 0; i < HALVINGS; i++)
    {
      double middle = 0.5 * (low + high);

      if (get_share_beyond (statistics, 0.0, middle) > share)
        low = middle;
      else
        high = middle;
    }

  return high;
}

static int
compare_floats (gconstpointer a,
                gconstpointer b)
{
  float x = *(const float *) a;
  float y = *(const float *) b;

  return (x > y) - (x < y);
}

/* The lower median of channels' maxima. */
static double
find_median (const float *maxima,
             gsize        n)
{
  g_autofree float *sorted = g_memdup2 (maxima, n * sizeof *maxima);

  qsort (sorted, n, sizeof *sorted, compare_floats);

  return (double) sorted[(n - 1) / 2];
}

static double
get_share_above (const float *maxima,
                 gsize        n,
                 double       limit)
{
  gsize above = 0;

  for (gsize i = 0; i < n; i++)
    above += (double) maxima[i] > limit;

  return (double) above / (double) n;
}

static double
get_share_dead (const float *maxima,
                gsize        n,
                double       median)
{
  gsize dead = 0;

  for (gsize i = 0; i < n; i++)
    dead += maxima[i] == 0.0f || (double) maxima[i] < DEAD_SHARE * median;

  return (double) dead / (double) n;
}

static void
measure_channels (TareShape            *self,
                  const TareStatistics *s)
{
  double column;
  double row;

  if (s->rows == 0 || s->columns == 0)
    return;

  column = find_median (s->column_maximum, s->columns);
  row = find_median (s->row_maximum, s->rows);
  self->columns_6 = get_share_above (s->column_maximum, s->columns, 6.0 * column);
  self->columns_20 = get_share_above (s->column_maximum, s->columns, 20.0 * column);
  self->rows_6 = get_share_above (s->row_maximum, s->rows, 6.0 * row);
  self->dead_columns = get_share_dead (s->column_maximum, s->columns, column);
  self->dead_rows = get_share_dead (s->row_maximum, s->rows, row);
}

/* -Σ p log2 (p / width), the width of some bins together in standard deviations: weights that were
 * stored in few bits leave a comb in narrow bins. */
static double
measure_entropy (const TareStatistics *s)
{
  double width = ((double) s->maximum - (double) s->minimum) / TARE_HISTOGRAM_BINS
                 / s->standard_deviation;
  gsize together = (gsize) CLAMP (ENTROPY_WIDTH / width, 1.0, TARE_HISTOGRAM_BINS);
  double entropy = 0.0;

  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i += together)
    {
      gsize end = MIN (i + together, TARE_HISTOGRAM_BINS);
      double p = 0.0;

      for (gsize k = i; k < end; k++)
        p += (double) s->histogram[k] / (double) s->n;
      if (p > 0.0)
        entropy -= p * log2 (p / (width * (double) (end - i)));
    }

  return entropy;
}

/* Kolmogorov's distance, at the ends of the bins. */
static double
measure_normality (const TareStatistics *s)
{
  double width = ((double) s->maximum - (double) s->minimum) / TARE_HISTOGRAM_BINS;
  double below = 0.0;
  double largest = 0.0;

  for (gsize i = 0; i <= TARE_HISTOGRAM_BINS; i++)
    {
      double x = (double) s->minimum + width * (double) i;
      double z = (x - s->mean) / s->standard_deviation;

      largest = MAX (largest, fabs (below / (double) s->n - tare_gaussian_get_share (z)));
      if (i < TARE_HISTOGRAM_BINS)
        below += (double) s->histogram[i];
    }

  return largest;
}

/**
 * tare_shape_measure:
 * @self: (out caller-allocates): the shape
 * @statistics: a tensor's statistics
 *
 * Derives what a tensor's statistics imply; nothing is read.
 */
void
tare_shape_measure (TareShape            *self,
                    const TareStatistics *statistics)
{
  const TareStatistics *s = statistics;
  double tail;

  *self = (TareShape) {
    NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN,
  };

  measure_channels (self, s);
  if (s->n == 0 || !(s->standard_deviation > 0.0))
    return;

  tail = find_tail (s, TAIL_SHARE);
  self->maximum_ratio = (double) s->absolute_maximum / s->standard_deviation;
  self->beyond_3 = get_share_beyond (s, s->mean, 3.0 * s->standard_deviation);
  self->beyond_6 = s->outlier_ratio;
  self->tail_ratio = tail > 0.0 ? (double) s->absolute_maximum / tail : (double) NAN;
  self->above_1 = 1.0 - tare_shape_get_share (s, s->mean + s->standard_deviation);
  self->entropy = measure_entropy (s);
  self->normality = measure_normality (s);
}
