/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"
#include "quant/formats/tare-half.h"
#include "quant/formats/tare-metric.h"
#include "quant/tare-error.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

static const TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };

/* y: (out): rows x columns, what the codes of x decode to. */
static void
round_trip (const TareFormat   *format,
            const TareEncoding *encoding,
            const float        *x,
            gsize               rows,
            gsize               columns,
            float              *y)
{
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, rows, columns));
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_format_encode (format, encoding, x, rows, columns, codes, NULL, &error));
  g_assert_no_error (error);
  tare_format_decode (format, codes, rows, columns, y);
}

static TareDistortion
distort (const TareFormat   *format,
         const TareEncoding *encoding,
         const float        *x,
         gsize               rows,
         gsize               columns)
{
  g_autofree float *y = g_new (float, rows * columns);

  round_trip (format, encoding, x, rows, columns, y);

  return tare_distortion_measure (x, y, rows, columns,
                                  encoding != NULL ? encoding->importance : NULL);
}

/* Our error against ggml's, for its own input. */
static void
test_reference (void)
{
  TARE_TEST_NEED_SHARED (path, "reference/ggml/error.csv");
  g_autofree char *input_path = tare_test_shared ("reference/ggml/input.f32");
  g_autofree char *importance_path = tare_test_shared ("reference/ggml/imatrix.f32");
  gsize n = 0, columns = 0;
  g_autofree float *x = tare_test_load_floats (input_path, &n);
  g_autofree float *importance = tare_test_load_floats (importance_path, &columns);
  g_autoptr(GBytes) bytes = tare_test_load_bytes (path);
  g_autofree char *text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_auto(GStrv) lines = g_strsplit (text, "\n", -1);
  guint n_checked = 0;

  for (gsize i = 1; lines[i] != NULL; i++)
    {
      g_auto(GStrv) fields = g_strsplit (lines[i], ",", -1);
      g_autofree char *id = g_ascii_strdown (fields[0] != NULL ? fields[0] : "", -1);
      const TareFormat *format = tare_format_lookup (id);
      TareEncoding encoding = { .range = TARE_RANGE_SEARCH };
      TareDistortion distortion;
      gboolean weighted;
      double truth;

      if (format == NULL || g_strv_length (fields) < 5)
        continue;

      weighted = fields[1][0] == '1';
      encoding.importance = weighted ? importance : NULL;
      truth = g_ascii_strtod (fields[weighted ? 4 : 3], NULL);
      distortion = distort (format, &encoding, x, n / columns, columns);

      g_test_message ("%s%s: %.6g, ggml %.6g, ratio %.4f", id, weighted ? " weighted" : "",
                      distortion.weighted, truth, distortion.weighted / truth);
      g_assert_cmpuint (tare_format_get_bytes (format, 1, columns), ==,
                        g_ascii_strtoull (fields[2], NULL, 10));
      g_assert_cmpfloat (distortion.weighted, <=, 1.001 * truth);
      n_checked++;
    }

  g_assert_cmpuint (n_checked, ==, 2 * 17 + 5 + 6);
}

/* The scale of least squared error for a normal distribution and the full grid of b bits, from the
 * closed form: that error must be found, whether or not there could be a zero point. */
static void
test_gaussian (void)
{
  static const struct
  {
    const char *id;
    double      error;
  } anchors[] = {
    { "int2_channel", 0.149431 }, { "int3_channel", 0.040638 }, { "int4_channel", 0.011864 },
    { "int8_channel", 0.0000877 },
  };
  gsize n = 1 << 18;
  g_autofree float *x = g_new (float, n);

  tare_test_fill_gaussian (x, n, 11);

  for (gsize i = 0; i < G_N_ELEMENTS (anchors); i++)
    {
      TareDistortion found = distort (tare_format_lookup (anchors[i].id), NULL, x, 1, n);
      double error = found.squared / (double) n;

      g_test_message ("%s: %.7g, closed form %.7g", anchors[i].id, error, anchors[i].error);
      g_assert_cmpfloat_with_epsilon (error, anchors[i].error, 0.01 * anchors[i].error);
    }
}

/* A grid of codes around zero points, with every scale that half precision has. */
typedef struct
{
  const char *id;
  int         highest;
  int         first_zero;
  int         last_zero;
  gboolean    negative;
  double      allowed;
  double      emphasis;
} Optimum;

