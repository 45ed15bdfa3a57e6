/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareRangeLevel:
 *
 * What is known of the weights of one channel, from the smallest to the largest.
 */
typedef enum
{
  TARE_RANGE_LEVEL_MINIMUM,
  TARE_RANGE_LEVEL_1,
  TARE_RANGE_LEVEL_5,
  TARE_RANGE_LEVEL_25,
  TARE_RANGE_LEVEL_50,
  TARE_RANGE_LEVEL_75,
  TARE_RANGE_LEVEL_95,
  TARE_RANGE_LEVEL_99,
  TARE_RANGE_LEVEL_MAXIMUM,
} TareRangeLevel;

#define TARE_RANGE_LEVELS 9

/**
 * TareRanges:
 * @n: channels
 * @values: (array length=n): of each, its %TARE_RANGE_LEVELS levels; NaN where none of its weights
 *   is finite
 *
 * How the weights of every row or every column of a tensor are spread.
 */
typedef struct
{
  gsize   n;
  float (*values)[TARE_RANGE_LEVELS];
} TareRanges;

TareRanges *tare_ranges_of_rows     (const TareTensor    *tensor,
                                     const TareProgress  *progress,
                                     GError             **error);
TareRanges *tare_ranges_of_columns  (const TareTensor    *tensor,
                                     const TareProgress  *progress,
                                     GError             **error);
void        tare_ranges_free        (TareRanges          *self);
double      tare_range_level_get_share (TareRangeLevel    level);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareRanges, tare_ranges_free)

G_END_DECLS
