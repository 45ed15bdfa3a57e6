/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From a tokenizer to the tokenizer.json that makes the same tokens. */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-unicode.h"

#define ESCAPED_SPACE "\xe2\x96\x81"

/* Two tokens that merge, in the order of their merging. */
typedef struct
{
  float   score;
  guint32 result;
  guint32 left;
  guint32 right;
} Pair;

static const TarePiece *
get_piece (TareTokenizer *self,
           guint32        token)
{
  return _tare_vocabulary_get (&self->vocabulary, token);
}

static const char *
get_name (TareTokenizer *self,
          guint32        token)
{
  return token < self->vocabulary.n_tokens ? get_piece (self, token)->text : NULL;
}

/* What a GGUF file calls an id that the vocabulary of its model has no name for. */
static gboolean
is_padding (const TarePiece *piece,
            guint32          token)
{
  g_autofree char *name = g_strdup_printf ("[PAD%u]", token);

  return piece->text == NULL
         || (piece->type == TARE_TOKEN_UNUSED && g_str_has_prefix (piece->text, name));
}

/* As a tokenizer.json spells it: there what goes on with a word is marked, not what begins one. */
static char *
spell (TareTokenizer *self,
       guint32        token)
{
  const TarePiece *piece = get_piece (self, token);

  if (self->model != &_tare_tokenizer_words || piece->type != TARE_TOKEN_NORMAL)
    return g_strdup (piece->text);
  if (g_str_has_prefix (piece->text, ESCAPED_SPACE))
    return g_strdup (piece->text + strlen (ESCAPED_SPACE));

  return g_strconcat (self->continuing != NULL ? self->continuing : "##", piece->text, NULL);
}

static JsonObject *
new_step (const char *type)
{
  JsonObject *step = json_object_new ();

  json_object_set_string_member (step, "type", type);

  return step;
}

static JsonObject *
new_sequence (const char *key,
              JsonArray  *steps)
{
  JsonObject *sequence = new_step ("Sequence");

  json_object_set_array_member (sequence, key, steps);

  return sequence;
}

static JsonObject *
new_replace (const char *kind,
             const char *pattern,
             const char *content)
{
  JsonObject *step = new_step ("Replace");
  JsonObject *of = json_object_new ();

  json_object_set_string_member (of, kind, pattern);
  json_object_set_object_member (step, "pattern", of);
  json_object_set_string_member (step, "content", content);

  return step;
}

static JsonObject *
new_byte_level (gboolean prefix,
                gboolean regex)
{
  JsonObject *step = new_step ("ByteLevel");

  json_object_set_boolean_member (step, "add_prefix_space", prefix);
  json_object_set_boolean_member (step, "trim_offsets", TRUE);
  json_object_set_boolean_member (step, "use_regex", regex);

  return step;
}

static JsonArray *
list_added (TareTokenizer *self)
{
  JsonArray *added = json_array_new ();

  for (guint32 i = 0; i < self->vocabulary.n_tokens; i++)
    {
      const TarePiece *piece = get_piece (self, i);
      JsonObject *object = NULL;

      if (is_padding (piece, i)
          || (piece->type != TARE_TOKEN_CONTROL && piece->type != TARE_TOKEN_USER_DEFINED
              && piece->type != TARE_TOKEN_UNKNOWN))
        continue;

      object = json_object_new ();
      json_object_set_int_member (object, "id", i);
      json_object_set_string_member (object, "content", piece->text);
      json_object_set_boolean_member (object, "single_word",
                                      (piece->matching & TARE_MATCHING_WORD) != 0);
      json_object_set_boolean_member (object, "lstrip",
                                      (piece->matching & TARE_MATCHING_LEFT) != 0);
      json_object_set_boolean_member (object, "rstrip",
                                      (piece->matching & TARE_MATCHING_RIGHT) != 0);
      json_object_set_boolean_member (object, "normalized",
                                      (piece->matching & TARE_MATCHING_NORMALIZED) != 0);
      json_object_set_boolean_member (object, "special", piece->type != TARE_TOKEN_USER_DEFINED);
      json_array_add_object_element (added, object);
    }

  return added;
}

