/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is made of gradients, of models whose tokens go through a few experts each. */
#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-calibrator.h"
#include "analysis/sensitivity/tare-fisher.h"
#include "analysis/sensitivity/tare-hessian-loss.h"
#include "analysis/sensitivity/tare-measure.h"
#include "tests/quant/naive.h"
#include "tests/quant/tiny-model.h"
#include "tests/tare-test.h"

/* As many sequences of one token, of which one token is predicted. */
#define SEQUENCES 12

static guint32 tokens[SEQUENCES], targets[SEQUENCES];

/* The squares of one matrix's gradient, added up. */
typedef struct
{
  const TareTensor *tensor;
  double           *squares;
} Squares;

static void
add_squares (const TareTensor *tensor,
             const float      *gradient,
             gpointer          data)
{
  const Squares *self = data;

  for (gsize i = 0; tensor == self->tensor && i < tare_tensor_get_n_weights (tensor); i++)
    self->squares[i] += (double) gradient[i] * (double) gradient[i] / SEQUENCES;
}

/* The mean of the squares of the gradient of one sequence at a time. */
static void
measure_squares (TareModel *model,
                 Squares   *squares)
{
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareGradient) gradient = tare_gradient_new (network, 0);
  const TareGradientObserver observer = { .weight = add_squares, .data = squares };

  for (gsize i = 0; i < SEQUENCES; i++)
    {
      const TareObjective objective = { .tokens = tokens + i, .targets = targets + i,
                                        .n_sequences = 1, .length = 1 };
      TareGradientResult result;

      g_assert_true (tare_gradient_run (gradient, &tare_weights_of_file, NULL, &objective,
                                        &observer, &result, NULL, NULL));
    }
}

/* Where a sequence is one token, the diagonal by tokens is that of the gradients by themselves, for
 * every row of every expert. */
static void
test_fisher (gconstpointer data)
{
  g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup (data));
  const TareObjective objective = { .tokens = tokens, .targets = targets,
                                    .n_sequences = SEQUENCES, .length = 1 };
  const char *const names[] = { "blk.1.ffn_up_exps.weight", "blk.2.ffn_down_exps.weight" };

  for (gsize k = 0; k < G_N_ELEMENTS (names); k++)
    {
      const TareTensor *tensor = tare_model_lookup (model, names[k]);
      gsize n = tare_tensor_get_n_weights (tensor);
      g_autofree float *diagonal = g_new (float, n);
      g_autofree double *squares = g_new0 (double, n);
      const TareFisherDiagonal wanted = { tensor, TARE_FISHER_TOKENS, diagonal };
      g_autoptr(TareFisher) fisher = tare_fisher_measure (model, &objective, &wanted, 0, NULL,
                                                          NULL);
      const TareFisherLayer *layer = tare_fisher_lookup (fisher, tensor);
      Squares truth = { tensor, squares };
      double trace = 0.0, outputs = 0.0;

      measure_squares (model, &truth);
      for (gsize i = 0; i < n; i++)
        trace += squares[i];
      for (gsize i = 0; i < n; i++)
        g_assert_cmpfloat_with_epsilon ((double) diagonal[i], squares[i],
                                        1e-4 * squares[i] + 1e-6 * trace / (double) n);
      g_assert_cmpfloat_with_epsilon (layer->tokens_trace, trace, 1e-4 * trace);

      g_assert_cmpuint (layer->outputs, ==, tensor->rows);
      for (gsize i = 0; i < layer->outputs; i++)
        {
          double row = 0.0;

          for (gsize j = 0; j < tensor->columns; j++)
            row += squares[i * tensor->columns + j];
          /* Rows of an expert that nobody went to have neither. */
          g_assert_cmpint (row > 0.0, ==, layer->output_squares[i] > 0.0);
          outputs += layer->output_squares[i];
        }
      g_assert_cmpfloat_with_epsilon (layer->output_trace, outputs, 1e-9 * outputs);
      g_assert_true (isnan (layer->sequences_trace));
    }
}

/* Products of the experts' blocks are what differences of gradients say: nobody goes elsewhere for
 * a step. */
