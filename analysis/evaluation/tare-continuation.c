/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-continuation.h"

#include <math.h>
#include <string.h>

#include "quant/network/tare-cache.h"
#include "quant/network/tare-kernels.h"
#include "quant/tare-error.h"
#include "quant/tare-memory.h"

struct _TareContinuation
{
  gatomicrefcount  references;
  TareTokenizer   *tokenizer;
  gsize            n_prompt;
  gsize            n_added;  /* tokens that the tokenizer put before the prompt */
  guint            n_candidates;
  GArray          *tokens;
  GArray          *probabilities;
  GArray          *candidates;
  double           seconds;
};

/* Likelier ones first, and of equal ones the lower id. */
static int
compare (gconstpointer a,
         gconstpointer b,
         gpointer      data)
{
  const float *logits = data;
  guint32 i = *(const guint32 *) a;
  guint32 j = *(const guint32 *) b;

  return logits[i] > logits[j] ? -1 : logits[i] < logits[j] ? 1 : i < j ? -1 : i > j;
}

/* The best so many tokens in order: those at or above the one that is that many from the top. */
static guint32 *
rank (const float *logits,
      gsize        vocabulary,
      gsize        n)
{
  guint32 *best = g_new (guint32, n + 1);
  gsize found = 0;

  for (gsize i = 0; n > 0 && i < vocabulary; i++)
    {
      gsize at = found;

      if (found == n && !(logits[i] > logits[best[n - 1]]))
        continue;
      while (at > 0 && logits[i] > logits[best[at - 1]])
        at--;
      memmove (best + at + 1, best + at, (MIN (found, n - 1) - at) * sizeof *best);
      best[at] = (guint32) i;
      found = MIN (found + 1, n);
    }

  return best;
}

static double
probability_of (const float          *logits,
                const TareLogSoftmax *sum,
                guint32               token)
{
  return exp ((double) logits[token] - sum->log_sum);
}

/* Draws from the likeliest that have the probability top_p together, the last of them included. */
static guint32
draw (const float                   *logits,
      gsize                          vocabulary,
      const TareContinuationOptions *options,
      GRand                         *random)
{
  g_autofree guint32 *order = g_new (guint32, vocabulary);
  g_autofree double *weights = g_new (double, vocabulary);
  double total = 0.0;
  double kept = 0.0;
  double point;
  gsize n = 0;

  for (gsize i = 0; i < vocabulary; i++)
    order[i] = (guint32) i;
  g_qsort_with_data (order, (int) vocabulary, sizeof *order, compare, (gpointer) logits);
  for (gsize i = 0; i < vocabulary; i++)
    {
      weights[i] = exp (((double) logits[order[i]] - (double) logits[order[0]])
                        / options->temperature);
      total += weights[i];
    }

  while (n < vocabulary && (n == 0 || kept < options->top_p * total))
    kept += weights[n++];
  point = g_rand_double (random) * kept;
  for (gsize i = 0; i + 1 < n; i++)
    {
      if (point < weights[i])
        return order[i];
      point -= weights[i];
    }

  return order[n - 1];
}

static void
keep_step (TareContinuation *self,
           const float      *logits,
           gsize             vocabulary,
           guint32           token)
{
  TareLogSoftmax sum = tare_kernel_log_softmax (logits, vocabulary);
  float probability = (float) probability_of (logits, &sum, token);
  g_autofree guint32 *best = rank (logits, vocabulary, self->n_candidates);

  g_array_append_val (self->tokens, token);
  g_array_append_val (self->probabilities, probability);
  for (guint i = 0; i < self->n_candidates; i++)
    {
      TareCandidate candidate = { best[i],
                                  (float) probability_of (logits, &sum, best[i]) };

      g_array_append_val (self->candidates, candidate);
    }
}

static gboolean
check_finite (TareModel    *model,
              const float  *logits,
              gsize         vocabulary,
              GError      **error)
{
  for (gsize i = 0; i < vocabulary; i++)
    if (!isfinite (logits[i]))
      {
        g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
                     "%s: the output is not finite", tare_model_get_path (model));
        return FALSE;
      }

  return TRUE;
}

