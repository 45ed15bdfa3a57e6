/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-base-statistics.h"

#include <string.h>

#include "analysis/evaluation/tare-base-record-private.h"
#include "analysis/evaluation/tare-evaluator.h"
#include "quant/tare-error.h"
#include "quant/tare-hash.h"

/* Bytes of a file that are looked at before they may leave memory again. */
#define SLICE_BYTES (4u * 1024u * 1024u)

struct _TareBaseStatistics
{
  TareBaseIdentity  identity;
  char             *name;
  TareBaseRecord    record;
  TareFile         *file;
  guint64           begin;
};

static const guint8 *
record_of (const TareBaseStatistics *self,
           gsize                     prediction)
{
  return tare_file_get_data (self->file) + self->begin
         + prediction * _tare_base_record_measure (&self->record);
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

  if (cursor->end < strlen (TARE_BASE_MAGIC)
      || memcmp (tare_file_get_data (cursor->file), TARE_BASE_MAGIC,
                 strlen (TARE_BASE_MAGIC)) != 0)
    return fail (cursor->file, "no statistics of a base", error);
  if (!tare_cursor_read_bytes (cursor, strlen (TARE_BASE_MAGIC), &start, error)
      || !tare_cursor_read_u32 (cursor, &version, error))
    return FALSE;
  if (version != TARE_BASE_VERSION)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
                   "%s: statistics of a base in version %u, known is %u",
                   tare_file_get_path (cursor->file), version, TARE_BASE_VERSION);
      return FALSE;
    }
  if (!tare_cursor_read_u32 (cursor, &self->record.n_kept, error)
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
  self->record.vocabulary = identity->vocabulary;

  if (self->record.n_kept == 0 || self->record.n_kept > identity->vocabulary
      || identity->mode >= tare_evaluation_mode_get_n_modes () || identity->n_chunks == 0
      || identity->n_predictions == 0 || identity->n_predictions % identity->n_chunks != 0
      || identity->n_predictions / identity->n_chunks >= identity->context)
    return fail (cursor->file, "the header of the statistics contradicts itself", error);

  return TRUE;
}

/* The first of some predictions that is none, or the one after the last. */
static gsize
find_broken (const TareBaseStatistics *self,
             gsize                     first,
             gsize                     end)
{
  gsize broken = end;

#pragma omp parallel for schedule(static) reduction(min:broken)
  for (gsize i = first; i < end; i++)
    if (!_tare_base_record_is_distribution (&self->record, record_of (self, i)))
      broken = MIN (broken, i);

  return broken;
}

static gboolean
check_records (TareBaseStatistics  *self,
               const TareProgress  *progress,
               GError             **error)
{
  gsize bytes = _tare_base_record_measure (&self->record);
  gsize slice = MAX (SLICE_BYTES / bytes, 1);
  gsize n = self->identity.n_predictions;

  for (gsize first = 0; first < n; first += slice)
    {
      gsize end = MIN (first + slice, n);
      gsize broken;

      if (!tare_progress_step (progress, (double) first / (double) n, NULL, error))
        return FALSE;

      broken = find_broken (self, first, end);
      if (broken < end)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                       "%s: prediction %" G_GSIZE_FORMAT " at offset %" G_GUINT64_FORMAT
                       " is no distribution", tare_file_get_path (self->file), broken,
                       self->begin + broken * bytes);
          return FALSE;
        }
      tare_base_statistics_release (self, first, end - first);
    }

  return TRUE;
}

/**
 * tare_base_statistics_new_file:
 * @file: what a #TareBaseWriter wrote
 * @progress: (nullable): the progress
 * @error: cancelled, another kind of file, another version, an end too early or too late, numbers
 *   that contradict each other
 *
 * Every prediction is looked at, so that nothing can be wrong with them later. They stay in the
 * file, and none of it stays in memory.
 *
 * Returns: (transfer full): the statistics, of which @file is a part
 */
TareBaseStatistics *
tare_base_statistics_new_file (TareFile            *file,
                               const TareProgress  *progress,
                               GError             **error)
{
  g_autoptr(TareBaseStatistics) self = g_new0 (TareBaseStatistics, 1);
  TareCursor cursor = { file, 0, tare_file_get_size (file) };
  guint64 bytes = 0;

  if (!read_header (self, &cursor, error))
    return NULL;

  if (!g_uint64_checked_mul (&bytes, self->identity.n_predictions,
                             _tare_base_record_measure (&self->record))
      || bytes != cursor.end - cursor.position)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %" G_GUINT64_FORMAT " predictions of %" G_GSIZE_FORMAT " bytes do not "
                   "fill the %" G_GUINT64_FORMAT " bytes after the header",
                   tare_file_get_path (file), self->identity.n_predictions,
                   _tare_base_record_measure (&self->record), cursor.end - cursor.position);
      return NULL;
    }

  self->file = tare_file_ref (file);
  self->begin = cursor.position;
  if (!check_records (self, progress, error))
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_base_statistics_load:
 * @path: a file
 * @progress: (nullable): the progress
 * @error: as tare_base_statistics_new_file(), or it cannot be read
 *
 * Returns: (transfer full): the statistics
 */
TareBaseStatistics *
tare_base_statistics_load (const char          *path,
                           const TareProgress  *progress,
                           GError             **error)
{
  g_autoptr(TareFile) file = tare_file_open (path, error);

  return file != NULL ? tare_base_statistics_new_file (file, progress, error) : NULL;
}

/**
 * tare_base_statistics_release:
 * @self: the statistics
 * @first: the first prediction that is not needed for a while
 * @n: how many
 *
 * Lets the system drop them from memory; they come back from the file when they are read.
 */
void
tare_base_statistics_release (TareBaseStatistics *self,
                              gsize               first,
                              gsize               n)
{
  gsize bytes = _tare_base_record_measure (&self->record);

  tare_file_release (self->file, self->begin + first * bytes, n * bytes);
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
  return self->record.n_kept;
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
  const char *path = tare_file_get_path (self->file);
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
  return _tare_base_record_get_nll (record_of (self, prediction));
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
  return _tare_base_record_get_top (record_of (self, prediction));
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
  return _tare_base_record_get_divergence (&self->record, record_of (self, prediction), logits,
                                           log_sum);
}
