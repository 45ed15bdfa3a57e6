/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareDistortion:
 * @relative: mean over rows that are not all zero of Σ(x-y)² / Σx²
 * @weighted: the same with every column weighted by its importance; equal to @relative without one
 * @squared: Σ(x-y)² over all
 * @maximum: the largest |x-y|
 * @rows: rows that were counted
 *
 * What rounding did to a matrix. The only place where these figures are defined.
 */
typedef struct
{
  double relative;
  double weighted;
  double squared;
  double maximum;
  gsize  rows;
} TareDistortion;

TareDistortion tare_distortion_measure (const float *x,
                                        const float *y,
                                        gsize        rows,
                                        gsize        columns,
                                        const float *importance);

G_END_DECLS
