/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "app/tare-session-private.h"

#include <glib/gi18n.h>
#include <string.h>

/* What activations are painted with until the person picks another: a scale for each token. */
#define SITE_FORMAT "int8_channel"

static int
compare_indices (gconstpointer a,
                 gconstpointer b)
{
  guint first = *(const guint *) a;
  guint second = *(const guint *) b;

  return (first > second) - (first < second);
}

/* The indices that are below @n, rising. */
GArray *
_tare_session_sort_indices (const guint *indices,
                            guint        n_indices,
                            guint        n)
{
  GArray *sorted = g_array_sized_new (FALSE, FALSE, sizeof (guint), n_indices);

  for (guint i = 0; i < n_indices; i++)
    if (indices[i] < n)
      g_array_append_val (sorted, indices[i]);
  g_array_sort (sorted, compare_indices);

  return sorted;
}

/* Takes @next in the place of @selection; FALSE where both are the same. */
gboolean
_tare_session_take_selection (GArray **selection,
                              GArray  *next)
{
  gboolean same = next->len == (*selection)->len
                  && (next->len == 0
                      || memcmp (next->data, (*selection)->data, next->len * sizeof (guint)) == 0);

  g_array_unref (*selection);
  *selection = next;

  return !same;
}

void
_tare_session_init_sites (TareSession *self)
{
  self->sites = g_ptr_array_new ();
  self->site_selection = g_array_new (FALSE, FALSE, sizeof (guint));
  self->site_brush = (TareAssignment) {
    .format = tare_format_lookup (SITE_FORMAT),
    .method = tare_method_get (0),
    .range = TARE_RANGE_MINIMUM_MAXIMUM,
  };
}

void
_tare_session_clear_sites (TareSession *self)
{
  g_clear_pointer (&self->sites, g_ptr_array_unref);
  g_clear_pointer (&self->site_selection, g_array_unref);
}

/* What of the model's activations can be rounded; none is selected. */
void
_tare_session_list_sites (TareSession *self)
{
  g_ptr_array_unref (self->sites);
  self->sites = self->model != NULL ? tare_activation_site_list (self->model)
                                    : g_ptr_array_new ();
  g_array_set_size (self->site_selection, 0);
}

/**
 * tare_session_get_n_sites:
 * @self: the session
 *
 * Returns: how many kinds of activations the recipe can speak of
 */
guint
tare_session_get_n_sites (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), 0);

  return self->sites->len;
}

/**
 * tare_session_get_site:
 * @self: the session
 * @index: below the number of sites
 *
 * Returns: (transfer none): activations, owned by the session while its model is open
 */
const TareActivationSite *
tare_session_get_site (TareSession *self,
                       guint        index)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);
  g_return_val_if_fail (index < self->sites->len, NULL);

  return g_ptr_array_index (self->sites, index);
}

/**
 * tare_session_get_site_assignment:
 * @self: the session
 * @index: below the number of sites
 *
 * Returns: what the present recipe says of these activations; without a format, they are as they
 *   were computed
 */
TareAssignment
tare_session_get_site_assignment (TareSession *self,
                                  guint        index)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), (TareAssignment) { 0 });
  g_return_val_if_fail (index < self->sites->len, (TareAssignment) { 0 });

  return tare_recipe_resolve_activation (tare_session_get_recipe (self),
                                         tare_session_get_site (self, index)->name);
}

/**
 * tare_session_get_site_selection:
 * @self: the session
 * @n_selected: (out): how many
 *
 * Returns: (transfer none) (array length=n_selected): indices of the selected activations,
 *   ascending; there are none while layers are selected
 */
const guint *
tare_session_get_site_selection (TareSession *self,
                                 guint       *n_selected)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), NULL);

  *n_selected = self->site_selection->len;

  return (const guint *) self->site_selection->data;
}

/**
 * tare_session_set_site_selection:
 * @self: the session
 * @indices: (array length=n_indices): which activations, in any order
 * @n_indices: how many
 *
 * Selects these activations everywhere, and no layers.
 */
