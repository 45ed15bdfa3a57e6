/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Folders that are written from GGUF files: the same numbers, tokens and weights as from the
 * Hugging Face folder of the same model. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/network/tare-network.h"
#include "quant/recipe/tare-target.h"
#include "quant/tare-error.h"
#include "tests/tare-test-open.h"
#include "tests/tare-test.h"

#define N_TOKENS 48

typedef struct
{
  const char *folder;
  const char *gguf;
  const char *text;
} Source;

static const Source sources[] = {
  { "tare-sample", "tare-sample-bf16.gguf", "texts/alice-3k.txt" },
  { "stories260K", "stories260K-f32.gguf", "texts/tinystories.txt" },
  { "llama3-random", "llama3-f32.gguf", "texts/alice-3k.txt" },
  { "qwen2-random", "qwen2-f32.gguf", "texts/alice-3k.txt" },
  { "qwen3-random", "qwen3-f32.gguf", "texts/alice-3k.txt" },
  { "gpt2-random", "gpt2-f32.gguf", "texts/alice-3k.txt" },
  { "gemma2-random", "gemma2-f32.gguf", "texts/alice-3k.txt" },
};

static TareRecipe *
make_recipe (const char *format)
{
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  TareAssignment assignment = {
    .format = tare_format_lookup (format),
    .method = tare_method_lookup ("rtn"),
    .range = TARE_RANGE_MINIMUM_MAXIMUM,
  };

  return tare_recipe_with_rule (none, "blk.*", &assignment);
}

static TareModel *
export (const char *target,
        TareModel  *model,
        const char *format,
        const char *path)
{
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) recipe = format != NULL ? make_recipe (format) : tare_recipe_new ();
  g_autoptr(GError) error = NULL;

  tare_target_write (tare_target_lookup (target), engine, recipe, NULL, path, NULL, NULL, &error);
  g_assert_no_error (error);

  return tare_test_open_model (path);
}

static void
remove_folder (const char *path)
{
  g_autoptr(GDir) dir = g_dir_open (path, 0, NULL);
  const char *name = NULL;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      g_assert_cmpint (g_remove (file), ==, 0);
    }
  g_assert_cmpint (g_rmdir (path), ==, 0);
}

/* Every weight of both, of any type, to the last bit. */
static void
check_same_weights (TareModel *model,
                    TareModel *other)
{
  g_assert_cmpuint (tare_model_get_n_tensors (model), ==, tare_model_get_n_tensors (other));
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *a = tare_model_get_tensor (model, i);
      const TareTensor *b = tare_model_lookup (other, a->canonical);
      gsize n = tare_tensor_get_n_weights (a);
      g_autofree float *x = g_new (float, n);
      g_autofree float *y = g_new (float, n);

      g_assert_nonnull (b);
      g_assert_true (tare_tensor_read (a, x, NULL));
      g_assert_true (tare_tensor_read (b, y, NULL));
      g_assert_cmpmem (x, n * sizeof *x, y, n * sizeof *y);
    }
}

static float *
run (TareModel     *model,
     const guint32 *tokens,
     gsize         *n)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  float *logits = NULL;

  g_assert_no_error (error);
  *n = N_TOKENS * (gsize) tare_network_get_config (network)->vocabulary;
  logits = g_new (float, *n);
  tare_network_run (network, &tare_weights_of_file, tokens, N_TOKENS, logits, NULL, &error);
  g_assert_no_error (error);

  return logits;
}

