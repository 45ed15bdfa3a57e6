/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Regular expressions of our own against GLib's, and what only ours must do. */
#include <string.h>

#include "quant/model/tare-pattern.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

static const char *const patterns[] = {
  "a", "ab|a", "a|ab", "(?:ab|c)+", "(?:ab|c)*d", "a{2}", "a{2,}b", "a{1,2}b?", "(?:ab){2,3}c",
  "[abc]+?d", "a*?b", "a{1,3}?", "[^ab]+", "[a-cx-z]+", "[\\]a-]+", "[]a]", "\\s+$", "^a+",
  "\\s+(?!\\S)|\\s+", "a(?=b)", "a(?!b)", "(?=(?:a|b)c).c", "\\p{L}+", "\\P{L}+",
  "\\p{Lu}\\p{Ll}*", "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+",
  "\\pN{1,3}", "\\d+", "\\D+", "\\S+", "(?i:'s|'t|re)", "(?i)ab|c", "(?i:[a-c]d)x",
  "\\p{Han}+", "\\x{e9}|\\x41", "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++", "a++a", "(?:a|ab)(?:c|bcd)",
  "(?:a?b)+", "\\.\\*\\|", "[\\s\\S]b", "(a|b)+c", "x{0}a", "{a}", "a{,2}", ".+b",
};

static const char *const parts[] = {
  "a", "b", "c", "d", "ab", "A", "B", "x", " ", " ", "  ", "\n", "'s", "'T", "rE", "1", "23",
  "\xc2\xb2", "\xc3\xa9", "\xc3\x89", "\xc7\x85", "\xe5\xb7\xa5", "e\xcc\x81", "-", "]", ".*|",
  "{a}", "a{,2}", "\xc2\xa0",
};

static void
check_pattern (const char  *regex,
               TarePattern *pattern,
               GRegex      *reference,
               const char  *text)
{
  g_autoptr(GMatchInfo) match = NULL;
  gsize length = strlen (text);
  gsize position = 0;
  guint64 steps = tare_pattern_steps (length);
  gsize start = 0;
  gsize end = 0;

  g_regex_match_full (reference, text, -1, 0, G_REGEX_MATCH_NOTEMPTY, &match, NULL);
  for (; g_match_info_matches (match); g_match_info_next (match, NULL))
    {
      int expected_start = 0;
      int expected_end = 0;

      g_match_info_fetch_pos (match, 0, &expected_start, &expected_end);
      g_test_message ("\"%s\" in \"%s\" at %d", regex, text, expected_start);
      g_assert_true (tare_pattern_find (pattern, text, length, position, &steps, &start, &end));
      g_assert_cmpuint (start, ==, expected_start);
      g_assert_cmpuint (end, ==, expected_end);
      position = end;
    }
  g_assert_false (tare_pattern_find (pattern, text, length, position, &steps, &start, &end));
  g_assert_cmpuint (steps, >, 0);
}

static void
test_against_glib (void)
{
  g_autoptr(GRand) random = g_rand_new_with_seed (5);

  for (gsize i = 0; i < G_N_ELEMENTS (patterns); i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(TarePattern) pattern = tare_pattern_new (patterns[i], &error);
      g_autoptr(GRegex) reference = NULL;

      g_assert_no_error (error);
      reference = g_regex_new (patterns[i], G_REGEX_MULTILINE, 0, &error);
      g_assert_no_error (error);
      for (guint round = 0; round < 150; round++)
        {
          g_autoptr(GString) text = g_string_new (NULL);

          for (int j = g_rand_int_range (random, 1, 16); j > 0; j--)
            g_string_append (text, parts[g_rand_int_range (random, 0, G_N_ELEMENTS (parts))]);
          check_pattern (patterns[i], pattern, reference, text->str);
        }
    }
}

static void
test_refused (void)
{
  static const char *const bad[] = {
    "(", "a)", "[a", "(?<=a)b", "(?>a)", "\\q", "\\p{Nonsense}", "\\p{L", "[b-a]", "(?:a*)*",
    "(?:a|)+", "[[:alpha:]]", "a{3,2}(?:b){2,1}", "\\P{Han}", "(?:(?:(?:a{9}){999}){999}){999}b",
    "\\x{110000}", "^*",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(TarePattern) pattern = tare_pattern_new (bad[i], &error);

      g_test_message ("%s", bad[i]);
      g_assert_null (pattern);
      g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
    }
}

