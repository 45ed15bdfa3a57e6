/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-fisher.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

struct _TareFisher
{
  GPtrArray          *layers;
  TareFisherDiagonal  diagonal;
  double              n_scored;
  double              n_sequences;
  double              loss;
};

static void
layer_free (gpointer data)
{
  TareFisherLayer *layer = data;

  g_free (layer->output_squares);
  g_free (layer);
}

static TareFisherLayer *
find (const TareFisher *self,
      const TareTensor *tensor)
{
  for (guint i = self->layers->len; i-- > 0;)
    {
      TareFisherLayer *layer = g_ptr_array_index (self->layers, i);

      if (layer->tensor == tensor)
        return layer;
    }

  return NULL;
}

static TareFisherLayer *
add_layer (TareFisher               *self,
           const TareLinearGradient *gradient)
{
  TareFisherLayer *layer = g_new0 (TareFisherLayer, 1);

  layer->tensor = gradient->tensor;
  layer->outputs = gradient->tensor->rows;
  layer->columns = gradient->columns;
  layer->output_squares = g_new0 (double, layer->outputs);
  g_ptr_array_add (self->layers, layer);

  return layer;
}

static double
sum_squares (const float *x,
             gsize        n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) x[i] * (double) x[i];

  return sum;
}

/* Σ ȳ² of every output, and Σ |ȳ|² |x|² over tokens. */
static void
add_tokens (TareFisherLayer          *layer,
            const TareLinearGradient *gradient)
{
  double *squares = layer->output_squares + gradient->expert * gradient->outputs;

  for (gsize t = 0; t < gradient->n_tokens; t++)
    {
      const float *g = gradient->g.value + t * gradient->stride;
      double size = 0.0;

      for (gsize i = 0; i < gradient->outputs; i++)
        {
          double square = (double) g[i] * (double) g[i];

          squares[i] += square;
          size += square;
        }
      if (size > 0.0)
        layer->tokens_trace += size * sum_squares (gradient->x.value + t * gradient->columns,
                                                   gradient->columns);
    }
}

/* @gram = a a' for the tokens of a sequence. */
static void
fill_gram (const float *a,
           gsize        stride,
           gsize        n,
           gsize        columns,
           float       *gram)
{
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (blasint) n, (blasint) n,
               (blasint) columns, 1.0f, a, (blasint) stride, a, (blasint) stride, 0.0f, gram,
               (blasint) n);
}

/* Σ |ȳ'x|² of every sequence, as Σ (ȳ_s · ȳ_t) (x_s · x_t): nothing of the matrix's size. */
static void
add_sequences (TareFisherLayer          *layer,
               const TareLinearGradient *gradient)
{
  gsize length = gradient->length;
  g_autofree float *outputs = NULL, *inputs = NULL;

  if (length == 0 || gradient->n_tokens % length != 0)
    {
      layer->sequences_trace = NAN;
      return;
    }

  outputs = g_new (float, length * length);
  inputs = g_new (float, length * length);
  for (gsize t = 0; t < gradient->n_tokens; t += length)
    {
      double sum = 0.0;

      fill_gram (gradient->g.value + t * gradient->stride, gradient->stride, length,
                 gradient->outputs, outputs);
      fill_gram (gradient->x.value + t * gradient->columns, gradient->columns, length,
                 gradient->columns, inputs);
      for (gsize i = 0; i < length * length; i++)
        sum += (double) outputs[i] * (double) inputs[i];
      layer->sequences_trace += sum;
    }
}

/* Σ over some tokens of ȳ'x, squared and added to the diagonal. */
static void
add_squared_product (const TareLinearGradient *gradient,
                     gsize                     first,
                     gsize                     n,
                     float                    *product,
                     float                    *values)
{
  gsize size = gradient->outputs * gradient->columns;

  cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, (blasint) gradient->outputs,
               (blasint) gradient->columns, (blasint) n, 1.0f,
               gradient->g.value + first * gradient->stride, (blasint) gradient->stride,
               gradient->x.value + first * gradient->columns, (blasint) gradient->columns, 0.0f,
               product, (blasint) gradient->columns);
  for (gsize i = 0; i < size; i++)
    values[i] += product[i] * product[i];
}

static void
add_diagonal (const TareFisher         *self,
              const TareLinearGradient *gradient)
{
  gsize m = gradient->outputs, n = gradient->columns, n_tokens = gradient->n_tokens;
  gboolean tokens = self->diagonal.form == TARE_FISHER_TOKENS;
  gboolean whole = gradient->length > 0 && n_tokens % gradient->length == 0;
  float *values = self->diagonal.values + gradient->expert * m * n;
  g_autofree float *product = g_new (float, tokens ? n_tokens * (m + n) : m * n);

  if (!tokens)
    {
      for (gsize i = 0; !whole && i < m * n; i++)
        values[i] = NAN;
      for (gsize t = 0; whole && t < n_tokens; t += gradient->length)
        add_squared_product (gradient, t, gradient->length, product, values);
      return;
    }

  for (gsize t = 0; t < n_tokens; t++)
    {
      for (gsize i = 0; i < m; i++)
        product[t * m + i] = gradient->g.value[t * gradient->stride + i]
                             * gradient->g.value[t * gradient->stride + i];
      for (gsize j = 0; j < n; j++)
        product[n_tokens * m + t * n + j] = gradient->x.value[t * n + j]
                                            * gradient->x.value[t * n + j];
    }
  cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, (blasint) m, (blasint) n,
               (blasint) n_tokens, 1.0f, product, (blasint) m, product + n_tokens * m,
               (blasint) n, 1.0f, values, (blasint) n);
}

