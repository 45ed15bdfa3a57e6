/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareSimilarity:
 * @cosine: of the angle between the two, taken as vectors
 * @alignment: linear CKA, from 0 to 1: 1 where one's rows are the other's turned and scaled
 *
 * How alike two matrices of one shape are; NaN where one of them is 0.
 */
typedef struct
{
  double cosine;
  double alignment;
} TareSimilarity;

gboolean tare_similarity_measure (TareSimilarity      *self,
                                  const TareTensor    *first,
                                  const TareTensor    *second,
                                  const TareProgress  *progress,
                                  GError             **error);

G_END_DECLS
