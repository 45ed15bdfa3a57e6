/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tensor.h"

#include <string.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

/* A tensor of @rows x @columns in F32 whose elements are their places in the file. */
static TareTensor *
new_counting (gsize rows,
              gsize columns,
              gsize head_rows,
              guint n_dimensions)
{
  TareTensor *tensor = g_new0 (TareTensor, 1);
  gsize n = rows * columns;
  float *content = g_new (float, n);
  g_autoptr(GBytes) bytes = NULL;

  for (gsize i = 0; i < n; i++)
    content[i] = (float) i;
  bytes = g_bytes_new_take (content, n * sizeof *content);

  tensor->name = g_strdup ("q");
  tensor->canonical = g_strdup ("blk.0.attn_q.weight");
  tensor->role = tare_role_lookup ("attn_q");
  tensor->type_name = g_strdup ("F32");
  tensor->format = tare_format_lookup ("f32");
  tensor->n_dimensions = n_dimensions;
  tensor->shape[0] = n_dimensions == 1 ? columns : rows;
  tensor->shape[1] = n_dimensions == 1 ? 0 : columns;
  tensor->rows = rows;
  tensor->columns = columns;
  tensor->head_rows = head_rows;
  tensor->file = tare_file_new_bytes ("memory", bytes);
  tensor->bytes = n * sizeof *content;

  return tensor;
}

static void
test_plain (void)
{
  g_autoptr(TareTensor) tensor = new_counting (3, 2, 0, 2);
  g_autoptr(GError) error = NULL;
  float out[6];

  g_assert_true (tare_tensor_read (tensor, out, &error));
  for (int i = 0; i < 6; i++)
    g_assert_cmpfloat (out[i], ==, (float) i);

  g_assert_true (tare_tensor_read_rows (tensor, 1, 1, out, &error));
  g_assert_cmpfloat (out[0], ==, 2.0f);
  g_assert_true (tare_tensor_read_rows (tensor, 3, 0, out, &error));
  g_assert_true (tare_tensor_get_row (tensor, 2) == tare_file_get_data (tensor->file) + 16);
  g_assert_cmpuint (tare_tensor_get_n_weights (tensor), ==, 6);
  tare_tensor_release_rows (tensor, 0, 3);
  g_assert_true (tare_tensor_is_weight (tensor));
}

/* Two heads of four rows: GGUF's rows 0 1 2 3 of a head are the file's 0 2 1 3. */
static void
test_interleaved (void)
{
  static const float expected[] = { 0, 2, 1, 3, 4, 6, 5, 7 };
  g_autoptr(TareTensor) tensor = new_counting (8, 1, 4, 2);
  float all[8];
  float one = 0.0f;

  g_assert_true (tare_tensor_read (tensor, all, NULL));
  g_assert_cmpmem (all, sizeof all, expected, sizeof expected);
  for (gsize i = 0; i < 8; i++)
    {
      g_assert_true (tare_tensor_read_rows (tensor, i, 1, &one, NULL));
      g_assert_cmpfloat (one, ==, expected[i]);
      memcpy (&one, tare_tensor_get_row (tensor, i), sizeof one);
      g_assert_cmpfloat (one, ==, expected[i]);
    }
}

/* The rule itself, over a wider head: gguf[2i+h] = file[h·d/2+i]. */
static void
test_interleaved_wide (void)
{
  const gsize d = 10;
  g_autoptr(TareTensor) tensor = new_counting (3 * d, 1, d, 2);
  g_autofree float *all = g_new (float, 3 * d);

  g_assert_true (tare_tensor_read (tensor, all, NULL));
  for (gsize head = 0; head < 3; head++)
    for (gsize i = 0; i < d / 2; i++)
      for (gsize h = 0; h < 2; h++)
        g_assert_cmpfloat (all[head * d + 2 * i + h], ==, (float) (head * d + h * d / 2 + i));
}

/* The elements of a bias stand for rows. */
static void
test_interleaved_bias (void)
{
  static const float expected[] = { 0, 2, 1, 3, 4, 6, 5, 7 };
  g_autoptr(TareTensor) tensor = new_counting (1, 8, 4, 1);
  float all[8];

  g_assert_true (tare_tensor_read (tensor, all, NULL));
  g_assert_cmpmem (all, sizeof all, expected, sizeof expected);
  memset (all, 0, sizeof all);
  tare_tensor_copy_rows (tensor, 0, 1, (guint8 *) all);
  g_assert_cmpmem (all, sizeof all, expected, sizeof expected);
  g_assert_false (tare_tensor_is_weight (tensor));
}

