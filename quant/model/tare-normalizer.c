/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a tokenizer.json does to a text before it looks at words. Bytes that are no UTF-8 stay. */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-unicode.h"
#include "quant/tare-error.h"

typedef struct _Step Step;

/**
 * Step:
 * @run: the text that becomes of a text
 * @form: of Unicode
 * @pattern: (nullable): what is replaced
 * @text: (nullable): by what, or what comes before
 * @left: at the begin of a text
 * @right: at its end
 * @clean: control characters go, white space becomes spaces
 * @ideographs: each stands by itself
 * @strip: marks over letters go
 * @lower: capitals become small
 * @map: (nullable): SentencePiece's table
 */
struct _Step
{
  GString       *(*run) (const Step *self,
                         const char *text,
                         gsize       length);
  GNormalizeMode  form;
  TarePattern    *pattern;
  char           *text;
  gboolean        left;
  gboolean        right;
  gboolean        clean;
  gboolean        ideographs;
  gboolean        strip;
  gboolean        lower;
  TareCharsmap   *map;
};

typedef void (*CharacterFunc) (const Step *self,
                               gunichar    character,
                               GString    *result);

static void
clear_step (gpointer data)
{
  Step *step = data;

  g_clear_pointer (&step->pattern, tare_pattern_unref);
  g_clear_pointer (&step->map, _tare_charsmap_free);
  g_free (step->text);
}

/* Character by character. */
static GString *
map_text (const Step    *self,
          const char    *text,
          gsize          length,
          CharacterFunc  func)
{
  GString *result = g_string_sized_new (length + 1);

  for (gsize i = 0; i < length;)
    {
      gunichar character;
      guint n = tare_unicode_decode (text + i, length - i, &character);

      if (character == TARE_UNICODE_INVALID)
        g_string_append_len (result, text + i, n);
      else
        func (self, character, result);
      i += n;
    }

  return result;
}

static GString *
run_form (const Step *self,
          const char *text,
          gsize       length)
{
  return tare_unicode_normalize (text, length, self->form);
}

/* The one character whose small form is two: SpecialCasing.txt. */
static void
append_lower (const Step *self,
              gunichar    character,
              GString    *result)
{
  if (character == 0x130)
    g_string_append (result, "i\xcc\x87");
  else
    g_string_append_unichar (result, g_unichar_tolower (character));
}

static GString *
run_lower (const Step *self,
           const char *text,
           gsize       length)
{
  return map_text (self, text, length, append_lower);
}

static void
append_unless_mark (const Step *self,
                    gunichar    character,
                    GString    *result)
{
  if (!g_unichar_ismark (character))
    g_string_append_unichar (result, character);
}

static GString *
run_strip_accents (const Step *self,
                   const char *text,
                   gsize       length)
{
  return map_text (self, text, length, append_unless_mark);
}

static GString *
run_replace (const Step *self,
             const char *text,
             gsize       length)
{
  GString *result = g_string_sized_new (length + 1);
  guint64 steps = tare_pattern_steps (length);
  gsize position = 0;
  gsize start = 0;
  gsize end = 0;

  while (tare_pattern_find (self->pattern, text, length, position, &steps, &start, &end))
    {
      g_string_append_len (result, text + position, (gssize) (start - position));
      g_string_append (result, self->text);
      position = end;
    }

  return g_string_append_len (result, text + position, (gssize) (length - position));
}

static GString *
run_prepend (const Step *self,
             const char *text,
             gsize       length)
{
  GString *result = g_string_sized_new (length + 8);

  if (length > 0)
    g_string_append (result, self->text);

  return g_string_append_len (result, text, (gssize) length);
}

static GString *
run_strip (const Step *self,
           const char *text,
           gsize       length)
{
  GString *result = g_string_sized_new (length + 1);
  gboolean begun = !self->left;
  gsize kept = 0;

  for (gsize i = 0; i < length;)
    {
      TareUnicodeClass class;
      guint n = tare_unicode_scan (text + i, length - i, &class);

      begun = begun || (class & TARE_UNICODE_SPACE) == 0;
      if (begun)
        g_string_append_len (result, text + i, n);
      if ((class & TARE_UNICODE_SPACE) == 0)
        kept = result->len;
      i += n;
    }
  if (self->right)
    g_string_truncate (result, kept);

  return result;
}

/* BERT's tokenization.py: _is_chinese_char. */
static gboolean
is_ideograph (gunichar c)
{
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf)
         || (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f)
         || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b820 && c <= 0x2ceaf)
         || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/* No character that is seen: general category C, but for what is white space too. */