static void
check_found (const char *regex,
             const char *text,
             gsize       length,
             gsize       from,
             gsize       expected_start,
             gsize       expected_end)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePattern) pattern = tare_pattern_new (regex, &error);
  guint64 steps = tare_pattern_steps (length);
  gsize start = 0;
  gsize end = 0;

  g_assert_no_error (error);
  g_assert_true (tare_pattern_find (pattern, text, length, from, &steps, &start, &end));
  g_assert_cmpuint (start, ==, expected_start);
  g_assert_cmpuint (end, ==, expected_end);
}

/* A byte of no character is one that is no letter, number or space; giving back finds its way
 * between such bytes and characters. */
static void
test_invalid (void)
{
  check_found ("[^\\s\\p{L}]+", "a\xff\xc3 ", 4, 0, 1, 3);
  check_found ("\\S+\\p{L}", "\xc3\xa9\xa9\xc3\xa9\xc3", 6, 0, 0, 5);
  check_found ("[^a]+\\xe9", "\xe5\xb7\xa5\xc3\xa9\xe5\xb7", 7, 0, 0, 5);
  check_found (".\\n", "\0\n", 2, 0, 0, 2);
  check_found ("\\P{L}+", "\xed\xa0\x80", 3, 0, 0, 3);
  check_found ("\\p{Cn}", "a\xff", 2, 0, 1, 2);
  check_found ("[\\p{L}&&[^\\p{Han}a]]+", "a\xe5\xb7\xa5" "bc\xe5\xb7\xa5", 9, 0, 4, 6);
}

/* A pattern made to take forever gives up, and one over a long run of spaces need not. */
static void
test_bounded (void)
{
  g_autoptr(GString) text = g_string_new (NULL);
  g_autoptr(TarePattern) trap = tare_pattern_new ("(?:a|aa|aaa)+b", NULL);
  guint64 steps;
  gsize start, end;

  for (guint i = 0; i < 20000; i++)
    g_string_append_c (text, 'a');
  steps = tare_pattern_steps (text->len);
  g_assert_false (tare_pattern_find (trap, text->str, text->len, 0, &steps, &start, &end));
  g_assert_cmpuint (steps, ==, 0);

  g_string_truncate (text, 0);
  for (guint i = 0; i < 300000; i++)
    g_string_append_c (text, ' ');
  g_string_append_c (text, 'x');
  g_string_append_c (text, ' ');
  check_found ("\\s+$", text->str, text->len, 0, 300001, 300002);
  check_found ("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", text->str, text->len, 0, 0, 299999);
}

static void
test_equal (void)
{
  static const char *const same[][2] = {
    { "[\xc3\xa9-\xc3\xab]+", "[\\x{e9}-\\xeb]+" }, { "\r", "\\r" }, { "\\pN", "\\p{N}" },
    { "(?:a)", "a" },
  };
  static const char *const different[][2] = {
    { "a", "b" }, { "a+", "a*" }, { "a+", "a+?" }, { "[^a]", "[a]" }, { "a(?=b)", "a(?!b)" },
    { "ab", "a" }, { "[a&&[^b]]", "[a&&[b]]" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (same); i++)
    {
      g_autoptr(TarePattern) a = tare_pattern_new (same[i][0], NULL);
      g_autoptr(TarePattern) b = tare_pattern_new (same[i][1], NULL);

      g_assert_true (tare_pattern_equal (a, b));
    }
  for (gsize i = 0; i < G_N_ELEMENTS (different); i++)
    {
      g_autoptr(TarePattern) a = tare_pattern_new (different[i][0], NULL);
      g_autoptr(TarePattern) b = tare_pattern_new (different[i][1], NULL);

      g_assert_false (tare_pattern_equal (a, b));
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/pattern/against-glib", test_against_glib);
  g_test_add_func ("/pattern/refused", test_refused);
  g_test_add_func ("/pattern/invalid", test_invalid);
  g_test_add_func ("/pattern/bounded", test_bounded);
  g_test_add_func ("/pattern/equal", test_equal);

  return g_test_run ();
}
