/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-collector.h"

#include <math.h>

#include "tests/tare-test.h"

#define COLUMNS 48
#define TOKENS  300
#define CONTEXT 100

static const TareTensor tensor = {
  .name = (char *) "blk.0.attn_q.weight",
  .canonical = (char *) "blk.0.attn_q.weight",
};

/* Tokens of some outliers, in columns of different means and sizes. */
static float *
make_tokens (void)
{
  float *x = g_new (float, TOKENS * COLUMNS);

  tare_test_fill_gaussian (x, TOKENS * COLUMNS, 11);
  for (gsize i = 0; i < TOKENS * COLUMNS; i++)
    x[i] = x[i] * (float) (i % COLUMNS + 1) * 0.05f + (i % COLUMNS == 3 ? 1.0f : 0.0f);
  x[17 * COLUMNS + 5] = 1500.0f;
  x[80 * COLUMNS + 5] = -6.0f;
  x[81 * COLUMNS + 5] = 0.0f;

  return x;
}

static gsize
count_above (const float *x,
             gsize        n,
             double       magnitude)
{
  gsize above = 0;

  for (gsize i = 0; i < n; i++)
    above += fabs ((double) x[i]) >= magnitude;

  return above;
}

static void
check_profile (const TareActivationProfile *profile,
               const float                 *x)
{
  const double edges[] = { 0.25, 1.0, 2.0, 6.0, 1024.0 };
  double negative = 0.0;
  double tokens = 0.0;

  for (gsize j = 0; j < COLUMNS; j++)
    {
      double sum = 0.0;
      double magnitude = 0.0;

      for (gsize t = 0; t < TOKENS; t++)
        {
          sum += (double) x[t * COLUMNS + j] / TOKENS;
          magnitude += fabs ((double) x[t * COLUMNS + j]) / TOKENS;
        }
      g_assert_cmpfloat_with_epsilon (profile->mean[j], sum, 1e-5);
      g_assert_cmpfloat_with_epsilon (profile->magnitude[j], magnitude, 1e-5);
    }

  for (gsize i = 0; i < G_N_ELEMENTS (edges); i++)
    {
      gsize n_tokens = 0;

      for (gsize t = 0; t < TOKENS; t++)
        n_tokens += count_above (x + t * COLUMNS, COLUMNS, edges[i]) > 0;
      g_assert_cmpfloat_with_epsilon (tare_activation_profile_get_share_above (profile, edges[i])
                                      * TOKENS * COLUMNS,
                                      (double) count_above (x, TOKENS * COLUMNS, edges[i]), 1e-6);
      g_assert_cmpfloat_with_epsilon (
        tare_activation_profile_get_token_share_above (profile, edges[i]) * TOKENS,
        (double) n_tokens, 1e-6);
    }

  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    {
      negative += (double) profile->histogram[i];
      tokens += (double) profile->tokens[i];
    }
  for (gsize i = 0; i < TOKENS * COLUMNS; i++)
    negative -= x[i] < 0.0f ? 1.0 : 0.0;
  g_assert_cmpfloat (negative, ==, 0.0);
  g_assert_cmpfloat (tokens, ==, TOKENS);
}

/* The largest |x| of the three sequences of 100 tokens at each of their positions. */
static void
check_positions (const TareLayerActivations *activations,
                 const float                *x)
{
  float maximum[CONTEXT] = { 0.0f };

  for (gsize i = 0; i < TOKENS * COLUMNS; i++)
    maximum[i / COLUMNS % CONTEXT] = MAX (maximum[i / COLUMNS % CONTEXT], fabsf (x[i]));

  g_assert_cmpuint (activations->n_positions, ==, CONTEXT);
  g_assert_cmpmem (activations->positions, CONTEXT * sizeof (float), maximum, sizeof maximum);
  g_assert_cmpfloat (activations->positions[17], ==, 1500.0f);
}

static TareCalibration *
collect (const float *x)
{
  g_autoptr(TareCalibration) calibration = tare_calibration_new ("text", CONTEXT);
  g_autoptr(TareCollector) collector = tare_collector_new (calibration, COLUMNS, NULL);
  TareObserver observer = tare_collector_get_observer (collector);
  g_autoptr(GError) error = NULL;

  /* Neither at the end of a sequence nor fewer than one. */
  observer.observe (&tensor, 0, x, NULL, 70, COLUMNS, observer.data);
  observer.observe (&tensor, 0, x + 70 * COLUMNS, NULL, TOKENS - 70, COLUMNS, observer.data);
  g_assert_true (tare_collector_finish (collector, &error));
  g_assert_no_error (error);

  return g_steal_pointer (&calibration);
}

/* Every figure of a profile by its definition, as collected and as a file brings it back. */
static void
test_profile (void)
{
  g_autofree float *x = make_tokens ();
  g_autoptr(TareCalibration) calibration = collect (x);
  g_autofree char *path = tare_test_temporary ("profile.gguf");
  g_autoptr(TareCalibration) loaded = NULL;
  g_autoptr(GError) error = NULL;

  check_profile (tare_calibration_lookup (calibration, tensor.canonical)->profile, x);
  check_positions (tare_calibration_lookup (calibration, tensor.canonical), x);

  g_assert_true (tare_calibration_save (calibration, path, &error));
  g_assert_no_error (error);
  loaded = tare_calibration_load (path, &error);
  g_assert_no_error (error);
  check_profile (tare_calibration_lookup (loaded, tensor.canonical)->profile, x);
  check_positions (tare_calibration_lookup (loaded, tensor.canonical), x);
}

