/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The scale of inputs that a calibration knows before. */
#include <string.h>

#include "quant/formats/tare-half.h"
#include "quant/recipe/tare-target-folder-private.h"

static float
find_limit (const TareLayerActivations *activations,
            const TareAssignment       *input)
{
  double clip = input->clip > 0.0 ? input->clip : 1.0;
  float largest = 0.0f;

  for (gsize i = 0; i < activations->columns; i++)
    largest = MAX (largest, activations->maximum[i]);

  return (float) (clip * (double) largest);
}

/**
 * _tare_folder_measure_input:
 * @self: an item whose inputs are rounded by one range
 * @calibration: what knows their largest, as the plan has seen
 * @output: (out caller-allocates): four bytes, for the scale in F32
 * @error: return location
 *
 * The scale is the one that the preview has: of a row that reaches to the limits.
 *
 * Returns: %FALSE with @error set where the format does not take them
 */
gboolean
_tare_folder_measure_input (TareItem         *self,
                            TareCalibration  *calibration,
                            guint8           *output,
                            GError          **error)
{
  const TareEncoding encoding = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  const TareFormat *format = self->input.format;
  const TareLayerActivations *activations = tare_calibration_lookup (calibration,
                                                                     self->leader->canonical);
  float row[2] = { 0.0f };
  guint32 word;
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, 1, G_N_ELEMENTS (row)));
  g_autoptr(TareParts) parts = tare_parts_new (format, 1, G_N_ELEMENTS (row));

  row[0] = find_limit (activations, &self->input);
  row[1] = -row[0];
  if (!tare_format_encode (format, &encoding, row, 1, G_N_ELEMENTS (row), codes, NULL, error)
      || !tare_format_take_apart (format, codes, parts, error))
    return FALSE;

  /* Inputs that are all 0 have no range of their own. */
  word = GUINT32_TO_LE (tare_float_to_bits (parts->scales[0] > 0.0f ? parts->scales[0] : 1.0f));
  memcpy (output, &word, sizeof word);

  return TRUE;
}
