/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TarePoints:
 * @n: how many points there are
 * @room: for how many there is memory
 * @values: in ascending order
 * @weights: positive; what the error of each counts for
 *
 * Points on a line.
 */
typedef struct
{
  gsize   n;
  gsize   room;
  double *values;
  double *weights;
} TarePoints;

TarePoints *_tare_points_new     (gsize             room);
void        _tare_points_free    (TarePoints       *self);
void        _tare_points_take    (TarePoints       *self,
                                  const float      *x,
                                  const float      *w,
                                  gsize             n);
double      _tare_points_measure (const TarePoints *self,
                                  const double     *levels,
                                  gsize             n_levels);

gsize       _tare_k_means_exact  (const TarePoints *points,
                                  gsize             k,
                                  double           *levels);
gsize       _tare_k_means_lloyd  (const TarePoints *points,
                                  gsize             k,
                                  double           *levels);
gsize       _tare_k_means        (const TarePoints *points,
                                  gsize             k,
                                  double           *levels);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TarePoints, _tare_points_free)

G_END_DECLS
