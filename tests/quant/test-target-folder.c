/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-target.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-safetensors.h"
#include "quant/tare-error.h"
#include "tests/tare-test-open.h"
#include "tests/tare-test.h"

/* Rules in pairs of a match and a format, ended by NULL; without the search for ranges. */
static TareRecipe *
make_recipe (const char *const *rules)
{
  TareRecipe *recipe = tare_recipe_new ();

  for (gsize i = 0; rules[i] != NULL; i += 2)
    {
      TareAssignment assignment = {
        .format = tare_format_lookup (rules[i + 1]),
        .method = tare_method_lookup ("rtn"),
        .range = TARE_RANGE_MINIMUM_MAXIMUM,
      };
      TareRecipe *next = tare_recipe_with_rule (recipe, rules[i], &assignment);

      g_assert_nonnull (assignment.format);
      tare_recipe_unref (recipe);
      recipe = next;
    }

  return recipe;
}

static TareModel *
export (const char  *target,
        TareModel   *model,
        TareRecipe  *recipe,
        const char  *path)
{
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GError) error = NULL;

  tare_target_write (tare_target_lookup (target), engine, recipe, NULL, path, NULL, NULL, &error);
  g_assert_no_error (error);

  return tare_test_open_model (path);
}

/* Without what is made when a folder is opened. */
static guint64
count_bytes (TareModel *model)
{
  guint64 bytes = 0;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      g_autoptr(TareTensor) file = tare_model_dup_folder_tensor (model, tensor);

      bytes += file != NULL ? tensor->bytes : 0;
    }

  return bytes;
}

/* Every tensor of the folder holds what the plan's recipe previews, to @tolerance of the largest
 * value. */
static void
check_same_values (const char *target,
                   TareModel  *model,
                   TareRecipe *recipe,
                   TareModel  *written,
                   double      tolerance)
{
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (tare_target_lookup (target), model, recipe, NULL,
                                               &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tare_model_get_n_tensors (written), ==, tare_model_get_n_tensors (model));
  g_assert_cmpuint (count_bytes (written), ==, plan->bytes);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareTensor *other = tare_model_lookup (written, tensor->canonical);
      gsize n = tare_tensor_get_n_weights (tensor);
      TareAssignment assignment = tare_recipe_resolve (plan->recipe, tensor);
      g_autofree float *x = g_new (float, n);
      g_autofree float *y = g_new (float, n);
      g_autoptr(TareQuantized) quantized = NULL;

      g_assert_nonnull (other);
      quantized = tare_engine_quantize (engine, tensor, &assignment, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (tare_quantized_decode (quantized, tensor, x, &error));
      g_assert_true (tare_tensor_read (other, y, &error));
      g_test_message ("%s", tensor->canonical);
      if (tolerance == 0.0)
        g_assert_cmpmem (x, n * sizeof *x, y, n * sizeof *y);
      else
        g_assert_cmpfloat (tare_test_difference (x, y, n), <, tolerance);
    }
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

static void
check_file (const char *folder,
            const char *name,
            gboolean    there)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_cmpint (g_file_test (path, G_FILE_TEST_IS_REGULAR), ==, there);
}

static void
check_export (const char        *target,
              const char        *source,
              const char *const *rules,
              double             tolerance)
{
  g_autofree char *path = tare_test_temporary ("folder");
  g_autoptr(TareModel) model = source != NULL ? tare_test_open_model (source)
                                              : tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (rules);
  g_autoptr(TareModel) written = export (target, model, recipe, path);

  check_same_values (target, model, recipe, written, tolerance);
  check_file (path, "config.json", TRUE);
  check_file (path, "tokenizer.json", TRUE);
  check_file (path, "model.safetensors", TRUE);
  check_file (path, "model.safetensors.index.json", FALSE);
  remove_folder (path);
}

static const char *const mixed[] = {
  "*", "q8_0", "*.ffn_down.weight", "nf4", "*.attn_q.weight", "int4_g32", "output.weight", "f16",
  "*.attn_v.weight", "fp4_e2m1_g32", NULL,
};

/* Tare's layout holds any format, and in order whatever the folder's: rows of heads that are apart,
 * matrices on their side, norms that are off by one. */
