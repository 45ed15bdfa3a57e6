/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"
#include "quant/formats/tare-half.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-lattice-private.h"
#include "tests/tare-test.h"

/* The closed forms of the GGUF specification, one weight at a time: what kernels are held to. */

static float
half_at (const guint8 *bytes)
{
  return tare_half_to_float ((guint16) (bytes[0] | bytes[1] << 8));
}

static int
bit_at (const guint8 *bytes,
        gsize         i)
{
  return (bytes[i / 8] >> i % 8) & 1;
}

static int
nibble_at (const guint8 *bytes,
           gsize         j)
{
  return j < 16 ? bytes[j] & 15 : bytes[j - 16] >> 4;
}

static float
naive_q4_0 (const guint8 *block,
            gsize         j)
{
  return (float) (nibble_at (block + 2, j) - 8) * half_at (block);
}

static float
naive_q4_1 (const guint8 *block,
            gsize         j)
{
  return (float) nibble_at (block + 4, j) * half_at (block) + half_at (block + 2);
}

static float
naive_q5_0 (const guint8 *block,
            gsize         j)
{
  return (float) ((nibble_at (block + 6, j) | bit_at (block + 2, j) << 4) - 16) * half_at (block);
}

static float
naive_q5_1 (const guint8 *block,
            gsize         j)
{
  return (float) (nibble_at (block + 8, j) | bit_at (block + 4, j) << 4) * half_at (block) +
         half_at (block + 2);
}

static float
naive_q8_0 (const guint8 *block,
            gsize         j)
{
  return (float) (gint8) block[2 + j] * half_at (block);
}

static float
naive_k (const guint8 *block,
         gsize         j,
         int           code)
{
  const guint8 *s = block + 4;
  gsize b = j / 32;
  int scale = b < 4 ? s[b] & 63 : (s[b + 4] & 15) | (s[b - 4] >> 6) << 4;
  int minimum = b < 4 ? s[b + 4] & 63 : (s[b + 4] >> 4) | (s[b] >> 6) << 4;
  float product = (half_at (block) * (float) scale) * (float) code;

  return product - half_at (block + 2) * (float) minimum;
}

static float
naive_q4_k (const guint8 *block,
            gsize         j)
{
  int byte = block[16 + 32 * (j / 64) + j % 32];

  return naive_k (block, j, j % 64 < 32 ? byte & 15 : byte >> 4);
}

static float
naive_q5_k (const guint8 *block,
            gsize         j)
{
  int byte = block[48 + 32 * (j / 64) + j % 32];
  int high = (block[16 + j % 32] >> j / 32) & 1;

  return naive_k (block, j, (j % 64 < 32 ? byte & 15 : byte >> 4) + 16 * high);
}

static float
naive_q6_k (const guint8 *block,
            gsize         j)
{
  gsize n = j / 128, r = j % 128 / 32, l = j % 32;
  int byte = block[64 * n + 32 * (r & 1) + l];
  int high = (block[128 + 32 * n + l] >> 2 * r) & 3;
  int code = (r < 2 ? byte & 15 : byte >> 4) | high << 4;

  return (half_at (block + 208) * (float) (gint8) block[192 + j / 16]) * (float) (code - 32);
}

static int
pair_at (const guint8 *pairs,
         gsize         j)
{
  return (pairs[32 * (j / 128) + j % 32] >> 2 * (j % 128 / 32)) & 3;
}

static float
naive_q2_k (const guint8 *block,
            gsize         j)
{
  int scales = block[j / 16];
  float product = (half_at (block + 80) * (float) (scales & 15)) * (float) pair_at (block + 16, j);

  return product - half_at (block + 82) * (float) (scales >> 4);
}

static float
naive_q3_k (const guint8 *block,
            gsize         j)
{
  const guint8 *s = block + 96;
  gsize k = j / 16;
  int scale = (k < 8 ? s[k] & 15 : s[k - 8] >> 4) | ((s[8 + k % 4] >> 2 * (k / 4)) & 3) << 4;
  int high = (block[j % 32] >> j / 32) & 1;

  return (half_at (block + 108) * (float) (scale - 32)) *
         (float) (pair_at (block + 32, j) - (high ? 0 : 4));
}

