/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"
#include "quant/formats/tare-half.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/tare-test.h"

/* Minifloats, microscaling blocks and fixed codebooks against their definitions, a number at a
 * time. */

static const TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };

typedef enum
{
  NONE,
  IEEE,
  FN,
} Special;

/* A row of the table of formats, as the specifications define it. */
typedef struct
{
  const char *id;
  const char *block;
  guint       exponent;
  guint       mantissa;
  int         bias;
  Special     special;
  double      largest;
  double      normal;
  double      subnormal;
  guint       n_finite;
} Minifloat;

static const Minifloat minifloats[] = {
  { "fp8_e5m2_channel", "mxfp8_e5m2", 5, 2, 15, IEEE, 57344.0, 0x1p-14, 0x1p-16, 247 },
  { "fp8_e4m3_channel", "mxfp8_e4m3", 4, 3, 7, FN, 448.0, 0x1p-6, 0x1p-9, 253 },
  { "fp8_e3m4_channel", NULL, 3, 4, 3, NONE, 31.0, 0.25, 0x1p-6, 255 },
  { "fp6_e3m2_channel", "mxfp6_e3m2", 3, 2, 3, NONE, 28.0, 0.25, 0.0625, 63 },
  { "fp6_e2m3_channel", "mxfp6_e2m3", 2, 3, 1, NONE, 7.5, 1.0, 0.125, 63 },
  { "fp5_e3m1_g128", NULL, 3, 1, 3, NONE, 24.0, 0.25, 0.125, 31 },
  { "fp5_e2m2_channel", NULL, 2, 2, 1, NONE, 7.0, 1.0, 0.25, 31 },
  { "fp4_e3m0_g128", NULL, 3, 0, 3, NONE, 16.0, 0.25, NAN, 15 },
  { "fp4_e2m1_channel", NULL, 2, 1, 1, NONE, 6.0, 1.0, 0.5, 15 },
  { "fp4_e1m2_channel", NULL, 1, 2, 0, NONE, 3.5, 2.0, 0.5, 15 },
  { "fp3_e2m0_channel", NULL, 2, 0, 1, NONE, 4.0, 1.0, NAN, 7 },
  { "fp3_e1m1_g128", NULL, 1, 1, 0, NONE, 3.0, 2.0, 1.0, 7 },
};

/* What a code stands for, by the definition. */
static double
naive_value (const Minifloat *self,
             guint            code)
{
  guint fraction = code & ((1u << self->mantissa) - 1);
  guint exponent = (code >> self->mantissa) & ((1u << self->exponent) - 1);
  double sign = code >> (self->exponent + self->mantissa) != 0 ? -1.0 : 1.0;
  guint ones = (1u << self->exponent) - 1;

  if (self->special == IEEE && exponent == ones)
    return fraction == 0 ? sign * HUGE_VAL : (double) NAN;
  if (self->special == FN && exponent == ones && fraction == (1u << self->mantissa) - 1)
    return (double) NAN;
  if (exponent == 0)
    return sign * ldexp ((double) fraction, 1 - self->bias - (int) self->mantissa);

  return sign * ldexp ((double) (fraction + (1u << self->mantissa)),
                       (int) exponent - self->bias - (int) self->mantissa);
}

/* Round to nearest, ties to even, with saturation, by way of frexp(). */
static double
naive_round (const Minifloat *self,
             double           x)
{
  double magnitude = fabs (x), unit, rounded;
  int exponent;

  if (magnitude == 0.0)
    return x;

  frexp (magnitude, &exponent);
  exponent = MAX (exponent - 1, 1 - self->bias);
  unit = ldexp (1.0, exponent - (int) self->mantissa);
  rounded = MIN (nearbyint (magnitude / unit) * unit, self->largest);

  return copysign (rounded, x);
}

