/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-source-private.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/tare-error.h"

/* What stands for a space in the names of pieces. */
#define ESCAPED_SPACE "\xe2\x96\x81"

/* Ids may have holes, but no more than this for a file of @n names. */
#define MAXIMUM_ID(n) (2 * (gint64) (n) + 65536)

static gboolean
has_step (const TareTokenizerSource *source,
          const char                *key,
          const char                *type)
{
  g_autoptr(GPtrArray) steps = _tare_source_get_steps (source, key);

  for (guint i = 0; i < steps->len; i++)
    if (strcmp (_tare_source_get_type (steps->pdata[i]), type) == 0)
      return TRUE;

  return FALSE;
}

static gboolean
get_id (JsonNode *node,
        gint64   *id)
{
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64)
    return FALSE;
  *id = json_node_get_int (node);

  return TRUE;
}

static gboolean
check_id (JsonNode                   *node,
          const char                 *name,
          gint64                      n_names,
          gint64                     *id,
          const TareTokenizerSource  *source,
          GError                    **error)
{
  if (node == NULL || !get_id (node, id) || *id < 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: token \"%s\" has no id", source->path, name);
      return FALSE;
    }
  if (*id > MAXIMUM_ID (n_names))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: token \"%s\" has the id %" G_GINT64_FORMAT " among %" G_GINT64_FORMAT
                   " tokens", source->path, name, *id, n_names);
      return FALSE;
    }

  return TRUE;
}

/* The object of an added token, its name and its id. */
static JsonObject *
get_added (JsonArray                  *added,
           guint                       index,
           gint64                      n_names,
           const char                **name,
           gint64                     *id,
           const TareTokenizerSource  *source,
           GError                    **error)
{
  JsonNode *node = json_array_get_element (added, index);
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  *name = object != NULL ? tare_json_get_string (object, "content") : NULL;
  if (*name == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: added_tokens[%u] has no content", source->path, index);
      return NULL;
    }
  if (!check_id (json_object_get_member (object, "id"), *name, n_names, id, source, error))
    return NULL;

  return object;
}

/* One more than the highest id; 0 with an error. */
static guint32
count_tokens (JsonObject                 *vocab,
              JsonArray                  *added,
              const TareTokenizerSource  *source,
              GError                    **error)
{
  guint n_added = added != NULL ? json_array_get_length (added) : 0;
  gint64 n_names = (gint64) json_object_get_size (vocab) + n_added;
  gint64 highest = -1;
  gint64 id = 0;
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;

  json_object_iter_init (&iter, vocab);
  while (json_object_iter_next (&iter, &name, &node))
    {
      if (!check_id (node, name, n_names, &id, source, error))
        return 0;
      highest = MAX (highest, id);
    }
  for (guint i = 0; i < n_added; i++)
    {
      if (get_added (added, i, n_names, &name, &id, source, error) == NULL)
        return 0;
      highest = MAX (highest, id);
    }
  if (highest < 0)
    g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: no tokens", source->path);

  return (guint32) (highest + 1);
}

/* Whether a name is as "<0x0A>". */
gboolean
_tare_is_byte_name (const char *name)
{
  return strlen (name) == 6 && g_str_has_prefix (name, "<0x") && name[5] == '>'
         && g_ascii_isxdigit (name[3]) && g_ascii_isxdigit (name[4]);
}

/* The entries of a unigram's vocabulary: lists of a piece and its score. */
static const char *
get_unigram (JsonArray *list,
             gint64     index,
             double    *score)
{
  JsonNode *node = list != NULL && index >= 0 && index < json_array_get_length (list)
                   ? json_array_get_element (list, (guint) index) : NULL;
  JsonArray *entry = node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node)
                                                                   : NULL;
  JsonNode *name = entry != NULL && json_array_get_length (entry) == 2
                   ? json_array_get_element (entry, 0) : NULL;
  JsonNode *value = name != NULL ? json_array_get_element (entry, 1) : NULL;

  if (value == NULL || !JSON_NODE_HOLDS_VALUE (value) || !JSON_NODE_HOLDS_VALUE (name)
      || json_node_get_value_type (name) != G_TYPE_STRING)
    return NULL;
  *score = json_node_get_double (value);

  return isfinite (*score) ? json_node_get_string (name) : NULL;
}

