/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-spectrum-private.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/tare-error.h"
#include "quant/tare-lapack.h"

/* All eigenvalues up to this size: a second or two on two cores. */
#define MOST_EXACT 2048

/* Of a tensor, whose Gram matrix must be formed first. */
#define MOST_EXACT_SIDE 1024

/* Columns that are reduced between two looks at the progress: as many products of a vector. */
#define LEAST_PANEL 8
#define MOST_PANEL  32
#define PANEL_SIZE  32768

/* Rows of one product in binary32. */
#define TILE_ROWS 512

static TareSpectrum *
spectrum_new (gsize n,
              gsize n_values)
{
  TareSpectrum *self = g_new0 (TareSpectrum, 1);

  self->n = n;
  self->n_values = n_values;
  self->values = g_new0 (double, MAX (n_values, 1));

  return self;
}

/**
 * tare_spectrum_free:
 * @self: (transfer full): the spectrum
 */
void
tare_spectrum_free (TareSpectrum *self)
{
  g_return_if_fail (self != NULL);

  g_free (self->values);
  g_free (self);
}

double
_tare_spectrum_sum_squares (const float *x,
                            gsize        n)
{
  double sum = 0.0;

  for (gsize i = 0; i < n; i++)
    sum += (double) x[i] * (double) x[i];

  return sum;
}

gboolean
_tare_spectrum_refuse_size (gsize    n,
                            GError **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
               "no memory for the spectrum of a matrix of %" G_GSIZE_FORMAT " columns", n);

  return FALSE;
}

/* The matrix between two panels: columns up to @first are reduced to @d and @e. */
typedef struct
{
  int     n;
  int     first;
  double *a;
  double *d;
  double *e;
  double *tau;
  double *w;
} Reduction;

static void
reduction_clear (Reduction *self)
{
  g_free (self->a);
  g_free (self->d);
  g_free (self->e);
  g_free (self->tau);
  g_free (self->w);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reduction, reduction_clear)

static gboolean
reduction_init (Reduction *self,
                gsize      n)
{
  *self = (Reduction) { .n = (int) n };
  self->a = g_try_malloc_n (n * sizeof (double), n);
  self->d = g_new (double, n);
  self->e = g_new (double, n);
  self->tau = g_new (double, n);
  self->w = g_new (double, n * MOST_PANEL);

  return self->a != NULL;
}

/* What dsytrd does between two panels, so that it can be stopped there: reduces a few columns, then
 * takes them out of what remains, A -= V W' + W V'. */
static void
reduce_panel (Reduction *self,
              int        columns)
{
  int n = self->n;
  int rest = n - self->first;
  double *corner = self->a + (gsize) self->first * n + self->first;
  double *below = corner + (gsize) columns * n + columns;

  dlatrd_ ("L", &rest, &columns, corner, &n, self->e + self->first, self->tau + self->first,
           self->w, &n, 1);
  cblas_dsyr2k (CblasColMajor, CblasLower, CblasNoTrans, rest - columns, columns, -1.0,
                corner + columns, n, self->w + columns, n, 1.0, below, n);
  for (int i = self->first; i < self->first + columns; i++)
    self->d[i] = self->a[(gsize) i * n + i];

  self->first += columns;
}

/* Eigenvalues of @reduction's matrix, of which the lower triangle counts, into @values,
 * descending. */
static gboolean
find_eigenvalues (Reduction           *reduction,
                  double              *values,
                  const TareProgress  *progress,
                  GError             **error)
{
  int n = reduction->n;
  int columns = CLAMP (PANEL_SIZE / n, LEAST_PANEL, MOST_PANEL);
  int rest;
  int info = 0;

  while (n - reduction->first > MOST_PANEL)
    {
      double left = (double) (n - reduction->first) / n;

      if (!tare_progress_step (progress, 1.0 - left * left * left, NULL, error))
        return FALSE;
      reduce_panel (reduction, columns);
    }

  rest = n - reduction->first;
  dsytrd_ ("L", &rest, reduction->a + (gsize) reduction->first * n + reduction->first, &n,
           reduction->d + reduction->first, reduction->e + reduction->first,
           reduction->tau + reduction->first, reduction->w, &n, &info, 1);
  dsterf_ (&n, reduction->d, reduction->e, &info);
  if (info != 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "the eigenvalues of a matrix of %d rows were not found", n);
      return FALSE;
    }

  for (int i = 0; i < n; i++)
    values[i] = reduction->d[n - 1 - i];

  return tare_progress_step (progress, 1.0, NULL, error);
}

/* The part of an eigenvalue in the entropy of the shares. */
double
_tare_spectrum_get_term (double value,
                         double trace)
{
  double share = value > 0.0 ? value / trace : 0.0;

  return share > 0.0 ? -share * log (share) : 0.0;
}

