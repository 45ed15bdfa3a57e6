/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-calibrator.h"

#include <string.h>

#include "analysis/calibration/tare-collector.h"
#include "analysis/calibration/tare-sequences.h"
#include "analysis/statistics/tare-spectrum.h"
#include "quant/network/tare-states.h"

/* 256 MB of floats for one gram; wider inputs are those of ffn_down in models above 3 billion. */
#define DEFAULT_GRAM_COLUMNS 8192

/* A sketch of fewer columns than the eigenvalues that are wanted of it tells too little. */
#define LEAST_SKETCH_COLUMNS 64

/* Tokens that go through a block at a time. */
#define TOKENS_PER_RUN 2048

/* Tokens that go through the output at a time: their logits are as wide as the vocabulary. */
#define TOKENS_PER_OUTPUT 128

struct _TareCalibrator
{
  TareNetwork     *network;
  TareSequences    text;
  TareStates      *states;
  TareStates      *next;
  TareCalibration *calibration;
  gsize            gram_columns;
  gsize            sketch_columns;
  gboolean         embedded;
  guint            n_done;
  gsize            n_layers;
};

/* Whether the observer is told of this tensor, not of another that takes the same input. */
static gboolean
owns_input (TareModel        *model,
            const TareTensor *tensor)
{
  return tare_model_lookup_input (model, tensor) == tensor;
}

/* The widest input, up to @limit, at which all grams take no more than half of the room; they are
 * taken from it. */
static gsize
choose_gram_columns (TareModel  *model,
                     gsize       limit,
                     TareBudget *budget)
{
  for (;;)
    {
      double total = 0.0;
      gsize widest = 0;

      for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
        {
          const TareTensor *tensor = tare_model_get_tensor (model, i);

          if (!owns_input (model, tensor) || tensor->columns > limit)
            continue;
          total += (double) tensor->columns * (double) tensor->columns * sizeof (float);
          widest = MAX (widest, tensor->columns);
        }

      if (total <= 0.5 * (double) budget->memory)
        {
          budget->memory -= (guint64) total;
          return limit;
        }
      limit = widest - 1;
    }
}

/* How many columns the sketches of the wider inputs can have, all of which take no more than half
 * of the room that is left; they are taken from it. */
static gsize
choose_sketch_columns (TareModel  *model,
                       gsize       gram_columns,
                       TareBudget *budget)
{
  double bytes = 0.0;
  gsize columns = TARE_SKETCH_COLUMNS;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);

      if (owns_input (model, tensor) && tensor->columns > gram_columns)
        bytes += (double) tensor->columns * sizeof (float);
    }

  while (columns >= LEAST_SKETCH_COLUMNS
         && bytes * (double) columns > 0.5 * (double) budget->memory)
    columns /= 2;
  if (columns < LEAST_SKETCH_COLUMNS)
    return 0;
  budget->memory -= (guint64) (bytes * (double) columns);

  return columns;
}

/* Names the layers that take the input of another. */
static void
share_inputs (TareModel       *model,
              TareCalibration *calibration)
{
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareTensor *owner = tare_model_lookup_input (model, tensor);
      const TareLayerActivations *activations;

      if (owner == NULL || owner == tensor
          || tare_calibration_lookup (calibration, tensor->canonical) != NULL)
        continue;

      activations = tare_calibration_lookup (calibration, owner->canonical);
      if (activations != NULL && activations->columns == tensor->columns)
        tare_calibration_share (calibration, tensor->canonical, owner->canonical);
    }
}

/* From the states before a block to those after it, which take their place when all is done: what
 * is stopped in between can begin again. */