/* The vocabulary of a unigram as those of other models are: names and ids. */
static JsonObject *
make_vocab (const TareTokenizerSource  *source,
            GError                    **error)
{
  JsonArray *list = tare_json_get_array (source->model, "vocab");
  g_autoptr(JsonObject) vocab = json_object_new ();

  for (guint i = 0; i < json_array_get_length (list); i++)
    {
      double score;
      const char *name = get_unigram (list, i, &score);

      if (name == NULL)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                       "%s: vocab[%u] is not a piece and its score", source->path, i);
          return NULL;
        }
      json_object_set_int_member (vocab, name, i);
    }

  return g_steal_pointer (&vocab);
}

static const char *
get_unknown (const TareTokenizerSource *source)
{
  JsonArray *list = tare_json_get_array (source->model, "vocab");
  double id = -1.0;
  double score;

  if (list == NULL)
    return tare_json_get_string (source->model, "unk_token");
  tare_json_get_number (source->model, "unk_id", &id);

  return get_unigram (list, id >= 0.0 && id < G_MAXINT32 ? (gint64) id : -1, &score);
}

static void
read_scores (TareTokenizer             *self,
             const TareTokenizerSource *source)
{
  JsonArray *list = tare_json_get_array (source->model, "vocab");

  for (guint32 i = 0; list != NULL && i < json_array_get_length (list); i++)
    {
      double score = 0.0;

      if (i < self->vocabulary.n_tokens && get_unigram (list, i, &score) != NULL)
        _tare_vocabulary_get (&self->vocabulary, i)->score = (float) score;
    }
}

static TareTokenType
get_vocab_type (TareTokenizer             *self,
                const TareTokenizerSource *source,
                const char                *name)
{
  if (self->model == &_tare_tokenizer_bytes)
    return TARE_TOKEN_NORMAL;
  if (g_strcmp0 (name, get_unknown (source)) == 0)
    return TARE_TOKEN_UNKNOWN;

  return _tare_is_byte_name (name) ? TARE_TOKEN_BYTE : TARE_TOKEN_NORMAL;
}

/* Names that mean control, whatever the file says of them: llama.cpp's converter does the same. */
static gboolean
looks_special (const char *name)
{
  return (g_str_has_prefix (name, "<|") && g_str_has_suffix (name, "|>"))
         || (g_str_has_prefix (name, "<\xef\xbd\x9c") && g_str_has_suffix (name, "\xef\xbd\x9c>"))
         || (g_str_has_prefix (name, "<unused") && g_str_has_suffix (name, ">"))
         || strcmp (name, "<pad>") == 0 || strcmp (name, "<mask>") == 0;
}

/* Hugging Face's defaults: only what is special is looked for before normalizing. */
static guint32
read_matching (JsonObject *object)
{
  static const struct
  {
    const char   *key;
    TareMatching  matching;
  } keys[] = {
    { "lstrip", TARE_MATCHING_LEFT },
    { "rstrip", TARE_MATCHING_RIGHT },
    { "single_word", TARE_MATCHING_WORD },
    { "normalized", TARE_MATCHING_NORMALIZED },
  };
  gboolean special = tare_json_get_boolean (object, "special", FALSE);
  guint32 matching = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (tare_json_get_boolean (object, keys[i].key,
                               keys[i].matching == TARE_MATCHING_NORMALIZED && !special))
      matching |= keys[i].matching;

  return matching;
}

static gboolean
read_added (TareTokenizer              *self,
            JsonArray                  *added,
            const TareTokenizerSource  *source,
            GError                    **error)
{
  for (guint i = 0; added != NULL && i < json_array_get_length (added); i++)
    {
      const char *name;
      gint64 id = 0;
      JsonObject *object = get_added (added, i, self->vocabulary.n_tokens, &name, &id,
                                      source, error);
      TareTokenType type = TARE_TOKEN_USER_DEFINED;

      if (object == NULL)
        return FALSE;
      if (get_vocab_type (self, source, name) != TARE_TOKEN_NORMAL)
        type = get_vocab_type (self, source, name);
      else if (tare_json_get_boolean (object, "special", FALSE) || looks_special (name))
        type = TARE_TOKEN_CONTROL;
      if (!_tare_vocabulary_set (&self->vocabulary, (guint32) id, name, type, source->path, error))
        return FALSE;
      _tare_vocabulary_get (&self->vocabulary, (guint32) id)->matching = read_matching (object);
    }

  return TRUE;
}

