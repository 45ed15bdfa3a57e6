/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the command line says where somebody got something wrong. */
#include <string.h>

#include "quant/recipe/tare-target.h"
#include "tests/app/cli-fixture.h"
#include "tests/tare-test.h"

/* One line on standard error that says @says, and nothing on standard output. Takes over @done. */
static void
check_fails (CliRun      done,
             int         status,
             const char *says)
{
  g_auto(CliRun) run = done;

  g_test_message ("%s", run.error);
  g_assert_cmpint (run.status, ==, status);
  g_assert_cmpstr (run.output, ==, "");
  g_assert_nonnull (strstr (run.error, says));
  if (status == 1)
    g_assert_cmpstr (strchr (run.error, '\n'), ==, "\n");
}

/* A text where a calibration should be, whether or not something is to be written. */
static void
test_calibration (void)
{
  const char *says = "neither a calibration nor an importance matrix";
  g_autofree char *sample = cli_find_sample (NULL);
  g_autofree char *text = tare_test_temporary ("calibration.txt");
  g_autofree char *output = tare_test_temporary ("calibrated.gguf");
  g_autofree char *weights = cli_find_sample ("model.safetensors");
  const char *paths[] = { text, weights };

  g_assert_true (g_file_set_contents (text, "Alice was beginning to get very tired.", -1, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      check_fails (cli_run ("quantize %s --format q8_0 --dry-run --calibration %s", sample,
                            paths[i]), 1, says);
      check_fails (cli_run ("quantize %s --format q8_0 --calibration %s --output %s", sample,
                            paths[i], output), 1, says);
      g_assert_false (g_file_test (output, G_FILE_TEST_EXISTS));
    }
}

/* Files too short to be anything. */
static void
test_short (void)
{
  g_autofree char *path = tare_test_temporary ("zero.gguf");

  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  check_fails (cli_run ("inspect %s --json", path), 1, "0 bytes: neither GGUF nor safetensors");
  g_assert_true (g_file_set_contents (path, "GGU", 3, NULL));
  check_fails (cli_run ("inspect %s --json", path), 1, "3 bytes: neither GGUF nor safetensors");
}

/* A name that there is not is answered with those that there are. */
static void
test_names (void)
{
  static const struct
  {
    const char *line;
    const char *says;
  } cases[] = {
    { "quantize a --format q4k --output o", "unknown format 'q4k'; the nearest are q4_k," },
    { "quantize a --format q4_k --output o --target guf",
      "unknown target 'guf'; known, the nearest first: gguf," },
    { "quantize a --format q4_k --output o --method rtm", "nearest first: rtn" },
    { "quantize a --format q4_k --output o --range min", "nearest first: minmax," },
    { "evaluate a --text t --mode segment", "nearest first: segments, llama.cpp" },
    { "sensitivity a --text t --measure measured_k", "measured_kl" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    check_fails (cli_run (cases[i].line), 2, cases[i].says);
}

/* Formats go by their labels and in capitals too; what is told and written has their ids. */
static void
test_formats (void)
{
  static const struct
  {
    const char *format;
    const char *id;
  } cases[] = {
    { "Q4_K", "q4_k" }, { "INT4 g128", "int4_g128" }, { "int4 G128", "int4_g128" },
  };
  g_autofree char *sample = cli_find_sample (NULL);
  g_autofree char *path = tare_test_temporary ("labels.json");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *rules = g_strdup_printf ("{\"match\": \"*\", \"format\": \"%s\"}",
                                                cases[i].format);
      g_autoptr(JsonObject) named = NULL;
      g_autoptr(JsonObject) ruled = NULL;
      JsonObject *row;

      cli_write_recipe (path, rules);
      named = cli_run_json ("quantize %s --dry-run --json --target tare --format %s", sample,
                            cases[i].format);
      ruled = cli_run_json ("quantize %s --dry-run --json --target tare --recipe %s", sample, path);
      row = cli_find_row (named, "tensors", "canonical", "blk.0.attn_q.weight");
      g_assert_cmpstr (json_object_get_string_member (row, "format"), ==, cases[i].id);
      row = cli_find_row (ruled, "tensors", "canonical", "blk.0.attn_q.weight");
      g_assert_cmpstr (json_object_get_string_member (row, "format"), ==, cases[i].id);
    }
}

/* A rule that finds nothing is told of, and a key that there is not is an error. */
static void
test_rules (void)
{
  g_autofree char *sample = cli_find_sample (NULL);
  g_autofree char *path = tare_test_temporary ("rules.json");
  g_autoptr(JsonObject) root = NULL;
  JsonArray *unmatched;

  cli_write_recipe (path, "{\"match\": \"*\", \"format\": \"q8_0\"},"
                          "{\"match\": \"*.atn_q.weight\", \"format\": \"q4_0\"},"
                          "{\"match\": \"blk.0.attn_q.weight\", \"format\": \"q4_0\"},"
                          "{\"match\": \"blk.99.attn_q.weight\", \"format\": \"q4_0\"},"
                          "{\"match\": \"*.attn_q.input\", \"format\": null},"
                          "{\"match\": \"*.atn_q.input\", \"format\": null}");
  root = cli_run_json ("quantize %s --dry-run --json --recipe %s", sample, path);
  unmatched = json_object_get_array_member (root, "unmatched_rules");
  g_assert_cmpuint (json_array_get_length (unmatched), ==, 3);
  g_assert_cmpstr (json_array_get_string_element (unmatched, 0), ==, "*.atn_q.weight");
  g_assert_cmpstr (json_array_get_string_element (unmatched, 1), ==, "blk.99.attn_q.weight");
  g_assert_cmpstr (json_array_get_string_element (unmatched, 2), ==, "*.atn_q.input");

  {
    g_auto(CliRun) shown = cli_run ("quantize %s --dry-run --recipe %s", sample, path);

    g_assert_cmpint (shown.status, ==, 0);
    g_assert_nonnull (strstr (shown.error, "rules.json: rules[1]: '*.atn_q.weight' matches"));
    g_assert_null (strstr (shown.error, "rules[0]"));
    g_assert_null (strstr (shown.error, "rules[4]"));
  }

  cli_write_recipe (path, "{\"match\": \"*\", \"format\": \"q8_0\", \"metod\": \"rtn\"}");
  check_fails (cli_run ("quantize %s --dry-run --recipe %s", sample, path), 1,
               "rules.json: rules[0]: unknown key 'metod'; known, the nearest first: method");
}

/* Numbers out of their bounds: the option is named, and what it may be. */
static void
test_numbers (void)
{
  static const struct
  {
    const char *line;
    const char *says;
  } cases[] = {
    { "evaluate a --text t --context 0", "--context must be 2 or more" },
    { "evaluate a --text t --context 99999999999", "--context must be 2 or more" },
    { "evaluate a --text t --chunks 0", "--chunks must be 1 or more" },
    { "evaluate a --tasks t --questions 0", "--questions must be 1 or more" },
    { "evaluate a --text t --save-base b --base-tokens 0",
      "--base-tokens must be from 1 to 16384" },
    { "calibrate a --text t --output o --context 0", "--context must be 1 or more" },
    { "calibrate a --text t --output o --tokens 0", "--tokens must be 1 or more" },
    { "sensitivity a --text t --context 0", "--context must be 1 or more" },
    { "sensitivity a --text t --tokens -1", "--tokens must be 1 or more" },
    { "sensitivity a --text t --interactions 1", "--interactions must be 2 or more" },
    { "continue a --prompt x --tokens 65537", "--tokens must be from 1 to 65536" },
    { "continue a --prompt x --seed -1", "--seed must be 0 or more" },
    { "continue a --prompt x --recipe r --position -1", "--position must be 0 or more" },
    { "logits a --text t --output o --tokens 0", "--tokens must be 1 or more" },
    { "encode x --format q8_0 --output o", "--columns must be 1 or more" },
    { "decode x --format q8_0 --columns 32 --rows 0 --output o", "--rows must be 1 or more" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    check_fails (cli_run (cases[i].line), 2, cases[i].says);
}

/* What may be chosen, and what is if nothing is, is in the help, from the tables. */
static void
test_help (void)
{
  g_auto(CliRun) quantize = cli_run ("quantize --help");
  g_auto(CliRun) evaluate = cli_run ("evaluate --help");
  g_auto(CliRun) proceed = cli_run ("continue --help");

  for (gsize i = 0; i < tare_target_get_n_targets (); i++)
    g_assert_nonnull (strstr (quantize.output, tare_target_get (i)->id));
  for (gsize i = 0; i < tare_range_get_n_ranges (); i++)
    g_assert_nonnull (strstr (quantize.output, tare_range_get (i)->id));
  for (gsize i = 0; i < tare_method_get_n_methods (); i++)
    g_assert_nonnull (strstr (quantize.output, tare_method_get (i)->id));
  g_assert_nonnull (strstr (quantize.output, "gguf if not given"));
  g_assert_nonnull (strstr (evaluate.output, "llama.cpp, segments; llama.cpp if not given"));
  g_assert_nonnull (strstr (evaluate.output, "2 or more; the smaller of 512 and the model's own"));
  g_assert_nonnull (strstr (evaluate.output, "from 1 to 16384; 128 if not given"));
  g_assert_nonnull (strstr (proceed.output, "from 1 to 65536; 64 if not given"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/slips/calibration", test_calibration);
  g_test_add_func ("/cli/slips/formats", test_formats);
  g_test_add_func ("/cli/slips/names", test_names);
  g_test_add_func ("/cli/slips/help", test_help);
  g_test_add_func ("/cli/slips/numbers", test_numbers);
  g_test_add_func ("/cli/slips/rules", test_rules);
  g_test_add_func ("/cli/slips/short", test_short);

  return g_test_run ();
}
