/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-lattice-private.h"

#include "tests/tare-test.h"

static guint64
hash (gconstpointer data,
      gsize         n)
{
  const guint8 *bytes = data;
  guint64 value = 0xcbf29ce484222325;

  for (gsize i = 0; i < n; i++)
    value = (value ^ bytes[i]) * 0x100000001b3;

  return value;
}

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
      g_assert_cmphex (hash (lattice->points, lattice->n_points * lattice->n_elements), ==,
                       truths[i].hash);
    }
}

static void
test_planes (void)
{
  for (TareLatticeKind kind = TARE_LATTICE_IQ2_XXS; kind <= TARE_LATTICE_IQ1; kind++)
    {
      const TareLattice *lattice = _tare_lattice_get (kind);

      for (gsize i = 0; i < lattice->n_points; i++)
        for (gsize k = 0; k < lattice->n_elements; k++)
          {
            float element = (float) lattice->points[i * lattice->n_elements + k];

            g_assert_cmpfloat (lattice->planes[k * lattice->n_points + i], ==, element);
          }
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/lattice/points", test_points);
  g_test_add_func ("/lattice/planes", test_planes);

  return g_test_run ();
}
