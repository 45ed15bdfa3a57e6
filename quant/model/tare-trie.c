/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

static int
compare_names (gconstpointer a,
               gconstpointer b,
               gpointer      data)
{
  const TareVocabulary *vocabulary = data;
  const TarePiece *x = _tare_vocabulary_get (vocabulary, *(const guint32 *) a);
  const TarePiece *y = _tare_vocabulary_get (vocabulary, *(const guint32 *) b);
  int order = memcmp (x->text, y->text, MIN (x->length, y->length));

  return order != 0 ? order : (x->length < y->length ? -1 : x->length > y->length);
}

/* Bytes that all names have together, but for what each shares with the one before in order. */
static gsize
count_edges (const TareVocabulary *vocabulary,
             GArray               *tokens)
{
  gsize n = 0;

  g_array_sort_with_data (tokens, compare_names, (gpointer) vocabulary);
  for (guint i = 0; i < tokens->len; i++)
    {
      const TarePiece *piece = _tare_vocabulary_get (vocabulary,
                                                     g_array_index (tokens, guint32, i));
      const TarePiece *before = i > 0 ? _tare_vocabulary_get (vocabulary,
                                                              g_array_index (tokens, guint32,
                                                                             i - 1)) : NULL;
      gsize shared = 0;

      while (before != NULL && shared < MIN (piece->length, before->length)
             && piece->text[shared] == before->text[shared])
        shared++;
      n += piece->length - shared;
    }

  return n;
}

/**
 * _tare_trie_init:
 * @self: (out caller-allocates): the names of a vocabulary
 * @vocabulary: with all its names
 *
 * Holds the tokens that text can become by itself: normal ones and those that a user defined.
 */
void
_tare_trie_init (TareTrie             *self,
                 const TareVocabulary *vocabulary)
{
  g_autoptr(GArray) tokens = g_array_new (FALSE, FALSE, sizeof (guint32));
  guint32 none = TARE_TOKEN_NONE;

  for (guint32 i = 0; i < vocabulary->n_tokens; i++)
    {
      const TarePiece *piece = _tare_vocabulary_get (vocabulary, i);

      if (piece->text != NULL && (piece->type == TARE_TOKEN_NORMAL
                                  || piece->type == TARE_TOKEN_USER_DEFINED))
        g_array_append_val (tokens, i);
    }

  _tare_pair_table_init (&self->edges, count_edges (vocabulary, tokens));
  self->tokens = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_array_append_val (self->tokens, none);
  for (guint i = 0; i < tokens->len; i++)
    {
      guint32 token = g_array_index (tokens, guint32, i);
      const TarePiece *piece = _tare_vocabulary_get (vocabulary, token);
      guint32 node = 0;

      for (gsize k = 0; k < piece->length; k++)
        {
          guint32 next = _tare_trie_step (self, node, (guint8) piece->text[k]);

          if (next == TARE_TOKEN_NONE)
            {
              next = self->tokens->len;
              g_array_append_val (self->tokens, none);
              _tare_pair_table_insert (&self->edges, node, (guint8) piece->text[k], 0, next);
            }
          node = next;
        }
      g_array_index (self->tokens, guint32, node) = token;
    }
}

void
_tare_trie_clear (TareTrie *self)
{
  _tare_pair_table_clear (&self->edges);
  g_clear_pointer (&self->tokens, g_array_unref);
}

/**
 * _tare_trie_step:
 * @self: the names
 * @node: what was read so far; 0 for nothing
 * @byte: the next byte
 *
 * Returns: what is then read, or %TARE_TOKEN_NONE where no name begins so
 */
guint32
_tare_trie_step (const TareTrie *self,
                 guint32         node,
                 guint8          byte)
{
  const TarePair *edge = _tare_pair_table_lookup (&self->edges, node, byte);

  return edge != NULL ? edge->result : TARE_TOKEN_NONE;
}

/**
 * _tare_trie_get:
 * @self: the names
 * @node: what was read
 *
 * Returns: the token of that name, or %TARE_TOKEN_NONE
 */
guint32
_tare_trie_get (const TareTrie *self,
                guint32         node)
{
  return g_array_index (self->tokens, guint32, node);
}
