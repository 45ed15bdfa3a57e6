/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-colormap.h"

#include <math.h>

#include "widgets/tare-color-scale.h"

static const GdkRGBA backgrounds[2] = {
  { 0.98f, 0.98f, 0.98f, 1.0f },
  { 0.14f, 0.14f, 0.14f, 1.0f },
};

/* Lightness of CIE L*a*b*, which the scale was not made with. */
static double
lightness (const GdkRGBA *color)
{
  static const GdkRGBA black = { 0.0f, 0.0f, 0.0f, 1.0f };
  double y = (tare_colormap_contrast (color, &black) * 0.05) - 0.05;

  return y > 0.008856 ? 116.0 * cbrt (y) - 16.0 : 903.3 * y;
}

static void
test_contrast (void)
{
  static const GdkRGBA black = { 0.0f, 0.0f, 0.0f, 1.0f };
  static const GdkRGBA white = { 1.0f, 1.0f, 1.0f, 1.0f };
  static const GdkRGBA gray = { 0.46667f, 0.46667f, 0.46667f, 1.0f };

  g_assert_cmpfloat_with_epsilon (tare_colormap_contrast (&black, &white), 21.0, 1e-6);
  g_assert_cmpfloat_with_epsilon (tare_colormap_contrast (&white, &white), 1.0, 1e-12);

  /* #777777 on white: 4.48, the well-known grey that fails by a hair. */
  g_assert_cmpfloat_with_epsilon (tare_colormap_contrast (&white, &gray), 4.48, 0.01);
}

/* Equal steps of the value are about equal steps of lightness, in one direction, and away from
 * the background. */
static void
test_even (void)
{
  for (gboolean dark = FALSE; dark <= TRUE; dark++)
    {
      double before, least = INFINITY, greatest = 0.0;
      GdkRGBA first, last, color;

      tare_colormap_get (0.0, dark, &first);
      tare_colormap_get (1.0, dark, &last);
      before = lightness (&first);
      for (guint i = 1; i <= 20; i++)
        {
          double step;

          tare_colormap_get (i / 20.0, dark, &color);
          step = (lightness (&color) - before) * (dark ? 1.0 : -1.0);
          least = fmin (least, step);
          greatest = fmax (greatest, step);
          before = lightness (&color);
        }

      g_assert_cmpfloat (least, >, 0.0);
      g_assert_cmpfloat (greatest / least, <, 2.0);
      g_assert_cmpfloat (fabs (lightness (&last) - lightness (&first)), >, 55.0);
      g_assert_cmpfloat (tare_colormap_contrast (&last, &backgrounds[dark]), >, 7.0);
      g_assert_cmpfloat (tare_colormap_contrast (&first, &backgrounds[dark]), >, 1.1);
    }
}

/* The calm scale falls evenly on both backgrounds, and its high end, which an untouched model is a
 * wall of, is dark on a dark one; still every fill is told from it. */
static void
test_calm (void)
{
  for (gboolean dark = FALSE; dark <= TRUE; dark++)
    {
      double before, least = INFINITY, greatest = 0.0;
      GdkRGBA first, color, text;

      tare_colormap_get_calm (0.0, dark, &first);
      before = lightness (&first);
      for (guint i = 1; i <= 20; i++)
        {
          double step;

          tare_colormap_get_calm (i / 20.0, dark, &color);
          step = before - lightness (&color);
          least = fmin (least, step);
          greatest = fmax (greatest, step);
          before = lightness (&color);
          tare_colormap_get_text (&color, &text);
          g_assert_cmpfloat (tare_colormap_contrast (&color, &text), >=, 4.5);
          g_assert_cmpfloat (tare_colormap_contrast (&color, &backgrounds[dark]), >, 1.1);
        }

      g_assert_cmpfloat (least, >, 0.0);
      g_assert_cmpfloat (greatest / least, <, 2.0);
      g_assert_cmpfloat (lightness (&first) - before, >, 40.0);
      if (dark)
        {
          g_assert_cmpfloat (before, <, 35.0);
          g_assert_cmpfloat (lightness (&first), <, 80.0);
        }
    }
}

static void
test_text (void)
{
  for (gboolean dark = FALSE; dark <= TRUE; dark++)
    for (guint i = 0; i <= 1000; i++)
      {
        GdkRGBA fill, text;

        tare_colormap_get (i / 1000.0, dark, &fill);
        tare_colormap_get_text (&fill, &text);
        g_assert_cmpfloat (tare_colormap_contrast (&fill, &text), >=, 4.5);
      }
}

static void
test_ends (void)
{
  GdkRGBA inside, outside;

  tare_colormap_get (0.0, FALSE, &inside);
  tare_colormap_get (-3.0, FALSE, &outside);
  g_assert_true (gdk_rgba_equal (&inside, &outside));
  tare_colormap_get (NAN, FALSE, &outside);
  g_assert_true (gdk_rgba_equal (&inside, &outside));
  tare_colormap_get (1.0, FALSE, &inside);
  tare_colormap_get (INFINITY, FALSE, &outside);
  g_assert_true (gdk_rgba_equal (&inside, &outside));
}

