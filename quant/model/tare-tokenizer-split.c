/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

#include "quant/model/tare-unicode.h"

/* GPT-2's expression as some files write it. */
#define GPT2_SHORT_REGEX                                                                    \
  "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

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

/* TARE_REGEX_GPT2, which leaves no character out. */
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

/* TARE_REGEX_LLAMA3, which leaves no character out. */
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

/* The expressions that there is a fast way for; each in every spelling that is in use. */
static const struct
{
  const char   *regex;
  TareFindFunc  find;
} fast[] = {
  { TARE_REGEX_GPT2, find_gpt2 },
  { GPT2_SHORT_REGEX, find_gpt2 },
  { TARE_REGEX_LLAMA3 ("\\p{N}{1,3}"), find_llama3 },
  { TARE_REGEX_LLAMA3 ("\\p{N}"), find_qwen2 },
  { "\\p{N}", find_number },
  { "\\p{N}+", find_numbers },
  { "[0-9][0-9][0-9]", find_three_digits },
};

/**
 * _tare_find_lookup:
 * @regex: a regular expression
 *
 * Returns: (nullable): a fast way to find its matches
 */
TareFindFunc
_tare_find_lookup (const char *regex)
{
  for (gsize i = 0; i < G_N_ELEMENTS (fast); i++)
    if (strcmp (fast[i].regex, regex) == 0)
      return fast[i].find;

  return NULL;
}
