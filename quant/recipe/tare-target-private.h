/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-target.h"

G_BEGIN_DECLS

extern const TareTarget _tare_target_gguf;
extern const TareTarget _tare_target_compressed;
extern const TareTarget _tare_target_gptq;
extern const TareTarget _tare_target_gptq_v2;
extern const TareTarget _tare_target_awq;
extern const TareTarget _tare_target_safetensors;
extern const TareTarget _tare_target_safetensors_f16;
extern const TareTarget _tare_target_safetensors_bf16;
extern const TareTarget _tare_target_tare;

G_END_DECLS
