/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Multiple choice: the forms of its files, likelihoods against whole logits, and the sums. */
#include "tests/tare-test.h"

#include <math.h>
#include <string.h>

#include "analysis/evaluation/tare-task.h"
#include "quant/network/tare-kernels-reference.h"
#include "quant/network/tare-network.h"
#include "quant/tare-error.h"
#include "tests/analysis/changed-weights.h"

/* Of sums of some tens of logits, relative. */
#define CLOSE 1e-6

/* Where keys are rounded, of which one may fall to the other side. */
#define CLOSE_ROUNDED 1e-3

static TareTasks *
parse (const char *text)
{
  g_autoptr(GError) error = NULL;
  TareTasks *tasks = tare_tasks_parse (text, strlen (text), "test", &error);

  g_assert_no_error (error);

  return tasks;
}

static void
test_forms (void)
{
  static const struct
  {
    const char *line;
    const char *context;
    const char *second;
    guint       n_choices;
    guint       answer;
  } cases[] = {
    { "{\"context\":\"It is\",\"choices\":[\"a\",\"b c\"],\"answer\":1}", "It is", " b c", 2, 1 },
    { "{\"prompt\":\"It is \",\"options\":[\"a\",\"b\"],\"correct\":\"b\"}", "It is ", "b", 2, 1 },
    { "{\"query\":\"q\",\"choices\":[\" a\",\" b\"],\"gold\":0}", "q", " b", 2, 0 },
    { "{\"activity_label\":\"Baking\",\"ctx\":\"[header] Mix [title]  Stir\",\"label\":\"2\","
      "\"endings\":[\"x\",\"[step] go  on.\",\"z\",\"w\"]}", "Baking: Mix. Stir", " go on.", 4, 2 },
    { "{\"question\":\"Why?\",\"choices\":{\"text\":[\"a\",\"b\"],\"label\":[\"A\",\"B\"]},"
      "\"answerKey\":\"B\"}", "Question: Why?\nAnswer:", " b", 2, 1 },
    { "{\"question\":\"Why?\",\"choices\":{\"text\":[\"a\",\"b\"],\"label\":[\"1\",\"2\"]},"
      "\"answerKey\":\"1\"}", "Question: Why?\nAnswer:", " b", 2, 0 },
    { "{\"question\":{\"stem\":\"Why?\",\"choices\":[{\"text\":\"a\",\"label\":\"A\"},"
      "{\"text\":\"b\",\"label\":\"B\"}]},\"answerKey\":\"A\"}", "Question: Why?\nAnswer:", " b",
      2, 0 },
    { "{\"question\":\"Why?\",\"subject\":\"x\",\"choices\":[\"a\",\"b\",\"c\",\"d\"],"
      "\"answer\":\"D\"}", "Question: Why?\nAnswer:", " b", 4, 3 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(TareTasks) tasks = parse (cases[i].line);
      const TareTask *task = tare_tasks_get (tasks, 0);

      g_assert_cmpuint (tare_tasks_get_n (tasks), ==, 1);
      g_assert_cmpstr (task->context, ==, cases[i].context);
      g_assert_cmpuint (task->n_choices, ==, cases[i].n_choices);
      g_assert_cmpstr (task->choices[1], ==, cases[i].second);
      g_assert_cmpuint (task->answer, ==, cases[i].answer);
    }
}

static void
test_errors (void)
{
  static const char *const bad[] = {
    "{", "[]", "{\"choices\":[\"a\",\"b\"],\"answer\":1}", "{\"context\":\"a\",\"answer\":1}",
    "{\"context\":\"a\",\"choices\":[\"a\"],\"answer\":0}",
    "{\"context\":\"a\",\"choices\":[\"a\",3],\"answer\":0}",
    "{\"context\":\"a\",\"choices\":[\"a\",\"\"],\"answer\":0}",
    "{\"context\":\"a\",\"choices\":[\"a\",\"b\"]}",
    "{\"context\":\"a\",\"choices\":[\"a\",\"b\"],\"answer\":2}",
    "{\"context\":\"a\",\"choices\":[\"a\",\"b\"],\"answer\":-1}",
    "{\"context\":\"a\",\"choices\":[\"a\",\"b\"],\"answer\":\"c\"}",
    "{\"context\":\"a\",\"choices\":[\"a\",\"b\"],\"answer\":\"\"}",
    "{\"context\":\"a\",\"choices\":[\"a\",\"b\"],\"answer\":1.5}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"context\":\"a\",\"choices\":[\"x\",\"y\"],"
                                               "\"answer\":0}\n\n%s\n", bad[i]);
      g_autoptr(GError) error = NULL;

      g_test_message ("%s", bad[i]);
      g_assert_null (tare_tasks_parse (text, strlen (text), "file.jsonl", &error));
      g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
      g_assert_true (g_str_has_prefix (error->message, "file.jsonl: line 3: "));
    }
  g_assert_null (tare_tasks_parse (" \n\n", 3, "x", NULL));
}

