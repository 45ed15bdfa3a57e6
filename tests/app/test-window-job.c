/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The whole job in the window, from the first click on, and a model far larger than memory. The
 * seconds and bytes that it takes are printed; what is checked is what came out.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/evaluation/tare-evaluator.h"
#include "app/tare-map-view.h"
#include "tests/app/window-fixture.h"
#include "tests/tare-test.h"

#define SPARSE_TENSORS 320
#define SPARSE_ROWS 4096
#define SPARSE_COLUMNS 8192
#define RESIDENT_LIMIT (200u << 20)

static guint n_notices;

static void
notice_cb (void)
{
  n_notices++;
}

static gboolean
is_open (WindowFixture *fixture)
{
  return tare_session_get_model (fixture->session) != NULL;
}

static gboolean
is_calibrated (WindowFixture *fixture)
{
  return tare_session_get_calibration (fixture->session) != NULL;
}

static gboolean
is_measured (WindowFixture *fixture)
{
  TareAccuracy accuracy;

  return tare_session_get_accuracy (fixture->session, &accuracy) == TARE_FIGURE_STATE_CURRENT;
}

static gboolean
is_exported (WindowFixture *fixture)
{
  return n_notices > 0;
}

static double
report (const char *what,
        gint64      since)
{
  double seconds = (double) (g_get_monotonic_time () - since) / G_USEC_PER_SEC;

  g_test_message ("%s: %.2f s", what, seconds);

  return seconds;
}

/* As a stroke of the brush over the whole map does. */
static void
paint_all (WindowFixture *fixture)
{
  TareFormatMap *map = tare_window_get_map (fixture->window);
  guint n = 0;
  g_autofree guint *cells = NULL;

  tare_format_map_select_all (map);
  cells = tare_format_map_dup_selection (map, &n);
  tare_format_map_set_brush (map, TRUE);
  g_signal_emit_by_name (map, "painted", cells, n);
}

