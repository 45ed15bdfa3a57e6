/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-safetensors.h"
#include "quant/network/tare-activation-site.h"
#include "quant/recipe/tare-target-folder-private.h"

/* safetensors' names of the formats that are plain floats. */
static const struct
{
  const char *format;
  const char *dtype;
} floats[] = {
  { "f32", "F32" },
  { "f16", "F16" },
  { "bf16", "BF16" },
};

static void
item_clear (gpointer data)
{
  TareItem *self = data;

  for (guint i = 0; i < G_N_ELEMENTS (self->outputs); i++)
    g_free (self->outputs[i].name);
  g_free (self->layer);
  g_clear_pointer (&self->file, tare_tensor_free);
}

static const char *
find_dtype (const TareFormat *format)
{
  for (gsize i = 0; i < G_N_ELEMENTS (floats) && format != NULL; i++)
    if (strcmp (floats[i].format, format->id) == 0)
      return floats[i].dtype;

  return NULL;
}

static void
set_bytes (TareOutput *output)
{
  output->bytes = tare_safetensors_get_bits (output->dtype) / 8;
  for (guint i = 0; i < output->n_dimensions; i++)
    output->bytes *= output->shape[i];
}

/**
 * _tare_item_add_output:
 * @self: an item with a packer
 * @part: what it is
 * @name: of the tensor behind the name of the layer; %NULL for the layout's own
 * @dtype: its type
 * @rows: of it
 * @columns: of it; 0 for a vector
 */
void
_tare_item_add_output (TareItem   *self,
                       TarePart    part,
                       const char *name,
                       const char *dtype,
                       guint64     rows,
                       guint64     columns)
{
  TareOutput *output = &self->outputs[part];

  for (gsize i = 0; i < tare_layout_get_n_layouts () && name == NULL; i++)
    if (strcmp (tare_layout_get (i)->id, self->packer->layout) == 0)
      name = tare_layout_get (i)->names[part];

  output->name = g_strconcat (self->layer, name, NULL);
  output->dtype = dtype;
  output->n_dimensions = columns > 0 ? 2 : 1;
  output->shape[0] = rows;
  output->shape[1] = columns;
  set_bytes (output);
  self->n_outputs++;
}

/**
 * _tare_item_get_bytes:
 * @self: an item
 *
 * Returns: what all of its outputs take
 */
guint64
_tare_item_get_bytes (const TareItem *self)
{
  guint64 bytes = 0;

  for (guint i = 0; i < G_N_ELEMENTS (self->outputs); i++)
    bytes += self->outputs[i].bytes;

  return bytes;
}

/* As one tensor of floats, or of whatever the source has. */
static void
plan_values (TareItem   *self,
             const char *dtype)
{
  TareOutput *output = &self->outputs[0];
  const TareTensor *file = self->file;

  output->name = g_strdup (file->name);
  output->dtype = dtype;
  output->n_dimensions = file->n_dimensions;
  memcpy (output->shape, file->shape, sizeof output->shape);
  if (file->transposed)
    {
      output->shape[0] = file->columns;
      output->shape[1] = file->rows;
    }
  set_bytes (output);
  if (self->raw)
    output->bytes = file->bytes;
  self->n_outputs = 1;
}

/* A norm of which a Hugging Face file leaves out a part that GGUF has. */
static float
find_offset (TareModel        *model,
             const TareTensor *tensor)
{
  const TareArchitecture *architecture = tare_model_get_architecture (model);

  if (architecture == NULL || tensor->role == NULL || tensor->bias || tensor->n_dimensions != 1
      || !g_str_has_suffix (tensor->role->id, "norm"))
    return 0.0f;

  return architecture->norm_offset;
}

static const TarePacker *
find_packer (const TareFolderKind *kind,
             const TareItem       *item)
{
  if (kind->find_packer == NULL)
    return NULL;

  return kind->find_packer (item->format != NULL ? item->format : item->tensor->format);
}

