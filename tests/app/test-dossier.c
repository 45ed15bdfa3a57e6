/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is known of a layer, on one page: saved, printed into a file, and looked at. */
#include "tests/app/window-fixture.h"

#include <string.h>

#include "app/tare-dossier.h"
#include "app/tare-sensitivity-page.h"
#include "tests/tare-test.h"
#include "tests/widgets/widget-test.h"

typedef struct
{
  WindowFixture  window;
  TareDossier   *dossier;
  gboolean       weighted;
  gboolean       ended;
} Fixture;

static gboolean
is_calibrated (WindowFixture *fixture)
{
  return tare_session_get_calibration (fixture->session) != NULL;
}

static gboolean
has_ended (WindowFixture *fixture)
{
  return ((Fixture *) fixture)->ended;
}

static void
take (gpointer owner,
      gpointer item)
{
  Fixture *fixture = owner;
  const TareDossierFindings *findings = item;

  fixture->dossier = tare_dossier_new (fixture->window.session, findings);
  fixture->weighted = findings->weighted;
  g_assert_cmpuint (findings->points->len, >, 20);
  g_assert_true (findings->known[0]);
  g_assert_cmpint (findings->spectrum != NULL, ==, findings->weighted);
}

static void
end (gpointer      owner,
     const GError *error)
{
  g_assert_no_error (error);
  ((Fixture *) owner)->ended = TRUE;
}

static const TareStudyClass study_class = {
  .title = "Gathering", .work = tare_dossier_study, .news = take,
  .free_news = tare_dossier_findings_free, .done = end,
};

static TareLayer *
find_layer (TareSession *session,
            const char  *canonical)
{
  for (guint i = 0; i < tare_session_get_n_layers (session); i++)
    {
      TareLayer *layer = tare_session_get_layer (session, i);

      if (g_str_equal (tare_layer_get_tensor (layer)->canonical, canonical))
        return layer;
    }
  g_assert_not_reached ();
}

/* Of a layer that is assigned a format, so that levels are drawn, or %NULL to keep it. */
static void
make (Fixture    *fixture,
      const char *canonical,
      const char *format)
{
  TareSession *session = fixture->window.session;
  TareAssignment assignment = tare_session_get_brush (session);
  TareLayer *layer = find_layer (session, canonical);
  GtkWidget *page = tare_window_get_page (fixture->window.window, "sensitivity");
  TareMeasurements *measurements =
    tare_sensitivity_page_get_measurements (TARE_SENSITIVITY_PAGE (page));
  g_autoptr(TareStudy) study = tare_study_new (&study_class, session, fixture);

  assignment.format = format != NULL ? tare_format_lookup (format) : NULL;
  tare_session_assign_rule (session, canonical, &assignment);
  fixture->ended = FALSE;
  tare_study_start (study, tare_layer_get_tensor (layer),
                    tare_dossier_request_new (layer, measurements), tare_dossier_request_free);
  window_fixture_wait (&fixture->window, has_ended, 60.0);
  g_assert_nonnull (fixture->dossier);
}

static void
assert_one_page (const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *bytes = NULL;
  gsize length;

  g_file_get_contents (path, &bytes, &length, &error);
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (bytes, "%PDF-"));
  for (gsize i = 0; i < length; i++)
    bytes[i] = bytes[i] != '\0' ? bytes[i] : ' ';
  g_assert_nonnull (g_strstr_len (bytes, (gssize) length, "/Count 1\n"));
}

/* How much of a part of a picture is not white, each side from 0 to 1. */
static double
find_inked (cairo_surface_t *surface,
            double           left,
            double           top,
            double           right,
            double           bottom)
{
  int width = cairo_image_surface_get_width (surface);
  int height = cairo_image_surface_get_height (surface);
  gsize inked = 0, all = 0;

  for (int y = (int) (top * height); y < (int) (bottom * height); y++)
    {
      const guint32 *row = (const guint32 *) (cairo_image_surface_get_data (surface)
                                              + y * cairo_image_surface_get_stride (surface));

      for (int x = (int) (left * width); x < (int) (right * width); x++, all++)
        inked += (row[x] & 0xffffff) != 0xffffff;
    }

  return (double) inked / (double) all;
}

