/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"

G_BEGIN_DECLS

TareTensor *_tare_tensor_new  (TareFile          *file,
                               const char        *name,
                               const char        *type_name,
                               const TareFormat  *format,
                               guint              n_dimensions,
                               const guint64     *shape,
                               guint64            offset,
                               guint64            bytes);
TareTensor *_tare_tensor_copy (const TareTensor  *self);
void        _tare_tensor_set_unit (TareTensor        *self);
gsize       _tare_tensor_count_parameters (const TareTensor *self);
gboolean    _tare_tensor_is_raw (const TareTensor  *self);

G_END_DECLS
