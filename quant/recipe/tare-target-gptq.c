/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/recipe/tare-packers-private.h"

#define N_(s) (s)

static gboolean
is_held (const TareFormat *format,
         TareContainers    container)
{
  return format != NULL && format->family != TARE_FORMAT_FAMILY_FLOAT
         && (format->containers & container) != 0;
}

static const TarePacker *
find_gptq_packer (const TareFormat *format)
{
  return is_held (format, TARE_CONTAINER_GPTQ) ? &_tare_packer_gptq : NULL;
}

static const TarePacker *
find_gptq_v2_packer (const TareFormat *format)
{
  return is_held (format, TARE_CONTAINER_GPTQ) ? &_tare_packer_gptq_v2 : NULL;
}

static const TarePacker *
find_awq_packer (const TareFormat *format)
{
  return is_held (format, TARE_CONTAINER_AWQ) ? &_tare_packer_awq : NULL;
}

static const char *
refuse_scales (const TareFormat *format)
{
  if (!tare_format_has_parts (format))
    return N_("The format cannot be taken apart into codes and scales");

  return _tare_packer_has_half_scales (format)
         ? NULL : N_("The container has scales of half precision alone");
}

static const char *
refuse_gptq (const TareTensor *file,
             const TareFormat *format)
{
  if (file->rows % 32 != 0 || file->columns % 32 != 0)
    return N_("Its inputs and outputs are no multiples of 32");

  return refuse_scales (format);
}

static const char *
refuse_awq (const TareTensor *file,
            const TareFormat *format)
{
  if (file->rows % 8 != 0)
    return N_("Its outputs are no multiple of 8");

  return refuse_scales (format);
}

static int
get_group_size (const TareFormat *format)
{
  return format->group > 0 ? (int) format->group : -1;
}

/* The group with the most layers, which is what the folder is said to be. */
static const TareSchemeGroup *
find_main (GPtrArray *groups)
{
  const TareSchemeGroup *best = NULL;

  for (guint i = 0; i < groups->len; i++)
    {
      const TareSchemeGroup *group = g_ptr_array_index (groups, i);

      if (group->format != NULL && (best == NULL || group->names->len > best->names->len))
        best = group;
    }

  return best;
}

static void
set_scheme (JsonObject       *object,
            const TareFormat *format)
{
  json_object_set_int_member (object, "bits", format->bits);
  json_object_set_int_member (object, "group_size", get_group_size (format));
  json_object_set_boolean_member (object, "desc_act", FALSE);
  json_object_set_boolean_member (object, "sym", !format->asymmetric);
}

/* What is stored otherwise than most layers, or not quantized, by expressions of which the first
 * that matches counts. */
static JsonObject *
list_others (GPtrArray             *groups,
             const TareSchemeGroup *most)
{
  JsonObject *object = json_object_new ();

  for (guint i = 0; i < groups->len; i++)
    {
      const TareSchemeGroup *group = g_ptr_array_index (groups, i);

      for (guint j = 0; j < group->patterns->len && group != most; j++)
        {
          g_autofree char *key = g_strconcat (group->format != NULL ? "+:" : "-:",
                                              g_ptr_array_index (group->patterns, j), NULL);
          JsonObject *scheme = json_object_new ();

          if (group->format != NULL)
            set_scheme (scheme, group->format);
          json_object_set_object_member (object, key, scheme);
        }
    }

  return object;
}

static void
configure_gptq_with (GArray     *items,
                     JsonObject *config,
                     const char *checkpoint)
{
  g_autoptr(GPtrArray) groups = _tare_folder_group_layers (items);
  const TareSchemeGroup *most = find_main (groups);
  g_autoptr(JsonObject) others = NULL;
  JsonObject *object = NULL, *meta = NULL;
  JsonArray *quantizer = NULL;

  if (most == NULL)
    return;

  object = json_object_new ();
  meta = json_object_new ();
  quantizer = json_array_new ();
  others = list_others (groups, most);
  set_scheme (object, most->format);
  json_object_set_boolean_member (object, "lm_head", FALSE);
  json_object_set_string_member (object, "quant_method", "gptq");
  json_object_set_string_member (object, "checkpoint_format", checkpoint);
  json_object_set_string_member (object, "pack_dtype", "int32");
  json_array_add_string_element (quantizer, "tare:1.0");
  json_object_set_array_member (meta, "quantizer", quantizer);
  json_object_set_object_member (object, "meta", meta);
  if (json_object_get_size (others) > 0)
    json_object_set_object_member (object, "dynamic", json_object_ref (others));
  json_object_set_object_member (config, "quantization_config", object);
  _tare_folder_set_half (config);
}

