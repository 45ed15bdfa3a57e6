/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "analysis/sensitivity/tare-measure.h"
#include "tests/app/cli-fixture.h"
#include "tests/tare-test.h"

static gboolean
is_null (JsonArray *row,
         guint      index)
{
  return json_array_get_null_element (row, index);
}

/* A square matrix over the measures: symmetric, 1 on its diagonal, from -1 to 1. */
static void
check_matrix (JsonObject *correlations,
              const char *key)
{
  JsonArray *matrix = json_object_get_array_member (correlations, key);
  guint n = json_array_get_length (json_object_get_array_member (correlations, "measures"));

  g_assert_cmpuint (json_array_get_length (matrix), ==, n);
  for (guint i = 0; i < n; i++)
    {
      JsonArray *row = json_array_get_array_element (matrix, i);

      g_assert_cmpuint (json_array_get_length (row), ==, n);
      for (guint k = 0; k < n; k++)
        {
          JsonArray *other = json_array_get_array_element (matrix, k);

          g_assert_cmpint (is_null (row, k), ==, is_null (other, i));
          if (is_null (row, k))
            continue;
          g_assert_cmpfloat (fabs (json_array_get_double_element (row, k)), <=, 1.0);
          g_assert_cmpfloat_with_epsilon (json_array_get_double_element (row, k),
                                          json_array_get_double_element (other, i), 1e-12);
          if (i == k)
            g_assert_cmpfloat (json_array_get_double_element (row, k), ==, 1.0);
        }
    }
}

/* Every measure of every layer, how they go together, and how far the measured one can be
 * trusted. */
static void
test_all (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 6000);
  g_autoptr(JsonObject) root = NULL;
  JsonArray *layers;
  JsonObject *best;
  JsonObject *measured;

  root = cli_run_json ("sensitivity %s --text %s --format q4_0 --context 64 --tokens 512 "
                       "--interactions 2 --json", sample, text);
  layers = json_object_get_array_member (root, "layers");
  g_assert_cmpuint (json_array_get_length (layers), >=, 42);
  for (guint i = 0; i < json_array_get_length (layers); i++)
    {
      JsonObject *layer = json_array_get_object_element (layers, i);
      JsonObject *measures = json_object_get_object_member (layer, "measures");
      JsonObject *errors = json_object_get_object_member (layer, "errors");

      g_assert_cmpstr (json_object_get_string_member (layer, "format"), ==, "q4_0");
      g_assert_cmpfloat (cli_get_number (measures, "measured_kl"), >, 0.0);
      g_assert_cmpfloat (cli_get_number (errors, "measured_kl"), >, 0.0);
      for (gsize k = 0; k < tare_measure_get_n_measures (); k++)
        g_assert_true (json_object_has_member (measures, tare_measure_get (k)->id));
    }

  check_matrix (json_object_get_object_member (root, "correlations"), "spearman");
  check_matrix (json_object_get_object_member (root, "correlations"), "kendall");

  best = json_object_get_object_member (root, "best_cheap");
  g_assert_nonnull (tare_measure_lookup (json_object_get_string_member (best, "measure")));
  g_assert_cmpfloat (cli_get_number (best, "spearman"), >, 0.3);

  measured = json_object_get_object_member (root, "measured_kl");
  g_assert_cmpfloat (cli_get_number (measured, "sum"), >, 0.0);
  g_assert_cmpfloat (cli_get_number (measured, "together"), >, 0.0);
  g_assert_cmpfloat (fabs (cli_get_number (measured, "noise_floor")), <,
                     cli_get_number (measured, "together"));
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (measured,
                                                                         "interactions")), ==, 1);
}

/* A recipe's layers are measured in its formats; what it leaves alone costs nothing. */
static void
test_recipe (void)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 3000);
  g_autofree char *recipe = tare_test_temporary ("recipe.json");
  g_autoptr(JsonObject) root = NULL;
  JsonObject *row;

  cli_write_recipe (recipe, "{\"match\": \"*.attn_q.weight\", \"format\": \"q8_0\"}");
  root = cli_run_json ("sensitivity %s --text %s --recipe %s --context 64 --tokens 128 "
                       "--measure relative_error,sqnr --json", sample, text, recipe);
  row = cli_find_row (root, "layers", "canonical", "blk.1.attn_q.weight");
  g_assert_cmpstr (json_object_get_string_member (row, "format"), ==, "q8_0");
  g_assert_cmpfloat (cli_get_number (json_object_get_object_member (row, "measures"), "sqnr"), >,
                     30.0);
  row = cli_find_row (root, "layers", "canonical", "blk.1.attn_k.weight");
  g_assert_cmpfloat (cli_get_number (json_object_get_object_member (row, "measures"),
                                     "relative_error"), ==, 0.0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/sensitivity/all", test_all);
  g_test_add_func ("/cli/sensitivity/recipe", test_recipe);

  return g_test_run ();
}
