/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-colormap.h"

#include <math.h>

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

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/colormap/contrast", test_contrast);
  g_test_add_func ("/colormap/even", test_even);
  g_test_add_func ("/colormap/text", test_text);
  g_test_add_func ("/colormap/ends", test_ends);
  g_test_add_func ("/colormap/categories", test_categories);

  return g_test_run ();
}
