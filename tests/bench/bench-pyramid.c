/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/bench/bench.h"

#include <omp.h>

#include "analysis/statistics/tare-pyramid.h"

/* A large projection of an 8-billion-parameter model: 235 MB as floats. */
#define ROWS    4096
#define COLUMNS 14336

/* What a heat map on a large screen asks for. */
#define WIDTH  1600
#define HEIGHT 1000

typedef struct
{
  TareTensor   tensor;
  TarePyramid *pyramid;
  TarePool     pool;
  float       *out;
} Bench;

static void
run_build (gpointer data)
{
  Bench *bench = data;
  g_autoptr(TarePyramid) pyramid = tare_pyramid_build (&bench->tensor, NULL, NULL);

  g_assert_true (pyramid != NULL);
}

static void
run_sample (gpointer data)
{
  Bench *bench = data;

  tare_pyramid_sample (bench->pyramid, &bench->pool, bench->out);
}

/* The far view and one of a quarter of either side. */
static void
add_samples (JsonBuilder *json,
             Bench       *bench,
             gsize        rows,
             gboolean     quick)
{
  gsize height = MIN ((gsize) HEIGHT, rows / 4);

  bench->pyramid = tare_pyramid_build (&bench->tensor, NULL, NULL);
  bench->out = g_new (float, WIDTH * HEIGHT);
  bench->pool = (TarePool) { 0, rows, 0, COLUMNS, WIDTH, height };
  bench_add_number (json, "sample_whole_seconds", bench_time (run_sample, bench, quick));
  bench->pool = (TarePool) { rows / 4, rows / 4, COLUMNS / 4, COLUMNS / 4, WIDTH, height };
  bench_add_number (json, "sample_part_seconds", bench_time (run_sample, bench, quick));
  g_free (bench->out);
  tare_pyramid_unref (bench->pyramid);
}

/**
 * bench_pyramid:
 * @json: gets the speed, on one core, of pooling a tensor of floats by its extremes, as a share of
 *   memcpy, and the seconds that a picture of a part of it takes then
 * @quick: whether a smoke test asks
 */
void
bench_pyramid (JsonBuilder *json,
               gboolean     quick)
{
  gsize rows = quick ? 64 : ROWS;
  gsize n = rows * COLUMNS;
  float *x = g_new (float, n);
  g_autoptr(GBytes) bytes = g_bytes_new_take (x, n * sizeof *x);
  double copy_seconds = bench_memcpy_seconds (n * sizeof *x, quick), seconds;
  int n_threads = omp_get_max_threads ();
  guint32 state = 1;
  Bench bench = { .out = NULL };

  for (gsize i = 0; i < n; i++)
    {
      state = state * 1664525u + 1013904223u;
      x[i] = (float) (state >> 8) / 16777216.0f - 0.5f;
    }
  bench.tensor = (TareTensor) {
    .name = (char *) "bench", .canonical = (char *) "bench", .block = -1,
    .type_name = (char *) "F32", .format = tare_format_lookup ("f32"), .n_dimensions = 2,
    .shape = { rows, COLUMNS }, .columns = COLUMNS, .rows = rows,
    .file = tare_file_new_bytes ("bench", bytes), .bytes = n * sizeof *x,
  };

  omp_set_num_threads (1);
  seconds = bench_time (run_build, &bench, quick);
  bench_add_number (json, "bytes_per_second", (double) (n * sizeof *x) / seconds);
  bench_add_number (json, "share_of_memcpy", copy_seconds / seconds);
  add_samples (json, &bench, rows, quick);
  omp_set_num_threads (n_threads);
  tare_file_unref (bench.tensor.file);
}