static gboolean
read_vocabulary (TareTokenizer              *self,
                 JsonObject                 *vocab,
                 JsonArray                  *added,
                 const TareTokenizerSource  *source,
                 GError                    **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  gint64 id = 0;

  json_object_iter_init (&iter, vocab);
  while (json_object_iter_next (&iter, &name, &node))
    if (!get_id (node, &id)
        || !_tare_vocabulary_set (&self->vocabulary, (guint32) id, name,
                                  get_vocab_type (self, source, name), source->path, error))
      return FALSE;

  if (!read_added (self, added, source, error))
    return FALSE;
  if (self->model == &_tare_tokenizer_words)
    {
      const char *prefix = tare_json_get_string (source->model, "continuing_subword_prefix");

      self->continuing = g_strdup (prefix != NULL ? prefix : "##");
      _tare_tokenizer_mark_words (self, self->continuing);
    }

  return _tare_vocabulary_index (&self->vocabulary, source->path, error);
}

static gboolean
read_merge (TareTokenizer              *self,
            JsonNode                   *node,
            const TareTokenizerSource  *source,
            GError                    **error)
{
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    return _tare_tokenizer_add_merge_line (self, json_node_get_string (node), source->path, error);

  if (JSON_NODE_HOLDS_ARRAY (node))
    {
      JsonArray *array = json_node_get_array (node);
      const char *parts[2] = { NULL, NULL };

      for (guint i = 0; json_array_get_length (array) == 2 && i < 2; i++)
        {
          JsonNode *part = json_array_get_element (array, i);

          if (JSON_NODE_HOLDS_VALUE (part) && json_node_get_value_type (part) == G_TYPE_STRING)
            parts[i] = json_node_get_string (part);
        }
      if (parts[0] != NULL && parts[1] != NULL)
        return _tare_tokenizer_add_merge (self, parts[0], strlen (parts[0]),
                                          parts[1], strlen (parts[1]), source->path, error);
    }
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "%s: merge %u is not two strings", source->path, self->merges->len);

  return FALSE;
}

static gboolean
read_merges (TareTokenizer              *self,
             const TareTokenizerSource  *source,
             GError                    **error)
{
  JsonArray *merges = tare_json_get_array (source->model, "merges");

  for (guint i = 0; merges != NULL && i < json_array_get_length (merges); i++)
    if (!read_merge (self, json_array_get_element (merges, i), source, error))
      return FALSE;

  return TRUE;
}

/* A token by its name in tokenizer_config.json, a string or an object, or its id in config.json. */
static gboolean
read_special (TareTokenizer              *self,
              const TareTokenizerSource  *source,
              const char                 *key,
              guint32                    *token,
              GError                    **error)
{
  g_autofree char *id_key = g_strconcat (key, "_id", NULL);
  const char *name = NULL;
  JsonNode *node;
  gint64 id;

  if (source->tokenizer != NULL)
    {
      JsonObject *object = tare_json_get_object (source->tokenizer, key);

      name = object != NULL ? tare_json_get_string (object, "content")
             : tare_json_get_string (source->tokenizer, key);
    }
  *token = _tare_vocabulary_find_name (&self->vocabulary, name);
  if (*token != TARE_TOKEN_NONE || source->config == NULL)
    return TRUE;

  node = json_object_get_member (source->config, id_key);
  if (node != NULL && JSON_NODE_HOLDS_ARRAY (node)
      && json_array_get_length (json_node_get_array (node)) > 0)
    node = json_array_get_element (json_node_get_array (node), 0);
  if (node == NULL || !get_id (node, &id) || id == -1)
    return TRUE;

  return _tare_tokenizer_check_token (self, id_key, id, token, source->path, error);
}

