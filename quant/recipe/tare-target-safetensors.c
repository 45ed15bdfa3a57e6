/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/recipe/tare-target-folder-private.h"

#define N_(s) (s)

/* Values instead of codes, for programs that read no other: F32 has every value of every format
 * here, the others round once more. */
static const TareFolderKind f32 = {
  .container = TARE_CONTAINER_SAFETENSORS,
  .what = "safetensors",
  .value_type = NULL,
};

static const TareFolderKind f16 = {
  .container = TARE_CONTAINER_SAFETENSORS,
  .what = "safetensors",
  .value_type = "F16",
};

static const TareFolderKind bf16 = {
  .container = TARE_CONTAINER_SAFETENSORS,
  .what = "safetensors",
  .value_type = "BF16",
};

#define SAFETENSORS(name, text, kind)             \
  const TareTarget _tare_target_##name = {        \
    .id = text,                                   \
    .container = TARE_CONTAINER_SAFETENSORS,      \
    .suffix = "-" text,                           \
    .folder = TRUE,                               \
    .variant = &kind,                             \
    .plan = _tare_folder_plan,                    \
    .write = _tare_folder_write,

SAFETENSORS (safetensors, "safetensors", f32)
  .label = N_("Safetensors, values exact in F32"),
};

SAFETENSORS (safetensors_f16, "safetensors-f16", f16)
  .label = N_("Safetensors, values rounded to F16"),
};

SAFETENSORS (safetensors_bf16, "safetensors-bf16", bf16)
  .label = N_("Safetensors, values rounded to BF16"),
};

/* Tare's own layout: the encoded matrix as a vector of bytes under the name of the weight, rows in
 * GGUF's order; config.json has its format and its shape. */
static void
plan_tare (TareItem *item)
{
  const TareFormat *format = item->format != NULL ? item->format : item->tensor->format;

  _tare_item_add_output (item, TARE_PART_CODES, ".weight", "U8",
                         tare_format_get_bytes (format, item->tensor->rows, item->tensor->columns),
                         0);
}

static const TarePacker tare_packer = {
  .layout = "tare",
  .plan = plan_tare,
  .whole = TRUE,
};

static const TarePacker *
find_tare_packer (const TareFormat *format)
{
  return format != NULL && format->family != TARE_FORMAT_FAMILY_FLOAT ? &tare_packer : NULL;
}

static void
configure_tare (GArray     *items,
                JsonObject *config)
{
  JsonObject *object = json_object_new ();
  JsonObject *tensors = json_object_new ();

  json_object_set_string_member (object, "quant_method", "tare");
  json_object_set_int_member (object, "version", 1);
  json_object_set_object_member (object, "tensors", tensors);
  json_object_set_object_member (config, "quantization_config", object);
  for (guint i = 0; i < items->len; i++)
    {
      const TareItem *item = &g_array_index (items, TareItem, i);
      const TareFormat *format = item->format != NULL ? item->format : item->tensor->format;
      JsonObject *row = NULL;
      JsonArray *shape = NULL;

      if (item->packer == NULL)
        continue;
      row = json_object_new ();
      shape = json_array_new ();
      for (guint j = 0; j < item->tensor->n_dimensions; j++)
        json_array_add_int_element (shape, (gint64) item->tensor->shape[j]);
      json_object_set_string_member (row, "format", format->id);
      json_object_set_array_member (row, "shape", shape);
      json_object_set_object_member (tensors, item->outputs[0].name, row);
    }
}

static const TareFolderKind tare_kind = {
  .container = TARE_CONTAINER_TARE,
  .what = "Tare's layout",
  .instead = "Q4_K",
  .find_packer = find_tare_packer,
  .configure = configure_tare,
};

const TareTarget _tare_target_tare = {
  .id = "tare",
  .label = N_("Tare's own safetensors, for every format"),
  .container = TARE_CONTAINER_TARE,
  .suffix = "-tare",
  .folder = TRUE,
  .variant = &tare_kind,
  .plan = _tare_folder_plan,
  .write = _tare_folder_write,
};
