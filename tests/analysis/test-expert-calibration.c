/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What enters the experts of a tiny Mixtral, each by itself: collected, written, read, used. */
#include "tests/tare-test.h"

#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-collector.h"
#include "quant/model/tare-gguf.h"
#include "quant/network/tare-network.h"
#include "quant/recipe/tare-engine.h"
#include "quant/tare-error.h"
#include "tests/quant/naive.h"

#define GATE      "blk.1.ffn_gate_exps.weight"
#define UP        "blk.1.ffn_up_exps.weight"
#define DOWN      "blk.1.ffn_down_exps.weight"
#define N_EXPERTS NAIVE_MIXTRAL_EXPERTS
#define WIDTH     NAIVE_MIXTRAL_WIDTH
#define INNER     NAIVE_MIXTRAL_INNER
#define TOKENS    500
#define LENGTH    50

/* Sums by hand beside those of the collector. */
typedef struct
{
  TareCollector *collector;
  gsize          n_tokens[N_EXPERTS];
  double         sum_squares[N_EXPERTS][INNER];
  double         maximum[N_EXPERTS][INNER];
  float          positions[LENGTH];
} Downs;

static void
observe (const TareTensor *tensor,
         gsize             expert,
         const float      *x,
         const guint32    *tokens,
         gsize             n_tokens,
         gsize             columns,
         gpointer          data)
{
  Downs *downs = data;

  tare_collector_observe (tensor, expert, x, tokens, n_tokens, columns, downs->collector);
  if (strcmp (tensor->canonical, DOWN) != 0)
    return;

  g_assert_cmpuint (columns, ==, INNER);
  downs->n_tokens[expert] += n_tokens;
  for (gsize i = 0; i < n_tokens * columns; i++)
    {
      double value = (double) x[i];

      downs->sum_squares[expert][i % columns] += value * value;
      downs->maximum[expert][i % columns] = MAX (downs->maximum[expert][i % columns],
                                                 fabs (value));
      downs->positions[tokens[i / columns] % LENGTH] =
        MAX (downs->positions[tokens[i / columns] % LENGTH], fabsf (x[i]));
    }
}

/* One block's inputs. The first token of a sequence, which sees itself only, is nothing. */
static TareCalibration *
collect (TareModel *model,
         Downs     *downs)
{
  TareCalibration *calibration = tare_calibration_new ("text", LENGTH);
  const TareObserver observer = { .observe = observe, .data = downs };
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, 1, &error);
  g_autofree float *x = g_new (float, TOKENS * WIDTH);

  g_assert_no_error (error);
  memset (downs, 0, sizeof *downs);
  downs->collector = tare_collector_new (calibration, 1000, NULL);
  tare_test_fill_gaussian (x, TOKENS * WIDTH, 7);
  for (gsize t = 0; t < TOKENS; t += LENGTH)
    memset (x + t * WIDTH, 0, WIDTH * sizeof *x);
  tare_network_run_block (network, block, x, TOKENS / LENGTH, LENGTH, &observer, NULL, &error);
  g_assert_no_error (error);
  tare_collector_finish (downs->collector, &error);
  g_assert_no_error (error);
  tare_collector_free (downs->collector);
  tare_calibration_share (calibration, UP, GATE);

  return calibration;
}

