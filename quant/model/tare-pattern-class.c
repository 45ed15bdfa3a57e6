/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Sets of characters: "a", ".", "\s", "\p{L}", "[^\r\n]". */
#include "quant/model/tare-pattern-private.h"

#include <string.h>

#include "quant/model/tare-unicode.h"

#define BIT(type) (1u << G_UNICODE_##type)

#define LETTERS                                                                         \
  (BIT (LOWERCASE_LETTER) | BIT (MODIFIER_LETTER) | BIT (OTHER_LETTER)                  \
   | BIT (TITLECASE_LETTER) | BIT (UPPERCASE_LETTER))
#define MARKS (BIT (SPACING_MARK) | BIT (ENCLOSING_MARK) | BIT (NON_SPACING_MARK))
#define NUMBERS (BIT (DECIMAL_NUMBER) | BIT (LETTER_NUMBER) | BIT (OTHER_NUMBER))

/* Other cases of the characters of a range are looked for in ranges up to so long. */
#define MAXIMUM_FOLD 0x200

/* Classes in classes. */
#define MAXIMUM_DEPTH 4

/* UAX #44, table 12: the names of general categories. */
static const struct
{
  const char *name;
  guint32     categories;
} categories[] = {
  { "L", LETTERS },
  { "LC", BIT (LOWERCASE_LETTER) | BIT (TITLECASE_LETTER) | BIT (UPPERCASE_LETTER) },
  { "L&", BIT (LOWERCASE_LETTER) | BIT (TITLECASE_LETTER) | BIT (UPPERCASE_LETTER) },
  { "Lu", BIT (UPPERCASE_LETTER) },
  { "Ll", BIT (LOWERCASE_LETTER) },
  { "Lt", BIT (TITLECASE_LETTER) },
  { "Lm", BIT (MODIFIER_LETTER) },
  { "Lo", BIT (OTHER_LETTER) },
  { "M", MARKS },
  { "Mn", BIT (NON_SPACING_MARK) },
  { "Mc", BIT (SPACING_MARK) },
  { "Me", BIT (ENCLOSING_MARK) },
  { "N", NUMBERS },
  { "Nd", BIT (DECIMAL_NUMBER) },
  { "Nl", BIT (LETTER_NUMBER) },
  { "No", BIT (OTHER_NUMBER) },
  { "P", BIT (CONNECT_PUNCTUATION) | BIT (DASH_PUNCTUATION) | BIT (CLOSE_PUNCTUATION)
         | BIT (FINAL_PUNCTUATION) | BIT (INITIAL_PUNCTUATION) | BIT (OTHER_PUNCTUATION)
         | BIT (OPEN_PUNCTUATION) },
  { "Pc", BIT (CONNECT_PUNCTUATION) },
  { "Pd", BIT (DASH_PUNCTUATION) },
  { "Ps", BIT (OPEN_PUNCTUATION) },
  { "Pe", BIT (CLOSE_PUNCTUATION) },
  { "Pi", BIT (INITIAL_PUNCTUATION) },
  { "Pf", BIT (FINAL_PUNCTUATION) },
  { "Po", BIT (OTHER_PUNCTUATION) },
  { "S", BIT (CURRENCY_SYMBOL) | BIT (MODIFIER_SYMBOL) | BIT (MATH_SYMBOL) | BIT (OTHER_SYMBOL) },
  { "Sm", BIT (MATH_SYMBOL) },
  { "Sc", BIT (CURRENCY_SYMBOL) },
  { "Sk", BIT (MODIFIER_SYMBOL) },
  { "So", BIT (OTHER_SYMBOL) },
  { "Z", BIT (LINE_SEPARATOR) | BIT (PARAGRAPH_SEPARATOR) | BIT (SPACE_SEPARATOR) },
  { "Zs", BIT (SPACE_SEPARATOR) },
  { "Zl", BIT (LINE_SEPARATOR) },
  { "Zp", BIT (PARAGRAPH_SEPARATOR) },
  { "C", BIT (CONTROL) | BIT (FORMAT) | BIT (SURROGATE) | BIT (PRIVATE_USE) | BIT (UNASSIGNED) },
  { "Cc", BIT (CONTROL) },
  { "Cf", BIT (FORMAT) },
  { "Co", BIT (PRIVATE_USE) },
  { "Cn", BIT (UNASSIGNED) },
};

