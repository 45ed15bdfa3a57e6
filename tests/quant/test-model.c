/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-model.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "quant/model/tare-gguf.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

/* Folders that hold one model twice, with the name of the GGUF file. */
static const struct { const char *folder, *gguf, *architecture; gboolean tied; } pairs[] = {
  { "models/stories260K", "stories260K-f32.gguf", "llama", TRUE },
  { "models/tare-sample", "tare-sample-bf16.gguf", "llama", FALSE },
  { "models/llama3-random", "llama3-f32.gguf", "llama", FALSE },
  { "models/qwen2-random", "qwen2-f32.gguf", "qwen2", TRUE },
  { "models/qwen3-random", "qwen3-f32.gguf", "qwen3", FALSE },
  { "models/gemma2-random", "gemma2-f32.gguf", "gemma2", TRUE },
  { "models/gpt2-random", "gpt2-f32.gguf", "gpt2", FALSE },
};

static TareModel *
open_good (const char *path)
{
  g_autoptr(GError) error = NULL;
  TareModel *model = tare_model_open (path, &error);

  g_assert_no_error (error);
  g_assert_nonnull (model);

  return model;
}

static void
check_same_tensors (TareModel *a,
                    TareModel *b)
{
  g_assert_cmpuint (tare_model_get_n_tensors (a), ==, tare_model_get_n_tensors (b));

  for (gsize i = 0; i < tare_model_get_n_tensors (a); i++)
    {
      const TareTensor *x = tare_model_get_tensor (a, i);
      const TareTensor *y = tare_model_get_tensor (b, i);
      gsize n = tare_tensor_get_n_weights (x);
      g_autofree float *left = g_new (float, n);
      g_autofree float *right = g_new (float, n);

      g_assert_cmpstr (x->canonical, ==, y->canonical);
      g_assert_true (x->role == y->role);
      g_assert_cmpint (x->block, ==, y->block);
      g_assert_cmpuint (x->rows, ==, y->rows);
      g_assert_cmpuint (x->columns, ==, y->columns);
      g_assert_true (tare_tensor_read (x, left, NULL));
      g_assert_true (tare_tensor_read (y, right, NULL));
      g_assert_cmpmem (left, n * sizeof *left, right, n * sizeof *right);
    }
}

static void
check_same_config (const TareConfig *a,
                   const TareConfig *b)
{
  g_assert_cmpuint (a->width, ==, b->width);
  g_assert_cmpuint (a->n_blocks, ==, b->n_blocks);
  g_assert_cmpuint (a->n_heads, ==, b->n_heads);
  g_assert_cmpuint (a->n_key_value_heads, ==, b->n_key_value_heads);
  g_assert_cmpuint (a->head_width, ==, b->head_width);
  g_assert_cmpuint (a->feed_forward_width, ==, b->feed_forward_width);
  g_assert_cmpuint (a->vocabulary, ==, b->vocabulary);
  g_assert_cmpuint (a->context, ==, b->context);
  g_assert_cmpfloat (a->norm_epsilon, ==, b->norm_epsilon);
  g_assert_cmpint (a->tied, ==, b->tied);
  g_assert_cmpfloat (a->rope_base, ==, b->rope_base);
  g_assert_cmpuint (a->rope_width, ==, b->rope_width);
  g_assert_cmpint (a->rope_scaling, ==, b->rope_scaling);
  g_assert_cmpint (a->activation, ==, b->activation);
  g_assert_cmpint (a->parallel, ==, b->parallel);
  g_assert_cmpfloat (a->attention_scale, ==, b->attention_scale);
  g_assert_cmpfloat (a->attention_soft_cap, ==, b->attention_soft_cap);
  g_assert_cmpfloat (a->final_soft_cap, ==, b->final_soft_cap);
  g_assert_cmpuint (a->window, ==, b->window);
}

