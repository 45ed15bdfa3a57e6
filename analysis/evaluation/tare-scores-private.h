/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/evaluation/tare-evaluator.h"

G_BEGIN_DECLS

/**
 * TareScores:
 * @n: predictions
 * @nll: of each, in nats
 * @base_nll: of each, the base's
 * @divergence: of each against the base, in nats
 * @same_top: of each, whether its likeliest token is the base's
 *
 * What is known of every scored prediction before it is summed up.
 */
typedef struct
{
  gsize   n;
  double *nll;
  double *base_nll;
  double *divergence;
  guint8 *same_top;
} TareScores;

TareScores *_tare_scores_new        (gsize             n);
void        _tare_scores_free       (TareScores       *self);
double      _tare_scores_percentile (const double     *sorted,
                                     gsize             n,
                                     double            fraction);
void        _tare_scores_sum_nll    (const TareScores *self,
                                     TareAccuracy     *accuracy);
void        _tare_scores_sum_base   (const TareScores *self,
                                     TareAccuracy     *accuracy);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareScores, _tare_scores_free)

G_END_DECLS
