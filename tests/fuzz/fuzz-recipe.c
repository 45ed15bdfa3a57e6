/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/recipe/tare-recipe.h"
#include "tests/fuzz/fuzz.h"

/* What is read can be written, and reads the same. */
int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareRecipe) recipe = tare_recipe_parse ((const char *) data, size, "fuzz", &error);
  g_autoptr(TareRecipe) again = NULL;
  g_autofree char *json = NULL;
  TareTensor tensor = {
    .name = (char *) "blk.0.ffn_down.weight",
    .canonical = (char *) "blk.0.ffn_down.weight",
    .columns = 256,
    .rows = 4,
  };

  if (recipe == NULL)
    {
      g_assert_nonnull (error);
      return 0;
    }

  tare_recipe_resolve (recipe, &tensor);
  json = tare_recipe_to_json (recipe, NULL);
  again = tare_recipe_parse (json, strlen (json), "fuzz", &error);
  g_assert_no_error (error);
  g_assert_true (tare_recipe_equal (recipe, again));

  return 0;
}
