/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-recovery.h"

#include <glib/gstdio.h>
#include <string.h>

/*
 * A recipe that is not saved lies in the user's state folder while its model is open, so that a
 * crash loses seconds of work and not all of it. Whoever ends in an orderly way takes it along.
 */

static char *
get_path (TareModel *model)
{
  g_autofree char *where = g_canonicalize_filename (tare_model_get_path (model), NULL);
  g_autofree char *key = g_compute_checksum_for_string (G_CHECKSUM_SHA256, where, -1);
  g_autofree char *name = g_strdup_printf ("%.16s.json", key);

  return g_build_filename (g_get_user_state_dir (), "tare", "unsaved", name, NULL);
}

/**
 * tare_recovery_keep:
 * @model: the model
 * @recipe: what was made for it and is not saved
 *
 * Writes it where tare_recovery_find() looks. That it cannot is no reason to disturb anyone.
 */
void
tare_recovery_keep (TareModel  *model,
                    TareRecipe *recipe)
{
  g_autofree char *path = get_path (model);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *json = tare_recipe_to_json (recipe, model);
  g_autoptr(GError) error = NULL;

  if (g_mkdir_with_parents (folder, 0700) != 0
      || !g_file_set_contents_full (path, json, (gssize) strlen (json),
                                    G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    g_debug ("%s: %s", path, error != NULL ? error->message : "no folder");
}

/**
 * tare_recovery_find:
 * @model: the model
 *
 * Returns: (transfer full) (nullable): the recipe that a program left behind which did not end in
 *   an orderly way
 */
TareRecipe *
tare_recovery_find (TareModel *model)
{
  g_autofree char *path = get_path (model);

  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return NULL;

  return tare_recipe_load (path, NULL);
}

/**
 * tare_recovery_forget:
 * @model: the model
 *
 * Removes what was kept for it, if anything was.
 */
void
tare_recovery_forget (TareModel *model)
{
  g_autofree char *path = get_path (model);

  g_unlink (path);
}
