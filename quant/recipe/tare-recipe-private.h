/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-recipe.h"

G_BEGIN_DECLS

void _tare_recipe_append (TareRecipe           *self,
                          const char           *match,
                          const TareAssignment *assignment);

const TareRule *_tare_recipe_find_activation_rule (TareRecipe *self,
                                                   const char *name);

guint64 _tare_recipe_measure_tensor (const TareFormat *format,
                                     const TareTensor *tensor);

TareRange _tare_recipe_usual_range (const char *match);

G_END_DECLS
