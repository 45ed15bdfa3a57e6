/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Eigenvalues that are too many to be found, by the effective dimension d (μ) = Σ λ / (λ + μ).
 *
 * A product of k random vectors with a matrix A of trace 1 tells it for every μ above that with
 * d (μ) = k: of the eigenvalues ℓ of Ω'AΩ / k and m (x) the mean of 1 / (ℓ + x), d is
 * k (1 - x m) at μ = 1 / m. (J. W. Silverstein and Z. D. Bai, "On the empirical distribution of
 * eigenvalues of a class of large dimensional random matrices", J. Multivariate Anal. 54, 1995.)
 * And d tells sums over the eigenvalues: log λ is the integral of 1 / (1 + μ) - 1 / (λ + μ) over
 * all μ, so that Σ λ log λ is that of 1 / (1 + μ) - d (μ).
 */
#include "analysis/statistics/tare-spectrum-private.h"

#include <math.h>

/* Steps of the integrals, and how many e-folds they reach beyond the eigenvalues that are seen. */
#define STEPS       2000
#define FOLDS_BELOW 6.0
#define FOLDS_ABOVE 12.0
#define FOLDS_DEEP  40.0

/* How much of the bend of d goes on where it is no longer seen: measured, between none, as for
 * powers of the index, and all, as where the eigenvalues end at once. */
#define BEND_GOES_ON 0.6

/* d and μ at one x. */
typedef struct
{
  double mu;
  double dimension;
} Point;

static Point
look (const double *seen,
      gsize         k,
      double        scale,
      double        x)
{
  double m = 0.0;
  double d = 0.0;

  for (gsize i = 0; i < k; i++)
    {
      double value = seen[i] * scale;

      m += 1.0 / (value + x);
      d += value / (value + x);
    }

  return (Point) { .mu = (double) k / m, .dimension = d };
}

static double
get_logit (const Point *point,
           double       n)
{
  return log (point->dimension / (n - point->dimension));
}

/* -dlog d / dlog μ where x is 0. */
static double
find_slope (const double *seen,
            gsize         k)
{
  double inverse = 0.0;
  double squares = 0.0;

  for (gsize i = 0; i < k; i++)
    {
      inverse += 1.0 / seen[i];
      squares += 1.0 / (seen[i] * seen[i]);
    }

  return inverse * inverse / ((double) k * squares);
}

/* The integral of d from 0 to where it is k. The log of d / (n - d) goes on in a parabola, which
 * becomes a line where it would turn: a line is exact for equal eigenvalues. @half: a point where d
 * is about k / 2 */
static double
integrate_below (Point  first,
                 Point  half,
                 double slope,
                 double n)
{
  double start = get_logit (&first, n);
  double reach = log (half.mu / first.mu);
  double b = slope / (1.0 - first.dimension / n);
  double mean = (start - get_logit (&half, n)) / reach;
  double bend = BEND_GOES_ON * MAX (2.0 * (mean - b) / reach, 0.0);
  double step = FOLDS_DEEP / STEPS;
  double sum = 0.0;

  for (int i = 0; i < STEPS; i++)
    {
      double u = -(i + 0.5) * step;
      double bent = bend > 0.0 ? MAX (u, -b / bend) : u;

      sum += exp (u) * n / (1.0 + exp (-start + b * bent + 0.5 * bend * bent * bent));
    }

  return first.mu * sum * step;
}

/**
 * _tare_spectrum_estimate_unseen:
 * @seen: (array length=k): eigenvalues of Ω'AΩ, ascending, all above 0
 * @k: random vectors
 * @n: columns of A, more than @k
 *
 * Estimates Σ λ log λ over the eigenvalues of A as shares of its trace. Of the μ for which d is
 * above @k nothing is seen, and d is extrapolated. Shares of up to half of the trace that lie there
 * leave errors of a few hundredths in the exp of it; of nine tenths, of a tenth or two.
 *
 * Returns: the sum, 0 or below
 */
double
_tare_spectrum_estimate_unseen (const double *seen,
                                gsize         k,
                                gsize         n)
{
  double trace = 0.0;
  double scale, start, step;
  double sum = 0.0;
  Point first, half, before, point;

  for (gsize i = 0; i < k; i++)
    trace += seen[i];
  scale = 1.0 / trace;
  start = log (seen[0] * scale) - FOLDS_BELOW;
  step = (log (seen[k - 1] * scale) + FOLDS_ABOVE - start) / STEPS;

  first = half = point = look (seen, k, scale, 0.0);
  for (int i = 0; i <= STEPS; i++)
    {
      before = point;
      point = look (seen, k, scale, exp (start + i * step));
      sum += 0.5 * (before.dimension + point.dimension) * (point.mu - before.mu);
      if (half.dimension > 0.5 * (double) k)
        half = point;
    }
  sum += integrate_below (first, half, find_slope (seen, k), (double) n);

  return MIN (log1p (point.mu) - 1.0 / point.mu - sum, 0.0);
}
