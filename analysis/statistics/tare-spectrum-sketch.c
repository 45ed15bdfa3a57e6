/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a product with a few random vectors tells of a matrix that was never formed. */
#include "analysis/statistics/tare-spectrum-private.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/tare-error.h"
#include "quant/tare-lapack.h"

/* How often the shift is made ten times larger before a sketch is given up: from the rounding of
 * binary32 to a thousandth of the matrix. */
#define ATTEMPTS 5

/* What the rounding of sums in binary32 may do to a product's symmetry and to a sum of eigenvalues,
 * and how many standard deviations the mean of ω'Aω may be from the trace. */
#define ROUNDING   1e-3
#define DEVIATIONS 8.0

/* A direction is told from the others by its eigenvalue of so many times what that lacks. */
#define STANDS_OUT 3.0

/* Words of 64 signs that a row of the test matrix may have. */
#define WORD_BITS 16

/* A counter becomes a word of coins. (S. Vigna, splitmix64, public domain.) */
static guint64
mix (guint64 x)
{
  x += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * G_GUINT64_CONSTANT (0x94d049bb133111eb);

  return x ^ x >> 31;
}

/**
 * tare_sketch_fill_signs:
 * @omega: (out caller-allocates): room for @n x @k, a row after the other
 * @n: rows
 * @k: columns
 *
 * Fills the matrix with which all sketches are made, of signs -1 and 1. It is always the same, and
 * so are its rows for every @n and the first of its columns for every @k: it need not be kept.
 */
void
tare_sketch_fill_signs (float *omega,
                        gsize  n,
                        gsize  k)
{
#pragma omp parallel for schedule(static)
  for (gsize i = 0; i < n; i++)
    {
      guint64 word = 0;

      for (gsize j = 0; j < k; j++)
        {
          word = j % 64 == 0 ? mix ((guint64) i << WORD_BITS | j / 64) : word >> 1;
          omega[i * k + j] = (word & 1) != 0 ? 1.0f : -1.0f;
        }
    }
}

/* A matrix A of n columns by its product with a test matrix Ω, n x k, in the names of the paper
 * below. @omega: Ω; @y: A Ω with the shift, n x k; @factor: L of Ω'Y = LL', @vectors: W of
 * L⁻¹ Y'Y L⁻ᵀ = W Σ² W', both k x k in columns; @values: Σ², ascending */
typedef struct
{
  gsize   n;
  gsize   k;
  double *omega;
  double *y;
  double *factor;
  double *vectors;
  double *values;
} Nystrom;

static void
nystrom_clear (Nystrom *self)
{
  g_free (self->omega);
  g_free (self->y);
  g_free (self->factor);
  g_free (self->vectors);
  g_free (self->values);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Nystrom, nystrom_clear)

static gboolean
nystrom_init (Nystrom *self,
              gsize    n,
              gsize    k)
{
  *self = (Nystrom) { .n = n, .k = k };
  self->omega = g_try_malloc_n (n * sizeof (double), k);
  self->y = g_try_malloc_n (n * sizeof (double), k);
  self->factor = g_try_malloc_n (k * sizeof (double), k);
  self->vectors = g_try_malloc_n (k * sizeof (double), k);
  self->values = g_new (double, k);

  return self->omega != NULL && self->y != NULL && self->factor != NULL
         && self->vectors != NULL;
}

/* Y = S + shift Ω and the factor of Ω'Y. Returns whether there is one. */
static gboolean
factorize (Nystrom     *self,
           const float *sketch,
           double       shift)
{
  const int k = (int) self->k;
  double *b = self->factor;
  int info;

  for (gsize i = 0; i < self->n * self->k; i++)
    self->y[i] = (double) sketch[i] + shift * self->omega[i];
  cblas_dgemm (CblasRowMajor, CblasTrans, CblasNoTrans, k, k, (int) self->n, 1.0,
               self->omega, k, self->y, k, 0.0, b, k);
  for (gsize j = 0; j < self->k; j++)
    {
      for (gsize i = j + 1; i < self->k; i++)
        b[j * self->k + i] = 0.5 * (b[j * self->k + i] + b[i * self->k + j]);
    }
  dpotrf_ ("L", &k, b, &k, &info, 1);

  return info == 0;
}

/* The squared singular values of Y L⁻ᵀ. */
static gboolean
decompose (Nystrom *self)
{
  const int k = (int) self->k;
  const int room = MAX (4 * k, 64);
  g_autofree double *work = g_new (double, room);
  int info;

  cblas_dgemm (CblasRowMajor, CblasTrans, CblasNoTrans, k, k, (int) self->n, 1.0, self->y, k,
               self->y, k, 0.0, self->vectors, k);
  cblas_dtrsm (CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, k, k, 1.0,
               self->factor, k, self->vectors, k);
  cblas_dtrsm (CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, k, k, 1.0,
               self->factor, k, self->vectors, k);
  dsyev_ ("V", "L", &k, self->vectors, &k, self->values, work, &room, &info, 1, 1);

  return info == 0;
}