static const gint8 uneven[] = {
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

static float
naive_iq4_nl (const guint8 *block,
              gsize         j)
{
  return half_at (block) * (float) uneven[nibble_at (block + 2, j)];
}

static float
naive_mxfp4 (const guint8 *block,
             gsize         j)
{
  static const float fp4[] = { 0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 6.0f, 8.0f, 12.0f };
  int code = nibble_at (block + 1, j);

  return ldexpf (code > 8 ? -fp4[code - 8] : fp4[code & 7], block[0] - 128);
}

static float
naive_iq4_xs (const guint8 *block,
              gsize         j)
{
  gsize b = j / 32;
  int low = (block[4 + b / 2] >> 4 * (b % 2)) & 15;
  int high = ((block[2] | block[3] << 8) >> 2 * b) & 3;

  return (half_at (block) * (float) ((low | high << 4) - 32)) *
         (float) uneven[nibble_at (block + 8 + 16 * b, j % 32)];
}

static float
naive_tq1_0 (const guint8 *block,
             gsize         j)
{
  gsize byte = j < 160 ? j % 32 : j < 240 ? 32 + (j - 160) % 16 : 48 + (j - 240) % 4;
  gsize digit = j < 160 ? j / 32 : j < 240 ? (j - 160) / 16 : (j - 240) / 4;
  guint fraction = block[byte];

  for (gsize i = 0; i < digit; i++)
    fraction = fraction * 3 % 256;

  return (float) ((int) (fraction * 3 / 256) - 1) * half_at (block + 52);
}

static float
naive_tq2_0 (const guint8 *block,
             gsize         j)
{
  return (float) (pair_at (block, j) - 1) * half_at (block + 64);
}

static guint32
word_at (const guint8 *bytes,
         gsize         n)
{
  guint32 word = 0;

  for (gsize i = 0; i < n; i++)
    word |= (guint32) bytes[i] << 8 * i;

  return word;
}

/* Bit e of eight signs, of which an even number is negative. */
static float
even_sign (guint seven,
           gsize e)
{
  guint n = 0;

  for (gsize i = 0; i < 7; i++)
    n += (seven >> i) & 1;

  return (e < 7 ? (seven >> e) & 1 : n % 2) ? -1.0f : 1.0f;
}

static float
point_at (TareLatticeKind kind,
          gsize           index,
          gsize           e)
{
  const TareLattice *lattice = _tare_lattice_get (kind);

  return (float) lattice->points[index * lattice->n_elements + e];
}

static float
naive_iq2_xxs (const guint8 *block,
               gsize         j)
{
  gsize b = j / 32, g = j % 32 / 8, e = j % 8;
  guint32 a = word_at (block + 2 + 8 * b + 4, 4);
  float scale = half_at (block) * (0.5f + (float) (a >> 28)) * 0.25f;

  return scale * point_at (TARE_LATTICE_IQ2_XXS, block[2 + 8 * b + g], e) *
         even_sign ((a >> 7 * g) & 127, e);
}

static float
naive_iq2_xs (const guint8 *block,
              gsize         j)
{
  gsize b = j / 32, g = j % 32 / 8, e = j % 8;
  guint32 q = word_at (block + 2 + 2 * (4 * b + g), 2);
  int s = g < 2 ? block[66 + b] & 15 : block[66 + b] >> 4;

  return half_at (block) * (0.5f + (float) s) * 0.25f *
         point_at (TARE_LATTICE_IQ2_XS, q & 511, e) * even_sign (q >> 9, e);
}

static float
naive_iq2_s (const guint8 *block,
             gsize         j)
{
  gsize b = j / 32, g = j % 32 / 8, e = j % 8;
  gsize index = block[2 + 4 * b + g] | ((block[66 + b] >> 2 * g) & 3) << 8;
  int s = g < 2 ? block[74 + b] & 15 : block[74 + b] >> 4;

  return half_at (block) * (0.5f + (float) s) * 0.25f * point_at (TARE_LATTICE_IQ2_S, index, e) *
         ((block[34 + 4 * b + g] >> e) & 1 ? -1.0f : 1.0f);
}

static float
naive_iq3_xxs (const guint8 *block,
               gsize         j)
{
  gsize b = j / 32, g = j % 32 / 8, e = j % 8;
  guint32 a = word_at (block + 66 + 4 * b, 4);

  return half_at (block) * (0.5f + (float) (a >> 28)) * 0.5f *
         point_at (TARE_LATTICE_IQ3_XXS, block[2 + 8 * b + 2 * g + e / 4], e % 4) *
         even_sign ((a >> 7 * g) & 127, e);
}

static float
naive_iq3_s (const guint8 *block,
             gsize         j)
{
  gsize b = j / 32, g = j % 32 / 8, e = j % 8, k = 2 * g + e / 4;
  gsize index = block[2 + 8 * b + k] | ((block[66 + b] >> k) & 1) << 8;
  int s = b % 2 == 0 ? block[106 + b / 2] & 15 : block[106 + b / 2] >> 4;

  return half_at (block) * (float) (1 + 2 * s) * point_at (TARE_LATTICE_IQ3_S, index, e % 4) *
         ((block[74 + 4 * b + g] >> e) & 1 ? -1.0f : 1.0f);
}

static float
naive_iq1_s (const guint8 *block,
             gsize         j)
{
  gsize b = j / 32, g = j % 32 / 8, e = j % 8;
  guint32 q = word_at (block + 34 + 2 * b, 2);
  gsize index = block[2 + 4 * b + g] | ((q >> 3 * g) & 7) << 8;

  return half_at (block) * (float) (2 * ((q >> 12) & 7) + 1) *
         (point_at (TARE_LATTICE_IQ1, index, e) + (q & 0x8000 ? -0.125f : 0.125f));
}

static float
naive_iq1_m (const guint8 *block,
             gsize         j)
{
  gsize b = j / 32, g = j % 32 / 8, e = j % 8;
  int n = g % 2 == 0 ? block[32 + 2 * b + g / 2] & 15 : block[32 + 2 * b + g / 2] >> 4;
  gsize index = block[4 * b + g] | (n & 7) << 8;
  guint32 s = word_at (block + 48 + 2 * (b / 2), 2) >> (6 * (b % 2) + 3 * (g / 2)) & 7;
  guint32 d = 0;

  for (gsize k = 0; k < 4; k++)
    d |= word_at (block + 48 + 2 * k, 2) >> 12 << 4 * k;

  return tare_half_to_float ((guint16) d) * (float) (2 * s + 1) *
         (point_at (TARE_LATTICE_IQ1, index, e) + (n & 8 ? -0.125f : 0.125f));
}

typedef struct
{
  const char *id;
  const char *file;
  gboolean    weighted_only;
  float     (*naive) (const guint8 *block,
                      gsize         j);
  gsize       halves[2];
  gsize       n_halves;
  guint64     bytes_hash;
  guint64     output_hash;
} Golden;

static const Golden goldens[] = {
  { "q4_0", "q4_0", FALSE, naive_q4_0, { 0 }, 1, 0x6c5191f4b17d96d6, 0x842b0bdcc62c8a49 },
  { "q4_1", "q4_1", FALSE, naive_q4_1, { 0, 2 }, 2, 0x81789fc61ca02d6f, 0x0e486f7efb8afece },
  { "q5_0", "q5_0", FALSE, naive_q5_0, { 0 }, 1, 0xe585e5859a13f5d7, 0x80f3e0a216de91eb },
  { "q5_1", "q5_1", FALSE, naive_q5_1, { 0, 2 }, 2, 0xb21d2cdf372f1d64, 0xc3cbba0abf81cce9 },
  { "q8_0", "q8_0", FALSE, naive_q8_0, { 0 }, 1, 0xc2a200f5b825235c, 0x8408bd208423f9d4 },
  { "q4_k", "q4_K", FALSE, naive_q4_k, { 0, 2 }, 2, 0x4bf2574d6b1a9235, 0x20f95e91151f2082 },
  { "q5_k", "q5_K", FALSE, naive_q5_k, { 0, 2 }, 2, 0x5c8cc4a10cd11274, 0x5910c3072e0afc7a },
  { "q6_k", "q6_K", FALSE, naive_q6_k, { 208 }, 1, 0x1badb7f522daffd1, 0x47cd4386edfdb10a },
  { "q2_k", "q2_K", FALSE, naive_q2_k, { 80, 82 }, 2, 0xb4a082f6cc7f808c, 0xd13b9ccec3656d94 },
  { "q3_k", "q3_K", FALSE, naive_q3_k, { 108 }, 1, 0xa8327f8db16a2771, 0x3b84dde867b9e0a0 },
  { "iq4_nl", "iq4_nl", FALSE, naive_iq4_nl, { 0 }, 1, 0xe80e5a22e8dbfeee, 0x6a0ec83a5d431570 },
  { "iq4_xs", "iq4_xs", FALSE, naive_iq4_xs, { 0 }, 1, 0x7911062ff39bcde4, 0xa5d7b99317bf23e1 },
  { "iq2_xxs", "iq2_xxs", TRUE, naive_iq2_xxs, { 0 }, 1, 0x5f0bb4a2cb67f850, 0x0a122be7c6d5759b },
  { "iq2_xs", "iq2_xs", TRUE, naive_iq2_xs, { 0 }, 1, 0x388f15c148e04b3f, 0x70159e293686a942 },
  { "iq2_s", "iq2_s", FALSE, naive_iq2_s, { 0 }, 1, 0x4cc91866550cbfa0, 0xe6ed590725c78709 },
  { "iq3_xxs", "iq3_xxs", FALSE, naive_iq3_xxs, { 0 }, 1, 0xc66b2073a0eeda9b, 0x9dd3bf40e7d69153 },
  { "iq3_s", "iq3_s", FALSE, naive_iq3_s, { 0 }, 1, 0xd090a689481421a8, 0x7af1c9af77a3a5f3 },
  { "iq1_s", "iq1_s", TRUE, naive_iq1_s, { 0 }, 1, 0xd9dd82a1ac3c435b, 0x35f313220a176ecd },
  { "iq1_m", "iq1_m", FALSE, naive_iq1_m, { 54 }, 1, 0x16f074be733b98a5, 0xf916418ae8b5b7e3 },
  { "mxfp4", "mxfp4", FALSE, naive_mxfp4, { 0 }, 0, 0xc08da652eb96aba5, 0xd755fb4ee5fd4c30 },
  { "tq1_0", "tq1_0", FALSE, naive_tq1_0, { 52 }, 1, 0x113f5ac290c8c665, 0x6e1310503263a5b5 },
  { "tq2_0", "tq2_0", FALSE, naive_tq2_0, { 64 }, 1, 0x527e3d5e2635760d, 0xd8182155b53e5d6d },
};

/* Sixteen blocks of random bytes whose scales are finite; that byte of iq1_m holds four bits of its
 * scale, and others. */
static guint8 *
make_blocks (const TareFormat *format,
             const Golden     *golden,
             guint32           seed)
{
  gsize block_bytes = tare_format_get_row_bytes (format, format->block);
  guint8 *bytes = g_malloc (16 * block_bytes);

  for (gsize i = 0; i < 16 * block_bytes; i++)
    {
      seed = seed * 1664525 + 1013904223;
      bytes[i] = (guint8) (seed >> 24);
    }

  for (gsize i = 0; i < 16; i++)
    for (gsize k = 0; k < golden->n_halves; k++)
      bytes[i * block_bytes + golden->halves[k] + 1] &= golden->naive == naive_iq1_m ? 0xbf : 0xbb;

  for (gsize i = 0; i < 16; i++)
    if (golden->naive == naive_mxfp4 && bytes[i * block_bytes] == 255)
      bytes[i * block_bytes] = 7;

  return bytes;
}

static void
test_golden (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (goldens); i++)
    {
      const TareFormat *format = tare_format_lookup (goldens[i].id);
      guint32 seed = 1000 + (guint32) format->ggml_type;
      gsize columns = 16 * format->block;
      g_autofree guint8 *bytes = make_blocks (format, &goldens[i], seed);
      g_autofree float *y = g_new (float, columns);
      gsize n_bytes = tare_format_get_bytes (format, 1, columns);

      g_assert_cmphex (tare_test_hash (bytes, n_bytes), ==, goldens[i].bytes_hash);
      tare_format_decode (format, bytes, 1, columns, y);
      g_assert_cmphex (tare_test_hash (y, columns * sizeof (float)), ==, goldens[i].output_hash);
    }
}

