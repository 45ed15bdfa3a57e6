/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/analysis/tensor-fixture.h"

/**
 * tensor_fixture_new:
 * @x: (array): its weights, @rows x @columns
 * @rows: how many
 * @columns: of each
 *
 * Returns: (transfer full): a matrix of binary32 that no file holds
 */
TareTensor *
tensor_fixture_new (const float *x,
                    gsize        rows,
                    gsize        columns)
{
  gsize size = rows * columns * sizeof *x;
  g_autoptr(GBytes) bytes = g_bytes_new (x, size);
  TareTensor *tensor = g_new0 (TareTensor, 1);

  *tensor = (TareTensor) {
    .name = g_strdup ("matrix.weight"),
    .canonical = g_strdup ("matrix.weight"),
    .block = -1,
    .type_name = g_strdup ("F32"),
    .format = tare_format_lookup ("f32"),
    .n_dimensions = 2,
    .shape = { rows, columns },
    .columns = columns,
    .rows = rows,
    .file = tare_file_new_bytes ("matrix", bytes),
    .bytes = size,
  };

  return tensor;
}
