/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The file, all numbers little-endian: the magic; version, tokens kept of a prediction, mode,
 * context and vocabulary, 4 bytes each; chunks, predictions, parameters and hash of the tokens, 8
 * bytes each; the name of the model, its length before it in 8 bytes. Then of each prediction: the
 * negative log-likelihood of the true token in binary64, the probability of all that is not kept in
 * binary32, the likeliest token in 4 bytes; and of each token kept, in the order of their numbers,
 * its number in 4 bytes and its log-probability in binary32. Logarithms are natural.
 */
#include "analysis/evaluation/tare-base-statistics.h"

#include <float.h>
#include <gio/gio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/evaluation/tare-evaluator.h"
#include "quant/formats/tare-half.h"
#include "quant/network/tare-kernels.h"
#include "quant/tare-error.h"
#include "quant/tare-hash.h"

#define VERSION 1

static const char magic[8] = { 'T', 'A', 'R', 'E', 'B', 'A', 'S', 'E' };

/* Where the parts of a prediction are, and how long a token kept is. */
#define NLL_AT      0
#define REST_AT     8
#define TOP_AT      12
#define TOKENS_AT   16
#define TOKEN_BYTES 8

/* Probabilities in binary32 sum to one within this. */
#define SUM_TOLERANCE 1e-3

struct _TareBaseStatistics
{
  TareBaseIdentity  identity;
  char             *name;
  guint32           n_kept;
  TareFile         *file;
  guint8           *own;
  const guint8     *records;
};

typedef struct
{
  guint32 token;
  float   logit;
} Candidate;

static guint32
get_u32 (const guint8 *bytes)
{
  guint32 word;

  memcpy (&word, bytes, sizeof word);

  return GUINT32_FROM_LE (word);
}

static void
set_u32 (guint8  *bytes,
         guint32  word)
{
  word = GUINT32_TO_LE (word);
  memcpy (bytes, &word, sizeof word);
}

static float
get_float (const guint8 *bytes)
{
  return tare_float_from_bits (get_u32 (bytes));
}

static double
get_double (const guint8 *bytes)
{
  guint64 word;
  double x;

  memcpy (&word, bytes, sizeof word);
  word = GUINT64_FROM_LE (word);
  memcpy (&x, &word, sizeof x);

  return x;
}

static void
set_double (guint8 *bytes,
            double  x)
{
  guint64 word;

  memcpy (&word, &x, sizeof word);
  word = GUINT64_TO_LE (word);
  memcpy (bytes, &word, sizeof word);
}

static gsize
record_bytes (const TareBaseStatistics *self)
{
  return TOKENS_AT + (gsize) self->n_kept * TOKEN_BYTES;
}

static const guint8 *
record_of (const TareBaseStatistics *self,
           gsize                     prediction)
{
  return self->records + prediction * record_bytes (self);
}

/**
 * tare_base_statistics_new:
 * @identity: what is measured on what
 * @error: not enough memory
 *
 * Returns: (transfer full): room for all predictions, each to be given by
 *   tare_base_statistics_set()
 */
TareBaseStatistics *
tare_base_statistics_new (const TareBaseIdentity  *identity,
                          GError                 **error)
{
  g_autoptr(TareBaseStatistics) self = g_new0 (TareBaseStatistics, 1);
  gsize bytes = 0;

  g_return_val_if_fail (identity != NULL && identity->vocabulary > 0, NULL);

  self->identity = *identity;
  self->name = g_strdup (identity->name);
  self->identity.name = self->name;
  self->n_kept = MIN (TARE_BASE_STATISTICS_KEPT, identity->vocabulary);
  if (g_size_checked_mul (&bytes, identity->n_predictions, record_bytes (self)))
    self->own = g_try_malloc0 (MAX (bytes, 1));
  if (self->own == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: not enough memory for the statistics of %" G_GUINT64_FORMAT
                   " predictions", self->name, identity->n_predictions);
      return NULL;
    }
  self->records = self->own;

  return g_steal_pointer (&self);
}

/**
 * tare_base_statistics_free:
 * @self: (nullable): the statistics
 */
void
tare_base_statistics_free (TareBaseStatistics *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->file, tare_file_unref);
  g_free (self->own);
  g_free (self->name);
  g_free (self);
}

