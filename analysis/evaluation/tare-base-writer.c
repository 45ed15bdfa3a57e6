/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-base-writer.h"

#include <string.h>

#include "analysis/evaluation/tare-base-record-private.h"
#include "quant/model/tare-output-file.h"
#include "quant/tare-bytes.h"
#include "quant/tare-error.h"

/* Bytes of records that are made at a time, and how many records at least, for all threads. */
#define SLICE_BYTES (1024u * 1024u)
#define SLICE_LEAST 16

struct _TareBaseWriter
{
  TareOutputFile *file;
  char           *path;
  TareBaseRecord  record;
  guint64         bytes;
  guint64         n_left;
  gsize           slice;
  guint8         *records;
};

static GByteArray *
make_header (const TareBaseIdentity *identity,
             guint32                 n_kept)
{
  GByteArray *array = g_byte_array_new ();
  gsize length = strlen (identity->name);

  g_byte_array_append (array, (const guint8 *) TARE_BASE_MAGIC, strlen (TARE_BASE_MAGIC));
  tare_bytes_append_u32 (array, TARE_BASE_VERSION);
  tare_bytes_append_u32 (array, n_kept);
  tare_bytes_append_u32 (array, identity->mode);
  tare_bytes_append_u32 (array, identity->context);
  tare_bytes_append_u32 (array, identity->vocabulary);
  tare_bytes_append_u64 (array, identity->n_chunks);
  tare_bytes_append_u64 (array, identity->n_predictions);
  tare_bytes_append_u64 (array, identity->parameters);
  tare_bytes_append_u64 (array, identity->tokens);
  tare_bytes_append_u64 (array, length);
  g_byte_array_append (array, (const guint8 *) identity->name, (guint) length);

  return array;
}

/* The whole of it is asked for at once, so that a full disk is told of before the work. */
static gboolean
begin (TareBaseWriter          *self,
       const TareBaseIdentity  *identity,
       GError                 **error)
{
  g_autoptr(GByteArray) header = make_header (identity, self->record.n_kept);

  if (!g_uint64_checked_mul (&self->bytes, identity->n_predictions,
                             _tare_base_record_measure (&self->record))
      || !g_uint64_checked_add (&self->bytes, self->bytes, header->len))
    self->bytes = G_MAXUINT64;

  return tare_output_file_reserve (self->file, self->bytes, error)
         && tare_output_file_write (self->file, header->data, header->len, error);
}

/**
 * tare_base_writer_new:
 * @path: where to; what is there is replaced when all is written
 * @identity: what is measured on what
 * @n_kept: likeliest tokens to keep of a prediction, from 1 to
 *   %TARE_BASE_STATISTICS_KEPT_MOST; all of a smaller vocabulary
 * @error: it cannot be written, the disk has not the room
 *
 * Returns: (transfer full): a file that wants as many predictions as @identity says
 */
TareBaseWriter *
tare_base_writer_new (const char              *path,
                      const TareBaseIdentity  *identity,
                      guint32                  n_kept,
                      GError                 **error)
{
  g_autoptr(TareBaseWriter) self = NULL;
  gsize bytes;

  g_return_val_if_fail (path != NULL && identity != NULL && identity->vocabulary > 0, NULL);
  g_return_val_if_fail (n_kept > 0 && n_kept <= TARE_BASE_STATISTICS_KEPT_MOST, NULL);

  self = g_new0 (TareBaseWriter, 1);
  self->path = g_strdup (path);
  self->record.vocabulary = identity->vocabulary;
  self->record.n_kept = MIN (n_kept, identity->vocabulary);
  self->n_left = identity->n_predictions;
  bytes = _tare_base_record_measure (&self->record);
  self->slice = MAX (SLICE_BYTES / bytes, SLICE_LEAST);
  self->records = g_malloc (self->slice * bytes);

  self->file = tare_output_file_new (path, error);
  if (self->file == NULL || !begin (self, identity, error))
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_base_writer_free:
 * @self: (nullable): the writer
 *
 * Without tare_base_writer_commit() before, nothing is left of the file.
 */
void
tare_base_writer_free (TareBaseWriter *self)
{
  if (self == NULL)
    return;

  tare_output_file_free (self->file);
  g_free (self->records);
  g_free (self->path);
  g_free (self);
}

/**
 * tare_base_writer_get_bytes:
 * @self: the writer
 *
 * Returns: the size that the file will have
 */
guint64
tare_base_writer_get_bytes (TareBaseWriter *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->bytes;
}

/**
 * tare_base_writer_append:
 * @self: the writer
 * @logits: (array): n x vocabulary, of the next predictions
 * @targets: (array length=n): the tokens that came
 * @n: how many, at most what is left of them
 * @error: it cannot be written
 *
 * Logits that are not finite are to be refused by the caller.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_base_writer_append (TareBaseWriter  *self,
                         const float     *logits,
                         const guint32   *targets,
                         gsize            n,
                         GError         **error)
{
  gsize bytes;

  g_return_val_if_fail (self != NULL && n <= self->n_left, FALSE);

  bytes = _tare_base_record_measure (&self->record);
  for (gsize first = 0; first < n; first += self->slice)
    {
      gsize n_slice = MIN (self->slice, n - first);

#pragma omp parallel for schedule(static)
      for (gsize i = 0; i < n_slice; i++)
        _tare_base_record_set (&self->record, logits + (first + i) * self->record.vocabulary,
                               targets[first + i], self->records + i * bytes);
      if (!tare_output_file_write (self->file, self->records, n_slice * bytes, error))
        return FALSE;
    }
  self->n_left -= n;

  return TRUE;
}

/**
 * tare_base_writer_commit:
 * @self: the writer
 * @error: predictions are missing, it cannot be written
 *
 * Gives the file its name.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_base_writer_commit (TareBaseWriter  *self,
                         GError         **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  if (self->n_left > 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %" G_GUINT64_FORMAT " predictions of the base are missing", self->path,
                   self->n_left);
      return FALSE;
    }

  return tare_output_file_finish (self->file, error) != NULL
         && tare_output_file_commit (self->file, error);
}
