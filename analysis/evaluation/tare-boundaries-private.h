/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-states.h"

G_BEGIN_DECLS

/**
 * TareBoundaries:
 *
 * The residual stream before some blocks, as the last run had it. Each state carries the hash of
 * everything that made it, so that what a cancelled run left behind is valid too: states that it
 * replaced carry the new hash, those it did not reach the old.
 */
typedef struct _TareBoundaries TareBoundaries;

TareBoundaries *_tare_boundaries_new         (guint                 n_blocks,
                                              gsize                 rows,
                                              gsize                 width,
                                              const TareBudget     *budget);
void            _tare_boundaries_free        (TareBoundaries       *self);
guint           _tare_boundaries_find        (TareBoundaries       *self,
                                              const guint64        *hashes,
                                              TareStates          **states);
void            _tare_boundaries_store       (TareBoundaries       *self,
                                              guint                 block,
                                              guint64               hash,
                                              TareStates           *states);
guint           _tare_boundaries_get_n_kept  (TareBoundaries       *self,
                                              guint                *n_on_disk);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareBoundaries, _tare_boundaries_free)

G_END_DECLS