static gboolean
extend (TareContinuation              *self,
        TareModel                     *model,
        TareCache                     *cache,
        const TareContinuationOptions *options,
        const TareProgress            *progress,
        GError                       **error)
{
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  g_autofree float *logits = g_new (float, vocabulary);
  g_autoptr(GRand) random = g_rand_new_with_seed (options->seed);
  double n_steps = (double) (self->n_prompt + options->n_tokens);
  guint32 end = G_MAXUINT32;

  tare_tokenizer_get_end (self->tokenizer, &end);
  for (guint i = 0; i < options->n_tokens; i++)
    {
      gsize before = tare_cache_get_length (cache);
      TareProgress part = tare_progress_part (progress, (double) before / n_steps,
                                              (double) self->tokens->len / n_steps);
      guint32 token;

      if (!tare_progress_step (&part, 0.0, "Writing on", error)
          || !tare_cache_append (cache, &g_array_index (self->tokens, guint32, before),
                                 self->tokens->len - before, logits, &part, error)
          || !check_finite (model, logits, vocabulary, error))
        return FALSE;
      token = options->temperature > 0.0
              ? draw (logits, vocabulary, options, random)
              : (guint32) tare_kernel_log_softmax (logits, vocabulary).top;
      keep_step (self, logits, vocabulary, token);
      if (token == end)
        break;
    }

  return tare_progress_step (progress, 1.0, NULL, error);
}

/* How many tokens of the prompt are not of its text. */
static gsize
count_added (TareTokenizer *tokenizer,
             const char    *prompt,
             gsize          length,
             gsize          n_prompt)
{
  g_autoptr(GArray) bare = tare_tokenizer_encode (tokenizer, prompt, length,
                                                  TARE_TOKEN_FLAGS_PARSE_SPECIAL);

  return n_prompt - MIN (bare->len, n_prompt);
}

static gboolean
check_options (const TareContinuationOptions  *options,
               GError                        **error)
{
  if (options->temperature >= 0.0 && isfinite (options->temperature) && options->top_p > 0.0
      && options->top_p <= 1.0)
    return TRUE;
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "a temperature of %g and a share of %g cannot be drawn with", options->temperature,
               options->top_p);

  return FALSE;
}

/**
 * tare_continuation_new:
 * @model: the model
 * @weights: what takes the place of its weights, or tare_weights_of_file
 * @prompt: the text to go on with, in which names of special tokens are these; it may be empty
 *   where the vocabulary has a begin token
 * @length: its bytes
 * @options: how
 * @progress: (nullable): the progress, by tokens
 * @error: cancelled, nothing to begin with, no forward pass or tokenizer, memory, what @weights
 *   reports, an output that is not finite
 *
 * The same options give the same text for a number of threads.
 *
 * Returns: (transfer full): the text with what follows, or %NULL on error
 */
TareContinuation *
tare_continuation_new (TareModel                      *model,
                       const TareWeights              *weights,
                       const char                     *prompt,
                       gsize                           length,
                       const TareContinuationOptions  *options,
                       const TareProgress             *progress,
                       GError                        **error)
{
  g_autoptr(TareContinuation) self = NULL;
  g_autoptr(TareNetwork) network = NULL;
  g_autoptr(TareCache) cache = NULL;
  gint64 begin = g_get_monotonic_time ();
  TareTokenizer *tokenizer;

  g_return_val_if_fail (model != NULL && weights != NULL && options != NULL, NULL);

  tokenizer = tare_model_get_tokenizer (model, error);
  if (tokenizer == NULL || !check_options (options, error)
      || (network = tare_network_new (model, error)) == NULL)
    return NULL;

  self = g_new0 (TareContinuation, 1);
  g_atomic_ref_count_init (&self->references);
  self->tokenizer = tare_tokenizer_ref (tokenizer);
  self->tokens = tare_tokenizer_encode (tokenizer, prompt, length,
                                        TARE_TOKEN_FLAGS_ADD_BEGIN
                                        | TARE_TOKEN_FLAGS_PARSE_SPECIAL);
  self->n_prompt = self->tokens->len;
  self->n_added = count_added (tokenizer, prompt, length, self->n_prompt);
  self->n_candidates = MIN (options->n_candidates, tare_model_get_config (model)->vocabulary);
  self->probabilities = g_array_new (FALSE, FALSE, sizeof (float));
  self->candidates = g_array_new (FALSE, FALSE, sizeof (TareCandidate));
  if (self->n_prompt == 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: there is no text to go on with",
                   tare_model_get_path (model));
      return NULL;
    }

  cache = tare_cache_new (network, weights, self->n_prompt + options->n_tokens,
                          options->budget > 0 ? options->budget : tare_memory_get_default (),
                          error);
  if (cache == NULL || !extend (self, model, cache, options, progress, error))
    return NULL;
  self->seconds = (double) (g_get_monotonic_time () - begin) / G_USEC_PER_SEC;

  return g_steal_pointer (&self);
}

