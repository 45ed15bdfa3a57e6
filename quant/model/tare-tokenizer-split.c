/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-unicode.h"

/* The regular expressions that these matchers stand for, as tokenizer.json files write them. */
#define GPT2_REGEX                                                                          \
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define GPT2_SHORT_REGEX                                                                    \
  "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define LLAMA3_REGEX(numbers)                                                               \
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                     \
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Classes that make a character none of a "[^\s\p{L}\p{N}]". */
#define WORD_OR_SPACE (TARE_UNICODE_LETTER | TARE_UNICODE_NUMBER | TARE_UNICODE_SPACE)

/* Bytes from @position on of at most @limit characters in one of the classes. */
static gsize
run_of (const char       *text,
        gsize             length,
        gsize             position,
        TareUnicodeClass  classes,
        guint             limit)
{
  gsize start = position;

  for (guint i = 0; i < limit && position < length; i++)
    {
      TareUnicodeClass class;
      guint n = tare_unicode_scan (text + position, length - position, &class);

      if ((class & classes) == 0)
        break;
      position += n;
    }

  return position - start;
}

/* Bytes from @position on of characters in none of the classes. */
static gsize
run_outside (const char       *text,
             gsize             length,
             gsize             position,
             TareUnicodeClass  classes)
{
  gsize start = position;

  while (position < length)
    {
      TareUnicodeClass class;
      guint n = tare_unicode_scan (text + position, length - position, &class);

      if ((class & classes) != 0)
        break;
      position += n;
    }

  return position - start;
}

