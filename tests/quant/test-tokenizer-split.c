/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-tokenizer-private.h"
#include "quant/model/tare-unicode.h"
#include "tests/tare-test.h"

static void
test_classes (void)
{
  static const gunichar spaces[] = {
    0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
    0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
  };
  static const gunichar letters[] = { 'a', 'Z', 0xaa, 0xdf, 0x1c5, 0x2b0, 0x430, 0x4e94, 0x1f600 };
  static const gunichar numbers[] = { '0', 0xb2, 0xbd, 0x660, 0x2167, 0x3007, 0x1d7ce };
  guint n_spaces = 0;

  for (gunichar c = 0; c <= 0x10ffff; c++)
    n_spaces += (tare_unicode_classify (c) & TARE_UNICODE_SPACE) != 0;
  g_assert_cmpuint (n_spaces, ==, G_N_ELEMENTS (spaces));
  for (gsize i = 0; i < G_N_ELEMENTS (spaces); i++)
    g_assert_true (tare_unicode_classify (spaces[i]) & TARE_UNICODE_SPACE);
  for (gsize i = 0; i < G_N_ELEMENTS (letters); i++)
    g_assert_true ((tare_unicode_classify (letters[i]) == TARE_UNICODE_LETTER)
                   == (letters[i] != 0x1f600));
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_assert_true (tare_unicode_classify (numbers[i]) == TARE_UNICODE_NUMBER);
  g_assert_cmpint (tare_unicode_classify (TARE_UNICODE_INVALID), ==, 0);

  for (guint c = 0; c < 128; c++)
    {
      char text = (char) c;
      TareUnicodeClass class;

      g_assert_cmpuint (tare_unicode_scan (&text, 1, &class), ==, 1);
      g_assert_cmpint (class, ==, tare_unicode_classify (c));
    }
}

