/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The largest eigenvalues of a matrix that is too wide for all, and what the others are like. */
#include "analysis/statistics/tare-spectrum-private.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/tare-lapack.h"

/* They are found in a space of a few more dimensions, after some rounds. (Halko,
 * Martinsson and Tropp, "Finding structure with randomness", arXiv:0909.4061, algorithm 4.4.) */
#define SPACE   72
#define ROUNDS  4

/* Of those that are not found, a mean is: by so many steps of Lanczos from each of SPACE vectors,
 * which weigh what they meet as the mean over all does. */
#define STEPS 10

/* A Lanczos vector this much shorter than the one before is noise: the space is used up. */
#define USED_UP 1e-5

/* Weights that are read at a time, 8 MB of floats. */
#define TILE_WEIGHTS (1 << 21)

/* What a symmetric matrix does to vectors: z and out are SPACE x n, a vector in each row. */
typedef struct _Operator Operator;

struct _Operator
{
  gboolean        (*apply) (const Operator      *self,
                            const float         *z,
                            float               *out,
                            const TareProgress  *progress,
                            GError             **error);
  gsize             n;
  const float      *matrix;
  const TareTensor *tensor;
};

static gboolean
apply_matrix (const Operator      *self,
              const float         *z,
              float               *out,
              const TareProgress  *progress,
              GError             **error)
{
  int n = (int) self->n;

  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, SPACE, n, n, 1.0f, z, n, self->matrix, n,
               0.0f, out, n);

  return tare_progress_step (progress, 1.0, NULL, error);
}

/* W'W, a few rows of W at a time. */
static gboolean
apply_tensor (const Operator      *self,
              const float         *z,
              float               *out,
              const TareProgress  *progress,
              GError             **error)
{
  const TareTensor *tensor = self->tensor;
  int n = (int) self->n;
  gsize rows = MAX (TILE_WEIGHTS / self->n, 1);
  g_autofree float *w = g_try_malloc_n (rows * sizeof (float), self->n);
  g_autofree float *y = g_try_malloc_n (rows * sizeof (float), SPACE);

  if (w == NULL || y == NULL)
    return _tare_spectrum_refuse_size (self->n, error);

  memset (out, 0, SPACE * self->n * sizeof *out);
  for (gsize first = 0; first < tensor->rows; first += rows)
    {
      int count = (int) MIN (rows, tensor->rows - first);

      if (!tare_progress_step (progress, (double) first / (double) tensor->rows, NULL, error)
          || !tare_tensor_read_rows (tensor, first, (gsize) count, w, error))
        return FALSE;

      tare_tensor_release_rows (tensor, first, (gsize) count);
      cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, count, SPACE, n, 1.0f, w, n, z, n,
                   0.0f, y, SPACE);
      cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, SPACE, n, count, 1.0f, y, SPACE, w, n,
                   1.0f, out, n);
    }

  return TRUE;
}

/* Makes the rows of z orthonormal. */
static void
make_orthonormal (float *z,
                  gsize  n)
{
  const int rows = (int) n;
  const int columns = SPACE;
  const int room = SPACE * 64;
  g_autofree float *work = g_new (float, room);
  float tau[SPACE];
  int info;

  sgeqrf_ (&rows, &columns, z, &rows, tau, work, &room, &info);
  sorgqr_ (&rows, &columns, &columns, z, &rows, tau, work, &room, &info);
}

/* A coin that is always the same, -1 or 1. (D. E. Knuth, MMIX.) */
static void
fill_signs (float   *z,
            gsize    n,
            guint64  state)
{
  for (gsize i = 0; i < n; i++)
    {
      state = state * G_GUINT64_CONSTANT (6364136223846793005)
              + G_GUINT64_CONSTANT (1442695040888963407);
      z[i] = state >> 63 != 0 ? 1.0f : -1.0f;
    }
}

/* Rayleigh and Ritz: the eigenvalues of the matrix as the rows of z see it, where az is what it
 * makes of them. The distance of A v from θ v bounds that of θ from an eigenvalue. */
static void
take_values (TareSpectrum *self,
             const float  *z,
             const float  *az,
             double        values[SPACE])
{
  const int size = SPACE;
  const int room = SPACE * SPACE;
  gsize n = self->n;
  g_autofree double *seen = g_new (double, SPACE * SPACE);
  g_autofree double *work = g_new (double, room);
  int info;

  for (gsize i = 0; i < SPACE; i++)
    {
      for (gsize j = 0; j <= i; j++)
        seen[j * SPACE + i] = cblas_dsdot ((int) n, z + i * n, 1, az + j * n, 1);
    }
  dsyev_ ("V", "L", &size, seen, &size, values, work, &room, &info, 1, 1);

  for (gsize k = 0; k < self->n_values; k++)
    {
      const double *vector = seen + (SPACE - 1 - k) * SPACE;
      double value = values[SPACE - 1 - k];
      double residual = 0.0;

#pragma omp parallel for reduction(+:residual)
      for (gsize i = 0; i < n; i++)
        {
          double d = 0.0;

          for (gsize j = 0; j < SPACE; j++)
            d += vector[j] * ((double) az[j * n + i] - value * (double) z[j * n + i]);
          residual += d * d;
        }

      self->values[k] = value;
      self->error = MAX (self->error, sqrt (residual));
    }
}

