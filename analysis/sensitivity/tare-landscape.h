/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-hessian-loss.h"

G_BEGIN_DECLS

/**
 * TareLandscape:
 * @n_x: points along the first direction
 * @n_y: along the second; 1 where there is none
 * @x: where they are, in units of the direction
 * @y: likewise
 * @loss: n_y x n_x, the loss at each; NaN where it has not been found yet
 * @center: the loss where nothing is moved
 *
 * The loss around a network's weights.
 */
typedef struct
{
  gsize   n_x;
  gsize   n_y;
  double *x;
  double *y;
  double *loss;
  double  center;
} TareLandscape;

/**
 * TareLandscapeOptions:
 * @directions: the axes; the second may be %NULL
 * @from: where each begins
 * @to: where it ends
 * @n: points of each; 0 for 25
 * @func: (nullable): told after every point; @landscape is the caller's for the call
 * @data: closure of @func
 */
typedef struct
{
  const TareDirection *directions[2];
  double               from[2];
  double               to[2];
  gsize                n[2];
  void               (*func) (const TareLandscape *landscape,
                              gpointer             data);
  gpointer             data;
} TareLandscapeOptions;

/**
 * TareRandomDirection:
 * @model: whose weights it moves
 * @seed: the same direction for the same seed
 *
 * A Gaussian direction whose rows are each as long as the row of weights that they move: Li et
 * al., "Visualizing the Loss Landscape of Neural Nets" (2018), section 4.
 */
typedef struct
{
  TareModel *model;
  guint64    seed;
} TareRandomDirection;

/**
 * TareSegment:
 * @to: the weights at its other end
 *
 * The way from a model's own weights, at 0, to others, at 1.
 */
typedef struct
{
  const TareWeights *to;
} TareSegment;

TareLandscape *tare_landscape_measure              (TareModel                   *model,
                                                    const TareObjective         *objective,
                                                    const TareLandscapeOptions  *options,
                                                    guint64                      memory,
                                                    const TareProgress          *progress,
                                                    GError                     **error);
void           tare_landscape_free                 (TareLandscape               *self);
TareDirection  tare_random_direction_get_direction (const TareRandomDirection   *self);
TareDirection  tare_segment_get_direction          (const TareSegment           *self);
gboolean       tare_landscape_find_sharpness       (TareModel                   *model,
                                                    const TareObjective         *objective,
                                                    const TareDirection         *direction,
                                                    double                       radius,
                                                    double                      *sharpness,
                                                    const TareProgress          *progress,
                                                    GError                     **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareLandscape, tare_landscape_free)

G_END_DECLS
