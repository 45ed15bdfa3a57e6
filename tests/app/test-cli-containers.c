/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "quant/recipe/tare-target.h"
#include "tests/app/cli-fixture.h"
#include "tests/tare-test.h"

/* What each target is given, and how closely what it wrote evaluates to what was previewed. */
static const struct
{
  const char *target;
  const char *format;
  double      tolerance;
} exports[] = {
  { "gguf", "q4_0", 1e-5 },
  { "compressed-tensors", "int4_g128", 1e-5 },
  { "gptq", "int4_g64", 1e-5 },
  { "gptq-v2", "int3_asym_g64", 1e-5 },
  { "awq", "int4_asym_g64", 1e-5 },
  { "safetensors", "int4_g32", 1e-5 },
  { "safetensors-f16", "int4_g32", 2e-2 },
  { "safetensors-bf16", "int4_g32", 2e-2 },
  { "tare", "nf4", 1e-5 },
};

static void
remove_all (const char *path)
{
  g_autoptr(GDir) dir = g_dir_open (path, 0, NULL);
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      g_remove (file);
    }
  g_remove (path);
}

/* The recipe with what the target changed of it, as its own JSON says it. */
static void
write_recipe (const char *path,
              const char *format,
              JsonObject *written)
{
  g_autoptr(GString) rules = g_string_new (NULL);
  JsonArray *changes = json_object_get_array_member (written, "changes");

  g_string_append_printf (rules, "{\"match\": \"*\", \"format\": \"%s\", \"range\": \"minmax\"}",
                          format);
  for (guint i = 0; i < json_array_get_length (changes); i++)
    {
      JsonObject *change = json_array_get_object_element (changes, i);
      const char *to = json_object_get_string_member (change, "to");

      g_assert_nonnull (json_object_get_string_member (change, "reason"));
      g_assert_true (json_object_has_member (change, "bytes"));
      if (strstr (json_object_get_string_member (change, "reason"), "values") != NULL)
        continue;
      g_string_append_printf (rules, ", {\"match\": \"%s\", \"range\": \"minmax\", \"format\": ",
                              json_object_get_string_member (change, "canonical"));
      if (tare_format_lookup (to) != NULL)
        g_string_append_printf (rules, "\"%s\"}", to);
      else
        g_string_append (rules, "null}");
    }
  cli_write_recipe (path, rules->str);
}

static double
evaluate (const char *model,
          const char *recipe)
{
  g_autofree char *excerpt = tare_test_write_excerpt ("treasure-island.txt", 4000);
  g_autoptr(JsonObject) root = NULL;

  root = recipe != NULL ? cli_run_json ("evaluate %s --text %s --context 256 --chunks 2 "
                                        "--recipe %s --json", model, excerpt, recipe)
                        : cli_run_json ("evaluate %s --text %s --context 256 --chunks 2 --json",
                                        model, excerpt);

  return cli_get_number (root, "perplexity");
}

static void
check_export (gsize k)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *output = tare_test_temporary (exports[k].target);
  g_autofree char *recipe = tare_test_temporary ("changed.json");
  g_autoptr(JsonObject) written = NULL, inspected = NULL, compared = NULL;
  JsonObject *row = NULL;
  double previewed, measured;

  written = cli_run_json ("quantize %s --format %s --range minmax --target %s --output %s --json",
                          sample, exports[k].format, exports[k].target, output);
  write_recipe (recipe, exports[k].format, written);
  inspected = cli_run_json ("inspect %s --json", output);
  g_assert_cmpfloat (cli_get_number (inspected, "bytes"), ==, cli_get_number (written, "bytes"));
  g_assert_cmpfloat (cli_get_number (inspected, "parameters"), >, 5e6);
  row = cli_find_row (inspected, "tensors", "canonical", "blk.2.attn_q.weight");
  g_assert_cmpfloat (cli_get_number (row, "absolute_maximum"), >, 0.0);

  previewed = evaluate (sample, recipe);
  measured = evaluate (output, NULL);
  g_test_message ("%s: previewed %.6f, written %.6f", exports[k].target, previewed, measured);
  g_assert_cmpfloat (fabs (measured / previewed - 1.0), <, exports[k].tolerance);

  compared = cli_run_json ("compare %s %s --json", sample, output);
  row = cli_find_row (compared, "tensors", "canonical", "blk.2.ffn_down.weight");
  g_assert_cmpfloat (cli_get_number (row, "relative_error"), >, 1e-4);
  g_assert_cmpfloat (cli_get_number (row, "relative_error"), <, 0.05);
  row = cli_find_row (compared, "tensors", "canonical", "blk.2.attn_norm.weight");
  g_assert_cmpfloat (cli_get_number (row, "relative_error"), ==, 0.0);
  remove_all (output);
}

/* What is previewed is what is written, for every target. */
static void
test_targets (void)
{
  g_assert_cmpuint (tare_target_get_n_targets (), ==, G_N_ELEMENTS (exports));
  for (gsize i = 0; i < G_N_ELEMENTS (exports); i++)
    {
      g_assert_nonnull (tare_target_lookup (exports[i].target));
      check_export (i);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/cli/containers/targets", test_targets);

  return g_test_run ();
}
