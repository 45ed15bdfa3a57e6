/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/evaluation/tare-base-statistics.h"

G_BEGIN_DECLS

/**
 * TareBaseWriter:
 *
 * The file of a #TareBaseStatistics while it is made: predictions go to the disk as they come, so
 * that memory does not grow with the text. Not for two threads at once.
 */
typedef struct _TareBaseWriter TareBaseWriter;

TareBaseWriter *tare_base_writer_new       (const char              *path,
                                            const TareBaseIdentity  *identity,
                                            guint32                  n_kept,
                                            GError                 **error);
void            tare_base_writer_free      (TareBaseWriter          *self);
guint64         tare_base_writer_get_bytes (TareBaseWriter          *self);
gboolean        tare_base_writer_append    (TareBaseWriter          *self,
                                            const float             *logits,
                                            const guint32           *targets,
                                            gsize                    n,
                                            GError                 **error);
gboolean        tare_base_writer_commit    (TareBaseWriter          *self,
                                            GError                 **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareBaseWriter, tare_base_writer_free)

G_END_DECLS
