/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/statistics/tare-statistics.h"

G_BEGIN_DECLS

/**
 * TareStatisticsCache:
 *
 * Statistics of tensors that were read before, in a folder of small files, one for each tensor. A
 * tensor is known again by its file's device, inode, size and time of change, by where it lies in
 * it, and by a sample of its bytes. Safe in any thread, and in several processes.
 */
typedef struct _TareStatisticsCache TareStatisticsCache;

TareStatisticsCache *tare_statistics_cache_new         (const char           *folder,
                                                        guint64               limit);
void                 tare_statistics_cache_free        (TareStatisticsCache  *self);
TareStatisticsCache *tare_statistics_cache_get_default (void);
TareStatistics      *tare_statistics_cache_get         (TareStatisticsCache  *self,
                                                        const TareTensor     *tensor);
void                 tare_statistics_cache_put         (TareStatisticsCache  *self,
                                                        const TareTensor     *tensor,
                                                        const TareStatistics *statistics);
TareStatistics      *tare_statistics_cache_measure     (TareStatisticsCache  *self,
                                                        const TareTensor     *tensor,
                                                        const TareProgress   *progress,
                                                        GError              **error);

GByteArray          *tare_statistics_to_bytes          (const TareStatistics *self,
                                                        const guint8         *key,
                                                        gsize                 key_length);
TareStatistics      *tare_statistics_from_bytes        (const guint8         *bytes,
                                                        gsize                 length,
                                                        const guint8         *key,
                                                        gsize                 key_length,
                                                        gsize                 rows,
                                                        gsize                 columns);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareStatisticsCache, tare_statistics_cache_free)

G_END_DECLS
