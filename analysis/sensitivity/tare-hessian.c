/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-hessian.h"

#include <cblas.h>
#include <math.h>

#include "analysis/sensitivity/tare-measure-private.h"
#include "quant/tare-error.h"
#include "quant/tare-lapack.h"

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* Eigenvalues whose share of the trace is told. */
#define LEADING 32

/* Multiplications between two looks at the progress, a tenth of a second or less, and columns that
 * are worth a product of matrices. */
#define PANEL_SIZE  2e9
#define LEAST_PANEL 16
#define MOST_PANEL  256

/* How often damping is added before a matrix is given up. */
#define ATTEMPTS 50

/**
 * tare_hessian_get_trace:
 * @activations: what a layer was sent
 *
 * Returns: tr(H) = 2 Σx² / T, of H = 2XX'/T; NaN if no token was seen
 */
double
tare_hessian_get_trace (const TareLayerActivations *activations)
{
  double sum = 0.0;

  for (gsize i = 0; i < activations->columns; i++)
    sum += (double) activations->sum_squares[i];

  return activations->n_tokens > 0.0 ? 2.0 * sum / activations->n_tokens : (double) NAN;
}

/**
 * tare_hessian_has_spectrum:
 * @activations: what a layer was sent
 *
 * Returns: whether the eigenvalues of H can be found, all or the largest
 */
gboolean
tare_hessian_has_spectrum (const TareLayerActivations *activations)
{
  return activations->gram != NULL || activations->sketch != NULL;
}

/**
 * tare_hessian_find_spectrum:
 * @activations: what a layer was sent, with a gram or a sketch of it
 * @progress: (nullable): told of the work and asked whether to go on
 * @error: return location for an error
 *
 * Returns: (transfer full): the eigenvalues of Σxx', or %NULL with @error set
 */
TareSpectrum *
tare_hessian_find_spectrum (const TareLayerActivations  *activations,
                            const TareProgress          *progress,
                            GError                     **error)
{
  g_return_val_if_fail (tare_hessian_has_spectrum (activations), NULL);

  return activations->gram != NULL
           ? tare_spectrum_of_symmetric (activations->gram, activations->columns, progress, error)
           : tare_spectrum_of_sketch (activations->sketch, activations->sum_squares,
                                      activations->columns, activations->n_sketch, progress,
                                      error);
}

/* Layers that share an input share what is known of it: the tensor under which it is kept. */
static const TareTensor *
find_owner (TareMeasureContext         *context,
            const TareTensor           *tensor,
            const TareLayerActivations *activations)
{
  const TareTensor *owner = NULL;

  if (tensor->role != NULL && tensor->role->input != NULL)
    owner = tare_model_lookup_role (tare_measure_context_get_model (context), tensor->role->input,
                                    tensor->block, FALSE);

  return owner != NULL
         && tare_calibration_lookup (tare_measure_context_get_calibration (context),
                                     owner->canonical) == activations ? owner : tensor;
}

static const TareLayerActivations *
get_activations (TareMeasureContext *context,
                 const TareTensor   *tensor)
{
  return tare_calibration_lookup (tare_measure_context_get_calibration (context),
                                  tensor->canonical);
}

static gpointer
make_spectrum (TareMeasureContext  *context,
               const TareTensor    *tensor,
               const TareProgress  *progress,
               GError             **error)
{
  const TareLayerActivations *activations = get_activations (context, tensor);
  TareSpectrum *spectrum = tare_hessian_find_spectrum (activations, progress, error);
  double scale = 2.0 / activations->n_tokens;

  if (spectrum == NULL)
    {
      if (error != NULL && g_error_matches (*error, TARE_ERROR, TARE_ERROR_INVALID))
        g_prefix_error (error, "%s: ", tensor->canonical);
      return NULL;
    }

  for (gsize i = 0; i < spectrum->n_values; i++)
    spectrum->values[i] *= scale;
  spectrum->trace *= scale;
  spectrum->error *= scale;
  spectrum->smallest *= scale;

  return spectrum;
}

static void
free_spectrum (gpointer data)
{
  tare_spectrum_free (data);
}

/**
 * tare_hessian_get_spectrum:
 * @context: a context with a calibration
 * @tensor: a layer of which that has the full input Hessian or a sketch of it
 * @progress: (nullable): told of the work and asked whether to go on
 * @error: return location for an error
 *
 * Returns: (transfer none): the eigenvalues of H = 2XX'/T, found when they are first asked for, or
 *   %NULL with @error set
 */
const TareSpectrum *
tare_hessian_get_spectrum (TareMeasureContext  *context,
                           const TareTensor    *tensor,
                           const TareProgress  *progress,
                           GError             **error)
{
  const TareTensor *owner = find_owner (context, tensor, get_activations (context, tensor));

  return tare_measure_context_find (context, "hessian spectrum", owner, make_spectrum,
                                    free_spectrum, progress, error);
}