static JsonObject *
list_names (TareTokenizer *self)
{
  JsonObject *vocab = json_object_new ();

  for (guint32 i = 0; i < self->vocabulary.n_tokens; i++)
    {
      g_autofree char *name = is_padding (get_piece (self, i), i) ? NULL : spell (self, i);

      if (name != NULL && !json_object_has_member (vocab, name))
        json_object_set_int_member (vocab, name, i);
    }

  return vocab;
}

static void
add_merges (TareTokenizer *self,
            GArray        *pairs)
{
  for (guint i = 0; i < self->merges->len; i++)
    {
      const TareMerge *merge = &g_array_index (self->merges, TareMerge, i);
      Pair pair = { 0.0f, merge->result, merge->left, merge->right };

      g_array_append_val (pairs, pair);
    }
}

static int
compare_pairs (gconstpointer a,
               gconstpointer b)
{
  const Pair *x = a;
  const Pair *y = b;

  if (x->score != y->score)
    return x->score > y->score ? -1 : 1;
  if (x->result != y->result)
    return x->result < y->result ? -1 : 1;
  if (x->left != y->left)
    return x->left < y->left ? -1 : 1;

  return x->right < y->right ? -1 : x->right > y->right;
}

/* Of pieces with scores every two that make a third merge, that of the highest score first. */
static void
add_pairs (TareTokenizer *self,
           GArray        *pairs)
{
  const TareVocabulary *vocabulary = &self->vocabulary;
  gunichar character;
  guint n;

  for (guint32 i = 0; i < vocabulary->n_tokens; i++)
    {
      const TarePiece *piece = get_piece (self, i);

      for (gsize j = 0; piece->text != NULL && j < piece->length; j += n)
        {
          Pair pair = { piece->score, i, TARE_TOKEN_NONE, TARE_TOKEN_NONE };

          n = tare_unicode_decode (piece->text + j, piece->length - j, &character);
          if (j == 0)
            continue;
          pair.left = _tare_vocabulary_find (vocabulary, piece->text, j);
          pair.right = _tare_vocabulary_find (vocabulary, piece->text + j, piece->length - j);
          if (pair.left < vocabulary->n_tokens && pair.right < vocabulary->n_tokens)
            g_array_append_val (pairs, pair);
        }
    }
  g_array_sort (pairs, compare_pairs);
}

/* As older programs read them, "left right", but where a part has a space itself. */
static JsonArray *
list_merges (TareTokenizer *self)
{
  g_autoptr(GArray) pairs = g_array_new (FALSE, FALSE, sizeof (Pair));
  JsonArray *merges = json_array_new ();
  gboolean spaced = FALSE;

  if (self->merges->len == 0 && self->model == &_tare_tokenizer_pieces)
    add_pairs (self, pairs);
  else
    add_merges (self, pairs);

  for (guint i = 0; i < pairs->len && !spaced; i++)
    spaced = strchr (get_name (self, g_array_index (pairs, Pair, i).result), ' ') != NULL;
  for (guint i = 0; i < pairs->len; i++)
    {
      const Pair *pair = &g_array_index (pairs, Pair, i);
      const char *left = get_name (self, pair->left);
      const char *right = get_name (self, pair->right);
      g_autofree char *line = g_strconcat (left, " ", right, NULL);
      JsonArray *both = NULL;

      if (!spaced)
        {
          json_array_add_string_element (merges, line);
          continue;
        }
      both = json_array_new ();
      json_array_add_string_element (both, left);
      json_array_add_string_element (both, right);
      json_array_add_array_element (merges, both);
    }

  return merges;
}

static void
set_name (JsonObject    *object,
          const char    *key,
          TareTokenizer *self,
          guint32        token)
{
  if (get_name (self, token) != NULL)
    json_object_set_string_member (object, key, get_name (self, token));
  else
    json_object_set_null_member (object, key);
}

static gboolean
has_bytes (TareTokenizer *self)
{
  return self->bytes['\n'] != TARE_TOKEN_NONE && self->bytes[0xff] != TARE_TOKEN_NONE;
}

