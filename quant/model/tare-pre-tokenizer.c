/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How each kind of byte-level vocabulary splits a text into words. */
#include "quant/model/tare-tokenizer-private.h"

#include <string.h>

/* Alternatives that many expressions end with. */
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* The letters of scripts that have cases, up to the version of Unicode that DeepSeek's files were
 * made with. */
#define CASED_LETTERS                                                                     \
  "A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}"           \
  "\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}"   \
  "\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}"            \
  "\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}"                 \
  "\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}"           \
  "\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}"           \
  "\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}"           \
  "\\x{1f59}\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}"   \
  "\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}"                     \
  "\\x{1fd6}-\\x{1fdb}\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}"           \
  "\\x{2102}\\x{2107}\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}"    \
  "\\x{2128}\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-\\x{213f}"            \
  "\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}"   \
  "\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}"            \
  "\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}"           \
  "\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}"           \
  "\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}"   \
  "\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}"

/* Punctuation and symbols of ASCII, their wide forms, quotation marks, those of ideographs. */
#define FORMS                                                                               \
  "\\s?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}]+"

#define IDEOGRAPHS "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"

/* Words of an upper part and a lower part, with what may follow them. */
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED_WORDS(after)                                                                  \
  "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" after                                        \
  "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" after
#define CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SYMBOLS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES

#define BLOOM " ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{ff0c}\\x{3001}\\x{964}\\x{6d4}\\x{60c})]+"

/*
 * What llama.cpp's names of tokenizer.ggml.pre stand for. The first name of a row is the one that
 * is written for a tokenizer.json of these steps. Where llama.cpp's own expression only comes near
 * to that of the original tokenizer.json, as for tekken and gpt-4o, this is the original's.
 */
