/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * SentencePiece's precompiled_charsmap: a double-array trie (S. Yata, Darts-clone) over what is
 * replaced, and the texts that take its place, each ended by a zero. Of all that begins at a
 * place the longest is replaced.
 */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-unicode.h"
#include "quant/tare-error.h"

struct _TareCharsmap
{
  guint32 *units;
  gsize    n_units;
  char    *texts;
  gsize    length;
};

/**
 * _tare_charsmap_new:
 * @data: (nullable): the table: bytes of the trie in 32 bits, the trie, the texts
 * @length: bytes of it
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: (transfer full): the table, or %NULL with %TARE_ERROR_INVALID for one cut short
 */
TareCharsmap *
_tare_charsmap_new (const guint8  *data,
                    gsize          length,
                    const char    *path,
                    GError       **error)
{
  guint32 size = 0;
  TareCharsmap *self;

  if (length >= sizeof size)
    memcpy (&size, data, sizeof size);
  size = GUINT32_FROM_LE (size);
  if (length < sizeof size || size > length - sizeof size || size % sizeof (guint32) != 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: precompiled_charsmap ends too early", path);
      return NULL;
    }

  self = g_new0 (TareCharsmap, 1);
  self->n_units = size / sizeof (guint32);
  self->units = g_memdup2 (data + sizeof size, size);
  for (gsize i = 0; i < self->n_units; i++)
    self->units[i] = GUINT32_FROM_LE (self->units[i]);
  self->length = length - sizeof size - size;
  self->texts = g_malloc (self->length + 1);
  memcpy (self->texts, data + sizeof size + size, self->length);
  self->texts[self->length] = '\0';

  return self;
}

void
_tare_charsmap_free (TareCharsmap *self)
{
  g_free (self->units);
  g_free (self->texts);
  g_free (self);
}

/* Darts-clone's units: where the children are, what byte leads here, whether a value is there. */
static gsize
get_offset (guint32 unit)
{
  return (gsize) (unit >> 10) << ((unit & (1u << 9)) >> 6);
}

static guint32
get_label (guint32 unit)
{
  return unit & (1u << 31 | 0xff);
}

static gboolean
has_leaf (guint32 unit)
{
  return (unit >> 8 & 1) != 0;
}

/* The longest that is replaced here, and by what; returns its bytes, 0 for none. */
static gsize
find_longest (const TareCharsmap  *self,
              const char          *text,
              gsize                length,
              const char         **replacement)
{
  gsize node = self->n_units > 0 ? get_offset (self->units[0]) : 0;
  gsize found = 0;

  for (gsize i = 0; i < length && text[i] != '\0'; i++)
    {
      guint32 unit;

      node ^= (guint8) text[i];
      if (node >= self->n_units || get_label (self->units[node]) != (guint8) text[i])
        break;
      unit = self->units[node];
      node ^= get_offset (unit);
      if (has_leaf (unit) && node < self->n_units)
        {
          gsize value = self->units[node] & 0x7fffffff;

          if (value < self->length)
            {
              *replacement = self->texts + value;
              found = i + 1;
            }
        }
    }

  return found;
}

/**
 * _tare_charsmap_run:
 * @self: a table
 * @text: bytes, which need not be UTF-8
 * @length: how many
 *
 * Returns: (transfer full): the text with all that the table knows replaced
 */
GString *
_tare_charsmap_run (const TareCharsmap *self,
                    const char         *text,
                    gsize               length)
{
  GString *result = g_string_sized_new (length + 1);

  for (gsize i = 0; i < length;)
    {
      const char *replacement = NULL;
      gsize n = find_longest (self, text + i, length - i, &replacement);
      gunichar character;

      if (n > 0)
        {
          g_string_append (result, replacement);
        }
      else
        {
          n = tare_unicode_decode (text + i, length - i, &character);
          g_string_append_len (result, text + i, (gssize) n);
        }
      i += n;
    }

  return result;
}