static void
configure_gptq (GArray     *items,
                JsonObject *config)
{
  configure_gptq_with (items, config, "gptq");
}

static void
configure_gptq_v2 (GArray     *items,
                   JsonObject *config)
{
  configure_gptq_with (items, config, "gptq_v2");
}

/* Layers are left out by parts of their names, which may be those of fused ones. */
static void
configure_awq (GArray     *items,
               JsonObject *config)
{
  g_autoptr(GPtrArray) groups = _tare_folder_group_layers (items);
  const TareSchemeGroup *most = find_main (groups);
  JsonObject *object = NULL;

  if (most == NULL)
    return;

  object = json_object_new ();
  json_object_set_string_member (object, "quant_method", "awq");
  json_object_set_int_member (object, "bits", most->format->bits);
  json_object_set_int_member (object, "group_size", get_group_size (most->format));
  json_object_set_boolean_member (object, "zero_point", TRUE);
  json_object_set_string_member (object, "version", "gemm");
  json_object_set_null_member (object, "modules_to_not_convert");
  for (guint i = 0; i < groups->len; i++)
    {
      const TareSchemeGroup *group = g_ptr_array_index (groups, i);

      if (group->format == NULL)
        json_object_set_array_member (object, "modules_to_not_convert",
                                      _tare_folder_list_strings (group->names, ""));
    }
  json_object_set_object_member (config, "quantization_config", object);
  _tare_folder_set_half (config);
}

static const TareFolderKind gptq = {
  .container = TARE_CONTAINER_GPTQ,
  .what = "GPTQ",
  .instead = "INT4 g128",
  .runtime = TRUE,
  .symmetric = TRUE,
  .copy_name = "quantize_config.json",
  .find_packer = find_gptq_packer,
  .refuse = refuse_gptq,
  .configure = configure_gptq,
};

static const TareFolderKind gptq_v2 = {
  .container = TARE_CONTAINER_GPTQ,
  .what = "GPTQ",
  .instead = "INT4 g128",
  .runtime = TRUE,
  .copy_name = "quantize_config.json",
  .find_packer = find_gptq_v2_packer,
  .refuse = refuse_gptq,
  .configure = configure_gptq_v2,
};

static const TareFolderKind awq = {
  .container = TARE_CONTAINER_AWQ,
  .what = "AWQ",
  .instead = "INT4 asym g128",
  .runtime = TRUE,
  .uniform = TRUE,
  .find_packer = find_awq_packer,
  .refuse = refuse_awq,
  .configure = configure_awq,
};

const TareTarget _tare_target_gptq = {
  .id = "gptq",
  .label = N_("GPTQ for vLLM and transformers"),
  .container = TARE_CONTAINER_GPTQ,
  .suffix = "-gptq",
  .folder = TRUE,
  .variant = &gptq,
  .plan = _tare_folder_plan,
  .write = _tare_folder_write,
};

const TareTarget _tare_target_gptq_v2 = {
  .id = "gptq-v2",
  .label = N_("GPTQ, second version, also with zero points"),
  .container = TARE_CONTAINER_GPTQ,
  .suffix = "-gptq-v2",
  .folder = TRUE,
  .variant = &gptq_v2,
  .plan = _tare_folder_plan,
  .write = _tare_folder_write,
};

const TareTarget _tare_target_awq = {
  .id = "awq",
  .label = N_("AWQ for vLLM and transformers"),
  .container = TARE_CONTAINER_AWQ,
  .suffix = "-awq",
  .folder = TRUE,
  .variant = &awq,
  .plan = _tare_folder_plan,
  .write = _tare_folder_write,
};
