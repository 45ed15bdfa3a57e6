/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a base predicts, kept and read back, against runs with the base at hand. */
#include "tests/tare-test.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "analysis/evaluation/tare-base-writer.h"
#include "analysis/evaluation/tare-evaluator.h"
#include "quant/network/tare-kernels-reference.h"
#include "quant/tare-error.h"
#include "quant/tare-memory.h"
#include "tests/analysis/changed-weights.h"

#define CONTEXT 64
#define CHUNKS  4

/* Probabilities are kept in binary32. */
#define ROUNDING 1e-5

static TareEvaluator *
open_evaluator (TareModel          *model,
                TareEvaluationMode  mode,
                guint               context,
                gsize               chunks,
                gsize               skipped)
{
  const TareEvaluationOptions options = { mode, context, chunks, 0 };
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  g_autofree char *text = changed_load_text (&length);
  TareEvaluator *evaluator = tare_evaluator_new (model, text + skipped, length - skipped, &options,
                                                 &error);

  g_assert_no_error (error);

  return evaluator;
}

static TareBaseStatistics *
load (const char *path)
{
  g_autoptr(GError) error = NULL;
  TareBaseStatistics *statistics = tare_base_statistics_load (path, NULL, &error);

  g_assert_no_error (error);

  return statistics;
}

static gsize
measure_file (const char *path)
{
  GStatBuf status;

  g_assert_cmpint (g_stat (path, &status), ==, 0);

  return (gsize) status.st_size;
}

static TareBaseStatistics *
save_and_load (TareEvaluator *evaluator,
               TareAccuracy  *accuracy)
{
  g_autofree char *path = tare_test_temporary ("base.statistics");
  g_autoptr(GError) error = NULL;
  guint64 bytes = 0;

  tare_evaluator_save_base (evaluator, path, TARE_BASE_STATISTICS_KEPT, &bytes, accuracy, NULL,
                            &error);
  g_assert_no_error (error);
  g_assert_cmpuint (measure_file (path), ==, bytes);

  return load (path);
}

/* Held against every figure of a run that has the base. */
static void
check_mode (TareEvaluationMode mode,
            float              noise)
{
  ChangedWeights change = { { "blk.1.ffn_down.weight", "output_norm.weight" }, noise, 7 };
  const TareWeights weights = changed_weights (&change);
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) writer = open_evaluator (model, mode, CONTEXT, CHUNKS, 0);
  g_autoptr(TareEvaluator) reader = open_evaluator (model, mode, CONTEXT, CHUNKS, 0);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareBaseStatistics) loaded = NULL;
  g_autoptr(TareTokenScores) exact_scores = NULL;
  g_autoptr(TareTokenScores) scores = NULL;
  TareAccuracy base, exact, found;
  gsize n_vocabulary = tare_model_get_config (model)->vocabulary;

  loaded = save_and_load (writer, &base);
  tare_evaluator_run (writer, &weights, &exact, NULL, &error);
  g_assert_no_error (error);
  exact_scores = tare_evaluator_get_token_scores (writer);
  tare_evaluator_run_statistics (reader, &weights, loaded, &found, NULL, &error);
  g_assert_no_error (error);
  scores = tare_evaluator_get_token_scores (reader);

  g_assert_true (found.has_base && found.has_bound && !exact.has_bound);
  g_assert_cmpfloat (found.base_perplexity, ==, base.perplexity);
  g_assert_cmpfloat (found.perplexity, ==, exact.perplexity);
  g_assert_cmpfloat (found.same_top, ==, exact.same_top);
  g_assert_cmpfloat (found.kl_mean, <=, exact.kl_mean + ROUNDING);
  g_assert_cmpfloat (found.kl_mean, >, 0.94 * exact.kl_mean);
  g_assert_cmpfloat (exact.kl_mean, >, 1e-3);
  for (gsize i = 0; i < tare_token_scores_get_n (scores); i++)
    {
      const TareTokenScore *one = tare_token_scores_get (scores, i);
      const TareTokenScore *other = tare_token_scores_get (exact_scores, i);

      g_assert_cmpfloat (one->base_nll, ==, other->base_nll);
      g_assert_cmpuint (one->same_top, ==, other->same_top);
      g_assert_cmpfloat ((double) one->divergence, <=, (double) other->divergence + ROUNDING);
    }
  g_test_message ("KL %.6f of %.6f (%.2f %%), same top %.4f; %.0f bytes a prediction, 16-bit "
                  "logits %" G_GSIZE_FORMAT, found.kl_mean, exact.kl_mean,
                  100.0 * found.kl_mean / exact.kl_mean, found.same_top,
                  16.0 + 8.0 * (double) tare_base_statistics_get_n_kept (loaded),
                  2 * n_vocabulary);
}

