/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-evaluator.h"

#include "analysis/evaluation/tare-evaluation-run-private.h"
#include "quant/tare-error.h"

/* What a context is when nobody says: llama-perplexity's. */
#define DEFAULT_CONTEXT 512

/* How many chunks and what is scored of each; an error says how many tokens it would take. */
static gboolean
lay_out (TareEvaluator                *self,
         const TareEvaluationOptions  *options,
         gsize                         n_tokens,
         GError                      **error)
{
  const char *path = tare_model_get_path (tare_network_get_model (self->network));
  const char *text = options->text_name != NULL ? options->text_name : path;
  guint model_context = tare_network_get_config (self->network)->context;
  gboolean llama_cpp = options->mode == TARE_EVALUATION_MODE_LLAMA_CPP;
  guint least = llama_cpp ? 3 : 2;
  guint64 needed;

  self->mode = options->mode;
  self->context = options->context;
  if (self->context == 0)
    self->context = MIN (DEFAULT_CONTEXT, model_context > 0 ? model_context : DEFAULT_CONTEXT);
  if (self->context < least)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: a context of %u tokens leaves nothing to score, %u is the least", path,
                   self->context, least);
      return FALSE;
    }

  needed = (guint64) self->context * (llama_cpp ? 2 : 1);
  if (n_tokens < needed)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: the text has %" G_GSIZE_FORMAT " tokens, but a context of %u takes at "
                   "least %" G_GUINT64_FORMAT, text, n_tokens, self->context, needed);
      return FALSE;
    }

  self->n_chunks = n_tokens / self->context;
  if (options->maximum_chunks > 0)
    self->n_chunks = MIN (self->n_chunks, options->maximum_chunks);
  self->first = llama_cpp ? self->context / 2 : 0;
  self->per_chunk = self->context - 1 - self->first;

  return TRUE;
}

/* The begin token takes the place of the first of each chunk where the vocabulary asks for one. */
static void
replace_begin (TareEvaluator *self,
               TareTokenizer *tokenizer)
{
  guint32 begin = 0;

  if (self->mode != TARE_EVALUATION_MODE_LLAMA_CPP || !tare_tokenizer_adds_begin (tokenizer)
      || !tare_tokenizer_get_begin (tokenizer, &begin))
    return;

  for (gsize i = 0; i < self->n_chunks; i++)
    self->inputs[i * self->context] = begin;
}

/* The states of the stream and of the base's predictions come first, the rest is for boundaries. */
static gboolean
take_room (TareEvaluator                *self,
           const TareEvaluationOptions  *options,
           GError                      **error)
{
  const TareConfig *config = tare_network_get_config (self->network);
  guint64 needed = tare_network_measure_memory (self->network);
  gsize n_tokens = self->n_chunks * self->context;
  TareBudget boundaries;

  if (!tare_network_check_memory (self->network, options->memory_budget, error))
    return FALSE;

  self->budget = tare_budget_new (options->memory_budget, needed);
  self->states = tare_states_new (n_tokens, config->width, &self->budget, error);
  if (self->states == NULL)
    return FALSE;
  self->base_states = tare_states_new (self->n_chunks * self->per_chunk, config->width,
                                       &self->budget, error);
  if (self->base_states == NULL)
    return FALSE;

  /* Another model's states need as much as ours, and boundaries are never given back. */
  boundaries = self->budget;
  boundaries.memory -= MIN (boundaries.memory, (guint64) n_tokens * config->width * sizeof (float));
  if (options->cache_budget > 0)
    {
      boundaries.memory = MIN (boundaries.memory, options->cache_budget);
      boundaries.disk = MIN (boundaries.disk, options->cache_budget - boundaries.memory);
    }
  self->boundaries = _tare_boundaries_new (config->n_blocks, n_tokens, config->width, &boundaries);

  return TRUE;
}

