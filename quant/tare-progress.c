/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/tare-progress.h"

/**
 * tare_progress_step:
 * @self: (nullable): the progress
 * @fraction: how much of this part is done, from 0 to 1
 * @stage: (nullable): what is being done
 * @error: set to %G_IO_ERROR_CANCELLED when the work must stop
 *
 * Tells how far the work is and asks whether it is still wanted.
 *
 * Returns: %FALSE when it was cancelled
 */
gboolean
tare_progress_step (const TareProgress  *self,
                    double               fraction,
                    const char          *stage,
                    GError             **error)
{
  if (self == NULL)
    return TRUE;

  if (self->func != NULL)
    self->func (self->begin + (self->end - self->begin) * CLAMP (fraction, 0.0, 1.0),
                stage, self->data);

  return !g_cancellable_set_error_if_cancelled (self->cancellable, error);
}

/**
 * tare_progress_cancelled:
 * @self: (nullable): the progress
 *
 * For inner loops, which leave early and let the next step report the error. Safe in any thread.
 */
gboolean
tare_progress_cancelled (const TareProgress *self)
{
  return self != NULL && g_cancellable_is_cancelled (self->cancellable);
}

/**
 * tare_progress_part:
 * @self: (nullable): the progress of the whole
 * @begin: where in it the part begins, from 0 to 1
 * @end: where the part ends
 *
 * Returns: the progress to hand to one part of the work
 */
TareProgress
tare_progress_part (const TareProgress *self,
                    double              begin,
                    double              end)
{
  TareProgress part = TARE_PROGRESS_INIT (NULL, NULL, NULL);

  if (self == NULL)
    return part;

  part = *self;
  part.begin = self->begin + (self->end - self->begin) * begin;
  part.end = self->begin + (self->end - self->begin) * end;

  return part;
}
