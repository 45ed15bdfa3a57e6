/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-private.h"

#include <math.h>
#include <string.h>

#include "quant/tare-error.h"

#define PREFIX "tokenizer.ggml."

/* The largest vocabulary in use has 2^18 tokens. */
#define MAXIMUM_TOKENS (1u << 24)

static const TareTokenizerModel *const models[] = {
  &_tare_tokenizer_bytes,
  &_tare_tokenizer_pieces,
  &_tare_tokenizer_unigram,
  &_tare_tokenizer_words,
};

/* The whole of a tokenizer.json: GGUF specification, tokenizer.huggingface.json. */
#define JSON_KEY "tokenizer.huggingface.json"

static TareTokenizer *
new_of_model (TareMetadata  *metadata,
              const char    *path,
              GError       **error)
{
  const char *name = tare_metadata_get_string (metadata, PREFIX "model");
  gsize n_tokens = tare_metadata_get_length (metadata, PREFIX "tokens");

  if (name == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: no " PREFIX "model, so no tokenizer", path);
      return NULL;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (models); i++)
    if (strcmp (models[i]->name, name) == 0)
      {
        if (n_tokens > 0 && n_tokens <= MAXIMUM_TOKENS)
          return _tare_tokenizer_new (models[i], (guint32) n_tokens);
        g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                     "%s: " PREFIX "tokens has %" G_GSIZE_FORMAT " tokens", path, n_tokens);
        return NULL;
      }
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: " PREFIX "model \"%s\" is not supported", path, name);

  return NULL;
}

static gboolean
read_piece (TareTokenizer  *self,
            TareMetadata   *metadata,
            guint32         token,
            const char     *path,
            GError        **error)
{
  const char *text = tare_metadata_get_string_at (metadata, PREFIX "tokens", token);
  double type = TARE_TOKEN_NORMAL;
  double score = 0.0;

  if (text == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: " PREFIX "tokens holds no string at %u", path, token);
      return FALSE;
    }
  tare_metadata_get_number_at (metadata, PREFIX "token_type", token, &type);
  tare_metadata_get_number_at (metadata, PREFIX "scores", token, &score);
  if (!(type >= 0.0 && type <= (double) TARE_TOKEN_BYTE) || !isfinite (score))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: token %u has the type %g and the score %g", path, token, type, score);
      return FALSE;
    }
  /* 0 is "undefined", and is taken as normal. */
  if (!_tare_vocabulary_set (&self->vocabulary, token, text,
                             type < 1.0 ? TARE_TOKEN_NORMAL : (TareTokenType) type, path, error))
    return FALSE;
  _tare_vocabulary_get (&self->vocabulary, token)->score = (float) score;

  return TRUE;
}

static gboolean
read_pieces (TareTokenizer  *self,
             TareMetadata   *metadata,
             const char     *path,
             GError        **error)
{
  static const char *const keys[] = { PREFIX "token_type", PREFIX "scores" };
  guint32 n_tokens = self->vocabulary.n_tokens;

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (tare_metadata_has (metadata, keys[i])
        && tare_metadata_get_length (metadata, keys[i]) != n_tokens)
      {
        g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                     "%s: %s has %" G_GSIZE_FORMAT " entries for %u tokens", path, keys[i],
                     tare_metadata_get_length (metadata, keys[i]), n_tokens);
        return FALSE;
      }
  for (guint32 i = 0; i < n_tokens; i++)
    if (!read_piece (self, metadata, i, path, error))
      return FALSE;

  return _tare_vocabulary_index (&self->vocabulary, path, error);
}