static void
test_hessian (gconstpointer data)
{
  g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup (data));
  const TareObjective objective = { .tokens = tokens, .n_sequences = 1, .length = SEQUENCES };
  g_autoptr(TareHessianLoss) exact = tare_hessian_loss_new (model, &objective, TARE_HESSIAN_EXACT,
                                                            0, NULL);
  g_autoptr(TareHessianLoss) difference = tare_hessian_loss_new (model, &objective,
                                                                 TARE_HESSIAN_DIFFERENCE, 0, NULL);
  const char *const names[] = { "blk.2.ffn_gate_exps.weight", "blk.2.ffn_up_exps.weight",
                                "blk.1.ffn_down_exps.weight" };

  for (gsize k = 0; k < G_N_ELEMENTS (names); k++)
    {
      const TareTensor *tensor = tare_model_lookup (model, names[k]);
      gsize n = tare_tensor_get_n_weights (tensor);
      g_autofree float *v = g_new (float, n), *product = g_new (float, n);
      g_autofree float *truth = g_new (float, n);
      TareOperator operator, other;

      tare_hessian_loss_select (exact, tensor);
      tare_hessian_loss_select (difference, tensor);
      operator = tare_hessian_loss_get_operator (exact);
      other = tare_hessian_loss_get_operator (difference);
      tare_operator_fill_gaussian (k + 1, n, v);
      g_assert_true (operator.apply (operator.data, v, product, NULL, NULL));
      g_assert_true (other.apply (other.data, v, truth, NULL, NULL));
      g_test_message ("%s: %s: %.3g away, instability %.3g", (const char *) data, names[k],
                      tare_test_difference (product, truth, n),
                      tare_hessian_loss_get_instability (difference));
      g_assert_cmpfloat (tare_test_difference (product, truth, n), <, 1e-2);
    }
}

/* Every measure of the table is known of every layer of a mixture. */
static void
test_measures (void)
{
  const TareCalibratorOptions options = { 64, 128, 0, NULL };
  const TareAssignment assignment = { .format = tare_format_lookup ("q4_0"),
                                      .method = tare_method_get (0) };
  const char *const ids[] = { "fisher", "fit", "gradient_proxy", "loss_hessian_trace",
                              "top_eigenvalue", "hawq_v1", "hawq_v2" };
  g_autoptr(TareModel) model = naive_open_mixtral ();
  g_autofree char *path = tare_test_source ("data/sample/treasure-island.txt");
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(TareMeasureContext) context = NULL;
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  gsize n_experts = 0;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  calibration = tare_calibrate (model, text, 3000, &options, NULL, &error);
  g_assert_no_error (error);
  context = tare_measure_context_new (engine, calibration);
  tare_measure_context_set_text (context, text, 3000, 64, 128);

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);

      if (!tare_tensor_is_weight (tensor) || tensor->block < 0)
        continue;
      n_experts += tare_tensor_get_n_matrices (tensor) > 1;
      for (gsize k = 0; k < G_N_ELEMENTS (ids); k++)
        {
          TareMeasureValue value = { NAN, NAN };

          tare_measure_compute (tare_measure_lookup (ids[k]), context, tensor, &assignment, NULL,
                                &value, &error);
          g_assert_no_error (error);
          g_assert_true (isfinite (value.value));
          if (k < 3)
            g_assert_cmpfloat (value.value, >, 0.0);
        }
    }
  g_assert_cmpuint (n_experts, ==, 6);
}

int
main (int    argc,
      char **argv)
{
  static const char *const kinds[] = { "mixtral", "qwen2moe", "qwen3moe" };

  g_test_init (&argc, &argv, NULL);

  for (guint32 i = 0; i < SEQUENCES; i++)
    {
      tokens[i] = (i * 37 + i / 5 * 11 + 3) % 64;
      targets[i] = (i * 29 + 17) % 64;
    }

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *fisher = g_strdup_printf ("/expert-sensitivity/fisher/%s", kinds[i]);
      g_autofree char *hessian = g_strdup_printf ("/expert-sensitivity/hessian/%s", kinds[i]);

      g_test_add_data_func (fisher, kinds[i], test_fisher);
      g_test_add_data_func (hessian, kinds[i], test_hessian);
    }
  g_test_add_func ("/expert-sensitivity/measures", test_measures);

  return g_test_run ();
}