/* WCAG 1.4.11: what carries meaning has a contrast of 3. */
static void
test_categories (void)
{
  for (gboolean dark = FALSE; dark <= TRUE; dark++)
    for (guint i = 0; i < TARE_COLORMAP_N_CATEGORIES; i++)
      {
        GdkRGBA color, other;

        tare_colormap_get_category (i, dark, &color);
        tare_colormap_get_category (i + TARE_COLORMAP_N_CATEGORIES, dark, &other);
        g_assert_true (gdk_rgba_equal (&color, &other));
        g_assert_cmpfloat (tare_colormap_contrast (&color, &backgrounds[dark]), >=, 3.0);

        /* Also from each other, in the strongest channel. */
        for (guint j = 0; j < i; j++)
          {
            tare_colormap_get_category (j, dark, &other);
            g_assert_cmpfloat (MAX (fabsf (color.red - other.red),
                                    MAX (fabsf (color.green - other.green),
                                         fabsf (color.blue - other.blue))), >, 0.15f);
          }
      }
}

/* Both arms go evenly away from the background, and differ for those who see no red or green. */
static void
test_diverging (void)
{
  for (gboolean dark = FALSE; dark <= TRUE; dark++)
    {
      GdkRGBA middle, below, above;
      double last[2] = { 1.0, 1.0 };

      tare_colormap_get_diverging (0.0, dark, &middle);
      g_assert_cmpfloat (tare_colormap_contrast (&middle, &backgrounds[dark]), <, 1.3);
      for (guint i = 1; i <= 10; i++)
        {
          double contrast[2];

          tare_colormap_get_diverging (i / -10.0, dark, &below);
          tare_colormap_get_diverging (i / 10.0, dark, &above);
          contrast[0] = tare_colormap_contrast (&below, &middle);
          contrast[1] = tare_colormap_contrast (&above, &middle);
          g_assert_cmpfloat (contrast[0], >, last[0]);
          g_assert_cmpfloat (contrast[1], >, last[1]);
          last[0] = contrast[0];
          last[1] = contrast[1];
          g_assert_cmpfloat (below.blue - below.red, >, above.blue - above.red);
        }
      g_assert_cmpfloat (last[0], >, 5.0);
      g_assert_cmpfloat (last[1], >, 5.0);
      g_assert_cmpfloat (below.blue - below.red, >, 0.2f);
      g_assert_cmpfloat (above.blue - above.red, <, -0.2f);
    }
}

/* How far two colours are apart in the strongest channel. */
static guint
distance (guint32 a,
          guint32 b)
{
  guint most = 0;

  for (guint shift = 0; shift < 24; shift += 8)
    most = MAX (most, (guint) ABS ((int) (a >> shift & 0xff) - (int) (b >> shift & 0xff)));

  return most;
}

/* A picture is coloured as single values are, on every scale, to what 0.4 % make. */
static void
test_scale (void)
{
  static const float values[] = { 0.0f, -0.0f, 1e-6f, 0.003f, 0.1f, 0.25f, 0.5f, 0.99f, 1.0f, 7.0f,
                                  -1.0f, -0.2f, INFINITY, -INFINITY, NAN };
  g_autoptr(TareColorScale) scale = tare_color_scale_new ("x");
  TareAxis *axis = tare_color_scale_get_axis (scale);
  guint32 pixels[G_N_ELEMENTS (values)];

  g_assert_cmpstr (tare_axis_get_title (axis), ==, "x");
  for (guint variant = 0; variant < 12; variant++)
    {
      gboolean dark = variant % 2, diverging = variant / 2 % 2;

      tare_color_scale_set_diverging (scale, diverging);
      g_assert_cmpint (tare_color_scale_get_diverging (scale), ==, diverging);
      tare_axis_set_scale (axis, (TareAxisScale) (variant / 4));
      tare_axis_set_threshold (axis, 0.01);
      tare_axis_set_bounds (axis, variant / 4 == TARE_AXIS_SCALE_LOG ? 1e-3
                                  : diverging ? -1.0 : 0.0, 1.0);
      tare_color_scale_map (scale, values, G_N_ELEMENTS (values), dark, pixels);
      for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
        {
          GdkRGBA color;

          tare_color_scale_get_color (scale, (double) values[i], dark, &color);
          g_assert_cmpuint (distance (pixels[i], tare_colormap_pack (&color)), <=, 4);
        }
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/colormap/contrast", test_contrast);
  g_test_add_func ("/colormap/even", test_even);
  g_test_add_func ("/colormap/calm", test_calm);
  g_test_add_func ("/colormap/text", test_text);
  g_test_add_func ("/colormap/ends", test_ends);
  g_test_add_func ("/colormap/categories", test_categories);
  g_test_add_func ("/colormap/diverging", test_diverging);
  g_test_add_func ("/colormap/scale", test_scale);

  return g_test_run ();
}
