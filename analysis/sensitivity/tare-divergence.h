/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/evaluation/tare-evaluator.h"
#include "analysis/sensitivity/tare-measure.h"

G_BEGIN_DECLS

/**
 * TareDivergence:
 *
 * How far a network's predictions move when some of its layers are rounded and all others are as
 * they were. A change in block b costs blocks b.. only. What single layers cost is kept. Not for
 * two threads at once.
 */
typedef struct _TareDivergence TareDivergence;

/**
 * TareRounding:
 * @tensor: a matrix
 * @assignment: what it is rounded to
 */
typedef struct
{
  const TareTensor *tensor;
  TareAssignment    assignment;
} TareRounding;

/**
 * TareAdditivity:
 * @sum: the single layers' divergences added up
 * @together: the divergence with all of them rounded at once, and its standard error
 * @ratio: @together over @sum: 1 where layers do not mind each other
 */
typedef struct
{
  double           sum;
  TareMeasureValue together;
  double           ratio;
} TareAdditivity;

TareDivergence *tare_divergence_get         (TareMeasureContext   *context,
                                             const TareProgress   *progress,
                                             GError              **error);
gboolean        tare_divergence_measure     (TareDivergence       *self,
                                             const TareRounding   *roundings,
                                             gsize                 n,
                                             TareMeasureValue     *value,
                                             const TareProgress   *progress,
                                             GError              **error);
gboolean        tare_divergence_find_floor  (TareDivergence       *self,
                                             TareMeasureValue     *value,
                                             const TareProgress   *progress,
                                             GError              **error);
gboolean        tare_divergence_add_up      (TareDivergence       *self,
                                             const TareRounding   *roundings,
                                             gsize                 n,
                                             TareAdditivity       *additivity,
                                             const TareProgress   *progress,
                                             GError              **error);
gboolean        tare_divergence_interact    (TareDivergence       *self,
                                             const TareRounding   *first,
                                             const TareRounding   *second,
                                             double               *interaction,
                                             const TareProgress   *progress,
                                             GError              **error);
gsize           tare_divergence_get_n_tokens (TareDivergence      *self);

G_END_DECLS
