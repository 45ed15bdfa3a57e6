/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-sketcher.h"

#include <cblas.h>

#include "analysis/statistics/tare-spectrum.h"

/* Tokens whose products are added up in binary32, as in a collector's grams, and multiplications of
 * one product at most, so that it can be cancelled. */
#define TOKENS_PER_SUM 2048
#define PRODUCT_SIZE   4e9

/* Ω, @rows x @columns, and room for XΩ and X'(XΩ). */
struct _TareSketcher
{
  gsize  rows;
  gsize  columns;
  float *omega;
  float *seen;
  float *product;
};

/**
 * tare_sketcher_new:
 *
 * Returns: (transfer full): a sketcher without room
 */
TareSketcher *
tare_sketcher_new (void)
{
  return g_new0 (TareSketcher, 1);
}

static void
clear_room (TareSketcher *self)
{
  g_clear_pointer (&self->omega, g_free);
  g_clear_pointer (&self->seen, g_free);
  g_clear_pointer (&self->product, g_free);
  self->rows = self->columns = 0;
}

/**
 * tare_sketcher_free:
 * @self: (transfer full): the sketcher
 */
void
tare_sketcher_free (TareSketcher *self)
{
  clear_room (self);
  g_free (self);
}

/**
 * tare_sketcher_make_room:
 * @self: the sketcher
 * @n: inputs of a layer
 * @k: columns of its sketch
 *
 * Prepares for layers of up to @n inputs, all sketched with @k columns until room is made for
 * another number of them.
 *
 * Returns: whether there was memory for it
 */
gboolean
tare_sketcher_make_room (TareSketcher *self,
                         gsize         n,
                         gsize         k)
{
  gsize size;

  g_return_val_if_fail (n > 0 && k > 0, FALSE);

  if (n <= self->rows && k == self->columns)
    return TRUE;

  clear_room (self);
  if (!g_size_checked_mul (&size, n, k))
    return FALSE;
  self->omega = g_try_new (float, size);
  self->product = g_try_new (float, size);
  self->seen = g_try_new (float, TOKENS_PER_SUM * k);
  if (self->omega == NULL || self->product == NULL || self->seen == NULL)
    {
      clear_room (self);
      return FALSE;
    }
  tare_sketch_fill_signs (self->omega, n, k);
  self->rows = n;
  self->columns = k;

  return TRUE;
}

/**
 * tare_sketcher_add:
 * @self: a sketcher with room
 * @x: tokens, @n_tokens x @n
 * @n_tokens: how many
 * @n: inputs of the layer
 * @sums: (array): n x k, to which X'(XΩ) is added
 * @progress: (nullable): asked, though not told, between products; once it is cancelled @sums no
 *   longer count
 *
 * Adds tokens to a sketch, by two products that cost k / n of Σxx' each. It is the same however the
 * tokens are divided, but for the rounding of sums of up to 2048 tokens.
 */
void
tare_sketcher_add (TareSketcher       *self,
                   const float        *x,
                   gsize               n_tokens,
                   gsize               n,
                   double             *sums,
                   const TareProgress *progress)
{
  int k = (int) self->columns;
  double fitting = PRODUCT_SIZE / ((double) n * (double) k);
  gsize step = (gsize) CLAMP (fitting, 1.0, TOKENS_PER_SUM);

  g_return_if_fail (n <= self->rows);

  for (gsize t = 0; t < n_tokens && !tare_progress_cancelled (progress); t += step)
    {
      int count = (int) MIN (step, n_tokens - t);

      cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, count, k, (int) n, 1.0f, x + t * n,
                   (int) n, self->omega, k, 0.0f, self->seen, k);
      cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, (int) n, k, count, 1.0f, x + t * n,
                   (int) n, self->seen, k, 0.0f, self->product, k);
#pragma omp parallel for simd
      for (gsize i = 0; i < n * (gsize) k; i++)
        sums[i] += (double) self->product[i];
    }
}
