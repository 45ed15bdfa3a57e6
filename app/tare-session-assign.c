/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-session-private.h"

#include <glib/gi18n.h>

/*
 * What layers are given. A lock is a promise to the person: nothing but the switch that set it, or
 * a recipe that is opened in the place of this one, takes a locked layer's format away.
 */

static char *
describe_assignment (const TareAssignment *assignment,
                     const char           *only,
                     guint                 n)
{
  const char *format = assignment->format != NULL ? assignment->format->label : NULL;

  if (n == 1 && format != NULL)
    return g_strdup_printf (_("Set %s to %s"), only, format);
  if (n == 1)
    return g_strdup_printf (_("Keep %s as it is"), only);
  if (format != NULL)
    return g_strdup_printf (ngettext ("Set %u layer to %s", "Set %u layers to %s", n), n, format);

  return g_strdup_printf (ngettext ("Keep %u layer as it is", "Keep %u layers as they are", n), n);
}

static const char *
get_name (TareSession *self,
          guint        index)
{
  return tare_layer_get_tensor (tare_session_get_layer (self, index))->canonical;
}

static gboolean
same_assignment (const TareAssignment *a,
                 const TareAssignment *b)
{
  return a->format == b->format && a->method == b->method && a->range == b->range
         && !a->locked == !b->locked;
}

/* Gives one assignment to those layers that agree with the layer at @first, and ticks them off. */
static TareRecipe *
assign_alike (TareSession          *self,
              TareRecipe           *recipe,
              const guint          *indices,
              guint                 n,
              const TareAssignment *assignments,
              gboolean             *done,
              guint                 first)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new ();

  for (guint i = first; i < n; i++)
    if (!done[i] && same_assignment (&assignments[i], &assignments[first]))
      {
        g_ptr_array_add (names, (gpointer) get_name (self, indices[i]));
        done[i] = TRUE;
      }
  g_ptr_array_add (names, NULL);

  return tare_recipe_with_tensors (recipe, (const char *const *) names->pdata,
                                   &assignments[first]);
}

/* (transfer full): @recipe with an assignment for each of some layers */
static TareRecipe *
with_each (TareSession          *self,
           TareRecipe           *recipe,
           const guint          *indices,
           guint                 n,
           const TareAssignment *assignments)
{
  g_autofree gboolean *done = g_new0 (gboolean, n + 1);
  g_autoptr(TareRecipe) result = tare_recipe_ref (recipe);

  for (guint i = 0; i < n; i++)
    if (!done[i])
      {
        TareRecipe *next = assign_alike (self, result, indices, n, assignments, done, i);

        tare_recipe_unref (result);
        result = next;
      }

  return g_steal_pointer (&result);
}

/* Tells that some locked layers stay as they are, and notes which, for whoever will unlock them. */
static void
tell_kept (TareSession *self,
           GArray      *kept)
{
  if (kept->len == 0)
    return;

  g_array_set_size (self->kept, 0);
  g_array_append_vals (self->kept, kept->data, kept->len);
  _tare_session_emit_kept (self, kept->len);
}

/**
 * tare_session_leave_locked:
 * @self: the session
 * @indices: (array length=n_indices): layers that are to be changed
 * @n_indices: how many
 *
 * Leaves out those that cannot take a format and those that are locked, and tells of the latter
 * with the signal "locks-kept".
 *
 * Returns: (transfer full) (element-type guint): those that may be changed, in the same order
 */
GArray *
tare_session_leave_locked (TareSession *self,
                           const guint *indices,
                           guint        n_indices)
{
  g_autoptr(GArray) kept = g_array_new (FALSE, FALSE, sizeof (guint));
  GArray *free_ones = g_array_new (FALSE, FALSE, sizeof (guint));

  g_return_val_if_fail (TARE_IS_SESSION (self), free_ones);

  for (guint i = 0; i < n_indices; i++)
    {
      TareLayer *layer = tare_session_get_layer (self, indices[i]);

      if (layer == NULL || !tare_layer_is_assignable (layer))
        continue;
      if (tare_layer_get_assignment (layer).locked)
        g_array_append_val (kept, indices[i]);
      else
        g_array_append_val (free_ones, indices[i]);
    }
  tell_kept (self, kept);

  return free_ones;
}

/**
 * tare_session_unlock_kept:
 * @self: the session
 *
 * Unlocks the layers that the last "locks-kept" told of, as one undoable step.
 */
