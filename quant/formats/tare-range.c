/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-range.h"

#define N_(text) (text)

static const TareRangeInfo ranges[] = {
  {
    TARE_RANGE_SEARCH, "search", N_("Searched"),
    N_("The range of least squared error, weighted by importance where it is known"),
  },
  {
    TARE_RANGE_MINIMUM_MAXIMUM, "minmax", N_("Minimum to maximum"),
    N_("From the smallest to the largest weight of a group, so that nothing is clipped"),
  },
  {
    TARE_RANGE_PERCENTILE, "percentile", N_("Percentile"),
    N_("Clipped where a given share of a group's weights is smaller"),
  },
  {
    TARE_RANGE_NORM, "norm", N_("Searched, 2.4-norm"),
    N_("The range of least error to the power of 2.4, which spares large weights more"),
  },
  {
    TARE_RANGE_ROUND_UP, "round-up", N_("Rounded up"),
    N_("From minimum to maximum, and a scale that is a power of two never clips"),
  },
};

gsize
tare_range_get_n_ranges (void)
{
  return G_N_ELEMENTS (ranges);
}

/**
 * tare_range_get:
 * @index: less than tare_range_get_n_ranges()
 *
 * Returns: (transfer none): one row of the table
 */
const TareRangeInfo *
tare_range_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (ranges), NULL);

  return &ranges[index];
}

/**
 * tare_range_name_at:
 * @index: from 0
 *
 * Returns: (transfer none) (nullable): the id of a row, %NULL behind the last; a #TareNameAt
 */
const char *
tare_range_name_at (gsize index)
{
  return index < G_N_ELEMENTS (ranges) ? ranges[index].id : NULL;
}

/**
 * tare_range_lookup:
 * @id: what the command line calls it
 *
 * Returns: (transfer none) (nullable): the row of that id
 */
const TareRangeInfo *
tare_range_lookup (const char *id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (ranges); i++)
    if (g_strcmp0 (ranges[i].id, id) == 0)
      return &ranges[i];

  return NULL;
}