/* One row with a scale of one for every group. */
static guint8 *
make_row (const TareFormat *format,
          gsize             columns)
{
  gsize n_bytes = tare_format_get_bytes (format, 1, columns);
  gsize n_codes = (columns * format->bits + 7) / 8;
  guint8 *row = g_malloc0 (n_bytes);

  if (format->family == TARE_FORMAT_FAMILY_MICROSCALING)
    memset (row + n_codes, 127, n_bytes - n_codes);
  else if (format->group != 0)
    for (gsize i = n_codes + 1; i < n_bytes; i += 2)
      row[i] = 0x3c;
  else
    memcpy (row + n_codes, "\x00\x00\x80\x3f", 4);

  return row;
}

static void
put_code (guint8 *row,
          gsize   i,
          guint   bits,
          guint   code)
{
  for (guint k = 0; k < bits; k++)
    {
      gsize bit = i * bits + k;

      row[bit / 8] = (guint8) ((row[bit / 8] & ~(1u << bit % 8)) | ((code >> k) & 1u) << bit % 8);
    }
}

static guint
get_code (const guint8 *row,
          gsize         i,
          guint         bits)
{
  guint code = 0;

  for (guint k = 0; k < bits; k++)
    code |= ((row[(i * bits + k) / 8] >> (i * bits + k) % 8) & 1u) << k;

  return code;
}

/* What every code of a format decodes to with a scale of one. y: (out): [256] */
static void
decode_all (const TareFormat *format,
            float            *y)
{
  g_autofree guint8 *row = make_row (format, 256);

  for (gsize i = 0; i < 256; i++)
    put_code (row, i, format->bits, (guint) i & ((1u << format->bits) - 1));

  tare_format_decode (format, row, 1, 256, y);
}

static void
check_codes (const Minifloat  *self,
             const TareFormat *format)
{
  float y[256];

  g_assert_nonnull (format);
  g_assert_cmpuint (format->bits, ==, 1 + self->exponent + self->mantissa);
  decode_all (format, y);

  for (guint code = 0; code < 1u << format->bits; code++)
    {
      double truth = naive_value (self, code);

      if (isnan (truth))
        g_assert_true (isnan (y[code]));
      else
        g_assert_cmphex (tare_float_to_bits (y[code]), ==, tare_float_to_bits ((float) truth));
    }
}

static void
test_codes (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (minifloats); i++)
    {
      check_codes (&minifloats[i], tare_format_lookup (minifloats[i].id));
      if (minifloats[i].block != NULL)
        check_codes (&minifloats[i], tare_format_lookup (minifloats[i].block));
    }
}

/* The table of largest, least normal and least subnormal number, and how many there are. */
static void
test_ranges (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (minifloats); i++)
    {
      const Minifloat *self = &minifloats[i];
      const TareFormat *format = tare_format_lookup (self->id);
      double largest = 0.0, normal = HUGE_VAL, subnormal = HUGE_VAL;
      guint n_finite = 0;
      float y[256];

      decode_all (format, y);
      for (guint code = 0; code < 1u << format->bits; code++)
        {
          double value = (double) y[code];
          guint magnitude = code & ((1u << (format->bits - 1)) - 1);

          if (!isfinite (value))
            continue;

          n_finite++;
          largest = MAX (largest, value);
          if (value > 0.0 && magnitude >> self->mantissa > 0)
            normal = MIN (normal, value);
          if (value > 0.0 && magnitude >> self->mantissa == 0)
            subnormal = MIN (subnormal, value);
        }

      g_assert_cmpuint (n_finite - 1, ==, self->n_finite);
      g_assert_cmpfloat (largest, ==, self->largest);
      g_assert_cmpfloat (normal, ==, self->normal);
      if (isnan (self->subnormal))
        g_assert_true (isinf (subnormal));
      else
        g_assert_cmpfloat (subnormal, ==, self->subnormal);
    }
}

