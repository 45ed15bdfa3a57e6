/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-words.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "quant/tare-simd.h"

#define MAGNITUDES (TARE_WORDS / 2)

/* Weights below which two passes over them cost less than two over all words. */
#define LEAST_WEIGHTS (4 * TARE_WORDS)

/* The longest row, of which every thread keeps the maxima of the columns. */
#define MOST_COLUMNS (1 << 20)

/* Weights of one share of the work, and shares of each thread between two looks at the progress:
 * together a few milliseconds. */
#define SHARE_WEIGHTS   65536
#define SHARES_PER_STEP 64

/**
 * tare_words_serve:
 * @tensor: a tensor
 *
 * Returns: whether each of its weights is a 16-bit float by itself, and there are enough of them
 */
gboolean
tare_words_serve (const TareTensor *tensor)
{
  const TareFormat *format = tensor->format;

  return G_BYTE_ORDER == G_LITTLE_ENDIAN
         && format != NULL && format->family == TARE_FORMAT_FAMILY_FLOAT && format->bits == 16
         && tensor->n_dimensions > 1 && !tensor->transposed && tensor->columns <= MOST_COLUMNS
         && tare_tensor_get_n_weights (tensor) >= LEAST_WEIGHTS;
}

static TareWords *
words_new (const TareFormat *format)
{
  TareWords *self = g_new0 (TareWords, 1);
  g_autofree guint16 *words = g_new (guint16, TARE_WORDS);

  for (guint i = 0; i < TARE_WORDS; i++)
    words[i] = (guint16) i;
  tare_format_decode (format, (const guint8 *) words, 1, TARE_WORDS, self->values);

  while (self->n_finite < MAGNITUDES && isfinite (self->values[self->n_finite]))
    self->n_finite++;

  return self;
}

static void
count_words (const guint8 *bytes,
             gsize         n,
             guint32      *counts)
{
  for (gsize i = 0; i < n; i++)
    {
      guint16 word;

      memcpy (&word, bytes + 2 * i, sizeof word);
      counts[word]++;
    }
}

/* Raises every maximum to the magnitude of the word in its column, and returns the largest. Floats
 * are in the order of their bits; those that are not finite count as 0. */
TARE_CLONES static guint16
raise_maxima (const guint8 *bytes,
              gsize         n,
              guint16       n_finite,
              guint16      *maxima)
{
  guint16 largest = 0;

#pragma omp simd reduction(max:largest)
  for (gsize i = 0; i < n; i++)
    {
      guint16 word;

      memcpy (&word, bytes + 2 * i, sizeof word);
      word &= MAGNITUDES - 1;
      word = word < n_finite ? word : 0;
      maxima[i] = word > maxima[i] ? word : maxima[i];
      largest = word > largest ? word : largest;
    }

  return largest;
}

/* Rows @first to @first + @n, in parallel. */
static void
count_rows (TareWords        *self,
            const TareTensor *tensor,
            gsize             first,
            gsize             n,
            float            *row_maximum,
            float            *column_maximum)
{
  gsize columns = tensor->columns;
  gsize share = MAX (SHARE_WEIGHTS / columns, 1);

#pragma omp parallel
  {
    g_autofree guint32 *counts = g_new0 (guint32, TARE_WORDS);
    g_autofree guint16 *maxima = g_new0 (guint16, columns);

#pragma omp for schedule(dynamic, share)
    for (gsize i = first; i < first + n; i++)
      {
        const guint8 *row = tare_tensor_get_row (tensor, i);
        guint16 largest = raise_maxima (row, columns, (guint16) self->n_finite, maxima);

        row_maximum[i] = self->values[largest];
        count_words (row, columns, counts);
      }

#pragma omp critical (tare_words)
    {
      for (gsize i = 0; i < TARE_WORDS; i++)
        self->counts[i] += counts[i];
      for (gsize i = 0; i < columns; i++)
        column_maximum[i] = MAX (column_maximum[i], self->values[maxima[i]]);
    }
  }
}

