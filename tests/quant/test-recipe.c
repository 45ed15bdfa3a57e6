/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-recipe.h"

#include <string.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

/* A tensor without a file: rules and sizes look at no weight. */
static TareTensor
make_tensor (const char *canonical,
             guint       n_dimensions,
             gsize       rows,
             gsize       columns,
             const char *format)
{
  TareTensor tensor = {
    .name = (char *) canonical,
    .canonical = (char *) canonical,
    .type_name = (char *) "BF16",
    .format = tare_format_lookup (format),
    .n_dimensions = n_dimensions,
    .shape = { rows, columns },
    .rows = rows,
    .columns = columns,
  };

  tensor.role = tare_role_from_canonical (canonical, &tensor.block, &tensor.bias);
  if (tensor.format != NULL)
    tensor.bytes = tare_format_get_bytes (tensor.format, rows, columns);

  return tensor;
}

static TareAssignment
make_assignment (const char *format)
{
  TareAssignment assignment = {
    .format = format != NULL ? tare_format_lookup (format) : NULL,
    .method = tare_method_lookup ("rtn"),
    .range = TARE_RANGE_SEARCH,
  };

  g_assert_true (format == NULL || assignment.format != NULL);

  return assignment;
}

/* Takes over @recipe. */
static TareRecipe *
add_rule (TareRecipe *recipe,
          const char *match,
          const char *format)
{
  TareAssignment assignment = make_assignment (format);
  TareRecipe *result = tare_recipe_with_rule (recipe, match, &assignment);

  tare_recipe_unref (recipe);

  return result;
}

static const char *
resolve_id (TareRecipe       *recipe,
            const TareTensor *tensor)
{
  const TareFormat *format = tare_recipe_resolve (recipe, tensor).format;

  return format != NULL ? format->id : NULL;
}

static void
test_later_rules_win (void)
{
  TareTensor q = make_tensor ("blk.1.attn_q.weight", 2, 256, 256, "bf16");
  TareTensor v = make_tensor ("blk.1.attn_v.weight", 2, 256, 256, "bf16");
  TareTensor v12 = make_tensor ("blk.12.attn_v.weight", 2, 256, 256, "bf16");
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();

  g_assert_null (resolve_id (recipe, &q));

  recipe = add_rule (recipe, "*", "q4_k");
  recipe = add_rule (recipe, "*.attn_v.weight", "q6_k");
  g_assert_cmpstr (resolve_id (recipe, &q), ==, "q4_k");
  g_assert_cmpstr (resolve_id (recipe, &v), ==, "q6_k");

  recipe = add_rule (recipe, "blk.1.attn_v.weight", "q8_0");
  g_assert_cmpstr (resolve_id (recipe, &v), ==, "q8_0");
  g_assert_cmpstr (resolve_id (recipe, &v12), ==, "q6_k");

  recipe = add_rule (recipe, "blk.?.attn_*", NULL);
  g_assert_null (resolve_id (recipe, &v));
  g_assert_null (resolve_id (recipe, &q));
  g_assert_cmpstr (resolve_id (recipe, &v12), ==, "q6_k");
}

static void
test_only_matrices (void)
{
  const TareTensor kept[] = {
    make_tensor ("blk.0.attn_norm.weight", 1, 1, 256, "bf16"),
    make_tensor ("blk.0.attn_q.bias", 1, 1, 256, "bf16"),
    make_tensor ("rope_freqs.weight", 1, 1, 32, "f32"),
    make_tensor ("output_norm.weight", 1, 1, 256, "f32"),
    make_tensor ("encoder.some_norm.weight", 2, 4, 256, "bf16"),
    make_tensor ("encoder.scale", 2, 4, 256, "bf16"),
    make_tensor ("blk.0.attn_q.weight", 2, 4, 256, "none of the table"),
  };
  TareTensor unknown = make_tensor ("encoder.proj.weight", 2, 256, 256, "bf16");
  g_autoptr(TareRecipe) recipe = add_rule (tare_recipe_new (), "*", "q4_k");

  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    g_assert_null (resolve_id (recipe, &kept[i]));
  g_assert_cmpstr (resolve_id (recipe, &unknown), ==, "q4_k");
}

