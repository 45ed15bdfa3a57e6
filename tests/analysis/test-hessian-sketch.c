/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-hessian.h"

#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-calibrator.h"
#include "analysis/calibration/tare-collector.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

/* An input wider than the limit, of some directions among noise. */
#define COLUMNS 512
#define LIMIT   128
#define PLANTED 16
#define TOKENS  3000

static const TareTensor tensor = {
  .name = (char *) "blk.0.ffn_down.weight",
  .canonical = (char *) "blk.0.ffn_down.weight",
};

/* The planted directions have variances from 60 times that of the noise's columns on. */
static float *
make_tokens (void)
{
  float *x = g_new (float, TOKENS * COLUMNS);
  g_autofree float *directions = g_new (float, PLANTED * COLUMNS);
  g_autofree float *parts = g_new (float, TOKENS * PLANTED);

  tare_test_fill_gaussian (x, TOKENS * COLUMNS, 1);
  tare_test_fill_gaussian (directions, PLANTED * COLUMNS, 2);
  tare_test_fill_gaussian (parts, TOKENS * PLANTED, 3);
  for (gsize t = 0; t < TOKENS; t++)
    {
      for (gsize r = 0; r < PLANTED; r++)
        {
          float part = parts[t * PLANTED + r] * (0.6f + 0.1f * (float) r);

          for (gsize i = 0; i < COLUMNS; i++)
            x[t * COLUMNS + i] += part * directions[r * COLUMNS + i];
        }
    }

  return x;
}

static TareCalibration *
collect_with (const float *x,
              gsize        limit,
              gsize        batch,
              gsize        n_sketch)
{
  g_autoptr(TareCalibration) calibration = tare_calibration_new ("text", 100);
  g_autoptr(TareCollector) collector = tare_collector_new (calibration, limit, NULL);
  g_autoptr(GError) error = NULL;

  tare_collector_set_sketch_columns (collector, n_sketch);
  for (gsize t = 0; t < TOKENS; t += batch)
    tare_collector_observe (&tensor, 0, x + t * COLUMNS, NULL, MIN (batch, TOKENS - t), COLUMNS,
                            collector);
  g_assert_true (tare_collector_finish (collector, &error));
  g_assert_no_error (error);

  return g_steal_pointer (&calibration);
}

static TareCalibration *
collect (const float *x,
         gsize        limit,
         gsize        batch)
{
  return collect_with (x, limit, batch, TARE_SKETCH_COLUMNS);
}

static TareSpectrum *
find_spectrum (TareCalibration *calibration,
               const char      *name)
{
  const TareLayerActivations *activations = tare_calibration_lookup (calibration, name);
  g_autoptr(TareSpectrum) spectrum = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_nonnull (activations);
  spectrum = tare_hessian_find_spectrum (activations, NULL, &error);
  g_assert_no_error (error);

  return g_steal_pointer (&spectrum);
}

/* None is overestimated, none by more than @within too small, nor than the error that is told. */
static void
compare (const TareSpectrum *sketched,
         const TareSpectrum *exact,
         gsize               n,
         double              within,
         double              rank_within)
{
  double rank = tare_spectrum_get_effective_rank (exact);

  g_assert_cmpuint (exact->n_values, ==, exact->n);
  g_assert_cmpuint (sketched->n, ==, exact->n);
  g_assert_cmpuint (sketched->n_values, ==, 32);
  g_assert_cmpfloat_with_epsilon (sketched->trace, exact->trace, 1e-12 * exact->trace);
  for (gsize i = 0; i < 32; i++)
    {
      g_test_message ("%2u: %g of %g", (guint) i, sketched->values[i], exact->values[i]);
      if (i < n)
        g_assert_cmpfloat (sketched->values[i], >=, (1.0 - within) * exact->values[i]);
      g_assert_cmpfloat (sketched->values[i], <=, (1.0 + 1e-5) * exact->values[i]);
      g_assert_cmpfloat (sketched->values[i] + sketched->error, >=, exact->values[i]);
    }
  g_assert_cmpfloat (sketched->smallest, >=, exact->smallest);
  g_test_message ("effective rank %g of %g", tare_spectrum_get_effective_rank (sketched), rank);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_effective_rank (sketched), rank,
                                  rank_within * rank);
}

