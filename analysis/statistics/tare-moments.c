/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-moments.h"

#include <math.h>
#include <string.h>

#include "analysis/statistics/tare-prefetch-private.h"
#include "quant/tare-simd.h"

/* Values of one block: read twice, the second time from the first level cache, into which the next
 * block comes meanwhile. */
#define BLOCK 2048

/* The bits of infinity: a magnitude with these or higher ones is not a finite number. */
#define INFINITE_BITS 0x7f800000u

typedef struct
{
  float   minimum;
  float   maximum;
  float   sum;
  guint32 magnitude;
} Extent;

/* Bounds of n values, a rough sum of them, and the bits of their largest magnitude, which, unlike
 * the others, is right whatever is among them. */
TARE_CLONES static Extent
measure_extent (const float *x,
                gsize        n)
{
  float minimum = INFINITY;
  float maximum = -INFINITY;
  float sum = 0.0f;
  guint32 magnitude = 0;

#pragma omp simd reduction(min:minimum) reduction(max:maximum, magnitude) reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    {
      guint32 bits;

      memcpy (&bits, x + i, sizeof bits);
      bits &= 0x7fffffffu;
      magnitude = bits > magnitude ? bits : magnitude;
      minimum = x[i] < minimum ? x[i] : minimum;
      maximum = x[i] > maximum ? x[i] : maximum;
      sum += x[i];
    }

  return (Extent) { minimum, maximum, sum, magnitude };
}

/* Eight sums side by side, whatever the machine, so that they are the same on all. */
#define LANES 8

typedef float Floats __attribute__ ((vector_size (LANES * sizeof (float)), aligned (4), may_alias));
typedef double Doubles __attribute__ ((vector_size (LANES * sizeof (double))));

/* Adds (x - c)^p to sums[p - 1], for p = 1 to 4. */
TARE_INLINE void
add_powers (const Floats *x,
            double        c,
            Doubles       sums[4])
{
  Doubles d = __builtin_convertvector (*x, Doubles) - c;
  Doubles d2 = d * d;

  sums[0] += d;
  sums[1] += d2;
  sums[2] += d2 * d;
  sums[3] += d2 * d2;
}

/* Σ(x - c)^p for p = 1 to 4. */
TARE_CLONES static void
sum_powers (const float *x,
            gsize        n,
            double       c,
            double       sums[4])
{
  Doubles lanes[4] = { { 0.0 } };
  gsize whole = n - n % TARE_PREFETCH_LINE;

  for (gsize i = 0; i < whole; i += TARE_PREFETCH_LINE)
    {
      tare_prefetch (x + i + BLOCK, TARE_PREFETCH_LINE);
      add_powers ((const Floats *) (x + i), c, lanes);
      add_powers ((const Floats *) (x + i + LANES), c, lanes);
    }

  for (gsize i = whole; i < n; i++)
    {
      double d = (double) x[i] - c;
      double d2 = d * d;

      lanes[0][0] += d;
      lanes[1][0] += d2;
      lanes[2][0] += d2 * d;
      lanes[3][0] += d2 * d2;
    }

  for (gsize p = 0; p < 4; p++)
    {
      sums[p] = 0.0;
      for (gsize k = 0; k < LANES; k++)
        sums[p] += lanes[p][k];
    }
}

/* The moments of one block of finite values. Powers are taken about a centre near the mean, so
 * that little is left to correct; which centre does not matter, so a float's sum will do. */
static TareMoments
measure_block (const float  *x,
               gsize         n,
               const Extent *extent)
{
  double count = (double) n;
  double c = (double) extent->sum / count;
  double sums[4];
  double d;

  if (!isfinite (c))
    c = (double) extent->minimum;

  sum_powers (x, n, c, sums);
  d = sums[0] / count;

  return (TareMoments) {
    .n = n,
    .mean = c + d,
    .m2 = MAX (sums[1] - count * d * d, 0.0),
    .m3 = sums[2] - 3.0 * d * sums[1] + 2.0 * count * d * d * d,
    .m4 = MAX (sums[3] - 4.0 * d * sums[2] + 6.0 * d * d * sums[1]
               - 3.0 * count * d * d * d * d, 0.0),
    .minimum = extent->minimum,
    .maximum = extent->maximum,
  };
}

/**
 * tare_finite_copy:
 * @x: numbers
 * @n: how many
 * @finite: (out caller-allocates): (array length=n): those that are finite, in their order
 * @first_other: (out): index of the first that is not, @n if there is none
 *
 * Returns: how many are finite
 */
gsize
tare_finite_copy (const float *x,
                  gsize        n,
                  float       *finite,
                  gsize       *first_other)
{
  gsize kept = 0;

  *first_other = n;
  for (gsize i = 0; i < n; i++)
    {
      if (isfinite (x[i]))
        finite[kept++] = x[i];
      else if (*first_other == n)
        *first_other = i;
    }

  return kept;
}

