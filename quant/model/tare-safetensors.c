/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-safetensors.h"

#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-tensor-private.h"

/* Bounds of the reference reader (header) and of this one (the rest). */
#define MAX_HEADER     100000000u
#define MAX_NAME       4096
#define MAX_TENSORS    1000000
#define MAX_DEPTH      64

/* One row of the table of element types, https://huggingface.co/docs/safetensors. */
typedef struct
{
  const char *name;
  guint       bits;
  const char *format;
} Dtype;

static const Dtype dtypes[] = {
  { "BOOL", 8, NULL },
  { "F4", 4, NULL },
  { "F6_E2M3", 6, NULL },
  { "F6_E3M2", 6, NULL },
  { "U8", 8, NULL },
  { "I8", 8, NULL },
  { "F8_E5M2", 8, NULL },
  { "F8_E4M3", 8, NULL },
  { "F8_E8M0", 8, NULL },
  { "F8_E4M3FNUZ", 8, NULL },
  { "F8_E5M2FNUZ", 8, NULL },
  { "I16", 16, NULL },
  { "U16", 16, NULL },
  { "F16", 16, "f16" },
  { "BF16", 16, "bf16" },
  { "I32", 32, NULL },
  { "U32", 32, NULL },
  { "F32", 32, "f32" },
  { "C64", 64, NULL },
  { "F64", 64, NULL },
  { "I64", 64, NULL },
  { "U64", 64, NULL },
};

/* A strict reader of JSON: json-glib takes comments, lone surrogates and the last of two equal
 * keys, and would make an object of each of a million numbers. */
typedef struct
{
  TareFile     *file;
  const char   *text;
  gsize         length;
  gsize         position;
  GError      **error;
} Scanner;

typedef struct
{
  char        *name;
  const Dtype *dtype;
  guint        n_dimensions;
  guint64      shape[TARE_TENSOR_MAX_DIMENSIONS];
  guint64      begin;
  guint64      end;
} Entry;

typedef gboolean (*MemberFunc) (Scanner    *scanner,
                                const char *key,
                                gsize       length,
                                gpointer    data);

static gboolean
fail (Scanner    *self,
      const char *what)
{
  /* Offsets are in the file, where the header begins after its length. */
  return _tare_file_fail (self->file, self->error, TARE_ERROR_INVALID,
                          "header: %s at offset %" G_GSIZE_FORMAT, what, self->position + 8);
}

static gboolean
fail_tensor (Scanner    *self,
             const char *name,
             TareError   code,
             const char *what)
{
  g_autofree char *quoted = _tare_file_quote (name, strlen (name));

  return _tare_file_fail (self->file, self->error, code, "tensor %s: %s", quoted, what);
}

static void
skip_space (Scanner *self)
{
  while (self->position < self->length
         && strchr (" \t\n\r", self->text[self->position]) != NULL
         && self->text[self->position] != '\0')
    self->position++;
}

static char
peek (Scanner *self)
{
  skip_space (self);

  return self->position < self->length ? self->text[self->position] : '\0';
}

static gboolean
expect (Scanner    *self,
        char        c,
        const char *what)
{
  if (peek (self) != c)
    return fail (self, what);

  self->position++;

  return TRUE;
}

static gboolean
read_hex (Scanner  *self,
          gunichar *unit)
{
  *unit = 0;
  if (self->length - self->position < 4)
    return fail (self, "an escape that ends early");

  for (int i = 0; i < 4; i++)
    {
      int digit = g_ascii_xdigit_value (self->text[self->position]);

      if (digit < 0)
        return fail (self, "an escape that is not hexadecimal");
      *unit = *unit << 4 | (gunichar) digit;
      self->position++;
    }

  return TRUE;
}

