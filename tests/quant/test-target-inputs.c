/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Folders that say what the inputs of layers are rounded to: read back, they run as previewed. */
#include <glib/gstdio.h>
#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-layout.h"
#include "quant/network/tare-network.h"
#include "quant/recipe/tare-target.h"
#include "quant/tare-error.h"
#include "tests/tare-test-open.h"
#include "tests/tare-test.h"

#define N_TOKENS 32

/* Rules as a recipe file has them. */
static TareRecipe *
make_recipe (const char *rules)
{
  g_autofree char *text = g_strdup_printf ("{\"tare\":1,\"rules\":[%s]}", rules);
  g_autoptr(GError) error = NULL;
  TareRecipe *recipe = tare_recipe_parse (text, strlen (text), "test", &error);

  g_assert_no_error (error);

  return recipe;
}

/* Every column of every layer reaches to a number of its own. */
static TareCalibration *
make_calibration (TareModel *model)
{
  TareCalibration *calibration = tare_calibration_new ("text", 128);

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      TareLayerActivations *layer = NULL;

      if (!tare_tensor_is_weight (tensor) || tensor->block < 0)
        continue;
      layer = tare_calibration_add (calibration, tensor->canonical, tensor->columns, FALSE);
      for (gsize j = 0; j < tensor->columns; j++)
        layer->maximum[j] = 1.0f + 0.01f * (float) (j % 100) + 0.1f * (float) tensor->block;
    }

  return calibration;
}

static float *
run (TareModel         *model,
     const TareWeights *weights)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  float *logits = NULL;
  guint32 tokens[N_TOKENS];

  g_assert_no_error (error);
  logits = g_new (float, N_TOKENS * tare_network_get_config (network)->vocabulary);
  for (guint32 i = 0; i < N_TOKENS; i++)
    tokens[i] = (i * 37 + 11) % 1000;
  tare_network_run (network, weights, tokens, N_TOKENS, logits, NULL, &error);
  g_assert_no_error (error);

  return logits;
}

static void
remove_folder (const char *path)
{
  g_autoptr(GDir) dir = g_dir_open (path, 0, NULL);
  const char *name = NULL;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      g_assert_cmpint (g_remove (file), ==, 0);
    }
  g_assert_cmpint (g_rmdir (path), ==, 0);
}

typedef struct
{
  const char *rules;
  const char *layout;
  const char *input;
  gboolean    fixed;
} Case;

#define RULES(weights, inputs)                                                             \
  "{\"match\":\"blk.*.weight\",\"format\":\"" weights "\"},"                                  \
  "{\"match\":\"blk.*.input\",\"format\":\"" inputs "}"

static const Case cases[] = {
  { RULES ("int8_channel", "int8_channel\""), "int-quantized", "int8_channel", FALSE },
  { RULES ("int8_channel", "int8_asym_channel\""), "int-quantized", "int8_asym_channel", FALSE },
  { RULES ("int8_tensor", "int8_channel\""), "int-quantized", "int8_channel", FALSE },
  { RULES ("int8_channel", "int8_channel\",\"scale\":\"tensor\""), "int-quantized",
    "int8_channel", TRUE },
  { RULES ("fp8_e4m3_channel", "fp8_e4m3_channel\""), "float-quantized", "fp8_e4m3_channel",
    FALSE },
  { RULES ("fp8_e4m3_tensor", "fp8_e4m3_channel\",\"scale\":\"tensor\",\"clip\":0.9"),
    "float-quantized", "fp8_e4m3_channel", TRUE },
};

