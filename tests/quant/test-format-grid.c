/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/formats/tare-pack-private.h"
#include "tests/tare-test.h"

/* Formats of a grid and a scale against their definitions, a number at a time: kernels that code
 * many groups together must not differ. */

/* More than is coded at a time, with a short last group; or whole groups. */
#define COLUMNS 2601
#define WHOLE   2624
#define ROWS    5

static const TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };

/* An encoded matrix as its rows lie, of inputs or of outputs. */
typedef struct
{
  const TareFormat *format;
  gsize             m;
  gsize             n;
  gsize             n_groups;
  const guint8     *order;
  const guint8     *kept;
  const guint8     *rows;
} Layout;

static float
load_single (const guint8 *bytes)
{
  float x;

  memcpy (&x, bytes, sizeof x);

  return x;
}

static guint
naive_code (const guint8 *row,
            gsize         i,
            guint         bits)
{
  guint code = 0;

  if (bits == TARE_PACK_TERNARY)
    {
      code = row[i / 5];
      for (gsize k = 0; k < i % 5; k++)
        code /= 3;
      return code % 3;
    }

  for (guint k = 0; k < bits; k++)
    code |= ((row[(i * bits + k) / 8] >> (i * bits + k) % 8) & 1u) << k;

  return code;
}

static float
naive_minifloat (const TareGrid *grid,
                 guint           code)
{
  guint sign_bit = 1u << (grid->bits - 1), magnitude = code & (sign_bit - 1);
  int mantissa = (int) (magnitude & ((1u << grid->mantissa_bits) - 1));
  int exponent = (int) (magnitude >> grid->mantissa_bits);
  int unit = MAX (exponent, 1) - grid->bias - (int) grid->mantissa_bits;
  float value = ldexpf ((float) (mantissa + (exponent > 0 ? 1 << grid->mantissa_bits : 0)), unit);

  if (grid->unsigned_zero && code == sign_bit)
    return NAN;
  if (magnitude > grid->highest)
    value = grid->infinite && magnitude == grid->highest + 1 ? INFINITY : NAN;

  return code & sign_bit ? -value : value;
}

static float
naive_level (const TareFormat *format,
             const guint8     *parameters,
             guint             code)
{
  const TareGrid *grid = format->grid;

  if (grid->n_splits > 0)
    grid = grid->splits[parameters[0] - 1];
  if (grid->power)
    {
      guint half = grid->n_codes / 2, index = code % half;
      double root = 1.0 / (double) load_single (parameters);
      float level = (float) pow ((double) index / (double) (half - 1), root);

      return code >= half ? -level : level;
    }
  if (grid->klass == &_tare_minifloat_class)
    return naive_minifloat (grid, code);
  if (grid->klass == &_tare_byte_class)
    return (float) (gint8) code / 64.0f;
  if (grid->klass == &_tare_codebook_class)
    return grid->codebook->levels[code];

  return (float) ((int) code - grid->offset) + grid->shift;
}

static int
compare_levels (gconstpointer a,
                gconstpointer b)
{
  float x = *(const float *) a, y = *(const float *) b;

  return (x > y) - (x < y);
}

/* The dynamic map of bitsandbytes. */
static float map[256];

static void
list_map (void)
{
  gsize n = 0;

  map[n++] = 0.0f;
  map[n++] = 1.0f;
  for (int e = 0; e < 7; e++)
    for (int i = 0; i < 1 << e; i++)
      {
        double middle = 0.1 + 0.9 * ((double) i + 0.5) / (double) (1 << e);

        map[n] = (float) (middle * pow (10.0, e - 6));
        map[n + 1] = -map[n];
        n += 2;
      }
  qsort (map, n, sizeof (float), compare_levels);
}

static float
naive_nested (const Layout *self,
              gsize         group,
              guint         code)
{
  float reach = load_single (self->kept + 4 + group / 256 * 4);
  float scale = map[code] * reach + load_single (self->kept);

  return MIN (MAX (scale, 0.0f), FLT_MAX / self->format->grid->most);
}

static float
naive_e4m3 (guint8 byte)
{
  int mantissa = byte & 7, exponent = byte >> 3 & 15;

  if ((byte & 0x7f) == 0x7f)
    return NAN;

  return ldexpf ((float) (mantissa + (exponent > 0 ? 8 : 0)), MAX (exponent, 1) - 10);
}