static JsonObject *
make_bpe (TareTokenizer *self)
{
  gboolean pieces = self->model == &_tare_tokenizer_pieces;
  JsonObject *model = new_step ("BPE");

  json_object_set_null_member (model, "dropout");
  set_name (model, "unk_token", self, pieces ? self->unknown : TARE_TOKEN_NONE);
  json_object_set_null_member (model, "continuing_subword_prefix");
  json_object_set_null_member (model, "end_of_word_suffix");
  json_object_set_boolean_member (model, "fuse_unk", pieces);
  json_object_set_boolean_member (model, "byte_fallback", pieces);
  json_object_set_boolean_member (model, "ignore_merges", self->ignore_merges);
  json_object_set_object_member (model, "vocab", list_names (self));
  json_object_set_array_member (model, "merges", list_merges (self));

  return model;
}

/* Ids are places of the list, so that what is no piece needs one too, and a name of its own. */
static JsonObject *
make_unigram (TareTokenizer *self)
{
  JsonObject *model = new_step ("Unigram");
  JsonArray *vocab = json_array_new ();

  for (guint32 i = 0; i < self->vocabulary.n_tokens; i++)
    {
      const TarePiece *piece = get_piece (self, i);
      g_autofree char *padding = g_strdup_printf ("[PAD%u]", i);
      JsonArray *entry = json_array_new ();

      json_array_add_string_element (entry, piece->text != NULL ? piece->text : padding);
      json_array_add_double_element (entry, (double) piece->score);
      json_array_add_array_element (vocab, entry);
    }
  if (self->unknown < self->vocabulary.n_tokens)
    json_object_set_int_member (model, "unk_id", self->unknown);
  else
    json_object_set_null_member (model, "unk_id");
  json_object_set_array_member (model, "vocab", vocab);
  json_object_set_boolean_member (model, "byte_fallback", has_bytes (self));

  return model;
}

static JsonObject *
make_words (TareTokenizer *self)
{
  JsonObject *model = new_step ("WordPiece");

  set_name (model, "unk_token", self, self->unknown);
  json_object_set_string_member (model, "continuing_subword_prefix",
                                 self->continuing != NULL ? self->continuing : "##");
  json_object_set_int_member (model, "max_input_chars_per_word", self->longest_word);
  json_object_set_object_member (model, "vocab", list_names (self));

  return model;
}

/* Spaces become marks, with one before the text where the vocabulary wants that. */
static void
add_escapes (TareTokenizer *self,
             JsonArray     *steps)
{
  JsonObject *step = NULL;

  if (self->add_prefix)
    {
      step = new_step ("Prepend");
      json_object_set_string_member (step, "prepend", ESCAPED_SPACE);
      json_array_add_object_element (steps, step);
    }
  json_array_add_object_element (steps, new_replace ("String", " ", ESCAPED_SPACE));
}

/* SentencePiece's table comes first, and makes a space of every kind of white space. */
static JsonObject *
make_cleaning (TareTokenizer *self)
{
  JsonArray *steps = json_array_new ();
  JsonObject *step = NULL;

  if (self->charsmap != NULL)
    {
      gsize length = 0;
      const guchar *data = g_bytes_get_data (self->charsmap, &length);
      g_autofree char *text = g_base64_encode (data, length);

      step = new_step ("Precompiled");
      json_object_set_string_member (step, "precompiled_charsmap", text);
      json_array_add_object_element (steps, step);
    }
  if (self->trims)
    {
      step = new_step ("Strip");
      json_object_set_boolean_member (step, "strip_left", TRUE);
      json_object_set_boolean_member (step, "strip_right", TRUE);
      json_array_add_object_element (steps, step);
      json_array_add_object_element (steps, new_replace ("Regex", " {2,}", " "));
    }
  add_escapes (self, steps);

  return new_sequence ("normalizers", steps);
}

static JsonObject *
make_escaping (TareTokenizer *self)
{
  JsonArray *steps = json_array_new ();

  add_escapes (self, steps);

  return new_sequence ("normalizers", steps);
}

/* What llama.cpp does for every WordPiece vocabulary. */
static JsonObject *
make_bert_cleaning (TareTokenizer *self)
{
  JsonObject *step = new_step ("BertNormalizer");

  json_object_set_boolean_member (step, "clean_text", TRUE);
  json_object_set_boolean_member (step, "handle_chinese_chars", TRUE);
  json_object_set_boolean_member (step, "strip_accents", TRUE);
  json_object_set_boolean_member (step, "lowercase", TRUE);

  return step;
}

