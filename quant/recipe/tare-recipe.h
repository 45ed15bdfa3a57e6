/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/methods/tare-method.h"
#include "quant/model/tare-model.h"
#include "quant/network/tare-activation-format.h"

G_BEGIN_DECLS

/**
 * TareAssignment:
 * @format: (nullable): what to store the tensor as; %NULL keeps it as the source has it
 * @method: how to round it
 * @range: how ranges are chosen
 * @locked: whether allocation must leave it alone
 * @scale: of activations, what shares a scale
 * @clip: of activations, how much of the largest their range reaches to; 0 for all
 * @window: of keys and values, how many of the last tokens are not rounded; 0 for none
 *
 * What a recipe says of one tensor.
 */
typedef struct
{
  const TareFormat *format;
  const TareMethod *method;
  TareRange         range;
  gboolean          locked;

  TareActivationScale  scale;
  double               clip;
  guint                window;
} TareAssignment;

/**
 * TareRule:
 * @match: a glob over canonical names, "*.ffn_down.weight"
 * @assignment: what it says of those that match
 */
typedef struct
{
  char           *match;
  TareAssignment  assignment;
} TareRule;

/**
 * TareRecipe:
 *
 * Which tensor gets which format and method: rules, of which the later win. Immutable and
 * reference counted; a change makes another recipe, so history and threads may hold on to theirs.
 */
typedef struct _TareRecipe TareRecipe;

TareRecipe     *tare_recipe_new         (void);
TareRecipe     *tare_recipe_ref         (TareRecipe            *self);
void            tare_recipe_unref       (TareRecipe            *self);
gboolean        tare_recipe_equal       (TareRecipe            *self,
                                         TareRecipe            *other);
gsize           tare_recipe_get_n_rules (TareRecipe            *self);
const TareRule *tare_recipe_get_rule    (TareRecipe            *self,
                                         gsize                  index);
TareRecipe     *tare_recipe_with_rule   (TareRecipe            *self,
                                         const char            *match,
                                         const TareAssignment  *assignment);
TareRecipe     *tare_recipe_with_tensors (TareRecipe           *self,
                                         const char *const     *canonical,
                                         const TareAssignment  *assignment);
TareAssignment  tare_recipe_resolve     (TareRecipe            *self,
                                         const TareTensor      *tensor);

TareAssignment  tare_recipe_resolve_activation (TareRecipe     *self,
                                         const char            *name);
gboolean        tare_recipe_is_of_activations (const char      *match);
gboolean        tare_recipe_is_of_cache (const char            *match);
gboolean        tare_recipe_rounds_activations (TareRecipe     *self);
gboolean        tare_recipe_equal_for   (TareRecipe            *self,
                                         TareRecipe            *other,
                                         TareModel             *model);
guint64         tare_recipe_get_cache_bytes (TareRecipe        *self,
                                         TareModel             *model);

TareRecipe     *tare_recipe_parse       (const char            *text,
                                         gsize                  length,
                                         const char            *path,
                                         GError               **error);
TareRecipe     *tare_recipe_load        (const char            *path,
                                         GError               **error);
char           *tare_recipe_to_json     (TareRecipe            *self,
                                         TareModel             *model);
gboolean        tare_recipe_save        (TareRecipe            *self,
                                         TareModel             *model,
                                         const char            *path,
                                         GError               **error);

/**
 * TareRecipePreset:
 * @id: what the command line calls it, "w8a8"
 * @label: what a person reads
 * @rules: as a recipe file has them
 *
 * A recipe of which many speak by name.
 */
typedef struct
{
  const char *id;
  const char *label;
  const char *rules;
} TareRecipePreset;

gsize                   tare_recipe_get_n_presets (void);
const TareRecipePreset *tare_recipe_get_preset    (gsize       index);
TareRecipe             *tare_recipe_new_preset    (const char *id);

/**
 * TareRecipeSize:
 * @bytes: of all tensors, without headers
 * @weights: how many there are
 * @bits_per_weight: 8 bytes / weights
 * @source_bytes: of the tensors as the source has them
 * @n_fallbacks: tensors whose rows their format does not divide
 */
typedef struct
{
  guint64 bytes;
  guint64 weights;
  double  bits_per_weight;
  guint64 source_bytes;
  guint   n_fallbacks;
} TareRecipeSize;

GArray           *tare_recipe_list_unmatched    (TareRecipe       *self,
                                                 TareModel        *model);
TareRecipeSize    tare_recipe_measure_size      (TareRecipe       *self,
                                                 TareModel        *model);
const TareFormat *tare_recipe_effective_format  (TareRecipe       *self,
                                                 const TareTensor *tensor);
guint64           tare_recipe_get_tensor_bytes  (TareRecipe       *self,
                                                 const TareTensor *tensor);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareRecipe, tare_recipe_unref)

G_END_DECLS
