/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-color-scale.h"

#include <math.h>
#include <string.h>

#include "widgets/tare-colormap.h"

/* Colours that are told apart along a linear scale. */
#define N_STEPS 1024

/* The upper half of a float: its sign, its exponent and 7 bits of its fraction, so that every
 * entry stands for values within 0.4 % of each other, whatever their size. */
#define N_HALVES 65536

/* Of what is no number; it is on neither map. */
#define NAN_COLOR "#e01b24"

/**
 * TareColorScale:
 *
 * What colours stand for: an axis, and a map of its positions to colours. A diverging scale has
 * the colour of the background in its middle, for values of either sign about zero.
 */
struct _TareColorScale
{
  GObject    parent_instance;

  TareAxis  *axis;
  gboolean   diverging;
  guint32    steps[2][N_STEPS];   /* by position; light and dark */
  guint32   *halves[2];           /* (nullable): by the upper half of a value */
};

enum
{
  CHANGED,
  N_SIGNALS
};

G_DEFINE_FINAL_TYPE (TareColorScale, tare_color_scale, G_TYPE_OBJECT)

static guint signals[N_SIGNALS];

static void
get_at (TareColorScale *self,
        double          position,
        gboolean        dark,
        GdkRGBA        *color)
{
  if (isnan (position))
    gdk_rgba_parse (color, NAN_COLOR);
  else if (self->diverging)
    tare_colormap_get_diverging (2.0 * position - 1.0, dark, color);
  else
    tare_colormap_get (position, dark, color);
}

static void
changed (TareColorScale *self)
{
  g_clear_pointer (&self->halves[0], g_free);
  g_clear_pointer (&self->halves[1], g_free);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
make_steps (TareColorScale *self)
{
  for (guint dark = 0; dark < 2; dark++)
    for (guint i = 0; i < N_STEPS; i++)
      {
        GdkRGBA color;

        get_at (self, i / (N_STEPS - 1.0), (gboolean) dark, &color);
        self->steps[dark][i] = tare_colormap_pack (&color);
      }
}

static guint32
get_step (TareColorScale *self,
          double          position,
          gboolean        dark)
{
  GdkRGBA color;

  if (isnan (position))
    {
      gdk_rgba_parse (&color, NAN_COLOR);
      return tare_colormap_pack (&color);
    }

  return self->steps[dark][lrint (CLAMP (position, 0.0, 1.0) * (N_STEPS - 1))];
}

/* The colour of every float, by its upper half. */
static const guint32 *
get_halves (TareColorScale *self,
            gboolean        dark)
{
  guint32 *halves = self->halves[dark];

  if (halves != NULL)
    return halves;

  halves = self->halves[dark] = g_new (guint32, N_HALVES);
  for (guint32 i = 0; i < N_HALVES; i++)
    {
      guint32 bits = i << 16;
      float value;

      memcpy (&value, &bits, sizeof value);
      halves[i] = get_step (self, tare_axis_normalize (self->axis, (double) value), dark);
    }

  return halves;
}

static void
map_linear (TareColorScale *self,
            const float    *values,
            gsize           n,
            gboolean        dark,
            guint32        *pixels)
{
  const guint32 *steps = self->steps[dark];
  guint32 none = get_step (self, NAN, dark);
  double lower, upper;
  float origin, factor;

  tare_axis_get_range (self->axis, &lower, &upper);
  origin = (float) lower;
  factor = (float) ((N_STEPS - 1) / (upper - lower));
  for (gsize i = 0; i < n; i++)
    {
      float place = (values[i] - origin) * factor;

      if (isnan (place))
        pixels[i] = none;
      else
        pixels[i] = steps[(guint) (CLAMP (place, 0.0f, (float) (N_STEPS - 1)) + 0.5f)];
    }
}

static void
tare_color_scale_finalize (GObject *object)
{
  TareColorScale *self = (TareColorScale *) object;

  g_object_unref (self->axis);
  g_free (self->halves[0]);
  g_free (self->halves[1]);

  G_OBJECT_CLASS (tare_color_scale_parent_class)->finalize (object);
}

static void
tare_color_scale_class_init (TareColorScaleClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = tare_color_scale_finalize;

  /**
   * TareColorScale::changed:
   *
   * A value has another colour.
   */
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                   NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
tare_color_scale_init (TareColorScale *self)
{
  self->axis = tare_axis_new (NULL);
  g_signal_connect_object (self->axis, "range-changed", G_CALLBACK (changed), self,
                           G_CONNECT_SWAPPED);
  make_steps (self);
}

/**
 * tare_color_scale_new:
 * @title: (nullable): what the colours stand for, with its unit
 *
 * Returns: (transfer full): a sequential scale from 0 to 1
 */
TareColorScale *
tare_color_scale_new (const char *title)
{
  TareColorScale *self = g_object_new (TARE_TYPE_COLOR_SCALE, NULL);

  tare_axis_set_title (self->axis, title);

  return self;
}

/**
 * tare_color_scale_get_axis:
 * @self: the scale
 *
 * Returns: (transfer none): the values that have colours: its range runs from end to end
 */
TareAxis *
tare_color_scale_get_axis (TareColorScale *self)
{
  g_return_val_if_fail (TARE_IS_COLOR_SCALE (self), NULL);

  return self->axis;
}

/**
 * tare_color_scale_get_diverging:
 * @self: the scale
 *
 * Returns: whether its middle has the colour of the background
 */
gboolean
tare_color_scale_get_diverging (TareColorScale *self)
{
  g_return_val_if_fail (TARE_IS_COLOR_SCALE (self), FALSE);

  return self->diverging;
}

/**
 * tare_color_scale_set_diverging:
 * @self: the scale
 * @diverging: whether the middle of its axis takes the colour of the background, and values on
 *   either side of it different colours
 */
void
tare_color_scale_set_diverging (TareColorScale *self,
                                gboolean        diverging)
{
  g_return_if_fail (TARE_IS_COLOR_SCALE (self));

  if (self->diverging == !!diverging)
    return;

  self->diverging = !!diverging;
  make_steps (self);
  changed (self);
}

/**
 * tare_color_scale_get_color:
 * @self: the scale
 * @value: a value
 * @dark: %TRUE for a dark background
 * @color: (out): its colour; that of an end for what lies beyond, and red for NaN
 */
void
tare_color_scale_get_color (TareColorScale *self,
                            double          value,
                            gboolean        dark,
                            GdkRGBA        *color)
{
  g_return_if_fail (TARE_IS_COLOR_SCALE (self));

  get_at (self, tare_axis_normalize (self->axis, value), dark, color);
}

/**
 * tare_color_scale_map:
 * @self: the scale
 * @values: (array length=n): values
 * @n: how many
 * @dark: %TRUE for a dark background
 * @pixels: (out caller-allocates) (array length=n): their colours, as tare_colormap_pack() has
 *   them
 *
 * Colours a picture. Off a linear scale values are told apart to 0.4 % of themselves.
 */
void
tare_color_scale_map (TareColorScale *self,
                      const float    *values,
                      gsize           n,
                      gboolean        dark,
                      guint32        *pixels)
{
  const guint32 *halves;

  g_return_if_fail (TARE_IS_COLOR_SCALE (self));

  dark = !!dark;
  if (tare_axis_get_scale (self->axis) == TARE_AXIS_SCALE_LINEAR)
    {
      map_linear (self, values, n, dark, pixels);
      return;
    }

  halves = get_halves (self, dark);
  for (gsize i = 0; i < n; i++)
    {
      guint32 bits;

      memcpy (&bits, values + i, sizeof bits);
      pixels[i] = halves[bits >> 16];
    }
}
