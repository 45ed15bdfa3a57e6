/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-evaluator.h"

/* Marks what the interface translates. */
#define N_(string) string

static const TareEvaluationModeInfo modes[] = {
  {
    TARE_EVALUATION_MODE_LLAMA_CPP, "llama.cpp", "llama.cpp",
    N_("Chunks that begin with the begin token, of which the second half is scored"),
  },
  {
    TARE_EVALUATION_MODE_SEGMENTS, "segments", N_("Segments"),
    N_("Segments scored whole with nothing inserted, as papers on quantization do"),
  },
};

/**
 * tare_evaluation_mode_get_n_modes:
 *
 * Returns: how many conventions there are
 */
gsize
tare_evaluation_mode_get_n_modes (void)
{
  return G_N_ELEMENTS (modes);
}

/**
 * tare_evaluation_mode_get:
 * @index: below tare_evaluation_mode_get_n_modes()
 *
 * Returns: (transfer none): a convention
 */
const TareEvaluationModeInfo *
tare_evaluation_mode_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (modes), NULL);

  return &modes[index];
}

/**
 * tare_evaluation_mode_name_at:
 * @index: from 0
 *
 * Returns: (transfer none) (nullable): the id of a row, %NULL behind the last; a #TareNameAt
 */
const char *
tare_evaluation_mode_name_at (gsize index)
{
  return index < G_N_ELEMENTS (modes) ? modes[index].id : NULL;
}

/**
 * tare_evaluation_mode_lookup:
 * @id: what the command line calls it
 *
 * Returns: (transfer none) (nullable): the convention, or %NULL where there is none of that name
 */
const TareEvaluationModeInfo *
tare_evaluation_mode_lookup (const char *id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    if (g_strcmp0 (modes[i].id, id) == 0)
      return &modes[i];

  return NULL;
}
