/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The most numbers that half a point can have. */
#define TARE_LATTICE_HALVES 81
#define TARE_LATTICE_LAST 128

/**
 * TareLatticeKind:
 * @TARE_LATTICE_IQ2_XXS: 256 points of 8 out of 3 magnitudes
 * @TARE_LATTICE_IQ2_XS: 512 points of 8 out of 3 magnitudes
 * @TARE_LATTICE_IQ2_S: 1024 points of 8 out of 3 magnitudes
 * @TARE_LATTICE_IQ3_XXS: 256 points of 4 out of 8 magnitudes
 * @TARE_LATTICE_IQ3_S: 512 points of 4 out of 8 magnitudes
 * @TARE_LATTICE_IQ1: 2048 points of 8 out of -1, 0 and 1
 *
 * The lattices of ggml's I-quants.
 */
typedef enum
{
  TARE_LATTICE_IQ2_XXS,
  TARE_LATTICE_IQ2_XS,
  TARE_LATTICE_IQ2_S,
  TARE_LATTICE_IQ3_XXS,
  TARE_LATTICE_IQ3_S,
  TARE_LATTICE_IQ1,
} TareLatticeKind;

/**
 * TareLattice:
 * @n_points: how many points there are
 * @n_elements: elements of a point, 4 or 8
 * @n_magnitudes: how many different elements there are
 * @magnitudes: them, in ascending order
 * @points: (array): the points, n_points x n_elements
 * @floats: (array): the same as floats
 * @low: (array): of each point the number of its first half, whose digits in the base of
 *   @n_magnitudes are those of its elements, the least significant first
 * @n_halves: how many numbers there are for half a point
 * @n_runs: of points that have their second half in common, which follow each other
 * @run_begin: (array): where each run begins; and the end, @n_points
 * @run_high: (array): the number of the second half that a run has in common
 * @quads: (array): the numbers of first halves by run, the last repeated up to a multiple of four,
 *   with %TARE_LATTICE_LAST added where a run ends
 * @run_quad: (array): where they begin
 */
typedef struct
{
  gsize          n_points;
  gsize          n_elements;
  gsize          n_magnitudes;
  gint8          magnitudes[8];
  const gint8   *points;
  const float   *floats;
  const guint8  *low;
  gsize          n_halves;
  gsize          n_runs;
  const guint16 *run_begin;
  const guint8  *run_high;
  const guint8  *quads;
  const guint16 *run_quad;
} TareLattice;

/* Weights of a super-block, and its vectors of eight. */
#define TARE_LATTICE_SUPER 256
#define TARE_LATTICE_VECTORS 32

/* By how much the points of IQ1 are moved up or down. */
#define TARE_LATTICE_SHIFT 0.125f

/**
 * TareLatticeShape:
 * @kind: where the points are
 * @group: weights that share a scale
 * @n_scales: codes of that scale: code s stands for d unit (2 s + 1)
 * @unit: the smallest scale of a group, in units of the super-block's
 * @even: whether of eight signs an even number must be negative
 * @shift: 0 where points are magnitudes with signs of their own; else how many weights share the
 *   sign of a shift
 * @reach: the first and the last of the scales that a search tries, in units of the one that puts
 *   the largest magnitude of a group on that of the lattice
 *
 * How a super-block of 256 weights goes by the points of a lattice.
 */
typedef struct
{
  TareLatticeKind kind;
  gsize           group;
  gsize           n_scales;
  float           unit;
  gboolean        even;
  gsize           shift;
  float           reach[2];
} TareLatticeShape;

/**
 * TareLatticeCode:
 * @d: the scale of the super-block
 * @scale: codes of the groups' scales
 * @point: for each vector of eight a point, or two of four elements
 * @negative: for each vector, bits of the elements that are negative; all or none where the points
 *   are shifted down or up
 *
 * A super-block.
 */
typedef struct
{
  float   d;
  guint8  scale[TARE_LATTICE_VECTORS];
  guint16 point[TARE_LATTICE_VECTORS][2];
  guint8  negative[TARE_LATTICE_VECTORS];
} TareLatticeCode;

const TareLattice *_tare_lattice_get    (TareLatticeKind         kind);
float              _tare_lattice_span   (const TareLatticeShape *shape,
                                         float                   magnitude);
void               _tare_lattice_encode (const TareLatticeShape *shape,
                                         gboolean                search,
                                         const float            *x,
                                         const float            *w,
                                         TareLatticeCode        *code);

G_END_DECLS
