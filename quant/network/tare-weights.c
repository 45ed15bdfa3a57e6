/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-weights.h"

#include <string.h>

#include "quant/model/tare-layout.h"
#include "quant/network/tare-network-private.h"
#include "quant/tare-error.h"

/* Weights of a band of rows: a few milliseconds of decoding, between which it can be cancelled and
 * after which their pages need not stay. */
#define BAND_WEIGHTS (1024 * 1024)

/* Where the rows of the file are read one by one, or not as rows, bands are of no use. */
static gsize
choose_band (const TareTensor *tensor)
{
  if (tensor->transposed || tensor->head_groups > 0 || tensor->columns == 0)
    return MAX (tensor->rows, 1);

  return MAX (BAND_WEIGHTS / tensor->columns, 1);
}

/* Each band's pages are let go when it is read, so that of a file larger than memory no more is
 * resident than is being read. */
static gboolean
load_rows (gpointer             data,
           const TareTensor    *tensor,
           gsize                first,
           gsize                n,
           float               *out,
           const TareProgress  *progress,
           GError             **error)
{
  gsize band = choose_band (tensor);
  gsize n_bands = (n + band - 1) / band;
  GError *first_error = NULL;

#pragma omp parallel for schedule(dynamic) if (n_bands > 1)
  for (gsize i = 0; i < n_bands; i++)
    {
      gsize begin = i * band;
      gsize rows = MIN (band, n - begin);
      GError *band_error = NULL;

      if (tare_progress_cancelled (progress)
          || !tare_tensor_read_rows (tensor, first + begin, rows, out + begin * tensor->columns,
                                     &band_error))
        {
#pragma omp critical (tare_weights_load)
          if (first_error == NULL)
            first_error = g_steal_pointer (&band_error);
          g_clear_error (&band_error);
          continue;
        }
      tare_tensor_release_rows (tensor, first + begin, rows);
    }

  if (first_error != NULL)
    {
      g_propagate_error (error, first_error);
      return FALSE;
    }
  if (tare_progress_cancelled (progress))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Loading was cancelled");
      return FALSE;
    }

  return TRUE;
}

static gboolean
load (gpointer             data,
      const TareTensor    *tensor,
      float               *out,
      const TareProgress  *progress,
      GError             **error)
{
  return load_rows (data, tensor, 0, tensor->rows, out, progress, error);
}

static guint64
fingerprint (gpointer          data,
             const TareTensor *tensor)
{
  return 0;
}

const TareWeights tare_weights_of_file = { load, fingerprint, NULL, NULL, load_rows };

/**
 * tare_weights_with_progress:
 * @self: weights
 * @progress: (nullable): what to ask whether to go on; outlives what is returned
 *
 * Returns: the same weights, whose loading can be cancelled
 */
TareWeights
tare_weights_with_progress (const TareWeights  *self,
                            const TareProgress *progress)
{
  TareWeights weights = *self;

  weights.progress = progress;

  return weights;
}

/* All of it, of which a part is wanted. */
static gboolean
load_and_pick (const TareWeights   *self,
               const TareTensor    *tensor,
               gsize                first,
               gsize                n,
               float               *out,
               const TareProgress  *progress,
               GError             **error)
{
  g_autofree float *all = g_try_new (float, tare_tensor_get_n_weights (tensor));

  if (all == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: %s: no memory to load it",
                   tare_file_get_path (tensor->file), tensor->canonical);
      return FALSE;
    }
  if (!self->load (self->data, tensor, all, progress, error))
    return FALSE;

  memcpy (out, all + first * tensor->columns, n * tensor->columns * sizeof *out);

  return TRUE;
}

/**
 * tare_weights_load_rows:
 * @self: weights
 * @tensor: a tensor
 * @first: the first row, in GGUF's order
 * @n: how many; @first + @n is at most the number of rows
 * @out: (out caller-allocates): n x columns values
 * @progress: (nullable): asked whether to go on, and told nothing
 * @error: cancelled, memory, what the weights report
 *
 * Returns: %FALSE on error
 */
gboolean
tare_weights_load_rows (const TareWeights   *self,
                        const TareTensor    *tensor,
                        gsize                first,
                        gsize                n,
                        float               *out,
                        const TareProgress  *progress,
                        GError             **error)
{
  g_return_val_if_fail (self != NULL && tensor != NULL, FALSE);
  g_return_val_if_fail (first <= tensor->rows && n <= tensor->rows - first, FALSE);

  if (self->load_rows == NULL)
    return load_and_pick (self, tensor, first, n, out, progress, error);

  return self->load_rows (self->data, tensor, first, n, out, progress, error);
}

/* What activations of so many columns are rounded to by @name. Tokens come in groups of any size,
 * so none may know of another. */
gboolean
_tare_weights_get_rounding_of (const TareWeights    *weights,
                               const char           *name,
                               gsize                 columns,
                               TareActivationFormat *rounding,
                               GError              **error)
{
  *rounding = (TareActivationFormat) { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  if (weights->round == NULL)
    return TRUE;

  *rounding = weights->round (weights->data, name);
  if (rounding->format != NULL)
    rounding->format = tare_format_fit (rounding->format, columns);

  return tare_activation_format_check (rounding, name, columns, error);
}

/**
 * tare_weights_get_own_rounding:
 * @tensor: a tensor of a model
 *
 * Returns: what its file says that its inputs are rounded to; without a format, they are not
 */
TareActivationFormat
tare_weights_get_own_rounding (const TareTensor *tensor)
{
  TareActivationFormat rounding = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  const TareStored *stored = tensor->stored;

  /* Experts are run as one, by the largest range of all. */
  for (gsize i = 1; i < tensor->n_slices && stored != NULL && stored->input_limits != NULL; i++)
    {
      const TareStored *other = tensor->slices[i].stored;

      if (other->input_limits != NULL && other->input_limits[0] > stored->input_limits[0])
        stored = other;
    }
  if (stored == NULL || stored->input == NULL)
    return rounding;

  rounding.format = stored->input;
  if (stored->input_limits != NULL)
    {
      rounding.scale = TARE_ACTIVATION_SCALE_TENSOR;
      rounding.limits = stored->input_limits;
      rounding.n_limits = stored->columns;
    }

  return rounding;
}

/* What the input of a matrix is rounded to; of what is no matrix that may be quantized, nothing. */
gboolean
_tare_weights_get_rounding (const TareWeights    *weights,
                            const TareTensor     *tensor,
                            gsize                 columns,
                            TareActivationFormat *rounding,
                            GError              **error)
{
  g_autofree char *name = NULL;

  *rounding = (TareActivationFormat) { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  if (tensor->role == NULL || !tensor->role->matrix)
    return TRUE;

  /* A model that is run as it is rounds what its file says that it rounds. */
  if (weights->round == NULL)
    {
      *rounding = tare_weights_get_own_rounding (tensor);
      return TRUE;
    }

  name = tensor->block >= 0 ? g_strdup_printf ("blk.%d.%s.input", tensor->block, tensor->role->id)
                            : g_strdup ("output.input");

  return _tare_weights_get_rounding_of (weights, name, columns, rounding, error);
}
