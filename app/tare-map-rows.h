/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"

G_BEGIN_DECLS

char     *tare_map_rows_label (const TareTensor *tensor);
gboolean  tare_map_rows_share (const TareTensor *a,
                               const TareTensor *b);

G_END_DECLS