static void
test_hidden_rules_go (void)
{
  const char *const two[] = { "blk.0.ffn_up.weight", "blk.1.ffn_up.weight", NULL };
  const char *const one[] = { "blk.0.ffn_up.weight", "blk.0.ffn_up.weight", NULL };
  TareAssignment q4 = make_assignment ("q4_0");
  TareAssignment q5 = make_assignment ("q5_0");
  g_autoptr(TareRecipe) first = add_rule (tare_recipe_new (), "*", "q8_0");
  g_autoptr(TareRecipe) second = tare_recipe_with_tensors (first, two, &q4);
  g_autoptr(TareRecipe) third = tare_recipe_with_tensors (second, one, &q5);
  g_autoptr(TareRecipe) fourth = tare_recipe_with_rule (third, "*.ffn_up.weight", &q4);
  g_autoptr(TareRecipe) fifth = tare_recipe_with_rule (fourth, "*", &q5);
  TareTensor up = make_tensor (two[0], 2, 8, 256, "f32");

  g_assert_cmpuint (tare_recipe_get_n_rules (first), ==, 1);
  g_assert_cmpuint (tare_recipe_get_n_rules (second), ==, 3);
  g_assert_cmpuint (tare_recipe_get_n_rules (third), ==, 3);
  g_assert_cmpstr (tare_recipe_get_rule (third, 1)->match, ==, two[1]);
  g_assert_cmpstr (resolve_id (second, &up), ==, "q4_0");
  g_assert_cmpstr (resolve_id (third, &up), ==, "q5_0");
  g_assert_cmpuint (tare_recipe_get_n_rules (fourth), ==, 2);
  g_assert_cmpstr (resolve_id (fourth, &up), ==, "q4_0");
  g_assert_cmpuint (tare_recipe_get_n_rules (fifth), ==, 1);
  g_assert_cmpstr (resolve_id (fifth, &up), ==, "q5_0");
}