/* x: [128], of which the first is the largest level, so that the scale is one. */
static void
check_rounding (const Minifloat *self,
                float           *x)
{
  const TareFormat *format = tare_format_lookup (self->id);
  g_autofree guint8 *row = g_malloc (tare_format_get_bytes (format, 1, 128));
  float y[128];

  x[0] = (float) self->largest;
  g_assert_true (tare_format_encode (format, &plain, x, 1, 128, row, NULL, NULL));
  tare_format_decode (format, row, 1, 128, y);

  for (gsize j = 0; j < 128; j++)
    {
      double truth = naive_round (self, (double) x[j]);

      g_assert_cmphex (tare_float_to_bits (y[j]), ==, tare_float_to_bits ((float) truth));
      g_assert_cmpfloat (naive_value (self, get_code (row, j, format->bits)), ==, truth);
    }
}

/* Every level, the middle of every two, its neighbours in single precision, and random numbers of
 * all magnitudes. */
static void
test_rounding (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (minifloats); i++)
    {
      const Minifloat *self = &minifloats[i];
      guint n = (guint) (self->n_finite + 1) / 2;
      float x[128] = { 0.0f };
      gsize j = 1;

      for (guint code = 0; code < n; code++)
        {
          double level = naive_value (self, code);
          double next = code + 1 < n ? naive_value (self, code + 1) : level;
          float middle = (float) (0.5 * (level + next));
          const float values[] = {
            (float) level, middle, nextafterf (middle, 0.0f),
            MIN (nextafterf (middle, INFINITY), (float) self->largest),
          };

          for (gsize k = 0; k < 2 * G_N_ELEMENTS (values); k++)
            {
              x[j++] = k % 2 ? -values[k / 2] : values[k / 2];
              if (j == G_N_ELEMENTS (x))
                {
                  check_rounding (self, x);
                  j = 1;
                }
            }
        }
      check_rounding (self, x);

      for (guint round = 0; round < 50; round++)
        {
          for (j = 1; j < G_N_ELEMENTS (x); j++)
            x[j] = (float) (self->largest * g_random_double_range (-1.0, 1.0)
                            * exp2 (-(double) g_random_int_range (0, 40)));
          check_rounding (self, x);
        }
    }
}

/* The thresholds of E2M1, and those cases of the 8-bit formats that are often wrong. */
static void
test_thresholds (void)
{
  static const float x[] = { 6.0f, 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f, -0.75f };
  static const float truths[] = { 6.0f, 0.0f, 1.0f, 1.0f, 2.0f, 2.0f, 4.0f, 4.0f, -1.0f };
  const TareFormat *format = tare_format_lookup ("fp4_e2m1_channel");
  float y[256];
  guint8 row[64], block[33];
  float z[32] = { 464.0f, 0x1p-9f };

  g_assert_true (tare_format_encode (format, &plain, x, 1, G_N_ELEMENTS (x), row, NULL, NULL));
  tare_format_decode (format, row, 1, G_N_ELEMENTS (x), y);
  for (gsize j = 0; j < G_N_ELEMENTS (x); j++)
    g_assert_cmpfloat (y[j], ==, truths[j]);

  decode_all (tare_format_lookup ("fp8_e4m3_channel"), y);
  g_assert_cmpfloat (y[0x7e], ==, 448.0f);
  g_assert_true (isnan (y[0x7f]) && isnan (y[0xff]));
  g_assert_cmpfloat (y[0x08], ==, 0x1p-6f);
  g_assert_cmpfloat (y[0x01], ==, 0x1p-9f);
  decode_all (tare_format_lookup ("fp8_e5m2_channel"), y);
  g_assert_cmpfloat (y[0x7b], ==, 57344.0f);
  g_assert_true (isinf (y[0x7c]) && isnan (y[0x7d]));

  /* 464 is as near to 448 as to what would be 480: it saturates in either case. */
  g_assert_true (tare_format_encode (tare_format_lookup ("mxfp8_e4m3"), &plain, z, 1, 32, block,
                                     NULL, NULL));
  g_assert_cmpuint (block[32], ==, 127);
  g_assert_cmpuint (block[0], ==, 0x7e);
  g_assert_cmpuint (block[1], ==, 0x01);
}

