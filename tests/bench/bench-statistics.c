/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/bench/bench.h"

#include <omp.h>

#include "analysis/statistics/tare-histogram.h"
#include "analysis/statistics/tare-moments.h"
#include "analysis/statistics/tare-statistics.h"

/* Weights, 64 MB of floats: more than a cache holds. */
#define ROWS    4096
#define COLUMNS 4096

/* Weights that are read at a time, as tare_statistics_measure() has it. */
#define PIECE 65536

typedef struct
{
  TareTensor     tensor;
  const float   *x;
  gsize          n;
  TareHistogram *histogram;
} Bench;

static void
fill (float *x,
      gsize  n)
{
  guint32 state = 1;

  /* The sum of four uniform numbers is near enough to a Gaussian. */
  for (gsize i = 0; i < n; i++)
    {
      float sum = 0.0f;

      for (int k = 0; k < 4; k++)
        {
          state = state * 1664525u + 1013904223u;
          sum += (float) (state >> 8) / 16777216.0f - 0.5f;
        }
      x[i] = sum;
    }
}

static void
run_moments (gpointer data)
{
  Bench *bench = data;
  TareMoments moments = { 0 };

  for (gsize i = 0; i < bench->n; i += PIECE)
    tare_moments_add (&moments, bench->x + i, PIECE);

  g_assert_true (moments.n == bench->n);
}

static void
run_histogram (gpointer data)
{
  Bench *bench = data;

  tare_histogram_init (bench->histogram, -2.0f, 2.0f, -1.9, 1.9);
  for (gsize i = 0; i < bench->n; i += PIECE)
    tare_histogram_add (bench->histogram, bench->x + i, PIECE);
}

static void
run_measure (gpointer data)
{
  Bench *bench = data;
  g_autoptr(TareStatistics) statistics = tare_statistics_measure (&bench->tensor, NULL, NULL);

  g_assert_true (statistics != NULL && statistics->n == bench->n);
}

/* Encodes what a tensor of @format is read from. */
static void
make_tensor (Bench            *bench,
             const TareFormat *format)
{
  gsize row_bytes = tare_format_get_row_bytes (format, COLUMNS);
  gsize rows = bench->n / COLUMNS;
  guint8 *codes = g_malloc (row_bytes * rows);
  g_autoptr(GBytes) bytes = g_bytes_new_take (codes, row_bytes * rows);
  g_autoptr(GError) error = NULL;

  tare_format_encode (format, NULL, bench->x, rows, COLUMNS, codes, NULL, &error);
  g_assert_no_error (error);

  bench->tensor = (TareTensor) {
    .name = (char *) "bench",
    .canonical = (char *) "bench",
    .block = -1,
    .type_name = (char *) format->label,
    .format = format,
    .n_dimensions = 2,
    .shape = { rows, COLUMNS },
    .columns = COLUMNS,
    .rows = rows,
    .file = tare_file_new_bytes ("bench", bytes),
    .bytes = row_bytes * rows,
  };
}

/* Bytes of floats, which is what the arithmetic sees, whatever the file holds. */
static void
add_speed (JsonBuilder *json,
           const char  *name,
           Bench       *bench,
           BenchBody    body,
           gboolean     quick)
{
  double copy_seconds = bench_memcpy_seconds (bench->n * sizeof (float), quick);
  double seconds = bench_time (body, bench, quick);
  double bytes = (double) bench->n * sizeof (float);

  json_builder_set_member_name (json, name);
  json_builder_begin_object (json);
  bench_add_number (json, "bytes_per_second", bytes / seconds);
  bench_add_number (json, "memcpy_bytes_per_second", bytes / copy_seconds);
  bench_add_number (json, "share_of_memcpy", copy_seconds / seconds);
  json_builder_end_object (json);
}

/**
 * bench_statistics:
 * @json: gets the speed, on one core, of moments and histogram by themselves over floats in
 *   memory, and of the whole measurement of a tensor of some stored types
 * @quick: whether a smoke test asks
 */
void
bench_statistics (JsonBuilder *json,
                  gboolean     quick)
{
  const char *const formats[] = { "f32", "bf16", "q8_0", "q4_k" };
  gsize n = (gsize) COLUMNS * (quick ? 32 : ROWS);
  g_autofree float *x = g_new (float, n);
  g_autofree TareHistogram *histogram = g_new (TareHistogram, 1);
  Bench bench = { .x = x, .n = n, .histogram = histogram };
  int n_threads = omp_get_max_threads ();

  fill (x, n);
  omp_set_num_threads (1);
  add_speed (json, "moments", &bench, run_moments, quick);
  add_speed (json, "histogram", &bench, run_histogram, quick);

  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      const TareFormat *format = tare_format_lookup (formats[i]);
      g_autofree char *name = g_strconcat ("measure_", formats[i], NULL);

      if (format == NULL)
        continue;
      make_tensor (&bench, format);
      add_speed (json, name, &bench, run_measure, quick);
      tare_file_unref (bench.tensor.file);
    }
  omp_set_num_threads (n_threads);
}