static gboolean
is_other (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  return c == 0xfffd
         || (c != '\t' && c != '\n' && c != '\r'
             && (type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT
                 || type == G_UNICODE_UNASSIGNED || type == G_UNICODE_PRIVATE_USE));
}

static void
append_clean (const Step *self,
              gunichar    character,
              GString    *result)
{
  gboolean apart = self->ideographs && is_ideograph (character);

  if (self->clean && is_other (character))
    return;
  if (self->clean && (tare_unicode_classify (character) & TARE_UNICODE_SPACE) != 0)
    character = ' ';
  if (apart)
    g_string_append_c (result, ' ');
  g_string_append_unichar (result, character);
  if (apart)
    g_string_append_c (result, ' ');
}

static void
append_unless_above (const Step *self,
                     gunichar    character,
                     GString    *result)
{
  if (g_unichar_type (character) != G_UNICODE_NON_SPACING_MARK)
    g_string_append_unichar (result, character);
}

static GString *
run_bert (const Step *self,
          const char *text,
          gsize       length)
{
  GString *result = map_text (self, text, length, append_clean);
  GString *before;

  if (self->strip)
    {
      before = tare_unicode_normalize (result->str, result->len, G_NORMALIZE_DEFAULT);
      g_string_free (result, TRUE);
      result = map_text (self, before->str, before->len, append_unless_above);
      g_string_free (before, TRUE);
    }
  if (self->lower)
    {
      before = result;
      result = map_text (self, before->str, before->len, append_lower);
      g_string_free (before, TRUE);
    }

  return result;
}

/* No space at an end, and one where there are several: SentencePiece. */
static GString *
run_trim (const Step *self,
          const char *text,
          gsize       length)
{
  GString *result = g_string_sized_new (length + 1);

  for (gsize i = 0; i < length; i++)
    if (text[i] != ' ' || (result->len > 0 && result->str[result->len - 1] != ' '))
      g_string_append_c (result, text[i]);
  if (result->len > 0 && result->str[result->len - 1] == ' ')
    g_string_truncate (result, result->len - 1);

  return result;
}

static GString *
run_map (const Step *self,
         const char *text,
         gsize       length)
{
  return _tare_charsmap_run (self->map, text, length);
}

typedef gboolean (*ReadFunc) (Step        *step,
                              JsonObject  *object,
                              const char  *path,
                              GError     **error);

static gboolean
read_replace (Step        *step,
              JsonObject  *object,
              const char  *path,
              GError     **error)
{
  g_autofree char *regex = _tare_splitter_get_regex (object);
  const char *content = tare_json_get_string (object, "content");

  if (regex == NULL || content == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: normalizer \"Replace\" has no pattern and content", path);
      return FALSE;
    }
  step->run = run_replace;
  step->text = g_strdup (content);
  step->pattern = tare_pattern_new (regex, error);
  if (step->pattern == NULL)
    g_prefix_error (error, "%s: ", path);

  return step->pattern != NULL;
}

static gboolean
read_prepend (Step        *step,
              JsonObject  *object,
              const char  *path,
              GError     **error)
{
  const char *text = tare_json_get_string (object, "prepend");

  step->run = run_prepend;
  step->text = g_strdup (text != NULL ? text : "");

  return TRUE;
}

static gboolean
read_strip (Step        *step,
            JsonObject  *object,
            const char  *path,
            GError     **error)
{
  step->run = run_strip;
  step->left = tare_json_get_boolean (object, "strip_left", TRUE);
  step->right = tare_json_get_boolean (object, "strip_right", TRUE);

  return TRUE;
}

static gboolean
read_bert (Step        *step,
           JsonObject  *object,
           const char  *path,
           GError     **error)
{
  step->run = run_bert;
  step->clean = tare_json_get_boolean (object, "clean_text", TRUE);
  step->ideographs = tare_json_get_boolean (object, "handle_chinese_chars", TRUE);
  step->lower = tare_json_get_boolean (object, "lowercase", TRUE);
  step->strip = tare_json_get_boolean (object, "strip_accents", step->lower);

  return TRUE;
}

static gboolean
read_map (Step        *step,
          JsonObject  *object,
          const char  *path,
          GError     **error)
{
  const char *text = tare_json_get_string (object, "precompiled_charsmap");
  gsize length = 0;
  g_autofree guint8 *data = text != NULL ? g_base64_decode (text, &length) : NULL;

  step->run = run_map;
  step->map = _tare_charsmap_new (data, length, path, error);

  return step->map != NULL;
}