static void
check_same_run (TareModel  *model,
                TareModel  *other,
                const char *text,
                gsize       length)
{
  g_autoptr(GError) error = NULL;
  TareTokenizer *tokenizers[] = { tare_model_get_tokenizer (model, &error),
                                  tare_model_get_tokenizer (other, &error) };
  g_autoptr(GArray) tokens = NULL, others = NULL;
  g_autofree float *a = NULL, *b = NULL;
  gsize n = 0, n_other = 0;

  g_assert_no_error (error);
  for (guint flags = 0; flags < 8; flags++)
    {
      g_clear_pointer (&tokens, g_array_unref);
      g_clear_pointer (&others, g_array_unref);
      tokens = tare_tokenizer_encode (tokenizers[0], text, length, (TareTokenFlags) flags);
      others = tare_tokenizer_encode (tokenizers[1], text, length, (TareTokenFlags) flags);
      g_assert_cmpmem (tokens->data, tokens->len * sizeof (guint32),
                       others->data, others->len * sizeof (guint32));
    }

  g_assert_cmpuint (tokens->len, >=, N_TOKENS);
  a = run (model, (const guint32 *) (gpointer) tokens->data, &n);
  b = run (other, (const guint32 *) (gpointer) tokens->data, &n_other);
  g_assert_cmpuint (n, ==, n_other);
  g_test_message ("%.3g", tare_test_difference (a, b, n));
  g_assert_cmpfloat (tare_test_difference (a, b, n), <, 1e-6);
}

/* From GGUF to a folder and back again: the same file. */
static void
test_values (gconstpointer data)
{
  const Source *source = data;
  g_autofree char *gguf_name = g_build_filename ("models", source->folder, source->gguf, NULL);
  g_autofree char *gguf_path = tare_test_shared (gguf_name);
  g_autofree char *text_path = tare_test_shared (source->text);
  g_autofree char *path = tare_test_temporary ("source");
  g_autofree char *again_path = tare_test_temporary ("again.gguf");
  g_autoptr(GBytes) text = NULL;
  g_autoptr(TareModel) model = NULL, written = NULL, again = NULL;

  if (gguf_path == NULL || text_path == NULL)
    {
      g_test_skip ("no reference data");
      return;
    }

  text = tare_test_load_bytes (text_path);
  model = tare_test_open_model (gguf_path);
  written = export ("safetensors", model, NULL, path);
  check_same_weights (model, written);
  check_same_run (model, written, g_bytes_get_data (text, NULL),
                  MIN (g_bytes_get_size (text), 20000));

  again = export ("gguf", written, NULL, again_path);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *a = tare_model_get_tensor (model, i);
      const TareTensor *b = tare_model_lookup (again, a->canonical);

      g_assert_nonnull (b);
      g_assert_cmpstr (a->type_name, ==, b->type_name);
      g_assert_cmpmem (tare_file_get_data (a->file) + a->offset, a->bytes,
                       tare_file_get_data (b->file) + b->offset, b->bytes);
    }
  remove_folder (path);
}

/* What a runtime is given is the same from either source. */
static void
test_targets (gconstpointer data)
{
  static const char *const targets[][2] = {
    { "compressed-tensors", "int4_g32" }, { "compressed-tensors", "fp8_e4m3_channel" },
    { "gptq", "int4_g32" }, { "gptq-v2", "int4_asym_g32" }, { "awq", "int4_asym_g32" },
    { "safetensors-bf16", "q4_0" }, { "tare", "q4_0" },
  };
  const Source *source = data;
  g_autofree char *folder_name = g_build_filename ("models", source->folder, NULL);
  g_autofree char *folder = tare_test_shared (folder_name);
  g_autofree char *gguf_path = NULL;
  g_autoptr(TareModel) model = NULL, gguf = NULL;

  if (folder == NULL)
    {
      g_test_skip ("no reference data");
      return;
    }

  gguf_path = g_build_filename (folder, source->gguf, NULL);
  model = tare_test_open_model (folder);
  gguf = tare_test_open_model (gguf_path);
  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      g_autofree char *path = tare_test_temporary ("of-folder");
      g_autofree char *other_path = tare_test_temporary ("of-gguf");
      g_autoptr(TareModel) of_folder = export (targets[i][0], model, targets[i][1], path);
      g_autoptr(TareModel) of_gguf = export (targets[i][0], gguf, targets[i][1], other_path);

      g_test_message ("%s", targets[i][0]);
      check_same_weights (of_folder, of_gguf);
      remove_folder (path);
      remove_folder (other_path);
    }
}

