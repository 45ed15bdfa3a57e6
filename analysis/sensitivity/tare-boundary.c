/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-boundary.h"

#include <math.h>

#include "quant/tare-error.h"

/* Weights that stand for all of them: whole rows, evenly spaced. */
#define SAMPLE_WEIGHTS (1 << 22)

/* How many of a group's weights lie near the middle between two of its levels. */
static gsize
count_near (const TareFormat *format,
            const float      *x,
            gsize             n)
{
  float levels[TARE_FORMAT_MAX_LEVELS];
  float minimum = x[0];
  float maximum = x[0];
  gsize n_levels;
  gsize near = 0;

  for (gsize i = 1; i < n; i++)
    {
      minimum = MIN (minimum, x[i]);
      maximum = MAX (maximum, x[i]);
    }

  n_levels = tare_format_get_levels (format, minimum, maximum, levels);
  for (gsize i = 0; i < n && n_levels > 1; i++)
    {
      gsize low = 0;
      gsize high = n_levels - 1;
      double step;
      double middle;

      while (high - low > 1)
        {
          gsize centre = (low + high) / 2;

          if (x[i] < levels[centre])
            high = centre;
          else
            low = centre;
        }
      step = (double) levels[high] - (double) levels[low];
      middle = 0.5 * ((double) levels[high] + (double) levels[low]);
      near += fabs ((double) x[i] - middle) <= TARE_BOUNDARY_REACH * step;
    }

  return near;
}

static gsize
count_row (const TareFormat *format,
           const float      *x,
           gsize             columns)
{
  gsize group = format->group > 0 ? format->group : columns;
  gsize near = 0;

  for (gsize i = 0; i < columns; i += group)
    near += count_near (format, x + i, MIN (group, columns - i));

  return near;
}

/* Whether a format has levels at all, and groups that lie within a row. */
static gboolean
has_levels (const TareFormat *format)
{
  float levels[TARE_FORMAT_MAX_LEVELS];

  return !format->along_outputs && tare_format_get_levels (format, -1.0f, 1.0f, levels) > 1;
}

/**
 * tare_boundary_measure:
 * @tensor: a matrix
 * @format: what it may be rounded to
 * @share: (out): the share of weights within a twentieth of a step of a decision boundary, where a
 *   group's grid reaches from its smallest weight to its largest; NaN for formats without a grid
 * @standard_error: (out): what comes from looking at some rows only, 0 where all were
 * @progress: (nullable): told of the rows and asked whether to go on
 * @error: return location for an error
 *
 * Finds how many weights a small change would round the other way: for evenly spread ones a tenth.
 * ("Tequila: Trapping-free ternary quantization for large language models", 2025, calls such
 * weights trapped.) Of a large tensor some rows are looked at, evenly spaced.
 *
 * Returns: whether the tensor could be read
 */
gboolean
tare_boundary_measure (const TareTensor    *tensor,
                       const TareFormat    *format,
                       double              *share,
                       double              *standard_error,
                       const TareProgress  *progress,
                       GError             **error)
{
  gsize columns = tensor->columns;
  gsize n_rows = CLAMP (SAMPLE_WEIGHTS / MAX (columns, 1), 1, MAX (tensor->rows, 1));
  g_autofree float *x = NULL;
  double near = 0.0;
  double n;

  *share = *standard_error = NAN;
  if (!has_levels (format) || tensor->rows == 0 || columns == 0)
    return TRUE;

  x = g_try_new (float, columns);
  if (x == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: %s: no memory for a row",
                   tare_file_get_path (tensor->file), tensor->canonical);
      return FALSE;
    }

  for (gsize i = 0; i < n_rows; i++)
    {
      gsize row = i * tensor->rows / n_rows;

      if (!tare_progress_step (progress, (double) i / (double) n_rows, NULL, error)
          || !tare_tensor_read_rows (tensor, row, 1, x, error))
        return FALSE;
      near += (double) count_row (format, x, columns);
    }

  n = (double) n_rows * (double) columns;
  *share = near / n;
  *standard_error = n_rows < tensor->rows ? sqrt (*share * (1.0 - *share) / n) : 0.0;

  return TRUE;
}