/* Both sources of one model agree, weight by weight and number by number. */
static void
test_pairs (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++)
    {
      g_autofree char *folder = tare_test_shared (pairs[i].folder);
      g_autofree char *gguf = NULL;
      g_autoptr(TareModel) a = NULL;
      g_autoptr(TareModel) b = NULL;
      g_autoptr(GError) error = NULL;

      if (folder == NULL)
        {
          g_test_skip ("no reference data: models");
          return;
        }

      gguf = g_build_filename (folder, pairs[i].gguf, NULL);
      a = open_good (folder);
      b = open_good (gguf);
      g_assert_true (tare_model_check_runnable (a, &error));
      g_assert_true (tare_model_check_runnable (b, &error));
      g_assert_no_error (error);
      g_assert_cmpstr (tare_model_get_container (a), ==, "safetensors");
      g_assert_cmpstr (tare_model_get_container (b), ==, "gguf");
      g_assert_cmpstr (tare_model_get_architecture_name (a), ==, pairs[i].architecture);
      g_assert_true (tare_model_get_architecture (a) == tare_model_get_architecture (b));
      g_assert_cmpstr (tare_model_get_name (a), ==, tare_model_get_name (b));
      g_assert_cmpint (tare_model_get_config (a)->tied, ==, pairs[i].tied);
      check_same_config (tare_model_get_config (a), tare_model_get_config (b));
      check_same_tensors (a, b);
      g_assert_cmpuint (tare_model_get_n_weights (a), ==, tare_model_get_n_weights (b));
      g_assert_cmpuint (tare_model_get_n_blocks (a), ==, tare_model_get_config (a)->n_blocks);
    }
}

/* By 2.8 of the specification of Llama 3's scaling: λ = 2π/f against 32/1 and 32/4. */
static void
test_rope_divisors (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/llama3-random")
  g_autoptr(TareModel) model = open_good (folder);
  const TareTensor *tensor = tare_model_lookup (model, "rope_freqs.weight");
  float divisors[8];

  g_assert_nonnull (tensor);
  g_assert_cmpuint (tensor->columns, ==, 8);
  g_assert_true (tare_tensor_read (tensor, divisors, NULL));
  /* Wavelengths 6.28, 32.4 and more: the first is kept, from the second on they are divided. */
  g_assert_cmpfloat (divisors[0], ==, 1.0f);
  for (int i = 1; i < 8; i++)
    g_assert_cmpfloat (divisors[i], ==, 8.0f);
}

/* Data flows from the embedding through the blocks to the output. */
static void
test_order (void)
{
  static const char *const block[] = {
    "attn_norm", "attn_q", "attn_k", "attn_v", "attn_q_norm", "attn_k_norm", "attn_output",
    "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
  };
  TARE_TEST_NEED_SHARED (folder, "models/qwen3-random")
  g_autoptr(TareModel) model = open_good (folder);
  gsize n = 0;

  g_assert_cmpstr (tare_model_get_tensor (model, n++)->canonical, ==, "token_embd.weight");
  for (int b = 0; b < 3; b++)
    for (gsize i = 0; i < G_N_ELEMENTS (block); i++)
      {
        const TareTensor *tensor = tare_model_get_tensor (model, n++);

        g_assert_cmpstr (tensor->role->id, ==, block[i]);
        g_assert_cmpint (tensor->block, ==, b);
        g_assert_true (tare_model_lookup_role (model, block[i], b, FALSE) == tensor);
      }
  g_assert_cmpstr (tare_model_get_tensor (model, n++)->canonical, ==, "output_norm.weight");
  g_assert_cmpstr (tare_model_get_tensor (model, n++)->canonical, ==, "output.weight");
  g_assert_cmpuint (n, ==, tare_model_get_n_tensors (model));
  g_assert_null (tare_model_lookup_role (model, "attn_q", 0, TRUE));
  g_assert_null (tare_model_lookup (model, "blk.3.attn_q.weight"));
}

/* What nothing here can run opens all the same, and says so. */
static void
check_unknown (const char *path)
{
  g_autoptr(TareModel) model = open_good (path);
  g_autoptr(GError) error = NULL;
  gsize n_weights = 0;

  g_assert_null (tare_model_get_architecture (model));
  g_assert_null (tare_model_get_config (model));
  g_assert_false (tare_model_check_runnable (model, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, tare_model_get_architecture_name (model)));
  g_assert_nonnull (strstr (error->message, "cannot be run; its weights can be looked at"));
  g_assert_cmpuint (tare_model_get_n_blocks (model), ==, 3);
  g_assert_cmpint (tare_model_get_tensor (model, 0)->block, ==, -1);
  for (gsize j = 0; j < tare_model_get_n_tensors (model); j++)
    n_weights += tare_tensor_is_weight (tare_model_get_tensor (model, j)) ? 1 : 0;
  g_assert_cmpuint (n_weights, >, 12);
}

