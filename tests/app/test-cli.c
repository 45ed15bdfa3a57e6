/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "quant/formats/tare-format.h"
#include "tests/app/cli-fixture.h"
#include "tests/tare-test.h"

static void
test_usage (void)
{
  static const struct
  {
    const char *line;
    const char *says;
  } cases[] = {
    { "", "Usage: tare-cli COMMAND" },
    { "conjure", "unknown command 'conjure'" },
    { "inspect", "Usage: tare-cli inspect MODEL" },
    { "inspect a b", "Usage: tare-cli inspect MODEL" },
    { "inspect a --loud", "--loud" },
    { "formats extra", "Usage: tare-cli formats" },
    { "evaluate a", "--text is missing" },
    { "evaluate a --text t --context many", "many" },
    { "evaluate a --text t --context -3", "--context must be" },
    { "evaluate a --text t --mode loud", "unknown mode 'loud'" },
    { "evaluate a --text t --recipe r --base b", "--base" },
    { "tokenize a", "--text is missing" },
    { "logits a --text t --output o", "--tokens must be" },
    { "calibrate a --output o", "--text" },
    { "sensitivity a", "--text" },
    { "sensitivity a --text t --measure guess", "unknown measure 'guess'" },
    { "quantize a --output o", "--format" },
    { "quantize a --format q4_k", "--output is missing" },
    { "quantize a --format q4_k --output o --target pigeon", "unknown target 'pigeon'" },
    { "quantize a --format q4_z --output o", "unknown format 'q4_z'" },
    { "quantize a --format q4_k --method m --output o", "unknown method 'm'" },
    { "encode x --columns 32 --output o", "--format is missing" },
    { "encode x --format q4_k --columns 32 --output o", "multiple of 256" },
    { "decode x --format q4_k --columns 0 --output o", "--columns must be" },
    { "compare a", "Usage: tare-cli compare A B" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto(CliRun) done = cli_run (cases[i].line);

      if (strstr (done.error, cases[i].says) == NULL)
        g_test_message ("%s: %s", cases[i].line, done.error);
      g_assert_cmpint (done.status, ==, 2);
      g_assert_nonnull (strstr (done.error, cases[i].says));
      g_assert_cmpstr (done.output, ==, "");
    }
}

static void
test_help (void)
{
  static const char *const commands[] = {
    "inspect", "formats", "tokenize", "logits", "encode", "decode", "evaluate", "calibrate",
    "sensitivity", "quantize", "compare",
  };
  g_auto(CliRun) list = cli_run ("--help");
  g_auto(CliRun) version = cli_run ("--version");

  g_assert_cmpint (list.status, ==, 0);
  g_assert_cmpint (version.status, ==, 0);
  g_assert_true (g_str_has_prefix (version.output, "tare-cli "));
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      g_autofree char *line = g_strconcat (commands[i], " --help", NULL);
      g_auto(CliRun) done = cli_run (line);

      g_assert_nonnull (strstr (list.output, commands[i]));
      g_assert_cmpint (done.status, ==, 0);
      g_assert_nonnull (strstr (done.output, "--json"));
    }
}

/* One line that names what is at fault, and nothing on standard output. Takes over @done. */
static void
check_failure (CliRun         done,
               const char *names)
{
  const char *end = strchr (done.error, '\n');

  g_test_message ("%s", done.error);
  g_assert_cmpint (done.status, ==, 1);
  g_assert_cmpstr (done.output, ==, "");
  g_assert_true (g_str_has_prefix (done.error, "tare-cli: "));
  g_assert_nonnull (strstr (done.error, names));
  g_assert_cmpstr (end, ==, "\n");
  cli_run_clear (&done);
}