static void
test_planted (void)
{
  g_autofree float *x = make_tokens ();
  g_autoptr(TareCalibration) whole = collect (x, COLUMNS, 1000);
  g_autoptr(TareCalibration) wide = collect (x, LIMIT, 1000);
  const TareLayerActivations *activations = tare_calibration_lookup (wide, tensor.canonical);
  g_autoptr(TareSpectrum) exact = find_spectrum (whole, tensor.canonical);
  g_autoptr(TareSpectrum) sketched = find_spectrum (wide, tensor.canonical);

  g_assert_null (activations->gram);
  g_assert_cmpuint (activations->n_sketch, ==, TARE_SKETCH_COLUMNS);
  g_assert_null (tare_calibration_lookup (whole, tensor.canonical)->sketch);
  compare (sketched, exact, PLANTED, 0.01, 0.01);
}

static float
get_equal (gsize i)
{
  return 1.0f;
}

static float
get_root (gsize i)
{
  return 1.0f / sqrtf ((float) (i + 1));
}

static float
get_inverse (gsize i)
{
  return 1.0f / (float) (i + 1);
}

static float
get_square (gsize i)
{
  return 1.0f / (float) ((i + 1) * (i + 1));
}

static float
get_exponential (gsize i)
{
  return expf (-(float) i / 50.0f);
}

static float
get_step (gsize i)
{
  return i < 100 ? 1.0f : 0.01f;
}

/* How many directions there are, from spectra of many kinds: by half as many random vectors as
 * columns, and by an eighth, where much of the trace is beyond what they see. */
static void
test_ranks (void)
{
  float (*const kinds[]) (gsize i) = {
    get_equal, get_root, get_inverse, get_square, get_exponential, get_step,
  };
  g_autofree float *noise = g_new (float, TOKENS * COLUMNS);
  g_autofree float *x = g_new (float, TOKENS * COLUMNS);

  tare_test_fill_gaussian (noise, TOKENS * COLUMNS, 4);
  for (gsize kind = 0; kind < G_N_ELEMENTS (kinds); kind++)
    {
      g_autoptr(TareCalibration) whole = NULL;
      g_autoptr(TareCalibration) wide = NULL;
      g_autoptr(TareCalibration) narrow = NULL;
      g_autoptr(TareSpectrum) exact = NULL;
      g_autoptr(TareSpectrum) many = NULL;
      g_autoptr(TareSpectrum) few = NULL;

      for (gsize i = 0; i < TOKENS * COLUMNS; i++)
        x[i] = noise[i] * sqrtf (kinds[kind] (i % COLUMNS));
      whole = collect (x, COLUMNS, TOKENS);
      wide = collect (x, LIMIT, TOKENS);
      narrow = collect_with (x, LIMIT, TOKENS, COLUMNS / 8);
      exact = find_spectrum (whole, tensor.canonical);
      many = find_spectrum (wide, tensor.canonical);
      few = find_spectrum (narrow, tensor.canonical);
      compare (many, exact, 0, 0.0, 0.03);
      compare (few, exact, 0, 0.0, 0.1);
    }
}

