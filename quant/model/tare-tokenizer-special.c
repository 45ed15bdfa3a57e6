/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* memmem */

#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-unicode.h"

static int
compare_lengths (gconstpointer a,
                 gconstpointer b)
{
  const TareSpecial *x = a;
  const TareSpecial *y = b;

  return x->length != y->length ? (x->length > y->length ? -1 : 1)
                                : (x->token < y->token ? -1 : x->token > y->token);
}

static const TareSpecial *
get_special (TareTokenizer *self,
             guint          index)
{
  return &g_array_index (self->specials, TareSpecial, index);
}

/* What is looked for in a text that was normalized is what becomes of the name. */
static void
add_special (TareTokenizer *self,
             guint32        token)
{
  const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, token);
  TareSpecial special = {
    token, piece->length, piece->text, piece->matching, piece->type == TARE_TOKEN_USER_DEFINED,
  };

  if (self->normalizer == NULL || self->normalizer->len == 0)
    special.matching &= ~TARE_MATCHING_NORMALIZED;
  if (special.matching & TARE_MATCHING_NORMALIZED)
    {
      g_autoptr(GString) name = _tare_normalizer_run (self->normalizer, piece->text,
                                                      piece->length);

      special.text = g_string_chunk_insert_len (self->vocabulary.texts, name->str,
                                                (gssize) name->len);
      special.length = (guint32) name->len;
    }
  if (special.length == 0)
    return;
  self->any_matching |= special.matching;
  g_array_append_val (self->specials, special);
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
        add_special (self, i);
    }
  g_array_sort (self->specials, compare_lengths);

  for (guint byte = 0; byte < 256; byte++)
    {
      self->special_starts[byte] = n;
      for (guint i = 0; i < self->specials->len; i++)
        if ((guint8) get_special (self, i)->text[0] == byte)
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
              gboolean       normalized,
              guint8        *present)
{
  gboolean any = FALSE;

  for (gsize position = 0; position < length; position++)
    {
      guint8 byte = (guint8) text[position];

      for (guint32 i = self->special_starts[byte]; i < self->special_starts[byte + 1]; i++)
        {
          guint which = g_array_index (self->specials_by_byte, guint, i);
          const TareSpecial *special = get_special (self, which);

          if (present[which] || special->length > length - position
              || (!control && !special->always)
              || normalized != ((special->matching & TARE_MATCHING_NORMALIZED) != 0)
              || memcmp (special->text, text + position, special->length) != 0)
            continue;
          present[which] = 1;
          any = TRUE;
        }
    }

  return any;
}

/* The character that ends a text, and its bytes. */
static guint
decode_last (const char *text,
             gsize       length,
             gunichar   *character)
{
  for (guint n = 2; n <= 4 && n <= length; n++)
    if (((guint8) text[length - n + 1] & 0xc0) != 0x80)
      break;
    else if (tare_unicode_decode (text + length - n, n, character) == n)
      return n;

  return tare_unicode_decode (text + length - 1, 1, character);
}

/* What \w is in a regular expression: Unicode Technical Standard 18, annex C. */
static gboolean
is_word (gunichar character)
{
  GUnicodeType type;

  if (character == TARE_UNICODE_INVALID)
    return FALSE;
  type = g_unichar_type (character);

  return g_unichar_isalpha (character) || g_unichar_ismark (character)
         || type == G_UNICODE_DECIMAL_NUMBER || type == G_UNICODE_LETTER_NUMBER
         || type == G_UNICODE_CONNECT_PUNCTUATION || character == 0x200c || character == 0x200d;
}

static gboolean
is_space (gunichar character)
{
  return character != TARE_UNICODE_INVALID
         && (tare_unicode_classify (character) & TARE_UNICODE_SPACE) != 0;
}

/* Whether neither side of @start to @end goes on with a word. */
static gboolean
stands_alone (const char *text,
              gsize       length,
              gsize       start,
              gsize       end)
{
  gunichar character;

  if (start > 0)
    {
      decode_last (text, start, &character);
      if (is_word (character))
        return FALSE;
    }
  if (end < length)
    {
      tare_unicode_decode (text + end, length - end, &character);
      if (is_word (character))
        return FALSE;
    }

  return TRUE;
}

/* Takes the white space of the text around a token, as far as @from and @to. */
static void
widen (const TareSpecial *special,
       const char        *text,
       gsize              from,
       gsize              to,
       gsize             *start,
       gsize             *end)
{
  gunichar character;
  guint n;

  if (special->matching & TARE_MATCHING_LEFT)
    while (*start > from)
      {
        n = decode_last (text + from, *start - from, &character);
        if (!is_space (character))
          break;
        *start -= n;
      }
  if (special->matching & TARE_MATCHING_RIGHT)
    while (*end < to)
      {
        n = tare_unicode_decode (text + *end, to - *end, &character);
        if (!is_space (character))
          break;
        *end += n;
      }
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

/* Parts of a text without tokens at every place of one. */
static void
split_part (const TareSpecial *special,
            const char        *text,
            gsize              length,
            TareFragment       rest,
            GArray            *result)
{
  gsize from = rest.start;
  gsize to = rest.start + rest.length;
  const char *found;

  for (gsize at = from; (found = memmem (text + at, to - at,
                                         special->text, special->length)) != NULL;)
    {
      gsize start = (gsize) (found - text);
      gsize end = start + special->length;

      at = end;
      if ((special->matching & TARE_MATCHING_WORD) && !stands_alone (text, length, start, end))
        continue;
      widen (special, text, from, to, &start, &end);
      append_fragment (result, from, start - from, TARE_TOKEN_NONE);
      append_fragment (result, start, end - start, special->token);
      at = from = end;
    }
  append_fragment (result, from, to - from, TARE_TOKEN_NONE);
}

static GArray *
split_at (const TareSpecial *special,
          GArray            *fragments,
          const char        *text,
          gsize              length)
{
  GArray *result = g_array_sized_new (FALSE, FALSE, sizeof (TareFragment), fragments->len + 2);

  for (guint i = 0; i < fragments->len; i++)
    {
      TareFragment rest = g_array_index (fragments, TareFragment, i);

      if (rest.token == TARE_TOKEN_NONE)
        split_part (special, text, length, rest, result);
      else
        g_array_append_val (result, rest);
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
 * @normalized: whether the text was normalized, which some tokens ask for and the others are
 *   found before
 *
 * Splits a text at the names of special tokens: at every occurrence of the longest name, then what
 * lies between at those of the next, as llama.cpp does. White space beside a name and the words
 * about it count as "lstrip", "rstrip" and "single_word" of Hugging Face's AddedToken say.
 *
 * Returns: (transfer full) (element-type TareFragment): the parts in order, none of them empty
 */
GArray *
_tare_tokenizer_find_specials (TareTokenizer *self,
                               const char    *text,
                               gsize          length,
                               gboolean       control,
                               gboolean       normalized)
{
  g_autofree guint8 *present = g_new0 (guint8, self->specials->len + 1);
  GArray *fragments = g_array_new (FALSE, FALSE, sizeof (TareFragment));

  append_fragment (fragments, 0, length, TARE_TOKEN_NONE);
  if (!find_present (self, text, length, control, normalized, present))
    return fragments;

  for (guint i = 0; i < self->specials->len; i++)
    if (present[i])
      fragments = split_at (get_special (self, i), fragments, text, length);

  return fragments;
}
