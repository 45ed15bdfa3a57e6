/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-json.h"

#include <string.h>

#include "quant/model/tare-file-private.h"

/* The largest tokenizer.json that is known takes 35 MB. */
#define MAX_BYTES (128u * 1024u * 1024u)

/* JsonParser recurses at every level, so this bounds its stack. */
#define MAX_DEPTH 64

/* The code unit of the escape "\uXXXX" at @i, or -1 where there is none. */
static int
read_escape (const char *text,
             gsize       length,
             gsize       i)
{
  int unit = 0;

  if (length < 6 || i > length - 6 || text[i] != '\\' || text[i + 1] != 'u')
    return -1;

  for (gsize j = i + 2; j < i + 6; j++)
    {
      if (!g_ascii_isxdigit (text[j]))
        return -1;
      unit = unit << 4 | g_ascii_xdigit_value (text[j]);
    }

  return unit;
}

/* Whether there is a backslash at @i with something after it that JSON does not have. */
static gboolean
is_strange_escape (const char *text,
                   gsize       length,
                   gsize       i)
{
  return text[i] == '\\'
         && (i + 1 >= length || text[i + 1] == '\0' || strchr ("\"\\/bfnrt", text[i + 1]) == NULL);
}

/* Finds the end of a string. JsonParser takes an escape of too few digits and octal ones, and makes
 * half a surrogate pair into bytes that are not UTF-8; *@fault is set to the offset of such a
 * one. */
static gsize
skip_string (const char *text,
             gsize       length,
             gsize       start,
             gsize      *fault)
{
  gsize i = start + 1;

  while (i < length && text[i] != '"')
    {
      int unit = read_escape (text, length, i);
      gboolean pair = unit >= 0xd800 && unit < 0xdc00
                      && (read_escape (text, length, i + 6) & ~0x3ff) == 0xdc00;

      if ((unit >= 0xd800 && unit < 0xe000 && !pair)
          || (unit < 0 && is_strange_escape (text, length, i)))
        *fault = MIN (*fault, i);
      i += pair ? 12 : unit >= 0 ? 6 : text[i] == '\\' ? 2 : 1;
    }

  return i;
}

/* JsonParser also takes comments and single quotes, within which brackets would not count; what
 * JSON does not have outside strings is refused here, so that both see the same nesting. */
static gboolean
check_nesting (const char  *text,
               gsize        length,
               const char  *path,
               GError     **error)
{
  gsize depth = 0;
  gsize fault = G_MAXSIZE;

  for (gsize i = 0; i < length; i++)
    {
      char c = text[i];

      if (c == '"')
        i = skip_string (text, length, i, &fault);
      else if (c == '[' || c == '{')
        depth++;
      else if ((c == ']' || c == '}') && depth > 0)
        depth--;
      else if (c == '\0' || strchr (" \t\n\r:,+-.]}", c) == NULL)
        {
          if (!g_ascii_isalnum (c))
            return _tare_file_fail_path (path, error, TARE_ERROR_INVALID,
                                         "not JSON at offset %" G_GSIZE_FORMAT, i);
        }

      if (fault < length)
        return _tare_file_fail_path (path, error, TARE_ERROR_INVALID,
                                     "a broken escape at offset %" G_GSIZE_FORMAT, fault);
      if (depth > MAX_DEPTH)
        return _tare_file_fail_path (path, error, TARE_ERROR_LIMIT,
                                     "JSON nested deeper than %d levels at offset %"
                                     G_GSIZE_FORMAT, MAX_DEPTH, i);
    }

  return TRUE;
}

static gboolean
check_text (const char  *text,
            gsize        length,
            const char  *path,
            GError     **error)
{
  const char *end = NULL;

  if (length > MAX_BYTES)
    return _tare_file_fail_path (path, error, TARE_ERROR_LIMIT,
                                 "%" G_GSIZE_FORMAT " bytes of JSON; at most %u are read",
                                 length, MAX_BYTES);

  if (!g_utf8_validate_len (text, length, &end))
    return _tare_file_fail_path (path, error, TARE_ERROR_INVALID,
                                 "not UTF-8 text at offset %" G_GSIZE_FORMAT,
                                 (gsize) (end - text));

  return check_nesting (text, length, path, error);
}

