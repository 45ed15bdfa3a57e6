/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The pre-tokenizers of a tokenizer.json. */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/tare-error.h"

#define PUNCTUATION TARE_REGEX_PUNCTUATION

static const struct
{
  const char        *name;
  TareSplitBehavior  behavior;
} behaviors[] = {
  { "Isolated", TARE_SPLIT_ISOLATED },
  { "Removed", TARE_SPLIT_REMOVED },
  { "MergedWithPrevious", TARE_SPLIT_WITH_PREVIOUS },
  { "MergedWithNext", TARE_SPLIT_WITH_NEXT },
  { "Contiguous", TARE_SPLIT_CONTIGUOUS },
};

typedef struct
{
  TareSplitter  *splitter;
  JsonObject    *step;
  gboolean      *add_prefix;
  const char    *path;
} Source;

static gboolean
get_behavior (JsonObject         *step,
              TareSplitBehavior  *behavior,
              const char         *path,
              GError            **error)
{
  const char *name = tare_json_get_string (step, "behavior");

  for (gsize i = 0; name != NULL && i < G_N_ELEMENTS (behaviors); i++)
    if (strcmp (behaviors[i].name, name) == 0)
      {
        *behavior = behaviors[i].behavior;
        return TRUE;
      }
  if (name == NULL)
    return TRUE;
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: pre_tokenizer behavior \"%s\" is not supported", path, name);

  return FALSE;
}

static gboolean
add (const Source       *source,
     const char         *regex,
     TareSplitBehavior   behavior,
     gboolean            inverted,
     GError            **error)
{
  if (_tare_splitter_add (source->splitter, regex, behavior, inverted, error))
    return TRUE;
  g_prefix_error (error, "%s: ", source->path);

  return FALSE;
}

/* The regular expression that finds a text itself. */
static char *
quote (const char *text)
{
  GString *regex = g_string_new (NULL);

  for (; *text != '\0'; text++)
    {
      if (g_ascii_ispunct (*text))
        g_string_append_c (regex, '\\');
      g_string_append_c (regex, *text);
    }

  return g_string_free (regex, FALSE);
}

/**
 * _tare_splitter_get_regex:
 * @object: a step of a tokenizer.json
 *
 * Returns: (transfer full) (nullable): its pattern as a regular expression, whether it is one or
 *   a text that is looked for itself
 */
char *
_tare_splitter_get_regex (JsonObject *object)
{
  JsonObject *pattern = tare_json_get_object (object, "pattern");
  const char *regex = pattern != NULL ? tare_json_get_string (pattern, "Regex") : NULL;
  const char *text = pattern != NULL ? tare_json_get_string (pattern, "String") : NULL;

  if (regex != NULL)
    return g_strdup (regex);

  return text != NULL && text[0] != '\0' ? quote (text) : NULL;
}

static gboolean
add_split (const Source  *source,
           GError       **error)
{
  g_autofree char *regex = _tare_splitter_get_regex (source->step);
  TareSplitBehavior behavior = TARE_SPLIT_ISOLATED;

  if (regex == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: pre_tokenizer \"Split\" has no pattern", source->path);
      return FALSE;
    }

  return get_behavior (source->step, &behavior, source->path, error)
         && add (source, regex, behavior, tare_json_get_boolean (source->step, "invert", FALSE),
                 error);
}

static gboolean
add_byte_level (const Source  *source,
                GError       **error)
{
  *source->add_prefix |= tare_json_get_boolean (source->step, "add_prefix_space", FALSE);

  return !tare_json_get_boolean (source->step, "use_regex", TRUE)
         || add (source, TARE_REGEX_GPT2, TARE_SPLIT_ISOLATED, FALSE, error);
}

static gboolean
add_digits (const Source  *source,
            GError       **error)
{
  gboolean each = tare_json_get_boolean (source->step, "individual_digits", FALSE);

  return add (source, each ? "\\p{N}" : "\\p{N}+", TARE_SPLIT_ISOLATED, FALSE, error);
}

static gboolean
add_punctuation (const Source  *source,
                 GError       **error)
{
  TareSplitBehavior behavior = TARE_SPLIT_ISOLATED;

  if (!get_behavior (source->step, &behavior, source->path, error))
    return FALSE;
  if (behavior == TARE_SPLIT_CONTIGUOUS)
    return add (source, PUNCTUATION "+", TARE_SPLIT_ISOLATED, FALSE, error);

  return add (source, PUNCTUATION, behavior, FALSE, error);
}

static gboolean
add_white_space_split (const Source  *source,
                       GError       **error)
{
  return add (source, "\\s+", TARE_SPLIT_REMOVED, FALSE, error);
}

static gboolean
add_white_space (const Source  *source,
                 GError       **error)
{
  return add (source, "\\w+|[^\\w\\s]+", TARE_SPLIT_REMOVED, TRUE, error);
}

static gboolean
add_bert (const Source  *source,
          GError       **error)
{
  return add_white_space_split (source, error)
         && add (source, PUNCTUATION, TARE_SPLIT_ISOLATED, FALSE, error);
}

static gboolean
add_delimiter (const Source  *source,
               GError       **error)
{
  const char *text = tare_json_get_string (source->step, "delimiter");
  g_autofree char *quoted = quote (text != NULL && text[0] != '\0' ? text : " ");

  return add (source, quoted, TARE_SPLIT_REMOVED, FALSE, error);
}

static const struct
{
  const char  *type;
  gboolean   (*add) (const Source  *source,
                     GError       **error);
} kinds[] = {
  { "Split", add_split },
  { "ByteLevel", add_byte_level },
  { "Digits", add_digits },
  { "Punctuation", add_punctuation },
  { "WhitespaceSplit", add_white_space_split },
  { "Whitespace", add_white_space },
  { "BertPreTokenizer", add_bert },
  { "CharDelimiterSplit", add_delimiter },
};

/**
 * _tare_splitter_add_json:
 * @self: a splitter
 * @step: a pre-tokenizer that is no sequence
 * @add_prefix: (inout): set where a space is to be put before the text
 * @path: the file, for messages
 * @error: return location
 *
 * Adds what a pre-tokenizer does to a text.
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED for one that is not implemented
 */
gboolean
_tare_splitter_add_json (TareSplitter  *self,
                         JsonObject    *step,
                         gboolean      *add_prefix,
                         const char    *path,
                         GError       **error)
{
  const Source source = { self, step, add_prefix, path };
  const char *type = tare_json_get_string (step, "type");

  for (gsize i = 0; type != NULL && i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].type, type) == 0)
      return kinds[i].add (&source, error);
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: pre_tokenizer \"%s\" is not supported", path, type != NULL ? type : "");

  return FALSE;
}
