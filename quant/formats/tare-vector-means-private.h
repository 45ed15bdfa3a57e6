/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "quant/tare-progress.h"

G_BEGIN_DECLS

/* The longest vectors. */
#define TARE_VECTOR_MAX 8

typedef struct _TareVectorCells TareVectorCells;

void            _tare_vectors_assign       (const float           *x,
                                            gsize                  n,
                                            gsize                  length,
                                            const float           *book,
                                            gsize                  k,
                                            guint16               *codes,
                                            float                 *errors);
void            _tare_vectors_assign_naive (const float           *x,
                                            gsize                  n,
                                            gsize                  length,
                                            const float           *book,
                                            gsize                  k,
                                            guint16               *codes,
                                            float                 *errors);
gboolean        _tare_vector_means         (const float           *x,
                                            const float           *w,
                                            gsize                  n,
                                            gsize                  length,
                                            gsize                  k,
                                            float                 *book,
                                            const TareProgress    *progress,
                                            GError               **error);

gboolean        _tare_vector_cells_suit    (gsize                  k);
void            _tare_vector_cells_sort     (float                 *book,
                                            gsize                  length,
                                            gsize                  k);
TareVectorCells *_tare_vector_cells_new      (const float           *book,
                                            gsize                  length,
                                            gsize                  k);
void            _tare_vector_cells_free     (TareVectorCells        *self);
void            _tare_vector_cells_assign   (const TareVectorCells  *self,
                                            const float           *x,
                                            gsize                  n,
                                            guint16               *codes,
                                            float                 *errors);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareVectorCells, _tare_vector_cells_free)

G_END_DECLS
