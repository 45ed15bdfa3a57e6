/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib-object.h>

#include "quant/recipe/tare-recipe.h"

G_BEGIN_DECLS

/**
 * TareHistory:
 *
 * The recipes that were, in named steps. Recipes are immutable, so a step is a reference and undo
 * cannot go wrong. Emits "changed" whenever the present recipe, a label or the saved mark moves.
 */
#define TARE_TYPE_HISTORY (tare_history_get_type ())
G_DECLARE_FINAL_TYPE (TareHistory, tare_history, TARE, HISTORY, GObject)

TareHistory *tare_history_new            (TareRecipe   *first);
TareRecipe  *tare_history_get_recipe     (TareHistory  *self);
void         tare_history_push           (TareHistory  *self,
                                          TareRecipe   *recipe,
                                          const char   *label);
gboolean     tare_history_undo           (TareHistory  *self);
gboolean     tare_history_redo           (TareHistory  *self);
const char  *tare_history_get_undo_label (TareHistory  *self);
const char  *tare_history_get_redo_label (TareHistory  *self);
void         tare_history_mark_saved     (TareHistory  *self);
gboolean     tare_history_is_modified    (TareHistory  *self);

G_END_DECLS
