/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Activations that are rounded on their way through a network, as a recipe says. */
#include "tests/tare-test.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "quant/network/tare-network.h"
#include "quant/network/tare-activation-site.h"
#include "quant/recipe/tare-engine.h"
#include "quant/tare-error.h"

#define N_TOKENS 96

/* With 127 steps to each side of 0, nothing is off by more than half a step. */
static void
test_apply (void)
{
  enum { ROWS = 70, COLUMNS = 40, STRIDE = 50 };
  const TareActivationFormat rounding = {
    .format = tare_format_lookup ("int8_channel"), .range = TARE_RANGE_MINIMUM_MAXIMUM,
  };
  const TareActivationFormat none = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  const TareActivationFormat same = {
    .format = tare_format_lookup ("f32"), .range = TARE_RANGE_MINIMUM_MAXIMUM,
  };
  g_autofree float *x = g_new (float, ROWS * STRIDE), *y = NULL, *alone = NULL;
  g_autoptr(GError) error = NULL;
  double moved = 0.0;

  tare_test_fill_gaussian (x, ROWS * STRIDE, 3);
  y = g_memdup2 (x, ROWS * STRIDE * sizeof *x);
  g_assert_true (tare_activation_format_apply (&none, y, ROWS, COLUMNS, STRIDE, &error));
  g_assert_true (tare_activation_format_apply (&same, y, ROWS, COLUMNS, STRIDE, &error));
  g_assert_cmpmem (x, ROWS * STRIDE * sizeof *x, y, ROWS * STRIDE * sizeof *y);

  g_assert_true (tare_activation_format_apply (&rounding, y, ROWS, COLUMNS, STRIDE, &error));
  for (gsize i = 0; i < ROWS; i++)
    {
      double largest = 0.0;

      for (gsize j = 0; j < COLUMNS; j++)
        largest = MAX (largest, (double) fabsf (x[i * STRIDE + j]));
      for (gsize j = 0; j < COLUMNS; j++)
        {
          double difference = fabs ((double) (y[i * STRIDE + j] - x[i * STRIDE + j]));

          g_assert_cmpfloat (difference, <=, 0.505 * largest / 127.0);
          moved = MAX (moved, difference);
        }
      /* What is between the rows is none of it. */
      g_assert_cmpmem (x + i * STRIDE + COLUMNS, (STRIDE - COLUMNS) * sizeof *x,
                       y + i * STRIDE + COLUMNS, (STRIDE - COLUMNS) * sizeof *y);
    }
  g_assert_cmpfloat (moved, >, 0.0);

  alone = g_memdup2 (x + 37 * STRIDE, COLUMNS * sizeof *x);
  g_assert_true (tare_activation_format_apply (&rounding, alone, 1, COLUMNS, COLUMNS, &error));
  g_assert_cmpmem (alone, COLUMNS * sizeof *alone, y + 37 * STRIDE, COLUMNS * sizeof *y);
}

/* Integers of 127 steps to each side by hand: x is cut off at @limit and goes to the nearest. */
static double
round_by_hand (double x,
               double limit)
{
  double step = limit / 127.0;

  return limit > 0.0 ? nearbyint (CLAMP (x, -limit, limit) / step) * step : 0.0;
}