/* What is written evaluates as the recipe does, without any recipe. */
static void
test_written (gconstpointer data)
{
  const Case *one = data;
  const TareTarget *target = tare_target_lookup ("compressed-tensors");
  g_autofree char *path = tare_test_temporary ("inputs");
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (one->rules);
  g_autoptr(TareCalibration) calibration = one->fixed ? make_calibration (model) : NULL;
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  TareRecipeWeights *weights = tare_recipe_weights_new (engine, recipe, calibration);
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (target, model, recipe, calibration,
                                               &error);
  g_autoptr(TareModel) written = NULL;
  g_autofree float *kept = NULL, *weighed = NULL, *read = NULL;
  const TareTensor *tensor = NULL;
  gsize n = N_TOKENS * (gsize) tare_model_get_config (model)->vocabulary;

  g_assert_no_error (error);
  g_assert_cmpuint (plan->changes->len, ==, 0);
  tare_target_write (target, engine, recipe, calibration, path, NULL, NULL, &error);
  g_assert_no_error (error);

  written = tare_test_open_model (path);
  g_assert_cmpuint (plan->bytes, ==, tare_model_get_bytes (written));
  tensor = tare_model_lookup (written, "blk.2.ffn_down.weight");
  g_assert_cmpstr (tensor->stored->layout->id, ==, one->layout);
  g_assert_cmpstr (tensor->stored->input->id, ==, one->input);
  g_assert_true ((tensor->stored->input_limits != NULL) == one->fixed);

  kept = run (model, &tare_weights_of_file);
  weighed = run (model, &weights->weights);
  read = run (written, &tare_weights_of_file);
  g_test_message ("%.3g, of %.3g", tare_test_difference (weighed, read, n),
                  tare_test_difference (weighed, kept, n));
  g_assert_cmpfloat (tare_test_difference (weighed, read, n), <, 1e-5);
  g_assert_cmpfloat (tare_test_difference (weighed, kept, n), >, 1e-3);
  tare_recipe_weights_free (weights);
  remove_folder (path);
}

static TarePlan *
plan (const char *target,
      const char *rules)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (rules);
  g_autoptr(GError) error = NULL;
  TarePlan *result = tare_target_plan (tare_target_lookup (target), model, recipe, NULL,
                                       &error);

  g_assert_no_error (error);

  return result;
}

#define CACHE "{\"match\":\"*.key\",\"format\":\"int8_channel\"},"                             \
              "{\"match\":\"blk.*.value\",\"format\":\"int4_asym_g64\",\"window\":128}"
#define INT8  RULES ("int8_channel", "int8_channel\"")

/* What a target is asked for and cannot say: the name that it is told by, and words of why. */
static const struct
{
  const char *target;
  const char *rules;
  const char *told[2][2];
} dropped[] = {
  { "compressed-tensors", INT8, { { NULL } } },
  { "compressed-tensors", RULES ("int4_g128", "int8_channel\""),
    { { "blk.*.input", "beside weights" } } },
  { "compressed-tensors", RULES ("int8_channel", "fp8_e4m3_channel\""),
    { { "blk.*.input", "beside weights" } } },
  { "compressed-tensors", RULES ("int8_channel", "int8_channel\",\"clip\":0.9"),
    { { "blk.*.input", "none cut off" } } },
  { "compressed-tensors", RULES ("int8_channel", "int8_channel\",\"range\":\"percentile\""),
    { { "blk.*.input", "none cut off" } } },
  { "compressed-tensors", RULES ("int8_channel", "int8_channel\",\"scale\":\"channel\""),
    { { "blk.*.input", "scales each column" } } },
  { "compressed-tensors", INT8 ",{\"match\":\"output.input\",\"format\":\"int8_channel\"}",
    { { "output.input", "linear layers of blocks" } } },
  { "compressed-tensors", INT8 "," CACHE,
    { { "*.key", "keys and values" }, { "blk.*.value", "window" } } },
  { "compressed-tensors", INT8 ",{\"match\":\"*.query\",\"format\":\"int8_channel\"}",
    { { "*.query", "queries" } } },
  { "compressed-tensors", INT8 ",{\"match\":\"blk.2.ffn_down.weight\",\"format\":\"int4_g128\"}",
    { { "blk.2.ffn_down.input", "beside weights" } } },
  { "compressed-tensors", CACHE ",{\"match\":\"*.value\",\"format\":null}",
    { { "*.key", "keys and values" } } },
  { "gguf", CACHE, { { "*.key", "keys and values" }, { "blk.*.value", "window" } } },
  { "tare", CACHE, { { "*.key", "keys and values" }, { "blk.*.value", "window" } } },
  { "gptq", CACHE, { { "*.key", "keys and values" }, { "blk.*.value", "window" } } },
  { "awq", CACHE, { { "*.key", "keys and values" }, { "blk.*.value", "window" } } },
  { "safetensors", CACHE, { { "*.key", "keys and values" }, { "blk.*.value", "window" } } },
  { "gguf", RULES ("q8_0", "int8_channel\",\"scale\":\"tensor\""),
    { { "blk.*.input", "no place for how inputs" } } },
  { "gptq", INT8, { { "blk.*.input", "no place for how inputs" } } },
  { "awq", RULES ("int4_asym_g128", "int8_channel\",\"clip\":0.9"),
    { { "blk.*.input", "no place for how inputs" } } },
  { "tare", INT8, { { "blk.*.input", "no place for how inputs" } } },
};

