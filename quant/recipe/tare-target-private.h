/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-target.h"

G_BEGIN_DECLS

extern const TareTarget _tare_target_gguf;
extern const TareTarget _tare_target_compressed;
extern const TareTarget _tare_target_gptq;
extern const TareTarget _tare_target_gptq_v2;
extern const TareTarget _tare_target_awq;
extern const TareTarget _tare_target_fp8;
extern const TareTarget _tare_target_safetensors;
extern const TareTarget _tare_target_safetensors_f16;
extern const TareTarget _tare_target_safetensors_bf16;
extern const TareTarget _tare_target_tare;

gboolean _tare_plan_check_ranges     (TarePlan          *self,
                                      TareModel         *model,
                                      TareRecipe        *recipe,
                                      TareCalibration   *calibration,
                                      GError           **error);
void     _tare_plan_note_activations (TarePlan          *self,
                                      const TareTarget  *target,
                                      TareModel         *model,
                                      TareRecipe        *recipe);

G_END_DECLS
