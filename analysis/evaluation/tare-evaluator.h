/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/evaluation/tare-base-statistics.h"
#include "analysis/evaluation/tare-token-scores.h"
#include "quant/network/tare-network.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareEvaluationMode:
 * @TARE_EVALUATION_MODE_LLAMA_CPP: chunks, of which the second half is scored, the first token
 *   replaced by the begin token; what llama-perplexity prints
 * @TARE_EVALUATION_MODE_SEGMENTS: segments scored whole, nothing inserted; what GPTQ papers print
 */
typedef enum
{
  TARE_EVALUATION_MODE_LLAMA_CPP,
  TARE_EVALUATION_MODE_SEGMENTS,
} TareEvaluationMode;

typedef struct
{
  TareEvaluationMode  mode;
  const char         *id;
  const char         *label;
  const char         *description;
} TareEvaluationModeInfo;

gsize                         tare_evaluation_mode_get_n_modes (void);
const TareEvaluationModeInfo *tare_evaluation_mode_get         (gsize       index);
const char                   *tare_evaluation_mode_name_at     (gsize       index);
const TareEvaluationModeInfo *tare_evaluation_mode_lookup      (const char *id);

/**
 * TareEvaluationOptions:
 * @mode: which convention
 * @context: tokens of one chunk; 0 for the smaller of 512 and the model's own
 * @maximum_chunks: how many to use at most; 0 for all
 * @cache_budget: bytes of boundary states to keep at most, in memory and in files; 0 for what the
 *   memory and half of the disk have room for
 * @memory_budget: bytes of memory to get by with, weights at hand and states together; what does
 *   not fit goes to temporary files; 0 for the default, half of what is free
 * @text_name: (nullable): what an error about the text calls it; %NULL for the model's path
 */
typedef struct
{
  TareEvaluationMode mode;
  guint              context;
  gsize              maximum_chunks;
  guint64            cache_budget;
  guint64            memory_budget;
  const char        *text_name;
} TareEvaluationOptions;

/**
 * TareAccuracy:
 * @mode: the convention
 * @context: tokens of one chunk
 * @n_chunks: how many were scored
 * @n_tokens: scored predictions
 * @nll: mean negative log-likelihood, in nats
 * @perplexity: exp (nll)
 * @perplexity_error: its standard error, perplexity sqrt (var (nll) / (n - 1))
 * @has_base: whether the figures against the base below are there
 * @has_bound: whether the divergences are lower bounds, from statistics of the base
 * @kl_mean: mean of KL (base || this) over predictions, in nats
 * @kl_error: standard error of that mean
 * @kl_median: of the predictions
 * @kl_p99: of the predictions
 * @kl_max: of the predictions
 * @same_top: share of predictions whose likeliest token is the base's
 * @same_top_error: sqrt (p (1 - p) / (n - 1))
 * @base_perplexity: of the base on the same predictions
 * @first_block: the first block that had to be run; those before came from the cache
 * @n_boundaries: boundaries between blocks whose states are kept for the next run
 * @n_in_files: how many of them lie in temporary files
 * @seconds: how long it took
 *
 * How well a network predicts a text, and how far it is from another. (llama.cpp's definitions.)
 */
typedef struct
{
  TareEvaluationMode mode;
  guint              context;
  gsize              n_chunks;
  gsize              n_tokens;
  double             nll;
  double             perplexity;
  double             perplexity_error;
  gboolean           has_base;
  gboolean           has_bound;
  double             kl_mean;
  double             kl_error;
  double             kl_median;
  double             kl_p99;
  double             kl_max;
  double             same_top;
  double             same_top_error;
  double             base_perplexity;
  guint              first_block;
  guint              n_boundaries;
  guint              n_in_files;
  double             seconds;
} TareAccuracy;

/**
 * TareEvaluator:
 *
 * Scores networks on one text against one base. It keeps the residual stream at the boundaries of
 * the last run, so that a change in block b costs blocks b.. only, and the base's last state, from
 * which its distributions are made anew rather than stored. Not for two threads at once.
 */
typedef struct _TareEvaluator TareEvaluator;

TareEvaluator      *tare_evaluator_new              (TareModel                    *base,
                                                     const char                   *text,
                                                     gsize                         length,
                                                     const TareEvaluationOptions  *options,
                                                     GError                      **error);
gboolean            tare_evaluator_check_text       (TareModel                    *base,
                                                     const char                   *text,
                                                     gsize                         length,
                                                     const TareEvaluationOptions  *options,
                                                     GError                      **error);
void                tare_evaluator_free             (TareEvaluator                *self);
gboolean            tare_evaluator_run_base         (TareEvaluator                *self,
                                                     TareAccuracy                 *accuracy,
                                                     const TareProgress           *progress,
                                                     GError                      **error);
gboolean            tare_evaluator_save_base        (TareEvaluator                *self,
                                                     const char                   *path,
                                                     guint32                       n_kept,
                                                     guint64                      *bytes,
                                                     TareAccuracy                 *accuracy,
                                                     const TareProgress           *progress,
                                                     GError                      **error);
gboolean            tare_evaluator_run              (TareEvaluator                *self,
                                                     const TareWeights            *weights,
                                                     TareAccuracy                 *accuracy,
                                                     const TareProgress           *progress,
                                                     GError                      **error);
gboolean            tare_evaluator_run_statistics   (TareEvaluator                *self,
                                                     const TareWeights            *weights,
                                                     TareBaseStatistics           *statistics,
                                                     TareAccuracy                 *accuracy,
                                                     const TareProgress           *progress,
                                                     GError                      **error);
gboolean            tare_evaluator_run_model        (TareEvaluator                *self,
                                                     TareModel                    *other,
                                                     TareAccuracy                 *accuracy,
                                                     const TareProgress           *progress,
                                                     GError                      **error);
TareTokenScores    *tare_evaluator_get_token_scores (TareEvaluator                *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareEvaluator, tare_evaluator_free)

G_END_DECLS
