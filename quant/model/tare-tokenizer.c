/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer.h"

#include <string.h>

#include "quant/model/tare-tokenizer-private.h"
#include "quant/model/tare-unicode.h"
#include "quant/tare-error.h"

/* What stands for a space in the names of pieces. */
#define ESCAPED_SPACE "\xe2\x96\x81"

TareTokenizer *
_tare_tokenizer_new (const TareTokenizerModel *model,
                     guint32                   n_tokens)
{
  TareTokenizer *self = g_new0 (TareTokenizer, 1);

  g_atomic_ref_count_init (&self->references);
  self->model = model;
  _tare_vocabulary_init (&self->vocabulary, n_tokens);
  self->merges = g_array_new (FALSE, FALSE, sizeof (TareMerge));
  self->specials = g_array_new (FALSE, FALSE, sizeof (TareSpecial));
  self->specials_by_byte = g_array_new (FALSE, FALSE, sizeof (guint));
  self->before = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->after = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->longest_word = TARE_LONGEST_WORD;
  self->begin = TARE_TOKEN_NONE;
  self->end = TARE_TOKEN_NONE;
  self->unknown = TARE_TOKEN_NONE;
  self->padding = TARE_TOKEN_NONE;

  return self;
}

/**
 * tare_tokenizer_ref:
 * @self: a tokenizer
 *
 * Returns: (transfer full): @self
 */
TareTokenizer *
tare_tokenizer_ref (TareTokenizer *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->references);

  return self;
}

/**
 * tare_tokenizer_unref:
 * @self: (transfer full): a tokenizer
 */
void
tare_tokenizer_unref (TareTokenizer *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->references))
    return;

  _tare_vocabulary_clear (&self->vocabulary);
  _tare_pair_table_clear (&self->pairs);
  _tare_trie_clear (&self->trie);
  g_clear_pointer (&self->normalizer, g_array_unref);
  g_array_unref (self->merges);
  g_array_unref (self->before);
  g_array_unref (self->after);
  g_array_unref (self->specials);
  g_array_unref (self->specials_by_byte);
  g_clear_pointer (&self->splitter, g_array_unref);
  g_free (self->pre_name);
  g_clear_pointer (&self->decoder, g_array_unref);
  g_free (self->continuing);
  g_free (self->chat_template);
  g_free (self->json);
  g_clear_pointer (&self->charsmap, g_bytes_unref);
  g_free (self);
}

/**
 * _tare_tokenizer_check_token:
 * @self: a tokenizer
 * @key: what the file calls it
 * @value: what the file says
 * @token: (out): the token
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: %FALSE with %TARE_ERROR_INVALID when there is no such token
 */
gboolean
_tare_tokenizer_check_token (TareTokenizer  *self,
                             const char     *key,
                             gint64          value,
                             guint32        *token,
                             const char     *path,
                             GError        **error)
{
  if (value < 0 || value >= self->vocabulary.n_tokens)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %s is %" G_GINT64_FORMAT ", but there are %u tokens",
                   path, key, value, self->vocabulary.n_tokens);
      return FALSE;
    }
  *token = (guint32) value;

  return TRUE;
}

static guint32
find_part (TareTokenizer  *self,
           const char     *part,
           gsize           length,
           const char     *line,
           const char     *path,
           GError        **error)
{
  guint32 token = _tare_vocabulary_find (&self->vocabulary, part, length);

  if (token == TARE_TOKEN_NONE)
    g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                 "%s: merge %u names \"%s\", which is no token", path, self->merges->len, line);

  return token;
}

/**
 * _tare_tokenizer_add_merge:
 * @self: a tokenizer with an indexed vocabulary
 * @left: the left part
 * @left_length: its bytes
 * @right: the right part
 * @right_length: its bytes
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: %FALSE with %TARE_ERROR_INVALID when a part or the whole is no token
 */
gboolean
_tare_tokenizer_add_merge (TareTokenizer  *self,
                           const char     *left,
                           gsize           left_length,
                           const char     *right,
                           gsize           right_length,
                           const char     *path,
                           GError        **error)
{
  g_autofree char *a = g_strndup (left, left_length);
  g_autofree char *b = g_strndup (right, right_length);
  g_autofree char *whole = g_strconcat (a, b, NULL);
  TareMerge merge;

  if ((merge.left = find_part (self, a, left_length, a, path, error)) == TARE_TOKEN_NONE
      || (merge.right = find_part (self, b, right_length, b, path, error)) == TARE_TOKEN_NONE
      || (merge.result = find_part (self, whole, left_length + right_length,
                                    whole, path, error)) == TARE_TOKEN_NONE)
    return FALSE;
  g_array_append_val (self->merges, merge);

  return TRUE;
}