/* GPT-2 by a name that is in no table. */
static void
test_unknown (void)
{
  TARE_TEST_NEED_SHARED (source, "models/gpt2-random")
  g_autofree char *folder = tare_test_temporary ("unknown");
  g_autofree char *gguf = tare_test_temporary ("unknown.gguf");
  const struct { const char *from, *to, *old, *other; } copies[] = {
    { "config.json", "unknown/config.json", "GPT2LMHeadModel", "GPTXLMHeadModel" },
    { "model.safetensors", "unknown/model.safetensors", "{", "{" },
    { "gpt2-f32.gguf", "unknown.gguf", "gpt2", "gptx" },
  };

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (copies); i++)
    {
      g_autofree char *from = g_build_filename (source, copies[i].from, NULL);
      g_autofree char *to = tare_test_temporary (copies[i].to);

      tare_test_copy_changed (from, to, copies[i].old, copies[i].other);
    }

  check_unknown (folder);
  check_unknown (gguf);
}

static void
test_metadata (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/tare-sample")
  g_autofree char *gguf = g_build_filename (folder, "tare-sample-bf16.gguf", NULL);
  g_autoptr(TareModel) a = open_good (folder);
  g_autoptr(TareModel) b = open_good (gguf);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareMetadata) made = tare_model_dup_metadata (a, &error);
  g_autoptr(TareMetadata) copied = tare_model_dup_metadata (b, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (tare_metadata_get_key (made, 0), ==, "general.architecture");

  /* Every key of the file that llama.cpp's tools made is there, with the same type. */
  for (gsize i = 0; i < tare_metadata_get_n_keys (copied); i++)
    {
      const char *key = tare_metadata_get_key (copied, i);
      TareValueType type[2] = { TARE_VALUE_U8, TARE_VALUE_U8 };
      TareValueType element[2] = { TARE_VALUE_U8, TARE_VALUE_U8 };
      double number[2] = { 0.0, 0.0 };

      /* That depends on what is exported. */
      if (strcmp (key, "general.file_type") == 0)
        continue;

      g_assert_true (tare_metadata_get_type (copied, key, &type[0], &element[0]));
      if (!tare_metadata_get_type (made, key, &type[1], &element[1]))
        g_error ("%s is missing", key);
      g_assert_cmpint (type[0], ==, type[1]);
      g_assert_cmpint (element[0], ==, element[1]);
      g_assert_cmpstr (tare_metadata_get_string (copied, key), ==,
                       tare_metadata_get_string (made, key));
      g_assert_cmpint (tare_metadata_get_number (copied, key, &number[0]), ==,
                       tare_metadata_get_number (made, key, &number[1]));
      g_assert_cmpfloat (number[0], ==, number[1]);
      g_assert_cmpuint (tare_metadata_get_length (copied, key), ==,
                        tare_metadata_get_length (made, key));
      for (gsize j = 0; j < tare_metadata_get_length (copied, key); j++)
        g_assert_cmpstr (tare_metadata_get_string_at (copied, key, j), ==,
                         tare_metadata_get_string_at (made, key, j));
    }
}

static void
test_hash (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/llama3-random")
  TARE_TEST_NEED_SHARED (other, "models/qwen3-random")
  g_autoptr(TareModel) a = open_good (folder);
  g_autoptr(TareModel) b = open_good (folder);
  g_autoptr(TareModel) c = open_good (other);
  g_autofree char *first = tare_model_dup_hash (a);
  g_autofree char *second = tare_model_dup_hash (b);
  g_autofree char *third = tare_model_dup_hash (c);

  g_assert_cmpuint (strlen (first), ==, 64);
  g_assert_cmpstr (first, ==, second);
  g_assert_cmpstr (first, !=, third);
}

static gpointer
get_tokenizer (gpointer data)
{
  return tare_model_get_tokenizer (data, NULL);
}

/* Made once, whoever asks first. */
static void
test_tokenizer (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/tare-sample")
  g_autoptr(TareModel) model = open_good (folder);
  GThread *threads[4];
  TareTokenizer *tokenizer = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("ask", get_tokenizer, model);
  tokenizer = tare_model_get_tokenizer (model, NULL);
  g_assert_nonnull (tokenizer);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_true (g_thread_join (threads[i]) == tokenizer);
}