/**
 * tare_json_parse:
 * @text: (array length=length): JSON
 * @length: in bytes
 * @path: the file it is from, for messages
 * @error: return location
 *
 * Parses JSON from a stranger: its size, its encoding and its nesting are checked first.
 *
 * Returns: (transfer full): the value, or %NULL with @error set
 */
JsonNode *
tare_json_parse (const char  *text,
                 gsize        length,
                 const char  *path,
                 GError     **error)
{
  g_autoptr(JsonParser) parser = NULL;
  g_autoptr(GError) fault = NULL;
  JsonNode *root = NULL;

  g_return_val_if_fail (text != NULL || length == 0, NULL);
  g_return_val_if_fail (path != NULL, NULL);

  if (!check_text (text, length, path, error))
    return NULL;

  parser = json_parser_new ();
  if (length > 0 && !json_parser_load_from_data (parser, text, (gssize) length, &fault))
    {
      g_strdelimit (fault->message, "\n\r", ' ');
      _tare_file_fail_path (path, error, TARE_ERROR_INVALID, "not JSON: %s", fault->message);
      return NULL;
    }

  root = json_parser_steal_root (parser);
  if (root == NULL)
    _tare_file_fail_path (path, error, TARE_ERROR_INVALID, "not JSON: there is nothing in it");

  return root;
}

/**
 * tare_json_load:
 * @path: a file of JSON
 * @error: return location
 *
 * Returns: (transfer full): its value, or %NULL with @error set
 */
JsonNode *
tare_json_load (const char  *path,
                GError     **error)
{
  g_autoptr(TareFile) file = tare_file_open (path, error);

  if (file == NULL)
    return NULL;

  return tare_json_parse ((const char *) tare_file_get_data (file),
                          (gsize) tare_file_get_size (file), path, error);
}

static JsonNode *
get_value (JsonObject *object,
           const char *key)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, key) : NULL;

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) ? node : NULL;
}

/**
 * tare_json_get_object:
 * @object: (nullable): where to look
 * @key: a member
 *
 * Returns: (nullable) (transfer none): the member, if there is one and it is an object
 */
JsonObject *
tare_json_get_object (JsonObject *object,
                      const char *key)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, key) : NULL;

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/**
 * tare_json_get_string:
 * @object: (nullable): where to look
 * @key: a member
 *
 * Returns: (nullable) (transfer none): the member, if there is one and it is a string
 */
const char *
tare_json_get_string (JsonObject *object,
                      const char *key)
{
  JsonNode *node = get_value (object, key);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING
         ? json_node_get_string (node) : NULL;
}

/**
 * tare_json_get_number:
 * @object: (nullable): where to look
 * @key: a member
 * @value: (out): its value, untouched where there is none
 *
 * Returns: %FALSE where there is no such member or it is no number
 */
gboolean
tare_json_get_number (JsonObject *object,
                      const char *key,
                      double     *value)
{
  JsonNode *node = get_value (object, key);
  GType type = node != NULL ? json_node_get_value_type (node) : G_TYPE_INVALID;

  if (type == G_TYPE_INT64)
    *value = (double) json_node_get_int (node);
  else if (type == G_TYPE_DOUBLE)
    *value = json_node_get_double (node);
  else
    return FALSE;

  return TRUE;
}

/**
 * tare_json_get_boolean:
 * @object: (nullable): where to look
 * @key: a member
 * @fallback: what to take where there is no such member or it is no boolean
 *
 * Returns: its value
 */
gboolean
tare_json_get_boolean (JsonObject *object,
                       const char *key,
                       gboolean    fallback)
{
  JsonNode *node = get_value (object, key);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_BOOLEAN
         ? json_node_get_boolean (node) : fallback;
}

/**
 * tare_json_get_array:
 * @object: (nullable): where to look
 * @key: a member
 *
 * Returns: (nullable) (transfer none): the member, if there is one and it is an array
 */
JsonArray *
tare_json_get_array (JsonObject *object,
                     const char *key)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, key) : NULL;

  return node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}
