/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Statistics as bytes, all numbers little-endian: the magic; the key; rows, columns, n,
 * n_not_finite and first_not_finite, 8 bytes each; mean, standard_deviation, skewness, kurtosis and
 * outlier_ratio in binary64; minimum, maximum and absolute_maximum in binary32; the counts of the
 * histogram, seven bits to a byte, the lowest first, the eighth bit set where more follow; the
 * maxima of the rows, then of the columns, in binary32; 8 bytes of the SHA-256 of all that.
 */
#include "analysis/statistics/tare-statistics-cache.h"

#include <string.h>

/* The last character is the version. */
static const char magic[8] = { 'T', 'A', 'R', 'E', 'S', 'T', 'A', '1' };

#define CHECKSUM_LENGTH 8

typedef struct
{
  const guint8 *bytes;
  gsize         length;
  gsize         position;
} Reader;

static void
put_u64 (GByteArray *array,
         guint64     value)
{
  guint64 bytes = GUINT64_TO_LE (value);

  g_byte_array_append (array, (const guint8 *) &bytes, sizeof bytes);
}

static void
put_double (GByteArray *array,
            double      value)
{
  guint64 bits;

  memcpy (&bits, &value, sizeof bits);
  put_u64 (array, bits);
}

static void
put_float (GByteArray *array,
           float       value)
{
  guint32 bits;

  memcpy (&bits, &value, sizeof bits);
  bits = GUINT32_TO_LE (bits);
  g_byte_array_append (array, (const guint8 *) &bits, sizeof bits);
}

static void
put_count (GByteArray *array,
           guint64     count)
{
  do
    {
      guint8 byte = (guint8) (count & 0x7f);

      count >>= 7;
      if (count > 0)
        byte |= 0x80;
      g_byte_array_append (array, &byte, 1);
    }
  while (count > 0);
}

static void
make_checksum (const guint8 *bytes,
               gsize         length,
               guint8        out[CHECKSUM_LENGTH])
{
  g_autoptr(GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize n = sizeof digest;

  g_checksum_update (checksum, bytes, (gssize) length);
  g_checksum_get_digest (checksum, digest, &n);
  memcpy (out, digest, CHECKSUM_LENGTH);
}

/**
 * tare_statistics_to_bytes:
 * @self: the statistics
 * @key: (array length=key_length): what they are kept under
 * @key_length: bytes of @key
 *
 * Returns: (transfer full): what tare_statistics_from_bytes() makes them of again
 */
GByteArray *
tare_statistics_to_bytes (const TareStatistics *self,
                          const guint8         *key,
                          gsize                 key_length)
{
  GByteArray *array = g_byte_array_new ();
  const guint64 counts[] = {
    self->rows, self->columns, self->n, self->n_not_finite, self->first_not_finite,
  };
  const double figures[] = {
    self->mean, self->standard_deviation, self->skewness, self->kurtosis, self->outlier_ratio,
  };
  guint8 checksum[CHECKSUM_LENGTH];

  g_byte_array_append (array, (const guint8 *) magic, sizeof magic);
  g_byte_array_append (array, key, (guint) key_length);
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    put_u64 (array, counts[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (figures); i++)
    put_double (array, figures[i]);
  put_float (array, self->minimum);
  put_float (array, self->maximum);
  put_float (array, self->absolute_maximum);
  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i++)
    put_count (array, self->histogram[i]);
  for (gsize i = 0; i < self->rows; i++)
    put_float (array, self->row_maximum[i]);
  for (gsize i = 0; i < self->columns; i++)
    put_float (array, self->column_maximum[i]);

  make_checksum (array->data, array->len, checksum);
  g_byte_array_append (array, checksum, sizeof checksum);

  return array;
}

static gboolean
take (Reader  *reader,
      gpointer out,
      gsize    n)
{
  if (n > reader->length - reader->position)
    return FALSE;

  memcpy (out, reader->bytes + reader->position, n);
  reader->position += n;

  return TRUE;
}

static gboolean
take_u64 (Reader  *reader,
          guint64 *value)
{
  if (!take (reader, value, sizeof *value))
    return FALSE;

  *value = GUINT64_FROM_LE (*value);

  return TRUE;
}

static gboolean
take_double (Reader *reader,
             double *value)
{
  guint64 bits;

  if (!take_u64 (reader, &bits))
    return FALSE;

  memcpy (value, &bits, sizeof *value);

  return TRUE;
}

static gboolean
take_float (Reader *reader,
            float  *value)
{
  guint32 bits;

  if (!take (reader, &bits, sizeof bits))
    return FALSE;

  bits = GUINT32_FROM_LE (bits);
  memcpy (value, &bits, sizeof *value);

  return TRUE;
}

static gboolean
take_count (Reader  *reader,
            guint64 *count)
{
  *count = 0;
  for (guint shift = 0; shift < 63; shift += 7)
    {
      guint8 byte;

      if (!take (reader, &byte, 1))
        return FALSE;

      *count |= (guint64) (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0)
        return TRUE;
    }

  return FALSE;
}

static gboolean
take_floats (Reader *reader,
             float  *out,
             gsize   n)
{
  for (gsize i = 0; i < n; i++)
    {
      if (!take_float (reader, &out[i]))
        return FALSE;
    }

  return TRUE;
}

/* The counts must be those of a tensor of this shape. */
static gboolean
take_counts (Reader         *reader,
             TareStatistics *self)
{
  guint64 numbers[5];

  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      if (!take_u64 (reader, &numbers[i]))
        return FALSE;
    }

  self->n = numbers[2];
  self->n_not_finite = numbers[3];
  self->first_not_finite = numbers[4];

  return numbers[0] == self->rows && numbers[1] == self->columns
         && self->n <= self->rows * self->columns
         && self->n_not_finite == self->rows * self->columns - self->n;
}

