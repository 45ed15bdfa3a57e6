/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-hessian.h"

#include <math.h>

#include "tests/tare-test.h"

/* Eliminates the columns from the last to the first; what is left of the diagonal is wanted. */
static void
naive_remainders (const float *gram,
                  gsize        n,
                  double       scale,
                  double      *remainders)
{
  g_autofree double *a = g_new (double, n * n);
  double mean = 0.0;

  for (gsize i = 0; i < n * n; i++)
    a[i] = scale * (double) gram[i];
  for (gsize i = 0; i < n; i++)
    mean += a[i * n + i] / (double) n;
  for (gsize i = 0; i < n; i++)
    a[i * n + i] = (a[i * n + i] == 0.0 ? 1.0 : a[i * n + i]) + TARE_HESSIAN_DAMPING * mean;

  for (gsize k = n; k-- > 0;)
    {
      remainders[k] = a[k * n + k];
      for (gsize i = 0; i < k; i++)
        {
          for (gsize j = 0; j < k; j++)
            a[i * n + j] -= a[i * n + k] * a[k * n + j] / a[k * n + k];
        }
    }
}

static void
test_random (void)
{
  const gsize sizes[] = { 1, 2, 7, 64, 300 };

  for (gsize k = 0; k < G_N_ELEMENTS (sizes); k++)
    {
      gsize n = sizes[k];
      gsize n_tokens = 2 * n;
      g_autofree float *x = g_new (float, n_tokens * n);
      g_autofree float *gram = g_new (float, n * n);
      g_autofree double *fast = g_new (double, n);
      g_autofree double *naive = g_new (double, n);
      g_autoptr(GError) error = NULL;

      tare_test_fill_gaussian (x, n_tokens * n, (guint32) k);
      for (gsize t = 0; t < n_tokens && n > 5; t++)
        x[t * n + 3] = 0.0f;
      for (gsize i = 0; i < n * n; i++)
        {
          double sum = 0.0;

          for (gsize t = 0; t < n_tokens; t++)
            sum += (double) x[t * n + i / n] * (double) x[t * n + i % n];
          gram[i] = (float) sum;
        }

      g_assert_true (tare_hessian_factorize (gram, n, 2.0 / (double) n_tokens, fast, NULL,
                                             &error));
      g_assert_no_error (error);
      naive_remainders (gram, n, 2.0 / (double) n_tokens, naive);
      for (gsize i = 0; i < n; i++)
        g_assert_cmpfloat_with_epsilon (fast[i], naive[i], 1e-9 * naive[i]);
    }
}

/* By hand, with the damping: [2 1; 1 2], and a diagonal. */
static void
test_closed (void)
{
  const float coupled[] = { 2.0f, 1.0f, 1.0f, 2.0f };
  const float diagonal[] = { 1.0f, 0.0f, 0.0f, 3.0f };
  double remainders[2];

  g_assert_true (tare_hessian_factorize (coupled, 2, 1.0, remainders, NULL, NULL));
  g_assert_cmpfloat_with_epsilon (remainders[0], 2.02 - 1.0 / 2.02, 1e-12);
  g_assert_cmpfloat_with_epsilon (remainders[1], 2.02, 1e-12);

  g_assert_true (tare_hessian_factorize (diagonal, 2, 10.0, remainders, NULL, NULL));
  g_assert_cmpfloat_with_epsilon (remainders[0], 10.2, 1e-12);
  g_assert_cmpfloat_with_epsilon (remainders[1], 30.2, 1e-12);
}

/* A matrix that is not positive semidefinite takes more damping than one step of it; one of a
 * negative mean cannot be helped. */
static void
test_indefinite (void)
{
  const float slightly[] = { 1.0f, 1.055f, 1.055f, 1.0f };
  const float hopeless[] = { -1.0f, 0.0f, 0.0f, -2.0f };
  g_autoptr(GError) error = NULL;
  double remainders[2];

  g_assert_true (tare_hessian_factorize (slightly, 2, 1.0, remainders, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (remainders[1], 1.06, 1e-12);
  g_assert_cmpfloat (remainders[0], >, 0.0);
  g_assert_false (tare_hessian_factorize (hopeless, 2, 1.0, remainders, NULL, &error));
  g_assert_nonnull (error);
}

static void
test_cancelled (void)
{
  const float gram[] = { 1.0f };
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;
  double remainder;

  g_cancellable_cancel (cancellable);
  g_assert_false (tare_hessian_factorize (gram, 1, 1.0, &remainder, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hessian/random", test_random);
  g_test_add_func ("/hessian/closed", test_closed);
  g_test_add_func ("/hessian/indefinite", test_indefinite);
  g_test_add_func ("/hessian/cancelled", test_cancelled);

  return g_test_run ();
}