/* Bins follow each other without a gap, and a number lies in its own. */
static void
test_bins (void)
{
  g_autoptr(TareActivationSums) sums = tare_activation_sums_new (1);
  g_autoptr(TareActivationProfile) profile = tare_activation_profile_new (1);

  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    {
      float edge = (float) tare_activation_bin_get_edge (i);
      float before = nextafterf ((float) tare_activation_bin_get_edge (i + 1), 0.0f);

      g_assert_cmpfloat (edge, <, before);
      tare_activation_sums_add (sums, &edge, 1);
      tare_activation_sums_add (sums, &before, 1);
    }
  tare_activation_sums_finish (sums, profile);
  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    {
      g_assert_cmpfloat (profile->histogram[TARE_ACTIVATION_BINS + i], ==, 2.0f);
      g_assert_cmpfloat (profile->tokens[i], ==, 2.0f);
      g_assert_cmpfloat (profile->histogram[i], ==, 0.0f);
    }
}

/* Quantiles of uniform numbers are their shares. */
static void
test_quantile (void)
{
  g_autoptr(TareActivationSums) sums = tare_activation_sums_new (1);
  g_autoptr(TareActivationProfile) profile = tare_activation_profile_new (1);

  g_assert_true (isnan (tare_activation_profile_get_quantile (profile, 0.5)));
  for (int i = 0; i < 20000; i++)
    {
      float x = ((float) i + 0.5f) / 10000.0f - 1.0f;

      tare_activation_sums_add (sums, &x, 1);
    }
  tare_activation_sums_finish (sums, profile);
  for (double share = 0.05; share < 1.0; share += 0.09)
    g_assert_cmpfloat_with_epsilon (tare_activation_profile_get_quantile (profile, share), share,
                                    1e-3);
}

/* A block that turns half of its tokens round and doubles them all; attention that goes to one
 * position in one sequence and to all alike in the other. */
static void
test_block (void)
{
  const float before[] = { 1.0f, 2.0f, 3.0f, -1.0f };
  const float after[] = { 2.0f, 4.0f, -6.0f, 2.0f };
  const double received[] = { 8.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0 };
  g_autoptr(TareCalibration) calibration = tare_calibration_new ("text", 2);
  g_autoptr(TareCollector) collector = tare_collector_new (calibration, 0, NULL);
  TareObserver observer = tare_collector_get_observer (collector);
  g_autofree char *path = tare_test_temporary ("block.gguf");
  g_autoptr(TareCalibration) loaded = NULL;
  g_autoptr(GError) error = NULL;
  TareBlockActivity activity;

  observer.stream (1, before, after, 2, 2, observer.data);
  observer.attend (1, received, 2, 4, observer.data);
  g_assert_true (tare_collector_finish (collector, NULL));
  observer.stream (2, before, before, 1, 2, observer.data);
  observer.observe (&tensor, 0, before, NULL, 1, 4, observer.data);
  g_assert_true (tare_collector_finish (collector, NULL));

  g_assert_false (tare_calibration_get_block (calibration, 0, &activity));
  g_assert_true (isnan (activity.cosine));
  g_assert_true (tare_calibration_get_block (calibration, 1, &activity));
  g_assert_cmpfloat_with_epsilon (activity.cosine, 0.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (activity.gain, 2.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (activity.spread, (0.25 + 1.0) / 2.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (activity.sink, (1.0 + 0.25) / 2.0, 1e-12);
  g_assert_true (tare_calibration_get_block (calibration, 2, &activity));
  g_assert_cmpfloat_with_epsilon (activity.cosine, 1.0, 1e-12);
  g_assert_true (isnan (activity.spread));
  g_assert_false (tare_calibration_get_block (calibration, 3, &activity));

  /* A file tells of blocks from the first on. */
  activity = (TareBlockActivity) { -0.5, 3.0, NAN, NAN };
  tare_calibration_set_block (calibration, 0, &activity);
  g_assert_true (tare_calibration_save (calibration, path, &error));
  g_assert_no_error (error);
  loaded = tare_calibration_load (path, &error);
  g_assert_no_error (error);
  g_assert_true (tare_calibration_get_block (loaded, 0, &activity));
  g_assert_cmpfloat (activity.cosine, ==, -0.5);
  g_assert_true (isnan (activity.sink));
  g_assert_true (tare_calibration_get_block (loaded, 1, &activity));
  g_assert_cmpfloat_with_epsilon (activity.spread, 0.625, 1e-6);
  g_assert_false (tare_calibration_get_block (loaded, 3, &activity));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/collector/profile", test_profile);
  g_test_add_func ("/collector/bins", test_bins);
  g_test_add_func ("/collector/quantile", test_quantile);
  g_test_add_func ("/collector/block", test_block);

  return g_test_run ();
}
