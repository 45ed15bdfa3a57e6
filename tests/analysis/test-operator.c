/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Traces and spectra of matrices that are known in full. */
#include "analysis/sensitivity/tare-operator.h"

#include <math.h>
#include <string.h>

#include "analysis/sensitivity/tare-trace.h"
#include "tests/tare-test.h"

/* A matrix, row by row. */
typedef struct
{
  gsize         n;
  const double *a;
  gsize         n_products;
} Matrix;

static gboolean
multiply (gpointer             data,
          const float         *v,
          float               *product,
          const TareProgress  *progress,
          GError             **error)
{
  Matrix *self = data;

  self->n_products++;
  for (gsize i = 0; i < self->n; i++)
    {
      double sum = 0.0;

      for (gsize j = 0; j < self->n; j++)
        sum += self->a[i * self->n + j] * (double) v[j];
      product[i] = (float) sum;
    }

  return tare_progress_step (progress, 1.0, NULL, error);
}

static TareOperator
get_operator (Matrix *matrix)
{
  return (TareOperator) { matrix->n, multiply, matrix };
}

static const double two[] = { 2.0, 1.0, 1.0, 2.0 };

static void
test_signs (void)
{
  g_autofree float *v = g_new (float, 100000), *w = g_new (float, 100000);
  double sum = 0.0;

  tare_operator_fill_signs (7, 100000, v);
  tare_operator_fill_signs (7, 100000, w);
  g_assert_cmpmem (v, 100000 * sizeof *v, w, 100000 * sizeof *w);
  for (gsize i = 0; i < 100000; i++)
    {
      g_assert_true (v[i] == 1.0f || v[i] == -1.0f);
      sum += (double) v[i];
    }
  g_assert_cmpfloat (fabs (sum), <, 5.0 * sqrt (100000.0));
  for (gsize first = 0; first < 200; first += 37)
    {
      tare_operator_fill_signs_from (7, first, 1000, w);
      g_assert_cmpmem (w, 1000 * sizeof *w, v + first, 1000 * sizeof *v);
    }
  tare_operator_fill_signs (8, 100000, w);
  g_assert_true (memcmp (v, w, 100000 * sizeof *v) != 0);

  tare_operator_fill_gaussian (7, 99999, v);
  sum = 0.0;
  for (gsize i = 0; i < 99999; i++)
    sum += (double) v[i] * (double) v[i] / 99999.0;
  g_assert_cmpfloat_with_epsilon (sum, 1.0, 0.03);
}

/* One probe is enough for a diagonal. */
static void
test_trace_of_diagonal (void)
{
  static const double a[] = { 1.0, 0.0, 0.0, 0.0, -4.0, 0.0, 0.0, 0.0, 5.5 };
  Matrix matrix = { 3, a, 0 };
  const TareOperator operator = get_operator (&matrix);
  const TareProbe probe = tare_operator_probe (&operator);
  const TareTraceOptions options = { .minimum = 1, .maximum = 1 };
  g_autoptr(TareTrace) trace = tare_trace_estimate (&probe, &options, NULL, NULL);

  g_assert_cmpfloat_with_epsilon (trace->mean, 2.5, 1e-6);
  g_assert_true (isnan (trace->error));
  g_assert_false (trace->converged);
}

static void
count (const TareTrace *trace,
       gpointer         data)
{
  gsize *n = data;

  g_assert_cmpuint (trace->n_probes, ==, ++*n);
}

/* v'Av is 2 or 6, each half of the time: 4 +- 2 / sqrt (n). */
static void
test_trace (void)
{
  Matrix matrix = { 2, two, 0 };
  const TareOperator operator = get_operator (&matrix);
  const TareProbe probe = tare_operator_probe (&operator);
  gsize n = 0;
  const TareTraceOptions options = { .maximum = 400, .tolerance = -1.0, .seed = 3, .func = count,
                                     .data = &n };
  g_autoptr(TareTrace) trace = tare_trace_estimate (&probe, &options, NULL, NULL);

  g_assert_cmpuint (n, ==, 400);
  g_assert_cmpuint (matrix.n_products, ==, 400);
  g_assert_cmpfloat (fabs (trace->mean - 4.0), <, 4.0 * trace->error);
  g_assert_cmpfloat_with_epsilon (trace->error, 0.1, 0.01);
  g_assert_cmpfloat (trace->mean, ==, trace->means[0]);
}

static void
test_trace_stops (void)
{
  Matrix matrix = { 2, two, 0 };
  const TareOperator operator = get_operator (&matrix);
  const TareProbe probe = tare_operator_probe (&operator);
  const TareTraceOptions options = { .minimum = 20, .maximum = 5000, .tolerance = 1e-2 };
  g_autoptr(TareTrace) trace = tare_trace_estimate (&probe, &options, NULL, NULL);

  g_assert_true (trace->converged);
  g_assert_cmpuint (trace->n_probes, >=, 20);
  g_assert_cmpuint (trace->n_probes, <, 1000);
}

static void
test_eigen (void)
{
  Matrix matrix = { 2, two, 0 };
  const TareOperator operator = get_operator (&matrix);
  const TareEigenOptions options = { .n_pairs = 2, .tolerance = 1e-9 };
  g_autoptr(TareEigen) eigen = tare_operator_find_eigen (&operator, &options, NULL, NULL);

  g_assert_cmpuint (eigen->n_pairs, ==, 2);
  g_assert_cmpfloat_with_epsilon (eigen->values[0], 3.0, 1e-5);
  g_assert_cmpfloat_with_epsilon (eigen->values[1], 1.0, 1e-4);
  g_assert_cmpfloat_with_epsilon (fabs ((double) eigen->vectors[0]), sqrt (0.5), 1e-3);
  g_assert_cmpfloat_with_epsilon ((double) eigen->vectors[0], (double) eigen->vectors[1], 1e-3);
  g_assert_cmpfloat (eigen->residuals[0], <, 1e-2);
  g_assert_cmpuint (eigen->n_products, ==, matrix.n_products);
}

