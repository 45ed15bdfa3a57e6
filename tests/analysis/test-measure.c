/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-measure.h"

#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-calibrator.h"
#include "analysis/sensitivity/tare-proxy.h"
#include "tests/tare-test.h"

/* 2/T Σ over tokens |d x|², by its definition: x is n_tokens x n, d rows x n. */
static double
naive_form (const float *d,
            gsize        rows,
            gsize        n,
            const float *x,
            gsize        n_tokens)
{
  double sum = 0.0;

  for (gsize t = 0; t < n_tokens; t++)
    {
      for (gsize i = 0; i < rows; i++)
        {
          double output = 0.0;

          for (gsize j = 0; j < n; j++)
            output += (double) d[i * n + j] * (double) x[t * n + j];
          sum += output * output;
        }
    }

  return 2.0 * sum / (double) n_tokens;
}

static void
test_form (void)
{
  const gsize shapes[][3] = { { 1, 1, 1 }, { 5, 37, 50 }, { 33, 64, 7 }, { 2, 130, 300 } };

  for (gsize k = 0; k < G_N_ELEMENTS (shapes); k++)
    {
      gsize rows = shapes[k][0];
      gsize n = shapes[k][1];
      gsize n_tokens = shapes[k][2];
      g_autofree float *d = g_new (float, rows * n);
      g_autofree float *x = g_new (float, n_tokens * n);
      g_autofree float *product = g_new (float, rows * n);
      g_autofree float *gram = g_new (float, n * n);
      g_autofree float *sums = g_new (float, n);
      TareLayerActivations activations = { n, (double) n_tokens, sums, NULL, gram };
      double form = 0.0;
      double naive;

      tare_test_fill_gaussian (d, rows * n, (guint32) k);
      tare_test_fill_gaussian (x, n_tokens * n, (guint32) k + 100);
      for (gsize i = 0; i < n * n; i++)
        {
          double sum = 0.0;

          for (gsize t = 0; t < n_tokens; t++)
            sum += (double) x[t * n + i / n] * (double) x[t * n + i % n];
          gram[i] = (float) sum;
        }

      naive = naive_form (d, rows, n, x, n_tokens);
      g_assert_true (tare_proxy_form (d, rows, &activations, product, &form));
      g_assert_cmpfloat_with_epsilon (form, naive, 1e-5 * naive);

      /* It adds to what is there. */
      g_assert_true (tare_proxy_form (d, rows, &activations, product, &form));
      g_assert_cmpfloat_with_epsilon (form, 2.0 * naive, 2e-5 * naive);
    }
}

/* Known traces: H the identity, times 2/T; a matrix of ones; a diagonal alone. */
static void
test_form_closed (void)
{
  const float d[] = { 1.0f, -2.0f, 3.0f, 0.0f, 0.5f, -0.5f };
  const float identity[] = { 1.0f, 0.0f, 0.0f, 0.0f, 1.0f, 0.0f, 0.0f, 0.0f, 1.0f };
  const float ones[] = { 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f };
  float sums[] = { 1.0f, 10.0f, 100.0f };
  float product[6];
  TareLayerActivations activations = { 3, 2.0, sums, NULL, (float *) identity };
  double form = 0.0;

  g_assert_true (tare_proxy_form (d, 2, &activations, product, &form));
  g_assert_cmpfloat (form, ==, 14.5);

  form = 0.0;
  activations.gram = (float *) ones;
  g_assert_true (tare_proxy_form (d, 2, &activations, product, &form));
  g_assert_cmpfloat (form, ==, 4.0);

  form = 0.0;
  activations.gram = NULL;
  g_assert_true (tare_proxy_form (d, 2, &activations, NULL, &form));
  g_assert_cmpfloat (form, ==, 1.0 + 40.0 + 900.0 + 2.5 + 25.0);

  activations.n_tokens = 0.0;
  g_assert_false (tare_proxy_form (d, 2, &activations, NULL, &form));
}

