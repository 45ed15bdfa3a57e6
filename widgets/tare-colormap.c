/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-colormap.h"

#include <math.h>

/* Enough that neighbouring entries differ by less than a step of an 8-bit channel. */
#define N_ENTRIES 512

typedef enum
{
  VARIANT_LIGHT,
  VARIANT_DARK,
  VARIANT_CALM,
  N_VARIANTS,
} Variant;

typedef struct
{
  double lightness;
  double chroma;
  double hue;  /* degrees */
} Lch;

/*
 * Control points in OKLCh. Lightness runs at one rate from end to end, so that equal steps of the
 * value look like equal steps; the hue goes from yellow through green to blue, a path on which
 * red-green blindness loses nothing because lightness alone tells the order.
 */
static const Lch light_points[] = {
  { 0.940, 0.075, 105.0 },
  { 0.788, 0.115, 150.0 },
  { 0.635, 0.100, 195.0 },
  { 0.483, 0.105, 245.0 },
  { 0.330, 0.110, 285.0 },
};

static const Lch dark_points[] = {
  { 0.340, 0.085, 280.0 },
  { 0.483, 0.105, 250.0 },
  { 0.625, 0.105, 195.0 },
  { 0.768, 0.125, 150.0 },
  { 0.910, 0.135, 108.0 },
};

/*
 * The light scale's hues for a dark background, its high end near that, and its low end no brighter
 * than a page of text: for what nearly all of a picture has the most of until somebody changes it,
 * such as bits, where a scale that rises from the background would be a wall of light.
 */
static const Lch calm_points[] = {
  { 0.800, 0.110, 108.0 },
  { 0.700, 0.115, 150.0 },
  { 0.600, 0.095, 195.0 },
  { 0.500, 0.100, 245.0 },
  { 0.400, 0.095, 285.0 },
};

/* From the middle to either end: blue below, orange above, a pair that all eyes tell apart. */
static const Lch light_arms[2][3] = {
  { { 0.970, 0.000, 255.0 }, { 0.720, 0.110, 245.0 }, { 0.400, 0.140, 262.0 } },
  { { 0.970, 0.000, 60.0 }, { 0.740, 0.130, 62.0 }, { 0.430, 0.120, 45.0 } },
};

static const Lch dark_arms[2][3] = {
  { { 0.280, 0.000, 255.0 }, { 0.560, 0.140, 252.0 }, { 0.860, 0.090, 235.0 } },
  { { 0.280, 0.000, 60.0 }, { 0.580, 0.130, 55.0 }, { 0.890, 0.120, 85.0 } },
};

/*
 * The first three after Okabe and Ito, "Color Universal Design" (2008). The others lie as far as
 * they can from all of these in OKLab as normal, protanopic and deuteranopic eyes see them
 * (Machado, Oliveira, Fernandes, 2009), under the condition of a contrast of 3 to the background;
 * so that they differ in lightness as much as in hue.
 */
static const char *const light_categories[TARE_COLORMAP_N_CATEGORIES] = {
  "#0072b2", "#d55e00", "#009e73", "#a473ee", "#8d1920",
  "#7c613f", "#114f4d", "#b43481", "#3937ac", "#791582",
};

static const char *const dark_categories[TARE_COLORMAP_N_CATEGORIES] = {
  "#56b4e9", "#e69f00", "#2fc79b", "#fecfe5", "#f76562",
  "#5e67df", "#cfef54", "#ae7fb2", "#a26a07", "#437885",
};

/* The transfer function of sRGB, IEC 61966-2-1. */
static double
encode_srgb (double linear)
{
  linear = CLAMP (linear, 0.0, 1.0);

  return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow (linear, 1.0 / 2.4) - 0.055;
}

static double
decode_srgb (double encoded)
{
  return encoded <= 0.04045 ? encoded / 12.92 : pow ((encoded + 0.055) / 1.055, 2.4);
}