static gboolean
fail (TareFile    *file,
      const char  *what,
      GError     **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: %s", tare_file_get_path (file), what);

  return FALSE;
}

/* What comes before the predictions. */
static gboolean
read_header (TareBaseStatistics  *self,
             TareCursor          *cursor,
             GError             **error)
{
  TareBaseIdentity *identity = &self->identity;
  const guint8 *start = NULL;
  guint32 version = 0;

  if (cursor->end < sizeof magic || memcmp (tare_file_get_data (cursor->file), magic,
                                            sizeof magic) != 0)
    return fail (cursor->file, "no statistics of a base", error);
  if (!tare_cursor_read_bytes (cursor, sizeof magic, &start, error)
      || !tare_cursor_read_u32 (cursor, &version, error))
    return FALSE;
  if (version != VERSION)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
                   "%s: statistics of a base in version %u, known is %u",
                   tare_file_get_path (cursor->file), version, VERSION);
      return FALSE;
    }
  if (!tare_cursor_read_u32 (cursor, &self->n_kept, error)
      || !tare_cursor_read_u32 (cursor, &identity->mode, error)
      || !tare_cursor_read_u32 (cursor, &identity->context, error)
      || !tare_cursor_read_u32 (cursor, &identity->vocabulary, error)
      || !tare_cursor_read_u64 (cursor, &identity->n_chunks, error)
      || !tare_cursor_read_u64 (cursor, &identity->n_predictions, error)
      || !tare_cursor_read_u64 (cursor, &identity->parameters, error)
      || !tare_cursor_read_u64 (cursor, &identity->tokens, error)
      || !tare_cursor_read_string (cursor, &self->name, error))
    return FALSE;
  identity->name = self->name;

  if (self->n_kept == 0 || self->n_kept > identity->vocabulary
      || identity->mode >= tare_evaluation_mode_get_n_modes () || identity->n_chunks == 0
      || identity->n_predictions == 0 || identity->n_predictions % identity->n_chunks != 0
      || identity->n_predictions / identity->n_chunks >= identity->context)
    return fail (cursor->file, "the header of the statistics contradicts itself", error);

  return TRUE;
}

/* Whether the tokens of a prediction are in order, and their probabilities and the rest's one. */
static gboolean
is_consistent (const TareBaseStatistics *self,
               const guint8             *record)
{
  double nll = get_double (record + NLL_AT);
  float rest = get_float (record + REST_AT);
  guint32 top = get_u32 (record + TOP_AT);
  double sum = (double) rest;
  float largest = -INFINITY;
  float of_top = -INFINITY;
  guint32 last = 0;

  if (!isfinite (nll) || nll < -SUM_TOLERANCE || !(rest >= 0.0f && rest <= 1.0f))
    return FALSE;

  for (gsize i = 0; i < self->n_kept; i++)
    {
      guint32 token = get_u32 (record + TOKENS_AT + i * TOKEN_BYTES);
      float value = get_float (record + TOKENS_AT + i * TOKEN_BYTES + sizeof token);

      if (token >= self->identity.vocabulary || (i > 0 && token <= last)
          || !isfinite (value) || (double) value > SUM_TOLERANCE)
        return FALSE;
      last = token;
      largest = MAX (largest, value);
      of_top = token == top ? value : of_top;
      sum += exp ((double) value);
    }

  return of_top >= largest && fabs (sum - 1.0) <= SUM_TOLERANCE;
}

/**
 * tare_base_statistics_new_file:
 * @file: what tare_base_statistics_save() wrote
 * @error: another kind of file, another version, an end too early or too late, numbers that
 *   contradict each other
 *
 * Every prediction is looked at, so that nothing can be wrong with them later.
 *
 * Returns: (transfer full): the statistics, which stay in @file
 */
