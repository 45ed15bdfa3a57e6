/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-measure.h"

#include <math.h>
#include <string.h>

#include "analysis/sensitivity/tare-proxy.h"
#include "quant/tare-error.h"

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* Weights of the rows that are multiplied at a time: three buffers of 4 MB. */
#define TILE_WEIGHTS (1 << 20)

/* Buffers of one tile, each rows x columns. */
typedef struct
{
  gsize  rows;
  float *w;
  float *d;
  float *product;
} Tile;

static void
tile_clear (Tile *tile)
{
  g_clear_pointer (&tile->w, g_free);
  g_clear_pointer (&tile->d, g_free);
  g_clear_pointer (&tile->product, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Tile, tile_clear)

static gboolean
tile_init (Tile              *tile,
           const TareTensor  *tensor,
           GError           **error)
{
  gsize columns = tensor->columns;

  tile->rows = MIN (MAX (TILE_WEIGHTS / columns, 16), MAX (tensor->rows, 1));
  tile->w = g_try_malloc_n (tile->rows * sizeof (float), columns);
  tile->d = g_try_malloc_n (tile->rows * sizeof (float), columns);
  tile->product = g_try_malloc_n (tile->rows * sizeof (float), columns);

  if (tile->w == NULL || tile->d == NULL || tile->product == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: %s: no memory to measure its rows",
                   tare_file_get_path (tensor->file), tensor->canonical);
      return FALSE;
    }

  return TRUE;
}

/* Reads rows of W, and of W less what it was rounded to. */
static gboolean
tile_read (Tile              *tile,
           const TareTensor  *tensor,
           TareQuantized     *quantized,
           gsize              first,
           gsize              n,
           GError           **error)
{
  gsize columns = tensor->columns;
  gsize row_bytes = tare_format_get_row_bytes (quantized->format, columns);
  const guint8 *codes = g_bytes_get_data (quantized->bytes, NULL);

  if (!tare_tensor_read_rows (tensor, first, n, tile->w, error))
    return FALSE;

  tare_tensor_release_rows (tensor, first, n);
  tare_format_decode (quantized->format, codes + first * row_bytes, n, columns, tile->d);
  for (gsize i = 0; i < n * columns; i++)
    tile->d[i] = tile->w[i] - tile->d[i];

  return TRUE;
}

/* tr(dW H dW') in @loss and, if asked for, tr(W H W') in @energy; both NaN if no token was seen. */
static gboolean
measure_forms (const TareTensor            *tensor,
               TareQuantized               *quantized,
               const TareLayerActivations  *activations,
               const TareProgress          *progress,
               double                      *loss,
               double                      *energy,
               GError                     **error)
{
  g_auto(Tile) tile = { 0 };
  gboolean known = TRUE;

  if (!tile_init (&tile, tensor, error))
    return FALSE;

  *loss = 0.0;
  if (energy != NULL)
    *energy = 0.0;

  for (gsize first = 0; first < tensor->rows; first += tile.rows)
    {
      gsize n = MIN (tile.rows, tensor->rows - first);

      if (!tare_progress_step (progress, (double) first / (double) tensor->rows, NULL, error)
          || !tile_read (&tile, tensor, quantized, first, n, error))
        return FALSE;

      known = known && tare_proxy_form (tile.d, n, activations, tile.product, loss);
      if (energy != NULL)
        known = known && tare_proxy_form (tile.w, n, activations, tile.product, energy);
    }

  if (!known)
    {
      *loss = NAN;
      if (energy != NULL)
        *energy = NAN;
    }

  return TRUE;
}

static gboolean
compute_loss (TareEngine            *engine,
              const TareTensor      *tensor,
              const TareAssignment  *assignment,
              TareCalibration       *calibration,
              const TareProgress    *progress,
              double                *loss,
              double                *energy,
              GError               **error)
{
  const TareLayerActivations *activations = NULL;
  g_autoptr(TareQuantized) quantized = NULL;

  *loss = NAN;
  activations = tare_calibration_lookup (calibration, tensor->canonical);
  if (activations == NULL || activations->columns != tensor->columns)
    return TRUE;

  quantized = tare_engine_quantize (engine, tensor, assignment, calibration, progress,
                                    error);
  if (quantized == NULL)
    return FALSE;

  if (quantized->bytes == NULL)
    {
      *loss = 0.0;
      return TRUE;
    }

  return measure_forms (tensor, quantized, activations, progress, loss, energy, error);
}

