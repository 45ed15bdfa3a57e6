/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"

#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

static void
test_table (void)
{
  gsize n = tare_format_get_n_formats ();

  g_assert_cmpuint (n, >, 250);
  g_assert_cmpuint (n, <, 400);

  for (gsize i = 0; i < n; i++)
    {
      const TareFormat *format = tare_format_get (i);

      g_assert_true (tare_format_lookup (format->id) == format);
      g_assert_cmpuint (strlen (format->label), >, 0);
      g_assert_cmpuint (strlen (format->description), >, 0);
      g_assert_nonnull (tare_format_family_get_id (format->family));
      g_assert_nonnull (tare_format_family_get_label (format->family));
      g_assert_true (format->fallback == NULL || tare_format_lookup (format->fallback) != NULL);
      g_assert_cmpint (format->ggml_type >= 0, ==,
                       (format->containers & TARE_CONTAINER_GGUF) != 0);
      if (format->ggml_type >= 0)
        g_assert_true (tare_format_lookup_ggml (format->ggml_type) == format);

      for (gsize j = 0; j < i; j++)
        {
          g_assert_cmpstr (format->id, !=, tare_format_get (j)->id);
          g_assert_cmpstr (format->label, !=, tare_format_get (j)->label);
        }
    }

  g_assert_cmpstr (tare_format_name_at (0), ==, tare_format_get (0)->id);
  g_assert_null (tare_format_name_at (n));
  g_assert_null (tare_format_lookup ("q9_9"));
  g_assert_null (tare_format_lookup (NULL));
  g_assert_null (tare_format_lookup_ggml (-1));
  g_assert_null (tare_format_lookup_ggml (4));
}

/* Ids and labels find their row however they are written, and no name is that of two rows. */
static void
test_find (void)
{
  gsize n = tare_format_get_n_formats ();

  for (gsize i = 0; i < n; i++)
    {
      const TareFormat *format = tare_format_get (i);
      g_autofree char *id = g_ascii_strup (format->id, -1);
      g_autofree char *label = g_ascii_strdown (format->label, -1);

      g_assert_true (tare_format_find (format->id) == format);
      g_assert_true (tare_format_find (id) == format);
      g_assert_true (tare_format_find (format->label) == format);
      g_assert_true (tare_format_find (label) == format);
    }

  g_assert_cmpstr (tare_format_find ("INT4 g128")->id, ==, "int4_g128");
  g_assert_null (tare_format_find ("q4"));
  g_assert_null (tare_format_find (""));
}

static void
test_ranges (void)
{
  for (gsize i = 0; i < tare_range_get_n_ranges (); i++)
    {
      const TareRangeInfo *info = tare_range_get (i);

      g_assert_cmpuint (info->range, ==, i);
      g_assert_true (tare_range_lookup (info->id) == info);
    }

  g_assert_cmpuint (tare_range_get_n_ranges (), ==, 5);
  g_assert_null (tare_range_lookup ("none"));
}

/* Figures of the GGUF specification, and those that follow from the layout of integers. */
static void
test_bits_per_weight (void)
{
  static const struct
  {
    const char *id;
    double      bits;
  } truths[] = {
    { "f32", 32.0 }, { "f16", 16.0 }, { "bf16", 16.0 }, { "q8_0", 8.5 }, { "q6_k", 6.5625 },
    { "q5_k", 5.5 }, { "q4_k", 4.5 }, { "q5_1", 6.0 }, { "q5_0", 5.5 }, { "q4_1", 5.0 },
    { "q4_0", 4.5 }, { "q3_k", 3.4375 }, { "q2_k", 2.625 }, { "iq4_nl", 4.5 },
    { "iq4_xs", 4.25 }, { "tq2_0", 2.0625 }, { "tq1_0", 1.6875 }, { "int8_g32", 8.5 },
    { "int4_g128", 4.125 }, { "int4_asym_g128", 4.15625 },
    { "int3_asym_g128", 3.1484375 }, { "int2_asym_g64", 2.28125 }, { "int2_asym_g32", 2.5625 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (truths); i++)
    {
      const TareFormat *format = tare_format_lookup (truths[i].id);

      g_assert_cmpfloat (tare_format_get_bits_per_weight (format, 0, 4096), ==, truths[i].bits);
      g_assert_cmpfloat (tare_format_get_bits_per_weight (format, 0, 0), ==, truths[i].bits);
    }

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gsize columns = 3 * 256;

      g_assert_cmpfloat_with_epsilon (tare_format_get_bits_per_weight (format, 5, columns),
                                      8.0 * (double) tare_format_get_bytes (format, 5, columns)
                                      / 5.0 / 768.0, 1e-12);
      g_assert_cmpfloat (tare_format_get_bits_per_weight (format, 5, columns), >=,
                         (double) format->bits);
    }

  g_assert_cmpuint (tare_format_get_row_bytes (tare_format_lookup ("int3_channel"), 5), ==, 2 + 2);
  g_assert_cmpuint (tare_format_get_row_bytes (tare_format_lookup ("int3_asym_g32"), 100), ==,
                    38 + 4 * 2 + 2);
}

static void
assert_fit (const char *id,
            gsize       columns,
            const char *expected)
{
  g_assert_cmpstr (tare_format_fit (tare_format_lookup (id), columns)->id, ==, expected);
}

