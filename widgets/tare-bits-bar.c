/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-bits-bar.h"

#include <math.h>

#include "widgets/tare-colormap.h"
#include "widgets/tare-ink-private.h"

#define THICKNESS 6.0

/**
 * TareBitsBar:
 *
 * A thin bar beside a number in a table: how far along its scale the number is.
 */
struct _TareBitsBar
{
  GtkWidget  parent_instance;

  double     value;
  TareInk    ink;
};

enum
{
  PROP_0,
  PROP_VALUE,
  N_PROPS
};

G_DEFINE_FINAL_TYPE (TareBitsBar, tare_bits_bar, GTK_TYPE_WIDGET)

static GParamSpec *properties[N_PROPS];

static void
tare_bits_bar_measure (GtkWidget      *widget,
                       GtkOrientation  orientation,
                       int             for_size,
                       int            *minimum,
                       int            *natural,
                       int            *minimum_baseline,
                       int            *natural_baseline)
{
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? 24 : (int) THICKNESS;
  *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? 64 : (int) THICKNESS;
}

static void
tare_bits_bar_snapshot (GtkWidget   *widget,
                        GtkSnapshot *snapshot)
{
  TareBitsBar *self = (TareBitsBar *) widget;
  double width = gtk_widget_get_width (widget);
  double top = floor ((gtk_widget_get_height (widget) - THICKNESS) / 2.0);
  GdkRGBA color;

  if (isnan (self->value))
    return;

  tare_colormap_get_calm (self->value, self->ink.dark, &color);
  _tare_ink_box (snapshot, &self->ink.grid, 0.0, top, width, THICKNESS);
  _tare_ink_box (snapshot, &color, 0.0, top, MAX (1.0, round (width * self->value)), THICKNESS);
}

static void
tare_bits_bar_css_changed (GtkWidget         *widget,
                           GtkCssStyleChange *change)
{
  GTK_WIDGET_CLASS (tare_bits_bar_parent_class)->css_changed (widget, change);
  _tare_ink_read (&((TareBitsBar *) widget)->ink, widget);
  gtk_widget_queue_draw (widget);
}

static void
tare_bits_bar_get_property (GObject    *object,
                            guint       id,
                            GValue     *value,
                            GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_VALUE:
      g_value_set_double (value, ((TareBitsBar *) object)->value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
tare_bits_bar_set_property (GObject      *object,
                            guint         id,
                            const GValue *value,
                            GParamSpec   *pspec)
{
  switch (id)
    {
    case PROP_VALUE:
      tare_bits_bar_set_value ((TareBitsBar *) object, g_value_get_double (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
tare_bits_bar_class_init (TareBitsBarClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->get_property = tare_bits_bar_get_property;
  object_class->set_property = tare_bits_bar_set_property;

  widget_class->measure = tare_bits_bar_measure;
  widget_class->snapshot = tare_bits_bar_snapshot;
  widget_class->css_changed = tare_bits_bar_css_changed;

  properties[PROP_VALUE] = g_param_spec_double ("value", NULL, NULL, 0.0, 1.0, 0.0,
                                                G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY
                                                | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_set_css_name (widget_class, "bitsbar");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_PRESENTATION);
}

static void
tare_bits_bar_init (TareBitsBar *self)
{
  _tare_ink_read (&self->ink, GTK_WIDGET (self));
}

/**
 * tare_bits_bar_new:
 *
 * Returns: (transfer floating): an empty bar
 */
GtkWidget *
tare_bits_bar_new (void)
{
  return g_object_new (TARE_TYPE_BITS_BAR, NULL);
}

/**
 * tare_bits_bar_get_value:
 * @self: the bar
 *
 * Returns: its length as a part of the whole, NaN for no bar
 */
double
tare_bits_bar_get_value (TareBitsBar *self)
{
  g_return_val_if_fail (TARE_IS_BITS_BAR (self), 0.0);

  return self->value;
}

/**
 * tare_bits_bar_set_value:
 * @self: the bar
 * @value: its length as a part of the whole, from 0 to 1; NaN draws nothing
 */
void
tare_bits_bar_set_value (TareBitsBar *self,
                         double       value)
{
  g_return_if_fail (TARE_IS_BITS_BAR (self));

  value = isnan (value) ? (double) NAN : CLAMP (value, 0.0, 1.0);
  if (self->value == value || (isnan (self->value) && isnan (value)))
    return;

  self->value = value;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_VALUE]);
}
