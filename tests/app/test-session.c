/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The main job without a window, on the sample: open, assign, measure, calibrate, export. */
#include "app/tare-recovery.h"
#include "app/tare-session.h"

#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

#define EXCERPT 8000

typedef struct
{
  TareSession *session;
  guint        n_failed;
  char        *message;
  guint        n_notices;
  guint        n_figures;
  guint        n_kept;
} Fixture;

static void
failed_cb (Fixture    *fixture,
           const char *title,
           const char *message)
{
  fixture->n_failed++;
  g_free (fixture->message);
  fixture->message = g_strdup (message);
}

static void
notice_cb (Fixture *fixture)
{
  fixture->n_notices++;
}

static void
figures_cb (Fixture *fixture)
{
  fixture->n_figures++;
}

static void
kept_cb (Fixture *fixture,
         guint    n)
{
  fixture->n_kept = n;
}

static gboolean
wake_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* Runs the main loop until @condition holds, for two minutes at most. */
#define WAIT_UNTIL(condition)                                                   \
  G_STMT_START                                                                  \
    {                                                                           \
      gint64 end_ = g_get_monotonic_time () + 120 * G_USEC_PER_SEC;             \
      guint wake_ = g_timeout_add (10, wake_cb, NULL);                          \
      while (!(condition) && g_get_monotonic_time () < end_)                    \
        g_main_context_iteration (NULL, TRUE);                                  \
      g_source_remove (wake_);                                                  \
      g_assert_true (condition);                                                \
    }                                                                           \
  G_STMT_END

static void
set_up (Fixture       *fixture,
        gconstpointer  data)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_write_excerpt ("alice.txt", EXCERPT);

  fixture->session = tare_session_new ();
  g_signal_connect_swapped (fixture->session, "failed", G_CALLBACK (failed_cb), fixture);
  g_signal_connect_swapped (fixture->session, "notice", G_CALLBACK (notice_cb), fixture);
  g_signal_connect_swapped (fixture->session, "figures-changed", G_CALLBACK (figures_cb), fixture);
  g_signal_connect_swapped (fixture->session, "locks-kept", G_CALLBACK (kept_cb), fixture);
  tare_session_set_evaluation_text (fixture->session, text);
  tare_session_open (fixture->session, sample);
  g_assert_true (tare_session_is_opening (fixture->session));
  WAIT_UNTIL (tare_session_get_model (fixture->session) != NULL);
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  data)
{
  g_assert_finalize_object (fixture->session);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_free (fixture->message);
}

static gboolean
has_all_statistics (TareSession *session)
{
  for (guint i = 0; i < tare_session_get_n_layers (session); i++)
    if (tare_layer_get_statistics (tare_session_get_layer (session, i)) == NULL)
      return FALSE;

  return TRUE;
}

static void
select_all (TareSession *session,
            GArray      *indices)
{
  for (guint i = 0; i < tare_session_get_n_layers (session); i++)
    g_array_append_val (indices, i);
}

static void
assign_all (TareSession *session,
            const char  *format)
{
  g_autoptr(GArray) indices = g_array_new (FALSE, FALSE, sizeof (guint));
  TareAssignment assignment = {
    .format = format != NULL ? tare_format_lookup (format) : NULL,
    .method = tare_method_lookup ("rtn"),
  };

  select_all (session, indices);
  tare_session_assign (session, (const guint *) indices->data, indices->len, &assignment);
}

static gboolean
is_measured (TareSession *session)
{
  TareAccuracy accuracy;

  return tare_session_get_accuracy (session, &accuracy) == TARE_FIGURE_STATE_CURRENT;
}

