/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/methods/tare-calibration.h"
#include "quant/network/tare-network.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareCollector:
 *
 * Adds up the inputs of the layers of one block at a time. Not for two threads at once.
 */
typedef struct _TareCollector TareCollector;

TareCollector *tare_collector_new     (TareCalibration     *calibration,
                                       gsize                maximum_gram_columns,
                                       const TareProgress  *progress);
void           tare_collector_free    (TareCollector       *self);
void           tare_collector_set_sketch_columns
                                      (TareCollector       *self,
                                       gsize                columns);
void           tare_collector_observe (const TareTensor    *tensor,
                                       gsize                expert,
                                       const float         *x,
                                       const guint32       *tokens,
                                       gsize                n_tokens,
                                       gsize                columns,
                                       gpointer             data);
TareObserver   tare_collector_get_observer
                                      (TareCollector       *self);
gboolean       tare_collector_finish  (TareCollector       *self,
                                       GError             **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareCollector, tare_collector_free)

G_END_DECLS
