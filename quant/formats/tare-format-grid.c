/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/formats/tare-search-private.h"

/* Rows of codes that stand for fixed levels, with a scale for every group.
 *
 * A row of n weights of b bits in G groups is, with no padding but to whole bytes,
 *
 *   codes:  ceil (n b / 8) bytes; code i occupies the bits from i b on, bit 0 the lowest of byte 0
 *   scales: G IEEE binary16; or one binary32 where the whole row is a group, since the quotient by
 *           a level as large as 57344 is below what binary16 holds with its full precision; or G
 *           bytes E8M0, 2^(byte - 127), for blocks that share a power of two
 *
 * and the last group may be short. A weight is level times scale. A row that a stranger wrote may
 * decode to NaN or infinity: the byte 0xff of E8M0 stands for NaN, an 8-bit minifloat has codes for
 * either, and a scale may be anything. */

#define PIECE TARE_SEARCH_PIECE
#define LANES TARE_SEARCH_LANES

/* Candidates of the search, as factors of the plain scale: that scale; those that put the largest
 * weight on another of the upper levels; and a constant ratio from wide to narrow, which is less
 * close where much would be clipped: only rows with outliers come to it. */
#define N_ALIGNED 16
#define N_DENSE 64
#define N_CANDIDATES 96
#define WIDEST 2.1f
#define DENSE_RATIO 0.976f
#define RATIO 0.92f

/* Around the best of them, by this share of it. */
#define NEAR 0.003f

/* Rounds of closed-form refit and rounding anew. */
#define N_REFITS 6

/* Below it a reciprocal is infinite. */
#define SINGLE_LEAST FLT_MIN

/* E8M0. */
#define POWER_BIAS 127
#define POWER_MOST 254

static const TareGrid *
get_grid (const TareFormat *self)
{
  return (const TareGrid *) self->klass;
}

static gsize
group_length (const TareFormat *self,
              gsize             columns)
{
  return self->group != 0 ? self->group : columns;
}

static gsize
count_groups (const TareFormat *self,
              gsize             columns)
{
  return columns == 0 ? 0 : (columns - 1) / group_length (self, columns) + 1;
}

static gsize
packed_bytes (gsize n,
              guint bits)
{
  return n / 8 * bits + (n % 8 * bits + 7) / 8;
}

static gsize
scale_bytes (const TareFormat *self)
{
  if (get_grid (self)->powers)
    return 1;

  return self->group != 0 ? sizeof (guint16) : sizeof (float);
}

gsize
_tare_grid_get_row_bytes (const TareFormat *self,
                          gsize             columns)
{
  return packed_bytes (columns, self->bits) + count_groups (self, columns) * scale_bytes (self);
}

/* --- codes --- */

/* Eight codes in the low bytes of a word each, and next to each other: by halves. */
TARE_INLINE guint64
spread (guint64 word,
        guint   bits)
{
  guint64 four = (1ull << 4 * bits) - 1;
  guint64 two = ((1ull << 2 * bits) - 1) * 0x0000000100000001ull;
  guint64 one = ((1ull << bits) - 1) * 0x0001000100010001ull;

  word = (word & four) | (word & four << 4 * bits) << (32 - 4 * bits);
  word = (word & two) | (word & two << 2 * bits) << (16 - 2 * bits);

  return (word & one) | (word & one << bits) << (8 - bits);
}

TARE_INLINE guint64
gather (guint64 word,
        guint   bits)
{
  guint64 four = (1ull << 4 * bits) - 1;
  guint64 two = ((1ull << 2 * bits) - 1) * 0x0000000100000001ull;
  guint64 one = ((1ull << bits) - 1) * 0x0001000100010001ull;

  word = (word & one) | ((word >> (8 - bits)) & one << bits);
  word = (word & two) | ((word >> (16 - 2 * bits)) & two << 2 * bits);

  return (word & four) | ((word >> (32 - 4 * bits)) & four << 4 * bits);
}

TARE_INLINE guint64
load_bytes (const guint8 *bytes,
            guint         n)
{
  guint64 word = 0;

  for (guint k = 0; k < n; k++)
    word |= (guint64) bytes[k] << 8 * k;

  return word;
}

