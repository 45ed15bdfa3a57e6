/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The "decoder" of a tokenizer.json: from the names of tokens to a text, step by step. Bytes that
 * make no character stay what they are, so that decoding gives back any text.
 */
#include "quant/model/tare-tokenizer-source-private.h"

#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-unicode.h"
#include "quant/tare-error.h"

#define WORD_MARK "\xe2\x96\x81"

typedef struct _Step Step;

/**
 * Step:
 * @run: what becomes of the names, of which there is at least one
 * @text: what is looked for
 * @normalizer: (nullable): what replaces
 * @start: how many go at the begin of a name
 * @stop: how many go at its end
 * @flag: whether the first mark goes too, or whether English contractions close up
 */
struct _Step
{
  void           (*run) (const Step *self,
                         GPtrArray  *names);
  char           *text;
  TareNormalizer *normalizer;
  gsize           start;
  gsize           stop;
  gboolean        flag;
};

static void
clear_step (gpointer data)
{
  Step *step = data;

  g_clear_pointer (&step->normalizer, g_array_unref);
  g_free (step->text);
}

static void
free_name (gpointer data)
{
  g_string_free (data, TRUE);
}

static void
run_fuse (const Step *self,
          GPtrArray  *names)
{
  GString *whole = names->pdata[0];

  for (guint i = 1; i < names->len; i++)
    {
      const GString *name = names->pdata[i];

      g_string_append_len (whole, name->str, (gssize) name->len);
    }
  g_ptr_array_set_size (names, 1);
}

static void
run_bytes (const Step *self,
           GPtrArray  *names)
{
  for (guint i = 0; i < names->len; i++)
    {
      GString *name = names->pdata[i];
      g_autoptr(GString) bytes = g_string_sized_new (name->len + 1);

      for (gsize j = 0; j < name->len;)
        {
          gunichar character;
          guint n = tare_unicode_decode (name->str + j, name->len - j, &character);
          int byte = tare_unicode_to_byte (character);

          /* A name that is not all bytes, as those of added tokens may be, is a text. */
          if (byte < 0)
            break;
          g_string_append_c (bytes, (char) byte);
          j += n;
          if (j == name->len)
            {
              g_string_truncate (name, 0);
              g_string_append_len (name, bytes->str, (gssize) bytes->len);
              break;
            }
        }
    }
  run_fuse (self, names);
}

static void
run_byte_fallback (const Step *self,
                   GPtrArray  *names)
{
  for (guint i = 0; i < names->len; i++)
    {
      GString *name = names->pdata[i];

      if (!_tare_is_byte_name (name->str))
        continue;
      name->str[0] = (char) (g_ascii_xdigit_value (name->str[3]) << 4
                             | g_ascii_xdigit_value (name->str[4]));
      name->len = 1;
      name->str[1] = '\0';
    }
}

static void
run_marks (const Step *self,
           GPtrArray  *names)
{
  gboolean first = self->flag && g_str_has_prefix (((GString *) names->pdata[0])->str, self->text);

  if (first)
    g_string_erase (names->pdata[0], 0, (gssize) strlen (self->text));
  for (guint i = 0; self->text[0] != '\0' && i < names->len; i++)
    g_string_replace (names->pdata[i], self->text, " ", 0);
}