static void
test_tare (void)
{
  check_export ("tare", NULL, mixed, 0.0);

  TARE_TEST_NEED_SHARED (gpt2, "models/gpt2-random");
  TARE_TEST_NEED_SHARED (gemma, "models/gemma2-random");
  TARE_TEST_NEED_SHARED (llama, "models/llama3-random");
  check_export ("tare", gpt2, mixed, 0.0);
  check_export ("tare", gemma, mixed, 0.0);
  check_export ("tare", llama, mixed, 0.0);
}

static void
test_values (void)
{
  check_export ("safetensors", NULL, mixed, 0.0);
  check_export ("safetensors-f16", NULL, mixed, 1e-3);
  check_export ("safetensors-bf16", NULL, mixed, 4e-3);

  TARE_TEST_NEED_SHARED (gpt2, "models/gpt2-random");
  TARE_TEST_NEED_SHARED (gemma, "models/gemma2-random");
  check_export ("safetensors", gpt2, mixed, 0.0);
  check_export ("safetensors", gemma, mixed, 1e-6);
}

/* What Tare wrote is a source like any other. */
static void
test_again (void)
{
  g_autofree char *first = tare_test_temporary ("first");
  g_autofree char *second = tare_test_temporary ("second");
  const char *const other[] = { "*.ffn_down.weight", "q4_0", NULL };
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (mixed);
  g_autoptr(TareRecipe) again = make_recipe (other);
  g_autoptr(TareModel) written = export ("tare", model, recipe, first);
  g_autoptr(TareModel) copied = export ("tare", written, again, second);

  check_same_values ("tare", written, again, copied, 0.0);
  remove_folder (first);
  remove_folder (second);
}

static const char *const runtimes[] = {
  "compressed-tensors", "gptq", "gptq-v2", "awq", "fp8",
};

/* Layers of the sample that may differ; in a block four sets of those that a runtime fuses. */
static const char *const sets[] = {
  "attn_?.weight", "attn_output.weight", "ffn_*.weight", "ffn_down.weight",
};

#define N_SLOTS (6 * G_N_ELEMENTS (sets))

/* Writes a folder with a format to each slot. */
static void
check_formats (const char *target,
               GPtrArray  *formats)
{
  g_autoptr(GPtrArray) rules = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < formats->len; i++)
    {
      g_ptr_array_add (rules, g_strdup_printf ("blk.%u.%s", i / 4, sets[i % 4]));
      g_ptr_array_add (rules, g_strdup (g_ptr_array_index (formats, i)));
    }
  g_ptr_array_add (rules, NULL);
  if (formats->len > 0)
    check_export (target, NULL, (const char *const *) rules->pdata, 1e-6);
  g_ptr_array_set_size (formats, 0);
}

/* A fifth of the table, so that each kind of format is among them. */
static void
test_tare_formats (void)
{
  g_autoptr(GPtrArray) formats = g_ptr_array_new ();

  for (gsize i = 3; i < tare_format_get_n_formats (); i += 5)
    {
      g_ptr_array_add (formats, (gpointer) tare_format_get (i)->id);
      if (formats->len == N_SLOTS)
        check_formats ("tare", formats);
    }
  check_formats ("tare", formats);
}

/* Every format that a container is said to hold. AWQ has but one in a folder. */
static void
test_runtimes (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (runtimes); i++)
    {
      const TareTarget *target = tare_target_lookup (runtimes[i]);
      guint n_slots = g_str_equal (runtimes[i], "awq") ? 1 : N_SLOTS;
      g_autoptr(GPtrArray) formats = g_ptr_array_new ();

      for (gsize j = 0; j < tare_format_get_n_formats (); j++)
        {
          const TareFormat *format = tare_format_get (j);

          if ((format->containers & target->container) == 0
              || format->family == TARE_FORMAT_FAMILY_FLOAT)
            continue;
          g_ptr_array_add (formats, (gpointer) format->id);
          if (formats->len == n_slots)
            check_formats (runtimes[i], formats);
        }
      check_formats (runtimes[i], formats);
    }
}

/* The names, types and shapes that DeepSeek's files have, whole squares or not, some layers kept;
 * the values are those of the preview to the bit, and the bytes those of the matrix by itself. */