/* The tokens of a text, and how it falls into chunks. */
static GArray *
tokenize (TareEvaluator                *self,
          TareModel                    *base,
          const char                   *text,
          gsize                         length,
          const TareEvaluationOptions  *options,
          GError                      **error)
{
  g_autoptr(GArray) tokens = NULL;
  TareTokenizer *tokenizer;

  self->network = tare_network_new (base, error);
  tokenizer = self->network != NULL ? tare_model_get_tokenizer (base, error) : NULL;
  if (tokenizer == NULL)
    return NULL;

  if (options->mode == TARE_EVALUATION_MODE_LLAMA_CPP && length > 0 && text[length - 1] == '\n')
    length--;
  tokens = tare_tokenizer_encode (tokenizer, text, length, TARE_TOKEN_FLAGS_ADD_SPECIAL);

  return lay_out (self, options, tokens->len, error) ? g_steal_pointer (&tokens) : NULL;
}

/**
 * tare_evaluator_check_text:
 * @base: the model in full precision
 * @text: what to predict
 * @length: bytes of it
 * @options: how
 * @error: no forward pass or tokenizer for @base, too short a text
 *
 * Whether tare_evaluator_new() would take a text, for the price of tokenizing it.
 *
 * Returns: whether there is enough of it
 */
gboolean
tare_evaluator_check_text (TareModel                    *base,
                           const char                   *text,
                           gsize                         length,
                           const TareEvaluationOptions  *options,
                           GError                      **error)
{
  g_autoptr(TareEvaluator) scratch = g_new0 (TareEvaluator, 1);
  g_autoptr(GArray) tokens = NULL;

  g_return_val_if_fail (base != NULL && text != NULL && options != NULL, FALSE);

  tokens = tokenize (scratch, base, text, length, options, error);

  return tokens != NULL;
}

/**
 * tare_evaluator_new:
 * @base: the model in full precision
 * @text: what to predict
 * @length: bytes of it
 * @options: how
 * @error: no forward pass or tokenizer for @base, too short a text, memory
 *
 * Tokenizes the text, once and with the special tokens that the vocabulary asks for; the last
 * newline is no part of it in llama.cpp's convention. What does not fill a chunk is left out.
 *
 * Returns: (transfer full): the evaluator
 */