void
tare_session_unlock_kept (TareSession *self)
{
  g_autofree TareAssignment *after = NULL;
  g_autofree char *label = NULL;
  guint n;

  g_return_if_fail (TARE_IS_SESSION (self));

  n = self->kept->len;
  if (n == 0)
    return;

  after = g_new0 (TareAssignment, n);
  for (guint i = 0; i < n; i++)
    {
      after[i] = tare_layer_get_assignment (
        tare_session_get_layer (self, g_array_index (self->kept, guint, i)));
      after[i].locked = FALSE;
    }
  label = g_strdup_printf (ngettext ("Unlock %u layer", "Unlock %u layers", n), n);
  tare_session_assign_each (self, (const guint *) self->kept->data, n, after, label);
  g_array_set_size (self->kept, 0);
}

/**
 * tare_session_assign_each:
 * @self: the session
 * @indices: (array length=n_indices): which layers, all of them assignable
 * @n_indices: how many
 * @assignments: (array length=n_indices): what to give each, locks included
 * @label: (nullable): what to call the step; %NULL for one that tells the format of the first
 *
 * One undoable step, which asks no lock: see tare_session_leave_locked().
 */
void
tare_session_assign_each (TareSession          *self,
                          const guint          *indices,
                          guint                 n_indices,
                          const TareAssignment *assignments,
                          const char           *label)
{
  g_autoptr(TareRecipe) recipe = NULL;
  g_autofree char *step = NULL;

  g_return_if_fail (TARE_IS_SESSION (self));

  if (n_indices == 0)
    return;

  recipe = with_each (self, tare_session_get_recipe (self), indices, n_indices, assignments);
  step = label != NULL ? g_strdup (label)
                       : describe_assignment (&assignments[0], get_name (self, indices[0]),
                                              n_indices);
  tare_history_push (self->history, recipe, step);
}

/**
 * tare_session_assign:
 * @self: the session
 * @indices: (array length=n_indices): which layers; those that cannot take a format are left alone,
 *   and so are those that are locked, of which "locks-kept" tells
 * @n_indices: how many
 * @assignment: what to give them, without its lock; a %NULL format keeps what the source has
 *
 * One undoable step. The size is right at once; errors and accuracy follow.
 */
void
tare_session_assign (TareSession          *self,
                     const guint          *indices,
                     guint                 n_indices,
                     const TareAssignment *assignment)
{
  g_autoptr(GArray) layers = NULL;
  g_autofree TareAssignment *each = NULL;

  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (assignment != NULL);

  layers = tare_session_leave_locked (self, indices, n_indices);
  each = g_new (TareAssignment, layers->len + 1);
  for (guint i = 0; i < layers->len; i++)
    {
      each[i] = *assignment;
      each[i].locked = FALSE;
    }
  tare_session_assign_each (self, (const guint *) layers->data, layers->len, each, NULL);
}

/* What the recipe says of the locked layers of which @next says something else. */
static GArray *
list_overruled (TareSession *self,
                TareRecipe  *next,
                GArray      *assignments)
{
  GArray *indices = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < tare_session_get_n_layers (self); i++)
    {
      TareLayer *layer = tare_session_get_layer (self, i);
      TareAssignment before = tare_layer_get_assignment (layer);
      TareAssignment after = tare_recipe_resolve (next, tare_layer_get_tensor (layer));

      if (!before.locked || same_assignment (&before, &after))
        continue;
      g_array_append_val (indices, i);
      g_array_append_val (assignments, before);
    }

  return indices;
}

/**
 * tare_session_assign_rule:
 * @self: the session
 * @match: a glob over canonical names
 * @assignment: what to give those that match
 *
 * One undoable step. Locked layers that match keep what they have.
 */
void
tare_session_assign_rule (TareSession          *self,
                          const char           *match,
                          const TareAssignment *assignment)
{
  g_autoptr(GArray) assignments = g_array_new (FALSE, FALSE, sizeof (TareAssignment));
  g_autoptr(GArray) kept = NULL;
  g_autoptr(TareRecipe) ruled = NULL;
  g_autoptr(TareRecipe) recipe = NULL;
  g_autofree char *label = NULL;

  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (match != NULL && assignment != NULL);

  ruled = tare_recipe_with_rule (tare_session_get_recipe (self), match, assignment);
  kept = list_overruled (self, ruled, assignments);
  recipe = with_each (self, ruled, (const guint *) kept->data, kept->len,
                      (const TareAssignment *) assignments->data);
  label = describe_assignment (assignment, match, 1);
  tare_history_push (self->history, recipe, label);
  tell_kept (self, kept);
}