/* The matrix in reverse order, so that every column follows those after it; dead ones get a 1. */
static void
reverse (const float *gram,
         gsize        n,
         double       scale,
         double       damping,
         double      *a)
{
#pragma omp parallel for schedule(static)
  for (gsize i = 0; i < n; i++)
    {
      for (gsize j = 0; j <= i; j++)
        a[j * n + i] = scale * (double) gram[(n - 1 - i) * n + n - 1 - j];

      if (a[i * n + i] == 0.0)
        a[i * n + i] = 1.0;
      a[i * n + i] += damping;
    }
}

/* L of A = LL' in the lower triangle of @a, in columns, a panel at a time, so that it can be
 * stopped. @info: what dpotrf says */
static gboolean
factorize (double              *a,
           gsize                n,
           int                 *info,
           const TareProgress  *progress,
           GError             **error)
{
  double fitting = PANEL_SIZE / ((double) n * (double) n);
  gsize panel = (gsize) CLAMP (fitting, LEAST_PANEL, MOST_PANEL);
  const int lda = (int) n;

  *info = 0;
  for (gsize k = 0; k < n && *info == 0; k += panel)
    {
      const int size = (int) MIN (panel, n - k);
      int below = (int) (n - k) - size;
      double *corner = a + k * n + k;

      if (!tare_progress_step (progress, (double) k / (double) n, NULL, error))
        return FALSE;

      dpotrf_ ("L", &size, corner, &lda, info, 1);
      if (*info != 0 || below == 0)
        continue;
      cblas_dtrsm (CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, below, size,
                   1.0, corner, lda, corner + size, lda);
      cblas_dsyrk (CblasColMajor, CblasLower, CblasNoTrans, below, size, -1.0, corner + size, lda,
                   1.0, corner + (gsize) size * n + size, lda);
    }

  return TRUE;
}

/**
 * tare_hessian_factorize:
 * @gram: a symmetric matrix, @n x @n, without negative eigenvalues
 * @n: its columns
 * @scale: what makes H of it
 * @remainders: (out caller-allocates) (array length=n): for every column what remains of H_ii when
 *   the columns after it are known: H_ii - H_iR (H_RR)⁻¹ H_Ri with R = {j > i}
 * @progress: (nullable): told of the work and asked whether to go on
 * @error: return location for an error
 *
 * Finds what GPTQ divides squared errors by: 1/U_ii² of the upper factor U of H⁻¹ = U'U is the
 * square of the diagonal of the Cholesky factor of H in reverse order, so nothing is inverted.
 * A hundredth of its mean is added to the diagonal, dead columns get a 1, and where that does not
 * do the damping is added again. (Frantar et al., GPTQ, arXiv:2210.17323, algorithm 1.)
 *
 * Returns: whether that went well
 */
gboolean
tare_hessian_factorize (const float         *gram,
                        gsize                n,
                        double               scale,
                        double              *remainders,
                        const TareProgress  *progress,
                        GError             **error)
{
  g_autofree double *a = g_try_malloc_n (n * sizeof (double), n);
  double mean = 0.0;
  int info = 1;

  if (a == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "no memory to factorize a Hessian of %" G_GSIZE_FORMAT " columns", n);
      return FALSE;
    }

  for (gsize i = 0; i < n; i++)
    mean += scale * (double) gram[i * n + i] / (double) n;
  for (int i = 1; i <= ATTEMPTS && info != 0; i++)
    {
      reverse (gram, n, scale, i * TARE_HESSIAN_DAMPING * mean, a);
      if (!factorize (a, n, &info, progress, error))
        return FALSE;
    }
  if (info != 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "a Hessian of %" G_GSIZE_FORMAT " columns is not positive definite", n);
      return FALSE;
    }

  for (gsize i = 0; i < n; i++)
    {
      double root = a[(n - 1 - i) * n + n - 1 - i];

      remainders[i] = root * root;
    }

  return TRUE;
}

static gpointer
make_remainders (TareMeasureContext  *context,
                 const TareTensor    *tensor,
                 const TareProgress  *progress,
                 GError             **error)
{
  const TareLayerActivations *activations = get_activations (context, tensor);
  g_autofree double *remainders = g_new (double, activations->columns);

  if (!tare_hessian_factorize (activations->gram, activations->columns,
                               2.0 / activations->n_tokens, remainders, progress, error))
    return NULL;

  return g_steal_pointer (&remainders);
}

