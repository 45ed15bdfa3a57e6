/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-super-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-side-private.h"
#include "tests/tare-test.h"

#define LANES TARE_SIDE_LANES
#define SUPER TARE_SUPER_BLOCK

static const TareSuperShape eights = {
  .n_groups = 8, .group = 32, .highest = 15.0f, .max_scale = 63.0f,
};

static const TareSuperShape sixteens = {
  .n_groups = 16, .group = 16, .highest = 3.0f, .max_scale = 15.0f,
};

static const TareSuperShape *const affine[] = { &eights, &sixteens };

/* Weights of unlike shapes, and an importance that differs by a factor of hundreds. */
static void
fill_blocks (float    *x,
             float    *w,
             gsize     n,
             gboolean  alike)
{
  tare_test_fill_gaussian (x, n, 31);
  for (gsize j = 0; j < n; j++)
    {
      x[j] *= j / 256 % 3 == 1 ? fabsf (x[j]) : 1.0f;
      x[j] += j / 256 % 3 == 2 ? 0.5f : 0.0f;
      w[j] = alike ? 1.0f : expf (-(float) (j * 37 % 23) / 4.0f);
    }
}

/* Single precision all along gives the numbers of tare_half_from_float(). */
static void
test_round (void)
{
  for (guint32 bits = 0; bits < 0x47800000; bits += 0x2aaf)
    {
      float x = tare_float_from_bits (bits);
      float half = tare_half_to_float (tare_half_from_float (MIN (x, TARE_HALF_MAX)));

      g_assert_cmpfloat (round_offset (x), ==, half);
      g_assert_cmpfloat (round_offset (-x), ==, -half);
      g_assert_cmpfloat (round_scale (x), ==, bits > 0 ? MAX (half, TARE_HALF_MIN) : 0.0f);
      g_assert_cmpfloat (round_scale (-x), ==, -round_scale (x));
    }
  g_assert_cmpfloat (round_scale (1e30f), ==, TARE_HALF_MAX);
  g_assert_cmpfloat (round_offset (-INFINITY), ==, -TARE_HALF_MAX);
}

/* One group at a time, in double. */
static void
test_lanes (void)
{
  gsize n = 16;
  float x[16 * LANES], w[16 * LANES], side_x[16 * LANES], side_w[16 * LANES];
  float scale[LANES], offset[LANES], inverse[LANES], error[LANES], even[LANES];
  float xq[LANES], qq[LANES], minimum[LANES], maximum[LANES];
  TareSideSums sums;

  fill_blocks (x, w, n * LANES, FALSE);
  side_load (x, LANES, n, side_x);
  side_load (w, LANES, n, side_w);
  side_range (side_x, n, minimum, maximum);
  for (gsize k = 0; k < LANES; k++)
    {
      scale[k] = k == 3 ? 0.0f : (float) (k + 1) * 0.03f;
      offset[k] = -0.1f * (float) k;
    }

  side_invert (scale, inverse);
  side_sum_weights (side_x, side_w, n, &sums);
  side_sum_affine (side_x, side_w, n, inverse, offset, 0.0f, 15.0f, &sums);
  side_sum_symmetric (side_x, side_w, n, inverse, -4.0f, 3.0f, xq, qq);
  side_measure_affine (side_x, side_w, n, scale, offset, 0.0f, 15.0f, error);
  side_measure_symmetric (side_x, side_w, n, scale, -4.0f, 3.0f, even);

  for (gsize k = 0; k < LANES; k++)
    {
      double truth[9] = { 0.0 };
      float low = x[k * n], high = x[k * n];

      for (gsize j = k * n; j < (k + 1) * n; j++)
        {
          double value = (double) x[j], weight = (double) w[j];
          double q = CLAMP (rint ((double) ((x[j] - offset[k]) * inverse[k])), 0.0, 15.0);
          double p = CLAMP (rint ((double) (x[j] * inverse[k])), -4.0, 3.0);
          double first = value - (double) scale[k] * q - (double) offset[k];
          double second = value - (double) scale[k] * p;
          double terms[] = { 1.0, value, q, q * q, value * q, value * p, p * p, first * first,
                             second * second };

          for (gsize i = 0; i < G_N_ELEMENTS (terms); i++)
            truth[i] += weight * terms[i];
          low = MIN (low, x[j]);
          high = MAX (high, x[j]);
        }

      g_assert_cmpfloat (minimum[k], ==, low);
      g_assert_cmpfloat (maximum[k], ==, high);
      g_assert_cmpfloat_with_epsilon ((double) sums.w[k], truth[0], 1e-5 * (1.0 + truth[0]));
      g_assert_cmpfloat_with_epsilon ((double) sums.x[k], truth[1], 1e-5);
      g_assert_cmpfloat_with_epsilon ((double) sums.q[k], truth[2], 1e-5 * (1.0 + truth[2]));
      g_assert_cmpfloat_with_epsilon ((double) sums.qq[k], truth[3], 1e-5 * (1.0 + truth[3]));
      g_assert_cmpfloat_with_epsilon ((double) sums.xq[k], truth[4], 1e-5 * (1.0 + truth[3]));
      g_assert_cmpfloat_with_epsilon ((double) xq[k], truth[5], 1e-5 * (1.0 + truth[6]));
      g_assert_cmpfloat_with_epsilon ((double) qq[k], truth[6], 1e-5 * (1.0 + truth[6]));
      g_assert_cmpfloat_with_epsilon ((double) error[k], truth[7], 1e-5 * (1.0 + truth[7]));
      g_assert_cmpfloat_with_epsilon ((double) even[k], truth[8], 1e-5 * (1.0 + truth[8]));
    }
}