TareBaseStatistics *
tare_base_statistics_new_file (TareFile  *file,
                               GError   **error)
{
  g_autoptr(TareBaseStatistics) self = g_new0 (TareBaseStatistics, 1);
  TareCursor cursor = { file, 0, tare_file_get_size (file) };
  guint64 bytes = 0;

  if (!read_header (self, &cursor, error))
    return NULL;

  if (!g_uint64_checked_mul (&bytes, self->identity.n_predictions, record_bytes (self))
      || bytes != cursor.end - cursor.position)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %" G_GUINT64_FORMAT " predictions of %" G_GSIZE_FORMAT " bytes do not "
                   "fill the %" G_GUINT64_FORMAT " bytes after the header",
                   tare_file_get_path (file), self->identity.n_predictions, record_bytes (self),
                   cursor.end - cursor.position);
      return NULL;
    }

  self->file = tare_file_ref (file);
  self->records = tare_file_get_data (file) + cursor.position;
  for (gsize i = 0; i < self->identity.n_predictions; i++)
    if (!is_consistent (self, record_of (self, i)))
      {
        g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                     "%s: prediction %" G_GSIZE_FORMAT " at offset %" G_GUINT64_FORMAT
                     " is no distribution", tare_file_get_path (file), i,
                     cursor.position + i * record_bytes (self));
        return NULL;
      }

  return g_steal_pointer (&self);
}

/**
 * tare_base_statistics_load:
 * @path: a file
 * @error: as tare_base_statistics_new_file(), or it cannot be read
 *
 * Returns: (transfer full): the statistics
 */
TareBaseStatistics *
tare_base_statistics_load (const char  *path,
                           GError     **error)
{
  g_autoptr(TareFile) file = tare_file_open (path, error);

  return file != NULL ? tare_base_statistics_new_file (file, error) : NULL;
}

static GByteArray *
make_header (TareBaseStatistics *self)
{
  const TareBaseIdentity *identity = &self->identity;
  GByteArray *array = g_byte_array_new ();
  const guint32 words[] = {
    VERSION, self->n_kept, identity->mode, identity->context, identity->vocabulary,
  };
  const guint64 numbers[] = {
    identity->n_chunks, identity->n_predictions, identity->parameters, identity->tokens,
    strlen (self->name),
  };

  g_byte_array_append (array, (const guint8 *) magic, sizeof magic);
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      guint32 word = GUINT32_TO_LE (words[i]);

      g_byte_array_append (array, (const guint8 *) &word, sizeof word);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      guint64 number = GUINT64_TO_LE (numbers[i]);

      g_byte_array_append (array, (const guint8 *) &number, sizeof number);
    }
  g_byte_array_append (array, (const guint8 *) self->name, (guint) strlen (self->name));

  return array;
}

static gboolean
write_all (GOutputStream       *stream,
           TareBaseStatistics  *self,
           GError             **error)
{
  g_autoptr(GByteArray) header = make_header (self);
  gsize bytes = self->identity.n_predictions * record_bytes (self);

  return g_output_stream_write_all (stream, header->data, header->len, NULL, NULL, error)
         && g_output_stream_write_all (stream, self->records, bytes, NULL, NULL, error)
         && g_output_stream_close (stream, NULL, error);
}

/**
 * tare_base_statistics_save:
 * @self: the statistics, of which every prediction has been set
 * @path: where to; what is there is replaced when all is written
 * @error: it cannot be written
 *
 * Returns: %FALSE on error
 */
gboolean
tare_base_statistics_save (TareBaseStatistics  *self,
                           const char          *path,
                           GError             **error)
{
  g_autoptr(GFile) file = g_file_new_for_path (path);
  g_autoptr(GFileOutputStream) stream = NULL;
  g_autoptr(GCancellable) discard = g_cancellable_new ();

  g_return_val_if_fail (self != NULL && path != NULL, FALSE);

  stream = g_file_replace (file, NULL, FALSE, G_FILE_CREATE_REPLACE_DESTINATION, NULL, error);
  if (stream == NULL)
    {
      g_prefix_error (error, "%s: ", path);
      return FALSE;
    }
  if (write_all (G_OUTPUT_STREAM (stream), self, error))
    return TRUE;

  /* Closed as cancelled, what was there before stays. */
  g_cancellable_cancel (discard);
  g_output_stream_close (G_OUTPUT_STREAM (stream), discard, NULL);
  g_prefix_error (error, "%s: ", path);

  return FALSE;
}

/**
 * tare_base_statistics_get_identity:
 * @self: the statistics
 *
 * Returns: (transfer none): what was measured on what
 */
const TareBaseIdentity *
tare_base_statistics_get_identity (TareBaseStatistics *self)
{
  return &self->identity;
}

/**
 * tare_base_statistics_get_n_kept:
 * @self: the statistics
 *
 * Returns: tokens of a prediction that have their probabilities
 */
