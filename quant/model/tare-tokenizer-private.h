/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "quant/model/tare-pattern.h"
#include "quant/model/tare-tokenizer.h"

G_BEGIN_DECLS

#define TARE_TOKEN_NONE G_MAXUINT32

/* Longer words are unknown to WordPiece: BERT, max_input_chars_per_word. */
#define TARE_LONGEST_WORD 100

#define TARE_PRE_TOKENIZER_NAMES 16
#define TARE_PRE_TOKENIZER_STEPS 6

/* The expressions of most tokenizers, as tokenizer.json files write them. */
#define TARE_REGEX_GPT2                                                                     \
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define TARE_REGEX_LLAMA3(numbers)                                                          \
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                     \
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Punctuation: general category P and what else of ASCII is neither letter, digit nor control. */
#define TARE_REGEX_PUNCTUATION "[\\p{P}\\$\\+<=>\\^~\\|`]"

/* Finds the first match in a text that is not empty; returns its bytes, 0 and the end for none. */
typedef gsize (*TareFindFunc) (const char *text,
                               gsize       length,
                               gsize      *start);

typedef void (*TareWordFunc) (const char *word,
                              gsize       length,
                              gpointer    data);

TareFindFunc _tare_find_lookup (const char *regex);

/**
 * TareSplitBehavior:
 * @TARE_SPLIT_ISOLATED: a match is a piece, what lies between is another
 * @TARE_SPLIT_REMOVED: matches are dropped
 * @TARE_SPLIT_WITH_PREVIOUS: a match ends the piece that it follows
 * @TARE_SPLIT_WITH_NEXT: a match begins the piece that follows
 * @TARE_SPLIT_CONTIGUOUS: matches side by side are one piece
 *
 * What becomes of matches: Hugging Face's SplitDelimiterBehavior.
 */
typedef enum
{
  TARE_SPLIT_ISOLATED,
  TARE_SPLIT_REMOVED,
  TARE_SPLIT_WITH_PREVIOUS,
  TARE_SPLIT_WITH_NEXT,
  TARE_SPLIT_CONTIGUOUS,
} TareSplitBehavior;

/**
 * TareSplitStep:
 * @regex: what is looked for
 * @find: (nullable): a fast way of looking for it
 * @pattern: (nullable): the regular expression itself, where there is no fast way
 * @behavior: what becomes of matches
 * @inverted: that the matches are what lies between them, and the other way round
 */
typedef struct
{
  char              *regex;
  TareFindFunc       find;
  TarePattern       *pattern;
  TareSplitBehavior  behavior;
  gboolean           inverted;
} TareSplitStep;

/**
 * TareSplitter:
 *
 * Splits a text into words, step by step; a #GArray of #TareSplitStep.
 */
typedef GArray TareSplitter;

/**
 * TareNormalizer:
 *
 * What becomes of a text before it is split; a #GArray of steps.
 */
typedef GArray TareNormalizer;

/* SentencePiece's table of what is replaced by what. */
typedef struct _TareCharsmap TareCharsmap;

TareNormalizer *_tare_normalizer_new      (void);
gboolean        _tare_normalizer_add_json (TareNormalizer        *self,
                                           JsonObject            *object,
                                           const char            *path,
                                           GError               **error);
void            _tare_normalizer_add_bert (TareNormalizer        *self);
gboolean        _tare_normalizer_add_map  (TareNormalizer        *self,
                                           const guint8          *data,
                                           gsize                  length,
                                           const char            *path,
                                           GError               **error);
void            _tare_normalizer_add_trim (TareNormalizer        *self);
GString        *_tare_normalizer_run      (const TareNormalizer  *self,
                                           const char            *text,
                                           gsize                  length);
TareCharsmap   *_tare_charsmap_new        (const guint8          *data,
                                           gsize                  length,
                                           const char            *path,
                                           GError               **error);
void            _tare_charsmap_free       (TareCharsmap          *self);
GString        *_tare_charsmap_run        (const TareCharsmap    *self,
                                           const char            *text,
                                           gsize                  length);

TareSplitter *_tare_splitter_new (void);
gboolean      _tare_splitter_add (TareSplitter       *self,
                                  const char         *regex,
                                  TareSplitBehavior   behavior,
                                  gboolean            inverted,
                                  GError            **error);
char         *_tare_splitter_get_regex (JsonObject    *object);
gboolean      _tare_splitter_add_json (TareSplitter  *self,
                                       JsonObject    *step,
                                       gboolean      *add_prefix,
                                       const char    *path,
                                       GError       **error);
