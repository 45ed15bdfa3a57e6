/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-spectrum.h"

#include <math.h>

#include "tests/analysis/tensor-fixture.h"
#include "tests/tare-test.h"

/* The second difference: eigenvalues 2 - 2 cos (k π / (n + 1)). */
static float *
make_difference (gsize n)
{
  float *a = g_new0 (float, n * n);

  for (gsize i = 0; i < n; i++)
    {
      a[i * n + i] = 2.0f;
      if (i + 1 < n)
        a[i * n + i + 1] = a[(i + 1) * n + i] = -1.0f;
    }

  return a;
}

/* D turned over by two mirrors, I - 2vv' and I - 2ww', so that it is full and keeps D's
 * eigenvalues. */
static float *
make_turned (const double *values,
             gsize         n)
{
  g_autofree double *full = g_new0 (double, n * n);
  float *a = g_new (float, n * n);

  for (gsize i = 0; i < n; i++)
    full[i * n + i] = values[i];

  for (int mirror = 0; mirror < 2; mirror++)
    {
      g_autofree float *noise = g_new (float, n);
      g_autofree double *product = g_new0 (double, n);
      double norm = 0.0;
      double form = 0.0;

      tare_test_fill_gaussian (noise, n, (guint32) (mirror + 1));
      for (gsize i = 0; i < n; i++)
        norm += (double) noise[i] * (double) noise[i];
      for (gsize i = 0; i < n; i++)
        {
          for (gsize j = 0; j < n; j++)
            product[i] += full[i * n + j] * (double) noise[j];
        }
      for (gsize i = 0; i < n; i++)
        form += product[i] * (double) noise[i];

      /* A - 2 v p' / s - 2 p v' / s + 4 f v v' / s² */
      for (gsize i = 0; i < n; i++)
        {
          for (gsize j = 0; j < n; j++)
            full[i * n + j] += -2.0 / norm * ((double) noise[i] * product[j]
                                              + product[i] * (double) noise[j])
                               + 4.0 * form / (norm * norm)
                                 * ((double) noise[i] * (double) noise[j]);
        }
    }
  for (gsize i = 0; i < n * n; i++)
    a[i] = (float) full[i];

  return a;
}

static void
test_difference (void)
{
  const gsize sizes[] = { 1, 2, 5, 31, 32, 33, 64, 65, 200, 333 };

  for (gsize k = 0; k < G_N_ELEMENTS (sizes); k++)
    {
      gsize n = sizes[k];
      g_autofree float *a = make_difference (n);
      g_autoptr(GError) error = NULL;
      g_autoptr(TareSpectrum) spectrum = tare_spectrum_of_symmetric (a, n, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (spectrum->n_values, ==, n);
      g_assert_cmpfloat (spectrum->trace, ==, 2.0 * (double) n);
      g_assert_cmpfloat (spectrum->error, ==, 0.0);
      for (gsize i = 0; i < n; i++)
        g_assert_cmpfloat_with_epsilon (spectrum->values[i], 2.0 - 2.0 * cos (
                                          (double) (n - i) * M_PI / ((double) n + 1.0)), 1e-12);
    }
}

/* A full matrix whose eigenvalues are known, by every figure that is drawn from them. */
static void
test_figures (void)
{
  const gsize n = 150;
  g_autofree double *values = g_new (double, n);
  g_autofree float *a = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareSpectrum) spectrum = NULL;
  double trace = 0.0;
  double entropy = 0.0;

  for (gsize i = 0; i < n; i++)
    {
      values[i] = 1.0 / (double) (i + 1);
      trace += values[i];
    }
  for (gsize i = 0; i < n; i++)
    entropy -= values[i] / trace * log (values[i] / trace);

  a = make_turned (values, n);
  spectrum = tare_spectrum_of_symmetric (a, n, NULL, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (spectrum->values[i], values[i], 1e-6);

  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_energy (spectrum, 2), 1.5 / trace, 1e-6);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_energy (spectrum, n), 1.0, 1e-6);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_effective_rank (spectrum), exp (entropy),
                                  1e-3);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_stable_rank (spectrum), trace, 1e-5);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_condition (spectrum, 0.0), (double) n, 0.1);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_condition (spectrum, 1.0),
                                  (1.0 + trace / (double) n)
                                  / (1.0 / (double) n + trace / (double) n), 1e-4);
}

/* Too wide for all of them: the largest, each within what is said of it. */
static void
test_largest (void)
{
  const gsize n = 2100;
  g_autofree float *a = g_new0 (float, n * n);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareSpectrum) spectrum = NULL;

  /* A diagonal in another order. */
  for (gsize i = 0; i < n; i++)
    a[i * n + i] = (float) (100.0 * pow (0.9, (double) (i * 17 % n)));

  spectrum = tare_spectrum_of_symmetric (a, n, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (spectrum->n, ==, n);
  g_assert_cmpuint (spectrum->n_values, ==, 32);
  g_assert_cmpfloat_with_epsilon (spectrum->trace, 1000.0, 0.01);
  g_assert_cmpfloat (spectrum->error, <, 0.1);
  for (gsize i = 0; i < spectrum->n_values; i++)
    g_assert_cmpfloat_with_epsilon (spectrum->values[i], 100.0 * pow (0.9, (double) i),
                                    spectrum->error + 1e-4);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_energy (spectrum, 10), 1.0 - pow (0.9, 10.0),
                                  1e-3);
  g_assert_true (isnan (tare_spectrum_get_energy (spectrum, 33)));
  /* Σ p log (1/p) of a geometric series. */
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_effective_rank (spectrum),
                                  exp (-log (0.1) - 9.0 * log (0.9)), 0.05);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_condition (spectrum, 0.01),
                                  (100.0 + 10.0 / (double) n) / (10.0 / (double) n), 400.0);
}

