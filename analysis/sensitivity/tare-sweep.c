/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-sweep.h"

#include <stdlib.h>

#include "quant/tare-error.h"

/* Weights that are looked at: their mean error is within a percent of the whole tensor's, and all
 * formats together take seconds, most of them for codebooks that are fitted, which come last. */
#define SAMPLE_WEIGHTS (512 * 1024)

/* Rows that are taken together, since some formats group that many outputs. */
#define BAND_ROWS 128

/* Bands of rows that are spread evenly over a tensor, and how many rows they are in all. */
typedef struct
{
  gsize n_bands;
  gsize band;
  gsize n_rows;
} Sample;

static Sample
choose_sample (const TareTensor *tensor)
{
  gsize columns = MAX (tensor->columns, 1);
  gsize wanted = MAX (SAMPLE_WEIGHTS / columns, 1);
  Sample sample = { 1, tensor->rows, tensor->rows };

  if (wanted >= tensor->rows)
    return sample;

  sample.band = MIN (BAND_ROWS, tensor->rows);
  sample.n_bands = MAX (wanted / sample.band, 1);
  sample.n_rows = sample.n_bands * sample.band;

  return sample;
}

static gboolean
read_sample (const TareTensor  *tensor,
             const Sample      *sample,
             float             *x,
             GError           **error)
{
  for (gsize i = 0; i < sample->n_bands; i++)
    {
      gsize first = sample->n_bands > 1
                    ? i * (tensor->rows - sample->band) / (sample->n_bands - 1) : 0;

      if (!tare_tensor_read_rows (tensor, first, sample->band,
                                  x + i * sample->band * tensor->columns, error))
        return FALSE;
      tare_tensor_release_rows (tensor, first, sample->band);
    }

  return TRUE;
}

/* FALSE with @error set where nothing more should be tried; what one format refuses others take. */
static gboolean
try_format (const TareTensor    *tensor,
            const TareFormat    *format,
            const TareEncoding  *encoding,
            const float         *x,
            gsize                n_rows,
            float               *y,
            TareSweepPoint      *point,
            const TareProgress  *progress,
            GError             **error)
{
  gsize columns = tensor->columns;
  g_autofree guint8 *codes = g_try_malloc (MAX (tare_format_get_bytes (format, n_rows, columns),
                                                1));

  if (codes == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: not enough memory to try %s",
                   tensor->canonical, format->label);
      return FALSE;
    }
  if (!tare_format_encode (format, encoding, x, n_rows, columns, codes, progress, error))
    return FALSE;

  tare_format_decode (format, codes, n_rows, columns, y);
  point->format = format;
  point->bits_per_weight = tare_format_get_bits_per_weight (format, tensor->rows, columns);
  point->distortion = tare_distortion_measure (x, y, n_rows, columns, encoding->importance);

  return TRUE;
}

/**
 * tare_sweep_count_rows:
 * @tensor: a tensor
 *
 * Returns: how many of its rows a sweep looks at
 */
gsize
tare_sweep_count_rows (const TareTensor *tensor)
{
  return choose_sample (tensor).n_rows;
}

/**
 * tare_sweep_run_for:
 * @tensor: a matrix
 * @containers: the formats that one of these can hold
 * @range: how ranges are chosen
 * @importance: (nullable): one weight a column, the mean of x² over calibration tokens
 * @func: told of each format
 * @data: closure of @func
 * @progress: (nullable): the progress
 * @error: cancelled, a tensor that cannot be read or is not finite, memory
 *
 * Puts a tensor, or half a million weights of it in bands of rows spread over it, through every
 * format that takes rows of its length and that a container holds.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_sweep_run_for (const TareTensor    *tensor,
                    TareContainers       containers,
                    TareRange            range,
                    const float         *importance,
                    TareSweepFunc        func,
                    gpointer             data,
                    const TareProgress  *progress,
                    GError             **error)
{
  const TareEncoding encoding = {
    .range = range, .percentile = TARE_RANGE_DEFAULT_PERCENTILE, .importance = importance,
  };
  const Sample sample = choose_sample (tensor);
  gsize n_formats = tare_format_get_n_formats ();
  gsize n = sample.n_rows * tensor->columns;
  g_autofree float *x = g_try_new (float, MAX (n, 1));
  g_autofree float *y = g_try_new (float, MAX (n, 1));

  if (x == NULL || y == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: not enough memory for %"
                   G_GSIZE_FORMAT " weights", tensor->canonical, n);
      return FALSE;
    }
  if (!read_sample (tensor, &sample, x, error))
    return FALSE;

  for (gsize i = 0; i < n_formats; i++)
    {
      const TareFormat *format = tare_format_get (i);
      TareProgress part = tare_progress_part (progress, (double) i / (double) n_formats,
                                              (double) (i + 1) / (double) n_formats);
      TareSweepPoint point;

      if (!tare_format_accepts (format, tensor->columns)
          || (format->containers & containers) == 0)
        continue;
      if (!tare_progress_step (&part, 0.0, NULL, error)
          || !try_format (tensor, format, &encoding, x, sample.n_rows, y, &point, &part, error))
        return FALSE;
      func (&point, data);
    }

  return tare_progress_step (progress, 1.0, NULL, error);
}

/**
 * tare_sweep_run:
 * @tensor: a matrix
 * @range: how ranges are chosen
 * @importance: (nullable): one weight a column, the mean of x² over calibration tokens
 * @func: told of each format
 * @data: closure of @func
 * @progress: (nullable): the progress
 * @error: cancelled, a tensor that cannot be read or is not finite, memory
 *
 * As tare_sweep_run_for() with all formats: Tare's own container holds every one.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_sweep_run (const TareTensor    *tensor,
                TareRange            range,
                const float         *importance,
                TareSweepFunc        func,
                gpointer             data,
                const TareProgress  *progress,
                GError             **error)
{
  return tare_sweep_run_for (tensor, TARE_CONTAINER_TARE, range, importance, func, data, progress,
                             error);
}
