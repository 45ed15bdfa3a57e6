/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/tare-error.h"
#include "quant/tare-hash.h"

/* No token that means anything is longer; what is longer makes tables of its splits costly. */
#define MAXIMUM_LENGTH 4096

/* Folded, since slots are found by its low bits. */
static guint64
hash (const char *text,
      gsize       length)
{
  guint64 value = tare_hash_bytes (TARE_HASH_START, text, length);

  return value ^ value >> 32;
}

/**
 * _tare_vocabulary_init:
 * @self: (out caller-allocates): a vocabulary
 * @n_tokens: how many tokens, none of which has a name yet
 */
void
_tare_vocabulary_init (TareVocabulary *self,
                       guint32         n_tokens)
{
  self->texts = g_string_chunk_new (4096);
  self->pieces = g_array_new (FALSE, TRUE, sizeof (TarePiece));
  g_array_set_size (self->pieces, n_tokens);
  self->n_tokens = n_tokens;
  self->longest = 0;
  self->slots = NULL;
  self->bits = 0;

  for (guint32 i = 0; i < n_tokens; i++)
    _tare_vocabulary_get (self, i)->type = TARE_TOKEN_UNUSED;
}

void
_tare_vocabulary_clear (TareVocabulary *self)
{
  g_clear_pointer (&self->texts, g_string_chunk_free);
  g_clear_pointer (&self->pieces, g_array_unref);
  g_clear_pointer (&self->slots, g_free);
}

TarePiece *
_tare_vocabulary_get (const TareVocabulary *self,
                      guint32               symbol)
{
  return &g_array_index (self->pieces, TarePiece, symbol);
}

/**
 * _tare_vocabulary_set:
 * @self: a vocabulary
 * @token: an id below n_tokens
 * @text: its name; an empty one names nothing
 * @type: its type
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: %FALSE with %TARE_ERROR_INVALID for an id that has another name, with
 *   %TARE_ERROR_LIMIT for a name without end
 */
gboolean
_tare_vocabulary_set (TareVocabulary  *self,
                      guint32          token,
                      const char      *text,
                      TareTokenType    type,
                      const char      *path,
                      GError         **error)
{
  TarePiece *piece = _tare_vocabulary_get (self, token);
  gsize length = strlen (text);

  if (length > MAXIMUM_LENGTH)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: token %u is longer than %u bytes", path, token, MAXIMUM_LENGTH);
      return FALSE;
    }
  if (piece->text != NULL && strcmp (piece->text, text) != 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: token %u is both \"%s\" and \"%s\"", path, token, piece->text, text);
      return FALSE;
    }

  piece->type = type;
  if (piece->text == NULL && length > 0)
    {
      piece->text = g_string_chunk_insert_len (self->texts, text, (gssize) length);
      piece->length = (guint32) length;
      self->longest = MAX (self->longest, piece->length);
    }

  return TRUE;
}

static guint32 *
find_slot (const TareVocabulary *self,
           const char           *text,
           gsize                 length)
{
  gsize mask = ((gsize) 1 << self->bits) - 1;
  gsize i = (gsize) hash (text, length) & mask;

  for (;; i = (i + 1) & mask)
    {
      const TarePiece *piece;

      if (self->slots[i] == TARE_TOKEN_NONE)
        return &self->slots[i];
      piece = _tare_vocabulary_get (self, self->slots[i]);
      if (piece->length == length && memcmp (piece->text, text, length) == 0)
        return &self->slots[i];
    }
}

static void
make_slots (TareVocabulary *self,
            gsize           n)
{
  g_free (self->slots);
  self->bits = 4;
  while (((gsize) 1 << self->bits) < 2 * n)
    self->bits++;
  self->slots = g_new (guint32, (gsize) 1 << self->bits);
  memset (self->slots, 0xff, sizeof (guint32) << self->bits);
}

/**
 * _tare_vocabulary_index:
 * @self: a vocabulary with all its names
 * @path: the file, for messages
 * @error: return location
 *
 * Makes the table from names to tokens.
 *
 * Returns: %FALSE with %TARE_ERROR_INVALID for a name that two tokens have
 */
gboolean
_tare_vocabulary_index (TareVocabulary  *self,
                        const char      *path,
                        GError         **error)
{
  make_slots (self, self->pieces->len);

  for (guint32 i = 0; i < self->pieces->len; i++)
    {
      const TarePiece *piece = _tare_vocabulary_get (self, i);
      guint32 *slot;

      if (piece->text == NULL)
        continue;
      slot = find_slot (self, piece->text, piece->length);
      if (*slot != TARE_TOKEN_NONE)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                       "%s: tokens %u and %u are both \"%s\"", path, *slot, i, piece->text);
          return FALSE;
        }
      *slot = i;
    }

  return TRUE;
}

/**
 * _tare_vocabulary_find:
 * @self: an indexed vocabulary
 * @text: bytes
 * @length: how many
 *
 * Returns: the symbol of that name, or %TARE_TOKEN_NONE
 */
guint32
_tare_vocabulary_find (const TareVocabulary *self,
                       const char           *text,
                       gsize                 length)
{
  if (length == 0 || length > self->longest)
    return TARE_TOKEN_NONE;

  return *find_slot (self, text, length);
}

/**
 * _tare_vocabulary_find_name:
 * @self: an indexed vocabulary
 * @name: (nullable): a name
 *
 * Returns: the symbol of that name, or %TARE_TOKEN_NONE
 */
guint32
_tare_vocabulary_find_name (const TareVocabulary *self,
                            const char           *name)
{
  return name != NULL ? _tare_vocabulary_find (self, name, strlen (name)) : TARE_TOKEN_NONE;
}

/**
 * _tare_vocabulary_add_symbol:
 * @self: an indexed vocabulary
 * @text: a character
 * @length: bytes of it
 *
 * Returns: its symbol, which is made if there is none; one after the tokens, so no token
 */
guint32
_tare_vocabulary_add_symbol (TareVocabulary *self,
                             const char     *text,
                             gsize           length)
{
  guint32 *slot = find_slot (self, text, length);
  TarePiece piece = { NULL, (guint32) length, TARE_TOKEN_UNUSED, 0.0f };
  guint32 symbol = self->pieces->len;

  if (*slot != TARE_TOKEN_NONE)
    return *slot;

  piece.text = g_string_chunk_insert_len (self->texts, text, (gssize) length);
  g_array_append_val (self->pieces, piece);
  if (2 * (gsize) self->pieces->len > (gsize) 1 << self->bits)
    {
      make_slots (self, 2 * (gsize) self->pieces->len);
      for (guint32 i = 0; i < symbol; i++)
        {
          const TarePiece *other = _tare_vocabulary_get (self, i);

          if (other->text != NULL)
            *find_slot (self, other->text, other->length) = i;
        }
      slot = find_slot (self, text, length);
    }
  *slot = symbol;

  return symbol;
}
