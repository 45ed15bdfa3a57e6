/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A model of 2.2 GB with 600 MB of memory, and before it one of 410 MB in floats with 300 MB. The
 * commands are the only children of this program, so that the largest child of all so far is the
 * largest of them.
 */
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/app/cli-fixture.h"
#include "tests/tare-test-model.h"
#include "tests/tare-test.h"

/* 51 million weights a block, 205 MB of floats. */
static const TareTestShape shape = { 24, 2048, 16, 4, 5632, 1024 };

/* 13 million weights a block, 51 MB of floats. */
static const TareTestShape narrow = { 8, 1024, 8, 4, 2816, 1024 };

static guint64
largest_child (void)
{
  struct rusage usage = { 0 };

  getrusage (RUSAGE_CHILDREN, &usage);

  return (guint64) usage.ru_maxrss * 1024;
}

#define QUESTION "{\"context\":\"The captain\",\"choices\":[\"sailed\",\"was\"],\"answer\":0}\n"

/* Gradients and questions take no more than is granted. Through matrices of zeros no gradient comes
 * back. */
static void
test_others (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 3000);
  g_autofree char *tasks = tare_test_temporary ("questions.jsonl");
  g_autofree char *folder = g_dir_make_tmp ("tare-test-XXXXXX", NULL);
  g_autoptr(JsonObject) measured = NULL;
  g_autoptr(JsonObject) answered = NULL;
  JsonObject *row;

  tare_test_write_llama (&narrow, sample, folder);
  g_assert_true (g_file_set_contents (tasks, QUESTION QUESTION, -1, NULL));
  measured = cli_run_json ("sensitivity %s --text %s --measure fisher "
                           "--context 64 --tokens 64 --memory 300MB --json", folder, text);
  answered = cli_run_json ("evaluate %s --tasks %s --memory 300MB --json", folder, tasks);
  row = cli_find_row (measured, "layers", "canonical", "blk.7.ffn_down.weight");
  g_assert_cmpfloat (cli_get_number (json_object_get_object_member (row, "measures"), "fisher"),
                     ==, 0.0);
  g_assert_cmpfloat (cli_get_number (answered, "tasks"), ==, 2.0);
  g_test_message ("410 MB of weights in %.0f MB", (double) largest_child () / 1e6);
#ifndef __SANITIZE_ADDRESS__
  g_assert_cmpuint (largest_child (), <, 300000000);
#endif

  tare_test_remove_llama (folder);
}

static void
test_budget (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 3000);
  g_autofree char *folder = g_dir_make_tmp ("tare-test-XXXXXX", NULL);
  g_autofree char *output = tare_test_temporary ("memory.gguf");
  guint64 bytes = tare_test_write_llama (&shape, sample, folder);
  g_autoptr(JsonObject) calibrated = NULL;
  g_autoptr(JsonObject) evaluated = NULL;

  g_assert_cmpuint (bytes, >, 2000000000u);
  calibrated = cli_run_json ("calibrate %s --text %s --context 64 --tokens 128 --memory 600MB "
                             "--output %s --json", folder, text, output);
  evaluated = cli_run_json ("evaluate %s --text %s --context 64 --chunks 2 --memory 600MB --json",
                            folder, text);
  g_assert_cmpfloat (cli_get_number (calibrated, "tokens"), ==, 128);
  g_assert_cmpfloat (fabs (cli_get_number (evaluated, "perplexity") / shape.vocabulary - 1.0), <,
                     1e-6);
  g_test_message ("%.0f MB of weights in %.0f MB", (double) bytes / 1e6,
                  (double) largest_child () / 1e6);
#ifndef __SANITIZE_ADDRESS__
  g_assert_cmpuint (largest_child (), <, 600000000);
#endif

  tare_test_remove_llama (folder);
}

static void
test_too_little (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 3000);
  g_auto(CliRun) little = cli_run ("evaluate %s --text %s --memory 1MB", sample, text);
  g_auto(CliRun) none = cli_run ("evaluate %s --text %s --memory much", sample, text);
  g_auto(CliRun) least = cli_run ("sensitivity %s --text %s --memory 1MB", sample, text);

  g_assert_cmpint (little.status, ==, 1);
  g_assert_nonnull (strstr (little.error, "do not hold one block"));
  g_assert_cmpint (least.status, ==, 1);
  g_assert_nonnull (strstr (least.error, "do not hold one block"));
  g_assert_cmpint (none.status, ==, 2);
  g_assert_nonnull (strstr (none.error, "--memory"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/memory/others", test_others);
  g_test_add_func ("/cli/memory/budget", test_budget);
  g_test_add_func ("/cli/memory/too-little", test_too_little);

  return g_test_run ();
}
