/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The way forth and back through the sample against the way forth alone, and a product with the
 * Hessian of its loss against forth and back.
 */
#include "tests/bench/bench.h"

#include "analysis/sensitivity/tare-hessian-loss.h"
#include "config.h"

#define SEQUENCES 4
#define LENGTH    256

typedef struct
{
  TareGradient    *gradient;
  TareObjective    objective;
  TareProbe        probe;
  TareOperator     operator;
  float           *v;
  float           *product;
  double          *values;
} Work;

static void
ignore_weight (const TareTensor *tensor,
               const float      *gradient,
               gpointer          data)
{
}

static void
run_forth (gpointer data)
{
  Work *self = data;
  TareGradientResult result;

  if (!tare_gradient_loss (self->gradient, &tare_weights_of_file, &self->objective, &result, NULL,
                           NULL))
    g_error ("the sample has no loss");
}

static void
run_back (gpointer data)
{
  const TareGradientObserver observer = { .weight = ignore_weight };
  Work *self = data;
  TareGradientResult result;

  if (!tare_gradient_run (self->gradient, &tare_weights_of_file, NULL, &self->objective, &observer,
                          &result, NULL, NULL))
    g_error ("the sample has no gradient");
}

static void
run_probe (gpointer data)
{
  Work *self = data;

  if (!self->probe.probe (self->probe.data, 1, self->values, NULL, NULL))
    g_error ("the sample has no Hessian");
}

static void
run_product (gpointer data)
{
  Work *self = data;

  if (!self->operator.apply (self->operator.data, self->v, self->product, NULL, NULL))
    g_error ("the sample has no Hessian");
}

/**
 * bench_gradient:
 * @json: an object that is open
 * @quick: every path once
 *
 * back_by_forth: seconds of forth and back, with the gradients of all weights, over those of forth
 * alone. probe_by_back and product_by_back: of one probe of all traces and of one product with a
 * vector over those of forth and back.
 */
void
bench_gradient (JsonBuilder *json,
                gboolean     quick)
{
  g_autofree char *folder = g_build_filename (TARE_SOURCE_DATA_DIR, "sample", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (folder, &error);
  g_autoptr(TareNetwork) network = model != NULL ? tare_network_new (model, &error) : NULL;
  g_autoptr(TareGradient) gradient = NULL;
  g_autoptr(TareHessianLoss) hessian = NULL;
  guint32 tokens[SEQUENCES * LENGTH];
  Work self = { .objective = { .tokens = tokens, .n_sequences = quick ? 1 : SEQUENCES,
                               .length = quick ? 32 : LENGTH } };
  double forth, back, probe, product;

  if (network == NULL)
    g_error ("%s", error->message);

  for (guint32 i = 0; i < G_N_ELEMENTS (tokens); i++)
    tokens[i] = i * 7 % tare_network_get_config (network)->vocabulary;
  gradient = tare_gradient_new (network, 0);
  hessian = tare_hessian_loss_new (model, &self.objective, TARE_HESSIAN_EXACT, 0, &error);
  self.gradient = gradient;
  self.probe = tare_hessian_loss_get_probe (hessian);
  self.operator = tare_hessian_loss_get_operator (hessian);
  self.v = g_new (float, self.operator.n);
  self.product = g_new (float, self.operator.n);
  self.values = g_new (double, self.probe.n_parts);
  tare_operator_fill_gaussian (1, self.operator.n, self.v);

  forth = bench_time (run_forth, &self, quick);
  back = bench_time (run_back, &self, quick);
  probe = bench_time (run_probe, &self, quick);
  product = bench_time (run_product, &self, quick);
  bench_add_number (json, "forth_seconds", forth);
  bench_add_number (json, "back_by_forth", back / forth);
  bench_add_number (json, "probe_by_back", probe / back);
  bench_add_number (json, "product_by_back", product / back);

  g_free (self.v);
  g_free (self.product);
  g_free (self.values);
}
