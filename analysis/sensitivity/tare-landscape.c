/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-landscape.h"

#include <math.h>

#include "analysis/sensitivity/tare-shift.h"
#include "quant/tare-error.h"

#define DEFAULT_POINTS 25

static gboolean
is_weight (gpointer          data,
           const TareTensor *tensor)
{
  return tare_tensor_is_weight (tensor);
}

/* The weights themselves, to measure a direction by. */
static float *
read_weights (const TareTensor    *tensor,
              const TareProgress  *progress,
              GError             **error)
{
  g_autofree float *w = g_try_new (float, tare_tensor_get_n_weights (tensor));

  if (w == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: no memory to move it",
                   tensor->canonical);
      return NULL;
    }
  if (!tare_weights_of_file.load (NULL, tensor, w, progress, error))
    return NULL;

  return g_steal_pointer (&w);
}

static double
get_length (const float *x,
            gsize        n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) x[i] * (double) x[i];

  return sqrt (sum);
}

static gboolean
load_random (gpointer             data,
             const TareTensor    *tensor,
             float               *out,
             const TareProgress  *progress,
             GError             **error)
{
  const TareRandomDirection *self = data;
  gsize columns = tensor->columns;
  g_autofree float *w = read_weights (tensor, progress, error);

  if (w == NULL)
    return FALSE;

  tare_operator_fill_gaussian (self->seed ^ ((guint64) g_str_hash (tensor->canonical) << 20),
                               tensor->rows * columns, out);
#pragma omp parallel for schedule(static)
  for (gsize i = 0; i < tensor->rows; i++)
    {
      double length = get_length (out + i * columns, columns);
      float factor = length > 0.0 ? (float) (get_length (w + i * columns, columns) / length) : 0.0f;

      for (gsize j = 0; j < columns; j++)
        out[i * columns + j] *= factor;
    }

  return TRUE;
}

/**
 * tare_random_direction_get_direction:
 * @self: a random direction, which must outlive what is returned
 *
 * Returns: a way in which all matrices move
 */
TareDirection
tare_random_direction_get_direction (const TareRandomDirection *self)
{
  return (TareDirection) { is_weight, load_random, (gpointer) self };
}

static gboolean
load_segment (gpointer             data,
              const TareTensor    *tensor,
              float               *out,
              const TareProgress  *progress,
              GError             **error)
{
  const TareSegment *self = data;
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *w = read_weights (tensor, progress, error);

  if (w == NULL || !self->to->load (self->to->data, tensor, out, progress, error))
    return FALSE;

  for (gsize i = 0; i < n; i++)
    out[i] -= w[i];

  return TRUE;
}

/**
 * tare_segment_get_direction:
 * @self: a segment, which must outlive what is returned
 *
 * Returns: what leads from the model's own weights to the others
 */
TareDirection
tare_segment_get_direction (const TareSegment *self)
{
  return (TareDirection) { is_weight, load_segment, (gpointer) self };
}

static double *
place (double from,
       double to,
       gsize  n)
{
  double *points = g_new (double, n);

  for (gsize i = 0; i < n; i++)
    points[i] = n > 1 ? from + (to - from) * (double) i / (double) (n - 1) : from;

  return points;
}

static TareLandscape *
landscape_new (const TareLandscapeOptions *options)
{
  TareLandscape *self = g_new0 (TareLandscape, 1);
  gboolean flat = options->directions[1] != NULL;

  self->n_x = options->n[0] > 0 ? options->n[0] : DEFAULT_POINTS;
  self->n_y = !flat ? 1 : options->n[1] > 0 ? options->n[1] : DEFAULT_POINTS;
  self->x = place (options->from[0], options->to[0], self->n_x);
  self->y = place (flat ? options->from[1] : 0.0, flat ? options->to[1] : 0.0, self->n_y);
  self->loss = g_new (double, self->n_x * self->n_y);
  for (gsize i = 0; i < self->n_x * self->n_y; i++)
    self->loss[i] = NAN;

  return self;
}

/* The loss at x and y along the directions. */
static gboolean
lose (TareGradient                *gradient,
      const TareObjective         *objective,
      const TareDirection *const  *directions,
      double                       x,
      double                       y,
      double                      *loss,
      const TareProgress          *progress,
      GError                     **error)
{
  const TareShift shift = { &tare_weights_of_file, { directions[0], directions[1] }, { x, y } };
  const TareWeights weights = tare_shift_get_weights (&shift);
  TareGradientResult result;

  if (!tare_gradient_loss (gradient, &weights, objective, &result, progress, error))
    return FALSE;

  *loss = result.loss;

  return TRUE;
}

