/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <math.h>

#include "quant/formats/tare-format-private.h"
#include "quant/formats/tare-search-private.h"

G_BEGIN_DECLS

/* What integers with a zero point and those with a minimum share: codes from 0 to highest, of
 * groups that are at most as long as what is coded at a time, or the whole row. */

#define PIECE TARE_SEARCH_PIECE

TARE_INLINE gsize
group_length (const TareFormat *self,
              gsize             columns)
{
  return self->group != 0 ? self->group : columns;
}

TARE_INLINE gsize
count_groups (const TareFormat *self,
              gsize             columns)
{
  return columns == 0 ? 0 : (columns - 1) / group_length (self, columns) + 1;
}

TARE_INLINE float
get_highest (const TareFormat *self)
{
  return (float) ((1u << self->bits) - 1);
}

/* The grids of a piece of a row: a weight is (code - zero) scale + minimum. */
typedef struct
{
  float scale[PIECE];
  float zero[PIECE];
  float minimum[PIECE];
} Groups;

/* With a constant length this becomes one kernel for each. */
TARE_INLINE void
decode_groups (const guint8 *restrict in,
               gsize                  n_groups,
               gsize                  length,
               const Groups          *grids,
               gboolean               minimum,
               float        *restrict out)
{
  for (gsize g = 0; g < n_groups; g++)
    {
      float scale = grids->scale[g], offset = minimum ? grids->minimum[g] : grids->zero[g];

      #pragma omp simd
      for (gsize j = 0; j < length; j++)
        out[g * length + j] = minimum ? (float) in[g * length + j] * scale + offset
                                      : ((float) in[g * length + j] - offset) * scale;
    }
}

TARE_INLINE void
decode_lengths (const guint8  *codes,
                gsize          n_groups,
                gsize          length,
                const Groups  *grids,
                gboolean       minimum,
                float         *y)
{
  if (length == 16)
    decode_groups (codes, n_groups, 16, grids, minimum, y);
  else if (length == 32)
    decode_groups (codes, n_groups, 32, grids, minimum, y);
  else
    decode_groups (codes, n_groups, length, grids, minimum, y);
}

/* With a constant length this becomes one kernel for each. */
TARE_INLINE void
encode_groups (const float *restrict in,
               gsize                 n_groups,
               gsize                 length,
               const float          *scales,
               const float          *offsets,
               gboolean              minimum,
               float                 highest,
               guint8      *restrict out)
{
  for (gsize g = 0; g < n_groups; g++)
    {
      float inverse = invert (scales[g]), zero = minimum ? 0.0f : offsets[g];
      float offset = minimum ? offsets[g] : 0.0f;

      #pragma omp simd
      for (gsize j = 0; j < length; j++)
        {
          float code = (in[g * length + j] - offset) * inverse;

          code = code < -zero ? -zero : code;
          code = code > highest - zero ? highest - zero : code;
          out[g * length + j] = (guint8) (gint32) (rintf (code) + zero);
        }
    }
}

TARE_INLINE void
encode_lengths (const float *x,
                gsize        n,
                gsize        length,
                const float *scales,
                const float *offsets,
                gboolean     minimum,
                float        highest,
                guint8      *codes)
{
  gsize whole = n / length, rest = n % length;

  if (length == 16)
    encode_groups (x, whole, 16, scales, offsets, minimum, highest, codes);
  else if (length == 32)
    encode_groups (x, whole, 32, scales, offsets, minimum, highest, codes);
  else
    encode_groups (x, whole, length, scales, offsets, minimum, highest, codes);
  encode_groups (x + n - rest, rest > 0 ? 1 : 0, rest, scales + whole, offsets + whole, minimum,
                 highest, codes + n - rest);
}

G_END_DECLS