/* A sketch is the product that it is said to be, however the tokens came. */
static void
test_batches (void)
{
  const gsize batches[] = { 7, 2500, TOKENS };
  g_autofree float *x = make_tokens ();
  g_autofree float *omega = g_new (float, COLUMNS * TARE_SKETCH_COLUMNS);
  g_autoptr(TareCalibration) whole = collect (x, COLUMNS, 1000);
  const float *gram = tare_calibration_lookup (whole, tensor.canonical)->gram;

  tare_sketch_fill_signs (omega, COLUMNS, TARE_SKETCH_COLUMNS);
  for (gsize b = 0; b < G_N_ELEMENTS (batches); b++)
    {
      g_autoptr(TareCalibration) wide = collect (x, LIMIT, batches[b]);
      const float *sketch = tare_calibration_lookup (wide, tensor.canonical)->sketch;

      for (gsize i = 0; i < COLUMNS; i += 101)
        {
          for (gsize j = 0; j < TARE_SKETCH_COLUMNS; j++)
            {
              double sum = 0.0;

              for (gsize m = 0; m < COLUMNS; m++)
                sum += (double) gram[i * COLUMNS + m]
                       * (double) omega[m * TARE_SKETCH_COLUMNS + j];
              g_assert_cmpfloat_with_epsilon ((double) sketch[i * TARE_SKETCH_COLUMNS + j], sum,
                                              1e-4 * (double) gram[i * COLUMNS + i]);
            }
        }
    }
}

/* Signs are fair, of no pattern between columns, and those of a row do not depend on the rest. */
static void
test_signs (void)
{
  g_autofree float *omega = g_new (float, 4096 * 100);
  g_autofree float *few = g_new (float, 10 * 70);

  tare_sketch_fill_signs (omega, 4096, 100);
  tare_sketch_fill_signs (few, 10, 70);
  for (gsize i = 0; i < 10 * 70; i++)
    g_assert_cmpfloat (few[i], ==, omega[i / 70 * 100 + i % 70]);
  for (gsize j = 0; j < 100; j++)
    {
      double sums[3] = { 0.0, 0.0, 0.0 };

      for (gsize i = 0; i < 4096; i++)
        {
          g_assert_cmpfloat (fabsf (omega[i * 100 + j]), ==, 1.0f);
          sums[0] += (double) omega[i * 100 + j];
          sums[1] += (double) (omega[i * 100 + j] * omega[i * 100 + (j + 1) % 100]);
          sums[2] += (double) (omega[i * 100 + j] * omega[i * 100 + (j + 64) % 100]);
        }
      for (gsize k = 0; k < 3; k++)
        g_assert_cmpfloat (fabs (sums[k]), <, 5.0 * 64.0);
    }
}

/* What a file brings back is what was collected; inputs of nothing have a spectrum too. */
static void
test_file (void)
{
  g_autofree float *x = make_tokens ();
  g_autofree float *nothing = g_new0 (float, TOKENS * COLUMNS);
  g_autoptr(TareCalibration) wide = collect (x, LIMIT, 1000);
  g_autoptr(TareCalibration) empty = collect (nothing, LIMIT, TOKENS);
  g_autofree char *path = tare_test_temporary ("sketch.gguf");
  g_autoptr(TareCalibration) loaded = NULL;
  g_autoptr(TareSpectrum) none = find_spectrum (empty, tensor.canonical);
  g_autoptr(GError) error = NULL;
  const TareLayerActivations *activations = tare_calibration_lookup (wide, tensor.canonical);
  const TareLayerActivations *again;

  g_assert_true (tare_calibration_save (wide, path, &error));
  g_assert_no_error (error);
  loaded = tare_calibration_load (path, &error);
  g_assert_no_error (error);
  again = tare_calibration_lookup (loaded, tensor.canonical);
  g_assert_cmpmem (again->sketch, COLUMNS * again->n_sketch * sizeof (float),
                   activations->sketch, COLUMNS * activations->n_sketch * sizeof (float));
  g_assert_cmpuint (tare_calibration_get_fingerprint (loaded), ==,
                    tare_calibration_get_fingerprint (wide));

  g_assert_cmpfloat (none->trace, ==, 0.0);
  g_assert_cmpfloat (none->values[0], ==, 0.0);
  g_assert_true (isnan (tare_spectrum_get_effective_rank (none)));
}

static void
assert_refused (const float *sketch,
                const float *diagonal,
                const char  *words)
{
  g_autoptr(TareSpectrum) spectrum = NULL;
  g_autoptr(GError) error = NULL;

  spectrum = tare_spectrum_of_sketch (sketch, diagonal, COLUMNS, TARE_SKETCH_COLUMNS, NULL,
                                      &error);
  g_assert_null (spectrum);
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, words));
}