static void
test_open (Fixture       *fixture,
           gconstpointer  data)
{
  TareSession *session = fixture->session;
  TareRecipeSize size = tare_session_get_size (session);

  g_assert_cmpuint (tare_session_get_n_layers (session), ==, 57);
  g_assert_cmpuint (size.bytes, ==, tare_model_get_bytes (tare_session_get_model (session)));
  g_assert_cmpuint (size.bytes, ==, size.source_bytes);
  g_assert_cmpfloat (size.bits_per_weight, ==, 16.0);
  for (guint i = 0; i < tare_session_get_n_layers (session); i++)
    size.bytes -= tare_layer_get_size (tare_session_get_layer (session, i));
  g_assert_cmpuint (size.bytes, ==, 0);
  WAIT_UNTIL (has_all_statistics (session));
  g_assert_cmpuint (fixture->n_failed, ==, 0);
}

static void
test_selection (Fixture       *fixture,
                gconstpointer  data)
{
  const guint wanted[] = { 9, 3, 100000, 5 };
  const guint *selection;
  guint n;

  tare_session_set_selection (fixture->session, wanted, G_N_ELEMENTS (wanted));
  selection = tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 3);
  g_assert_cmpuint (selection[0], ==, 3);
  g_assert_cmpuint (selection[1], ==, 5);
  g_assert_cmpuint (selection[2], ==, 9);
}

static void
test_measure (Fixture       *fixture,
              gconstpointer  data)
{
  TareSession *session = fixture->session;
  TareAccuracy base;
  TareAccuracy accuracy;
  TareRecipeSize before = tare_session_get_size (session);
  TareRecipeSize after;

  assign_all (session, "q4_k");
  after = tare_session_get_size (session);
  g_assert_cmpuint (after.bytes * 3, <, before.bytes);
  g_assert_cmpfloat_with_epsilon (after.bits_per_weight, 4.5, 0.1);
  g_assert_cmpstr (tare_history_get_undo_label (tare_session_get_history (session)), ==,
                   "Set 44 layers to Q4_K");

  WAIT_UNTIL (is_measured (session));
  g_assert_cmpint (tare_session_get_base_accuracy (session, &base), ==, TARE_FIGURE_STATE_CURRENT);
  tare_session_get_accuracy (session, &accuracy);
  g_assert_cmpfloat (base.perplexity, >, 20.0);
  g_assert_cmpfloat (base.perplexity, <, 40.0);
  g_assert_true (accuracy.has_base);
  g_assert_cmpfloat (accuracy.kl_mean, >, 0.001);
  g_assert_cmpfloat (accuracy.kl_mean, <, 0.05);
  g_assert_cmpfloat (fabs (accuracy.perplexity / base.perplexity - 1.0), <, 0.02);

  tare_session_undo (session);
  g_assert_cmpint (tare_session_get_accuracy (session, &accuracy), ==, TARE_FIGURE_STATE_STALE);
  g_assert_cmpuint (tare_session_get_size (session).bytes, ==, before.bytes);
  WAIT_UNTIL (is_measured (session));
  tare_session_get_accuracy (session, &accuracy);
  g_assert_cmpfloat_with_epsilon (accuracy.perplexity, base.perplexity, 1e-6);
  g_assert_cmpfloat (fabs (accuracy.kl_mean), <, 1e-6);
  g_assert_cmpuint (fixture->n_failed, ==, 0);
}

static guint
find_layer (TareSession *session,
            const char  *canonical)
{
  TareModel *model = tare_session_get_model (session);
  guint index = 0;

  while (tare_model_get_tensor (model, index) != tare_model_lookup (model, canonical))
    index++;

  return index;
}

