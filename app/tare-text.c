/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-text.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "widgets/tare-ticks.h"

/* Numbers whose first digit stands for a lesser or a greater power of ten are written with it. */
#define LEAST_EXPONENT -4
#define GREATEST_EXPONENT 6

/* What parts thousands where the locale does not say: a narrow space that no line breaks at, from
 * five digits on (ISO 80000-1, 7.3.1). */
#define THIN_SPACE "\u202f"
#define LEAST_GROUPED 5

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

/* Digits of a whole number, grouped as the locale does. */
static void
append_digits (GString    *string,
               const char *digits,
               gsize       n)
{
  const char *separator = localeconv ()->thousands_sep;
  gboolean grouped = *separator != '\0' || n >= LEAST_GROUPED;

  if (*separator == '\0')
    separator = THIN_SPACE;
  for (gsize i = 0; i < n; i++)
    {
      if (i > 0 && (n - i) % 3 == 0 && grouped)
        g_string_append (string, separator);
      g_string_append_c (string, digits[i]);
    }
}

/* A magnitude with so many decimals; where they are @trimmed, without zeros at their end. */
static void
append_fixed (GString  *string,
              double    magnitude,
              int       decimals,
              gboolean  trimmed)
{
  g_autofree char *text = g_strdup_printf ("%.*f", decimals, magnitude);
  gsize whole = strspn (text, "0123456789");
  gsize length = strlen (text);

  if (trimmed && decimals > 0)
    {
      while (text[length - 1] == '0')
        length--;
      if (!g_ascii_isdigit (text[length - 1]))
        length = whole;
    }
  append_digits (string, text, whole);
  g_string_append_len (string, text + whole, (gssize) (length - whole));
}

/* What power of ten the first digit stands for, once the number is rounded. */
static int
find_exponent (double magnitude,
               int    digits)
{
  g_autofree char *text = g_strdup_printf ("%.*e", digits - 1, magnitude);

  return (int) g_ascii_strtoll (strrchr (text, 'e') + 1, NULL, 10);
}

static gboolean
is_plain (int exponent)
{
  return exponent >= LEAST_EXPONENT && exponent < GREATEST_EXPONENT;
}

static void
append_number (GString  *string,
               double    value,
               int       digits,
               gboolean  trimmed)
{
  int exponent = value != 0.0 ? find_exponent (fabs (value), digits) : 0;

  if (value < 0.0)
    g_string_append (string, "−");
  if (is_plain (exponent))
    {
      append_fixed (string, fabs (value), MAX (digits - 1 - exponent, 0), trimmed);
      return;
    }

  append_fixed (string, fabs (value) / pow (10.0, exponent), digits - 1, trimmed);
  g_string_append (string, "×");
  tare_ticks_append_power (string, exponent);
}

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
  g_autofree char *number = tare_text_whole (bytes);

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
 * tare_text_whole:
 * @number: a whole number
 *
 * Returns: (transfer full): every digit of it, in groups as the locale has them
 */
char *
tare_text_whole (guint64 number)
{
  g_autofree char *digits = g_strdup_printf ("%" G_GUINT64_FORMAT, number);
  GString *string = g_string_new (NULL);

  append_digits (string, digits, strlen (digits));

  return g_string_free (string, FALSE);
}

/**
 * tare_text_number:
 * @value: a number
 * @digits: significant digits to show; zeros at the end are left away
 *
 * Returns: (transfer full): the number, "−0.3008" or "1.578×10⁻⁵", or a dash where it is not finite
 */
char *
tare_text_number (double value,
                  int    digits)
{
  GString *string;

  if (!isfinite (value))
    return g_strdup (TARE_TEXT_UNKNOWN);

  string = g_string_new (NULL);
  append_number (string, value, digits, TRUE);

  return g_string_free (string, FALSE);
}

/**
 * tare_text_bits:
 * @bits: bits per weight
 *
 * Returns: (transfer full): with the decimals that it has, three at most, "4.125" or "16"
 */
char *
tare_text_bits (double bits)
{
  GString *string;

  if (!isfinite (bits))
    return g_strdup (TARE_TEXT_UNKNOWN);

  string = g_string_new (NULL);
  append_fixed (string, bits, 3, TRUE);

  return g_string_free (string, FALSE);
}

/**
 * tare_text_percent:
 * @share: of 1: a relative error, or a share that may be very small
 *
 * Returns: (transfer full): in percent with three significant digits, "0.00277 %"
 */
char *
tare_text_percent (double share)
{
  GString *string;

  if (!isfinite (share))
    return g_strdup (TARE_TEXT_UNKNOWN);

  string = g_string_new (NULL);
  append_number (string, 100.0 * share, 3, TRUE);
  g_string_append (string, " %");

  return g_string_free (string, FALSE);
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
  GString *string;

  if (!isfinite (value))
    return g_strdup (TARE_TEXT_UNKNOWN);

  string = g_string_new (NULL);
  append_number (string, value, digits, FALSE);

  return g_string_free (string, FALSE);
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
 * Returns: (transfer full): "36.02 ± 0.40", or "(3.807 ± 0.042)×10⁻⁵"
 */
char *
tare_text_doubtful (double value,
                    double error)
{
  GString *string;
  double scale;
  int exponent;
  int decimals;

  if (!isfinite (value))
    return g_strdup (TARE_TEXT_UNKNOWN);
  if (!isfinite (error) || error <= 0.0)
    return tare_text_number (value, 4);

  exponent = find_exponent (MAX (fabs (value), error), 2);
  if (exponent > LEAST_EXPONENT && exponent < GREATEST_EXPONENT)
    exponent = 0;
  scale = pow (10.0, -exponent);
  decimals = CLAMP (1 - find_exponent (error * scale, 2), 0, 9);

  string = g_string_new (exponent != 0 ? "(" : NULL);
  if (value < 0.0)
    g_string_append (string, "−");
  append_fixed (string, fabs (value) * scale, decimals, FALSE);
  g_string_append (string, " ± ");
  append_fixed (string, error * scale, decimals, FALSE);
  if (exponent != 0)
    {
      g_string_append (string, ")×");
      tare_ticks_append_power (string, exponent);
    }

  return g_string_free (string, FALSE);
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
