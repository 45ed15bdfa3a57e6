/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-metadata.h"

#include <string.h>

#include "quant/model/tare-metadata-private.h"

/* By TareValueType; 0 where the size depends on the value. */
const guint8 _tare_value_bytes[TARE_VALUE_N_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

/**
 * _tare_value_free:
 * @data: (transfer full): a value
 */
void
_tare_value_free (gpointer data)
{
  TareValue *value = data;

  g_free (value->key);
  g_free (value->data);
  g_free (value->starts);
  g_free (value);
}

/**
 * _tare_value_new:
 * @key: its key
 * @type: its type
 * @element_type: of its elements, @type itself where it is no array
 * @n: how many elements
 *
 * Returns: (transfer full): a value whose elements are still to be set
 */
TareValue *
_tare_value_new (const char    *key,
                 TareValueType  type,
                 TareValueType  element_type,
                 gsize          n)
{
  TareValue *value = g_new0 (TareValue, 1);

  value->key = g_strdup (key);
  value->type = type;
  value->element_type = element_type;
  value->n = n;

  return value;
}

static TareValue *
value_copy (const TareValue *value)
{
  TareValue *copy = _tare_value_new (value->key, value->type, value->element_type, value->n);

  if (value->starts != NULL)
    {
      copy->starts = g_memdup2 (value->starts, (value->n + 1) * sizeof *value->starts);
      copy->data = g_memdup2 (value->data, value->starts[value->n]);
    }
  else
    {
      copy->data = g_memdup2 (value->data, value->n * _tare_value_bytes[value->element_type]);
    }

  return copy;
}

/**
 * _tare_metadata_put:
 * @self: keys that are not shared yet
 * @value: (transfer full): takes the place of a value with the same key, or goes to the end
 */
void
_tare_metadata_put (TareMetadata *self,
                    TareValue    *value)
{
  guint index = 0;
  gpointer old = g_hash_table_lookup (self->by_key, value->key);

  if (old != NULL && g_ptr_array_find (self->values, old, &index))
    {
      g_hash_table_remove (self->by_key, value->key);
      g_ptr_array_index (self->values, index) = value;
      _tare_value_free (old);
    }
  else
    {
      g_ptr_array_add (self->values, value);
    }

  g_hash_table_insert (self->by_key, value->key, value);
}

/**
 * tare_metadata_new:
 *
 * Returns: (transfer full): no keys
 */
TareMetadata *
tare_metadata_new (void)
{
  TareMetadata *self = g_new0 (TareMetadata, 1);

  self->ref_count = 1;
  self->values = g_ptr_array_new_with_free_func (_tare_value_free);
  self->by_key = g_hash_table_new (g_str_hash, g_str_equal);

  return self;
}

/**
 * tare_metadata_copy:
 * @self: keys
 *
 * Returns: (transfer full): the same, to be changed
 */
TareMetadata *
tare_metadata_copy (TareMetadata *self)
{
  TareMetadata *copy = NULL;

  g_return_val_if_fail (self != NULL, NULL);

  copy = tare_metadata_new ();
  for (guint i = 0; i < self->values->len; i++)
    _tare_metadata_put (copy, value_copy (g_ptr_array_index (self->values, i)));

  return copy;
}

/**
 * tare_metadata_ref:
 * @self: keys
 *
 * Returns: (transfer full): @self
 */
TareMetadata *
tare_metadata_ref (TareMetadata *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_int_inc (&self->ref_count);

  return self;
}

/**
 * tare_metadata_unref:
 * @self: (transfer full): keys
 */
void
tare_metadata_unref (TareMetadata *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;

  g_hash_table_unref (self->by_key);
  g_ptr_array_unref (self->values);
  g_free (self);
}

/**
 * tare_metadata_get_n_keys:
 * @self: keys
 *
 * Returns: how many
 */
gsize
tare_metadata_get_n_keys (TareMetadata *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->values->len;
}

/**
 * tare_metadata_get_key:
 * @self: keys
 * @index: less than tare_metadata_get_n_keys()
 *
 * Returns: the key at that place
 */
const char *
tare_metadata_get_key (TareMetadata *self,
                       gsize         index)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (index < self->values->len, NULL);

  return ((TareValue *) g_ptr_array_index (self->values, index))->key;
}