/* What is locked keeps its format and its lock, whoever assigns; what is told of can be freed. */
static void
test_locks (Fixture       *fixture,
            gconstpointer  data)
{
  TareSession *session = fixture->session;
  guint locked[] = {
    find_layer (session, "blk.1.ffn_down.weight"), find_layer (session, "blk.4.attn_v.weight"),
  };
  guint other = find_layer (session, "blk.1.ffn_up.weight");
  TareAssignment each[] = {
    { .format = tare_format_lookup ("q6_k"), .method = tare_method_lookup ("rtn"),
      .locked = TRUE },
    { .format = NULL, .method = tare_method_lookup ("rtn"), .locked = TRUE },
  };
  TareAssignment rule = { .format = tare_format_lookup ("q8_0"),
                          .method = tare_method_lookup ("rtn") };
  TareLayer *layers[] = { tare_session_get_layer (session, locked[0]),
                          tare_session_get_layer (session, locked[1]) };

  tare_session_assign_each (session, locked, 2, each, "Lock two");
  assign_all (session, "q4_k");
  g_assert_cmpuint (fixture->n_kept, ==, 2);
  g_assert_cmpstr (tare_history_get_undo_label (tare_session_get_history (session)), ==,
                   "Set 42 layers to Q4_K");
  g_assert_true (tare_layer_get_assignment (layers[0]).locked);
  g_assert_true (tare_layer_get_assignment (layers[0]).format == each[0].format);
  g_assert_true (tare_layer_get_assignment (layers[1]).locked);
  g_assert_null (tare_layer_get_assignment (layers[1]).format);

  fixture->n_kept = 0;
  tare_session_assign_rule (session, "*.ffn_*", &rule);
  g_assert_cmpuint (fixture->n_kept, ==, 1);
  g_assert_true (tare_layer_get_assignment (layers[0]).format == each[0].format);
  g_assert_true (tare_layer_get_assignment (tare_session_get_layer (session, other)).format
                 == rule.format);

  /* All that is asked for is locked: no step. */
  tare_session_assign (session, locked, 2, &rule);
  g_assert_cmpstr (tare_history_get_undo_label (tare_session_get_history (session)), ==,
                   "Set *.ffn_* to Q8_0");
  tare_session_unlock_kept (session);
  g_assert_cmpstr (tare_history_get_undo_label (tare_session_get_history (session)), ==,
                   "Unlock 2 layers");
  g_assert_true (tare_layer_get_assignment (layers[0]).format == each[0].format);
  fixture->n_kept = 0;
  tare_session_assign (session, locked, 2, &rule);
  g_assert_cmpuint (fixture->n_kept, ==, 0);
  g_assert_true (tare_layer_get_assignment (layers[1]).format == rule.format);
}