/* OKLab to sRGB: Bjoern Ottosson, "A perceptual color space for image processing" (2020). */
static void
convert (const Lch *lch,
         GdkRGBA   *color)
{
  double a = lch->chroma * cos (lch->hue * G_PI / 180.0);
  double b = lch->chroma * sin (lch->hue * G_PI / 180.0);
  double l = lch->lightness + 0.3963377774 * a + 0.2158037573 * b;
  double m = lch->lightness - 0.1055613458 * a - 0.0638541728 * b;
  double s = lch->lightness - 0.0894841775 * a - 1.2914855480 * b;

  l = l * l * l;
  m = m * m * m;
  s = s * s * s;

  color->red = (float) encode_srgb (4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  color->green = (float) encode_srgb (-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  color->blue = (float) encode_srgb (-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
  color->alpha = 1.0f;
}

/* The colour at a part, from 0 to 1, of a path over points at equal distances. */
static void
follow (const Lch *points,
        guint      n,
        double     part,
        GdkRGBA   *color)
{
  double place = part * (n - 1.0);
  guint k = MIN ((guint) place, n - 2);
  double t = place - k;
  Lch lch = {
    points[k].lightness + t * (points[k + 1].lightness - points[k].lightness),
    points[k].chroma + t * (points[k + 1].chroma - points[k].chroma),
    points[k].hue + t * (points[k + 1].hue - points[k].hue),
  };

  convert (&lch, color);
}

static const GdkRGBA *
get_entries (Variant variant)
{
  static const Lch *const points[N_VARIANTS] = { light_points, dark_points, calm_points };
  static GdkRGBA entries[N_VARIANTS][N_ENTRIES];
  static gsize made = 0;

  if (g_once_init_enter (&made))
    {
      for (guint k = 0; k < N_VARIANTS; k++)
        for (guint i = 0; i < N_ENTRIES; i++)
          follow (points[k], G_N_ELEMENTS (light_points), i / (N_ENTRIES - 1.0), &entries[k][i]);
      g_once_init_leave (&made, 1);
    }

  return entries[variant];
}

static void
look_up (Variant  variant,
         double   position,
         GdkRGBA *color)
{
  double place = isnan (position) ? 0.0 : CLAMP (position, 0.0, 1.0);

  *color = get_entries (variant)[(guint) lrint (place * (N_ENTRIES - 1))];
}

/**
 * tare_colormap_get:
 * @position: from 0 to 1; what lies beyond takes the colour of the end
 * @dark: %TRUE for a dark background
 * @color: (out): the colour
 *
 * A sequential scale of even perceived steps. Its low end is near the background and its high end
 * far from it, in both variants, so that more always looks like more.
 */
void
tare_colormap_get (double    position,
                   gboolean  dark,
                   GdkRGBA  *color)
{
  look_up (dark ? VARIANT_DARK : VARIANT_LIGHT, position, color);
}

/**
 * tare_colormap_get_calm:
 * @position: from 0 to 1; what lies beyond takes the colour of the end
 * @dark: %TRUE for a dark background
 * @color: (out): the colour
 *
 * A sequential scale of even perceived steps for what is at its most where nothing was done, such
 * as bits: dark at its high end on every background, in the same hues, so that what was not touched
 * is quiet.
 */
void
tare_colormap_get_calm (double    position,
                        gboolean  dark,
                        GdkRGBA  *color)
{
  look_up (dark ? VARIANT_CALM : VARIANT_LIGHT, position, color);
}

/**
 * tare_colormap_get_diverging:
 * @position: from -1 to 1; what lies beyond takes the colour of the end
 * @dark: %TRUE for a dark background
 * @color: (out): the colour
 *
 * A scale for values of either sign: near the background at 0 and farther from it on both sides,
 * blue below and orange above.
 */
void
tare_colormap_get_diverging (double    position,
                             gboolean  dark,
                             GdkRGBA  *color)
{
  double place = isnan (position) ? 0.0 : CLAMP (position, -1.0, 1.0);
  guint arm = place >= 0.0;

  follow (dark ? dark_arms[arm] : light_arms[arm], G_N_ELEMENTS (dark_arms[arm]), fabs (place),
          color);
}

/**
 * tare_colormap_pack:
 * @color: a colour
 *
 * For pictures: GTK 4.8 turns this layout into that of a surface byte by byte, but even the
 * surface's own, %GDK_MEMORY_DEFAULT, by way of floats, which costs more than all else in a frame.
 *
 * Returns: the colour, opaque, as %GDK_MEMORY_R8G8B8A8 has it
 */
guint32
tare_colormap_pack (const GdkRGBA *color)
{
  return GUINT32_TO_LE (0xff000000u | (guint32) lrintf (color->blue * 255.0f) << 16
                        | (guint32) lrintf (color->green * 255.0f) << 8
                        | (guint32) lrintf (color->red * 255.0f));
}

static double
luminance (const GdkRGBA *color)
{
  return 0.2126 * decode_srgb ((double) color->red) + 0.7152 * decode_srgb ((double) color->green)
         + 0.0722 * decode_srgb ((double) color->blue);
}

/**
 * tare_colormap_contrast:
 * @a: an opaque colour
 * @b: another
 *
 * Returns: their contrast ratio, from 1 to 21, by WCAG 2.1
 */
double
tare_colormap_contrast (const GdkRGBA *a,
                        const GdkRGBA *b)
{
  double first = luminance (a);
  double second = luminance (b);

  return (MAX (first, second) + 0.05) / (MIN (first, second) + 0.05);
}

/**
 * tare_colormap_get_text:
 * @fill: an opaque colour
 * @text: (out): black or white, whichever reads better on it: a contrast of 4.58 at the least
 */
void
tare_colormap_get_text (const GdkRGBA *fill,
                        GdkRGBA       *text)
{
  static const GdkRGBA black = { 0.0f, 0.0f, 0.0f, 1.0f };
  static const GdkRGBA white = { 1.0f, 1.0f, 1.0f, 1.0f };

  *text = tare_colormap_contrast (fill, &black) >= tare_colormap_contrast (fill, &white) ? black
                                                                                        : white;
}

/**
 * tare_colormap_get_category:
 * @index: which of the things that are told apart; begins again after the last
 * @dark: %TRUE for a dark background
 * @color: (out): a colour that colour-blind eyes tell from its neighbours
 */
void
tare_colormap_get_category (guint     index,
                            gboolean  dark,
                            GdkRGBA  *color)
{
  const char *const *categories = dark ? dark_categories : light_categories;

  gdk_rgba_parse (color, categories[index % TARE_COLORMAP_N_CATEGORIES]);
}
