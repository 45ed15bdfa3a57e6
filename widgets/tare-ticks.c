/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-ticks.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Numbers outside are written with a power of ten: they would fill the axis with zeros. */
#define LARGEST_PLAIN 1e6
#define SMALLEST_PLAIN 1e-3

/* Rounding lets a tick at the very end of the range fall a hair outside it. */
#define END_TOLERANCE 1e-9

static const char *const superscripts[10] = {
  "⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹",
};

/**
 * tare_ticks_append_power:
 * @string: a text
 * @exponent: of ten
 *
 * Appends a power of ten as a person writes it, "10⁻⁴".
 */
void
tare_ticks_append_power (GString *string,
                         int      exponent)
{
  char digits[16];

  g_snprintf (digits, sizeof digits, "%d", ABS (exponent));
  g_string_append (string, exponent < 0 ? "10⁻" : "10");
  for (const char *digit = digits; *digit != '\0'; digit++)
    g_string_append (string, superscripts[*digit - '0']);
}

static void
append_fixed (GString *string,
              double   value,
              int      decimals)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE + 32];

  g_snprintf (number, sizeof number, "%.*f", CLAMP (decimals, 0, 20), fabs (value));
  g_string_append (string, number);
}

static int
decade_of (double value)
{
  return (int) floor (log10 (value) + END_TOLERANCE);
}

/* mantissa * 10^exponent, rounded once. */
static double
scaled (double mantissa,
        int    exponent)
{
  return exponent < 0 ? mantissa / pow (10.0, -exponent) : mantissa * pow (10.0, exponent);
}

static void
split_step (double  span,
            guint   most,
            double *mantissa,
            int    *exponent)
{
  double raw = span / MAX (most, 1u);
  double fraction;

  *exponent = decade_of (raw);
  fraction = raw / pow (10.0, *exponent);
  *mantissa = fraction <= 1.0 + END_TOLERANCE ? 1.0
            : fraction <= 2.0 + END_TOLERANCE ? 2.0
            : fraction <= 5.0 + END_TOLERANCE ? 5.0
            : 10.0;
}

/**
 * tare_ticks_step:
 * @span: length of the range, positive and finite
 * @most: how many steps fit into it at most
 *
 * Returns: the smallest step of the form 1, 2 or 5 times a power of ten, of which @span holds no
 *   more than @most; 0 when @span is not a positive number
 */
double
tare_ticks_step (double span,
                 guint  most)
{
  double mantissa;
  int exponent;

  if (!isfinite (span) || span <= DBL_MIN * 1e20)
    return 0.0;

  split_step (span, most, &mantissa, &exponent);

  return scaled (mantissa, exponent);
}

/**
 * tare_ticks_format:
 * @value: a number
 * @step: the distance of neighbouring labels, which sets how many digits tell them apart
 * @largest: the largest magnitude among the labels, which sets the power of ten they share
 * @label: (out caller-allocates): %TARE_TICK_LABEL_SIZE bytes
 *
 * Writes @value as the label of an axis: no more digits than its neighbours need.
 */
void
tare_ticks_format (double  value,
                   double  step,
                   double  largest,
                   char   *label)
{
  g_autoptr(GString) string = g_string_new (NULL);
  int step_decade = step > 0.0 && isfinite (step) ? decade_of (step) : 0;
  gboolean plain = largest < LARGEST_PLAIN && largest >= SMALLEST_PLAIN;

  if (value < 0.0 && fabs (value) > step * END_TOLERANCE)
    g_string_append (string, "−");

  if (fabs (value) <= step * END_TOLERANCE)
    g_string_append (string, "0");
  else if (!isfinite (value))
    g_string_append (string, isnan (value) ? "?" : "∞");
  else if (plain)
    append_fixed (string, value, -step_decade);
  else
    {
      int exponent = decade_of (largest);
      double mantissa = scaled (fabs (value), -exponent);

      if (fabs (mantissa - 1.0) > END_TOLERANCE || step_decade < exponent)
        {
          append_fixed (string, mantissa, exponent - step_decade);
          g_string_append (string, "×");
        }
      tare_ticks_append_power (string, exponent);
    }

  g_strlcpy (label, string->str, TARE_TICK_LABEL_SIZE);
}

/**
 * tare_ticks_format_exact:
 * @value: a number
 * @label: (out caller-allocates): %TARE_TICK_LABEL_SIZE bytes
 *
 * Writes @value for a readout: six significant digits, whole numbers up to 2^53 in full.
 */