/* After "\u"; a pair of surrogates makes one character. */
static gboolean
read_unicode (Scanner *self,
              GString *out)
{
  gunichar unit = 0;
  gunichar low = 0;

  if (!read_hex (self, &unit))
    return FALSE;

  if (unit >= 0xd800 && unit < 0xdc00)
    {
      if (self->length - self->position < 2 || self->text[self->position] != '\\'
          || self->text[self->position + 1] != 'u')
        return fail (self, "a surrogate without its other half");
      self->position += 2;
      if (!read_hex (self, &low))
        return FALSE;
      if (low < 0xdc00 || low >= 0xe000)
        return fail (self, "a surrogate without its other half");
      unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
  else if (unit >= 0xdc00 && unit < 0xe000)
    {
      return fail (self, "a surrogate without its other half");
    }

  if (unit == 0)
    g_string_append_c (out, '\0');
  else
    g_string_append_unichar (out, unit);

  return TRUE;
}

static gboolean
read_escape (Scanner *self,
             GString *out)
{
  static const char letters[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  const char *found = NULL;
  char c = '\0';

  if (self->position >= self->length)
    return fail (self, "a string that does not end");

  c = self->text[self->position++];
  if (c == 'u')
    return read_unicode (self, out);

  found = c != '\0' ? strchr (letters, c) : NULL;
  if (found == NULL)
    return fail (self, "an unknown escape");

  g_string_append_c (out, meanings[found - letters]);

  return TRUE;
}

/* Any string, of any length; the header bounds it. */
static gboolean
read_string (Scanner *self,
             GString *out)
{
  g_string_truncate (out, 0);
  if (!expect (self, '"', "a string was expected"))
    return FALSE;

  while (self->position < self->length)
    {
      gsize start = self->position;
      char c = '\0';

      while (self->position < self->length && self->text[self->position] != '"'
             && self->text[self->position] != '\\' && (guchar) self->text[self->position] >= 0x20)
        self->position++;
      g_string_append_len (out, self->text + start, (gssize) (self->position - start));

      if (self->position >= self->length)
        break;
      c = self->text[self->position];
      if ((guchar) c < 0x20)
        return fail (self, "a control character in a string");
      self->position++;
      if (c == '"')
        return TRUE;
      if (!read_escape (self, out))
        return FALSE;
    }

  return fail (self, "a string that does not end");
}

static gboolean
read_unsigned (Scanner *self,
               guint64 *value)
{
  gsize start = 0;

  *value = 0;
  if (!g_ascii_isdigit (peek (self)))
    return fail (self, "a whole number that is not negative was expected");

  start = self->position;
  while (self->position < self->length && g_ascii_isdigit (self->text[self->position]))
    {
      guint64 digit = (guint64) (self->text[self->position] - '0');

      if (!g_uint64_checked_mul (value, *value, 10) || !g_uint64_checked_add (value, *value, digit))
        return fail (self, "a number that does not fit 64 bits");
      self->position++;
    }

  if (self->text[start] == '0' && self->position - start > 1)
    return fail (self, "a number with an idle zero");
  if (self->position < self->length && strchr (".eE", self->text[self->position]) != NULL
      && self->text[self->position] != '\0')
    return fail (self, "a number that is not whole");

  return TRUE;
}

/* Numbers between brackets; more than @max are refused with @too_many. */
static gboolean
read_list (Scanner    *self,
           guint64    *values,
           guint       max,
           guint      *n,
           const char *too_many)
{
  *n = 0;
  if (!expect (self, '[', "a list was expected"))
    return FALSE;

  if (peek (self) == ']')
    {
      self->position++;
      return TRUE;
    }

  while (TRUE)
    {
      guint64 value = 0;

      if (!read_unsigned (self, &value))
        return FALSE;
      if (*n == max)
        return fail (self, too_many);
      values[(*n)++] = value;

      if (peek (self) != ',')
        return expect (self, ']', "a comma or the end of the list was expected");
      self->position++;
    }
}

/* An object, each member of which @func reads. Keys are unique, and are freed behind it. */
static gboolean
read_members (Scanner    *self,
              MemberFunc  func,
              gpointer    data)
{
  g_autoptr(GHashTable) seen = NULL;
  g_autoptr(GString) key = g_string_new (NULL);

  if (!expect (self, '{', "an object was expected"))
    return FALSE;

  if (peek (self) == '}')
    {
      self->position++;
      return TRUE;
    }

  seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  while (TRUE)
    {
      if (!read_string (self, key))
        return FALSE;
      if (strlen (key->str) != key->len)
        return fail (self, "a name with a NUL");
      if (!g_hash_table_add (seen, g_strdup (key->str)))
        {
          g_autofree char *quoted = _tare_file_quote (key->str, key->len);
          g_autofree char *what = g_strconcat ("the key ", quoted, " a second time", NULL);

          return fail (self, what);
        }
      if (!expect (self, ':', "a colon was expected") || !func (self, key->str, key->len, data))
        return FALSE;

      if (peek (self) != ',')
        return expect (self, '}', "a comma or the end of the object was expected");
      self->position++;
    }
}

static gboolean skip_value (Scanner *self,
                            guint    depth);

static gboolean
skip_member (Scanner    *self,
             const char *key,
             gsize       length,
             gpointer    data)
{
  return skip_value (self, *(guint *) data);
}

static gboolean
skip_list (Scanner *self,
           guint    depth)
{
  self->position++;
  if (peek (self) == ']')
    {
      self->position++;
      return TRUE;
    }

  while (TRUE)
    {
      if (!skip_value (self, depth))
        return FALSE;
      if (peek (self) != ',')
        return expect (self, ']', "a comma or the end of the list was expected");
      self->position++;
    }
}

static gboolean
skip_word (Scanner *self)
{
  static const char *const words[] = { "true", "false", "null" };
  gsize start = self->position;

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      gsize n = strlen (words[i]);

      if (self->length - start >= n && strncmp (self->text + start, words[i], n) == 0)
        {
          self->position += n;
          return TRUE;
        }
    }

  while (self->position < self->length && self->text[self->position] != '\0'
         && strchr ("+-.0123456789eE", self->text[self->position]) != NULL)
    self->position++;

  return self->position > start || fail (self, "a value was expected");
}

/* A field that a later version of the format may bring. */
static gboolean
skip_value (Scanner *self,
            guint    depth)
{
  char c = peek (self);
  guint below = depth + 1;

  if (depth >= MAX_DEPTH)
    return fail (self, "nesting too deep");

  if (c == '"')
    {
      g_autoptr(GString) ignored = g_string_new (NULL);

      return read_string (self, ignored);
    }

  if (c == '{')
    return read_members (self, skip_member, &below);
  if (c == '[')
    return skip_list (self, below);

  return skip_word (self);
}

static const Dtype *
lookup_dtype (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (dtypes); i++)
    {
      if (strcmp (dtypes[i].name, name) == 0)
        return &dtypes[i];
    }

  return NULL;
}

