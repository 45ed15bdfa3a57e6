/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* memrchr */

#include <string.h>

#include "quant/model/tare-safetensors.h"
#include "tests/fuzz/fuzz.h"

/* The first row of everything that can be read. */
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

static void
read_file (const uint8_t *data,
           size_t         size)
{
  g_autoptr(GBytes) bytes = g_bytes_new (data, size);
  g_autoptr(TareFile) file = tare_file_new_bytes ("fuzz", bytes);
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(GError) error = NULL;

  if (tare_safetensors_read (file, tensors, &error))
    read_tensors (tensors);
  else
    g_assert_nonnull (error);
}

/* As it is, and with a header that ends where its last brace does, which no mutation would find. */
int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  const uint8_t *brace = memrchr (data, '}', size);

  read_file (data, size);
  if (brace != NULL && brace - data >= 8)
    {
      g_autofree guint8 *copy = g_memdup2 (data, size);
      guint64 length = GUINT64_TO_LE ((guint64) (brace - data) + 1 - 8);

      memcpy (copy, &length, 8);
      read_file (copy, size);
    }

  return 0;
}