static void
write_text (const char *path,
            const char *text)
{
  g_autoptr(GError) error = NULL;

  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

/* A text that is too short is refused by its name, and the figures on the last one stay. */
static void
test_short_text (Fixture       *fixture,
                 gconstpointer  data)
{
  TareSession *session = fixture->session;
  GListModel *jobs = G_LIST_MODEL (tare_session_get_jobs (session));
  g_autofree char *before = g_strdup (tare_session_get_evaluation_text (session));
  g_autofree char *empty = tare_test_temporary ("empty.txt");
  g_autofree char *lost = tare_test_temporary ("lost.txt");

  write_text (empty, "");
  WAIT_UNTIL (is_measured (session));
  tare_session_set_evaluation_text (session, empty);
  WAIT_UNTIL (fixture->n_failed > 0);
  g_assert_true (g_str_has_prefix (fixture->message, empty));
  g_assert_cmpstr (tare_session_get_evaluation_text (session), ==, before);
  g_assert_true (is_measured (session));
  WAIT_UNTIL (g_list_model_get_n_items (jobs) == 0);
  g_assert_null (tare_session_get_trouble (session));
  tare_session_set_evaluation_text (session, lost);
  WAIT_UNTIL (fixture->n_failed > 1);
  g_assert_nonnull (strstr (fixture->message, "lost.txt"));
  g_assert_cmpstr (tare_session_get_evaluation_text (session), ==, before);
}

/* What a measurement in the background comes to grief on is kept to be shown, and told no more
 * than that, however often the recipe changes. */
static void
test_trouble (Fixture       *fixture,
              gconstpointer  data)
{
  TareSession *session = fixture->session;
  g_autofree char *excerpt = tare_test_write_excerpt ("alice.txt", EXCERPT);
  g_autofree char *spoilt = tare_test_temporary ("spoilt.txt");
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;

  g_file_get_contents (excerpt, &text, NULL, &error);
  g_assert_no_error (error);
  write_text (spoilt, text);
  tare_session_set_evaluation_text (session, spoilt);
  WAIT_UNTIL (g_strcmp0 (tare_session_get_evaluation_text (session), spoilt) == 0);
  write_text (spoilt, "");
  WAIT_UNTIL (tare_session_get_trouble (session) != NULL);
  g_assert_nonnull (strstr (tare_session_get_trouble (session), "spoilt.txt"));

  assign_all (session, "q8_0");
  WAIT_UNTIL (tare_session_get_trouble (session) == NULL);
  WAIT_UNTIL (tare_session_get_trouble (session) != NULL);
  g_assert_false (tare_session_is_measuring (session));
  g_assert_cmpuint (fixture->n_failed, ==, 0);

  tare_session_set_evaluation_text (session, excerpt);
  WAIT_UNTIL (is_measured (session));
  g_assert_null (tare_session_get_trouble (session));
  g_assert_cmpuint (fixture->n_failed, ==, 0);
}

static void
test_one_block (Fixture       *fixture,
                gconstpointer  data)
{
  TareSession *session = fixture->session;
  TareModel *model = tare_session_get_model (session);
  TareAccuracy accuracy;
  guint index = 0;

  assign_all (session, "q8_0");
  WAIT_UNTIL (is_measured (session));
  while (tare_model_get_tensor (model, index)
         != tare_model_lookup (model, "blk.4.ffn_down.weight"))
    index++;
  tare_session_assign (session, &index, 1,
                       &(TareAssignment) { .format = tare_format_lookup ("int2_g64"),
                                           .method = tare_method_lookup ("rtn") });
  WAIT_UNTIL (is_measured (session));
  tare_session_get_accuracy (session, &accuracy);
  g_assert_cmpuint (accuracy.first_block, ==, 4);
  g_assert_cmpfloat (tare_layer_get_error (tare_session_get_layer (session, index)), >, 0.01);
}

static void
test_calibrate (Fixture       *fixture,
                gconstpointer  data)
{
  TareSession *session = fixture->session;
  TareModel *model = tare_session_get_model (session);
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", EXCERPT);
  guint index = 0;

  while (tare_model_get_tensor (model, index)
         != tare_model_lookup (model, "blk.2.attn_q.weight"))
    index++;
  g_assert_null (tare_session_get_calibration (session));
  tare_session_calibrate (session, text);
  WAIT_UNTIL (tare_session_get_calibration (session) != NULL);
  WAIT_UNTIL (!isnan (tare_layer_get_sensitivity (tare_session_get_layer (session, index))));
  g_assert_cmpfloat (tare_layer_get_sensitivity (tare_session_get_layer (session, index)), >, 0.0);
  g_assert_cmpuint (fixture->n_failed, ==, 0);
}

/* What a layer costs follows its format; what it is compared with others by does not. */
static void
test_loss (Fixture       *fixture,
           gconstpointer  data)
{
  TareSession *session = fixture->session;
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", EXCERPT);
  TareLayer *layer = tare_session_get_layer (session, 3);
  double sensitivity;
  double coarse;

  g_assert_true (tare_layer_is_assignable (layer));
  assign_all (session, "q3_k");
  tare_session_calibrate (session, text);
  WAIT_UNTIL (!isnan (tare_layer_get_loss (layer)) && !isnan (tare_layer_get_sensitivity (layer)));
  coarse = tare_layer_get_loss (layer);
  sensitivity = tare_layer_get_sensitivity (layer);
  g_assert_cmpfloat (coarse, >, 2.0 * sensitivity);

  assign_all (session, "q8_0");
  g_assert_true (isnan (tare_layer_get_loss (layer)));
  WAIT_UNTIL (!isnan (tare_layer_get_loss (layer)));
  g_assert_cmpfloat (tare_layer_get_loss (layer), <, sensitivity / 50.0);
  g_assert_cmpfloat (tare_layer_get_sensitivity (layer), ==, sensitivity);

  assign_all (session, NULL);
  WAIT_UNTIL (is_measured (session) && !tare_session_is_measuring (session));
  g_assert_true (isnan (tare_layer_get_loss (layer)));
}

/* It does not wait for figures that it makes stale; without it they are measured after all. */
static void
test_calibrate_first (Fixture       *fixture,
                      gconstpointer  data)
{
  TareSession *session = fixture->session;
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", EXCERPT);
  TareAccuracy accuracy;

  WAIT_UNTIL (tare_session_is_measuring (session));
  tare_session_calibrate (session, text);
  g_assert_false (tare_session_is_measuring (session));
  WAIT_UNTIL (tare_session_get_calibration (session) != NULL);
  g_assert_cmpint (tare_session_get_accuracy (session, &accuracy), ==, TARE_FIGURE_STATE_NONE);
  WAIT_UNTIL (is_measured (session));

  assign_all (session, "q8_0");
  g_assert_true (tare_session_is_measuring (session));
  tare_session_calibrate (session, text);
  tare_job_queue_cancel_all (tare_session_get_jobs (session));
  WAIT_UNTIL (is_measured (session));
  g_assert_cmpuint (fixture->n_failed, ==, 0);
}

/* The calibration that was asked for last; one that was cancelled may still be there. */
static TareJob *
dup_calibrating (TareSession *session)
{
  GListModel *jobs = G_LIST_MODEL (tare_session_get_jobs (session));

  for (guint i = g_list_model_get_n_items (jobs); i > 0; i--)
    {
      g_autoptr(TareJob) job = g_list_model_get_item (jobs, i - 1);

      if (g_str_equal (tare_job_get_title (job), "Calibrating"))
        return g_steal_pointer (&job);
    }
  g_assert_not_reached ();
}

/* Begins a calibration and cancels it half way. */
static void
halt (TareSession *session,
      const char  *text)
{
  g_autoptr(TareJob) job = NULL;

  tare_session_calibrate (session, text);
  job = dup_calibrating (session);
  WAIT_UNTIL (tare_job_get_progress (job) > 0.4);
  tare_job_cancel (job);
  WAIT_UNTIL (tare_session_get_halted_block (session) >= 0);
}

/* What was cancelled goes on at its block and comes to the same; another text or no model begin
 * anew. */
static void
test_calibrate_again (Fixture       *fixture,
                      gconstpointer  data)
{
  TareSession *session = fixture->session;
  g_autofree char *text = tare_test_write_excerpt ("treasure-island.txt", 24000);
  g_autofree char *other = tare_test_write_excerpt ("alice.txt", 24000);
  g_autoptr(TareCalibration) whole = NULL;
  const TareLayerActivations *a, *b;

  g_assert_cmpint (tare_session_get_halted_block (session), ==, -1);
  tare_session_calibrate (session, text);
  WAIT_UNTIL (tare_session_get_calibration (session) != NULL);
  whole = tare_calibration_ref (tare_session_get_calibration (session));

  halt (session, text);
  g_assert_cmpint (tare_session_get_halted_block (session), >, 0);
  g_assert_cmpint (tare_session_get_halted_block (session), <, 6);
  tare_session_calibrate (session, NULL);
  g_assert_cmpint (tare_session_get_halted_block (session), ==, -1);
  WAIT_UNTIL (tare_session_get_calibration (session) != whole);
  for (guint i = 0; i < 6; i += 5)
    {
      g_autofree char *name = g_strdup_printf ("blk.%u.ffn_down.weight", i);

      a = tare_calibration_lookup (whole, name);
      b = tare_calibration_lookup (tare_session_get_calibration (session), name);
      g_assert_cmpmem (a->maximum, a->columns * sizeof *a->maximum,
                       b->maximum, b->columns * sizeof *b->maximum);
    }

  halt (session, text);
  tare_session_calibrate (session, other);
  g_assert_cmpint (tare_session_get_halted_block (session), ==, -1);
  halt (session, text);
  tare_session_close (session);
  g_assert_cmpint (tare_session_get_halted_block (session), ==, -1);
  g_assert_cmpuint (fixture->n_failed, ==, 0);
}

static void
test_export (Fixture       *fixture,
             gconstpointer  data)
{
  TareSession *session = fixture->session;
  const TareTarget *target = tare_target_lookup ("gguf");
  g_autofree char *path = tare_test_temporary ("session.gguf");
  g_autoptr(TareModel) exported = NULL;
  g_autoptr(GError) error = NULL;

  assign_all (session, "int4_g128");
  tare_session_export (session, target, path);
  g_assert_cmpuint (fixture->n_failed, ==, 1);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));

  assign_all (session, "q4_k");
  tare_session_export (session, target, path);
  WAIT_UNTIL (fixture->n_notices > 0 || fixture->n_failed > 1);
  g_assert_cmpuint (fixture->n_failed, ==, 1);

  exported = tare_model_open (path, &error);
  g_assert_no_error (error);
  /* GGUF has the norms in F32. */
  g_assert_cmpuint (tare_model_get_bytes (exported), ==,
                    tare_target_measure_bytes (target, tare_session_get_recipe (session),
                                               tare_session_get_model (session)));
  g_assert_cmpuint (tare_model_get_bytes (exported) - tare_session_get_size (session).bytes, ==,
                    (5246208 - 5242880) * 2);
}