static gboolean
read_plain (Step        *step,
            JsonObject  *object,
            const char  *path,
            GError     **error)
{
  return TRUE;
}

static const struct
{
  const char *type;
  ReadFunc    read;
  Step        step;
} kinds[] = {
  { "NFC", read_plain, { .run = run_form, .form = G_NORMALIZE_DEFAULT_COMPOSE } },
  { "NFD", read_plain, { .run = run_form, .form = G_NORMALIZE_DEFAULT } },
  { "NFKC", read_plain, { .run = run_form, .form = G_NORMALIZE_ALL_COMPOSE } },
  { "NFKD", read_plain, { .run = run_form, .form = G_NORMALIZE_ALL } },
  { "Lowercase", read_plain, { .run = run_lower } },
  { "StripAccents", read_plain, { .run = run_strip_accents } },
  { "Replace", read_replace, { NULL } },
  { "Prepend", read_prepend, { NULL } },
  { "Strip", read_strip, { NULL } },
  { "BertNormalizer", read_bert, { NULL } },
  { "Precompiled", read_map, { NULL } },
};

/**
 * _tare_normalizer_new:
 *
 * Returns: (transfer full): what leaves a text as it is
 */
TareNormalizer *
_tare_normalizer_new (void)
{
  TareNormalizer *self = g_array_new (FALSE, TRUE, sizeof (Step));

  g_array_set_clear_func (self, clear_step);

  return self;
}

/**
 * _tare_normalizer_add_json:
 * @self: a normalizer
 * @object: a normalizer of a tokenizer.json that is no sequence
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED for one that is not implemented
 */
gboolean
_tare_normalizer_add_json (TareNormalizer  *self,
                           JsonObject      *object,
                           const char      *path,
                           GError         **error)
{
  const char *type = tare_json_get_string (object, "type");

  for (gsize i = 0; type != NULL && i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].type, type) == 0)
      {
        Step step = kinds[i].step;
        gboolean ok = kinds[i].read (&step, object, path, error);

        if (ok)
          g_array_append_val (self, step);
        else
          clear_step (&step);
        return ok;
      }
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: normalizer \"%s\" is not supported", path, type != NULL ? type : "");

  return FALSE;
}

/**
 * _tare_normalizer_add_bert:
 * @self: a normalizer
 *
 * Adds what llama.cpp does for every WordPiece vocabulary.
 */
void
_tare_normalizer_add_bert (TareNormalizer *self)
{
  const Step step = {
    .run = run_bert, .clean = TRUE, .ideographs = TRUE, .strip = TRUE, .lower = TRUE,
  };

  g_array_append_val (self, step);
}

/**
 * _tare_normalizer_add_map:
 * @self: a normalizer
 * @data: SentencePiece's precompiled_charsmap
 * @length: its bytes
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: %FALSE with %TARE_ERROR_INVALID when it is none
 */
gboolean
_tare_normalizer_add_map (TareNormalizer  *self,
                          const guint8    *data,
                          gsize            length,
                          const char      *path,
                          GError         **error)
{
  Step step = { .run = run_map, .map = _tare_charsmap_new (data, length, path, error) };

  if (step.map != NULL)
    g_array_append_val (self, step);

  return step.map != NULL;
}

/**
 * _tare_normalizer_add_trim:
 * @self: a normalizer
 *
 * Adds SentencePiece's remove_extra_whitespaces.
 */
void
_tare_normalizer_add_trim (TareNormalizer *self)
{
  const Step step = { .run = run_trim };

  g_array_append_val (self, step);
}

/* Steps that make a text longer each time would not come to an end. */
#define MAXIMUM_GROWTH 64
#define MAXIMUM_LEAST  4096

/**
 * _tare_normalizer_run:
 * @self: a normalizer
 * @text: bytes, which need not be UTF-8
 * @length: how many
 *
 * A text that has become many times as long is not changed further.
 *
 * Returns: (transfer full): what becomes of them
 */
GString *
_tare_normalizer_run (const TareNormalizer *self,
                      const char           *text,
                      gsize                 length)
{
  GString *result = NULL;

  for (guint i = 0; i < self->len; i++)
    {
      const Step *step = &g_array_index (self, Step, i);
      GString *before = result;

      if (before != NULL && before->len > MAXIMUM_LEAST + MAXIMUM_GROWTH * length)
        break;
      result = before != NULL ? step->run (step, before->str, before->len)
                              : step->run (step, text, length);
      if (before != NULL)
        g_string_free (before, TRUE);
    }

  return result != NULL ? result : g_string_new_len (text, (gssize) length);
}