/* What does not go with the weights, or into the container, is told, and once: by the rule, if that
 * is kept nowhere. */
static void
test_dropped (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (dropped); i++)
    {
      g_autoptr(TarePlan) planned = plan (dropped[i].target, dropped[i].rules);
      guint n = 0;

      while (n < 2 && dropped[i].told[n][0] != NULL)
        n++;
      g_test_message ("%s: %s", dropped[i].target, dropped[i].rules);
      g_assert_cmpuint (planned->changes->len, ==, n);
      for (guint j = 0; j < n; j++)
        {
          const TareChange *change = &g_array_index (planned->changes, TareChange, j);

          g_assert_cmpstr (change->name, ==, dropped[i].told[j][0]);
          g_assert_nonnull (strstr (change->reason, dropped[i].told[j][1]));
          g_assert_null (change->tensor);
          g_assert_nonnull (change->from);
          g_assert_null (change->to);
          g_assert_cmpint (change->bytes, ==, 0);
        }
    }
}

/* Layers that share an input have it rounded as the rule of the first says, as in a preview. */
static void
test_shared (void)
{
  static const char all[]
    = "{\"match\":\"blk.*.weight\",\"format\":\"int8_channel\"},"
      "{\"match\":\"blk.1.attn_q.input\",\"format\":\"int8_channel\"},"
      "{\"match\":\"blk.1.attn_v.input\",\"format\":\"fp8_e4m3_channel\"}";
  g_autofree char *path = tare_test_temporary ("shared");
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (all);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TarePlan) planned = plan ("compressed-tensors", all);
  g_autoptr(TareModel) written = NULL;
  g_autoptr(GError) error = NULL;
  static const char *const names[] = { "attn_q", "attn_k", "attn_v" };

  g_assert_cmpuint (planned->changes->len, ==, 0);
  g_assert_true (g_hash_table_contains (planned->inputs, "blk.1.attn_q.input"));
  g_assert_cmpuint (g_hash_table_size (planned->inputs), ==, 1);
  tare_target_write (tare_target_lookup ("compressed-tensors"), engine, recipe, NULL, path, NULL,
                     NULL, &error);
  g_assert_no_error (error);
  written = tare_test_open_model (path);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const TareTensor *tensor = tare_model_lookup_role (written, names[i], 1, FALSE);

      g_assert_cmpstr (tensor->stored->input->id, ==, "int8_channel");
      tensor = tare_model_lookup_role (written, names[i], 2, FALSE);
      g_assert_null (tensor->stored->input);
    }
  remove_folder (path);
}

/* Inputs that a model's own files say are rounded are not left out in silence either. */
static void
test_own (void)
{
  g_autofree char *path = tare_test_temporary ("own");
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (INT8);
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareModel) written = NULL;
  g_autoptr(TarePlan) planned = NULL;
  g_autoptr(GError) error = NULL;
  const TareChange *last = NULL;

  tare_target_write (tare_target_lookup ("compressed-tensors"), engine, recipe, NULL, path, NULL,
                     NULL, &error);
  g_assert_no_error (error);
  written = tare_test_open_model (path);
  planned = tare_target_plan (tare_target_lookup ("safetensors"), written, none, NULL, &error);
  g_assert_no_error (error);
  last = &g_array_index (planned->changes, TareChange, planned->changes->len - 1);
  g_assert_cmpstr (last->name, ==, "*.input");
  g_assert_cmpstr (last->from->id, ==, "int8_channel");
  g_assert_nonnull (last[-1].tensor);
  remove_folder (path);
}