static void
test_table (void)
{
  const char *const ids[] = {
    "proxy_loss", "proxy_loss_relative", "relative_error", "weighted_error",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    g_assert_nonnull (tare_measure_lookup (ids[i]));
  g_assert_null (tare_measure_lookup ("no such measure"));

  for (gsize i = 0; i < tare_measure_get_n_measures (); i++)
    {
      const TareMeasure *measure = tare_measure_get (i);

      g_assert_true (tare_measure_lookup (measure->id) == measure);
      g_assert_cmpuint (strlen (measure->label), >, 0);
      g_assert_cmpuint (strlen (measure->definition), >, 0);
      g_assert_nonnull (measure->unit);
      g_assert_cmpuint (strlen (measure->source), >, 0);
      g_assert_nonnull (tare_measure_cost_get_id (measure->cost));
      g_assert_nonnull (tare_measure_cost_get_label (measure->cost));
      g_assert_nonnull (tare_measure_direction_get_id (measure->direction));
      g_assert_true ((measure->needs & TARE_MEASURE_NEEDS_WEIGHTS) != 0
                     || (measure->needs & TARE_MEASURE_NEEDS_CALIBRATION) != 0);
      g_assert_nonnull (measure->compute);
    }
}

typedef struct
{
  TareModel       *model;
  TareEngine      *engine;
  TareCalibration *calibration;
} Fixture;

static void
set_up (Fixture       *fixture,
        gconstpointer  data)
{
  const TareCalibratorOptions options = { 64, 512, 0, NULL };
  g_autofree char *path = tare_test_source ("data/sample");
  g_autofree char *text_path = tare_test_source ("data/sample/treasure-island.txt");
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_true (g_file_get_contents (text_path, &text, NULL, NULL));
  fixture->model = tare_model_open (path, &error);
  g_assert_no_error (error);
  fixture->engine = tare_engine_new (fixture->model);
  fixture->calibration = tare_calibrate (fixture->model, text, 6000, &options, NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  data)
{
  tare_calibration_unref (fixture->calibration);
  tare_engine_unref (fixture->engine);
  tare_model_unref (fixture->model);
}

static double
compute (Fixture         *fixture,
         const char      *id,
         const char      *tensor_name,
         const char      *format,
         TareCalibration *calibration)
{
  const TareMeasure *measure = tare_measure_lookup (id);
  const TareTensor *tensor = tare_model_lookup (fixture->model, tensor_name);
  const TareAssignment assignment = {
    .format = format != NULL ? tare_format_lookup (format) : NULL,
    .method = tare_method_get (0),
  };
  g_autoptr(TareMeasureContext) context = tare_measure_context_new (fixture->engine, calibration);
  g_autoptr(GError) error = NULL;
  TareMeasureValue value = { -1.0, -1.0 };

  g_assert_true (tare_measure_compute (measure, context, tensor, &assignment, NULL, &value,
                                       &error));
  g_assert_no_error (error);

  return value.value;
}

/* Σ over rows of d gram d', an element at a time. */
static double
naive_trace (const float                *d,
             gsize                       rows,
             const TareLayerActivations *activations)
{
  gsize n = activations->columns;
  double sum = 0.0;

  for (gsize i = 0; i < rows; i++)
    {
      for (gsize j = 0; j < n; j++)
        {
          for (gsize k = 0; k < n; k++)
            sum += (double) d[i * n + j] * (double) d[i * n + k]
                   * (double) activations->gram[j * n + k];
        }
    }

  return 2.0 * sum / activations->n_tokens;
}

static void
test_sample (Fixture       *fixture,
             gconstpointer  data)
{
  const char *name = "blk.2.attn_k.weight";
  const TareTensor *tensor = tare_model_lookup (fixture->model, name);
  const TareAssignment assignment = {
    .format = tare_format_lookup ("q4_0"),
    .method = tare_method_get (0),
  };
  const TareLayerActivations *activations = tare_calibration_lookup (fixture->calibration, name);
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *w = g_new (float, n);
  g_autofree float *d = g_new (float, n);
  g_autoptr(TareQuantized) quantized = NULL;
  g_autoptr(GError) error = NULL;
  double loss = compute (fixture, "proxy_loss", name, "q4_0", fixture->calibration);
  double relative = compute (fixture, "proxy_loss_relative", name, "q4_0", fixture->calibration);
  double naive;

  quantized = tare_engine_quantize (fixture->engine, tensor, &assignment, fixture->calibration,
                                    NULL, &error);
  g_assert_no_error (error);
  g_assert_true (tare_tensor_read (tensor, w, &error));
  g_assert_true (tare_quantized_decode (quantized, tensor, d, &error));
  for (gsize i = 0; i < n; i++)
    d[i] = w[i] - d[i];

  naive = naive_trace (d, tensor->rows, activations);
  g_assert_cmpfloat (naive, >, 0.0);
  g_assert_cmpfloat_with_epsilon (loss, naive, 1e-5 * naive);
  g_assert_cmpfloat_with_epsilon (relative, naive / naive_trace (w, tensor->rows, activations),
                                  1e-5 * relative);
  g_assert_cmpfloat (compute (fixture, "relative_error", name, "q4_0", fixture->calibration), ==,
                     quantized->distortion.relative);
  g_assert_cmpfloat (compute (fixture, "weighted_error", name, "q4_0", fixture->calibration), ==,
                     quantized->distortion.weighted);
}

static gboolean
is_cheap_by_format (const TareMeasure *measure)
{
  return tare_measure_is_by_format (measure) && measure->cost <= TARE_MEASURE_COST_CALIBRATION
         && measure->direction != TARE_MEASURE_DIRECTION_NEITHER;
}

/* Fewer bits cost more, by every measure that looks at the format. */
static void
test_order (Fixture       *fixture,
            gconstpointer  data)
{
  const char *const formats[] = { "q8_0", "q6_k", "q4_k", "int2_g32" };

  for (gsize i = 0; i < tare_measure_get_n_measures (); i++)
    {
      const TareMeasure *measure = tare_measure_get (i);
      double sign = measure->direction == TARE_MEASURE_DIRECTION_LESS_IS_WORSE ? -1.0 : 1.0;
      double last = -INFINITY;

      if (!is_cheap_by_format (measure))
        continue;

      for (gsize k = 0; k < G_N_ELEMENTS (formats); k++)
        {
          double value;

          if (tare_format_lookup (formats[k]) == NULL)
            continue;
          value = sign * compute (fixture, measure->id, "blk.0.ffn_gate.weight", formats[k],
                                  fixture->calibration);
          g_assert_cmpfloat (value, >, last);
          last = value;
        }
    }
}

static void
test_undefined (Fixture       *fixture,
                gconstpointer  data)
{
  const char *name = "blk.0.ffn_gate.weight";
  TareCalibration *calibration = fixture->calibration;

  g_assert_true (isnan (compute (fixture, "proxy_loss", name, "q4_0", NULL)));
  g_assert_true (isnan (compute (fixture, "proxy_loss_relative", name, "q4_0", NULL)));
  g_assert_true (isnan (compute (fixture, "weighted_error", name, "q4_0", NULL)));
  g_assert_cmpfloat (compute (fixture, "relative_error", name, "q4_0", NULL), >, 0.0);
  g_assert_true (isnan (compute (fixture, "proxy_loss", "token_embd.weight", "q4_0",
                                 calibration)));

  /* What is not rounded costs nothing. */
  for (gsize i = 0; i < tare_measure_get_n_measures (); i++)
    {
      const TareMeasure *measure = tare_measure_get (i);

      if (is_cheap_by_format (measure)
          && measure->direction == TARE_MEASURE_DIRECTION_MORE_IS_WORSE)
        g_assert_cmpfloat (compute (fixture, measure->id, name, NULL, calibration), ==, 0.0);
    }
  g_assert_true (isnan (compute (fixture, "sqnr", name, NULL, calibration)));
}

static int n_made;

static gpointer
make_number (TareMeasureContext  *context,
             const TareTensor    *tensor,
             const TareProgress  *progress,
             GError             **error)
{
  n_made++;

  return tensor != NULL ? g_strdup (tensor->canonical) : g_strdup ("model");
}

/* Each column's errors by the diagonal of H, by hand; GPTQ makes it no worse. */
static void
test_predicted (Fixture       *fixture,
                gconstpointer  data)
{
  const char *name = "blk.1.ffn_down.weight";
  const TareTensor *tensor = tare_model_lookup (fixture->model, name);
  const TareAssignment assignment = {
    .format = tare_format_lookup ("q4_0"),
    .method = tare_method_get (0),
  };
  const TareLayerActivations *activations = tare_calibration_lookup (fixture->calibration, name);
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *w = g_new (float, n);
  g_autofree float *d = g_new (float, n);
  g_autoptr(TareQuantized) quantized = NULL;
  g_autoptr(GError) error = NULL;
  double rounded = compute (fixture, "predicted_rtn_loss", name, "q4_0", fixture->calibration);
  double gptq = compute (fixture, "predicted_gptq_loss", name, "q4_0", fixture->calibration);
  double naive = 0.0;

  quantized = tare_engine_quantize (fixture->engine, tensor, &assignment, fixture->calibration,
                                    NULL, &error);
  g_assert_no_error (error);
  g_assert_true (tare_tensor_read (tensor, w, &error));
  g_assert_true (tare_quantized_decode (quantized, tensor, d, &error));
  for (gsize i = 0; i < n; i++)
    naive += ((double) w[i] - (double) d[i]) * ((double) w[i] - (double) d[i]) * 2.0
             * (double) activations->sum_squares[i % tensor->columns] / activations->n_tokens;

  g_assert_cmpfloat_with_epsilon (rounded, naive, 1e-6 * naive);
  g_assert_cmpfloat (gptq, >, 0.0);
  g_assert_cmpfloat (gptq, <, rounded);
}

/* Every measure that needs no text is known of a layer that the calibration saw in full, and those
 * of the input Hessian agree with each other. */
static void
test_complete (Fixture       *fixture,
               gconstpointer  data)
{
  const char *name = "blk.2.ffn_up.weight";
  double trace = compute (fixture, "hessian_trace", name, NULL, fixture->calibration);
  double top = compute (fixture, "hessian_top", name, NULL, fixture->calibration);

  for (gsize i = 0; i < tare_measure_get_n_measures (); i++)
    {
      const TareMeasure *measure = tare_measure_get (i);

      if ((measure->needs & TARE_MEASURE_NEEDS_TEXT) == 0
          && measure->cost <= TARE_MEASURE_COST_CALIBRATION)
        g_assert_true (isfinite (compute (fixture, measure->id, name, "q4_0",
                                          fixture->calibration)));
    }

  g_assert_cmpfloat (top, >, 0.0);
  g_assert_cmpfloat_with_epsilon (compute (fixture, "hessian_stable_rank", name, NULL,
                                           fixture->calibration), trace / top, 1e-6 * trace / top);
  g_assert_cmpfloat (compute (fixture, "hessian_effective_rank", name, NULL,
                              fixture->calibration), <=, 256.0);
}

/* The first of the positions over the median of the others; not of sequences of one token. */
static void
test_first (Fixture       *fixture,
            gconstpointer  data)
{
  const float positions[] = { 40.0f, 3.0f, 1.0f, 2.0f };
  const char *names[] = { "blk.2.ffn_up.weight", "blk.2.ffn_down.weight", "blk.1.ffn_up.weight" };
  const gsize lengths[] = { G_N_ELEMENTS (positions), 1, 0 };
  g_autoptr(TareCalibration) calibration = tare_calibration_new ("text", 4);

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      gsize columns = tare_model_lookup (fixture->model, names[i])->columns;
      TareLayerActivations *activations = tare_calibration_add (calibration, names[i], columns,
                                                                FALSE);

      activations->n_tokens = 8.0;
      if (lengths[i] == 0)
        continue;
      g_assert_true (tare_layer_activations_set_positions (activations, lengths[i]));
      memcpy (activations->positions, positions, lengths[i] * sizeof *positions);
    }

  g_assert_cmpfloat (compute (fixture, "input_first", names[0], NULL, calibration), ==, 20.0);
  g_assert_true (isnan (compute (fixture, "input_first", names[1], NULL, calibration)));
  g_assert_true (isnan (compute (fixture, "input_first", names[2], NULL, calibration)));
}

/* What is found out once is known from then on, of each tensor by itself and of the model. */
static void
test_context (Fixture       *fixture,
              gconstpointer  data)
{
  g_autoptr(TareMeasureContext) context = tare_measure_context_new (fixture->engine, NULL);
  const TareTensor *tensors[] = {
    NULL, tare_model_get_tensor (fixture->model, 1), tare_model_get_tensor (fixture->model, 2),
  };
  const char *const names[] = { "model", tensors[1]->canonical, tensors[2]->canonical };
  gsize length = 1;

  n_made = 0;
  for (int round = 0; round < 2; round++)
    {
      for (gsize i = 0; i < G_N_ELEMENTS (tensors); i++)
        g_assert_cmpstr (tare_measure_context_find (context, "name", tensors[i], make_number,
                                                    g_free, NULL, NULL), ==, names[i]);
    }
  g_assert_cmpint (n_made, ==, 3);
  tare_measure_context_find (context, "other", NULL, make_number, g_free, NULL, NULL);
  g_assert_cmpint (n_made, ==, 4);

  g_assert_null (tare_measure_context_get_text (context, NULL, NULL, NULL));
  tare_measure_context_set_text (context, "a text", 4, 8, 16);
  g_assert_cmpstr (tare_measure_context_get_text (context, &length, NULL, NULL), ==, "a te");
  g_assert_cmpuint (length, ==, 4);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/measure/form", test_form);
  g_test_add_func ("/measure/form/closed", test_form_closed);
  g_test_add_func ("/measure/table", test_table);
  g_test_add ("/measure/sample", Fixture, NULL, set_up, test_sample, tear_down);
  g_test_add ("/measure/order", Fixture, NULL, set_up, test_order, tear_down);
  g_test_add ("/measure/predicted", Fixture, NULL, set_up, test_predicted, tear_down);
  g_test_add ("/measure/complete", Fixture, NULL, set_up, test_complete, tear_down);
  g_test_add ("/measure/first", Fixture, NULL, set_up, test_first, tear_down);
  g_test_add ("/measure/context", Fixture, NULL, set_up, test_context, tear_down);
  g_test_add ("/measure/undefined", Fixture, NULL, set_up, test_undefined, tear_down);

  return g_test_run ();
}
