/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/app/window-fixture.h"

#include <string.h>

#include "app/tare-distribution-page.h"
#include "app/tare-hessian-page.h"
#include "app/tare-map-view.h"
#include "app/tare-outliers-page.h"
#include "app/tare-sensitivity-page.h"
#include "tests/tare-test.h"

/*
 * Draws the window as a user meets it into PNG files in the build folder (TARE_BUILD_ROOT), light
 * and dark, and holds that something is on them.
 */

static gboolean
is_idle (WindowFixture *fixture)
{
  TareAccuracy accuracy;

  return g_list_model_get_n_items (G_LIST_MODEL (tare_session_get_jobs (fixture->session))) == 0
         && tare_session_get_accuracy (fixture->session, &accuracy) == TARE_FIGURE_STATE_CURRENT;
}

static gboolean
is_calibrated (WindowFixture *fixture)
{
  return g_list_model_get_n_items (G_LIST_MODEL (tare_session_get_jobs (fixture->session))) == 0
         && tare_session_get_calibration (fixture->session) != NULL;
}

static void
measure_all (WindowFixture *fixture)
{
  const TareFormat *first = tare_format_lookup ("q4_k");
  const TareFormat *second = tare_format_lookup ("q6_k");
  TareAssignment assignment = tare_session_get_brush (fixture->session);

  assignment.format = first;
  tare_session_assign_rule (fixture->session, "*", &assignment);
  assignment.format = second;
  tare_session_assign_rule (fixture->session, "*.ffn_down.weight", &assignment);
  tare_session_assign_rule (fixture->session, "*.attn_v.weight", &assignment);
  assignment.locked = TRUE;
  tare_session_assign_rule (fixture->session, "output.weight", &assignment);
  window_fixture_use_excerpts (fixture, 16000);
  window_fixture_settle (fixture, 100);
  window_fixture_wait (fixture, is_idle, 120.0);
  window_fixture_settle (fixture, 600);
}

static void
shoot (WindowFixture *fixture,
       const char    *name,
       gboolean       dark)
{
  window_fixture_shoot (fixture, GTK_WIDGET (fixture->window), name, dark);
}

static void
test_greeter (WindowFixture *fixture,
              gconstpointer  data)
{
  shoot (fixture, "greeter", FALSE);
  shoot (fixture, "greeter", TRUE);
}

static void
select_one (WindowFixture *fixture,
            const char    *canonical)
{
  guint n = tare_session_get_n_layers (fixture->session);

  for (guint i = 0; i < n; i++)
    {
      TareLayer *layer = tare_session_get_layer (fixture->session, i);

      if (g_str_equal (tare_layer_get_tensor (layer)->canonical, canonical))
        tare_session_set_selection (fixture->session, &i, 1);
    }
}

static void
test_main_window (WindowFixture *fixture,
                  gconstpointer  data)
{
  static const char *const pages[] = {
    "layers", "distribution", "outliers", "hessian", "formats", "sensitivity", "preview",
  };

  window_fixture_open_sample (fixture);
  shoot (fixture, "opened", FALSE);
  measure_all (fixture);
  select_one (fixture, "blk.3.ffn_gate.weight");
  for (gsize i = 0; i < G_N_ELEMENTS (pages); i++)
    {
      tare_window_show_page (fixture->window, pages[i]);
      window_fixture_settle (fixture, 50);
      window_fixture_wait (fixture, is_idle, 60.0);
      window_fixture_settle (fixture, 300);
      shoot (fixture, pages[i], FALSE);
      shoot (fixture, pages[i], TRUE);
      g_assert_cmpint (gtk_widget_get_width (GTK_WIDGET (fixture->window)), ==, 1280);
    }
}

static void
test_distributions (WindowFixture *fixture,
                    gconstpointer  data)
{
  static const char *const views[] = { "normal", "channels", "inputs", "positions" };
  TareDistributionPage *page;

  window_fixture_open_sample (fixture);
  measure_all (fixture);
  select_one (fixture, "blk.3.ffn_gate.weight");
  tare_window_show_page (fixture->window, "distribution");
  page = TARE_DISTRIBUTION_PAGE (tare_window_get_page (fixture->window, "distribution"));
  for (gsize i = 0; i < G_N_ELEMENTS (views); i++)
    {
      g_autofree char *name = g_strconcat ("distribution-", views[i], NULL);

      tare_distribution_page_set_view (page, views[i]);
      window_fixture_settle (fixture, 50);
      window_fixture_wait (fixture, is_idle, 60.0);
      window_fixture_settle (fixture, 300);
      shoot (fixture, name, FALSE);
      shoot (fixture, name, TRUE);
    }
}

static void
test_pictures (WindowFixture *fixture,
               gconstpointer  data)
{
  static const char *const pictures[] = { "error", "inputs" };

  window_fixture_open_sample (fixture);
  select_one (fixture, "blk.3.ffn_down.weight");
  tare_window_show_page (fixture->window, "outliers");
  for (gsize i = 0; i < G_N_ELEMENTS (pictures); i++)
    {
      g_autofree char *name = g_strconcat ("outliers-", pictures[i], NULL);

      tare_outliers_page_set_picture
        (TARE_OUTLIERS_PAGE (tare_window_get_page (fixture->window, "outliers")), pictures[i]);
      window_fixture_settle (fixture, 50);
      window_fixture_wait (fixture, is_idle, 60.0);
      window_fixture_settle (fixture, 300);
      shoot (fixture, name, FALSE);
      shoot (fixture, name, TRUE);
    }
}

