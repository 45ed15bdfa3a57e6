/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-hessian-loss.h"

#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

/* Enough to have a Hessian, few enough to take it apart column by column. */
#define LENGTH    8
#define SEQUENCES 1

static guint32 tokens[SEQUENCES * LENGTH];

static TareHessianLoss *
open_hessian (const char        *folder,
              TareLoss           loss,
              TareHessianEngine  engine,
              TareModel        **model)
{
  const TareObjective objective = { .loss = loss, .tokens = tokens, .n_sequences = SEQUENCES,
                                    .length = LENGTH };
  g_autoptr(GError) error = NULL;
  TareHessianLoss *hessian = NULL;

  *model = tare_model_open (folder, &error);
  g_assert_no_error (error);
  hessian = tare_hessian_loss_new (*model, &objective, engine, 0, &error);
  g_assert_no_error (error);

  return hessian;
}

static double
inner (const float *a,
       const float *b,
       gsize        n)
{
  double sum = 0.0;

  for (gsize i = 0; i < n; i++)
    sum += (double) a[i] * (double) b[i];

  return sum;
}

/* Every column of one small block of the Hessian by the product with a unit vector: the trace that
 * is estimated lies within what is said of its error. */
static void
test_exact_trace (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareHessianLoss) hessian = open_hessian (folder, TARE_LOSS_CROSS_ENTROPY,
                                                     TARE_HESSIAN_EXACT, &model);
  const TareTensor *tensor = tare_model_lookup (model, "blk.4.attn_k.weight");
  const TareTraceOptions options = { .maximum = 100, .tolerance = -1.0, .seed = 11 };
  g_autoptr(TareTrace) trace = NULL, all = NULL;
  g_autofree float *v = NULL, *product = NULL;
  double exact = 0.0;
  TareOperator operator;
  TareProbe probe;

  g_assert_nonnull (tensor);
  tare_hessian_loss_select (hessian, tensor);
  operator = tare_hessian_loss_get_operator (hessian);
  v = g_new0 (float, operator.n);
  product = g_new (float, operator.n);
  for (gsize i = 0; i < operator.n; i++)
    {
      v[i] = 1.0f;
      g_assert_true (operator.apply (operator.data, v, product, NULL, NULL));
      exact += (double) product[i];
      v[i] = 0.0f;
    }

  probe = tare_hessian_loss_get_probe (hessian);
  trace = tare_trace_estimate (&probe, &options, NULL, NULL);
  g_test_message ("exact %.6g, estimated %.6g +- %.2g", exact, trace->mean, trace->error);
  g_assert_cmpfloat (fabs (trace->mean - exact), <, 3.0 * trace->error);
  g_assert_cmpfloat (trace->error, <, fabs (exact));

  /* One product for all layers answers for this one too, with more variance. */
  tare_hessian_loss_select (hessian, NULL);
  probe = tare_hessian_loss_get_probe (hessian);
  all = tare_trace_estimate (&probe, &options, NULL, NULL);
  for (gsize i = 0; i < all->n_parts; i++)
    if (tare_hessian_loss_get_tensor (hessian, i) == tensor)
      {
        g_test_message ("of all %.6g +- %.2g", all->means[i], all->errors[i]);
        g_assert_cmpfloat (fabs (all->means[i] - exact), <, 3.0 * all->errors[i]);
      }
}

/* u'Hv = v'Hu, and a product is what differences of gradients say. */
static void
test_engines (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = NULL, again = NULL;
  g_autoptr(TareHessianLoss) exact = open_hessian (folder, TARE_LOSS_CROSS_ENTROPY,
                                                   TARE_HESSIAN_EXACT, &model);
  g_autoptr(TareHessianLoss) difference = open_hessian (folder, TARE_LOSS_CROSS_ENTROPY,
                                                        TARE_HESSIAN_DIFFERENCE, &again);
  const TareOperator operator = tare_hessian_loss_get_operator (exact);
  const TareOperator other = tare_hessian_loss_get_operator (difference);
  const TareProbe probe = tare_hessian_loss_get_probe (exact);
  const TareProbe other_probe = tare_hessian_loss_get_probe (difference);
  gsize n = operator.n, n_tensors = tare_hessian_loss_get_n_tensors (exact);
  g_autofree float *u = g_new (float, n), *v = g_new (float, n), *hu = g_new (float, n);
  g_autofree float *hv = g_new (float, n), *by_difference = g_new (float, n);
  g_autofree double *values = g_new (double, n_tensors), *others = g_new (double, n_tensors);
  double sum = 0.0, off = 0.0, farthest = 0.0, size = 0.0;

  tare_operator_fill_gaussian (1, n, u);
  tare_operator_fill_gaussian (2, n, v);
  g_assert_true (operator.apply (operator.data, u, hu, NULL, NULL));
  g_assert_true (operator.apply (operator.data, v, hv, NULL, NULL));
  g_assert_cmpfloat_with_epsilon (inner (u, hv, n), inner (v, hu, n),
                                  1e-4 * sqrt (inner (hv, hv, n) * inner (u, u, n)));

  g_assert_true (other.apply (other.data, v, by_difference, NULL, NULL));
  for (gsize i = 0; i < n; i++)
    off += ((double) by_difference[i] - (double) hv[i]) * ((double) by_difference[i]
                                                           - (double) hv[i]);
  g_test_message ("product by differences: %.3g away, instability %.3g",
                  sqrt (off / inner (hv, hv, n)), tare_hessian_loss_get_instability (difference));
  g_assert_cmpfloat (sqrt (off / inner (hv, hv, n)), <, 1e-2);
  g_assert_cmpfloat (tare_hessian_loss_get_instability (difference), <, 0.05);

  g_assert_true (probe.probe (probe.data, 5, values, NULL, NULL));
  g_assert_true (other_probe.probe (other_probe.data, 5, others, NULL, NULL));
  for (gsize i = 0; i < n_tensors; i++)
    {
      sum += values[i];
      farthest = MAX (farthest, fabs (values[i] - others[i]));
      size = MAX (size, fabs (values[i]));
    }
  g_assert_cmpfloat (farthest, <, 1e-3 * size);
  g_test_message ("v'Hv %.6g, by tensor off by %.3g of %.3g", sum, farthest, size);
}

