/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/statistics/tare-statistics.h"
#include "quant/recipe/tare-engine.h"

G_BEGIN_DECLS

/**
 * TareMeasureContext:
 *
 * What measures are computed from, a model with its engine, a calibration, a text, and what has
 * been found out on the way, so that work that serves several layers or several measures is done
 * once. Not for two threads at once.
 */
typedef struct _TareMeasureContext TareMeasureContext;

/**
 * TareMeasureMake:
 * @context: the context
 * @tensor: (nullable): what the finding is about, %NULL for the whole model
 * @progress: (nullable): told of the work and asked whether to go on
 * @error: return location for an error
 *
 * Finds something out that the context then keeps.
 *
 * Returns: (transfer full): the finding, %NULL with @error set
 */
typedef gpointer (*TareMeasureMake) (TareMeasureContext  *context,
                                     const TareTensor    *tensor,
                                     const TareProgress  *progress,
                                     GError             **error);

TareMeasureContext *tare_measure_context_new             (TareEngine           *engine,
                                                          TareCalibration      *calibration);
void                tare_measure_context_free            (TareMeasureContext   *self);
void                tare_measure_context_set_text        (TareMeasureContext   *self,
                                                          const char           *text,
                                                          gsize                 length,
                                                          guint                 context,
                                                          gsize                 maximum_tokens);
void                tare_measure_context_set_memory      (TareMeasureContext   *self,
                                                          guint64               bytes);
guint64             tare_measure_context_get_memory      (TareMeasureContext   *self);
TareModel          *tare_measure_context_get_model       (TareMeasureContext   *self);
TareEngine         *tare_measure_context_get_engine      (TareMeasureContext   *self);
TareCalibration    *tare_measure_context_get_calibration (TareMeasureContext   *self);
const char         *tare_measure_context_get_text        (TareMeasureContext   *self,
                                                          gsize                *length,
                                                          guint                *context,
                                                          gsize                *maximum_tokens);
TareStatistics     *tare_measure_context_get_statistics  (TareMeasureContext   *self,
                                                          const TareTensor     *tensor,
                                                          const TareProgress   *progress,
                                                          GError              **error);
gpointer            tare_measure_context_find            (TareMeasureContext   *self,
                                                          const char           *key,
                                                          const TareTensor     *tensor,
                                                          TareMeasureMake       make,
                                                          GDestroyNotify        destroy,
                                                          const TareProgress   *progress,
                                                          GError              **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareMeasureContext, tare_measure_context_free)

G_END_DECLS