/* The measures, and how they go together; what takes gradients or a pass for each layer, too. */
static void
test_sensitivity (WindowFixture *fixture,
                  gconstpointer  data)
{
  TareSensitivityPage *page =
    TARE_SENSITIVITY_PAGE (tare_window_get_page (fixture->window, "sensitivity"));

  window_fixture_open_sample (fixture);
  window_fixture_use_excerpts (fixture, 16000);
  window_fixture_wait (fixture, is_calibrated, 120.0);
  select_one (fixture, "blk.3.ffn_gate.weight");
  tare_window_show_page (fixture->window, "sensitivity");
  tare_sensitivity_page_set_measure (page, tare_measure_lookup ("boundary_share"));
  window_fixture_settle (fixture, 300);
  window_fixture_wait (fixture, is_calibrated, 120.0);
  tare_measurements_ask (tare_sensitivity_page_get_measurements (page), NULL,
                         1u << TARE_MEASURE_COST_GRADIENT | 1u << TARE_MEASURE_COST_FORWARD);
  window_fixture_settle (fixture, 300);
  window_fixture_wait (fixture, is_calibrated, 120.0);
  shoot (fixture, "measure", FALSE);
  shoot (fixture, "measure", TRUE);
  tare_sensitivity_page_set_comparing (page, TRUE);
  window_fixture_settle (fixture, 300);
  shoot (fixture, "compare", FALSE);
  shoot (fixture, "compare", TRUE);
  g_assert_cmpint (gtk_widget_get_width (GTK_WIDGET (fixture->window)), ==, 1280);
}

static void
test_landscape (WindowFixture *fixture,
                gconstpointer  data)
{
  TareHessianPage *page;

  window_fixture_open_sample (fixture);
  window_fixture_use_excerpts (fixture, 4000);
  select_one (fixture, "blk.3.attn_k.weight");
  tare_window_show_page (fixture->window, "hessian");
  page = TARE_HESSIAN_PAGE (tare_window_get_page (fixture->window, "hessian"));
  tare_hessian_page_set_surveying (page, TRUE);
  window_fixture_settle (fixture, 50);
  window_fixture_wait (fixture, is_calibrated, 120.0);
  window_fixture_settle (fixture, 300);
  shoot (fixture, "landscape", FALSE);
  shoot (fixture, "landscape", TRUE);
}

/* Whatever the colours of the map show, its cells fit their place. */
static void
test_measures (WindowFixture *fixture,
               gconstpointer  data)
{
  static const char *const measures[] = { "bits", "error", "outliers", "sensitivity" };
  GtkWidget *map;
  TareMapView *view;

  window_fixture_open_sample (fixture);
  measure_all (fixture);
  view = TARE_MAP_VIEW (window_fixture_find (GTK_WIDGET (fixture->window), TARE_TYPE_MAP_VIEW,
                                             NULL));
  map = GTK_WIDGET (tare_window_get_map (fixture->window));
  for (gsize i = 0; i < G_N_ELEMENTS (measures); i++)
    {
      GtkAdjustment *across = gtk_scrollable_get_hadjustment (GTK_SCROLLABLE (map));

      g_autofree char *name = g_strconcat ("map-", measures[i], NULL);

      tare_map_view_set_measure (view, measures[i]);
      shoot (fixture, name, FALSE);
      g_assert_cmpfloat (gtk_adjustment_get_upper (across), <=,
                         gtk_adjustment_get_page_size (across));
    }
}

static gboolean
is_narrow (WindowFixture *fixture)
{
  return gtk_widget_get_width (GTK_WIDGET (fixture->window)) == 900;
}

/* At 900 the map folds away, and nothing is wider than the window. */
static void
test_narrow (WindowFixture *fixture,
             gconstpointer  data)
{
  AdwFlap *flap;

  window_fixture_open_sample (fixture);
  window_fixture_resize (fixture, 900, 700);
  window_fixture_wait (fixture, is_narrow, 30.0);
  window_fixture_settle (fixture, 300);
  flap = ADW_FLAP (window_fixture_find (GTK_WIDGET (fixture->window), ADW_TYPE_FLAP, NULL));
  g_assert_true (adw_flap_get_folded (flap));
  g_assert_cmpint (gtk_widget_get_width (GTK_WIDGET (fixture->window)), ==, 900);
  shoot (fixture, "narrow", FALSE);
  shoot (fixture, "narrow", TRUE);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

  g_test_add ("/screenshot/greeter", WindowFixture, NULL, window_fixture_set_up, test_greeter,
              window_fixture_tear_down);
  g_test_add ("/screenshot/main-window", WindowFixture, NULL, window_fixture_set_up,
              test_main_window, window_fixture_tear_down);
  g_test_add ("/screenshot/distributions", WindowFixture, NULL, window_fixture_set_up,
              test_distributions, window_fixture_tear_down);
  g_test_add ("/screenshot/pictures", WindowFixture, NULL, window_fixture_set_up, test_pictures,
              window_fixture_tear_down);
  g_test_add ("/screenshot/sensitivity", WindowFixture, NULL, window_fixture_set_up,
              test_sensitivity, window_fixture_tear_down);
  g_test_add ("/screenshot/landscape", WindowFixture, NULL, window_fixture_set_up,
              test_landscape, window_fixture_tear_down);
  g_test_add ("/screenshot/measures", WindowFixture, NULL, window_fixture_set_up, test_measures,
              window_fixture_tear_down);
  g_test_add ("/screenshot/narrow", WindowFixture, NULL, window_fixture_set_up, test_narrow,
              window_fixture_tear_down);

  return g_test_run ();
}
