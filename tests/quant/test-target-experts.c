/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Models with experts in folders: each expert's matrices by the names of its own, read back as the
 * tensors that GGUF has of all. */
#include <glib/gstdio.h>
#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-safetensors.h"
#include "quant/recipe/tare-target.h"
#include "tests/quant/naive.h"
#include "tests/tare-test-open.h"
#include "tests/tare-test.h"

#define LAYER "model.layers.%d."

#define NAMES                                                     \
  { "model.embed_tokens.weight", 1024, 64, 0.0f },                \
  { LAYER "input_layernorm.weight", 0, 64, 1.0f },                \
  { LAYER "post_attention_layernorm.weight", 0, 64, 1.0f },       \
  { LAYER "self_attn.q_proj.weight", 64, 64, 0.0f },              \
  { LAYER "self_attn.k_proj.weight", 32, 64, 0.0f },              \
  { LAYER "self_attn.v_proj.weight", 32, 64, 0.0f },              \
  { LAYER "self_attn.o_proj.weight", 64, 64, 0.0f },              \
  { "model.norm.weight", 0, 64, 1.0f },                           \
  { "lm_head.weight", 1024, 64, 0.0f }

#define EXPERT(prefix, gate, up, down)                            \
  { prefix gate ".weight", 96, 64, 0.0f },                        \
  { prefix up ".weight", 96, 64, 0.0f },                          \
  { prefix down ".weight", 64, 96, 0.0f }

#define EXPERTS(prefix, gate, up, down)                           \
  EXPERT (prefix "0.", gate, up, down),                           \
  EXPERT (prefix "1.", gate, up, down),                           \
  EXPERT (prefix "2.", gate, up, down)

#define CONFIG                                                                               \
  "\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":2,"                      \
  "\"num_key_value_heads\":1,\"vocab_size\":1024,\"max_position_embeddings\":64,"              \
  "\"rms_norm_eps\":1e-5,\"rope_theta\":10000,\"num_experts_per_tok\":2,"                      \
  "\"tie_word_embeddings\":false,"

static char *
make_mixtral (void)
{
  static const Made made[] = {
    NAMES,
    { LAYER "block_sparse_moe.gate.weight", 3, 64, 0.0f },
    EXPERTS (LAYER "block_sparse_moe.experts.", "w1", "w3", "w2"),
  };

  return naive_make_folder ("mixtral", "{\"architectures\":[\"MixtralForCausalLM\"]," CONFIG
                            "\"intermediate_size\":96,\"num_local_experts\":3}", made,
                            G_N_ELEMENTS (made), 2);
}

static char *
make_qwen (void)
{
  static const Made made[] = {
    NAMES,
    { LAYER "self_attn.q_proj.bias", 0, 64, 0.0f },
    { LAYER "self_attn.k_proj.bias", 0, 32, 0.0f },
    { LAYER "self_attn.v_proj.bias", 0, 32, 0.0f },
    { LAYER "mlp.gate.weight", 3, 64, 0.0f },
    EXPERTS (LAYER "mlp.experts.", "gate_proj", "up_proj", "down_proj"),
    { LAYER "mlp.shared_expert_gate.weight", 1, 64, 0.0f },
    EXPERT (LAYER "mlp.shared_expert.", "gate_proj", "up_proj", "down_proj"),
  };

  return naive_make_folder ("qwen2moe", "{\"architectures\":[\"Qwen2MoeForCausalLM\"]," CONFIG
                            "\"num_experts\":3,\"intermediate_size\":96,"
                            "\"moe_intermediate_size\":96,"
                            "\"shared_expert_intermediate_size\":96}", made,
                            G_N_ELEMENTS (made), 2);
}