static const char questions[] =
  "{\"context\":\"Alice was beginning to get very tired of sitting by her\","
  "\"choices\":[\"sister on the bank\",\"elephant\",\"x\"],\"answer\":0}\n"
  "{\"context\":\"Off with her\",\"choices\":[\"head!\",\"hat, and a great many other things\"],"
  "\"answer\":0}\n"
  "{\"context\":\"The Rabbit took a watch out of its waistcoat\","
  "\"choices\":[\"-pocket\",\" tail\",\"and looked at it\",\"quickly\"],\"answer\":\"A\"}\n"
  "{\"question\":\"Who grinned?\",\"choices\":[\"The Cat\",\"The Queen\"],\"answer\":0}\n"
  "{\"context\":\"a\",\"choices\":[\"b\",\"c\"],\"answer\":1}\n";

/* The definition: the log-likelihood of what follows the tokens that both have in common. */
static double
score_by_definition (TareModel         *model,
                     const TareWeights *weights,
                     const TareTask    *task,
                     guint              choice)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, NULL);
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  g_autofree char *whole = g_strconcat (task->context, task->choices[choice], NULL);
  g_autoptr(GArray) a = tare_tokenizer_encode (tokenizer, task->context, strlen (task->context),
                                               TARE_TOKEN_FLAGS_ADD_BEGIN);
  g_autoptr(GArray) b = tare_tokenizer_encode (tokenizer, whole, strlen (whole),
                                               TARE_TOKEN_FLAGS_ADD_BEGIN);
  const guint32 *tokens = (const guint32 *) (gpointer) b->data;
  g_autofree float *logits = g_new (float, b->len * vocabulary);
  double sum = 0.0;
  gsize first = 0;

  while (first < a->len && g_array_index (a, guint32, first) == tokens[first])
    first++;
  g_assert_cmpuint (first, <, b->len);
  tare_network_run (network, weights, tokens, b->len, logits, NULL, &error);
  g_assert_no_error (error);
  for (gsize i = first; i < b->len; i++)
    sum += (double) logits[(i - 1) * vocabulary + tokens[i]]
           - tare_reference_log_softmax (logits + (i - 1) * vocabulary, vocabulary).log_sum;

  return sum;
}

static void
check_scores (TareModel         *model,
              TareTasks         *tasks,
              TareTaskScores    *scores,
              const TareWeights *weights,
              double             close)
{
  for (gsize i = 0; i < tare_tasks_get_n (tasks); i++)
    {
      const TareTask *task = tare_tasks_get (tasks, i);
      const TareTaskScore *score = tare_task_scores_get (scores, i);
      guint best = 0, best_normalized = 0;

      for (guint j = 0; j < task->n_choices; j++)
        {
          double expected = score_by_definition (model, weights, task, j);
          gsize space = task->choices[j][0] == ' ';
          gsize best_space = task->choices[best_normalized][0] == ' ';

          g_assert_cmpfloat_with_epsilon (score->log_likelihoods[j], expected,
                                          close * (1.0 + fabs (expected)));
          if (score->log_likelihoods[j] > score->log_likelihoods[best])
            best = j;
          if (score->log_likelihoods[j] / (double) (strlen (task->choices[j]) - space)
              > score->log_likelihoods[best_normalized]
                / (double) (strlen (task->choices[best_normalized]) - best_space))
            best_normalized = j;
        }
      g_assert_cmpuint (score->chosen, ==, best);
      g_assert_cmpuint (score->chosen_normalized, ==, best_normalized);
    }
}