/* Three rows of two columns, which the file has as two rows of three. */
static void
test_transposed (void)
{
  static const float expected[] = { 0, 3, 1, 4, 2, 5 };
  g_autoptr(TareTensor) tensor = new_counting (3, 2, 0, 2);
  float all[6], copied[6];
  float one[2];

  tensor->transposed = TRUE;
  g_assert_true (tare_tensor_read (tensor, all, NULL));
  g_assert_cmpmem (all, sizeof all, expected, sizeof expected);
  tare_tensor_copy_rows (tensor, 0, 3, (guint8 *) copied);
  g_assert_cmpmem (copied, sizeof copied, expected, sizeof expected);
  for (gsize i = 0; i < 3; i++)
    {
      g_assert_true (tare_tensor_read_rows (tensor, i, 1, one, NULL));
      g_assert_cmpmem (one, sizeof one, expected + 2 * i, sizeof one);
      tare_tensor_copy_rows (tensor, i, 1, (guint8 *) one);
      g_assert_cmpmem (one, sizeof one, expected + 2 * i, sizeof one);
      tare_tensor_release_rows (tensor, i, 1);
    }
}

/* Two groups of two queries, a key and a value, two rows each: all queries, keys, values. */
static void
test_grouped (void)
{
  static const float expected[] = { 0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15 };
  g_autoptr(TareTensor) matrix = new_counting (16, 1, 2, 2);
  g_autoptr(TareTensor) bias = new_counting (1, 16, 2, 1);
  float all[16];

  matrix->head_groups = bias->head_groups = 2;
  g_assert_true (tare_tensor_read (matrix, all, NULL));
  g_assert_cmpmem (all, sizeof all, expected, sizeof expected);
  g_assert_true (tare_tensor_read (bias, all, NULL));
  g_assert_cmpmem (all, sizeof all, expected, sizeof expected);
  tare_tensor_copy_rows (bias, 0, 1, (guint8 *) all);
  g_assert_cmpmem (all, sizeof all, expected, sizeof expected);
}

static void
test_undecodable (void)
{
  g_autoptr(TareTensor) tensor = new_counting (2, 2, 0, 2);
  g_autoptr(GError) error = NULL;
  float out[4];

  tensor->format = NULL;
  g_free (tensor->type_name);
  tensor->type_name = g_strdup ("IQ2_XXS");
  g_assert_false (tare_tensor_read (tensor, out, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_cmpstr (error->message, ==,
                   "memory: tensor 'q' is stored as IQ2_XXS, which cannot be decoded");
}

static void
test_is_weight (void)
{
  const struct { const char *name; gboolean weight; } names[] = {
    { "blk.0.attn_qkv.weight", TRUE },
    { "blk.0.ffn_down_exps.weight", TRUE },
    { "model.layers.0.mlp.up_proj.weight", TRUE },
    { "wte.weight", TRUE },
    { "position_embd.weight", FALSE },
    { "wpe.weight", FALSE },
    { "blk.0.ffn_gate_inp.weight", FALSE },
    { "blk.0.attn_q_norm.weight", FALSE },
    { "blk.0.attn_qkv.bias", FALSE },
    { "model.layers.0.mlp.up_proj.qzeros", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr(TareTensor) tensor = new_counting (2, 2, 0, 2);

      tensor->role = NULL;
      g_free (tensor->canonical);
      tensor->canonical = g_strdup (names[i].name);
      g_assert_cmpint (tare_tensor_is_weight (tensor), ==, names[i].weight);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tensor/plain", test_plain);
  g_test_add_func ("/tensor/interleaved", test_interleaved);
  g_test_add_func ("/tensor/interleaved-wide", test_interleaved_wide);
  g_test_add_func ("/tensor/interleaved-bias", test_interleaved_bias);
  g_test_add_func ("/tensor/transposed", test_transposed);
  g_test_add_func ("/tensor/grouped", test_grouped);
  g_test_add_func ("/tensor/undecodable", test_undecodable);
  g_test_add_func ("/tensor/is-weight", test_is_weight);

  return g_test_run ();
}
