/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-axis.h"

#include <math.h>

/* A range is not zoomed further than to this part of its bounds; doubles end soon below. */
#define SMALLEST_PART 1e-7

/* What a logarithmic axis shows below its maximum when the data reach zero. */
#define LOG_REACH 1e-6

/* An axis that counts is not zoomed further than to so many of what it counts. */
#define LEAST_COUNT 4.0

/**
 * TareAxis:
 *
 * The range of values that a chart shows along one side, and the mapping of values to positions
 * from 0 to 1. Charts that share an axis zoom and pan together. The bounds are the extent of the
 * data; the range is the part that is shown and never leaves them. A range that cannot be drawn
 * (empty, reversed, not finite, not positive on a logarithmic axis) is mended, never stored.
 */
struct _TareAxis
{
  GObject         parent_instance;

  char           *title;
  char          **categories;
  TareAxisScale   scale;
  double          threshold;
  double          bounds[2];
  double          range[2];
  double          wanted[2];  /* bounds as they were given, for when the scale changes */
  guint           reversed : 1;
  guint           counting : 1;
};

enum
{
  PROP_0,
  PROP_TITLE,
  PROP_SCALE,
  N_PROPS
};

enum
{
  RANGE_CHANGED,
  N_SIGNALS
};

GType
tare_axis_scale_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type))
    {
      static const GEnumValue values[] = {
        { TARE_AXIS_SCALE_LINEAR, "TARE_AXIS_SCALE_LINEAR", "linear" },
        { TARE_AXIS_SCALE_LOG, "TARE_AXIS_SCALE_LOG", "log" },
        { TARE_AXIS_SCALE_SYMLOG, "TARE_AXIS_SCALE_SYMLOG", "symlog" },
        { 0, NULL, NULL },
      };

      g_once_init_leave (&type, g_enum_register_static ("TareAxisScale", values));
    }

  return type;
}

G_DEFINE_FINAL_TYPE (TareAxis, tare_axis, G_TYPE_OBJECT)

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

static double
scale_value (TareAxis *self,
             double    value)
{
  switch (self->scale)
    {
    case TARE_AXIS_SCALE_LOG:
      return log10 (value);
    case TARE_AXIS_SCALE_SYMLOG:
      return asinh (value / (2.0 * self->threshold)) / M_LN10;
    case TARE_AXIS_SCALE_LINEAR:
    default:
      return value;
    }
}

static double
unscale_value (TareAxis *self,
               double    scaled)
{
  switch (self->scale)
    {
    case TARE_AXIS_SCALE_LOG:
      return pow (10.0, scaled);
    case TARE_AXIS_SCALE_SYMLOG:
      return 2.0 * self->threshold * sinh (scaled * M_LN10);
    case TARE_AXIS_SCALE_LINEAR:
    default:
      return scaled;
    }
}

/* Makes a range that can be drawn out of any two numbers; FALSE if they say nothing at all. */
static gboolean
mend (TareAxis *self,
      double   *minimum,
      double   *maximum)
{
  double center;

  if (!isfinite (*minimum) || !isfinite (*maximum) || !isfinite (*maximum - *minimum))
    return FALSE;

  if (*minimum > *maximum)
    {
      double swap = *minimum;

      *minimum = *maximum;
      *maximum = swap;
    }

  if (self->scale == TARE_AXIS_SCALE_LOG)
    {
      if (*maximum <= 0.0)
        *maximum = 1.0;
      if (*minimum <= 0.0)
        *minimum = *maximum * LOG_REACH;
    }

  center = *minimum + (*maximum - *minimum) / 2.0;
  if (*maximum - *minimum <= fabs (center) * 1e-12)
    {
      double half = center != 0.0 ? fabs (center) / 2.0 : 0.5;

      *minimum = center - half;
      *maximum = center + half;
    }

  return *minimum < *maximum;
}

static void
change_range (TareAxis *self,
              double    minimum,
              double    maximum)
{
  if (self->range[0] == minimum && self->range[1] == maximum)
    return;

  self->range[0] = minimum;
  self->range[1] = maximum;
  g_signal_emit (self, signals[RANGE_CHANGED], 0);
}

