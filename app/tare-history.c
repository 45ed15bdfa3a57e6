/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-history.h"

/* More steps than anyone walks back; the oldest are let go. */
#define MAX_STEPS 500

typedef struct
{
  TareRecipe *recipe;
  char       *label;
} Step;

struct _TareHistory
{
  GObject     parent_instance;

  /* steps[0] is where it began; the label of a step names the way from the one before it. */
  GArray     *steps;
  guint       present;
  TareRecipe *saved;
};

enum
{
  SIGNAL_CHANGED,
  N_SIGNALS,
};

G_DEFINE_FINAL_TYPE (TareHistory, tare_history, G_TYPE_OBJECT)

static guint signals[N_SIGNALS];

static void
step_clear (gpointer data)
{
  Step *step = data;

  g_clear_pointer (&step->recipe, tare_recipe_unref);
  g_clear_pointer (&step->label, g_free);
}

static void
tare_history_finalize (GObject *object)
{
  TareHistory *self = (TareHistory *) object;

  g_clear_pointer (&self->steps, g_array_unref);
  g_clear_pointer (&self->saved, tare_recipe_unref);

  G_OBJECT_CLASS (tare_history_parent_class)->finalize (object);
}

static void
tare_history_class_init (TareHistoryClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = tare_history_finalize;

  signals[SIGNAL_CHANGED] =
    g_signal_new ("changed", TARE_TYPE_HISTORY, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                  G_TYPE_NONE, 0);
}

static void
tare_history_init (TareHistory *self)
{
  self->steps = g_array_new (FALSE, TRUE, sizeof (Step));
  g_array_set_clear_func (self->steps, step_clear);
}

static Step *
get_step (TareHistory *self,
          guint        index)
{
  return &g_array_index (self->steps, Step, index);
}

/**
 * tare_history_new:
 * @first: what the first undo leads back to; it counts as saved
 *
 * Returns: (transfer full): a history of one step
 */
TareHistory *
tare_history_new (TareRecipe *first)
{
  TareHistory *self = g_object_new (TARE_TYPE_HISTORY, NULL);
  Step step = { tare_recipe_ref (first), NULL };

  g_array_append_val (self->steps, step);
  self->saved = tare_recipe_ref (first);

  return self;
}

/**
 * tare_history_get_recipe:
 * @self: the history
 *
 * Returns: (transfer none): the present recipe
 */
TareRecipe *
tare_history_get_recipe (TareHistory *self)
{
  g_return_val_if_fail (TARE_IS_HISTORY (self), NULL);

  return get_step (self, self->present)->recipe;
}

/**
 * tare_history_push:
 * @self: the history
 * @recipe: the recipe that is present from now on
 * @label: names the step, "Set 12 layers to Q4_K"
 *
 * Does a step. What was undone before is forgotten. A recipe equal to the present one is no step.
 */
void
tare_history_push (TareHistory *self,
                   TareRecipe  *recipe,
                   const char  *label)
{
  Step step;

  g_return_if_fail (TARE_IS_HISTORY (self));
  g_return_if_fail (recipe != NULL);

  if (tare_recipe_equal (recipe, tare_history_get_recipe (self)))
    return;

  g_array_set_size (self->steps, self->present + 1);
  if (self->steps->len > MAX_STEPS)
    g_array_remove_index (self->steps, 0);

  step.recipe = tare_recipe_ref (recipe);
  step.label = g_strdup (label);
  g_array_append_val (self->steps, step);
  self->present = self->steps->len - 1;

  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
}

/**
 * tare_history_undo:
 * @self: the history
 *
 * Returns: whether there was a step to take back
 */
gboolean
tare_history_undo (TareHistory *self)
{
  g_return_val_if_fail (TARE_IS_HISTORY (self), FALSE);

  if (self->present == 0)
    return FALSE;

  self->present--;
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);

  return TRUE;
}

/**
 * tare_history_redo:
 * @self: the history
 *
 * Returns: whether there was a step to do again
 */
gboolean
tare_history_redo (TareHistory *self)
{
  g_return_val_if_fail (TARE_IS_HISTORY (self), FALSE);

  if (self->present + 1 >= self->steps->len)
    return FALSE;

  self->present++;
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);

  return TRUE;
}

/**
 * tare_history_get_undo_label:
 * @self: the history
 *
 * Returns: (nullable): the step that undo would take back, or %NULL when there is none
 */
const char *
tare_history_get_undo_label (TareHistory *self)
{
  g_return_val_if_fail (TARE_IS_HISTORY (self), NULL);

  return self->present > 0 ? get_step (self, self->present)->label : NULL;
}

/**
 * tare_history_get_redo_label:
 * @self: the history
 *
 * Returns: (nullable): the step that redo would do again, or %NULL when there is none
 */
const char *
tare_history_get_redo_label (TareHistory *self)
{
  g_return_val_if_fail (TARE_IS_HISTORY (self), NULL);

  return self->present + 1 < self->steps->len ? get_step (self, self->present + 1)->label : NULL;
}

/**
 * tare_history_mark_saved:
 * @self: the history
 *
 * Says that the present recipe is what lies on disk.
 */
void
tare_history_mark_saved (TareHistory *self)
{
  g_return_if_fail (TARE_IS_HISTORY (self));

  g_clear_pointer (&self->saved, tare_recipe_unref);
  self->saved = tare_recipe_ref (tare_history_get_recipe (self));
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
}

/**
 * tare_history_is_modified:
 * @self: the history
 *
 * Returns: whether the present recipe differs from the saved one, however it came about
 */
gboolean
tare_history_is_modified (TareHistory *self)
{
  g_return_val_if_fail (TARE_IS_HISTORY (self), FALSE);

  return !tare_recipe_equal (self->saved, tare_history_get_recipe (self));
}