/* Packed by the layout that tare-format-grid.c documents, at all lengths of the last group. */
static void
test_layout (void)
{
  static const gsize lengths[] = { 1, 2, 5, 7, 8, 9, 31, 32, 33, 63, 64, 100, 128, 129, 257, 1000 };
  static const char *const ids[] = {
    "fp6_e3m2_g32", "fp5_e2m2_g128", "fp4_e2m1_channel", "fp3_e2m0_g32", "nf4", "nf3",
    "fp8_e4m3_channel",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    for (gsize l = 0; l < G_N_ELEMENTS (lengths); l++)
      {
        const TareFormat *format = tare_format_lookup (ids[i]);
        gsize columns = lengths[l];
        g_autofree guint8 *row = make_row (format, columns);
        g_autofree float *y = g_new (float, columns);
        float levels[256];

        decode_all (format, levels);
        for (gsize j = 0; j < columns; j++)
          put_code (row, j, format->bits, (guint) (j * 5 + j / 7) & ((1u << format->bits) - 1));
        tare_format_decode (format, row, 1, columns, y);
        for (gsize j = 0; j < columns; j++)
          {
            float truth = levels[get_code (row, j, format->bits)];

            if (!isnan (truth))
              g_assert_cmpfloat (y[j], ==, truth);
          }
      }
}

/* --- blocks that share a power of two --- */

typedef struct
{
  const char *id;
  int         exponent;
} Block;

static const Block blocks[] = {
  { "mxfp8_e4m3", 8 }, { "mxfp8_e5m2", 15 }, { "mxfp6_e3m2", 4 }, { "mxfp6_e2m3", 2 },
  { "mxint8", 0 }, { "bfp6", 0 }, { "bfp4", 0 },
};

/* A block whose largest magnitude is a power of two keeps it and stores the power less that of the
 * format's largest number. */
static void
test_powers (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    for (int e = -149; e <= 127; e++)
      {
        const TareFormat *format = tare_format_lookup (blocks[i].id);
        gsize n_codes = 32 * format->bits / 8;
        float x[32] = { 0.0f }, y[32];
        guint8 row[33];

        g_assert_cmpuint (tare_format_get_bytes (format, 1, 32), ==, n_codes + 1);
        x[5] = ldexpf (-1.0f, e);
        g_assert_true (tare_format_encode (format, &plain, x, 1, 32, row, NULL, NULL));
        g_assert_cmpint (row[n_codes], ==, MAX (e - blocks[i].exponent, -127) + 127);
        tare_format_decode (format, row, 1, 32, y);
        if (e - blocks[i].exponent >= -127)
          g_assert_cmpfloat (y[5], ==, x[5]);
      }
}

static void
test_hostile_scales (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    {
      const TareFormat *format = tare_format_lookup (blocks[i].id);
      gsize n_codes = 32 * format->bits / 8;
      float x[32], y[32];
      guint8 row[33];

      tare_test_fill_gaussian (x, 32, 3);
      g_assert_true (tare_format_encode (format, NULL, x, 1, 32, row, NULL, NULL));
      row[n_codes] = 0xff;
      tare_format_decode (format, row, 1, 32, y);
      for (gsize j = 0; j < 32; j++)
        g_assert_true (isnan (y[j]));

      row[n_codes] = 0x00;
      tare_format_decode (format, row, 1, 32, y);
      for (gsize j = 0; j < 32; j++)
        g_assert_true (isfinite (y[j]) && fabsf (y[j]) <= 0x1p-111f);
    }
}

/* Two's complement in units of 1/64, of which the lowest is read but not written. */
static void
test_mxint8 (void)
{
  const TareFormat *format = tare_format_lookup ("mxint8");
  float x[32] = { 0.0f }, y[256];
  guint8 row[33];

  decode_all (format, y);
  for (int code = -128; code < 128; code++)
    g_assert_cmpfloat (y[(guint8) code], ==, (float) code / 64.0f);

  x[0] = -1.999f;
  x[1] = 1.0f;
  x[2] = -1.0f / 64.0f;
  x[3] = 1.5f / 64.0f;
  g_assert_true (tare_format_encode (format, &plain, x, 1, 32, row, NULL, NULL));
  g_assert_cmpuint (row[0], ==, 0x81);
  g_assert_cmpuint (row[1], ==, 0x40);
  g_assert_cmpuint (row[2], ==, 0xff);
  g_assert_cmpuint (row[3], ==, 0x02);
  g_assert_cmpuint (row[32], ==, 127);
}

/* The rule of the specification clips what lies between the largest level and the next power; the
 * search finds the power above it where that is better. */
static void
test_power_search (void)
{
  float x[32], y[32];
  guint8 row[33];

  for (gsize j = 0; j < 32; j++)
    x[j] = j % 2 ? 1.99f : -1.99f;

  g_assert_true (tare_format_encode (tare_format_lookup ("bfp4"), &plain, x, 1, 32, row, NULL,
                                     NULL));
  tare_format_decode (tare_format_lookup ("bfp4"), row, 1, 32, y);
  g_assert_cmpfloat (y[0], ==, -1.75f);
  g_assert_true (tare_format_encode (tare_format_lookup ("bfp4"), NULL, x, 1, 32, row, NULL, NULL));
  tare_format_decode (tare_format_lookup ("bfp4"), row, 1, 32, y);
  g_assert_cmpfloat (y[0], ==, -2.0f);
}

/* --- codebooks --- */

static double
probit (double p)
{
  double low = -10.0, high = 10.0;

  for (guint i = 0; i < 200; i++)
    {
      double middle = 0.5 * (low + high);

      if (0.5 * erfc (-middle / sqrt (2.0)) < p)
        low = middle;
      else
        high = middle;
    }

  return low;
}

/* The levels by their formula. */
static void
check_quantiles (const char *id,
                 guint       bits)
{
  double offset = 0.9677083;
  guint half = 1u << (bits - 1);
  float y[256];

  decode_all (tare_format_lookup (id), y);
  for (guint k = 0; k < 2 * half; k++)
    {
      double p = k < half ? 1.0 - offset + (offset - 0.5) * k / (half - 1.0)
                          : 0.5 + (offset - 0.5) * (k - half + 1.0) / half;

      g_assert_cmpfloat_with_epsilon ((double) y[k], probit (p) / probit (offset), 2e-6);
    }
  g_assert_cmpfloat (y[half - 1], ==, 0.0f);
  g_assert_cmpfloat (y[0], ==, -1.0f);
  g_assert_cmpfloat (y[2 * half - 1], ==, 1.0f);
}

static void
test_codebooks (void)
{
  static const double twelfths[] = { 0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0 };
  float y[256];

  check_quantiles ("nf4", 4);
  check_quantiles ("nf3", 3);

  decode_all (tare_format_lookup ("bnb_fp4"), y);
  for (guint code = 0; code < 16; code++)
    g_assert_cmpfloat_with_epsilon ((double) y[code],
                                    (code < 8 ? 1.0 : -1.0) * twelfths[code % 8] / 12.0, 1e-7);
}

/* --- errors --- */

/* Σ(x - y)² / n with the nearest level of the grid whose largest is a given one. */
static double
measure_grid (const TareFormat *format,
              float             largest,
              const float      *x,
              gsize             n)
{
  float levels[TARE_FORMAT_MAX_LEVELS];
  gsize n_levels = tare_format_get_levels (format, -largest, largest, levels);
  double sum = 0.0;

  for (gsize j = 0; j < n; j++)
    {
      gsize low = 0, high = n_levels - 1;
      float below, above;

      while (high - low > 1)
        {
          gsize middle = (low + high) / 2;

          if (levels[middle] <= x[j])
            low = middle;
          else
            high = middle;
        }
      below = x[j] - levels[low];
      above = x[j] - levels[high];
      sum += MIN ((double) below * (double) below, (double) above * (double) above);
    }

  return sum / (double) n;
}

/* The least squared error on a normal distribution, from the closed form, and the largest level in
 * standard deviations that has it; @flat where others are about as good. */
typedef struct
{
  const char *id;
  float       largest;
  double      error;
  gboolean    flat;
} Anchor;

static const Anchor anchors[] = {
  { "fp4_e2m1_channel", 2.92247f, 0.0126849 },
  { "fp4_e1m2_channel", 2.47388f, 0.0128894 },
  { "fp4_e3m0_g128", 4.19362f, 0.0377450, TRUE },
  { "fp5_e2m2_channel", 3.37941f, 0.0032560 },
  { "fp6_e2m3_channel", 3.74754f, 0.00082915 },
  { "fp6_e3m2_channel", 4.54176f, 0.0027661, TRUE },
  { "fp8_e3m4_channel", 5.10590f, 0.00017520, TRUE },
  { "fp8_e4m3_channel", 16.0f, 0.00069875, TRUE },
  { "fp8_e5m2_channel", 16.0f, 0.00276557, TRUE },
  { "nf4", 2.86306f, 0.0098993 },
  { "bnb_fp4", 2.56362f, 0.0165861 },
};

static void
test_gaussian (void)
{
  gsize n = 1 << 18;
  g_autofree float *x = g_new (float, n);

  tare_test_fill_gaussian (x, n, 11);

  for (gsize i = 0; i < G_N_ELEMENTS (anchors); i++)
    {
      const Anchor *anchor = &anchors[i];
      const TareFormat *format = tare_format_lookup (anchor->id);
      double error = measure_grid (format, anchor->largest, x, n);

      g_test_message ("%s: %.7g, closed form %.7g", anchor->id, error, anchor->error);
      g_assert_cmpfloat_with_epsilon (error, anchor->error, 0.01 * anchor->error);

      /* A scale that is a little off is worse, but for floats of so many powers of two that they
       * look much the same at every scale. */
      if (!anchor->flat)
        {
          g_assert_cmpfloat (measure_grid (format, 1.06f * anchor->largest, x, n), >, error);
          g_assert_cmpfloat (measure_grid (format, 0.94f * anchor->largest, x, n), >, error);
        }
    }
}

/* The search finds that scale, where one is to serve for a whole row. */
static void
test_gaussian_search (void)
{
  gsize n = 1 << 18;
  g_autofree float *x = g_new (float, n);
  g_autofree float *y = g_new (float, n);

  tare_test_fill_gaussian (x, n, 13);

  for (gsize i = 0; i < G_N_ELEMENTS (anchors); i++)
    {
      const TareFormat *format = tare_format_lookup (anchors[i].id);
      g_autofree guint8 *row = g_malloc (tare_format_get_bytes (format, 1, n));
      double error = 0.0;

      if (format->group != 0)
        continue;

      g_assert_true (tare_format_encode (format, NULL, x, 1, n, row, NULL, NULL));
      tare_format_decode (format, row, 1, n, y);
      for (gsize j = 0; j < n; j++)
        error += ((double) x[j] - (double) y[j]) * ((double) x[j] - (double) y[j]);
      error /= (double) n;

      g_test_message ("%s: %.7g, closed form %.7g", format->id, error, anchors[i].error);
      g_assert_cmpfloat (error, <=, 1.01 * anchors[i].error);
    }
}

/* How far the search stays behind the best of all scales that half precision has. */
static void
test_optimum (void)
{
  static const char *const ids[] = {
    "fp6_e3m2_g32", "fp6_e2m3_g32", "fp5_e2m2_g32", "fp4_e2m1_g32", "fp4_e1m2_g32",
    "fp3_e2m0_g32", "nf4", "nf3", "bnb_fp4",
  };
  float x[8 * 64], y[8 * 64];

  tare_test_fill_gaussian (x, G_N_ELEMENTS (x), 23);
  for (gsize j = 0; j < G_N_ELEMENTS (x); j++)
    x[j] = j / 64 % 2 == 0 ? x[j] : x[j] * x[j] * x[j];

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      const TareFormat *format = tare_format_lookup (ids[i]);
      g_autofree guint8 *row = g_malloc (tare_format_get_bytes (format, 1, G_N_ELEMENTS (x)));
      float unit[TARE_FORMAT_MAX_LEVELS], top;
      double found = 0.0, optimum = 0.0;

      tare_format_encode (format, NULL, x, 1, G_N_ELEMENTS (x), row, NULL, NULL);
      tare_format_decode (format, row, 1, G_N_ELEMENTS (x), y);
      for (gsize j = 0; j < G_N_ELEMENTS (x); j++)
        found += ((double) x[j] - (double) y[j]) * ((double) x[j] - (double) y[j]);

      top = unit[tare_format_get_levels (format, -1024.0f, 1024.0f, unit) - 1];
      g_assert_cmpfloat (top, >, 0.0f);

      for (gsize begin = 0; begin < G_N_ELEMENTS (x); begin += format->group)
        {
          float largest = 0.0f;
          double least = HUGE_VAL;

          for (gsize j = begin; j < begin + format->group; j++)
            largest = MAX (largest, fabsf (x[j]));
          for (float factor = 0.2f; factor < 2.4f; factor *= 1.001f)
            least = MIN (least, measure_grid (format, largest * factor, x + begin, format->group));
          optimum += least * (double) format->group;
        }

      g_test_message ("%s: %.4f of the optimum", ids[i], found / optimum);
      g_assert_cmpfloat (found, <=, 1.01 * optimum);
      g_assert_cmpfloat (found, >=, 0.999 * optimum);
    }
}

