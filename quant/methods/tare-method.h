/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format.h"
#include "quant/methods/tare-calibration.h"

G_BEGIN_DECLS

typedef struct _TareMethod TareMethod;

/**
 * TareMethod:
 * @id: what the command line and recipes call it, "rtn"
 * @label: what a person reads
 * @description: one translatable sentence
 * @round: rounds x (rows x columns) into @codes, tare_format_get_bytes(); where the format is row
 *   local, x may be any part of a tensor's rows
 *
 * One row of the method table: how weights are rounded to a format's grid.
 */
struct _TareMethod
{
  const char *id;
  const char *label;
  const char *description;
  gboolean  (*round) (const TareMethod            *self,
                      const TareFormat            *format,
                      TareRange                    range,
                      const float                 *x,
                      gsize                        rows,
                      gsize                        columns,
                      const TareLayerActivations  *activations,
                      guint8                      *codes,
                      const TareProgress          *progress,
                      GError                     **error);
};

gsize             tare_method_get_n_methods (void);
const TareMethod *tare_method_get           (gsize       index);
const char       *tare_method_name_at       (gsize       index);
const TareMethod *tare_method_lookup        (const char *id);

G_END_DECLS