static gboolean
compute_proxy_loss (const TareMeasure     *self,
                    TareEngine            *engine,
                    const TareTensor      *tensor,
                    const TareAssignment  *assignment,
                    TareCalibration       *calibration,
                    const TareProgress    *progress,
                    double                *value,
                    GError               **error)
{
  return compute_loss (engine, tensor, assignment, calibration, progress, value, NULL, error);
}

static gboolean
compute_proxy_loss_relative (const TareMeasure     *self,
                             TareEngine            *engine,
                             const TareTensor      *tensor,
                             const TareAssignment  *assignment,
                             TareCalibration       *calibration,
                             const TareProgress    *progress,
                             double                *value,
                             GError               **error)
{
  double energy = NAN;

  if (!compute_loss (engine, tensor, assignment, calibration, progress, value, &energy, error))
    return FALSE;

  if (*value != 0.0)
    *value = energy > 0.0 ? *value / energy : (double) NAN;

  return TRUE;
}

static gboolean
compute_relative_error (const TareMeasure     *self,
                        TareEngine            *engine,
                        const TareTensor      *tensor,
                        const TareAssignment  *assignment,
                        TareCalibration       *calibration,
                        const TareProgress    *progress,
                        double                *value,
                        GError               **error)
{
  g_autoptr(TareQuantized) quantized = NULL;

  quantized = tare_engine_quantize (engine, tensor, assignment, calibration, progress,
                                    error);
  if (quantized == NULL)
    return FALSE;

  *value = quantized->distortion.relative;

  return TRUE;
}

static gboolean
compute_weighted_error (const TareMeasure     *self,
                        TareEngine            *engine,
                        const TareTensor      *tensor,
                        const TareAssignment  *assignment,
                        TareCalibration       *calibration,
                        const TareProgress    *progress,
                        double                *value,
                        GError               **error)
{
  g_autoptr(TareQuantized) quantized = NULL;

  *value = NAN;
  if (tare_calibration_lookup (calibration, tensor->canonical) == NULL)
    return TRUE;

  quantized = tare_engine_quantize (engine, tensor, assignment, calibration, progress,
                                    error);
  if (quantized == NULL)
    return FALSE;

  *value = quantized->distortion.weighted;

  return TRUE;
}

static const TareMeasure measures[] = {
  {
    .id = "proxy_loss",
    .label = N_("Proxy loss"),
    .description = N_("How far rounding moves the layer's outputs: tr(dW H dW') with "
                      "H = 2XX'/T, twice the mean over tokens of the squared error of all "
                      "outputs; the diagonal of H alone where no more is known."),
    .unit = "",
    .source = "Frantar et al., GPTQ, arXiv:2210.17323, equation 1",
    .needs_gram = TRUE,
    .compute = compute_proxy_loss,
  },
  {
    .id = "proxy_loss_relative",
    .label = N_("Relative proxy loss"),
    .description = N_("The share of the layer's output energy that rounding disturbs: "
                      "tr(dW H dW') / tr(W H W')."),
    .unit = "",
    .source = "Frantar et al., GPTQ, arXiv:2210.17323, equation 1",
    .needs_gram = TRUE,
    .compute = compute_proxy_loss_relative,
  },
  {
    .id = "relative_error",
    .label = N_("Weight error"),
    .description = N_("How far rounding moves the weights: the mean over rows of the squared "
                      "error over the squared norm."),
    .unit = "",
    .source = "quant/formats/tare-metric.h",
    .needs_gram = FALSE,
    .compute = compute_relative_error,
  },
  {
    .id = "weighted_error",
    .label = N_("Weighted weight error"),
    .description = N_("The weight error with every column weighted by the mean of x² that enters "
                      "it."),
    .unit = "",
    .source = "quant/formats/tare-metric.h",
    .needs_gram = FALSE,
    .compute = compute_weighted_error,
  },
};

/**
 * tare_measure_get_n_measures:
 *
 * Returns: rows of the measure table
 */
gsize
tare_measure_get_n_measures (void)
{
  return G_N_ELEMENTS (measures);
}

/**
 * tare_measure_get:
 * @index: below the number of measures
 *
 * Returns: (transfer none): one measure; the first is the default
 */
const TareMeasure *
tare_measure_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (measures), NULL);

  return &measures[index];
}

/**
 * tare_measure_lookup:
 * @id: what the command line calls it
 *
 * Returns: (transfer none) (nullable): the measure, or %NULL when there is none of that name
 */
const TareMeasure *
tare_measure_lookup (const char *id)
{
  g_return_val_if_fail (id != NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (measures); i++)
    {
      if (strcmp (measures[i].id, id) == 0)
        return &measures[i];
    }

  return NULL;
}