static void
test_squares (void)
{
  const char *const rules[] = {
    "blk.*", "fp8_e4m3_b128x128", "blk.2.ffn_down.weight", "bf16", NULL,
  };
  g_autofree char *path = tare_test_temporary ("squares");
  g_autofree char *file_path = g_build_filename (path, "model.safetensors", NULL);
  g_autofree char *config_path = g_build_filename (path, "config.json", NULL);
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (rules);
  g_autoptr(TareModel) written = export ("fp8", model, recipe, path);
  g_autoptr(GPtrArray) raw = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareFile) file = tare_file_open (file_path, &error);
  g_autoptr(JsonNode) node = NULL;
  const TareTensor *down = tare_model_lookup (model, "blk.1.ffn_down.weight");
  JsonObject *config = NULL;
  JsonArray *kept = NULL;
  guint n = 0;

  check_same_values ("fp8", model, recipe, written, 0.0);
  g_assert_true (tare_safetensors_read (file, raw, &error));
  for (guint i = 0; i < raw->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (raw, i);

      if (g_str_equal (tensor->name, "model.layers.1.mlp.down_proj.weight"))
        {
          g_assert_cmpstr (tensor->type_name, ==, "F8_E4M3");
          g_assert_cmpuint (tensor->bytes, ==, down->rows * down->columns);
          n++;
        }
      if (g_str_equal (tensor->name, "model.layers.1.mlp.down_proj.weight_scale_inv"))
        {
          g_assert_cmpstr (tensor->type_name, ==, "F32");
          g_assert_cmpuint (tensor->rows, ==, (down->rows + 127) / 128);
          g_assert_cmpuint (tensor->columns, ==, (down->columns + 127) / 128);
          n++;
        }
      g_assert_false (g_str_equal (tensor->name,
                                   "model.layers.2.mlp.down_proj.weight_scale_inv"));
    }
  g_assert_cmpuint (n, ==, 2);

  node = tare_json_load (config_path, &error);
  g_assert_no_error (error);
  config = tare_json_get_object (json_node_get_object (node), "quantization_config");
  g_assert_cmpstr (tare_json_get_string (config, "quant_method"), ==, "fp8");
  g_assert_cmpstr (tare_json_get_string (config, "fmt"), ==, "e4m3");
  g_assert_cmpstr (tare_json_get_string (config, "activation_scheme"), ==, "dynamic");
  g_assert_cmpint (json_array_get_int_element (tare_json_get_array (config, "weight_block_size"),
                                               1), ==, 128);
  kept = tare_json_get_array (config, "modules_to_not_convert");
  g_assert_cmpuint (json_array_get_length (kept), >=, 2);
  g_assert_cmpstr (json_array_get_string_element (kept, json_array_get_length (kept) - 1), ==,
                   "lm_head");
  remove_folder (path);
}

/* Codes that the source has already, in GGUF or in Tare's layout, are laid out anew and not made
 * anew. */