/* What is in blocks of GGUF's own becomes values that are as exact. */
static void
test_blocks (void)
{
  g_autofree char *sample_path = tare_test_source ("data/sample");
  g_autofree char *gguf_path = tare_test_temporary ("blocks.gguf");
  g_autofree char *values_path = tare_test_temporary ("values");
  g_autofree char *packed_path = tare_test_temporary ("packed");
  g_autofree char *tare_path = tare_test_temporary ("tare");
  g_autofree char *config_path = g_build_filename (values_path, "config.json", NULL);
  g_autoptr(TareModel) sample = tare_test_open_model (sample_path);
  g_autoptr(TareModel) gguf = export ("gguf", sample, "q4_k", gguf_path);
  g_autoptr(TareModel) values = export ("safetensors", gguf, NULL, values_path);
  g_autoptr(TareModel) tare = export ("tare", gguf, NULL, tare_path);
  g_autoptr(TareModel) packed = export ("compressed-tensors", gguf, NULL, packed_path);
  g_autoptr(JsonNode) config = tare_json_load (config_path, NULL);

  check_same_weights (gguf, values);
  check_same_weights (gguf, tare);
  g_assert_cmpstr (tare_model_lookup (tare, "blk.0.ffn_up.weight")->type_name, ==, "Q4_K");
  g_assert_cmpstr (tare_model_lookup (packed, "blk.0.ffn_up.weight")->type_name, ==, "F16");
  g_assert_cmpstr (tare_json_get_string (json_node_get_object (config), "torch_dtype"), ==,
                   "float32");
  remove_folder (values_path);
  remove_folder (packed_path);
  remove_folder (tare_path);
}

static void
check_refused (const char *path,
               const char *message)
{
  g_autoptr(TareModel) model = tare_test_open_model (path);
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_target_plan (tare_target_lookup ("safetensors"), model, recipe, NULL,
                                   &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, message));
}

/* What a folder cannot say is told before anything is written. */
static void
test_refusals (void)
{
  g_autofree char *unknown = tare_test_temporary ("unknown.gguf");
  g_autofree char *bent = tare_test_temporary ("bent.gguf");
  g_autofree char *content = NULL;
  g_autoptr(TareModel) model = NULL;
  const TareTensor *divisors = NULL;
  gsize length = 0;

  TARE_TEST_NEED_SHARED (gpt2, "models/gpt2-random/gpt2-f32.gguf");
  TARE_TEST_NEED_SHARED (llama3, "models/llama3-random/llama3-f32.gguf");
  tare_test_copy_changed (gpt2, unknown, "gpt2", "gptx");
  check_refused (unknown, "Hugging Face's names for the tensors of architecture 'gptx'");

  /* Divisors that rise and fall. */
  model = tare_test_open_model (llama3);
  divisors = tare_model_lookup (model, "rope_freqs.weight");
  g_assert_true (g_file_get_contents (llama3, &content, &length, NULL));
  memcpy (content + divisors->offset + divisors->bytes - 4, content + divisors->offset, 4);
  g_assert_true (g_file_set_contents (bent, content, (gssize) length, NULL));
  check_refused (bent, "cannot say divisors of rotary frequencies");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    {
      g_autofree char *values = g_strconcat ("/target-source/values/", sources[i].folder, NULL);
      g_autofree char *targets = g_strconcat ("/target-source/targets/", sources[i].folder, NULL);

      g_test_add_data_func (values, &sources[i], test_values);
      g_test_add_data_func (targets, &sources[i], test_targets);
    }
  g_test_add_func ("/target-source/blocks", test_blocks);
  g_test_add_func ("/target-source/refusals", test_refusals);

  return g_test_run ();
}
