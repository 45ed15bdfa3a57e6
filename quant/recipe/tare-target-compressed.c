/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/recipe/tare-packers-private.h"

#define N_(s) (s)

/* compressed-tensors for vLLM, and what it can round inputs to beside weights of 8 bits. */

static const TarePacker *
find_packer (const TareFormat *format)
{
  if (format == NULL || (format->containers & TARE_CONTAINER_COMPRESSED_TENSORS) == 0
      || format->family == TARE_FORMAT_FAMILY_FLOAT)
    return NULL;
  if (format->family == TARE_FORMAT_FAMILY_MINIFLOAT)
    return &_tare_packer_float8;
  if (format->family == TARE_FORMAT_FAMILY_MICROSCALING)
    return format->group == 16 ? &_tare_packer_nvfp4 : &_tare_packer_mxfp4;

  return &_tare_packer_packed;
}

/* What inputs may be rounded to, each token by itself or all by one range. */
static const char *const integers[] = {
  "int8_channel", "int8_restricted_channel", "int8_asym_channel", "int8_tensor", NULL,
};

static const char *const floats[] = { "fp8_e4m3_channel", "fp8_e4m3_tensor", NULL };

/* Integers with integers and floats with floats: W8A8. */
static const TarePacker *
find_input_packer (const TareFormat     *format,
                   const TareAssignment *input)
{
  gboolean integer = find_packer (format) == &_tare_packer_packed;
  gboolean fixed = input->scale == TARE_ACTIVATION_SCALE_TENSOR;

  if (format->bits != 8 || (format->group > 0 && !format->per_tensor) || format->asymmetric
      || (!integer && find_packer (format) != &_tare_packer_float8)
      || !g_strv_contains (integer ? integers : floats, input->format->id)
      || input->scale == TARE_ACTIVATION_SCALE_CHANNEL || (fixed && input->format->asymmetric)
      || (!fixed && (input->format->per_tensor || (input->clip > 0.0 && input->clip < 1.0)
                     || input->range != TARE_RANGE_MINIMUM_MAXIMUM)))
    return NULL;

  return integer ? &_tare_packer_int8 : &_tare_packer_float8;
}

/* vLLM takes one scale of the whole for layers that it fuses, the largest of weight_global_scale,
 * and does not scale the others again: it would read those wrong. */
static gboolean
shares_scale (const TareTensor *file,
              const TareFormat *format)
{
  static const char *const fused[] = {
    "attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up", "ffn_gate_exps", "ffn_up_exps",
    "ffn_gate_shexp", "ffn_up_shexp", NULL,
  };

  return find_packer (format) == &_tare_packer_nvfp4 && file->role != NULL
         && g_strv_contains (fused, file->role->id);
}

static const char *
refuse (const TareTensor *file,
        const TareFormat *format)
{
  if (file->transposed)
    return N_("The container has no matrices of inputs by outputs");
  if (!tare_format_has_parts (format))
    return N_("The format cannot be taken apart into codes and scales");
  if (shares_scale (file, format))
    return N_("Its siblings would have to share its scale of the whole, which the format has not");
  if (format->family == TARE_FORMAT_FAMILY_MINIFLOAT && format->group > 0)
    return N_("The runtime has 8-bit floats with scales of outputs or of the whole alone");

  return NULL;
}

static JsonObject *
describe_weights (const TareFormat *format)
{
  JsonObject *object = json_object_new ();
  gboolean integer = find_packer (format) == &_tare_packer_packed;
  const char *strategy = format->group > 0 && !format->per_tensor ? "group" : "channel";

  if (find_packer (format) == &_tare_packer_nvfp4)
    strategy = "tensor_group";
  else if (format->per_tensor && !integer)
    strategy = "tensor";

  json_object_set_int_member (object, "num_bits", format->bits);
  json_object_set_string_member (object, "type", integer ? "int" : "float");
  json_object_set_boolean_member (object, "symmetric", !format->asymmetric);
  json_object_set_string_member (object, "strategy", strategy);
  if (format->group > 0 && !format->per_tensor)
    json_object_set_int_member (object, "group_size", format->group);
  else
    json_object_set_null_member (object, "group_size");
  json_object_set_boolean_member (object, "dynamic", FALSE);
  json_object_set_null_member (object, "actorder");
  json_object_set_null_member (object, "block_structure");
  json_object_set_string_member (object, "observer", "minmax");
  json_object_set_object_member (object, "observer_kwargs", json_object_new ());
  if (find_packer (format) == &_tare_packer_mxfp4)
    json_object_set_string_member (object, "scale_dtype", "torch.uint8");

  return object;
}

