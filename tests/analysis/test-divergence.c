/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-divergence.h"

#include <math.h>

#include "tests/tare-test.h"

typedef struct
{
  TareModel          *model;
  TareMeasureContext *context;
  TareDivergence     *divergence;
} Fixture;

static void
set_up (Fixture       *fixture,
        gconstpointer  data)
{
  g_autofree char *path = tare_test_source ("data/sample");
  g_autofree char *text_path = tare_test_source ("data/sample/treasure-island.txt");
  g_autofree char *text = NULL;
  g_autoptr(TareEngine) engine = NULL;
  g_autoptr(GError) error = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (text_path, &text, &length, NULL));
  fixture->model = tare_model_open (path, &error);
  g_assert_no_error (error);
  engine = tare_engine_new (fixture->model);
  fixture->context = tare_measure_context_new (engine, NULL);
  tare_measure_context_set_text (fixture->context, text, length, 64, 512);
  fixture->divergence = tare_divergence_get (fixture->context, NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  data)
{
  tare_measure_context_free (fixture->context);
  tare_model_unref (fixture->model);
}

static TareRounding
make_rounding (Fixture    *fixture,
               const char *tensor,
               const char *format)
{
  return (TareRounding) {
    .tensor = tare_model_lookup (fixture->model, tensor),
    .assignment = {
      .format = format != NULL ? tare_format_lookup (format) : NULL,
      .method = tare_method_get (0),
    },
  };
}

static TareMeasureValue
measure (Fixture      *fixture,
         TareRounding *roundings,
         gsize         n)
{
  TareMeasureValue value = { -1.0, -1.0 };
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_divergence_measure (fixture->divergence, roundings, n, &value, NULL,
                                          &error));
  g_assert_no_error (error);

  return value;
}

/* What an evaluation of the whole recipe says, and nothing where nothing is rounded. */
static void
test_single (Fixture       *fixture,
             gconstpointer  data)
{
  const TareMeasure *row = tare_measure_lookup ("measured_kl");
  const TareEvaluationOptions options = { TARE_EVALUATION_MODE_LLAMA_CPP, 64, 8, 0 };
  TareRounding rounding = make_rounding (fixture, "blk.2.ffn_down.weight", "q4_0");
  TareRounding kept = make_rounding (fixture, "blk.1.attn_q.weight", NULL);
  const char *const names[] = { "blk.2.ffn_down.weight", NULL };
  TareEngine *engine = tare_measure_context_get_engine (fixture->context);
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(TareRecipe) recipe = tare_recipe_with_tensors (none, names, &rounding.assignment);
  g_autoptr(TareRecipeWeights) weights = tare_recipe_weights_new (engine, recipe, NULL);
  g_autoptr(TareEvaluator) evaluator = NULL;
  g_autoptr(GError) error = NULL;
  const char *text;
  gsize length;
  TareAccuracy accuracy;
  TareMeasureValue value = measure (fixture, &rounding, 1);
  TareMeasureValue again;

  text = tare_measure_context_get_text (fixture->context, &length, NULL, NULL);
  evaluator = tare_evaluator_new (fixture->model, text, length, &options, &error);
  g_assert_no_error (error);
  g_assert_true (tare_evaluator_run (evaluator, &weights->weights, &accuracy, NULL, &error));
  g_assert_cmpfloat (value.value, >, 0.0);
  g_assert_cmpfloat (value.value, ==, accuracy.kl_mean);
  g_assert_cmpfloat (value.error, ==, accuracy.kl_error);
  g_assert_cmpuint (tare_divergence_get_n_tokens (fixture->divergence), ==, accuracy.n_tokens);

  g_assert_true (tare_measure_compute (row, fixture->context, rounding.tensor,
                                       &rounding.assignment, NULL, &again, &error));
  g_assert_cmpfloat (again.value, ==, value.value);
  g_assert_cmpfloat (again.error, ==, value.error);

  g_assert_cmpfloat_with_epsilon (measure (fixture, &kept, 1).value, 0.0, 1e-9);
}

/* What binary32 cannot tell apart is far below what rounding does. */
static void
test_floor (Fixture       *fixture,
            gconstpointer  data)
{
  TareRounding rounding = make_rounding (fixture, "blk.0.attn_q.weight", "q8_0");
  g_autoptr(GError) error = NULL;
  TareMeasureValue floor = { -1.0, -1.0 };

  g_assert_true (tare_divergence_find_floor (fixture->divergence, &floor, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpfloat (fabs (floor.value), <, measure (fixture, &rounding, 1).value);
  g_assert_cmpfloat (fabs (floor.value), <, 1e-7);
}

/* The sum, the whole and the interaction of two layers are one identity. */
static void
test_together (Fixture       *fixture,
               gconstpointer  data)
{
  TareRounding roundings[] = {
    make_rounding (fixture, "blk.0.ffn_up.weight", "q4_0"),
    make_rounding (fixture, "blk.3.attn_v.weight", "q4_0"),
  };
  TareMeasureValue first = measure (fixture, &roundings[0], 1);
  TareMeasureValue second = measure (fixture, &roundings[1], 1);
  TareMeasureValue both = measure (fixture, roundings, 2);
  g_autoptr(GError) error = NULL;
  TareAdditivity additivity;
  double interaction;

  g_assert_true (tare_divergence_add_up (fixture->divergence, roundings, 2, &additivity, NULL,
                                         &error));
  g_assert_no_error (error);
  g_assert_cmpfloat (additivity.sum, ==, first.value + second.value);
  g_assert_cmpfloat (additivity.together.value, ==, both.value);
  g_assert_cmpfloat (additivity.ratio, ==, both.value / additivity.sum);
  g_assert_true (tare_divergence_interact (fixture->divergence, &roundings[0], &roundings[1],
                                           &interaction, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (interaction, both.value - additivity.sum, 1e-15);
}

static void
test_cancelled (Fixture       *fixture,
                gconstpointer  data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  TareRounding rounding = make_rounding (fixture, "blk.0.ffn_up.weight", "q4_0");
  g_autoptr(GError) error = NULL;
  TareMeasureValue value;

  g_cancellable_cancel (cancellable);
  g_assert_false (tare_divergence_measure (fixture->divergence, &rounding, 1, &value, &progress,
                                           &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpfloat (measure (fixture, &rounding, 1).value, >, 0.0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/divergence/single", Fixture, NULL, set_up, test_single, tear_down);
  g_test_add ("/divergence/floor", Fixture, NULL, set_up, test_floor, tear_down);
  g_test_add ("/divergence/together", Fixture, NULL, set_up, test_together, tear_down);
  g_test_add ("/divergence/cancelled", Fixture, NULL, set_up, test_cancelled, tear_down);

  return g_test_run ();
}