static void
test_broken (Fixture       *fixture,
             gconstpointer  data)
{
  TareModel *before = tare_session_get_model (fixture->session);
  g_autofree char *path = tare_test_temporary ("broken.gguf");
  g_autoptr(GError) error = NULL;

  g_file_set_contents (path, "GGUF and then nothing that makes sense", -1, &error);
  g_assert_no_error (error);
  tare_session_open (fixture->session, path);
  WAIT_UNTIL (fixture->n_failed > 0);
  g_assert_nonnull (strstr (fixture->message, "broken.gguf"));
  g_assert_true (tare_session_get_model (fixture->session) == before);
}

static void
test_recipe_file (Fixture       *fixture,
                  gconstpointer  data)
{
  TareSession *session = fixture->session;
  g_autofree char *path = tare_test_temporary ("recipe.json");
  g_autoptr(TareRecipe) saved = NULL;
  g_autoptr(GError) error = NULL;

  assign_all (session, "q6_k");
  saved = tare_recipe_ref (tare_session_get_recipe (session));
  g_assert_true (tare_history_is_modified (tare_session_get_history (session)));
  g_assert_true (tare_session_save_recipe (session, path, &error));
  g_assert_no_error (error);
  g_assert_false (tare_history_is_modified (tare_session_get_history (session)));

  assign_all (session, "q8_0");
  g_assert_true (tare_session_load_recipe (session, path, &error));
  g_assert_no_error (error);
  g_assert_true (tare_recipe_equal (tare_session_get_recipe (session), saved));
  tare_session_undo (session);
  g_assert_false (tare_recipe_equal (tare_session_get_recipe (session), saved));
  g_assert_cmpuint (fixture->n_notices, ==, 0);

  g_assert_true (g_file_set_contents (path, "{\"tare\":1,\"rules\":[{\"match\":\"blk.99.*\","
                                      "\"format\":\"q8_0\"}]}", -1, NULL));
  g_assert_true (tare_session_load_recipe (session, path, &error));
  g_assert_cmpuint (fixture->n_notices, ==, 1);
}

