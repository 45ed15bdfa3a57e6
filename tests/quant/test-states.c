/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where states lie, and that nothing is lost where they lie in files. */
#include "tests/tare-test.h"

#include "quant/network/tare-states.h"
#include "quant/tare-error.h"

#define ROWS  3000
#define WIDTH 77
#define BYTES (ROWS * WIDTH * sizeof (float))

static void
fill (TareStates *states,
      guint32     seed)
{
  tare_test_fill_gaussian (tare_states_get_rows (states, 0), ROWS * WIDTH, seed);
}

static void
assert_filled (TareStates *states,
               guint32     seed)
{
  g_autofree float *x = g_new (float, ROWS * WIDTH);

  tare_test_fill_gaussian (x, ROWS * WIDTH, seed);
  g_assert_cmpmem (tare_states_get_rows (states, 0), BYTES, x, BYTES);
}

/* Memory first, then disk, then an error; each takes its room. */
static void
test_budget (void)
{
  TareBudget budget = { BYTES + 100, BYTES + 200 };
  g_autoptr(GError) error = NULL;
  g_autoptr(TareStates) first = tare_states_new (ROWS, WIDTH, &budget, &error);
  g_autoptr(TareStates) second = tare_states_new (ROWS, WIDTH, &budget, &error);

  g_assert_no_error (error);
  g_assert_true (tare_states_are_in_memory (first));
  g_assert_false (tare_states_are_in_memory (second));
  g_assert_cmpuint (budget.memory, ==, 100);
  g_assert_cmpuint (budget.disk, ==, 200);

  g_assert_null (tare_states_new (ROWS, WIDTH, &budget, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_LIMIT);
  g_clear_error (&error);
  g_assert_null (tare_states_new (G_MAXSIZE, G_MAXSIZE, &budget, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_LIMIT);
}

static void
test_release (void)
{
  TareBudget budget = { 0, 2 * BYTES };
  g_autoptr(GError) error = NULL;
  g_autoptr(TareStates) states = tare_states_new (ROWS, WIDTH, &budget, &error);
  g_autoptr(TareStates) copy = tare_states_new (ROWS, WIDTH, &budget, &error);

  g_assert_no_error (error);
  fill (states, 3);
  for (gsize i = 0; i + 7 <= ROWS; i += 7)
    tare_states_release (states, i, 7);
  tare_states_copy (copy, states);
  tare_states_release (states, 0, ROWS);
  tare_states_release (copy, 0, ROWS);
  assert_filled (states, 3);
  assert_filled (copy, 3);
}

/* All sequences at a time in memory, some tens of megabytes of them in a file. */
static void
test_group (void)
{
  TareBudget budget = { BYTES, 300 * 1000 * 1000 };
  g_autoptr(GError) error = NULL;
  g_autoptr(TareStates) memory = tare_states_new (ROWS, WIDTH, &budget, &error);
  g_autoptr(TareStates) file = tare_states_new (64 * 1024, 1024, &budget, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tare_states_get_group (memory, ROWS, 1), ==, ROWS);
  g_assert_cmpuint (tare_states_get_group (file, 64, 1024), ==, 16);
  g_assert_cmpuint (tare_states_get_group (file, 1, 64 * 1024), ==, 1);
}

static void
test_folder (void)
{
  TareBudget budget = { 0, G_MAXUINT64 };
  g_autoptr(GError) error = NULL;
  g_autofree char *before = g_strdup (g_getenv ("TMPDIR"));

  g_setenv ("TMPDIR", "/nowhere/at/all", TRUE);
  g_assert_null (tare_states_new (ROWS, WIDTH, &budget, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  if (before != NULL)
    g_setenv ("TMPDIR", before, TRUE);
  else
    g_unsetenv ("TMPDIR");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/states/budget", test_budget);
  g_test_add_func ("/states/release", test_release);
  g_test_add_func ("/states/group", test_group);
  g_test_add_func ("/states/folder", test_folder);

  return g_test_run ();
}
