/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A sequence that grows against the whole sequence at once. */
#include "tests/tare-test.h"

#include <math.h>

#include "quant/network/tare-cache.h"
#include "quant/recipe/tare-engine.h"
#include "quant/tare-error.h"

#define LENGTH 40

/* Relative to the largest logit: the sums go another way. */
#define CLOSE 2e-4

static void
check_recipe (const char *path,
              TareRecipe *recipe,
              guint64     budget)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (path, &error);
  g_autoptr(TareEngine) engine = model != NULL ? tare_engine_new (model) : NULL;
  TareRecipeWeights *rounded = NULL;
  const TareWeights *weights = &tare_weights_of_file;
  g_autoptr(TareNetwork) network = NULL;
  g_autoptr(TareCache) cache = NULL;
  g_autoptr(GRand) random = g_rand_new_with_seed (31);
  g_autofree float *whole = NULL;
  g_autofree float *logits = NULL;
  guint32 tokens[LENGTH];
  gsize vocabulary;

  g_assert_no_error (error);
  if (recipe != NULL)
    {
      rounded = tare_recipe_weights_new (engine, recipe, NULL);
      weights = &rounded->weights;
    }
  network = tare_network_new (model, &error);
  g_assert_no_error (error);
  vocabulary = tare_model_get_config (model)->vocabulary;
  whole = g_new (float, LENGTH * vocabulary);
  logits = g_new (float, vocabulary);
  for (gsize i = 0; i < LENGTH; i++)
    tokens[i] = (guint32) g_rand_int_range (random, 0, (gint32) vocabulary);
  tare_network_run (network, weights, tokens, LENGTH, whole, NULL, &error);
  g_assert_no_error (error);

  cache = tare_cache_new (network, weights, LENGTH, budget, &error);
  g_assert_no_error (error);
  for (gsize n, at = 0; at < LENGTH; at += n)
    {
      n = at == 0 ? 7 : at == 7 ? 20 : 1;
      tare_cache_append (cache, tokens + at, n, logits, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (tare_cache_get_length (cache), ==, at + n);
      g_assert_cmpfloat (tare_test_difference (logits, whole + (at + n - 1) * vocabulary,
                                               vocabulary), <, CLOSE);

      /* Back, another way, and back again. */
      if (at == 27)
        {
          tare_cache_truncate (cache, 20);
          tare_cache_append (cache, tokens, 5, logits, NULL, &error);
          g_assert_no_error (error);
          tare_cache_truncate (cache, 20);
          tare_cache_append (cache, tokens + 20, at + n - 20, logits, NULL, &error);
          g_assert_no_error (error);
        }
    }

  g_assert_false (tare_cache_append (cache, tokens, 1, logits, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_LIMIT);
  g_assert_cmpuint (tare_cache_get_length (cache), ==, LENGTH);
  g_clear_pointer (&cache, tare_cache_free);
  g_clear_pointer (&rounded, tare_recipe_weights_free);
}

static void
check_model (const char *path,
             guint64     budget)
{
  check_recipe (path, NULL, budget);
}

/* Keys and values that are rounded once they are far enough behind, or one of both, or at once. */
static void
test_windows (void)
{
  static const struct { const char *key; guint key_window; guint value_window; } cases[] = {
    { "int4_channel", 8, 8 }, { "int4_channel", 1, 16 }, { "int8_channel", 0, 5 },
    { "int4_asym_g32", 27, 0 }, { "int4_channel", 100, 100 },
  };
  g_autofree char *path = tare_test_source ("data/sample");
  g_autoptr(TareRecipe) none = tare_recipe_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      TareAssignment assignment = {
        .format = tare_format_lookup (cases[i].key), .window = cases[i].key_window,
      };
      g_autoptr(TareRecipe) keys = tare_recipe_with_rule (none, "*.key", &assignment);
      g_autoptr(TareRecipe) recipe = NULL;

      assignment.window = cases[i].value_window;
      recipe = tare_recipe_with_rule (keys, "*.value", &assignment);
      check_recipe (path, recipe, i % 2 == 0 ? G_MAXUINT64 : 0);
    }
}

static void
test_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");

  check_model (path, G_MAXUINT64);
  check_model (path, 0);
}

/* Learned positions, windows and soft caps, norms of queries and keys, biases. */
static void
test_models (void)
{
  static const char *const names[] = {
    "models/gpt2-random", "models/gemma2-random", "models/qwen2-random", "models/qwen3-random",
    "models/llama3-random", "models/stories260K",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = tare_test_shared (names[i]);

      if (path == NULL)
        {
          g_test_skip ("no reference data");
          return;
        }
      g_test_message ("%s", names[i]);
      check_model (path, G_MAXUINT64);
    }
}

static void
test_cancelled (void)
{
  g_autofree char *path = tare_test_source ("data/sample");
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (path, &error);
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  g_autoptr(TareCache) cache = tare_cache_new (network, &tare_weights_of_file, 4, 0, &error);
  g_autofree float *logits = g_new (float, tare_model_get_config (model)->vocabulary);
  guint32 token = 1;

  g_assert_no_error (error);
  g_cancellable_cancel (cancellable);
  g_assert_false (tare_cache_append (cache, &token, 1, logits, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (tare_cache_get_length (cache), ==, 0);

  /* The network is as it was. */
  g_clear_error (&error);
  tare_network_run (network, &tare_weights_of_file, &token, 1, logits, NULL, &error);
  g_assert_no_error (error);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/cache/sample", test_sample);
  g_test_add_func ("/cache/models", test_models);
  g_test_add_func ("/cache/windows", test_windows);
  g_test_add_func ("/cache/cancelled", test_cancelled);

  return g_test_run ();
}
