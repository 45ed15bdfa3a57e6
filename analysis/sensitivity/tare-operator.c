/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Eigenvalues and spectrum of a matrix from its products with vectors. */
#include "analysis/sensitivity/tare-operator.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/tare-error.h"
#include "quant/tare-memory.h"

/* HAWQ's: Dong et al. (2019), section 3, and the code beside it. */
#define DEFAULT_PRODUCTS  100
#define DEFAULT_TOLERANCE 1e-3

/* Width of the Gaussian that every Ritz value is drawn as, by the spread of the spectrum: the root
 * of PyHessian's 1e-5, Yao et al. (2020). */
#define WIDTH_SHARE 0.0031622776601683795

/* Ritz values below this share of the largest magnitude are rounding, not signs. */
#define ZERO_SHARE 1e-5

/* Runs until a QL step has converged, of which two are usual. */
#define QL_RUNS 64

/* Numbers that are added up at a time. */
#define RUN 4096

/* The finalizer of splitmix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
 * Generators" (2014). */
static guint64
mix (guint64 value)
{
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;

  return value ^ (value >> 31);
}

/**
 * tare_operator_fill_signs_from:
 * @seed: the same numbers for the same seed
 * @first: how many of them to leave out
 * @n: how many to write
 * @v: (out caller-allocates): those of tare_operator_fill_signs() from @first on
 */
void
tare_operator_fill_signs_from (guint64  seed,
                               gsize    first,
                               gsize    n,
                               float   *v)
{
  guint64 key = mix (seed);
  gsize begin = first / 64, end = (first + n + 63) / 64;

#pragma omp parallel for schedule(static) if (n >= RUN)
  for (gsize i = begin; i < end; i++)
    {
      guint64 bits = mix (key + i);

      for (gsize j = MAX (i * 64, first); j < MIN (i * 64 + 64, first + n); j++)
        v[j - first] = (bits >> (j % 64) & 1) != 0 ? 1.0f : -1.0f;
    }
}

/**
 * tare_operator_fill_signs:
 * @seed: the same numbers for the same seed
 * @n: how many
 * @v: (out caller-allocates): 1 or -1, each as likely: Rademacher's distribution
 */
void
tare_operator_fill_signs (guint64  seed,
                          gsize    n,
                          float   *v)
{
  tare_operator_fill_signs_from (seed, 0, n, v);
}

/**
 * tare_operator_fill_gaussian:
 * @seed: the same numbers for the same seed
 * @n: how many
 * @v: (out caller-allocates): of mean 0 and variance 1: Box and Muller (1958)
 */
void
tare_operator_fill_gaussian (guint64  seed,
                             gsize    n,
                             float   *v)
{
  guint64 key = mix (seed ^ 0x5851f42d4c957f2du);

#pragma omp parallel for schedule(static) if (n >= RUN)
  for (gsize i = 0; i < n; i += 2)
    {
      double a = ((double) (mix (key + i) >> 11) + 0.5) * 0x1p-53;
      double b = ((double) (mix (key + i + 1) >> 11) + 0.5) * 0x1p-53;
      double radius = sqrt (-2.0 * log (a));

      v[i] = (float) (radius * cos (2.0 * G_PI * b));
      if (i + 1 < n)
        v[i + 1] = (float) (radius * sin (2.0 * G_PI * b));
    }
}

/* Runs are added up in their order, so that the number of threads does not matter. */
static double
inner (const float *a,
       const float *b,
       gsize        n)
{
  gsize n_runs = (n + RUN - 1) / RUN;
  g_autofree double *sums = g_new (double, MAX (n_runs, 1));
  double sum = 0.0;

#pragma omp parallel for schedule(static) if (n_runs > 1)
  for (gsize i = 0; i < n_runs; i++)
    {
      double part = 0.0;

#pragma omp simd reduction(+:part)
      for (gsize j = i * RUN; j < MIN (n, (i + 1) * RUN); j++)
        part += (double) a[j] * (double) b[j];
      sums[i] = part;
    }
  for (gsize i = 0; i < n_runs; i++)
    sum += sums[i];

  return sum;
}

/* y += factor x */
static void
add_scaled (double       factor,
            const float *x,
            gsize        n,
            float       *y)
{
  cblas_saxpy ((blasint) n, (float) factor, x, 1, y, 1);
}

/* To length 1; what it was. */
static double
normalise (float *v,
           gsize  n)
{
  double length = sqrt (inner (v, v, n));

  if (length > 0.0)
    cblas_sscal ((blasint) n, (float) (1.0 / length), v, 1);

  return length;
}

