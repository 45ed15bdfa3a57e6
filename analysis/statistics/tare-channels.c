/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-channels.h"

#include <math.h>

#include "quant/tare-error.h"

/* Weights that are read at a time. */
#define TILE_WEIGHTS (1 << 18)

#define LEAST_BINS 32
#define MOST_BINS  512

/* Bins for so many weights: twice what Rice's rule has for the range of one channel, because all
 * channels together reach farther (D. Lane, "Online Statistics Education", histograms). */
static gsize
choose_bins (gsize n_weights)
{
  return (gsize) CLAMP (4.0 * cbrt ((double) n_weights), LEAST_BINS, MOST_BINS);
}

/**
 * tare_channels_free:
 * @self: (nullable) (transfer full): the histograms
 */
void
tare_channels_free (TareChannels *self)
{
  if (self == NULL)
    return;

  g_free (self->counts);
  g_free (self);
}

static TareChannels *
channels_new (const TareTensor *tensor,
              gsize             most,
              float             minimum,
              float             maximum)
{
  TareChannels *self = g_new0 (TareChannels, 1);

  self->rows_each = MAX ((tensor->rows + most - 1) / most, 1);
  self->n = (tensor->rows + self->rows_each - 1) / self->rows_each;
  self->n_bins = choose_bins (self->rows_each * tensor->columns);
  self->minimum = minimum;
  self->maximum = maximum;
  self->counts = g_new0 (float, MAX (self->n, 1) * self->n_bins);

  return self;
}

/* Counts up to 2²⁴ weights in a bin exactly. */
static void
count_row (const TareChannels *self,
           const float        *x,
           gsize               n,
           float              *counts)
{
  double minimum = (double) self->minimum;
  double scale = (double) self->n_bins / ((double) self->maximum - minimum);
  double last = (double) (self->n_bins - 1);

  for (gsize i = 0; i < n; i++)
    {
      if (isfinite (x[i]))
        counts[(gsize) CLAMP (((double) x[i] - minimum) * scale, 0.0, last)] += 1.0f;
    }
}

/**
 * tare_channels_measure:
 * @tensor: a matrix
 * @most: histograms at most, more than 0
 * @minimum: the smallest of its weights; what is below counts in the first bin
 * @maximum: the largest, above @minimum; likewise
 * @progress: (nullable): told of the rows and asked whether to go on
 * @error: return location for an error
 *
 * Counts the weights of every row. A tensor of more than @most rows has as few neighbours as
 * possible share a histogram. What is not finite does not count.
 *
 * Returns: (transfer full): the histograms, or %NULL with @error set
 */
TareChannels *
tare_channels_measure (const TareTensor    *tensor,
                       gsize                most,
                       float                minimum,
                       float                maximum,
                       const TareProgress  *progress,
                       GError             **error)
{
  g_autoptr(TareChannels) self = NULL;
  g_autofree float *x = NULL;
  gsize rows;

  g_return_val_if_fail (tensor != NULL && tensor->columns > 0 && most > 0, NULL);
  g_return_val_if_fail (minimum < maximum, NULL);

  self = channels_new (tensor, most, minimum, maximum);
  rows = MIN (MAX (TILE_WEIGHTS / tensor->columns / self->rows_each, 1) * self->rows_each,
              MAX (tensor->rows, 1));
  x = g_try_malloc_n (rows * sizeof (float), tensor->columns);
  if (x == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: %s: no memory for its histograms",
                   tare_file_get_path (tensor->file), tensor->canonical);
      return NULL;
    }

  for (gsize first = 0; first < tensor->rows; first += rows)
    {
      gsize n = MIN (rows, tensor->rows - first);

      if (!tare_progress_step (progress, (double) first / (double) tensor->rows, NULL, error)
          || !tare_tensor_read_rows (tensor, first, n, x, error))
        return NULL;
      tare_tensor_release_rows (tensor, first, n);

      /* A tile is made of whole groups, so that no two threads count into one histogram. */
#pragma omp parallel for
      for (gsize group = 0; group < n; group += self->rows_each)
        {
          gsize index = (first + group) / self->rows_each;

          count_row (self, x + group * tensor->columns,
                     MIN (self->rows_each, n - group) * tensor->columns,
                     self->counts + index * self->n_bins);
        }
    }

  return g_steal_pointer (&self);
}