/**
 * _tare_tokenizer_add_merge_line:
 * @self: a tokenizer with an indexed vocabulary
 * @line: "left right"; the first space after the first byte parts them
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: %FALSE with %TARE_ERROR_INVALID when it is no such line or names what is no token
 */
gboolean
_tare_tokenizer_add_merge_line (TareTokenizer  *self,
                                const char     *line,
                                const char     *path,
                                GError        **error)
{
  const char *space = line[0] != '\0' ? strchr (line + 1, ' ') : NULL;

  if (space == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: merge %u, \"%s\", has no space", path, self->merges->len, line);
      return FALSE;
    }

  return _tare_tokenizer_add_merge (self, line, (gsize) (space - line),
                                    space + 1, strlen (space + 1), path, error);
}

/**
 * _tare_tokenizer_rank_merges:
 * @self: a tokenizer with its merges
 *
 * The pairs that merge are those of the list, in its order.
 */
void
_tare_tokenizer_rank_merges (TareTokenizer *self)
{
  _tare_pair_table_init (&self->pairs, self->merges->len);
  for (guint i = 0; i < self->merges->len; i++)
    {
      const TareMerge *merge = &g_array_index (self->merges, TareMerge, i);

      _tare_pair_table_insert (&self->pairs, merge->left, merge->right, i, merge->result);
    }
}

/* Whether a piece holds a space after something else. */
gboolean
_tare_piece_crosses_words (const TarePiece *piece)
{
  const char *rest = piece->text;

  while (g_str_has_prefix (rest, ESCAPED_SPACE))
    rest += strlen (ESCAPED_SPACE);

  return strstr (rest, ESCAPED_SPACE) != NULL;
}

/**
 * _tare_tokenizer_score_merges:
 * @self: a tokenizer of pieces with its merges
 *
 * Gives every piece the score that makes merging by score merge in the order of the list: less the
 * index of the first merge that makes it, and less than all of them for one that none makes. The
 * pairs that merge are those of the list.
 */
void
_tare_tokenizer_score_merges (TareTokenizer *self)
{
  g_autofree guint32 *ranks = g_new (guint32, (gsize) self->vocabulary.n_tokens + 1);

  memset (ranks, 0xff, sizeof (guint32) * self->vocabulary.n_tokens);
  _tare_pair_table_init (&self->pairs, self->merges->len);
  for (guint i = 0; i < self->merges->len; i++)
    {
      const TareMerge *merge = &g_array_index (self->merges, TareMerge, i);

      if (ranks[merge->result] == G_MAXUINT32)
        ranks[merge->result] = i;
      _tare_pair_table_insert (&self->pairs, merge->left, merge->right,
                               ranks[merge->result], merge->result);
      self->crosses_words |= _tare_piece_crosses_words (
        _tare_vocabulary_get (&self->vocabulary, merge->result));
    }

  for (guint32 i = 0; i < self->vocabulary.n_tokens; i++)
    {
      TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, i);

      if (piece->type == TARE_TOKEN_NORMAL)
        piece->score = -(float) MIN (ranks[i], self->merges->len + 1);
    }
}

static int
compare_scores (gconstpointer a,
                gconstpointer b,
                gpointer      data)
{
  const TareVocabulary *vocabulary = data;
  float x = _tare_vocabulary_get (vocabulary, *(const guint32 *) a)->score;
  float y = _tare_vocabulary_get (vocabulary, *(const guint32 *) b)->score;

  return x > y ? -1 : x < y;
}

/* The places of the scores, highest first; equal scores share one. */
static guint32 *
rank_scores (TareTokenizer *self)
{
  const TareVocabulary *vocabulary = &self->vocabulary;
  guint32 n = vocabulary->n_tokens;
  g_autofree guint32 *order = g_new (guint32, (gsize) n + 1);
  guint32 *ranks = g_new (guint32, (gsize) n + 1);
  guint32 rank = 0;

  for (guint32 i = 0; i < n; i++)
    order[i] = i;
  g_qsort_with_data (order, (int) n, sizeof (guint32), compare_scores, (gpointer) vocabulary);
  for (guint32 i = 0; i < n; i++)
    {
      rank += i > 0 && compare_scores (&order[i - 1], &order[i], (gpointer) vocabulary) != 0;
      ranks[order[i]] = rank;
    }

  return ranks;
}

