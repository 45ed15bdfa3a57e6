/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-target-folder-private.h"

G_BEGIN_DECLS

/**
 * TareSchemeGroup:
 * @packer: (nullable): how they are laid out
 * @input: what their inputs are rounded to
 * @format: (nullable): what its layers are in; %NULL for those that are not quantized
 * @patterns: (element-type utf8): expressions that match their names from the beginning, also under
 *   the name of the fused layer that a runtime makes of them
 * @names: (element-type utf8): the names themselves
 *
 * Linear layers that are stored alike.
 */
typedef struct
{
  const TareFormat *format;
  const TarePacker *packer;
  TareAssignment    input;
  GPtrArray        *patterns;
  GPtrArray        *names;
} TareSchemeGroup;

extern const TarePacker _tare_packer_packed;
extern const TarePacker _tare_packer_int8;
extern const TarePacker _tare_packer_float8;
extern const TarePacker _tare_packer_squares;
extern const TarePacker _tare_packer_nvfp4;
extern const TarePacker _tare_packer_mxfp4;
extern const TarePacker _tare_packer_gptq;
extern const TarePacker _tare_packer_gptq_v2;
extern const TarePacker _tare_packer_awq;

gboolean   _tare_packer_has_half_scales (const TareFormat  *format);
GPtrArray *_tare_folder_group_layers    (GArray            *items);
JsonArray *_tare_folder_list_strings    (GPtrArray         *strings,
                                         const char        *prefix);
void       _tare_folder_set_half        (JsonObject        *config);

G_END_DECLS