static void
test_failures (void)
{
  g_autofree char *sample = cli_find_sample (NULL);
  g_autofree char *readme = cli_find_sample ("README.md");
  g_autofree char *recipe = tare_test_temporary ("wrong.json");
  g_autofree char *odd = tare_test_temporary ("odd.f32");
  const char *nowhere = "/nowhere/file";

  cli_write_recipe (recipe, "{\"match\": \"*\", \"format\": \"q4_z\"}");
  g_assert_true (g_file_set_contents (odd, "12345", -1, NULL));

  check_failure (cli_run ("inspect %s --json", nowhere), nowhere);
  check_failure (cli_run ("inspect %s --json", readme), "README.md");
  check_failure (cli_run ("evaluate %s --text %s --json", sample, nowhere), nowhere);
  check_failure (cli_run ("quantize %s --format q8_0 --calibration %s --output %s", sample, nowhere,
                          odd), nowhere);
  check_failure (cli_run ("quantize %s --format q8_0 --output %s", sample, nowhere), nowhere);
  check_failure (cli_run ("quantize %s --recipe %s --output %s", sample, recipe, nowhere),
                 "rules[0]: format");
  check_failure (cli_run ("quantize %s --format int4_channel --output %s", sample, nowhere),
                 "token_embd.weight");
  check_failure (cli_run ("encode %s --format q8_0 --columns 32 --output %s", odd, nowhere), odd);
  check_failure (cli_run ("decode %s --format q8_0 --columns 32 --output %s", odd, nowhere), odd);
}

static void
test_formats (void)
{
  g_autoptr(JsonObject) root = cli_run_json ("formats --json");
  JsonArray *formats = json_object_get_array_member (root, "formats");
  g_auto(CliRun) shown = cli_run ("formats");

  g_assert_cmpuint (json_array_get_length (formats), ==, tare_format_get_n_formats ());
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      JsonObject *row = json_array_get_object_element (formats, (guint) i);
      JsonArray *exports = json_object_get_array_member (row, "exports");

      g_assert_cmpstr (json_object_get_string_member (row, "id"), ==, format->id);
      g_assert_cmpstr (json_object_get_string_member (row, "label"), ==, format->label);
      g_assert_nonnull (json_object_get_string_member (row, "family"));
      g_assert_cmpint (json_object_get_int_member (row, "block"), ==, format->block);
      g_assert_cmpint (json_object_get_int_member (row, "group"), ==, format->group);
      g_assert_cmpfloat (cli_get_number (row, "bits_per_weight"), >=, format->bits);
      g_assert_cmpint (g_str_equal (json_array_get_string_element (exports, 0), "gguf"), ==,
                       (format->containers & TARE_CONTAINER_GGUF) != 0);
      g_assert_nonnull (strstr (shown.output, format->label));
    }
}

static void
test_inspect (void)
{
  static const char *const numbers[] = {
    "minimum", "maximum", "mean", "standard_deviation", "kurtosis", "absolute_maximum",
    "outlier_ratio", "bytes",
  };
  g_autofree char *sample = cli_find_sample (NULL);
  g_autoptr(JsonObject) root = cli_run_json ("inspect %s --json", sample);
  JsonObject *row = cli_find_row (root, "tensors", "canonical", "blk.3.ffn_down.weight");
  JsonArray *shape;

  g_assert_cmpstr (json_object_get_string_member (root, "architecture"), ==, "llama");
  g_assert_cmpint (json_object_get_int_member (root, "blocks"), ==, 6);
  g_assert_cmpint (json_object_get_int_member (root, "vocabulary"), ==, 1024);
  g_assert_cmpint (json_object_get_int_member (root, "parameters"), ==, 5246208);
  g_assert_cmpint (json_object_get_int_member (root, "bytes"), ==, 2 * 5246208);
  g_assert_cmpfloat (cli_get_number (root, "bits_per_weight"), ==, 16.0);

  g_assert_nonnull (row);
  g_assert_cmpstr (json_object_get_string_member (row, "name"), ==,
                   "model.layers.3.mlp.down_proj.weight");
  g_assert_cmpstr (json_object_get_string_member (row, "role"), ==, "ffn_down");
  g_assert_cmpint (json_object_get_int_member (row, "block"), ==, 3);
  g_assert_cmpstr (json_object_get_string_member (row, "dtype"), ==, "BF16");
  shape = json_object_get_array_member (row, "shape");
  g_assert_cmpint (json_array_get_int_element (shape, 0), ==, 256);
  g_assert_cmpint (json_array_get_int_element (shape, 1), ==, 768);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_assert_true (isfinite (cli_get_number (row, numbers[i])));
}