typedef struct
{
  Entry    *entry;
  gboolean  has_dtype;
  gboolean  has_shape;
  gboolean  has_offsets;
} Fields;

static gboolean
read_dtype (Scanner *self,
            Fields  *fields)
{
  g_autoptr(GString) name = g_string_new (NULL);

  if (!read_string (self, name))
    return FALSE;

  fields->has_dtype = TRUE;
  fields->entry->dtype = lookup_dtype (name->str);
  if (fields->entry->dtype == NULL || strlen (name->str) != name->len)
    {
      g_autofree char *quoted = _tare_file_quote (name->str, name->len);
      g_autofree char *what = g_strconcat ("unknown dtype ", quoted, NULL);

      return fail_tensor (self, fields->entry->name, TARE_ERROR_INVALID, what);
    }

  return TRUE;
}

static gboolean
read_field (Scanner    *self,
            const char *key,
            gsize       length,
            gpointer    data)
{
  Fields *fields = data;
  Entry *entry = fields->entry;
  guint64 offsets[2] = { 0, 0 };
  guint n = 0;

  if (strcmp (key, "dtype") == 0)
    return read_dtype (self, fields);

  if (strcmp (key, "shape") == 0)
    {
      fields->has_shape = TRUE;
      return read_list (self, entry->shape, TARE_TENSOR_MAX_DIMENSIONS, &entry->n_dimensions,
                        "a shape of more than 8 dimensions");
    }

  if (strcmp (key, "data_offsets") == 0)
    {
      fields->has_offsets = TRUE;
      if (!read_list (self, offsets, 2, &n, "more than two data_offsets"))
        return FALSE;
      if (n != 2)
        return fail_tensor (self, entry->name, TARE_ERROR_INVALID,
                            "data_offsets are not a begin and an end");
      entry->begin = offsets[0];
      entry->end = offsets[1];
      return TRUE;
    }

  return skip_value (self, 2);
}