/* ggml's unsigned E4M3, of which the NaN is 0, and E2M1 for 64 weights with four of them. */
static float
naive_nvfp4 (const guint8 *block,
             gsize         j)
{
  static const float magnitudes[8] = { 0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f };
  guint byte = block[j / 16], exponent = (byte >> 3) & 15, mantissa = byte & 7;
  guint code = block[4 + 8 * (j / 16) + j % 8] >> (j % 16 < 8 ? 0 : 4) & 15;
  float scale = exponent > 0 ? ldexpf (1.0f + (float) mantissa / 8.0f, (int) exponent - 7)
                             : ldexpf ((float) mantissa, -9);
  float value = (byte == 0x7f ? 0.0f : scale) * magnitudes[code & 7];

  return code > 8 ? -value : value;
}

/* As the others, but for the scale of the whole, which lies elsewhere; the bytes are those of the
 * specification's vectors, and so are the values without that scale. */
static void
test_nvfp4 (void)
{
  const TareFormat *format = tare_format_lookup ("nvfp4");
  const float scales[] = { 1.0f, 0x1.8p-9f };
  guint8 bytes[4 + 16 * 36];
  guint32 seed = 1000 + (guint32) format->ggml_type;
  float y[1024], apart[1024];

  g_assert_cmpint (format->ggml_type, ==, 40);
  g_assert_cmpuint (tare_format_get_bytes (format, 1, 1024), ==, sizeof bytes);
  for (gsize i = 4; i < sizeof bytes; i++)
    {
      seed = seed * 1664525 + 1013904223;
      bytes[i] = (guint8) (seed >> 24);
    }
  g_assert_cmphex (tare_test_hash (bytes + 4, 16 * 36), ==, 0xd6e3bb0f526385e1);

  for (gsize s = 0; s < G_N_ELEMENTS (scales); s++)
    {
      guint32 word = GUINT32_TO_LE (tare_float_to_bits (scales[s]));

      memcpy (bytes, &word, sizeof word);
      tare_format_decode (format, bytes, 1, 1024, y);
      tare_format_decode_apart (format, bytes, bytes + 4, 1, 1024, apart);
      g_assert_cmpmem (y, sizeof y, apart, sizeof apart);
      if (s == 0)
        g_assert_cmphex (tare_test_hash (y, sizeof y), ==, 0x5bd43fc23152c384);
      for (gsize j = 0; j < 1024; j++)
        {
          float truth = naive_nvfp4 (bytes + 4 + j / 64 * 36, j % 64) * scales[s];

          g_assert_cmpfloat (y[j], ==, truth);
        }
    }
}