static void
test_decode (void)
{
  static const struct
  {
    const char *text;
    guint       n;
    gunichar    character;
  } cases[] = {
    { "a", 1, 'a' },
    { "\xc3\xa9", 2, 0xe9 },
    { "\xe2\x96\x81", 3, 0x2581 },
    { "\xf0\x9f\xa6\x99", 4, 0x1f999 },
    { "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
    { "\xef\xbf\xbf", 3, 0xffff },
    { "\x80", 1, TARE_UNICODE_INVALID },
    { "\xc0\x80", 1, TARE_UNICODE_INVALID },
    { "\xc3", 1, TARE_UNICODE_INVALID },
    { "\xc3(", 1, TARE_UNICODE_INVALID },
    { "\xe0\x80\x80", 1, TARE_UNICODE_INVALID },
    { "\xed\xa0\x80", 1, TARE_UNICODE_INVALID },
    { "\xe2\x96", 1, TARE_UNICODE_INVALID },
    { "\xf0\x80\x80\x80", 1, TARE_UNICODE_INVALID },
    { "\xf4\x90\x80\x80", 1, TARE_UNICODE_INVALID },
    { "\xf8\x88\x80\x80\x80", 1, TARE_UNICODE_INVALID },
    { "\xff", 1, TARE_UNICODE_INVALID },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gunichar character = 0;

      g_assert_cmpuint (tare_unicode_decode (cases[i].text, strlen (cases[i].text), &character),
                        ==, cases[i].n);
      g_assert_cmpuint (character, ==, cases[i].character);
    }
}

static void
test_bytes (void)
{
  g_assert_cmpuint (tare_unicode_from_byte (' '), ==, 0x120);
  g_assert_cmpuint (tare_unicode_from_byte ('\n'), ==, 0x10a);
  g_assert_cmpuint (tare_unicode_from_byte (0xad), ==, 0x143);
  for (guint byte = 0; byte < 256; byte++)
    g_assert_cmpint (tare_unicode_to_byte (tare_unicode_from_byte ((guint8) byte)), ==,
                     (int) byte);
  g_assert_cmpint (tare_unicode_to_byte (' '), ==, -1);
  g_assert_cmpint (tare_unicode_to_byte (0x144), ==, -1);
  g_assert_cmpint (tare_unicode_to_byte (0x4e94), ==, -1);
}

static void
test_normalize (void)
{
  static const char text[] = "e\xcc\x81\0e\xcc\x81\xff\xc3\xa9" "e\xcc";
  static const char composed[] = "\xc3\xa9\0\xc3\xa9\xff\xc3\xa9" "e\xcc";
  static const char decomposed[] = "e\xcc\x81\0e\xcc\x81\xff" "e\xcc\x81" "e\xcc";
  g_autoptr(GString) nfc = tare_unicode_normalize (text, sizeof text - 1,
                                                   G_NORMALIZE_DEFAULT_COMPOSE);
  g_autoptr(GString) nfd = tare_unicode_normalize (text, sizeof text - 1, G_NORMALIZE_DEFAULT);
  g_autoptr(GString) none = tare_unicode_normalize ("", 0, G_NORMALIZE_ALL);
  g_autoptr(GString) plain = tare_unicode_normalize ("d\xc3\xa9j\xc3\xa0", 6,
                                                     G_NORMALIZE_DEFAULT_COMPOSE);

  g_assert_cmpmem (nfc->str, nfc->len, composed, sizeof composed - 1);
  g_assert_cmpmem (nfd->str, nfd->len, decomposed, sizeof decomposed - 1);
  g_assert_cmpuint (none->len, ==, 0);
  g_assert_cmpstr (plain->str, ==, "d\xc3\xa9j\xc3\xa0");
}

#define GPT2                                                                                \
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define LLAMA3(numbers)                                                                     \
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                     \
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* The expressions that each name stands for: every one splits the pieces of the one before. */
static const struct
{
  const char *name;
  const char *steps[TARE_PRE_TOKENIZER_STEPS];
} expressions[] = {
  { "gpt-2", { GPT2 } },
  { "mpt", { GPT2 } },
  { "llama-bpe", { LLAMA3 ("\\p{N}{1,3}") } },
  { "dbrx", { LLAMA3 ("\\p{N}{1,3}") } },
  { "qwen2", { LLAMA3 ("\\p{N}") } },
  { "stablelm2", { LLAMA3 ("\\p{N}") } },
  { "smollm", { "\\p{N}", GPT2 } },
  { "falcon", { "[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]" } },
  { "default", { "[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]" } },
};

/* The plain way: the regular expressions themselves. */
static void
split_by_expressions (const char *const *steps,
                      guint              n_steps,
                      const char        *text,
                      gsize              length,
                      GPtrArray         *words)
{
  g_autoptr(GRegex) regex = NULL;
  g_autoptr(GMatchInfo) match = NULL;
  gsize position = 0;
  int start = 0;
  int end = 0;

  if (n_steps == 0 || steps[0] == NULL)
    {
      g_ptr_array_add (words, g_strndup (text, length));
      return;
    }

  regex = g_regex_new (steps[0], G_REGEX_DEFAULT, G_REGEX_MATCH_DEFAULT, NULL);
  g_assert_nonnull (regex);
  g_regex_match_full (regex, text, (gssize) length, 0, G_REGEX_MATCH_DEFAULT, &match, NULL);
  for (; g_match_info_matches (match); g_match_info_next (match, NULL))
    {
      g_match_info_fetch_pos (match, 0, &start, &end);
      if ((gsize) start > position)
        split_by_expressions (steps + 1, n_steps - 1, text + position, (gsize) start - position,
                              words);
      split_by_expressions (steps + 1, n_steps - 1, text + start, (gsize) (end - start), words);
      position = (gsize) end;
    }
  if (length > position)
    split_by_expressions (steps + 1, n_steps - 1, text + position, length - position, words);
}

static void
append_word (const char *word,
             gsize       length,
             gpointer    data)
{
  g_ptr_array_add (data, g_strndup (word, length));
}

/* The general way, also where there is a fast one. */
static TareSplitter *
make_plain (const char *const *steps)
{
  TareSplitter *splitter = _tare_splitter_new ();

  for (guint i = 0; i < TARE_PRE_TOKENIZER_STEPS && steps[i] != NULL; i++)
    {
      g_autoptr(GError) error = NULL;
      TareSplitStep step = { g_strdup (steps[i]), NULL, tare_pattern_new (steps[i], &error) };

      g_assert_no_error (error);
      g_array_append_val (splitter, step);
    }

  return splitter;
}

static char *
join_words (const TareSplitter *splitter,
            const char         *text)
{
  g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func (g_free);

  _tare_splitter_run (splitter, text, strlen (text), append_word, words);
  g_ptr_array_add (words, NULL);

  return g_strjoinv ("\x1f", (char **) words->pdata);
}

static void
check_split (const TarePreTokenizer *pre,
             const char *const      *steps,
             const char             *text)
{
  g_autoptr(GPtrArray) expected = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GArray) fast = _tare_pre_tokenizer_make (pre);
  g_autoptr(GArray) plain = make_plain (steps);
  g_autofree char *a = join_words (fast, text);
  g_autofree char *b = join_words (plain, text);
  g_autofree char *c = NULL;

  split_by_expressions (steps, TARE_PRE_TOKENIZER_STEPS, text, strlen (text), expected);
  g_ptr_array_add (expected, NULL);
  c = g_strjoinv ("\x1f", (char **) expected->pdata);
  if (strcmp (a, c) != 0 || strcmp (b, c) != 0)
    g_test_message ("%s: \"%s\"", pre->names[0], text);
  g_assert_cmpstr (a, ==, c);
  g_assert_cmpstr (b, ==, c);
}

