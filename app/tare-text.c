/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-text.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

typedef struct
{
  double      size;
  const char *unit;
} Scale;

static const Scale byte_scales[] = {
  { 1e12, N_("TB") },
  { 1e9, N_("GB") },
  { 1e6, N_("MB") },
  { 1e3, N_("kB") },
};

static const Scale count_scales[] = {
  { 1e12, N_("T") },
  { 1e9, N_("G") },
  { 1e6, N_("M") },
  { 1e3, N_("k") },
};

/**
 * tare_text_bytes:
 * @bytes: a size
 *
 * Returns: (transfer full): in SI units with two decimals, "3.02 MB"
 */
char *
tare_text_bytes (guint64 bytes)
{
  for (gsize i = 0; i < G_N_ELEMENTS (byte_scales); i++)
    if ((double) bytes >= byte_scales[i].size)
      return g_strdup_printf ("%.2f %s", (double) bytes / byte_scales[i].size,
                              _(byte_scales[i].unit));

  /* translators: the unit of a size under 1,000 bytes */
  return g_strdup_printf (_("%u B"), (guint) bytes);
}

/**
 * tare_text_bytes_exact:
 * @bytes: a size
 *
 * Returns: (transfer full): every digit of it
 */
char *
tare_text_bytes_exact (guint64 bytes)
{
  g_autofree char *number = g_strdup_printf ("%'" G_GUINT64_FORMAT, bytes);

  return g_strdup_printf (_("%s bytes"), number);
}

/**
 * tare_text_count:
 * @count: how many
 *
 * Returns: (transfer full): about how many, "5.2 M"
 */
char *
tare_text_count (guint64 count)
{
  for (gsize i = 0; i < G_N_ELEMENTS (count_scales); i++)
    if ((double) count >= count_scales[i].size)
      return g_strdup_printf ("%.1f %s", (double) count / count_scales[i].size,
                              _(count_scales[i].unit));

  return g_strdup_printf ("%" G_GUINT64_FORMAT, count);
}

/**
 * tare_text_number:
 * @value: a number
 * @digits: significant digits to show
 *
 * Returns: (transfer full): the number, or a dash where it is not finite
 */
char *
tare_text_number (double value,
                  int    digits)
{
  if (!isfinite (value))
    return g_strdup (TARE_TEXT_UNKNOWN);

  return g_strdup_printf ("%.*g", digits, value);
}

/**
 * tare_text_significant:
 * @value: a number
 * @digits: significant digits to show
 *
 * Returns: (transfer full): the number with that many digits, be the last ones zeros, for columns
 *   of figures that are as exact as each other; or a dash where it is not finite
 */
char *
tare_text_significant (double value,
                       int    digits)
{
  char *text;

  if (!isfinite (value))
    return g_strdup (TARE_TEXT_UNKNOWN);

  text = g_strdup_printf ("%#.*g", digits, value);
  /* No point where no digit follows. */
  if (g_str_has_suffix (text, "."))
    text[strlen (text) - 1] = '\0';

  return text;
}

/**
 * tare_text_share:
 * @share: of 1
 * @decimals: to show
 *
 * Returns: (transfer full): in percent, a bare 0 where it is none at all and not just too small to
 *   show, or a dash where it is not finite
 */
char *
tare_text_share (double share,
                 int    decimals)
{
  if (!isfinite (share))
    return g_strdup (TARE_TEXT_UNKNOWN);
  if (share == 0.0)
    return g_strdup ("0 %");

  return g_strdup_printf ("%.*f %%", decimals, 100.0 * share);
}

/**
 * tare_text_doubtful:
 * @value: a measured number
 * @error: its standard error, NaN where there is none
 *
 * Shows as many decimals as leave two digits of the error.
 *
 * Returns: (transfer full): "36.02 ± 0.40"
 */
char *
tare_text_doubtful (double value,
                    double error)
{
  int decimals;

  if (!isfinite (value))
    return g_strdup (TARE_TEXT_UNKNOWN);
  if (!isfinite (error) || error <= 0.0)
    return g_strdup_printf ("%.4g", value);

  decimals = CLAMP (1 - (int) floor (log10 (error)), 0, 9);

  return g_strdup_printf ("%.*f ± %.*f", decimals, value, decimals, error);
}

/**
 * tare_text_duration:
 * @seconds: how long
 *
 * Returns: (transfer full): rounded as far as a person cares
 */
char *
tare_text_duration (double seconds)
{
  guint whole = (guint) CLAMP (ceil (seconds), 0.0, 1e9);

  if (whole < 60)
    return g_strdup_printf (_("%u s"), whole);
  if (whole < 3600)
    return g_strdup_printf (_("%u min %u s"), whole / 60, whole % 60);

  return g_strdup_printf (_("%u h %u min"), whole / 3600, whole / 60 % 60);
}

/**
 * tare_text_visible:
 * @text: a text
 *
 * Returns: (transfer full): it in one line, every line break as a sign
 */
char *
tare_text_visible (const char *text)
{
  g_auto(GStrv) lines = NULL;

  g_return_val_if_fail (text != NULL, NULL);

  lines = g_strsplit (text, "\n", -1);

  return g_strjoinv ("↵", lines);
}

/**
 * tare_text_at:
 * @measure: the name of a figure that is of a format
 * @format: the label of the format that it is of
 *
 * Returns: (transfer full): both, "Proxy loss at Q4_K"
 */
char *
tare_text_at (const char *measure,
              const char *format)
{
  /* translators: the name of a figure, and the format that it is of */
  return g_strdup_printf (_("%s at %s"), measure, format);
}

/**
 * tare_text_contains:
 * @text: (nullable): a text
 * @folded: what to look for, as g_utf8_casefold() has it
 *
 * Returns: whether it occurs in @text, in whatever case
 */
gboolean
tare_text_contains (const char *text,
                    const char *folded)
{
  g_autofree char *own = text != NULL ? g_utf8_casefold (text, -1) : NULL;

  return own != NULL && strstr (own, folded) != NULL;
}
