/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-engine.h"

#include <math.h>
#include <string.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

/* More than one chunk of rows for the engine, and a last chunk that is shorter. */
#define LARGE_ROWS 4300
#define LARGE_COLUMNS 1024

static TareModel *
open_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");
  g_autoptr(GError) error = NULL;
  TareModel *model = tare_model_open (path, &error);

  g_assert_no_error (error);

  return model;
}

/* An F32 matrix that no file holds; takes over @x. */
static TareTensor *
make_tensor (const char *canonical,
             float      *x,
             gsize       rows,
             gsize       columns)
{
  g_autoptr(GBytes) bytes = g_bytes_new_take (x, rows * columns * sizeof (float));
  TareTensor *tensor = g_new0 (TareTensor, 1);

  tensor->name = g_strdup (canonical);
  tensor->canonical = g_strdup (canonical);
  tensor->type_name = g_strdup ("F32");
  tensor->format = tare_format_lookup ("f32");
  tensor->role = tare_role_from_canonical (canonical, &tensor->block, &tensor->bias);
  tensor->n_dimensions = 2;
  tensor->shape[0] = rows;
  tensor->shape[1] = columns;
  tensor->rows = rows;
  tensor->columns = columns;
  tensor->file = tare_file_new_bytes ("memory", bytes);
  tensor->bytes = rows * columns * sizeof (float);

  return tensor;
}

static TareTensor *
make_gaussian (gsize   rows,
               gsize   columns,
               guint32 seed)
{
  float *x = g_new (float, rows * columns);

  tare_test_fill_gaussian (x, rows * columns, seed);

  return make_tensor ("blk.0.ffn_up.weight", x, rows, columns);
}

static TareAssignment
make_assignment (const char *format)
{
  TareAssignment assignment = {
    .format = format != NULL ? tare_format_lookup (format) : NULL,
    .method = tare_method_lookup ("rtn"),
    .range = TARE_RANGE_SEARCH,
  };

  return assignment;
}

static TareQuantized *
quantize (TareEngine       *engine,
          const TareTensor *tensor,
          const char       *format,
          TareCalibration  *calibration)
{
  TareAssignment assignment = make_assignment (format);
  g_autoptr(GError) error = NULL;
  TareQuantized *result;

  result = tare_engine_quantize (engine, tensor, &assignment, calibration, NULL, &error);
  g_assert_no_error (error);

  return result;
}

/* In chunks or not, the codes and the distortion are those of the whole matrix. */
static void
test_chunks (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareTensor) tensor = make_gaussian (LARGE_ROWS, LARGE_COLUMNS, 3);
  g_autoptr(TareQuantized) quantized = quantize (engine, tensor, "q8_0", NULL);
  const float *x = (const float *) (gconstpointer) tare_file_get_data (tensor->file);
  const TareFormat *format = tare_format_lookup ("q8_0");
  gsize bytes = LARGE_ROWS * tare_format_get_row_bytes (format, LARGE_COLUMNS);
  g_autofree guint8 *codes = g_malloc (bytes);
  g_autofree float *y = g_new (float, LARGE_ROWS * LARGE_COLUMNS);
  g_autofree float *z = g_new (float, LARGE_ROWS * LARGE_COLUMNS);
  TareEncoding encoding = { .range = TARE_RANGE_SEARCH };
  g_autoptr(GError) error = NULL;
  TareDistortion whole;

  tare_format_encode (format, &encoding, x, LARGE_ROWS, LARGE_COLUMNS, codes, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (quantized->bytes, NULL), g_bytes_get_size (quantized->bytes),
                   codes, bytes);

  tare_format_decode (format, codes, LARGE_ROWS, LARGE_COLUMNS, y);
  whole = tare_distortion_measure (x, y, LARGE_ROWS, LARGE_COLUMNS, NULL);
  g_assert_cmpfloat_with_epsilon (quantized->distortion.relative, whole.relative,
                                  1e-9 * whole.relative);
  g_assert_cmpfloat_with_epsilon (quantized->distortion.squared, whole.squared,
                                  1e-9 * whole.squared);
  g_assert_cmpfloat (quantized->distortion.maximum, ==, whole.maximum);
  g_assert_cmpuint (quantized->distortion.rows, ==, LARGE_ROWS);

  g_assert_true (tare_quantized_decode (quantized, tensor, z, &error));
  g_assert_cmpmem (z, LARGE_ROWS * LARGE_COLUMNS * sizeof (float), y,
                   LARGE_ROWS * LARGE_COLUMNS * sizeof (float));
}