static void
test_split (gconstpointer data)
{
  static const char *const texts[] = {
    "Hello world", "  x", "a  b   c", "it's 'REally y'all'LL", "\r\n\r\n  \n x", "1234567",
    " 12 345", "!!??\n\n\nx", "\t\tx", " \xc2\xa0 x", "(hello) $5.00", "'", "'l", "''''s",
    "\xe5\xb7\xa5\xe4\xbd\x9c" "1314151\xe5\xa4\xa9\xef\xbd\x9e", "  ", "\n", " ",
    "\xc2\xbd", "~|`x",
  };
  static const char *const parts[] = {
    " ", " ", " ", "  ", "\n", "\r", "\t", "\v", "\xc2\xa0", "\xc2\x85", "\xe3\x80\x80",
    "'", "s", "ll", "LL", "Re", "a", "Z", "\xc3\xa9", "\xe5\xb7\xa5", "e\xcc\x81",
    "1", "12", "345", "\xc2\xb2", "\xe2\x85\xa7",
    "!", "?", "$", "+", "`", "_", "/", "\xe3\x80\x82", "\xed\x95\x9c", "\xe3\x81\x82", "\xc7\x85",
    "\xd0\x94", "\xc2\xaa", "\xf0\x9f\xa6\x99", "\xe2\x80\x94", "\xef\xbd\x9e", "\x01",
  };
  const TarePreTokenizer *pre = data;
  const char *const *steps = pre->steps;
  g_autoptr(GRand) random = g_rand_new_with_seed (20);

  for (gsize i = 0; i < G_N_ELEMENTS (expressions); i++)
    if (_tare_pre_tokenizer_lookup (expressions[i].name) == pre)
      steps = expressions[i].steps;

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    check_split (pre, steps, texts[i]);
  for (guint i = 0; i < 200; i++)
    {
      g_autoptr(GString) text = g_string_new (NULL);

      for (int j = g_rand_int_range (random, 1, 24); j > 0; j--)
        g_string_append (text, parts[g_rand_int_range (random, 0, G_N_ELEMENTS (parts))]);
      check_split (pre, steps, text->str);
    }
}

/* Whatever the bytes, the words are the text. */
static void
test_bytes_kept (void)
{
  g_autoptr(GRand) random = g_rand_new_with_seed (7);
  char text[64];

  for (gsize row = 0; row < _tare_pre_tokenizer_get_n_rows (); row++)
    for (guint round = 0; round < 1000; round++)
      {
        g_autoptr(GArray) splitter =
          round % 2 == 0 ? _tare_pre_tokenizer_make (_tare_pre_tokenizer_get (row))
                         : make_plain (_tare_pre_tokenizer_get (row)->steps);
        g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
        gsize n = (gsize) g_rand_int_range (random, 1, sizeof text);
        gsize total = 0;

        for (gsize i = 0; i < n; i++)
          text[i] = (char) g_rand_int_range (random, 1, 256);
        _tare_splitter_run (splitter, text, n, append_word, words);
        for (guint i = 0; i < words->len; i++)
          {
            gsize length = strlen (words->pdata[i]);

            g_assert_cmpuint (length, >, 0);
            g_assert_cmpuint (total + length, <=, n);
            g_assert_cmpmem (text + total, length, words->pdata[i], length);
            total += length;
          }
        g_assert_cmpuint (total, ==, n);
      }
}

