/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a model writes and chooses, driven from the command line. */
#include <math.h>
#include <string.h>

#include "tests/app/cli-fixture.h"
#include "tests/tare-test.h"

#define RULES "{ \"match\": \"*\", \"format\": \"q2_k\" }"

static void
test_usage (void)
{
  static const struct
  {
    const char *line;
    const char *says;
  } cases[] = {
    { "continue a", "--prompt or --text" },
    { "continue a --prompt x --text y", "--prompt or --text" },
    { "continue a --prompt x --tokens 0", "--tokens must be" },
    { "continue a --prompt x --temperature -1", "--temperature must be" },
    { "continue a --prompt x --top-p 2", "--top-p must be" },
    { "continue a --prompt x --calibration c", "--recipe" },
    { "continue a --prompt x --position 3", "--recipe" },
    { "evaluate a --questions 3", "--text is missing" },
    { "evaluate a --tasks t --questions -3", "--questions must be" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto(CliRun) done = cli_run (cases[i].line);

      g_assert_cmpint (done.status, ==, 2);
      g_assert_nonnull (strstr (done.error, cases[i].says));
    }
}

static void
test_continue (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *recipe = tare_test_temporary ("recipe.json");
  g_autoptr(JsonObject) root = NULL;
  g_autoptr(JsonObject) again = NULL;
  JsonObject *base, *other;
  JsonArray *next;
  double sum = 0.0;

  cli_write_recipe (recipe, RULES);
  root = cli_run_json ("continue %s --prompt Alice --tokens 8 --recipe %s --json", sample, recipe);
  base = json_object_get_object_member (root, "base");
  other = json_object_get_object_member (root, "recipe");
  g_assert_cmpstr (json_object_get_string_member (root, "prompt"), ==, "Alice");
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (base, "tokens")), ==, 8);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (base, "probabilities")),
                    ==, 8);
  g_assert_cmpuint (strlen (json_object_get_string_member (base, "text")), >, 0);
  g_assert_cmpuint (strlen (json_object_get_string_member (other, "text")), >, 0);
  g_assert_cmpfloat (cli_get_number (root, "same_tokens"), <, 8.0);
  g_assert_cmpfloat (cli_get_number (root, "next_kl"), >, 0.0);

  next = json_object_get_array_member (root, "next");
  g_assert_cmpuint (json_array_get_length (next), >=, 10);
  for (guint i = 0; i < json_array_get_length (next); i++)
    sum += cli_get_number (json_array_get_object_element (next, i), "recipe");
  g_assert_cmpfloat (sum, <=, 1.0 + 1e-6);

  again = cli_run_json ("continue %s --prompt Alice --tokens 8 --json", sample);
  g_assert_cmpstr (json_object_get_string_member (json_object_get_object_member (again, "base"),
                                                  "text"), ==,
                   json_object_get_string_member (base, "text"));
  g_assert_false (json_object_has_member (again, "recipe"));
}

static void
check_interval (JsonObject *root,
                const char *key,
                const char *interval)
{
  JsonArray *array = json_object_get_array_member (root, interval);

  g_assert_cmpfloat (json_array_get_double_element (array, 0), <, cli_get_number (root, key));
  g_assert_cmpfloat (json_array_get_double_element (array, 1), >=, cli_get_number (root, key));
}

static void
test_tasks (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *questions = tare_test_source ("data/sample/questions.jsonl");
  g_autofree char *recipe = tare_test_temporary ("recipe.json");
  g_autoptr(JsonObject) base = NULL;
  g_autoptr(JsonObject) other = NULL;
  g_autoptr(JsonObject) some = NULL;

  cli_write_recipe (recipe, RULES);
  base = cli_run_json ("evaluate %s --tasks %s --json", sample, questions);
  g_assert_cmpfloat (cli_get_number (base, "tasks"), ==, 16.0);
  /* Guessing gets a quarter right; the sample writes better English than that. */
  g_assert_cmpfloat (cli_get_number (base, "accuracy"), >, 0.6);
  g_assert_false (json_object_has_member (base, "task_agreement"));
  g_assert_false (json_object_has_member (base, "perplexity"));
  check_interval (base, "accuracy", "accuracy_interval");
  check_interval (base, "normalized_accuracy", "normalized_accuracy_interval");

  other = cli_run_json ("evaluate %s --tasks %s --recipe %s --json", sample, questions, recipe);
  g_assert_cmpfloat (cli_get_number (other, "base_accuracy"), ==,
                     cli_get_number (base, "accuracy"));
  g_assert_cmpfloat (cli_get_number (other, "task_agreement"), <=, 1.0);
  g_assert_cmpfloat (cli_get_number (other, "task_nll"), !=, cli_get_number (base, "task_nll"));
  g_assert_cmpfloat (cli_get_number (other, "bits_per_weight"), <, 4.0);

  some = cli_run_json ("evaluate %s --tasks %s --questions 3 --base %s --json", sample, questions,
                       sample);
  g_assert_cmpfloat (cli_get_number (some, "tasks"), ==, 3.0);
  g_assert_cmpfloat (cli_get_number (some, "task_agreement"), ==, 1.0);
}

static void
test_bad_tasks (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *path = tare_test_temporary ("bad.jsonl");
  g_autoptr(GError) error = NULL;

  g_file_set_contents (path, "{\"context\":\"a\",\"choices\":[\"b\",\"c\"],\"answer\":0}\n{}\n", -1,
                       &error);
  g_assert_no_error (error);
  {
    g_auto(CliRun) done = cli_run ("evaluate %s --tasks %s --json", sample, path);

    g_assert_cmpint (done.status, ==, 1);
    g_assert_nonnull (strstr (done.error, "bad.jsonl: line 2: "));
  }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/cli-text/usage", test_usage);
  g_test_add_func ("/cli-text/continue", test_continue);
  g_test_add_func ("/cli-text/tasks", test_tasks);
  g_test_add_func ("/cli-text/bad-tasks", test_bad_tasks);

  return g_test_run ();
}
