/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-session-private.h"

#include <glib/gi18n.h>

/* A rule that finds nothing is often one with a slip in it. */
void
_tare_session_tell_unmatched (TareSession *self,
                              TareRecipe  *recipe)
{
  g_autoptr(GArray) unmatched = NULL;
  g_autofree char *message = NULL;
  const char *match;
  guint n;

  if (self->model == NULL)
    return;

  unmatched = tare_recipe_list_unmatched (recipe, self->model);
  n = unmatched->len;
  if (n == 0)
    return;

  match = tare_recipe_get_rule (recipe, g_array_index (unmatched, guint, 0))->match;
  /* translators: %u is a number of rules of a recipe, %s what the first of them is for */
  message = g_strdup_printf (ngettext ("%u rule matches nothing in this model: %s",
                                       "%u rules match nothing in this model, as does %s", n),
                             n, match);
  _tare_session_notice (self, message);
}
