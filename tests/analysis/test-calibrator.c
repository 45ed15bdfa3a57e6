/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-calibrator.h"

#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-collector.h"
#include "quant/network/tare-network.h"
#include "quant/tare-error.h"
#include "tests/tare-test-open.h"
#include "tests/tare-test.h"

#define CONTEXT   24
#define SEQUENCES 3

static char *
load_text (gsize *length)
{
  g_autofree char *path = tare_test_source ("data/sample/treasure-island.txt");
  char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, length, NULL));
  *length = MIN (*length, 4000);

  return text;
}

/* The sums by their definition, a token at a time. */
static void
assert_sums (const TareLayerActivations *activations,
             const float                *x,
             gsize                       n_tokens,
             gsize                       columns)
{
  g_assert_cmpuint (activations->columns, ==, columns);
  g_assert_cmpfloat (activations->n_tokens, ==, (double) n_tokens);

  for (gsize i = 0; i < columns; i++)
    {
      double square = 0.0;
      float maximum = 0.0f;

      for (gsize t = 0; t < n_tokens; t++)
        {
          double value = (double) x[t * columns + i];

          square += value * value;
          maximum = MAX (maximum, fabsf (x[t * columns + i]));
        }
      g_assert_cmpfloat_with_epsilon ((double) activations->sum_squares[i], square,
                                      1e-6 * square + 1e-30);
      g_assert_cmpfloat (activations->maximum[i], ==, maximum);
    }
}

/* As many positions as a sequence has tokens, each with the largest |x| of all sequences. */
static void
assert_positions (const TareLayerActivations *activations,
                  const float                *x,
                  gsize                       n_tokens,
                  gsize                       length)
{
  g_assert_cmpuint (activations->n_positions, ==, length);

  for (gsize p = 0; p < length; p++)
    {
      float maximum = 0.0f;

      for (gsize t = p; t < n_tokens; t += length)
        for (gsize i = 0; i < activations->columns; i++)
          maximum = MAX (maximum, fabsf (x[t * activations->columns + i]));
      g_assert_cmpfloat (activations->positions[p], ==, maximum);
    }
}

static void
assert_gram (const TareLayerActivations *activations,
             const float                *x,
             gsize                       n_tokens)
{
  gsize columns = activations->columns;

  for (gsize i = 0; i < columns; i++)
    {
      g_assert_cmpfloat (activations->gram[i * columns + i], ==, activations->sum_squares[i]);

      for (gsize j = 0; j < columns; j++)
        {
          double product = 0.0;
          double size = sqrt ((double) activations->sum_squares[i]
                              * (double) activations->sum_squares[j]);

          for (gsize t = 0; t < n_tokens; t++)
            product += (double) x[t * columns + i] * (double) x[t * columns + j];
          g_assert_cmpfloat_with_epsilon ((double) activations->gram[i * columns + j], product,
                                          2e-6 * size + 1e-30);
          g_assert_cmpfloat (activations->gram[i * columns + j], ==,
                             activations->gram[j * columns + i]);
        }
    }
}

/* A tensor of which only the name counts. */
static TareTensor
make_tensor (const char *name)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static ("", 0);

  return (TareTensor) {
    .name = (char *) name,
    .canonical = (char *) name,
    .block = -1,
    .file = tare_file_new_bytes ("file", bytes),
  };
}

static void
test_collector (void)
{
  const gsize n_tokens = 1300;
  const gsize widths[] = { 1, 2, 65, 130 };

  for (gsize k = 0; k < G_N_ELEMENTS (widths); k++)
    {
      gsize columns = widths[k];
      g_autoptr(TareCalibration) calibration = tare_calibration_new ("noise", 1);
      g_autoptr(TareCollector) collector = tare_collector_new (calibration, 65, NULL);
      g_autofree float *x = g_new (float, n_tokens * columns);
      TareTensor tensor = make_tensor ("layer");
      const TareLayerActivations *activations;
      g_autoptr(GError) error = NULL;

      tare_test_fill_gaussian (x, n_tokens * columns, (guint32) k);
      for (gsize t = 0; t < n_tokens; t++)
        x[t * columns] += 100.0f;

      tare_collector_observe (&tensor, 0, x, NULL, 1, columns, collector);
      tare_collector_observe (&tensor, 0, x + columns, NULL, 600, columns, collector);
      tare_collector_observe (&tensor, 0, x + 601 * columns, NULL, n_tokens - 601, columns,
                              collector);
      tare_collector_finish (collector, &error);
      g_assert_no_error (error);

      activations = tare_calibration_lookup (calibration, "layer");
      assert_sums (activations, x, n_tokens, columns);
      g_assert_cmpint (activations->gram != NULL, ==, columns <= 65);
      if (activations->gram != NULL)
        assert_gram (activations, x, n_tokens);
      tare_file_unref (tensor.file);
    }
}