/* Whatever was left out, every name must resolve as if all rules had been kept in their order. */
static void
test_against_all_rules (void)
{
  static const char *const matches[] = {
    "*", "blk.*", "*.attn_q.weight", "blk.?.ffn_*", "blk.0.attn_q.weight", "blk.1.ffn_up.weight",
    "blk.10.ffn_up.weight", "*.weight",
  };
  static const char *const names[] = {
    "blk.0.attn_q.weight", "blk.1.ffn_up.weight", "blk.10.ffn_up.weight", "output.weight",
  };
  static const char *const formats[] = { "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "f16" };
  g_autoptr(GRand) random = g_rand_new_with_seed (11);

  for (int round = 0; round < 300; round++)
    {
      g_autoptr(TareRecipe) recipe = tare_recipe_new ();
      const char *expected[G_N_ELEMENTS (names)] = { NULL };

      for (int i = 0; i < 12; i++)
        {
          const char *match = matches[g_rand_int_range (random, 0, G_N_ELEMENTS (matches))];
          const char *format = formats[g_rand_int_range (random, 0, G_N_ELEMENTS (formats))];

          recipe = add_rule (recipe, match, format);
          for (gsize j = 0; j < G_N_ELEMENTS (names); j++)
            if (g_pattern_match_simple (match, names[j]))
              expected[j] = format;
        }
      for (gsize j = 0; j < G_N_ELEMENTS (names); j++)
        {
          TareTensor tensor = make_tensor (names[j], 2, 32, 32, "f32");

          g_assert_cmpstr (resolve_id (recipe, &tensor), ==, expected[j]);
        }
    }
}

static void
test_json_round_trip (void)
{
  TareAssignment assignment = make_assignment ("q6_k");
  g_autoptr(GError) error = NULL;
  g_autoptr(TareRecipe) recipe = add_rule (tare_recipe_new (), "*", "q4_k");
  g_autoptr(TareRecipe) locked = NULL;
  g_autoptr(TareRecipe) kept = NULL;
  g_autoptr(TareRecipe) back = NULL;
  g_autoptr(TareRecipe) loaded = NULL;
  g_autofree char *path = tare_test_temporary ("recipe.json");
  g_autofree char *text = NULL;
  TareAssignment none = make_assignment (NULL);

  assignment.locked = TRUE;
  assignment.range = TARE_RANGE_PERCENTILE;
  locked = tare_recipe_with_rule (recipe, "*.attn_v.weight", &assignment);
  kept = tare_recipe_with_rule (locked, "output.weight", &none);

  text = tare_recipe_to_json (kept, NULL);
  back = tare_recipe_parse (text, strlen (text), "text", &error);
  g_assert_no_error (error);
  g_assert_true (tare_recipe_equal (kept, back));
  g_assert_false (tare_recipe_equal (locked, back));
  g_assert_cmpuint (tare_recipe_get_n_rules (back), ==, 3);
  g_assert_true (tare_recipe_get_rule (back, 1)->assignment.locked);
  g_assert_cmpint (tare_recipe_get_rule (back, 1)->assignment.range, ==, TARE_RANGE_PERCENTILE);
  g_assert_null (tare_recipe_get_rule (back, 2)->assignment.format);

  tare_recipe_save (kept, NULL, path, &error);
  g_assert_no_error (error);
  loaded = tare_recipe_load (path, &error);
  g_assert_no_error (error);
  g_assert_true (tare_recipe_equal (kept, loaded));
}

static void
test_json_of_the_contract (void)
{
  static const char text[] =
    "{\"tare\": 1, \"model\": {\"name\": \"m\", \"parameters\": 5, \"hash\": \"h\"}, \"later\": 2,"
    " \"rules\": [{\"match\": \"*.attn_v.weight\", \"format\": \"q6_k\", \"method\": \"rtn\","
    " \"locked\": true}, {\"match\": \"*\", \"format\": null}]}";
  g_autoptr(GError) error = NULL;
  g_autoptr(TareRecipe) recipe = tare_recipe_parse (text, strlen (text), "text", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tare_recipe_get_n_rules (recipe), ==, 2);
  g_assert_cmpstr (tare_recipe_get_rule (recipe, 0)->match, ==, "*.attn_v.weight");
  g_assert_cmpstr (tare_recipe_get_rule (recipe, 0)->assignment.format->id, ==, "q6_k");
  g_assert_cmpstr (tare_recipe_get_rule (recipe, 1)->assignment.method->id, ==, "rtn");
}

static void
test_json_refused (void)
{
  static const struct
  {
    const char *text;
    const char *names;
  } cases[] = {
    { "", "text" },
    { "[1]", "tare" },
    { "{\"rules\": []}", "tare" },
    { "{\"tare\": 2, \"rules\": []}", "version 2" },
    { "{\"tare\": 1.5, \"rules\": []}", "version 1.5" },
    { "{\"tare\": \"1\", \"rules\": []}", "tare" },
    { "{\"tare\": 1}", "rules" },
    { "{\"tare\": 1, \"rules\": {}}", "rules" },
    { "{\"tare\": 1, \"rules\": [3]}", "rules[0]" },
    { "{\"tare\": 1, \"rules\": [{\"format\": \"q4_k\"}]}", "rules[0]: match" },
    { "{\"tare\": 1, \"rules\": [{\"match\": 4, \"format\": \"q4_k\"}]}", "rules[0]: match" },
    { "{\"tare\": 1, \"rules\": [{\"match\": \"*\"}]}", "rules[0]: format" },
    { "{\"tare\": 1, \"rules\": [{\"match\": \"*\", \"format\": 4}]}", "rules[0]: format" },
    { "{\"tare\": 1, \"rules\": [{\"match\": \"*\", \"format\": null},"
      " {\"match\": \"*\", \"format\": \"q4_z\"}]}", "rules[1]: format: unknown format 'q4_z'" },
    { "{\"tare\": 1, \"rules\": [{\"match\": \"*\", \"format\": null, \"method\": \"m\"}]}",
      "rules[0]: method: unknown method 'm'" },
    { "{\"tare\": 1, \"rules\": [{\"match\": \"*\", \"format\": null, \"range\": \"r\"}]}",
      "rules[0]: range: unknown range 'r'" },
    { "{\"tare\": 1, \"rules\": [{\"match\": \"*\", \"format\": null, \"locked\": 1}]}",
      "rules[0]: locked" },
    { "{\"tare\": 1, \"rules\": [{\"match\": \"*\", \"format\": null, \"metod\": \"rtn\"}]}",
      "rules[0]: unknown key 'metod'; known, the nearest first: method," },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GError) error = NULL;
      TareRecipe *recipe = tare_recipe_parse (cases[i].text, strlen (cases[i].text), "text",
                                              &error);

      g_assert_null (recipe);
      g_assert_nonnull (error);
      g_assert_nonnull (strstr (error->message, cases[i].names));
      g_assert_true (g_str_has_prefix (error->message, "text"));
      g_assert_null (strchr (error->message, '\n'));
    }
}

static void
test_load_missing (void)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_recipe_load ("/nowhere/recipe.json", &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "recipe.json"));
}

