/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-safetensors.h"
#include "quant/recipe/tare-target-folder-private.h"

/* What goes with the weights of a model as it is: tokenizer, generation, chat, code of its own. */
static const char *const carried[] = {
  "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt",
  "merges.txt", "generation_config.json", "chat_template*", "preprocessor_config.json",
  "processor_config.json", "*.py", "*.model", "*.tiktoken", "LICENSE*", "NOTICE*",
};

static gboolean
is_carried (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (carried); i++)
    if (g_pattern_match_simple (carried[i], name))
      return TRUE;

  return FALSE;
}

static gboolean
carry_files (const char             *folder,
             TareSafetensorsWriter  *writer,
             GError                **error)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, error);
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *text = NULL;
      gsize length = 0;

      if (!is_carried (name) || !g_file_test (path, G_FILE_TEST_IS_REGULAR))
        continue;
      if (!g_file_get_contents (path, &text, &length, error)
          || !tare_safetensors_writer_write_file (writer, name, text, length, error))
        return FALSE;
    }

  return dir != NULL;
}

static gboolean
write_json (TareSafetensorsWriter  *writer,
            const char             *name,
            JsonObject             *object,
            GError                **error)
{
  g_autoptr(JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;

  json_node_set_object (node, object);
  text = json_to_string (node, TRUE);

  return tare_safetensors_writer_write_file (writer, name, text, strlen (text), error);
}

static JsonObject *
load_config (const char  *folder,
             GError     **error)
{
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  g_autoptr(JsonNode) node = NULL;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return json_object_new ();

  node = tare_json_load (path, error);

  return node != NULL ? json_object_ref (json_node_get_object (node)) : NULL;
}

/* The type that most values are in, which transformers runs the model in. */
static const char *
find_torch_type (GArray *items)
{
  static const char *const types[][2] = {
    { "F32", "float32" }, { "F16", "float16" }, { "BF16", "bfloat16" },
  };
  const char *found = types[0][1];
  guint64 most = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      guint64 bytes = 0;

      for (guint j = 0; j < items->len; j++)
        {
          const TareItem *item = &g_array_index (items, TareItem, j);

          if (item->packer == NULL && strcmp (item->outputs[0].dtype, types[i][0]) == 0)
            bytes += item->outputs[0].bytes;
        }
      if (bytes > most)
        {
          most = bytes;
          found = types[i][1];
        }
    }

  return found;
}

/* What lies beside the weights of a folder, made from what a GGUF file says of itself. */
static gboolean
make_files (TareModel              *model,
            TareSafetensorsWriter  *writer,
            GError                **error)
{
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, error);
  g_autoptr(JsonObject) json = NULL;
  g_autoptr(JsonObject) settings = NULL;
  g_autoptr(JsonObject) generation = NULL;

  if (tokenizer == NULL)
    return FALSE;

  json = tare_tokenizer_dup_json (tokenizer);
  settings = tare_tokenizer_dup_config (tokenizer);
  json_object_set_int_member (settings, "model_max_length",
                              tare_model_get_config (model)->context);
  generation = tare_model_dup_generation_config (model);

  return write_json (writer, "tokenizer.json", json, error)
         && write_json (writer, "tokenizer_config.json", settings, error)
         && write_json (writer, "generation_config.json", generation, error);
}

/**
 * _tare_folder_describe:
 * @kind: of folder
 * @model: what is written
 * @items: (element-type TareItem): its tensors
 * @writer: of the folder
 * @error: return location
 *
 * Writes config.json, which says how the weights are stored, and carries over what else goes with
 * a model: tokenizer, generation settings, chat template, code. Of a GGUF file all of that is made.
 *
 * Returns: %FALSE with @error set where a file cannot be read or written
 */
gboolean
_tare_folder_describe (const TareFolderKind   *kind,
                       TareModel              *model,
                       GArray                 *items,
                       TareSafetensorsWriter  *writer,
                       GError                **error)
{
  const char *folder = tare_model_get_folder (model);
  gboolean gguf = strcmp (tare_model_get_container (model), "gguf") == 0;
  g_autoptr(JsonObject) config = gguf ? tare_model_dup_config (model, error)
                                      : load_config (folder, error);
  JsonObject *quantization;

  if (config == NULL)
    return FALSE;

  if (gguf)
    json_object_set_string_member (config, "torch_dtype", find_torch_type (items));
  json_object_remove_member (config, "quantization_config");
  json_object_remove_member (config, "compression_config");
  if (kind->configure != NULL)
    kind->configure (items, config);

  quantization = tare_json_get_object (config, "quantization_config");
  if (!write_json (writer, "config.json", config, error)
      || (kind->copy_name != NULL && quantization != NULL
          && !write_json (writer, kind->copy_name, quantization, error)))
    return FALSE;

  return gguf ? make_files (model, writer, error) : carry_files (folder, writer, error);
}
