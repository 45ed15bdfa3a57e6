/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-measure-private.h"

#include <math.h>

#include "analysis/sensitivity/tare-boundary.h"
#include "analysis/sensitivity/tare-hessian.h"
#include "analysis/sensitivity/tare-proxy.h"
#include "quant/tare-error.h"

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* Weights of the rows that are multiplied at a time: three buffers of 4 MB. */
#define TILE_WEIGHTS (1 << 20)

/* Where rows cannot be decoded without all the others, how often that may be. */
#define MOST_DECODED 8

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
           const TareFormat  *format,
           GError           **error)
{
  gsize columns = tensor->columns;

  tile->rows = MIN (MAX (TILE_WEIGHTS / columns, 16), MAX (tensor->rows, 1));
  if (format->along_outputs)
    tile->rows = MAX (tile->rows, tensor->rows / MOST_DECODED);
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
  const guint8 *codes = g_bytes_get_data (quantized->bytes, NULL);

  if (!tare_tensor_read_rows (tensor, first, n, tile->w, error))
    return FALSE;

  tare_tensor_release_rows (tensor, first, n);
  tare_format_decode_rows (quantized->format, codes, tensor->rows, columns, first, n, tile->d);
  for (gsize i = 0; i < n * columns; i++)
    tile->d[i] = tile->w[i] - tile->d[i];

  return TRUE;
}

/* Rows times the roots of their weights, so that a form has the weights themselves. */
static void
weigh_rows (float        *d,
            const double *weights,
            gsize         n,
            gsize         columns)
{
  for (gsize i = 0; i < n; i++)
    {
      float root = (float) sqrt (weights[i]);

      for (gsize j = 0; j < columns; j++)
        d[i * columns + j] *= root;
    }
}

/* tr(dW H dW') in @loss, every row of dW counting @row_weights, if there are any, and, if asked
 * for, tr(W H W') in @energy; both NaN if no token was seen. */