/* Folders that are made here: a configuration, and files of tensors of F32 zeros. */
#define CONFIG                                                                             \
  "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":8,\"intermediate_size\":12,"  \
  "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"vocab_size\":16,"                   \
  "\"max_position_embeddings\":32,\"rms_norm_eps\":1e-5,\"tie_word_embeddings\":true}"

typedef struct
{
  const char *name;
  guint       rows;
  guint       columns;
} Made;

static const Made made_tensors[] = {
  { "model.embed_tokens.weight", 16, 8 },
  { "model.layers.0.input_layernorm.weight", 0, 8 },
  { "model.layers.0.self_attn.q_proj.weight", 8, 8 },
  { "model.layers.0.self_attn.k_proj.weight", 8, 8 },
  { "model.layers.0.self_attn.v_proj.weight", 8, 8 },
  { "model.layers.0.self_attn.o_proj.weight", 8, 8 },
  { "model.layers.0.self_attn.rotary_emb.inv_freq", 0, 2 },
  { "model.layers.0.post_attention_layernorm.weight", 0, 8 },
  { "model.layers.0.mlp.gate_proj.weight", 12, 8 },
  { "model.layers.0.mlp.up_proj.weight", 12, 8 },
  { "model.layers.0.mlp.down_proj.weight", 8, 12 },
  { "model.norm.weight", 0, 8 },
};

static void
write_file (const char *folder,
            const char *name,
            const char *content)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_true (g_file_set_contents (path, content, -1, NULL));
}

static void
write_tensors (const char *folder,
               const char *name,
               const Made *tensors,
               gsize       n_tensors)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr(GString) header = g_string_new ("{");
  g_autoptr(GByteArray) content = g_byte_array_new ();
  gsize offset = 0;
  guint64 length = 0;

  for (gsize i = 0; i < n_tensors; i++)
    {
      gsize bytes = 4 * MAX (tensors[i].rows, 1) * tensors[i].columns;
      g_autofree char *shape = tensors[i].rows > 0
                               ? g_strdup_printf ("%u,%u", tensors[i].rows, tensors[i].columns)
                               : g_strdup_printf ("%u", tensors[i].columns);

      g_string_append_printf (header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],"
                              "\"data_offsets\":[%" G_GSIZE_FORMAT ",%" G_GSIZE_FORMAT "]}",
                              i > 0 ? "," : "", tensors[i].name, shape, offset, offset + bytes);
      offset += bytes;
    }
  g_string_append_c (header, '}');

  length = GUINT64_TO_LE ((guint64) header->len);
  g_byte_array_append (content, (const guint8 *) &length, 8);
  g_byte_array_append (content, (const guint8 *) header->str, (guint) header->len);
  g_byte_array_set_size (content, (guint) (8 + header->len + offset));
  memset (content->data + 8 + header->len, 0, offset);
  g_assert_true (g_file_set_contents (path, (const char *) content->data, content->len, NULL));
}

static char *
make_model (const char *name,
            const char *config)
{
  char *folder = tare_test_folder (name);

  write_file (folder, "config.json", config);
  write_tensors (folder, "model.safetensors", made_tensors, G_N_ELEMENTS (made_tensors));

  return folder;
}

