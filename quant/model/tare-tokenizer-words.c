/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * WordPiece as BERT has it: of every word the longest piece that begins it, then the longest that
 * goes on with it. Names are as in GGUF: a mark before what begins a word, nothing before what
 * goes on.
 */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-unicode.h"

#define WORD_MARK "\xe2\x96\x81"
#define WORD_MARK_LENGTH 3

typedef struct
{
  TareTokenizer *tokenizer;
  GArray        *tokens;
} Encoding;

/* The longest piece from @node on; returns its bytes, 0 for none. */
static gsize
find_longest (TareTokenizer *self,
              guint32        node,
              const char    *text,
              gsize          length,
              guint32       *token)
{
  gsize found = 0;

  for (gsize i = 0; i < length && node != TARE_TOKEN_NONE; i++)
    {
      node = _tare_trie_step (&self->trie, node, (guint8) text[i]);
      if (node != TARE_TOKEN_NONE && _tare_trie_get (&self->trie, node) != TARE_TOKEN_NONE)
        {
          *token = _tare_trie_get (&self->trie, node);
          found = i + 1;
        }
    }

  return found;
}

static gboolean
is_too_long (TareTokenizer *self,
             const char    *word,
             gsize          length)
{
  gunichar character;
  guint n = 0;

  for (gsize i = 0; i < length && n <= self->longest_word; n++)
    i += tare_unicode_decode (word + i, length - i, &character);

  return n > self->longest_word;
}

static void
encode_word (const char *word,
             gsize       length,
             gpointer    data)
{
  Encoding *encoding = data;
  TareTokenizer *self = encoding->tokenizer;
  guint before = encoding->tokens->len;
  gboolean known = !is_too_long (self, word, length);
  guint32 node = self->word_node;

  for (gsize i = 0; known && i < length; node = 0)
    {
      guint32 token = TARE_TOKEN_NONE;
      gsize n = find_longest (self, node, word + i, length - i, &token);

      known = n > 0;
      if (known)
        g_array_append_val (encoding->tokens, token);
      i += n;
    }
  if (known)
    return;

  g_array_set_size (encoding->tokens, before);
  if (self->unknown != TARE_TOKEN_NONE)
    g_array_append_val (encoding->tokens, self->unknown);
}

static void
encode_words (TareTokenizer *self,
              TareMerger    *merger,
              const char    *text,
              gsize          length,
              GArray        *tokens)
{
  Encoding encoding = { self, tokens };

  _tare_splitter_run (self->splitter, text, length, encode_word, &encoding);
}

static void
decode_words (TareTokenizer *self,
              guint32        token,
              GString       *text)
{
  const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, token);
  gboolean begins = g_str_has_prefix (piece->text, WORD_MARK);

  if (begins)
    g_string_append_c (text, ' ');
  g_string_append (text, piece->text + (begins ? WORD_MARK_LENGTH : 0));
}

/**
 * _tare_tokenizer_prepare_words:
 * @self: a tokenizer with all its pieces
 *
 * Makes what looking for pieces needs.
 */
void
_tare_tokenizer_prepare_words (TareTokenizer *self)
{
  _tare_trie_init (&self->trie, &self->vocabulary);
  self->word_node = 0;
  for (gsize i = 0; i < WORD_MARK_LENGTH && self->word_node != TARE_TOKEN_NONE; i++)
    self->word_node = _tare_trie_step (&self->trie, self->word_node, (guint8) WORD_MARK[i]);
}

/**
 * _tare_tokenizer_mark_words:
 * @self: a tokenizer whose names are not indexed yet
 * @continuing: what stands before a piece that goes on with a word
 *
 * From the names of a tokenizer.json to those of GGUF.
 */
void
_tare_tokenizer_mark_words (TareTokenizer *self,
                            const char    *continuing)
{
  TareVocabulary *vocabulary = &self->vocabulary;
  gsize n = strlen (continuing);

  for (guint32 i = 0; i < vocabulary->n_tokens; i++)
    {
      TarePiece *piece = _tare_vocabulary_get (vocabulary, i);
      gboolean goes_on = piece->text != NULL && piece->length > n
                         && g_str_has_prefix (piece->text, continuing);
      g_autofree char *name = NULL;

      if (piece->text == NULL || piece->type != TARE_TOKEN_NORMAL)
        continue;
      name = g_strconcat (goes_on ? "" : WORD_MARK, piece->text + (goes_on ? n : 0), NULL);
      piece->text = g_string_chunk_insert (vocabulary->texts, name);
      piece->length = (guint32) strlen (name);
      vocabulary->longest = MAX (vocabulary->longest, piece->length);
    }
}

const TareTokenizerModel _tare_tokenizer_words = {
  .name = "bert",
  .encode = encode_words,
  .decode = decode_words,
  .begin = 101,
  .end = 102,
  .unknown = 100,
  .add_begin = TRUE,
  .add_prefix = TRUE,
};
