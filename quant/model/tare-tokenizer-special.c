/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* memmem */

#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

static int
compare_lengths (gconstpointer a,
                 gconstpointer b,
                 gpointer      data)
{
  const TareVocabulary *vocabulary = data;
  guint32 i = *(const guint32 *) a;
  guint32 j = *(const guint32 *) b;
  guint32 m = _tare_vocabulary_get (vocabulary, i)->length;
  guint32 n = _tare_vocabulary_get (vocabulary, j)->length;

  return m != n ? (m > n ? -1 : 1) : (i < j ? -1 : i > j);
}

static guint8
first_byte (TareTokenizer *self,
            guint32        token)
{
  return (guint8) _tare_vocabulary_get (&self->vocabulary, token)->text[0];
}

/**
 * _tare_tokenizer_index_specials:
 * @self: a tokenizer with all its tokens
 *
 * Collects the tokens that are found in a text by their names, the longest first.
 */
void
_tare_tokenizer_index_specials (TareTokenizer *self)
{
  guint32 n = 0;

  for (guint32 i = 0; i < self->vocabulary.n_tokens; i++)
    {
      const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, i);

      if (piece->text != NULL
          && (piece->type == TARE_TOKEN_CONTROL || piece->type == TARE_TOKEN_UNKNOWN
              || piece->type == TARE_TOKEN_USER_DEFINED))
        g_array_append_val (self->specials, i);
    }
  g_array_sort_with_data (self->specials, compare_lengths, &self->vocabulary);

  for (guint byte = 0; byte < 256; byte++)
    {
      self->special_starts[byte] = n;
      for (guint i = 0; i < self->specials->len; i++)
        if (first_byte (self, g_array_index (self->specials, guint32, i)) == byte)
          {
            g_array_append_val (self->specials_by_byte, i);
            n++;
          }
    }
  self->special_starts[256] = n;
}

/* Sets a byte of @present for each special token that occurs anywhere in the text. */
static gboolean
find_present (TareTokenizer *self,
              const char    *text,
              gsize          length,
              gboolean       control,
              guint8        *present)
{
  gboolean any = FALSE;

  for (gsize position = 0; position < length; position++)
    {
      guint8 byte = (guint8) text[position];

      for (guint32 i = self->special_starts[byte]; i < self->special_starts[byte + 1]; i++)
        {
          guint which = g_array_index (self->specials_by_byte, guint, i);
          guint32 token = g_array_index (self->specials, guint32, which);
          const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, token);

          if (present[which] || piece->length > length - position
              || (!control && piece->type != TARE_TOKEN_USER_DEFINED)
              || memcmp (piece->text, text + position, piece->length) != 0)
            continue;
          present[which] = 1;
          any = TRUE;
        }
    }

  return any;
}

static void
append_fragment (GArray  *fragments,
                 gsize    start,
                 gsize    length,
                 guint32  token)
{
  TareFragment fragment = { start, length, token };

  if (length > 0)
    g_array_append_val (fragments, fragment);
}

static GArray *
split_at (TareTokenizer *self,
          GArray        *fragments,
          const char    *text,
          guint32        token)
{
  const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, token);
  GArray *result = g_array_sized_new (FALSE, FALSE, sizeof (TareFragment), fragments->len + 2);

  for (guint i = 0; i < fragments->len; i++)
    {
      TareFragment rest = g_array_index (fragments, TareFragment, i);
      const char *found;

      while (rest.token == TARE_TOKEN_NONE
             && (found = memmem (text + rest.start, rest.length,
                                 piece->text, piece->length)) != NULL)
        {
          gsize before = (gsize) (found - text) - rest.start;

          append_fragment (result, rest.start, before, TARE_TOKEN_NONE);
          append_fragment (result, rest.start + before, piece->length, token);
          rest.start += before + piece->length;
          rest.length -= before + piece->length;
        }
      append_fragment (result, rest.start, rest.length, rest.token);
    }
  g_array_unref (fragments);

  return result;
}

/**
 * _tare_tokenizer_find_specials:
 * @self: a tokenizer
 * @text: bytes
 * @length: how many
 * @control: whether control tokens count; those that a user defined always do
 *
 * Splits a text at the names of special tokens: at every occurrence of the longest name, then what
 * lies between at those of the next, as llama.cpp does.
 *
 * Returns: (transfer full) (element-type TareFragment): the parts in order, none of them empty
 */
GArray *
_tare_tokenizer_find_specials (TareTokenizer *self,
                               const char    *text,
                               gsize          length,
                               gboolean       control)
{
  g_autofree guint8 *present = g_new0 (guint8, self->specials->len + 1);
  GArray *fragments = g_array_new (FALSE, FALSE, sizeof (TareFragment));

  append_fragment (fragments, 0, length, TARE_TOKEN_NONE);
  if (!find_present (self, text, length, control, present))
    return fragments;

  for (guint i = 0; i < self->specials->len; i++)
    if (present[i])
      fragments = split_at (self, fragments, text, g_array_index (self->specials, guint32, i));

  return fragments;
}
