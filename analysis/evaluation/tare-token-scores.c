/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-token-scores.h"

struct _TareTokenScores
{
  gatomicrefcount  references;
  TareTokenizer   *tokenizer;
  guint32         *tokens;
  guint32         *inputs;
  gsize            n_chunks;
  gsize            context;
  gsize            first;
  TareTokenScore  *scores;
};

/**
 * tare_token_scores_new:
 * @tokenizer: of the text
 * @tokens: (array): n_chunks x context tokens of the text
 * @inputs: (array): as many that the network was given, which differ where a begin token took the
 *   place of the first of a chunk
 * @n_chunks: chunks that were scored
 * @context: tokens of one
 * @first: token of a chunk after which scoring starts: of each chunk the tokens @first + 1 and
 *   later are predicted
 * @scores: (transfer full): n_chunks x (context - 1 - first) predictions
 *
 * Returns: (transfer full): them together
 */
TareTokenScores *
tare_token_scores_new (TareTokenizer  *tokenizer,
                       const guint32  *tokens,
                       const guint32  *inputs,
                       gsize           n_chunks,
                       gsize           context,
                       gsize           first,
                       TareTokenScore *scores)
{
  TareTokenScores *self;

  g_return_val_if_fail (tokenizer != NULL && context > first + 1, NULL);

  self = g_new0 (TareTokenScores, 1);
  g_atomic_ref_count_init (&self->references);
  self->tokenizer = tare_tokenizer_ref (tokenizer);
  self->tokens = g_memdup2 (tokens, n_chunks * context * sizeof *tokens);
  self->inputs = g_memdup2 (inputs, n_chunks * context * sizeof *inputs);
  self->n_chunks = n_chunks;
  self->context = context;
  self->first = first;
  self->scores = scores;

  return self;
}

/**
 * tare_token_scores_ref:
 * @self: the scores
 *
 * Returns: (transfer full): @self
 */
TareTokenScores *
tare_token_scores_ref (TareTokenScores *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->references);

  return self;
}

/**
 * tare_token_scores_unref:
 * @self: (transfer full): the scores
 */
void
tare_token_scores_unref (TareTokenScores *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->references))
    return;

  tare_tokenizer_unref (self->tokenizer);
  g_free (self->tokens);
  g_free (self->inputs);
  g_free (self->scores);
  g_free (self);
}

static gsize
per_chunk (const TareTokenScores *self)
{
  return self->context - 1 - self->first;
}

/**
 * tare_token_scores_get_n:
 * @self: the scores
 *
 * Returns: how many predictions there are
 */
gsize
tare_token_scores_get_n (const TareTokenScores *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_chunks * per_chunk (self);
}

/**
 * tare_token_scores_get:
 * @self: the scores
 * @index: below tare_token_scores_get_n()
 *
 * Returns: (transfer none): a prediction, in the order of the text
 */
const TareTokenScore *
tare_token_scores_get (const TareTokenScores *self,
                       gsize                  index)
{
  g_return_val_if_fail (self != NULL && index < tare_token_scores_get_n (self), NULL);

  return &self->scores[index];
}

/**
 * tare_token_scores_get_n_tokens:
 * @self: the scores
 *
 * Returns: tokens of the text, those that were not predicted among them
 */
gsize
tare_token_scores_get_n_tokens (const TareTokenScores *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_chunks * self->context;
}

/**
 * tare_token_scores_get_position:
 * @self: the scores
 * @index: of a prediction
 *
 * Returns: which token of the text it predicts
 */
gsize
tare_token_scores_get_position (const TareTokenScores *self,
                                gsize                  index)
{
  g_return_val_if_fail (self != NULL, 0);

  return index / per_chunk (self) * self->context + self->first + 1 + index % per_chunk (self);
}

/**
 * tare_token_scores_find:
 * @self: the scores
 * @position: of a token in the text
 * @index: (out) (optional): its prediction
 *
 * Returns: whether that token was predicted
 */
