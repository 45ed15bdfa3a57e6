/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-digits-private.h"

/* What numbers are made of, infinity and what is none among them. */
#define CHARACTERS "0123456789.,+-−eE∞infa"

/* Of one number, in characters. */
#define MOST_GLYPHS 32

typedef struct
{
  gunichar       character;
  PangoFont     *font;   /* (nullable): owned */
  PangoGlyphInfo info;
} Glyph;

/* The glyphs of numbers in one font. To lay out a text takes ten times as long as to draw it, and
 * a thousand cells that each have a number are drawn anew in every frame of a movement. */
struct _TareDigits
{
  Glyph  glyphs[24];
  guint  n;
  double height;     /* of a line, in pixels */
  double baseline;   /* from its top */
};

static void
glyph_init (Glyph       *self,
            gunichar     character,
            PangoLayout *layout)
{
  char text[7] = "";
  PangoGlyphItem *item;
  PangoLayoutLine *line;

  g_unichar_to_utf8 (character, text);
  pango_layout_set_text (layout, text, -1);
  line = pango_layout_get_line_readonly (layout, 0);
  self->character = character;
  if (line->runs == NULL)
    return;

  item = line->runs->data;
  if (item->glyphs->num_glyphs != 1)
    return;
  self->font = g_object_ref (item->item->analysis.font);
  self->info = item->glyphs->glyphs[0];
}

/* @layout: has the font; its text is changed */
TareDigits *
_tare_digits_new (PangoLayout *layout)
{
  TareDigits *self = g_new0 (TareDigits, 1);
  int height;

  for (const char *at = CHARACTERS; *at != '\0'; at = g_utf8_next_char (at))
    glyph_init (&self->glyphs[self->n++], g_utf8_get_char (at), layout);
  pango_layout_get_pixel_size (layout, NULL, &height);
  self->height = height;
  self->baseline = (double) pango_layout_get_baseline (layout) / PANGO_SCALE;

  return self;
}

void
_tare_digits_free (TareDigits *self)
{
  for (guint i = 0; i < self->n; i++)
    g_clear_object (&self->glyphs[i].font);
  g_free (self);
}

/* In pixels. */
double
_tare_digits_get_height (const TareDigits *self)
{
  return self->height;
}

/* (nullable): of the character at @text */
static const Glyph *
find_glyph (const TareDigits *self,
            const char       *text)
{
  gunichar character = g_utf8_get_char (text);

  for (guint i = 0; i < self->n; i++)
    if (self->glyphs[i].character == character && self->glyphs[i].font != NULL)
      return &self->glyphs[i];

  return NULL;
}

/* Returns: how wide @text is, in pixels; what is not of numbers has no width, and is not drawn. */
double
_tare_digits_measure (const TareDigits *self,
                      const char       *text)
{
  int width = 0;

  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      const Glyph *glyph = find_glyph (self, text);

      width += glyph != NULL ? glyph->info.geometry.width : 0;
    }

  return (double) width / PANGO_SCALE;
}

/* Draws a number whose upper left corner lies at (@x, @y). */
void
_tare_digits_append (const TareDigits *self,
                     GtkSnapshot      *snapshot,
                     const char       *text,
                     const GdkRGBA    *color,
                     double            x,
                     double            y)
{
  PangoGlyphInfo infos[MOST_GLYPHS];
  int clusters[MOST_GLYPHS] = { 0 };

  while (*text != '\0')
    {
      PangoGlyphString glyphs = { .glyphs = infos, .log_clusters = clusters };
      PangoFont *font = NULL;
      int width = 0;

      /* A font that lacks a character gets it from another: as many as have one font at a time. */
      for (; *text != '\0' && glyphs.num_glyphs < MOST_GLYPHS; text = g_utf8_next_char (text))
        {
          const Glyph *glyph = find_glyph (self, text);

          if (glyph == NULL)
            continue;
          if (font != NULL && glyph->font != font)
            break;
          font = glyph->font;
          clusters[glyphs.num_glyphs] = glyphs.num_glyphs;
          infos[glyphs.num_glyphs++] = glyph->info;
          width += glyph->info.geometry.width;
        }
      if (font != NULL)
        {
          g_autoptr(GskRenderNode) node =
            gsk_text_node_new (font, &glyphs, color,
                               &GRAPHENE_POINT_INIT ((float) x, (float) (y + self->baseline)));

          if (node != NULL)
            gtk_snapshot_append_node (snapshot, node);
        }
      x += (double) width / PANGO_SCALE;
    }
}