static void
observe (const TareLinearGradient *gradient,
         gpointer                  data)
{
  TareFisher *self = data;
  TareFisherLayer *layer = find (self, gradient->tensor);

  if (layer == NULL)
    layer = add_layer (self, gradient);

  add_tokens (layer, gradient);
  add_sequences (layer, gradient);
  if (self->diagonal.tensor == gradient->tensor)
    add_diagonal (self, gradient);
}

/* The pass's gradients are of the mean over N tokens: a token's own is N times as large, and a
 * sequence's, of N / S tokens, S times. */
static void
finish (TareFisher *self)
{
  double tokens = self->n_scored, sequences = self->n_sequences;
  double factor = self->diagonal.form == TARE_FISHER_TOKENS ? tokens : sequences;

  for (guint i = 0; i < self->layers->len; i++)
    {
      TareFisherLayer *layer = g_ptr_array_index (self->layers, i);

      for (gsize j = 0; j < layer->outputs; j++)
        {
          layer->output_squares[j] *= tokens;
          layer->output_trace += layer->output_squares[j];
        }
      layer->tokens_trace *= tokens;
      layer->sequences_trace *= sequences;
    }

  if (self->diagonal.tensor != NULL)
    for (gsize i = 0; i < tare_tensor_get_n_weights (self->diagonal.tensor); i++)
      self->diagonal.values[i] *= (float) factor;
  self->diagonal = (TareFisherDiagonal) { 0 };
}

/**
 * tare_fisher_measure:
 * @model: a model that can be run
 * @objective: the loss, usually a cross-entropy: the labels are those of the text
 * @diagonal: (nullable): a diagonal to make in full beside all traces
 * @memory: bytes of memory to get by with; 0 for the default
 * @progress: (nullable): the progress
 * @error: the model cannot be run, cancelled, memory
 *
 * Sends a text through a network and back once. Kunstner, Balles and Hennig, "Limitations of the
 * Empirical Fisher Approximation" (2019), say what it is and what it is not.
 *
 * Returns: (transfer full): the Fisher information of all linear layers, %NULL on error
 */
TareFisher *
tare_fisher_measure (TareModel                 *model,
                     const TareObjective       *objective,
                     const TareFisherDiagonal  *diagonal,
                     guint64                    memory,
                     const TareProgress        *progress,
                     GError                   **error)
{
  g_autoptr(TareFisher) self = NULL;
  g_autoptr(TareNetwork) network = NULL;
  g_autoptr(TareGradient) gradient = NULL;
  TareGradientObserver observer = { .linear = observe };
  TareGradientResult result;

  g_return_val_if_fail (model != NULL && objective != NULL, NULL);

  network = tare_network_new (model, error);
  if (network == NULL)
    return NULL;

  self = g_new0 (TareFisher, 1);
  self->layers = g_ptr_array_new_with_free_func (layer_free);
  if (diagonal != NULL)
    {
      self->diagonal = *diagonal;
      memset (diagonal->values, 0,
              tare_tensor_get_n_weights (diagonal->tensor) * sizeof *diagonal->values);
    }
  gradient = tare_gradient_new (network, memory);
  observer.data = self;
  if (!tare_gradient_run (gradient, &tare_weights_of_file, NULL, objective, &observer, &result,
                          progress, error))
    return NULL;

  self->n_scored = (double) result.n_scored;
  self->n_sequences = (double) objective->n_sequences;
  self->loss = result.loss;
  finish (self);

  return g_steal_pointer (&self);
}

/**
 * tare_fisher_free:
 * @self: (nullable): the information
 */
void
tare_fisher_free (TareFisher *self)
{
  if (self == NULL)
    return;

  g_ptr_array_unref (self->layers);
  g_free (self);
}

/**
 * tare_fisher_n_layers:
 * @self: the information
 *
 * Returns: how many linear layers were met, from the last to the first
 */
gsize
tare_fisher_n_layers (const TareFisher *self)
{
  return self->layers->len;
}

/**
 * tare_fisher_get:
 * @self: the information
 * @index: below their number
 *
 * Returns: (transfer none): that of one layer
 */
const TareFisherLayer *
tare_fisher_get (const TareFisher *self,
                 gsize             index)
{
  g_return_val_if_fail (index < self->layers->len, NULL);

  return g_ptr_array_index (self->layers, index);
}

/**
 * tare_fisher_lookup:
 * @self: the information
 * @tensor: a matrix
 *
 * Returns: (transfer none) (nullable): its information, %NULL where it is no linear layer
 */
const TareFisherLayer *
tare_fisher_lookup (const TareFisher *self,
                    const TareTensor *tensor)
{
  return find (self, tensor);
}

/**
 * tare_fisher_get_loss:
 * @self: the information
 *
 * Returns: the loss, the mean over what is scored, in nats
 */
double
tare_fisher_get_loss (const TareFisher *self)
{
  return self->loss;
}
