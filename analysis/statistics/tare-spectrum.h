/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/* Random vectors by which a matrix that is too wide to be held is known: eight for each of the
 * eigenvalues that are wanted. */
#define TARE_SKETCH_COLUMNS 256

/**
 * TareSpectrum:
 * @n: eigenvalues that there are
 * @n_values: how many of them are known, the largest
 * @values: (array length=n_values): these, descending
 * @trace: Σλ over all
 * @error: no known eigenvalue is further than this from a true one; 0 where all are known
 * @entropy: of the eigenvalues' shares of the trace; an estimate where not all are known
 * @smallest: the smallest eigenvalue; where not all are known, the smallest that was met, which is
 *   not below it
 *
 * Eigenvalues of a symmetric matrix without negative ones: all of them where it is small, the
 * largest where it is not.
 */
typedef struct
{
  gsize   n;
  gsize   n_values;
  double *values;
  double  trace;
  double  error;
  double  entropy;
  double  smallest;
} TareSpectrum;

TareSpectrum *tare_spectrum_of_symmetric     (const float         *a,
                                              gsize                n,
                                              const TareProgress  *progress,
                                              GError             **error);
TareSpectrum *tare_spectrum_of_sketch        (const float         *sketch,
                                              const float         *diagonal,
                                              gsize                n,
                                              gsize                k,
                                              const TareProgress  *progress,
                                              GError             **error);
TareSpectrum *tare_spectrum_of_tensor        (const TareTensor    *tensor,
                                              const TareProgress  *progress,
                                              GError             **error);
void          tare_spectrum_free             (TareSpectrum        *self);
double        tare_spectrum_get_energy       (const TareSpectrum  *self,
                                              gsize                k);
double        tare_spectrum_get_effective_rank (const TareSpectrum *self);
double        tare_spectrum_get_stable_rank  (const TareSpectrum  *self);
double        tare_spectrum_get_condition    (const TareSpectrum  *self,
                                              double               damping);
void          tare_sketch_fill_signs         (float               *omega,
                                              gsize                n,
                                              gsize                k);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareSpectrum, tare_spectrum_free)

G_END_DECLS