static const struct
{
  const char     *name;
  GUnicodeScript  script;
} scripts[] = {
  { "Han", G_UNICODE_SCRIPT_HAN },
  { "Hiragana", G_UNICODE_SCRIPT_HIRAGANA },
  { "Katakana", G_UNICODE_SCRIPT_KATAKANA },
  { "Hangul", G_UNICODE_SCRIPT_HANGUL },
  { "Latin", G_UNICODE_SCRIPT_LATIN },
  { "Greek", G_UNICODE_SCRIPT_GREEK },
  { "Cyrillic", G_UNICODE_SCRIPT_CYRILLIC },
  { "Arabic", G_UNICODE_SCRIPT_ARABIC },
  { "Hebrew", G_UNICODE_SCRIPT_HEBREW },
  { "Thai", G_UNICODE_SCRIPT_THAI },
  { "Lao", G_UNICODE_SCRIPT_LAO },
  { "Khmer", G_UNICODE_SCRIPT_KHMER },
  { "Myanmar", G_UNICODE_SCRIPT_MYANMAR },
  { "Devanagari", G_UNICODE_SCRIPT_DEVANAGARI },
};

static const TarePatternItem nothing = { 1, 0, 0, G_UNICODE_SCRIPT_INVALID_CODE, 0 };

static gboolean
is_in_item (const TarePatternItem *item,
            gunichar               character,
            guint32                category,
            gboolean               space)
{
  return (character >= item->first && character <= item->last)
         || (item->categories & category) != 0
         || (item->space != 0 && (item->space > 0) == space)
         || (item->script != G_UNICODE_SCRIPT_INVALID_CODE && character <= 0x10ffff
             && g_unichar_get_script (character) == item->script);
}

/**
 * _tare_pattern_set_has:
 * @self: a pattern
 * @set: one of its sets
 * @character: a character, or %TARE_UNICODE_INVALID, which is like one that is not assigned
 *
 * The plain form of what the bits for ASCII say faster.
 *
 * Returns: whether the character is in the set
 */
gboolean
_tare_pattern_set_has (const TarePattern *self,
                       guint32            set,
                       gunichar           character)
{
  const TarePatternSet *members = &g_array_index (self->sets, TarePatternSet, set);
  gboolean valid = character <= 0x10ffff;
  guint32 category = 1u << (valid ? g_unichar_type (character) : G_UNICODE_UNASSIGNED);
  gboolean space = (tare_unicode_classify (character) & TARE_UNICODE_SPACE) != 0;
  gboolean found = FALSE;

  for (guint i = 0; i < members->items->len && !found; i++)
    found = is_in_item (&g_array_index (members->items, TarePatternItem, i), character, category,
                        space);
  found = found != members->negated;

  return found && (members->and == TARE_PATTERN_NONE
                   || _tare_pattern_set_has (self, members->and, character));
}

static void
add_range (GArray   *items,
           gunichar  first,
           gunichar  last,
           gboolean  fold)
{
  TarePatternItem item = nothing;

  item.first = first;
  item.last = last;
  g_array_append_val (items, item);

  for (gunichar c = first; fold && c <= last && last - first < MAXIMUM_FOLD; c++)
    {
      item.first = item.last = g_unichar_tolower (c);
      if (item.first != c)
        g_array_append_val (items, item);
      item.first = item.last = g_unichar_toupper (c);
      if (item.first != c)
        g_array_append_val (items, item);
    }
}

/* "{Lu}" or "L", after "\p". */
static gboolean
parse_property (const char      **rest,
                TarePatternItem  *item,
                const char       *regex,
                GError          **error)
{
  const char *begin = *rest;
  const char *end = begin[0] == '{' ? strchr (begin, '}') : begin + (begin[0] != '\0');
  g_autofree char *name = NULL;

  if (end == NULL || end == begin)
    return _tare_pattern_error (regex, begin, "a property without an end", error);
  name = begin[0] == '{' ? g_strndup (begin + 1, (gsize) (end - begin - 1)) : g_strndup (begin, 1);
  *rest = end + (begin[0] == '{');

  for (gsize i = 0; i < G_N_ELEMENTS (categories); i++)
    if (strcmp (categories[i].name, name) == 0)
      {
        item->categories = categories[i].categories;
        return TRUE;
      }
  for (gsize i = 0; i < G_N_ELEMENTS (scripts); i++)
    if (strcmp (scripts[i].name, name) == 0)
      {
        item->script = scripts[i].script;
        return TRUE;
      }

  return _tare_pattern_error (regex, begin, "an unknown property", error);
}