static void
check_refused (TareModel       *model,
               TareRecipe      *recipe,
               TareCalibration *calibration,
               const char      *words)
{
  const TareTarget *target = tare_target_lookup ("compressed-tensors");
  g_autofree char *path = tare_test_temporary ("uncalibrated");
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GError) error = NULL;

  g_assert_false (tare_target_check (target, model, recipe, calibration, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, words));
  g_assert_nonnull (strstr (error->message, "calibrate first"));
  g_clear_error (&error);
  g_assert_false (tare_target_write (target, engine, recipe, calibration, path, NULL, NULL,
                                     &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* One range for all tokens is known from a calibration alone, and not from one without the largest
 * inputs, or without a layer: that is told before anything is written. */
static void
test_uncalibrated (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe
    = make_recipe (RULES ("int8_channel", "int8_channel\",\"scale\":\"tensor\""));
  g_autoptr(TareRecipe) one
    = make_recipe (INT8 ",{\"match\":\"blk.4.ffn_down.input\",\"format\":\"int8_channel\","
                   "\"scale\":\"tensor\"}");
  g_autoptr(TareCalibration) whole = make_calibration (model);
  g_autoptr(TareCalibration) part = tare_calibration_new ("text", 128);
  g_autoptr(GError) error = NULL;
  TareLayerActivations *layer = NULL;

  check_refused (model, recipe, NULL, "blk.0.attn_q.weight and 23 more: a static range");
  check_refused (model, one, NULL, "blk.4.ffn_down.weight: a static range");
  check_refused (model, recipe, part, "which this one does not");
  layer = tare_calibration_add (part, "blk.4.ffn_down.weight",
                                tare_model_lookup (model, "blk.4.ffn_down.weight")->columns,
                                FALSE);
  g_assert_true (tare_target_check (tare_target_lookup ("compressed-tensors"), model, one, part,
                                    &error));
  g_assert_no_error (error);

  /* As an imatrix file has it. */
  g_clear_pointer (&layer->maximum, g_free);
  check_refused (model, one, part, "which this one does not");
  g_assert_true (tare_target_check (tare_target_lookup ("compressed-tensors"), model, recipe,
                                    whole, &error));

  /* What a target does not write needs none. */
  g_assert_true (tare_target_check (tare_target_lookup ("gptq"), model, recipe, NULL, &error));
  g_assert_no_error (error);
}

/* As vLLM reads it. */
static void
test_config (void)
{
  g_autofree char *path = tare_test_temporary ("config");
  g_autofree char *config_path = g_build_filename (path, "config.json", NULL);
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe
    = make_recipe (RULES ("int8_channel", "int8_channel\"") ","
                   "{\"match\":\"blk.0.attn_output.*\",\"format\":\"fp8_e4m3_channel\"},"
                   "{\"match\":\"blk.0.attn_output.input\",\"format\":\"fp8_e4m3_channel\"}");
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = NULL;
  JsonObject *object = NULL, *groups = NULL, *inputs = NULL;
  guint n_int = 0;

  tare_target_write (tare_target_lookup ("compressed-tensors"), engine, recipe, NULL, path, NULL,
                     NULL, &error);
  g_assert_no_error (error);
  node = tare_json_load (config_path, &error);
  g_assert_no_error (error);
  object = tare_json_get_object (json_node_get_object (node), "quantization_config");
  g_assert_cmpstr (tare_json_get_string (object, "format"), ==, "mixed-precision");
  groups = tare_json_get_object (object, "config_groups");
  g_assert_cmpuint (json_object_get_size (groups), ==, 2);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *name = g_strdup_printf ("group_%u", i);

      object = tare_json_get_object (groups, name);
      inputs = tare_json_get_object (object, "input_activations");
      g_assert_nonnull (inputs);
      g_assert_true (tare_json_get_boolean (inputs, "dynamic", FALSE));
      g_assert_cmpstr (tare_json_get_string (inputs, "strategy"), ==, "token");
      n_int += g_str_equal (tare_json_get_string (inputs, "type"), "int")
               && g_str_equal (tare_json_get_string (object, "format"), "int-quantized");
    }
  g_assert_cmpuint (n_int, ==, 1);
  remove_folder (path);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *name = g_strdup_printf ("/target-inputs/written/%" G_GSIZE_FORMAT, i);

      g_test_add_data_func (name, &cases[i], test_written);
    }
  g_test_add_func ("/target-inputs/dropped", test_dropped);
  g_test_add_func ("/target-inputs/shared", test_shared);
  g_test_add_func ("/target-inputs/own", test_own);
  g_test_add_func ("/target-inputs/uncalibrated", test_uncalibrated);
  g_test_add_func ("/target-inputs/config", test_config);

  return g_test_run ();
}