/* Where all eigenvalues are known. */
static void
sum_up (TareSpectrum *self)
{
  double sum = 0.0;

  for (gsize i = 0; i < self->n; i++)
    sum += MAX (self->values[i], 0.0);
  self->entropy = sum > 0.0 ? 0.0 : (double) NAN;
  for (gsize i = 0; i < self->n; i++)
    self->entropy += _tare_spectrum_get_term (self->values[i], sum);
  self->smallest = self->values[self->n - 1];
}

/**
 * tare_spectrum_of_symmetric:
 * @a: a symmetric matrix, @n x @n, without negative eigenvalues
 * @n: its columns
 * @progress: (nullable): told of the work and asked whether to go on
 * @error: return location for an error
 *
 * Finds all eigenvalues, in binary64, up to 2048 columns; beyond, the 32 largest in binary32, by
 * rounds of multiplication of a random space, and how far they may be off, with an estimate of what
 * the others are like.
 *
 * Returns: (transfer full): the spectrum, or %NULL with @error set
 */
TareSpectrum *
tare_spectrum_of_symmetric (const float         *a,
                            gsize                n,
                            const TareProgress  *progress,
                            GError             **error)
{
  g_autoptr(TareSpectrum) self = NULL;
  g_auto(Reduction) reduction = { 0 };

  g_return_val_if_fail (a != NULL && n > 0, NULL);

  self = spectrum_new (n, n <= MOST_EXACT ? n : TARE_SPECTRUM_LARGEST);
  for (gsize i = 0; i < n; i++)
    self->trace += (double) a[i * n + i];

  if (n > MOST_EXACT)
    return _tare_spectrum_search_matrix (self, a, progress, error) ? g_steal_pointer (&self)
                                                                   : NULL;

  if (!reduction_init (&reduction, n))
    {
      _tare_spectrum_refuse_size (n, error);
      return NULL;
    }
  for (gsize i = 0; i < n * n; i++)
    reduction.a[i] = (double) a[i];

  if (!find_eigenvalues (&reduction, self->values, progress, error))
    return NULL;
  sum_up (self);

  return g_steal_pointer (&self);
}

/* Adds the lower triangle of a product in binary32 to one in binary64; both in columns. */
static void
add_triangle (double      *sums,
              const float *product,
              gsize        n)
{
#pragma omp parallel for schedule(dynamic, 16)
  for (gsize j = 0; j < n; j++)
    {
      for (gsize i = j; i < n; i++)
        sums[j * n + i] += (double) product[j * n + i];
    }
}

/* W'W of a tall matrix, into the lower triangle of @gram. */
static gboolean
form_tall (const TareTensor    *tensor,
           double              *gram,
           double              *trace,
           const TareProgress  *progress,
           GError             **error)
{
  gsize n = tensor->columns;
  g_autofree float *w = g_try_malloc_n (TILE_ROWS * sizeof (float), n);
  g_autofree float *product = g_try_malloc_n (n * sizeof (float), n);

  if (w == NULL || product == NULL)
    return _tare_spectrum_refuse_size (n, error);

  for (gsize first = 0; first < tensor->rows; first += TILE_ROWS)
    {
      gsize count = MIN ((gsize) TILE_ROWS, tensor->rows - first);

      if (!tare_progress_step (progress, (double) first / (double) tensor->rows, NULL, error)
          || !tare_tensor_read_rows (tensor, first, count, w, error))
        return FALSE;

      tare_tensor_release_rows (tensor, first, count);
      *trace += _tare_spectrum_sum_squares (w, count * n);
      cblas_ssyrk (CblasColMajor, CblasLower, CblasNoTrans, (int) n, (int) count, 1.0f, w, (int) n,
                   0.0f, product, (int) n);
      add_triangle (gram, product, n);
    }

  return TRUE;
}

/* WW' of a wide matrix, which is read whole. */
static gboolean
form_wide (const TareTensor    *tensor,
           double              *gram,
           double              *trace,
           const TareProgress  *progress,
           GError             **error)
{
  gsize n = tensor->rows;
  gsize columns = tensor->columns;
  g_autofree float *w = g_try_malloc_n (n * sizeof (float), columns);
  g_autofree float *product = g_try_malloc_n (n * sizeof (float), n);

  if (w == NULL || product == NULL)
    return _tare_spectrum_refuse_size (columns, error);
  if (!tare_tensor_read (tensor, w, error))
    return FALSE;

  *trace = _tare_spectrum_sum_squares (w, n * columns);
  for (gsize first = 0; first < columns; first += TILE_ROWS)
    {
      if (!tare_progress_step (progress, (double) first / (double) columns, NULL, error))
        return FALSE;

      cblas_ssyrk (CblasColMajor, CblasLower, CblasTrans, (int) n,
                   (int) MIN ((gsize) TILE_ROWS, columns - first), 1.0f, w + first, (int) columns,
                   0.0f, product, (int) n);
      add_triangle (gram, product, n);
    }

  return TRUE;
}

