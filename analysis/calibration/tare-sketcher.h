/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareSketcher:
 *
 * Multiplies Σxx' by random signs without forming it. Not for two threads at once.
 */
typedef struct _TareSketcher TareSketcher;

TareSketcher *tare_sketcher_new       (void);
void          tare_sketcher_free      (TareSketcher        *self);
gboolean      tare_sketcher_make_room (TareSketcher        *self,
                                       gsize                n,
                                       gsize                k);
void          tare_sketcher_add       (TareSketcher        *self,
                                       const float         *x,
                                       gsize                n_tokens,
                                       gsize                n,
                                       double              *sums,
                                       const TareProgress  *progress);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareSketcher, tare_sketcher_free)

G_END_DECLS