/* The largest in magnitude, sign and all. */
static void
test_eigen_negative (void)
{
  static const double a[] = { 1.0, 0.0, 0.0, 0.0, -4.0, 0.0, 0.0, 0.0, 3.0 };
  Matrix matrix = { 3, a, 0 };
  const TareOperator operator = get_operator (&matrix);
  const TareEigenOptions options = { .n_pairs = 3, .tolerance = 1e-9 };
  g_autoptr(TareEigen) eigen = tare_operator_find_eigen (&operator, &options, NULL, NULL);

  g_assert_cmpfloat_with_epsilon (eigen->values[0], -4.0, 1e-4);
  g_assert_cmpfloat_with_epsilon (eigen->values[1], 3.0, 1e-4);
  g_assert_cmpfloat_with_epsilon (eigen->values[2], 1.0, 1e-3);
}

/* Nothing at all has the eigenvalue 0. */
static void
test_eigen_zero (void)
{
  static const double a[4] = { 0.0 };
  Matrix matrix = { 2, a, 0 };
  const TareOperator operator = get_operator (&matrix);
  g_autoptr(TareEigen) eigen = tare_operator_find_eigen (&operator, NULL, NULL, NULL);
  g_autoptr(TareEigenDensity) density = tare_operator_find_density (&operator, 0, 0, 1, NULL, NULL);

  g_assert_cmpfloat (eigen->values[0], ==, 0.0);
  g_assert_cmpfloat (density->trace, ==, 0.0);
  g_assert_cmpfloat (density->negative, ==, 0.0);
}

/* A rotated diagonal: eigenvalues -2, -1, .., 37 of the matrix I - 2uu' D I - 2uu'. */
static void
fill_rotated (double *a,
              gsize   n)
{
  g_autofree double *u = g_new (double, n);
  double length = 0.0;

  for (gsize i = 0; i < n; i++)
    {
      u[i] = sin ((double) (i * i + 1));
      length += u[i] * u[i];
    }
  for (gsize i = 0; i < n; i++)
    for (gsize j = 0; j < n; j++)
      {
        double sum = 0.0;

        for (gsize k = 0; k < n; k++)
          sum += ((i == k ? 1.0 : 0.0) - 2.0 * u[i] * u[k] / length) * ((double) k - 2.0)
                 * ((k == j ? 1.0 : 0.0) - 2.0 * u[k] * u[j] / length);
        a[i * n + j] = sum;
      }
}

/* As many steps as eigenvalues find all of them, and every moment to that of the first vector. */
static void
test_density (void)
{
  g_autofree double *a = g_new (double, 40 * 40);
  Matrix matrix = { 40, a, 0 };
  const TareOperator operator = get_operator (&matrix);
  g_autoptr(TareEigenDensity) density = NULL;
  double sum = 0.0, area = 0.0, trace = 0.0;

  fill_rotated (a, 40);
  for (gsize i = 0; i < 40; i++)
    trace += a[i * 41];
  density = tare_operator_find_density (&operator, 0, 8, 5, NULL, NULL);
  g_assert_cmpfloat_with_epsilon (trace, 700.0, 1e-9);
  g_assert_cmpfloat_with_epsilon (density->lowest, -2.0, 1e-3);
  g_assert_cmpfloat_with_epsilon (density->highest, 37.0, 1e-3);
  g_assert_cmpfloat_with_epsilon (density->negative, 2.0 / 40.0, 0.05);
  g_assert_cmpfloat_with_epsilon (density->trace, 700.0, 100.0);
  for (gsize i = 0; i < density->n_nodes; i++)
    {
      double off = fabs (density->nodes[i] - round (density->nodes[i]));

      sum += density->weights[i];
      g_assert_true (off < 1e-2 || density->weights[i] < 1e-6);
      g_assert_true (i == 0 || density->nodes[i] >= density->nodes[i - 1]);
    }
  g_assert_cmpfloat_with_epsilon (sum, 1.0, 1e-9);
  for (gsize i = 0; i < 45000; i++)
    area += tare_eigen_density_get (density, -5.0 + 1e-3 * (double) i) * 1e-3;
  g_assert_cmpfloat_with_epsilon (area, 1.0, 1e-6);
}

static void
test_cancelled (void)
{
  Matrix matrix = { 2, two, 0 };
  const TareOperator operator = get_operator (&matrix);
  const TareProbe probe = tare_operator_probe (&operator);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (tare_trace_estimate (&probe, NULL, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (tare_operator_find_eigen (&operator, NULL, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (tare_operator_find_density (&operator, 0, 0, 1, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/operator/signs", test_signs);
  g_test_add_func ("/operator/trace/diagonal", test_trace_of_diagonal);
  g_test_add_func ("/operator/trace", test_trace);
  g_test_add_func ("/operator/trace/stops", test_trace_stops);
  g_test_add_func ("/operator/eigen", test_eigen);
  g_test_add_func ("/operator/eigen/negative", test_eigen_negative);
  g_test_add_func ("/operator/eigen/zero", test_eigen_zero);
  g_test_add_func ("/operator/density", test_density);
  g_test_add_func ("/operator/cancelled", test_cancelled);

  return g_test_run ();
}