static gboolean
read_merges (TareTokenizer  *self,
             TareMetadata   *metadata,
             const char     *path,
             GError        **error)
{
  gsize n = tare_metadata_get_length (metadata, PREFIX "merges");

  for (gsize i = 0; i < n; i++)
    {
      const char *line = tare_metadata_get_string_at (metadata, PREFIX "merges", i);

      if (!_tare_tokenizer_add_merge_line (self, line != NULL ? line : "", path, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
read_pre (TareTokenizer  *self,
          TareMetadata   *metadata,
          const char     *path,
          GError        **error)
{
  const char *name = tare_metadata_get_string (metadata, PREFIX "pre");

  if (name == NULL)
    name = "default";
  self->pre = _tare_pre_tokenizer_lookup (name);
  if (self->pre == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
                   "%s: " PREFIX "pre \"%s\" is not supported", path, name);
      return FALSE;
    }
  self->pre_name = g_strdup (name);
  self->splitter = _tare_pre_tokenizer_make (self->pre);
  self->ignore_merges = self->pre->ignore_merges;

  return TRUE;
}

static gboolean
read_token (TareTokenizer  *self,
            TareMetadata   *metadata,
            const char     *key,
            guint32         fallback,
            guint32        *token,
            const char     *path,
            GError        **error)
{
  gint64 value = -1;

  *token = fallback < self->vocabulary.n_tokens ? fallback : TARE_TOKEN_NONE;
  /* Some writers put -1, or that in 32 bits, for none. */
  if (!tare_metadata_get_integer (metadata, key, &value) || value == -1 || value == G_MAXUINT32)
    return TRUE;

  return _tare_tokenizer_check_token (self, key, value, token, path, error);
}

/* What the keys say; where they say nothing what the tokenizer has already. */
static gboolean
read_specials (TareTokenizer  *self,
               TareMetadata   *metadata,
               const char     *path,
               GError        **error)
{
  const struct
  {
    const char *key;
    guint32    *token;
  } tokens[] = {
    { PREFIX "bos_token_id", &self->begin },
    { PREFIX "eos_token_id", &self->end },
    { PREFIX "unknown_token_id", &self->unknown },
    { PREFIX "padding_token_id", &self->padding },
  };

  tare_metadata_get_boolean (metadata, PREFIX "add_bos_token", &self->add_begin);
  tare_metadata_get_boolean (metadata, PREFIX "add_eos_token", &self->add_end);
  /* llama.cpp puts a space only before pieces, whatever the file says. */
  if (self->model->add_prefix)
    tare_metadata_get_boolean (metadata, PREFIX "add_space_prefix", &self->add_prefix);
  self->chat_template = g_strdup (tare_metadata_get_string (metadata, "tokenizer.chat_template"));

  for (gsize i = 0; i < G_N_ELEMENTS (tokens); i++)
    if (!read_token (self, metadata, tokens[i].key, *tokens[i].token, tokens[i].token, path,
                     error))
      return FALSE;

  return TRUE;
}

static void
set_defaults (TareTokenizer *self)
{
  const TareTokenizerModel *model = self->model;

  self->add_begin = model->add_begin || (self->pre != NULL && self->pre->add_begin);
  self->add_prefix = model->add_prefix;
  self->begin = model->begin;
  self->end = model->end;
  self->unknown = model->unknown;
}

/* BERT's way of splitting: at white space, and before and after punctuation. */
static gboolean
prepare_words (TareTokenizer  *self,
               GError        **error)
{
  self->normalizer = _tare_normalizer_new ();
  _tare_normalizer_add_bert (self->normalizer);
  self->splitter = _tare_splitter_new ();
  _tare_tokenizer_prepare_words (self);

  return _tare_splitter_add (self->splitter, "\\s+", TARE_SPLIT_REMOVED, FALSE, error)
         && _tare_splitter_add (self->splitter, TARE_REGEX_PUNCTUATION, TARE_SPLIT_ISOLATED, FALSE,
                                error);
}

/* SentencePiece's way of cleaning a text, which GGUF keeps beside the pieces. */
static gboolean
prepare_unigram (TareTokenizer  *self,
                 TareMetadata   *metadata,
                 const char     *path,
                 GError        **error)
{
  gsize length = tare_metadata_get_length (metadata, PREFIX "precompiled_charsmap");
  g_autofree guint8 *data = g_malloc (length + 1);

  _tare_tokenizer_prepare_unigram (self);
  self->normalizer = _tare_normalizer_new ();
  for (gsize i = 0; i < length; i++)
    {
      double value;

      /* Some writers have signed bytes. */
      if (!tare_metadata_get_number_at (metadata, PREFIX "precompiled_charsmap", i, &value)
          || !(value >= G_MININT8 && value <= G_MAXUINT8))
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                       "%s: " PREFIX "precompiled_charsmap holds no byte at %" G_GSIZE_FORMAT,
                       path, i);
          return FALSE;
        }
      data[i] = (guint8) (gint) value;
    }
  if (length > 0 && !_tare_normalizer_add_map (self->normalizer, data, length, path, error))
    return FALSE;
  if (length > 0)
    self->charsmap = g_bytes_new (data, length);
  tare_metadata_get_boolean (metadata, PREFIX "remove_extra_whitespaces", &self->trims);
  if (self->trims)
    _tare_normalizer_add_trim (self->normalizer);

  return TRUE;
}

static gboolean
prepare (TareTokenizer  *self,
         TareMetadata   *metadata,
         const char     *path,
         GError        **error)
{
  if (self->model == &_tare_tokenizer_words)
    return prepare_words (self, error);
  if (self->model == &_tare_tokenizer_unigram)
    return prepare_unigram (self, metadata, path, error);
  if (self->model == &_tare_tokenizer_pieces)
    _tare_tokenizer_pair_by_score (self);
  else if (!read_pre (self, metadata, path, error) || !read_merges (self, metadata, path, error))
    return FALSE;
  else
    _tare_tokenizer_rank_merges (self);

  return TRUE;
}

/* What GGUF has no key for is read from the tokenizer.json that came with it. */
static TareTokenizer *
new_of_json (TareMetadata  *metadata,
             const char    *path,
             GError       **error)
{
  const char *json = tare_metadata_get_string (metadata, JSON_KEY);
  g_autoptr(TareTokenizer) self = NULL;

  self = tare_tokenizer_new_from_json (json, strlen (json), NULL, 0, path, error);
  if (self == NULL)
    return NULL;
  g_clear_pointer (&self->chat_template, g_free);
  if (self->json == NULL)
    self->json = g_strdup (json);
  if (!read_specials (self, metadata, path, error))
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_tokenizer_new_from_metadata:
 * @metadata: the keys of a GGUF file
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: (transfer full): its tokenizer, or %NULL with %TARE_ERROR_UNSUPPORTED for a model or a
 *   pre-tokenizer that is not implemented, with %TARE_ERROR_INVALID for a vocabulary that
 *   contradicts itself
 */
TareTokenizer *
tare_tokenizer_new_from_metadata (TareMetadata  *metadata,
                                  const char    *path,
                                  GError       **error)
{
  g_autoptr(TareTokenizer) self = NULL;

  g_return_val_if_fail (metadata != NULL, NULL);

  if (tare_metadata_get_string (metadata, JSON_KEY) != NULL)
    {
      g_autoptr(GError) local = NULL;

      self = new_of_json (metadata, path, &local);
      if (self != NULL)
        return g_steal_pointer (&self);
      if (!tare_metadata_has (metadata, PREFIX "pre"))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return NULL;
        }
    }

  self = new_of_model (metadata, path, error);
  if (self == NULL || !read_pieces (self, metadata, path, error))
    return NULL;

  if (!prepare (self, metadata, path, error))
    return NULL;
  set_defaults (self);
  if (!read_specials (self, metadata, path, error))
    return NULL;
  _tare_tokenizer_finish (self);

  return g_steal_pointer (&self);
}

/* A name for an id without one, which no other token has. */
static char *
make_padding (TareTokenizer *self,
              guint32        token)
{
  char *name = g_strdup_printf ("[PAD%u]", token);

  while (_tare_vocabulary_find (&self->vocabulary, name, strlen (name)) != TARE_TOKEN_NONE)
    {
      g_autofree char *taken = name;

      name = g_strconcat (taken, "_", NULL);
    }

  return name;
}

static void
write_pieces (TareTokenizer *self,
              guint32        n_tokens,
              TareMetadata  *metadata)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_full (n_tokens, g_free);
  g_autofree gint32 *types = g_new (gint32, (gsize) n_tokens + 1);
  g_autofree float *scores = g_new0 (float, (gsize) n_tokens + 1);

  for (guint32 i = 0; i < n_tokens; i++)
    {
      const TarePiece *piece = i < self->vocabulary.n_tokens
                               ? _tare_vocabulary_get (&self->vocabulary, i) : NULL;
      gboolean named = piece != NULL && piece->text != NULL;

      g_ptr_array_add (names, named ? g_strdup (piece->text) : make_padding (self, i));
      types[i] = named ? piece->type : TARE_TOKEN_UNUSED;
      scores[i] = named ? piece->score : 0.0f;
    }

  tare_metadata_set_strings (metadata, PREFIX "tokens", (const char **) names->pdata, n_tokens);
  if (self->model == &_tare_tokenizer_pieces || self->model == &_tare_tokenizer_unigram)
    tare_metadata_set_f32s (metadata, PREFIX "scores", scores, n_tokens);
  tare_metadata_set_i32s (metadata, PREFIX "token_type", types, n_tokens);
}