static void
test_kept (void)
{
  static const struct { const char *from, *to, *format; } ways[] = {
    { "gguf", "compressed-tensors", "mxfp4" }, { "tare", "compressed-tensors", "int4_g128" },
    { "tare", "gptq", "int8_g64" }, { "tare", "fp8", "fp8_e4m3_b128x128" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      const char *const rules[] = { "blk.*", ways[i].format, NULL };
      g_autofree char *first = tare_test_temporary (ways[i].from);
      g_autofree char *second = tare_test_temporary ("kept");
      g_autoptr(TareModel) model = tare_test_open_sample ();
      g_autoptr(TareRecipe) recipe = make_recipe (rules);
      g_autoptr(TareRecipe) none = tare_recipe_new ();
      g_autoptr(TareModel) source = export (ways[i].from, model, recipe, first);
      g_autoptr(TareModel) written = export (ways[i].to, source, none, second);
      const TareTensor *tensor = tare_model_lookup (written, "blk.3.attn_q.weight");

      g_test_message ("%s from %s", ways[i].to, ways[i].from);
      g_assert_nonnull (tensor->stored);
      check_same_values (ways[i].to, source, none, written, 0.0);
      if (g_str_equal (ways[i].from, "gguf"))
        g_assert_cmpint (g_remove (first), ==, 0);
      else
        remove_folder (first);
      remove_folder (second);
    }
}

static TarePlan *
plan (const char        *target,
      TareModel         *model,
      const char *const *rules)
{
  g_autoptr(TareRecipe) recipe = make_recipe (rules);
  g_autoptr(GError) error = NULL;
  TarePlan *result = tare_target_plan (tare_target_lookup (target), model, recipe, NULL,
                                       &error);

  g_assert_no_error (error);

  return result;
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

static void
check_change (const TarePlan *self,
              const char     *canonical,
              const char     *to,
              const char     *reason)
{
  const TareChange *change = find_change (self, canonical);

  g_assert_nonnull (change);
  g_assert_cmpstr (change->to != NULL ? change->to->id : NULL, ==, to);
  g_assert_nonnull (strstr (change->reason, reason));
}

/* Query, key and value are one layer to vLLM, gate and up another: the most bits count, and what
 * is not quantized has the most. */
static void
test_fused (void)
{
  const char *const rules[] = {
    "blk.0.*", "int4_g128", "blk.0.attn_v.weight", "int8_g128", "blk.1.*", "int4_g128",
    "blk.1.ffn_up.weight", "bf16", "output.weight", "int8_g128", NULL,
  };
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TarePlan) planned = plan ("compressed-tensors", model, rules);
  const TareTensor *tensor = tare_model_lookup (model, "blk.0.attn_q.weight");

  g_assert_cmpuint (planned->changes->len, ==, 4);
  check_change (planned, "blk.0.attn_q.weight", "int8_g128", "siblings");
  check_change (planned, "blk.0.attn_k.weight", "int8_g128", "siblings");
  check_change (planned, "blk.1.ffn_gate.weight", NULL, "siblings");
  check_change (planned, "output.weight", NULL, "linear layers of blocks");
  g_assert_cmpint (find_change (planned, "blk.0.attn_q.weight")->bytes, ==,
                   (gint64) (tare_tensor_get_n_weights (tensor) / 2));
  check_export ("compressed-tensors", NULL, rules, 0.0);
  check_export ("gptq", NULL, rules, 0.0);
}

/* What does not fit becomes what does: smaller groups, none, or no zero points. */
static void
test_shapes (void)
{
  const char *const rules[] = { "blk.*", "int4_g128", NULL };
  const char *const eight[] = { "blk.*", "fp8_e4m3_b128x128", NULL };
  const char *const zeros[] = { "blk.*", "int4_asym_g32", "blk.0.ffn_down.weight",
                                "int4_asym_g128", NULL };
  g_autoptr(TareModel) sample = tare_test_open_sample ();
  g_autoptr(TarePlan) symmetric = plan ("gptq", sample, zeros);
  g_autoptr(TarePlan) uniform = plan ("awq", sample, zeros);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TarePlan) packed = NULL;
  g_autoptr(TarePlan) gptq = NULL;
  g_autoptr(TarePlan) squares = NULL;

  check_change (symmetric, "blk.3.ffn_up.weight", "int4_g32", "zero point");
  g_assert_cmpuint (uniform->changes->len, ==, 1);
  check_change (uniform, "blk.0.ffn_down.weight", "int4_asym_g32", "one format");

  TARE_TEST_NEED_SHARED (stories, "models/stories260K");
  model = tare_test_open_model (stories);
  packed = plan ("compressed-tensors", model, rules);
  gptq = plan ("gptq", model, rules);
  check_change (packed, "blk.0.attn_q.weight", "int4_g64", "groups");
  check_change (packed, "blk.0.ffn_down.weight", "int4_channel", "groups");
  check_change (gptq, "blk.0.ffn_down.weight", NULL, "multiples of 32");
  squares = plan ("fp8", model, eight);
  check_change (squares, "blk.0.ffn_up.weight", NULL, "groups");
  check_export ("compressed-tensors", stories, rules, 0.0);
  check_export ("gptq-v2", stories, rules, 0.0);
}

static JsonObject *
read_quantization (const char  *folder,
                   JsonNode   **node)
{
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  g_autoptr(GError) error = NULL;

  *node = tare_json_load (path, &error);
  g_assert_no_error (error);

  return tare_json_get_object (json_node_get_object (*node), "quantization_config");
}

/* Several schemes in one folder are told apart by expressions that match the names of the layers,
 * and of the ones that vLLM makes of them. */