static gboolean
measure_forms (const TareTensor            *tensor,
               TareQuantized               *quantized,
               const TareLayerActivations  *activations,
               const double                *row_weights,
               const TareProgress          *progress,
               double                      *loss,
               double                      *energy,
               GError                     **error)
{
  g_auto(Tile) tile = { 0 };
  gboolean known = TRUE;

  if (!tile_init (&tile, tensor, quantized->format, error))
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

      if (row_weights != NULL)
        weigh_rows (tile.d, row_weights + first, n, tensor->columns);
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

/* Rounds a layer whose inputs are known; tr(dW H dW') in @loss and, if asked for, tr(W H W') in
 * @energy. */
static gboolean
compute_loss (TareMeasureContext    *context,
              const TareTensor      *tensor,
              const TareAssignment  *assignment,
              const double          *row_weights,
              const TareProgress    *progress,
              double                *loss,
              double                *energy,
              GError               **error)
{
  TareCalibration *calibration = tare_measure_context_get_calibration (context);
  const TareLayerActivations *activations = NULL;
  g_autoptr(TareQuantized) quantized = NULL;

  activations = tare_calibration_lookup (calibration, tensor->canonical);
  quantized = tare_engine_quantize (tare_measure_context_get_engine (context), tensor, assignment,
                                    calibration, progress, error);
  if (quantized == NULL)
    return FALSE;

  if (quantized->bytes == NULL)
    {
      *loss = 0.0;
      return TRUE;
    }

  return measure_forms (tensor, quantized, activations, row_weights, progress, loss, energy,
                        error);
}

gboolean
_tare_measure_weighted_loss (TareMeasureContext    *context,
                             const TareTensor      *tensor,
                             const TareAssignment  *assignment,
                             const double          *row_weights,
                             const TareProgress    *progress,
                             double                *loss,
                             GError               **error)
{
  return compute_loss (context, tensor, assignment, row_weights, progress, loss, NULL, error);
}

static gboolean
compute_proxy_loss (const TareMeasure     *self,
                    TareMeasureContext    *context,
                    const TareTensor      *tensor,
                    const TareAssignment  *assignment,
                    const TareProgress    *progress,
                    TareMeasureValue      *value,
                    GError               **error)
{
  return compute_loss (context, tensor, assignment, NULL, progress, &value->value, NULL, error);
}

static gboolean
compute_proxy_loss_relative (const TareMeasure     *self,
                             TareMeasureContext    *context,
                             const TareTensor      *tensor,
                             const TareAssignment  *assignment,
                             const TareProgress    *progress,
                             TareMeasureValue      *value,
                             GError               **error)
{
  double loss = NAN;
  double energy = NAN;

  if (!compute_loss (context, tensor, assignment, NULL, progress, &loss, &energy, error))
    return FALSE;

  if (loss == 0.0)
    value->value = 0.0;
  else if (energy > 0.0)
    value->value = loss / energy;

  return TRUE;
}

/* One of the figures that the engine keeps of a rounded tensor, and makes it exact. */
static gboolean
compute_distortion (const TareMeasure     *self,
                    TareMeasureContext    *context,
                    const TareTensor      *tensor,
                    const TareAssignment  *assignment,
                    const TareProgress    *progress,
                    TareMeasureValue      *value,
                    GError               **error)
{
  g_autoptr(TareQuantized) quantized = NULL;

  quantized = tare_engine_quantize (tare_measure_context_get_engine (context), tensor, assignment,
                                    tare_measure_context_get_calibration (context), progress,
                                    error);
  if (quantized == NULL)
    return FALSE;

  value->value = G_STRUCT_MEMBER (double, &quantized->distortion, self->offset);
  value->error = 0.0;

  return TRUE;
}

static gboolean
compute_signal_to_noise (const TareMeasure     *self,
                         TareMeasureContext    *context,
                         const TareTensor      *tensor,
                         const TareAssignment  *assignment,
                         const TareProgress    *progress,
                         TareMeasureValue      *value,
                         GError               **error)
{
  if (!compute_distortion (self, context, tensor, assignment, progress, value, error))
    return FALSE;

  if (value->value > 0.0)
    value->value = -10.0 * log10 (value->value);
  else
    value->value = NAN;

  return TRUE;
}

/* Adds the squares of the errors of every column. */
static void
add_column_squares (const float *d,
                    gsize        rows,
                    gsize        columns,
                    double      *sums)
{
  for (gsize i = 0; i < rows; i++)
    {
      for (gsize j = 0; j < columns; j++)
        sums[j] += (double) d[i * columns + j] * (double) d[i * columns + j];
    }
}

static gboolean
measure_column_errors (const TareTensor    *tensor,
                       TareQuantized       *quantized,
                       double              *errors,
                       const TareProgress  *progress,
                       GError             **error)
{
  g_auto(Tile) tile = { 0 };

  if (!tile_init (&tile, tensor, quantized->format, error))
    return FALSE;

  for (gsize first = 0; first < tensor->rows; first += tile.rows)
    {
      gsize n = MIN (tile.rows, tensor->rows - first);

      if (!tare_progress_step (progress, (double) first / (double) tensor->rows, NULL, error)
          || !tile_read (&tile, tensor, quantized, first, n, error))
        return FALSE;
      add_column_squares (tile.d, n, tensor->columns, errors);
    }

  return TRUE;
}

/* Σ over columns of their squared errors times what one costs, which is @costs or, where that is
 * %NULL, the diagonal of H. */
static gboolean
predict_loss (TareMeasureContext    *context,
              const TareTensor      *tensor,
              const TareAssignment  *assignment,
              const double          *costs,
              const TareProgress    *progress,
              TareMeasureValue      *value,
              GError               **error)
{
  TareCalibration *calibration = tare_measure_context_get_calibration (context);
  const TareLayerActivations *activations = tare_calibration_lookup (calibration,
                                                                     tensor->canonical);
  g_autofree double *errors = g_new0 (double, tensor->columns);
  g_autoptr(TareQuantized) quantized = NULL;

  quantized = tare_engine_quantize (tare_measure_context_get_engine (context), tensor, assignment,
                                    calibration, progress, error);
  if (quantized == NULL
      || (quantized->bytes != NULL
          && !measure_column_errors (tensor, quantized, errors, progress, error)))
    return FALSE;

  value->value = 0.0;
  for (gsize i = 0; i < tensor->columns; i++)
    value->value += errors[i] * (costs != NULL ? costs[i]
                                               : 2.0 * (double) activations->sum_squares[i]
                                                 / activations->n_tokens);

  return TRUE;
}

static gboolean
compute_rtn_loss (const TareMeasure     *self,
                  TareMeasureContext    *context,
                  const TareTensor      *tensor,
                  const TareAssignment  *assignment,
                  const TareProgress    *progress,
                  TareMeasureValue      *value,
                  GError               **error)
{
  return predict_loss (context, tensor, assignment, NULL, progress, value, error);
}

static gboolean
compute_gptq_loss (const TareMeasure     *self,
                   TareMeasureContext    *context,
                   const TareTensor      *tensor,
                   const TareAssignment  *assignment,
                   const TareProgress    *progress,
                   TareMeasureValue      *value,
                   GError               **error)
{
  const double *costs = tare_hessian_get_remainders (context, tensor, progress, error);

  return costs != NULL
         && predict_loss (context, tensor, assignment, costs, progress, value, error);
}

/* Of the format that the tensor gets in the end; nothing is near a boundary where it is kept. */
static gboolean
compute_boundary (const TareMeasure     *self,
                  TareMeasureContext    *context,
                  const TareTensor      *tensor,
                  const TareAssignment  *assignment,
                  const TareProgress    *progress,
                  TareMeasureValue      *value,
                  GError               **error)
{
  const TareFormat *format = assignment->format != NULL
                               ? tare_format_fit (assignment->format, tensor->columns) : NULL;

  if (format == NULL)
    {
      *value = (TareMeasureValue) { 0.0, 0.0 };
      return TRUE;
    }

  return tare_boundary_measure (tensor, format, &value->value, &value->error, progress, error);
}

const TareMeasure _tare_measures_of_rounding[] = {
  {
    .id = "proxy_loss",
    .label = N_("Proxy loss"),
    .definition = N_("How far rounding moves the layer's outputs: tr(dW H dW') with "
                     "H = 2XX'/T, twice the mean over tokens of the squared error of all "
                     "outputs; the diagonal of H alone where no more is known."),
    .unit = "",
    .source = "Frantar et al., GPTQ, arXiv:2210.17323, equation 1",
    .cost = TARE_MEASURE_COST_CALIBRATION,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_CALIBRATION
             | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_proxy_loss,
  },
  {
    .id = "proxy_loss_relative",
    .label = N_("Relative proxy loss"),
    .definition = N_("The share of the layer's output energy that rounding disturbs: "
                     "tr(dW H dW') / tr(W H W')."),
    .unit = "",
    .source = "Frantar et al., GPTQ, arXiv:2210.17323, equation 1",
    .cost = TARE_MEASURE_COST_CALIBRATION,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_CALIBRATION
             | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_proxy_loss_relative,
  },
  {
    .id = "relative_error",
    .label = N_("Weight error"),
    .definition = N_("How far rounding moves the weights: the mean over rows of the squared "
                     "error over the squared norm."),
    .unit = "",
    .source = "quant/formats/tare-metric.h",
    .cost = TARE_MEASURE_COST_WEIGHTS,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_distortion,
    .offset = G_STRUCT_OFFSET (TareDistortion, relative),
  },
  {
    .id = "weighted_error",
    .label = N_("Weighted weight error"),
    .definition = N_("The weight error with every column weighted by the mean of x² that enters "
                     "it."),
    .unit = "",
    .source = "quant/formats/tare-metric.h",
    .cost = TARE_MEASURE_COST_CALIBRATION,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_CALIBRATION
             | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_distortion,
    .offset = G_STRUCT_OFFSET (TareDistortion, weighted),
  },
  {
    .id = "squared_error",
    .label = N_("Squared weight error"),
    .definition = N_("The sum of the squared changes of all weights, with which Hessians of the "
                     "loss are multiplied."),
    .unit = "",
    .source = "quant/formats/tare-metric.h",
    .cost = TARE_MEASURE_COST_WEIGHTS,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_distortion,
    .offset = G_STRUCT_OFFSET (TareDistortion, squared),
  },
  {
    .id = "sqnr",
    .label = N_("Signal to noise"),
    .definition = N_("The weights' energy over that of their rounding errors, averaged over rows, "
                     "in decibels; none where nothing is rounded."),
    .unit = "dB",
    .source = "quant/formats/tare-metric.h",
    .cost = TARE_MEASURE_COST_WEIGHTS,
    .direction = TARE_MEASURE_DIRECTION_LESS_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_signal_to_noise,
    .offset = G_STRUCT_OFFSET (TareDistortion, relative),
  },
  {
    .id = "boundary_share",
    .label = N_("Near a boundary"),
    .definition = N_("The share of weights within a twentieth of a step of where rounding turns to "
                     "the next level, where a group's grid reaches from its smallest weight to its "
                     "largest; a tenth for evenly spread weights."),
    .unit = "",
    .source = "Tequila: Trapping-free ternary quantization for large language models, 2025",
    .cost = TARE_MEASURE_COST_WEIGHTS,
    .direction = TARE_MEASURE_DIRECTION_NEITHER,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_boundary,
  },
  {
    .id = "predicted_rtn_loss",
    .label = N_("Predicted loss, rounded"),
    .definition = N_("What the proxy loss would be if rounding errors of different columns had "
                     "nothing to do with each other: each column's squared errors times the "
                     "diagonal of H."),
    .unit = "",
    .source = "Frantar et al., GPTQ, arXiv:2210.17323, equation 1, with independent errors",
    .cost = TARE_MEASURE_COST_CALIBRATION,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_CALIBRATION
             | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_rtn_loss,
  },
  {
    .id = "predicted_gptq_loss",
    .label = N_("Predicted loss, GPTQ"),
    .definition = N_("What the proxy loss would be after GPTQ, without running it: each column's "
                     "squared errors divided by the square of U's diagonal, where H's inverse is "
                     "U'U."),
    .unit = "",
    .source = "Frantar et al., GPTQ, arXiv:2210.17323, algorithm 1, with errors as rounding "
              "leaves them",
    .cost = TARE_MEASURE_COST_CALIBRATION,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_CALIBRATION
             | TARE_MEASURE_NEEDS_GRAM | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_gptq_loss,
  },
  { .id = NULL },
};