static void
test_collect (void)
{
  g_autoptr(TareModel) model = naive_open_mixtral ();
  Downs downs;
  g_autoptr(TareCalibration) calibration = collect (model, &downs);
  const TareLayerActivations *all = tare_calibration_lookup (calibration, DOWN);

  g_assert_null (tare_calibration_lookup (calibration, "blk.1.attn_q.weight")->experts);
  g_assert_cmpuint (all->experts->n, ==, N_EXPERTS);
  g_assert_cmpmem (all->positions, all->n_positions * sizeof (float), downs.positions,
                   sizeof downs.positions);
  g_assert_null (tare_layer_activations_get_expert (all, 0).positions);
  for (gsize p = 0; p < LENGTH; p++)
    g_assert_true ((all->positions[p] > 0.0f) == (p > 0));
  g_assert_cmpfloat (all->n_tokens, ==, 2.0 * TOKENS);
  g_assert_cmpfloat (tare_calibration_get_n_tokens (calibration), ==, TOKENS);

  for (gsize e = 0; e < N_EXPERTS; e++)
    {
      const TareLayerActivations of = tare_layer_activations_get_expert (all, e);

      g_assert_cmpfloat (of.n_tokens, ==, (double) downs.n_tokens[e]);
      g_assert_cmpuint (downs.n_tokens[e], >, 0);
      for (gsize i = 0; i < INNER; i++)
        {
          g_assert_cmpfloat_with_epsilon ((double) of.sum_squares[i] / downs.sum_squares[e][i],
                                          1.0, 1e-6);
          g_assert_cmpfloat (of.maximum[i], ==, downs.maximum[e][i]);
        }
    }

  for (gsize i = 0; i < INNER; i++)
    {
      double sum = 0.0, maximum = 0.0;

      for (gsize e = 0; e < N_EXPERTS; e++)
        {
          sum += downs.sum_squares[e][i];
          maximum = MAX (maximum, downs.maximum[e][i]);
        }
      g_assert_cmpfloat_with_epsilon ((double) all->sum_squares[i] / sum, 1.0, 1e-6);
      g_assert_cmpfloat (all->maximum[i], ==, maximum);
    }
}

static void
assert_shape (GPtrArray  *tensors,
              const char *name,
              gsize       rows,
              gsize       columns)
{
  for (guint i = 0; i < tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (tensors, i);

      if (strcmp (tensor->name, name) != 0)
        continue;
      g_assert_cmpuint (tensor->rows, ==, rows);
      g_assert_cmpuint (tensor->columns, ==, columns);
      return;
    }

  g_error ("no tensor %s", name);
}

/* A row for each expert, and back to the bit. */
static void
test_gguf (void)
{
  g_autoptr(TareModel) model = naive_open_mixtral ();
  Downs downs;
  g_autoptr(TareCalibration) calibration = collect (model, &downs);
  g_autoptr(TareCalibration) again = NULL;
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(TareFile) file = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *path = tare_test_temporary ("experts.gguf");
  const char *names[] = { GATE, DOWN };

  tare_calibration_save (calibration, path, &error);
  g_assert_no_error (error);
  file = tare_file_open (path, &error);
  g_assert_true (tare_gguf_read (file, tensors, &metadata, &error));
  assert_shape (tensors, DOWN ".in_sum2", N_EXPERTS, INNER);
  assert_shape (tensors, DOWN ".counts", N_EXPERTS, 1);
  assert_shape (tensors, UP ".in_sum2", N_EXPERTS, WIDTH);
  assert_shape (tensors, "blk.1.attn_q.weight.counts", 1, 1);

  again = tare_calibration_load (path, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const TareLayerActivations *a = tare_calibration_lookup (calibration, names[i]);
      const TareLayerActivations *b = tare_calibration_lookup (again, names[i]);
      gsize n = N_EXPERTS * a->columns;

      g_assert_cmpmem (a->experts->n_tokens, N_EXPERTS * sizeof (double), b->experts->n_tokens,
                       b->experts->n * sizeof (double));
      g_assert_cmpmem (a->experts->sum_squares, n * sizeof (float), b->experts->sum_squares,
                       n * sizeof (float));
      g_assert_cmpmem (a->experts->maximum, n * sizeof (float), b->experts->maximum,
                       n * sizeof (float));
      g_assert_cmpmem (a->sum_squares, a->columns * sizeof (float), b->sum_squares,
                       a->columns * sizeof (float));
    }
  g_assert_true (tare_calibration_lookup (again, UP) == tare_calibration_lookup (again, GATE));
}

