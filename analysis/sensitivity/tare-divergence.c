/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-divergence.h"

#include <math.h>

#include "analysis/sensitivity/tare-measure-private.h"

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* Where nobody says how much of the text to use: multiplications of a run over all layers, which
 * two cores do in half a minute, and chunks in any case. */
#define MULTIPLICATIONS 1e12
#define LEAST_CHUNKS 4
#define MOST_CHUNKS 64

/* llama-perplexity's. */
#define DEFAULT_CONTEXT 512

/* A coin: D. E. Knuth, MMIX. */
#define MULTIPLIER G_GUINT64_CONSTANT (6364136223846793005)
#define INCREMENT  G_GUINT64_CONSTANT (1442695040888963407)

struct _TareDivergence
{
  TareEngine      *engine;
  TareCalibration *calibration;
  TareEvaluator   *evaluator;
  TareAccuracy     base;
  GHashTable      *known;
};

static void
divergence_free (gpointer data)
{
  TareDivergence *self = data;

  g_hash_table_unref (self->known);
  g_clear_pointer (&self->evaluator, tare_evaluator_free);
  g_clear_pointer (&self->calibration, tare_calibration_unref);
  tare_engine_unref (self->engine);
  g_free (self);
}

/* Every layer is one run of, on average, half of the network. */
static gsize
choose_chunks (TareModel *model,
               guint      context)
{
  double weights = (double) tare_model_get_n_weights (model);
  double layers = 0.0;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    layers += tare_tensor_is_weight (tare_model_get_tensor (model, i)) ? 1.0 : 0.0;

  return (gsize) CLAMP (2.0 * MULTIPLICATIONS / (weights * context * MAX (layers, 1.0)),
                        LEAST_CHUNKS, MOST_CHUNKS);
}

static gpointer
make_divergence (TareMeasureContext  *context,
                 const TareTensor    *tensor,
                 const TareProgress  *progress,
                 GError             **error)
{
  TareModel *model = tare_measure_context_get_model (context);
  TareCalibration *calibration = tare_measure_context_get_calibration (context);
  const TareConfig *config = tare_model_get_config (model);
  TareEvaluationOptions options = { .mode = TARE_EVALUATION_MODE_LLAMA_CPP,
                                    .memory_budget = tare_measure_context_get_memory (context) };
  TareDivergence *self;
  const char *text;
  gsize length;
  gsize n_tokens;

  text = tare_measure_context_get_text (context, &length, &options.context, &n_tokens);
  if (options.context == 0)
    options.context = config != NULL ? MIN (DEFAULT_CONTEXT, MAX (config->context, 1))
                                     : DEFAULT_CONTEXT;
  options.maximum_chunks = n_tokens > 0 ? MAX (n_tokens / options.context, 1)
                                        : choose_chunks (model, options.context);

  self = g_new0 (TareDivergence, 1);
  self->engine = tare_engine_ref (tare_measure_context_get_engine (context));
  self->calibration = calibration != NULL ? tare_calibration_ref (calibration) : NULL;
  self->known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->evaluator = tare_evaluator_new (model, text, length, &options, error);
  if (self->evaluator == NULL
      || !tare_evaluator_run_base (self->evaluator, &self->base, progress, error))
    {
      divergence_free (self);
      return NULL;
    }

  return self;
}

/**
 * tare_divergence_get:
 * @context: a context with a text
 * @progress: (nullable): told of the first run and asked whether to go on
 * @error: return location for an error
 *
 * Runs the network as it is over the context's text, when first asked. Where the context does not
 * say how many tokens to use, it is as many as let all layers be measured in about a minute on two
 * cores, but not fewer than 4 chunks.
 *
 * Returns: (transfer none): what measures divergences from that, %NULL with @error set
 */
TareDivergence *
tare_divergence_get (TareMeasureContext  *context,
                     const TareProgress  *progress,
                     GError             **error)
{
  return tare_measure_context_find (context, "divergence", NULL, make_divergence, divergence_free,
                                    progress, error);
}

/**
 * tare_divergence_get_n_tokens:
 * @self: the divergence
 *
 * Returns: predictions that the divergences are means of
 */
