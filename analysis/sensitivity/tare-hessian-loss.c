/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-hessian-loss.h"

#include <math.h>
#include <string.h>

#include "analysis/sensitivity/tare-shift.h"
#include "quant/tare-error.h"

/* Steps of the difference engine, by the weights' root mean square over the direction's: between
 * truncation, which grows with its square, and the rounding of binary32 gradients. */
#define STEP 1e-3

/* Seeds of one probe's tensors are so far apart. */
#define SEED_STRIDE 0x9e3779b97f4a7c15u

struct _TareHessianLoss
{
  TareModel         *model;
  TareNetwork       *network;
  TareGradient      *gradient;
  TareObjective      objective;
  guint32           *tokens;
  guint32           *targets;
  TareHessianEngine  engine;
  GPtrArray         *tensors;
  gsize             *offsets;
  double            *squares;
  const TareTensor  *selected;
  const float       *v;
  float             *product;
  guint64            seed;
  double            *values;
  double             factor;
  double             instability;
};

static gsize
find (TareHessianLoss  *self,
      const TareTensor *tensor)
{
  guint index = 0;
  gboolean found = g_ptr_array_find (self->tensors, tensor, &index);

  g_assert (found);

  return index;
}

static gboolean
covers (gpointer          data,
        const TareTensor *tensor)
{
  TareHessianLoss *self = data;

  return self->selected != NULL ? tensor == self->selected
                                : g_ptr_array_find (self->tensors, tensor, NULL);
}

/* Where a tensor's numbers are in a vector. */
static gsize
get_offset (TareHessianLoss  *self,
            const TareTensor *tensor)
{
  return self->selected != NULL ? 0 : self->offsets[find (self, tensor)];
}

/* The direction is a vector, or the signs that @seed stands for. */
static gboolean
load (gpointer             data,
      const TareTensor    *tensor,
      float               *out,
      const TareProgress  *progress,
      GError             **error)
{
  TareHessianLoss *self = data;
  gsize n = tare_tensor_get_n_weights (tensor);

  if (self->v != NULL)
    memcpy (out, self->v + get_offset (self, tensor), n * sizeof *out);
  else
    tare_operator_fill_signs (self->seed + SEED_STRIDE * (find (self, tensor) + 1), n, out);

  return TRUE;
}

static gboolean
load_rows (gpointer             data,
           const TareTensor    *tensor,
           gsize                first,
           gsize                n,
           float               *out,
           const TareProgress  *progress,
           GError             **error)
{
  TareHessianLoss *self = data;
  gsize offset = first * tensor->columns, count = n * tensor->columns;

  if (self->v != NULL)
    memcpy (out, self->v + get_offset (self, tensor) + offset, count * sizeof *out);
  else
    tare_operator_fill_signs_from (self->seed + SEED_STRIDE * (find (self, tensor) + 1), offset,
                                   count, out);

  return TRUE;
}

static gboolean
covers_vector (gpointer          data,
               const TareTensor *tensor)
{
  const TareHessianVector *self = data;

  return covers (self->hessian, tensor);
}

static gboolean
load_vector (gpointer             data,
             const TareTensor    *tensor,
             float               *out,
             const TareProgress  *progress,
             GError             **error)
{
  const TareHessianVector *self = data;

  memcpy (out, self->v + get_offset (self->hessian, tensor),
          tare_tensor_get_n_weights (tensor) * sizeof *out);

  return TRUE;
}

/* What the exact engine finds of one tensor; what is both output and embedding comes twice. */
static void
add_curvature (const TareTensor *tensor,
               double            curvature,
               gpointer          data)
{
  TareHessianLoss *self = data;

  if (self->values != NULL)
    self->values[find (self, tensor)] += curvature;
}

/* @factor times a gradient, to the product if one is made, else times the direction to a sum. */
static void
add_weight (const TareTensor *tensor,
            const float      *gradient,
            gpointer          data)
{
  TareHessianLoss *self = data;
  gsize n = tare_tensor_get_n_weights (tensor);
  double sum = 0.0;
  g_autofree float *v = NULL;

  if (!covers (self, tensor))
    return;
  if (self->product != NULL)
    {
      float *to = self->product + get_offset (self, tensor);
      float factor = (float) self->factor;

#pragma omp parallel for simd schedule(static) if (n >= 65536)
      for (gsize i = 0; i < n; i++)
        to[i] += factor * gradient[i];
      return;
    }

  v = g_new (float, n);
  load (self, tensor, v, NULL, NULL);
  for (gsize i = 0; i < n; i++)
    sum += (double) v[i] * (double) gradient[i];
  self->values[find (self, tensor)] += self->factor * sum;
}