TARE_INLINE void
store_bytes (guint8  *bytes,
             guint64  word,
             guint    n)
{
  for (guint k = 0; k < n; k++)
    bytes[k] = (guint8) (word >> 8 * k);
}

TARE_INLINE void
unpack_bits (const guint8 *packed,
             gsize         n,
             guint         bits,
             guint8       *codes)
{
  gsize whole = n & ~(gsize) 7;

  for (gsize j = 0; j < whole; j += 8)
    store_bytes (codes + j, spread (load_bytes (packed + j / 8 * bits, bits), bits), 8);

  if (whole < n)
    store_bytes (codes + whole,
                 spread (load_bytes (packed + whole / 8 * bits,
                                     (guint) packed_bytes (n - whole, bits)), bits),
                 (guint) (n - whole));
}

TARE_INLINE void
pack_bits (const guint8 *codes,
           gsize         n,
           guint         bits,
           guint8       *packed)
{
  gsize whole = n & ~(gsize) 7;

  for (gsize j = 0; j < whole; j += 8)
    store_bytes (packed + j / 8 * bits, gather (load_bytes (codes + j, 8), bits), bits);

  if (whole < n)
    store_bytes (packed + whole / 8 * bits,
                 gather (load_bytes (codes + whole, (guint) (n - whole)), bits),
                 (guint) packed_bytes (n - whole, bits));
}

/* One kernel for every width, so that all shifts are constants. */
#define PACKING(bits)                                     \
  TARE_CLONES static void                                 \
  unpack_##bits (const guint8 *restrict packed,           \
                 gsize                  n,                \
                 guint8       *restrict codes)            \
  {                                                       \
    unpack_bits (packed, n, bits, codes);                 \
  }                                                       \
                                                          \
  TARE_CLONES static void                                 \
  pack_##bits (const guint8 *restrict codes,              \
               gsize                  n,                  \
               guint8       *restrict packed)             \
  {                                                       \
    pack_bits (codes, n, bits, packed);                   \
  }

PACKING (3)
PACKING (4)
PACKING (5)
PACKING (6)

static void
copy_codes (const guint8 *restrict in,
            gsize                  n,
            guint8       *restrict out)
{
  memcpy (out, in, n);
}

static void (*const unpackers[]) (const guint8 *restrict, gsize, guint8 *restrict) = {
  [3] = unpack_3, [4] = unpack_4, [5] = unpack_5, [6] = unpack_6, [8] = copy_codes,
};

static void (*const packers[]) (const guint8 *restrict, gsize, guint8 *restrict) = {
  [3] = pack_3, [4] = pack_4, [5] = pack_5, [6] = pack_6, [8] = copy_codes,
};

/* --- scales --- */

/* Returns: 2^(byte - 127), of which the least is subnormal; NaN for the last byte */
float
_tare_power_load (guint8 byte)
{
  if (byte == 0)
    return 0x1p-127f;

  return byte > POWER_MOST ? NAN : tare_float_from_bits ((guint32) byte << 23);
}

/* Returns: whether the byte stands for that very scale */
gboolean
_tare_power_store (float   scale,
                   guint8 *byte)
{
  *byte = isnan (scale) ? POWER_MOST + 1 : (guint8) (tare_float_to_bits (scale) >> 23);

  return isnan (scale) || (scale > 0.0f && _tare_power_load (*byte) == scale);
}

static float
load_scale (const TareFormat *self,
            const guint8     *bytes)
{
  if (get_grid (self)->powers)
    return _tare_power_load (bytes[0]);

  if (self->group != 0)
    return load_half (bytes);

  return tare_float_from_bits ((guint32) load_bytes (bytes, 4));
}

static void
store_scale (const TareFormat *self,
             float             scale,
             guint8           *bytes)
{
  if (get_grid (self)->powers)
    _tare_power_store (scale, bytes);
  else if (self->group != 0)
    store_half (bytes, scale);
  else
    store_bytes (bytes, tare_float_to_bits (scale), 4);
}

/* 16 bits of precision: products with all levels of a minifloat are exact, so that a row's scale is
 * found again in what it decodes to; and the largest level does not become infinite. */
