/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Measures of how the loss takes to a layer's moving: from its gradients and from its Hessian. */
#include "analysis/sensitivity/tare-measure-private.h"

#include <math.h>

#include "analysis/calibration/tare-sequences.h"
#include "analysis/sensitivity/tare-fisher.h"
#include "analysis/sensitivity/tare-hessian-loss.h"

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* Where nobody says how much of the text to use: multiplications in all, which two cores do in
 * ten seconds, and tokens in any case and at most. A product with the Hessian takes nine
 * multiplications of a weight and a token, a gradient four. */
#define MULTIPLICATIONS  4e11
#define PRODUCT_COST     9.0
#define GRADIENT_COST    4.0
#define LEAST_TOKENS     64
#define MOST_TOKENS      16384
#define DEFAULT_CONTEXT  512

/* Probes of the trace: what is right while a person looks on; and products for an eigenvalue,
 * which differs between layers by much more than this leaves open. */
#define PROBES          16
#define EIGEN_PRODUCTS  6
#define EIGEN_TOLERANCE 5e-2

static gsize
count_layers (TareModel *model)
{
  gsize n = 0;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    n += tare_tensor_is_weight (tare_model_get_tensor (model, i)) ? 1 : 0;

  return n;
}

/* The text for work that takes @cost multiplications of a weight and a token. */
static gboolean
take_text (TareMeasureContext  *context,
           double               cost,
           TareSequences       *sequences,
           GError             **error)
{
  TareModel *model = tare_measure_context_get_model (context);
  const TareConfig *config = tare_model_get_config (model);
  double weights = (double) MAX (tare_model_get_n_weights (model), 1);
  gsize most = (gsize) CLAMP (MULTIPLICATIONS / (weights * cost), LEAST_TOKENS, MOST_TOKENS);
  gsize length, n_tokens;
  const char *text;
  guint width;

  text = tare_measure_context_get_text (context, &length, &width, &n_tokens);
  if (width == 0)
    width = config != NULL ? MIN (DEFAULT_CONTEXT, MAX (config->context, 1)) : DEFAULT_CONTEXT;

  return tare_sequences_init (sequences, model, text, length, (guint) MIN (width, most),
                              n_tokens > 0 ? MIN (n_tokens, most) : most, "text", error);
}

static TareObjective
get_objective (const TareSequences *sequences)
{
  return (TareObjective) { .loss = TARE_LOSS_CROSS_ENTROPY,
                           .tokens = (const guint32 *) sequences->tokens->data,
                           .n_sequences = sequences->n_sequences,
                           .length = sequences->context };
}

static gpointer
make_fisher (TareMeasureContext  *context,
             const TareTensor    *tensor,
             const TareProgress  *progress,
             GError             **error)
{
  g_auto(TareSequences) sequences = { 0 };
  TareObjective objective;

  if (!take_text (context, GRADIENT_COST, &sequences, error))
    return NULL;

  objective = get_objective (&sequences);

  return tare_fisher_measure (tare_measure_context_get_model (context), &objective, NULL,
                              tare_measure_context_get_memory (context), progress, error);
}

static void
free_fisher (gpointer data)
{
  tare_fisher_free (data);
}

/* What the gradients tell of a layer; @layer stays %NULL where it is no linear one. */
static gboolean
find_fisher (TareMeasureContext     *context,
             const TareTensor       *tensor,
             const TareFisherLayer **layer,
             const TareProgress     *progress,
             GError                **error)
{
  TareFisher *fisher;

  fisher = tare_measure_context_find (context, "fisher", NULL, make_fisher, free_fisher, progress,
                                      error);
  if (fisher == NULL)
    return FALSE;

  *layer = tare_fisher_lookup (fisher, tensor);

  return TRUE;
}

/* Every layer's trace, and whose each is. */
typedef struct
{
  TareTrace  *trace;
  GHashTable *parts;
} Traces;

static void
free_traces (gpointer data)
{
  Traces *traces = data;

  tare_trace_free (traces->trace);
  g_hash_table_unref (traces->parts);
  g_free (traces);
}