/* The largest eigenvalue by power iteration is the end of the spectrum, whose trace is that of
 * Hutchinson's with the same vectors; the matrix of Gauss and Newton has no negative side. */
static void
test_spectrum (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareHessianLoss) hessian = open_hessian (folder, TARE_LOSS_DIVERGENCE,
                                                     TARE_HESSIAN_EXACT, &model);
  const TareEigenOptions options = { .tolerance = 1e-4 };
  const TareTraceOptions trace_options = { .maximum = 4, .tolerance = -1.0, .seed = 1 };
  g_autoptr(TareEigen) eigen = NULL;
  g_autoptr(TareEigenDensity) density = NULL;
  g_autoptr(TareTrace) trace = NULL;
  TareOperator operator;
  TareProbe probe;

  tare_hessian_loss_select (hessian, tare_model_lookup (model, "blk.3.ffn_down.weight"));
  operator = tare_hessian_loss_get_operator (hessian);
  eigen = tare_operator_find_eigen (&operator, &options, NULL, NULL);
  density = tare_operator_find_density (&operator, 60, 4, 1, NULL, NULL);
  probe = tare_operator_probe (&operator);
  trace = tare_trace_estimate (&probe, &trace_options, NULL, NULL);
  g_test_message ("highest %.6g and %.6g, lowest %.3g, trace %.6g and %.6g +- %.2g",
                  eigen->values[0], density->highest, density->lowest, density->trace,
                  trace->mean, trace->error);
  g_assert_cmpfloat_with_epsilon (eigen->values[0], density->highest, 0.01 * density->highest);
  g_assert_cmpfloat (density->lowest, >, -1e-4 * density->highest);
  g_assert_cmpfloat (density->negative, <, 1e-3);
  g_assert_cmpfloat_with_epsilon (density->trace, trace->mean, 1e-4 * trace->mean);
}

/* The gradient is the slope of the loss along itself. */
static void
test_gradient (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareHessianLoss) hessian = open_hessian (folder, TARE_LOSS_CROSS_ENTROPY,
                                                     TARE_HESSIAN_EXACT, &model);
  gsize n = tare_hessian_loss_get_size (hessian);
  g_autofree float *gradient = g_new (float, n);
  TareGradientResult result;

  g_assert_true (tare_hessian_loss_get_gradient (hessian, gradient, &result, NULL, NULL));
  g_assert_cmpuint (result.n_scored, ==, SEQUENCES * (LENGTH - 1));
  g_assert_cmpfloat (result.loss, >, 0.0);
  g_assert_cmpfloat (inner (gradient, gradient, n), >, 0.0);
  g_assert_cmpuint (n, ==, tare_model_get_n_weights (model) - 64 * 11);
}

static void
test_cancelled (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareHessianLoss) hessian = open_hessian (folder, TARE_LOSS_CROSS_ENTROPY,
                                                     TARE_HESSIAN_EXACT, &model);
  const TareProbe probe = tare_hessian_loss_get_probe (hessian);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (tare_trace_estimate (&probe, NULL, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint32 i = 0; i < G_N_ELEMENTS (tokens); i++)
    tokens[i] = i % LENGTH == 0 ? 1 : 260 + i * 29 % 240;

  g_test_add_func ("/hessian-loss/exact-trace", test_exact_trace);
  g_test_add_func ("/hessian-loss/engines", test_engines);
  g_test_add_func ("/hessian-loss/spectrum", test_spectrum);
  g_test_add_func ("/hessian-loss/gradient", test_gradient);
  g_test_add_func ("/hessian-loss/cancelled", test_cancelled);

  return g_test_run ();
}
