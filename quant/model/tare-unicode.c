/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-unicode.h"

/* Characters below this one are their own composed form and combine with nothing before them. */
#define FIRST_COMBINING 0x300

/* The classes of ASCII, by what tare_unicode_classify says of it. */
#define L TARE_UNICODE_LETTER
#define N TARE_UNICODE_NUMBER
#define S TARE_UNICODE_SPACE
#define R (TARE_UNICODE_SPACE | TARE_UNICODE_NEWLINE)
#define P TARE_UNICODE_PUNCTUATION
static const guint8 ascii_classes[128] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, S, R, S, S, R, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  S, P, P, P, 0, P, P, P, P, P, P, 0, P, P, P, P,
  N, N, N, N, N, N, N, N, N, N, P, P, 0, 0, 0, P,
  P, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
  L, L, L, L, L, L, L, L, L, L, L, P, P, P, 0, P,
  0, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
  L, L, L, L, L, L, L, L, L, L, L, P, 0, P, 0, 0,
};
#undef L
#undef N
#undef S
#undef R
#undef P

static gboolean
is_continuation (char byte)
{
  return ((guint8) byte & 0xc0) == 0x80;
}

/**
 * tare_unicode_decode:
 * @text: bytes, which need not be UTF-8 and may hold zeros
 * @length: how many, at least 1
 * @character: (out): the first character, or %TARE_UNICODE_INVALID
 *
 * Decodes one character by the Unicode Standard's table 3-7 (well-formed UTF-8): no overlong form,
 * no surrogate, nothing above U+10FFFF. A byte that begins none is one byte of nothing.
 *
 * Returns: the number of bytes, 1 to 4
 */
guint
tare_unicode_decode (const char *text,
                     gsize       length,
                     gunichar   *character)
{
  static const gunichar least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
  guint8 first = (guint8) text[0];
  guint n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3
            : first < 0xf5 ? 4 : 0;
  gunichar value;

  *character = n == 1 ? first : TARE_UNICODE_INVALID;
  if (n < 2 || n > length)
    return 1;

  value = first & (0x7fu >> n);
  for (guint i = 1; i < n; i++)
    {
      if (!is_continuation (text[i]))
        return 1;
      value = value << 6 | ((guint8) text[i] & 0x3f);
    }
  if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
    return 1;

  *character = value;

  return n;
}

/* PropList.txt of the Unicode Character Database. g_unichar_isspace lacks U+000B and U+0085. */
static gboolean
is_white_space (gunichar c)
{
  return (c >= 0x9 && c <= 0xd) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680
         || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f
         || c == 0x205f || c == 0x3000;
}

/**
 * tare_unicode_classify:
 * @character: a character, or %TARE_UNICODE_INVALID, which is in no class
 *
 * Returns: its classes
 */
TareUnicodeClass
tare_unicode_classify (gunichar character)
{
  static const guint8 classes[] = {
    [G_UNICODE_LOWERCASE_LETTER] = TARE_UNICODE_LETTER,
    [G_UNICODE_MODIFIER_LETTER] = TARE_UNICODE_LETTER,
    [G_UNICODE_OTHER_LETTER] = TARE_UNICODE_LETTER,
    [G_UNICODE_TITLECASE_LETTER] = TARE_UNICODE_LETTER,
    [G_UNICODE_UPPERCASE_LETTER] = TARE_UNICODE_LETTER,
    [G_UNICODE_DECIMAL_NUMBER] = TARE_UNICODE_NUMBER,
    [G_UNICODE_LETTER_NUMBER] = TARE_UNICODE_NUMBER,
    [G_UNICODE_OTHER_NUMBER] = TARE_UNICODE_NUMBER,
    [G_UNICODE_CONNECT_PUNCTUATION] = TARE_UNICODE_PUNCTUATION,
    [G_UNICODE_DASH_PUNCTUATION] = TARE_UNICODE_PUNCTUATION,
    [G_UNICODE_CLOSE_PUNCTUATION] = TARE_UNICODE_PUNCTUATION,
    [G_UNICODE_FINAL_PUNCTUATION] = TARE_UNICODE_PUNCTUATION,
    [G_UNICODE_INITIAL_PUNCTUATION] = TARE_UNICODE_PUNCTUATION,
    [G_UNICODE_OTHER_PUNCTUATION] = TARE_UNICODE_PUNCTUATION,
    [G_UNICODE_OPEN_PUNCTUATION] = TARE_UNICODE_PUNCTUATION,
    [G_UNICODE_SPACE_SEPARATOR] = 0,
  };
  TareUnicodeClass class;

  if (character > 0x10ffff)
    return 0;

  class = classes[g_unichar_type (character)];
  if (is_white_space (character))
    class |= TARE_UNICODE_SPACE;
  if (character == '\n' || character == '\r')
    class |= TARE_UNICODE_NEWLINE;

  return class;
}

