/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-engine.h"

#include <string.h>

#include "quant/recipe/tare-engine-private.h"
#include "quant/tare-hash.h"

static gboolean
load (gpointer             data,
      const TareTensor    *tensor,
      float               *out,
      const TareProgress  *progress,
      GError             **error)
{
  TareRecipeWeights *self = data;
  TareAssignment assignment = tare_recipe_resolve (self->recipe, tensor);
  const TareProgress quiet = {
    .cancellable = progress != NULL ? progress->cancellable : NULL, .end = 1.0,
  };
  g_autoptr(TareQuantized) quantized = NULL;

  quantized = tare_engine_quantize (self->engine, tensor, &assignment, self->calibration,
                                    &quiet, error);
  if (quantized == NULL)
    return FALSE;

  return tare_quantized_decode (quantized, tensor, out, error);
}

static gboolean
load_rows (gpointer             data,
           const TareTensor    *tensor,
           gsize                first,
           gsize                n,
           float               *out,
           const TareProgress  *progress,
           GError             **error)
{
  TareRecipeWeights *self = data;
  TareAssignment assignment = tare_recipe_resolve (self->recipe, tensor);
  const TareProgress quiet = {
    .cancellable = progress != NULL ? progress->cancellable : NULL, .end = 1.0,
  };
  g_autoptr(TareQuantized) quantized = NULL;
  const guint8 *bytes;

  quantized = tare_engine_quantize (self->engine, tensor, &assignment, self->calibration,
                                    &quiet, error);
  if (quantized == NULL)
    return FALSE;
  if (quantized->bytes == NULL)
    return tare_weights_load_rows (&tare_weights_of_file, tensor, first, n, out, progress, error);

  bytes = g_bytes_get_data (quantized->bytes, NULL);
  tare_format_decode_rows (quantized->format, bytes, tensor->rows, tensor->columns, first, n, out);

  return TRUE;
}

static guint64
fingerprint (gpointer          data,
             const TareTensor *tensor)
{
  TareRecipeWeights *self = data;
  TareAssignment assignment = tare_recipe_resolve (self->recipe, tensor);
  const TareFormat *format = _tare_engine_find_format (tensor, &assignment);
  g_autofree char *key = NULL;
  guint64 hash;

  if (format == NULL)
    return 0;

  key = _tare_engine_make_key (tensor, format, &assignment, self->calibration);
  hash = tare_hash_bytes (TARE_HASH_START, key, strlen (key));

  return hash != 0 ? hash : 1;
}

/* Of a layer that is kept what its file says, where the recipe says nothing. */
static TareActivationFormat
find_own_rounding (TareRecipeWeights *self,
                   const char        *canonical)
{
  const TareTensor *tensor = tare_model_lookup (tare_engine_get_model (self->engine), canonical);
  TareActivationFormat none = { .range = TARE_RANGE_MINIMUM_MAXIMUM };

  if (tensor == NULL || tare_recipe_resolve (self->recipe, tensor).format != NULL)
    return none;

  return tare_weights_get_own_rounding (tensor);
}

static TareActivationFormat
round_activations (gpointer    data,
                   const char *name)
{
  TareRecipeWeights *self = data;
  TareAssignment assignment = tare_recipe_resolve_activation (self->recipe, name);
  TareActivationFormat rounding = {
    .format = assignment.format, .range = assignment.range, .scale = assignment.scale,
    .clip = assignment.clip, .window = assignment.window,
  };
  const TareLayerActivations *activations = NULL;
  g_autofree char *canonical = NULL;

  if (g_str_has_suffix (name, ".input"))
    canonical = g_strdup_printf ("%.*s.weight", (int) (strlen (name) - strlen (".input")), name);
  if (assignment.format == NULL && canonical != NULL)
    return find_own_rounding (self, canonical);
  if (assignment.scale == TARE_ACTIVATION_SCALE_TOKEN)
    return rounding;

  rounding.range = TARE_RANGE_MINIMUM_MAXIMUM;
  if (canonical != NULL)
    activations = tare_calibration_lookup (self->calibration, canonical);
  if (activations != NULL)
    {
      rounding.limits = activations->maximum;
      rounding.n_limits = activations->columns;
    }

  return rounding;
}

/**
 * tare_recipe_weights_new:
 * @engine: what quantizes
 * @recipe: what is asked for
 * @calibration: (nullable): activations for it
 *
 * Its fingerprints depend on a tensor's name, format, method, range and calibration alone, so they
 * are the same in another process, and those of tensors that a recipe leaves alone are 0.
 *
 * Returns: (transfer full): the weights as the recipe makes them
 */
TareRecipeWeights *
tare_recipe_weights_new (TareEngine      *engine,
                         TareRecipe      *recipe,
                         TareCalibration *calibration)
{
  TareRecipeWeights *self = g_new0 (TareRecipeWeights, 1);

  self->engine = tare_engine_ref (engine);
  self->recipe = tare_recipe_ref (recipe);
  self->calibration = calibration != NULL ? tare_calibration_ref (calibration) : NULL;
  self->weights = (TareWeights) { .load = load, .fingerprint = fingerprint, .data = self,
                                   .load_rows = load_rows, .round = round_activations };

  return self;
}

/**
 * tare_recipe_weights_free:
 * @self: (transfer full): the weights
 */
void
tare_recipe_weights_free (TareRecipeWeights *self)
{
  g_clear_pointer (&self->calibration, tare_calibration_unref);
  tare_recipe_unref (self->recipe);
  tare_engine_unref (self->engine);
  g_free (self);
}