static float
naive_scale (const Layout *self,
             gsize         row,
             gsize         group,
             const guint8 *bytes)
{
  const TareScaleClass *klass = self->format->scaling->klass;

  if (klass == &_tare_scale_half)
    return tare_half_to_float ((guint16) (bytes[0] | bytes[1] << 8));
  if (klass == &_tare_scale_single)
    return load_single (bytes);
  if (klass == &_tare_scale_tensor)
    return load_single (self->kept);
  if (klass == &_tare_scale_e4m3)
    return naive_e4m3 (bytes[0]) * load_single (self->kept);
  if (klass == &_tare_scale_double)
    return naive_nested (self, row * self->n_groups + group, bytes[0]);
  if (klass == &_tare_scale_shift)
    return ldexpf (load_single (self->kept + row / 32 * 4), -(int) bytes[0]);

  return bytes[0] == 255 ? NAN : ldexpf (1.0f, (int) bytes[0] - 127);
}

static gsize
count_groups (const Layout *self)
{
  return self->format->group == 0 ? 1 : (self->n - 1) / self->format->group + 1;
}

static gsize
row_bytes (const Layout *self)
{
  return _tare_packed_bytes (self->n, self->format->grid->bits)
         + self->n_groups * self->format->scaling->klass->bytes;
}

static Layout
lay_out (const TareFormat *format,
         gsize             rows,
         gsize             columns,
         const guint8     *codes)
{
  Layout self = { .format = format, .m = rows, .n = columns, .order = codes };
  gsize n_bytes = tare_format_get_bytes (format, rows, columns);

  if (format->along_outputs)
    {
      self.m = columns;
      self.n = rows;
    }
  self.n_groups = count_groups (&self);
  self.kept = codes + _tare_grid_get_fitted_bytes (format, self.n);
  self.rows = codes + n_bytes - self.m * row_bytes (&self);

  return self;
}

/* Where weight @i of row @row of the layout lies in the matrix. */
static gsize
find_place (const Layout *self,
            gsize         row,
            gsize         i)
{
  guint32 column;

  if (self->format->along_outputs)
    return i * self->m + row;
  if (!self->format->grid->sorted)
    return row * self->n + i;

  memcpy (&column, self->order + 4 * i, sizeof column);

  return row * self->n + column;
}

/* Whatever the bytes are. */
static void
check_decode (const TareFormat *format,
              gsize             rows,
              gsize             columns,
              const guint8     *codes)
{
  Layout self = lay_out (format, rows, columns, codes);
  gsize length = format->group == 0 ? self.n : format->group;
  gsize scale_bytes = format->scaling->klass->bytes;
  g_autofree float *y = g_new (float, rows * columns);

  tare_format_decode (format, codes, rows, columns, y);
  for (gsize row = 0; row < self.m; row++)
    {
      const guint8 *packed = self.rows + row * row_bytes (&self);
      const guint8 *scales = packed + _tare_packed_bytes (self.n, format->grid->bits);

      for (gsize i = 0; i < self.n; i++)
        {
          float value = y[find_place (&self, row, i)];
          float truth = naive_level (format, codes, naive_code (packed, i, format->grid->bits))
                        * naive_scale (&self, row, i / length,
                                       scales + i / length * scale_bytes);

          if (isnan (truth) && isnan (value))
            continue;
          if (tare_float_to_bits (truth) != tare_float_to_bits (value))
            g_error ("%s, row %" G_GSIZE_FORMAT ", %" G_GSIZE_FORMAT ": %.9g is not %.9g",
                     format->id, row, i, (double) value, (double) truth);
        }
    }
}

/* Magnitudes of a few powers of two, and zeros. */
static float *
make_weights (GRand *random,
              gsize  n)
{
  float *x = g_new (float, n);

  for (gsize i = 0; i < n; i++)
    x[i] = ldexpf ((float) g_rand_double_range (random, -1.0, 1.0), (int) (i / 400 % 5) - 8);
  memset (x + 300, 0, 300 * sizeof (float));

  return x;
}

static gsize
choose_columns (const TareFormat *format)
{
  return tare_format_accepts (format, COLUMNS) ? COLUMNS : WHOLE;
}

