/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-recipe.h"

G_BEGIN_DECLS

void        tare_recovery_keep   (TareModel   *model,
                                  TareRecipe  *recipe);
TareRecipe *tare_recovery_find   (TareModel   *model);
void        tare_recovery_forget (TareModel   *model);

G_END_DECLS