static const TareValue *
find (TareMetadata *self,
      const char   *key)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (key != NULL, NULL);

  return g_hash_table_lookup (self->by_key, key);
}

/**
 * tare_metadata_has:
 * @self: keys
 * @key: a key
 *
 * Returns: whether it is there, whatever its type
 */
gboolean
tare_metadata_has (TareMetadata *self,
                   const char   *key)
{
  return find (self, key) != NULL;
}

/**
 * tare_metadata_get_type:
 * @self: keys
 * @key: a key
 * @type: (out) (optional): its type
 * @element_type: (out) (optional): the type of its elements, @type itself where it is no array
 *
 * Returns: %FALSE where there is no such key
 */
gboolean
tare_metadata_get_type (TareMetadata  *self,
                        const char    *key,
                        TareValueType *type,
                        TareValueType *element_type)
{
  const TareValue *value = find (self, key);

  if (value == NULL)
    return FALSE;

  if (type != NULL)
    *type = value->type;
  if (element_type != NULL)
    *element_type = value->element_type;

  return TRUE;
}

/* Little-endian bytes of an integer type, sign kept. Unsigned 64 bits stay as they are. */
static gboolean
load_integer (const TareValue *value,
              gsize            index,
              guint64         *bits,
              gboolean        *negative)
{
  gsize bytes = _tare_value_bytes[value->element_type];
  const guint8 *data = value->data + index * bytes;
  gboolean sign = FALSE;

  switch (value->element_type)
    {
    case TARE_VALUE_I8:
    case TARE_VALUE_I16:
    case TARE_VALUE_I32:
    case TARE_VALUE_I64:
      sign = (data[bytes - 1] & 0x80) != 0;
      break;

    case TARE_VALUE_U8:
    case TARE_VALUE_U16:
    case TARE_VALUE_U32:
    case TARE_VALUE_U64:
      break;

    case TARE_VALUE_F32:
    case TARE_VALUE_BOOL:
    case TARE_VALUE_STRING:
    case TARE_VALUE_ARRAY:
    case TARE_VALUE_F64:
    default:
      return FALSE;
    }

  *bits = sign ? G_MAXUINT64 : 0;
  *negative = sign;
  for (gsize i = bytes; i-- > 0;)
    *bits = *bits << 8 | data[i];

  return TRUE;
}

static gboolean
load_number (const TareValue *value,
             gsize            index,
             double          *number)
{
  guint64 bits = 0;
  gboolean negative = FALSE;

  if (load_integer (value, index, &bits, &negative))
    {
      *number = negative ? (double) (gint64) bits : (double) bits;
      return TRUE;
    }

  if (value->element_type == TARE_VALUE_F32)
    {
      guint32 word;
      float single;

      memcpy (&word, value->data + index * sizeof word, sizeof word);
      word = GUINT32_FROM_LE (word);
      memcpy (&single, &word, sizeof single);
      *number = (double) single;
      return TRUE;
    }

  if (value->element_type == TARE_VALUE_F64)
    {
      guint64 word;

      memcpy (&word, value->data + index * sizeof word, sizeof word);
      word = GUINT64_FROM_LE (word);
      memcpy (number, &word, sizeof word);
      return TRUE;
    }

  return FALSE;
}

/**
 * tare_metadata_get_integer:
 * @self: keys
 * @key: a key
 * @value: (out): its value
 *
 * Takes every integer type.
 *
 * Returns: %FALSE where there is no such key, it is no integer, or it does not fit
 */
gboolean
tare_metadata_get_integer (TareMetadata *self,
                           const char   *key,
                           gint64       *value)
{
  const TareValue *found = find (self, key);
  guint64 bits = 0;
  gboolean negative = FALSE;

  if (found == NULL || found->type == TARE_VALUE_ARRAY
      || !load_integer (found, 0, &bits, &negative))
    return FALSE;

  if (!negative && bits > G_MAXINT64)
    return FALSE;

  *value = (gint64) bits;

  return TRUE;
}