static gboolean
parse_hexadecimal (const char **rest,
                   gsize        n,
                   gunichar    *character)
{
  gunichar value = 0;
  gsize i = 0;

  for (; i < n && g_ascii_isxdigit ((*rest)[i]); i++)
    value = value << 4 | (gunichar) g_ascii_xdigit_value ((*rest)[i]);
  *rest += i;
  *character = value;

  return i > 0 && value <= 0x10ffff;
}

/* What one character after a backslash is, where it is one. */
static gboolean
parse_escaped_character (const char **rest,
                         gunichar    *character)
{
  static const char names[] = "nrtfv0ae";
  static const char values[] = "\n\r\t\f\v\0\a\x1b";
  const char *name;
  char c = **rest;

  if (c == 'u' || (c == 'x' && (*rest)[1] != '{'))
    {
      (*rest)++;
      return parse_hexadecimal (rest, c == 'u' ? 4 : 2, character);
    }
  if (c == 'x')
    {
      *rest += 2;
      if (!parse_hexadecimal (rest, 6, character) || **rest != '}')
        return FALSE;
      (*rest)++;
      return TRUE;
    }
  if (c != '\0' && (name = strchr (names, c)) != NULL)
    *character = (gunichar) values[name - names];
  else if (g_ascii_ispunct (c) || c == ' ')
    *character = (gunichar) c;
  else
    return FALSE;
  (*rest)++;

  return TRUE;
}

/* "\s", "\d", "\w", "\p{...}" and their opposites. */
static gboolean
parse_escaped_class (const char      **rest,
                     TarePatternItem  *item,
                     const char       *regex,
                     GError          **error)
{
  char c = *(*rest)++;
  gboolean opposite = g_ascii_isupper (c);

  switch (g_ascii_tolower (c))
    {
    case 's':
      item->space = opposite ? -1 : 1;
      return TRUE;
    case 'd':
      item->categories = BIT (DECIMAL_NUMBER);
      break;
    case 'w':
      item->categories = LETTERS | MARKS | BIT (DECIMAL_NUMBER) | BIT (CONNECT_PUNCTUATION);
      break;
    case 'p':
      if (!parse_property (rest, item, regex, error))
        return FALSE;
      if (opposite && item->script != G_UNICODE_SCRIPT_INVALID_CODE)
        return _tare_pattern_error (regex, *rest, "the opposite of a script", error);
      break;
    default:
      return _tare_pattern_error (regex, *rest - 1, "an unknown escape", error);
    }
  if (opposite)
    item->categories ^= TARE_CATEGORIES_ALL;

  return TRUE;
}

static gboolean
is_class_escape (const char *rest)
{
  return rest[0] == '\\' && rest[1] != '\0' && strchr ("sSdDwWpP", rest[1]) != NULL;
}

/* One character of a pattern, escaped or not. */
static gboolean
parse_character (const char **rest,
                 gunichar    *character,
                 const char  *regex,
                 GError     **error)
{
  if (**rest == '\\')
    {
      const char *begin = (*rest)++;

      return parse_escaped_character (rest, character)
             || _tare_pattern_error (regex, begin, "an unknown escape", error);
    }
  *rest += tare_unicode_decode (*rest, strlen (*rest), character);

  return TRUE;
}

static guint32
add_set (TarePattern *self,
         GArray      *items,
         gboolean     negated,
         guint32      and)
{
  TarePatternSet set = { items, negated, and, { 0 } };
  guint32 index = self->sets->len;

  g_array_append_val (self->sets, set);
  for (gunichar c = 0; c < 128; c++)
    if (_tare_pattern_set_has (self, index, c))
      g_array_index (self->sets, TarePatternSet, index).ascii[c / 32] |= 1u << c % 32;

  return index;
}

static gboolean parse_members (const char **rest,
                               gboolean     fold,
                               guint        depth,
                               GArray      *items,
                               const char  *regex,
                               GError     **error);

