/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The map of a model with experts, which share a cell that opens, and the map from the pages. */
#include "tests/app/window-fixture.h"

#include <math.h>

#include "app/tare-map-experts.h"
#include "app/tare-map-measure.h"
#include "app/tare-map-view.h"
#include "tests/quant/tiny-model.h"
#include "tests/tare-test.h"

static gboolean
is_surveyed (WindowFixture *fixture)
{
  guint n = tare_session_get_n_layers (fixture->session);

  for (guint i = 0; i < n; i++)
    if (tare_layer_get_statistics (tare_session_get_layer (fixture->session, i)) == NULL)
      return FALSE;

  return n > 0;
}

static TareLayer *
find_stack (TareSession *session)
{
  for (guint i = 0; i < tare_session_get_n_layers (session); i++)
    {
      TareLayer *layer = tare_session_get_layer (session, i);

      if (tare_map_experts_count (layer) > 1)
        return layer;
    }
  g_assert_not_reached ();
}

/* The largest magnitude among the rows of one matrix. */
static double
find_maximum (const TareTensor *tensor,
              gsize             matrix)
{
  gsize n = tare_tensor_get_n_weights (tensor) / tare_tensor_get_n_matrices (tensor);
  g_autofree float *w = g_new (float, tare_tensor_get_n_weights (tensor));
  double most = 0.0;

  g_assert_true (tare_tensor_read (tensor, w, NULL));
  for (gsize i = matrix * n; i < (matrix + 1) * n; i++)
    most = MAX (most, fabs ((double) w[i]));

  return most;
}

static void
test_open (WindowFixture *fixture,
           gconstpointer  data)
{
  g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup ("mixtral"));
  GtkWidget *view;
  TareFormatMap *map, *opened;
  TareLayer *layer;
  const TareTensor *tensor;
  guint cell, n, largest = 0;
  double most = 0.0;
  GdkRGBA first, color;

  tare_window_open (fixture->window, tare_model_get_path (model));
  window_fixture_wait (fixture, is_surveyed, 30.0);
  window_fixture_settle (fixture, 200);
  view = window_fixture_find (GTK_WIDGET (fixture->window), TARE_TYPE_MAP_VIEW, NULL);
  map = tare_window_get_map (fixture->window);
  layer = find_stack (fixture->session);
  tensor = tare_layer_get_tensor (layer);
  cell = tare_map_view_get_cell (TARE_MAP_VIEW (view), tare_layer_get_index (layer));
  n = tare_map_experts_count (layer);
  for (guint i = 0; i < n; i++)
    {
      double maximum = find_maximum (tensor, i);

      largest = maximum > most ? i : largest;
      most = MAX (most, maximum);
    }

  opened = tare_map_experts_open (map, cell, fixture->session, layer);
  window_fixture_settle (fixture, 200);
  g_assert_cmpuint (tare_format_map_get_rows (opened) * tare_format_map_get_columns (opened), >=,
                    n);
  /* Only the largest has the colour at the end of the scale. */
  tare_format_map_get_cell_color (opened, largest, &first);
  for (guint i = 0; i < n; i++)
    {
      tare_format_map_get_cell_color (opened, i, &color);
      g_assert_cmpint (gdk_rgba_equal (&first, &color), ==, i == largest);
    }
  window_fixture_shoot (fixture, GTK_WIDGET (fixture->window), "moe", FALSE);

  /* A matrix of its own has nothing to open. */
  g_assert_null (tare_map_experts_open (map, 0, fixture->session,
                                        tare_session_get_layer (fixture->session, 0)));
}

/* The button of the outliers page. */
static void
test_measure (WindowFixture *fixture,
              gconstpointer  data)
{
  GtkWidget *view, *button, *choice;
  const guint layer = 9;

  window_fixture_open_sample (fixture);
  tare_session_set_selection (fixture->session, &layer, 1);
  tare_window_show_page (fixture->window, "outliers");
  window_fixture_settle (fixture, 300);
  view = window_fixture_find (GTK_WIDGET (fixture->window), TARE_TYPE_MAP_VIEW, NULL);
  button = window_fixture_find (tare_window_get_page (fixture->window, "outliers"),
                                GTK_TYPE_LABEL, "Show on Map");
  choice = window_fixture_find (view, GTK_TYPE_DROP_DOWN, NULL);
  g_assert_nonnull (button);
  g_assert_cmpuint (gtk_drop_down_get_selected (GTK_DROP_DOWN (choice)), ==, 0);
  g_signal_emit_by_name (gtk_widget_get_parent (button), "clicked");
  g_assert_cmpstr (tare_map_measure_get (gtk_drop_down_get_selected (GTK_DROP_DOWN (choice)))->id,
                   ==, "outliers");
  window_fixture_shoot (fixture, GTK_WIDGET (fixture->window), "outliers-all", FALSE);
}

int
main (int    argc,
      char **argv)
{
  if (!window_fixture_begin (&argc, &argv))
    return 0;

  g_test_add ("/map-experts/open", WindowFixture, NULL, window_fixture_set_up, test_open,
              window_fixture_tear_down);
  g_test_add ("/map-experts/measure", WindowFixture, NULL, window_fixture_set_up, test_measure,
              window_fixture_tear_down);

  return g_test_run ();
}
