/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <string.h>

#include "quant/formats/tare-lattice-private.h"

/* ggml's super-blocks of 256 weights whose vectors are points of a lattice. Of 8 groups b of 32
 * weights, with vectors g = 0..3 of 8:
 *
 *   iq2_xxs: d f16, 8 x { index[4], u32: four signs of 7 bits, scale of 4 }
 *   iq2_xs:  d f16, u16[32]: index of 9 bits, signs of 7; scales[8]
 *   iq2_s:   d f16, index[32], signs[32], high[8]: two bits a vector; scales[8]
 *   iq3_xxs: d f16, index[64], u32[8] as in iq2_xxs
 *   iq3_s:   d f16, index[64], high[8]: a bit a point; signs[32], scales[4]
 *   iq1_s:   d f16, index[32], u16[8]: four times three high bits, scale of 3, shift
 *   iq1_m:   index[32], high[16]: three high bits and a shift a vector; u16[4]: four times a scale
 *            of 3 bits, four bits of d
 *
 * Seven bits stand for eight signs of which an even number is negative. */

#define SUPER TARE_LATTICE_SUPER
#define GROUP 32
#define WIDTH 8
#define SHIFT TARE_LATTICE_SHIFT

static const TareLatticeShape iq2_xxs = {
  TARE_LATTICE_IQ2_XXS, 32, 16, 0.125f, TRUE, 0, { 0.4f, 1.25f },
};

static const TareLatticeShape iq2_xs = {
  TARE_LATTICE_IQ2_XS, 16, 16, 0.125f, TRUE, 0, { 0.45f, 1.25f },
};

static const TareLatticeShape iq2_s = {
  TARE_LATTICE_IQ2_S, 16, 16, 0.125f, FALSE, 0, { 0.45f, 1.25f },
};

static const TareLatticeShape iq3_xxs = {
  TARE_LATTICE_IQ3_XXS, 32, 16, 0.25f, TRUE, 0, { 0.6f, 1.2f },
};

static const TareLatticeShape iq3_s = {
  TARE_LATTICE_IQ3_S, 32, 16, 1.0f, FALSE, 0, { 0.6f, 1.2f },
};

static const TareLatticeShape iq1_s = {
  TARE_LATTICE_IQ1, 32, 8, 1.0f, FALSE, 32, { 0.35f, 1.15f },
};

static const TareLatticeShape iq1_m = {
  TARE_LATTICE_IQ1, 16, 8, 1.0f, FALSE, 8, { 0.35f, 1.15f },
};

TARE_INLINE guint32
load_16 (const guint8 *bytes)
{
  return (guint32) bytes[0] | (guint32) bytes[1] << 8;
}

TARE_INLINE guint32
load_32 (const guint8 *bytes)
{
  return load_16 (bytes) | load_16 (bytes + 2) << 16;
}

static void
store_16 (guint8  *bytes,
          guint32  word)
{
  bytes[0] = word & 0xff;
  bytes[1] = (word >> 8) & 0xff;
}

static void
store_32 (guint8  *bytes,
          guint32  word)
{
  store_16 (bytes, word);
  store_16 (bytes + 2, word >> 16);
}

/* The eighth sign makes the number of negative ones even. */
TARE_INLINE guint
expand_signs (guint signs)
{
  guint parity = signs ^ signs >> 4;

  parity ^= parity >> 2;
  parity ^= parity >> 1;

  return signs | (parity & 1) << 7;
}

/* For each of eight signs, bits that make a float negative. */
typedef guint32 Signs[256][WIDTH];

static const Signs *
get_signs (void)
{
  static Signs signs;
  static gsize once = 0;

  if (g_once_init_enter (&once))
    {
      for (guint i = 0; i < G_N_ELEMENTS (signs); i++)
        for (guint k = 0; k < WIDTH; k++)
          signs[i][k] = (i >> k & 1) << 31;

      g_once_init_leave (&once, 1);
    }

  return (const Signs *) &signs;
}

/* first, second: four elements each */
TARE_INLINE void
decode_signed (const float   *restrict first,
               const float   *restrict second,
               const guint32 *restrict signs,
               float                   scale,
               float         *restrict y)
{
  #pragma omp simd
  for (gsize k = 0; k < WIDTH / 2; k++)
    y[k] = tare_float_from_bits (tare_float_to_bits (scale * first[k]) ^ signs[k]);

  #pragma omp simd
  for (gsize k = 0; k < WIDTH / 2; k++)
    y[k + 4] = tare_float_from_bits (tare_float_to_bits (scale * second[k]) ^ signs[k + 4]);
}

