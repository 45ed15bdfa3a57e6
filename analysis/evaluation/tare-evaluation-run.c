/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-evaluation-run-private.h"

#include <math.h>
#include <string.h>

#include "quant/network/tare-kernels.h"
#include "quant/tare-error.h"

/* Predictions whose logits exist at a time: at most so many, fewer where the vocabulary is large
 * (64 MiB of logits) or the product is slow (it cannot be cancelled in between), but no fewer than
 * a product needs to be worth its while. */
#define TILE_MOST   512
#define TILE_LEAST  16
#define TILE_LOGITS (16u * 1024u * 1024u)
#define TILE_FLOPS  8e9

typedef TareEvaluationRun Run;

static float *
allocate (TareEvaluator  *self,
          gsize           rows,
          gsize           columns,
          GError        **error)
{
  gsize n = 0;
  float *x = NULL;

  if (g_size_checked_mul (&n, MAX (rows, 1), MAX (columns, 1)))
    x = g_try_malloc_n (n, sizeof *x);
  if (x == NULL)
    g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                 "%s: not enough memory for %" G_GSIZE_FORMAT " x %" G_GSIZE_FORMAT " numbers",
                 tare_model_get_path (tare_network_get_model (self->network)), rows, columns);

  return x;
}

/* The hash of everything before each block, and of all blocks at the end. */
static guint64 *
hash_blocks (const Run *run)
{
  guint n_blocks = tare_network_get_config (run->network)->n_blocks;
  guint64 *hashes = g_new (guint64, n_blocks + 1);

  hashes[0] = tare_network_fingerprint (run->network, run->weights, -1);
  for (guint i = 0; i < n_blocks; i++)
    {
      guint64 block = tare_network_fingerprint (run->network, run->weights, (int) i);

      /* Multiplied by FNV's prime, so that what comes before what makes a difference. */
      hashes[i + 1] = hashes[i] * 0x100000001b3u ^ block;
    }

  return hashes;
}

/* From the last boundary that is still valid to the end of the last block. */
static gboolean
run_blocks (Run     *run,
            double   end,
            GError **error)
{
  TareEvaluator *self = run->evaluator;
  const TareConfig *config = tare_network_get_config (run->network);
  const TareWeights weights = tare_weights_with_progress (run->weights, run->progress);
  g_autofree guint64 *hashes = hash_blocks (run);
  TareStates *cached = NULL;

  if (run->boundaries != NULL)
    run->first_block = _tare_boundaries_find (run->boundaries, hashes, &cached);
  if (cached != NULL)
    tare_states_copy (run->states, cached);
  else if (!tare_states_embed (run->states, run->network, &weights, self->inputs, self->n_chunks,
                               self->context, error))
    return FALSE;

  for (guint i = run->first_block; i < config->n_blocks; i++)
    {
      double n_left = config->n_blocks - run->first_block;
      TareProgress part = tare_progress_part (run->progress, end * (i - run->first_block) / n_left,
                                              end * (i - run->first_block + 1) / n_left);
      g_autoptr(TareBlock) block = tare_network_load_block (run->network, &weights, i, error);

      if (block == NULL
          || !tare_states_run_block (run->states, run->network, block, self->n_chunks,
                                     self->context, NULL, &part, error))
        return FALSE;
      if (run->boundaries != NULL)
        _tare_boundaries_store (run->boundaries, i + 1, hashes[i + 1], run->states);
    }

  return TRUE;
}

/* Where in the stream a prediction is made; its target is the token after it. */
static gsize
row_of (TareEvaluator *self,
        gsize          prediction)
{
  return prediction / self->per_chunk * self->context + self->first
         + prediction % self->per_chunk;
}

/* Holds a prediction against what was kept of the base's. */
static void
score_statistics (Run                  *run,
                  gsize                 i,
                  const float          *row,
                  const TareLogSoftmax *sum)
{
  run->scores->base_nll[i] = tare_base_statistics_get_nll (run->statistics, i);
  run->scores->divergence[i] =
    fmax (0.0, tare_base_statistics_get_divergence (run->statistics, i, row, sum->log_sum));
  run->scores->same_top[i] = sum->top == tare_base_statistics_get_top (run->statistics, i);
}

