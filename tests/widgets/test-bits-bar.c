/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/widgets/widget-test.h"

#include <math.h>

#include "widgets/tare-bits-bar.h"
#include "widgets/tare-colormap.h"

static void
count_cb (GtkWidget  *widget,
          GParamSpec *pspec,
          guint      *n)
{
  (*n)++;
}

static void
test_bits_bar (void)
{
  GtkWidget *bar = tare_bits_bar_new ();
  GtkWindow *window = widget_test_show (bar, 200, 40);
  g_autoptr(WidgetPixels) pixels = NULL;
  GdkRGBA color;
  guint n = 0;

  g_signal_connect (bar, "notify::value", G_CALLBACK (count_cb), &n);
  tare_bits_bar_set_value (TARE_BITS_BAR (bar), 0.75);
  tare_bits_bar_set_value (TARE_BITS_BAR (bar), 0.75);
  g_assert_cmpuint (n, ==, 1);
  pixels = widget_test_render (bar);
  tare_colormap_get_calm (0.75, FALSE, &color);
  g_assert_cmpuint (widget_pixels_count (pixels, widget_test_color (&color), 0, pixels->height / 2,
                                         pixels->width, 1), ==, (guint) pixels->width * 3 / 4);

  tare_bits_bar_set_value (TARE_BITS_BAR (bar), 7.0);
  g_assert_cmpfloat (tare_bits_bar_get_value (TARE_BITS_BAR (bar)), ==, 1.0);
  tare_bits_bar_set_value (TARE_BITS_BAR (bar), NAN);
  tare_bits_bar_set_value (TARE_BITS_BAR (bar), NAN);
  g_assert_cmpuint (n, ==, 3);

  gtk_window_destroy (window);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/bits-bar/value", test_bits_bar);

  return g_test_run ();
}