gsize
tare_divergence_get_n_tokens (TareDivergence *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->base.n_tokens;
}

static char *
make_key (const TareRounding *rounding)
{
  const TareAssignment *assignment = &rounding->assignment;

  return g_strdup_printf ("%s %s %s %d", rounding->tensor->canonical,
                          assignment->format != NULL ? assignment->format->id : "",
                          assignment->method != NULL ? assignment->method->id : "",
                          (int) assignment->range);
}

static gboolean
run (TareDivergence      *self,
     const TareRounding  *roundings,
     gsize                n,
     TareMeasureValue    *value,
     const TareProgress  *progress,
     GError             **error)
{
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();
  g_autoptr(TareRecipeWeights) weights = NULL;
  TareAccuracy accuracy;

  for (gsize i = 0; i < n; i++)
    {
      const char *const names[] = { roundings[i].tensor->canonical, NULL };
      TareRecipe *more = tare_recipe_with_tensors (recipe, names, &roundings[i].assignment);

      tare_recipe_unref (recipe);
      recipe = more;
    }

  weights = tare_recipe_weights_new (self->engine, recipe, self->calibration);
  if (!tare_evaluator_run (self->evaluator, &weights->weights, &accuracy, progress, error))
    return FALSE;

  *value = (TareMeasureValue) { accuracy.kl_mean, accuracy.kl_error };

  return TRUE;
}

/**
 * tare_divergence_measure:
 * @self: the divergence
 * @roundings: (array length=n): which layers are rounded, and to what
 * @n: how many
 * @value: (out): the mean of KL (as it was || rounded) over predictions, in nats, and its standard
 *   error
 * @progress: (nullable): told of every block and asked whether to go on
 * @error: return location for an error
 *
 * Returns: whether that went well
 */
gboolean
tare_divergence_measure (TareDivergence      *self,
                         const TareRounding  *roundings,
                         gsize                n,
                         TareMeasureValue    *value,
                         const TareProgress  *progress,
                         GError             **error)
{
  g_autofree char *key = NULL;
  TareMeasureValue *known;

  g_return_val_if_fail (self != NULL && roundings != NULL && n > 0, FALSE);

  if (n > 1)
    return run (self, roundings, n, value, progress, error);

  key = make_key (&roundings[0]);
  known = g_hash_table_lookup (self->known, key);
  if (known != NULL)
    {
      *value = *known;
      return TRUE;
    }

  if (!run (self, roundings, 1, value, progress, error))
    return FALSE;
  g_hash_table_insert (self->known, g_steal_pointer (&key), g_memdup2 (value, sizeof *value));

  return TRUE;
}

/* Moves every weight to the next float above or below it, by a coin that is always the same. */
static gboolean
load_nudged (gpointer             data,
             const TareTensor    *tensor,
             float               *out,
             const TareProgress  *progress,
             GError             **error)
{
  gsize n = tare_tensor_get_n_weights (tensor);
  guint64 state = 1;

  if (!tare_tensor_read (tensor, out, error))
    return FALSE;

  for (gsize i = 0; i < n; i++)
    {
      state = state * MULTIPLIER + INCREMENT;
      out[i] = nextafterf (out[i], state >> 63 != 0 ? INFINITY : -INFINITY);
    }

  return TRUE;
}

static guint64
fingerprint_nudged (gpointer          data,
                    const TareTensor *tensor)
{
  return 1;
}

/**
 * tare_divergence_find_floor:
 * @self: the divergence
 * @value: (out): the divergence when every weight moves by one unit of its last place in binary32,
 *   up or down, and its standard error
 * @progress: (nullable): told of every block and asked whether to go on
 * @error: return location for an error
 *
 * Finds what a measured divergence must exceed to mean anything: that of weights that arithmetic
 * in binary32 hardly tells from the original's.
 *
 * Returns: whether that went well
 */