static void
add_block (TareMoments *self,
           const float *x,
           gsize        n)
{
  Extent extent = measure_extent (x, n);
  TareMoments block = { 0 };

  if (extent.magnitude < INFINITE_BITS)
    {
      block = measure_block (x, n, &extent);
    }
  else
    {
      float finite[BLOCK];
      gsize first;
      gsize kept = tare_finite_copy (x, n, finite, &first);

      if (kept > 0)
        {
          extent = measure_extent (finite, kept);
          block = measure_block (finite, kept, &extent);
        }
      block.n_not_finite = n - kept;
      block.first_not_finite = first;
    }

  tare_moments_append (self, &block);
}

/**
 * tare_moments_add:
 * @self: the moments so far
 * @x: further numbers
 * @n: how many
 *
 * Adds numbers to the stream. NaN and infinities are only counted.
 */
void
tare_moments_add (TareMoments *self,
                  const float *x,
                  gsize        n)
{
  for (gsize i = 0; i < n; i += BLOCK)
    add_block (self, x + i, MIN ((gsize) BLOCK, n - i));
}

/**
 * tare_moments_append:
 * @self: the moments of a stream
 * @other: those of the stream that follows it
 *
 * Joins two streams. (P. Pébay, "Formulas for robust, one-pass parallel computation of covariances
 * and arbitrary-order statistical moments", Sandia SAND2008-6212, equations 1.5 and 3.1.)
 */
void
tare_moments_append (TareMoments       *self,
                     const TareMoments *other)
{
  double a = (double) self->n;
  double b = (double) other->n;
  double n = a + b;
  double d = other->mean - self->mean;
  TareMoments joined = *self;

  if (self->n_not_finite == 0 && other->n_not_finite > 0)
    joined.first_not_finite = self->n + other->first_not_finite;
  joined.n_not_finite += other->n_not_finite;
  joined.n += other->n;

  if (self->n > 0 && other->n > 0)
    {
      joined.mean = self->mean + d * b / n;
      joined.m2 += other->m2 + d * d * a * b / n;
      joined.m3 += other->m3 + d * d * d * a * b * (a - b) / (n * n)
                   + 3.0 * d * (a * other->m2 - b * self->m2) / n;
      joined.m4 += other->m4 + d * d * d * d * a * b * (a * a - a * b + b * b) / (n * n * n)
                   + 6.0 * d * d * (a * a * other->m2 + b * b * self->m2) / (n * n)
                   + 4.0 * d * (a * other->m3 - b * self->m3) / n;
      joined.minimum = MIN (self->minimum, other->minimum);
      joined.maximum = MAX (self->maximum, other->maximum);
    }
  else if (other->n > 0)
    {
      joined.mean = other->mean;
      joined.m2 = other->m2;
      joined.m3 = other->m3;
      joined.m4 = other->m4;
      joined.minimum = other->minimum;
      joined.maximum = other->maximum;
    }

  *self = joined;
}

/* Rounding leaves a little in the sums of a constant, of which the ratios would be noise. */
static gboolean
is_constant (const TareMoments *self)
{
  return self->n == 0 || !(self->minimum < self->maximum) || !(self->m2 > 0.0);
}

/**
 * tare_moments_get_mean:
 * @self: the moments
 *
 * Returns: the mean, of a constant the constant itself to the last bit
 */
double
tare_moments_get_mean (const TareMoments *self)
{
  return is_constant (self) ? (double) self->minimum : self->mean;
}

/**
 * tare_moments_get_variance:
 * @self: the moments
 *
 * Returns: the mean squared deviation from the mean, 0 for a constant
 */
double
tare_moments_get_variance (const TareMoments *self)
{
  return is_constant (self) ? 0.0 : self->m2 / (double) self->n;
}

/**
 * tare_moments_get_skewness:
 * @self: the moments
 *
 * Returns: the mean of ((x - mean) / σ)³, 0 for a constant
 */
double
tare_moments_get_skewness (const TareMoments *self)
{
  return is_constant (self) ? 0.0 : sqrt ((double) self->n / self->m2) * self->m3 / self->m2;
}

/**
 * tare_moments_get_kurtosis:
 * @self: the moments
 *
 * Returns: the mean of ((x - mean) / σ)⁴: 3 for a Gaussian, 6 for Laplace, 1.8 for uniform
 *   numbers; 0 for a constant
 */
double
tare_moments_get_kurtosis (const TareMoments *self)
{
  return is_constant (self) ? 0.0 : (double) self->n * (self->m4 / self->m2) / self->m2;
}
