/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-fisher.h"

#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

#define LENGTH    16
#define SEQUENCES 3

static guint32 tokens[SEQUENCES * LENGTH];

static double
sum_of (const float *x,
        gsize        n)
{
  double sum = 0.0;

  for (gsize i = 0; i < n; i++)
    sum += (double) x[i];

  return sum;
}

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
    self->squares[i] += (double) gradient[i] * (double) gradient[i];
}

/* The diagonal by sequences is what the gradients of one sequence at a time, squared, are on
 * average; its sum is the trace that needs no matrix. */
static void
test_sequences (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = tare_model_open (folder, NULL);
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareGradient) gradient = tare_gradient_new (network, 0);
  const char *const names[] = { "blk.2.attn_k.weight", "blk.1.ffn_down.weight",
                                "blk.0.ffn_up.weight" };

  for (gsize k = 0; k < G_N_ELEMENTS (names); k++)
    {
      const TareTensor *tensor = tare_model_lookup (model, names[k]);
      gsize n = tare_tensor_get_n_weights (tensor);
      g_autofree float *diagonal = g_new (float, n);
      g_autofree double *squares = g_new0 (double, n);
      const TareFisherDiagonal wanted = { tensor, TARE_FISHER_SEQUENCES, diagonal };
      Squares sum = { tensor, squares };
      const TareGradientObserver observer = { .weight = add_squares, .data = &sum };
      TareObjective objective = { .tokens = tokens, .n_sequences = SEQUENCES, .length = LENGTH };
      g_autoptr(TareFisher) fisher = tare_fisher_measure (model, &objective, &wanted, 0, NULL,
                                                          NULL);
      const TareFisherLayer *layer = tare_fisher_lookup (fisher, tensor);
      double scale = sum_of (diagonal, n) / (double) n, whole = sum_of (diagonal, n);

      objective.n_sequences = 1;
      for (gsize s = 0; s < SEQUENCES; s++)
        {
          TareGradientResult result;

          objective.tokens = tokens + s * LENGTH;
          g_assert_true (tare_gradient_run (gradient, &tare_weights_of_file, NULL, &objective,
                                            &observer, &result, NULL, NULL));
        }
      for (gsize i = 0; i < n; i++)
        g_assert_cmpfloat_with_epsilon ((double) diagonal[i], squares[i] / SEQUENCES,
                                        1e-4 * (double) diagonal[i] + 1e-4 * scale);
      g_assert_cmpfloat_with_epsilon (layer->sequences_trace, whole, 1e-4 * whole);
    }
}

/* The diagonal by tokens adds up to its trace, and its rows to E[ȳ²] where inputs are alike. */
static void
test_tokens (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = tare_model_open (folder, NULL);
  const TareTensor *tensor = tare_model_lookup (model, "blk.3.attn_v.weight");
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *diagonal = g_new (float, n);
  const TareFisherDiagonal wanted = { tensor, TARE_FISHER_TOKENS, diagonal };
  const TareObjective objective = { .tokens = tokens, .n_sequences = SEQUENCES,
                                    .length = LENGTH };
  g_autoptr(GError) error = NULL;
  g_autoptr(TareFisher) fisher = tare_fisher_measure (model, &objective, &wanted, 0, NULL, &error);
  const TareFisherLayer *layer = NULL;
  double sum = 0.0;

  g_assert_no_error (error);
  layer = tare_fisher_lookup (fisher, tensor);
  g_assert_cmpuint (layer->outputs, ==, tensor->rows);
  g_assert_cmpuint (layer->columns, ==, tensor->columns);
  g_assert_cmpfloat_with_epsilon (layer->tokens_trace, sum_of (diagonal, n),
                                  1e-4 * layer->tokens_trace);
  for (gsize i = 0; i < layer->outputs; i++)
    sum += layer->output_squares[i];
  g_assert_cmpfloat_with_epsilon (layer->output_trace, sum, 1e-9 * sum);
  g_assert_cmpfloat (layer->output_trace, >, 0.0);

  /* Five blocks of seven matrices and the output. */
  g_assert_cmpuint (tare_fisher_n_layers (fisher), ==, 36);
  g_assert_cmpfloat (tare_fisher_get_loss (fisher), >, 0.0);
  g_assert_null (tare_fisher_lookup (fisher, tare_model_lookup (model, "output_norm.weight")));
}

/* With one token in each sequence and one scored the two forms are the same. */
static void
test_forms_meet (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/stories260K")
  g_autoptr(TareModel) model = tare_model_open (folder, NULL);
  guint32 targets[] = { 300, 301, 302, 303 };
  const TareObjective objective = { .tokens = tokens, .targets = targets, .n_sequences = 4,
                                    .length = 1 };
  g_autoptr(TareFisher) fisher = tare_fisher_measure (model, &objective, NULL, 0, NULL, NULL);

  for (gsize i = 0; i < tare_fisher_n_layers (fisher); i++)
    {
      const TareFisherLayer *layer = tare_fisher_get (fisher, i);

      g_assert_cmpfloat_with_epsilon (layer->tokens_trace, layer->sequences_trace,
                                      1e-4 * layer->tokens_trace + 1e-12);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint32 i = 0; i < G_N_ELEMENTS (tokens); i++)
    tokens[i] = i % LENGTH == 0 ? 1 : 260 + i * 29 % 240;

  g_test_add_func ("/fisher/sequences", test_sequences);
  g_test_add_func ("/fisher/tokens", test_tokens);
  g_test_add_func ("/fisher/forms-meet", test_forms_meet);

  return g_test_run ();
}