/* Shows @span from @begin on, both in scaled units, moved into the bounds. */
static void
show_scaled (TareAxis *self,
             double    begin,
             double    span)
{
  double lower = scale_value (self, self->bounds[0]);
  double upper = scale_value (self, self->bounds[1]);

  if (span >= (upper - lower) * (1.0 - 1e-9))
    {
      change_range (self, self->bounds[0], self->bounds[1]);
      return;
    }

  begin = CLAMP (begin, lower, upper - span);
  change_range (self,
                begin == lower ? self->bounds[0] : unscale_value (self, begin),
                begin == upper - span ? self->bounds[1] : unscale_value (self, begin + span));
}

static void
tare_axis_finalize (GObject *object)
{
  TareAxis *self = (TareAxis *) object;

  g_free (self->title);
  g_strfreev (self->categories);

  G_OBJECT_CLASS (tare_axis_parent_class)->finalize (object);
}

static void
tare_axis_get_property (GObject    *object,
                        guint       id,
                        GValue     *value,
                        GParamSpec *pspec)
{
  TareAxis *self = (TareAxis *) object;

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_SCALE:
      g_value_set_enum (value, self->scale);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
tare_axis_set_property (GObject      *object,
                        guint         id,
                        const GValue *value,
                        GParamSpec   *pspec)
{
  TareAxis *self = (TareAxis *) object;

  switch (id)
    {
    case PROP_TITLE:
      tare_axis_set_title (self, g_value_get_string (value));
      break;
    case PROP_SCALE:
      tare_axis_set_scale (self, (TareAxisScale) g_value_get_enum (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
tare_axis_class_init (TareAxisClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->finalize = tare_axis_finalize;
  object_class->get_property = tare_axis_get_property;
  object_class->set_property = tare_axis_set_property;

  properties[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  properties[PROP_SCALE] = g_param_spec_enum ("scale", NULL, NULL, TARE_TYPE_AXIS_SCALE,
                                              TARE_AXIS_SCALE_LINEAR, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  /**
   * TareAxis::range-changed:
   *
   * What is shown, or how it is mapped, has changed.
   */
  signals[RANGE_CHANGED] = g_signal_new ("range-changed", G_TYPE_FROM_CLASS (klass),
                                         G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                         G_TYPE_NONE, 0);
}

static void
tare_axis_init (TareAxis *self)
{
  self->threshold = 1.0;
  self->bounds[1] = self->range[1] = self->wanted[1] = 1.0;
}

/**
 * tare_axis_new:
 * @title: (nullable): what is measured, with its unit
 *
 * Returns: (transfer full): a linear axis from 0 to 1
 */
TareAxis *
tare_axis_new (const char *title)
{
  return g_object_new (TARE_TYPE_AXIS, "title", title, NULL);
}

/**
 * tare_axis_get_title:
 * @self: the axis
 *
 * Returns: (nullable) (transfer none): what is measured, with its unit
 */
const char *
tare_axis_get_title (TareAxis *self)
{
  g_return_val_if_fail (TARE_IS_AXIS (self), NULL);

  return self->title;
}

/**
 * tare_axis_set_title:
 * @self: the axis
 * @title: (nullable): what is measured, with its unit
 */
void
tare_axis_set_title (TareAxis   *self,
                     const char *title)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  if (g_strcmp0 (self->title, title) == 0)
    return;

  g_free (self->title);
  self->title = g_strdup (title);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TITLE]);
}

/**
 * tare_axis_get_scale:
 * @self: the axis
 *
 * Returns: how values are mapped
 */
TareAxisScale
tare_axis_get_scale (TareAxis *self)
{
  g_return_val_if_fail (TARE_IS_AXIS (self), TARE_AXIS_SCALE_LINEAR);

  return self->scale;
}

/**
 * tare_axis_set_scale:
 * @self: the axis
 * @scale: how values are mapped
 *
 * Also shows all of the bounds again, for a part of one scale is seldom a part of the other.
 */
void
tare_axis_set_scale (TareAxis      *self,
                     TareAxisScale  scale)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  if (self->scale == scale)
    return;

  self->scale = scale;
  self->bounds[0] = self->wanted[0];
  self->bounds[1] = self->wanted[1];
  if (!mend (self, &self->bounds[0], &self->bounds[1]))
    self->bounds[1] = self->bounds[0] + 1.0;
  self->range[0] = self->bounds[0];
  self->range[1] = self->bounds[1];

  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SCALE]);
  g_signal_emit (self, signals[RANGE_CHANGED], 0);
}

/**
 * tare_axis_set_threshold:
 * @self: the axis
 * @threshold: the value about which a symlog axis turns from linear to logarithmic; positive
 */
void
tare_axis_set_threshold (TareAxis *self,
                         double    threshold)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  if (!(threshold > 0.0) || !isfinite (threshold) || self->threshold == threshold)
    return;

  self->threshold = threshold;
  if (self->scale == TARE_AXIS_SCALE_SYMLOG)
    g_signal_emit (self, signals[RANGE_CHANGED], 0);
}