/* Each scale, with and without a clip; the format keeps its scales in 16 bits, 8 of them exact. */
static void
test_scales (void)
{
  enum { ROWS = 70, COLUMNS = 40 };
  float limits[COLUMNS];
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  double widest = 0.0;

  tare_test_fill_gaussian (x, ROWS * COLUMNS, 3);
  for (gsize j = 0; j < COLUMNS; j++)
    {
      limits[j] = j == 7 ? 0.0f : 0.5f + 0.05f * (float) j;
      widest = MAX (widest, (double) limits[j]);
    }

  for (gsize k = 0; k < 2 * tare_activation_scale_get_n_scales (); k++)
    {
      const TareActivationFormat rounding = {
        .format = tare_format_lookup ("int8_channel"), .range = TARE_RANGE_MINIMUM_MAXIMUM,
        .scale = tare_activation_scale_get (k / 2)->scale, .clip = k % 2 == 0 ? 0.0 : 0.6,
        .limits = limits, .n_limits = COLUMNS,
      };
      double clip = k % 2 == 0 ? 1.0 : 0.6;
      g_autofree float *y = g_memdup2 (x, ROWS * COLUMNS * sizeof *x);
      gsize exact = 0;

      g_assert_true (tare_activation_format_apply (&rounding, y, ROWS, COLUMNS, COLUMNS, NULL));
      for (gsize i = 0; i < ROWS * COLUMNS; i++)
        {
          double largest = 0.0, limit, truth;

          for (gsize j = i / COLUMNS * COLUMNS; j < (i / COLUMNS + 1) * COLUMNS; j++)
            largest = MAX (largest, fabs ((double) x[j]));
          limit = clip * (k / 2 == 0 ? largest : k / 2 == 1 ? widest
                                               : (double) limits[i % COLUMNS]);
          truth = round_by_hand ((double) x[i], limit);

          /* Where x is half way, the scale's own rounding decides. */
          g_assert_cmpfloat (fabs ((double) y[i] - truth), <=, 1.01 * limit / 127.0);
          exact += fabs ((double) y[i] - truth) <= 0.005 * limit;
        }
      g_assert_cmpuint (exact, >, ROWS * COLUMNS * 8 / 10);
    }
}

static TareRecipe *
parse (const char *rules)
{
  g_autofree char *text = g_strdup_printf ("{\"tare\":1,\"rules\":[%s]}", rules);
  g_autoptr(GError) error = NULL;
  TareRecipe *recipe = tare_recipe_parse (text, strlen (text), "test", &error);

  g_assert_no_error (error);

  return recipe;
}

/* One sequence through the sample, with or without a recipe. */
static float *
run (TareModel  *model,
     TareRecipe *recipe)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  TareRecipeWeights *weights = tare_recipe_weights_new (engine, recipe, NULL);
  float *logits = g_new (float, N_TOKENS * tare_network_get_config (network)->vocabulary);
  guint32 tokens[N_TOKENS];

  for (guint32 i = 0; i < N_TOKENS; i++)
    tokens[i] = (i * 37 + 11) % tare_network_get_config (network)->vocabulary;
  tare_network_run (network, &weights->weights, tokens, N_TOKENS, logits, NULL, &error);
  g_assert_no_error (error);
  tare_recipe_weights_free (weights);

  return logits;
}

static TareModel *
open_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");
  g_autoptr(GError) error = NULL;
  TareModel *model = tare_model_open (path, &error);

  g_assert_no_error (error);

  return model;
}

static double
differ (TareModel   *model,
        const float *truth,
        const char  *rules)
{
  g_autoptr(TareRecipe) recipe = parse (rules);
  g_autofree float *logits = run (model, recipe);
  double difference = tare_test_difference (logits, truth,
                                            N_TOKENS * tare_model_get_config (model)->vocabulary);

  g_test_message ("%s: %.3g", rules, difference);

  return difference;
}

/* What holds everything changes nothing; fewer bits change more, wherever they are. */
static void
test_network (void)
{
  static const char *const places[] = { "*.attn_q.input", "*.attn_output.input",
                                        "*.ffn_gate.input", "*.ffn_down.input", "*.query",
                                        "*.key", "*.value", "output.input", "*.input" };
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autofree float *truth = run (model, none);

  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autofree char *all = g_strdup_printf ("{\"match\":\"%s\",\"format\":\"f32\"}", places[i]);
      g_autofree char *eight = g_strdup_printf ("{\"match\":\"%s\",\"format\":\"int8_channel\"}",
                                                places[i]);
      g_autofree char *four = g_strdup_printf ("{\"match\":\"%s\",\"format\":\"int4_channel\"}",
                                               places[i]);
      double small = differ (model, truth, eight), large = differ (model, truth, four);

      g_assert_cmpfloat (differ (model, truth, all), ==, 0.0);
      g_assert_cmpfloat (small, >, 0.0);
      g_assert_cmpfloat (small, <, 0.1);
      g_assert_cmpfloat (large, >, 2.0 * small);
    }
}

