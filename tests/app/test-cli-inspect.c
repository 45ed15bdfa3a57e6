/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/app/cli-fixture.h"
#include "tests/tare-test.h"

/* What a person sees: a head, a row for each tensor, all of one width, a blank line and the model's
 * own facts. */
static void
test_rows (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autoptr(JsonObject) root = cli_run_json ("inspect %s --json", sample);
  JsonArray *tensors = json_object_get_array_member (root, "tensors");
  g_auto(CliRun) done = cli_run ("inspect %s", sample);
  g_auto(GStrv) lines = g_strsplit (done.output, "\n", -1);
  guint n = json_array_get_length (tensors);
  glong width;

  g_assert_cmpint (done.status, ==, 0);
  g_assert_cmpuint (g_strv_length (lines), >, n + 5);
  g_assert_true (g_str_has_prefix (lines[0], "TENSOR"));
  width = g_utf8_strlen (lines[0], -1);
  for (guint i = 0; i < n; i++)
    {
      JsonObject *tensor = json_array_get_object_element (tensors, i);

      g_assert_true (g_str_has_prefix (lines[i + 1], json_object_get_string_member (tensor,
                                                                                    "canonical")));
      g_assert_cmpint (g_utf8_strlen (lines[i + 1], -1), ==, width);
    }
  g_assert_cmpstr (lines[n + 1], ==, "");
  g_assert_true (g_str_has_prefix (lines[n + 2], "Name "));
}

/* Headers alone: the same rows without figures. */
static void
test_headers (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_auto(CliRun) done = cli_run ("inspect %s --no-statistics", sample);

  g_assert_cmpint (done.status, ==, 0);
  g_assert_nonnull (strstr (done.output, "blk.0.attn_q.weight"));
  g_assert_nonnull (strstr (done.output, " -\n"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/inspect/rows", test_rows);
  g_test_add_func ("/cli/inspect/headers", test_headers);

  return g_test_run ();
}
