/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-target.h"

G_BEGIN_DECLS

extern const TareTarget _tare_target_gguf;

G_END_DECLS