/* SPACE walks of Lanczos at once, in what is orthogonal to the rows of @basis. */
typedef struct
{
  gsize        n;
  const float *basis;
  float       *v;
  float       *before;
  float       *w;
  double       alpha[SPACE][STEPS];
  double       beta[SPACE][STEPS];
  int          steps[SPACE];
} Walks;

static void
walks_clear (Walks *self)
{
  g_free (self->v);
  g_free (self->before);
  g_free (self->w);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Walks, walks_clear)

/* Takes out of the rows of @x what lies in the basis. */
static void
project_out (const Walks *self,
             float       *x)
{
  int n = (int) self->n;
  g_autofree float *parts = g_new (float, SPACE * SPACE);

  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, SPACE, SPACE, n, 1.0f, x, n, self->basis, n,
               0.0f, parts, SPACE);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, SPACE, n, SPACE, -1.0f, parts, SPACE,
               self->basis, n, 1.0f, x, n);
}

static gboolean
walks_init (Walks       *self,
            gsize        n,
            const float *basis)
{
  self->n = n;
  self->basis = basis;
  self->v = g_try_malloc_n (n * sizeof (float), SPACE);
  self->before = g_try_malloc0_n (n * sizeof (float), SPACE);
  self->w = g_try_malloc_n (n * sizeof (float), SPACE);
  if (self->v == NULL || self->before == NULL || self->w == NULL)
    return FALSE;

  fill_signs (self->v, SPACE * n, 2);
  project_out (self, self->v);
  for (gsize i = 0; i < SPACE; i++)
    {
      float *row = self->v + i * n;

      cblas_sscal ((int) n, (float) (1.0 / sqrt (_tare_spectrum_sum_squares (row, n))), row, 1);
    }

  return TRUE;
}

/* Of one walk: w is what the matrix makes of v. */
static void
take_step (Walks *self,
           gsize  walk,
           int    step)
{
  gsize n = self->n;
  float *v = self->v + walk * n;
  float *w = self->w + walk * n;
  float *before = self->before + walk * n;
  double alpha = cblas_dsdot ((int) n, v, 1, w, 1);
  double beta = step > 0 ? self->beta[walk][step - 1] : 0.0;
  double length;

  if (self->steps[walk] < step)
    return;

  for (gsize i = 0; i < n; i++)
    w[i] -= (float) (alpha * (double) v[i] + beta * (double) before[i]);
  length = sqrt (_tare_spectrum_sum_squares (w, n));
  self->alpha[walk][step] = alpha;
  self->beta[walk][step] = length;
  self->steps[walk] = step + 1;
  if (!(length > USED_UP * (fabs (alpha) + beta)))
    self->steps[walk] = -(step + 1);

  memcpy (before, v, n * sizeof *v);
  for (gsize i = 0; i < n && length > 0.0; i++)
    v[i] = (float) ((double) w[i] / length);
}

/* The eigenvalues that a walk has met and how much each weighs in the mean over all. */
static int
read_walk (const Walks *self,
           gsize        walk,
           double       values[STEPS],
           double       weights[STEPS])
{
  const int n = abs (self->steps[walk]);
  const int room = STEPS * STEPS;
  double matrix[STEPS * STEPS] = { 0.0 };
  double work[STEPS * STEPS];
  int info;

  for (int i = 0; i < n; i++)
    {
      matrix[i * n + i] = self->alpha[walk][i];
      if (i + 1 < n)
        matrix[i * n + i + 1] = self->beta[walk][i];
    }
  dsyev_ ("V", "L", &n, matrix, &n, values, work, &room, &info, 1, 1);
  for (int i = 0; i < n; i++)
    weights[i] = matrix[i * n] * matrix[i * n];

  return n;
}

/* Adds the entropy of what the basis does not span: the mean of its terms over the walks, where the
 * eigenvalues are drawn to the trace that is left, which is known exactly. (S. Ubaru, J. Chen and
 * Y. Saad, "Fast estimation of tr (f (A)) via stochastic Lanczos quadrature", SIMAX 2017.) */