/* The inputs of attention's output, rounded by hand, against those that the network rounds: what a
 * block adds to the stream is then the same. */
static void
round_observed (const TareTensor *tensor,
                gsize             expert,
                const float      *x,
                const guint32    *tokens,
                gsize             n_tokens,
                gsize             columns,
                gpointer          data)
{
  const TareActivationFormat eight = {
    .format = tare_format_lookup ("int8_channel"), .range = TARE_RANGE_MINIMUM_MAXIMUM,
  };
  GHashTable *inputs = data;
  float *copy = g_memdup2 (x, n_tokens * columns * sizeof *x);

  g_assert_true (tare_activation_format_apply (&eight, copy, n_tokens, columns, columns, NULL));
  g_hash_table_insert (inputs, g_strdup (tensor->role->id), copy);
}

/* x += the matrix of @role times its rounded input, in double. */
static void
add_product (TareModel   *model,
             const char  *role,
             const float *input,
             double      *x)
{
  const TareTensor *tensor = tare_model_lookup_role (model, role, 1, FALSE);
  g_autofree float *weight = g_new (float, tare_tensor_get_n_weights (tensor));

  g_assert_true (tare_tensor_read (tensor, weight, NULL));
  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize o = 0; o < tensor->rows; o++)
      for (gsize i = 0; i < tensor->columns; i++)
        x[t * tensor->rows + o] += (double) input[t * tensor->columns + i]
                                   * (double) weight[o * tensor->columns + i];
}

static void
test_reference (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) recipe = parse ("{\"match\":\"blk.1.*.input\","
                                        "\"format\":\"int8_channel\"}");
  TareRecipeWeights *weights = tare_recipe_weights_new (engine, recipe, NULL);
  g_autoptr(TareBlock) block = tare_network_load_block (network, &weights->weights, 1, NULL);
  g_autoptr(GHashTable) inputs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  const TareObserver observer = { .observe = round_observed, .data = inputs };
  gsize n = N_TOKENS * (gsize) tare_network_get_config (network)->width;
  g_autofree float *x = g_new (float, n), *rounded = g_new (float, n);
  g_autofree double *truth = g_new (double, n);
  g_autoptr(GError) error = NULL;

  tare_test_fill_gaussian (x, n, 5);
  for (gsize i = 0; i < n; i++)
    truth[i] = (double) x[i];
  tare_network_run_block (network, block, x, 1, N_TOKENS, &observer, NULL, &error);
  g_assert_no_error (error);
  add_product (model, "attn_output", g_hash_table_lookup (inputs, "attn_output"), truth);
  add_product (model, "ffn_down", g_hash_table_lookup (inputs, "ffn_down"), truth);
  for (gsize i = 0; i < n; i++)
    rounded[i] = (float) truth[i];
  g_assert_cmpfloat (tare_test_difference (x, rounded, n), <, 1e-5);
  tare_recipe_weights_free (weights);
}

/* The same for any number of threads, but for the order of sums within a product. */
static void
test_threads (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareRecipe) recipe = parse ("{\"match\":\"*.key\",\"format\":\"fp8_e4m3_channel\"}");
  int n_threads = omp_get_max_threads ();
  gsize n = N_TOKENS * tare_model_get_config (model)->vocabulary;
  g_autofree float *one = NULL, *two = NULL, *again = NULL;

  omp_set_num_threads (1);
  one = run (model, recipe);
  omp_set_num_threads (2);
  two = run (model, recipe);
  again = run (model, recipe);
  omp_set_num_threads (n_threads);
  g_assert_cmpmem (two, n * sizeof *two, again, n * sizeof *again);
  g_assert_cmpfloat (tare_test_difference (one, two, n), <, 1e-3);
}