/* Figures that follow from the layouts. */
static void
test_bits_per_weight (void)
{
  static const struct
  {
    const char *id;
    double      bits;
  } truths[] = {
    { "mxfp8_e4m3", 8.25 }, { "mxint8", 8.25 }, { "mxfp6_e2m3", 6.25 }, { "bfp4", 4.25 },
    { "fp6_e3m2_g128", 6.125 }, { "fp5_e2m2_g32", 5.5 }, { "fp4_e2m1_g128", 4.125 },
    { "fp3_e2m0_g32", 3.5 }, { "nf4", 4.25 }, { "nf3", 3.25 }, { "bnb_fp4", 4.25 },
    { "fp8_e4m3_channel", 8.0 + 32.0 / 4096.0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (truths); i++)
    g_assert_cmpfloat (tare_format_get_bits_per_weight (tare_format_lookup (truths[i].id), 0, 4096),
                       ==, truths[i].bits);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/format/minifloat/codes", test_codes);
  g_test_add_func ("/format/minifloat/ranges", test_ranges);
  g_test_add_func ("/format/minifloat/rounding", test_rounding);
  g_test_add_func ("/format/minifloat/thresholds", test_thresholds);
  g_test_add_func ("/format/minifloat/layout", test_layout);
  g_test_add_func ("/format/minifloat/powers", test_powers);
  g_test_add_func ("/format/minifloat/hostile-scales", test_hostile_scales);
  g_test_add_func ("/format/minifloat/mxint8", test_mxint8);
  g_test_add_func ("/format/minifloat/power-search", test_power_search);
  g_test_add_func ("/format/minifloat/codebooks", test_codebooks);
  g_test_add_func ("/format/minifloat/gaussian", test_gaussian);
  g_test_add_func ("/format/minifloat/gaussian-search", test_gaussian_search);
  g_test_add_func ("/format/minifloat/optimum", test_optimum);
  g_test_add_func ("/format/minifloat/bits-per-weight", test_bits_per_weight);

  return g_test_run ();
}