static const TarePreTokenizer pre_tokenizers[] = {
  {
    .names = { "gpt-2", "phi-2", "roberta-bpe", "gigachat", "jina-es", "jina-de", "jina-v2-es",
               "jina-v2-de", "jina-v2-code", "mpt", "olmo", "jais", "trillion",
               "granite-docling" },
    .steps = { TARE_REGEX_GPT2 },
  },
  {
    .names = { "llama-bpe", "llama3", "llama-v3", "falcon3" },
    .steps = { TARE_REGEX_LLAMA3 ("\\p{N}{1,3}") },
    .ignore_merges = TRUE,
    .add_begin = TRUE,
  },
  {
    .names = { "dbrx", "smaug-bpe", "chatglm-bpe" },
    .steps = { TARE_REGEX_LLAMA3 ("\\p{N}{1,3}") },
  },
  {
    .names = { "qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "grok-2" },
    .steps = { TARE_REGEX_LLAMA3 ("\\p{N}") },
  },
  {
    .names = { "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone",
               "minerva-7b" },
    .steps = { "\\p{N}", TARE_REGEX_GPT2 },
  },
  {
    .names = { "falcon" },
    .steps = { "[\\p{P}\\$\\+<=>\\^~\\|`]+", TARE_REGEX_GPT2, "[0-9][0-9][0-9]" },
    .variant = { "[\\p{P}\\$\\+<=>\\^~\\|`]+", TARE_REGEX_GPT2, "\\p{N}+", "[0-9][0-9][0-9]" },
  },
  {
    .names = { "deepseek-llm" },
    .steps = { "[\\r\\n]", "\\s?[" CASED_LETTERS "]+", FORMS, "\\s+$",
               IDEOGRAPHS, "\\p{N}+" },
  },
  {
    .names = { "deepseek-coder" },
    .steps = { "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", IDEOGRAPHS, "\\p{N}" },
  },
  {
    .names = { "deepseek-v3", "hunyuan-dense" },
    .steps = { "\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+",
               "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
               "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES },
  },
  {
    .names = { "tekken" },
    .steps = { CASED_WORDS ("") "|\\p{N}" SYMBOLS },
    .ignore_merges = TRUE,
    .add_begin = TRUE,
  },
  {
    .names = { "gpt-4o", "llama4" },
    .steps = { CASED_WORDS (CONTRACTION "?") "|\\p{N}{1,3}" SYMBOLS },
  },
  {
    .names = { "bloom", "poro-chat", "gpt3-finnish" },
    .steps = { BLOOM },
  },
  {
    .names = { "viking" },
    .steps = { BLOOM, "\\p{N}" },
  },
  {
    .names = { "bailingmoe" },
    .steps = { "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}"
               "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+" },
  },
  {
    .names = { "seed-coder" },
    .steps = { CONTRACTION "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|"
               SPACES },
  },
  {
    .names = { "default" },
    .steps = { "[\\p{P}\\$\\+<=>\\^~\\|]+", TARE_REGEX_GPT2, "\\p{N}+", "[0-9][0-9][0-9]" },
  },
};

/**
 * _tare_pre_tokenizer_get_n_rows:
 *
 * Returns: how many ways of splitting there are
 */
gsize
_tare_pre_tokenizer_get_n_rows (void)
{
  return G_N_ELEMENTS (pre_tokenizers);
}

/**
 * _tare_pre_tokenizer_get:
 * @index: below _tare_pre_tokenizer_get_n_rows()
 *
 * Returns: a row
 */
const TarePreTokenizer *
_tare_pre_tokenizer_get (gsize index)
{
  return &pre_tokenizers[index];
}

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

/* Whether an expression, in whatever spelling, is that of a step. */
static gboolean
is_same_regex (const TareSplitStep *step,
               const char          *regex)
{
  g_autoptr(TarePattern) pattern = NULL;

  if (strcmp (step->regex, regex) == 0)
    return TRUE;
  if (step->find != NULL)
    return step->find == _tare_find_lookup (regex);
  pattern = tare_pattern_new (regex, NULL);

  return tare_pattern_equal (step->pattern, pattern);
}

static gboolean
is_same (const TareSplitter *splitter,
         const char *const  *steps)
{
  for (guint i = 0; i < splitter->len; i++)
    {
      const TareSplitStep *step = &g_array_index (splitter, TareSplitStep, i);

      if (i == TARE_PRE_TOKENIZER_STEPS || steps[i] == NULL)
        return FALSE;
      /* To remove what does not match is to isolate what does, where all of a text matches. */
      if (step->behavior != (step->inverted ? TARE_SPLIT_REMOVED : TARE_SPLIT_ISOLATED))
        return FALSE;
      if (!is_same_regex (step, steps[i]))
        return FALSE;
    }

  return splitter->len > 0
         && (splitter->len == TARE_PRE_TOKENIZER_STEPS || steps[splitter->len] == NULL);
}

/**
 * _tare_pre_tokenizer_detect:
 * @splitter: how a tokenizer.json splits
 * @ignore_merges: (nullable): what the file says of it
 *
 * Returns: (nullable): the row that splits so, and of several the one with these merges
 */
const TarePreTokenizer *
_tare_pre_tokenizer_detect (const TareSplitter *splitter,
                            const gboolean     *ignore_merges)
{
  const TarePreTokenizer *found = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (pre_tokenizers); i++)
    {
      const TarePreTokenizer *row = &pre_tokenizers[i];

      if (!is_same (splitter, row->steps) && !is_same (splitter, row->variant))
        continue;
      if (ignore_merges == NULL || row->ignore_merges == *ignore_merges)
        return row;
      if (found == NULL)
        found = row;
    }

  return found;
}

/**
 * _tare_pre_tokenizer_make:
 * @self: a row
 *
 * Returns: (transfer full): what splits so
 */
TareSplitter *
_tare_pre_tokenizer_make (const TarePreTokenizer *self)
{
  TareSplitter *splitter = _tare_splitter_new ();

  for (gsize i = 0; i < TARE_PRE_TOKENIZER_STEPS && self->steps[i] != NULL; i++)
    {
      g_autoptr(GError) error = NULL;

      /* The table's own expressions are understood: the tests make every row. */
      if (!_tare_splitter_add (splitter, self->steps[i], TARE_SPLIT_ISOLATED, FALSE, &error))
        g_error ("%s", error->message);
    }

  return splitter;
}