static gboolean
run_exact (TareHessianLoss     *self,
           const TareProgress  *progress,
           GError             **error)
{
  const TareDirection direction = { covers, load, self, load_rows };
  const TareGradientObserver observer = { .weight = self->product != NULL ? add_weight : NULL,
                                          .curvature = add_curvature, .data = self };
  TareGradientResult result;

  self->factor = 1.0;

  return tare_gradient_run (self->gradient, &tare_weights_of_file, &direction, &self->objective,
                            &observer, &result, progress, error);
}

/* Σ w² of a tensor, once. */
static gboolean
measure_squares (TareHessianLoss     *self,
                 gsize                index,
                 const TareProgress  *progress,
                 GError             **error)
{
  const TareTensor *tensor = g_ptr_array_index (self->tensors, index);
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *w = NULL;
  double sum = 0.0;

  if (self->squares[index] >= 0.0)
    return TRUE;

  w = g_try_new (float, n);
  if (w == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: no memory to read it",
                   tensor->canonical);
      return FALSE;
    }
  if (!tare_weights_of_file.load (NULL, tensor, w, progress, error))
    return FALSE;

#pragma omp parallel for simd reduction(+:sum) schedule(static) if (n >= 65536)
  for (gsize i = 0; i < n; i++)
    sum += (double) w[i] * (double) w[i];
  self->squares[index] = sum;

  return TRUE;
}

/* Along the direction: STEP by the weights' size over its own. */
static gboolean
choose_step (TareHessianLoss     *self,
             double              *step,
             const TareProgress  *progress,
             GError             **error)
{
  double weights = 0.0, moves = 0.0;

  for (guint i = 0; i < self->tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (self->tensors, i);
      gsize n = tare_tensor_get_n_weights (tensor);

      if (!covers (self, tensor))
        continue;
      if (!measure_squares (self, i, progress, error))
        return FALSE;
      weights += self->squares[i];
      for (gsize j = 0; self->v != NULL && j < n; j++)
        moves += (double) self->v[get_offset (self, tensor) + j]
                 * (double) self->v[get_offset (self, tensor) + j];
      if (self->v == NULL)
        moves += (double) n;
    }

  *step = moves > 0.0 ? STEP * sqrt (weights / moves) : STEP;

  return TRUE;
}

/* Adds @factor times the gradient at @shift along the direction. */
static gboolean
add_gradient (TareHessianLoss     *self,
              double               shift,
              double               factor,
              const TareProgress  *progress,
              GError             **error)
{
  const TareDirection direction = { covers, load, self };
  const TareShift moved = { &tare_weights_of_file, { &direction, NULL }, { shift, 0.0 } };
  const TareWeights weights = tare_shift_get_weights (&moved);
  const TareGradientObserver observer = { .weight = add_weight, .data = self };
  TareGradientResult result;

  self->factor = factor;

  return tare_gradient_run (self->gradient, &weights, NULL, &self->objective, &observer, &result,
                            progress, error);
}

/* v'Hv of what has been made. */
static double
get_curvature (TareHessianLoss *self)
{
  double sum = 0.0;

  if (self->product != NULL)
    for (gsize i = 0; i < tare_hessian_loss_get_size (self); i++)
      sum += (double) self->v[i] * (double) self->product[i];
  else
    for (guint i = 0; i < self->tensors->len; i++)
      sum += self->values[i];

  return sum;
}

/* (4 D (ε) - D (2ε)) / 3 with D (ε) = (g (W + εv) - g (W - εv)) / 2ε; of both D it is kept how far
 * they are apart. */
