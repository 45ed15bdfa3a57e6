/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-similarity.h"

#include <cblas.h>
#include <math.h>

#include "quant/tare-error.h"

/* Rows that stand for all of them, evenly spaced: their products are a matrix of 1 MB. */
#define MOST_ROWS 512

/* @n of its rows, evenly spaced: [n, columns]. */
static gboolean
read_rows (const TareTensor    *tensor,
           gsize                n,
           float               *out,
           const TareProgress  *progress,
           GError             **error)
{
  for (gsize i = 0; i < n; i++)
    {
      gsize row = i * tensor->rows / n;

      if (!tare_progress_step (progress, (double) i / (double) n, NULL, error)
          || !tare_tensor_read_rows (tensor, row, 1, out + i * tensor->columns, error))
        return FALSE;
      tare_tensor_release_rows (tensor, row, 1);
    }

  return TRUE;
}

static double
multiply (const float *a,
          const float *b,
          gsize        n)
{
  double sum = 0.0;

#pragma omp parallel for simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) a[i] * (double) b[i];

  return sum;
}

/* Takes the mean of every column out. */
static void
centre (float *x,
        gsize  rows,
        gsize  columns)
{
  g_autofree double *mean = g_new0 (double, columns);

  for (gsize i = 0; i < rows * columns; i++)
    mean[i % columns] += (double) x[i] / (double) rows;
  for (gsize i = 0; i < rows * columns; i++)
    x[i] -= (float) mean[i % columns];
}

/* Σ (x x')∘(y y') over Σ (x x')² and Σ (y y')², the rows being centred: linear CKA. */
static double
align (float *x,
       float *y,
       gsize  rows,
       gsize  columns)
{
  gsize n = rows * rows;
  g_autofree float *first = g_new (float, n);
  g_autofree float *second = g_new (float, n);
  double norm;

  centre (x, rows, columns);
  centre (y, rows, columns);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (int) rows, (int) rows, (int) columns, 1.0f,
               x, (int) columns, x, (int) columns, 0.0f, first, (int) rows);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (int) rows, (int) rows, (int) columns, 1.0f,
               y, (int) columns, y, (int) columns, 0.0f, second, (int) rows);
  norm = sqrt (multiply (first, first, n)) * sqrt (multiply (second, second, n));

  return norm > 0.0 ? MIN (multiply (first, second, n) / norm, 1.0) : (double) NAN;
}

/**
 * tare_similarity_measure:
 * @self: (out): how alike they are
 * @first: a matrix
 * @second: another of as many rows and columns
 * @progress: (nullable): told of the rows and asked whether to go on
 * @error: return location for an error
 *
 * Compares two matrices by up to 512 of their rows, evenly spaced. (S. Kornblith et al.,
 * "Similarity of neural network representations revisited", arXiv:1905.00414, section 3, with
 * outputs as examples and inputs as features.)
 *
 * Returns: whether both could be read
 */
gboolean
tare_similarity_measure (TareSimilarity      *self,
                         const TareTensor    *first,
                         const TareTensor    *second,
                         const TareProgress  *progress,
                         GError             **error)
{
  TareProgress half = tare_progress_part (progress, 0.0, 0.5);
  TareProgress rest = tare_progress_part (progress, 0.5, 1.0);
  gsize rows;
  gsize columns;
  g_autofree float *x = NULL;
  g_autofree float *y = NULL;
  double norm;

  g_return_val_if_fail (first->rows == second->rows && first->columns == second->columns, FALSE);

  rows = MIN (first->rows, MOST_ROWS);
  columns = first->columns;
  x = g_try_malloc_n (rows * sizeof (float), columns);
  y = g_try_malloc_n (rows * sizeof (float), columns);
  if (x == NULL || y == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: %s: no memory for its rows",
                   tare_file_get_path (first->file), first->canonical);
      return FALSE;
    }

  if (!read_rows (first, rows, x, &half, error) || !read_rows (second, rows, y, &rest, error))
    return FALSE;

  norm = sqrt (multiply (x, x, rows * columns)) * sqrt (multiply (y, y, rows * columns));
  self->cosine = norm > 0.0 ? multiply (x, y, rows * columns) / norm : (double) NAN;
  self->alignment = align (x, y, rows, columns);

  return TRUE;
}