gsize
tare_base_statistics_get_n_kept (TareBaseStatistics *self)
{
  return self->n_kept;
}

/**
 * tare_base_statistics_get_bytes:
 * @self: the statistics
 *
 * Returns: the size of their file
 */
guint64
tare_base_statistics_get_bytes (TareBaseStatistics *self)
{
  g_autoptr(GByteArray) header = make_header (self);

  return header->len + self->identity.n_predictions * (guint64) record_bytes (self);
}

/**
 * tare_base_statistics_hash_tokens:
 * @tokens: (array length=n): as the text has them
 * @inputs: (array length=n): as the network sees them
 * @n: how many
 *
 * Returns: what stands for them in a #TareBaseIdentity
 */
guint64
tare_base_statistics_hash_tokens (const guint32 *tokens,
                                  const guint32 *inputs,
                                  gsize          n)
{
  guint64 hash = TARE_HASH_START;

  for (gsize i = 0; i < n; i++)
    {
      const guint32 words[] = { GUINT32_TO_LE (tokens[i]), GUINT32_TO_LE (inputs[i]) };

      hash = tare_hash_bytes (hash, words, sizeof words);
    }

  return hash;
}

/**
 * tare_base_statistics_check:
 * @self: the statistics
 * @identity: what they are to be held against; its name and parameters are free to differ
 * @error: what differs
 *
 * Returns: whether both speak of the same predictions
 */
gboolean
tare_base_statistics_check (TareBaseStatistics      *self,
                            const TareBaseIdentity  *identity,
                            GError                 **error)
{
  const TareBaseIdentity *own = &self->identity;
  const char *path = self->file != NULL ? tare_file_get_path (self->file) : self->name;
  const struct { const char *what; guint64 theirs, ours; } numbers[] = {
    { "a context", own->context, identity->context },
    { "a number of chunks", own->n_chunks, identity->n_chunks },
    { "a number of predictions", own->n_predictions, identity->n_predictions },
    { "a vocabulary", own->vocabulary, identity->vocabulary },
  };

  if (own->mode != identity->mode)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: the base was measured in the mode '%s', not '%s'", path,
                   tare_evaluation_mode_get (own->mode)->id,
                   tare_evaluation_mode_get (identity->mode)->id);
      return FALSE;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (numbers[i].theirs != numbers[i].ours)
      {
        g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                     "%s: the base was measured with %s of %" G_GUINT64_FORMAT ", not %"
                     G_GUINT64_FORMAT, path, numbers[i].what, numbers[i].theirs,
                     numbers[i].ours);
        return FALSE;
      }
  if (own->tokens != identity->tokens)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: the base was measured on other tokens: another text or another tokenizer",
                   path);
      return FALSE;
    }

  return TRUE;
}

/* Moves the first of a heap, the least likely of all on top, to where it belongs. */
static void
sift_down (Candidate *heap,
           gsize      n,
           gsize      i)
{
  Candidate moved = heap[i];

  for (gsize child = 2 * i + 1; child < n; child = 2 * i + 1)
    {
      if (child + 1 < n && heap[child + 1].logit < heap[child].logit)
        child++;
      if (!(heap[child].logit < moved.logit))
        break;
      heap[i] = heap[child];
      i = child;
    }
  heap[i] = moved;
}

static int
compare_tokens (const void *a,
                const void *b)
{
  const Candidate *first = a;
  const Candidate *second = b;

  return (first->token > second->token) - (first->token < second->token);
}

/* The likeliest tokens, by their numbers. Of equal ones the first stay. */
static void
find_likeliest (const float *logits,
                gsize        vocabulary,
                Candidate   *kept,
                gsize        n)
{
  for (gsize i = 0; i < n; i++)
    kept[i] = (Candidate) { (guint32) i, logits[i] };
  for (gsize i = n / 2; i-- > 0;)
    sift_down (kept, n, i);

  for (gsize i = n; i < vocabulary; i++)
    if (logits[i] > kept[0].logit)
      {
        kept[0] = (Candidate) { (guint32) i, logits[i] };
        sift_down (kept, n, 0);
      }

  qsort (kept, n, sizeof *kept, compare_tokens);
}