/* Only rules that end as activations do speak of them, and a cache knows that they do. */
static void
test_recipe (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) tensors = parse ("{\"match\":\"*\",\"format\":\"int8_channel\"}");
  g_autoptr(TareRecipe) one = parse ("{\"match\":\"blk.1.attn.key\",\"format\":\"int8_g32\"},"
                                     "{\"match\":\"*.input\",\"format\":\"int8_channel\"},"
                                     "{\"match\":\"blk.1.*.input\",\"format\":null}");
  const TareAssignment four = { .format = tare_format_lookup ("int4_g128") };
  g_autoptr(TareRecipe) more = tare_recipe_with_rule (one, "*", &four);
  TareRecipeWeights *weights = tare_recipe_weights_new (engine, one, NULL);
  g_autofree char *json = tare_recipe_to_json (one, NULL);
  g_autoptr(TareRecipe) again = tare_recipe_parse (json, strlen (json), "again", NULL);

  g_assert_null (tare_recipe_resolve_activation (tensors, "blk.1.attn_q.input").format);
  g_assert_nonnull (tare_recipe_resolve_activation (one, "blk.0.attn_q.input").format);
  g_assert_null (tare_recipe_resolve_activation (one, "blk.1.attn_q.input").format);
  g_assert_cmpint (tare_recipe_resolve_activation (one, "blk.1.attn.key").range, ==,
                   TARE_RANGE_MINIMUM_MAXIMUM);
  g_assert_cmpuint (tare_recipe_get_n_rules (more), ==, 4);
  g_assert_null (strstr (json, "range"));
  g_assert_true (tare_recipe_equal (one, again));

  g_assert_cmpuint (tare_network_fingerprint (network, &weights->weights, -1), ==,
                    tare_network_fingerprint (network, &tare_weights_of_file, -1));
  for (int i = 0; i < 3; i++)
    g_assert_cmpuint (tare_network_fingerprint (network, &weights->weights, i), !=,
                      tare_network_fingerprint (network, &tare_weights_of_file, i));
  tare_recipe_weights_free (weights);
}

/* Each rounds more than the one before; kv4 nothing before its window is full. */
static void
test_presets (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autofree float *truth = run (model, none);
  gsize n = N_TOKENS * tare_model_get_config (model)->vocabulary;
  g_autoptr(TareRecipe) kv4 = NULL;
  g_autofree float *logits_kv4 = NULL;
  double last = 0.0;

  for (gsize i = 0; i < tare_recipe_get_n_presets (); i++)
    {
      g_autoptr(TareRecipe) recipe = tare_recipe_new_preset (tare_recipe_get_preset (i)->id);
      g_autofree float *logits = NULL;
      double difference;

      g_assert_nonnull (recipe);
      if (g_str_equal (tare_recipe_get_preset (i)->id, "kv4"))
        continue;
      logits = run (model, recipe);
      difference = tare_test_difference (logits, truth, n);
      g_test_message ("%s: %.3g", tare_recipe_get_preset (i)->id, difference);
      g_assert_cmpfloat (difference, >, last);
      last = difference;
    }
  kv4 = tare_recipe_new_preset ("kv4");
  g_assert_cmpuint (tare_recipe_resolve_activation (kv4, "blk.2.attn.value").window, >, N_TOKENS);
  logits_kv4 = run (model, kv4);
  g_assert_cmpmem (logits_kv4, n * sizeof *truth, truth, n * sizeof *truth);
  g_assert_null (tare_recipe_new_preset ("w1a1"));
}

/* A scale for all tokens cannot be known while they come and go. */
static void
test_refused (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareEngine) engine = tare_engine_new (model);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      g_autofree char *rules = g_strdup_printf ("{\"match\":\"*.key\",\"format\":\"%s\"}",
                                                format->id);
      g_autoptr(TareRecipe) recipe = parse (rules);
      TareRecipeWeights *weights = tare_recipe_weights_new (engine, recipe, NULL);
      g_autoptr(GError) error = NULL;
      g_autoptr(TareBlock) block = NULL;

      format = tare_format_fit (format, tare_network_get_config (network)->head_width);
      block = tare_network_load_block (network, &weights->weights, 0, &error);
      if (tare_format_is_row_local (format))
        g_assert_no_error (error);
      else
        g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
      tare_recipe_weights_free (weights);
    }
}