/* What changes no weight leaves the figures as they are: locks, saving, the same said otherwise. */
static void
test_stays_current (Fixture       *fixture,
                    gconstpointer  data)
{
  TareSession *session = fixture->session;
  g_autofree char *path = tare_test_temporary ("current.json");
  g_autoptr(GError) error = NULL;
  TareAssignment assignment;
  guint index = 3;

  assign_all (session, "q4_0");
  WAIT_UNTIL (is_measured (session) && !tare_session_is_measuring (session));

  g_assert_true (tare_session_save_recipe (session, path, &error));
  g_assert_no_error (error);
  g_assert_true (is_measured (session));
  g_assert_false (tare_session_is_measuring (session));

  assignment = tare_layer_get_assignment (tare_session_get_layer (session, index));
  assignment.locked = TRUE;
  tare_session_assign_each (session, &index, 1, &assignment, NULL);
  g_assert_true (tare_layer_get_assignment (tare_session_get_layer (session, index)).locked);
  g_assert_true (is_measured (session));
  g_assert_false (tare_session_is_measuring (session));

  assignment.format = tare_format_lookup ("q8_0");
  tare_session_assign_each (session, &index, 1, &assignment, NULL);
  g_assert_false (is_measured (session));
  g_assert_true (tare_session_is_measuring (session));
  tare_session_undo (session);
  g_assert_true (is_measured (session));
}

