/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Where a range is clipped when nobody says, in percent of |x|: methods such as SmoothQuant's and
 * TensorRT's calibrators offer it among 99 to 99.999. */
#define TARE_RANGE_DEFAULT_PERCENTILE 99.9

/**
 * TareRange:
 * @TARE_RANGE_SEARCH: the range or scale of least squared error, weighted by importance if given
 * @TARE_RANGE_MINIMUM_MAXIMUM: from the smallest to the largest weight of the group
 * @TARE_RANGE_PERCENTILE: clipped at a percentile of the group's magnitudes
 * @TARE_RANGE_NORM: as the search, but by |x - y|^2.4, as GPTQ and QuaRot clip
 * @TARE_RANGE_ROUND_UP: as from minimum to maximum, and a scale that must be a power of two is
 *   rounded up, where the OCP's rule clips
 *
 * How the range of a group of weights is chosen before they are rounded.
 */
typedef enum
{
  TARE_RANGE_SEARCH,
  TARE_RANGE_MINIMUM_MAXIMUM,
  TARE_RANGE_PERCENTILE,
  TARE_RANGE_NORM,
  TARE_RANGE_ROUND_UP,
} TareRange;

typedef struct
{
  TareRange   range;
  const char *id;
  const char *label;
  const char *description;
} TareRangeInfo;

gsize                tare_range_get_n_ranges (void);
const TareRangeInfo *tare_range_get          (gsize       index);
const char          *tare_range_name_at      (gsize       index);
const TareRangeInfo *tare_range_lookup       (const char *id);

G_END_DECLS