static void
append_part (GString         *line,
             const TarePiece *piece)
{
  /* The first space parts a line, so one within a part is written as bytes are. */
  for (guint32 i = 0; i < piece->length; i++)
    if (piece->text[i] == ' ')
      g_string_append (line, "\xc4\xa0");
    else
      g_string_append_c (line, piece->text[i]);
}

static void
write_merges (TareTokenizer *self,
              guint32        n_tokens,
              TareMetadata  *metadata)
{
  g_autoptr(GPtrArray) lines = g_ptr_array_new_full (self->merges->len, g_free);

  for (guint i = 0; i < self->merges->len; i++)
    {
      const TareMerge *merge = &g_array_index (self->merges, TareMerge, i);
      GString *line;

      if (merge->left >= n_tokens || merge->right >= n_tokens || merge->result >= n_tokens)
        continue;
      line = g_string_new (NULL);
      append_part (line, _tare_vocabulary_get (&self->vocabulary, merge->left));
      g_string_append_c (line, ' ');
      append_part (line, _tare_vocabulary_get (&self->vocabulary, merge->right));
      g_ptr_array_add (lines, g_string_free (line, FALSE));
    }

  if (lines->len > 0)
    tare_metadata_set_strings (metadata, PREFIX "merges", (const char **) lines->pdata,
                               lines->len);
}