/* Vectors that fit into what is free, and into what OpenBLAS counts. */
static float *
reserve (gsize    n_vectors,
         gsize    n,
         GError **error)
{
  gsize count = 0, bytes = 0;
  float *data = NULL;

  if (n <= G_MAXINT32 && g_size_checked_mul (&count, MAX (n_vectors, 1), MAX (n, 1))
      && g_size_checked_mul (&bytes, count, sizeof (float))
      && bytes <= tare_memory_get_available ())
    data = g_try_malloc (bytes);
  if (data == NULL)
    g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                 "not enough memory for %" G_GSIZE_FORMAT " vectors of %" G_GSIZE_FORMAT
                 " numbers", n_vectors, n);

  return data;
}

/* What the pairs so far leave of @v: A - Σ λ u u' has the next. */
static void
deflate (const TareEigen *eigen,
         const float     *v,
         float           *product)
{
  for (gsize i = 0; i < eigen->n_pairs; i++)
    {
      const float *u = eigen->vectors + i * eigen->n;

      add_scaled (-eigen->values[i] * inner (u, v, eigen->n), u, eigen->n, product);
    }
}

/* The pair after those that are there, in whose place its vector grows. */
static gboolean
find_pair (const TareOperator  *self,
           const TareEigen     *eigen,
           gsize                maximum,
           double               tolerance,
           guint64              seed,
           float               *product,
           TareEigen           *found,
           const TareProgress  *progress,
           GError             **error)
{
  gsize index = eigen->n_pairs, n = eigen->n;
  float *v = eigen->vectors + index * n;
  double value = 0.0;

  tare_operator_fill_gaussian (seed, n, v);
  normalise (v, n);
  for (gsize i = 0; i < maximum; i++)
    {
      TareProgress part = tare_progress_part (progress, (double) i / (double) maximum,
                                              (double) (i + 1) / (double) maximum);
      double last = value, square;

      if (!self->apply (self->data, v, product, &part, error))
        return FALSE;
      found->n_products++;
      deflate (eigen, v, product);
      value = inner (v, product, n);
      square = inner (product, product, n);
      found->values[index] = value;
      found->residuals[index] = sqrt (MAX (square - value * value, 0.0));
      if (square <= 0.0 || (i > 0 && fabs (value - last) <= tolerance * fabs (value)))
        break;

      memcpy (v, product, n * sizeof *v);
      normalise (v, n);
    }

  return TRUE;
}

/**
 * tare_operator_find_eigen:
 * @self: a symmetric matrix
 * @options: (nullable): how, %NULL for the defaults
 * @progress: (nullable): the progress
 * @error: cancelled, memory, or what a product reports
 *
 * Power iteration from a Gaussian vector; each pair that is found is taken away before the next is
 * looked for. What is found is largest in magnitude: where the matrix is indefinite, it may be
 * negative.
 *
 * Returns: (transfer full): the pairs, %NULL on error
 */
TareEigen *
tare_operator_find_eigen (const TareOperator      *self,
                          const TareEigenOptions  *options,
                          const TareProgress      *progress,
                          GError                 **error)
{
  const TareEigenOptions defaults = { 0 };
  g_autoptr(TareEigen) eigen = NULL;
  g_autofree float *product = NULL;
  gsize n_pairs, maximum;
  double tolerance;

  g_return_val_if_fail (self != NULL && self->n > 0, NULL);

  if (options == NULL)
    options = &defaults;

  n_pairs = MIN (MAX (options->n_pairs, 1), self->n);
  maximum = options->maximum_products > 0 ? options->maximum_products : DEFAULT_PRODUCTS;
  tolerance = options->tolerance > 0.0 ? options->tolerance : DEFAULT_TOLERANCE;

  eigen = g_new0 (TareEigen, 1);
  eigen->n = self->n;
  eigen->values = g_new0 (double, n_pairs);
  eigen->residuals = g_new0 (double, n_pairs);
  eigen->vectors = reserve (n_pairs, self->n, error);
  if (eigen->vectors == NULL || (product = reserve (1, self->n, error)) == NULL)
    return NULL;

  for (gsize i = 0; i < n_pairs; i++)
    {
      TareProgress part = tare_progress_part (progress, (double) i / (double) n_pairs,
                                              (double) (i + 1) / (double) n_pairs);

      if (!find_pair (self, eigen, maximum, tolerance, options->seed + i, product, eigen, &part,
                      error))
        return NULL;
      eigen->n_pairs++;
    }

  return g_steal_pointer (&eigen);
}

/**
 * tare_eigen_free:
 * @eigen: (nullable): pairs
 */
void
tare_eigen_free (TareEigen *eigen)
{
  if (eigen == NULL)
    return;

  g_free (eigen->values);
  g_free (eigen->residuals);
  g_free (eigen->vectors);
  g_free (eigen);
}