static void
test_decode (void)
{
  g_autoptr(GRand) random = g_rand_new_with_seed (1);
  g_autofree float *x = make_weights (random, ROWS * WHOLE);

  for (gsize f = 0; f < tare_format_get_n_formats (); f++)
    {
      const TareFormat *format = tare_format_get (f);
      gsize columns = choose_columns (format), n_bytes;
      gsize rows = format->along_outputs ? columns : ROWS;
      gsize width = format->along_outputs ? ROWS : columns;
      g_autofree guint8 *codes = NULL;
      g_autoptr(GError) error = NULL;

      if (format->klass != &_tare_grid_class && format->klass != &_tare_grid_whole_class)
        continue;

      n_bytes = tare_format_get_bytes (format, rows, width);
      codes = g_malloc (n_bytes);
      tare_format_encode (format, &plain, x, rows, width, codes, NULL, &error);
      g_assert_no_error (error);
      check_decode (format, rows, width, codes);

      /* Any bytes, where none stands for what a matrix chooses, nor are there trits that say what
       * no writer does. */
      if (_tare_grid_get_fitted_bytes (format, columns) > 0
          || format->grid->bits == TARE_PACK_TERNARY)
        continue;
      for (gsize i = 0; i < n_bytes; i++)
        codes[i] = (guint8) g_rand_int (random);
      check_decode (format, rows, width, codes);
    }
}

/* Groups together are coded as each of them alone. */
static void
test_encode (void)
{
  g_autoptr(GRand) random = g_rand_new_with_seed (2);
  g_autofree float *x = make_weights (random, WHOLE);
  guint n_formats = 0;

  for (gsize f = 0; f < tare_format_get_n_formats (); f++)
    {
      const TareFormat *format = tare_format_get (f);
      gsize columns = choose_columns (format);
      g_autofree guint8 *codes = NULL;
      g_autofree float *y = g_new (float, columns);
      g_autofree float *alone = g_new (float, columns);

      if (format->group == 0 || !tare_format_is_row_local (format) || format->ggml_type >= 0
          || (format->grid == NULL && format->family == TARE_FORMAT_FAMILY_CODEBOOK))
        continue;

      codes = g_malloc (tare_format_get_bytes (format, 1, columns));
      g_assert_true (tare_format_encode (format, &plain, x, 1, columns, codes, NULL, NULL));
      tare_format_decode (format, codes, 1, columns, y);
      for (gsize i = 0; i < columns; i += format->group)
        {
          gsize n = MIN (format->group, columns - i);

          g_assert_true (tare_format_encode (format, &plain, x + i, 1, n, codes, NULL, NULL));
          tare_format_decode (format, codes, 1, n, alone + i);
        }
      if (memcmp (y, alone, columns * sizeof (float)) != 0)
        g_error ("%s differs", format->id);
      n_formats++;
    }

  g_assert_cmpuint (n_formats, >, 40);
}

/* What one scale costs is what it costs among others. */
static void
test_measure (void)
{
  g_autoptr(GRand) random = g_rand_new_with_seed (5);
  g_autofree float *x = make_weights (random, WHOLE);
  guint n_formats = 0;

  for (gsize f = 0; f < tare_format_get_n_formats (); f++)
    {
      const TareFormat *format = tare_format_get (f);
      const TareGrid *grid = format->grid;
      float w[100], scales[16], errors[16];

      if (grid == NULL || grid->klass->measure_one == NULL)
        continue;

      for (gsize j = 0; j < 100; j++)
        w[j] = (float) g_rand_double_range (random, 0.1, 1.0);
      for (gsize c = 0; c < 16; c++)
        scales[c] = 0.0002f * (float) c;
      grid->klass->measure (grid, FALSE, x, w, 100, 16, scales, errors);
      for (gsize c = 0; c < 16; c++)
        {
          float one = grid->klass->measure_one (grid, x, w, 100, scales[c]);

          g_assert_cmphex (tare_float_to_bits (one), ==, tare_float_to_bits (errors[c]));
        }
      n_formats++;
    }

  g_assert_cmpuint (n_formats, >, 10);
}