void          _tare_splitter_run (const TareSplitter *self,
                                  const char         *text,
                                  gsize               length,
                                  TareWordFunc        func,
                                  gpointer            data);

/**
 * TarePreTokenizer:
 * @names: its names in GGUF, first the one to write
 * @steps: the regular expressions that split a text into words, step by step
 * @variant: (nullable): how some tokenizer.json says the same
 * @ignore_merges: a word that is a token is that token, whatever the merges say
 * @add_begin: whether a text begins with the begin token where the file does not say
 */
typedef struct
{
  const char *names[TARE_PRE_TOKENIZER_NAMES];
  const char *steps[TARE_PRE_TOKENIZER_STEPS];
  const char *variant[TARE_PRE_TOKENIZER_STEPS];
  gboolean    ignore_merges;
  gboolean    add_begin;
} TarePreTokenizer;

gsize                   _tare_pre_tokenizer_get_n_rows (void);
const TarePreTokenizer *_tare_pre_tokenizer_get        (gsize                   index);
const TarePreTokenizer *_tare_pre_tokenizer_lookup     (const char             *name);
const TarePreTokenizer *_tare_pre_tokenizer_detect     (const TareSplitter     *splitter,
                                                        const gboolean         *ignore_merges);
TareSplitter           *_tare_pre_tokenizer_make       (const TarePreTokenizer *self);

/**
 * TarePair:
 * @key: the left symbol in the high half, the right one in the low half
 * @rank: the pair of lowest rank in a word is merged first
 * @result: what the two become
 */
typedef struct
{
  guint64 key;
  guint32 rank;
  guint32 result;
} TarePair;

/**
 * TarePairTable:
 *
 * A hash table with open addressing from two symbols to the one they merge to.
 */
typedef struct
{
  TarePair *slots;
  gsize     n_pairs;
  guint     bits;
} TarePairTable;

/**
 * TareNode:
 * @symbol: a token, or what stands for a character that is none; %TARE_TOKEN_NONE for no character
 * @length: its bytes; 0 for a node that was merged into the one before it
 * @previous: the node before
 * @next: the node after
 * @rank: of the pair it makes with the next
 * @result: of that pair
 */
typedef struct
{
  guint32 symbol;
  guint32 length;
  guint32 previous;
  guint32 next;
  guint32 rank;
  guint32 result;
} TareNode;

/**
 * TareLattice:
 * @score: of the best way to here
 * @length: bytes of its last piece; 0 for a place that no way leads to
 * @token: that piece, or %TARE_TOKEN_NONE for a character that is unknown
 * @next: bytes of the piece that goes on from here, on the best way
 *
 * A place between two characters.
 */
typedef struct
{
  double  score;
  guint32 length;
  guint32 token;
  guint32 next;
} TareLattice;

/**
 * TareMerger:
 * @nodes: the symbols of a word, before and after merging
 * @heap: what _tare_merger_run() keeps from word to word
 * @lattice: the places of a word, for a unigram
 *
 * The memory that encoding needs; one for each text that is encoded.
 */
typedef struct
{
  GArray *nodes;
  GArray *heap;
  GArray *lattice;
} TareMerger;

void             _tare_pair_table_init       (TarePairTable       *self,
                                              gsize                n_pairs);
void             _tare_pair_table_clear      (TarePairTable       *self);
gboolean         _tare_pair_table_insert     (TarePairTable       *self,
                                              guint32              left,
                                              guint32              right,
                                              guint32              rank,
                                              guint32              result);
const TarePair  *_tare_pair_table_lookup     (const TarePairTable *self,
                                              guint32              left,
                                              guint32              right);
void             _tare_merger_init           (TareMerger          *self);
void             _tare_merger_clear          (TareMerger          *self);
void             _tare_merger_run            (TareMerger          *self,
                                              const TarePairTable *pairs);
void             _tare_merger_run_queue      (TareMerger          *self,
                                              const TarePairTable *pairs);
void             _tare_merger_run_scan       (TareMerger          *self,
                                              const TarePairTable *pairs);

/**
 * TareTokenType:
 *
 * GGUF's tokenizer.ggml.token_type.
 */
