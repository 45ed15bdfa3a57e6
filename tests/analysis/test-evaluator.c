/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Perplexity and divergence against llama.cpp's figures, the definitions, and each other. */
#include "tests/tare-test-open.h"
#include "tests/tare-test.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "analysis/evaluation/tare-evaluator.h"
#include "analysis/evaluation/tare-scores-private.h"
#include "quant/network/tare-kernels-reference.h"
#include "quant/tare-error.h"
#include "tests/analysis/changed-weights.h"

static char *
load_text (const char *path,
           gsize      *length)
{
  g_autoptr(GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, length, &error);
  g_assert_no_error (error);

  return text;
}

static TareEvaluator *
open_evaluator (TareModel                   *model,
                const TareEvaluationOptions *options)
{
  g_autofree char *path = tare_test_source ("data/sample/alice.txt");
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  g_autofree char *text = load_text (path, &length);
  TareEvaluator *evaluator = tare_evaluator_new (model, text, length, options, &error);

  g_assert_no_error (error);

  return evaluator;
}

static void
check_perplexity (const char *model_path,
                  const char *text_path,
                  double      perplexity,
                  double      perplexity_error)
{
  const TareEvaluationOptions options = { TARE_EVALUATION_MODE_LLAMA_CPP, 256, 0, 1 };
  g_autoptr(TareModel) model = tare_test_open_model (model_path);
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  g_autofree char *text = load_text (text_path, &length);
  g_autoptr(TareEvaluator) evaluator = tare_evaluator_new (model, text, length, &options, &error);
  TareAccuracy accuracy;

  g_assert_no_error (error);
  tare_evaluator_run_base (evaluator, &accuracy, NULL, &error);
  g_assert_no_error (error);
  g_test_message ("%s: %.4f +/- %.5f, %.2f s", text_path, accuracy.perplexity,
                  accuracy.perplexity_error, accuracy.seconds);

  g_assert_cmpuint (accuracy.context, ==, 256);
  g_assert_cmpuint (accuracy.n_tokens, ==, accuracy.n_chunks * 127);
  g_assert_false (accuracy.has_base);
  g_assert_cmpfloat (fabs (accuracy.perplexity / perplexity - 1.0), <, 5e-4);
  g_assert_cmpfloat (fabs (accuracy.perplexity_error / perplexity_error - 1.0), <, 2e-3);
}

static void
test_perplexity_stories (void)
{
  TARE_TEST_NEED_SHARED (model, "models/stories260K")
  TARE_TEST_NEED_SHARED (text, "texts/tinystories.txt")

  check_perplexity (model, text, 6.2132, 0.15668);
}

static void
test_perplexity_sample (void)
{
  TARE_TEST_NEED_SHARED (model, "models/tare-sample/tare-sample-bf16.gguf")
  TARE_TEST_NEED_SHARED (text, "texts/alice.txt")

#if defined (__SANITIZE_ADDRESS__)
  g_test_skip ("a minute's work without vectors");
#else
  check_perplexity (model, text, 29.0692, 0.42678);
#endif
}

static void
test_perplexity_treasure (void)
{
  TARE_TEST_NEED_SHARED (model, "models/tare-sample")
  TARE_TEST_NEED_SHARED (text, "texts/treasure-island.txt")

  if (!g_test_slow ())
    {
      g_test_skip ("a long text");
      return;
    }
  check_perplexity (model, text, 28.6278, 0.25407);
}

static void
test_perplexity_wikitext (void)
{
  TARE_TEST_NEED_SHARED (model, "models/tare-sample")
  TARE_TEST_NEED_SHARED (text, "texts/wikitext-2-test.txt")

  if (!g_test_slow ())
    {
      g_test_skip ("a long text");
      return;
    }
  check_perplexity (model, text, 138.3458, 0.87420);
}

