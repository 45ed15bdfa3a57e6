/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-proxy.h"

#include <cblas.h>
#include <math.h>

#include "quant/tare-simd.h"

TARE_CLONES static double
dot (const float *a,
     const float *b,
     gsize        n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) a[i] * (double) b[i];

  return sum;
}

TARE_CLONES static double
weighted_square (const float *d,
                 const float *weights,
                 gsize        n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) weights[i] * ((double) d[i] * (double) d[i]);

  return sum;
}

/**
 * tare_proxy_form:
 * @d: rows of weights or of their errors, @rows x @columns
 * @rows: how many
 * @activations: what their layer was sent; its columns are those of @d
 * @product: (out caller-allocates) (array): room for @rows x @columns, if there is a gram
 * @form: (inout): what tr(d H d') is added to
 *
 * Adds tr(d H d') with H = 2 Σxx' / T, which is 2/T times the sum of |d x|² over the T tokens.
 * Where only Σx² is known, H is its diagonal: what remains if the columns are uncorrelated.
 *
 * Returns: %FALSE if no token was seen, and so nothing is known
 */
gboolean
tare_proxy_form (const float                *d,
                 gsize                       rows,
                 const TareLayerActivations *activations,
                 float                      *product,
                 double                     *form)
{
  gsize n = activations->columns;
  double sum = 0.0;

  if (!(activations->n_tokens > 0.0))
    return FALSE;

  if (activations->gram != NULL)
    cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int) rows, (int) n, (int) n,
                 1.0f, d, (int) n, activations->gram, (int) n, 0.0f, product, (int) n);

#pragma omp parallel for reduction(+:sum)
  for (gsize i = 0; i < rows; i++)
    sum += activations->gram != NULL ? dot (d + i * n, product + i * n, n)
                                     : weighted_square (d + i * n, activations->sum_squares, n);

  *form += 2.0 * sum / activations->n_tokens;

  return TRUE;
}
