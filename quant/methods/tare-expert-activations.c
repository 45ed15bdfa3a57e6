/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/methods/tare-expert-activations.h"

/**
 * tare_expert_activations_new:
 * @n: how many experts, at least 1
 * @columns: inputs of each, at least 1
 *
 * Returns: (transfer full) (nullable): sums of 0, %NULL when there is no memory for them
 */
TareExpertActivations *
tare_expert_activations_new (gsize n,
                             gsize columns)
{
  g_autoptr(TareExpertActivations) self = g_new0 (TareExpertActivations, 1);

  g_return_val_if_fail (n > 0 && columns > 0, NULL);

  if (columns > G_MAXSIZE / sizeof (double) / n)
    return NULL;

  self->n = n;
  self->n_tokens = g_try_new0 (double, n);
  self->sum_squares = g_try_new0 (float, n * columns);
  self->maximum = g_try_new0 (float, n * columns);
  if (self->n_tokens == NULL || self->sum_squares == NULL || self->maximum == NULL)
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_expert_activations_free:
 * @self: (nullable) (transfer full): the sums
 */
void
tare_expert_activations_free (TareExpertActivations *self)
{
  if (self == NULL)
    return;

  g_free (self->n_tokens);
  g_free (self->sum_squares);
  g_free (self->maximum);
  g_free (self);
}
