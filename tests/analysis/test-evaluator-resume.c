/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What was stopped goes on from its last boundary: to the same figures, with fewer blocks. The
 * blocks that a run computes are counted by the weights that it asks for. */
#include "tests/tare-test.h"

#include <string.h>

#include "analysis/evaluation/tare-evaluator.h"
#include "tests/analysis/changed-weights.h"

#define N_BLOCKS 6
#define CONTEXT  64
#define CHUNKS   8

/* Bytes of the states at one boundary of the sample. */
#define STATE_BYTES (CHUNKS * CONTEXT * 256 * sizeof (float))

/* Weights that count the blocks that are asked for, and stop the run at one of them; the output is
 * the one after the last. */
typedef struct
{
  ChangedWeights  change;
  TareWeights     inner;
  guint           n_asked[N_BLOCKS + 1];
  guint           stop;
  GCancellable   *cancellable;
} Counted;

static gboolean
load (gpointer             data,
      const TareTensor    *tensor,
      float               *out,
      const TareProgress  *progress,
      GError             **error)
{
  Counted *self = data;

  for (guint i = 0; i <= N_BLOCKS; i++)
    {
      g_autofree char *name = i < N_BLOCKS ? g_strdup_printf ("blk.%u.attn_q.weight", i)
                                           : g_strdup ("output.weight");

      if (strcmp (tensor->canonical, name) != 0)
        continue;
      self->n_asked[i]++;
      if (self->cancellable != NULL && i == self->stop)
        g_cancellable_cancel (self->cancellable);
    }

  return self->inner.load (self->inner.data, tensor, out, progress, error);
}

static guint64
fingerprint (gpointer          data,
             const TareTensor *tensor)
{
  Counted *self = data;

  return self->inner.fingerprint (self->inner.data, tensor);
}

/* Valid as long as @self; @self counts from zero again. */
static TareWeights
count (Counted      *self,
       guint         stop,
       GCancellable *cancellable)
{
  self->inner = changed_weights (&self->change);
  memset (self->n_asked, 0, sizeof self->n_asked);
  self->stop = stop;
  self->cancellable = cancellable;

  return (TareWeights) { load, fingerprint, self };
}

static TareEvaluator *
open_evaluator (TareModel *model,
                guint64    cache_budget,
                guint64    memory_budget)
{
  const TareEvaluationOptions options = {
    TARE_EVALUATION_MODE_LLAMA_CPP, CONTEXT, CHUNKS, cache_budget, memory_budget,
  };
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  g_autofree char *text = changed_load_text (&length);
  TareEvaluator *evaluator = tare_evaluator_new (model, text, length, &options, &error);

  g_assert_no_error (error);

  return evaluator;
}

static void
assert_same (const TareAccuracy *a,
             const TareAccuracy *b)
{
  g_assert_true (a->perplexity == b->perplexity);
  g_assert_true (a->perplexity_error == b->perplexity_error);
  g_assert_true (a->kl_mean == b->kl_mean);
  g_assert_true (a->kl_max == b->kl_max);
  g_assert_true (a->same_top == b->same_top);
}

/* Stopped at block @stop, the next run begins at @first, whose states are the last that the cache
 * keeps of it. */