/* The last block of a row may be short, with as many scales as it has groups; the bytes are those
 * of a matrix by hand. */
static void
test_nvfp4_short (void)
{
  const TareFormat *format = tare_format_lookup ("nvfp4");
  const TareEncoding plain = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  const guint8 golden[] = {
    0x7e, 0x76, 0x07, 0x0f, 0, 0, 0, 0, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0x0f, 0,
  };
  float x[32] = { 5.25f, -5.25f, [14] = -5.25f, [22] = -2.625f };
  guint8 codes[4 + sizeof golden];
  float y[32];
  g_autoptr(GError) error = NULL;

  g_assert_cmpuint (tare_format_get_bytes (format, 1, 32), ==, sizeof codes);
  g_assert_true (tare_format_encode (format, &plain, x, 1, 32, codes, NULL, &error));
  g_assert_cmpmem (codes + 4, sizeof golden, golden, sizeof golden);
  tare_format_decode (format, codes, 1, 32, y);
  for (gsize j = 0; j < 32; j++)
    g_assert_cmpfloat (fabsf (y[j] - x[j]), <=, 1e-4f * fabsf (x[j]));
}

static void
test_naive_blocks (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (goldens); i++)
    {
      const TareFormat *format = tare_format_lookup (goldens[i].id);
      gsize block_bytes = tare_format_get_row_bytes (format, format->block);
      gsize columns = 16 * format->block;
      g_autofree guint8 *bytes = make_blocks (format, &goldens[i], (guint32) i);
      g_autofree float *y = g_new (float, columns);

      tare_format_decode (format, bytes, 1, columns, y);
      for (gsize j = 0; j < columns; j++)
        {
          float truth = goldens[i].naive (bytes + j / format->block * block_bytes,
                                          j % format->block);

          g_assert_cmphex (tare_float_to_bits (y[j]), ==, tare_float_to_bits (truth));
        }
    }
}

