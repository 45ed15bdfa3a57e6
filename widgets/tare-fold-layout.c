/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-fold-layout.h"

#define RANK "tare-fold-rank"

struct _TareFoldLayout
{
  GtkLayoutManager parent_instance;

  int              spacing;
};

/* What one child asks for, and what it gets. */
typedef struct
{
  GtkWidget        *widget;
  guint             rank;
  GtkRequestedSize  size;
  gboolean          folded;
} Place;

G_DEFINE_FINAL_TYPE (TareFoldLayout, tare_fold_layout, GTK_TYPE_LAYOUT_MANAGER)

static guint
get_rank (GtkWidget *child)
{
  return GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (child), RANK));
}

/* The least width is of those that stay, the natural one of all. */
static void
measure (GtkLayoutManager *manager,
         GtkWidget        *widget,
         GtkOrientation    orientation,
         int               for_size,
         int              *minimum,
         int              *natural,
         int              *minimum_baseline,
         int              *natural_baseline)
{
  TareFoldLayout *self = TARE_FOLD_LAYOUT (manager);
  gboolean along = orientation == GTK_ORIENTATION_HORIZONTAL;
  gboolean first = TRUE;
  gboolean first_kept = TRUE;

  *minimum = 0;
  *natural = 0;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      int least = 0;
      int wanted = 0;

      if (!gtk_widget_should_layout (child))
        continue;

      gtk_widget_measure (child, orientation, -1, &least, &wanted, NULL, NULL);
      if (!along)
        {
          *minimum = MAX (*minimum, least);
          *natural = MAX (*natural, wanted);
          continue;
        }
      *natural += wanted + (first ? 0 : self->spacing);
      first = FALSE;
      if (get_rank (child) > 0)
        continue;
      *minimum += least + (first_kept ? 0 : self->spacing);
      first_kept = FALSE;
    }
  *natural = MAX (*minimum, *natural);
}

static GArray *
list_places (GtkWidget *widget)
{
  GArray *places = g_array_new (FALSE, TRUE, sizeof (Place));

  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      Place place = { .widget = child, .rank = get_rank (child) };

      if (!gtk_widget_should_layout (child))
        continue;

      gtk_widget_measure (child, GTK_ORIENTATION_HORIZONTAL, -1, &place.size.minimum_size,
                          &place.size.natural_size, NULL, NULL);
      g_array_append_val (places, place);
    }

  return places;
}

/* How wide those are that are not left out, as they would like to be. */
static int
get_natural (TareFoldLayout *self,
             GArray         *places)
{
  int natural = -self->spacing;

  for (guint i = 0; i < places->len; i++)
    {
      const Place *place = &g_array_index (places, Place, i);

      if (!place->folded)
        natural += place->size.natural_size + self->spacing;
    }

  return natural;
}

static void
fold (TareFoldLayout *self,
      GArray         *places,
      int             width)
{
  while (get_natural (self, places) > width)
    {
      Place *next = NULL;

      for (guint i = 0; i < places->len; i++)
        {
          Place *place = &g_array_index (places, Place, i);

          if (!place->folded && place->rank > 0 && (next == NULL || place->rank > next->rank))
            next = place;
        }
      if (next == NULL)
        return;
      next->folded = TRUE;
    }
}

/* Shares the width among those that are left; what is over goes to who expands. */
static void
share (TareFoldLayout *self,
       GArray         *places,
       int             width)
{
  g_autofree GtkRequestedSize *sizes = g_new0 (GtkRequestedSize, MAX (places->len, 1));
  int extra = width + self->spacing;
  guint n = 0;

  for (guint i = 0; i < places->len; i++)
    if (!g_array_index (places, Place, i).folded)
      {
        sizes[n] = g_array_index (places, Place, i).size;
        extra -= sizes[n++].minimum_size + self->spacing;
      }
  extra = gtk_distribute_natural_allocation (MAX (extra, 0), n, sizes);

  n = 0;
  for (guint i = 0; i < places->len; i++)
    {
      Place *place = &g_array_index (places, Place, i);

      if (place->folded)
        continue;
      place->size.minimum_size = sizes[n++].minimum_size;
      if (gtk_widget_compute_expand (place->widget, GTK_ORIENTATION_HORIZONTAL))
        {
          place->size.minimum_size += extra;
          extra = 0;
        }
    }
}

static void
allocate (GtkLayoutManager *manager,
          GtkWidget        *widget,
          int               width,
          int               height,
          int               baseline)
{
  TareFoldLayout *self = TARE_FOLD_LAYOUT (manager);
  gboolean mirrored = gtk_widget_get_direction (widget) == GTK_TEXT_DIR_RTL;
  g_autoptr(GArray) places = list_places (widget);
  int x = 0;

  fold (self, places, width);
  share (self, places, width);
  for (guint i = 0; i < places->len; i++)
    {
      const Place *place = &g_array_index (places, Place, i);
      int w = place->size.minimum_size;

      gtk_widget_set_child_visible (place->widget, !place->folded);
      if (place->folded)
        continue;

      gtk_widget_size_allocate (place->widget,
                                &(GtkAllocation) { mirrored ? width - x - w : x, 0, w, height },
                                -1);
      x += w + self->spacing;
    }
}

static void
tare_fold_layout_class_init (TareFoldLayoutClass *klass)
{
  GtkLayoutManagerClass *layout_class = GTK_LAYOUT_MANAGER_CLASS (klass);

  layout_class->measure = measure;
  layout_class->allocate = allocate;
}

static void
tare_fold_layout_init (TareFoldLayout *self)
{
}

/**
 * tare_fold_layout_new:
 * @spacing: pixels between children
 *
 * Returns: (transfer full): a layout manager
 */
GtkLayoutManager *
tare_fold_layout_new (int spacing)
{
  TareFoldLayout *self = g_object_new (TARE_TYPE_FOLD_LAYOUT, NULL);

  self->spacing = spacing;

  return GTK_LAYOUT_MANAGER (self);
}

/**
 * tare_fold_layout_set_rank:
 * @child: a child of a widget with this layout
 * @rank: 0 for one that always stays; of the others the highest goes first
 */
void
tare_fold_layout_set_rank (GtkWidget *child,
                           guint      rank)
{
  g_return_if_fail (GTK_IS_WIDGET (child));

  g_object_set_data (G_OBJECT (child), RANK, GUINT_TO_POINTER (rank));
  gtk_widget_queue_resize (child);
}