/* What the search weighs each error by: (mean x² + x²) to the grid's emphasis. x, w: [32] */
static void
weigh_block (const float   *x,
             const Optimum *grid,
             double        *w)
{
  double energy = 0.0;

  for (gsize j = 0; j < 32; j++)
    energy += (double) x[j] * (double) x[j] / 32.0;
  for (gsize j = 0; j < 32; j++)
    w[j] = pow (energy + (double) x[j] * (double) x[j], grid->emphasis);
}

static double
measure_grid (const float  *x,
              const double *w,
              double        scale,
              double        lowest,
              double        highest,
              double        enough)
{
  double error = 0.0;

  for (gsize j = 0; j < 32 && error < enough; j++)
    {
      double code = CLAMP (nearbyint ((double) x[j] / scale), lowest, highest);

      error += w[j] * ((double) x[j] - scale * code) * ((double) x[j] - scale * code);
    }

  return error;
}

/* What the format makes of a block, by the same weights. */
static double
measure_block (const float   *x,
               const Optimum *grid)
{
  const TareFormat *format = tare_format_lookup (grid->id);
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, 1, 32));
  g_autoptr(GError) error = NULL;
  double w[32], sum = 0.0;
  float y[32];

  tare_format_encode (format, NULL, x, 1, 32, codes, NULL, &error);
  g_assert_no_error (error);
  tare_format_decode (format, codes, 1, 32, y);
  weigh_block (x, grid, w);
  for (gsize j = 0; j < 32; j++)
    sum += w[j] * ((double) x[j] - (double) y[j]) * ((double) x[j] - (double) y[j]);

  return sum;
}

/* The least error that there can be, by trying all grids within reason. x: [32] */
static double
find_optimum (const float   *x,
              const Optimum *grid)
{
  double least = INFINITY, largest = 0.0;
  double w[32];

  weigh_block (x, grid, w);
  for (gsize j = 0; j < 32; j++)
    largest = MAX (largest, fabs ((double) x[j]));

  for (guint bits = 0x0001; bits < 0x7c00; bits++)
    for (int zero = grid->first_zero; zero <= grid->last_zero; zero++)
      {
        double scale = (double) tare_half_to_float ((guint16) bits);
        double step = largest / grid->highest;

        if (scale < 0.3 * step || scale > 4.0 * step)
          continue;

        least = MIN (least, measure_grid (x, w, scale, -zero, grid->highest - zero, least));
        if (grid->negative)
          least = MIN (least, measure_grid (x, w, -scale, -zero, grid->highest - zero, least));
      }

  return least;
}

/* How far the search stays behind the best there is, over blocks of unlike shapes. */
static void
test_optimum (void)
{
  static const Optimum cases[] = {
    { "q4_0", 15, 8, 8, TRUE, 1.001, 0.25 },     { "q5_0", 31, 16, 16, TRUE, 1.001, 0.25 },
    { "q8_0", 254, 127, 127, FALSE, 1.005 },     { "int2_g32", 3, 2, 2, FALSE, 1.001 },
    { "int3_g32", 7, 4, 4, FALSE, 1.001 },       { "int4_g32", 15, 8, 8, FALSE, 1.001 },
    { "int8_g32", 255, 128, 128, FALSE, 1.05 },  { "int2_asym_g32", 3, 0, 3, FALSE, 1.03 },
    { "int3_asym_g32", 7, 0, 7, FALSE, 1.03 },   { "int4_asym_g32", 15, 0, 15, FALSE, 1.03 },
  };
  gsize n_blocks = 12;
  float x[12 * 32];

  tare_test_fill_gaussian (x, G_N_ELEMENTS (x), 23);
  for (gsize j = 0; j < G_N_ELEMENTS (x); j++)
    x[j] = j / 32 % 3 == 0 ? x[j] : j / 32 % 3 == 1 ? x[j] * x[j] * x[j] : x[j] + 2.0f;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      double found = 0.0;
      double optimum = 0.0;

      for (gsize b = 0; b < n_blocks; b++)
        found += measure_block (x + 32 * b, &cases[i]);
      for (gsize b = 0; b < n_blocks; b++)
        optimum += find_optimum (x + 32 * b, &cases[i]);

      g_test_message ("%s: %.4f of the optimum", cases[i].id, found / optimum);
      g_assert_cmpfloat (found, >=, optimum * (1.0 - 1e-6));
      g_assert_cmpfloat (found, <=, optimum * cases[i].allowed);
    }
}