static void
test_definition (void)
{
  ChangedWeights change = { { "blk.2.ffn_down.weight" }, 0.2f, 3 };
  const TareWeights weights = changed_weights (&change);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareTasks) tasks = parse (questions);
  g_autoptr(TareTaskScores) base = NULL;
  g_autoptr(TareTaskScores) other = NULL;
  TareTaskAccuracy accuracy;
  gsize agreed = 0;
  gsize n = tare_tasks_get_n (tasks);

  base = tare_task_scores_new (tasks, model, &tare_weights_of_file, 0, 0, NULL, &error);
  g_assert_no_error (error);
  check_scores (model, tasks, base, &tare_weights_of_file, CLOSE);
  other = tare_task_scores_new (tasks, model, &weights, 0, 0, NULL, &error);
  g_assert_no_error (error);
  check_scores (model, tasks, other, &weights, CLOSE);

  tare_task_scores_sum (base, base, &accuracy);
  g_assert_cmpfloat (accuracy.agreement, ==, 1.0);
  g_assert_cmpfloat (accuracy.normalized_agreement, ==, 1.0);
  /* A short sentence that ends as sentences do against one that goes on and on. */
  g_assert_cmpuint (tare_task_scores_get (base, 1)->chosen, ==, 0);

  tare_task_scores_sum (other, base, &accuracy);
  for (gsize i = 0; i < n; i++)
    agreed += tare_task_scores_get (base, i)->chosen == tare_task_scores_get (other, i)->chosen;
  g_assert_cmpfloat_with_epsilon (accuracy.agreement, (double) agreed / (double) n, 1e-12);
  g_assert_cmpfloat (accuracy.nll, >, 0.0);
  g_assert_cmpfloat (accuracy.low, <, accuracy.high);
}

/* Rows of a question whose choices share what they begin with; the last token of each has none. */
static gsize
count_rows (TareModel      *model,
            const TareTask *task)
{
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, NULL);
  g_autoptr(GPtrArray) choices = g_ptr_array_new_with_free_func ((GDestroyNotify) g_array_unref);
  gsize shared = 0, sum = 0;
  gboolean same = TRUE;

  for (guint i = 0; i < task->n_choices; i++)
    {
      g_autofree char *whole = g_strconcat (task->context, task->choices[i], NULL);

      g_ptr_array_add (choices, tare_tokenizer_encode (tokenizer, whole, strlen (whole),
                                                       TARE_TOKEN_FLAGS_ADD_BEGIN));
    }
  while (same)
    {
      const GArray *first = choices->pdata[0];

      for (guint i = 0; same && i < choices->len; i++)
        {
          const GArray *tokens = choices->pdata[i];

          same = shared + 1 < tokens->len && shared + 1 < first->len
                 && g_array_index (tokens, guint32, shared)
                    == g_array_index (first, guint32, shared);
        }
      shared += same;
    }
  for (guint i = 0; i < choices->len; i++)
    sum += ((GArray *) choices->pdata[i])->len - 1 - shared;

  return sum + shared;
}

/* Rows where every choice goes by itself. */
static gsize
count_separate (TareModel      *model,
                const TareTask *task)
{
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, NULL);
  gsize sum = 0;

  for (guint i = 0; i < task->n_choices; i++)
    {
      g_autofree char *whole = g_strconcat (task->context, task->choices[i], NULL);
      g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, whole, strlen (whole),
                                                        TARE_TOKEN_FLAGS_ADD_BEGIN);

      sum += tokens->len - 1;
    }

  return sum;
}

/* A choice that begins another, a long context before short choices, choices that begin alike. */
static const char alike[] =
  "{\"context\":\"The Queen said\",\"choices\":[\"off\",\"off with\",\"off with her head\"],"
  "\"answer\":0}\n"
  "{\"context\":\"There was nothing so very remarkable in that; nor did Alice think it so very much"
  " out of the way to hear the Rabbit say to itself, Oh dear! The answer is\","
  "\"choices\":[\"A\",\"B\",\"C\",\"D\"],\"answer\":0}\n"
  "{\"context\":\"She\",\"choices\":[\"went on and on and on\",\"went on and away\"],"
  "\"answer\":1}\n";