static float
round_single (float scale,
              float largest)
{
  guint32 bits = tare_float_to_bits (scale);
  guint32 most = tare_float_to_bits (FLT_MAX / largest) & 0xffffff00;
  guint32 least = tare_float_to_bits (SINGLE_LEAST);

  if (bits == 0)
    return 0.0f;

  bits = (bits + 0x7f + ((bits >> 8) & 1)) & 0xffffff00;

  return tare_float_from_bits (CLAMP (bits, least, most));
}

/* In powers of two from 2^-127 to 2^127. */
static float
get_power (int exponent)
{
  return exponent <= -POWER_BIAS
         ? 0x1p-127f : tare_float_from_bits ((guint32) (MIN (exponent, 127) + POWER_BIAS) << 23);
}

static int
get_exponent (float magnitude)
{
  return (int) (tare_float_to_bits (magnitude) >> 23) - POWER_BIAS;
}

/* The nearest scale that can be stored, of those that are not powers. */
static float
store_as (const TareFormat *self,
          float             scale)
{
  return self->group != 0 ? round_scale (scale) : round_single (scale, get_grid (self)->largest);
}

/* A subnormal scale may be so coarse that a group's end, though its scale follows from it, is not
 * nearest to the largest level: then the next scale clips it a little, and both are kept. */
static float
lower_scale (const TareGrid *grid,
             float           largest,
             float           scale)
{
  guint8 code;
  float level;

  grid->klass->encode (grid, &largest, 1, scale, &code);
  grid->klass->decode (grid, &code, 1, 1.0f, &level);

  return level < grid->largest ? scale - TARE_HALF_MIN : scale;
}

/* The plain scale: from end to end, or for powers the rule of the specification. */
static float
span (const TareFormat *self,
      float             minimum,
      float             maximum)
{
  const TareGrid *grid = get_grid (self);
  float largest = MAX (-minimum, maximum);
  float scale;

  largest = MAX (largest, 0.0f);
  if (grid->powers)
    return get_power (get_exponent (largest) - get_exponent (grid->largest));

  scale = store_as (self, largest / grid->largest);
  if (self->group != 0 && scale > TARE_HALF_MIN && scale < 0x1p-14f)
    scale = lower_scale (grid, largest, scale);

  return scale;
}

/* --- the search --- */

static void
list_factors (const TareGrid *grid,
              float          *factors)
{
  float level = grid->largest;
  guint8 codes[256];
  float levels[256];
  gsize n = (gsize) 1 << grid->bits;

  for (gsize k = 0; k < n; k++)
    codes[k] = (guint8) k;
  grid->klass->decode (grid, codes, n, 1.0f, levels);

  factors[0] = 1.0f;
  for (gsize c = 1; c < N_ALIGNED; c++)
    {
      float next = 0.0f;

      for (gsize k = 0; k < n; k++)
        next = fabsf (levels[k]) < level && fabsf (levels[k]) > next ? fabsf (levels[k]) : next;

      level = next > 0.4f * grid->largest ? next : level;
      factors[c] = grid->largest / level;
    }

  factors[N_ALIGNED] = WIDEST;
  for (gsize c = N_ALIGNED + 1; c < N_CANDIDATES; c++)
    factors[c] = factors[c - 1] * (c < N_DENSE ? DENSE_RATIO : RATIO);
}

static void
measure (const TareGrid *grid,
         const float    *x,
         const float    *w,
         gsize           n,
         gsize           m,
         const float    *scale,
         float          *error)
{
  double total[N_CANDIDATES] = { 0.0 };

  for (gsize begin = 0; begin < n; begin += PIECE)
    {
      grid->klass->measure (grid, x + begin, w + begin, MIN (PIECE, n - begin), m, scale, error);
      for (gsize c = 0; c < m; c++)
        total[c] += (double) error[c];
    }

  for (gsize c = 0; c < m; c++)
    error[c] = (float) total[c];
}