/* The symbol of a part of a name, where that part can come to be: a token or one character. */
static guint32
find_half (TareVocabulary *vocabulary,
           const char     *text,
           gsize           length,
           gboolean        add)
{
  gunichar character;

  if (tare_unicode_decode (text, length, &character) != length)
    return _tare_vocabulary_find (vocabulary, text, length);

  return add ? _tare_vocabulary_add_symbol (vocabulary, text, length)
             : _tare_vocabulary_find (vocabulary, text, length);
}

static void
pair_halves (TareTokenizer *self,
             guint32        token,
             guint32        rank,
             GArray        *found)
{
  TarePiece piece = *_tare_vocabulary_get (&self->vocabulary, token);
  gunichar character;
  guint n;

  for (gsize i = 0; i < piece.length; i += n)
    {
      TarePair pair = { 0, rank, token };
      guint32 left, right;

      n = tare_unicode_decode (piece.text + i, piece.length - i, &character);
      if (i == 0
          || (left = find_half (&self->vocabulary, piece.text, i, TRUE)) == TARE_TOKEN_NONE
          || (right = find_half (&self->vocabulary, piece.text + i, piece.length - i, TRUE))
             == TARE_TOKEN_NONE)
        continue;
      pair.key = (guint64) left << 32 | right;
      g_array_append_val (found, pair);
    }
}

/**
 * _tare_tokenizer_pair_by_score:
 * @self: a tokenizer of pieces with their scores
 *
 * Every pair whose whole is a token merges, that of the highest score first.
 */
void
_tare_tokenizer_pair_by_score (TareTokenizer *self)
{
  g_autofree guint32 *ranks = rank_scores (self);
  g_autoptr(GArray) found = g_array_new (FALSE, FALSE, sizeof (TarePair));

  for (guint32 i = 0; i < self->vocabulary.n_tokens; i++)
    {
      const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, i);

      if (piece->text == NULL)
        continue;
      self->crosses_words |= _tare_piece_crosses_words (piece);
      pair_halves (self, i, ranks[i], found);
    }

  _tare_pair_table_init (&self->pairs, found->len);
  for (guint i = 0; i < found->len; i++)
    {
      const TarePair *pair = &g_array_index (found, TarePair, i);

      _tare_pair_table_insert (&self->pairs, (guint32) (pair->key >> 32), (guint32) pair->key,
                               pair->rank, pair->result);
    }
}

/**
 * _tare_tokenizer_finish:
 * @self: a tokenizer with all its tokens and pairs
 *
 * Makes the tables that encoding needs.
 */
void
_tare_tokenizer_finish (TareTokenizer *self)
{
  gboolean bytes = self->model == &_tare_tokenizer_bytes;
  gboolean pieces = self->model == &_tare_tokenizer_pieces;

  for (guint byte = 0; byte < 256; byte++)
    {
      char name[8] = { 0 };
      char raw = (char) byte;
      guint32 token;

      if (!bytes)
        g_snprintf (name, sizeof name, "<0x%02X>", byte);
      else
        g_unichar_to_utf8 (tare_unicode_from_byte ((guint8) byte), name);
      token = _tare_vocabulary_find (&self->vocabulary, name, strlen (name));
      if (pieces && token >= self->vocabulary.n_tokens)
        token = _tare_vocabulary_find (&self->vocabulary, &raw, 1);
      self->bytes[byte] = token < self->vocabulary.n_tokens ? token : TARE_TOKEN_NONE;
    }

  _tare_tokenizer_index_specials (self);
}

/**
 * tare_tokenizer_get_n_tokens:
 * @self: a tokenizer
 *
 * Returns: the number of ids, of which some may have no name
 */
gsize
tare_tokenizer_get_n_tokens (TareTokenizer *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->vocabulary.n_tokens;
}

/**
 * tare_tokenizer_get_token:
 * @self: a tokenizer
 * @token: an id
 *
 * Returns: (nullable) (transfer none): its name as the vocabulary spells it, %NULL for an id out
 *   of range or without a name
 */