/**
 * tare_axis_set_reversed:
 * @self: the axis
 * @reversed: whether the least value stands at position 1, as the first row of a matrix stands at
 *   the top
 */
void
tare_axis_set_reversed (TareAxis *self,
                        gboolean  reversed)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  if (self->reversed == !!reversed)
    return;

  self->reversed = !!reversed;
  g_signal_emit (self, signals[RANGE_CHANGED], 0);
}

/**
 * tare_axis_set_counting:
 * @self: the axis
 * @counting: whether it counts things, so that there is nothing between two whole numbers
 */
void
tare_axis_set_counting (TareAxis *self,
                        gboolean  counting)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  if (self->counting == !!counting)
    return;

  self->counting = !!counting;
  g_signal_emit (self, signals[RANGE_CHANGED], 0);
}

/**
 * tare_axis_get_counting:
 * @self: the axis
 *
 * Returns: whether it counts things
 */
gboolean
tare_axis_get_counting (TareAxis *self)
{
  g_return_val_if_fail (TARE_IS_AXIS (self), FALSE);

  return self->counting;
}

/**
 * tare_axis_get_categories:
 * @self: the axis
 *
 * Returns: (nullable) (transfer none): the names of 0, 1, 2, ..., if it counts things
 */
const char *const *
tare_axis_get_categories (TareAxis *self)
{
  g_return_val_if_fail (TARE_IS_AXIS (self), NULL);

  return (const char *const *) self->categories;
}

/**
 * tare_axis_set_categories:
 * @self: the axis
 * @categories: (nullable): names of 0, 1, 2, ..., which then label the axis instead of numbers
 */
void
tare_axis_set_categories (TareAxis          *self,
                          const char *const *categories)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  if (categories == NULL && self->categories == NULL)
    return;
  if (categories != NULL && self->categories != NULL
      && g_strv_equal (categories, (const char *const *) self->categories))
    return;

  g_strfreev (self->categories);
  self->categories = g_strdupv ((char **) categories);
  g_signal_emit (self, signals[RANGE_CHANGED], 0);
}

/**
 * tare_axis_get_bounds:
 * @self: the axis
 * @minimum: (out) (optional): the least value that can be shown
 * @maximum: (out) (optional): the greatest
 */
void
tare_axis_get_bounds (TareAxis *self,
                      double   *minimum,
                      double   *maximum)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  if (minimum != NULL)
    *minimum = self->bounds[0];
  if (maximum != NULL)
    *maximum = self->bounds[1];
}

/**
 * tare_axis_set_bounds:
 * @self: the axis
 * @minimum: the least value in the data
 * @maximum: the greatest
 *
 * An axis that showed everything goes on to; one that was zoomed keeps its range as far as that
 * lies within the new bounds. Numbers that are not finite change nothing.
 */