/* Hugging Face's own example of what becomes of matches: tokenizers, SplitDelimiterBehavior. */
static void
test_behaviors (void)
{
  static const struct
  {
    TareSplitBehavior  behavior;
    gboolean           inverted;
    const char        *words;
  } cases[] = {
    { TARE_SPLIT_ISOLATED, FALSE, "the|-|final|-|-|countdown" },
    { TARE_SPLIT_REMOVED, FALSE, "the|final|countdown" },
    { TARE_SPLIT_WITH_PREVIOUS, FALSE, "the-|final-|-|countdown" },
    { TARE_SPLIT_WITH_NEXT, FALSE, "the|-final|-|-countdown" },
    { TARE_SPLIT_CONTIGUOUS, FALSE, "the|-|final|--|countdown" },
    { TARE_SPLIT_REMOVED, TRUE, "-|-|-" },
    { TARE_SPLIT_WITH_PREVIOUS, TRUE, "the|-final|-|-countdown" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GArray) splitter = _tare_splitter_new ();
      g_autoptr(GError) error = NULL;
      g_autofree char *words = NULL;

      _tare_splitter_add (splitter, "-", cases[i].behavior, cases[i].inverted, &error);
      g_assert_no_error (error);
      words = g_strdelimit (join_words (splitter, "the-final--countdown"), "\x1f", '|');
      g_assert_cmpstr (words, ==, cases[i].words);
    }
}

static void
fill_word (TareMerger *merger,
           GRand      *random,
           guint       n,
           guint       n_symbols)
{
  g_array_set_size (merger->nodes, 0);
  for (guint i = 0; i < n; i++)
    {
      guint32 symbol = (guint32) g_rand_int_range (random, 0, (gint32) n_symbols);
      TareNode node = { .symbol = symbol == 0 ? TARE_TOKEN_NONE : symbol,
                        .length = 1 + symbol % 3 };

      g_array_append_val (merger->nodes, node);
    }
}

/* The queue merges what the scan merges, for tables with equal ranks and results in cycles too. */
static void
test_merge (void)
{
  g_autoptr(GRand) random = g_rand_new_with_seed (3);

  for (guint round = 0; round < 600; round++)
    {
      guint n_symbols = (guint) g_rand_int_range (random, 3, 12);
      guint n = (guint) g_rand_int_range (random, 1, 80);
      TarePairTable pairs;
      TareMerger a, b;

      _tare_pair_table_init (&pairs, 40);
      for (guint i = 0; i < 40; i++)
        _tare_pair_table_insert (&pairs, (guint32) g_rand_int_range (random, 1, n_symbols),
                                 (guint32) g_rand_int_range (random, 1, n_symbols),
                                 (guint32) g_rand_int_range (random, 0, 12),
                                 (guint32) g_rand_int_range (random, 1, n_symbols));
      _tare_merger_init (&a);
      _tare_merger_init (&b);
      fill_word (&a, random, n, n_symbols);
      g_array_append_vals (b.nodes, a.nodes->data, a.nodes->len);
      _tare_merger_run_scan (&a, &pairs);
      _tare_merger_run_queue (&b, &pairs);

      g_assert_cmpuint (a.nodes->len, ==, b.nodes->len);
      for (guint i = 0; i < a.nodes->len; i++)
        {
          const TareNode *x = &g_array_index (a.nodes, TareNode, i);
          const TareNode *y = &g_array_index (b.nodes, TareNode, i);

          g_assert_cmpuint (x->symbol, ==, y->symbol);
          g_assert_cmpuint (x->length, ==, y->length);
        }
      _tare_merger_clear (&a);
      _tare_merger_clear (&b);
      _tare_pair_table_clear (&pairs);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/unicode/classes", test_classes);
  g_test_add_func ("/unicode/decode", test_decode);
  g_test_add_func ("/unicode/bytes", test_bytes);
  g_test_add_func ("/unicode/normalize", test_normalize);
  for (gsize i = 0; i < _tare_pre_tokenizer_get_n_rows (); i++)
    {
      const TarePreTokenizer *pre = _tare_pre_tokenizer_get (i);
      g_autofree char *path = g_strconcat ("/tokenizer/split/", pre->names[0], NULL);

      g_test_add_data_func (path, pre, test_split);
    }
  g_test_add_func ("/tokenizer/split/behaviors", test_behaviors);
  g_test_add_func ("/tokenizer/split/bytes", test_bytes_kept);
  g_test_add_func ("/tokenizer/merge", test_merge);

  return g_test_run ();
}