/* Scales of 8 bits are the nearest that there are to the group's largest over the largest level. */
static void
test_nearest_scale (void)
{
  static const char *const ids[] = { "nvfp4", "int4_dq_g32", "nf4_dq" };
  g_autoptr(GRand) random = g_rand_new_with_seed (3);
  g_autofree float *x = make_weights (random, ROWS * WHOLE);

  for (gsize f = 0; f < G_N_ELEMENTS (ids); f++)
    {
      const TareFormat *format = tare_format_lookup (ids[f]);
      g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (format, ROWS, WHOLE));
      gboolean e4m3 = format->scaling->klass == &_tare_scale_e4m3;
      Layout self;

      g_assert_true (tare_format_encode (format, &plain, x, ROWS, WHOLE, codes, NULL, NULL));
      self = lay_out (format, ROWS, WHOLE, codes);
      for (gsize row = 0; row < ROWS; row++)
        for (gsize g = 0; g < self.n_groups; g++)
          {
            const guint8 *scale = self.rows + row * row_bytes (&self)
                                  + _tare_packed_bytes (WHOLE, format->grid->bits) + g;
            float largest = 0.0f, wanted, distance;
            guint8 bytes[4] = { 0 };

            /* As ggml has it: four scales before the codes of 64 weights. */
            if (e4m3)
              scale = self.rows + row * row_bytes (&self) + g / 4 * 36 + g % 4;
            for (gsize i = 0; i < format->group; i++)
              largest = MAX (largest, fabsf (x[row * WHOLE + g * format->group + i]));
            wanted = largest / format->grid->largest;
            distance = fabsf (naive_scale (&self, row, g, scale) - wanted);
            for (guint code = e4m3 ? 1 : 0; largest > 0.0f && code < (e4m3 ? 0x7f : 0x100); code++)
              {
                float other;

                bytes[0] = (guint8) code;
                other = naive_scale (&self, row, g, bytes);
                if (other > 0.0f)
                  g_assert_cmpfloat (distance, <=, fabsf (other - wanted) + 1e-6f * wanted);
              }
          }
    }
}

/* Sums of signs, added one after the other; and codebooks of a row or of the matrix. */
static float
naive_other (const TareFormat *format,
             const guint8     *codes,
             gsize             row_at,
             gsize             columns,
             gsize             i)
{
  const guint8 *row = codes + row_at;
  gsize length = format->group != 0 ? format->group : columns;
  gsize sign_bytes = (columns + 7) / 8, plane = sign_bytes + ((columns - 1) / length + 1) * 2;
  float sum = 0.0f;

  if (format->family == TARE_FORMAT_FAMILY_CODEBOOK)
    {
      gboolean own = tare_format_is_row_local (format);
      const guint8 *book = own ? row + (columns * format->bits + 7) / 8 : codes;
      const guint8 *level = book + 2 * naive_code (row, i, format->bits);

      return tare_half_to_float ((guint16) (level[0] | level[1] << 8));
    }

  for (guint r = 0; r < format->bits; r++)
    {
      const guint8 *scale = row + r * plane + sign_bytes + i / length * 2;
      float step = tare_half_to_float ((guint16) (scale[0] | scale[1] << 8));

      sum += naive_code (row + r * plane, i, 1) != 0 ? step : -step;
    }

  return sum;
}

static void
test_others (void)
{
  static const char *const ids[] = {
    "binary_residual2_channel", "binary_residual3_channel", "binary_residual4_channel",
    "binary_residual2_g128", "binary_residual3_g128", "binary_residual4_g128", "kmeans2_channel",
    "kmeans3_channel", "kmeans4_channel", "kmeans4_tensor", "kmeans5_tensor", "kmeans6_tensor",
    "kmeans8_tensor",
  };
  g_autoptr(GRand) random = g_rand_new_with_seed (4);

  for (gsize f = 0; f < G_N_ELEMENTS (ids); f++)
    {
      const TareFormat *format = tare_format_lookup (ids[f]);
      gsize n_bytes = tare_format_get_bytes (format, ROWS, COLUMNS);
      gsize one = tare_format_get_bytes (format, 1, COLUMNS), step = (n_bytes - one) / (ROWS - 1);
      g_autofree guint8 *codes = g_malloc (n_bytes);
      g_autofree float *y = g_new (float, ROWS * COLUMNS);

      for (gsize i = 0; i < n_bytes; i++)
        codes[i] = (guint8) g_rand_int (random);
      tare_format_decode (format, codes, ROWS, COLUMNS, y);
      for (gsize i = 0; i < ROWS * COLUMNS; i++)
        {
          float truth = naive_other (format, codes, one - step + i / COLUMNS * step, COLUMNS,
                                     i % COLUMNS);

          if (!(isnan (truth) && isnan (y[i])))
            g_assert_cmphex (tare_float_to_bits (y[i]), ==, tare_float_to_bits (truth));
        }
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  list_map ();
  g_test_add_func ("/format/grid/decode", test_decode);
  g_test_add_func ("/format/grid/encode", test_encode);
  g_test_add_func ("/format/grid/measure", test_measure);
  g_test_add_func ("/format/grid/nearest-scale", test_nearest_scale);
  g_test_add_func ("/format/grid/others", test_others);

  return g_test_run ();
}
