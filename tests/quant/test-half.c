/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-half.h"

#include <math.h>

#include "tests/tare-test.h"

/* The number that the fields of IEEE 754 stand for. */
static double
value_of (guint   bits,
          int     exponent_bits,
          int     mantissa_bits)
{
  int bias = (1 << (exponent_bits - 1)) - 1;
  int exponent = (int) (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  int mantissa = (int) bits & ((1 << mantissa_bits) - 1);
  double sign = bits >> (exponent_bits + mantissa_bits) != 0 ? -1.0 : 1.0;

  if (exponent == (1 << exponent_bits) - 1)
    return mantissa != 0 ? (double) NAN : sign * (double) INFINITY;

  if (exponent == 0)
    return sign * ldexp (mantissa, 1 - bias - mantissa_bits);

  return sign * ldexp (mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

/* The nearest number with that many bits of mantissa, ties to even, found by scaling. */
static double
round_to (double x,
          int    mantissa_bits,
          int    smallest_exponent,
          double largest)
{
  int exponent;
  double unit, rounded;

  if (x == 0.0 || !isfinite (x))
    return x;

  frexp (x, &exponent);
  unit = ldexp (1.0, MAX (exponent - 1, smallest_exponent) - mantissa_bits);
  rounded = nearbyint (x / unit) * unit;

  return fabs (rounded) > largest ? copysign ((double) INFINITY, x) : rounded;
}

static void
assert_same (double a,
             double b)
{
  if (isnan (b))
    g_assert_true (isnan (a));
  else
    g_assert_true (a == b && !signbit (a) == !signbit (b));
}

static void
test_to_float (void)
{
  g_autofree guint16 *bits = g_new (guint16, 65536);
  g_autofree float *halves = g_new (float, 65536);
  g_autofree float *bfloats = g_new (float, 65536);

  for (guint i = 0; i < 65536; i++)
    bits[i] = (guint16) i;

  tare_half_to_floats (bits, 65536, halves);
  tare_bfloat_to_floats (bits, 65536, bfloats);

  for (guint i = 0; i < 65536; i++)
    {
      assert_same ((double) tare_half_to_float ((guint16) i), value_of (i, 5, 10));
      assert_same ((double) tare_bfloat_to_float ((guint16) i), value_of (i, 8, 7));
      assert_same ((double) halves[i], value_of (i, 5, 10));
      assert_same ((double) bfloats[i], value_of (i, 8, 7));
    }
}

static void
check_from_float (const float *x,
                  gsize        n)
{
  g_autofree guint16 *halves = g_new (guint16, n);
  g_autofree guint16 *bfloats = g_new (guint16, n);

  tare_half_from_floats (x, n, halves);
  tare_bfloat_from_floats (x, n, bfloats);

  for (gsize i = 0; i < n; i++)
    {
      g_assert_cmphex (halves[i], ==, tare_half_from_float (x[i]));
      g_assert_cmphex (bfloats[i], ==, tare_bfloat_from_float (x[i]));
      assert_same (value_of (halves[i], 5, 10), round_to ((double) x[i], 10, -14, 65504.0));
      assert_same (value_of (bfloats[i], 8, 7), round_to ((double) x[i], 7, -126, 0x1.fep127));
    }
}

/* Every exponent, with mantissas around the ties of both formats. */
static void
test_from_float (void)
{
  static const guint32 mantissas[] = {
    0x000000, 0x000001, 0x000fff, 0x001000, 0x001001, 0x002fff, 0x003000, 0x003001, 0x007fff,
    0x008000, 0x008001, 0x017fff, 0x018000, 0x018001, 0x400000, 0x7fefff, 0x7ff000, 0x7f7fff,
    0x7f8000, 0x7fffff, 0x555555, 0x2aaaaa,
  };
  gsize n_mantissas = G_N_ELEMENTS (mantissas);
  gsize n = 512 * n_mantissas;
  g_autofree float *x = g_new (float, n);

  for (guint i = 0; i < n; i++)
    x[i] = tare_float_from_bits ((guint32) (i / n_mantissas) << 23 | mantissas[i % n_mantissas]);

  check_from_float (x, n);
}

static void
test_from_random (void)
{
  gsize n = 200000;
  g_autofree float *x = g_new (float, n);
  g_autoptr(GRand) random = g_rand_new_with_seed (7);

  for (gsize i = 0; i < n; i++)
    x[i] = tare_float_from_bits (g_rand_int (random));

  check_from_float (x, n);
}

static void
test_nan (void)
{
  g_assert_cmphex (tare_half_from_float (tare_float_from_bits (0x7f800001)), ==, 0x7e00);
  g_assert_cmphex (tare_half_from_float (tare_float_from_bits (0xffc00000)), ==, 0xfe00);
  g_assert_cmphex (tare_bfloat_from_float (tare_float_from_bits (0x7f800001)), ==, 0x7fc0);
  g_assert_cmphex (tare_bfloat_from_float (tare_float_from_bits (0xff80ffff)), ==, 0xffc0);
}

/* Files align tensors as they please. */
static void
test_unaligned (void)
{
  guint8 bytes[2 * 37 + 1];
  float x[37], y[37];

  tare_test_fill_gaussian (x, 37, 3);
  tare_half_from_floats (x, 37, bytes + 1);
  tare_half_to_floats (bytes + 1, 37, y);
  for (gsize i = 0; i < 37; i++)
    assert_same ((double) y[i], round_to ((double) x[i], 10, -14, 65504.0));

  tare_bfloat_from_floats (x, 37, bytes + 1);
  tare_bfloat_to_floats (bytes + 1, 37, y);
  for (gsize i = 0; i < 37; i++)
    assert_same ((double) y[i], round_to ((double) x[i], 7, -126, 0x1.fep127));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/half/to-float", test_to_float);
  g_test_add_func ("/half/from-float", test_from_float);
  g_test_add_func ("/half/from-random", test_from_random);
  g_test_add_func ("/half/nan", test_nan);
  g_test_add_func ("/half/unaligned", test_unaligned);

  return g_test_run ();
}
