/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Text that a model writes, against whole forward passes. */
#include "tests/tare-test.h"

#include <math.h>
#include <string.h>

#include "analysis/evaluation/tare-continuation.h"
#include "quant/network/tare-kernels-reference.h"
#include "quant/network/tare-network.h"
#include "quant/tare-error.h"
#include "tests/analysis/changed-weights.h"

static const char prompt[] = "Alice was beginning to get very tired";

static TareContinuation *
write_on (TareModel                     *model,
          const TareWeights             *weights,
          const TareContinuationOptions *options)
{
  g_autoptr(GError) error = NULL;
  TareContinuation *text = tare_continuation_new (model, weights, prompt, strlen (prompt), options,
                                                  NULL, &error);

  g_assert_no_error (error);

  return text;
}

/* The logits after some tokens, by a run of all of them. */
static void
run_whole (TareModel         *model,
           const TareWeights *weights,
           const guint32     *tokens,
           gsize              n_tokens,
           float             *last)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  g_autofree float *logits = g_new (float, n_tokens * vocabulary);

  tare_network_run (network, weights, tokens, n_tokens, logits, NULL, &error);
  g_assert_no_error (error);
  memcpy (last, logits + (n_tokens - 1) * vocabulary, vocabulary * sizeof *last);
}

static void
check_greedy (const TareWeights *weights)
{
  TareContinuationOptions options = TARE_CONTINUATION_OPTIONS_DEFAULT;
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareContinuation) text = NULL;
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  g_autofree float *logits = g_new (float, vocabulary);
  g_autofree char *whole = NULL;
  g_autofree char *written = NULL;
  const guint32 *tokens;

  options.n_tokens = 8;
  text = write_on (model, weights, &options);
  tokens = tare_continuation_get_tokens (text);
  g_assert_cmpuint (tare_continuation_get_n_tokens (text), ==,
                    tare_continuation_get_n_prompt (text) + 8);
  whole = tare_continuation_dup_text (text, 0, 999);
  g_test_message ("%s", whole);
  g_assert_nonnull (strstr (whole, prompt));
  written = tare_continuation_dup_written (text);
  g_assert_true (g_str_has_prefix (written, prompt));
  g_assert_true (g_str_has_suffix (whole, written));
  g_assert_cmpuint (strlen (whole), >, strlen (written));

  for (gsize i = tare_continuation_get_n_prompt (text); i < tare_continuation_get_n_tokens (text);
       i++)
    {
      gsize n = 0;
      const TareCandidate *candidates = tare_continuation_get_candidates (text, i, &n);
      TareLogSoftmax sum;

      run_whole (model, weights, tokens, i, logits);
      sum = tare_reference_log_softmax (logits, vocabulary);
      g_assert_cmpuint (tokens[i], ==, sum.top);
      g_assert_cmpuint (n, ==, 10);
      g_assert_cmpuint (candidates[0].token, ==, sum.top);
      g_assert_cmpfloat (candidates[0].probability, ==,
                         tare_continuation_get_probability (text, i));
      for (gsize j = 0; j < n; j++)
        {
          g_assert_cmpfloat_with_epsilon (candidates[j].probability,
                                          exp ((double) logits[candidates[j].token] - sum.log_sum),
                                          1e-4);
          g_assert_true (j == 0 || candidates[j].probability <= candidates[j - 1].probability);
        }
    }
}

static void
test_greedy (void)
{
  ChangedWeights change = { { "blk.1.ffn_down.weight", "token_embd.weight" }, 0.05f, 3 };
  const TareWeights weights = changed_weights (&change);

  check_greedy (&tare_weights_of_file);
  check_greedy (&weights);
}

static char *
draw_text (TareModel *model,
           double     temperature,
           double     top_p,
           guint32    seed)
{
  TareContinuationOptions options = TARE_CONTINUATION_OPTIONS_DEFAULT;
  g_autoptr(TareContinuation) text = NULL;

  options.n_tokens = 12;
  options.temperature = temperature;
  options.top_p = top_p;
  options.seed = seed;
  text = write_on (model, &tare_weights_of_file, &options);

  return tare_continuation_dup_text (text, tare_continuation_get_n_prompt (text), 99);
}

/* The seed decides; a share that holds the likeliest alone is greedy, as is no temperature. */
static void
test_drawn (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autofree char *greedy = draw_text (model, 0.0, 1.0, 1);
  g_autofree char *narrow = draw_text (model, 1.0, 1e-9, 5);
  g_autofree char *cold = draw_text (model, 1e-4, 1.0, 5);
  g_autofree char *a = draw_text (model, 1.0, 0.95, 7);
  g_autofree char *b = draw_text (model, 1.0, 0.95, 7);
  g_autofree char *c = draw_text (model, 1.0, 0.95, 8);

  g_assert_cmpstr (narrow, ==, greedy);
  g_assert_cmpstr (cold, ==, greedy);
  g_assert_cmpstr (a, ==, b);
  g_assert_cmpstr (a, !=, c);
}

