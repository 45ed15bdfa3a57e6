/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The pages that ask the engine for what they show: each finds it, follows the selection, and
 * does what its buttons say. */
#include "tests/app/window-fixture.h"

#include <string.h>

#include "app/tare-distribution-page.h"
#include "app/tare-formats-page.h"
#include "app/tare-hessian-page.h"
#include "app/tare-preview-page.h"

static gboolean
is_idle (WindowFixture *fixture)
{
  TareJobQueue *jobs = tare_session_get_jobs (fixture->session);

  return g_list_model_get_n_items (G_LIST_MODEL (jobs)) == 0;
}

static gboolean
click (GtkWidget  *root,
       const char *label)
{
  GtkWidget *found = window_fixture_find (root, GTK_TYPE_LABEL, label);
  GtkWidget *button;

  g_assert_nonnull (found);
  button = gtk_widget_get_ancestor (found, GTK_TYPE_BUTTON);
  if (!gtk_widget_is_sensitive (button))
    return FALSE;
  g_signal_emit_by_name (button, "clicked");

  return TRUE;
}

/* Formats are told apart by their ends as much as by their beginnings: none is cut. */
static void
test_layers (WindowFixture *fixture,
             gconstpointer  data)
{
  static const char *const formats[] = { "int4_g128", "int4_asym_g128" };
  GtkWidget *page;

  window_fixture_open_sample (fixture);
  page = window_fixture_show_page (fixture, "layers");
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      const TareAssignment assignment = {
        .format = tare_format_lookup (formats[i]), .method = tare_method_lookup ("rtn"),
      };
      GtkWidget *label;

      tare_session_assign_rule (fixture->session, "*", &assignment);
      window_fixture_settle (fixture, 300);
      label = window_fixture_find (page, GTK_TYPE_LABEL, assignment.format->label);
      g_assert_nonnull (label);
      g_assert_false (pango_layout_is_ellipsized (gtk_label_get_layout (GTK_LABEL (label))));
    }
}

static void
test_formats (WindowFixture *fixture,
              gconstpointer  data)
{
  TareFormatsPage *page;
  const TareFormat *format = tare_format_lookup ("q6_k");
  guint index;
  guint before;

  window_fixture_open_sample (fixture);
  page = TARE_FORMATS_PAGE (window_fixture_show_page (fixture, "formats"));
  g_assert_cmpuint (tare_formats_page_get_n_points (page), ==, 0);

  window_fixture_select_layer (fixture, "blk.2.ffn_down.weight");
  window_fixture_show_page (fixture, "formats");
  before = tare_formats_page_get_n_points (page);
  g_assert_cmpuint (before, >, 40);
  g_assert_cmpuint (before, <=, tare_format_get_n_formats ());

  /* A vector takes no format. */
  window_fixture_select_layer (fixture, "blk.2.attn_norm.weight");
  window_fixture_show_page (fixture, "formats");
  g_assert_cmpuint (tare_formats_page_get_n_points (page), ==, 0);

  window_fixture_select_layer (fixture, "blk.2.ffn_down.weight");
  window_fixture_show_page (fixture, "formats");
  g_assert_cmpuint (tare_formats_page_get_n_points (page), ==, before);
  tare_formats_page_choose (page, format);
  g_assert_true (click (GTK_WIDGET (page), "Assign to _Selection"));
  index = window_fixture_find_layer (fixture, "blk.2.ffn_down.weight");
  g_assert_true (tare_layer_get_format (tare_session_get_layer (fixture->session, index))
                 == format);
}

static guint
count_lines (TareChart *chart)
{
  g_autofree char *csv = tare_chart_dup_csv (chart);
  g_auto(GStrv) lines = g_strsplit (csv, "\n", -1);

  return g_strv_length (lines);
}

static gboolean
is_calibrated (WindowFixture *fixture)
{
  return tare_session_get_calibration (fixture->session) != NULL && is_idle (fixture);
}