static TareHessianLoss *
open_hessian (TareMeasureContext  *context,
              double               n_products,
              GError             **error)
{
  g_auto(TareSequences) sequences = { 0 };
  TareObjective objective;

  if (!take_text (context, PRODUCT_COST * n_products, &sequences, error))
    return NULL;

  objective = get_objective (&sequences);

  return tare_hessian_loss_new (tare_measure_context_get_model (context), &objective,
                                TARE_HESSIAN_EXACT, tare_measure_context_get_memory (context),
                                error);
}

static gpointer
make_traces (TareMeasureContext  *context,
             const TareTensor    *tensor,
             const TareProgress  *progress,
             GError             **error)
{
  const TareTraceOptions options = { .maximum = PROBES, .tolerance = -1.0 };
  g_autoptr(TareHessianLoss) hessian = open_hessian (context, PROBES, error);
  g_autoptr(TareTrace) trace = NULL;
  TareProbe probe;
  Traces *traces;

  if (hessian == NULL)
    return NULL;

  probe = tare_hessian_loss_get_probe (hessian);
  trace = tare_trace_estimate (&probe, &options, progress, error);
  if (trace == NULL)
    return NULL;

  traces = g_new0 (Traces, 1);
  traces->parts = g_hash_table_new (NULL, NULL);
  for (gsize i = 0; i < trace->n_parts; i++)
    g_hash_table_insert (traces->parts, (gpointer) tare_hessian_loss_get_tensor (hessian, i),
                         GSIZE_TO_POINTER (i));
  traces->trace = g_steal_pointer (&trace);

  return traces;
}

static gboolean
find_trace (TareMeasureContext  *context,
            const TareTensor    *tensor,
            TareMeasureValue    *value,
            const TareProgress  *progress,
            GError             **error)
{
  Traces *traces;
  gpointer part;

  traces = tare_measure_context_find (context, "hessian-trace", NULL, make_traces, free_traces,
                                      progress, error);
  if (traces == NULL)
    return FALSE;

  if (g_hash_table_lookup_extended (traces->parts, tensor, NULL, &part))
    {
      value->value = traces->trace->means[GPOINTER_TO_SIZE (part)];
      value->error = traces->trace->errors[GPOINTER_TO_SIZE (part)];
    }

  return TRUE;
}

static gpointer
make_hessian (TareMeasureContext  *context,
              const TareTensor    *tensor,
              const TareProgress  *progress,
              GError             **error)
{
  /* On average half of the network lies behind a layer. */
  double n_products = 0.5 * EIGEN_PRODUCTS
                      * (double) count_layers (tare_measure_context_get_model (context));

  return open_hessian (context, n_products, error);
}

static void
free_hessian (gpointer data)
{
  tare_hessian_loss_free (data);
}

static gpointer
make_eigenvalue (TareMeasureContext  *context,
                 const TareTensor    *tensor,
                 const TareProgress  *progress,
                 GError             **error)
{
  const TareEigenOptions options = { .maximum_products = EIGEN_PRODUCTS,
                                     .tolerance = EIGEN_TOLERANCE };
  TareHessianLoss *hessian = tare_measure_context_find (context, "hessian-loss", NULL,
                                                        make_hessian, free_hessian, progress,
                                                        error);
  g_autoptr(TareEigen) eigen = NULL;
  TareMeasureValue *value;
  TareOperator operator;

  if (hessian == NULL)
    return NULL;

  tare_hessian_loss_select (hessian, tensor);
  operator = tare_hessian_loss_get_operator (hessian);
  eigen = tare_operator_find_eigen (&operator, &options, progress, error);
  if (eigen == NULL)
    return NULL;

  value = g_new (TareMeasureValue, 1);
  *value = (TareMeasureValue) { eigen->values[0], eigen->residuals[0] };

  return value;
}

static gboolean
find_eigenvalue (TareMeasureContext  *context,
                 const TareTensor    *tensor,
                 TareMeasureValue    *value,
                 const TareProgress  *progress,
                 GError             **error)
{
  const TareMeasureValue *found;

  found = tare_measure_context_find (context, "hessian-eigenvalue", tensor, make_eigenvalue,
                                     g_free, progress, error);
  if (found == NULL)
    return FALSE;

  *value = *found;

  return TRUE;
}