typedef enum
{
  TARE_TOKEN_NORMAL       = 1,
  TARE_TOKEN_UNKNOWN      = 2,
  TARE_TOKEN_CONTROL      = 3,
  TARE_TOKEN_USER_DEFINED = 4,
  TARE_TOKEN_UNUSED       = 5,
  TARE_TOKEN_BYTE         = 6,
} TareTokenType;

/**
 * TareMatching:
 * @TARE_MATCHING_LEFT: takes the white space before it: "lstrip"
 * @TARE_MATCHING_RIGHT: takes the white space after it: "rstrip"
 * @TARE_MATCHING_WORD: is no part of a longer word: "single_word"
 * @TARE_MATCHING_NORMALIZED: is looked for after normalizing: "normalized"
 *
 * How a special token is found in a text: Hugging Face's AddedToken.
 */
typedef enum
{
  TARE_MATCHING_LEFT       = 1 << 0,
  TARE_MATCHING_RIGHT      = 1 << 1,
  TARE_MATCHING_WORD       = 1 << 2,
  TARE_MATCHING_NORMALIZED = 1 << 3,
} TareMatching;

/**
 * TarePiece:
 * @text: its name; %NULL for an id that names nothing
 * @length: bytes of it
 * @type: a #TareTokenType
 * @score: for pieces: the higher, the earlier merged
 * @matching: of #TareMatching: how a special token is found
 */
typedef struct
{
  const char *text;
  guint32     length;
  gint32      type;
  float       score;
  guint32     matching;
} TarePiece;

/**
 * TareVocabulary:
 * @pieces: the tokens, then the characters that only occur within tokens
 * @n_tokens: how many of them are tokens
 * @longest: bytes of the longest name
 *
 * Names and what they name.
 */
typedef struct
{
  GStringChunk *texts;
  GArray       *pieces;
  guint32       n_tokens;
  guint32       longest;
  guint32      *slots;
  guint         bits;
} TareVocabulary;

void       _tare_vocabulary_init       (TareVocabulary       *self,
                                        guint32               n_tokens);
void       _tare_vocabulary_clear      (TareVocabulary       *self);
TarePiece *_tare_vocabulary_get        (const TareVocabulary *self,
                                        guint32               symbol);
gboolean   _tare_vocabulary_set        (TareVocabulary       *self,
                                        guint32               token,
                                        const char           *text,
                                        TareTokenType         type,
                                        const char           *path,
                                        GError              **error);
gboolean   _tare_vocabulary_index      (TareVocabulary       *self,
                                        const char           *path,
                                        GError              **error);
guint32    _tare_vocabulary_find       (const TareVocabulary *self,
                                        const char           *text,
                                        gsize                 length);
guint32    _tare_vocabulary_find_name  (const TareVocabulary *self,
                                        const char           *name);
guint32    _tare_vocabulary_add_symbol (TareVocabulary       *self,
                                        const char           *text,
                                        gsize                 length);

/**
 * TareTrie:
 * @edges: from what was read and a byte to what is then read
 * @tokens: of what was read
 *
 * The names of a vocabulary, byte by byte.
 */
typedef struct
{
  TarePairTable  edges;
  GArray        *tokens;
} TareTrie;

void    _tare_trie_init  (TareTrie             *self,
                          const TareVocabulary *vocabulary);
void    _tare_trie_clear (TareTrie             *self);
guint32 _tare_trie_step  (const TareTrie       *self,
                          guint32               node,
                          guint8                byte);
guint32 _tare_trie_get   (const TareTrie       *self,
                          guint32               node);

/**
 * TareSpecial:
 * @token: a token that is found in a text by its name
 * @length: bytes of @text
 * @text: the name, normalized where it is looked for so
 * @matching: of #TareMatching
 * @always: whether it is found even where control tokens are not
 */
typedef struct
{
  guint32     token;
  guint32     length;
  const char *text;
  guint32     matching;
  gboolean    always;
} TareSpecial;

/**
 * TareFragment:
 * @start: offset into the text
 * @length: bytes
 * @token: the special token that it names, or %TARE_TOKEN_NONE for text to be tokenized
 */
typedef struct
{
  gsize   start;
  gsize   length;
  guint32 token;
} TareFragment;

/**
 * TareTokenizerModel:
 * @name: tokenizer.ggml.model
 * @encode: appends the tokens of a fragment that is not empty
 * @decode: appends the bytes of a normal token
 * @begin: default of GGUF's tokenizer.ggml.bos_token_id
 * @end: default of tokenizer.ggml.eos_token_id
 * @unknown: default of tokenizer.ggml.unknown_token_id
 * @add_begin: default of tokenizer.ggml.add_bos_token
 * @add_prefix: default of tokenizer.ggml.add_space_prefix
 */
