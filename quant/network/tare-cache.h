/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-network.h"

G_BEGIN_DECLS

/**
 * TareCache:
 *
 * One sequence that grows: the keys and values of the tokens that are there stay, so that a
 * further token costs what it adds alone. Not for two threads at once, nor together with other
 * work of its network.
 */
typedef struct _TareCache TareCache;

TareCache *tare_cache_new        (TareNetwork         *network,
                                  const TareWeights   *weights,
                                  gsize                capacity,
                                  guint64              budget,
                                  GError             **error);
void       tare_cache_free       (TareCache           *self);
gsize      tare_cache_get_length (const TareCache     *self);
void       tare_cache_truncate   (TareCache           *self,
                                  gsize                length);
gboolean   tare_cache_append     (TareCache           *self,
                                  const guint32       *tokens,
                                  gsize                n_tokens,
                                  float               *logits,
                                  const TareProgress  *progress,
                                  GError             **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareCache, tare_cache_free)

G_END_DECLS