/* Both conventions written out from their definitions, with the network run chunk by chunk. */
static double
perplexity_by_definition (TareModel          *model,
                          const char         *text,
                          gsize               length,
                          TareEvaluationMode  mode,
                          gsize               context,
                          gsize               n_chunks)
{
  gboolean llama_cpp = mode == TARE_EVALUATION_MODE_LLAMA_CPP;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, &error);
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  g_autofree float *logits = g_new (float, context * vocabulary);
  g_autoptr(GArray) tokens = NULL;
  double outer = 0.0;

  g_assert_no_error (error);
  if (llama_cpp && text[length - 1] == '\n')
    length--;
  tokens = tare_tokenizer_encode (tokenizer, text, length, TARE_TOKEN_FLAGS_ADD_SPECIAL);
  for (gsize chunk = 0; chunk < n_chunks; chunk++)
    {
      const guint32 *original = (const guint32 *) tokens->data + chunk * context;
      g_autofree guint32 *input = g_memdup2 (original, context * sizeof *input);
      gsize first = llama_cpp ? context / 2 : 0;
      double inner = 0.0;

      if (llama_cpp && tare_tokenizer_adds_begin (tokenizer))
        g_assert_true (tare_tokenizer_get_begin (tokenizer, &input[0]));
      tare_network_run (network, &tare_weights_of_file, input, context, logits, NULL, &error);
      g_assert_no_error (error);
      for (gsize i = first; i + 1 < context; i++)
        inner += tare_reference_log_softmax (logits + i * vocabulary, vocabulary).log_sum
                 - (double) logits[i * vocabulary + original[i + 1]];
      outer += inner / (double) (context - 1 - first);
    }

  return exp (outer / (double) n_chunks);
}

static void
check_definition (TareEvaluationMode mode,
                  guint              context,
                  const char        *model_path)
{
  const TareEvaluationOptions options = { mode, context, 3, 0 };
  g_autoptr(TareModel) model = model_path != NULL ? tare_test_open_model (model_path)
                                                   : changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, &options);
  g_autofree char *path = tare_test_source ("data/sample/alice.txt");
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  g_autofree char *text = load_text (path, &length);
  TareAccuracy accuracy;

  tare_evaluator_run_base (evaluator, &accuracy, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (accuracy.n_chunks, ==, 3);
  g_assert_cmpfloat_with_epsilon (accuracy.perplexity,
                                  perplexity_by_definition (model, text, length, mode, context, 3),
                                  1e-4 * accuracy.perplexity);
  g_assert_cmpfloat_with_epsilon (accuracy.perplexity, exp (accuracy.nll), 1e-9);
}

static void
test_definition_llama_cpp (void)
{
  check_definition (TARE_EVALUATION_MODE_LLAMA_CPP, 64, NULL);
  check_definition (TARE_EVALUATION_MODE_LLAMA_CPP, 45, NULL);
}

static void
test_definition_segments (void)
{
  check_definition (TARE_EVALUATION_MODE_SEGMENTS, 64, NULL);
  check_definition (TARE_EVALUATION_MODE_SEGMENTS, 45, NULL);
}

/* A vocabulary that puts a begin token in front. */
static void
test_definition_begin (void)
{
  TARE_TEST_NEED_SHARED (path, "models/stories260K/stories260K-f32.gguf")

  check_definition (TARE_EVALUATION_MODE_LLAMA_CPP, 50, path);
  check_definition (TARE_EVALUATION_MODE_SEGMENTS, 50, path);
}

