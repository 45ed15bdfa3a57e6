/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-target-private.h"

#include "quant/recipe/tare-recipe-private.h"

static const TareTarget *const targets[] = {
  &_tare_target_gguf,
  &_tare_target_compressed,
  &_tare_target_gptq,
  &_tare_target_gptq_v2,
  &_tare_target_awq,
  &_tare_target_fp8,
  &_tare_target_safetensors,
  &_tare_target_safetensors_f16,
  &_tare_target_safetensors_bf16,
  &_tare_target_tare,
};

/**
 * tare_target_get_n_targets:
 *
 * Returns: how many rows the target table has
 */
gsize
tare_target_get_n_targets (void)
{
  return G_N_ELEMENTS (targets);
}

/**
 * tare_target_get:
 * @index: less than tare_target_get_n_targets()
 *
 * Returns: (transfer none): a row of the table
 */
const TareTarget *
tare_target_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (targets), NULL);

  return targets[index];
}

/**
 * tare_target_name_at:
 * @index: from 0
 *
 * Returns: (transfer none) (nullable): the id of a row, %NULL behind the last; a #TareNameAt
 */
const char *
tare_target_name_at (gsize index)
{
  return index < G_N_ELEMENTS (targets) ? targets[index]->id : NULL;
}

/**
 * tare_target_lookup:
 * @id: what the command line calls it
 *
 * Returns: (transfer none) (nullable): the row of that name
 */
const TareTarget *
tare_target_lookup (const char *id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    if (g_str_equal (targets[i]->id, id))
      return targets[i];

  return NULL;
}

static void
change_clear (gpointer data)
{
  g_free (((TareChange *) data)->name);
}

/**
 * tare_plan_new:
 * @recipe: what is asked for
 *
 * Returns: (transfer full): a plan that writes just that
 */
TarePlan *
tare_plan_new (TareRecipe *recipe)
{
  TarePlan *self = g_new0 (TarePlan, 1);

  self->recipe = tare_recipe_ref (recipe);
  self->changes = g_array_new (FALSE, FALSE, sizeof (TareChange));
  g_array_set_clear_func (self->changes, change_clear);
  self->inputs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  return self;
}

/**
 * tare_plan_free:
 * @self: (transfer full): a plan
 */
void
tare_plan_free (TarePlan *self)
{
  tare_recipe_unref (self->recipe);
  g_array_unref (self->changes);
  g_hash_table_unref (self->inputs);
  g_free (self);
}

/**
 * tare_plan_add:
 * @self: a plan
 * @tensor: one of the model, which must outlive the plan
 * @from: (nullable): what the recipe asks for
 * @to: (nullable): what is written instead
 * @bytes: how many more that takes
 * @reason: translatable, of static storage
 *
 * Notes a change. The plan's recipe is not touched.
 */
void
tare_plan_add (TarePlan         *self,
               const TareTensor *tensor,
               const TareFormat *from,
               const TareFormat *to,
               gint64            bytes,
               const char       *reason)
{
  TareChange change = { tensor, g_strdup (tensor->canonical), from, to, bytes, reason };

  g_array_append_val (self->changes, change);
}

/**
 * tare_plan_drop:
 * @self: a plan
 * @name: of activations, or what a rule of them matches
 * @from: what they would be rounded to
 * @reason: translatable, of static storage
 *
 * Notes activations that are not rounded in what is written, as the recipe has them. The plan's
 * recipe is not touched.
 */
void
tare_plan_drop (TarePlan         *self,
                const char       *name,
                const TareFormat *from,
                const char       *reason)
{
  TareChange change = { .name = g_strdup (name), .from = from, .reason = reason };

  g_array_append_val (self->changes, change);
}

/**
 * tare_target_get_format:
 * @self: a target
 * @recipe: a recipe
 * @tensor: a tensor of the model
 *
 * Returns: (nullable): what @self stores @tensor as, where the recipe fits it; as
 *   tare_recipe_effective_format() but for the target's own way with vectors, norms and biases
 */