/* A zero point can only help. */
static void
test_zero_point (void)
{
  gsize rows = 16, columns = 512;
  g_autofree float *x = g_new (float, rows * columns);
  guint n_checked = 0;

  tare_test_fill_gaussian (x, rows * columns, 5);
  for (gsize i = 0; i < rows * columns; i++)
    x[i] += 0.7f;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      g_autofree char *asymmetric = NULL;
      g_auto(GStrv) parts = g_strsplit (format->id, "_", 2);

      asymmetric = g_strdup_printf ("%s_asym_%s", parts[0], parts[1]);
      if (tare_format_lookup (asymmetric) == NULL)
        continue;

      n_checked++;
      g_assert_cmpfloat (distort (tare_format_lookup (asymmetric), NULL, x, rows, columns).relative,
                         <, distort (format, NULL, x, rows, columns).relative);
    }
  g_assert_cmpuint (n_checked, >, 30);
}

typedef struct
{
  const char *name;
  void      (*fill) (float *x,
                     gsize  n);
} Edge;

static void
fill_zeros (float *x,
            gsize  n)
{
  memset (x, 0, n * sizeof (float));
}

static void
fill_constant (float *x,
               gsize  n)
{
  for (gsize j = 0; j < n; j++)
    x[j] = -0.037f;
}

static void
fill_outlier (float *x,
              gsize  n)
{
  tare_test_fill_gaussian (x, n, 1);
  for (gsize j = 0; j < n; j += 100)
    x[j] = 1000.0f;
}

static void
fill_subnormal (float *x,
                gsize  n)
{
  tare_test_fill_gaussian (x, n, 2);
  for (gsize j = 0; j < n; j++)
    x[j] *= 1e-40f;
}

static void
fill_tiny (float *x,
           gsize  n)
{
  tare_test_fill_gaussian (x, n, 3);
  for (gsize j = 0; j < n; j++)
    x[j] *= 1e-5f;
}

static void
fill_large (float *x,
            gsize  n)
{
  tare_test_fill_gaussian (x, n, 4);
  for (gsize j = 0; j < n; j++)
    x[j] *= 1e4f;
}

static void
fill_huge (float *x,
           gsize  n)
{
  tare_test_fill_gaussian (x, n, 5);
  for (gsize j = 0; j < n; j++)
    x[j] *= 1e30f;
}

static void
fill_extreme (float *x,
              gsize  n)
{
  for (gsize j = 0; j < n; j++)
    x[j] = j % 2 ? FLT_MAX : -FLT_MAX;
}

static void
fill_positive (float *x,
               gsize  n)
{
  tare_test_fill_gaussian (x, n, 6);
  for (gsize j = 0; j < n; j++)
    x[j] = fabsf (x[j]) + 3.0f;
}

static void
fill_negative (float *x,
               gsize  n)
{
  fill_positive (x, n);
  for (gsize j = 0; j < n; j++)
    x[j] = -x[j];
}

static void
fill_ramp (float *x,
           gsize  n)
{
  for (gsize j = 0; j < n; j++)
    x[j] = (float) j / (float) n - 0.5f;
}

static void
fill_gaussian (float *x,
               gsize  n)
{
  tare_test_fill_gaussian (x, n, 7);
}

static const Edge edges[] = {
  { "zeros", fill_zeros }, { "constant", fill_constant }, { "outlier", fill_outlier },
  { "subnormal", fill_subnormal }, { "tiny", fill_tiny }, { "large", fill_large },
  { "huge", fill_huge }, { "extreme", fill_extreme }, { "positive", fill_positive },
  { "negative", fill_negative }, { "ramp", fill_ramp }, { "gaussian", fill_gaussian },
};

static const gsize lengths[] = { 1, 7, 33, 160, 256, 1000 };

/* Whether the scales of groups are rounded to multiples of a larger block's. */
static gboolean
has_super_blocks (const TareFormat *format)
{
  return format->group > 1 && format->block > format->group;
}

typedef void (*PropertyFunc) (const TareFormat *format,
                              const Edge       *edge,
                              const float      *x,
                              gsize             columns);

/* Every format with every edge at every length that it takes. */
static void
for_all (PropertyFunc property)
{
  for (gsize e = 0; e < G_N_ELEMENTS (edges); e++)
    for (gsize l = 0; l < G_N_ELEMENTS (lengths); l++)
      {
        g_autofree float *x = g_new (float, lengths[l]);

        edges[e].fill (x, lengths[l]);
        for (gsize i = 0; i < tare_format_get_n_formats (); i++)
          if (tare_format_accepts (tare_format_get (i), lengths[l]))
            property (tare_format_get (i), &edges[e], x, lengths[l]);
      }
}

