/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The page of sensitivity: any measure of the table as bars, measures against each other. */
#include "tests/app/window-fixture.h"

#include <math.h>
#include <string.h>

#include "app/tare-sensitivity-page.h"

static TareSensitivityPage *
get_page (WindowFixture *fixture)
{
  return TARE_SENSITIVITY_PAGE (tare_window_get_page (fixture->window, "sensitivity"));
}

static gboolean
is_idle (WindowFixture *fixture)
{
  TareJobQueue *jobs = tare_session_get_jobs (fixture->session);

  return g_list_model_get_n_items (G_LIST_MODEL (jobs)) == 0
         && !tare_measurements_is_running (tare_sensitivity_page_get_measurements (
              get_page (fixture)), G_MAXUINT);
}

static void
wait_until_idle (WindowFixture *fixture)
{
  window_fixture_settle (fixture, 150);
  window_fixture_wait (fixture, is_idle, 120.0);
  window_fixture_settle (fixture, 300);
}

static gsize
find_measure (const char *id)
{
  gsize column = 0;

  while (tare_measure_get (column) != tare_measure_lookup (id))
    column++;

  return column;
}

static guint
count_known (WindowFixture *fixture,
             const char    *id)
{
  TareMeasurements *measurements = tare_sensitivity_page_get_measurements (get_page (fixture));

  return tare_measurements_count_known (measurements, find_measure (id));
}

static guint
count_bars (WindowFixture *fixture)
{
  g_autofree char *csv = tare_chart_dup_csv (tare_sensitivity_page_get_chart (get_page (fixture)));
  g_auto(GStrv) lines = g_strsplit (csv, "\n", -1);
  guint bars = 0;

  for (guint i = 0; lines[i] != NULL; i++)
    {
      const char *comma = strrchr (lines[i], ',');

      bars += comma != NULL && g_ascii_isdigit (comma[1]) ? 1 : 0;
    }

  return bars;
}

/* Without a calibration there are the measures of the weights. */
static void
test_bars (WindowFixture *fixture,
           gconstpointer  data)
{
  TareSensitivityPage *page = get_page (fixture);
  TareMeasurements *measurements;
  guint n;

  window_fixture_open_sample (fixture);
  tare_window_show_page (fixture->window, "sensitivity");
  measurements = tare_sensitivity_page_get_measurements (page);
  n = tare_measurements_get_n_rows (measurements);
  g_assert_cmpuint (n, >, 20);
  g_assert_cmpstr (tare_sensitivity_page_get_state (page), ==, "empty");
  g_assert_cmpuint (count_known (fixture, "kurtosis"), ==, 0);

  tare_sensitivity_page_set_measure (page, tare_measure_lookup ("kurtosis"));
  wait_until_idle (fixture);
  g_assert_cmpstr (tare_sensitivity_page_get_state (page), ==, "chart");
  g_assert_cmpuint (count_known (fixture, "kurtosis"), ==, n);
  g_assert_cmpuint (count_bars (fixture), ==, n);
  g_assert_cmpuint (count_known (fixture, "weighted_error"), ==, 0);
  for (guint i = 0; i < n; i++)
    g_assert_cmpfloat (tare_measurements_get_values (measurements, find_measure ("kurtosis"))[i],
                       >, 1.0);

  /* In another format the weights are what they were, and their errors are not. */
  g_assert_cmpuint (count_known (fixture, "relative_error"), ==, n);
  tare_session_set_reference (fixture->session, tare_format_lookup ("q8_0"));
  g_assert_cmpuint (count_known (fixture, "kurtosis"), ==, n);
  g_assert_cmpuint (count_known (fixture, "relative_error"), ==, 0);
  wait_until_idle (fixture);
  g_assert_cmpuint (count_known (fixture, "relative_error"), ==, n);
}

static void
check_matrix (TareMeasureCompare *compare)
{
  guint n = tare_measure_compare_get_n_measures (compare);

  g_assert_cmpuint (tare_plot_get_n_points (tare_measure_compare_get_heat (compare)), ==, n * n);
  for (guint i = 0; i < n; i++)
    {
      double own = tare_measure_compare_get_correlation (compare, i, i);

      g_assert_cmpfloat_with_epsilon (own, 1.0, 1e-12);
      for (guint k = 0; k < n; k++)
        {
          double there = tare_measure_compare_get_correlation (compare, i, k);
          double back = tare_measure_compare_get_correlation (compare, k, i);

          g_assert_true (isnan (there) ? isnan (back) : there == back);
          g_assert_false (fabs (there) > 1.0 + 1e-12);
        }
    }
}

static guint
find_row (TareMeasureCompare *compare,
          const char         *id)
{
  for (guint i = 0; i < tare_measure_compare_get_n_measures (compare); i++)
    if (tare_measure_compare_get_measure (compare, i) == tare_measure_lookup (id))
      return i;
  g_assert_not_reached ();
}