gboolean
tare_divergence_find_floor (TareDivergence      *self,
                            TareMeasureValue    *value,
                            const TareProgress  *progress,
                            GError             **error)
{
  const TareWeights nudged = { load_nudged, fingerprint_nudged, NULL };
  TareAccuracy accuracy;

  g_return_val_if_fail (self != NULL && value != NULL, FALSE);

  if (!tare_evaluator_run (self->evaluator, &nudged, &accuracy, progress, error))
    return FALSE;

  *value = (TareMeasureValue) { accuracy.kl_mean, accuracy.kl_error };

  return TRUE;
}

/**
 * tare_divergence_add_up:
 * @self: the divergence
 * @roundings: (array length=n): which layers are rounded, and to what
 * @n: how many
 * @additivity: (out): the sum of their divergences, and the divergence of all together
 * @progress: (nullable): told of every block and asked whether to go on
 * @error: return location for an error
 *
 * Holds the assumption of every allocation, that what layers cost can be added, against a
 * measurement.
 *
 * Returns: whether that went well
 */
gboolean
tare_divergence_add_up (TareDivergence      *self,
                        const TareRounding  *roundings,
                        gsize                n,
                        TareAdditivity      *additivity,
                        const TareProgress  *progress,
                        GError             **error)
{
  double parts = (double) n + 1.0;
  TareProgress part;

  g_return_val_if_fail (self != NULL && roundings != NULL && n > 0, FALSE);

  additivity->sum = 0.0;
  for (gsize i = 0; i < n; i++)
    {
      TareMeasureValue value;

      part = tare_progress_part (progress, (double) i / parts, (double) (i + 1) / parts);
      if (!tare_divergence_measure (self, roundings + i, 1, &value, &part, error))
        return FALSE;
      additivity->sum += value.value;
    }

  part = tare_progress_part (progress, (double) n / parts, 1.0);
  if (!tare_divergence_measure (self, roundings, n, &additivity->together, &part, error))
    return FALSE;

  additivity->ratio = additivity->sum > 0.0 ? additivity->together.value / additivity->sum
                                            : (double) NAN;

  return TRUE;
}

/**
 * tare_divergence_interact:
 * @self: the divergence
 * @first: one layer, and what it is rounded to
 * @second: another
 * @interaction: (out): Ω = L(both) - L(first) - L(second) + L(none), where L is the divergence and
 *   L(none) is 0; in nats
 * @progress: (nullable): told of every block and asked whether to go on
 * @error: return location for an error
 *
 * Finds what two layers cost together beyond what each costs alone.
 *
 * Returns: whether that went well
 */
gboolean
tare_divergence_interact (TareDivergence      *self,
                          const TareRounding  *first,
                          const TareRounding  *second,
                          double              *interaction,
                          const TareProgress  *progress,
                          GError             **error)
{
  const TareRounding both[] = { *first, *second };
  TareMeasureValue values[3];

  g_return_val_if_fail (self != NULL, FALSE);

  if (!tare_divergence_measure (self, first, 1, &values[0], progress, error)
      || !tare_divergence_measure (self, second, 1, &values[1], progress, error)
      || !tare_divergence_measure (self, both, 2, &values[2], progress, error))
    return FALSE;

  *interaction = values[2].value - values[0].value - values[1].value;

  return TRUE;
}

static gboolean
compute_divergence (const TareMeasure     *self,
                    TareMeasureContext    *context,
                    const TareTensor      *tensor,
                    const TareAssignment  *assignment,
                    const TareProgress    *progress,
                    TareMeasureValue      *value,
                    GError               **error)
{
  const TareRounding rounding = { tensor, *assignment };
  TareDivergence *divergence = tare_divergence_get (context, progress, error);

  return divergence != NULL
         && tare_divergence_measure (divergence, &rounding, 1, value, progress, error);
}

const TareMeasure _tare_measures_of_divergence[] = {
  {
    .id = "measured_kl",
    .label = N_("Measured divergence"),
    .definition = N_("How far the network's predictions move when only this layer is rounded: the "
                     "mean over predictions of KL (as it was || rounded)."),
    .unit = "nat",
    .source = "analysis/evaluation/tare-evaluator.h",
    .cost = TARE_MEASURE_COST_FORWARD,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_TEXT | TARE_MEASURE_NEEDS_FORMAT,
    .compute = compute_divergence,
  },
  { .id = NULL },
};
