/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"
#include "quant/network/tare-activation-format.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareWeights:
 * @load: writes the tensor's rows x columns values to @out, in GGUF's row order
 * @fingerprint: the same number for the same values of one tensor; 0 for those of the file
 * @data: closure of both
 * @progress: (nullable): asked by @load whether to go on, and told nothing
 * @load_rows: (nullable): writes @n rows from @first on alone; %NULL where all are as cheap
 *
 * @round: (nullable): says what activations are rounded to, by names in the manner of tensors':
 *   "blk.3.attn_q.input" for the input of it and what shares it; "blk.3.attn.query",
 *   "blk.3.attn.key" and "blk.3.attn.value" for what attention sees; "output.input"
 *
 * Where a network takes its weights from: the file itself, or what a recipe makes of them. The
 * forward pass is the same for both. All functions may be called in any thread, one at a time.
 */
typedef struct
{
  gboolean (*load)        (gpointer             data,
                           const TareTensor    *tensor,
                           float               *out,
                           const TareProgress  *progress,
                           GError             **error);
  guint64  (*fingerprint) (gpointer             data,
                           const TareTensor    *tensor);
  gpointer             data;
  const TareProgress  *progress;
  gboolean (*load_rows)   (gpointer             data,
                           const TareTensor    *tensor,
                           gsize                first,
                           gsize                n,
                           float               *out,
                           const TareProgress  *progress,
                           GError             **error);

  TareActivationFormat (*round) (gpointer    data,
                                 const char *name);
} TareWeights;

/* The values as the file has them. */
extern const TareWeights tare_weights_of_file;

TareWeights tare_weights_with_progress (const TareWeights   *self,
                                        const TareProgress  *progress);
gboolean    tare_weights_load_rows     (const TareWeights   *self,
                                        const TareTensor    *tensor,
                                        gsize                first,
                                        gsize                n,
                                        float               *out,
                                        const TareProgress  *progress,
                                        GError             **error);

TareActivationFormat tare_weights_get_own_rounding (const TareTensor *tensor);

G_END_DECLS
