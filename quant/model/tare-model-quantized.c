/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-json.h"
#include "quant/model/tare-layout.h"
#include "quant/model/tare-model-private.h"

/* Where quantizers have said what they did, besides config.json, and how they call it there. */
static const struct
{
  const char *file;
  const char *method;
  const char *key;
} files[] = {
  { "quantize_config.json", "gptq", NULL },
  { "quant_config.json", "awq", NULL },
  { "hf_quant_config.json", "modelopt", "quantization" },
};

static const char *const keys[] = { "quantization_config", "compression_config" };

static JsonObject *
dup_object (JsonObject *object)
{
  return json_object_ref (object);
}

/* (transfer full) (nullable): what another file than config.json says. */
static JsonObject *
read_file (const char *path,
           const char *key,
           const char *method)
{
  g_autoptr(JsonNode) node = tare_json_load (path, NULL);
  JsonObject *object = node != NULL && JSON_NODE_HOLDS_OBJECT (node)
                       ? json_node_get_object (node) : NULL;

  if (object != NULL && key != NULL)
    object = tare_json_get_object (object, key);
  if (object == NULL)
    return NULL;

  if (tare_json_get_string (object, "quant_method") == NULL)
    json_object_set_string_member (object, "quant_method", method);

  return dup_object (object);
}

/**
 * _tare_model_take_quantization:
 * @self: a model that is being opened, of which the folder is known
 * @config: (nullable): its config.json
 *
 * Finds what is said of how the weights are stored.
 */
void
_tare_model_take_quantization (TareModel  *self,
                               JsonObject *config)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys) && config != NULL; i++)
    {
      JsonObject *object = tare_json_get_object (config, keys[i]);

      if (object == NULL)
        continue;
      self->quantization = dup_object (object);
      self->quantization_path = g_build_filename (self->folder, "config.json", NULL);
      return;
    }

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (self->folder, files[i].file, NULL);

      if (!g_file_test (path, G_FILE_TEST_EXISTS))
        continue;
      self->quantization = read_file (path, files[i].key, files[i].method);
      if (self->quantization == NULL)
        continue;
      self->quantization_path = g_steal_pointer (&path);
      return;
    }
}

/**
 * _tare_model_gather:
 * @self: a model that is being opened, of which the tensors are read but not named
 *
 * Puts the parts of quantized matrices together.
 *
 * Returns: (transfer full) (nullable): why that did not go for all of them, which leaves the model
 *   open but keeps it from being run
 */
GError *
_tare_model_gather (TareModel *self)
{
  GError *fault = NULL;

  tare_stored_gather (self->tensors, self->quantization,
                      self->quantization_path != NULL ? self->quantization_path : self->path,
                      &fault);

  return fault;
}
