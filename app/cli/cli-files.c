/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include "quant/tare-error.h"

/**
 * cli_load_text:
 * @path: a file
 * @length: (out): its bytes
 * @error: names the file
 *
 * Returns: (transfer full) (nullable): what is in it
 */
char *
cli_load_text (const char  *path,
               gsize       *length,
               GError     **error)
{
  char *text = NULL;

  g_file_get_contents (path, &text, length, error);

  return text;
}

/**
 * cli_load_floats:
 * @path: a file of little-endian binary32 numbers
 * @n: (out): how many
 * @error: names the file
 *
 * Returns: (transfer full) (nullable): the numbers
 */
float *
cli_load_floats (const char  *path,
                 gsize       *n,
                 GError     **error)
{
  g_autofree char *bytes = NULL;
  gsize length = 0;

  if (!g_file_get_contents (path, &bytes, &length, error))
    return NULL;
  if (length == 0 || length % sizeof (float) != 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %" G_GSIZE_FORMAT " bytes are not a list of 4-byte numbers", path, length);
      return NULL;
    }

  *n = length / sizeof (float);

  return (float *) (gpointer) g_steal_pointer (&bytes);
}

/**
 * cli_save:
 * @path: where to; the whole file is there afterwards, or what was there before
 * @data: bytes
 * @length: how many
 * @error: names the file
 */
gboolean
cli_save (const char  *path,
          const void  *data,
          gsize        length,
          GError     **error)
{
  return g_file_set_contents_full (path, data, (gssize) length, G_FILE_SET_CONTENTS_CONSISTENT,
                                   0666, error);
}

/**
 * cli_tell_unmatched:
 * @path: (nullable): a recipe's file; %NULL where it came from options
 * @recipe: what was in it
 * @model: what it is for
 * @json: whether @root is what is printed
 * @root: gets "unmatched_rules", their globs
 *
 * Warns of every rule that matches nothing in @model.
 */
void
cli_tell_unmatched (const char *path,
                    TareRecipe *recipe,
                    TareModel  *model,
                    gboolean    json,
                    JsonObject *root)
{
  g_autoptr(GArray) unmatched = tare_recipe_list_unmatched (recipe, model);
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < unmatched->len && path != NULL; i++)
    {
      guint index = g_array_index (unmatched, guint, i);
      const char *match = tare_recipe_get_rule (recipe, index)->match;

      json_array_add_string_element (array, match);
      if (!json)
        g_printerr ("tare-cli: warning: %s: rules[%u]: '%s' matches nothing in %s\n", path, index,
                    match, tare_model_get_path (model));
    }
  json_object_set_array_member (root, "unmatched_rules", array);
}

/**
 * cli_open_calibration:
 * @path: (nullable): a calibration or an imatrix file
 * @calibration: (out) (nullable): what is in it; %NULL without a path
 * @error: names the file
 */
gboolean
cli_open_calibration (const char       *path,
                      TareCalibration **calibration,
                      GError          **error)
{
  *calibration = NULL;
  if (path == NULL)
    return TRUE;

  *calibration = tare_calibration_load (path, error);

  return *calibration != NULL;
}
