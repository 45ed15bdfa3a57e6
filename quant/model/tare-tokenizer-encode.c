/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-unicode.h"

/* What stands for a space in the names of pieces. */
#define ESCAPED_SPACE "\xe2\x96\x81"
#define ESCAPED_LENGTH 3

/* A word is cut there, wherever that falls; what has none shorter is no text. */
#define MAXIMUM_WORD ((gsize) 1 << 26)

typedef struct
{
  TareTokenizer *tokenizer;
  TareMerger    *merger;
  GArray        *tokens;
} Encoding;

static void
append_node (TareMerger *merger,
             guint32     symbol,
             guint32     length)
{
  TareNode node = { .symbol = symbol, .length = length };

  g_array_append_val (merger->nodes, node);
}

/* The token whose name is the whole word. */
static guint32
find_word (TareTokenizer *self,
           const char    *word,
           gsize          length)
{
  g_autoptr(GString) name = NULL;

  if (length > self->vocabulary.longest)
    return TARE_TOKEN_NONE;

  name = g_string_sized_new (2 * length + 1);
  for (gsize i = 0; i < length; i++)
    g_string_append_unichar (name, tare_unicode_from_byte ((guint8) word[i]));

  return _tare_vocabulary_find (&self->vocabulary, name->str, name->len);
}

static void
encode_word (const char *word,
             gsize       length,
             gpointer    data)
{
  Encoding *encoding = data;
  TareTokenizer *self = encoding->tokenizer;
  GArray *nodes = encoding->merger->nodes;
  gsize n = MIN (length, MAXIMUM_WORD);

  if (self->ignore_merges)
    {
      guint32 token = find_word (self, word, length);

      if (token != TARE_TOKEN_NONE)
        {
          g_array_append_val (encoding->tokens, token);
          return;
        }
    }

  g_array_set_size (nodes, 0);
  for (gsize i = 0; i < n; i++)
    append_node (encoding->merger, self->bytes[(guint8) word[i]], 1);
  _tare_merger_run (encoding->merger, &self->pairs);

  for (guint i = 0; i < nodes->len; i++)
    {
      guint32 token = g_array_index (nodes, TareNode, i).symbol;

      if (token != TARE_TOKEN_NONE)
        g_array_append_val (encoding->tokens, token);
    }
  if (n < length)
    encode_word (word + n, length - n, data);
}

static void
encode_bytes (TareTokenizer *self,
              TareMerger    *merger,
              const char    *text,
              gsize          length,
              GArray        *tokens)
{
  Encoding encoding = { self, merger, tokens };
  g_autoptr(GString) prefixed = NULL;

  if (self->add_prefix && text[0] != ' ')
    {
      prefixed = g_string_sized_new (length + 2);
      g_string_append_c (prefixed, ' ');
      g_string_append_len (prefixed, text, (gssize) length);
      text = prefixed->str;
      length = prefixed->len;
    }

  _tare_splitter_run (self->splitter, text, length, encode_word, &encoding);
}

static void
decode_bytes (TareTokenizer *self,
              guint32        token,
              GString       *text)
{
  const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, token);

  for (gsize i = 0; i < piece->length;)
    {
      gunichar character;
      guint n = tare_unicode_decode (piece->text + i, piece->length - i, &character);
      int byte = tare_unicode_to_byte (character);

      if (byte >= 0)
        g_string_append_c (text, (char) byte);
      else
        g_string_append_len (text, piece->text + i, n);
      i += n;
    }
}

/* The tokens of the bytes of what is no token. */
static void
append_bytes (TareTokenizer *self,
              const char    *text,
              gsize          length,
              GArray        *tokens)
{
  for (gsize i = 0; i < length; i++)
    {
      guint32 token = self->bytes[(guint8) text[i]];

      if (token == TARE_TOKEN_NONE)
        token = self->unknown;
      if (token != TARE_TOKEN_NONE)
        g_array_append_val (tokens, token);
    }
}