gboolean
tare_token_scores_find (const TareTokenScores *self,
                        gsize                  position,
                        gsize                 *index)
{
  gsize within;

  g_return_val_if_fail (self != NULL, FALSE);

  within = position % self->context;
  if (position >= tare_token_scores_get_n_tokens (self) || within <= self->first)
    return FALSE;
  if (index != NULL)
    *index = position / self->context * per_chunk (self) + within - self->first - 1;

  return TRUE;
}

/**
 * tare_token_scores_get_prefix:
 * @self: the scores
 * @index: a prediction
 * @n_tokens: (out): how many
 *
 * Returns: (transfer none) (array length=n_tokens): the tokens of its chunk that it was made from,
 *   as the network was given them
 */
const guint32 *
tare_token_scores_get_prefix (const TareTokenScores *self,
                              gsize                  index,
                              gsize                 *n_tokens)
{
  gsize position = tare_token_scores_get_position (self, index);
  gsize chunk = position / self->context * self->context;

  *n_tokens = position - chunk;

  return self->inputs + chunk;
}

/**
 * tare_token_scores_dup_text:
 * @self: the scores
 * @position: the first token
 * @n_tokens: how many, clamped to the text's end
 *
 * A token may hold a part of a character only: what is not UTF-8 by itself becomes U+FFFD.
 *
 * Returns: (transfer full): what some tokens of the text stand for
 */
char *
tare_token_scores_dup_text (const TareTokenScores *self,
                            gsize                  position,
                            gsize                  n_tokens)
{
  gsize n;

  g_return_val_if_fail (self != NULL, NULL);

  n = tare_token_scores_get_n_tokens (self);
  position = MIN (position, n);

  return tare_tokenizer_dup_text (self->tokenizer, self->tokens + position,
                                  MIN (n_tokens, n - position));
}

static float
get_key (const TareTokenScore *score,
         TareTokenOrder        order)
{
  const float keys[] = {
    [TARE_TOKEN_ORDER_DIVERGENCE] = score->divergence,
    [TARE_TOKEN_ORDER_LOSS] = score->nll - score->base_nll,
    [TARE_TOKEN_ORDER_GAIN] = score->base_nll - score->nll,
    [TARE_TOKEN_ORDER_NLL] = score->nll,
  };

  return keys[order];
}

typedef struct
{
  const TareTokenScore *scores;
  TareTokenOrder        order;
} Sorting;

static int
compare (gconstpointer a,
         gconstpointer b,
         gpointer      data)
{
  const Sorting *sorting = data;
  gsize i = *(const gsize *) a;
  gsize j = *(const gsize *) b;
  float x = get_key (&sorting->scores[i], sorting->order);
  float y = get_key (&sorting->scores[j], sorting->order);

  return x > y ? -1 : x < y ? 1 : i < j ? -1 : i > j;
}

/**
 * tare_token_scores_sort:
 * @self: the scores
 * @order: what comes first
 * @begin: the first prediction to look at
 * @end: the one after the last, clamped to their number
 * @n: (out): how many these are
 *
 * Returns: (transfer full) (array length=n): the predictions in that order, the earlier of equal
 *   ones first
 */
gsize *
tare_token_scores_sort (const TareTokenScores *self,
                        TareTokenOrder         order,
                        gsize                  begin,
                        gsize                  end,
                        gsize                 *n)
{
  Sorting sorting = { NULL, order };
  gsize *indices;

  g_return_val_if_fail (self != NULL && n != NULL, NULL);

  end = MIN (end, tare_token_scores_get_n (self));
  begin = MIN (begin, end);
  sorting.scores = self->scores;
  *n = end - begin;
  indices = g_new (gsize, MAX (*n, 1));
  for (gsize i = 0; i < *n; i++)
    indices[i] = begin + i;
  g_qsort_with_data (indices, (int) *n, sizeof *indices, compare, &sorting);

  return indices;
}
