/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How the window writes its figures. */
#include "app/tare-text.h"

#include <math.h>

#include "tests/tare-test.h"

/* Takes over @text. */
static void
assert_text (char       *text,
             const char *expected)
{
  g_assert_cmpstr (text, ==, expected);
  g_free (text);
}

static void
test_numbers (void)
{
  assert_text (tare_text_number (0.0, 4), "0");
  assert_text (tare_text_number (0.48249, 4), "0.4825");
  assert_text (tare_text_number (-0.3008, 4), "−0.3008");
  assert_text (tare_text_number (8.5, 4), "8.5");
  assert_text (tare_text_number (100.0, 4), "100");
  assert_text (tare_text_number (9999.96, 4), "10\u202f000");
  assert_text (tare_text_number (834512.3, 4), "834\u202f512");
  assert_text (tare_text_number (999999.9, 4), "1×10⁶");
  assert_text (tare_text_number (1234567.0, 4), "1.235×10⁶");
  assert_text (tare_text_number (0.0008149, 4), "0.0008149");
  assert_text (tare_text_number (0.000099996, 4), "0.0001");
  assert_text (tare_text_number (1.578e-5, 4), "1.578×10⁻⁵");
  assert_text (tare_text_number (-4e-12, 3), "−4×10⁻¹²");
  assert_text (tare_text_number ((double) NAN, 3), TARE_TEXT_UNKNOWN);
  assert_text (tare_text_number (-(double) INFINITY, 3), TARE_TEXT_UNKNOWN);
}

/* As many digits, be they zeros. */
static void
test_significant (void)
{
  assert_text (tare_text_significant (0.0, 3), "0.00");
  assert_text (tare_text_significant (87.0, 3), "87.0");
  assert_text (tare_text_significant (100.0, 3), "100");
  assert_text (tare_text_significant (0.02, 3), "0.0200");
  assert_text (tare_text_significant (-2e-7, 3), "−2.00×10⁻⁷");
}

static void
test_whole (void)
{
  assert_text (tare_text_whole (0), "0");
  assert_text (tare_text_whole (1024), "1024");
  assert_text (tare_text_whole (5242880), "5\u202f242\u202f880");
  assert_text (tare_text_whole (G_MAXUINT64),
               "18\u202f446\u202f744\u202f073\u202f709\u202f551\u202f615");
}

static void
test_bits (void)
{
  assert_text (tare_text_bits (4.125), "4.125");
  assert_text (tare_text_bits (4.5), "4.5");
  assert_text (tare_text_bits (16.0), "16");
  assert_text (tare_text_bits (4.30651), "4.307");
  assert_text (tare_text_bits (15.9999), "16");
  assert_text (tare_text_bits ((double) NAN), TARE_TEXT_UNKNOWN);
}

static void
test_percent (void)
{
  assert_text (tare_text_percent (0.0), "0 %");
  assert_text (tare_text_percent (0.004782), "0.478 %");
  assert_text (tare_text_percent (2.774e-5), "0.00277 %");
  assert_text (tare_text_percent (4.07e-6), "0.000407 %");
  assert_text (tare_text_percent (1e-9), "1×10⁻⁷ %");
  assert_text (tare_text_percent (1.0), "100 %");
  assert_text (tare_text_percent ((double) NAN), TARE_TEXT_UNKNOWN);
}

static void
test_doubtful (void)
{
  assert_text (tare_text_doubtful (36.0214, 0.4021), "36.02 ± 0.40");
  assert_text (tare_text_doubtful (0.013159, 0.000082), "0.013159 ± 0.000082");
  assert_text (tare_text_doubtful (3.807e-5, 4.2e-7), "(3.807 ± 0.042)×10⁻⁵");
  assert_text (tare_text_doubtful (-1e-9, 2e-5), "(−0.0 ± 2.0)×10⁻⁵");
  assert_text (tare_text_doubtful (1234.5678, 0.0), "1235");
  assert_text (tare_text_doubtful (0.25, (double) NAN), "0.25");
  assert_text (tare_text_doubtful ((double) NAN, 1.0), TARE_TEXT_UNKNOWN);
}

static void
test_bytes (void)
{
  assert_text (tare_text_bytes (999), "999 B");
  assert_text (tare_text_bytes (2955776), "2.96 MB");
  assert_text (tare_text_bytes_exact (2955776), "2\u202f955\u202f776 bytes");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/text/numbers", test_numbers);
  g_test_add_func ("/text/significant", test_significant);
  g_test_add_func ("/text/whole", test_whole);
  g_test_add_func ("/text/bits", test_bits);
  g_test_add_func ("/text/percent", test_percent);
  g_test_add_func ("/text/doubtful", test_doubtful);
  g_test_add_func ("/text/bytes", test_bytes);

  return g_test_run ();
}
