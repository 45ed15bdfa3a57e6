/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-activation-format.h"

#include <string.h>

/* Rows that one thread rounds at a time. */
#define ROWS 32

/* Rounds rows that lie @stride apart, all by one encoding. */
static gboolean
round_together (const TareActivationFormat *self,
                float                      *x,
                gsize                       rows,
                gsize                       columns,
                gsize                       stride,
                GError                    **error)
{
  const TareEncoding encoding = { .range = self->range,
                                  .percentile = TARE_RANGE_DEFAULT_PERCENTILE };
  g_autofree float *packed = g_new (float, rows * columns);
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (self->format, rows, columns));

  for (gsize i = 0; i < rows; i++)
    memcpy (packed + i * columns, x + i * stride, columns * sizeof *x);
  if (!tare_format_encode (self->format, &encoding, packed, rows, columns, codes, NULL, error))
    return FALSE;

  tare_format_decode (self->format, codes, rows, columns, packed);
  for (gsize i = 0; i < rows; i++)
    memcpy (x + i * stride, packed + i * columns, columns * sizeof *x);

  return TRUE;
}

/**
 * tare_activation_format_apply:
 * @self: how to round, to a format whose rows know nothing of each other
 * @x: (inout): rows x columns, each @stride after the one before
 * @rows: tokens
 * @columns: of a token, which the blocks of the format divide
 * @stride: at least @columns
 * @error: what the encoder reports
 *
 * Rounds activations to what the format can hold, and back, each row by itself.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_activation_format_apply (const TareActivationFormat *self,
                              float                      *x,
                              gsize                       rows,
                              gsize                       columns,
                              gsize                       stride,
                              GError                    **error)
{
  GError *failure = NULL;

  g_return_val_if_fail (self != NULL && x != NULL && stride >= columns, FALSE);

  if (self->format == NULL || rows == 0)
    return TRUE;
#pragma omp parallel for schedule(static) if (rows > ROWS)
  for (gsize i = 0; i < rows; i += ROWS)
    {
      GError *own = NULL;

      if (round_together (self, x + i * stride, MIN (ROWS, rows - i), columns, stride, &own))
        continue;

#pragma omp critical (tare_activation_format_apply)
      if (failure == NULL)
        failure = g_steal_pointer (&own);
      g_clear_error (&own);
    }

  if (failure != NULL)
    g_propagate_error (error, failure);

  return failure == NULL;
}
