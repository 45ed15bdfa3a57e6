/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-history.h"

static TareRecipe *
make_recipe (TareRecipe *from,
             const char *match,
             const char *format)
{
  TareAssignment assignment = {
    .format = tare_format_lookup (format),
    .method = tare_method_lookup ("rtn"),
  };

  return tare_recipe_with_rule (from, match, &assignment);
}

static void
count_cb (guint *count)
{
  (*count)++;
}

static void
test_steps (void)
{
  g_autoptr(TareRecipe) empty = tare_recipe_new ();
  g_autoptr(TareRecipe) first = make_recipe (empty, "*", "q4_k");
  g_autoptr(TareRecipe) second = make_recipe (first, "*.attn_v.weight", "q8_0");
  TareHistory *history = tare_history_new (empty);
  guint changes = 0;

  g_signal_connect_swapped (history, "changed", G_CALLBACK (count_cb), &changes);
  g_assert_null (tare_history_get_undo_label (history));
  g_assert_false (tare_history_undo (history));

  tare_history_push (history, first, "All to Q4_K");
  tare_history_push (history, second, "attn_v to Q8_0");
  g_assert_cmpuint (changes, ==, 2);
  g_assert_cmpstr (tare_history_get_undo_label (history), ==, "attn_v to Q8_0");
  g_assert_null (tare_history_get_redo_label (history));

  g_assert_true (tare_history_undo (history));
  g_assert_true (tare_history_get_recipe (history) == first);
  g_assert_cmpstr (tare_history_get_undo_label (history), ==, "All to Q4_K");
  g_assert_cmpstr (tare_history_get_redo_label (history), ==, "attn_v to Q8_0");

  g_assert_true (tare_history_undo (history));
  g_assert_true (tare_history_get_recipe (history) == empty);
  g_assert_null (tare_history_get_undo_label (history));

  g_assert_true (tare_history_redo (history));
  g_assert_true (tare_history_redo (history));
  g_assert_false (tare_history_redo (history));
  g_assert_true (tare_history_get_recipe (history) == second);

  g_assert_finalize_object (history);
}

static void
test_branch (void)
{
  g_autoptr(TareRecipe) empty = tare_recipe_new ();
  g_autoptr(TareRecipe) first = make_recipe (empty, "*", "q4_k");
  g_autoptr(TareRecipe) other = make_recipe (empty, "*", "q5_k");
  TareHistory *history = tare_history_new (empty);

  tare_history_push (history, first, "one");
  tare_history_undo (history);
  tare_history_push (history, other, "other");
  g_assert_null (tare_history_get_redo_label (history));
  g_assert_true (tare_history_get_recipe (history) == other);

  /* No change is no step. */
  tare_history_push (history, other, "again");
  g_assert_cmpstr (tare_history_get_undo_label (history), ==, "other");

  g_assert_finalize_object (history);
}

static void
test_saved (void)
{
  g_autoptr(TareRecipe) empty = tare_recipe_new ();
  g_autoptr(TareRecipe) first = make_recipe (empty, "*", "q4_k");
  TareHistory *history = tare_history_new (empty);

  g_assert_false (tare_history_is_modified (history));
  tare_history_push (history, first, "one");
  g_assert_true (tare_history_is_modified (history));
  tare_history_undo (history);
  g_assert_false (tare_history_is_modified (history));
  tare_history_redo (history);
  tare_history_mark_saved (history);
  g_assert_false (tare_history_is_modified (history));
  tare_history_undo (history);
  g_assert_true (tare_history_is_modified (history));

  g_assert_finalize_object (history);
}

static void
test_bound (void)
{
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();
  TareHistory *history = tare_history_new (recipe);
  guint undone = 0;

  for (guint i = 0; i < 1200; i++)
    {
      g_autofree char *match = g_strdup_printf ("blk.%u.ffn_up.weight", i);
      g_autoptr(TareRecipe) empty = tare_recipe_new ();
      g_autoptr(TareRecipe) next = make_recipe (empty, match, "q4_k");

      tare_history_push (history, next, match);
    }
  g_assert_cmpstr (tare_history_get_undo_label (history), ==, "blk.1199.ffn_up.weight");
  while (tare_history_undo (history))
    undone++;
  g_assert_cmpuint (undone, >=, 500);
  g_assert_cmpuint (undone, <, 1200);
  g_assert_null (tare_history_get_undo_label (history));

  g_assert_finalize_object (history);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/history/steps", test_steps);
  g_test_add_func ("/history/branch", test_branch);
  g_test_add_func ("/history/saved", test_saved);
  g_test_add_func ("/history/bound", test_bound);

  return g_test_run ();
}