/* One weight that is no number, in a model of which no architecture is known. */
static void
test_inspect_not_finite (void)
{
  static const char header[] = "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[1,4],"
                               "\"data_offsets\":[0,16]}}   ";
  const float values[] = { 1.0f, NAN, -3.0f, INFINITY };
  const guint64 length = GUINT64_TO_LE (strlen (header));
  g_autofree char *path = tare_test_temporary ("nan.safetensors");
  g_autoptr(GString) bytes = g_string_new (NULL);
  g_autoptr(JsonObject) root = NULL;
  JsonObject *row;

  g_string_append_len (bytes, (const char *) &length, sizeof length);
  g_string_append (bytes, header);
  g_string_append_len (bytes, (const char *) values, sizeof values);
  g_assert_true (g_file_set_contents (path, bytes->str, (gssize) bytes->len, NULL));

  root = cli_run_json ("inspect %s --json", path);
  row = cli_find_row (root, "tensors", "canonical", "a.weight");
  g_assert_nonnull (row);
  g_assert_cmpint (json_object_get_int_member (row, "not_finite"), ==, 2);
  g_assert_cmpfloat (cli_get_number (row, "minimum"), ==, -3.0);
  g_assert_true (json_object_get_null_member (row, "role"));
  g_assert_true (json_object_has_member (root, "unsupported"));
}

static void
test_tokenize (void)
{
  g_autofree char *text = NULL;
  g_autofree char *expected = NULL;
  g_auto(GStrv) words = NULL;
  g_autoptr(JsonObject) root = NULL;
  g_autoptr(JsonObject) bare = NULL;
  JsonArray *tokens;

  TARE_TEST_NEED_SHARED (model, "models/stories260K");
  TARE_TEST_NEED_SHARED (tokens_path, "models/stories260K/tokens.txt");
  TARE_TEST_NEED_SHARED (text_path, "texts/tinystories.txt");

  g_assert_true (g_file_get_contents (tokens_path, &expected, NULL, NULL));
  words = g_strsplit_set (g_strstrip (expected), " ,\n", -1);
  root = cli_run_json ("tokenize %s --text %s --json", model, text_path);
  bare = cli_run_json ("tokenize %s --text %s --no-special --json", model, text_path);
  tokens = json_object_get_array_member (root, "tokens");
  g_assert_cmpuint (json_array_get_length (tokens), >=, g_strv_length (words));
  for (guint i = 0; words[i] != NULL; i++)
    g_assert_cmpint (json_array_get_int_element (tokens, i), ==, atoi (words[i]));
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (bare, "tokens")) + 1, ==,
                    json_array_get_length (tokens));
}

static void
check_logits (const char *model,
              const char *expected_path,
              const char *text,
              guint       n_tokens)
{
  g_autofree char *output = tare_test_temporary ("logits.f32");
  g_autofree char *count = g_strdup_printf ("%u", n_tokens);
  g_autoptr(JsonObject) root = cli_run_json ("logits %s --text %s --tokens %s --output %s --json",
                                             model, text, count, output);
  gsize n = 0;
  gsize n_expected = 0;
  g_autofree float *logits = tare_test_load_floats (output, &n);
  g_autofree float *expected = tare_test_load_floats (expected_path, &n_expected);

  g_assert_cmpuint (n, ==, n_expected);
  g_assert_cmpuint (n, ==, (gsize) (n_tokens * cli_get_number (root, "vocabulary")));
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (root, "tokens")), ==,
                    n_tokens);
  g_assert_cmpfloat (tare_test_difference (logits, expected, n), <, 1e-4);
}

