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
  { "fp8", "fp8_e4m3_b128x128", 1e-5 },
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

/* What a target cannot keep of a recipe is in the plan once, before anything is written. */
static void
test_dropped (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *recipe = tare_test_temporary ("cache.json");
  g_auto(CliRun) run = { 0 };

  cli_write_recipe (recipe, "{\"match\": \"blk.*.weight\", \"format\": \"int8_channel\"},"
                            "{\"match\": \"blk.*.input\", \"format\": \"int8_channel\"},"
                            "{\"match\": \"*.key\", \"format\": \"int8_channel\"},"
                            "{\"match\": \"*.value\", \"format\": \"int8_channel\","
                            " \"window\": 64}");
  for (gsize i = 0; i < G_N_ELEMENTS (exports); i++)
    {
      g_autoptr(JsonObject) planned = NULL;
      JsonObject *row = NULL;
      gboolean inputs = strcmp (exports[i].target, "compressed-tensors") == 0;
      /* Which of them hold such weights. */
      gboolean held = strcmp (exports[i].target, "gguf") != 0
                      && strcmp (exports[i].target, "awq") != 0
                      && strcmp (exports[i].target, "fp8") != 0;

      if (!held)
        continue;
      planned = cli_run_json ("quantize %s --recipe %s --target %s --dry-run --json", sample,
                              recipe, exports[i].target);
      row = cli_find_row (planned, "changes", "canonical", "*.key");
      g_assert_cmpstr (json_object_get_string_member (row, "from"), ==, "int8_channel");
      g_assert_true (json_object_get_null_member (row, "to"));
      g_assert_cmpfloat (cli_get_number (row, "bytes"), ==, 0.0);
      row = cli_find_row (planned, "changes", "canonical", "*.value");
      g_assert_nonnull (strstr (json_object_get_string_member (row, "reason"), "window"));
      if (!inputs)
        cli_find_row (planned, "changes", "canonical", "blk.*.input");
      else
        g_assert_cmpuint (json_array_get_length (json_object_get_array_member (planned,
                                                                               "changes")),
                          ==, 2);
    }

  run = cli_run ("quantize %s --recipe kv4 --dry-run", sample);
  g_assert_cmpint (run.status, ==, 0);
  g_assert_nonnull (strstr (run.error, "blk.*.key: not rounded to int4_asym_g64: "));
  g_assert_nonnull (strstr (run.error, "blk.*.value: not rounded to int4_asym_g64: "));
}

/* A static range is refused by the plan, which says what to do, and then it is done. */
static void
test_uncalibrated (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *excerpt = tare_test_write_excerpt ("treasure-island.txt", 2000);
  g_autofree char *recipe = tare_test_temporary ("static.json");
  g_autofree char *calibration = tare_test_temporary ("static.safetensors");
  g_autofree char *output = tare_test_temporary ("static");
  g_autoptr(JsonObject) calibrated = NULL, written = NULL;
  const char *const ways[] = { "quantize %s --recipe %s --target compressed-tensors --dry-run "
                               "--json",
                               "quantize %s --recipe %s --target compressed-tensors --output %s" };

  cli_write_recipe (recipe, "{\"match\": \"blk.*.weight\", \"format\": \"int8_channel\"},"
                            "{\"match\": \"blk.*.input\", \"format\": \"int8_channel\","
                            " \"scale\": \"tensor\"}");
  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_auto(CliRun) run = cli_run (ways[i], sample, recipe, output);

      g_assert_cmpint (run.status, ==, 1);
      g_assert_nonnull (strstr (run.error, "blk.0.attn_q.weight and 23 more: a static range"));
      g_assert_nonnull (strstr (run.error, "calibrate first"));
      g_assert_false (g_file_test (output, G_FILE_TEST_EXISTS));
    }

  calibrated = cli_run_json ("calibrate %s --text %s --context 128 --output %s --json", sample,
                             excerpt, calibration);
  written = cli_run_json ("quantize %s --recipe %s --calibration %s --target compressed-tensors "
                          "--output %s --json", sample, recipe, calibration, output);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (written, "changes")),
                    ==, 0);
  remove_all (output);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/cli/containers/targets", test_targets);
  g_test_add_func ("/cli/containers/dropped", test_dropped);
  g_test_add_func ("/cli/containers/uncalibrated", test_uncalibrated);

  return g_test_run ();
}
