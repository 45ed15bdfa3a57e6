/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The steps of a tokenizer.json: what a text goes through before the model has it. */
#include "quant/model/tare-tokenizer-source-private.h"

#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/tare-error.h"

/* What stands for a space in the names of pieces. */
#define ESCAPED_SPACE "\xe2\x96\x81"

/* Sequences within sequences, of which no file has more than one. */
#define MAXIMUM_DEPTH 16

/* What kind of step an object is. */
const char *
_tare_source_get_type (JsonObject *object)
{
  const char *type = tare_json_get_string (object, "type");

  return type != NULL ? type : "";
}

/* Appends the objects that a step stands for: itself, or those of a "Sequence". */
static void
flatten (JsonObject *step,
         guint       depth,
         GPtrArray  *steps)
{
  static const char *const members[] = {
    "pretokenizers", "normalizers", "processors", "decoders",
  };

  if (step == NULL || depth > MAXIMUM_DEPTH)
    return;
  if (strcmp (_tare_source_get_type (step), "Sequence") != 0)
    {
      g_ptr_array_add (steps, step);
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    {
      JsonArray *array = tare_json_get_array (step, members[i]);

      for (guint j = 0; array != NULL && j < json_array_get_length (array); j++)
        {
          JsonNode *node = json_array_get_element (array, j);

          if (JSON_NODE_HOLDS_OBJECT (node))
            flatten (json_node_get_object (node), depth + 1, steps);
        }
    }
}

/* The objects of "normalizer", "pre_tokenizer" and so on, one after the other. */
GPtrArray *
_tare_source_get_steps (const TareTokenizerSource *self,
                        const char                *key)
{
  GPtrArray *steps = g_ptr_array_new ();

  flatten (tare_json_get_object (self->root, key), 0, steps);

  return steps;
}

/* Says what is not supported; always %FALSE. */
gboolean
_tare_source_refuse (const TareTokenizerSource  *self,
                     const char                 *key,
                     const char                 *what,
                     GError                    **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: %s \"%s\" is not supported", self->path, key, what);

  return FALSE;
}

static gboolean
is_escape (JsonObject *step)
{
  JsonObject *pattern = tare_json_get_object (step, "pattern");

  return pattern != NULL && g_strcmp0 (tare_json_get_string (pattern, "String"), " ") == 0
         && g_strcmp0 (tare_json_get_string (step, "content"), ESCAPED_SPACE) == 0;
}

/* Whether a "Metaspace" puts a mark before a text. */
gboolean
_tare_source_prepends (JsonObject *step)
{
  const char *scheme = tare_json_get_string (step, "prepend_scheme");

  return scheme != NULL ? strcmp (scheme, "never") != 0
                        : tare_json_get_boolean (step, "add_prefix_space", TRUE);
}

/* What a text goes through before it is split; @escapes is set where spaces become marks. */
gboolean
_tare_source_read_normalizer (const TareTokenizerSource  *source,
                              TareTokenizer              *self,
                              gboolean                   *escapes,
                              GError                    **error)
{
  g_autoptr(GPtrArray) steps = _tare_source_get_steps (source, "normalizer");
  gboolean pieces = self->model == &_tare_tokenizer_pieces;

  self->normalizer = _tare_normalizer_new ();
  for (guint i = 0; i < steps->len; i++)
    {
      JsonObject *step = steps->pdata[i];
      const char *type = _tare_source_get_type (step);

      if (pieces && strcmp (type, "Replace") == 0 && is_escape (step))
        *escapes = TRUE;
      else if (pieces && strcmp (type, "Prepend") == 0
               && g_strcmp0 (tare_json_get_string (step, "prepend"), ESCAPED_SPACE) == 0)
        self->add_prefix = TRUE;
      else if (!_tare_normalizer_add_json (self->normalizer, step, source->path, error))
        return FALSE;
    }

  return TRUE;
}