/* Several layers in one block, then another block. */
static void
test_collector_blocks (void)
{
  g_autoptr(TareCalibration) calibration = tare_calibration_new (NULL, 1);
  g_autoptr(TareCollector) collector = tare_collector_new (calibration, 100, NULL);
  const float x[] = { 1.0f, 2.0f, 3.0f, -4.0f, 5.0f, 6.0f };
  TareTensor tensors[] = { make_tensor ("a"), make_tensor ("b"), make_tensor ("c") };
  g_autoptr(GError) error = NULL;

  tare_collector_observe (&tensors[0], 0, x, NULL, 3, 2, collector);
  tare_collector_observe (&tensors[1], 0, x, NULL, 2, 3, collector);
  g_assert_true (tare_collector_finish (collector, &error));
  tare_collector_observe (&tensors[2], 0, x, NULL, 1, 6, collector);
  g_assert_true (tare_collector_finish (collector, &error));

  g_assert_cmpuint (tare_calibration_get_n_layers (calibration), ==, 3);
  assert_gram (tare_calibration_lookup (calibration, "a"), x, 3);
  assert_gram (tare_calibration_lookup (calibration, "b"), x, 2);
  assert_gram (tare_calibration_lookup (calibration, "c"), x, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (tensors); i++)
    tare_file_unref (tensors[i].file);
}

static void
test_collector_not_finite (void)
{
  const float others[] = { NAN, INFINITY, -INFINITY, G_MAXFLOAT };

  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autoptr(TareCalibration) calibration = tare_calibration_new (NULL, 1);
      g_autoptr(TareCollector) collector = tare_collector_new (calibration, 100, NULL);
      const float x[] = { 1.0f, 2.0f, others[i] };
      TareTensor tensor = make_tensor ("layer");
      g_autoptr(GError) error = NULL;

      tare_collector_observe (&tensor, 0, x, NULL, 1, 3, collector);
      g_assert_false (tare_collector_finish (collector, &error));
      g_assert_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE);
      g_assert_nonnull (strstr (error->message, "layer: column 2"));
      tare_file_unref (tensor.file);
    }
}

/* All inputs of all layers, kept. */
static void
keep_input (const TareTensor *tensor,
            gsize             expert,
            const float      *x,
            const guint32    *tokens,
            gsize             n_tokens,
            gsize             columns,
            gpointer          data)
{
  GHashTable *inputs = data;
  GByteArray *kept = g_hash_table_lookup (inputs, tensor->canonical);

  if (kept == NULL)
    {
      kept = g_byte_array_new ();
      g_hash_table_insert (inputs, tensor->canonical, kept);
    }
  g_byte_array_append (kept, (const guint8 *) x, (guint) (n_tokens * columns * sizeof (float)));
}

/* The tokens of the first sequences, by the rule of llama-imatrix. */
static GArray *
make_tokens (TareModel  *model,
             const char *text,
             gsize       length)
{
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, NULL);
  GArray *tokens = tare_tokenizer_encode (tokenizer, text, length, TARE_TOKEN_FLAGS_ADD_SPECIAL);
  guint32 begin;

  g_assert_cmpuint (tokens->len, >=, CONTEXT * SEQUENCES);
  for (gsize i = 0; i < SEQUENCES; i++)
    {
      if (tare_tokenizer_adds_begin (tokenizer) && tare_tokenizer_get_begin (tokenizer, &begin))
        g_array_index (tokens, guint32, i * CONTEXT) = begin;
    }

  return tokens;
}

