/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-session-private.h"

/* What is known of the recipe as a whole. */

/**
 * tare_session_get_size:
 * @self: the session
 *
 * Returns: how large the model is under the present recipe
 */
TareRecipeSize
tare_session_get_size (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), (TareRecipeSize) { 0 });

  return self->size;
}

/**
 * tare_session_get_base_accuracy:
 * @self: the session
 * @accuracy: (out): how well the model does at full precision
 *
 * Returns: whether that is known
 */
TareFigureState
tare_session_get_base_accuracy (TareSession  *self,
                                TareAccuracy *accuracy)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), TARE_FIGURE_STATE_NONE);

  *accuracy = self->base_accuracy;

  return self->base_state;
}

/**
 * tare_session_get_accuracy:
 * @self: the session
 * @accuracy: (out): how well the model does under the recipe
 *
 * Returns: whether that is known, and whether it is of the present recipe
 */
TareFigureState
tare_session_get_accuracy (TareSession  *self,
                           TareAccuracy *accuracy)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), TARE_FIGURE_STATE_NONE);

  *accuracy = self->accuracy;

  return self->state;
}

/**
 * tare_session_get_token_scores:
 * @self: the session
 *
 * Returns: (transfer none) (nullable): every prediction of the last measurement, of which
 *   tare_session_get_accuracy() tells whether it is of the present recipe
 */
TareTokenScores *
tare_session_get_token_scores (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  return self->state != TARE_FIGURE_STATE_NONE ? self->token_scores : NULL;
}
