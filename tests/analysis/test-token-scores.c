/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Single predictions against the definitions, and where in the text they are. */
#include "tests/tare-test.h"

#include <math.h>
#include <string.h>

#include "analysis/evaluation/tare-evaluator.h"
#include "quant/network/tare-kernels-reference.h"
#include "tests/analysis/changed-weights.h"

#define CONTEXT 32
#define CHUNKS  3

/* One token in place of another would move it by far more. */
#define CLOSE 2e-3

static TareEvaluator *
open_evaluator (TareModel          *model,
                TareEvaluationMode  mode)
{
  const TareEvaluationOptions options = { mode, CONTEXT, CHUNKS, 0 };
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  g_autofree char *text = changed_load_text (&length);
  TareEvaluator *evaluator = tare_evaluator_new (model, text, length, &options, &error);

  g_assert_no_error (error);

  return evaluator;
}

/* Every prediction of a run held against whole logits, chunk by chunk. */
static void
check_definition (TareEvaluationMode mode)
{
  ChangedWeights change = { { "blk.1.ffn_down.weight" }, 0.05f, 7 };
  const TareWeights weights = changed_weights (&change);
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, mode);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  g_autofree float *base = g_new (float, CONTEXT * vocabulary);
  g_autofree float *other = g_new (float, CONTEXT * vocabulary);
  gsize length = 0;
  g_autofree char *text = changed_load_text (&length);
  g_autoptr(GArray) tokens = tare_tokenizer_encode (tare_model_get_tokenizer (model, NULL), text,
                                                    length, TARE_TOKEN_FLAGS_ADD_SPECIAL);
  g_autoptr(TareTokenScores) scores = NULL;
  TareAccuracy accuracy;
  guint32 input[CONTEXT];
  gsize seen = 0;

  tare_evaluator_run (evaluator, &weights, &accuracy, NULL, &error);
  g_assert_no_error (error);
  scores = tare_evaluator_get_token_scores (evaluator);
  g_assert_cmpuint (tare_token_scores_get_n (scores), ==, accuracy.n_tokens);
  g_assert_cmpuint (tare_token_scores_get_n_tokens (scores), ==, CHUNKS * CONTEXT);

  for (gsize position = 0; position < CHUNKS * CONTEXT; position++)
    {
      const guint32 *chunk = (const guint32 *) tokens->data + position / CONTEXT * CONTEXT;
      gsize row = position % CONTEXT - 1;
      const TareTokenScore *score;
      TareLogSoftmax sum, base_sum;
      const guint32 *prefix;
      gsize index = 0;
      gsize n = 0;

      if (position % CONTEXT == 0)
        {
          memcpy (input, chunk, sizeof input);
          if (mode == TARE_EVALUATION_MODE_LLAMA_CPP
              && tare_tokenizer_adds_begin (tare_model_get_tokenizer (model, NULL)))
            tare_tokenizer_get_begin (tare_model_get_tokenizer (model, NULL), &input[0]);
          tare_network_run (network, &tare_weights_of_file, input, CONTEXT, base, NULL, &error);
          g_assert_no_error (error);
          tare_network_run (network, &weights, input, CONTEXT, other, NULL, &error);
          g_assert_no_error (error);
        }
      if (!tare_token_scores_find (scores, position, &index))
        continue;

      g_assert_cmpuint (index, ==, seen++);
      g_assert_cmpuint (tare_token_scores_get_position (scores, index), ==, position);
      score = tare_token_scores_get (scores, index);
      sum = tare_reference_log_softmax (other + row * vocabulary, vocabulary);
      base_sum = tare_reference_log_softmax (base + row * vocabulary, vocabulary);
      g_assert_cmpuint (score->token, ==, chunk[row + 1]);
      prefix = tare_token_scores_get_prefix (scores, index, &n);
      g_assert_cmpmem (prefix, n * sizeof *prefix, input, (row + 1) * sizeof *input);
      g_assert_cmpuint (score->same_top, ==, sum.top == base_sum.top);
      g_assert_cmpfloat_with_epsilon (score->nll, sum.log_sum
                                      - (double) other[row * vocabulary + score->token], CLOSE);
      g_assert_cmpfloat_with_epsilon (score->base_nll, base_sum.log_sum
                                      - (double) base[row * vocabulary + score->token], CLOSE);
      g_assert_cmpfloat_with_epsilon (score->divergence,
                                      tare_reference_divergence (base + row * vocabulary,
                                                                 other + row * vocabulary,
                                                                 vocabulary), CLOSE);
    }
  g_assert_cmpuint (seen, ==, accuracy.n_tokens);
}

static void
test_definition_llama_cpp (void)
{
  check_definition (TARE_EVALUATION_MODE_LLAMA_CPP);
}

static void
test_definition_segments (void)
{
  check_definition (TARE_EVALUATION_MODE_SEGMENTS);
}

