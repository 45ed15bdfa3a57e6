/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareOperator:
 * @n: numbers of a vector
 * @apply: writes the product with @v to @product
 * @data: closure
 *
 * A symmetric matrix that is known by its products alone.
 */
typedef struct
{
  gsize      n;
  gboolean (*apply) (gpointer             data,
                     const float         *v,
                     float               *product,
                     const TareProgress  *progress,
                     GError             **error);
  gpointer   data;
} TareOperator;

/**
 * TareEigenOptions:
 * @n_pairs: how many eigenvalues, from the one of largest magnitude on; 0 for one
 * @maximum_products: for each of them at most; 0 for 100
 * @tolerance: relative change of the eigenvalue at which it is left; 0 for 1e-3
 * @seed: of the first vectors
 *
 * The defaults are those of HAWQ's code.
 */
typedef struct
{
  gsize   n_pairs;
  gsize   maximum_products;
  double  tolerance;
  guint64 seed;
} TareEigenOptions;

/**
 * TareEigen:
 * @n: numbers of a vector
 * @n_pairs: how many were found
 * @values: the eigenvalues, with their signs
 * @residuals: |Av - λv| of each: a symmetric matrix has an eigenvalue no farther from λ than that
 * @vectors: n_pairs x n, of length 1
 * @n_products: how many it took
 */
typedef struct
{
  gsize   n;
  gsize   n_pairs;
  double *values;
  double *residuals;
  float  *vectors;
  gsize   n_products;
} TareEigen;

/**
 * TareEigenDensity:
 * @n_nodes: how many
 * @nodes: Ritz values, ascending
 * @weights: the share of the spectrum that each stands for; all add up to 1
 * @lowest: the least Ritz value
 * @highest: the largest
 * @trace: n Σ weight node
 * @negative: share of the eigenvalues that are negative, by their number
 *
 * The spectrum of a matrix, estimated.
 */
typedef struct
{
  gsize   n_nodes;
  double *nodes;
  double *weights;
  double  lowest;
  double  highest;
  double  trace;
  double  negative;
} TareEigenDensity;

TareEigen    *tare_operator_find_eigen    (const TareOperator      *self,
                                           const TareEigenOptions  *options,
                                           const TareProgress      *progress,
                                           GError                 **error);
void          tare_eigen_free             (TareEigen               *eigen);
TareEigenDensity *tare_operator_find_density (const TareOperator      *self,
                                           gsize                    n_steps,
                                           gsize                    n_runs,
                                           guint64                  seed,
                                           const TareProgress      *progress,
                                           GError                 **error);
void          tare_eigen_density_free          (TareEigenDensity            *density);
double        tare_eigen_density_get   (const TareEigenDensity      *density,
                                           double                   x);
void          tare_operator_fill_signs    (guint64                  seed,
                                           gsize                    n,
                                           float                   *v);
void          tare_operator_fill_signs_from
                                          (guint64                  seed,
                                           gsize                    first,
                                           gsize                    n,
                                           float                   *v);
void          tare_operator_fill_gaussian (guint64                  seed,
                                           gsize                    n,
                                           float                   *v);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareEigen, tare_eigen_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareEigenDensity, tare_eigen_density_free)

G_END_DECLS