/* How codes are laid out beside inputs that are rounded, where that can be said. */
static void
take_input (TareItem             *self,
            const TareFolderKind *kind,
            TareModel            *model,
            TareRecipe           *recipe)
{
  TareAssignment input = _tare_folder_find_input (model, recipe, self->tensor);
  const TarePacker *packer = NULL;

  if (kind->find_input_packer == NULL || self->packer == NULL || input.format == NULL)
    return;

  packer = kind->find_input_packer (self->format != NULL ? self->format : self->tensor->format,
                                    &input);
  if (packer == NULL)
    return;

  self->packer = packer;
  self->input = input;
  self->leader = tare_activation_site_find_leader (model, self->tensor);
}

static void
plan_item (TareItem             *self,
           const TareFolderKind *kind,
           TareModel            *model,
           TareRecipe           *recipe)
{
  const TareTensor *tensor = self->tensor;
  gboolean folder = strcmp (tare_model_get_container (model), "safetensors") == 0;
  const char *dtype = find_dtype (self->format != NULL ? self->format : tensor->format);
  gsize stem = strlen (self->file->name);

  if (g_str_has_suffix (self->file->name, ".weight"))
    stem -= strlen (".weight");
  self->layer = g_strndup (self->file->name, stem);
  self->offset = find_offset (model, tensor);
  self->raw = self->format == NULL && self->offset == 0.0f && folder && tensor->stored == NULL
              && (tensor->format == NULL || dtype != NULL);
  if (self->raw)
    dtype = tensor->type_name;
  if (dtype == NULL)
    self->packer = find_packer (kind, self);
  take_input (self, kind, model, recipe);

  /* Codes that the source has are laid out like those that are made. */
  if (self->packer != NULL && !self->packer->whole && self->format == NULL)
    self->format = tensor->format;

  if (self->packer != NULL)
    self->packer->plan (self);
  else
    plan_values (self, dtype != NULL ? dtype : kind->value_type != NULL ? kind->value_type : "F32");
}

/* The matrices of the experts, each by itself; together under GGUF's name where they are encoded as
 * a whole. */
static void
add_experts (GArray               *items,
             const TareFolderKind *kind,
             TareModel            *model,
             TareRecipe           *recipe,
             const TareItem       *whole)
{
  const TareTensor *tensor = whole->tensor;
  const TarePacker *packer = find_packer (kind, whole);
  gboolean together = packer != NULL && packer->whole;
  gsize n = together ? 1 : tare_tensor_get_n_matrices (tensor);

  for (gsize i = 0; i < n; i++)
    {
      TareItem item = *whole;

      item.expert = i;
      item.file = tare_model_dup_folder_expert (model, tensor, i);
      if (item.file == NULL)
        continue;
      item.first = i * item.file->rows;
      if (together)
        {
          g_free (item.file->name);
          item.file->name = g_strdup (tensor->canonical);
        }
      plan_item (&item, kind, model, recipe);
      g_array_append_val (items, item);
    }
}

/**
 * _tare_folder_list_items:
 * @kind: of folder
 * @model: what is written
 * @recipe: how; the target's rules are applied already
 *
 * Returns: (transfer full) (element-type TareItem): what goes into the folder
 */
GArray *
_tare_folder_list_items (const TareFolderKind *kind,
                         TareModel            *model,
                         TareRecipe           *recipe)
{
  GArray *items = g_array_new (FALSE, TRUE, sizeof (TareItem));

  g_array_set_clear_func (items, item_clear);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      TareAssignment assignment = tare_recipe_resolve (recipe, tensor);
      TareItem item = { .tensor = tensor };

      if (assignment.format != NULL)
        item.format = tare_format_fit (assignment.format, tensor->columns);
      if (item.format == tensor->format)
        item.format = NULL;
      if (tare_tensor_is_stacked (tensor))
        {
          add_experts (items, kind, model, recipe, &item);
          continue;
        }
      item.file = tare_model_dup_folder_tensor (model, tensor);
      if (item.file == NULL)
        continue;
      plan_item (&item, kind, model, recipe);
      g_array_append_val (items, item);
    }

  return items;
}
