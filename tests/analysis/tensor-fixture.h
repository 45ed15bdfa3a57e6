/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"

G_BEGIN_DECLS

TareTensor *tensor_fixture_new (const float *x,
                                gsize        rows,
                                gsize        columns);

G_END_DECLS
