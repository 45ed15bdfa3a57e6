/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Unigram (T. Kudo, Subword regularization, 2018): of all ways to part a text into pieces the one
 * whose scores, the pieces' log-probabilities, have the largest sum. Viterbi over the positions of
 * characters, as SentencePiece does it.
 */
#include "quant/model/tare-tokenizer-private.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-unicode.h"

#define ESCAPED_SPACE "\xe2\x96\x81"
#define ESCAPED_LENGTH 3

/* How much less a character that no piece has counts than the piece that counts least:
 * SentencePiece, kUnkPenalty. */
#define UNKNOWN_PENALTY 10.0

/* Bytes that are parted at a time. */
#define MAXIMUM_WORD ((gsize) 1 << 20)

typedef struct
{
  TareTokenizer *tokenizer;
  TareMerger    *merger;
  GArray        *tokens;
} Encoding;

static void
reach (TareLattice *to,
       double       score,
       guint32      length,
       guint32      token)
{
  if (to->length != 0 && !(score > to->score))
    return;
  to->score = score;
  to->length = length;
  to->token = token;
}

/* Every piece that begins at @start, and the character itself where none is just that. */
static void
reach_from (TareTokenizer *self,
            TareLattice   *lattice,
            const char    *word,
            gsize          length,
            gsize          start,
            guint          character)
{
  gboolean single = FALSE;
  guint32 node = 0;

  for (gsize end = start; end < length;)
    {
      guint32 token;

      node = _tare_trie_step (&self->trie, node, (guint8) word[end++]);
      if (node == TARE_TOKEN_NONE)
        break;
      token = _tare_trie_get (&self->trie, node);
      if (token == TARE_TOKEN_NONE)
        continue;
      single = single || end - start == character;
      reach (&lattice[end],
             lattice[start].score
             + (double) _tare_vocabulary_get (&self->vocabulary, token)->score,
             (guint32) (end - start), token);
    }
  if (!single)
    reach (&lattice[start + character],
           lattice[start].score + self->least_score - UNKNOWN_PENALTY, character,
           TARE_TOKEN_NONE);
}

/* Bytes where each has a token, else one unknown token for all that stand side by side. */
static void
append_unknown (TareTokenizer *self,
                const char    *text,
                gsize          length,
                GArray        *tokens)
{
  gboolean bytes = TRUE;

  for (gsize i = 0; i < length; i++)
    bytes = bytes && self->bytes[(guint8) text[i]] != TARE_TOKEN_NONE;
  for (gsize i = 0; bytes && i < length; i++)
    g_array_append_val (tokens, self->bytes[(guint8) text[i]]);
  if (!bytes && self->unknown != TARE_TOKEN_NONE)
    g_array_append_val (tokens, self->unknown);
}

static void
append_path (TareTokenizer *self,
             TareLattice   *lattice,
             const char    *word,
             gsize          length,
             GArray        *tokens)
{
  gsize unknown = 0;

  /* Backward, to mark where the path goes on; then forward. */
  for (gsize end = length, n; end > 0; end -= n)
    {
      n = lattice[end].length;
      lattice[end - n].next = (guint32) n;
    }
  for (gsize i = 0; i < length; i += lattice[i].next)
    {
      guint32 token = lattice[i + lattice[i].next].token;

      if (token == TARE_TOKEN_NONE)
        {
          unknown += lattice[i].next;
          continue;
        }
      if (unknown > 0)
        append_unknown (self, word + i - unknown, unknown, tokens);
      unknown = 0;
      g_array_append_val (tokens, token);
    }
  if (unknown > 0)
    append_unknown (self, word + length - unknown, unknown, tokens);
}

static void
encode_part (TareTokenizer *self,
             TareMerger    *merger,
             const char    *word,
             gsize          length,
             GArray        *tokens)
{
  TareLattice *lattice;

  g_array_set_size (merger->lattice, 0);
  g_array_set_size (merger->lattice, (guint) length + 1);
  lattice = (TareLattice *) (gpointer) merger->lattice->data;
  for (gsize i = 0; i < length;)
    {
      gunichar character;
      guint n = tare_unicode_decode (word + i, length - i, &character);

      reach_from (self, lattice, word, length, i, n);
      i += n;
    }
  append_path (self, lattice, word, length, tokens);
}

/* Up to the next space after something else, where no piece reaches across. */
static gsize
find_part_end (TareTokenizer *self,
               const char    *text,
               gsize          length)
{
  const char *from = text + MIN (ESCAPED_LENGTH, length);
  const char *space = NULL;
  gsize end = length;

  if (!self->crosses_words)
    {
      for (gsize i = 0; i + ESCAPED_LENGTH <= length
           && memcmp (text + i, ESCAPED_SPACE, ESCAPED_LENGTH) == 0; i += ESCAPED_LENGTH)
        from = text + i + ESCAPED_LENGTH;
      space = g_strstr_len (from, text + length - from, ESCAPED_SPACE);
    }
  if (space != NULL)
    end = (gsize) (space - text);
  if (end <= MAXIMUM_WORD)
    return end;

  /* Cut at a character. */
  end = MAXIMUM_WORD;
  while (end > MAXIMUM_WORD - 4 && ((guint8) text[end] & 0xc0) == 0x80)
    end--;

  return end;
}

static void
encode_word (const char *text,
             gsize       length,
             gpointer    data)
{
  Encoding *encoding = data;
  g_autoptr(GString) escaped = _tare_escape_spaces (encoding->tokenizer, text, length);

  for (gsize i = 0; i < escaped->len;)
    {
      gsize n = find_part_end (encoding->tokenizer, escaped->str + i, escaped->len - i);

      encode_part (encoding->tokenizer, encoding->merger, escaped->str + i, n, encoding->tokens);
      i += n;
    }
}

static void
encode_unigram (TareTokenizer *self,
                TareMerger    *merger,
                const char    *text,
                gsize          length,
                GArray        *tokens)
{
  Encoding encoding = { self, merger, tokens };

  if (self->splitter != NULL && self->splitter->len > 0)
    _tare_splitter_run (self->splitter, text, length, encode_word, &encoding);
  else
    encode_word (text, length, &encoding);
}

/**
 * _tare_tokenizer_prepare_unigram:
 * @self: a tokenizer with all its pieces and their scores
 *
 * Makes what parting a text needs.
 */
void
_tare_tokenizer_prepare_unigram (TareTokenizer *self)
{
  double least = INFINITY;

  _tare_trie_init (&self->trie, &self->vocabulary);
  for (guint32 i = 0; i < self->vocabulary.n_tokens; i++)
    {
      const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, i);

      if (piece->text == NULL || piece->type != TARE_TOKEN_NORMAL)
        continue;
      least = MIN (least, (double) piece->score);
      self->crosses_words |= _tare_piece_crosses_words (piece);
    }
  self->least_score = isfinite (least) ? least : 0.0;
}

const TareTokenizerModel _tare_tokenizer_unigram = {
  .name = "t5",
  .encode = encode_unigram,
  .decode = _tare_decode_pieces,
  .begin = TARE_TOKEN_NONE,
  .end = 1,
  .unknown = 2,
  .add_prefix = TRUE,
};