/**
 * tare_continuation_ref:
 * @self: the text
 *
 * Returns: (transfer full): @self
 */
TareContinuation *
tare_continuation_ref (TareContinuation *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->references);

  return self;
}

/**
 * tare_continuation_unref:
 * @self: (transfer full): the text
 */
void
tare_continuation_unref (TareContinuation *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->references))
    return;

  tare_tokenizer_unref (self->tokenizer);
  g_array_unref (self->tokens);
  g_array_unref (self->probabilities);
  g_array_unref (self->candidates);
  g_free (self);
}

/**
 * tare_continuation_get_n_prompt:
 * @self: the text
 *
 * Returns: how many of its tokens were given, a begin token among them
 */
gsize
tare_continuation_get_n_prompt (const TareContinuation *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_prompt;
}

/**
 * tare_continuation_get_n_tokens:
 * @self: the text
 *
 * Returns: how many tokens it has in all
 */
gsize
tare_continuation_get_n_tokens (const TareContinuation *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->tokens->len;
}

/**
 * tare_continuation_get_tokens:
 * @self: the text
 *
 * Returns: (transfer none) (array): its tokens
 */
const guint32 *
tare_continuation_get_tokens (const TareContinuation *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return (const guint32 *) (gpointer) self->tokens->data;
}

/**
 * tare_continuation_get_probability:
 * @self: the text
 * @position: of a token that was not given
 *
 * Returns: how likely the token was, at temperature 1
 */
double
tare_continuation_get_probability (const TareContinuation *self,
                                   gsize                   position)
{
  g_return_val_if_fail (self != NULL && position >= self->n_prompt
                        && position < self->tokens->len, 0.0);

  return (double) g_array_index (self->probabilities, float, position - self->n_prompt);
}

/**
 * tare_continuation_get_candidates:
 * @self: the text
 * @position: of a token that was not given
 * @n: (out): how many
 *
 * Returns: (transfer none) (array length=n): the likeliest tokens there, the likeliest first
 */
const TareCandidate *
tare_continuation_get_candidates (const TareContinuation *self,
                                  gsize                   position,
                                  gsize                  *n)
{
  g_return_val_if_fail (self != NULL && position >= self->n_prompt
                        && position < self->tokens->len, NULL);

  *n = self->n_candidates;

  return (const TareCandidate *) (gpointer) self->candidates->data
         + (position - self->n_prompt) * self->n_candidates;
}

/**
 * tare_continuation_dup_text:
 * @self: the text
 * @position: the first token
 * @n_tokens: how many, clamped to the end
 *
 * What is not UTF-8 by itself, as a part of a character is not, becomes U+FFFD.
 *
 * Returns: (transfer full): what some of its tokens stand for
 */
char *
tare_continuation_dup_text (const TareContinuation *self,
                            gsize                   position,
                            gsize                   n_tokens)
{
  g_return_val_if_fail (self != NULL, NULL);

  position = MIN (position, self->tokens->len);

  return tare_tokenizer_dup_text (self->tokenizer, tare_continuation_get_tokens (self) + position,
                                  MIN (n_tokens, self->tokens->len - position));
}

/**
 * tare_continuation_dup_written:
 * @self: the text
 *
 * Returns: (transfer full): the prompt and what follows as a person writes it: without the begin
 *   token that was put before it, and without the end token that ends it
 */
char *
tare_continuation_dup_written (const TareContinuation *self)
{
  guint32 end = G_MAXUINT32;
  gsize n;

  g_return_val_if_fail (self != NULL, NULL);

  n = self->tokens->len;
  if (tare_tokenizer_get_end (self->tokenizer, &end) && n > self->n_prompt
      && g_array_index (self->tokens, guint32, n - 1) == end)
    n--;

  return tare_continuation_dup_text (self, self->n_added, n - self->n_added);
}

/**
 * tare_continuation_get_seconds:
 * @self: the text
 *
 * Returns: how long it took
 */
double
tare_continuation_get_seconds (const TareContinuation *self)
{
  g_return_val_if_fail (self != NULL, 0.0);

  return self->seconds;
}

static gboolean
run_once (TareModel           *model,
          TareNetwork         *network,
          const TareWeights   *weights,
          const guint32       *tokens,
          gsize                n_tokens,
          float               *logits,
          const TareProgress  *progress,
          GError             **error)
{
  /* Every block is used once, so none is kept. */
  g_autoptr(TareCache) cache = tare_cache_new (network, weights, n_tokens, 0, error);

  return cache != NULL
         && tare_cache_append (cache, tokens, n_tokens, logits, progress, error)
         && check_finite (model, logits, tare_model_get_config (model)->vocabulary, error);
}