static TareRecipe *
make_recipe (const char *match,
             const char *format)
{
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  TareAssignment assignment = {
    .format = tare_format_lookup (format),
    .method = tare_method_lookup ("rtn"),
    .range = TARE_RANGE_MINIMUM_MAXIMUM,
  };

  g_assert_nonnull (assignment.format);

  return tare_recipe_with_rule (none, match, &assignment);
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

/* Every tensor of the folder holds what the plan's recipe previews. */
static void
check_same_values (TareEngine *engine,
                   TarePlan   *plan,
                   TareModel  *written)
{
  TareModel *model = tare_engine_get_model (engine);
  g_autoptr(GError) error = NULL;

  g_assert_cmpuint (tare_model_get_n_tensors (written), ==, tare_model_get_n_tensors (model));
  g_assert_cmpuint (tare_model_get_bytes (written), ==, plan->bytes);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareTensor *other = tare_model_lookup (written, tensor->canonical);
      gsize n = tare_tensor_get_n_weights (tensor);
      TareAssignment assignment = tare_recipe_resolve (plan->recipe, tensor);
      g_autofree float *x = g_new (float, n);
      g_autofree float *y = g_new (float, n);
      g_autoptr(TareQuantized) quantized = NULL;

      g_test_message ("%s", tensor->canonical);
      g_assert_nonnull (other);
      quantized = tare_engine_quantize (engine, tensor, &assignment, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (tare_quantized_decode (quantized, tensor, x, &error));
      g_assert_true (tare_tensor_read (other, y, &error));
      g_assert_cmpfloat (tare_test_difference (x, y, n), <, 1e-6);
    }
}

static void
check_target (TareModel  *model,
              const char *target_id,
              const char *format,
              gboolean    packed)
{
  const TareTarget *target = tare_target_lookup (target_id);
  g_autofree char *path = tare_test_temporary ("experts");
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) recipe = make_recipe ("blk.*", format);
  g_autoptr(GArray) exported = g_array_new (FALSE, FALSE, sizeof (TareExported));
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (target, model, recipe, NULL, &error);
  g_autoptr(TareModel) written = NULL;
  const TareTensor *downs;

  g_assert_no_error (error);
  g_test_message ("%s %s", target_id, format);
  tare_target_write (target, engine, recipe, NULL, path, exported, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (exported->len, ==, tare_model_get_n_tensors (model));

  written = tare_test_open_model (path);
  check_same_values (engine, plan, written);
  downs = tare_model_lookup (written, "blk.1.ffn_down_exps.weight");
  g_assert_cmpuint (downs->n_dimensions, ==, 3);
  g_assert_true ((downs->stored != NULL) == packed);
  g_assert_true (tare_model_check_runnable (written, &error));
  remove_folder (path);
}

static void
check_model (const char *folder)
{
  static const struct
  {
    const char *target;
    const char *format;
    gboolean    packed;
  } cases[] = {
    { "compressed-tensors", "int4_g32", TRUE }, { "compressed-tensors", "int8_channel", TRUE },
    { "compressed-tensors", "int4_asym_g32", TRUE }, { "compressed-tensors", "mxfp4", TRUE },
    { "compressed-tensors", "fp8_e4m3_tensor", TRUE }, { "compressed-tensors", "nvfp4", FALSE },
    { "gptq", "int4_g32", TRUE }, { "gptq-v2", "int8_asym_g32", TRUE },
    { "awq", "int4_asym_g32", TRUE }, { "safetensors", "q4_0", FALSE },
    { "fp8", "fp8_e4m3_b128x128", FALSE }, { "tare", "q4_0", FALSE },
    { "tare", "nvfp4", FALSE }, { "tare", "f16", FALSE },
  };
  g_autofree char *gguf_path = tare_test_temporary ("experts.gguf");
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();
  g_autoptr(TareModel) model = tare_test_open_model (folder);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareModel) gguf = NULL;
  g_autoptr(GError) error = NULL;

  tare_target_write (tare_target_lookup ("gguf"), engine, recipe, NULL, gguf_path, NULL, NULL,
                     &error);
  g_assert_no_error (error);
  gguf = tare_test_open_model (gguf_path);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      check_target (model, cases[i].target, cases[i].format, cases[i].packed);
      check_target (gguf, cases[i].target, cases[i].format, cases[i].packed);
    }
}

/* GGUF has a scale of the whole for each expert; a folder that is made of such a file has no place
 * for its codes, and has the values. */