/* Least squares for the scale with all codes as they are. */
static float
refit (const TareFormat *self,
       const float      *x,
       const float      *w,
       gsize             n,
       float             scale)
{
  const TareGrid *grid = get_grid (self);
  double xq = 0.0, qq = 0.0;

  for (gsize begin = 0; begin < n; begin += PIECE)
    {
      gsize length = MIN (PIECE, n - begin);
      guint8 codes[PIECE];
      float q[PIECE];
      TareSearchSums sums;

      grid->klass->encode (grid, x + begin, length, scale, codes);
      grid->klass->decode (grid, codes, length, 1.0f, q);
      sums = _tare_search_sum (x + begin, w + begin, q, length);
      xq += sums.xq;
      qq += sums.qq;
    }

  return qq > 0.0 && xq > 0.0 ? store_as (self, (float) (xq / qq)) : scale;
}

/* Of a block's power its neighbours downwards, which clip, and upwards, which clip less. */
static float
search_power (const TareGrid *grid,
              const float    *x,
              const float    *w,
              gsize           n,
              float           plain)
{
  float scale[LANES], error[LANES];
  int exponent = get_exponent (plain);

  scale[0] = plain;
  scale[1] = get_power (exponent + 1);
  for (int c = 2; c < LANES; c++)
    scale[c] = get_power (exponent + 1 - c);

  measure (grid, x, w, n, LANES, scale, error);

  return scale[_tare_search_find_least (error, LANES)];
}

/* Of equal candidates the first is taken: the plain one. */
static float
search_scale (const TareFormat *self,
              const float      *factors,
              const float      *x,
              const float      *w,
              gsize             n,
              float             largest,
              float             plain)
{
  const TareGrid *grid = get_grid (self);
  float scale[N_CANDIDATES], error[N_CANDIDATES];
  float best = plain, least = INFINITY;
  gsize m = N_CANDIDATES;

  if (largest < TARE_SEARCH_SMALLEST || largest > TARE_SEARCH_LARGEST)
    return plain;
  if (grid->powers)
    return search_power (grid, x, w, n, plain);

  scale[0] = plain;
  for (gsize c = 1; c < N_CANDIDATES; c++)
    scale[c] = store_as (self, largest / grid->largest * factors[c]);

  for (int i = 0; i <= N_REFITS; i++)
    {
      gsize winner;

      measure (grid, x, w, n, m, scale, error);
      winner = _tare_search_find_least (error, m);
      if (error[winner] >= least)
        break;

      least = error[winner];
      best = scale[winner];
      m = LANES;
      scale[0] = refit (self, x, w, n, best);
      for (int c = 1; c < LANES; c++)
        scale[c] = store_as (self, best * (1.0f + NEAR * (float) (c - LANES / 2)));
    }

  return best;
}

/* --- rows --- */

static void
encode_group (const TareFormat *self,
              const float      *x,
              gsize             n,
              float             scale,
              guint8           *packed)
{
  const TareGrid *grid = get_grid (self);
  guint8 codes[PIECE];

  for (gsize begin = 0; begin < n; begin += PIECE)
    {
      gsize length = MIN (PIECE, n - begin);

      grid->klass->encode (grid, x + begin, length, scale, codes);
      packers[self->bits] (codes, length, packed + begin / 8 * self->bits);
    }
}

void
_tare_grid_encode_row (const TareFormat *self,
                       gboolean          search,
                       const float      *x,
                       const float      *weights,
                       gsize             columns,
                       guint8           *codes)
{
  gsize length = group_length (self, columns);
  gsize n_groups = count_groups (self, columns);
  guint8 *scales = codes + packed_bytes (columns, self->bits);
  float factors[N_CANDIDATES];

  if (search)
    list_factors (get_grid (self), factors);

  for (gsize g = 0; g < n_groups; g++)
    {
      gsize begin = g * length;
      gsize n = MIN (length, columns - begin);
      float minimum, maximum, scale;

      _tare_search_range (x + begin, n, &minimum, &maximum);
      scale = span (self, minimum, maximum);
      if (search)
        scale = search_scale (self, factors, x + begin, weights + begin, n,
                              MAX (-minimum, maximum), scale);

      encode_group (self, x + begin, n, scale, codes + begin / 8 * self->bits);
      store_scale (self, scale, scales + g * scale_bytes (self));
    }
}