/* What the logits of some predictions say. */
static void
score_tile (Run         *run,
            gsize        first,
            gsize        n,
            const float *logits,
            const float *base_logits)
{
  TareEvaluator *self = run->evaluator;
  gsize vocabulary = tare_network_get_config (run->network)->vocabulary;

#pragma omp parallel for schedule(static)
  for (gsize i = 0; i < n; i++)
    {
      const float *row = logits + i * vocabulary;
      const float *base_row = base_logits != NULL ? base_logits + i * vocabulary : NULL;
      guint32 target = self->tokens[row_of (self, first + i) + 1];
      TareLogSoftmax sum = tare_kernel_log_softmax (row, vocabulary);
      TareLogSoftmax base_sum;

      run->scores->nll[first + i] = sum.log_sum - (double) row[target];
      if (run->statistics != NULL)
        score_statistics (run, first + i, row, &sum);
      if (base_row == NULL)
        continue;

      base_sum = tare_kernel_log_softmax (base_row, vocabulary);
      run->scores->base_nll[first + i] = base_sum.log_sum - (double) base_row[target];
      /* It cannot be negative, but its rounding error can. */
      run->scores->divergence[first + i] =
        fmax (0.0, tare_kernel_divergence (base_row, &base_sum, row, &sum, vocabulary));
      run->scores->same_top[first + i] = sum.top == base_sum.top;
    }
}

static gboolean
check_finite (Run     *run,
              gsize    first,
              gsize    n,
              GError **error)
{
  for (gsize i = first; i < first + n; i++)
    if (!isfinite (run->scores->nll[i]) || !isfinite (run->scores->divergence[i]))
      {
        g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
                     "%s: the output is not finite in chunk %" G_GSIZE_FORMAT " of %"
                     G_GSIZE_FORMAT, tare_model_get_path (tare_network_get_model (run->network)),
                     i / run->evaluator->per_chunk + 1, run->evaluator->n_chunks);
        return FALSE;
      }

  return TRUE;
}

/* What the base predicts goes to its file, and what was read of one leaves memory. */
static gboolean
pass_statistics (Run          *run,
                 gsize         first,
                 gsize         n,
                 const float  *logits,
                 GError      **error)
{
  TareEvaluator *self = run->evaluator;
  g_autofree guint32 *targets = NULL;

  if (run->statistics != NULL)
    tare_base_statistics_release (run->statistics, first, n);
  if (run->writer == NULL)
    return TRUE;

  targets = g_new (guint32, n);
  for (gsize i = 0; i < n; i++)
    targets[i] = self->tokens[row_of (self, first + i) + 1];

  return tare_base_writer_append (run->writer, logits, targets, n, error);
}

static gsize
tile_size (const TareConfig *config)
{
  double by_memory = (double) TILE_LOGITS / config->vocabulary;
  double by_time = TILE_FLOPS / (2.0 * config->vocabulary * config->width);

  return (gsize) CLAMP (MIN (by_memory, by_time), (double) TILE_LEAST, (double) TILE_MOST);
}

/* Tile by tile: gathers the states, makes logits of them (and of the base's), scores them. */
static gboolean
score_tiles (Run        *run,
             TareBlock  *output,
             TareBlock  *base_output,
             float      *buffer,
             gsize       tile,
             GError    **error)
{
  TareEvaluator *self = run->evaluator;
  gsize width = tare_network_get_config (run->network)->width;
  gsize vocabulary = tare_network_get_config (run->network)->vocabulary;
  float *logits = buffer + tile * width;
  float *base_logits = logits + tile * vocabulary;

  for (gsize first = 0; first < run->scores->n; first += tile)
    {
      gsize n = MIN (tile, run->scores->n - first);
      float *base_x;

      if (!tare_progress_step (run->progress, (double) first / (double) run->scores->n, NULL,
                               error))
        return FALSE;

      for (gsize i = 0; i < n; i++)
        memcpy (buffer + i * width, tare_states_get_rows (run->states, row_of (self, first + i)),
                width * sizeof *buffer);
      tare_states_release (run->states, row_of (self, first),
                           row_of (self, first + n - 1) + 1 - row_of (self, first));
      base_x = tare_states_get_rows (self->base_states, first);
      if (run->is_base)
        memcpy (base_x, buffer, n * width * sizeof *buffer);

      if (!tare_network_run_output (run->network, output, buffer, n, logits, NULL, error))
        return FALSE;
      if (base_output != NULL
          && !tare_network_run_output (self->network, base_output, base_x, n, base_logits, NULL,
                                       error))
        return FALSE;
      tare_states_release (self->base_states, first, n);

      score_tile (run, first, n, logits, base_output != NULL ? base_logits : NULL);
      if (!check_finite (run, first, n, error)
          || !pass_statistics (run, first, n, logits, error))
        return FALSE;
    }

  return TRUE;
}

/* Whether the output layer of a run is the base's, so that one copy of it does. */
static gboolean
shares_output (const Run *run)
{
  int n_blocks = (int) tare_network_get_config (run->network)->n_blocks;

  return run->network == run->evaluator->network
         && tare_network_fingerprint (run->network, run->weights, n_blocks)
            == tare_network_fingerprint (run->network, &tare_weights_of_file, n_blocks);
}

