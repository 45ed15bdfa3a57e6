/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "analysis/statistics/tare-spectrum.h"
#include "tests/fuzz/fuzz.h"

/* The sketch of an input Hessian and its diagonal, as a calibration file brings them: the columns
 * of either, a byte each, then their floats. It is refused, or has a spectrum of numbers. */
int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  gsize n = size > 0 ? (gsize) data[0] + 1 : 1;
  gsize k = MIN (size > 1 ? (gsize) data[1] + 1 : 1, n);
  g_autofree float *floats = g_new0 (float, n * (k + 1));
  g_autoptr(TareSpectrum) spectrum = NULL;
  g_autoptr(GError) error = NULL;

  if (size > 2)
    memcpy (floats, data + 2, MIN (size - 2, n * (k + 1) * sizeof *floats));
  for (gsize i = 0; i < n; i++)
    floats[i] = isfinite (floats[i]) ? fabsf (floats[i]) : 0.0f;

  spectrum = tare_spectrum_of_sketch (floats + n, floats, n, k, NULL, &error);
  if (spectrum == NULL)
    {
      g_assert_nonnull (error);
      return 0;
    }
  g_assert_no_error (error);
  g_assert_true (spectrum->trace == 0.0 || isfinite (tare_spectrum_get_effective_rank (spectrum)));
  for (gsize i = 0; i < spectrum->n_values; i++)
    {
      g_assert_true (isfinite (spectrum->values[i]) && spectrum->values[i] >= 0.0);
      g_assert_true (i == 0 || spectrum->values[i] <= spectrum->values[i - 1]);
    }

  return 0;
}
