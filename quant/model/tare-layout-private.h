/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-layout.h"

G_BEGIN_DECLS

/**
 * _tare_layout_get_data:
 * @self: a matrix
 * @part: one that it has
 *
 * Returns: (transfer none): the bytes of the part, in the mapped file
 */
static inline const guint8 *
_tare_layout_get_data (const TareStored *self,
                       TarePart          part)
{
  return tare_file_get_data (self->parts[part]->file) + self->parts[part]->offset;
}

/**
 * _tare_layout_load_word:
 * @bytes: four of them, at any address
 *
 * Returns: the little-endian word
 */
static inline guint32
_tare_layout_load_word (const guint8 *bytes)
{
  return (guint32) bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16
         | (guint32) bytes[3] << 24;
}

/**
 * _tare_layout_extract:
 * @words: 32-bit words, the first code in the lowest bits of the first
 * @stride: words from one to the next of the stream
 * @bit: where in the stream the code begins
 * @bits: how many it has, at most 8
 *
 * Returns: the code, which may straddle two words
 */
static inline guint
_tare_layout_extract (const guint8 *words,
                      gsize         stride,
                      gsize         bit,
                      guint         bits)
{
  const guint8 *word = words + 4 * stride * (bit / 32);
  guint shift = bit % 32;
  guint32 value = _tare_layout_load_word (word) >> shift;

  if (shift + bits > 32)
    value |= _tare_layout_load_word (word + 4 * stride) << (32 - shift);

  return value & ((1u << bits) - 1);
}

float _tare_layout_decode_float8 (const char       *type,
                                  guint8            code);
float _tare_layout_load_scalar   (const TareTensor *part,
                                  gsize             index);

G_END_DECLS