void
tare_ticks_format_exact (double  value,
                         char   *label)
{
  g_autoptr(GString) string = g_string_new (NULL);
  char number[64];

  if (isnan (value))
    {
      g_strlcpy (label, "?", TARE_TICK_LABEL_SIZE);
      return;
    }

  if (fabs (value) < 9007199254740992.0 && value == floor (value))
    g_snprintf (number, sizeof number, "%.0f", fabs (value));
  else
    g_snprintf (number, sizeof number, "%.6g", fabs (value));

  if (value < 0.0)
    g_string_append (string, "−");
  if (isinf (value))
    g_string_append (string, "∞");
  else
    {
      char *exponent = strchr (number, 'e');

      if (exponent != NULL)
        *exponent = '\0';
      g_string_append (string, number);
      if (exponent != NULL)
        {
          g_string_append (string, "×");
          tare_ticks_append_power (string, (int) g_ascii_strtoll (exponent + 1, NULL, 10));
        }
    }

  g_strlcpy (label, string->str, TARE_TICK_LABEL_SIZE);
}

/**
 * tare_ticks_make_linear:
 * @minimum: where the range begins
 * @maximum: where it ends
 * @most: how many labels there is room for
 * @ticks: (out caller-allocates): %TARE_TICKS_MAX of them
 *
 * Ticks at the multiples of the smallest step of 1, 2 or 5 times a power of ten that makes no more
 * than @most intervals.
 *
 * Returns: how many there are; 0 for a range that is empty, reversed or not finite
 */
guint
tare_ticks_make_linear (double    minimum,
                        double    maximum,
                        guint     most,
                        TareTick *ticks)
{
  double step = tare_ticks_step (maximum - minimum, MIN (most, TARE_TICKS_MAX - 2));
  double largest = MAX (fabs (minimum), fabs (maximum));
  double mantissa, first;
  int exponent;
  guint n = 0;

  if (step <= largest * DBL_EPSILON * 4.0)
    return 0;

  split_step (maximum - minimum, MIN (most, TARE_TICKS_MAX - 2), &mantissa, &exponent);
  first = ceil (minimum / step - END_TOLERANCE);
  while (n < TARE_TICKS_MAX)
    {
      double value = scaled ((first + n) * mantissa, exponent);

      if (value > maximum + step * END_TOLERANCE)
        break;

      ticks[n].value = value;
      ticks[n].minor = FALSE;
      tare_ticks_format (value, step, largest, ticks[n].label);
      n++;
    }

  return n;
}

/* Whether the decades of a range are all written without a power of ten. */
static gboolean
is_plain (int first,
          int last)
{
  return first >= -4 && last <= 5;
}

static void
format_decade (double    mantissa,
               int       exponent,
               double    sign,
               gboolean  plain,
               char     *label)
{
  g_autoptr(GString) string = g_string_new (sign < 0.0 ? "−" : NULL);

  if (plain)
    append_fixed (string, scaled (mantissa, exponent), -exponent);
  else
    {
      if (mantissa != 1.0)
        g_string_append_printf (string, "%.0f×", mantissa);
      tare_ticks_append_power (string, exponent);
    }

  g_strlcpy (label, string->str, TARE_TICK_LABEL_SIZE);
}

static guint
add_decade (TareTick *ticks,
            guint     n,
            double    mantissa,
            int       exponent,
            double    sign,
            gboolean  plain,
            gboolean  labelled)
{
  if (n == TARE_TICKS_MAX)
    return n;

  ticks[n].value = sign * scaled (mantissa, exponent);
  ticks[n].minor = !labelled;
  ticks[n].label[0] = '\0';
  if (labelled)
    format_decade (mantissa, exponent, sign, plain, ticks[n].label);

  return n + 1;
}

/* The ticks of a logarithmic axis with labels at every so many decades, and at 2 and 5 if @fine. */
static guint
fill_log (double    minimum,
          double    maximum,
          int       every,
          gboolean  fine,
          gboolean  minor,
          TareTick *ticks,
          guint    *labelled)
{
  int first = decade_of (minimum);
  int last = decade_of (maximum);
  gboolean plain = is_plain (first, last);
  guint n = 0;

  *labelled = 0;
  for (int exponent = first; exponent <= last; exponent++)
    for (int digit = 1; digit <= 9; digit++)
      {
        double value = scaled (digit, exponent);
        gboolean bears = digit == 1 ? exponent % every == 0
                                    : fine && (digit == 2 || digit == 5);

        if (value < minimum * (1.0 - END_TOLERANCE) || value > maximum * (1.0 + END_TOLERANCE))
          continue;
        if (!bears && digit != 1 && !minor)
          continue;

        n = add_decade (ticks, n, digit, exponent, 1.0, plain, bears);
        *labelled += bears;
      }

  return n;
}