/* What llama-quantize takes where a row's length does not fit. */
static void
test_fit (void)
{
  assert_fit ("q4_k", 512, "q4_k");
  assert_fit ("q4_k", 96, "q5_0");
  assert_fit ("q5_k", 96, "q5_1");
  assert_fit ("q6_k", 96, "q8_0");
  assert_fit ("q3_k", 96, "iq4_nl");
  assert_fit ("q2_k", 96, "iq4_nl");
  assert_fit ("iq4_xs", 96, "iq4_nl");
  assert_fit ("tq1_0", 96, "q4_0");
  assert_fit ("tq2_0", 100, "f16");
  assert_fit ("iq4_nl", 100, "f16");
  assert_fit ("q4_k", 100, "f16");
  assert_fit ("q6_k", 33, "f16");
  assert_fit ("q8_0", 31, "f16");
  assert_fit ("q4_1", 1, "f16");
  assert_fit ("f32", 7, "f32");
  assert_fit ("int4_g128", 7, "int4_g128");
  g_assert_false (tare_format_accepts (tare_format_lookup ("q6_k"), 128));
  g_assert_true (tare_format_accepts (tare_format_lookup ("q6_k"), 256));
}

/* Codes without a level of their own: one of the two zeros, and of some 8-bit floats infinity and
 * NaN of either sign. */
static gsize
count_special (const TareFormat *format)
{
  if (g_str_has_suffix (format->id, "fp8_e5m2") || g_str_has_prefix (format->id, "fp8_e5m2"))
    return 1 + 8;
  if (g_str_has_prefix (format->id, "fp8_e4m3_ieee"))
    return 1 + 16;
  if (g_str_has_suffix (format->id, "fp8_e4m3") || g_str_has_prefix (format->id, "fp8_e4m3"))
    return 1 + 2;

  return 1;
}

static void
test_levels (void)
{
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      float levels[TARE_FORMAT_MAX_LEVELS];
      gsize n = tare_format_get_levels (format, -1.5f, 2.0f, levels);

      /* A matrix chooses the levels of a power grid, the split of a float, and vectors. */
      if (format->family == TARE_FORMAT_FAMILY_FLOAT || g_str_has_prefix (format->id, "power")
          || g_str_has_prefix (format->id, "vq_") || strstr (format->id, "_split_") != NULL)
        {
          g_assert_cmpuint (n, ==, 0);
          continue;
        }

      /* Weights of a vector share its bits. */
      if (format->family == TARE_FORMAT_FAMILY_TERNARY)
        {
          gboolean binary = g_str_has_prefix (format->id, "binary");

          g_assert_cmpuint (n, ==, binary ? 1u << format->bits : 3);
        }
      else if (format->family == TARE_FORMAT_FAMILY_LATTICE && format->bits < 4)
        {
          g_assert_cmpuint (n, ==, format->bits == 3 ? 16 : 6);
        }
      else
        {
          g_assert_cmpuint (n, <=, (gsize) 1 << format->bits);
          g_assert_cmpuint (n, >=, ((gsize) 1 << format->bits) - count_special (format));
        }
      for (gsize k = 1; k < n; k++)
        g_assert_cmpfloat (levels[k - 1], <, levels[k]);

      /* A lone value wants one level; so does a group of zeros. */
      g_assert_cmpuint (tare_format_get_levels (format, 0.0f, 0.0f, levels), ==, 1);
      g_assert_cmpfloat (levels[0], ==, 0.0f);
      g_assert_cmpuint (tare_format_get_levels (format, NAN, 1.0f, levels), ==, 0);
    }
}

/* What the plain rule makes of a group are its levels and nothing else. */
static void
test_levels_are_reached (void)
{
  const TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      float levels[TARE_FORMAT_MAX_LEVELS], x[256], y[256];
      guint8 codes[1024];
      gsize n = tare_format_get_levels (format, -1.5f, 2.0f, levels);

      /* Of one row, groups along the outputs are of one weight each; and sorted ones are not what
       * they are below. */
      if (n == 0 || format->along_outputs || g_str_has_suffix (format->id, "_sorted"))
        continue;

      for (gsize j = 0; j < 256; j++)
        x[j] = j % 16 == 0 ? -1.5f : j % 16 == 1 ? 2.0f : (float) (j * 7 % 256) / 128.0f - 1.0f;

      g_assert_true (tare_format_encode (format, &plain, x, 1, 256, codes, NULL, NULL));
      tare_format_decode (format, codes, 1, 256, y);
      for (gsize j = 0; j < 256; j++)
        {
          gsize k = 0;

          while (k < n && levels[k] != y[j])
            k++;
          if (k == n)
            g_test_message ("%s: %g is no level", format->id, (double) y[j]);
          g_assert_cmpuint (k, <, n);
        }
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/format/table", test_table);
  g_test_add_func ("/format/find", test_find);
  g_test_add_func ("/format/ranges", test_ranges);
  g_test_add_func ("/format/bits-per-weight", test_bits_per_weight);
  g_test_add_func ("/format/fit", test_fit);
  g_test_add_func ("/format/levels", test_levels);
  g_test_add_func ("/format/levels-are-reached", test_levels_are_reached);

  return g_test_run ();
}