static void
check_shared (TareModel  *model,
              const char *text)
{
  g_autoptr(TareTasks) tasks = parse (text);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTaskScores) scores = NULL;
  gsize expected = 0, separate = 0;

  for (gsize i = 0; i < tare_tasks_get_n (tasks); i++)
    {
      expected += count_rows (model, tare_tasks_get (tasks, i));
      separate += count_separate (model, tare_tasks_get (tasks, i));
    }
  scores = tare_task_scores_new (tasks, model, &tare_weights_of_file, 0, 0, NULL, &error);
  g_assert_no_error (error);
  check_scores (model, tasks, scores, &tare_weights_of_file, CLOSE);
  g_assert_cmpuint (tare_task_scores_get_n_tokens (scores), ==, expected);
  g_assert_cmpuint (expected, <, separate);
  g_test_message ("%" G_GSIZE_FORMAT " tokens instead of %" G_GSIZE_FORMAT, expected, separate);
}

static void
test_shared (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();

  check_shared (model, questions);
  check_shared (model, alike);
}

static TareActivationFormat
round_keys (gpointer    data,
            const char *name)
{
  TareActivationFormat rounding = { 0 };

  if (g_str_has_suffix (name, ".attn.key"))
    {
      rounding.format = tare_format_lookup ("int8_channel");
      rounding.window = 5;
    }

  return rounding;
}

/* Where a cache has a window of tokens that stay as they are, every choice goes by itself. */
static void
test_window (void)
{
  TareWeights weights = tare_weights_of_file;
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareTasks) tasks = parse (questions);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTaskScores) scores = NULL;
  gsize expected = 0;

  weights.round = round_keys;
  for (gsize i = 0; i < tare_tasks_get_n (tasks); i++)
    expected += count_separate (model, tare_tasks_get (tasks, i));
  scores = tare_task_scores_new (tasks, model, &weights, 0, 0, NULL, &error);
  g_assert_no_error (error);
  check_scores (model, tasks, scores, &weights, CLOSE_ROUNDED);
  g_assert_cmpuint (tare_task_scores_get_n_tokens (scores), ==, expected);
}

static void
test_maximum (void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareTasks) tasks = parse (questions);
  g_autoptr(TareTaskScores) scores = tare_task_scores_new (tasks, model, &tare_weights_of_file, 2,
                                                           0, NULL, &error);
  TareTaskAccuracy accuracy;

  g_assert_no_error (error);
  tare_task_scores_sum (scores, NULL, &accuracy);
  g_assert_cmpuint (accuracy.n_tasks, ==, 2);
  g_assert_false (accuracy.has_base);
}

/* Figures of R's prop.test (x, n, correct = FALSE), which is this interval. */
static void
test_interval (void)
{
  double low, high;

  tare_task_interval (15, 20, &low, &high);
  g_assert_cmpfloat_with_epsilon (low, 0.5312991, 1e-6);
  g_assert_cmpfloat_with_epsilon (high, 0.8881382, 1e-6);
  tare_task_interval (0, 10, &low, &high);
  g_assert_cmpfloat_with_epsilon (low, 0.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (high, 0.2775328, 1e-6);
  tare_task_interval (10, 10, &low, &high);
  g_assert_cmpfloat_with_epsilon (low, 1.0 - 0.2775328, 1e-6);
  g_assert_cmpfloat_with_epsilon (high, 1.0, 1e-12);
}

static void
test_cancelled (void)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareTasks) tasks = parse (questions);

  g_cancellable_cancel (cancellable);
  g_assert_null (tare_task_scores_new (tasks, model, &tare_weights_of_file, 0, 0, &progress,
                                       &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/task/forms", test_forms);
  g_test_add_func ("/task/errors", test_errors);
  g_test_add_func ("/task/definition", test_definition);
  g_test_add_func ("/task/maximum", test_maximum);
  g_test_add_func ("/task/shared", test_shared);
  g_test_add_func ("/task/window", test_window);
  g_test_add_func ("/task/interval", test_interval);
  g_test_add_func ("/task/cancelled", test_cancelled);

  return g_test_run ();
}
