/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-recipe.h"

#include <string.h>

#define N_(text) (text)

/* What is usual is to keep the embedding and the output, and to round what is between. */
static const TareRecipePreset presets[] = {
  {
    .id = "w8a8",
    .label = N_("W8A8: weights and activations of 8 bits"),
    .rules = "{\"match\":\"blk.*.weight\",\"format\":\"int8_channel\"},"
             "{\"match\":\"blk.*.input\",\"format\":\"int8_channel\"}",
  },
  {
    .id = "w4a8",
    .label = N_("W4A8: weights of 4 bits, activations of 8"),
    .rules = "{\"match\":\"blk.*.weight\",\"format\":\"int4_g128\"},"
             "{\"match\":\"blk.*.input\",\"format\":\"int8_channel\"}",
  },
  {
    .id = "w4a4kv4",
    .label = N_("W4A4KV4: weights, activations, keys and values of 4 bits"),
    .rules = "{\"match\":\"blk.*.weight\",\"format\":\"int4_g128\"},"
             "{\"match\":\"blk.*.input\",\"format\":\"int4_asym_g128\"},"
             "{\"match\":\"blk.*.key\",\"format\":\"int4_asym_g64\"},"
             "{\"match\":\"blk.*.value\",\"format\":\"int4_asym_g64\"}",
  },
  {
    .id = "kv4",
    .label = N_("KV4: keys and values of 4 bits, but for the last 128 tokens"),
    .rules = "{\"match\":\"blk.*.key\",\"format\":\"int4_asym_g64\",\"window\":128},"
             "{\"match\":\"blk.*.value\",\"format\":\"int4_asym_g64\",\"window\":128}",
  },
};

/**
 * tare_recipe_get_n_presets:
 *
 * Returns: rows of the table of presets
 */
gsize
tare_recipe_get_n_presets (void)
{
  return G_N_ELEMENTS (presets);
}

/**
 * tare_recipe_get_preset:
 * @index: below the number of presets
 *
 * Returns: (transfer none): one of them
 */
const TareRecipePreset *
tare_recipe_get_preset (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (presets), NULL);

  return &presets[index];
}

/**
 * tare_recipe_new_preset:
 * @id: what the command line calls it
 *
 * Returns: (transfer full) (nullable): its recipe, or %NULL where there is none of that name
 */
TareRecipe *
tare_recipe_new_preset (const char *id)
{
  g_return_val_if_fail (id != NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (presets); i++)
    {
      g_autofree char *text = NULL;

      if (strcmp (presets[i].id, id) != 0)
        continue;
      text = g_strdup_printf ("{\"tare\":1,\"rules\":[%s]}", presets[i].rules);
      return tare_recipe_parse (text, strlen (text), id, NULL);
    }

  return NULL;
}
