/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* memfd_create */

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "quant/methods/tare-calibration.h"
#include "tests/fuzz/fuzz.h"

static void
use (TareCalibration *calibration)
{
  for (gsize i = 0; i < tare_calibration_get_n_layers (calibration); i++)
    {
      const char *name = tare_calibration_get_name (calibration, i);
      const TareLayerActivations *layer = tare_calibration_lookup (calibration, name);
      g_autofree float *importance = NULL;

      g_assert_nonnull (layer);
      importance = tare_calibration_dup_importance (calibration, name, layer->columns);
      for (gsize p = 0; p < layer->n_positions; p++)
        g_assert_true (layer->positions[p] >= 0.0f);
      g_assert_true (layer->sketch == NULL || layer->gram == NULL);
      for (gsize s = 0; s < layer->columns * layer->n_sketch; s++)
        g_assert_true (isfinite (layer->sketch[s]));
      for (gsize e = 0; layer->experts != NULL && e < layer->experts->n; e++)
        {
          const TareLayerActivations expert = tare_layer_activations_get_expert (layer, e);
          g_autofree float *own = tare_layer_activations_dup_importance (&expert);

          g_assert_nonnull (own);
        }
    }
  tare_calibration_get_fingerprint (calibration);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  int fd = memfd_create ("fuzz", 0);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareCalibration) calibration = NULL;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, data, size), ==, (gssize) size);
  calibration = tare_calibration_load (path, &error);
  if (calibration != NULL)
    use (calibration);
  else
    g_assert_nonnull (error);
  close (fd);

  return 0;
}