static void
test_every_format (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareTensor) tensor = make_gaussian (16, 512, 4);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      g_autoptr(TareQuantized) quantized = quantize (engine, tensor, format->id, NULL);
      g_autofree float *y = g_new (float, 16 * 512);
      g_autoptr(GError) error = NULL;

      g_assert_true (quantized->format == format);
      g_assert_true (tare_quantized_decode (quantized, tensor, y, &error));
      if (format == tensor->format)
        {
          g_assert_null (quantized->bytes);
          continue;
        }
      g_assert_cmpuint (g_bytes_get_size (quantized->bytes), ==,
                        tare_format_get_bytes (format, 16, 512));
      g_assert_cmpfloat (quantized->distortion.relative, >, 0.0);
      g_assert_cmpfloat (quantized->distortion.relative, <, 0.45);
    }
}

static void
test_fallback (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareTensor) tensor = make_gaussian (4, 96, 5);
  g_autoptr(TareQuantized) quantized = quantize (engine, tensor, "q4_k", NULL);

  g_assert_cmpstr (quantized->format->id, ==, "q5_0");
  g_assert_cmpuint (g_bytes_get_size (quantized->bytes), ==, 4 * 3 * 22);
}

static void
test_kept (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareTensor) tensor = make_gaussian (4, 64, 6);
  g_autoptr(TareQuantized) kept = quantize (engine, tensor, NULL, NULL);
  g_autofree float *y = g_new (float, 4 * 64);
  g_autoptr(GError) error = NULL;

  g_assert_null (kept->bytes);
  g_assert_true (kept->format == tensor->format);
  g_assert_cmpfloat (kept->distortion.relative, ==, 0.0);
  g_assert_true (tare_quantized_decode (kept, tensor, y, &error));
  g_assert_cmpmem (y, sizeof (float) * 4 * 64, tare_file_get_data (tensor->file),
                   tensor->bytes);
}

static void
test_cache (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  const TareTensor *tensor = tare_model_lookup (model, "blk.0.ffn_up.weight");
  const TareTensor *other = tare_model_lookup (model, "blk.1.ffn_up.weight");
  g_autoptr(TareQuantized) first = quantize (engine, tensor, "q8_0", NULL);
  g_autoptr(TareQuantized) again = quantize (engine, tensor, "q8_0", NULL);
  g_autoptr(TareQuantized) coarse = quantize (engine, tensor, "q4_0", NULL);
  g_autoptr(TareQuantized) later = NULL;
  g_autoptr(TareQuantized) third = NULL;
  g_autoptr(TareQuantized) evicted = NULL;

  g_assert_true (first == again);
  g_assert_true (first != coarse);

  /* Room for one of the larger: what was asked for last stays. */
  tare_engine_set_budget (engine, g_bytes_get_size (first->bytes) + 1024);
  later = quantize (engine, other, "q8_0", NULL);
  third = quantize (engine, other, "q8_0", NULL);
  evicted = quantize (engine, tensor, "q8_0", NULL);
  g_assert_true (later == third);
  g_assert_true (evicted != first);
  g_assert_true (g_bytes_equal (evicted->bytes, first->bytes));
}

static void
test_not_finite (void)
{
  static const float bad[] = { NAN, INFINITY, -INFINITY };
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  TareAssignment assignment = make_assignment ("q8_0");

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      float *x = g_new0 (float, 8 * 64);
      g_autoptr(TareTensor) tensor = make_tensor ("blk.0.ffn_up.weight", x, 8, 64);
      g_autoptr(GError) error = NULL;

      x[5 * 64 + 17] = bad[i];
      g_assert_null (tare_engine_quantize (engine, tensor, &assignment, NULL, NULL, &error));
      g_assert_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE);
      g_assert_nonnull (strstr (error->message, "blk.0.ffn_up.weight"));
      g_assert_nonnull (strstr (error->message, "row 5, column 17"));

      /* The failure is not kept: once the cause is gone it works. */
      x[5 * 64 + 17] = 1.0f;
      g_clear_error (&error);
      tare_quantized_unref (quantize (engine, tensor, "q8_0", NULL));
      tare_engine_set_budget (engine, 0);
    }
}