const char *
tare_tokenizer_get_token (TareTokenizer *self,
                          guint32        token)
{
  g_return_val_if_fail (self != NULL, NULL);

  if (token >= self->vocabulary.n_tokens)
    return NULL;

  return _tare_vocabulary_get (&self->vocabulary, token)->text;
}

/**
 * tare_tokenizer_get_begin:
 * @self: a tokenizer
 * @token: (out): the begin token, "BOS"
 *
 * Returns: whether there is one
 */
gboolean
tare_tokenizer_get_begin (TareTokenizer *self,
                          guint32       *token)
{
  g_return_val_if_fail (self != NULL, FALSE);

  if (self->begin == TARE_TOKEN_NONE)
    return FALSE;
  *token = self->begin;

  return TRUE;
}

/**
 * tare_tokenizer_get_end:
 * @self: a tokenizer
 * @token: (out): the end token, "EOS"
 *
 * Returns: whether there is one
 */
gboolean
tare_tokenizer_get_end (TareTokenizer *self,
                        guint32       *token)
{
  g_return_val_if_fail (self != NULL, FALSE);

  if (self->end == TARE_TOKEN_NONE)
    return FALSE;
  *token = self->end;

  return TRUE;
}

/**
 * tare_tokenizer_adds_begin:
 * @self: a tokenizer
 *
 * Returns: whether %TARE_TOKEN_FLAGS_ADD_SPECIAL puts the begin token before a text
 */
gboolean
tare_tokenizer_adds_begin (TareTokenizer *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->add_begin && self->begin != TARE_TOKEN_NONE;
}

/* Several tokens where a template has them, else the one at that end. */
static void
append_special (GArray  *tokens,
                GArray  *several,
                guint32  token)
{
  if (several->len > 1)
    g_array_append_vals (tokens, several->data, several->len);
  else if (token != TARE_TOKEN_NONE)
    g_array_append_val (tokens, token);
}

typedef void (*FragmentFunc) (TareTokenizer  *self,
                              TareMerger     *merger,
                              const char     *text,
                              gsize           length,
                              TareTokenFlags  flags,
                              GArray         *tokens);

/* What lies between special tokens goes to @func. */
static void
encode_around (TareTokenizer  *self,
               TareMerger     *merger,
               const char     *text,
               gsize           length,
               TareTokenFlags  flags,
               gboolean        normalized,
               FragmentFunc    func,
               GArray         *tokens)
{
  g_autoptr(GArray) fragments = NULL;

  fragments = _tare_tokenizer_find_specials (self, text, length,
                                             (flags & TARE_TOKEN_FLAGS_PARSE_SPECIAL) != 0,
                                             normalized);
  for (guint i = 0; i < fragments->len; i++)
    {
      const TareFragment *fragment = &g_array_index (fragments, TareFragment, i);

      if (fragment->token != TARE_TOKEN_NONE)
        g_array_append_val (tokens, fragment->token);
      else
        func (self, merger, text + fragment->start, fragment->length, flags, tokens);
    }
}

static void
encode_normalized (TareTokenizer  *self,
                   TareMerger     *merger,
                   const char     *text,
                   gsize           length,
                   TareTokenFlags  flags,
                   GArray         *tokens)
{
  if (length > 0)
    self->model->encode (self, merger, text, length, tokens);
}

static void
encode_fragment (TareTokenizer  *self,
                 TareMerger     *merger,
                 const char     *text,
                 gsize           length,
                 TareTokenFlags  flags,
                 GArray         *tokens)
{
  g_autoptr(GString) normalized = NULL;

  if (self->normalizer != NULL && self->normalizer->len > 0)
    {
      normalized = _tare_normalizer_run (self->normalizer, text, length);
      text = normalized->str;
      length = normalized->len;
    }

  if (self->any_matching & TARE_MATCHING_NORMALIZED)
    encode_around (self, merger, text, length, flags, TRUE, encode_normalized, tokens);
  else
    encode_normalized (self, merger, text, length, flags, tokens);
}

/**
 * tare_tokenizer_encode:
 * @self: a tokenizer
 * @text: bytes, which need not be UTF-8 and may hold zeros
 * @length: how many
 * @flags: what to do about special tokens
 *
 * Takes time in proportion to the text, with a logarithm for one word as long as that.
 *
 * Returns: (transfer full) (element-type guint32): the tokens
 */