static gboolean
score (Run     *run,
       double   begin,
       GError **error)
{
  TareEvaluator *self = run->evaluator;
  const TareConfig *config = tare_network_get_config (run->network);
  gsize tile = tile_size (config);
  TareProgress part = tare_progress_part (run->progress, begin, 1.0);
  const TareWeights weights = tare_weights_with_progress (run->weights, run->progress);
  const TareWeights base_weights = tare_weights_with_progress (&tare_weights_of_file,
                                                               run->progress);
  Run scoring = *run;
  g_autofree float *buffer = NULL;
  g_autoptr(TareBlock) output = NULL;
  g_autoptr(TareBlock) base_output = NULL;

  scoring.progress = &part;
  buffer = allocate (self, tile, config->width + 2 * (gsize) config->vocabulary, error);
  if (buffer == NULL)
    return FALSE;

  output = tare_network_load_output (run->network, &weights, error);
  if (output == NULL)
    return FALSE;
  if (run->is_base || run->statistics != NULL)
    return score_tiles (&scoring, output, NULL, buffer, tile, error);
  if (shares_output (run))
    return score_tiles (&scoring, output, output, buffer, tile, error);

  base_output = tare_network_load_output (self->network, &base_weights, error);

  return base_output != NULL
         && score_tiles (&scoring, output, base_output, buffer, tile, error);
}

/* The share of the work that the blocks are, by their multiplications. */
static double
share_of_blocks (const Run *run)
{
  TareEvaluator *self = run->evaluator;
  const TareConfig *config = tare_network_get_config (run->network);
  double heads = (double) config->head_width * (2.0 * config->n_heads
                                                + 2.0 * config->n_key_value_heads);
  double block = (double) config->width * (heads + 3.0 * config->feed_forward_width);
  double blocks = block * config->n_blocks * (double) (self->n_chunks * self->context);
  double output = (double) config->width * config->vocabulary * (double) run->scores->n
                  * (run->is_base || run->statistics != NULL ? 1.0 : 2.0);

  return blocks / (blocks + output);
}

/* The predictions of the run that was just scored take the place of the last one's. */
static void
keep_token_scores (Run *run)
{
  TareEvaluator *self = run->evaluator;
  TareTokenizer *tokenizer = tare_model_get_tokenizer (tare_network_get_model (self->network),
                                                       NULL);
  TareTokenScore *scores = g_new (TareTokenScore, run->scores->n);

  for (gsize i = 0; i < run->scores->n; i++)
    scores[i] = (TareTokenScore) {
      .token = self->tokens[row_of (self, i) + 1],
      .same_top = run->is_base || run->scores->same_top[i],
      .nll = (float) run->scores->nll[i],
      .base_nll = (float) (run->is_base ? run->scores->nll[i] : run->scores->base_nll[i]),
      .divergence = (float) run->scores->divergence[i],
    };
  g_clear_pointer (&self->token_scores, tare_token_scores_unref);
  self->token_scores = tare_token_scores_new (tokenizer, self->tokens, self->inputs,
                                              self->n_chunks, self->context, self->first, scores);
}

/* From the first block that differs to the figures. */
gboolean
_tare_evaluation_run_all (TareEvaluationRun  *run,
                          const char         *stage,
                          TareAccuracy       *accuracy,
                          GError            **error)
{
  TareEvaluator *self = run->evaluator;
  gint64 begin = g_get_monotonic_time ();
  g_autoptr(TareScores) scores = _tare_scores_new (self->n_chunks * self->per_chunk);
  double share;

  run->scores = scores;
  share = share_of_blocks (run);
  if (!tare_progress_step (run->progress, 0.0, stage, error)
      || !run_blocks (run, share, error)
      || !score (run, share, error))
    return FALSE;

  keep_token_scores (run);
  memset (accuracy, 0, sizeof *accuracy);
  accuracy->mode = self->mode;
  accuracy->context = self->context;
  accuracy->n_chunks = self->n_chunks;
  accuracy->first_block = run->first_block;
  if (run->boundaries != NULL)
    accuracy->n_boundaries = _tare_boundaries_get_n_kept (run->boundaries, &accuracy->n_in_files);
  _tare_scores_sum_nll (scores, accuracy);
  if (!run->is_base)
    {
      _tare_scores_sum_base (scores, accuracy);
      accuracy->has_bound = run->statistics != NULL;
      if (run->statistics == NULL)
        accuracy->base_perplexity = self->base.perplexity;
    }
  accuracy->seconds = (double) (g_get_monotonic_time () - begin) / 1e6;

  return tare_progress_step (run->progress, 1.0, NULL, error);
}