static gboolean
compute_fisher (const TareMeasure     *self,
                TareMeasureContext    *context,
                const TareTensor      *tensor,
                const TareAssignment  *assignment,
                const TareProgress    *progress,
                TareMeasureValue      *value,
                GError               **error)
{
  const TareFisherLayer *layer = NULL;

  if (!find_fisher (context, tensor, &layer, progress, error))
    return FALSE;

  if (layer != NULL)
    value->value = layer->tokens_trace;

  return TRUE;
}

/* Σ dW² of a layer that is rounded. */
static gboolean
find_squares (TareMeasureContext    *context,
              const TareTensor      *tensor,
              const TareAssignment  *assignment,
              double                *squares,
              const TareProgress    *progress,
              GError               **error)
{
  g_autoptr(TareQuantized) quantized = NULL;

  quantized = tare_engine_quantize (tare_measure_context_get_engine (context), tensor, assignment,
                                    tare_measure_context_get_calibration (context), progress,
                                    error);
  if (quantized == NULL)
    return FALSE;

  *squares = quantized->distortion.squared;

  return TRUE;
}

static gboolean
compute_fit (const TareMeasure     *self,
             TareMeasureContext    *context,
             const TareTensor      *tensor,
             const TareAssignment  *assignment,
             const TareProgress    *progress,
             TareMeasureValue      *value,
             GError               **error)
{
  double squares = 0.0;

  if (!compute_fisher (self, context, tensor, assignment, progress, value, error)
      || !find_squares (context, tensor, assignment, &squares, progress, error))
    return FALSE;

  value->value *= squares / (double) tare_tensor_get_n_weights (tensor);

  return TRUE;
}

/* ½ Σ b_i dW_i H' dW_i', with H' = XX'/T: a quarter of what H = 2XX'/T gives. */
static gboolean
compute_gradient_proxy (const TareMeasure     *self,
                        TareMeasureContext    *context,
                        const TareTensor      *tensor,
                        const TareAssignment  *assignment,
                        const TareProgress    *progress,
                        TareMeasureValue      *value,
                        GError               **error)
{
  const TareFisherLayer *layer = NULL;

  if (!find_fisher (context, tensor, &layer, progress, error))
    return FALSE;
  if (layer == NULL || layer->outputs != tensor->rows)
    return TRUE;
  if (!_tare_measure_weighted_loss (context, tensor, assignment, layer->output_squares, progress,
                                    &value->value, error))
    return FALSE;

  value->value *= 0.25;

  return TRUE;
}

static gboolean
compute_trace (const TareMeasure     *self,
               TareMeasureContext    *context,
               const TareTensor      *tensor,
               const TareAssignment  *assignment,
               const TareProgress    *progress,
               TareMeasureValue      *value,
               GError               **error)
{
  return find_trace (context, tensor, value, progress, error);
}

static gboolean
compute_eigenvalue (const TareMeasure     *self,
                    TareMeasureContext    *context,
                    const TareTensor      *tensor,
                    const TareAssignment  *assignment,
                    const TareProgress    *progress,
                    TareMeasureValue      *value,
                    GError               **error)
{
  return find_eigenvalue (context, tensor, value, progress, error);
}

static gboolean
compute_hawq_v1 (const TareMeasure     *self,
                 TareMeasureContext    *context,
                 const TareTensor      *tensor,
                 const TareAssignment  *assignment,
                 const TareProgress    *progress,
                 TareMeasureValue      *value,
                 GError               **error)
{
  double squares = 0.0;

  if (!find_eigenvalue (context, tensor, value, progress, error)
      || !find_squares (context, tensor, assignment, &squares, progress, error))
    return FALSE;

  value->value *= squares;
  value->error *= squares;

  return TRUE;
}