static void
test_schemes (void)
{
  const char *const rules[] = {
    "blk.0.*", "int4_g128", "blk.2.*", "int4_g128", "blk.1.ffn_down.weight", "int8_channel", NULL,
  };
  g_autofree char *path = tare_test_temporary ("schemes");
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (rules);
  g_autoptr(TareModel) packed = export ("compressed-tensors", model, recipe, path);
  g_autoptr(TareModel) gptq = NULL;
  g_autoptr(JsonNode) node = NULL;
  g_autoptr(JsonNode) other = NULL;
  JsonObject *object = read_quantization (path, &node);
  JsonObject *group = NULL;
  const char *pattern = NULL;

  g_assert_cmpstr (tare_json_get_string (object, "format"), ==, "pack-quantized");
  object = tare_json_get_object (object, "config_groups");
  g_assert_cmpuint (json_object_get_size (object), ==, 2);
  group = tare_json_get_object (object, "group_1");
  g_assert_cmpint (json_object_get_int_member (tare_json_get_object (group, "weights"),
                                               "group_size"), ==, 128);
  pattern = json_array_get_string_element (tare_json_get_array (group, "targets"), 0);
  g_assert_cmpstr (pattern, ==,
                   "re:.*model\\.layers\\.(0|2)\\.self_attn\\.(q|k|v|qkv)_proj$");
  g_assert_true (g_regex_match_simple (pattern + 3, "model.layers.2.self_attn.qkv_proj", 0, 0));
  g_assert_false (g_regex_match_simple (pattern + 3, "model.layers.12.self_attn.q_proj", 0, 0));
  group = tare_json_get_object (object, "group_0");
  g_assert_cmpstr (json_array_get_string_element (tare_json_get_array (group, "targets"), 0), ==,
                   "re:.*model\\.layers\\.(1)\\.mlp\\.down_proj$");
  remove_folder (path);

  gptq = export ("gptq", model, recipe, path);
  object = read_quantization (path, &other);
  check_file (path, "quantize_config.json", TRUE);
  g_assert_cmpint (json_object_get_int_member (object, "bits"), ==, 4);
  g_assert_cmpstr (tare_json_get_string (object, "checkpoint_format"), ==, "gptq");
  object = tare_json_get_object (object, "dynamic");
  group = tare_json_get_object (object, "+:.*model\\.layers\\.(1)\\.mlp\\.down_proj$");
  g_assert_cmpint (json_object_get_int_member (group, "bits"), ==, 8);
  g_assert_true (json_object_has_member (object, "-:.*model\\.layers\\.(1|3|4|5)\\.self_attn"
                                                 "\\.(q|k|v|qkv)_proj$"));
  remove_folder (path);
}

/* The zero points of symmetric GPTQ are all 8, of which the first version takes 1 off; and the
 * first word has the first eight inputs of the first output. */
static void
test_words (void)
{
  const char *const rules[] = { "blk.*", "int4_g128", NULL };
  g_autofree char *path = tare_test_temporary ("words");
  g_autofree char *file_path = g_build_filename (path, "model.safetensors", NULL);
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (rules);
  g_autoptr(TareModel) written = export ("gptq", model, recipe, path);
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareFile) file = tare_file_open (file_path, &error);
  guint n_checked = 0;

  g_assert_true (tare_safetensors_read (file, tensors, &error));
  for (guint i = 0; i < tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (tensors, i);
      const guint8 *bytes = tare_file_get_data (file) + tensor->offset;

      for (gsize j = 0; j < tensor->bytes && g_str_has_suffix (tensor->name, ".qzeros"); j++)
        g_assert_cmphex (bytes[j], ==, 0x77);
      if (g_str_equal (tensor->name, "model.layers.0.mlp.down_proj.qweight"))
        {
          const TareTensor *whole = tare_model_lookup (written, "blk.0.ffn_down.weight");
          g_autofree float *row = g_new (float, whole->columns);
          float largest = 0.0f;

          g_assert_true (tare_tensor_read_rows (whole, 0, 1, row, NULL));
          for (guint j = 0; j < 8; j++)
            largest = MAX (largest, fabsf (row[j]));
          g_assert_cmpfloat (largest, >, 0.0f);
          for (guint j = 0; j < 8; j++)
            {
              int code = (bytes[j / 2] >> j % 2 * 4 & 15) - 8;

              g_assert_true ((code > 0) == (row[j] > 0.0f) && (code == 0) == (row[j] == 0.0f));
            }
          n_checked++;
        }
    }
  g_assert_cmpuint (n_checked, ==, 1);
  remove_folder (path);
}

static void
check_refused (const char        *target,
               const char        *source,
               const char *const *rules,
               const char        *message)
{
  g_autoptr(TareModel) model = source != NULL ? tare_test_open_model (source)
                                              : tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (rules);
  g_autoptr(GError) error = NULL;

  g_assert_false (tare_target_check (tare_target_lookup (target), model, recipe, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, message));
}

static void
test_unheld (void)
{
  const char *const blocks[] = { "*", "q4_k", NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (runtimes); i++)
    check_refused (runtimes[i], NULL, blocks, "blk.0.attn_q.weight (Q4_K)");
}

