/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

/* The side of the square matrix for which bits per weight are told: formats may keep a scale for a
 * whole row, or more for the whole matrix. */
#define TYPICAL_SIDE 4096

static const CliField columns[] = {
  { "id", "FORMAT", CLI_TEXT },
  { "label", "NAME", CLI_TEXT },
  { "family", "FAMILY", CLI_TEXT },
  { "bits_per_weight", "BITS", CLI_NUMBER },
  { "block", "BLOCK", CLI_INTEGER },
  { "group", "GROUP", CLI_INTEGER },
  { "exports", "EXPORTS", CLI_TEXT },
  { NULL },
};

static const CliView view = { NULL, "formats", columns };

static JsonArray *
list_exports (const TareFormat *format)
{
  JsonArray *exports = json_array_new ();

  for (gsize i = 0; i < tare_target_get_n_targets (); i++)
    if (format->containers & tare_target_get (i)->container)
      json_array_add_string_element (exports, tare_target_get (i)->id);

  return exports;
}

static gboolean
formats (const CliCommand  *self,
         int                argc,
         char             **argv,
         GError           **error)
{
  const GOptionEntry entries[] = { { NULL } };
  gboolean json = FALSE;
  g_auto(GStrv) rest = cli_parse (self, argc, argv, entries, 0, &json, error);
  g_autoptr(JsonObject) root = json_object_new ();
  JsonArray *array = json_array_new ();

  json_object_set_array_member (root, "formats", array);
  if (rest == NULL)
    return FALSE;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      JsonObject *object = json_object_new ();

      cli_set_string (object, "id", format->id);
      cli_set_string (object, "label", format->label);
      cli_set_string (object, "family", tare_format_family_get_id (format->family));
      cli_set_number (object, "bits_per_weight",
                      tare_format_get_bits_per_weight (format, TYPICAL_SIDE, TYPICAL_SIDE));
      cli_set_size (object, "block", format->block);
      cli_set_size (object, "group", format->group);
      json_object_set_array_member (object, "exports", list_exports (format));
      cli_set_string (object, "description", format->description);
      json_array_add_object_element (array, object);
    }

  return cli_print (root, json, &view, error);
}

const CliCommand cli_command_formats = {
  .name = "formats",
  .arguments = "[--json]",
  .description = "The formats that a weight can be stored as",
  .run = formats,
};