/**
 * tare_hessian_get_remainders:
 * @context: a context with a calibration
 * @tensor: a layer of which that has the full input Hessian
 * @progress: (nullable): told of the work and asked whether to go on
 * @error: return location for an error
 *
 * Returns: (transfer none) (array): what tare_hessian_factorize() finds of its H, when first asked
 *   for, or %NULL with @error set
 */
const double *
tare_hessian_get_remainders (TareMeasureContext  *context,
                             const TareTensor    *tensor,
                             const TareProgress  *progress,
                             GError             **error)
{
  const TareTensor *owner = find_owner (context, tensor, get_activations (context, tensor));

  return tare_measure_context_find (context, "hessian remainders", owner, make_remainders, g_free,
                                    progress, error);
}

static gboolean
compute_trace (const TareMeasure     *self,
               TareMeasureContext    *context,
               const TareTensor      *tensor,
               const TareAssignment  *assignment,
               const TareProgress    *progress,
               TareMeasureValue      *value,
               GError               **error)
{
  value->value = tare_hessian_get_trace (get_activations (context, tensor));

  return TRUE;
}

static double
get_top (const TareSpectrum *spectrum)
{
  return spectrum->values[0];
}

static double
get_energy (const TareSpectrum *spectrum)
{
  return tare_spectrum_get_energy (spectrum, LEADING);
}

static double
get_condition (const TareSpectrum *spectrum)
{
  return tare_spectrum_get_condition (spectrum, TARE_HESSIAN_DAMPING);
}

/* What the rows below draw from a spectrum, by their offsets. */
static double (*const figures[]) (const TareSpectrum *spectrum) = {
  get_top,
  tare_spectrum_get_effective_rank,
  tare_spectrum_get_stable_rank,
  get_energy,
  get_condition,
};

static gboolean
compute_figure (const TareMeasure     *self,
                TareMeasureContext    *context,
                const TareTensor      *tensor,
                const TareAssignment  *assignment,
                const TareProgress    *progress,
                TareMeasureValue      *value,
                GError               **error)
{
  const TareSpectrum *spectrum = tare_hessian_get_spectrum (context, tensor, progress, error);

  if (spectrum == NULL)
    return FALSE;

  value->value = figures[self->offset] (spectrum);

  return TRUE;
}

/* Rows that need the spectrum of the input Hessian and differ in their words and in the figure. */
#define ROW(id_, label_, definition_, source_, direction_, figure_)                \
  {                                                                                \
    .id = id_,                                                                     \
    .label = label_,                                                               \
    .definition = definition_,                                                     \
    .unit = "",                                                                    \
    .source = source_,                                                             \
    .cost = TARE_MEASURE_COST_CALIBRATION,                                         \
    .direction = TARE_MEASURE_DIRECTION_ ## direction_,                            \
    .needs = TARE_MEASURE_NEEDS_CALIBRATION | TARE_MEASURE_NEEDS_SPECTRUM,         \
    .compute = compute_figure,                                                     \
    .offset = figure_,                                                             \
  }

const TareMeasure _tare_measures_of_hessian[] = {
  {
    .id = "hessian_trace",
    .label = N_("Input Hessian trace"),
    .definition = N_("tr(H) of H = 2XX'/T: twice the energy that a token brings to the layer."),
    .unit = "",
    .source = "Frantar et al., GPTQ, arXiv:2210.17323, section 3",
    .cost = TARE_MEASURE_COST_CALIBRATION,
    .direction = TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
    .needs = TARE_MEASURE_NEEDS_CALIBRATION,
    .compute = compute_trace,
  },
  ROW ("hessian_top", N_("Input Hessian maximum"),
       N_("The largest eigenvalue of H = 2XX'/T."),
       "Frantar et al., GPTQ, arXiv:2210.17323, section 3", MORE_IS_WORSE, 0),
  ROW ("hessian_effective_rank", N_("Input effective rank"),
       N_("How many directions the inputs use: exp of the entropy of H's eigenvalues' shares; "
          "an estimate above 2048 columns, a rougher one where only a sketch was kept."),
       "Roy and Vetterli, The effective rank, EUSIPCO 2007", NEITHER, 1),
  ROW ("hessian_stable_rank", N_("Input stable rank"),
       N_("The trace of H over its largest eigenvalue."),
       "Rudelson and Vershynin, arXiv:math/0503442", NEITHER, 2),
  ROW ("hessian_energy", N_("Input energy, leading"),
       N_("The share of H's trace in its 32 largest eigenvalues."),
       "Eckart and Young, 1936", NEITHER, 3),
  ROW ("hessian_condition", N_("Input condition"),
       N_("The condition of H with a hundredth of its mean diagonal added, as GPTQ does; perhaps "
          "more above 2048 columns."),
       "Frantar et al., GPTQ, arXiv:2210.17323, section 3", NEITHER, 4),
  { .id = NULL },
};