GArray *
tare_tokenizer_encode (TareTokenizer  *self,
                       const char     *text,
                       gsize           length,
                       TareTokenFlags  flags)
{
  GArray *tokens = g_array_new (FALSE, FALSE, sizeof (guint32));
  TareMerger merger;

  g_return_val_if_fail (self != NULL, tokens);

  if ((flags & (TARE_TOKEN_FLAGS_ADD_SPECIAL | TARE_TOKEN_FLAGS_ADD_BEGIN)) != 0
      && tare_tokenizer_adds_begin (self))
    append_special (tokens, self->before, self->begin);

  _tare_merger_init (&merger);
  encode_around (self, &merger, text, length, flags, FALSE, encode_fragment, tokens);
  _tare_merger_clear (&merger);

  if ((flags & TARE_TOKEN_FLAGS_ADD_SPECIAL) != 0 && self->add_end)
    append_special (tokens, self->after, self->end);

  return tokens;
}

/**
 * tare_tokenizer_append_text:
 * @self: a tokenizer
 * @token: an id; one that names nothing appends nothing
 * @text: where to
 *
 * Appends the bytes that a token stands for within a text, which may be a part of a character
 * only. A space before the first word stays.
 */
void
tare_tokenizer_append_text (TareTokenizer *self,
                            guint32        token,
                            GString       *text)
{
  const TarePiece *piece;

  g_return_if_fail (self != NULL && text != NULL);

  if (tare_tokenizer_get_token (self, token) == NULL)
    return;

  piece = _tare_vocabulary_get (&self->vocabulary, token);
  if (piece->type == TARE_TOKEN_NORMAL || piece->type == TARE_TOKEN_BYTE)
    self->model->decode (self, token, text);
  else
    g_string_append_len (text, piece->text, piece->length);
}

/**
 * tare_tokenizer_dup_text:
 * @self: a tokenizer
 * @tokens: (array length=n_tokens): tokens from within a text
 * @n_tokens: how many
 *
 * A token may hold a part of a character only: what is not UTF-8 by itself becomes U+FFFD.
 *
 * Returns: (transfer full): what they stand for, to be shown
 */
char *
tare_tokenizer_dup_text (TareTokenizer *self,
                         const guint32 *tokens,
                         gsize          n_tokens)
{
  g_autoptr(GString) text = g_string_new (NULL);

  g_return_val_if_fail (self != NULL, NULL);

  for (gsize i = 0; i < n_tokens; i++)
    tare_tokenizer_append_text (self, tokens[i], text);

  return g_utf8_make_valid (text->str, (gssize) text->len);
}

/**
 * tare_tokenizer_decode:
 * @self: a tokenizer
 * @tokens: (array length=n_tokens): tokens; ids that name nothing are passed over
 * @n_tokens: how many
 *
 * The inverse of tare_tokenizer_encode(): special tokens become their names, and the space that
 * was put before a text goes. Where a tokenizer.json has steps of its own, they are followed.
 *
 * Returns: (transfer full): the bytes
 */
GString *
tare_tokenizer_decode (TareTokenizer *self,
                       const guint32 *tokens,
                       gsize          n_tokens)
{
  GString *text;
  gboolean prefixed;

  g_return_val_if_fail (self != NULL, g_string_new (NULL));

  if (self->decoder != NULL)
    return _tare_tokenizer_run_decoder (self, tokens, n_tokens);
  text = g_string_new (NULL);

  prefixed = self->add_prefix;
  for (gsize i = 0; i < n_tokens; i++)
    {
      const char *name = tare_tokenizer_get_token (self, tokens[i]);
      gsize start = text->len;
      const TarePiece *piece;

      if (name == NULL)
        continue;
      piece = _tare_vocabulary_get (&self->vocabulary, tokens[i]);
      if (piece->type == TARE_TOKEN_NORMAL || piece->type == TARE_TOKEN_BYTE)
        {
          self->model->decode (self, tokens[i], text);
          if (prefixed && text->len > start && text->str[start] == ' ')
            g_string_erase (text, (gssize) start, 1);
          prefixed = FALSE;
        }
      else
        {
          g_string_append_len (text, piece->text, piece->length);
          prefixed = self->add_prefix;
        }
    }

  return text;
}