/* What is no sketch of the matrix with that diagonal is refused: of a scale that is not its, of
 * another layer, of noise, with something that is not a number, of a matrix that has negative
 * eigenvalues. */
static void
test_impossible (void)
{
  const gsize n = COLUMNS * TARE_SKETCH_COLUMNS;
  g_autofree float *x = make_tokens ();
  g_autoptr(TareCalibration) wide = collect (x, LIMIT, 1000);
  const TareLayerActivations *activations = tare_calibration_lookup (wide, tensor.canonical);
  const float *good = activations->sketch, *diagonal = activations->sum_squares;
  const float scales[] = { 0.0f, 0.1f, 3.0f, 1e30f, -1.0f };
  const float values[] = { NAN, INFINITY, -INFINITY };
  g_autofree float *bad = g_new (float, n);

  for (gsize i = 0; i < G_N_ELEMENTS (scales); i++)
    {
      for (gsize j = 0; j < n; j++)
        bad[j] = scales[i] * good[j];
      assert_refused (bad, diagonal, "does not fit its diagonal");
    }

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      memcpy (bad, good, n * sizeof *bad);
      bad[i * 1000] = values[i];
      assert_refused (bad, diagonal, "is not of a symmetric one");
    }

  tare_test_fill_gaussian (bad, n, 8);
  assert_refused (bad, diagonal, "is not of a symmetric one");

  for (gsize i = 0; i < COLUMNS; i++)
    {
      for (gsize j = 0; j < TARE_SKETCH_COLUMNS; j++)
        bad[i * TARE_SKETCH_COLUMNS + j] = good[(i + 1) % COLUMNS * TARE_SKETCH_COLUMNS + j];
    }
  assert_refused (bad, diagonal, "is not of a symmetric one");

  tare_sketch_fill_signs (bad, COLUMNS, TARE_SKETCH_COLUMNS);
  for (gsize j = 0; j < n; j++)
    bad[j] = good[j] - 0.5f * bad[j] * diagonal[0];
  assert_refused (bad, diagonal, "negative eigenvalues");
}

/* Real inputs of a layer whose gram is known. */
static void
test_sample (void)
{
  TareCalibratorOptions options = { .maximum_tokens = 2048 };
  g_autofree char *path = tare_test_source ("data/sample");
  g_autofree char *text = tare_test_source ("data/sample/treasure-island.txt");
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareCalibration) whole = NULL;
  g_autoptr(TareCalibration) wide = NULL;
  g_autofree char *contents = NULL;
  g_autoptr(GError) error = NULL;
  gsize length;

  model = tare_model_open (path, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (text, &contents, &length, &error));
  whole = tare_calibrate (model, contents, length, &options, NULL, &error);
  g_assert_no_error (error);
  options.maximum_gram_columns = LIMIT;
  wide = tare_calibrate (model, contents, length, &options, NULL, &error);
  g_assert_no_error (error);

  for (guint block = 0; block < 6; block++)
    {
      g_autofree char *name = g_strdup_printf ("blk.%u.ffn_down.weight", block);
      g_autoptr(TareSpectrum) exact = find_spectrum (whole, name);
      g_autoptr(TareSpectrum) sketched = find_spectrum (wide, name);

      g_assert_cmpuint (exact->n, ==, 768);
      compare (sketched, exact, 32, block < 2 ? 0.04 : 0.1, 0.01);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hessian-sketch/planted", test_planted);
  g_test_add_func ("/hessian-sketch/ranks", test_ranks);
  g_test_add_func ("/hessian-sketch/batches", test_batches);
  g_test_add_func ("/hessian-sketch/signs", test_signs);
  g_test_add_func ("/hessian-sketch/file", test_file);
  g_test_add_func ("/hessian-sketch/impossible", test_impossible);
  g_test_add_func ("/hessian-sketch/sample", test_sample);

  return g_test_run ();
}
