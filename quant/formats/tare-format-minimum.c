/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-integer-private.h"

#include "quant/formats/tare-pack-private.h"

/* Integers of 2 to 8 bits with a scale and a minimum for every group of a row.
 *
 * A row of n weights of b bits in G groups is, with no padding but to whole bytes,
 *
 *   codes:  ceil (n b / 8) bytes, see tare-pack.c
 *   scales: G times a scale and a minimum, IEEE binary16
 *
 * and the last group may be short. A weight is code scale + minimum. */

TARE_CLONES static void
decode_minimums (const guint8  *codes,
                 gsize          n_groups,
                 gsize          length,
                 const Groups  *grids,
                 float         *y)
{
  decode_lengths (codes, n_groups, length, grids, TRUE, y);
}

TARE_CLONES static void
encode_minimums (const float *x,
                 gsize        n,
                 gsize        length,
                 const float *scales,
                 const float *minimums,
                 float        highest,
                 guint8      *codes)
{
  encode_lengths (x, n, length, scales, minimums, TRUE, highest, codes);
}

static gsize
get_minimum_row_bytes (const TareFormat *self,
                       gsize             columns)
{
  return _tare_packed_bytes (columns, self->bits)
         + count_groups (self, columns) * 2 * sizeof (guint16);
}

/* From end to end, without zero where no weight is there; a minimum that is rounded towards zero is
 * made up for by the scale. */
static void
span_minimum (const TareFormat *self,
              float             low,
              float             high,
              float            *scale,
              float            *minimum)
{
  *minimum = round_offset (low);
  *scale = round_scale (MAX (high - *minimum, 0.0f) / get_highest (self));
}

static void
encode_minimum_row (const TareFormat *self,
                    gboolean          search,
                    const float      *x,
                    const float      *weights,
                    gsize             columns,
                    guint8           *codes)
{
  gsize length = group_length (self, columns);
  guint8 *sides = codes + _tare_packed_bytes (columns, self->bits);

  for (gsize begin = 0; begin < columns; begin += PIECE)
    {
      gsize n = MIN (PIECE, columns - begin);
      float low[PIECE], high[PIECE], scales[PIECE], minimums[PIECE];
      guint8 piece[PIECE];

      _tare_search_ranges (x + begin, n, length, low, high);
      for (gsize g = 0; g * length < n; g++)
        {
          gsize j = begin + g * length;

          span_minimum (self, low[g], high[g], scales + g, minimums + g);
          if (search)
            _tare_search_affine (x + j, weights + j, MIN (length, columns - j), get_highest (self),
                                 scales + g, minimums + g);
          store_half (sides + 4 * (j / length), scales[g]);
          store_half (sides + 4 * (j / length) + 2, minimums[g]);
        }

      encode_minimums (x + begin, n, length, scales, minimums, get_highest (self), piece);
      _tare_pack (piece, n, self->bits, codes + begin / 8 * self->bits);
    }
}

static void
decode_minimum_row (const TareFormat *self,
                    const guint8     *codes,
                    gsize             columns,
                    float            *y)
{
  gsize length = group_length (self, columns);
  const guint8 *sides = codes + _tare_packed_bytes (columns, self->bits);

  for (gsize begin = 0; begin < columns; begin += PIECE)
    {
      gsize n = MIN (PIECE, columns - begin);
      gsize step = MIN (length, n), whole = n / step;
      guint8 piece[PIECE];
      Groups grids;

      for (gsize g = 0; g * step < n; g++)
        {
          const guint8 *side = sides + 4 * (begin / length + g);

          grids.scale[g] = load_half (side);
          grids.minimum[g] = load_half (side + 2);
        }

      _tare_unpack (codes + begin / 8 * self->bits, n, self->bits, piece);
      decode_minimums (piece, whole, step, &grids, y + begin);
      if (whole * step < n)
        {
          grids.scale[0] = grids.scale[whole];
          grids.minimum[0] = grids.minimum[whole];
          decode_minimums (piece + whole * step, 1, n - whole * step, &grids,
                           y + begin + whole * step);
        }
    }
}

static gsize
get_minimum_levels (const TareFormat *self,
                    float             minimum,
                    float             maximum,
                    float            *levels)
{
  gsize n = (gsize) 1 << self->bits;
  float scale, offset;

  span_minimum (self, minimum, maximum, &scale, &offset);
  for (gsize code = 0; code < n; code++)
    levels[code] = (float) code * scale + offset;

  return n;
}

const TareFormatClass _tare_format_minimum_class = {
  .get_row_bytes = get_minimum_row_bytes,
  .get_levels = get_minimum_levels,
  .encode_row = encode_minimum_row,
  .decode_row = decode_minimum_row,
};