static JsonObject *
make_bert_splitting (TareTokenizer *self)
{
  return new_step ("BertPreTokenizer");
}

/* Every step of splitting, and then bytes; GPT-2's own is within that. */
static JsonObject *
make_splitting (TareTokenizer *self)
{
  JsonArray *steps = NULL;

  if (self->splitter->len == 1
      && strcmp (g_array_index (self->splitter, TareSplitStep, 0).regex, TARE_REGEX_GPT2) == 0)
    return new_byte_level (self->add_prefix, TRUE);

  steps = json_array_new ();
  for (guint i = 0; i < self->splitter->len; i++)
    {
      const TareSplitStep *split = &g_array_index (self->splitter, TareSplitStep, i);
      JsonObject *step = new_step ("Split");
      JsonObject *pattern = json_object_new ();

      json_object_set_string_member (pattern, "Regex", split->regex);
      json_object_set_object_member (step, "pattern", pattern);
      json_object_set_string_member (step, "behavior", "Isolated");
      json_object_set_boolean_member (step, "invert", FALSE);
      json_array_add_object_element (steps, step);
    }
  json_array_add_object_element (steps, new_byte_level (self->add_prefix, FALSE));

  return new_sequence ("pretokenizers", steps);
}

static JsonObject *
make_byte_decoding (TareTokenizer *self)
{
  return new_byte_level (self->add_prefix, TRUE);
}

static JsonObject *
make_unescaping (TareTokenizer *self)
{
  JsonArray *steps = json_array_new ();
  JsonObject *step = NULL;

  json_array_add_object_element (steps, new_replace ("String", ESCAPED_SPACE, " "));
  if (has_bytes (self))
    json_array_add_object_element (steps, new_step ("ByteFallback"));
  json_array_add_object_element (steps, new_step ("Fuse"));
  if (self->add_prefix)
    {
      step = new_step ("Strip");
      json_object_set_string_member (step, "content", " ");
      json_object_set_int_member (step, "start", 1);
      json_object_set_int_member (step, "stop", 0);
      json_array_add_object_element (steps, step);
    }

  return new_sequence ("decoders", steps);
}

static JsonObject *
make_word_decoding (TareTokenizer *self)
{
  JsonObject *step = new_step ("WordPiece");

  json_object_set_string_member (step, "prefix", self->continuing != NULL ? self->continuing
                                                                          : "##");
  json_object_set_boolean_member (step, "cleanup", FALSE);

  return step;
}

static void
add_end (TareTokenizer *self,
         guint32        token,
         JsonArray     *sequence,
         JsonObject    *specials)
{
  const char *name = get_name (self, token);
  JsonObject *part = json_object_new ();
  JsonObject *special = json_object_new ();
  JsonObject *entry = json_object_new ();
  JsonArray *ids = json_array_new ();
  JsonArray *names = json_array_new ();

  json_object_set_string_member (special, "id", name);
  json_object_set_int_member (special, "type_id", 0);
  json_object_set_object_member (part, "SpecialToken", special);
  json_array_add_object_element (sequence, part);

  json_array_add_int_element (ids, token);
  json_array_add_string_element (names, name);
  json_object_set_string_member (entry, "id", name);
  json_object_set_array_member (entry, "ids", ids);
  json_object_set_array_member (entry, "tokens", names);
  json_object_set_object_member (specials, name, entry);
}

/* A text, or two one after the other, each with what stands at its ends. */
static JsonArray *
list_parts (TareTokenizer *self,
            guint          n_texts,
            JsonObject    *specials)
{
  JsonArray *parts = json_array_new ();

  for (guint i = 0; i < n_texts; i++)
    {
      JsonObject *part = json_object_new ();
      JsonObject *text = json_object_new ();

      if (self->add_begin && get_name (self, self->begin) != NULL)
        add_end (self, self->begin, parts, specials);
      json_object_set_string_member (text, "id", i == 0 ? "A" : "B");
      json_object_set_int_member (text, "type_id", i);
      json_object_set_object_member (part, "Sequence", text);
      json_array_add_object_element (parts, part);
      if (self->add_end && get_name (self, self->end) != NULL)
        add_end (self, self->end, parts, specials);
    }

  return parts;
}