static void
encode_pieces_of_word (TareTokenizer *self,
                       TareMerger    *merger,
                       const char    *word,
                       gsize          length,
                       GArray        *tokens)
{
  g_array_set_size (merger->nodes, 0);
  for (gsize i = 0; i < length;)
    {
      gunichar character;
      guint n = tare_unicode_decode (word + i, length - i, &character);

      append_node (merger, _tare_vocabulary_find (&self->vocabulary, word + i, n), n);
      i += n;
    }
  _tare_merger_run (merger, &self->pairs);

  for (guint i = 0; i < merger->nodes->len; i++)
    {
      const TareNode *node = &g_array_index (merger->nodes, TareNode, i);

      if (node->symbol < self->vocabulary.n_tokens)
        g_array_append_val (tokens, node->symbol);
      else
        append_bytes (self, word, node->length, tokens);
      word += node->length;
    }
}

/* Marks in the place of spaces, with one before the text where the vocabulary wants that. */
GString *
_tare_escape_spaces (TareTokenizer *self,
                     const char    *text,
                     gsize          length)
{
  gboolean marked = text[0] == ' ' || g_str_has_prefix (text, ESCAPED_SPACE);
  GString *escaped = g_string_sized_new (length + length / 2 + ESCAPED_LENGTH + 1);

  if (self->add_prefix && !(self->prefixes_once && marked))
    g_string_append_len (escaped, ESCAPED_SPACE, ESCAPED_LENGTH);
  while (length > 0)
    {
      const char *space = memchr (text, ' ', length);
      gsize n = space != NULL ? (gsize) (space - text) : length;

      g_string_append_len (escaped, text, (gssize) n);
      if (space != NULL)
        g_string_append_len (escaped, ESCAPED_SPACE, ESCAPED_LENGTH);
      text += n + (space != NULL);
      length -= n + (space != NULL);
    }

  return escaped;
}

/* The bytes up to the next space after something else, where no merge reaches across. */
static gsize
find_word_end (TareTokenizer *self,
               const char    *text,
               gsize          length)
{
  gboolean inside = FALSE;

  length = MIN (length, MAXIMUM_WORD);
  if (self->crosses_words)
    return length;

  for (gsize i = 0; i < length;)
    {
      gboolean space = length - i >= ESCAPED_LENGTH
                       && memcmp (text + i, ESCAPED_SPACE, ESCAPED_LENGTH) == 0;

      if (space && inside)
        return i;
      inside = !space;
      i += space ? ESCAPED_LENGTH : 1;
    }

  return length;
}

static void
encode_pieces (TareTokenizer *self,
               TareMerger    *merger,
               const char    *text,
               gsize          length,
               GArray        *tokens)
{
  g_autoptr(GString) escaped = _tare_escape_spaces (self, text, length);

  for (gsize i = 0; i < escaped->len;)
    {
      gsize n = find_word_end (self, escaped->str + i, escaped->len - i);

      encode_pieces_of_word (self, merger, escaped->str + i, n, tokens);
      i += n;
    }
}

/* The bytes of a piece, marks as spaces. */
void
_tare_decode_pieces (TareTokenizer *self,
                     guint32        token,
                     GString       *text)
{
  const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, token);
  const char *rest = piece->text;
  const char *space;

  if (piece->type == TARE_TOKEN_BYTE && piece->length == 6)
    {
      g_string_append_c (text, (char) (g_ascii_xdigit_value (piece->text[3]) << 4
                                       | g_ascii_xdigit_value (piece->text[4])));
      return;
    }

  while ((space = strstr (rest, ESCAPED_SPACE)) != NULL)
    {
      g_string_append_len (text, rest, space - rest);
      g_string_append_c (text, ' ');
      rest = space + ESCAPED_LENGTH;
    }
  g_string_append (text, rest);
}

/* The defaults are llama.cpp's, for files that leave a key out. */
const TareTokenizerModel _tare_tokenizer_bytes = {
  .name = "gpt2",
  .encode = encode_bytes,
  .decode = decode_bytes,
  .begin = 11,
  .end = 11,
  .unknown = TARE_TOKEN_NONE,
};

const TareTokenizerModel _tare_tokenizer_pieces = {
  .name = "llama",
  .encode = encode_pieces,
  .decode = _tare_decode_pieces,
  .begin = 1,
  .end = 2,
  .unknown = 0,
  .add_begin = TRUE,
  .add_prefix = TRUE,
};