static void
test_made (void)
{
  g_autofree char *folder = make_model ("made", CONFIG);
  g_autofree char *single = g_build_filename (folder, "model.safetensors", NULL);
  g_autofree char *config = g_build_filename (folder, "config.json", NULL);
  g_autoptr(TareModel) model = open_good (folder);
  g_autoptr(TareModel) file = open_good (single);
  g_autoptr(TareModel) bare = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_model_check_runnable (model, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (tare_model_get_n_tensors (model), ==, 11);
  g_assert_cmpuint (tare_model_get_config (model)->n_key_value_heads, ==, 2);
  g_assert_cmpstr (tare_model_get_name (model), ==, "made");
  g_assert_true (tare_model_check_runnable (file, &error));

  /* Without a tokenizer it still opens, and so does the file without its configuration. */
  g_assert_null (tare_model_get_tokenizer (model, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_null (tare_model_get_tokenizer (model, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);

  g_unlink (config);
  bare = open_good (single);
  g_assert_cmpstr (tare_model_get_architecture_name (bare), ==, "unknown");
  g_assert_false (tare_model_check_runnable (bare, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
}

static void
check_refused (const char *path,
               const char *part)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (path, &error);

  g_assert_null (model);
  g_assert_nonnull (error);
  g_assert_null (strchr (error->message, '\n'));
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' was expected in '%s'", part, error->message);
}

static void
check_not_runnable (const char *path,
                    TareError   code,
                    const char *part)
{
  g_autoptr(TareModel) model = open_good (path);
  g_autoptr(GError) error = NULL;

  g_assert_false (tare_model_check_runnable (model, &error));
  g_assert_error (error, TARE_ERROR, (int) code);
  g_assert_null (strchr (error->message, '\n'));
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' was expected in '%s'", part, error->message);
}

static char *
replace (const char *text,
         const char *old,
         const char *new_text)
{
  g_auto(GStrv) parts = g_strsplit (text, old, -1);

  g_assert_cmpuint (g_strv_length (parts), ==, 2);

  return g_strjoinv (new_text, parts);
}

static void
test_not_runnable (void)
{
  const struct { const char *old, *new_text; TareError code; const char *part; } cases[] = {
    { "\"vocab_size\":16", "\"vocab_size\":17", TARE_ERROR_INVALID,
      "tensor 'model.embed_tokens.weight' is 16x8; the configuration asks for 17x8" },
    { "_heads\":2", "_heads\":2,\"num_key_value_heads\":1", TARE_ERROR_INVALID,
      "tensor 'model.layers.0.self_attn.k_proj.weight' is 8x8; the configuration asks for 4x8" },
    { "_layers\":1", "_layers\":2", TARE_ERROR_INVALID,
      "tensor 'blk.1.attn_norm.weight' is missing" },
    { "embeddings\":true", "embeddings\":false", TARE_ERROR_INVALID,
      "tensor 'output.weight' is missing" },
    { "Llama", "Qwen2", TARE_ERROR_INVALID, "tensor 'blk.0.attn_q.bias' is missing" },
    { "Llama", "Qwen3", TARE_ERROR_INVALID, "tensor 'blk.0.attn_q_norm.weight' is missing" },
    { "Llama", "Strange", TARE_ERROR_UNSUPPORTED, "architecture 'StrangeForCausalLM'" },
    { "{\"arch", "{\"hidden_act\":\"gelu\",\"arch", TARE_ERROR_UNSUPPORTED, "key 'hidden_act'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *config = replace (CONFIG, cases[i].old, cases[i].new_text);
      g_autofree char *folder = make_model ("not-runnable", config);

      check_not_runnable (folder, cases[i].code, cases[i].part);
    }
}

/* A part that the network would leave out makes every figure wrong. */
static void
test_not_runnable_extra (void)
{
  static const char *const extra[] = {
    "model.layers.0.self_attn.sinks", "model.layers.0.self_attn.q_norm.weight",
    "model.layers.1.mlp.up_proj.weight", "model.norm.bias", "blk.0.attn_q_norm.weight",
  };
  g_autofree char *folder = make_model ("extra", CONFIG);
  Made tensors[G_N_ELEMENTS (made_tensors) + 1];

  memcpy (tensors, made_tensors, sizeof made_tensors);
  for (gsize i = 0; i < G_N_ELEMENTS (extra); i++)
    {
      tensors[G_N_ELEMENTS (made_tensors)] = (Made) { extra[i], 12, 8 };
      write_tensors (folder, "model.safetensors", tensors, G_N_ELEMENTS (tensors));
      check_not_runnable (folder, TARE_ERROR_UNSUPPORTED, extra[i]);
    }
}

static void
test_refused (void)
{
  g_autofree char *empty = tare_test_folder ("nothing");
  g_autofree char *broken = make_model ("broken", "{\"architectures\":");
  g_autofree char *list = make_model ("list", "[]");
  g_autofree char *config = replace (CONFIG, "hidden_size\":8", "hidden_size\":-8");
  g_autofree char *negative = make_model ("negative", config);
  g_autofree char *twice = make_model ("twice", CONFIG);
  g_autofree char *zip = tare_test_temporary ("model.bin");
  const Made same[] = { made_tensors[0], { "token_embd.weight", 16, 8 } };

  check_refused (empty, "no model.safetensors");
  check_refused (broken, "config.json: not JSON");
  check_refused (list, "config.json: not a JSON object");
  check_refused (negative, "config.json: key 'hidden_size' is -8");
  check_refused ("/nonexistent", "No such file");

  write_tensors (twice, "model.safetensors", same, 2);
  check_refused (twice, "occurs twice, as 'token_embd.weight'");

  g_assert_true (g_file_set_contents (zip, "PK\3\4 and so on", -1, NULL));
  check_refused (zip, "no model: neither GGUF nor safetensors");
  g_assert_true (g_file_set_contents (zip, "PK\3\4 and", 8, NULL));
  check_refused (zip, "no model");
  g_assert_true (g_file_set_contents (zip, "PK\3\4 and{\"a\":1}", -1, NULL));
  check_refused (zip, "not safetensors: a header of");
}

static char *
make_shards (const char *name,
             const char *map)
{
  g_autofree char *index = g_strdup_printf ("{\"metadata\":{},\"weight_map\":{%s}}", map);
  char *folder = tare_test_folder (name);

  write_file (folder, "config.json", CONFIG);
  write_tensors (folder, "a.safetensors", made_tensors, 7);
  write_tensors (folder, "b.safetensors", made_tensors + 7, G_N_ELEMENTS (made_tensors) - 7);
  write_file (folder, "model.safetensors.index.json", index);

  return folder;
}

static char *
make_map (void)
{
  g_autoptr(GString) map = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (made_tensors); i++)
    g_string_append_printf (map, "%s\"%s\":\"%s.safetensors\"", i > 0 ? "," : "",
                            made_tensors[i].name, i < 7 ? "a" : "b");

  return g_strdup (map->str);
}

static void
test_shards (void)
{
  g_autofree char *map = make_map ();
  g_autofree char *folder = make_shards ("shards", map);
  g_autofree char *index = g_build_filename (folder, "model.safetensors.index.json", NULL);
  g_autofree char *whole_folder = make_model ("whole", CONFIG);
  g_autoptr(TareModel) model = open_good (folder);
  g_autoptr(TareModel) by_index = open_good (index);
  g_autoptr(TareModel) whole = open_good (whole_folder);

  g_assert_true (tare_model_check_runnable (model, NULL));
  check_same_tensors (model, whole);
  check_same_tensors (by_index, whole);
}

static void
test_shards_refused (void)
{
  const struct { const char *old, *new_text, *part; } cases[] = {
    { "tokens.weight\":\"a", "tokens.weight\":\"c", "c.safetensors: No such file" },
    { "model.norm.weight\":\"b", "model.norm.weight\":\"a",
      "tensor 'model.norm.weight' is here, but in 'a.safetensors' by the index" },
    { "model.norm.weight", "model.other.weight", "tensor 'model.norm.weight' is not in the index" },
    { "\"model.norm.weight\"", "\"more\":\"b.safetensors\",\"model.norm.weight\"",
      "tensor 'more' is not in its shard" },
    { "model.norm.weight\":\"b", "model.norm.weight\":\"../b", "not the name of a file" },
    { "model.norm.weight\":\"b.safetensors\"", "model.norm.weight\":\"..\"",
      "not the name of a file" },
    { "model.norm.weight\":\"b.safetensors\"", "model.norm.weight\":7", "not the name of a file" },
    { "model.norm.weight\":\"b.safetensors\"", "model.norm.weight\":\"\"",
      "not the name of a file" },
  };
  g_autofree char *map = make_map ();
  g_autofree char *none = make_shards ("shards-none", "");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *changed = replace (map, cases[i].old, cases[i].new_text);
      g_autofree char *folder = make_shards ("shards-refused", changed);

      check_refused (folder, cases[i].part);
    }

  write_file (none, "model.safetensors.index.json", "{\"weight_map\":[]}");
  check_refused (none, "key 'weight_map' is missing");
  write_file (none, "model.safetensors.index.json", "");
  check_refused (none, "not JSON");
}

/* One shard under two names would be two models' worth of one tensor. */
static void
test_shards_cyclic (void)
{
  g_autofree char *map = make_map ();
  g_autofree char *changed = replace (map, "model.norm.weight\":\"b", "model.norm.weight\":\"c");
  g_autofree char *folder = make_shards ("shards-cyclic", changed);
  g_autofree char *link = g_build_filename (folder, "c.safetensors", NULL);

  g_assert_cmpint (symlink ("b.safetensors", link), ==, 0);
  check_refused (folder, "tensor 'model.norm.weight' is here, but in 'c.safetensors'");

  /* A link to itself. */
  g_unlink (link);
  g_assert_cmpint (symlink ("c.safetensors", link), ==, 0);
  check_refused (folder, "safetensors");
}

/* Part @number from 0 of @n_parts, with one tensor. */
static void
write_part (const char *folder,
            const char *name,
            guint       number,
            guint       n_parts,
            guint       n_tensors,
            const char *tensor)
{
  static const guint64 shape[] = { 16, 8 };
  static const guint8 zeros[16 * 8 * 4] = { 0 };
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareGgufWriter) writer = NULL;
  g_autoptr(GError) error = NULL;

  tare_metadata_set_string (metadata, "general.architecture", "strange");
  tare_metadata_set_u32 (metadata, "split.no", number);
  tare_metadata_set_u32 (metadata, "split.count", n_parts);
  tare_metadata_set_u32 (metadata, "split.tensors.count", n_tensors);
  writer = tare_gguf_writer_new (path, metadata, &error);
  g_assert_no_error (error);
  g_assert_true (tare_gguf_writer_add (writer, tensor, 0, 2, shape, NULL));
  g_assert_true (tare_gguf_writer_write (writer, zeros, sizeof zeros, NULL));
  g_assert_nonnull (tare_gguf_writer_finish (writer, NULL));
  g_assert_true (tare_gguf_writer_commit (writer, NULL));
}

static void
test_split (void)
{
  g_autofree char *folder = tare_test_folder ("split");
  g_autofree char *first = g_build_filename (folder, "m-00001-of-00002.gguf", NULL);
  g_autofree char *second = g_build_filename (folder, "m-00002-of-00002.gguf", NULL);
  g_autofree char *renamed = g_build_filename (folder, "renamed.gguf", NULL);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareModel) by_folder = NULL;
  g_autoptr(TareMetadata) metadata = NULL;

  write_part (folder, "m-00001-of-00002.gguf", 0, 2, 2, "token_embd.weight");
  write_part (folder, "m-00002-of-00002.gguf", 1, 2, 2, "output.weight");
  model = open_good (first);
  by_folder = open_good (folder);
  g_assert_cmpuint (tare_model_get_n_tensors (model), ==, 2);
  g_assert_cmpuint (tare_model_get_n_tensors (by_folder), ==, 2);
  metadata = tare_model_dup_metadata (model, NULL);
  g_assert_cmpuint (tare_metadata_get_n_keys (metadata), ==, 1);

  check_refused (second, "part 2 of a split GGUF file; open part 1");
  write_part (folder, "m-00002-of-00002.gguf", 1, 2, 2, "token_embd.weight");
  check_refused (first, "tensor 'token_embd.weight' occurs twice");
  write_part (folder, "m-00002-of-00002.gguf", 1, 3, 2, "output.weight");
  check_refused (first, "not part 2 of 2 by its keys");
  write_part (folder, "m-00002-of-00002.gguf", 0, 2, 2, "output.weight");
  check_refused (first, "not part 2 of 2 by its keys");
  write_part (folder, "m-00002-of-00002.gguf", 1, 2, 2, "output.weight");
  write_part (folder, "m-00001-of-00002.gguf", 0, 2, 3, "token_embd.weight");
  check_refused (first, "'split.tensors.count' is 3, but the parts hold 2");
  write_part (folder, "renamed.gguf", 0, 2, 2, "token_embd.weight");
  check_refused (renamed, "its name does not end in '-00001-of-00002.gguf'");
  check_refused (folder, "2 GGUF files in it");
  g_unlink (second);
  check_refused (first, "m-00002-of-00002.gguf: No such file");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model/pairs", test_pairs);
  g_test_add_func ("/model/rope-divisors", test_rope_divisors);
  g_test_add_func ("/model/order", test_order);
  g_test_add_func ("/model/unknown", test_unknown);
  g_test_add_func ("/model/metadata", test_metadata);
  g_test_add_func ("/model/hash", test_hash);
  g_test_add_func ("/model/tokenizer", test_tokenizer);
  g_test_add_func ("/model/made", test_made);
  g_test_add_func ("/model/not-runnable", test_not_runnable);
  g_test_add_func ("/model/not-runnable-extra", test_not_runnable_extra);
  g_test_add_func ("/model/refused", test_refused);
  g_test_add_func ("/model/shards", test_shards);
  g_test_add_func ("/model/shards-refused", test_shards_refused);
  g_test_add_func ("/model/shards-cyclic", test_shards_cyclic);
  g_test_add_func ("/model/split", test_split);

  return g_test_run ();
}