static gboolean
read_specials (TareTokenizer              *self,
               const TareTokenizerSource  *source,
               GError                    **error)
{
  guint32 unknown = _tare_vocabulary_find_name (&self->vocabulary, get_unknown (source));

  _tare_source_read_template (source, self);
  if (!read_special (self, source, "bos_token", &self->begin, error)
      || !read_special (self, source, "eos_token", &self->end, error)
      || !read_special (self, source, "unk_token", &self->unknown, error)
      || !read_special (self, source, "pad_token", &self->padding, error))
    return FALSE;

  if (unknown != TARE_TOKEN_NONE)
    self->unknown = unknown;
  self->add_begin = self->before->len > 0;
  self->add_end = self->after->len > 0;
  if (self->add_begin)
    self->begin = g_array_index (self->before, guint32, 0);
  if (self->add_end)
    self->end = g_array_index (self->after, guint32, self->after->len - 1);
  if (source->tokenizer != NULL)
    {
      self->add_begin = tare_json_get_boolean (source->tokenizer, "add_bos_token",
                                               self->add_begin);
      self->add_end = tare_json_get_boolean (source->tokenizer, "add_eos_token", self->add_end);
      self->chat_template = g_strdup (tare_json_get_string (source->tokenizer, "chat_template"));
    }

  return TRUE;
}

/* In a text spaces are not yet escaped when the tokens that a user defined are looked for. */
static gboolean
unescape_added (TareTokenizer              *self,
                const TareTokenizerSource  *source,
                GError                    **error)
{
  for (guint32 i = 0; i < self->vocabulary.n_tokens; i++)
    {
      TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, i);

      if (piece->type == TARE_TOKEN_USER_DEFINED && strstr (piece->text, ESCAPED_SPACE) != NULL)
        {
          g_auto(GStrv) parts = g_strsplit (piece->text, ESCAPED_SPACE, -1);
          g_autofree char *name = g_strjoinv (" ", parts);

          if (_tare_vocabulary_find_name (&self->vocabulary, name) != TARE_TOKEN_NONE)
            continue;
          piece->text = g_string_chunk_insert (self->vocabulary.texts, name);
          piece->length = (guint32) strlen (name);
        }
    }

  return _tare_vocabulary_index (&self->vocabulary, source->path, error);
}

static const TareTokenizerModel *
find_model (const TareTokenizerSource  *source,
            GError                    **error)
{
  const char *type = tare_json_get_string (source->model, "type");
  const char *prefix = tare_json_get_string (source->model, "continuing_subword_prefix");
  const char *suffix = tare_json_get_string (source->model, "end_of_word_suffix");

  if (type != NULL && strcmp (type, "Unigram") == 0)
    return &_tare_tokenizer_unigram;
  if (type != NULL && strcmp (type, "WordPiece") == 0)
    return &_tare_tokenizer_words;
  if (type != NULL && strcmp (type, "BPE") != 0)
    _tare_source_refuse (source, "model", type, error);
  else if (prefix != NULL && prefix[0] != '\0')
    _tare_source_refuse (source, "continuing_subword_prefix", prefix, error);
  else if (suffix != NULL && suffix[0] != '\0')
    _tare_source_refuse (source, "end_of_word_suffix", suffix, error);
  else if (has_step (source, "pre_tokenizer", "ByteLevel")
           || has_step (source, "decoder", "ByteLevel"))
    return &_tare_tokenizer_bytes;
  else if (tare_json_get_boolean (source->model, "byte_fallback", FALSE))
    return &_tare_tokenizer_pieces;
  else
    _tare_source_refuse (source, "model", "BPE without bytes", error);

  return NULL;
}

/* What GGUF has keys for can be told without the file; a file that says more is kept. */
static gboolean
says_more (TareTokenizer *self)
{
  return (self->model != &_tare_tokenizer_pieces && self->pre == NULL)
         || self->decoder != NULL || self->before->len > 1 || self->after->len > 1
         || (self->any_matching & ~TARE_MATCHING_NORMALIZED) != 0;
}

static void
keep_json (TareTokenizer             *self,
           const TareTokenizerSource *source)
{
  g_autoptr(JsonNode) node = NULL;

  if (!says_more (self))
    return;
  node = json_node_init_object (json_node_alloc (), source->root);
  self->json = json_to_string (node, FALSE);
}