/* A tokenizer without weights is enough, as a file or as a folder. */
static void
test_tokenizer_alone (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *file = cli_find_sample ("tokenizer.json");
  g_autofree char *text = tare_test_write_excerpt ("alice.txt", 500);
  g_autofree char *folder = tare_test_temporary ("tokenizer-alone");
  g_autofree char *copy = g_build_filename (folder, "tokenizer.json", NULL);
  g_autoptr(GBytes) bytes = tare_test_load_bytes (file);
  g_autoptr(JsonObject) whole = cli_run_json ("tokenize %s --text %s --no-special --json", sample,
                                              text);
  const char *paths[] = { file, folder };

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (copy, g_bytes_get_data (bytes, NULL),
                                      (gssize) g_bytes_get_size (bytes), NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr(JsonObject) alone = cli_run_json ("tokenize %s --text %s --no-special --json",
                                                  paths[i], text);

      g_assert_true (json_node_equal (json_object_get_member (whole, "tokens"),
                                      json_object_get_member (alone, "tokens")));
    }
}

static void
test_logits (void)
{
  g_autofree char *sample = cli_find_sample (NULL);

  TARE_TEST_NEED_SHARED (alice, "texts/alice-3k.txt");
  TARE_TEST_NEED_SHARED (sample_logits, "models/tare-sample/logits.f32");
  TARE_TEST_NEED_SHARED (stories, "models/stories260K/stories260K-f32.gguf");
  TARE_TEST_NEED_SHARED (stories_logits, "models/stories260K/logits.f32");
  TARE_TEST_NEED_SHARED (tinystories, "texts/tinystories.txt");

  check_logits (sample, sample_logits, alice, 128);
  check_logits (stories, stories_logits, tinystories, 64);
}

static void
test_codec (void)
{
  enum { ROWS = 6, COLUMNS = 256, N = ROWS * COLUMNS };
  g_autofree char *input = tare_test_temporary ("x.f32");
  g_autofree char *weights = tare_test_temporary ("importance.f32");
  g_autofree char *codes = tare_test_temporary ("x.q");
  g_autofree char *decoded = tare_test_temporary ("decoded.f32");
  g_autofree char *again = tare_test_temporary ("again.f32");
  g_autofree float *x = g_new (float, N);
  g_autofree float *importance = g_new (float, COLUMNS);
  g_autoptr(JsonObject) plain = NULL;
  g_autoptr(JsonObject) weighted = NULL;
  g_autoptr(JsonObject) back = NULL;
  g_autoptr(GBytes) first = NULL;
  g_autoptr(GBytes) second = NULL;
  g_autoptr(GBytes) written = NULL;

  tare_test_fill_gaussian (x, N, 21);
  for (gsize i = 0; i < COLUMNS; i++)
    importance[i] = i % 8 == 0 ? 100.0f : 1.0f;
  cli_write_floats (input, x, N);
  cli_write_floats (weights, importance, COLUMNS);

  plain = cli_run_json ("encode --format q4_k --columns 256 %s --output %s --decoded %s --json",
                        input, codes, decoded);
  g_assert_cmpint (json_object_get_int_member (plain, "bytes"), ==, ROWS * 144);
  g_assert_cmpfloat (cli_get_number (plain, "bits_per_weight"), ==, 4.5);
  g_assert_cmpfloat (cli_get_number (plain, "relative_error"), ==,
                     cli_get_number (plain, "weighted_relative_error"));
  g_assert_cmpfloat (cli_get_number (plain, "relative_error"), >, 0.001);
  g_assert_cmpfloat (cli_get_number (plain, "relative_error"), <, 0.01);

  back = cli_run_json ("decode --format q4_k --columns 256 %s --output %s --json", codes, again);
  g_assert_cmpint (json_object_get_int_member (back, "rows"), ==, ROWS);
  g_assert_cmpint (json_object_get_int_member (back, "columns"), ==, COLUMNS);
  first = tare_test_load_bytes (decoded);
  second = tare_test_load_bytes (again);
  written = tare_test_load_bytes (codes);
  g_assert_true (g_bytes_equal (first, second));
  g_assert_cmpuint (g_bytes_get_size (first), ==, N * sizeof (float));
  g_assert_cmpuint (g_bytes_get_size (written), ==, ROWS * 144);

  weighted = cli_run_json ("encode --format q4_k --columns 256 %s --importance %s --output %s "
                           "--json", input, weights, codes);
  g_assert_cmpfloat (cli_get_number (weighted, "weighted_relative_error"), <,
                     cli_get_number (weighted, "relative_error"));
}