static void
add_rest (TareSpectrum *self,
          const Walks  *walks,
          double        rest)
{
  double count = (double) (walks->n - SPACE);
  double mean = 0.0;
  double sum = 0.0;
  double values[STEPS], weights[STEPS];

  for (gsize i = 0; i < SPACE; i++)
    {
      int n = read_walk (walks, i, values, weights);

      for (int k = 0; k < n; k++)
        {
          mean += weights[k] * MAX (values[k], 0.0) / SPACE;
          self->smallest = MIN (self->smallest, values[k]);
        }
    }
  if (!(mean > 0.0) || !(rest > 0.0))
    return;

  for (gsize i = 0; i < SPACE; i++)
    {
      int n = read_walk (walks, i, values, weights);

      for (int k = 0; k < n; k++)
        sum += weights[k] * _tare_spectrum_get_term (values[k] * rest / (count * mean),
                                                     self->trace);
    }
  self->entropy += count * sum / SPACE;
}

/* What the eigenvalues that are not in the space of @z are like. */
static gboolean
survey_rest (TareSpectrum        *self,
             const Operator      *operator,
             const float         *z,
             const double         values[SPACE],
             const TareProgress  *progress,
             GError             **error)
{
  g_auto(Walks) walks = { 0 };
  double rest = self->trace;

  if (!walks_init (&walks, self->n, z))
    return _tare_spectrum_refuse_size (self->n, error);

  for (int step = 0; step < STEPS; step++)
    {
      TareProgress part = tare_progress_part (progress, (double) step / STEPS,
                                              (step + 1.0) / STEPS);

      if (!operator->apply (operator, walks.v, walks.w, &part, error))
        return FALSE;
      project_out (&walks, walks.w);
#pragma omp parallel for
      for (gsize i = 0; i < SPACE; i++)
        take_step (&walks, i, step);
    }

  self->smallest = values[0];
  for (gsize i = 0; i < SPACE; i++)
    {
      self->entropy += _tare_spectrum_get_term (values[i], self->trace);
      rest -= MAX (values[i], 0.0);
    }
  add_rest (self, &walks, rest);

  return TRUE;
}

static gboolean
find_largest (TareSpectrum        *self,
              const Operator      *operator,
              const TareProgress  *progress,
              GError             **error)
{
  g_autofree float *z = g_try_malloc_n (self->n * sizeof (float), SPACE);
  g_autofree float *az = g_try_malloc_n (self->n * sizeof (float), SPACE);
  TareProgress first = tare_progress_part (progress, 0.0, 0.3);
  TareProgress second = tare_progress_part (progress, 0.3, 1.0);
  double values[SPACE];

  if (z == NULL || az == NULL)
    return _tare_spectrum_refuse_size (self->n, error);

  fill_signs (z, SPACE * self->n, 1);
  for (int i = 0; i <= ROUNDS; i++)
    {
      TareProgress part = tare_progress_part (&first, i / (ROUNDS + 1.0),
                                              (i + 1) / (ROUNDS + 1.0));

      make_orthonormal (z, self->n);
      if (!operator->apply (operator, z, az, &part, error))
        return FALSE;
      if (i < ROUNDS)
        memcpy (z, az, SPACE * self->n * sizeof *z);
    }
  take_values (self, z, az, values);

  return survey_rest (self, operator, z, values, &second, error);
}

/* Of @a, whose trace is known. */
gboolean
_tare_spectrum_search_matrix (TareSpectrum        *self,
                              const float         *a,
                              const TareProgress  *progress,
                              GError             **error)
{
  const Operator operator = { .apply = apply_matrix, .n = self->n, .matrix = a };

  return find_largest (self, &operator, progress, error);
}

static gboolean
add_squares (const TareTensor  *tensor,
             double            *sum,
             GError           **error)
{
  gsize rows = MAX (TILE_WEIGHTS / tensor->columns, 1);
  g_autofree float *w = g_try_malloc_n (rows * sizeof (float), tensor->columns);

  if (w == NULL)
    return _tare_spectrum_refuse_size (tensor->columns, error);

  for (gsize first = 0; first < tensor->rows; first += rows)
    {
      gsize count = MIN (rows, tensor->rows - first);

      if (!tare_tensor_read_rows (tensor, first, count, w, error))
        return FALSE;
      *sum += _tare_spectrum_sum_squares (w, count * tensor->columns);
    }

  return TRUE;
}

/* Of W'W, and its trace. What is beyond the shorter side is nothing. */
gboolean
_tare_spectrum_search_tensor (TareSpectrum        *self,
                              const TareTensor    *tensor,
                              const TareProgress  *progress,
                              GError             **error)
{
  const Operator operator = { .apply = apply_tensor, .n = tensor->columns, .tensor = tensor };
  gsize side = self->n;

  self->n = tensor->columns;
  if (!add_squares (tensor, &self->trace, error)
      || !find_largest (self, &operator, progress, error))
    return FALSE;
  self->n = side;

  return TRUE;
}