/* Splits before spaces are marked; whether a mark goes before the text. */
static gboolean
read_unigram_pre (TareTokenizer              *self,
                  const TareTokenizerSource  *source,
                  GError                    **error)
{
  g_autoptr(GPtrArray) steps = _tare_source_get_steps (source, "pre_tokenizer");
  gboolean splits = FALSE;

  self->splitter = _tare_splitter_new ();
  self->prefixes_once = TRUE;
  for (guint i = 0; i < steps->len; i++)
    {
      JsonObject *step = steps->pdata[i];

      if (strcmp (_tare_source_get_type (step), "Metaspace") == 0)
        {
          self->add_prefix |= _tare_source_prepends (step);
          splits |= tare_json_get_boolean (step, "split", TRUE);
        }
      else if (!_tare_splitter_add_json (self->splitter, step, &self->add_prefix, source->path,
                                         error))
        {
          return FALSE;
        }
    }
  _tare_tokenizer_prepare_unigram (self);
  self->crosses_words &= !splits;

  return TRUE;
}

/* The pre-tokenizers of pieces: what they split at, no merge reaches across anyway. */
static gboolean
read_pieces_pre (TareTokenizer              *self,
                 const TareTokenizerSource  *source,
                 gboolean                   *escapes,
                 GError                    **error)
{
  g_autoptr(GPtrArray) steps = _tare_source_get_steps (source, "pre_tokenizer");

  for (guint i = 0; i < steps->len; i++)
    {
      JsonObject *step = steps->pdata[i];
      JsonObject *pattern = tare_json_get_object (step, "pattern");
      const char *type = _tare_source_get_type (step);

      if (strcmp (type, "Metaspace") == 0)
        {
          *escapes = TRUE;
          self->add_prefix |= _tare_source_prepends (step);
        }
      else if (strcmp (type, "Split") != 0 || !*escapes || pattern == NULL
               || g_strcmp0 (tare_json_get_string (pattern, "String"), " ") != 0)
        {
          return _tare_source_refuse (source, "pre_tokenizer", type, error);
        }
    }
  if (!*escapes)
    return _tare_source_refuse (source, "byte_fallback without", ESCAPED_SPACE, error);

  return TRUE;
}

static gboolean
read_splitter (TareTokenizer              *self,
               const TareTokenizerSource  *source,
               GError                    **error)
{
  g_autoptr(GPtrArray) steps = _tare_source_get_steps (source, "pre_tokenizer");

  self->splitter = _tare_splitter_new ();
  for (guint i = 0; i < steps->len; i++)
    if (!_tare_splitter_add_json (self->splitter, steps->pdata[i], &self->add_prefix,
                                  source->path, error))
      return FALSE;

  return TRUE;
}

static gboolean
read_bytes_pre (TareTokenizer              *self,
                const TareTokenizerSource  *source,
                GError                    **error)
{
  gboolean stated = json_object_has_member (source->model, "ignore_merges");
  gboolean ignore_merges = tare_json_get_boolean (source->model, "ignore_merges", FALSE);

  if (!read_splitter (self, source, error))
    return FALSE;

  self->pre = _tare_pre_tokenizer_detect (self->splitter, stated ? &ignore_merges : NULL);
  self->pre_name = g_strdup (self->pre != NULL ? self->pre->names[0] : NULL);
  self->ignore_merges = stated || self->pre == NULL ? ignore_merges : self->pre->ignore_merges;

  return TRUE;
}

/* How a text is split, and with it what the model needs. */
gboolean
_tare_source_read_pre (const TareTokenizerSource  *source,
                       TareTokenizer              *self,
                       gboolean                   *escapes,
                       GError                    **error)
{
  double longest;

  if (self->model == &_tare_tokenizer_pieces)
    {
      if (!read_pieces_pre (self, source, escapes, error))
        return FALSE;
      _tare_tokenizer_score_merges (self);
    }
  else if (self->model == &_tare_tokenizer_unigram)
    {
      return read_unigram_pre (self, source, error);
    }
  else if (self->model == &_tare_tokenizer_words)
    {
      self->add_prefix = TRUE;
      _tare_tokenizer_prepare_words (self);
      if (tare_json_get_number (source->model, "max_input_chars_per_word", &longest)
          && longest >= 0.0 && longest < G_MAXUINT)
        self->longest_word = (guint) longest;
      return read_splitter (self, source, error);
    }
  else
    {
      if (!read_bytes_pre (self, source, error))
        return FALSE;
      _tare_tokenizer_rank_merges (self);
    }

  return TRUE;
}
