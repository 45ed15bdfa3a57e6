/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-recipe-private.h"

#include <string.h>

#include "quant/network/tare-activation-site.h"

/* One rule, shared by all the recipes that have it. */
typedef struct
{
  TareRule      rule;
  GPatternSpec *pattern;
  gboolean      exact;
} Rule;

struct _TareRecipe
{
  gatomicrefcount  ref_count;
  GPtrArray       *rules;
  GHashTable      *exact;
  GArray          *globs;
};

static void
rule_clear (gpointer data)
{
  Rule *self = data;

  g_free (self->rule.match);
  g_clear_pointer (&self->pattern, g_pattern_spec_free);
}

static void
rule_unref (gpointer data)
{
  g_atomic_rc_box_release_full (data, rule_clear);
}

static Rule *
rule_new (const char           *match,
          const TareAssignment *assignment)
{
  Rule *self = g_atomic_rc_box_new0 (Rule);

  self->rule.match = g_strdup (match);
  self->rule.assignment = *assignment;
  if (self->rule.assignment.method == NULL)
    self->rule.assignment.method = tare_method_get (0);

  self->exact = strpbrk (match, "*?") == NULL;
  if (!self->exact)
    self->pattern = g_pattern_spec_new (match);

  return self;
}

static gboolean
rule_matches (const Rule *self,
              const char *canonical)
{
  if (self->exact)
    return g_str_equal (self->rule.match, canonical);

  return g_pattern_spec_match_string (self->pattern, canonical);
}

/* What the names of activations end in, and those of no tensor do. */
static const char *const activations[] = { ".input", ".query", ".key", ".value" };

/**
 * tare_recipe_is_of_activations:
 * @match: a glob of a rule, or a name
 *
 * Rules speak of activations only where they say so at their end, so that "*" means all tensors
 * and no more.
 *
 * Returns: whether it ends as the names of activations do: "blk.3.attn_q.input", "*.key"
 */
gboolean
tare_recipe_is_of_activations (const char *match)
{
  g_return_val_if_fail (match != NULL, FALSE);

  for (gsize i = 0; i < G_N_ELEMENTS (activations); i++)
    if (g_str_has_suffix (match, activations[i]))
      return TRUE;

  return FALSE;
}

/**
 * tare_recipe_is_of_cache:
 * @match: a glob of a rule, or a name
 *
 * Returns: whether it speaks of keys or values, which a cache keeps
 */
gboolean
tare_recipe_is_of_cache (const char *match)
{
  g_return_val_if_fail (match != NULL, FALSE);

  return g_str_has_suffix (match, ".key") || g_str_has_suffix (match, ".value");
}

/* What a rule means that does not say how ranges are chosen: activations are too many, and too
 * short-lived, to be searched for. */
TareRange
_tare_recipe_usual_range (const char *match)
{
  return tare_recipe_is_of_activations (match) ? TARE_RANGE_MINIMUM_MAXIMUM : TARE_RANGE_SEARCH;
}

/* Whether nothing that @self says can show once @later follows it. */
static gboolean
rule_is_hidden_by (const Rule *self,
                   const Rule *later)
{
  if (tare_recipe_is_of_activations (self->rule.match)
      != tare_recipe_is_of_activations (later->rule.match))
    return FALSE;
  if (g_str_equal (later->rule.match, "*"))
    return TRUE;
  if (self->exact)
    return rule_matches (later, self->rule.match);

  return g_str_equal (self->rule.match, later->rule.match);
}

static gboolean
rule_equal (const Rule *self,
            const Rule *other)
{
  const TareAssignment *a = &self->rule.assignment;
  const TareAssignment *b = &other->rule.assignment;

  return self == other ||
         (g_str_equal (self->rule.match, other->rule.match) &&
          a->format == b->format && a->method == b->method && a->range == b->range &&
          !a->locked == !b->locked && a->scale == b->scale && a->clip == b->clip &&
          a->window == b->window);
}

/* The index says where the last exact rule of a name is, and where the globs are. */
static void
append (TareRecipe *self,
        Rule       *rule)
{
  guint position = self->rules->len;

  g_ptr_array_add (self->rules, rule);
  if (rule->exact)
    g_hash_table_insert (self->exact, rule->rule.match, GUINT_TO_POINTER (position));
  else
    g_array_append_val (self->globs, position);
}

/* For the parser, while nobody else has the recipe. Rules stay as the file has them. */
void
_tare_recipe_append (TareRecipe           *self,
                     const char           *match,
                     const TareAssignment *assignment)
{
  append (self, rule_new (match, assignment));
}

/**
 * tare_recipe_new:
 *
 * Returns: (transfer full): a recipe without rules, which keeps every tensor as it is
 */