/* What is previewed is what is written, and what is written is what was asked for. */
static void
test_preview_is_export (void)
{
  g_autofree char *sample = cli_find_sample (NULL);
  g_autofree char *text = cli_find_sample ("alice.txt");
  g_autofree char *recipe = tare_test_temporary ("recipe.json");
  g_autofree char *output = tare_test_temporary ("previewed.gguf");
  g_autoptr(JsonObject) preview = NULL;
  g_autoptr(JsonObject) written = NULL;
  g_autoptr(JsonObject) evaluated = NULL;
  g_autoptr(JsonObject) compared = NULL;
  JsonObject *row;

  cli_write_recipe (recipe, "{\"match\": \"*\", \"format\": \"q4_0\", \"range\": \"minmax\"},"
                        "{\"match\": \"*.attn_v.weight\", \"format\": \"q8_0\"},"
                        "{\"match\": \"output.weight\", \"format\": null}");
  preview = cli_run_json ("evaluate %s --text %s --context 64 --chunks 4 --recipe %s --json",
                          sample, text, recipe);
  written = cli_run_json ("quantize %s --recipe %s --output %s --json", sample, recipe, output);
  evaluated = cli_run_json ("evaluate %s --text %s --context 64 --chunks 4 --base %s --json",
                            output, text, sample);
  compared = cli_run_json ("compare %s %s --json", sample, output);

  g_assert_cmpstr (json_object_get_string_member (preview, "mode"), ==, "llama.cpp");
  g_assert_cmpint (json_object_get_int_member (preview, "context"), ==, 64);
  g_assert_cmpint (json_object_get_int_member (preview, "chunks"), ==, 4);
  g_assert_cmpint (json_object_get_int_member (preview, "tokens"), ==, 4 * 31);
  g_assert_cmpfloat (cli_get_number (preview, "kl_mean"), >, 0.0);
  g_assert_cmpfloat_with_epsilon (cli_get_number (preview, "perplexity"),
                                  cli_get_number (evaluated, "perplexity"), 1e-6);
  g_assert_cmpfloat_with_epsilon (cli_get_number (preview, "kl_mean"),
                                  cli_get_number (evaluated, "kl_mean"), 1e-9);
  g_assert_cmpint (json_object_get_int_member (preview, "bytes"), ==,
                   json_object_get_int_member (written, "bytes"));

  row = cli_find_row (written, "tensors", "canonical", "blk.2.attn_v.weight");
  g_assert_cmpstr (json_object_get_string_member (row, "format"), ==, "q8_0");
  row = cli_find_row (written, "tensors", "canonical", "output.weight");
  g_assert_cmpstr (json_object_get_string_member (row, "format"), ==, "bf16");
  g_assert_true (json_object_get_null_member (row, "method"));
  row = cli_find_row (compared, "tensors", "canonical", "output.weight");
  g_assert_cmpfloat (cli_get_number (row, "relative_error"), ==, 0.0);
  row = cli_find_row (compared, "tensors", "canonical", "blk.2.ffn_up.weight");
  g_assert_cmpfloat_with_epsilon (cli_get_number (row, "relative_error"),
                                  cli_get_number (cli_find_row (written, "tensors", "canonical",
                                                                "blk.2.ffn_up.weight"),
                                                  "relative_error"), 1e-12);
  g_assert_cmpstr (json_array_get_string_element (json_object_get_array_member (row, "formats"),
                                                  1), ==, "q4_0");
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (compared, "only_in_a")),
                    ==, 0);
}

