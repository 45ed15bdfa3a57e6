/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-metadata-private.h"
#include "quant/tare-bytes.h"

/* Two passes: the first finds that all the strings are there, so that the second allocates once
 * and no more than the file warrants. */
static gboolean
read_strings (TareValue   *value,
              TareCursor  *cursor,
              GError     **error)
{
  TareCursor ahead = *cursor;
  const guint8 *bytes = NULL;
  guint64 length = 0;
  gsize total = 0;

  for (gsize i = 0; i < value->n; i++)
    {
      if (!tare_cursor_read_u64 (&ahead, &length, error)
          || !tare_cursor_read_bytes (&ahead, length, &bytes, error))
        return FALSE;
      total += (gsize) length + 1;
    }

  value->starts = g_new (gsize, value->n + 1);
  value->data = g_malloc (MAX (total, 1));
  total = 0;
  for (gsize i = 0; i < value->n; i++)
    {
      if (!tare_cursor_read_u64 (cursor, &length, error)
          || !tare_cursor_read_bytes (cursor, length, &bytes, error))
        return FALSE;
      value->starts[i] = total;
      memcpy (value->data + total, bytes, (gsize) length);
      total += (gsize) length;
      value->data[total++] = '\0';
    }
  value->starts[value->n] = total;

  return TRUE;
}

static gboolean
read_elements (TareValue   *value,
               TareCursor  *cursor,
               GError     **error)
{
  gsize bytes = _tare_value_bytes[value->element_type];
  guint64 left = cursor->end - MIN (cursor->position, cursor->end);
  const guint8 *data = NULL;

  /* A string takes eight bytes for its length at least. */
  if (value->n > left / MAX (bytes, value->element_type == TARE_VALUE_STRING ? 8 : 1))
    {
      g_autofree char *quoted = _tare_file_quote (value->key, strlen (value->key));

      return _tare_file_fail (cursor->file, error, TARE_ERROR_INVALID,
                              "key %s has %" G_GSIZE_FORMAT " elements, more than the file holds",
                              quoted, value->n);
    }

  if (value->element_type == TARE_VALUE_STRING)
    return read_strings (value, cursor, error);

  if (!tare_cursor_read_bytes (cursor, value->n * bytes, &data, error))
    return FALSE;

  value->data = g_malloc (MAX (value->n * bytes, 1));
  memcpy (value->data, data, value->n * bytes);

  return TRUE;
}

static gboolean
read_type (const char     *key,
           TareCursor     *cursor,
           gboolean        in_array,
           TareValueType  *type,
           GError        **error)
{
  guint32 number = 0;

  if (!tare_cursor_read_u32 (cursor, &number, error))
    return FALSE;

  if (number >= G_N_ELEMENTS (_tare_value_bytes) || (in_array && number == TARE_VALUE_ARRAY))
    {
      g_autofree char *quoted = _tare_file_quote (key, strlen (key));

      return _tare_file_fail (cursor->file, error, TARE_ERROR_INVALID,
                              "key %s has %s %u", quoted,
                              in_array ? "elements of type" : "the unknown type", number);
    }

  *type = (TareValueType) number;

  return TRUE;
}

static gboolean
read_key (TareMetadata  *self,
          TareCursor    *cursor,
          char         **key,
          GError       **error)
{
  g_autofree char *read = NULL;
  guint64 start = cursor->position;

  if (!tare_cursor_read_string (cursor, &read, error))
    return FALSE;

  if (*read == '\0')
    return _tare_file_fail (cursor->file, error, TARE_ERROR_INVALID,
                            "empty key at offset %" G_GUINT64_FORMAT, start);

  if (tare_metadata_has (self, read))
    {
      g_autofree char *quoted = _tare_file_quote (read, strlen (read));

      return _tare_file_fail (cursor->file, error, TARE_ERROR_INVALID,
                              "key %s occurs twice, again at offset %" G_GUINT64_FORMAT,
                              quoted, start);
    }

  *key = g_steal_pointer (&read);

  return TRUE;
}

/**
 * _tare_metadata_read:
 * @self: what was read so far
 * @cursor: where the next key begins
 * @error: return location
 *
 * Reads one key with its value as GGUF writes them.
 *
 * Returns: %FALSE with @error set where they break the specification
 */
gboolean
_tare_metadata_read (TareMetadata  *self,
                     TareCursor    *cursor,
                     GError       **error)
{
  g_autofree char *key = NULL;
  TareValueType type = TARE_VALUE_U8;
  TareValueType element_type = TARE_VALUE_U8;
  guint64 n = 1;
  TareValue *value = NULL;

  if (!read_key (self, cursor, &key, error) || !read_type (key, cursor, FALSE, &type, error))
    return FALSE;

  element_type = type;
  if (type == TARE_VALUE_ARRAY
      && (!read_type (key, cursor, TRUE, &element_type, error)
          || !tare_cursor_read_u64 (cursor, &n, error)))
    return FALSE;

  value = _tare_value_new (key, type, element_type, (gsize) n);
  if (!read_elements (value, cursor, error))
    {
      _tare_value_free (value);
      return FALSE;
    }
  _tare_metadata_put (self, value);

  return TRUE;
}

static void
write_value (const TareValue *value,
             GByteArray      *out)
{
  tare_bytes_append_u64 (out, strlen (value->key));
  g_byte_array_append (out, (const guint8 *) value->key, (guint) strlen (value->key));
  tare_bytes_append_u32 (out, value->type);

  if (value->type == TARE_VALUE_ARRAY)
    {
      tare_bytes_append_u32 (out, value->element_type);
      tare_bytes_append_u64 (out, value->n);
    }

  if (value->starts == NULL)
    {
      g_byte_array_append (out, value->data,
                           (guint) (value->n * _tare_value_bytes[value->element_type]));
      return;
    }

  for (gsize i = 0; i < value->n; i++)
    {
      gsize length = value->starts[i + 1] - value->starts[i] - 1;

      tare_bytes_append_u64 (out, length);
      g_byte_array_append (out, value->data + value->starts[i], (guint) length);
    }
}

/**
 * _tare_metadata_write:
 * @self: keys
 * @out: what they are appended to
 *
 * Writes every key with its value as GGUF has them, in their order.
 */
void
_tare_metadata_write (TareMetadata *self,
                      GByteArray   *out)
{
  for (guint i = 0; i < self->values->len; i++)
    write_value (g_ptr_array_index (self->values, i), out);
}
