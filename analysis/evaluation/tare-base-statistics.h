/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "quant/model/tare-file.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/* Likeliest tokens of a prediction that are kept; all of a smaller vocabulary. On the sample, whose
 * predictions are flat, 64, 128 and 256 leave 9, 5 and 2 % of a KL divergence unseen. */
#define TARE_BASE_STATISTICS_KEPT 128

/* At most: 128 KiB a prediction, half of what 16-bit logits of a vocabulary of 131072 take. */
#define TARE_BASE_STATISTICS_KEPT_MOST 16384

/**
 * TareBaseIdentity:
 * @name: of the model
 * @parameters: its weights
 * @tokens: hash of the tokens, as the text has them and as the network saw them
 * @vocabulary: how many tokens there are to choose from
 * @mode: a #TareEvaluationMode
 * @context: tokens of one chunk
 * @n_chunks: how many of them
 * @n_predictions: scored, of all chunks together
 *
 * What was measured on what.
 */
typedef struct
{
  const char *name;
  guint64     parameters;
  guint64     tokens;
  guint32     vocabulary;
  guint32     mode;
  guint32     context;
  guint64     n_chunks;
  guint64     n_predictions;
} TareBaseIdentity;

/**
 * TareBaseStatistics:
 *
 * What a model predicts of a text: of each prediction the negative log-likelihood of the true
 * token, exactly, the log-probabilities of the likeliest tokens, and what is left for the others
 * together. 16 bytes a prediction and 8 a token kept, whatever the vocabulary. A mapped file, made
 * by a #TareBaseWriter.
 */
typedef struct _TareBaseStatistics TareBaseStatistics;

TareBaseStatistics     *tare_base_statistics_load           (const char                *path,
                                                             const TareProgress        *progress,
                                                             GError                   **error);
TareBaseStatistics     *tare_base_statistics_new_file       (TareFile                  *file,
                                                             const TareProgress        *progress,
                                                             GError                   **error);
void                    tare_base_statistics_free           (TareBaseStatistics        *self);
const TareBaseIdentity *tare_base_statistics_get_identity   (TareBaseStatistics        *self);
gsize                   tare_base_statistics_get_n_kept     (TareBaseStatistics        *self);
guint64                 tare_base_statistics_hash_tokens    (const guint32             *tokens,
                                                             const guint32             *inputs,
                                                             gsize                      n);
gboolean                tare_base_statistics_check          (TareBaseStatistics        *self,
                                                             const TareBaseIdentity    *identity,
                                                             GError                   **error);
double                  tare_base_statistics_get_nll        (TareBaseStatistics        *self,
                                                             gsize                      prediction);
guint32                 tare_base_statistics_get_top        (TareBaseStatistics        *self,
                                                             gsize                      prediction);
double                  tare_base_statistics_get_divergence (TareBaseStatistics        *self,
                                                             gsize                      prediction,
                                                             const float               *logits,
                                                             double                     log_sum);
void                    tare_base_statistics_release        (TareBaseStatistics        *self,
                                                             gsize                      first,
                                                             gsize                      n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareBaseStatistics, tare_base_statistics_free)

G_END_DECLS
