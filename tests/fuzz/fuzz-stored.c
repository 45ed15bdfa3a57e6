/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-layout.h"
#include "quant/model/tare-safetensors.h"
#include "tests/fuzz/fuzz.h"

/* The first and the last row of everything that can be read. */
static void
read_tensors (GPtrArray *tensors)
{
  for (guint i = 0; i < tensors->len; i++)
    {
      const TareTensor *tensor = tensors->pdata[i];
      g_autofree float *row = NULL;

      if (!tare_tensor_can_read (tensor) || tensor->rows == 0 || tensor->columns > 65536)
        continue;
      row = g_new (float, tensor->columns + 1);
      tare_tensor_read_rows (tensor, 0, 1, row, NULL);
      tare_tensor_read_rows (tensor, tensor->rows - 1, 1, row, NULL);
      tare_tensor_release_rows (tensor, 0, tensor->rows);
    }
}

static void
read_file (const char    *config,
           const uint8_t *data,
           size_t         size)
{
  g_autoptr(GBytes) bytes = g_bytes_new (data, size);
  g_autoptr(TareFile) file = tare_file_new_bytes ("fuzz", bytes);
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(JsonNode) node = tare_json_parse (config, strlen (config), "config", NULL);
  g_autoptr(GError) error = NULL;

  if (!tare_safetensors_read (file, tensors, NULL))
    return;
  if (!tare_stored_gather (tensors, node != NULL && JSON_NODE_HOLDS_OBJECT (node)
                                    ? json_node_get_object (node) : NULL, "config", &error))
    g_assert_nonnull (error);
  read_tensors (tensors);
}

/* What is said of the weights, a zero byte, and a safetensors file. */
int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  const uint8_t *end = memchr (data, '\0', size);
  g_autofree char *config = NULL;

  if (end == NULL)
    return 0;

  config = g_strndup ((const char *) data, (gsize) (end - data));
  read_file (config, end + 1, size - (size_t) (end + 1 - data));

  return 0;
}