static void
test_distribution (WindowFixture *fixture,
                   gconstpointer  data)
{
  const TareLayerActivations *activations;
  TareDistributionPage *page;

  window_fixture_open_sample (fixture);
  page = TARE_DISTRIBUTION_PAGE (window_fixture_show_page (fixture, "distribution"));
  window_fixture_select_layer (fixture, "blk.1.ffn_down.weight");
  tare_distribution_page_set_view (page, "normal");
  window_fixture_show_page (fixture, "distribution");
  g_assert_cmpuint (count_lines (tare_distribution_page_get_chart (page)), >, 200);

  /* 256 rows have a ridge each. */
  tare_distribution_page_set_view (page, "channels");
  window_fixture_show_page (fixture, "distribution");
  g_assert_cmpuint (count_lines (tare_distribution_page_get_chart (page)), >, 256 * 32);

  tare_distribution_page_set_view (page, "inputs");
  window_fixture_show_page (fixture, "distribution");
  g_assert_true (tare_distribution_page_is_missing (page));

  window_fixture_use_excerpts (fixture, 16000);
  tare_session_calibrate (fixture->session,
                          tare_session_get_calibration_text (fixture->session));
  window_fixture_wait (fixture, is_calibrated, 60.0);
  window_fixture_show_page (fixture, "distribution");
  g_assert_false (tare_distribution_page_is_missing (page));
  g_assert_cmpuint (count_lines (tare_distribution_page_get_chart (page)), >, 20);

  /* A line for each position, under the names of the axes. */
  tare_distribution_page_set_view (page, "positions");
  window_fixture_show_page (fixture, "distribution");
  g_assert_false (tare_distribution_page_is_missing (page));
  activations = tare_calibration_lookup (tare_session_get_calibration (fixture->session),
                                         "blk.1.ffn_down.weight");
  g_assert_cmpuint (activations->n_positions, >, 1);
  g_assert_cmpuint (count_lines (tare_distribution_page_get_chart (page)), >=,
                    activations->n_positions + 1);

  /* Nothing flows into a norm's weights that a calibration records. */
  window_fixture_select_layer (fixture, "blk.1.attn_norm.weight");
  g_assert_true (tare_distribution_page_is_missing (page));
  tare_distribution_page_set_view (page, "inputs");
  g_assert_true (tare_distribution_page_is_missing (page));
  tare_distribution_page_set_view (page, "histogram");
  g_assert_false (tare_distribution_page_is_missing (page));
}

static gboolean
has_probes (WindowFixture *fixture)
{
  GtkWidget *page = tare_window_get_page (fixture->window, "hessian");

  return tare_hessian_page_get_n_probes (TARE_HESSIAN_PAGE (page)) >= 3;
}

static void
test_hessian (WindowFixture *fixture,
              gconstpointer  data)
{
  TareHessianPage *page;
  gsize n;

  window_fixture_open_sample (fixture);
  window_fixture_select_layer (fixture, "blk.1.ffn_down.weight");
  page = TARE_HESSIAN_PAGE (window_fixture_show_page (fixture, "hessian"));
  g_assert_cmpstr (tare_layer_page_get_state (TARE_LAYER_PAGE (page)), ==, "empty");

  window_fixture_use_excerpts (fixture, 16000);
  tare_session_calibrate (fixture->session,
                          tare_session_get_calibration_text (fixture->session));
  window_fixture_wait (fixture, is_calibrated, 60.0);
  window_fixture_show_page (fixture, "hessian");
  g_assert_cmpstr (tare_layer_page_get_state (TARE_LAYER_PAGE (page)), ==, "charts");
  g_assert_cmpuint (tare_hessian_page_get_n_values (page), ==, 768);

  tare_hessian_page_set_probing (page, TRUE);
  window_fixture_wait (fixture, has_probes, 60.0);
  tare_hessian_page_set_probing (page, FALSE);
  n = tare_hessian_page_get_n_probes (page);
  window_fixture_wait (fixture, is_idle, 10.0);
  window_fixture_settle (fixture, 200);
  g_assert_cmpuint (tare_hessian_page_get_n_probes (page), ==, n);
}