/* Something is in every part of the page, and nothing at its edges. */
static void
assert_filled (const char *path)
{
  cairo_surface_t *surface = cairo_image_surface_create_from_png (path);

  g_assert_cmpint (cairo_surface_status (surface), ==, CAIRO_STATUS_SUCCESS);
  for (guint y = 0; y < 6; y++)
    for (guint x = 0; x < 2; x++)
      g_assert_cmpfloat (find_inked (surface, 0.08 + 0.42 * x, 0.05 + 0.15 * y,
                                     0.08 + 0.42 * (x + 1), 0.05 + 0.15 * (y + 1)), >, 0.01);
  g_assert_cmpfloat (find_inked (surface, 0.0, 0.0, 1.0, 0.035), ==, 0.0);
  g_assert_cmpfloat (find_inked (surface, 0.0, 0.965, 1.0, 1.0), ==, 0.0);
  g_assert_cmpfloat (find_inked (surface, 0.0, 0.0, 0.05, 1.0), ==, 0.0);
  g_assert_cmpfloat (find_inked (surface, 0.95, 0.0, 1.0, 1.0), ==, 0.0);
  cairo_surface_destroy (surface);
}

static void
test_save (Fixture       *fixture,
           gconstpointer  data)
{
  g_autofree char *pdf = tare_test_temporary ("dossier.pdf");
  g_autofree char *other = tare_test_temporary ("dossier.txt");
  g_autofree char *png = g_build_filename (g_getenv ("TARE_BUILD_ROOT"), "tare-dossier.png", NULL);
  g_autoptr(GError) error = NULL;

  window_fixture_open_sample (&fixture->window);
  window_fixture_use_excerpts (&fixture->window, 4000);
  window_fixture_wait (&fixture->window, is_calibrated, 60.0);
  make (fixture, "blk.3.attn_v.weight", "q4_k");
  g_assert_true (fixture->weighted);

  tare_dossier_save (fixture->dossier, pdf, &error);
  g_assert_no_error (error);
  assert_one_page (pdf);
  tare_dossier_save (fixture->dossier, png, &error);
  g_assert_no_error (error);
  assert_filled (png);

  g_assert_false (tare_dossier_save (fixture->dossier, other, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_pointer (&fixture->dossier, tare_dossier_free);
}

/* Figures of rounding are of the format that stands above them, or say of which they are. */
static void
test_formats (Fixture       *fixture,
              gconstpointer  data)
{
  static const char *const formats[] = { "q4_k", "q8_0" };
  double noise[2];
  double loss[2];

  window_fixture_open_sample (&fixture->window);
  window_fixture_use_excerpts (&fixture->window, 4000);
  window_fixture_wait (&fixture->window, is_calibrated, 60.0);
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      make (fixture, "blk.3.attn_v.weight", formats[i]);
      g_assert_cmpstr (tare_dossier_get_text (fixture->dossier, "Format"), ==,
                       tare_format_lookup (formats[i])->label);
      g_assert_null (tare_dossier_get_text (fixture->dossier, "Proxy loss at Q4_K"));
      noise[i] = g_ascii_strtod (tare_dossier_get_text (fixture->dossier, "Signal to noise"), NULL);
      loss[i] = g_ascii_strtod (tare_dossier_get_text (fixture->dossier, "Proxy loss"), NULL);
      g_clear_pointer (&fixture->dossier, tare_dossier_free);
    }
  /* Four bits more halve the step four times: 24 dB. */
  g_assert_cmpfloat (noise[1] - noise[0], >, 18.0);
  g_assert_cmpfloat (loss[1], <, loss[0] / 50.0);

  make (fixture, "blk.3.attn_v.weight", NULL);
  g_assert_null (tare_dossier_get_text (fixture->dossier, "Signal to noise"));
  g_assert_cmpfloat (g_ascii_strtod (tare_dossier_get_text (fixture->dossier,
                                                            "Signal to noise at Q4_K"), NULL),
                     ==, noise[0]);
  g_clear_pointer (&fixture->dossier, tare_dossier_free);
}

/* Without a calibration, and by way of the printer. */
static void
test_print (Fixture       *fixture,
            gconstpointer  data)
{
  g_autofree char *pdf = tare_test_temporary ("printed.pdf");
  g_autofree char *png = g_build_filename (g_getenv ("TARE_BUILD_ROOT"), "tare-dossier-bare.png",
                                           NULL);
  g_autoptr(GtkPrintOperation) operation = NULL;
  g_autoptr(GError) error = NULL;

  window_fixture_open_sample (&fixture->window);
  make (fixture, "blk.1.attn_k.weight", "q4_k");
  g_assert_false (fixture->weighted);
  tare_dossier_save (fixture->dossier, png, &error);
  g_assert_no_error (error);

  operation = tare_dossier_new_print (g_steal_pointer (&fixture->dossier));
  gtk_print_operation_set_export_filename (operation, pdf);
  g_assert_cmpint (gtk_print_operation_run (operation, GTK_PRINT_OPERATION_ACTION_EXPORT,
                                            GTK_WINDOW (fixture->window.window), &error),
                   ==, GTK_PRINT_OPERATION_RESULT_APPLY);
  g_assert_no_error (error);
  assert_one_page (pdf);
}

static gboolean
is_idle (WindowFixture *fixture)
{
  return g_list_model_get_n_items (G_LIST_MODEL (tare_session_get_jobs (fixture->session))) == 0;
}

static guint
count_windows (void)
{
  GListModel *windows = gtk_window_get_toplevels ();
  guint n = 0;

  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr(GtkWidget) window = g_list_model_get_item (windows, i);

      n += gtk_widget_get_visible (window);
    }

  return n;
}

