/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The importance matrix files of llama.cpp before 2025, little-endian and without a magic:
 *
 *   i32 n; n times: i32 length, name, i32 calls, i32 columns, f32[columns] (mean of x²) calls;
 *   then, though not in the oldest: i32 calls, i32 length, name of the text
 *
 * They tell neither tokens nor maxima nor grams. A call takes the place of a token.
 */
#include "quant/methods/tare-calibration-private.h"

#include <math.h>
#include <string.h>

#include "quant/tare-error.h"

static gboolean
refuse (const TareCursor  *cursor,
        guint64            offset,
        const char        *what,
        GError           **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: offset %" G_GUINT64_FORMAT ": %s",
               tare_file_get_path (cursor->file), offset, what);

  return FALSE;
}

/* A count that must not be negative, nor less than @least. */
static gboolean
read_count (TareCursor  *cursor,
            gint32       least,
            const char  *what,
            gint32      *count,
            GError     **error)
{
  guint64 offset = cursor->position;
  guint32 value;

  if (!tare_cursor_read_u32 (cursor, &value, error))
    return FALSE;

  *count = (gint32) value;

  return *count >= least || refuse (cursor, offset, what, error);
}

static gboolean
read_name (TareCursor  *cursor,
           gint32       least,
           char       **name,
           GError     **error)
{
  const guint8 *bytes;
  guint64 offset = cursor->position;
  gint32 length;

  if (!read_count (cursor, least, "the length of a name is out of bounds", &length, error)
      || !tare_cursor_read_bytes (cursor, (guint64) length, &bytes, error))
    return FALSE;

  if (!g_utf8_validate_len ((const char *) bytes, (gsize) length, NULL))
    return refuse (cursor, offset, "a name is not UTF-8", error);

  *name = g_strndup ((const char *) bytes, (gsize) length);

  return TRUE;
}

/* Sums that are finite and not negative, from bytes that need not be aligned. */
static gboolean
read_sums (TareCursor   *cursor,
           const guint8 *bytes,
           guint64       offset,
           float        *sums,
           gsize         n,
           GError      **error)
{
  for (gsize i = 0; i < n; i++)
    {
      guint32 bits;

      memcpy (&bits, bytes + 4 * i, sizeof bits);
      bits = GUINT32_FROM_LE (bits);
      memcpy (&sums[i], &bits, sizeof bits);

      if (!isfinite (sums[i]) || sums[i] < 0.0f)
        return refuse (cursor, offset + 4 * i, "an importance is negative or not finite", error);
    }

  return TRUE;
}

static gboolean
read_entry (TareCursor       *cursor,
            TareCalibration  *self,
            GError          **error)
{
  g_autofree char *name = NULL;
  TareLayerActivations *activations;
  const guint8 *bytes;
  guint64 offset = cursor->position;
  gint32 calls;
  gint32 columns;

  if (!read_name (cursor, 1, &name, error)
      || !read_count (cursor, 0, "the number of calls is negative", &calls, error)
      || !read_count (cursor, 1, "an entry has no columns", &columns, error))
    return FALSE;

  if (_tare_calibration_get_layer (self, name) != NULL)
    return refuse (cursor, offset, "a layer comes twice", error);

  offset = cursor->position;
  if (!tare_cursor_read_bytes (cursor, (guint64) columns * 4, &bytes, error))
    return FALSE;

  activations = tare_calibration_add (self, name, (gsize) columns, FALSE);
  if (activations == NULL)
    return refuse (cursor, offset, "no memory for its columns", error);

  g_clear_pointer (&activations->maximum, g_free);
  activations->n_tokens = calls;

  return read_sums (cursor, bytes, offset, activations->sum_squares, (gsize) columns, error);
}

/* (transfer full) */
TareCalibration *
_tare_calibration_load_dat (TareFile  *file,
                            GError   **error)
{
  g_autoptr(TareCalibration) self = tare_calibration_new (NULL, 1);
  g_autofree char *dataset = NULL;
  TareCursor cursor = { file, 0, tare_file_get_size (file) };
  gint32 n;
  gint32 calls;

  if (!read_count (&cursor, 1, "neither a GGUF file nor an importance matrix with entries", &n,
                   error))
    return NULL;

  for (gint32 i = 0; i < n; i++)
    {
      if (!read_entry (&cursor, self, error))
        return NULL;
    }

  if (cursor.position < cursor.end)
    {
      if (!read_count (&cursor, 0, "the number of calls is negative", &calls, error)
          || !read_name (&cursor, 0, &dataset, error))
        return NULL;

      g_free (self->dataset);
      self->dataset = g_steal_pointer (&dataset);
    }

  if (cursor.position < cursor.end)
    {
      refuse (&cursor, cursor.position, "something follows the name of the text", error);
      return NULL;
    }

  _tare_calibration_join_inputs (self);

  return g_steal_pointer (&self);
}

static void
append_i32 (GByteArray *bytes,
            gsize       value)
{
  guint32 little = GUINT32_TO_LE ((guint32) MIN (value, (gsize) G_MAXINT32));

  g_byte_array_append (bytes, (const guint8 *) &little, sizeof little);
}

static void
append_name (GByteArray *bytes,
             const char *name)
{
  append_i32 (bytes, strlen (name));
  g_byte_array_append (bytes, (const guint8 *) name, (guint) strlen (name));
}

/* A call is a sequence, as llama.cpp counts them. */
static gsize
count_calls (const TareCalibration *self,
             double                 n_tokens)
{
  return n_tokens > 0.0 ? (gsize) MAX (1, llround (n_tokens / MAX (self->context, 1))) : 0;
}

static void
append_entry (GByteArray                  *bytes,
              const TareCalibration       *self,
              const char                  *name,
              const TareLayerActivations  *activations)
{
  gsize calls = count_calls (self, activations->n_tokens);
  double factor = calls > 0 ? (double) calls / activations->n_tokens : 1.0;

  append_name (bytes, name);
  append_i32 (bytes, calls);
  append_i32 (bytes, activations->columns);

  for (gsize i = 0; i < activations->columns; i++)
    {
      float value = (float) ((double) activations->sum_squares[i] * factor);
      guint32 bits;

      memcpy (&bits, &value, sizeof bits);
      bits = GUINT32_TO_LE (bits);
      g_byte_array_append (bytes, (const guint8 *) &bits, sizeof bits);
    }
}

gboolean
_tare_calibration_save_dat (TareCalibration  *self,
                            const char       *path,
                            GError          **error)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  append_i32 (bytes, self->layers->len);
  for (gsize i = 0; i < self->layers->len; i++)
    {
      TareCalibrationLayer *layer = g_ptr_array_index (self->layers, i);

      append_entry (bytes, self, layer->name, &layer->record->activations);
    }

  append_i32 (bytes, count_calls (self, tare_calibration_get_n_tokens (self)));
  append_name (bytes, self->dataset);

  return g_file_set_contents (path, (const char *) bytes->data, bytes->len, error);
}