static gboolean
read_note (Scanner    *self,
           const char *key,
           gsize       length,
           gpointer    data)
{
  g_autoptr(GString) ignored = g_string_new (NULL);

  if (peek (self) != '"')
    return fail (self, "a value of __metadata__ that is not a string");

  return read_string (self, ignored);
}

static gboolean
read_entry (Scanner    *self,
            const char *key,
            gsize       length,
            gpointer    data)
{
  GArray *entries = data;
  Entry entry = { 0 };
  Fields fields = { &entry, FALSE, FALSE, FALSE };
  const char *missing = NULL;

  if (strcmp (key, "__metadata__") == 0)
    return read_members (self, read_note, NULL);

  if (length == 0)
    return fail (self, "a tensor without a name");
  if (length > MAX_NAME)
    return fail (self, "a name of more than 4096 bytes");
  if (entries->len == MAX_TENSORS)
    return fail (self, "more than 1000000 tensors");

  entry.name = g_strdup (key);
  if (!read_members (self, read_field, &fields))
    {
      g_free (entry.name);
      return FALSE;
    }
  g_array_append_val (entries, entry);

  if (!fields.has_dtype)
    missing = "dtype is missing";
  else if (!fields.has_shape)
    missing = "shape is missing";
  else if (!fields.has_offsets)
    missing = "data_offsets are missing";

  return missing == NULL || fail_tensor (self, key, TARE_ERROR_INVALID, missing);
}

static void
entry_clear (gpointer data)
{
  g_free (((Entry *) data)->name);
}

static int
compare_entries (gconstpointer a,
                 gconstpointer b)
{
  const Entry *x = a;
  const Entry *y = b;

  if (x->begin != y->begin)
    return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end)
    return x->end < y->end ? -1 : 1;

  return strcmp (x->name, y->name);
}

static gboolean
check_size (Scanner     *self,
            const Entry *entry)
{
  guint64 bits = entry->dtype->bits;
  gboolean overflow = FALSE;
  guint64 product = 1;

  /* As the reference does, in the order of the dimensions: 0 does not undo an overflow. */
  for (guint i = 0; i < entry->n_dimensions; i++)
    overflow = overflow || !g_uint64_checked_mul (&product, product, entry->shape[i]);

  if (overflow || !g_uint64_checked_mul (&bits, bits, product))
    return fail_tensor (self, entry->name, TARE_ERROR_LIMIT,
                        "the product of its shape overflows 64 bits");

  if (bits % 8 != 0)
    return fail_tensor (self, entry->name, TARE_ERROR_INVALID,
                        "its elements do not fill whole bytes");

  if (entry->end - entry->begin != bits / 8)
    {
      g_autofree char *what = g_strdup_printf ("data_offsets span %" G_GUINT64_FORMAT
                                               " bytes, its shape and dtype take %"
                                               G_GUINT64_FORMAT,
                                               entry->end - entry->begin, bits / 8);

      return fail_tensor (self, entry->name, TARE_ERROR_INVALID, what);
    }

  return TRUE;
}

static gboolean
check_layout (Scanner *self,
              GArray  *entries)
{
  guint64 expected = 0;
  guint64 room = tare_file_get_size (self->file) - 8 - self->length;

  g_array_sort (entries, compare_entries);
  for (guint i = 0; i < entries->len; i++)
    {
      const Entry *entry = &g_array_index (entries, Entry, i);
      g_autofree char *what = NULL;

      if (entry->end < entry->begin)
        what = g_strdup ("data_offsets end before they begin");
      else if (entry->begin != expected)
        what = g_strdup_printf ("begins at data offset %" G_GUINT64_FORMAT ", %s %"
                                G_GUINT64_FORMAT, entry->begin,
                                entry->begin < expected ? "overlapping the data before it to"
                                                        : "leaving a hole from",
                                expected);

      if (what != NULL)
        return fail_tensor (self, entry->name, TARE_ERROR_INVALID, what);
      if (!check_size (self, entry))
        return FALSE;
      expected = entry->end;
    }

  if (expected != room)
    return _tare_file_fail (self->file, self->error, TARE_ERROR_INVALID,
                            "%s: tensors take %" G_GUINT64_FORMAT " bytes, after the header at "
                            "offset %" G_GSIZE_FORMAT " are %" G_GUINT64_FORMAT,
                            expected > room ? "truncated" : "trailing bytes", expected,
                            self->length + 8, room);

  return TRUE;
}

