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

static const TareSuperShape even = {
  .n_groups = 16, .group = 16, .lowest = -4.0f, .highest = 3.0f, .min_scale = -32.0f,
  .max_scale = 31.0f,
};

static const TareSuperShape uneven = {
  .n_groups = 8, .group = 32, .lowest = -127.0f, .highest = 113.0f, .min_scale = -32.0f,
  .max_scale = 31.0f, .uneven = TRUE,
};

static const TareSuperShape *const shapes[] = { &eights, &sixteens, &even, &uneven };

/* Nothing about minimums remains of before where there are none. */
static void
encode (const TareSuperShape *shape,
        gboolean              search,
        const float          *x,
        const float          *w,
        gsize                 n_supers,
        TareSuper            *super,
        float                *q)
{
  memset (super, 0, n_supers * sizeof *super);
  if (shape->lowest < 0.0f)
    _tare_super_symmetric (shape, search, x, w, n_supers, super, q);
  else
    _tare_super_affine (shape, search, x, w, n_supers, super, q);
}

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
  float scale[LANES], offset[LANES], inverse[LANES], error[LANES], level[LANES];
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
  side_sum_symmetric (side_x, side_w, n, FALSE, inverse, -4.0f, 3.0f, xq, qq);
  side_measure_affine (side_x, side_w, n, scale, offset, 0.0f, 15.0f, error);
  side_measure_symmetric (side_x, side_w, n, FALSE, scale, -4.0f, 3.0f, level);

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
      g_assert_cmpfloat_with_epsilon ((double) level[k], truth[8], 1e-5 * (1.0 + truth[8]));
    }
}

/* A super-block's codes do not depend on the one beside it. */
static void
test_beside (void)
{
  static const TareSuperShape *const pairs[] = { &eights, &uneven };
  float x[2 * SUPER], w[2 * SUPER], q[2 * SUPER], alone[SUPER];
  TareSuper both[2], one;

  fill_blocks (x, w, 2 * SUPER, FALSE);
  for (gsize i = 0; i < 2 * G_N_ELEMENTS (pairs); i++)
    {
      gsize at = i % 2 * SUPER;

      encode (pairs[i / 2], TRUE, x, w, 2, both, q);
      encode (pairs[i / 2], TRUE, x + at, w + at, 1, &one, alone);
      g_assert_cmpmem (&one, sizeof one, &both[i % 2], sizeof one);
      g_assert_cmpmem (alone, sizeof alone, q + at, sizeof alone);
    }
}

/* One level after the other. */
static double
find_level (double value)
{
  double level = (double) tare_levels_nl[0];

  for (gsize i = 1; i < TARE_N_LEVELS; i++)
    if (fabs (value - (double) tare_levels_nl[i]) < fabs (value - level))
      level = (double) tare_levels_nl[i];

  return level;
}

static void
test_levels (void)
{
  for (int i = -4000; i <= 4000; i++)
    {
      float value[LANES], level[LANES];

      for (gsize k = 0; k < LANES; k++)
        value[k] = (float) (i + (int) k * 500) / 27.0f;
      side_round_levels (value, level);
      for (gsize k = 0; k < LANES; k++)
        {
          g_assert_cmpfloat ((double) level[k], ==, find_level ((double) value[k]));
          g_assert_cmpfloat (side_round_level (value[k]), ==, level[k]);
        }
    }
  g_assert_cmpfloat (side_round_level (-INFINITY), ==, tare_levels_nl[0]);
  g_assert_cmpfloat (side_round_level (INFINITY), ==, tare_levels_nl[TARE_N_LEVELS - 1]);
}

/* Σw(x - nearest)² of a group, given up where it is more than enough. */
static double
measure_group (const TareSuperShape *shape,
               const float          *x,
               const float          *w,
               double                scale,
               double                offset,
               double                enough)
{
  double error = 0.0;

  for (gsize j = 0; j < shape->group && error < enough; j++)
    {
      double value = (double) x[j] - offset, steps = scale != 0.0 ? value / scale : 0.0;
      double code = shape->uneven ? find_level (steps)
                                  : CLAMP (rint (steps), (double) shape->lowest,
                                           (double) shape->highest);

      error += (double) w[j] * (value - scale * code) * (value - scale * code);
    }

  return error;
}

/* The error of a group of the super-block. */
static double
measure_super (const TareSuperShape *shape,
               const TareSuper      *super,
               gsize                 b,
               const float          *x,
               const float          *w)
{
  return measure_group (shape, x + b * shape->group, w + b * shape->group,
                        (double) (super->d * super->scale[b]),
                        -(double) (super->dmin * super->minimum[b]), INFINITY);
}

/* The least error of a group for any multiples of the scales of its super-block. */
static double
find_optimum (const TareSuperShape *shape,
              const TareSuper      *super,
              const float          *x,
              const float          *w)
{
  int n_minimums = shape->lowest < 0.0f ? 1 : (int) shape->max_scale + 1;
  double least = INFINITY;

  for (int s = (int) shape->min_scale; s <= (int) shape->max_scale; s++)
    for (int m = 0; m < n_minimums; m++)
      least = MIN (least, measure_group (shape, x, w, (double) super->d * s,
                                         -(double) super->dmin * m, least));

  return least;
}

/* Against every multiple that groups could have, and against what reaches from end to end. */
static void
test_multiples (void)
{
  gsize n = 6 * SUPER;
  float x[6 * SUPER], w[6 * SUPER], q[SUPER];

  for (gsize i = 0; i < 2 * G_N_ELEMENTS (shapes); i++)
    {
      const TareSuperShape *shape = shapes[i / 2];
      double found = 0.0, optimum = 0.0, plain = 0.0;

      fill_blocks (x, w, n, i % 2 == 0);
      for (gsize j = 0; j < n; j += SUPER)
        {
          TareSuper super, ends;

          encode (shape, TRUE, x + j, w + j, 1, &super, q);
          encode (shape, FALSE, x + j, w + j, 1, &ends, q);
          for (gsize b = 0; b < shape->n_groups; b++)
            {
              found += measure_super (shape, &super, b, x + j, w + j);
              plain += measure_super (shape, &ends, b, x + j, w + j);
              optimum += find_optimum (shape, &super, x + j + b * shape->group,
                                       w + j + b * shape->group);
            }
        }

      g_test_message ("shape %u: %.4f of the optimum, from end to end %.4f", (guint) i / 2,
                      found / optimum, plain / optimum);
      g_assert_cmpfloat (found, >=, optimum * (1.0 - 1e-6));
      g_assert_cmpfloat (found, <=, optimum * 1.05);
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
  g_test_add_func ("/super/levels", test_levels);
  g_test_add_func ("/super/beside", test_beside);
  g_test_add_func ("/super/multiples", test_multiples);

  return g_test_run ();
}
