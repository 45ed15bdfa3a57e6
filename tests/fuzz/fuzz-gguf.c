/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-config.h"
#include "quant/model/tare-gguf.h"
#include "quant/model/tare-tokenizer.h"
#include "tests/fuzz/fuzz.h"

static void
read_metadata (TareMetadata *metadata)
{
  const char *id = tare_metadata_get_string (metadata, "general.architecture");
  const TareArchitecture *architecture = id != NULL ? tare_architecture_lookup (id) : NULL;
  g_autoptr(TareTokenizer) tokenizer = tare_tokenizer_new_from_metadata (metadata, "fuzz", NULL);
  TareConfig config;

  if (architecture != NULL)
    tare_config_read_metadata (&config, architecture, metadata, "fuzz", NULL);
  if (tokenizer != NULL)
    {
      g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, "a <s>b\n12", 9,
                                                        TARE_TOKEN_FLAGS_PARSE_SPECIAL);

      g_assert_cmpuint (tokens->len, <=, 64);
    }
}

static void
read_tensors (GPtrArray *tensors)
{
  for (guint i = 0; i < tensors->len; i++)
    {
      const TareTensor *tensor = tensors->pdata[i];
      g_autofree float *row = NULL;

      if (tensor->format == NULL || tensor->rows == 0 || tensor->columns > 65536)
        continue;
      row = g_new (float, tensor->columns + 1);
      tare_tensor_read_rows (tensor, tensor->rows - 1, 1, row, NULL);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  g_autoptr(GBytes) bytes = g_bytes_new (data, size);
  g_autoptr(TareFile) file = tare_file_new_bytes ("fuzz", bytes);
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(GError) error = NULL;

  tare_gguf_probe (file);
  if (tare_gguf_read (file, tensors, &metadata, &error))
    {
      read_metadata (metadata);
      read_tensors (tensors);
    }
  else
    {
      g_assert_nonnull (error);
    }

  return 0;
}