/* The base has nothing to differ from; the next run takes its place, what was handed out stays. */
static void
test_base (void)
{
  ChangedWeights change = { { "blk.0.attn_v.weight" }, 0.05f, 9 };
  const TareWeights weights = changed_weights (&change);
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, TARE_EVALUATION_MODE_SEGMENTS);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTokenScores) base = NULL;
  g_autoptr(TareTokenScores) other = NULL;
  TareAccuracy accuracy;
  double sum = 0.0;

  g_assert_null (tare_evaluator_get_token_scores (evaluator));
  tare_evaluator_run_base (evaluator, &accuracy, NULL, &error);
  g_assert_no_error (error);
  base = tare_evaluator_get_token_scores (evaluator);
  for (gsize i = 0; i < tare_token_scores_get_n (base); i++)
    {
      const TareTokenScore *score = tare_token_scores_get (base, i);

      g_assert_true (score->same_top);
      g_assert_cmpfloat (score->divergence, ==, 0.0f);
      g_assert_cmpfloat (score->nll, ==, score->base_nll);
      sum += (double) score->nll;
    }
  g_assert_cmpfloat_with_epsilon (sum / (double) accuracy.n_tokens, accuracy.nll, 1e-5);

  tare_evaluator_run (evaluator, &weights, &accuracy, NULL, &error);
  g_assert_no_error (error);
  other = tare_evaluator_get_token_scores (evaluator);
  g_assert_true (other != base);
  for (gsize i = 0; i < tare_token_scores_get_n (base); i++)
    g_assert_cmpfloat_with_epsilon (tare_token_scores_get (other, i)->base_nll,
                                    tare_token_scores_get (base, i)->nll, 1e-5);
}

static TareTokenScores *
make_scores (TareModel *model)
{
  static const TareTokenScore values[] = {
    { 1, TRUE, 2.0f, 1.0f, 0.1f }, { 2, FALSE, 1.0f, 4.0f, 0.5f }, { 3, TRUE, 3.0f, 3.0f, 0.1f },
    { 4, TRUE, 6.0f, 1.0f, 0.3f },
  };
  const char *text = "Alice was beginning to get very tired of sitting";
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, NULL);
  g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, text, strlen (text),
                                                    TARE_TOKEN_FLAGS_NONE);

  g_assert_cmpuint (tokens->len, >=, 8);

  return tare_token_scores_new (tokenizer, (const guint32 *) tokens->data,
                                (const guint32 *) tokens->data, 2, 4, 1,
                                g_memdup2 (values, sizeof values));
}

static void
test_order (void)
{
  static const gsize expected[][4] = {
    [TARE_TOKEN_ORDER_DIVERGENCE] = { 1, 3, 0, 2 },
    [TARE_TOKEN_ORDER_LOSS] = { 3, 0, 2, 1 },
    [TARE_TOKEN_ORDER_GAIN] = { 1, 2, 0, 3 },
    [TARE_TOKEN_ORDER_NLL] = { 3, 2, 0, 1 },
  };
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareTokenScores) scores = make_scores (model);

  for (gsize order = 0; order < G_N_ELEMENTS (expected); order++)
    {
      gsize n = 0;
      g_autofree gsize *indices = tare_token_scores_sort (scores, (TareTokenOrder) order, 0, 9,
                                                          &n);
      g_autofree gsize *last = NULL;

      g_assert_cmpmem (indices, n * sizeof *indices, expected[order], sizeof expected[order]);
      last = tare_token_scores_sort (scores, (TareTokenOrder) order, 3, 9, &n);
      g_assert_cmpuint (n, ==, 1);
      g_assert_cmpuint (last[0], ==, 3);
    }
}

static void
test_text (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareTokenScores) scores = make_scores (model);
  g_autofree char *all = tare_token_scores_dup_text (scores, 0, 99);
  g_autofree char *none = tare_token_scores_dup_text (scores, 99, 1);
  g_autoptr(GString) joined = g_string_new (NULL);
  gsize index = 99;

  for (gsize i = 0; i < tare_token_scores_get_n_tokens (scores); i++)
    {
      g_autofree char *piece = tare_token_scores_dup_text (scores, i, 1);

      g_string_append (joined, piece);
    }
  g_assert_cmpstr (joined->str, ==, all);
  g_assert_true (g_str_has_prefix (all, "Alice was"));
  g_assert_cmpstr (none, ==, "");

  g_assert_false (tare_token_scores_find (scores, 1, NULL));
  g_assert_false (tare_token_scores_find (scores, 4, NULL));
  g_assert_false (tare_token_scores_find (scores, 8, NULL));
  g_assert_true (tare_token_scores_find (scores, 6, &index));
  g_assert_cmpuint (index, ==, 2);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/token-scores/definition/llama.cpp", test_definition_llama_cpp);
  g_test_add_func ("/token-scores/definition/segments", test_definition_segments);
  g_test_add_func ("/token-scores/base", test_base);
  g_test_add_func ("/token-scores/order", test_order);
  g_test_add_func ("/token-scores/text", test_text);

  return g_test_run ();
}