/* Sizes by the block layouts of the GGUF specification, worked out by hand. */
static void
test_sizes (void)
{
  static const struct
  {
    const char *format;
    gsize       columns;
    const char *effective;
    guint64     bytes;
  } cases[] = {
    { "q4_k", 512, "q4_k", 10 * 2 * 144 },
    { "q4_k", 480, "q5_0", 10 * 15 * 22 },
    { "q5_k", 480, "q5_1", 10 * 15 * 24 },
    { "q6_k", 480, "q8_0", 10 * 15 * 34 },
    { "q6_k", 172, "f16", 10 * 172 * 2 },
    { "q4_0", 172, "f16", 10 * 172 * 2 },
    { "q8_0", 512, "q8_0", 10 * 16 * 34 },
    { NULL, 172, "bf16", 10 * 172 * 2 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      TareTensor tensor = make_tensor ("output.weight", 2, 10, cases[i].columns, "bf16");
      g_autoptr(TareRecipe) recipe = add_rule (tare_recipe_new (), "*", cases[i].format);

      g_assert_cmpstr (tare_recipe_effective_format (recipe, &tensor)->id, ==,
                       cases[i].effective);
      g_assert_cmpuint (tare_recipe_get_tensor_bytes (recipe, &tensor), ==, cases[i].bytes);
    }
}

static void
test_sizes_of_kept (void)
{
  TareTensor norm = make_tensor ("output_norm.weight", 1, 1, 256, "bf16");
  TareTensor half = make_tensor ("output.weight", 2, 4, 256, "f16");
  TareTensor full = make_tensor ("output.weight", 2, 4, 256, "f32");
  TareTensor other = make_tensor ("output.weight", 2, 4, 256, "none of the table");
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();

  other.bytes = 84;
  g_assert_cmpuint (tare_recipe_get_tensor_bytes (recipe, &norm), ==, 256 * 2);
  g_assert_cmpuint (tare_recipe_get_tensor_bytes (recipe, &half), ==, 4 * 256 * 2);
  g_assert_cmpuint (tare_recipe_get_tensor_bytes (recipe, &full), ==, 4 * 256 * 4);
  g_assert_null (tare_recipe_effective_format (recipe, &other));
  g_assert_cmpuint (tare_recipe_get_tensor_bytes (recipe, &other), ==, 84);
}

/* Rules may be many ways and say the same of a model; locks say nothing of its weights. */
static void
test_equal_for_a_model (void)
{
  g_autofree char *path = tare_test_source ("data/sample");
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (path, &error);
  g_autoptr(TareRecipe) all = add_rule (tare_recipe_new (), "*.weight", "q4_k");
  g_autoptr(TareRecipe) twice = add_rule (tare_recipe_ref (all), "blk.2.attn_q.weight", "q4_k");
  g_autoptr(TareRecipe) norms = add_rule (tare_recipe_ref (all), "*_norm.weight", "q8_0");
  g_autoptr(TareRecipe) other = add_rule (tare_recipe_ref (all), "blk.2.attn_q.weight", "q8_0");
  g_autoptr(TareRecipe) inputs = add_rule (tare_recipe_ref (all), "blk.2.attn_q.input", "q8_0");
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(TareRecipe) kept = add_rule (tare_recipe_new (), "*", NULL);
  TareAssignment locked = make_assignment ("q4_k");
  TareAssignment ranged = make_assignment ("q4_k");
  g_autoptr(TareRecipe) lock = NULL;
  g_autoptr(TareRecipe) range = NULL;

  g_assert_no_error (error);
  locked.locked = TRUE;
  lock = tare_recipe_with_rule (all, "blk.2.attn_q.weight", &locked);
  ranged.range = TARE_RANGE_MINIMUM_MAXIMUM;
  range = tare_recipe_with_rule (all, "blk.2.attn_q.weight", &ranged);

  g_assert_true (tare_recipe_equal_for (all, all, model));
  g_assert_true (tare_recipe_equal_for (all, twice, model));
  g_assert_true (tare_recipe_equal_for (all, norms, model));
  g_assert_true (tare_recipe_equal_for (all, lock, model));
  g_assert_true (tare_recipe_equal_for (none, kept, model));
  g_assert_false (tare_recipe_equal_for (all, none, model));
  g_assert_false (tare_recipe_equal_for (all, other, model));
  g_assert_false (tare_recipe_equal_for (all, range, model));
  g_assert_false (tare_recipe_equal_for (all, inputs, model));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/recipe/later-rules-win", test_later_rules_win);
  g_test_add_func ("/recipe/only-matrices", test_only_matrices);
  g_test_add_func ("/recipe/hidden-rules-go", test_hidden_rules_go);
  g_test_add_func ("/recipe/against-all-rules", test_against_all_rules);
  g_test_add_func ("/recipe/json/round-trip", test_json_round_trip);
  g_test_add_func ("/recipe/json/of-the-contract", test_json_of_the_contract);
  g_test_add_func ("/recipe/json/refused", test_json_refused);
  g_test_add_func ("/recipe/load-missing", test_load_missing);
  g_test_add_func ("/recipe/equal-for-a-model", test_equal_for_a_model);
  g_test_add_func ("/recipe/sizes", test_sizes);
  g_test_add_func ("/recipe/sizes-of-kept", test_sizes_of_kept);

  return g_test_run ();
}
