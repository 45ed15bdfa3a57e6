/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-compare-private.h"

#include <glib/gi18n.h>
#include <math.h>

#include "analysis/statistics/tare-comparison.h"
#include "app/tare-text.h"

enum
{
  CHANGED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (TareCompareRow, tare_compare_row, G_TYPE_OBJECT)

static void
tare_compare_row_finalize (GObject *object)
{
  TareCompareRow *self = (TareCompareRow *) object;

  g_free (self->name);
  g_free (self->sides[0].format);
  g_free (self->sides[1].format);
  g_free (self->verdict);
  g_free (self->note);

  G_OBJECT_CLASS (tare_compare_row_parent_class)->finalize (object);
}

static void
tare_compare_row_class_init (TareCompareRowClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = tare_compare_row_finalize;

  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                   NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
tare_compare_row_init (TareCompareRow *self)
{
  self->figures[0] = (double) NAN;
  self->figures[1] = (double) NAN;
}

static TareCompareRow *
new_row (guint            index,
         TareCompareKind  kind,
         const char      *name)
{
  TareCompareRow *self = g_object_new (TARE_TYPE_COMPARE_ROW, NULL);

  self->index = index;
  self->kind = kind;
  self->name = g_strdup (name);

  return self;
}

static void
set_stored (TareCompareSide  *side,
            const TareTensor *tensor)
{
  side->tensor = tensor;
  side->format = tensor != NULL ? g_strdup (tensor->type_name) : NULL;
  side->bytes = tensor != NULL ? tensor->bytes : 0;
}

/* (transfer full): what is known of a tensor of one model or both before any weight is read */
TareCompareRow *
_tare_compare_row_new_models (guint             index,
                              const TareTensor *a,
                              const TareTensor *b)
{
  TareCompareRow *self = new_row (index, TARE_COMPARE_KIND_MODELS, (a != NULL ? a : b)->canonical);
  g_autoptr(GError) error = NULL;

  set_stored (&self->sides[0], a);
  set_stored (&self->sides[1], b);
  if (a == NULL || b == NULL)
    {
      self->verdict = g_strdup (TARE_TEXT_UNKNOWN);
      self->note = g_strdup (a != NULL ? _("Only A has it") : _("Only B has it"));
      self->settled_differs = TRUE;
      return self;
    }

  self->pending = tare_comparison_can_measure (a, b, &error);
  self->settled_differs = !g_str_equal (self->sides[0].format, self->sides[1].format)
                          || a->bytes != b->bytes;
  if (error != NULL)
    {
      gboolean same = a->rows == b->rows && a->columns == b->columns;

      self->verdict = g_strdup (same ? _("not readable") : _("other shape"));
      self->note = g_strdup (error->message);
      self->settled_differs = TRUE;
    }

  return self;
}

static const char *
get_range_label (TareRange range)
{
  for (gsize i = 0; i < tare_range_get_n_ranges (); i++)
    if (tare_range_get (i)->range == range)
      return _(tare_range_get (i)->label);

  return "";
}

/* The format, and where that says too little, what else is not alike. */
static char *
describe (const TareFormat     *format,
          const TareTensor     *tensor,
          const TareAssignment *own,
          const TareAssignment *other)
{
  GString *text = g_string_new (format != NULL ? format->label : tensor->type_name);

  if (own->format != NULL && other->format != NULL)
    {
      if (own->method != other->method)
        g_string_append_printf (text, ", %s", own->method->label);
      if (own->range != other->range)
        g_string_append_printf (text, ", %s", get_range_label (own->range));
    }

  return g_string_free (text, FALSE);
}

static gboolean
is_known (const TareCompareSide *side,
          const TareAssignment  *assignment,
          const char            *format)
{
  return g_strcmp0 (format, side->format) == 0 && assignment->format == side->assignment.format
         && assignment->method == side->assignment.method
         && assignment->range == side->assignment.range;
}

static void
set_side (TareCompareSide      *side,
          TareRecipe           *recipe,
          const TareAssignment *assignment,
          char                 *format)
{
  g_free (side->format);
  side->format = format;
  side->assignment = *assignment;
  side->bytes = tare_recipe_get_tensor_bytes (recipe, side->tensor);
}

/* Whether that changed anything, so that its figures have to be found again */
gboolean
_tare_compare_row_set_recipes (TareCompareRow *self,
                               TareRecipe     *a,
                               TareRecipe     *b)
{
  const TareTensor *tensor = self->sides[0].tensor;
  TareAssignment first = tare_recipe_resolve (a, tensor);
  TareAssignment second = tare_recipe_resolve (b, tensor);
  const TareFormat *of_a = tare_recipe_effective_format (a, tensor);
  const TareFormat *of_b = tare_recipe_effective_format (b, tensor);
  g_autofree char *text_a = describe (of_a, tensor, &first, &second);
  g_autofree char *text_b = describe (of_b, tensor, &second, &first);

  if (is_known (&self->sides[0], &first, text_a) && is_known (&self->sides[1], &second, text_b))
    return FALSE;

  self->settled_differs = !g_str_equal (text_a, text_b);
  set_side (&self->sides[0], a, &first, g_steal_pointer (&text_a));
  set_side (&self->sides[1], b, &second, g_steal_pointer (&text_b));
  self->figures[0] = (double) NAN;
  self->figures[1] = (double) NAN;
  g_clear_pointer (&self->verdict, g_free);
  g_clear_pointer (&self->note, g_free);
  self->pending = TRUE;
  g_signal_emit (self, signals[CHANGED], 0);

  return TRUE;
}

/* (transfer full): what two recipes say of a tensor before it is rounded */
TareCompareRow *
_tare_compare_row_new_recipes (guint             index,
                               const TareTensor *tensor,
                               TareRecipe       *a,
                               TareRecipe       *b)
{
  TareCompareRow *self = new_row (index, TARE_COMPARE_KIND_RECIPES, tensor->canonical);

  self->sides[0].tensor = tensor;
  self->sides[1].tensor = tensor;
  _tare_compare_row_set_recipes (self, a, b);

  return self;
}

void
_tare_compare_row_set_figures (TareCompareRow *self,
                               const double   *figures,
                               const char     *verdict,
                               const char     *note)
{
  self->pending = FALSE;
  self->figures[0] = figures[0];
  self->figures[1] = figures[1];
  g_free (self->verdict);
  self->verdict = g_strdup (verdict);
  g_free (self->note);
  self->note = g_strdup (note);
  g_signal_emit (self, signals[CHANGED], 0);
}

/* As far as it is known. */
gboolean
_tare_compare_row_differs (TareCompareRow *self)
{
  return self->settled_differs
         || (self->kind == TARE_COMPARE_KIND_MODELS && self->figures[1] > 0.0);
}
