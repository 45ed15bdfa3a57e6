/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-comparison.h"

#include "quant/tare-error.h"

/* Weights that are in fp32 at once, of each of the two. */
#define CHUNK_WEIGHTS ((gsize) 1 << 22)

/**
 * tare_comparison_can_measure:
 * @a: a tensor
 * @b: another, of another model or the same
 * @error: says why not: one that is not readable, or another shape
 *
 * Returns: whether the two can be held against each other weight by weight
 */
gboolean
tare_comparison_can_measure (const TareTensor  *a,
                             const TareTensor  *b,
                             GError           **error)
{
  const TareTensor *unread = !tare_tensor_can_read (a) ? a : !tare_tensor_can_read (b) ? b : NULL;

  if (a->rows != b->rows || a->columns != b->columns)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: another shape, %" G_GSIZE_FORMAT
                   " × %" G_GSIZE_FORMAT " and %" G_GSIZE_FORMAT " × %" G_GSIZE_FORMAT,
                   a->canonical, a->rows, a->columns, b->rows, b->columns);
      return FALSE;
    }
  if (unread != NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED, "%s: %s cannot be read",
                   unread->canonical, unread->type_name);
      return FALSE;
    }

  return TRUE;
}

/**
 * tare_comparison_measure:
 * @a: what is taken as true, rows x columns
 * @b: what it is held against, of the same shape
 * @distortion: (out): the difference as a rounding of @a
 * @progress: (nullable): the progress
 * @error: cancelled, or as tare_comparison_can_measure() has it, or a reading error
 *
 * Rows are averaged over chunks as over the whole, by how many of them were counted.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_comparison_measure (const TareTensor    *a,
                         const TareTensor    *b,
                         TareDistortion      *distortion,
                         const TareProgress  *progress,
                         GError             **error)
{
  gsize chunk = CLAMP (CHUNK_WEIGHTS / MAX (a->columns, 1), 1, MAX (a->rows, 1));
  g_autofree float *x = NULL;
  g_autofree float *y = NULL;
  double sum = 0.0;

  if (!tare_comparison_can_measure (a, b, error))
    return FALSE;

  x = g_malloc_n (chunk * sizeof (float), a->columns);
  y = g_malloc_n (chunk * sizeof (float), a->columns);
  *distortion = (TareDistortion) { 0 };
  for (gsize first = 0; first < a->rows; first += chunk)
    {
      gsize n = MIN (chunk, a->rows - first);
      TareDistortion part;

      if (!tare_progress_step (progress, (double) first / (double) a->rows, NULL, error) ||
          !tare_tensor_read_rows (a, first, n, x, error) ||
          !tare_tensor_read_rows (b, first, n, y, error))
        return FALSE;
      tare_tensor_release_rows (a, first, n);
      tare_tensor_release_rows (b, first, n);
      part = tare_distortion_measure (x, y, n, a->columns, NULL);
      sum += part.relative * (double) part.rows;
      distortion->rows += part.rows;
      distortion->squared += part.squared;
      distortion->maximum = MAX (distortion->maximum, part.maximum);
    }
  distortion->relative = distortion->rows > 0 ? sum / (double) distortion->rows : 0.0;
  distortion->weighted = distortion->relative;

  return TRUE;
}