typedef struct
{
  const char *name;
  void      (*encode) (TareTokenizer *self,
                       TareMerger    *merger,
                       const char    *text,
                       gsize          length,
                       GArray        *tokens);
  void      (*decode) (TareTokenizer *self,
                       guint32        token,
                       GString       *text);
  guint32     begin;
  guint32     end;
  guint32     unknown;
  gboolean    add_begin;
  gboolean    add_prefix;
} TareTokenizerModel;

extern const TareTokenizerModel _tare_tokenizer_bytes;
extern const TareTokenizerModel _tare_tokenizer_pieces;
extern const TareTokenizerModel _tare_tokenizer_unigram;
extern const TareTokenizerModel _tare_tokenizer_words;

/**
 * TareMerge:
 *
 * A line of a merge list, by tokens.
 */
typedef struct
{
  guint32 left;
  guint32 right;
  guint32 result;
} TareMerge;

struct _TareTokenizer
{
  gatomicrefcount           references;
  const TareTokenizerModel *model;
  const TarePreTokenizer   *pre;
  char                     *pre_name;
  TareSplitter             *splitter;
  TareVocabulary            vocabulary;
  TarePairTable             pairs;
  GArray                   *merges;
  GArray                   *specials;
  GArray                   *specials_by_byte;
  guint32                   special_starts[257];
  guint32                   any_matching;
  guint32                   bytes[256];
  GArray                   *before;
  GArray                   *after;
  guint32                   begin;
  guint32                   end;
  guint32                   unknown;
  guint32                   padding;
  gboolean                  add_begin;
  gboolean                  add_end;
  gboolean                  add_prefix;
  gboolean                  ignore_merges;
  gboolean                  crosses_words;
  gboolean                  prefixes_once;
  TareNormalizer           *normalizer;
  TareTrie                  trie;
  double                    least_score;
  guint32                   word_node;
  guint                     longest_word;
  GArray                   *decoder;
  char                     *continuing;
  char                     *chat_template;
  char                     *json;
  GBytes                   *charsmap;
  gboolean                  trims;
};

TareTokenizer *_tare_tokenizer_new               (const TareTokenizerModel  *model,
                                                  guint32                    n_tokens);
gboolean       _tare_tokenizer_add_merge         (TareTokenizer             *self,
                                                  const char                *left,
                                                  gsize                      left_length,
                                                  const char                *right,
                                                  gsize                      right_length,
                                                  const char                *path,
                                                  GError                   **error);
gboolean       _tare_tokenizer_add_merge_line    (TareTokenizer             *self,
                                                  const char                *line,
                                                  const char                *path,
                                                  GError                   **error);
void           _tare_tokenizer_finish            (TareTokenizer             *self);
void           _tare_tokenizer_rank_merges       (TareTokenizer             *self);
void           _tare_tokenizer_score_merges      (TareTokenizer             *self);
void           _tare_tokenizer_pair_by_score     (TareTokenizer             *self);
gboolean       _tare_tokenizer_check_token       (TareTokenizer             *self,
                                                  const char                *key,
                                                  gint64                     value,
                                                  guint32                   *token,
                                                  const char                *path,
                                                  GError                   **error);
void           _tare_tokenizer_prepare_unigram   (TareTokenizer             *self);
void           _tare_tokenizer_prepare_words     (TareTokenizer             *self);
void           _tare_tokenizer_mark_words        (TareTokenizer             *self,
                                                  const char                *continuing);
gboolean       _tare_piece_crosses_words         (const TarePiece           *piece);
GString       *_tare_escape_spaces               (TareTokenizer             *self,
                                                  const char                *text,
                                                  gsize                      length);
void           _tare_decode_pieces               (TareTokenizer             *self,
                                                  guint32                    token,
                                                  GString                   *text);
void           _tare_tokenizer_index_specials    (TareTokenizer             *self);
GArray        *_tare_tokenizer_find_specials     (TareTokenizer             *self,
                                                  const char                *text,
                                                  gsize                      length,
                                                  gboolean                   control,
                                                  gboolean                   normalized);
GString       *_tare_tokenizer_run_decoder      (TareTokenizer             *self,
                                                 const guint32             *tokens,
                                                 gsize                      n_tokens);

G_END_DECLS
