/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-input-reader.h"

#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-calibrator.h"
#include "quant/tare-error.h"
#include "tests/tare-test-open.h"
#include "tests/tare-test.h"

#define TOKENS 40

static char *
load_text (void)
{
  g_autofree char *path = tare_test_source ("data/sample/treasure-island.txt");
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));

  return g_strndup (text, 1000);
}

static TareInputReader *
make_reader (TareModel *model)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *text = load_text ();
  TareInputReader *reader = tare_input_reader_new (model, text, strlen (text), TOKENS, "text",
                                                   &error);

  g_assert_no_error (error);

  return reader;
}

static TareInputs *
read_layer (TareInputReader *reader,
            TareModel       *model,
            const char      *canonical)
{
  g_autoptr(GError) error = NULL;
  const TareTensor *tensor = tare_model_lookup (model, canonical);
  TareInputs *inputs;

  g_assert_nonnull (tensor);
  inputs = tare_input_reader_read (reader, tensor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (inputs->columns, ==, tensor->columns);

  return inputs;
}

/* What is read is what a calibration on the same tokens adds up. */
static void
assert_adds_up (const TareInputs           *inputs,
                const TareLayerActivations *activations)
{
  g_assert_cmpuint (activations->columns, ==, inputs->columns);
  g_assert_cmpfloat (activations->n_tokens, ==, (double) inputs->n_tokens);
  for (gsize i = 0; i < inputs->columns; i++)
    {
      double square = 0.0;
      float maximum = 0.0f;

      for (gsize t = 0; t < inputs->n_tokens; t++)
        {
          float value = inputs->x[t * inputs->columns + i];

          square += (double) value * (double) value;
          maximum = MAX (maximum, fabsf (value));
        }
      g_assert_cmpfloat (activations->maximum[i], ==, maximum);
      g_assert_cmpfloat_with_epsilon ((double) activations->sum_squares[i], square, 1e-5 * square);
    }
}

static void
assert_calibrated (TareModel *model)
{
  const TareCalibratorOptions options = { .context = TOKENS, .maximum_tokens = TOKENS };
  g_autoptr(GError) error = NULL;
  g_autofree char *text = load_text ();
  g_autoptr(TareInputReader) reader = make_reader (model);
  g_autoptr(TareCalibration) calibration = tare_calibrate (model, text, strlen (text), &options,
                                                           NULL, &error);
  guint n = 0;

  g_assert_no_error (error);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareLayerActivations *activations = tare_calibration_lookup (calibration,
                                                                         tensor->canonical);
      g_autoptr(TareInputs) inputs = NULL;

      if (activations == NULL)
        continue;

      inputs = tare_input_reader_read (reader, tensor, NULL, &error);
      g_assert_no_error (error);
      assert_adds_up (inputs, activations);
      n++;
    }
  g_assert_cmpuint (n, >, 10);
}

static void
test_calibrated (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();

  assert_calibrated (model);
}

/* Also where layers are fused, named otherwise, or have biases. */
static void
test_kinds (void)
{
  static const char *const names[] = { "gemma2-random", "gpt2-random", "qwen2-random" };

  TARE_TEST_NEED_SHARED (folder, "models");
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (folder, names[i], NULL);
      g_autoptr(TareModel) model = tare_test_open_model (path);

      assert_calibrated (model);
    }
}

/* A layer is the same whether those before it were looked at or not, and one that shares its input
 * with another has the other's. */
static void
test_kept (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareInputReader) reader = make_reader (model);
  g_autoptr(TareInputReader) other = make_reader (model);
  g_autoptr(TareInputs) late = read_layer (reader, model, "blk.2.ffn_down.weight");
  g_autoptr(TareInputs) early = read_layer (reader, model, "blk.1.attn_k.weight");
  g_autoptr(TareInputs) query = read_layer (reader, model, "blk.1.attn_q.weight");
  g_autoptr(TareInputs) again = NULL;
  g_autoptr(TareInputs) fresh = read_layer (other, model, "blk.1.attn_v.weight");

  g_assert_cmpuint (tare_input_reader_get_n_kept (reader), ==, 4);
  g_assert_cmpuint (tare_input_reader_get_n_kept (other), ==, 3);
  again = read_layer (other, model, "blk.2.ffn_down.weight");
  g_assert_cmpuint (late->n_tokens, ==, TOKENS);
  g_assert_cmpmem (late->x, late->n_tokens * late->columns * sizeof (float),
                   again->x, again->n_tokens * again->columns * sizeof (float));
  g_assert_cmpmem (early->x, early->n_tokens * early->columns * sizeof (float),
                   fresh->x, fresh->n_tokens * fresh->columns * sizeof (float));
  g_assert_cmpmem (early->x, early->n_tokens * early->columns * sizeof (float),
                   query->x, query->n_tokens * query->columns * sizeof (float));
}

static void
test_texts (void)
{
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareInputReader) reader = make_reader (model);
  g_auto(GStrv) texts = tare_input_reader_dup_texts (reader);
  g_autofree char *joined = g_strjoinv (NULL, texts + 1);
  g_autofree char *text = load_text ();

  g_assert_cmpuint (g_strv_length (texts), ==, TOKENS);
  g_assert_cmpuint (strlen (joined), >, TOKENS);
  g_assert_nonnull (strstr (text, joined));
}

static void
test_errors (void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareInputReader) reader = make_reader (model);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(TareInputs) inputs = NULL;

  g_assert_null (tare_input_reader_read (reader, tare_model_lookup (model, "output_norm.weight"),
                                         NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "output_norm.weight"));
  g_clear_error (&error);

  g_cancellable_cancel (cancellable);
  g_assert_null (tare_input_reader_read (reader, tare_model_lookup (model, "blk.1.attn_q.weight"),
                                         &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  inputs = read_layer (reader, model, "blk.1.attn_q.weight");
  g_assert_cmpuint (inputs->n_tokens, ==, TOKENS);

  g_assert_null (tare_input_reader_new (model, "short", 5, TOKENS, "short.txt", &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "short.txt"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/input-reader/calibrated", test_calibrated);
  g_test_add_func ("/input-reader/kinds", test_kinds);
  g_test_add_func ("/input-reader/kept", test_kept);
  g_test_add_func ("/input-reader/texts", test_texts);
  g_test_add_func ("/input-reader/errors", test_errors);

  return g_test_run ();
}
