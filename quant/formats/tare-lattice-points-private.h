/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-lattice-private.h"
#include "quant/formats/tare-search-private.h"

G_BEGIN_DECLS

/* Weights of a vector. */
#define TARE_LATTICE_WIDTH 8

/**
 * TareLatticeVectors:
 * @x: by element, then by lane: the weights
 * @w: their importance
 * @scale: the scale of each lane
 *
 * Vectors of eight weights, a lane each, or one of them with several scales.
 */
typedef struct
{
  float x[TARE_LATTICE_WIDTH][TARE_SEARCH_LANES];
  float w[TARE_LATTICE_WIDTH][TARE_SEARCH_LANES];
  float scale[TARE_SEARCH_LANES];
} TareLatticeVectors;

/**
 * TareLatticeBest:
 * @value: of each lane the error, less Σwx², in units of its scale
 * @point: the best point, or two of four elements
 * @flip: whether the point loses a sign, as an odd number of them cannot be stored
 */
typedef struct
{
  float   value[TARE_SEARCH_LANES];
  guint16 point[2][TARE_SEARCH_LANES];
  guint8  flip[2][TARE_SEARCH_LANES];
} TareLatticeBest;

void _tare_lattice_find_signed  (const TareLatticeShape   *shape,
                                 const TareLatticeVectors *vectors,
                                 TareLatticeBest          *best);
void _tare_lattice_find_shifted (const TareLatticeShape   *shape,
                                 const TareLatticeVectors *vectors,
                                 TareLatticeBest          *best);

G_END_DECLS
