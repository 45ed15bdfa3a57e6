/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/recipe/tare-packers-private.h"

#define N_(s) (s)

/* 8-bit floats in squares of 128 x 128 with a scale each, as DeepSeek-V3's files have them
 * (README_WEIGHTS.md there): what is called weight_scale_inv is what codes are multiplied with.
 * vLLM, SGLang and transformers read it and round the inputs of such layers themselves. */
#define SIDE 128

static const TarePacker *
find_packer (const TareFormat *format)
{
  return format != NULL && (format->containers & TARE_CONTAINER_FP8) != 0 ? &_tare_packer_squares
                                                                         : NULL;
}

/* Rows of another order there must stay within their squares. */
static gboolean
crosses_squares (const TareTensor *file)
{
  if (file->head_groups > 0)
    return TRUE;

  return file->head_rows > 0 && SIDE % file->head_rows != 0;
}

/* Layers that a runtime makes one of have whole squares each (vLLM's validate_fp8_block_shape), and
 * so have the matrices of experts, which are one over the other here. */
static gboolean
is_fused (const TareTensor *file)
{
  static const char *const fused[] = {
    "attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up", "ffn_gate_shexp", "ffn_up_shexp",
    "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", NULL,
  };

  return file->role != NULL && g_strv_contains (fused, file->role->id);
}

static const char *
refuse (const TareTensor *file,
        const TareFormat *format)
{
  if (file->transposed)
    return N_("The container has no matrices of inputs by outputs");
  if (crosses_squares (file))
    return N_("Its rows are in another order there, and those of a square would be apart");
  if (is_fused (file) && file->rows % SIDE != 0)
    return N_("It is run as one with its siblings, and its outputs are no multiple of 128");

  return NULL;
}

static void
configure (GArray     *items,
           JsonObject *config)
{
  g_autoptr(GPtrArray) groups = _tare_folder_group_layers (items);
  JsonObject *object = NULL;
  JsonArray *block = NULL, *kept = NULL;
  gboolean any = FALSE;

  for (guint i = 0; i < groups->len; i++)
    any = any || ((const TareSchemeGroup *) g_ptr_array_index (groups, i))->format != NULL;
  if (!any)
    return;

  object = json_object_new ();
  block = json_array_new ();
  json_array_add_int_element (block, SIDE);
  json_array_add_int_element (block, SIDE);
  json_object_set_string_member (object, "quant_method", "fp8");
  json_object_set_string_member (object, "fmt", "e4m3");
  json_object_set_string_member (object, "activation_scheme", "dynamic");
  json_object_set_array_member (object, "weight_block_size", block);
  for (guint i = 0; i < groups->len; i++)
    {
      const TareSchemeGroup *group = g_ptr_array_index (groups, i);

      if (group->format == NULL)
        kept = _tare_folder_list_strings (group->names, "");
    }
  if (kept == NULL)
    kept = json_array_new ();
  json_array_add_string_element (kept, "lm_head");
  json_object_set_array_member (object, "modules_to_not_convert", kept);
  json_object_set_object_member (config, "quantization_config", object);
}

static const TareFolderKind kind = {
  .container = TARE_CONTAINER_FP8,
  .what = "FP8 in squares",
  .instead = "FP8 E4M3 128x128",
  .runtime = TRUE,
  .find_packer = find_packer,
  .refuse = refuse,
  .configure = configure,
};

const TareTarget _tare_target_fp8 = {
  .id = "fp8",
  .label = N_("FP8 in squares, as DeepSeek's, for vLLM"),
  .container = TARE_CONTAINER_FP8,
  .suffix = "-fp8",
  .folder = TRUE,
  .variant = &kind,
  .plan = _tare_folder_plan,
  .write = _tare_folder_write,
};