static GHashTable *
keep_inputs (TareModel  *model,
             const char *text,
             gsize       length)
{
  GHashTable *inputs = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                              (GDestroyNotify) g_byte_array_unref);
  const TareObserver observer = { keep_input, inputs };
  g_autoptr(GArray) tokens = make_tokens (model, text, length);
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  const TareConfig *config = tare_network_get_config (network);
  g_autofree float *x = g_new (float, (gsize) CONTEXT * config->width);
  g_autofree float *logits = g_new (float, (gsize) CONTEXT * config->vocabulary);

  for (gsize i = 0; i < SEQUENCES; i++)
    {
      g_autoptr(TareBlock) output = NULL;

      g_assert_true (tare_network_embed (network, &tare_weights_of_file,
                                         &g_array_index (tokens, guint32, i * CONTEXT), CONTEXT,
                                         CONTEXT, x, NULL));
      for (guint k = 0; k < config->n_blocks; k++)
        {
          g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, k,
                                                                NULL);

          g_assert_true (tare_network_run_block (network, block, x, 1, CONTEXT, &observer, NULL,
                                                 NULL));
        }
      output = tare_network_load_output (network, &tare_weights_of_file, NULL);
      g_assert_true (tare_network_run_output (network, output, x, CONTEXT, logits, &observer,
                                              NULL));
    }

  return inputs;
}

static void
check_model (TareModel  *model,
             const char *text,
             gsize       length)
{
  const TareCalibratorOptions options = { CONTEXT, CONTEXT * SEQUENCES + 5, 300, "text" };
  g_autoptr(GError) error = NULL;
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(GHashTable) inputs = keep_inputs (model, text, length);
  GHashTableIter iter;
  gpointer name;
  gpointer kept;

  calibration = tare_calibrate (model, text, length, &options, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (tare_calibration_get_dataset (calibration), ==, "text");
  g_assert_cmpfloat (tare_calibration_get_n_tokens (calibration), ==, CONTEXT * SEQUENCES);

  g_hash_table_iter_init (&iter, inputs);
  while (g_hash_table_iter_next (&iter, &name, &kept))
    {
      const TareLayerActivations *activations = tare_calibration_lookup (calibration, name);
      GByteArray *bytes = kept;

      g_assert_nonnull (activations);
      assert_sums (activations, (const float *) bytes->data, CONTEXT * SEQUENCES,
                   bytes->len / sizeof (float) / (CONTEXT * SEQUENCES));
      assert_positions (activations, (const float *) bytes->data, CONTEXT * SEQUENCES, CONTEXT);
      g_assert_cmpint (activations->gram != NULL, ==, activations->columns <= 300);
    }
  assert_gram (tare_calibration_lookup (calibration, "blk.1.attn_q.weight"),
               (const float *) ((GByteArray *) g_hash_table_lookup (inputs,
                                                                    "blk.1.attn_q.weight"))->data,
               CONTEXT * SEQUENCES);

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);

      if (tensor->block >= 0 && tare_tensor_is_weight (tensor))
        g_assert_nonnull (tare_calibration_lookup (calibration, tensor->canonical));
    }
  g_assert_true (tare_calibration_lookup (calibration, "blk.1.attn_v.weight")
                 == tare_calibration_lookup (calibration, "blk.1.attn_q.weight"));
  g_assert_true (tare_calibration_lookup (calibration, "blk.1.ffn_up.weight")
                 == tare_calibration_lookup (calibration, "blk.1.ffn_gate.weight"));
}

static void
test_sample (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  gsize length;
  g_autofree char *text = load_text (&length);

  check_model (model, text, length);
}

/* A vocabulary with a begin token, and a tied output. */
static void
test_begin (void)
{
  TARE_TEST_NEED_SHARED (path, "models/stories260K/stories260K-f32.gguf");
  g_autoptr(TareModel) model = tare_test_open_model (path);
  gsize length;
  g_autofree char *text = load_text (&length);

  g_assert_true (tare_tokenizer_adds_begin (tare_model_get_tokenizer (model, NULL)));
  check_model (model, text, length);
}

