/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a recipe says of activations and a target's files do not: nothing of it is left out without
 * a word. */
#include <string.h>

#include "quant/network/tare-activation-site.h"
#include "quant/recipe/tare-recipe-private.h"
#include "quant/recipe/tare-target-private.h"
#include "quant/tare-error.h"

#define N_(s) (s)

/* What a rule would match that says what a model's own files say of its inputs. */
#define OWN_MATCH "*.input"

/* What is asked of the activations of one name. */
typedef struct
{
  const TareTarget *target;
  char             *name;
  const TareRule   *rule;
  TareAssignment    asked;
} Wish;

static void
wish_clear (gpointer data)
{
  g_free (((Wish *) data)->name);
}

static gboolean
is_of_cache (const Wish *self)
{
  return tare_recipe_is_of_cache (self->name);
}

static gboolean
has_window (const Wish *self)
{
  return is_of_cache (self) && self->asked.window > 0;
}

static gboolean
is_of_query (const Wish *self)
{
  return g_str_has_suffix (self->name, ".query");
}

static gboolean
has_no_place (const Wish *self)
{
  return !self->target->inputs;
}

static gboolean
is_of_output (const Wish *self)
{
  return g_str_has_prefix (self->name, "output.");
}

static gboolean
is_by_column (const Wish *self)
{
  return self->asked.scale == TARE_ACTIVATION_SCALE_CHANNEL;
}

/* Of a range that follows each token, not of one that is known before. */
static gboolean
is_cut_off (const Wish *self)
{
  return self->asked.scale == TARE_ACTIVATION_SCALE_TOKEN
         && (self->asked.clip > 0.0 || self->asked.range != TARE_RANGE_MINIMUM_MAXIMUM);
}

static gboolean
is_any (const Wish *self)
{
  return TRUE;
}

/* Why something is not written: the first row that applies. */
static const struct
{
  gboolean  (*applies) (const Wish *wish);
  const char *reason;
} rows[] = {
  { has_window, N_("The container has no place for how keys and values are kept, nor for a window "
                   "of them that is not rounded; choose that where the model is run") },
  { is_of_cache, N_("The container has no place for how keys and values are kept; choose that "
                    "where the model is run") },
  { is_of_query, N_("The container has no place for how queries are rounded") },
  { has_no_place, N_("The container has no place for how inputs of layers are rounded") },
  { is_of_output, N_("Only the linear layers of blocks are quantized there") },
  { is_by_column, N_("No runtime scales each column of the inputs by itself") },
  { is_cut_off, N_("There the range of a token is that of all its numbers, none cut off") },
  { is_any, N_("The container has no such rounding of inputs beside weights as these") },
};

static const char *
find_reason (const Wish *wish)
{
  gsize i = 0;

  while (!rows[i].applies (wish))
    i++;

  return rows[i].reason;
}

/* Of a layer that is kept what its file says, where the recipe says nothing: as it is previewed. */
static TareAssignment
find_own_rounding (TareRecipe       *recipe,
                   const TareTensor *tensor)
{
  TareAssignment none = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  TareActivationFormat own;

  if (tensor == NULL || tare_recipe_resolve (recipe, tensor).format != NULL)
    return none;

  own = tare_weights_get_own_rounding (tensor);

  return (TareAssignment) { .format = own.format, .range = own.range, .scale = own.scale };
}

/* @tensor is the layer whose inputs they are, if they are some. */
static void
add_wish (GArray           *wishes,
          const TareTarget *target,
          TareRecipe       *recipe,
          const TareTensor *tensor,
          const char       *name)
{
  Wish wish = { .target = target, .rule = _tare_recipe_find_activation_rule (recipe, name) };

  if (wish.rule != NULL)
    wish.asked = wish.rule->assignment;
  if (wish.asked.format == NULL)
    {
      wish.rule = NULL;
      wish.asked = find_own_rounding (recipe, tensor);
    }
  if (wish.asked.format == NULL)
    return;

  wish.name = g_strdup (name);
  g_array_append_val (wishes, wish);
}