static double
find_effective_rank (const double *values,
                     gsize         n)
{
  double trace = 0.0;
  double entropy = 0.0;

  for (gsize i = 0; i < n; i++)
    trace += values[i];
  for (gsize i = 0; i < n; i++)
    entropy -= values[i] / trace * log (values[i] / trace);

  return exp (entropy);
}

/* Full matrices that are just too wide, of a spectrum that falls slowly and of one that falls in
 * two steps: what is said of the eigenvalues that are not found. */
static void
test_rest (void)
{
  const gsize n = 2080;
  g_autofree double *values = g_new (double, n);

  for (int kind = 0; kind < 2; kind++)
    {
      g_autofree float *a = NULL;
      g_autoptr(GError) error = NULL;
      g_autoptr(TareSpectrum) spectrum = NULL;
      double rank, found;

      for (gsize i = 0; i < n; i++)
        values[i] = kind == 0 ? 1.0 / (double) (i + 1) : i < 10 ? 50.0 : i < 700 ? 1.0 : 0.01;
      rank = find_effective_rank (values, n);
      a = make_turned (values, n);
      spectrum = tare_spectrum_of_symmetric (a, n, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (spectrum->n_values, ==, 32);
      found = tare_spectrum_get_effective_rank (spectrum);
      g_test_message ("effective rank %.2f, estimated %.2f", rank, found);
      g_assert_cmpfloat_with_epsilon (found, rank, 0.01 * rank);
      g_assert_cmpfloat (spectrum->smallest, >=, values[n - 1] * 0.999 - 1e-5);
      g_assert_cmpfloat (spectrum->smallest, <=, values[n / 2]);
    }
}

/* Σ over k of s_k u_k v_k' with orthonormal cosines: singular values s. Tall and wide, exactly and
 * at random. */
static void
check_tensor (gsize    rows,
              gsize    columns,
              gboolean exact)
{
  const double singular[] = { 9.0, 4.0, 2.0, 1.0, 0.5 };
  double squares[G_N_ELEMENTS (singular)];
  g_autofree float *x = g_new0 (float, rows * columns);
  g_autoptr(TareTensor) tensor = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareSpectrum) spectrum = NULL;

  for (gsize i = 0; i < rows * columns; i++)
    {
      double sum = 0.0;

      for (gsize k = 0; k < G_N_ELEMENTS (singular); k++)
        sum += singular[k]
               * cos (M_PI * (double) (k + 1) * ((double) (i / columns) + 0.5) / (double) rows)
               * cos (M_PI * (double) (k + 1) * ((double) (i % columns) + 0.5) / (double) columns);
      x[i] = (float) (sum * 2.0 / sqrt ((double) rows * (double) columns));
    }

  tensor = tensor_fixture_new (x, rows, columns);
  spectrum = tare_spectrum_of_tensor (tensor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (spectrum->n, ==, MIN (rows, columns));
  g_assert_cmpint (spectrum->n_values == spectrum->n, ==, exact);
  g_assert_cmpfloat_with_epsilon (spectrum->trace, 102.25, 1e-3);
  for (gsize k = 0; k < G_N_ELEMENTS (singular); k++)
    g_assert_cmpfloat_with_epsilon (spectrum->values[k], singular[k] * singular[k],
                                    spectrum->error + 1e-4);
  g_assert_cmpfloat (fabs (spectrum->values[G_N_ELEMENTS (singular)]), <, 1e-3);
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_energy (spectrum, 2), 97.0 / 102.25, 1e-4);
  for (gsize k = 0; k < G_N_ELEMENTS (singular); k++)
    squares[k] = singular[k] * singular[k];
  g_assert_cmpfloat_with_epsilon (tare_spectrum_get_effective_rank (spectrum),
                                  find_effective_rank (squares, G_N_ELEMENTS (squares)), 1e-2);
}

static void
test_tensor (void)
{
  check_tensor (100, 37, TRUE);
  check_tensor (40, 700, TRUE);
  check_tensor (1300, 60, TRUE);
  check_tensor (1100, 1200, FALSE);
}

static void
test_cancelled (void)
{
  g_autofree float *a = make_difference (200);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (tare_spectrum_of_symmetric (a, 200, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/spectrum/difference", test_difference);
  g_test_add_func ("/spectrum/figures", test_figures);
  g_test_add_func ("/spectrum/largest", test_largest);
  g_test_add_func ("/spectrum/rest", test_rest);
  g_test_add_func ("/spectrum/tensor", test_tensor);
  g_test_add_func ("/spectrum/cancelled", test_cancelled);

  return g_test_run ();
}
