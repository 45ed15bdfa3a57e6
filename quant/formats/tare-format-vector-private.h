/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format-private.h"
#include "quant/formats/tare-vector-means-private.h"

G_BEGIN_DECLS

/* Vectors that a codebook is fitted to: at least so many, and so many for each centroid. */
#define TARE_VECTOR_SAMPLE ((gsize) 1 << 15)
#define TARE_VECTOR_SAMPLE_SHARE 16

extern const TareFormatClass _tare_vector_sum4_class;
extern const TareFormatClass _tare_vector_sum8_class;

void _tare_vectors_take_sample (const TareMatrix *matrix,
                                const gsize      *lines,
                                gsize             n,
                                gsize             length,
                                gsize             n_sample,
                                float            *vectors,
                                float            *weights);

TARE_INLINE void
load_halves (const guint8 *bytes,
             gsize         n,
             float        *x)
{
  for (gsize i = 0; i < n; i++)
    x[i] = load_half (bytes + 2 * i);
}

/* Those that half precision cannot hold become its largest. */
TARE_INLINE void
store_halves (const float *x,
              gsize        n,
              guint8      *bytes)
{
  for (gsize i = 0; i < n; i++)
    store_half (bytes + 2 * i, round_offset (x[i]));
}

G_END_DECLS