static void
test_too_short (void)
{
  const TareEvaluationOptions options = {
    .mode = TARE_EVALUATION_MODE_LLAMA_CPP, .context = 256, .text_name = "once.txt",
  };
  const TareEvaluationOptions tiny = { TARE_EVALUATION_MODE_LLAMA_CPP, 2, 0, 0 };
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(GError) error = NULL;
  const char *text = "Once upon a time";
  g_autoptr(GArray) tokens = tare_tokenizer_encode (tare_model_get_tokenizer (model, NULL), text,
                                                    strlen (text), TARE_TOKEN_FLAGS_ADD_SPECIAL);
  g_autofree char *has = g_strdup_printf ("has %u tokens", tokens->len);

  g_assert_null (tare_evaluator_new (model, text, strlen (text), &options, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, has));
  g_assert_nonnull (strstr (error->message, "512"));
  g_assert_true (g_str_has_prefix (error->message, "once.txt: "));

  g_clear_error (&error);
  g_assert_false (tare_evaluator_check_text (model, text, strlen (text), &options, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_true (g_str_has_prefix (error->message, "once.txt: "));

  g_clear_error (&error);
  g_assert_null (tare_evaluator_new (model, text, strlen (text), &tiny, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_null (tare_evaluator_new (model, "", 0, &options, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
}

static const TareEvaluationOptions small = { TARE_EVALUATION_MODE_LLAMA_CPP, 64, 6, 0 };
static const TareEvaluationOptions uncached = { TARE_EVALUATION_MODE_LLAMA_CPP, 64, 6, 1 };

static void
test_base_with_itself (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, &uncached);
  g_autoptr(GError) error = NULL;
  TareAccuracy base, accuracy;

  tare_evaluator_run_base (evaluator, &base, NULL, &error);
  g_assert_no_error (error);
  tare_evaluator_run (evaluator, &tare_weights_of_file, &accuracy, NULL, &error);
  g_assert_no_error (error);

  g_assert_true (accuracy.has_base);
  g_assert_cmpuint (accuracy.first_block, ==, 0);
  g_assert_cmpfloat (accuracy.kl_mean, ==, 0.0);
  g_assert_cmpfloat (accuracy.kl_max, ==, 0.0);
  g_assert_cmpfloat (accuracy.same_top, ==, 1.0);
  g_assert_cmpfloat (accuracy.same_top_error, ==, 0.0);
  g_assert_cmpfloat (accuracy.perplexity, ==, base.perplexity);
  g_assert_cmpfloat (accuracy.base_perplexity, ==, base.perplexity);
}

static TareAccuracy
run_changed (TareEvaluator  *evaluator,
             ChangedWeights *change)
{
  const TareWeights weights = changed_weights (change);
  g_autoptr(GError) error = NULL;
  TareAccuracy accuracy;

  tare_evaluator_run (evaluator, &weights, &accuracy, NULL, &error);
  g_assert_no_error (error);

  return accuracy;
}

/* All figures but where it began and how long it took. */
static void
assert_same (const TareAccuracy *a,
             const TareAccuracy *b)
{
  g_assert_cmpfloat (a->nll, ==, b->nll);
  g_assert_cmpfloat (a->perplexity_error, ==, b->perplexity_error);
  g_assert_cmpfloat (a->kl_mean, ==, b->kl_mean);
  g_assert_cmpfloat (a->kl_error, ==, b->kl_error);
  g_assert_cmpfloat (a->kl_median, ==, b->kl_median);
  g_assert_cmpfloat (a->kl_p99, ==, b->kl_p99);
  g_assert_cmpfloat (a->kl_max, ==, b->kl_max);
  g_assert_cmpfloat (a->same_top, ==, b->same_top);
  g_assert_cmpuint (a->n_tokens, ==, b->n_tokens);
}

/* A change in block b runs b.. only and finds what a full run finds. */
static void
test_from_block (void)
{
  const struct
  {
    ChangedWeights change;
    guint  first;
  } steps[] = {
    { { { "blk.4.ffn_down.weight" }, 0.02f, 1 }, 4 },
    { { { "blk.4.ffn_down.weight" }, 0.02f, 1 }, 6 },
    { { { "blk.4.ffn_down.weight", "blk.2.attn_q.weight" }, 0.02f, 1 }, 2 },
    { { { "blk.2.attn_q.weight" }, 0.02f, 1 }, 4 },
    { { { "blk.2.attn_q.weight", "output.weight" }, 0.02f, 1 }, 6 },
    { { { "output.weight" }, 0.02f, 2 }, 2 },
    { { { "token_embd.weight" }, 0.02f, 3 }, 0 },
    { { { NULL }, 0.0f, 0 }, 0 },
  };
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) cached = open_evaluator (model, &small);
  g_autoptr(TareEvaluator) full = open_evaluator (model, &uncached);

  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      ChangedWeights change = steps[i].change;
      TareAccuracy part = run_changed (cached, &change);
      TareAccuracy whole = run_changed (full, &change);

      g_assert_cmpuint (part.first_block, ==, steps[i].first);
      g_assert_cmpuint (whole.first_block, ==, 0);
      assert_same (&part, &whole);
      if (change.noise > 0.0f)
        g_assert_cmpfloat (part.kl_mean, >, 1e-5);
      else
        g_assert_cmpfloat (part.kl_max, ==, 0.0);
    }
}

/* A budget of two states for six boundaries keeps those before block 3 and after the last. */
static void
test_small_budget (void)
{
  TareEvaluationOptions options = small;
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = NULL;
  g_autoptr(TareEvaluator) full = open_evaluator (model, &uncached);
  ChangedWeights late = { { "blk.5.attn_v.weight" }, 0.02f, 1 };
  ChangedWeights early = { { "blk.1.attn_v.weight" }, 0.02f, 1 };
  ChangedWeights head = { { "blk.1.attn_v.weight", "output.weight" }, 0.02f, 1 };
  TareAccuracy part, whole;

  options.cache_budget = 2 * 6 * 64 * 256 * sizeof (float);
  evaluator = open_evaluator (model, &options);

  part = run_changed (evaluator, &late);
  whole = run_changed (full, &late);
  g_assert_cmpuint (part.first_block, ==, 3);
  assert_same (&part, &whole);
  part = run_changed (evaluator, &early);
  whole = run_changed (full, &early);
  g_assert_cmpuint (part.first_block, ==, 0);
  assert_same (&part, &whole);
  part = run_changed (evaluator, &head);
  whole = run_changed (full, &head);
  g_assert_cmpuint (part.first_block, ==, 6);
  assert_same (&part, &whole);
}

/* With room for little more than a block, the states lie in files and the figures are the same. */
static void
test_memory (void)
{
  TareEvaluationOptions options = { TARE_EVALUATION_MODE_LLAMA_CPP, 64, 60, 0, 0 };
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) full = open_evaluator (model, &options);
  g_autoptr(TareEvaluator) evaluator = NULL;
  ChangedWeights early = { { "blk.1.attn_v.weight" }, 0.02f, 1 };
  ChangedWeights late = { { "blk.4.attn_v.weight" }, 0.02f, 1 };
  TareAccuracy part, whole;

  options.memory_budget = 5600000;
  evaluator = open_evaluator (model, &options);
  part = run_changed (evaluator, &early);
  whole = run_changed (full, &early);
  g_assert_cmpuint (part.first_block, ==, 1);
  g_assert_cmpuint (part.n_boundaries, ==, 6);
  g_assert_cmpuint (part.n_in_files, ==, 6);
  g_assert_cmpuint (whole.n_in_files, ==, 0);
  assert_same (&part, &whole);
  part = run_changed (evaluator, &late);
  whole = run_changed (full, &late);
  g_assert_cmpuint (part.first_block, ==, 1);
  assert_same (&part, &whole);
}

static void
test_too_little_memory (void)
{
  const TareEvaluationOptions options = { TARE_EVALUATION_MODE_LLAMA_CPP, 64, 2, 0, 1000000 };
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autofree char *path = tare_test_source ("data/sample/alice.txt");
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  g_autofree char *text = load_text (path, &length);

  g_assert_null (tare_evaluator_new (model, text, length, &options, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_LIMIT);
}

typedef struct
{
  GCancellable *cancellable;
  double        at;
} Stop;

static void
stop_at (double      fraction,
         const char *stage,
         gpointer    data)
{
  Stop *stop = data;

  if (fraction >= stop->at)
    g_cancellable_cancel (stop->cancellable);
}

/* A run that was left anywhere spoils nothing for the next. */
static void
test_cancelled (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, &small);
  g_autoptr(TareEvaluator) full = open_evaluator (model, &uncached);
  ChangedWeights first = { { "blk.1.ffn_up.weight" }, 0.02f, 1 };
  ChangedWeights second = { { "blk.0.ffn_up.weight", "blk.4.ffn_up.weight" }, 0.03f, 2 };
  const TareWeights weights = changed_weights (&second);
  TareAccuracy whole = run_changed (full, &first);

  run_changed (evaluator, &first);
  for (double at = 0.0; at < 1.0; at += 0.19)
    {
      g_autoptr(GCancellable) cancellable = g_cancellable_new ();
      g_autoptr(GError) error = NULL;
      Stop stop = { cancellable, at };
      const TareProgress progress = TARE_PROGRESS_INIT (cancellable, stop_at, &stop);
      TareAccuracy accuracy;

      g_assert_false (tare_evaluator_run (evaluator, &weights, &accuracy, &progress, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

      accuracy = run_changed (evaluator, &first);
      assert_same (&accuracy, &whole);
    }
}

static void
test_cancelled_base (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, &small);
  g_autoptr(TareEvaluator) full = open_evaluator (model, &uncached);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  g_autoptr(GError) error = NULL;
  Stop stop = { cancellable, 0.5 };
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, stop_at, &stop);
  TareAccuracy part, whole;

  g_assert_false (tare_evaluator_run_base (evaluator, &part, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  tare_evaluator_run_base (evaluator, &part, NULL, &error);
  g_assert_no_error (error);
  tare_evaluator_run_base (full, &whole, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (part.nll, ==, whole.nll);
}

/* Progress never goes back, and ends at the end. */
static void
follow (double      fraction,
        const char *stage,
        gpointer    data)
{
  double *last = data;

  g_assert_cmpfloat (fraction, >=, *last - 1e-9);
  g_assert_cmpfloat (fraction, <=, 1.0);
  *last = fraction;
}

static void
test_progress (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, &small);
  g_autoptr(GError) error = NULL;
  double last = 0.0;
  const TareProgress progress = TARE_PROGRESS_INIT (NULL, follow, &last);
  TareAccuracy accuracy;

  tare_evaluator_run (evaluator, &tare_weights_of_file, &accuracy, &progress, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (last, ==, 1.0);
}

static void
test_not_finite (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, &small);
  g_autoptr(GError) error = NULL;
  ChangedWeights change = { { "blk.3.ffn_down.weight" }, INFINITY, 4 };
  const TareWeights weights = changed_weights (&change);
  TareAccuracy accuracy;

  g_assert_false (tare_evaluator_run (evaluator, &weights, &accuracy, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE);
  g_assert_nonnull (strstr (error->message, tare_model_get_path (model)));
}

/* The same model from another container is the same; one of another vocabulary is refused. */
static void
test_other_model (void)
{
  TARE_TEST_NEED_SHARED (gguf, "models/tare-sample/tare-sample-bf16.gguf")
  TARE_TEST_NEED_SHARED (stories, "models/stories260K")
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareModel) same = tare_test_open_model (gguf);
  g_autoptr(TareModel) different = tare_test_open_model (stories);
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, &small);
  g_autoptr(GError) error = NULL;
  TareAccuracy accuracy;

  tare_evaluator_run_model (evaluator, same, &accuracy, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (accuracy.kl_max, <, 1e-6);
  g_assert_cmpfloat (accuracy.same_top, ==, 1.0);
  g_assert_cmpfloat_with_epsilon (accuracy.perplexity, accuracy.base_perplexity, 1e-4);

  g_assert_false (tare_evaluator_run_model (evaluator, different, &accuracy, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "512"));
  g_assert_nonnull (strstr (error->message, "1024"));
}

static void
test_scores (void)
{
  g_autoptr(TareScores) scores = _tare_scores_new (5);
  const double sorted[5] = { 0.0, 1.0, 2.0, 4.0, 8.0 };
  TareAccuracy accuracy = { 0 };

  for (gsize i = 0; i < 5; i++)
    {
      scores->nll[i] = (double) i;
      scores->divergence[i] = sorted[4 - i];
      scores->same_top[i] = i != 2;
    }
  _tare_scores_sum_nll (scores, &accuracy);
  _tare_scores_sum_base (scores, &accuracy);

  /* Variance of 0..4 is 2; of 0 1 2 4 8 it is 17 - 9 = 8. */
  g_assert_cmpfloat_with_epsilon (accuracy.nll, 2.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (accuracy.perplexity_error, exp (2.0) * sqrt (2.0 / 4.0), 1e-12);
  g_assert_cmpfloat_with_epsilon (accuracy.kl_mean, 3.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (accuracy.kl_error, sqrt (8.0 / 4.0), 1e-12);
  g_assert_cmpfloat_with_epsilon (accuracy.kl_median, 2.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (accuracy.kl_p99, 4.0 + 0.96 * 4.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (accuracy.kl_max, 8.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (accuracy.same_top, 0.8, 1e-12);
  g_assert_cmpfloat_with_epsilon (accuracy.same_top_error, sqrt (0.8 * 0.2 / 4.0), 1e-12);
}

static void
test_modes (void)
{
  for (gsize i = 0; i < tare_evaluation_mode_get_n_modes (); i++)
    {
      const TareEvaluationModeInfo *info = tare_evaluation_mode_get (i);

      g_assert_cmpuint (info->mode, ==, i);
      g_assert_true (tare_evaluation_mode_lookup (info->id) == info);
    }
  g_assert_null (tare_evaluation_mode_lookup ("no such mode"));
  g_assert_null (tare_evaluation_mode_lookup (NULL));
}

static double
measure_with_threads (TareModel *model,
                      int        n_threads)
{
  const TareEvaluationOptions options = { TARE_EVALUATION_MODE_LLAMA_CPP, 256, 4, 1 };
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, &options);
  g_autoptr(GError) error = NULL;
  TareAccuracy accuracy;

  omp_set_num_threads (n_threads);
  tare_evaluator_run_base (evaluator, &accuracy, NULL, &error);
  g_assert_no_error (error);

  return accuracy.perplexity;
}

/* To the bit for the same number of threads, and to 1e-5 for any. */
static void
test_threads (void)
{
  g_autofree char *path = tare_test_source ("data/sample");
  g_autoptr(TareModel) model = tare_test_open_model (path);
  int n_threads = omp_get_max_threads ();
  double first[2];

  for (int n = 1; n <= 2; n++)
    {
      first[n - 1] = measure_with_threads (model, n);
      g_assert_true (measure_with_threads (model, n) == first[n - 1]);
    }
  omp_set_num_threads (n_threads);

  g_test_message ("%.17g with one thread, %.17g with two", first[0], first[1]);
  g_assert_cmpfloat (fabs (first[1] / first[0] - 1.0), <=, 1e-5);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/evaluator/perplexity/stories", test_perplexity_stories);
  g_test_add_func ("/evaluator/perplexity/sample", test_perplexity_sample);
  g_test_add_func ("/evaluator/perplexity/treasure-island", test_perplexity_treasure);
  g_test_add_func ("/evaluator/perplexity/wikitext", test_perplexity_wikitext);
  g_test_add_func ("/evaluator/definition/llama.cpp", test_definition_llama_cpp);
  g_test_add_func ("/evaluator/definition/segments", test_definition_segments);
  g_test_add_func ("/evaluator/definition/begin", test_definition_begin);
  g_test_add_func ("/evaluator/too-short", test_too_short);
  g_test_add_func ("/evaluator/base-with-itself", test_base_with_itself);
  g_test_add_func ("/evaluator/from-block", test_from_block);
  g_test_add_func ("/evaluator/small-budget", test_small_budget);
  g_test_add_func ("/evaluator/memory", test_memory);
  g_test_add_func ("/evaluator/too-little-memory", test_too_little_memory);
  g_test_add_func ("/evaluator/cancelled", test_cancelled);
  g_test_add_func ("/evaluator/cancelled-base", test_cancelled_base);
  g_test_add_func ("/evaluator/progress", test_progress);
  g_test_add_func ("/evaluator/not-finite", test_not_finite);
  g_test_add_func ("/evaluator/other-model", test_other_model);
  g_test_add_func ("/evaluator/scores", test_scores);
  g_test_add_func ("/evaluator/modes", test_modes);
  g_test_add_func ("/evaluator/threads", test_threads);

  return g_test_run ();
}