static void
test_llama_cpp (void)
{
  check_mode (TARE_EVALUATION_MODE_LLAMA_CPP, 0.05f);
}

static void
test_segments (void)
{
  check_mode (TARE_EVALUATION_MODE_SEGMENTS, 0.2f);
}

/* Against itself nothing differs. */
static void
test_same (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, TARE_EVALUATION_MODE_SEGMENTS,
                                                       CONTEXT, CHUNKS, 0);
  g_autoptr(GError) error = NULL;
  TareAccuracy base, found;
  g_autoptr(TareBaseStatistics) statistics = save_and_load (evaluator, &base);

  tare_evaluator_run_statistics (evaluator, &tare_weights_of_file, statistics, &found, NULL,
                                 &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (found.perplexity, ==, base.perplexity);
  g_assert_cmpfloat (found.base_perplexity, ==, base.perplexity);
  g_assert_cmpfloat (found.same_top, ==, 1.0);
  g_assert_cmpfloat (found.kl_max, <, ROUNDING);
}

static TareBaseWriter *
begin (const char *path,
       guint32     vocabulary,
       gsize       n,
       guint32     n_kept)
{
  const TareBaseIdentity identity = { "random", 1, 2, vocabulary, 0, (guint32) n + 1, 1, n };
  g_autoptr(GError) error = NULL;
  TareBaseWriter *writer = tare_base_writer_new (path, &identity, n_kept, &error);

  g_assert_no_error (error);

  return writer;
}