static void
add_row (TareNextTokens       *self,
         TareTokenizer        *tokenizer,
         const float          *base_logits,
         const TareLogSoftmax *base,
         const float          *other_logits,
         const TareLogSoftmax *other,
         guint32               token)
{
  for (gsize i = 0; i < self->n; i++)
    if (self->rows[i].token == token)
      return;

  self->rows[self->n++] = (TareNextToken) {
    token, tare_tokenizer_dup_text (tokenizer, &token, 1),
    (float) probability_of (base_logits, base, token),
    (float) probability_of (other_logits, other, token),
  };
}

static int
compare_rows (const void *a,
              const void *b)
{
  const TareNextToken *x = a;
  const TareNextToken *y = b;

  return x->base > y->base ? -1 : x->base < y->base ? 1 : x->token < y->token ? -1
                                                          : x->token > y->token;
}

static TareNextTokens *
compare_distributions (TareTokenizer *tokenizer,
                       const float   *base_logits,
                       const float   *other_logits,
                       gsize          vocabulary,
                       guint          n_candidates,
                       guint32        actual)
{
  gsize n = MIN (n_candidates, vocabulary);
  TareLogSoftmax base = tare_kernel_log_softmax (base_logits, vocabulary);
  TareLogSoftmax other = tare_kernel_log_softmax (other_logits, vocabulary);
  g_autofree guint32 *base_best = rank (base_logits, vocabulary, n);
  g_autofree guint32 *other_best = rank (other_logits, vocabulary, n);
  TareNextTokens *self = g_new0 (TareNextTokens, 1);

  self->rows = g_new0 (TareNextToken, 2 * n + 2);
  for (gsize i = 0; i < n; i++)
    add_row (self, tokenizer, base_logits, &base, other_logits, &other, base_best[i]);
  for (gsize i = 0; i < n; i++)
    add_row (self, tokenizer, base_logits, &base, other_logits, &other, other_best[i]);
  if (actual < vocabulary)
    add_row (self, tokenizer, base_logits, &base, other_logits, &other, actual);
  qsort (self->rows, self->n, sizeof *self->rows, compare_rows);
  self->divergence = fmax (0.0, tare_kernel_divergence (base_logits, &base, other_logits, &other,
                                                        vocabulary));

  return self;
}

/**
 * tare_next_tokens_new:
 * @model: the model
 * @base: the weights to compare with, such as tare_weights_of_file
 * @other: other weights
 * @tokens: (array length=n_tokens): what stands before
 * @n_tokens: how many, at least 1
 * @n_candidates: how many of the likeliest of each
 * @actual: one that is told of too, however unlikely it is; outside the vocabulary for none
 * @progress: (nullable): the progress
 * @error: cancelled, no forward pass or tokenizer, memory, what the weights report, an output that
 *   is not finite
 *
 * Returns: (transfer full): what may come next by both, or %NULL on error
 */
TareNextTokens *
tare_next_tokens_new (TareModel           *model,
                      const TareWeights   *base,
                      const TareWeights   *other,
                      const guint32       *tokens,
                      gsize                n_tokens,
                      guint                n_candidates,
                      guint32              actual,
                      const TareProgress  *progress,
                      GError             **error)
{
  TareProgress first = tare_progress_part (progress, 0.0, 0.5);
  TareProgress second = tare_progress_part (progress, 0.5, 1.0);
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  g_autofree float *base_logits = g_new (float, vocabulary);
  g_autofree float *other_logits = g_new (float, vocabulary);
  g_autoptr(TareNetwork) network = NULL;
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, error);

  g_return_val_if_fail (n_tokens > 0, NULL);

  if (tokenizer == NULL || (network = tare_network_new (model, error)) == NULL
      || !tare_progress_step (progress, 0.0, "Comparing what comes next", error)
      || !run_once (model, network, base, tokens, n_tokens, base_logits, &first, error)
      || !run_once (model, network, other, tokens, n_tokens, other_logits, &second, error))
    return NULL;

  return compare_distributions (tokenizer, base_logits, other_logits, vocabulary, n_candidates,
                                actual);
}

/**
 * tare_next_tokens_free:
 * @self: (nullable): the distributions
 */
void
tare_next_tokens_free (TareNextTokens *self)
{
  if (self == NULL)
    return;

  for (gsize i = 0; i < self->n; i++)
    g_free (self->rows[i].text);
  g_free (self->rows);
  g_free (self);
}