static TareAccuracy
evaluate_file (const char         *path,
               const char         *text_path,
               const TareAccuracy *like)
{
  TareEvaluationOptions options = {
    .mode = like->mode,
    .context = like->context,
    .maximum_chunks = like->n_chunks,
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (path, &error);
  g_autoptr(TareEvaluator) evaluator = NULL;
  g_autofree char *text = NULL;
  TareAccuracy accuracy;
  gsize length;

  g_assert_no_error (error);
  g_file_get_contents (text_path, &text, &length, &error);
  g_assert_no_error (error);
  evaluator = tare_evaluator_new (model, text, length, &options, &error);
  g_assert_no_error (error);
  tare_evaluator_run_base (evaluator, &accuracy, NULL, &error);
  g_assert_no_error (error);

  return accuracy;
}

static void
test_job (WindowFixture *fixture,
          gconstpointer  data)
{
  g_autofree char *path = tare_test_temporary ("painted.gguf");
  TareAccuracy shown;
  TareAccuracy written;
  gint64 start;
  gint64 step;

#ifdef __SANITIZE_ADDRESS__
  /* What takes seconds takes minutes here, and its time means nothing. */
  window_fixture_use_excerpts (fixture, 20000);
#endif
  n_notices = 0;
  g_signal_connect (fixture->session, "notice", G_CALLBACK (notice_cb), NULL);

  start = step = g_get_monotonic_time ();
  g_action_group_activate_action (G_ACTION_GROUP (fixture->application), "open-sample", NULL);
  window_fixture_wait (fixture, is_open, 60.0);
  report ("open", step);

  step = g_get_monotonic_time ();
  gtk_widget_activate_action (GTK_WIDGET (fixture->window), "win.calibrate", NULL);
  window_fixture_wait (fixture, is_calibrated, 120.0);
  report ("calibrate", step);

  step = g_get_monotonic_time ();
  paint_all (fixture);
  g_assert_cmpfloat (tare_session_get_size (fixture->session).bits_per_weight, <, 4.6);
  report ("paint", step);

  step = g_get_monotonic_time ();
  window_fixture_wait (fixture, is_measured, 120.0);
  report ("measure", step);
  tare_session_get_accuracy (fixture->session, &shown);

  step = g_get_monotonic_time ();
  tare_session_export (fixture->session, tare_target_lookup ("gguf"), path);
  window_fixture_wait (fixture, is_exported, 120.0);
  report ("export", step);
  report ("the whole job", start);

  /* What was previewed is what was written. */
  written = evaluate_file (path, tare_session_get_evaluation_text (fixture->session), &shown);
  g_test_message ("perplexity shown %.6f, written %.6f", shown.perplexity, written.perplexity);
  g_assert_cmpuint (written.n_tokens, ==, shown.n_tokens);
  g_assert_cmpfloat_with_epsilon (written.perplexity, shown.perplexity, shown.perplexity * 1e-5);
}

/* A safetensors file of 21 GB, all of it a hole but the header. */
static void
write_sparse (const char *path)
{
  const guint64 bytes = (guint64) SPARSE_ROWS * SPARSE_COLUMNS * 2;
  g_autoptr(GString) header = g_string_new ("{");
  guint64 length;
  int descriptor;

  for (guint64 i = 0; i < SPARSE_TENSORS; i++)
    g_string_append_printf (header,
                            "%s\"model.layers.%u.part.%u.weight\":{\"dtype\":\"BF16\","
                            "\"shape\":[%d,%d],\"data_offsets\":[%" G_GUINT64_FORMAT
                            ",%" G_GUINT64_FORMAT "]}",
                            i > 0 ? "," : "", (guint) i / 7, (guint) i % 7, SPARSE_ROWS,
                            SPARSE_COLUMNS, i * bytes, (i + 1) * bytes);
  g_string_append_c (header, '}');
  while (header->len % 8 != 0)
    g_string_append_c (header, ' ');

  length = GUINT64_TO_LE (header->len);
  descriptor = g_open (path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  g_assert_cmpint (descriptor, >=, 0);
  g_assert_cmpint (write (descriptor, &length, 8), ==, 8);
  g_assert_cmpint (write (descriptor, header->str, header->len), ==, (gssize) header->len);
  g_assert_cmpint (ftruncate (descriptor, (off_t) (8 + header->len + SPARSE_TENSORS * bytes)), ==,
                   0);
  close (descriptor);
}

static guint64
get_resident_bytes (void)
{
  g_autofree char *text = NULL;
  guint64 pages = 0;

  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    pages = g_ascii_strtoull (strchr (text, ' '), NULL, 10);

  return pages * (guint64) sysconf (_SC_PAGESIZE);
}

static void
painted_cb (GdkFrameClock *clock,
            gboolean      *painted)
{
  *painted = TRUE;
}

static gboolean painted_once;

static gboolean
is_painted (WindowFixture *fixture)
{
  return painted_once;
}

static void
test_larger_than_memory (WindowFixture *fixture,
                         gconstpointer  data)
{
  g_autofree char *path = tare_test_temporary ("sparse.safetensors");
  GdkFrameClock *clock = gtk_widget_get_frame_clock (GTK_WIDGET (fixture->window));
  guint64 before = get_resident_bytes ();
  gint64 start;

  write_sparse (path);
  start = g_get_monotonic_time ();
  tare_window_open (fixture->window, path);
  window_fixture_wait (fixture, is_open, 60.0);
  report ("21 GB, until it is read", start);
  painted_once = FALSE;
  g_signal_connect (clock, "after-paint", G_CALLBACK (painted_cb), &painted_once);
  gtk_widget_queue_draw (GTK_WIDGET (fixture->window));
  window_fixture_wait (fixture, is_painted, 60.0);
  g_signal_handlers_disconnect_by_func (clock, painted_cb, &painted_once);
  report ("21 GB, until its table is drawn", start);
  g_assert_cmpuint (tare_session_get_n_layers (fixture->session), ==, SPARSE_TENSORS);

  /* While the statistics stream. */
  window_fixture_settle (fixture, 2000);
  g_test_message ("resident: %.0f MB, of which the window alone %.0f MB",
                  (double) get_resident_bytes () / 1e6, (double) before / 1e6);
#ifndef __SANITIZE_ADDRESS__
  g_assert_cmpuint (get_resident_bytes (), <, RESIDENT_LIMIT);
#endif
  tare_session_close (fixture->session);
  g_unlink (path);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

#define ADD(name, func) \
  g_test_add (name, WindowFixture, NULL, window_fixture_set_up, func, window_fixture_tear_down)
  ADD ("/window/larger-than-memory", test_larger_than_memory);
  ADD ("/window/job", test_job);
#undef ADD

  return g_test_run ();
}
