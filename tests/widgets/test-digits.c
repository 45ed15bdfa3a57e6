/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/tare-test.h"
#include "tests/widgets/widget-test.h"

#include "widgets/tare-digits-private.h"

#define WIDTH 200
#define HEIGHT 40

static const char *const numbers[] = {
  "0", "1234567890", "−0.00314", "1.5e-05", "+2,718", "inf", "nan", "1E+38", "−−", "",
};

static PangoLayout *
make_layout (GtkWidget  *widget,
             const char *font)
{
  PangoLayout *layout = gtk_widget_create_pango_layout (widget, NULL);
  g_autoptr(PangoFontDescription) description = pango_font_description_from_string (font);

  pango_layout_set_font_description (layout, description);

  return layout;
}

/* (transfer full): what a snapshot, (transfer full), draws over white */
static cairo_surface_t *
draw (GtkSnapshot *snapshot)
{
  GskRenderNode *node = gtk_snapshot_free_to_node (snapshot);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, WIDTH, HEIGHT);
  cairo_t *cr = cairo_create (surface);

  cairo_set_source_rgb (cr, 1.0, 1.0, 1.0);
  cairo_paint (cr);
  if (node != NULL)
    {
      gsk_render_node_draw (node, cr);
      gsk_render_node_unref (node);
    }
  cairo_destroy (cr);
  cairo_surface_flush (surface);

  return surface;
}

static cairo_surface_t *
draw_digits (const TareDigits *digits,
             const char       *text,
             const GdkRGBA    *color)
{
  GtkSnapshot *snapshot = gtk_snapshot_new ();

  _tare_digits_append (digits, snapshot, text, color, 7.0, 5.0);

  return draw (snapshot);
}

static cairo_surface_t *
draw_layout (PangoLayout   *layout,
             const char    *text,
             const GdkRGBA *color)
{
  GtkSnapshot *snapshot = gtk_snapshot_new ();

  pango_layout_set_text (layout, text, -1);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (7.0f, 5.0f));
  gtk_snapshot_append_layout (snapshot, layout, color);

  return draw (snapshot);
}

/* A number looks as it does laid out, to the pixel, and takes the same room. */
static void
test_same (void)
{
  static const GdkRGBA color = { 0.2f, 0.0f, 0.6f, 1.0f };
  static const char *const fonts[] = { "Sans 10", "Monospace 12" };
  g_autoptr(GtkWidget) widget = g_object_ref_sink (gtk_label_new (NULL));

  for (guint i = 0; i < G_N_ELEMENTS (fonts); i++)
    {
      g_autoptr(PangoLayout) layout = make_layout (widget, fonts[i]);
      g_autoptr(TareDigits) digits = _tare_digits_new (layout);

      for (guint k = 0; k < G_N_ELEMENTS (numbers); k++)
        {
          cairo_surface_t *ours = draw_digits (digits, numbers[k], &color);
          cairo_surface_t *theirs = draw_layout (layout, numbers[k], &color);
          int width, height;

          pango_layout_get_pixel_size (layout, &width, &height);
          g_assert_cmpfloat_with_epsilon (_tare_digits_measure (digits, numbers[k]), width, 1.0);
          g_assert_cmpint ((int) _tare_digits_get_height (digits), ==, height);
          g_assert_cmpmem (cairo_image_surface_get_data (ours), WIDTH * HEIGHT * 4,
                           cairo_image_surface_get_data (theirs), WIDTH * HEIGHT * 4);
          cairo_surface_destroy (ours);
          cairo_surface_destroy (theirs);
        }
    }
}

/* Very long ones are drawn whole, and what is not of numbers is passed over. */
static void
test_odd (void)
{
  static const GdkRGBA color = { 0.0f, 0.0f, 0.0f, 1.0f };
  g_autoptr(GtkWidget) widget = g_object_ref_sink (gtk_label_new (NULL));
  g_autoptr(PangoLayout) layout = make_layout (widget, "Sans 4");
  g_autoptr(TareDigits) digits = _tare_digits_new (layout);
  cairo_surface_t *odd = draw_digits (digits, "1x2\t3", &color);
  cairo_surface_t *plain = draw_digits (digits, "123", &color);
  cairo_surface_t *lengthy = draw_digits (digits, "1111111111111111111111111111111111111111",
                                          &color);
  cairo_surface_t *laid_out = draw_layout (layout, "1111111111111111111111111111111111111111",
                                           &color);

  g_assert_cmpmem (cairo_image_surface_get_data (odd), WIDTH * HEIGHT * 4,
                   cairo_image_surface_get_data (plain), WIDTH * HEIGHT * 4);
  g_assert_cmpmem (cairo_image_surface_get_data (lengthy), WIDTH * HEIGHT * 4,
                   cairo_image_surface_get_data (laid_out), WIDTH * HEIGHT * 4);
  g_assert_cmpfloat (_tare_digits_measure (digits, "1x2"), ==, _tare_digits_measure (digits, "12"));
  cairo_surface_destroy (odd);
  cairo_surface_destroy (plain);
  cairo_surface_destroy (lengthy);
  cairo_surface_destroy (laid_out);
}

int
main (int    argc,
      char **argv)
{
  if (!widget_test_init (&argc, &argv))
    return 0;

  g_test_add_func ("/digits/same", test_same);
  g_test_add_func ("/digits/odd", test_odd);

  return g_test_run ();
}