/* 's 't 'm 'd 're 've 'll, in any letter case where @fold says so. */
static gsize
contraction (const char *text,
             gsize       length,
             gboolean    fold)
{
  char a, b;

  if (length < 2 || text[0] != '\'')
    return 0;

  a = fold ? g_ascii_tolower (text[1]) : text[1];
  if (a == 's' || a == 't' || a == 'm' || a == 'd')
    return 2;
  if (length < 3)
    return 0;

  b = fold ? g_ascii_tolower (text[2]) : text[2];

  return ((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/* "\s+(?!\S)|\s+": white space up to the end, or all but the last before something else. */
static gsize
spaces (const char *text,
        gsize       length)
{
  gsize position = 0;
  gsize last = 0;

  while (position < length)
    {
      TareUnicodeClass class;
      guint n = tare_unicode_scan (text + position, length - position, &class);

      if ((class & TARE_UNICODE_SPACE) == 0)
        return last > 0 ? last : position;
      last = position;
      position += n;
    }

  return position;
}

/* "\s*[\r\n]+": white space up to and with its last line break. */
static gsize
lines (const char *text,
       gsize       length)
{
  gsize position = 0;
  gsize end = 0;

  while (position < length)
    {
      TareUnicodeClass class;
      guint n = tare_unicode_scan (text + position, length - position, &class);

      if ((class & TARE_UNICODE_SPACE) == 0)
        break;
      position += n;
      if ((class & TARE_UNICODE_NEWLINE) != 0)
        end = position;
    }

  return end;
}

/* GPT2_REGEX, which leaves no character out. */
static gsize
find_gpt2 (const char *text,
           gsize       length,
           gsize      *start)
{
  gsize n = contraction (text, length, FALSE);
  gsize space = text[0] == ' ';

  *start = 0;
  if (n > 0)
    return n;
  if ((n = run_of (text, length, space, TARE_UNICODE_LETTER, G_MAXUINT)) > 0
      || (n = run_of (text, length, space, TARE_UNICODE_NUMBER, G_MAXUINT)) > 0
      || (n = run_outside (text, length, space, WORD_OR_SPACE)) > 0)
    return space + n;

  return spaces (text, length);
}

/* LLAMA3_REGEX, which leaves no character out. */
static gsize
match_llama3 (const char *text,
              gsize       length,
              guint       numbers)
{
  gsize n = contraction (text, length, TRUE);
  gsize space = text[0] == ' ';
  TareUnicodeClass class;
  gsize first;
  gsize letters;

  if (n > 0)
    return n;

  first = tare_unicode_scan (text, length, &class);
  if ((class & (TARE_UNICODE_LETTER | TARE_UNICODE_NUMBER | TARE_UNICODE_NEWLINE)) != 0)
    first = 0;
  letters = run_of (text, length, first, TARE_UNICODE_LETTER, G_MAXUINT);
  if (letters > 0)
    return first + letters;

  if ((n = run_of (text, length, 0, TARE_UNICODE_NUMBER, numbers)) > 0)
    return n;
  if ((n = run_outside (text, length, space, WORD_OR_SPACE)) > 0)
    return space + n + run_of (text, length, space + n, TARE_UNICODE_NEWLINE, G_MAXUINT);
  if ((n = lines (text, length)) > 0)
    return n;

  return spaces (text, length);
}

static gsize
find_llama3 (const char *text,
             gsize       length,
             gsize      *start)
{
  *start = 0;

  return match_llama3 (text, length, 3);
}

static gsize
find_qwen2 (const char *text,
            gsize       length,
            gsize      *start)
{
  *start = 0;

  return match_llama3 (text, length, 1);
}

/* "\p{N}" */
static gsize
find_number (const char *text,
             gsize       length,
             gsize      *start)
{
  *start = run_outside (text, length, 0, TARE_UNICODE_NUMBER);

  return run_of (text, length, *start, TARE_UNICODE_NUMBER, 1);
}

/* "\p{N}+" */
static gsize
find_numbers (const char *text,
              gsize       length,
              gsize      *start)
{
  *start = run_outside (text, length, 0, TARE_UNICODE_NUMBER);

  return run_of (text, length, *start, TARE_UNICODE_NUMBER, G_MAXUINT);
}

/* "[0-9][0-9][0-9]" */
static gsize
find_three_digits (const char *text,
                   gsize       length,
                   gsize      *start)
{
  guint digits = 0;

  for (gsize i = 0; i < length; i++)
    {
      digits = g_ascii_isdigit (text[i]) ? digits + 1 : 0;
      if (digits == 3)
        {
          *start = i - 2;
          return 3;
        }
    }
  *start = length;

  return 0;
}

/* "[\p{P}...]+", with further characters of ASCII. */
static gsize
find_punctuation (const char *text,
                  gsize       length,
                  const char *further,
                  gsize      *start)
{
  gsize position = 0;
  gboolean inside = FALSE;

  *start = length;
  while (position < length)
    {
      TareUnicodeClass class;
      guint n = tare_unicode_scan (text + position, length - position, &class);
      gboolean matches = (class & TARE_UNICODE_PUNCTUATION) != 0
                         || (text[position] != '\0' && strchr (further, text[position]) != NULL);

      if (inside && !matches)
        return position - *start;
      if (!inside && matches)
        *start = position;
      inside = matches;
      position += n;
    }

  return length - *start;
}

static gsize
find_default_punctuation (const char *text,
                          gsize       length,
                          gsize      *start)
{
  return find_punctuation (text, length, "$+<=>^~|", start);
}

static gsize
find_falcon_punctuation (const char *text,
                         gsize       length,
                         gsize      *start)
{
  return find_punctuation (text, length, "$+<=>^~|`", start);
}

/* The first name of a row is the one that is written for a tokenizer.json of that structure. */
static const TarePreTokenizer pre_tokenizers[] = {
  {
    .names = { "gpt-2", "phi-2", "roberta-bpe", "gigachat", "jina-es", "jina-de", "jina-v2-es",
               "jina-v2-de", "jina-v2-code", "mpt", "olmo", "jais" },
    .structures = { "ByteLevel", "Split(" GPT2_REGEX ")", "Split(" GPT2_SHORT_REGEX ")" },
    .steps = { find_gpt2 },
  },
  {
    .names = { "llama-bpe", "llama3", "llama-v3", "falcon3" },
    .structures = { "Split(" LLAMA3_REGEX ("\\p{N}{1,3}") ")" },
    .steps = { find_llama3 },
    .ignore_merges = TRUE,
    .add_begin = TRUE,
  },
  {
    .names = { "dbrx", "smaug-bpe", "chatglm-bpe" },
    .structures = { "Split(" LLAMA3_REGEX ("\\p{N}{1,3}") ")" },
    .steps = { find_llama3 },
  },
  {
    .names = { "qwen2", "deepseek-r1-qwen", "megrez", "stablelm2" },
    .structures = { "Split(" LLAMA3_REGEX ("\\p{N}") ")" },
    .steps = { find_qwen2 },
  },
  {
    .names = { "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone",
               "minerva-7b" },
    .structures = { "Digits;ByteLevel" },
    .steps = { find_number, find_gpt2 },
  },
  {
    .names = { "falcon" },
    .steps = { find_falcon_punctuation, find_gpt2, find_three_digits },
  },
  {
    .names = { "default" },
    .steps = { find_default_punctuation, find_gpt2, find_numbers, find_three_digits },
  },
};

/**
 * _tare_pre_tokenizer_lookup:
 * @name: the value of GGUF's tokenizer.ggml.pre
 *
 * Returns: (nullable): its row
 */
const TarePreTokenizer *
_tare_pre_tokenizer_lookup (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (pre_tokenizers); i++)
    for (gsize j = 0; j < TARE_PRE_TOKENIZER_NAMES && pre_tokenizers[i].names[j] != NULL; j++)
      if (strcmp (pre_tokenizers[i].names[j], name) == 0)
        return &pre_tokenizers[i];

  return NULL;
}

/**
 * _tare_pre_tokenizer_detect:
 * @structure: the pre-tokenizers of a tokenizer.json, joined by ';': "ByteLevel" where it splits,
 *   "Digits" where each by itself, "Split(REGEX)"
 * @ignore_merges: (nullable): what the file says of it
 *
 * Returns: (nullable): the row that splits so, and of several the one with these merges
 */
const TarePreTokenizer *
_tare_pre_tokenizer_detect (const char     *structure,
                            const gboolean *ignore_merges)
{
  const TarePreTokenizer *found = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (pre_tokenizers); i++)
    for (gsize j = 0; j < TARE_PRE_TOKENIZER_STRUCTURES; j++)
      {
        const TarePreTokenizer *row = &pre_tokenizers[i];

        if (row->structures[j] == NULL || strcmp (row->structures[j], structure) != 0)
          continue;
        if (ignore_merges == NULL || row->ignore_merges == *ignore_merges)
          return row;
        if (found == NULL)
          found = row;
      }

  return found;
}

static void
split_from (const TarePreTokenizer *self,
            guint                   step,
            const char             *text,
            gsize                   length,
            TareWordFunc            func,
            gpointer                data)
{
  if (step == TARE_PRE_TOKENIZER_STEPS || self->steps[step] == NULL)
    {
      func (text, length, data);
      return;
    }

  while (length > 0)
    {
      gsize start = 0;
      gsize n = self->steps[step] (text, length, &start);

      if (start > 0)
        split_from (self, step + 1, text, start, func, data);
      if (n > 0)
        split_from (self, step + 1, text + start, n, func, data);
      text += start + n;
      length -= start + n;
    }
}

/**
 * _tare_pre_tokenizer_split:
 * @self: how
 * @text: bytes
 * @length: how many
 * @func: (scope call): is called for each word in order; the words together are the text
 * @data: for @func
 *
 * Every step is applied to the pieces of the step before; what it finds and what lies between
 * are its pieces.
 */
void
_tare_pre_tokenizer_split (const TarePreTokenizer *self,
                           const char             *text,
                           gsize                   length,
                           TareWordFunc            func,
                           gpointer                data)
{
  split_from (self, 0, text, length, func, data);
}