/* Numbers of a calibration as the ranges of a network's inputs, and part of its fingerprint. */
static void
test_static (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) recipe = parse ("{\"match\":\"blk.1.ffn_down.input\","
                                        "\"scale\":\"tensor\",\"format\":\"int8_channel\"}");
  const TareTensor *tensor = tare_model_lookup (model, "blk.1.ffn_down.weight");
  guint64 seen = 0;

  for (gsize k = 0; k < 4; k++)
    {
      g_autoptr(TareCalibration) calibration = tare_calibration_new (NULL, 0);
      gsize columns = tensor->columns + (k == 2);
      TareLayerActivations *layer = tare_calibration_add (calibration, tensor->canonical, columns,
                                                          FALSE);
      TareRecipeWeights *weights;
      g_autoptr(GError) error = NULL;
      TareBlock *block;
      guint64 fingerprint;

      for (gsize i = 0; i < columns; i++)
        layer->maximum[i] = 1.0f + (float) k;
      weights = tare_recipe_weights_new (engine, recipe, k < 3 ? calibration : NULL);
      fingerprint = tare_network_fingerprint (network, &weights->weights, 1);
      g_assert_cmpuint (fingerprint, !=, seen);
      seen = fingerprint;

      block = tare_network_load_block (network, &weights->weights, 1, &error);
      g_assert_cmpint (block != NULL, ==, k < 2);
      if (block == NULL)
        {
          g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
          g_assert_nonnull (strstr (error->message, "blk.1.ffn_down.input"));
          g_assert_nonnull (strstr (error->message, "calibration"));
        }
      g_clear_pointer (&block, tare_block_free);
      tare_recipe_weights_free (weights);
    }
}

static void
test_scale_json (void)
{
  static const char *const wrong[] = {
    "\"match\":\"*.input\",\"scale\":\"row\"", "\"match\":\"*.input\",\"clip\":0",
    "\"match\":\"*.input\",\"clip\":1.5", "\"match\":\"*.input\",\"clip\":\"0.5\"",
    "\"match\":\"*\",\"clip\":0.5", "\"match\":\"*\",\"scale\":\"tensor\"",
    "\"match\":\"*.input\",\"window\":8", "\"match\":\"*.key\",\"window\":-1",
    "\"match\":\"*.key\",\"window\":1.5", "\"match\":\"*.value\",\"window\":1e30",
  };
  g_autoptr(TareRecipe) recipe = parse ("{\"match\":\"*.input\",\"format\":\"int8_channel\","
                                        "\"scale\":\"channel\",\"clip\":0.875}");
  g_autoptr(TareRecipe) again = NULL;
  g_autofree char *text = tare_recipe_to_json (recipe, NULL);
  TareAssignment assignment;

  again = tare_recipe_parse (text, strlen (text), "again", NULL);
  g_assert_true (tare_recipe_equal (recipe, again));
  assignment = tare_recipe_resolve_activation (again, "blk.0.attn_q.input");
  g_assert_cmpint (assignment.scale, ==, TARE_ACTIVATION_SCALE_CHANNEL);
  g_assert_cmpfloat (assignment.clip, ==, 0.875);

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autofree char *rules = g_strdup_printf ("{\"tare\":1,\"rules\":[{%s,"
                                                "\"format\":\"f32\"}]}", wrong[i]);
      g_autoptr(GError) error = NULL;

      g_assert_null (tare_recipe_parse (rules, strlen (rules), "wrong", &error));
      g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
    }
}

/* The first tokens see no more than the window holds and stay as they are to the last bit; a
 * window over all changes nothing, none as much as rounding at once. */