/* Of a layer small enough for its eigenvectors. */
static void
test_landscape (WindowFixture *fixture,
                gconstpointer  data)
{
  TareHessianPage *page;

  window_fixture_open_sample (fixture);
  window_fixture_use_excerpts (fixture, 80);
  window_fixture_select_layer (fixture, "blk.1.attn_k.weight");
  page = TARE_HESSIAN_PAGE (window_fixture_show_page (fixture, "hessian"));
  tare_hessian_page_set_surveying (page, TRUE);
  window_fixture_show_page (fixture, "hessian");
  g_assert_cmpstr (tare_layer_page_get_state (TARE_LAYER_PAGE (page)), ==, "charts");
  g_assert_cmpuint (tare_hessian_page_get_n_losses (page), ==, 121);

  tare_hessian_page_set_surveying (page, FALSE);
  window_fixture_show_page (fixture, "hessian");
  g_assert_cmpuint (tare_hessian_page_get_n_losses (page), ==, 0);

  /* Where it is cancelled, the spectrum comes back. */
  window_fixture_use_excerpts (fixture, 16000);
  window_fixture_wait (fixture, is_calibrated, 60.0);
  tare_hessian_page_set_surveying (page, TRUE);
  tare_job_queue_cancel_all (tare_session_get_jobs (fixture->session));
  window_fixture_settle (fixture, 50);
  window_fixture_show_page (fixture, "hessian");
  g_assert_cmpuint (tare_hessian_page_get_n_losses (page), ==, 0);
  g_assert_cmpuint (tare_hessian_page_get_n_values (page), ==, 256);
}

static gboolean
is_measured (WindowFixture *fixture)
{
  TareAccuracy accuracy;

  return is_idle (fixture)
         && tare_session_get_accuracy (fixture->session, &accuracy) == TARE_FIGURE_STATE_CURRENT;
}

static gboolean
has_candidates (WindowFixture *fixture)
{
  GtkWidget *page = tare_window_get_page (fixture->window, "preview");

  return tare_preview_page_get_n_candidates (TARE_PREVIEW_PAGE (page)) >= 8;
}

static gboolean
has_texts (WindowFixture *fixture)
{
  TarePreviewPage *page = TARE_PREVIEW_PAGE (tare_window_get_page (fixture->window, "preview"));

  return strlen (tare_preview_page_get_text (page, FALSE)) > 40
         && strlen (tare_preview_page_get_text (page, TRUE)) > 40;
}

static void
test_preview (WindowFixture *fixture,
              gconstpointer  data)
{
  const TareAssignment assignment = {
    .format = tare_format_lookup ("q4_0"), .method = tare_method_lookup ("rtn"),
  };
  TarePreviewPage *page;
  const char *base;

  window_fixture_open_sample (fixture);
  page = TARE_PREVIEW_PAGE (window_fixture_show_page (fixture, "preview"));
  window_fixture_use_excerpts (fixture, 16000);
  tare_session_assign_rule (fixture->session, "*", &assignment);
  window_fixture_settle (fixture, 300);
  window_fixture_wait (fixture, is_measured, 120.0);
  window_fixture_show_page (fixture, "preview");
  g_assert_cmpuint (tare_preview_page_get_n_predictions (page), ==, 100);

  tare_preview_page_select (page, 3);
  window_fixture_wait (fixture, has_candidates, 60.0);

  g_assert_nonnull (window_fixture_find (GTK_WIDGET (page), GTK_TYPE_LABEL, "✓"));

  tare_preview_page_write_on (page, "Alice was");
  window_fixture_wait (fixture, has_texts, 60.0);
  base = tare_preview_page_get_text (page, FALSE);
  g_assert_true (g_str_has_prefix (base, "Alice was"));
  g_assert_true (g_str_has_prefix (tare_preview_page_get_text (page, TRUE), "Alice was"));
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

  g_test_add ("/pages/distribution", WindowFixture, NULL, window_fixture_set_up,
              test_distribution, window_fixture_tear_down);
  g_test_add ("/pages/formats", WindowFixture, NULL, window_fixture_set_up, test_formats,
              window_fixture_tear_down);
  g_test_add ("/pages/layers", WindowFixture, NULL, window_fixture_set_up, test_layers,
              window_fixture_tear_down);
  g_test_add ("/pages/preview", WindowFixture, NULL, window_fixture_set_up, test_preview,
              window_fixture_tear_down);
  g_test_add ("/pages/hessian", WindowFixture, NULL, window_fixture_set_up, test_hessian,
              window_fixture_tear_down);
  g_test_add ("/pages/landscape", WindowFixture, NULL, window_fixture_set_up, test_landscape,
              window_fixture_tear_down);

  return g_test_run ();
}
