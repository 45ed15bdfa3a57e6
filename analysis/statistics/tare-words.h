/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/statistics/tare-histogram.h"
#include "analysis/statistics/tare-moments.h"

G_BEGIN_DECLS

/* Words that 16 bits can make. */
#define TARE_WORDS 65536

/**
 * TareWords:
 * @values: what each word stands for
 * @counts: how often it occurs
 * @n_finite: magnitudes, words without their sign, that stand for finite numbers
 *
 * A tensor of 16-bit floats by the number of times that each of them occurs, from which its
 * moments, extrema and histogram follow exactly, after one reading.
 */
typedef struct
{
  float   values[TARE_WORDS];
  guint64 counts[TARE_WORDS];
  guint   n_finite;
} TareWords;

gboolean   tare_words_serve         (const TareTensor     *tensor);
TareWords *tare_words_count         (const TareTensor     *tensor,
                                     float                *row_maximum,
                                     float                *column_maximum,
                                     const TareProgress   *progress,
                                     GError              **error);
void       tare_words_get_moments   (const TareWords      *self,
                                     const TareTensor     *tensor,
                                     TareMoments          *moments);
void       tare_words_get_histogram (const TareWords      *self,
                                     TareHistogram        *histogram,
                                     guint64              *bins);

G_END_DECLS