static void
test_window (void)
{
  static const guint windows[] = { 0, 1, 20, 64, N_TOKENS - 1, N_TOKENS };
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autofree float *truth = run (model, none);
  gsize vocabulary = tare_model_get_config (model)->vocabulary;
  guint64 seen = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (windows); i++)
    {
      g_autofree char *rules = g_strdup_printf (
        "{\"match\":\"*.key\",\"format\":\"int4_channel\",\"window\":%u},"
        "{\"match\":\"*.value\",\"format\":\"int4_channel\",\"window\":%u}",
        windows[i], windows[i]);
      g_autoptr(TareRecipe) recipe = parse (rules);
      g_autofree char *json = tare_recipe_to_json (recipe, NULL);
      g_autoptr(TareRecipe) again = tare_recipe_parse (json, strlen (json), "again", NULL);
      g_autofree float *logits = run (model, recipe);
      gsize same = windows[i] * vocabulary, n = N_TOKENS * vocabulary;
      TareRecipeWeights *weights = tare_recipe_weights_new (engine, recipe, NULL);
      guint64 fingerprint = tare_network_fingerprint (network, &weights->weights, 2);

      g_assert_true (tare_recipe_equal (recipe, again));
      g_assert_cmpmem (logits, same * sizeof *logits, truth, same * sizeof *truth);
      for (gsize t = windows[i]; t < N_TOKENS && i > 0; t++)
        g_assert_cmpfloat (tare_test_difference (logits + t * vocabulary, truth + t * vocabulary,
                                                 vocabulary), >, 0.0);
      g_test_message ("%u: %.3g", windows[i], tare_test_difference (logits, truth, n));
      g_assert_cmpuint (fingerprint, !=, seen);
      seen = fingerprint;
      tare_recipe_weights_free (weights);
    }
}

/* Each of the activations that are listed makes a difference when it is rounded, and no other name
 * is known to be rounded. */
static void
test_sites (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(GPtrArray) sites = tare_activation_site_list (model);
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autofree float *truth = run (model, none);

  g_assert_cmpuint (sites->len, ==, 6 * 7 + 1);
  for (guint i = 0; i < sites->len; i++)
    {
      const TareActivationSite *site = g_ptr_array_index (sites, i);
      g_autofree char *rule = g_strdup_printf ("{\"match\":\"%s\","
                                               "\"format\":\"int4_channel\"}",
                                               site->name);

      if (site->block != 0 && site->block != 4 && site->block != -1)
        continue;
      g_assert_true (tare_recipe_is_of_activations (site->name));
      g_assert_cmpuint (site->columns, ==, site->kind != TARE_SITE_KIND_INPUT ? 64
                                           : g_str_equal (site->role->id, "ffn_down") ? 768 : 256);
      g_assert_cmpfloat (differ (model, truth, rule), >, 0.0);
    }
}

/* The sample has 6 blocks of 2 heads of 64 keys and 64 values. */
static void
test_cache_bytes (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareRecipe) none = parse ("{\"match\":\"*\",\"format\":\"q4_k\"}");
  g_autoptr(TareRecipe) keys = parse ("{\"match\":\"blk.0.attn.key\",\"format\":\"q8_0\"},"
                                      "{\"match\":\"*.query\",\"format\":\"q8_0\"}");

  g_assert_false (tare_recipe_rounds_activations (none));
  g_assert_true (tare_recipe_rounds_activations (keys));
  g_assert_cmpuint (tare_recipe_get_cache_bytes (none, model), ==, 6 * 2 * 128 * 2);
  /* 32 numbers of Q8_0 are 34 bytes. */
  g_assert_cmpuint (tare_recipe_get_cache_bytes (keys, model), ==, 11 * 128 * 2 + 4 * 34);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/activation-format/apply", test_apply);
  g_test_add_func ("/activation-format/scales", test_scales);
  g_test_add_func ("/activation-format/static", test_static);
  g_test_add_func ("/activation-format/json", test_scale_json);
  g_test_add_func ("/activation-format/network", test_network);
  g_test_add_func ("/activation-format/reference", test_reference);
  g_test_add_func ("/activation-format/threads", test_threads);
  g_test_add_func ("/activation-format/recipe", test_recipe);
  g_test_add_func ("/activation-format/presets", test_presets);
  g_test_add_func ("/activation-format/refused", test_refused);
  g_test_add_func ("/activation-format/sites", test_sites);
  g_test_add_func ("/activation-format/window", test_window);
  g_test_add_func ("/activation-format/cache-bytes", test_cache_bytes);

  return g_test_run ();
}
