/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-file.h"
#include "quant/model/tare-tensor.h"

G_BEGIN_DECLS

gboolean tare_safetensors_read (TareFile   *file,
                                GPtrArray  *tensors,
                                GError    **error);

G_END_DECLS
