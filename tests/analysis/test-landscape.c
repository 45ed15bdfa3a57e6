/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-landscape.h"

#include <math.h>

#include "tests/tare-test.h"

#define LENGTH 12

static guint32 tokens[2 * LENGTH];

static const TareObjective objective = { .tokens = tokens, .n_sequences = 2, .length = LENGTH };

static void
count (const TareLandscape *landscape,
       gpointer             data)
{
  gsize *n = data;

  g_assert_false (isnan (landscape->loss[*n]));
  (*n)++;
  g_assert_true (*n == landscape->n_x * landscape->n_y || isnan (landscape->loss[*n]));
}

/* Along an eigenvector the loss is L + g a + λ a² / 2, to the first orders. */
static void
test_eigenvector (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = tare_model_open (folder, NULL);
  g_autoptr(TareHessianLoss) hessian = tare_hessian_loss_new (model, &objective,
                                                              TARE_HESSIAN_EXACT, 0, NULL);
  const TareEigenOptions eigen_options = { .tolerance = 1e-6, .maximum_products = 200 };
  g_autoptr(TareEigen) eigen = NULL;
  g_autoptr(TareLandscape) landscape = NULL;
  g_autofree float *gradient = NULL;
  TareLandscapeOptions options = { .n = { 5, 0 } };
  TareGradientResult result;
  TareOperator operator;
  double slope = 0.0, bend, step = 0.02;
  gsize n = 0;

  tare_hessian_loss_select (hessian, tare_model_lookup (model, "blk.3.ffn_down.weight"));
  operator = tare_hessian_loss_get_operator (hessian);
  eigen = tare_operator_find_eigen (&operator, &eigen_options, NULL, NULL);
  gradient = g_new (float, operator.n);
  g_assert_true (tare_hessian_loss_get_gradient (hessian, gradient, &result, NULL, NULL));
  for (gsize i = 0; i < operator.n; i++)
    slope += (double) gradient[i] * (double) eigen->vectors[i];

  {
    const TareHessianVector vector = { hessian, eigen->vectors };
    const TareDirection direction = tare_hessian_vector_get_direction (&vector);

    options.directions[0] = &direction;
    options.from[0] = -2.0 * step;
    options.to[0] = 2.0 * step;
    options.func = count;
    options.data = &n;
    landscape = tare_landscape_measure (model, &objective, &options, 0, NULL, NULL);
  }

  g_assert_cmpuint (n, ==, 5);
  g_assert_cmpuint (landscape->n_y, ==, 1);
  g_assert_cmpfloat_with_epsilon (landscape->loss[2], landscape->center, 1e-6);
  g_assert_cmpfloat_with_epsilon (landscape->center, result.loss, 1e-6);
  bend = (-landscape->loss[0] + 16.0 * landscape->loss[1] - 30.0 * landscape->loss[2]
          + 16.0 * landscape->loss[3] - landscape->loss[4]) / (12.0 * step * step);
  g_test_message ("eigenvalue %.6g, bend %.6g", eigen->values[0], bend);
  g_assert_cmpfloat_with_epsilon (bend, eigen->values[0], 0.05 * fabs (eigen->values[0]));
  g_assert_cmpfloat_with_epsilon ((landscape->loss[3] - landscape->loss[1]) / (2.0 * step), slope,
                                  0.05 * fabs (slope) + 0.05);
}

/* The rows of a random direction are as long as those of the weights, so that a ball of half their
 * length ends half of the direction away. */
static void
test_random (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = tare_model_open (folder, NULL);
  const TareRandomDirection first = { model, 1 }, second = { model, 2 };
  const TareDirection x = tare_random_direction_get_direction (&first);
  const TareDirection y = tare_random_direction_get_direction (&second);
  const TareLandscapeOptions options = { .directions = { &x, &y }, .from = { -0.5, -0.5 },
                                         .to = { 0.5, 0.5 }, .n = { 3, 3 } };
  const TareTensor *tensor = tare_model_lookup (model, "blk.2.ffn_up.weight");
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *w = g_new (float, n), *v = g_new (float, n);
  g_autoptr(TareLandscape) landscape = NULL;
  double sharpness = 0.0;

  g_assert_true (tare_tensor_read (tensor, w, NULL));
  g_assert_true (x.load (x.data, tensor, v, NULL, NULL));
  for (gsize i = 0; i < tensor->rows; i++)
    {
      double weights = 0.0, moves = 0.0;

      for (gsize j = i * tensor->columns; j < (i + 1) * tensor->columns; j++)
        {
          weights += (double) w[j] * (double) w[j];
          moves += (double) v[j] * (double) v[j];
        }
      g_assert_cmpfloat_with_epsilon (moves, weights, 1e-4 * weights);
    }

  landscape = tare_landscape_measure (model, &objective, &options, 0, NULL, NULL);
  g_assert_cmpfloat_with_epsilon (landscape->loss[4], landscape->center, 1e-6);
  for (gsize i = 0; i < 9; i++)
    g_assert_true (i == 4 || fabs (landscape->loss[i] - landscape->center) > 1e-3);

  g_assert_true (tare_landscape_find_sharpness (model, &objective, &x, 0.5, &sharpness, NULL,
                                                NULL));
  g_assert_cmpfloat_with_epsilon (sharpness, MAX (landscape->loss[3], landscape->loss[5])
                                             - landscape->center, 1e-3);
}

static gboolean
load_zeros (gpointer             data,
            const TareTensor    *tensor,
            float               *out,
            const TareProgress  *progress,
            GError             **error)
{
  for (gsize i = 0; i < tare_tensor_get_n_weights (tensor); i++)
    out[i] = 0.0f;

  return TRUE;
}

static guint64
get_fingerprint (gpointer          data,
                 const TareTensor *tensor)
{
  return 1;
}

/* The end of the way to a network that knows nothing: all tokens are as likely. */
static void
test_segment (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = tare_model_open (folder, NULL);
  const TareWeights zeros = { load_zeros, get_fingerprint, NULL, NULL, NULL };
  const TareSegment segment = { &zeros };
  const TareDirection direction = tare_segment_get_direction (&segment);
  const TareLandscapeOptions options = { .directions = { &direction, NULL }, .to = { 1.0, 0.0 },
                                         .n = { 2, 0 } };
  g_autoptr(TareLandscape) landscape = tare_landscape_measure (model, &objective, &options, 0,
                                                               NULL, NULL);

  g_assert_cmpfloat_with_epsilon (landscape->loss[0], landscape->center, 1e-6);
  g_assert_cmpfloat_with_epsilon (landscape->loss[1], log (512.0), 1e-4);
}

static void
test_cancelled (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = tare_model_open (folder, NULL);
  const TareRandomDirection random = { model, 1 };
  const TareDirection direction = tare_random_direction_get_direction (&random);
  const TareLandscapeOptions options = { .directions = { &direction, NULL }, .to = { 1.0, 0.0 } };
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (tare_landscape_measure (model, &objective, &options, 0, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint32 i = 0; i < G_N_ELEMENTS (tokens); i++)
    tokens[i] = i % LENGTH == 0 ? 1 : 260 + i * 29 % 240;

  g_test_add_func ("/landscape/eigenvector", test_eigenvector);
  g_test_add_func ("/landscape/random", test_random);
  g_test_add_func ("/landscape/segment", test_segment);
  g_test_add_func ("/landscape/cancelled", test_cancelled);

  return g_test_run ();
}