static void
write_token (TareMetadata *metadata,
             const char   *key,
             guint32       token,
             guint32       n_tokens)
{
  tare_metadata_remove (metadata, key);
  if (token < n_tokens)
    tare_metadata_set_u32 (metadata, key, token);
}

/**
 * tare_tokenizer_write_metadata:
 * @self: a tokenizer
 * @vocabulary: the rows of the model's embedding
 * @metadata: where to
 *
 * Sets the keys by which a GGUF file describes a tokenizer. There are as many tokens as the
 * embedding has rows: ids without a name become unused tokens, ids beyond the rows are left out.
 * Where GGUF has no key for what the tokenizer.json says, it goes along.
 */
void
tare_tokenizer_write_metadata (TareTokenizer *self,
                               guint          vocabulary,
                               TareMetadata  *metadata)
{
  gboolean pieces;

  g_return_if_fail (self != NULL);
  g_return_if_fail (metadata != NULL);

  pieces = self->model == &_tare_tokenizer_pieces;
  tare_metadata_set_string (metadata, PREFIX "model", self->model->name);
  tare_metadata_remove (metadata, PREFIX "pre");
  tare_metadata_remove (metadata, JSON_KEY);
  if (self->json != NULL)
    tare_metadata_set_string (metadata, JSON_KEY, self->json);
  if (pieces || self->pre_name != NULL)
    tare_metadata_set_string (metadata, PREFIX "pre", pieces ? "default" : self->pre_name);
  write_pieces (self, vocabulary, metadata);
  if (self->model == &_tare_tokenizer_bytes)
    write_merges (self, vocabulary, metadata);
  write_token (metadata, PREFIX "bos_token_id", self->begin, vocabulary);
  write_token (metadata, PREFIX "eos_token_id", self->end, vocabulary);
  write_token (metadata, PREFIX "unknown_token_id", self->unknown, vocabulary);
  write_token (metadata, PREFIX "padding_token_id", self->padding, vocabulary);
  tare_metadata_set_boolean (metadata, PREFIX "add_bos_token", self->add_begin);
  tare_metadata_set_boolean (metadata, PREFIX "add_eos_token", self->add_end);
  tare_metadata_set_boolean (metadata, PREFIX "add_space_prefix", self->add_prefix);
  if (self->chat_template != NULL)
    tare_metadata_set_string (metadata, "tokenizer.chat_template", self->chat_template);
}