/* The eigenvalues of Ω'AΩ, ascending, where only what of Ω is orthogonal to the @known largest
 * directions counts. These are Y L⁻ᵀ w, and what Ω makes of them is L w, so that L⁻ᵀ of the other
 * columns of W spans the rest, on which Ω'AΩ is the identity. */
static double *
look_past (const Nystrom *self,
           gsize          known)
{
  const int k = (int) self->k;
  const int rest = (int) (self->k - known);
  const int room = MAX (4 * k, 64);
  g_autofree double *work = g_new (double, room);
  g_autofree double *basis = g_memdup2 (self->vectors, self->k * (gsize) rest * sizeof (double));
  g_autofree double *inner = g_new (double, (gsize) rest * (gsize) rest);
  g_autofree double *seen = g_new (double, rest);
  int info;

  cblas_dtrsm (CblasColMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, k, rest, 1.0,
               self->factor, k, basis, k);
  cblas_dsyrk (CblasColMajor, CblasLower, CblasTrans, rest, k, 1.0, basis, k, 0.0, inner, rest);
  dsyev_ ("N", "L", &rest, inner, &rest, seen, work, &room, &info, 1, 1);
  if (info != 0 || !(seen[0] > 0.0))
    return NULL;

  for (int i = 0; i < rest / 2; i++)
    {
      double large = seen[i];

      seen[i] = seen[rest - 1 - i];
      seen[rest - 1 - i] = large;
    }
  for (int i = 0; i < rest; i++)
    seen[i] = 1.0 / seen[i];

  return g_steal_pointer (&seen);
}

/* Where d (μ) is k: Nyström's approximation lacks λ μ / (λ + μ) of λ in the mean. (M. Dereziński,
 * F. Liang, Z. Liao and M. W. Mahoney, "Precise expressions for random projections", NeurIPS 2020,
 * arXiv:2006.10653.) */
static double
find_lack (const Nystrom *self)
{
  g_autofree double *seen = look_past (self, 0);
  double inverse = 0.0;

  for (gsize i = 0; seen != NULL && i < self->k; i++)
    inverse += 1.0 / seen[i];

  return inverse > 0.0 ? 1.0 / inverse : 0.0;
}

/* The entropy: of the directions that stand out, by what they would be without their lack; of all
 * others, by what is left of the trace. */
static void
estimate_entropy (TareSpectrum  *self,
                  const Nystrom *nystrom,
                  double         shift)
{
  gsize k = nystrom->k;
  gsize known = 0;
  double lack = find_lack (nystrom);
  double rest = self->trace;
  double least = 0.0;
  g_autofree double *seen = NULL;

  self->entropy = 0.0;
  while (known < MIN (self->n_values, k / 8)
         && self->values[known] > STANDS_OUT * (lack + shift))
    {
      double value = self->values[known++];

      value = 0.5 * (value + sqrt (value * value + 4.0 * value * lack));
      self->entropy += _tare_spectrum_get_term (value, self->trace);
      rest -= value;
    }
  for (gsize i = 0; i < k - known; i++)
    least += MAX (nystrom->values[i] - shift, 0.0);
  rest = MAX (rest, least);

  seen = look_past (nystrom, known);
  if (rest > 0.0)
    {
      double unseen = seen != NULL
                        ? _tare_spectrum_estimate_unseen (seen, k - known, self->n - known)
                        : (double) NAN;

      self->entropy += _tare_spectrum_get_term (rest, self->trace)
                       - rest / self->trace * unseen;
    }
}

/* Where there were as many random vectors as columns. */
static void
sum_entropy (TareSpectrum  *self,
             const Nystrom *nystrom,
             double         shift)
{
  self->entropy = 0.0;
  for (gsize i = 0; i < nystrom->k; i++)
    self->entropy += _tare_spectrum_get_term (nystrom->values[i] - shift, self->trace);
}

/* The largest eigenvalues and what is left, less the shift. Returns whether they are no more than
 * the trace together. */
static gboolean
take_figures (TareSpectrum  *self,
              const Nystrom *nystrom,
              double         shift)
{
  gsize k = nystrom->k;
  double found = 0.0;

  for (gsize i = 0; i < k; i++)
    found += MAX (nystrom->values[i] - shift, 0.0);
  if (!(found <= (1.0 + ROUNDING) * self->trace))
    return FALSE;

  for (gsize i = 0; i < self->n_values; i++)
    self->values[i] = MAX (nystrom->values[k - 1 - i] - shift, 0.0);
  self->error = MAX (self->trace - found, 0.0);
  self->smallest = MIN (self->smallest, MAX (nystrom->values[0] - shift, 0.0));
  if (k < self->n)
    estimate_entropy (self, nystrom, shift);
  else
    sum_entropy (self, nystrom, shift);

  return TRUE;
}

static gboolean
refuse_sketch (gsize        n,
               const char  *what,
               GError     **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "the sketch of a Hessian of %" G_GSIZE_FORMAT " columns %s", n, what);

  return FALSE;
}