static gboolean
run_block (TareCalibrator      *self,
           TareCollector       *collector,
           const TareProgress  *progress,
           GError             **error)
{
  const TareObserver observer = tare_collector_get_observer (collector);
  const TareWeights weights = tare_weights_with_progress (&tare_weights_of_file, progress);
  const TareSequences *text = &self->text;
  gsize stride = text->context * tare_states_get_width (self->states);
  gsize group = MAX (TOKENS_PER_RUN / text->context, 1);
  g_autoptr(TareBlock) block = tare_network_load_block (self->network, &weights, self->n_done,
                                                        error);
  TareStates *finished;

  if (block == NULL)
    return FALSE;

  for (gsize i = 0; i < text->n_sequences; i += group)
    {
      gsize n = MIN (group, text->n_sequences - i);
      float *x = tare_states_get_rows (self->next, i * text->context);
      TareProgress part = tare_progress_part (progress,
                                              (double) i / (double) text->n_sequences,
                                              (double) (i + n) / (double) text->n_sequences);

      memcpy (x, tare_states_get_rows (self->states, i * text->context),
              n * stride * sizeof *x);
      if (!tare_network_run_block (self->network, block, x, n, text->context, &observer, &part,
                                   error))
        return FALSE;
      tare_states_release (self->states, i * text->context, n * text->context);
      tare_states_release (self->next, i * text->context, n * text->context);
    }
  if (!tare_collector_finish (collector, error))
    return FALSE;

  finished = self->next;
  self->next = self->states;
  self->states = finished;
  self->n_done++;

  return TRUE;
}

static gboolean
run_output (TareCalibrator      *self,
            TareCollector       *collector,
            const TareProgress  *progress,
            GError             **error)
{
  const TareObserver observer = tare_collector_get_observer (collector);
  const TareWeights weights = tare_weights_with_progress (&tare_weights_of_file, progress);
  const TareConfig *config = tare_network_get_config (self->network);
  gsize n_tokens = tare_sequences_get_n_tokens (&self->text);
  g_autofree float *logits = g_new (float, (gsize) TOKENS_PER_OUTPUT * config->vocabulary);
  g_autoptr(TareBlock) output = tare_network_load_output (self->network, &weights, error);

  if (output == NULL)
    return FALSE;

  for (gsize i = 0; i < n_tokens; i += TOKENS_PER_OUTPUT)
    {
      gsize n = MIN ((gsize) TOKENS_PER_OUTPUT, n_tokens - i);

      if (!tare_progress_step (progress, (double) i / (double) n_tokens, NULL, error)
          || !tare_network_run_output (self->network, output,
                                       tare_states_get_rows (self->states, i), n, logits,
                                       &observer, error))
        return FALSE;
      tare_states_release (self->states, i, n);
    }

  return tare_collector_finish (collector, error);
}

/* What is not done yet, up to the output. */
static gboolean
run_rest (TareCalibrator      *self,
          TareCollector       *collector,
          const TareProgress  *progress,
          GError             **error)
{
  guint n_blocks = tare_network_get_config (self->network)->n_blocks;
  double parts = n_blocks + 1.0;
  TareProgress part;

  if (!self->embedded
      && !tare_states_embed (self->states, self->network, &tare_weights_of_file,
                             (const guint32 *) self->text.tokens->data, self->text.n_sequences,
                             self->text.context, error))
    return FALSE;
  self->embedded = TRUE;

  while (self->n_done < n_blocks)
    {
      part = tare_progress_part (progress, self->n_done / parts, (self->n_done + 1) / parts);
      self->n_layers = tare_calibration_get_n_layers (self->calibration);
      if (!run_block (self, collector, &part, error))
        return FALSE;
    }

  part = tare_progress_part (progress, n_blocks / parts, 1.0);
  self->n_layers = tare_calibration_get_n_layers (self->calibration);

  return run_output (self, collector, &part, error)
         && tare_progress_step (progress, 1.0, NULL, error);
}

/**
 * tare_calibrator_new:
 * @model: a model that can be run
 * @text: what to send through it, UTF-8
 * @length: bytes of @text
 * @options: (nullable): how, %NULL for the defaults
 * @error: no forward pass or tokenizer, too short a text, no room for its states
 *
 * The text is cut into sequences of @context tokens, whose tail is dropped; the first token of
 * each is replaced by the begin token where the vocabulary adds one: llama-imatrix's conventions.
 *
 * Returns: (transfer full): a calibrator that has done nothing yet
 */