static TareTokenizer *
read_source (TareTokenizerSource  *source,
             GError              **error)
{
  JsonArray *added = tare_json_get_array (source->root, "added_tokens");
  const TareTokenizerModel *model;
  g_autoptr(TareTokenizer) self = NULL;
  g_autoptr(JsonObject) made = NULL;
  JsonObject *vocab;
  guint32 n_tokens;
  gboolean escapes = FALSE;

  source->model = tare_json_get_object (source->root, "model");
  model = source->model != NULL ? find_model (source, error) : NULL;
  if (source->model != NULL && model == NULL)
    return NULL;
  vocab = source->model != NULL ? tare_json_get_object (source->model, "vocab") : NULL;
  if (model == &_tare_tokenizer_unigram && tare_json_get_array (source->model, "vocab") != NULL
      && (vocab = made = make_vocab (source, error)) == NULL)
    return NULL;
  if (vocab == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: no model with a vocab", source->path);
      return NULL;
    }
  n_tokens = count_tokens (vocab, added, source, error);
  if (n_tokens == 0)
    return NULL;

  self = _tare_tokenizer_new (model, n_tokens);
  if (!read_vocabulary (self, vocab, added, source, error)
      || !read_merges (self, source, error))
    return NULL;
  read_scores (self, source);
  if (!_tare_source_read_normalizer (source, self, &escapes, error)
      || !_tare_source_read_pre (source, self, &escapes, error))
    return NULL;
  if (!read_specials (self, source, error))
    return NULL;
  if (model == &_tare_tokenizer_pieces && !unescape_added (self, source, error))
    return NULL;
  if (!_tare_source_read_decoder (source, self, error))
    return NULL;
  _tare_tokenizer_finish (self);
  keep_json (self, source);

  return g_steal_pointer (&self);
}

static JsonObject *
get_root (JsonNode    *node,
          const char  *path,
          GError     **error)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    return json_node_get_object (node);

  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: not an object", path);

  return NULL;
}

/**
 * tare_tokenizer_new_from_json:
 * @json: the text of a tokenizer.json
 * @length: its bytes
 * @config_json: (nullable): the text of a tokenizer_config.json
 * @config_length: its bytes
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: (transfer full): the tokenizer, or %NULL with %TARE_ERROR_UNSUPPORTED for a model, a
 *   normalizer, a pre-tokenizer or a decoder that is not implemented, with %TARE_ERROR_INVALID
 *   for a vocabulary that contradicts itself
 */
TareTokenizer *
tare_tokenizer_new_from_json (const char  *json,
                              gsize        length,
                              const char  *config_json,
                              gsize        config_length,
                              const char  *path,
                              GError     **error)
{
  g_autoptr(JsonNode) root = tare_json_parse (json, length, path, error);
  g_autoptr(JsonNode) tokenizer = NULL;
  TareTokenizerSource source = { .path = path };

  if (root == NULL || (source.root = get_root (root, path, error)) == NULL)
    return NULL;
  if (config_json != NULL)
    {
      tokenizer = tare_json_parse (config_json, config_length, path, error);
      if (tokenizer == NULL || (source.tokenizer = get_root (tokenizer, path, error)) == NULL)
        return NULL;
    }

  return read_source (&source, error);
}

/* A file of a folder, which may be missing. */
static gboolean
load_optional (const char  *folder,
               const char  *name,
               JsonNode   **node,
               JsonObject **object,
               GError     **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  *node = tare_json_load (path, error);
  if (*node == NULL)
    return FALSE;
  *object = get_root (*node, path, error);

  return *object != NULL;
}

/**
 * tare_tokenizer_new_from_folder:
 * @folder: path of a Hugging Face folder
 * @error: return location
 *
 * Reads tokenizer.json and, where they are, tokenizer_config.json and config.json.
 *
 * Returns: (transfer full): the tokenizer, or %NULL with an error as
 *   tare_tokenizer_new_from_json() has them
 */
TareTokenizer *
tare_tokenizer_new_from_folder (const char  *folder,
                                GError     **error)
{
  g_autofree char *path = g_build_filename (folder, "tokenizer.json", NULL);
  g_autoptr(JsonNode) root = NULL;
  g_autoptr(JsonNode) tokenizer = NULL;
  g_autoptr(JsonNode) config = NULL;
  TareTokenizerSource source = { .path = path };

  g_return_val_if_fail (folder != NULL, NULL);

  root = tare_json_load (path, error);
  if (root == NULL || (source.root = get_root (root, path, error)) == NULL
      || !load_optional (folder, "tokenizer_config.json", &tokenizer, &source.tokenizer, error)
      || !load_optional (folder, "config.json", &config, &source.config, error))
    return NULL;

  return read_source (&source, error);
}