void
tare_session_set_site_selection (TareSession *self,
                                 const guint *indices,
                                 guint        n_indices)
{
  gboolean changed;

  g_return_if_fail (TARE_IS_SESSION (self));

  changed = self->selection->len > 0;
  g_array_set_size (self->selection, 0);
  changed = _tare_session_take_selection (&self->site_selection,
                                          _tare_session_sort_indices (indices, n_indices,
                                                                      self->sites->len))
            || changed;
  if (changed)
    _tare_session_emit (self, TARE_SESSION_SIGNAL_SELECTION_CHANGED);
}

static char *
describe_step (const TareAssignment *assignment,
               const char           *only,
               guint                 n)
{
  const char *format = assignment->format != NULL ? assignment->format->label : NULL;

  if (n == 1 && format != NULL)
    return g_strdup_printf (_("Round %s to %s"), only, format);
  if (n == 1)
    return g_strdup_printf (_("Do not round %s"), only);
  if (format != NULL)
    return g_strdup_printf (ngettext ("Round %u activation to %s", "Round %u activations to %s", n),
                            n, format);

  return g_strdup_printf (ngettext ("Do not round %u activation", "Do not round %u activations",
                                    n), n);
}

/**
 * tare_session_assign_sites:
 * @self: the session
 * @indices: (array length=n_indices): which activations
 * @n_indices: how many
 * @assignment: what to give them; a %NULL format leaves them as they are computed
 * @label: (nullable): what to call the step; %NULL for one that tells the format
 *
 * One undoable step. The accuracy follows. A window is only given where all of them are keys and
 * values, a static scale where all are inputs of blocks.
 */
void
tare_session_assign_sites (TareSession          *self,
                           const guint          *indices,
                           guint                 n_indices,
                           const TareAssignment *assignment,
                           const char           *label)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new ();
  g_autoptr(TareRecipe) recipe = NULL;
  g_autofree char *step = NULL;
  TareAssignment given;

  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (assignment != NULL);

  given = *assignment;
  for (guint i = 0; i < n_indices; i++)
    if (indices[i] < self->sites->len)
      {
        const TareActivationSite *site = tare_session_get_site (self, indices[i]);

        g_ptr_array_add (names, site->name);
        if (!tare_activation_site_is_cached (site))
          given.window = 0;
        if (site->kind != TARE_SITE_KIND_INPUT || site->block < 0)
          given.scale = TARE_ACTIVATION_SCALE_TOKEN;
      }
  if (names->len == 0)
    return;

  step = label != NULL ? g_strdup (label)
                       : describe_step (assignment, names->pdata[0], names->len);
  g_ptr_array_add (names, NULL);
  recipe = tare_recipe_with_tensors (tare_session_get_recipe (self),
                                     (const char *const *) names->pdata, &given);
  tare_history_push (self->history, recipe, step);
}

/**
 * tare_session_get_site_brush:
 * @self: the session
 *
 * Returns: what painting gives to activations
 */
TareAssignment
tare_session_get_site_brush (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), (TareAssignment) { 0 });

  return self->site_brush;
}

/**
 * tare_session_set_site_brush:
 * @self: the session
 * @assignment: what painting shall give to activations
 */
void
tare_session_set_site_brush (TareSession          *self,
                             const TareAssignment *assignment)
{
  g_return_if_fail (TARE_IS_SESSION (self));
  g_return_if_fail (assignment != NULL);

  self->site_brush = *assignment;
}

/**
 * tare_session_get_cache_bytes:
 * @self: the session
 *
 * Returns: bytes of the keys and values of one token under the present recipe; 0 without a model
 *   that can be run
 */
guint64
tare_session_get_cache_bytes (TareSession *self)
{
  g_return_val_if_fail (TARE_IS_SESSION (self), 0);

  return self->model != NULL
           ? tare_recipe_get_cache_bytes (tare_session_get_recipe (self), self->model)
           : 0;
}