/* Every finite weight is in one bin. */
static gboolean
take_histogram (Reader         *reader,
                TareStatistics *self)
{
  guint64 left = self->n;

  for (gsize i = 0; i < TARE_HISTOGRAM_BINS; i++)
    {
      if (!take_count (reader, &self->histogram[i]) || self->histogram[i] > left)
        return FALSE;
      left -= self->histogram[i];
    }

  return left == 0;
}

static gboolean
take_all (Reader         *reader,
          TareStatistics *self)
{
  return take_counts (reader, self)
         && take_double (reader, &self->mean)
         && take_double (reader, &self->standard_deviation)
         && take_double (reader, &self->skewness)
         && take_double (reader, &self->kurtosis)
         && take_double (reader, &self->outlier_ratio)
         && take_float (reader, &self->minimum)
         && take_float (reader, &self->maximum)
         && take_float (reader, &self->absolute_maximum)
         && take_histogram (reader, self)
         && take_floats (reader, self->row_maximum, self->rows)
         && take_floats (reader, self->column_maximum, self->columns)
         && reader->position == reader->length;
}

/* Whether the bytes are of this version, kept under this key, and whole. */
static gboolean
check (const guint8 *bytes,
       gsize         length,
       const guint8 *key,
       gsize         key_length)
{
  guint8 checksum[CHECKSUM_LENGTH];

  if (length < sizeof magic + key_length + CHECKSUM_LENGTH
      || memcmp (bytes, magic, sizeof magic) != 0
      || memcmp (bytes + sizeof magic, key, key_length) != 0)
    return FALSE;

  make_checksum (bytes, length - CHECKSUM_LENGTH, checksum);

  return memcmp (bytes + length - CHECKSUM_LENGTH, checksum, CHECKSUM_LENGTH) == 0;
}

/**
 * tare_statistics_from_bytes:
 * @bytes: (array length=length): what tare_statistics_to_bytes() made, or anything else
 * @length: how many
 * @key: (array length=key_length): what they must have been kept under
 * @key_length: bytes of @key
 * @rows: of the tensor
 * @columns: of the tensor
 *
 * Returns: (transfer full) (nullable): the statistics, %NULL where the bytes are not such ones
 */
TareStatistics *
tare_statistics_from_bytes (const guint8 *bytes,
                            gsize         length,
                            const guint8 *key,
                            gsize         key_length,
                            gsize         rows,
                            gsize         columns)
{
  Reader reader = { bytes, length - CHECKSUM_LENGTH, sizeof magic + key_length };
  g_autoptr(TareStatistics) self = NULL;

  if (!check (bytes, length, key, key_length)
      || rows > length / sizeof (float) || columns > length / sizeof (float))
    return NULL;

  self = g_new0 (TareStatistics, 1);
  self->ref_count = 1;
  self->rows = rows;
  self->columns = columns;
  self->row_maximum = g_new (float, rows);
  self->column_maximum = g_new (float, columns);

  return take_all (&reader, self) ? g_steal_pointer (&self) : NULL;
}
