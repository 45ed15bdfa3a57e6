/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

JsonNode   *tare_json_parse       (const char  *text,
                                   gsize        length,
                                   const char  *path,
                                   GError     **error);
JsonNode   *tare_json_load        (const char  *path,
                                   GError     **error);
JsonObject *tare_json_get_object  (JsonObject  *object,
                                   const char  *key);
const char *tare_json_get_string  (JsonObject  *object,
                                   const char  *key);
gboolean    tare_json_get_number  (JsonObject  *object,
                                   const char  *key,
                                   double      *value);
gboolean    tare_json_get_boolean (JsonObject  *object,
                                   const char  *key,
                                   gboolean     fallback);
JsonArray  *tare_json_get_array   (JsonObject  *object,
                                   const char  *key);

G_END_DECLS