static gboolean
run_difference (TareHessianLoss     *self,
                const TareProgress  *progress,
                GError             **error)
{
  double step, near, both;

  if (!choose_step (self, &step, progress, error))
    return FALSE;

  for (gsize i = 0; i < 2; i++)
    {
      double shift = (double) (i + 1) * step;
      double factor = (i == 0 ? 4.0 : -1.0) / (3.0 * 2.0 * shift);
      TareProgress ahead = tare_progress_part (progress, 0.5 * i, 0.5 * i + 0.25);
      TareProgress behind = tare_progress_part (progress, 0.5 * i + 0.25, 0.5 * i + 0.5);

      if (!add_gradient (self, shift, factor, &ahead, error)
          || !add_gradient (self, -shift, -factor, &behind, error))
        return FALSE;
      if (i == 0)
        near = 0.75 * get_curvature (self);
    }

  /* both = (4 near - far) / 3, so far - near = 3 (near - both). */
  both = get_curvature (self);
  self->instability = near != 0.0 ? 3.0 * fabs (near - both) / fabs (near) : 0.0;

  return TRUE;
}

static gboolean
run (TareHessianLoss     *self,
     const TareProgress  *progress,
     GError             **error)
{
  return self->engine == TARE_HESSIAN_EXACT ? run_exact (self, progress, error)
                                            : run_difference (self, progress, error);
}

static gboolean
probe (gpointer             data,
       guint64              seed,
       double              *values,
       const TareProgress  *progress,
       GError             **error)
{
  TareHessianLoss *self = data;
  gsize n = self->tensors->len;
  g_autofree double *all = g_new0 (double, MAX (n, 1));
  gboolean ok;

  self->seed = seed;
  self->v = NULL;
  self->product = NULL;
  self->values = all;
  ok = run (self, progress, error);
  self->values = NULL;

  if (self->selected != NULL)
    *values = all[find (self, self->selected)];
  else
    memcpy (values, all, n * sizeof *all);

  return ok;
}

static gboolean
apply (gpointer             data,
       const float         *v,
       float               *product,
       const TareProgress  *progress,
       GError             **error)
{
  TareHessianLoss *self = data;
  gboolean ok;

  memset (product, 0, tare_hessian_loss_get_size (self) * sizeof *product);
  self->v = v;
  self->product = product;
  ok = run (self, progress, error);
  self->v = NULL;
  self->product = NULL;

  return ok;
}

static void
copy_objective (TareHessianLoss     *self,
                const TareObjective *objective)
{
  gsize bytes = objective->n_sequences * objective->length * sizeof (guint32);

  self->objective = *objective;
  self->tokens = g_memdup2 (objective->tokens, bytes);
  self->objective.tokens = self->tokens;
  if (objective->targets != NULL)
    self->targets = g_memdup2 (objective->targets, bytes);
  self->objective.targets = self->targets;
}

/**
 * tare_hessian_loss_new:
 * @model: a model that can be run
 * @objective: the loss; tokens and targets are copied. A divergence without a base gives the
 *   matrix of Gauss and Newton, which the difference engine cannot
 * @engine: how products are made
 * @memory: bytes of memory to get by with; 0 for the default
 * @error: the model cannot be run, or only without tangents
 *
 * Returns: (transfer full): the Hessian, by all matrices until one is selected
 */
TareHessianLoss *
tare_hessian_loss_new (TareModel            *model,
                       const TareObjective  *objective,
                       TareHessianEngine     engine,
                       guint64               memory,
                       GError              **error)
{
  g_autoptr(TareHessianLoss) self = NULL;
  gsize size = 0;

  g_return_val_if_fail (model != NULL && objective != NULL, NULL);
  g_return_val_if_fail (engine == TARE_HESSIAN_EXACT || objective->base != NULL
                        || objective->loss == TARE_LOSS_CROSS_ENTROPY, NULL);

  self = g_new0 (TareHessianLoss, 1);
  self->model = tare_model_ref (model);
  self->engine = engine;
  self->tensors = g_ptr_array_new ();
  copy_objective (self, objective);
  self->network = tare_network_new (model, error);
  if (self->network == NULL)
    return NULL;

  self->gradient = tare_gradient_new (self->network, memory);
  self->offsets = g_new0 (gsize, tare_model_get_n_tensors (model) + 1);
  self->squares = g_new (double, tare_model_get_n_tensors (model));
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);

      if (!tare_tensor_is_weight (tensor))
        continue;
      self->squares[self->tensors->len] = -1.0;
      g_ptr_array_add (self->tensors, (gpointer) tensor);
      size += tare_tensor_get_n_weights (tensor);
      self->offsets[self->tensors->len] = size;
    }

  return g_steal_pointer (&self);
}

/**
 * tare_hessian_loss_free:
 * @self: (nullable): the Hessian
 */