static JsonObject *
make_template (TareTokenizer *self)
{
  JsonObject *step = new_step ("TemplateProcessing");
  JsonObject *specials = json_object_new ();

  json_object_set_array_member (step, "single", list_parts (self, 1, specials));
  json_object_set_array_member (step, "pair", list_parts (self, 2, specials));
  json_object_set_object_member (step, "special_tokens", specials);

  return step;
}

/* What a tokenizer.json says of each model; NULL for nothing. */
static const struct
{
  const TareTokenizerModel *model;
  JsonObject *            (*normalize) (TareTokenizer *self);
  JsonObject *            (*split)     (TareTokenizer *self);
  JsonObject *            (*decode)    (TareTokenizer *self);
  JsonObject *            (*make)      (TareTokenizer *self);
} kinds[] = {
  { &_tare_tokenizer_bytes, NULL, make_splitting, make_byte_decoding, make_bpe },
  { &_tare_tokenizer_pieces, make_escaping, NULL, make_unescaping, make_bpe },
  { &_tare_tokenizer_unigram, make_cleaning, NULL, make_unescaping, make_unigram },
  { &_tare_tokenizer_words, make_bert_cleaning, make_bert_splitting, make_word_decoding,
    make_words },
};

static void
set_step (JsonObject    *root,
          const char    *key,
          TareTokenizer *self,
          JsonObject *(*make) (TareTokenizer *self))
{
  if (make != NULL)
    json_object_set_object_member (root, key, make (self));
  else
    json_object_set_null_member (root, key);
}

/**
 * tare_tokenizer_dup_json:
 * @self: a tokenizer of a GGUF file
 *
 * Ids that the file has no name for but a made up one are left out.
 *
 * Returns: (transfer full): the tokenizer.json that makes the same tokens
 */
JsonObject *
tare_tokenizer_dup_json (TareTokenizer *self)
{
  g_autoptr(JsonNode) node = NULL;
  JsonObject *root = NULL;

  g_return_val_if_fail (self != NULL, NULL);

  /* It was read once, and so is an object. */
  if (self->json != NULL)
    {
      node = tare_json_parse (self->json, strlen (self->json), "tokenizer.json", NULL);
      return json_object_ref (json_node_get_object (node));
    }

  root = json_object_new ();
  json_object_set_string_member (root, "version", "1.0");
  json_object_set_null_member (root, "truncation");
  json_object_set_null_member (root, "padding");
  json_object_set_array_member (root, "added_tokens", list_added (self));
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      if (kinds[i].model != self->model)
        continue;
      set_step (root, "normalizer", self, kinds[i].normalize);
      set_step (root, "pre_tokenizer", self, kinds[i].split);
      set_step (root, "post_processor", self, make_template);
      set_step (root, "decoder", self, kinds[i].decode);
      set_step (root, "model", self, kinds[i].make);
    }

  return root;
}

/**
 * tare_tokenizer_dup_config:
 * @self: a tokenizer of a GGUF file
 *
 * Returns: (transfer full): the tokenizer_config.json that goes with tare_tokenizer_dup_json()
 */
JsonObject *
tare_tokenizer_dup_config (TareTokenizer *self)
{
  JsonObject *object = json_object_new ();

  g_return_val_if_fail (self != NULL, object);

  json_object_set_string_member (object, "tokenizer_class", "PreTrainedTokenizerFast");
  set_name (object, "bos_token", self, self->begin);
  set_name (object, "eos_token", self, self->end);
  set_name (object, "unk_token", self, self->unknown);
  set_name (object, "pad_token", self, self->padding);
  json_object_set_boolean_member (object, "add_bos_token", self->add_begin);
  json_object_set_boolean_member (object, "add_eos_token", self->add_end);
  json_object_set_boolean_member (object, "clean_up_tokenization_spaces", FALSE);
  if (self->chat_template != NULL)
    json_object_set_string_member (object, "chat_template", self->chat_template);

  return object;
}