static gboolean
find_all_of_tensor (TareSpectrum        *self,
                    const TareTensor    *tensor,
                    const TareProgress  *progress,
                    GError             **error)
{
  TareProgress first = tare_progress_part (progress, 0.0, 0.5);
  TareProgress second = tare_progress_part (progress, 0.5, 1.0);
  g_auto(Reduction) reduction = { 0 };

  if (!reduction_init (&reduction, self->n))
    return _tare_spectrum_refuse_size (self->n, error);
  memset (reduction.a, 0, self->n * self->n * sizeof (double));

  if (!(tensor->columns <= tensor->rows
        ? form_tall (tensor, reduction.a, &self->trace, &first, error)
        : form_wide (tensor, reduction.a, &self->trace, &first, error))
      || !find_eigenvalues (&reduction, self->values, &second, error))
    return FALSE;
  sum_up (self);

  return TRUE;
}

/**
 * tare_spectrum_of_tensor:
 * @tensor: a matrix
 * @progress: (nullable): told of the work and asked whether to go on
 * @error: return location for an error
 *
 * Finds the squares of a matrix's singular values: all of them where its shorter side is at most
 * 1024, else the 32 largest, how far they may be off and what the others are like. Products are in
 * binary32 over at most 512 rows and added up in binary64, so squares below a millionth of the
 * largest are noise.
 *
 * Returns: (transfer full): the spectrum of W'W, or %NULL with @error set
 */
TareSpectrum *
tare_spectrum_of_tensor (const TareTensor    *tensor,
                         const TareProgress  *progress,
                         GError             **error)
{
  g_autoptr(TareSpectrum) self = NULL;
  gsize side;
  gboolean exact;
  gboolean done;

  g_return_val_if_fail (tensor != NULL && tensor->rows > 0 && tensor->columns > 0, NULL);

  side = MIN (tensor->rows, tensor->columns);
  exact = side <= MOST_EXACT_SIDE;
  self = spectrum_new (side, exact ? side : TARE_SPECTRUM_LARGEST);
  done = exact ? find_all_of_tensor (self, tensor, progress, error)
               : _tare_spectrum_search_tensor (self, tensor, progress, error);

  return done ? g_steal_pointer (&self) : NULL;
}

/**
 * tare_spectrum_get_energy:
 * @self: the spectrum
 * @k: how many of the largest eigenvalues
 *
 * Returns: their share of the trace; NaN where fewer are known or all are 0
 */
double
tare_spectrum_get_energy (const TareSpectrum *self,
                          gsize               k)
{
  double sum = 0.0;

  if ((k > self->n_values && self->n_values < self->n) || !(self->trace > 0.0))
    return NAN;

  for (gsize i = 0; i < MIN (k, self->n_values); i++)
    sum += self->values[i];

  return MIN (sum / self->trace, 1.0);
}

/**
 * tare_spectrum_get_effective_rank:
 * @self: the spectrum
 *
 * Returns: exp of the entropy of the eigenvalues' shares of the trace, from 1 to n, within a
 *   percent or so where not all are known; NaN where all are 0. (O. Roy and M. Vetterli, "The
 *   effective rank", EUSIPCO 2007, of λ.)
 */
double
tare_spectrum_get_effective_rank (const TareSpectrum *self)
{
  return self->trace > 0.0 ? MIN (exp (self->entropy), (double) self->n) : (double) NAN;
}

/**
 * tare_spectrum_get_stable_rank:
 * @self: the spectrum
 *
 * Returns: the trace over the largest eigenvalue, from 1 to n; NaN where all are 0
 */
double
tare_spectrum_get_stable_rank (const TareSpectrum *self)
{
  return self->values[0] > 0.0 ? self->trace / self->values[0] : (double) NAN;
}

/**
 * tare_spectrum_get_condition:
 * @self: the spectrum
 * @damping: what is added to every eigenvalue, as a share of their mean
 *
 * Returns: the largest eigenvalue over the smallest, where not all are known over the smallest that
 *   was met; NaN where that is not positive
 */
double
tare_spectrum_get_condition (const TareSpectrum *self,
                             double              damping)
{
  double added = damping * self->trace / (double) self->n;
  double smallest = MAX (self->smallest, 0.0) + added;

  return smallest > 0.0 ? (self->values[0] + added) / smallest : (double) NAN;
}
