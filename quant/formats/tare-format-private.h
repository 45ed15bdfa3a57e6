/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format.h"
#include "quant/formats/tare-half.h"
#include "quant/tare-simd.h"

G_BEGIN_DECLS

/**
 * TareFormatClass:
 * @block_bytes: of one block, where rows are made of blocks
 * @get_row_bytes: (nullable): where they are not
 * @encode_row: finite numbers into codes; @weights has one for each column, none is zero; @search
 *   asks for the scale of least weighted squared error, else the range reaches from end to end
 * @decode_row: and back
 * @get_levels: (nullable): the levels of one group in any order, perhaps repeated; none for a float
 *
 * How a format stores one row of weights. Rows know nothing of each other.
 */
struct _TareFormatClass
{
  gsize block_bytes;
  gsize (*get_row_bytes) (const TareFormat *self,
                          gsize             columns);
  void  (*encode_row)    (const TareFormat *self,
                          gboolean          search,
                          const float      *x,
                          const float      *weights,
                          gsize             columns,
                          guint8           *codes);
  void  (*decode_row)    (const TareFormat *self,
                          const guint8     *codes,
                          gsize             columns,
                          float            *y);
  gsize (*get_levels)    (const TareFormat *self,
                          float             minimum,
                          float             maximum,
                          float            *levels);
};

extern const TareFormatClass _tare_format_f32_class;
extern const TareFormatClass _tare_format_f16_class;
extern const TareFormatClass _tare_format_bf16_class;
extern const TareFormatClass _tare_format_q4_0_class;
extern const TareFormatClass _tare_format_q4_1_class;
extern const TareFormatClass _tare_format_q5_0_class;
extern const TareFormatClass _tare_format_q5_1_class;
extern const TareFormatClass _tare_format_q8_0_class;
extern const TareFormatClass _tare_format_q2_k_class;
extern const TareFormatClass _tare_format_q3_k_class;
extern const TareFormatClass _tare_format_q4_k_class;
extern const TareFormatClass _tare_format_q5_k_class;
extern const TareFormatClass _tare_format_q6_k_class;
extern const TareFormatClass _tare_format_iq4_nl_class;
extern const TareFormatClass _tare_format_iq4_xs_class;
extern const TareFormatClass _tare_format_iq3_s_class;
extern const TareFormatClass _tare_format_iq3_xxs_class;
extern const TareFormatClass _tare_format_iq2_s_class;
extern const TareFormatClass _tare_format_iq2_xs_class;
extern const TareFormatClass _tare_format_iq2_xxs_class;
extern const TareFormatClass _tare_format_iq1_m_class;
extern const TareFormatClass _tare_format_iq1_s_class;
extern const TareFormatClass _tare_format_mxfp4_class;
extern const TareFormatClass _tare_format_tq1_0_class;
extern const TareFormatClass _tare_format_tq2_0_class;
extern const TareFormatClass _tare_format_integer_class;

/* Scalars inside blocks lie at any address. */
TARE_INLINE float
load_half (const guint8 *bytes)
{
  return tare_half_to_float ((guint16) (bytes[0] | bytes[1] << 8));
}

TARE_INLINE void
store_half (guint8 *bytes,
            float   x)
{
  guint16 half = tare_half_from_float (x);

  bytes[0] = half & 0xff;
  bytes[1] = half >> 8;
}

/* The nearest scale that binary16 holds: neither infinite nor, unless it is zero, zero. */
TARE_INLINE float
round_scale (float scale)
{
  float magnitude = scale < 0.0f ? -scale : scale;
  float sign = scale < 0.0f ? -1.0f : 1.0f;
  float least = magnitude > 0.0f ? TARE_HALF_MIN : 0.0f;

  magnitude = magnitude < least ? least : magnitude;
  magnitude = magnitude > TARE_HALF_MAX ? TARE_HALF_MAX : magnitude;

  return sign * tare_half_to_float (tare_half_from_float (magnitude));
}

/* The nearest offset that binary16 holds, which may be zero. */
TARE_INLINE float
round_offset (float offset)
{
  offset = offset < -TARE_HALF_MAX ? -TARE_HALF_MAX : offset;
  offset = offset > TARE_HALF_MAX ? TARE_HALF_MAX : offset;

  return tare_half_to_float (tare_half_from_float (offset));
}

TARE_INLINE float
invert (float scale)
{
  return (scale != 0.0f ? 1.0f : 0.0f) / (scale != 0.0f ? scale : 1.0f);
}

G_END_DECLS
