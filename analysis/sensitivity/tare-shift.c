/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-shift.h"

#include <string.h>

#include "quant/tare-error.h"

static gboolean
moves (const TareShift  *self,
       gsize             index,
       const TareTensor *tensor)
{
  const TareDirection *direction = self->directions[index];

  return direction != NULL && self->factors[index] != 0.0 && tensor->role != NULL
         && tensor->role->matrix && !tensor->bias
         && direction->covers (direction->data, tensor);
}

static gboolean
load (gpointer             data,
      const TareTensor    *tensor,
      float               *out,
      const TareProgress  *progress,
      GError             **error)
{
  const TareShift *self = data;
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree float *move = NULL;

  if (!self->base->load (self->base->data, tensor, out, progress, error))
    return FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (self->directions); i++)
    {
      float factor = (float) self->factors[i];

      if (!moves (self, i, tensor))
        continue;
      if (move == NULL && (move = g_try_new (float, n)) == NULL)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: no memory to move it",
                       tensor->canonical);
          return FALSE;
        }
      if (!self->directions[i]->load (self->directions[i]->data, tensor, move, progress, error))
        return FALSE;

#pragma omp parallel for simd schedule(static) if (n >= 65536)
      for (gsize j = 0; j < n; j++)
        out[j] += factor * move[j];
    }

  return TRUE;
}

/* Where a tensor is moved, never the number of the file's own values. */
static guint64
get_fingerprint (gpointer          data,
                 const TareTensor *tensor)
{
  const TareShift *self = data;
  guint64 hash = self->base->fingerprint (self->base->data, tensor);

  for (gsize i = 0; i < G_N_ELEMENTS (self->directions); i++)
    {
      guint64 bits;

      memcpy (&bits, &self->factors[i], sizeof bits);
      if (moves (self, i, tensor))
        hash = (hash ^ bits) * 0x9e3779b97f4a7c15u + i + 1;
    }

  return hash;
}

/**
 * tare_shift_get_weights:
 * @self: the shift, which must outlive what is returned
 *
 * Returns: base + Σ factor direction
 */
TareWeights
tare_shift_get_weights (const TareShift *self)
{
  return (TareWeights) { load, get_fingerprint, (gpointer) self, self->base->progress };
}
