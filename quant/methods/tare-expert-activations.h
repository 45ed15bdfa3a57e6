/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareExpertActivations:
 * @n: how many experts
 * @n_tokens: tokens that were routed to each
 * @sum_squares: Σx² of every column, @n x columns
 * @maximum: (nullable): the largest |x| of every column, @n x columns, %NULL where a file did not
 *   tell
 *
 * What a calibration text sent through each of the matrices of a stacked layer.
 */
typedef struct
{
  gsize   n;
  double *n_tokens;
  float  *sum_squares;
  float  *maximum;
} TareExpertActivations;

TareExpertActivations *tare_expert_activations_new  (gsize                  n,
                                                     gsize                  columns);
void                   tare_expert_activations_free (TareExpertActivations *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareExpertActivations, tare_expert_activations_free)

G_END_DECLS