/* Nothing finite becomes infinite or NaN, and zeros stay zeros. */
static void
check_finite (const TareFormat *format,
              const Edge       *edge,
              const float      *x,
              gsize             columns)
{
  const TareEncoding encodings[] = {
    { .range = TARE_RANGE_SEARCH }, { .range = TARE_RANGE_MINIMUM_MAXIMUM },
    { .range = TARE_RANGE_PERCENTILE, .percentile = 99.0 },
  };
  g_autofree float *y = g_new (float, columns);

  for (gsize k = 0; k < G_N_ELEMENTS (encodings); k++)
    {
      round_trip (format, &encodings[k], x, 1, columns, y);
      for (gsize j = 0; j < columns; j++)
        {
          if (!isfinite (y[j]))
            g_test_message ("%s: %s, %" G_GSIZE_FORMAT " columns", format->id, edge->name, columns);
          g_assert_true (isfinite (y[j]));
          if (edge->fill == fill_zeros)
            g_assert_cmpfloat (y[j], ==, 0.0f);
        }
    }
}

static void
test_finite (void)
{
  for_all (check_finite);
}

/* The searched range is never worse than the plain one, whatever the weights. */
/* Some formats have their scale by a rule that is not that of least squares, or relative to those
 * of other groups, which a search moves too. */
static gboolean
follows_rule (const TareFormat *format)
{
  return g_str_has_prefix (format->id, "ternary_") || g_str_has_prefix (format->id, "nested")
         || strstr (format->id, "_dq") != NULL
         || strstr (format->id, "_m2") != NULL;
}

static void
check_search (const TareFormat *format,
              const Edge       *edge,
              const float      *x,
              gsize             columns)
{
  TareDistortion searched = distort (format, NULL, x, 1, columns);
  TareDistortion spanned = distort (format, &plain, x, 1, columns);

  if (searched.squared > spanned.squared * (1.0 + 1e-5) && !follows_rule (format))
    g_test_message ("%s: %s, %" G_GSIZE_FORMAT " columns", format->id, edge->name, columns);
  g_assert_true (searched.squared <= spanned.squared * (1.0 + 1e-5) || follows_rule (format));
}

static void
test_search (void)
{
  for_all (check_search);
}

static void
check_search_weighted (const TareFormat *format,
                       const Edge       *edge,
                       const float      *x,
                       gsize             columns)
{
  g_autofree float *importance = g_new (float, columns);
  TareEncoding searched = { .range = TARE_RANGE_SEARCH, .importance = importance };
  TareEncoding spanned = { .range = TARE_RANGE_MINIMUM_MAXIMUM, .importance = importance };

  for (gsize j = 0; j < columns; j++)
    importance[j] = expf ((float) (j * 37 % 23) / 4.0f);

  if (follows_rule (format))
    return;

  g_assert_cmpfloat (distort (format, &searched, x, 1, columns).weighted, <=,
                     distort (format, &spanned, x, 1, columns).weighted * (1.0 + 1e-5));
}

static void
test_search_weighted (void)
{
  for_all (check_search_weighted);
}

/* What was decoded once is coded without error from then on: the plain rule finds its grid again in
 * the ends of a group. Not so with two ends, which round on their own: they may lie a step nearer
 * to each other than the grid's, or further; nor in super-blocks, whose rounded scales move
 * them; nor where the range is less than the weights reach, or scales depend on all others. */
static gboolean
moves_range (const TareFormat *format)
{
  return strstr (format->id, "_gptq") != NULL || strstr (format->id, "_dq") != NULL
         || g_str_has_prefix (format->id, "nested") || g_str_has_prefix (format->id, "power")
         || g_str_has_suffix (format->id, "_sorted");
}

/* Levels so far apart that not all of them are normal numbers when the largest is hardly one; and
 * of one row groups along the outputs are of one weight, so that scales are subnormal more often.
 * */
static gboolean
is_wide (const TareFormat *format)
{
  return strstr (format->id, "_e5") != NULL || strstr (format->id, "_e6") != NULL
         || strstr (format->id, "_e7") != NULL || g_str_equal (format->id, "nvfp4")
         || strstr (format->id, "_split_") != NULL || format->along_outputs;
}