static void
test_compare (WindowFixture *fixture,
              gconstpointer  data)
{
  TareSensitivityPage *page = get_page (fixture);
  TareMeasureCompare *compare = tare_sensitivity_page_get_compare (page);
  TarePlot *scatter = tare_measure_compare_get_scatter (compare);
  TarePlot *heat = tare_measure_compare_get_heat (compare);
  guint some, row, column, n;
  const guint *selection;
  double x, y;

  window_fixture_open_sample (fixture);
  tare_window_show_page (fixture->window, "sensitivity");
  tare_sensitivity_page_set_comparing (page, TRUE);
  wait_until_idle (fixture);
  some = tare_measure_compare_get_n_measures (compare);
  g_assert_cmpuint (some, >=, 3);
  check_matrix (compare);

  tare_measure_compare_set_show (compare, TARE_MEASURE_SHOW_ALL);
  g_assert_cmpuint (tare_measure_compare_get_n_measures (compare), >, some);
  check_matrix (compare);

  /* The one in decibels falls as the other rises. */
  row = find_row (compare, "sqnr");
  column = find_row (compare, "relative_error");
  g_assert_cmpfloat (tare_measure_compare_get_correlation (compare, row, column), <, -0.9);
  tare_plot_activate (heat, row * tare_measure_compare_get_n_measures (compare) + column, 0);
  g_assert_true (tare_plot_get_point (scatter, 5, &x, &y));
  g_assert_cmpfloat (x, ==, tare_measurements_get_values (
                              tare_sensitivity_page_get_measurements (page),
                              find_measure ("relative_error"))[5]);

  tare_plot_activate (scatter, 5, 0);
  selection = tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpuint (selection[0], ==, tare_measurements_get_layers (
                                        tare_sensitivity_page_get_measurements (page))[5]);
  g_assert_true (tare_plot_is_selected (scatter, 5));
  g_assert_false (tare_plot_is_selected (scatter, 4));

  tare_plot_activate (scatter, 7, GDK_CONTROL_MASK);
  tare_session_get_selection (fixture->session, &n);
  g_assert_cmpuint (n, ==, 2);
}

static gboolean
has_fisher (WindowFixture *fixture)
{
  return count_known (fixture, "fisher") > 0;
}

static gboolean
has_divergence (WindowFixture *fixture)
{
  return count_known (fixture, "measured_kl") >= 2;
}

static void
click (TareSensitivityPage *page,
       const char          *label)
{
  GtkWidget *found = window_fixture_find (GTK_WIDGET (page), GTK_TYPE_LABEL, label);

  g_assert_nonnull (found);
  g_signal_emit_by_name (gtk_widget_get_ancestor (found, GTK_TYPE_BUTTON), "clicked");
}

/* What is dear is found when a button says so, and ends when it says stop. */
static void
test_dear (WindowFixture *fixture,
           gconstpointer  data)
{
  TareSensitivityPage *page = get_page (fixture);
  TareMeasurements *measurements;
  guint known;

  window_fixture_open_sample (fixture);
  tare_window_show_page (fixture->window, "sensitivity");
  tare_sensitivity_page_set_measure (page, tare_measure_lookup ("relative_error"));
  wait_until_idle (fixture);
  measurements = tare_sensitivity_page_get_measurements (page);
  g_assert_cmpuint (count_known (fixture, "fisher"), ==, 0);

  click (page, "Weigh With Gradients");
  window_fixture_wait (fixture, has_fisher, 60.0);
  wait_until_idle (fixture);
  known = count_known (fixture, "fisher");
  g_assert_cmpuint (known, >, tare_measurements_get_n_rows (measurements) / 2);

  /* What was waited for is what is shown now. */
  window_fixture_settle (fixture, 300);
  g_assert_nonnull (strstr (tare_axis_get_title (tare_chart_get_y_axis
                                                   (tare_sensitivity_page_get_chart (page))),
                            "FIT"));
  tare_sensitivity_page_set_measure (page, tare_measure_lookup ("fisher"));
  g_assert_cmpuint (count_bars (fixture), ==, known);

  tare_sensitivity_page_set_measure (page, tare_measure_lookup ("measured_kl"));
  click (page, "Measure Each Layer");
  window_fixture_wait (fixture, has_divergence, 60.0);
  window_fixture_settle (fixture, 200);
  click (page, "Stop");
  wait_until_idle (fixture);
  known = count_known (fixture, "measured_kl");
  window_fixture_settle (fixture, 300);
  g_assert_cmpuint (count_known (fixture, "measured_kl"), ==, known);
  g_assert_cmpfloat (tare_measurements_get_errors (measurements, find_measure ("measured_kl"))[0],
                     >, 0.0);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

  g_test_add ("/measure-page/bars", WindowFixture, NULL, window_fixture_set_up, test_bars,
              window_fixture_tear_down);
  g_test_add ("/measure-page/compare", WindowFixture, NULL, window_fixture_set_up, test_compare,
              window_fixture_tear_down);
  g_test_add ("/measure-page/dear", WindowFixture, NULL, window_fixture_set_up, test_dear,
              window_fixture_tear_down);

  return g_test_run ();
}
