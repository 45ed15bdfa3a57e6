/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-network.h"
#include "quant/tare-memory.h"

G_BEGIN_DECLS

/**
 * TareStates:
 *
 * The residual stream of many tokens at one boundary between blocks, tokens x width, in memory or,
 * where a budget does not have the room, in a temporary file without a name that is mapped and
 * leaves no trace. Not for two threads at once, except for distinct rows.
 */
typedef struct _TareStates TareStates;

TareStates *tare_states_new          (gsize                rows,
                                      gsize                width,
                                      TareBudget          *budget,
                                      GError             **error);
void        tare_states_free         (TareStates          *self);
gsize       tare_states_get_n_rows   (const TareStates    *self);
gsize       tare_states_get_width    (const TareStates    *self);
gboolean    tare_states_are_in_memory (const TareStates   *self);
float      *tare_states_get_rows     (TareStates          *self,
                                      gsize                first);
void        tare_states_release      (TareStates          *self,
                                      gsize                first,
                                      gsize                n);
void        tare_states_copy         (TareStates          *self,
                                      TareStates          *from);
gsize       tare_states_get_group    (const TareStates    *self,
                                      gsize                n_sequences,
                                      gsize                length);
gboolean    tare_states_embed        (TareStates          *self,
                                      TareNetwork         *network,
                                      const TareWeights   *weights,
                                      const guint32       *tokens,
                                      gsize                n_sequences,
                                      gsize                length,
                                      GError             **error);
gboolean    tare_states_run_block    (TareStates          *self,
                                      TareNetwork         *network,
                                      const TareBlock     *block,
                                      gsize                n_sequences,
                                      gsize                length,
                                      const TareObserver  *observer,
                                      const TareProgress  *progress,
                                      GError             **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareStates, tare_states_free)

G_END_DECLS