/* Nothing is left where something was wrong, and what is there stays. */
static void
test_refusals (void)
{
  g_autofree char *path = tare_test_temporary ("refused");
  g_autofree char *inside = g_build_filename (path, "kept", NULL);
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (mixed);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  const TareTarget *target = tare_target_lookup ("tare");
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (tare_target_write (target, engine, recipe, NULL, path, NULL, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_clear_error (&error);

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  g_assert_true (g_file_set_contents (inside, "kept", -1, NULL));
  g_assert_false (tare_target_write (target, engine, recipe, NULL, path, NULL, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "is there already"));
  check_file (path, "kept", TRUE);
  remove_folder (path);
}

static void
write_all (TareSafetensorsWriter *writer,
           gsize                  index,
           guint8                 value,
           gsize                  n)
{
  g_autofree guint8 *bytes = g_malloc (n);
  g_autoptr(GError) error = NULL;

  memset (bytes, value, n);
  tare_safetensors_writer_write (writer, index, 0, bytes, n / 2, &error);
  g_assert_no_error (error);
  tare_safetensors_writer_write (writer, index, n / 2, bytes + n / 2, n - n / 2, &error);
  g_assert_no_error (error);
}

/* Files of at most 100 bytes of data, but for a tensor that is longer; written in any order. */
static void
test_shards (void)
{
  static const guint64 lengths[] = { 60, 30, 20, 300, 8 };
  g_autofree char *path = tare_test_temporary ("shards");
  g_autofree char *index_path = g_build_filename (path, "model.safetensors.index.json", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareSafetensorsWriter) writer = tare_safetensors_writer_new (path, 100, &error);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(JsonNode) node = NULL;
  JsonObject *map = NULL;
  gsize index[5];

  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *name = g_strdup_printf ("t%u", i);

      g_assert_true (tare_safetensors_writer_add (writer, name, i == 1 ? "I8" : "U8", 1,
                                                  &lengths[i], &index[i], &error));
    }
  g_assert_false (tare_safetensors_writer_add (writer, "t0", "U8", 1, lengths, index, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_clear_error (&error);
  for (guint i = 5; i-- > 0;)
    write_all (writer, index[i], (guint8) (i + 1), (gsize) lengths[i]);
  g_assert_nonnull (tare_safetensors_writer_finish (writer, &error));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (tare_safetensors_writer_commit (writer, &error));

  node = tare_json_load (index_path, &error);
  g_assert_no_error (error);
  map = tare_json_get_object (json_node_get_object (node), "weight_map");
  g_assert_cmpstr (tare_json_get_string (map, "t1"), ==, "model-00001-of-00004.safetensors");
  g_assert_cmpstr (tare_json_get_string (map, "t2"), ==, "model-00002-of-00004.safetensors");
  g_assert_cmpstr (tare_json_get_string (map, "t3"), ==, "model-00003-of-00004.safetensors");
  g_assert_cmpstr (tare_json_get_string (map, "t4"), ==, "model-00004-of-00004.safetensors");
  model = tare_test_open_model (path);
  g_assert_cmpuint (tare_model_get_n_tensors (model), ==, 5);
  for (guint i = 0; i < 5; i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);

      g_assert_cmpuint (tensor->bytes, ==, lengths[i]);
      for (gsize j = 0; j < tensor->bytes; j++)
        g_assert_cmpuint (tare_file_get_data (tensor->file)[tensor->offset + j], ==, i + 1);
    }
  g_clear_pointer (&model, tare_model_unref);
  remove_folder (path);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/target/squares", test_squares);
  g_test_add_func ("/target/kept", test_kept);
  g_test_add_func ("/target/tare/mixed", test_tare);
  g_test_add_func ("/target/tare/formats", test_tare_formats);
  g_test_add_func ("/target/tare/again", test_again);
  g_test_add_func ("/target/safetensors/values", test_values);
  g_test_add_func ("/target/runtimes/formats", test_runtimes);
  g_test_add_func ("/target/runtimes/fused", test_fused);
  g_test_add_func ("/target/runtimes/shapes", test_shapes);
  g_test_add_func ("/target/runtimes/schemes", test_schemes);
  g_test_add_func ("/target/runtimes/words", test_words);
  g_test_add_func ("/target/runtimes/unheld", test_unheld);
  g_test_add_func ("/target/folder/refusals", test_refusals);
  g_test_add_func ("/target/folder/shards", test_shards);

  return g_test_run ();
}