/**
 * tare_ticks_make_log:
 * @minimum: where the range begins, positive
 * @maximum: where it ends
 * @most: how many labels there is room for
 * @ticks: (out caller-allocates): %TARE_TICKS_MAX of them, in rising order
 *
 * Ticks for a logarithmic axis: labels at 1, 2 and 5 of each decade where there is room, else at
 * the decades with the other digits as minor ticks, else at every so many decades: as few as leave
 * two of them in sight. A range too short for two such labels is divided as a linear one.
 *
 * Returns: how many there are; 0 for a range that is empty, not positive or not finite
 */
guint
tare_ticks_make_log (double    minimum,
                     double    maximum,
                     guint     most,
                     TareTick *ticks)
{
  double decades;
  guint n, labelled;
  gboolean fine, minor;
  int every;

  if (!(minimum > 0.0) || !isfinite (maximum) || !(maximum > minimum))
    return 0;

  most = CLAMP (most, 1u, 64u);
  decades = log10 (maximum) - log10 (minimum);
  every = MAX (1, (int) ceil (decades / most - END_TOLERANCE));
  fine = decades * 3.0 <= most;
  minor = decades * 1.5 <= most && decades * 9.0 <= TARE_TICKS_MAX - 16.0;

  n = fill_log (minimum, maximum, every, fine, minor, ticks, &labelled);
  while (labelled < 2 && every > 1)
    n = fill_log (minimum, maximum, --every, fine, minor, ticks, &labelled);
  if (labelled < 2 && !fine)
    n = fill_log (minimum, maximum, 1, TRUE, minor, ticks, &labelled);
  if (labelled < 2)
    return tare_ticks_make_linear (minimum, maximum, most, ticks);

  return n;
}

/**
 * tare_ticks_make_symlog:
 * @minimum: where the range begins
 * @maximum: where it ends
 * @threshold: within plus and minus this the axis is about linear; positive
 * @most: how many labels there is room for
 * @ticks: (out caller-allocates): %TARE_TICKS_MAX of them, in rising order
 *
 * Ticks for an axis that is logarithmic on both sides of zero: zero and the decades from @threshold
 * on, every so many of them. A range that holds fewer than three is divided as a linear one.
 *
 * Returns: how many there are; 0 for a range that is empty or not finite
 */
guint
tare_ticks_make_symlog (double    minimum,
                        double    maximum,
                        double    threshold,
                        guint     most,
                        TareTick *ticks)
{
  double reach = MAX (fabs (minimum), fabs (maximum));
  int first, last, every;
  gboolean plain;
  guint n = 0;

  if (!isfinite (minimum) || !isfinite (maximum) || !(maximum > minimum) || !(threshold > 0.0))
    return 0;
  if (reach <= threshold * 2.0)
    return tare_ticks_make_linear (minimum, maximum, most, ticks);

  most = CLAMP (most, 2u, 64u);
  first = (int) ceil (log10 (threshold) - END_TOLERANCE);
  last = decade_of (reach);
  plain = is_plain (first, last);
  every = MAX (1, (int) ceil ((last - first + 1)
                              * ((minimum < 0.0) + (maximum > 0.0)) / (double) most));

  for (int exponent = last; exponent >= first; exponent--)
    if ((last - exponent) % every == 0 && -scaled (1.0, exponent) >= minimum
        && -scaled (1.0, exponent) <= maximum)
      n = add_decade (ticks, n, 1.0, exponent, -1.0, plain, TRUE);

  if (minimum <= 0.0 && maximum >= 0.0)
    {
      ticks[n] = (TareTick) { .value = 0.0, .label = "0" };
      n++;
    }

  for (int exponent = first; exponent <= last; exponent++)
    if ((last - exponent) % every == 0 && scaled (1.0, exponent) >= minimum
        && scaled (1.0, exponent) <= maximum)
      n = add_decade (ticks, n, 1.0, exponent, 1.0, plain, TRUE);

  if (n < 3)
    return tare_ticks_make_linear (minimum, maximum, most, ticks);

  return n;
}
