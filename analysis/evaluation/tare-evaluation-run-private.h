/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/evaluation/tare-base-writer.h"
#include "analysis/evaluation/tare-boundaries-private.h"
#include "analysis/evaluation/tare-scores-private.h"

G_BEGIN_DECLS

/* The text as it is cut: chunks of @context tokens, of which @per_chunk from @first on predict the
 * next one. */
struct _TareEvaluator
{
  TareNetwork        *network;
  TareEvaluationMode  mode;
  guint               context;
  gsize               n_chunks;
  gsize               first;
  gsize               per_chunk;
  guint32            *tokens;
  guint32            *inputs;
  TareBudget          budget;
  TareStates         *states;
  TareBoundaries     *boundaries;
  TareStates         *base_states;
  gboolean            has_base;
  TareAccuracy        base;
  TareTokenScores    *token_scores;
};

/**
 * TareEvaluationRun:
 * @evaluator: whose text it is
 * @network: of the model
 * @weights: its weights
 * @is_base: whether it is the base that the others are held against
 * @statistics: (nullable): what the base predicts, in its place
 * @writer: (nullable): where a run of the base puts what it predicts
 * @states: the residual stream
 * @boundaries: (nullable): what of it is kept
 * @scores: what it finds
 * @first_block: where it began
 * @progress: (nullable): the progress
 *
 * One run: of which network and weights, what of it may be kept, what it found.
 */
typedef struct
{
  TareEvaluator      *evaluator;
  TareNetwork        *network;
  const TareWeights  *weights;
  gboolean            is_base;
  TareBaseStatistics *statistics;
  TareBaseWriter     *writer;
  TareStates         *states;
  TareBoundaries     *boundaries;
  TareScores         *scores;
  guint               first_block;
  const TareProgress *progress;
} TareEvaluationRun;

gboolean _tare_evaluation_run_all (TareEvaluationRun  *self,
                                   const char         *stage,
                                   TareAccuracy       *accuracy,
                                   GError            **error);

G_END_DECLS
