/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A base's predictions kept by one run of the program and used by others. */
#include "tests/tare-test.h"

#include <string.h>

#include "tests/app/cli-fixture.h"

#define RULES "{\"match\":\"*\",\"format\":\"q4_0\"}"

static void
test_recipe (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 3000);
  g_autofree char *recipe = tare_test_temporary ("recipe.json");
  g_autofree char *file = tare_test_temporary ("base.statistics");
  g_autoptr(JsonObject) base = NULL;
  g_autoptr(JsonObject) exact = NULL;
  g_autoptr(JsonObject) found = NULL;

  cli_write_recipe (recipe, RULES);
  base = cli_run_json ("evaluate %s --text %s --context 64 --save-base %s --json", sample, text,
                       file);
  exact = cli_run_json ("evaluate %s --text %s --context 64 --recipe %s --json", sample, text,
                        recipe);
  found = cli_run_json ("evaluate %s --text %s --context 64 --recipe %s --base-statistics %s "
                        "--json", sample, text, recipe, file);

  g_assert_cmpfloat (cli_get_number (base, "base_statistics_bytes"), >,
                     1040 * cli_get_number (base, "tokens"));
  g_assert_cmpfloat (cli_get_number (found, "base_perplexity"), ==,
                     cli_get_number (base, "perplexity"));
  g_assert_cmpfloat (cli_get_number (found, "perplexity"), ==,
                     cli_get_number (exact, "perplexity"));
  g_assert_cmpfloat (cli_get_number (found, "same_top"), ==, cli_get_number (exact, "same_top"));
  g_assert_cmpfloat (cli_get_number (found, "kl_mean"), <, cli_get_number (exact, "kl_mean"));
  g_assert_cmpfloat (cli_get_number (found, "kl_mean"), >,
                     0.9 * cli_get_number (exact, "kl_mean"));
  g_assert_cmpstr (json_object_get_string_member (found, "kl_kind"), ==, "lower bound");
  g_assert_cmpstr (json_object_get_string_member (exact, "kl_kind"), ==, "exact");
  g_assert_true (json_object_has_member (found, "base_name"));
}

static void
test_refused (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 3000);
  g_autofree char *file = tare_test_temporary ("base.statistics");
  g_autoptr(JsonObject) base = cli_run_json ("evaluate %s --text %s --context 64 --save-base %s "
                                             "--json", sample, text, file);
  g_auto(CliRun) context = cli_run ("evaluate %s --text %s --context 32 --base-statistics %s",
                                    sample, text, file);
  g_auto(CliRun) both = cli_run ("evaluate %s --text %s --base %s --base-statistics %s", sample,
                                 text, sample, file);
  g_auto(CliRun) saved = cli_run ("evaluate %s --text %s --base %s --save-base %s", sample, text,
                                  sample, file);
  g_auto(CliRun) not_one = cli_run ("evaluate %s --text %s --base-statistics %s", sample, text,
                                    text);

  g_assert_cmpint (context.status, ==, 1);
  g_assert_nonnull (strstr (context.error, "a context of 64, not 32"));
  g_assert_cmpint (both.status, ==, 2);
  g_assert_nonnull (strstr (both.error, "--base-statistics"));
  g_assert_cmpint (saved.status, ==, 2);
  g_assert_nonnull (strstr (saved.error, "--save-base"));
  g_assert_cmpint (not_one.status, ==, 1);
  g_assert_nonnull (strstr (not_one.error, "no statistics of a base"));
}

/* With more tokens more of the divergence is seen, and the file is as much larger; with all of them
 * nothing is missing. */
static void
test_tokens (void)
{
  /* The sample's vocabulary has 1024. */
  static const struct { const char *asked; double kept; } cases[] = {
    { "8", 8.0 }, { "128", 128.0 }, { "16384", 1024.0 },
  };
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 2000);
  g_autofree char *recipe = tare_test_temporary ("tokens.json");
  g_autofree char *file = tare_test_temporary ("tokens.statistics");
  g_autoptr(JsonObject) exact = NULL;
  double last = 0.0;

  cli_write_recipe (recipe, RULES);
  exact = cli_run_json ("evaluate %s --text %s --context 64 --recipe %s --json", sample, text,
                        recipe);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(JsonObject) base = cli_run_json ("evaluate %s --text %s --context 64 --save-base "
                                                 "%s --base-tokens %s --json", sample, text, file,
                                                 cases[i].asked);
      g_autoptr(JsonObject) found = cli_run_json ("evaluate %s --text %s --context 64 --recipe %s "
                                                  "--base-statistics %s --json", sample, text,
                                                  recipe, file);
      double tokens = cli_get_number (base, "tokens");

      g_assert_cmpfloat (cli_get_number (base, "base_statistics_bytes") / tokens, >,
                         16.0 + 8.0 * cases[i].kept);
      g_assert_cmpfloat (cli_get_number (base, "base_statistics_bytes") / tokens, <,
                         18.0 + 8.0 * cases[i].kept);
      g_assert_cmpfloat (cli_get_number (found, "kl_mean"), >, last);
      last = cli_get_number (found, "kl_mean");
    }
  g_assert_cmpfloat_with_epsilon (last, cli_get_number (exact, "kl_mean"), 1e-6);
}

static void
test_tokens_refused (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 2000);
  g_auto(CliRun) many = cli_run ("evaluate %s --text %s --save-base x --base-tokens 16385", sample,
                                 text);
  g_auto(CliRun) alone = cli_run ("evaluate %s --text %s --base-tokens 64", sample, text);
  g_auto(CliRun) help = cli_run ("evaluate --help");

  g_assert_cmpint (many.status, ==, 2);
  g_assert_nonnull (strstr (many.error, "--base-tokens"));
  g_assert_cmpint (alone.status, ==, 2);
  g_assert_nonnull (strstr (alone.error, "--base-tokens needs --save-base"));
  g_assert_cmpint (help.status, ==, 0);
  g_assert_nonnull (strstr (help.output, "1 to 16384; 128 if not given"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/base-statistics/recipe", test_recipe);
  g_test_add_func ("/cli/base-statistics/refused", test_refused);
  g_test_add_func ("/cli/base-statistics/tokens", test_tokens);
  g_test_add_func ("/cli/base-statistics/tokens-refused", test_tokens_refused);

  return g_test_run ();
}