void
tare_axis_set_bounds (TareAxis *self,
                      double    minimum,
                      double    maximum)
{
  gboolean fitted;
  double given[2] = { minimum, maximum };

  g_return_if_fail (TARE_IS_AXIS (self));

  fitted = tare_axis_is_fitted (self);
  if (!mend (self, &minimum, &maximum))
    return;

  self->wanted[0] = given[0];
  self->wanted[1] = given[1];
  self->bounds[0] = minimum;
  self->bounds[1] = maximum;
  if (fitted || self->range[0] >= maximum || self->range[1] <= minimum)
    change_range (self, minimum, maximum);
  else
    tare_axis_set_range (self, self->range[0], self->range[1]);
}

/**
 * tare_axis_get_range:
 * @self: the axis
 * @minimum: (out) (optional): the least value shown, at position 0 unless the axis is reversed
 * @maximum: (out) (optional): the greatest, at position 1 unless it is
 */
void
tare_axis_get_range (TareAxis *self,
                     double   *minimum,
                     double   *maximum)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  if (minimum != NULL)
    *minimum = self->range[0];
  if (maximum != NULL)
    *maximum = self->range[1];
}

/**
 * tare_axis_set_range:
 * @self: the axis
 * @minimum: the value to show at position 0
 * @maximum: the value to show at position 1
 *
 * Shows a part of the bounds, moved into them where it reaches out.
 */
void
tare_axis_set_range (TareAxis *self,
                     double    minimum,
                     double    maximum)
{
  double begin;

  g_return_if_fail (TARE_IS_AXIS (self));

  if (!mend (self, &minimum, &maximum))
    return;
  if (minimum >= self->bounds[0] && maximum <= self->bounds[1])
    {
      change_range (self, minimum, maximum);
      return;
    }

  begin = scale_value (self, minimum);
  show_scaled (self, begin, scale_value (self, maximum) - begin);
}

/**
 * tare_axis_is_fitted:
 * @self: the axis
 *
 * Returns: whether all of the bounds are shown
 */
gboolean
tare_axis_is_fitted (TareAxis *self)
{
  g_return_val_if_fail (TARE_IS_AXIS (self), FALSE);

  return self->range[0] <= self->bounds[0] && self->range[1] >= self->bounds[1];
}

/**
 * tare_axis_fit:
 * @self: the axis
 *
 * Shows all of the bounds.
 */
void
tare_axis_fit (TareAxis *self)
{
  g_return_if_fail (TARE_IS_AXIS (self));

  change_range (self, self->bounds[0], self->bounds[1]);
}

/**
 * tare_axis_zoom:
 * @self: the axis
 * @factor: above 1 shows less, and that larger; positive
 * @anchor: the position, from 0 to 1, whose value stays where it is
 */
void
tare_axis_zoom (TareAxis *self,
                double    factor,
                double    anchor)
{
  double lower, upper, span, least;

  g_return_if_fail (TARE_IS_AXIS (self));

  if (!(factor > 0.0) || !isfinite (factor) || !isfinite (anchor))
    return;

  lower = scale_value (self, self->range[0]);
  upper = scale_value (self, self->range[1]);
  least = (scale_value (self, self->bounds[1]) - scale_value (self, self->bounds[0]))
          * SMALLEST_PART;
  if (self->counting && self->scale == TARE_AXIS_SCALE_LINEAR)
    least = MIN (LEAST_COUNT, self->bounds[1] - self->bounds[0]);
  if (self->reversed)
    anchor = 1.0 - anchor;
  span = MAX ((upper - lower) / factor, least);
  show_scaled (self, lower + anchor * (upper - lower - span), span);
}

/**
 * tare_axis_pan:
 * @self: the axis
 * @distance: how far to go towards position 1, as a part of what is shown
 */
void
tare_axis_pan (TareAxis *self,
               double    distance)
{
  double lower, span;

  g_return_if_fail (TARE_IS_AXIS (self));

  if (!isfinite (distance) || tare_axis_is_fitted (self))
    return;

  lower = scale_value (self, self->range[0]);
  span = scale_value (self, self->range[1]) - lower;
  show_scaled (self, lower + (self->reversed ? -distance : distance) * span, span);
}