/* One rotation of the QL step between rows i and i + 1. */
typedef struct
{
  double sine;
  double cosine;
  double shift;
  double g;
} Turn;

/* Chases the bulge from @last up to @first; FALSE where it vanished on the way. */
static gboolean
chase (double *diagonal,
       double *off,
       double *first_row,
       gsize   first,
       gsize   last,
       Turn   *turn)
{
  for (gsize i = last; i-- > first;)
    {
      double f = turn->sine * off[i], b = turn->cosine * off[i], r = hypot (f, turn->g), g;

      off[i + 1] = r;
      if (r == 0.0)
        {
          diagonal[i + 1] -= turn->shift;
          off[last] = 0.0;
          return FALSE;
        }

      turn->sine = f / r;
      turn->cosine = turn->g / r;
      g = diagonal[i + 1] - turn->shift;
      r = (diagonal[i] - g) * turn->sine + 2.0 * turn->cosine * b;
      turn->shift = turn->sine * r;
      diagonal[i + 1] = g + turn->shift;
      turn->g = turn->cosine * r - b;

      f = first_row[i + 1];
      first_row[i + 1] = turn->sine * first_row[i] + turn->cosine * f;
      first_row[i] = turn->cosine * first_row[i] - turn->sine * f;
    }

  return TRUE;
}

/* Where the part that @first begins falls off from the rest. */
static gsize
find_end (const double *diagonal,
          const double *off,
          gsize         first,
          gsize         n)
{
  gsize end = first;

  while (end + 1 < n
         && fabs (off[end]) > DBL_EPSILON * (fabs (diagonal[end]) + fabs (diagonal[end + 1])))
    end++;

  return end;
}

/* Eigenvalues of a tridiagonal matrix in place of @diagonal, the first elements of its vectors in
 * @first_row; @off is lost. Implicit QL: Bowdler, Martin, Reinsch and Wilkinson (1968). */
static void
solve_tridiagonal (double *diagonal,
                   double *off,
                   gsize   n,
                   double *first_row)
{
  memset (first_row, 0, n * sizeof *first_row);
  first_row[0] = 1.0;

  for (gsize first = 0; first < n; first++)
    for (gsize run = 0; run < QL_RUNS; run++)
      {
        gsize last = find_end (diagonal, off, first, n);
        double g, r;
        Turn turn;

        if (last == first)
          break;

        g = (diagonal[first + 1] - diagonal[first]) / (2.0 * off[first]);
        r = hypot (g, 1.0);
        turn = (Turn) { 1.0, 1.0, 0.0,
                        diagonal[last] - diagonal[first] + off[first] / (g + copysign (r, g)) };
        if (!chase (diagonal, off, first_row, first, last, &turn))
          continue;

        diagonal[first] -= turn.shift;
        off[first] = turn.g;
        off[last] = 0.0;
      }
}

/* Takes from @v what it has of @n_basis vectors, twice, since once leaves rounding. */
static void
orthogonalise (const float        *basis,
               gsize               n_basis,
               gsize               n,
               float              *v,
               const TareProgress *progress)
{
  for (gsize run = 0; run < 2; run++)
    for (gsize i = 0; i < n_basis && !tare_progress_cancelled (progress); i++)
      add_scaled (-inner (basis + i * n, v, n), basis + i * n, n, v);
}

/* One run from a random vector: nodes, and the squares of the first elements as their weights. */
static gboolean
run_lanczos (const TareOperator  *self,
             gsize                n_steps,
             guint64              seed,
             float               *basis,
             double              *diagonal,
             double              *first_row,
             gsize               *n_done,
             const TareProgress  *progress,
             GError             **error)
{
  g_autofree double *off = g_new0 (double, n_steps + 1);
  gsize n = self->n;

  tare_operator_fill_signs (seed, n, basis);
  normalise (basis, n);
  for (*n_done = 0; *n_done < n_steps;)
    {
      gsize i = *n_done;
      float *v = basis + i * n, *next = v + n;
      TareProgress part = tare_progress_part (progress, (double) i / (double) n_steps,
                                              (double) (i + 1) / (double) n_steps);
      double scale = 0.0;

      if (!self->apply (self->data, v, next, &part, error))
        return FALSE;
      scale = sqrt (inner (next, next, n));
      diagonal[i] = inner (v, next, n);
      (*n_done)++;
      orthogonalise (basis, i + 1, n, next, progress);
      if (!tare_progress_step (&part, 1.0, NULL, error))
        return FALSE;
      off[i] = normalise (next, n);
      /* The vectors so far span all that the first one has a part in. */
      if (!(off[i] > 1e-6 * scale))
        break;
    }

  solve_tridiagonal (diagonal, off, *n_done, first_row);

  return TRUE;
}

