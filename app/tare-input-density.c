/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-input-density.h"

#include <math.h>

/* The share of inputs whose magnitude is on the linear part of their axis. */
#define LINEAR_SHARE 0.1

/* How often a number between two edges is, by its share of all and the distance of the edges. */
static void
add_density (GArray *points,
             double  from,
             double  to,
             double  share)
{
  const double point[2] = { from, share / (to - from) };

  g_array_append_val (points, point);
}

/* One side of zero: the bins up to @least become one, whose numbers are too few for narrow ones. */
static void
add_side (GArray      *points,
          const float *counts,
          double       total,
          double       least,
          double       sign)
{
  double inner = 0.0;
  guint n = TARE_ACTIVATION_BINS;
  guint merged = 0;

  while (n > 1 && !(counts[n - 1] > 0.0f))
    n--;
  do
    inner += (double) counts[merged++];
  while (merged < n && tare_activation_bin_get_edge (merged) < least);

  if (sign > 0.0)
    add_density (points, 0.0, tare_activation_bin_get_edge (merged), inner / total);
  for (guint i = merged; i < n; i++)
    {
      guint bin = sign > 0.0 ? i : n - 1 - (i - merged);
      double near = tare_activation_bin_get_edge (bin);
      double far = tare_activation_bin_get_edge (bin + 1);

      add_density (points, sign > 0.0 ? near : -far, sign > 0.0 ? far : -near,
                   (double) counts[bin] / total);
    }
  if (sign < 0.0)
    add_density (points, -tare_activation_bin_get_edge (merged), 0.0, inner / total);
  else
    {
      const double end[2] = { tare_activation_bin_get_edge (n), 0.0 };

      g_array_append_val (points, end);
    }
}

/**
 * tare_input_density_show:
 * @profile: how the inputs of a layer are spread
 * @chart: a chart whose axis along the width is symmetric-logarithmic
 * @plot: its plot, of steps
 *
 * Draws the density of the inputs, every bin by its share of all and its width. The tenth of them
 * that is nearest to zero lies on the linear part of the axis, as one bin.
 */
void
tare_input_density_show (const TareActivationProfile *profile,
                         TareChart                   *chart,
                         TareLinePlot                *plot)
{
  g_autoptr(GArray) points = g_array_new (FALSE, FALSE, 2 * sizeof (double));
  g_autofree double *x = NULL;
  g_autofree double *y = NULL;
  double linear, total = 0.0;

  g_return_if_fail (profile != NULL && TARE_IS_CHART (chart) && TARE_IS_LINE_PLOT (plot));

  linear = MAX (tare_activation_profile_get_quantile (profile, LINEAR_SHARE),
                tare_activation_bin_get_edge (1));
  for (guint i = 0; i < 2 * TARE_ACTIVATION_BINS; i++)
    total += (double) profile->histogram[i];
  add_side (points, profile->histogram, total, linear, -1.0);
  add_side (points, profile->histogram + TARE_ACTIVATION_BINS, total, linear, 1.0);

  x = g_new (double, points->len);
  y = g_new (double, points->len);
  for (guint i = 0; i < points->len; i++)
    {
      x[i] = g_array_index (points, double, 2 * i);
      y[i] = g_array_index (points, double, 2 * i + 1);
    }
  tare_axis_set_threshold (tare_chart_get_x_axis (chart), linear);
  tare_line_plot_set_points (plot, x, y, points->len);
  tare_chart_fit (chart);
}