static gboolean
is_kept (TareModel *model)
{
  g_autoptr(TareRecipe) kept = tare_recovery_find (model);

  return kept != NULL;
}

/* What a crash leaves behind is back at the next start, and gone after an orderly end. */
static void
test_recovery (Fixture       *fixture,
               gconstpointer  data)
{
  g_autofree char *sample = tare_test_source ("data/sample");
  g_autoptr(TareModel) model = tare_model_ref (tare_session_get_model (fixture->session));
  g_autoptr(TareRecipe) lost = NULL;
  g_autoptr(TareRecipe) left = NULL;

  assign_all (fixture->session, "q5_k");
  lost = tare_recipe_ref (tare_session_get_recipe (fixture->session));
  WAIT_UNTIL (is_kept (model));
  left = tare_recovery_find (model);
  g_assert_true (tare_recipe_equal (left, lost));

  /* As if the program had gone without another word. */
  tare_session_close (fixture->session);
  g_assert_false (is_kept (model));
  tare_recovery_keep (model, lost);

  tare_session_open (fixture->session, sample);
  WAIT_UNTIL (tare_session_get_model (fixture->session) != NULL);
  g_assert_true (tare_recipe_equal (tare_session_get_recipe (fixture->session), lost));
  g_assert_true (tare_history_is_modified (tare_session_get_history (fixture->session)));
  g_assert_cmpuint (fixture->n_notices, ==, 1);
  tare_session_undo (fixture->session);
  g_assert_cmpuint (tare_recipe_get_n_rules (tare_session_get_recipe (fixture->session)), ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_autofree char *state = tare_test_temporary ("state");

  g_setenv ("XDG_STATE_HOME", state, TRUE);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)
  ADD ("/session/open", test_open);
  ADD ("/session/selection", test_selection);
  ADD ("/session/measure", test_measure);
  ADD ("/session/locks", test_locks);
  ADD ("/session/short-text", test_short_text);
  ADD ("/session/trouble", test_trouble);
  ADD ("/session/one-block", test_one_block);
  ADD ("/session/calibrate", test_calibrate);
  ADD ("/session/loss", test_loss);
  ADD ("/session/calibrate-first", test_calibrate_first);
  ADD ("/session/calibrate-again", test_calibrate_again);
  ADD ("/session/export", test_export);
  ADD ("/session/broken", test_broken);
  ADD ("/session/recipe-file", test_recipe_file);
  ADD ("/session/stays-current", test_stays_current);
  ADD ("/session/recovery", test_recovery);
#undef ADD

  return g_test_run ();
}