/**
 * tare_axis_normalize:
 * @self: the axis
 * @value: a value
 *
 * Returns: its position, from 0 to 1 for what is shown and beyond for what is not. On a logarithmic
 *   axis what is not positive lies at minus infinity; NaN stays NaN.
 */
double
tare_axis_normalize (TareAxis *self,
                     double    value)
{
  double lower, upper, position;

  g_return_val_if_fail (TARE_IS_AXIS (self), 0.0);

  lower = scale_value (self, self->range[0]);
  upper = scale_value (self, self->range[1]);
  if (self->scale == TARE_AXIS_SCALE_LOG && value <= 0.0)
    position = -INFINITY;
  else
    position = (scale_value (self, value) - lower) / (upper - lower);

  return self->reversed ? 1.0 - position : position;
}

/**
 * tare_axis_denormalize:
 * @self: the axis
 * @position: from 0 to 1
 *
 * Returns: the value shown there
 */
double
tare_axis_denormalize (TareAxis *self,
                       double    position)
{
  double lower, upper;

  g_return_val_if_fail (TARE_IS_AXIS (self), 0.0);

  lower = scale_value (self, self->range[0]);
  upper = scale_value (self, self->range[1]);
  if (self->reversed)
    position = 1.0 - position;

  return unscale_value (self, lower + position * (upper - lower));
}

static guint
make_category_ticks (TareAxis *self,
                     guint     most,
                     TareTick *ticks)
{
  guint length = g_strv_length (self->categories);
  double first = MAX (0.0, ceil (self->range[0]));
  double last = MIN (length - 1.0, floor (self->range[1]));
  guint n = 0;
  double every;

  if (length == 0 || last < first)
    return 0;

  every = MAX (1.0, ceil ((last - first + 1.0) / CLAMP (most, 1u, TARE_TICKS_MAX)));
  for (double i = ceil (first / every) * every; i <= last && n < TARE_TICKS_MAX; i += every)
    {
      const char *end;

      ticks[n].value = i;
      ticks[n].minor = FALSE;
      g_strlcpy (ticks[n].label, self->categories[(guint) i], TARE_TICK_LABEL_SIZE);
      if (!g_utf8_validate (ticks[n].label, -1, &end))
        ticks[n].label[end - ticks[n].label] = '\0';
      n++;
    }

  return n;
}

/* Ticks at whole numbers only. */
static guint
make_counting_ticks (TareAxis *self,
                     guint     most,
                     TareTick *ticks)
{
  double span = self->range[1] - self->range[0];
  guint n, kept = 0;

  most = (guint) CLAMP (floor (span), 1.0, (double) most);
  n = tare_ticks_make_linear (self->range[0], self->range[1], most, ticks);
  for (guint i = 0; i < n; i++)
    if (fabs (ticks[i].value - rint (ticks[i].value)) < 1e-6)
      ticks[kept++] = ticks[i];

  return kept;
}

/**
 * tare_axis_make_ticks:
 * @self: the axis
 * @most: how many labels there is room for
 * @ticks: (out caller-allocates): %TARE_TICKS_MAX of them
 *
 * Returns: how many there are in what is shown
 */
guint
tare_axis_make_ticks (TareAxis *self,
                      guint     most,
                      TareTick *ticks)
{
  g_return_val_if_fail (TARE_IS_AXIS (self), 0);

  if (self->categories != NULL)
    return make_category_ticks (self, most, ticks);
  if (self->counting && self->scale == TARE_AXIS_SCALE_LINEAR)
    return make_counting_ticks (self, most, ticks);

  switch (self->scale)
    {
    case TARE_AXIS_SCALE_LOG:
      return tare_ticks_make_log (self->range[0], self->range[1], most, ticks);
    case TARE_AXIS_SCALE_SYMLOG:
      return tare_ticks_make_symlog (self->range[0], self->range[1], self->threshold, most, ticks);
    case TARE_AXIS_SCALE_LINEAR:
    default:
      return tare_ticks_make_linear (self->range[0], self->range[1], most, ticks);
    }
}