/**
 * tare_metadata_get_number:
 * @self: keys
 * @key: a key
 * @value: (out): its value
 *
 * Takes every type of integer and float.
 *
 * Returns: %FALSE where there is no such key or it is no number
 */
gboolean
tare_metadata_get_number (TareMetadata *self,
                          const char   *key,
                          double       *value)
{
  const TareValue *found = find (self, key);

  return found != NULL && found->type != TARE_VALUE_ARRAY && load_number (found, 0, value);
}

/**
 * tare_metadata_get_boolean:
 * @self: keys
 * @key: a key
 * @value: (out): its value
 *
 * Returns: %FALSE where there is no such key or it is no boolean
 */
gboolean
tare_metadata_get_boolean (TareMetadata *self,
                           const char   *key,
                           gboolean     *value)
{
  const TareValue *found = find (self, key);

  if (found == NULL || found->type != TARE_VALUE_BOOL)
    return FALSE;

  *value = found->data[0] != 0;

  return TRUE;
}

/**
 * tare_metadata_get_string:
 * @self: keys
 * @key: a key
 *
 * The string is as its file has it, and may not be UTF-8.
 *
 * Returns: (nullable): its value, or %NULL where there is no such key or it is no string
 */
const char *
tare_metadata_get_string (TareMetadata *self,
                          const char   *key)
{
  const TareValue *found = find (self, key);

  return found != NULL && found->type == TARE_VALUE_STRING ? (const char *) found->data : NULL;
}

/**
 * tare_metadata_get_length:
 * @self: keys
 * @key: a key
 *
 * Returns: the number of elements of an array, 0 where there is no such key or it is no array
 */
gsize
tare_metadata_get_length (TareMetadata *self,
                          const char   *key)
{
  const TareValue *found = find (self, key);

  return found != NULL && found->type == TARE_VALUE_ARRAY ? found->n : 0;
}

/**
 * tare_metadata_get_string_at:
 * @self: keys
 * @key: the key of an array
 * @index: which element
 *
 * Returns: (nullable): the element, or %NULL where there is none or it is no string
 */
const char *
tare_metadata_get_string_at (TareMetadata *self,
                             const char   *key,
                             gsize         index)
{
  const TareValue *found = find (self, key);

  if (found == NULL || found->type != TARE_VALUE_ARRAY || index >= found->n
      || found->element_type != TARE_VALUE_STRING)
    return NULL;

  return (const char *) found->data + found->starts[index];
}

/**
 * tare_metadata_get_number_at:
 * @self: keys
 * @key: the key of an array
 * @index: which element
 * @value: (out): the element
 *
 * Returns: %FALSE where there is none or it is no number
 */
gboolean
tare_metadata_get_number_at (TareMetadata *self,
                             const char   *key,
                             gsize         index,
                             double       *value)
{
  const TareValue *found = find (self, key);

  return found != NULL && found->type == TARE_VALUE_ARRAY && index < found->n
         && load_number (found, index, value);
}

/**
 * tare_metadata_remove:
 * @self: keys that are not shared yet
 * @key: a key, which need not be there
 */
void
tare_metadata_remove (TareMetadata *self,
                      const char   *key)
{
  gpointer found = (gpointer) find (self, key);

  if (found == NULL)
    return;

  g_hash_table_remove (self->by_key, key);
  g_ptr_array_remove (self->values, found);
}

/**
 * tare_metadata_set_u32:
 * @self: keys that are not shared yet
 * @key: a key; one that is there keeps its place
 * @value: its value
 */
void
tare_metadata_set_u32 (TareMetadata *self,
                       const char   *key,
                       guint32       value)
{
  TareValue *made = _tare_value_new (key, TARE_VALUE_U32, TARE_VALUE_U32, 1);
  guint32 word = GUINT32_TO_LE (value);

  made->data = g_memdup2 (&word, sizeof word);
  _tare_metadata_put (self, made);
}

/**
 * tare_metadata_set_f32:
 * @self: keys that are not shared yet
 * @key: a key; one that is there keeps its place
 * @value: its value
 */