static void
test_calibrated (void)
{
  g_autofree char *sample = cli_find_sample (NULL);
  g_autofree char *text = cli_find_sample ("treasure-island.txt");
  g_autofree char *calibration = tare_test_temporary ("calibration.gguf");
  g_autofree char *imatrix = tare_test_temporary ("imatrix.dat");
  g_autofree char *output = tare_test_temporary ("calibrated.gguf");
  g_autoptr(JsonObject) calibrated = NULL;
  g_autoptr(JsonObject) imported = NULL;
  g_autoptr(JsonObject) fine = NULL;
  g_autoptr(JsonObject) coarse = NULL;
  g_autoptr(JsonObject) written = NULL;
  JsonObject *row;
  JsonArray *layers;

  calibrated = cli_run_json ("calibrate %s --text %s --output %s --context 64 --tokens 512 --json",
                             sample, text, calibration);
  g_assert_cmpfloat (cli_get_number (calibrated, "tokens"), ==, 512.0);
  g_assert_nonnull (cli_find_row (calibrated, "layers", "canonical", "blk.0.ffn_down.weight"));

  imported = cli_run_json ("calibrate %s --import %s --output %s --json", sample, calibration,
                           imatrix);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (imported, "layers")), ==,
                    json_array_get_length (json_object_get_array_member (calibrated, "layers")));

  coarse = cli_run_json ("sensitivity %s --calibration %s --measure proxy_loss --format q4_0 "
                         "--range minmax --json", sample, calibration);
  fine = cli_run_json ("sensitivity %s --calibration %s --format q8_0 --json", sample, calibration);
  layers = json_object_get_array_member (coarse, "layers");
  g_assert_cmpuint (json_array_get_length (layers), >=, 42);
  for (guint i = 0; i < json_array_get_length (layers); i++)
    {
      const char *name;
      double loss;

      row = json_array_get_object_element (layers, i);
      name = json_object_get_string_member (row, "canonical");
      loss = cli_get_number (json_object_get_object_member (row, "measures"), "proxy_loss");
      g_assert_cmpstr (json_object_get_string_member (row, "format"), ==, "q4_0");
      row = cli_find_row (fine, "layers", "canonical", name);
      g_assert_cmpfloat (cli_get_number (json_object_get_object_member (row, "measures"),
                                         "proxy_loss"), <, loss);
    }

  written = cli_run_json ("quantize %s --format q4_0 --calibration %s --output %s --json", sample,
                          imatrix, output);
  row = cli_find_row (written, "tensors", "canonical", "blk.0.ffn_down.weight");
  g_assert_cmpfloat (cli_get_number (row, "weighted_relative_error"), !=,
                     cli_get_number (row, "relative_error"));
}

static void
test_dry_run (void)
{
  g_autofree char *sample = cli_find_sample (NULL);
  g_autoptr(JsonObject) root = cli_run_json ("quantize %s --format q4_k --dry-run --json", sample);

  /* 5242880 weights in matrices at 4.5 bits, the rest of norms in F32. */
  g_assert_cmpint (json_object_get_int_member (root, "bytes"), ==,
                   5242880 / 256 * 144 + (5246208 - 5242880) * 4);
}

/* A table for a person, and a full device. */
static void
test_output (void)
{
  g_autofree char *program = cli_find_program ();
  g_autofree char *line = g_strdup_printf ("'%s' formats > /dev/full", program);
  char *arguments[] = { (char *) "/bin/sh", (char *) "-c", line, NULL };
  g_auto(CliRun) shown = cli_run ("formats");
  g_auto(CliRun) full = cli_run_with (NULL, arguments);

  g_assert_cmpint (shown.status, ==, 0);
  g_assert_nonnull (strstr (shown.output, "FORMAT"));
  g_assert_null (strchr (shown.output, '{'));
  g_assert_cmpint (full.status, ==, 1);
  g_assert_nonnull (strstr (full.error, "standard output"));
}