static void
test_defaults (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  gsize length;
  g_autofree char *text = load_text (&length);
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(GError) error = NULL;

  calibration = tare_calibrate (model, text, length, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (tare_calibration_lookup (calibration, "output.weight"));
  g_assert_nonnull (tare_calibration_lookup (calibration, "blk.0.ffn_down.weight")->gram);
  g_assert_cmpstr (tare_calibration_get_dataset (calibration), ==, "");
}

static void
test_too_short (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  const TareCalibratorOptions options = { .context = 64, .dataset = "note.txt" };
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_calibrate (model, "Call me.", 8, &options, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "note.txt"));
}

typedef struct
{
  GCancellable *cancellable;
  double        last;
  guint         n;
} Watch;

static void
watch (double      fraction,
       const char *stage,
       gpointer    data)
{
  Watch *self = data;

  g_assert_cmpfloat (fraction, >=, self->last);
  g_assert_cmpfloat (fraction, <=, 1.0);
  self->last = fraction;
  self->n++;
  if (self->cancellable != NULL && fraction >= 0.3)
    g_cancellable_cancel (self->cancellable);
}

static void
test_progress (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  const TareCalibratorOptions options = { CONTEXT, 20 * CONTEXT, 1, NULL };
  gsize length;
  g_autofree char *text = load_text (&length);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  Watch whole = { NULL, 0.0, 0 };
  Watch part = { cancellable, 0.0, 0 };
  TareProgress progress = TARE_PROGRESS_INIT (NULL, watch, &whole);
  TareProgress cancelled = TARE_PROGRESS_INIT (cancellable, watch, &part);
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(GError) error = NULL;

  calibration = tare_calibrate (model, text, length, &options, &progress, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (whole.last, ==, 1.0);
  g_assert_cmpuint (whole.n, >=, 7);

  g_assert_null (tare_calibrate (model, text, length, &options, &cancelled, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpfloat (part.last, <, 0.6);
}

/* Cancelled in the middle it goes on where it was, and nothing is counted twice; states that lie
 * in files make no difference. */
static void
test_resumed (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  TareCalibratorOptions options = { CONTEXT, 20 * CONTEXT, 256, "text", 0 };
  gsize length;
  g_autofree char *text = load_text (&length);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  Watch part = { cancellable, 0.0, 0 };
  TareProgress cancelled = TARE_PROGRESS_INIT (cancellable, watch, &part);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareCalibration) whole = tare_calibrate (model, text, length, &options, NULL, &error);
  g_autoptr(TareCalibrator) calibrator = NULL;
  g_autoptr(TareCalibration) resumed = NULL;

  g_assert_no_error (error);
  /* Room for a block and nothing else. */
  options.memory_budget = 6000000;
  calibrator = tare_calibrator_new (model, text, length, &options, &error);
  g_assert_no_error (error);
  g_assert_null (tare_calibrator_run (calibrator, &cancelled, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_cmpuint (tare_calibrator_get_n_blocks_done (calibrator), >=, 1);
  g_assert_cmpuint (tare_calibrator_get_n_blocks_done (calibrator), <=, 4);
  resumed = tare_calibrator_run (calibrator, NULL, &error);
  g_assert_no_error (error);

  g_assert_cmpuint (tare_calibration_get_n_layers (resumed), ==,
                    tare_calibration_get_n_layers (whole));
  for (gsize i = 0; i < tare_calibration_get_n_layers (whole); i++)
    {
      const char *name = tare_calibration_get_name (whole, i);
      const TareLayerActivations *a = tare_calibration_lookup (whole, name);
      const TareLayerActivations *b = tare_calibration_lookup (resumed, name);

      g_assert_cmpfloat (a->n_tokens, ==, b->n_tokens);
      g_assert_cmpmem (a->sum_squares, a->columns * sizeof (float),
                       b->sum_squares, b->columns * sizeof (float));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/calibrator/collector/sums", test_collector);
  g_test_add_func ("/calibrator/collector/blocks", test_collector_blocks);
  g_test_add_func ("/calibrator/collector/not-finite", test_collector_not_finite);
  g_test_add_func ("/calibrator/sample", test_sample);
  g_test_add_func ("/calibrator/begin", test_begin);
  g_test_add_func ("/calibrator/defaults", test_defaults);
  g_test_add_func ("/calibrator/too-short", test_too_short);
  g_test_add_func ("/calibrator/progress", test_progress);
  g_test_add_func ("/calibrator/resumed", test_resumed);

  return g_test_run ();
}
