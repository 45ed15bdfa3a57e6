/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Candidates are judged in lanes of this many; the number of them must be a multiple of it. */
#define TARE_SEARCH_LANES 16

/* The longest piece of a row that a search looks at as a whole: sums over more would lose digits in
 * single precision. */
#define TARE_SEARCH_PIECE 256

/* Squares of weights in this range neither vanish nor overflow in single precision, even when they
 * are multiplied by the smallest importance. */
#define TARE_SEARCH_SMALLEST 1e-12f
#define TARE_SEARCH_LARGEST  1e12f

/**
 * TareSearchSums:
 * @w: Σw
 * @x: Σwx
 * @xx: Σwx²
 * @q: Σwq
 * @qq: Σwq²
 * @xq: Σwxq
 *
 * What least squares need to know about weights x, their importance w and their codes q.
 */
typedef struct
{
  double w;
  double x;
  double xx;
  double q;
  double qq;
  double xq;
} TareSearchSums;

void           _tare_search_range           (const float    *x,
                                             gsize           n,
                                             float          *minimum,
                                             float          *maximum);
void           _tare_search_ranges          (const float    *x,
                                             gsize           n,
                                             gsize           length,
                                             float          *minimums,
                                             float          *maximums);
void           _tare_search_encode          (const float    *x,
                                             gsize           n,
                                             float           scale,
                                             float           offset,
                                             float           lowest,
                                             float           highest,
                                             float          *q);
TareSearchSums _tare_search_sum             (const float    *x,
                                             const float    *w,
                                             const float    *q,
                                             gsize           n);
gsize          _tare_search_find_least      (const float    *error,
                                             gsize           m);
float          _tare_search_symmetric       (const float    *x,
                                             const float    *w,
                                             gsize           n,
                                             float           lowest,
                                             float           highest,
                                             float           plain);
void           _tare_search_affine          (const float    *x,
                                             const float    *w,
                                             gsize           n,
                                             float           highest,
                                             float          *scale,
                                             float          *offset);

G_END_DECLS