static void
check_scales (const char *folder)
{
  g_autofree char *path = tare_test_temporary ("scales.gguf");
  g_autofree char *values = tare_test_temporary ("values");
  g_autoptr(TareModel) model = tare_test_open_model (folder);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) recipe = make_recipe ("blk.*_exps.weight", "nvfp4");
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (tare_target_lookup ("gguf"), model, recipe, NULL,
                                               &error);
  g_autoptr(TareModel) written = NULL, again = NULL;
  g_autoptr(TareEngine) other = NULL;
  g_autoptr(TarePlan) kept = NULL;
  const TareTensor *tensor = NULL;

  g_assert_no_error (error);
  tare_target_write (tare_target_lookup ("gguf"), engine, recipe, NULL, path, NULL, NULL, &error);
  g_assert_no_error (error);
  written = tare_test_open_model (path);
  check_same_values (engine, plan, written);
  tensor = tare_model_lookup (written, "blk.1.ffn_up_exps.weight");
  g_assert_cmpstr (tensor->format->id, ==, "nvfp4");
  g_assert_cmpuint (tare_tensor_get_parameter_bytes (tensor), ==, 4 * tensor->shape[0]);

  other = tare_engine_new (written);
  kept = tare_target_plan (tare_target_lookup ("tare"), written, none, NULL, &error);
  g_assert_no_error (error);
  tare_target_write (tare_target_lookup ("tare"), other, none, NULL, values, NULL, NULL, &error);
  g_assert_no_error (error);
  again = tare_test_open_model (values);
  check_same_values (other, kept, again);
  remove_folder (values);
}

static void
test_mixtral (void)
{
  g_autofree char *folder = make_mixtral ();

  check_model (folder);
  check_scales (folder);
}

static void
test_qwen (void)
{
  g_autofree char *folder = make_qwen ();

  check_model (folder);
}

static const TareChange *
find_change (const TarePlan *self,
             const char     *canonical)
{
  for (guint i = 0; i < self->changes->len; i++)
    {
      const TareChange *change = &g_array_index (self->changes, TareChange, i);

      if (g_str_equal (change->name, canonical))
        return change;
    }

  return NULL;
}

/* Routers are kept, which is said; the three matrices of experts share a format, and where their
 * rows allow none, none. */
static void
test_plan (void)
{
  g_autofree char *folder = make_mixtral ();
  const TareTarget *target = tare_target_lookup ("compressed-tensors");
  g_autoptr(TareModel) model = tare_test_open_model (folder);
  g_autoptr(TareRecipe) all = make_recipe ("blk.*", "int4_g32");
  g_autoptr(TareRecipe) downs = make_recipe ("*.ffn_down_exps.weight", "int4_g32");
  g_autoptr(TareRecipe) wide = make_recipe ("blk.*", "int4_g64");
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (target, model, all, NULL, &error);
  g_autoptr(TarePlan) other = tare_target_plan (target, model, downs, NULL, &error);
  g_autoptr(TarePlan) fitted = tare_target_plan (target, model, wide, NULL, &error);
  const TareChange *change = find_change (plan, "blk.1.ffn_gate_inp.weight");

  g_assert_no_error (error);
  g_assert_cmpuint (plan->changes->len, ==, 2);
  g_assert_nonnull (change);
  g_assert_null (change->to);
  g_assert_nonnull (strstr (change->reason, "What tells tokens their experts"));

  change = find_change (other, "blk.0.ffn_down_exps.weight");
  g_assert_nonnull (change);
  g_assert_null (change->to);
  g_assert_nonnull (strstr (change->reason, "siblings"));

  /* Rows of 96 have groups of 32, and so have those of 64 beside them. */
  change = find_change (fitted, "blk.0.ffn_gate_exps.weight");
  g_assert_nonnull (change);
  g_assert_cmpstr (change->to->id, ==, "int4_g32");
}

/* Squares that another order of rows would tear apart, or that a fused layer would share, are not
 * written; the others are. */