TareEvaluator *
tare_evaluator_new (TareModel                    *base,
                    const char                   *text,
                    gsize                         length,
                    const TareEvaluationOptions  *options,
                    GError                      **error)
{
  g_autoptr(TareEvaluator) self = g_new0 (TareEvaluator, 1);
  g_autoptr(GArray) tokens = NULL;
  gsize n;

  g_return_val_if_fail (base != NULL && text != NULL && options != NULL, NULL);

  tokens = tokenize (self, base, text, length, options, error);
  if (tokens == NULL)
    return NULL;

  n = self->n_chunks * self->context;
  self->tokens = g_memdup2 (tokens->data, n * sizeof *self->tokens);
  self->inputs = g_memdup2 (tokens->data, n * sizeof *self->inputs);
  replace_begin (self, tare_model_get_tokenizer (base, NULL));

  if (!take_room (self, options, error))
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_evaluator_free:
 * @self: (nullable): the evaluator
 */
void
tare_evaluator_free (TareEvaluator *self)
{
  if (self == NULL)
    return;

  _tare_boundaries_free (self->boundaries);
  tare_network_free (self->network);
  g_free (self->tokens);
  g_free (self->inputs);
  tare_states_free (self->states);
  tare_states_free (self->base_states);
  g_clear_pointer (&self->token_scores, tare_token_scores_unref);
  g_free (self);
}

/**
 * tare_evaluator_run_base:
 * @self: the evaluator
 * @accuracy: (out caller-allocates): what was found, without the figures against a base
 * @progress: (nullable): the progress
 * @error: cancelled, memory, an output that is not finite
 *
 * Runs the base as its files have it. The first call does the work, later ones repeat its figures.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_evaluator_run_base (TareEvaluator       *self,
                         TareAccuracy        *accuracy,
                         const TareProgress  *progress,
                         GError             **error)
{
  TareEvaluationRun run = {
    .evaluator = self, .network = self->network, .weights = &tare_weights_of_file,
    .is_base = TRUE, .states = self->states, .boundaries = self->boundaries, .progress = progress,
  };

  if (!self->has_base)
    {
      if (!_tare_evaluation_run_all (&run, "Measuring the base", &self->base, error))
        return FALSE;
      self->has_base = TRUE;
    }
  if (accuracy != NULL)
    *accuracy = self->base;

  return tare_progress_step (progress, 1.0, NULL, error);
}

static TareBaseIdentity
identify (TareEvaluator *self)
{
  TareModel *model = tare_network_get_model (self->network);

  return (TareBaseIdentity) {
    .name = tare_model_get_name (model), .parameters = tare_model_get_n_weights (model),
    .tokens = tare_base_statistics_hash_tokens (self->tokens, self->inputs,
                                                self->n_chunks * self->context),
    .vocabulary = tare_network_get_config (self->network)->vocabulary,
    .mode = self->mode, .context = self->context, .n_chunks = self->n_chunks,
    .n_predictions = self->n_chunks * self->per_chunk,
  };
}

/**
 * tare_evaluator_save_base:
 * @self: the evaluator
 * @path: where to
 * @n_kept: likeliest tokens to keep of a prediction, as tare_base_writer_new() takes them
 * @bytes: (out) (optional): the size of the file
 * @accuracy: (out caller-allocates): what was found, without the figures against a base
 * @progress: (nullable): the progress
 * @error: cancelled, memory, an output that is not finite, a file that cannot be written
 *
 * Runs the base as tare_evaluator_run_base() does, and writes what it predicts to a file that
 * tare_evaluator_run_statistics() takes in its place. What @path had stays until all is written.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_evaluator_save_base (TareEvaluator       *self,
                          const char          *path,
                          guint32              n_kept,
                          guint64             *bytes,
                          TareAccuracy        *accuracy,
                          const TareProgress  *progress,
                          GError             **error)
{
  const TareBaseIdentity identity = identify (self);
  g_autoptr(TareBaseWriter) writer = tare_base_writer_new (path, &identity, n_kept, error);
  TareEvaluationRun run = {
    .evaluator = self, .network = self->network, .weights = &tare_weights_of_file,
    .is_base = TRUE, .writer = writer, .states = self->states, .boundaries = self->boundaries,
    .progress = progress,
  };

  if (writer == NULL
      || !_tare_evaluation_run_all (&run, "Measuring the base", &self->base, error))
    return FALSE;
  self->has_base = TRUE;
  *accuracy = self->base;
  if (bytes != NULL)
    *bytes = tare_base_writer_get_bytes (writer);

  return tare_base_writer_commit (writer, error);
}

/**
 * tare_evaluator_run_statistics:
 * @self: the evaluator, of a model with the base's tokens
 * @weights: what takes the place of its weights, or those of its file
 * @statistics: what the base predicts
 * @accuracy: (out caller-allocates): what was found
 * @progress: (nullable): the progress
 * @error: statistics of another text, context, mode or vocabulary; as tare_evaluator_run()
 *
 * No base is run. Perplexities and the share of the same likeliest tokens are those of a run with
 * the base at hand, the divergences are lower bounds of them.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_evaluator_run_statistics (TareEvaluator       *self,
                               const TareWeights   *weights,
                               TareBaseStatistics  *statistics,
                               TareAccuracy        *accuracy,
                               const TareProgress  *progress,
                               GError             **error)
{
  const TareBaseIdentity identity = identify (self);
  TareEvaluationRun run = {
    .evaluator = self, .network = self->network, .weights = weights, .statistics = statistics,
    .states = self->states, .boundaries = self->boundaries, .progress = progress,
  };

  g_return_val_if_fail (weights != NULL && statistics != NULL && accuracy != NULL, FALSE);

  return tare_base_statistics_check (statistics, &identity, error)
         && _tare_evaluation_run_all (&run, "Measuring accuracy", accuracy, error);
}

/* The base if it is not there yet, in the first half of the progress, then @run. */
static gboolean
run_against_base (TareEvaluator       *self,
                  TareEvaluationRun   *run,
                  TareAccuracy        *accuracy,
                  const TareProgress  *progress,
                  GError             **error)
{
  TareProgress first = tare_progress_part (progress, 0.0, 0.5);
  TareProgress second = tare_progress_part (progress, self->has_base ? 0.0 : 0.5, 1.0);
  gint64 begin = g_get_monotonic_time ();

  if (!self->has_base && !tare_evaluator_run_base (self, NULL, &first, error))
    return FALSE;

  run->progress = &second;
  if (!_tare_evaluation_run_all (run, "Measuring accuracy", accuracy, error))
    return FALSE;
  accuracy->seconds = (double) (g_get_monotonic_time () - begin) / 1e6;

  return TRUE;
}

/**
 * tare_evaluator_run:
 * @self: the evaluator
 * @weights: what takes the place of the base's weights
 * @accuracy: (out caller-allocates): what was found
 * @progress: (nullable): the progress
 * @error: cancelled, memory, what @weights reports, an output that is not finite
 *
 * Starts at the first block whose fingerprints, or those of any block before it, differ from the
 * last run's; where the cache's budget was too small to keep every boundary, at the nearest kept
 * one before it. A run that was cancelled leaves what it finished.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_evaluator_run (TareEvaluator       *self,
                    const TareWeights   *weights,
                    TareAccuracy        *accuracy,
                    const TareProgress  *progress,
                    GError             **error)
{
  TareEvaluationRun run = {
    .evaluator = self, .network = self->network, .weights = weights,
    .states = self->states,
    .boundaries = self->boundaries,
  };

  g_return_val_if_fail (self != NULL && weights != NULL && accuracy != NULL, FALSE);

  return run_against_base (self, &run, accuracy, progress, error);
}

/**
 * tare_evaluator_run_model:
 * @self: the evaluator
 * @other: another model with the same vocabulary
 * @accuracy: (out caller-allocates): what was found
 * @progress: (nullable): the progress
 * @error: cancelled, memory, a vocabulary of another size, an output that is not finite
 *
 * Runs @other on the tokens of the base. Nothing of it is kept.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_evaluator_run_model (TareEvaluator       *self,
                          TareModel           *other,
                          TareAccuracy        *accuracy,
                          const TareProgress  *progress,
                          GError             **error)
{
  const TareConfig *config = tare_network_get_config (self->network);
  g_autoptr(TareNetwork) network = NULL;
  g_autoptr(TareStates) states = NULL;
  TareBudget budget;
  TareEvaluationRun run = { .evaluator = self, .weights = &tare_weights_of_file };

  g_return_val_if_fail (self != NULL && other != NULL && accuracy != NULL, FALSE);

  network = tare_network_new (other, error);
  if (network == NULL)
    return FALSE;
  if (tare_network_get_config (network)->vocabulary != config->vocabulary)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: a vocabulary of %u cannot be held against that of %u in %s",
                   tare_model_get_path (other), tare_network_get_config (network)->vocabulary,
                   config->vocabulary,
                   tare_model_get_path (tare_network_get_model (self->network)));
      return FALSE;
    }

  budget = self->budget;
  states = tare_states_new (self->n_chunks * self->context,
                            tare_network_get_config (network)->width, &budget, error);
  if (states == NULL)
    return FALSE;
  run.network = network;
  run.states = states;

  return run_against_base (self, &run, accuracy, progress, error);
}

/**
 * tare_evaluator_get_token_scores:
 * @self: the evaluator
 *
 * The first token of a chunk is the text's own, even where the begin token took its place.
 *
 * Returns: (transfer full) (nullable): the predictions of the last run that was finished
 */
TareTokenScores *
tare_evaluator_get_token_scores (TareEvaluator *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->token_scores != NULL ? tare_token_scores_ref (self->token_scores) : NULL;
}
