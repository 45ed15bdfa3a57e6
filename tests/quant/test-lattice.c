/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-lattice-points-private.h"

#include <math.h>

#include "tests/tare-test.h"

/* The tables that ggml holds. */
static void
test_points (void)
{
  static const struct
  {
    TareLatticeKind kind;
    gsize           n_points;
    gsize           n_elements;
    guint64         hash;
  } truths[] = {
    { TARE_LATTICE_IQ2_XXS, 256, 8, 0xbb4ee025b5ac6e8e },
    { TARE_LATTICE_IQ2_XS, 512, 8, 0xc9b1ee61e79909bd },
    { TARE_LATTICE_IQ2_S, 1024, 8, 0x123edd38a3b62b90 },
    { TARE_LATTICE_IQ3_XXS, 256, 4, 0xdfa5dc83d6a155d5 },
    { TARE_LATTICE_IQ3_S, 512, 4, 0xfa37020c25b44829 },
    { TARE_LATTICE_IQ1, 2048, 8, 0x6703ed863501ae2e },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (truths); i++)
    {
      const TareLattice *lattice = _tare_lattice_get (truths[i].kind);

      g_assert_cmpuint (lattice->n_points, ==, truths[i].n_points);
      g_assert_cmpuint (lattice->n_elements, ==, truths[i].n_elements);
      g_assert_cmphex (tare_test_hash (lattice->points,
                                       lattice->n_points * lattice->n_elements), ==,
                       truths[i].hash);
    }
}

static void
test_floats (void)
{
  for (TareLatticeKind kind = TARE_LATTICE_IQ2_XXS; kind <= TARE_LATTICE_IQ1; kind++)
    {
      const TareLattice *lattice = _tare_lattice_get (kind);

      for (gsize i = 0; i < lattice->n_points * lattice->n_elements; i++)
        g_assert_cmpfloat (lattice->floats[i], ==, (float) lattice->points[i]);
    }
}

/* The number of half a point. points: [n] */
static guint
find_number (const TareLattice *lattice,
             const gint8       *points,
             gsize              n)
{
  guint number = 0;

  while (n-- > 0)
    {
      guint digit = 0;

      while (lattice->magnitudes[digit] != points[n])
        digit++;
      number = number * (guint) lattice->n_magnitudes + digit;
    }

  return number;
}

/* Runs hold every point once, under the numbers of its halves. */
static void
test_runs (void)
{
  for (TareLatticeKind kind = TARE_LATTICE_IQ2_XXS; kind <= TARE_LATTICE_IQ1; kind++)
    {
      const TareLattice *lattice = _tare_lattice_get (kind);
      gsize half = lattice->n_elements / 2, at = 0;

      for (gsize r = 0; r < lattice->n_runs; r++)
        {
          const guint8 *quads = lattice->quads + lattice->run_quad[r];

          g_assert_cmpuint (lattice->run_begin[r], ==, at);
          for (; at < lattice->run_begin[r + 1]; at++)
            {
              const gint8 *point = lattice->points + at * lattice->n_elements;
              guint low = find_number (lattice, point, half);

              g_assert_cmpuint (lattice->low[at], ==, low);
              g_assert_cmpuint (find_number (lattice, point + half, half), ==,
                                lattice->run_high[r]);
              g_assert_cmpuint (quads[at - lattice->run_begin[r]] & ~TARE_LATTICE_LAST, ==, low);
            }
        }

      g_assert_cmpuint (at, ==, lattice->n_points);
    }
}

/* The error of a vector of eight with points and signs, as they are stored. */
static double
measure_best (const TareLatticeShape *shape,
              const float            *x,
              const float            *w,
              double                  s,
              gsize                   first,
              gsize                   second,
              gboolean                down)
{
  const TareLattice *lattice = _tare_lattice_get (shape->kind);
  double error = 0.0, cheapest = INFINITY;
  gboolean odd = FALSE;

  for (gsize k = 0; k < 8; k++)
    {
      gsize point = k < lattice->n_elements ? first : second;
      double p = (double) lattice->floats[point * lattice->n_elements + k % lattice->n_elements];
      double value = (double) x[k];

      if (shape->shift != 0)
        p += (double) (down ? -TARE_LATTICE_SHIFT : TARE_LATTICE_SHIFT);
      else
        value = fabs (value);
      odd ^= x[k] < 0.0f;
      error += (double) w[k] * (value - s * p) * (value - s * p);
      cheapest = MIN (cheapest, 4.0 * s * (double) w[k] * value * p);
    }

  return error + (shape->even && odd ? cheapest : 0.0);
}

/* Returns: the least error, by trying all points with all signs that there can be */
static double
find_least (const TareLatticeShape *shape,
            const float            *x,
            const float            *w,
            double                  s)
{
  const TareLattice *lattice = _tare_lattice_get (shape->kind);
  gsize n_second = lattice->n_elements == 4 ? lattice->n_points : 1;
  double least = INFINITY;

  for (gsize i = 0; i < lattice->n_points; i++)
    for (gsize j = 0; j < n_second; j++)
      for (gsize down = 0; down <= (gsize) (shape->shift != 0); down++)
        least = MIN (least, measure_best (shape, x, w, s, i, j, down != 0));

  return least;
}

/* The search by halves against all points one by one. */
static void
test_best (void)
{
  static const TareLatticeShape shapes[] = {
    { .kind = TARE_LATTICE_IQ2_XXS, .even = TRUE }, { .kind = TARE_LATTICE_IQ2_XS, .even = TRUE },
    { .kind = TARE_LATTICE_IQ2_S }, { .kind = TARE_LATTICE_IQ3_XXS, .even = TRUE },
    { .kind = TARE_LATTICE_IQ3_S }, { .kind = TARE_LATTICE_IQ1, .shift = 8 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      const TareLattice *lattice = _tare_lattice_get (shapes[i].kind);
      float highest = (float) lattice->magnitudes[lattice->n_magnitudes - 1];
      float x[TARE_SEARCH_LANES][8], w[TARE_SEARCH_LANES][8];
      TareLatticeVectors vectors;
      TareLatticeBest best[2];

      tare_test_fill_gaussian (&x[0][0], G_N_ELEMENTS (x) * 8, 3 + i);
      for (gsize k = 0; k < TARE_SEARCH_LANES; k++)
        {
          vectors.scale[k] = (1.0f + 0.2f * (float) k) / highest;
          for (gsize e = 0; e < 8; e++)
            {
              w[k][e] = 1.0f + (float) ((k + e) % 3);
              vectors.x[e][k] = x[k][e];
              vectors.w[e][k] = w[k][e];
            }
        }

      if (shapes[i].shift != 0)
        _tare_lattice_find_shifted (&shapes[i], &vectors, best);
      else
        _tare_lattice_find_signed (&shapes[i], &vectors, best);

      for (gsize k = 0; k < TARE_SEARCH_LANES; k += 5)
        {
          gboolean down = shapes[i].shift != 0 && best[1].value[k] < best[0].value[k];
          double scale = (double) vectors.scale[k];
          double found = measure_best (&shapes[i], x[k], w[k], scale, best[down].point[0][k],
                                       best[down].point[1][k], down);
          double least = find_least (&shapes[i], x[k], w[k], scale);

          g_assert_cmpfloat (found, >=, least * (1.0 - 1e-9));
          g_assert_cmpfloat (found, <=, least + 1e-3);
        }
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/lattice/points", test_points);
  g_test_add_func ("/lattice/floats", test_floats);
  g_test_add_func ("/lattice/runs", test_runs);
  g_test_add_func ("/lattice/best", test_best);

  return g_test_run ();
}