static void
check_idempotent (const TareFormat *format,
                  const Edge       *edge,
                  const float      *x,
                  gsize             columns)
{
  g_autofree float *y = g_new (float, columns);
  g_autofree float *z = g_new (float, columns);

  if (has_super_blocks (format) || format->asymmetric || moves_range (format)
      || ((edge->fill == fill_subnormal || edge->fill == fill_tiny) && is_wide (format)))
    return;

  round_trip (format, &plain, x, 1, columns, y);
  round_trip (format, &plain, y, 1, columns, z);
  for (gsize j = 0; j < columns; j++)
    {
      if (y[j] != z[j])
        g_test_message ("%s: %s, %" G_GSIZE_FORMAT " columns", format->id, edge->name, columns);
      g_assert_cmpfloat (y[j], ==, z[j]);
    }
}

static void
test_idempotent (void)
{
  for_all (check_idempotent);
}

/* A searched grid is found again, or one so near that next to nothing is lost a second time. */
static void
test_search_again (void)
{
  gsize rows = 4, columns = 1024, n = rows * columns;
  g_autofree float *x = g_new (float, n);
  g_autofree float *y = g_new (float, n);

  tare_test_fill_gaussian (x, n, 29);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      double first, second;

      round_trip (format, NULL, x, rows, columns, y);
      first = tare_distortion_measure (x, y, rows, columns, NULL).relative;
      second = distort (format, NULL, y, rows, columns).relative;

      g_test_message ("%s: %.3g, then %.3g", format->id, first, second);
      g_assert_true (second <= 0.1 * first || follows_rule (format)
                     || format->along_outputs || moves_range (format));
    }
}

/* Rounding is to the nearest level: no weight within the span is further from what it becomes than
 * half the widest step. */
static void
check_half_step (const TareFormat *format,
                 const Edge       *edge,
                 const float      *x,
                 gsize             columns)
{
  g_autofree float *y = g_new (float, columns);
  gsize group = format->group != 0 ? format->group : columns;
  float unit[TARE_FORMAT_MAX_LEVELS];

  if (format->family == TARE_FORMAT_FAMILY_FLOAT || moves_range (format)
      || edge->fill == fill_huge || edge->fill == fill_extreme || has_super_blocks (format)
      || format->along_outputs
      || (!tare_format_is_row_local (format) && !format->per_tensor)
      || tare_format_get_levels (format, -1.0f, 1.0f, unit) == 0)
    return;

  round_trip (format, &plain, x, 1, columns, y);

  for (gsize begin = 0; begin < columns; begin += group)
    {
      gsize end = MIN (begin + group, columns);
      float levels[TARE_FORMAT_MAX_LEVELS], minimum = x[begin], maximum = x[begin], step = 0.0f;
      gsize n;

      for (gsize j = begin; j < end; j++)
        {
          minimum = MIN (minimum, x[j]);
          maximum = MAX (maximum, x[j]);
        }

      n = tare_format_get_levels (format, minimum, maximum, levels);
      for (gsize k = 1; k < n; k++)
        step = MAX (step, levels[k] - levels[k - 1]);

      /* Symmetric blocks clip the end opposite to the extreme by a step; half precision moves
       * both ends by its rounding. */
      for (gsize j = begin; j < end; j++)
        if (x[j] >= levels[0] && x[j] <= levels[n - 1]
            && !(fabsf (x[j] - y[j]) <= 0.5001f * step + 1e-6f * fabsf (x[j])))
          g_test_message ("%s: %s, %" G_GSIZE_FORMAT " columns", format->id, edge->name, columns);
      for (gsize j = begin; j < end; j++)
        if (x[j] >= levels[0] && x[j] <= levels[n - 1])
          g_assert_cmpfloat (fabsf (x[j] - y[j]), <=, 0.5001f * step + 1e-6f * fabsf (x[j]));
    }
}

static void
test_half_step (void)
{
  for_all (check_half_step);
}

static void
test_not_finite (void)
{
  gsize rows = 5, columns = 256;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree guint8 *codes = g_malloc (rows * columns * sizeof (float));

  tare_test_fill_gaussian (x, rows * columns, 9);
  x[3 * columns + 17] = NAN;
  x[4 * columns + 2] = -INFINITY;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      g_autoptr(GError) error = NULL;

      g_assert_false (tare_format_encode (tare_format_get (i), NULL, x, rows, columns, codes, NULL,
                                          &error));
      g_assert_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE);
      g_assert_cmpstr (error->message, ==, "row 3, column 17 is NaN");
    }

  {
    g_autoptr(GError) error = NULL;

    x[3 * columns + 17] = 0.0f;
    g_assert_false (tare_format_encode (tare_format_get (0), NULL, x, rows, columns, codes, NULL,
                                        &error));
    g_assert_cmpstr (error->message, ==, "row 4, column 2 is infinite");
  }
}