/* What stands before or after a mark without a space in English: Hugging Face's cleanup. */
static void
clean_up (GString *name)
{
  static const char *const pairs[][2] = {
    { " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" },
    { " n't", "n't" }, { " 'm", "'m" }, { " do not", " don't" }, { " 's", "'s" },
    { " 've", "'ve" }, { " 're", "'re" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++)
    g_string_replace (name, pairs[i][0], pairs[i][1], 0);
}

static void
run_words (const Step *self,
           GPtrArray  *names)
{
  for (guint i = 0; i < names->len; i++)
    {
      GString *name = names->pdata[i];

      if (i > 0 && g_str_has_prefix (name->str, self->text))
        g_string_erase (name, 0, (gssize) strlen (self->text));
      else if (i > 0)
        g_string_prepend_c (name, ' ');
      if (self->flag)
        clean_up (name);
    }
}

static void
run_suffix (const Step *self,
            GPtrArray  *names)
{
  for (guint i = 0; self->text[0] != '\0' && i < names->len; i++)
    g_string_replace (names->pdata[i], self->text, i + 1 < names->len ? " " : "", 0);
}

static void
run_strip (const Step *self,
           GPtrArray  *names)
{
  gsize n = strlen (self->text);

  for (guint i = 0; n > 0 && i < names->len; i++)
    {
      GString *name = names->pdata[i];

      for (gsize j = 0; j < self->start && g_str_has_prefix (name->str, self->text); j++)
        g_string_erase (name, 0, (gssize) n);
      for (gsize j = 0; j < self->stop && name->len >= n
           && memcmp (name->str + name->len - n, self->text, n) == 0; j++)
        g_string_truncate (name, name->len - n);
    }
}

static void
run_replace (const Step *self,
             GPtrArray  *names)
{
  for (guint i = 0; i < names->len; i++)
    {
      GString *name = names->pdata[i];
      GString *replaced = _tare_normalizer_run (self->normalizer, name->str, name->len);

      g_string_free (name, TRUE);
      names->pdata[i] = replaced;
    }
}

static const struct
{
  const char *type;
  void      (*run) (const Step *self,
                    GPtrArray  *names);
  const char *key;
  const char *text;
  const char *flag;
} kinds[] = {
  { "ByteLevel", run_bytes, NULL, NULL, NULL },
  { "ByteFallback", run_byte_fallback, NULL, NULL, NULL },
  { "Fuse", run_fuse, NULL, NULL, NULL },
  { "Metaspace", run_marks, "replacement", WORD_MARK, NULL },
  { "WordPiece", run_words, "prefix", "##", "cleanup" },
  { "BPEDecoder", run_suffix, "suffix", "</w>", NULL },
  { "Strip", run_strip, "content", " ", NULL },
  { "Replace", run_replace, NULL, NULL, NULL },
};

static gsize
get_count (JsonObject *object,
           const char *key)
{
  double value = 0.0;

  return tare_json_get_number (object, key, &value) && value > 0.0 && value < G_MAXINT32
         ? (gsize) value : 0;
}

static gboolean
read_step (Step                       *step,
           gsize                       kind,
           JsonObject                 *object,
           const TareTokenizerSource  *source,
           GError                    **error)
{
  const char *text = kinds[kind].key != NULL ? tare_json_get_string (object, kinds[kind].key)
                                              : NULL;

  step->run = kinds[kind].run;
  step->text = g_strdup (text != NULL ? text : kinds[kind].text);
  step->start = get_count (object, "start");
  step->stop = get_count (object, "stop");
  if (step->run == run_marks)
    step->flag = _tare_source_prepends (object);
  else if (kinds[kind].flag != NULL)
    step->flag = tare_json_get_boolean (object, kinds[kind].flag, TRUE);
  if (step->run != run_replace)
    return TRUE;
  step->normalizer = _tare_normalizer_new ();

  return _tare_normalizer_add_json (step->normalizer, object, source->path, error);
}

/* A mark becomes a space. */
static gboolean
is_unmarking (JsonObject *object)
{
  JsonObject *pattern = tare_json_get_object (object, "pattern");

  return pattern != NULL && g_strcmp0 (tare_json_get_string (pattern, "String"), WORD_MARK) == 0
         && g_strcmp0 (tare_json_get_string (object, "content"), " ") == 0;
}

/* Whether the steps say what the model does without them, and does for any bytes. */
static gboolean
is_plain (TareTokenizer *self,
          GPtrArray     *steps)
{
  gboolean bytes = self->model == &_tare_tokenizer_bytes;
  gboolean plain = self->model != &_tare_tokenizer_words || steps->len == 0;
  gboolean strips = FALSE;

  for (guint i = 0; plain && i < steps->len; i++)
    {
      JsonObject *object = steps->pdata[i];
      const char *type = _tare_source_get_type (object);

      if (strcmp (type, "Metaspace") == 0 && steps->len == 1)
        plain = !bytes && _tare_source_prepends (object) == self->add_prefix
                && g_strcmp0 (tare_json_get_string (object, "replacement"), WORD_MARK) == 0;
      else if (strcmp (type, "Strip") == 0 && i + 1 == steps->len)
        plain = strips = !bytes && self->add_prefix && get_count (object, "start") == 1
                         && get_count (object, "stop") == 0
                         && g_strcmp0 (tare_json_get_string (object, "content"), " ") == 0;
      else if (strcmp (type, "Replace") == 0)
        plain = !bytes && is_unmarking (object);
      else
        plain = strcmp (type, "Fuse") == 0
                || strcmp (type, bytes ? "ByteLevel" : "ByteFallback") == 0;
    }

  return plain && (bytes || strips == self->add_prefix || steps->len <= 1);
}

/**
 * _tare_source_read_decoder:
 * @source: a tokenizer.json
 * @self: its tokenizer
 * @error: return location
 *
 * Reads the steps of decoding, where they say something else than the model does anyway.
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED for one that is not implemented
 */
gboolean
_tare_source_read_decoder (const TareTokenizerSource  *source,
                           TareTokenizer              *self,
                           GError                    **error)
{
  g_autoptr(GPtrArray) steps = _tare_source_get_steps (source, "decoder");

  if (is_plain (self, steps))
    return TRUE;
  self->decoder = g_array_new (FALSE, TRUE, sizeof (Step));
  g_array_set_clear_func (self->decoder, clear_step);
  for (guint i = 0; i < steps->len; i++)
    {
      const char *type = _tare_source_get_type (steps->pdata[i]);
      Step step = { NULL };
      gsize kind = 0;

      while (kind < G_N_ELEMENTS (kinds) && strcmp (kinds[kind].type, type) != 0)
        kind++;
      if (kind == G_N_ELEMENTS (kinds))
        return _tare_source_refuse (source, "decoder", type, error);
      if (!read_step (&step, kind, steps->pdata[i], source, error))
        {
          clear_step (&step);
          return FALSE;
        }
      g_array_append_val (self->decoder, step);
    }

  return TRUE;
}

/* The name as the tokenizer.json spells it: there what goes on with a word is marked. */
static GString *
make_name (TareTokenizer *self,
           guint32        token)
{
  const TarePiece *piece = _tare_vocabulary_get (&self->vocabulary, token);
  gboolean marked = g_str_has_prefix (piece->text, WORD_MARK);

  if (self->model != &_tare_tokenizer_words || piece->type != TARE_TOKEN_NORMAL)
    return g_string_new (piece->text);
  if (marked)
    return g_string_new (piece->text + strlen (WORD_MARK));

  return g_string_prepend (g_string_new (piece->text), self->continuing);
}

/**
 * _tare_tokenizer_run_decoder:
 * @self: a tokenizer with a decoder
 * @tokens: (array length=n_tokens): tokens; ids that name nothing are passed over
 * @n_tokens: how many
 *
 * Returns: (transfer full): what the steps make of their names
 */
GString *
_tare_tokenizer_run_decoder (TareTokenizer *self,
                             const guint32 *tokens,
                             gsize          n_tokens)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func (free_name);
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < n_tokens; i++)
    if (tare_tokenizer_get_token (self, tokens[i]) != NULL)
      g_ptr_array_add (names, make_name (self, tokens[i]));

  for (guint i = 0; names->len > 0 && i < self->decoder->len; i++)
    {
      const Step *step = &g_array_index (self->decoder, Step, i);

      step->run (step, names);
    }
  for (guint i = 0; i < names->len; i++)
    {
      const GString *name = names->pdata[i];

      g_string_append_len (text, name->str, (gssize) name->len);
    }

  return text;
}