/* The layout that tare-format-integer.c documents, a bit at a time. */
static float
naive_integer (const TareFormat *format,
               const guint8     *row,
               gsize             columns,
               gsize             j)
{
  gsize group = format->group != 0 ? format->group : columns;
  gsize n_groups = (columns + group - 1) / group;
  const guint8 *scales = row + (columns * format->bits + 7) / 8;
  const guint8 *zeros = scales + 2 * n_groups;
  int code = 0, zero = 0;

  for (gsize k = 0; k < format->bits; k++)
    {
      code |= bit_at (row, j * format->bits + k) << k;
      if (format->asymmetric)
        zero |= bit_at (zeros, j / group * format->bits + k) << k;
    }

  if (!format->asymmetric)
    zero = 1 << (format->bits - 1);

  return (float) (code - zero) * half_at (scales + 2 * (j / group));
}

static void
test_naive_integers (void)
{
  static const gsize lengths[] = { 1, 2, 5, 7, 8, 9, 31, 32, 33, 63, 100, 128, 129, 257, 1000 };

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    for (gsize l = 0; l < G_N_ELEMENTS (lengths); l++)
      {
        const TareFormat *format = tare_format_get (i);
        gsize columns = lengths[l];
        g_autofree guint8 *bytes = NULL;
        g_autofree float *y = g_new (float, 3 * columns);
        gsize n_bytes;

        if ((format->family != TARE_FORMAT_FAMILY_INTEGER
             && format->family != TARE_FORMAT_FAMILY_ASYMMETRIC)
            || !tare_format_is_row_local (format) || !tare_format_has_parts (format))
          continue;

        n_bytes = tare_format_get_row_bytes (format, columns);
        bytes = g_malloc (3 * n_bytes);
        for (gsize k = 0; k < 3 * n_bytes; k++)
          bytes[k] = (guint8) (g_random_int () & 0xbb);

        tare_format_decode (format, bytes, 3, columns, y);
        for (gsize j = 0; j < 3 * columns; j++)
          {
            float truth = naive_integer (format, bytes + j / columns * n_bytes, columns,
                                         j % columns);

            g_assert_cmphex (tare_float_to_bits (y[j]), ==, tare_float_to_bits (truth));
          }
      }
}