void
tare_metadata_set_f32 (TareMetadata *self,
                       const char   *key,
                       float         value)
{
  TareValue *made = _tare_value_new (key, TARE_VALUE_F32, TARE_VALUE_F32, 1);
  guint32 word;

  memcpy (&word, &value, sizeof word);
  word = GUINT32_TO_LE (word);
  made->data = g_memdup2 (&word, sizeof word);
  _tare_metadata_put (self, made);
}

/**
 * tare_metadata_set_boolean:
 * @self: keys that are not shared yet
 * @key: a key; one that is there keeps its place
 * @value: its value
 */
void
tare_metadata_set_boolean (TareMetadata *self,
                           const char   *key,
                           gboolean      value)
{
  TareValue *made = _tare_value_new (key, TARE_VALUE_BOOL, TARE_VALUE_BOOL, 1);
  guint8 byte = value ? 1 : 0;

  made->data = g_memdup2 (&byte, sizeof byte);
  _tare_metadata_put (self, made);
}

static void
pack_strings (TareValue   *value,
              const char **strings)
{
  gsize total = 0;

  value->starts = g_new (gsize, value->n + 1);
  for (gsize i = 0; i < value->n; i++)
    {
      value->starts[i] = total;
      total += strlen (strings[i]) + 1;
    }
  value->starts[value->n] = total;

  value->data = g_malloc (MAX (total, 1));
  for (gsize i = 0; i < value->n; i++)
    memcpy (value->data + value->starts[i], strings[i], value->starts[i + 1] - value->starts[i]);
}

/**
 * tare_metadata_set_string:
 * @self: keys that are not shared yet
 * @key: a key; one that is there keeps its place
 * @value: its value
 */
void
tare_metadata_set_string (TareMetadata *self,
                          const char   *key,
                          const char   *value)
{
  TareValue *made = _tare_value_new (key, TARE_VALUE_STRING, TARE_VALUE_STRING, 1);

  pack_strings (made, &value);
  _tare_metadata_put (self, made);
}

/**
 * tare_metadata_set_strings:
 * @self: keys that are not shared yet
 * @key: a key; one that is there keeps its place
 * @values: (array length=n_values): its elements
 * @n_values: how many
 */
void
tare_metadata_set_strings (TareMetadata *self,
                           const char   *key,
                           const char  **values,
                           gsize         n_values)
{
  TareValue *made = _tare_value_new (key, TARE_VALUE_ARRAY, TARE_VALUE_STRING, n_values);

  pack_strings (made, values);
  _tare_metadata_put (self, made);
}

static void
set_words (TareMetadata  *self,
           const char    *key,
           TareValueType  type,
           const void    *words,
           gsize          n_words)
{
  TareValue *made = _tare_value_new (key, TARE_VALUE_ARRAY, type, n_words);

  made->data = g_malloc (MAX (n_words * sizeof (guint32), 1));
  for (gsize i = 0; i < n_words; i++)
    {
      guint32 word;

      memcpy (&word, (const guint8 *) words + i * sizeof word, sizeof word);
      word = GUINT32_TO_LE (word);
      memcpy (made->data + i * sizeof word, &word, sizeof word);
    }
  _tare_metadata_put (self, made);
}

/**
 * tare_metadata_set_i32s:
 * @self: keys that are not shared yet
 * @key: a key; one that is there keeps its place
 * @values: (array length=n_values): its elements
 * @n_values: how many
 */
void
tare_metadata_set_i32s (TareMetadata *self,
                        const char   *key,
                        const gint32 *values,
                        gsize         n_values)
{
  set_words (self, key, TARE_VALUE_I32, values, n_values);
}

/**
 * tare_metadata_set_f32s:
 * @self: keys that are not shared yet
 * @key: a key; one that is there keeps its place
 * @values: (array length=n_values): its elements
 * @n_values: how many
 */
void
tare_metadata_set_f32s (TareMetadata *self,
                        const char   *key,
                        const float  *values,
                        gsize         n_values)
{
  set_words (self, key, TARE_VALUE_F32, values, n_values);
}
