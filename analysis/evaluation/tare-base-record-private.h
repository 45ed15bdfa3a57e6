/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The file, all numbers little-endian: the magic; version, tokens kept of a prediction, mode,
 * context and vocabulary, 4 bytes each; chunks, predictions, parameters and hash of the tokens, 8
 * bytes each; the name of the model, its length before it in 8 bytes. Then a record of each
 * prediction: the negative log-likelihood of the true token in binary64, the probability of all
 * that is not kept in binary32, the likeliest token in 4 bytes; and of each token kept, in the
 * order of their numbers, its number in 4 bytes and its log-probability in binary32. Logarithms are
 * natural.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define TARE_BASE_MAGIC   "TAREBASE"
#define TARE_BASE_VERSION 1

/**
 * TareBaseRecord:
 * @vocabulary: tokens that there are
 * @n_kept: how many of them have their probabilities, at most all
 *
 * The form of the records of one file.
 */
typedef struct
{
  guint32 vocabulary;
  guint32 n_kept;
} TareBaseRecord;

gsize    _tare_base_record_measure         (const TareBaseRecord  *self);
void     _tare_base_record_set             (const TareBaseRecord  *self,
                                            const float           *logits,
                                            guint32                target,
                                            guint8                *bytes);
gboolean _tare_base_record_is_distribution (const TareBaseRecord  *self,
                                            const guint8          *bytes);
double   _tare_base_record_get_nll         (const guint8          *bytes);
guint32  _tare_base_record_get_top         (const guint8          *bytes);
double   _tare_base_record_get_divergence  (const TareBaseRecord  *self,
                                            const guint8          *bytes,
                                            const float           *logits,
                                            double                 log_sum);

G_END_DECLS