static int
compare_nodes (gconstpointer a,
               gconstpointer b)
{
  const double *first = a, *second = b;

  return (first[0] > second[0]) - (first[0] < second[0]);
}

/* @nodes: pairs of a node and its weight, @n of them. */
static TareEigenDensity *
make_density (double *nodes,
               gsize   n,
               gsize   size)
{
  TareEigenDensity *density = g_new0 (TareEigenDensity, 1);
  double largest = 0.0;

  qsort (nodes, n, 2 * sizeof *nodes, compare_nodes);
  density->n_nodes = n;
  density->nodes = g_new (double, n);
  density->weights = g_new (double, n);
  for (gsize i = 0; i < n; i++)
    {
      density->nodes[i] = nodes[2 * i];
      density->weights[i] = nodes[2 * i + 1];
      density->trace += (double) size * nodes[2 * i] * nodes[2 * i + 1];
      largest = MAX (largest, fabs (nodes[2 * i]));
    }
  density->lowest = density->nodes[0];
  density->highest = density->nodes[n - 1];
  for (gsize i = 0; i < n; i++)
    if (density->nodes[i] < -ZERO_SHARE * largest)
      density->negative += density->weights[i];

  return density;
}

/**
 * tare_operator_find_density:
 * @self: a symmetric matrix
 * @n_steps: products of one run; 0 for 100
 * @n_runs: random vectors to begin at; 0 for one
 * @seed: of them
 * @progress: (nullable): the progress
 * @error: cancelled, memory for n_steps vectors, or what a product reports
 *
 * Stochastic Lanczos quadrature with full reorthogonalisation: Ghorbani, Krishnan and Xiao, "An
 * Investigation into Neural Net Optimization via Hessian Eigenvalue Density" (2019); Yao et al.,
 * "PyHessian" (2020).
 *
 * Returns: (transfer full): the spectrum, %NULL on error
 */
TareEigenDensity *
tare_operator_find_density (const TareOperator  *self,
                             gsize                n_steps,
                             gsize                n_runs,
                             guint64              seed,
                             const TareProgress  *progress,
                             GError             **error)
{
  g_autofree double *nodes = NULL, *diagonal = NULL, *first_row = NULL;
  g_autofree float *basis = NULL;
  gsize n = 0;

  g_return_val_if_fail (self != NULL && self->n > 0, NULL);

  n_steps = MIN (n_steps > 0 ? n_steps : DEFAULT_PRODUCTS, self->n);
  n_runs = MAX (n_runs, 1);
  basis = reserve (n_steps + 1, self->n, error);
  if (basis == NULL)
    return NULL;

  nodes = g_new (double, 2 * n_steps * n_runs);
  diagonal = g_new (double, n_steps);
  first_row = g_new (double, n_steps);
  for (gsize run = 0; run < n_runs; run++)
    {
      TareProgress part = tare_progress_part (progress, (double) run / (double) n_runs,
                                              (double) (run + 1) / (double) n_runs);
      gsize n_done;

      if (!run_lanczos (self, n_steps, seed + run, basis, diagonal, first_row, &n_done, &part,
                        error))
        return NULL;
      for (gsize i = 0; i < n_done; i++, n++)
        {
          nodes[2 * n] = diagonal[i];
          nodes[2 * n + 1] = first_row[i] * first_row[i] / (double) n_runs;
        }
    }

  return make_density (nodes, n, self->n);
}

/**
 * tare_eigen_density_free:
 * @density: (nullable): a spectrum
 */
void
tare_eigen_density_free (TareEigenDensity *density)
{
  if (density == NULL)
    return;

  g_free (density->nodes);
  g_free (density->weights);
  g_free (density);
}

/**
 * tare_eigen_density_get:
 * @density: a spectrum
 * @x: an eigenvalue
 *
 * Every node is drawn as a Gaussian, 0.3 % of the spectrum's spread wide.
 *
 * Returns: the share of eigenvalues per unit at @x
 */
double
tare_eigen_density_get (const TareEigenDensity *density,
                           double              x)
{
  double span = density->highest - density->lowest;
  double width = WIDTH_SHARE * (span > 0.0 ? span : MAX (fabs (density->highest), 1.0));
  double sum = 0.0;

  for (gsize i = 0; i < density->n_nodes; i++)
    {
      double distance = (x - density->nodes[i]) / width;

      sum += density->weights[i] * exp (-0.5 * distance * distance);
    }

  return sum / (width * sqrt (2.0 * G_PI));
}