/**
 * tare_unicode_scan:
 * @text: bytes
 * @length: how many, at least 1
 * @class: (out): the classes of the first character
 *
 * Returns: the number of its bytes
 */
guint
tare_unicode_scan (const char       *text,
                   gsize             length,
                   TareUnicodeClass *class)
{
  gunichar character;
  guint n;

  if ((guint8) text[0] < 0x80)
    {
      *class = ascii_classes[(guint8) text[0]];
      return 1;
    }

  n = tare_unicode_decode (text, length, &character);
  *class = tare_unicode_classify (character);

  return n;
}

static gboolean
is_own_character (guint byte)
{
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/**
 * tare_unicode_from_byte:
 * @byte: a byte
 *
 * The printable stand-in for a byte in a byte-level vocabulary (GPT-2, bytes_to_unicode): the
 * printable characters of Latin-1 are themselves, the other 68 follow in order from U+0100.
 *
 * Returns: the character
 */
gunichar
tare_unicode_from_byte (guint8 byte)
{
  gunichar other = 0x100;

  if (is_own_character (byte))
    return byte;
  for (guint b = 0; b < byte; b++)
    other += !is_own_character (b);

  return other;
}

/**
 * tare_unicode_to_byte:
 * @character: a character
 *
 * The inverse of tare_unicode_from_byte().
 *
 * Returns: the byte, or -1 where the character stands for none
 */
int
tare_unicode_to_byte (gunichar character)
{
  gunichar other = 0x100;

  if (character < 0x100)
    return is_own_character (character) ? (int) character : -1;
  for (guint b = 0; b < 0x100; b++)
    if (!is_own_character (b) && other++ == character)
      return (int) b;

  return -1;
}

static gboolean
is_composed (const char *text,
             gsize       length)
{
  /* A lead byte below 0xcc begins a character below U+0300. */
  for (gsize i = 0; i < length; i++)
    if ((guint8) text[i] >= 0xc0 + (FIRST_COMBINING >> 6))
      return FALSE;

  return TRUE;
}

/**
 * tare_unicode_normalize:
 * @text: bytes
 * @length: how many
 * @mode: the form
 *
 * Bytes that are not UTF-8 and zeros are kept; what lies between them is normalized.
 *
 * Returns: (transfer full): the text in that form
 */
GString *
tare_unicode_normalize (const char     *text,
                        gsize           length,
                        GNormalizeMode  mode)
{
  GString *result = g_string_sized_new (length + 1);
  gsize start = 0;

  if (mode == G_NORMALIZE_DEFAULT_COMPOSE && is_composed (text, length))
    return g_string_append_len (result, text, (gssize) length);

  for (gsize i = 0; i <= length;)
    {
      gunichar character = 0;
      guint n = i < length ? tare_unicode_decode (text + i, length - i, &character) : 1;

      if (character == 0 || character == TARE_UNICODE_INVALID)
        {
          g_autofree char *run = g_utf8_normalize (text + start, (gssize) (i - start), mode);

          g_string_append (result, run);
          if (i < length)
            g_string_append_c (result, text[i]);
          start = i + n;
        }
      i += n;
    }

  return result;
}