static void
limit_files (gpointer data)
{
  struct rlimit limit = { .rlim_cur = 1 << 20, .rlim_max = 1 << 20 };

  setrlimit (RLIMIT_FSIZE, &limit);
}

static void
check_folder_has_only (const char *folder,
                       const char *name)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *contents = NULL;

  g_assert_cmpstr (g_dir_read_name (dir), ==, name);
  g_assert_null (g_dir_read_name (dir));
  g_assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  g_assert_cmpstr (contents, ==, "old");
}

/* The limit on the size of a file stands for a full disk. */
static void
test_full_disk (void)
{
  g_autofree char *sample = cli_find_sample (NULL);
  g_autofree char *folder = tare_test_temporary ("full");
  g_autofree char *path = g_build_filename (folder, "model.gguf", NULL);
  g_autofree char *program = cli_find_program ();
  char *arguments[] = {
    program, (char *) "quantize", sample, (char *) "--format", (char *) "q8_0",
    (char *) "--output", path, NULL,
  };
  g_auto(CliRun) done = { 0 };

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  done = cli_run_with (limit_files, arguments);
  g_assert_cmpint (done.status, ==, 1);
  g_assert_nonnull (strstr (done.error, "model.gguf"));
  check_folder_has_only (folder, "model.gguf");
}

/* Stopped at any time it leaves the old file or, once done, the new one. */
static void
stop_after (int         number,
            gulong      microseconds,
            const char *folder,
            gboolean    cleans_up)
{
  g_autofree char *sample = cli_find_sample (NULL);
  g_autofree char *path = g_build_filename (folder, "model.gguf", NULL);
  g_autofree char *program = cli_find_program ();
  char *arguments[] = {
    program, (char *) "quantize", sample, (char *) "--format", (char *) "q4_k",
    (char *) "--output", path, NULL,
  };
  g_autofree char *contents = NULL;
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  GPid pid = 0;
  int status = 0;

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  g_spawn_async (NULL, arguments, NULL,
                 G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL
                 | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &pid, &error);
  g_assert_no_error (error);
  g_usleep (microseconds);
  kill (pid, number);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);

  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return;
  if (cleans_up)
    {
      check_folder_has_only (folder, "model.gguf");
      return;
    }
  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  g_assert_true (g_str_has_prefix (contents, length == 3 ? "old" : "GGUF"));
}

static void
test_stopped (void)
{
  g_autofree char *killed = tare_test_temporary ("killed");
  g_autofree char *asked = tare_test_temporary ("asked");

  for (gulong i = 1; i <= 6; i++)
    stop_after (SIGKILL, i * 60000, killed, FALSE);
  stop_after (SIGTERM, 300000, asked, TRUE);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/cli/usage", test_usage);
  g_test_add_func ("/cli/help", test_help);
  g_test_add_func ("/cli/failures", test_failures);
  g_test_add_func ("/cli/formats", test_formats);
  g_test_add_func ("/cli/inspect", test_inspect);
  g_test_add_func ("/cli/inspect-not-finite", test_inspect_not_finite);
  g_test_add_func ("/cli/tokenize", test_tokenize);
  g_test_add_func ("/cli/tokenizer-alone", test_tokenizer_alone);
  g_test_add_func ("/cli/logits", test_logits);
  g_test_add_func ("/cli/codec", test_codec);
  g_test_add_func ("/cli/preview-is-export", test_preview_is_export);
  g_test_add_func ("/cli/calibrated", test_calibrated);
  g_test_add_func ("/cli/dry-run", test_dry_run);
  g_test_add_func ("/cli/output", test_output);
  g_test_add_func ("/cli/full-disk", test_full_disk);
  g_test_add_func ("/cli/stopped", test_stopped);

  return g_test_run ();
}
