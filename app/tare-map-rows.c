/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-map-rows.h"

#include <string.h>

/* Characters of a name before a row. */
#define LONGEST_LABEL 14

/**
 * tare_map_rows_label:
 * @tensor: the first of a row of the format map
 *
 * Returns: (transfer full): what stands before the row: the number of its block, or what the tensor
 *   is that stands alone
 */
char *
tare_map_rows_label (const TareTensor *tensor)
{
  gsize length;

  if (tensor->role != NULL && tensor->block >= 0)
    return g_strdup_printf ("%d", tensor->block);
  if (tensor->role != NULL)
    return g_strdup (tensor->role->short_label != NULL ? tensor->role->short_label
                                                       : tensor->role->label);

  length = strlen (tensor->canonical);
  if (length <= LONGEST_LABEL)
    return g_strdup (tensor->canonical);

  return g_strdup_printf ("…%s", tensor->canonical + length - LONGEST_LABEL + 1);
}

/**
 * tare_map_rows_share:
 * @a: a tensor
 * @b: another, or the same
 *
 * Returns: whether both stand in columns of one row, being of known roles in one block; a tensor
 *   that does not even with itself has a row of its own
 */
gboolean
tare_map_rows_share (const TareTensor *a,
                     const TareTensor *b)
{
  return a->role != NULL && b->role != NULL && a->block >= 0 && a->block == b->block;
}