/* What half precision cannot hold becomes infinite in a scale or a weight: no format may pass it
 * on as if nothing had happened. */
static void
cancel_midway (double      fraction,
               const char *stage,
               gpointer    data)
{
  if (fraction > 0.0)
    g_cancellable_cancel (data);
}

/* A tensor that is given up halfway leaves nothing behind, and can be had afterwards. */
static void
test_cancelled (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareTensor) tensor = make_gaussian (LARGE_ROWS, LARGE_COLUMNS, 9);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  TareProgress progress = TARE_PROGRESS_INIT (cancellable, cancel_midway, cancellable);
  TareAssignment assignment = make_assignment ("q8_0");
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_engine_quantize (engine, tensor, &assignment, NULL, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  tare_quantized_unref (quantize (engine, tensor, "q8_0", NULL));
}

static void
test_too_large (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      TareAssignment assignment = make_assignment (format->id);
      float *x = g_new0 (float, 4 * 256);
      g_autoptr(TareTensor) tensor = make_tensor ("blk.0.ffn_up.weight", x, 4, 256);
      g_autofree float *y = g_new (float, 4 * 256);
      g_autoptr(TareQuantized) quantized = NULL;
      g_autoptr(GError) error = NULL;

      x[300] = 1e30f;
      x[301] = -1e30f;
      quantized = tare_engine_quantize (engine, tensor, &assignment, NULL, NULL, &error);
      if (quantized == NULL)
        {
          g_assert_nonnull (error);
          g_assert_nonnull (strstr (error->message, tensor->canonical));
          continue;
        }
      g_assert_true (tare_quantized_decode (quantized, tensor, y, &error));
      for (gsize j = 0; j < 4 * 256; j++)
        g_assert_true (isfinite (y[j]));
    }
}

/* One column matters a thousand times more than the others. */
static TareCalibration *
make_calibration (const char *canonical,
                  gsize       columns)
{
  TareCalibration *calibration = tare_calibration_new ("text", 128);
  TareLayerActivations *layer = tare_calibration_add (calibration, canonical, columns, FALSE);

  layer->n_tokens = 10.0;
  for (gsize i = 0; i < columns; i++)
    layer->sum_squares[i] = i % 16 == 3 ? 10000.0f : 10.0f;

  return calibration;
}

static void
test_importance (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareTensor) tensor = make_gaussian (32, 256, 9);
  g_autoptr(TareCalibration) calibration = make_calibration (tensor->canonical, 256);
  g_autofree float *importance = tare_calibration_dup_importance (calibration, tensor->canonical,
                                                                  256);
  g_autoptr(TareQuantized) plain = quantize (engine, tensor, "q4_k", NULL);
  g_autoptr(TareQuantized) weighted = quantize (engine, tensor, "q4_k", calibration);
  g_autofree float *y = g_new (float, 32 * 256);
  g_autoptr(GError) error = NULL;
  TareDistortion distortion;

  g_assert_true (plain != weighted);
  g_assert_cmpfloat (plain->distortion.weighted, ==, plain->distortion.relative);

  g_assert_true (tare_quantized_decode (plain, tensor, y, &error));
  distortion = tare_distortion_measure ((const float *) (gconstpointer)
                                        tare_file_get_data (tensor->file), y, 32, 256, importance);
  g_assert_cmpfloat (weighted->distortion.weighted, <, distortion.weighted);
}

static void
test_wrong_calibration (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareTensor) tensor = make_gaussian (32, 256, 9);
  g_autoptr(TareCalibration) calibration = make_calibration (tensor->canonical, 128);
  TareAssignment assignment = make_assignment ("q4_0");
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_engine_quantize (engine, tensor, &assignment, calibration, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, tensor->canonical));
}