static void
ask_to_print (WindowFixture *fixture)
{
  g_action_group_activate_action (G_ACTION_GROUP (fixture->window), "print-dossier", NULL);
  g_assert_false (is_idle (fixture));
}

/* Whoever gives a dossier up, by Escape or in the list of jobs, is not asked where to print it. */
static void
test_given_up (Fixture       *fixture,
               gconstpointer  data)
{
  WindowFixture *window = &fixture->window;
  guint layer = 3;

  window_fixture_open_sample (window);
  while (!tare_layer_is_assignable (tare_session_get_layer (window->session, layer)))
    layer++;
  tare_session_set_selection (window->session, &layer, 1);

  ask_to_print (window);
  g_assert_true (widget_test_press_key (GTK_WIDGET (window->window), GDK_KEY_Escape, 0));
  window_fixture_wait (window, is_idle, 60.0);
  window_fixture_settle (window, 300);
  g_assert_cmpuint (count_windows (), ==, 1);
  g_assert_false (widget_test_press_key (GTK_WIDGET (window->window), GDK_KEY_Escape, 0));

  ask_to_print (window);
  tare_job_queue_cancel_all (tare_session_get_jobs (window->session));
  window_fixture_wait (window, is_idle, 60.0);
  window_fixture_settle (window, 300);
  g_assert_cmpuint (count_windows (), ==, 1);
}

static void
set_up (Fixture       *fixture,
        gconstpointer  data)
{
  window_fixture_set_up (&fixture->window, data);
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  data)
{
  window_fixture_tear_down (&fixture->window, data);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

  g_test_add ("/dossier/save", Fixture, NULL, set_up, test_save, tear_down);
  g_test_add ("/dossier/formats", Fixture, NULL, set_up, test_formats, tear_down);
  g_test_add ("/dossier/print", Fixture, NULL, set_up, test_print, tear_down);
  g_test_add ("/dossier/given-up", Fixture, NULL, set_up, test_given_up, tear_down);

  return g_test_run ();
}