static void
check_reference (const TareFormat *format,
                 const char       *name)
{
  g_autofree char *codes_name = g_strdup_printf ("reference/ggml/%s.q", name);
  g_autofree char *floats_name = g_strdup_printf ("reference/ggml/%s.f32", name);
  g_autofree char *codes_path = tare_test_shared (codes_name);
  g_autofree char *floats_path = tare_test_shared (floats_name);
  g_autoptr(GBytes) codes = tare_test_load_bytes (codes_path);
  gsize n = 0, n_bytes = 0;
  g_autofree float *truth = tare_test_load_floats (floats_path, &n);
  const guint8 *data = g_bytes_get_data (codes, &n_bytes);
  g_autofree float *y = g_new (float, n);

  g_assert_cmpuint (n, ==, 24 * 768);
  g_assert_cmpuint (n_bytes, ==, 24 * tare_format_get_row_bytes (format, 768));

  tare_format_decode (format, data, 24, 768, y);
  g_assert_cmpmem (y, n * sizeof (float), truth, n * sizeof (float));
}

static void
test_reference (void)
{
  TARE_TEST_NEED_SHARED (folder, "reference/ggml");

  for (gsize i = 0; i < G_N_ELEMENTS (goldens); i++)
    {
      g_autofree char *weighted = g_strconcat (goldens[i].file, "-imatrix", NULL);

      if (!goldens[i].weighted_only)
        check_reference (tare_format_lookup (goldens[i].id), goldens[i].file);
      check_reference (tare_format_lookup (goldens[i].id), weighted);
    }

  check_reference (tare_format_lookup ("f16"), "f16");
  check_reference (tare_format_lookup ("bf16"), "bf16");
}

/* Whatever the bytes, decoding neither fails nor reads beyond them: here a sanitizer looks on. */
static void
test_any_bytes (void)
{
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gsize columns = 3 * format->block;
      gsize n_bytes = tare_format_get_bytes (format, 1, columns);
      g_autofree guint8 *bytes = g_malloc (n_bytes);
      g_autofree float *y = g_new (float, columns);

      memset (bytes, 0xff, n_bytes);
      tare_format_decode (format, bytes, 1, columns, y);
      memset (bytes, 0, n_bytes);
      tare_format_decode (format, bytes, 1, columns, y);
      for (gsize j = 0; j < columns; j++)
        g_assert_true (y[j] == 0.0f);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/format/decode/golden", test_golden);
  g_test_add_func ("/format/decode/nvfp4", test_nvfp4);
  g_test_add_func ("/format/decode/nvfp4-short", test_nvfp4_short);
  g_test_add_func ("/format/decode/naive-blocks", test_naive_blocks);
  g_test_add_func ("/format/decode/naive-integers", test_naive_integers);
  g_test_add_func ("/format/decode/reference", test_reference);
  g_test_add_func ("/format/decode/any-bytes", test_any_bytes);

  return g_test_run ();
}