typedef struct
{
  TareEngine    *engine;
  TareModel     *model;
  TareQuantized *results[6];
} Job;

static gpointer
quantize_all (gpointer data)
{
  Job *job = data;

  for (guint i = 0; i < G_N_ELEMENTS (job->results); i++)
    job->results[i] = quantize (job->engine,
                                tare_model_lookup_role (job->model, "ffn_down", (int) i, FALSE),
                                "q4_0", NULL);

  return NULL;
}

/* Two threads that ask for the same get the same. */
static void
test_threads (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  Job jobs[4];
  GThread *threads[G_N_ELEMENTS (jobs)];

  for (gsize i = 0; i < G_N_ELEMENTS (jobs); i++)
    {
      jobs[i] = (Job) { .engine = engine, .model = model };
      threads[i] = g_thread_new ("job", quantize_all, &jobs[i]);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (jobs); i++)
    g_thread_join (threads[i]);

  for (gsize i = 0; i < G_N_ELEMENTS (jobs); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (jobs[i].results); j++)
      {
        g_assert_true (jobs[i].results[j] == jobs[0].results[j]);
        if (i > 0)
          tare_quantized_unref (jobs[i].results[j]);
      }
  for (gsize j = 0; j < G_N_ELEMENTS (jobs[0].results); j++)
    tare_quantized_unref (jobs[0].results[j]);
}

static void
test_weights (void)
{
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  TareAssignment q4 = make_assignment ("q4_k");
  TareAssignment q5 = make_assignment ("q5_k");
  g_autoptr(TareRecipe) recipe = tare_recipe_with_rule (none, "*.ffn_up.weight", &q4);
  g_autoptr(TareRecipe) finer = tare_recipe_with_rule (none, "*.ffn_up.weight", &q5);
  g_autoptr(TareRecipeWeights) a = tare_recipe_weights_new (engine, recipe, NULL);
  g_autoptr(TareRecipeWeights) b = tare_recipe_weights_new (engine, finer, NULL);
  const TareTensor *up = tare_model_lookup (model, "blk.2.ffn_up.weight");
  const TareTensor *down = tare_model_lookup (model, "blk.2.ffn_down.weight");
  gsize n = up->rows * up->columns;
  g_autofree float *x = g_new (float, n);
  g_autofree float *y = g_new (float, n);
  g_autoptr(TareQuantized) quantized = quantize (engine, up, "q4_k", NULL);
  g_autoptr(GError) error = NULL;

  g_assert_true (a->weights.load (a->weights.data, up, x, NULL, &error));
  g_assert_true (tare_quantized_decode (quantized, up, y, &error));
  g_assert_cmpmem (x, n * sizeof (float), y, n * sizeof (float));

  g_assert_true (a->weights.load (a->weights.data, down, x, NULL, &error));
  g_assert_true (tare_tensor_read (down, y, &error));
  g_assert_cmpmem (x, n * sizeof (float), y, n * sizeof (float));

  g_assert_cmpuint (a->weights.fingerprint (a->weights.data, down), ==, 0);
  g_assert_cmpuint (a->weights.fingerprint (a->weights.data, up), !=, 0);
  g_assert_cmpuint (a->weights.fingerprint (a->weights.data, up), ==,
                    a->weights.fingerprint (a->weights.data, up));
  g_assert_cmpuint (a->weights.fingerprint (a->weights.data, up), !=,
                    b->weights.fingerprint (b->weights.data, up));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/engine/chunks", test_chunks);
  g_test_add_func ("/engine/every-format", test_every_format);
  g_test_add_func ("/engine/fallback", test_fallback);
  g_test_add_func ("/engine/kept", test_kept);
  g_test_add_func ("/engine/cache", test_cache);
  g_test_add_func ("/engine/not-finite", test_not_finite);
  g_test_add_func ("/engine/cancelled", test_cancelled);
  g_test_add_func ("/engine/too-large", test_too_large);
  g_test_add_func ("/engine/importance", test_importance);
  g_test_add_func ("/engine/wrong-calibration", test_wrong_calibration);
  g_test_add_func ("/engine/threads", test_threads);
  g_test_add_func ("/engine/weights", test_weights);

  return g_test_run ();
}
