/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-target-private.h"

static const TareTarget *const targets[] = {
  &_tare_target_gguf,
};

/**
 * tare_target_get_n_targets:
 *
 * Returns: how many rows the target table has
 */
gsize
tare_target_get_n_targets (void)
{
  return G_N_ELEMENTS (targets);
}

/**
 * tare_target_get:
 * @index: less than tare_target_get_n_targets()
 *
 * Returns: (transfer none): a row of the table
 */
const TareTarget *
tare_target_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (targets), NULL);

  return targets[index];
}

/**
 * tare_target_lookup:
 * @id: what the command line calls it
 *
 * Returns: (transfer none) (nullable): the row of that name
 */
const TareTarget *
tare_target_lookup (const char *id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    if (g_str_equal (targets[i]->id, id))
      return targets[i];

  return NULL;
}