/* Drawn often enough, tokens come as often as they are likely. */
static void
test_frequency (void)
{
  TareContinuationOptions options = TARE_CONTINUATION_OPTIONS_DEFAULT;
  g_autoptr(TareModel) model = changed_open_sample ();
  double expected = 0.0;
  guint32 top = 0;
  guint n_top = 0;
  const guint n = 40;

  options.n_tokens = 1;
  options.temperature = 1.0;
  for (options.seed = 1; options.seed <= n; options.seed++)
    {
      g_autoptr(TareContinuation) text = write_on (model, &tare_weights_of_file, &options);
      gsize position = tare_continuation_get_n_prompt (text);
      gsize n_candidates = 0;
      const TareCandidate *best = tare_continuation_get_candidates (text, position, &n_candidates);

      top = best->token;
      expected = (double) best->probability;
      n_top += tare_continuation_get_tokens (text)[position] == top;
    }
  /* Four standard deviations of a binomial distribution. */
  g_assert_cmpfloat (fabs (n_top / (double) n - expected), <,
                     4.0 * sqrt (expected * (1.0 - expected) / n));
}

static void
test_next_tokens (void)
{
  ChangedWeights change = { { "blk.2.ffn_down.weight" }, 0.1f, 3 };
  const TareWeights weights = changed_weights (&change);
  const guint32 tokens[] = { 5, 77, 300, 12 };
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = changed_open_sample ();
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  g_autofree float *base = g_new (float, vocabulary);
  g_autofree float *other = g_new (float, vocabulary);
  g_autoptr(TareNextTokens) next = NULL;
  TareLogSoftmax base_sum, other_sum;
  gboolean has_top = FALSE;

  next = tare_next_tokens_new (model, &tare_weights_of_file, &weights, tokens, 4, 8, G_MAXUINT32,
                               NULL, &error);
  g_assert_no_error (error);
  run_whole (model, &tare_weights_of_file, tokens, 4, base);
  run_whole (model, &weights, tokens, 4, other);
  base_sum = tare_reference_log_softmax (base, vocabulary);
  other_sum = tare_reference_log_softmax (other, vocabulary);

  g_assert_cmpuint (next->n, >=, 8);
  g_assert_cmpuint (next->n, <=, 16);
  g_assert_cmpuint (next->rows[0].token, ==, base_sum.top);
  for (gsize i = 0; i < next->n; i++)
    {
      const TareNextToken *row = &next->rows[i];

      has_top |= row->token == other_sum.top;
      g_assert_true (g_utf8_validate (row->text, -1, NULL));
      g_assert_cmpfloat_with_epsilon (row->base,
                                      exp ((double) base[row->token] - base_sum.log_sum), 1e-4);
      g_assert_cmpfloat_with_epsilon (row->other,
                                      exp ((double) other[row->token] - other_sum.log_sum), 1e-4);
      g_assert_true (i == 0 || row->base <= next->rows[i - 1].base);
    }
  g_assert_true (has_top);

  /* One that is asked for is told of, once, be it the likeliest or the least likely. */
  for (guint i = 0; i < 2; i++)
    {
      guint32 actual = base_sum.top;
      guint found = 0;

      for (guint32 token = 0; i == 1 && token < vocabulary; token++)
        actual = base[token] < base[actual] ? token : actual;
      tare_next_tokens_free (next);
      next = tare_next_tokens_new (model, &tare_weights_of_file, &weights, tokens, 4, 1, actual,
                                   NULL, &error);
      g_assert_no_error (error);
      for (gsize k = 0; k < next->n; k++)
        found += next->rows[k].token == actual;
      g_assert_cmpuint (found, ==, 1);
    }
  g_assert_cmpfloat_with_epsilon (next->divergence,
                                  tare_reference_divergence (base, other, vocabulary), 1e-4);
}

static void
test_refused (void)
{
  TareContinuationOptions options = TARE_CONTINUATION_OPTIONS_DEFAULT;
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(GError) error = NULL;

  options.temperature = -1.0;
  g_assert_null (tare_continuation_new (model, &tare_weights_of_file, "x", 1, &options, NULL,
                                        &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_clear_error (&error);
  options.temperature = 0.0;
  options.top_p = 0.0;
  g_assert_null (tare_continuation_new (model, &tare_weights_of_file, "x", 1, &options, NULL,
                                        &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_clear_error (&error);
  options.top_p = 1.0;
  g_cancellable_cancel (cancellable);
  g_assert_null (tare_continuation_new (model, &tare_weights_of_file, "x", 1, &options, &progress,
                                        &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/continuation/greedy", test_greedy);
  g_test_add_func ("/continuation/drawn", test_drawn);
  g_test_add_func ("/continuation/frequency", test_frequency);
  g_test_add_func ("/continuation/next-tokens", test_next_tokens);
  g_test_add_func ("/continuation/refused", test_refused);

  return g_test_run ();
}