static void
test_bad_importance (void)
{
  float x[32] = { 1.0f }, importance[32] = { 1.0f };
  TareEncoding encoding = { .importance = importance };
  guint8 codes[128];

  for (gsize i = 0; i < 2; i++)
    {
      g_autoptr(GError) error = NULL;

      importance[5] = i == 0 ? NAN : -1.0f;
      g_assert_false (tare_format_encode (tare_format_lookup ("q4_0"), &encoding, x, 1, 32, codes,
                                          NULL, &error));
      g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, "column 5"));
    }
}

/* An importance that says nothing, or is nothing, changes nothing; its unit does not matter. */
static void
test_uniform_importance (void)
{
  static const float units[] = { 0.0f, 1e-20f, 1.0f, 3e20f };
  gsize rows = 4, columns = 512;
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *y = g_new (float, rows * columns);
  g_autofree float *z = g_new (float, rows * columns);
  g_autofree float *importance = g_new (float, columns);
  TareEncoding encoding = { .importance = importance };

  tare_test_fill_gaussian (x, rows * columns, 13);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (units); k++)
      {
        for (gsize j = 0; j < columns; j++)
          importance[j] = units[k];

        round_trip (tare_format_get (i), NULL, x, rows, columns, y);
        round_trip (tare_format_get (i), &encoding, x, rows, columns, z);
        g_assert_cmpmem (y, rows * columns * sizeof (float), z, rows * columns * sizeof (float));
      }
}

/* Rows know nothing of each other, so a matrix is coded as its rows are. */
static void
test_rows (void)
{
  gsize rows = 200, columns = 256;
  g_autofree float *x = g_new (float, rows * columns);

  tare_test_fill_gaussian (x, rows * columns, 17);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gsize row_bytes = tare_format_get_bytes (format, 1, columns);
      g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, rows, columns));
      g_autofree guint8 *row = g_malloc (row_bytes);

      if (!tare_format_is_row_local (format))
        continue;

      g_assert_true (tare_format_encode (format, &plain, x, rows, columns, codes, NULL, NULL));
      for (gsize r = 0; r < rows; r += 99)
        {
          g_assert_true (tare_format_encode (format, &plain, x + r * columns, 1, columns, row, NULL,
                                             NULL));
          g_assert_cmpmem (codes + r * row_bytes, row_bytes, row, row_bytes);
        }
    }
}

/* All bits of a row are written: nothing of what was in the memory before shows. */
static void
test_all_bytes_written (void)
{
  gsize columns = 1024;
  g_autofree float *x = g_new (float, columns);

  tare_test_fill_gaussian (x, columns, 19);

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gsize n = tare_format_accepts (format, columns - 3) ? columns - 3 : columns;
      gsize row_bytes = tare_format_get_bytes (format, 1, n);
      g_autofree guint8 *a = g_malloc (row_bytes);
      g_autofree guint8 *b = g_malloc (row_bytes);

      memset (a, 0x00, row_bytes);
      memset (b, 0xff, row_bytes);
      g_assert_true (tare_format_encode (format, NULL, x, 1, n, a, NULL, NULL));
      g_assert_true (tare_format_encode (format, NULL, x, 1, n, b, NULL, NULL));
      g_assert_cmpmem (a, row_bytes, b, row_bytes);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/format/encode/reference", test_reference);
  g_test_add_func ("/format/encode/gaussian", test_gaussian);
  g_test_add_func ("/format/encode/optimum", test_optimum);
  g_test_add_func ("/format/encode/zero-point", test_zero_point);
  g_test_add_func ("/format/encode/finite", test_finite);
  g_test_add_func ("/format/encode/search", test_search);
  g_test_add_func ("/format/encode/search-weighted", test_search_weighted);
  g_test_add_func ("/format/encode/idempotent", test_idempotent);
  g_test_add_func ("/format/encode/search-again", test_search_again);
  g_test_add_func ("/format/encode/half-step", test_half_step);
  g_test_add_func ("/format/encode/not-finite", test_not_finite);
  g_test_add_func ("/format/encode/bad-importance", test_bad_importance);
  g_test_add_func ("/format/encode/uniform-importance", test_uniform_importance);
  g_test_add_func ("/format/encode/rows", test_rows);
  g_test_add_func ("/format/encode/all-bytes-written", test_all_bytes_written);

  return g_test_run ();
}
