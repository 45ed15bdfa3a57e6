/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-hessian-loss.h"
#include "analysis/sensitivity/tare-operator.h"
#include "app/tare-study.h"

G_BEGIN_DECLS

/* Tokens of a sequence that the loss is looked at on, and points along each side of a landscape. */
#define TARE_LANDSCAPE_LENGTH 128
#define TARE_LANDSCAPE_SIDE   11

/**
 * TareLandscapeView:
 * @density: (nullable): the density of a layer's eigenvalues; nothing else is set then
 * @losses: %TARE_LANDSCAPE_SIDE squared, row-major; NaN where not known yet
 * @n_losses: how many are known
 * @x: where the first and the last column are
 * @y: where the first and the last row are
 * @values: eigenvalues that belong to its axes; NaN where they are random
 *
 * What is known so far of the loss around the weights.
 */
typedef struct
{
  TareEigenDensity *density;
  double           *losses;
  gsize             n_losses;
  double            x[2];
  double            y[2];
  double            values[2];
} TareLandscapeView;

guint32  *tare_landscape_load_tokens (TareModel             *model,
                                      const char            *path,
                                      TareObjective         *objective,
                                      GError               **error);
gpointer  tare_landscape_site_new    (const char            *path,
                                      const TareStatistics  *statistics);
void      tare_landscape_site_free   (gpointer               data);
gboolean  tare_landscape_study       (TareStudyTask         *task,
                                      GError               **error);
void      tare_landscape_view_free   (gpointer               data);

G_END_DECLS
