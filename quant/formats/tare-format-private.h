/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format.h"
#include "quant/formats/tare-half.h"
#include "quant/tare-simd.h"

G_BEGIN_DECLS

/**
 * TareMatrix:
 * @x: finite numbers, rows x columns; transposed already where groups lie along the outputs
 * @rows: of @x
 * @columns: of @x
 * @weights: one positive importance for each column of @x, of which the largest is 1
 * @row_weights: (nullable): the same for each row; %NULL where all are alike
 * @range: how ranges are chosen; never %TARE_RANGE_PERCENTILE, for which @x was clipped before
 * @progress: (nullable): what fit() asks every now and then
 *
 * A matrix on its way into a format that keeps something once for all of it.
 */
typedef struct
{
  const float        *x;
  gsize               rows;
  gsize               columns;
  const float        *weights;
  const float        *row_weights;
  TareRange           range;
  const TareProgress *progress;
} TareMatrix;

/**
 * TareFormatClass:
 * @block_bytes: of one block, where rows are made of blocks
 * @get_row_bytes: (nullable): where they are not
 * @encode_row: finite numbers into codes; @weights has one for each column, none is zero; @search
 *   asks for the scale of least weighted squared error, else the range reaches from end to end
 * @decode_row: and back
 * @get_levels: (nullable): the levels of one group in any order, perhaps repeated; none for a float
 * @get_parameter_bytes: (nullable): of what is kept once for a matrix and lies before its rows
 * @fit: (nullable): chooses that; only where there is any, and before any row is encoded
 * @encode_matrix_row: (nullable): instead of @encode_row, one row with the parameters at hand, so
 *   that its index matters; @parameters is %NULL where there are none
 * @decode_matrix_row: (nullable): and back
 * @take_apart: (nullable): fills the codes, scales and zeros of @parts, sized as it says
 * @put_together: (nullable): and back; says with %TARE_ERROR_INVALID what it cannot hold
 *
 * How a format stores a matrix of weights: its parameters, if it has any, and then its rows, which
 * know nothing of each other but by them. Where groups lie along the outputs all of these see the
 * transposed matrix.
 */
struct _TareFormatClass
{
  gsize    block_bytes;
  gsize    (*get_row_bytes)       (const TareFormat  *self,
                                   gsize              columns);
  void     (*encode_row)          (const TareFormat  *self,
                                   gboolean           search,
                                   const float       *x,
                                   const float       *weights,
                                   gsize              columns,
                                   guint8            *codes);
  void     (*decode_row)          (const TareFormat  *self,
                                   const guint8      *codes,
                                   gsize              columns,
                                   float             *y);
  gsize    (*get_levels)          (const TareFormat  *self,
                                   float              minimum,
                                   float              maximum,
                                   float             *levels);
  gsize    (*get_parameter_bytes) (const TareFormat  *self,
                                   gsize              rows,
                                   gsize              columns);
  gboolean (*fit)                 (const TareFormat  *self,
                                   const TareMatrix  *matrix,
                                   guint8            *parameters,
                                   GError           **error);
  void     (*encode_matrix_row)   (const TareFormat  *self,
                                   const TareMatrix  *matrix,
                                   gsize              row,
                                   const guint8      *parameters,
                                   guint8            *codes);
  void     (*decode_matrix_row)   (const TareFormat  *self,
                                   const guint8      *parameters,
                                   gsize              row,
                                   const guint8      *codes,
                                   gsize              columns,
                                   float             *y);
  void     (*take_apart)          (const TareFormat  *self,
                                   const guint8      *codes,
                                   TareParts         *parts);
  gboolean (*put_together)        (const TareFormat  *self,
                                   const TareParts   *parts,
                                   guint8            *codes,
                                   GError           **error);
};

gboolean _tare_parts_fail_code            (const TareFormat  *self,
                                           const TareParts   *parts,
                                           gsize              index,
                                           GError           **error);
gboolean _tare_parts_fail_scale           (const TareFormat  *self,
                                           const TareParts   *parts,
                                           gsize              index,
                                           GError           **error);
void     _tare_mxfp4_take_apart           (const TareFormat  *self,
                                           const guint8      *codes,
                                           TareParts         *parts);
gboolean _tare_mxfp4_put_together         (const TareFormat  *self,
                                           const TareParts   *parts,
                                           guint8            *codes,
                                           GError           **error);

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
extern const TareFormatClass _tare_format_nvfp4_class;
extern const TareFormatClass _tare_format_tq1_0_class;
extern const TareFormatClass _tare_format_tq2_0_class;
extern const TareFormatClass _tare_format_zero_point_class;
extern const TareFormatClass _tare_format_minimum_class;
extern const TareFormatClass _tare_format_residual_class;

void _tare_format_list      (GPtrArray *list);
void _tare_format_list_clusters (GPtrArray *list);
void _tare_format_list_ggml (GPtrArray *list);
void _tare_format_list_vectors (GPtrArray *list);

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

/* The nearest binary16, ties to even, to a number that is not negative and not above the largest;
 * in single precision all along, so that a loop of it fills the machine's vectors. */
TARE_INLINE float
round_to_half (float magnitude)
{
  guint32 bits = tare_float_to_bits (magnitude);
  float normal = tare_float_from_bits ((bits + 0xfff + ((bits >> 13) & 1)) & 0xffffe000);
  float subnormal = (magnitude + 0.5f) - 0.5f;

  return magnitude < 0x1p-14f ? subnormal : normal;
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

  return sign * round_to_half (magnitude);
}

/* The nearest offset that binary16 holds, which may be zero. */
TARE_INLINE float
round_offset (float offset)
{
  float magnitude = offset < 0.0f ? -offset : offset;
  float sign = offset < 0.0f ? -1.0f : 1.0f;

  magnitude = magnitude > TARE_HALF_MAX ? TARE_HALF_MAX : magnitude;

  return sign * round_to_half (magnitude);
}

TARE_INLINE float
invert (float scale)
{
  return (scale != 0.0f ? 1.0f : 0.0f) / (scale != 0.0f ? scale : 1.0f);
}

G_END_DECLS
