/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-weights.h"

static gboolean
load (gpointer           data,
      const TareTensor  *tensor,
      float             *out,
      GError           **error)
{
  return tare_tensor_read (tensor, out, error);
}

static guint64
fingerprint (gpointer          data,
             const TareTensor *tensor)
{
  return 0;
}

const TareWeights tare_weights_of_file = { load, fingerprint, NULL };