/**
 * tare_landscape_measure:
 * @model: a model that can be run
 * @objective: the loss
 * @options: where it is wanted
 * @memory: bytes of memory to get by with; 0 for the default
 * @progress: (nullable): the progress
 * @error: the model cannot be run, cancelled, memory
 *
 * The loss on a grid, one way through the network for every point.
 *
 * Returns: (transfer full): the landscape, %NULL on error
 */
TareLandscape *
tare_landscape_measure (TareModel                   *model,
                        const TareObjective         *objective,
                        const TareLandscapeOptions  *options,
                        guint64                      memory,
                        const TareProgress          *progress,
                        GError                     **error)
{
  g_autoptr(TareNetwork) network = NULL;
  g_autoptr(TareGradient) gradient = NULL;
  g_autoptr(TareLandscape) self = NULL;
  TareProgress first;
  double n;

  g_return_val_if_fail (model != NULL && objective != NULL, NULL);
  g_return_val_if_fail (options != NULL && options->directions[0] != NULL, NULL);

  network = tare_network_new (model, error);
  if (network == NULL)
    return NULL;

  gradient = tare_gradient_new (network, memory);
  self = landscape_new (options);
  n = (double) (self->n_x * self->n_y) + 1.0;
  first = tare_progress_part (progress, 0.0, 1.0 / n);
  if (!lose (gradient, objective, options->directions, 0.0, 0.0, &self->center, &first, error))
    return NULL;

  for (gsize i = 0; i < self->n_x * self->n_y; i++)
    {
      TareProgress part = tare_progress_part (progress, (double) (i + 1) / n,
                                              (double) (i + 2) / n);

      if (!lose (gradient, objective, options->directions, self->x[i % self->n_x],
                 self->y[i / self->n_x], &self->loss[i], &part, error))
        return NULL;
      if (options->func != NULL)
        options->func (self, options->data);
    }

  return g_steal_pointer (&self);
}

/**
 * tare_landscape_free:
 * @self: (nullable): a landscape
 */
void
tare_landscape_free (TareLandscape *self)
{
  if (self == NULL)
    return;

  g_free (self->x);
  g_free (self->y);
  g_free (self->loss);
  g_free (self);
}

/* ‖W‖ over ‖v‖ of what moves. */
static gboolean
compare_lengths (TareModel            *model,
                 const TareDirection  *direction,
                 double               *ratio,
                 const TareProgress   *progress,
                 GError              **error)
{
  double weights = 0.0, moves = 0.0;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      gsize n = tare_tensor_get_n_weights (tensor);
      g_autofree float *w = NULL;
      double length;

      if (!tare_tensor_is_weight (tensor) || !direction->covers (direction->data, tensor))
        continue;
      w = read_weights (tensor, progress, error);
      if (w == NULL)
        return FALSE;
      length = get_length (w, n);
      weights += length * length;
      if (!direction->load (direction->data, tensor, w, progress, error))
        return FALSE;
      length = get_length (w, n);
      moves += length * length;
    }

  *ratio = moves > 0.0 ? sqrt (weights / moves) : 0.0;

  return TRUE;
}

/**
 * tare_landscape_find_sharpness:
 * @model: a model that can be run
 * @objective: the loss
 * @direction: the gradient, or the top eigenvector of the Hessian
 * @radius: of the ball, as a share of the length of the weights that move
 * @sharpness: (out): in nats
 * @progress: (nullable): the progress
 * @error: the model cannot be run, cancelled, memory
 *
 * How much the loss grows at most at a ball's edge, ahead and behind along one direction: Keskar
 * et al., "On Large-Batch Training for Deep Learning" (2016), section 2.2, of which this is a
 * lower bound.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_landscape_find_sharpness (TareModel            *model,
                               const TareObjective  *objective,
                               const TareDirection  *direction,
                               double                radius,
                               double               *sharpness,
                               const TareProgress   *progress,
                               GError              **error)
{
  TareLandscapeOptions options = { .directions = { direction, NULL }, .n = { 2, 1 } };
  g_autoptr(TareLandscape) landscape = NULL;
  double ratio;

  if (!compare_lengths (model, direction, &ratio, progress, error))
    return FALSE;

  options.from[0] = -radius * ratio;
  options.to[0] = radius * ratio;
  landscape = tare_landscape_measure (model, objective, &options, 0, progress, error);
  if (landscape == NULL)
    return FALSE;

  *sharpness = MAX (landscape->loss[0], landscape->loss[1]) - landscape->center;

  return TRUE;
}