/**
 * tare_words_count:
 * @tensor: one that tare_words_serve() approves of
 * @row_maximum: (out caller-allocates) (array): the largest magnitude of every row
 * @column_maximum: (inout) (array): 0 at first, then the largest magnitude of every column
 * @progress: (nullable): told of every few megabytes, between which it may be cancelled
 * @error: return location for an error
 *
 * Reads a tensor once.
 *
 * Returns: (transfer full): its words, or %NULL when it was cancelled
 */
TareWords *
tare_words_count (const TareTensor    *tensor,
                  float               *row_maximum,
                  float               *column_maximum,
                  const TareProgress  *progress,
                  GError             **error)
{
  g_autofree TareWords *self = words_new (tensor->format);
  gsize weights = (gsize) omp_get_max_threads () * SHARES_PER_STEP * SHARE_WEIGHTS;
  gsize step = MAX (weights / tensor->columns, 1);

  for (gsize i = 0; i < tensor->rows; i += step)
    {
      gsize n = MIN (step, tensor->rows - i);

      if (!tare_progress_step (progress, (double) i / (double) tensor->rows, NULL, error))
        return NULL;

      count_rows (self, tensor, i, n, row_maximum, column_maximum);
      tare_tensor_release_rows (tensor, i, n);
    }

  if (!tare_progress_step (progress, 1.0, NULL, error))
    return NULL;

  return g_steal_pointer (&self);
}

static gboolean
is_finite_word (const TareWords *self,
                gsize            word)
{
  return word % MAGNITUDES < self->n_finite;
}

/* Index of the first weight that is not finite; there is one. */
static gsize
find_not_finite (const TareWords  *self,
                 const TareTensor *tensor)
{
  gsize n = tare_tensor_get_n_weights (tensor);

  for (gsize i = 0; i < n; i++)
    {
      const guint8 *row = tare_tensor_get_row (tensor, i / tensor->columns);
      guint16 word;

      memcpy (&word, row + 2 * (i % tensor->columns), sizeof word);
      if (!is_finite_word (self, word))
        return i;
    }

  return n;
}

/**
 * tare_words_get_moments:
 * @self: the words
 * @tensor: where they are from
 * @moments: (out caller-allocates): its moments
 *
 * Sums over words by how often they occur: Σ c (v - mean)^p, in binary64.
 */
void
tare_words_get_moments (const TareWords  *self,
                        const TareTensor *tensor,
                        TareMoments      *moments)
{
  double sum = 0.0;

  *moments = (TareMoments) { .minimum = INFINITY, .maximum = -INFINITY };
  for (gsize i = 0; i < TARE_WORDS; i++)
    {
      if (self->counts[i] == 0)
        continue;
      if (!is_finite_word (self, i))
        {
          moments->n_not_finite += self->counts[i];
          continue;
        }
      moments->n += self->counts[i];
      moments->minimum = MIN (moments->minimum, self->values[i]);
      moments->maximum = MAX (moments->maximum, self->values[i]);
      sum += (double) self->counts[i] * (double) self->values[i];
    }

  if (moments->n_not_finite > 0)
    moments->first_not_finite = find_not_finite (self, tensor);
  if (moments->n == 0)
    {
      moments->minimum = moments->maximum = 0.0f;
      return;
    }

  moments->mean = sum / (double) moments->n;
  for (gsize i = 0; i < TARE_WORDS; i++)
    {
      double d = (double) self->values[i] - moments->mean;
      double c = (double) self->counts[i];

      if (self->counts[i] == 0 || !is_finite_word (self, i))
        continue;
      moments->m2 += c * (d * d);
      moments->m3 += c * (d * d * d);
      moments->m4 += c * (d * d * d * d);
    }
}

/**
 * tare_words_get_histogram:
 * @self: the words
 * @histogram: from tare_histogram_init()
 * @bins: (inout) (array fixed-size=2048): counts that theirs are added to
 */
void
tare_words_get_histogram (const TareWords *self,
                          TareHistogram   *histogram,
                          guint64         *bins)
{
  tare_histogram_add_counted (histogram, self->values, self->counts, self->n_finite, bins);
  tare_histogram_add_counted (histogram, self->values + MAGNITUDES, self->counts + MAGNITUDES,
                              self->n_finite, bins);
}