/* The probability of all tokens but those of a prediction: of the stretches between them. */
static double
sum_rest (const TareBaseStatistics *self,
          const guint8             *record,
          const float              *logits,
          double                    log_sum)
{
  gsize first = 0;
  double sum = 0.0;

  for (gsize i = 0; i <= self->n_kept; i++)
    {
      gsize end = i < self->n_kept ? get_u32 (record + TOKENS_AT + i * TOKEN_BYTES)
                                   : self->identity.vocabulary;

      if (end > first)
        sum += exp (tare_kernel_log_softmax (logits + first, end - first).log_sum - log_sum);
      first = end + 1;
    }

  return sum;
}

/**
 * tare_base_statistics_set:
 * @self: statistics from tare_base_statistics_new()
 * @prediction: which
 * @logits: (array): of the vocabulary
 * @target: the token that came
 *
 * May be called for several predictions at once. Logits that are not finite are to be refused by
 * the caller.
 */
void
tare_base_statistics_set (TareBaseStatistics *self,
                          gsize               prediction,
                          const float        *logits,
                          guint32             target)
{
  TareLogSoftmax sum = tare_kernel_log_softmax (logits, self->identity.vocabulary);
  g_autofree Candidate *kept = g_new (Candidate, self->n_kept);
  guint8 *record;
  double rest;

  g_return_if_fail (self->own != NULL && prediction < self->identity.n_predictions);

  record = self->own + prediction * record_bytes (self);
  find_likeliest (logits, self->identity.vocabulary, kept, self->n_kept);
  set_double (record + NLL_AT, sum.log_sum - (double) logits[target]);
  set_u32 (record + TOP_AT, (guint32) sum.top);
  for (gsize i = 0; i < self->n_kept; i++)
    {
      float value = (float) ((double) kept[i].logit - sum.log_sum);

      set_u32 (record + TOKENS_AT + i * TOKEN_BYTES, kept[i].token);
      set_u32 (record + TOKENS_AT + i * TOKEN_BYTES + 4, tare_float_to_bits (value));
    }
  rest = sum_rest (self, record, logits, sum.log_sum);
  set_u32 (record + REST_AT, tare_float_to_bits ((float) MIN (rest, 1.0)));
}

/**
 * tare_base_statistics_get_nll:
 * @self: the statistics
 * @prediction: which
 *
 * Returns: the negative log-likelihood of the token that came, in nats, as it was computed
 */
double
tare_base_statistics_get_nll (TareBaseStatistics *self,
                              gsize               prediction)
{
  return get_double (record_of (self, prediction) + NLL_AT);
}

/**
 * tare_base_statistics_get_top:
 * @self: the statistics
 * @prediction: which
 *
 * Returns: the likeliest token, of equal ones the first
 */
guint32
tare_base_statistics_get_top (TareBaseStatistics *self,
                              gsize               prediction)
{
  return get_u32 (record_of (self, prediction) + TOP_AT);
}

/**
 * tare_base_statistics_get_divergence:
 * @self: the statistics
 * @prediction: which
 * @logits: (array): of another model, as many as the vocabulary
 * @log_sum: of them, from tare_kernel_log_softmax()
 *
 * Of the distributions in which all tokens that are not kept are one event. By the data processing
 * inequality (Cover and Thomas, Elements of Information Theory, 2.8 and the log sum inequality of
 * 2.7) that is never more than KL (base || other) of the whole distributions, and the same where
 * both share out what is left alike.
 *
 * Returns: a lower bound of KL (base || other), in nats
 */
double
tare_base_statistics_get_divergence (TareBaseStatistics *self,
                                     gsize               prediction,
                                     const float        *logits,
                                     double              log_sum)
{
  const guint8 *record = record_of (self, prediction);
  double rest = (double) get_float (record + REST_AT);
  double sum = 0.0;

  for (gsize i = 0; i < self->n_kept; i++)
    {
      guint32 token = get_u32 (record + TOKENS_AT + i * TOKEN_BYTES);
      double value = (double) get_float (record + TOKENS_AT + i * TOKEN_BYTES + sizeof token);

      sum += exp (value) * (value - ((double) logits[token] - log_sum));
    }
  /* Taken for no less than it can be, the other's rest makes the bound no larger. */
  if (rest > 0.0)
    sum += rest * (log (rest) - log (fmax (sum_rest (self, record, logits, log_sum), DBL_MIN)));

  return sum;
}