void
_tare_grid_decode_row (const TareFormat *self,
                       const guint8     *codes,
                       gsize             columns,
                       float            *y)
{
  const TareGrid *grid = get_grid (self);
  const guint8 *scales = codes + packed_bytes (columns, self->bits);
  gsize length = group_length (self, columns);
  guint8 unpacked[PIECE];

  for (gsize begin = 0; begin < columns; begin += PIECE)
    {
      gsize end = MIN (begin + PIECE, columns);

      unpackers[self->bits] (codes + begin / 8 * self->bits, end - begin, unpacked);
      for (gsize j = begin; j < end; j += MIN (length, PIECE))
        {
          float scale = load_scale (self, scales + j / length * scale_bytes (self));

          grid->klass->decode (grid, unpacked + (j - begin), MIN (MIN (length, PIECE), end - j),
                               scale, y + j);
        }
    }
}

gsize
_tare_grid_get_levels (const TareFormat *self,
                       float             minimum,
                       float             maximum,
                       float            *levels)
{
  const TareGrid *grid = get_grid (self);
  float scale = MAX (-minimum, maximum) > 0.0f ? span (self, minimum, maximum) : 0.0f;
  guint8 codes[256];
  gsize n = (gsize) 1 << self->bits, n_used = 0;

  for (gsize k = 0; k < n; k++)
    codes[k] = (guint8) k;

  /* Codes that stand for no number, or are not written, are no levels. */
  grid->klass->decode (grid, codes, n, 1.0f, levels);
  for (gsize k = 0; k < n; k++)
    if (fabsf (levels[k]) <= grid->largest)
      levels[n_used++] = levels[k] * scale;

  return n_used;
}

void
_tare_grid_take_apart (const TareFormat *self,
                       const guint8     *codes,
                       TareParts        *parts)
{
  gsize columns = parts->columns;
  gsize row_bytes = _tare_grid_get_row_bytes (self, columns);
  g_autofree guint8 *unpacked = g_malloc (MAX (columns, 1));

  for (gsize i = 0; i < parts->rows; i++)
    {
      const guint8 *row = codes + i * row_bytes;
      const guint8 *scales = row + packed_bytes (columns, self->bits);

      unpackers[self->bits] (row, columns, unpacked);
      for (gsize j = 0; j < columns; j++)
        parts->codes[i * columns + j] = get_grid (self)->signed_codes ? (gint8) unpacked[j]
                                                                      : unpacked[j];
      for (gsize g = 0; g < parts->n_groups; g++)
        parts->scales[i * parts->n_groups + g] = load_scale (self, scales + g * scale_bytes (self));
    }
}

static gboolean
put_scales (const TareFormat  *self,
            const TareParts   *parts,
            gsize              row,
            guint8            *bytes,
            GError           **error)
{
  for (gsize g = 0; g < parts->n_groups; g++)
    {
      gsize index = row * parts->n_groups + g;
      guint8 *place = bytes + g * scale_bytes (self);

      store_scale (self, parts->scales[index], place);
      if (load_scale (self, place) != parts->scales[index]
          && !(isnan (parts->scales[index]) && isnan (load_scale (self, place))))
        return _tare_parts_fail_scale (self, parts, index, error);
    }

  return TRUE;
}

gboolean
_tare_grid_put_together (const TareFormat  *self,
                         const TareParts   *parts,
                         guint8            *codes,
                         GError           **error)
{
  gsize columns = parts->columns;
  gsize row_bytes = _tare_grid_get_row_bytes (self, columns);
  int least = get_grid (self)->signed_codes ? -(1 << (self->bits - 1)) : 0;
  g_autofree guint8 *unpacked = g_malloc (MAX (columns, 1));

  for (gsize i = 0; i < parts->rows; i++)
    {
      guint8 *row = codes + i * row_bytes;

      for (gsize j = 0; j < columns; j++)
        {
          int code = parts->codes[i * columns + j];

          if (code < least || code >= least + (1 << self->bits))
            return _tare_parts_fail_code (self, parts, i * columns + j, error);
          unpacked[j] = (guint8) code;
        }

      packers[self->bits] (unpacked, columns, row);
      if (!put_scales (self, parts, i, row + packed_bytes (columns, self->bits), error))
        return FALSE;
    }

  return TRUE;
}
