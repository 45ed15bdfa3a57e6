/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/tare-test-model.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const files[] = {
  "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
};

/* Appends one tensor of BF16 to a safetensors header. */
static void
add_tensor (GString    *header,
            guint64    *offset,
            const char *name,
            guint       rows,
            guint       columns)
{
  guint64 bytes = 2 * (guint64) rows * columns;
  g_autofree char *shape = rows > 1 ? g_strdup_printf ("%u,%u", rows, columns)
                                    : g_strdup_printf ("%u", columns);

  g_string_append_printf (header, "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[%s],"
                          "\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}",
                          header->len > 1 ? "," : "", name, shape, *offset, *offset + bytes);
  *offset += bytes;
}

static void
add_block (GString             *header,
           guint64             *offset,
           const TareTestShape *shape,
           guint                block)
{
  guint keys = shape->width / shape->n_heads * shape->n_key_value_heads;
  const struct { const char *name; guint rows, columns; } tensors[] = {
    { "input_layernorm", 1, shape->width },
    { "self_attn.q_proj", shape->width, shape->width },
    { "self_attn.k_proj", keys, shape->width },
    { "self_attn.v_proj", keys, shape->width },
    { "self_attn.o_proj", shape->width, shape->width },
    { "post_attention_layernorm", 1, shape->width },
    { "mlp.gate_proj", shape->feed_forward_width, shape->width },
    { "mlp.up_proj", shape->feed_forward_width, shape->width },
    { "mlp.down_proj", shape->width, shape->feed_forward_width },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (tensors); i++)
    {
      g_autofree char *name = g_strdup_printf ("model.layers.%u.%s.weight", block,
                                               tensors[i].name);

      add_tensor (header, offset, name, tensors[i].rows, tensors[i].columns);
    }
}

static guint64
write_weights (const TareTestShape *shape,
               const char          *path)
{
  g_autoptr(GString) header = g_string_new ("{");
  guint64 offset = 0, length;
  FILE *file = g_fopen (path, "wb");

  add_tensor (header, &offset, "model.embed_tokens.weight", shape->vocabulary, shape->width);
  for (guint i = 0; i < shape->n_blocks; i++)
    add_block (header, &offset, shape, i);
  add_tensor (header, &offset, "model.norm.weight", 1, shape->width);
  g_string_append_c (header, '}');
  while (header->len % 8 != 0)
    g_string_append_c (header, ' ');

  length = GUINT64_TO_LE (header->len);
  if (file == NULL || fwrite (&length, sizeof length, 1, file) != 1
      || fwrite (header->str, header->len, 1, file) != 1 || fflush (file) != 0
      || ftruncate (fileno (file), (off_t) (sizeof length + header->len + offset)) != 0)
    g_error ("%s: cannot write", path);
  fclose (file);

  return offset;
}

static void
copy_file (const char *from,
           const char *name,
           const char *folder)
{
  g_autofree char *source = g_build_filename (from, name, NULL);
  g_autofree char *target = g_build_filename (folder, name, NULL);
  g_autofree char *text = NULL;
  gsize length = 0;

  if (!g_file_get_contents (source, &text, &length, NULL)
      || !g_file_set_contents (target, text, (gssize) length, NULL))
    g_error ("%s: cannot copy", source);
}

/**
 * tare_test_write_llama:
 * @shape: what to write
 * @tokenizer: (nullable): a model whose tokenizer to take, with as large a vocabulary
 * @folder: an empty folder
 *
 * Returns: bytes of its weights
 */
guint64
tare_test_write_llama (const TareTestShape *shape,
                       const char          *tokenizer,
                       const char          *folder)
{
  g_autofree char *config = g_strdup_printf (
    "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":%u,"
    "\"intermediate_size\":%u,\"num_hidden_layers\":%u,\"num_attention_heads\":%u,"
    "\"num_key_value_heads\":%u,\"vocab_size\":%u,\"max_position_embeddings\":4096,"
    "\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,\"hidden_act\":\"silu\","
    "\"tie_word_embeddings\":true,\"torch_dtype\":\"bfloat16\"}",
    shape->width, shape->feed_forward_width, shape->n_blocks, shape->n_heads,
    shape->n_key_value_heads, shape->vocabulary);
  g_autofree char *config_path = g_build_filename (folder, files[0], NULL);
  g_autofree char *weights_path = g_build_filename (folder, files[1], NULL);

  if (!g_file_set_contents (config_path, config, -1, NULL))
    g_error ("%s: cannot write", config_path);
  if (tokenizer != NULL)
    {
      copy_file (tokenizer, files[2], folder);
      copy_file (tokenizer, files[3], folder);
    }

  return write_weights (shape, weights_path);
}

/**
 * tare_test_remove_llama:
 * @folder: what tare_test_write_llama() was given
 */
void
tare_test_remove_llama (const char *folder)
{
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (folder, files[i], NULL);

      g_unlink (path);
    }
  g_rmdir (folder);
}
