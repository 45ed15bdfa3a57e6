/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/bench/bench.h"

#include <cblas.h>

#include "analysis/calibration/tare-collector.h"

/* The input of a layer in a model of a billion weights, and as many tokens as go through a block at
 * a time; @quick takes an eighth of both. */
#define COLUMNS 2048
#define TOKENS  2048

typedef struct
{
  float         *x;
  float         *product;
  gsize          n_tokens;
  gsize          columns;
  TareTensor     tensor;
  TareCollector *collector;
} Bench;

static void
run_product (gpointer data)
{
  Bench *bench = data;
  int n = (int) bench->columns;

  cblas_ssyrk (CblasRowMajor, CblasUpper, CblasTrans, n, (int) bench->n_tokens, 1.0f, bench->x, n,
               0.0f, bench->product, n);
}

static void
run_collector (gpointer data)
{
  Bench *bench = data;

  tare_collector_observe (&bench->tensor, 0, bench->x, NULL, bench->n_tokens, bench->columns,
                          bench->collector);
}

/**
 * bench_calibration:
 * @json: gets the speed at which a calibration adds up the tokens of one input, Σxx' and all else
 *   that it keeps, against the product XX' alone
 * @quick: whether a smoke test asks
 */
void
bench_calibration (JsonBuilder *json,
                   gboolean     quick)
{
  gsize columns = quick ? COLUMNS / 8 : COLUMNS;
  gsize n_tokens = quick ? TOKENS / 8 : TOKENS;
  g_autofree float *x = g_new (float, n_tokens * columns);
  g_autofree float *product = g_new (float, columns * columns);
  g_autoptr(TareCalibration) calibration = tare_calibration_new ("bench", 0);
  g_autoptr(TareCollector) collector = tare_collector_new (calibration, columns, NULL);
  Bench bench = {
    .x = x,
    .product = product,
    .n_tokens = n_tokens,
    .columns = columns,
    .tensor = { .canonical = (char *) "bench" },
    .collector = collector,
  };
  guint32 state = 1;
  double alone;
  double seconds;

  for (gsize i = 0; i < n_tokens * columns; i++)
    {
      state = state * 1664525u + 1013904223u;
      x[i] = (float) (state >> 8) / 16777216.0f - 0.5f;
    }

  run_collector (&bench);
  alone = bench_time (run_product, &bench, quick);
  seconds = bench_time (run_collector, &bench, quick);

  json_builder_set_member_name (json, "accumulation");
  json_builder_begin_object (json);
  bench_add_number (json, "tokens_per_second", (double) n_tokens / seconds);
  bench_add_number (json, "seconds", seconds);
  bench_add_number (json, "product_seconds", alone);
  bench_add_number (json, "share_of_product", alone / seconds);
  json_builder_end_object (json);
}