/* A point of eight elements. */
TARE_INLINE void
decode_point (const float   *restrict point,
              const guint32 *restrict signs,
              float                   scale,
              float         *restrict y)
{
  #pragma omp simd
  for (gsize k = 0; k < WIDTH; k++)
    y[k] = tare_float_from_bits (tare_float_to_bits (scale * point[k]) ^ signs[k]);
}

TARE_INLINE void
decode_shifted (const gint8 *restrict point,
                float                 shift,
                float                 scale,
                float       *restrict y)
{
  #pragma omp simd
  for (gsize k = 0; k < WIDTH; k++)
    y[k] = scale * ((float) point[k] + shift);
}

TARE_CLONES static void
decode_iq2_xxs (const TareFormat *self,
                const guint8     *codes,
                gsize             columns,
                float            *y)
{
  const float *points = _tare_lattice_get (TARE_LATTICE_IQ2_XXS)->floats;
  const Signs *signs = get_signs ();

  for (gsize i = 0; i < columns / SUPER; i++, codes += 66)
    {
      float d = load_half (codes);

      for (gsize b = 0; b < 8; b++, y += GROUP)
        {
          const guint8 *index = codes + 2 + 8 * b;
          guint32 word = load_32 (index + 4);
          float scale = d * (0.5f + (float) (word >> 28)) * 0.25f;

          for (gsize g = 0; g < 4; g++)
            {
              const float *point = points + WIDTH * (gsize) index[g];

              decode_point (point, (*signs)[expand_signs ((word >> 7 * g) & 127)], scale,
                            y + WIDTH * g);
            }
        }
    }
}

TARE_CLONES static void
decode_iq2_xs (const TareFormat *self,
               const guint8     *codes,
               gsize             columns,
               float            *y)
{
  const float *points = _tare_lattice_get (TARE_LATTICE_IQ2_XS)->floats;
  const Signs *signs = get_signs ();

  for (gsize i = 0; i < columns / SUPER; i++, codes += 74)
    {
      float d = load_half (codes);

      for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++, y += WIDTH)
        {
          guint32 word = load_16 (codes + 2 + 2 * v);
          guint code = (codes[66 + v / 4] >> (v % 4 < 2 ? 0 : 4)) & 15;
          const float *point = points + WIDTH * (word & 511);

          decode_point (point, (*signs)[expand_signs (word >> 9)],
                        d * (0.5f + (float) code) * 0.25f, y);
        }
    }
}

TARE_CLONES static void
decode_iq2_s (const TareFormat *self,
              const guint8     *codes,
              gsize             columns,
              float            *y)
{
  const float *points = _tare_lattice_get (TARE_LATTICE_IQ2_S)->floats;
  const Signs *signs = get_signs ();

  for (gsize i = 0; i < columns / SUPER; i++, codes += 82)
    {
      float d = load_half (codes);

      for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++, y += WIDTH)
        {
          guint high = (codes[66 + v / 4] >> 2 * (v % 4)) & 3;
          guint code = (codes[74 + v / 4] >> (v % 4 < 2 ? 0 : 4)) & 15;
          const float *point = points + WIDTH * (codes[2 + v] | high << 8);

          decode_point (point, (*signs)[codes[34 + v]], d * (0.5f + (float) code) * 0.25f, y);
        }
    }
}

TARE_CLONES static void
decode_iq3_xxs (const TareFormat *self,
                const guint8     *codes,
                gsize             columns,
                float            *y)
{
  const float *points = _tare_lattice_get (TARE_LATTICE_IQ3_XXS)->floats;
  const Signs *signs = get_signs ();

  for (gsize i = 0; i < columns / SUPER; i++, codes += 98)
    {
      float d = load_half (codes);

      for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++, y += WIDTH)
        {
          const guint8 *index = codes + 2 + 2 * v;
          guint32 word = load_32 (codes + 66 + v / 4 * 4);

          decode_signed (points + 4 * (gsize) index[0], points + 4 * (gsize) index[1],
                         (*signs)[expand_signs ((word >> 7 * (v % 4)) & 127)],
                         d * (0.5f + (float) (word >> 28)) * 0.5f, y);
        }
    }
}

TARE_CLONES static void
decode_iq3_s (const TareFormat *self,
              const guint8     *codes,
              gsize             columns,
              float            *y)
{
  const float *points = _tare_lattice_get (TARE_LATTICE_IQ3_S)->floats;
  const Signs *signs = get_signs ();

  for (gsize i = 0; i < columns / SUPER; i++, codes += 110)
    {
      float d = load_half (codes);

      for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++, y += WIDTH)
        {
          const guint8 *index = codes + 2 + 2 * v;
          guint high = codes[66 + v / 4] >> 2 * (v % 4);
          guint code = (codes[106 + v / 8] >> (v / 4 % 2 * 4)) & 15;

          decode_signed (points + 4 * (index[0] | (high & 1) << 8),
                         points + 4 * (index[1] | (high & 2) << 7), (*signs)[codes[74 + v]],
                         d * (float) (1 + 2 * code), y);
        }
    }
}