/* A sketch may come from a file: Ω'AΩ is symmetric, and its diagonal has the trace of A for mean
 * with no more than 2‖A‖² for variance, of which ‖A‖ is no more than the trace. (M. F. Hutchinson,
 * 1990.) What is not a number is refused by either. */
static gboolean
check_sketch (const Nystrom  *nystrom,
              const float    *sketch,
              double          trace,
              GError        **error)
{
  const int k = (int) nystrom->k;
  double *y = nystrom->y;
  double *b = nystrom->factor;
  double size = 0.0, skew = 0.0, mean = 0.0;

  for (gsize i = 0; i < nystrom->n * nystrom->k; i++)
    y[i] = (double) sketch[i];
  cblas_dgemm (CblasRowMajor, CblasTrans, CblasNoTrans, k, k, (int) nystrom->n, 1.0,
               nystrom->omega, k, y, k, 0.0, b, k);
  for (int i = 0; i < k; i++)
    {
      mean += b[i * k + i] / k;
      for (int j = 0; j < k; j++)
        {
          double d = b[i * k + j] - b[j * k + i];

          size += b[i * k + j] * b[i * k + j];
          skew += d * d;
        }
    }

  if (!(sqrt (skew) <= ROUNDING * sqrt (size)))
    return refuse_sketch (nystrom->n, "is not of a symmetric one", error);

  return fabs (mean - trace) <= DEVIATIONS * sqrt (2.0 / k) * trace
         || refuse_sketch (nystrom->n, "does not fit its diagonal", error);
}

static gboolean
search_sketch (TareSpectrum        *self,
               const float         *sketch,
               gsize                k,
               const TareProgress  *progress,
               GError             **error)
{
  g_autofree float *signs = g_try_malloc_n (self->n * sizeof (float), k);
  g_auto(Nystrom) nystrom = { 0 };
  double shift = (double) FLT_EPSILON
                 * sqrt (_tare_spectrum_sum_squares (sketch, self->n * k) / (double) k);
  gboolean done = FALSE;

  if (signs == NULL || !nystrom_init (&nystrom, self->n, k))
    return _tare_spectrum_refuse_size (self->n, error);

  tare_sketch_fill_signs (signs, self->n, k);
  for (gsize i = 0; i < self->n * k; i++)
    nystrom.omega[i] = (double) signs[i];
  if (!check_sketch (&nystrom, sketch, self->trace, error))
    return FALSE;

  for (int i = 0; i < ATTEMPTS && !done; i++)
    {
      if (!tare_progress_step (progress, (double) i / ATTEMPTS, NULL, error))
        return FALSE;
      shift *= i > 0 ? 10.0 : 1.0;
      done = factorize (&nystrom, sketch, shift);
    }
  if (!done || !decompose (&nystrom))
    return refuse_sketch (self->n, "is not of one without negative eigenvalues", error);
  if (!take_figures (self, &nystrom, shift))
    return refuse_sketch (self->n, "does not fit its diagonal", error);

  return tare_progress_step (progress, 1.0, NULL, error);
}

/**
 * tare_spectrum_of_sketch:
 * @sketch: A Ω of a symmetric matrix A, @n x @n, without negative eigenvalues, and Ω, @n x @k, of
 *   tare_sketch_fill_signs()
 * @diagonal: (array length=n): that of A
 * @n: columns of A
 * @k: those of Ω, no more than @n
 * @progress: (nullable): told of the work and asked whether to go on
 * @error: return location for an error
 *
 * Finds the 32 largest eigenvalues of a matrix that was never held, by Nyström's approximation with
 * a shift: none is overestimated, and the trace, which is exact, bounds by how much they may be too
 * small. The entropy of all is estimated from how the sketch sees the others. (J. A. Tropp,
 * A. Yurtsever, M. Udell and V. Cevher, "Fixed-rank approximation of a positive-semidefinite matrix
 * from streaming data", NIPS 2017, algorithm 3.)
 *
 * Returns: (transfer full): the spectrum, or %NULL with @error set, also where @sketch and
 *   @diagonal are not of one such matrix
 */
TareSpectrum *
tare_spectrum_of_sketch (const float         *sketch,
                         const float         *diagonal,
                         gsize                n,
                         gsize                k,
                         const TareProgress  *progress,
                         GError             **error)
{
  g_autoptr(TareSpectrum) self = NULL;

  g_return_val_if_fail (sketch != NULL && diagonal != NULL && k > 0 && k <= n, NULL);

  self = g_new0 (TareSpectrum, 1);
  self->n = n;
  self->n_values = MIN ((gsize) TARE_SPECTRUM_LARGEST, k);
  self->values = g_new0 (double, self->n_values);
  self->smallest = (double) diagonal[0];
  for (gsize i = 0; i < n; i++)
    {
      self->trace += (double) diagonal[i];
      self->smallest = MIN (self->smallest, (double) diagonal[i]);
    }
  self->entropy = (double) NAN;

  if (self->trace > 0.0 && !search_sketch (self, sketch, k, progress, error))
    return NULL;

  return g_steal_pointer (&self);
}