/* Also of a model that cannot be run here. */
static GArray *
list_wishes (const TareTarget *target,
             TareModel        *model,
             TareRecipe       *recipe)
{
  static const char *const heads[] = { "query", "key", "value" };
  GArray *wishes = g_array_new (FALSE, FALSE, sizeof (Wish));

  g_array_set_clear_func (wishes, wish_clear);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      g_autofree char *name = NULL;

      if (tensor->block < 0 || tare_activation_site_find_leader (model, tensor) != tensor)
        continue;
      name = tare_activation_site_dup_input_name (tensor);
      add_wish (wishes, target, recipe, tensor, name);
    }
  add_wish (wishes, target, recipe, tare_model_lookup (model, "output.weight"), "output.input");
  for (guint block = 0; block < tare_model_get_n_blocks (model); block++)
    for (gsize i = 0; i < G_N_ELEMENTS (heads); i++)
      {
        g_autofree char *name = g_strdup_printf ("blk.%u.attn.%s", block, heads[i]);

        add_wish (wishes, target, recipe, NULL, name);
      }

  return wishes;
}

/* Notes what the recipe asks of activations and the plan's files do not say. A rule that is kept
 * nowhere is told once, by what it matches; one that is kept in places, of each where it is not. */
void
_tare_plan_note_activations (TarePlan         *self,
                             const TareTarget *target,
                             TareModel        *model,
                             TareRecipe       *recipe)
{
  g_autoptr(GArray) wishes = list_wishes (target, model, recipe);
  g_autoptr(GHashTable) kept = g_hash_table_new (NULL, NULL);
  g_autoptr(GHashTable) told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < wishes->len; i++)
    {
      const Wish *wish = &g_array_index (wishes, Wish, i);

      if (g_hash_table_contains (self->inputs, wish->name))
        g_hash_table_add (kept, (gpointer) wish->rule);
    }

  for (guint i = 0; i < wishes->len; i++)
    {
      const Wish *wish = &g_array_index (wishes, Wish, i);
      const char *reason = find_reason (wish);
      const char *name = wish->name;
      char *key = NULL;

      if (g_hash_table_contains (self->inputs, name))
        continue;
      if (!g_hash_table_contains (kept, wish->rule))
        name = wish->rule != NULL ? wish->rule->match : OWN_MATCH;
      key = g_strdup_printf ("%s|%s|%p", name, wish->asked.format->id, reason);
      if (g_hash_table_add (told, key))
        tare_plan_drop (self, name, wish->asked.format, reason);
    }
}

/* Static ranges that are written must be known, or the layer is not: told now, and not after what
 * comes before it has been written. */
gboolean
_tare_plan_check_ranges (TarePlan         *self,
                         TareModel        *model,
                         TareRecipe       *recipe,
                         TareCalibration  *calibration,
                         GError          **error)
{
  g_autofree char *others = NULL;
  const char *first = NULL;
  guint n = 0;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareLayerActivations *activations = NULL;
      g_autofree char *name = NULL;

      if (tare_activation_site_find_leader (model, tensor) != tensor)
        continue;
      name = tare_activation_site_dup_input_name (tensor);
      if (!g_hash_table_contains (self->inputs, name)
          || tare_recipe_resolve_activation (recipe, name).scale != TARE_ACTIVATION_SCALE_TENSOR)
        continue;
      activations = tare_calibration_lookup (calibration, tensor->canonical);
      if (activations != NULL && activations->maximum != NULL)
        continue;
      if (n++ == 0)
        first = tensor->canonical;
    }
  if (n == 0)
    return TRUE;

  others = n > 1 ? g_strdup_printf (" and %u more", n - 1) : g_strdup ("");
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: %s%s: a static range of inputs needs a calibration that tells the largest%s; "
               "calibrate first, or let each token have its own range",
               tare_model_get_path (model), first, others,
               calibration != NULL ? ", which this one does not" : "");

  return FALSE;
}