TARE_CLONES static void
decode_iq1_s (const TareFormat *self,
              const guint8     *codes,
              gsize             columns,
              float            *y)
{
  const gint8 *points = _tare_lattice_get (TARE_LATTICE_IQ1)->points;

  for (gsize i = 0; i < columns / SUPER; i++, codes += 50)
    {
      float d = load_half (codes);

      for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++, y += WIDTH)
        {
          guint32 word = load_16 (codes + 34 + v / 4 * 2);
          gsize index = codes[2 + v] | ((word >> 3 * (v % 4)) & 7) << 8;

          decode_shifted (points + WIDTH * index, word & 0x8000 ? -SHIFT : SHIFT,
                          d * (float) (2 * ((word >> 12) & 7) + 1), y);
        }
    }
}

/* The four bits of d in each of the four words. */
TARE_INLINE float
load_scattered (const guint8 *words)
{
  guint half = 0;

  for (gsize k = 0; k < 4; k++)
    half |= (guint) (words[2 * k + 1] >> 4) << 4 * k;

  return tare_half_to_float ((guint16) half);
}

TARE_CLONES static void
decode_iq1_m (const TareFormat *self,
              const guint8     *codes,
              gsize             columns,
              float            *y)
{
  const gint8 *points = _tare_lattice_get (TARE_LATTICE_IQ1)->points;

  for (gsize i = 0; i < columns / SUPER; i++, codes += 56)
    {
      float d = load_scattered (codes + 48);

      for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++, y += WIDTH)
        {
          gsize group = v / 2;
          guint code = (load_16 (codes + 48 + group / 4 * 2) >> 3 * (group % 4)) & 7;
          guint high = (codes[32 + v / 2] >> (v % 2 * 4)) & 15;
          gsize index = codes[v] | (high & 7) << 8;

          decode_shifted (points + WIDTH * index, high & 8 ? -SHIFT : SHIFT,
                          d * (float) (2 * code + 1), y);
        }
    }
}

/* Four signs of seven bits each, and the scale above. */
static guint32
join_signs (const TareLatticeCode *code,
            gsize                  b)
{
  guint32 word = (guint32) code->scale[b] << 28;

  for (gsize g = 0; g < 4; g++)
    word |= (guint32) (code->negative[4 * b + g] & 127) << 7 * g;

  return word;
}

static void
pack_iq2_xxs (const TareLatticeCode *code,
              guint8                *codes)
{
  store_half (codes, code->d);
  for (gsize b = 0; b < 8; b++)
    {
      for (gsize g = 0; g < 4; g++)
        codes[2 + 8 * b + g] = (guint8) code->point[4 * b + g][0];
      store_32 (codes + 2 + 8 * b + 4, join_signs (code, b));
    }
}

static void
pack_iq2_xs (const TareLatticeCode *code,
             guint8                *codes)
{
  store_half (codes, code->d);
  for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++)
    store_16 (codes + 2 + 2 * v,
              (guint32) code->point[v][0] | (guint32) (code->negative[v] & 127) << 9);
  for (gsize b = 0; b < 8; b++)
    codes[66 + b] = (guint8) (code->scale[2 * b] | code->scale[2 * b + 1] << 4);
}

static void
pack_iq2_s (const TareLatticeCode *code,
            guint8                *codes)
{
  store_half (codes, code->d);
  memset (codes + 66, 0, 8);
  for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++)
    {
      codes[2 + v] = code->point[v][0] & 0xff;
      codes[34 + v] = code->negative[v];
      codes[66 + v / 4] |= (guint8) (code->point[v][0] >> 8 << 2 * (v % 4));
    }
  for (gsize b = 0; b < 8; b++)
    codes[74 + b] = (guint8) (code->scale[2 * b] | code->scale[2 * b + 1] << 4);
}

static void
pack_iq3_xxs (const TareLatticeCode *code,
              guint8                *codes)
{
  store_half (codes, code->d);
  for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++)
    {
      codes[2 + 2 * v] = (guint8) code->point[v][0];
      codes[3 + 2 * v] = (guint8) code->point[v][1];
    }
  for (gsize b = 0; b < 8; b++)
    store_32 (codes + 66 + 4 * b, join_signs (code, b));
}