TareCalibrator *
tare_calibrator_new (TareModel                    *model,
                     const char                   *text,
                     gsize                         length,
                     const TareCalibratorOptions  *options,
                     GError                      **error)
{
  const TareCalibratorOptions defaults = { 0 };
  g_autoptr(TareCalibrator) self = g_new0 (TareCalibrator, 1);
  gsize gram_columns, n_tokens, width;
  TareBudget budget;

  g_return_val_if_fail (model != NULL && text != NULL, NULL);

  if (options == NULL)
    options = &defaults;

  self->network = tare_network_new (model, error);
  if (self->network == NULL
      || !tare_network_check_memory (self->network, options->memory_budget, error)
      || !tare_sequences_init (&self->text, model, text, length, options->context,
                               options->maximum_tokens, options->dataset, error))
    return NULL;

  gram_columns = options->maximum_gram_columns > 0 ? options->maximum_gram_columns
                                                   : DEFAULT_GRAM_COLUMNS;
  budget = tare_budget_new (options->memory_budget,
                            tare_network_measure_memory (self->network));
  self->gram_columns = choose_gram_columns (model, gram_columns, &budget);
  self->sketch_columns = choose_sketch_columns (model, self->gram_columns, &budget);

  width = tare_network_get_config (self->network)->width;
  n_tokens = tare_sequences_get_n_tokens (&self->text);
  self->states = tare_states_new (n_tokens, width, &budget, error);
  if (self->states == NULL)
    return NULL;
  self->next = tare_states_new (n_tokens, width, &budget, error);
  if (self->next == NULL)
    return NULL;
  self->calibration = tare_calibration_new (options->dataset, self->text.context);

  return g_steal_pointer (&self);
}

/**
 * tare_calibrator_free:
 * @self: (nullable): the calibrator
 */
void
tare_calibrator_free (TareCalibrator *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->calibration, tare_calibration_unref);
  tare_states_free (self->states);
  tare_states_free (self->next);
  tare_sequences_clear (&self->text);
  tare_network_free (self->network);
  g_free (self);
}

/**
 * tare_calibrator_get_n_blocks_done:
 * @self: the calibrator
 *
 * Returns: blocks that need not be run again
 */
guint
tare_calibrator_get_n_blocks_done (TareCalibrator *self)
{
  return self->n_done;
}

/**
 * tare_calibrator_run:
 * @self: the calibrator
 * @progress: (nullable): told of every block and asked whether to go on
 * @error: return location for an error
 *
 * Sends the text through the model in full precision and adds up what enters every linear layer:
 * Σx², the largest |x| of each column and at each position of a sequence and, where the input is no
 * wider than @maximum_gram_columns, Σxx', else a sketch of it. Every position counts. The
 * importances are llama-imatrix's own, except that the output layer has one too.
 *
 * One block is held at a time, beside the states of all tokens before and after it. Sums are in
 * binary64; Σxx' is multiplied in binary32 over at most 2048 tokens and added up in binary64. Where
 * all Σxx' would take more than half of the room, the widest are sketched. After it was cancelled
 * it can be called again and begins at the block that was at work.
 *
 * Returns: (transfer full): the calibration, once; %NULL with @error set
 */
TareCalibration *
tare_calibrator_run (TareCalibrator      *self,
                     const TareProgress  *progress,
                     GError             **error)
{
  g_autoptr(TareCollector) collector = NULL;

  g_return_val_if_fail (self != NULL && self->calibration != NULL, NULL);

  collector = tare_collector_new (self->calibration, self->gram_columns, progress);
  tare_collector_set_sketch_columns (collector, self->sketch_columns);
  if (!run_rest (self, collector, progress, error))
    {
      tare_calibration_truncate (self->calibration, self->n_layers);
      return NULL;
    }

  share_inputs (tare_network_get_model (self->network), self->calibration);

  return g_steal_pointer (&self->calibration);
}

/**
 * tare_calibrate:
 * @model: a model that can be run
 * @text: what to send through it, UTF-8
 * @length: bytes of @text
 * @options: (nullable): how, %NULL for the defaults
 * @progress: (nullable): told of every block and asked whether to go on
 * @error: return location for an error
 *
 * All of a calibrator's work at once, for those who will not come back after it was cancelled.
 *
 * Returns: (transfer full): the calibration, or %NULL with @error set
 */
TareCalibration *
tare_calibrate (TareModel                    *model,
                const char                   *text,
                gsize                         length,
                const TareCalibratorOptions  *options,
                const TareProgress           *progress,
                GError                      **error)
{
  g_autoptr(TareCalibrator) self = tare_calibrator_new (model, text, length, options, error);

  return self != NULL ? tare_calibrator_run (self, progress, error) : NULL;
}