const TareFormat *
tare_target_get_format (const TareTarget *self,
                        TareRecipe       *recipe,
                        const TareTensor *tensor)
{
  g_return_val_if_fail (self != NULL && recipe != NULL && tensor != NULL, NULL);

  if (self->vectors != NULL && tare_tensor_can_read (tensor) && !tare_tensor_is_weight (tensor))
    return tare_format_lookup (self->vectors);

  return tare_recipe_effective_format (recipe, tensor);
}

/**
 * tare_target_get_bytes:
 * @self: a target
 * @recipe: a recipe
 * @tensor: a tensor of the model
 *
 * Returns: how many bytes @tensor takes in that format, without padding
 */
guint64
tare_target_get_bytes (const TareTarget *self,
                       TareRecipe       *recipe,
                       const TareTensor *tensor)
{
  return _tare_recipe_measure_tensor (tare_target_get_format (self, recipe, tensor), tensor);
}

/**
 * tare_target_measure_bytes:
 * @self: a target
 * @recipe: a recipe
 * @model: the model
 *
 * Returns: how many bytes all tensors of @model take, where the recipe fits @self as it is
 */
guint64
tare_target_measure_bytes (const TareTarget *self,
                           TareRecipe       *recipe,
                           TareModel        *model)
{
  guint64 bytes = 0;

  g_return_val_if_fail (self != NULL && recipe != NULL && model != NULL, 0);

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    bytes += tare_target_get_bytes (self, recipe, tare_model_get_tensor (model, i));

  return bytes;
}

/**
 * tare_target_plan:
 * @self: a target
 * @model: what is to be written
 * @recipe: how
 * @calibration: (nullable): what is known of activations
 * @error: says what keeps the recipe from being written
 *
 * Applies the rules of whatever reads the target's files: what it keeps unquantized, which layers
 * it wants in one format, what its shapes forbid, what it cannot say of activations. Nothing is
 * rounded, so this is done at once. Static ranges that are written need a calibration that tells
 * the largest inputs.
 *
 * Returns: (transfer full) (nullable): what would be written, and how that differs from @recipe
 */
TarePlan *
tare_target_plan (const TareTarget  *self,
                  TareModel         *model,
                  TareRecipe        *recipe,
                  TareCalibration   *calibration,
                  GError           **error)
{
  g_autoptr(TarePlan) plan = self->plan (self, model, recipe, error);

  if (plan == NULL || !_tare_plan_check_ranges (plan, model, recipe, calibration, error))
    return NULL;
  _tare_plan_note_activations (plan, self, model, recipe);

  return g_steal_pointer (&plan);
}

/**
 * tare_target_check:
 * @self: a target
 * @model: what is to be written
 * @recipe: how
 * @calibration: (nullable): what is known of activations
 * @error: says what keeps the recipe from being written
 *
 * Returns: whether tare_target_plan() finds a way
 */
gboolean
tare_target_check (const TareTarget  *self,
                   TareModel         *model,
                   TareRecipe        *recipe,
                   TareCalibration   *calibration,
                   GError           **error)
{
  g_autoptr(TarePlan) plan = tare_target_plan (self, model, recipe, calibration, error);

  return plan != NULL;
}

/**
 * tare_target_write:
 * @self: a target
 * @engine: of the model that is to be written
 * @recipe: how; the target's rules are applied to it as tare_target_plan() says
 * @calibration: (nullable): activations for it
 * @path: the file or, where the target writes a folder, a folder that is not there or empty
 * @exported: (nullable) (element-type TareExported): where what was written is appended
 * @progress: (nullable): told of, and asked, every few rows
 * @error: return location
 *
 * Writes a model whole or not at all: beside @path, read back, and only then under that name.
 *
 * Returns: %FALSE with @error set
 */
gboolean
tare_target_write (const TareTarget    *self,
                   TareEngine          *engine,
                   TareRecipe          *recipe,
                   TareCalibration     *calibration,
                   const char          *path,
                   GArray              *exported,
                   const TareProgress  *progress,
                   GError             **error)
{
  return self->write (self, engine, recipe, calibration, path, exported, progress, error);
}