void
tare_hessian_loss_free (TareHessianLoss *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->gradient, tare_gradient_free);
  g_clear_pointer (&self->network, tare_network_free);
  g_ptr_array_unref (self->tensors);
  g_free (self->offsets);
  g_free (self->squares);
  g_free (self->tokens);
  g_free (self->targets);
  tare_model_unref (self->model);
  g_free (self);
}

/**
 * tare_hessian_loss_get_n_tensors:
 * @self: the Hessian
 *
 * Returns: matrices of the model
 */
gsize
tare_hessian_loss_get_n_tensors (TareHessianLoss *self)
{
  return self->tensors->len;
}

/**
 * tare_hessian_loss_get_tensor:
 * @self: the Hessian
 * @index: below their number
 *
 * Returns: (transfer none): a matrix, the part of that number of a probe
 */
const TareTensor *
tare_hessian_loss_get_tensor (TareHessianLoss *self,
                              gsize            index)
{
  g_return_val_if_fail (index < self->tensors->len, NULL);

  return g_ptr_array_index (self->tensors, index);
}

/**
 * tare_hessian_loss_select:
 * @self: the Hessian
 * @tensor: (nullable): one of its matrices, %NULL for all
 *
 * From now on the Hessian is that block on the diagonal. A product with it costs the less the
 * later in the network it is.
 */
void
tare_hessian_loss_select (TareHessianLoss  *self,
                          const TareTensor *tensor)
{
  g_return_if_fail (tensor == NULL || g_ptr_array_find (self->tensors, tensor, NULL));

  self->selected = tensor;
}

/**
 * tare_hessian_loss_get_size:
 * @self: the Hessian
 *
 * Returns: numbers of a vector: the weights of what is selected, in the order of the tensors
 */
gsize
tare_hessian_loss_get_size (TareHessianLoss *self)
{
  return self->selected != NULL ? tare_tensor_get_n_weights (self->selected)
                                : self->offsets[self->tensors->len];
}

/**
 * tare_hessian_loss_get_probe:
 * @self: the Hessian, which must outlive what is returned
 *
 * Returns: what asks for the traces of all its blocks at once, or of the selected one; no vector
 *   of the model's size is held
 */
TareProbe
tare_hessian_loss_get_probe (TareHessianLoss *self)
{
  return (TareProbe) { self->selected != NULL ? 1 : self->tensors->len, probe, self };
}

/**
 * tare_hessian_loss_get_operator:
 * @self: the Hessian, which must outlive what is returned
 *
 * Returns: its products with vectors
 */
TareOperator
tare_hessian_loss_get_operator (TareHessianLoss *self)
{
  return (TareOperator) { tare_hessian_loss_get_size (self), apply, self };
}

/**
 * tare_hessian_vector_get_direction:
 * @self: a vector of what its Hessian has selected, which must outlive what is returned
 *
 * Returns: a direction in which weights can be moved
 */
TareDirection
tare_hessian_vector_get_direction (const TareHessianVector *self)
{
  return (TareDirection) { covers_vector, load_vector, (gpointer) self };
}

/**
 * tare_hessian_loss_get_instability:
 * @self: a Hessian of the difference engine
 *
 * Returns: how far v'Hv of the last product or probe at twice the step was from that at the step,
 *   relatively: above 0.05 the product is not to be trusted; 0 of the exact engine
 */
double
tare_hessian_loss_get_instability (TareHessianLoss *self)
{
  return self->instability;
}

/**
 * tare_hessian_loss_get_gradient:
 * @self: the Hessian
 * @gradient: (out caller-allocates): as many numbers as a vector has
 * @result: (out caller-allocates): the loss
 * @progress: (nullable): the progress
 * @error: what tare_gradient_run() reports
 *
 * Returns: %FALSE on error
 */
gboolean
tare_hessian_loss_get_gradient (TareHessianLoss     *self,
                                float               *gradient,
                                TareGradientResult  *result,
                                const TareProgress  *progress,
                                GError             **error)
{
  const TareGradientObserver observer = { .weight = add_weight, .data = self };
  gboolean ok;

  memset (gradient, 0, tare_hessian_loss_get_size (self) * sizeof *gradient);
  self->product = gradient;
  self->factor = 1.0;
  ok = tare_gradient_run (self->gradient, &tare_weights_of_file, NULL, &self->objective,
                          &observer, result, progress, error);
  self->product = NULL;

  return ok;
}
