/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The importance matrix files of llama.cpp before 2025, little-endian and without a magic:
 *
 *   i32 n; n times: i32 length, name, i32 calls, i32 columns, f32[columns] (mean of x²) calls;
 *   then, though not in the oldest: i32 calls, i32 length, name of the text
 *
 * They tell neither tokens nor maxima nor grams. A call takes the place of a token. Of a stacked
 * layer the columns of one expert follow those of the other, and how many there are shows only in
 * the width that other layers of the block tell.
 */
#include "quant/methods/tare-calibration-private.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-role.h"
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

/* (nullable): the record of a role in a block */
static TareLayerActivations *
find_role (TareCalibration *self,
           int              block,
           const char      *role)
{
  g_autofree char *name = g_strdup_printf ("blk.%d.%s.weight", block, role);
  TareCalibrationLayer *layer = _tare_calibration_get_layer (self, name);

  return layer != NULL ? &layer->record->activations : NULL;
}

/* How many experts a block has: the columns of its gates over those of a layer that takes a stream
 * of the same width; 0 where that cannot be told. */
static gsize
count_experts (TareCalibration *self,
               int              block)
{
  const char *narrow[] = { "ffn_gate_inp", "attn_q", "attn_qkv" };
  const char *stacked[] = { "ffn_gate_exps", "ffn_up_exps" };
  const TareLayerActivations *gate = NULL, *stream = NULL;

  for (gsize i = 0; gate == NULL && i < G_N_ELEMENTS (stacked); i++)
    gate = find_role (self, block, stacked[i]);
  for (gsize i = 0; stream == NULL && i < G_N_ELEMENTS (narrow); i++)
    stream = find_role (self, block, narrow[i]);

  if (gate == NULL)
    return 0;
  if (gate->experts != NULL)
    return gate->experts->n;
  if (stream == NULL || gate->columns % stream->columns != 0)
    return 0;

  return gate->columns / stream->columns;
}

/* Gives each of @n experts its part of the columns. */
static gboolean
split (TareLayerActivations *activations,
       gsize                 n)
{
  float *sums = activations->sum_squares;

  activations->columns /= n;
  if (!tare_layer_activations_split (activations, n))
    return FALSE;

  memcpy (activations->experts->sum_squares, sums, n * activations->columns * sizeof *sums);
  g_clear_pointer (&activations->experts->maximum, g_free);
  for (gsize e = 0; e < n; e++)
    activations->experts->n_tokens[e] = activations->n_tokens;
  tare_layer_activations_total (activations);

  return TRUE;
}

/* The gates come first, as the others need to know how many of them there were. */
static gboolean
split_experts (TareCalibration *self,
               gsize           *failed)
{
  const char *roles[] = { "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps" };

  for (gsize r = 0; r < G_N_ELEMENTS (roles); r++)
    for (gsize i = 0; i < self->layers->len; i++)
      {
        TareCalibrationLayer *layer = g_ptr_array_index (self->layers, i);
        TareLayerActivations *activations = &layer->record->activations;
        int block = -1;
        gboolean bias = FALSE;
        const TareRole *role = tare_role_from_canonical (layer->name, &block, &bias);
        gsize n;

        if (role == NULL || bias || !g_str_equal (role->id, roles[r]))
          continue;

        *failed = i;
        n = count_experts (self, block);
        if (n > 1 && activations->columns % n == 0 && !split (activations, n))
          return FALSE;
      }

  return TRUE;
}

/* There is no magic to know the format by, but a text or a picture gives its first entry a name
 * longer than all of it. */
static gboolean
probe (TareFile *file)
{
  TareCursor cursor = { file, 0, tare_file_get_size (file) };
  guint32 n, length;

  return tare_cursor_read_u32 (&cursor, &n, NULL)
         && tare_cursor_read_u32 (&cursor, &length, NULL)
         && length > 0 && length <= cursor.end - cursor.position;
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
  gsize failed;

  if (!probe (file))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: neither a calibration nor an importance matrix (imatrix)",
                   tare_file_get_path (file));
      return NULL;
    }

  if (!read_count (&cursor, 1, "an importance matrix without entries", &n, error))
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

  if (!split_experts (self, &failed))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: %s: no memory for its experts",
                   tare_file_get_path (file), tare_calibration_get_name (self, failed));
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
append_f32 (GByteArray *bytes,
            double      value)
{
  float number = (float) value;
  guint32 bits;

  memcpy (&bits, &number, sizeof bits);
  bits = GUINT32_TO_LE (bits);
  g_byte_array_append (bytes, (const guint8 *) &bits, sizeof bits);
}

static void
append_entry (GByteArray                  *bytes,
              const TareCalibration       *self,
              const char                  *name,
              const TareLayerActivations  *activations)
{
  gsize calls = count_calls (self, _tare_calibration_count_tokens (activations));
  gsize n = activations->experts != NULL ? activations->experts->n : 1;

  append_name (bytes, name);
  append_i32 (bytes, calls);
  append_i32 (bytes, n * activations->columns);

  for (gsize e = 0; e < n; e++)
    {
      const TareLayerActivations of = tare_layer_activations_get_expert (activations, e);

      /* An expert that no token reached has an importance of 1. */
      for (gsize i = 0; i < of.columns; i++)
        append_f32 (bytes, calls == 0 ? (double) of.sum_squares[i]
                           : of.n_tokens > 0.0
                             ? (double) of.sum_squares[i] * ((double) calls / of.n_tokens)
                             : (double) calls);
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