/* Statistics of random logits, those of @other a little beside them. */
static void
write_random (const char *path,
              guint32     vocabulary,
              gsize       n,
              guint32     n_kept,
              float      *logits,
              float      *other)
{
  g_autoptr(TareBaseWriter) writer = begin (path, vocabulary, n, n_kept);
  g_autoptr(GError) error = NULL;

  tare_test_fill_gaussian (logits, n * vocabulary, 3);
  tare_test_fill_gaussian (other, n * vocabulary, 4);
  for (gsize i = 0; i < n * vocabulary; i++)
    {
      logits[i] *= 3.0f;
      other[i] = logits[i] + 0.3f * other[i];
    }
  for (gsize i = 0; i < n; i++)
    {
      guint32 target = (guint32) (i % vocabulary);

      tare_base_writer_append (writer, logits + i * vocabulary, &target, 1, &error);
      g_assert_no_error (error);
    }
  tare_base_writer_commit (writer, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (measure_file (path), ==, tare_base_writer_get_bytes (writer));
}

/* Every event on its own in a small vocabulary, so nothing is lost; lumped in a large one, by the
 * definition in doubles over the likeliest and one more. */
static void
check_random (guint32 vocabulary,
              guint32 n_kept)
{
  gsize n = 20;
  g_autofree char *path = tare_test_temporary ("random.statistics");
  g_autofree float *logits = g_new (float, n * vocabulary);
  g_autofree float *other = g_new (float, n * vocabulary);
  g_autoptr(TareBaseStatistics) loaded = NULL;

  write_random (path, vocabulary, n, n_kept, logits, other);
  loaded = load (path);
  g_assert_cmpuint (tare_base_statistics_get_n_kept (loaded), ==, MIN (n_kept, vocabulary));

  for (gsize i = 0; i < n; i++)
    {
      const float *p = logits + i * vocabulary;
      const float *q = other + i * vocabulary;
      TareLogSoftmax p_sum = tare_reference_log_softmax (p, vocabulary);
      TareLogSoftmax q_sum = tare_reference_log_softmax (q, vocabulary);
      double whole = tare_reference_divergence (p, q, vocabulary);
      double found = tare_base_statistics_get_divergence (loaded, i, q, q_sum.log_sum);
      double p_rest = 0.0, q_rest = 0.0, expected = 0.0;

      for (gsize k = 0; k < vocabulary; k++)
        {
          gsize above = 0;
          double log_p = (double) p[k] - p_sum.log_sum;
          double log_q = (double) q[k] - q_sum.log_sum;

          for (gsize j = 0; j < vocabulary; j++)
            above += p[j] > p[k] || (p[j] == p[k] && j < k);
          if (above < n_kept)
            expected += exp (log_p) * (log_p - log_q);
          else
            {
              p_rest += exp (log_p);
              q_rest += exp (log_q);
            }
        }
      if (p_rest > 0.0)
        expected += p_rest * log (p_rest / q_rest);

      g_assert_cmpuint (tare_base_statistics_get_top (loaded, i), ==, p_sum.top);
      g_assert_cmpfloat_with_epsilon (tare_base_statistics_get_nll (loaded, i),
                                      p_sum.log_sum - (double) p[i % vocabulary], 1e-5);
      g_assert_cmpfloat_with_epsilon (found, expected, ROUNDING);
      g_assert_cmpfloat (found, <=, whole + ROUNDING);
      if (vocabulary <= n_kept)
        g_assert_cmpfloat_with_epsilon (found, whole, ROUNDING);
    }
}

static void
test_random (void)
{
  const guint32 kept[] = { 1, 16, TARE_BASE_STATISTICS_KEPT };

  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    {
      check_random (1, kept[i]);
      check_random (2, kept[i]);
      check_random (kept[i] + 1, kept[i]);
      check_random (1000, kept[i]);
    }
  check_random (TARE_BASE_STATISTICS_KEPT - 1, TARE_BASE_STATISTICS_KEPT);
  check_random (TARE_BASE_STATISTICS_KEPT, TARE_BASE_STATISTICS_KEPT);
}

/* Of equal logits the first is the likeliest, however many there are. */
static void
test_ties (void)
{
  g_autofree char *path = tare_test_temporary ("ties.statistics");
  g_autoptr(TareBaseWriter) writer = begin (path, 200, 1, TARE_BASE_STATISTICS_KEPT);
  g_autoptr(TareBaseStatistics) loaded = NULL;
  float logits[200] = { 0 };
  const guint32 target = 3;

  for (gsize i = 100; i < 200; i++)
    logits[i] = 1.0f;
  g_assert_true (tare_base_writer_append (writer, logits, &target, 1, NULL));
  g_assert_true (tare_base_writer_commit (writer, NULL));
  loaded = load (path);
  g_assert_cmpuint (tare_base_statistics_get_top (loaded, 0), ==, 100);
}

static void
check_refused (TareBaseStatistics *statistics,
               TareEvaluationMode  mode,
               guint               context,
               gsize               chunks,
               gsize               skipped,
               const char         *message)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) other = open_evaluator (model, mode, context, chunks, skipped);
  g_autoptr(GError) error = NULL;
  TareAccuracy accuracy;

  g_assert_false (tare_evaluator_run_statistics (other, &tare_weights_of_file, statistics,
                                                 &accuracy, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  if (strstr (error->message, message) == NULL)
    g_error ("'%s' does not say '%s'", error->message, message);
}

static void
test_other_measurement (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, TARE_EVALUATION_MODE_SEGMENTS, 16, 2,
                                                       0);
  TareAccuracy base;
  g_autoptr(TareBaseStatistics) statistics = save_and_load (evaluator, &base);

  check_refused (statistics, TARE_EVALUATION_MODE_LLAMA_CPP, 16, 2, 0, "'segments'");
  check_refused (statistics, TARE_EVALUATION_MODE_SEGMENTS, 32, 2, 0, "a context of 16, not 32");
  check_refused (statistics, TARE_EVALUATION_MODE_SEGMENTS, 16, 3, 0, "chunks of 2, not 3");
  check_refused (statistics, TARE_EVALUATION_MODE_SEGMENTS, 16, 2, 500, "other tokens");
}

static void
expect_broken (const guint8 *bytes,
               gsize         length,
               TareError     code)
{
  g_autoptr(GBytes) copy = g_bytes_new (bytes, length);
  g_autoptr(TareFile) file = tare_file_new_bytes ("broken", copy);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareBaseStatistics) statistics = tare_base_statistics_new_file (file, NULL, &error);

  g_assert_null (statistics);
  g_assert_error (error, TARE_ERROR, (int) code);
  g_assert_true (g_str_has_prefix (error->message, "broken: "));
}