static void
check_resumed (TareModel *model,
               guint64    cache_budget,
               guint64    memory_budget,
               guint      stop,
               guint      first)
{
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, cache_budget, memory_budget);
  g_autoptr(TareEvaluator) whole = open_evaluator (model, cache_budget, memory_budget);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  Counted counted = { .change = { { "blk.0.attn_q.weight", "blk.4.ffn_up.weight" }, 0.02f, 5 } };
  TareWeights weights = count (&counted, stop, cancellable);
  g_autoptr(GError) error = NULL;
  TareAccuracy resumed, expected;

  g_assert_true (tare_evaluator_run_base (evaluator, NULL, NULL, NULL));
  g_assert_true (tare_evaluator_run_base (whole, NULL, NULL, NULL));

  g_assert_false (tare_evaluator_run (evaluator, &weights, &resumed, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  for (guint i = 0; i <= N_BLOCKS; i++)
    g_assert_cmpuint (counted.n_asked[i], ==, i <= stop);

  weights = count (&counted, 0, NULL);
  tare_evaluator_run (evaluator, &weights, &resumed, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (resumed.first_block, ==, first);
  for (guint i = 0; i < N_BLOCKS; i++)
    g_assert_cmpuint (counted.n_asked[i], ==, i >= first);

  weights = count (&counted, 0, NULL);
  tare_evaluator_run (whole, &weights, &expected, NULL, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < N_BLOCKS; i++)
    g_assert_cmpuint (counted.n_asked[i], ==, 1);
  assert_same (&resumed, &expected);
  g_assert_true ((resumed.n_in_files > 0) == (memory_budget > 0));
}

/* Every boundary is kept: what is done anew is the block that it was stopped in. */
static void
test_every_boundary (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();

  for (guint stop = 0; stop <= N_BLOCKS; stop += 2)
    check_resumed (model, 0, 0, stop, stop);
}

/* Room for two states of six, which are those before block 3 and after the last. */
static void
test_few_boundaries (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();

  check_resumed (model, 2 * STATE_BYTES, 0, 2, 0);
  check_resumed (model, 2 * STATE_BYTES, 0, 5, 3);
}

/* With memory for little more than a block the states lie in files. */
static void
test_files (void)
{
  g_autoptr(TareModel) model = changed_open_sample ();

  check_resumed (model, 0, 5600000, 4, 4);
}

typedef struct
{
  GCancellable *cancellable;
  double        at;
  gsize         n_steps;
} Stop;

static void
stop_at (double      fraction,
         const char *stage,
         gpointer    data)
{
  Stop *self = data;

  self->n_steps++;
  if (fraction >= self->at)
    g_cancellable_cancel (self->cancellable);
}

/* The steps that the run took. */
static gsize
run_base (TareEvaluator *evaluator,
          const char    *path,
          TareAccuracy  *accuracy)
{
  Stop follow = { NULL, 2.0, 0 };
  const TareProgress progress = TARE_PROGRESS_INIT (NULL, stop_at, &follow);
  g_autoptr(GError) error = NULL;

  if (path != NULL)
    tare_evaluator_save_base (evaluator, path, 8, NULL, accuracy, &progress, &error);
  else
    tare_evaluator_run_base (evaluator, accuracy, &progress, &error);
  g_assert_no_error (error);

  return follow.n_steps;
}

static void
check_base (const char *path)
{
  g_autoptr(TareModel) model = changed_open_sample ();
  g_autoptr(TareEvaluator) whole = open_evaluator (model, 0, 0);
  g_autoptr(TareEvaluator) evaluator = open_evaluator (model, 0, 0);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  Stop stop = { cancellable, 0.6, 0 };
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, stop_at, &stop);
  g_autoptr(GError) error = NULL;
  TareAccuracy expected, found;
  gsize n_all, n_left;

  n_all = run_base (whole, path, &expected);
  g_assert_false (tare_evaluator_run_base (evaluator, &found, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  n_left = run_base (evaluator, path, &found);

  g_assert_cmpuint (found.first_block, >, 0);
  g_assert_cmpuint (n_left, <, n_all);
  g_assert_true (found.perplexity == expected.perplexity);
  g_assert_true (found.perplexity_error == expected.perplexity_error);
  g_test_message ("from block %u on in %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " steps",
                  found.first_block, n_left, n_all);
}

static void
test_base (void)
{
  check_base (NULL);
}

static void
test_save_base (void)
{
  g_autofree char *path = tare_test_temporary ("base.statistics");

  check_base (path);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/evaluator-resume/every-boundary", test_every_boundary);
  g_test_add_func ("/evaluator-resume/few-boundaries", test_few_boundaries);
  g_test_add_func ("/evaluator-resume/files", test_files);
  g_test_add_func ("/evaluator-resume/base", test_base);
  g_test_add_func ("/evaluator-resume/save-base", test_save_base);

  return g_test_run ();
}