static JsonObject *
describe_inputs (const TareAssignment *input)
{
  JsonObject *object = json_object_new ();
  gboolean fixed = input->scale == TARE_ACTIVATION_SCALE_TENSOR;
  gboolean floats8 = input->format->family == TARE_FORMAT_FAMILY_MINIFLOAT;

  json_object_set_int_member (object, "num_bits", input->format->bits);
  json_object_set_string_member (object, "type", floats8 ? "float" : "int");
  json_object_set_boolean_member (object, "symmetric", !input->format->asymmetric);
  json_object_set_string_member (object, "strategy", fixed ? "tensor" : "token");
  json_object_set_null_member (object, "group_size");
  json_object_set_boolean_member (object, "dynamic", !fixed);
  json_object_set_null_member (object, "actorder");
  json_object_set_null_member (object, "block_structure");
  if (fixed)
    json_object_set_string_member (object, "observer", "minmax");
  else
    json_object_set_null_member (object, "observer");
  json_object_set_object_member (object, "observer_kwargs", json_object_new ());

  return object;
}

static JsonArray *
list_class (void)
{
  JsonArray *array = json_array_new ();

  json_array_add_string_element (array, "Linear");

  return array;
}

/* A group that is the only one has all linear layers; several are told apart by names, as a class
 * would win over the names of layers that vLLM fuses. */
static void
add_group (JsonObject            *groups,
           const TareSchemeGroup *group,
           gboolean               only,
           gboolean               mixed)
{
  g_autofree char *name = g_strdup_printf ("group_%u", json_object_get_size (groups));
  JsonObject *object = json_object_new ();

  json_object_set_array_member (object, "targets",
                                only ? list_class ()
                                     : _tare_folder_list_strings (group->patterns, "re:"));
  json_object_set_object_member (object, "weights", describe_weights (group->format));
  if (group->input.format != NULL)
    json_object_set_object_member (object, "input_activations", describe_inputs (&group->input));
  else
    json_object_set_null_member (object, "input_activations");
  json_object_set_null_member (object, "output_activations");
  if (mixed)
    json_object_set_string_member (object, "format", group->packer->layout);
  json_object_set_object_member (groups, name, object);
}

static void
add_ignored (JsonArray             *ignored,
             const TareSchemeGroup *group)
{
  g_autoptr(JsonArray) patterns = _tare_folder_list_strings (group->patterns, "re:");

  for (guint i = 0; i < json_array_get_length (patterns); i++)
    json_array_add_string_element (ignored, json_array_get_string_element (patterns, i));
}

static void
configure (GArray     *items,
           JsonObject *config)
{
  g_autoptr(GPtrArray) groups = _tare_folder_group_layers (items);
  JsonObject *object = json_object_new ();
  JsonObject *members = json_object_new ();
  JsonArray *ignored = json_array_new ();
  const char *format = NULL;
  guint n_quantized = 0;
  gboolean mixed = FALSE;

  for (guint i = 0; i < groups->len; i++)
    {
      const TareSchemeGroup *group = g_ptr_array_index (groups, i);
      const char *layout = NULL;

      if (group->format == NULL)
        continue;
      n_quantized++;
      layout = group->packer->layout;
      mixed = mixed || (format != NULL && strcmp (layout, format) != 0);
      format = layout;
    }
  json_array_add_string_element (ignored, "lm_head");
  for (guint i = 0; i < groups->len; i++)
    {
      const TareSchemeGroup *group = g_ptr_array_index (groups, i);

      if (group->format != NULL)
        add_group (members, group, n_quantized == 1, mixed);
      else
        add_ignored (ignored, group);
    }

  json_object_set_string_member (object, "quant_method", "compressed-tensors");
  json_object_set_string_member (object, "format", format == NULL ? "dense"
                                                   : mixed ? "mixed-precision" : format);
  json_object_set_string_member (object, "quantization_status", "compressed");
  json_object_set_object_member (object, "config_groups", members);
  json_object_set_array_member (object, "ignore", ignored);
  json_object_set_null_member (object, "kv_cache_scheme");
  json_object_set_null_member (object, "global_compression_ratio");
  json_object_set_object_member (config, "quantization_config", object);
}

static const TareFolderKind kind = {
  .container = TARE_CONTAINER_COMPRESSED_TENSORS,
  .what = "compressed-tensors",
  .instead = "INT4 g128 or FP8 E4M3 channel",
  .runtime = TRUE,
  .find_packer = find_packer,
  .find_input_packer = find_input_packer,
  .refuse = refuse,
  .configure = configure,
};

const TareTarget _tare_target_compressed = {
  .id = "compressed-tensors",
  .label = N_("compressed-tensors for vLLM"),
  .container = TARE_CONTAINER_COMPRESSED_TENSORS,
  .suffix = "-compressed-tensors",
  .folder = TRUE,
  .inputs = TRUE,
  .variant = &kind,
  .plan = _tare_folder_plan,
  .write = _tare_folder_write,
};