/* A super-block's codes do not depend on the one beside it. */
static void
test_beside (void)
{
  float x[2 * SUPER], w[2 * SUPER], q[2 * SUPER], alone[SUPER];
  TareSuper both[2], one;

  fill_blocks (x, w, 2 * SUPER, FALSE);
  _tare_super_affine (&eights, TRUE, x, w, 2, both, q);

  for (gsize i = 0; i < 2; i++)
    {
      _tare_super_affine (&eights, TRUE, x + i * SUPER, w + i * SUPER, 1, &one, alone);
      g_assert_cmpfloat (one.d, ==, both[i].d);
      g_assert_cmpfloat (one.dmin, ==, both[i].dmin);
      g_assert_cmpmem (one.scale, 8 * sizeof (float), both[i].scale, 8 * sizeof (float));
      g_assert_cmpmem (one.minimum, 8 * sizeof (float), both[i].minimum, 8 * sizeof (float));
      g_assert_cmpmem (alone, sizeof alone, q + i * SUPER, sizeof alone);
    }
}

/* Σw(x - nearest)², given up where it is more than enough. */
static double
measure_group (const float *x,
               const float *w,
               gsize        n,
               double       scale,
               double       offset,
               double       lowest,
               double       highest,
               double       enough)
{
  double error = 0.0;

  for (gsize j = 0; j < n && error < enough; j++)
    {
      double value = (double) x[j] - offset;
      double code = scale != 0.0 ? CLAMP (rint (value / scale), lowest, highest)
                                 : CLAMP (0.0, lowest, highest);

      error += (double) w[j] * (value - scale * code) * (value - scale * code);
    }

  return error;
}

/* The least error of a group for any multiples of the scales of its super-block. */
static double
find_optimum (const TareSuperShape *shape,
              const TareSuper      *super,
              const float          *x,
              const float          *w)
{
  double least = INFINITY;

  for (int s = (int) shape->min_scale; s <= (int) shape->max_scale; s++)
    for (int m = 0; m <= (shape->lowest < 0.0f ? 0 : (int) shape->max_scale); m++)
      least = MIN (least, measure_group (x, w, shape->group, (double) super->d * s,
                                         shape->lowest < 0.0f ? 0.0 : -(double) super->dmin * m,
                                         (double) shape->lowest, (double) shape->highest, least));

  return least;
}

/* Against every multiple that groups could have, and against what reaches from end to end. */
static void
test_multiples (void)
{
  static const double allowed[] = { 1.05, 1.05 };
  gsize n = 6 * SUPER;
  float x[6 * SUPER], w[6 * SUPER], q[2 * SUPER];

  for (gsize i = 0; i < 2 * G_N_ELEMENTS (affine); i++)
    {
      const TareSuperShape *shape = affine[i / 2];
      double found = 0.0, optimum = 0.0, plain = 0.0;

      fill_blocks (x, w, n, i % 2 == 0);
      for (gsize j = 0; j < n; j += shape->group)
        {
          gsize at = j % SUPER / shape->group;
          TareSuper super, ends;

          _tare_super_affine (shape, TRUE, x + j / SUPER * SUPER, w + j / SUPER * SUPER, 1, &super,
                              q);
          _tare_super_affine (shape, FALSE, x + j / SUPER * SUPER, w + j / SUPER * SUPER, 1, &ends,
                              q);
          found += measure_group (x + j, w + j, shape->group,
                                  (double) (super.d * super.scale[at]),
                                  -(double) (super.dmin * super.minimum[at]), 0.0,
                                  (double) shape->highest, INFINITY);
          plain += measure_group (x + j, w + j, shape->group, (double) (ends.d * ends.scale[at]),
                                  -(double) (ends.dmin * ends.minimum[at]), 0.0,
                                  (double) shape->highest, INFINITY);
          optimum += find_optimum (shape, &super, x + j, w + j);
        }

      g_test_message ("%g codes: %.4f of the optimum, from end to end %.4f",
                      (double) shape->highest, found / optimum, plain / optimum);
      g_assert_cmpfloat (found, >=, optimum * (1.0 - 1e-6));
      g_assert_cmpfloat (found, <=, optimum * allowed[i / 2]);
      g_assert_cmpfloat (found, <, 0.95 * plain);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/super/round", test_round);
  g_test_add_func ("/super/lanes", test_lanes);
  g_test_add_func ("/super/beside", test_beside);
  g_test_add_func ("/super/multiples", test_multiples);

  return g_test_run ();
}