/* Any shorter or longer file, and one wrong word at a time. */
static void
test_broken (void)
{
  static const struct { gsize at; guint32 word; TareError code; } words[] = {
    { 0, 0, TARE_ERROR_INVALID },               /* magic */
    { 8, 2, TARE_ERROR_UNSUPPORTED },           /* version */
    { 12, 0, TARE_ERROR_INVALID },              /* tokens kept */
    { 12, 0xffffffff, TARE_ERROR_INVALID },
    { 16, 2, TARE_ERROR_INVALID },              /* mode */
    { 20, 1, TARE_ERROR_INVALID },              /* context */
    { 24, 0, TARE_ERROR_INVALID },              /* vocabulary */
    { 24, 2, TARE_ERROR_INVALID },
    { 28, 0, TARE_ERROR_INVALID },              /* chunks */
    { 36, 0, TARE_ERROR_INVALID },              /* predictions */
    { 40, 0x80000000, TARE_ERROR_INVALID },
    { 60, 0x7fffffff, TARE_ERROR_INVALID },     /* the length of the name */
    { 74 + 4, 0x7ff00000, TARE_ERROR_INVALID }, /* an infinite likelihood */
    { 74 + 8, 0x7fc00000, TARE_ERROR_INVALID }, /* the rest is no number */
    { 74 + 8, 0x3f800000, TARE_ERROR_INVALID }, /* the rest is everything */
    { 74 + 12, 9, TARE_ERROR_INVALID },         /* a likeliest token that is not kept */
    { 74 + 16, 1, TARE_ERROR_INVALID },         /* the same token twice */
    { 74 + 24, 3, TARE_ERROR_INVALID },         /* a token that there is not */
    { 74 + 20, 0xff800000, TARE_ERROR_INVALID } /* of probability zero */
  };
  g_autofree char *path = tare_test_temporary ("broken.statistics");
  float logits[2][3], other[2][3];
  g_autofree char *contents = NULL;
  gsize length = 0;

  write_random (path, 3, 2, TARE_BASE_STATISTICS_KEPT, logits[0], other[0]);
  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  contents = g_realloc (contents, length + 1);
  for (gsize i = 0; i <= length + 1; i++)
    if (i != length)
      expect_broken ((const guint8 *) contents, MIN (i, length + 1), TARE_ERROR_INVALID);

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autofree guint8 *broken = g_memdup2 (contents, length);
      guint32 word = GUINT32_TO_LE (words[i].word);

      g_assert_cmpuint (words[i].at + sizeof word, <=, length);
      memcpy (broken + words[i].at, &word, sizeof word);
      expect_broken (broken, length, words[i].code);
    }
}

/* The bytes of all files of a folder but the one named "base"; an empty one counts as well. */
static gsize
measure_others (const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  gsize sum = 0;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (strcmp (name, "base") != 0)
        sum += MAX (measure_file (path), 1);
    }

  return sum;
}

/* Where a run is watched, and where it is to stop. */
typedef struct
{
  const char   *folder;
  GCancellable *cancellable;
  double        stop;
  gsize         most;
} Watch;

static void
watch (double      fraction,
       const char *stage,
       gpointer    data)
{
  Watch *self = data;

  self->most = MAX (self->most, measure_others (self->folder));
  if (fraction >= self->stop)
    g_cancellable_cancel (self->cancellable);
}

/* Predictions are in a file beside the name while others are still to come. */
static void
test_stream (void)
{
  g_autofree char *folder = tare_test_folder ("stream");
  g_autofree char *path = g_build_filename (folder, "base", NULL);
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, TARE_EVALUATION_MODE_SEGMENTS,
                                                       CONTEXT, 40, 0);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  g_autoptr(GError) error = NULL;
  Watch watched = { folder, cancellable, 2.0, 0 };
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, watch, &watched);
  TareAccuracy accuracy;
  guint64 bytes = 0;

  tare_evaluator_save_base (evaluator, path, 256, &bytes, &accuracy, &progress, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (accuracy.n_tokens, ==, 40 * (CONTEXT - 1));
  g_assert_cmpuint (measure_file (path), ==, bytes);
  g_assert_cmpuint (watched.most, >, bytes / 4);
  g_assert_cmpuint (measure_others (folder), ==, 0);
  g_test_message ("%" G_GSIZE_FORMAT " of %" G_GUINT64_FORMAT " bytes were seen before the end",
                  watched.most, bytes);
}