/* The older format has the columns of all experts in a row; one that no token reached is 1. */
static void
test_dat (void)
{
  g_autoptr(TareModel) model = naive_open_mixtral ();
  Downs downs;
  g_autoptr(TareCalibration) calibration = collect (model, &downs);
  g_autoptr(TareCalibration) again = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *path = tare_test_temporary ("experts.dat");
  TareExpertActivations *experts
    = (TareExpertActivations *) tare_calibration_lookup (calibration, DOWN)->experts;

  experts->n_tokens[2] = 0.0;
  memset (experts->sum_squares + 2 * INNER, 0, INNER * sizeof (float));
  tare_calibration_save (calibration, path, &error);
  g_assert_no_error (error);
  again = tare_calibration_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tare_calibration_lookup (again, GATE)->experts->n, ==, N_EXPERTS);
  g_assert_cmpuint (tare_calibration_lookup (again, DOWN)->columns, ==, INNER);
  g_assert_null (tare_calibration_lookup (again, DOWN)->maximum);

  for (gsize e = 0; e < N_EXPERTS; e++)
    {
      const TareLayerActivations a
        = tare_layer_activations_get_expert (tare_calibration_lookup (calibration, DOWN), e);
      const TareLayerActivations b
        = tare_layer_activations_get_expert (tare_calibration_lookup (again, DOWN), e);
      g_autofree float *before = tare_layer_activations_dup_importance (&a);
      g_autofree float *after = tare_layer_activations_dup_importance (&b);

      for (gsize i = 0; i < INNER; i++)
        g_assert_cmpfloat_with_epsilon (after[i] / before[i], 1.0f, 1e-5f);
      g_assert_cmpint (before[5] == 1.0f, ==, e == 2);
    }
}

/* Every expert's rows are encoded as by its importance alone. */
static void
test_engine (void)
{
  g_autoptr(TareModel) model = naive_open_mixtral ();
  Downs downs;
  g_autoptr(TareCalibration) calibration = collect (model, &downs);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  const TareTensor *tensor = tare_model_lookup (model, DOWN);
  const TareLayerActivations *all = tare_calibration_lookup (calibration, DOWN);
  const TareFormat *format = tare_format_lookup ("q4_0");
  const TareAssignment assignment = {
    .format = format, .method = tare_method_lookup ("rtn"), .range = TARE_RANGE_SEARCH,
  };
  g_autoptr(TareQuantized) quantized = NULL;
  g_autoptr(GError) error = NULL;
  gsize n_bytes = tare_format_get_bytes (format, WIDTH, INNER);
  g_autofree float *x = g_new (float, WIDTH * INNER);
  g_autofree guint8 *codes = g_malloc (n_bytes);
  gsize differ = 0;

  quantized = tare_engine_quantize (engine, tensor, &assignment, calibration, NULL, &error);
  g_assert_no_error (error);
  for (gsize e = 0; e < N_EXPERTS; e++)
    {
      const TareLayerActivations of = tare_layer_activations_get_expert (all, e);
      const TareLayerActivations other = tare_layer_activations_get_expert (all, (e + 1) % 4);
      const guint8 *bytes = g_bytes_get_data (quantized->bytes, NULL);
      g_autofree float *own = tare_layer_activations_dup_importance (&of);
      g_autofree float *foreign = tare_layer_activations_dup_importance (&other);
      TareEncoding encoding = { .range = TARE_RANGE_SEARCH, .importance = own };

      g_assert_true (tare_tensor_read_rows (tensor, e * WIDTH, WIDTH, x, &error));
      g_assert_true (tare_format_encode (format, &encoding, x, WIDTH, INNER, codes, NULL, &error));
      g_assert_cmpmem (codes, n_bytes, bytes + e * n_bytes, n_bytes);
      encoding.importance = foreign;
      g_assert_true (tare_format_encode (format, &encoding, x, WIDTH, INNER, codes, NULL, &error));
      differ += memcmp (codes, bytes + e * n_bytes, n_bytes) != 0;
    }
  g_assert_cmpuint (differ, >, 0);
}

static void
test_wrong_experts (void)
{
  g_autoptr(TareModel) model = naive_open_mixtral ();
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareCalibration) calibration = tare_calibration_new (NULL, 0);
  const TareAssignment assignment = {
    .format = tare_format_lookup ("q4_0"), .method = tare_method_lookup ("rtn"),
  };
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_layer_activations_split (tare_calibration_add (calibration, DOWN, INNER,
                                                                     FALSE), 3));
  g_assert_null (tare_engine_quantize (engine, tare_model_lookup (model, DOWN), &assignment,
                                       calibration, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, DOWN ": the calibration has 3 experts for it, not 4"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/expert-calibration/collect", test_collect);
  g_test_add_func ("/expert-calibration/gguf", test_gguf);
  g_test_add_func ("/expert-calibration/dat", test_dat);
  g_test_add_func ("/expert-calibration/engine", test_engine);
  g_test_add_func ("/expert-calibration/wrong-experts", test_wrong_experts);

  return g_test_run ();
}