static void
test_squares (void)
{
  static const Made made[] = {
    { "model.embed_tokens.weight", 1024, 128, 0.0f },
    { LAYER "input_layernorm.weight", 0, 128, 1.0f },
    { LAYER "post_attention_layernorm.weight", 0, 128, 1.0f },
    { LAYER "self_attn.q_proj.weight", 256, 128, 0.0f },
    { LAYER "self_attn.k_proj.weight", 256, 128, 0.0f },
    { LAYER "self_attn.v_proj.weight", 256, 128, 0.0f },
    { LAYER "self_attn.o_proj.weight", 128, 256, 0.0f },
    { LAYER "mlp.gate_proj.weight", 192, 128, 0.0f },
    { LAYER "mlp.up_proj.weight", 192, 128, 0.0f },
    { LAYER "mlp.down_proj.weight", 128, 192, 0.0f },
    { "model.norm.weight", 0, 128, 1.0f },
    { "lm_head.weight", 1024, 128, 0.0f },
  };
  static const char *const kept[][2] = {
    { "blk.0.attn_q.weight", "another order" }, { "blk.1.attn_k.weight", "another order" },
    { "blk.0.attn_v.weight", "siblings" }, { "blk.1.ffn_up.weight", "no multiple of 128" },
    { "blk.0.ffn_down.weight", "groups" },
  };
  g_autofree char *folder
    = naive_make_folder ("squares", "{\"architectures\":[\"LlamaForCausalLM\"],"
                         "\"hidden_size\":128,\"num_hidden_layers\":2,\"head_dim\":256,"
                         "\"num_attention_heads\":1,\"num_key_value_heads\":1,"
                         "\"intermediate_size\":192,\"vocab_size\":1024,"
                         "\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,"
                         "\"rope_theta\":10000,\"tie_word_embeddings\":false}",
                         made, G_N_ELEMENTS (made), 2);
  g_autofree char *path = tare_test_temporary ("fp8");
  g_autoptr(TareModel) model = tare_test_open_model (folder);
  g_autoptr(TareRecipe) recipe = make_recipe ("blk.*.weight", "fp8_e4m3_b128x128");
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (tare_target_lookup ("fp8"), model, recipe, NULL,
                                               &error);
  g_autoptr(TareModel) written = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (plan->changes->len, ==, 12);
  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    {
      const TareChange *change = find_change (plan, kept[i][0]);

      g_assert_nonnull (change);
      g_assert_null (change->to);
      g_assert_nonnull (strstr (change->reason, kept[i][1]));
    }
  g_assert_null (find_change (plan, "blk.0.attn_output.weight"));
  tare_target_write (tare_target_lookup ("fp8"), engine, recipe, NULL, path, NULL, NULL, &error);
  g_assert_no_error (error);
  written = tare_test_open_model (path);
  check_same_values (engine, plan, written);
  g_assert_cmpstr (tare_model_lookup (written, "blk.1.attn_output.weight")->type_name, ==,
                   "FP8 E4M3 128x128");
  remove_folder (path);
}

/* The names are those of every expert, and one expression is for all. */
static void
test_names (void)
{
  g_autofree char *folder = make_qwen ();
  g_autofree char *path = tare_test_temporary ("names");
  g_autofree char *config_path = g_build_filename (path, "config.json", NULL);
  g_autofree char *file_path = g_build_filename (path, "model.safetensors", NULL);
  g_autoptr(TareModel) model = tare_test_open_model (folder);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) recipe = make_recipe ("*_exps.weight", "int4_g32");
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = NULL;
  g_autoptr(TareFile) file = NULL;
  JsonObject *object = NULL;
  JsonArray *ignored = NULL;
  gboolean router = FALSE;
  guint n = 0;

  tare_target_write (tare_target_lookup ("compressed-tensors"), engine, recipe, NULL, path, NULL,
                     NULL, &error);
  g_assert_no_error (error);
  file = tare_file_open (file_path, &error);
  g_assert_true (tare_safetensors_read (file, tensors, &error));
  for (guint i = 0; i < tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (tensors, i);

      if (!g_str_equal (tensor->name, "model.layers.1.mlp.experts.2.down_proj.weight_packed"))
        continue;
      g_assert_cmpuint (tensor->rows, ==, 64);
      g_assert_cmpuint (tensor->columns, ==, 12);
      n++;
    }
  g_assert_cmpuint (n, ==, 1);

  node = tare_json_load (config_path, &error);
  g_assert_no_error (error);
  object = tare_json_get_object (json_node_get_object (node), "quantization_config");
  ignored = tare_json_get_array (object, "ignore");
  for (guint i = 0; i < json_array_get_length (ignored); i++)
    {
      const char *name = json_array_get_string_element (ignored, i);

      g_assert_cmpint (strncmp (name, "re:", 3) == 0, ==, i > 0);
      if (i == 0)
        continue;
      g_assert_false (g_regex_match_simple (name + 3, "model.layers.1.mlp.experts.2.up_proj", 0,
                                            0));
      router |= g_regex_match_simple (name + 3, "model.layers.1.mlp.gate", 0, 0);
    }
  g_assert_true (router);
  remove_folder (path);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/target-experts/mixtral", test_mixtral);
  g_test_add_func ("/target-experts/qwen2moe", test_qwen);
  g_test_add_func ("/target-experts/squares", test_squares);
  g_test_add_func ("/target-experts/plan", test_plan);
  g_test_add_func ("/target-experts/names", test_names);

  return g_test_run ();
}