static gboolean
open_header (Scanner *self)
{
  TareCursor cursor = { self->file, 0, tare_file_get_size (self->file) };
  guint64 length = 0;
  const char *end = NULL;

  if (cursor.end < 8)
    return _tare_file_fail (self->file, self->error, TARE_ERROR_INVALID,
                            "%" G_GUINT64_FORMAT " bytes: neither GGUF nor safetensors",
                            cursor.end);

  if (!tare_cursor_read_u64 (&cursor, &length, self->error))
    return FALSE;

  /* A page or a picture that was dropped reads as a header of any length: say so, not how long. */
  if (length > MAX_HEADER && (cursor.end == 8 || tare_file_get_data (self->file)[8] != '{'))
    return _tare_file_fail (self->file, self->error, TARE_ERROR_INVALID,
                            "no model: neither GGUF nor safetensors");

  if (length > MAX_HEADER)
    return _tare_file_fail (self->file, self->error, TARE_ERROR_LIMIT,
                            "not safetensors: a header of %" G_GUINT64_FORMAT " bytes, at most %u "
                            "are allowed", length, MAX_HEADER);

  if (length > cursor.end - 8)
    return _tare_file_fail (self->file, self->error, TARE_ERROR_INVALID,
                            "a header of %" G_GUINT64_FORMAT " bytes in a file of %"
                            G_GUINT64_FORMAT, length, cursor.end);

  self->text = (const char *) tare_file_get_data (self->file) + 8;
  self->length = (gsize) length;
  if (memchr (self->text, '\0', self->length) != NULL)
    return _tare_file_fail (self->file, self->error, TARE_ERROR_INVALID, "a NUL in the header");
  if (!g_utf8_validate_len (self->text, self->length, &end))
    {
      self->position = (gsize) (end - self->text);
      return fail (self, "text that is not UTF-8");
    }

  return TRUE;
}

static gboolean
read_header (Scanner *self,
             GArray  *entries)
{
  if (!open_header (self) || !read_members (self, read_entry, entries))
    return FALSE;

  skip_space (self);
  if (self->position != self->length)
    return fail (self, "more text behind the end");

  return check_layout (self, entries);
}

/**
 * tare_safetensors_read:
 * @file: a file of tensors
 * @tensors: (element-type TareTensor): where they are appended, in the order of their data
 * @error: return location
 *
 * Reads the header of a safetensors file and checks all of it; the data is not touched. The names
 * are the file's own.
 *
 * Returns: %FALSE with @error set where the header breaks the format; @tensors is then unchanged
 */
gboolean
tare_safetensors_read (TareFile   *file,
                       GPtrArray  *tensors,
                       GError    **error)
{
  g_autoptr(GArray) entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  Scanner scanner = { .file = file, .error = error };

  g_return_val_if_fail (file != NULL, FALSE);
  g_return_val_if_fail (tensors != NULL, FALSE);

  g_array_set_clear_func (entries, entry_clear);
  if (!read_header (&scanner, entries))
    return FALSE;

  for (guint i = 0; i < entries->len; i++)
    {
      const Entry *entry = &g_array_index (entries, Entry, i);
      const char *format = entry->dtype->format;

      g_ptr_array_add (tensors,
                       _tare_tensor_new (file, entry->name, entry->dtype->name,
                                         format != NULL ? tare_format_lookup (format) : NULL,
                                         entry->n_dimensions, entry->shape,
                                         8 + scanner.length + entry->begin,
                                         entry->end - entry->begin));
    }

  return TRUE;
}

/**
 * tare_safetensors_get_bits:
 * @dtype: a type of the format, "BF16"
 *
 * Returns: the bits of an element, or 0 where there is no such type
 */
guint
tare_safetensors_get_bits (const char *dtype)
{
  for (gsize i = 0; i < G_N_ELEMENTS (dtypes); i++)
    if (strcmp (dtypes[i].name, dtype) == 0)
      return dtypes[i].bits;

  return 0;
}