static gboolean
compute_hawq_v2 (const TareMeasure     *self,
                 TareMeasureContext    *context,
                 const TareTensor      *tensor,
                 const TareAssignment  *assignment,
                 const TareProgress    *progress,
                 TareMeasureValue      *value,
                 GError               **error)
{
  double squares = 0.0;

  if (!find_trace (context, tensor, value, progress, error)
      || !find_squares (context, tensor, assignment, &squares, progress, error))
    return FALSE;

  squares /= (double) tare_tensor_get_n_weights (tensor);
  value->value *= squares;
  value->error *= squares;

  return TRUE;
}

#define NEEDS_TEXT   (TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_TEXT)
#define NEEDS_FORMAT (NEEDS_TEXT | TARE_MEASURE_NEEDS_FORMAT)

const TareMeasure _tare_measures_of_gradient[] = {
  {
    .id = "fisher",
    .label = N_("Fisher trace"),
    .definition = N_("How hard the loss pulls at the layer's weights: the trace of the empirical "
                     "Fisher matrix, the mean over tokens of |g|² |x|² with x the input and g the "
                     "gradient of the token's loss by the output."),
    .unit = "",
    .source = "Kunstner et al., arXiv:1905.12558, without the terms between tokens",
    .cost = TARE_MEASURE_COST_GRADIENT,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = NEEDS_TEXT,
    .compute = compute_fisher,
  },
  {
    .id = "fit",
    .label = N_("FIT"),
    .definition = N_("What rounding costs by the Fisher matrix: its trace times the mean of dW²."),
    .unit = "",
    .source = "Zandonati et al., FIT, arXiv:2210.08502, the weights' part",
    .cost = TARE_MEASURE_COST_GRADIENT,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = NEEDS_FORMAT,
    .compute = compute_fit,
  },
  {
    .id = "gradient_proxy",
    .label = N_("Gradient-weighted loss"),
    .definition = N_("What rounding is to cost in loss: half the sum over outputs of E[g²] times "
                     "the mean over tokens of that output's squared error."),
    .unit = "nat",
    .source = "analysis/sensitivity/tare-fisher.h",
    .cost = TARE_MEASURE_COST_GRADIENT,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = NEEDS_FORMAT | TARE_MEASURE_NEEDS_CALIBRATION | TARE_MEASURE_NEEDS_GRAM,
    .compute = compute_gradient_proxy,
  },
  {
    .id = "loss_hessian_trace",
    .label = N_("Loss Hessian trace"),
    .definition = N_("How the loss bends as the layer's weights move, all directions added up: the "
                     "trace of its block of the Hessian, with its sign."),
    .unit = "",
    .source = "Dong et al., HAWQ-V2, arXiv:1911.03852",
    .cost = TARE_MEASURE_COST_HESSIAN,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = NEEDS_TEXT,
    .compute = compute_trace,
  },
  {
    .id = "top_eigenvalue",
    .label = N_("Top eigenvalue"),
    .definition = N_("How the loss bends in the direction in which it bends most: the eigenvalue "
                     "of the layer's block of the Hessian that is largest in magnitude."),
    .unit = "",
    .source = "Dong et al., HAWQ, arXiv:1905.03696",
    .cost = TARE_MEASURE_COST_HESSIAN,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = NEEDS_TEXT,
    .compute = compute_eigenvalue,
  },
  {
    .id = "hawq_v1",
    .label = N_("HAWQ-V1"),
    .definition = N_("What rounding costs at worst: the top eigenvalue of the layer's block of the "
                     "Hessian times Σ dW²."),
    .unit = "",
    .source = "Dong et al., HAWQ, arXiv:1905.03696",
    .cost = TARE_MEASURE_COST_HESSIAN,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = NEEDS_FORMAT,
    .compute = compute_hawq_v1,
  },
  {
    .id = "hawq_v2",
    .label = N_("HAWQ-V2"),
    .definition = N_("What rounding costs on average: the mean eigenvalue of the layer's block of "
                     "the Hessian, its trace over its weights, times Σ dW²."),
    .unit = "",
    .source = "Dong et al., HAWQ-V2, arXiv:1911.03852",
    .cost = TARE_MEASURE_COST_HESSIAN,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = NEEDS_FORMAT,
    .compute = compute_hawq_v2,
  },
  { .id = NULL },
};