TareRecipe *
tare_recipe_new (void)
{
  TareRecipe *self = g_new0 (TareRecipe, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->rules = g_ptr_array_new_with_free_func (rule_unref);
  self->exact = g_hash_table_new (g_str_hash, g_str_equal);
  self->globs = g_array_new (FALSE, FALSE, sizeof (guint));

  return self;
}

/**
 * tare_recipe_ref:
 * @self: a recipe
 *
 * Returns: (transfer full): the same
 */
TareRecipe *
tare_recipe_ref (TareRecipe *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

/**
 * tare_recipe_unref:
 * @self: (transfer full): a recipe
 */
void
tare_recipe_unref (TareRecipe *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_array_unref (self->globs);
  g_hash_table_unref (self->exact);
  g_ptr_array_unref (self->rules);
  g_free (self);
}

/**
 * tare_recipe_equal:
 * @self: a recipe
 * @other: another
 *
 * Returns: whether both have the same rules in the same order
 */
gboolean
tare_recipe_equal (TareRecipe *self,
                   TareRecipe *other)
{
  if (self == other)
    return TRUE;
  if (self->rules->len != other->rules->len)
    return FALSE;

  for (guint i = 0; i < self->rules->len; i++)
    if (!rule_equal (g_ptr_array_index (self->rules, i), g_ptr_array_index (other->rules, i)))
      return FALSE;

  return TRUE;
}

/**
 * tare_recipe_get_n_rules:
 * @self: a recipe
 *
 * Returns: how many rules it has
 */
gsize
tare_recipe_get_n_rules (TareRecipe *self)
{
  return self->rules->len;
}

/**
 * tare_recipe_get_rule:
 * @self: a recipe
 * @index: less than tare_recipe_get_n_rules()
 *
 * Returns: (transfer none): a rule; those that follow win over it
 */
const TareRule *
tare_recipe_get_rule (TareRecipe *self,
                      gsize       index)
{
  const Rule *rule;

  g_return_val_if_fail (index < self->rules->len, NULL);

  rule = g_ptr_array_index (self->rules, index);

  return &rule->rule;
}

/**
 * tare_recipe_with_rule:
 * @self: a recipe
 * @match: a glob over canonical names, with * and ?
 * @assignment: what it says of those that match; without a method, the first of the table
 *
 * Rules that the new one hides altogether are left out, so that a recipe does not grow while it
 * is being edited: those of the same glob, those of a single name that it matches, and all of them
 * for "*".
 *
 * Returns: (transfer full): the recipe with the rule at its end
 */
TareRecipe *
tare_recipe_with_rule (TareRecipe           *self,
                       const char           *match,
                       const TareAssignment *assignment)
{
  TareRecipe *result;
  Rule *added;

  g_return_val_if_fail (match != NULL && assignment != NULL, NULL);

  result = tare_recipe_new ();
  added = rule_new (match, assignment);
  for (guint i = 0; i < self->rules->len; i++)
    {
      Rule *rule = g_ptr_array_index (self->rules, i);

      if (!rule_is_hidden_by (rule, added))
        append (result, g_atomic_rc_box_acquire (rule));
    }
  append (result, added);

  return result;
}

/**
 * tare_recipe_with_tensors:
 * @self: a recipe
 * @canonical: (array zero-terminated=1): names of tensors
 * @assignment: what to say of each of them
 *
 * Earlier rules of one of these names are left out, so painting the same tensors again does not
 * make a recipe longer.
 *
 * Returns: (transfer full): the recipe with a rule for every tensor at its end
 */
TareRecipe *
tare_recipe_with_tensors (TareRecipe           *self,
                          const char *const    *canonical,
                          const TareAssignment *assignment)
{
  g_autoptr(GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  TareRecipe *result;

  g_return_val_if_fail (canonical != NULL && assignment != NULL, NULL);

  result = tare_recipe_new ();
  for (gsize i = 0; canonical[i] != NULL; i++)
    g_hash_table_add (names, (gpointer) canonical[i]);

  for (guint i = 0; i < self->rules->len; i++)
    {
      Rule *rule = g_ptr_array_index (self->rules, i);

      if (!g_hash_table_contains (names, rule->rule.match))
        append (result, g_atomic_rc_box_acquire (rule));
    }
  for (gsize i = 0; canonical[i] != NULL; i++)
    if (g_hash_table_remove (names, canonical[i]))
      append (result, rule_new (canonical[i], assignment));

  return result;
}

static const Rule *
find_rule (TareRecipe *self,
           const char *canonical)
{
  gpointer value = NULL;
  gboolean found = g_hash_table_lookup_extended (self->exact, canonical, NULL, &value);
  guint exact = GPOINTER_TO_UINT (value);

  for (guint i = self->globs->len; i > 0; i--)
    {
      guint position = g_array_index (self->globs, guint, i - 1);
      const Rule *rule = g_ptr_array_index (self->rules, position);

      if (found && position < exact)
        break;
      if (rule_matches (rule, canonical))
        return rule;
    }

  return found ? g_ptr_array_index (self->rules, exact) : NULL;
}

/**
 * tare_recipe_resolve:
 * @self: a recipe
 * @tensor: a tensor of the model
 *
 * The last rule that matches the canonical name wins. Vectors, norms and what no codec here reads
 * are kept, whatever the rules say.
 *
 * Returns: what the recipe says of @tensor; without a format, it is kept
 */
TareAssignment
tare_recipe_resolve (TareRecipe       *self,
                     const TareTensor *tensor)
{
  const Rule *rule = find_rule (self, tensor->canonical);
  TareAssignment assignment = { .format = NULL, .range = TARE_RANGE_SEARCH };

  if (rule != NULL)
    assignment = rule->rule.assignment;
  else
    assignment.method = tare_method_get (0);
  if (!tare_tensor_can_read (tensor) || !tare_tensor_is_weight (tensor))
    assignment.format = NULL;

  return assignment;
}

/* (transfer none) (nullable): the last rule of activations that matches a name */
const TareRule *
_tare_recipe_find_activation_rule (TareRecipe *self,
                                   const char *name)
{
  for (guint i = self->rules->len; i > 0; i--)
    {
      const Rule *rule = g_ptr_array_index (self->rules, i - 1);

      if (tare_recipe_is_of_activations (rule->rule.match) && rule_matches (rule, name))
        return &rule->rule;
    }

  return NULL;
}

/**
 * tare_recipe_resolve_activation:
 * @self: a recipe
 * @name: "blk.3.attn_q.input" and the like, as TareWeights names activations
 *
 * The last rule that matches wins, of those that speak of activations.
 *
 * Returns: what the recipe says of them; without a format, they are not rounded
 */
TareAssignment
tare_recipe_resolve_activation (TareRecipe *self,
                                const char *name)
{
  const TareAssignment none = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  const TareRule *rule;

  g_return_val_if_fail (self != NULL && name != NULL, none);

  rule = _tare_recipe_find_activation_rule (self, name);

  return rule != NULL ? rule->assignment : none;
}

/* Activations have names only where there is a forward pass, so without one nothing is said. */
static gboolean
rule_finds_any (const Rule *self,
                TareModel  *model,
                GPtrArray  *sites)
{
  if (tare_recipe_is_of_activations (self->rule.match))
    {
      for (guint i = 0; i < sites->len; i++)
        if (rule_matches (self, ((TareActivationSite *) g_ptr_array_index (sites, i))->name))
          return TRUE;

      return sites->len == 0;
    }

  if (self->exact)
    return tare_model_lookup (model, self->rule.match) != NULL;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    if (rule_matches (self, tare_model_get_tensor (model, i)->canonical))
      return TRUE;

  return FALSE;
}

/**
 * tare_recipe_list_unmatched:
 * @self: a recipe
 * @model: a model
 *
 * Finds rules that say nothing of @model, as one with a mistyped name does.
 *
 * Returns: (transfer full) (element-type guint): their places in the recipe, from 0
 */
GArray *
tare_recipe_list_unmatched (TareRecipe *self,
                            TareModel  *model)
{
  GArray *unmatched = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr(GPtrArray) sites = NULL;

  g_return_val_if_fail (self != NULL && model != NULL, unmatched);

  sites = tare_activation_site_list (model);
  for (guint i = 0; i < self->rules->len; i++)
    if (!rule_finds_any (g_ptr_array_index (self->rules, i), model, sites))
      g_array_append_val (unmatched, i);

  return unmatched;
}

/**
 * tare_recipe_rounds_activations:
 * @self: a recipe
 *
 * Returns: whether a rule of it gives activations a format
 */
gboolean
tare_recipe_rounds_activations (TareRecipe *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  for (guint i = 0; i < self->rules->len; i++)
    {
      const TareRule *rule = tare_recipe_get_rule (self, i);

      if (rule->assignment.format != NULL && tare_recipe_is_of_activations (rule->match))
        return TRUE;
    }

  return FALSE;
}

static gboolean
rounds_alike (const TareAssignment *a,
              const TareAssignment *b)
{
  if (a->format != b->format)
    return FALSE;

  return a->format == NULL
         || (a->method == b->method && a->range == b->range && a->scale == b->scale
             && a->clip == b->clip && a->window == b->window);
}

/**
 * tare_recipe_equal_for:
 * @self: a recipe
 * @other: another
 * @model: a model
 *
 * Returns: whether both make the same of the weights and activations of @model, so that what was
 *   measured of one holds of the other, however their rules are put and whatever they lock
 */
gboolean
tare_recipe_equal_for (TareRecipe *self,
                       TareRecipe *other,
                       TareModel  *model)
{
  g_autoptr(GPtrArray) sites = NULL;

  g_return_val_if_fail (self != NULL && other != NULL && model != NULL, FALSE);

  if (tare_recipe_equal (self, other))
    return TRUE;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      TareAssignment a = tare_recipe_resolve (self, tare_model_get_tensor (model, i));
      TareAssignment b = tare_recipe_resolve (other, tare_model_get_tensor (model, i));

      if (!rounds_alike (&a, &b))
        return FALSE;
    }

  sites = tare_activation_site_list (model);
  for (guint i = 0; i < sites->len; i++)
    {
      const TareActivationSite *site = g_ptr_array_index (sites, i);
      TareAssignment a = tare_recipe_resolve_activation (self, site->name);
      TareAssignment b = tare_recipe_resolve_activation (other, site->name);

      if (!rounds_alike (&a, &b))
        return FALSE;
    }

  return TRUE;
}

/**
 * tare_recipe_get_cache_bytes:
 * @self: a recipe
 * @model: a model
 *
 * Returns: bytes of the keys and values of one token in all blocks, scales and all; those that the
 *   recipe does not round take 16 bits. 0 where there is no forward pass for @model
 */
guint64
tare_recipe_get_cache_bytes (TareRecipe *self,
                             TareModel  *model)
{
  g_autoptr(GPtrArray) sites = NULL;
  guint64 bytes = 0;

  g_return_val_if_fail (self != NULL && model != NULL, 0);

  sites = tare_activation_site_list (model);
  for (guint i = 0; i < sites->len; i++)
    {
      const TareActivationSite *site = g_ptr_array_index (sites, i);
      TareAssignment assignment = tare_recipe_resolve_activation (self, site->name);

      if (tare_activation_site_is_cached (site))
        bytes += tare_activation_site_get_bytes (site, assignment.format);
    }

  return bytes;
}

/**
 * tare_recipe_effective_format:
 * @self: a recipe
 * @tensor: a tensor of the model
 *
 * What the recipe's format comes to: where its blocks do not divide the rows, the first along the
 * chain of fallbacks whose blocks do; of what is kept, the source's own. A target may have vectors,
 * norms and biases in another, see tare_target_get_format().
 *
 * Returns: (transfer none) (nullable): what @tensor is stored as; %NULL where the source's type is
 *   none of the table and its bytes are passed on
 */
const TareFormat *
tare_recipe_effective_format (TareRecipe       *self,
                              const TareTensor *tensor)
{
  TareAssignment assignment = tare_recipe_resolve (self, tensor);

  if (assignment.format != NULL)
    return tare_format_fit (assignment.format, tensor->columns);

  return tensor->format;
}

/**
 * tare_recipe_get_tensor_bytes:
 * @self: a recipe
 * @tensor: a tensor of the model
 *
 * Returns: how many bytes @tensor takes, without padding; of what is kept, those of the source
 */
guint64
tare_recipe_get_tensor_bytes (TareRecipe       *self,
                              const TareTensor *tensor)
{
  return _tare_recipe_measure_tensor (tare_recipe_effective_format (self, tensor), tensor);
}

/* Bytes of a tensor in a format, %NULL for as the source has it. */
guint64
_tare_recipe_measure_tensor (const TareFormat *format,
                             const TareTensor *tensor)
{
  if (format == NULL || format == tensor->format)
    return tare_tensor_get_bytes (tensor);

  return tare_format_get_bytes (format, tensor->rows, tensor->columns);
}

/**
 * tare_recipe_measure_size:
 * @self: a recipe
 * @model: the model
 *
 * Returns: the exact size of all tensors of @model under the recipe; without a rule, that of the
 *   source
 */
TareRecipeSize
tare_recipe_measure_size (TareRecipe *self,
                          TareModel  *model)
{
  TareRecipeSize size = { 0 };

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      TareAssignment assignment = tare_recipe_resolve (self, tensor);

      size.bytes += tare_recipe_get_tensor_bytes (self, tensor);
      size.weights += tare_tensor_get_n_weights (tensor);
      size.source_bytes += tare_tensor_get_bytes (tensor);
      if (assignment.format != NULL &&
          tare_format_fit (assignment.format, tensor->columns) != assignment.format)
        size.n_fallbacks++;
    }
  if (size.weights > 0)
    size.bits_per_weight = 8.0 * (double) size.bytes / (double) size.weights;

  return size;
}