static void
pack_iq3_s (const TareLatticeCode *code,
            guint8                *codes)
{
  store_half (codes, code->d);
  memset (codes + 66, 0, 8);
  for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++)
    {
      guint high = (guint) (code->point[v][0] >> 8) | (guint) (code->point[v][1] >> 8) << 1;

      codes[2 + 2 * v] = code->point[v][0] & 0xff;
      codes[3 + 2 * v] = code->point[v][1] & 0xff;
      codes[66 + v / 4] |= (guint8) (high << 2 * (v % 4));
      codes[74 + v] = code->negative[v];
    }
  for (gsize b = 0; b < 4; b++)
    codes[106 + b] = (guint8) (code->scale[2 * b] | code->scale[2 * b + 1] << 4);
}

static void
pack_iq1_s (const TareLatticeCode *code,
            guint8                *codes)
{
  store_half (codes, code->d);
  for (gsize b = 0; b < 8; b++)
    {
      guint32 word = (guint32) code->scale[b] << 12 | (code->negative[4 * b] ? 0x8000 : 0);

      for (gsize g = 0; g < 4; g++)
        {
          codes[2 + 4 * b + g] = code->point[4 * b + g][0] & 0xff;
          word |= (guint32) (code->point[4 * b + g][0] >> 8) << 3 * g;
        }
      store_16 (codes + 34 + 2 * b, word);
    }
}

static void
pack_iq1_m (const TareLatticeCode *code,
            guint8                *codes)
{
  guint16 half = tare_half_from_float (code->d);

  memset (codes + 32, 0, 16);
  for (gsize v = 0; v < TARE_LATTICE_VECTORS; v++)
    {
      guint high = (guint) (code->point[v][0] >> 8) | (code->negative[v] ? 8 : 0);

      codes[v] = code->point[v][0] & 0xff;
      codes[32 + v / 2] |= (guint8) (high << (v % 2 * 4));
    }

  for (gsize k = 0; k < 4; k++)
    {
      guint32 word = (guint32) ((half >> 4 * k) & 15) << 12;

      for (gsize g = 0; g < 4; g++)
        word |= (guint32) code->scale[4 * k + g] << 3 * g;
      store_16 (codes + 48 + 2 * k, word);
    }
}

static void
encode_supers (const TareFormat       *self,
               const TareLatticeShape *shape,
               gboolean                search,
               const float            *x,
               const float            *weights,
               gsize                   columns,
               void                  (*pack) (const TareLatticeCode *code,
                                              guint8                *codes),
               guint8                 *codes)
{
  for (gsize i = 0; i < columns; i += SUPER)
    {
      TareLatticeCode code;

      _tare_lattice_encode (shape, search, x + i, weights + i, &code);
      pack (&code, codes);
      codes += self->klass->block_bytes;
    }
}

static gsize
find_levels (const TareLatticeShape *shape,
             float                   minimum,
             float                   maximum,
             float                  *levels)
{
  const TareLattice *lattice = _tare_lattice_get (shape->kind);
  float d = _tare_lattice_span (shape, MAX (-minimum, maximum));
  float scale = d * shape->unit * (float) (2 * shape->n_scales - 1);
  gsize n = 0;

  for (gsize k = 0; k < lattice->n_magnitudes; k++)
    for (int sign = -1; sign <= 1; sign += 2)
      {
        float magnitude = (float) lattice->magnitudes[k];

        levels[n++] = shape->shift != 0 ? scale * (magnitude + (float) sign * SHIFT)
                                        : (float) sign * (scale * magnitude);
      }

  return n;
}

/* The functions of a class by its shape. */
#define DEFINE(id, bytes)                                                              \
  static void                                                                          \
  encode_##id (const TareFormat *self,                                                 \
               gboolean          search,                                               \
               const float      *x,                                                    \
               const float      *weights,                                              \
               gsize             columns,                                              \
               guint8           *codes)                                                \
  {                                                                                    \
    encode_supers (self, &id, search, x, weights, columns, pack_##id, codes);          \
  }                                                                                    \
                                                                                       \
  static gsize                                                                         \
  get_##id##_levels (const TareFormat *self,                                           \
                     float             minimum,                                        \
                     float             maximum,                                        \
                     float            *levels)                                         \
  {                                                                                    \
    return find_levels (&id, minimum, maximum, levels);                                \
  }                                                                                    \
                                                                                       \
  const TareFormatClass _tare_format_##id##_class = {                                  \
    .block_bytes = bytes,                                                              \
    .encode_row = encode_##id,                                                         \
    .decode_row = decode_##id,                                                         \
    .get_levels = get_##id##_levels,                                                   \
  }

DEFINE (iq2_xxs, 66);
DEFINE (iq2_xs, 74);
DEFINE (iq2_s, 82);
DEFINE (iq3_xxs, 98);
DEFINE (iq3_s, 110);
DEFINE (iq1_s, 50);
DEFINE (iq1_m, 56);