/* Stopped anywhere, a run leaves nothing, and what was there stays. */
static void
test_cancelled (void)
{
  g_autofree char *folder = tare_test_folder ("cancelled");
  g_autofree char *path = g_build_filename (folder, "base", NULL);
  g_autofree char *contents = NULL;
  g_autoptr(TareModel) model = changed_open_sample ();

  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  for (double at = 0.0; at <= 1.0; at += 0.25)
    {
      g_autoptr(TareEvaluator) evaluator = open_evaluator (model, TARE_EVALUATION_MODE_SEGMENTS,
                                                           CONTEXT, CHUNKS, 0);
      g_autoptr(GCancellable) cancellable = g_cancellable_new ();
      g_autoptr(GError) error = NULL;
      Watch watched = { folder, cancellable, at, 0 };
      const TareProgress progress = TARE_PROGRESS_INIT (cancellable, watch, &watched);
      TareAccuracy accuracy;

      g_assert_false (tare_evaluator_save_base (evaluator, path, 128, NULL, &accuracy, &progress,
                                                &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_cmpuint (watched.most, >, 0);
      g_assert_cmpuint (measure_others (folder), ==, 0);
    }
  g_assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  g_assert_cmpstr (contents, ==, "old");
}

static void
test_missing (void)
{
  g_autofree char *path = tare_test_temporary ("missing.statistics");
  g_autoptr(TareBaseWriter) writer = begin (path, 3, 2, 2);
  g_autoptr(GError) error = NULL;
  const float logits[3] = { 0.0f, 1.0f, 2.0f };
  const guint32 target = 0;

  g_assert_true (tare_base_writer_append (writer, logits, &target, 1, NULL));
  g_assert_false (tare_base_writer_commit (writer, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* Neither who writes nor who reads has more than a part of the file in memory. */
static void
test_memory (void)
{
  const guint32 vocabulary = TARE_BASE_STATISTICS_KEPT_MOST;
  const gsize n = 320;
  g_autofree char *path = tare_test_temporary ("large.statistics");
  g_autofree float *logits = g_new (float, vocabulary);
  g_autoptr(TareBaseWriter) writer = begin (path, vocabulary, n, TARE_BASE_STATISTICS_KEPT_MOST);
  g_autoptr(TareBaseStatistics) loaded = NULL;
  guint64 before, written, read;
  double log_sum, sum = 0.0;

  tare_test_fill_gaussian (logits, vocabulary, 5);
  log_sum = tare_reference_log_softmax (logits, vocabulary).log_sum;
  before = tare_memory_get_resident ();
  for (guint32 i = 0; i < n; i++)
    g_assert_true (tare_base_writer_append (writer, logits, &i, 1, NULL));
  written = tare_memory_get_resident ();
  g_assert_true (tare_base_writer_commit (writer, NULL));

  loaded = load (path);
  for (gsize i = 0; i < n; i++)
    {
      sum += tare_base_statistics_get_divergence (loaded, i, logits, log_sum);
      tare_base_statistics_release (loaded, i, 1);
    }
  read = tare_memory_get_resident ();
  g_assert_cmpfloat_with_epsilon (sum, 0.0, (double) n * ROUNDING);

  g_test_message ("of %.1f MB, %.1f MB more resident after writing, %.1f MB after reading",
                  (double) tare_base_writer_get_bytes (writer) / 1e6,
                  ((double) written - (double) before) / 1e6,
                  ((double) read - (double) before) / 1e6);
#if !defined (__SANITIZE_ADDRESS__) /* which keeps what was freed */
  g_assert_cmpuint (written, <, before + tare_base_writer_get_bytes (writer) / 4);
  g_assert_cmpuint (read, <, before + tare_base_writer_get_bytes (writer) / 4);
#endif
}

static void
test_cancelled_load (void)
{
  g_autofree char *path = tare_test_temporary ("cancelled.statistics");
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;
  float logits[2][3], other[2][3];

  write_random (path, 3, 2, 2, logits[0], other[0]);
  g_cancellable_cancel (cancellable);
  g_assert_null (tare_base_statistics_load (path, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base-statistics/llama-cpp", test_llama_cpp);
  g_test_add_func ("/base-statistics/segments", test_segments);
  g_test_add_func ("/base-statistics/same", test_same);
  g_test_add_func ("/base-statistics/random", test_random);
  g_test_add_func ("/base-statistics/ties", test_ties);
  g_test_add_func ("/base-statistics/other-measurement", test_other_measurement);
  g_test_add_func ("/base-statistics/broken", test_broken);
  g_test_add_func ("/base-statistics/stream", test_stream);
  g_test_add_func ("/base-statistics/cancelled", test_cancelled);
  g_test_add_func ("/base-statistics/missing", test_missing);
  g_test_add_func ("/base-statistics/memory", test_memory);
  g_test_add_func ("/base-statistics/cancelled-load", test_cancelled_load);

  return g_test_run ();
}