/* A class in a class, of which all belongs to that too, as in Oniguruma. */
static gboolean
parse_union (const char **rest,
             gboolean     fold,
             guint        depth,
             GArray      *items,
             const char  *regex,
             GError     **error)
{
  const char *begin = (*rest)++;

  if (**rest == '^' || depth > MAXIMUM_DEPTH)
    return _tare_pattern_error (regex, begin, "such a class in a class", error);
  if (!parse_members (rest, fold, depth, items, regex, error))
    return FALSE;
  if (**rest != ']')
    return _tare_pattern_error (regex, begin, "a class without an end", error);
  (*rest)++;

  return TRUE;
}

/* What stands between brackets: up to the one that closes, or to what must also hold. */
static gboolean
parse_members (const char **rest,
               gboolean     fold,
               guint        depth,
               GArray      *items,
               const char  *regex,
               GError     **error)
{
  gboolean first = TRUE;

  while (**rest != '\0' && (**rest != ']' || first) && !g_str_has_prefix (*rest, "&&["))
    {
      TarePatternItem item = nothing;
      gunichar low = 0;
      gunichar high;

      first = FALSE;
      if (g_str_has_prefix (*rest, "[:"))
        return _tare_pattern_error (regex, *rest, "a POSIX class", error);
      if (**rest == '[')
        {
          if (!parse_union (rest, fold, depth + 1, items, regex, error))
            return FALSE;
          continue;
        }
      if (is_class_escape (*rest))
        {
          (*rest)++;
          if (!parse_escaped_class (rest, &item, regex, error))
            return FALSE;
          g_array_append_val (items, item);
          continue;
        }
      if (!parse_character (rest, &low, regex, error))
        return FALSE;
      high = low;
      if ((*rest)[0] == '-' && (*rest)[1] != ']' && (*rest)[1] != '\0')
        {
          const char *begin = (*rest)++;

          if (is_class_escape (*rest) || !parse_character (rest, &high, regex, error)
              || high < low)
            {
              g_clear_error (error);
              return _tare_pattern_error (regex, begin, "a range that is none", error);
            }
        }
      add_range (items, low, high, fold);
    }

  return TRUE;
}

static gboolean
parse_brackets (const char  **rest,
                gboolean      fold,
                guint         depth,
                TarePattern  *self,
                guint32      *set,
                const char   *regex,
                GError      **error)
{
  GArray *items = g_array_new (FALSE, FALSE, sizeof (TarePatternItem));
  const char *begin = (*rest)++;
  gboolean negated = **rest == '^';
  guint32 and = TARE_PATTERN_NONE;
  gboolean ok;

  *rest += negated;
  ok = parse_members (rest, fold, depth, items, regex, error);
  if (ok && g_str_has_prefix (*rest, "&&["))
    {
      *rest += 2;
      ok = depth < MAXIMUM_DEPTH ? parse_brackets (rest, fold, depth + 1, self, &and, regex, error)
                     : _tare_pattern_error (regex, begin, "too many classes in one", error);
    }
  if (ok && **rest != ']')
    ok = _tare_pattern_error (regex, begin, "a class without an end", error);
  if (!ok)
    {
      g_array_unref (items);
      return FALSE;
    }
  (*rest)++;
  *set = add_set (self, items, negated, and);

  return TRUE;
}

/**
 * _tare_pattern_class:
 * @rest: (inout): what is left of the regular expression
 * @fold: whether letter case is ignored
 * @self: where the set goes
 * @set: (out): its index
 * @regex: the whole, for messages
 * @error: return location
 *
 * Reads what stands for one character.
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED for what is not understood
 */
gboolean
_tare_pattern_class (const char  **rest,
                     gboolean      fold,
                     TarePattern  *self,
                     guint32      *set,
                     const char   *regex,
                     GError      **error)
{
  g_autoptr(GArray) items = NULL;
  TarePatternItem item = nothing;
  gboolean dot = **rest == '.';
  gunichar character = '\n';

  if (**rest == '[')
    return parse_brackets (rest, fold, 0, self, set, regex, error);

  items = g_array_new (FALSE, FALSE, sizeof (TarePatternItem));
  if (is_class_escape (*rest))
    {
      (*rest)++;
      if (!parse_escaped_class (rest, &item, regex, error))
        return FALSE;
      g_array_append_val (items, item);
    }
  else
    {
      if (dot)
        (*rest)++;
      else if (!parse_character (rest, &character, regex, error))
        return FALSE;
      add_range (items, character, character, fold);
    }
  *set = add_set (self, g_steal_pointer (&items), dot, TARE_PATTERN_NONE);

  return TRUE;
}
